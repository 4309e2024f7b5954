//! Sample configurations: each imported one loads, nothing of the input goes unmentioned, and no
//! secret comes out.

use std::collections::BTreeSet;
use std::path::Path;

use proptest::prelude::*;

use super::input::Field;
use super::report::Class;
use super::{Imported, import_litellm};
use crate::cli::CliError;
use crate::config::{Config, SecretRef, load_text, parse_yaml};

const SAMPLES: [(&str, &str); 7] = [
    ("vendors", include_str!("tests/samples/vendors.yaml")),
    ("clouds", include_str!("tests/samples/clouds.yaml")),
    ("balancing", include_str!("tests/samples/balancing.yaml")),
    ("wildcards", include_str!("tests/samples/wildcards.yaml")),
    ("secrets", include_str!("tests/samples/secrets.yaml")),
    ("unknown", include_str!("tests/samples/unknown.yaml")),
    ("empty", include_str!("tests/samples/empty.yaml")),
];

fn import(text: &str) -> Imported {
    import_litellm(Path::new("config.yaml"), text).unwrap_or_else(|error| panic!("{error}"))
}

fn sample(name: &str) -> (Config, Imported) {
    let text = SAMPLES.iter().find(|(known, _)| *known == name).unwrap().1;
    let imported = import(text);
    let env = |name: &str| Some(format!("value-of-{name}"));
    let loaded = load_text(Path::new("a.toml"), &imported.config, &env).unwrap();
    (loaded.config, imported)
}

/// The class of a setting, and why.
fn item<'i>(imported: &'i Imported, setting: &str) -> (Class, &'i str) {
    let item = imported.report.items.iter().find(|item| item.setting == setting);
    let item = item.unwrap_or_else(|| panic!("{setting}: {}", imported.report.text(Path::new(""))));
    (item.class, &item.reason)
}

fn endpoints(config: &Config, model: &str) -> Vec<(String, String)> {
    let endpoints = config.models[model].endpoints.as_ref().unwrap();
    let pair =
        |e: &crate::config::EndpointConfig| (e.provider.clone(), e.upstream_model.clone().unwrap());
    endpoints.iter().map(pair).collect()
}

fn leaves(field: &Field<'_>, found: &mut Vec<String>) {
    let children = field.children();
    if children.is_empty() {
        found.push(field.path().to_owned());
    }
    for child in &children {
        leaves(child, found);
    }
}

#[test]
fn every_value_of_every_sample_is_in_the_report() {
    for (name, text) in SAMPLES {
        let imported = import(text);
        let root = parse_yaml(Path::new(name), 0, text).unwrap();
        let mut paths = Vec::new();
        leaves(&Field::root(&root), &mut paths);
        let seen: BTreeSet<&str> =
            imported.report.items.iter().map(|item| item.setting.as_str()).collect();
        for path in paths {
            let covered = seen.iter().any(|seen| {
                path.strip_prefix(seen)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
            });
            assert!(covered, "{name}: {path}");
        }
        assert_eq!(seen.len(), imported.report.items.len(), "one item a setting");
    }
}

#[test]
fn no_secret_comes_out() {
    for (name, text) in SAMPLES {
        let imported = import(text);
        let json = serde_json::to_string(&imported.report).unwrap();
        for text in [&imported.config, &json, &imported.report.text(Path::new("x"))] {
            assert!(!text.contains("canary"), "{name}: {text}");
        }
    }
}

