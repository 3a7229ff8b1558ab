//! Which engines there are, how each is set up, and whether it could run.

use std::path::Path;

use super::context::Context;
use super::error::Error;
use super::settings::Entry;
use super::settings::engines::{EngineSettings, Engines};
use super::terms;
use super::trust::Trust;
use crate::domain::run::RunKind;
use crate::engine::{self, Capabilities, Check, KINDS, Setup, WITHOUT_MODEL};
use crate::platform::env;

/// One engine, as the settings have it.
#[derive(Clone, Debug)]
pub struct Listed {
    pub name: String,
    /// `human` and `outline` are kinds of their own.
    pub kind: String,
    /// What is set about it; `None` for what is built in and left as it is.
    pub settings: Option<EngineSettings>,
    pub model: Option<String>,
    /// `None` for what is no program, and for a kind that this release does not know.
    pub capabilities: Option<Capabilities>,
    /// The phases that it is set for, with the fallbacks of their engines.
    pub used_by: Vec<&'static str>,
    /// The places that say something about it, as `config show --origin` names them; empty for what is
    /// built in and left as it is.
    pub set_in: Vec<String>,
    /// Whether a person has still to agree to what the repository says of it or brings for it.
    pub needs_consent: bool,
}

/// An engine that was looked at.
#[derive(Clone, Debug)]
pub struct Checked {
    pub engine: Listed,
    /// `None` if it was not looked at: it is no program, or nobody agreed to it.
    pub check: Option<Check>,
    pub is_usable: bool,
}

/// Returns the kind of an engine, how it is set up and what else is set about it.
///
/// # Errors
///
/// [`Error::Unknown`] with near misses if nothing is built in or set by this name, [`Error::State`] if it is
/// the name of people or of the planner without a model.
pub fn setup_of(ctx: &Context, name: &str) -> Result<(String, Setup, EngineSettings), Error> {
    if WITHOUT_MODEL.contains(&name) {
        let message = format!("`{name}` is no engine that can be asked");
        return Err(Error::state("engine.without_model", message, "git godzilla engines list"));
    }
    let engines = &ctx.settings.engines;
    let settings = engines.named.get(name);
    if settings.is_none() && !KINDS.contains(&name) {
        return Err(unknown(engines, name));
    }
    let settings = settings.cloned().unwrap_or_default();
    let kind = kind_of(name, &settings);
    let root = ctx.repo.work_dir().unwrap_or_else(|| ctx.repo.common_dir());
    let setup = Setup {
        name: name.to_owned(),
        argv: argv_at(root, &settings.argv),
        base_url: settings.base_url.clone(),
        api: settings.api.clone(),
        key_env: settings.key_env.clone(),
        pass_env: settings.pass_env.clone(),
    };
    Ok((kind, setup, settings))
}

/// Returns every engine that is built in or set, the built-in ones first.
///
/// # Errors
///
/// [`Error`] if a file of the repository that an engine would run, or what was agreed to, cannot be read.
pub fn list(ctx: &Context) -> Result<Vec<Listed>, Error> {
    let engines = &ctx.settings.engines;
    let trust = Trust::load(&ctx.repo)?;
    let built_in = WITHOUT_MODEL.iter().chain(KINDS).copied();
    let set = engines.named.keys().map(String::as_str);
    let more = set.filter(|name| !KINDS.contains(name) && !WITHOUT_MODEL.contains(name));
    let listed = |name| {
        let terms = if WITHOUT_MODEL.contains(&name) { None } else { terms::of(ctx, name)? };
        Ok(Listed {
            set_in: set_in(&ctx.settings.entries, name),
            needs_consent: terms.is_some_and(|terms| !trust.is_agreed_to_terms(&terms)),
            ..listed(engines, name)
        })
    };
    built_in.chain(more).map(listed).collect()
}

impl Listed {
    /// Whether this release knows what kind of engine it is.
    pub fn is_known(&self) -> bool {
        let kind = self.kind.as_str();
        KINDS.contains(&kind) || WITHOUT_MODEL.contains(&kind)
    }
}

/// Returns where something is set about an engine.
fn set_in(entries: &[Entry], name: &str) -> Vec<String> {
    let mut places: Vec<String> = Vec::new();
    for entry in entries.iter().filter(|entry| entry.typed.is_some()) {
        let of = entry.key.strip_prefix("engines.").and_then(|rest| rest.rsplit_once('.'));
        let place = entry.origin.to_string();
        if of.is_some_and(|(of, _)| of == name) && !places.contains(&place) {
            places.push(place);
        }
    }
    places
}

/// Looks whether engines could run: the one of this name, or else all that are set for a phase or set up.
/// Asks no model anything, and neither starts nor contacts what nobody agreed to.
///
/// # Errors
///
/// [`Error::Unknown`] if there is no engine of this name; else as [`list`].
pub fn check(ctx: &Context, name: Option<&str>) -> Result<Vec<Checked>, Error> {
    let all = list(ctx)?;
    let chosen: Vec<Listed> = match name {
        Some(name) if all.iter().any(|engine| engine.name == name) => {
            all.into_iter().filter(|engine| engine.name == name).collect()
        }
        Some(name) => return Err(unknown(&ctx.settings.engines, name)),
        None => {
            all.into_iter().filter(|engine| engine.settings.is_some() || !engine.used_by.is_empty()).collect()
        }
    };
    let dir = ctx.repo.work_dir().unwrap_or_else(|| ctx.repo.common_dir());
    chosen.into_iter().map(|engine| checked(ctx, dir, engine)).collect()
}

