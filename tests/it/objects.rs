//! Loose objects as we write and read them, against git's own.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Stdio;

use git_godzilla::domain::id::Oid;
use git_godzilla::platform::git::{Error, Repo, TreeEntry};

use crate::support::{Place, World};

/// Around the size up to which an object is stored as it is, and some far from it.
const SIZES: &[usize] = &[
    0, 1, 63, 4063, 4064, 4065, 4066, 4067, 4080, 4096, 8192, 16_356, 16_357, 16_358, 16_368, 16_384, 70_000,
    1_500_000,
];

#[test]
fn git_reads_what_we_write() {
    for sha256 in [false, true] {
        let world = World::with(None, sha256);
        let place = world.bare_clone_of("a");
        let repo = Repo::open(&place.path.join(".git")).unwrap();
        let blobs: Vec<Oid> = SIZES.iter().map(|size| repo.write_blob(&bytes(*size)).unwrap()).collect();
        // The next one finds the compressor used, and an object that is there already.
        assert_eq!(repo.write_blob(&bytes(70_000)).unwrap(), blobs[SIZES.len() - 2]);
        let entries: Vec<TreeEntry> =
            blobs.iter().enumerate().map(|(idx, oid)| TreeEntry::blob(format!("{idx:03}"), *oid)).collect();
        let tree = repo.write_tree(&entries).unwrap();
        place.git(&["update-ref", "refs/heads/t", &commit_of(&place, tree)]);
        for (size, oid) in SIZES.iter().zip(&blobs) {
            assert_eq!(hash_of(&place, &bytes(*size), &[]), oid.to_string());
            assert_eq!(place.git(&["cat-file", "-s", &oid.to_string()]).trim(), size.to_string());
        }
        let said = place.git(&["fsck", "--strict", "--no-dangling"]);
        assert_eq!(said, "");
        let path = loose(&place, blobs[1]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o444);
        }
        // Packed, all is as it was.
        place.git(&["gc", "--quiet", "--prune=now"]);
        assert!(!path.exists());
        for (size, oid) in SIZES.iter().zip(&blobs) {
            assert_eq!(repo.blob(*oid).unwrap(), bytes(*size), "{size}");
        }
        place.git(&["fsck", "--strict", "--no-dangling"]);
    }
}

#[test]
fn we_read_what_git_writes() {
    let world = World::new();
    let place = world.bare_clone_of("a");
    for level in ["0", "1", "9"] {
        for size in SIZES {
            let mut text = bytes(*size);
            text.extend_from_slice(level.as_bytes());
            let oid: Oid =
                hash_of(&place, &text, &["-c", &format!("core.looseCompression={level}")]).parse().unwrap();
            let repo = Repo::open(&place.path.join(".git")).unwrap();
            assert_eq!(repo.blob(oid).unwrap(), text, "{size} at level {level}");
            // From what is kept of the first reading.
            assert_eq!(repo.blob(oid).unwrap(), text, "{size} at level {level}");
            assert!(matches!(repo.tree(oid), Err(Error::Damaged(_))));
        }
    }
}

