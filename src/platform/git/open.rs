//! Finding a repository, and refusing the ones that would be damaged.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use super::objects::MAX_OBJECT;
use super::{Error, Repo};
use crate::platform::env;
use crate::platform::process::{self, Limits};

/// Why there is no repository to work with.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("not a git repository (or any of the parent directories): `{}`", .0.display())]
    NotARepository(PathBuf),
    #[error("this repository is not supported: {0}")]
    Unsupported(String),
    #[error("the repository at `{}` belongs to somebody else", .0.display())]
    Untrusted(PathBuf),
    #[error("failed to open the repository")]
    Gix(#[source] gix::Error),
}

/// Extensions that change nothing for us. gix itself ignores what it does not know, which for
/// `refStorage` means a ref that git never sees.
const KNOWN_EXTENSIONS: &[&str] =
    &["noop", "objectformat", "partialclone", "preciousobjects", "relativeworktrees", "worktreeconfig"];

impl Repo {
    /// Opens the repository that `GIT_DIR` names or that `dir` lies in.
    ///
    /// # Errors
    ///
    /// [`OpenError`]; nothing was written.
    pub fn discover(dir: &Path) -> Result<Self, OpenError> {
        // From `.` in a git folder gix would look for another one in it.
        let absolute = if dir.join("objects").is_dir() { std::path::absolute(dir).ok() } else { None };
        let dir = absolute.as_deref().unwrap_or(dir);
        let trust = gix::sec::trust::Mapping { full: options(), reduced: options() };
        let discovery =
            gix::discover::upwards::Options { match_ceiling_dir_or_error: false, ..Default::default() };
        let found =
            gix::ThreadSafeRepository::discover_with_environment_overrides_opts(dir, discovery, trust);
        let repo = match found {
            Ok(repo) => repo.to_thread_local(),
            Err(err) => return Err(explain(dir, err)),
        };
        Self::guarded(repo)
    }

    /// Opens the repository whose git folder is `dir`, as `git --git-dir` does.
    ///
    /// # Errors
    ///
    /// [`OpenError`]; nothing was written.
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        let repo = gix::ThreadSafeRepository::open_opts(dir, options()).map_err(|err| explain(dir, err))?;
        Self::guarded(repo.to_thread_local())
    }

    fn guarded(mut repo: gix::Repository) -> Result<Self, OpenError> {
        if repo.git_dir_trust() != gix::sec::Trust::Full {
            return Err(OpenError::Untrusted(repo.git_dir().to_owned()));
        }
        let config = repo.config_snapshot();
        if config.integer("core.repositoryFormatVersion").unwrap_or(0) >= 1
            && let Some(sections) = config.plumbing().sections_by_name("extensions")
        {
            for section in sections {
                for name in section.value_names() {
                    let name = name.to_ascii_lowercase();
                    let files = name == "refstorage"
                        && config.string("extensions.refStorage").is_some_and(|value| value == "files");
                    if !files && !KNOWN_EXTENSIONS.contains(&name.as_str()) {
                        let value = config.string(format!("extensions.{name}").as_str()).unwrap_or_default();
                        return Err(OpenError::Unsupported(format!(
                            "it has the extension `{name}` = `{value}`"
                        )));
                    }
                }
            }
        }
        repo.object_cache_size_if_unset(4 * 1024 * 1024);
        let absolute = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let (git_dir, common_dir) = (absolute(repo.git_dir()), absolute(repo.common_dir()));
        let work_dir = repo.workdir().map(absolute);
        Ok(Self {
            gix: repo,
            packs: super::packs::Packs::default(),
            git_dir,
            common_dir,
            work_dir,
            label: std::cell::OnceCell::new(),
            remotes: std::cell::OnceCell::new(),
            between: RefCell::default(),
            changes: RefCell::default(),
            loose: super::loose::Loose::default(),
        })
    }
}

/// State is a function of objects as they are, so replacements are not looked at.
fn options() -> gix::open::Options {
    let max_object = format!("gitoxide.objects.allocLimit={MAX_OBJECT}");
    gix::open::Options::default()
        .bail_if_untrusted(true)
        .config_overrides(["core.useReplaceRefs=false", max_object.as_str()])
        .cli_overrides(config_parameters())
}

/// Makes a repository in the current folder if it lies in none.
///
/// # Errors
///
/// [`Error`] if git fails.
pub fn init_if_needed(dry_run: bool) -> Result<(), Error> {
    if dry_run || !matches!(Repo::discover(Path::new(".")), Err(OpenError::NotARepository(_))) {
        return Ok(());
    }
    let output =
        process::run(super::run::clean_git().arg("init").arg("--quiet"), None, Limits::default(), |_| ())?;
    if output.status.success() { Ok(()) } else { Err(super::run::failed(&["init"], &output.stderr)) }
}

fn explain(dir: &Path, err: gix::Error) -> OpenError {
    let chain = format!("{err:?}");
    if chain.contains("nsafe") || chain.contains("rust") && chain.contains("own") {
        return OpenError::Untrusted(top_of(dir));
    }
    if chain.contains("repositoryformatversion")
        || chain.contains("repositoryFormatVersion")
        || chain.contains("objectFormat")
    {
        return OpenError::Unsupported("its format is newer than this program".to_owned());
    }
    if env::var_os("GIT_DIR").is_none()
        && !dir.ancestors().any(|dir| dir.join(".git").exists() || dir.join("HEAD").is_file())
    {
        return OpenError::NotARepository(dir.to_owned());
    }
    OpenError::Gix(err)
}

/// Returns the folder to name to git's `safe.directory`: the one that holds `.git`, else the bare one.
fn top_of(dir: &Path) -> PathBuf {
    let dir = std::fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
    let found = dir.ancestors().find(|dir| dir.join(".git").exists());
    found.unwrap_or(&dir).to_owned()
}

/// Returns the settings of `git -c key=value`, which git hands on in `GIT_CONFIG_PARAMETERS`.
fn config_parameters() -> Vec<String> {
    env::var("GIT_CONFIG_PARAMETERS").map(|text| parse_parameters(&text)).unwrap_or_default()
}

/// Reads git's two spellings: `'key=value'` and `'key'='value'`, apart by spaces.
fn parse_parameters(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut current = String::new();
    let mut quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\'' => quoted = !quoted,
            '\\' if !quoted => current.extend(chars.next()),
            ' ' if !quoted => found.push(std::mem::take(&mut current)),
            c => current.push(c),
        }
    }
    found.push(current);
    found.retain(|setting| !setting.is_empty());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_command_line_settings_are_read() {
        for (text, settings) in [
            ("'a.b=c d' 'e.f'", vec!["a.b=c d", "e.f"]),
            ("'a.b'='c d' 'e.f'=", vec!["a.b=c d", "e.f="]),
            (r"'a.b'='it'\''s'", vec!["a.b=it's"]),
            ("", vec![]),
        ] {
            assert_eq!(parse_parameters(text), settings, "{text}");
        }
    }
}
