//! What a body says about a key: read, checked, and put into the key's record.
//!
//! Used by creation and change. The documented aliases mean the same as the field they stand for;
//! what only makes sense in a hosted service is taken and ignored, so that its clients work.

use super::super::fields::{Fields, Given};
use super::super::query::wrong;
use crate::config::{BudgetMode, LimitReset, RateLimit};
use crate::error::GatewayError;
use crate::money::PicoUsd;
use crate::store::KeyRecord;
use jiff::Timestamp;

/// Longest name of a key, and longest label, in characters.
const MAX_NAME_CHARS: usize = 256;
/// Longest name of a provider or pattern of models, in characters.
const MAX_PATTERN_CHARS: usize = 256;

/// Names of the spending limit: the canonical one and its aliases.
const LIMIT_NAMES: [&str; 3] = ["limit", "limit_usd", "spending_limit"];

/// All members a body may have; the last two are ignored.
const KNOWN: &[&str] = &[
    "name",
    "label",
    "disabled",
    "limit",
    "limit_usd",
    "spending_limit",
    "limit_reset",
    "budget_mode",
    "rate_limit",
    "allowed_providers",
    "allowed_models",
    "expires_at",
    "include_byok_in_limit",
    "enforce_zdr",
    "creator_user_id",
    "workspace_id",
];

const RATE_FIELDS: &[&str] =
    &["requests_per_minute", "requests_per_day", "tokens_per_minute", "concurrent"];

/// Why a body is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To make a key: a name is needed, and null means the same as nothing.
    Create {
        /// Now, Unix milliseconds; a key may not be made that is over already.
        now_ms: i64,
    },
    /// To change one: nothing stays as it was, null takes away.
    Change,
}

/// What a body says about a key.
#[derive(Debug)]
pub(super) struct KeyFields {
    name: Option<String>,
    label: Option<String>,
    disabled: Option<bool>,
    limit: Given<PicoUsd>,
    limit_reset: Given<LimitReset>,
    budget_mode: Option<BudgetMode>,
    rate_limit: Given<RateFields>,
    allowed_providers: Given<Vec<String>>,
    allowed_models: Given<Vec<String>>,
    expires_ms: Given<i64>,
    include_byok_in_limit: Option<bool>,
    enforce_zdr: Option<bool>,
}

#[derive(Debug)]
struct RateFields {
    requests_per_minute: Given<u64>,
    requests_per_day: Given<u64>,
    tokens_per_minute: Given<u64>,
    concurrent: Given<u64>,
}

impl KeyFields {
    /// Reads a body. `is_provider` knows the names of providers.
    pub(super) fn read(
        body: &[u8],
        purpose: Purpose,
        is_provider: impl Fn(&str) -> bool,
    ) -> Result<Self, GatewayError> {
        let fields = &Fields::parse(body, KNOWN)?;
        let name = fields.text("name", MAX_NAME_CHARS)?;
        let name = name.required("name", "a string")?;
        if name.is_none() && purpose != Purpose::Change {
            return Err(wrong("name", "given"));
        }
        let flag = |name| required(fields.read::<bool>(name, "true or false")?, purpose, name);
        Ok(Self {
            name,
            label: required(fields.text("label", MAX_NAME_CHARS)?, purpose, "label")?,
            disabled: flag("disabled")?,
            limit: limit(fields)?,
            limit_reset: limit_reset(fields)?,
            budget_mode: budget_mode(fields, purpose)?,
            rate_limit: rate_limit(fields)?,
            allowed_providers: providers(fields, is_provider)?,
            allowed_models: models(fields)?,
            expires_ms: expires(fields, purpose)?,
            include_byok_in_limit: flag("include_byok_in_limit")?,
            enforce_zdr: flag("enforce_zdr")?,
        })
    }

    /// The name that was given.
    pub(super) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Puts what was said into a key.
    pub(super) fn apply(self, key: &mut KeyRecord) {
        set(&mut key.name, self.name);
        set(&mut key.label, self.label);
        set(&mut key.disabled, self.disabled);
        set(&mut key.budget_mode, self.budget_mode);
        set(&mut key.include_byok_in_limit, self.include_byok_in_limit);
        set(&mut key.enforce_zdr, self.enforce_zdr);
        set_or_clear(&mut key.limit, self.limit);
        set_or_clear(&mut key.allowed_providers, self.allowed_providers);
        set_or_clear(&mut key.allowed_models, self.allowed_models);
        set_or_clear(&mut key.expires_ms, self.expires_ms);
        match self.limit_reset {
            Given::Absent => {}
            Given::Null => key.limit_reset = LimitReset::Never,
            Given::Value(reset) => key.limit_reset = reset,
        }
        match self.rate_limit {
            Given::Absent => {}
            Given::Null => key.rate_limit = RateLimit::default(),
            Given::Value(fields) => fields.apply(&mut key.rate_limit),
        }
    }
}

