//! What the health of a provider means for its raw calls, and what they mean for it.
//!
//! Used by `raw`. The body of a raw call is not read, so that only a path that names the model says
//! which endpoint is called; and nobody knows what else a path asks for. So a call without a model
//! holds nothing against an endpoint, and a refusal nothing against the key: whoever calls a path
//! that the key is not for would take it from everybody. There is no second attempt.

use super::super::exchange::refusal;
use super::super::settle::UsageGuard;
use super::super::state::Services;
use crate::error::{Blame, GatewayError, Kind};
use crate::providers::{Provider, retry_after};
use crate::routing::health::{Health, Permit, RetryIn};
use http::HeaderMap;

/// Leave to call the provider, for the model that the path names, and the position of the key to
/// use. An error says how long to wait.
pub(super) fn enter(
    (health, provider): (&Health, &Provider),
    model: Option<&str>,
) -> Result<(Option<Permit>, Option<usize>), GatewayError> {
    let now_ms = health.now_ms();
    let leave = model
        .map(|model| health.endpoint(&provider.slug, model).enter(now_ms))
        .transpose()
        .map_err(|RetryIn { ms }| refusal::left_alone(ms))?;
    let of_provider = health.provider(&provider.slug);
    let wanted = (model.unwrap_or_default(), &[][..]);
    let picked = of_provider.keys.pick(&provider.keys, wanted, now_ms);
    let picked = picked.map_err(refusal::no_key)?;
    Ok((leave, picked.map(|(index, _)| index)))
}

/// The header of the answer came: it says whether the key's rate limit is reached. One that names
/// no wait may be of that path alone.
pub(super) fn note_status(
    services: &Services,
    (provider, key, model): (&Provider, Option<usize>, &str),
    (status, headers): (u16, &HeaderMap),
) {
    let keys = &services.health.provider(&provider.slug).keys;
    let key = key.and_then(|index| provider.keys.get(index));
    let now_ms = services.health.now_ms();
    let wait = retry_after(headers, services.clock.unix_s());
    if status == 429 && wait.is_some() {
        keys.note_limited((key, model), wait, now_ms);
    } else if status < 400 {
        keys.note_works((key, model), now_ms);
    }
}

/// The answer is complete, with this status.
pub(super) fn note_end(guard: &mut UsageGuard, status: u16) {
    let Some(leave) = guard.take_permit() else { return };
    let now_ms = guard.services().health.now_ms();
    match status {
        100..400 => leave.succeeded(guard.sample(), now_ms),
        500.. => leave.failed(Kind::ProviderUnavailable, now_ms),
        _ => leave.neutral(),
    }
}

/// The call broke off.
pub(super) fn note_failure(guard: &mut UsageGuard, error: &GatewayError) {
    let Some(leave) = guard.take_permit() else { return };
    if error.blame == Blame::Upstream {
        leave.failed(error.kind, guard.services().health.now_ms());
    }
}
