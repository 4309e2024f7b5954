//! The atomic types of the counters.
//!
//! Used by `window` and `tally`. The model checks of `tests/loom` compile those two files with
//! loom's types in the place of this module.

pub(super) use std::sync::atomic::{AtomicU64, Ordering};
