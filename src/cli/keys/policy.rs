//! The flags that say what a key may do, and their words.
//!
//! Used by `keys create` and `keys update`. A flag that is not given changes nothing; `none`
//! (`never`, `all`) takes a limit away, which is not the same.

use std::fmt::Display;
use std::str::FromStr;

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::super::{ConfigArgs, ReadArgs};
use super::NamedArgs;
use crate::config::{BudgetMode, KeyKind, LimitReset, RateLimit};
use crate::money::PicoUsd;
use crate::store::KeyRecord;

/// Flags of `arouter keys create`.
#[derive(Debug, Args)]
pub(in crate::cli) struct CreateArgs {
    /// What to call it; otherwise after its kind.
    #[arg(long, value_name = "NAME", env = "AROUTER_KEY_NAME")]
    name: Option<String>,
    /// `regular` calls models, `management` manages keys.
    #[arg(long, value_name = "KIND", default_value = "regular", env = "AROUTER_KEY_KIND",
        value_parser = from_word::<KeyKind>)]
    kind: KeyKind,
    #[command(flatten)]
    pub(super) policy: PolicyArgs,
    #[command(flatten)]
    pub(super) config: ConfigArgs,
    #[command(flatten)]
    pub(super) read: ReadArgs,
}

/// Flags of `arouter keys update`.
#[derive(Debug, Args)]
pub(in crate::cli) struct UpdateArgs {
    #[command(flatten)]
    pub(super) named: NamedArgs,
    /// A new name.
    #[arg(long, value_name = "NAME", env = "AROUTER_KEY_NAME")]
    name: Option<String>,
    /// Whether it opens nothing.
    #[arg(long, value_name = "BOOL", env = "AROUTER_KEY_DISABLED")]
    disabled: Option<bool>,
    #[command(flatten)]
    pub(super) policy: PolicyArgs,
}

/// Flags that both have.
#[derive(Debug, Args)]
pub(in crate::cli) struct PolicyArgs {
    /// How much it may spend per period, in USD, or `none`.
    #[arg(long, value_name = "USD", env = "AROUTER_KEY_LIMIT")]
    limit: Option<Setting<PicoUsd>>,
    /// When spending starts again at nothing: `daily`, `weekly`, `monthly` or `never`.
    #[arg(long, value_name = "PERIOD", env = "AROUTER_KEY_LIMIT_RESET",
        value_parser = from_word::<LimitReset>)]
    limit_reset: Option<LimitReset>,
    /// `estimate` may overshoot the limit a little, `strict` never does.
    #[arg(long, value_name = "MODE", env = "AROUTER_KEY_BUDGET_MODE",
        value_parser = from_word::<BudgetMode>)]
    budget_mode: Option<BudgetMode>,
    /// Requests in a minute, or `none`.
    #[arg(long, value_name = "N", env = "AROUTER_KEY_REQUESTS_PER_MINUTE")]
    requests_per_minute: Option<Setting<u64>>,
    /// Requests in a day, or `none`.
    #[arg(long, value_name = "N", env = "AROUTER_KEY_REQUESTS_PER_DAY")]
    requests_per_day: Option<Setting<u64>>,
    /// Tokens in a minute, or `none`.
    #[arg(long, value_name = "N", env = "AROUTER_KEY_TOKENS_PER_MINUTE")]
    tokens_per_minute: Option<Setting<u64>>,
    /// Requests running at once, or `none`.
    #[arg(long, value_name = "N", env = "AROUTER_KEY_CONCURRENT")]
    concurrent: Option<Setting<u64>>,
    /// Providers it may use, separated by commas, or `all`, or `none`.
    #[arg(long, value_name = "LIST", env = "AROUTER_KEY_ALLOWED_PROVIDERS")]
    allowed_providers: Option<AllowList>,
    /// Models it may use, such as `openai/*`, separated by commas, or `all`, or `none`.
    #[arg(long, value_name = "LIST", env = "AROUTER_KEY_ALLOWED_MODELS")]
    allowed_models: Option<AllowList>,
    /// When it stops to open anything, as `2027-01-31T00:00:00Z`, or `never`.
    #[arg(long, value_name = "TIME", env = "AROUTER_KEY_EXPIRES_AT")]
    expires_at: Option<Setting<Timestamp>>,
}

