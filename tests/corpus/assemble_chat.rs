//! Puts chunks of OpenAI's chat format together, in the dialects of all who borrow it.

use crate::assemble::{Assembled, merge, place};
use crate::json::Json;

/// All chunks but the end marker.
pub fn assemble(chunks: &[Json]) -> Result<Assembled, String> {
    let mut whole = Json::Null;
    let mut ended = false;
    for chunk in chunks {
        if !chunk.is_object() {
            return Err(format!("a chunk is no object: {chunk}"));
        }
        for key in ["id", "model"] {
            if whole[key].text().is_empty() && chunk[key].str().is_some() {
                whole.set(key, chunk[key].clone());
            }
        }
        for key in ["error", "citations"] {
            if !chunk[key].is_null() {
                whole.set(key, chunk[key].clone());
            }
        }
        for usage in [&chunk["x_groq"]["usage"], &chunk["usage"]] {
            merge(whole.slot("usage"), usage);
        }
        for (at, choice) in chunk["choices"].list().iter().enumerate() {
            let at = place(&choice["index"]).unwrap_or(at);
            let slot = whole.element("choices", at);
            slot.set("index", Json::Number(at.to_string()));
            ended |= self::choice(slot, choice);
        }
    }
    if whole["usage"].members().is_empty() {
        whole.set("usage", Json::Null);
    }
    Ok(Assembled { whole: whole.is_object().then_some(whole), ended })
}

/// Adds a chunk's choice; tells whether it says why it ended.
fn choice(slot: &mut Json, choice: &Json) -> bool {
    let delta = &choice["delta"];
    if let Some(text) = choice["text"].str().filter(|_| delta.is_null()) {
        slot.append("text", text);
    }
    let message = slot.slot("message");
    for key in ["refusal", "reasoning", "reasoning_content", "reasoning_text", "thinking"] {
        if let Some(piece) = delta[key].str() {
            message.append(key, piece);
        }
    }
    match &delta["content"] {
        Json::List(parts) => parts.iter().for_each(|part| message.push("content", part.clone())),
        Json::Null => {}
        piece => message.push("content", piece.clone()),
    }
    for key in ["reasoning_details", "annotations", "images"] {
        for piece in delta[key].list() {
            message.push(key, piece.clone());
        }
    }
    if let Some(mark) = delta["reasoning_opaque"].str() {
        message.set("reasoning_opaque", mark.into());
    }
    if let Some(piece) = delta["audio"]["transcript"].str() {
        message.slot("audio").append("transcript", piece);
    }
    calls(message, delta);
    for token in choice["logprobs"]["content"].list() {
        slot.slot("logprobs").push("content", token.clone());
    }
    let finish = &choice["finish_reason"];
    let stated = finish.str().is_some_and(|word| !word.is_empty());
    if stated && slot["finish_reason"].is_null() {
        slot.set("finish_reason", finish.clone());
    }
    stated
}

fn calls(message: &mut Json, delta: &Json) {
    let old = &delta["function_call"];
    if old.is_object() {
        fragment(message.slot("function_call"), old);
    }
    for (at, call) in delta["tool_calls"].list().iter().enumerate() {
        let known = message["tool_calls"].list().len();
        let unnumbered = if call["id"].text().is_empty() { known.saturating_sub(1) } else { known };
        let at = place(&call["index"]).unwrap_or(unnumbered.max(at));
        let slot = message.element("tool_calls", at);
        let id = call["id"].text();
        if slot["id"].text().is_empty() && !id.is_empty() {
            slot.set("id", id.into());
        }
        if call["function"].is_object() {
            fragment(slot.slot("function"), &call["function"]);
        }
        if call["custom"].is_object() {
            let custom = slot.slot("custom");
            if let Some(name) = call["custom"]["name"].str() {
                custom.set("name", name.into());
            }
            custom.append("input", call["custom"]["input"].text());
        }
    }
}

fn fragment(function: &mut Json, piece: &Json) {
    if function["name"].text().is_empty() && !piece["name"].text().is_empty() {
        function.set("name", piece["name"].clone());
    }
    match &piece["arguments"] {
        Json::Text(text) => function.append("arguments", text),
        Json::Null => {}
        whole => function.set("arguments", whole.clone()),
    }
}

#[test]
fn fragments_repetitions_and_lists_come_together() {
    let chunks = [
        r#"{"id":"","choices":[]}"#,
        r#"{"id":"c","choices":[{"index":0,"delta":{"content":"a","tool_calls":[
            {"index":0,"id":"x","function":{"name":"f","arguments":"{\"k\""}}]}}]}"#,
        r#"{"id":"d","choices":[{"index":0,"delta":{"content":[{"type":"text","text":"b"}],
            "tool_calls":[{"index":0,"id":"","function":{"name":"f","arguments":":1}"}}]},
            "finish_reason":"tool_calls"}],"usage":{"prompt_tokens":1,"completion_tokens":null}}"#,
        r#"{"id":"d","choices":[{"index":0,"delta":{"content":""},"finish_reason":"tool_calls"}],
            "usage":{"completion_tokens":5}}"#,
    ];
    let chunks: Vec<_> = chunks.iter().map(|chunk| Json::parse(chunk).unwrap()).collect();
    let assembled = assemble(&chunks).unwrap();
    let read = crate::read_chat::answer(&assembled.whole.unwrap());
    assert!(assembled.ended);
    assert_eq!(read.choices[0].text, "ab");
    assert_eq!(read.choices[0].calls.len(), 1);
    assert_eq!(read.choices[0].calls[0].arguments.value.to_string(), r#"{"k":1}"#);
    assert_eq!((read.usage["prompt"], read.usage["completion"]), (1, 5));
}
