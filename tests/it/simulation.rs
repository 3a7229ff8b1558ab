//! Many clones at once, simulated: nothing is lost, everybody comes to rest, and all agree.

use super::support::simulation::{ACTIONS, Broken, Config, run, shrink, steps};

const SMALL: Config = Config { n_clones: 6, n_remotes: 2, n_steps: 200, hostile: false, broken: None };

#[test]
fn a_first_look() {
    let seeds: u64 = std::env::var("SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let start: u64 = std::env::var("START").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    let hostile = std::env::var("HOSTILE").is_ok();
    let n_steps = std::env::var("STEPS").ok().and_then(|text| text.parse().ok()).unwrap_or(200);
    let config = Config { hostile, n_steps, ..SMALL };
    for seed in start..start + seeds {
        let steps = steps(seed, &config);
        let begin = std::time::Instant::now();
        let outcome = run(&config, &steps);
        println!("seed {seed}: {:?} {:?}\n{:?}\n{}", begin.elapsed(), outcome.violation, outcome.counts, outcome.result);
        if let Some(violation) = outcome.violation {
            let (steps, violation) = shrink(&config, steps, violation);
            println!("{violation}");
            for step in steps {
                println!("{step}");
            }
        }
    }
}