/// Model, provider, format, address, upstream model, variable of the key (empty: none).
const VENDORS: [(&str, &str, &str, &str, &str, &str); 15] = [
    ("gpt-4o", "openai", "Openai", "https://api.openai.com/v1", "gpt-4o", "OPENAI_API_KEY"),
    ("bare", "openai-2", "Openai", "https://api.openai.com/v1", "gpt-4o-mini", "OPENAI_API_KEY"),
    (
        "claude",
        "anthropic",
        "Anthropic",
        "https://api.anthropic.com",
        "claude-sonnet-4-5",
        "ANTHROPIC_API_KEY",
    ),
    (
        "gemini-flash",
        "google",
        "Gemini",
        "https://generativelanguage.googleapis.com",
        "gemini-2.5-flash",
        "GEMINI_API_KEY",
    ),
    (
        "groq-llama",
        "groq",
        "Openai",
        "https://api.groq.com/openai/v1",
        "llama-3.3-70b-versatile",
        "GROQ_API_KEY",
    ),
    (
        "mistral",
        "mistral",
        "Openai",
        "https://api.mistral.ai/v1",
        "mistral-large-latest",
        "MISTRAL_API_KEY",
    ),
    (
        "deepseek",
        "deepseek",
        "Openai",
        "https://api.deepseek.com/v1",
        "deepseek-chat",
        "DEEPSEEK_API_KEY",
    ),
    ("grok", "xai", "Openai", "https://api.x.ai/v1", "grok-4", "XAI_API_KEY"),
    (
        "router",
        "openrouter",
        "Openai",
        "https://openrouter.ai/api/v1",
        "anthropic/claude-sonnet-4.5",
        "OPENROUTER_API_KEY",
    ),
    (
        "together",
        "together",
        "Openai",
        "https://api.together.xyz/v1",
        "meta-llama/Llama-3.3-70B-Instruct-Turbo",
        "TOGETHERAI_API_KEY",
    ),
    (
        "fireworks",
        "fireworks",
        "Openai",
        "https://api.fireworks.ai/inference/v1",
        "accounts/fireworks/models/llama-v3p1-8b-instruct",
        "FIREWORKS_API_KEY",
    ),
    ("local", "ollama", "Openai", "http://localhost:11434/v1", "llama3", ""),
    ("vllm", "vllm", "Openai", "http://10.0.0.5:8000/v1", "qwen3", ""),
    ("container", "llm-8000", "Openai", "http://llm:8000/v1", "any", ""),
    ("here", "127.0.0.1-9000", "Openai", "http://127.0.0.1:9000", "any", ""),
];

#[test]
fn vendors_are_reached_at_their_addresses() {
    let (config, imported) = sample("vendors");
    for (model, slug, format, url, upstream, env) in VENDORS {
        assert_eq!(endpoints(&config, model), [(slug.to_owned(), upstream.to_owned())]);
        let provider = &config.providers[slug];
        assert_eq!(format!("{:?}", provider.format.unwrap()), format, "{model}");
        assert_eq!(provider.base_url.as_ref().unwrap().to_string(), url, "{model}");
        let keys: Vec<_> = provider.pool().iter().map(|key| key.reference.clone()).collect();
        let expected: Vec<_> = [env]
            .iter()
            .filter(|e| !e.is_empty())
            .map(|e| SecretRef::Env((*e).to_owned()))
            .collect();
        assert_eq!(keys, expected, "{model}");
    }
    assert!(
        config.providers["vllm"].private_network && config.providers["llm-8000"].private_network
    );
    assert!(!config.providers["ollama"].private_network);
    assert_eq!(config.providers["openai"].headers["OpenAI-Organization"], "org-1");
    assert_eq!(config.providers["anthropic"].headers["anthropic-beta"], "context-1m");
    let price = config.models["gpt-4o"].endpoints.as_ref().unwrap()[0].price.clone().unwrap();
    assert_eq!(
        (price.prompt.to_string(), price.completion.to_string()),
        ("2.5".into(), "10".into())
    );
    let at = |setting: &str| item(&imported, setting).0;
    assert_eq!(at("model_list[0].litellm_params.api_key"), Class::Exact);
    assert_eq!(at("model_list[2].litellm_params.extra_headers.x-secret-token"), Class::Manual);
    assert_eq!(at("model_list[11].litellm_params.model"), Class::Approximate);
    assert_eq!(at("model_list[11].litellm_params.api_base"), Class::Approximate);
}

