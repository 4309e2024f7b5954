//! Tests of translated streams on recordings where present, of ends, errors and restored names.

use super::*;
use crate::chat::Request;
use crate::chat::tool::Tool;
use crate::error::Kind;
use crate::formats::gemini::recordings;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

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

fn to_openai(upstream: ApiFormat) -> Translator {
    Translator::new(upstream, ApiFormat::OpenAiChat, Framing::Sse, label()).unwrap()
}

fn relay(mut relay: Translator, chunks: &[&[u8]]) -> Result<(String, Observed), StreamFault> {
    let mut sent = Vec::new();
    for chunk in chunks {
        sent.extend_from_slice(&relay.push(Bytes::copy_from_slice(chunk))?);
    }
    sent.extend_from_slice(&relay.finish()?);
    Ok((String::from_utf8(sent).unwrap(), relay.observed().clone()))
}

fn data_of(body: &str) -> Vec<Value> {
    let data = body.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim);
    data.filter_map(|data| serde_json::from_str(data).ok()).collect()
}

/// What an answer says, whatever its format.
#[derive(Debug, Default, PartialEq)]
struct Said {
    text: String,
    reasoning: String,
    /// Function names and arguments, in order.
    calls: Vec<(String, Value)>,
    prompt: u64,
    completion: u64,
}

fn parsed(arguments: &str) -> Value {
    serde_json::from_str(arguments).unwrap_or_else(|_| json!(arguments))
}

/// Reads the client's stream as a client does, and checks its form.
fn said_in_openai(id: &str, sent: &str) -> Said {
    let mut said = Said::default();
    let mut calls: BTreeMap<u64, (String, String)> = BTreeMap::new();
    let mut finishes = 0;
    assert!(sent.ends_with("data: [DONE]\n\n"), "{id}: {sent}");
    assert_eq!(sent.matches("data: [DONE]").count(), 1, "{id}");
    let chunks = data_of(sent);
    for (at, chunk) in chunks.iter().enumerate() {
        assert_eq!(chunk["id"], "gen-1-abc", "{id}");
        assert_eq!(chunk["model"], "acme/model", "{id}");
        assert_eq!(chunk["object"], "chat.completion.chunk", "{id}");
        if let Some(usage) = chunk.get("usage") {
            assert_eq!(at, chunks.len() - 1, "{id}: usage is not last");
            assert_eq!(chunk["choices"], json!([]), "{id}");
            said.prompt = usage["prompt_tokens"].as_u64().unwrap();
            said.completion = usage["completion_tokens"].as_u64().unwrap();
            continue;
        }
        let choice = &chunk["choices"][0];
        if choice["index"] != 0 {
            continue;
        }
        let delta = &choice["delta"];
        assert_eq!(delta.get("role").is_some(), at == 0, "{id}: role at {at}");
        said.text += delta["content"].as_str().unwrap_or_default();
        said.reasoning += delta["reasoning"].as_str().unwrap_or_default();
        assert_eq!(delta["reasoning"], delta["reasoning_content"], "{id}");
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            let slot = calls.entry(call["index"].as_u64().unwrap()).or_default();
            let function = &call["function"];
            if call.get("id").is_some() {
                assert!(slot.0.is_empty() && !call["id"].as_str().unwrap().is_empty(), "{id}");
            }
            slot.0 += function["name"].as_str().unwrap_or_default();
            slot.1 += function["arguments"].as_str().unwrap_or_default();
        }
        finishes += usize::from(choice["finish_reason"].is_string());
    }
    assert_eq!(finishes, 1, "{id}");
    assert_eq!(
        calls.keys().copied().collect::<Vec<_>>(),
        (0..calls.len() as u64).collect::<Vec<_>>()
    );
    said.calls = calls.into_values().map(|(name, json)| (name, parsed(&json))).collect();
    said
}

