//! Tests of requests written for providers: what every table entry becomes, and one rich request
//! as each known provider gets it.

mod conversation;
mod providers;

use super::*;
use crate::chat::request::{Effort, ReasoningRequest, ResponseFormat, Sampling};
use crate::chat::tool::{CacheControl, CustomTool, Tool, ToolCall, ToolChoice};
use crate::chat::{Message, Part, Role};
use crate::formats::openai_chat::dialect::{Dialect, OPENAI};
use serde_json::value::RawValue;
use serde_json::{Value, json};

fn dialect(facts: &str) -> Dialect {
    toml::from_str(facts).unwrap()
}

fn written(request: &Request<'_>, dialect: &Dialect) -> (Value, String) {
    let target = Target { dialect, ..Target::new("m") };
    let encoded = encode(request, target).unwrap();
    (serde_json::from_slice(&encoded.body).unwrap(), encoded.dropped.join(","))
}

fn refused(request: &Request<'_>, dialect: &Dialect) -> String {
    let error = encode(request, Target { dialect, ..Target::new("m") }).unwrap_err();
    error.param.unwrap_or_default().into_owned()
}

fn text(text: &str) -> Part<'_> {
    Part::Text { text: text.into(), cache: None }
}

fn message(role: Role, parts: Vec<Part<'_>>) -> Message<'_> {
    Message { role, name: None, parts }
}

fn conversation(messages: Vec<Message<'_>>) -> Request<'_> {
    Request { messages, ..Request::default() }
}

fn asked() -> Request<'static> {
    conversation(vec![message(Role::User, vec![text("Hi")])])
}

fn raw(json: &str) -> Cow<'static, RawValue> {
    Cow::Owned(RawValue::from_string(json.to_owned()).unwrap())
}

fn messages(given: Vec<Message<'_>>, dialect: &Dialect) -> Value {
    written(&conversation(given), dialect).0["messages"].clone()
}

fn function(name: &str) -> Tool<'_> {
    Tool {
        name: name.into(),
        description: None,
        parameters: None,
        strict: None,
        cache: None,
        custom: None,
    }
}

