//! What a provider's format made of the client's tools, and the way back.
//!
//! Three things differ where a format is narrower than the client's: a function name outside its
//! alphabet, a free-form tool where only JSON is taken, and a schema that has to be wrapped into
//! an object. Request encoders do all three by fixed rules; whoever relays the answer needs the
//! list of the request at hand to show the client its own tools again. Usually the list is empty.

use super::{ApiFormat, Target, anthropic, bedrock, gemini, openai_responses};
use crate::chat::event::Event;
use crate::chat::tool::{Tool, ToolCall};
use crate::chat::{Part, Request, Response};
use crate::json::find;
use std::borrow::Cow;

/// Schema of a free-form tool where the provider only knows tools that take JSON.
pub const INPUT_SCHEMA: &str =
    r#"{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}"#;
/// Most argument text of one answer that is held back to be unwrapped; more passes as it came.
const MAX_HELD_BYTES: usize = 8 * 1024 * 1024;
/// Most calls of one answer that are unwrapped at a time.
const MAX_OPEN_CALLS: usize = 256;

/// The changed tools of one request.
#[derive(Debug, Clone, Default)]
pub struct ToolNames(Vec<Changed>);

#[derive(Debug, Clone)]
struct Changed {
    sent: String,
    original: String,
    arguments: Arguments,
}

/// How the client's arguments stand in the provider's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Arguments {
    /// Unchanged.
    Plain,
    /// Free text, as the string member `input`.
    Text,
    /// Any JSON, as the member `input`.
    Wrapped,
}

impl ToolNames {
    /// The tools that change when `request` is written for the target.
    pub fn of(upstream: ApiFormat, request: &Request<'_>, target: Target<'_>) -> Self {
        let changed = request.tools.iter().filter_map(|tool| changed(upstream, tool, target));
        Self(changed.collect())
    }

    fn find(&self, sent: &str) -> Option<&Changed> {
        self.0.iter().find(|changed| changed.sent == sent)
    }

    /// Puts the client's tools back into a whole answer.
    pub(super) fn restore(&self, response: &mut Response<'_>) {
        let parts = response.choices.iter_mut().flat_map(|choice| &mut choice.parts);
        for part in parts {
            if let Part::ToolCall(call) = part
                && let Some(changed) = self.find(&call.name)
            {
                changed.restore(call);
            }
        }
    }
}

impl Changed {
    fn restore(&self, call: &mut ToolCall<'_>) {
        call.name = Cow::Owned(self.original.clone());
        call.custom |= self.arguments == Arguments::Text;
        if let Some(inner) = self.arguments.unwrapped(&call.arguments) {
            call.arguments = Cow::Owned(inner);
        }
    }
}

fn changed(upstream: ApiFormat, tool: &Tool<'_>, target: Target<'_>) -> Option<Changed> {
    let sent = match upstream {
        ApiFormat::Anthropic => anthropic::names::tool_name(&tool.name),
        ApiFormat::Gemini => gemini::names::sent_name(&tool.name),
        ApiFormat::Bedrock => bedrock::names::tool_name(&tool.name),
        ApiFormat::OpenAiResponses => openai_responses::tool_name(&tool.name),
        ApiFormat::OpenAiChat | ApiFormat::Completions => Cow::Borrowed(tool.name.as_ref()),
    };
    let arguments = arguments(upstream, tool, target);
    if arguments == Arguments::Plain && matches!(sent, Cow::Borrowed(_)) {
        return None;
    }
    Some(Changed { sent: sent.into_owned(), original: tool.name.to_string(), arguments })
}

fn arguments(upstream: ApiFormat, tool: &Tool<'_>, target: Target<'_>) -> Arguments {
    let native = match upstream {
        ApiFormat::OpenAiResponses => true,
        ApiFormat::OpenAiChat => target.dialect.custom_tools,
        _ => false,
    };
    let wrapped = match upstream {
        ApiFormat::Anthropic => anthropic::names::wraps_arguments(tool),
        ApiFormat::Bedrock => bedrock::request::is_wrapped(tool),
        _ => false,
    };
    match tool.custom {
        Some(_) if !native => Arguments::Text,
        None if wrapped => Arguments::Wrapped,
        _ => Arguments::Plain,
    }
}

impl Arguments {
    /// The client's arguments inside the provider's; `None` if they are unchanged, or if the model
    /// did not keep to the schema.
    fn unwrapped(self, sent: &str) -> Option<String> {
        if self == Self::Plain {
            return None;
        }
        let inner = find(sent.as_bytes(), "input").and_then(|place| sent.get(place))?;
        match self {
            Self::Text => serde_json::from_str::<String>(inner).ok(),
            _ => Some(inner.to_owned()),
        }
    }
}

