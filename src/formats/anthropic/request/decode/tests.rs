//! Tables of the request decoder: what each field becomes, and what is refused.

mod conversation;

use super::*;
use crate::chat::Request;
use crate::chat::message::Part;
use crate::chat::request::{Effort, ReasoningRequest, ResponseFormat};
use crate::chat::tool::{CacheControl, ToolChoice};

/// A request with more members.
fn body(members: &str) -> String {
    let comma = if members.is_empty() { "" } else { "," };
    format!(
        r#"{{"model":"m","max_tokens":9,"messages":[{{"role":"user","content":"hi"}}]{comma}{members}}}"#
    )
}

/// Decodes a request with more members and looks at it.
fn look<T>(members: &str, look: impl FnOnce(&Request<'_>) -> T) -> T {
    let body = body(members);
    let request = decode(body.as_bytes()).unwrap_or_else(|error| panic!("{members}: {error}"));
    look(&request)
}

fn param(text: &str) -> String {
    decode(text.as_bytes()).unwrap_err().param.unwrap_or_default().into_owned()
}

fn lost(members: &str) -> String {
    look(members, |request| request.unmapped.join(","))
}

#[test]
fn the_least_request() {
    look("", |request| {
        assert_eq!((request.max_tokens, request.stream), (Some(9), false));
        assert_eq!((request.messages.len(), request.unmapped.len()), (1, 0));
        assert!(request.tool_choice.is_none() && request.cache.is_none());
    });
}

#[test]
fn complaints_name_the_field() {
    let cases = [
        ("[]", ""),
        ("{", ""),
        (r#"{"messages":[{"role":"user","content":"x"}]}"#, "max_tokens"),
        (r#"{"max_tokens":0,"messages":[]}"#, "max_tokens"),
        (r#"{"max_tokens":1}"#, "messages"),
        (r#"{"max_tokens":1,"messages":[]}"#, "messages"),
        (r#"{"max_tokens":1,"messages":["x"]}"#, "messages[0]"),
        (r#"{"max_tokens":1,"messages":[{"content":"x"}]}"#, "messages[0].role"),
        (r#"{"max_tokens":1,"messages":[{"role":"bot","content":"x"}]}"#, "messages[0].role"),
        (r#"{"max_tokens":1,"messages":[{"role":"user"}]}"#, "messages[0].content"),
        (r#"{"max_tokens":1,"messages":[{"role":"user","content":7}]}"#, "messages[0].content"),
    ];
    for (text, expected) in cases {
        assert_eq!(param(text), expected, "{text}");
    }
    let within = [
        (r#"{"type":"text"}"#, "text"),
        (r#"{"type":"brand_new"}"#, "type"),
        (r#"{"text":"x"}"#, "type"),
        (r#"{"type":"image"}"#, "source"),
        (r#"{"type":"image","source":{"type":"base64","media_type":"image/png"}}"#, "source.data"),
        (r#"{"type":"image","source":{"type":"moon"}}"#, "source.type"),
        (r#"{"type":"document","source":{"type":"file"}}"#, "source.file_id"),
        (r#"{"type":"tool_result"}"#, "tool_use_id"),
        (r#"{"type":"tool_result","tool_use_id":"t","is_error":1}"#, "is_error"),
        (r#"{"type":"tool_result","tool_use_id":"t","content":[{"type":"x"}]}"#, "content[0].type"),
    ];
    for (block, expected) in within {
        let text = format!(
            r#"{{"max_tokens":1,"messages":[{{"role":"user","content":[{{"type":"text","text":"a"}},{block}]}}]}}"#
        );
        assert_eq!(param(&text), format!("messages[0].content[1].{expected}"), "{block}");
    }
    let call = r#"{"max_tokens":1,"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":[]}]}]}"#;
    assert_eq!(param(call), "messages[0].content[0].input");
}

#[test]
fn fields_of_wrong_shape_or_without_counterpart_are_refused() {
    let cases = [
        (r#""system":7"#, "system"),
        (r#""temperature":"x""#, "temperature"),
        (r#""temperature":-1"#, "temperature"),
        (r#""top_p":2"#, "top_p"),
        (r#""top_k":1.5"#, "top_k"),
        (r#""stop_sequences":"x""#, "stop_sequences"),
        (r#""stop_sequences":[1]"#, "stop_sequences[0]"),
        (r#""stream":"yes""#, "stream"),
        (r#""metadata":7"#, "metadata"),
        (r#""mcp_servers":[{"url":"x"}]"#, "mcp_servers"),
        (r#""container":"c1""#, "container"),
        (r#""thinking":{"type":"deep"}"#, "thinking.type"),
        (r#""thinking":{"type":"enabled","budget_tokens":"x"}"#, "thinking.budget_tokens"),
        (r#""output_config":{"effort":"huge"}"#, "output_config.effort"),
        (r#""output_config":{"format":{"type":"xml"}}"#, "output_config.format.type"),
        (r#""output_format":{"type":"json_schema"}"#, "output_format.schema"),
        (r#""tools":[{"name":"a"},{"type":"bash_20250124","name":"bash"}]"#, "tools[1]"),
        (r#""tools":[{"input_schema":{}}]"#, "tools[0].name"),
        (r#""tools":[{"name":"a","input_schema":"x"}]"#, "tools[0].input_schema"),
        (
            r#""messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":""}}]}]"#,
            "messages[0].content[0].source.data",
        ),
        (r#""tool_choice":{"type":"maybe"}"#, "tool_choice.type"),
        (r#""tool_choice":{"type":"tool"}"#, "tool_choice.name"),
    ];
    for (members, expected) in cases {
        assert_eq!(param(&body(members)), expected, "{members}");
    }
}

#[test]
fn null_and_empty_are_absent() {
    let nothing = r#""system":null,"temperature":null,"stop_sequences":null,"tools":null,
        "tool_choice":null,"thinking":null,"metadata":null,"mcp_servers":[],"container":null,
        "output_config":null,"cache_control":null,"context_management":null,"stream":null"#;
    look(nothing, |request| {
        assert_eq!(format!("{request:?}"), look("", |least| format!("{least:?}")));
    });
}

#[test]
fn plain_settings() {
    let members = r#""temperature":0.5,"top_p":0.9,"top_k":40,"stop_sequences":["a","b"],
        "stream":true,"metadata":{"user_id":"u"},"service_tier":"standard_only",
        "cache_control":{"type":"ephemeral","ttl":"1h"},"provider":{"x":1},"anthropic_version":"v""#;
    look(members, |request| {
        let expected = Sampling {
            temperature: Some(0.5),
            top_p: Some(0.9),
            top_k: Some(40),
            ..Sampling::default()
        };
        assert_eq!((request.sampling, request.stop.join("")), (expected, "ab".to_owned()));
        assert_eq!((request.stream, request.user.as_deref()), (true, Some("u")));
        assert_eq!(request.service_tier.as_deref(), Some("default"));
        assert_eq!(request.cache, Some(CacheControl::OneHour));
        assert!(request.unmapped.is_empty(), "{:?}", request.unmapped);
    });
}

#[test]
fn what_has_no_counterpart_is_named() {
    let members = r#""context_management":{"edits":[]},"inference_geo":"us","speed":"fast",
        "metadata":{"user_id":"u","team":"t"},"diagnostics":{"x":1},
        "output_config":{"effort":"low","task_budget":{"x":1}},"thinking":{"type":"disabled"},
        "tools":[{"name":"f","defer_loading":true,"input_examples":[{}]}]"#;
    let expected = "context_management,defer_loading,diagnostics,inference_geo,input_examples,\
                    metadata,output_config.effort,speed,task_budget";
    assert_eq!(lost(members), expected);
}

#[test]
fn thinking_and_effort() {
    let off = ReasoningRequest { enabled: Some(false), ..ReasoningRequest::default() };
    let on = ReasoningRequest { enabled: Some(true), ..ReasoningRequest::default() };
    let effort = |effort| ReasoningRequest { effort: Some(effort), ..ReasoningRequest::default() };
    let cases = [
        (r#""thinking":{"type":"disabled"}"#, off),
        (r#""thinking":{"type":"disabled"},"output_config":{"effort":"high"}"#, off),
        (
            r#""thinking":{"type":"enabled","budget_tokens":4000}"#,
            ReasoningRequest { max_tokens: Some(4_000), ..on },
        ),
        (r#""thinking":{"type":"adaptive"}"#, on),
        (r#""thinking":{"type":"adaptive","display":"summarized"}"#, on),
        (
            r#""thinking":{"type":"adaptive","display":"omitted"}"#,
            ReasoningRequest { exclude: true, ..on },
        ),
        (
            r#""thinking":{"type":"adaptive"},"output_config":{"effort":"max"}"#,
            ReasoningRequest { effort: Some(Effort::Max), ..on },
        ),
        (r#""output_config":{"effort":"low"}"#, effort(Effort::Low)),
        (r#""output_config":{"effort":"medium"}"#, effort(Effort::Medium)),
        (r#""output_config":{"effort":"high"}"#, effort(Effort::High)),
        (r#""output_config":{"effort":"xhigh"}"#, effort(Effort::XHigh)),
    ];
    for (members, expected) in cases {
        assert_eq!(look(members, |request| request.reasoning), expected, "{members}");
    }
}

#[test]
fn the_shape_of_the_answer() {
    let schema = r#"{"type":"object", "properties":{"z":{},"a":{}}}"#;
    for wrapper in [r#""output_format":X"#, r#""output_config":{"format":X}"#] {
        let format = format!(r#"{{"type":"json_schema","schema":{schema}}}"#);
        look(&wrapper.replace('X', &format), |request| {
            let ResponseFormat::JsonSchema { schema: read, name, strict, .. } =
                &request.response_format
            else {
                panic!("{wrapper}")
            };
            assert_eq!((read.get(), name.as_ref(), *strict), (schema, "response", None));
            assert!(request.unmapped.is_empty());
        });
    }
}

#[test]
fn tools_and_their_choice() {
    let tools = r#""tools":[
        {"type":"custom","name":"f","description":"d","strict":true,
         "input_schema":{"type":"object", "x":1.0},"cache_control":{"type":"ephemeral"}},
        {"name":"g","type":null}]"#;
    look(tools, |request| {
        let [first, second] = &request.tools[..] else { panic!("{:?}", request.tools) };
        assert_eq!((first.name.as_ref(), first.description.as_deref()), ("f", Some("d")));
        let schema = first.parameters.as_ref().map(|schema| schema.get());
        assert_eq!(schema, Some(r#"{"type":"object", "x":1.0}"#));
        assert_eq!((first.strict, first.cache), (Some(true), Some(CacheControl::Default)));
        assert!(second.parameters.is_none() && second.custom.is_none());
    });
    let named = || Some(ToolChoice::Named("f".into()));
    let cases = [
        (r#"{"type":"auto"}"#, Some(ToolChoice::Auto), None),
        (r#"{"type":"any"}"#, Some(ToolChoice::Required), None),
        (r#"{"type":"none"}"#, Some(ToolChoice::None), None),
        (r#"{"type":"tool","name":"f"}"#, named(), None),
        (r#"{"type":"tool","name":"f","disable_parallel_tool_use":true}"#, named(), Some(false)),
        (r#"{"type":"auto","disable_parallel_tool_use":false}"#, Some(ToolChoice::Auto), None),
    ];
    for (choice, expected, parallel) in cases {
        look(&format!(r#"{tools},"tool_choice":{choice}"#), |request| {
            assert_eq!(request.tool_choice, expected, "{choice}");
            assert_eq!(request.parallel_tool_calls, parallel, "{choice}");
        });
    }
}

#[test]
fn web_search_becomes_search_options() {
    let cases = [
        ("", r#"{"search_context_size":"medium"}"#, ""),
        (r#","max_uses":1"#, r#"{"search_context_size":"low"}"#, ""),
        (r#","max_uses":5"#, r#"{"search_context_size":"medium"}"#, ""),
        (
            r#","max_uses":10,"allowed_domains":["a.b"],"blocked_domains":null"#,
            r#"{"search_context_size":"high"}"#,
            "allowed_domains",
        ),
        (
            r#","user_location":{"type":"approximate","city":"Köln","country":"DE","region":null}"#,
            r#"{"search_context_size":"medium","user_location":{"approximate":{"city":"Köln","country":"DE"},"type":"approximate"}}"#,
            "",
        ),
    ];
    for (members, expected, named) in cases {
        let tools =
            format!(r#""tools":[{{"type":"web_search_20250305","name":"web_search"{members}}}]"#);
        look(&tools, |request| {
            let options: serde_json::Value =
                serde_json::from_str(request.web_search.as_ref().unwrap().get()).unwrap();
            let expected: serde_json::Value = serde_json::from_str(expected).unwrap();
            assert_eq!((options, request.unmapped.join(",")), (expected, named.to_owned()));
            assert!(request.tools.is_empty());
        });
        let choice = r#""tool_choice":{"type":"tool","name":"web_search"}"#;
        look(&format!("{tools},{choice}"), |request| {
            assert!(request.tool_choice.is_none());
            assert!(request.unmapped.iter().any(|name| name == "tool_choice"));
        });
    }
}

#[test]
fn the_instructions() {
    let system = r#""system":[{"type":"text","text":"a","cache_control":{"type":"ephemeral","ttl":"5m"}},
        {"type":"text","text":""},{"type":"text","text":"b"}]"#;
    look(system, |request| {
        let parts = &request.messages[0].parts;
        assert_eq!(parts.len(), 2);
        let Part::Text { text, cache } = &parts[0] else { panic!("{parts:?}") };
        assert_eq!((text.as_ref(), *cache), ("a", Some(CacheControl::FiveMinutes)));
    });
    assert_eq!(look(r#""system":"""#, |request| request.messages.len()), 1);
}

proptest::proptest! {
    #[test]
    fn no_change_of_a_request_breaks_the_decoder(at in 0_usize..400, byte in 0_u8..128) {
        let mut text = body(r#""system":[{"type":"text","text":"a"}],"tools":[{"name":"f","input_schema":{}}],"thinking":{"type":"enabled","budget_tokens":1}"#).into_bytes();
        let at = at % text.len();
        text[at] = byte;
        let _decoded = decode(&text);
    }
}
