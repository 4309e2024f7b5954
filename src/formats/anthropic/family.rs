//! What the generations of Claude accept, by the model's name.
//!
//! Used by the request encoder. Names are read in every spelling the hosts use
//! (`claude-3-7-sonnet-20250219`, `us.anthropic.claude-sonnet-4-5-v1:0`, `claude-opus-4@20250514`,
//! `anthropic/claude-sonnet-4.5`); a name that is no Claude gets the widest rules, because the
//! compatible provider behind it knows better.

/// How a model is told to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Thinking {
    /// Not at all.
    Unsupported,
    /// By a token budget.
    Budget,
    /// By effort; the model chooses how long.
    Adaptive,
}

/// Which sampling settings a model accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SamplingRule {
    /// Temperature and top_p, also together.
    Both,
    /// One of them.
    One,
    /// None.
    Neither,
}

/// The rules of one generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Family {
    line: Option<Line>,
    since: (u32, u32),
    /// How it thinks.
    pub(super) thinking: Thinking,
    /// What it samples by.
    pub(super) sampling: SamplingRule,
    /// Newer abilities.
    pub(super) abilities: &'static [Ability],
}

/// An ability that came with some generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ability {
    /// `output_config.format` and strict tools.
    StructuredOutput,
    /// Effort `xhigh`.
    XHigh,
    /// Thinking text is left out unless `display` asks for it.
    HidesThinking,
    /// Messages of role `system` after the first turn.
    LateSystem,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Opus,
    Sonnet,
    Haiku,
}

impl Family {
    /// Whether the generation has an ability.
    pub(super) fn can(&self, ability: Ability) -> bool {
        self.abilities.contains(&ability)
    }

    /// The rules for a model.
    pub(super) fn of(model: &str) -> Self {
        let Some((line, version)) = version(model) else { return FOREIGN };
        let fits = |row: &&Family| version >= row.since && (row.line.is_none() || row.line == line);
        TABLE.iter().find(fits).copied().unwrap_or(FOREIGN)
    }
}

use Ability::{HidesThinking, LateSystem, StructuredOutput, XHigh};
use SamplingRule::{Both, Neither, One};
use Thinking::{Adaptive, Budget, Unsupported};

const fn row(
    line: Option<Line>,
    since: (u32, u32),
    thinking: Thinking,
    sampling: SamplingRule,
    abilities: &'static [Ability],
) -> Family {
    Family { line, since, thinking, sampling, abilities }
}

/// First row that fits wins.
const TABLE: &[Family] = &[
    row(None, (5, 0), Adaptive, Neither, &[StructuredOutput, XHigh, HidesThinking]),
    row(
        Some(Line::Opus),
        (4, 8),
        Adaptive,
        Neither,
        &[StructuredOutput, XHigh, HidesThinking, LateSystem],
    ),
    row(None, (4, 7), Adaptive, Neither, &[StructuredOutput, XHigh, HidesThinking]),
    row(None, (4, 6), Adaptive, One, &[StructuredOutput]),
    row(None, (4, 5), Budget, One, &[StructuredOutput]),
    row(None, (4, 1), Budget, One, &[StructuredOutput]),
    row(None, (4, 0), Budget, Both, &[]),
    row(None, (3, 7), Budget, Both, &[]),
    row(None, (0, 0), Unsupported, Both, &[]),
];

/// A model of another maker behind Anthropic's format.
const FOREIGN: Family = row(None, (0, 0), Budget, Both, &[StructuredOutput]);

/// Line and version in a model name; `None` when it names no numbered Claude.
fn version(model: &str) -> Option<(Option<Line>, (u32, u32))> {
    let lower = model.to_ascii_lowercase();
    let (_, name) = lower.split_once("claude-")?;
    let mut line = None;
    let mut numbers = [None; 2];
    for piece in name.split(|c: char| !c.is_ascii_alphanumeric()) {
        line = line.or(match piece {
            "opus" => Some(Line::Opus),
            "sonnet" => Some(Line::Sonnet),
            "haiku" => Some(Line::Haiku),
            _ => None,
        });
        // Dates have eight digits and `v1` is no number.
        let number = piece.parse::<u32>().ok().filter(|_| piece.len() <= 2);
        let Some(number) = number else {
            if numbers.first().copied().flatten().is_some() && line.is_some() {
                break;
            }
            continue;
        };
        match numbers.iter_mut().find(|slot| slot.is_none()) {
            Some(slot) => *slot = Some(number),
            None => break,
        }
    }
    let [major, minor] = numbers;
    Some((line, (major?, minor.unwrap_or(0))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_every_spelling() {
        let cases = [
            ("claude-2.1", None, (2, 1)),
            ("claude-3-haiku-20240307", Some(Line::Haiku), (3, 0)),
            ("claude-3-5-sonnet-latest", Some(Line::Sonnet), (3, 5)),
            ("claude-3-7-sonnet-20250219", Some(Line::Sonnet), (3, 7)),
            ("claude-opus-4-20250514", Some(Line::Opus), (4, 0)),
            ("claude-opus-4@20250514", Some(Line::Opus), (4, 0)),
            ("claude-opus-4-1-20250805", Some(Line::Opus), (4, 1)),
            ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", Some(Line::Sonnet), (4, 5)),
            ("anthropic.claude-opus-4-20250514-v1:0", Some(Line::Opus), (4, 0)),
            ("anthropic/claude-sonnet-4.5", Some(Line::Sonnet), (4, 5)),
            ("claude-sonnet-5", Some(Line::Sonnet), (5, 0)),
            ("claude-opus-4-8", Some(Line::Opus), (4, 8)),
        ];
        for (name, line, number) in cases {
            assert_eq!(version(name), Some((line, number)), "{name}");
        }
        assert_eq!(version("deepseek-chat"), None);
        assert_eq!(version("claude-next"), None);
    }

    #[test]
    fn rules_follow_the_version() {
        let cases = [
            ("claude-3-5-haiku-latest", Unsupported, Both),
            ("claude-3-7-sonnet-20250219", Budget, Both),
            ("claude-sonnet-4-0", Budget, Both),
            ("claude-opus-4-1", Budget, One),
            ("claude-haiku-4-5", Budget, One),
            ("claude-sonnet-4-6", Adaptive, One),
            ("claude-opus-4-7", Adaptive, Neither),
            ("claude-sonnet-5", Adaptive, Neither),
            ("kimi-k2", Budget, Both),
        ];
        for (name, thinking, sampling) in cases {
            let family = Family::of(name);
            assert_eq!((family.thinking, family.sampling), (thinking, sampling), "{name}");
        }
        assert!(Family::of("claude-opus-4-8").can(LateSystem));
        assert!(!Family::of("claude-opus-4-7").can(LateSystem));
        assert!(!Family::of("claude-opus-4-6").can(XHigh));
        assert!(!Family::of("claude-sonnet-4-0").can(StructuredOutput));
    }
}
