use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

const SECRETS: &str = include_str!("../../../tests/data/redaction/secrets.txt");
const INNOCENT: &str = include_str!("../../../tests/data/redaction/innocent.txt");

fn cleaned(text: &str) -> String {
    clean(text, &Known::default())
}

/// Cleans bytes that come in pieces of the given lengths, over and over.
fn in_pieces(text: &[u8], known: &Known, lens: &[usize]) -> Vec<u8> {
    let (mut redactor, mut out, mut rest) = (Redactor::new(known.clone()), Vec::new(), text);
    for len in lens.iter().cycle() {
        let (piece, after) = rest.split_at((*len).clamp(1, rest.len().max(1)).min(rest.len()));
        redactor.push(piece, &mut out);
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    redactor.finish(&mut out);
    out
}

/// The lines of the corpus: a kind, a tab, and a line whose parts are kept apart by `|`, so that nobody
/// takes the file itself for a leak. The part between `«` and `»` is the secret.
fn secrets() -> Vec<(String, String, String)> {
    let lines = SECRETS.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (kind, text) = line.split_once('\t').unwrap();
            let text = text.replace('|', "").replace("\\n", "\n");
            let (before, rest) = text.split_once('«').unwrap();
            let (secret, after) = rest.split_once('»').unwrap();
            (kind.to_owned(), format!("{before}{secret}{after}"), secret.to_owned())
        })
        .collect()
}

fn innocent() -> impl Iterator<Item = &'static str> {
    INNOCENT.lines().filter(|line| !line.is_empty() && !line.starts_with("# "))
}

