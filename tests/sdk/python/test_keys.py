"""Management of keys and money with OpenRouter's SDK, and over plain HTTP."""

import json
import urllib.error
import urllib.request
from datetime import datetime, timezone
from decimal import Decimal

import pytest
from conftest import OPENAI_MODEL

END = datetime(2099, 12, 31, 23, 59, 59, tzinfo=timezone.utc)


def call(stack, method, path, key, body=None, **headers):
    """Status and answer of a plain request; amounts keep their digits."""
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json", **headers}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(stack.url + path, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.load(answer, parse_float=Decimal)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def asks(stack, key):
    """Status of a chat request with this key."""
    body = {"model": OPENAI_MODEL, "messages": [{"role": "user", "content": "hi"}]}
    return call(stack, "POST", "/v1/chat/completions", key, body)[0]


def test_the_sdk_makes_shows_changes_and_deletes_a_key(stack, router):
    keys = router(stack.keys["manager"]).api_keys
    made = keys.create(
        name="sdk", limit=0.1, limit_reset="monthly", include_byok_in_limit=True, expires_at=END
    )
    assert made.key.startswith("lr_live_") and len(made.key) == 56
    data = made.data
    assert (data.name, data.limit, data.limit_remaining, data.limit_reset) == (
        "sdk", 0.1, 0.1, "monthly",
    )
    assert (data.include_byok_in_limit, data.disabled, data.usage) == (True, False, 0)
    assert asks(stack, made.key) == 200

    shown = keys.get(hash=data.hash).data
    assert (shown.hash, shown.label, shown.expires_at) == (data.hash, data.label, END)
    assert data.hash in [key.hash for key in keys.list().data]

    changed = keys.update(hash=data.hash, name="renamed", limit=None, disabled=True).data
    assert (changed.name, changed.limit, changed.disabled) == ("renamed", None, True)
    assert changed.limit_reset == "monthly"
    assert asks(stack, made.key) == 401
    assert data.hash not in [key.hash for key in keys.list().data]
    assert data.hash in [key.hash for key in keys.list(include_disabled=True).data]

    assert keys.delete(hash=data.hash).DELETED is True
    assert call(stack, "GET", f"/v1/keys/{data.hash}", stack.keys["manager"])[0] == 404


def test_the_sdk_knows_the_errors(stack, router):
    from openrouter import errors

    manager = router(stack.keys["manager"]).api_keys
    with pytest.raises(errors.NotFoundResponseError) as missing:
        manager.get(hash="0" * 64)
    assert missing.value.data.error.code == 404
    with pytest.raises(errors.BadRequestResponseError):
        manager.create(name="x", limit=-1)
    with pytest.raises(errors.UnauthorizedResponseError):
        router("lr_live_unknown").api_keys.list()
    with pytest.raises(errors.OpenRouterError) as refused:
        router(stack.keys["full"]).api_keys.list()
    assert refused.value.status_code == 403


def test_the_sdk_reads_credits(stack, router):
    before = router(stack.keys["manager"]).credits.get_credits().data
    # The first credit makes the account prepaid: enough for all the tests that follow.
    body = {"amount": 100000.5}
    status, added = call(stack, "POST", "/api/v1/credits", stack.keys["manager"], body)
    assert (status, added["data"]["amount"]) == (201, Decimal("100000.5"))
    after = router(stack.keys["manager"]).credits.get_credits().data
    assert after.total_credits - before.total_credits == pytest.approx(100000.5)


def test_plain_requests(stack):
    manager = stack.keys["manager"]
    body = {"name": "plain", "spending_limit": "1.000000000001", "allowed_providers": ["openai"],
            "rate_limit": {"requests_per_minute": 60}}
    once = {"idempotency-key": "plain-1"}
    status, made = call(stack, "POST", "/v1/keys", manager, body, **once)
    assert status == 201
    assert call(stack, "POST", "/v1/keys", manager, body, **once) == (201, made)
    assert call(stack, "POST", "/v1/keys", manager, {"name": "y"}, **once)[0] == 422
    assert made["data"]["limit"] == Decimal("1.000000000001")
    assert made["data"]["rate_limit"]["requests_per_minute"] == 60

    path = f"/v1/keys/{made['data']['hash']}"
    assert call(stack, "PATCH", path, manager, {"allowed_providers": ["google"]})[0] == 200
    assert asks(stack, made["key"]) == 403
    status, own = call(stack, "GET", "/v1/key", made["key"])
    assert (status, own["data"]["label"]) == (200, made["data"]["label"])
    assert own["data"]["rate_limit"]["requests"] == 60
    status, deleted = call(stack, "DELETE", path, manager)
    assert (status, deleted) == (200, {"data": {"deleted": True}, "deleted": True})
    assert asks(stack, made["key"]) == 401

    status, balance = call(stack, "GET", "/api/v1/balance", stack.keys["full"])
    assert (status, balance["currency"]) == (200, "USD")
    status, moved = call(stack, "GET", "/api/v1/transactions", stack.keys["full"])
    assert status == 200 and isinstance(moved["transactions"], list)
