//! The counters of limits: rebuilt from the store at the start, compared with it from then on.
//!
//! The store has every request that ended, so a restart gives nobody a new window or a new budget.
//! While the process runs its counters are ahead of the store; where they are not, another process
//! spent the money, and they are raised. They are never lowered.

use crate::auth::ApiKey;
use crate::limits::{PeriodSpan, Seen};
use crate::money::PicoUsd;
use crate::proxy::state::Services;
use crate::store::{Asked, StoreError};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// How often the counters are compared with the store.
const COMPARE_EVERY: Duration = Duration::from_secs(30);
const MINUTE_S: u64 = 60;
const DAY_S: u64 = 86_400;
/// Ending of a model's name that is free of charge.
const FREE_VARIANT: &str = ":free";

/// Rebuilds the counters before the first request. `opening_balance` is what the account begins
/// with, if it is a prepaid one and was never used.
pub async fn rebuild(
    services: &Services,
    opening_balance: Option<PicoUsd>,
) -> Result<(), StoreError> {
    if let Some(amount) = opening_balance {
        services.store.ensure_opening_credit(amount, services.clock.unix_ms()).await?;
    }
    services.key_book.follow_credits().await?;
    raise_spending(services).await?;
    resume_windows(services).await
}

/// Compares the counters with the store for as long as the process lives.
pub async fn keep_comparing(services: &Services) {
    loop {
        tokio::time::sleep(COMPARE_EVERY).await;
        let compared = async {
            services.key_book.follow_credits().await?;
            raise_spending(services).await
        };
        match compared.await {
            Ok(drift) => services.metrics.count_drift(drift),
            Err(error) => tracing::warn!(%error, "counters could not be compared with the store"),
        }
        let known: HashSet<[u8; 32]> = keys(services).iter().map(|key| key.hash).collect();
        services.meters.prune(|hash| known.contains(hash));
    }
}

/// Raises what was spent to what the store knows of; returns what the counters had missed.
pub async fn raise_spending(services: &Services) -> Result<PicoUsd, StoreError> {
    let now_s = services.meters.now_s();
    let at_ms = to_ms(now_s);
    let account = services.store.account_usage().await?;
    let mut drift = services.meters.account().raise_spent_to(account);
    let sums = services.store.key_sums(at_ms).await?;
    for key in keys(services) {
        let Some(of_key) = sums.get(&*key.hash_hex) else { continue };
        let reset = key.policy.limit_reset;
        let spent = of_key.counted(reset, key.policy.include_byok_in_limit);
        let raised = key.meter.spend.raise_spent_to(spent, PeriodSpan::at(reset, now_s));
        drift = drift.saturating_add(raised);
    }
    Ok(drift)
}

fn to_ms(unix_s: u64) -> i64 {
    i64::try_from(unix_s.saturating_mul(1000)).unwrap_or(i64::MAX)
}

/// Fills the windows of the present minute and day with what was asked in them before the start.
async fn resume_windows(services: &Services) -> Result<(), StoreError> {
    let now_s = services.meters.now_s();
    let since = async |span_s: u64| services.store.asked_since(to_ms(now_s - now_s % span_s)).await;
    let (minute, day) = (since(MINUTE_S).await?, since(DAY_S).await?);
    let by_key = windows((&minute, &day), |asked| &asked.key_hash);
    let by_model = windows((&minute, &day), |asked| &asked.model);
    for key in keys(services) {
        if let Some(seen) = by_key.get(&*key.hash_hex) {
            key.meter.rates.resume(*seen, now_s);
        }
    }
    for model in services.snapshot.load().routing.models() {
        if let Some(seen) = by_model.get(&*model.id) {
            services.meters.model(&model.id).resume(*seen, now_s);
        }
    }
    let kind = |asked: &Asked| if asked.model.ends_with(FREE_VARIANT) { "free" } else { "" };
    if let Some(seen) = windows((&minute, &day), kind).get("free") {
        services.meters.free().resume(*seen, now_s);
    }
    Ok(())
}

/// What was asked in the present minute and day, by a name of what was asked.
fn windows<'a>(
    (minute, day): (&'a [Asked], &'a [Asked]),
    name: impl Fn(&'a Asked) -> &'a str,
) -> HashMap<&'a str, Seen> {
    let mut found: HashMap<&str, Seen> = HashMap::new();
    for asked in minute {
        let seen = found.entry(name(asked)).or_default();
        seen.requests_in_minute = seen.requests_in_minute.saturating_add(asked.requests);
        seen.tokens_in_minute = seen.tokens_in_minute.saturating_add(asked.tokens);
    }
    for asked in day {
        let seen = found.entry(name(asked)).or_default();
        seen.requests_in_day = seen.requests_in_day.saturating_add(asked.requests);
    }
    found
}

/// All keys that requests can use.
fn keys(services: &Services) -> Vec<Arc<ApiKey>> {
    let snapshot = services.snapshot.load();
    let by_hash: BTreeMap<[u8; 32], Arc<ApiKey>> = services
        .authenticator
        .stored_keys()
        .into_iter()
        .chain(snapshot.keys.iter().cloned())
        .map(|key| (key.hash, key))
        .collect();
    by_hash.into_values().collect()
}
