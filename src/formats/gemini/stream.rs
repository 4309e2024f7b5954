//! Gemini's stream, event by event, in neutral terms; `encoder` writes one.
//!
//! Each event is a whole `GenerateContentResponse` with the newest parts. Gemini has no end marker
//! and may name a finish reason before the last event, so that the end is told only when the
//! provider closes the stream: with a finish reason for every alternative, or truncated.

mod choice;
mod encoder;

pub use encoder::Encoder;

use super::answer::{self, PromptFeedback, Written};
use super::finish::block;
use super::names::Renamed;
use super::{error, grounding};
use crate::chat::{Event, Usage};
use crate::formats::{StreamDecoder, StreamFault};
use choice::Choice;
use std::borrow::Cow;

/// Gemini gives at most eight alternatives.
const MAX_CHOICES: usize = 32;

/// An event; its text is read when it is told.
type Answer<'a> = answer::Answer<'a, Written<'a>>;
type Sink<'s> = dyn FnMut(Event<'_>) + 's;

/// Reads one streamed answer.
#[derive(Debug, Default)]
pub struct Decoder {
    renamed: Renamed,
    started: bool,
    choices: Vec<Choice>,
    usage: Usage,
    tier: Option<Cow<'static, str>>,
}

impl Decoder {
    /// A decoder that gives changed function names back in the client's form.
    pub fn new(renamed: Renamed) -> Self {
        Self { renamed, ..Self::default() }
    }

    fn answer(&mut self, answer: Answer<'_>, sink: &mut Sink<'_>) -> Result<(), StreamFault> {
        if let Some(error) = answer.error {
            return Err(StreamFault::Upstream(error::read(error)));
        }
        if !self.started {
            self.started = true;
            let id = answer.response_id.map(|text| text.0);
            sink(Event::Start { id, model: answer.model_version.map(|text| text.0) });
        }
        if let Some(feedback) = answer.prompt_feedback {
            self.blocked(&feedback, sink)?;
        }
        let metadata = answer.usage_metadata.unwrap_or_default();
        let mut usage = metadata.counts();
        if let Some(tier) = metadata.tier().filter(|tier| self.tier.as_ref() != Some(tier)) {
            self.tier = Some(tier.clone());
            sink(Event::ServiceTier(tier));
        }
        for (position, candidate) in answer.candidates.unwrap_or_default().into_iter().enumerate() {
            let index = candidate.index.and_then(|i| usize::try_from(i).ok()).unwrap_or(position);
            let searches = candidate.grounding_metadata.as_deref();
            usage.web_searches =
                searches.and_then(grounding::Metadata::searches).or(usage.web_searches);
            let choice = choice_at(&mut self.choices, index)?;
            choice.candidate(candidate, &self.renamed, sink)?;
        }
        let mut merged = self.usage;
        merged.merge(&usage);
        if merged != self.usage {
            self.usage = merged;
            sink(Event::Usage(merged));
        }
        Ok(())
    }

    fn blocked(
        &mut self,
        feedback: &PromptFeedback<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<(), StreamFault> {
        if let Some(block) = block(feedback) {
            choice_at(&mut self.choices, 0)?.blocked(block, sink);
        }
        Ok(())
    }
}

fn choice_at(choices: &mut Vec<Choice>, index: usize) -> Result<&mut Choice, StreamFault> {
    if index >= MAX_CHOICES {
        return Err(StreamFault::Malformed("candidate index out of range".into()));
    }
    while choices.len() <= index {
        choices.push(Choice::new(u32::try_from(choices.len()).unwrap_or(u32::MAX)));
    }
    choices.get_mut(index).ok_or_else(|| StreamFault::Malformed("candidate index".into()))
}

impl StreamDecoder for Decoder {
    fn event(
        &mut self,
        _name: Option<&str>,
        data: &[u8],
        sink: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), StreamFault> {
        let data = data.trim_ascii();
        let malformed = |error: serde_json::Error| {
            // The message of the JSON reader names a position, never content.
            StreamFault::Malformed(format!("not a GenerateContentResponse: {error}").into())
        };
        match data.first() {
            None => Ok(()),
            Some(b'[') => {
                let answers: Vec<Answer<'_>> = serde_json::from_slice(data).map_err(malformed)?;
                answers.into_iter().try_for_each(|answer| self.answer(answer, sink))
            }
            Some(_) => self.answer(serde_json::from_slice(data).map_err(malformed)?, sink),
        }
    }

    fn finish(&mut self, sink: &mut dyn FnMut(Event<'_>)) -> Result<(), StreamFault> {
        if self.choices.is_empty() || !self.choices.iter().all(Choice::ended) {
            return Err(StreamFault::Truncated);
        }
        for choice in &mut self.choices {
            choice.finish(sink)?;
        }
        sink(Event::End);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
