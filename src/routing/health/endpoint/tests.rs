//! An endpoint's life by the clock of the test.

use super::*;
use crate::config::{BreakerConfig, RoutingConfig};
use crate::routing::health::Health;
use proptest::prelude::*;

fn endpoint() -> Arc<EndpointHealth> {
    Health::new(&RoutingConfig::default()).endpoint("p", "m")
}

fn fail(endpoint: &Arc<EndpointHealth>, now_ms: u64) {
    endpoint.enter(now_ms).unwrap().failed(Kind::ProviderUnavailable, now_ms);
}

fn succeed(endpoint: &Arc<EndpointHealth>, now_ms: u64) {
    endpoint.enter(now_ms).unwrap().succeeded(Sample::default(), now_ms);
}

fn is_open(endpoint: &EndpointHealth, now_ms: u64) -> bool {
    matches!(endpoint.gate(now_ms), Gate::Open { .. })
}

#[test]
fn one_failure_disables_nothing() {
    let endpoint = endpoint();
    for round in 0..1_000_u64 {
        fail(&endpoint, round * 3_000);
        (0..2).for_each(|_| succeed(&endpoint, round * 3_000));
        assert_eq!(endpoint.gate(round * 3_000), Gate::Closed);
    }
}

#[test]
fn hard_failure_under_load_opens_it_within_a_second() {
    let endpoint = endpoint();
    (0..200).for_each(|_| succeed(&endpoint, 1_000));
    let opened_ms = (1_000..2_000).step_by(10).find(|now_ms| {
        fail(&endpoint, *now_ms);
        is_open(&endpoint, *now_ms)
    });
    assert_eq!(opened_ms, Some(1_040), "the fifth failure");
}

#[test]
fn more_than_half_of_twenty_opens_it_and_half_does_not() {
    for (good, bad, opens) in [(10, 10, false), (9, 11, true), (8, 11, false), (60, 61, true)] {
        let endpoint = endpoint();
        // A success before each failure as long as there are any: never five in a row.
        for index in 0..good.max(bad) {
            let calls = [(index < good, true), (index < bad, false)];
            for (_, is_good) in calls.into_iter().filter(|(is_due, _)| *is_due) {
                if is_good { succeed(&endpoint, 100) } else { fail(&endpoint, 100) }
            }
        }
        assert_eq!(is_open(&endpoint, 100), opens, "{good} good, {bad} bad");
    }
}

#[test]
fn failures_before_it_closed_do_not_open_it_again() {
    let config = BreakerConfig { window_s: 600, ..BreakerConfig::default() };
    let health = Health::new(&RoutingConfig { breaker: config, ..RoutingConfig::default() });
    let endpoint = health.endpoint("p", "m");
    let calls: Vec<Permit> = (0..50).map(|_| endpoint.enter(0).unwrap()).collect();
    for permit in calls {
        permit.failed(Kind::Timeout, 0);
    }
    let probe = endpoint.enter(30_000).unwrap();
    assert!(probe.is_probe());
    probe.succeeded(Sample::default(), 30_000);
    fail(&endpoint, 60_000);
    assert_eq!(endpoint.gate(60_000), Gate::Closed, "50 of 52 failed, one since it closed");
}

#[test]
fn a_probe_is_over_at_its_first_content() {
    let endpoint = endpoint();
    (0..5).for_each(|_| fail(&endpoint, 0));
    assert_eq!(endpoint.gate(29_000), Gate::Open { retry_in_ms: 1_000 });
    assert_eq!(endpoint.gate(30_000), Gate::HalfOpen);
    let mut probe = endpoint.enter(30_000).unwrap();
    assert_eq!(endpoint.gate(30_001), Gate::Open { retry_in_ms: 1_000 });
    assert_eq!(endpoint.enter(30_001).unwrap_err(), RetryIn { ms: 1_000 });
    probe.first_content(31_000);
    assert_eq!(endpoint.gate(31_000), Gate::Closed);
    probe.failed(Kind::Timeout, 32_000);
    (0..3).for_each(|_| fail(&endpoint, 33_000));
    assert_eq!(endpoint.gate(33_000), Gate::Closed);
    fail(&endpoint, 33_000);
    assert!(is_open(&endpoint, 33_000), "the stream that broke later counts");
}

