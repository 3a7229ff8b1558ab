//! One file per command: its arguments, whose comments are its help, and one function.

pub(super) mod act;
pub(super) mod ci_report;
pub(super) mod completions;
pub(super) mod config;
pub(super) mod demo;
pub(super) mod doctor;
pub(super) mod engines;
pub(super) mod explain;
mod home;
pub(super) mod hooks;
pub(super) mod init;
pub(super) mod list;
pub(super) mod log;
pub(super) mod man;
pub(super) mod notes;
mod ops;
pub(super) mod plan;
pub(super) mod qa;
pub(super) mod ready;
pub(super) mod show;
pub(super) mod status;
pub(super) mod sync;
pub(super) mod trust;
pub(super) mod undo;
