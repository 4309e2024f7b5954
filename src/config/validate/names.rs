//! Checks of names that refer to other tables: `[defaults]`, `[models]`, `[aliases]`, `[keys]`.

use super::{Findings, steps};
use crate::catalog::model::VARIANTS;
use crate::config::models::{EndpointConfig, ModelConfig};
use crate::config::problem::nearest;
use crate::config::tree::Step;

/// More tokens than any model takes or gives; what is above is a mistake.
const MOST_TOKENS: u64 = 1_000_000_000;

pub(super) fn check(findings: &mut Findings<'_>) {
    let config = findings.config;
    if let Some(name) = &config.defaults.provider {
        check_provider(findings, &steps!["defaults", "provider"], name);
    }
    if let Some(model) = &config.defaults.model
        && !config.aliases.contains_key(model)
    {
        check_target(findings, &steps!["defaults", "model"], without_variants(model));
    }
    for (name, model) in &config.models {
        check_model(findings, name, model);
    }
    for (name, targets) in &config.aliases {
        check_alias(findings, name, targets);
    }
    for (index, model) in config.routing.auto.models.iter().enumerate() {
        check_target(findings, &steps!["routing", "auto", "models", index], model);
    }
    let (hedged, preset) = (config.routing.hedge.keys(), config.routing.presets.keys());
    for (table, name) in
        hedged.map(|name| ("hedge", name)).chain(preset.map(|name| ("presets", name)))
    {
        if !config.aliases.contains_key(name) {
            check_target(findings, &steps!["routing", table, name.as_str()], name);
        }
    }
    for (name, key) in &config.keys {
        for (index, provider) in key.allowed_providers.iter().flatten().enumerate() {
            check_provider(
                findings,
                &steps!["keys", name.as_str(), "allowed_providers", index],
                provider,
            );
        }
        for (index, pattern) in key.allowed_models.iter().flatten().enumerate() {
            if !is_model_name(pattern) {
                let at = steps!["keys", name.as_str(), "allowed_models", index];
                findings.error(&at, "not a pattern of model names", "such as \"openai/*\"");
            }
        }
    }
}

/// Visible characters without quotes; a model's name goes into paths, headers and logs.
fn is_model_name(name: &str) -> bool {
    let legal = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '?' | '#');
    (1..=256).contains(&name.len()) && name.chars().all(legal)
}

/// The provider must be configured; otherwise the nearest one is offered.
fn check_provider(findings: &mut Findings<'_>, at: &[Step], name: &str) {
    if findings.config.provider(name).is_none() {
        let hint = provider_hint(findings, name);
        findings.error(at, format!("no provider is named `{name}`"), &hint);
    }
}

fn provider_hint(findings: &Findings<'_>, typed: &str) -> String {
    let providers = &findings.config.providers;
    let aliases = providers.values().flat_map(|provider| &provider.aliases);
    let names = providers.keys().chain(aliases).map(String::as_str);
    match nearest(&typed.to_lowercase(), names.clone()) {
        Some(name) => format!("did you mean `{name}`?"),
        None if providers.is_empty() => format!("add a table [providers.{typed}]"),
        None => {
            let names: Vec<&str> = names.collect();
            format!("configured providers: {}", names.join(", "))
        }
    }
}

/// A model that requests are sent to: its own table, or a provider by its prefix or by default.
fn check_target(findings: &mut Findings<'_>, at: &[Step], target: &str) {
    let config = findings.config;
    if !is_model_name(target) {
        findings.error(at, "not the name of a model", "such as \"openai/gpt-5.4\"");
        return;
    }
    if config.models.contains_key(target) {
        return;
    }
    let Some((prefix, _)) = target.split_once('/') else {
        if config.defaults.provider.is_none() {
            let hint = match nearest(target, config.models.keys().map(String::as_str)) {
                Some(name) => format!("did you mean `{name}`?"),
                None => "write provider/model, or set defaults.provider".to_owned(),
            };
            findings.error(at, format!("nobody serves `{target}`"), &hint);
        }
        return;
    };
    if config.provider(prefix).is_none() {
        let hint = match nearest(target, config.models.keys().map(String::as_str)) {
            Some(name) => format!("did you mean `{name}`?"),
            None => provider_hint(findings, prefix),
        };
        let message = format!("nobody serves `{target}`: no provider is named `{prefix}`");
        findings.error(at, message, &hint);
    }
}

