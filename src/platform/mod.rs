//! The only code that leaves the process: git, files, processes, the clock, the environment.

pub mod clock;
mod ending;
pub mod env;
pub mod fail;
pub mod foreground;
pub mod fs;
pub mod git;
pub mod hook_files;
mod hook_script;
pub mod http;
#[cfg(target_os = "linux")]
pub mod keeper;
pub mod lock;
pub mod memory;
pub mod process;
pub mod server_hooks;
pub mod simulated;
pub mod supervise;
pub mod terminal;
