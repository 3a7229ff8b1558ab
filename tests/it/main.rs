//! The integration tests: one binary, one module for each subject.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod laws;
