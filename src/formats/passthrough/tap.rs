//! The passive reader of a stream that passes through.
//!
//! Used by the translator when client and provider speak the same format. Ordinary pieces of text
//! are recognised by a few substring searches and only counted; everything else goes to the
//! format's decoder, so that usage, finish, errors and the end mean what they mean in a translated
//! stream. An event that is not understood passes: only errors and the missing end stop a stream.

use super::{native, openai, openrouter};
use crate::chat::Event;
use crate::formats::charge::{self, Charges, Sides};
use crate::formats::translator::output::Output;
use crate::formats::{
    AnswerLabel, ApiFormat, FormatError, Observed, Shape, StreamDecoder, StreamFault, observe,
    stream_decoder,
};
use crate::json::{find, find_path};
use crate::sse;
use bytes::{Bytes, BytesMut};
use memchr::memmem::Finder;
use std::borrow::Cow;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

/// Reads one stream.
pub(in crate::formats) struct Tap {
    format: Format,
    decoder: Box<dyn StreamDecoder>,
    charges: Option<Arc<dyn Charges>>,
    shape: Shape,
}

/// What differs by format: which events are ordinary, and what is written over.
enum Format {
    OpenAi(openai::Relabel),
    Responses(native::Model),
    Anthropic(native::Model),
    Gemini(native::Model),
}

/// How an event is to be read.
pub(in crate::formats) enum Reading {
    /// Only content, of so many bytes.
    Content(usize),
    /// By the decoder.
    Whole,
}

impl Tap {
    /// A tap for one answer.
    pub(in crate::formats) fn new(
        format: ApiFormat,
        label: &AnswerLabel,
    ) -> Result<Self, FormatError> {
        let decoder = stream_decoder(format)?;
        let model = native::Model::new(label.model.as_deref());
        let shape = label.shape;
        let format = match format {
            ApiFormat::OpenAiResponses => Format::Responses(model),
            ApiFormat::Anthropic => Format::Anthropic(model),
            ApiFormat::Gemini => Format::Gemini(model),
            ApiFormat::OpenAiChat => Format::OpenAi(openai::Relabel::new(label, shape)),
            ApiFormat::Completions | ApiFormat::Bedrock => {
                Format::OpenAi(openai::Relabel::new(label, Shape::Maker))
            }
        };
        Ok(Self { format, decoder, charges: label.charges.clone(), shape })
    }

    /// Reads a server-sent event and forwards what the client gets of it.
    pub(in crate::formats) fn frame(
        &mut self,
        frame: &Bytes,
        observed: &mut Observed,
        out: &mut Output,
    ) -> Result<(), StreamFault> {
        if let Some(place) = single_line(frame) {
            return self.event(&Piece { frame, data: place, name: None }, observed, out);
        }
        let Some(event) = sse::parse(frame) else {
            if !observed.ended {
                out.forward(frame);
            }
            return Ok(());
        };
        let name = event.name.as_deref();
        match event.data {
            Cow::Borrowed(data) => {
                let place = place_in(frame, data);
                self.event(&Piece { frame, data: place, name }, observed, out)
            }
            Cow::Owned(data) => {
                let joined = rewritten(name, &data);
                let Some(event) = sse::parse(&joined) else { return Ok(()) };
                let place = place_in(&joined, &event.data);
                self.event(&Piece { frame: &joined, data: place, name }, observed, out)
            }
        }
    }

    /// Reads an element of a JSON array and forwards what the client gets of it.
    pub(in crate::formats) fn element(
        &mut self,
        element: &Bytes,
        observed: &mut Observed,
        out: &mut Output,
    ) -> Result<(), StreamFault> {
        let piece = Piece { frame: element, data: 0..element.len(), name: None };
        self.event(&piece, observed, out)
    }

