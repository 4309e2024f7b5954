//! The settings of `litellm_params` beside the target.

use super::super::draft::Draft;
use super::super::input::{Field, Reference};
use super::super::report::Report;

/// Headers whose values are no secrets. Of others nobody knows.
const PLAIN_HEADERS: [&str; 8] = [
    "anthropic-beta",
    "anthropic-version",
    "http-referer",
    "openai-beta",
    "openai-organization",
    "openai-project",
    "user-agent",
    "x-title",
];

/// Settings without a counterpart, and why.
const UNSUPPORTED: &[(&[&str], &str)] = &[
    (
        &[
            "rpm",
            "tpm",
            "itpm",
            "otpm",
            "max_parallel_requests",
            "default_api_key_rpm_limit",
            "default_api_key_tpm_limit",
        ],
        "deployments have no limits here, and do not get their share of requests by them",
    ),
    (&["max_budget", "budget_duration"], "deployments have no budgets here"),
    (
        &[
            "temperature",
            "top_p",
            "max_tokens",
            "max_completion_tokens",
            "n",
            "stop",
            "seed",
            "presence_penalty",
            "frequency_penalty",
            "logit_bias",
            "user",
            "response_format",
            "tools",
            "tool_choice",
            "reasoning_effort",
            "thinking",
            "extra_body",
            "stream",
            "stream_options",
            "metadata",
            "safety_settings",
            "service_tier",
            "top_k",
            "min_p",
            "repetition_penalty",
            "dimensions",
            "encoding_format",
            "num_ctx",
            "keep_alive",
            "cache_control_injection_points",
        ],
        "requests are not given parameters here: clients send them",
    ),
    (
        &["num_retries", "max_retries", "cooldown_time", "allowed_fails", "retry_policy"],
        "endpoints have no settings of their own for this: see [routing]",
    ),
    (
        &["drop_params", "additional_drop_params", "allowed_openai_params", "modify_params"],
        "there is no such switch: a request in the provider's own format passes as it is, one that \
         is translated keeps what the other format knows",
    ),
    (
        &[
            "tags",
            "region_name",
            "use_in_pass_through",
            "merge_reasoning_content_in_choices",
            "use_litellm_proxy",
            "configurable_clientside_auth_params",
            "mock_response",
            "litellm_credential_name",
            "input_cost_per_second",
            "output_cost_per_second",
            "guardrails",
            "input_cost_per_pixel",
            "output_cost_per_pixel",
            "output_cost_per_image",
        ],
        "has no counterpart",
    ),
    (&["ssl_verify", "ssl_certificate"], "certificates are checked; `ca_file` adds an authority"),
];

/// The headers every request of the deployment gets.
pub(super) fn headers(params: &Field<'_>, report: &mut Report) -> Vec<(String, String)> {
    let mut headers = Vec::new();
    if let Some(field) = params.get("organization") {
        header(&field, "OpenAI-Organization", &mut headers, report);
    }
    let tables = ["extra_headers", "headers"].into_iter().filter_map(|name| params.get(name));
    for (name, field) in tables.flat_map(|table| table.entries()) {
        if PLAIN_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
            header(&field, name, &mut headers, report);
        } else {
            report.manual(&field, "its value may be a secret and was not copied: see `headers`");
        }
    }
    headers.sort();
    headers.dedup_by(|a, b| a.0.eq_ignore_ascii_case(&b.0));
    headers
}

fn header(field: &Field<'_>, name: &str, headers: &mut Vec<(String, String)>, report: &mut Report) {
    let legal = |text: &str| text.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
    match field.reference() {
        Some(Reference::Literal(text)) if legal(text) => {
            report.exact(field, "`headers` of the provider");
            headers.push((name.to_owned(), text.to_owned()));
        }
        _ => report.manual(field, "a header cannot come from the environment: see `headers`"),
    }
}

/// The weight of the deployment's key.
pub(super) fn weight(params: &Field<'_>, report: &mut Report) -> Option<f64> {
    let field = params.get("weight")?;
    let weight = field.number().filter(|weight| *weight > 0.0);
    if weight.is_some() {
        report.approximate(
            &field,
            "the weight of its key; it counts among keys of one provider only",
        );
    } else {
        report.manual(&field, "a weight is a number above 0: take the key out by hand");
    }
    weight
}

/// Time limits, which belong to the provider here.
pub(super) fn timeouts(params: &Field<'_>, draft: &mut Draft, slug: &str, report: &mut Report) {
    let Some(provider) = draft.providers.iter_mut().find(|other| other.slug == slug) else {
        return;
    };
    for (name, slot) in
        [("timeout", &mut provider.first_byte_ms), ("stream_timeout", &mut provider.first_token_ms)]
    {
        let Some(field) = params.get(name) else { continue };
        match field.seconds_as_ms() {
            Some(ms) => {
                *slot = (*slot).max(Some(ms));
                report.approximate(
                    &field,
                    "holds for all models of the provider; the longest one given counts",
                );
            }
            None => report.manual(&field, "not a number of seconds: see `timeouts`"),
        }
    }
}

/// Notes what has no counterpart.
pub(super) fn rest(params: &Field<'_>, report: &mut Report) {
    for (names, reason) in UNSUPPORTED {
        for field in names.iter().filter_map(|name| params.get(name)) {
            report.unsupported(&field, *reason);
        }
    }
    if let Some(field) = params.get("custom_llm_provider") {
        report.exact(&field, "the vendor");
    }
    if let Some(field) = params.get("api_version") {
        report.manual(&field, "not needed for Azure's v1 API; check that the model is there");
    }
    for (name, field) in params.entries() {
        let prefixes = ["aws_", "vertex_", "azure_", "watsonx_", "s3_", "gcs_"];
        let cloud = prefixes.iter().any(|prefix| name.starts_with(prefix));
        if cloud || matches!(name, "tenant_id" | "client_id" | "client_secret") {
            report.manual(&field, "signing in to a cloud is not supported: use an API key");
        }
    }
}
