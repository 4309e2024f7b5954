//! A stream and the whole answer it tells reach a client with the same meaning: the readers of
//! streams and of whole answers agree.

use crate::answers::{CLIENTS, label};
use crate::assemble::assemble;
use crate::compare::{compare, read};
use crate::json::Json;
use crate::reading::{Answer, Arguments};
use crate::report::{Report, Verdict, each, pair};
use crate::streams;
use arouter::formats::ApiFormat;
use arouter::formats::answer::relay;
use bytes::Bytes;

#[test]
fn streams_and_whole_answers_agree() {
    let report = Report::default();
    each(&report, |report, recording| {
        let Some(stream) = streams::stream_of(recording) else { return };
        let from = recording.format;
        let Ok(assembled) = assemble(from, &stream.bytes) else { return };
        let Some(whole) = assembled.whole.as_ref().filter(|_| !streams::is_torn(&assembled)) else {
            return;
        };
        let body = Bytes::from(proper(from, whole).to_string());
        let told = streams::answer(from, &assembled);
        for to in CLIENTS.into_iter().filter(|to| *to != from) {
            let translator = streams::translator(from, to, &stream).unwrap();
            let streamed = streams::relay(translator, [stream.bytes.clone()]);
            let verdict = match (relay(from, to, body.clone(), &label(None)), streamed.fault) {
                (Ok(answer), None) => {
                    let of_whole = Json::parse(std::str::from_utf8(&answer.body).unwrap());
                    let mut of_whole = read(to, &of_whole.unwrap_or(Json::Null));
                    let of_stream = assemble(to, &streamed.bytes).unwrap_or_default();
                    let mut of_stream = streams::answer(to, &of_stream);
                    forgive(&told, &mut of_whole, &mut of_stream);
                    Verdict::of(&compare(&of_whole, &of_stream, to, to))
                }
                (answer, fault) => {
                    Verdict::Failed(format!("{:?} {fault:?}", answer.map(|answer| answer.body)))
                }
            };
            report.note(&pair(from, to), &recording.id, &verdict);
        }
    });
    report.close("Streams and the whole answers they tell: the same for every client");
}

/// Ids that the provider did not give are made anew each time, and a call that was cut is left out
/// of Anthropic's whole answers.
fn forgive(told: &Answer, of_whole: &mut Answer, of_stream: &mut Answer) {
    for (at, choice) in of_whole.choices.iter_mut().enumerate() {
        let told = told.choices.get(at);
        for (call, told) in choice.calls.iter_mut().zip(told.into_iter().flat_map(|c| &c.calls)) {
            if told.id.is_empty() {
                call.id.clear();
            }
        }
        if let Some(streamed) = of_stream.choices.get_mut(at)
            && choice.calls.len() < streamed.calls.len()
        {
            streamed.calls.retain(|call| !call.arguments.torn);
        }
    }
}

/// The assembled answer as its provider would send it whole.
fn proper(format: ApiFormat, whole: &Json) -> Json {
    let mut body = whole.clone();
    match format {
        ApiFormat::OpenAiChat => {
            for at in 0..whole["choices"].list().len() {
                let message = body.element("choices", at).slot("message");
                let mut pieces = message["content"].list().to_vec();
                if pieces.iter().all(|piece| piece.str().is_some()) && !pieces.is_empty() {
                    let text: String = pieces.iter().map(Json::text).collect();
                    message.set("content", text.as_str().into());
                    continue;
                }
                for piece in pieces.iter_mut().filter(|piece| piece.str().is_some()) {
                    let mut part = Json::Null;
                    part.set("type", "text".into());
                    part.set("text", piece.clone());
                    *piece = part;
                }
                if !pieces.is_empty() {
                    message.set("content", Json::List(pieces));
                }
            }
        }
        ApiFormat::Anthropic => {
            for at in 0..whole["content"].list().len() {
                finish_input(body.element("content", at));
            }
        }
        ApiFormat::Bedrock => {
            let message = body.slot("output").slot("message");
            for at in 0..whole["output"]["message"]["content"].list().len() {
                let block = message.element("content", at);
                if block["toolUse"].is_object() {
                    finish_input(block.slot("toolUse"));
                }
            }
        }
        ApiFormat::Gemini => {
            for at in 0..whole["candidates"].list().len() {
                let content = body.element("candidates", at).slot("content");
                for at in 0..content["parts"].list().len() {
                    let part = content.element("parts", at);
                    part.remove("open");
                    if part["functionCall"].is_object() {
                        let call = part.slot("functionCall");
                        call.remove("willContinue");
                        call.remove("partialArgs");
                    }
                }
            }
        }
        ApiFormat::OpenAiResponses | ApiFormat::Completions => {}
    }
    body
}

/// Streamed arguments become the object they spell.
fn finish_input(call: &mut Json) {
    if let Some(text) = call["partial_input"].str().map(str::to_owned) {
        call.set("input", Arguments::from_text(&text).value);
        call.remove("partial_input");
    }
}
