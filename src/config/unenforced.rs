//! Settings that are read and checked but that nothing acts on yet.
//!
//! Used by `validate`, which warns about each one an operator wrote, and by a test that holds the
//! documentation to it. A setting that gets its effect is taken out here and out of its doc
//! comment.

/// Where each is written; `*` is any name of one's own or any item of a list.
pub(super) const UNENFORCED: &[&str] =
    &["providers.*.data_policy.trains", "providers.*.data_policy.retains_days"];
