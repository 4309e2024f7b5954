//! The events of the stream as bytes, written straight into the output.

use super::answer::write_citation;
use crate::json::write_string;
use bytes::{BufMut, BytesMut};

/// A sign of life.
pub(super) const PING: &[u8] = b"event: ping\ndata: {\"type\": \"ping\"}\n\n";
/// The beginning of the event that ends the answer, up to its first member.
pub(super) const MESSAGE_DELTA: &[u8] =
    b"event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{";
/// The end of every stream.
pub(super) const MESSAGE_STOP: &[u8] =
    b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

/// Deltas of the kinds of blocks, up to their text.
pub(super) const TEXT: &[u8] = br#"{"type":"text_delta","text":"#;
pub(super) const THINKING: &[u8] = br#"{"type":"thinking_delta","thinking":"#;
pub(super) const SIGNATURE: &[u8] = br#"{"type":"signature_delta","signature":"#;
pub(super) const INPUT_JSON: &[u8] = br#"{"type":"input_json_delta","partial_json":"#;

/// Room that an ordinary delta needs besides its text.
const DELTA_ROOM_BYTES: usize = 160;

/// Writes the beginning of the message up to its usage.
pub(super) fn message_start(id: &str, model: &str, out: &mut BytesMut) {
    out.put_slice(b"event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":");
    write_string(out, id);
    out.put_slice(br#","type":"message","role":"assistant","model":"#);
    write_string(out, model);
    out.put_slice(br#","content":[],"stop_reason":null,"stop_sequence":null,"usage":"#);
}

fn put_index(index: u32, out: &mut BytesMut) {
    out.put_slice(itoa::Buffer::new().format(index).as_bytes());
}

fn block_start(index: u32, block: &[u8], out: &mut BytesMut) {
    out.put_slice(
        b"event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":",
    );
    put_index(index, out);
    out.put_slice(br#","content_block":"#);
    out.put_slice(block);
}

pub(super) fn text_start(index: u32, out: &mut BytesMut) {
    block_start(index, b"{\"type\":\"text\",\"text\":\"\"}}\n\n", out);
}

pub(super) fn thinking_start(index: u32, out: &mut BytesMut) {
    let block = b"{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}}\n\n";
    block_start(index, block, out);
}

pub(super) fn redacted_start(index: u32, data: &str, out: &mut BytesMut) {
    block_start(index, br#"{"type":"redacted_thinking","data":"#, out);
    write_string(out, data);
    out.put_slice(b"}}\n\n");
}

pub(super) fn tool_start(index: u32, id: &str, name: &str, out: &mut BytesMut) {
    block_start(index, br#"{"type":"tool_use","id":"#, out);
    write_string(out, id);
    out.put_slice(br#","name":"#);
    write_string(out, name);
    out.put_slice(b",\"input\":{}}}\n\n");
}

fn delta_start(index: u32, out: &mut BytesMut) {
    out.put_slice(
        b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":",
    );
    put_index(index, out);
    out.put_slice(br#","delta":"#);
}

/// Writes a delta of one of the kinds above; nothing for an empty text.
pub(super) fn delta(index: u32, kind: &[u8], text: &str, out: &mut BytesMut) {
    if text.is_empty() {
        return;
    }
    out.reserve(text.len() + DELTA_ROOM_BYTES);
    delta_start(index, out);
    out.put_slice(kind);
    write_string(out, text);
    out.put_slice(b"}}\n\n");
}

pub(super) fn citation(index: u32, url: &str, title: &str, out: &mut BytesMut) {
    delta_start(index, out);
    out.put_slice(br#"{"type":"citations_delta","citation":"#);
    write_citation(url, title, out);
    out.put_slice(b"}}\n\n");
}

pub(super) fn block_stop(index: u32, out: &mut BytesMut) {
    out.put_slice(b"event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":");
    put_index(index, out);
    out.put_slice(b"}\n\n");
}