    fn event(
        &mut self,
        piece: &Piece<'_>,
        observed: &mut Observed,
        out: &mut Output,
    ) -> Result<(), StreamFault> {
        let data = piece.data();
        if observed.ended {
            // OpenRouter ends this format as the chat format ends.
            if matches!(self.format, Format::Responses(_)) && data == b"[DONE]" {
                out.forward(piece.frame);
            }
            return Ok(());
        }
        let told = self.read(piece, observed)?;
        let told = told.as_ref().map(|(frame, data)| {
            let data = data.clone();
            Piece { frame, data, name: piece.name }
        });
        let piece = told.as_ref().unwrap_or(piece);
        let shaped = self.shaped(piece);
        let shaped = shaped.as_ref().map(|(frame, data)| {
            let data = data.clone();
            Piece { frame, data, name: piece.name }
        });
        let piece = shaped.as_ref().unwrap_or(piece);
        match &mut self.format {
            Format::OpenAi(relabel) => relabel.forward(piece, out),
            Format::Responses(model) => model.forward(piece, &["response", "model"], out),
            Format::Anthropic(model) => model.forward(piece, &["message", "model"], out),
            Format::Gemini(model) => model.forward(piece, &["modelVersion"], out),
        }
        Ok(())
    }

    /// Notes what an event says; one that brings usage comes back with its cost told.
    fn read(
        &mut self,
        piece: &Piece<'_>,
        observed: &mut Observed,
    ) -> Result<Option<(Bytes, Range<usize>)>, StreamFault> {
        let data = piece.data();
        let reading = match &mut self.format {
            _ if !observed.saw_content || piece.name == Some("error") => Reading::Whole,
            _ if observed.tool_calls.is_some() && brings_arguments(data) => Reading::Whole,
            Format::OpenAi(_) => openai::reading(data),
            Format::Anthropic(_) => native::anthropic_reading(data),
            Format::Responses(_) | Format::Gemini(_) => Reading::Whole,
        };
        if let Reading::Content(bytes) = reading {
            observe::content(observed, bytes);
            return Ok(None);
        }
        let mut brings_usage = false;
        let mut sink = |event: Event<'_>| {
            brings_usage |= matches!(event, Event::Usage(_));
            observe::passed(observed, &event);
        };
        match self.decoder.event(piece.name, data, &mut sink) {
            Ok(()) | Err(StreamFault::Malformed(_)) => {}
            Err(fault) => return Err(fault),
        }
        Ok(brings_usage.then(|| self.told(piece, observed)).flatten())
    }

    /// An event with a whole answer of the Responses format in it, for OpenRouter's clients, and
    /// where its data lies then.
    fn shaped(&self, piece: &Piece<'_>) -> Option<(Bytes, Range<usize>)> {
        let Format::Responses(_) = self.format else { return None };
        if self.shape != Shape::OpenRouter {
            return None;
        }
        let written = openrouter::response_event(piece.data())?;
        let place = piece.data.start..piece.data.start + written.len();
        Some((charge::replaced(piece.frame, piece.data.clone(), &written), place))
    }

    /// The event with the cost told in its usage, and where its data lies then.
    fn told(&self, piece: &Piece<'_>, observed: &Observed) -> Option<(Bytes, Range<usize>)> {
        let charges = self.charges.as_ref()?;
        let data = piece.data();
        let (place, sides) = match self.format {
            Format::OpenAi(_) => (find(data, "usage")?, Sides::Chat),
            Format::Responses(_) => (find_path(data, &["response", "usage"])?, Sides::Responses),
            Format::Anthropic(_) | Format::Gemini(_) => return None,
        };
        let mut observed = Cow::Borrowed(observed);
        if observed.finish.is_none()
            && let Some((reason, native)) = self.decoder.stated_finish()
        {
            // The record, made at the end, will know of it.
            let observed = observed.to_mut();
            observed.finish = Some(reason);
            observed.native_finish = native.map(str::to_owned);
        }
        let usage = charges.charge(&observed).told_in(data.get(place.clone())?, sides)?;
        let start = piece.data.start;
        let grown = (piece.data.end + usage.len()).saturating_sub(place.len());
        let place = start + place.start..start + place.end;
        Some((charge::replaced(piece.frame, place, &usage), start..grown))
    }

    /// The provider closed the stream: `tail` is what follows the last whole event.
    pub(in crate::formats) fn finish(
        &mut self,
        tail: Option<&Bytes>,
        observed: &mut Observed,
        out: &mut Output,
    ) -> Result<(), StreamFault> {
        if let Some(tail) = tail {
            self.tail(tail, observed, out)?;
        }
        let told = observed.ended;
        let finished = self.decoder.finish(&mut |event| observe::passed(observed, &event));
        if finished.is_err() {
            // The error that the client will be told must not be glued to a torn line.
            out.end_event();
            return finished;
        }
        observed.ended = true;
        if !told && matches!(self.format, Format::OpenAi(_)) {
            out.buffer().extend_from_slice(sse::DONE);
        }
        Ok(())
    }

    /// An event without its blank line counts if it is whole; a torn one is dropped.
    fn tail(
        &mut self,
        tail: &Bytes,
        observed: &mut Observed,
        out: &mut Output,
    ) -> Result<(), StreamFault> {
        let Some(event) = sse::parse(tail) else {
            if tail.trim_ascii().first() != Some(&b'{') {
                out.forward(tail);
                return Ok(());
            }
            // An error that a provider sends as plain JSON although a stream was promised.
            let mut sink = |event: Event<'_>| observe::passed(observed, &event);
            return self.decoder.event(None, tail, &mut sink);
        };
        let done = event.data.trim_ascii() == b"[DONE]";
        if !done && serde_json::from_slice::<serde::de::IgnoredAny>(&event.data).is_err() {
            return Ok(());
        }
        self.frame(tail, observed, out)?;
        // More follows in OpenAI's streams; those of others pass as they are to their last byte.
        if matches!(self.format, Format::OpenAi(_)) {
            let ending: &[u8] = if tail.ends_with(b"\n") { b"\n" } else { b"\n\n" };
            out.buffer().extend_from_slice(ending);
        }
        Ok(())
    }
}

