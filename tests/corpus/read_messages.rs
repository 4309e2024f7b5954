//! Reads Anthropic's answers, and those of Amazon's Converse, which are built alike.

use crate::json::Json;
use crate::reading::{Answer, Arguments, Call, Choice, Counts, Finish};

/// An Anthropic message.
pub fn answer(body: &Json) -> Answer {
    let mut read = Choice { finish: finish(body["stop_reason"].text()), ..Choice::default() };
    for block in body["content"].list() {
        match block["type"].text() {
            "text" => {
                read.text.push_str(block["text"].text());
                for citation in block["citations"].list() {
                    if let Some(url) = citation["url"].str() {
                        read.sources.push((url.to_owned(), citation["title"].text().to_owned()));
                    }
                }
            }
            "thinking" => {
                read.reasoning.push_str(block["thinking"].text());
                read.sign(&block["signature"]);
            }
            "redacted_thinking" => read.sign(&block["data"]),
            "tool_use" => read.calls.push(Call {
                id: block["id"].text().to_owned(),
                name: block["name"].text().to_owned(),
                arguments: input(block),
            }),
            _ => {}
        }
    }
    let error = &body["error"];
    Answer {
        choices: vec![read.settle()],
        usage: usage(&body["usage"]),
        model: body["model"].text().to_owned(),
        error: (!error.is_null()).then(|| error.to_string()),
    }
}

/// A streamed input that was cut is kept as the text it is.
fn input(block: &Json) -> Arguments {
    match block["partial_input"].str() {
        Some(text) => Arguments::from_text(text),
        None => Arguments::from_value(&block["input"]),
    }
}

fn finish(word: &str) -> Finish {
    match word {
        "" => Finish::Missing,
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "tool_use" => Finish::ToolCalls,
        "refusal" | "guardrail_intervened" | "content_filtered" => Finish::Filter,
        _ => Finish::Stop,
    }
}

/// Anthropic counts cached tokens beside the input; here they are inside.
pub fn usage(usage: &Json) -> Counts {
    let mut counts = Counts::new();
    let count = |key: &str| usage[key].int();
    let (read, write) = (count("cache_read_input_tokens"), count("cache_creation_input_tokens"));
    let split = &usage["cache_creation"];
    let split_sum = ["ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"]
        .iter()
        .filter_map(|key| split[*key].int())
        .sum::<u64>();
    let write = write.or((split_sum > 0).then_some(split_sum));
    if let Some(input) = count("input_tokens") {
        counts.insert("prompt", input + read.unwrap_or(0) + write.unwrap_or(0));
    }
    let thinking = usage["output_tokens_details"]["thinking_tokens"].int();
    let searches = usage["server_tool_use"]["web_search_requests"].int();
    let rest = [
        ("completion", count("output_tokens")),
        ("cached", read),
        ("write", write),
        ("write_1h", split["ephemeral_1h_input_tokens"].int()),
        ("reasoning", thinking),
        ("searches", searches),
    ];
    counts.extend(rest.into_iter().filter_map(|(name, count)| Some((name, count?))));
    counts
}

/// An answer of Converse.
pub fn converse(body: &Json) -> Answer {
    let mut read = Choice { finish: finish(body["stopReason"].text()), ..Choice::default() };
    for block in body["output"]["message"]["content"].list() {
        read.text.push_str(block["text"].text());
        let reasoning = &block["reasoningContent"];
        read.reasoning.push_str(reasoning["reasoningText"]["text"].text());
        read.sign(&reasoning["reasoningText"]["signature"]);
        read.sign(&reasoning["redactedContent"]);
        let call = &block["toolUse"];
        if call.is_object() && call["type"].text() != "server_tool_use" {
            read.calls.push(Call {
                id: call["toolUseId"].text().to_owned(),
                name: call["name"].text().to_owned(),
                arguments: input(call),
            });
        }
    }
    let usage = &body["usage"];
    let cached = usage.any(&["cacheReadInputTokens", "cacheReadInputTokenCount"]).int();
    let write = usage.any(&["cacheWriteInputTokens", "cacheWriteInputTokenCount"]).int();
    let input = usage["inputTokens"].int();
    let prompt = input.map(|input| input + cached.unwrap_or(0) + write.unwrap_or(0));
    let rest = [
        ("prompt", prompt),
        ("completion", usage["outputTokens"].int()),
        ("cached", cached),
        ("write", write),
    ];
    Answer {
        choices: vec![read.settle()],
        usage: rest.into_iter().filter_map(|(name, count)| Some((name, count?))).collect(),
        model: String::new(),
        error: None,
    }
}

#[test]
fn blocks_are_told_apart() {
    let body = Json::parse(
        r#"{"content":[{"type":"thinking","thinking":"hm","signature":"s"},
            {"type":"server_tool_use","id":"x","name":"web_search","input":{}},
            {"type":"text","text":"a","citations":[{"url":"u","title":"t"}]},
            {"type":"text","text":"b"},{"type":"redacted_thinking","data":"d"},
            {"type":"tool_use","id":"i","name":"f","input":{"n":1e3}}],
            "stop_reason":"tool_use","usage":{"input_tokens":1,"cache_read_input_tokens":2,
            "cache_creation_input_tokens":4,"output_tokens":8}}"#,
    );
    let read = answer(&body.unwrap());
    let choice = &read.choices[0];
    assert_eq!((choice.text.as_str(), choice.reasoning.as_str()), ("ab", "hm"));
    assert_eq!(choice.signatures, ["s", "d"]);
    assert_eq!(choice.sources, [("u".to_owned(), "t".to_owned())]);
    assert_eq!(choice.calls.len(), 1);
    assert_eq!(choice.calls[0].arguments.value.to_string(), r#"{"n":1e3}"#);
    assert_eq!((read.usage["prompt"], read.usage["cached"], read.usage["write"]), (7, 2, 4));
}