#[test]
fn clouds_are_left_to_people() {
    let (config, imported) = sample("clouds");
    assert_eq!(config.models.keys().collect::<Vec<_>>(), ["azure-env", "azure-gpt"]);
    let azure = &config.providers["azure"];
    assert_eq!(
        azure.base_url.as_ref().unwrap().to_string(),
        "https://example.openai.azure.com/openai/v1"
    );
    let placeholder = config.providers["azure-2"].base_url.as_ref().unwrap();
    assert_eq!(placeholder.host(), "azure.set-me.invalid");
    for (setting, class, reason) in [
        ("model_list[0].litellm_params.model", Class::Manual, "v1 API"),
        ("model_list[1].litellm_params.api_base", Class::Manual, "environment"),
        ("model_list[2].litellm_params.model", Class::Unsupported, "signing"),
        ("model_list[2].litellm_params.vertex_project", Class::Unsupported, "left out"),
        ("model_list[3].litellm_params.model", Class::Unsupported, "signing"),
        ("model_list[3].litellm_params.rpm", Class::Unsupported, "left out"),
        ("model_list[3].model_info.mode", Class::Unsupported, "left out"),
        ("model_list[4].litellm_params.model", Class::Unsupported, "none of the three"),
        ("model_list[5].litellm_params.model", Class::Manual, "not known"),
        ("model_list[6].model_name", Class::Manual, "cannot have this name"),
        ("model_list[6].litellm_params.model", Class::Unsupported, "left out with"),
        ("model_list[7].litellm_params.model", Class::Manual, "not written here"),
    ] {
        let (found, text) = item(&imported, setting);
        assert!(found == class && text.contains(reason), "{setting}: {found:?} {text}");
    }
}

#[test]
fn deployments_of_a_model_become_pools_and_endpoints() {
    let (config, imported) = sample("balancing");
    let pair = |provider: &str, model: &str| (provider.to_owned(), model.to_owned());
    let (own, claude) = (pair("openai", "gpt-4o"), pair("anthropic", "claude-sonnet-4-5"));
    let by_router = pair("openrouter", "openai/gpt-4o");
    assert_eq!(endpoints(&config, "gpt-4o"), [by_router.clone(), own.clone(), claude.clone()]);
    let other = pair("openai", "gpt-4.1");
    assert_eq!(endpoints(&config, "other"), [other, by_router, own, claude.clone()]);
    assert_eq!(endpoints(&config, "dev"), [pair("openai-2", "gpt-4o"), claude]);
    let keys = config.providers["openai"].pool();
    assert_eq!([keys[0].weight, keys[1].weight], [300, 150]);
    assert_eq!(keys[0].models.as_ref().unwrap(), &["gpt-4.1", "gpt-4o"]);
    assert_eq!(keys[1].models.as_ref().unwrap(), &["gpt-4o"]);
    let timeouts = config.providers["openai"].timeouts;
    assert_eq!((timeouts.first_byte_ms, timeouts.first_token_ms), (Some(90_000), 10_000));
    assert_eq!(config.providers["anthropic"].timeouts.first_token_ms, 45_000);
    assert_eq!(config.aliases["gpt-4"], ["gpt-4o"]);
    assert_eq!(config.aliases.len(), 2);
    assert_eq!(config.routing.max_attempts, 4, "every endpoint gets its attempt");
    let breaker = config.routing.breaker;
    assert_eq!((breaker.consecutive_failures, breaker.open_s, breaker.max_open_s), (4, 600, 600));
    assert_eq!(config.models["claude"].context_length, Some(200_000));
    assert!(!imported.config.contains("price"), "a cache price alone would make prompts free");
    for (setting, class) in [
        ("model_list[5].model_info.cache_read_input_token_cost", Class::Manual),
        ("model_list[0].litellm_params.rpm", Class::Unsupported),
        ("model_list[1].model_name", Class::Exact),
        ("model_list[2].model_name", Class::Approximate),
        ("router_settings.model_group_alias.nowhere", Class::Manual),
        ("router_settings.model_group_alias.gpt-4o", Class::Manual),
        ("router_settings.fallbacks[0].gpt-4o[0]", Class::Approximate),
        ("router_settings.fallbacks[0].gpt-4o[1]", Class::Manual),
        ("router_settings.redis_host", Class::Unsupported),
        ("litellm_settings.num_retries", Class::Unsupported),
        ("litellm_settings.request_timeout", Class::Unsupported),
        ("litellm_settings.context_window_fallbacks", Class::Unsupported),
    ] {
        assert_eq!(item(&imported, setting).0, class, "{setting}");
    }
}

