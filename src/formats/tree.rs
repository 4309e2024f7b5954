//! A borrowed JSON tree, and typed access to it with the path of every complaint.
//!
//! Requests, answers and stream chunks of OpenAI's chat format and requests of Anthropic's are read
//! through it, in one pass over the bytes: text without escapes stays where it is, and the few
//! members that have to survive as written (schemas, tool arguments) are kept as raw text; which
//! they are, the format says. `null` and an absent member are the same thing everywhere; of a
//! repeated key the last one counts.

use super::FormatError;
use super::path::Path;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// A JSON value.
#[derive(Debug, Default)]
pub(crate) enum Node<'a> {
    #[default]
    Null,
    Bool(bool),
    Integer(i64),
    /// An integer above `i64::MAX`.
    Unsigned(u64),
    Float(f64),
    Text(Cow<'a, str>),
    Array(Vec<Node<'a>>),
    Object(Vec<(Cow<'a, str>, Node<'a>)>),
    /// The value of a member that is kept raw.
    Raw(&'a RawValue),
}

impl<'a> Node<'a> {
    /// Reads a whole JSON text; the values of members called like one of `raw_keys` stay text.
    pub(crate) fn parse(json: &'a [u8], raw_keys: &[&str]) -> Result<Self, serde_json::Error> {
        let mut reader = serde_json::Deserializer::from_slice(json);
        let node = NodeSeed { raw_keys }.deserialize(&mut reader)?;
        reader.end()?;
        Ok(node)
    }

    /// The member `key` of an object, unless it is null.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        let Self::Object(members) = self else { return None };
        let (_, value) = members.iter().rev().find(|(name, _)| name == key)?;
        (!value.is_null()).then_some(value)
    }

    /// Takes the member `key` out of an object, unless it is null.
    pub(crate) fn take(&mut self, key: &str) -> Option<Self> {
        let Self::Object(members) = self else { return None };
        let (_, value) = members.iter_mut().rev().find(|(name, _)| name == key)?;
        let taken = std::mem::take(value);
        (!taken.is_null()).then_some(taken)
    }

    pub(crate) fn is_null(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Raw(raw) => raw.get() == "null",
            _ => false,
        }
    }

    /// Whether the value says nothing: null, or a container without members.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Array(items) => items.is_empty(),
            Self::Object(members) => members.is_empty(),
            other => other.is_null(),
        }
    }

    /// The text of a string.
    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The text of a string, owned by the caller.
    pub(crate) fn into_text(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The elements of an array; of anything else none.
    pub(crate) fn into_items(self) -> Vec<Self> {
        match self {
            Self::Array(items) => items,
            _ => Vec::new(),
        }
    }

    /// A count: a whole number that is not negative, however it is written.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be whole and below 2^53"
    )]
    pub(crate) fn as_count(&self) -> Option<u64> {
        match *self {
            Self::Integer(number) => u64::try_from(number).ok(),
            Self::Unsigned(number) => Some(number),
            Self::Float(number) if number.fract() == 0.0 && (0.0..9e15).contains(&number) => {
                Some(number as u64)
            }
            Self::Raw(raw) => serde_json::from_str(raw.get()).ok(),
            _ => None,
        }
    }

    /// The value as JSON text, written anew unless it was kept raw.
    pub(super) fn into_raw(self) -> Option<Cow<'a, RawValue>> {
        match self {
            Self::Raw(raw) => Some(Cow::Borrowed(raw)),
            node => serde_json::value::to_raw_value(&node).ok().map(Cow::Owned),
        }
    }

    /// JSON text of a tool call's arguments: a string holds it, an object is it.
    pub(crate) fn into_json_text(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Text(text) => Some(text),
            Self::Raw(raw) if raw.get().starts_with('"') => {
                match Node::parse(raw.get().as_bytes(), &[]) {
                    Ok(Self::Text(text)) => Some(text),
                    _ => None,
                }
            }
            Self::Raw(raw) if raw.get() != "null" => Some(Cow::Borrowed(raw.get())),
            _ => None,
        }
    }
}

impl Serialize for Node<'_> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => out.serialize_unit(),
            Self::Bool(value) => out.serialize_bool(*value),
            Self::Integer(number) => out.serialize_i64(*number),
            Self::Unsigned(number) => out.serialize_u64(*number),
            Self::Float(number) => out.serialize_f64(*number),
            Self::Text(text) => out.serialize_str(text),
            Self::Array(items) => out.collect_seq(items),
            Self::Object(members) => {
                out.collect_map(members.iter().map(|(key, value)| (key, value)))
            }
            Self::Raw(raw) => raw.serialize(out),
        }
    }
}

