//! Whole answers: passed through, re-encoded in their own format, translated to every client.

use crate::compare::{compare, read};
use crate::json::Json;
use crate::recordings::{Recording, Shape};
use crate::report::{Report, Verdict, each, pair};
use crate::spans::{Replacement, replaced};
use arouter::formats::answer::relay;
use arouter::formats::{AnswerLabel, ApiFormat, decode_response, encode_response};
use bytes::Bytes;

/// Formats a client may speak.
pub const CLIENTS: [ApiFormat; 5] = [
    ApiFormat::OpenAiChat,
    ApiFormat::OpenAiResponses,
    ApiFormat::Anthropic,
    ApiFormat::Gemini,
    ApiFormat::Completions,
];

/// What the gateway writes over an answer in these checks.
pub fn label(model: Option<&str>) -> AnswerLabel {
    AnswerLabel {
        id: "gen-corpus".into(),
        model: model.map(Into::into),
        provider: "provider".into(),
        created_s: 1_700_000_000,
        include_usage: true,
        exclude_reasoning: false,
        shape: arouter::formats::Shape::Maker,
        charges: None,
    }
}

/// Whole successful answers of provider formats.
pub fn is_whole_answer(recording: &Recording) -> bool {
    recording.shape == Shape::Whole
        && recording.status < 400
        && recording.format != ApiFormat::Completions
        && whole(recording).is_some_and(|body| !is_failure(&body))
}

/// Errors under a success status belong to the errors.
pub fn is_failure(body: &Json) -> bool {
    let error = &body["error"];
    error.is_object() || error.str().is_some()
}

pub fn whole(recording: &Recording) -> Option<Json> {
    Json::parse(std::str::from_utf8(&recording.body).ok()?)
}

#[test]
fn whole_answers_pass_through_byte_for_byte() {
    let report = Report::default();
    each(&report, |report, recording| {
        if !is_whole_answer(recording) {
            return;
        }
        let format = recording.format;
        for model in [None, Some("shown/model")] {
            let verdict = relay(format, format, Bytes::from(recording.body.clone()), &label(model));
            let verdict = match verdict {
                Ok(answer) => {
                    let expected = expected(format, &recording.body, model);
                    let same = answer.body == expected;
                    Verdict::of(&if same { vec![] } else { vec!["bytes differ".to_owned()] })
                }
                Err(fault) => Verdict::Failed(fault.to_string()),
            };
            report.note(&pair(format, format), &recording.id, &verdict);
        }
    });
    report.close("Whole answers, passed through: equal bytes");
}

/// The body with nothing but the words of the label written over.
fn expected(format: ApiFormat, body: &[u8], model: Option<&str>) -> Vec<u8> {
    let model_key = if format == ApiFormat::Gemini { "modelVersion" } else { "model" };
    let mut replacements = Vec::new();
    if format == ApiFormat::OpenAiChat {
        replacements.push(Replacement { path: &["id"], text: "gen-corpus" });
    }
    let path = [model_key];
    if let Some(model) = model {
        replacements.push(Replacement { path: &path, text: model });
    }
    replaced(body, &replacements)
}

#[test]
fn whole_answers_survive_their_own_format() {
    let report = Report::default();
    each(&report, |report, recording| {
        let format = recording.format;
        if !is_whole_answer(recording) || format == ApiFormat::Bedrock {
            return;
        }
        let told = read(format, &whole(recording).unwrap());
        let verdict = decode_response(format, &recording.body)
            .and_then(|decoded| encode_response(format, &decoded, &label(None)))
            .map_err(|error| error.to_string())
            .and_then(|body| {
                Json::parse(std::str::from_utf8(&body).unwrap()).ok_or("no JSON".into())
            })
            .map_or_else(Verdict::Failed, |body| {
                Verdict::of(&compare(&told, &read(format, &body), format, format))
            });
        report.note(&pair(format, format), &recording.id, &verdict);
    });
    report.close("Whole answers, decoded and encoded in their own format: equal meaning");
}

#[test]
fn whole_answers_reach_every_client() {
    let report = Report::default();
    each(&report, |report, recording| {
        if !is_whole_answer(recording) {
            return;
        }
        let from = recording.format;
        let told = read(from, &whole(recording).unwrap());
        for to in CLIENTS.into_iter().filter(|to| *to != from) {
            let answer = relay(from, to, Bytes::from(recording.body.clone()), &label(None));
            let verdict = match answer {
                Ok(answer) => {
                    let text = std::str::from_utf8(&answer.body).unwrap();
                    match Json::parse(text) {
                        Some(body) => Verdict::of(&compare(&told, &read(to, &body), from, to)),
                        None => Verdict::Failed(format!("no JSON: {text}")),
                    }
                }
                Err(fault) => Verdict::Failed(fault.to_string()),
            };
            report.note(&pair(from, to), &recording.id, &verdict);
        }
    });
    report.close("Whole answers, translated: what the table calls equal is equal");
}
