//! `trust`: what would run here, what of it is new, and a person's agreement to it.

use super::context::Context;
use super::error::Error;
use super::gates::{self, Folder, Gate};
use super::resolve::{self, Target};
use super::settings::Settings;
use super::streams::Streams;
use super::terms::{self, Terms};
use super::trust::{Trust, Word};
use super::{base, initialised, prompts};
use crate::domain::event::{AcceptedGates, Body, Draft};
use crate::domain::id::{Name, Oid};
use crate::domain::state::Protocol;

/// What somebody is asked to agree to.
#[derive(Clone, Debug)]
pub struct Proposal {
    pub folder: Folder,
    /// What of it would be started.
    pub gates: Vec<Gate>,
    /// Whose gates they are: of the protocol that they judge, or of the base.
    pub protocol: Option<Name>,
    /// On whose word they judge, or will.
    pub word: Word,
    /// Whether this clone agreed already.
    pub is_agreed: bool,
    /// The folder that was agreed to before, if it is still here.
    pub before: Option<Oid>,
    /// Whether they are the branch's own, which judge it only if they are accepted.
    pub of_branch: bool,
}

/// Everything that a repository brings and that asks for consent.
#[derive(Clone, Debug)]
pub struct Proposals {
    /// Gates, and prompts in place of the built-in ones.
    pub folders: Vec<Proposal>,
    pub engines: Vec<OfEngine>,
}

/// What a repository says about an engine.
#[derive(Clone, Debug)]
pub struct OfEngine {
    pub terms: Terms,
    pub is_agreed: bool,
    /// What was agreed to before, one thing a line.
    pub before: Option<Vec<String>>,
}

impl Proposals {
    /// Whether there is nothing left to agree to.
    pub fn are_agreed(&self) -> bool {
        self.folders.iter().all(|folder| folder.is_agreed)
            && self.engines.iter().all(|engine| engine.is_agreed)
    }
}

/// Returns all that asks for consent: the gates as [`propose`] does, the prompts of the same base, and
/// what `godzilla.toml` says about engines; with `of_branch` the gates alone.
///
/// # Errors
///
/// [`Error::State`] (`gates.missing`) if there is nothing at all.
pub fn all(ctx: &Context, name: Option<&str>, of_branch: bool) -> Result<Proposals, Error> {
    initialised(ctx)?;
    let gates = propose(ctx, name, of_branch);
    if of_branch {
        return Ok(Proposals { folders: vec![gates?], engines: Vec::new() });
    }
    let trust = Trust::load(&ctx.repo)?;
    let of_engine = |terms: Terms| OfEngine {
        is_agreed: trust.is_agreed_to_terms(&terms),
        before: trust.terms_before(&terms.name).map(<[String]>::to_vec),
        terms,
    };
    let engines: Vec<OfEngine> = terms::all(ctx)?.into_iter().map(of_engine).collect();
    let prompts = propose_prompts(ctx, &trust, name)?;
    let folders = match (gates, prompts) {
        (Ok(gates), prompts) => [gates].into_iter().chain(prompts).collect(),
        (Err(Error::State { code: "gates.missing", .. }), Some(prompts)) => vec![prompts],
        (Err(Error::State { code: "gates.missing", .. }), None) if !engines.is_empty() => Vec::new(),
        (Err(err), _) => return Err(err),
    };
    Ok(Proposals { folders, engines })
}

/// Returns the project's own prompts, as the base has them.
fn propose_prompts(ctx: &Context, trust: &Trust, name: Option<&str>) -> Result<Option<Proposal>, Error> {
    let streams = Streams::read(ctx)?;
    let is_named = name.is_some() || resolve::current(&streams)?.is_some();
    let (base, protocol) = if is_named {
        let Target { name, .. } = resolve::protocol(&streams, name)?;
        let protocol = streams.look(&name)?.folded.protocol.ok_or_else(|| super::act::unknown(&name))?;
        (Some(protocol.created.base_commit), Some(name))
    } else {
        (base_commit(ctx, &streams)?.map(|(_, commit)| commit), None)
    };
    let Some(folder) = base.map(|base| prompts::overrides_at(&ctx.repo, base)).transpose()?.flatten() else {
        return Ok(None);
    };
    let word = Word::Base;
    let before = trust.last_tree(&folder.path, word).filter(|tree| ctx.repo.has_object(*tree));
    let is_agreed = trust.is_agreed(&folder, word);
    Ok(Some(Proposal { folder, gates: Vec::new(), protocol, word, is_agreed, before, of_branch: false }))
}

