//! The long form: many histories, against a server of one's own or against any other.

use std::env;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use clap::Parser;
use harness::{Client, Target};
use linearizability::load::{OPERATIONS, record, with_own_servers};

/// Records what concurrent clients of the shop are told, and checks that it is linearizable.
///
/// Against the server that BASE_URL names (http://host:port), with the operator's token from OPERATOR_TOKEN; without
/// BASE_URL against the components of this workspace, which it serves itself.
#[derive(Parser)]
struct Arguments {
    /// How many histories to record
    #[arg(long, default_value_t = 1000)]
    histories: u64,

    /// Which requests are made; in which order they are served is up to the machine
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// Serve what is built for this target; two servers of it where that has a Redis
    #[arg(long, value_name = "NAME", default_value_t = Target::Local)]
    target: Target,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    match env::var("BASE_URL") {
        Ok(url) => run(&arguments, &[Client::new(&url, env::var("OPERATOR_TOKEN").ok().as_deref())?]),
        Err(_) => with_own_servers(arguments.target, |clients| run(&arguments, clients)),
    }
}

fn run(arguments: &Arguments, clients: &[Client]) -> Result<ExitCode> {
    let start = Instant::now();
    let (mut unknown, mut checking) = (0, std::time::Duration::ZERO);
    for number in 1..=arguments.histories {
        let history = record(clients, arguments.seed.wrapping_add(number))?;
        let recorded = Instant::now();
        if let Some(beginning) = history.unexplained() {
            print!("{beginning}");
            println!("history {number} is not linearizable: nothing explains the last answer");
            return Ok(ExitCode::FAILURE);
        }
        checking = checking.max(recorded.elapsed());
        unknown += history.operations().iter().filter(|operation| operation.answer.is_none()).count();
        if number.is_multiple_of(50) || number == arguments.histories {
            println!(
                "{number} histories of {OPERATIONS} concurrent operations are linearizable ({unknown} operations of \
                 unknown outcome; {:.0?}, the slowest check {checking:.0?})",
                start.elapsed(),
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}
