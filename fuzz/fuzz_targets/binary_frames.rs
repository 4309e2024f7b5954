//! The splitter of Amazon Bedrock's binary frames.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| arouter_fuzz::splitters::binary(data));
