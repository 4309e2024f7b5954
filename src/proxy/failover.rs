//! Phase 3: what to do after an attempt failed, and what the caller is told when all did. Pure
//! decisions; nothing is sent here.
//!
//! Used by `exchange`. Once the caller got a byte of an answer nothing is tried again.

use crate::error::{GatewayError, Kind, Retry};
use std::time::Duration;

/// How far a request that fails goes on.
#[derive(Debug, Clone, Copy)]
pub struct FailoverRules {
    /// Most attempts made for one request, over all keys, endpoints and models; at least 1.
    pub max_attempts: usize,
    /// Whether a prompt that is too long for one model is sent to the next.
    pub on_context_length: bool,
    /// Whether a request that one model's policy refuses is sent to the next.
    pub on_content_policy: bool,
}

impl FailoverRules {
    /// Whether what a model refuses for this reason is sent to the next one.
    fn passes_on(&self, kind: Kind) -> bool {
        match kind {
            Kind::ContextLengthExceeded => self.on_context_length,
            Kind::ContentPolicyViolation => self.on_content_policy,
            _ => false,
        }
    }
}

/// What happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The same endpoint with another of its keys.
    OtherKey,
    /// The next candidate of the plan.
    OtherEndpoint,
    /// The next candidate of the plan that serves another model.
    OtherModel,
    /// The error goes to the caller.
    GiveUp,
}

/// Where a failed request stands.
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each named")]
#[derive(Debug, Clone, Copy)]
pub struct Standing {
    /// Attempts made.
    pub attempts: usize,
    /// Whether the endpoint has a key that was not tried.
    pub other_key: bool,
    /// Whether the plan has another candidate.
    pub other_endpoint: bool,
    /// Whether one of those serves another model.
    pub other_model: bool,
    /// Whether the caller got a byte of an answer, or does not want one any more.
    pub relayed: bool,
}

/// Decides what follows on an error.
pub fn decide(error: &GatewayError, standing: Standing, rules: &FailoverRules) -> Next {
    if standing.relayed || standing.attempts >= rules.max_attempts {
        return Next::GiveUp;
    }
    let only_if = |possible: bool, next: Next| if possible { next } else { Next::GiveUp };
    match error.retry {
        Retry::Never => Next::GiveUp,
        Retry::OtherModel => {
            only_if(standing.other_model && rules.passes_on(error.kind), Next::OtherModel)
        }
        Retry::OtherKey if standing.other_key => Next::OtherKey,
        Retry::SameEndpoint | Retry::OtherKey | Retry::OtherEndpoint => {
            only_if(standing.other_endpoint, Next::OtherEndpoint)
        }
    }
}

/// Why a request has no answer, over all its attempts and all the endpoints it passed over.
#[derive(Debug, Default)]
pub struct Failures {
    /// The error of the last attempt.
    last: Option<GatewayError>,
    /// What an endpoint said that was passed over without a call, the first of its kind.
    passed_over: Option<GatewayError>,
    all_rate_limited: bool,
    /// The shortest wait that was named.
    shortest_wait: Option<Duration>,
    /// Whether every failure named a wait.
    all_wait: bool,
}

impl Failures {
    /// Notes how an attempt failed.
    pub fn note_attempt(&mut self, error: GatewayError) {
        if self.last.is_none() {
            // Who was asked says more than who was not.
            self.start();
        }
        self.note(&error);
        self.last = Some(error);
    }

    /// Notes an endpoint that was not asked, and why.
    pub fn note_passed_over(&mut self, error: GatewayError) {
        if self.last.is_some() {
            return;
        }
        if self.passed_over.is_none() {
            self.start();
        }
        self.note(&error);
        let is_worse = |known: &GatewayError| {
            known.kind == Kind::RateLimitExceeded && error.kind != Kind::RateLimitExceeded
        };
        if self.passed_over.as_ref().is_none_or(is_worse) {
            self.passed_over = Some(error);
        }
    }

    /// Whether an attempt was made.
    pub fn has_attempt(&self) -> bool {
        self.last.is_some()
    }

    fn start(&mut self) {
        (self.all_rate_limited, self.all_wait, self.shortest_wait) = (true, true, None);
    }

    fn note(&mut self, error: &GatewayError) {
        self.all_rate_limited &= error.kind == Kind::RateLimitExceeded;
        self.all_wait &= error.retry_after.is_some();
        self.shortest_wait = match (self.shortest_wait, error.retry_after) {
            (Some(known), Some(wait)) => Some(known.min(wait)),
            (known, wait) => known.or(wait),
        };
    }

    /// The error for the caller: that of the last attempt, else that of the endpoints that could
    /// not be asked. With the shortest wait, if all name one or all are limits of a rate; and
    /// wherever nobody was asked.
    pub fn verdict(self) -> GatewayError {
        let asked = self.last.is_some();
        let Some(error) = self.last.or(self.passed_over) else {
            return GatewayError::internal("the plan has no candidate");
        };
        if self.all_wait || self.all_rate_limited || !asked {
            let wait = self.shortest_wait;
            return error.with_retry_after(wait);
        }
        error
    }
}

#[cfg(test)]
#[path = "failover/tests.rs"]
mod tests;
