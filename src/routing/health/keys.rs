//! Which keys of a provider are left alone: limited ones for a while, refused ones for longer.
//!
//! Used by `proxy` through `ProviderHealth`. Keys are known by a hash that only this process can
//! make, so that no secret is kept and a reload that keeps a key keeps what is known of it. A rate
//! limit holds for a key and one model, a refusal for the key or for a model of it. A provider that
//! is called without a key is treated as if it had one. Only keys in trouble are kept: without
//! any, a pick takes no lock.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::providers::{KeyPool, ProviderKey};

/// Longest wait that a provider can ask for.
const MAX_COOLDOWN_MS: u64 = 60_000;
/// Wait after a rate limit that names none; doubled each time it is met again.
const FIRST_COOLDOWN_MS: u64 = 1_000;
/// How long a refused key is first left alone; doubled each time it is refused again.
const FIRST_EJECTION_MS: u64 = 60_000;
const MAX_EJECTION_MS: u64 = 3_600_000;
/// How long the one call has that finds out whether a refused key is accepted again.
const PROBE_MS: u64 = 10_000;
/// Keys in trouble that are known of one provider; those soonest free are forgotten beyond it.
const MAX_TROUBLES: usize = 1_024;

/// For what a key is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// For everything.
    Key,
    /// For the model that was asked for.
    Model,
}

/// No key may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoKey {
    /// The smallest wait until one may be, in milliseconds; `None` if no wait would help: no key
    /// is for this model, or all were tried.
    pub retry_in_ms: Option<u64>,
    /// Whether it is rate limits alone that keep the keys from being used.
    pub is_limited: bool,
}