/// Reads a value and all that is in it.
#[derive(Clone, Copy)]
struct NodeSeed<'k> {
    raw_keys: &'k [&'k str],
}

impl<'de> DeserializeSeed<'de> for NodeSeed<'_> {
    type Value = Node<'de>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Node<'de>, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for NodeSeed<'_> {
    type Value = Node<'de>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Node<'de>, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node<'de>, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node<'de>, E> {
        Ok(Node::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node<'de>, E> {
        Ok(i64::try_from(value).map_or(Node::Unsigned(value), Node::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node<'de>, E> {
        Ok(Node::Float(value))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut reader: A) -> Result<Node<'de>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = reader.next_element_seed(self)? {
            items.push(item);
        }
        Ok(Node::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut reader: A) -> Result<Node<'de>, A::Error> {
        let mut members = Vec::new();
        while let Some(key) = reader.next_key_seed(self)? {
            let key = key.into_text().ok_or_else(|| A::Error::custom("a key is not a string"))?;
            let value = if self.raw_keys.contains(&key.as_ref()) {
                Node::Raw(reader.next_value()?)
            } else {
                reader.next_value_seed(self)?
            };
            members.push((key, value));
        }
        Ok(Node::Object(members))
    }
}

/// An object being read: each `take` removes a member, so that what is left is unknown.
#[derive(Debug)]
pub(crate) struct Fields<'a, 'p> {
    node: Node<'a>,
    /// Where the object stands.
    pub(crate) path: Path<'p>,
}

impl<'a, 'p> Fields<'a, 'p> {
    /// Expects an object.
    pub(crate) fn new(node: Node<'a>, path: Path<'p>) -> Result<Self, FormatError> {
        match node {
            Node::Object(_) => Ok(Self { node, path }),
            _ => Err(path.fault("must be an object")),
        }
    }

