//! What a request needs of a model, told from its body without reading all of it as a tree.
//!
//! Quotes inside of texts are escaped in JSON, so that a word found with its quotes is a key or a
//! whole value. A need that is seen where there is none costs a choice, no more.

use super::Need;
use crate::json::{Elements, Head};
use memchr::memmem;
use std::collections::BTreeSet;

/// What in a body says that it holds more than text.
const MARKS: &[(&[u8], Need)] = &[
    (b"\"image_url\"", Need::Images),
    (b"\"input_image\"", Need::Images),
    (b"\"image\"", Need::Images),
    (b"\"image/", Need::Images),
    (b"\"input_audio\"", Need::Audio),
    (b"\"audio/", Need::Audio),
    (b"\"video_url\"", Need::Video),
    (b"\"video/", Need::Video),
    (b"\"file\"", Need::Files),
    (b"\"input_file\"", Need::Files),
    (b"\"document\"", Need::Files),
    (b"\"application/pdf\"", Need::Files),
];

/// Members that hold the conversation, in all formats.
const CONVERSATION: &[&str] = &["messages", "input", "contents", "system"];
/// Members that may ask for an answer of a shape, in all formats.
const SHAPES: &[&str] =
    &["response_format", "text", "output_format", "output_config", "generationConfig"];
/// What in them asks for a schema.
const SCHEMAS: &[&[u8]] = &[b"\"json_schema\"", b"\"responseSchema\"", b"\"responseJsonSchema\""];

/// The needs of a checked body.
pub fn of(body: &[u8], head: &Head) -> BTreeSet<Need> {
    let mut needs = BTreeSet::new();
    for part in CONVERSATION.iter().filter_map(|name| head.raw(body, name)) {
        let seen = MARKS.iter().filter(|(mark, _)| memmem::find(part, mark).is_some());
        needs.extend(seen.map(|(_, need)| *need));
    }
    let lists = ["tools", "functions"].into_iter().filter_map(|name| head.raw(body, name));
    if lists.filter_map(Elements::new).any(|mut tools| tools.next().is_some()) {
        needs.insert(Need::Tools);
    }
    let shapes = SHAPES.iter().filter_map(|name| head.raw(body, name));
    if shapes
        .into_iter()
        .any(|shape| SCHEMAS.iter().any(|schema| memmem::find(shape, schema).is_some()))
    {
        needs.insert(Need::JsonSchema);
    }
    needs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_every_format() {
        use Need::{Audio, Files, Images, JsonSchema, Tools, Video};
        let cases: &[(&str, &[Need])] = &[
            (r#"{"messages":[{"content":"an \"image_url\" and \"audio/x\""}]}"#, &[]),
            (r#"{"messages":[{"content":[{"type":"image_url","image_url":{}}]}]}"#, &[Images]),
            (r#"{"messages":[{"content":[{"type": "image","source":{}}]}],"tools":[]}"#, &[Images]),
            (r#"{"input":[{"content":[{"type":"input_file"}]}],"tools":[{}]}"#, &[Files, Tools]),
            (r#"{"contents":[{"parts":[{"inlineData":{"mimeType":"video/mp4"}}]}]}"#, &[Video]),
            (r#"{"contents":[{"parts":[{"fileData":{"mimeType":"application/pdf"}}]}]}"#, &[Files]),
            (
                r#"{"messages":[{"content":[{"type":"input_audio"}]}],"functions":[{}]}"#,
                &[Audio, Tools],
            ),
            (r#"{"response_format":{"type":"json_schema"},"messages":[]}"#, &[JsonSchema]),
            (r#"{"response_format":{"type":"json_object"}}"#, &[]),
            (r#"{"text":{"format":{"type":"json_schema"}}}"#, &[JsonSchema]),
            (r#"{"generationConfig":{"responseSchema":{}}}"#, &[JsonSchema]),
            (r#"{"metadata":{"x":"json_schema"},"user":"image_url"}"#, &[]),
        ];
        for (body, expected) in cases {
            let head = Head::scan(body.as_bytes()).unwrap();
            let found: Vec<Need> = of(body.as_bytes(), &head).into_iter().collect();
            assert_eq!(found, *expected, "{body}");
        }
    }
}
