//! The atomic types of the breaker.
//!
//! Used by `breaker`. The model checks of `tests/loom` compile that file with loom's types in the
//! place of this module.

pub(super) use std::sync::atomic::{AtomicU64, Ordering};
