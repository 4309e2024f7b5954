//! A JSON object whose values stay text until they are asked for.
//!
//! Used by every reader of this format. Text borrows from the input unless it holds escapes; a
//! value of an unexpected type reads as absent, as does `null`; of a repeated key the last counts.
//! Whoever has to complain about a wrong type uses the request decoder's `Fields` instead.

use crate::json;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// The members of an object, in order.
#[derive(Debug, Default)]
pub(super) struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Object<'a> {
    /// Reads a whole JSON text.
    pub(super) fn parse(json: &'a [u8]) -> Result<Self, serde_json::Error> {
        let mut reader = serde_json::Deserializer::from_slice(json);
        let members = reader.deserialize_map(MembersVisitor)?;
        reader.end()?;
        Ok(Self(members))
    }

    /// Reads a value; `None` when it is no object.
    pub(super) fn read(raw: &'a RawValue) -> Option<Self> {
        Self::parse(raw.get().as_bytes()).ok()
    }

    /// A member as text of JSON.
    pub(super) fn raw(&self, key: &str) -> Option<&'a RawValue> {
        let (_, value) = self.0.iter().rev().find(|(name, _)| name == key)?;
        (value.get() != "null").then_some(*value)
    }

    /// Takes a member out, so that it is no longer among the rest.
    pub(super) fn take(&mut self, key: &str) -> Option<&'a RawValue> {
        let value = self.raw(key);
        self.0.retain(|(name, _)| name != key);
        value
    }

    /// A string.
    pub(super) fn text(&self, key: &str) -> Option<Cow<'a, str>> {
        text(self.raw(key)?)
    }

    /// A string that holds something.
    pub(super) fn word(&self, key: &str) -> Option<Cow<'a, str>> {
        self.text(key).filter(|text| !text.is_empty())
    }

    /// A whole number that is not negative, however it is written.
    pub(super) fn count(&self, key: &str) -> Option<u64> {
        count(self.raw(key)?)
    }

    /// An object.
    pub(super) fn object(&self, key: &str) -> Option<Self> {
        Self::read(self.raw(key)?)
    }

    /// The objects of an array.
    pub(super) fn objects(&self, key: &str) -> Vec<Self> {
        let elements = self.raw(key).and_then(elements).unwrap_or_default();
        elements.into_iter().filter_map(Self::read).collect()
    }

    /// Names of the members that are left and say something.
    pub(super) fn names(self) -> impl Iterator<Item = Cow<'a, str>> {
        self.0.into_iter().filter(|(_, value)| value.get() != "null").map(|(name, _)| name)
    }
}

/// The text of a string.
pub(super) fn text(raw: &RawValue) -> Option<Cow<'_, str>> {
    json::as_str(raw.get().as_bytes())
}

/// The elements of an array.
pub(super) fn elements(raw: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(raw.get()).ok()
}

/// A whole number that is not negative.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be whole and below 2^53"
)]
pub(super) fn count(raw: &RawValue) -> Option<u64> {
    let written = raw.get();
    written.parse().ok().or_else(|| {
        let number: f64 = serde_json::from_str(written).ok()?;
        (number.fract() == 0.0 && (0.0..9e15).contains(&number)).then_some(number as u64)
    })
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((key, value)) = map.next_entry::<Key<'de>, &'de RawValue>()? {
            members.push((key.0, value));
        }
        Ok(members)
    }
}

/// A member's name, borrowed where possible.
#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_other_types_read_as_absent() {
        let json = br#"{"a":"x","a":"y","n":7,"f":7.0,"neg":-1,"half":0.5,"z":null,"o":{"k":[{"i":1},2]},"e":"q\u00e9"}"#;
        let object = Object::parse(json).unwrap();
        assert!(matches!(object.text("a"), Some(Cow::Borrowed("y"))));
        assert_eq!(object.text("e").as_deref(), Some("qé"));
        assert_eq!(
            ["n", "f", "neg", "half", "a", "z"].map(|key| object.count(key)),
            [Some(7), Some(7), None, None, None, None]
        );
        assert!(object.raw("z").is_none() && object.text("n").is_none());
        assert_eq!(object.object("o").unwrap().objects("k").len(), 1);
        for broken in ["[]", "{", "{\"a\":}", "{} x", "\"a\""] {
            assert!(Object::parse(broken.as_bytes()).is_err(), "{broken}");
        }
    }
}
