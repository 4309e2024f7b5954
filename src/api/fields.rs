//! The members of a management call's JSON body, each read strictly.
//!
//! Used by every handler that takes a body. Absent and null are kept apart, because in a change
//! the one means `as it was` and the other `none`. Amounts of money are read from their digits:
//! no number goes through a float.

use super::amount::parse_amount;
use super::query::wrong;
use crate::error::{GatewayError, Kind};
use crate::json::Head;
use crate::money::PicoUsd;
use serde::de::DeserializeOwned;

/// What a body says of one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given<T> {
    /// Nothing.
    Absent,
    /// `null`.
    Null,
    /// A value.
    Value(T),
}

impl<T> Given<T> {
    /// Whether the body says anything.
    pub fn is_given(&self) -> bool {
        !matches!(self, Self::Absent)
    }

    /// The value of a member that may be left out but has no null.
    pub fn required(
        self,
        name: &'static str,
        expected: &'static str,
    ) -> Result<Option<T>, GatewayError> {
        match self {
            Self::Absent => Ok(None),
            Self::Null => Err(wrong(name, expected)),
            Self::Value(value) => Ok(Some(value)),
        }
    }

    /// The same with null as absent.
    #[must_use]
    pub fn null_as_absent(self) -> Self {
        if matches!(self, Self::Null) { Self::Absent } else { self }
    }
}

/// The members of one JSON object.
#[derive(Debug)]
pub struct Fields<'b> {
    body: &'b [u8],
    head: Head,
}

impl<'b> Fields<'b> {
    /// Reads an object, which may have no member twice and none but `known`.
    pub fn parse(body: &'b [u8], known: &[&str]) -> Result<Self, GatewayError> {
        let head = Head::scan(body).map_err(|error| {
            let mut refused = GatewayError::client(Kind::InvalidRequest, error.to_string());
            refused.param = error.param().map(|param| param.to_owned().into());
            refused
        })?;
        let fields = Self { body, head };
        let mut names = fields.head.members().iter().map(|member| fields.head.name_of(member));
        match names.find(|name| !known.contains(name)) {
            None => Ok(fields),
            Some(unknown) => {
                let name: String = unknown.chars().take(64).collect();
                let text = format!("{name} is not a field that can be set here");
                Err(GatewayError::client(Kind::InvalidRequest, text).with_param(name))
            }
        }
    }

    /// The JSON text of a member.
    pub fn raw(&self, name: &str) -> Given<&'b [u8]> {
        match self.head.raw(self.body, name) {
            None => Given::Absent,
            Some(b"null") => Given::Null,
            Some(raw) => Given::Value(raw),
        }
    }

    /// A member of a type that serde knows; no floats.
    pub fn read<T: DeserializeOwned>(
        &self,
        name: &'static str,
        expected: &'static str,
    ) -> Result<Given<T>, GatewayError> {
        self.read_with(name, expected, |raw| serde_json::from_slice(raw).ok())
    }

    /// An amount of money, as a number or a string.
    pub fn amount(&self, name: &'static str) -> Result<Given<PicoUsd>, GatewayError> {
        const EXPECTED: &str = "an amount in USD with at most 12 decimals";
        self.read_with(name, EXPECTED, parse_amount)
    }

    /// A text of 1 to `max_chars` characters without control characters.
    pub fn text(
        &self,
        name: &'static str,
        max_chars: usize,
    ) -> Result<Given<String>, GatewayError> {
        let given: Given<String> = self.read(name, "a string")?;
        if let Given::Value(text) = &given
            && (text.trim().is_empty()
                || text.chars().count() > max_chars
                || text.chars().any(char::is_control))
        {
            let expected = format!("1 to {max_chars} characters without control characters");
            return Err(wrong(name, expected));
        }
        Ok(given)
    }

    /// A member that is read by a function of its JSON text.
    pub fn read_with<T>(
        &self,
        name: &'static str,
        expected: &'static str,
        read: impl FnOnce(&'b [u8]) -> Option<T>,
    ) -> Result<Given<T>, GatewayError> {
        Ok(match self.raw(name) {
            Given::Absent => Given::Absent,
            Given::Null => Given::Null,
            Given::Value(raw) => Given::Value(read(raw).ok_or_else(|| wrong(name, expected))?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_null_and_values_are_kept_apart() {
        let body = br#"{"a": null, "b": 7, "c": "x"}"#;
        let fields = Fields::parse(body, &["a", "b", "c"]).unwrap();
        assert_eq!(fields.read::<u64>("a", "n").unwrap(), Given::Null);
        assert_eq!(fields.read::<u64>("b", "n").unwrap(), Given::Value(7));
        assert_eq!(fields.read::<u64>("d", "n").unwrap(), Given::Absent);
        assert_eq!(fields.text("c", 1).unwrap(), Given::Value("x".into()));
    }

    #[test]
    fn mistakes_name_the_member() {
        let refused = |body: &str| {
            let fields = Fields::parse(body.as_bytes(), &["n", "t"])?;
            fields.read::<u64>("n", "a number")?;
            fields.text("t", 3)
        };
        for (body, param) in [
            (r#"{"x":1}"#, Some("x")),
            (r#"{"n":1,"n":1}"#, Some("n")),
            (r#"{"n":1,"\u006e":1}"#, Some("n")),
            (r#"{"n":-1}"#, Some("n")),
            (r#"{"n":1.5}"#, Some("n")),
            (r#"{"n":"1"}"#, Some("n")),
            (r#"{"t":7}"#, Some("t")),
            (r#"{"t":""}"#, Some("t")),
            (r#"{"t":" "}"#, Some("t")),
            (r#"{"t":"abcd"}"#, Some("t")),
            (r#"{"t":"a\n"}"#, Some("t")),
            ("[]", None),
            ("", None),
            ("{", None),
        ] {
            let error = refused(body).unwrap_err();
            assert_eq!(
                (error.kind, error.param.as_deref()),
                (Kind::InvalidRequest, param),
                "{body}"
            );
        }
        assert!(refused(r#"{"n":1,"t":"abc"}"#).is_ok());
    }
}
