//! What a model can, as far as it is known.
//!
//! Used by `routing` for its preferences and by lists of models. What is not known is `None` or
//! empty, and nobody is refused for it.

use super::builtin::{Known, Modality};

/// What a model can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Abilities {
    /// What a prompt may hold; empty = not known.
    pub reads: Modalities,
    /// What an answer may hold; empty = not known.
    pub writes: Modalities,
    /// Whether it calls tools.
    pub tools: Option<bool>,
    /// Whether it reasons.
    pub reasoning: Option<bool>,
    /// Whether answers can be held to a JSON schema.
    pub json_schema: Option<bool>,
}

impl From<&Known> for Abilities {
    /// A line that does not say what its model reads says nothing of what it can either.
    fn from(known: &Known) -> Self {
        if known.reads.is_empty() {
            return Self::default();
        }
        Self {
            reads: known.reads.iter().copied().collect(),
            writes: known.writes.iter().copied().collect(),
            tools: Some(known.tools),
            reasoning: Some(known.reasoning),
            json_schema: Some(known.json_schema),
        }
    }
}

/// A set of modalities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Modalities(u8);

impl Modalities {
    /// Whether one is among them.
    pub fn contains(self, modality: Modality) -> bool {
        self.0 & bit(modality) != 0
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// All that are among them.
    pub fn iter(self) -> impl Iterator<Item = Modality> {
        use Modality::{Audio, Image, Pdf, Text, Video};
        [Text, Image, Pdf, Audio, Video].into_iter().filter(move |one| self.contains(*one))
    }
}

impl FromIterator<Modality> for Modalities {
    fn from_iter<I: IntoIterator<Item = Modality>>(modalities: I) -> Self {
        Self(modalities.into_iter().fold(0, |set, one| set | bit(one)))
    }
}

fn bit(modality: Modality) -> u8 {
    1 << (modality as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_stated_is_not_known() {
        let nothing = Known { tools: true, ..Known::default() };
        assert_eq!(Abilities::from(&nothing), Abilities::default());
        let reads = vec![Modality::Image, Modality::Text];
        let known = Known { reads, writes: vec![Modality::Text], ..Known::default() };
        let abilities = Abilities::from(&known);
        assert_eq!((abilities.tools, abilities.json_schema), (Some(false), Some(false)));
        let reads: Vec<Modality> = abilities.reads.iter().collect();
        assert_eq!(reads, [Modality::Text, Modality::Image]);
        assert!(!abilities.reads.contains(Modality::Pdf) && !abilities.writes.is_empty());
    }
}
