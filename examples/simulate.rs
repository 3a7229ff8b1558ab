//! The simulation of many clones, for as many seeds and steps as there is time for:
//!
//! ```text
//! cargo run --example simulate -- --seeds 20 --steps 5000 --clones 24 --remotes 3 [--start SEED] [--friendly] [--gates] [--mixed]
//! cargo run --example simulate -- --seeds 1 --start 7 … --only 12 --only 80
//! ```
//!
//! A seed that breaks a promise is told with a short list of steps that does; then it ends with 1.
//! With `--release` it is ten times as fast.

#![expect(clippy::print_stdout, clippy::unwrap_used, clippy::exit, reason = "a tool of the tests")]
#![expect(clippy::disallowed_methods, reason = "it keeps repositories of its own")]
#![expect(dead_code, unused_imports, reason = "tests use more of it")]

use std::time::Instant;

#[path = "../tests/it/support/simulation/mod.rs"]
mod simulation;

use simulation::{Config, run, shrink, steps};

fn main() {
    let mut config = Config {
        n_clones: 24,
        n_remotes: 3,
        n_steps: 2000,
        hostile: true,
        gates: false,
        mixed: false,
        only: &[],
        broken: None,
    };
    let (mut start, mut n_seeds) = (0, 10);
    let mut only = Vec::new();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut number =
            || args.next().and_then(|text| text.parse::<usize>().ok()).unwrap_or_else(|| usage());
        match arg.as_str() {
            "--seeds" => n_seeds = number() as u64,
            "--start" => start = number() as u64,
            "--steps" => config.n_steps = number(),
            "--clones" => config.n_clones = number(),
            "--remotes" => config.n_remotes = number(),
            "--only" => only.push(number() as u64),
            "--gates" => config.gates = true,
            "--mixed" => config.mixed = true,
            "--friendly" => config.hostile = false,
            _ => usage(),
        }
    }
    let begin = Instant::now();
    for seed in start..start + n_seeds {
        let began = Instant::now();
        let mut steps = steps(seed, &config);
        steps.retain(|step| only.is_empty() || only.contains(&step.at));
        let outcome = run(&config, &steps);
        println!(
            "seed {seed}: {:.1} s\n{:?}\n{}",
            began.elapsed().as_secs_f64(),
            outcome.counts,
            outcome.result
        );
        if let Some(violation) = outcome.violation {
            println!("seed {seed} breaks a promise: {violation}");
            let (steps, violation) = shrink(&config, steps, violation);
            println!("{} steps break it: {violation}", steps.len());
            for step in &steps {
                println!("  {step}");
            }
            std::process::exit(1);
        }
    }
    let (n_steps, took) = (config.n_steps as u64 * n_seeds, begin.elapsed());
    let a_second = u128::from(n_steps) * 1000 / took.as_millis().max(1);
    println!("{n_seeds} seeds, {n_steps} steps, {:.1} s, {a_second} steps a second", took.as_secs_f64());
}

fn usage() -> ! {
    println!(
        "usage: simulate [--seeds N] [--start SEED] [--steps M] [--clones N] [--remotes N] [--friendly] [--gates] [--mixed] [--only STEP]"
    );
    std::process::exit(2);
}
