//! What keeps our own git from running what a repository names.
//!
//! A repository that was unpacked, or that others can write to, brings its own configuration, and many
//! keys of git's configuration name programs. For those only what the user said counts: the files of
//! the system and the user, the environment, and `-c`. What a checkout passes through is left to git.

use std::process::Command;

use gix::bstr::{BStr, BString, ByteSlice as _};
use gix::config::Source;

use super::Repo;
use crate::platform::env;

/// The keys of `core` that name one program.
const PROGRAMS: [&str; 3] = ["sshCommand", "askPass", "alternateRefsCommand"];

/// What stands for a merge driver that the user does not have: one that leaves a conflict.
const NO_DRIVER: &str = "exit 1";

/// What a remote runs to serve a fetch and a push, as `remote.<name>.<key>` and as an option.
pub(super) const UPLOAD: (&str, &str) = ("uploadpack", "upload-pack");
pub(super) const RECEIVE: (&str, &str) = ("receivepack", "receive-pack");

/// How the commands begin that git looks for under their own name, and then as an alias.
const ALIASED: [&str; 2] = ["remote-", "credential-"];

type Setting = (BString, BString);

/// One value of a section.
struct Said {
    of_repository: bool,
    subsection: Option<BString>,
    name: String,
    /// Empty where there is no `=`.
    value: BString,
}

impl Repo {
    /// Makes `git` run no program that this repository names, but for what a checkout passes through.
    pub(super) fn harden(&self, git: &mut Command, with_hooks: bool) {
        let mut settings = self.taken_back();
        let mut set = |key: &str, value: &str| settings.push((key.into(), value.into()));
        if !with_hooks {
            // Git 2.54 and newer runs these whatever `core.hooksPath` says.
            for hook in self.configured_hooks() {
                set(&format!("hook.{}.enabled", hook.name), "false");
            }
        }
        set("core.fsmonitor", "false");
        set("merge.renormalize", "false");
        if !with_hooks {
            set("core.hooksPath", "/dev/null");
        }
        if self.is_forbidden(Some("ext".into())) {
            set("protocol.ext.allow", "never");
        }
        // `-c` has no way to say a key that holds a `=`.
        let n_before: usize = env::var("GIT_CONFIG_COUNT").and_then(|text| text.parse().ok()).unwrap_or(0);
        git.env("GIT_CONFIG_COUNT", (n_before + settings.len()).to_string());
        for (idx, (key, value)) in (n_before..).zip(settings) {
            git.env(format!("GIT_CONFIG_KEY_{idx}"), key.to_os_str_lossy());
            git.env(format!("GIT_CONFIG_VALUE_{idx}"), value.to_os_str_lossy());
        }
        git.env("GIT_PAGER", "cat");
        // Of several of these the first counts, so that none can be added that wins.
        if self.names_server(UPLOAD) {
            // A partial clone would fetch what it misses from it, on the way of any command.
            git.env("GIT_NO_LAZY_FETCH", "1");
        }
        let has_proxy = |said: &Said| said.of_repository && said.name == "gitproxy";
        if env::var_os("GIT_PROXY_COMMAND").is_none() && self.said("core").iter().any(has_proxy) {
            git.env("GIT_PROXY_COMMAND", self.user_config("core.gitProxy").unwrap_or_default());
        }
    }

    /// Keeps `git`, which talks to no remote, from fetching what a partial clone misses, if this
    /// repository names what the fetch would run. Git before 2.44 has no other way.
    pub(super) fn keep_local(&self, git: &mut Command) {
        if self.names_server(UPLOAD) {
            git.env("GIT_ALLOW_PROTOCOL", "none");
        }
    }

    /// Returns the option that says what `remote` is to run, if this repository names something.
    pub(super) fn server_option(&self, remote: &str, which: (&str, &str)) -> Option<String> {
        let (key, option) = which;
        self.names_server(which).then(|| {
            let program = self.user_config(&format!("remote.{remote}.{key}"));
            format!("--{option}={}", program.unwrap_or_else(|| format!("git-{option}")))
        })
    }

