//! Tests of the answer reader, on single answers and on recordings where present.

use super::*;
use crate::formats::bedrock::recordings;
use crate::formats::{AnswerLabel, ApiFormat, answer};
use bytes::Bytes;
use serde_json::Value;
use std::sync::Arc;

#[test]
fn blocks_of_all_kinds_keep_their_order() {
    let body = br#"{"output":{"message":{"role":"assistant","content":[
        {"reasoningContent":{"reasoningText":{"text":"hm","signature":"s"}}},
        {"reasoningContent":{"redactedContent":"cmVk"}},
        {"reasoningContent":{"reasoningText":{"text":"unsigned"}}},
        {"text":"one "},{"text":""},{"somethingNew":{"x":1}},
        {"citationsContent":{"content":[{"text":"two"}],"citations":[
            {"title":"t","location":{"web":{"url":"https://x"}}},{"location":{"documentPage":{"start":1}}}]}},
        {"toolUse":{"toolUseId":"t1","name":"f","input":{"b":1.0,"a":12345678901234567890}}},
        {"toolUse":{"toolUseId":"s1","name":"g","input":{},"type":"server_tool_use"}},
        {"image":{"format":"jpeg","source":{"bytes":"AAAA"}}}]}},
        "stopReason":"tool_use","serviceTier":{"type":"flex"},
        "trace":{"promptRouter":{"invokedModelId":"arn:x"}},
        "usage":{"inputTokens":3,"outputTokens":4,"cacheReadInputTokens":5}}"#;
    let read = decode(body).unwrap();
    let choice = &read.choices[0];
    let parts: Vec<String> = choice
        .parts
        .iter()
        .map(|part| match part {
            Part::Text { text, .. } => format!("text {text}"),
            Part::Reasoning(piece) => format!(
                "{:?} {} {:?} {:?}",
                piece.kind,
                piece.text,
                piece.signature.as_deref(),
                piece.format.as_deref()
            ),
            Part::ToolCall(call) => format!("{} {} {}", call.id, call.name, call.arguments),
            other => format!("{other:?}").chars().take(5).collect(),
        })
        .collect();
    let expected = [
        "Text hm Some(\"s\") Some(\"anthropic-claude-v1\")",
        "Encrypted  Some(\"cmVk\") Some(\"anthropic-claude-v1\")",
        "Text unsigned None None",
        "text one ",
        "text two",
        "t1 f {\"b\":1.0,\"a\":12345678901234567890}",
        "Image",
    ];
    assert_eq!(parts, expected);
    let cited = &choice.citations;
    assert_eq!((cited.len(), cited[0].start, cited[0].end), (1, 4, 7));
    assert_eq!(choice.finish, FinishReason::ToolCalls);
    assert_eq!(read.service_tier.as_deref(), Some("flex"));
    assert_eq!(read.model.as_deref(), Some("arn:x"));
    assert_eq!((read.usage.prompt, read.usage.cached), (Some(8), Some(5)));
}

#[test]
fn what_is_no_answer_is_refused() {
    for body in ["", "[]", "{}", r#"{"output":{}}"#, r#"{"message":"x"}"#] {
        assert!(decode(body.as_bytes()).is_err(), "{body}");
    }
    let empty = decode(br#"{"output":{"message":{}},"stopReason":"content_filtered"}"#).unwrap();
    assert_eq!(empty.choices[0].finish, FinishReason::ContentFilter);
}

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

#[test]
fn recorded_answers_say_the_same_in_every_client_format() {
    let nova = |id: &str| id.contains("nova") && !id.contains("embed");
    let invoked = recordings::load("bedrock-invoke").into_iter().filter(|r| nova(&r.id));
    for recording in recordings::load("bedrock-converse").into_iter().chain(invoked) {
        if recording.status != 200 {
            continue;
        }
        let json: Value = serde_json::from_slice(&recording.body).unwrap();
        let blocks = json["output"]["message"]["content"].as_array().unwrap();
        let text: String = blocks.iter().filter_map(|block| block["text"].as_str()).collect();
        let usage = &json["usage"];
        let count = |keys: [&str; 2]| keys.iter().find_map(|key| usage[*key].as_u64());
        let read = count(["cacheReadInputTokens", "cacheReadInputTokenCount"]);
        let write = count(["cacheWriteInputTokens", "cacheWriteInputTokenCount"]);
        let prompt = usage["inputTokens"].as_u64();
        let prompt = prompt.map(|input| input + read.unwrap_or(0) + write.unwrap_or(0));
        for client in [
            ApiFormat::OpenAiChat,
            ApiFormat::OpenAiResponses,
            ApiFormat::Anthropic,
            ApiFormat::Gemini,
            ApiFormat::Completions,
        ] {
            let body = Bytes::from(recording.body.clone());
            let answer = answer::relay(ApiFormat::Bedrock, client, body, &label()).unwrap();
            assert_eq!(answer.observed.usage.prompt, prompt, "{}", recording.id);
            assert_eq!(answer.observed.usage.completion, usage["outputTokens"].as_u64());
            assert_eq!(answer.observed.native_finish.as_deref(), json["stopReason"].as_str());
            if client == ApiFormat::OpenAiChat {
                let sent: Value = serde_json::from_slice(&answer.body).unwrap();
                let content = sent["choices"][0]["message"]["content"].as_str();
                assert_eq!(content.unwrap_or_default(), text, "{}", recording.id);
            }
        }
    }
}
