//! What models answer with, in the words of lists: more kinds than a message has.
//!
//! Used by the objects and the filters of the catalogue.

use crate::catalog::Modality;

/// What a model answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Output {
    /// Text.
    Text,
    /// Pictures.
    Image,
    /// Vectors.
    Embeddings,
    /// Sound.
    Audio,
    /// Moving pictures.
    Video,
    /// An order of documents.
    Rerank,
    /// Text that is read out.
    Speech,
    /// The text of what is heard.
    Transcription,
    /// Judgements of OpenRouter's own models; nothing here makes them.
    Decisions,
}

impl Output {
    /// All of them, in the order in which they are listed.
    pub(super) const ALL: [Self; 9] = [
        Self::Text,
        Self::Image,
        Self::Embeddings,
        Self::Audio,
        Self::Video,
        Self::Rerank,
        Self::Speech,
        Self::Transcription,
        Self::Decisions,
    ];

    /// Its name in lists.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Image => "image",
            Self::Embeddings => "embeddings",
            Self::Audio => "audio",
            Self::Video => "video",
            Self::Rerank => "rerank",
            Self::Speech => "speech",
            Self::Transcription => "transcription",
            Self::Decisions => "decisions",
        }
    }

    /// The output of this name.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|output| output.name() == name)
    }

    /// The output that is a part of messages; nothing answers with documents.
    pub(super) fn of_modality(modality: Modality) -> Option<Self> {
        match modality {
            Modality::Text => Some(Self::Text),
            Modality::Image => Some(Self::Image),
            Modality::Audio => Some(Self::Audio),
            Modality::Video => Some(Self::Video),
            Modality::Pdf => None,
        }
    }

    fn bit(self) -> u16 {
        1 << (self as u8)
    }
}

/// A set of outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Outputs(u16);

impl Outputs {
    /// Whether one is among them.
    pub(super) fn contains(self, output: Output) -> bool {
        self.0 & output.bit() != 0
    }

    /// Whether the sets have one in common.
    pub(super) fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Those in either set.
    #[must_use]
    pub(super) fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Their names.
    pub(super) fn names(self) -> Vec<&'static str> {
        let among = Output::ALL.into_iter().filter(|output| self.contains(*output));
        among.map(Output::name).collect()
    }

    /// Their names in one word, as in `text+image`.
    pub(super) fn joined(self) -> String {
        self.names().join("+")
    }
}

impl FromIterator<Output> for Outputs {
    fn from_iter<I: IntoIterator<Item = Output>>(outputs: I) -> Self {
        Self(outputs.into_iter().fold(0, |set, output| set | output.bit()))
    }
}
