//! Entries are applied exactly once, whatever is repeated and whoever dies; sums are exact.

use super::*;
use std::collections::BTreeSet;

const DAY_MS: i64 = 86_400_000;

async fn a_request_comes_back_as_it_was(fresh: Fresh) {
    let store = fresh.store;
    let mut failed = Generation::example("gen-2");
    failed.outcome = Outcome::Failed;
    failed.upstream_id = None;
    failed.first_token_ms = None;
    failed.usage = crate::chat::Usage::default();
    failed.error = Some("rate_limit_exceeded".to_owned());
    failed.is_byok = true;
    failed.service_tier = Some("flex".to_owned());
    let both = [Generation::example("gen-1"), failed];
    assert_eq!(store.applied(&settled(&both)).await, 2);
    for expected in both {
        assert_eq!(store.generation(&expected.id).await.unwrap(), Some(expected));
    }
    assert_eq!(store.generation("gen-3").await.unwrap(), None);
}

async fn a_request_counts_once_however_often_it_is_applied(fresh: Fresh) {
    let store = fresh.store;
    let rows = [Generation::example("a"), Generation::example("b"), Generation::example("a")];
    assert_eq!(store.apply(&settled(&rows), "p", "s", 10).await.unwrap(), 2);
    assert_eq!(store.apply(&settled(&rows), "p", "s", 5).await.unwrap(), 0);
    let totals = store.key_totals(0).await.unwrap();
    assert_eq!((totals[0].requests, totals[0].prompt_tokens), (2, 28));
    assert_eq!(store.journal_segments().await.unwrap(), [("s".to_owned(), 10)]);
    store.forget_journal_segment("s").await.unwrap();
    assert!(store.journal_segments().await.unwrap().is_empty());
}

/// Rows go in many to a statement; what is counted must not depend on which of them are new.
async fn full_statements_count_only_new_rows(fresh: Fresh) {
    for (round, there_before) in [0..0, 0..32, 5..6, 31..40, 66..70, 0..70].into_iter().enumerate()
    {
        let rows: Vec<_> = (0..70)
            .map(|at| Generation {
                key_hash: format!("key-{round}"),
                ..Generation::example(&format!("gen-{round}-{at}"))
            })
            .collect();
        let before = u64::try_from(there_before.len()).unwrap();
        assert_eq!(fresh.store.applied(&settled(&rows[there_before.clone()])).await, before);
        let added = fresh.store.applied(&settled(&rows)).await;
        assert_eq!(added, 70 - before, "{there_before:?}");
        let sums = fresh.store.key_sums_of(&format!("key-{round}"), 0).await.unwrap();
        assert_eq!(sums.requests, 70, "{there_before:?}");
        for row in &rows {
            assert_eq!(fresh.store.generation(&row.id).await.unwrap().as_ref(), Some(row));
        }
    }
}

async fn sums_are_exact_across_whole_dollars_and_days(fresh: Fresh) {
    let store = fresh.store;
    let mut expected = 0;
    for (at, pico) in [999_999_999_999, 1, 2_500_000_000_003, 4_000_000_000_000_000_000, 7]
        .into_iter()
        .cycle()
        .take(40)
        .enumerate()
    {
        let day = i64::try_from(at % 3).unwrap();
        expected += pico;
        let row = request(&format!("gen-{at}"), 1_790_000_000_123 + day * DAY_MS, pico);
        store.applied(&settled(&[row])).await;
    }
    let totals = store.key_totals(0).await.unwrap();
    assert_eq!((totals[0].cost_pico_usd.pico(), totals[0].requests), (expected, 40));
    let second_day = 1_790_000_000_123 + DAY_MS;
    assert_eq!(store.key_totals(second_day).await.unwrap()[0].requests, 13 + 13);
    assert_eq!(store.account_usage().await.unwrap().pico(), expected);
}

async fn sums_of_a_key_are_apart_by_period_and_contract(fresh: Fresh) {
    let store = fresh.store;
    let now = at("2026-11-25T12:00:00Z");
    let mut rows = Vec::new();
    for (number, (time, pico)) in [
        ("2026-11-25T00:00:00Z", 1),
        ("2026-11-24T23:59:59.999Z", 10),
        ("2026-11-23T00:00:00Z", 100),
        ("2026-11-22T23:59:59.999Z", 1000),
        ("2026-11-01T00:00:00Z", 10_000),
        ("2026-10-31T23:59:59.999Z", 100_000),
    ]
    .into_iter()
    .enumerate()
    {
        let row = request(&format!("own-{number}"), at(time), pico);
        let byok = Generation {
            is_byok: true,
            cost_pico_usd: PicoUsd::from_pico(pico * 2),
            ..request(&format!("byok-{number}"), at(time), 0)
        };
        let other = Generation {
            key_hash: "other".to_owned(),
            model: "m".to_owned(),
            ..request(&format!("other-{number}"), at(time), 7)
        };
        rows.extend([row, byok, other]);
    }
    store.applied(&settled(&rows)).await;
    let spent = |pico: i128| Spent {
        cost_pico_usd: PicoUsd::from_pico(pico),
        byok_cost_pico_usd: PicoUsd::from_pico(pico * 2),
    };
    let expected = KeySums {
        all_time: spent(111_111),
        day: spent(1),
        week: spent(111),
        month: spent(11_111),
        requests: 12,
        prompt_tokens: 12 * 14,
        completion_tokens: 12 * 6,
        last_used_ms: Some(at("2026-11-25T00:00:00Z")),
    };
    let all = store.key_sums(now).await.unwrap();
    assert_eq!(all.get("9f86d0"), Some(&expected));
    assert_eq!(all.get("other").unwrap().month.cost_pico_usd.pico(), 35);
    assert_eq!(store.key_sums_of("9f86d0", now).await.unwrap(), expected);
    assert_eq!(store.key_sums_of("nobody", now).await.unwrap(), KeySums::default());
    assert_eq!(store.account_usage().await.unwrap().pico(), 111_111 + 42);
}

