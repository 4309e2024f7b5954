"""OpenRouter's SDK against the gateway: chat, Responses and embeddings, every provider format.

Its schemas check every answer; an event that they refuse is kept as an unknown one.
"""

import json
from decimal import Decimal

import pytest
from conftest import (
    ANTHROPIC_MODEL, GOOGLE_MODEL, OPENAI_MODEL, WEATHER_SCHEMA, generation, say, strangers, usd,
)

MODELS = [OPENAI_MODEL, "responses/gpt-5.4", ANTHROPIC_MODEL, GOOGLE_MODEL]
PRICES = {
    OPENAI_MODEL: ("2.5", "0.25", "10"), "responses/gpt-5.4": ("2.5", "0.25", "10"),
    ANTHROPIC_MODEL: ("3", "0.3", "15"), GOOGLE_MODEL: ("0.3", "0.03", "2.5"),
}
TOKENS = {"prompt": 120, "completion": 45, "cached": 20, "reasoning": 10}
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": WEATHER_SCHEMA}}]
CALLS = [
    {"name": "weather", "arguments": {"city": "Paris"}},
    {"name": "weather", "arguments": {"city": "Rome"}},
]
# All that a request may say of providers; none of it rules one out here.
PREFERENCES = {
    "order": ["openai", "anthropic", "google", "responses"], "ignore": ["hasty-openai"],
    "allow_fallbacks": True, "require_parameters": True, "sort": "price",
    "max_price": {"prompt": "1000", "completion": "1000"},
    "preferred_min_throughput": 1, "preferred_max_latency": {"p90": 60},
}


def user(text, /, **reply):
    return [{"role": "user", "content": say(text, **reply)}]


def cost(model):
    prompt, cached, completion = PRICES[model]
    return usd(100, prompt) + usd(20, cached) + usd(45, completion)


@pytest.mark.parametrize("model", MODELS)
def test_chat(router, stack, provider, model):
    answer = router().chat.send(
        model=model, messages=user("Hi.", text="Hello.", tokens=TOKENS), provider=PREFERENCES,
        x_open_router_title="A test", http_referer="https://app.example",
    )
    assert not strangers(answer)
    [choice] = answer.choices
    assert (choice.message.content, choice.finish_reason) == ("Hello.", "stop")
    assert (answer.model, answer.object) == (model, "chat.completion")
    usage = answer.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (120, 45, 165)
    assert usage.prompt_tokens_details.cached_tokens == 20
    assert usage.completion_tokens_details.reasoning_tokens == 10
    assert usage.cost == pytest.approx(float(cost(model)), rel=1e-12) and usage.is_byok is False
    assert usage.cost_details.upstream_inference_cost is None
    sides = usage.cost_details
    both = sides.upstream_inference_prompt_cost + sides.upstream_inference_completions_cost
    assert both == pytest.approx(usage.cost, rel=1e-9)
    assert provider.only()["status"] == 200
    sent = provider.last()
    assert "provider" not in json.loads(sent["body"])
    assert "app.example" not in json.dumps(sent["headers"])


@pytest.mark.parametrize("model", MODELS)
def test_chat_streamed(router, stack, model):
    messages = user("Count.", text="one two three", reasoning="hm", tokens=TOKENS)
    options = {"model": model, "messages": messages, "reasoning": {"effort": "low"}}
    with router().chat.send(stream=True, **options) as events:
        chunks = list(events)
    assert not strangers(chunks)
    deltas = [choice.delta for chunk in chunks for choice in chunk.choices]
    assert "".join(delta.content or "" for delta in deltas) == "one two three"
    assert "".join(delta.reasoning or "" for delta in deltas) == "hm"
    assert deltas[0].role == "assistant"
    [reason] = [c.finish_reason for chunk in chunks for c in chunk.choices if c.finish_reason]
    assert reason == "stop"
    [identity] = {(chunk.id, chunk.model) for chunk in chunks}
    assert identity[1] == model
    [usage] = [chunk.usage for chunk in chunks if chunk.usage]
    assert usage.cost == pytest.approx(float(cost(model)), rel=1e-12)
    assert generation(stack, identity[0])["usage"]["cost"] == cost(model)


@pytest.mark.parametrize("model", MODELS)
def test_tools(router, provider, model):
    chat = router().chat
    messages = user("Compare.", text="The same.", tools=CALLS)
    asked = chat.send(model=model, messages=messages, tools=TOOLS, tool_choice="auto")
    assert not strangers(asked)
    [choice] = asked.choices
    assert choice.finish_reason == "tool_calls"
    calls = choice.message.tool_calls
    assert [json.loads(call.function.arguments) for call in calls] == [c["arguments"] for c in CALLS]
    results = [
        {"role": "tool", "tool_call_id": call.id, "content": f"{call.function.arguments}: mild"}
        for call in calls
    ]
    # The SDK's own object goes back as it came.
    final = chat.send(model=model, messages=[*messages, choice.message, *results], tools=TOOLS)
    assert final.choices[0].message.content == "The same."
    assert "Rome" in json.dumps(provider.last_body())