/// A key, or a key and a model, by hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Name {
    key: u64,
    model: Option<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Trouble {
    until_ms: u64,
    /// How often in a row.
    times: u32,
    kind: TroubleKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TroubleKind {
    Limited,
    Refused,
    /// Refused, and a call is on its way to find out whether it still is.
    Probing,
}

/// What is known of the keys of one provider.
#[derive(Debug)]
pub struct Keys {
    provider: Box<str>,
    hasher: RandomState,
    /// Number of entries.
    troubled: AtomicUsize,
    troubles: Mutex<HashMap<Name, Trouble>>,
    cooldowns: AtomicU64,
    ejections: AtomicU64,
}

impl Keys {
    pub(super) fn new(provider: &str) -> Self {
        Self {
            provider: provider.into(),
            hasher: RandomState::new(),
            troubled: AtomicUsize::new(0),
            troubles: Mutex::default(),
            cooldowns: AtomicU64::new(0),
            ejections: AtomicU64::new(0),
        }
    }

    /// The next key for a model that is not among `tried` and not left alone, in turn by weight,
    /// with its position. `Ok(None)`: the provider has no keys and is called without one.
    pub fn pick<'p>(
        &self,
        pool: &'p KeyPool,
        (model, tried): (&str, &[usize]),
        now_ms: u64,
    ) -> Result<Option<(usize, &'p ProviderKey)>, NoKey> {
        if self.troubled.load(Ordering::Acquire) == 0 {
            let picked = pool.next(model, tried);
            return if picked.is_some() || pool.is_empty() {
                Ok(picked)
            } else {
                Err(NoKey { retry_in_ms: None, is_limited: false })
            };
        }
        let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = |key: Option<&ProviderKey>| self.wait_ms(&troubles, (key, model), now_ms);
        let picked = pool.next_where(model, tried, |key| wait(Some(key)) == 0);
        let may_go = picked.is_some() || (pool.is_empty() && wait(None) == 0);
        if !may_go {
            let without = pool.is_empty().then(|| wait(None));
            let waits = pool.serving(model).map(|key| wait(Some(key))).chain(without);
            let retry_in_ms = waits.filter(|ms| *ms > 0).min();
            let keys = pool.serving(model).map(Some).chain(pool.is_empty().then_some(None));
            let is_limited = keys.flat_map(|key| self.names(key, model)).all(|name| {
                let limited = |trouble: &Trouble| trouble.kind == TroubleKind::Limited;
                troubles.get(&name).is_none_or(limited)
            });
            return Err(NoKey { retry_in_ms, is_limited });
        }
        for name in self.names(picked.map(|(_, key)| key), model) {
            if let Some(trouble) = troubles.get_mut(&name)
                && trouble.kind != TroubleKind::Limited
            {
                trouble.kind = TroubleKind::Probing;
                trouble.until_ms = now_ms.saturating_add(PROBE_MS);
            }
        }
        Ok(picked)
    }

    /// The key was accepted. What was sent before it got into trouble does not end the trouble.
    pub fn note_works(&self, (key, model): (Option<&ProviderKey>, &str), now_ms: u64) {
        if self.troubled.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        for name in self.names(key, model) {
            let is_over = |trouble: &Trouble| {
                trouble.kind == TroubleKind::Probing || trouble.until_ms <= now_ms
            };
            if troubles.get(&name).is_some_and(is_over) {
                troubles.remove(&name);
            }
        }
        self.troubled.store(troubles.len(), Ordering::Release);
    }

    /// The provider's rate limit for the key is reached: it is left alone for this model. `wait`
    /// is what the provider asks for, at most a minute of which is waited.
    pub fn note_limited(
        &self,
        (key, model): (Option<&ProviderKey>, &str),
        wait: Option<Duration>,
        now_ms: u64,
    ) {
        let asked_ms = wait.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        if asked_ms == Some(0) {
            return;
        }
        let name = self.name(key, Some(model));
        let cool = |before: Option<&Trouble>| {
            let (until_ms, times) =
                before.map_or((0, 0), |trouble| (trouble.until_ms, trouble.times));
            let still = until_ms > now_ms;
            let times = if still { times } else { times.saturating_add(1) };
            let wait_ms = asked_ms.unwrap_or_else(|| doubled(FIRST_COOLDOWN_MS, times));
            let until_ms = until_ms.max(now_ms.saturating_add(wait_ms.min(MAX_COOLDOWN_MS)));
            (!still, Trouble { until_ms, times, kind: TroubleKind::Limited })
        };
        if self.note(name, cool, now_ms).is_some() {
            self.cooldowns.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The provider refuses the key: it is left alone, each time longer; then one call finds out
    /// whether it is accepted again.
    pub fn note_refused(
        &self,
        (key, model): (Option<&ProviderKey>, &str),
        scope: Scope,
        now_ms: u64,
    ) {
        let name = self.name(key, (scope == Scope::Model).then_some(model));
        let eject = |before: Option<&Trouble>| match before {
            Some(trouble) if trouble.kind == TroubleKind::Refused && trouble.until_ms > now_ms => {
                (false, *trouble)
            }
            _ => {
                let refused = before.filter(|trouble| trouble.kind != TroubleKind::Limited);
                let times = refused.map_or(0, |trouble| trouble.times).saturating_add(1);
                let wait_ms = doubled(FIRST_EJECTION_MS, times).min(MAX_EJECTION_MS);
                let until_ms = now_ms.saturating_add(wait_ms);
                (true, Trouble { until_ms, times, kind: TroubleKind::Refused })
            }
        };
        if let Some(trouble) = self.note(name, eject, now_ms) {
            self.ejections.fetch_add(1, Ordering::Relaxed);
            let (provider, for_ms) = (&*self.provider, trouble.until_ms.saturating_sub(now_ms));
            tracing::error!(provider, for_ms, "a key is refused by its provider");
        }
    }

    /// Times a key was left alone for a rate limit, and times one was refused, since the start.
    pub fn counts(&self) -> (u64, u64) {
        (self.cooldowns.load(Ordering::Relaxed), self.ejections.load(Ordering::Relaxed))
    }

    /// Keys that are refused at the moment, for everything or for one model.
    pub fn refused(&self) -> usize {
        if self.troubled.load(Ordering::Acquire) == 0 {
            return 0;
        }
        let troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        troubles.values().filter(|trouble| trouble.kind != TroubleKind::Limited).count()
    }

    /// Replaces what is known of a key; says what is new if it is.
    fn note(
        &self,
        name: Name,
        change: impl FnOnce(Option<&Trouble>) -> (bool, Trouble),
        now_ms: u64,
    ) -> Option<Trouble> {
        let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        if troubles.len() >= MAX_TROUBLES && !troubles.contains_key(&name) {
            forget_some(&mut troubles, now_ms);
        }
        let (is_new, trouble) = change(troubles.get(&name));
        troubles.insert(name, trouble);
        self.troubled.store(troubles.len(), Ordering::Release);
        is_new.then_some(trouble)
    }

    fn wait_ms(
        &self,
        troubles: &HashMap<Name, Trouble>,
        (key, model): (Option<&ProviderKey>, &str),
        now_ms: u64,
    ) -> u64 {
        let waits = self.names(key, model).map(|name| {
            troubles.get(&name).map_or(0, |trouble| trouble.until_ms.saturating_sub(now_ms))
        });
        waits.into_iter().max().unwrap_or(0)
    }

    fn names(&self, key: Option<&ProviderKey>, model: &str) -> [Name; 2] {
        [self.name(key, None), self.name(key, Some(model))]
    }

    fn name(&self, key: Option<&ProviderKey>, model: Option<&str>) -> Name {
        Name {
            key: self.hasher.hash_one(key.map(|key| key.value.as_bytes())),
            model: model.map(|model| self.hasher.hash_one(model)),
        }
    }
}

/// Forgets what is over, or else what is over soonest.
fn forget_some(troubles: &mut HashMap<Name, Trouble>, now_ms: u64) {
    let soonest_ms = troubles.values().map(|trouble| trouble.until_ms).min().unwrap_or(0);
    troubles.retain(|_, trouble| trouble.until_ms > soonest_ms.max(now_ms));
}

/// A wait that doubles from the second time on.
fn doubled(first_ms: u64, times: u32) -> u64 {
    let factor = 1_u64.checked_shl(times.saturating_sub(1)).unwrap_or(u64::MAX);
    first_ms.saturating_mul(factor)
}

#[cfg(test)]
mod tests;
