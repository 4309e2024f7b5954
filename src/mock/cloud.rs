//! What clouds check before they look at a request: signatures, tokens, versions.
//!
//! Used by `handle`. The signature is computed here anew, from what arrived, for the one access key
//! that the mock knows; tokens are those that the mock itself gave out, and say when they expire.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::Format;
use super::prompt::Refusal;
use super::received::Received;

/// The access key that the mock knows.
pub(super) const ACCESS_KEY_ID: &str = "AKIDEXAMPLE";
const SECRET_ACCESS_KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
/// How every token of the mock begins.
const TOKEN: &str = "ya29.mock-";
/// How far the time of a signature may be away.
const MAX_SKEW_MS: i64 = 15 * 60 * 1000;

/// A refusal of a cloud: the name of the error, in whose words, and the text.
pub(super) struct Refused {
    pub(super) error: &'static str,
    pub(super) format: Format,
    pub(super) message: &'static str,
}

/// Why a cloud would not look at the request.
pub(super) fn refusal(received: &Received) -> Option<Refused> {
    let path = received.uri.path();
    let refused = |error, format, message| Some(Refused { error, format, message });
    if path.contains("/openai/deployments/") && received.query("api-version").is_none() {
        return refused("not_found", Format::OpenAi, "Resource not found");
    }
    if path.contains("/projects/") && path.contains("/locations/") && !has_good_token(received) {
        let text = "Request had invalid authentication credentials. Expected OAuth 2 access token.";
        return refused("auth", Format::Google, text);
    }
    if is_bedrock(path) && received.bearer().is_none() {
        return match verify(received) {
            Ok(()) => None,
            Err(text) => refused("permission", Format::Bedrock, text),
        };
    }
    None
}

/// Whether a path is Bedrock's, whatever the model's format.
pub(super) fn is_bedrock(path: &str) -> bool {
    let actions = ["/converse", "/converse-stream", "/invoke", "/invoke-with-response-stream"];
    path.contains("/model/") && actions.iter().any(|action| path.ends_with(action))
}

/// The body of Anthropic's format as it would be at Anthropic itself: with the model that the path
/// names, and without the version that must be in it.
pub(super) fn as_at_home(mut body: Value, model: &str, path: &str) -> Result<Value, Refusal> {
    let wanted = if is_bedrock(path) { "bedrock-2023-05-31" } else { "vertex-2023-10-16" };
    let Some(members) = body.as_object_mut() else { return Ok(body) };
    if members.remove("anthropic_version").as_ref().and_then(Value::as_str) != Some(wanted) {
        return Err(Refusal::new("anthropic_version: Field required"));
    }
    let refused = ["model", "stream"].iter().take(if is_bedrock(path) { 2 } else { 1 });
    for name in refused {
        if members.contains_key(*name) {
            return Err(Refusal::new(format!("{name}: Extra inputs are not permitted")));
        }
    }
    members.remove("anthropic_beta");
    members.insert("model".to_owned(), model.into());
    Ok(body)
}

/// The answer of a token service: status and body. `?expires_in=` is what it says of the life of
/// the token in seconds, `?valid_s=` how long the token really is good.
pub(super) fn token(received: &Received) -> (u16, Value) {
    static NUMBER: AtomicU64 = AtomicU64::new(1);
    if let Err(text) = check_assertion(received) {
        return (400, json!({"error": "invalid_grant", "error_description": text}));
    }
    let seconds = |name: &str| received.query(name).and_then(|text| text.parse::<i64>().ok());
    let expires_in = seconds("expires_in").unwrap_or(3599);
    let good_until = received.at_ms + seconds("valid_s").unwrap_or(expires_in) * 1000;
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let token = format!("{TOKEN}{number}.{good_until}");
    (200, json!({"access_token": token, "expires_in": expires_in, "token_type": "Bearer"}))
}