/// Reads Anthropic's events independently of the decoder.
fn said_in_anthropic(body: &str) -> Said {
    let mut said = Said::default();
    let mut calls: BTreeMap<u64, (String, String)> = BTreeMap::new();
    let mut usage = serde_json::Map::new();
    for event in data_of(body) {
        let index = event["index"].as_u64().unwrap_or_default();
        let block = &event["content_block"];
        if block["type"] == "tool_use" {
            let input = block["input"].as_object().filter(|input| !input.is_empty());
            let input = input.map(|input| json!(input).to_string()).unwrap_or_default();
            calls.insert(index, (block["name"].as_str().unwrap().to_owned(), input));
        }
        if block["type"] == "text" {
            said.text += block["text"].as_str().unwrap_or_default();
        }
        let delta = &event["delta"];
        said.text += delta["text"].as_str().unwrap_or_default();
        said.reasoning += delta["thinking"].as_str().unwrap_or_default();
        if let (Some(json), Some(call)) = (delta["partial_json"].as_str(), calls.get_mut(&index)) {
            call.1 += json;
        }
        let found = event["usage"].as_object().or(event["message"]["usage"].as_object());
        usage.extend(found.cloned().unwrap_or_default());
    }
    let count = |key: &str| usage.get(key).and_then(Value::as_u64).unwrap_or_default();
    said.prompt = count("input_tokens")
        + count("cache_read_input_tokens")
        + count("cache_creation_input_tokens");
    said.completion = count("output_tokens");
    let arguments = |json: &str| if json.is_empty() { json!({}) } else { parsed(json) };
    said.calls = calls.into_values().map(|(name, json)| (name, arguments(&json))).collect();
    said
}

/// Reads Gemini's events independently of the decoder; `None` where parts are beyond this reading.
fn said_in_gemini(body: &str) -> Option<Said> {
    let mut said = Said::default();
    for event in data_of(body) {
        let candidate = event["candidates"].as_array().into_iter().flatten();
        let candidate = candidate.filter(|c| c["index"].as_u64().unwrap_or(0) == 0);
        for part in candidate.flat_map(|c| c["content"]["parts"].as_array().into_iter().flatten()) {
            let odd = ["executableCode", "codeExecutionResult", "inlineData"];
            if odd.iter().any(|key| part.get(key).is_some()) {
                return None;
            }
            let text = part["text"].as_str().unwrap_or_default();
            if part["thought"] == true {
                said.reasoning += text;
            } else {
                said.text += text;
            }
            if let Some(call) = part.get("functionCall") {
                if call.get("partialArgs").is_some() || call.get("willContinue").is_some() {
                    return None;
                }
                let arguments = call.get("args").cloned().unwrap_or(json!({}));
                said.calls.push((call["name"].as_str()?.to_owned(), arguments));
            }
        }
        let usage = &event["usageMetadata"];
        let count = |key: &str| usage[key].as_u64();
        if let Some(prompt) = count("promptTokenCount") {
            said.prompt = prompt + count("toolUsePromptTokenCount").unwrap_or(0);
        }
        let completion = [count("candidatesTokenCount"), count("thoughtsTokenCount")];
        if completion.iter().any(Option::is_some) {
            said.completion = completion.iter().flatten().sum();
        }
    }
    Some(said)
}

fn recorded(folder: &str) -> Vec<(String, String)> {
    let single = |body: &str| body.matches("event: message_start").count() < 2;
    let streams = recordings::load(folder).into_iter();
    streams
        .filter(|r| r.status == 200 && r.body.lines().any(|line| line.starts_with("data:")))
        .map(|r| (r.id, r.body))
        .filter(|(_, body)| single(body))
        .collect()
}

#[test]
fn recorded_anthropic_streams_say_the_same_in_openai() {
    let mut seen = 0;
    for (id, body) in recorded("anthropic-messages") {
        let Ok((sent, observed)) = relay(to_openai(ApiFormat::Anthropic), &[body.as_bytes()])
        else {
            assert!(!body.contains("message_stop") || body.contains("event: error"), "{id}");
            continue;
        };
        seen += 1;
        let said = said_in_openai(&id, &sent);
        assert_eq!(said, said_in_anthropic(&body), "{id}");
        assert_eq!(observed.usage.total(), said.prompt + said.completion, "{id}");
        assert!(observed.ended && observed.finish.is_some(), "{id}");
    }
    assert!(seen == 0 || seen > 50, "{seen}");
}

#[test]
fn recorded_gemini_streams_say_the_same_in_openai() {
    let mut seen = 0;
    for folder in ["google-generate", "vertex-generate"] {
        for (id, body) in recorded(folder) {
            let Ok((sent, _)) = relay(to_openai(ApiFormat::Gemini), &[body.as_bytes()]) else {
                let finished =
                    body.contains("\"finishReason\"") || body.contains("\"blockReason\"");
                assert!(!finished || body.contains("\"error\""), "{id}");
                continue;
            };
            let Some(expected) = said_in_gemini(&body) else { continue };
            seen += 1;
            let said = said_in_openai(&id, &sent);
            let same = (&said.calls, &said.reasoning) == (&expected.calls, &expected.reasoning);
            assert!(same, "{id}: {said:?} for {expected:?}");
            assert!(said.text == expected.text || sent.contains("refusal"), "{id}: {}", said.text);
            let counts = (said.prompt, said.completion);
            assert_eq!(counts, (expected.prompt, expected.completion), "{id}");
        }
    }
    assert!(seen == 0 || seen > 40, "{seen}");
}

