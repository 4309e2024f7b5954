//! The body as Gemini will see it, rule by rule.

use super::*;
use crate::chat::message::{Media, Message, Part, Reasoning, ReasoningKind, Role};
use crate::chat::request::{Effort, ReasoningRequest, ResponseFormat, Sampling};
use crate::chat::tool::{Tool, ToolCall, ToolChoice};
use crate::formats::gemini::REASONING_FORMAT;
use serde_json::value::RawValue;
use serde_json::{Value, json};

mod provider;

fn target(model: &str) -> Target<'_> {
    Target { max_output_tokens: Some(65_536), ..Target::new(model) }
}

fn written(request: &Request<'_>, model: &str) -> (Value, Vec<Cow<'static, str>>) {
    let encoded = encode(request, target(model)).unwrap();
    (serde_json::from_slice(&encoded.body).unwrap(), encoded.dropped)
}

fn body(request: &Request<'_>) -> Value {
    written(request, "gemini-2.5-flash").0
}

fn text(text: &str) -> Part<'_> {
    Part::Text { text: text.into(), cache: None }
}

fn message(role: Role, parts: Vec<Part<'_>>) -> Message<'_> {
    Message { role, name: None, parts }
}

fn call<'a>(id: &'a str, name: &'a str, arguments: &'a str) -> Part<'a> {
    Part::ToolCall(ToolCall {
        custom: false,
        id: id.into(),
        name: name.into(),
        arguments: arguments.into(),
        signature: None,
    })
}

fn result<'a>(call_id: &'a str, parts: Vec<Part<'a>>) -> Message<'a> {
    let call_id = call_id.into();
    let part = Part::ToolResult { call_id, name: None, parts, is_error: false, cache: None };
    message(Role::Tool, vec![part])
}

fn chat(messages: Vec<Message<'_>>) -> Request<'_> {
    Request { messages, ..Request::default() }
}

fn hello<'a>() -> Request<'a> {
    chat(vec![message(Role::User, vec![text("hi")])])
}

fn raw(json: &str) -> Cow<'_, RawValue> {
    Cow::Borrowed(serde_json::from_str(json).unwrap())
}

fn tool<'a>(name: &'a str, parameters: Option<&'a str>) -> Tool<'a> {
    Tool {
        custom: None,
        name: name.into(),
        description: None,
        parameters: parameters.map(raw),
        strict: None,
        cache: None,
    }
}

#[test]
fn instructions_lead_and_turns_alternate() {
    let request = chat(vec![
        message(Role::System, vec![text("a"), text("")]),
        message(Role::Developer, vec![text("b")]),
        message(Role::User, vec![text("hi")]),
        message(Role::User, vec![text("there")]),
        message(Role::Assistant, vec![]),
        message(Role::Assistant, vec![Part::Refusal { text: "no".into() }]),
        message(Role::System, vec![text("later")]),
    ]);
    assert_eq!(
        body(&request),
        json!({
            "systemInstruction": {"parts": [{"text": "a"}, {"text": "b"}]},
            "contents": [
                {"role": "user", "parts": [{"text": "hi"}, {"text": "there"}]},
                {"role": "model", "parts": [{"text": "no"}]},
                {"role": "user", "parts": [{"text": "later"}]},
            ]
        })
    );
}

#[test]
fn nothing_to_answer_is_refused() {
    let only_system = chat(vec![message(Role::System, vec![text("a")])]);
    let error = encode(&only_system, target("gemini-2.5-flash")).unwrap_err();
    assert_eq!(error.param.as_deref(), Some("messages"));
}

