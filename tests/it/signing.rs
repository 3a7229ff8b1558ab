//! Approvals that are signed by git's own configuration, and `verify`.

use serde_json::Value;

use crate::schemas::assert_valid;
use crate::support::{Place, Shown, World, run};

const NAME: &str = "0001-add-a-login";
const STREAM: &str = "refs/godzilla/protocols/0001-add-a-login";

/// Makes a key for SSH, and returns where it is; `None` if this machine has no OpenSSH.
fn key(world: &World, name: &str) -> Option<String> {
    let path = world.path().join("home").join(name).display().to_string();
    let made = world.command("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", &path]).output();
    let Ok(made) = made else {
        println!("SKIPPED: ssh-keygen is missing, so nothing here was tested about signatures");
        return None;
    };
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    Some(path)
}

fn global(place: &Place<'_>, key: &str, value: &str) {
    place.git(&["config", "--global", key, value]);
}

/// Writes the file of those who may sign, with these keys.
fn allow(place: &Place<'_>, keys: &[(&str, &str)]) -> String {
    let line = |(who, key): &(&str, &str)| {
        format!(
            "{who} namespaces=\"git-godzilla\" {}",
            std::fs::read_to_string(format!("{key}.pub")).unwrap()
        )
    };
    let file = place.world.path().join("home/allowed").display().to_string();
    std::fs::write(&file, keys.iter().map(line).collect::<String>()).unwrap();
    global(place, "gpg.ssh.allowedSignersFile", &file);
    file
}

/// A protocol whose first step needs QA.
fn to_be_approved(world: &World) -> Place<'_> {
    let a = world.clone("a");
    a.json(&["plan", "Add a login", "--step", "The form", "--step", "The API", "--qa", "full"]);
    let work = world.place(&format!("a/worktrees/{NAME}"));
    work.commit("form", "feat: the form");
    work.godzilla_ok(&["done"]);
    work
}

fn verify(place: &Place<'_>, args: &[&str]) -> (Option<i32>, Value) {
    let shown = place.godzilla(&[&["verify", "--json"], args].concat());
    let document: Value = serde_json::from_str(&shown.stdout).unwrap_or_else(|err| panic!("{err}: {shown}"));
    if shown.code != Some(6) {
        assert_valid("verify.v1", &document);
    }
    (shown.code, document)
}

fn result(document: &Value) -> &str {
    document["signatures"][0]["result"].as_str().unwrap()
}

#[test]
fn a_signed_approval_is_checked_against_those_who_may_sign() {
    let world = World::new();
    let Some(ada) = key(&world, "ada") else { return };
    let work = to_be_approved(&world);
    global(&work, "gpg.format", "ssh");
    global(&work, "user.signingKey", &ada);
    work.godzilla_ok(&["approve", "--sign"]);
    assert_eq!(work.statuses(NAME)[1], "completed");
    let log = work.godzilla_ok(&["log", "--json"]);
    let line = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let signed: Vec<Value> = line.filter(|event| event["sig"].is_string()).collect();
    assert_eq!(signed.len(), 1, "{log}");
    assert_eq!(signed[0]["type"], "step.approved");
    assert_valid("event.v1", &signed[0]);

    let (code, none) = verify(&work, &[]);
    assert_eq!((code, result(&none)), (Some(0), "no_allowed_signers"), "{none}");
    assert_eq!(verify(&work, &["--require"]).0, Some(1));

    let grace = key(&world, "grace").unwrap();
    allow(&work, &[("grace@example.com", &grace)]);
    let (code, unknown) = verify(&work, &[]);
    assert_eq!((code, result(&unknown)), (Some(0), "unknown_key"), "{unknown}");
    assert_eq!(verify(&work, &["--require"]).0, Some(1));

    allow(&work, &[("grace@example.com", &grace), ("ada@example.com", &ada)]);
    let (code, good) = verify(&work, &["--require"]);
    assert_eq!((code, result(&good)), (Some(0), "good"), "{good}");
    assert_eq!(good["signatures"][0]["signer"], "ada@example.com");
    assert!(good["signatures"][0]["key"].as_str().unwrap().starts_with("SHA256:"), "{good}");
    assert!(work.godzilla_ok(&["verify"]).contains("good signature of ada@example.com"));

    // Another clone gets it along with everything else.
    work.git(&["push", "--quiet", "--set-upstream", "origin", "HEAD"]);
    let b = world.clone("b");
    assert_eq!(verify(&b, &["1", "--require"]).0, Some(0));

    let revoked = world.path().join("home/revoked").display().to_string();
    std::fs::copy(format!("{ada}.pub"), &revoked).unwrap();
    global(&work, "gpg.ssh.revocationFile", &revoked);
    let (code, bad) = verify(&work, &[]);
    assert_eq!((code, result(&bad)), (Some(1), "bad"), "{bad}");
}

