//! Content of an answer as Converse spells it: whole blocks, beginnings of blocks, and deltas.
//!
//! Used by the answer and stream readers. A block or delta of an unknown kind, or of a tool that
//! the server runs itself, gives `None`: it is skipped without harm to its neighbours.

use super::text::{Str, filled, view};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// A whole block.
#[derive(Debug)]
pub(super) enum Block<'a> {
    Text(Cow<'a, str>),
    Thought { text: Cow<'a, str>, signature: Option<Cow<'a, str>> },
    Redacted(Cow<'a, str>),
    Call { id: Cow<'a, str>, name: Cow<'a, str>, input: Option<&'a RawValue> },
    Image { mime: String, data: Cow<'a, str> },
    Cited { texts: Vec<Cow<'a, str>>, sources: Vec<Source<'a>> },
}

/// A web source that a text rests on.
#[derive(Debug)]
pub(super) struct Source<'a> {
    pub(super) url: Cow<'a, str>,
    pub(super) title: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlockFields<'a> {
    #[serde(borrow)]
    text: Option<Str<'a>>,
    #[serde(borrow)]
    reasoning_content: Option<&'a RawValue>,
    #[serde(borrow)]
    tool_use: Option<&'a RawValue>,
    #[serde(borrow)]
    image: Option<&'a RawValue>,
    #[serde(borrow)]
    citations_content: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reasoning<'a> {
    #[serde(borrow)]
    reasoning_text: Option<ReasoningText<'a>>,
    #[serde(borrow)]
    redacted_content: Option<Str<'a>>,
}

#[derive(Deserialize)]
struct ReasoningText<'a> {
    #[serde(borrow)]
    text: Option<Str<'a>>,
    #[serde(borrow)]
    signature: Option<Str<'a>>,
}

/// A call; `type` is set for tools that the server runs itself.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Call<'a> {
    #[serde(borrow)]
    tool_use_id: Option<Str<'a>>,
    #[serde(borrow)]
    name: Option<Str<'a>>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
    #[serde(borrow)]
    r#type: Option<Str<'a>>,
}

impl Call<'_> {
    fn is_servers(&self) -> bool {
        self.r#type.as_ref().is_some_and(|kind| kind.0.starts_with("server_"))
    }
}

#[derive(Deserialize)]
struct Image<'a> {
    #[serde(borrow)]
    format: Option<Str<'a>>,
    #[serde(borrow)]
    source: Option<Bytes<'a>>,
}

#[derive(Deserialize)]
struct Bytes<'a> {
    #[serde(borrow)]
    bytes: Option<Str<'a>>,
}

#[derive(Deserialize)]
struct Citations<'a> {
    #[serde(borrow)]
    content: Option<Vec<BlockFields<'a>>>,
    #[serde(borrow)]
    citations: Option<Vec<&'a RawValue>>,
}

impl<'a> Block<'a> {
    /// Reads a block of a known kind.
    pub(super) fn read(json: &'a RawValue) -> Option<Self> {
        let fields = view::<BlockFields<'a>>(json)?;
        if let Some(text) = fields.text {
            return Some(Self::Text(text.0));
        }
        if let Some(reasoning) = fields.reasoning_content.and_then(view::<Reasoning<'a>>) {
            return Self::reasoning(reasoning);
        }
        if let Some(call) = fields.tool_use.and_then(view::<Call<'a>>) {
            if call.is_servers() {
                return None;
            }
            let (id, name) = (call.tool_use_id.unwrap_or_default().0, call.name?.0);
            return Some(Self::Call { id, name, input: call.input });
        }
        if let Some(image) = fields.image.and_then(view::<Image<'a>>) {
            return image.read().map(|(mime, data)| Self::Image { mime, data });
        }
        let cited = fields.citations_content.and_then(view::<Citations<'a>>)?;
        let texts = cited.content.into_iter().flatten().filter_map(|block| filled(block.text));
        let sources = cited.citations.into_iter().flatten().filter_map(Source::read);
        Some(Self::Cited { texts: texts.collect(), sources: sources.collect() })
    }

    fn reasoning(reasoning: Reasoning<'a>) -> Option<Self> {
        if let Some(text) = reasoning.reasoning_text {
            let signature = filled(text.signature);
            return Some(Self::Thought { text: text.text.unwrap_or_default().0, signature });
        }
        filled(reasoning.redacted_content).map(Self::Redacted)
    }
}

impl<'a> Image<'a> {
    fn read(self) -> Option<(String, Cow<'a, str>)> {
        let data = filled(self.source?.bytes)?;
        let format = filled(self.format).unwrap_or(Cow::Borrowed("png"));
        Some((format!("image/{format}"), data))
    }
}

impl<'a> Source<'a> {
    /// Reads a citation; those of documents have no address, hence no neutral form.
    pub(super) fn read(json: &'a RawValue) -> Option<Self> {
        #[derive(Deserialize)]
        struct Citation<'a> {
            #[serde(borrow)]
            title: Option<Str<'a>>,
            #[serde(borrow)]
            location: Option<Location<'a>>,
        }
        #[derive(Deserialize)]
        struct Location<'a> {
            #[serde(borrow)]
            web: Option<Web<'a>>,
        }
        #[derive(Deserialize)]
        struct Web<'a> {
            #[serde(borrow)]
            url: Option<Str<'a>>,
        }
        let citation = view::<Citation<'a>>(json)?;
        let url = filled(citation.location?.web?.url)?;
        Some(Self { url, title: citation.title.unwrap_or_default().0 })
    }
}

