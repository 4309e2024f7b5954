//! Typed access to a client's JSON, one level at a time, with the path of every complaint.
//!
//! Values stay raw until somebody reads them, so that schemas and arguments keep their bytes. Both
//! spellings of a name are the same member (`inlineData`, `inline_data`), complaints use Google's.
//! `null` and an absent member are the same thing; of a repeated name the last one counts.

use crate::formats::FormatError;
pub(super) use crate::formats::path::Path;
use crate::json::as_str;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// The text of a string value.
pub(super) fn text_of(raw: &RawValue) -> Option<Cow<'_, str>> {
    as_str(raw.get().as_bytes())
}

/// Whether the value begins like this.
pub(super) fn begins(raw: &RawValue, byte: char) -> bool {
    raw.get().starts_with(byte)
}

/// The elements of an array without its nulls; any other value is taken for its only element, as
/// Google's own examples leave the brackets out.
pub(super) fn items(raw: &RawValue) -> Vec<&RawValue> {
    match serde_json::from_str::<Vec<&RawValue>>(raw.get()) {
        Ok(mut items) => {
            items.retain(|item| item.get() != "null");
            items
        }
        Err(_) => vec![raw],
    }
}

/// An object being read: each `take` removes a member, so that what is left is unknown.
#[derive(Debug)]
pub(super) struct Fields<'a, 'p> {
    members: Vec<(Cow<'a, str>, &'a RawValue)>,
    /// Where the object stands.
    pub(super) path: Path<'p>,
}

struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((key, value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
                    if value.get() != "null" {
                        members.push((key.0, value));
                    }
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(MembersVisitor)
    }
}

/// A member's name, borrowed where it has no escapes.
#[derive(serde::Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a, 'p> Fields<'a, 'p> {
    /// Expects an object.
    pub(super) fn new(raw: &'a RawValue, path: Path<'p>) -> Result<Self, FormatError> {
        match serde_json::from_str::<Members<'a>>(raw.get()) {
            Ok(Members(members)) => Ok(Self { members, path }),
            Err(_) => Err(path.fault("must be an object")),
        }
    }

    /// A member of any type.
    pub(super) fn take(&mut self, name: &str) -> Option<&'a RawValue> {
        let (_, value) = self.members.iter().rfind(|(written, _)| is_named(written, name))?;
        let value = *value;
        self.members.retain(|(written, _)| !is_named(written, name));
        Some(value)
    }

    /// Whether nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// A member by the very name it is written with; it stays.
    pub(super) fn find(&self, name: &str) -> Option<&'a RawValue> {
        let found = self.members.iter().rfind(|(written, _)| written == name);
        found.map(|(_, value)| *value)
    }

    /// The member, if there is only one.
    pub(super) fn only(&self) -> Option<(&str, &'a RawValue)> {
        match self.members.as_slice() {
            [(name, value)] => Some((name, value)),
            _ => None,
        }
    }

    /// A complaint about a member.
    pub(super) fn fault(&self, name: &'static str, complaint: &str) -> FormatError {
        self.path.key(name).fault(complaint)
    }

    /// A string.
    pub(super) fn text(&mut self, name: &'static str) -> Result<Option<Cow<'a, str>>, FormatError> {
        let Some(raw) = self.take(name) else { return Ok(None) };
        let text = text_of(raw).ok_or_else(|| self.fault(name, "must be a string"))?;
        Ok(Some(text))
    }

    /// A string that has to be there and to hold something.
    pub(super) fn required_text(
        &mut self,
        name: &'static str,
    ) -> Result<Cow<'a, str>, FormatError> {
        let text = self.text(name)?.filter(|text| !text.is_empty());
        text.ok_or_else(|| self.fault(name, "is missing"))
    }

    /// True or false.
    pub(super) fn boolean(&mut self, name: &'static str) -> Result<Option<bool>, FormatError> {
        match self.take(name).map(RawValue::get) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(self.fault(name, "must be true or false")),
        }
    }

    /// A whole number from `least` to `most`, however it is written.
    pub(super) fn count(
        &mut self,
        name: &'static str,
        least: u64,
        most: u64,
    ) -> Result<Option<u64>, FormatError> {
        let Some(number) = self.integer(name)? else { return Ok(None) };
        match u64::try_from(number) {
            Ok(count) if (least..=most).contains(&count) => Ok(Some(count)),
            _ if most == u64::MAX => Err(self.fault(name, &format!("must be at least {least}"))),
            _ => Err(self.fault(name, &format!("must be from {least} to {most}"))),
        }
    }

    /// A whole number of either sign; Google's JSON may write it as a string or with a fraction
    /// of zero.
    pub(super) fn integer(&mut self, name: &'static str) -> Result<Option<i64>, FormatError> {
        let Some(raw) = self.take(name) else { return Ok(None) };
        let digits = raw.get().trim_matches('"');
        let number = digits.parse::<i64>().ok().or_else(|| whole(digits.parse().ok()?));
        match number {
            Some(number) => Ok(Some(number)),
            None => Err(self.fault(name, "must be a whole number of 64 bits")),
        }
    }

    /// A number from `least` to `most`.
    pub(super) fn number(
        &mut self,
        name: &'static str,
        least: f64,
        most: f64,
    ) -> Result<Option<f64>, FormatError> {
        let Some(raw) = self.take(name) else { return Ok(None) };
        match raw.get().trim_matches('"').parse::<f64>() {
            Ok(number) if (least..=most).contains(&number) => Ok(Some(number)),
            Ok(_) => Err(self.fault(name, &format!("must be a number from {least} to {most}"))),
            Err(_) => Err(self.fault(name, "must be a number")),
        }
    }

    /// The strings of an array, or a single string.
    pub(super) fn texts(&mut self, name: &'static str) -> Result<Vec<Cow<'a, str>>, FormatError> {
        let Some(raw) = self.take(name) else { return Ok(Vec::new()) };
        let path = self.path.key(name);
        let items = items(raw).into_iter().enumerate();
        items
            .map(|(at, item)| text_of(item).ok_or_else(|| path.index(at).fault("must be a string")))
            .collect()
    }

    /// Names of the members nobody took, as the client wrote them, as far as they have any.
    pub(super) fn rest(self) -> impl Iterator<Item = Cow<'a, str>> {
        self.members.into_iter().map(|(name, _)| name).filter(|name| !name.is_empty())
    }
}

