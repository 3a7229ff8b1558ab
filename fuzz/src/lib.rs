//! What is fuzzed: one function for each parser of bytes that somebody else wrote.
//!
//! Each takes any bytes, and panics if a rule is broken. `cargo fuzz run NAME` searches for such bytes; `cargo test`
//! runs the kept corpora through the same functions.

mod targets;

pub use targets::*;
