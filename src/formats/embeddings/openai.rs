//! OpenAI's side: what a client may ask, and providers that speak the same format.

use super::{Encoding, Expected, Members, Prepared};
use crate::chat::Usage;
use crate::formats::charge::{Charge, Sides};
use crate::formats::{EncodedRequest, FormatError, StreamFault};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// As many inputs as OpenAI takes.
const MAX_INPUTS: usize = 2048;
const BYTES_PER_TOKEN: usize = 4;

/// Members that speak to the gateway, never to a provider.
const FOR_THE_GATEWAY: [&str; 8] =
    ["provider", "models", "route", "transforms", "plugins", "preset", "session_id", "trace"];

const INPUT_FORMS: &str =
    "input must be a string, a list of strings, a list of token ids, or a list of such lists";

/// A checked request.
pub(super) struct Request<'a> {
    pub(super) input: Input<'a>,
    pub(super) encoding: Encoding,
    pub(super) dimensions: Option<u64>,
    pub(super) input_type: Option<Cow<'a, str>>,
    /// Names of members besides those above and `model`, without those for the gateway.
    pub(super) others: Vec<Cow<'a, str>>,
}

/// What to embed.
#[derive(Debug)]
pub(super) enum Input<'a> {
    Texts(Vec<Text<'a>>),
    TokenLists(Vec<Vec<u32>>),
}

#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

pub(super) fn encode(body: &Bytes, model: &str) -> Result<Prepared, FormatError> {
    let members = members(body)?;
    let request = Request::check(&members)?;
    let kept = members.0.iter().filter(|(name, _)| !FOR_THE_GATEWAY.contains(&name.as_ref()));
    let model = model_text(model)?;
    let body = write(kept, &[("model", &model)], body.len());
    let expected = request.expected();
    Ok(Prepared { request: EncodedRequest { body, dropped: Vec::new() }, expected })
}

pub(super) fn relay(
    body: &Bytes,
    model: &str,
    charge_of: impl Fn(Usage) -> Option<Charge>,
) -> Result<(Bytes, Usage), StreamFault> {
    #[derive(Default, Deserialize)]
    struct Reported {
        prompt_tokens: Option<u64>,
        total_tokens: Option<u64>,
    }
    let malformed = |_| StreamFault::Malformed("not an embeddings object".into());
    let members = Members::read(body).map_err(malformed)?;
    if members.get("data").is_none() {
        return Err(StreamFault::Malformed("an embeddings answer without data".into()));
    }
    let reported = members.get("usage");
    let reported: Reported =
        reported.and_then(|usage| serde_json::from_str(usage.get()).ok()).unwrap_or_default();
    let prompt = reported.prompt_tokens.or(reported.total_tokens);
    let usage = Usage { prompt, completion: prompt.map(|_| 0), ..Usage::default() };
    let model = serde_json::to_string(model).map_err(malformed)?;
    let told = members
        .get("usage")
        .and_then(|stated| charge_of(usage)?.told_in(stated.get().as_bytes(), Sides::Chat));
    let told = told.as_deref().and_then(|usage| std::str::from_utf8(usage).ok());
    let mut others = vec![("model", model.as_str())];
    others.extend(told.map(|told| ("usage", told)));
    Ok((write(members.0.iter(), &others, body.len()), usage))
}

/// Reads the members of the client's body.
pub(super) fn members(body: &[u8]) -> Result<Members<'_>, FormatError> {
    Members::read(body)
        .map_err(|error| FormatError::whole(format!("the body is not a JSON object: {error}")))
}

impl<'a> Request<'a> {
    /// Checks the members that matter to every provider.
    pub(super) fn check(members: &Members<'a>) -> Result<Self, FormatError> {
        let input = members.get("input");
        let input = input.ok_or_else(|| FormatError::field("input", "input is missing"))?;
        let encoding = match members.get("encoding_format").map(RawValue::get) {
            None | Some("\"float\"") => Encoding::Float,
            Some("\"base64\"") => Encoding::Base64,
            Some(_) => {
                let message = "encoding_format must be \"float\" or \"base64\"";
                return Err(FormatError::field("encoding_format", message));
            }
        };
        let dimensions = members.get("dimensions").map(|value| {
            let number = serde_json::from_str::<u64>(value.get()).ok().filter(|n| *n > 0);
            number.ok_or_else(|| {
                FormatError::field("dimensions", "dimensions must be a positive integer")
            })
        });
        let input_type = members.get("input_type").map(|value| {
            serde_json::from_str::<Text<'a>>(value.get())
                .map(|text| text.0)
                .map_err(|_| FormatError::field("input_type", "input_type must be a string"))
        });
        let known = ["model", "input", "encoding_format", "dimensions", "input_type"];
        let names = members.0.iter().filter(|(_, value)| value.get() != "null");
        let names = names.map(|(name, _)| name).filter(|name| {
            !known.contains(&name.as_ref()) && !FOR_THE_GATEWAY.contains(&name.as_ref())
        });
        Ok(Self {
            input: Input::check(input.get())?,
            encoding,
            dimensions: dimensions.transpose()?,
            input_type: input_type.transpose()?,
            others: names.cloned().collect(),
        })
    }