/// Returns the gates that judge the protocol that is named or checked out, else those of the base; with
/// `of_branch` those that the protocol's branch has itself.
///
/// # Errors
///
/// [`Error::State`] (`gates.missing`) if there are none.
pub fn propose(ctx: &Context, name: Option<&str>, of_branch: bool) -> Result<Proposal, Error> {
    initialised(ctx)?;
    let streams = Streams::read(ctx)?;
    let is_named = name.is_some() || of_branch || resolve::current(&streams)?.is_some();
    let (folder, gates, word, protocol) = if is_named {
        let Target { name, .. } = resolve::protocol(&streams, name)?;
        let protocol = streams.look(&name)?.folded.protocol.ok_or_else(|| super::act::unknown(&name))?;
        let (folder, gates, word) = of_protocol(&streams, &protocol, of_branch)?;
        (folder, gates, word, Some(name))
    } else {
        let (folder, gates) = of_base(ctx, &streams)?;
        (folder, gates, Word::Base, None)
    };
    let trust = Trust::load(&ctx.repo)?;
    let before = trust.last_tree(&folder.path, word).filter(|tree| ctx.repo.has_object(*tree));
    let is_agreed = trust.is_agreed(&folder, word);
    Ok(Proposal { folder, gates, protocol, word, is_agreed, before, of_branch })
}

fn of_protocol(
    streams: &Streams<'_>,
    protocol: &Protocol,
    of_branch: bool,
) -> Result<(Folder, Vec<Gate>, Word), Error> {
    let repo = &streams.ctx.repo;
    let tips = streams.branches.of(protocol, streams.inventory.home());
    let tip = tips.all().first().copied().unwrap_or(protocol.created.base_commit);
    let judges = gates::judges(repo, protocol, &tips, tip)?;
    if of_branch {
        let path = &judges.settings.qa_gates;
        let (folder, gates) =
            gates::at(repo, tip, &judges.settings)?.ok_or_else(|| missing(path, "the branch"))?;
        return Ok((folder, gates, Word::Event(protocol.root)));
    }
    match judges.folder {
        Some(folder) => Ok((folder, judges.gates, judges.word)),
        None => Err(missing(&judges.settings.qa_gates, "the base of this protocol")),
    }
}

fn of_base(ctx: &Context, streams: &Streams<'_>) -> Result<(Folder, Vec<Gate>), Error> {
    let Some((name, commit)) = base_commit(ctx, streams)? else {
        return Err(missing(&ctx.settings.qa_gates, "the base"));
    };
    let settings = Settings::load_at(&ctx.repo, commit);
    gates::at(&ctx.repo, commit, &settings)?.ok_or_else(|| missing(&settings.qa_gates, &name))
}

/// Returns the newest commit of the base that is configured, or of the first that exists.
fn base_commit(ctx: &Context, streams: &Streams<'_>) -> Result<Option<(String, Oid)>, Error> {
    let repo = &ctx.repo;
    let home = streams.inventory.home();
    let configured = ctx.settings.base_branch.clone();
    let names = configured.map_or_else(|| base::candidates(repo, home), |name| vec![name]);
    for name in names {
        let tips = streams.branches.of_names("", &name, home);
        let local = repo.find_ref(&format!("refs/heads/{name}"))?;
        if let Some(commit) = tips.deciding_base.map(|(_, oid)| oid).or(local) {
            return Ok(Some((name, commit)));
        }
    }
    Ok(None)
}

fn missing(path: &str, place: &str) -> Error {
    Error::state(
        "gates.missing",
        format!("there are no gates in {path} of {place}"),
        format!("commit an executable such as {path}/test.sh to the base"),
    )
}

/// Records that a person agreed to what was proposed. Gates of a branch judge its protocol from now on,
/// in every clone; each clone still has to agree to run them.
///
/// # Errors
///
/// [`Error`] if it cannot be written.
pub fn agree(ctx: &Context, proposal: &Proposal) -> Result<(), Error> {
    Trust::load(&ctx.repo)?.agree(&proposal.folder, proposal.word)?;
    let Some(name) = proposal.protocol.as_ref().filter(|_| proposal.of_branch) else { return Ok(()) };
    let gates = AcceptedGates { tree: proposal.folder.tree, digest: proposal.folder.digest };
    let streams = Streams::read(ctx)?;
    let appended = streams.append(name, &mut |ledger, _| {
        let protocol = ledger.protocol().ok_or_else(|| super::act::unknown(name))?;
        if protocol.gates != Some(gates) {
            ledger.push(Draft::new(Body::GatesAccepted(gates)));
        }
        Ok(())
    })?;
    super::after_write(ctx, &appended);
    Ok(())
}

/// Records that a person agreed to all that was proposed.
///
/// # Errors
///
/// [`Error`] if it cannot be written.
pub fn agree_to_all(ctx: &Context, proposals: &Proposals) -> Result<(), Error> {
    for folder in &proposals.folders {
        agree(ctx, folder)?;
    }
    for engine in proposals.engines.iter().filter(|engine| !engine.is_agreed) {
        Trust::load(&ctx.repo)?.agree_to_terms(&engine.terms)?;
    }
    Ok(())
}

/// Takes back what this clone agreed to; with a proposal only that. Returns how many agreements.
///
/// # Errors
///
/// [`Error`] if it cannot be written.
pub fn revoke(ctx: &Context, proposal: Option<&Proposal>) -> Result<usize, Error> {
    let mut trust = Trust::load(&ctx.repo)?;
    let n_terms = if proposal.is_none() { trust.revoke_terms()? } else { 0 };
    Ok(n_terms + trust.revoke(proposal.map(|proposal| &proposal.folder))?)
}