/// What a block begins with in a stream.
#[derive(Debug)]
pub(super) enum Start<'a> {
    Call {
        id: Cow<'a, str>,
        name: Cow<'a, str>,
    },
    /// A kind that carries nothing for the client.
    Skipped,
}

impl<'a> Start<'a> {
    /// Reads the beginning of a block; `None` when it tells nothing.
    pub(super) fn read(json: &'a RawValue) -> Option<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Fields<'a> {
            #[serde(borrow)]
            tool_use: Option<Call<'a>>,
            #[serde(borrow)]
            tool_result: Option<&'a RawValue>,
        }
        let fields = view::<Fields<'a>>(json)?;
        match fields.tool_use {
            Some(call) if call.is_servers() => Some(Self::Skipped),
            Some(call) => Some(Self::Call {
                id: call.tool_use_id.unwrap_or_default().0,
                name: call.name.unwrap_or_default().0,
            }),
            None => fields.tool_result.map(|_| Self::Skipped),
        }
    }
}

/// A change of a block in a stream.
#[derive(Debug)]
pub(super) enum Delta<'a> {
    Text(Cow<'a, str>),
    Thought(Cow<'a, str>),
    Signature(Cow<'a, str>),
    Redacted(Cow<'a, str>),
    Input(Cow<'a, str>),
    Image { mime: String, data: Cow<'a, str> },
    Citation(Source<'a>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeltaFields<'a> {
    #[serde(borrow)]
    text: Option<Str<'a>>,
    #[serde(borrow)]
    tool_use: Option<&'a RawValue>,
    #[serde(borrow)]
    reasoning_content: Option<&'a RawValue>,
    #[serde(borrow)]
    image: Option<&'a RawValue>,
    #[serde(borrow)]
    citation: Option<&'a RawValue>,
}

impl<'a> Delta<'a> {
    /// Reads a delta of a known kind; one without content gives `None`.
    pub(super) fn read(json: &'a RawValue) -> Option<Self> {
        let fields = view::<DeltaFields<'a>>(json)?;
        if fields.text.is_some() {
            return filled(fields.text).map(Self::Text);
        }
        if let Some(input) = fields.tool_use {
            #[derive(Deserialize)]
            struct Input<'a> {
                #[serde(borrow)]
                input: Option<Str<'a>>,
            }
            return filled(view::<Input<'a>>(input)?.input).map(Self::Input);
        }
        if let Some(reasoning) = fields.reasoning_content {
            return Self::reasoning(reasoning);
        }
        if let Some(image) = fields.image.and_then(view::<Image<'a>>) {
            return image.read().map(|(mime, data)| Self::Image { mime, data });
        }
        fields.citation.and_then(Source::read).map(Self::Citation)
    }

    fn reasoning(json: &'a RawValue) -> Option<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Fields<'a> {
            #[serde(borrow)]
            text: Option<Str<'a>>,
            #[serde(borrow)]
            signature: Option<Str<'a>>,
            #[serde(borrow)]
            redacted_content: Option<Str<'a>>,
        }
        let fields = view::<Fields<'a>>(json)?;
        let text = filled(fields.text).map(Self::Thought);
        let signature = || filled(fields.signature).map(Self::Signature);
        text.or_else(signature).or_else(|| filled(fields.redacted_content).map(Self::Redacted))
    }
}
