//! Tests of rewritten requests and of streams that pass through, on recordings where present.

use super::*;
use crate::error::{GatewayError, Kind};
use crate::formats::gemini::recordings;
use crate::formats::openai_chat::dialect::OPENAI;
use crate::formats::translator::Translator;
use crate::formats::{AnswerLabel, Framing, Observed, StreamFault};
use serde_json::Value;
use std::sync::Arc;

/// Folders of recordings in OpenAI's chat format.
const OPENAI_FOLDERS: [&str; 23] = [
    "alibaba-chat",
    "azure-chat",
    "cerebras-chat",
    "cloudflare-chat",
    "copilot-chat",
    "databricks-chat",
    "deepseek-chat",
    "doubleword-chat",
    "groq-chat",
    "huggingface-chat",
    "llamacpp-chat",
    "local-chat",
    "mistral-chat",
    "mistralrs-chat",
    "ollama-chat",
    "openai-chat",
    "openrouter-chat",
    "perplexity-chat",
    "snowflake-chat",
    "together-chat",
    "venice-chat",
    "xai-chat",
    "zai-chat",
];

fn label() -> AnswerLabel {
    AnswerLabel {
        id: Arc::from("gen-1-abc"),
        model: Some(Arc::from("acme/model")),
        provider: Arc::from("Acme"),
        created_s: 1,
        include_usage: true,
        exclude_reasoning: false,
        shape: crate::formats::Shape::Maker,
        charges: None,
    }
}

fn plain_label() -> AnswerLabel {
    AnswerLabel { model: None, ..label() }
}

fn translator(format: ApiFormat, framing: Framing, label: AnswerLabel) -> Translator {
    Translator::new(format, format, framing, label).unwrap()
}

/// What the client gets of a stream that comes in the given chunks.
fn relay(mut relay: Translator, chunks: &[&[u8]]) -> Result<(String, Observed), StreamFault> {
    let mut sent = Vec::new();
    for chunk in chunks {
        sent.extend_from_slice(&relay.push(Bytes::copy_from_slice(chunk))?);
    }
    sent.extend_from_slice(&relay.finish()?);
    Ok((String::from_utf8(sent).unwrap(), relay.observed().clone()))
}

fn openai(body: &str) -> Result<(String, Observed), StreamFault> {
    relay(translator(ApiFormat::OpenAiChat, Framing::Sse, label()), &[body.as_bytes()])
}

struct Stream {
    id: String,
    body: String,
}

/// Recorded streams that end well.
fn streams(folders: &[&str]) -> Vec<Stream> {
    let recorded = folders.iter().flat_map(|folder| recordings::load(folder));
    recorded
        .filter(|r| r.status == 200 && r.body.lines().any(|line| line.starts_with("data:")))
        .map(|r| Stream { id: r.id, body: r.body })
        .collect()
}

fn chunks_of(body: &str) -> Vec<Value> {
    let data = body.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim);
    data.filter(|data| *data != "[DONE]").filter_map(|d| serde_json::from_str(d).ok()).collect()
}

/// The body with all that may differ taken away: `id` and `model` values on every data line.
fn without_labels(body: &str) -> String {
    let mut plain = String::new();
    for line in body.split_inclusive('\n') {
        let data = line.strip_prefix("data:").unwrap_or_default();
        let Ok(Value::Object(chunk)) = serde_json::from_str::<Value>(data) else {
            plain.push_str(line);
            continue;
        };
        let mut line = line.to_owned();
        for key in ["id", "model"] {
            if let Some(Value::String(value)) = chunk.get(key) {
                let written = serde_json::to_string(value).unwrap();
                let at = find(line.strip_prefix("data:").unwrap().as_bytes(), key).unwrap();
                let at = 5 + at.start..5 + at.end;
                assert_eq!(line.get(at.clone()), Some(written.as_str()), "escaped otherwise");
                line.replace_range(at, "\"\"");
            }
        }
        plain.push_str(&line);
    }
    plain
}

#[test]
fn recorded_streams_pass_but_for_id_and_model() {
    let mut seen = 0;
    for stream in streams(&OPENAI_FOLDERS) {
        let Ok((sent, observed)) = openai(&stream.body) else { continue };
        seen += 1;
        let mut expected = without_labels(&stream.body);
        if !expected.contains("[DONE]") {
            expected.push_str("data: [DONE]\n\n");
        }
        // A recording may have lost the blank line that ends its last event.
        let (sent_plain, expected) = (without_labels(&sent), expected);
        assert_eq!(sent_plain.trim_end(), expected.trim_end(), "{}", stream.id);
        for chunk in chunks_of(&sent) {
            let is = |key: &str, value: &str| chunk.get(key).is_none_or(|found| found == value);
            assert!(is("id", "gen-1-abc") && is("model", "acme/model"), "{}: {chunk}", stream.id);
        }
        assert!(observed.ended, "{}", stream.id);
    }
    println!("{seen} streams");
    assert!(seen == 0 || seen > 200, "{seen}");
}

