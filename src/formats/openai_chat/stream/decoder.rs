//! Reads the chunks of OpenAI and the many providers that imitate it.
//!
//! Whatever a chunk holds that is not understood is skipped. Finish and usage are passed on as
//! they come; the last word counts. The end is `[DONE]`, or the close of the stream after a
//! finish reason.

use super::super::reasoning_details;
use super::super::response::{annotations, finish_reason};
use super::super::tree::Node;
use super::super::{error, usage};
use crate::chat::FinishReason;
use crate::chat::event::Event;
use crate::chat::message::{Reasoning, ReasoningKind};
use crate::formats::{StreamDecoder, StreamFault};
use std::borrow::Cow;

/// Most alternatives, and most calls of each, that are followed.
const MAX_TRACKED: usize = 1_024;
/// Where events go.
type Sink<'s> = dyn FnMut(Event<'_>) + 's;

/// Reads one stream.
#[derive(Debug, Default)]
pub struct Decoder {
    started: bool,
    finished: bool,
    ended: bool,
    calls: Vec<Call>,
}

/// A tool call being received.
#[derive(Debug)]
struct Call {
    choice: u32,
    /// The provider's index.
    index: u64,
    /// Count among the calls of its alternative.
    number: u32,
    id: Option<String>,
    /// The name was seen and the call announced.
    announced: bool,
    /// Arguments that came before the name.
    held: String,
    closed: bool,
}

