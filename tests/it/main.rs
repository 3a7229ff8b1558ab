//! The integration tests: one binary, one module for each subject.

#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(clippy::print_stdout, reason = "a test says what it skips and which git it runs")]
#![expect(clippy::disallowed_methods, reason = "a test starts processes and writes files of its own")]

mod budget;
mod ci_delivery;
mod cli_snapshots;
mod compat;
mod completion;
mod contract;
mod crash;
mod demo;
mod doctor;
mod engine_story;
mod engines;
mod every_command;
mod exported;
mod first;
mod full;
mod fuzz;
mod hooks;
mod hostile;
mod hostile_config;
mod laws;
mod leaving;
mod manual;
mod merges;
mod model;
mod model_server;
mod names;
mod objects;
mod past;
mod planning;
mod policies;
mod prompts;
mod push;
mod qa;
mod races;
mod readme;
mod real_engines;
mod redaction;
mod refs;
mod refusals;
mod review;
mod run;
mod schemas;
mod server;
mod settings;
mod sharing;
mod signing;
mod simulation;
mod stumbles;
mod support;
mod terminal;
mod tidy;
mod undo;
mod upkeep;
mod worktrees;
