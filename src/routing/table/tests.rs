//! Which names lead where, and which nowhere.

use super::*;
use crate::config::{Quantization, RateLimit};
use crate::providers::{KeyPool, Timeouts, vendor};
use crate::upstream::{Http2, Upstream, UpstreamOptions};
use std::time::Duration;

fn provider(slug: &str, format: ApiFormat, aliases: &[&str]) -> Arc<Provider> {
    let second = Duration::from_secs(1);
    let options = UpstreamOptions {
        host: "127.0.0.1".into(),
        port: 1,
        tls: false,
        http2: Http2::Never,
        ca: None,
        connect_timeout: second,
        allow_private: true,
        group_key: 0,
    };
    Arc::new(Provider {
        slug: slug.into(),
        display_name: slug.into(),
        aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect(),
        vendor: vendor(format),
        dialect: &crate::formats::openai_chat::dialect::OPENAI,
        price_list: crate::catalog::list(slug),
        upstream: Upstream::new(options),
        authority: http::HeaderValue::from_static("h"),
        base_path: String::new(),
        keys: KeyPool::new(Vec::new()),
        extra_headers: Vec::new(),
        timeouts: Timeouts {
            first_byte: second,
            whole_first_byte: second,
            first_token: second,
            idle: second,
            total: second,
        },
        honours_cancel: true,
        byok: false,
        data_policy: crate::config::DataPolicy::default(),
    })
}

fn model(id: &str, endpoints: &[(&str, &str)]) -> Model {
    let endpoint = |(provider, name): &(&str, &str)| Endpoint {
        provider: (*provider).into(),
        upstream_model: (*name).into(),
        pricing: None,
        context_length: None,
        max_completion_tokens: Some(7),
        quantization: Quantization::default(),
        data_policy: None,
        abilities: Abilities::default(),
        parameters: None,
    };
    Model {
        id: id.into(),
        endpoints: endpoints.iter().map(endpoint).collect(),
        context_length: None,
        max_completion_tokens: Some(7),
        rate_limit: RateLimit::default(),
        distillable: None,
    }
}

fn table() -> RoutingTable {
    let providers = vec![
        provider("openai", ApiFormat::OpenAiChat, &["oai"]),
        provider("xai", ApiFormat::OpenAiChat, &[]),
        provider("claude", ApiFormat::Anthropic, &[]),
        provider("anthropic", ApiFormat::Anthropic, &[]),
        provider("google", ApiFormat::Gemini, &[]),
    ];
    let models = vec![
        model("openai/gpt", &[("openai", "gpt-eu"), ("xai", "gpt-copy")]),
        model("openai/gone", &[("nobody", "x")]),
        model("house-model", &[("xai", "h")]),
    ];
    let aliases = [
        ("fast".to_owned(), vec!["openai/gpt".to_owned(), "google/g".to_owned()]),
        ("broken".to_owned(), vec!["nobody/x".to_owned()]),
        ("openai/shadow".to_owned(), vec!["xai/real".to_owned()]),
    ];
    RoutingTable::new(providers, models, aliases.into(), (Some("OpenAI"), Some("fast")))
}

/// Providers and their names of the model, in the order of the plan.
fn plan(names: &[&str], home: Option<ApiFormat>) -> Result<Vec<String>, RouteError> {
    let plan = table().plan(names, home)?;
    let shown = |candidate: &Arc<Candidate>| {
        format!("{}:{}={}", candidate.provider.slug, candidate.upstream_model, candidate.canonical)
    };
    Ok(plan.candidates.iter().map(shown).collect())
}

