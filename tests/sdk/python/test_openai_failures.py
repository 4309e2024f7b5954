"""OpenAI's SDK when things go wrong: its own typed exceptions, time-outs, broken streams."""

import time

import openai as sdk
import pytest
from conftest import ANTHROPIC_MODEL, CANCEL_WITHIN_S, GOOGLE_MODEL, OPENAI_MODEL, say

MODELS = [OPENAI_MODEL, ANTHROPIC_MODEL, GOOGLE_MODEL]
every_model = pytest.mark.parametrize("model", MODELS)


def ask(client, model=OPENAI_MODEL, stream=False, **reply):
    message = {"role": "user", "content": say("Hello.", **reply)}
    return client.chat.completions.create(model=model, messages=[message], stream=stream)


def test_bad_key(openai_client, provider):
    with pytest.raises(sdk.AuthenticationError) as raised:
        ask(openai_client(key="lr_live_" + "0" * 48))
    assert raised.value.type == "authentication_error"
    assert raised.value.message
    assert raised.value.request_id
    assert provider.entries() == []


def test_malformed_request(openai, provider):
    with pytest.raises(sdk.BadRequestError) as raised:
        openai.chat.completions.create(model=OPENAI_MODEL, messages="not a list")
    assert raised.value.param == "messages"
    assert raised.value.type == "invalid_request_error"
    assert provider.entries() == []


def test_unknown_model(openai, provider):
    with pytest.raises(sdk.BadRequestError) as raised:
        ask(openai, model="nobody/nothing")
    assert raised.value.param == "model"
    assert "nobody/nothing" in str(raised.value)
    assert provider.entries() == []


def test_forbidden_provider(openai_client, stack, provider):
    with pytest.raises(sdk.PermissionDeniedError) as raised:
        ask(openai_client(key=stack.keys["openai_only"]), model=ANTHROPIC_MODEL)
    assert "provider 'anthropic' is not allowed for this API key" in str(raised.value)
    assert provider.entries() == []
    answer = ask(openai_client(key=stack.keys["openai_only"]), text="Allowed.")
    assert answer.choices[0].message.content == "Allowed."


def test_management_key_cannot_infer(openai_client, stack):
    with pytest.raises(sdk.PermissionDeniedError):
        ask(openai_client(key=stack.keys["manager"]))


def test_unknown_route(openai):
    with pytest.raises(sdk.NotFoundError):
        openai.moderations.create(input="x")


def test_too_large(openai, provider):
    with pytest.raises(sdk.APIStatusError) as raised:
        message = {"role": "user", "content": "x" * 3_000_000}
        openai.chat.completions.create(model=OPENAI_MODEL, messages=[message])
    assert raised.value.status_code == 413
    assert provider.entries() == []


@every_model
@pytest.mark.parametrize("stream", [False, True])
def test_rate_limit(openai, model, stream):
    with pytest.raises(sdk.RateLimitError) as raised:
        ask(openai, model, stream, error="rate_limit", retry_after=7)
    assert raised.value.type == "rate_limit_error"
    assert raised.value.code == "rate_limit_exceeded"
    assert raised.value.response.headers["retry-after"] == "7"


@every_model
@pytest.mark.parametrize(
    ("error", "status"), [("server_error", 502), ("overloaded", 503), ("auth", 502)]
)
def test_provider_trouble(openai, model, error, status):
    with pytest.raises(sdk.InternalServerError) as raised:
        ask(openai, model, error=error)
    assert raised.value.status_code == status
    assert raised.value.type == "server_error"


@every_model
def test_context_length(openai, model):
    with pytest.raises(sdk.BadRequestError) as raised:
        ask(openai, model, error="context_length")
    assert raised.value.code == "context_length_exceeded"


@every_model
@pytest.mark.parametrize("fault", ["reset_before_header", "close_before_header", "garbage"])
def test_connection_broken_before_the_answer(openai, model, fault):
    with pytest.raises(sdk.InternalServerError) as raised:
        ask(openai, model, fault=fault)
    assert raised.value.status_code == 502


def test_sdk_retries_what_it_should(openai_client, stack, provider):
    started = time.monotonic()
    with pytest.raises(sdk.RateLimitError):
        ask(openai_client(max_retries=1), error="rate_limit", retry_after=1)
    assert time.monotonic() - started >= 1
    assert len(provider.entries()) == 2


@every_model
@pytest.mark.parametrize("stream", [False, True])
def test_client_times_out(openai_client, provider, model, stream):
    client = openai_client(timeout=0.4)
    started = time.monotonic()
    with pytest.raises(sdk.APITimeoutError):
        ask(client, model, stream, delay_ms=8000)
    assert time.monotonic() - started < 3
    entry = provider.only(within_s=CANCEL_WITHIN_S)
    assert entry["client_closed"]


@pytest.mark.parametrize("name", ["hasty-openai", "hasty-anthropic", "hasty-google"])
@pytest.mark.parametrize("stream", [False, True])
def test_gateway_times_out(openai, provider, name, stream):
    started = time.monotonic()
    with pytest.raises(sdk.InternalServerError) as raised:
        ask(openai, f"{name}/some-model", stream, delay_ms=8000)
    assert raised.value.status_code == 504
    assert time.monotonic() - started < 3
    assert provider.only(within_s=CANCEL_WITHIN_S)["client_closed"]


BREAKS = [(model, fault) for model in MODELS for fault in ("error", "reset", "close", "bad_json")]
# Events of the caller's own format pass as they are; see below.
BREAKS.remove((OPENAI_MODEL, "bad_json"))


@pytest.mark.parametrize(("model", "fault"), BREAKS)
def test_stream_breaks(openai, model, fault):
    stream, text = ask(openai, model, True, events=10, fault={f"{fault}_after": 3}), ""
    with pytest.raises(sdk.APIError) as raised:
        for chunk in stream:
            text += (chunk.choices and chunk.choices[0].delta.content) or ""
    assert not isinstance(raised.value, sdk.APIConnectionError), "the break must be in-band"
    assert text == "one two three "


@pytest.mark.parametrize("name", ["hasty-openai", "hasty-anthropic", "hasty-google"])
def test_stream_stalls(openai, provider, name):
    model = f"{name}/some-model"
    stream, text = ask(openai, model, True, events=10, fault={"stall_after": 2}), ""
    started = time.monotonic()
    with pytest.raises(sdk.APIError):
        for chunk in stream:
            text += (chunk.choices and chunk.choices[0].delta.content) or ""
    assert time.monotonic() - started < 3
    assert text == "one two "
    assert provider.only(within_s=CANCEL_WITHIN_S)["client_closed"]


def test_malformed_event_of_the_own_format(openai):
    stream = ask(openai, OPENAI_MODEL, True, events=10, fault={"bad_json_after": 3})
    with pytest.raises((sdk.APIError, ValueError)):
        list(stream)
