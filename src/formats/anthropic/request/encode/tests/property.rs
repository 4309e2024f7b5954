//! Whatever is asked, the body obeys Anthropic's rules of structure.

use super::*;
use crate::chat::message::{Reasoning, ReasoningKind};
use crate::chat::tool::ToolCall;
use proptest::prelude::*;
use std::collections::HashSet;

/// A step of a made-up conversation.
#[derive(Debug, Clone)]
enum Step {
    Say(Role, String),
    /// The model calls tools; the results follow, in some order, with words of the user around.
    Calls {
        count: usize,
        reversed: bool,
        interrupted: bool,
        thought: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let role = prop_oneof![
        Just(Role::System),
        Just(Role::Developer),
        Just(Role::User),
        Just(Role::Assistant),
    ];
    let words = prop_oneof![Just(String::new()), Just(" \n".to_owned()), "[a-zé\" ]{1,8}"];
    let calls = (1_usize..4, any::<bool>(), any::<bool>(), any::<bool>());
    prop_oneof![
        3 => (role, words).prop_map(|(role, words)| Step::Say(role, words)),
        1 => calls.prop_map(|(count, reversed, interrupted, thought)| {
            Step::Calls { count, reversed, interrupted, thought }
        }),
    ]
}

fn message(role: Role, parts: Vec<Part<'static>>) -> Message<'static> {
    Message { role, name: None, parts }
}

fn words(words: String) -> Part<'static> {
    Part::Text { text: words.into(), cache: None }
}

fn calls(at: usize, step: &Step, messages: &mut Vec<Message<'static>>) {
    let Step::Calls { count, reversed, interrupted, thought } = *step else { return };
    let id = |call: usize| format!("call.{at}.{call}");
    let mut parts = Vec::new();
    for call in 0..count {
        let arguments = ["{}", "", "[1]", "{\"a\":"][call % 4];
        parts.push(Part::ToolCall(ToolCall {
            custom: false,
            id: id(call).into(),
            name: "f".into(),
            arguments: arguments.into(),
            signature: None,
        }));
    }
    if thought {
        parts.push(Part::Reasoning(Reasoning {
            kind: ReasoningKind::Text,
            text: "hm".into(),
            signature: Some("s".into()),
            format: Some("anthropic-claude-v1".into()),
            id: None,
        }));
    }
    messages.push(message(Role::Assistant, parts));
    if interrupted {
        messages.push(message(Role::User, vec![words("wait".into())]));
        messages.push(message(Role::System, vec![words("careful".into())]));
    }
    let order: Vec<usize> =
        if reversed { (0..count).rev().collect() } else { (0..count).collect() };
    for call in order {
        let result = Part::ToolResult {
            call_id: id(call).into(),
            name: None,
            parts: vec![words("r".repeat(call))],
            is_error: call == 1,
            cache: None,
        };
        messages.push(message(Role::Tool, vec![result]));
    }
}

fn conversation(steps: &[Step]) -> Vec<Message<'static>> {
    let mut messages = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        match step {
            Step::Say(role, said) => messages.push(message(*role, vec![words(said.clone())])),
            Step::Calls { .. } => calls(at, step, &mut messages),
        }
    }
    messages
}

fn ids(turn: Option<&Value>, kind: &str, key: &str) -> Vec<String> {
    let blocks = turn.and_then(|turn| turn["content"].as_array()).into_iter().flatten();
    let blocks = blocks.filter(|block| block["type"] == kind);
    blocks.map(|block| block[key].as_str().unwrap().to_owned()).collect()
}

/// The rules; panics on the first that is broken.
fn check(body: &Value, late_system: bool) {
    let turns = body["messages"].as_array().unwrap();
    assert!(body["max_tokens"].as_u64().unwrap() > 0);
    assert_eq!(turns[0]["role"], "user");
    for (at, turn) in turns.iter().enumerate() {
        let next = turns.get(at + 1);
        let role = turn["role"].as_str().unwrap();
        assert!(next.is_none_or(|next| next["role"] != role), "roles repeat");
        if role == "system" {
            assert!(late_system && turns[at - 1]["role"] == "user");
            assert!(next.is_none_or(|next| next["role"] == "assistant"));
        }
        let blocks = turn["content"].as_array().unwrap();
        let may_be_empty = next.is_none() && role == "assistant";
        assert!(may_be_empty || !blocks.is_empty(), "empty turn");
        for block in blocks {
            assert!(block["type"] != "text" || !block["text"].as_str().unwrap().trim().is_empty());
            assert!(block["type"] != "tool_use" || block["input"].is_object());
        }
        let is_result = |block: &Value| block["type"] == "tool_result";
        let first_other = blocks.iter().position(|block| !is_result(block));
        let last_result = blocks.iter().rposition(is_result);
        assert!(last_result.is_none_or(|last| first_other.is_none_or(|other| last < other)));
        let called = ids(Some(turn), "tool_use", "id");
        assert_eq!(called, ids(next, "tool_result", "tool_use_id"), "results of the calls");
        assert_eq!(called.iter().collect::<HashSet<_>>().len(), called.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn bodies_obey_the_structure(
        steps in proptest::collection::vec(step(), 0..8),
        model in prop_oneof![Just(OLD), Just("claude-3-haiku-20240307"), Just("claude-opus-4-8")],
        limit in proptest::option::of(1_u64..10_000),
        budget in proptest::option::of(0_u64..200_000),
    ) {
        let request = Request {
            messages: conversation(&steps),
            max_tokens: limit,
            reasoning: ReasoningRequest { max_tokens: budget, ..ReasoningRequest::default() },
            ..Request::default()
        };
        match encode(&request, for_model(model)) {
            Ok(encoded) => {
                let body: Value = serde_json::from_slice(&encoded.body).unwrap();
                check(&body, model == "claude-opus-4-8");
                if let Some(budget) = body["thinking"]["budget_tokens"].as_u64() {
                    prop_assert!((1_024..body["max_tokens"].as_u64().unwrap()).contains(&budget));
                }
            }
            Err(error) => {
                prop_assert_eq!(error.param.as_deref(), Some("messages"));
                let said = |step: &Step| match step {
                    Step::Say(Role::User | Role::Assistant, words) => !words.trim().is_empty(),
                    Step::Say(..) => false,
                    Step::Calls { .. } => true,
                };
                prop_assert!(!steps.iter().any(said));
            }
        }
    }
}
