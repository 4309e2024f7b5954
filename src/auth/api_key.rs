//! A key and what its holder may do. The secret itself is not here: only its hash is kept.

use crate::config;
use crate::limits::{KeyMeter, KeyPolicy, Meters};
use crate::store::KeyRecord;
use std::sync::Arc;

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// Inference.
    Regular,
    /// Management of keys and of the gateway; no inference.
    Management,
}

/// A key as the gateway knows it.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// SHA-256 of the secret.
    pub hash: [u8; 32],
    /// The same in hex: the key's public identifier.
    pub hash_hex: Arc<str>,
    /// Name the operator gave it.
    pub name: Arc<str>,
    /// What it is for.
    pub kind: KeyKind,
    /// Switched off by the operator.
    pub disabled: bool,
    /// When it ends, Unix milliseconds.
    pub expires_at_ms: Option<i64>,
    /// Providers it may use; `None` = all, empty = none.
    pub allowed_providers: Option<Vec<String>>,
    /// Models it may use, bare or prefixed, `*` as wildcard; `None` = all, empty = none.
    pub allowed_models: Option<Vec<String>>,
    /// Whether only providers that keep nothing may serve it.
    pub enforce_zdr: bool,
    /// How much it may use and spend.
    pub policy: KeyPolicy,
    /// What it has used and spent; the same counters for as long as the process lives.
    pub meter: Arc<KeyMeter>,
}

impl ApiKey {
    /// A key as it is kept; `None` for one that nobody could ever present.
    pub fn of(record: &KeyRecord, meters: &Meters) -> Option<Self> {
        let Some(hash) = hash_from_hex(&record.hash) else {
            tracing::error!(key = record.name, "the key has a broken hash and is left out");
            return None;
        };
        Some(Self {
            hash,
            hash_hex: record.hash.as_str().into(),
            name: record.name.as_str().into(),
            kind: match record.kind {
                config::KeyKind::Regular => KeyKind::Regular,
                config::KeyKind::Management => KeyKind::Management,
            },
            disabled: record.disabled,
            expires_at_ms: record.expires_ms,
            allowed_providers: record.allowed_providers.clone(),
            allowed_models: record.allowed_models.clone(),
            enforce_zdr: record.enforce_zdr,
            policy: KeyPolicy {
                rate_limit: record.rate_limit,
                limit: record.limit,
                limit_reset: record.limit_reset,
                budget_mode: record.budget_mode,
                include_byok_in_limit: record.include_byok_in_limit,
            },
            meter: meters.key(&hash, record.limit_reset),
        })
    }

    /// Whether the key works at this moment.
    pub fn is_usable(&self, now_ms: i64) -> bool {
        !self.disabled && self.expires_at_ms.is_none_or(|end_ms| now_ms < end_ms)
    }

    /// Whether the key may use a provider, given all names that provider goes by.
    pub fn allows_provider<'n>(&self, mut names: impl Iterator<Item = &'n str>) -> bool {
        self.allowed_providers.as_ref().is_none_or(|allowed| {
            names.any(|name| allowed.iter().any(|entry| entry.eq_ignore_ascii_case(name)))
        })
    }

    /// Whether the key may use a model, given as `provider/model`; entries may be bare.
    pub fn allows_model(&self, canonical: &str) -> bool {
        self.allowed_models.as_ref().is_none_or(|allowed| {
            let bare = canonical.split_once('/').map_or(canonical, |(_, bare)| bare);
            allowed.iter().any(|entry| matches(entry, canonical) || matches(entry, bare))
        })
    }
}

#[cfg(test)]
impl ApiKey {
    /// A key without limits for tests.
    pub(crate) fn example(secret: &str) -> Self {
        let hash = crate::id::key_hash(secret);
        let policy = KeyPolicy {
            rate_limit: config::RateLimit::default(),
            limit: None,
            limit_reset: config::LimitReset::Never,
            budget_mode: config::BudgetMode::Estimate,
            include_byok_in_limit: false,
        };
        Self {
            hash,
            hash_hex: hash_hex(&hash).into(),
            name: "n".into(),
            kind: KeyKind::Regular,
            disabled: false,
            expires_at_ms: None,
            allowed_providers: None,
            allowed_models: None,
            enforce_zdr: false,
            policy,
            meter: Arc::new(KeyMeter::new(config::LimitReset::Never, 0)),
        }
    }
}

/// A hash in hex, as it is shown and stored.
pub fn hash_hex(hash: &[u8; 32]) -> String {
    use std::fmt::Write;
    hash.iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a String cannot fail.
        write!(hex, "{byte:02x}").unwrap_or_default();
        hex
    })
}

/// A hash from its hex form.
pub fn hash_from_hex(hex: &str) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    if pairs.len() != hash.len() || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in hash.iter_mut().zip(pairs) {
        let digit = |digit: u8| char::from(digit).to_digit(16);
        *byte = u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()?;
    }
    Some(hash)
}

/// Matches `name` against a pattern in which `*` stands for any text, in linear time per star.
fn matches(pattern: &str, name: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(rest) = pieces.next().and_then(|first| name.strip_prefix(first)) else {
        return false;
    };
    let mut rest = rest;
    let mut last = None;
    for piece in pieces {
        if let Some(middle) = last.replace(piece) {
            let Some((_, after)) = rest.split_once(middle) else { return false };
            rest = after;
        }
    }
    last.map_or(rest.is_empty(), |tail| rest.ends_with(tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let cases = [
            ("openai/*", "openai/gpt-5", true),
            ("openai/*", "anthropic/x", false),
            ("*", "anything", true),
            ("gpt-5", "gpt-5", true),
            ("gpt-5", "gpt-5.4", false),
            ("*mini*", "gpt-5-mini-x", true),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "aXcYb", false),
            ("a*a", "a", false),
            ("", "a", false),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(matches(pattern, name), expected, "{pattern} on {name}");
        }
    }
}
