//! The ordinary chunk, of which a stream is made: one alternative that says one thing.
//!
//! Used by the stream decoder before anything else, and without allocation: strings stay as they
//! are written. Whatever else a chunk holds makes it no ordinary one, and it is read as a tree;
//! the two ways tell the same of what both can read.

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;
use std::marker::PhantomData;

/// What an ordinary chunk says.
#[derive(Debug)]
pub(super) struct Said<'a> {
    pub(super) choice: u32,
    /// A tier is named.
    pub(super) has_tier: bool,
    pub(super) thing: Thing,
    /// Its text as a JSON string; `""` when nothing is said.
    pub(super) text: &'a str,
}

/// What kind of text it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Thing {
    Text,
    Refusal,
    Reasoning,
    /// Arguments of the tool call with the provider's index.
    Arguments(u64),
}

/// Reads an ordinary chunk; `None` when it is anything else.
pub(super) fn read(json: &[u8]) -> Option<Said<'_>> {
    let json = std::str::from_utf8(json).ok()?;
    let chunk: Chunk<'_> = serde_json::from_str(json).ok()?;
    let Choice { index, delta, message, .. } = chunk.choices.0?;
    if delta.is_none() && message.is_some() {
        return None;
    }
    let delta = delta.unwrap_or_default();
    let call = match delta.tool_calls.and_then(|calls| calls.0) {
        Some(Call { index, function, .. }) => {
            Some((index?, string(function.and_then(|function| function.arguments))?))
        }
        None => None,
    };
    let texts = [
        (Thing::Reasoning, string(delta.reasoning_content.or(delta.reasoning))?),
        (Thing::Text, string(delta.content)?),
        (Thing::Refusal, string(delta.refusal)?),
    ];
    let mut said = texts.into_iter().filter(|(_, text)| *text != EMPTY);
    let (thing, text) = match (said.next(), call) {
        (None, None) => (Thing::Text, EMPTY),
        (Some(said), None) => said,
        (None, Some((index, arguments))) => (Thing::Arguments(index), arguments),
        (Some(_), Some(_)) => return None,
    };
    let has_tier = chunk.service_tier.is_some();
    let choice = index.unwrap_or(0);
    said.next().is_none().then_some(Said { choice, has_tier, thing, text })
}

/// A JSON string that says nothing.
const EMPTY: &str = "\"\"";

/// The string as it is written; `None` when the value is none. Nothing says nothing.
fn string(value: Option<&RawValue>) -> Option<&str> {
    let text = value.map_or(EMPTY, RawValue::get);
    text.starts_with('"').then_some(text)
}

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow)]
    choices: Few<Choice<'a>>,
    service_tier: Option<IgnoredAny>,
    #[serde(rename = "error")]
    _error: Option<Never>,
    #[serde(rename = "usage")]
    _usage: Option<Never>,
    #[serde(rename = "x_groq")]
    _x_groq: Option<Never>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    index: Option<u32>,
    #[serde(borrow)]
    delta: Option<Delta<'a>>,
    message: Option<IgnoredAny>,
    #[serde(rename = "finish_reason")]
    _finish_reason: Option<Never>,
    #[serde(rename = "logprobs")]
    _logprobs: Option<Never>,
}

#[derive(Default, Deserialize)]
struct Delta<'a> {
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    refusal: Option<&'a RawValue>,
    #[serde(borrow)]
    reasoning_content: Option<&'a RawValue>,
    #[serde(borrow)]
    reasoning: Option<&'a RawValue>,
    #[serde(borrow)]
    tool_calls: Option<Few<Call<'a>>>,
    #[serde(rename = "function_call")]
    _function_call: Option<Never>,
    #[serde(rename = "reasoning_details")]
    _reasoning_details: Option<[Never; 0]>,
    #[serde(rename = "annotations")]
    _annotations: Option<[Never; 0]>,
    #[serde(rename = "images")]
    _images: Option<[Never; 0]>,
    #[serde(rename = "audio")]
    _audio: Option<Never>,
}

/// A piece of a tool call; the name and the id are of interest only before it is announced.
#[derive(Deserialize)]
struct Call<'a> {
    index: Option<u64>,
    #[serde(borrow)]
    function: Option<Function<'a>>,
    #[serde(rename = "custom")]
    _custom: Option<Never>,
}

#[derive(Deserialize)]
struct Function<'a> {
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
}

/// A value that makes the chunk no ordinary one.
enum Never {}

impl<'de> Deserialize<'de> for Never {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(D::Error::custom("no ordinary chunk"))
    }
}

/// A list of one element or none.
struct Few<T>(Option<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Few<T> {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_seq(FewVisitor(PhantomData))
    }
}

struct FewVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for FewVisitor<T> {
    type Value = Few<T>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of one element")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Few<T>, A::Error> {
        let first = list.next_element()?;
        if first.is_some() && list.next_element::<Never>()?.is_some() {
            return Err(A::Error::custom("several elements"));
        }
        Ok(Few(first))
    }
}
