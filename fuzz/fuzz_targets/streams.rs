//! Streams of providers, to every client's format, cut anywhere.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| arouter_fuzz::streams::run(data));