@pytest.mark.parametrize("model", MODELS)
def test_tools_streamed(router, model):
    messages = user("Compare.", tools=CALLS, argument_pieces=3)
    with router().chat.send(model=model, messages=messages, tools=TOOLS, stream=True) as events:
        chunks = list(events)
    assert not strangers(chunks)
    made = {}
    for piece in [p for c in chunks for o in c.choices for p in o.delta.tool_calls or []]:
        call = made.setdefault(piece.index, {"id": None, "name": "", "arguments": ""})
        call["id"] = piece.id or call["id"]
        call["name"] += piece.function.name or ""
        call["arguments"] += piece.function.arguments or ""
    assert [json.loads(call["arguments"]) for call in made.values()] == [c["arguments"] for c in CALLS]
    assert all(call["id"] and call["name"] == "weather" for call in made.values())


@pytest.mark.parametrize("model", MODELS)
def test_reasoning(router, model):
    messages = user("Why?", text="So.", reasoning="Because.")
    answer = router().chat.send(model=model, messages=messages, reasoning={"effort": "high"})
    assert not strangers(answer)
    message = answer.choices[0].message
    assert (message.content, message.reasoning) == ("So.", "Because.")
    # Reasoning goes back as it came, and is no obstacle.
    follow = [*messages, message, *user("And?", text="That is all.")]
    assert router().chat.send(model=model, messages=follow).choices[0].finish_reason == "stop"


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("kind", ["responses", "beta"])
def test_responses(router, model, kind):
    client = router()
    api = client.responses if kind == "responses" else client.beta.responses
    prompt = say("Hi.", text="Hello.", reasoning="hm", tokens=TOKENS)
    answer = api.send(model=model, input=prompt, reasoning={"effort": "low"})
    assert not strangers(answer)
    assert (answer.status, answer.model, answer.error) == ("completed", model, None)
    types = [item.type for item in answer.output]
    assert types == ["reasoning", "message"]
    assert answer.output[1].content[0].text == "Hello."
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (120, 45)
    assert answer.usage.cost == pytest.approx(float(cost(model)), rel=1e-12)
    assert answer.usage.cost_details.upstream_inference_input_cost > 0


@pytest.mark.parametrize("model", MODELS)
def test_responses_streamed(router, model):
    prompt = say("Hi.", text="one two", reasoning="hm", tools=CALLS[:1], tokens=TOKENS)
    tools = [{"type": "function", "name": "weather", "parameters": WEATHER_SCHEMA}]
    with router().responses.send(model=model, input=prompt, tools=tools, stream=True) as events:
        events = list(events)
    assert not strangers(events), strangers(events)
    types = [event.type for event in events]
    assert types[:2] == ["response.created", "response.in_progress"]
    assert types[-1] == "response.completed"
    texts = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(texts) == "one two"
    final = events[-1].response
    [call] = [item for item in final.output if item.type == "function_call"]
    assert json.loads(call.arguments) == {"city": "Paris"}
    assert final.usage.cost == pytest.approx(float(cost(model)), rel=1e-12)


def test_embeddings(router):
    embeddings = router().embeddings
    model = "openai/text-embedding-3-small"
    answer = embeddings.generate(model=model, input=["a", "b"], dimensions=4)
    assert not strangers(answer)
    assert [len(one.embedding) for one in answer.data] == [4, 4]
    assert (answer.model, [one.index for one in answer.data]) == (model, [0, 1])
    assert answer.usage.cost == float(Decimal("0.02") * answer.usage.prompt_tokens / 1_000_000)
    text = embeddings.generate(model=model, input="a", encoding_format="base64")
    assert isinstance(text.data[0].embedding, str)


def test_several_models(router):
    models = ["openai/gpt-5.4", "google/gemini-2.5-flash"]
    answer = router().chat.send(models=models, messages=user("Hi.", text="Hello."))
    assert answer.model in models and answer.choices[0].message.content == "Hello."


@pytest.mark.parametrize("model", MODELS)
def test_metadata_tell_the_way_of_a_request(router, model):
    options = {"model": model, "messages": user("Hi.", text="Hello.")}
    options["x_open_router_metadata"] = "enabled"
    whole = router().chat.send(**options)
    with router().chat.send(stream=True, **options) as events:
        chunks = list(events)
    answered = router().responses.send(
        model=model, input=say("Hi.", text="Hello."), x_open_router_metadata="enabled"
    )
    assert not strangers([whole, chunks, answered])
    [streamed] = [chunk.openrouter_metadata for chunk in chunks if chunk.openrouter_metadata]
    for metadata in (whole.openrouter_metadata, streamed, answered.openrouter_metadata):
        assert (metadata.requested, metadata.attempt, metadata.is_byok) == (model, 1, False)
        [endpoint] = metadata.endpoints.available
        assert (endpoint.model, endpoint.selected) == (model, True)
        [attempt] = metadata.attempts
        assert (attempt.provider, attempt.status) == (endpoint.provider, 200)
        assert metadata.strategy == "direct" and metadata.summary
    options["x_open_router_metadata"] = "disabled"
    assert router().chat.send(**options).openrouter_metadata is None
