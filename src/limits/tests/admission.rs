//! The gate of a request: all or nothing over key, model, free variants and account.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use proptest::prelude::*;

use super::at;
use crate::clock::Clock;
use crate::config::{BudgetMode, LimitReset, RateLimit};
use crate::limits::{
    Ask, KeyMeter, KeyPolicy, Meters, Monotonic, Payer, RateKind, Refusal, SteadyClock, Subject,
    Terms,
};
use crate::money::PicoUsd;

const POLICY: KeyPolicy = KeyPolicy {
    rate_limit: RateLimit {
        requests_per_minute: None,
        requests_per_day: None,
        tokens_per_minute: None,
        concurrent: None,
    },
    limit: None,
    limit_reset: LimitReset::Daily,
    budget_mode: BudgetMode::Estimate,
    include_byok_in_limit: false,
};

fn pico(amount: i128) -> PicoUsd {
    PicoUsd::from_pico(amount)
}

fn ask(hold: i128) -> Ask<'static> {
    Ask {
        tokens_estimate: 10,
        hold: pico(hold),
        payer: Payer::Account,
        is_free_variant: false,
        model: None,
    }
}

/// Counters whose time a test moves, and those of one key.
struct Rig {
    now_ms: Arc<AtomicI64>,
    meters: Meters,
    key: Arc<KeyMeter>,
}

impl Rig {
    fn new() -> Self {
        let start_ms = i64::try_from(at("2024-02-29T23:58:30Z")).unwrap() * 1000;
        let now_ms = Arc::new(AtomicI64::new(start_ms));
        let clock = SteadyClock::with_monotonic(
            Clock::Manual(Arc::clone(&now_ms)),
            Monotonic::Manual(Arc::clone(&now_ms)),
        );
        let meters = Meters::new(clock);
        let key = meters.key(&[7; 32], LimitReset::Daily);
        Self { now_ms, meters, key }
    }

    fn prepaid(credits: i128) -> Self {
        let rig = Self::new();
        rig.meters.account().set_terms(Terms::Prepaid);
        rig.meters.account().grant(pico(credits));
        rig
    }

    fn pass(&self, seconds: i64) {
        self.now_ms.fetch_add(seconds * 1000, Ordering::Relaxed);
    }

    fn admit(
        &self,
        policy: &KeyPolicy,
        ask: &Ask<'_>,
    ) -> Result<crate::limits::Admission, Refusal> {
        self.meters.admit(&self.key, policy, ask)
    }

    /// Spent and held by the key, then by the account.
    fn money(&self) -> [i128; 4] {
        let (key, account) = (&self.key.spend, self.meters.account());
        [key.spent(self.meters.now_s()), key.held(), account.spent(), account.held()]
            .map(PicoUsd::pico)
    }

    /// Everything that can be consumed, to compare before and after.
    fn state(&self, model: &crate::limits::RateMeter) -> String {
        let now_s = self.meters.now_s();
        let all = RateLimit {
            requests_per_minute: Some(1_000),
            requests_per_day: Some(1_000_000),
            tokens_per_minute: Some(100_000),
            concurrent: None,
        };
        let rates = [&*self.key.rates, model, self.meters.free()]
            .map(|meter| (meter.standing(&all, now_s), meter.running()));
        format!("{:?} {rates:?}", self.money())
    }
}

#[test]
fn a_request_is_charged_to_key_and_account() {
    let rig = Rig::prepaid(100);
    let policy = KeyPolicy { limit: Some(pico(50)), ..POLICY };
    let one = rig.admit(&policy, &ask(30)).unwrap();
    assert_eq!(rig.money(), [0, 30, 0, 30]);
    one.settle(12, pico(7), Payer::Account);
    assert_eq!(rig.money(), [7, 0, 7, 0]);
    drop(rig.admit(&policy, &ask(43)).unwrap());
    rig.admit(&policy, &ask(43)).unwrap().undo();
    assert_eq!(rig.money(), [7, 0, 7, 0]);
    assert_eq!(rig.meters.account().balance(), pico(93));
}

