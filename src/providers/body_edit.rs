//! Members of a body that a vendor wants said differently from the format's own.
//!
//! Used by the exchange for clouds that name the model in the path and the version in the body.
//! All other bytes stay as they were.

use crate::error::GatewayError;
use crate::json::{Body, Head, Splice};
use bytes::Bytes;

/// What is taken out of a body and what is put in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BodyEdit {
    /// Members the vendor refuses.
    pub remove: &'static [&'static str],
    /// Members it wants, as JSON texts; what the caller wrote stays.
    pub add: Vec<(&'static str, Bytes)>,
}

impl BodyEdit {
    /// The edited body; without edits it is the very same bytes.
    pub fn apply(&self, body: Body) -> Result<Body, GatewayError> {
        if self.remove.is_empty() && self.add.is_empty() {
            return Ok(body);
        }
        let whole = body.to_bytes();
        let head = Head::scan(&whole)
            .map_err(|error| GatewayError::internal(format!("an encoded request: {error}")))?;
        let mut splice = Splice::new(&whole, &head);
        for name in self.remove {
            splice.remove(name);
        }
        for (name, value) in self.add.iter().filter(|(name, _)| head.get(name).is_none()) {
            splice.insert(name, value.clone());
        }
        Ok(splice.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_named_members_change() {
        let edit = BodyEdit {
            remove: &["model", "stream"],
            add: vec![("version", Bytes::from_static(b"\"v\""))],
        };
        let cases = [
            (r#"{"model":"m","a": 1.0,"stream":true}"#, r#"{"a": 1.0,"version":"v"}"#),
            (r#"{ "a" : 1, "version":"mine" }"#, r#"{ "a" : 1, "version":"mine" }"#),
        ];
        for (body, expected) in cases {
            let edited = edit.apply(Bytes::from_static(body.as_bytes()).into()).unwrap();
            assert_eq!(edited.to_bytes(), expected);
        }
        let same = Body::from(Bytes::from_static(b"no JSON"));
        assert_eq!(BodyEdit::default().apply(same.clone()).unwrap(), same);
    }
}
