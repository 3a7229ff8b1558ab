//! `pre-receive` and `post-receive`: what a server lets in, and what it sees by itself.

use std::io::Read as _;

use super::{Answer, HookResult, say, stdin};
use crate::service::context::Context;
use crate::service::server::{self, merged};

/// More than this is no push of anybody.
const MAX_STDIN: u64 = 256 * 1024 * 1024;

fn read() -> std::io::Result<String> {
    let mut bytes = Vec::new();
    std::io::stdin().lock().take(MAX_STDIN).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Refuses what would harm the state. If nobody can tell, only what is of ours is refused.
pub(super) fn pre_receive(ctx: &Context) -> HookResult {
    let received = stdin::received(&read()?);
    match server::refusals(ctx, &received) {
        Ok(refused) if refused.is_empty() => Ok(Answer::Go),
        Ok(refused) => Ok(Answer::Stop(refused)),
        Err(err) if received.iter().any(|line| line.name.starts_with("refs/godzilla")) => {
            let why = crate::service::error_chain(&err);
            Ok(Answer::Stop(vec![format!("the state in this push cannot be looked at: {why}")]))
        }
        Err(_) => Ok(Answer::Go),
    }
}

pub(super) fn post_receive(ctx: &Context) -> HookResult {
    let received = stdin::received(&read()?);
    for name in merged::record(ctx, &received)? {
        say(&format!("{name} is merged, and completed by it"));
    }
    Ok(Answer::Go)
}
