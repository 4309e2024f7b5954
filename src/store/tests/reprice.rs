//! Re-priced requests and their sums agree to the last digit.

use super::*;

fn repricing(id: &str, old_version: &str, pico: i128) -> Repricing {
    Repricing {
        id: id.to_owned(),
        old_version: old_version.to_owned(),
        new_version: "2".to_owned(),
        cost_pico_usd: PicoUsd::from_pico(pico),
        prompt_cost_pico_usd: PicoUsd::from_pico(pico / 3),
        completion_cost_pico_usd: PicoUsd::from_pico(pico - pico / 3),
    }
}

async fn new_costs_change_rows_and_sums_alike(fresh: Fresh) {
    let store = fresh.store;
    let rows: Vec<_> = (0..40)
        .map(|at| {
            let mut row = request(&format!("gen-{at:02}"), i64::from(at % 3) * 86_400_000, 0);
            row.cost_pico_usd = PicoUsd::from_pico(1_500_000 + i128::from(at));
            row.key_hash = format!("key-{}", at % 2);
            row.is_byok = at % 5 == 0;
            row
        })
        .collect();
    store.applied(&settled(&rows)).await;
    // Dearer and cheaper ones, by less and by more than a micro-USD; one that is not there.
    let mut repricings: Vec<_> = (0..30)
        .map(|at| repricing(&format!("gen-{at:02}"), "1", i128::from(at) * 150_000 + 1))
        .collect();
    repricings.push(repricing("nobody", "1", 5));
    assert_eq!(store.reprice(&repricings).await.unwrap(), 30);
    // They have another version now, so a second run does nothing.
    assert_eq!(store.reprice(&repricings).await.unwrap(), 0);

    let mut rows = store.usage_page(&UsageFilter::default(), None, 100).await.unwrap();
    rows.sort_by(|a, b| a.id.cmp(&b.id));
    let mut expected = std::collections::BTreeMap::<_, i128>::new();
    for row in &rows {
        *expected.entry((row.key_hash.clone(), row.is_byok)).or_default() +=
            row.cost_pico_usd.pico();
    }
    for (at, row) in (0..).zip(&rows).take(30) {
        assert_eq!((row.price_version.as_str(), row.cost_pico_usd.pico()), ("2", at * 150_000 + 1));
        let parts = row.prompt_cost_pico_usd.saturating_add(row.completion_cost_pico_usd);
        assert_eq!(parts, row.cost_pico_usd);
    }
    assert_eq!(rows.iter().filter(|row| row.price_version == "1").count(), 10);
    for (key_hash, sums) in store.key_sums(0).await.unwrap() {
        let spent = sums.all_time;
        assert_eq!(spent.cost_pico_usd.pico(), expected[&(key_hash.clone(), false)]);
        assert_eq!(spent.byok_cost_pico_usd.pico(), expected[&(key_hash, true)]);
        assert_eq!((sums.requests, sums.last_used_ms), (20, Some(2 * 86_400_000)));
    }
}

on_both_databases!(new_costs_change_rows_and_sums_alike);
