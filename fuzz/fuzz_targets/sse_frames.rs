//! The splitter of server-sent events.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| arouter_fuzz::splitters::sse(data));
