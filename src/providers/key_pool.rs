//! The keys of one provider, and whose turn it is.
//!
//! Part of `Provider`; `routing::health` says which keys are left alone for a while. Keys are
//! header values marked sensitive, and leave only in a request to their provider.

use http::{HeaderName, HeaderValue};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A provider's keys, used in turn by weight.
#[derive(Debug, Default)]
pub struct KeyPool {
    keys: Vec<ProviderKey>,
    turn: AtomicUsize,
}

/// One key of a provider.
#[derive(Debug)]
pub struct ProviderKey {
    /// Header that carries it.
    pub name: HeaderName,
    /// Header value that carries it; marked sensitive.
    pub value: HeaderValue,
    /// Share of the traffic relative to the other keys.
    pub weight: usize,
    /// Models it may be used for; `None` = all.
    pub models: Option<Vec<String>>,
}

impl ProviderKey {
    fn serves(&self, model: &str) -> bool {
        self.models.as_ref().is_none_or(|models| models.iter().any(|name| name == model))
    }
}

impl KeyPool {
    /// A pool of these keys.
    pub fn new(keys: Vec<ProviderKey>) -> Self {
        Self { keys, turn: AtomicUsize::new(0) }
    }

    /// Whether the provider has no key, and is called without one.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The next key for a model that is not among `tried`, with its position.
    pub fn next(&self, model: &str, tried: &[usize]) -> Option<(usize, &ProviderKey)> {
        self.next_where(model, tried, |_| true)
    }

    /// [`KeyPool::next`] among those keys that are `available`.
    pub fn next_where(
        &self,
        model: &str,
        tried: &[usize],
        available: impl Fn(&ProviderKey) -> bool,
    ) -> Option<(usize, &ProviderKey)> {
        let usable = |(index, key): &(usize, &ProviderKey)| {
            !tried.contains(index) && key.serves(model) && available(key)
        };
        let candidates = || self.keys.iter().enumerate().filter(usable);
        let total_weight: usize = candidates().map(|(_, key)| key.weight.max(1)).sum();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let mut position = turn.checked_rem(total_weight)?;
        for (index, key) in candidates() {
            let weight = key.weight.max(1);
            if position < weight {
                return Some((index, key));
            }
            position -= weight;
        }
        None
    }

    /// The keys for a model.
    pub fn serving(&self, model: &str) -> impl Iterator<Item = &ProviderKey> {
        self.keys.iter().filter(move |key| key.serves(model))
    }

    /// The key at a position.
    pub fn get(&self, index: usize) -> Option<&ProviderKey> {
        self.keys.get(index)
    }

    /// Every secret as it appears in a header.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &[u8]> {
        let secrets = self.keys.iter().map(|key| bare(key.value.as_bytes()));
        secrets.filter(|secret| !secret.is_empty())
    }
}

/// A credential without the word before it.
pub(super) fn bare(value: &[u8]) -> &[u8] {
    value.strip_prefix(b"Bearer ").unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(value: &'static str, weight: usize, models: Option<&[&str]>) -> ProviderKey {
        ProviderKey {
            name: HeaderName::from_static("x-api-key"),
            value: HeaderValue::from_static(value),
            weight,
            models: models.map(|names| names.iter().map(ToString::to_string).collect()),
        }
    }

    #[test]
    fn keys_take_turns_by_weight() {
        let pool = KeyPool::new(vec![key("a", 3, None), key("b", 1, None)]);
        let mut counts = [0; 2];
        for _ in 0..400 {
            counts[pool.next("m", &[]).unwrap().0] += 1;
        }
        assert_eq!(counts, [300, 100]);
    }

    #[test]
    fn tried_keys_and_foreign_models_are_passed_over() {
        let pool = KeyPool::new(vec![key("a", 1, Some(&["x"])), key("b", 1, None)]);
        assert_eq!(pool.next("y", &[]).unwrap().0, 1);
        assert_eq!(pool.next("x", &[1]).unwrap().0, 0);
        assert!(pool.next("y", &[1]).is_none());
        assert!(KeyPool::default().next("x", &[]).is_none());
    }

    #[test]
    fn only_available_keys_take_turns() {
        let pool = KeyPool::new(vec![key("a", 3, None), key("b", 1, None), key("c", 1, None)]);
        let mut counts = [0; 3];
        for _ in 0..400 {
            counts[pool.next_where("m", &[], |key| key.value != "b").unwrap().0] += 1;
        }
        assert_eq!(counts, [300, 0, 100]);
        assert!(pool.next_where("m", &[0, 2], |key| key.value != "b").is_none());
        assert_eq!(pool.serving("m").count(), 3);
    }
}
