"""The catalog as text: a head, then one line a model, sorted, so that changes read well.

`name prompt=3@gl …`: a price and the letters of the tables that state it; `>200000` begins the
prices of prompts longer than that. Read by `src/catalog/builtin.rs`, which knows the same names.
"""

import re
from decimal import Decimal
from fractions import Fraction

from merge import Entry
from tables import FEES, RATES, SERVICE_TIERS

HEAD = """\
# tidy: data
# Prices and abilities of models, by the names that providers give them. Made by
# conf/catalog/regenerate.py from public tables; see NOTICE. Do not edit: state what is different in
# the configuration, or correct the tables.
#
# A line is a model: its prices (USD per million tokens; request and web_search: USD), each with the
# letters of the tables that state it; factors of service tiers; context and output in tokens; what
# it reads and writes (Text, Image, Audio, Video, Pdf); what it can (Tools, Reasoning, Json schema);
# then, after >TOKENS, the prices of longer prompts.
"""


def write(catalog, date, tables):
    """The text; `tables` is letter -> (name, version, date)."""
    lines = [HEAD.rstrip("\n"), f"date {date}"]
    lines += [f"table {letter} {' '.join(table)}" for letter, table in sorted(tables.items())]
    for provider, models in sorted(catalog.items()):
        lines += ["", f"[{provider}]"]
        ordered = sorted(models.items(), key=lambda item: item[0].encode())
        lines += [line(name, entry) for name, entry in ordered]
    return "\n".join(lines) + "\n"


def line(name, entry):
    words = [name]
    words += [f"{kind}={decimal(value)}@{letters}" for kind, (value, letters) in prices(entry)]
    words += [f"{service}={value}@{letters}"
              for service, (value, letters) in entry.factors.items()]
    words += [f"{key}={getattr(entry, key)}" for key in ("context", "output", "reads", "writes",
                                                         "can") if getattr(entry, key)]
    for bound, tier in sorted(entry.tiers.items()):
        words.append(f">{bound}")
        words += [f"{kind}={decimal(value)}@{letters}"
                  for kind, (value, letters) in tier.items()]
    return " ".join(words)


def prices(entry):
    return [(kind, entry.rates[kind]) for kind in RATES + FEES if kind in entry.rates]


def decimal(value):
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def read(text):
    """The catalog of a text, its date, and the letters its head explains."""
    catalog, models, date, tables = {}, {}, "", {}
    for row in text.splitlines():
        if not row or row.startswith("#"):
            continue
        if heading := re.fullmatch(r"\[(.+)\]", row):
            models = catalog.setdefault(heading[1], {})
        elif row.startswith("date "):
            date = row.removeprefix("date ")
        elif row.startswith("table ") and not catalog:
            _, letter, *table = row.split(" ")
            tables[letter] = tuple(table)
        else:
            name, *words = row.split(" ")
            models[name] = read_entry(words)
    return catalog, date, tables


def read_entry(words):
    entry = Entry()
    rates = entry.rates
    for word in words:
        if word.startswith(">"):
            rates = entry.tiers.setdefault(int(word[1:]), {})
            continue
        key, value = word.split("=", 1)
        value, _, letters = value.partition("@")
        if key in SERVICE_TIERS:
            entry.factors[key] = (Fraction(value), letters)
        elif key in RATES + FEES:
            rates[key] = (Decimal(value), letters)
        elif key in ("context", "output"):
            setattr(entry, key, int(value))
        else:
            setattr(entry, key, value)
    return entry
