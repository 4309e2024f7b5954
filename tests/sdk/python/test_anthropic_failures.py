"""Anthropic's SDK when things go wrong: its own typed exceptions, time-outs, broken streams."""

import time

import anthropic as sdk
import pytest
from conftest import CANCEL_WITHIN_S, CLAUDE, say


def ask(client, model=CLAUDE, stream=False, **reply):
    message = {"role": "user", "content": say("Hello.", **reply)}
    return client.messages.create(model=model, max_tokens=100, messages=[message], stream=stream)


def described(error):
    """Type of the error as Anthropic's envelope names it."""
    assert error.body["type"] == "error"
    assert error.body["error"]["message"]
    return error.body["error"]["type"]


def test_bad_key(anthropic_client, provider):
    with pytest.raises(sdk.AuthenticationError) as raised:
        ask(anthropic_client(key="lr_live_" + "0" * 48))
    assert described(raised.value) == "authentication_error"
    assert raised.value.request_id
    assert provider.entries() == []


def test_malformed_request(anthropic, provider):
    with pytest.raises(sdk.BadRequestError) as raised:
        anthropic.messages.create(model=CLAUDE, max_tokens=10, messages="not a list")
    assert described(raised.value) == "invalid_request_error"
    assert provider.entries() == []


def test_the_providers_refusal_is_shown(anthropic):
    with pytest.raises(sdk.BadRequestError) as raised:
        odd = {"role": "bystander", "content": "Hello."}
        anthropic.messages.create(model=CLAUDE, max_tokens=10, messages=[odd])
    assert "role" in str(raised.value)
    assert described(raised.value) == "invalid_request_error"


def test_an_empty_conversation_is_refused_here(anthropic, provider):
    with pytest.raises(sdk.BadRequestError) as raised:
        anthropic.messages.create(model=CLAUDE, max_tokens=10, messages=[])
    assert "messages must not be empty" in str(raised.value)
    assert described(raised.value) == "invalid_request_error"
    assert provider.entries() == []


def test_unknown_model(anthropic, provider):
    with pytest.raises(sdk.NotFoundError) as raised:
        ask(anthropic, model="nobody/nothing")
    assert described(raised.value) == "not_found_error"
    assert provider.entries() == []


def test_forbidden_provider(anthropic_client, stack, provider):
    for path in ("", "/anthropic"):
        with pytest.raises(sdk.PermissionDeniedError) as raised:
            ask(anthropic_client(key=stack.keys["openai_only"], path=path))
        assert "not allowed" in str(raised.value)
    assert provider.entries() == []


def test_too_large(anthropic, provider):
    with pytest.raises(sdk.APIStatusError) as raised:
        message = {"role": "user", "content": "x" * 3_000_000}
        anthropic.messages.create(model=CLAUDE, max_tokens=10, messages=[message])
    assert raised.value.status_code == 413
    assert described(raised.value) == "request_too_large"
    assert provider.entries() == []


@pytest.mark.parametrize("stream", [False, True])
def test_rate_limit(anthropic, stream):
    with pytest.raises(sdk.RateLimitError) as raised:
        ask(anthropic, stream=stream, error="rate_limit", retry_after=7)
    assert described(raised.value) == "rate_limit_error"
    assert raised.value.response.headers["retry-after"] == "7"


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        ("server_error", 502, "api_error"),
        ("overloaded", 529, "overloaded_error"),
        ("auth", 502, "api_error"),
    ],
)
def test_provider_trouble(anthropic, error, status, kind):
    with pytest.raises(sdk.InternalServerError) as raised:
        ask(anthropic, error=error)
    assert raised.value.status_code == status
    assert described(raised.value) == kind


@pytest.mark.parametrize("path", ["", "/anthropic"])
@pytest.mark.parametrize("stream", [False, True])
def test_client_times_out(anthropic_client, provider, path, stream):
    client = anthropic_client(path=path, timeout=0.4)
    started = time.monotonic()
    with pytest.raises(sdk.APITimeoutError):
        ask(client, stream=stream, delay_ms=8000)
    assert time.monotonic() - started < 3
    assert provider.only(within_s=CANCEL_WITHIN_S)["client_closed"]


@pytest.mark.parametrize("stream", [False, True])
def test_gateway_times_out(anthropic, provider, stream):
    started = time.monotonic()
    with pytest.raises(sdk.InternalServerError) as raised:
        ask(anthropic, model="hasty-anthropic/some-model", stream=stream, delay_ms=8000)
    assert raised.value.status_code == 504
    assert time.monotonic() - started < 3
    assert provider.only(within_s=CANCEL_WITHIN_S)["client_closed"]


@pytest.mark.parametrize("fault", ["error_after", "reset_after", "close_after"])
def test_stream_breaks(anthropic, fault):
    stream, text = ask(anthropic, stream=True, events=10, fault={fault: 3}), ""
    with pytest.raises(sdk.APIStatusError) as raised:
        for event in stream:
            text += event.delta.text if event.type == "content_block_delta" else ""
    assert described(raised.value) in ("api_error", "overloaded_error")
    assert text == "one two three "


def test_stream_stalls(anthropic, provider):
    model = "hasty-anthropic/some-model"
    stream, text = ask(anthropic, model, True, events=10, fault={"stall_after": 2}), ""
    started = time.monotonic()
    with pytest.raises(sdk.APIStatusError) as raised:
        for event in stream:
            text += event.delta.text if event.type == "content_block_delta" else ""
    assert time.monotonic() - started < 3
    assert described(raised.value) == "timeout_error"
    assert text == "one two "
    assert provider.only(within_s=CANCEL_WITHIN_S)["client_closed"]


def test_malformed_event(anthropic):
    stream = ask(anthropic, stream=True, events=10, fault={"bad_json_after": 3})
    with pytest.raises((sdk.APIStatusError, ValueError)):
        list(stream)
