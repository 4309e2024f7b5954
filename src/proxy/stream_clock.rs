//! The time limits of a stream after the provider's header: first token, idle, total; and the
//! moment from which the caller's header is no longer held back.
//!
//! Used by `respond`. Only what the provider sends moves it.

use super::keep_alive::KeepAlive;
use crate::error::{GatewayError, TimeLimit};
use crate::providers::Timeouts;
use std::time::{Duration, Instant};

/// How long after the provider's header the first content is awaited before the caller's header
/// is committed without it.
const COMMIT_AFTER: Duration = Duration::from_secs(2);

/// The time limits of one stream.
pub struct StreamClock {
    limits: Timeouts,
    deadline: Instant,
    started: Instant,
    last_chunk: Instant,
    saw_content: bool,
}

impl StreamClock {
    /// Starts with the header of the provider's answer; the request's time is over at `deadline`.
    pub fn start(limits: Timeouts, deadline: Instant) -> Self {
        let now = Instant::now();
        Self { limits, deadline, started: now, last_chunk: now, saw_content: false }
    }

    /// Notes that bytes came.
    pub fn note_chunk(&mut self) {
        self.last_chunk = Instant::now();
    }

    /// True the first time content is seen.
    pub fn note_content(&mut self) -> bool {
        !std::mem::replace(&mut self.saw_content, true)
    }

    /// When the silence has lasted too long.
    pub fn silence_ends(&self) -> Instant {
        let idle = self.last_chunk + self.limits.idle;
        if self.saw_content { idle } else { idle.min(self.started + self.limits.first_token) }
    }

    /// Which limit ends the silence: a stream that sent something, but no content, is late with
    /// its first token unless it fell silent altogether.
    pub fn missed_limit(&self) -> TimeLimit {
        let idle_ends = self.last_chunk + self.limits.idle;
        let is_first_token =
            !self.saw_content && self.started + self.limits.first_token <= idle_ends;
        if is_first_token { TimeLimit::FirstToken } else { TimeLimit::Idle }
    }

    /// Whether the caller has waited long enough for its header.
    pub fn is_commit_due(&self) -> bool {
        self.started.elapsed() >= COMMIT_AFTER
    }

    /// The next moment at which something may be due.
    pub fn next_wake(&self, holding: bool, keep_alive: &KeepAlive) -> Instant {
        let mut wake = self.silence_ends().min(self.deadline);
        if let Some(due) = keep_alive.due_at() {
            wake = wake.min(due);
        }
        if holding && !self.is_commit_due() {
            wake = wake.min(self.started + COMMIT_AFTER);
        }
        wake
    }

    /// An error once the time of the whole request is over.
    pub fn check_total(&self) -> Result<(), GatewayError> {
        if Instant::now() >= self.deadline {
            return Err(GatewayError::late(TimeLimit::Total));
        }
        Ok(())
    }

    /// An error once a limit is missed.
    pub fn check(&self) -> Result<(), GatewayError> {
        self.check_total()?;
        if Instant::now() >= self.silence_ends() {
            return Err(GatewayError::late(self.missed_limit()));
        }
        Ok(())
    }
}
