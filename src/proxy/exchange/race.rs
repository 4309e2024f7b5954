//! Two endpoints at a time: a second one is asked when the first is silent for longer than usual,
//! and who has content first answers.
//!
//! Used by the loop of the exchange for names that are hedged. The caller sees one answer. Both
//! calls are recorded, each with its own endpoint, price and cost; the guard of the request always
//! describes the call that answers, or the one that is still waited for.

use super::super::detach;
use super::super::downstream::Downstream;
use super::super::encode::WayBack;
use super::super::failover::Failures;
use super::super::keep_alive::KeepAlive;
use super::super::limit::Holds;
use super::super::opening::{Begun, Opening, Reading};
use super::super::respond::{self, Broken};
use super::super::settle::UsageGuard;
use super::target::{Asked, Cursor, Target};
use super::{Exchange, Job};
use crate::error::GatewayError;
use crate::routing::health::Answer;
use crate::routing::{Candidate, HedgeRule};
use futures::future::{BoxFuture, Either, FutureExt, select};
use std::sync::Arc;
use std::time::Duration;

/// Who is asked besides whom, and when.
pub(super) struct Hedge<'e> {
    rule: &'e HedgeRule,
    silence: Duration,
    position: usize,
    candidate: &'e Arc<Candidate>,
}

/// A call that is under way.
struct Runner<'e> {
    asked: Asked<'e>,
    back: WayBack,
    opening: BoxFuture<'static, Result<Begun, GatewayError>>,
}

/// The second call, with its record.
type Second<'e> = (Runner<'e>, UsageGuard);

/// Whether a second call is under way.
enum Entered<'e> {
    /// It is.
    Too(Box<Second<'e>>),
    /// The first one was faster than its making.
    NotNeeded(Result<Begun, GatewayError>),
    /// It may not be made.
    Not,
}

/// Where the loop of the exchange stands.
type Course<'l, 'e> = (Target<'e>, &'l mut Asked<'e>, &'l mut Cursor<'e>, &'l mut Failures);

/// How the race was decided.
type Finish<'e> = (Runner<'e>, Result<Begun, GatewayError>);