/// An event and where its data lies.
pub(in crate::formats) struct Piece<'f> {
    pub(in crate::formats) frame: &'f Bytes,
    pub(in crate::formats) data: Range<usize>,
    pub(in crate::formats) name: Option<&'f str>,
}

impl Piece<'_> {
    /// Sends the event with other data.
    pub(in crate::formats) fn forward_with(&self, data: &[u8], out: &mut Output) {
        let before = self.frame.get(..self.data.start).unwrap_or_default();
        let after = self.frame.get(self.data.end..).unwrap_or_default();
        let buffer = out.buffer();
        for part in [before, data, after] {
            buffer.extend_from_slice(part);
        }
    }

    /// The event's data.
    pub(in crate::formats) fn data(&self) -> &[u8] {
        self.frame.get(self.data.clone()).unwrap_or_default()
    }
}

/// Whether an event may bring arguments of a call, which are gathered and not only counted.
fn brings_arguments(data: &[u8]) -> bool {
    ARGUMENTS.iter().any(|key| key.find(data).is_some())
}

static ARGUMENTS: LazyLock<[Finder<'static>; 2]> =
    LazyLock::new(|| ["\"arguments\"", "\"partial_json\""].map(Finder::new));

/// The data of a frame that is one `data:` line and its blank line, as almost all are.
fn single_line(frame: &[u8]) -> Option<Range<usize>> {
    let rest = frame.strip_prefix(b"data:")?;
    let start = if rest.first() == Some(&b' ') { 6 } else { 5 };
    let end = start + memchr::memchr2(b'\n', b'\r', frame.get(start..)?)?;
    let only_breaks = frame.get(end..)?.iter().all(|byte| matches!(byte, b'\n' | b'\r'));
    only_breaks.then_some(start..end)
}

fn place_in(frame: &[u8], part: &[u8]) -> Range<usize> {
    let start = part.as_ptr().addr().saturating_sub(frame.as_ptr().addr());
    start..start.saturating_add(part.len())
}

/// Data of several lines on a single one.
fn rewritten(name: Option<&str>, data: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(data.len() + 32);
    match name {
        Some(name) => sse::write_event(&mut frame, name, data),
        None => sse::write_data(&mut frame, data),
    }
    frame.freeze()
}
