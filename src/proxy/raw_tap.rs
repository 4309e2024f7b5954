//! Reads usage from a raw answer in passing, and masks the provider's key in its errors.
//!
//! The bytes are the provider's; only a key that an error echoes is overwritten, with as many
//! characters, so that lengths stay true. What is buffered is bounded: an answer too large to be
//! read is relayed all the same, without counts.

use crate::formats::usage_reader::UsageReader;
use crate::formats::{ApiFormat, Observed};
use crate::providers::Provider;
use crate::sse;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::CONTENT_TYPE;

/// Largest whole answer that is looked at.
const MAX_LOOKED_AT_BYTES: usize = 4 * 1024 * 1024;
/// Largest error answer that is held back to be masked.
const MAX_MASKED_BYTES: usize = 64 * 1024;

/// A passive reader of one raw answer.
pub struct RawTap {
    status: u16,
    kind: Kind,
    frames: sse::Frames,
    buffer: BytesMut,
    observed: Observed,
    usage: UsageReader,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Opaque,
    Json,
    Stream,
    Error,
}

impl RawTap {
    /// A reader for the answers of a provider that speaks `format`.
    pub fn new(format: ApiFormat) -> Self {
        Self {
            status: 0,
            kind: Kind::Opaque,
            frames: sse::Frames::new(),
            buffer: BytesMut::new(),
            observed: Observed::default(),
            usage: UsageReader::new(format),
        }
    }

    /// Looks at the header of the answer.
    pub fn start(&mut self, status: u16, headers: &HeaderMap) {
        self.status = status;
        let media_type =
            headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        self.kind = if status >= 400 {
            Kind::Error
        } else if media_type.starts_with("text/event-stream") {
            Kind::Stream
        } else if media_type.starts_with("application/json") {
            Kind::Json
        } else {
            Kind::Opaque
        };
    }

    /// Status of the answer; 0 before its header came.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// What was learned so far.
    pub fn observed(&self) -> &Observed {
        &self.observed
    }

    /// Looks at a piece of the body; only an error's bytes may be changed.
    pub fn watch(&mut self, body: &mut Option<Bytes>, end_of_stream: bool, provider: &Provider) {
        match self.kind {
            Kind::Opaque => {}
            Kind::Stream => self.watch_stream(body.as_ref()),
            Kind::Json => self.watch_json(body.as_ref(), end_of_stream),
            Kind::Error => self.mask(body, end_of_stream, provider),
        }
    }

    fn watch_stream(&mut self, body: Option<&Bytes>) {
        let Some(chunk) = body else { return };
        self.frames.push(chunk.clone());
        loop {
            match self.frames.next() {
                Ok(Some(frame)) => {
                    if let Some(event) = sse::parse(&frame) {
                        self.observed.saw_content = true;
                        self.read_usage(&event.data);
                    }
                }
                Ok(None) => return,
                Err(_) => {
                    self.kind = Kind::Opaque;
                    return;
                }
            }
        }
    }

    fn watch_json(&mut self, body: Option<&Bytes>, end_of_stream: bool) {
        if let Some(chunk) = body {
            if self.buffer.len().saturating_add(chunk.len()) > MAX_LOOKED_AT_BYTES {
                self.kind = Kind::Opaque;
                self.buffer = BytesMut::new();
                return;
            }
            self.buffer.extend_from_slice(chunk);
        }
        if end_of_stream {
            let whole = self.buffer.split().freeze();
            self.observed.saw_content = true;
            self.read_usage(&whole);
        }
    }

    fn read_usage(&mut self, json: &[u8]) {
        self.usage.read(json);
        self.observed.usage = self.usage.usage();
        if self.observed.upstream_model.is_none() {
            self.observed.upstream_model = self.usage.model().map(str::to_owned);
        }
    }

    /// Errors are held back to their end, because a key may be split between two pieces.
    fn mask(&mut self, body: &mut Option<Bytes>, end_of_stream: bool, provider: &Provider) {
        if let Some(chunk) = body.take() {
            self.buffer.extend_from_slice(&chunk);
        }
        if end_of_stream || self.buffer.len() > MAX_MASKED_BYTES {
            provider.mask(&mut self.buffer);
            *body = Some(self.buffer.split().freeze());
        }
    }
}
