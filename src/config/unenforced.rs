//! Settings that are read and checked but that nothing acts on yet.
//!
//! Used by `validate`, which warns about each one an operator wrote, by `cli` for the flags of the
//! same names, and by a test that holds the documentation to it. A setting that gets its effect is
//! taken out here and out of its doc comment.

/// One such setting.
pub(super) struct Unenforced {
    /// Where it is written; `*` is any name of one's own or any item of a list.
    pub(super) path: &'static str,
    /// What the gateway does not do with it.
    pub(super) verb: &'static str,
    /// The only value that is meant; `None`: any.
    pub(super) value: Option<&'static str>,
}

/// Any value of a setting that limits or steers.
const fn any(path: &'static str) -> Unenforced {
    Unenforced { path, verb: "enforced", value: None }
}

/// All of them.
pub(super) const UNENFORCED: &[Unenforced] = &[
    any("account.opening_balance_usd"),
    any("keys.*.limit_usd"),
    any("keys.*.limit_reset"),
    any("keys.*.include_byok_in_limit"),
    any("keys.*.enforce_zdr"),
    any("models.*.rate_limit"),
    any("providers.*.byok"),
    any("store.unrecorded"),
    any("keys.*.rate_limit"),
    Unenforced { path: "keys.*.budget_mode", verb: "enforced", value: Some("strict") },
    any("providers.*.data_policy"),
    any("routing.breaker"),
    any("routing.fallback_on_content_policy"),
    any("routing.fallback_on_context_length"),
    any("routing.retry_budget"),
];

/// Whether a setting is without effect in this version; `path` as in the table, such as
/// `keys.*.limit_usd`.
pub fn is_unenforced(path: &str) -> bool {
    UNENFORCED.iter().any(|setting| setting.path == path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_looked_up_as_they_are_written() {
        assert!(is_unenforced("keys.*.limit_usd"));
        assert!(!is_unenforced("keys.*.allowed_models"));
    }
}