impl Decoder {
    /// A decoder at the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    fn chunk(&mut self, mut chunk: Node<'_>, sink: &mut Sink<'_>) -> Result<(), StreamFault> {
        if chunk.get("error").is_some() {
            return Err(StreamFault::Upstream(error::read(200, &chunk)));
        }
        self.start(&mut chunk, sink);
        let choices = chunk.take("choices").map(Node::into_items).unwrap_or_default();
        for (position, choice) in choices.into_iter().enumerate() {
            self.choice(position, choice, sink);
        }
        let groq = || chunk.get("x_groq")?.get("usage");
        if let Some(found) = chunk.get("usage").or_else(groq) {
            sink(Event::Usage(usage::read(found)));
        }
        Ok(())
    }

    /// Azure's first chunk has an empty id and model; the start waits for one that names them.
    fn start(&mut self, chunk: &mut Node<'_>, sink: &mut Sink<'_>) {
        if self.started {
            return;
        }
        let filled = |text: &Cow<'_, str>| !text.is_empty();
        let id = chunk.take("id").and_then(Node::into_text).filter(filled);
        let model = chunk.take("model").and_then(Node::into_text).filter(filled);
        let speaks = matches!(chunk.get("choices"), Some(Node::Array(items)) if !items.is_empty());
        if speaks || (id.is_some() && model.is_some()) {
            self.started = true;
            sink(Event::Start { id, model });
        }
    }

    fn choice(&mut self, position: usize, mut choice: Node<'_>, sink: &mut Sink<'_>) {
        let stated = choice.get("index").and_then(Node::as_count);
        let index = stated.unwrap_or(position as u64);
        let Ok(index) = u32::try_from(index) else { return };
        if let Some(mut delta) = choice.take("delta").or_else(|| choice.take("message")) {
            reasoning(index, &mut delta, sink);
            content(index, delta.take("content"), sink);
            if let Some(text) = delta.take("refusal").and_then(Node::into_text)
                && !text.is_empty()
            {
                sink(Event::Refusal { choice: index, text });
            }
            images(index, delta.take("images"), sink);
            let calls = delta.take("tool_calls").map(Node::into_items).unwrap_or_default();
            for (at, call) in calls.into_iter().enumerate() {
                self.tool_call(index, at, call, sink);
            }
            if let Some(call) = delta.take("function_call") {
                let wrapped = Node::Object(vec![(Cow::Borrowed("function"), call)]);
                self.tool_call(index, 0, wrapped, sink);
            }
            let citations = annotations(delta.take("annotations"));
            if !citations.is_empty() {
                sink(Event::Citations { choice: index, citations });
            }
        }
        self.end_choice(index, &mut choice, sink);
    }

    fn end_choice(&mut self, index: u32, choice: &mut Node<'_>, sink: &mut Sink<'_>) {
        let Some(native) = choice.take("finish_reason").and_then(Node::into_text) else { return };
        self.finished = true;
        self.close_calls(Some(index), sink);
        let called = self.calls.iter().any(|call| call.choice == index && call.announced);
        let reason = match finish_reason(&native) {
            FinishReason::Stop if called => FinishReason::ToolCalls,
            reason => reason,
        };
        let stated = choice.take("native_finish_reason").and_then(Node::into_text);
        sink(Event::Finish { choice: index, reason, native: Some(stated.unwrap_or(native)) });
    }

    fn tool_call(&mut self, choice: u32, at: usize, mut item: Node<'_>, sink: &mut Sink<'_>) {
        let index = item.get("index").and_then(Node::as_count).unwrap_or(at as u64);
        let id = item.take("id").and_then(Node::into_text).filter(|id| !id.is_empty());
        let mut function = item.take("function").unwrap_or_default();
        let name = function.take("name").and_then(Node::into_text).filter(|name| !name.is_empty());
        let arguments = function.take("arguments").and_then(Node::into_json_text);
        let Some(call) = self.call(choice, index) else { return };
        if let (None, Some(id)) = (&call.id, &id) {
            call.id = Some(id.to_string());
        }
        if let Some(name) = name.filter(|_| !call.announced) {
            call.announced = true;
            let id = call.id.get_or_insert_with(|| format!("call_{choice}_{index}"));
            let (id, number) = (Cow::Borrowed(id.as_str()), call.number);
            sink(Event::ToolCallStart { choice, call: number, id, name, custom: false });
        }
        let pieces = arguments.filter(|json| !matches!(json.as_ref(), "" | "null"));
        if let Some(json) = pieces {
            call.held.push_str(&json);
        }
        if call.announced && !call.held.is_empty() {
            let json = Cow::Borrowed(call.held.as_str());
            sink(Event::ToolCallArguments { choice, call: call.number, json });
            call.held.clear();
        }
    }

    /// The call with the provider's index; `None` beyond the limit.
    fn call(&mut self, choice: u32, index: u64) -> Option<&mut Call> {
        let same = |call: &Call| call.choice == choice && call.index == index;
        if let Some(at) = self.calls.iter().position(same) {
            return self.calls.get_mut(at);
        }
        if self.calls.len() >= MAX_TRACKED {
            return None;
        }
        let before = self.calls.iter().filter(|call| call.choice == choice).count();
        let number = u32::try_from(before).unwrap_or(u32::MAX);
        self.calls.push(Call {
            choice,
            index,
            number,
            id: None,
            announced: false,
            held: String::new(),
            closed: false,
        });
        self.calls.last_mut()
    }

    fn close_calls(&mut self, choice: Option<u32>, sink: &mut Sink<'_>) {
        let open = |call: &&mut Call| {
            call.announced && !call.closed && choice.is_none_or(|choice| choice == call.choice)
        };
        for call in self.calls.iter_mut().filter(open) {
            call.closed = true;
            sink(Event::ToolCallEnd { choice: call.choice, call: call.number });
        }
    }
}

/// Reasoning under any of its names; the typed pieces are preferred, since they carry signatures.
fn reasoning(choice: u32, delta: &mut Node<'_>, sink: &mut Sink<'_>) {
    let details = delta.take("reasoning_details").map(Node::into_items).unwrap_or_default();
    let plain = delta.take("reasoning_content").or_else(|| delta.take("reasoning"));
    let mut any = false;
    for (at, mut item) in details.into_iter().enumerate() {
        let index = item.get("index").and_then(Node::as_count).unwrap_or(at as u64);
        let Some(piece) = reasoning_details::piece(&mut item) else { continue };
        any |= !piece.text.is_empty();
        reasoning_piece(choice, u32::try_from(index).unwrap_or(0), piece, sink);
    }
    if let Some(text) = plain.and_then(Node::into_text).filter(|text| !any && !text.is_empty()) {
        let kind = ReasoningKind::Text;
        sink(Event::Reasoning { choice, text, kind, format: UNKNOWN_FORMAT, block: 0 });
    }
}

