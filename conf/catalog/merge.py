"""One catalog out of several tables that do not always agree.

The rule: the value that most tables state; where the votes are even, the one that the table
named first in `tables.TABLES` states. A table that does not state a price of some kind has no
vote on it; whether a model has dearer long prompts is a vote of every table that prices it.
Sizes and abilities are taken from the newest table that states them.
"""

import re
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal

from tables import FEES, RATES, SERVICE_TIERS, TABLES

# Newest data first.
NEWEST = "lgpm"
# Providers that another table knows better: litellm has Bedrock's regions apart, and follows
# DeepSeek's changes of price.
BELIEF = {"bedrock": "lgpm", "deepseek": "lgpm"}
# A name that only dates or pins another one.
SUFFIX = re.compile(r"(-\d{8}|-\d{4}-\d{2}-\d{2}|-latest|@[A-Za-z0-9.-]+)$")
# What prices the other prices default to, as `catalog::Pricing` does.
DEFAULTS = {"cache_read": "prompt", "cache_write": "prompt", "cache_write_1h": "cache_write",
            "audio": "prompt", "reasoning": "completion", "audio_completion": "completion",
            "image_completion": "completion"}
# Models that answer with a vector, which costs nothing.
EMBEDDING = re.compile(r"embed|(^|/)(bge|e5|gte|uae)-|^ada$")
FINEST = Decimal("0.000001")


@dataclass
class Entry:
    """A model of the catalog. Every price is a pair: value, letters of the tables that state it."""

    rates: dict = field(default_factory=dict)
    tiers: dict = field(default_factory=dict)
    factors: dict = field(default_factory=dict)
    context: int = 0
    output: int = 0
    reads: str = ""
    writes: str = ""
    can: str = ""

    def price(self, kind):
        """The price of a kind, as it defaults; None if the model has no price."""
        if kind in self.rates:
            return self.rates[kind][0]
        return self.price(DEFAULTS[kind]) if kind in DEFAULTS else None


def merge(found):
    """The catalog, and a list of disagreements: (provider, model, what, {letter: value})."""
    catalog, disagreements = {}, []
    for provider in sorted({provider for table in found.values() for provider in table}):
        names = {name for table in found.values() for name in table.get(provider, {})}
        models = {}
        for name in sorted(names):
            facts = {letter: found[letter].get(provider, {}).get(name) for letter in TABLES}
            facts = {letter: fact for letter, fact in facts.items() if fact is not None}
            note = lambda what, votes: disagreements.append((provider, name, what, votes))
            order = BELIEF.get(provider, TABLES)
            facts = {letter: facts[letter] for letter in order if letter in facts}
            entry = merge_model(name, facts, note)
            if entry is not None:
                models[name] = entry
        models = {name: entry for name, entry in models.items() if not is_implied(name, models)}
        if models:
            catalog[provider] = models
    return catalog, disagreements


def vote(votes, what, note):
    """The value that wins, with the letters of the tables that state it. The votes are in the
    order in which one believes the tables."""
    sides = {}
    for letter, value in votes.items():
        sides.setdefault(value, []).append(letter)
    if len(sides) > 1:
        note(what, votes)
    # The first of the longest lists.
    value, letters = max(sides.items(), key=lambda side: len(side[1]))
    return value, "".join(letters)


def merge_model(name, facts, note):
    entry = Entry()
    priced = {letter: fact for letter, fact in facts.items() if has_price(name, fact)}
    for kind in RATES + FEES:
        votes = {letter: rounded(kind, fact.rates[kind])
                 for letter, fact in priced.items() if kind in fact.rates}
        if votes:
            entry.rates[kind] = vote(votes, kind, note)
    if priced and ("prompt" not in entry.rates or "completion" not in entry.rates):
        priced, entry.rates = {}, {}
    for kind in [k for k in DEFAULTS if k in entry.rates]:
        value, letters = entry.rates.pop(kind)
        if value != entry.price(kind):
            entry.rates[kind] = (value, letters)
    if priced:
        merge_tiers(entry, priced, note)
        for service in SERVICE_TIERS:
            votes = {letter: fact.factors[service]
                     for letter, fact in priced.items() if service in fact.factors}
            if votes:
                factor = vote(votes, service, note)
                if factor[0] != 1:
                    entry.factors[service] = factor
    for size in ("context", "output", "reads", "writes", "can"):
        stated = (getattr(facts[letter], size) for letter in NEWEST if letter in facts)
        setattr(entry, size, next(filter(None, stated), getattr(entry, size)))
    if EMBEDDING.search(name.lower()):
        # Some tables have the length of the vector here.
        entry.output = 0
    return entry if entry.rates or entry.context or entry.output else None


def has_price(name, fact):
    """Both sides are stated, and not as nothing: trials are free, models that are sold are not.
    Embeddings have no answer; an answer that is only pictures costs what their tokens cost."""
    rates = fact.rates
    if "image_completion" in rates and not rates.get("completion"):
        rates["completion"] = rates["image_completion"]
    is_embedding = EMBEDDING.search(name.lower()) is not None
    if is_embedding:
        rates.setdefault("completion", Decimal(0))
    if "prompt" not in rates or "completion" not in rates:
        return False
    is_free = {side for side in ("prompt", "completion") if rates[side] == 0}
    if is_free == {"completion"}:
        return is_embedding
    return not is_free or name.endswith(":free") or (is_free == {"prompt"} and "request" in rates)


def rounded(kind, value):
    return value.normalize() if kind in FEES else value.quantize(FINEST, ROUND_HALF_UP).normalize()


def merge_tiers(entry, priced, note):
    bounds = {letter: tuple(sorted(fact.tiers)) for letter, fact in priced.items()}
    for bound in vote(bounds, "tiers", note)[0]:
        tier = {}
        for kind in RATES:
            votes = {letter: rounded(kind, fact.tiers[bound][kind])
                     for letter, fact in priced.items()
                     if kind in fact.tiers.get(bound, {}) and kind in fact.rates}
            if votes:
                tier[kind] = vote(votes, f">{bound} {kind}", note)
        entry.tiers[bound] = tier
    drop_falling(entry)


def drop_falling(entry):
    """Takes out prices of a tier that do not rise above the one before, and tiers without any."""
    before = {kind: entry.price(kind) for kind in RATES}
    for bound in sorted(entry.tiers):
        tier = entry.tiers[bound]
        for kind in list(tier):
            if tier[kind][0] <= before[kind]:
                del tier[kind]
            else:
                before[kind] = tier[kind][0]
        if "prompt" not in tier and "completion" not in tier:
            del entry.tiers[bound]


def is_implied(name, models):
    """Whether the name without its date or pin is there, and costs and holds the same."""
    base = models.get(SUFFIX.sub("", name)) if SUFFIX.search(name) else None
    return base is not None and same(base, models[name])


def same(one, other):
    def values(entry):
        prices = [{kind: value for kind, (value, _) in rates.items()}
                  for rates in [entry.rates, entry.factors, *entry.tiers.values()]]
        return prices, list(entry.tiers), entry.context, entry.output

    return values(one) == values(other)
