//! Who is asked next: the first candidate of the plan that may be asked, with a key.
//!
//! Used by the loop of the exchange. A candidate that may not be asked is passed over without a
//! call: that is no attempt. The cursor only moves forward.

use super::super::dispatch::Outgoing;
use super::super::failover::{self, Failures};
use super::super::settle::UsageGuard;
use super::{Exchange, refusal};
use crate::error::{GatewayError, Kind, Retry, TimeLimit};
use crate::routing::health::{Permit, RetryIn};
use crate::routing::{Candidate, Plan};
use std::sync::Arc;
use std::time::Instant;

/// An endpoint that is about to be asked.
pub(super) struct Target<'e> {
    /// Which.
    pub(super) candidate: &'e Candidate,
    /// What it is sent.
    pub(super) outgoing: Outgoing<'e>,
    /// Its leave to be asked; taken when the attempt begins.
    pub(super) permit: Option<Permit>,
}

/// Where the loop stands in the plan.
#[derive(Debug)]
pub(super) struct Cursor<'e> {
    candidates: &'e [Candidate],
    position: usize,
    /// Keys of the candidate that were tried.
    keys: Vec<usize>,
    /// Models that refused the request for what it is.
    refused: Vec<&'e Arc<str>>,
    attempts: usize,
    /// Where the last attempt failed, and why.
    failed: Option<(usize, Kind)>,
}

impl<'e> Cursor<'e> {
    /// At the plan's beginning.
    pub(super) fn new(plan: &'e Plan) -> Self {
        Self {
            candidates: &plan.candidates,
            position: 0,
            keys: Vec::new(),
            refused: Vec::new(),
            attempts: 0,
            failed: None,
        }
    }

    fn candidate(&self) -> Option<&'e Candidate> {
        self.candidates.get(self.position)
    }

    /// Whether the candidate has a key that was not tried.
    fn has_other_key(&self, candidate: &Candidate) -> bool {
        candidate.provider.keys.next(&candidate.upstream_model, &self.keys).is_some()
    }

    /// Goes on to the next candidate, past all whose model refused the request.
    pub(super) fn leave_endpoint(&mut self) {
        self.keys.clear();
        self.position += 1;
        while self.candidate().is_some_and(|next| self.refused.contains(&&next.canonical)) {
            self.position += 1;
        }
    }

    /// Goes on to the next candidate that serves another model.
    pub(super) fn leave_model(&mut self) {
        if let Some(candidate) = self.candidate() {
            self.refused.push(&candidate.canonical);
        }
        self.leave_endpoint();
    }

    /// Notes why the present candidate failed.
    pub(super) fn note_failure(&mut self, reason: Kind) {
        self.failed = Some((self.position, reason));
    }

    /// The endpoint that failed before the present one, and why.
    pub(super) fn came_from(&self) -> Option<(&'e Candidate, Kind)> {
        let (position, reason) = self.failed?;
        let left = self.candidates.get(position).filter(|_| position != self.position)?;
        Some((left, reason))
    }

    /// What the decision about another attempt needs to know.
    pub(super) fn standing(&self, relayed: bool) -> failover::Standing {
        let rest = self.candidates.get(self.position + 1..).unwrap_or_default();
        let mut open = rest.iter().filter(|next| !self.refused.contains(&&next.canonical));
        let present = self.candidate();
        let is_other = |next: &Candidate| present.is_some_and(|p| p.canonical != next.canonical);
        failover::Standing {
            attempts: self.attempts,
            other_key: present.is_some_and(|candidate| self.has_other_key(candidate)),
            other_endpoint: open.clone().next().is_some(),
            other_model: open.any(is_other),
            relayed,
        }
    }
}

impl<'e> Exchange<'e> {
    /// The next endpoint to ask, with the request written for it; `None` when the plan is at its
    /// end. An error is one that no other endpoint would help with.
    pub(super) async fn next_target(
        &mut self,
        cursor: &mut Cursor<'e>,
        guard: &mut UsageGuard,
        failures: &mut Failures,
    ) -> Result<Option<Target<'e>>, GatewayError> {
        while let Some(candidate) = cursor.candidate() {
            match self.enter(candidate, cursor, guard).await {
                Ok(target) => {
                    cursor.attempts += 1;
                    return Ok(Some(target));
                }
                Err(refused) if refused.retry == Retry::Never && !failures.has_attempt() => {
                    return Err(refused);
                }
                Err(refused) => {
                    failures.note_passed_over(refused);
                    cursor.leave_endpoint();
                }
            }
        }
        Ok(None)
    }

    /// Takes everything that an attempt at the candidate needs.
    async fn enter(
        &mut self,
        candidate: &'e Candidate,
        cursor: &mut Cursor<'e>,
        guard: &mut UsageGuard,
    ) -> Result<Target<'e>, GatewayError> {
        if Instant::now() >= self.deadline(&candidate.provider) {
            return Err(GatewayError::late(TimeLimit::Total).with_retry(Retry::OtherEndpoint));
        }
        let health = &self.services.health;
        let (now_ms, slug) = (health.now_ms(), &candidate.provider.slug);
        let endpoint = health.endpoint(slug, &candidate.upstream_model);
        let permit = endpoint.enter(now_ms).map_err(|RetryIn { ms }| refusal::left_alone(ms))?;
        guard.holds().enter_model(self.services, candidate)?;
        let provider = health.provider(slug);
        if cursor.attempts == 0 {
            provider.note_request(now_ms);
        } else if !provider.may_retry(now_ms) {
            return Err(refusal::no_retry());
        }
        let asked = (&*candidate.upstream_model, &*cursor.keys);
        let picked = provider.keys.pick(&candidate.provider.keys, asked, now_ms);
        let key = picked.map_err(refusal::no_key)?.map(|(index, key)| {
            cursor.keys.push(index);
            key
        });
        let body = self.encode(candidate).await?;
        let outgoing = self.outgoing((candidate, key), body)?;
        Ok(Target { candidate, outgoing, permit: Some(permit) })
    }
}
