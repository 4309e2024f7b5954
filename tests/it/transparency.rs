//! Traffic whose format needs no translation passes byte for byte, but for the model and the ids.

use super::peer::{Got, OPENAI_ANSWER, Peer, Say};
use super::rig::{Answer, Http, KEY, Plan, Rig};
use super::wire::Call;
use serde_json::{Value, json};

/// Spellings that a parser would not give back as they were.
const ODD_REQUEST: &str = "{ \"x_unknown\":[1.0,1.50,1e+2,-0,12345678901234567890123,{\"b\":1,\"a\":2}]\
,\r\n\t\"model\" :\"openai\\/gpt-5.4\",\"messages\":[{\"content\":\"\\u00e9\u{e9}\\ud83d\\ude00 \
\\/ \\u0000 \\\"model\\\": \\\"x\\\"\",\"role\":\"user\",\"model\":\"inner\"}] , \"temperature\":0.10,\
\"seed\":1E5,\"metadata\":{},\"stream\":false }\n";

const ODD_ANSWER: &str = "{ \"id\" : \"chatcmpl-odd\", \"object\":\"chat.completion\",\
\"created\":1.0e9,\r\n\"model\" :\"gpt-5.4-2026-01-01\",\"x_new\":{\"model\":\"inner\",\"id\":\"z\",\
\"a\":[1.10,1E5]},\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\
\"\\u00e9 \\/ \\ud83d\\ude00\"},\"finish_reason\":\"stop\",\"logprobs\":null}],\"usage\":\
{\"prompt_tokens\":3,\"completion_tokens\":1,\"total_tokens\":4,\"x_more\":7}}\n";

async fn rig_before(peer: &Peer) -> Rig {
    Rig::with(Plan { upstream: Some(peer.address), ..Plan::default() }).await
}

async fn post(rig: &Rig, path: &str, body: &str, more: &[(&str, &str)]) -> Answer {
    let auth = format!("Bearer {KEY}");
    let mut headers = vec![("authorization", auth.as_str()), ("content-type", "application/json")];
    headers.extend(more);
    rig.send("POST", path, &headers, body.to_owned()).await
}

fn text(got: &Got) -> String {
    String::from_utf8(got.body.to_vec()).unwrap()
}

/// An answer without the cost that the gateway tells at the end of its usage, once.
fn without_cost(answer: &str) -> String {
    let (before, rest) = answer.split_once(",\"cost\":").unwrap_or_else(|| panic!("{answer}"));
    let (told, after) = rest.split_once('}').unwrap();
    assert!(told.contains(",\"is_byok\":false,\"cost_details\":{"), "{answer}");
    assert!(!after.contains("cost"), "{answer}");
    format!("{before}{after}")
}

#[tokio::test]
async fn openai_requests_and_answers_pass_but_for_model_and_id() {
    let peer = Peer::saying(Say::json(ODD_ANSWER)).await;
    let rig = rig_before(&peer).await;
    for (model, upstream, shown) in [
        ("openai\\/gpt-5.4", "gpt-5.4", "openai/gpt-5.4"),
        ("openai/gpt-5.4", "gpt-5.4", "openai/gpt-5.4"),
        ("gpt-5.4", "gpt-5.4", "gpt-5.4"),
        ("openai/some/other-model", "some/other-model", "openai/some/other-model"),
    ] {
        let sent = ODD_REQUEST.replace("openai\\/gpt-5.4", model);
        let answer = post(&rig, "/v1/chat/completions", &sent, &[]).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(text(&peer.last()), sent.replacen(model, upstream, 1), "{model}");
        let id = answer.header("x-generation-id");
        assert!(id.starts_with("gen-"), "{id}");
        let expected =
            ODD_ANSWER.replacen("chatcmpl-odd", id, 1).replacen("gpt-5.4-2026-01-01", shown, 1);
        assert_eq!(without_cost(&answer.text()), expected);
        assert_eq!(answer.header("content-length"), answer.text().len().to_string());
    }
    let got = peer.last();
    assert_eq!(got.target, "/v1/chat/completions");
    assert_eq!(got.headers["authorization"], format!("Bearer {}", super::rig::PROVIDER_KEY));
    assert_eq!(got.headers["accept-encoding"], "identity");
}