impl<'e> Exchange<'e> {
    /// Whether and when a second endpoint is asked besides the target.
    pub(super) fn hedge_for(
        &self,
        asked: Asked<'e>,
        cursor: &Cursor<'e>,
        guard: &UsageGuard,
    ) -> Option<Hedge<'e>> {
        let Job::Chat { stream, .. } = self.admitted.job else { return None };
        let name = &guard.record().requested_model;
        let rule = HedgeRule::find(&self.settings.hedges, name)?;
        let (position, candidate) = cursor.second(rule)?;
        rule.note_request();
        let health = &self.services.health;
        let first = asked.candidate;
        let endpoint = health.endpoint(&first.provider.slug, &first.upstream_model);
        let answer = if stream.is_some() { Answer::Stream } else { Answer::Whole };
        let silence = rule.silence(endpoint.silence_p95_ms(answer, health.now_ms()))?;
        Some(Hedge { rule, silence, position, candidate })
    }

    /// Asks the target, and the other one as well if it is silent for too long. `asked` becomes
    /// who answered, or who failed last.
    pub(super) async fn race(
        &mut self,
        (mut target, asked, cursor, failures): Course<'_, 'e>,
        hedge: Hedge<'e>,
        (client, guard): (&mut Downstream<'_>, &mut UsageGuard),
        keep_alive: &mut KeepAlive,
    ) -> Result<(), Broken> {
        self.begin(&mut target, guard)?;
        let mut first = self.runner(target)?;
        let alone = tokio::time::timeout(hedge.silence, &mut first.opening);
        let (runner, opened) = match self.attend((client, keep_alive), alone).await {
            Err(gone) => return Err(self.leave_it(first, guard, gone)),
            Ok(Ok(opened)) => (first, opened),
            Ok(Err(_silent)) => match self.second(&mut first, &hedge, guard).await {
                Entered::Too(second) => {
                    cursor.note_hedge(hedge.position);
                    let both = (first, *second);
                    self.run_both(both, failures, (client, guard), keep_alive).await?
                }
                Entered::NotNeeded(opened) => (first, opened),
                Entered::Not => {
                    let opening = &mut first.opening;
                    match self.attend((client, keep_alive), opening).await {
                        Err(gone) => return Err(self.leave_it(first, guard, gone)),
                        Ok(opened) => (first, opened),
                    }
                }
            },
        };
        *asked = runner.asked;
        self.back = runner.back;
        self.answer_with(runner.asked, opened?, (client, guard), keep_alive).await
    }

    /// A call of the target, not yet begun.
    fn runner(&mut self, target: Target<'e>) -> Result<Runner<'e>, GatewayError> {
        let (asked, candidate) = (target.asked(), target.candidate);
        let Job::Chat { client, stream } = self.admitted.job else {
            return Err(GatewayError::internal("only chats are hedged"));
        };
        let reading = match stream {
            Some(_) => Reading::Stream(Box::new(self.translator(candidate)?)),
            None => Reading::Whole(Box::new(self.relaying(candidate, client))),
        };
        let opening = Opening {
            services: Arc::clone(self.services),
            candidate: Arc::clone(candidate),
            outgoing: target.outgoing,
            deadline: self.deadline(&candidate.provider),
            reading,
        };
        let back = std::mem::take(&mut self.back);
        Ok(Runner { asked, back, opening: opening.run().boxed() })
    }

    /// Makes the second call, if it may be made. The first one goes on meanwhile.
    async fn second(
        &mut self,
        first: &mut Runner<'e>,
        hedge: &Hedge<'e>,
        guard: &mut UsageGuard,
    ) -> Entered<'e> {
        if !hedge.rule.take() {
            return Entered::Not;
        }
        let demand = (&self.admitted.demand, hedge.candidate);
        let Some(mut holds) = Holds::again(self.services, self.key, demand) else {
            return Entered::Not;
        };
        let entering = self.enter_besides(hedge.candidate, &mut holds).boxed();
        let mut target = match select(&mut first.opening, entering).await {
            Either::Left((opened, _)) => return Entered::NotNeeded(opened),
            Either::Right((None, _)) => return Entered::Not,
            Either::Right((Some(target), _)) => target,
        };
        let permit = target.permit.take();
        let Ok(runner) = self.runner(target) else { return Entered::Not };
        let mut record = guard.besides(hedge.candidate, permit, holds);
        match record.open_record() {
            Ok(()) => Entered::Too(Box::new((runner, record))),
            Err(error) => {
                record.fail(&error);
                Entered::Not
            }
        }
    }

    /// Waits for the first of two calls that has content, or for the error of the last.
    async fn run_both(
        &self,
        (mut first, (mut second, mut record)): (Runner<'e>, Second<'e>),
        failures: &mut Failures,
        (client, guard): (&mut Downstream<'_>, &mut UsageGuard),
        keep_alive: &mut KeepAlive,
    ) -> Result<Finish<'e>, Broken> {
        let hedged = Arc::clone(&second.asked.candidate.provider.slug);
        let count = |result| self.services.metrics.health.count_hedge(&hedged, result);
        let both = select(&mut first.opening, &mut second.opening);
        let (opened, is_second) = match self.attend((client, keep_alive), both).await {
            Ok(Either::Left((opened, _))) => (opened, false),
            Ok(Either::Right((opened, _))) => (opened, true),
            Err(gone) => {
                count("cancelled");
                self.let_go(second, &mut record);
                return Err(self.leave_it(first, guard, gone));
            }
        };
        let (ahead, mut behind) = if is_second { (second, first) } else { (first, second) };
        if is_second {
            guard.swap_calls(&mut record);
        }
        let error = match opened {
            Ok(begun) => {
                count(if is_second { "won" } else { "lost" });
                if is_second {
                    record.note_outpaced();
                }
                self.let_go(behind, &mut record);
                return Ok((ahead, Ok(begun)));
            }
            Err(error) => ahead.asked.candidate.provider.masked(error),
        };
        self.note_failure(ahead.asked, guard, &error);
        guard.note_failed_attempt(&error);
        guard.swap_calls(&mut record);
        record.fail(&error);
        failures.note_attempt(error);
        match self.attend((client, keep_alive), &mut behind.opening).await {
            Ok(opened) => {
                count(if opened.is_ok() && !is_second { "rescued" } else { "failed" });
                Ok((behind, opened))
            }
            Err(gone) => {
                count("cancelled");
                Err(self.leave_it(behind, guard, gone))
            }
        }
    }

    /// The caller left while this call was under way.
    fn leave_it(&self, runner: Runner<'e>, guard: &mut UsageGuard, gone: GatewayError) -> Broken {
        self.let_go(runner, guard);
        gone.into()
    }

    /// Nobody waits for the call any more. A provider that bills it all the same is read to the
    /// end, to know what it bills.
    fn let_go(&self, runner: Runner<'e>, guard: &mut UsageGuard) {
        let candidate = runner.asked.candidate;
        self.services.metrics.count_attempt(&candidate.provider.slug, "let_go");
        detach::let_go(self.services, candidate, runner.opening, guard);
    }

    /// The call that was faster answers.
    async fn answer_with(
        &mut self,
        asked: Asked<'e>,
        begun: Begun,
        (client, guard): (&mut Downstream<'_>, &mut UsageGuard),
        keep_alive: &mut KeepAlive,
    ) -> Result<(), Broken> {
        let candidate = asked.candidate;
        let provider = Arc::clone(&candidate.provider.slug);
        self.answering = Some((provider, guard.record().attempts));
        match begun {
            Begun::Stream(begun) => {
                respond::stream(self, client, guard, (candidate, begun, keep_alive)).await?;
            }
            Begun::Whole(begun) => {
                respond::answered(self, client, guard, (candidate, begun)).await?;
            }
        }
        self.note_success(asked, guard);
        Ok(())
    }
}
