//! What an answer says, whatever format it is in: the part of it that no translation may lose.
//!
//! Only the first alternative counts, because most formats have no other.

use arouter::chat::{Event, Part, Response};
use serde::de::IgnoredAny;
use serde_json::Value;

/// Words and calls of an answer's first alternative.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) text: String,
    pub(super) refusal: String,
    /// Function names and arguments, in order.
    pub(super) calls: Vec<(String, String)>,
    /// The numbers under which a stream speaks of them.
    numbers: Vec<u32>,
}

impl Said {
    /// Takes what an event of a stream says.
    pub(super) fn hear(&mut self, event: &Event<'_>) {
        match event {
            Event::Text { choice: 0, text } => self.text += text,
            Event::Refusal { choice: 0, text } => self.refusal += text,
            Event::ToolCallStart { choice: 0, call, name, .. } => {
                self.numbers.push(*call);
                self.calls.push((name.to_string(), String::new()));
            }
            Event::ToolCallArguments { choice: 0, call, json } => {
                let place = self.numbers.iter().position(|number| number == call);
                if let Some(found) = place.and_then(|place| self.calls.get_mut(place)) {
                    found.1 += json;
                }
            }
            _ => {}
        }
    }

    /// What a whole answer says.
    pub(super) fn of(response: &Response<'_>) -> Self {
        let mut said = Self::default();
        let first = response.choices.iter().find(|choice| choice.index == 0);
        for part in first.iter().flat_map(|choice| &choice.parts) {
            match part {
                Part::Text { text, .. } => said.text += text,
                Part::Refusal { text } => said.refusal += text,
                Part::ToolCall(call) => {
                    said.calls.push((call.name.to_string(), call.arguments.to_string()));
                }
                _ => {}
            }
        }
        said
    }

    /// Compares with what a client of a translated answer hears. Refusals are text in most
    /// formats; where they stand among other text is not compared.
    pub(super) fn assert_heard(&self, heard: &Self, has_calls: bool) {
        if self.refusal.is_empty() || self.text.is_empty() {
            let (ours, theirs) = (self.words(), heard.words());
            assert_eq!(ours, theirs, "the text changed");
        }
        // A call that was cut off or has no name has no agreed form: some formats cannot show it.
        let whole = |(name, arguments): &(String, String)| {
            let is_json = serde_json::from_str::<IgnoredAny>(arguments).is_ok();
            !name.is_empty() && (arguments.is_empty() || is_json)
        };
        if has_calls && self.calls.iter().all(whole) {
            let names = |said: &Self| -> Vec<String> {
                said.calls.iter().map(|(name, _)| name.clone()).collect()
            };
            assert_eq!(names(self), names(heard), "the tool calls changed");
            for ((name, ours), (_, theirs)) in self.calls.iter().zip(&heard.calls) {
                assert_same_arguments(name, ours, theirs);
            }
        }
    }

    fn words(&self) -> String {
        format!("{}{}", self.text, self.refusal)
    }
}

/// Arguments that are a JSON object must stay the same one; others have no agreed form.
fn assert_same_arguments(name: &str, ours: &str, theirs: &str) {
    let object = |text: &str| serde_json::from_str::<Value>(text).ok().filter(Value::is_object);
    if let Some(before) = object(ours) {
        assert_eq!(Some(&before), object(theirs).as_ref(), "arguments of {name}: {ours} {theirs}");
    }
}
