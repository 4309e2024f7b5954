"""Google's SDK when things go wrong: its own typed exceptions, time-outs, broken streams."""

import time

import pytest
from conftest import CANCEL_WITHIN_S, GEMINI, say
from google.genai import errors


def ask(client, model=GEMINI, stream=False, **reply):
    """The text of an answer."""
    contents = say("Hello.", **reply)
    if not stream:
        return client.models.generate_content(model=model, contents=contents).text
    chunks = client.models.generate_content_stream(model=model, contents=contents)
    return "".join(chunk.text or "" for chunk in chunks)


def test_bad_key(genai_client, provider):
    with pytest.raises(errors.ClientError) as raised:
        ask(genai_client(key="lr_live_" + "0" * 48))
    assert (raised.value.code, raised.value.status) == (401, "UNAUTHENTICATED")
    assert raised.value.message
    assert provider.entries() == []


def test_malformed_request(genai, provider):
    with pytest.raises(errors.ClientError) as raised:
        genai.models.generate_content(model=GEMINI, contents="x", config={"http_options": {
            "extra_body": {"nonsense": 1}}})
    assert (raised.value.code, raised.value.status) == (400, "INVALID_ARGUMENT")
    assert "nonsense" in raised.value.message, "the provider says what is wrong"


def test_unknown_model(genai, provider):
    with pytest.raises(errors.ClientError) as raised:
        ask(genai, model="nobody/nothing")
    assert (raised.value.code, raised.value.status) == (404, "NOT_FOUND")
    assert provider.entries() == []


def test_forbidden_provider(genai_client, stack, provider):
    for path in ("", "/google"):
        with pytest.raises(errors.ClientError) as raised:
            ask(genai_client(key=stack.keys["openai_only"], path=path))
        assert raised.value.code == 403
        assert "not allowed" in raised.value.message
    assert provider.entries() == []


def test_too_large(genai, provider):
    with pytest.raises(errors.ClientError) as raised:
        genai.models.generate_content(model=GEMINI, contents="x" * 3_000_000)
    assert raised.value.code == 413
    assert provider.entries() == []


@pytest.mark.parametrize("stream", [False, True])
def test_rate_limit(genai, stream):
    with pytest.raises(errors.ClientError) as raised:
        ask(genai, stream=stream, error="rate_limit", retry_after=7)
    assert (raised.value.code, raised.value.status) == (429, "RESOURCE_EXHAUSTED")
    assert raised.value.response.headers["retry-after"] == "7"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        ("server_error", 502, "INTERNAL"),
        ("overloaded", 503, "UNAVAILABLE"),
        ("auth", 502, "INTERNAL"),
    ],
)
def test_provider_trouble(genai, stream, error, code, status):
    with pytest.raises(errors.ServerError) as raised:
        ask(genai, stream=stream, error=error)
    assert (raised.value.code, raised.value.status) == (code, status)


@pytest.mark.parametrize("path", ["", "/google"])
@pytest.mark.parametrize("stream", [False, True])
def test_client_times_out(genai_client, provider, path, stream):
    client = genai_client(path=path, timeout_ms=400)
    started = time.monotonic()
    # The SDK has no exception of its own for this; it raises its HTTP library's.
    with pytest.raises(Exception, match="(?i)time") as raised:
        ask(client, stream=stream, delay_ms=8000)
    assert "Timeout" in type(raised.value).__name__
    assert time.monotonic() - started < 3
    assert provider.only(within_s=CANCEL_WITHIN_S)["client_closed"]


@pytest.mark.parametrize("stream", [False, True])
def test_gateway_times_out(genai, provider, stream):
    started = time.monotonic()
    with pytest.raises(errors.ServerError) as raised:
        ask(genai, "hasty-google/some-model", stream, delay_ms=8000)
    assert (raised.value.code, raised.value.status) == (504, "DEADLINE_EXCEEDED")
    assert time.monotonic() - started < 3
    assert provider.only(within_s=CANCEL_WITHIN_S)["client_closed"]


def read_until_error(stream):
    text = ""
    with pytest.raises(errors.APIError) as raised:
        for chunk in stream:
            text += chunk.text or ""
    return text, raised.value


@pytest.mark.parametrize("fault", ["error_after", "reset_after", "close_after"])
def test_stream_breaks(genai, fault):
    contents = say("Hello.", events=10, fault={fault: 3})
    text, error = read_until_error(
        genai.models.generate_content_stream(model=GEMINI, contents=contents)
    )
    assert text == "one two three "
    assert error.code in (500, 502, 503)


def test_stream_stalls(genai, provider):
    contents = say("Hello.", events=10, fault={"stall_after": 2})
    started = time.monotonic()
    text, error = read_until_error(
        genai.models.generate_content_stream(model="hasty-google/some-model", contents=contents)
    )
    assert time.monotonic() - started < 3
    assert (text, error.code) == ("one two ", 504)
    assert provider.only(within_s=CANCEL_WITHIN_S)["client_closed"]


def test_malformed_event(genai):
    with pytest.raises((errors.APIError, ValueError)):
        ask(genai, stream=True, events=10, fault={"bad_json_after": 3})
