//! Reads a whole answer in this format.
//!
//! Used by `formats::decode_response`. Parts keep the order of the output items; what is cited is
//! counted in characters of the joined text, as everywhere.

use super::super::item::{self, Content, Kind};
use super::super::object::Object;
use super::super::usage;
use crate::chat::Response;
use crate::chat::message::{Media, Part};
use crate::chat::response::{Choice, Citation};
use crate::formats::FormatError;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Reads the body of an answer.
pub fn decode(body: &[u8]) -> Result<Response<'_>, FormatError> {
    let answer = Object::parse(body)
        .map_err(|error| FormatError::whole(format!("the answer is no JSON object: {error}")))?;
    let failed = matches!(answer.text("status").as_deref(), Some("failed" | "cancelled"));
    if failed || answer.raw("output").is_none_or(|output| !output.get().starts_with('[')) {
        return Err(FormatError::whole("the provider sent no answer"));
    }
    let mut reader = Reader::default();
    for (index, item) in answer.objects("output").iter().enumerate() {
        reader.item(index as u64, item);
    }
    let called = reader.parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    let (finish, native_finish) = item::finish(&answer, called);
    let mut usage = answer.object("usage").as_ref().map(usage::read).unwrap_or_default();
    usage.web_searches = usage.web_searches.or((reader.searches > 0).then_some(reader.searches));
    Ok(Response {
        id: answer.word("id"),
        model: answer.word("model"),
        choices: vec![Choice {
            index: 0,
            logprobs: joined(&reader.logprobs).map(Cow::Owned),
            parts: reader.parts,
            finish,
            native_finish,
            citations: reader.citations,
        }],
        usage,
        service_tier: answer.word("service_tier"),
    })
}

#[derive(Default)]
struct Reader<'a> {
    parts: Vec<Part<'a>>,
    citations: Vec<Citation<'a>>,
    logprobs: Vec<&'a RawValue>,
    /// Characters of text so far.
    chars: u64,
    searches: u64,
}

impl<'a> Reader<'a> {
    fn item(&mut self, index: u64, item: &Object<'a>) {
        let kind = Kind::of(item);
        match kind {
            Kind::Message => self.message(item),
            Kind::Reasoning => {
                self.parts.extend(item::reasoning(item).into_iter().map(Part::Reasoning));
            }
            Kind::Function | Kind::Custom => {
                self.parts.extend(item::call(item, kind, index).map(Part::ToolCall));
            }
            Kind::WebSearch => self.searches += u64::from(item::is_search(item)),
            Kind::Image => self.parts.extend(item::image(item).map(|(mime, data)| Part::Image {
                source: Media::Base64 { mime, data },
                detail: None,
                cache: None,
            })),
            Kind::Other => {}
        }
    }

    fn message(&mut self, item: &Object<'a>) {
        for content in item::contents(item) {
            match content {
                Content::Refusal(text) => self.parts.push(Part::Refusal { text }),
                Content::Text { text, annotations, logprobs } => {
                    let base = self.chars;
                    let cited = annotations.iter().filter_map(|note| item::citation(note, base));
                    self.citations.extend(cited);
                    self.logprobs.extend(logprobs);
                    self.chars += text.chars().count() as u64;
                    if !text.is_empty() {
                        self.parts.push(Part::Text { text, cache: None });
                    }
                }
            }
        }
    }
}

/// The lists of all pieces as OpenAI's chat format has them: `{"content":[…]}`.
fn joined(lists: &[&RawValue]) -> Option<Box<RawValue>> {
    if lists.is_empty() {
        return None;
    }
    let inner = |list: &&RawValue| {
        let text = list.get();
        text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).map(str::to_owned)
    };
    let tokens: Vec<String> = lists.iter().filter_map(inner).collect();
    RawValue::from_string(format!(r#"{{"content":[{}]}}"#, tokens.join(","))).ok()
}
