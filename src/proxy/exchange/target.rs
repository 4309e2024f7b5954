//! Who is asked next: the first candidate of the plan that may be asked, with a key.
//!
//! Used by the loop of the exchange. A candidate that may not be asked is passed over without a
//! call: that is no attempt. The cursor only moves forward.

use super::super::dispatch::Outgoing;
use super::super::failover::{self, Failures};
use super::super::limit::Holds;
use super::super::settle::UsageGuard;
use super::{Exchange, refusal};
use crate::error::{GatewayError, Kind, Retry, TimeLimit};
use crate::providers::ProviderKey;
use crate::routing::health::{Permit, RetryIn};
use crate::routing::{Candidate, HedgeRule, Plan};
use std::sync::Arc;
use std::time::Instant;

/// An endpoint that is about to be asked.
pub(super) struct Target<'e> {
    /// Which.
    pub(super) candidate: &'e Arc<Candidate>,
    /// What it is sent.
    pub(super) outgoing: Outgoing,
    /// Its leave to be asked; taken when the attempt begins.
    pub(super) permit: Option<Permit>,
}

impl<'e> Target<'e> {
    /// Who is asked.
    pub(super) fn asked(&self) -> Asked<'e> {
        Asked { candidate: self.candidate, key: self.outgoing.key }
    }
}

/// Who is asked, and with which of its keys.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'e> {
    /// The endpoint.
    pub(super) candidate: &'e Arc<Candidate>,
    key: Option<usize>,
}

impl<'e> Asked<'e> {
    /// The key; `None` for a provider without keys.
    pub(super) fn key(self) -> Option<&'e ProviderKey> {
        self.candidate.provider.keys.get(self.key?)
    }
}

/// Whether somebody was asked before.
enum Turn {
    First,
    Later,
}

/// Where the loop stands in the plan.
#[derive(Debug)]
pub(super) struct Cursor<'e> {
    candidates: &'e [Arc<Candidate>],
    position: usize,
    /// Keys of the candidate that were tried.
    keys: Vec<usize>,
    /// Models that refused the request for what it is.
    refused: Vec<&'e Arc<str>>,
    attempts: usize,
    /// A candidate that was asked before its turn.
    hedged: Option<usize>,
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
            hedged: None,
            failed: None,
        }
    }

    fn candidate(&self) -> Option<&'e Arc<Candidate>> {
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
        while self.candidates.get(self.position).is_some() && !self.is_open(self.position) {
            self.position += 1;
        }
    }

    /// Whether the candidate at a position may still be asked.
    fn is_open(&self, position: usize) -> bool {
        let candidate = self.candidates.get(position);
        self.hedged != Some(position)
            && candidate.is_some_and(|next| !self.refused.contains(&&next.canonical))
    }

    /// The candidate that may be asked besides the first one, which must be the present one, and
    /// its position.
    pub(super) fn second(&self, rule: &HedgeRule) -> Option<(usize, &'e Arc<Candidate>)> {
        let first = self.candidate().filter(|_| self.attempts == 1)?;
        let mut rest = self.candidates.iter().enumerate().skip(self.position + 1);
        rest.find(|(_, next)| rule.crosses_models() || next.canonical == first.canonical)
    }

    /// Notes that the candidate at a position is asked before its turn.
    pub(super) fn note_hedge(&mut self, position: usize) {
        self.attempts += 1;
        self.hedged = Some(position);
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
        let rest = self.candidates.iter().enumerate().skip(self.position + 1);
        let mut open = rest.filter(|(at, _)| self.is_open(*at)).map(|(_, next)| next);
        let present = self.candidate();
        let is_other =
            |next: &Arc<Candidate>| present.is_some_and(|p| p.canonical != next.canonical);
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
        candidate: &'e Arc<Candidate>,
        cursor: &mut Cursor<'e>,
        guard: &mut UsageGuard,
    ) -> Result<Target<'e>, GatewayError> {
        if Instant::now() >= self.deadline(&candidate.provider) {
            return Err(GatewayError::late(TimeLimit::Total).with_retry(Retry::OtherEndpoint));
        }
        let turn = if cursor.attempts == 0 { Turn::First } else { Turn::Later };
        let (permit, key) = self.leave(candidate, (guard.holds(), turn), &cursor.keys)?;
        cursor.keys.extend(key);
        let body = self.encode(candidate).await?;
        let outgoing = self.outgoing((candidate, key), body)?;
        Ok(Target { candidate, outgoing, permit: Some(permit) })
    }

    /// Everything that an attempt at the candidate besides another one needs; `None` if any of it
    /// is missing.
    pub(super) async fn enter_besides(
        &mut self,
        candidate: &'e Arc<Candidate>,
        holds: &mut Holds,
    ) -> Option<Target<'e>> {
        let (permit, key) = self.leave(candidate, (holds, Turn::Later), &[]).ok()?;
        let body = self.encode(candidate).await.ok()?;
        let outgoing = self.outgoing((candidate, key), body).ok()?;
        Some(Target { candidate, outgoing, permit: Some(permit) })
    }

    /// Leave to ask the candidate, and with which of its keys.
    fn leave(
        &self,
        candidate: &Candidate,
        (holds, turn): (&mut Holds, Turn),
        tried: &[usize],
    ) -> Result<(Permit, Option<usize>), GatewayError> {
        let health = &self.services.health;
        let (now_ms, slug) = (health.now_ms(), &candidate.provider.slug);
        let endpoint = health.endpoint(slug, &candidate.upstream_model);
        let permit = endpoint.enter(now_ms).map_err(|RetryIn { ms }| refusal::left_alone(ms))?;
        holds.enter_model(self.services, candidate)?;
        let provider = health.provider(slug);
        match turn {
            Turn::First => provider.note_request(now_ms),
            Turn::Later if provider.may_retry(now_ms) => {}
            Turn::Later => return Err(refusal::no_retry()),
        }
        let asked = (&*candidate.upstream_model, tried);
        let picked = provider.keys.pick(&candidate.provider.keys, asked, now_ms);
        let key = picked.map_err(refusal::no_key)?.map(|(index, _)| index);
        Ok((permit, key))
    }
}
