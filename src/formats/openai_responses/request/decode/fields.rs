//! Typed access to the members of a client's object, with the path of every complaint.
//!
//! Used by the request decoder. Each access takes its member, so that what is left at the end is
//! what nobody understood.

use crate::formats::FormatError;
use crate::formats::openai_responses::object::{Object, count, elements, text};
pub(super) use crate::formats::path::Path;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// An object being read.
#[derive(Debug)]
pub(super) struct Fields<'a, 'p> {
    object: Object<'a>,
    /// Where the object stands.
    pub(super) path: Path<'p>,
}

impl<'a, 'p> Fields<'a, 'p> {
    /// The members of the whole request.
    pub(super) fn root(object: Object<'a>) -> Self {
        Self { object, path: Path::Root }
    }

    /// Expects an object.
    pub(super) fn new(raw: &'a RawValue, path: Path<'p>) -> Result<Self, FormatError> {
        match Object::read(raw) {
            Some(object) => Ok(Self { object, path }),
            None => Err(path.fault("must be an object")),
        }
    }

    /// A member of any type.
    pub(super) fn take(&mut self, key: &str) -> Option<&'a RawValue> {
        self.object.take(key)
    }

    /// A complaint about a member.
    pub(super) fn fault(&self, key: &str, complaint: &str) -> FormatError {
        self.path.key(key).fault(complaint)
    }

    /// A string.
    pub(super) fn text(&mut self, key: &str) -> Result<Option<Cow<'a, str>>, FormatError> {
        let Some(raw) = self.take(key) else { return Ok(None) };
        text(raw).map(Some).ok_or_else(|| self.fault(key, "must be a string"))
    }

    /// A string that has to be there.
    pub(super) fn required_text(&mut self, key: &str) -> Result<Cow<'a, str>, FormatError> {
        self.text(key)?.ok_or_else(|| self.fault(key, "is missing"))
    }

    /// A string that has to be there and to hold something.
    pub(super) fn required_name(&mut self, key: &str) -> Result<Cow<'a, str>, FormatError> {
        let text = self.required_text(key)?;
        if text.is_empty() {
            return Err(self.fault(key, "must not be empty"));
        }
        Ok(text)
    }

    /// True or false.
    pub(super) fn boolean(&mut self, key: &str) -> Result<Option<bool>, FormatError> {
        match self.take(key).map(RawValue::get) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(self.fault(key, "must be true or false")),
        }
    }

    /// A whole number of at least `least`.
    pub(super) fn count(&mut self, key: &str, least: u64) -> Result<Option<u64>, FormatError> {
        let Some(raw) = self.take(key) else { return Ok(None) };
        match count(raw).filter(|count| *count >= least) {
            Some(count) => Ok(Some(count)),
            None => Err(self.fault(key, &format!("must be a whole number of at least {least}"))),
        }
    }

    /// A number from `least` to `most`.
    pub(super) fn number(
        &mut self,
        key: &str,
        least: f64,
        most: f64,
    ) -> Result<Option<f64>, FormatError> {
        let Some(raw) = self.take(key) else { return Ok(None) };
        match serde_json::from_str(raw.get()) {
            Ok(number) if (least..=most).contains(&number) => Ok(Some(number)),
            _ => Err(self.fault(key, &format!("must be a number from {least} to {most}"))),
        }
    }

    /// An array.
    pub(super) fn array(&mut self, key: &str) -> Result<Option<Vec<&'a RawValue>>, FormatError> {
        let Some(raw) = self.take(key) else { return Ok(None) };
        elements(raw).map(Some).ok_or_else(|| self.fault(key, "must be an array"))
    }

    /// An object, as text of JSON.
    pub(super) fn raw_object(&mut self, key: &str) -> Result<Option<&'a RawValue>, FormatError> {
        match self.take(key) {
            Some(raw) if !raw.get().starts_with('{') => Err(self.fault(key, "must be an object")),
            found => Ok(found),
        }
    }

    /// Names of the members nobody took, as far as they have any.
    pub(super) fn rest(self) -> Vec<Cow<'a, str>> {
        self.object.names().filter(|name| !name.is_empty()).collect()
    }
}
