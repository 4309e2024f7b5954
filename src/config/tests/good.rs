//! What a good configuration becomes.

use crate::config::{
    BudgetMode, Config, HedgeConfig, KeyHash, KeyKind, LimitReset, ProviderFormat, SecretRef,
    Timeouts, resolve_secrets, show,
};
use crate::money::PicoUsd;

use super::{Folder, env, load_text};

/// The operator's contract, with the one provider it mentions without defining.
pub(super) const EXAMPLE: &str = r#"
#:schema ./arouter.schema.json
version = 1

[server]
listen = ["127.0.0.1:8080"]
threads = 0
max_body_bytes = 33554432
drain_timeout_s = 300
keepalive_comment_s = 15

[admin]
listen = "127.0.0.1:9090"

[store]
url = "sqlite://data/arouter.db"
journal_dir = "data/journal"

[defaults]
provider = "openai"
model = "openai/gpt-5.4"

[providers.openai]
format = "openai"
base_url = "https://api.openai.com/v1"
keys = [{ env = "OPENAI_API_KEY" }]
aliases = ["oai"]
timeouts = { connect_ms = 2000, first_byte_ms = 60000, first_token_ms = 60000, idle_ms = 60000, total_ms = 600000 }
honours_cancel = true
data_policy = { zdr = false, trains = false, retains_days = 30 }

[providers.anthropic]
format = "anthropic"
base_url = "https://api.anthropic.com"
keys = [{ env = "ANTHROPIC_API_KEY" }]

[providers.google]
format = "gemini"
base_url = "https://generativelanguage.googleapis.com"
keys = [{ env = "GEMINI_API_KEY" }]

[providers.azure]
format = "openai"
base_url = "https://example.openai.azure.com/openai/v1"

[models."openai/gpt-5.4"]
endpoints = [
  { provider = "openai", upstream_model = "gpt-5.4", price = { prompt = "2.5", completion = "10", cache_read = "0.25" } },
  { provider = "azure",  upstream_model = "gpt-5.4-eu", price = { prompt = "2.4", completion = "10" } },
]
context_length = 128000
max_completion_tokens = 16384

[aliases]
"fast" = ["openai/gpt-5.4-mini", "google/gemini-2.5-flash"]

[keys.demo]
secret = { env = "AROUTER_DEMO_KEY" }
kind = "regular"
limit_usd = "5.00"
limit_reset = "daily"
rate_limit = { requests_per_minute = 60, requests_per_day = 1000, tokens_per_minute = 100000, concurrent = 20 }
allowed_providers = ["openai"]
allowed_models = ["openai/*"]
budget_mode = "estimate"

[account]
opening_balance_usd = "100.00"

[routing]
max_attempts = 5
retry_budget = 0.2
breaker = { consecutive_failures = 5, window_s = 30, open_s = 30, max_open_s = 300 }
hedge = { "openai/gpt-5.4" = { min_silence_ms = 300 } }

[log]
level = "info"
format = "json"
"#;

#[test]
fn the_documented_example_loads_without_a_warning() {
    let loaded = load_text(EXAMPLE).unwrap();
    let warned: Vec<String> = loaded.warnings.iter().map(|w| w.message.clone()).collect();
    assert!(warned.is_empty(), "{warned:?}");
    let config = loaded.config;
    let openai = &config.providers["openai"];
    assert_eq!(openai.format, Some(ProviderFormat::Openai));
    assert_eq!(openai.base_url.as_ref().unwrap().to_string(), "https://api.openai.com/v1");
    assert_eq!(openai.pool()[0].reference, SecretRef::Env("OPENAI_API_KEY".to_owned()));
    assert_eq!(openai.pool()[0].weight, 1);
    assert_eq!(openai.timeouts, Timeouts { first_byte_ms: Some(60_000), ..Timeouts::default() });
    assert_eq!(openai.data_policy.retains_days, Some(30));
    let model = &config.models["openai/gpt-5.4"];
    let price = model.endpoints.as_ref().unwrap()[0].price.as_ref().unwrap();
    assert_eq!(price.prompt.pico_per_token(), 2_500_000);
    assert_eq!(price.cache_read.unwrap().pico_per_token(), 250_000);
    let key = &config.keys["demo"];
    assert_eq!(key.limit_usd, Some(PicoUsd::from_pico(5 * PicoUsd::PER_USD)));
    assert_eq!((key.kind, key.limit_reset), (KeyKind::Regular, LimitReset::Daily));
    assert_eq!(key.budget_mode, BudgetMode::Estimate);
    assert_eq!(key.rate_limit.concurrent, Some(20));
    assert_eq!(config.routing.breaker.max_open_s, 300);
    let hedge = HedgeConfig { min_silence_ms: 300, max_percent: 10 };
    assert_eq!(config.routing.hedge["openai/gpt-5.4"], hedge);
    assert_eq!(config.provider("OAI").unwrap().0, "openai");
}

