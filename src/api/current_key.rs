//! `GET /v1/key`: the key that asks, with its limits and what it has used.
//!
//! Called by `call`. The members are those of both documented objects; what this gateway does not
//! have is null, or says that nothing is limited.

use super::call::{Context, Reply, store_failed};
use super::generation::DATA_REGION;
use super::keys::object::{LimitMembers, UsedMembers};
use super::keys::used;
use super::moment::Moment;
use super::usd::Usd;
use crate::config::{KeyKind, LimitReset, RateLimit};
use crate::error::{GatewayError, Kind};
use crate::limits::{Meters, PeriodSpan, Terms};
use crate::money::PicoUsd;
use crate::store::{KeyRecord, KeySums};
use serde::Serialize;

#[derive(Serialize)]
struct Reading<'k> {
    data: CurrentKey<'k>,
}

/// What a key may know of itself. What this gateway does not have is null.
#[derive(Serialize)]
struct CurrentKey<'k> {
    label: &'k str,
    name: &'k str,
    hash: &'k str,
    #[serde(flatten)]
    limit: LimitMembers,
    #[serde(flatten)]
    used: UsedMembers,
    budgets: &'k [Budget],
    effective_budget: Option<&'k Budget>,
    free_model_daily_requests: FreeRequests,
    allowed_data_regions: [&'static str; 1],
    is_free_tier: bool,
    is_management_key: bool,
    is_provisioning_key: bool,
    allowed_providers: Option<&'k [String]>,
    allowed_models: Option<&'k [String]>,
    expires_at: Option<Moment>,
    rate_limit: Rate,
    creator_user_id: Option<&'k str>,
    organization_id: Option<&'k str>,
    workspace_id: Option<&'k str>,
}

/// A limit of what may be spent. A key has none but its own.
#[derive(Serialize)]
struct Budget {
    scope: &'static str,
    #[serde(rename = "budget_id")]
    id: Option<&'static str>,
    guardrail_id: Option<&'static str>,
    limit_usd: Usd,
    spend_usd: Usd,
    remaining_usd: Usd,
    include_byok: bool,
    reset_interval: Option<LimitReset>,
    resets_at: Option<Moment>,
}

impl Budget {
    /// The key's own limit, if it has one.
    fn of(key: &KeyRecord, used: &KeySums, now_s: u64) -> Option<Self> {
        let limit = key.limit?;
        let spent = used.counted(key.limit_reset, key.include_byok_in_limit);
        let end = PeriodSpan::at(key.limit_reset, now_s).reset_s();
        let ends_ms = end.and_then(|at_s| i64::try_from(at_s.saturating_mul(1000)).ok());
        Some(Self {
            scope: "key_limit",
            id: None,
            guardrail_id: None,
            limit_usd: Usd(limit),
            spend_usd: Usd(spent),
            remaining_usd: Usd(limit.saturating_sub(spent).max(PicoUsd::ZERO)),
            include_byok: key.include_byok_in_limit,
            reset_interval: Some(key.limit_reset).filter(|reset| *reset != LimitReset::Never),
            resets_at: ends_ms.map(Moment),
        })
    }
}

/// Requests to free variants today, of all keys together.
#[derive(Serialize)]
struct FreeRequests {
    limit: u64,
    used: u64,
    remaining: u64,
}

impl FreeRequests {
    fn of(meters: &Meters) -> Self {
        let per_day = meters.account().free_limit().requests_per_day;
        let limit = RateLimit { requests_per_day: per_day, ..RateLimit::default() };
        let standing = meters.free().standing(&limit, meters.now_s());
        let (limit, remaining) =
            standing.map_or((0, 0), |standing| (standing.limit, standing.remaining));
        Self { limit, used: limit.saturating_sub(remaining), remaining }
    }
}

/// Whether nothing was ever paid in, although requests are paid from what was. An account that
/// pays afterwards is none.
fn is_free_tier(meters: &Meters) -> bool {
    let account = meters.account();
    account.terms() == Terms::Prepaid && account.granted() <= PicoUsd::ZERO
}

/// The older members beside those of this gateway.
#[derive(Serialize)]
struct Rate {
    requests: i64,
    interval: &'static str,
    note: &'static str,
    #[serde(flatten)]
    limits: RateLimit,
}

impl Rate {
    fn new(limits: RateLimit) -> Self {
        let requests = limits
            .requests_per_minute
            .map_or(-1, |requests| i64::try_from(requests).unwrap_or(i64::MAX));
        let note = "requests per interval; -1 is without a limit";
        Self { requests, interval: "1m", note, limits }
    }
}

/// The answer to the key that asks.
pub(super) async fn answer(context: Context<'_>) -> Result<Reply, GatewayError> {
    let hash = &*context.caller.hash_hex;
    let used = used(context, hash).await?;
    let stored;
    let of_file = context.file_keys.iter().find(|key| key.hash == *hash);
    let key: &KeyRecord = if let Some(key) = of_file {
        key
    } else {
        stored = context.store.key(hash).await.map_err(store_failed)?.ok_or_else(gone)?;
        &stored
    };
    let meters = context.key_book.meters();
    let budget = Budget::of(key, &used, context.clock.unix_s());
    let is_management_key = key.kind == KeyKind::Management;
    Reply::json(
        200,
        &Reading {
            data: CurrentKey {
                label: &key.label,
                name: &key.name,
                hash: &key.hash,
                limit: LimitMembers::new(key, &used),
                used: UsedMembers::new(&used),
                budgets: budget.as_slice(),
                effective_budget: budget.as_ref(),
                free_model_daily_requests: FreeRequests::of(meters),
                allowed_data_regions: [DATA_REGION],
                is_free_tier: is_free_tier(meters),
                is_management_key,
                is_provisioning_key: is_management_key,
                allowed_providers: key.allowed_providers.as_deref(),
                allowed_models: key.allowed_models.as_deref(),
                expires_at: key.expires_ms.map(Moment),
                rate_limit: Rate::new(key.rate_limit),
                creator_user_id: None,
                organization_id: None,
                workspace_id: None,
            },
        },
    )
}

/// It was deleted since the request was let in.
fn gone() -> GatewayError {
    GatewayError::client(Kind::Authentication, "invalid api key")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::limits::SteadyClock;

    #[test]
    fn an_account_is_free_only_if_it_pays_from_nothing() {
        let meters = Meters::new(SteadyClock::new(Clock::System));
        let free = || (is_free_tier(&meters), FreeRequests::of(&meters).limit);
        assert_eq!(free(), (false, 1_000), "pays afterwards");
        meters.account().set_terms(Terms::Prepaid);
        assert_eq!(free(), (true, 50), "nothing was granted");
        meters.account().grant(PicoUsd::from_pico(1));
        assert_eq!(free(), (false, 50));
        meters.account().grant(PicoUsd::from_pico(5 * PicoUsd::PER_USD));
        assert_eq!(free(), (false, 1_000));
    }
}
