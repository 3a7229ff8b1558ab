//! Git's configuration.

use gix::bstr::ByteSlice as _;

use super::{Identity, Repo};
use crate::platform::env;

/// A remote of the repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    pub name: String,
    pub urls: Vec<String>,
    pub push_urls: Vec<String>,
    pub fetch: Vec<String>,
}

/// One setting of git's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigLine {
    /// Without the section: `<subsection>.<name>`, or the name alone.
    pub key: String,
    /// `None` for a name without `=`, which git takes for true.
    pub value: Option<String>,
    /// As `git config --show-scope` says it.
    pub scope: &'static str,
}

impl Repo {
    /// Returns all settings of a section, those that git lets win last.
    pub fn config_section(&self, section: &str) -> Vec<ConfigLine> {
        let config = self.gix.config_snapshot();
        let Some(sections) = config.plumbing().sections_by_name(section) else { return Vec::new() };
        let mut lines = Vec::new();
        for section in sections {
            let scope = scope(section.meta().source);
            let subsection = section.header().subsection_name().map(|name| name.to_str_lossy().into_owned());
            let mut seen: Vec<String> = Vec::new();
            for name in section.value_names() {
                if seen.iter().any(|known| known.eq_ignore_ascii_case(&name)) {
                    continue;
                }
                let key = subsection.as_ref().map_or_else(|| name.clone(), |part| format!("{part}.{name}"));
                let values =
                    section.values(&name).into_iter().map(|value| Some(value.to_str_lossy().into_owned()));
                let bare = section.value_implicit(&name).is_some_and(|value| value.is_none()).then_some(None);
                lines.extend(values.chain(bare).map(|value| ConfigLine { key: key.clone(), value, scope }));
                seen.push(name);
            }
        }
        lines
    }

    /// Returns the value of a key as in `godzilla.qa.policy`.
    pub fn config(&self, key: &str) -> Option<String> {
        self.gix.config_snapshot().string(key).map(|value| value.to_str_lossy().into_owned())
    }

    /// Returns the value of a key that is a path, with `~` resolved.
    pub fn config_path(&self, key: &str) -> Option<std::path::PathBuf> {
        self.gix.config_snapshot().trusted_path(key).ok()?
    }

    pub fn config_bool(&self, key: &str) -> Option<bool> {
        self.gix.config_snapshot().boolean(key)
    }

    /// Returns every value of `remote.<name>.<key>`, in the order of files and lines.
    pub fn config_all(&self, section: &str, subsection: &str, key: &str) -> Vec<String> {
        let config = self.gix.config_snapshot();
        let Some(sections) = config.plumbing().sections_by_name(section) else { return Vec::new() };
        sections
            .filter(|section| section.header().subsection_name().is_some_and(|name| name == subsection))
            .flat_map(|section| section.values(key))
            .map(|value| value.to_str_lossy().into_owned())
            .collect()
    }

    /// Returns the remotes, by name.
    pub fn remotes(&self) -> Vec<Remote> {
        let read = || {
            let names = self.gix.remote_names();
            names.into_iter().map(|name| self.remote_named(name.to_str_lossy().into_owned())).collect()
        };
        self.remotes.get_or_init(read).clone()
    }

    fn remote_named(&self, name: String) -> Remote {
        Remote {
            urls: self.config_all("remote", &name, "url"),
            push_urls: self.config_all("remote", &name, "pushurl"),
            fetch: self.config_all("remote", &name, "fetch"),
            name,
        }
    }

    /// Returns the committer that git would use; `None` if nobody said who that is.
    pub fn committer(&self) -> Option<Identity> {
        self.person("COMMITTER", "committer")
    }

    /// Returns the author that git would use; `None` if nobody said who that is.
    pub fn author(&self) -> Option<Identity> {
        self.person("AUTHOR", "author")
    }

    /// From the environment, else `<role>.name`, else `user.name`; the email likewise, at last from
    /// `EMAIL`. gix knows this too, but loads the time zones of the machine on the way, which costs
    /// a hook more than everything else that it does.
    fn person(&self, variable: &str, section: &str) -> Option<Identity> {
        let find = |what: &str| {
            env::var(&format!("GIT_{variable}_{}", what.to_uppercase()))
                .or_else(|| self.config(&format!("{section}.{what}")))
                .or_else(|| self.config(&format!("user.{what}")))
        };
        let name = clean(&find("name")?);
        let email = clean(&find("email").or_else(|| env::var("EMAIL"))?);
        (!name.is_empty()).then_some(Identity { name, email })
    }

    /// Whether `core.fsync` asks for `component` to be put on the disk at once. Git's default is
    /// neither loose objects nor refs.
    pub(super) fn wants_fsync(&self, component: &str) -> bool {
        let Some(value) = self.config("core.fsync") else { return false };
        let mut wanted = false;
        for word in value.split(',').map(str::trim) {
            match word {
                "none" => wanted = false,
                "all" => wanted = true,
                "committed" | "objects" | "added" if component == "loose-object" => wanted = true,
                "committed" | "added" if component == "reference" => wanted = word == "committed",
                word if word == component => wanted = true,
                word if word.strip_prefix('-') == Some(component) => wanted = false,
                _ => (),
            }
        }
        wanted
    }
}

fn scope(source: gix::config::Source) -> &'static str {
    use gix::config::Source;
    match source {
        Source::GitInstallation | Source::System => "system",
        Source::Git | Source::User => "global",
        Source::Local => "local",
        Source::Worktree => "worktree",
        Source::Env | Source::Cli | Source::Api | Source::EnvOverride => "command",
    }
}

/// Takes out what cannot stand in a commit's header.
fn clean(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '<' | '>' | '\n' | '\0')).collect::<String>().trim().to_owned()
}
