//! Types and rules. No I/O, no serde, no clock: facts in, pure decision, facts out.

pub mod budget;
pub mod ci;
pub mod decide;
pub mod decompose;
pub mod drafted;
pub mod event;
pub mod fold;
pub mod id;
pub mod ledger;
pub mod mend;
pub mod message;
pub mod observe;
pub mod outline;
pub mod policy;
pub mod problem;
pub mod prompt;
pub mod redact;
pub mod review;
pub mod run;
pub mod sentence;
pub mod spec;
pub mod state;
pub mod status;
pub mod step_file;
pub mod text;
pub mod undo;
