//! What moves the account's money: exact, complete and in order.

use super::*;

fn credit(id: &str, created_ms: i64, pico: i128) -> Credit {
    Credit {
        id: id.to_owned(),
        created_ms,
        amount: PicoUsd::from_pico(pico),
        description: format!("credit {id}"),
        actor: "mgmt".to_owned(),
    }
}

async fn add(store: &Store, credit: &Credit) -> Result<(), StoreError> {
    let mut write = store.begin_write().await?;
    write.add_credit(credit).await?;
    write.commit().await
}

async fn credits_add_up_exactly(fresh: Fresh) {
    let store = fresh.store;
    assert_eq!(store.credits_total().await.unwrap(), PicoUsd::ZERO);
    let amounts = [1, -1, 999_999, -1_000_001, 4_000_000_000_000_000_000_000, -7];
    for (at, pico) in amounts.into_iter().enumerate() {
        add(&store, &credit(&format!("c{at}"), 5, pico)).await.unwrap();
    }
    assert_eq!(store.credits_total().await.unwrap().pico(), amounts.iter().sum::<i128>());
    let again = add(&store, &credit("c0", 6, 1)).await;
    assert!(matches!(again, Err(StoreError::CreditExists)));
    let too_large = add(&store, &credit("large", 6, i128::MAX)).await;
    assert!(matches!(too_large, Err(StoreError::AmountTooLarge)));
    assert_eq!(store.credits_total().await.unwrap().pico(), amounts.iter().sum::<i128>());
}

async fn the_account_is_opened_once(fresh: Fresh) {
    let opening = PicoUsd::from_pico(5_000_000_000_000);
    let other = fresh.other().await;
    let attempts = (0..4).map(|at| {
        let store = if at % 2 == 0 { &fresh.store } else { &other };
        async move { store.ensure_opening_credit(opening, 1).await.unwrap() }
    });
    let opened = futures::future::join_all(attempts).await;
    assert_eq!(opened.into_iter().filter(|opened| *opened).count(), 1);
    assert!(!other.ensure_opening_credit(PicoUsd::from_pico(9), 2).await.unwrap());
    assert_eq!(other.credits_total().await.unwrap(), opening);
    let movements = other.transactions(10, None).await.unwrap();
    assert_eq!((movements.len(), movements[0].id.as_str()), (1, "opening"));
}

async fn an_account_with_credits_is_not_opened_again(fresh: Fresh) {
    add(&fresh.store, &credit("c", 1, -3)).await.unwrap();
    assert!(!fresh.store.ensure_opening_credit(PicoUsd::from_pico(9), 2).await.unwrap());
    assert_eq!(fresh.store.credits_total().await.unwrap().pico(), -3);
}

/// Their sum is the balance, however the pages are cut.
async fn transactions_are_everything_that_moved_money(fresh: Fresh) {
    let store = fresh.store;
    let mut expected = Vec::new();
    let mut rows = Vec::new();
    for number in 0..23_i64 {
        let created_ms = 1000 + number / 4;
        let (id, pico) = (format!("x{number:02}"), i128::from(number + 1) * 1_000_003);
        if number % 3 == 0 {
            add(&store, &credit(&id, created_ms, pico)).await.unwrap();
            expected.push((id, pico));
        } else {
            rows.push(request(&id, created_ms, pico));
            expected.push((id, -pico));
        }
    }
    rows.push(request("free", 1003, 0));
    rows.push(Generation { is_byok: true, ..request("byok", 1003, 5) });
    store.applied(&settled(&rows)).await;
    expected.reverse();
    for limit in [1, 4, 100] {
        let (mut found, mut mark) = (Vec::new(), None);
        loop {
            let page = store.transactions(limit, mark.as_ref()).await.unwrap();
            let Some(last) = page.last() else { break };
            mark = Some(MovementMark::before(last).to_string().parse().unwrap());
            found.extend(page);
        }
        let found: Vec<_> = found.into_iter().map(|m| (m.id, m.amount.pico())).collect();
        assert_eq!(found, expected, "{limit}");
    }
    let balance =
        store.credits_total().await.unwrap().pico() - store.account_usage().await.unwrap().pico();
    assert_eq!(balance, expected.iter().map(|(_, pico)| pico).sum::<i128>());
    let newest = store.transactions(1, None).await.unwrap().remove(0);
    let Cause::Request { model, prompt_tokens, completion_tokens, .. } = newest.cause else {
        panic!("not a request")
    };
    assert_eq!(
        (model.as_str(), prompt_tokens, completion_tokens),
        ("anthropic/claude-sonnet-4.6", 14, 6)
    );
}

on_both_databases!(
    credits_add_up_exactly,
    the_account_is_opened_once,
    an_account_with_credits_is_not_opened_again,
    transactions_are_everything_that_moved_money,
);
