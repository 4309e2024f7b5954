//! The pieces of work: one for each pair of formats and each kind of body.
//!
//! There is one conversation; what each format makes of it is written by the gateway itself, so
//! that all pairs carry the same.

use super::{Failure, payload};
use arouter::formats::answer::relay;
use arouter::formats::translator::Translator;
use arouter::formats::{
    AnswerLabel, ApiFormat, Framing, Target, decode_request, decode_response, encode_request,
    encode_response,
};
use arouter::sse::{self, Frames};
use bytes::Bytes;
use payload::Stream;
use serde_json::{Value, json};
use std::sync::Arc;

/// Formats on both sides, and their names in the tables.
const FORMATS: [(ApiFormat, &str); 4] = [
    (ApiFormat::OpenAiChat, "chat"),
    (ApiFormat::OpenAiResponses, "responses"),
    (ApiFormat::Anthropic, "anthropic"),
    (ApiFormat::Gemini, "gemini"),
];
/// The sizes of requests, in bytes.
const SIZES: [(usize, &str); 2] = [(2_000, "2 KB"), (350_000, "350 KB")];
/// What the gateway calls the model.
const SHOWN_MODEL: &str = "bench/bench-model";

/// What is done.
#[derive(Debug)]
enum Kind {
    Stream(Vec<Bytes>),
    Request(Bytes),
    Answer(Bytes),
}

/// One piece of work.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) title: String,
    /// Events in one call.
    pub(super) units: usize,
    from: ApiFormat,
    to: ApiFormat,
    kind: Kind,
}

/// A piece of work that is not prepared yet.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) title: String,
    from: ApiFormat,
    to: ApiFormat,
    what: What,
}

#[derive(Debug, Clone, Copy)]
enum What {
    Stream,
    Request { bytes: usize },
    Answer,
}

/// All pieces of work.
pub(super) fn plans() -> Vec<Plan> {
    let mut plans = Vec::new();
    for (from, from_name) in FORMATS {
        for (to, to_name) in FORMATS {
            let mut add = |name: &str, what| {
                let title = format!("{name}, {from_name} to {to_name}");
                plans.push(Plan { title, from, to, what });
            };
            add(if from == to { "event (tap)" } else { "event" }, What::Stream);
            if from != to {
                for (bytes, name) in SIZES {
                    add(&format!("{name} request"), What::Request { bytes });
                }
                add("answer", What::Answer);
            }
        }
    }
    plans
}

impl Plan {
    /// Prepares the work.
    pub(super) fn work(self) -> Result<Work, Failure> {
        let kind = match self.what {
            What::Stream => Kind::Stream(stream(self.from)?),
            What::Request { bytes } => Kind::Request(request(self.from, bytes)?),
            What::Answer => Kind::Answer(answer(self.from)?),
        };
        let Self { title, from, to, .. } = self;
        let mut work = Work { title, units: 1, from, to, kind };
        work.units = work.events().len().max(1);
        Ok(work)
    }
}

/// All pieces of work, each done once.
pub(super) fn checked() -> Result<Vec<Work>, Failure> {
    let works: Vec<Work> = plans().into_iter().map(Plan::work).collect::<Result<_, _>>()?;
    for work in &works {
        let done = work.ours().and_then(|ours| Ok(ours.min(work.serde()?)));
        match done {
            Ok(1..) => {}
            Ok(0) => return Err(format!("{}: nothing was done", work.title).into()),
            Err(error) => return Err(format!("{}: {error}", work.title).into()),
        }
    }
    Ok(works)
}

impl Work {
    pub(super) fn is_stream(&self) -> bool {
        matches!(self.kind, Kind::Stream(_))
    }

    /// The events of a stream; of anything else none.
    pub(super) fn events(&self) -> &[Bytes] {
        match &self.kind {
            Kind::Stream(events) => events,
            _ => &[],
        }
    }

    pub(super) fn relay(&self) -> Result<Translator, Failure> {
        let relay = Translator::new(self.from, self.to, Framing::Sse, label());
        relay.map_err(|error| error.to_string().into())
    }

