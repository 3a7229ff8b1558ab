//! What every use case is given: the repository, the settings, who acts, and how long it may wait.

use std::time::Duration;

use super::settings::Settings;
use crate::domain::event::{Actor, ActorKind};
use crate::domain::id::Ulid;
use crate::domain::ledger::Author;
use crate::domain::text;
use crate::platform::clock;
use crate::platform::git::Repo;
use crate::store::stream::Writer;

/// How long a command waits for others that write the same stream.
const COMMAND_LIMIT: Duration = Duration::from_secs(30);

/// How long a hook waits before it spools its events.
const HOOK_LIMIT: Duration = Duration::from_secs(2);

/// Made once for each command or hook.
pub struct Context {
    pub repo: Repo,
    pub settings: Settings,
    /// The id of this command; all events that it writes carry it.
    pub op: Ulid,
    pub actor: ActorKind,
    pub limit: Duration,
}

impl Context {
    /// Returns the context of a command that a person runs.
    pub fn of_command(repo: Repo, settings: Settings) -> Self {
        Self { repo, settings, op: clock::new_id(), actor: ActorKind::Human, limit: COMMAND_LIMIT }
    }

    /// Returns the context of a hook.
    pub fn of_hook(repo: Repo, settings: Settings) -> Self {
        Self { repo, settings, op: clock::new_id(), actor: ActorKind::Hook, limit: HOOK_LIMIT }
    }

    /// Returns who writes. Without an identity only facts and what others wrote can be recorded.
    pub fn writer(&self) -> Writer<'static> {
        let identity = self.repo.committer();
        let name = identity.as_ref().map(|who| text::one_line(&who.name)).unwrap_or_default();
        let actor = Actor { kind: self.actor, name, host: self.repo.clone_label() };
        let author =
            Author { actor: actor.into(), op: self.op, now_ms: clock::now_ms(), next_id: &clock::new_id };
        Writer { author, identity, limit: self.limit, signer: None }
    }
}
