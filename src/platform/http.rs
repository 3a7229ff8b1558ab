//! Requests over HTTP: watched, limited, and without a way for a key to go where it was not meant to.
//!
//! One request is one call that returns when the answer is over. Proxies and certificates are those of
//! the environment and the system.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, Url};

use super::clock;

/// How often it is looked whether somebody wants us to stop, or a limit is reached.
const TICK: Duration = Duration::from_millis(20);

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(20);

/// How often a server may send us on to another place of its own.
const MAX_REDIRECTS: usize = 5;

/// Where a service is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(Url);

/// A request. With a body it is a POST of JSON, without one a GET.
#[derive(Debug)]
pub struct Call<'a> {
    pub address: &'a Address,
    /// Names and values; no log and no error shows the values.
    pub headers: &'a [(&'static str, String)],
    pub body: Option<Vec<u8>>,
}

/// How long a request may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub deadline: Instant,
    /// How long the server may say nothing.
    pub idle: Duration,
}

/// How an answer begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub status: u16,
    /// In lower case; empty if the server says none.
    pub content_type: String,
    /// After how long the server wants to be asked again.
    pub retry_after: Option<Duration>,
    /// Where the server sends us, as an origin, if that is another place.
    pub elsewhere: Option<String>,
}

/// Why there is no answer, or none that is whole.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    #[error("the request cannot be made: {0}")]
    Setup(String),
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    /// It is there, and its certificate is none that is known here.
    #[error(
        "has a certificate that is not trusted here: {0}; name the file of its authority in SSL_CERT_FILE"
    )]
    Untrusted(String),
    #[error("the connection was lost: {0}")]
    Dropped(String),
    #[error("was not done within the limit of time")]
    TimedOut,
    #[error("said nothing for {} s", .0.as_secs())]
    Silent(Duration),
    #[error("stopped")]
    Interrupted,
}

impl Address {
    /// Returns the address that `text` is: of HTTP, without user and password.
    ///
    /// # Errors
    ///
    /// What is wrong with it, for people; never the text itself, in which there may be a password.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let url = Url::parse(text.trim()).map_err(|_| "it is not a URL")?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
            return Err("it does not begin with http:// or https:// and a host");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("it holds a user or a password; keys come from a variable");
        }
        Ok(Self(url))
    }

    /// Returns the address of `path` below this one; a query stays.
    #[must_use]
    pub fn join(&self, path: &str) -> Self {
        let mut url = self.0.clone();
        let whole = format!("{}/{}", url.path().trim_end_matches('/'), path.trim_start_matches('/'));
        url.set_path(&whole);
        url.set_fragment(None);
        Self(url)
    }

    /// Whether it is a host and nothing else.
    pub fn is_bare(&self) -> bool {
        self.0.path() == "/"
    }

    /// Returns scheme, host and port, as in `https://example.com`.
    pub fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    /// Whether it is on this machine.
    pub fn is_local(&self) -> bool {
        let host = self.0.host_str().unwrap_or_default().trim_matches(['[', ']']);
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }

    /// Whether others on the way can read what is sent.
    pub fn is_in_the_clear(&self) -> bool {
        self.0.scheme() == "http" && !self.is_local()
    }
}

/// Makes a request; `take` sees the answer as it comes, and breaks off when it has seen enough.
///
/// A redirect is followed within one origin only: another host gets neither key nor body, and the answer
/// is the redirect itself. What is on this machine is reached without a proxy.
///
/// # Errors
///
/// [`Failed`] if no answer came, or it ended before its end. An answer that says no is an answer.
pub fn call(
    call: &Call<'_>,
    limits: Limits,
    take: &mut dyn FnMut(&Head, &[u8]) -> ControlFlow<()>,
) -> Result<Head, Failed> {
    let handler = gix::interrupt::init_handler_default(usize::MAX).ok();
    let _handler = handler.map(|handler| handler.with_reset(true).auto_deregister());

    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
    let runtime = runtime.map_err(|err| Failed::Setup(err.to_string()))?;
    let result = runtime.block_on(exchange(call, limits, take));
    // A name that is still being looked up is not waited for.
    runtime.shutdown_background();
    result
}

