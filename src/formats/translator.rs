//! A provider's stream on its way to the client: bytes in, bytes out, usage aside.
//!
//! Used by the proxy for every streamed answer. Client and provider of one format are joined by a
//! tap that changes next to nothing; others by the provider's decoder and the client's encoder.
//! Only whole events leave, so that an error or a keep-alive never lands inside one; what was
//! complete before a fault stays in `take_output`. When the provider's end marker has been seen
//! (`observed().ended`), the client's stream is complete as well.

mod input;
pub(super) mod output;

use super::charge::Charges;
use super::passthrough::tap::Tap;
use super::tool_calls::GatheredCalls;
use super::tool_names::{ToolNames, ToolRestorer};
use super::{
    AnswerLabel, ApiFormat, FormatError, Framing, Observed, StreamDecoder, StreamEncoder,
    StreamFault, account, anthropic, gemini, observe, openai_chat, openai_responses,
    stream_decoder, stream_encoder,
};
use crate::chat::event::{Event, UpstreamError};
use crate::error::GatewayError;
use crate::json::{as_str, find};
use crate::sse;
use bytes::{Bytes, BytesMut};
use input::{Input, Item};
use output::Output;
use std::sync::Arc;

/// Relays one stream.
pub struct Translator {
    upstream: ApiFormat,
    client: ApiFormat,
    label: AnswerLabel,
    input: Input,
    stage: Stage,
    observed: Observed,
    out: Output,
    /// The client's stream was ended, well or with an error.
    closed: bool,
}

/// What becomes of an event.
enum Stage {
    Tap(Box<Tap>),
    Translate(Box<Translation>),
}

struct Translation {
    decoder: Box<dyn StreamDecoder>,
    encoder: Box<dyn StreamEncoder>,
    tools: ToolRestorer,
    charges: Option<Arc<dyn Charges>>,
}

impl Translator {
    /// A translator for one answer. `framing` is the framing of the client's stream, and of the
    /// provider's where both speak the same format.
    pub fn new(
        upstream: ApiFormat,
        client: ApiFormat,
        framing: Framing,
        label: AnswerLabel,
    ) -> Result<Self, FormatError> {
        let stage = if upstream == client {
            Stage::Tap(Box::new(Tap::new(client, &label)?))
        } else {
            Stage::Translate(Box::new(Translation {
                decoder: stream_decoder(upstream)?,
                encoder: stream_encoder(client, framing, label.clone())?,
                tools: ToolRestorer::default(),
                charges: label.charges.clone(),
            }))
        };
        let framing = match (upstream, framing) {
            (ApiFormat::Bedrock, _) => Framing::EventStream,
            (_, Framing::JsonArray) if upstream == client => Framing::JsonArray,
            _ => Framing::Sse,
        };
        let input = Input::new(upstream, framing);
        let (observed, out) = (Observed::default(), Output::default());
        Ok(Self { upstream, client, label, input, stage, observed, out, closed: false })
    }

    /// Reads the provider's stream in a framing of its own: an array that is translated, or the
    /// binary frames in which Amazon Bedrock streams Converse and the models of other makers.
    #[must_use]
    pub fn with_upstream_framing(mut self, framing: Framing) -> Self {
        self.input = Input::new(self.upstream, framing);
        self
    }

    /// Shows the client its own tools where the request had to change them.
    #[must_use]
    pub fn with_tool_names(mut self, names: ToolNames) -> Self {
        if let Stage::Translate(translation) = &mut self.stage {
            translation.tools = ToolRestorer::new(names);
        }
        self
    }

    /// Gathers the calls of tools.
    #[must_use]
    pub fn with_tool_calls(mut self) -> Self {
        self.observed.tool_calls = Some(Box::default());
        self
    }

    /// The calls of tools, once, if they were to be gathered.
    pub fn take_tool_calls(&mut self) -> Option<Box<GatheredCalls>> {
        self.observed.tool_calls.take()
    }

    /// Takes the provider's next bytes and gives what the client gets now, maybe nothing.
    pub fn push(&mut self, chunk: Bytes) -> Result<Bytes, StreamFault> {
        if self.closed {
            return Ok(Bytes::new());
        }
        self.out.begin(&chunk);
        self.input.push(chunk);
        while self.step().map_err(account::hide_in_fault)? {}
        if self.observed.ended && matches!(self.input, Input::Sse(_)) {
            self.out.end_line();
        }
        Ok(self.out.take())
    }

