//! Tools and how they shall be called, flat as this format has them.

use crate::chat::Request;
use crate::chat::tool::{Tool, ToolChoice};
use crate::formats::openai_responses::names::tool_name;
use crate::formats::openai_responses::object::Object;
use crate::formats::openai_responses::write::{member, push};
use bytes::{BufMut, BytesMut};
use serde_json::value::RawValue;

/// What a function without parameters takes.
const NO_PARAMETERS: &str = r#"{"type":"object","properties":{}}"#;

/// Writes everything about tools.
pub(super) fn write(request: &Request<'_>, out: &mut BytesMut) {
    let mut list = BytesMut::new();
    for tool in &request.tools {
        push(&mut list, |out| write_tool(tool, out));
    }
    if let Some(options) = &request.web_search {
        push(&mut list, |out| web_search(options, out));
    }
    let has_tools = !list.is_empty();
    if has_tools {
        out.put_slice(br#","tools":["#);
        out.put_slice(&list);
        out.put_u8(b']');
    }
    // Without tools only a demand means something, and the provider's complaint is the answer.
    let is_idle = matches!(request.tool_choice, Some(ToolChoice::Auto | ToolChoice::None));
    if let Some(choice) = request.tool_choice.as_ref().filter(|_| has_tools || !is_idle) {
        write_choice(choice, &request.tools, out);
    }
    if let Some(parallel) = request.parallel_tool_calls.filter(|_| has_tools) {
        out.put_slice(format!(r#","parallel_tool_calls":{parallel}"#).as_bytes());
    }
}

fn write_tool(tool: &Tool<'_>, out: &mut BytesMut) {
    member(out, br#"{"type":"#, kind_of(tool));
    member(out, br#","name":"#, &tool_name(&tool.name));
    if let Some(description) = &tool.description {
        member(out, br#","description":"#, description);
    }
    if let Some(custom) = &tool.custom {
        if let Some(format) = &custom.format {
            out.put_slice(br#","format":"#);
            out.put_slice(format.get().as_bytes());
        }
    } else {
        out.put_slice(br#","parameters":"#);
        let parameters = tool.parameters.as_deref().map_or(NO_PARAMETERS, RawValue::get);
        out.put_slice(parameters.as_bytes());
        // Unlike the chat format, this one enforces the schema when nothing is said.
        let strict = tool.strict.unwrap_or(false);
        out.put_slice(format!(r#","strict":{strict}"#).as_bytes());
    }
    out.put_u8(b'}');
}

fn kind_of(tool: &Tool<'_>) -> &'static str {
    if tool.custom.is_some() { "custom" } else { "function" }
}

/// From the shape of the chat format, where the place is one object deeper.
fn web_search(options: &RawValue, out: &mut BytesMut) {
    let options = Object::read(options).unwrap_or_default();
    out.put_slice(br#"{"type":"web_search""#);
    for key in ["search_context_size", "filters"] {
        if let Some(value) = options.raw(key) {
            out.put_slice(format!(r#","{key}":{}"#, value.get()).as_bytes());
        }
    }
    let location = options.object("user_location");
    if let Some(place) = location.and_then(|location| location.object("approximate")) {
        out.put_slice(br#","user_location":{"type":"approximate""#);
        for key in ["city", "country", "region", "timezone"] {
            if let Some(value) = place.raw(key) {
                out.put_slice(format!(r#","{key}":{}"#, value.get()).as_bytes());
            }
        }
        out.put_u8(b'}');
    }
    out.put_u8(b'}');
}

fn write_choice(choice: &ToolChoice<'_>, tools: &[Tool<'_>], out: &mut BytesMut) {
    let word = match choice {
        ToolChoice::Auto => "auto",
        ToolChoice::None => "none",
        ToolChoice::Required => "required",
        ToolChoice::Named(name) => {
            out.put_slice(br#","tool_choice":"#);
            return reference(name, tools, out);
        }
        ToolChoice::Allowed { names, required } => {
            let mode = if *required { "required" } else { "auto" };
            member(out, br#","tool_choice":{"type":"allowed_tools","mode":"#, mode);
            let mut list = BytesMut::new();
            for name in names {
                push(&mut list, |out| reference(name, tools, out));
            }
            out.put_slice(br#","tools":["#);
            out.put_slice(&list);
            return out.put_slice(b"]}");
        }
    };
    member(out, br#","tool_choice":"#, word);
}

fn reference(name: &str, tools: &[Tool<'_>], out: &mut BytesMut) {
    let declared = tools.iter().find(|tool| tool.name == name);
    member(out, br#"{"type":"#, declared.map_or("function", kind_of));
    member(out, br#","name":"#, &tool_name(name));
    out.put_u8(b'}');
}
