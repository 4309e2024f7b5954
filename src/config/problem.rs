//! What is wrong with a configuration, and where.
//!
//! Every step of loading adds to one list of [`Problem`]s, so that an operator sees all of them at
//! once. A problem never quotes a value that could be a secret.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

/// One thing wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// The file it is in.
    pub file: PathBuf,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Problem {
    /// A problem of a whole file.
    pub fn of_file(file: impl Into<PathBuf>, message: impl Into<String>) -> Self {
        Self { file: file.into(), line: 1, column: 1, message: message.into(), hint: None }
    }
}

impl fmt::Display for Problem {
    /// `file:line:column: message`, and the hint on a line of its own.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, message, hint } = self;
        write!(f, "{}:{line}:{column}: {message}", file.display())?;
        hint.as_ref().map_or(Ok(()), |hint| write!(f, "\n  hint: {hint}"))
    }
}

/// Everything wrong with a configuration; never empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// In the order of files and lines.
    pub problems: Vec<Problem>,
}

impl ConfigError {
    /// Sorts the problems and drops those found twice.
    pub(super) fn new(mut problems: Vec<Problem>) -> Self {
        problems.sort();
        problems.dedup();
        Self { problems }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let line_break = if index == 0 { "" } else { "\n" };
            write!(f, "{line_break}{problem}")?;
        }
        Ok(())
    }
}

/// The name closest to a mistyped one, if any is close.
pub(super) fn nearest<'a>(
    typed: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    nearest_names(typed, names).into_iter().next()
}

/// The names close to a mistyped one, the closest first.
pub fn nearest_names<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let typed = typed.to_lowercase().replace('-', "_");
    let allowed = typed.chars().count() / 3;
    let scored = names.into_iter().map(|name| {
        let plain = name.to_lowercase().replace('-', "_");
        // `literal` for `insecure_literal` is far by letters but plainly meant.
        let contained = typed.len() >= 4 && (plain.contains(&typed) || typed.contains(&plain));
        let distance = edit_distance(&typed, &plain);
        (if contained { distance.min(allowed) } else { distance }, name)
    });
    let mut close: Vec<_> = scored.filter(|(distance, _)| *distance <= allowed).collect();
    close.sort_unstable();
    close.into_iter().map(|(_, name)| name).collect()
}

/// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let mut previous_char = None;
    for (row, char_a) in a.chars().enumerate() {
        let mut current = vec![row + 1];
        for (column, char_b) in b.iter().enumerate() {
            let at = |line: &[usize], index: usize| line.get(index).copied().unwrap_or(usize::MAX);
            let replaced = at(&last, column) + usize::from(char_a != *char_b);
            let mut best = replaced.min(at(&last, column + 1) + 1).min(at(&current, column) + 1);
            let left = column.checked_sub(1);
            if let Some(left) = left
                && b.get(left) == Some(&char_a)
                && previous_char == Some(*char_b)
            {
                best = best.min(at(&before_last, left) + 1);
            }
            current.push(best);
        }
        before_last = std::mem::replace(&mut last, current);
        previous_char = Some(char_a);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_edits() {
        for (a, b, distance) in
            [("", "", 0), ("abc", "abc", 0), ("abc", "acb", 1), ("abc", "ab", 1), ("", "xy", 2)]
        {
            assert_eq!(edit_distance(a, b), distance, "{a} {b}");
        }
    }

    #[test]
    fn only_close_names_are_offered() {
        let names = ["base_url", "format", "insecure_literal", "keys"];
        assert_eq!(nearest("baseurl", names), Some("base_url"));
        assert_eq!(nearest("base-url", names), Some("base_url"));
        assert_eq!(nearest("fromat", names), Some("format"));
        assert_eq!(nearest("literal", names), Some("insecure_literal"));
        assert_eq!(nearest("weight", names), None);
        assert_eq!(nearest_names("cat", ["dog", "bat", "cat", "cut"]), ["cat", "bat", "cut"]);
    }
}