    /// The gateway's way; gives the bytes written.
    pub(super) fn ours(&self) -> Result<usize, Failure> {
        match &self.kind {
            Kind::Stream(events) => {
                let (mut relay, mut sent) = (self.relay()?, 0);
                for event in events {
                    sent += relay.push(event.clone()).map_err(|fault| fault.to_string())?.len();
                }
                sent += relay.finish().map_err(|fault| fault.to_string())?.len();
                Ok(sent)
            }
            Kind::Request(body) => {
                let request = decode_request(self.from, body)?;
                Ok(encode_request(self.to, &request, target())?.body.len())
            }
            Kind::Answer(body) => {
                let answer = relay(self.from, self.to, body.clone(), &label());
                Ok(answer.map_err(|fault| fault.to_string())?.body.len())
            }
        }
    }

    /// serde_json's way: a tree of the same bytes; gives the bytes read.
    pub(super) fn serde(&self) -> Result<usize, Failure> {
        let parse = |json: &[u8]| serde_json::from_slice::<Value>(json);
        match &self.kind {
            Kind::Stream(events) => {
                let mut read = 0;
                for event in events {
                    let Some(event) = sse::parse(event) else { continue };
                    if &*event.data != b"[DONE]" {
                        std::hint::black_box(parse(&event.data)?);
                    }
                    read += event.data.len();
                }
                Ok(read)
            }
            Kind::Request(body) | Kind::Answer(body) => {
                std::hint::black_box(parse(body)?);
                Ok(body.len())
            }
        }
    }
}

fn label() -> AnswerLabel {
    AnswerLabel {
        id: Arc::from("gen-1767225600-0123456789abcdef01234567"),
        model: Some(Arc::from(SHOWN_MODEL)),
        provider: Arc::from("Bench"),
        created_s: 1_767_225_600,
        include_usage: true,
        exclude_reasoning: false,
        shape: arouter::formats::Shape::Maker,
        charges: None,
    }
}

fn target() -> Target<'static> {
    let mut target = Target::new(payload::MODEL);
    target.max_output_tokens = Some(4_096);
    target
}

/// The stream of 100 words as a provider of the format sends it, event by event.
fn stream(format: ApiFormat) -> Result<Vec<Bytes>, Failure> {
    let pieces = |stream: Stream| -> Vec<Bytes> {
        let all = [stream.opening, stream.events, stream.closing].concat();
        all.into_iter().map(Bytes::from).collect()
    };
    if format == ApiFormat::OpenAiChat {
        return Ok(pieces(payload::openai_stream()));
    }
    if format == ApiFormat::Anthropic {
        return Ok(pieces(payload::anthropic_stream()));
    }
    let mut relay = Translator::new(ApiFormat::Anthropic, format, Framing::Sse, label())?;
    let mut frames = Frames::new();
    for event in pieces(payload::anthropic_stream()) {
        frames.push(relay.push(event).map_err(|fault| fault.to_string())?);
    }
    frames.push(relay.finish().map_err(|fault| fault.to_string())?);
    let mut found = Vec::new();
    while let Some(frame) = frames.next()? {
        found.push(frame);
    }
    Ok(found)
}

/// A conversation with a tool, of about so many bytes, as a client of the format sends it.
fn request(format: ApiFormat, size: usize) -> Result<Bytes, Failure> {
    let text = "for price in prices {\n    sum = sum.checked_add(price.amount)?; // \"sum\"\n}\n";
    let code = text.repeat(8);
    let mut messages = vec![json!({"role": "system", "content": payload::SYSTEM_TEXT})];
    let turns = size.saturating_sub(600) / (code.len() + 40);
    for turn in 0..=turns {
        let role = if turn % 2 == 0 { "user" } else { "assistant" };
        messages.push(json!({"role": role, "content": code}));
    }
    messages.push(json!({"role": "user", "content": "Go on."}));
    let body = json!({
        "model": payload::MODEL, "messages": messages, "temperature": 0.7, "max_tokens": 1_000,
        "tools": [{"type": "function", "function": {"name": "lookup", "description": "Finds.",
            "parameters": {"type": "object", "properties": {"key": {"type": "string"}}}}}],
        "stream": true,
    });
    let body = Bytes::from(body.to_string());
    if format == ApiFormat::OpenAiChat {
        return Ok(body);
    }
    let request = decode_request(ApiFormat::OpenAiChat, &body)?;
    Ok(encode_request(format, &request, target())?.body)
}

/// A whole answer of 1 KB as a provider of the format sends it.
fn answer(format: ApiFormat) -> Result<Bytes, Failure> {
    let body = payload::answer();
    if format == ApiFormat::OpenAiChat {
        return Ok(Bytes::from(body));
    }
    let response = decode_response(ApiFormat::OpenAiChat, body.as_bytes())?;
    Ok(encode_response(format, &response, &label())?)
}
