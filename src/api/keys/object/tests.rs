//! The members of a key, and what remains of its limit.

use super::*;
use serde_json::{Value, json};

fn used(cost: &str, byok: &str) -> Spent {
    Spent { cost_pico_usd: cost.parse().unwrap(), byok_cost_pico_usd: byok.parse().unwrap() }
}

fn sums() -> KeySums {
    KeySums {
        all_time: used("40.000000000004", "4"),
        day: used("10.000000000001", "1"),
        week: used("20.000000000002", "2"),
        month: used("30.000000000003", "3"),
        requests: 7,
        last_used_ms: Some(1_790_000_000_000),
        ..KeySums::default()
    }
}

fn key() -> KeyRecord {
    KeyRecord {
        hash: "9f86d0".into(),
        name: "backend".into(),
        label: "lr_live_9f8…a1b".into(),
        limit: Some("25".parse().unwrap()),
        created_ms: 1_768_473_000_000,
        ..super::super::unlimited()
    }
}

/// The object as text, so that the digits of amounts can be looked at, and as a value.
fn shown(key: &KeyRecord) -> (String, Value) {
    let text = serde_json::to_string(&KeyObject::new(key, &sums(), Source::Store)).unwrap();
    let value = serde_json::from_str(&text).unwrap();
    (text, value)
}

#[test]
fn all_documented_members_are_there() {
    let (_, object) = shown(&key());
    let mut expected = json!({
        "hash": "9f86d0", "name": "backend", "label": "lr_live_9f8…a1b", "key_type": "regular",
        "source": "store", "disabled": false, "limit": 25, "limit_remaining": 0,
        "limit_reset": null, "include_byok_in_limit": false, "budget_mode": "estimate",
        "allowed_providers": null, "allowed_models": null,
        "rate_limit": { "requests_per_minute": null, "requests_per_day": null,
            "tokens_per_minute": null, "concurrent": null },
        "enforce_zdr": false, "requests": 7,
        "created_at": "2026-01-15T10:30:00Z", "updated_at": null,
        "last_used_at": "2026-09-21T14:13:20Z", "expires_at": null,
        "creator_user_id": null, "external_user": null, "workspace_id": "default",
    });
    let amounts = [
        "usage",
        "usage_daily",
        "usage_weekly",
        "usage_monthly",
        "byok_usage",
        "byok_usage_daily",
        "byok_usage_weekly",
        "byok_usage_monthly",
    ];
    for name in amounts {
        assert!(object[name].is_number(), "{name}: {object}");
        expected[name] = object[name].clone();
    }
    assert_eq!(object, expected);
}

#[test]
fn amounts_keep_every_digit() {
    let (text, _) = shown(&key());
    for member in [
        r#""usage":40.000000000004,"#,
        r#""usage_daily":10.000000000001,"#,
        r#""usage_weekly":20.000000000002,"#,
        r#""usage_monthly":30.000000000003,"#,
        r#""byok_usage":4,"#,
    ] {
        assert!(text.contains(member), "{member}: {text}");
    }
}

#[test]
fn what_remains_is_of_the_present_period() {
    for (reset, byok, remaining) in [
        (LimitReset::Daily, false, "14.999999999999"),
        (LimitReset::Weekly, false, "4.999999999998"),
        (LimitReset::Monthly, false, "0"),
        (LimitReset::Never, false, "0"),
        (LimitReset::Daily, true, "13.999999999999"),
        (LimitReset::Weekly, true, "2.999999999998"),
    ] {
        let key = KeyRecord { limit_reset: reset, include_byok_in_limit: byok, ..key() };
        let (text, _) = shown(&key);
        let member = format!(r#""limit_remaining":{remaining},"#);
        assert!(text.contains(&member), "{reset:?} {byok}: {text}");
    }
    let (_, object) = shown(&KeyRecord { limit: None, ..key() });
    assert_eq!((&object["limit"], &object["limit_remaining"]), (&Value::Null, &Value::Null));
}