#[test]
fn recorded_streams_that_stop_are_those_with_an_error_or_without_an_end() {
    for stream in streams(&OPENAI_FOLDERS) {
        let Err(fault) = openai(&stream.body) else { continue };
        let chunks = chunks_of(&stream.body);
        let error = chunks.iter().any(|chunk| chunk.get("error").is_some());
        let done = stream.body.contains("[DONE]");
        let finish = chunks.iter().any(|chunk| chunk["choices"][0]["finish_reason"].is_string());
        match fault {
            StreamFault::Upstream(_) => assert!(error, "{}", stream.id),
            StreamFault::Truncated => assert!(!done && !finish, "{}", stream.id),
            other => panic!("{}: {other}", stream.id),
        }
    }
}

#[test]
fn recorded_usage_and_finish_are_observed() {
    for stream in streams(&OPENAI_FOLDERS) {
        let Ok((_, observed)) = openai(&stream.body) else { continue };
        let chunks = chunks_of(&stream.body);
        let usage = chunks.iter().rev().find(|chunk| chunk["usage"].is_object());
        let Some(usage) = usage.map(|chunk| &chunk["usage"]) else {
            assert!(observed.usage.is_missing() || stream.id.starts_with("groq"), "{}", stream.id);
            continue;
        };
        let audio = usage["prompt_audio_seconds"].is_number();
        if !audio {
            assert_eq!(observed.usage.prompt, usage["prompt_tokens"].as_u64(), "{}", stream.id);
        }
        // Whoever counts reasoning beside the completion shows it in the total.
        let total = usage["total_tokens"].as_u64();
        assert!(total.is_none() || total == Some(observed.usage.total()), "{}", stream.id);
        let cached = &usage["prompt_tokens_details"]["cached_tokens"];
        assert!(cached.is_null() || cached.as_u64() == observed.usage.cached, "{}", stream.id);
        let finish = chunks.iter().find_map(|chunk| {
            let first = chunk["choices"].as_array()?.iter().find(|c| c["index"] == 0)?;
            first["finish_reason"].as_str()
        });
        // Where the provider states none, the end of the stream is one.
        assert!(observed.finish.is_some(), "{}", stream.id);
        let derived = observed.native_finish.is_none();
        assert_eq!(derived, finish.is_none_or(str::is_empty), "{}", stream.id);
        let speaks = chunks.iter().any(|chunk| {
            let delta = &chunk["choices"][0]["delta"];
            let text = |key: &str| delta[key].as_str().is_some_and(|text| !text.is_empty());
            text("content") || text("reasoning_content") || delta["tool_calls"].is_array()
        });
        assert!(!speaks || observed.saw_content, "{}", stream.id);
    }
}

