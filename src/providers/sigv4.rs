//! AWS Signature Version 4: a request is authorised by a keyed digest of all that matters in it.
//!
//! Used by `proxy::dispatch` when the header of a request is complete. Nothing may change the
//! path, the query, the signed headers or the body afterwards. Keys never leave this type but as
//! the key of a digest; the access key id and the session token are sent.

use super::secret_value;
use crate::secret::Secret;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderName, HeaderValue};
use sha2::{Digest, Sha256};
use std::fmt::Write;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const DATE: &str = "x-amz-date";
const TOKEN: &str = "x-amz-security-token";

/// Who signs, and for which service.
pub struct Signer {
    access_key_id: Secret,
    secret_access_key: Secret,
    session_token: Option<Secret>,
    region: String,
    service: &'static str,
}

/// An AWS credential.
#[derive(Debug, Clone)]
pub struct AwsCredential {
    /// Names the key.
    pub access_key_id: Secret,
    /// The key.
    pub secret_access_key: Secret,
    /// Sent along with a temporary key.
    pub session_token: Option<Secret>,
}

/// A request about to be sent.
#[derive(Debug)]
pub struct Unsigned<'a> {
    /// Its method.
    pub method: &'a str,
    /// Path and query, as they will be sent.
    pub target: &'a str,
    /// The headers to sign, in lower case: `host` at least.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// The body in pieces.
    pub body: &'a [Bytes],
    /// Unix time of the signature in seconds.
    pub at_s: u64,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").field("region", &self.region).finish_non_exhaustive()
    }
}

impl Signer {
    /// Signs with a credential for a service in a region.
    pub fn new(credential: AwsCredential, region: &str, service: &'static str) -> Self {
        let AwsCredential { access_key_id, secret_access_key, session_token } = credential;
        Self { access_key_id, secret_access_key, session_token, region: region.to_owned(), service }
    }

    /// Whether every part of the credential can stand in a header.
    pub fn is_sendable(&self) -> bool {
        let sent = [Some(&self.access_key_id), self.session_token.as_ref()];
        sent.into_iter().flatten().all(|secret| secret_value(secret.expose()).is_some())
    }

    /// What of the credential is sent, and could be echoed.
    pub fn sent_secrets(&self) -> impl Iterator<Item = &[u8]> {
        let sent = [Some(&self.access_key_id), self.session_token.as_ref()];
        sent.into_iter().flatten().map(|secret| secret.expose().as_bytes())
    }

    /// The headers that make the request a signed one; `None` if one of them cannot be sent.
    pub fn sign(&self, request: &Unsigned<'_>) -> Option<Vec<(HeaderName, HeaderValue)>> {
        let time = timestamp(request.at_s)?;
        let day = time.get(..8)?;
        let token = self.session_token.as_ref().map(Secret::expose);
        let own = [(DATE, Some(time.as_str())), (TOKEN, token)];
        let own = own.into_iter().filter_map(|(name, value)| Some((name, value?.as_bytes())));
        let headers = canonical_headers(request.headers.iter().copied().chain(own));
        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.service);
        let canonical = canonical_request(request, &headers);
        let to_sign = format!("{ALGORITHM}\n{time}\n{scope}\n{}", digest([canonical.as_bytes()]));
        let signature = hex(&mac(&self.key(day), to_sign.as_bytes()));
        let key = self.access_key_id.expose();
        let signed = signed_names(&headers);
        let authorization = format!(
            "{ALGORITHM} Credential={key}/{scope}, SignedHeaders={signed}, Signature={signature}"
        );
        let mut added = vec![
            (http::header::AUTHORIZATION, secret_value(&authorization)?),
            (HeaderName::from_static(DATE), HeaderValue::from_str(&time).ok()?),
        ];
        if let Some(token) = token {
            added.push((HeaderName::from_static(TOKEN), secret_value(token)?));
        }
        Some(added)
    }

    fn key(&self, day: &str) -> [u8; 32] {
        let secret = zeroize::Zeroizing::new(format!("AWS4{}", self.secret_access_key.expose()));
        let mut key = mac(secret.as_bytes(), day.as_bytes());
        for part in [self.region.as_str(), self.service, "aws4_request"] {
            key = mac(&key, part.as_bytes());
        }
        key
    }
}

/// `20150830T123600Z`.
fn timestamp(unix_s: u64) -> Option<String> {
    let time = jiff::Timestamp::from_second(i64::try_from(unix_s).ok()?).ok()?;
    Some(time.strftime("%Y%m%dT%H%M%SZ").to_string())
}

/// Names and values in order, values of one name joined, runs of spaces made one.
fn canonical_headers<'a>(
    headers: impl Iterator<Item = (&'a str, &'a [u8])>,
) -> Vec<(&'a str, String)> {
    let mut sorted: Vec<(&str, &[u8])> = headers.collect();
    // The sort is stable: values of one name stay in their order.
    sorted.sort_by_key(|(name, _)| *name);
    let mut canonical: Vec<(&str, String)> = Vec::with_capacity(sorted.len());
    for (name, value) in sorted {
        let value = String::from_utf8_lossy(value);
        let value = value.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
        match canonical.last_mut() {
            Some((last, values)) if *last == name => values.extend([",", &value]),
            _ => canonical.push((name, value)),
        }
    }
    canonical
}

fn signed_names(headers: &[(&str, String)]) -> String {
    headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";")
}

fn canonical_request(request: &Unsigned<'_>, headers: &[(&str, String)]) -> String {
    let (path, query) = request.target.split_once('?').unwrap_or((request.target, ""));
    let mut text = format!("{}\n", request.method);
    // Every service but S3 wants the path as it is sent encoded once more.
    encode_into(&mut text, path, |byte| byte == b'/');
    text.push('\n');
    text.push_str(&canonical_query(query));
    text.push('\n');
    for (name, value) in headers {
        text.extend([name, ":", value.as_str(), "\n"]);
    }
    text.extend(["\n", &signed_names(headers), "\n"]);
    text.push_str(&digest(request.body.iter().map(AsRef::as_ref)));
    text
}

/// Pairs in order; what is encoded already stays as it is.
fn canonical_query(query: &str) -> String {
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let encoded = |text| {
                let mut out = String::new();
                encode_into(&mut out, text, |byte| byte == b'%');
                out
            };
            (encoded(name), encoded(value))
        })
        .collect();
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

fn encode_into(out: &mut String, text: &str, keep: impl Fn(u8) -> bool) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') || keep(byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            write!(out, "%{byte:02X}").unwrap_or_default();
        }
    }
}

fn digest<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hasher = Sha256::new();
    parts.into_iter().for_each(|part| hasher.update(part));
    hex(&hasher.finalize())
}

fn mac(key: &[u8], text: &[u8]) -> [u8; 32] {
    // HMAC takes keys of every length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    mac.update(text);
    mac.finalize().into_bytes().into()
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

#[cfg(test)]
#[path = "sigv4/tests.rs"]
mod tests;
