"""Google's SDK on /v1beta/models, and on the raw proxy."""

import base64

import pytest
from conftest import CANCEL_WITHIN_S, GEMINI, GOOGLE_MODEL, generation, png, say, usd
from google.genai import types

TOKENS = {"prompt": 120, "completion": 45, "cached": 20, "reasoning": 10}

# The vendor's own name, and the gateway's name; the raw proxy knows the first only.
names = pytest.mark.parametrize(
    ("path", "model"), [("", GEMINI), ("", GOOGLE_MODEL), ("/google", GEMINI)]
)


@names
def test_plain(genai_client, provider, path, model):
    answer = genai_client(path=path).models.generate_content(
        model=model, contents=say("Hi.", text="Hello.", tokens=TOKENS)
    )
    assert answer.text == "Hello."
    assert answer.candidates[0].finish_reason == types.FinishReason.STOP
    assert answer.model_version == (GEMINI if model == GEMINI else GOOGLE_MODEL)
    entry = provider.only()
    assert answer.response_id == entry["id"], "the provider's id stays"
    assert (entry["model"], entry["format"], entry["key_suffix"]) == (GEMINI, "google", "0gem")
    usage = answer.usage_metadata
    assert (usage.prompt_token_count, usage.cached_content_token_count) == (120, 20)
    assert (usage.candidates_token_count, usage.thoughts_token_count) == (35, 10)


@names
def test_streamed(genai_client, provider, path, model):
    stream = genai_client(path=path).models.generate_content_stream(
        model=model, contents=say("Count.", text="one two three")
    )
    chunks = list(stream)
    assert [chunk.text for chunk in chunks if chunk.text] == ["one ", "two ", "three"]
    assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP
    assert chunks[-1].usage_metadata.candidates_token_count == 3
    assert provider.only()["stream"]


def test_automatic_function_calls(genai, provider):
    asked = []

    def weather(city: str) -> str:
        """The weather now."""
        asked.append(city)
        return f"{city}: 18 degrees"

    calls = [
        {"name": "weather", "arguments": {"city": "Paris"}},
        {"name": "weather", "arguments": {"city": "Rome"}},
    ]
    answer = genai.models.generate_content(
        model=GEMINI, contents=say("Compare.", tools=calls, text="Both the same."),
        config=types.GenerateContentConfig(tools=[weather]),
    )
    assert asked == ["Paris", "Rome"]
    assert answer.text == "Both the same."
    assert len(provider.entries()) == 2
    assert "Rome: 18 degrees" in str(provider.last_body())


def test_declared_functions_streamed(genai):
    declaration = types.FunctionDeclaration(
        name="weather", parameters={"type": "OBJECT", "properties": {"city": {"type": "STRING"}}}
    )
    config = types.GenerateContentConfig(tools=[types.Tool(function_declarations=[declaration])])
    stream = genai.models.generate_content_stream(
        model=GOOGLE_MODEL, contents="Weather? [[mock tools]]", config=config
    )
    calls = [call for chunk in stream for call in chunk.function_calls or []]
    assert [(call.name, call.args) for call in calls] == [("weather", {"city": "example"})]


def test_image_system_and_thoughts(genai, provider):
    text = say("What?", text="A dot.", reasoning="It is red.", signature="c2ln")
    answer = genai.models.generate_content(
        model=GEMINI,
        contents=[types.Part.from_bytes(data=png(), mime_type="image/png"), text],
        config=types.GenerateContentConfig(
            system_instruction="Be brief.",
            thinking_config=types.ThinkingConfig(include_thoughts=True, thinking_budget=512),
        ),
    )
    thought, said = answer.candidates[0].content.parts
    assert (thought.text, thought.thought) == ("It is red.", True)
    assert (said.text, said.thought_signature) == ("A dot.", b"sig")
    body = provider.last_body()
    # The SDK mixes both spellings of Google's fields and writes URL-safe base64; all of it passes.
    picture = body["contents"][0]["parts"][0]["inlineData"]
    assert picture["mime_type"] == "image/png"
    assert base64.urlsafe_b64decode(picture["data"]) == png()
    assert "Be brief." in str(body["systemInstruction"])
    assert body["generationConfig"]["thinkingConfig"]["thinking_budget"] == 512


def test_chat_keeps_its_history(genai, provider):
    chat = genai.chats.create(model=GEMINI)
    assert chat.send_message(say("One.", text="First.")).text == "First."
    assert "".join(c.text for c in chat.send_message_stream(say("Two.", text="a b"))) == "a b"
    roles = [content["role"] for content in provider.last_body()["contents"]]
    assert roles == ["user", "model", "user"]


@names
def test_count_tokens(genai_client, provider, path, model):
    counted = genai_client(path=path).models.count_tokens(model=model, contents="x" * 400)
    assert counted.total_tokens == 100
    assert provider.only()["model"] == GEMINI


def test_models(genai):
    listed = {model.name: model for model in genai.models.list()}
    assert f"models/{GEMINI}" in listed
    assert listed[f"models/{GEMINI}"].input_token_limit == 1_048_576
    assert genai.models.get(model=GEMINI).output_token_limit == 65_536


def test_embeddings_through_the_raw_proxy(genai_client, provider):
    answer = genai_client(path="/google").models.embed_content(
        model="gemini-embedding-001", contents=["one", "two"]
    )
    assert [len(embedding.values) for embedding in answer.embeddings] == [16, 16]
    assert provider.only()["key_suffix"] == "0gem"


@pytest.mark.parametrize("stream", [False, True])
def test_ids_and_exact_cost(genai, stack, provider, stream):
    call = genai.models.generate_content_stream if stream else genai.models.generate_content
    answer = call(model=GEMINI, contents=say("Bill.", tokens=TOKENS))
    answer = list(answer)[-1] if stream else answer
    provider.only()
    headers = {name.lower(): text for name, text in answer.sdk_http_response.headers.items()}
    record = generation(stack, headers["x-generation-id"])
    assert record["model"] == GOOGLE_MODEL
    assert record["usage"]["completion_tokens"] == 45
    exact = usd(100, "0.3") + usd(20, "0.03") + usd(45, "2.5")
    assert record["usage"]["cost"] == exact


def test_async_client(genai):
    import asyncio

    async def run():
        stream = await genai.aio.models.generate_content_stream(
            model=GEMINI, contents=say("Hi.", text="a b c")
        )
        texts = [chunk.text or "" async for chunk in stream]
        await genai.aio.aclose()
        return "".join(texts)

    assert asyncio.run(run()) == "a b c"


@names
def test_cancelled_stream(genai_client, provider, path, model):
    client = genai_client(path=path)
    stream = client.models.generate_content_stream(
        model=model, contents=say("On and on.", events=200, event_delay_ms=50)
    )
    for count, _ in enumerate(stream, 1):
        if count == 3:
            break
    stream.close()
    client.close()
    entry = provider.only(within_s=CANCEL_WITHIN_S)
    assert entry["client_closed"] and not entry["finished"]
    assert 3 <= entry["events_sent"] < 40
