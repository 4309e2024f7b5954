//! The tool of proof: every recording of real traffic through every pair of formats.
//!
//! `cargo test --test corpus -- --nocapture` shows a table per check: recordings tried and passed
//! per format pair. The judge reads answers and requests with code of its own (`json`, `sse`,
//! `read_*`, `assemble*`), which knows nothing of the code under test.

#![expect(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "all of this crate is tests, and a test that goes wrong panics"
)]

mod agree;
mod answers;
mod ask;
mod ask_chat;
mod ask_compare;
mod ask_native;
mod assemble;
mod assemble_chat;
mod assemble_generate;
mod chunks;
mod compare;
mod errors;
mod frames;
mod json;
mod loops;
mod masks;
mod outputs;
mod protocol;
mod protocol_responses;
mod read_chat;
mod read_generate;
mod read_messages;
mod read_responses;
mod reading;
mod recordings;
mod report;
mod requests;
mod spans;
mod sse;
mod streams;