    fn names_server(&self, (key, _): (&str, &str)) -> bool {
        self.said("remote").iter().any(|said| said.of_repository && said.name == key)
    }

    /// Returns the value of a key as the user set it, whatever this repository says.
    pub(super) fn user_config(&self, key: &str) -> Option<String> {
        let config = self.gix.config_snapshot();
        let value = config.plumbing().string_filter(key, |meta| !is_of_repository(meta.source))?;
        Some(value.to_str_lossy().into_owned())
    }

    /// Returns the keys of this repository's own configuration that name programs which our own git
    /// does not run, since the user names no such program, or another one.
    pub fn unused_programs(&self) -> Vec<String> {
        let config = self.gix.config_snapshot();
        let mut settings = self.taken_back();
        let remotes = self.said("remote");
        let is_server =
            |said: &&Said| said.of_repository && [UPLOAD.0, RECEIVE.0].contains(&said.name.as_str());
        for said in remotes.iter().filter(is_server) {
            said.replace("remote", &mut settings, |of| {
                vec![user_value(&remotes, of, &said.name).unwrap_or_default()]
            });
        }
        settings.sort();
        let mut keys = Vec::new();
        for same_key in settings.chunk_by(|one, other| one.0 == other.0) {
            let key = same_key[0].0.to_str_lossy().into_owned();
            let said = config.plumbing().strings_filter(key.as_str(), |meta| is_of_repository(meta.source));
            let is_used = |value: &BString| same_key.iter().any(|(_, used)| used == value);
            if !said.unwrap_or_default().iter().all(is_used) {
                keys.push(key);
            }
        }
        keys
    }

    /// Whether this repository's own configuration names programs that files pass through when they
    /// are checked out.
    pub fn names_filters(&self) -> bool {
        let is_filter =
            |said: &Said| said.of_repository && matches!(said.name.as_str(), "clean" | "smudge" | "process");
        self.said("filter").iter().any(is_filter)
    }

    /// Returns settings that put what the user said in the place of what this repository says.
    fn taken_back(&self) -> Vec<Setting> {
        let mut settings = Vec::new();
        let core = self.said("core");
        for name in PROGRAMS {
            if core.iter().any(|said| said.of_repository && said.name.eq_ignore_ascii_case(name)) {
                let key = format!("core.{name}");
                let value = self.user_config(&key).unwrap_or_else(|| without(name));
                settings.push((key.into(), value.into()));
            }
        }
        let drivers = self.said("merge");
        for said in drivers.iter().filter(|said| said.of_repository && said.name == "driver") {
            said.replace("merge", &mut settings, |of| {
                vec![user_value(&drivers, of, "driver").unwrap_or_else(|| NO_DRIVER.into())]
            });
        }
        self.take_back_helpers(&mut settings);
        self.take_back_aliases(&mut settings);
        self.take_back_protocols(&mut settings);
        settings
    }

    fn take_back_helpers(&self, settings: &mut Vec<Setting>) {
        let all = self.said("credential");
        for said in all.iter().filter(|said| said.of_repository && said.name == "helper") {
            said.replace("credential", settings, |of| {
                let applies = |mine: &&Said| match (&mine.subsection, of) {
                    (None, _) => true,
                    (Some(url), Some(of)) => of.starts_with(url),
                    (Some(_), None) => false,
                };
                let mine = all.iter().filter(|mine| !mine.of_repository && mine.name == "helper");
                // An empty one takes back all before it.
                let values = mine.filter(applies).map(|mine| mine.value.clone());
                [BString::default()].into_iter().chain(values).collect()
            });
        }
    }