fn checked(ctx: &Context, dir: &Path, engine: Listed) -> Result<Checked, Error> {
    if WITHOUT_MODEL.contains(&engine.name.as_str()) {
        return Ok(Checked { engine, check: None, is_usable: true });
    }
    if engine.needs_consent {
        return Ok(Checked { engine, check: None, is_usable: false });
    }
    let (kind, setup, _) = setup_of(ctx, &engine.name)?;
    let check = engine::of_kind(&kind, setup).map(|program| program.check(dir));
    let is_usable = check.as_ref().is_some_and(Check::is_usable);
    Ok(Checked { engine, check, is_usable })
}

fn listed(engines: &Engines, name: &str) -> Listed {
    let settings = engines.named.get(name).cloned();
    let kind = match &settings {
        _ if WITHOUT_MODEL.contains(&name) => name.to_owned(),
        Some(settings) => kind_of(name, settings),
        None => name.to_owned(),
    };
    Listed {
        name: name.to_owned(),
        model: settings.as_ref().and_then(|settings| settings.model.clone()),
        capabilities: engine::of_kind(&kind, Setup::default()).map(|engine| engine.capabilities()),
        used_by: used_by(engines, name),
        set_in: Vec::new(),
        needs_consent: false,
        settings,
        kind,
    }
}

/// Returns the phases whose engine this is, or a fallback of it.
fn used_by(engines: &Engines, name: &str) -> Vec<&'static str> {
    let phases = &engines.phases;
    let all = [
        ("planning", phases.of(RunKind::Plan)),
        ("decompose", phases.of(RunKind::Decompose)),
        ("exec", phases.of(RunKind::Step)),
        ("qa", phases.of(RunKind::Review)),
        ("discovery", phases.discovery.as_deref()),
    ];
    let falls_back = |engine: &str| {
        engines.named.get(engine).is_some_and(|settings| settings.fallbacks.iter().any(|other| other == name))
    };
    let is_used = |engine: Option<&str>| engine.is_some_and(|engine| engine == name || falls_back(engine));
    all.into_iter().filter(|(_, engine)| is_used(*engine)).map(|(phase, _)| phase).collect()
}

/// Returns the kind that is set, or else the one of this name, or else `command`.
fn kind_of(name: &str, settings: &EngineSettings) -> String {
    let usual = if KINDS.contains(&name) { name } else { "command" };
    settings.kind.clone().unwrap_or_else(|| usual.to_owned())
}

/// Returns a command line whose program is found from anywhere: one that is a path is a path from the top of
/// the repository, one that is a name is looked for in `PATH`.
fn argv_at(root: &Path, argv: &[String]) -> Vec<String> {
    let mut argv = argv.to_vec();
    if let Some(program) = argv.first_mut() {
        if let Some(rest) = program.strip_prefix("~/") {
            if let Some(home) = env::var("HOME") {
                *program = format!("{home}/{rest}");
            }
        } else if program.contains('/') {
            *program = root.join(&*program).to_string_lossy().into_owned();
        }
    }
    argv
}

fn unknown(engines: &Engines, name: &str) -> Error {
    let known = WITHOUT_MODEL.iter().chain(KINDS).copied().chain(engines.named.keys().map(String::as_str));
    super::resolve::unknown("engine", name, known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::settings::Settings;

    fn engines(file: &str) -> Engines {
        Settings::of_file(file.as_bytes()).engines
    }

    #[test]
    fn a_kind_is_what_is_set_or_the_name_or_a_command() {
        let engines = engines(
            "[engines.codex]\nmodel = \"m\"\n[engines.mine]\nargv = [\"./run\"]\n\
             [engines.near]\nkind = \"http\"\nbase_url = \"http://localhost/v1\"\n",
        );
        for (name, kind) in [("codex", "codex"), ("mine", "command"), ("near", "http"), ("claude", "claude")]
        {
            assert_eq!(listed(&engines, name).kind, kind);
        }
        assert_eq!(listed(&engines, "codex").model.as_deref(), Some("m"));
    }

    #[test]
    fn phases_use_their_engine_and_its_fallbacks() {
        let engines = engines(
            "[phases]\nplanning = \"codex\"\nqa = \"claude\"\n[engines.codex]\nfallbacks = [\"near\"]\n",
        );
        assert_eq!(used_by(&engines, "codex"), ["planning", "decompose"]);
        assert_eq!(used_by(&engines, "near"), ["planning", "decompose"]);
        assert_eq!(used_by(&engines, "claude"), ["qa"]);
        assert!(used_by(&engines, "gemini").is_empty());
    }

    #[test]
    fn a_program_that_is_a_path_is_one_from_the_top() {
        let argv = |program: &str| argv_at(Path::new("/top"), &[program.to_owned(), "a/b".to_owned()]);
        assert_eq!(argv("./tools/run"), ["/top/./tools/run", "a/b"]);
        assert_eq!(argv("/usr/bin/run"), ["/usr/bin/run", "a/b"]);
        assert_eq!(argv("run"), ["run", "a/b"]);
        assert!(argv_at(Path::new("/top"), &[]).is_empty());
    }
}
