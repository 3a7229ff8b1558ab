//! Signatures over bytes of ours, made and checked as git's own configuration says.
//!
//! Programs, keys and the list of who may sign come from what the *user* configured: a repository that
//! names them is not heard, nor is a path that would lead into it.

use std::path::{Path, PathBuf};

use super::Repo;
use crate::domain::text;
use crate::platform::fs::DraftFolder;
use crate::platform::process::{self, Limits, Output};
use crate::platform::{env, fs};

/// What an SSH signature is for, so that one made for git or for files does not count as ours.
const NAMESPACE: &str = "git-godzilla";

/// The longest signature that is kept or looked at, in bytes.
const MAX_SIGNATURE: usize = 16 * 1024;

/// Why nothing could be signed or checked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{message}")]
    NotSetUp { message: String, hint: String },
    #[error("`{program}` did not sign: {message}")]
    Refused { program: String, message: String },
    #[error(transparent)]
    Process(#[from] process::Error),
    #[error("a file for a signature cannot be written")]
    Io(#[from] std::io::Error),
}

/// Git's forms of signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    OpenPgp,
    X509,
    Ssh,
}

/// What signs in the user's name.
#[derive(Clone, Debug)]
pub struct Signer {
    format: Format,
    program: String,
    key: Key,
    /// Where files of one call may lie.
    dir: PathBuf,
}

#[derive(Clone, Debug)]
enum Key {
    /// As the program knows it: an id, or a file.
    Named(String),
    /// A public key whose other half an agent has.
    Public(String),
}

/// What checks signatures.
#[derive(Clone, Debug)]
pub struct Verifier {
    programs: [String; 3],
    /// Who may sign with SSH keys, if the user says so.
    allowed: Option<PathBuf>,
    revoked: Option<PathBuf>,
    dir: PathBuf,
}

/// What a check came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verified {
    /// The bytes are what was signed, by this one.
    Good { signer: String, key: String },
    /// They are not, or the signature is none, or its key was revoked.
    Bad { reason: String },
    /// The bytes are what was signed, but nobody says whose key it is; or that cannot be told without it.
    UnknownKey { key: String },
    /// There is no list of who may sign.
    NoAllowedSigners { key: String },
}

impl Format {
    const ALL: [Self; 3] = [Self::OpenPgp, Self::X509, Self::Ssh];

    /// Returns the form of a signature by how it begins.
    fn of(signature: &str) -> Option<Self> {
        let begins = |with: &str| signature.trim_start().starts_with(with);
        match () {
            () if begins("-----BEGIN SSH SIGNATURE-----") => Some(Self::Ssh),
            () if begins("-----BEGIN PGP SIGNATURE-----") || begins("-----BEGIN PGP MESSAGE-----") => {
                Some(Self::OpenPgp)
            }
            () if begins("-----BEGIN SIGNED MESSAGE-----") => Some(Self::X509),
            () => None,
        }
    }

    /// The program of the user's configuration, or the usual one.
    fn program(self, repo: &Repo) -> String {
        let (key, usual) = match self {
            Self::OpenPgp => ("gpg.openpgp.program", "gpg"),
            Self::X509 => ("gpg.x509.program", "gpgsm"),
            Self::Ssh => ("gpg.ssh.program", "ssh-keygen"),
        };
        let general = || repo.user_config("gpg.program").filter(|_| self == Self::OpenPgp);
        let program = repo.user_config(key).or_else(general).and_then(|program| of_user(&program));
        program.unwrap_or_else(|| usual.to_owned())
    }
}