    fn take_back_aliases(&self, settings: &mut Vec<Setting>) {
        let all = self.said("alias");
        for said in all.iter().filter(|said| said.of_repository) {
            let command = said.subsection.as_ref().map_or(said.name.as_bytes(), |of| of.as_slice());
            if ALIASED.iter().any(|prefix| command.to_ascii_lowercase().starts_with(prefix.as_bytes())) {
                said.replace("alias", settings, |of| {
                    vec![user_value(&all, of, &said.name).unwrap_or_else(|| "!exit 1".into())]
                });
            }
        }
    }

    fn take_back_protocols(&self, settings: &mut Vec<Setting>) {
        for said in self.said("protocol").iter().filter(|said| said.of_repository && said.name == "allow") {
            if self.is_forbidden(said.subsection.as_ref().map(|name| name.as_bstr())) {
                said.replace("protocol", settings, |_| vec!["never".into()]);
            }
        }
    }

    /// Whether the user does not let git speak a protocol; without a name, those that have no setting
    /// of their own.
    fn is_forbidden(&self, protocol: Option<&BStr>) -> bool {
        let all = self.said("protocol");
        let own = protocol.and_then(|name| user_value(&all, Some(name), "allow"));
        match own.or_else(|| user_value(&all, None, "allow")) {
            Some(allow) => allow.eq_ignore_ascii_case(b"never"),
            None => protocol.is_some_and(|name| name == "ext"),
        }
    }

    /// Returns all values of a section, those that git lets win last, their names in lower case.
    fn said(&self, section: &str) -> Vec<Said> {
        let config = self.gix.config_snapshot();
        let Some(sections) = config.plumbing().sections_by_name(section) else { return Vec::new() };
        let mut all = Vec::new();
        for section in sections {
            let of_repository = is_of_repository(section.meta().source);
            let subsection = section.header().subsection_name().map(ToOwned::to_owned);
            let mut names: Vec<String> =
                section.value_names().map(|name| name.to_ascii_lowercase()).collect();
            names.sort();
            names.dedup();
            for name in names {
                let mut values = section.values(&name);
                if values.is_empty() {
                    values.push(BString::default());
                }
                let say =
                    |value| Said { of_repository, subsection: subsection.clone(), name: name.clone(), value };
                all.extend(values.into_iter().map(say));
            }
        }
        all
    }
}

impl Said {
    /// Adds `values` for the key of this one. Git reads `[remote.Name]` in lower case, so that spelling
    /// of the name gets its own too.
    fn replace(
        &self,
        section: &str,
        settings: &mut Vec<Setting>,
        values: impl Fn(Option<&BStr>) -> Vec<BString>,
    ) {
        let mut spellings = vec![self.subsection.clone()];
        let lower = self.subsection.as_ref().map(|name| BString::from(name.to_ascii_lowercase()));
        if lower != self.subsection {
            spellings.push(lower);
        }
        for of in spellings {
            let mut key = BString::from(section);
            if let Some(of) = &of {
                key.push(b'.');
                key.extend_from_slice(of);
            }
            key.push(b'.');
            key.extend_from_slice(self.name.as_bytes());
            let values = values(of.as_ref().map(|of| of.as_bstr()));
            settings.extend(values.into_iter().map(|value| (key.clone(), value)));
        }
    }
}

fn user_value(all: &[Said], subsection: Option<&BStr>, name: &str) -> Option<BString> {
    let is_it = |said: &&Said| {
        !said.of_repository
            && said.name == name
            && said.subsection.as_ref().map(|of| of.as_bstr()) == subsection
    };
    all.iter().rev().find(is_it).map(|said| said.value.clone())
}

fn is_of_repository(source: Source) -> bool {
    matches!(source, Source::Local | Source::Worktree)
}

/// Returns what stands for one of [`PROGRAMS`] that the user does not name.
fn without(name: &str) -> String {
    match (name, env::var("GIT_SSH")) {
        ("sshCommand", Some(program)) => format!("'{}'", program.replace('\'', r"'\''")),
        ("sshCommand", None) => "ssh".to_owned(),
        ("askPass", _) => env::var("SSH_ASKPASS").unwrap_or_default(),
        // It lists no ref.
        _ => "true".to_owned(),
    }
}
