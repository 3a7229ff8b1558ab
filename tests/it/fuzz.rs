//! The fuzz targets, on what was kept and on what chance makes of it; the search itself is
//! `cargo fuzz run NAME`. Where that is not installed, `TARGET=NAME CASES=100000` searches on here.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

#[expect(unreachable_pub, reason = "the fuzz crate exports them")]
#[path = "../../fuzz/src/targets.rs"]
mod targets;

use targets::TARGETS;

/// What was kept for a target.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let dir = format!("{}/fuzz/corpus/{name}", env!("CARGO_MANIFEST_DIR"));
    let entries = std::fs::read_dir(dir).unwrap();
    entries.map(|entry| std::fs::read(entry.unwrap().path()).unwrap()).collect()
}

#[test]
fn every_target_stands_what_was_kept() {
    for (name, target) in TARGETS {
        let kept = corpus(name);
        assert!(!kept.is_empty(), "nothing was kept for {name}");
        for bytes in kept {
            target(&bytes);
        }
        target(b"");
    }
}

#[test]
fn every_target_stands_what_chance_makes_of_it() {
    let edits = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 1..12);
    let cases = std::env::var("CASES").map_or(64, |cases| cases.parse().unwrap());
    let only = std::env::var("TARGET").ok();
    for (name, target) in TARGETS.iter().filter(|(name, _)| only.as_ref().is_none_or(|only| only == name)) {
        let kept = prop::sample::select(corpus(name));
        let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
        let made = (kept, edits.clone()).prop_map(|(mut bytes, edits)| {
            for (at, byte, kind) in edits {
                let at = if bytes.is_empty() { 0 } else { at.index(bytes.len()) };
                match kind {
                    0 => bytes.insert(at, byte),
                    1 => bytes.truncate(at),
                    2 if at < bytes.len() => bytes[at] = byte,
                    _ => bytes.extend_from_within(at..),
                }
                bytes.truncate(100_000);
            }
            bytes
        });
        let result = runner.run(&made, |bytes| {
            target(&bytes);
            Ok(())
        });
        assert!(result.is_ok(), "{name}: {result:?}");
    }
}

#[test]
fn every_target_is_one_of_cargo_fuzz() {
    let manifest =
        std::fs::read_to_string(format!("{}/fuzz/Cargo.toml", env!("CARGO_MANIFEST_DIR"))).unwrap();
    for (name, _) in TARGETS {
        assert!(manifest.contains(&format!("fuzz_targets/{name}.rs")), "{name}");
    }
    assert_eq!(manifest.matches("[[bin]]").count(), TARGETS.len());
}
