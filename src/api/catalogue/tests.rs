//! The catalogue of a small configuration, asked in every way.

mod filters;
mod shapes;

use super::*;
use crate::clock::Clock;
use crate::config::{self, RoutingConfig};
use crate::error::{GatewayError, Kind};
use crate::limits::{Meters, SteadyClock};
use crate::proxy::state::Snapshot;
use crate::routing::health::{Health, Sample};
use crate::server::build;
use serde_json::{Value, json};
use std::path::Path;

/// 2026-01-01.
const NOW_S: u64 = 1_767_225_600;

const SMALL: &str = r#"
version = 1
[defaults]
provider = "acme"
[providers.acme]
format = "openai"
base_url = "http://127.0.0.1:9/v1"
keys = []
aliases = ["ac"]
data_policy = { zdr = true }
[providers.beta]
format = "anthropic"
base_url = "http://127.0.0.1:9"
keys = []
byok = true
[models."acme/gpt-tall-2025-08-07"]
endpoints = [
  { provider = "beta", upstream_model = "tall", price = { prompt = "3", completion = "15" }, context_length = 200000 },
  { provider = "acme", price = { prompt = "2.5", completion = "10", cache_read = "0.25", tiers = [{ above_prompt_tokens = 100000, prompt = "5" }] }, quantization = "fp8", supported_parameters = ["max_tokens", "seed", "n"] },
]
context_length = 128000
max_completion_tokens = 16384
input_modalities = ["text", "image"]
distillable = true
[models."beta/small"]
endpoints = [{ provider = "beta", price = { prompt = "0", completion = "0" } }]
context_length = 8000
distillable = false
[models."beta/secret"]
[models."acme/text-embedder"]
endpoints = [{ provider = "acme", price = { prompt = "0.02", completion = "0" } }]
[models."acme/painter"]
output_modalities = ["text", "image"]
[aliases]
quick = ["beta/small", "acme/gpt-tall-2025-08-07"]
"#;

/// The same with a provider of which many models are known.
const KNOWN: &str = r#"
[providers.google]
base_url = "http://127.0.0.1:9"
keys = []
[models."google/flash"]
endpoints = [{ provider = "google", upstream_model = "gemini-2.5-flash" }]
[providers.azure]
base_url = "http://127.0.0.1:9"
keys = []
"#;

struct Rig {
    snapshot: Snapshot,
    health: Health,
    key: ApiKey,
}

impl Rig {
    fn small() -> Self {
        Self::of(SMALL)
    }

    fn known() -> Self {
        Self::of(&format!("{SMALL}{KNOWN}"))
    }

    fn of(text: &str) -> Self {
        let env = |_: &str| None;
        let loaded = config::load_text(Path::new("/test/arouter.toml"), text, &env);
        let loaded = loaded.unwrap_or_else(|error| panic!("{error}"));
        let (secrets, _) = config::resolve_secrets(&loaded.config, &env);
        let meters = Meters::new(SteadyClock::new(Clock::System));
        let snapshot = build::snapshot(&loaded, &secrets, &meters).unwrap();
        let health = Health::new(&RoutingConfig::default());
        Self { snapshot, health, key: ApiKey::example("a") }
    }

    /// Asks at a path below `/v1`.
    async fn try_get(&self, target: &str) -> Result<Value, GatewayError> {
        let (path, query) = target.split_once('?').map_or((target, None), |(p, q)| (p, Some(q)));
        let lookup = match path.strip_prefix("/v1beta/models") {
            Some("") => Lookup::GeminiModels,
            Some(name) => Lookup::GeminiModel(name.trim_start_matches('/').to_owned()),
            None => lookup::find(path, |name| Ok::<_, ()>(name.to_owned())).unwrap().unwrap(),
        };
        let view = View {
            catalogue: &self.snapshot.catalogue,
            routing: &self.snapshot.routing,
            key: &self.key,
            health: &self.health,
            now_s: NOW_S,
            root: "/v1",
        };
        let body = answer(view, &lookup, query).await?;
        Ok(serde_json::from_slice(&body).unwrap())
    }