#[test]
fn any_split_gives_the_same() {
    for (format, folder) in
        [(ApiFormat::Anthropic, "anthropic-messages"), (ApiFormat::Gemini, "google-generate")]
    {
        let short = recorded(folder).into_iter().filter(|(_, body)| body.len() < 4_000);
        for (id, body) in short.step_by(3).take(6) {
            let bytes = body.as_bytes();
            // Ids that a provider left out are random.
            let Ok(whole) = relay(to_openai(format), &[bytes]) else { continue };
            let expected = said_in_openai(&id, &whole.0);
            for at in 0..bytes.len() {
                let (sent, observed) =
                    relay(to_openai(format), &[&bytes[..at], &bytes[at..]]).unwrap();
                assert_eq!(said_in_openai(&id, &sent), expected, "{id} at {at}");
                assert_eq!(format!("{observed:?}"), format!("{:?}", whole.1), "{id} at {at}");
            }
        }
    }
}

const START: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"model\":\"claude-x\",\"usage\":{\"input_tokens\":3}}}\n\n";
const TEXT: &str = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi\"}}\n\n";
const STOP: &str = "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":1}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
const ERROR: &str = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"busy\"}}\n\n";

#[test]
fn the_clients_stream_is_complete_as_soon_as_the_provider_says_so() {
    let mut relay = to_openai(ApiFormat::Anthropic);
    let sent = relay.push(Bytes::from([START, TEXT, STOP].concat())).unwrap();
    assert!(relay.observed().ended && sent.ends_with(b"data: [DONE]\n\n"));
    assert_eq!(relay.keep_alive(), None);
    assert!(relay.push(Bytes::from_static(TEXT.as_bytes())).unwrap().is_empty());
    assert!(relay.finish().unwrap().is_empty());
    let error = GatewayError::upstream(Kind::Timeout, "late");
    assert!(relay.fail(&error, "req-1").is_empty());
}

#[test]
fn what_came_before_a_fault_is_not_lost() {
    let mut relay = to_openai(ApiFormat::Anthropic);
    let fault = relay.push(Bytes::from([START, TEXT, ERROR].concat())).unwrap_err();
    let StreamFault::Upstream(failure) = fault else { panic!("{fault}") };
    assert_eq!(failure.kind, Kind::ProviderOverloaded);
    let before = String::from_utf8(relay.take_output().to_vec()).unwrap();
    assert!(before.contains("\"content\":\"Hi\"") && !before.contains("[DONE]"));
    let error = GatewayError::upstream(Kind::ProviderOverloaded, "the provider is overloaded");
    let last = String::from_utf8(relay.fail(&error, "req-1").to_vec()).unwrap();
    let expected = "data: {\"id\":\"gen-1-abc\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"acme/model\",\"provider\":\"Acme\",\"error\":{\"code\":503,\"message\":\"the provider is overloaded\",\"metadata\":{\"error_type\":\"provider_overloaded\",\"provider_name\":\"Acme\"}},\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\"},\"finish_reason\":\"error\"}]}\n\ndata: [DONE]\n\n";
    assert_eq!(last, expected);
}

#[test]
fn a_stream_without_its_end_is_truncated() {
    for body in ["", START, &[START, TEXT].concat(), &[START, TEXT, STOP.split_at(60).0].concat()] {
        let ended = relay(to_openai(ApiFormat::Anthropic), &[body.as_bytes()]);
        assert!(matches!(ended, Err(StreamFault::Truncated)), "{body}");
    }
}

#[test]
fn an_error_is_not_glued_to_a_torn_line() {
    let error = GatewayError::upstream(Kind::ProviderUnavailable, "broke off");
    for format in [ApiFormat::OpenAiChat, ApiFormat::Anthropic, ApiFormat::Gemini] {
        for tail in [": keep", "event: x", "\0", "id: 7\n"] {
            let mut relay = Translator::new(format, format, Framing::Sse, label()).unwrap();
            let mut sent = relay.push(Bytes::from_static(tail.as_bytes())).unwrap().to_vec();
            assert!(matches!(relay.finish(), Err(StreamFault::Truncated)));
            sent.extend_from_slice(&relay.take_output());
            sent.extend_from_slice(&relay.fail(&error, "req-1"));
            let sent = String::from_utf8(sent).unwrap();
            assert!(data_of(&sent).iter().any(|data| data.get("error").is_some()), "{sent}");
        }
    }
}

