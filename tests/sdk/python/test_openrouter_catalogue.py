"""OpenRouter's SDK against the gateway: models, endpoints and providers."""

import pytest
from conftest import ANTHROPIC_MODEL, GOOGLE_MODEL, OPENAI_MODEL, strangers

EMBEDDING_MODEL = "openai/text-embedding-3-small"


def pages(listed):
    """All models of a list that comes in pages, checked."""
    models = []
    while listed is not None:
        page = getattr(listed, "result", listed)
        assert not strangers(page), strangers(page)
        models += page.data
        listed = listed.next() if hasattr(listed, "next") else None
    return models


def test_models(router):
    models = {model.id: model for model in pages(router().models.list())}
    assert {OPENAI_MODEL, ANTHROPIC_MODEL, GOOGLE_MODEL} <= set(models)
    model = models[ANTHROPIC_MODEL]
    assert (model.canonical_slug, model.context_length) == (ANTHROPIC_MODEL, 200_000)
    assert (model.pricing.prompt, model.pricing.completion) == ("0.000003", "0.000015")
    assert model.top_provider.max_completion_tokens == 64_000
    assert "text" in model.architecture.input_modalities
    assert model.links.details and isinstance(model.supported_parameters, list)


def test_models_of_a_key(router, stack):
    client = router(stack.keys["openai_only"])
    listed = {model.id for model in pages(client.models.list())}
    assert OPENAI_MODEL in listed and GOOGLE_MODEL not in listed
    own = {m.id for m in pages(client.models.list_for_user(security={"bearer": stack.keys["openai_only"]}))}
    assert OPENAI_MODEL in own and GOOGLE_MODEL not in own


def test_count_and_one(router):
    client = router()
    count = client.models.count().data.count
    assert count == len(pages(client.models.list()))
    one = client.models.get(author="openai", slug="gpt-5.4")
    assert not strangers(one) and one.data.id == OPENAI_MODEL


def test_models_of_embeddings(router):
    models = pages(router().embeddings.list_models())
    assert EMBEDDING_MODEL in [model.id for model in models]
    assert OPENAI_MODEL not in [model.id for model in models]


@pytest.mark.parametrize("model", [OPENAI_MODEL, ANTHROPIC_MODEL, GOOGLE_MODEL, EMBEDDING_MODEL])
def test_endpoints(router, model):
    author, slug = model.split("/", 1)
    answer = router().endpoints.list(author=author, slug=slug)
    assert not strangers(answer), strangers(answer)
    assert answer.data.id == model
    [endpoint] = answer.data.endpoints
    assert endpoint.model_id and endpoint.provider_name and endpoint.tag
    assert float(endpoint.pricing.prompt) > 0


def test_endpoints_of_no_model(router):
    from openrouter import errors

    with pytest.raises(errors.NotFoundResponseError):
        router().endpoints.list(author="nobody", slug="nothing")


def test_endpoints_that_keep_nothing(router):
    answer = router().endpoints.list_zdr_endpoints()
    assert not strangers(answer) and isinstance(answer.data, list)


def test_providers(router):
    answer = router().providers.list()
    assert not strangers(answer), strangers(answer)
    assert {"openai", "anthropic", "google"} <= {provider.slug for provider in answer.data}
    assert all(provider.name for provider in answer.data)
