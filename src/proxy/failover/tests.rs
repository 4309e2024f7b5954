//! The decision as a table, and the error that is left when all failed.

use super::*;

const FRESH: Standing = Standing {
    attempts: 1,
    other_key: true,
    other_endpoint: true,
    other_model: true,
    relayed: false,
};
const RULES: FailoverRules =
    FailoverRules { max_attempts: 5, on_context_length: true, on_content_policy: true };

fn failed(kind: Kind) -> GatewayError {
    GatewayError::upstream(kind, "x")
}

fn waiting(kind: Kind, wait_s: u64) -> GatewayError {
    failed(kind).with_retry_after(Some(Duration::from_secs(wait_s)))
}

#[test]
fn what_follows_on_what() {
    let cases = [
        (Retry::Never, FRESH, Next::GiveUp),
        (Retry::SameEndpoint, FRESH, Next::OtherEndpoint),
        (Retry::OtherKey, FRESH, Next::OtherKey),
        (Retry::OtherKey, Standing { other_key: false, ..FRESH }, Next::OtherEndpoint),
        (
            Retry::OtherKey,
            Standing { other_key: false, other_endpoint: false, ..FRESH },
            Next::GiveUp,
        ),
        (Retry::OtherEndpoint, FRESH, Next::OtherEndpoint),
        (Retry::OtherEndpoint, Standing { other_endpoint: false, ..FRESH }, Next::GiveUp),
        (Retry::OtherEndpoint, Standing { attempts: 5, ..FRESH }, Next::GiveUp),
        (Retry::OtherEndpoint, Standing { relayed: true, ..FRESH }, Next::GiveUp),
        (Retry::OtherKey, Standing { relayed: true, ..FRESH }, Next::GiveUp),
    ];
    for (retry, standing, expected) in cases {
        let error = failed(Kind::ProviderUnavailable).with_retry(retry);
        assert_eq!(decide(&error, standing, &RULES), expected, "{retry:?} {standing:?}");
    }
}

#[test]
fn what_a_model_refuses_goes_to_another_model_by_switch_alone() {
    let (length, policy) = (Kind::ContextLengthExceeded, Kind::ContentPolicyViolation);
    let alone = Standing { other_model: false, ..FRESH };
    let cases = [
        (length, FRESH, RULES, Next::OtherModel),
        (policy, FRESH, RULES, Next::OtherModel),
        (length, alone, RULES, Next::GiveUp),
        (length, FRESH, FailoverRules { on_context_length: false, ..RULES }, Next::GiveUp),
        (policy, FRESH, FailoverRules { on_context_length: false, ..RULES }, Next::OtherModel),
        (policy, FRESH, FailoverRules { on_content_policy: false, ..RULES }, Next::GiveUp),
    ];
    for (kind, standing, rules, expected) in cases {
        let error = failed(kind).with_retry(Retry::OtherModel);
        assert_eq!(decide(&error, standing, &rules), expected, "{kind:?} {rules:?}");
    }
}

#[test]
fn the_last_attempt_speaks_for_all() {
    use Kind::{ProviderOverloaded as Overloaded, ProviderUnavailable as Gone};
    let limited = |wait_s| waiting(Kind::RateLimitExceeded, wait_s);
    let cases = [
        (vec![failed(Gone), limited(7)], Kind::RateLimitExceeded, Some(7)),
        (vec![limited(7), failed(Gone)], Gone, None),
        (vec![limited(7), limited(3), limited(9)], Kind::RateLimitExceeded, Some(3)),
        (vec![limited(7), failed(Kind::RateLimitExceeded)], Kind::RateLimitExceeded, Some(7)),
        (vec![limited(2), waiting(Overloaded, 9)], Overloaded, Some(2)),
    ];
    for (attempts, kind, wait_s) in cases {
        let mut failures = Failures::default();
        failures.note_passed_over(waiting(Overloaded, 1));
        for error in attempts {
            failures.note_attempt(error);
        }
        failures.note_passed_over(waiting(Overloaded, 1));
        let error = failures.verdict();
        assert_eq!((error.kind, error.retry_after), (kind, wait_s.map(Duration::from_secs)));
    }
}

#[test]
fn where_nobody_was_asked_the_shortest_wait_is_told() {
    let mut failures = Failures::default();
    failures.note_passed_over(waiting(Kind::RateLimitExceeded, 9));
    assert!(!failures.has_attempt());
    failures.note_passed_over(waiting(Kind::ProviderOverloaded, 30));
    failures.note_passed_over(failed(Kind::ProviderOverloaded));
    let error = failures.verdict();
    assert_eq!(error.kind, Kind::ProviderOverloaded, "not all of them are limits of a rate");
    assert_eq!(error.retry_after, Some(Duration::from_secs(9)));
    assert_eq!(Failures::default().verdict().kind, Kind::Server);
}
