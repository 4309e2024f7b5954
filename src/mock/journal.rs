//! What the mock served: one [`Entry`] per request, kept in memory and, if asked, appended to a file.
//!
//! Tests compare it with the gateway's own records, so it counts what a provider would bill, not
//! what the client was told. Written by `body` and `handle` through [`OpenEntry`].
//!
//! Invariant: an [`OpenEntry`] is recorded exactly once, at the latest when it is dropped.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use tokio::time::Instant;

use super::answer::Tokens;
use super::received::Received;

/// Entries kept in memory; older ones are forgotten (the file keeps them all).
const ENTRIES_KEPT: usize = 100_000;

/// One served request.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Entry {
    /// Position in the order of completion, from 1.
    pub seq: u64,
    /// Arrival, unix milliseconds.
    pub at_ms: i64,
    /// The response id sent to the client; empty when the answer had none.
    pub id: String,
    /// Request path without the query.
    pub path: String,
    /// Model asked for; empty when the route names none.
    pub model: String,
    /// `openai`, `anthropic`, `google` or `echo`.
    pub format: &'static str,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// Last four characters of the presented credential.
    pub key_suffix: String,
    /// HTTP status sent; 0 when the connection broke before a header.
    pub status: u16,
    /// Input tokens in total, cached and written ones included.
    pub prompt_tokens: u64,
    /// Output tokens generated until the end or the break, reasoning included.
    pub completion_tokens: u64,
    /// Input tokens read from a cache.
    pub cached_tokens: u64,
    /// Input tokens written to a five-minute cache.
    pub cache_write_5m_tokens: u64,
    /// Input tokens written to a one-hour cache.
    pub cache_write_1h_tokens: u64,
    /// Output tokens spent on reasoning.
    pub reasoning_tokens: u64,
    /// Stream events with content (text, reasoning, tool arguments) handed to the connection.
    pub events_sent: u64,
    /// The whole answer, as scripted, was handed to the connection.
    pub finished: bool,
    /// The client left before that.
    pub client_closed: bool,
    /// Name of the scripted break of the connection, if one happened.
    pub fault: Option<&'static str>,
    /// From arrival to the end of the answer, milliseconds.
    pub closed_after_ms: u64,
    /// Size of the request body.
    pub request_bytes: u64,
    /// Names of the request headers.
    pub request_headers: Vec<String>,
}

/// A handle on the entries of one mock; clones share them.
#[derive(Debug, Clone)]
pub struct Journal(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    entries: Mutex<Entries>,
    file: Option<File>,
}

#[derive(Debug, Default)]
struct Entries {
    last_seq: u64,
    kept: VecDeque<Entry>,
}

impl Journal {
    /// An empty journal that also appends to `file` if one is given.
    pub(super) fn open(file: Option<&Path>) -> io::Result<Self> {
        let file =
            file.map(|path| File::options().create(true).append(true).open(path)).transpose()?;
        Ok(Self(Arc::new(Shared { entries: Mutex::default(), file })))
    }

    /// All entries kept, in the order of completion.
    pub fn entries(&self) -> Vec<Entry> {
        self.since(0)
    }

    /// The entries whose `seq` is above the given one.
    pub fn since(&self, seq: u64) -> Vec<Entry> {
        let entries = self.lock();
        entries.kept.iter().filter(|entry| entry.seq > seq).cloned().collect()
    }

    /// Forgets the entries in memory; numbering goes on.
    pub fn clear(&self) {
        self.lock().kept.clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Entries> {
        self.0.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, mut entry: Entry) {
        let mut entries = self.lock();
        entries.last_seq += 1;
        entry.seq = entries.last_seq;
        if let Some(file) = &self.0.file {
            append(file, &entry);
        }
        if entries.kept.len() >= ENTRIES_KEPT {
            entries.kept.pop_front();
        }
        entries.kept.push_back(entry);
    }
}

/// One line, one `write`: lines of several mocks on one file do not mix.
fn append(mut file: &File, entry: &Entry) {
    let Ok(mut line) = serde_json::to_vec(entry) else { return };
    line.push(b'\n');
    if let Err(error) = file.write_all(&line) {
        tracing::error!(%error, "mock journal entry lost");
    }
}

/// The entry of a request in flight; records itself when finished, broken or dropped.
pub(super) struct OpenEntry {
    journal: Journal,
    started: Instant,
    entry: Entry,
    planned: Tokens,
    planned_events: u64,
    recorded: bool,
}

impl OpenEntry {
    /// Opens the entry of a request.
    pub(super) fn new(journal: &Journal, received: &Received, format: &'static str) -> Self {
        let entry = Entry {
            at_ms: received.at_ms,
            path: received.uri.path().to_owned(),
            format,
            key_suffix: received.key_suffix(),
            request_bytes: received.body.len() as u64,
            request_headers: received.headers.keys().map(|name| name.as_str().to_owned()).collect(),
            ..Entry::default()
        };
        Self {
            journal: journal.clone(),
            started: received.started,
            entry,
            planned: Tokens::default(),
            planned_events: 0,
            recorded: false,
        }
    }

    /// Names what was asked for.
    pub(super) fn asked(&mut self, model: &str, stream: bool) {
        model.clone_into(&mut self.entry.model);
        self.entry.stream = stream;
    }

    /// Names the answer: its id and what it would be billed when complete.
    pub(super) fn planned(&mut self, id: &str, tokens: Tokens) {
        id.clone_into(&mut self.entry.id);
        self.planned = tokens;
    }

    /// The number of content events of the complete stream.
    pub(super) fn planned_events(&mut self, events: u64) {
        self.planned_events = events;
    }

    /// The status sent.
    pub(super) fn status(&mut self, status: u16) {
        self.entry.status = status;
    }

    /// One content event was handed to the connection.
    pub(super) fn event_sent(&mut self) {
        self.entry.events_sent += 1;
    }

    /// The answer is complete as scripted.
    pub(super) fn finish(mut self) {
        self.entry.finished = true;
        self.record();
    }

    /// A scripted fault ends the answer.
    pub(super) fn fault(mut self, name: &'static str) {
        self.entry.fault = Some(name);
        self.record();
    }

    fn record(&mut self) {
        self.recorded = true;
        let tokens = self.generated();
        let mut entry = std::mem::take(&mut self.entry);
        entry.prompt_tokens = tokens.prompt;
        entry.completion_tokens = tokens.completion;
        entry.cached_tokens = tokens.cached;
        entry.cache_write_5m_tokens = tokens.cache_write_5m;
        entry.cache_write_1h_tokens = tokens.cache_write_1h;
        entry.reasoning_tokens = tokens.reasoning;
        let elapsed_ms = self.started.elapsed().as_millis();
        entry.closed_after_ms = u64::try_from(elapsed_ms).unwrap_or(u64::MAX);
        self.journal.record(entry);
    }

    /// A stream that broke generated its share of the output; anything else was generated whole.
    fn generated(&self) -> Tokens {
        let mut tokens = self.planned;
        if self.entry.stream && self.entry.events_sent < self.planned_events {
            tokens.completion = tokens.completion * self.entry.events_sent / self.planned_events;
            tokens.reasoning = tokens.reasoning.min(tokens.completion);
        } else if self.entry.stream && self.planned_events == 0 && !self.entry.finished {
            tokens.completion = 0;
            tokens.reasoning = 0;
        }
        tokens
    }
}

impl Drop for OpenEntry {
    fn drop(&mut self) {
        if !self.recorded {
            self.entry.client_closed = true;
            self.record();
        }
    }
}