#[test]
fn nothing_written_means_the_defaults() {
    let loaded = load_text("# Nothing but a remark.\n").unwrap();
    assert_eq!(loaded.config, Config::default());
    assert_eq!(loaded.warnings.len(), 1, "{:?}", loaded.warnings);
}

#[test]
fn an_omitted_allow_list_is_not_an_empty_one() {
    let text = "[keys.a]\nsecret = { env = \"AROUTER_DEMO_KEY\" }\n";
    assert_eq!(load_text(text).unwrap().config.keys["a"].allowed_models, None);
    let text = format!("{text}allowed_models = []\n");
    assert_eq!(load_text(&text).unwrap().config.keys["a"].allowed_models, Some(Vec::new()));
}

#[test]
fn yaml_means_the_same_as_toml() {
    let yaml = "
version: 1
server: { listen: [\"127.0.0.1:8080\"] }
providers:
  openai:
    format: openai
    base_url: https://api.openai.com/v1
    keys:
      - env: OPENAI_API_KEY
        weight: 2
models:
  openai/x:
    endpoints:
      - provider: openai
        price: { prompt: \"2.5\", completion: 10 }
keys:
  a: { secret: { env: AROUTER_DEMO_KEY }, expires_at: 2027-01-31T00:00:00Z }
";
    let toml = "
version = 1
server.listen = [\"127.0.0.1:8080\"]
providers.openai = { format = \"openai\", base_url = \"https://api.openai.com/v1\", keys = [{ env = \"OPENAI_API_KEY\", weight = 2 }] }
models.\"openai/x\".endpoints = [{ provider = \"openai\", price = { prompt = \"2.5\", completion = 10 } }]
keys.a = { secret = { env = \"AROUTER_DEMO_KEY\" }, expires_at = 2027-01-31T00:00:00Z }
";
    let folder = Folder::new();
    let from_yaml = crate::config::load(&folder.file("a.yaml", yaml), &env).unwrap();
    assert_eq!(from_yaml.config, load_text(toml).unwrap().config);
    assert!(from_yaml.config.keys["a"].expires_at.is_some());
}

#[test]
fn what_is_shown_loads_to_the_same() {
    let config = load_text(EXAMPLE).unwrap().config;
    let shown = show::effective(&config, show::Detail::Full).to_string();
    assert_eq!(load_text(&shown).unwrap().config, config);
    let written = load_text(EXAMPLE).unwrap().written;
    assert_eq!(load_text(&written).unwrap().config, config);
}

#[test]
fn literal_secrets_are_never_shown() {
    let text = "
store.url = 'postgres://user:canary@db/x'
[providers.a]
format = 'openai'
base_url = 'https://a.example'
keys = [{ insecure_literal = 'canary' }]
[keys.k]
secret = { insecure_literal = 'canary-canary-canary' }
";
    let loaded = load_text(text).unwrap();
    let shown = show::effective(&loaded.config, show::Detail::Full).to_string();
    let (secrets, errors) = resolve_secrets(&loaded.config, &env);
    assert!(errors.is_empty());
    assert_eq!(secrets.providers["a"][0].secret.expose(), "canary");
    let json = serde_json::to_string(&loaded.config).unwrap();
    for text in [format!("{loaded:?}"), shown, json, format!("{secrets:?}"), loaded.written] {
        assert!(!text.contains("canary"), "{text}");
    }
}

#[test]
fn redacted_text_tells_nothing_of_the_machine() {
    let text = "
store.url = 'sqlite:///srv/canary.db'
[providers.a]
format = 'openai'
base_url = 'https://a.example'
keys = [{ env = 'CANARY' }, { file = '/canary' }]
headers = { X-Team = 'canary' }
";
    let config = load_text(text).unwrap().config;
    let shown = show::effective(&config, show::Detail::Redacted).to_string();
    assert!(!shown.to_lowercase().contains("canary"), "{shown}");
}

#[test]
fn key_hashes_are_read_and_written() {
    let hash = KeyHash::of("lr_live_x");
    assert_eq!(hash.to_string().parse::<KeyHash>(), Ok(hash));
    assert_eq!(
        KeyHash::of("abc").to_string(),
        "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
    for bad in [
        "",
        "sha256:",
        "ba78",
        "sha256:+a7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    ] {
        assert!(bad.parse::<KeyHash>().is_err(), "{bad}");
    }
}

#[test]
fn a_difference_names_paths_and_both_values() {
    let before = load_text(EXAMPLE).unwrap().config;
    let after = load_text(&EXAMPLE.replace("threads = 0", "threads = 2")).unwrap().config;
    let expected = ("server.threads".to_owned(), Some("0".to_owned()), Some("2".to_owned()));
    assert_eq!(show::diff(&before, &after), [expected]);
    assert_eq!(show::diff(&before, &before), []);
}
