"""OpenAI's SDK on chat completions: the same program against providers of all three formats."""

import json
import time

import pytest
from conftest import (
    ANTHROPIC_MODEL, CANCEL_WITHIN_S, GOOGLE_MODEL, OPENAI_MODEL, PNG_BASE64, PNG_URL,
    WEATHER_SCHEMA, generation, say, usd,
)

MODELS = [OPENAI_MODEL, ANTHROPIC_MODEL, GOOGLE_MODEL]
PRICES = {  # as in gateway.toml: prompt, cached, completion
    OPENAI_MODEL: ("2.5", "0.25", "10"),
    ANTHROPIC_MODEL: ("3", "0.3", "15"),
    GOOGLE_MODEL: ("0.3", "0.03", "2.5"),
}
FORMATS = {OPENAI_MODEL: "openai", ANTHROPIC_MODEL: "anthropic", GOOGLE_MODEL: "google"}
UPSTREAM_KEYS = {OPENAI_MODEL: "0oai", ANTHROPIC_MODEL: "0ant", GOOGLE_MODEL: "0gem"}
WEATHER = {
    "type": "function",
    "function": {"name": "weather", "description": "The weather now", "parameters": WEATHER_SCHEMA},
}
TOKENS = {"prompt": 120, "completion": 45, "cached": 20, "reasoning": 10}

every_model = pytest.mark.parametrize("model", MODELS)


def user(text, /, **reply):
    return {"role": "user", "content": say(text, **reply)}


def same_usage(usage, entry):
    assert usage.prompt_tokens == entry["prompt_tokens"]
    assert usage.completion_tokens == entry["completion_tokens"]
    assert usage.total_tokens == entry["prompt_tokens"] + entry["completion_tokens"]
    assert usage.prompt_tokens_details.cached_tokens == entry["cached_tokens"]
    assert usage.completion_tokens_details.reasoning_tokens == entry["reasoning_tokens"]


@every_model
def test_plain(openai, provider, model):
    message = user("Capital of France?", text="Paris.", tokens=TOKENS)
    answer = openai.chat.completions.create(model=model, messages=[message])
    assert answer.object == "chat.completion"
    assert answer.model == model
    assert answer.id.startswith("gen-")
    [choice] = answer.choices
    assert (choice.message.role, choice.message.content) == ("assistant", "Paris.")
    assert choice.finish_reason == "stop"
    entry = provider.only()
    assert entry["format"] == FORMATS[model]
    assert entry["model"] == model.split("/")[1]
    assert entry["key_suffix"] == UPSTREAM_KEYS[model]
    same_usage(answer.usage, entry)


@every_model
def test_streamed(openai, provider, model):
    message = user("Count.", text="one two three four", tokens=TOKENS)
    chunks = list(openai.chat.completions.create(model=model, messages=[message], stream=True))
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    assert {chunk.model for chunk in chunks} == {model}
    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[0].id.startswith("gen-")
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    assert deltas[0].role == "assistant"
    assert [d.content for d in deltas if d.content] == ["one ", "two ", "three ", "four"]
    finishes = [c.choices[0].finish_reason for c in chunks if c.choices]
    assert [f for f in finishes if f] == ["stop"]
    # The usage comes once, in the last chunk, asked for or not.
    assert [bool(chunk.usage) for chunk in chunks].count(True) == 1
    assert chunks[-1].choices == []
    same_usage(chunks[-1].usage, provider.only())


@every_model
def test_events_arrive_one_by_one(openai, model):
    message = user("Slowly.", events=5, event_delay_ms=100)
    arrivals = []
    for chunk in openai.chat.completions.create(model=model, messages=[message], stream=True):
        if chunk.choices and chunk.choices[0].delta.content:
            arrivals.append(time.monotonic())
    assert len(arrivals) == 5
    assert arrivals[-1] - arrivals[0] > 0.3, "the events were held back"


@every_model
def test_finish_by_length(openai, model):
    native = {"openai": "length", "anthropic": "max_tokens", "google": "MAX_TOKENS"}[FORMATS[model]]
    message = user("Long.", text="cut", finish=native)
    answer = openai.chat.completions.create(model=model, messages=[message], max_tokens=5)
    assert answer.choices[0].finish_reason == "length"


