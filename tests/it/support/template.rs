//! Repositories that nearly every world begins with: made once by git, then written from memory.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::World;

/// What lies in a folder.
pub(super) struct Template(Vec<Entry>);

struct Entry {
    path: PathBuf,
    mode: u32,
    /// `None` for a folder.
    bytes: Option<Vec<u8>>,
}

impl Template {
    fn read(dir: &Path) -> Self {
        let mut entries = Vec::new();
        let mut folders = vec![dir.to_owned()];
        while let Some(folder) = folders.pop() {
            for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                let meta = fs::symlink_metadata(&path).unwrap();
                let bytes = meta.is_file().then(|| fs::read(&path).unwrap());
                let relative = path.strip_prefix(dir).unwrap().to_owned();
                entries.push(Entry { path: relative, mode: meta.permissions().mode(), bytes });
                if meta.is_dir() {
                    folders.push(path);
                }
            }
        }
        Self(entries)
    }

    /// Writes it into a folder, which is made; what lies there already is kept.
    pub(super) fn write(&self, dir: &Path) {
        fs::create_dir_all(dir).unwrap();
        for Entry { path, mode, bytes } in &self.0 {
            let path = dir.join(path);
            match bytes {
                None => fs::create_dir_all(&path).unwrap(),
                Some(bytes) if !path.exists() => {
                    fs::write(&path, bytes).unwrap();
                    fs::set_permissions(&path, fs::Permissions::from_mode(*mode)).unwrap();
                }
                Some(_) => (),
            }
        }
    }
}

/// A bare repository without any commit.
pub(super) fn empty(sha256: bool) -> &'static Template {
    static MADE: [OnceLock<Template>; 2] = [const { OnceLock::new() }; 2];
    MADE[usize::from(sha256)].get_or_init(|| {
        let world = World::without_remote(sha256);
        let mut args = vec!["init", "--quiet", "--bare", "--initial-branch=main"];
        if sha256 {
            args.push("--object-format=sha256");
        }
        args.push("srv.git");
        world.place("").git(&args);
        Template::read(&world.path().join("srv.git"))
    })
}

/// The same with a first commit on `main`.
pub(super) fn with_a_commit(sha256: bool) -> &'static Template {
    static MADE: [OnceLock<Template>; 2] = [const { OnceLock::new() }; 2];
    MADE[usize::from(sha256)].get_or_init(|| {
        let world = World::without_remote(sha256);
        empty(sha256).write(&world.path().join("srv.git"));
        world.place("").git(&["clone", "--quiet", "srv.git", "a"]);
        let place = world.place("a");
        place.write("README", "a project\n");
        place.git(&["add", "."]);
        place.git(&["commit", "--quiet", "-m", "first"]);
        place.git(&["push", "--quiet", "origin", "HEAD:main"]);
        Template::read(&world.path().join("srv.git"))
    })
}
