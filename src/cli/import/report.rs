//! What became of every setting of the input.
//!
//! Filled by the converters; [`Report::cover`] adds what they did not mention, so that nothing is
//! dropped in silence. Reasons never quote values, which may be secrets.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use serde::Serialize;

use super::input::Field;
use crate::config::Problem;

/// How well a setting could be carried over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Class {
    /// Means the same here.
    Exact,
    /// Carried over with a difference that is named.
    Approximate,
    /// Somebody has to do something.
    Manual,
    /// Has no counterpart; the output is as if it were not there.
    Unsupported,
}

impl Class {
    const ALL: [Self; 4] = [Self::Exact, Self::Approximate, Self::Manual, Self::Unsupported];

    fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Approximate => "approximate",
            Self::Manual => "manual",
            Self::Unsupported => "unsupported",
        }
    }
}

/// One setting of the input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Item {
    pub(super) class: Class,
    /// Path in the input, such as `model_list[0].litellm_params.rpm`.
    pub(super) setting: String,
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) reason: String,
}

/// All of them, and what the loader says about the output.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    summary: BTreeMap<&'static str, usize>,
    pub(super) items: Vec<Item>,
    warnings: Vec<String>,
}

impl Report {
    /// Notes what became of a setting.
    pub(super) fn add(&mut self, class: Class, field: &Field<'_>, reason: impl Into<String>) {
        let (line, column) = field.place();
        let (setting, reason) = (field.path().to_owned(), reason.into());
        self.items.push(Item { class, setting, line, column, reason });
    }

    /// Notes a setting that means the same here.
    pub(super) fn exact(&mut self, field: &Field<'_>, reason: impl Into<String>) {
        self.add(Class::Exact, field, reason);
    }

    /// Notes a setting that nearly means the same here.
    pub(super) fn approximate(&mut self, field: &Field<'_>, reason: impl Into<String>) {
        self.add(Class::Approximate, field, reason);
    }

    /// Notes a setting somebody has to look after.
    pub(super) fn manual(&mut self, field: &Field<'_>, reason: impl Into<String>) {
        self.add(Class::Manual, field, reason);
    }

    /// Notes a setting without a counterpart.
    pub(super) fn unsupported(&mut self, field: &Field<'_>, reason: impl Into<String>) {
        self.add(Class::Unsupported, field, reason);
    }

    /// Adds everything of the input that was not mentioned.
    pub(super) fn cover(&mut self, root: &Field<'_>) {
        let seen: BTreeSet<String> = self.items.iter().map(|item| item.setting.clone()).collect();
        let mut missed = Vec::new();
        root.children().into_iter().for_each(|child| not_seen(child, &seen, &mut missed));
        for field in missed {
            self.unsupported(&field, "not a setting the importer knows; it was left out");
        }
    }

    /// Joins what was said about one setting, orders the items by their place, counts them, and
    /// keeps what the loader warns about.
    pub(super) fn finish(&mut self, warnings: Vec<Problem>) {
        let mut joined: BTreeMap<String, Item> = BTreeMap::new();
        for item in std::mem::take(&mut self.items) {
            match joined.get_mut(&item.setting) {
                Some(known) => {
                    known.class = known.class.max(item.class);
                    known.reason.extend(["; ", &item.reason]);
                }
                None => drop(joined.insert(item.setting.clone(), item)),
            }
        }
        self.items = joined.into_values().collect();
        self.items.sort_by_key(|item| (item.line, item.column));
        for class in Class::ALL {
            let count = self.items.iter().filter(|item| item.class == class).count();
            self.summary.insert(class.name(), count);
        }
        self.warnings = warnings.into_iter().map(|warning| warning.message).collect();
    }

    /// For people: by class, each with its place.
    pub(super) fn text(&self, file: &Path) -> String {
        let counts = Class::ALL.map(|class| {
            format!("{} {}", self.summary.get(class.name()).unwrap_or(&0), class.name())
        });
        let mut text = format!("{}: {}\n", file.display(), counts.join(", "));
        for class in Class::ALL.into_iter().rev() {
            for item in self.items.iter().filter(|item| item.class == class) {
                let Item { setting, line, column, reason, .. } = item;
                // Writing to a String cannot fail.
                writeln!(text, "{}: {line}:{column}: {setting}: {reason}", class.name())
                    .unwrap_or_default();
            }
        }
        for warning in &self.warnings {
            text.extend(["warning: ", warning, "\n"]);
        }
        text.trim_end().to_owned()
    }
}

/// Collects the highest fields of which neither they nor anything in them was seen.
fn not_seen<'a>(field: Field<'a>, seen: &BTreeSet<String>, missed: &mut Vec<Field<'a>>) {
    let below = |mark: char| {
        let start = format!("{}{mark}", field.path());
        let first = seen.range(start.clone()..).next();
        first.is_some_and(|path| path.starts_with(&start))
    };
    let children = field.children();
    if !children.is_empty() && (below('.') || below('[')) {
        for child in children {
            not_seen(child, seen, missed);
        }
    } else if !seen.contains(field.path()) {
        missed.push(field);
    }
}
