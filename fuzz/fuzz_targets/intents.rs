#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| git_godzilla_fuzz::intents(data));
