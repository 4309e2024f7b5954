//! The health as a whole: by name, bounded, through reloads.

mod breaker;

use super::*;
use crate::config::BreakerConfig;
use crate::error::Kind;
use crate::providers::KeyPool;
use crate::telemetry::Metrics;

fn health() -> Health {
    Health::new(&RoutingConfig::default())
}

fn fail(endpoint: &Arc<EndpointHealth>, times: usize, now_ms: u64) {
    (0..times).for_each(|_| endpoint.enter(now_ms).unwrap().failed(Kind::Timeout, now_ms));
}

#[test]
fn endpoints_are_known_by_their_names() {
    let health = health();
    fail(&health.endpoint("p", "m"), 5, health.now_ms());
    let live: &dyn Live = &health;
    assert!(matches!(live.endpoint("p", "m").gate, Gate::Open { .. }));
    assert_eq!(live.endpoint("p", "other"), EndpointView::default());
    assert_eq!(live.endpoint("other", "m"), EndpointView::default());
    assert!(health.stats("p", "m").is_some());
    assert_eq!(health.stats("p", "other"), None);
    assert_eq!(health.endpoint_count(), 1, "reading makes nothing");
}

#[test]
fn a_reload_changes_thresholds_and_keeps_what_is_known() {
    let health = health();
    let (known, fresh) = (health.endpoint("p", "known"), health.endpoint("p", "fresh"));
    fail(&known, 2, 0);
    let breaker = BreakerConfig { consecutive_failures: 3, open_s: 7, ..BreakerConfig::default() };
    health.configure(&RoutingConfig { breaker, ..RoutingConfig::default() }, []);
    fail(&fresh, 2, 0);
    assert_eq!(fresh.gate(0), Gate::Closed);
    fail(&health.endpoint("p", "known"), 1, 0);
    assert_eq!(known.gate(0), Gate::Open { retry_in_ms: 7_000 });
}

#[test]
fn what_is_usual_does_not_shrink_by_what_it_cuts_off() {
    let health = health();
    let endpoint = health.endpoint("p", "m");
    let answer = |ms: u64| {
        let sample = Sample { first_token_ms: Some(ms), ..Sample::default() };
        endpoint.enter(0).unwrap().succeeded(sample, 0);
    };
    (0..95).for_each(|_| answer(100));
    (0..5).for_each(|_| answer(900));
    let usual = |answer| endpoint.silence_p95_ms(answer, 0);
    let before = usual(Answer::Stream).unwrap();
    assert_eq!(usual(Answer::Whole), None, "none of those was");
    for _ in 0..50 {
        (0..95).for_each(|_| answer(100));
        let outpaced = |_| endpoint.enter(0).unwrap().outpaced(Answer::Stream, 130, 0);
        (0..5).for_each(outpaced);
    }
    let after = usual(Answer::Stream).unwrap();
    assert!(after > before * 0.9, "{before} became {after}");
    assert_eq!(endpoint.stats(0).uptime_last_5m, Some(100.0));
}

#[test]
fn an_error_is_held_against_whom_it_concerns() {
    let health = health();
    let provider = health.provider("p");
    let endpoint = health.endpoint("p", "m");
    let attempt = |error: &GatewayError| {
        provider.note_failed((endpoint.enter(0).unwrap(), None), error, 0);
    };
    let limited = GatewayError::upstream(Kind::RateLimitExceeded, "x");
    (0..100).for_each(|_| attempt(&limited));
    assert_eq!(endpoint.gate(0), Gate::Closed, "a limit never counts");
    assert!(provider.keys.pick(&KeyPool::default(), ("m", &[]), 0).is_err());
    let wrong = GatewayError::client(Kind::InvalidRequest, "x");
    (0..100).for_each(|_| attempt(&wrong));
    assert_eq!(endpoint.stats(0), EndpointStats::default());
    let late = GatewayError::upstream(Kind::Timeout, "x");
    (0..5).for_each(|_| attempt(&late));
    assert!(matches!(endpoint.gate(0), Gate::Open { .. }));
    let answered = (endpoint.enter(30_000).unwrap(), None);
    provider.note_answered(answered, Sample::default(), 30_000);
    assert_eq!(endpoint.gate(30_000), Gate::Closed);
    assert!(provider.keys.pick(&KeyPool::default(), ("m", &[]), 30_000).is_ok());
}

#[test]
fn only_so_many_endpoints_are_known_and_those_in_use_stay() {
    let health = health();
    let used = health.endpoint("p", "used");
    fail(&used, 5, 1_000_000);
    for index in 0..3 * MAX_ENDPOINTS {
        let model = format!("m{index}");
        let endpoint = health.endpoint("q", &model);
        // The test's clock is far ahead of the real one, at which new ones are made.
        assert!(endpoint.enter(2_000).is_ok());
        assert!(health.endpoint_count() <= MAX_ENDPOINTS);
    }
    assert!(Arc::ptr_eq(&used, &health.endpoint("p", "used")));
}

