//! Puts Gemini's chunks together, streamed arguments of function calls included.

use crate::assemble::{Assembled, place};
use crate::json::Json;

/// Every chunk is a partial answer; the last word on usage and end is taken.
pub fn assemble(chunks: &[Json]) -> Result<Assembled, String> {
    let mut whole = Json::Null;
    let mut ended = false;
    for chunk in chunks {
        if !chunk.is_object() {
            return Err(format!("a chunk is no object: {chunk}"));
        }
        for (key, value) in chunk.members() {
            if key != "candidates" && !value.is_null() {
                whole.set(key, value.clone());
            }
        }
        ended |= !chunk["promptFeedback"]["blockReason"].is_null();
        for (at, candidate) in chunk["candidates"].list().iter().enumerate() {
            let at = place(&candidate["index"]).unwrap_or(at);
            let slot = whole.element("candidates", at);
            slot.set("index", Json::Number(at.to_string()));
            ended |= self::candidate(slot, candidate);
        }
    }
    Ok(Assembled { whole: whole.is_object().then_some(whole), ended })
}

fn candidate(slot: &mut Json, candidate: &Json) -> bool {
    for part in candidate["content"]["parts"].list() {
        self::part(slot.slot("content"), part);
    }
    for key in ["finishReason", "finish_reason"] {
        if !candidate[key].is_null() {
            slot.set(key, candidate[key].clone());
        }
    }
    let logprobs = &candidate["logprobsResult"]["chosenCandidates"];
    for token in logprobs.list() {
        slot.slot("logprobsResult").push("chosenCandidates", token.clone());
    }
    let grounding = &candidate["groundingMetadata"];
    if !grounding.members().is_empty() {
        crate::assemble::merge(slot.slot("groundingMetadata"), grounding);
    }
    !candidate.any(&["finishReason", "finish_reason"]).is_null()
}

fn part(content: &mut Json, part: &Json) {
    let call = part.any(&["functionCall", "function_call"]);
    let open = content["parts"].list().len().checked_sub(1);
    let open = open.filter(|at| content["parts"][*at]["open"].is_true());
    let pieces = call.any(&["partialArgs", "partial_args"]);
    if call.is_object() && call["name"].is_null() {
        let Some(at) = open else { return };
        let slot = content.element("parts", at);
        for piece in pieces.list() {
            add(slot.slot("functionCall").slot("args"), piece);
        }
        if !call.any(&["willContinue", "will_continue"]).is_true() {
            slot.set("open", Json::Bool(false));
        }
        return;
    }
    let mut part = part.clone();
    if call.any(&["willContinue", "will_continue"]).is_true() || !pieces.list().is_empty() {
        part.set("open", Json::Bool(true));
        let pieces = pieces.clone();
        for piece in pieces.list() {
            add(part.slot("functionCall").slot("args"), piece);
        }
    }
    content.push("parts", part);
}

/// A piece of an argument: text at the same path is appended.
fn add(args: &mut Json, piece: &Json) {
    let mut slot = args;
    for step in steps(piece.any(&["jsonPath", "json_path"]).text()) {
        slot = match step {
            Step::Key(key) => slot.slot(&key),
            Step::At(at) => {
                if !matches!(slot, Json::List(_)) {
                    *slot = Json::List(Vec::new());
                }
                let Json::List(list) = slot else { unreachable!() };
                list.resize(list.len().max(at + 1), Json::Null);
                &mut list[at]
            }
        };
    }
    let text = piece.any(&["stringValue", "string_value"]);
    match (slot, text.str()) {
        (Json::Text(known), Some(more)) => known.push_str(more),
        (slot, Some(text)) => *slot = text.into(),
        (slot, None) => {
            *slot = piece
                .any(&["numberValue", "number_value", "boolValue", "bool_value", "nullValue"])
                .clone();
            if slot.str() == Some("NULL_VALUE") {
                *slot = Json::Null;
            }
        }
    }
}

enum Step {
    Key(String),
    At(usize),
}

fn steps(path: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    for piece in path.trim_start_matches('$').split(['.', '[']).filter(|piece| !piece.is_empty()) {
        let bare = piece.trim_end_matches(']').trim_matches(['\'', '"']);
        match bare.parse() {
            Ok(at) if piece.ends_with(']') => steps.push(Step::At(at)),
            _ => steps.push(Step::Key(bare.to_owned())),
        }
    }
    steps
}

#[test]
fn streamed_arguments_come_together() {
    let part = |call: &str| {
        let chunk = r#"{"candidates":[{"content":{"parts":[{"functionCall":CALL}]}}]}"#;
        Json::parse(&chunk.replace("CALL", call)).unwrap()
    };
    let chunks = [
        part(r#"{"name":"f","willContinue":true}"#),
        part(r#"{"partialArgs":[{"jsonPath":"$.a[0].b","stringValue":"x"}],"willContinue":true}"#),
        part(
            r#"{"partialArgs":[{"jsonPath":"$.a[0].b","stringValue":"y"},{"jsonPath":"$.n","numberValue":3}],"willContinue":true}"#,
        ),
        part("{}"),
        part(r#"{"name":"g","args":{}}"#),
    ];
    let read = crate::read_generate::answer(&assemble(&chunks).unwrap().whole.unwrap());
    let calls = &read.choices[0].calls;
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[0].arguments.value.to_string(), r#"{"a":[{"b":"xy"}],"n":3}"#);
}
