//! A server that speaks HTTP for repositories of a world, by git's own `http-backend`.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::World;

/// What the server counts as the beginning of a push.
const PUSH: &str = "/info/refs?service=git-receive-pack";

/// A server that lives as long as the test.
pub(crate) struct HttpServer {
    address: SocketAddr,
    inner: Arc<Inner>,
}

struct Inner {
    root: OsString,
    env: Vec<(OsString, OsString)>,
    /// `name:password` in base 64, if the server wants to know who it is.
    secret: Option<&'static str>,
    log: Mutex<Vec<Request>>,
    /// The push that gets no answer; 0 for none.
    silent_push: AtomicUsize,
    /// Connections that nobody answers.
    held: Mutex<Vec<TcpStream>>,
}

/// What was asked, and the status of the answer; 0 for none.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) target: String,
    pub(crate) status: u16,
}

struct Asked {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl HttpServer {
    /// Serves everybody.
    pub(crate) fn open(world: &World) -> Self {
        Self::start(world, None)
    }

    /// Serves `ada` with the password `s3same`.
    pub(crate) fn guarded(world: &World) -> Self {
        Self::start(world, Some("YWRhOnMzc2FtZQ=="))
    }

    fn start(world: &World, secret: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let command = world.command("git");
        let env = command.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
        let inner = Arc::new(Inner {
            root: world.path().canonicalize().unwrap().into(),
            env: env.collect(),
            secret,
            log: Mutex::default(),
            silent_push: AtomicUsize::new(0),
            held: Mutex::default(),
        });
        let served = Arc::clone(&inner);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let served = Arc::clone(&served);
                std::thread::spawn(move || served.answer(stream.unwrap()));
            }
        });
        Self { address, inner }
    }

    pub(crate) fn url(&self, repository: &str) -> String {
        format!("http://{}/{repository}", self.address)
    }

    /// What was asked since the last time.
    pub(crate) fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.inner.log.lock().unwrap())
    }

    /// How many pushes began since the last time, be it without a password.
    pub(crate) fn pushes(&self) -> usize {
        self.requests()
            .iter()
            .filter(|request| request.target.ends_with(PUSH) && request.status != 401)
            .count()
    }

    /// Lets the `nth` push from now on wait for an answer for ever.
    pub(crate) fn hang_on_push(&self, nth: usize) {
        self.inner.silent_push.store(nth, Ordering::SeqCst);
    }

    /// Returns the connections that wait for ever.
    pub(crate) fn let_go(&self) -> Vec<TcpStream> {
        std::mem::take(&mut *self.inner.held.lock().unwrap())
    }
}

impl Inner {
    fn answer(&self, mut stream: TcpStream) {
        let Some(asked) = Asked::read(&mut stream) else { return };
        let note = |status| {
            self.log.lock().unwrap().push(Request { target: asked.target.clone(), status });
        };
        let wanted = self.secret.map(|secret| format!("Basic {secret}"));
        if wanted.is_some() && asked.header("authorization") != wanted.as_deref() {
            note(401);
            let head = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"here\"\r\n\
                        Content-Length: 0\r\nConnection: close\r\n\r\n";
            stream.write_all(head.as_bytes()).ok();
            return;
        }
        let step = |left: usize| left.checked_sub(1);
        if asked.target.ends_with(PUSH)
            && self.silent_push.fetch_update(Ordering::SeqCst, Ordering::SeqCst, step) == Ok(1)
        {
            note(0);
            self.held.lock().unwrap().push(stream);
            return;
        }
        let (status, head, body) = self.backend(&asked);
        note(status);
        let head = format!(
            "HTTP/1.1 {status} x\r\n{head}Content-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all(&[head.as_bytes(), &body].concat()).ok();
    }

    /// Returns the status, the other headers and the body that `http-backend` answers with.
    fn backend(&self, asked: &Asked) -> (u16, String, Vec<u8>) {
        let (path, query) = asked.target.split_once('?').unwrap_or((&asked.target, ""));
        let mut command = Command::new("git");
        command.arg("http-backend").env_clear().envs(self.env.iter().cloned());
        command.env("GIT_PROJECT_ROOT", &self.root).env("GIT_HTTP_EXPORT_ALL", "1");
        command.env("REQUEST_METHOD", &asked.method).env("PATH_INFO", path).env("QUERY_STRING", query);
        command.env("REMOTE_USER", "ada").env("REMOTE_ADDR", "127.0.0.1");
        command.env("CONTENT_LENGTH", asked.body.len().to_string());
        for (header, variable) in [
            ("content-type", "CONTENT_TYPE"),
            ("content-encoding", "HTTP_CONTENT_ENCODING"),
            ("git-protocol", "HTTP_GIT_PROTOCOL"),
        ] {
            if let Some(value) = asked.header(header) {
                command.env(variable, value);
            }
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let body = asked.body.clone();
        let feeder = std::thread::spawn(move || drop(stdin.write_all(&body)));
        let said = child.wait_with_output().unwrap().stdout;
        feeder.join().unwrap();
        let end = said.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap_or(said.len());
        let mut status = 200;
        let mut head = String::new();
        for line in String::from_utf8_lossy(&said[..end]).lines() {
            match line.strip_prefix("Status: ") {
                Some(said) => status = said[..3].parse().unwrap(),
                None => head.extend([line, "\r\n"]),
            }
        }
        (status, head, said.get(end + 4..).unwrap_or_default().to_vec())
    }
}

impl Asked {
    fn read(stream: &mut TcpStream) -> Option<Self> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        let first = line(&mut reader)?;
        let mut words = first.split(' ').map(str::to_owned);
        let (method, target) = (words.next()?, words.next()?);
        let mut headers = Vec::new();
        loop {
            let line = line(&mut reader)?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut asked = Self { method, target, headers, body: Vec::new() };
        if asked.header("expect").is_some() {
            stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").ok()?;
        }
        if asked.header("transfer-encoding") == Some("chunked") {
            loop {
                let length = usize::from_str_radix(&line(&mut reader)?, 16).ok()?;
                let mut chunk = vec![0; length];
                reader.read_exact(&mut chunk).ok()?;
                line(&mut reader)?;
                if length == 0 {
                    break;
                }
                asked.body.extend(chunk);
            }
        } else if let Some(length) = asked.header("content-length") {
            asked.body = vec![0; length.parse().ok()?];
            reader.read_exact(&mut asked.body).ok()?;
        }
        Some(asked)
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

fn line(reader: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    (reader.read_line(&mut line).ok()? > 0).then(|| line.trim_end().to_owned())
}
