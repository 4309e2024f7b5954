//! Lists of requests, and what is left when they are deleted.

use super::*;

async fn pages_hold_every_request_once_in_order_of_time(fresh: Fresh) {
    let store = fresh.store;
    let rows: Vec<_> =
        (0..25_i64).map(|at| request(&format!("gen-{at:02}"), 1000 + at / 4, 1)).collect();
    store.applied(&settled(&rows)).await;
    let filter = UsageFilter { from_ms: Some(1001), to_ms: Some(1006), ..UsageFilter::default() };
    let (mut found, mut mark) = (Vec::new(), None);
    loop {
        let page = store.usage_page(&filter, mark.as_ref(), 3).await.unwrap();
        let Some(last) = page.last() else { break };
        mark = Some(PageMark::after(last));
        found.extend(page);
    }
    assert_eq!(found, rows[4..24]);
}

async fn a_filter_lets_through_what_it_names(fresh: Fresh) {
    let store = fresh.store;
    let other = Generation {
        key_hash: "other".to_owned(),
        model: "openai/m".to_owned(),
        provider: "openai".to_owned(),
        user: None,
        ..request("gen-2", 2000, 1)
    };
    let first = request("gen-1", 1000, 1);
    store.applied(&settled(&[first.clone(), other.clone()])).await;
    let none = UsageFilter::default();
    for (filter, expected) in [
        (UsageFilter { key_hash: Some("other".to_owned()), ..none.clone() }, Some(&other)),
        (UsageFilter { model: Some("openai/m".to_owned()), ..none.clone() }, Some(&other)),
        (UsageFilter { provider: Some("openai".to_owned()), ..none.clone() }, Some(&other)),
        (UsageFilter { end_user: first.user.clone(), ..none.clone() }, Some(&first)),
        (UsageFilter { end_user: Some(String::new()), ..none.clone() }, None),
    ] {
        let found = store.usage_page(&filter, None, 10).await.unwrap();
        assert_eq!(found.iter().collect::<Vec<_>>(), Vec::from_iter(expected), "{filter:?}");
    }
}

async fn records_of_a_user_are_those_of_one_key_newest_first(fresh: Fresh) {
    let store = fresh.store;
    let rows: Vec<_> = (0..9)
        .map(|at| {
            let mut row = request(&format!("gen-{at}"), 1000 + i64::from(at), 1);
            row.user = (at % 3 < 2).then(|| format!("user-{}", at % 3));
            row.key_hash = if at == 3 { "other" } else { "mine" }.to_owned();
            row
        })
        .collect();
    store.applied(&settled(&rows)).await;
    let found = store.usage_records_of_user("mine", "user-0", 5).await.unwrap();
    assert_eq!(found, [rows[6].clone(), rows[0].clone()]);
    assert_eq!(store.usage_records_of_user("mine", "user-1", 1).await.unwrap(), [rows[7].clone()]);
    assert!(store.usage_records_of_user("mine", "", 5).await.unwrap().is_empty());
}

async fn deleting_records_leaves_the_sums(fresh: Fresh) {
    let store = fresh.store;
    let rows: Vec<_> = (0..10).map(|at| request(&format!("gen-{at}"), i64::from(at), 3)).collect();
    store.applied(&settled(&rows)).await;
    let sums = store.key_sums(0).await.unwrap();
    assert_eq!(store.delete_generations_before(7, 5).await.unwrap(), 5);
    assert_eq!(store.delete_generations_before(7, 5).await.unwrap(), 2);
    assert_eq!(store.delete_generations_before(7, 5).await.unwrap(), 0);
    let left = store.usage_page(&UsageFilter::default(), None, 99).await.unwrap();
    assert_eq!(left, rows[7..]);
    assert_eq!(store.key_sums(0).await.unwrap(), sums);
    let summary = store.usage_summary(&UsageFilter::default()).await.unwrap();
    assert_eq!(summary.total.cost_pico_usd.pico(), 30);
}

on_both_databases!(
    pages_hold_every_request_once_in_order_of_time,
    a_filter_lets_through_what_it_names,
    records_of_a_user_are_those_of_one_key_newest_first,
    deleting_records_leaves_the_sums,
);
