//! Searches from the command line: see `--help`.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use clap::{Parser, Subcommand};
use model_check::exhaustive::exhaustive;
use model_check::random;

#[derive(Parser)]
#[command(about = "Searches the interleavings, crashes and failures of requests, on the rules as they ship")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Visit every state of the small cases.
    Exhaustive {
        /// Only the cases whose name contains this.
        #[arg(default_value = "")]
        name: String,
        /// How many crashes, failing calls and expiries more than in the tests.
        #[arg(long, default_value_t = 0)]
        faults: usize,
    },
    /// Run larger cases at random.
    Random {
        /// How many runs.
        #[arg(long, default_value_t = 10_000_000)]
        schedules: u64,
        /// The seed of the first run; each one more has the next.
        #[arg(long, default_value_t = 0)]
        seed: u64,
    },
    /// Run what a seed stands for once more, and print it.
    Replay {
        /// The seed that a run was reported with.
        seed: u64,
    },
}

fn main() -> ExitCode {
    let held = match Arguments::parse().command {
        Command::Exhaustive { name, faults } => exhaustive(&name, faults),
        Command::Random { schedules, seed } => at_random(schedules, seed),
        Command::Replay { seed } => replay(seed),
    };
    if held { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn at_random(schedules: u64, seed: u64) -> bool {
    let start = Instant::now();
    let (done, steps) = (AtomicU64::new(0), AtomicU64::new(0));
    let failed = random::first_violation(seed..seed.saturating_add(schedules), |run| {
        steps.fetch_add(run.steps as u64, Ordering::Relaxed);
        let done = done.fetch_add(1, Ordering::Relaxed) + 1;
        if done.is_multiple_of(500_000) {
            eprintln!("{done} of {schedules} schedules after {:.0} s", start.elapsed().as_secs_f32());
        }
    });
    let (done, steps) = (done.into_inner(), steps.into_inner());
    println!("{done} schedules of {steps} steps in all, in {:.0} s", start.elapsed().as_secs_f32());
    failed.is_none_or(replay)
}

fn replay(seed: u64) -> bool {
    let run = random::replay(seed);
    println!("{}", run.log.join("\n"));
    match run.violation {
        None => println!("seed {seed}: {} steps, and every promise was kept", run.steps),
        Some(ref violation) => println!("seed {seed}: {violation}\nAgain: {}", random::command(seed)),
    }
    run.violation.is_none()
}