#[test]
fn any_split_gives_the_same() {
    let chosen = streams(&["openai-chat", "azure-chat", "mistral-chat", "perplexity-chat"]);
    for stream in chosen.iter().filter(|stream| stream.body.len() < 5_000).step_by(3).take(12) {
        let Ok(whole) = openai(&stream.body) else { continue };
        let bytes = stream.body.as_bytes();
        for at in 0..bytes.len() {
            let parts = [&bytes[..at], &bytes[at..]];
            let start = translator(ApiFormat::OpenAiChat, Framing::Sse, label());
            let (sent, observed) = relay(start, &parts).unwrap();
            assert_eq!(sent, whole.0, "{} at {at}", stream.id);
            assert_eq!(format!("{observed:?}"), format!("{:?}", whole.1), "{}", stream.id);
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        let start = translator(ApiFormat::OpenAiChat, Framing::Sse, label());
        assert_eq!(relay(start, &single).unwrap().0, whole.0, "{}", stream.id);
    }
}

#[test]
fn native_streams_are_not_touched() {
    let cases = [
        (ApiFormat::Anthropic, Framing::Sse, "anthropic-messages"),
        (ApiFormat::Gemini, Framing::Sse, "google-generate"),
        (ApiFormat::Gemini, Framing::Sse, "vertex-generate"),
    ];
    for (format, framing, folder) in cases {
        let mut seen = 0;
        // A few recordings hold several answers, one after the other.
        let single = |body: &str| body.matches("event: message_start").count() < 2;
        for stream in streams(&[folder]).into_iter().filter(|stream| single(&stream.body)) {
            let chunk = Bytes::from(stream.body.clone());
            let mut relay = translator(format, framing, plain_label());
            let Ok(sent) = relay.push(chunk.clone()) else { continue };
            let Ok(rest) = relay.finish() else { continue };
            seen += 1;
            let whole = [&sent[..], &rest[..]].concat();
            assert!(whole == stream.body.as_bytes(), "{}", stream.id);
            assert_eq!(sent.as_ptr(), chunk.as_ptr(), "{} was copied", stream.id);
            assert!(relay.observed().finish.is_some(), "{}", stream.id);
        }
        println!("{folder}: {seen}");
    }
}

#[test]
fn json_arrays_pass_and_are_observed() {
    let body = "[{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"Hi\"}],\"role\":\"model\"}}]}\r\n,\r\n{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"!\"}]},\"finishReason\":\"STOP\"}],\"modelVersion\":\"m-1\",\"usageMetadata\":{\"promptTokenCount\":3,\"candidatesTokenCount\":2}}]\n";
    for at in 0..body.len() {
        let start = translator(ApiFormat::Gemini, Framing::JsonArray, plain_label());
        let parts = [&body.as_bytes()[..at], &body.as_bytes()[at..]];
        let (sent, observed) = relay(start, &parts).unwrap();
        assert_eq!(sent, body);
        assert_eq!((observed.usage.prompt, observed.usage.completion), (Some(3), Some(2)));
    }
    let start = translator(ApiFormat::Gemini, Framing::JsonArray, label());
    let (sent, _) = relay(start, &[body.as_bytes()]).unwrap();
    assert_eq!(sent, body.replace("m-1", "acme/model"));
    let start = translator(ApiFormat::Gemini, Framing::JsonArray, label());
    let cut = relay(start, &[&body.as_bytes()[..100]]);
    assert!(matches!(cut, Err(StreamFault::Truncated)));
}

#[test]
fn models_of_native_streams_are_written_over_on_demand() {
    let start = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\", \"model\": \"claude-x\",\"usage\":{\"input_tokens\":3}}}\n\n";
    let mut relay = translator(ApiFormat::Anthropic, Framing::Sse, label());
    let sent = relay.push(Bytes::from_static(start.as_bytes())).unwrap();
    assert_eq!(sent, start.replace("claude-x", "acme/model"));
    assert_eq!(relay.observed().upstream_model.as_deref(), Some("claude-x"));
    assert_eq!(relay.observed().upstream_id.as_deref(), Some("msg_1"));
}

const TEXT: &str = "data: {\"id\":\"x\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"},\"finish_reason\":null}]}\n\n";
const FINISH: &str = "data: {\"id\":\"x\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
const USAGE: &str = "data: {\"id\":\"x\",\"model\":\"m\",\"choices\": [ ],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":1}}\n\n";
const DONE: &str = "data: [DONE]\n\n";

#[test]
fn the_usage_chunk_is_swallowed_for_those_who_did_not_ask() {
    let quiet = || AnswerLabel { include_usage: false, ..label() };
    let body = [TEXT, FINISH, USAGE, DONE].concat();
    let start = translator(ApiFormat::OpenAiChat, Framing::Sse, quiet());
    let (sent, observed) = relay(start, &[body.as_bytes()]).unwrap();
    assert_eq!(chunks_of(&sent).len(), 2);
    assert_eq!(observed.usage.prompt, Some(3));
    // Azure's first chunk has no alternatives either, but is none of ours.
    let azure =
        "data: {\"choices\":[],\"id\":\"\",\"usage\":null,\"prompt_filter_results\":[]}\n\n";
    let body = [azure, TEXT, FINISH, DONE].concat();
    let start = translator(ApiFormat::OpenAiChat, Framing::Sse, quiet());
    assert_eq!(chunks_of(&relay(start, &[body.as_bytes()]).unwrap().0).len(), 3);
}

#[test]
fn a_stream_gets_its_end_mark_only_after_a_finish() {
    let (sent, observed) = openai(&[TEXT, FINISH].concat()).unwrap();
    assert!(sent.ends_with(DONE) && observed.ended);
    let unended = FINISH.trim_end();
    let (sent, _) = openai(&[TEXT, unended].concat()).unwrap();
    assert!(sent.ends_with("}]}\n\ndata: [DONE]\n\n"), "{sent}");
    assert!(matches!(openai(TEXT), Err(StreamFault::Truncated)));
    let torn = [TEXT, FINISH.split_at(40).0].concat();
    assert!(matches!(openai(&torn), Err(StreamFault::Truncated)));
}

