//! The splitter of Gemini's JSON arrays.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| arouter_fuzz::splitters::array(data));