/// Maker of reasoning that does not say.
const UNKNOWN_FORMAT: &str = "unknown";

/// The known makers, so that events can carry the word without a copy.
const FORMATS: [&str; 5] = [
    "anthropic-claude-v1",
    "google-gemini-v1",
    "openai-responses-v1",
    "azure-openai-responses-v1",
    "xai-responses-v1",
];

fn reasoning_piece(choice: u32, block: u32, piece: Reasoning<'_>, sink: &mut Sink<'_>) {
    let stated = piece.format.as_deref();
    let format = FORMATS.into_iter().find(|known| Some(*known) == stated).unwrap_or(UNKNOWN_FORMAT);
    let encrypted = piece.kind == ReasoningKind::Encrypted;
    if !piece.text.is_empty() {
        sink(Event::Reasoning { choice, text: piece.text, kind: piece.kind, format, block });
    }
    if let Some(data) = piece.signature {
        let id = piece.id.filter(|_| encrypted);
        sink(Event::ReasoningSignature { choice, data, encrypted, format, block, id });
    }
}

/// A string, or Mistral's list of text and thinking parts.
fn content(choice: u32, node: Option<Node<'_>>, sink: &mut Sink<'_>) {
    match node {
        Some(Node::Text(text)) if !text.is_empty() => sink(Event::Text { choice, text }),
        Some(Node::Array(items)) => {
            for mut item in items {
                let thinking = item.take("thinking");
                if let Some(text) = item.take("text").and_then(Node::into_text) {
                    sink(Event::Text { choice, text });
                }
                for mut thought in thinking.map(Node::into_items).unwrap_or_default() {
                    if let Some(text) = thought.take("text").and_then(Node::into_text) {
                        let kind = ReasoningKind::Text;
                        sink(Event::Reasoning {
                            choice,
                            text,
                            kind,
                            format: UNKNOWN_FORMAT,
                            block: 0,
                        });
                    }
                }
            }
        }
        _ => {}
    }
}

/// Images as `data:` URIs; others have no bytes to relay.
fn images(choice: u32, node: Option<Node<'_>>, sink: &mut Sink<'_>) {
    for mut item in node.map(Node::into_items).unwrap_or_default() {
        let url = item.take("image_url").and_then(|mut image| image.take("url"));
        let Some(url) = url.and_then(Node::into_text) else { continue };
        let parts = url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
        if let Some((mime, data)) = parts {
            sink(Event::Image { choice, mime: Cow::Borrowed(mime), data: Cow::Borrowed(data) });
        }
    }
}

impl StreamDecoder for Decoder {
    fn event(
        &mut self,
        name: Option<&str>,
        data: &[u8],
        sink: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), StreamFault> {
        let text = data.trim_ascii();
        if self.ended || text.is_empty() {
            return Ok(());
        }
        if text == b"[DONE]" {
            self.ended = true;
            self.close_calls(None, sink);
            sink(Event::End);
            return Ok(());
        }
        let chunk = Node::parse(text)
            .map_err(|error| StreamFault::Malformed(Cow::Owned(error.to_string())))?;
        if name == Some("error") {
            return Err(StreamFault::Upstream(error::read(200, &chunk)));
        }
        self.chunk(chunk, sink)
    }

    fn finish(&mut self, sink: &mut dyn FnMut(Event<'_>)) -> Result<(), StreamFault> {
        if self.ended {
            return Ok(());
        }
        if !self.finished {
            return Err(StreamFault::Truncated);
        }
        self.ended = true;
        self.close_calls(None, sink);
        sink(Event::End);
        Ok(())
    }
}
