//! The counters of `src/limits` and the breaker of `src/routing/health` with loom's atomics in the
//! place of the standard library's, and what must hold of them in every order of events.
//!
//! `make loom` runs it. The files checked are the gateway's own, not copies.

#![cfg(test)]
#![expect(dead_code, reason = "not everything the gateway uses is checked here")]

mod atomic {
    pub(super) use loom::sync::atomic::{AtomicU64, Ordering};
}
#[path = "../../../src/routing/health/breaker.rs"]
mod breaker;
#[path = "../../../src/limits/tally.rs"]
mod tally;
#[path = "../../../src/limits/window.rs"]
mod window;

mod breakers;
mod tallies;
mod windows;

use std::sync::Arc;

/// Runs the two in every order, with `shared` between them, and `last` when both are over.
fn together<T: Send + Sync + 'static>(shared: fn() -> T, threads: [fn(&T); 2], last: fn(&T)) {
    loom::model(move || {
        let shared = Arc::new(shared());
        let handles = threads.map(|thread| {
            let shared = Arc::clone(&shared);
            loom::thread::spawn(move || thread(&shared))
        });
        handles.into_iter().for_each(|handle| handle.join().unwrap());
        last(&shared);
    });
}
