//! What a correct answer is. A fast proxy that answers wrongly fails the run.
//!
//! Whole answers are compared byte by byte but for `id` and `model`, which a gateway writes over;
//! if that fails, by their meaning. Streams are read event by event: every text in its order, the
//! finish, the usage and the end marker.

use memchr::memmem;
use serde_json::{Value, json};

use crate::Failure;
use crate::payload::{self, EVENTS, MODEL, OUTPUT_TOKENS, PROMPT_TOKENS};

/// A whole answer, cut where a gateway may write.
#[derive(Debug)]
pub(crate) struct Whole {
    before_id: String,
    between: String,
    after_model: String,
}

impl Whole {
    /// The answer of the upstream.
    pub(crate) fn new() -> Result<Self, Failure> {
        let answer = payload::answer();
        let (before_id, rest) = answer.split_once(payload::ANSWER_ID).ok_or("no id")?;
        let (between, after_model) = rest.split_once(MODEL).ok_or("no model")?;
        Ok(Self {
            before_id: before_id.into(),
            between: between.into(),
            after_model: after_model.into(),
        })
    }

    /// Checks one answer.
    pub(crate) fn check(&self, body: &[u8]) -> Result<(), Failure> {
        if self.is_same_text(body) || has_same_meaning(body) {
            return Ok(());
        }
        Err(format!("wrong answer: {}", String::from_utf8_lossy(body)).into())
    }

    fn is_same_text(&self, body: &[u8]) -> bool {
        let rest = body.strip_prefix(self.before_id.as_bytes()).unwrap_or_default();
        let rest = skip_word(rest).strip_prefix(self.between.as_bytes()).unwrap_or_default();
        skip_word(rest) == self.after_model.as_bytes()
    }
}

/// What follows the characters of a name.
fn skip_word(bytes: &[u8]) -> &[u8] {
    let end = memchr::memchr(b'"', bytes).unwrap_or(bytes.len());
    bytes.get(end..).unwrap_or_default()
}

fn has_same_meaning(body: &[u8]) -> bool {
    let Ok(found) = serde_json::from_slice::<Value>(body) else { return false };
    let at = |pointer| found.pointer(pointer);
    at("/choices/0/message/content") == Some(&json!(payload::answer_text()))
        && at("/choices/0/finish_reason") == Some(&json!("stop"))
        && at("/usage/prompt_tokens") == Some(&json!(PROMPT_TOKENS))
        && at("/usage/completion_tokens") == Some(&json!(OUTPUT_TOKENS))
}

/// The words by which a format's events are recognised.
#[derive(Debug)]
struct Spelling {
    text: &'static str,
    finish: &'static str,
    usage: String,
    end: &'static str,
}

/// Reader of streams.
#[derive(Debug)]
pub(crate) struct Events {
    words: Vec<String>,
    spelling: Spelling,
}

/// What was read of one stream.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Text events.
    pub(crate) texts: usize,
    finished: bool,
    counted: bool,
    ended: bool,
}

impl Events {
    /// Reads OpenAI's format.
    pub(crate) fn openai() -> Self {
        let spelling = Spelling {
            text: "\"content\":\"",
            finish: "\"finish_reason\":\"stop\"",
            usage: format!("\"completion_tokens\":{OUTPUT_TOKENS}"),
            end: "data: [DONE]",
        };
        Self { words: payload::words(), spelling }
    }

    /// Reads Anthropic's format.
    pub(crate) fn anthropic() -> Self {
        let spelling = Spelling {
            text: "\"text\":\"",
            finish: "\"stop_reason\":\"end_turn\"",
            usage: format!("\"output_tokens\":{OUTPUT_TOKENS}"),
            end: "event: message_stop",
        };
        Self { words: payload::words(), spelling }
    }

    /// Reads the whole events in `bytes`, removes them, and returns how many texts there were.
    pub(crate) fn take(
        &self,
        bytes: &mut Vec<u8>,
        progress: &mut Progress,
    ) -> Result<usize, Failure> {
        let before = progress.texts;
        let mut from = 0;
        while let Some(length) = memmem::find(bytes.get(from..).unwrap_or_default(), b"\n\n") {
            let event = bytes.get(from..from + length).unwrap_or_default();
            self.read(event, progress)?;
            from += length + 2;
        }
        bytes.drain(..from);
        Ok(progress.texts - before)
    }

    fn read(&self, event: &[u8], progress: &mut Progress) -> Result<(), Failure> {
        if event.first() == Some(&b':') {
            return Ok(());
        }
        let has = |word: &str| memmem::find(event, word.as_bytes()).is_some();
        if let Some(at) = memmem::find(event, self.spelling.text.as_bytes()) {
            let text = event.get(at + self.spelling.text.len()..).unwrap_or_default();
            let text = text.get(..memchr::memchr(b'"', text).unwrap_or(0)).unwrap_or_default();
            if !text.is_empty() {
                if self.words.get(progress.texts).map(String::as_bytes) != Some(text) {
                    return Err(format!("wrong text: {}", String::from_utf8_lossy(event)).into());
                }
                progress.texts += 1;
                return Ok(());
            }
        }
        progress.finished |= has(self.spelling.finish);
        progress.counted |= has(&self.spelling.usage);
        progress.ended |= has(self.spelling.end);
        Ok(())
    }
}

impl Progress {
    /// Checks that nothing was missing.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        if self.texts == EVENTS && self.finished && self.counted && self.ended {
            return Ok(());
        }
        Err(format!("incomplete stream: {self:?}").into())
    }
}