#[tokio::test]
async fn an_id_is_new_for_every_answer_and_leads_to_its_record() {
    let peer = Peer::saying(Say::json(OPENAI_ANSWER)).await;
    let rig = rig_before(&peer).await;
    let body =
        json!({ "model": "openai/gpt-5.4", "messages": [{ "role": "user", "content": "x" }] });
    let (one, other) = (
        rig.post("/v1/chat/completions", &body).await,
        rig.post("/v1/chat/completions", &body).await,
    );
    assert_eq!(one.json()["id"], one.header("x-generation-id"));
    assert_ne!(one.json()["id"], other.json()["id"]);
    let record = rig.generation(one.header("x-generation-id")).await;
    assert_eq!(record["data"]["id"], one.json()["id"], "{record}");
}

#[tokio::test]
async fn only_fields_for_the_gateway_are_taken_out() {
    let peer = Peer::saying(Say::json(OPENAI_ANSWER)).await;
    let rig = rig_before(&peer).await;
    let rest = json!({
        "messages": [{ "role": "user", "content": "x", "provider": "inner" }],
        "user": "u", "logit_bias": {"5": -1.5}, "x_unknown": null, "metadata": {"route": "kept"},
    });
    let mut sent = rest.clone();
    sent["model"] = json!("openai/gpt-5.4");
    sent["models"] = json!(["openai/gpt-5.4"]);
    sent["provider"] = json!({ "order": ["openai"] });
    sent["route"] = json!("fallback");
    sent["transforms"] = json!(["middle-out"]);
    sent["plugins"] = json!([]);
    sent["usage"] = json!({ "include": true });
    let answer = rig.post("/v1/chat/completions", &sent).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let mut expected = rest;
    expected["model"] = json!("gpt-5.4");
    let got: Value = serde_json::from_slice(&peer.last().body).unwrap();
    assert_eq!(got, expected);
}

const OPENAI_STREAM: &str = ": hello\n\n\
data: {\"id\":\"chatcmpl-s\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"gpt-5.4-x\",\
\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}],\"obfuscation\":\"q\"}\n\n\
data: {\"id\":\"chatcmpl-s\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"gpt-5.4-x\",\
\"choices\":[{\"index\":0,\"delta\":{\"content\":\"caf\\u00e9 \\/\"},\"finish_reason\":null}],\"n\":1.50}\n\n\
data: { \"model\":\"gpt-5.4-x\", \"id\":\"chatcmpl-s\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"!\"},\
\"finish_reason\":\"stop\"}]}\n\n\
data: {\"id\":\"chatcmpl-s\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"gpt-5.4-x\",\
\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2,\"total_tokens\":5,\"x\":1}}\n\n\
data: [DONE]\n\n";

#[tokio::test]
async fn openai_streams_pass_and_usage_is_always_asked_for() {
    let peer = Peer::saying(Say::events(OPENAI_STREAM)).await;
    let rig = rig_before(&peer).await;
    let head = "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}], \"model\":\"openai/gpt-5.4\", \"stream\":true";
    for (options, upstream) in [
        (String::new(), json!({ "include_usage": true })),
        (",\"stream_options\":null".into(), json!({ "include_usage": true })),
        (",\"stream_options\":{}".into(), json!({ "include_usage": true })),
        (
            ",\"stream_options\":{\"x\":1.50,\"include_usage\":false}".into(),
            json!({ "x": 1.50, "include_usage": true }),
        ),
    ] {
        let sent = format!("{head}{options}}}");
        let answer = post(&rig, "/v1/chat/completions", &sent, &[]).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let got = text(&peer.last());
        let parsed: Value = serde_json::from_str(&got).unwrap();
        assert_eq!(parsed["stream_options"], upstream, "{options}");
        assert!(got.starts_with(&head.replacen("openai/gpt-5.4", "gpt-5.4", 1)), "{got}");
        let id = answer.header("x-generation-id");
        let expected =
            OPENAI_STREAM.replace("chatcmpl-s", id).replace("gpt-5.4-x", "openai/gpt-5.4");
        assert_eq!(without_cost(&answer.text()), expected, "{options}");
        assert_eq!(answer.header("content-type"), "text/event-stream");
    }
}