#[test]
fn a_line_that_was_changed_afterwards_is_bad() {
    let world = World::new();
    let Some(ada) = key(&world, "ada") else { return };
    let work = to_be_approved(&world);
    global(&work, "gpg.format", "ssh");
    global(&work, "user.signingKey", &ada);
    allow(&work, &[("ada@example.com", &ada)]);
    work.godzilla_ok(&["approve", "--sign"]);
    assert_eq!(verify(&work, &[]).0, Some(0));

    forge(&work, |line| line.replace("\"mode\":\"delegated\"", "\"mode\":\"terminal\""));
    let (code, bad) = verify(&work, &[]);
    assert_eq!((code, result(&bad)), (Some(1), "bad"), "{bad}");
    forge(&work, |line| match line.find(",\"sig\":\"") {
        Some(at) => {
            let end = at + 8 + line[at + 8..].find('"').unwrap();
            format!("{},\"sig\":\"hm\"{}", &line[..at], &line[end + 1..])
        }
        None => line.to_owned(),
    });
    let (code, bad) = verify(&work, &[]);
    assert_eq!((code, result(&bad)), (Some(1), "bad"), "{bad}");
    assert_eq!(bad["signatures"][0]["reason"], "it is no signature that git knows");
}

/// Makes other lines of those that the stream holds, as somebody could who may push.
fn forge(place: &Place<'_>, change: impl Fn(&str) -> String) {
    let mut entries = Vec::new();
    for entry in place.git(&["ls-tree", &format!("{STREAM}:events")]).lines() {
        let (meta, name) = entry.split_once('\t').unwrap();
        let oid = meta.split(' ').nth(2).unwrap();
        let lines = place.git(&["cat-file", "blob", oid]);
        let text: String = lines.lines().map(|line| change(line) + "\n").collect();
        place.write("../forged", &text);
        let oid = place.git(&["hash-object", "-w", "--no-filters", "../forged"]);
        entries.push(format!("100644 blob {}\t{name}", oid.trim()));
    }
    let events = mktree(place, &entries);
    let mut root: Vec<String> = Vec::new();
    for entry in place.git(&["ls-tree", STREAM]).lines() {
        let is_events = entry.ends_with("\tevents");
        root.push(if is_events { format!("040000 tree {events}\tevents") } else { entry.to_owned() });
    }
    let tree = mktree(place, &root);
    let commit = place.git(&["commit-tree", "-m", "forged", "-p", STREAM, &tree]);
    place.git(&["update-ref", STREAM, commit.trim()]);
}

fn mktree(place: &Place<'_>, entries: &[String]) -> String {
    place.write("../tree", &(entries.join("\n") + "\n"));
    let file = std::fs::File::open(place.path.join("../tree")).unwrap();
    let made = run(place.command("git").arg("mktree").stdin(file));
    assert_eq!(made.code, Some(0), "{made}");
    made.stdout.trim().to_owned()
}

#[test]
fn an_approval_without_a_signature_fails_only_where_one_is_required() {
    let world = World::new();
    let work = to_be_approved(&world);
    let (code, empty) = verify(&work, &["--require"]);
    assert_eq!((code, &empty["signatures"]), (Some(0), &serde_json::json!([])));
    work.godzilla_ok(&["approve"]);
    let (code, unsigned) = verify(&work, &[]);
    assert_eq!((code, result(&unsigned)), (Some(0), "unsigned"));
    let told = work.godzilla_ok(&["verify"]);
    assert!(told.starts_with("? approved without a signature"), "it is neither good nor bad: {told}");
    assert_eq!(verify(&work, &["--require"]).0, Some(1));
    // What was taken back completes nothing.
    work.godzilla_ok(&["undo"]);
    assert_eq!(verify(&work, &["--require"]).0, Some(0));
}

#[test]
fn nothing_is_approved_if_it_cannot_be_signed() {
    let world = World::new();
    let work = to_be_approved(&world);
    let events = work.event_ids(NAME);
    let refused = |shown: Shown, code: &str, exit: i32| {
        let document: Value = serde_json::from_str(&shown.stdout).unwrap();
        assert_eq!((document["code"].as_str(), shown.code), (Some(code), Some(exit)), "{shown}");
        let hint = document["hint"].as_str().unwrap();
        assert!(hint.contains("git config --global ") && !hint.contains("git commit"), "{shown}");
    };
    global(&work, "gpg.format", "ssh");
    refused(work.godzilla(&["approve", "--sign", "--json"]), "signing.not_set_up", 4);
    global(&work, "user.signingKey", "keys/of-the-repository");
    refused(work.godzilla(&["approve", "--sign", "--json"]), "signing.not_set_up", 4);
    global(&work, "user.signingKey", "/no/such/key");
    refused(work.godzilla(&["approve", "--sign", "--json"]), "signing.failed", 6);
    global(&work, "gpg.ssh.program", "/no/such/program");
    refused(work.godzilla(&["approve", "--sign", "--json"]), "signing.failed", 6);
    assert_eq!(work.event_ids(NAME), events);
    assert_eq!(work.statuses(NAME)[1], "needs_qa");
}

