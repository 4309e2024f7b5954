//! Finds the credential in a request and takes it out of everything that is forwarded or logged.
//!
//! Four ways of presenting a key work on every route. The same key presented twice is one
//! credential; two different ones are a client's mistake that must not be guessed away.

use crate::error::{GatewayError, Kind};
use crate::secret::Secret;
use http::HeaderMap;
use http::header::AUTHORIZATION;

/// Longest credential that is looked at, in bytes.
const MAX_CREDENTIAL_BYTES: usize = 4096;

/// What a caller presented to prove who it is.
#[derive(Debug)]
pub struct Credential(Secret);

impl Credential {
    /// The presented token.
    pub fn token(&self) -> &str {
        self.0.expose()
    }

    /// Reads the credential from `Authorization: Bearer`, `X-Api-Key`, `x-goog-api-key` and the
    /// query parameter `key`. An empty value counts as absent.
    pub fn find(headers: &HeaderMap, query: Option<&str>) -> Result<Option<Self>, GatewayError> {
        let mut found: Option<String> = None;
        for candidate in from_headers(headers)?.into_iter().chain(from_query(query)) {
            if candidate.len() > MAX_CREDENTIAL_BYTES {
                return Err(GatewayError::client(Kind::Authentication, "invalid api key"));
            }
            match &found {
                Some(first) if *first != candidate => {
                    return Err(GatewayError::client(
                        Kind::InvalidRequest,
                        "the request carries two different credentials; send one",
                    ));
                }
                _ => found = Some(candidate),
            }
        }
        Ok(found.map(|token| Self(Secret::new(token))))
    }
}

fn from_headers(headers: &HeaderMap) -> Result<Vec<String>, GatewayError> {
    let mut tokens = Vec::with_capacity(1);
    for value in headers.get_all(AUTHORIZATION) {
        let text = value.to_str().map_err(|_| malformed())?;
        let Some((scheme, token)) = text.split_once(' ').or_else(|| {
            // `Bearer` alone is what a wallet SDK sends before it has a token.
            text.eq_ignore_ascii_case("bearer").then_some((text, ""))
        }) else {
            return Err(malformed());
        };
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(malformed());
        }
        tokens.push(token.trim());
    }
    for name in ["x-api-key", "x-goog-api-key"] {
        for value in headers.get_all(name) {
            tokens.push(value.to_str().map_err(|_| malformed())?.trim());
        }
    }
    Ok(tokens.into_iter().filter(|token| !token.is_empty()).map(str::to_owned).collect())
}

fn from_query(query: Option<&str>) -> impl Iterator<Item = String> {
    query
        .unwrap_or_default()
        .split('&')
        .filter_map(|pair| pair.strip_prefix("key="))
        .map(percent_decode)
        .filter(|token| !token.is_empty())
}

fn malformed() -> GatewayError {
    GatewayError::client(Kind::Authentication, "missing or invalid Authorization header")
}

/// Decodes `%41` and `+`; a broken escape stays as it is, so that it cannot match a key.
fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let escaped = (first == b'%').then(|| tail.split_at_checked(2)).flatten();
        if let Some((digits, after)) = escaped
            && let Some(byte) = hex_byte(digits)
        {
            bytes.push(byte);
            rest = after;
        } else {
            bytes.push(if first == b'+' { b' ' } else { first });
            rest = tail;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex_byte(digits: &[u8]) -> Option<u8> {
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    std::str::from_utf8(digits).ok().and_then(|hex| u8::from_str_radix(hex, 16).ok())
}

/// The query without the parameter `key`, for forwarding and logging; `None` if nothing is left.
pub fn query_without_key(query: Option<&str>) -> Option<String> {
    let kept: Vec<&str> = query?
        .split('&')
        .filter(|pair| !pair.is_empty() && *pair != "key" && !pair.starts_with("key="))
        .collect();
    (!kept.is_empty()).then(|| kept.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(pairs: &[(&str, &str)], query: Option<&str>) -> Result<Option<String>, Kind> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(
                http::HeaderName::from_bytes(name.as_bytes()).unwrap(),
                value.parse().unwrap(),
            );
        }
        Credential::find(&headers, query)
            .map(|found| found.map(|credential| credential.token().to_owned()))
            .map_err(|error| error.kind)
    }

    #[test]
    fn every_way_of_presenting_a_key() {
        let some = |token: &str| Ok(Some(token.to_owned()));
        assert_eq!(find(&[], None), Ok(None));
        assert_eq!(find(&[("authorization", "Bearer k1")], None), some("k1"));
        assert_eq!(find(&[("authorization", "bearer  k1 ")], None), some("k1"));
        assert_eq!(find(&[("x-api-key", "k2")], None), some("k2"));
        assert_eq!(find(&[("x-goog-api-key", "k3")], None), some("k3"));
        assert_eq!(find(&[], Some("alt=sse&key=k%34")), some("k4"));
        assert_eq!(find(&[("authorization", "Bearer ")], None), Ok(None));
        assert_eq!(find(&[("authorization", "Bearer")], None), Ok(None));
        assert_eq!(find(&[("authorization", "Bearer k"), ("x-api-key", "k")], None), some("k"));
    }

    #[test]
    fn mistakes() {
        assert_eq!(
            find(&[("authorization", "Bearer a"), ("x-api-key", "b")], None),
            Err(Kind::InvalidRequest)
        );
        assert_eq!(find(&[("x-api-key", "a")], Some("key=b")), Err(Kind::InvalidRequest));
        assert_eq!(find(&[("authorization", "Basic abc")], None), Err(Kind::Authentication));
        assert_eq!(find(&[("authorization", "abc")], None), Err(Kind::Authentication));
        let long = "x".repeat(MAX_CREDENTIAL_BYTES + 1);
        assert_eq!(find(&[("x-api-key", &long)], None), Err(Kind::Authentication));
    }

    #[test]
    fn the_key_leaves_the_query() {
        assert_eq!(query_without_key(Some("key=s")), None);
        assert_eq!(query_without_key(Some("alt=sse&key=s&key=t")), Some("alt=sse".into()));
        assert_eq!(query_without_key(Some("keys=1")), Some("keys=1".into()));
        assert_eq!(query_without_key(None), None);
    }
}
