//! Changes that happen once, however often they are asked for: `Idempotency-Key`.
//!
//! Used by every handler that changes something. The answer is remembered in the transaction of
//! the change it speaks of, so that both are real or neither is; errors are not remembered. All
//! changes of a process take turns, so a repetition that comes while the first still runs waits for
//! its answer; of two processes on one store the later one finds the answer of the other.

use super::call::{Call, Context, JSON, Reply, store_failed};
use super::seal::Seal;
use crate::auth::{Change, Turn};
use crate::error::{GatewayError, Kind};
use crate::store::{RememberedAnswer, Store, StoreError};
use std::time::Duration;

/// How long an answer is remembered.
const REMEMBERED: Duration = Duration::from_hours(24);
/// How often answers older than that are thrown away.
const TIDY_EVERY: Duration = Duration::from_hours(1);

/// How a change begins.
pub(super) enum Start<'a> {
    /// It was made before; this is what was answered.
    Again(Reply),
    /// Nobody made it yet, and nobody else can before this one ends.
    First(Box<First<'a>>),
}

/// A change that may be made, but touched nothing yet.
pub(super) struct First<'a> {
    context: Context<'a>,
    turn: Turn<'a>,
    once: Option<Once<'a>>,
}

/// A change that is being made.
pub(super) struct Running<'a> {
    context: Context<'a>,
    /// What is changed.
    pub(super) change: Change<'a>,
    once: Option<Once<'a>>,
}

/// What a repetition is known by.
struct Once<'a> {
    idempotency_key: &'a str,
    request_hash: String,
    seal: Seal,
}

impl<'a> Start<'a> {
    /// Waits for its turn and looks whether the change was made before.
    pub(super) async fn of(context: Context<'a>, call: &Call<'a>) -> Result<Self, GatewayError> {
        let mut turn = context.key_book.turn().await;
        let Some(idempotency_key) = call.idempotency_key else {
            return Ok(Self::First(Box::new(First { context, turn, once: None })));
        };
        let now_ms = context.clock.unix_ms();
        let before_ms = now_ms.saturating_sub(millis(REMEMBERED));
        let tidied = turn.tidy_answers((now_ms, before_ms), millis(TIDY_EVERY));
        tidied.await.map_err(store_failed)?;
        let once = Once::new(context, call, idempotency_key)?;
        match once.find(context.store, &context.caller.hash_hex).await? {
            Some(answer) if answer.created_ms >= before_ms => once.repeat(&answer).map(Self::Again),
            found => {
                if found.is_some() {
                    let forgotten = context.store.forget_answers_before(before_ms);
                    forgotten.await.map_err(store_failed)?;
                }
                Ok(Self::First(Box::new(First { context, turn, once: Some(once) })))
            }
        }
    }
}

impl<'a> First<'a> {
    /// Begins the change. The store must not be read any more but through the change.
    pub(super) async fn begin(self) -> Result<Running<'a>, GatewayError> {
        let change = self.turn.begin().await.map_err(store_failed)?;
        Ok(Running { context: self.context, change, once: self.once })
    }
}

impl Running<'_> {
    /// Makes the change real and gives its answer; or the one that another process gave to it.
    pub(super) async fn commit(mut self, reply: Reply) -> Result<Reply, GatewayError> {
        let scope = &self.context.caller.hash_hex;
        if let Some(once) = &self.once {
            let answer = once.answer(&reply, self.context.clock.unix_ms())?;
            let remembered = self.change.remember_answer(scope, once.idempotency_key, &answer);
            match remembered.await {
                Err(StoreError::AnswerExists) => {
                    drop(self.change);
                    let answer = once.find(self.context.store, scope).await?;
                    let answer = answer.ok_or_else(|| {
                        GatewayError::internal("a remembered answer went away at once")
                    })?;
                    return once.repeat(&answer);
                }
                other => other.map_err(store_failed)?,
            }
        }
        self.change.commit().await.map_err(store_failed)?;
        Ok(reply)
    }
}

impl<'a> Once<'a> {
    fn new(
        context: Context<'_>,
        call: &Call<'_>,
        idempotency_key: &'a str,
    ) -> Result<Self, GatewayError> {
        let seal = Seal::of(context.token)
            .ok_or_else(|| GatewayError::internal("no key could be derived from the token"))?;
        let variable = call.route.variable.as_deref().unwrap_or_default();
        let parts = [call.route.handler.name().as_bytes(), variable.as_bytes(), call.body.as_ref()];
        Ok(Self { idempotency_key, request_hash: seal.digest(&parts), seal })
    }

    async fn find(
        &self,
        store: &Store,
        scope: &str,
    ) -> Result<Option<RememberedAnswer>, GatewayError> {
        store.find_answer(scope, self.idempotency_key).await.map_err(store_failed)
    }

    fn answer(&self, reply: &Reply, now_ms: i64) -> Result<RememberedAnswer, GatewayError> {
        let sealed_body = self
            .seal
            .seal(&self.request_hash, &reply.body)
            .ok_or_else(|| GatewayError::internal("the answer could not be sealed"))?;
        Ok(RememberedAnswer {
            request_hash: self.request_hash.clone(),
            status: reply.status,
            sealed_body,
            created_ms: now_ms,
        })
    }

    fn repeat(&self, answer: &RememberedAnswer) -> Result<Reply, GatewayError> {
        if answer.request_hash != self.request_hash {
            let text = "this Idempotency-Key was used for another request";
            return Err(
                GatewayError::client(Kind::Unprocessable, text).with_param("Idempotency-Key")
            );
        }
        let body = self
            .seal
            .open(&self.request_hash, &answer.sealed_body)
            .ok_or_else(|| GatewayError::internal("a remembered answer does not open"))?;
        Ok(Reply {
            status: answer.status,
            media_type: JSON,
            headers: vec![("idempotent-replayed", "true".to_owned())],
            body: body.into(),
        })
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
