//! Reads a whole answer in this format.

use crate::chat::Response;
use crate::formats::FormatError;

/// Reads the body of an answer.
pub fn decode(_body: &[u8]) -> Result<Response<'_>, FormatError> {
    Err(FormatError::whole("stub"))
}
