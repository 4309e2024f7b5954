//! Requests that were open when their process died.
//!
//! Used by the recorder after each look at the journal. A living process always has a segment in
//! the directory, and a segment goes only when all of it is in the store. So a process without
//! segments is dead, and what the store says it has open will never be settled by anybody else.

use super::{Recorder, RecorderError};
use crate::usage::journal;
use std::collections::HashSet;
use std::io;
use std::sync::atomic::Ordering;

impl Recorder {
    /// Stores the open requests of dead processes as abandoned, if a process is gone since the
    /// last look (`None`: there was none). A process of another journal is never touched: its
    /// segments are elsewhere.
    pub(super) async fn abandon_departed(
        &self,
        present: &mut Option<HashSet<String>>,
    ) -> Result<(), RecorderError> {
        let now = self.present_processes()?;
        if present.as_ref().is_none_or(|before| !before.is_subset(&now)) {
            // First the open requests, then who is there: one that begins later is not among them.
            for process in self.store.processes_with_open_requests().await? {
                if !self.journal.is_home_of(&process) || self.is_present(&process)? {
                    continue;
                }
                let abandoned = self.store.abandon(&process).await?;
                self.abandoned_total.fetch_add(abandoned, Ordering::Relaxed);
                tracing::warn!(process, abandoned, "requests of a process that died are settled");
            }
        }
        *present = Some(now);
        Ok(())
    }

    /// Looks twice, because a directory that changes while it is read may seem to lack a file.
    fn is_present(&self, process: &str) -> io::Result<bool> {
        Ok(process == self.journal.process()
            || self.present_processes()?.contains(process)
            || self.present_processes()?.contains(process))
    }

    fn present_processes(&self) -> io::Result<HashSet<String>> {
        let names = journal::list(self.journal.dir())?;
        Ok(names.iter().map(|name| journal::process_of(name).to_owned()).collect())
    }
}

#[cfg(test)]
mod tests;
