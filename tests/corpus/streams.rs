//! Recorded streams: passed through, translated to every client, and told as whole answers.

use crate::answers::{CLIENTS, is_failure, label};
use crate::assemble::{Assembled, assemble};
use crate::compare::{compare, read};
use crate::protocol;
use crate::reading::Answer;
use crate::recordings::{Recording, Shape};
use crate::report::{Report, Verdict, each, pair};
use crate::spans::{Replacement, replaced};
use arouter::error::{GatewayError, Kind};
use arouter::formats::translator::Translator;
use arouter::formats::{ApiFormat, FormatError, Framing, StreamFault};
use bytes::Bytes;

/// A recorded stream as its provider would send it to the gateway.
pub struct Stream {
    pub framing: Framing,
    pub bytes: Bytes,
}

/// The recording as a stream, if it is one.
pub fn stream_of(recording: &Recording) -> Option<Stream> {
    if recording.status >= 400 || recording.format == ApiFormat::Completions {
        return None;
    }
    let body = Bytes::from(recording.body.clone());
    match recording.shape {
        Shape::Sse => Some(Stream { framing: Framing::Sse, bytes: body }),
        Shape::Array => Some(Stream { framing: Framing::JsonArray, bytes: body }),
        Shape::Frames => Some(Stream { framing: Framing::EventStream, bytes: body }),
        Shape::Whole | Shape::Other => None,
    }
}

/// A client's stream, and whether it had to end with an error.
pub struct Relayed {
    pub bytes: Vec<u8>,
    pub fault: Option<StreamFault>,
}

/// Relays chunks as the proxy does: a fault ends the client's stream with an error.
pub fn relay(mut translator: Translator, chunks: impl IntoIterator<Item = Bytes>) -> Relayed {
    let mut bytes = Vec::new();
    let mut step = |result: Result<Bytes, StreamFault>, translator: &mut Translator| {
        let fault = match result {
            Ok(out) => {
                bytes.extend_from_slice(&out);
                return None;
            }
            Err(fault) => fault,
        };
        bytes.extend_from_slice(&translator.take_output());
        let error = GatewayError::upstream(Kind::ProviderUnavailable, "The provider failed.");
        bytes.extend_from_slice(&translator.fail(&error, "req-corpus"));
        Some(fault)
    };
    for chunk in chunks {
        let result = translator.push(chunk);
        let fault = step(result, &mut translator);
        if fault.is_some() {
            return Relayed { bytes, fault };
        }
    }
    let result = translator.finish();
    let fault = step(result, &mut translator);
    Relayed { bytes, fault }
}

/// Whether the recording itself ends with an error, or without its end.
pub fn is_torn(assembled: &Assembled) -> bool {
    let error = assembled.whole.as_ref().is_none_or(is_failure);
    error || !assembled.ended
}

pub fn answer(format: ApiFormat, assembled: &Assembled) -> Answer {
    assembled.whole.as_ref().map(|whole| read(format, whole)).unwrap_or_default()
}

#[test]
fn streams_pass_through_byte_for_byte() {
    let report = Report::default();
    each(&report, |report, recording| {
        let format = recording.format;
        let framing = match recording.shape {
            Shape::Sse => Framing::Sse,
            Shape::Array => Framing::JsonArray,
            _ => return,
        };
        if stream_of(recording).is_none() {
            return;
        }
        for model in [None, Some("shown/model")] {
            let translator = Translator::new(format, format, framing, label(model)).unwrap();
            let body = Bytes::from(recording.body.clone());
            let relayed = relay(translator, [body]);
            let expected = expected(recording, framing, model);
            // A fault cuts the stream where the provider told it: what came before is untouched.
            let same = if relayed.fault.is_some() {
                relayed.bytes.iter().zip(&expected).take_while(|(a, b)| a == b).count() * 10
                    >= expected.len().min(relayed.bytes.len())
            } else {
                is_completed(&expected, &relayed.bytes, format)
            };
            let complaints =
                if same { vec![] } else { vec![difference(&expected, &relayed.bytes)] };
            report.note(&pair(format, format), &recording.id, &Verdict::of(&complaints));
        }
    });
    report.close("Streams, passed through: equal bytes");
}

