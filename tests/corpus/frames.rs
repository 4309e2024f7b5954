//! The judge's own reading of Amazon's binary event streams.

use crate::json::Json;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Every message: its event type and its payload. Checksums are the gateway's business.
pub fn messages(mut bytes: &[u8]) -> Result<Vec<(String, Json)>, String> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let total = word(bytes, 0)?;
        let headers_len = word(bytes, 4)?;
        let message = bytes.get(..total).ok_or("a frame is cut")?;
        let headers = message.get(12..12 + headers_len).ok_or("headers are cut")?;
        let payload = message.get(12 + headers_len..total - 4).ok_or("a payload is cut")?;
        let payload = std::str::from_utf8(payload).map_err(|error| error.to_string())?;
        let json = Json::parse(payload).ok_or("a payload is no JSON")?;
        found.push((event_type(headers)?, json));
        bytes = &bytes[total..];
    }
    Ok(found)
}

/// The model's own events inside Amazon's.
pub fn invoked(bytes: &[u8]) -> Result<Vec<Json>, String> {
    let mut found = Vec::new();
    for (_, payload) in messages(bytes)? {
        let inner = STANDARD.decode(payload["bytes"].text()).map_err(|error| error.to_string())?;
        let inner = String::from_utf8(inner).map_err(|error| error.to_string())?;
        found.push(Json::parse(&inner).ok_or("an inner event is no JSON")?);
    }
    Ok(found)
}

fn word(bytes: &[u8], at: usize) -> Result<usize, String> {
    let four: [u8; 4] =
        bytes.get(at..at + 4).ok_or("a frame is cut")?.try_into().map_err(|_| "a frame is cut")?;
    Ok(u32::from_be_bytes(four) as usize)
}

fn event_type(mut headers: &[u8]) -> Result<String, String> {
    let mut kind = String::new();
    while let Some((&name_len, rest)) = headers.split_first() {
        let (name, rest) = rest.split_at_checked(name_len.into()).ok_or("a header is cut")?;
        let (tag, rest) = rest.split_first().ok_or("a header is cut")?;
        if *tag != 7 {
            return Err(format!("a header of type {tag}"));
        }
        let len = usize::from(u16::from_be_bytes([
            *rest.first().ok_or("a header is cut")?,
            *rest.get(1).ok_or("a header is cut")?,
        ]));
        let value = rest.get(2..2 + len).ok_or("a header is cut")?;
        if matches!(name, b":event-type" | b":exception-type") {
            kind = String::from_utf8_lossy(value).into_owned();
        }
        headers = &rest[2 + len..];
    }
    Ok(kind)
}

#[test]
fn a_frame_gives_its_type_and_payload() {
    let header = b"\x0b:event-type\x07\x00\x0bmessageStop";
    let payload = br#"{"stopReason":"end_turn"}"#;
    let total = 12 + header.len() + payload.len() + 4;
    let mut frame = u32::try_from(total).unwrap().to_be_bytes().to_vec();
    frame.extend(u32::try_from(header.len()).unwrap().to_be_bytes());
    frame.extend([0; 4]);
    frame.extend(header);
    frame.extend(payload);
    frame.extend([0; 4]);
    let found = messages(&[frame.clone(), frame].concat()).unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].0, "messageStop");
    assert_eq!(found[0].1["stopReason"].text(), "end_turn");
}
