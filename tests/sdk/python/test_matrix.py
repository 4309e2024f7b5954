"""Every SDK against a provider of every format: text, streams, tools, reasoning, errors, usage."""

import json

import pytest
from conftest import PNG_BASE64, PNG_URL, WEATHER_SCHEMA, say

OPENAI, RESPONSES = "openai/gpt-5.4", "responses/gpt-5.4"
ANTHROPIC, GOOGLE = "anthropic/claude-haiku-4-5", "google/gemini-2.5-flash"
MODELS = [OPENAI, RESPONSES, ANTHROPIC, GOOGLE]
FORMATS = {OPENAI: "openai", RESPONSES: "responses", ANTHROPIC: "anthropic", GOOGLE: "google"}
TOKENS = {"prompt": 120, "completion": 45, "cached": 20, "reasoning": 10}
ARGUMENTS = {"city": "Zürich", "big": 9007199254740993}
CALL = {"tools": [{"name": "weather", "arguments": ARGUMENTS, "id": "call_0123456789"}]}

every_model = pytest.mark.parametrize("model", MODELS)


class Said:
    """What an answer says, whichever SDK read it."""

    def __init__(self, text="", calls=(), reasoning="", usage=None, finish=None, model=None):
        self.text, self.calls, self.reasoning = text, list(calls), reasoning
        self.usage, self.finish, self.model = usage, finish, model


class Chat:
    """OpenAI's chat completions."""

    name = "chat"
    finishes = {"stop": "stop", "tools": "tool_calls", "length": "length"}

    def __init__(self, openai, anthropic, genai):
        self.client = openai

    def tools(self):
        return [{"type": "function", "function": {"name": "weather", "parameters": WEATHER_SCHEMA}}]

    def ask(self, model, text, stream, tools=False, messages=None):
        options = {"tools": self.tools()} if tools else {}
        messages = messages or [{"role": "user", "content": text}]
        if not stream:
            answer = self.client.chat.completions.create(model=model, messages=messages, **options)
            return self.said(answer)
        with self.client.chat.completions.stream(
            model=model, messages=messages, stream_options={"include_usage": True}, **options
        ) as events:
            for _ in events:
                pass
            return self.said(events.get_final_completion())

    def said(self, answer):
        [choice] = answer.choices
        message, usage = choice.message, answer.usage
        calls = [
            (call.id, call.function.name, call.function.arguments)
            for call in message.tool_calls or []
        ]
        counts = (
            usage.prompt_tokens, usage.prompt_tokens_details.cached_tokens,
            usage.completion_tokens, usage.completion_tokens_details.reasoning_tokens,
        )
        reasoning = getattr(message, "reasoning_content", None) or ""
        said = Said(message.content or "", calls, reasoning, counts, choice.finish_reason, answer.model)
        said.turn = message.model_dump(exclude_none=True, exclude={"parsed"})
        for call in said.turn.get("tool_calls", []):
            call["function"].pop("parsed_arguments", None)
        return said

    def follow_up(self, question, said, result):
        [(call_id, _, _)] = said.calls
        return [
            {"role": "user", "content": question}, said.turn,
            {"role": "tool", "tool_call_id": call_id, "content": result},
        ]


class Responses:
    """OpenAI's Responses API."""

    name = "responses"
    finishes = {"stop": "completed", "tools": "completed", "length": "incomplete"}

    def __init__(self, openai, anthropic, genai):
        self.client = openai

    def ask(self, model, text, stream, tools=False, messages=None):
        declared = {"type": "function", "name": "weather", "parameters": WEATHER_SCHEMA, "strict": False}
        options = {"tools": [declared]} if tools else {}
        options |= {"model": model, "input": messages or text, "store": False}
        if not stream:
            return self.said(self.client.responses.create(**options))
        with self.client.responses.stream(**options) as events:
            for _ in events:
                pass
            return self.said(events.get_final_response())

    def said(self, answer):
        calls = [
            (item.call_id, item.name, item.arguments)
            for item in answer.output if item.type == "function_call"
        ]
        reasoning = "".join(
            part.text
            for item in answer.output if item.type == "reasoning"
            for part in item.summary or item.content or []
        )
        usage = answer.usage
        counts = (
            usage.input_tokens, usage.input_tokens_details.cached_tokens,
            usage.output_tokens, usage.output_tokens_details.reasoning_tokens,
        )
        said = Said(answer.output_text, calls, reasoning, counts, answer.status, answer.model)
        said.turn = [
            item.model_dump(exclude_none=True, exclude={"parsed_arguments", "status"})
            for item in answer.output
        ]
        return said

    def follow_up(self, question, said, result):
        [(call_id, _, _)] = said.calls
        output = {"type": "function_call_output", "call_id": call_id, "output": result}
        return [{"role": "user", "content": question}, *said.turn, output]


