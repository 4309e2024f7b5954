//! Bad requests, as a table: what is sent, and the status and field that must come back.
//!
//! Read by `errors`; none of them may reach a provider.

use crate::rig::KEY;
use bytes::Bytes;
use serde_json::{Value, json};

/// One bad request and what its answer must be.
#[derive(Clone)]
pub struct Bad {
    pub method: &'static str,
    pub path: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: Bytes,
    pub status: u16,
    pub param: Option<&'static str>,
    pub allow: Option<&'static str>,
    pub code: Option<&'static str>,
}

impl std::fmt::Debug for Bad {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let cut = |text: &str| text.chars().take(120).collect::<String>();
        write!(f, "{} {}", self.method, cut(&self.path))?;
        for (name, value) in self.headers.iter().take(3) {
            write!(f, " {name}:{}", cut(value))?;
        }
        write!(f, " {}", cut(&String::from_utf8_lossy(&self.body)))
    }
}

impl Bad {
    fn new(method: &'static str, path: &str, body: impl Into<Bytes>, status: u16) -> Self {
        Self {
            method,
            path: path.to_owned(),
            headers: vec![("authorization", format!("Bearer {KEY}"))],
            body: body.into(),
            status,
            param: None,
            allow: None,
            code: None,
        }
    }

    fn post(path: &str, body: &Value, status: u16, param: Option<&'static str>) -> Self {
        Self { param, ..Self::new("POST", path, body.to_string(), status) }
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// Some requests cannot be written in HTTP/2, or are refused by its own rules.
    pub fn fits_http2(&self) -> bool {
        let connection_fields = ["connection", "upgrade", "host"];
        let has_none = self.headers.iter().all(|(name, _)| !connection_fields.contains(name));
        has_none && ![413, 431].contains(&self.status)
    }
}

const CHAT: &str = "/v1/chat/completions";
const API_CHAT: &str = "/api/v1/chat/completions";
const MESSAGES: &str = "/v1/messages";
const COUNT: &str = "/v1/messages/count_tokens";
const EMBEDDINGS: &str = "/v1/embeddings";
const GENERATE: &str = "/v1beta/models/gemini-2.5-flash:generateContent";
const STREAM: &str = "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse";
const GEMINI_COUNT: &str = "/v1beta/models/gemini-2.5-flash:countTokens";

/// Everything that reads a body.
const READING: &[&str] = &[
    CHAT,
    API_CHAT,
    MESSAGES,
    "/api/v1/messages",
    COUNT,
    "/api/v1/messages/count_tokens",
    EMBEDDINGS,
    "/api/v1/embeddings",
    GENERATE,
    STREAM,
    GEMINI_COUNT,
];

/// All of them.
pub fn all() -> Vec<Bad> {
    let mut cases = broken_json();
    cases.extend(conversations());
    cases.extend(models());
    cases.extend(translated());
    cases.extend(credentials());
    cases.extend(methods());
    cases.extend(paths());
    cases.extend(headers());
    cases
}

/// Bodies that are no JSON, no object, or could be read in two ways.
pub mod bodies {
    pub fn broken() -> Vec<Vec<u8>> {
        let texts = [
            "",
            " ",
            "{",
            "}",
            "[",
            "[]",
            "null",
            "true",
            "1",
            "\"text\"",
            "{\"a\":}",
            "{\"a\" 1}",
            "{a:1}",
            "{'a':1}",
            "{\"a\":1,}",
            "{\"a\":[1,]}",
            "{,}",
            "{} x",
            "{}{}",
            "{\"a\":NaN}",
            "{\"a\":Infinity}",
            "{\"a\":01}",
            "{\"a\":+1}",
            "{\"a\":1.}",
            "{\"a\":.5}",
            "{\"a\":1e}",
            "{\"a\":0x1}",
            "{\"a\":tru}",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\\u12\"}",
            "{\"a\":\"\n\"}",
            "{\"a\":\"open}",
            "/* c */{}",
            "{\"a\":1 // c\n}",
            "\u{feff}{}",
            "{\"a\":1",
            "{\"a\":[1}",
            "{\"a\":{\"b\":1]}",
            "key=value",
            "<xml/>",
            "\0",
        ];
        let mut bodies: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
        bodies.push(b"{\"a\":\"\xff\xfe\"}".to_vec());
        bodies.push(b"\xff\xfe{\x00}\x00".to_vec());
        bodies.push(format!("{{\"a\":{}{}}}", "[".repeat(200), "]".repeat(200)).into_bytes());
        bodies.push(format!("{{\"a\":{}", "{\"a\":".repeat(10_000)).into_bytes());
        let members: Vec<String> = (0..2000).map(|at| format!("\"k{at}\":{at}")).collect();
        bodies.push(format!("{{{}}}", members.join(",")).into_bytes());
        bodies
    }

