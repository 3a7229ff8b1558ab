//! The use cases: load, decide, act, record. Nothing here prints or parses arguments.

pub mod context;
pub mod settings;
