"""Anthropic's SDK on /v1/messages, and on the raw proxy."""

import json

import anthropic as sdk
import pytest
from conftest import (
    ANTHROPIC_MODEL, CANCEL_WITHIN_S, CLAUDE, PNG_BASE64, WEATHER_SCHEMA, generation, say, usd,
)

WEATHER = {"name": "weather", "description": "The weather now", "input_schema": WEATHER_SCHEMA}
TOKENS = {"prompt": 120, "completion": 45, "cached": 20, "cache_write_5m": 30}
CALLS = [
    {"name": "weather", "arguments": {"city": "Paris"}},
    {"name": "weather", "arguments": {"city": "Rome"}},
]

# The vendor's own name, the gateway's name, and an alias; the raw proxy knows the first only.
names = pytest.mark.parametrize(
    ("path", "model"),
    [("", CLAUDE), ("", ANTHROPIC_MODEL), ("", "smart"), ("/anthropic", CLAUDE)],
)


def user(text, /, **reply):
    return {"role": "user", "content": say(text, **reply)}


@names
def test_plain(anthropic_client, provider, path, model):
    answer = anthropic_client(path=path).messages.create(
        model=model, max_tokens=100, messages=[user("Hi.", text="Hello.", tokens=TOKENS)]
    )
    assert (answer.type, answer.role, answer.stop_reason) == ("message", "assistant", "end_turn")
    assert [(block.type, block.text) for block in answer.content] == [("text", "Hello.")]
    assert answer.model == (CLAUDE if model == CLAUDE else ANTHROPIC_MODEL)
    entry = provider.only()
    assert answer.id == entry["id"], "the provider's id stays"
    assert (entry["model"], entry["format"], entry["key_suffix"]) == (CLAUDE, "anthropic", "0ant")
    usage = answer.usage
    assert (usage.input_tokens, usage.output_tokens) == (70, 45)
    assert (usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (20, 30)


@names
def test_streamed(anthropic_client, provider, path, model):
    stream = anthropic_client(path=path).messages.create(
        model=model, max_tokens=100, stream=True, messages=[user("Count.", text="one two three")]
    )
    events = list(stream)
    kinds = [event.type for event in events]
    assert (kinds[0], kinds[-2], kinds[-1]) == ("message_start", "message_delta", "message_stop")
    texts = [e.delta.text for e in events if e.type == "content_block_delta"]
    assert texts == ["one ", "two ", "three"]
    assert events[0].message.model == (CLAUDE if model == CLAUDE else ANTHROPIC_MODEL)
    entry = provider.only()
    assert events[0].message.id == entry["id"]
    assert events[-2].usage.output_tokens == entry["completion_tokens"]


def test_stream_helper_accumulates(anthropic, provider):
    with anthropic.messages.stream(
        model=CLAUDE, max_tokens=5000, tools=[WEATHER],
        thinking={"type": "enabled", "budget_tokens": 2000},
        messages=[user("Hi.", text="Let me see.", reasoning="Hm, hm.", signature="c2ln",
                       tools=CALLS, argument_pieces=3)],
    ) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text == "Let me see."
    assert [block.type for block in final.content] == ["thinking", "text", "tool_use", "tool_use"]
    assert (final.content[0].thinking, final.content[0].signature) == ("Hm, hm.", "c2ln")
    assert [block.input for block in final.content[2:]] == [call["arguments"] for call in CALLS]
    assert final.stop_reason == "tool_use"
    assert final.usage.output_tokens == provider.only()["completion_tokens"]


def test_tool_round_trip(anthropic, provider):
    messages = [user("Compare.", tools=CALLS, text="")]
    options = {"model": CLAUDE, "max_tokens": 100, "tools": [WEATHER]}
    first = anthropic.messages.create(messages=messages, **options)
    assert first.stop_reason == "tool_use"
    assert [block.input for block in first.content] == [call["arguments"] for call in CALLS]
    results = [
        {"type": "tool_result", "tool_use_id": block.id, "content": degrees}
        for block, degrees in zip(first.content, ("18 degrees", "24 degrees"))
    ]
    messages += [
        {"role": "assistant", "content": first.content},
        {"role": "user", "content": results},
        user("Thanks.", text="Rome."),
    ]
    second = anthropic.messages.create(messages=messages, **options)
    assert second.content[0].text == "Rome."
    assert "24 degrees" in json.dumps(provider.last_body())


def test_image_system_and_thinking(anthropic, provider):
    source = {"type": "base64", "media_type": "image/png", "data": PNG_BASE64}
    content = [
        {"type": "image", "source": source},
        {"type": "text", "text": say("What?", text="A dot.", reasoning="Red.", signature="c2ln")},
    ]
    system = [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]
    thinking = {"type": "enabled", "budget_tokens": 1024}
    answer = anthropic.messages.create(
        model=ANTHROPIC_MODEL, max_tokens=2000, system=system, thinking=thinking,
        messages=[{"role": "user", "content": content}],
    )
    assert [block.type for block in answer.content] == ["thinking", "text"]
    assert (answer.content[0].thinking, answer.content[0].signature) == ("Red.", "c2ln")
    body = provider.last_body()
    assert body["messages"][0]["content"][0]["source"] == source
    assert (body["system"], body["thinking"]) == (system, thinking)
    assert body["model"] == CLAUDE


def test_vendor_headers_reach_the_provider(anthropic, provider):
    anthropic.messages.create(
        model=CLAUDE, max_tokens=9, messages=[user("Hi.")],
        extra_headers={"anthropic-beta": "context-1m-2025-08-07", "x-internal": "secret"},
    )
    headers = {name.lower(): value for name, value in dict(provider.last()["headers"]).items()}
    assert headers["anthropic-beta"] == "context-1m-2025-08-07"
    assert headers["anthropic-version"] == anthropic.default_headers["anthropic-version"]
    assert "x-internal" not in headers


@names
def test_count_tokens(anthropic_client, provider, path, model):
    counted = anthropic_client(path=path).messages.count_tokens(
        model=model, messages=[{"role": "user", "content": "x" * 400}]
    )
    assert counted.input_tokens == 100
    assert provider.only()["model"] == CLAUDE


def test_models(anthropic):
    listed = {model.id: model for model in anthropic.models.list()}
    assert ANTHROPIC_MODEL in listed
    assert listed[ANTHROPIC_MODEL].type == "model"
    assert listed[ANTHROPIC_MODEL].created_at.year >= 1970
    assert anthropic.models.retrieve(ANTHROPIC_MODEL).display_name


@pytest.mark.parametrize("stream", [False, True])
def test_ids_and_exact_cost(anthropic, stack, provider, stream):
    raw = anthropic.messages.with_raw_response.create(
        model=CLAUDE, max_tokens=100, stream=stream, messages=[user("Bill.", tokens=TOKENS)]
    )
    answer = raw.parse()
    if stream:
        list(answer)
    provider.only()
    record = generation(stack, raw.headers["x-generation-id"])
    assert record["model"] == ANTHROPIC_MODEL
    assert record["usage"]["prompt_tokens"] == 120
    assert record["usage"]["completion_tokens"] == 45
    exact = usd(70, "3") + usd(20, "0.3") + usd(30, "3.75") + usd(45, "15")
    assert record["usage"]["cost"] == exact


def test_async_client(stack):
    import asyncio

    async def run():
        key = stack.keys["full"]
        async with sdk.AsyncAnthropic(base_url=stack.url, api_key=key, max_retries=0) as client:
            async with client.messages.stream(
                model=CLAUDE, max_tokens=10, messages=[user("Hi.", text="a b c")]
            ) as stream:
                return await stream.get_final_text()

    assert asyncio.run(run()) == "a b c"


@names
def test_cancelled_stream(anthropic_client, provider, path, model):
    stream = anthropic_client(path=path).messages.create(
        model=model, max_tokens=1000, stream=True,
        messages=[user("On and on.", events=200, event_delay_ms=50)],
    )
    seen = 0
    for event in stream:
        seen += event.type == "content_block_delta"
        if seen == 3:
            break
    stream.close()
    entry = provider.only(within_s=CANCEL_WITHIN_S)
    assert entry["client_closed"] and not entry["finished"]
    assert 3 <= entry["events_sent"] < 40