#[test]
fn a_second_call_holds_money_and_takes_no_place() {
    let rig = Rig::prepaid(100);
    let one_at_a_time =
        RateLimit { requests_per_minute: Some(1), concurrent: Some(1), ..POLICY.rate_limit };
    let policy = KeyPolicy { limit: Some(pico(50)), rate_limit: one_at_a_time, ..POLICY };
    let first = rig.admit(&policy, &ask(30)).unwrap();
    assert!(rig.admit(&policy, &ask(1)).is_err(), "the rate is reached");
    let again = |hold| rig.meters.admit_again(&rig.key, &policy, (pico(hold), Payer::Account));
    assert!(matches!(again(21), Err(Refusal::KeyBudget { held_only: true, .. })));
    let second = again(20).unwrap();
    assert_eq!(rig.money(), [0, 50, 0, 50]);
    second.settle(5, pico(3), Payer::Account);
    first.settle(5, pico(4), Payer::Account);
    assert_eq!(rig.money(), [7, 0, 7, 0]);
}

#[test]
fn refusals_say_what_an_answer_needs() {
    let rig = Rig::prepaid(100);
    let policy = KeyPolicy { limit: Some(pico(50)), ..POLICY };
    let held = rig.admit(&policy, &ask(45)).unwrap();
    let midnight = Some(at("2024-03-01T00:00:00Z"));
    let refused = |spent, held_only| Refusal::KeyBudget {
        limit: pico(50),
        spent: pico(spent),
        held_only,
        reset_s: midnight,
    };
    let in_flight = rig.admit(&policy, &ask(6)).unwrap_err();
    assert_eq!((in_flight, in_flight.retry_after_s()), (refused(0, true), Some(1)));
    let too_much = rig.admit(&policy, &ask(51)).unwrap_err();
    assert_eq!((too_much, too_much.retry_after_s()), (refused(0, false), None));
    let of_account = rig.admit(&POLICY, &ask(56)).unwrap_err();
    let expected = Refusal::AccountBudget { balance: pico(100), held_only: true };
    assert_eq!((of_account, of_account.retry_after_s()), (expected, Some(1)));
    held.settle(1, pico(50), Payer::Account);
    assert_eq!(rig.admit(&policy, &ask(0)).unwrap_err(), refused(50, false));
    let of_account = rig.admit(&POLICY, &ask(56)).unwrap_err();
    let expected = Refusal::AccountBudget { balance: pico(50), held_only: false };
    assert_eq!((of_account, of_account.retry_after_s()), (expected, None));
    // A new day for the key.
    rig.pass(90);
    assert!(rig.admit(&policy, &ask(50)).is_ok());
}

#[test]
fn rate_refusals_name_the_subject_and_the_wait() {
    let rig = Rig::new();
    let per_minute = RateLimit { requests_per_minute: Some(1), ..RateLimit::default() };
    let concurrent = RateLimit { concurrent: Some(1), ..RateLimit::default() };
    let policy = KeyPolicy { rate_limit: per_minute, ..POLICY };
    let first = rig.admit(&policy, &ask(0)).unwrap();
    assert_eq!(first.standing().map(|standing| (standing.limit, standing.remaining)), Some((1, 0)));
    let Refusal::Rate { whose, what, standing, retry_after_s } =
        rig.admit(&policy, &ask(0)).unwrap_err()
    else {
        panic!("not of the rate");
    };
    assert_eq!((whose, what), (Subject::Key, RateKind::RequestsPerMinute));
    assert_eq!((standing.reset_s, retry_after_s), (at("2024-02-29T23:59:00Z"), 30));
    rig.pass(30);
    let again = rig.admit(&policy, &ask(0)).unwrap();
    drop((first, again));
    let model = rig.meters.model("openai/gpt");
    let ask = Ask { model: Some((&model, concurrent)), ..ask(0) };
    let running = rig.admit(&POLICY, &ask).unwrap();
    let refused = rig.admit(&POLICY, &ask).unwrap_err();
    assert_eq!(refused, Refusal::Concurrent { whose: Subject::Model, limit: 1 });
    assert_eq!(refused.retry_after_s(), Some(1));
    drop(running);
    assert!(rig.admit(&POLICY, &ask).is_ok());
}

#[test]
fn a_negative_balance_refuses_even_what_is_free() {
    let rig = Rig::prepaid(10);
    let free = Ask { is_free_variant: true, ..ask(0) };
    rig.admit(&POLICY, &ask(10)).unwrap().settle(1, pico(10), Payer::Account);
    drop(rig.admit(&POLICY, &free).unwrap());
    drop(rig.admit(&POLICY, &Ask { payer: Payer::Byok, ..ask(99) }).unwrap());
    assert!(rig.admit(&POLICY, &ask(1)).is_err());
    rig.meters.account().raise_spent_to(pico(11));
    let refused = Refusal::AccountBudget { balance: pico(-1), held_only: false };
    assert_eq!(rig.admit(&POLICY, &free).unwrap_err(), refused);
    assert_eq!(rig.admit(&POLICY, &Ask { payer: Payer::Byok, ..ask(0) }).unwrap_err(), refused);
    rig.meters.account().grant(pico(1));
    drop(rig.admit(&POLICY, &free).unwrap());
    // Postpaid is not checked, but counted.
    rig.meters.account().set_terms(Terms::Postpaid);
    rig.admit(&POLICY, &ask(1_000)).unwrap().settle(1, pico(1_000), Payer::Account);
    assert_eq!(rig.meters.account().balance(), pico(-1_000));
}

