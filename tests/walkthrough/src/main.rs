//! An integration client: what a shop's own client does in the life of its orders, a request after another.

mod answer;
mod shop;
mod walk;

use std::process::ExitCode;
use std::time::Instant;

use anstream::{eprintln, println};
use clap::Parser;

use crate::shop::{RED, Shop};

/// Walks orders from placed to paid or cancelled, shows each request with its answer, and stops with exit code 1 at the
/// first answer that is not as docs/api.md says.
///
/// With the operator's token it makes items of its own, and takes what is left of them out of sale at the end. Without
/// one it orders the two items of which there is most, at most two of each; it cancels all but a single one, which it
/// buys.
///
/// In a shop that `cargo run -- --with-provider` serves, it pays as a buyer does, on the page of the stand-in for
/// Stripe. It pays no real money.
#[derive(Parser)]
struct Arguments {
    /// Where the shop is
    #[arg(default_value = "http://127.0.0.1:3000")]
    base_url: String,

    /// The operator's token [default: the variable OPERATOR_TOKEN]
    #[arg(long, value_name = "TOKEN")]
    operator_token: Option<String>,

    /// Print only what is wrong, and a last line
    #[arg(long)]
    quiet: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let token = arguments.operator_token.or_else(|| std::env::var("OPERATOR_TOKEN").ok()).filter(|it| !it.is_empty());
    let began = Instant::now();
    let mut requests = 0;
    let walked = Shop::new(&arguments.base_url, token, arguments.quiet).and_then(|shop| {
        let walked = walk::walk(&shop);
        requests = shop.requests();
        walked
    });
    let (url, time) = (&arguments.base_url, began.elapsed());
    match walked {
        Ok(()) => {
            println!("{requests} requests to {url} were answered as the contract says, in {time:.1?}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{RED}{error:#}{RED:#}");
            println!("stopped after {requests} requests to {url}");
            ExitCode::FAILURE
        }
    }
}