    async fn get(&self, target: &str) -> Value {
        self.try_get(target).await.unwrap_or_else(|error| panic!("{target}: {error}"))
    }

    /// The ids of a list, in its order.
    async fn ids(&self, target: &str) -> Vec<String> {
        let list = self.get(target).await;
        let data = list["data"].as_array().unwrap();
        data.iter().map(|model| model["id"].as_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test]
async fn a_key_sees_what_it_may_use_as_it_would_be_served() {
    let mut rig = Rig::small();
    let tall = "/models/acme/gpt-tall-2025-08-07";
    assert_eq!(rig.get(tall).await["pricing"]["prompt"], "0.000003");
    rig.key.allowed_providers = Some(vec!["AC".into()]);
    assert_eq!(rig.ids("/models").await, ["acme/gpt-tall-2025-08-07", "acme/painter", "quick"]);
    let model = rig.get(tall).await;
    // What the other provider takes or holds is not said.
    assert_eq!(model["pricing"]["prompt"], "0.0000025");
    assert_eq!(model["context_length"], 128_000);
    assert_eq!(model["supported_parameters"], json!(["max_tokens", "seed"]));
    // The alias leads elsewhere for this key.
    assert_eq!(rig.get("/models/quick").await["context_length"], 128_000);
    let endpoints = rig.get(&format!("{tall}/endpoints")).await;
    assert_eq!(endpoints["data"]["endpoints"].as_array().unwrap().len(), 1);
    let providers = rig.get("/providers").await;
    assert_eq!(providers["data"].as_array().unwrap().len(), 1);
    assert_eq!(providers["data"][0]["model_count"], 3);

    rig.key.allowed_providers = None;
    rig.key.allowed_models = Some(vec!["beta/*".into()]);
    assert_eq!(rig.ids("/models").await, ["beta/secret", "beta/small", "quick"]);
    assert_eq!(rig.get("/models/count").await, json!({ "data": { "count": 3 } }));
    for path in [tall, "/model/acme/painter", "/parameters/acme/painter"] {
        let error = rig.try_get(path).await.unwrap_err();
        assert_eq!((error.kind, error.param.as_deref()), (Kind::NotFound, Some("model")), "{path}");
    }
    rig.key.allowed_models = None;
    rig.key.enforce_zdr = true;
    assert_eq!(rig.ids("/models").await, ["acme/gpt-tall-2025-08-07", "acme/painter", "quick"]);
    rig.key.allowed_providers = Some(Vec::new());
    assert_eq!(rig.get("/models").await["data"], json!([]));
    assert_eq!(rig.get("/v1beta/models").await, json!({ "models": [] }));
    for path in ["/providers", "/endpoints/zdr"] {
        assert_eq!(rig.get(path).await, json!({ "data": [] }), "{path}");
    }
}

#[tokio::test]
async fn models_of_known_providers_are_listed_once() {
    let rig = Rig::known();
    let ids = rig.ids("/models?output_modalities=all").await;
    let google = catalog::list("google").unwrap().names().count();
    let listed = ids.iter().filter(|id| id.starts_with("google/")).count();
    assert!(google > 50, "{google}");
    // One is configured under another name and shown as that.
    assert_eq!(listed, google);
    assert!(ids.contains(&"google/flash".into()) && ids.is_sorted());
    assert!(!ids.contains(&"google/gemini-2.5-flash".into()));
    // Deployments of Azure have names of their own.
    assert!(!ids.iter().any(|id| id.starts_with("azure/")), "{ids:?}");
    let providers = rig.get("/providers").await;
    let counted = providers["data"].as_array().unwrap().iter().find(|one| one["id"] == "google");
    assert_eq!(counted.unwrap()["model_count"], google);
    assert_eq!(counted.unwrap()["headquarters"], "US");
}

/// Everything that is known is listed with legal values, in objects that are made beforehand.
#[tokio::test]
async fn the_whole_catalogue() {
    use std::fmt::Write;
    let mut text = "version = 1\n".to_owned();
    let mut expected = 0;
    for known in crate::providers::known::providers().iter().filter(|one| one.kind.is_none()) {
        writeln!(text, "[providers.{}]\nkeys = []", known.name).unwrap();
        expected += catalog::list(&known.name).map_or(0, |list| list.names().count());
    }
    let begun = std::time::Instant::now();
    let rig = Rig::of(&text);
    eprintln!("made in {:?}", begun.elapsed());
    assert!(expected > 2_000, "{expected}");
    let begun = std::time::Instant::now();
    let list = rig.get("/models?output_modalities=all").await;
    eprintln!("list+parse {:?}", begun.elapsed());
    let begun = std::time::Instant::now();
    let view = View {
        catalogue: &rig.snapshot.catalogue,
        routing: &rig.snapshot.routing,
        key: &rig.key,
        health: &rig.health,
        now_s: NOW_S,
        root: "/v1",
    };
    let body = answer(view, &Lookup::Models, None).await.unwrap();
    eprintln!("list {:?} {} bytes", begun.elapsed(), body.len());
    assert_eq!(list["data"].as_array().unwrap().len(), expected);
    let mut seen = HashSet::new();
    for model in list["data"].as_array().unwrap() {
        assert!(seen.insert(model["id"].as_str().unwrap()), "{model}");
        assert!(!model["name"].as_str().unwrap().ends_with(": "), "{model}");
        for price in ["prompt", "completion", "request"] {
            let price = model["pricing"][price].as_str().unwrap();
            assert!(price == "-1" || price.parse::<f64>().unwrap() >= 0.0, "{model}");
        }
        for side in ["input_modalities", "output_modalities"] {
            assert!(!model["architecture"][side].as_array().unwrap().is_empty(), "{model}");
        }
    }
    let text = rig.get("/models/count").await["data"]["count"].as_u64().unwrap();
    assert!(text > 1_500 && usize::try_from(text).unwrap() < expected, "{text}");
}

#[tokio::test]
async fn every_name_of_a_model_finds_it() {
    let rig = Rig::known();
    let table = [
        ("beta/small", Some("beta/small")),
        ("BETA/small", Some("beta/small")),
        ("ac/painter", Some("acme/painter")),
        ("painter", Some("acme/painter")),
        ("quick", Some("quick")),
        ("google/flash", Some("google/flash")),
        ("gemini/gemini-2.5-flash", Some("google/flash")),
        ("google/gemini-2.5-pro", Some("google/gemini-2.5-pro")),
        ("beta/tall", Some("acme/gpt-tall-2025-08-07")),
        ("google/nothing", None),
        ("nobody/small", None),
        ("beta/", None),
        ("..", None),
    ];
    for (name, id) in table {
        let found = rig.try_get(&format!("/models/{name}")).await.ok();
        assert_eq!(found.as_ref().and_then(|model| model["id"].as_str()), id, "{name}");
        let wrapped = rig.try_get(&format!("/model/{name}")).await.ok();
        assert_eq!(wrapped.map(|answer| answer["data"].clone()), found, "{name}");
    }
}

#[tokio::test]
async fn endpoints_tell_how_they_are_doing() {
    let rig = Rig::small();
    let endpoints = "/models/acme/gpt-tall-2025-08-07/endpoints";
    let fresh = rig.get(endpoints).await;
    assert_eq!(fresh["data"]["endpoints"][0]["status"], 0);
    assert_eq!(fresh["data"]["endpoints"][0]["uptime_last_5m"], Value::Null);
    let sample = Sample { first_token_ms: Some(250), total_ms: 1250, completion_tokens: Some(50) };
    for _ in 0..30 {
        let now_ms = rig.health.now_ms();
        let permit = rig.health.endpoint("beta", "tall").enter(now_ms).unwrap();
        permit.succeeded(sample, now_ms);
    }
    for _ in 0..10 {
        let now_ms = rig.health.now_ms();
        if let Ok(permit) = rig.health.endpoint("beta", "tall").enter(now_ms) {
            permit.failed(Kind::ProviderUnavailable, now_ms);
        }
    }
    let shown = rig.get(endpoints).await;
    let (beta, acme) = (&shown["data"]["endpoints"][0], &shown["data"]["endpoints"][1]);
    assert_eq!(beta["status"], -2, "{beta}");
    for window in ["uptime_last_5m", "uptime_last_30m", "uptime_last_1d"] {
        let percent = beta[window].as_f64().unwrap();
        assert!((70.0..95.0).contains(&percent), "{window}: {percent}");
        assert_eq!(acme[window], Value::Null);
    }
    let wait_ms = beta["latency_last_30m"]["p50"].as_f64().unwrap();
    assert!((200.0..300.0).contains(&wait_ms), "{wait_ms}");
    assert!(beta["throughput_last_30m"]["p99"].as_f64().unwrap() > 1.0);
    assert_eq!((&acme["status"], &acme["latency_last_30m"]), (&json!(0), &Value::Null));
    // What was called comes before what was not.
    for sort in ["throughput-high-to-low", "latency-low-to-high"] {
        let ids = rig.ids(&format!("/models?sort={sort}")).await;
        assert_eq!(ids[0], "acme/gpt-tall-2025-08-07", "{sort}");
    }
}

#[tokio::test]
async fn gemini_pages_hold_every_model_once_and_googles_first() {
    let rig = Rig::known();
    let (mut names, mut token, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let page = rig.get(&format!("/v1beta/models?pageSize=7&pageToken={token}")).await;
        let models = page["models"].as_array().unwrap();
        assert!((1..=7).contains(&models.len()));
        names.extend(models.iter().map(|model| model["name"].as_str().unwrap().to_owned()));
        pages += 1;
        match page["nextPageToken"].as_str() {
            Some(next) => token = next.to_owned(),
            None => break,
        }
    }
    let whole = rig.get("/v1beta/models?pageSize=1000").await;
    assert_eq!(whole["models"].as_array().unwrap().len(), names.len());
    assert!(pages > 5 && whole.get("nextPageToken").is_none());
    let (others, googles): (Vec<&String>, Vec<&String>) = names.iter().partition(|name| {
        let name = name.strip_prefix("models/").unwrap();
        name == "quick" || name.starts_with("acme/") || name.starts_with("beta/")
    });
    assert!(googles.contains(&&"models/flash".to_owned()) && others.len() == 5, "{names:?}");
    assert!(names[googles.len()..].iter().eq(others), "{names:?}");
    assert!(!names.iter().any(|name| name.contains("embed")), "{names:?}");
    assert_eq!(rig.get("/v1beta/models").await["models"].as_array().unwrap().len(), 50);
    for name in ["flash", "google/flash", "gemini-2.5-flash"] {
        assert_eq!(rig.get(&format!("/v1beta/models/{name}")).await["name"], "models/flash");
    }
    let embedder = rig.get("/v1beta/models/acme/text-embedder").await;
    assert_eq!(embedder["supportedGenerationMethods"], json!([]));
    for (query, param) in [
        ("pageSize=x", "pageSize"),
        ("pageSize=-1", "pageSize"),
        ("pageToken=!", "pageToken"),
        ("pageToken=_w", "pageToken"),
    ] {
        let error = rig.try_get(&format!("/v1beta/models?{query}")).await.unwrap_err();
        assert_eq!(error.param.as_deref(), Some(param), "{query}");
    }
}
