//! Fuzzing of what reads bytes from outside: `targets.rs` says what must hold, the mutator makes the bytes, the fixtures
//! are the corpus. Here for two seconds each, on stable; for longer and guided by coverage: `fuzz/run`.
//!
//! `FUZZ_SECONDS` is the time for each target, `FUZZ_SEED` where the dice start. A failure prints the bytes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(clippy::disallowed_methods, reason = "settings of the run; nothing that is tested reads them")]

mod corpus;
mod mutator;
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::{env, fs};

use mutator::{Dice, mutated};
use strongroom::sources::Sources;

const SECONDS: u64 = 2;
/// The largest input: more than any of the corpus.
const MAX_BYTES: usize = 16 * 1024;
/// Changes of one input.
const CHANGES_MAX: usize = 8;

fn number(variable: &str) -> Option<u64> {
    Some(env::var(variable).ok()?.parse().expect("a number"))
}

fn run(name: &str, corpus: &[Vec<u8>], target: fn(&[u8])) {
    let clock = Sources::system();
    let (seconds, seed) = (number("FUZZ_SECONDS").unwrap_or(SECONDS), number("FUZZ_SEED").unwrap_or(1));
    let mut dice = Dice(seed);
    let try_one = |bytes: &[u8]| {
        if catch_unwind(AssertUnwindSafe(|| target(bytes))).is_err() {
            panic!("{name} does not hold for b\"{}\"", bytes.escape_ascii());
        }
    };
    corpus.iter().for_each(|entry| try_one(entry));
    let (start_ns, mut tried) = (clock.monotonic_ns(), 0_u64);
    while clock.monotonic_ns() - start_ns < seconds * 1_000_000_000 {
        try_one(&mutated(corpus, &mut dice, CHANGES_MAX, MAX_BYTES));
        tried += 1;
    }
    println!("{name}: {tried} inputs in {seconds} s from {} of the corpus, seed {seed}", corpus.len());
    assert!(seconds == 0 || tried > 100, "{name}: only {tried} inputs were tried");
}

/// For `fuzz/run`: the corpus as files, one folder a target.
fn write_corpus(name: &str, corpus: &[Vec<u8>]) {
    let Ok(folder) = env::var("FUZZ_CORPUS") else { return };
    let folder = format!("{folder}/{name}");
    fs::create_dir_all(&folder).unwrap();
    for (number, entry) in corpus.iter().enumerate() {
        fs::write(format!("{folder}/{number:04}"), entry).unwrap();
    }
}

macro_rules! fuzz {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            let corpus = corpus::$name();
            write_corpus(stringify!($name), &corpus);
            run(stringify!($name), &corpus, targets::$name);
        })*
    };
}

fuzz! { json boxed policy key peer certificate form v2 }