    /// A member of any type.
    pub(crate) fn take(&mut self, key: &str) -> Option<Node<'a>> {
        self.node.take(key)
    }

    /// A complaint about a member.
    pub(crate) fn fault(&self, key: &str, complaint: &str) -> FormatError {
        self.path.key(key).fault(complaint)
    }

    /// A string.
    pub(crate) fn text(&mut self, key: &str) -> Result<Option<Cow<'a, str>>, FormatError> {
        match self.take(key) {
            None => Ok(None),
            Some(Node::Text(text)) => Ok(Some(text)),
            Some(_) => Err(self.fault(key, "must be a string")),
        }
    }

    /// A string that has to be there.
    pub(crate) fn required_text(&mut self, key: &str) -> Result<Cow<'a, str>, FormatError> {
        self.text(key)?.ok_or_else(|| self.fault(key, "is missing"))
    }

    /// A string that has to be there and to hold something.
    pub(crate) fn required_name(&mut self, key: &str) -> Result<Cow<'a, str>, FormatError> {
        let text = self.required_text(key)?;
        if text.is_empty() {
            return Err(self.fault(key, "must not be empty"));
        }
        Ok(text)
    }

    /// True or false.
    pub(crate) fn boolean(&mut self, key: &str) -> Result<Option<bool>, FormatError> {
        match self.take(key) {
            None => Ok(None),
            Some(Node::Bool(value)) => Ok(Some(value)),
            Some(Node::Raw(raw)) if raw.get() == "true" => Ok(Some(true)),
            Some(Node::Raw(raw)) if raw.get() == "false" => Ok(Some(false)),
            Some(_) => Err(self.fault(key, "must be true or false")),
        }
    }

    /// A whole number from `least` to `most`.
    pub(crate) fn count(
        &mut self,
        key: &str,
        least: u64,
        most: u64,
    ) -> Result<Option<u64>, FormatError> {
        let Some(node) = self.take(key) else { return Ok(None) };
        match node.as_count() {
            Some(count) if (least..=most).contains(&count) => Ok(Some(count)),
            _ if most == u64::MAX => {
                Err(self.fault(key, &format!("must be a whole number of at least {least}")))
            }
            _ => Err(self.fault(key, &format!("must be a whole number from {least} to {most}"))),
        }
    }

    /// A whole number of at least `least`, written without a fraction.
    pub(crate) fn plain_count(
        &mut self,
        key: &str,
        least: u64,
    ) -> Result<Option<u64>, FormatError> {
        let count = match self.take(key) {
            None => return Ok(None),
            Some(Node::Integer(number)) => u64::try_from(number).ok(),
            Some(Node::Unsigned(number)) => Some(number),
            Some(_) => None,
        };
        match count {
            Some(count) if count >= least => Ok(Some(count)),
            _ => Err(self.fault(key, &format!("must be a whole number of at least {least}"))),
        }
    }

    /// A whole number of either sign.
    pub(crate) fn integer(&mut self, key: &str) -> Result<Option<i64>, FormatError> {
        match self.take(key) {
            None => Ok(None),
            Some(Node::Integer(number)) => Ok(Some(number)),
            Some(node) => match node.as_count().map(i64::try_from) {
                Some(Ok(number)) => Ok(Some(number)),
                _ => Err(self.fault(key, "must be a whole number of 64 bits")),
            },
        }
    }

    /// A number from `least` to `most`.
    pub(crate) fn number(
        &mut self,
        key: &str,
        least: f64,
        most: f64,
    ) -> Result<Option<f64>, FormatError> {
        #[expect(clippy::cast_precision_loss, reason = "sampling settings are small")]
        let number = match self.take(key) {
            None => return Ok(None),
            Some(Node::Float(number)) => number,
            Some(Node::Integer(number)) => number as f64,
            Some(_) => return Err(self.fault(key, "must be a number")),
        };
        if (least..=most).contains(&number) {
            return Ok(Some(number));
        }
        Err(self.fault(key, &format!("must be a number from {least} to {most}")))
    }

    /// An array.
    pub(crate) fn array(&mut self, key: &str) -> Result<Option<Vec<Node<'a>>>, FormatError> {
        match self.take(key) {
            None => Ok(None),
            Some(Node::Array(items)) => Ok(Some(items)),
            Some(_) => Err(self.fault(key, "must be an array")),
        }
    }

    /// A member that is kept raw, as text; it has to be an object.
    pub(crate) fn raw_object(&mut self, key: &str) -> Result<Option<&'a RawValue>, FormatError> {
        match self.take(key) {
            None => Ok(None),
            Some(Node::Raw(raw)) if raw.get().starts_with('{') => Ok(Some(raw)),
            Some(_) => Err(self.fault(key, "must be an object")),
        }
    }

    /// An object whose members matter to nobody here, as JSON text.
    pub(super) fn opaque_object(
        &mut self,
        key: &str,
    ) -> Result<Option<Cow<'a, RawValue>>, FormatError> {
        match self.take(key) {
            None => Ok(None),
            Some(node @ Node::Object(_)) => Ok(node.into_raw()),
            Some(_) => Err(self.fault(key, "must be an object")),
        }
    }

    /// Names of the members nobody took, as far as they have any.
    pub(crate) fn rest(self) -> Vec<Cow<'a, str>> {
        let Node::Object(members) = self.node else { return Vec::new() };
        let left = members.into_iter().filter(|(key, value)| !key.is_empty() && !value.is_null());
        left.map(|(key, _)| key).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(json: &str) -> Fields<'_, '_> {
        Fields::new(Node::parse(json.as_bytes(), &["schema"]).unwrap(), Path::Root).unwrap()
    }

    #[test]
    fn the_members_that_were_named_stay_as_they_are_written() {
        let mut read = fields(r#"{"schema":{"b":1.0,"a":[ ]},"other":{"schema":{ }}}"#);
        let schema = read.raw_object("schema").unwrap().map(RawValue::get);
        assert_eq!(schema, Some(r#"{"b":1.0,"a":[ ]}"#));
        let mut other = read.take("other").unwrap();
        assert!(matches!(other.take("schema"), Some(Node::Raw(raw)) if raw.get() == "{ }"));
        assert!(fields(r#"{"other":{}}"#).raw_object("other").is_err());
    }

    #[test]
    fn only_a_count_may_be_written_with_a_fraction() {
        for (number, count, plain_count) in [
            ("5", Some(5), Some(5)),
            ("5.0", Some(5), None),
            ("18446744073709551615", Some(u64::MAX), Some(u64::MAX)),
            ("0", None, None),
            ("-1", None, None),
            ("5.5", None, None),
            ("\"5\"", None, None),
        ] {
            let json = format!(r#"{{"n":{number}}}"#);
            assert_eq!(fields(&json).count("n", 1, u64::MAX).ok().flatten(), count, "{number}");
            assert_eq!(fields(&json).plain_count("n", 1).ok().flatten(), plain_count, "{number}");
        }
    }
}
