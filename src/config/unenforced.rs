//! Settings that are read and checked but that nothing acts on yet.
//!
//! Used by `validate`, which warns about each one an operator wrote, by the import, and by a test that holds the documentation to it. A setting that gets its effect is
//! taken out here and out of its doc comment.

/// Where each is written; `*` is any name of one's own or any item of a list.
pub(super) const UNENFORCED: &[&str] = &["routing.breaker", "routing.retry_budget"];

/// Whether a setting is without effect in this version; `path` as in the table, such as
/// `routing.breaker`.
pub fn is_unenforced(path: &str) -> bool {
    UNENFORCED.contains(&path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_looked_up_as_they_are_written() {
        assert!(is_unenforced("routing.breaker"));
        assert!(!is_unenforced("keys.*.allowed_models"));
    }
}