/// Waits, at most until `deadline`. Returns whether nobody wanted us to stop meanwhile.
pub fn wait(time: Duration, deadline: Instant) -> bool {
    let handler = gix::interrupt::init_handler_default(usize::MAX).ok();
    let _handler = handler.map(|handler| handler.with_reset(true).auto_deregister());

    let until = (Instant::now() + time).min(deadline);
    loop {
        if gix::interrupt::is_triggered() {
            return false;
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return true;
        }
        std::thread::sleep(left.min(TICK));
    }
}

async fn exchange(
    call: &Call<'_>,
    limits: Limits,
    take: &mut dyn FnMut(&Head, &[u8]) -> ControlFlow<()>,
) -> Result<Head, Failed> {
    let client = client(call.address)?;
    let url = call.address.0.clone();
    let request = match &call.body {
        Some(body) => client.post(url).header("content-type", "application/json").body(body.clone()),
        None => client.get(url),
    };
    let request = request.headers(headers(call.headers)?).send();
    let mut response = watched(request, limits).await?.map_err(|err| failed(&err))?;
    let head = head_of(&response, call.address);
    while let Some(piece) = watched(response.chunk(), limits).await?.map_err(|err| failed(&err))? {
        if take(&head, &piece).is_break() {
            break;
        }
    }
    Ok(head)
}

/// Waits for `what`, until a limit is reached or somebody wants us to stop.
async fn watched<T>(what: impl Future<Output = T>, limits: Limits) -> Result<T, Failed> {
    let since = Instant::now();
    tokio::pin!(what);
    loop {
        tokio::select! {
            done = &mut what => return Ok(done),
            () = tokio::time::sleep(TICK) => (),
        }
        if gix::interrupt::is_triggered() {
            return Err(Failed::Interrupted);
        }
        if Instant::now() >= limits.deadline {
            return Err(Failed::TimedOut);
        }
        if since.elapsed() >= limits.idle {
            return Err(Failed::Silent(limits.idle));
        }
    }
}

fn client(address: &Address) -> Result<Client, Failed> {
    // Somebody may have done it before, which is as good.
    rustls::crypto::ring::default_provider().install_default().ok();
    let origin = address.0.origin();
    let stay = Policy::custom(move |attempt| {
        let stays = attempt.url().origin() == origin && attempt.previous().len() <= MAX_REDIRECTS;
        if stays { attempt.follow() } else { attempt.stop() }
    });
    let mut builder = Client::builder()
        .user_agent(concat!("git-godzilla/", env!("CARGO_PKG_VERSION")))
        .redirect(stay)
        .referer(false)
        .connect_timeout(CONNECT);
    if address.0.scheme() == "http" {
        // A machine without certificates can speak plain HTTP, too.
        builder = builder.tls_certs_only([]);
    }
    if address.is_local() {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|err| Failed::Setup(chain(&err.without_url())))
}

