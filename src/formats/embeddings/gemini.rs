//! Gemini's `batchEmbedContents`.

use super::openai::{Input, Request, members};
use super::{Encoding, Expected, Prepared};
use crate::chat::Usage;
use crate::formats::charge::{Charge, Sides};
use crate::formats::{EncodedRequest, FormatError, StreamFault};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

#[derive(Serialize)]
struct Batch<'r> {
    requests: Vec<Item<'r>>,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Item<'r> {
    model: &'r str,
    content: Content<'r>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_dimensionality: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task_type: Option<&'static str>,
}

#[derive(Clone, Serialize)]
struct Content<'r> {
    parts: [TextPart<'r>; 1],
}

#[derive(Clone, Serialize)]
struct TextPart<'r> {
    text: &'r str,
}

pub(super) fn encode(body: &Bytes, model: &str) -> Result<Prepared, FormatError> {
    let members = members(body)?;
    let request = Request::check(&members)?;
    let Input::Texts(texts) = &request.input else {
        return Err(FormatError::field("input", "this provider takes text, not token ids"));
    };
    let mut dropped: Vec<Cow<'static, str>> =
        request.others.iter().map(|name| Cow::Owned(name.clone().into_owned())).collect();
    let task_type = request.input_type.as_deref().and_then(|word| {
        let known = task_type(word);
        if known.is_none() {
            dropped.push("input_type".into());
        }
        known
    });
    let path = if model.contains('/') { model.to_owned() } else { format!("models/{model}") };
    let item = |text| Item {
        model: &path,
        content: Content { parts: [TextPart { text }] },
        output_dimensionality: request.dimensions,
        task_type,
    };
    let batch = Batch { requests: texts.iter().map(|text| item(&text.0)).collect() };
    let body = serde_json::to_vec(&batch)
        .map_err(|_| FormatError::whole("the request cannot be written for this provider"))?;
    let request_for_provider = EncodedRequest { body: Bytes::from(body), dropped };
    Ok(Prepared { request: request_for_provider, expected: request.expected() })
}

fn task_type(word: &str) -> Option<&'static str> {
    Some(match word {
        "search_query" | "query" => "RETRIEVAL_QUERY",
        "search_document" | "document" | "passage" => "RETRIEVAL_DOCUMENT",
        "classification" => "CLASSIFICATION",
        "clustering" => "CLUSTERING",
        "semantic_similarity" => "SEMANTIC_SIMILARITY",
        _ => return None,
    })
}

/// The answer, with vectors in the form `V`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "V: Deserialize<'de>"))]
struct Answer<V> {
    embeddings: Option<Vec<Vector<V>>>,
    /// Instead of the list in answers to a single text.
    embedding: Option<Vector<V>>,
    #[serde(alias = "usage_metadata")]
    usage_metadata: Option<Counts>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "V: Deserialize<'de>"))]
struct Vector<V> {
    values: V,
}

/// Usage as embedding models report it; they have no other counts.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Counts {
    #[serde(alias = "prompt_token_count")]
    prompt_token_count: Option<u64>,
    #[serde(alias = "total_token_count")]
    total_token_count: Option<u64>,
}

pub(super) fn relay(
    body: Bytes,
    expected: Expected,
    (model, charge_of): (&str, impl Fn(Usage) -> Option<Charge>),
) -> Result<(Bytes, Usage), StreamFault> {
    let label = (model, charge_of);
    match expected.encoding {
        Encoding::Float => {
            let answer: Answer<&RawValue> = serde_json::from_slice(&body).map_err(malformed)?;
            let size = body.len();
            write(answer, expected, label, size, |values, out| push_numbers(values.get(), out))
        }
        Encoding::Base64 => {
            // The fast reader works in place; it copies only when others hold the bytes too.
            let mut owned = body.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&*shared));
            let size = owned.len() / 2;
            let answer: Answer<Packed> =
                simd_json::serde::from_slice(&mut owned).map_err(malformed)?;
            write(answer, expected, label, size, |packed, out| {
                out.push('"');
                STANDARD.encode_string(&packed.0, out);
                out.push('"');
                Ok(())
            })
        }
    }
}

fn malformed(_: impl fmt::Display) -> StreamFault {
    StreamFault::Malformed("not an answer of batchEmbedContents".into())
}

fn write<V>(
    answer: Answer<V>,
    expected: Expected,
    (model, charge_of): (&str, impl Fn(Usage) -> Option<Charge>),
    size: usize,
    push: impl Fn(&V, &mut String) -> Result<(), StreamFault>,
) -> Result<(Bytes, Usage), StreamFault> {
    let vectors = answer.embeddings.unwrap_or_else(|| answer.embedding.into_iter().collect());
    if vectors.len() != expected.inputs {
        return Err(StreamFault::Malformed("another number of embeddings than inputs".into()));
    }
    let mut out = String::with_capacity(size + 64 * vectors.len() + 256);
    out.push_str(r#"{"object":"list","data":["#);
    for (index, vector) in vectors.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push_str(r#"{"object":"embedding","index":"#);
        out.push_str(itoa::Buffer::new().format(index));
        out.push_str(r#","embedding":"#);
        push(&vector.values, &mut out)?;
        out.push('}');
    }
    let prompt = answer.usage_metadata.and_then(Counts::prompt);
    let usage = Usage { prompt, completion: prompt.map(|_| 0), ..Usage::default() };
    let charge = charge_of(usage);
    let charged = charge.and_then(|charge| charge.usage.prompt);
    let shown = prompt.or(charged).unwrap_or(expected.estimated_tokens);
    let mut cost = BytesMut::new();
    if let Some(charge) = charge {
        charge.write(Sides::Chat, &mut cost);
    }
    let cost = std::str::from_utf8(&cost).unwrap_or_default();
    let model = serde_json::to_string(model).map_err(malformed)?;
    let mut digits = itoa::Buffer::new();
    let shown = digits.format(shown);
    for piece in [
        r#"],"model":"#,
        &model,
        r#","usage":{"prompt_tokens":"#,
        shown,
        r#","total_tokens":"#,
        shown,
        cost,
        "}}",
    ] {
        out.push_str(piece);
    }
    Ok((Bytes::from(out), usage))
}

impl Counts {
    fn prompt(self) -> Option<u64> {
        self.prompt_token_count.or(self.total_token_count)
    }
}

/// Copies a list of numbers as it is written, without the white space.
fn push_numbers(json: &str, out: &mut String) -> Result<(), StreamFault> {
    for run in json.split_ascii_whitespace() {
        if !run.bytes().all(|byte| byte.is_ascii_digit() || b"[],+-.eE".contains(&byte)) {
            return Err(StreamFault::Malformed("an embedding is not a list of numbers".into()));
        }
        out.push_str(run);
    }
    Ok(())
}

/// A vector as little-endian 32-bit floats.
struct Packed(Vec<u8>);

impl<'de> Deserialize<'de> for Packed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Numbers;
        impl<'de> Visitor<'de> for Numbers {
            type Value = Packed;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a list of numbers")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut numbers: A) -> Result<Packed, A::Error> {
                let hint = numbers.size_hint().unwrap_or(0).min(1 << 16);
                let mut bytes = Vec::with_capacity(hint * size_of::<f32>());
                while let Some(number) = numbers.next_element::<f32>()? {
                    bytes.extend_from_slice(&number.to_le_bytes());
                }
                Ok(Packed(bytes))
            }
        }
        deserializer.deserialize_seq(Numbers)
    }
}
