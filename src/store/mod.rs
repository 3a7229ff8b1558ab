//! Streams: the events of each protocol, as content of refs.
//!
//! The content of a ref is a set of event lines, with specs and whatever newer tools keep beside
//! them; commits are only carriers. Two tips are equal when their contents are, and nothing is
//! written that is not strictly larger.

pub mod answer;
pub mod archive;
pub mod cache;
pub mod canon;
pub mod content;
pub mod exported;
pub mod history;
pub mod inventory;
pub mod kept;
pub mod looked;
pub mod refs;
pub mod spec;
pub mod spool;
pub mod state;
pub mod stream;
pub mod stubs;
pub mod text;
pub mod tip;
pub mod wire;
