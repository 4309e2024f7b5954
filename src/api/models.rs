//! The models list: one object per model that satisfies OpenAI's, OpenRouter's and Anthropic's
//! clients at once, and Gemini's own shape.
//!
//! Only models the key may use are listed, so that a list never names what a request would refuse.

use crate::auth::ApiKey;
use crate::catalog::{Model, Pricing};
use crate::money::{PicoUsd, Price};
use crate::routing::RoutingTable;
use serde_json::{Value, json};

/// When models of the configuration are said to have been made: the gateway does not know.
const CREATED_S: u64 = 0;
/// The same for Anthropic's clients.
const CREATED_AT: &str = "1970-01-01T00:00:00Z";

/// A model as a client may name it.
struct Listed<'t> {
    id: &'t str,
    owner: &'t str,
    model: Option<&'t Model>,
}

fn listed<'t>(routing: &'t RoutingTable, key: &ApiKey) -> Vec<Listed<'t>> {
    let models = routing.models().map(|model| Listed {
        id: &model.id,
        owner: model.id.split_once('/').map_or("", |(owner, _)| owner),
        model: Some(model),
    });
    let aliases = routing.aliases().map(|(name, targets)| Listed {
        id: name,
        owner: "arouter",
        model: targets.first().and_then(|target| routing.model(target)),
    });
    let mut all: Vec<Listed<'t>> =
        models.chain(aliases).filter(|entry| may_use(routing, key, entry.id)).collect();
    all.sort_by(|one, other| one.id.cmp(other.id));
    all
}

/// A model is listed if one of the endpoints it leads to would be admitted.
fn may_use(routing: &RoutingTable, key: &ApiKey, name: &str) -> bool {
    routing.plan(&[name], None).is_ok_and(|plan| {
        plan.candidates.iter().any(|candidate| {
            key.allows_provider(candidate.provider.names())
                && key.allows_model(&candidate.canonical)
        })
    })
}

/// All models in the union of OpenAI's, OpenRouter's and Anthropic's list shapes.
pub fn list(routing: &RoutingTable, key: &ApiKey) -> Value {
    let models: Vec<Value> = listed(routing, key).iter().map(object).collect();
    let id = |model: Option<&Value>| model.and_then(|model| model.get("id")).cloned();
    json!({
        "object": "list",
        "first_id": id(models.first()),
        "last_id": id(models.last()),
        "has_more": false,
        "total_count": models.len(),
        "links": { "next": null },
        "data": models,
    })
}

/// One model by its id; `None` if it does not exist for this key.
pub fn one(routing: &RoutingTable, key: &ApiKey, id: &str) -> Option<Value> {
    listed(routing, key).iter().find(|entry| entry.id == id).map(object)
}

fn object(entry: &Listed<'_>) -> Value {
    let context_length = entry.model.and_then(|model| model.context_length);
    let max_completion_tokens = entry.model.and_then(|model| model.max_completion_tokens);
    let pricing = entry
        .model
        .and_then(|model| model.endpoints.first())
        .and_then(|endpoint| endpoint.pricing.as_deref());
    json!({
        "id": entry.id,
        "object": "model",
        "type": "model",
        "created": CREATED_S,
        "created_at": CREATED_AT,
        "owned_by": entry.owner,
        "canonical_slug": entry.id,
        "name": entry.id,
        "display_name": entry.id,
        "description": "",
        "context_length": context_length,
        "architecture": {
            "modality": "text->text",
            "input_modalities": ["text"],
            "output_modalities": ["text"],
            "tokenizer": "Other",
            "instruct_type": null,
        },
        "pricing": pricing.map(pricing_object),
        "top_provider": {
            "context_length": context_length,
            "max_completion_tokens": max_completion_tokens,
            "is_moderated": false,
        },
        "per_request_limits": null,
        "supported_parameters": [],
    })
}

/// Prices per token in USD, as decimal strings.
fn pricing_object(pricing: &Pricing) -> Value {
    let prices = &pricing.table;
    let per_token = |price: Option<Price>| price.unwrap_or(Price::ZERO).of(1).to_string();
    json!({
        "prompt": per_token(Some(prices.prompt)),
        "completion": per_token(Some(prices.completion)),
        "request": prices.request.unwrap_or(PicoUsd::ZERO).to_string(),
        "image": PicoUsd::ZERO.to_string(),
        "web_search": prices.web_search.unwrap_or(PicoUsd::ZERO).to_string(),
        "internal_reasoning": per_token(prices.reasoning),
        "input_cache_read": per_token(prices.cache_read),
        "input_cache_write": per_token(prices.cache_write),
    })
}

/// All models in Gemini's list shape.
pub fn gemini_list(routing: &RoutingTable, key: &ApiKey) -> Value {
    let models: Vec<Value> = listed(routing, key).iter().map(gemini_object).collect();
    json!({ "models": models })
}

/// One model in Gemini's shape.
pub fn gemini_one(routing: &RoutingTable, key: &ApiKey, id: &str) -> Option<Value> {
    listed(routing, key).iter().find(|entry| matches_gemini(entry.id, id)).map(gemini_object)
}

/// Gemini's clients name Google's models without a prefix.
fn matches_gemini(listed: &str, asked: &str) -> bool {
    listed == asked || listed.strip_prefix("google/") == Some(asked)
}

fn gemini_object(entry: &Listed<'_>) -> Value {
    let bare = entry.id.strip_prefix("google/").unwrap_or(entry.id);
    json!({
        "name": format!("models/{bare}"),
        "version": "1",
        "displayName": entry.id,
        "description": "",
        "inputTokenLimit": entry.model.and_then(|model| model.context_length).unwrap_or(0),
        "outputTokenLimit": entry.model.and_then(|model| model.max_completion_tokens).unwrap_or(0),
        "supportedGenerationMethods": ["generateContent", "streamGenerateContent", "countTokens"],
    })
}
