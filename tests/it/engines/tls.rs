//! Services with certificates that this machine knows, or does not know.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value;

use crate::support::{Place, Shown, World, run};

/// Makes an authority `ca.pem` and, by it, a certificate for this machine; `false` if there is no openssl.
fn certificates(place: &Place<'_>) -> bool {
    let openssl = |args: &[&str]| {
        let made = Command::new("openssl").current_dir(&place.path).args(args).output();
        let Ok(made) = made else {
            println!("SKIPPED: openssl is missing, so nothing here was tested about certificates");
            return false;
        };
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        true
    };
    let new =
        ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
    let ca = ["-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=An authority of our own"];
    let leaf = [
        "-keyout",
        "leaf.key",
        "-out",
        "leaf.pem",
        "-subj",
        "/CN=localhost",
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
    ];
    let facts = ["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"];
    openssl(&[&new[..], &ca[..]].concat()) && openssl(&[&new[..], &leaf[..], &facts[..]].concat())
}

/// Serves over TLS for as long as the test goes on: whoever can speak with it is told that its key is none.
/// Returns the port.
fn serve(place: &Place<'_>) -> u16 {
    let chain = vec![CertificateDer::from_pem_file(place.path.join("leaf.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(place.path.join("leaf.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = Arc::new(config.unwrap().with_no_client_auth().with_single_cert(chain, key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let session = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut tls = rustls::StreamOwned::new(session, stream);
            let mut asked = Vec::new();
            let mut piece = [0; 4096];
            // Who does not believe in the certificate goes away before it asks.
            while let Ok(n) = tls.read(&mut piece) {
                asked.extend_from_slice(&piece[..n]);
                if n == 0 || asked.windows(4).any(|end| end == b"\r\n\r\n") {
                    break;
                }
            }
            let body = r#"{"error":{"message":"no such key"}}"#;
            let head = format!(
                "HTTP/1.1 401 Unauthorized\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            if tls.write_all((head + body).as_bytes()).is_ok() {
                tls.conn.send_close_notify();
                tls.flush().ok();
            }
        }
    });
    port
}

fn plan(place: &Place<'_>, authority: Option<&str>) -> (Shown, String) {
    let mut command = place.command(crate::support::BIN);
    command.args(["plan", "Add a login", "--engine", "near", "--json"]);
    if let Some(authority) = authority {
        command.env("SSL_CERT_FILE", place.world.path().join(authority));
    }
    let shown = run(&mut command);
    let error: Value = serde_json::from_str(&shown.stdout).unwrap_or_else(|err| panic!("{err}: {shown}"));
    let message = error["message"].as_str().unwrap_or_default().to_owned();
    (shown, message)
}

#[test]
fn a_certificate_that_nobody_knows_is_said_and_one_of_a_chosen_authority_is_taken() {
    let world = World::new();
    let root = world.place("");
    if !certificates(&root) {
        return;
    }
    let a = world.clone("a");
    let url = format!("https://127.0.0.1:{}/v1", serve(&root));
    for (key, value) in [("kind", "http"), ("baseUrl", &url), ("model", "m1")] {
        a.git(&["config", &format!("godzilla.engines.near.{key}"), value]);
    }
    let (shown, message) = plan(&a, None);
    assert_eq!(shown.code, Some(6), "{shown}");
    assert!(message.contains("ended with unavailable") && message.contains("certificate"), "{message}");
    assert!(message.contains("SSL_CERT_FILE"), "it says what to do: {message}");

    let (shown, message) = plan(&a, Some("ca.pem"));
    assert!(message.contains("ended with auth") && message.contains("no such key"), "{message} {shown}");
    // An authority that is none of its is no help.
    std::fs::copy(root.path.join("leaf.pem"), root.path.join("other.pem")).unwrap();
    assert!(certificates(&root));
    let (_, message) = plan(&a, Some("ca.pem"));
    assert!(message.contains("ended with unavailable") && message.contains("certificate"), "{message}");
}