#[test]
fn a_dropped_permit_says_nothing() {
    let endpoint = endpoint();
    (0..100).for_each(|_| drop(endpoint.enter(0).unwrap()));
    (0..100).for_each(|_| endpoint.enter(0).unwrap().neutral());
    assert_eq!(endpoint.stats(0), EndpointStats::default());
    (0..5).for_each(|_| fail(&endpoint, 0));
    drop(endpoint.enter(30_000).unwrap());
    assert_eq!(endpoint.gate(30_000), Gate::HalfOpen, "the probe was given back");
}

#[test]
fn an_outage_is_seen_for_half_a_minute() {
    let cases = [(0, 2, false), (0, 3, true), (3, 3, false), (3, 4, true), (100, 50, false)];
    for (good, bad, expected) in cases {
        let endpoint = endpoint();
        let calls: Vec<Permit> = (0..good + bad).map(|_| endpoint.enter(0).unwrap()).collect();
        for (index, permit) in calls.into_iter().enumerate() {
            if index < good {
                permit.succeeded(Sample::default(), 0);
            } else {
                permit.failed(Kind::Timeout, 0);
            }
        }
        assert_eq!(endpoint.view(29_999).recent_outage, expected, "{good} good, {bad} bad");
        assert!(!endpoint.view(30_000).recent_outage);
    }
}

#[test]
fn uptime_over_three_windows() {
    let endpoint = endpoint();
    let minute_ms = 60_000;
    (0..3).for_each(|_| fail(&endpoint, 0));
    succeed(&endpoint, 0);
    (0..3).for_each(|_| succeed(&endpoint, 20 * minute_ms));
    fail(&endpoint, 21 * minute_ms);
    let stats = endpoint.stats(24 * minute_ms);
    assert_eq!(stats.uptime_last_5m, Some(75.0));
    assert_eq!(stats.uptime_last_30m, Some(50.0));
    assert_eq!(stats.uptime_last_1d, Some(50.0));
    let later = endpoint.stats(31 * minute_ms);
    assert_eq!(later.uptime_last_5m, None);
    assert_eq!(later.uptime_last_30m, Some(75.0));
    assert_eq!(later.uptime_last_1d, Some(50.0));
    assert_eq!(endpoint.stats(25 * 60 * minute_ms).uptime_last_1d, None);
}

#[test]
fn speed_is_told_once_enough_answered() {
    let endpoint = endpoint();
    let answer = |now_ms| {
        let sample =
            Sample { first_token_ms: Some(400), total_ms: 2_400, completion_tokens: Some(100) };
        endpoint.enter(now_ms).unwrap().succeeded(sample, now_ms);
    };
    (0..4).for_each(|_| answer(0));
    assert_eq!(endpoint.view(0).latency_ms, None);
    answer(0);
    assert_eq!(endpoint.view(999).latency_ms, None, "of a moment ago");
    let near = |found: f32, expected: f32| (found / expected - 1.0).abs() < 0.2;
    let view = endpoint.view(1_000);
    assert!(near(view.latency_ms.unwrap().p50, 400.0), "{view:?}");
    assert!(near(view.throughput_tps.unwrap().p99, 50.0), "{view:?}");
    assert_eq!(endpoint.view(400_000).latency_ms, None, "after five minutes");
    let stats = endpoint.stats(400_000);
    assert!(near(stats.latency_last_30m.unwrap().p90, 400.0), "{stats:?}");
    assert_eq!(stats.latency_ewma_ms, Some(400.0));
    assert_eq!(endpoint.stats(2_200_000).throughput_last_30m, None);
}

#[test]
fn short_and_whole_answers_say_what_they_can() {
    let endpoint = endpoint();
    for _ in 0..10 {
        let whole = Sample { first_token_ms: None, total_ms: 1_000, completion_tokens: Some(64) };
        endpoint.enter(0).unwrap().succeeded(whole, 0);
        let short = Sample { first_token_ms: None, total_ms: 9_000, completion_tokens: Some(2) };
        endpoint.enter(0).unwrap().succeeded(short, 0);
    }
    let view = endpoint.view(0);
    assert_eq!(view.latency_ms, None);
    assert!(view.throughput_tps.unwrap().p50 > 50.0);
}

