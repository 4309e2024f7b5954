//! All counters of the process, by key and by model.
//!
//! Built once by `server`. The counters of a key hang on the key as `auth` knows it, so a request
//! finds them without looking here; an entry outlives reloads and changes of its key.

use std::sync::Arc;

use dashmap::DashMap;

use super::account::AccountMeter;
use super::budget::Budget;
use super::rates::RateMeter;
use super::steady_clock::SteadyClock;
use crate::config::LimitReset;

/// Models with counters of their own. Only configured models are limited, so this is never
/// reached; beyond it models share one set of counters.
const MAX_MODELS: usize = 10_000;

/// Counters of one key.
#[derive(Debug)]
pub struct KeyMeter {
    /// Requests and tokens.
    pub rates: Arc<RateMeter>,
    /// Money, in the key's periods.
    pub spend: Budget,
}

impl KeyMeter {
    /// Counters at zero.
    pub fn new(reset: LimitReset, now_s: u64) -> Self {
        Self { rates: Arc::default(), spend: Budget::new(reset, now_s) }
    }
}

/// Counters of all keys and models and of the account.
#[derive(Debug)]
pub struct Meters {
    clock: SteadyClock,
    keys: DashMap<[u8; 32], Arc<KeyMeter>>,
    models: DashMap<Box<str>, Arc<RateMeter>>,
    further_models: Arc<RateMeter>,
    account: AccountMeter,
    free: Arc<RateMeter>,
}

impl Meters {
    /// Counters at zero, the account postpaid.
    pub fn new(clock: SteadyClock) -> Self {
        Self {
            clock,
            keys: DashMap::new(),
            models: DashMap::new(),
            further_models: Arc::default(),
            account: AccountMeter::default(),
            free: Arc::default(),
        }
    }

    /// The moment that windows and periods go by, Unix seconds.
    pub fn now_s(&self) -> u64 {
        self.clock.unix_s()
    }

    /// The same in Unix milliseconds.
    pub fn now_ms(&self) -> i64 {
        self.clock.unix_ms()
    }

    /// Counters of the key with this hash, made if there are none. A `reset` other than before
    /// begins another period; tell it what was spent in it ([`Budget::raise_spent_to`]).
    pub fn key(&self, hash: &[u8; 32], reset: LimitReset) -> Arc<KeyMeter> {
        let now_s = self.now_s();
        let meter = self.keys.entry(*hash).or_insert_with(|| Arc::new(KeyMeter::new(reset, now_s)));
        meter.spend.set_reset(reset, now_s);
        Arc::clone(&meter)
    }

    /// Counters of a model, by the name its limits are configured under.
    pub fn model(&self, name: &str) -> Arc<RateMeter> {
        if let Some(meter) = self.models.get(name) {
            return Arc::clone(&meter);
        }
        if self.models.len() >= MAX_MODELS {
            return Arc::clone(&self.further_models);
        }
        Arc::clone(&self.models.entry(name.into()).or_default())
    }

    /// Balance of the account.
    pub fn account(&self) -> &AccountMeter {
        &self.account
    }

    /// Counters of the free variants, for all keys together.
    pub fn free(&self) -> &Arc<RateMeter> {
        &self.free
    }

    /// Every key that has counters. For reconciliation with the store.
    pub fn keys(&self) -> Vec<([u8; 32], Arc<KeyMeter>)> {
        self.keys.iter().map(|entry| (*entry.key(), Arc::clone(entry.value()))).collect()
    }

    /// Drops the counters of keys that are gone and that no key in use and no request holds.
    pub fn prune(&self, is_known: impl Fn(&[u8; 32]) -> bool) {
        self.keys.retain(|hash, meter| {
            is_known(hash) || Arc::strong_count(meter) > 1 || Arc::strong_count(&meter.rates) > 1
        });
    }

    /// Number of keys that have counters.
    pub fn key_count(&self) -> usize {
        self.keys.len()
    }
}
