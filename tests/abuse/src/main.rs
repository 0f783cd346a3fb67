//! The long form.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use abuse::{Burst, HEAD, Place, Sizes};
use anyhow::Result;
use clap::Parser;
use harness::process::{Program, serve_if_told};
use harness::{Client, TOKEN};

/// Does to a shop what no honest client does, and prints what honest clients get meanwhile and what memory it takes.
#[derive(Parser)]
struct Arguments {
    /// Only this; may be given several times
    #[arg(long = "burst", value_enum, value_name = "NAME")]
    bursts: Vec<Burst>,

    /// Do it to this `spin`, running `spin up`, instead of this program
    #[arg(long, value_name = "PATH", conflicts_with = "url")]
    spin: Option<PathBuf>,

    /// Do it to the server that runs there; items and orders stay
    #[arg(long, value_name = "URL")]
    url: Option<String>,

    /// The process of that server, whose memory is looked at
    #[arg(long, value_name = "NUMBER", requires = "url")]
    pid: Option<u32>,

    /// The operator's token of that server [default: OPERATOR_TOKEN in the environment]
    #[arg(long, value_name = "TOKEN")]
    operator_token: Option<String>,

    /// What a test has time for
    #[arg(long)]
    short: bool,

    /// How long a burst lasts
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<u64>,

    /// How long after it the memory is looked at again
    #[arg(long, value_name = "SECONDS")]
    after: Option<u64>,

    /// The honest clients
    #[arg(long)]
    honest: Option<usize>,

    /// Streams over one connection of HTTP/2 that take nothing
    #[arg(long)]
    streams: Option<usize>,

    /// Connections of HTTP/1.1 that take nothing
    #[arg(long)]
    readers: Option<usize>,

    /// Orders that are sent and taken back, a second
    #[arg(long)]
    resets: Option<u32>,

    /// The most orders that are placed and cancelled
    #[arg(long)]
    orders: Option<usize>,

    /// Lines of each of them
    #[arg(long)]
    lines: Option<usize>,

    /// How much room there is in the Redis that they fill, in kB
    #[arg(long)]
    room: Option<i64>,

    /// Silent connections, and as many with half of a head; both need open files, see `ulimit -n`
    #[arg(long)]
    connections: Option<usize>,
}

impl Arguments {
    fn sizes(&self) -> Sizes {
        let sizes = if self.short { Sizes::short() } else { Sizes::long() };
        Sizes {
            honest: self.honest.unwrap_or(sizes.honest),
            burst: self.seconds.map_or(sizes.burst, Duration::from_secs),
            after: self.after.map_or(sizes.after, Duration::from_secs),
            streams: self.streams.unwrap_or(sizes.streams),
            readers: self.readers.unwrap_or(sizes.readers),
            resets: self.resets.unwrap_or(sizes.resets),
            orders: self.orders.unwrap_or(sizes.orders),
            lines: self.lines.unwrap_or(sizes.lines),
            room: self.room.unwrap_or(sizes.room),
            connections: self.connections.unwrap_or(sizes.connections),
        }
    }

    fn place(&self) -> Result<Place> {
        Ok(match &self.url {
            Some(url) => {
                let token = self.operator_token.clone().or_else(|| std::env::var("OPERATOR_TOKEN").ok());
                let client = Client::new(url, Some(token.as_deref().unwrap_or(TOKEN)))?;
                Place::There { client, process: self.pid }
            }
            None => Place::Own(Program::new(self.spin.clone())?),
        })
    }
}

fn main() -> Result<ExitCode> {
    serve_if_told();
    let arguments = Arguments::parse();
    let (sizes, place) = (arguments.sizes(), arguments.place()?);
    let bursts = if arguments.bursts.is_empty() { Burst::ALL.to_vec() } else { arguments.bursts.clone() };
    println!("{HEAD}");
    let mut broken = 0;
    for burst in bursts {
        let report = abuse::run(burst, &sizes, &place)?;
        println!("{report}");
        broken += report.broken.len() + report.slow.len();
    }
    Ok(if broken > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
