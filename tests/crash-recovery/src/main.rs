//! The long form, and the server that is killed where it is not Spin.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use crash_recovery::server::{Program, build, serve};
use crash_recovery::{Trial, Victim};

/// Puts load on a server of the shop, kills it again and again, and compares what clients were told with what is there.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,

    /// How often to kill the server
    #[arg(long, default_value_t = 25)]
    kills: u64,

    /// Kill this `spin`, running `spin up`, instead of this program
    #[arg(long, value_name = "PATH")]
    spin: Option<PathBuf>,

    /// Serve what is built for this target
    #[arg(long, value_name = "NAME", default_value = "local")]
    target: String,

    /// So many servers, of which one is killed; several share a Redis
    #[arg(long, default_value_t = 1)]
    servers: usize,

    /// Kill the Redis instead of a server
    #[arg(long)]
    redis: bool,

    /// Kill the Redis for good, and promote its replica
    #[arg(long, conflicts_with = "redis")]
    failover: bool,

    /// Which requests are made and after which time the server is killed; what that hits is up to the machine
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Subcommand)]
enum Command {
    /// Serves the shop: to be killed
    #[command(hide = true)]
    Serve {
        #[arg(long)]
        from: PathBuf,
        #[arg(long)]
        listen: SocketAddr,
        #[arg(long)]
        state_dir: PathBuf,
    },
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    match arguments.command {
        Some(Command::Serve { from, listen, state_dir }) => {
            serve(from, listen, state_dir, 1).map(|()| ExitCode::SUCCESS)
        }
        None => run(&arguments),
    }
}

fn run(arguments: &Arguments) -> Result<ExitCode> {
    let target = arguments.target.clone();
    build(&target)?;
    let program = match &arguments.spin {
        Some(path) => Program { path: path.clone(), verb: "up", target },
        None => Program { path: std::env::current_exe()?, verb: "serve", target },
    };
    let (mut trial, victim) = if arguments.failover {
        (Trial::with_replica(program, arguments.servers, 1, arguments.seed)?, Victim::Primary)
    } else {
        let victim = if arguments.redis { Victim::Redis } else { Victim::Server };
        (Trial::new(program, arguments.servers, arguments.seed)?, victim)
    };
    for number in 1..=arguments.kills {
        trial.kill(victim, |_| Ok(()))?;
        if number == arguments.kills {
            trial.check_all();
        }
        let orders = trial.books.orders.len();
        if !trial.books.contradictions.is_empty() {
            trial.books.contradictions.iter().for_each(|contradiction| println!("{contradiction}"));
            println!("killed {number} times: what clients were told and what is there contradict each other");
            return Ok(ExitCode::FAILURE);
        }
        println!("killed {number} times: {orders} orders are as clients were told");
    }
    Ok(ExitCode::SUCCESS)
}
