//! Usage: the record of every request and its way to the store.
//!
//! `settle` puts a [`Generation`] into the [`Journal`] before a request is sent and another when it
//! has ended; the [`Recorder`] copies the journal to the store in batches, exactly once. Nothing
//! here is awaited by a request.

mod csv;
pub mod export_csv;
pub mod journal;
pub mod recorder;
pub mod report;
pub mod report_pdf;

pub use crate::store::generation::{self, Generation, Outcome};
pub use journal::{Journal, JournalError};
pub use recorder::{Recorder, Recovery};
