//! `/v1/embeddings`: the request checked and written for the provider, the answer relayed.
//!
//! Providers of OpenAI's format get the client's own members; Gemini gets `batchEmbedContents`.
//! Vectors are long lists of numbers, so that none is parsed unless its form has to change.

mod gemini;
mod openai;

use super::charge::Charges;
use super::{ApiFormat, EncodedRequest, FormatError, Observed, StreamFault};
use crate::chat::Usage;
use bytes::Bytes;
use serde::de::{Deserializer as _, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// How the client wants its vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Lists of numbers.
    Float,
    /// Base64 of little-endian 32-bit floats.
    Base64,
}

/// What the answer to a request must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// Number of vectors.
    pub inputs: usize,
    /// Form of the vectors.
    pub encoding: Encoding,
    /// Prompt tokens by the length of the input, for providers that report none.
    pub estimated_tokens: u64,
}

/// A request for the provider, and what its answer must look like.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The request in the provider's format.
    pub request: EncodedRequest,
    /// What to give [`relay`].
    pub expected: Expected,
}

/// Checks the client's request and writes it for the provider's `model`.
pub fn encode_request(
    format: ApiFormat,
    body: &Bytes,
    model: &str,
) -> Result<Prepared, FormatError> {
    match format {
        ApiFormat::OpenAiChat | ApiFormat::OpenAiResponses => openai::encode(body, model),
        ApiFormat::Gemini => gemini::encode(body, model),
        ApiFormat::Anthropic | ApiFormat::Completions | ApiFormat::Bedrock => {
            Err(FormatError::field("model", "the provider of this model has no embeddings"))
        }
    }
}

/// Turns a provider's successful answer into the client's, with `model` as the model's name. The
/// usage is what the provider reported; when it reported none, the body of a provider that has no
/// such member shows what is charged for, or the estimate. The cost is told in usage that is there.
pub fn relay(
    format: ApiFormat,
    body: Bytes,
    expected: Expected,
    (model, charges): (&str, Option<&dyn Charges>),
) -> Result<(Bytes, Usage), StreamFault> {
    let charge_of = |usage: Usage| charges.map(|known| known.charge(&Observed::counted(usage)));
    match format {
        ApiFormat::OpenAiChat | ApiFormat::OpenAiResponses => {
            openai::relay(&body, model, charge_of)
        }
        ApiFormat::Gemini => gemini::relay(body, expected, (model, charge_of)),
        ApiFormat::Anthropic | ApiFormat::Completions | ApiFormat::Bedrock => {
            Err(StreamFault::Malformed("this format has no embeddings".into()))
        }
    }
}

/// The members of a JSON object in order, values as they are written.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Members<'a> {
    /// Reads an object; a member that is given twice is an error.
    fn read(body: &'a [u8]) -> Result<Self, serde_json::Error> {
        let mut deserializer = serde_json::Deserializer::from_slice(body);
        let members = deserializer.deserialize_map(MembersVisitor)?;
        deserializer.end()?;
        Ok(members)
    }

    /// The member's value; null counts as absent.
    fn get(&self, name: &str) -> Option<&'a RawValue> {
        let (_, value) = self.0.iter().find(|(key, _)| key == name)?;
        (value.get() != "null").then_some(*value)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
        let mut members: Vec<(Cow<'de, str>, &'de RawValue)> = Vec::new();
        while let Some(key) = map.next_key::<Key<'de>>()? {
            if members.iter().any(|(known, _)| *known == key.0) {
                return Err(A::Error::custom("a member is given twice"));
            }
            members.push((key.0, map.next_value()?));
        }
        Ok(Members(members))
    }
}

#[derive(serde::Deserialize)]
#[serde(transparent)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests;
