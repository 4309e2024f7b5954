//! Writes neutral events as a stream of this format.

use crate::chat::Event;
use crate::error::GatewayError;
use crate::formats::{AnswerLabel, Framing, StreamEncoder};
use bytes::BytesMut;

/// Writes one stream.
#[derive(Debug)]
pub struct Encoder {}

impl Encoder {
    /// An encoder for one answer.
    pub fn new(_label: AnswerLabel, _framing: Framing) -> Self {
        Self {}
    }
}

impl StreamEncoder for Encoder {
    fn event(&mut self, _event: &Event<'_>, _out: &mut BytesMut) {}
    fn finish(&mut self, _out: &mut BytesMut) {}
    fn fail(&mut self, _error: &GatewayError, _request_id: &str, _out: &mut BytesMut) {}
}
