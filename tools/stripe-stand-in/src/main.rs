//! The command line of the stand-in.

use std::io::Write;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use stripe_stand_in::{Options, Rule, SECRET_KEY, StandIn, WEBHOOK_SECRET};

/// Stands in for Stripe on your machine, so that a shop can be tried and tested without an account. No money moves.
///
/// It has Checkout Sessions with a hosted page, refunds, disputes, idempotency keys and signed webhooks. A shop that is told this
/// address in place of https://api.stripe.com behaves as it does with Stripe.
#[derive(Parser)]
#[command(version, after_long_help = after_help())]
struct Arguments {
    /// Where to listen
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:12111", value_parser = listen_address)]
    listen: SocketAddr,

    /// The secret key that a request must have; it begins with sk_test_
    #[arg(long, value_name = "KEY", default_value = SECRET_KEY)]
    secret_key: String,

    /// Where webhooks go, for example http://127.0.0.1:3000/payments/stripe/events
    #[arg(long, value_name = "URL")]
    webhook_url: Option<String>,

    /// What webhooks are signed with; given twice while one secret is rolled
    #[arg(long = "webhook-secret", value_name = "SECRET", default_value = WEBHOOK_SECRET)]
    webhook_secrets: Vec<String>,

    /// Keep all that was done in this file, so that it is there after a restart, even after kill -9
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,

    /// Add each request and its answer to this file, as a line of JSON
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,

    /// After how many seconds a payment that is made "later" on the page arrives or fails
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    settle_after: u64,

    /// How many seconds the clock is ahead of the machine's
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    clock_ahead: u64,

    /// Be hostile in this way; may be given several times. The list is below (with --help)
    #[arg(long = "fault", value_name = "FAULT")]
    faults: Vec<Rule>,

    /// Print a line for each request and each webhook
    #[arg(short, long)]
    verbose: bool,
}

fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let addresses: Vec<_> = text.to_socket_addrs().map_err(|error| error.to_string())?.collect();
    // The first address of `localhost` may be IPv6. Users expect 127.0.0.1.
    let first = addresses.iter().find(|address| address.is_ipv4()).or(addresses.first());
    first.copied().ok_or_else(|| "no such address".to_owned())
}

fn after_help() -> String {
    format!(
        "{}\n\n\
         Tests in another process do what a buyer, a bank or a merchant does with requests that have the secret key:\n  \
         GET  /stand-in/charges, refunds, disputes, sessions, events, requests\n  \
         POST /stand-in/sessions/ID/pay, decline, pay-later, settle, fail, close\n  \
         POST /stand-in/sessions/ID/dispute, with or without JSON: amount (in minor units), inquiry (true or false)\n  \
         POST /stand-in/refunds/ID/settle, fail\n  \
         POST /stand-in/disputes/ID/answer, escalate, win, lose, prevent\n  \
         POST /stand-in/forget-keys, release\n  \
         POST /stand-in/settings with JSON: faults (a list), clock_ahead (seconds), webhook_url, webhook_secrets",
        stripe_stand_in::fault_help()
    )
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let options = Options {
        listen: arguments.listen,
        secret_key: arguments.secret_key,
        webhook_url: arguments.webhook_url,
        webhook_secrets: arguments.webhook_secrets,
        state: arguments.state,
        record: arguments.record,
        faults: arguments.faults,
        clock_ahead: Duration::from_secs(arguments.clock_ahead),
        settle_after: Duration::from_secs(arguments.settle_after),
        verbose: arguments.verbose,
        ..Options::default()
    };
    let stand_in = match StandIn::start(options) {
        Ok(stand_in) => stand_in,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    // An error says that the reader has closed the output and does not need the text.
    _ = writeln!(std::io::stdout(), "A stand-in for Stripe: no money moves.\nServing {}", stand_in.url());
    interrupted().await;
    ExitCode::SUCCESS
}

/// Waits for Ctrl-C or SIGTERM.
async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let (Ok(mut interrupt), Ok(mut terminate)) =
            (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        }
    }
    #[cfg(not(unix))]
    {
        _ = tokio::signal::ctrl_c().await;
    }
}