    pub fn bombs() -> Vec<Vec<u8>> {
        let mega = 1 << 20;
        vec![
            "[".repeat(mega).into_bytes(),
            "{\"a\":".repeat(mega / 5).into_bytes(),
            format!("{{\"a\":\"{}\"", "\\u0000".repeat(mega / 6)).into_bytes(),
            format!("{{\"a\":{}", "9".repeat(mega)).into_bytes(),
            format!("{{\"a\":[{}1]}}", "1,".repeat(1_100_000)).into_bytes(),
            format!("{{\"messages\":[{}]}}", "{},".repeat(mega / 3)).into_bytes(),
            vec![b' '; mega],
        ]
    }
}

fn broken_json() -> Vec<Bad> {
    let mut cases = Vec::new();
    for path in READING {
        for body in bodies::broken() {
            cases.push(Bad::new("POST", path, body, 400));
        }
        // The same key twice, also when its second spelling hides it.
        for (body, param) in [
            (r#"{"model":"openai/gpt-5.4","model":"anthropic/x","messages":[]}"#, "model"),
            (r#"{"model":"openai/gpt-5.4","mod\u0065l":"anthropic/x"}"#, "model"),
            (r#"{"stream":false,"\u0073tream":true}"#, "stream"),
            (r#"{"messages":[],"messages":[{"role":"user","content":"x"}]}"#, "messages"),
            (r#"{"contents":[],"contents":[]}"#, "contents"),
        ] {
            cases.push(Bad { param: Some(param), ..Bad::new("POST", path, body, 400) });
        }
    }
    cases
}

/// Conversations that are missing, empty or of the wrong type, also where the provider speaks the
/// caller's format and the body would pass untouched.
fn conversations() -> Vec<Bad> {
    let mut cases = Vec::new();
    let chat = [CHAT, API_CHAT, MESSAGES, "/api/v1/messages", COUNT];
    for path in chat {
        let model = if path.contains("messages") { "claude-sonnet-4-5" } else { "gpt-5.4" };
        for messages in [json!(null), json!([]), json!("hi"), json!({}), json!(3), json!(true)] {
            let body = json!({ "model": model, "max_tokens": 5, "messages": messages });
            cases.push(Bad::post(path, &body, 400, Some("messages")));
        }
        let none = json!({ "model": model, "max_tokens": 5 });
        cases.push(Bad::post(path, &none, 400, Some("messages")));
        let spaced = format!(r#"{{"model":"{model}","max_tokens":5,"messages":[ ]}}"#);
        cases.push(Bad { param: Some("messages"), ..Bad::new("POST", path, spaced, 400) });
    }
    for path in [GENERATE, STREAM, GEMINI_COUNT] {
        for contents in [json!(null), json!([]), json!("hi"), json!(1)] {
            cases.push(Bad::post(path, &json!({ "contents": contents }), 400, Some("contents")));
        }
        cases.push(Bad::post(path, &json!({}), 400, Some("contents")));
    }
    for input in [json!(null), json!([]), json!(5), json!({}), json!([{}]), json!([true])] {
        let body = json!({ "model": "text-embedding-3-small", "input": input });
        cases.push(Bad::post(EMBEDDINGS, &body, 400, Some("input")));
    }
    cases.push(Bad::post(EMBEDDINGS, &json!({ "model": "m" }), 400, Some("input")));
    cases
}

/// Names of models that lead nowhere, and members that are read for routing.
fn models() -> Vec<Bad> {
    let mut cases = Vec::new();
    let turns = json!([{ "role": "user", "content": "hi" }]);
    let with_model = |model: Value| json!({ "model": model, "max_tokens": 5, "messages": turns });
    for path in [CHAT, API_CHAT] {
        for model in ["nobody/gpt", "openai/", "/gpt", "no body/x"] {
            cases.push(Bad::post(path, &with_model(json!(model)), 400, Some("model")));
        }
        cases.push(Bad {
            code: Some("model_not_found"),
            ..Bad::post(path, &with_model(json!("nobody/gpt")), 400, Some("model"))
        });
    }
    for path in [MESSAGES, COUNT] {
        cases.push(Bad::post(path, &with_model(json!("nobody/claude")), 404, Some("model")));
    }
    let strange = ["", " ", "a b", "gpt\u{e9}", "a\"b", "a\\b", "a\nb", "\u{0}", "a\tb", "\u{7f}"];
    for path in [CHAT, API_CHAT, MESSAGES, COUNT] {
        for model in strange {
            cases.push(Bad::post(path, &with_model(json!(model)), 400, Some("model")));
        }
        let long = "m".repeat(257);
        cases.push(Bad::post(path, &with_model(json!(long)), 400, Some("model")));
        for model in [json!(5), json!(true), json!([]), json!({}), json!(1.5)] {
            cases.push(Bad::post(path, &with_model(model), 400, Some("model")));
        }
        for stream in [json!("true"), json!(1), json!({}), json!([])] {
            if path != COUNT {
                let mut body = with_model(json!("openai/gpt-5.4"));
                body["stream"] = stream;
                cases.push(Bad::post(path, &body, 400, Some("stream")));
            }
        }
    }
    for models in [json!("a"), json!([1]), json!({}), json!([null]), json!(vec!["openai/x"; 17])] {
        let mut body = with_model(json!("openai/gpt-5.4"));
        body["models"] = models;
        cases.push(Bad::post(CHAT, &body, 400, Some("models")));
    }
    let mut user = with_model(json!("openai/gpt-5.4"));
    user["user"] = json!({ "id": 1 });
    cases.push(Bad::post(CHAT, &user, 400, Some("user")));
    let contents = json!({ "contents": [{ "parts": [{ "text": "x" }] }] });
    for (model, status) in [
        ("nobody%2Fx", 404),
        ("nobody/x", 404),
        ("a%20b", 400),
        ("..%2F..%2Fx", 400),
        ("%2e%2e", 400),
        ("a%00b", 400),
        ("%zz", 400),
        ("a%252fb", 400),
    ] {
        let path = format!("/v1beta/models/{model}:generateContent");
        let ambiguous = ["..%2F", "%00", "%zz", "%25"].iter().any(|part| model.contains(part));
        let param = (!ambiguous).then_some("model");
        cases.push(Bad::post(&path, &contents, status, param));
    }
    cases
}

/// Wrong types in what another format's provider would have to be told.
fn translated() -> Vec<Bad> {
    let mut cases = Vec::new();
    let turns = json!([{ "role": "user", "content": "hi" }]);
    for model in ["anthropic/claude-sonnet-4.5", "google/gemini-2.5-flash"] {
        let bad_turns = [
            json!([1]),
            json!(["hi"]),
            json!([{ "content": "x" }]),
            json!([{ "role": 1, "content": "x" }]),
            json!([{ "role": "user", "content": 5 }]),
            json!([{ "role": "user", "content": [5] }]),
            json!([{ "role": "user", "content": [{ "type": "image_url" }] }]),
        ];
        for messages in bad_turns {
            let body = json!({ "model": model, "messages": messages });
            cases.push(Bad { param: ANY, ..Bad::post(API_CHAT, &body, 400, None) });
        }
        for (member, value) in [
            ("temperature", json!("hot")),
            ("max_tokens", json!("many")),
            ("max_tokens", json!(-1)),
            ("tools", json!("x")),
            ("tools", json!([1])),
            ("stop", json!(5)),
        ] {
            let mut body = json!({ "model": model, "messages": turns });
            body[member] = value;
            cases.push(Bad { param: ANY, ..Bad::post(API_CHAT, &body, 400, None) });
        }
    }
    cases
}

/// `/api/v1` does not show the field, so what it is does not matter there.
const ANY: Option<&str> = None;

fn credentials() -> Vec<Bad> {
    let mut cases = Vec::new();
    let turns = json!({ "model": "gpt-5.4", "messages": [{ "role": "user", "content": "hi" }] });
    for path in [CHAT, API_CHAT, MESSAGES, COUNT, EMBEDDINGS, GENERATE, STREAM] {
        let of = |headers: &[(&'static str, &str)], status: u16| {
            let headers =
                headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
            Bad { headers, ..Bad::post(path, &turns, status, None) }
        };
        let bearer = format!("Bearer {KEY}");
        cases.push(of(&[], 401));
        cases.push(of(&[("authorization", "Bearer ")], 401));
        cases.push(of(&[("authorization", "Bearer")], 401));
        cases.push(of(&[("authorization", KEY)], 401));
        cases.push(of(&[("authorization", "Basic dXNlcjpwYXNz")], 401));
        cases.push(of(&[("authorization", "Bearer wrong")], 401));
        cases.push(of(&[("x-api-key", "wrong")], 401));
        cases.push(of(&[("x-goog-api-key", "wrong")], 401));
        cases.push(of(&[("authorization", &format!("Bearer {KEY}x"))], 401));
        cases.push(of(&[("authorization", &bearer.to_uppercase())], 401));
        cases.push(of(&[("x-api-key", &"k".repeat(5000))], 401));
        cases.push(of(&[("authorization", &bearer), ("x-api-key", "other")], 400));
        cases.push(of(&[("x-goog-api-key", "other"), ("x-api-key", KEY)], 400));
        cases.push(of(&[("authorization", "Bearer lr_mgmt_x")], 403));
    }
    cases
}

fn methods() -> Vec<Bad> {
    let mut cases = Vec::new();
    for (path, allow) in [
        (CHAT, "POST"),
        (API_CHAT, "POST"),
        (MESSAGES, "POST"),
        (COUNT, "POST"),
        (EMBEDDINGS, "POST"),
        (GENERATE, "POST"),
        (STREAM, "POST"),
        ("/v1/models", "GET"),
        ("/api/v1/models", "GET"),
        ("/v1/models/openai/gpt-5.4", "GET"),
        ("/api/v1/generation", "GET"),
        ("/v1beta/models", "GET"),
        ("/v1beta/models/gemini-2.5-flash", "GET"),
        ("/healthz", "GET"),
    ] {
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"] {
            if method != allow {
                cases.push(Bad { allow: Some(allow), ..Bad::new(method, path, "", 405) });
            }
        }
    }
    cases
}

fn paths() -> Vec<Bad> {
    let mut cases = Vec::new();
    for path in [
        "/",
        "/v1",
        "/v1/",
        "/v1/chat",
        "/v1/chat/completions/",
        "/v1/engines",
        "/v2/x",
        "/v1/messages/other",
        "/api/v1/nothing",
        "/api/v2/chat/completions",
        "/api",
        "/v1beta/x",
        "/v1beta/models/gemini:explode",
        "/metrics",
        "/readyz",
        "/admin",
        "/metrics/x",
        "/openai",
        "/openai/",
        "/nobody/v1/chat/completions",
        "/V1/models",
        "/v1/Models",
        "/healthz/",
        "/api/v1/config",
        "/api/v1/config/reload",
    ] {
        cases.push(Bad::new("POST", path, "{}", 404));
    }
    for path in [
        "/openai/../v1/models",
        "/openai/./x",
        "/openai//x",
        "//openai/x",
        "/openai/%2e%2e/x",
        "/openai/a%2fb",
        "/openai/a%5cb",
        "/openai/%00",
        "/openai/%252e%252e/x",
        "/openai/%zz",
        "/openai/%",
        "/openai/..",
        "/v1/../v1/models",
        "/v1/models/..",
        "/v1//models",
        "/openai/%0d%0aX-Evil:%201",
    ] {
        cases.push(Bad::new("GET", path, "", 400));
    }
    cases.push(Bad::new("GET", "/v1/models/nobody/none", "", 404));
    cases.push(Bad::new("GET", "/v1beta/models/none", "", 404));
    cases.push(Bad::new("GET", "/api/v1/generation", "", 400));
    cases.push(Bad::new("GET", "/api/v1/generation?id=", "", 400));
    cases.push(Bad::new("GET", "/api/v1/generation?id=gen-none", "", 404));
    cases.push(Bad::new("GET", "/api/v1/generation?id=%27%20OR%201=1--", "", 404));
    for case in &mut cases {
        case.param = match (case.path.as_str(), case.status) {
            ("/v1/models/nobody/none" | "/v1beta/models/none", 404) => Some("model"),
            _ => case.param,
        };
    }
    cases
}

fn headers() -> Vec<Bad> {
    let mut cases = Vec::new();
    let body = json!({ "model": "gpt-5.4", "messages": [{ "role": "user", "content": "hi" }] });
    for path in [CHAT, API_CHAT, MESSAGES, EMBEDDINGS, GENERATE] {
        let post = |status| Bad::post(path, &body, status, None);
        for encoding in ["gzip", "br", "zstd", "deflate", "gzip, gzip", "x-unknown", ""] {
            cases.push(post(415).with("content-encoding", encoding));
        }
        for expectation in ["200-ok", "100-continue, tea", "tea"] {
            cases.push(post(417).with("expect", expectation));
        }
        cases.push(post(431).with("x-large", &"v".repeat(40_000)));
        let mut many = post(431);
        for _ in 0..120 {
            many = many.with("x-many", "v");
        }
        cases.push(many);
        let mut long = post(431);
        let separator = if path.contains('?') { '&' } else { '?' };
        long.path = format!("{path}{separator}q={}", "x".repeat(9000));
        cases.push(long);
        cases.push(post(413));
        if let Some(last) = cases.last_mut() {
            last.body = vec![b'x'; 65_537].into();
        }
        cases.push(post(400).with("host", "a\u{e9}b"));
        cases.push(post(400).with("connection", "upgrade").with("upgrade", "websocket"));
    }
    cases
}