@every_model
def test_tool_round_trip(openai, provider, model):
    calls = [
        {"name": "weather", "arguments": {"city": "Paris"}},
        {"name": "weather", "arguments": {"city": "Rome", "unit": "c"}},
    ]
    # The mock makes the calls first, and says its text once it has the results.
    messages = [user("Compare.", tools=calls, text="Rome is warmer.")]
    first = openai.chat.completions.create(model=model, messages=messages, tools=[WEATHER])
    [choice] = first.choices
    assert choice.finish_reason == "tool_calls"
    made = choice.message.tool_calls
    assert [call.type for call in made] == ["function", "function"]
    assert [json.loads(call.function.arguments) for call in made] == [c["arguments"] for c in calls]
    assert len({call.id for call in made}) == 2

    messages.append(choice.message.model_dump(exclude_none=True))
    for call, degrees in zip(made, ("18 degrees", "24 degrees")):
        messages.append({"role": "tool", "tool_call_id": call.id, "content": degrees})
    second = openai.chat.completions.create(model=model, messages=messages, tools=[WEATHER])
    assert second.choices[0].message.content == "Rome is warmer."
    sent = json.dumps(provider.last_body())
    assert "18 degrees" in sent and "24 degrees" in sent
    assert len(provider.entries()) == 2


@every_model
def test_streamed_tool_calls(openai, model):
    calls = [
        {"name": "weather", "arguments": {"city": "Paris"}},
        {"name": "weather", "arguments": {"city": "Rome"}},
    ]
    message = user("Compare.", tools=calls, argument_pieces=3, text="")
    stream = openai.chat.completions.create(
        model=model, messages=[message], tools=[WEATHER], stream=True
    )
    made, finish = {}, None
    for chunk in stream:
        for choice in chunk.choices:
            finish = choice.finish_reason or finish
            for piece in choice.delta.tool_calls or []:
                known = made.setdefault(piece.index, {"id": None, "name": "", "arguments": ""})
                known["id"] = known["id"] or piece.id
                known["name"] += piece.function.name or ""
                known["arguments"] += piece.function.arguments or ""
    assert finish == "tool_calls"
    assert sorted(made) == [0, 1]
    assert [json.loads(made[i]["arguments"]) for i in (0, 1)] == [c["arguments"] for c in calls]
    assert {call["name"] for call in made.values()} == {"weather"}
    assert all(call["id"] for call in made.values())


@every_model
def test_stream_helper_accumulates(openai, provider, model):
    calls = [{"name": "weather", "arguments": {"city": "Oslo"}}]
    message = user("Weather?", tools=calls, text="Let me look.", tokens=TOKENS)
    with openai.chat.completions.stream(
        model=model, messages=[message], tools=[WEATHER], stream_options={"include_usage": True}
    ) as stream:
        seen = {event.type for event in stream}
        final = stream.get_final_completion()
    assert {"chunk", "content.delta", "tool_calls.function.arguments.done"} <= seen
    assert final.choices[0].message.content == "Let me look."
    [call] = final.choices[0].message.tool_calls
    assert json.loads(call.function.arguments) == {"city": "Oslo"}
    same_usage(final.usage, provider.only())


@every_model
def test_forced_tool(openai, provider, model):
    choice = {"type": "function", "function": {"name": "weather"}}
    message = {"role": "user", "content": "Weather? [[mock tools]]"}
    answer = openai.chat.completions.create(
        model=model, messages=[message], tools=[WEATHER], tool_choice=choice
    )
    [call] = answer.choices[0].message.tool_calls
    assert json.loads(call.function.arguments) == {"city": "example", "unit": "c"}
    body = provider.last_body()
    place = {"openai": "tool_choice", "anthropic": "tool_choice", "google": "toolConfig"}
    assert "weather" in json.dumps(body[place[FORMATS[model]]])


