"""OpenAI's SDK beside chat: embeddings, models, aliases, the raw proxy, the async client."""

import asyncio
import math

import openai as sdk
import pytest
from conftest import ANTHROPIC_MODEL, GOOGLE_MODEL, OPENAI_MODEL, generation, say, usd

EMBEDDING_MODEL = "openai/text-embedding-3-small"


def user(text, /, **reply):
    return {"role": "user", "content": say(text, **reply)}


@pytest.mark.parametrize("encoding", ["float", "base64", None])
def test_embeddings(openai, provider, encoding):
    options = {} if encoding is None else {"encoding_format": encoding}
    answer = openai.embeddings.create(
        model=EMBEDDING_MODEL, input=["one", "two words", "one"], dimensions=8, **options
    )
    assert answer.model == EMBEDDING_MODEL
    assert [item.index for item in answer.data] == [0, 1, 2]
    if encoding != "base64":
        first, second, third = (item.embedding for item in answer.data)
        assert len(first) == 8 and first == third != second
        assert math.isclose(sum(x * x for x in first), 1, rel_tol=1e-3)
    entry = provider.only()
    assert entry["model"] == "text-embedding-3-small"
    assert answer.usage.prompt_tokens == entry["prompt_tokens"] > 0


def test_embeddings_of_google(openai, provider):
    answer = openai.embeddings.create(
        model="google/gemini-embedding-001", input=["one", "two"], encoding_format="float"
    )
    assert [item.index for item in answer.data] == [0, 1]
    assert all(len(item.embedding) == 16 for item in answer.data)
    assert provider.only()["format"] == "google"


def test_embeddings_are_billed(openai, stack, provider):
    raw = openai.embeddings.with_raw_response.create(model=EMBEDDING_MODEL, input="x" * 400)
    tokens = provider.only()["prompt_tokens"]
    record = generation(stack, raw.headers["x-generation-id"])
    assert record["usage"]["cost"] == usd(tokens, "0.02") > 0


def test_embeddings_of_a_provider_without(openai):
    with pytest.raises(sdk.BadRequestError):
        openai.embeddings.create(model=ANTHROPIC_MODEL, input="x", encoding_format="float")


def test_models(openai):
    listed = {model.id: model for model in openai.models.list()}
    configured = {OPENAI_MODEL, ANTHROPIC_MODEL, GOOGLE_MODEL, "fast", "smart"}
    assert configured <= set(listed) and EMBEDDING_MODEL not in listed
    vectors = openai.models.list(extra_query={"output_modalities": "embeddings"})
    assert EMBEDDING_MODEL in {model.id for model in vectors}
    assert {model.object for model in listed.values()} == {"model"}
    assert listed[OPENAI_MODEL].owned_by == "openai"


def test_models_a_key_may_use(openai_client, stack):
    listed = {model.id for model in openai_client(key=stack.keys["openai_only"]).models.list()}
    assert OPENAI_MODEL in listed
    assert not {ANTHROPIC_MODEL, GOOGLE_MODEL} & listed


def test_model_by_name(openai):
    assert openai.models.retrieve(OPENAI_MODEL).id == OPENAI_MODEL
    assert openai.models.retrieve("fast").id == "fast"
    with pytest.raises(sdk.NotFoundError):
        openai.models.retrieve("openai/no-such-model")


def test_names_of_one_model(openai, provider):
    asked = {
        "gpt-5.4": ("gpt-5.4", "gpt-5.4"),
        "oai/gpt-5.4": (OPENAI_MODEL, "gpt-5.4"),
        "fast": (OPENAI_MODEL, "gpt-5.4"),
        "smart": (ANTHROPIC_MODEL, "claude-haiku-4-5"),
        "openai/meta/llama-4": ("openai/meta/llama-4", "meta/llama-4"),
    }
    for name, (shown, upstream) in asked.items():
        answer = openai.chat.completions.create(model=name, messages=[user("Hi.")])
        assert (answer.model, provider.entries()[-1]["model"]) == (shown, upstream), name


