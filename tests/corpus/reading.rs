//! What an answer says, whatever format says it: the judge compares these and nothing else.

use crate::json::Json;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeMap;

/// An answer as its reader understands it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    pub choices: Vec<Choice>,
    pub usage: Counts,
    pub model: String,
    /// The answer is an error inside a success.
    pub error: Option<String>,
}

/// Token counts by their canonical names; what was not said is not there.
pub type Counts = BTreeMap<&'static str, u64>;

/// One alternative.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    pub text: String,
    pub refusal: String,
    pub reasoning: String,
    pub calls: Vec<Call>,
    pub finish: Finish,
    /// Web sources: address, title.
    pub sources: Vec<(String, String)>,
    /// Base64 of the pictures the model made.
    pub images: Vec<String>,
    /// What a spoken answer says.
    pub transcript: String,
    /// Signatures and encrypted reasoning, in order.
    pub signatures: Vec<String>,
    /// Those on what becomes text of another shape: they may be lost with it.
    pub loose_signatures: Vec<String>,
    /// Tokens with their log probabilities.
    pub logprobs: Vec<String>,
}

/// A tool call of the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Empty where the format's answer has none.
    pub id: String,
    pub name: String,
    pub arguments: Arguments,
}

/// Arguments of a call, brought to one form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arguments {
    pub value: Json,
    /// The text was no JSON, as in a truncated answer.
    pub torn: bool,
}

impl Arguments {
    /// From the text of a JSON value.
    pub fn from_text(text: &str) -> Self {
        match Json::parse(text) {
            Some(value) => Self::from_value(&value),
            None if text.trim().is_empty() => Self::from_value(&Json::Null),
            None => {
                let mut value = Json::Null;
                value.set("__raw_arguments", text.into());
                Self { value, torn: true }
            }
        }
    }

    pub fn from_value(value: &Json) -> Self {
        let value = match value {
            Json::Object(_) => value.clone(),
            Json::Null => Json::Object(Vec::new()),
            Json::Text(text) if text == "null" => Json::Object(Vec::new()),
            other => {
                let mut wrapped = Json::Null;
                wrapped.set("value", other.clone());
                wrapped
            }
        };
        let torn = matches!(value.members(), [(key, _)] if key == "__raw_arguments");
        Self { value, torn }
    }

    /// The text of a free-form tool.
    pub fn from_input(input: &str) -> Self {
        let mut value = Json::Null;
        value.set("input", input.into());
        Self { value, torn: false }
    }
}

/// Why an answer ended, in the canonical words.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Finish {
    #[default]
    Missing,
    Stop,
    Length,
    ToolCalls,
    Filter,
    Error,
}

impl Choice {
    /// Notes a signature, if there is one.
    pub fn sign(&mut self, mark: &Json) {
        self.signatures.extend(mark.str().filter(|mark| !mark.is_empty()).map(bare_signature));
    }

    /// The table's rule: calls make it a tool stop, unless the answer was cut or withheld.
    pub fn settle(mut self) -> Self {
        match self.finish {
            Finish::Stop | Finish::Missing | Finish::Error if !self.calls.is_empty() => {
                self.finish = Finish::ToolCalls;
            }
            Finish::Missing => self.finish = Finish::Stop,
            Finish::ToolCalls if self.calls.is_empty() => self.finish = Finish::Stop,
            _ => {}
        }
        self
    }

    /// Everything a reader sees as the answer's words.
    pub fn words(&self) -> String {
        [self.text.as_str(), &self.refusal].concat()
    }
}

/// A signature as its maker wrote it: the gateway packs a foreign one with the name of its maker
/// into base64, because a client's format has one place for signatures and no word for makers.
pub fn bare_signature(mark: &str) -> String {
    let unpacked = || {
        let plain = STANDARD.decode(mark).ok()?;
        let plain = String::from_utf8(plain).ok()?;
        let rest = plain.strip_prefix("arouter-sig-1\n")?;
        Some(rest.splitn(4, '\n').nth(3)?.to_owned())
    };
    unpacked().unwrap_or_else(|| mark.to_owned())
}

#[test]
fn packed_signatures_are_read_as_their_makers_wrote_them() {
    let packed = STANDARD.encode("arouter-sig-1\ne\nmaker-v1\ncall_1\nab\ncd");
    assert_eq!(bare_signature(&packed), "ab\ncd");
    assert_eq!(bare_signature("EqQBCkYIBxgCKkA"), "EqQBCkYIBxgCKkA");
}

#[test]
fn arguments_come_to_one_form() {
    for nothing in ["", "null", "\"null\"", "{}", "  "] {
        assert_eq!(Arguments::from_text(nothing).value.to_string(), "{}", "{nothing}");
    }
    assert_eq!(Arguments::from_text("3").value.to_string(), r#"{"value":3}"#);
    let torn = Arguments::from_text("{\"a\":");
    assert!(torn.torn && torn.value.to_string() == r#"{"__raw_arguments":"{\"a\":"}"#);
    assert!(Arguments::from_value(&torn.value).torn);
    assert_ne!(Arguments::from_text("{\"a\":1.0}"), Arguments::from_text("{\"a\":1}"));
}
