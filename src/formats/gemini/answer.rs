//! The wire shape of a `GenerateContentResponse`, as lenient as Google's own hosts demand.
//!
//! Used by `response` and `stream`. Both spellings of every field are read, null is absent, enums
//! may be words or numbers, and text borrows from the input wherever it holds no escapes.

use crate::json::as_str_in;
use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// Text that stays borrowed inside an `Option` (serde only borrows a bare `Cow`).
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// A JSON string as it is written, for those who read it into a buffer of their own.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Written<'a>(&'a str);

impl<'a> Written<'a> {
    /// The text; `None` when an escape stands for nothing.
    pub(super) fn read<'t>(self, buffer: &'t mut String) -> Option<&'t str>
    where
        'a: 't,
    {
        as_str_in(self.0, buffer)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Written<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = <&RawValue>::deserialize(deserializer)?.get();
        if json.starts_with('"') { Ok(Self(json)) } else { Err(de::Error::custom("no string")) }
    }
}

/// An enum value: a word, or its number when the client asked for `enum-encoding=int`.
#[derive(Debug, Clone)]
pub(super) enum Word<'a> {
    Text(Cow<'a, str>),
    Number(i64),
}

impl Word<'_> {
    /// True for this word or this number.
    pub(super) fn is(&self, word: &str, number: i64) -> bool {
        match self {
            Self::Text(text) => text == word,
            Self::Number(value) => *value == number,
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Word<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WordVisitor;
        impl<'de> Visitor<'de> for WordVisitor {
            type Value = Word<'de>;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an enum word or number")
            }
            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Word<'de>, E> {
                Ok(Word::Text(Cow::Borrowed(text)))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Word<'de>, E> {
                Ok(Word::Text(Cow::Owned(text.to_owned())))
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Word<'de>, E> {
                Ok(Word::Number(number))
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Word<'de>, E> {
                Ok(Word::Number(i64::try_from(number).unwrap_or(i64::MAX)))
            }
        }
        deserializer.deserialize_any(WordVisitor)
    }
}

/// A list that almost always has one element, which then costs no allocation.
#[derive(Debug)]
pub(super) struct Few<T> {
    first: Option<T>,
    rest: Vec<T>,
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self { first: None, rest: Vec::new() }
    }
}

impl<T> IntoIterator for Few<T> {
    type Item = T;
    type IntoIter = std::iter::Chain<std::option::IntoIter<T>, std::vec::IntoIter<T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.first.into_iter().chain(self.rest)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Few<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FewVisitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for FewVisitor<T> {
            type Value = Few<T>;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a list")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Few<T>, A::Error> {
                let mut few = Few { first: list.next_element()?, rest: Vec::new() };
                while few.first.is_some()
                    && let Some(item) = list.next_element()?
                {
                    few.rest.push(item);
                }
                Ok(few)
            }
        }
        deserializer.deserialize_seq(FewVisitor(PhantomData))
    }
}

/// One answer, or one event of a stream; `T` is how the text of its parts is read. What few events
/// hold is boxed, because these values are moved often.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub(super) struct Answer<'a, T = Text<'a>> {
    #[serde(borrow)]
    pub(super) candidates: Option<Few<Candidate<'a, T>>>,
    #[serde(borrow, alias = "prompt_feedback")]
    pub(super) prompt_feedback: Option<Box<PromptFeedback<'a>>>,
    #[serde(borrow, alias = "usage_metadata")]
    pub(super) usage_metadata: Option<super::usage::Metadata<'a>>,
    #[serde(borrow, alias = "model_version")]
    pub(super) model_version: Option<Text<'a>>,
    #[serde(borrow, alias = "response_id")]
    pub(super) response_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PromptFeedback<'a> {
    #[serde(borrow, alias = "block_reason")]
    pub(super) block_reason: Option<Word<'a>>,
    #[serde(borrow, alias = "block_reason_message")]
    pub(super) block_reason_message: Option<Text<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub(super) struct Candidate<'a, T = Text<'a>> {
    pub(super) index: Option<u32>,
    #[serde(borrow)]
    pub(super) content: Option<Content<'a, T>>,
    #[serde(borrow, alias = "finish_reason")]
    pub(super) finish_reason: Option<Word<'a>>,
    #[serde(borrow, alias = "finish_message")]
    pub(super) finish_message: Option<Text<'a>>,
    #[serde(borrow, alias = "grounding_metadata")]
    pub(super) grounding_metadata: Option<Box<super::grounding::Metadata<'a>>>,
    #[serde(borrow, alias = "citation_metadata")]
    pub(super) citation_metadata: Option<Box<super::grounding::CitationMetadata<'a>>>,
    #[serde(borrow, alias = "logprobs_result")]
    pub(super) logprobs_result: Option<Box<super::logprobs::Chosen<'a>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub(super) struct Content<'a, T = Text<'a>> {
    #[serde(borrow)]
    pub(super) parts: Option<Few<Part<'a, T>>>,
}

/// A part; exactly one of the content fields is set, unknown kinds have none.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub(super) struct Part<'a, T = Text<'a>> {
    pub(super) text: Option<T>,
    pub(super) thought: Option<bool>,
    #[serde(borrow, alias = "thought_signature")]
    pub(super) thought_signature: Option<Text<'a>>,
    #[serde(borrow, alias = "function_call")]
    pub(super) function_call: Option<Box<FunctionCall<'a>>>,
    #[serde(borrow, alias = "inline_data")]
    pub(super) inline_data: Option<Box<Blob<'a>>>,
    #[serde(borrow, alias = "executable_code")]
    pub(super) executable_code: Option<Box<ExecutableCode<'a>>>,
    #[serde(borrow, alias = "code_execution_result")]
    pub(super) code_execution_result: Option<Box<CodeExecutionResult<'a>>>,
}

impl<'a, T> Part<'a, T> {
    /// Takes the signature, unless it is empty.
    pub(super) fn take_signature(&mut self) -> Option<Cow<'a, str>> {
        self.thought_signature.take().map(|text| text.0).filter(|text| !text.is_empty())
    }

    /// The text of code the model ran, or of its result, as a fenced block.
    pub(super) fn fenced(&self) -> Option<String> {
        if let Some(code) = &self.executable_code {
            let language = match &code.language {
                Some(Word::Text(word)) if word != "LANGUAGE_UNSPECIFIED" => word.to_lowercase(),
                Some(Word::Number(1)) => "python".to_owned(),
                _ => String::new(),
            };
            return Some(fence(&language, code.code.as_ref()));
        }
        let result = self.code_execution_result.as_ref()?;
        Some(fence("", result.output.as_ref()))
    }
}

/// Fences stand on lines of their own, also when the text before them has no line end.
fn fence(language: &str, body: Option<&Text<'_>>) -> String {
    let body = body.map_or("", |text| text.0.trim_end_matches('\n'));
    format!("\n```{language}\n{body}\n```\n")
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FunctionCall<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) args: Option<&'a RawValue>,
    #[serde(borrow, alias = "partial_args")]
    pub(super) partial_args: Option<Vec<super::partial_args::Piece<'a>>>,
    #[serde(alias = "will_continue")]
    pub(super) will_continue: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Blob<'a> {
    #[serde(borrow, alias = "mime_type")]
    pub(super) mime_type: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) data: Option<Text<'a>>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct ExecutableCode<'a> {
    #[serde(borrow)]
    language: Option<Word<'a>>,
    #[serde(borrow)]
    code: Option<Text<'a>>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct CodeExecutionResult<'a> {
    #[serde(borrow)]
    output: Option<Text<'a>>,
}
