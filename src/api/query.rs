//! The query of a management call: its parameters, decoded, each at most once.
//!
//! Used by every handler that takes parameters. The credential may stand there too and is left
//! out, so that nothing here can show it.

use crate::error::{GatewayError, Kind};
use std::fmt::Display;
use std::str::FromStr;

/// Parameters of a query.
#[derive(Debug, Default)]
pub struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// Reads a query string; refuses what is not UTF-8, a broken escape and a repeated parameter.
    pub fn parse(query: Option<&str>) -> Result<Self, GatewayError> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if name == "key" {
                continue;
            }
            let name = decode(name).ok_or_else(|| broken("the query has a broken escape"))?;
            let value = decode(value).ok_or_else(|| {
                let text = format!("the value of {name} has a broken escape");
                broken(text).with_param(name.clone())
            })?;
            if pairs.iter().any(|(known, _)| *known == name) {
                let text = format!("the query parameter {name} appears twice");
                return Err(broken(text).with_param(name));
            }
            pairs.push((name, value));
        }
        Ok(Self { pairs })
    }

    /// Refuses parameters other than `known`: one that nobody looks at would show more than was
    /// asked for.
    pub fn only(&self, known: &[&str]) -> Result<(), GatewayError> {
        match self.pairs.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some((name, _)) => {
                let name: String = name.chars().take(64).collect();
                let text = format!("there is no query parameter {name} here");
                Err(broken(text).with_param(name))
            }
        }
    }

    /// The query with some parameters put in or put in the place of others.
    pub fn with(&self, changes: &[(&str, String)]) -> String {
        let kept = self.pairs.iter().map(|(name, value)| (name.as_str(), value));
        let kept = kept.filter(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
        let changes = changes.iter().map(|(name, value)| (*name, value));
        let pairs = kept.chain(changes);
        let written = pairs.map(|(name, value)| format!("{}={}", encode(name), encode(value)));
        written.collect::<Vec<_>>().join("&")
    }

    /// The value of a parameter; an empty one counts as absent.
    pub fn get(&self, name: &str) -> Option<&str> {
        let pair = self.pairs.iter().find(|(known, _)| known == name);
        pair.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// The value of a parameter, read as `T`; an error that names the parameter and what is
    /// `expected` of it.
    pub fn read<T: FromStr>(
        &self,
        name: &'static str,
        expected: impl Display,
    ) -> Result<Option<T>, GatewayError> {
        self.get(name).map(|text| text.parse().map_err(|_| wrong(name, expected))).transpose()
    }

    /// True or false; absent is false.
    pub fn flag(&self, name: &'static str) -> Result<bool, GatewayError> {
        match self.get(name) {
            None | Some("false" | "0") => Ok(false),
            Some("true" | "1") => Ok(true),
            Some(_) => Err(wrong(name, "true or false")),
        }
    }
}

/// A parameter that is not what it must be.
pub fn wrong(name: &'static str, expected: impl Display) -> GatewayError {
    broken(format!("{name} must be {expected}")).with_param(name)
}

fn broken(text: impl Into<std::borrow::Cow<'static, str>>) -> GatewayError {
    GatewayError::client(Kind::InvalidRequest, text)
}

fn encode(text: &str) -> String {
    use std::fmt::Write;
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~' | b',') {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            write!(encoded, "%{byte:02X}").unwrap_or_default();
        }
        encoded
    })
}

fn decode(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let high = char::from(bytes.next()?).to_digit(16)?;
                let low = char::from(bytes.next()?).to_digit(16)?;
                u8::try_from(high * 16 + low).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_and_the_credential_is_not_among_them() {
        let query = Query::parse(Some("a=1&b=x%20y+z&key=secret&c&&d=%C3%A9")).unwrap();
        let expected = [("a", Some("1")), ("b", Some("x y z")), ("key", None), ("d", Some("é"))];
        for (name, value) in expected.into_iter().chain([("c", None), ("none", None)]) {
            assert_eq!(query.get(name), value, "{name}");
        }
        assert_eq!(query.read::<u64>("a", "a number").unwrap(), Some(1));
        assert_eq!(query.read::<u64>("none", "a number").unwrap(), None);
        assert!(query.flag("a").unwrap());
        assert!(!query.flag("none").unwrap());
    }

    #[test]
    fn a_query_can_be_written_again() {
        let query = Query::parse(Some("q=a+%26&key=secret&limit=3&x=%C3%A9")).unwrap();
        let next = query.with(&[("offset", "6".into()), ("limit", "3".into())]);
        assert_eq!(next, "q=a%20%26&x=%C3%A9&offset=6&limit=3");
        assert_eq!(Query::parse(Some(&next)).unwrap().get("q"), Some("a &"));
    }

    #[test]
    fn mistakes_name_the_parameter() {
        for (query, param) in [("a=%zz", "a"), ("a=%C3", "a"), ("a=1&a=2", "a"), ("a=1&%61=", "a")]
        {
            let error = Query::parse(Some(query)).unwrap_err();
            assert_eq!(error.param.as_deref(), Some(param), "{query}");
        }
        let query = Query::parse(Some("n=x")).unwrap();
        assert_eq!(query.read::<u64>("n", "a number").unwrap_err().param.as_deref(), Some("n"));
        assert_eq!(query.flag("n").unwrap_err().to_string(), "n must be true or false");
        assert!(query.only(&["m", "n"]).is_ok());
        assert_eq!(query.only(&["m"]).unwrap_err().param.as_deref(), Some("n"));
    }
}