impl Repo {
    /// Returns what signs in the user's name.
    ///
    /// # Errors
    ///
    /// [`Error::NotSetUp`] if the user named no key.
    pub fn signer(&self) -> Result<Signer, Error> {
        let format = match self.user_config("gpg.format").as_deref() {
            None | Some("openpgp") => Format::OpenPgp,
            Some("x509") => Format::X509,
            Some("ssh") => Format::Ssh,
            Some(other) => {
                return Err(not_set_up(
                    &format!("gpg.format is `{}`, which is no form of signatures", text::one_line(other)),
                    "git config --global gpg.format ssh",
                ));
            }
        };
        let named = self.user_config("user.signingKey").filter(|key| !key.is_empty());
        let key = match (format, named) {
            (Format::Ssh, Some(key)) => ssh_key(&key)?,
            (_, Some(key)) => Key::Named(key),
            (Format::OpenPgp | Format::X509, None) => {
                let email = self.user_config("user.email").filter(|email| !email.is_empty());
                Key::Named(email.ok_or_else(no_key)?)
            }
            (Format::Ssh, None) => return Err(no_key()),
        };
        Ok(Signer { format, program: format.program(self), key, dir: self.state_dir() })
    }

    /// Returns what checks signatures, as the user set it up.
    pub fn verifier(&self) -> Verifier {
        let path = |key: &str| self.user_config(key).and_then(|path| of_user(&path)).map(PathBuf::from);
        Verifier {
            programs: Format::ALL.map(|format| format.program(self)),
            allowed: path("gpg.ssh.allowedSignersFile").filter(|path| path.is_file()),
            revoked: path("gpg.ssh.revocationFile").filter(|path| path.is_file()),
            dir: self.state_dir(),
        }
    }
}

impl Signer {
    /// Returns a detached signature over `bytes`. The program may ask for a passphrase on the terminal.
    ///
    /// # Errors
    ///
    /// [`Error`] if the program is not there or does not sign.
    pub fn sign(&self, bytes: &[u8]) -> Result<String, Error> {
        let draft = DraftFolder::new(&self.dir)?;
        let mut command = process::command(&self.program);
        command.env("LC_ALL", "C");
        match (&self.key, self.format) {
            (Key::Named(key), Format::OpenPgp | Format::X509) => {
                command.args(["--status-fd=2", "--detach-sign", "--armor", "--local-user", key]);
            }
            (Key::Named(key), Format::Ssh) => {
                command.args(["-Y", "sign", "-n", NAMESPACE, "-f", key]);
            }
            (Key::Public(key), _) => {
                let file = draft.path().join("key.pub");
                fs::write_new_file(&file, format!("{key}\n").as_bytes(), false)?;
                command.args(["-Y", "sign", "-n", NAMESPACE, "-U", "-f"]).arg(file);
            }
        }
        let output = process::run(&mut command, Some(bytes), Limits::default(), |_| ())?;
        let signature = String::from_utf8_lossy(&output.stdout).replace('\r', "").trim().to_owned();
        let is_one = Format::of(&signature) == Some(self.format) && signature.len() <= MAX_SIGNATURE;
        if output.status.success() && is_one {
            return Ok(signature);
        }
        Err(Error::Refused { program: self.program.clone(), message: last_words(&output) })
    }
}

impl Verifier {
    /// Checks a detached signature over `bytes`.
    ///
    /// # Errors
    ///
    /// [`Error`] if the program that checks is not there.
    pub fn verify(&self, bytes: &[u8], signature: &str) -> Result<Verified, Error> {
        let format = Format::of(signature).filter(|_| signature.len() <= MAX_SIGNATURE);
        let Some(format) = format else {
            return Ok(bad("it is no signature that git knows"));
        };
        let draft = DraftFolder::new(&self.dir)?;
        let file = draft.path().join("signature");
        fs::write_new_file(&file, format!("{}\n", signature.trim_end()).as_bytes(), false)?;
        match format {
            Format::Ssh => self.verify_ssh(bytes, &file),
            Format::OpenPgp => verify_gpg(&self.programs[0], bytes, &file),
            Format::X509 => verify_gpg(&self.programs[1], bytes, &file),
        }
    }

    fn ssh(&self, args: &[&str], files: &[(&str, &Path)], bytes: &[u8]) -> Result<Output, Error> {
        let mut command = process::command(&self.programs[2]);
        command.env("LC_ALL", "C").arg("-Y").args(args);
        for (option, file) in files {
            command.arg(option).arg(file);
        }
        Ok(process::run(&mut command, Some(bytes), Limits::default(), |_| ())?)
    }

