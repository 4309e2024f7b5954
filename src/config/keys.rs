//! `[keys.<name>]`: the static keys of callers. Keys made at run time live in the store.
//!
//! Read by `auth`. A key in a file is read-only at run time; its secret is referenced or given as
//! a digest, never written down.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::limits::RateLimit;
use super::secret_ref::SecretRef;
use crate::money::PicoUsd;

/// One static key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct KeyConfig {
    /// Where the key's text comes from. Either this or `hash`.
    pub secret: Option<SecretRef>,
    /// Digest of the key's text, from `arouter keys hash`. Either this or `secret`.
    #[schemars(with = "Option<String>")]
    pub hash: Option<KeyHash>,
    /// `regular` keys call models, `management` keys call the management API.
    pub kind: KeyKind,
    /// Most the key may spend in one period, in USD; omitted: not limited.
    #[schemars(with = "Option<String>")]
    pub limit_usd: Option<PicoUsd>,
    /// When the spending counter starts again: `daily`, `weekly`, `monthly` or `never`.
    pub limit_reset: LimitReset,
    /// Requests and tokens the key may use.
    pub rate_limit: RateLimit,
    /// Providers the key may use; omitted: all, `[]`: none.
    pub allowed_providers: Option<Vec<String>>,
    /// Patterns of models the key may use, such as `openai/*`; omitted: all, `[]`: none.
    pub allowed_models: Option<Vec<String>>,
    /// How spending is held while a request runs: `estimate` may overshoot a little, `strict`
    /// never does.
    pub budget_mode: BudgetMode,
    /// Whether what providers of `byok = true` cost counts towards `limit_usd`.
    pub include_byok_in_limit: bool,
    /// Whether only providers with `data_policy.zdr = true` may serve the key.
    pub enforce_zdr: bool,
    /// When the key stops working, as `2027-01-31T00:00:00Z`; omitted: never.
    #[schemars(with = "Option<String>")]
    pub expires_at: Option<jiff::Timestamp>,
}

impl Default for KeyConfig {
    fn default() -> Self {
        Self {
            secret: None,
            hash: None,
            kind: KeyKind::Regular,
            limit_usd: None,
            limit_reset: LimitReset::Never,
            rate_limit: RateLimit::default(),
            allowed_providers: None,
            allowed_models: None,
            budget_mode: BudgetMode::Estimate,
            include_byok_in_limit: false,
            enforce_zdr: false,
            expires_at: None,
        }
    }
}

/// What a key may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyKind {
    /// Calling models.
    Regular,
    /// Calling the management API.
    Management,
}

/// When a spending counter starts again, at midnight UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LimitReset {
    /// Every day.
    Daily,
    /// Every Monday.
    Weekly,
    /// On the first of the month.
    Monthly,
    /// The limit is for the life of the key.
    Never,
}

/// How spending is held while a request runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BudgetMode {
    /// An estimate is held; a long answer may overshoot a little.
    Estimate,
    /// The most the request can cost is held; the limit is never overshot.
    Strict,
}

/// SHA-256 of a key's text, written `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// Digest of the text of a key.
    pub fn of(key: &str) -> Self {
        Self(Sha256::digest(key.as_bytes()).into())
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The text is not a digest made by `arouter keys hash`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a key hash: expected `sha256:` and 64 hexadecimal digits")]
pub struct KeyHashError;

impl FromStr for KeyHash {
    type Err = KeyHashError;

    fn from_str(text: &str) -> Result<Self, KeyHashError> {
        let hex = text.strip_prefix("sha256:").ok_or(KeyHashError)?;
        if hex.len() != 64 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(KeyHashError);
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| KeyHashError)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| KeyHashError)?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash(…)")
    }
}

impl Serialize for KeyHash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for KeyHash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
