//! A real `sshd` on the loopback, with keys that nobody else knows.

use std::ffi::OsStr;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Place, World};

/// A server that lives as long as the test.
pub(crate) struct SshServer {
    dir: PathBuf,
    connections: Arc<AtomicUsize>,
}

impl SshServer {
    /// Starts it, and makes it what the user's `ssh` reaches; `None`, said aloud, where there is no `sshd`.
    pub(crate) fn start(world: &World) -> Option<Self> {
        let dirs = ["/usr/sbin", "/usr/local/sbin", "/usr/bin", "/opt/homebrew/sbin"];
        let Some(sshd) = dirs.iter().map(|dir| Path::new(dir).join("sshd")).find(|path| path.exists()) else {
            println!("SKIPPED: there is no sshd on this machine");
            return None;
        };
        // What a distribution makes when the service starts, which nobody did.
        std::fs::create_dir_all("/run/sshd").ok();
        let dir = world.path().canonicalize().unwrap().join("ssh");
        std::fs::create_dir_all(&dir).unwrap();
        for key in ["host", "user"] {
            let done = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(dir.join(key))
                .status();
            assert!(done.unwrap().success());
        }
        std::fs::copy(dir.join("user.pub"), dir.join("authorized_keys")).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::fs::write(dir.join("sshd_config"), server_config(world, &dir)).unwrap();
        std::fs::write(dir.join("config"), client_config(&dir, address)).unwrap();
        let host_key = std::fs::read_to_string(dir.join("host.pub")).unwrap();
        std::fs::write(dir.join("known_hosts"), format!("here {host_key}")).unwrap();

        let server = Self { dir, connections: Arc::default() };
        let (config, connections) = (server.dir.join("sshd_config"), Arc::clone(&server.connections));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                connections.fetch_add(1, Ordering::SeqCst);
                serve(&sshd, &config, stream.unwrap());
            }
        });
        world.place("").git(&["config", "--global", "core.sshCommand", &server.command()]);
        Some(server)
    }

    /// The command line that reaches it.
    pub(crate) fn command(&self) -> String {
        format!("ssh -F '{}'", self.dir.join("config").display())
    }

    pub(crate) fn url(&self, place: &Place<'_>) -> String {
        format!("ssh://here{}", place.path.canonicalize().unwrap().display())
    }

    /// How often somebody connected since the last time.
    pub(crate) fn connections(&self) -> usize {
        self.connections.swap(0, Ordering::SeqCst)
    }
}

fn serve(sshd: &Path, config: &Path, stream: TcpStream) {
    let other_end = stream.try_clone().unwrap();
    let mut command = Command::new(sshd);
    command.args(["-i", "-e", "-f"]).arg(config);
    command.stdin(OwnedFd::from(stream)).stdout(OwnedFd::from(other_end)).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    std::thread::spawn(move || child.wait());
}

fn server_config(world: &World, dir: &Path) -> String {
    let dir = dir.display();
    // The git of the world, without what the machine configures.
    let command = world.command("git");
    let wanted = ["PATH", "HOME", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM"].map(OsStr::new);
    let set: String = command
        .get_envs()
        .filter(|(name, _)| wanted.contains(name))
        .map(|(name, value)| format!(" \"{}={}\"", name.display(), value.unwrap().display()))
        .collect();
    format!(
        "HostKey {dir}/host\nAuthorizedKeysFile {dir}/authorized_keys\nStrictModes no\nUsePAM no\n\
         PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\nPidFile none\n\
         LogLevel QUIET\nSetEnv{set}\n"
    )
}

fn client_config(dir: &Path, address: SocketAddr) -> String {
    let dir = dir.display();
    let user = Command::new("id").arg("-un").output().unwrap().stdout;
    let user = String::from_utf8(user).unwrap();
    format!(
        "Host here\n  HostName {}\n  Port {}\n  HostKeyAlias here\n  User {}\n  IdentityFile {dir}/user\n  \
         IdentitiesOnly yes\n  IdentityAgent none\n  UserKnownHostsFile {dir}/known_hosts\n  \
         StrictHostKeyChecking yes\n",
        address.ip(),
        address.port(),
        user.trim()
    )
}