#[test]
fn nothing_follows_the_end() {
    let (sent, _) = openai(&[TEXT, FINISH, DONE, TEXT, ": late\n\n"].concat()).unwrap();
    assert!(sent.ends_with(DONE));
    assert_eq!(sent.matches("[DONE]").count(), 1);
}

#[test]
fn errors_never_reach_the_client_but_what_came_before_does() {
    let errors = [
        "event: error\ndata: {\"error\":{\"message\":\"tool\",\"status_code\":400,\"code\":\"tool_use_failed\"}}\n\n",
        "data: {\"error\":{\"message\":\"overloaded\",\"code\":503},\"id\":\"x\",\"choices\":[]}\n\n",
        "data: {\"error\":\"boom\"}\n\n",
    ];
    let kinds = [Kind::InvalidRequest, Kind::ProviderOverloaded, Kind::ProviderUnavailable];
    for (error, kind) in errors.into_iter().zip(kinds) {
        let mut relay = translator(ApiFormat::OpenAiChat, Framing::Sse, label());
        let fault = relay.push(Bytes::from([TEXT, error, TEXT].concat())).unwrap_err();
        let StreamFault::Upstream(failure) = fault else { panic!("{fault}") };
        assert_eq!(failure.kind, kind);
        let before = String::from_utf8(relay.take_output().to_vec()).unwrap();
        assert_eq!(chunks_of(&before).len(), 1);
        assert!(before.contains("Hi") && !before.contains("error"));
        let error = GatewayError::upstream(Kind::ProviderUnavailable, "broke off");
        let last = String::from_utf8(relay.fail(&error, "req-1").to_vec()).unwrap();
        assert!(last.ends_with(DONE));
        assert_eq!(chunks_of(&last)[0]["error"]["code"], 502);
        assert!(relay.fail(&error, "req-1").is_empty());
    }
}

#[test]
fn comments_and_odd_frames_pass() {
    let comment = ": OPENROUTER PROCESSING\n\n";
    let nameless = "data: {\"choices\":[{\"delta\":{\"content\":\"é\\\"model\\\"\"}}]}\r\n\r\n";
    let (sent, _) = openai(&[comment, nameless, FINISH, DONE].concat()).unwrap();
    assert!(sent.starts_with(&[comment, nameless].concat()), "{sent}");
    let lines = "data: {\"id\":\"x\",\ndata: \"choices\":[]}\n\n";
    let (sent, _) = openai(&[lines, TEXT, FINISH, DONE].concat()).unwrap();
    assert!(sent.starts_with("data: {\"id\":\"gen-1-abc\", \"choices\":[]}\n\n"), "{sent}");
}

#[test]
fn a_chunk_without_model_does_not_hide_the_model_of_the_next() {
    let bare = "data: {\"id\":\"x\",\"choices\":[]}\n\n";
    let (sent, _) = openai(&[bare, TEXT, bare, TEXT, FINISH, DONE].concat()).unwrap();
    assert_eq!(sent.matches("\"model\":\"acme/model\"").count(), 3, "{sent}");
    assert_eq!(sent.matches("\"id\":\"gen-1-abc\"").count(), 5, "{sent}");
}

#[test]
fn content_is_counted_as_written() {
    let quoted = TEXT.replace("Hi", "say \\\"x\\\" \\\\");
    let (_, observed) = openai(&[TEXT, &quoted, FINISH, DONE].concat()).unwrap();
    assert_eq!(observed.content_bytes, 2 + 12);
}

#[test]
fn words_in_texts_are_no_keys() {
    for word in ["usage", "error", "finish_reason", "name", "\\\"usage\\\":1"] {
        let body = TEXT.replace("Hi", word);
        let (sent, observed) = openai(&[&body, FINISH, DONE].concat()).unwrap();
        assert!(sent.contains(word) && observed.usage.is_missing(), "{word}");
    }
}

