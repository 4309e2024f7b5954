//! What an answer costs its caller, told inside `usage` in OpenAI's formats.
//!
//! Written by the encoders and into answers that pass through; the amounts come from whoever
//! made the [`AnswerLabel`](super::AnswerLabel), formats know no prices. In an answer that passes
//! through only the values of these members change or are added: what a provider says of its own
//! price is not what the caller pays. Anthropic's and Google's formats have no such members.

use super::Observed;
use crate::chat::Usage;
use crate::json::Members;
use crate::money::PicoUsd;
use bytes::{BufMut, Bytes, BytesMut};
use std::fmt::Debug;
use std::ops::Range;

/// What an answer comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge {
    /// The tokens that are charged for, estimated where the provider said nothing.
    pub usage: Usage,
    /// All of it.
    pub total: PicoUsd,
    /// The prompt.
    pub prompt: PicoUsd,
    /// The answer.
    pub completion: PicoUsd,
    /// Whether the caller pays the provider itself.
    pub is_byok: bool,
}

/// Knows what the caller is charged for an answer.
pub trait Charges: Debug + Send + Sync {
    /// The charge for what was seen, if the answer ends well with that.
    fn charge(&self, observed: &Observed) -> Charge;
}

/// How a format calls the two sides of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sides {
    /// Prompt and completions.
    Chat,
    /// Input and output.
    Responses,
}

/// The members in the order they are written.
const NAMES: [&str; 3] = ["cost", "is_byok", "cost_details"];

impl Charge {
    /// Appends the members, each after a comma, to an object that has others.
    pub(super) fn write(&self, sides: Sides, out: &mut BytesMut) {
        for name in NAMES {
            out.put_u8(b',');
            self.write_member(name, sides, out);
        }
    }

    fn write_member(&self, name: &str, sides: Sides, out: &mut BytesMut) {
        out.put_u8(b'"');
        out.put_slice(name.as_bytes());
        out.put_slice(b"\":");
        out.put_slice(self.value(name, sides).as_bytes());
    }

    fn value(&self, name: &str, sides: Sides) -> String {
        match name {
            "cost" => self.total.to_string(),
            "is_byok" => self.is_byok.to_string(),
            _ => {
                let (input, output) = match sides {
                    Sides::Chat => ("prompt", "completions"),
                    Sides::Responses => ("input", "output"),
                };
                // The provider's own bill is the caller's only where the caller's key was used.
                let upstream = self.is_byok.then(|| self.total.to_string());
                format!(
                    r#"{{"upstream_inference_cost":{},"upstream_inference_{input}_cost":{},"upstream_inference_{output}_cost":{}}}"#,
                    upstream.as_deref().unwrap_or("null"),
                    self.prompt,
                    self.completion,
                )
            }
        }
    }

    /// The provider's usage with these members: values it wrote itself are written over where
    /// they stand, the others follow the last member. `None` for anything but an object.
    pub(super) fn told_in(&self, usage: &[u8], sides: Sides) -> Option<Bytes> {
        let mut out = BytesMut::with_capacity(usage.len() + 256);
        let mut members = Members::new(usage)?;
        let mut missing = NAMES.to_vec();
        let mut from = 0;
        let mut end = usage.iter().position(|&byte| byte == b'{')? + 1;
        let opening = end;
        for member in &mut members {
            end = member.value.end;
            let Some(name) = NAMES.iter().find(|name| name.as_bytes() == member.key) else {
                continue;
            };
            missing.retain(|other| other != name);
            out.put_slice(usage.get(from..member.value.start)?);
            out.put_slice(self.value(name, sides).as_bytes());
            from = end;
        }
        if members.is_broken() {
            return None;
        }
        out.put_slice(usage.get(from..end)?);
        let mut follows = end > opening;
        for name in missing {
            if std::mem::replace(&mut follows, true) {
                out.put_u8(b',');
            }
            self.write_member(name, sides, &mut out);
        }
        out.put_slice(usage.get(end..)?);
        Some(out.freeze())
    }
}

/// `bytes` with other ones at `place`.
pub(super) fn replaced(bytes: &[u8], place: Range<usize>, other: &[u8]) -> Bytes {
    let before = bytes.get(..place.start).unwrap_or_default();
    let after = bytes.get(place.end..).unwrap_or_default();
    Bytes::from([before, other, after].concat())
}

#[cfg(test)]
pub(super) mod tests;
