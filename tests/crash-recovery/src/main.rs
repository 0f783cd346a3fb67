//! The long form.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use crash_recovery::{Trial, Victim};
use harness::process::{Program, serve_if_told};
use harness::{Target, server};

/// Puts load on a server of the shop, kills it again and again, and compares what clients were told with what is there.
#[derive(Parser)]
struct Arguments {
    /// How often to kill the server; with a provider also the provider, and both, as often each
    #[arg(long, default_value_t = 25)]
    kills: u64,

    /// Kill this `spin`, running `spin up`, instead of this program
    #[arg(long, value_name = "PATH")]
    spin: Option<PathBuf>,

    /// Serve what is built for this target
    #[arg(long, value_name = "NAME", default_value_t = Target::Local)]
    target: Target,

    /// How many servers there are, of which one is killed; several share a Redis
    #[arg(long, default_value_t = 1)]
    servers: usize,

    /// Kill the Redis instead of a server
    #[arg(long)]
    redis: bool,

    /// Kill the Redis for good, and promote its replica
    #[arg(long, conflicts_with = "redis")]
    failover: bool,

    /// Let buyers pay at a stand-in for Stripe, and kill the server, the stand-in and both in turn
    #[arg(long, conflicts_with_all = ["redis", "failover"])]
    with_provider: bool,

    /// Which requests are made and after which time the server is killed; what that hits is up to the machine
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn main() -> Result<ExitCode> {
    serve_if_told();
    let arguments = Arguments::parse();
    let (target, servers, seed) = (arguments.target, arguments.servers, arguments.seed);
    server::build(target)?;
    let program = Program::new(arguments.spin)?;
    let (mut trial, victims) = if arguments.with_provider {
        let provider = std::env::current_exe()?;
        (Trial::with_provider(program, &provider, target, servers, seed)?, Victim::WITH_PROVIDER.as_slice())
    } else if arguments.failover {
        (Trial::with_replica(program, target, servers, 1, seed)?, [Victim::Primary].as_slice())
    } else {
        let victims: &[Victim] = if arguments.redis { &[Victim::Redis] } else { &[Victim::Server] };
        (Trial::new(program, target, servers, seed)?, victims)
    };
    let kills = arguments.kills * victims.len() as u64;
    for (number, victim) in (1..=kills).zip(victims.iter().cycle()) {
        trial.kill(*victim, |_| Ok(()))?;
        if number == kills {
            trial.check_all()?;
        }
        let orders = trial.books.orders.len();
        if !trial.books.contradictions.is_empty() {
            trial.books.contradictions.iter().for_each(|contradiction| println!("{contradiction}"));
            println!("killed {number} times: what clients were told and what is there contradict each other");
            return Ok(ExitCode::FAILURE);
        }
        let charged = trial.figures().map_or_else(String::new, |figures| format!("; {figures}"));
        let operated = trial.books.tally();
        println!("killed {number} times: {orders} orders are as clients were told; {operated}{charged}");
    }
    Ok(ExitCode::SUCCESS)
}
