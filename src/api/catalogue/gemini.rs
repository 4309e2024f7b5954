//! The models in Gemini's shape, page by page.
//!
//! Google's own models come first and without a prefix, as Google's clients call them; the others
//! follow under their full names. What cannot be asked for a conversation is left out, as the
//! gateway serves no other call of Gemini's API.

use super::Seen;
use super::face::{Face, Names};
use super::modality::Output;
use crate::api::query::{Query, wrong};
use crate::error::GatewayError;
use crate::formats::ApiFormat;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Serialize;

/// Prefix that Google's clients do not write.
const HOME: &str = "google/";
/// Models on a page if nobody says how many, as Google has it.
const DEFAULT_PAGE: usize = 50;
/// Most models on a page.
const MAX_PAGE: usize = 1000;
/// What a conversation can be asked with.
const METHODS: &[&str] = &["generateContent", "streamGenerateContent", "countTokens"];

/// A model in Gemini's words.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GeminiModel<'a> {
    name: String,
    base_model_id: &'a str,
    version: &'static str,
    display_name: &'a str,
    description: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_token_limit: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_token_limit: Option<u64>,
    supported_generation_methods: &'static [&'static str],
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<bool>,
}

impl<'a> GeminiModel<'a> {
    /// A model as it is seen.
    pub(super) fn of(names: &'a Names, face: &Face) -> Self {
        let bare = names.id.strip_prefix(HOME).unwrap_or(&names.id);
        Self {
            name: format!("models/{bare}"),
            base_model_id: bare,
            version: "1",
            display_name: &names.title,
            description: "",
            input_token_limit: face.facts.context_length,
            output_token_limit: face.facts.max_completion_tokens,
            supported_generation_methods: if converses(face) { METHODS } else { &[] },
            thinking: face.facts.reasons,
        }
    }
}

/// A page of models.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GeminiPage<'a> {
    models: Vec<GeminiModel<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

impl<'a> GeminiPage<'a> {
    /// The page that a query asks for, of models sorted by id.
    pub(super) fn of(query: &Query, models: &'a [Seen<'_>]) -> Result<Self, GatewayError> {
        let size = query.read::<i64>("pageSize", "a whole number")?;
        let size = match size.map(usize::try_from) {
            None | Some(Ok(0)) => DEFAULT_PAGE,
            Some(Ok(size)) => size.min(MAX_PAGE),
            Some(Err(_)) => return Err(wrong("pageSize", "a whole number that is not negative")),
        };
        let last = query.get("pageToken").map(read_token).transpose()?;
        let mut sorted: Vec<&Seen<'_>> =
            models.iter().filter(|seen| converses(&seen.face)).collect();
        sorted.sort_by_key(|seen| place(&seen.names.id));
        let start = last
            .map_or(0, |last| sorted.partition_point(|seen| place(&seen.names.id) <= place(&last)));
        let rest = sorted.get(start..).unwrap_or_default();
        let shown = rest.get(..size).unwrap_or(rest);
        let is_last = shown.len() == rest.len();
        Ok(Self {
            models: shown.iter().map(|seen| GeminiModel::of(seen.names, &seen.face)).collect(),
            next_page_token: shown
                .last()
                .filter(|_| !is_last)
                .map(|seen| BASE64_URL_SAFE_NO_PAD.encode(&*seen.names.id)),
        })
    }
}

/// Google's own before all others, else by id.
fn place(id: &str) -> (bool, &str) {
    (!id.starts_with(HOME), id)
}

/// The id that a page ended with.
fn read_token(token: &str) -> Result<String, GatewayError> {
    let decoded = BASE64_URL_SAFE_NO_PAD.decode(token).ok();
    let text = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
    text.ok_or_else(|| wrong("pageToken", "the nextPageToken of an earlier page"))
}

/// Whether a model can be asked for a conversation; Gemini's speak in one.
fn converses(face: &Face) -> bool {
    let writes = face.facts.writes;
    let never = [Output::Embeddings, Output::Rerank, Output::Transcription];
    let speaks = |one: &crate::routing::Candidate| one.format() == ApiFormat::Gemini;
    !never.into_iter().any(|output| writes.contains(output))
        && (!writes.contains(Output::Speech) || face.endpoints.iter().any(|one| speaks(one)))
}