/// A value, or the word that takes it away.
#[derive(Debug, Clone, Copy)]
struct Setting<T>(Option<T>);

/// What may be used: everything, or what is listed.
#[derive(Debug, Clone)]
struct AllowList(Option<Vec<String>>);

impl CreateArgs {
    pub(super) fn kind(&self) -> KeyKind {
        self.kind
    }

    /// A key without limits, hash and time.
    pub(super) fn record(&self) -> KeyRecord {
        KeyRecord {
            hash: String::new(),
            name: self.name.clone().unwrap_or_else(|| word(&self.kind)),
            label: String::new(),
            kind: self.kind,
            disabled: false,
            limit: None,
            limit_reset: LimitReset::Never,
            budget_mode: BudgetMode::Estimate,
            include_byok_in_limit: false,
            rate_limit: RateLimit::default(),
            allowed_providers: None,
            allowed_models: None,
            enforce_zdr: false,
            creator_hash: None,
            expires_ms: None,
            created_ms: 0,
            updated_ms: None,
        }
    }
}

impl UpdateArgs {
    /// Changes what was given.
    pub(super) fn apply(&self, key: &mut KeyRecord) {
        set(&mut key.name, self.name.as_ref());
        set(&mut key.disabled, self.disabled.as_ref());
        self.policy.apply(key);
    }
}

impl PolicyArgs {
    /// Changes what was given.
    pub(super) fn apply(&self, key: &mut KeyRecord) {
        let rate_limit = &mut key.rate_limit;
        for (slot, setting) in [
            (&mut rate_limit.requests_per_minute, self.requests_per_minute),
            (&mut rate_limit.requests_per_day, self.requests_per_day),
            (&mut rate_limit.tokens_per_minute, self.tokens_per_minute),
            (&mut rate_limit.concurrent, self.concurrent),
        ] {
            set(slot, setting.map(|setting| setting.0).as_ref());
        }
        set(&mut key.limit, self.limit.map(|limit| limit.0).as_ref());
        set(&mut key.limit_reset, self.limit_reset.as_ref());
        set(&mut key.budget_mode, self.budget_mode.as_ref());
        set(&mut key.allowed_providers, self.allowed_providers.as_ref().map(|list| &list.0));
        set(&mut key.allowed_models, self.allowed_models.as_ref().map(|list| &list.0));
        let expires_ms = self.expires_at.map(|time| time.0.map(Timestamp::as_millisecond));
        set(&mut key.expires_ms, expires_ms.as_ref());
    }
}

fn set<T: Clone>(slot: &mut T, given: Option<&T>) {
    if let Some(given) = given {
        slot.clone_from(given);
    }
}

impl<T: FromStr<Err: Display>> FromStr for Setting<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" | "never" => Ok(Self(None)),
            text => text.parse().map(|value| Self(Some(value))).map_err(|e: T::Err| e.to_string()),
        }
    }
}

impl FromStr for AllowList {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = match text {
            "all" => return Ok(Self(None)),
            "none" => Vec::new(),
            text => text.split(',').map(|name| name.trim().to_owned()).collect(),
        };
        if names.iter().any(String::is_empty) {
            return Err("an empty name; say `all` or `none`".to_owned());
        }
        Ok(Self(Some(names)))
    }
}

/// The word an enum without data is written by in the configuration.
pub(super) fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        _ => String::new(),
    }
}

fn from_word<T: DeserializeOwned>(word: &str) -> Result<T, String> {
    serde_json::from_value(Value::String(word.to_owned())).map_err(|error| error.to_string())
}
