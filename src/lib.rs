//! The library behind `git godzilla`: protocols whose state lives in Git.
//!
//! It has no stability promise. The map of the layers is in ARCHITECTURE.md; in short
//! [`domain`] ← [`platform`] ← [`store`], [`ci`] ← [`service`] ← [`cli`], [`hooks`].

pub mod ci;
pub mod cli;
pub mod domain;
pub mod engine;
pub mod hooks;
pub mod platform;
pub mod service;
pub mod store;