class Messages:
    """Anthropic's Messages API."""

    name = "messages"
    finishes = {"stop": "end_turn", "tools": "tool_use", "length": "max_tokens"}

    def __init__(self, openai, anthropic, genai):
        self.client = anthropic

    def ask(self, model, text, stream, tools=False, messages=None):
        options = {"tools": [{"name": "weather", "input_schema": WEATHER_SCHEMA}]} if tools else {}
        messages = messages or [{"role": "user", "content": text}]
        options |= {"model": model, "max_tokens": 500, "messages": messages}
        if not stream:
            return self.said(self.client.messages.create(**options))
        with self.client.messages.stream(**options) as events:
            for _ in events:
                pass
            return self.said(events.get_final_message())

    def said(self, answer):
        blocks = answer.content
        text = "".join(block.text for block in blocks if block.type == "text")
        calls = [(b.id, b.name, json.dumps(b.input)) for b in blocks if b.type == "tool_use"]
        reasoning = "".join(block.thinking for block in blocks if block.type == "thinking")
        usage = answer.usage
        written = usage.cache_creation_input_tokens or 0
        cached = usage.cache_read_input_tokens or 0
        details = usage.output_tokens_details
        thought = details.thinking_tokens if details else 0
        counts = (usage.input_tokens + cached + written, cached, usage.output_tokens, thought)
        said = Said(text, calls, reasoning, counts, answer.stop_reason, answer.model)
        said.turn = {
            "role": "assistant",
            "content": [block.model_dump(exclude_none=True, exclude={"parsed_output"}) for block in blocks],
        }
        return said

    def follow_up(self, question, said, result):
        [(call_id, _, _)] = said.calls
        block = {"type": "tool_result", "tool_use_id": call_id, "content": result}
        return [
            {"role": "user", "content": question}, said.turn, {"role": "user", "content": [block]},
        ]


class Gemini:
    """Google's generateContent."""

    name = "gemini"
    finishes = {"stop": "STOP", "tools": "STOP", "length": "MAX_TOKENS"}

    def __init__(self, openai, anthropic, genai):
        self.client = genai

    def ask(self, model, text, stream, tools=False, messages=None):
        from google.genai import types

        declared = types.FunctionDeclaration(name="weather", parameters_json_schema=WEATHER_SCHEMA)
        config = types.GenerateContentConfig(
            tools=[types.Tool(function_declarations=[declared])] if tools else None,
            automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
            thinking_config=types.ThinkingConfig(include_thoughts=True),
        )
        call = {"model": model, "contents": messages or text, "config": config}
        if not stream:
            answer = self.client.models.generate_content(**call)
            return self.said([answer])
        return self.said(list(self.client.models.generate_content_stream(**call)))

    def said(self, answers):
        parts = [
            part
            for answer in answers
            for part in (answer.candidates[0].content and answer.candidates[0].content.parts) or []
        ]
        text = "".join(part.text for part in parts if part.text and not part.thought)
        reasoning = "".join(part.text for part in parts if part.text and part.thought)
        calls = [
            (part.function_call.id, part.function_call.name, json.dumps(part.function_call.args))
            for part in parts if part.function_call
        ]
        last = answers[-1]
        usage = last.usage_metadata
        thought = usage.thoughts_token_count or 0
        counts = (
            usage.prompt_token_count, usage.cached_content_token_count or 0,
            usage.candidates_token_count + thought, thought,
        )
        finish = last.candidates[0].finish_reason.value
        said = Said(text, calls, reasoning, counts, finish, last.model_version)
        said.parts = parts
        return said

    def follow_up(self, question, said, result):
        from google.genai import types

        [(call_id, name, _)] = said.calls
        answered = types.FunctionResponse(id=call_id, name=name, response={"result": result})
        return [
            types.Content(role="user", parts=[types.Part(text=question)]),
            types.Content(role="model", parts=said.parts),
            types.Content(role="user", parts=[types.Part(function_response=answered)]),
        ]


