//! `GET /api/v1/generation?id=`: one request as JSON.
//!
//! Called by `proxy/local.rs`. The documented flat members stand at the top, and OpenRouter's
//! wrapper beside them as `data`, so that clients of either find what they look for. Amounts are
//! exact decimal numbers written from integers; no float is involved.

use super::usd::Usd;
use crate::money::PicoUsd;
use crate::store::{Generation, Outcome};
use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;

/// The gateway knows no regions: a request goes wherever its provider is.
pub(super) const DATA_REGION: &str = "global";

#[derive(Serialize)]
struct Reply<'g> {
    id: &'g str,
    model: &'g str,
    provider: Option<&'g str>,
    created_at: &'g str,
    latency_ms: u64,
    usage: Counts,
    data: Data<'g>,
}

/// Token counts and cost, in the shape of a chat answer's `usage`.
#[derive(Serialize)]
pub(super) struct Counts {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    cost: Usd,
    is_byok: bool,
    prompt_tokens_details: PromptDetails,
    completion_tokens_details: CompletionDetails,
    cost_details: CostDetails,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the names are the documented ones")]
struct PromptDetails {
    cached_tokens: u64,
    cache_write_tokens: u64,
    audio_tokens: u64,
}

#[derive(Serialize)]
struct CompletionDetails {
    reasoning_tokens: u64,
    audio_tokens: u64,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the names are the documented ones")]
struct CostDetails {
    upstream_inference_cost: Usd,
    upstream_inference_prompt_cost: Usd,
    upstream_inference_completions_cost: Usd,
}

/// OpenRouter's members, and how the request ended. What this gateway does not have is null, as it may be there.
#[expect(clippy::struct_excessive_bools, reason = "members of a documented object")]
#[derive(Serialize)]
struct Data<'g> {
    id: &'g str,
    request_id: Option<&'g str>,
    upstream_id: Option<&'g str>,
    created_at: &'g str,
    model: &'g str,
    provider_name: Option<&'g str>,
    api_type: Option<&'static str>,
    total_cost: Usd,
    usage: Usd,
    upstream_inference_cost: Usd,
    cache_discount: Option<Usd>,
    is_byok: bool,
    tokens_prompt: Option<u64>,
    tokens_completion: Option<u64>,
    native_tokens_prompt: Option<u64>,
    native_tokens_completion: Option<u64>,
    native_tokens_reasoning: Option<u64>,
    native_tokens_cached: Option<u64>,
    native_tokens_completion_images: Option<u64>,
    num_media_prompt: Option<u64>,
    num_media_completion: Option<u64>,
    num_input_audio_prompt: Option<u64>,
    num_search_results: Option<u64>,
    num_fetches: Option<u64>,
    web_search_engine: Option<&'g str>,
    finish_reason: Option<&'g str>,
    native_finish_reason: Option<&'g str>,
    streamed: bool,
    cancelled: bool,
    outcome: &'static str,
    error: Option<&'g str>,
    usage_estimated: bool,
    latency: u64,
    generation_time: Option<u64>,
    moderation_latency: Option<u64>,
    origin: &'g str,
    http_referer: Option<&'g str>,
    external_user: Option<&'g str>,
    app_id: Option<u64>,
    app_title: Option<&'g str>,
    app_categories: Option<&'g str>,
    user_agent: Option<&'g str>,
    router: Option<&'g str>,
    service_tier: Option<&'g str>,
    session_id: Option<&'g str>,
    preset_id: Option<&'g str>,
    workspace_id: Option<&'g str>,
    provider_responses: Option<Vec<ProviderResponse<'g>>>,
    response_cache_source_id: Option<&'g str>,
    #[serde(rename = "data_region")]
    region: &'static str,
}

/// What one provider said to the request.
#[derive(Serialize)]
struct ProviderResponse<'g> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'g str>,
    provider_name: &'g str,
    model_permaslug: &'g str,
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'g str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latency: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_byok: Option<bool>,
}

/// Every attempt in order: those that failed, and the one the caller got something of.
fn provider_responses(generation: &Generation) -> Vec<ProviderResponse<'_>> {
    let failed = generation.failed_attempts.iter().map(|failed| ProviderResponse {
        id: None,
        provider_name: &failed.provider,
        model_permaslug: &failed.model,
        status: Some(failed.status),
        error: Some(&failed.error),
        latency: Some(failed.latency_ms),
        is_byok: None,
    });
    let attempts = usize::try_from(generation.attempts).unwrap_or(usize::MAX);
    let answered = attempts > generation.failed_attempts.len();
    let last = provider(generation).filter(|_| answered).map(|name| ProviderResponse {
        id: generation.upstream_id.as_deref(),
        provider_name: name,
        model_permaslug: &generation.model,
        status: matches!(generation.outcome, Outcome::Complete | Outcome::Partial).then_some(200),
        error: None,
        latency: None,
        is_byok: Some(generation.is_byok),
    });
    failed.chain(last).collect()
}