    /// Reads one event; false when no whole one is left.
    fn step(&mut self) -> Result<bool, StreamFault> {
        let Self { input, stage, observed, out, .. } = self;
        match input.next()? {
            None => return Ok(false),
            Some(Item::Sse(frame)) => stage.frame(&frame, observed, out)?,
            Some(Item::Framing(framing)) => stage.framing(&framing, out),
            Some(Item::Element(element)) => stage.element(&element, observed, out)?,
            Some(Item::Named(frame)) => {
                stage.event(frame.text(":event-type"), &frame.payload, observed, out)?;
            }
            Some(Item::Bare(data)) => stage.event(None, &data, observed, out)?,
            Some(Item::Exception(failure)) if !observed.ended => {
                return Err(StreamFault::Upstream(failure));
            }
            Some(Item::Exception(_) | Item::Skipped) => {}
        }
        input.settle();
        Ok(true)
    }

    /// The provider closed the stream: gives what is still due.
    pub fn finish(&mut self) -> Result<Bytes, StreamFault> {
        if self.closed {
            return Ok(Bytes::new());
        }
        let Self { input, stage, observed, out, .. } = self;
        let tail = input.finish().map_err(account::hide_in_fault)?;
        stage.finish(tail.as_ref(), observed, out).map_err(account::hide_in_fault)?;
        self.closed = true;
        Ok(self.out.take())
    }

    /// What was complete when a fault was found.
    pub fn take_output(&mut self) -> Bytes {
        self.out.take()
    }

    /// Tells the client of an error inside the stream and ends the stream.
    pub fn fail(&mut self, error: &GatewayError, request_id: &str) -> Bytes {
        let closed = std::mem::replace(&mut self.closed, true);
        if closed || (self.observed.ended && self.client != ApiFormat::Gemini) {
            return self.out.take();
        }
        let out = self.out.buffer();
        match (self.client, &mut self.stage, &self.input) {
            (_, Stage::Translate(translation), _) => {
                translation.encoder.fail(error, request_id, out);
            }
            (ApiFormat::Anthropic, ..) => anthropic::error::stream_error(error, request_id, out),
            (ApiFormat::Gemini, _, Input::Array { place, .. }) => {
                gemini::error::append_array(error, request_id, *place, out);
            }
            (ApiFormat::Gemini, ..) => gemini::error::append_sse(error, request_id, out),
            (ApiFormat::OpenAiResponses, ..) => {
                let label = self.label.clone();
                openai_responses::stream::Encoder::new(label, Framing::Sse)
                    .fail(error, request_id, out);
            }
            (ApiFormat::OpenAiChat | ApiFormat::Completions | ApiFormat::Bedrock, ..) => {
                let mut encoder = openai_chat::stream::Encoder::new(self.label.clone());
                if let Some(model) = &self.observed.upstream_model {
                    encoder.name_model(model);
                }
                encoder.fail(error, request_id, out);
            }
        }
        self.out.take()
    }

    /// Bytes that keep the client waiting, for formats that have such; nothing after the end.
    pub fn keep_alive(&self) -> Option<&'static [u8]> {
        if self.closed || self.observed.ended {
            return None;
        }
        super::keep_alive(self.client)
    }

    /// What was learned of the answer so far.
    pub fn observed(&self) -> &Observed {
        &self.observed
    }
}

impl Stage {
    fn frame(
        &mut self,
        frame: &Bytes,
        observed: &mut Observed,
        out: &mut Output,
    ) -> Result<(), StreamFault> {
        match self {
            Self::Tap(tap) => tap.frame(frame, observed, out),
            Self::Translate(translation) => match sse::parse(frame) {
                Some(event) => translation.event(event.name.as_deref(), &event.data, observed, out),
                None => Ok(()),
            },
        }
    }

    fn element(
        &mut self,
        element: &Bytes,
        observed: &mut Observed,
        out: &mut Output,
    ) -> Result<(), StreamFault> {
        match self {
            Self::Tap(tap) => tap.element(element, observed, out),
            Self::Translate(translation) => translation.event(None, element, observed, out),
        }
    }

