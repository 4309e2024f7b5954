//! The top level of the body: every parameter passes the provider's dialect here.
//!
//! Used by all parts of the encoder. A parameter that the dialect does not take is noted as lost
//! or refused; one that has another name there is renamed.

use crate::formats::openai_chat::dialect::Dialect;
use crate::formats::{EncodedRequest, FormatError, Target};
use serde::Serialize;
use std::borrow::Cow;

/// A body being written.
pub(super) struct Body<'t> {
    out: Vec<u8>,
    pub(super) model: &'t str,
    pub(super) dialect: &'t Dialect,
    /// Names of the client's fields that were left out.
    pub(super) lost: Vec<Cow<'static, str>>,
}

impl<'t> Body<'t> {
    pub(super) fn new(target: Target<'t>) -> Self {
        let Target { model, dialect, .. } = target;
        Self { out: vec![b'{'], model, dialect, lost: Vec::new() }
    }

    /// Whether the model may get the parameter.
    pub(super) fn takes(&self, name: &str) -> bool {
        self.dialect.takes_translated(self.model, name)
    }

    /// Notes that a field of the client is left out.
    pub(super) fn lose(&mut self, name: &'static str) {
        self.lost.push(Cow::Borrowed(name));
    }

    /// Writes a parameter under the provider's name, if it takes it.
    pub(super) fn put<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), FormatError> {
        if !self.takes(name) {
            if Dialect::is_meaningful(name) {
                let message = format!("`{name}` is not supported for this model");
                return Err(FormatError::field(name, message));
            }
            self.lose(name);
            return Ok(());
        }
        if self.out.len() > 1 {
            self.out.push(b',');
        }
        crate::json::write_string(&mut self.out, self.dialect.name_of(name));
        self.out.push(b':');
        serde_json::to_writer(&mut self.out, value)
            .map_err(|error| FormatError::whole(format!("`{name}` cannot be written: {error}")))
    }

    /// [`Self::put`] for a parameter that the client may not have given.
    pub(super) fn put_some<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: Option<&T>,
    ) -> Result<(), FormatError> {
        value.map_or(Ok(()), |value| self.put(name, value))
    }

    /// The whole body.
    pub(super) fn finish(mut self) -> EncodedRequest {
        self.out.push(b'}');
        self.lost.sort_unstable();
        self.lost.dedup();
        EncodedRequest { body: self.out.into(), dropped: self.lost }
    }
}
