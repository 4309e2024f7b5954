//! Tables of bodies: what they make of a key, and which field a mistake names.

use super::*;
use crate::error::Kind;

const NOW_MS: i64 = 1_790_000_000_000;
const CREATE: Purpose = Purpose::Create { now_ms: NOW_MS };

fn read(body: &str, purpose: Purpose) -> Result<KeyFields, GatewayError> {
    KeyFields::read(body.as_bytes(), purpose, |name| name == "openai" || name == "google")
}

fn limited() -> KeyRecord {
    let mut key = super::super::unlimited();
    key.name = "n".into();
    let all = r#"{"limit": 5, "limit_reset": "daily", "budget_mode": "strict",
        "rate_limit": {"requests_per_minute": 1, "requests_per_day": 2, "tokens_per_minute": 3,
        "concurrent": 4}, "allowed_providers": ["openai"], "allowed_models": ["openai/*"],
        "expires_at": "2030-01-01T00:00:00Z", "include_byok_in_limit": true, "enforce_zdr": true,
        "disabled": true, "label": "l"}"#;
    read(all, Purpose::Change).unwrap().apply(&mut key);
    key
}

fn changed(body: &str) -> KeyRecord {
    let mut key = limited();
    read(body, Purpose::Change).unwrap().apply(&mut key);
    key
}

#[test]
fn what_is_absent_stays_and_null_takes_away() {
    assert_eq!(changed("{}"), limited());
    let key = limited();
    assert_eq!(changed(r#"{"limit": null}"#), KeyRecord { limit: None, ..key.clone() });
    assert_eq!(
        changed(r#"{"limit_reset": null}"#),
        KeyRecord { limit_reset: LimitReset::Never, ..key.clone() }
    );
    assert_eq!(changed(r#"{"limit_reset": "never"}"#).limit_reset, LimitReset::Never);
    assert_eq!(
        changed(r#"{"allowed_providers": null}"#),
        KeyRecord { allowed_providers: None, ..key.clone() }
    );
    assert_eq!(changed(r#"{"allowed_models": []}"#).allowed_models, Some(Vec::new()));
    assert_eq!(changed(r#"{"expires_at": null}"#), KeyRecord { expires_ms: None, ..key.clone() });
    assert_eq!(
        changed(r#"{"rate_limit": null}"#),
        KeyRecord { rate_limit: RateLimit::default(), ..key.clone() }
    );
    let rate_limit =
        RateLimit { requests_per_day: None, tokens_per_minute: Some(9), ..key.rate_limit };
    let merged = r#"{"rate_limit": {"requests_per_day": null, "tokens_per_minute": 9}}"#;
    assert_eq!(changed(merged), KeyRecord { rate_limit, ..key });
}

#[test]
fn names_and_forms_of_the_limit() {
    for (body, usd) in [
        (r#"{"limit": 150}"#, "150"),
        (r#"{"limit_usd": 0.1}"#, "0.1"),
        (r#"{"spending_limit": "12.000000000001"}"#, "12.000000000001"),
        (r#"{"limit": 1e-05}"#, "0.00001"),
        (r#"{"limit": 0}"#, "0"),
    ] {
        assert_eq!(changed(body).limit.unwrap().to_string(), usd, "{body}");
    }
}

#[test]
fn a_key_is_made_of_a_name_alone() {
    let mut key = super::super::unlimited();
    let fields = read(
        r#"{"name": "x", "disabled": null, "limit": null, "label": null, "workspace_id": "w",
        "creator_user_id": null, "include_byok_in_limit": null}"#,
        CREATE,
    );
    fields.unwrap().apply(&mut key);
    assert_eq!(key, KeyRecord { name: "x".into(), ..super::super::unlimited() });
}

#[test]
fn mistakes_name_the_field() {
    let long = format!(r#"{{"name": "{}"}}"#, "x".repeat(257));
    let both = [
        (r#"{"name": ""}"#, "name"),
        (r#"{"name": 7}"#, "name"),
        (r#"{"name": null}"#, "name"),
        (long.as_str(), "name"),
        (r#"{"name": "n", "limit": -1}"#, "limit"),
        (r#"{"name": "n", "limit": true}"#, "limit"),
        (r#"{"name": "n", "limit": "five"}"#, "limit"),
        (r#"{"name": "n", "limit_usd": 0.0000000000001}"#, "limit_usd"),
        (r#"{"name": "n", "limit": 1, "limit_usd": 1}"#, "limit_usd"),
        (r#"{"name": "n", "limit": null, "spending_limit": 1}"#, "spending_limit"),
        (r#"{"name": "n", "limit_reset": "yearly"}"#, "limit_reset"),
        (r#"{"name": "n", "budget_mode": "lax"}"#, "budget_mode"),
        (r#"{"name": "n", "rate_limit": 5}"#, "rate_limit"),
        (r#"{"name": "n", "rate_limit": {"rpm": 5}}"#, "rate_limit.rpm"),
        (r#"{"name": "n", "rate_limit": {"requests_per_day": -5}}"#, "rate_limit.requests_per_day"),
        (r#"{"name": "n", "rate_limit": {"concurrent": 1.5}}"#, "rate_limit.concurrent"),
        (r#"{"name": "n", "allowed_providers": "openai"}"#, "allowed_providers"),
        (r#"{"name": "n", "allowed_providers": ["openai", "nobody"]}"#, "allowed_providers"),
        (r#"{"name": "n", "allowed_models": [""]}"#, "allowed_models"),
        (r#"{"name": "n", "allowed_models": ["a b"]}"#, "allowed_models"),
        (r#"{"name": "n", "expires_at": "tomorrow"}"#, "expires_at"),
        (r#"{"name": "n", "expires_at": 1790000000}"#, "expires_at"),
        (r#"{"name": "n", "enforce_zdr": "yes"}"#, "enforce_zdr"),
        (r#"{"name": "n", "disabled": 1}"#, "disabled"),
        (r#"{"name": "n", "label": ""}"#, "label"),
        (r#"{"name": "n", "hash": "x"}"#, "hash"),
        (r#"{"name": "n", "key": "lr_live_mine"}"#, "key"),
        (r#"{"name": "n", "name": "m"}"#, "name"),
    ];
    for (body, param) in both {
        for purpose in [CREATE, Purpose::Change] {
            let error = read(body, purpose).unwrap_err();
            let found = (error.kind, error.param.as_deref());
            assert_eq!(found, (Kind::InvalidRequest, Some(param)), "{body}");
        }
    }
}

#[test]
fn what_only_making_or_only_changing_refuses() {
    let param = |body: &str, purpose| {
        read(body, purpose).err().map(|error| error.param.unwrap_or_default().into_owned())
    };
    for (body, when_made, when_changed) in [
        ("{}", Some("name"), None),
        (r#"{"name": "n", "expires_at": "2020-01-01T00:00:00Z"}"#, Some("expires_at"), None),
        (r#"{"name": "n", "disabled": null}"#, None, Some("disabled")),
        (r#"{"name": "n", "enforce_zdr": null}"#, None, Some("enforce_zdr")),
        (r#"{"name": "n", "budget_mode": null}"#, None, Some("budget_mode")),
        (r#"{"name": "n", "label": null}"#, None, Some("label")),
    ] {
        assert_eq!(param(body, CREATE).as_deref(), when_made, "{body}");
        assert_eq!(param(body, Purpose::Change).as_deref(), when_changed, "{body}");
    }
}