    /// An event that came without a framing which the client could get.
    fn event(
        &mut self,
        name: Option<&str>,
        data: &[u8],
        observed: &mut Observed,
        out: &mut Output,
    ) -> Result<(), StreamFault> {
        let tap = match self {
            Self::Translate(translation) => return translation.event(name, data, observed, out),
            Self::Tap(tap) => tap,
        };
        let stated = find(data, "type").and_then(|place| as_str(data.get(place)?));
        let mut frame = BytesMut::new();
        match name.or(stated.as_deref()) {
            Some(name) => sse::write_event(&mut frame, name, data),
            None => sse::write_data(&mut frame, data),
        }
        tap.frame(&frame.freeze(), observed, out)
    }

    /// The brackets and commas of an array mean something to an array client only.
    fn framing(&self, framing: &Bytes, out: &mut Output) {
        if matches!(self, Self::Tap(_)) {
            out.forward(framing);
        }
    }

    fn finish(
        &mut self,
        tail: Option<&Bytes>,
        observed: &mut Observed,
        out: &mut Output,
    ) -> Result<(), StreamFault> {
        match self {
            Self::Tap(tap) => tap.finish(tail, observed, out),
            Self::Translate(translation) => translation.end(tail, observed, out),
        }
    }
}

impl Translation {
    fn event(
        &mut self,
        name: Option<&str>,
        data: &[u8],
        observed: &mut Observed,
        out: &mut Output,
    ) -> Result<(), StreamFault> {
        if observed.ended {
            return Ok(());
        }
        let read = self.run(observed, out, |decoder, sink| decoder.event(name, data, sink));
        if !matches!(read, Err(StreamFault::Malformed(_))) || std::str::from_utf8(data).is_ok() {
            return read;
        }
        // Bytes that are no text, as when a model's token ends within a character, cost the
        // characters they stand for and not the stream.
        let mended = String::from_utf8_lossy(data);
        self.run(observed, out, |decoder, sink| decoder.event(name, mended.as_bytes(), sink))
    }

    fn end(
        &mut self,
        tail: Option<&Bytes>,
        observed: &mut Observed,
        out: &mut Output,
    ) -> Result<(), StreamFault> {
        if let Some(event) = tail.and_then(|tail| sse::parse(tail)) {
            match self.event(event.name.as_deref(), &event.data, observed, out) {
                // A torn last event is a missing end, which the decoder knows better.
                Ok(()) | Err(StreamFault::Malformed(_)) => {}
                Err(fault) => return Err(fault),
            }
        }
        self.run(observed, out, |decoder, sink| decoder.finish(sink))?;
        observed.ended = true;
        self.close(observed, out);
        Ok(())
    }

    /// Ends the client's stream, with the cost if it is told.
    fn close(&mut self, observed: &Observed, out: &mut Output) {
        if let Some(charges) = &self.charges {
            self.encoder.charge(charges.charge(observed));
        }
        self.encoder.finish(out.buffer());
    }

    /// Lets the decoder tell events, which are noted and written as they come.
    fn run(
        &mut self,
        observed: &mut Observed,
        out: &mut Output,
        decode: impl FnOnce(
            &mut dyn StreamDecoder,
            &mut dyn FnMut(Event<'_>),
        ) -> Result<(), StreamFault>,
    ) -> Result<(), StreamFault> {
        let Self { decoder, encoder, tools, .. } = self;
        let buffer = out.buffer();
        let mut reported = None;
        let decoded = decode(decoder.as_mut(), &mut |event| {
            if let Event::Error(error) = &event {
                reported.get_or_insert_with(|| failure(error));
            }
            observe::event(observed, &event);
            tools.event(&event, &mut |event| {
                observe::call(observed, event);
                encoder.event(event, buffer);
            });
        });
        decoded?;
        if let Some(failure) = reported {
            return Err(StreamFault::Upstream(failure));
        }
        encoder.settle(out.buffer());
        if observed.ended {
            self.close(observed, out);
        }
        Ok(())
    }
}

/// An error that a decoder told as an event.
fn failure(error: &UpstreamError<'_>) -> super::UpstreamFailure {
    openai_chat::error::from_words(error.code.unwrap_or(200), &error.kind, &error.message)
}

#[cfg(test)]
mod arbitrary;
#[cfg(test)]
mod tests;
