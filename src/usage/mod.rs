//! Usage: the record of every request and its way to the store.
//!
//! `settle` appends a [`Generation`] to the journal; the recorder copies the journal to the store
//! in batches, exactly once. Nothing here is awaited by a request.

pub mod generation;

pub use generation::{Generation, Outcome};