#[test]
fn every_secret_of_the_corpus_is_taken_out() {
    let mut wrong = String::new();
    let secrets = secrets();
    assert!(secrets.len() >= 60, "{}", secrets.len());
    for (kind, text, secret) in secrets {
        let out = cleaned(&text);
        if out.contains(&secret) || !out.contains(&format!("[redacted:{kind}]")) {
            writeln!(wrong, "{kind}: {text} -> {out}").unwrap();
        }
        if cleaned(&out) != out {
            writeln!(wrong, "again: {out} -> {}", cleaned(&out)).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn no_innocent_line_is_changed() {
    assert!(innocent().count() >= 150, "{}", innocent().count());
    let wrong: Vec<_> = innocent().filter(|line| cleaned(line) != *line).map(cleaned).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_around_a_secret_stays() {
    let key = format!("ghp_{}", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8");
    for (text, want) in [
        (format!("pushed with {key}, it works"), "pushed with [redacted:github], it works"),
        (format!("https://x:{key}@host/r.git"), "https://x:[redacted:password]@host/r.git"),
        ("PASSWORD=swordfish ./run".to_owned(), "PASSWORD=[redacted:password] ./run"),
        (
            "{\"password\": \"swordfish\", \"user\": \"x\"}".to_owned(),
            "{\"password\": \"[redacted:password]\", \"user\": \"x\"}",
        ),
        ("postgres://me:swordfish@db/x".to_owned(), "postgres://me:[redacted:password]@db/x"),
        (
            "curl -H 'Authorization: Basic bWU6c3dvcmQ='".to_owned(),
            "curl -H 'Authorization: Basic [redacted:authorization]'",
        ),
    ] {
        assert_eq!(cleaned(&text), want);
    }
}

#[test]
fn known_values_go_wherever_they_stand() {
    let known =
        Known::new(["correct-horse", "line one of it\nline two of it", "short", "correct-horse-battery"]);
    assert_eq!(
        clean("xcorrect-horse-batteryx line two of it, short", &known),
        "x[redacted:known]x [redacted:known], short"
    );
    assert_eq!(clean("[redacted:known]", &Known::new(["redacted:known"])), "[redacted:known]");
}

fn pem(label: &str, before: &str, newline: &str) -> String {
    let dashes = "-".repeat(5);
    let mut text = format!("{before}{dashes}BEGIN {label}{dashes}{newline}");
    for idx in 0..5 {
        let line: String =
            (0..64).map(|at| char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"[(at * 7 + idx) % 26])).collect();
        write!(text, "{before}{line}{newline}").unwrap();
    }
    write!(text, "{before}c2hvcnQ={newline}{before}{dashes}END {label}{dashes}").unwrap();
    text
}

#[test]
fn private_keys_go_as_a_whole() {
    for label in ["PRIVATE KEY", "RSA PRIVATE KEY", "OPENSSH PRIVATE KEY", "PGP PRIVATE KEY BLOCK"] {
        for before in ["", "    ", "2026-01-02T03:04:05Z | ", "+"] {
            for newline in ["\n", "\r\n", "\\n"] {
                let key = pem(label, before, newline);
                let text = format!("before\n{key}\nafter\n");
                let want = format!("before\n{before}[redacted:private-key]\nafter\n");
                assert_eq!(cleaned(&text).replace('\r', ""), want, "{text}");
            }
        }
    }
    // Without an end, what follows and is no key is there again.
    let cut: String = pem("PRIVATE KEY", "", "\n").lines().take(3).flat_map(|line| [line, "\n"]).collect();
    assert_eq!(
        cleaned(&format!("{cut}error: no such file here\n")),
        "[redacted:private-key]\nerror: no such file here\n"
    );
    // A certificate is no secret.
    let certificate = pem("CERTIFICATE", "", "\n");
    assert_eq!(cleaned(&certificate), certificate);
}

/// What a review of this very project would have to show.
#[test]
fn our_own_sources_are_innocent() {
    let root = env!("CARGO_MANIFEST_DIR");
    let mut wrong = Vec::new();
    let mut folders = vec![std::path::PathBuf::from(root).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.components().any(|part| part.as_os_str() == "redact") {
                let text = std::fs::read_to_string(&path).unwrap();
                let out = cleaned(&text);
                let pairs = text.lines().zip(out.lines()).filter(|(before, after)| before != after);
                // Tests have addresses with passwords, and what looks like a key.
                let is_meant = |line: &str| line.contains("://") || line.contains("PRIVATE KEY");
                let pairs = pairs.filter(|(before, _)| !is_meant(before));
                wrong.extend(pairs.map(|(before, _)| format!("{}: {before}", path.display())));
            }
        }
    }
    let lock = std::fs::read_to_string(format!("{root}/Cargo.lock")).unwrap();
    assert_eq!(cleaned(&lock), lock);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_line_without_end_takes_bounded_memory_and_hides_its_secrets() {
    let key = format!("ghp_{}", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8");
    for filler in ["word ", "{\"a\":1},", "QUJD", "a.b/c", "=:", "://"] {
        let mut redactor = Redactor::new(Known::new(["correct-horse"]));
        let (mut out, mut n_out, mut n_found) = (Vec::new(), 0, 0);
        for _ in 0..8 {
            let piece = format!("{} {key} token=abc123def456 correct-horse ", filler.repeat(20_000));
            for chunk in piece.as_bytes().chunks(7001) {
                redactor.push(chunk, &mut out);
                assert!(redactor.held.len() <= WINDOW);
                let text = String::from_utf8_lossy(&out).into_owned();
                n_found += text.matches("[redacted:").count();
                n_out += out.len();
                out.clear();
            }
        }
        redactor.finish(&mut out);
        n_found += String::from_utf8_lossy(&out).matches("[redacted:").count();
        assert_eq!(n_found, 24, "{filler}");
        assert!(n_out > 8 * 20_000, "{filler}");
    }
}

/// Text with everything in it that matters: parts of secrets, of innocent lines, marks, keys and noise.
fn texts() -> impl Strategy<Value = Vec<u8>> {
    let secrets: Vec<String> = secrets().into_iter().flat_map(|(_, text, secret)| [text, secret]).collect();
    let innocent: Vec<String> = innocent().map(ToOwned::to_owned).collect();
    let part = prop_oneof![
        6 => prop::sample::select(secrets).prop_map(String::into_bytes),
        3 => prop::sample::select(innocent).prop_map(String::into_bytes),
        2 => prop::sample::select(vec![
            "\n", "\r\n", " ", "=", ": ", "\"", "[redacted:known]", "[redacted:", "]", "_", "-", "correct-horse", "token",
            "password=", "://", "@", "\\n", "Authorization: ", "Cookie: ", "'", "Bearer ",
        ]).prop_map(|text| text.as_bytes().to_vec()),
        1 => Just(pem("PRIVATE KEY", "", "\n").into_bytes()),
        1 => Just(pem("RSA PRIVATE KEY", "> ", "\\n").into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..12),
        1 => "[A-Za-z0-9+/_=.-]{0,60}".prop_map(String::into_bytes),
    ];
    (prop::collection::vec((part, any::<prop::sample::Index>(), any::<bool>()), 0..12)).prop_map(|parts| {
        let mut text = Vec::new();
        for (part, cut, whole) in parts {
            let len = if whole || part.is_empty() { part.len() } else { cut.index(part.len()) };
            text.extend_from_slice(&part[..len]);
        }
        text
    })
}

/// Found by the search of the fuzz target `redaction`: once the first value is out, its mark looked like a name.
#[test]
fn what_a_line_names_is_not_in_the_next_one() {
    let text = b"PASSWORD=swordfish\n    =opensesame1\n";
    let whole = in_pieces(text, &Known::default(), &[usize::MAX]);
    assert_eq!(whole, in_pieces(text, &Known::default(), &[8]));
    assert_eq!(String::from_utf8_lossy(&whole), "PASSWORD=[redacted:password]\n    =opensesame1\n");
}

#[test]
fn what_shows_beside_a_mark_is_taken_out_as_well() {
    let text = "cargo login ciogN7kwjSbbciSPOcSeVce2LWxm090I5Qerubygems_c37663112\
                9f34369aad80b891baf90d0d3bf16295d06910bspring.datasource.password=P@ssw0rd";
    let once = clean(text, &Known::default());
    assert!(!once.contains("P@ssw0rd"), "{once}");
    assert_eq!(clean(&once, &Known::default()), once);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Cleaning twice changes nothing.
    #[test]
    fn cleaning_is_idempotent(text in texts()) {
        let known = Known::new(["correct-horse"]);
        let once = in_pieces(&text, &known, &[usize::MAX]);
        let twice = in_pieces(&once, &known, &[usize::MAX]);
        prop_assert_eq!(String::from_utf8_lossy(&once), String::from_utf8_lossy(&twice));
    }

    /// It does not matter in which pieces a text comes.
    #[test]
    fn pieces_do_not_matter(text in texts(), lens in prop::collection::vec(1_usize..40, 1..8)) {
        let known = Known::new(["correct-horse"]);
        let whole = in_pieces(&text, &known, &[usize::MAX]);
        let pieces = in_pieces(&text, &known, &lens);
        prop_assert_eq!(String::from_utf8_lossy(&whole), String::from_utf8_lossy(&pieces));
    }

    /// What a text is made of that is no secret stays, down to bytes that are no text.
    #[test]
    fn bytes_without_secrets_survive(bytes in prop::collection::vec(prop_oneof![0_u8..32, 128_u8..=255], 0..300)) {
        prop_assert_eq!(&in_pieces(&bytes, &Known::default(), &[13]), &bytes);
    }

    /// Whatever stands around a secret, it is gone.
    #[test]
    fn a_secret_is_found_in_any_company(
        at in any::<prop::sample::Index>(),
        before in prop::sample::select(vec!["", " ", "x ", "\"", "(", "\t", "key: ", "a,", "\u{e9} "]),
        after in prop::sample::select(vec!["", " ", "\n", "\"", ")", ", x", "\u{e9}"]),
        n_filler in 0_usize..70_000,
    ) {
        let all = secrets();
        let (_, text, secret) = &all[at.index(all.len())];
        let whole = format!("{}{before}{text}{after}", "lorem ".repeat(n_filler / 6));
        let out = cleaned(&whole);
        prop_assert!(!out.contains(secret), "{}", &out[out.len().saturating_sub(300)..]);
    }
}
