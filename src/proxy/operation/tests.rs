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
    assert_eq!(of("GET", "/v1/models/a/b"), Ok(Operation::Models(Some("a/b".into()))));
    assert_eq!(of("GET", "/v1beta/models"), Ok(Operation::GeminiModels(None)));
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
