//! Writes a whole answer in this format.

use crate::chat::Response;
use crate::formats::AnswerLabel;
use bytes::Bytes;

/// Writes the answer under the gateway's label.
pub fn encode(_response: &Response<'_>, _label: &AnswerLabel) -> Bytes {
    Bytes::new()
}
