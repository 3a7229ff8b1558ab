//! The hook before a push.

use std::ffi::OsString;
use std::io::Read as _;

use super::{Answer, HookResult, say, stdin};
use crate::platform::process;
use crate::service::answers::Said;
use crate::service::context::Context;
use crate::service::on_push::{self, Sent};

/// More than this is read for safety checks only.
const MAX_STDIN: u64 = 64 * 1024 * 1024;

/// What to type instead of a mirror.
const WITHOUT_MIRROR: &str = "push branches by name, or leave them out: git push --all && git push --tags";

pub(super) fn pre_push(ctx: &Context, args: &[OsString]) -> HookResult {
    let remote = args.first().and_then(|arg| arg.to_str()).unwrap_or_default().to_owned();
    let mut bytes = Vec::new();
    std::io::stdin().lock().take(MAX_STDIN).read_to_end(&mut bytes)?;
    let pushed = stdin::pushed(&String::from_utf8_lossy(&bytes));

    let private = on_push::private_refs(&pushed);
    if !private.is_empty() {
        return Ok(Answer::Stop(vec![
            format!("this push would publish {}, which must stay in this clone", private.join(", ")),
            WITHOUT_MIRROR.to_owned(),
        ]));
    }
    // Git does not tell its hook what a mirror deletes.
    if on_push::shares_state(ctx, &remote)
        && (on_push::is_mirror(ctx, &remote) || process::ancestor_is(is_mirror_push))
    {
        return Ok(Answer::Stop(vec![
            format!("a mirror would delete what others share at {remote} and this clone does not have"),
            WITHOUT_MIRROR.to_owned(),
        ]));
    }
    if ctx.settings.commit_strict {
        let unmet = on_push::unmet_gates(ctx, &pushed)?;
        if !unmet.is_empty() {
            return Ok(Answer::Stop(unmet));
        }
    }
    if process::ancestor_is(is_dry_run_push) {
        return Ok(Answer::Go);
    }
    match on_push::send_state(ctx, &remote, &pushed)? {
        Sent::Nothing | Sent::Events(_) => (),
        Sent::NotShared { n_events, said, reason } => {
            let events = if n_events == 1 { "1 event is" } else { &format!("{n_events} events are") };
            let advice = match said {
                Said::Refused => "pushes leave it alone for a day; ",
                Said::Auth => "set up a credential helper, or ",
                Said::Overtaken | Said::Unreachable | Said::Failed => "",
            };
            say(&format!(
                "{events} not shared with {remote} ({reason}); {advice}share them with `git godzilla sync`"
            ));
        }
    }
    Ok(Answer::Go)
}

/// Whether this is the command line of a `git push` that must change nothing: git does not tell its
/// hook, so the hook looks at who called it.
fn is_dry_run_push(args: &[String]) -> bool {
    is_push_with(args, "dry-run", Some('n'))
}

/// Whether this is the command line of a `git push` that takes away what is not here.
fn is_mirror_push(args: &[String]) -> bool {
    is_push_with(args, "mirror", None)
}

/// Whether this is the command line of a `git push` with an option, which may be shortened.
fn is_push_with(args: &[String], option: &str, letter: Option<char>) -> bool {
    let Some(push) = args.iter().position(|arg| arg == "push") else { return false };
    if !process::is_git(&args[0]) {
        return false;
    }
    let options = args[push + 1..].iter().take_while(|arg| *arg != "--");
    let mut takes_value = false;
    for arg in options {
        if std::mem::take(&mut takes_value) {
            continue;
        }
        let long = arg.strip_prefix("--").filter(|name| name.len() >= 2);
        if long.is_some_and(|name| option.starts_with(name)) {
            return true;
        }
        // `-o` takes the rest of its cluster, or the next argument, as its value.
        if let Some(cluster) = arg.strip_prefix('-').filter(|_| long.is_none()) {
            let flags = cluster.split('o').next().unwrap_or_default();
            if letter.is_some_and(|letter| flags.contains(letter)) {
                return true;
            }
            takes_value = cluster.ends_with('o');
        }
        takes_value |= matches!(arg.as_str(), "--repo" | "--receive-pack" | "--exec" | "--push-option");
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dry_run_is_told_from_the_command_line() {
        let is = |line: &str| is_dry_run_push(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        for line in [
            "git push -n",
            "git push --dry-run origin",
            "/usr/bin/git -C x push -fn",
            "git push --dry origin a",
        ] {
            assert!(is(line), "{line}");
        }
        for line in [
            "git push",
            "git push origin -o n",
            "git push -on",
            "git push -- -n",
            "sh push -n",
            "git fetch -n",
        ] {
            assert!(!is(line), "{line}");
        }
    }

    #[test]
    fn a_mirror_is_told_from_the_command_line() {
        let is = |line: &str| is_mirror_push(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert!(is("git push --mirror origin") && is("git push --mir"));
        assert!(!is("git push -m") && !is("git push origin mirror") && !is("git clone --mirror"));
    }

    #[test]
    fn lines_of_git_are_read() {
        let (zero, one) = ("0".repeat(40), "1".repeat(40));
        let text =
            format!("(delete) {zero} refs/heads/a {one}\nrefs/heads/b {one} refs/heads/b {zero}\ngarbage\n");
        let pushed = stdin::pushed(&text);
        assert_eq!(pushed.len(), 2);
        assert_eq!((pushed[0].local_oid, pushed[1].remote_oid), (None, None));
    }
}