#[test]
fn tools_are_declared_and_chosen() {
    let custom = |format| Tool {
        custom: Some(CustomTool { format }),
        description: Some("d".into()),
        ..function("free")
    };
    let flat = raw(r#"{"type":"grammar","definition":"start: A","syntax":"lark"}"#);
    let with = |choice: Option<ToolChoice<'static>>| Request {
        tools: vec![function("f"), custom(Some(flat.clone()))],
        tool_choice: choice,
        ..asked()
    };
    let (body, _) = written(&with(Some(ToolChoice::Named("free".into()))), &OPENAI);
    let grammar =
        json!({"type": "grammar", "grammar": {"definition": "start: A", "syntax": "lark"}});
    assert_eq!(
        body["tools"],
        json!([
            {"type": "function", "function": {"name": "f"}},
            {"type": "custom", "custom": {"name": "free", "description": "d", "format": grammar}}])
    );
    assert_eq!(body["tool_choice"], json!({"type": "custom", "custom": {"name": "free"}}));

    let plain = dialect("custom_tools = false\nallowed_tools = false\nrequired_word = 'any'");
    let (body, _) = written(&with(Some(ToolChoice::Named("free".into()))), &plain);
    let input = json!({"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]});
    assert_eq!(
        body["tools"][1],
        json!({"type": "function", "function": {"name": "free", "description": "d", "parameters": input}})
    );
    assert_eq!(body["tool_choice"], json!({"type": "function", "function": {"name": "free"}}));

    let allowed = |required| ToolChoice::Allowed { names: vec!["f".into()], required };
    let (body, _) = written(&with(Some(allowed(true))), &plain);
    assert_eq!((&body["tools"][1], &body["tool_choice"]), (&Value::Null, &json!("any")));
    let (body, _) = written(&with(Some(allowed(false))), &OPENAI);
    let named = json!([{"type": "function", "function": {"name": "f"}}]);
    let subset =
        json!({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": named}});
    assert_eq!((body["tools"].as_array().unwrap().len(), &body["tool_choice"]), (2, &subset));
}

#[test]
fn a_choice_without_tools_is_no_choice() {
    let with =
        |choice| Request { tool_choice: Some(choice), parallel_tool_calls: Some(false), ..asked() };
    for choice in [ToolChoice::Auto, ToolChoice::None] {
        let (body, lost) = written(&with(choice), &OPENAI);
        assert_eq!((body.get("tool_choice"), body.get("parallel_tool_calls")), (None, None));
        assert_eq!(lost, "");
    }
    for choice in [ToolChoice::Required, ToolChoice::Named("f".into())] {
        assert_eq!(refused(&with(choice), &OPENAI), "tool_choice");
    }
}

#[test]
fn free_form_calls_of_earlier_turns_keep_their_text() {
    let call = Part::ToolCall(ToolCall {
        id: "c".into(),
        name: "free".into(),
        arguments: "say \"hi\"\n".into(),
        custom: true,
        signature: None,
    });
    let given = vec![message(Role::Assistant, vec![call])];
    let sent = messages(given.clone(), &OPENAI)[0]["tool_calls"][0].clone();
    assert_eq!(
        sent,
        json!({"id": "c", "type": "custom", "custom": {"name": "free", "input": "say \"hi\"\n"}})
    );
    let sent = messages(given, &dialect("custom_tools = false"))[0]["tool_calls"][0].clone();
    assert_eq!(sent["function"]["arguments"], r#"{"input":"say \"hi\"\n"}"#);
}

#[test]
fn reasoning_is_asked_for_in_the_providers_form() {
    let wish = |effort, max_tokens, enabled| ReasoningRequest {
        effort,
        max_tokens,
        enabled,
        exclude: false,
    };
    let (low, off) = (Some(Effort::Low), wish(None, None, Some(false)));
    let cases = [
        ("", wish(low, None, None), json!({"reasoning_effort": "low"})),
        ("", wish(Some(Effort::Max), None, None), json!({"reasoning_effort": "xhigh"})),
        ("", wish(None, Some(2_000), None), json!({"reasoning_effort": "low"})),
        ("", wish(None, Some(9_000), Some(true)), json!({"reasoning_effort": "medium"})),
        ("", wish(None, None, Some(true)), json!({})),
        ("", off, json!({"reasoning_effort": "none"})),
        ("efforts = ['low', 'high']", off, json!({"reasoning_effort": "low"})),
        (
            "efforts = ['none', 'high']",
            wish(Some(Effort::Minimal), None, None),
            json!({"reasoning_effort": "high"}),
        ),
        (
            "efforts = ['none', 'default']",
            wish(Some(Effort::High), None, None),
            json!({"reasoning_effort": "default"}),
        ),
        ("reasoning = 'object'", wish(low, None, None), json!({"reasoning": {"effort": "low"}})),
        (
            "reasoning = 'object'",
            wish(low, Some(2_000), None),
            json!({"reasoning": {"max_tokens": 2000}}),
        ),
        ("reasoning = 'object'", off, json!({"reasoning": {"enabled": false}})),
        ("reasoning = 'switch'", wish(low, None, None), json!({"thinking": {"type": "enabled"}})),
        (
            "reasoning = 'switch_and_effort'",
            wish(low, None, None),
            json!({"thinking": {"type": "enabled"}, "reasoning_effort": "low"}),
        ),
        ("reasoning = 'switch_and_effort'", off, json!({"thinking": {"type": "disabled"}})),
        (
            "reasoning = 'budget'",
            wish(None, Some(2_000), None),
            json!({"enable_thinking": true, "thinking_budget": 2000}),
        ),
        ("reasoning = 'budget'", off, json!({"enable_thinking": false})),
        (
            "reasoning = 'template'",
            off,
            json!({"chat_template_kwargs": {"enable_thinking": false, "thinking": false}}),
        ),
        ("", ReasoningRequest::default(), json!({})),
    ];
    for (facts, reasoning, expected) in cases {
        let (mut body, lost) = written(&Request { reasoning, ..asked() }, &dialect(facts));
        body.as_object_mut().unwrap().retain(|key, _| key != "model" && key != "messages");
        assert_eq!((body, lost.as_str()), (expected, ""), "{facts} {reasoning:?}");
    }
    let hard = Request { reasoning: wish(low, None, None), ..asked() };
    assert_eq!(written(&hard, &dialect("reasoning = 'none'")).1, "reasoning_effort");
}

#[test]
fn models_get_only_what_they_take() {
    let sampling = Sampling { temperature: Some(0.5), ..Sampling::default() };
    let reasoning = ReasoningRequest { effort: Some(Effort::XHigh), ..Default::default() };
    let request = Request { sampling, reasoning, ..asked() };
    let sent = |model: &str| {
        let target = Target { dialect: &OPENAI, ..Target::new(model) };
        let encoded = encode(&request, target).unwrap();
        let body: Value = serde_json::from_slice(&encoded.body).unwrap();
        (
            body.get("temperature").is_some(),
            body["reasoning_effort"].as_str().map(str::to_owned),
            encoded.dropped.join(","),
        )
    };
    let high = |word: &str| Some(word.to_owned());
    for (model, expected) in [
        ("gpt-4o-mini", (true, None, "reasoning_effort")),
        ("openai/gpt-4.1", (true, None, "reasoning_effort")),
        ("gpt-5-mini", (false, high("high"), "temperature")),
        ("gpt-5.2", (true, high("xhigh"), "")),
        ("o3-mini", (false, high("high"), "temperature")),
        ("gpt-5-chat-latest", (true, None, "reasoning_effort")),
        ("llama-4", (true, high("xhigh"), "")),
    ] {
        let (temperature, effort, lost) = expected;
        assert_eq!(sent(model), (temperature, effort, lost.to_owned()), "{model}");
    }
}

#[test]
fn shapes_are_told_or_put_into_words() {
    let shape = ResponseFormat::JsonSchema {
        name: "n".into(),
        description: Some("d".into()),
        schema: raw(r#"{"type":"object"}"#),
        strict: Some(true),
    };
    let request = Request { response_format: shape, ..asked() };
    let (body, lost) = written(&request, &OPENAI);
    let schema =
        json!({"name": "n", "description": "d", "schema": {"type": "object"}, "strict": true});
    assert_eq!(body["response_format"], json!({"type": "json_schema", "json_schema": schema}));
    assert_eq!(lost, "");
    let (body, lost) = written(&request, &dialect("structured_output = 'json_object'"));
    assert_eq!(body["response_format"], json!({"type": "json_object"}));
    let words = "Respond with one JSON object and nothing else. It fits this JSON Schema:\n{\"type\":\"object\"}";
    assert_eq!(body["messages"][0], json!({"role": "system", "content": words}));
    assert_eq!(lost, "response_format");
    let (body, lost) = written(&request, &dialect("refuses = ['response_format']"));
    assert_eq!((body.get("response_format"), lost.as_str()), (None, "response_format"));
    assert_eq!(body["messages"][0]["role"], "system");
}

#[test]
fn what_is_lost_is_named_and_what_matters_is_refused() {
    let strict = dialect(
        "refuses = ['n', 'user', 'tools', 'modalities', 'audio', 'web_search_options', 'seed']",
    );
    let sampling = Sampling { n: Some(1), top_k: Some(5), seed: Some(1), ..Sampling::default() };
    let request = Request {
        sampling,
        user: Some("u".repeat(100).into()),
        stop: vec!["a".into(); 6],
        metadata: Some(raw(r#"{"a":"b"}"#)),
        unmapped: vec!["mcp_servers".into()],
        modalities: vec!["text".into()],
        ..asked()
    };
    let (body, lost) = written(&request, &strict);
    assert_eq!(lost, "mcp_servers,metadata,seed,stop,top_k");
    assert_eq!(body["stop"], json!(["a", "a", "a", "a"]));
    assert_eq!(body["safety_identifier"], "u".repeat(64));
    assert_eq!((body.get("n"), body.get("modalities"), body.get("user")), (None, None, None));
    let more = Sampling { n: Some(2), ..Sampling::default() };
    for (request, field) in [
        (Request { sampling: more, ..asked() }, "n"),
        (Request { tools: vec![function("f")], ..asked() }, "tools"),
        (Request { web_search: Some(raw("{}")), ..asked() }, "web_search_options"),
        (Request { modalities: vec!["audio".into()], ..asked() }, "modalities"),
    ] {
        assert_eq!(refused(&request, &strict), field);
        assert!(encode(&request, Target::new("m")).is_ok(), "OpenAI takes {field}");
    }
}