async fn an_open_request_is_posted_when_its_process_is_dead(fresh: Fresh) {
    let store = fresh.store;
    let open: Vec<_> = (0..50).map(|at| opened(&format!("gen-{at:02}"))).collect();
    assert_eq!(store.apply(&open, "dead", "s", 1).await.unwrap(), 0);
    assert_eq!(store.apply(&[opened("alive")], "alive", "s", 2).await.unwrap(), 0);
    assert_eq!(store.number("SELECT COUNT(*) FROM generations").await, 0);
    assert_eq!(store.processes_with_open_requests().await.unwrap(), ["alive", "dead"]);
    let settles = settled(&[Generation::example("gen-03"), Generation::example("gen-40")]);
    assert_eq!(store.apply(&settles, "dead", "s", 3).await.unwrap(), 2);

    assert_eq!(store.abandon("dead").await.unwrap(), 48);
    assert_eq!(store.abandon("dead").await.unwrap(), 0);
    assert_eq!(store.processes_with_open_requests().await.unwrap(), ["alive"]);
    let found = store.generation("gen-00").await.unwrap().unwrap();
    assert_eq!(Entry::Open(found), opened("gen-00"));
    let found = store.generation("gen-03").await.unwrap().unwrap();
    assert_eq!(found, Generation::example("gen-03"));
    let sums = store.key_sums_of("9f86d0", 0).await.unwrap();
    assert_eq!((sums.requests, sums.prompt_tokens), (50, 700));
    assert_eq!(sums.all_time.cost_pico_usd.pico(), 50 * 132_000_000);
}

/// A journal that comes back is applied again, in batches that are cut elsewhere.
async fn a_beginning_that_is_applied_after_the_end_opens_nothing(fresh: Fresh) {
    let store = fresh.store;
    let both = [opened("a"), Entry::Settle(Generation::example("a"))];
    assert_eq!(store.applied(&both).await, 1);
    assert_eq!(store.applied(&both[..1]).await, 0);
    assert!(store.processes_with_open_requests().await.unwrap().is_empty());
    // Its end is in the batch that has its beginning a second time.
    assert_eq!(store.applied(&[opened("b"), opened("b")]).await, 0);
    assert_eq!(store.applied(&[opened("b"), Entry::Settle(Generation::example("b"))]).await, 1);
    assert!(store.processes_with_open_requests().await.unwrap().is_empty());
}

/// Two gateways may clean up after a third.
async fn many_may_abandon_at_once(fresh: Fresh) {
    let open: Vec<_> = (0..100).map(|at| opened(&format!("gen-{at:02}"))).collect();
    fresh.store.apply(&open, "dead", "s", 1).await.unwrap();
    let other = fresh.other().await;
    let abandoned = futures::future::join_all((0..4).map(|at| {
        let store = if at % 2 == 0 { &fresh.store } else { &other };
        async move { store.abandon("dead").await.unwrap() }
    }))
    .await;
    assert_eq!(abandoned.iter().sum::<u64>(), 100);
    assert_eq!(fresh.store.key_sums_of("9f86d0", 0).await.unwrap().requests, 100);
}

/// Gateways that share a database write sums of the same keys, days and models.
async fn many_may_apply_at_once(fresh: Fresh) {
    let work = (0..4).map(|writer| {
        let url = fresh.url.clone();
        async move {
            let store = Store::open(&url).await.unwrap();
            for round in 0..8 {
                let rows: Vec<_> = (0..40_i64)
                    .map(|at| {
                        let mut row = request(&format!("{writer}-{round}-{at}"), 0, 999_999);
                        // Each writer meets the rows of the sums in another order.
                        let at = if writer % 2 == 0 { at } else { 39 - at };
                        row.key_hash = format!("key-{}", at % 7);
                        row.created_ms = at % 3 * DAY_MS;
                        row
                    })
                    .collect();
                let segment = format!("segment-{writer}");
                assert_eq!(store.apply(&settled(&rows), "p", &segment, 1).await.unwrap(), 40);
            }
        }
    });
    futures::future::join_all(work).await;
    let sums = fresh.store.key_sums(0).await.unwrap();
    assert_eq!(sums.values().map(|sums| sums.requests).sum::<u64>(), 4 * 8 * 40);
    assert_eq!(fresh.store.account_usage().await.unwrap().pico(), 4 * 8 * 40 * 999_999);
    let names: BTreeSet<_> = sums.keys().cloned().collect();
    assert_eq!(names.len(), 7);
}

on_both_databases!(
    a_request_comes_back_as_it_was,
    a_request_counts_once_however_often_it_is_applied,
    full_statements_count_only_new_rows,
    sums_are_exact_across_whole_dollars_and_days,
    sums_of_a_key_are_apart_by_period_and_contract,
    an_open_request_is_posted_when_its_process_is_dead,
    a_beginning_that_is_applied_after_the_end_opens_nothing,
    many_may_abandon_at_once,
    many_may_apply_at_once,
);