    fn verify_ssh(&self, bytes: &[u8], signature: &Path) -> Result<Verified, Error> {
        let sig = ("-s", signature);
        let whole = self.ssh(&["check-novalidate", "-n", NAMESPACE], &[sig], bytes)?;
        if !whole.status.success() {
            return Ok(bad(&last_words(&whole)));
        }
        let key = key_of(&said(&whole));
        let Some(allowed) = &self.allowed else { return Ok(Verified::NoAllowedSigners { key }) };
        let by = ("-f", allowed.as_path());
        let found = self.ssh(&["find-principals"], &[by, sig], b"")?;
        let principals = said(&found);
        for principal in principals.lines().filter(|_| found.status.success()).take(20) {
            let verify = ["verify", "-n", NAMESPACE, "-I", principal];
            if !self.ssh(&verify, &[by, sig], bytes)?.status.success() {
                continue;
            }
            if let Some(revoked) = &self.revoked
                && !self.ssh(&verify, &[by, sig, ("-r", revoked)], bytes)?.status.success()
            {
                return Ok(bad("its key was revoked"));
            }
            return Ok(Verified::Good { signer: shown(principal), key });
        }
        Ok(Verified::UnknownKey { key })
    }
}

fn verify_gpg(program: &str, bytes: &[u8], signature: &Path) -> Result<Verified, Error> {
    let mut command = process::command(program);
    command.env("LC_ALL", "C").args(["--status-fd=1", "--verify"]).arg(signature).arg("-");
    let output = process::run(&mut command, Some(bytes), Limits::default(), |_| ())?;
    let status = said(&output);
    Ok(of_gpg_status(&status, output.status.success()).unwrap_or_else(|| bad(&last_words(&output))))
}

/// Reads what gpg says for programs; `None` if it says nothing that counts.
fn of_gpg_status(status: &str, is_success: bool) -> Option<Verified> {
    let said = |word: &str| {
        let lines = status.lines().filter_map(|line| line.strip_prefix("[GNUPG:] "));
        let mut rests = lines.filter_map(move |line| line.strip_prefix(word));
        rests.find(|rest| rest.is_empty() || rest.starts_with(' ')).map(str::trim)
    };
    let key = |rest: &str| shown(rest.split_whitespace().next().unwrap_or_default());
    if said("BADSIG").is_some() {
        return Some(bad("the text is not the one that was signed"));
    }
    if said("REVKEYSIG").is_some() || said("KEYREVOKED").is_some() {
        return Some(bad("its key was revoked"));
    }
    if let Some(rest) = said("NO_PUBKEY") {
        return Some(Verified::UnknownKey { key: key(rest) });
    }
    if let Some(rest) = said("EXPKEYSIG").or_else(|| said("EXPSIG")) {
        return Some(Verified::UnknownKey { key: key(rest) });
    }
    let good = said("GOODSIG").filter(|_| is_success && said("VALIDSIG").is_some())?;
    if said("TRUST_NEVER").is_some() {
        return Some(Verified::UnknownKey { key: key(good) });
    }
    let signer = good.split_once(' ').map_or("", |(_, name)| name);
    Some(Verified::Good { signer: shown(signer), key: key(good) })
}

/// Returns the key that `Good "git-godzilla" signature with ED25519 key SHA256:…` names.
fn key_of(said: &str) -> String {
    let word = said.split_whitespace().rfind(|word| word.starts_with("SHA256:"));
    shown(word.unwrap_or_default())
}

fn ssh_key(key: &str) -> Result<Key, Error> {
    let literal = key.strip_prefix("key::").or_else(|| key.starts_with("ssh-").then_some(key));
    if let Some(literal) = literal {
        return Ok(Key::Public(text::one_line(literal)));
    }
    of_user(key).filter(|path| Path::new(path).is_absolute()).map(Key::Named).ok_or_else(|| {
        not_set_up(
            "user.signingKey is a relative path, which would lead into the repository",
            "git config --global user.signingKey ~/.ssh/id_ed25519",
        )
    })
}