/// Puts the client's tools back into the events of one stream.
#[derive(Debug, Default)]
pub(super) struct ToolRestorer {
    names: ToolNames,
    held: Vec<Held>,
}

/// A call whose arguments are gathered until they can be unwrapped.
#[derive(Debug)]
struct Held {
    choice: u32,
    call: u32,
    arguments: Arguments,
    json: String,
}

impl ToolRestorer {
    pub(super) fn new(names: ToolNames) -> Self {
        Self { names, held: Vec::new() }
    }

    /// Hands the event on as the client shall see it, or gathers it.
    pub(super) fn event(&mut self, event: &Event<'_>, sink: &mut dyn FnMut(&Event<'_>)) {
        if self.names.0.is_empty() {
            return sink(event);
        }
        match event {
            Event::ToolCallStart { choice, call, id, name, custom } => {
                let Some(changed) = self.names.find(name) else { return sink(event) };
                let (choice, call, arguments) = (*choice, *call, changed.arguments);
                sink(&Event::ToolCallStart {
                    choice,
                    call,
                    id: id.clone(),
                    name: Cow::Borrowed(&changed.original),
                    custom: *custom || arguments == Arguments::Text,
                });
                if arguments != Arguments::Plain && self.held.len() < MAX_OPEN_CALLS {
                    self.held.push(Held { choice, call, arguments, json: String::new() });
                }
            }
            Event::ToolCallArguments { choice, call, json } => {
                let all: usize = self.held.iter().map(|held| held.json.len()).sum();
                match self.position(*choice, *call).and_then(|at| self.held.get_mut(at)) {
                    Some(held) if all + json.len() <= MAX_HELD_BYTES => {
                        held.json.push_str(json);
                    }
                    Some(_) => self.release(*choice, *call, sink, Some(event)),
                    None => sink(event),
                }
            }
            Event::ToolCallEnd { choice, call } => self.release(*choice, *call, sink, Some(event)),
            _ => sink(event),
        }
    }

    fn position(&self, choice: u32, call: u32) -> Option<usize> {
        self.held.iter().position(|held| held.choice == choice && held.call == call)
    }

    /// Hands on what was gathered of a call, unwrapped, and then `next`.
    fn release(
        &mut self,
        choice: u32,
        call: u32,
        sink: &mut dyn FnMut(&Event<'_>),
        next: Option<&Event<'_>>,
    ) {
        if let Some(at) = self.position(choice, call) {
            let held = self.held.swap_remove(at);
            let json = held.arguments.unwrapped(&held.json).unwrap_or(held.json);
            sink(&Event::ToolCallArguments { choice, call, json: Cow::Owned(json) });
        }
        if let Some(next) = next {
            sink(next);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::tool::CustomTool;

    fn names() -> ToolNames {
        let tool = |name: &'static str, custom| Tool {
            name: name.into(),
            description: None,
            parameters: None,
            strict: None,
            cache: None,
            custom,
        };
        let tools = vec![tool("plain", None), tool("patch", Some(CustomTool { format: None }))];
        let request = Request { tools, ..Request::default() };
        ToolNames::of(ApiFormat::Anthropic, &request, Target::new("m"))
    }

    fn run(pieces: &[&str], name: &str) -> Vec<String> {
        let mut restorer = ToolRestorer::new(names());
        let mut seen = Vec::new();
        let mut sink = |event: &Event<'_>| match event {
            Event::ToolCallStart { name, custom, .. } => {
                seen.push(format!("start {name} {custom}"));
            }
            Event::ToolCallArguments { json, .. } => seen.push(format!("json {json}")),
            Event::ToolCallEnd { .. } => seen.push("end".to_owned()),
            _ => {}
        };
        let (choice, call) = (0, 0);
        let start =
            Event::ToolCallStart { choice, call, id: "c".into(), name: name.into(), custom: false };
        restorer.event(&start, &mut sink);
        for piece in pieces {
            let event = Event::ToolCallArguments { choice, call, json: (*piece).into() };
            restorer.event(&event, &mut sink);
        }
        restorer.event(&Event::ToolCallEnd { choice, call }, &mut sink);
        seen
    }

    #[test]
    fn a_free_form_call_comes_back_as_text() {
        let seen = run(&[r#"{"in"#, r#"put":"a\nb"}"#], "patch");
        assert_eq!(seen, ["start patch true", "json a\nb", "end"]);
        assert_eq!(run(&["{}"], "patch"), ["start patch true", "json {}", "end"]);
    }

    #[test]
    fn other_calls_pass_as_they_come() {
        let seen = run(&["{\"a\":", "1}"], "plain");
        assert_eq!(seen, ["start plain false", "json {\"a\":", "json 1}", "end"]);
    }
}