/// The answer to the caller.
pub fn to_json(generation: &Generation) -> Bytes {
    let created_at = created_at(generation.created_ms);
    let reply = Reply {
        id: &generation.id,
        model: &generation.model,
        provider: provider(generation),
        created_at: &created_at,
        latency_ms: generation.latency_ms,
        usage: counts(generation),
        data: data(generation, &created_at),
    };
    // Nothing in the reply can fail to serialise: its keys are text and its numbers are finite.
    serde_json::to_vec(&reply).map_or_else(|_| Bytes::from_static(b"{}"), Bytes::from)
}

pub(super) fn counts(generation: &Generation) -> Counts {
    let usage = &generation.usage;
    Counts {
        prompt_tokens: usage.prompt.unwrap_or(0),
        completion_tokens: usage.completion.unwrap_or(0),
        total_tokens: usage.total(),
        cost: Usd(generation.cost_pico_usd),
        is_byok: generation.is_byok,
        prompt_tokens_details: PromptDetails {
            cached_tokens: usage.cached.unwrap_or(0),
            cache_write_tokens: usage.cache_write(),
            audio_tokens: usage.audio_prompt.unwrap_or(0),
        },
        completion_tokens_details: CompletionDetails {
            reasoning_tokens: usage.reasoning.unwrap_or(0),
            audio_tokens: usage.audio_completion.unwrap_or(0),
        },
        cost_details: CostDetails {
            upstream_inference_cost: Usd(generation.cost_pico_usd),
            upstream_inference_prompt_cost: Usd(generation.prompt_cost_pico_usd),
            upstream_inference_completions_cost: Usd(generation.completion_cost_pico_usd),
        },
    }
}

fn data<'g>(generation: &'g Generation, created_at: &'g str) -> Data<'g> {
    let usage = &generation.usage;
    let first_token_ms = generation.first_token_ms.unwrap_or(generation.latency_ms);
    // A contract of the caller's own is not paid from the account.
    let taken = Usd(if generation.is_byok { PicoUsd::ZERO } else { generation.cost_pico_usd });
    Data {
        id: &generation.id,
        request_id: None,
        upstream_id: generation.upstream_id.as_deref(),
        created_at,
        model: &generation.model,
        provider_name: provider(generation),
        api_type: api_type(&generation.operation),
        total_cost: taken,
        usage: taken,
        upstream_inference_cost: Usd(generation.cost_pico_usd),
        cache_discount: None,
        is_byok: generation.is_byok,
        tokens_prompt: usage.prompt,
        tokens_completion: usage.completion,
        native_tokens_prompt: usage.prompt,
        native_tokens_completion: usage.completion,
        native_tokens_reasoning: usage.reasoning,
        native_tokens_cached: usage.cached,
        native_tokens_completion_images: None,
        num_media_prompt: None,
        num_media_completion: None,
        num_input_audio_prompt: None,
        num_search_results: usage.web_searches,
        num_fetches: None,
        web_search_engine: None,
        finish_reason: generation.finish_reason.as_deref(),
        native_finish_reason: generation.native_finish_reason.as_deref(),
        streamed: generation.streamed,
        cancelled: generation.outcome == Outcome::Cancelled,
        outcome: generation.outcome.name(),
        error: generation.error.as_deref(),
        usage_estimated: generation.usage_estimated,
        latency: first_token_ms,
        generation_time: generation.latency_ms.checked_sub(first_token_ms),
        moderation_latency: None,
        origin: generation.referer.as_deref().unwrap_or_default(),
        http_referer: generation.referer.as_deref(),
        external_user: generation.user.as_deref(),
        app_id: None,
        app_title: generation.app_title.as_deref(),
        app_categories: generation.app_categories.as_deref(),
        user_agent: generation.user_agent.as_deref(),
        router: None,
        service_tier: generation.service_tier.as_deref(),
        session_id: generation.session_id.as_deref(),
        preset_id: None,
        workspace_id: None,
        provider_responses: Some(provider_responses(generation))
            .filter(|responses| !responses.is_empty()),
        response_cache_source_id: None,
        region: DATA_REGION,
    }
}