/// The gateway closes a last event that its provider left open, and adds OpenAI's end marker.
fn is_completed(expected: &[u8], got: &[u8], format: ApiFormat) -> bool {
    let Some(rest) = got.strip_prefix(expected) else { return false };
    let rest = String::from_utf8_lossy(rest).replace('\r', "");
    let marker =
        if expected.trim_ascii_end().ends_with(b"[DONE]") { "" } else { "data: [DONE]\n\n" };
    let rest = rest.trim_start_matches('\n');
    rest.is_empty() || (format == ApiFormat::OpenAiChat && rest == marker)
}

fn difference(expected: &[u8], got: &[u8]) -> String {
    let at = expected.iter().zip(got).take_while(|(a, b)| a == b).count();
    let part = |bytes: &[u8]| {
        let end = bytes.len().min(at + 80);
        String::from_utf8_lossy(&bytes[at.saturating_sub(40).min(end)..end]).into_owned()
    };
    format!(
        "bytes differ at {at} of {}: {:?} became {:?}",
        expected.len(),
        part(expected),
        part(got)
    )
}

/// The stream with nothing but the words of the label written over.
fn expected(recording: &Recording, framing: Framing, model: Option<&str>) -> Vec<u8> {
    let paths: &[&[&str]] = match recording.format {
        ApiFormat::OpenAiChat => &[&["model"]],
        ApiFormat::OpenAiResponses => &[&["response", "model"]],
        ApiFormat::Anthropic => &[&["message", "model"]],
        _ => &[&["modelVersion"]],
    };
    let mut replacements = Vec::new();
    if recording.format == ApiFormat::OpenAiChat {
        replacements.push(Replacement { path: &["id"], text: "gen-corpus" });
    }
    if let Some(text) = model {
        replacements.extend(paths.iter().map(|path| Replacement { path, text }));
    }
    if framing == Framing::JsonArray {
        return crate::spans::replaced_in_array(&recording.body, &replacements);
    }
    let mut out = Vec::new();
    for line in recording.body.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_prefix(b"data:") {
            Some(data) if data.trim_ascii().starts_with(b"{") => {
                out.extend_from_slice(b"data:");
                out.extend(replaced(data, &replacements));
            }
            _ => out.extend_from_slice(line),
        }
    }
    out
}

#[test]
fn streams_reach_every_client() {
    let report = Report::default();
    each(&report, |report, recording| {
        let Some(stream) = stream_of(recording) else { return };
        let from = recording.format;
        let assembled = match assemble(from, &stream.bytes) {
            Ok(assembled) => assembled,
            Err(why) => {
                let verdict = Verdict::Failed(format!("the judge cannot read it: {why}"));
                return report.note("judge", &recording.id, &verdict);
            }
        };
        for to in CLIENTS.into_iter().filter(|to| *to != from) {
            let Ok(translator) = translator(from, to, &stream) else {
                let verdict = Verdict::Failed("no translator".to_owned());
                report.note(&pair(from, to), &recording.id, &verdict);
                continue;
            };
            let relayed = relay(translator, [stream.bytes.clone()]);
            let complaints = judge(&assembled, from, to, &relayed);
            report.note(&pair(from, to), &recording.id, &Verdict::of(&complaints));
        }
    });
    report.close("Streams, translated: right form, and what the table calls equal is equal");
}

/// The translator of a provider's stream for a client.
pub fn translator(
    from: ApiFormat,
    to: ApiFormat,
    stream: &Stream,
) -> Result<Translator, FormatError> {
    let translator = Translator::new(from, to, Framing::Sse, label(None))?;
    Ok(translator.with_upstream_framing(stream.framing))
}

fn judge(assembled: &Assembled, from: ApiFormat, to: ApiFormat, relayed: &Relayed) -> Vec<String> {
    let torn = is_torn(assembled);
    let mut complaints = protocol::check(to, &relayed.bytes, relayed.fault.is_some());
    match &relayed.fault {
        Some(_) if torn => return complaints,
        Some(fault) => complaints.push(format!("fault: {fault}")),
        None if torn && assembled.whole.as_ref().is_some_and(is_failure) => {
            complaints.push("the provider's error was lost".to_owned());
        }
        None => {}
    }
    match assemble(to, &relayed.bytes) {
        Ok(got) => {
            let (told, got) = (answer(from, assembled), answer(to, &got));
            complaints.extend(compare(&told, &got, from, to));
        }
        Err(why) => complaints.push(why),
    }
    complaints
}