fn headers(wanted: &[(&'static str, String)]) -> Result<HeaderMap, Failed> {
    let mut headers = HeaderMap::new();
    for (name, value) in wanted {
        let invalid =
            || Failed::Setup(format!("the value of the header `{name}` has characters it cannot have"));
        let mut value = HeaderValue::from_str(value).map_err(|_| invalid())?;
        value.set_sensitive(true);
        headers.insert(HeaderName::from_static(name), value);
    }
    Ok(headers)
}

fn head_of(response: &reqwest::Response, address: &Address) -> Head {
    let text = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
    let location = text("location").and_then(|to| response.url().join(to).ok());
    Head {
        status: response.status().as_u16(),
        content_type: text("content-type").unwrap_or_default().to_ascii_lowercase(),
        retry_after: retry_after(text("retry-after-ms"), text("retry-after"), clock::now_ms()),
        elsewhere: location
            .map(|url| url.origin())
            .filter(|origin| *origin != address.0.origin())
            .map(|origin| origin.ascii_serialization()),
    }
}

/// Returns how long to wait, as the headers say it: in milliseconds, in seconds, or until a date.
fn retry_after(ms: Option<&str>, after: Option<&str>, now_ms: u64) -> Option<Duration> {
    /// Longer than anybody waits, and short enough to be added to a time.
    const MAX: Duration = Duration::from_hours(24 * 365);

    if let Some(ms) = ms.and_then(|ms| ms.trim().parse::<f64>().ok()) {
        return Duration::try_from_secs_f64(ms / 1000.0).ok().map(|wait| wait.min(MAX));
    }
    let after = after?.trim();
    if let Ok(seconds) = after.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok().map(|wait| wait.min(MAX));
    }
    let at_ms = clock::parse_http_date(after)?;
    Some(Duration::from_millis(at_ms.saturating_sub(now_ms)).min(MAX))
}

fn failed(err: &reqwest::Error) -> Failed {
    let said = chain(err);
    if err.is_builder() {
        Failed::Setup(said)
    } else if is_about_certificate(err) {
        Failed::Untrusted(said)
    } else if err.is_connect() {
        Failed::Unreachable(said)
    } else {
        Failed::Dropped(said)
    }
}

fn is_about_certificate(err: &(dyn std::error::Error + 'static)) -> bool {
    if let Some(tls) = err.downcast_ref::<rustls::Error>() {
        return matches!(tls, rustls::Error::InvalidCertificate(_));
    }
    // What an error of input and output holds is none of its sources.
    let held = err.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    let held = held.is_some_and(|held| is_about_certificate(held));
    held || err.source().is_some_and(is_about_certificate)
}

/// Returns what went wrong and why, without the address.
fn chain(err: &reqwest::Error) -> String {
    let mut said = Vec::new();
    // Its own words name the address; its causes say what happened.
    let mut source = std::error::Error::source(err);
    while let Some(cause) = source {
        let text = cause.to_string();
        if said.last() != Some(&text) {
            said.push(text);
        }
        source = cause.source();
    }
    if said.is_empty() { "the request failed".to_owned() } else { said.join(": ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_of_http_and_hold_no_password() {
        for text in [
            "",
            "example.com/v1",
            "file:///etc/passwd",
            "https://",
            "https://u:p@example.com",
            "https://k@e.com",
        ] {
            assert!(Address::parse(text).is_err(), "{text}");
        }
        let base = Address::parse("https://example.com/v1/?api-version=2").unwrap();
        assert_eq!(
            base.join("chat/completions").0.as_str(),
            "https://example.com/v1/chat/completions?api-version=2"
        );
        assert_eq!(base.origin(), "https://example.com");
        assert!(Address::parse("http://localhost:1").unwrap().is_bare() && !base.is_bare());
        for (text, is_local, is_clear) in [
            ("http://localhost:1", true, false),
            ("http://127.0.0.1", true, false),
            ("http://[::1]:8", true, false),
            ("http://10.0.0.1", false, true),
            ("https://10.0.0.1", false, false),
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!((address.is_local(), address.is_in_the_clear()), (is_local, is_clear), "{text}");
        }
    }

    #[test]
    fn a_server_says_when_in_every_form() {
        let now_ms = 784_111_777_000;
        let date = "Sun, 06 Nov 1994 08:49:47 GMT";
        let after = |ms, after| retry_after(ms, after, now_ms);
        assert_eq!(after(None, Some("7")), Some(Duration::from_secs(7)));
        assert_eq!(after(None, Some("0.5")), Some(Duration::from_millis(500)));
        assert_eq!(after(Some("1500"), Some("7")), Some(Duration::from_millis(1500)));
        assert_eq!(after(None, Some(date)), Some(Duration::from_secs(10)));
        assert_eq!(retry_after(None, Some(date), now_ms + 60_000), Some(Duration::ZERO));
        for junk in ["", "soon", "-1", "NaN"] {
            assert_eq!(after(None, Some(junk)), None, "{junk}");
        }
        assert!(after(None, Some("1e18")).unwrap() <= Duration::from_hours(24 * 365));
    }

    #[test]
    fn who_is_not_there_cannot_be_reached() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = Address::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        drop(listener);
        let limits =
            Limits { deadline: Instant::now() + Duration::from_mins(1), idle: Duration::from_mins(1) };
        let request = Call { address: &address, headers: &[], body: None };
        let result = call(&request, limits, &mut |_, _| ControlFlow::Continue(()));
        assert!(matches!(result, Err(Failed::Unreachable(_))), "{result:?}");
    }

    #[test]
    fn a_key_that_is_no_header_is_said_without_it() {
        let err = headers(&[("x-api-key", "sec\nret".to_owned())]).unwrap_err().to_string();
        assert!(err.contains("x-api-key") && !err.contains("sec"), "{err}");
    }
}
