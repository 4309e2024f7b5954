//! Error answers of providers.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| arouter_fuzz::errors::run(data));
