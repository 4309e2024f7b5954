//! Adds what the gateway says of itself to an answer that is otherwise complete.
//!
//! Used by the proxy for callers that asked for it. Works on bytes that are about to leave: the end
//! of a whole answer, or the end of a stream. What has no place for it passes unchanged.

use super::{AnswerLabel, ApiFormat};
use crate::json::{find, write_string};
use bytes::{BufMut, Bytes, BytesMut};
use memchr::memmem;

/// A member with a value in JSON.
#[derive(Debug, Clone, Copy)]
pub struct Member<'m> {
    /// Its name, which needs no escapes.
    pub name: &'static str,
    /// Its value as JSON.
    pub value: &'m [u8],
}

/// Adds a member to a JSON object.
pub fn whole(body: Bytes, member: Member<'_>) -> Bytes {
    let Some(end) = body.iter().rposition(|byte| *byte == b'}') else { return body };
    let (before, after) = (body.slice(..end), body.slice(end..));
    let is_empty = before.trim_ascii_end().ends_with(b"{");
    let mut out = BytesMut::with_capacity(body.len() + member.name.len() + member.value.len() + 8);
    out.put_slice(&before);
    if !is_empty {
        out.put_u8(b',');
    }
    write_string(&mut out, member.name);
    out.put_u8(b':');
    out.put_slice(member.value);
    out.put_slice(&after);
    out.freeze()
}

/// Adds a member to the last bytes of a stream: a chunk of its own before `[DONE]` in OpenAI's
/// chat and completions, the answer in the last event of its Responses.
pub fn end_of_stream(
    client: ApiFormat,
    output: Bytes,
    member: Member<'_>,
    label: &AnswerLabel,
) -> Bytes {
    match client {
        ApiFormat::OpenAiChat => before_done(output, "chat.completion.chunk", member, label),
        ApiFormat::Completions => before_done(output, "text_completion", member, label),
        ApiFormat::OpenAiResponses => in_last_response(output, member),
        ApiFormat::Anthropic | ApiFormat::Gemini | ApiFormat::Bedrock => output,
    }
}

fn before_done(output: Bytes, object: &str, member: Member<'_>, label: &AnswerLabel) -> Bytes {
    const DONE: &[u8] = b"data: [DONE]";
    // No text of an answer has this at the beginning of a line.
    let at_line_start = |at: &usize| *at == 0 || output.get(at - 1) == Some(&b'\n');
    let Some(done) = memmem::find_iter(&output, DONE).find(at_line_start) else { return output };
    let mut out = BytesMut::with_capacity(output.len() + member.value.len() + 256);
    out.put_slice(&output.slice(..done));
    out.put_slice(b"data: {\"id\":");
    write_string(&mut out, &label.id);
    out.put_slice(format!(",\"object\":\"{object}\",\"created\":{}", label.created_s).as_bytes());
    out.put_slice(b",\"model\":");
    write_string(&mut out, label.model.as_deref().unwrap_or_default());
    out.put_slice(b",\"provider\":");
    write_string(&mut out, &label.provider);
    out.put_slice(b",\"choices\":[],");
    write_string(&mut out, member.name);
    out.put_u8(b':');
    out.put_slice(member.value);
    out.put_slice(b"}\n\n");
    out.put_slice(&output.slice(done..));
    out.freeze()
}

fn in_last_response(output: Bytes, member: Member<'_>) -> Bytes {
    const DATA: &[u8] = b"data: ";
    let mut from = 0;
    for line in output.split_inclusive(|byte| *byte == b'\n') {
        let (start, end) = (from, from + line.len());
        from = end;
        let Some(data) = line.strip_prefix(DATA) else { continue };
        let closes = find(data, "type").and_then(|range| data.get(range)).is_some_and(is_last);
        let Some(response) = find(data, "response").filter(|_| closes) else { continue };
        let (first, last) =
            (start + DATA.len() + response.start, start + DATA.len() + response.end);
        let changed = whole(output.slice(first..last), member);
        return [output.slice(..first), changed, output.slice(last..)].concat().into();
    }
    output
}

fn is_last(event: &[u8]) -> bool {
    [&b"\"response.completed\""[..], b"\"response.incomplete\"", b"\"response.failed\""]
        .contains(&event)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    const MEMBER: Member<'_> = Member { name: "note", value: b"{\"n\":1}" };

    fn label() -> AnswerLabel {
        AnswerLabel {
            id: Arc::from("gen-1"),
            model: Some(Arc::from("a/b")),
            provider: Arc::from("A \"quoted\""),
            created_s: 7,
            include_usage: true,
            exclude_reasoning: false,
            charges: None,
            shape: crate::formats::Shape::Maker,
        }
    }

    fn ended(client: ApiFormat, text: &'static str) -> String {
        let out = end_of_stream(client, Bytes::from_static(text.as_bytes()), MEMBER, &label());
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn an_object_gets_the_member() {
        for (body, expected) in [
            ("{\"a\":{}}", "{\"a\":{},\"note\":{\"n\":1}}"),
            ("{\"a\":1}\n", "{\"a\":1,\"note\":{\"n\":1}}\n"),
            ("{ }", "{ \"note\":{\"n\":1}}"),
            ("[1]", "[1]"),
            ("", ""),
        ] {
            assert_eq!(whole(Bytes::from(body), MEMBER), expected, "{body}");
        }
    }

    #[test]
    fn a_chat_stream_gets_a_chunk_before_its_end() {
        let text = "data: {\"x\":\"data: [DONE]\"}\n\ndata: [DONE]\n\n";
        let out = ended(ApiFormat::OpenAiChat, text);
        let events: Vec<&str> = out.split("\n\n").collect();
        assert_eq!(events.len(), 4, "{out}");
        assert_eq!((events[0], events[2]), ("data: {\"x\":\"data: [DONE]\"}", "data: [DONE]"));
        let chunk: serde_json::Value =
            serde_json::from_str(events[1].strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(chunk["note"]["n"], 1);
        assert_eq!(chunk["choices"], serde_json::json!([]));
        assert_eq!((&chunk["id"], &chunk["model"]), (&"gen-1".into(), &"a/b".into()));
        assert_eq!(ended(ApiFormat::OpenAiChat, "data: {}\n\n"), "data: {}\n\n");
    }

    #[test]
    fn the_last_event_of_responses_gets_it() {
        let text = "event: a\ndata: {\"type\":\"a\",\"response\":{\"b\":1}}\n\n\
             event: response.completed\n\
             data: {\"type\":\"response.completed\",\"response\":{\"b\":{}},\"sequence_number\":4}\n\n";
        let out = ended(ApiFormat::OpenAiResponses, text);
        assert!(
            out.contains("\"response\":{\"b\":{},\"note\":{\"n\":1}},\"sequence_number\":4}"),
            "{out}"
        );
        assert_eq!(out.matches("note").count(), 1, "{out}");
        assert_eq!(ended(ApiFormat::Anthropic, "event: x\n\n"), "event: x\n\n");
    }
}
