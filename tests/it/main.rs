//! Integration tests: one binary, one module per subject.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::large_futures,
    clippy::print_stderr,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::string_slice,
    unreachable_pub,
    reason = "all of this crate is tests, and a test that goes wrong panics"
)]

mod asks;
mod bodies;
mod disconnects;
mod errors;
mod errors_table;
mod failures;
mod load;
mod observability;
mod operations;
mod peer;
mod raw;
mod rig;
mod routes;
mod secrets;
mod smuggling;
mod smuggling_table;
mod streams;
mod tidy;
mod transparency;
mod usage;
mod wire;
