//! A model's name and the variants that stand behind it: `openai/gpt-5.4:nitro`.
//!
//! Used by the table, which takes variants off one by one until the name is one it knows. What
//! follows a colon and is no variant is part of the name, as in `ollama/llama3:8b`.

use super::preferences::SortBy;
use std::collections::HashMap;

/// What a name may end in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    /// The endpoint with the highest throughput first.
    Nitro,
    /// The cheapest endpoint first.
    Floor,
    /// The one that calls tools best first.
    Exacto,
    /// With reasoning.
    Thinking,
    /// With a search of the web.
    Online,
    /// An edition that costs nothing.
    Free,
    /// An edition with a longer context.
    Extended,
}

impl Variant {
    const ALL: [Self; 7] = [
        Self::Nitro,
        Self::Floor,
        Self::Exacto,
        Self::Thinking,
        Self::Online,
        Self::Free,
        Self::Extended,
    ];

    /// The word behind the colon.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nitro => "nitro",
            Self::Floor => "floor",
            Self::Exacto => "exacto",
            Self::Thinking => "thinking",
            Self::Online => "online",
            Self::Free => "free",
            Self::Extended => "extended",
        }
    }

    /// The order of endpoints it stands for.
    pub fn sort(self) -> Option<SortBy> {
        match self {
            Self::Nitro => Some(SortBy::Throughput),
            Self::Floor => Some(SortBy::Price),
            Self::Exacto => Some(SortBy::Exacto),
            _ => None,
        }
    }

    /// Whether it is a model of its own, that only its full name leads to.
    pub fn is_edition(self) -> bool {
        matches!(self, Self::Free | Self::Extended)
    }
}

/// A name without its last variant, and that variant; `None` if it ends in none.
pub fn split(name: &str) -> Option<(&str, Variant)> {
    let (base, word) = name.rsplit_once(':')?;
    let variant = Variant::ALL.into_iter().find(|variant| variant.name() == word)?;
    (!base.is_empty()).then_some((base, variant))
}

/// What is kept under a name, or under what is left of it without its variants.
pub(super) fn find<'t, T>(table: &'t HashMap<String, T>, name: &str) -> Option<&'t T> {
    if table.is_empty() {
        return None;
    }
    let mut base = name;
    loop {
        if let Some(found) = table.get(base) {
            return Some(found);
        }
        (base, _) = split(base)?;
    }
}

/// What the variants of a name ask for together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Variants {
    /// The order of endpoints; the last one that was written.
    pub sort: Option<SortBy>,
    /// Whether it shall reason.
    pub thinks: bool,
}

impl Variants {
    /// With one more, which was written before those that are here already.
    #[must_use]
    pub fn after(mut self, variant: Variant) -> Self {
        self.sort = self.sort.or_else(|| variant.sort());
        self.thinks |= variant == Variant::Thinking;
        self
    }

    /// Those of an alias, and below them those of what it stands for.
    #[must_use]
    pub fn or(self, below: Self) -> Self {
        Self { sort: self.sort.or(below.sort), thinks: self.thinks || below.thinks }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_words_are_variants() {
        let cases = [
            ("openai/gpt:nitro", Some(("openai/gpt", Variant::Nitro))),
            ("a/b:free:online", Some(("a/b:free", Variant::Online))),
            ("fast:floor", Some(("fast", Variant::Floor))),
            ("ollama/llama3:8b", None),
            ("ollama/llama3:8b:exacto", Some(("ollama/llama3:8b", Variant::Exacto))),
            ("a/b:NITRO", None),
            ("a/b:", None),
            (":free", None),
            ("a/b", None),
        ];
        for (name, expected) in cases {
            assert_eq!(split(name), expected, "{name}");
        }
        for variant in Variant::ALL {
            assert_eq!(split(&format!("m:{}", variant.name())), Some(("m", variant)));
        }
        let of_all = Variant::ALL.map(|one| (one, one.name())).into_iter();
        let of_every_model = of_all.filter(|(one, _)| !one.is_edition() && *one != Variant::Online);
        assert!(of_every_model.map(|(_, name)| name).eq(crate::catalog::model::VARIANTS));
    }

    #[test]
    fn the_last_order_that_is_written_counts() {
        let both = Variants::default().after(Variant::Floor).after(Variant::Nitro);
        assert_eq!(both.sort, Some(SortBy::Price), "…:nitro:floor");
        let thinking = Variants::default().after(Variant::Thinking);
        assert_eq!(both.or(thinking), Variants { sort: Some(SortBy::Price), thinks: true });
    }
}