@pytest.fixture(params=[Chat, Responses, Messages, Gemini], ids=lambda kind: kind.name)
def client(request, openai, anthropic, genai):
    return request.param(openai, anthropic, genai)


streamed = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


def counted(said, entry):
    assert said.usage == (
        entry["prompt_tokens"], entry["cached_tokens"],
        entry["completion_tokens"], entry["reasoning_tokens"],
    )


@streamed
@every_model
def test_text_and_usage(client, provider, model, stream):
    said = client.ask(model, say("Capital?", text="Paris. \u00e9\U0001f600", tokens=TOKENS), stream)
    assert said.text == "Paris. \u00e9\U0001f600"
    assert (said.calls, said.finish) == ([], client.finishes["stop"])
    assert said.model == model
    entry = provider.only()
    assert (entry["format"], entry["model"]) == (FORMATS[model], model.split("/")[1])
    counted(said, entry)


@streamed
@every_model
def test_tool_loop(client, provider, model, stream):
    question = say("Weather?", **CALL)
    said = client.ask(model, question, stream, tools=True)
    [(call_id, name, arguments)] = said.calls
    assert (name, json.loads(arguments)) == ("weather", ARGUMENTS)
    assert call_id and said.finish == client.finishes["tools"]
    answered = client.ask(
        model, None, stream, tools=True, messages=client.follow_up(question, said, "sunny, 21 C")
    )
    assert answered.text and not answered.calls
    # The provider got its own call back, with the same id and arguments, and the result after it.
    sent = json.dumps(provider.last_body(), ensure_ascii=False)
    assert "sunny, 21 C" in sent and "9007199254740993" in sent
    assert "Zürich" in sent or r"Z\\u00fcrich" in sent  # the SDK's own spelling inside a string


@streamed
@every_model
def test_reasoning(client, provider, model, stream):
    said = client.ask(model, say("Hm?", reasoning="let me think", text="42", tokens=TOKENS), stream)
    assert (said.reasoning, said.text) == ("let me think", "42")
    counted(said, provider.only())


@streamed
@every_model
def test_cut_off_at_the_limit(client, model, stream):
    word = {OPENAI: "length", RESPONSES: "length", ANTHROPIC: "max_tokens", GOOGLE: "MAX_TOKENS"}
    if stream and client.name in ("chat", "responses"):
        pytest.skip("the SDK's helper raises at such an end")
    said = client.ask(model, say("Long.", text="one two", finish=word[model]), stream)
    assert (said.text, said.finish) == ("one two", client.finishes["length"])


@every_model
def test_errors_keep_their_kind(openai, anthropic, genai, model):
    import anthropic as anthropic_sdk
    import openai as openai_sdk
    from google.genai import errors

    text = say("No.", error="rate_limit", retry_after=1)
    with pytest.raises(openai_sdk.RateLimitError):
        openai.responses.create(model=model, input=text)
    with pytest.raises(openai_sdk.RateLimitError):
        openai.chat.completions.create(model=model, messages=[{"role": "user", "content": text}])
    with pytest.raises(anthropic_sdk.RateLimitError):
        anthropic.messages.create(
            model=model, max_tokens=9, messages=[{"role": "user", "content": text}]
        )
    with pytest.raises(errors.ClientError) as caught:
        genai.models.generate_content(model=model, contents=text)
    assert (caught.value.code, caught.value.status) == (429, "RESOURCE_EXHAUSTED")


