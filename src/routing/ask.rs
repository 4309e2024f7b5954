//! What the planner is told of a request.
//!
//! Made by `proxy::admit`; plain data, so that every decision can be tried in a test.

use super::preferences::Preferences;
use crate::catalog::ParameterSet;
use crate::formats::ApiFormat;
use memchr::memmem;

/// Bytes of text per token, in an estimate.
pub const BYTES_PER_TOKEN: u64 = 4;
/// What in a body takes fewer tokens than its bytes would.
const MEDIA: [&[u8]; 4] = [b"\"data:", b"base64", b"inlineData", b"inline_data"];
/// What only a body with pictures holds, in every format. Text that speaks of them may hold it too,
/// which costs nothing but a preference.
const IMAGES: [&[u8]; 6] =
    [b"image_url", b"input_image", b"\"image\"", b"image/", b"inlineData", b"inline_data"];

/// One request as the planner sees it.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// Names of models in the order of the request: `model`, then `models`.
    pub models: &'a [&'a str],
    /// Format of the endpoint that was called when bare names belong to that vendor.
    pub home: Option<ApiFormat>,
    /// What it wishes of its providers; `route` is in here too.
    pub preferences: &'a Preferences,
    /// The parameters it sets, by OpenAI's names whatever its format calls them.
    pub parameters: ParameterSet,
    /// Its body. Looked into only when the answer decides something.
    pub body: &'a [u8],
    /// Tokens its prompt will probably have, for weighing prices.
    pub prompt_tokens: u64,
    /// Tokens its answer will probably have, for weighing prices.
    pub completion_tokens: u64,
    /// Longest answer it allows, in tokens.
    pub completion_cap: Option<u64>,
    /// The endpoint that served the conversation last.
    pub sticky: Option<Sticky<'a>>,
}

/// The endpoint that served a conversation last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sticky<'a> {
    /// Slug of the provider.
    pub provider: &'a str,
    /// The provider's own name of the model.
    pub upstream_model: &'a str,
}

impl<'a> Ask<'a> {
    /// A request for these models with these wishes and nothing else.
    pub fn new(models: &'a [&'a str], preferences: &'a Preferences) -> Self {
        Self {
            models,
            home: None,
            preferences,
            parameters: ParameterSet::NONE,
            body: &[],
            prompt_tokens: 0,
            completion_tokens: 0,
            completion_cap: None,
            sticky: None,
        }
    }

    /// Whether prompt and answer are longer than a context, as far as its bytes tell: those of
    /// pictures and files do not.
    pub fn is_longer_than(&self, context_tokens: u64) -> bool {
        let bytes = u64::try_from(self.body.len()).unwrap_or(u64::MAX);
        let tokens = bytes.div_ceil(BYTES_PER_TOKEN);
        tokens.saturating_add(self.completion_cap.unwrap_or(0)) > context_tokens
            && !self.holds_any(&MEDIA)
    }

    /// Whether its prompt seems to hold pictures.
    pub fn has_images(&self) -> bool {
        self.holds_any(&IMAGES)
    }

    fn holds_any(&self, marks: &[&[u8]]) -> bool {
        marks.iter().any(|mark| memmem::find(self.body, mark).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_tell_the_length_of_text_alone() {
        let preferences = Preferences::default();
        let (text, picture) = ("a".repeat(400), format!("{{\"url\":\"data:{}\"", "a".repeat(387)));
        let ask = |body: &'static str| Ask { body: body.as_bytes(), ..Ask::new(&[], &preferences) };
        let text = Ask { body: text.as_bytes(), ..ask("") };
        assert!(text.is_longer_than(99) && !text.is_longer_than(100));
        let capped = Ask { completion_cap: Some(50), ..text };
        assert!(capped.is_longer_than(149) && !capped.is_longer_than(150));
        assert!(!Ask { body: picture.as_bytes(), ..text }.is_longer_than(1));
    }

    #[test]
    fn pictures_are_found_in_every_format() {
        let preferences = Preferences::default();
        let cases = [
            (r#"{"type":"image_url","image_url":{"url":"https://x"}}"#, true),
            (r#"{"type":"input_image"}"#, true),
            (r#"{"type": "image","source":{}}"#, true),
            (r#"{"inlineData":{"mimeType":"image/png"}}"#, true),
            (r#"{"inline_data":{}}"#, true),
            (r#"{"type":"text","text":"hello"}"#, false),
        ];
        for (body, expected) in cases {
            let ask = Ask { body: body.as_bytes(), ..Ask::new(&[], &preferences) };
            assert_eq!(ask.has_images(), expected, "{body}");
        }
    }
}