    /// What the answer must look like.
    pub(super) fn expected(&self) -> Expected {
        let (inputs, tokens) = match &self.input {
            Input::Texts(texts) => {
                let tokens = texts.iter().map(|text| text.0.len().div_ceil(BYTES_PER_TOKEN));
                (texts.len(), tokens.sum::<usize>())
            }
            Input::TokenLists(lists) => (lists.len(), lists.iter().map(Vec::len).sum()),
        };
        let estimated_tokens = u64::try_from(tokens).unwrap_or(u64::MAX);
        Expected { inputs, encoding: self.encoding, estimated_tokens }
    }
}

impl<'a> Input<'a> {
    /// The form follows from the first characters, so that nothing is read twice.
    fn check(json: &'a str) -> Result<Self, FormatError> {
        let wrong = |_| FormatError::field("input", INPUT_FORMS);
        let inside = json.strip_prefix('[').map(str::trim_start);
        let input = match (json.bytes().next(), inside.and_then(|rest| rest.bytes().next())) {
            (Some(b'"'), _) => Self::Texts(vec![serde_json::from_str(json).map_err(wrong)?]),
            (_, Some(b'"')) => Self::Texts(serde_json::from_str(json).map_err(wrong)?),
            (_, Some(b'[')) => Self::TokenLists(serde_json::from_str(json).map_err(wrong)?),
            (_, Some(b']')) => {
                return Err(FormatError::field("input", "input must not be an empty list"));
            }
            (_, Some(_)) => Self::TokenLists(vec![serde_json::from_str(json).map_err(wrong)?]),
            _ => return Err(FormatError::field("input", INPUT_FORMS)),
        };
        input.check_items()?;
        Ok(input)
    }

    fn check_items(&self) -> Result<(), FormatError> {
        let (count, empty) = match self {
            Self::Texts(texts) => (texts.len(), texts.iter().position(|text| text.0.is_empty())),
            Self::TokenLists(lists) => (lists.len(), lists.iter().position(Vec::is_empty)),
        };
        if count > MAX_INPUTS {
            let message = format!("input has {count} items, more than {MAX_INPUTS}");
            return Err(FormatError::field("input", message));
        }
        match empty {
            Some(at) => Err(FormatError::field(
                if count == 1 { "input".to_owned() } else { format!("input[{at}]") },
                "an input must not be empty",
            )),
            None => Ok(()),
        }
    }
}

fn model_text(model: &str) -> Result<String, FormatError> {
    serde_json::to_string(model).map_err(|_| FormatError::field("model", "unwritable model name"))
}

/// Writes the members, with the values of `others` in the place of their own or at the end.
fn write<'m>(
    members: impl Iterator<Item = &'m (Cow<'m, str>, &'m RawValue)>,
    others: &[(&str, &str)],
    size: usize,
) -> Bytes {
    let longer: usize = others.iter().map(|(_, json)| json.len()).sum();
    let mut out = String::with_capacity(size + longer);
    out.push('{');
    let mut missing = others.to_vec();
    for (name, value) in members {
        let other = missing.iter().position(|(other, _)| other == name);
        let json = other.map_or(value.get(), |at| missing.swap_remove(at).1);
        push_member(&mut out, name, json);
    }
    for (name, json) in missing {
        push_member(&mut out, name, json);
    }
    out.push('}');
    Bytes::from(out)
}

fn push_member(out: &mut String, name: &str, json: &str) {
    if out.len() > 1 {
        out.push(',');
    }
    // Writing text as JSON cannot fail.
    out.push_str(&serde_json::to_string(name).unwrap_or_default());
    out.push(':');
    out.push_str(json);
}