#[expect(clippy::cast_possible_truncation, reason = "checked to be whole and below 2^53")]
fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64)
}

/// Whether a member is `name`, in camel case or in snake case.
pub(super) fn is_named(written: &str, name: &str) -> bool {
    if written == name {
        return true;
    }
    let mut letters = written.bytes();
    let same = name.bytes().all(|letter| {
        if letter.is_ascii_uppercase() {
            letters.next() == Some(b'_') && letters.next() == Some(letter.to_ascii_lowercase())
        } else {
            letters.next() == Some(letter)
        }
    });
    same && letters.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> &RawValue {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn both_spellings_are_one_member() {
        for (written, name, same) in [
            ("inlineData", "inlineData", true),
            ("inline_data", "inlineData", true),
            ("inline_Data", "inlineData", false),
            ("inlinedata", "inlineData", false),
            ("inline_data_", "inlineData", false),
            ("parts", "parts", true),
            ("_response_json_schema", "_responseJsonSchema", true),
            ("", "a", false),
        ] {
            assert_eq!(is_named(written, name), same, "{written} {name}");
        }
        let mut fields =
            Fields::new(raw(r#"{"topK":1,"top_k":2,"topP":null,"x":{}}"#), Path::Root).unwrap();
        assert_eq!(fields.count("topK", 0, 9).unwrap(), Some(2));
        assert_eq!(fields.take("topP").map(RawValue::get), None);
        assert_eq!(fields.rest().collect::<Vec<_>>(), ["x"]);
    }

    #[test]
    fn numbers_however_they_are_written() {
        let read = |json: &str| {
            let object = format!(r#"{{"n":{json}}}"#);
            Fields::new(raw(&object), Path::Root).unwrap().integer("n").ok().flatten()
        };
        for (json, expected) in [
            ("5", Some(5)),
            ("64.0", Some(64)),
            ("1e3", Some(1000)),
            ("\"12\"", Some(12)),
            ("-1", Some(-1)),
            ("1.5", None),
            ("\"x\"", None),
            ("1e300", None),
            ("true", None),
        ] {
            assert_eq!(read(json), expected, "{json}");
        }
    }

    #[test]
    fn complaints_name_the_place() {
        let parts = Path::Root.key("contents");
        let part = parts.index(2);
        let mut fields = Fields::new(raw(r#"{"text":5}"#), part).unwrap();
        let error = fields.text("text").unwrap_err();
        assert_eq!(error.param.as_deref(), Some("contents[2].text"));
        assert!(Fields::new(raw("5"), Path::Root).unwrap_err().param.is_none());
    }
}