#[test]
fn names_that_lead_somewhere() {
    let gpt = ["openai:gpt-eu=openai/gpt", "xai:gpt-copy=openai/gpt"];
    let cases: &[(&str, &[&str])] = &[
        ("openai/gpt", &gpt),
        ("OAI/gpt", &gpt),
        ("gpt", &gpt),
        ("house-model", &["xai:h=house-model"]),
        ("openai/new", &["openai:new=openai/new"]),
        ("new", &["openai:new=openai/new"]),
        ("x-ai/grok", &["xai:grok=xai/grok"]),
        ("X-AI/Grok", &["xai:Grok=xai/Grok"]),
        ("gemini/g", &["google:g=google/g"]),
        ("openai/org/model:tag", &["openai:org/model:tag=openai/org/model:tag"]),
        ("fast", &[gpt[0], gpt[1], "google:g=google/g"]),
        ("openai/shadow", &["xai:real=xai/real"]),
    ];
    for (name, expected) in cases {
        assert_eq!(plan(&[name], None).unwrap(), *expected, "{name}");
    }
}

#[test]
fn names_that_lead_nowhere() {
    let unknown = |name: &str| Err(RouteError::Unknown(name.to_owned()));
    for name in ["nobody/x", "openai/", "/x", "/", "openai/gone"] {
        assert_eq!(plan(&[name], None), unknown(name), "{name}");
    }
    assert_eq!(plan(&["broken"], None), unknown("nobody/x"));
    let long = "m".repeat(MAX_MODEL_NAME_BYTES + 1);
    let bad = [
        "",
        " ",
        "a b",
        "a\nb",
        "a\"b",
        "a\\b",
        "caf\u{e9}",
        "..",
        "openai/..",
        "a/./b",
        "../x",
        &long,
    ];
    for name in bad {
        assert_eq!(plan(&[name], None), Err(RouteError::BadName), "{name:?}");
    }
}

#[test]
fn several_names_and_none() {
    let listed = plan(&["nobody/x", "xai/a", "openai/b", "xai/a"], None).unwrap();
    assert_eq!(listed, ["xai:a=xai/a", "openai:b=openai/b"]);
    assert_eq!(plan(&[], None).unwrap().len(), 3, "the default model");
    assert_eq!(RoutingTable::default().plan(&[], None).unwrap_err(), RouteError::NoModel);
    assert!(RoutingTable::default().plan(&["bare"], None).is_err());
}

#[test]
fn bare_names_on_a_vendors_own_endpoint() {
    let of = |home| plan(&["bare"], Some(home)).unwrap();
    assert_eq!(of(ApiFormat::Anthropic), ["anthropic:bare=anthropic/bare"]);
    assert_eq!(of(ApiFormat::Gemini), ["google:bare=google/bare"]);
    let other = plan(&["openai/gpt"], Some(ApiFormat::Anthropic)).unwrap();
    assert_eq!(other.len(), 2);
}

#[test]
fn what_is_configured_is_marked() {
    let first = |name: &str| table().plan(&[name], None).unwrap().candidates.remove(0);
    assert!(first("gpt").configured && first("fast").configured);
    assert_eq!(first("gpt").max_completion_tokens, Some(7));
    assert!(!first("openai/new").configured && !first("bare").configured);
}

#[test]
fn a_providers_own_name_of_a_configured_model_costs_the_same() {
    let plan = table().plan(&["openai/gpt-eu"], None).unwrap();
    let candidate = plan.candidates.first().unwrap();
    assert_eq!(&*candidate.canonical, "openai/gpt-eu");
    assert_eq!(candidate.max_completion_tokens, Some(7));
    let unknown = table().plan(&["openai/other"], None).unwrap();
    assert_eq!(unknown.candidates.first().unwrap().max_completion_tokens, None);
}

#[test]
fn a_model_that_is_only_named_has_what_is_known_of_it() {
    let table = table();
    let first = |name: &str| table.plan(&[name], None).unwrap().candidates.remove(0);
    let dated = first("openai/gpt-4o-2099-12-31");
    let pricing = dated.pricing.clone().unwrap();
    assert!(pricing.version.starts_with("catalog-"), "{}", pricing.version);
    assert_eq!(pricing.rates(0).prompt.to_string(), "2.5");
    assert_eq!((dated.max_completion_tokens, dated.configured), (Some(16_384), false));
    assert!(first("openai/unheard-of").pricing.is_none());
    // The provider `claude` is none that is known.
    assert!(first("claude/claude-sonnet-4-5").pricing.is_none());
    assert!(first("anthropic/claude-sonnet-4-5").pricing.is_some());
}