#[test]
fn every_client_is_told_in_its_own_format() {
    let error = GatewayError::upstream(Kind::Timeout, "too slow");
    let fail = |format, framing, input: &'static str| {
        let mut relay = Translator::new(format, format, framing, label()).unwrap();
        let mut sent = relay.push(Bytes::from_static(input.as_bytes())).unwrap().to_vec();
        sent.extend_from_slice(&relay.fail(&error, "req-1"));
        String::from_utf8(sent).unwrap()
    };
    let sent = fail(ApiFormat::Anthropic, Framing::Sse, START);
    assert!(sent.contains("event: error\ndata: {"), "{sent}");
    let element = "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"Hi\"}]}}]}";
    for input in [
        "",
        "[",
        Box::leak(format!("[{element}").into_boxed_str()),
        Box::leak(format!("[{element},").into_boxed_str()),
    ] {
        let sent = fail(ApiFormat::Gemini, Framing::JsonArray, input);
        let whole: Value = serde_json::from_str(&sent).unwrap_or_else(|_| panic!("{sent}"));
        assert_eq!(whole.as_array().unwrap().last().unwrap()["error"]["code"], 504, "{sent}");
    }
    let sent = fail(ApiFormat::Gemini, Framing::Sse, "");
    assert!(sent.starts_with("data: {\"error\"") && sent.ends_with("\r\n\r\n"), "{sent}");
}

#[test]
fn an_error_element_is_not_sent_to_an_array_client() {
    let element = "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"Hi\"}]}}]}";
    let body = format!(
        "[{element},{{\"error\":{{\"code\":503,\"status\":\"UNAVAILABLE\",\"message\":\"x\"}}}}]"
    );
    let format = ApiFormat::Gemini;
    let mut relay = Translator::new(format, format, Framing::JsonArray, label()).unwrap();
    let fault = relay.push(Bytes::from(body)).unwrap_err();
    assert!(matches!(fault, StreamFault::Upstream(_)), "{fault}");
    let mut sent = relay.take_output().to_vec();
    let error = GatewayError::upstream(Kind::ProviderUnavailable, "broke off");
    sent.extend_from_slice(&relay.fail(&error, "req-1"));
    let whole: Value = serde_json::from_slice(&sent).unwrap();
    assert_eq!(whole.as_array().unwrap().len(), 2);
    assert_eq!(whole[1]["error"]["code"], 502);
}

#[test]
fn changed_function_names_come_back() {
    let name = "weather.for city";
    let tool = Tool {
        name: name.into(),
        description: None,
        parameters: None,
        strict: None,
        cache: None,
        custom: None,
    };
    let request = Request { tools: vec![tool], ..Request::default() };
    let sent_name = anthropic::names::tool_name(name);
    assert_ne!(sent_name, name);
    let call = format!(
        "event: content_block_start\ndata: {{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":\"{sent_name}\",\"input\":{{}}}}}}\n\n"
    );
    let names = ToolNames::of(ApiFormat::Anthropic, &request, crate::formats::Target::new("m"));
    let start = to_openai(ApiFormat::Anthropic).with_tool_names(names);
    let (sent, observed) = relay(start, &[[START, &call, STOP].concat().as_bytes()]).unwrap();
    assert_eq!(said_in_openai("", &sent).calls, [(name.to_owned(), json!({}))]);
    assert!(sent.contains("\"finish_reason\":\"tool_calls\""));
    assert!(observed.saw_content);
}

#[test]
fn clients_wait_in_their_own_way() {
    let keep_alive = |format| {
        let relay = Translator::new(format, format, Framing::Sse, label()).unwrap();
        relay.keep_alive().map(|bytes| std::str::from_utf8(bytes).unwrap())
    };
    assert_eq!(keep_alive(ApiFormat::OpenAiChat), Some(": AROUTER PROCESSING\n\n"));
    assert!(keep_alive(ApiFormat::Anthropic).unwrap().starts_with("event: ping\ndata: "));
    assert_eq!(keep_alive(ApiFormat::Gemini), None);
    let refused = Translator::new(ApiFormat::OpenAiChat, ApiFormat::Bedrock, Framing::Sse, label());
    assert!(refused.is_err());
}
