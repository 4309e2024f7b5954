//! What a model's name tells about how it wants to be asked to think.
//!
//! Gemini 2.5 takes a token budget, Gemini 3 and later a level; older and foreign models take
//! neither. The name is all there is to decide by, so that a new release of a known family works
//! without a release of the gateway.

use crate::chat::request::{Effort, ReasoningRequest};

/// How the thinking of a model is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// Gemini 2.5: a budget in tokens.
    Budget(Size),
    /// Gemini 3 and later: a level; signatures of calls are demanded back.
    Level(Size),
    /// No switch.
    Other,
}

/// Whether a model is of the large kind, whose thinking cannot be switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    Pro,
    Flash,
}

/// A thinking setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Thinking {
    Budget(u64),
    Level(&'static str),
}

impl Family {
    /// Reads the name, with or without a path before it.
    pub(super) fn of(model: &str) -> Self {
        let name = model.rsplit('/').next().unwrap_or(model);
        let Some(rest) = name.strip_prefix("gemini-") else { return Self::Other };
        let size = if rest.contains("pro") { Size::Pro } else { Size::Flash };
        if rest.starts_with("2.5") {
            return Self::Budget(size);
        }
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
        match digits.parse::<u32>() {
            Ok(major) if major >= 3 => Self::Level(size),
            Err(_) if rest.contains("latest") => Self::Level(size),
            _ => Self::Other,
        }
    }

    /// Whether the first call of a step has to carry a signature.
    pub(super) fn demands_signatures(self) -> bool {
        matches!(self, Self::Level(_))
    }

    /// The setting for a request; `None` when the client said nothing or there is no switch.
    pub(super) fn thinking(self, wanted: &ReasoningRequest) -> Option<Thinking> {
        let effort = wanted_effort(wanted);
        match (self, wanted.max_tokens) {
            (Self::Other, _) => None,
            (Self::Budget(_) | Self::Level(_), Some(tokens)) if effort != Some(Effort::None) => {
                Some(Thinking::Budget(tokens))
            }
            (Self::Budget(size), _) => effort.map(|effort| Thinking::Budget(budget(effort, size))),
            (Self::Level(size), _) => effort.map(|effort| Thinking::Level(level(effort, size))),
        }
    }
}

/// The effort asked for: switched off is none, switched on without more is medium.
fn wanted_effort(wanted: &ReasoningRequest) -> Option<Effort> {
    match (wanted.enabled, wanted.effort) {
        (Some(false), _) => Some(Effort::None),
        (_, Some(effort)) => Some(effort),
        (Some(true), None) => Some(Effort::Medium),
        (None, None) => None,
    }
}

fn budget(effort: Effort, size: Size) -> u64 {
    match (effort, size) {
        (Effort::None, Size::Flash) => 0,
        (Effort::None, Size::Pro) => 128,
        (Effort::Minimal, _) => 512,
        (Effort::Low, _) => 1024,
        (Effort::Medium, _) => 8192,
        (Effort::High, _) | (Effort::XHigh | Effort::Max, Size::Flash) => 24_576,
        (Effort::XHigh | Effort::Max, Size::Pro) => 32_768,
    }
}

fn level(effort: Effort, size: Size) -> &'static str {
    match (effort, size) {
        (Effort::None | Effort::Minimal, Size::Flash) => "MINIMAL",
        (Effort::None | Effort::Minimal, Size::Pro) | (Effort::Low, _) => "LOW",
        (Effort::Medium, Size::Flash) => "MEDIUM",
        (Effort::Medium, Size::Pro) | (Effort::High | Effort::XHigh | Effort::Max, _) => "HIGH",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_family() {
        for (name, family) in [
            ("gemini-2.5-flash", Family::Budget(Size::Flash)),
            ("models/gemini-2.5-pro-preview-05-06", Family::Budget(Size::Pro)),
            ("gemini-2.5-flash-lite", Family::Budget(Size::Flash)),
            ("gemini-3-pro-preview", Family::Level(Size::Pro)),
            ("publishers/google/models/gemini-3.5-flash", Family::Level(Size::Flash)),
            ("gemini-10-flash", Family::Level(Size::Flash)),
            ("gemini-flash-latest", Family::Level(Size::Flash)),
            ("gemini-2.0-flash", Family::Other),
            ("gemini-1.5-pro", Family::Other),
            ("gemma-3-27b-it", Family::Other),
        ] {
            assert_eq!(Family::of(name), family, "{name}");
        }
    }

    #[test]
    fn effort_becomes_budget_or_level() {
        let table = [
            (Effort::None, 0, 128, "MINIMAL", "LOW"),
            (Effort::Minimal, 512, 512, "MINIMAL", "LOW"),
            (Effort::Low, 1024, 1024, "LOW", "LOW"),
            (Effort::Medium, 8192, 8192, "MEDIUM", "HIGH"),
            (Effort::High, 24_576, 24_576, "HIGH", "HIGH"),
            (Effort::XHigh, 24_576, 32_768, "HIGH", "HIGH"),
            (Effort::Max, 24_576, 32_768, "HIGH", "HIGH"),
        ];
        for (effort, flash, pro, flash_level, pro_level) in table {
            let wanted = ReasoningRequest { effort: Some(effort), ..ReasoningRequest::default() };
            for (family, expected) in [
                (Family::Budget(Size::Flash), Thinking::Budget(flash)),
                (Family::Budget(Size::Pro), Thinking::Budget(pro)),
                (Family::Level(Size::Flash), Thinking::Level(flash_level)),
                (Family::Level(Size::Pro), Thinking::Level(pro_level)),
            ] {
                assert_eq!(family.thinking(&wanted), Some(expected), "{effort:?} {family:?}");
            }
            assert_eq!(Family::Other.thinking(&wanted), None);
        }
    }

    #[test]
    fn switches_and_budgets() {
        let flash3 = Family::Level(Size::Flash);
        let nothing = ReasoningRequest::default();
        assert_eq!(flash3.thinking(&nothing), None);
        let on = ReasoningRequest { enabled: Some(true), ..nothing };
        assert_eq!(flash3.thinking(&on), Some(Thinking::Level("MEDIUM")));
        let off = ReasoningRequest { enabled: Some(false), max_tokens: Some(9), ..nothing };
        assert_eq!(flash3.thinking(&off), Some(Thinking::Level("MINIMAL")));
        let exact =
            ReasoningRequest { max_tokens: Some(777), effort: Some(Effort::Low), ..nothing };
        assert_eq!(flash3.thinking(&exact), Some(Thinking::Budget(777)));
    }
}
