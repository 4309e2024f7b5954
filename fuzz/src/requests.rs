//! Requests of clients: whatever is sent is refused in words or becomes a request of every
//! provider's format that this format itself can read.

use super::{CLIENTS, PROVIDERS, assert_bounded, parts, pick};
use arouter::formats::openai_chat::dialect::OPENAI;
use arouter::formats::passthrough::{RequestEdit, rewrite_request};
use arouter::formats::{ApiFormat, FormatError, Target, decode_request, encode_request};
use arouter::json::Head;
use bytes::Bytes;
use serde::de::IgnoredAny;
use serde_json::Value;

/// One request body.
pub fn run(data: &[u8]) {
    let Some((decisions, body)) = parts(data) else { return };
    let client = pick(CLIENTS, decisions[0]);
    let head = Head::scan(body);
    if let Ok(head) = &head {
        serde_json::from_slice::<IgnoredAny>(body).unwrap();
        unchanged(client, body, head);
    }
    let request = match decode_request(client, body) {
        Ok(request) => request,
        Err(error) => return refused(&error),
    };
    assert!(serde_json::from_slice::<IgnoredAny>(body).is_ok(), "nonsense was read");
    // The gate refuses what is too deep or has a key twice; nothing else gets to the encoders.
    if head.is_err() {
        return;
    }
    let model = "mo\"del";
    for provider in PROVIDERS {
        let mut target = Target::new(model);
        target.stream = decisions[1] & 1 == 0;
        target.max_output_tokens = (decisions[1] & 2 == 0).then_some(4_096);
        match encode_request(provider, &request, target) {
            Ok(encoded) => {
                assert_bounded(encoded.body.len(), body.len());
                Head::scan(&encoded.body).unwrap_or_else(|error| {
                    panic!("{client:?} to {provider:?}: {error}: {:?}", encoded.body)
                });
                for name in &encoded.dropped {
                    assert!(!name.is_empty());
                }
                understood(client, provider, &encoded.body);
            }
            Err(error) => refused(&error),
        }
    }
}

/// A format that clients speak as well reads what is written in it. Addresses of media are another
/// matter: what a provider can open is not known to a reader of another format.
fn understood(client: ApiFormat, provider: ApiFormat, body: &[u8]) {
    if !CLIENTS.contains(&provider) {
        return;
    }
    if let Err(error) = decode_request(provider, body)
        && !error.message.contains("address")
    {
        let body = String::from_utf8_lossy(body);
        panic!("{client:?} to {provider:?} is refused by its own reader: {error:?}: {body}");
    }
}

fn refused(error: &FormatError) {
    assert!(!error.message.is_empty());
    assert!(error.param.as_deref() != Some(""));
}

/// A request that stays in its format is edited, and is still the same JSON otherwise.
fn unchanged(client: ApiFormat, body: &[u8], head: &Head) {
    let model = "mo\"del";
    let edit = RequestEdit { model, stream: true, dialect: &OPENAI };
    let sent = rewrite_request(client, &Bytes::copy_from_slice(body), head, edit);
    let sent: Vec<u8> = sent.body.pieces.concat();
    Head::scan(&sent).unwrap();
    // Numbers too large for serde_json are left out of the comparison.
    let (Ok(before), Ok(after)) =
        (serde_json::from_slice::<Value>(body), serde_json::from_slice::<Value>(&sent))
    else {
        return;
    };
    if client != ApiFormat::Gemini {
        assert_eq!(after["model"], model);
    }
    for (name, value) in before.as_object().unwrap() {
        let is_ours = name == "model" || name == "stream_options";
        if !is_ours && let Some(kept) = after.get(name) {
            assert_eq!(kept, value, "{name} changed");
        }
    }
}