#[test]
fn what_only_the_repository_configures_neither_signs_nor_vouches() {
    let world = World::new();
    let Some(ada) = key(&world, "ada") else { return };
    let mallory = key(&world, "mallory").unwrap();
    let work = to_be_approved(&world);
    let mark = world.path().join("pwned");
    let program = world.path().join("home/evil");
    world.place("home").write_executable("evil", &format!("#!/bin/sh\ntouch '{}'\nexit 1\n", mark.display()));
    for key in ["gpg.ssh.program", "gpg.program", "gpg.openpgp.program", "gpg.x509.program"] {
        work.git(&["config", "--local", key, program.to_str().unwrap()]);
    }
    work.git(&["config", "--local", "gpg.format", "openpgp"]);
    work.git(&["config", "--local", "user.signingKey", &mallory]);
    global(&work, "gpg.format", "ssh");
    global(&work, "user.signingKey", &ada);
    let everybody = allow(&work, &[("ada@example.com", &ada), ("mallory@example.com", &mallory)]);
    work.git(&["config", "--global", "--unset", "gpg.ssh.allowedSignersFile"]);
    work.git(&["config", "--local", "gpg.ssh.allowedSignersFile", &everybody]);
    work.godzilla_ok(&["approve", "--sign"]);
    let (code, document) = verify(&work, &[]);
    assert_eq!((code, result(&document)), (Some(0), "no_allowed_signers"), "{document}");
    work.git(&["config", "--local", "--unset", "gpg.ssh.allowedSignersFile"]);
    global(&work, "gpg.ssh.allowedSignersFile", &everybody);
    assert_eq!(verify(&work, &["--require"]).1["signatures"][0]["signer"], "ada@example.com");
    assert!(!mark.exists(), "a program of the repository ran");
}

/// Stands for gpgsm: its signature is the checksum of what it signs.
const GPGSM: &str = r#"#!/bin/sh
sum() { git hash-object --stdin; }
case " $* " in
*" --detach-sign "*)
    test "${*##*--local-user }" = ada@example.com || { echo "no certificate" >&2; exit 2; }
    echo '[GNUPG:] SIG_CREATED D' >&2
    printf -- '-----BEGIN SIGNED MESSAGE-----\n%s\n-----END SIGNED MESSAGE-----\n' "$(sum)" ;;
*" --verify "*)
    for file; do case $file in /*) break ;; esac; done
    if test "$(sed -n 2p "$file")" = "$(sum)"; then
        echo '[GNUPG:] GOODSIG 00AA /CN=Ada'; echo '[GNUPG:] VALIDSIG 00AA'; echo '[GNUPG:] TRUST_FULLY 0 shell'
    else
        echo '[GNUPG:] BADSIG 00AA /CN=Ada'; exit 1
    fi ;;
esac
"#;

#[test]
fn signatures_by_certificates_are_made_and_checked_by_the_program_of_the_user() {
    let world = World::new();
    let work = to_be_approved(&world);
    world.place("home").write_executable("gpgsm", GPGSM);
    let program = world.path().join("home").join("gpgsm").display().to_string();
    global(&work, "gpg.format", "x509");
    global(&work, "gpg.x509.program", "/no/such/gpgsm");
    let missing = work.godzilla(&["approve", "--sign"]);
    assert_eq!(missing.code, Some(6), "{missing}");
    assert!(missing.stderr.contains("/no/such/gpgsm"), "{missing}");
    global(&work, "gpg.x509.program", &program);
    global(&work, "user.signingKey", "nobody@example.com");
    let unknown = work.godzilla(&["approve", "--sign"]);
    assert_eq!(unknown.code, Some(6), "{unknown}");
    assert!(unknown.stderr.contains("no certificate"), "{unknown}");
    // Without a key the address of the user says which certificate.
    work.git(&["config", "--global", "--unset", "user.signingKey"]);
    work.godzilla_ok(&["approve", "--sign"]);
    let (code, good) = verify(&work, &["--require"]);
    assert_eq!((code, result(&good)), (Some(0), "good"), "{good}");
    assert_eq!(good["signatures"][0]["signer"], "/CN=Ada");
    forge(&work, |line| line.replace("\"mode\":\"delegated\"", "\"mode\":\"terminal\""));
    let (code, bad) = verify(&work, &[]);
    assert_eq!((code, result(&bad)), (Some(1), "bad"), "{bad}");
    global(&work, "gpg.x509.program", "/no/such/gpgsm");
    let (code, gone) = verify(&work, &[]);
    assert_ne!(code, Some(0), "{gone}");
}