pub(super) fn provider(generation: &Generation) -> Option<&str> {
    Some(generation.provider.as_str()).filter(|provider| !provider.is_empty())
}

/// OpenRouter's word for the kind of request.
fn api_type(operation: &str) -> Option<&'static str> {
    match operation {
        "chat" | "messages" | "generate_content" => Some("completions"),
        "embeddings" => Some("embeddings"),
        _ => None,
    }
}

fn created_at(created_ms: i64) -> String {
    Timestamp::from_millisecond(created_ms).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::generation::FailedAttempt;
    use serde_json::Value;

    fn reply(generation: &Generation) -> (String, Value) {
        let bytes = to_json(generation);
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let value = serde_json::from_str(&text).unwrap();
        (text, value)
    }

    #[test]
    fn both_shapes_tell_the_same() {
        let (_, reply) = reply(&Generation::example("gen-1790000000-0123456789abcdef01234567"));
        assert_eq!(reply["id"], reply["data"]["id"]);
        assert_eq!(reply["provider"], reply["data"]["provider_name"]);
        assert_eq!(reply["created_at"], "2026-09-21T14:13:20.123Z");
        assert_eq!(reply["usage"]["total_tokens"], 20);
        assert_eq!(reply["usage"]["prompt_tokens_details"]["cached_tokens"], 4);
        assert_eq!(reply["data"]["native_tokens_prompt"], 14);
        assert_eq!(reply["data"]["native_tokens_reasoning"], Value::Null);
        assert_eq!(reply["data"]["latency"], 310);
        assert_eq!(reply["data"]["generation_time"], 930);
        assert_eq!(reply["data"]["cancelled"], false);
        assert_eq!(reply["data"]["external_user"], "end user, \"quoted\"");
    }

    #[test]
    fn amounts_are_numbers_with_every_digit() {
        let mut generation = Generation::example("gen-1");
        generation.cost_pico_usd = PicoUsd::from_pico(9_007_199_254_740_993_000_001);
        let (text, _) = reply(&generation);
        assert!(text.contains(r#""total_cost":9007199254.740993000001,"#), "{text}");
        assert!(text.contains(r#""upstream_inference_prompt_cost":0.000042,"#), "{text}");
    }

    #[test]
    fn what_a_contract_of_the_callers_own_costs_is_not_taken_from_the_account() {
        let mut generation = Generation::example("gen-1");
        generation.is_byok = true;
        generation.service_tier = Some("flex".to_owned());
        generation.session_id = Some("s".to_owned());
        generation.user_agent = Some("client/1".to_owned());
        let (text, reply) = reply(&generation);
        assert!(text.contains(r#""total_cost":0,"usage":0,"upstream_inference_cost":0.000132,"#));
        assert!(text.contains(r#""cost":0.000132,"is_byok":true,"#), "{text}");
        assert_eq!(reply["data"]["is_byok"], true);
        assert_eq!(reply["data"]["service_tier"], "flex");
        assert_eq!(reply["data"]["session_id"], "s");
        assert_eq!(reply["data"]["user_agent"], "client/1");
    }

    #[test]
    fn every_attempt_is_told_in_order() {
        let mut generation = Generation::example("gen-1");
        generation.attempts = 2;
        generation.failed_attempts = vec![FailedAttempt {
            provider: "openai".to_owned(),
            model: "openai/gpt-5.4".to_owned(),
            status: 429,
            error: "rate_limit_exceeded".to_owned(),
            latency_ms: 12,
        }];
        let (_, told) = reply(&generation);
        let responses = &told["data"]["provider_responses"];
        let of = |member: &str| [&responses[0][member], &responses[1][member]].map(Value::clone);
        assert_eq!(of("provider_name"), ["openai", "anthropic"]);
        assert_eq!(of("status"), [429, 200]);
        assert_eq!(responses[1]["id"], "msg_1");
        assert_eq!(responses.as_array().unwrap().len(), 2);

        generation.attempts = 1;
        generation.outcome = Outcome::Failed;
        let (_, told) = reply(&generation);
        assert_eq!(told["data"]["provider_responses"].as_array().unwrap().len(), 1);
    }

    #[test]
    fn a_request_no_provider_answered_names_none() {
        let mut generation = Generation::example("gen-1");
        generation.provider.clear();
        generation.outcome = Outcome::Cancelled;
        generation.first_token_ms = None;
        let (_, reply) = reply(&generation);
        assert_eq!(reply["provider"], Value::Null);
        assert_eq!(reply["data"]["cancelled"], true);
        assert_eq!(reply["data"]["generation_time"], 0);
    }
}