#[test]
fn tool_calls_are_told_once_there_are_enough() {
    let endpoint = endpoint();
    (0..7).for_each(|_| endpoint.note_tool_calls(ToolOutcome::Fine, 0));
    (0..2).for_each(|_| endpoint.note_tool_calls(ToolOutcome::Wrong, 0));
    assert_eq!(endpoint.view(0).tool_errors, None);
    endpoint.note_tool_calls(ToolOutcome::Wrong, 1);
    let expected = ToolErrors { requests: 10, errors: 3 };
    assert_eq!(endpoint.view(299_999).tool_errors, Some(expected));
    assert_eq!(endpoint.view(300_000).tool_errors, None);
}

#[test]
fn many_threads_lose_no_count_and_let_one_probe_pass() {
    let endpoint = endpoint();
    let each = |call: &(dyn Fn() -> usize + Sync)| -> usize {
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(call)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        })
    };
    each(&|| (0..1_000).map(|_| succeed(&endpoint, 5)).count());
    let passed = each(&|| {
        let permits = (0..1_000).filter_map(|_| endpoint.enter(5).ok());
        permits.map(|permit| permit.failed(Kind::Timeout, 5)).count()
    });
    assert!((5..5 + 8).contains(&passed), "{passed}: those that had entered before it opened");
    let stats = endpoint.stats(5);
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let expected = 8_000.0 * 100.0 / (8_000 + passed) as f32;
    assert_eq!(stats.uptime_last_5m, Some(expected));
    let probes = each(&|| {
        let permits: Vec<Permit> = (0..100).filter_map(|_| endpoint.enter(30_005).ok()).collect();
        let probes = permits.len();
        for permit in permits {
            permit.failed(Kind::Timeout, 30_005);
        }
        probes
    });
    assert_eq!(probes, 1, "a failed probe opens it for longer");
}

proptest! {
    /// However calls come and end, in the end it can be called again.
    #[test]
    fn it_always_comes_back(ends in proptest::collection::vec((0_u8..4, 0_u64..20_000), 0..200)) {
        let endpoint = endpoint();
        let mut now_ms = 0;
        for (end, wait_ms) in ends {
            now_ms += wait_ms;
            let Ok(mut permit) = endpoint.enter(now_ms) else { continue };
            match end {
                0 => permit.succeeded(Sample::default(), now_ms),
                1 => permit.failed(Kind::Timeout, now_ms),
                2 => permit.first_content(now_ms),
                _ => permit.neutral(),
            }
        }
        now_ms += 300_000;
        let permit = endpoint.enter(now_ms);
        prop_assert!(permit.is_ok());
        permit.unwrap().succeeded(Sample::default(), now_ms);
        prop_assert_eq!(endpoint.gate(now_ms), Gate::Closed);
    }
}

#[test]
fn so_many_percent_of_the_calls_are_at_least_as_good() {
    let endpoint = endpoint();
    for call in 1..=100 {
        let sample = Sample {
            first_token_ms: Some(call * 10),
            total_ms: call * 10 + 1_000,
            completion_tokens: Some(call * 10),
        };
        endpoint.enter(5).unwrap().succeeded(sample, 5);
    }
    let near = |found: f32, expected: f32| (found / expected - 1.0).abs() <= 0.2;
    let view = endpoint.view(2_000);
    let (latency, throughput) = (view.latency_ms.unwrap(), view.throughput_tps.unwrap());
    assert!(near(latency.p50, 500.0) && near(latency.p90, 900.0), "{latency:?}");
    assert!(near(throughput.p50, 500.0) && near(throughput.p90, 100.0), "{throughput:?}");
    let shown = endpoint.stats(2_000).throughput_last_30m.unwrap();
    assert!(near(shown.p90, 900.0), "the catalogue shows plain percentiles: {shown:?}");
}
