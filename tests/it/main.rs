//! Integration tests: one binary, one module per subject.

#![expect(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::disallowed_methods,
    clippy::large_futures,
    clippy::unchecked_time_subtraction,
    reason = "all of this crate is tests, and a test that goes wrong panics"
)]

mod activity;
mod activity_table;
mod asks;
mod attribution;
mod auto_router;
mod bodies;
mod budgets;
mod catalogue;
mod certificates;
mod clock;
mod costs;
mod crashes;
mod disconnects;
mod durability;
mod errors;
mod errors_table;
mod failover;
mod failures;
mod faults;
mod frames;
mod goaway;
mod hedging;
mod http2;
mod keys_api;
mod ledger;
mod limits;
mod load;
mod media;
mod observability;
mod operations;
mod outage;
mod peer;
mod postgres;
mod postgres_server;
mod process;
mod raw;
mod rig;
mod routes;
mod routing;
mod routing_table;
mod secrets;
mod smuggling;
mod smuggling_table;
mod spender;
mod sticky;
mod streams;
mod tidy;
mod time_limits;
mod tls_down;
mod tls_up;
mod traffic;
mod translation;
mod transparency;
mod upgrade;
mod usage;
mod vendors;
mod wire;
