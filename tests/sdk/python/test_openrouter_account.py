"""OpenRouter's SDK against the gateway: the key that asks, money, records and activity."""

import time
from datetime import datetime, timezone

import pytest
from conftest import OPENAI_MODEL, generation, say, strangers


def ask(client, **options):
    messages = [{"role": "user", "content": say("Hi.", text="Hello.", tokens={"prompt": 100})}]
    return client.chat.send(model=OPENAI_MODEL, messages=messages, **options)


def test_the_key_that_asks(router, stack):
    key = router().api_keys.get_current_key_metadata().data
    assert not strangers(key)
    assert (key.is_management_key, key.limit, key.budgets) == (False, None, [])
    assert key.effective_budget is None and key.allowed_data_regions == ["global"]
    free = key.free_model_daily_requests
    assert free.limit > 0 and free.used + free.remaining == free.limit
    manager = router(stack.keys["manager"]).api_keys.get_current_key_metadata().data
    assert manager.is_management_key is True


def test_a_key_knows_its_limit(router, stack):
    made = router(stack.keys["manager"]).api_keys.create(
        name="limited", limit=0.5, limit_reset="daily", include_byok_in_limit=True
    )
    client = router(made.key)
    spent = ask(client).usage.cost
    deadline = time.monotonic() + 5
    while (key := client.api_keys.get_current_key_metadata().data).usage == 0:
        assert time.monotonic() < deadline, "the usage never came"
        time.sleep(0.05)
    [budget] = key.budgets
    assert budget == key.effective_budget
    assert (budget.scope, budget.reset_interval, budget.limit_usd) == ("key_limit", "daily", 0.5)
    assert (budget.include_byok, budget.spend_usd) == (True, pytest.approx(spent))
    assert budget.remaining_usd == key.limit_remaining == pytest.approx(0.5 - spent)
    ahead = budget.resets_at - datetime.now(timezone.utc)
    assert budget.resets_at.hour == budget.resets_at.minute == 0
    assert 0 < ahead.total_seconds() <= 86_400


def test_credits(router, stack):
    credits = router(stack.keys["manager"]).credits.get_credits()
    assert not strangers(credits)
    assert credits.data.total_usage >= 0


def test_the_record_of_a_request(router, stack):
    client = router()
    answer = ask(client, session_id="s-1", user="u-1", http_referer="https://app.example")
    generation(stack, answer.id)
    record = client.generations.get_generation(id=answer.id).data
    assert not strangers(record)
    assert (record.id, record.model, record.data_region) == (answer.id, OPENAI_MODEL, "global")
    assert (record.total_cost, record.usage) == (answer.usage.cost, answer.usage.cost)
    assert (record.tokens_prompt, record.native_tokens_prompt) == (100, 100)
    assert (record.session_id, record.external_user) == ("s-1", "u-1")
    assert (record.http_referer, record.api_type) == ("https://app.example", "completions")
    [response] = record.provider_responses
    assert (response.status, response.is_byok) == (200, False)
    assert (record.streamed, record.cancelled, record.finish_reason) == (False, False, "stop")


def test_activity(router, stack):
    """Only days that are over are listed, and the gateway has lived for none."""
    manager = router(stack.keys["manager"])
    answer = manager.analytics.get_user_activity()
    assert not strangers(answer) and answer.data == []