const ANTHROPIC_ANSWER: &str = "{ \"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\
\"model\":\"claude-sonnet-4-5-20250929\",\"content\":[{\"type\":\"text\",\"text\":\"caf\\u00e9\"}],\
\"stop_reason\":\"end_turn\",\"stop_sequence\":null,\"usage\":{\"input_tokens\":3,\"output_tokens\":1.0,\
\"x\":{\"b\":1,\"a\":2}}}";

const ANTHROPIC_STREAM: &str = "event: message_start\n\
data: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\
\"model\":\"claude-sonnet-4-5-20250929\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\
\"usage\":{\"input_tokens\":3,\"output_tokens\":1}} }\n\n\
event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n\
event: ping\ndata: {\"type\": \"ping\"}\n\n\
event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"caf\\u00e9\"}  }\n\n\
event: x_future\ndata: {\"type\":\"x_future\",\"n\":1.50}\n\n\
event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n\
event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":2}}\n\n\
event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

#[tokio::test]
async fn anthropic_passes_untouched_under_a_bare_name() {
    let peer = Peer::with(|got| {
        let streamed = String::from_utf8_lossy(&got.body).contains("\"stream\":true");
        if streamed { Say::events(ANTHROPIC_STREAM) } else { Say::json(ANTHROPIC_ANSWER) }
    })
    .await;
    let rig = rig_before(&peer).await;
    let more = [("anthropic-version", "2023-06-01"), ("anthropic-beta", "one,two")];
    for (stream, answered) in [("false", ANTHROPIC_ANSWER), ("true", ANTHROPIC_STREAM)] {
        let sent = format!(
            "{{\"max_tokens\":1e2, \"model\":\"claude-sonnet-4-5\",\"stream\":{stream},\
             \"messages\":[{{\"role\":\"user\",\"content\":\"\\u00e9\"}}],\"x_new\":[1.50] }}"
        );
        let answer = post(&rig, "/v1/messages", &sent, &more).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.text(), answered);
        let got = peer.last();
        assert_eq!(text(&got), sent);
        assert_eq!(got.target, "/v1/messages");
        assert_eq!(got.headers["anthropic-version"], "2023-06-01");
        assert_eq!(got.headers["anthropic-beta"], "one,two");
        assert_eq!(got.headers["x-api-key"], super::rig::PROVIDER_KEY);
        assert!(!got.headers.contains_key("authorization"));

        let sent = sent.replace("claude-sonnet-4-5", "anthropic/claude-sonnet-4.5");
        let answer = post(&rig, "/v1/messages", &sent, &more).await;
        let shown = answered.replace("claude-sonnet-4-5-20250929", "anthropic/claude-sonnet-4.5");
        assert_eq!(answer.text(), shown);
        let upstream = sent.replace("anthropic/claude-sonnet-4.5", "claude-sonnet-4-5");
        assert_eq!(text(&peer.last()), upstream);
    }
}

const GEMINI_EVENT: &str = "{\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"caf\\u00e9\"}],\
\"role\": \"model\"},\"index\": 0}],\"usageMetadata\": {\"promptTokenCount\": 3,\"totalTokenCount\": 3,\
\"x\":1.50},\"modelVersion\": \"gemini-2.5-flash-001\",\"responseId\": \"r1\"}";
const GEMINI_LAST: &str = "{\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"!\"}],\"role\": \
\"model\"},\"finishReason\": \"STOP\",\"index\": 0}],\"usageMetadata\": {\"promptTokenCount\": 3,\
\"candidatesTokenCount\": 2,\"totalTokenCount\": 5},\"modelVersion\": \"gemini-2.5-flash-001\"}";

