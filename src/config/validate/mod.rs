//! What types cannot say: ranges, references between tables, addresses that clash, secrets that
//! are missing.
//!
//! Used by `load` on a configuration whose shape is right. Every finding has the position of the
//! value that should change. Errors refuse the file; warnings do so only under `--strict`.

mod names;
mod prices;
mod process;
mod providers;
mod secrets;

use super::Config;
use super::problem::Problem;
use super::tree::{Step, Tree};

/// Everything wrong (first) and everything doubtful (second).
pub(super) fn check(
    config: &Config,
    tree: &Tree,
    env: &dyn Fn(&str) -> Option<String>,
) -> (Vec<Problem>, Vec<Problem>) {
    let mut findings = Findings { config, tree, errors: Vec::new(), warnings: Vec::new() };
    process::check(&mut findings);
    providers::check(&mut findings);
    names::check(&mut findings);
    secrets::check(&mut findings, env);
    (findings.errors, findings.warnings)
}

/// The configuration under test and what was found so far.
struct Findings<'a> {
    config: &'a Config,
    tree: &'a Tree,
    errors: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl Findings<'_> {
    /// The value at `path` is wrong; an empty hint is none.
    fn error(&mut self, path: &[Step], message: impl Into<String>, hint: &str) {
        let problem = self.tree.problem(self.tree.value_at(path), message, some(hint));
        self.errors.push(problem);
    }

    /// The key at the end of `path` is wrong.
    fn key_error(&mut self, path: &[Step], message: impl Into<String>, hint: &str) {
        let problem = self.tree.problem(self.tree.key_at(path), message, some(hint));
        self.errors.push(problem);
    }

    /// The value at `path` is doubtful.
    fn warning(&mut self, path: &[Step], message: impl Into<String>, hint: &str) {
        let problem = self.tree.problem(self.tree.value_at(path), message, some(hint));
        self.warnings.push(problem);
    }

    /// The key at the end of `path` is doubtful.
    fn key_warning(&mut self, path: &[Step], message: impl Into<String>, hint: &str) {
        let problem = self.tree.problem(self.tree.key_at(path), message, some(hint));
        self.warnings.push(problem);
    }

    /// A number outside `range`.
    fn range(&mut self, path: &[Step], number: u64, range: std::ops::RangeInclusive<u64>) {
        if !range.contains(&number) {
            let (low, high) = (range.start(), range.end());
            let last = match path.last() {
                Some(Step::Key(key)) => key.as_str(),
                _ => "value",
            };
            self.error(path, format!("`{last}` is {number}"), &format!("from {low} to {high}"));
        }
    }
}

fn some(hint: &str) -> Option<String> {
    (!hint.is_empty()).then(|| hint.to_owned())
}

/// The steps to a value: `steps!["providers", name, "keys", 0]`.
macro_rules! steps {
    ($($step:expr),+) => { [$($crate::config::tree::Step::from($step)),+] };
}
use steps;
