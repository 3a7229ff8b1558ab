//! The model server of the tests, on its own, for real programs that ask a model:
//!
//! ```text
//! cargo run --example model_server -- scenario.json [PORT]
//! ```
//!
//! The first line on stdout is `{"port":…,"url":"http://127.0.0.1:…"}`; it serves until it is ended. What a
//! scenario may say is in `tests/it/support/model_server/script.rs`. `GET /__state` tells what was asked
//! and which turns are left.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a tool of the tests")]
#![expect(dead_code, unused_imports, reason = "tests use more of it")]

use std::io::Write as _;

#[path = "../tests/it/support/model_server/mod.rs"]
mod model_server;

use model_server::{ModelServer, Scenario};

fn main() {
    let mut args = std::env::args().skip(1);
    let Some(file) = args.next() else {
        println!("usage: model_server SCENARIO.json [PORT]");
        std::process::exit(2);
    };
    let scenario: Scenario = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let port = args.next().map_or(0, |port| port.parse().unwrap());
    let server = ModelServer::start_at(port, scenario);
    let url = server.url();
    let (_, port) = url.rsplit_once(':').unwrap();
    println!("{{\"port\":{port},\"url\":\"{url}\"}}");
    std::io::stdout().flush().unwrap();
    loop {
        std::thread::park();
    }
}
