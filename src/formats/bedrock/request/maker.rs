//! What the models on Bedrock accept, by the maker in their names.
//!
//! Used by the request encoder. Names are ids (`us.anthropic.claude-sonnet-4-5-20250929-v1:0`) or
//! ARNs that end in one; an ARN that does not tell the model gets the narrowest rules: nothing
//! that only some models take is sent to it.

use super::wire::CachePoint;
use crate::chat::tool::CacheControl;
use crate::formats::anthropic::request::encode::hosted::Hosted;

/// Models that keep to a schema by themselves, besides Claude, by a part of their names.
const SCHEMA_KEEPERS: [&str; 11] = [
    "gpt-oss",
    "qwen.qwen3",
    "deepseek.v3",
    "moonshot",
    "minimax.",
    "google.gemma-3",
    "nvidia.nemotron",
    "mistral.ministral",
    "mistral.magistral",
    "mistral.voxtral",
    "mistral.mistral-large-3",
];

/// Whose model it is, as far as it matters.
#[derive(Debug, Clone, Copy)]
pub(super) enum Maker {
    /// Anthropic's.
    Claude { hosted: Hosted, enforces_schemas: bool },
    /// Amazon's; the second generation reasons.
    Nova { reasons: bool },
    /// OpenAI's open models.
    GptOss,
    /// Cohere's, which call top_k by a name of their own.
    Cohere,
    /// Mistral's.
    Mistral { enforces_schemas: bool },
    /// Any other.
    Other { enforces_schemas: bool },
}

impl Maker {
    /// By the name of the model.
    pub(super) fn of(model: &str) -> Self {
        let lower = model.to_ascii_lowercase();
        let has = |part: &str| lower.contains(part);
        let enforces_schemas = SCHEMA_KEEPERS.iter().any(|part| has(part));
        if has("claude") {
            let hosted = Hosted::of(&lower);
            // Anthropic itself offers schemas one generation earlier than Bedrock.
            let enforces_schemas = hosted.enforces_schemas() && !has("claude-opus-4-1");
            return Self::Claude { hosted, enforces_schemas };
        }
        if has("amazon.nova") {
            return Self::Nova { reasons: has("amazon.nova-2") };
        }
        match () {
            () if has("gpt-oss") => Self::GptOss,
            () if has("cohere.") => Self::Cohere,
            () if has("mistral.") => Self::Mistral { enforces_schemas },
            () => Self::Other { enforces_schemas },
        }
    }

    /// Whether it keeps to a schema by itself, in answers and in calls.
    pub(super) fn enforces_schemas(self) -> bool {
        match self {
            Self::Claude { enforces_schemas, .. }
            | Self::Mistral { enforces_schemas }
            | Self::Other { enforces_schemas } => enforces_schemas,
            Self::GptOss => true,
            Self::Nova { .. } | Self::Cohere => false,
        }
    }

    /// Whether it takes its own reasoning back.
    pub(super) fn replays_reasoning(self) -> bool {
        matches!(self, Self::Claude { hosted, .. } if hosted.thinks())
    }

    /// Whether it can be asked to cite documents.
    pub(super) fn cites(self) -> bool {
        matches!(self, Self::Claude { .. })
    }

    /// Whether it hears and watches: nothing but Claude is known not to.
    pub(super) fn may_perceive(self) -> bool {
        !matches!(self, Self::Claude { .. })
    }

    /// A breakpoint in messages and instructions, where the model has a prompt cache.
    pub(super) fn cache_point(self, wish: CacheControl) -> Option<CachePoint> {
        let ttl = match (self, wish) {
            (Self::Claude { .. }, CacheControl::OneHour) => Some("1h"),
            (Self::Claude { .. } | Self::Nova { .. }, _) => None,
            _ => return None,
        };
        Some(CachePoint { r#type: "default", ttl })
    }

    /// A breakpoint among the tools.
    pub(super) fn tool_cache_point(self, wish: CacheControl) -> Option<CachePoint> {
        self.cache_point(wish).filter(|_| matches!(self, Self::Claude { .. }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_every_spelling() {
        let cases = [
            ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "Claude", true),
            ("anthropic.claude-3-haiku-20240307-v1:0", "Claude", false),
            ("us.anthropic.claude-opus-4-1-20250805-v1:0", "Claude", false),
            (
                "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-3-7-sonnet-20250219-v1:0",
                "Claude",
                false,
            ),
            ("amazon.nova-micro-v1:0", "Nova { reasons: false }", false),
            ("us.amazon.nova-2-lite-v1:0", "Nova { reasons: true }", false),
            ("openai.gpt-oss-120b-1:0", "GptOss", true),
            ("cohere.command-r-v1:0", "Cohere", false),
            ("mistral.mistral-7b-instruct-v0:2", "Mistral", false),
            ("mistral.mistral-large-3-675b-instruct", "Mistral", true),
            ("meta.llama3-70b-instruct-v1:0", "Other", false),
            ("arn:aws:bedrock:us-east-1:1:application-inference-profile/abc", "Other", false),
        ];
        for (name, maker, enforces) in cases {
            let found = Maker::of(name);
            assert!(format!("{found:?}").starts_with(maker), "{name}: {found:?}");
            assert_eq!(found.enforces_schemas(), enforces, "{name}");
        }
    }
}