def test_default_model(openai, provider):
    answer = openai.chat.completions.create(model=sdk.omit, messages=[user("Hi.")])
    assert answer.model == OPENAI_MODEL


def test_fallback_to_the_next_candidate(openai, provider):
    # mock.toml: models named flaky-… are always overloaded.
    for stream in (False, True):
        answer = openai.chat.completions.create(
            model="openai/flaky-1", messages=[user("Hi.")], stream=stream,
            extra_body={"models": ["anthropic/flaky-2", GOOGLE_MODEL]},
        )
        model = next(iter(answer)).model if stream else answer.model
        assert model == GOOGLE_MODEL
    tried = [(entry["format"], entry["status"]) for entry in provider.entries()]
    assert tried == [("openai", 503), ("anthropic", 529), ("google", 200)] * 2


def test_under_the_openrouter_prefix(openai_client):
    client = openai_client(path="/api/v1")
    answer = client.chat.completions.create(
        model=ANTHROPIC_MODEL, messages=[user("Hi.", text="Yes.")]
    )
    assert answer.choices[0].message.content == "Yes."
    with pytest.raises(sdk.BadRequestError) as raised:
        client.chat.completions.create(model="nobody/nothing", messages=[user("Hi.")])
    assert raised.value.body["code"] == 400
    assert raised.value.body["metadata"]["error_type"] == "invalid_request"


@pytest.mark.parametrize("path", ["/openai/v1", "/openai"])
def test_raw_proxy(openai_client, stack, provider, path):
    client = openai_client(path=path)
    raw = client.chat.completions.with_raw_response.create(
        model="gpt-5.4", messages=[user("Hi.", text="Raw.")]
    )
    answer, entry = raw.parse(), provider.only()
    assert answer.choices[0].message.content == "Raw."
    assert answer.id == entry["id"], "the provider's bytes pass as they are"
    assert entry["key_suffix"] == "0oai"
    assert stack.keys["full"] not in str(provider.last())
    assert raw.headers["x-generation-id"].startswith("gen-")
    stream = client.chat.completions.create(
        model="gpt-5.4", messages=[user("Hi.", text="a b c")], stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "a b c"
    assert chunks[-1].usage.completion_tokens == 3


def test_raw_proxy_errors_are_the_providers(openai_client):
    with pytest.raises(sdk.RateLimitError) as raised:
        openai_client(path="/openai/v1").chat.completions.create(
            model="gpt-5.4", messages=[user("Hi.", error="rate_limit", retry_after=3)]
        )
    assert raised.value.type == "requests", "OpenAI's own word, not ours"
    assert raised.value.response.headers["retry-after"] == "3"


def test_raw_proxy_needs_a_key(openai_client, stack, provider):
    with pytest.raises(sdk.AuthenticationError):
        openai_client(key="lr_live_wrong", path="/openai/v1").models.list()
    with pytest.raises(sdk.PermissionDeniedError):
        openai_client(key=stack.keys["google_only"], path="/openai/v1").models.list()
    assert provider.entries() == []


def test_async_client_in_parallel(stack, provider):
    async def run():
        options = {"base_url": stack.url + "/v1", "api_key": stack.keys["full"], "max_retries": 0}
        async with sdk.AsyncOpenAI(**options) as client:
            asked = [
                client.chat.completions.create(
                    model=model, messages=[user("Hi.", text=f"answer {n}", delay_ms=50)]
                )
                for n, model in enumerate([OPENAI_MODEL, ANTHROPIC_MODEL, GOOGLE_MODEL] * 10)
            ]
            return await asyncio.gather(*asked)

    answers = asyncio.run(run())
    texts = [answer.choices[0].message.content for answer in answers]
    assert texts == [f"answer {n}" for n in range(30)]
    assert len({answer.id for answer in answers}) == 30
    assert len(provider.entries()) == 30
