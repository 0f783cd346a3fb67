//! The long form.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use harness::process::{Program, serve_if_told};
use harness::{Target, server};
use soak::{Journal, Options};

/// Keeps a shop under load on each of its stores, and watches that nothing piles up, that no answer contradicts
/// another, and that it stays as fast as it was.
#[derive(Parser)]
struct Arguments {
    /// On the store of this target; may be given several times
    #[arg(long = "target", value_name = "NAME", default_values_t = soak::TARGETS)]
    targets: Vec<Target>,

    /// Put load on this `spin`, running `spin up`, instead of this program
    #[arg(long, value_name = "PATH")]
    spin: Option<PathBuf>,

    /// How long the load lasts on each store
    #[arg(long, default_value_t = 600)]
    seconds: u64,

    /// How many clients there are, each over a connection of its own
    #[arg(long, default_value_t = 128)]
    connections: usize,

    /// How many items nearly all orders are for
    #[arg(long, default_value_t = 3)]
    hot: usize,

    /// How many more items there are
    #[arg(long, default_value_t = 10_000)]
    cold: usize,

    /// How long an unpaid order holds its stock, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 3)]
    window: u64,

    /// How SQLite files make sure of their commits
    #[arg(long, value_enum, default_value = "wal")]
    journal: Journal,

    /// Which requests are made
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn main() -> Result<ExitCode> {
    serve_if_told();
    let arguments = Arguments::parse();
    let mut broken = 0;
    for target in &arguments.targets {
        broken += soak(*target, &arguments)?;
    }
    if broken > 0 {
        println!("{broken} rules are broken");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// How many rules are broken on the store of this target.
fn soak(target: Target, arguments: &Arguments) -> Result<usize> {
    server::build(target)?;
    let options = Options {
        program: Program::new(arguments.spin.clone())?,
        target,
        journal: arguments.journal,
        length: Duration::from_secs(arguments.seconds),
        connections: arguments.connections,
        hot: arguments.hot,
        cold: arguments.cold,
        window: arguments.window,
        seed: arguments.seed,
    };
    let verdicts = soak::run(options, |line| println!("{target}: {line}"))?;
    for soak::Verdict { rule, broken, figures } in &verdicts {
        let verdict = match broken {
            None => "kept".to_owned(),
            Some(how) => format!("BROKEN, {how}"),
        };
        println!("{target}: {rule}: {verdict}");
        if !figures.is_empty() {
            println!("{target}:     {figures}");
        }
    }
    Ok(verdicts.iter().filter(|verdict| verdict.broken.is_some()).count())
}