@every_model
def test_image(openai, provider, model):
    content = [
        {"type": "text", "text": say("What is this?", text="A red dot.")},
        {"type": "image_url", "image_url": {"url": PNG_URL}},
    ]
    message = {"role": "user", "content": content}
    answer = openai.chat.completions.create(model=model, messages=[message])
    assert answer.choices[0].message.content == "A red dot."
    body = provider.last_body()
    found = {
        "openai": lambda: body["messages"][0]["content"][1]["image_url"]["url"],
        "anthropic": lambda: body["messages"][0]["content"][1]["source"]["data"],
        "google": lambda: body["contents"][0]["parts"][1]["inlineData"]["data"],
    }[FORMATS[model]]()
    assert found == (PNG_URL if FORMATS[model] == "openai" else PNG_BASE64)


@every_model
def test_system_message(openai, provider, model):
    messages = [{"role": "system", "content": "Answer in Latin."}, user("Hi.", text="Salve.")]
    answer = openai.chat.completions.create(model=model, messages=messages)
    assert answer.choices[0].message.content == "Salve."
    body = provider.last_body()
    system = {
        "openai": lambda: body["messages"][0],
        "anthropic": lambda: body["system"],
        "google": lambda: body["systemInstruction"],
    }[FORMATS[model]]()
    assert "Answer in Latin." in json.dumps(system)


@every_model
@pytest.mark.parametrize("stream", [False, True])
def test_reasoning(openai, provider, model, stream):
    message = user("Think.", text="42.", reasoning="Six times seven.", tokens=TOKENS)
    answer = openai.chat.completions.create(
        model=model, messages=[message], reasoning_effort="medium", max_completion_tokens=4000,
        stream=stream,
    )
    # An OpenAI-format provider's own spelling passes through; translated answers say `reasoning`.
    spelling = "reasoning_content" if FORMATS[model] == "openai" else "reasoning"
    if stream:
        chunks = list(answer)
        deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
        thought = "".join((delta.model_extra or {}).get(spelling) or "" for delta in deltas)
        text, usage = "".join(delta.content or "" for delta in deltas), chunks[-1].usage
    else:
        thought = answer.choices[0].message.model_extra[spelling]
        text, usage = answer.choices[0].message.content, answer.usage
    assert (thought, text) == ("Six times seven.", "42.")
    entry = provider.only()
    assert entry["reasoning_tokens"] == 10
    same_usage(usage, entry)
    body = provider.last_body()
    wish = {
        "openai": lambda: body["reasoning_effort"],
        "anthropic": lambda: body["thinking"],
        "google": lambda: body["generationConfig"]["thinkingConfig"],
    }[FORMATS[model]]()
    assert wish


@every_model
@pytest.mark.parametrize("stream", [False, True])
def test_ids_and_exact_cost(openai, stack, provider, model, stream):
    message = user("Bill me.", text="Done and dusted.", tokens=TOKENS)
    raw = openai.chat.completions.with_raw_response.create(
        model=model, messages=[message], stream=stream
    )
    answer = list(raw.parse())[-1] if stream else raw.parse()
    generation_id = raw.headers["x-generation-id"]
    assert raw.headers["x-request-id"]
    assert answer.id == generation_id

    entry = provider.only()
    record = generation(stack, generation_id)
    assert record["id"] == generation_id
    assert record["model"] == model
    usage = record["usage"]
    assert usage["prompt_tokens"] == entry["prompt_tokens"] == 120
    assert usage["completion_tokens"] == entry["completion_tokens"] == 45
    assert usage["prompt_tokens_details"]["cached_tokens"] == 20
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 10
    prompt, cached, completion = PRICES[model]
    assert usage["cost"] == usd(100, prompt) + usd(20, cached) + usd(45, completion)


@every_model
def test_cancelled_stream(openai, stack, provider, model):
    message = user("On and on.", events=200, event_delay_ms=50)
    raw = openai.chat.completions.with_raw_response.create(
        model=model, messages=[message], stream=True
    )
    stream, seen = raw.parse(), 0
    for chunk in stream:
        if chunk.choices and chunk.choices[0].delta.content:
            seen += 1
        if seen == 3:
            break
    stream.close()
    entry = provider.only(within_s=CANCEL_WITHIN_S)
    assert entry["client_closed"] and not entry["finished"]
    assert 3 <= entry["events_sent"] < 40
    record = generation(stack, raw.headers["x-generation-id"])
    assert record["data"]["cancelled"] is True
    assert record["usage"]["cost"] > 0