fn check_alias(findings: &mut Findings<'_>, name: &str, targets: &[String]) {
    let config = findings.config;
    let at = steps!["aliases", name];
    if !is_model_name(name) {
        findings.key_error(&at, "not a name a request can carry", "visible characters only");
    } else if config.models.contains_key(name) {
        let message = format!("`{name}` is also a table of [models]");
        findings.key_error(&at, message, "choose another name for one of them");
    }
    if targets.is_empty() {
        let hint = "list at least one model";
        findings.error(&at, format!("the alias `{name}` has no candidates"), hint);
    }
    for (index, target) in targets.iter().enumerate() {
        let at = steps!["aliases", name, index];
        if config.aliases.contains_key(target) {
            let message = format!("`{target}` is itself an alias");
            findings.error(&at, message, "list the models themselves");
        } else {
            check_target(findings, &at, without_variants(target));
        }
    }
}

/// A model's name without the variants that every model can be asked with.
fn without_variants(name: &str) -> &str {
    let mut base = name;
    while let Some((shorter, word)) = base.rsplit_once(':')
        && VARIANTS.contains(&word)
    {
        base = shorter;
    }
    base
}

fn check_model(findings: &mut Findings<'_>, name: &str, model: &ModelConfig) {
    let at = steps!["models", name];
    if !is_model_name(name) {
        findings.key_error(&at, "not a name a request can carry", "visible characters only");
    }
    check_sizes(findings, &at, (model.context_length, model.max_completion_tokens));
    match &model.endpoints {
        Some(endpoints) => check_endpoints(findings, name, endpoints),
        None => check_served(findings, name),
    }
}

/// Tokens that a model takes and gives, or one of its endpoints.
fn check_sizes(
    findings: &mut Findings<'_>,
    at: &[Step],
    (context_length, max_completion_tokens): (Option<u64>, Option<u64>),
) {
    for (key, tokens) in
        [("context_length", context_length), ("max_completion_tokens", max_completion_tokens)]
    {
        if let Some(tokens) = tokens {
            findings.range(&[at, &steps![key]].concat(), tokens, 1..=MOST_TOKENS);
        }
    }
}

/// A model without endpoints is served by the provider of its prefix.
fn check_served(findings: &mut Findings<'_>, name: &str) {
    let config = findings.config;
    let provider = match name.split_once('/') {
        Some((prefix, _)) => Some(prefix),
        None => config.defaults.provider.as_deref(),
    };
    if provider.is_none_or(|provider| config.provider(provider).is_none()) {
        let hint = "add `endpoints`, or start its name with a configured provider";
        findings.key_error(&steps!["models", name], format!("nobody serves `{name}`"), hint);
    }
}

fn check_endpoints(findings: &mut Findings<'_>, name: &str, endpoints: &[EndpointConfig]) {
    if endpoints.is_empty() {
        let hint = "list a provider, or leave `endpoints` out";
        findings.error(&steps!["models", name, "endpoints"], "the model has no endpoint", hint);
    }
    for (index, endpoint) in endpoints.iter().enumerate() {
        let at = |key: &str| steps!["models", name, "endpoints", index, key];
        check_provider(findings, &at("provider"), &endpoint.provider);
        if endpoint.upstream_model.as_ref().is_some_and(|model| !is_model_name(model)) {
            findings.error(&at("upstream_model"), "not the name of a model", "such as \"gpt-5.4\"");
        }
        if let Some(price) = &endpoint.price {
            super::prices::check(findings, &at("price"), price);
        }
        let sizes = (endpoint.context_length, endpoint.max_completion_tokens);
        check_sizes(findings, &steps!["models", name, "endpoints", index], sizes);
    }
}
