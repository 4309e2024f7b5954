"""Fixtures of the Python SDK tests: the running gateway, a client per SDK, the mock's journal."""

import base64
import json
import os
import struct
import sys
import time
import urllib.request
import zlib
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

# Nothing of the developer's own environment may decide where an SDK connects or with which key.
for name in list(os.environ):
    if name.upper().endswith(("_PROXY", "_API_KEY", "_BASE_URL", "_AUTH_TOKEN")):
        del os.environ[name]

from serve import Stack  # noqa: E402  (needs the path above)

OPENAI_MODEL = "openai/gpt-5.4"
ANTHROPIC_MODEL = "anthropic/claude-haiku-4-5"
GOOGLE_MODEL = "google/gemini-2.5-flash"
CLAUDE = "claude-haiku-4-5"
GEMINI = "gemini-2.5-flash"
# How soon after a client left the provider must see its connection closed.
CANCEL_WITHIN_S = 1.0

WEATHER_SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["c", "f"]}},
    "required": ["city"],
}


def say(text, /, **reply):
    """A user text that tells the mock how to answer; without instructions just the text."""
    return f"{text} [[mock {json.dumps(reply)}]]" if reply else text


def png():
    """A 1×1 picture, as bytes."""
    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))
    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0\xff\0\0")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


PNG_BASE64 = base64.b64encode(png()).decode()
PNG_URL = f"data:image/png;base64,{PNG_BASE64}"


class Provider:
    """What the mock saw since the test began."""

    def __init__(self, url):
        self.url = url
        self.start = max((entry["seq"] for entry in self._fetch("__journal")), default=0)

    def _fetch(self, page):
        with urllib.request.urlopen(f"{self.url}/{page}", timeout=5) as answer:
            return json.load(answer)

    def entries(self):
        """Requests that came to their end since the test began."""
        return [entry for entry in self._fetch("__journal") if entry["seq"] > self.start]

    def only(self, within_s=5.0):
        """The one request the test caused, as soon as it came to its end."""
        deadline = time.monotonic() + within_s
        while not (found := self.entries()):
            assert time.monotonic() < deadline, f"the provider saw no request end in {within_s} s"
            time.sleep(0.01)
        assert len(found) == 1, found
        return found[0]

    def last_body(self):
        """The body of the last request, as the provider got it."""
        return json.loads(self.last()["body"])

    def last(self):
        """The last request, as the provider got it."""
        return self._fetch("__last")


@pytest.fixture(scope="session")
def stack():
    try:
        running = Stack()
    except RuntimeError as error:
        pytest.exit(str(error), returncode=1)
    yield running
    fallen = running.fallen()
    running.stop()
    assert not fallen, fallen


@pytest.fixture(autouse=True)
def forget_trouble(request):
    """No test is answered with what an earlier one scripted."""
    yield
    if "stack" in request.fixturenames:
        request.getfixturevalue("stack").forget_trouble()


@pytest.fixture
def provider(stack):
    return Provider(stack.mock_url)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Shows the end of the gateway's log below a failure."""
    report = yield
    stack = getattr(item, "funcargs", {}).get("stack")
    if report.failed and stack is not None:
        report.sections.append(("gateway log", stack.log("gateway")))
    return report


@pytest.fixture
def openai_client(stack):
    """Makes OpenAI clients: `openai_client(key=…, path=…, timeout=…)`."""
    import openai

    clients = []

    def make(key=None, path="/v1", **options):
        options = {"max_retries": 0, "timeout": 20, **options}
        client = openai.OpenAI(
            base_url=stack.url + path, api_key=key or stack.keys["full"], **options
        )
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def anthropic_client(stack):
    """Makes Anthropic clients."""
    import anthropic

    clients = []

    def make(key=None, path="", **options):
        options = {"max_retries": 0, "timeout": 20, **options}
        client = anthropic.Anthropic(
            base_url=stack.url + path, api_key=key or stack.keys["full"], **options
        )
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def genai_client(stack):
    """Makes Google clients."""
    from google import genai
    from google.genai import types

    clients = []

    def make(key=None, path="", timeout_ms=20_000):
        options = types.HttpOptions(
            base_url=stack.url + path,
            timeout=timeout_ms,
            retry_options=types.HttpRetryOptions(attempts=1),
        )
        client = genai.Client(api_key=key or stack.keys["full"], http_options=options)
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def router(stack):
    """Makes clients of OpenRouter's SDK, which try everything once: `router(key)`."""
    from openrouter import OpenRouter

    def make(key=None):
        return OpenRouter(
            api_key=key or stack.keys["full"], server_url=f"{stack.url}/api/v1",
            retry_config=None, timeout_ms=20_000,
        )

    return make


@pytest.fixture
def openai(openai_client):
    return openai_client()


@pytest.fixture
def anthropic(anthropic_client):
    return anthropic_client()


@pytest.fixture
def genai(genai_client):
    return genai_client()


def strangers(value, path="answer"):
    """Where an answer of OpenRouter's SDK holds what its schema does not know: a variant that it
    only keeps raw, because the type is unknown or a member was refused."""
    if getattr(value, "is_unknown", False):
        return [f"{path}: {value!r}"]
    if isinstance(value, dict):
        return [found for key, one in value.items() for found in strangers(one, f"{path}.{key}")]
    if isinstance(value, (list, tuple)):
        return [found for at, one in enumerate(value) for found in strangers(one, f"{path}[{at}]")]
    if hasattr(value, "model_fields_set"):
        members = {name: getattr(value, name) for name in value.model_fields_set}
        return strangers(members, path)
    return []


def usd(tokens, price_per_million):
    """Exact price of some tokens, from a price as the configuration writes it."""
    from decimal import Decimal

    return Decimal(tokens) * Decimal(price_per_million) / 1_000_000


def generation(stack, generation_id, within_s=5.0):
    """The gateway's record of a request, numbers kept exact; it is written a moment later."""
    from decimal import Decimal

    request = urllib.request.Request(
        f"{stack.url}/api/v1/generation?id={generation_id}",
        headers={"authorization": f"Bearer {stack.keys['full']}"},
    )
    deadline = time.monotonic() + within_s
    while True:
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return json.load(answer, parse_float=Decimal)
        except urllib.error.HTTPError as error:
            if error.code != 404 or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
