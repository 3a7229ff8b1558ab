//! The text of the shim: making it, and finding it again in a file to which
//! other programs may have added lines.

use std::path::Path;

use crate::platform::hook_script;

/// The template, also readable on its own. Its first line is the `#!` line; from
/// the second to the last it is the block that marks a file as ours.
const TEMPLATE: &str = include_str!("../../../hooks/shim.sh");
const SHEBANG: &[u8] = b"#!/bin/sh\n";
const IDENTITY: &str = "# git-godzilla hook v";
const END: &str = "# git-godzilla hook end";

/// A file that holds our block.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shim {
    /// What stands above our block, with the `#!` line.
    head: Vec<u8>,
    /// What stands below it.
    tail: Vec<u8>,
}

/// What a file turns out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    /// Ours, of any version.
    Shim(Shim),
    /// Our block begins but does not end, so its extent is unknown.
    Cut,
    /// Not ours.
    Other,
}

impl Shim {
    /// A shim to which nobody has added anything.
    pub(super) fn new() -> Self {
        Self { head: SHEBANG.to_vec(), tail: Vec::new() }
    }

    pub(super) fn parse(bytes: &[u8]) -> Parsed {
        let mut start = None;
        let mut offset = 0;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let next = offset + line.len();
            let line = line.trim_ascii_end();
            if start.is_none() && is_identity(line) {
                start = Some(offset);
            }
            if let Some(start) = start
                && line == END.as_bytes()
            {
                return Parsed::Shim(Self { head: bytes[..start].to_vec(), tail: bytes[next..].to_vec() });
            }
            offset = next;
        }
        match start {
            Some(_) => Parsed::Cut,
            None => Parsed::Other,
        }
    }

    /// Returns the whole file: the current block for `event` between the lines
    /// of others.
    pub(super) fn render(&self, event: &str, binary: &Path) -> Vec<u8> {
        let template = hook_script::of(TEMPLATE, event);
        let block = template.split_once('\n').map_or("", |(_, block)| block);
        let (above, below) = block.split_once("@BINARY@").unwrap_or((block, ""));

        let mut file = self.head.clone();
        if !file.is_empty() && !file.ends_with(b"\n") {
            file.push(b'\n');
        }
        file.extend(above.as_bytes());
        file.extend(quote(binary.as_os_str().as_encoded_bytes()));
        file.extend(below.as_bytes());
        file.extend(&self.tail);
        file
    }

    /// Whether somebody has added lines.
    pub(super) fn has_more(&self) -> bool {
        let (_, above) = split_shebang(&self.head);
        !(above.trim_ascii().is_empty() && self.tail.trim_ascii().is_empty())
    }

    /// Whether anything but ours runs before ours, another interpreter included.
    pub(super) fn has_lines_above(&self) -> bool {
        let (shebang, above) = split_shebang(&self.head);
        shebang.trim_ascii_end() != SHEBANG.trim_ascii_end() || !above.trim_ascii().is_empty()
    }

    /// The added lines as a script of their own.
    pub(super) fn rest_as_script(&self) -> Vec<u8> {
        let (shebang, above) = split_shebang(&self.head);
        let shebang = if shebang.is_empty() { SHEBANG } else { shebang };
        [shebang, above, &self.tail].concat()
    }

    /// `script` with the added lines at its end.
    pub(super) fn rest_appended_to(&self, script: &[u8]) -> Vec<u8> {
        let (_, above) = split_shebang(&self.head);
        let newline: &[u8] = match script.last() {
            None | Some(b'\n') => b"",
            Some(_) => b"\n",
        };
        [script, newline, above, &self.tail].concat()
    }
}

/// Whether `script` is one that a shell runs, so that lines of shell can follow.
pub(super) fn is_shell_script(script: &[u8]) -> bool {
    let (shebang, _) = split_shebang(script);
    if shebang.is_empty() {
        // Git has such a file run by the shell, unless it is a program.
        return !script.contains(&0);
    }
    let mut words = shebang[2..]
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
        .map(|word| word.rsplit(|byte| *byte == b'/').next().unwrap_or(word));
    let program = match words.next() {
        Some(b"env") => words.find(|word| !word.starts_with(b"-")),
        program => program,
    };
    matches!(program, Some(b"sh" | b"ash" | b"bash" | b"dash" | b"ksh" | b"mksh" | b"zsh"))
}

