//! Tool calls being received, which providers cut into pieces in many ways.
//!
//! Used by the stream decoder. A call is announced once its name is known; every piece before
//! that is held back, and every announced call is ended exactly once.

use super::Sink;
use crate::chat::event::Event;
use crate::formats::tree::Node;
use std::borrow::Cow;

/// Most calls that are followed.
const MAX_TRACKED: usize = 1_024;
/// Most bytes of arguments that wait for a name.
const MAX_HELD_BYTES: usize = 1 << 20;

/// The calls of one stream.
#[derive(Debug, Default)]
pub(super) struct Calls(Vec<Call>);

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
    /// Whether any of its arguments were seen.
    argued: bool,
    /// Arguments that came before the name.
    held: String,
    closed: bool,
}

impl Calls {
    /// Reads one element of `tool_calls`, at position `at` of its list.
    pub(super) fn piece(
        &mut self,
        choice: u32,
        at: usize,
        mut item: Node<'_>,
        sink: &mut Sink<'_>,
    ) {
        let filled = |node: Option<Node<'_>>| {
            node.and_then(Node::into_text).filter(|text| !text.is_empty()).map(Cow::into_owned)
        };
        let index = item.get("index").and_then(Node::as_count);
        let id = filled(item.take("id"));
        let custom = is_custom(&item);
        let member = if custom { "custom" } else { "function" };
        let mut tool = item.take(member).unwrap_or_default();
        let name = tool.take("name").and_then(Node::into_text).filter(|name| !name.is_empty());
        let text = if custom {
            tool.take("input").and_then(Node::into_text)
        } else {
            tool.take("arguments").and_then(Node::into_json_text)
        };
        let index = index.unwrap_or_else(|| self.position(choice, at, id.as_deref()));
        let Some(call) = self.call(choice, index) else { return };
        call.id = call.id.take().or(id);
        if let Some(name) = name.filter(|_| !call.announced) {
            call.announced = true;
            let id = call.id.get_or_insert_with(|| format!("call_{choice}_{index}"));
            let (id, number) = (Cow::Borrowed(id.as_str()), call.number);
            sink(Event::ToolCallStart { choice, call: number, id, name, custom });
        }
        call.release(sink);
        if let Some(text) = text.filter(|text| custom || !call.is_none(text)) {
            call.argue(text, sink);
        }
    }

    /// Whether the provider's call was announced, so that only its arguments matter.
    pub(super) fn is_announced(&self, choice: u32, index: u64) -> bool {
        let same = |call: &Call| call.choice == choice && call.index == index;
        self.0.iter().find(|call| same(call)).is_some_and(|call| call.announced)
    }

    /// Reads more arguments of an announced call.
    pub(super) fn more(&mut self, choice: u32, index: u64, text: &str, sink: &mut Sink<'_>) {
        let Some(call) = self.call(choice, index) else { return };
        if !call.is_none(text) {
            call.argue(Cow::Borrowed(text), sink);
        }
    }

    /// The index of a call whose provider states none: that of its id, else its position.
    fn position(&self, choice: u32, at: usize, id: Option<&str>) -> u64 {
        let mut calls = self.0.iter().filter(|call| call.choice == choice);
        let Some(id) = id else { return at as u64 };
        match calls.clone().find(|call| call.id.as_deref() == Some(id)) {
            Some(known) => known.index,
            None if calls.any(|call| call.index == at as u64) => calls_after(&self.0, choice),
            None => at as u64,
        }
    }

    /// The call with the provider's index; `None` beyond the limit.
    fn call(&mut self, choice: u32, index: u64) -> Option<&mut Call> {
        let same = |call: &Call| call.choice == choice && call.index == index;
        if let Some(at) = self.0.iter().position(same) {
            return self.0.get_mut(at);
        }
        if self.0.len() >= MAX_TRACKED {
            return None;
        }
        let before = self.0.iter().filter(|call| call.choice == choice).count();
        self.0.push(Call {
            choice,
            index,
            number: u32::try_from(before).unwrap_or(u32::MAX),
            id: None,
            announced: false,
            argued: false,
            held: String::new(),
            closed: false,
        });
        self.0.last_mut()
    }

    /// Whether the alternative called a tool.
    pub(super) fn any(&self, choice: u32) -> bool {
        self.0.iter().any(|call| call.choice == choice && call.announced)
    }

    /// Ends the open calls of an alternative.
    pub(super) fn close(&mut self, choice: u32, sink: &mut Sink<'_>) {
        let open = |call: &&mut Call| call.announced && !call.closed && call.choice == choice;
        for call in self.0.iter_mut().filter(open) {
            call.closed = true;
            sink(Event::ToolCallEnd { choice, call: call.number });
        }
    }
}

/// The first index that no call of the alternative has.
fn calls_after(calls: &[Call], choice: u32) -> u64 {
    let indices = calls.iter().filter(|call| call.choice == choice).map(|call| call.index);
    indices.max().map_or(0, |last| last.saturating_add(1))
}

impl Call {
    /// Groq writes a call without arguments as `null`.
    fn is_none(&self, text: &str) -> bool {
        !self.argued && text == "null"
    }

    /// Passes arguments on, or holds them back until the call is announced.
    fn argue(&mut self, text: Cow<'_, str>, sink: &mut Sink<'_>) {
        let (choice, call) = (self.choice, self.number);
        if text.is_empty() {
            return;
        }
        self.argued = true;
        if self.announced {
            sink(Event::ToolCallArguments { choice, call, json: text });
        } else if self.held.len() + text.len() <= MAX_HELD_BYTES {
            self.held.push_str(&text);
        }
    }

    /// Passes on what was held back before the call was announced.
    fn release(&mut self, sink: &mut Sink<'_>) {
        if self.announced && !self.held.is_empty() {
            let json = Cow::Owned(std::mem::take(&mut self.held));
            sink(Event::ToolCallArguments { choice: self.choice, call: self.number, json });
        }
    }
}

/// Whether the piece belongs to a free-form call. Some providers write both members in every call
/// and leave the one that is not meant empty.
fn is_custom(item: &Node<'_>) -> bool {
    let Some(custom) = item.get("custom") else { return false };
    let says = |name| custom.get(name).and_then(Node::as_str).is_some_and(|text| !text.is_empty());
    says("name") || says("input") || item.get("function").is_none()
}
