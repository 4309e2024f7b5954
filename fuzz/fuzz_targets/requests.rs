//! Requests of clients, to every provider's format.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| arouter_fuzz::requests::run(data));