@every_model
def test_pictures(openai, anthropic, genai, provider, model):
    from google.genai import types

    question = say("What is it?", text="A dot.")
    content = [
        {"type": "text", "text": question}, {"type": "image_url", "image_url": {"url": PNG_URL}},
    ]
    openai.chat.completions.create(model=model, messages=[{"role": "user", "content": content}])
    assert PNG_BASE64 in provider.last()["body"]
    content = [
        {"type": "input_text", "text": question},
        {"type": "input_image", "image_url": PNG_URL, "detail": "auto"},
    ]
    openai.responses.create(model=model, input=[{"role": "user", "content": content}])
    assert PNG_BASE64 in provider.last()["body"]
    source = {"type": "base64", "media_type": "image/png", "data": PNG_BASE64}
    content = [{"type": "image", "source": source}, {"type": "text", "text": question}]
    anthropic.messages.create(
        model=model, max_tokens=9, messages=[{"role": "user", "content": content}]
    )
    assert PNG_BASE64 in provider.last()["body"]
    blob = types.Blob(mime_type="image/png", data=__import__("base64").b64decode(PNG_BASE64))
    parts = [types.Part(inline_data=blob), types.Part(text=question)]
    genai.models.generate_content(model=model, contents=types.Content(role="user", parts=parts))
    assert PNG_BASE64 in provider.last()["body"].replace("-", "+").replace("_", "/")


@streamed
@every_model
def test_legacy_completions(openai, provider, model, stream):
    prompt = say("Say it.", text="one two", tokens=TOKENS)
    if not stream:
        answer = openai.completions.create(model=model, prompt=prompt)
        text, usage, finish = answer.choices[0].text, answer.usage, answer.choices[0].finish_reason
    else:
        options = {"include_usage": True}
        chunks = list(
            openai.completions.create(model=model, prompt=prompt, stream=True, stream_options=options)
        )
        text = "".join(chunk.choices[0].text for chunk in chunks if chunk.choices)
        [finish] = [c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason]
        usage = chunks[-1].usage
    assert (text, finish) == ("one two", "stop")
    entry = provider.only()
    assert (usage.prompt_tokens, usage.completion_tokens) == (
        entry["prompt_tokens"], entry["completion_tokens"],
    )


@every_model
def test_structured_output(openai, anthropic, provider, model):
    schema = {
        "type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"],
        "additionalProperties": False,
    }
    text = say("Number.", text='{"n": 4}')
    answer = openai.chat.completions.create(
        model=model, messages=[{"role": "user", "content": text}],
        response_format={"type": "json_schema", "json_schema": {"name": "num", "schema": schema}},
    )
    assert json.loads(answer.choices[0].message.content) == {"n": 4}
    assert '"integer"' in provider.last()["body"]
    answer = openai.responses.create(
        model=model, input=text,
        text={"format": {"type": "json_schema", "name": "num", "schema": schema, "strict": True}},
    )
    assert json.loads(answer.output_text) == {"n": 4}
    assert '"integer"' in provider.last()["body"]


def test_what_is_lost_is_named(openai, provider):
    raw = openai.chat.completions.with_raw_response.create(
        model=ANTHROPIC, messages=[{"role": "user", "content": "x"}], seed=7, logit_bias={"1": 2},
    )
    assert set(raw.headers["x-arouter-dropped"].split(",")) == {"seed", "logit_bias"}


def test_a_loss_may_be_forbidden(openai):
    import openai as openai_sdk

    with pytest.raises(openai_sdk.NotFoundError) as caught:
        openai.chat.completions.create(
            model=ANTHROPIC, messages=[{"role": "user", "content": "x"}], seed=7,
            extra_body={"provider": {"require_parameters": True}},
        )
    assert caught.value.param == "provider.require_parameters"


@pytest.mark.parametrize("model", [OPENAI, RESPONSES, GOOGLE])
def test_tokens_of_foreign_models_are_estimated(anthropic, model):
    counted = anthropic.messages.count_tokens(
        model=model, messages=[{"role": "user", "content": "x" * 400}]
    )
    assert 90 <= counted.input_tokens <= 110