#[test]
fn results_follow_the_order_of_the_calls_in_one_turn() {
    let request = chat(vec![
        message(Role::User, vec![text("q")]),
        message(
            Role::Assistant,
            vec![text("t"), call("1", "f", r#"{"n":9007199254740993.0}"#), call("2", "1g", "")],
        ),
        result("2", vec![text("sunny")]),
        result("1", vec![text(r#"{"ok":"#), text("true}")]),
        message(Role::User, vec![text("and?")]),
    ]);
    let encoded = encode(&request, target("gemini-2.5-flash")).unwrap();
    assert!(
        std::str::from_utf8(&encoded.body).unwrap().contains(r#""args":{"n":9007199254740993.0}"#)
    );
    let contents = &body(&request)["contents"];
    let renamed = crate::formats::gemini::names::sent_name("1g").into_owned();
    assert_eq!(
        contents[1]["parts"][2]["functionCall"],
        json!({"id": "2", "name": renamed, "args": {}})
    );
    assert_eq!(
        contents[2],
        json!({"role": "user", "parts": [
            {"functionResponse": {"id": "1", "name": "f", "response": {"ok": true}}},
            {"functionResponse": {"id": "2", "name": renamed, "response": {"result": "sunny"}}},
            {"text": "and?"},
        ]})
    );
}

#[test]
fn a_result_without_its_call_is_refused() {
    let request = chat(vec![message(Role::User, vec![text("q")]), result("lost", vec![text("x")])]);
    let error = encode(&request, target("gemini-2.5-flash")).unwrap_err();
    assert_eq!(error.param.as_deref(), Some("messages[1].tool_call_id"));
}

#[test]
fn reused_call_ids_mean_the_newest_call() {
    let request = chat(vec![
        message(Role::User, vec![text("q")]),
        message(Role::Assistant, vec![call("0", "f", "{}")]),
        result("0", vec![text("1")]),
        message(Role::Assistant, vec![call("0", "g", "{}"), call("1", "h", "{}")]),
        result("1", vec![text("2")]),
        result("0", vec![text("3")]),
    ]);
    let contents = &body(&request)["contents"];
    let names: Vec<_> = [(2, 0), (4, 0), (4, 1)]
        .map(|(turn, part)| contents[turn]["parts"][part]["functionResponse"]["name"].clone())
        .to_vec();
    assert_eq!(names, ["f", "g", "h"]);
}

#[test]
fn failed_results_and_media_in_results() {
    let picture = Part::Image {
        source: Media::Base64 { mime: "image/png".into(), data: "AA==".into() },
        detail: None,
        cache: None,
    };
    let mut failed = result("1", vec![text("boom"), picture]);
    if let Part::ToolResult { is_error, .. } = &mut failed.parts[0] {
        *is_error = true;
    }
    let request = chat(vec![
        message(Role::User, vec![text("q")]),
        message(Role::Assistant, vec![call("1", "f", "{}")]),
        failed,
    ]);
    let inline = json!({"inlineData": {"mimeType": "image/png", "data": "AA=="}});
    let response = json!({"id": "1", "name": "f", "response": {"error": "boom"}});
    let older = body(&request);
    assert_eq!(older["contents"][2]["parts"], json!([{"functionResponse": response}, inline]));
    let newer = written(&request, "gemini-3-flash-preview").0;
    let mut inside = response.clone();
    inside["parts"] = json!([inline]);
    assert_eq!(newer["contents"][2]["parts"], json!([{"functionResponse": inside}]));
}

#[test]
fn lost_signatures_are_replaced_in_the_current_turn_only() {
    let request = chat(vec![
        message(Role::User, vec![text("q")]),
        message(Role::Assistant, vec![call("1", "f", "{}")]),
        result("1", vec![text("x")]),
        message(Role::User, vec![text("again")]),
        message(Role::Assistant, vec![call("2", "f", "{}"), call("3", "f", "{}")]),
        result("2", vec![text("x")]),
        result("3", vec![text("x")]),
        message(Role::Assistant, vec![call("4", "f", "{}")]),
        result("4", vec![text("x")]),
    ]);
    let signatures = |model: &str| -> Vec<Value> {
        let body = written(&request, model).0;
        let parts = body["contents"].as_array().unwrap().iter();
        let parts = parts.flat_map(|content| content["parts"].as_array().unwrap().clone());
        let calls = parts.filter(|part| part.get("functionCall").is_some());
        calls.map(|part| part["thoughtSignature"].clone()).collect()
    };
    let skip = json!(super::contents::LOST_SIGNATURE);
    assert_eq!(signatures("gemini-3-pro"), [Value::Null, skip.clone(), Value::Null, skip]);
    assert!(signatures("gemini-2.5-pro").iter().all(Value::is_null));
}

fn reasoning<'a>(
    kind: ReasoningKind,
    text: &'a str,
    signature: &'a str,
    id: Option<&'a str>,
) -> Reasoning<'a> {
    Reasoning {
        kind,
        text: text.into(),
        signature: Some(signature.into()),
        format: Some(REASONING_FORMAT.into()),
        id: id.map(Into::into),
    }
}

#[test]
fn signatures_return_to_their_parts() {
    use ReasoningKind::{Encrypted, Text};
    let foreign = Reasoning {
        format: Some("anthropic-claude-v1".into()),
        ..reasoning(Text, "secret", "zz", None)
    };
    let request = chat(vec![
        message(Role::User, vec![text("q")]),
        message(
            Role::Assistant,
            vec![
                Part::Reasoning(reasoning(Text, "hm", "s0", None)),
                Part::Reasoning(foreign),
                Part::Reasoning(reasoning(Encrypted, "", "s1", None)),
                Part::Reasoning(reasoning(Encrypted, "", "s2", Some("1"))),
                text("a"),
                call("1", "f", "{}"),
            ],
        ),
        result("1", vec![text("x")]),
        message(
            Role::Assistant,
            vec![
                text("b"),
                Part::Reasoning(reasoning(Encrypted, "", "s3", None)),
                Part::Reasoning(reasoning(Encrypted, "", "s4", None)),
            ],
        ),
    ]);
    let contents = &written(&request, "gemini-3-pro").0["contents"];
    assert_eq!(
        contents[1]["parts"],
        json!([
            {"text": "hm", "thought": true, "thoughtSignature": "s0"},
            {"text": "a", "thoughtSignature": "s1"},
            {"functionCall": {"id": "1", "name": "f", "args": {}}, "thoughtSignature": "s2"},
        ])
    );
    assert_eq!(
        contents[3]["parts"],
        json!([{"text": "b", "thoughtSignature": "s3"}, {"text": "", "thoughtSignature": "s4"}])
    );
}

#[test]
fn media_by_kind_and_place() {
    let image = |source| Part::Image { source, detail: None, cache: None };
    let file = |source| Part::File { source, filename: None, citations: None, cache: None };
    let url = |url: &'static str| Media::Url(url.into());
    let inline = |mime: &str, data: &str| json!({"inlineData": {"mimeType": mime, "data": data}});
    let at = |mime: &str, uri: &str| json!({"fileData": {"mimeType": mime, "fileUri": uri}});
    let base64 = |mime: &'static str, data: &'static str| Media::Base64 {
        mime: mime.into(),
        data: data.into(),
    };
    for (part, expected) in [
        (image(base64("image/jpg", "A")), inline("image/jpeg", "A")),
        (image(base64("", "iVBORw0KGgoA")), inline("image/png", "iVBORw0KGgoA")),
        (image(url("data:image/webp;charset=x;base64,QQ==")), inline("image/webp", "QQ==")),
        (image(url("https://e.com/a.PNG?x=1.gif")), at("image/png", "https://e.com/a.PNG?x=1.gif")),
        (image(url("gs://bucket/a")), at("image/jpeg", "gs://bucket/a")),
        (file(url("https://e.com/r/doc")), at("application/pdf", "https://e.com/r/doc")),
        (
            file(Media::FileId("https://generativelanguage.googleapis.com/v1beta/files/x".into())),
            at("application/pdf", "https://generativelanguage.googleapis.com/v1beta/files/x"),
        ),
        (
            Part::Video { source: url("https://www.youtube.com/watch?v=1") },
            at("video/mp4", "https://www.youtube.com/watch?v=1"),
        ),
        (Part::Audio { data: "QQ==".into(), format: "mp3".into() }, inline("audio/mp3", "QQ==")),
        (Part::Audio { data: "QQ==".into(), format: "WAV".into() }, inline("audio/wav", "QQ==")),
    ] {
        let request = chat(vec![message(Role::User, vec![part])]);
        assert_eq!(body(&request)["contents"][0]["parts"][0], expected);
    }
    for source in
        [url("http://e.com/a.png"), url("data:text/plain,hi"), Media::FileId("file-1".into())]
    {
        let request = chat(vec![message(Role::User, vec![image(source)])]);
        let error = encode(&request, target("gemini-2.5-flash")).unwrap_err();
        assert_eq!(error.param.as_deref(), Some("messages[0].content[0]"));
    }
}

#[test]
fn every_setting_has_its_place() {
    let request = Request {
        sampling: Sampling {
            temperature: Some(2.5),
            top_p: Some(0.5),
            top_k: Some(40),
            frequency_penalty: Some(0.25),
            presence_penalty: Some(-0.5),
            seed: Some(7),
            n: Some(2),
            logprobs: Some(true),
            top_logprobs: Some(3),
        },
        max_tokens: Some(100_000),
        stop: ["a", "", "b", "c", "d", "e", "f"].map(Cow::Borrowed).to_vec(),
        modalities: vec!["text".into(), "image".into()],
        service_tier: Some("priority".into()),
        response_format: ResponseFormat::JsonSchema {
            description: None,
            name: "n".into(),
            schema: raw(r#"{"type":"object"}"#),
            strict: Some(true),
        },
        reasoning: ReasoningRequest { effort: Some(Effort::Low), ..ReasoningRequest::default() },
        user: Some("u".into()),
        unmapped: vec!["logit_bias".into()],
        parallel_tool_calls: Some(false),
        ..hello()
    };
    let (body, dropped) = written(&request, "gemini-2.5-flash");
    assert_eq!(
        body["generationConfig"],
        json!({
            "temperature": 2.0, "topP": 0.5, "topK": 40, "maxOutputTokens": 65_536,
            "candidateCount": 2, "seed": 7, "presencePenalty": -0.5, "frequencyPenalty": 0.25,
            "responseLogprobs": true, "logprobs": 3, "responseMimeType": "application/json",
            "responseJsonSchema": {"type": "object"}, "responseModalities": ["TEXT", "IMAGE"],
            "stopSequences": ["a", "b", "c", "d", "e"],
            "thinkingConfig": {"thinkingBudget": 1024, "includeThoughts": true},
        })
    );
    assert_eq!(body["serviceTier"], "priority");
    assert_eq!(dropped, ["logit_bias", "user", "stop"]);
}

#[test]
fn silence_stays_silence() {
    let expected = json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]});
    assert_eq!(body(&hello()), expected);
    let defaults = Request {
        sampling: Sampling { n: Some(1), logprobs: Some(false), ..Sampling::default() },
        modalities: vec!["text".into()],
        service_tier: Some("auto".into()),
        ..hello()
    };
    assert_eq!(body(&defaults), expected);
}

#[test]
fn thinking_by_family() {
    let on = ReasoningRequest { enabled: Some(true), ..ReasoningRequest::default() };
    let off = ReasoningRequest { enabled: Some(false), ..ReasoningRequest::default() };
    let hidden = ReasoningRequest { exclude: true, ..on };
    for (model, reasoning, expected) in [
        ("gemini-3-pro", on, json!({"thinkingLevel": "HIGH", "includeThoughts": true})),
        ("gemini-3-flash", off, json!({"thinkingLevel": "MINIMAL"})),
        ("gemini-2.5-pro", off, json!({"thinkingBudget": 128})),
        ("gemini-2.5-flash", hidden, json!({"thinkingBudget": 8192})),
        ("gemini-2.0-flash", off, Value::Null),
    ] {
        let (body, dropped) = written(&Request { reasoning, ..hello() }, model);
        assert_eq!(body["generationConfig"]["thinkingConfig"], expected, "{model}");
        assert!(dropped.is_empty());
    }
    let (_, dropped) = written(&Request { reasoning: on, ..hello() }, "gemini-2.0-flash");
    assert_eq!(dropped, ["reasoning"]);
}

#[test]
fn wide_seeds_are_left_out_and_named() {
    let sampling = Sampling { seed: Some(1 << 40), ..Sampling::default() };
    let (body, dropped) = written(&Request { sampling, ..hello() }, "gemini-2.5-flash");
    assert_eq!((body.get("generationConfig"), dropped), (None, vec!["seed".into()]));
}

#[test]
fn tools_stand_in_one_element() {
    let schema = r#"{"type":"object","properties":{"z":{},"a":{}}}"#;
    let request = Request {
        tools: vec![
            tool("f", Some(schema)),
            tool("g", Some("{}")),
            tool("h", None),
            tool("i", Some(r#"{"type":"object","properties":{ },"required":[]}"#)),
            tool("j", Some(r#"{"type":"object","additionalProperties":true}"#)),
        ],
        web_search: Some(raw("{}")),
        ..hello()
    };
    let encoded = encode(&request, target("gemini-2.5-flash")).unwrap();
    assert!(std::str::from_utf8(&encoded.body).unwrap().contains(schema));
    let tools = &body(&request)["tools"];
    let names: Vec<_> = tools[0]["functionDeclarations"].as_array().unwrap().clone();
    assert_eq!(names[1..4], [json!({"name": "g"}), json!({"name": "h"}), json!({"name": "i"})]);
    assert!(names[4].get("parametersJsonSchema").is_some());
    assert_eq!(tools[1], json!({"googleSearch": {}}));
    assert_eq!(tools.as_array().unwrap().len(), 2);
}

#[test]
fn every_tool_choice() {
    let with = |choice: Option<ToolChoice<'static>>| Request {
        tools: vec![tool("f", None), tool("g", None)],
        tool_choice: choice,
        ..hello()
    };
    let both = json!([{"name": "f"}, {"name": "g"}]);
    let only_g = json!([{"name": "g"}]);
    let some = |required| ToolChoice::Allowed { names: vec!["g".into()], required };
    for (choice, config, shown) in [
        (None, Value::Null, &both),
        (Some(ToolChoice::Auto), json!({"mode": "AUTO"}), &both),
        (Some(ToolChoice::None), json!({"mode": "NONE"}), &both),
        (Some(ToolChoice::Required), json!({"mode": "ANY"}), &both),
        (
            Some(ToolChoice::Named("g".into())),
            json!({"mode": "ANY", "allowedFunctionNames": ["g"]}),
            &both,
        ),
        (Some(some(true)), json!({"mode": "ANY", "allowedFunctionNames": ["g"]}), &both),
        (Some(some(false)), json!({"mode": "AUTO"}), &only_g),
    ] {
        let body = body(&with(choice));
        assert_eq!(body["toolConfig"]["functionCallingConfig"], config);
        assert_eq!(&body["tools"][0]["functionDeclarations"], shown);
    }
    let demanded = Request { tool_choice: Some(ToolChoice::Required), ..hello() };
    let error = encode(&demanded, target("gemini-2.5-flash")).unwrap_err();
    assert_eq!(error.param.as_deref(), Some("tool_choice"));
    let free = Request { tool_choice: Some(ToolChoice::Auto), ..hello() };
    assert_eq!(body(&free).get("toolConfig"), None);
}
