"""What the gateway makes of recorded traffic, read by the vendors' own SDKs.

`cargo test --test corpus` writes bodies and streams to target/corpus-out, together with what it
reads in them; here real clients get them over a transport in memory, so that the SDKs' own parsers
and accumulators judge. Without the files there is nothing to do.
"""

import json
import os
import zlib
from collections import Counter
from pathlib import Path

import anthropic
import httpx2
import openai
import pytest
from anthropic.types import Message
from google import genai
from google.genai import types

pytestmark = pytest.mark.timeout(300)

ROOT = Path(__file__).resolve().parents[3]
FOLDER = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "corpus-out"
# Of longer lists every so-many-th recording is read, chosen by its id.
MOST = int(os.environ.get("AROUTER_CORPUS_SAMPLE", "4000"))


def load(name):
    path = FOLDER / f"{name}.jsonl"
    if not path.exists():
        pytest.skip("target/corpus-out is not there: run `make corpus-test`")
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    records.sort(key=lambda record: zlib.crc32((record["id"] + record["kind"]).encode()))
    print(f"{name}: {min(len(records), MOST)} of {len(records)} bodies and streams")
    return records[:MOST]


class Wire:
    """Answers every request with the record at hand."""

    def __init__(self):
        self.record = None

    def transport(self):
        return httpx2.Client(transport=httpx2.MockTransport(self.answer))

    def answer(self, request):
        kind = "text/event-stream" if self.record["kind"] == "stream" else "application/json"
        body = self.record["body"].encode()
        return httpx2.Response(200, headers={"content-type": kind}, content=body)


def arguments(text):
    """Arguments of a call, brought to the judge's form."""
    if isinstance(text, str):
        try:
            text = json.loads(text) if text.strip() else {}
        except ValueError:
            return {"__raw_arguments": text}
    if text is None:
        return {}
    return text if isinstance(text, dict) else {"value": text}


def explained(error):
    """What the parser does not like: the cause says which field."""
    cause = error.__cause__ or error
    return f"{type(error).__name__}: {' '.join(str(cause).split())[:400]}"


def judge(name, read):
    """Reads every record; collects what goes wrong, so that one run shows all."""
    wrong, counts = [], Counter()
    for record in load(name):
        counts[record["kind"]] += 1
        try:
            text, calls, usage = read(record)
        except Exception as error:  # whatever a parser throws is the finding
            wrong.append(f"{record['id']} {record['kind']}: {explained(error)}")
            continue
        # A blocked prompt of Gemini's is no part of its answer.
        refusal = "" if name == "generate" else record["refusal"]
        told = (record["text"] + refusal, [(c["name"], c["arguments"]) for c in record["calls"]])
        torn = any(call["torn"] for call in record["calls"])
        got = (text, [(call, arguments(args)) for call, args in calls])
        if torn:
            told, got = (told[0], [c[0] for c in told[1]]), (got[0], [c[0] for c in got[1]])
        if told != got:
            wrong.append(f"{record['id']} {record['kind']}: {str(told)[:200]} became {str(got)[:200]}")
        if usage != (record["prompt"], record["completion"]):
            wrong.append(f"{record['id']} {record['kind']}: usage {record['prompt']}, {record['completion']} became {usage}")
    print(dict(counts), "wrong:", len(wrong))
    if wrong:
        pytest.fail("\n".join(wrong[:40]), pytrace=False)


