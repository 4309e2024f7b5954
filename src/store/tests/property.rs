//! Any order of what happens to requests leaves rows, sums and open requests that agree.

use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// What happens to the store.
#[derive(Debug, Clone)]
enum Step {
    /// A batch: which request, and whether it is its end.
    Apply(usize, Vec<(u8, bool)>),
    /// A process is found dead.
    Abandon(usize),
    /// The costs of some requests change.
    Reprice(Vec<(u8, u32)>),
    /// The oldest records go.
    Delete(u8),
}

const PROCESSES: [&str; 2] = ["a", "b"];

fn step() -> impl Strategy<Value = Step> {
    let process = 0..PROCESSES.len();
    prop_oneof![
        5 => (process.clone(), prop::collection::vec((0..60_u8, any::<bool>()), 0..50))
            .prop_map(|(process, entries)| Step::Apply(process, entries)),
        1 => process.prop_map(Step::Abandon),
        1 => prop::collection::vec((0..60_u8, any::<u32>()), 0..20).prop_map(Step::Reprice),
        1 => (0..10_u8).prop_map(Step::Delete),
    ]
}

fn name(id: u8) -> String {
    format!("gen-{id:02}")
}

/// What the store should hold: every request that was ever posted and its cost, and who has which
/// requests open. Deleted records stay here as sums.
#[derive(Default)]
struct Model {
    posted: BTreeMap<String, i128>,
    deleted: BTreeSet<String>,
    open: BTreeMap<String, usize>,
}

impl Model {
    fn apply(&mut self, process: usize, entries: &[(u8, bool)]) {
        let settled: Vec<_> = entries.iter().filter(|entry| entry.1).map(|entry| entry.0).collect();
        for id in &settled {
            self.posted.entry(name(*id)).or_insert_with(|| cost(*id));
            self.open.remove(&name(*id));
        }
        for (id, _) in entries.iter().filter(|entry| !settled.contains(&entry.0)) {
            if !self.posted.contains_key(&name(*id)) {
                self.open.entry(name(*id)).or_insert(process);
            }
        }
    }

    fn abandon(&mut self, process: usize) {
        let dead: Vec<_> =
            self.open.iter().filter(|open| *open.1 == process).map(|open| open.0.clone()).collect();
        for id in dead {
            self.open.remove(&id);
            let number = id.strip_prefix("gen-").unwrap().parse().unwrap();
            self.posted.insert(id, cost(number));
        }
    }
}

fn cost(id: u8) -> i128 {
    i128::from(id) * 999_999_999 + 1
}

fn generation(id: u8) -> Generation {
    Generation {
        key_hash: format!("key-{}", id % 3),
        ..request(&name(id), i64::from(id % 4) * 86_400_000 + i64::from(id), cost(id))
    }
}

async fn take(store: &Store, model: &mut Model, step: &Step) {
    match step {
        Step::Apply(process, entries) => {
            model.apply(*process, entries);
            let entries: Vec<_> = entries
                .iter()
                .map(|(id, is_end)| match is_end {
                    true => Entry::Settle(generation(*id)),
                    false => Entry::Open(generation(*id)),
                })
                .collect();
            store.apply(&entries, PROCESSES[*process], "s", 1).await.unwrap();
        }
        Step::Abandon(process) => {
            model.abandon(*process);
            store.abandon(PROCESSES[*process]).await.unwrap();
        }
        Step::Reprice(costs) => {
            for (id, pico) in costs {
                let there = !model.deleted.contains(&name(*id));
                if let Some(cost) = model.posted.get_mut(&name(*id)).filter(|_| there) {
                    *cost = i128::from(*pico);
                }
                let cost = PicoUsd::from_pico(i128::from(*pico));
                let repricing = Repricing {
                    id: name(*id),
                    old_version: "1".to_owned(),
                    new_version: "1".to_owned(),
                    cost_pico_usd: cost,
                    prompt_cost_pico_usd: cost,
                    completion_cost_pico_usd: PicoUsd::ZERO,
                };
                store.reprice(&[repricing]).await.unwrap();
            }
        }
        Step::Delete(at_most) => {
            let all = UsageFilter::default();
            let oldest = store.usage_page(&all, None, u32::from(*at_most)).await.unwrap();
            model.deleted.extend(oldest.into_iter().map(|row| row.id));
            store.delete_generations_before(i64::MAX, u32::from(*at_most)).await.unwrap();
        }
    }
}

async fn check(store: &Store, model: &Model) {
    let rows = store.usage_page(&UsageFilter::default(), None, 1000).await.unwrap();
    let rows: BTreeMap<_, _> =
        rows.into_iter().map(|row| (row.id, row.cost_pico_usd.pico())).collect();
    let mut expected = model.posted.clone();
    expected.retain(|id, _| !model.deleted.contains(id));
    assert_eq!(rows, expected);
    let usage = store.account_usage().await.unwrap().pico();
    assert_eq!(usage, model.posted.values().sum::<i128>());
    let sums = store.key_sums(0).await.unwrap();
    let requests = sums.values().map(|sums| sums.requests).sum::<u64>();
    assert_eq!(requests, model.posted.len() as u64);
    let open = store.number("SELECT COUNT(*) FROM open_requests").await;
    assert_eq!(open, i64::try_from(model.open.len()).unwrap());
    let processes: BTreeSet<_> = model.open.values().map(|at| PROCESSES[*at].to_owned()).collect();
    assert_eq!(store.processes_with_open_requests().await.unwrap(), Vec::from_iter(processes));
}

/// Deleted records are not applied again in this model, as a journal is not kept that long.
fn without_deleted(step: &Step, deleted: &BTreeSet<String>) -> Step {
    match step {
        Step::Apply(process, entries) => {
            let kept = entries.iter().filter(|entry| !deleted.contains(&name(entry.0)));
            Step::Apply(*process, kept.copied().collect())
        }
        step => step.clone(),
    }
}

async fn rows_sums_and_open_requests_agree(fresh: Fresh, steps: Vec<Step>) {
    let mut model = Model::default();
    for step in &steps {
        let step = without_deleted(step, &model.deleted);
        take(&fresh.store, &mut model, &step).await;
        check(&fresh.store, &model).await;
    }
}

fn block_on(work: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(work);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn sqlite(steps in prop::collection::vec(step(), 1..15)) {
        block_on(async { rows_sums_and_open_requests_agree(Fresh::sqlite().await, steps).await });
    }

    #[test]
    fn postgres(steps in prop::collection::vec(step(), 1..15)) {
        block_on(async { rows_sums_and_open_requests_agree(Fresh::postgres().await, steps).await });
    }
}
