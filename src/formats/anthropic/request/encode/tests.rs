//! Tables of the request encoder: what each neutral field becomes.

mod conversation;
mod property;

use super::*;
use crate::chat::event::AudioPiece;
use crate::chat::message::{Media, Message, Part, Role};
use crate::chat::request::{Effort, ReasoningRequest, Sampling};
use crate::chat::tool::{CustomTool, Tool, ToolCall, ToolChoice};
use serde_json::value::RawValue;
use serde_json::{Value, json};

const OLD: &str = "claude-sonnet-4-0";

fn raw(json: &str) -> Cow<'static, RawValue> {
    Cow::Owned(RawValue::from_string(json.to_owned()).unwrap())
}

fn text(text: &str) -> Part<'_> {
    Part::Text { text: text.into(), cache: None }
}

fn say(role: Role, words: &str) -> Message<'_> {
    Message { role, name: None, parts: vec![text(words)] }
}

fn hello() -> Request<'static> {
    Request { messages: vec![say(Role::User, "hi")], ..Request::default() }
}

fn tool(name: &'static str) -> Tool<'static> {
    Tool {
        custom: None,
        name: name.into(),
        description: None,
        parameters: Some(raw(r#"{"type":"object","properties":{}}"#)),
        strict: None,
        cache: None,
    }
}

fn for_model(model: &str) -> Target<'_> {
    Target { max_output_tokens: Some(8_000), ..Target::new(model) }
}

fn encoded(request: &Request<'_>, model: &str) -> (Value, Vec<String>) {
    let encoded = encode(request, for_model(model)).unwrap();
    let body = serde_json::from_slice(&encoded.body).unwrap();
    (body, encoded.dropped.into_iter().map(Cow::into_owned).collect())
}

fn param(request: &Request<'_>) -> String {
    encode(request, for_model(OLD)).unwrap_err().param.unwrap().into_owned()
}

#[test]
fn the_least_request() {
    let target = Target { stream: true, ..Target::new("m") };
    let encoded = encode(&hello(), target).unwrap();
    assert_eq!(
        encoded.body,
        r#"{"model":"m","max_tokens":4096,"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}],"stream":true}"#
    );
    assert!(encoded.dropped.is_empty());
}

#[test]
fn limits_come_from_the_client_then_the_catalogue() {
    let mut request = hello();
    assert_eq!(encoded(&request, OLD).0["max_tokens"], 8_000);
    request.max_tokens = Some(7);
    assert_eq!(encoded(&request, OLD).0["max_tokens"], 7);
}

#[test]
fn sampling_by_generation() {
    let thinks = ReasoningRequest { effort: Some(Effort::Low), ..ReasoningRequest::default() };
    let calm = ReasoningRequest::default();
    let both = Sampling {
        temperature: Some(1.5),
        top_p: Some(0.9),
        top_k: Some(5),
        ..Sampling::default()
    };
    let cool = Sampling { temperature: Some(0.2), top_p: Some(0.97), ..Sampling::default() };
    let cases = [
        (OLD, both, calm, json!([1.0, 0.9, 5]), ""),
        ("claude-sonnet-4-5", both, calm, json!([1.0, null, 5]), "top_p"),
        ("claude-opus-4-7", both, calm, json!([null, null, null]), "temperature,top_k,top_p"),
        (OLD, both, thinks, json!([1.0, null, null]), "top_k,top_p"),
        (OLD, cool, thinks, json!([null, 0.97, null]), "temperature"),
        (OLD, cool, calm, json!([0.2, 0.97, null]), ""),
    ];
    for (model, sampling, reasoning, expected, lost) in cases {
        let request = Request { sampling, reasoning, ..hello() };
        let (body, dropped) = encoded(&request, model);
        assert_eq!(json!([body["temperature"], body["top_p"], body["top_k"]]), expected, "{model}");
        assert_eq!(dropped.join(","), lost, "{model}");
    }
}

#[test]
fn what_cannot_be_expressed_is_named_or_refused() {
    let mut request = hello();
    request.sampling = Sampling {
        frequency_penalty: Some(1.0),
        presence_penalty: Some(1.0),
        seed: Some(1),
        logprobs: Some(true),
        top_logprobs: Some(3),
        n: Some(1),
        ..Sampling::default()
    };
    request.unmapped = vec!["logit_bias".into(), "seed".into()];
    request.stop = vec![" ".into(), "END".into(), "\n".into()];
    request.messages[0].name = Some("Ann".into());
    let (body, dropped) = encoded(&request, OLD);
    let lost = "frequency_penalty,logit_bias,logprobs,name,presence_penalty,seed,stop,top_logprobs";
    assert_eq!(dropped.join(","), lost);
    assert_eq!(body["stop_sequences"], json!(["END"]));
    let keys: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["max_tokens", "messages", "model", "stop_sequences"]);

    request.sampling.n = Some(2);
    assert_eq!(param(&request), "n");
    let spoken = Request { modalities: vec!["text".into(), "audio".into()], ..hello() };
    assert_eq!(param(&spoken), "modalities");
}

#[test]
fn user_and_tier() {
    for (tier, expected) in [("auto", "auto"), ("default", "standard_only"), ("flex", "auto")] {
        let request =
            Request { user: Some("u1".into()), service_tier: Some(tier.into()), ..hello() };
        let (body, _) = encoded(&request, OLD);
        assert_eq!(body["service_tier"], expected);
        assert_eq!(body["metadata"], json!({"user_id":"u1"}));
    }
}

#[test]
fn thinking_reaches_the_body() {
    let reasoning = ReasoningRequest { effort: Some(Effort::High), ..ReasoningRequest::default() };
    let request = Request { reasoning, max_tokens: Some(500), ..hello() };
    let (body, _) = encoded(&request, OLD);
    assert_eq!(body["thinking"], json!({"type":"enabled","budget_tokens":1024}));
    assert_eq!(body["max_tokens"], 1_524);
    let (body, _) = encoded(&request, "claude-opus-4-7");
    assert_eq!(body["thinking"], json!({"type":"adaptive","display":"summarized"}));
    assert_eq!(body["output_config"], json!({"effort":"high"}));
    assert_eq!(body["max_tokens"], 500);
    let (body, dropped) = encoded(&request, "claude-3-haiku-20240307");
    assert_eq!((body.get("thinking"), dropped.join(",").as_str()), (None, "reasoning"));
}

#[test]
fn answer_shapes() {
    let schema = r#"{"type":"object","properties":{"b":{"type":"object"},"a":{}}}"#;
    let shaped = ResponseFormat::JsonSchema {
        name: "n".into(),
        description: None,
        schema: raw(schema),
        strict: Some(true),
    };
    let request = Request { response_format: shaped, ..hello() };
    let bytes = encode(&request, for_model("claude-haiku-4-5")).unwrap().body;
    let bytes = String::from_utf8(bytes.to_vec()).unwrap();
    let expected = r#""output_config":{"format":{"type":"json_schema","schema":{"type":"object","properties":{"b":{"type":"object","additionalProperties":false},"a":{}},"additionalProperties":false}}}"#;
    assert!(bytes.contains(expected), "{bytes}");

    let (body, _) = encoded(&request, OLD);
    assert!(body.get("output_config").is_none());
    let sentence = body["system"][0]["text"].as_str().unwrap();
    assert!(sentence.starts_with(JSON_ONLY) && sentence.ends_with(schema), "{sentence}");

    let mut request = Request { response_format: ResponseFormat::JsonObject, ..hello() };
    request.messages.insert(0, say(Role::System, "Be kind."));
    let (body, _) = encoded(&request, "claude-haiku-4-5");
    let expected = json!([{"type":"text","text":"Be kind."},{"type":"text","text":JSON_ONLY}]);
    assert_eq!(body["system"], expected);
}

#[test]
fn tools_are_declared() {
    let mut first = tool("get.weather");
    first.description = Some("Weather".into());
    first.strict = Some(true);
    first.cache = Some(CacheControl::OneHour);
    let mut second = tool("b");
    second.parameters = None;
    second.strict = Some(false);
    let request = Request { tools: vec![first, second], ..hello() };
    let (body, dropped) = encoded(&request, "claude-haiku-4-5");
    let empty = json!({"type":"object","properties":{}});
    let expected = json!([
        {"name":crate::formats::anthropic::names::tool_name("get.weather"),"description":"Weather",
         "input_schema":empty,"strict":true,"cache_control":{"type":"ephemeral","ttl":"1h"}},
        {"name":"b","input_schema":empty},
    ]);
    assert_eq!((body["tools"].clone(), dropped.len()), (expected, 0));
    let (body, dropped) = encoded(&request, OLD);
    assert_eq!((body["tools"][0].get("strict"), dropped.join(",").as_str()), (None, "strict"));
}

#[test]
fn tool_choices() {
    let named = || Some(ToolChoice::Named("a".into()));
    let allowed =
        |required| Some(ToolChoice::Allowed { names: vec!["b".into(), "x".into()], required });
    let cases = [
        (None, None, Value::Null, 2),
        (None, Some(true), Value::Null, 2),
        (None, Some(false), json!({"type":"auto","disable_parallel_tool_use":true}), 2),
        (Some(ToolChoice::Auto), None, json!({"type":"auto"}), 2),
        (Some(ToolChoice::None), Some(false), json!({"type":"none"}), 2),
        (Some(ToolChoice::Required), None, json!({"type":"any"}), 2),
        (
            named(),
            Some(false),
            json!({"type":"tool","name":"a","disable_parallel_tool_use":true}),
            2,
        ),
        (allowed(false), None, json!({"type":"auto"}), 1),
        (allowed(true), None, json!({"type":"any"}), 1),
    ];
    for (tool_choice, parallel_tool_calls, expected, count) in cases {
        let tools = vec![tool("a"), tool("b")];
        let request = Request { tools, tool_choice, parallel_tool_calls, ..hello() };
        let (body, dropped) = encoded(&request, OLD);
        let choice = body.get("tool_choice").cloned().unwrap_or_default();
        assert_eq!(choice, expected, "{:?}", request.tool_choice);
        assert_eq!(body["tools"].as_array().unwrap().len(), count);
        assert!(dropped.is_empty());
    }
    let none_left = Request {
        tools: vec![tool("a")],
        tool_choice: Some(ToolChoice::Allowed { names: vec!["z".into()], required: false }),
        ..hello()
    };
    assert_eq!(param(&none_left), "tool_choice");
}

#[test]
fn forced_calls_yield_to_budget_thinking_and_to_missing_tools() {
    let reasoning = ReasoningRequest { enabled: Some(true), ..ReasoningRequest::default() };
    let mut request = Request {
        tools: vec![tool("a")],
        tool_choice: Some(ToolChoice::Required),
        reasoning,
        ..hello()
    };
    let (body, dropped) = encoded(&request, OLD);
    assert_eq!(
        (body["tool_choice"].clone(), dropped.join(",")),
        (json!({"type":"auto"}), "tool_choice".into())
    );
    let (body, dropped) = encoded(&request, "claude-opus-4-6");
    assert_eq!((body["tool_choice"].clone(), dropped.len()), (json!({"type":"any"}), 0));
    request.tools.clear();
    let (body, dropped) = encoded(&request, OLD);
    assert_eq!((body.get("tool_choice"), dropped.join(",").as_str()), (None, "tool_choice"));
}

#[test]
fn web_search_becomes_the_server_tool() {
    let cases = [
        ("{}", json!({"type":"web_search_20250305","name":"web_search","max_uses":5})),
        (
            r#"{"search_context_size":"high","user_location":{"type":"approximate","approximate":{"city":"Köln","country":"DE"}}}"#,
            json!({"type":"web_search_20250305","name":"web_search","max_uses":10,
                "user_location":{"type":"approximate","city":"Köln","country":"DE"}}),
        ),
        (
            r#"{"search_context_size":"low","new":1}"#,
            json!({"type":"web_search_20250305","name":"web_search","max_uses":1}),
        ),
        ("true", json!({"type":"web_search_20250305","name":"web_search","max_uses":5})),
    ];
    for (options, expected) in cases {
        let request = Request { web_search: Some(raw(options)), ..hello() };
        assert_eq!(encoded(&request, OLD).0["tools"], json!([expected]));
    }
}

#[test]
fn free_form_tools_are_functions_with_one_text() {
    let mut free = tool("patch");
    free.parameters = None;
    free.custom = Some(CustomTool { format: Some(raw(r#"{"type":"grammar"}"#)) });
    let mut scalar = tool("count");
    scalar.parameters = Some(raw(r#"{"type":"integer"}"#));
    let call = |name: &'static str, arguments: &'static str, custom| {
        Part::ToolCall(ToolCall {
            id: name.into(),
            name: name.into(),
            arguments: arguments.into(),
            custom,
            signature: Some("foreign".into()),
        })
    };
    let parts = vec![call("patch", "say \"hi\"", true), call("count", "7", false)];
    let mut request = Request { tools: vec![free, scalar], ..hello() };
    request.messages.push(Message { role: Role::Assistant, name: None, parts });
    let (body, dropped) = encoded(&request, OLD);
    let schema = |kind: &str| json!({"type":"object","properties":{"input":{"type":kind}},"required":["input"]});
    assert_eq!(body["tools"][0]["input_schema"], schema("string"));
    assert_eq!(body["tools"][1]["input_schema"], schema("integer"));
    assert_eq!(dropped.join(","), "custom.format");
    let expected = json!([
        {"type":"tool_use","id":"patch","name":"patch","input":{"input":"say \"hi\""}},
        {"type":"tool_use","id":"count","name":"count","input":{"input":7}},
    ]);
    assert_eq!(body["messages"][1]["content"], expected);
}

#[test]
fn documents_breakpoints_and_spoken_answers() {
    let file = |mime: &'static str, data: &'static str, citations| Part::File {
        source: Media::Base64 { mime: mime.into(), data: data.into() },
        filename: Some("T".into()),
        citations,
        cache: None,
    };
    let mut request = hello();
    request.cache = Some(CacheControl::OneHour);
    request.messages[0].parts =
        vec![file("application/pdf", "JVBERi0xLjc=", None), file("text/plain", "aGk=", Some(true))];
    let spoken = |transcript: Option<&'static str>| {
        let transcript = transcript.map(Into::into);
        Part::SpokenAnswer(AudioPiece { transcript, ..AudioPiece::default() })
    };
    let parts = vec![spoken(Some("said")), spoken(None)];
    request.messages.push(Message { role: Role::Assistant, name: None, parts });
    let (body, dropped) = encoded(&request, OLD);
    assert_eq!(body["cache_control"], json!({"type":"ephemeral","ttl":"1h"}));
    let expected = json!([
        {"type":"document","title":"T",
         "source":{"type":"base64","media_type":"application/pdf","data":"JVBERi0xLjc="}},
        {"type":"document","title":"T","citations":{"enabled":true},
         "source":{"type":"text","media_type":"text/plain","data":"hi"}},
    ]);
    assert_eq!(body["messages"][0]["content"], expected);
    assert_eq!(body["messages"][1]["content"], json!([{"type":"text","text":"said"}]));
    assert_eq!(dropped.join(","), "audio");
}

#[test]
fn settings_of_other_makers_are_named() {
    let request = Request {
        verbosity: Some("low".into()),
        metadata: Some(raw(r#"{"a":"b"}"#)),
        prompt_cache_key: Some("k".into()),
        audio: Some(raw(r#"{"voice":"alloy"}"#)),
        modalities: vec!["text".into()],
        ..hello()
    };
    let (_, dropped) = encoded(&request, OLD);
    assert_eq!(dropped.join(","), "audio,metadata,prompt_cache_key,verbosity");
}

#[test]
fn the_description_of_the_answer_becomes_that_of_its_schema() {
    let cases = [
        (r#"{"type":"object"}"#, Some("d"), json!("d")),
        (r#"{"type":"object","description":"own"}"#, Some("d"), json!("own")),
        (r#"{"type":"object"}"#, Some(""), Value::Null),
        (r#"{"type":"object"}"#, None, Value::Null),
    ];
    for (schema, description, expected) in cases {
        let response_format = ResponseFormat::JsonSchema {
            name: "n".into(),
            description: description.map(Into::into),
            schema: raw(schema),
            strict: None,
        };
        let request = Request { response_format, ..hello() };
        let (body, _) = encoded(&request, "claude-haiku-4-5");
        let format = &body["output_config"]["format"];
        assert_eq!(format["schema"]["description"], expected);
        assert_eq!(format["schema"]["additionalProperties"], false);
    }
}

#[test]
fn thinking_can_be_hidden() {
    let reasoning = ReasoningRequest {
        effort: Some(Effort::Low),
        exclude: true,
        ..ReasoningRequest::default()
    };
    let request = Request { reasoning, ..hello() };
    let thinking = |model: &str| encoded(&request, model).0["thinking"].clone();
    assert_eq!(thinking("claude-opus-4-7"), json!({"type":"adaptive","display":"omitted"}));
    assert_eq!(thinking("claude-opus-4-6"), json!({"type":"adaptive"}));
}