/// Every provider fails all of the time; each request is tried with every one that may be called.
#[test]
fn many_failing_providers_are_asked_little_more_than_clients_ask() {
    let health = health();
    let failed = GatewayError::upstream(Kind::ProviderUnavailable, "x");
    let (mut asked, mut sent) = (0_u64, 0_u64);
    for now_ms in (0..120_000).step_by(20) {
        let is_warm = now_ms >= 30_000;
        asked += u64::from(is_warm);
        let mut is_first = true;
        for slug in ["a", "b", "c"] {
            let provider = health.provider(slug);
            let Ok(permit) = health.endpoint(slug, "m").enter(now_ms) else { continue };
            if is_first {
                provider.note_request(now_ms);
            } else if !provider.may_retry(now_ms) {
                continue;
            }
            is_first = false;
            sent += u64::from(is_warm);
            provider.note_failed((permit, None), &failed, now_ms);
        }
    }
    assert!(sent * 10 <= asked * 13, "{sent} for {asked}");
    assert!(sent > 0, "probes go on");
}

/// Every provider fails four of ten calls, so that no breaker opens: only the budget holds.
#[test]
fn half_failing_providers_are_asked_little_more_than_clients_ask() {
    let health = health();
    let failed = GatewayError::upstream(Kind::ProviderUnavailable, "x");
    let (mut asked, mut sent, mut calls) = (0_u64, 0_u64, [0_u64; 3]);
    for now_ms in (0..120_000).step_by(20) {
        let is_warm = now_ms >= 30_000;
        asked += u64::from(is_warm);
        for turn in 0..3 {
            let index = usize::try_from(now_ms / 20 + turn).unwrap() % 3;
            let slug = ["a", "b", "c"][index];
            let provider = health.provider(slug);
            let Ok(permit) = health.endpoint(slug, "m").enter(now_ms) else { continue };
            if turn == 0 {
                provider.note_request(now_ms);
            } else if !provider.may_retry(now_ms) {
                continue;
            }
            sent += u64::from(is_warm);
            calls[index] += 1;
            if calls[index] % 5 >= 2 {
                provider.note_answered((permit, None), Sample::default(), now_ms);
                break;
            }
            provider.note_failed((permit, None), &failed, now_ms);
        }
    }
    assert!(sent * 10 <= asked * 13, "{sent} for {asked}");
    assert!(sent * 10 > asked * 11, "{sent} for {asked}: the share is used");
}

#[test]
fn one_dead_provider_of_three_is_never_seen() {
    let health = health();
    let failed = GatewayError::upstream(Kind::ProviderUnavailable, "x");
    let (mut wasted, mut unanswered) = (0_u64, 0_u64);
    for index in 0..10_000_u64 {
        let now_ms = index * 10;
        let mut slugs = ["dead", "b", "c"];
        slugs.rotate_left(usize::try_from(index % 3).unwrap());
        let answered = slugs.iter().enumerate().any(|(turn, slug)| {
            let provider = health.provider(slug);
            let Ok(permit) = health.endpoint(slug, "m").enter(now_ms) else { return false };
            if turn == 0 {
                provider.note_request(now_ms);
            } else if !provider.may_retry(now_ms) {
                return false;
            }
            if *slug == "dead" {
                wasted += 1;
                provider.note_failed((permit, None), &failed, now_ms);
                return false;
            }
            provider.note_answered((permit, None), Sample::default(), now_ms);
            true
        });
        unanswered += u64::from(!answered);
    }
    assert_eq!(unanswered, 0);
    assert!(wasted <= 5 + 3, "{wasted}: until it opened, and its probes in 100 seconds");
}

#[test]
fn metrics_name_only_what_the_configuration_names() {
    let (health, metrics) = (health(), Metrics::new().unwrap());
    let named = [("p", "m"), ("p", "uncalled"), ("q", "m")];
    health.configure(&RoutingConfig::default(), named.map(|(p, m)| (p.into(), m.into())));
    let now_ms = health.now_ms();
    fail(&health.endpoint("p", "m"), 5, now_ms);
    fail(&health.endpoint("p", "a client's own"), 5, now_ms);
    let limited = GatewayError::upstream(Kind::RateLimitExceeded, "x");
    let permit = health.endpoint("q", "m").enter(now_ms).unwrap();
    health.provider("q").note_failed((permit, None), &limited, now_ms);
    health.show(&metrics.health);
    let text = String::from_utf8(metrics.render().unwrap()).unwrap();
    let lines = |start: &str| text.lines().filter(|line| line.starts_with(start)).count();
    assert!(text.contains(r#"arouter_endpoint_state{model="m",provider="p"} 2"#), "{text}");
    assert!(text.contains(r#"arouter_endpoint_state{model="m",provider="q"} 0"#), "{text}");
    assert_eq!(lines("arouter_endpoint_state{"), 2, "{text}");
    assert!(text.contains(r#"arouter_provider_key_cooldowns_total{provider="q"} 1"#), "{text}");
}

#[test]
fn an_endpoint_takes_little_memory() {
    assert!(size_of::<EndpointHealth>() <= 1_200, "{}", size_of::<EndpointHealth>());
    let speed = speed::Speed::default().bytes();
    assert!(speed <= 12_500, "{speed}");
}
