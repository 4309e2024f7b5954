//! What an answer says, summed up so that two ways of saying it can be compared. For tests.

use super::stream::Decoder;
use crate::chat::event::Event;
use crate::chat::message::{Part, ReasoningKind};
use crate::chat::{Response, Usage};
use crate::formats::{StreamDecoder, StreamFault};

/// Everything an answer said.
#[derive(Debug, Default, PartialEq)]
pub(in crate::formats) struct Heard {
    pub(in crate::formats) text: String,
    pub(in crate::formats) refusal: String,
    pub(in crate::formats) reasoning: String,
    pub(in crate::formats) summary: String,
    pub(in crate::formats) signatures: Vec<String>,
    /// Id, name, arguments, whether free-form.
    pub(in crate::formats) calls: Vec<(String, String, String, bool)>,
    pub(in crate::formats) images: usize,
    pub(in crate::formats) citations: Vec<(String, u64, u64)>,
    pub(in crate::formats) usage: Usage,
    pub(in crate::formats) finish: Option<&'static str>,
}

impl Heard {
    fn reasoning(&mut self, kind: ReasoningKind, text: &str) {
        match kind {
            ReasoningKind::Summary => self.summary.push_str(text),
            _ => self.reasoning.push_str(text),
        }
    }

    /// Without what a translated answer does not say, and with the count it always states.
    pub(in crate::formats) fn without_searches(mut self) -> Self {
        self.usage.web_searches = None;
        if !self.usage.is_missing() {
            self.usage.cache_write_5m.get_or_insert(0);
        }
        self
    }

    /// Of a whole answer.
    pub(in crate::formats) fn whole(response: &Response<'_>) -> Self {
        let choice = &response.choices[0];
        let mut heard =
            Self { usage: response.usage, finish: Some(choice.finish.as_str()), ..Self::default() };
        for part in &choice.parts {
            match part {
                Part::Text { text, .. } => heard.text.push_str(text),
                Part::Refusal { text } => heard.refusal.push_str(text),
                Part::Reasoning(piece) => {
                    heard.reasoning(piece.kind, &piece.text);
                    heard.signatures.extend(piece.signature.as_deref().map(str::to_owned));
                }
                Part::ToolCall(call) => {
                    let words = [&call.id, &call.name, &call.arguments].map(ToString::to_string);
                    let [id, name, arguments] = words;
                    heard.calls.push((id, name, arguments, call.custom));
                }
                Part::Image { .. } => heard.images += 1,
                other => panic!("unexpected {other:?}"),
            }
        }
        let cited = |c: &crate::chat::response::Citation<'_>| (c.url.to_string(), c.start, c.end);
        heard.citations = choice.citations.iter().map(cited).collect();
        heard
    }

    /// Of a stream's events; checks their order.
    pub(in crate::formats) fn stream(events: &[String]) -> Result<Self, StreamFault> {
        let mut heard = Self::default();
        let mut state = Order::default();
        let mut decoder = Decoder::default();
        let mut sink = |event: Event<'_>| {
            state.check(&event);
            heard.event(event);
        };
        for event in events {
            decoder.event(None, event.as_bytes(), &mut sink)?;
        }
        decoder.finish(&mut sink)?;
        assert!(state.ended && state.open.is_empty());
        Ok(heard)
    }

    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Text { text, .. } => self.text.push_str(&text),
            Event::Refusal { text, .. } => self.refusal.push_str(&text),
            Event::Reasoning { text, kind, .. } => self.reasoning(kind, &text),
            Event::ReasoningSignature { data, .. } => self.signatures.push(data.into_owned()),
            Event::ToolCallStart { id, name, custom, .. } => {
                self.calls.push((id.into_owned(), name.into_owned(), String::new(), custom));
            }
            Event::ToolCallArguments { call, json, .. } => {
                self.calls[call as usize].2.push_str(&json);
            }
            Event::ToolCallEnd { call, .. } => {
                let (.., arguments, custom) = &mut self.calls[call as usize];
                if arguments.is_empty() && !*custom {
                    arguments.push_str("{}");
                }
            }
            Event::Image { .. } => self.images += 1,
            Event::Citations { citations, .. } => {
                let cited = citations.iter().map(|c| (c.url.to_string(), c.start, c.end));
                self.citations.extend(cited);
            }

            Event::Usage(usage) => self.usage = usage,
            Event::Finish { reason, .. } => self.finish = Some(reason.as_str()),
            Event::Start { .. } | Event::Logprobs { .. } | Event::ServiceTier(_) | Event::End => {}
            other => panic!("unexpected {other:?}"),
        }
    }
}

/// The promised order of events.
#[derive(Default)]
struct Order {
    started: bool,
    open: Vec<u32>,
    calls: u32,
    finished: bool,
    ended: bool,
}

impl Order {
    fn check(&mut self, event: &Event<'_>) {
        assert_eq!(self.started, !matches!(event, Event::Start { .. }), "{event:?}");
        assert!(!self.ended, "{event:?}");
        self.started = true;
        match event {
            Event::ToolCallStart { call, .. } => {
                assert_eq!(*call, self.calls);
                self.calls += 1;
                self.open.push(*call);
            }
            Event::ToolCallArguments { call, .. } => assert!(self.open.contains(call)),
            Event::ToolCallEnd { call, .. } => {
                assert!(self.open.contains(call));
                self.open.retain(|open| open != call);
            }
            Event::Finish { .. } => {
                assert!(self.open.is_empty() && !self.finished);
                self.finished = true;
            }
            Event::End => self.ended = true,
            _ => {}
        }
    }
}
