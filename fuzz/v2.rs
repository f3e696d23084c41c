#![no_main]

#[path = "../tests/fuzz/targets.rs"]
#[expect(dead_code, reason = "one target a program")]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::v2(data));