#[test]
fn requests_differ_only_where_they_must() {
    let rewrite = |format, body: &'static str, stream| {
        let body = Bytes::from_static(body.as_bytes());
        let head = Head::scan(&body).unwrap();
        let edit = RequestEdit { model: "up-1", stream, dialect: &OPENAI };
        let sent = rewrite_request(format, &body, &head, edit).body.to_bytes();
        String::from_utf8(sent.to_vec()).unwrap()
    };
    let cases = [
        (
            ApiFormat::OpenAiChat,
            r#"{ "model" : "a/b", "x":1.50, "messages":[] }"#,
            false,
            r#"{ "model" : "up-1", "x":1.50, "messages":[] }"#,
        ),
        (
            ApiFormat::OpenAiChat,
            r#"{"messages":[],"models":["a"],"provider":{},"temperature":1e0}"#,
            false,
            r#"{"messages":[],"temperature":1e0,"model":"up-1"}"#,
        ),
        (
            ApiFormat::OpenAiChat,
            r#"{"model":"a","stream":true}"#,
            true,
            r#"{"model":"up-1","stream":true,"stream_options":{"include_usage":true}}"#,
        ),
        (
            ApiFormat::OpenAiChat,
            r#"{"model":"a","stream_options":{"include_usage": false, "x":2}}"#,
            true,
            r#"{"model":"up-1","stream_options":{"include_usage": true, "x":2}}"#,
        ),
        (
            ApiFormat::OpenAiChat,
            r#"{"model":"a","stream_options":{"x":2}}"#,
            true,
            r#"{"model":"up-1","stream_options":{"include_usage":true,"x":2}}"#,
        ),
        (
            ApiFormat::OpenAiChat,
            r#"{"model":"a","stream_options":{ }}"#,
            true,
            r#"{"model":"up-1","stream_options":{"include_usage":true }}"#,
        ),
        (
            ApiFormat::OpenAiChat,
            r#"{"model":"a","stream_options":null}"#,
            true,
            r#"{"model":"up-1","stream_options":{"include_usage":true}}"#,
        ),
        (
            ApiFormat::Anthropic,
            r#"{"model":"claude","stream":true,"plugins":[]}"#,
            true,
            r#"{"model":"up-1","stream":true}"#,
        ),
        (ApiFormat::Gemini, r#"{"contents":[]}"#, true, r#"{"contents":[]}"#),
    ];
    for (format, body, stream, expected) in cases {
        assert_eq!(rewrite(format, body, stream), expected);
    }
}

#[test]
fn what_the_provider_does_not_take_is_left_out_and_named() {
    let dialect: Dialect = toml::from_str(
        r#"refuses = ["n", "logit_bias", "user"]
        stream_options = false
        [renames]
        max_completion_tokens = "max_tokens"
        seed = "random_seed""#,
    )
    .unwrap();
    let rewrite = |text: &str, format| {
        let body = Bytes::from(text.to_owned());
        let head = Head::scan(&body).unwrap();
        let edit = RequestEdit { model: "up", stream: true, dialect: &dialect };
        let rewritten = rewrite_request(format, &body, &head, edit);
        let sent = String::from_utf8(rewritten.body.to_bytes().to_vec()).unwrap();
        (sent, rewritten.dropped.join(","))
    };
    let cases = [
        (
            r#"{"model":"m","user":"u","x": 1,"logit_bias":{},"n":2,"stream_options":{}}"#,
            r#"{"model":"up","x": 1,"n":2}"#,
            "user,logit_bias",
        ),
        (
            r#"{"seed":7,"max_completion_tokens": 9,"model":"m"}"#,
            r#"{"model":"up","random_seed":7,"max_tokens":9}"#,
            "",
        ),
        (
            r#"{"model":"m","max_tokens":5,"max_completion_tokens":9}"#,
            r#"{"model":"up","max_tokens":9}"#,
            "",
        ),
    ];
    for (given, expected, dropped) in cases {
        assert_eq!(rewrite(given, ApiFormat::OpenAiChat), (expected.into(), dropped.into()));
    }
    let native = r#"{"model":"m","user":"u","seed":7}"#;
    let kept = (native.replace("\"m\"", "\"up\""), String::new());
    assert_eq!(rewrite(native, ApiFormat::Anthropic), kept);
}

#[test]
fn only_parameters_a_provider_lists_reach_it() {
    let accepts = r#"accepts = ["temperature", "max_completion_tokens"]
        renames = { max_completion_tokens = "max_tokens" }"#;
    let dialect: Dialect = toml::from_str(accepts).unwrap();
    let given =
        r#"{"model":"m","messages":[],"temperature":1,"top_p":1,"max_tokens":3,"tools":[]}"#;
    let body = Bytes::from_static(given.as_bytes());
    let head = Head::scan(&body).unwrap();
    let edit = RequestEdit { model: "up", stream: false, dialect: &dialect };
    let rewritten = rewrite_request(ApiFormat::OpenAiChat, &body, &head, edit);
    let sent = r#"{"model":"up","messages":[],"temperature":1,"max_tokens":3,"tools":[]}"#;
    assert_eq!(rewritten.body.to_bytes(), sent);
    assert_eq!(rewritten.dropped, ["top_p"]);
}

mod costs;