#[tokio::test]
async fn gemini_passes_untouched_under_a_bare_name() {
    let events = format!("data: {GEMINI_EVENT}\r\n\r\ndata: {GEMINI_LAST}\r\n\r\n");
    let array = format!("[{GEMINI_EVENT}\n,\r\n{GEMINI_LAST}\n]\n");
    let (sse, json) = (events.clone(), array.clone());
    let peer = Peer::with(move |got| match got.target.split_once(':').map(|(_, call)| call) {
        Some("streamGenerateContent?alt=sse") => Say::events(sse.clone()),
        Some("streamGenerateContent") => Say::json(json.clone()),
        _ => Say::json(GEMINI_LAST),
    })
    .await;
    let rig = rig_before(&peer).await;
    let sent = "{\"contents\" : [{\"parts\":[{\"text\":\"\\u00e9\"}]}],\"generationConfig\":{\"temperature\":0.10},\"x\":[1.50] }";
    for (call, answered) in [
        ("generateContent", GEMINI_LAST),
        ("streamGenerateContent?alt=sse", &events),
        ("streamGenerateContent", &array),
    ] {
        let bare = format!("/v1beta/models/gemini-2.5-flash:{call}");
        let answer = post(&rig, &bare, sent, &[]).await;
        assert_eq!(answer.status, 200, "{call}: {}", answer.text());
        assert_eq!(answer.text(), answered, "{call}");
        let got = peer.last();
        assert_eq!(text(&got), sent);
        assert_eq!(got.target, bare);
        assert_eq!(got.headers["x-goog-api-key"], super::rig::PROVIDER_KEY);

        let named = format!("/v1beta/models/google%2Fgemini-2.5-flash:{call}");
        let answer = post(&rig, &named, sent, &[]).await;
        let shown = answered.replace("gemini-2.5-flash-001", "google/gemini-2.5-flash");
        assert_eq!(answer.text(), shown, "{call}");
        assert_eq!(peer.last().target, bare);
    }
}

#[tokio::test]
async fn the_callers_header_stays_here() {
    let peer =
        Peer::saying(Say::json(OPENAI_ANSWER).header("set-cookie", "a=b").header("x-up", "1"))
            .await;
    let rig = Rig::with(Plan {
        upstream: Some(peer.address),
        provider: "headers = { \"OpenAI-Organization\" = \"org-1\" }",
        server: "h2c = true",
        ..Plan::default()
    })
    .await;
    let auth = format!("Bearer {KEY}");
    let headers = [
        ("authorization", auth.as_str()),
        ("content-type", "application/json; charset=utf-8"),
        ("cookie", "session=1"),
        ("x-forwarded-for", "10.0.0.1"),
        ("x-title", "App"),
        ("http-referer", "https://app"),
        ("user-agent", "client/1"),
        ("x-request-id", "my-request"),
        ("x-mine", "1"),
        ("openai-organization", "theirs"),
    ];
    let body = "{\"model\":\"gpt-5.4\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}";
    for version in [Http::One, Http::Two] {
        let body = super::wire::sized(body);
        let path = ("POST", "/v1/chat/completions");
        let mut call = Call::send(rig.gateway, version, path, &headers, body).await;
        let text = call.text().await;
        assert_eq!(call.status, 200, "{text}");
        assert_eq!(call.header("x-request-id"), "my-request");
        assert!(call.headers.get("set-cookie").is_none() && call.headers.get("x-up").is_none());
        let got = peer.last().headers;
        let mut names: Vec<_> = got.keys().map(http::HeaderName::as_str).collect();
        names.sort_unstable();
        let expected = [
            "accept",
            "accept-encoding",
            "authorization",
            "content-length",
            "content-type",
            "host",
            "openai-organization",
            "user-agent",
        ];
        assert_eq!(names, expected);
        assert_eq!(got["openai-organization"], "org-1");
    }
}
