//! Takes secrets out of what it reads, and tells how fast; for the benchmarks: `redact < FILE > CLEAN`.
//!
//! With `--against`, the text is searched for the same tokens by `rg` too, or by `grep -E` where that is
//! missing. With `--repeat N`, all of it is done N times.

#![expect(clippy::print_stderr, reason = "it is a program for a person")]

use std::error::Error;
use std::io::{Read as _, Write as _};
use std::process::Stdio;
use std::time::Instant;

use git_godzilla::domain::redact::{self, Known, Redactor};
use git_godzilla::platform::process::command;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let repeat = args.iter().position(|arg| arg == "--repeat").and_then(|at| args.get(at + 1)?.parse().ok());
    let mut text = Vec::new();
    std::io::stdin().lock().read_to_end(&mut text)?;
    let mut out = Vec::new();
    for _ in 0..repeat.unwrap_or(1) {
        out.clear();
        let began = Instant::now();
        let mut redactor = Redactor::new(Known::default());
        for chunk in text.chunks(32 << 10) {
            redactor.push(chunk, &mut out);
        }
        redactor.finish(&mut out);
        tell("redactor", text.len(), began);
        if args.iter().any(|arg| arg == "--against") {
            search(&text)?;
        }
    }
    std::io::stdout().lock().write_all(&out)?;
    Ok(())
}

/// Lets another program search for the same tokens.
fn search(text: &[u8]) -> Result<(), Box<dyn Error>> {
    let rg = command("rg").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    let expression = redact::expression();
    let mut program = command(if rg { "rg" } else { "grep" });
    if rg {
        // Without Unicode, as ours.
        program.args(["--no-unicode", "--text", "--count", "-e", expression]);
    } else {
        // The same in the language of grep, which has no groups without a number.
        let translated = expression.replace("(?-u)", "").replace("(?:", "(").replace(r"[\w", "[A-Za-z0-9_");
        program.env("LC_ALL", "C").args(["-a", "-c", "-E", "-e", &translated]);
    }
    let began = Instant::now();
    let mut child = program.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(text)?;
    }
    child.wait()?;
    tell(if rg { "rg" } else { "grep -E" }, text.len(), began);
    Ok(())
}

fn tell(who: &str, n_bytes: usize, began: Instant) {
    let seconds = began.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "it is shown with one decimal")]
    let megabytes = n_bytes as f64 / 1e6;
    eprintln!("{who}: {megabytes:.1} MB in {seconds:.3} s, {:.1} MB/s", megabytes / seconds);
}
