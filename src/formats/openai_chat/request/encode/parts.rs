//! Content parts: text, pictures, files, sound, video.
//!
//! A medium that the provider cannot read is refused with the place it has in the request; it is
//! never left out in silence.

use crate::chat::Part;
use crate::chat::message::Media;
use crate::chat::tool::CacheControl;
use crate::formats::FormatError;
use crate::formats::openai_chat::dialect::{ContentForm, Dialect, FileForm};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use std::borrow::Cow;

/// Name of a file that has none: OpenAI demands one.
const NAMELESS: &str = "file.pdf";

/// A part of a message's content.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum WirePart<'r> {
    Text {
        text: Cow<'r, str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheMark>,
    },
    ImageUrl {
        image_url: ImageUrl<'r>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheMark>,
    },
    File {
        file: Attachment<'r>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheMark>,
    },
    DocumentUrl {
        document_url: Cow<'r, str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        document_name: Option<&'r str>,
    },
    InputAudio {
        input_audio: Sound<'r>,
    },
    VideoUrl {
        video_url: VideoUrl<'r>,
    },
    Thinking {
        thinking: [Box<WirePart<'r>>; 1],
    },
}

#[derive(Serialize)]
pub(super) struct ImageUrl<'r> {
    url: Cow<'r, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'r str>,
}

#[derive(Serialize)]
pub(super) struct VideoUrl<'r> {
    url: Cow<'r, str>,
}

#[derive(Serialize)]
pub(super) struct Sound<'r> {
    data: &'r str,
    format: &'r str,
}

#[derive(Serialize, Default)]
pub(super) struct Attachment<'r> {
    #[serde(skip_serializing_if = "Option::is_none")]
    filename: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_data: Option<Cow<'r, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_id: Option<&'r str>,
}

/// Anthropic's `cache_control`.
#[derive(Serialize, Clone, Copy)]
pub(super) struct CacheMark {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<&'static str>,
}

impl From<CacheControl> for CacheMark {
    fn from(cache: CacheControl) -> Self {
        let ttl = match cache {
            CacheControl::Default => None,
            CacheControl::FiveMinutes => Some("5m"),
            CacheControl::OneHour => Some("1h"),
        };
        Self { r#type: "ephemeral", ttl }
    }
}

/// What the parts of one message have in common.
#[derive(Clone, Copy)]
pub(super) struct Reader<'d> {
    pub(super) dialect: &'d Dialect,
    /// Position of the message in the request.
    pub(super) at: usize,
}

impl Reader<'_> {
    fn fault(self, complaint: &str) -> FormatError {
        let path = format!("messages[{}].content", self.at);
        let message = format!("`{path}` {complaint}");
        FormatError::field(path, message)
    }

    fn mark(self, cache: Option<CacheControl>) -> Option<CacheMark> {
        cache.filter(|_| self.dialect.cache_control).map(CacheMark::from)
    }

    /// A text part.
    pub(super) fn text(self, text: &str, cache: Option<CacheControl>) -> WirePart<'_> {
        WirePart::Text { text: Cow::Borrowed(text), cache_control: self.mark(cache) }
    }

    /// The wire form of a part of what was said; `None` for parts that are no content.
    pub(super) fn part<'r>(self, part: &'r Part<'_>) -> Result<Option<WirePart<'r>>, FormatError> {
        let written = match part {
            Part::Text { text, cache } => self.text(text, *cache),
            Part::File { source, filename, cache, .. } => {
                self.file(source, filename.as_deref(), *cache)?
            }
            Part::Image { .. } | Part::Audio { .. } | Part::Video { .. }
                if self.dialect.content == ContentForm::Text =>
            {
                return Err(self.fault("holds a picture or sound, but this model reads text only"));
            }
            Part::Image { source, detail, cache } => {
                let image_url = ImageUrl { url: self.address(source)?, detail: detail.as_deref() };
                WirePart::ImageUrl { image_url, cache_control: self.mark(*cache) }
            }
            Part::Audio { data, format } => {
                WirePart::InputAudio { input_audio: Sound { data, format } }
            }
            Part::Video { source } => {
                WirePart::VideoUrl { video_url: VideoUrl { url: self.address(source)? } }
            }
            Part::Refusal { text } => self.text(text, None),
            Part::SpokenAnswer(sound) => match &sound.transcript {
                Some(text) => self.text(text, None),
                None => return Ok(None),
            },
            Part::Reasoning(_) | Part::ToolCall(_) | Part::ToolResult { .. } => return Ok(None),
        };
        Ok(Some(written))
    }

    /// A `data:` URI or an address.
    fn address<'r>(self, source: &'r Media<'_>) -> Result<Cow<'r, str>, FormatError> {
        match source {
            Media::Base64 { mime, data } => Ok(Cow::Owned(format!("data:{mime};base64,{data}"))),
            Media::Url(url) => Ok(Cow::Borrowed(url)),
            Media::FileId(_) => Err(self.foreign_file()),
        }
    }

    fn foreign_file(self) -> FormatError {
        self.fault("refers to a file that was uploaded to another provider")
    }

    fn file<'r>(
        self,
        source: &'r Media<'_>,
        filename: Option<&'r str>,
        cache: Option<CacheControl>,
    ) -> Result<WirePart<'r>, FormatError> {
        if let Some(text) = plain_text(source) {
            let title = filename.map(|name| format!("{name}\n")).unwrap_or_default();
            let text = Cow::Owned(title + &text);
            return Ok(WirePart::Text { text, cache_control: self.mark(cache) });
        }
        let form = match self.dialect.content {
            ContentForm::Text => FileForm::None,
            ContentForm::Parts => self.dialect.files,
        };
        let file = match (form, source) {
            (FileForm::None, _) => {
                return Err(self.fault("holds a file, which this model does not read"));
            }
            (FileForm::DocumentUrl, _) => {
                let document_url = self.address(source)?;
                return Ok(WirePart::DocumentUrl { document_url, document_name: filename });
            }
            (_, Media::Base64 { .. }) | (FileForm::InlineOrUrl, Media::Url(_)) => {
                let file_data = Some(self.address(source)?);
                Attachment { filename: filename.or(Some(NAMELESS)), file_data, file_id: None }
            }
            (FileForm::Inline, Media::Url(_)) => {
                return Err(self.fault("holds the address of a file; this model needs its bytes"));
            }
            // Only OpenAI's own ids look like this; no other maker's file is known to it.
            (_, Media::FileId(id)) if id.starts_with("file-") => {
                Attachment { file_id: Some(id), ..Attachment::default() }
            }
            (_, Media::FileId(_)) => return Err(self.foreign_file()),
        };
        Ok(WirePart::File { file, cache_control: self.mark(cache) })
    }
}

/// The text of a text file that came as bytes.
fn plain_text(source: &Media<'_>) -> Option<String> {
    let Media::Base64 { mime, data } = source else { return None };
    let is_text = mime.starts_with("text/") || matches!(mime.as_ref(), "application/json");
    let bytes = is_text.then(|| STANDARD.decode(data.as_bytes()).ok()).flatten()?;
    String::from_utf8(bytes).ok()
}