impl RateFields {
    fn apply(self, limit: &mut RateLimit) {
        set_or_clear(&mut limit.requests_per_minute, self.requests_per_minute);
        set_or_clear(&mut limit.requests_per_day, self.requests_per_day);
        set_or_clear(&mut limit.tokens_per_minute, self.tokens_per_minute);
        set_or_clear(&mut limit.concurrent, self.concurrent);
    }
}

fn set<T>(slot: &mut T, given: Option<T>) {
    if let Some(value) = given {
        *slot = value;
    }
}

fn set_or_clear<T>(slot: &mut Option<T>, given: Given<T>) {
    match given {
        Given::Absent => {}
        Given::Null => *slot = None,
        Given::Value(value) => *slot = Some(value),
    }
}

/// A member without a null; when a key is made, null says nothing.
fn required<T>(
    given: Given<T>,
    purpose: Purpose,
    name: &'static str,
) -> Result<Option<T>, GatewayError> {
    match purpose {
        Purpose::Create { .. } => given.null_as_absent(),
        Purpose::Change => given,
    }
    .required(name, "a value, not null")
}

/// The spending limit under any of its names, but under one only.
fn limit(fields: &Fields<'_>) -> Result<Given<PicoUsd>, GatewayError> {
    let mut found = Given::Absent;
    for name in LIMIT_NAMES {
        let given = fields.amount(name)?;
        if matches!(&given, Given::Value(amount) if *amount < PicoUsd::ZERO) {
            return Err(wrong(name, "zero or more"));
        }
        if given.is_given() {
            if found.is_given() {
                return Err(wrong(name, "left out: the limit is given twice"));
            }
            found = given;
        }
    }
    Ok(found)
}

fn limit_reset(fields: &Fields<'_>) -> Result<Given<LimitReset>, GatewayError> {
    fields.read("limit_reset", "daily, weekly, monthly, never or null")
}

fn budget_mode(fields: &Fields<'_>, purpose: Purpose) -> Result<Option<BudgetMode>, GatewayError> {
    required(fields.read("budget_mode", "estimate or strict")?, purpose, "budget_mode")
}

fn rate_limit(fields: &Fields<'_>) -> Result<Given<RateFields>, GatewayError> {
    let raw = match fields.raw("rate_limit") {
        Given::Absent => return Ok(Given::Absent),
        Given::Null => return Ok(Given::Null),
        Given::Value(raw) => raw,
    };
    if !raw.starts_with(b"{") {
        return Err(wrong("rate_limit", "an object or null"));
    }
    let inner = Fields::parse(raw, RATE_FIELDS).map_err(below_rate_limit)?;
    let count = |name| {
        inner.read::<u64>(name, "a whole number of zero or more, or null").map_err(below_rate_limit)
    };
    Ok(Given::Value(RateFields {
        requests_per_minute: count("requests_per_minute")?,
        requests_per_day: count("requests_per_day")?,
        tokens_per_minute: count("tokens_per_minute")?,
        concurrent: count("concurrent")?,
    }))
}

fn below_rate_limit(mut error: GatewayError) -> GatewayError {
    if let Some(name) = &error.param {
        error.param = Some(format!("rate_limit.{name}").into());
    }
    error
}

fn providers(
    fields: &Fields<'_>,
    is_provider: impl Fn(&str) -> bool,
) -> Result<Given<Vec<String>>, GatewayError> {
    const NAME: &str = "allowed_providers";
    let given: Given<Vec<String>> = fields.read(NAME, "an array of strings or null")?;
    if let Given::Value(names) = &given
        && let Some(unknown) = names.iter().find(|name| !is_provider(name))
    {
        let shown: String = unknown.chars().take(64).collect();
        return Err(wrong(NAME, format!("names of providers: there is no provider '{shown}'")));
    }
    Ok(given)
}

fn models(fields: &Fields<'_>) -> Result<Given<Vec<String>>, GatewayError> {
    const NAME: &str = "allowed_models";
    let given: Given<Vec<String>> = fields.read(NAME, "an array of strings or null")?;
    match &given {
        Given::Value(patterns) if !patterns.iter().all(|pattern| is_pattern(pattern)) => {
            Err(wrong(NAME, "patterns of model names, such as openai/*"))
        }
        _ => Ok(given),
    }
}

/// The same characters as in the configuration.
fn is_pattern(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '?' | '#');
    (1..=MAX_PATTERN_CHARS).contains(&text.len()) && text.chars().all(legal)
}

fn expires(fields: &Fields<'_>, purpose: Purpose) -> Result<Given<i64>, GatewayError> {
    const NAME: &str = "expires_at";
    let given = fields.read_with(NAME, "a time such as 2027-01-31T00:00:00Z, or null", |raw| {
        let text: String = serde_json::from_slice(raw).ok()?;
        text.parse().ok().map(Timestamp::as_millisecond)
    })?;
    match (&given, purpose) {
        (Given::Value(end_ms), Purpose::Create { now_ms }) if *end_ms <= now_ms => {
            Err(wrong(NAME, "in the future"))
        }
        _ => Ok(given),
    }
}

#[cfg(test)]
mod tests;
