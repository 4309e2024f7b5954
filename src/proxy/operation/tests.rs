//! Tables of paths and what they mean.

use super::*;

fn of(method: &str, path: &str) -> Result<Operation, RouteMiss> {
    Operation::of(&method.parse().unwrap(), path, None)
}

#[test]
fn known_routes() {
    let chat = Operation::Chat(ApiFormat::OpenAiChat);
    assert_eq!(of("POST", "/v1/chat/completions"), Ok(chat.clone()));
    assert_eq!(of("POST", "/api/v1/chat/completions"), Ok(chat));
    assert_eq!(of("POST", "/v1/messages"), Ok(Operation::Chat(ApiFormat::Anthropic)));
    let catalogue = |lookup| Ok(Operation::Catalogue(lookup));
    assert_eq!(of("GET", "/v1/models/a/b"), catalogue(Lookup::Model("a/b".into())));
    assert_eq!(of("GET", "/api/v1/models/count"), catalogue(Lookup::Count));
    assert_eq!(of("GET", "/v1beta/models"), catalogue(Lookup::GeminiModels));
    assert_eq!(of("GET", "/healthz"), Ok(Operation::Health));
    assert_eq!(of("HEAD", "/healthz"), Ok(Operation::Health));
    for (method, path) in samples() {
        assert!(of(method, &path).is_ok(), "{method} {path}");
    }
}

#[test]
fn gemini_calls() {
    let call = |path: &str, alt| match Operation::of(&Method::POST, path, alt) {
        Ok(Operation::Gemini { model, call }) => (model, call),
        other => panic!("{path}: {other:?}"),
    };
    let path = "/v1beta/models/gemini-2.5-flash:streamGenerateContent";
    assert_eq!(call(path, Some("sse")), ("gemini-2.5-flash".into(), UpstreamCall::ChatStream));
    assert_eq!(call(path, None), ("gemini-2.5-flash".into(), UpstreamCall::ChatArray));
    let encoded = "/v1beta/models/openai%2Fgpt-5:generateContent";
    assert_eq!(call(encoded, None), ("openai/gpt-5".into(), UpstreamCall::Chat));
    let plain = "/v1beta/models/openai/gpt-5:generateContent";
    assert_eq!(call(plain, None), ("openai/gpt-5".into(), UpstreamCall::Chat));
}

#[test]
fn googles_calls_of_the_stable_api() {
    let plain = |method: &str, path: &str, google: bool| {
        let mut headers = HeaderMap::new();
        if google {
            headers.insert("x-goog-api-key", "k".parse().unwrap());
        }
        plain_path(&method.parse().unwrap(), path, &headers).into_owned()
    };
    let table = [
        (
            "POST",
            "/v1/models/gemini-2.5-flash:generateContent",
            false,
            "/v1beta/models/gemini-2.5-flash:generateContent",
        ),
        (
            "POST",
            "/v1/models/a/b:streamGenerateContent",
            false,
            "/v1beta/models/a/b:streamGenerateContent",
        ),
        ("GET", "/v1/models", true, "/v1beta/models"),
        ("GET", "/v1/models/gemini-2.5-flash", true, "/v1beta/models/gemini-2.5-flash"),
        ("GET", "/v1/models", false, "/v1/models"),
        ("GET", "/v1/models/ollama/llama3:8b", false, "/v1/models/ollama/llama3:8b"),
        ("POST", "/v1/chat/completions", true, "/v1/chat/completions"),
    ];
    for (method, path, google, expected) in table {
        assert_eq!(plain(method, path, google), expected, "{method} {path}");
    }
}

#[test]
fn a_model_name_may_hold_an_encoded_slash() {
    for prefix in MODEL_PATHS {
        let found = of("GET", &format!("{prefix}openai%2Fgpt-5"));
        let name = "openai/gpt-5".to_owned();
        let lookup = match *prefix {
            "/v1beta/models/" => Lookup::GeminiModel(name),
            "/v1/model/" | "/api/v1/model/" => Lookup::ModelData(name),
            "/v1/parameters/" | "/api/v1/parameters/" => Lookup::Parameters(name),
            _ => Lookup::Model(name),
        };
        assert_eq!(found, Ok(Operation::Catalogue(lookup)));
        let hidden = format!("{prefix}openai%2F..%2Fx");
        assert_eq!(of("GET", &hidden), Err(RouteMiss::Ambiguous), "{hidden}");
    }
    // OpenRouter's clients write author and slug as a segment each.
    let endpoints = of("GET", "/api/v1/models/openrouter/a%2Fb/endpoints");
    let name = "openrouter/a/b".to_owned();
    assert_eq!(endpoints, Ok(Operation::Catalogue(Lookup::Endpoints(name))));
    for path in ["/openai/v1/models/a%2Fb", "/v1/models/a/b%2F..%2Fc", "/v1/keys/a%2Fb"] {
        assert_eq!(of("GET", path), Err(RouteMiss::Ambiguous), "{path}");
    }
    // An escape hides no route.
    for path in ["/v1/%6dodels", "/v1/models/a/%65ndpoints", "/v1/mode%6c/a"] {
        let found = of("GET", path);
        let is_name = matches!(found, Ok(Operation::Catalogue(Lookup::Model(_))));
        assert!(found == Err(RouteMiss::NotFound) || is_name, "{path}: {found:?}");
    }
}

#[test]
fn wrong_methods_and_unknown_paths() {
    assert_eq!(of("GET", "/v1/chat/completions"), Err(RouteMiss::MethodNotAllowed("POST")));
    assert_eq!(of("POST", "/v1/models"), Err(RouteMiss::MethodNotAllowed("GET")));
    for path in ["/", "/v1", "/v1/", "/v1/nothing", "/api/v2/x", "/openai", "/openai/", "/metrics"]
    {
        assert_eq!(of("POST", path), Err(RouteMiss::NotFound), "{path}");
    }
    for path in ["/metrics/x", "/admin/x", "/v1beta/other", "/readyz/x"] {
        assert_eq!(of("GET", path), Err(RouteMiss::NotFound), "{path}");
    }
}

#[test]
fn paths_that_could_mean_something_else() {
    let ambiguous = [
        "/openai/../v1/models",
        "/openai/./x",
        "/openai//x",
        "//openai/x",
        "/openai/%2e%2e/x",
        "/openai/%2E/x",
        "/openai/a%2fb",
        "/openai/a%5cb",
        "/openai/a\\b",
        "/openai/%00",
        "/openai/%252e%252e/x",
        "/openai/%zz",
        "/openai/%",
        "/openai/..",
        "/openai/a/..",
        "/v1beta/models/..%2Fx:generateContent",
        "/v1beta/models/a%2F%2Fb:generateContent",
        "openai/x",
        "*",
    ];
    for path in ambiguous {
        assert_eq!(of("POST", path), Err(RouteMiss::Ambiguous), "{path}");
    }
}

#[test]
fn raw_paths_keep_their_shape() {
    let raw = |path: &str| match of("POST", path) {
        Ok(Operation::Raw { provider, path }) => (provider, path),
        other => panic!("{path}: {other:?}"),
    };
    assert_eq!(raw("/openai/v1/x"), ("openai".into(), "/v1/x".into()));
    assert_eq!(raw("/a/b%20c/"), ("a".into(), "/b%20c/".into()));
}