#[test]
fn byok_costs_the_key_only_if_it_is_included() {
    for (include_byok_in_limit, payer, expected) in [
        (false, Payer::Account, [9, 9]),
        (true, Payer::Account, [9, 9]),
        (false, Payer::Byok, [0, 0]),
        (true, Payer::Byok, [9, 0]),
    ] {
        let rig = Rig::prepaid(100);
        let policy = KeyPolicy { limit: Some(pico(20)), include_byok_in_limit, ..POLICY };
        let admitted = rig.admit(&policy, &Ask { payer, ..ask(15) }).unwrap();
        let [of_key, of_account] = expected.map(|spent| if spent == 0 { 0 } else { 15 });
        assert_eq!(rig.money(), [0, of_key, 0, of_account]);
        admitted.settle(1, pico(9), payer);
        assert_eq!(rig.money(), [expected[0], 0, expected[1], 0]);
        // Held for the account, in the end served on a key of the caller's own.
        let admitted = rig.admit(&policy, &ask(11)).unwrap();
        admitted.settle(1, pico(5), Payer::Byok);
        let more = if include_byok_in_limit { 5 } else { 0 };
        assert_eq!(rig.money(), [expected[0] + more, 0, expected[1], 0]);
    }
}

#[test]
fn free_variants_are_limited_for_all_keys_together() {
    let free = Ask { is_free_variant: true, ..ask(0) };
    for (credits, terms, per_day) in [
        (0, Terms::Prepaid, 50),
        (5 * PicoUsd::PER_USD - 1, Terms::Prepaid, 50),
        (5 * PicoUsd::PER_USD, Terms::Prepaid, 1_000),
        (0, Terms::Postpaid, 1_000),
    ] {
        let rig = Rig::prepaid(credits);
        rig.meters.account().set_terms(terms);
        rig.pass(90);
        let keys = [[1; 32], [2; 32]].map(|hash| rig.meters.key(&hash, LimitReset::Never));
        let mut admitted = 0;
        for minute in 0..60 {
            let in_minute = (0..30)
                .filter(|index| rig.meters.admit(&keys[index % 2], &POLICY, &free).is_ok())
                .count();
            assert_eq!(in_minute, 20.min(per_day - admitted), "minute {minute}");
            admitted += in_minute;
            rig.pass(60);
        }
        assert_eq!(admitted, per_day);
        assert!(rig.meters.admit(&keys[0], &POLICY, &ask(0)).is_ok());
    }
}

#[test]
fn counters_outlive_their_key_while_it_is_used() {
    let rig = Rig::new();
    let hash = [9; 32];
    let policy = KeyPolicy { limit: Some(pico(5)), ..POLICY };
    let first = rig.meters.key(&hash, LimitReset::Daily);
    rig.meters.admit(&first, &policy, &ask(5)).unwrap().settle(1, pico(5), Payer::Account);
    // A reload finds them again.
    drop(first);
    let second = rig.meters.key(&hash, LimitReset::Daily);
    let running = rig.meters.admit(&second, &POLICY, &ask(0)).unwrap();
    assert!(rig.meters.admit(&second, &policy, &ask(0)).is_err());
    drop(second);
    rig.meters.prune(|_| false);
    assert_eq!(rig.meters.key_count(), 2, "a request runs, and the rig holds its key");
    drop(running);
    rig.meters.prune(|known| *known == hash);
    assert_eq!(rig.meters.key_count(), 2);
    rig.meters.prune(|_| false);
    assert_eq!(rig.meters.keys().first().map(|(hash, _)| *hash), Some([7; 32]));
}

#[test]
fn models_beyond_the_bound_share_their_counters() {
    let rig = Rig::new();
    let first = rig.meters.model("model-0");
    for index in 1..10_000 {
        rig.meters.model(&format!("model-{index}"));
    }
    let [one, other] = ["further", "more"].map(|name| rig.meters.model(name));
    assert!(Arc::ptr_eq(&one, &other) && !Arc::ptr_eq(&one, &first));
    assert!(Arc::ptr_eq(&first, &rig.meters.model("model-0")));
}