fn check_assertion(received: &Received) -> Result<(), &'static str> {
    let body = std::str::from_utf8(&received.body).map_err(|_| "not a form")?;
    let field = |name: &str| {
        body.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name)
    };
    let grant = field("grant_type").map(|(_, value)| value);
    if grant != Some("urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer") {
        return Err("Invalid grant type");
    }
    let (_, assertion) = field("assertion").ok_or("Missing assertion")?;
    let parts: Vec<Value> = assertion
        .split('.')
        .take(2)
        .filter_map(|part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok())
        .collect();
    let [header, claims] = parts.as_slice() else { return Err("Invalid JWT") };
    let is_text = |name: &str| claims.get(name).is_some_and(Value::is_string);
    let time = |name: &str| claims.get(name).and_then(Value::as_i64).unwrap_or_default() * 1000;
    let in_time = time("iat") <= received.at_ms + 1000 && received.at_ms < time("exp");
    let whole = ["iss", "scope", "aud"].into_iter().all(is_text);
    let signed = header.get("alg").and_then(Value::as_str) == Some("RS256");
    if whole && in_time && signed { Ok(()) } else { Err("Invalid JWT") }
}

fn has_good_token(received: &Received) -> bool {
    let token = received.bearer().and_then(|token| token.strip_prefix(TOKEN));
    let good_until = token.and_then(|rest| rest.rsplit_once('.')?.1.parse::<i64>().ok());
    good_until.is_some_and(|until| received.at_ms < until)
}

/// Checks an AWS signature of version 4.
fn verify(received: &Received) -> Result<(), &'static str> {
    const INCOMPLETE: &str = "Missing Authentication Token";
    let authorization = received.header("authorization").ok_or(INCOMPLETE)?;
    let fields = authorization.strip_prefix("AWS4-HMAC-SHA256 ").ok_or(INCOMPLETE)?;
    let field = |name: &str| {
        let pairs = fields.split(',').filter_map(|pair| pair.trim().split_once('='));
        pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value).ok_or(INCOMPLETE)
    };
    let (key, scope) = field("Credential")?.split_once('/').ok_or(INCOMPLETE)?;
    if key != ACCESS_KEY_ID {
        return Err("The security token included in the request is invalid.");
    }
    let [day, region, "bedrock", "aws4_request"] = scope.split('/').collect::<Vec<_>>()[..] else {
        return Err("Credential should be scoped to correct service: 'bedrock'.");
    };
    let time = received.header("x-amz-date").ok_or(INCOMPLETE)?;
    let at = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", time)
        .and_then(|time| time.to_zoned(jiff::tz::TimeZone::UTC))
        .map_err(|_| INCOMPLETE)?;
    let skew = at.timestamp().as_millisecond() - received.at_ms;
    if skew.abs() > MAX_SKEW_MS || !time.starts_with(day) {
        return Err("Signature expired");
    }
    let names = field("SignedHeaders")?;
    let unsigned = ["host", "x-amz-date", "x-amz-security-token"].into_iter().any(|name| {
        received.headers.contains_key(name) && !names.split(';').any(|signed| signed == name)
    });
    if unsigned {
        return Err("A header that must be signed is not.");
    }
    let text = canonical(received, names);
    let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hex(&Sha256::digest(text)));
    let first = [b"AWS4".as_slice(), SECRET_ACCESS_KEY.as_bytes()].concat();
    let key = [day, region, "bedrock", "aws4_request"]
        .iter()
        .fold(first, |key, part| keyed(&key, part.as_bytes()));
    if hex(&keyed(&key, to_sign.as_bytes())) == field("Signature")? {
        return Ok(());
    }
    Err("The request signature we calculated does not match the signature you provided.")
}

/// What was signed, from what arrived; Bedrock has no queries.
fn canonical(received: &Received, names: &str) -> String {
    let mut text = format!("{}\n", received.method);
    for byte in received.uri.path().bytes() {
        match byte {
            b'%' => text.push_str("%25"),
            b':' => text.push_str("%3A"),
            other => text.push(char::from(other)),
        }
    }
    text.push_str("\n\n");
    for name in names.split(';') {
        let value = received.header(name).unwrap_or_default().trim();
        // Writing to a String cannot fail.
        writeln!(text, "{name}:{value}").unwrap_or_default();
    }
    write!(text, "\n{names}\n{}", hex(&Sha256::digest(&received.body))).unwrap_or_default();
    text
}

fn keyed(key: &[u8], text: &[u8]) -> Vec<u8> {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap_or_default();
        text
    })
}
