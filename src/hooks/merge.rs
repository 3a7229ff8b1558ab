//! The hooks after a merge or a checkout.

use std::ffi::OsString;

use super::{Answer, HookResult, say};
use crate::domain::id::Oid;
use crate::service::context::Context;
use crate::service::on_merge::{self, News};

pub(super) fn post_merge(ctx: &Context, _args: &[OsString]) -> HookResult {
    let Some(new) = ctx.repo.head()?.commit() else { return Ok(Answer::Go) };
    let old = ctx.repo.find_ref("ORIG_HEAD")?;
    tell(&on_merge::arrived(ctx, old, new)?);
    Ok(Answer::Go)
}

pub(super) fn post_checkout(ctx: &Context, args: &[OsString]) -> HookResult {
    let oid = |idx: usize| args.get(idx).and_then(|arg| arg.to_str()).and_then(|arg| arg.parse::<Oid>().ok());
    if let Some(new) = oid(1).filter(|new| !new.is_null()) {
        // Going back in history brings nothing.
        let old = oid(0).filter(|old| ctx.repo.is_ancestor(*old, new));
        tell(&on_merge::arrived(ctx, old, new)?);
    }
    Ok(Answer::Go)
}

fn tell(news: &News) {
    for name in &news.merged {
        say(&format!("{name} is merged and completed"));
    }
    if news.n_changed > 0 {
        let protocols = if news.n_changed == 1 {
            "1 protocol has".to_owned()
        } else {
            format!("{} protocols have", news.n_changed)
        };
        say(&format!("{protocols} news; see `git godzilla status`"));
    }
}
