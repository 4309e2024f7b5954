//! Whole answers of providers, to every client's format.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| arouter_fuzz::answers::run(data));