def test_openai_chat():
    wire = Wire()
    client = openai.OpenAI(
        api_key="k", base_url="http://gateway/v1", http_client=wire.transport(),
        max_retries=0, _strict_response_validation=True,
    )
    ask = {"model": "m", "messages": [{"role": "user", "content": "u"}]}

    def read(record):
        wire.record = record
        if record["kind"] == "whole":
            answer = client.chat.completions.create(**ask)
        else:
            # The accumulator parses arguments of cut calls, which the SDK refuses by design.
            cut = record["finish"] in ("Length", "Filter")
            if cut:
                return chunks(client.chat.completions.create(stream=True, **ask), record)
            with client.chat.completions.stream(**ask) as stream:
                for _ in stream:
                    pass
                answer = stream.get_final_completion()
        if not answer.choices:
            return "", [], tokens(answer.usage)
        message = answer.choices[0].message
        calls = [
            (c.function.name, c.function.arguments) if c.type == "function"
            else (c.custom.name, {"input": c.custom.input})
            for c in message.tool_calls or []
        ]
        return (message.content or "") + (message.refusal or ""), calls, tokens(answer.usage)

    def chunks(stream, record):
        text, calls, usage = "", {}, None
        for chunk in stream:
            usage = chunk.usage or usage
            for choice in chunk.choices:
                if choice.index != 0:
                    continue
                text += (choice.delta.content or "") + (choice.delta.refusal or "")
                for call in choice.delta.tool_calls or []:
                    slot = calls.setdefault(call.index, ["", ""])
                    slot[0] = slot[0] or call.function.name
                    slot[1] += call.function.arguments or ""
        return text, [tuple(call) for call in calls.values()], tokens(usage)

    def tokens(usage):
        return (usage.prompt_tokens, usage.completion_tokens) if usage else (0, 0)

    judge("chat", read)


def test_openai_responses():
    wire = Wire()
    client = openai.OpenAI(
        api_key="k", base_url="http://gateway/v1", http_client=wire.transport(),
        max_retries=0, _strict_response_validation=True,
    )

    def read(record):
        wire.record = record
        if record["kind"] == "whole":
            answer = client.responses.create(model="m", input="u")
        else:
            with client.responses.stream(model="m", input="u") as stream:
                for event in stream:
                    if event.type in ("response.completed", "response.incomplete", "response.failed"):
                        answer = event.response
        text, calls = "", []
        for item in answer.output:
            if item.type == "message":
                for part in item.content:
                    text += part.text if part.type == "output_text" else part.refusal
            elif item.type == "function_call":
                calls.append((item.name, item.arguments))
            elif item.type == "custom_tool_call":
                calls.append((item.name, {"input": item.input}))
        usage = answer.usage
        # The judge joins text before refusals.
        return text, calls, (usage.input_tokens, usage.output_tokens) if usage else (0, 0)

    judge("responses", read)


def test_anthropic():
    wire = Wire()
    client = anthropic.Anthropic(
        api_key="k", base_url="http://gateway", http_client=wire.transport(),
        max_retries=0, _strict_response_validation=True,
    )
    ask = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "u"}]}

    def read(record):
        wire.record = record
        if record["kind"] == "whole":
            answer = client.messages.create(**ask)
        else:
            with client.messages.stream(**ask) as stream:
                answer = stream.get_final_message()
        assert isinstance(answer, Message)
        text = "".join(block.text for block in answer.content if block.type == "text")
        calls = [(block.name, block.input) for block in answer.content if block.type == "tool_use"]
        usage = answer.usage
        prompt = usage.input_tokens + (usage.cache_read_input_tokens or 0)
        prompt += usage.cache_creation_input_tokens or 0
        return text, calls, (prompt, usage.output_tokens)

    judge("messages", read)


def test_genai():
    wire = Wire()
    client = genai.Client(
        api_key="k",
        http_options=types.HttpOptions(base_url="http://gateway", httpx_client=wire.transport()),
    )

    def read(record):
        wire.record = record
        if record["kind"] == "whole":
            chunks = [client.models.generate_content(model="m", contents="u")]
        else:
            chunks = list(client.models.generate_content_stream(model="m", contents="u"))
        text, calls, prompt, completion = "", [], 0, 0
        for chunk in chunks:
            usage = chunk.usage_metadata
            if usage:
                prompt = (usage.prompt_token_count or 0) + (usage.tool_use_prompt_token_count or 0)
                completion = (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0)
            for candidate in chunk.candidates or []:
                if candidate.index:
                    continue
                for part in (candidate.content and candidate.content.parts) or []:
                    text += part.text if part.text and not part.thought else ""
                    if part.function_call:
                        calls.append((part.function_call.name, part.function_call.args))
        return text, calls, (prompt, completion)

    judge("generate", read)