#[test]
fn wildcards_are_prefixes() {
    let (config, imported) = sample("wildcards");
    assert_eq!(config.defaults.provider.as_deref(), Some("openai"));
    assert_eq!(config.provider("gemini").unwrap().0, "google");
    assert_eq!(config.provider("team").unwrap().0, "groq");
    assert_eq!(config.models.keys().collect::<Vec<_>>(), ["mini"]);
    let fallback = &endpoints(&config, "mini")[1];
    assert_eq!((fallback.0.as_str(), fallback.1.as_str()), ("groq", "llama-3.3-70b-versatile"));
    assert_eq!(item(&imported, "model_list[0].model_name").0, Class::Exact);
    assert_eq!(item(&imported, "model_list[2].model_name").0, Class::Approximate);
    assert_eq!(item(&imported, "model_list[3].model_name").0, Class::Manual);
    assert_eq!(item(&imported, "model_list[5].model_name").0, Class::Manual);
}

#[test]
fn literal_secrets_get_names() {
    let (config, imported) = sample("secrets");
    let env = |provider: &str| -> Vec<String> {
        let keys = config.providers[provider].pool().iter();
        keys.map(|key| match &key.reference {
            SecretRef::Env(name) => name.clone(),
            _ => panic!("{provider}"),
        })
        .collect()
    };
    // OPENAI_API_KEY is what `d` uses without saying so.
    assert_eq!(env("openai"), ["OPENAI_API_KEY_2", "OPENAI_API_KEY_3", "OPENAI_API_KEY"]);
    let secret = config.keys["master"].secret.as_ref().unwrap();
    assert_eq!(*secret, SecretRef::Env("AROUTER_MASTER_KEY".to_owned()));
    for setting in [
        "model_list[0].litellm_params.api_key",
        "model_list[4].litellm_params.api_base",
        "model_list[4].litellm_params.api_key",
        "general_settings.master_key",
        "general_settings.database_url",
        "environment_variables.REDIS_PASSWORD",
        "credential_list",
    ] {
        assert_eq!(item(&imported, setting).0, Class::Manual, "{setting}");
    }
}

#[test]
fn unknown_settings_are_reported_with_their_place() {
    let (config, imported) = sample("unknown");
    for setting in [
        "model_list[0].litellm_params.flux_capacitor",
        "model_list[0].model_info.colour",
        "model_list[0].extra",
        "litellm_settings.brand_new",
        "router_settings.brand_new",
        "general_settings.brand_new",
        "brand_new",
    ] {
        let (class, reason) = item(&imported, setting);
        assert!(class == Class::Unsupported && reason.contains("left out"), "{setting} {reason}");
    }
    let flux = imported.report.items.iter().find(|item| item.setting.ends_with("flux_capacitor"));
    assert_eq!(flux.map(|item| (item.line, item.column)), Some((6, 7)));
    assert_eq!(config.defaults.model.as_deref(), Some("a"));
    assert_eq!(config.server.max_body_bytes, 10 * 1024 * 1024);
    assert_eq!(config.log.level.as_str(), "debug");
    assert_eq!(item(&imported, "include").0, Class::Manual);
    assert_eq!(item(&imported, "guardrails").0, Class::Unsupported);
}

#[test]
fn broken_yaml_is_an_error_with_its_line() {
    for (text, line) in
        [("model_list:\n  - a: [1\n", ":"), ("a: 1\n b: 2\n", ":2:"), ("- 1\n", ":1:")]
    {
        let error = import_litellm(Path::new("config.yaml"), text).err().unwrap();
        assert!(matches!(error, CliError::Config(_)), "{error}");
        let text = error.to_string();
        assert!(text.starts_with("config.yaml:") && text.contains(line), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever the input says, what comes out loads.
    #[test]
    fn damaged_samples_never_make_a_bad_configuration(
        sample in 0..SAMPLES.len(),
        at in 0.0..1.0_f64,
        cut in 0_usize..30,
        insert in "[a-z0-9/*.:' \"_-]{0,8}",
    ) {
        let mut bytes = SAMPLES[sample].1.as_bytes().to_vec();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a place in a short text")]
        let at = (bytes.len() as f64 * at) as usize;
        let end = (at + cut).min(bytes.len());
        bytes.splice(at..end, insert.bytes());
        let result = import_litellm(Path::new("config.yaml"), &String::from_utf8_lossy(&bytes));
        if let Err(error) = result {
            prop_assert!(matches!(error, CliError::Config(_)), "{error}");
        }
    }
}
