"""OpenRouter's SDK against the gateway: every failure as the exception it has for it."""

import pytest
from conftest import ANTHROPIC_MODEL, GOOGLE_MODEL, OPENAI_MODEL, say

MODELS = [OPENAI_MODEL, "responses/gpt-5.4", ANTHROPIC_MODEL, GOOGLE_MODEL]
# What the provider says, the exception, its status and OpenRouter's name of it.
FAILURES = {
    "invalid_request": ("BadRequestResponseError", 400, "invalid_request"),
    "context_length": ("BadRequestResponseError", 400, "context_length_exceeded"),
    "rate_limit": ("TooManyRequestsResponseError", 429, "rate_limit_exceeded"),
    "server_error": ("BadGatewayResponseError", 502, "provider_unavailable"),
    "auth": ("BadGatewayResponseError", 502, "provider_unavailable"),
    "overloaded": ("ServiceUnavailableResponseError", 503, "provider_overloaded"),
}


def user(text, /, **reply):
    return [{"role": "user", "content": say(text, **reply)}]


def raised(name, ask):
    """The error that `ask` ends with: the class, the status and what the body says agree."""
    from openrouter import errors

    with pytest.raises(getattr(errors, name)) as caught:
        ask()
    error = caught.value
    assert error.data.error.code == error.status_code
    assert error.data.error.message and str(error) == error.data.error.message
    assert "sk-upstream" not in error.body and "upstream-gemini" not in error.body
    return error


def canonical(error):
    return error.data.error.metadata["error_type"]


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("model", MODELS)
def test_failures_of_providers(router, stack, model, failure):
    name, status, kind = FAILURES[failure]
    client, prompt = router(), say("Fail.", error=failure)
    messages = [{"role": "user", "content": prompt}]
    for ask in (
        lambda: client.chat.send(model=model, messages=messages),
        lambda: client.chat.send(model=model, messages=messages, stream=True),
        lambda: client.responses.send(model=model, input=prompt),
        lambda: client.beta.responses.send(model=model, input=prompt, stream=True),
    ):
        error = raised(name, ask)
        assert (error.status_code, canonical(error)) == (status, kind)
        stack.forget_trouble()


@pytest.mark.parametrize("model", MODELS)
def test_a_rate_limit_says_when_to_come_back(router, model):
    messages = user("Fail.", error="rate_limit", retry_after=7)
    ask = lambda: router().chat.send(model=model, messages=messages)  # noqa: E731
    error = raised("TooManyRequestsResponseError", ask)
    assert 1 <= int(error.headers["retry-after"]) <= 7


@pytest.mark.parametrize("model", MODELS)
def test_a_stream_that_breaks_tells_it_in_a_chunk(router, model):
    messages = user("Fail.", text="one two three", error="server_error", fault={"error_after": 2})
    with router().chat.send(model=model, messages=messages, stream=True) as events:
        chunks = list(events)
    last = chunks[-1]
    assert (last.error.code, last.error.metadata.error_type) == (502, "provider_unavailable")
    assert last.choices[0].finish_reason == "error"
    assert "".join(c.delta.content or "" for k in chunks for c in k.choices) == "one two "


@pytest.mark.parametrize("model", MODELS)
def test_responses_that_break_tell_it_in_an_event(router, model):
    prompt = say("Fail.", text="one two three", error="server_error", fault={"error_after": 2})
    with router().responses.send(model=model, input=prompt, stream=True) as events:
        events = list(events)
    last = events[-1]
    # A stream that passes as it is ends with the plain event.
    if model == "responses/gpt-5.4":
        assert (last.type, last.code) == ("error", "server_error") and last.message
    else:
        assert (last.type, last.response.status) == ("response.failed", "failed")
        assert last.response.error.code == "server_error" and last.response.error.message


def test_what_the_gateway_itself_refuses(router, stack):
    messages, model = user("Hi."), OPENAI_MODEL
    stranger = router("lr_live_" + "0" * 48)
    for ask in (
        lambda: stranger.chat.send(model=model, messages=messages),
        lambda: stranger.responses.send(model=model, input="Hi."),
        lambda: stranger.embeddings.generate(model=model, input="Hi."),
        lambda: stranger.credits.get_credits(),
        lambda: stranger.api_keys.get_current_key_metadata(),
        lambda: stranger.generations.get_generation(id="gen-1"),
    ):
        assert canonical(raised("UnauthorizedResponseError", ask)) == "authentication"

    narrow = router(stack.keys["openai_only"])
    ask = lambda: narrow.chat.send(model=GOOGLE_MODEL, messages=messages)  # noqa: E731
    assert canonical(raised("ForbiddenResponseError", ask)) == "permission_denied"

    client = router()
    for ask in (
        lambda: client.chat.send(model=model, messages=[]),
        lambda: client.chat.send(model="nowhere/nothing", messages=messages),
        lambda: client.responses.send(model="nowhere/nothing", input="Hi."),
        lambda: client.embeddings.generate(model="nowhere/nothing", input="Hi."),
    ):
        raised("BadRequestResponseError", ask)

    ask = lambda: client.generations.get_generation(id="gen-1790000000-" + "0" * 24)  # noqa: E731
    assert canonical(raised("NotFoundResponseError", ask)) == "not_found"
    long = user("x" * 3_000_000)
    ask = lambda: client.chat.send(model=model, messages=long)  # noqa: E731
    assert canonical(raised("PayloadTooLargeResponseError", ask)) == "payload_too_large"


def test_a_key_that_is_spent(router, stack):
    poor = router(router(stack.keys["manager"]).api_keys.create(name="poor", limit=0.000001).key)
    for spent in (
        lambda: poor.chat.send(model=OPENAI_MODEL, messages=user("Hi.")),
        lambda: poor.chat.send(model=OPENAI_MODEL, messages=user("Hi."), stream=True),
        lambda: poor.responses.send(model=OPENAI_MODEL, input="Hi."),
    ):
        assert canonical(raised("PaymentRequiredResponseError", spent)) == "payment_required"


def test_a_provider_that_misses_its_time(router):
    """The SDK has no class for this status of a chat; it is an error all the same."""
    from openrouter import errors

    for prefix in ("hasty-openai/gpt-5.4", "hasty-anthropic/claude-haiku-4-5"):
        with pytest.raises(errors.OpenRouterError) as late:
            router().chat.send(model=prefix, messages=user("Wait.", delay_ms=3000))
        assert late.value.status_code == 504


def test_metadata_of_what_failed(router):
    ask = lambda: router().chat.send(  # noqa: E731
        model=OPENAI_MODEL, messages=user("Fail.", error="server_error"),
        x_open_router_metadata="enabled",
    )
    metadata = raised("BadGatewayResponseError", ask).data.openrouter_metadata
    assert [attempt["status"] for attempt in metadata["attempts"]] == [502] * metadata["attempt"]
