"""What a new catalog must not do, whatever the tables say.

No price is absurd, none is without a source, and against the catalog before it none falls by more
than half or rises more than threefold or vanishes, unless someone looked and said so.
"""

from merge import SUFFIX
from tables import FEES, RATES

# USD per million tokens; the dearest model ever sold cost 600.
MAX_RATE = 2_000
# USD for one request or search.
MAX_FEE = 5
MAX_FACTOR = 10
MAX_TOKENS = 200_000_000


def absurd(catalog):
    """Everything that is wrong of itself, as text."""
    for provider, models in catalog.items():
        for name, entry in models.items():
            at = f"{provider}/{name}"
            if not name or any(c.isspace() or c in '"\\' or not c.isprintable() for c in name):
                yield f"{at}: not the name of a model"
            if entry.rates and not {"prompt", "completion"} <= entry.rates.keys():
                yield f"{at}: a price of one side only"
            yield from absurd_prices(at, entry)
            for size in (entry.context, entry.output):
                if not 0 <= size <= MAX_TOKENS:
                    yield f"{at}: {size} tokens"


def absurd_prices(at, entry):
    for rates in [entry.rates, *entry.tiers.values()]:
        for kind, (value, letters) in rates.items():
            most = MAX_FEE if kind in FEES else MAX_RATE
            if kind not in RATES + FEES or not 0 <= value <= most:
                yield f"{at}: {kind} of {value}"
            if not letters:
                yield f"{at}: {kind} without a source"
    for service, (value, letters) in entry.factors.items():
        if not 0 < value <= MAX_FACTOR or not letters:
            yield f"{at}: {service} of {value}"
    if entry.rates and not at.endswith(":free") and not any(
            value for value, _ in entry.rates.values()):
        yield f"{at}: for nothing"


def leaps(old, new):
    """(provider/model, text) for every price that changed more than is believed unseen."""
    for provider, models in old.items():
        for name, before in models.items():
            if not before.rates:
                continue
            after = find(new.get(provider, {}), name)
            at = f"{provider}/{name}"
            if after is None or not after.rates:
                yield at, f"{at}: has no price any more"
                continue
            for kind in RATES + FEES:
                was, now = before.price(kind), after.price(kind)
                is_stated = kind in before.rates or kind in after.rates
                if is_stated and is_leap(was or 0, now or 0):
                    yield at, f"{at}: {kind} from {was} to {now}"
            for bound in sorted(before.tiers.keys() | after.tiers.keys()):
                for kind in ("prompt", "completion"):
                    was, now = above(before, bound, kind), above(after, bound, kind)
                    if is_leap(was, now):
                        yield at, f"{at}: {kind} above {bound} from {was} to {now}"
            for service in before.factors.keys() | after.factors.keys():
                was = before.factors.get(service, (1, ""))[0]
                now = after.factors.get(service, (1, ""))[0]
                if is_leap(was, now):
                    yield at, f"{at}: {service} from {was} to {now}"


def above(entry, bound, kind):
    """The price in requests whose prompt is just longer than a bound."""
    stated = [tier[kind][0] for start, tier in sorted(entry.tiers.items())
              if start <= bound and kind in tier]
    return stated[-1] if stated else entry.price(kind)


def is_leap(was, now):
    return now * 2 < was or now > was * 3


def find(models, name):
    """As the gateway looks a name up: as it is, then without a date or pin."""
    return models.get(name) or models.get(SUFFIX.sub("", name))