#[test]
fn damage_is_said_and_never_taken_for_content() {
    let world = World::new();
    let place = world.bare_clone_of("a");
    for size in [20, 5000, 70_000] {
        let oid: Oid = hash_of(&place, &bytes(size), &[]).parse().unwrap();
        let path = loose(&place, oid);
        let whole = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let other = hash_of(&place, b"another object\n", &[]);
        let other = std::fs::read(loose(&place, other.parse().unwrap())).unwrap();
        let flipped = |at: usize| {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x20;
            bytes
        };
        for damaged in [
            Vec::new(),
            vec![0x78],
            whole[..whole.len() / 2].to_vec(),
            whole[..whole.len() - 1].to_vec(),
            flipped(0),
            flipped(whole.len() / 2),
            flipped(whole.len() - 1),
            flipped(whole.len() - 6),
        ] {
            std::fs::write(&path, &damaged).unwrap();
            let repo = Repo::open(&place.path.join(".git")).unwrap();
            // Whole but for its checksum it may be read, since its hash says that nothing else is missing.
            match repo.blob(oid) {
                Ok(read) => assert_eq!(read, bytes(size), "{} bytes", damaged.len()),
                Err(err) => assert!(matches!(err, Error::Damaged(_)), "{err}"),
            }
        }
        // As git itself, we do not hash what we read; but nothing is made up either.
        std::fs::write(&path, &other).unwrap();
        let repo = Repo::open(&place.path.join(".git")).unwrap();
        assert_eq!(repo.blob(oid).unwrap(), b"another object\n");
        std::fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_damaged_file_among_packs_is_not_believed_either() {
    let world = World::new();
    let place = world.bare_clone_of("a");
    for number in 0..8 {
        place.git(&["commit", "-q", "--allow-empty", "-m", &number.to_string()]);
    }
    place.git(&["gc", "--quiet", "--prune=now"]);
    let packed = place.git(&["rev-list", "HEAD"]);
    let (whole, wrong) = (b"what it says\n", b"what it lies\n");
    let oid: Oid = hash_of(&place, whole, &[]).parse().unwrap();
    let lie: Oid = hash_of(&place, wrong, &[]).parse().unwrap();
    let path = loose(&place, oid);
    std::fs::remove_file(&path).unwrap();
    std::fs::copy(loose(&place, lie), &path).unwrap();
    let repo = Repo::open(&place.path.join(".git")).unwrap();
    // After enough packed ones, files are no longer looked for first.
    for packed in packed.lines() {
        repo.commit(packed.parse().unwrap()).unwrap();
    }
    assert!(matches!(repo.blob(oid), Err(Error::Damaged(_))));
}

#[test]
fn an_object_beyond_belief_is_not_inflated() {
    let world = World::new();
    let place = world.bare_clone_of("a");
    // 40 MiB of zeros are 40 KiB on the disk.
    let oid: Oid = hash_of(&place, &vec![0; 40 * 1024 * 1024], &[]).parse().unwrap();
    let repo = Repo::open(&place.path.join(".git")).unwrap();
    assert!(matches!(repo.blob(oid), Err(Error::Damaged(_))));
    place.git(&["repack", "-q", "-a", "-d"]);
    place.git(&["update-ref", "refs/tags/big", &oid.to_string()]);
    place.git(&["gc", "--quiet", "--prune=now"]);
    let repo = Repo::open(&place.path.join(".git")).unwrap();
    assert!(matches!(repo.blob(oid), Err(Error::Damaged(_))));
}

#[test]
fn an_interrupted_write_is_swept_up_by_git() {
    let world = World::new();
    let place = world.bare_clone_of("a");
    let repo = Repo::open(&place.path.join(".git")).unwrap();
    let oid = repo.write_blob(b"x").unwrap();
    // What a process that was killed in the middle leaves.
    let left = loose(&place, oid).with_file_name("tmp_obj_aBcDeF");
    std::fs::write(&left, b"half").unwrap();
    place.git(&["prune", "--expire=now"]);
    assert!(!left.exists());
}

#[test]
fn replacements_change_nothing_that_is_recorded() {
    let world = World::new();
    let place = world.clone("a");
    let work = place.plan("Task", &["One"]);
    let commit = work.commit("f", "feat: one");
    let before = place.json(&["show", "1"]);
    place.git(&["replace", &commit, "HEAD"]);
    let grafted = place.git(&["rev-list", "--max-parents=0", "HEAD"]);
    place.git(&["replace", "--graft", "--force", "0001-task", grafted.trim()]);
    assert_eq!(place.json(&["show", "1"]), before);
}

fn bytes(size: usize) -> Vec<u8> {
    // Neither random nor all the same: both ways of compressing have something to do.
    (0..size).map(|idx| u8::try_from((idx * idx / 7) % 251).unwrap()).collect()
}

fn hash_of(place: &Place<'_>, bytes: &[u8], options: &[&str]) -> String {
    let mut git = place.command("git");
    git.args(options).args(["hash-object", "-w", "--stdin"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = git.spawn().unwrap();
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn commit_of(place: &Place<'_>, tree: Oid) -> String {
    place.git(&["commit-tree", "-m", "x", &tree.to_string()]).trim().to_owned()
}

fn loose(place: &Place<'_>, oid: Oid) -> PathBuf {
    let hex = oid.to_string();
    place.path.join(".git/objects").join(&hex[..2]).join(&hex[2..])
}

/// As `git gc` does with the folders that it has emptied.
#[test]
fn objects_are_written_while_empty_folders_are_removed() {
    let world = World::new();
    let place = world.bare_clone_of("a");
    let objects = place.path.join(".git/objects");
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                for first in 0..=u8::MAX {
                    std::fs::remove_dir(objects.join(format!("{first:02x}"))).ok();
                }
            }
        });
        let repo = Repo::open(&place.path.join(".git")).unwrap();
        let written: Result<Vec<Oid>, Error> =
            (0..400_u32).map(|number| repo.write_blob(&number.to_le_bytes())).collect();
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(written.unwrap().len(), 400);
    });
}
