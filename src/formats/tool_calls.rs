//! The calls of tools in one answer, gathered while it passes, as the client sees them.
//!
//! `routing` judges them once the answer is over. What is gathered is bounded: an answer with more
//! is not judged at all, rather than by a part of it.

use crate::chat::event::Event;
use crate::chat::{Part, Response};

/// Most bytes of names and arguments that are gathered of one answer.
pub const MAX_CALL_BYTES: usize = 64 * 1024;
/// Most calls that are gathered of one answer.
pub const MAX_CALLS: usize = 64;

/// One call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatheredCall {
    /// Which tool is called, by the client's name of it.
    pub name: String,
    /// The arguments as the model wrote them.
    pub arguments: String,
    /// Whether it is a call of a free-form tool, whose argument text is no JSON.
    pub custom: bool,
}

/// The calls of one answer so far.
#[derive(Debug, Clone, Default)]
pub struct GatheredCalls {
    calls: Vec<(Place, GatheredCall)>,
    bytes: usize,
    overflowed: bool,
}

/// Alternative and number of a call.
type Place = (u32, u32);

impl GatheredCalls {
    /// The calls; `None` if there were more than are gathered.
    pub fn into_calls(self) -> Option<Vec<GatheredCall>> {
        (!self.overflowed).then(|| self.calls.into_iter().map(|(_, call)| call).collect())
    }

    /// How many were gathered, or at least one where there were too many.
    pub fn count(&self) -> usize {
        self.calls.len().max(usize::from(self.overflowed))
    }

    /// Whether there was none.
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty() && !self.overflowed
    }

    /// Notes one event of a stream.
    pub(super) fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::ToolCallStart { choice, call, name, custom, .. } => {
                self.start((*choice, *call), name, *custom);
            }
            Event::ToolCallArguments { choice, call, json } => {
                self.continue_with((*choice, *call), json);
            }
            _ => {}
        }
    }

    /// The calls of a whole answer.
    pub(super) fn of(response: &Response<'_>) -> Self {
        let mut gathered = Self::default();
        for choice in &response.choices {
            let calls = choice.parts.iter().filter_map(|part| match part {
                Part::ToolCall(call) => Some(call),
                _ => None,
            });
            for (call, number) in calls.zip(0..) {
                gathered.start((choice.index, number), &call.name, call.custom);
                gathered.continue_with((choice.index, number), &call.arguments);
            }
        }
        gathered
    }

    fn start(&mut self, place: Place, name: &str, custom: bool) {
        if self.has_room(name) {
            let call = GatheredCall { name: name.to_owned(), arguments: String::new(), custom };
            self.calls.push((place, call));
        }
    }

    fn continue_with(&mut self, place: Place, arguments: &str) {
        if self.has_room(arguments)
            && let Some((_, call)) = self.calls.iter_mut().rev().find(|(at, _)| *at == place)
        {
            call.arguments.push_str(arguments);
        }
    }

    /// Counts the text; once there is too much, everything is let go.
    fn has_room(&mut self, text: &str) -> bool {
        self.bytes = self.bytes.saturating_add(text.len());
        self.overflowed |= self.bytes > MAX_CALL_BYTES || self.calls.len() > MAX_CALLS;
        if self.overflowed {
            self.calls = Vec::new();
        }
        !self.overflowed
    }
}
