//! Recorded requests: passed through, and through every pair of formats and back.

use crate::ask::Ask;
use crate::json::Json;
use crate::recordings::Recording;
use crate::report::{Report, Verdict, each, name, pair};
use crate::{ask_chat, ask_native};
use arouter::formats::openai_chat::dialect::OPENAI;
use arouter::formats::passthrough::{RequestEdit, rewrite_request};
use arouter::formats::{ApiFormat, FormatError, Target, decode_request, encode_request};
use arouter::json::Head;
use bytes::Bytes;
use std::collections::BTreeSet;

/// Formats that are client's and provider's alike.
const FORMATS: [ApiFormat; 4] =
    [ApiFormat::OpenAiChat, ApiFormat::Anthropic, ApiFormat::Gemini, ApiFormat::OpenAiResponses];

pub fn read(format: ApiFormat, body: &Json) -> Ask {
    match format {
        ApiFormat::OpenAiResponses => ask_chat::responses(body),
        ApiFormat::Anthropic => ask_native::messages(body),
        ApiFormat::Gemini => ask_native::generate(body),
        ApiFormat::Completions => ask_chat::completions(body),
        _ => ask_chat::chat(body),
    }
}

fn model(format: ApiFormat) -> &'static str {
    match format {
        ApiFormat::Anthropic => "claude-sonnet-4-5",
        ApiFormat::Gemini => "gemini-2.5-flash",
        _ => "gpt-4.1",
    }
}

/// A request that its provider accepted, in a format of a client.
fn accepted(recording: &Recording) -> Option<(&str, Json)> {
    let text = recording.request.as_deref()?;
    let known = FORMATS.contains(&recording.format) && !recording.is_invoke;
    (known && recording.status < 400).then_some(())?;
    Some((text, Json::parse(text)?))
}

#[test]
fn requests_pass_through_byte_for_byte() {
    let report = Report::default();
    each(&report, |report, recording| {
        let Some((text, body)) = accepted(recording) else { return };
        let format = recording.format;
        let bytes = Bytes::from(text.to_owned());
        let head = Head::scan(&bytes).unwrap();
        let stream = body["stream"].is_true();
        let own = body["model"].str();
        let edit = RequestEdit { model: own.unwrap_or("m"), stream, dialect: &OPENAI };
        let rewritten = rewrite_request(format, &bytes, &head, edit);
        let got = rewritten.body.to_bytes();
        let is_same = got == bytes || is_documented(format, &body, &got);
        let complaint = || format!("{} bytes became {}", bytes.len(), got.len());
        let verdict = if is_same { Verdict::Passed } else { Verdict::Failed(complaint()) };
        report.note(&pair(format, format), &recording.id, &verdict);
    });
    report.close("Requests, passed through: equal bytes but for what the gateway says itself");
}

/// Fields that are meant for the gateway are taken out, the model is named, and OpenAI's streams
/// are asked for usage; everything else stands as it stood.
fn is_documented(format: ApiFormat, body: &Json, got: &[u8]) -> bool {
    let own = [
        "models",
        "route",
        "provider",
        "plugins",
        "transforms",
        "preset",
        "session_id",
        "trace",
        "debug",
        "usage",
        "stream_options",
        "model",
    ];
    let Some(mut got) = std::str::from_utf8(got).ok().and_then(Json::parse) else { return false };
    let mut told = body.clone();
    let asks = got["stream_options"]["include_usage"].is_true();
    let must_ask = format == ApiFormat::OpenAiChat && body["stream"].is_true();
    for json in [&mut told, &mut got] {
        if let Json::Object(members) = json {
            members.retain(|(key, _)| !own.contains(&key.as_str()));
        }
    }
    told == got && (asks || !must_ask)
}

#[test]
fn requests_reach_every_provider_and_come_back() {
    let report = Report::default();
    each(&report, |report, recording| {
        let Some((text, body)) = accepted(recording) else { return };
        let from = recording.format;
        let told = read(from, &body);
        for to in FORMATS {
            let verdict = through(text, &told, from, to);
            report.note(&pair(from, to), &recording.id, &verdict);
        }
    });
    report
        .close("Requests, to every provider format and back: what the table calls equal is equal");
}

fn through(text: &str, told: &Ask, from: ApiFormat, to: ApiFormat) -> Verdict {
    let there = match encoded(text, from, to, told.stream) {
        Ok(there) => there,
        Err(error) => return refused(told, to, &error),
    };
    let mut complaints = there_and(told, &there, &[from, to], "");
    if from == to {
        return Verdict::of(&complaints);
    }
    match encoded(&there.body, to, from, told.stream) {
        Ok(mut back) => {
            back.dropped.extend(there.dropped);
            complaints.extend(there_and(told, &back, &[from, to, from], "back: "));
        }
        Err(error) => match refused(told, from, &error) {
            Verdict::Failed(why) => complaints.push(format!("the way back: {why}")),
            verdict if complaints.is_empty() => return verdict,
            _ => {}
        },
    }
    Verdict::of(&complaints)
}

#[test]
fn completions_reach_every_provider() {
    let report = Report::default();
    each(&report, |report, recording| {
        let from = recording.format;
        let Some(text) = recording.request.as_deref().filter(|_| recording.status < 400) else {
            return;
        };
        let Some(body) = Json::parse(text).filter(|_| from == ApiFormat::Completions) else {
            return;
        };
        let told = read(from, &body);
        for to in FORMATS {
            let verdict = match encoded(text, from, to, told.stream) {
                Ok(there) => Verdict::of(&there_and(&told, &there, &[from, to], "")),
                Err(error) => refused(&told, to, &error),
            };
            report.note(&pair(from, to), &recording.id, &verdict);
        }
    });
    report.close("Legacy completions, to every provider format");
}

struct Encoded {
    body: String,
    dropped: Vec<String>,
}

fn encoded(
    text: &str,
    from: ApiFormat,
    to: ApiFormat,
    stream: bool,
) -> Result<Encoded, FormatError> {
    let request = decode_request(from, text.as_bytes())?;
    let mut target = Target::new(model(to));
    target.stream = stream;
    let written = encode_request(to, &request, target)?;
    let dropped = written.dropped.iter().map(ToString::to_string).collect();
    Ok(Encoded { body: String::from_utf8(written.body.to_vec()).unwrap(), dropped })
}

/// A refusal names the field, and is for what the target has no place for.
fn refused(told: &Ask, to: ApiFormat, error: &FormatError) -> Verdict {
    let harmless: BTreeSet<&str> = ["reasoning", "late system", "error result"].into();
    let is_empty = told.turns.iter().all(|turn| turn.role == "system");
    let special = is_empty || told.special.iter().any(|word| !harmless.contains(word));
    if special && error.param.is_some() {
        return Verdict::Refused;
    }
    let (param, special) = (&error.param, &told.special);
    Verdict::Failed(format!("refused for {}: {error} {param:?} {special:?}", name(to)))
}

fn there_and(told: &Ask, got: &Encoded, path: &[ApiFormat], prefix: &str) -> Vec<String> {
    let Some(body) = Json::parse(&got.body) else { return vec![format!("{prefix}no JSON")] };
    let last = *path.last().unwrap();
    let read = read(last, &body);
    let complaints = crate::ask_compare::compare(told, &read, path, &got.dropped);
    complaints.into_iter().map(|complaint| format!("{prefix}{complaint}")).collect()
}
