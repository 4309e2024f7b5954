//! A key as the management API shows it, with what it has used.
//!
//! Used by the answers about keys, by the key's own view of itself and by `arouter keys`. Amounts
//! are exact numbers; what this gateway does not have is null, as it may be in the documented
//! object.

use super::super::moment::Moment;
use super::super::usd::Usd;
use crate::config::{BudgetMode, KeyKind, LimitReset, RateLimit};
use crate::money::PicoUsd;
use crate::store::{KeyRecord, KeySums, Spent};
use serde::Serialize;

/// Where a key is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// In the store: it can be changed at run time.
    Store,
    /// In the configuration file: it is read-only.
    File,
}

/// A key.
#[derive(Debug, Serialize)]
pub struct KeyObject<'k> {
    hash: &'k str,
    name: &'k str,
    label: &'k str,
    key_type: KeyKind,
    source: Source,
    disabled: bool,
    #[serde(flatten)]
    limit: LimitMembers,
    budget_mode: BudgetMode,
    allowed_providers: Option<&'k [String]>,
    allowed_models: Option<&'k [String]>,
    rate_limit: RateLimit,
    enforce_zdr: bool,
    #[serde(flatten)]
    used: UsedMembers,
    requests: u64,
    created_at: Moment,
    updated_at: Option<Moment>,
    last_used_at: Option<Moment>,
    expires_at: Option<Moment>,
    creator_user_id: Option<&'k str>,
    external_user: Option<&'k str>,
    workspace_id: &'static str,
}

/// The one workspace there is.
const WORKSPACE: &str = "default";

impl<'k> KeyObject<'k> {
    /// A key that has used so much.
    pub fn new(key: &'k KeyRecord, used: &KeySums, source: Source) -> Self {
        Self {
            hash: &key.hash,
            name: &key.name,
            label: &key.label,
            key_type: key.kind,
            source,
            disabled: key.disabled,
            limit: LimitMembers::new(key, used),
            budget_mode: key.budget_mode,
            allowed_providers: key.allowed_providers.as_deref(),
            allowed_models: key.allowed_models.as_deref(),
            rate_limit: key.rate_limit,
            enforce_zdr: key.enforce_zdr,
            used: UsedMembers::new(used),
            requests: used.requests,
            created_at: Moment(key.created_ms),
            updated_at: key.updated_ms.map(Moment),
            last_used_at: used.last_used_ms.map(Moment),
            expires_at: key.expires_ms.map(Moment),
            creator_user_id: key.creator_hash.as_deref(),
            external_user: None,
            workspace_id: WORKSPACE,
        }
    }
}

/// The members that tell of a key's spending limit.
#[derive(Debug, Serialize)]
pub struct LimitMembers {
    limit: Option<Usd>,
    limit_remaining: Option<Usd>,
    limit_reset: Option<LimitReset>,
    include_byok_in_limit: bool,
}

impl LimitMembers {
    /// The limit of a key that has used so much.
    pub fn new(key: &KeyRecord, used: &KeySums) -> Self {
        let spent = match key.limit_reset {
            LimitReset::Daily => used.day,
            LimitReset::Weekly => used.week,
            LimitReset::Monthly => used.month,
            LimitReset::Never => used.all_time,
        };
        Self {
            limit: key.limit.map(Usd),
            limit_remaining: key.limit.map(|limit| Usd(remaining(key, limit, spent))),
            limit_reset: Some(key.limit_reset).filter(|reset| *reset != LimitReset::Never),
            include_byok_in_limit: key.include_byok_in_limit,
        }
    }
}

/// What may still be spent; never below zero, although a request may have overshot the limit.
fn remaining(key: &KeyRecord, limit: PicoUsd, spent: Spent) -> PicoUsd {
    let byok = spent.byok_cost_pico_usd;
    let byok = if key.include_byok_in_limit { byok } else { PicoUsd::ZERO };
    limit.saturating_sub(spent.cost_pico_usd).saturating_sub(byok).max(PicoUsd::ZERO)
}

/// The members that tell what a key has used.
#[derive(Debug, Serialize)]
pub struct UsedMembers {
    usage: Usd,
    usage_daily: Usd,
    usage_weekly: Usd,
    usage_monthly: Usd,
    byok_usage: Usd,
    byok_usage_daily: Usd,
    byok_usage_weekly: Usd,
    byok_usage_monthly: Usd,
}

impl UsedMembers {
    /// What a key has used.
    pub fn new(used: &KeySums) -> Self {
        Self {
            usage: Usd(used.all_time.cost_pico_usd),
            usage_daily: Usd(used.day.cost_pico_usd),
            usage_weekly: Usd(used.week.cost_pico_usd),
            usage_monthly: Usd(used.month.cost_pico_usd),
            byok_usage: Usd(used.all_time.byok_cost_pico_usd),
            byok_usage_daily: Usd(used.day.byok_cost_pico_usd),
            byok_usage_weekly: Usd(used.week.byok_cost_pico_usd),
            byok_usage_monthly: Usd(used.month.byok_cost_pico_usd),
        }
    }
}

#[cfg(test)]
mod tests;
