//! A borrowed JSON tree of a client's request, and typed access to it with the path of every
//! complaint.
//!
//! Used by the request decoder alone. The body is read in one pass: text without escapes stays
//! where it is, and what has to survive as written (schemas, arguments of calls) is kept raw. `null`
//! and an absent member are the same thing; of a repeated key the last one counts.

use crate::formats::FormatError;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// Members whose value is kept as text.
const RAW_KEYS: [&str; 3] = ["input", "input_schema", "schema"];

/// Names of what the neutral request cannot say.
pub(super) type Lost<'a> = Vec<Cow<'a, str>>;

/// A JSON value.
#[derive(Debug, Default)]
pub(super) enum Node<'a> {
    #[default]
    Null,
    Bool(bool),
    /// A whole number that is not negative.
    Count(u64),
    Number(f64),
    Text(Cow<'a, str>),
    Array(Vec<Node<'a>>),
    Object(Vec<(Cow<'a, str>, Node<'a>)>),
    /// The value of one of [`RAW_KEYS`].
    Raw(&'a RawValue),
}

impl<'a> Node<'a> {
    /// Reads a whole JSON text.
    pub(super) fn parse(json: &'a [u8]) -> Result<Self, serde_json::Error> {
        let mut reader = serde_json::Deserializer::from_slice(json);
        let node = NodeSeed.deserialize(&mut reader)?;
        reader.end()?;
        Ok(node)
    }

    fn is_null(&self) -> bool {
        matches!(self, Self::Null) || matches!(self, Self::Raw(raw) if raw.get() == "null")
    }

    /// Whether the value says nothing: null, or a container without members.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Array(items) => items.is_empty(),
            Self::Object(members) => members.is_empty(),
            other => other.is_null(),
        }
    }

    /// The text of a string.
    pub(super) fn into_text(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

struct NodeSeed;

impl<'de> DeserializeSeed<'de> for NodeSeed {
    type Value = Node<'de>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Node<'de>, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for NodeSeed {
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

    #[expect(clippy::cast_precision_loss, reason = "no negative number of a request is large")]
    fn visit_i64<E>(self, value: i64) -> Result<Node<'de>, E> {
        Ok(u64::try_from(value).map_or(Node::Number(value as f64), Node::Count))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node<'de>, E> {
        Ok(Node::Count(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node<'de>, E> {
        Ok(Node::Number(value))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut reader: A) -> Result<Node<'de>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = reader.next_element_seed(Self)? {
            items.push(item);
        }
        Ok(Node::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut reader: A) -> Result<Node<'de>, A::Error> {
        let mut members = Vec::new();
        while let Some(key) = reader.next_key_seed(Self)? {
            let key = key.into_text().unwrap_or_default();
            let value = if RAW_KEYS.contains(&key.as_ref()) {
                Node::Raw(reader.next_value()?)
            } else {
                reader.next_value_seed(Self)?
            };
            members.push((key, value));
        }
        Ok(Node::Object(members))
    }
}

/// Where in the request a value stands; written out only for a complaint.
#[derive(Debug, Clone, Copy)]
pub(super) enum Path<'p> {
    /// The request.
    Root,
    /// A member of an object.
    Key(&'p Path<'p>, &'p str),
    /// An element of an array.
    Index(&'p Path<'p>, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Key(Self::Root, key) => out.write_str(key),
            Self::Key(parent, key) => write!(out, "{parent}.{key}"),
            Self::Index(parent, index) => write!(out, "{parent}[{index}]"),
        }
    }
}

impl<'p> Path<'p> {
    /// The path of a member.
    pub(super) fn key(&'p self, key: &'p str) -> Path<'p> {
        Path::Key(self, key)
    }

    /// The path of an element.
    pub(super) fn index(&'p self, index: usize) -> Path<'p> {
        Path::Index(self, index)
    }

    /// A complaint about the value here.
    pub(super) fn fault(&self, complaint: &str) -> FormatError {
        let path = self.to_string();
        if path.is_empty() {
            return FormatError::whole(format!("the request body {complaint}"));
        }
        let message = format!("`{path}` {complaint}");
        FormatError::field(path, message)
    }
}

/// An object being read: every access takes the member out, so that what is left is unknown.
#[derive(Debug)]
pub(super) struct Fields<'a, 'p> {
    members: Vec<(Cow<'a, str>, Node<'a>)>,
    /// Where the object stands.
    pub(super) path: Path<'p>,
}

impl<'a, 'p> Fields<'a, 'p> {
    /// Expects an object.
    pub(super) fn new(node: Node<'a>, path: Path<'p>) -> Result<Self, FormatError> {
        match node {
            Node::Object(members) => Ok(Self { members, path }),
            _ => Err(path.fault("must be an object")),
        }
    }

    /// A member of any type.
    pub(super) fn take(&mut self, key: &str) -> Option<Node<'a>> {
        let (_, value) = self.members.iter_mut().rev().find(|(name, _)| name == key)?;
        let taken = std::mem::take(value);
        (!taken.is_null()).then_some(taken)
    }

    /// A complaint about a member.
    pub(super) fn fault(&self, key: &str, complaint: &str) -> FormatError {
        self.path.key(key).fault(complaint)
    }

    /// A string.
    pub(super) fn text(&mut self, key: &str) -> Result<Option<Cow<'a, str>>, FormatError> {
        match self.take(key) {
            None => Ok(None),
            Some(Node::Text(text)) => Ok(Some(text)),
            Some(_) => Err(self.fault(key, "must be a string")),
        }
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
        match self.take(key) {
            None => Ok(None),
            Some(Node::Bool(value)) => Ok(Some(value)),
            Some(_) => Err(self.fault(key, "must be true or false")),
        }
    }

    /// A whole number of at least `least`.
    pub(super) fn count(&mut self, key: &str, least: u64) -> Result<Option<u64>, FormatError> {
        match self.take(key) {
            None => Ok(None),
            Some(Node::Count(count)) if count >= least => Ok(Some(count)),
            Some(_) => Err(self.fault(key, &format!("must be a whole number of at least {least}"))),
        }
    }

    /// A number from 0 to `most`.
    pub(super) fn number(&mut self, key: &str, most: f64) -> Result<Option<f64>, FormatError> {
        #[expect(clippy::cast_precision_loss, reason = "sampling settings are small")]
        let number = match self.take(key) {
            None => return Ok(None),
            Some(Node::Number(number)) => number,
            Some(Node::Count(count)) => count as f64,
            Some(_) => return Err(self.fault(key, "must be a number")),
        };
        if (0.0..=most).contains(&number) {
            return Ok(Some(number));
        }
        Err(self.fault(key, &format!("must be a number from 0 to {most}")))
    }

    /// An array.
    pub(super) fn array(&mut self, key: &str) -> Result<Option<Vec<Node<'a>>>, FormatError> {
        match self.take(key) {
            None => Ok(None),
            Some(Node::Array(items)) => Ok(Some(items)),
            Some(_) => Err(self.fault(key, "must be an array")),
        }
    }

    /// One of [`RAW_KEYS`] as it was written.
    pub(super) fn raw(&mut self, key: &str) -> Option<&'a RawValue> {
        match self.take(key) {
            Some(Node::Raw(raw)) => Some(raw),
            _ => None,
        }
    }

    /// One of [`RAW_KEYS`] that has to be an object if it is there.
    pub(super) fn raw_object(&mut self, key: &str) -> Result<Option<&'a RawValue>, FormatError> {
        let raw = self.raw(key);
        if raw.is_some_and(|raw| !raw.get().starts_with('{')) {
            return Err(self.fault(key, "must be an object"));
        }
        Ok(raw)
    }

    /// Names the members that nobody took, as far as they have a name.
    pub(super) fn rest(self, lost: &mut Lost<'a>) {
        let members = self.members.into_iter();
        let left = members.filter(|(key, value)| !key.is_empty() && !value.is_null());
        lost.extend(left.map(|(key, _)| key));
    }
}
