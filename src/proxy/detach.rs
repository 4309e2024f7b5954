//! What becomes of an answer whose caller left: cut off, or read to its end to know its price.
//!
//! Used by `respond`. The record is settled in either case, once; what is read on is bounded in
//! number and time.

use super::dispatch::UpstreamAnswer;
use super::opening::Begun;
use super::settle::UsageGuard;
use super::state::Services;
use crate::error::{GatewayError, Kind};
use crate::formats::translator::Translator;
use crate::providers::Provider;
use crate::routing::Candidate;
use crate::usage::Outcome;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;

/// How long reading may go on.
const MAX_DETACHED: Duration = Duration::from_mins(2);

/// Leave to read on for a caller who left; none for a provider that stops when it is cut off, or
/// when too many answers are read on already.
pub fn permit(services: &Services, provider: &Provider) -> Option<OwnedSemaphorePermit> {
    if provider.honours_cancel {
        return None;
    }
    Arc::clone(&services.detached).try_acquire_owned().ok()
}

/// The caller left in mid-stream. A provider that stops when its connection closes is cut off
/// at once; from another one the rest is read, within bounds, to learn what it will bill.
pub async fn client_left(
    services: &Arc<Services>,
    candidate: &Candidate,
    (upstream, translator): (UpstreamAnswer, Translator),
    guard: &mut UsageGuard,
) {
    let Some(permit) = permit(services, &candidate.provider) else {
        upstream.abandon().await;
        return guard.settle(Outcome::Cancelled, Kind::ClientClosed.status(), None);
    };
    let record = guard.detach();
    services.spawn_detached(async move {
        read_to_end((upstream, translator), record).await;
        drop(permit);
    });
}

/// An attempt that was not waited for until its first content goes the same way.
pub fn let_go(
    services: &Arc<Services>,
    candidate: &Candidate,
    attempt: impl Future<Output = Result<Begun, GatewayError>> + Send + 'static,
    guard: &mut UsageGuard,
) {
    let Some(permit) = permit(services, &candidate.provider) else {
        return guard.settle(Outcome::Cancelled, Kind::ClientClosed.status(), None);
    };
    let mut record = guard.detach();
    services.spawn_detached(async move {
        match tokio::time::timeout(MAX_DETACHED, attempt).await {
            Ok(Ok(begun)) => begun.read_on(record).await,
            Ok(Err(error)) => record.fail(&error),
            Err(_) => record.settle(Outcome::Cancelled, Kind::ClientClosed.status(), None),
        }
        drop(permit);
    });
}

/// Reads what the caller no longer waits for, and settles with the provider's own counts.
pub async fn read_to_end(
    (mut upstream, mut translator): (UpstreamAnswer, Translator),
    mut guard: UsageGuard,
) {
    let reading = async {
        while let Ok(read) = upstream.read().await {
            let Some(chunk) = read else {
                // Some formats end with their connection, and their counts are final only then.
                let _truncated = translator.finish().is_err();
                break;
            };
            if translator.push(chunk).is_err() || translator.observed().ended {
                break;
            }
        }
    };
    // Past the deadline the counts so far have to do.
    let _finished = tokio::time::timeout(MAX_DETACHED, reading).await;
    guard.observe(translator.observed());
    guard.settle(Outcome::Cancelled, Kind::ClientClosed.status(), None);
    upstream.abandon().await;
}