fn is_identity(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(IDENTITY.as_bytes()) else {
        return false;
    };
    let version_len = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let event = rest[version_len..].strip_prefix(b" event=");
    version_len > 0 && event.is_some_and(|event| event.first().is_some_and(u8::is_ascii_lowercase))
}

/// Splits off the `#!` line, which is empty if there is none.
fn split_shebang(bytes: &[u8]) -> (&[u8], &[u8]) {
    if !bytes.starts_with(b"#!") {
        return (b"", bytes);
    }
    let len = bytes.iter().position(|byte| *byte == b'\n');
    bytes.split_at(len.map_or(bytes.len(), |len| len + 1))
}

/// Quotes any bytes as one word of the shell.
fn quote(bytes: &[u8]) -> Vec<u8> {
    let mut word = vec![b'\''];
    for byte in bytes {
        match byte {
            b'\'' => word.extend(br"'\''"),
            byte => word.push(*byte),
        }
    }
    word.push(b'\'');
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(bytes: &[u8]) -> Shim {
        match Shim::parse(bytes) {
            Parsed::Shim(shim) => shim,
            other => panic!("not a shim: {other:?}"),
        }
    }

    #[test]
    fn a_rendered_shim_is_found_again() {
        let file = Shim::new().render("commit-msg", Path::new("/opt/git-godzilla"));
        let text = String::from_utf8(file.clone()).expect("the path is ASCII");
        assert!(text.starts_with("#!/bin/sh\n# git-godzilla hook v2 event=commit-msg\n"));
        assert!(text.ends_with("\n# git-godzilla hook end\n"));
        assert!(text.contains("\ngz_binary='/opt/git-godzilla'\n"));
        assert!(!text.contains('\r'));

        let shim = parsed(&file);
        assert_eq!(shim, Shim::new());
        assert!(!shim.has_more());
    }

    /// The program contains the template; a copy of the program is not a shim.
    #[test]
    fn the_template_itself_is_not_a_shim() {
        assert_eq!(Shim::parse(TEMPLATE.as_bytes()), Parsed::Other);
    }

    #[test]
    fn added_lines_survive_a_new_block() {
        let file = Shim::new().render("pre-push", Path::new("/old"));
        let (shebang, block) = split_shebang(&file);
        let file = [shebang, b"above\n", block, b"\xff below\n"].concat();

        let shim = parsed(&file);
        assert!(shim.has_more());
        assert_eq!(shim.rest_as_script(), b"#!/bin/sh\nabove\n\xff below\n");
        assert_eq!(shim.rest_appended_to(b"#!/bin/sh\nx"), b"#!/bin/sh\nx\nabove\n\xff below\n");
        let again = shim.render("pre-push", Path::new("/new"));
        assert_eq!(parsed(&again), shim);
        assert!(again.windows(6).any(|window| window == b"'/new'"));
    }

    #[test]
    fn a_block_without_its_end_is_told_apart() {
        let file = Shim::new().render("pre-push", Path::new("/x"));
        let cut = &file[..file.len() - END.len() - 1];
        assert_eq!(Shim::parse(cut), Parsed::Cut);
    }

    #[test]
    fn a_foreign_file_is_not_a_shim() {
        for file in [
            "#!/bin/sh\necho git-godzilla hook v1\n",
            "# git-godzilla hook v event=pre-push\n# git-godzilla hook end\n",
            "# git-godzilla hook v1 event=\n# git-godzilla hook end\n",
            "",
        ] {
            assert_eq!(Shim::parse(file.as_bytes()), Parsed::Other, "{file}");
        }
    }

    #[test]
    fn shells_are_told_from_other_interpreters() {
        for script in ["#!/bin/sh\n", "#! /usr/bin/env -S bash -e\n", "#!/bin/dash", "echo\n"] {
            assert!(is_shell_script(script.as_bytes()), "{script}");
        }
        for script in ["#!/usr/bin/env python3\n", "#!/usr/bin/fish\n", "#!\n"] {
            assert!(!is_shell_script(script.as_bytes()), "{script}");
        }
        assert!(!is_shell_script(b"\x7fELF\0"));
    }

    #[test]
    fn any_path_becomes_one_word() {
        assert_eq!(quote(b"a 'b'\n$(c)"), b"'a '\\''b'\\''\n$(c)'");
    }
}