/// Keys that share an account: together they spend what it has, not a pico-USD more.
#[test]
fn an_account_is_shared_exactly() {
    for _ in 0..50 {
        let rig = Rig::prepaid(1_003);
        let admitted = AtomicU64::new(0);
        let policy = KeyPolicy { limit: Some(pico(400)), ..POLICY };
        std::thread::scope(|scope| {
            for thread in 0..4u8 {
                let (rig, admitted) = (&rig, &admitted);
                let key = rig.meters.key(&[thread; 32], LimitReset::Daily);
                scope.spawn(move || {
                    for _ in 0..100 {
                        let Ok(one) = rig.meters.admit(&key, &policy, &ask(10)) else { continue };
                        admitted.fetch_add(1, Ordering::Relaxed);
                        one.settle(1, pico(10), Payer::Account);
                    }
                });
            }
        });
        assert_eq!(admitted.into_inner(), 100);
        assert_eq!(rig.meters.account().balance(), pico(3));
        let of_keys = rig
            .meters
            .keys()
            .iter()
            .map(|(_, key)| key.spend.spent(at("2024-02-29T23:58:30Z")).pico())
            .sum::<i128>();
        assert_eq!(of_keys, 1_000);
    }
}

/// Keys that race for the last place of a model: who loses stays uncounted at its own key.
#[test]
fn a_race_lost_at_the_model_consumes_nothing_of_the_key() {
    let per_minute = RateLimit { requests_per_minute: Some(1_000), ..RateLimit::default() };
    let of_model = RateLimit { requests_per_minute: Some(100), ..RateLimit::default() };
    let policy = KeyPolicy { rate_limit: per_minute, ..POLICY };
    for round in 0..100 {
        let rig = Rig::new();
        let model = rig.meters.model("m");
        let barrier = std::sync::Barrier::new(4);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let ask = Ask { model: Some((&model, of_model)), ..ask(1) };
                    barrier.wait();
                    (0..40).for_each(|_| drop(rig.admit(&policy, &ask)));
                });
            }
        });
        let standing = rig.key.rates.standing(&per_minute, rig.meters.now_s()).unwrap();
        assert_eq!(standing.remaining, 900, "round {round}");
        assert_eq!(rig.money(), [0; 4]);
    }
}

proptest! {
    /// Whatever the limits, a refusal leaves every counter as it was, and all ends together leave
    /// nothing held.
    #[test]
    fn a_refusal_changes_nothing(
        limits in prop::array::uniform8(prop::option::of(0u64..6)),
        asks in prop::collection::vec((0u64..40, 0i128..40, 0u8..3, any::<[bool; 3]>()), 1..40),
        credits in 0i128..300,
        spend_limit in prop::option::of(0i128..200),
    ) {
        let rig = Rig::prepaid(credits);
        let rate = |from: usize| RateLimit {
            requests_per_minute: limits[from],
            requests_per_day: limits[from + 1],
            tokens_per_minute: limits[from + 2].map(|limit| limit * 20),
            concurrent: limits[from + 3],
        };
        let model = rig.meters.model("m");
        let policy =
            KeyPolicy { rate_limit: rate(0), limit: spend_limit.map(pico), include_byok_in_limit: true, ..POLICY };
        let mut open = Vec::new();
        for (tokens_estimate, hold, end, [is_free_variant, byok, of_model]) in asks {
            let payer = if byok { Payer::Byok } else { Payer::Account };
            let model_limit = of_model.then_some((&model, rate(4)));
            let ask = Ask { tokens_estimate, hold: pico(hold), payer, is_free_variant, model: model_limit };
            let before = rig.state(&model);
            match (rig.admit(&policy, &ask), end) {
                (Err(_), _) => prop_assert_eq!(rig.state(&model), before),
                (Ok(one), 0) => { one.undo(); prop_assert_eq!(rig.state(&model), before); }
                (Ok(one), 1) => one.settle(tokens_estimate + 3, pico(hold + 2), payer),
                (Ok(one), _) => open.push(one),
            }
        }
        drop(open);
        let money = rig.money();
        prop_assert_eq!((money[1], money[3]), (0, 0));
        prop_assert_eq!((rig.key.rates.running(), model.running(), rig.meters.free().running()), (0, 0, 0));
    }
}
