//! Writes a neutral request in this format.

use crate::chat::Request;
use crate::formats::{EncodedRequest, FormatError, Target};

/// Writes the request for the target; the error names the field that cannot be expressed.
pub fn encode(_request: &Request<'_>, _target: Target<'_>) -> Result<EncodedRequest, FormatError> {
    Err(FormatError::whole("stub"))
}
