//! Reads a client's request into neutral terms.

use crate::chat;
use crate::formats::FormatError;

/// Reads the body of a request.
pub fn decode(_body: &[u8]) -> Result<chat::Request<'_>, FormatError> {
    Err(FormatError::whole("stub"))
}