/// Returns a path of the user's configuration: one from the home folder, an absolute one, or the name of
/// a program. What would be looked for in the current folder is none.
fn of_user(path: &str) -> Option<String> {
    match path.strip_prefix("~/") {
        Some(rest) => Some(Path::new(&env::var_os("HOME")?).join(rest).to_string_lossy().into_owned()),
        None if Path::new(path).is_absolute() || (!path.is_empty() && !path.contains('/')) => {
            Some(path.to_owned())
        }
        None => None,
    }
}

fn no_key() -> Error {
    not_set_up("you named no key to sign with", "git config --global user.signingKey KEY")
}

fn not_set_up(message: &str, hint: &str) -> Error {
    Error::NotSetUp { message: message.to_owned(), hint: hint.to_owned() }
}

fn bad(reason: &str) -> Verified {
    Verified::Bad { reason: reason.to_owned() }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn last_words(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    let line = stderr.lines().rfind(|line| !line.trim().is_empty() && !line.starts_with("[GNUPG:]"));
    text::clip(&text::one_line(line.unwrap_or("no reason given")), 300)
}

fn shown(said: &str) -> String {
    text::clip(&text::one_line(said), 200)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_told_apart_by_how_they_begin() {
        assert_eq!(Format::of("-----BEGIN SSH SIGNATURE-----\nx"), Some(Format::Ssh));
        assert_eq!(Format::of("\n-----BEGIN PGP SIGNATURE-----"), Some(Format::OpenPgp));
        assert_eq!(Format::of("-----BEGIN SIGNED MESSAGE-----"), Some(Format::X509));
        for none in ["", "x", "-----BEGIN OPENSSH PRIVATE KEY-----"] {
            assert_eq!(Format::of(none), None);
        }
    }

    #[test]
    fn what_gnupg_says_is_read_to_the_word() {
        let good = "[GNUPG:] NEWSIG\n[GNUPG:] GOODSIG 1234ABCD Ann \u{1b}[31m<ann@example.org>\n[GNUPG:] VALIDSIG AA\n";
        let is = |status: &str, success| of_gpg_status(status, success);
        let signer = "Ann <ann@example.org>".to_owned();
        assert_eq!(is(good, true), Some(Verified::Good { signer, key: "1234ABCD".to_owned() }));
        assert_eq!(is(good, false), None);
        assert_eq!(is("[GNUPG:] GOODSIG 12 A\n", true), None);
        assert_eq!(is("GOODSIG 12 A\nVALIDSIG\n", true), None);
        let unknown = |key: &str| Some(Verified::UnknownKey { key: key.to_owned() });
        assert_eq!(is("[GNUPG:] ERRSIG 77 1\n[GNUPG:] NO_PUBKEY 77\n", false), unknown("77"));
        assert_eq!(is("[GNUPG:] EXPKEYSIG 77 Ann\n[GNUPG:] VALIDSIG 1\n", true), unknown("77"));
        assert_eq!(is(&format!("{good}[GNUPG:] TRUST_NEVER\n"), true), unknown("1234ABCD"));
        for bad in ["[GNUPG:] BADSIG 77 Ann", "[GNUPG:] REVKEYSIG 77 Ann"] {
            assert!(matches!(is(&format!("{good}{bad}\n"), true), Some(Verified::Bad { .. })), "{bad}");
        }
    }

    #[test]
    fn no_path_leads_into_the_repository() {
        assert_eq!(of_user("gpg2").as_deref(), Some("gpg2"));
        assert_eq!(of_user("/usr/bin/gpg").as_deref(), Some("/usr/bin/gpg"));
        for path in ["./gpg", "tools/gpg", "../gpg", ""] {
            assert_eq!(of_user(path), None, "{path}");
        }
        assert!(matches!(ssh_key("keys/id"), Err(Error::NotSetUp { .. })));
        assert!(matches!(ssh_key("id"), Err(Error::NotSetUp { .. })));
        assert!(
            matches!(ssh_key("key::ssh-ed25519 AAAA"), Ok(Key::Public(key)) if key == "ssh-ed25519 AAAA")
        );
    }
}
