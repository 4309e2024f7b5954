//! The queue between answers with calls of tools and whoever judges them.
//!
//! The exchange hands a case in when its answer is over and waits for nothing: a full queue drops
//! the case and counts it. `server` runs the judge on a thread of its own, which rests after each
//! case for a multiple of the time it took, so that judging never takes more than a fifth of a
//! core. At most [`MAX_WAITING`] cases wait, of 320 KiB at most.

use crate::formats::tool_calls::GatheredCall;
use crate::routing::health::{Health, ToolOutcome};
use crate::routing::tool_calls::{MAX_TOOLS_BYTES, Verdict, judge};
use crate::telemetry::Metrics;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{Mutex, mpsc};

/// Most answers that wait to be judged.
pub const MAX_WAITING: usize = 64;
/// How long the judge rests, in multiples of the time it took.
const REST: u32 = 4;

/// An answer that ended in calls of tools.
#[derive(Debug)]
pub struct Case {
    /// Slug of the provider.
    pub provider: Arc<str>,
    /// The provider's own name of the model.
    pub upstream_model: Arc<str>,
    /// The `tools` of the request, in the client's format.
    pub tools: Box<[u8]>,
    /// The calls.
    pub calls: Vec<GatheredCall>,
}

/// The queue.
#[derive(Debug)]
pub struct ToolJudge {
    sender: mpsc::Sender<Case>,
    receiver: Mutex<mpsc::Receiver<Case>>,
}

impl Default for ToolJudge {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        Self { sender, receiver: Mutex::new(receiver) }
    }
}

impl ToolJudge {
    /// Whether the tools of a request are small enough to judge calls by.
    pub fn takes(tools: &[u8]) -> bool {
        tools.len() <= MAX_TOOLS_BYTES
    }

    /// Hands a case in. The number of its calls comes back if the queue is full.
    pub fn submit(&self, case: Case) -> Result<(), usize> {
        let calls = case.calls.len();
        self.sender.try_send(case).map_err(|_| calls)
    }

    /// Judges cases as they come.
    pub async fn run(&self, health: &Health, metrics: &Metrics) {
        let mut receiver = self.receiver.lock().await;
        while let Some(case) = receiver.recv().await {
            let started = Instant::now();
            conclude(&case, health, metrics);
            tokio::time::sleep(started.elapsed() * REST).await;
        }
    }
}

fn conclude(case: &Case, health: &Health, metrics: &Metrics) {
    // The schema is a client's and the library another's: no fault of theirs may end the judge.
    let judged = catch_unwind(AssertUnwindSafe(|| judge(&case.tools, &case.calls)));
    let Some(verdicts) = judged.ok().flatten() else {
        return metrics.count_tool_calls(&case.provider, "skipped", case.calls.len());
    };
    for verdict in Verdict::ALL {
        let calls = verdicts.iter().filter(|found| **found == verdict).count();
        if calls > 0 {
            metrics.count_tool_calls(&case.provider, verdict.name(), calls);
        }
    }
    let fine = verdicts.iter().all(|verdict| *verdict == Verdict::Valid);
    let outcome = if fine { ToolOutcome::Fine } else { ToolOutcome::Wrong };
    let endpoint = health.endpoint(&case.provider, &case.upstream_model);
    endpoint.note_tool_calls(outcome, health.now_ms());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::RoutingConfig;
    use crate::routing::Live;
    use std::time::Duration;

    fn case(arguments: &str) -> Case {
        let tools = br#"[{"name":"f","input_schema":{"type":"object","required":["a"]}}]"#;
        let call = GatheredCall { name: "f".into(), arguments: arguments.into(), custom: false };
        Case {
            provider: "p".into(),
            upstream_model: "m".into(),
            tools: Box::from(tools.as_slice()),
            calls: vec![call],
        }
    }

    #[tokio::test]
    async fn verdicts_reach_the_endpoint_and_the_metrics() {
        let (queue, metrics) = (ToolJudge::default(), Metrics::new().unwrap());
        let health = Health::new(&RoutingConfig::default());
        for number in 0..40 {
            queue.submit(case(if number % 4 == 0 { "{}" } else { r#"{"a":1}"# })).unwrap();
        }
        let judged = || health.endpoint("p", "m").view(health.now_ms()).tool_errors;
        let all = async {
            while judged().is_none_or(|errors| errors.requests < 40) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::select! {
            () = queue.run(&health, &metrics) => {}
            () = all => {}
        }
        let errors = Live::endpoint(&health, "p", "m").tool_errors.unwrap();
        assert_eq!((errors.requests, errors.errors), (40, 10));
        let text = String::from_utf8(metrics.render().unwrap()).unwrap();
        for line in [
            r#"arouter_tool_calls_total{outcome="schema_mismatch",provider="p"} 10"#,
            r#"arouter_tool_calls_total{outcome="valid",provider="p"} 30"#,
        ] {
            assert!(text.contains(line), "{text}");
        }
    }

    #[test]
    fn a_full_queue_refuses() {
        let queue = ToolJudge::default();
        let taken = (0..MAX_WAITING + 3).filter(|_| queue.submit(case("{}")).is_ok()).count();
        assert_eq!((taken, queue.submit(case("{}"))), (MAX_WAITING, Err(1)));
    }
}
