//! The command line of the host: `cargo run` at the root of the application.

mod provider;

use std::error::Error;
use std::io::Write;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use host::{FaultyStore, Journal, Options, StoreFault, StoreHook};
use stripe_stand_in::StandIn;

/// Builds the components of a Spin application and serves them, as `spin up --build` does.
///
/// This is for one developer's machine and for tests: no TLS for clients, no other triggers than HTTP, and no other
/// key-value store than the default one. In production use Spin itself, which reads the same spin.toml and can take over
/// the same state directory.
///
/// Application variables are looked up in --variable, then in the environment as SPIN_VARIABLE_NAME, then in spin.toml.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The manifest, or the directory that holds it as spin.toml
    #[arg(short, long, value_name = "FILE", default_value = "spin.toml")]
    from: PathBuf,

    /// Serve what is built for a platform, as its manifest says: spin.NAME.toml next to this one
    #[arg(long, value_name = "NAME", default_value = "local")]
    target: String,

    /// Where to listen
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3000", value_parser = listen_address)]
    listen: SocketAddr,

    /// Where to keep the key-value store [default: .spin next to the manifest]
    #[arg(long, value_name = "DIRECTORY")]
    state_dir: Option<PathBuf>,

    /// The journal mode that the store's SQLite file is put in, and keeps
    #[arg(long, value_name = "MODE", default_value = "wal")]
    journal: Journal,

    /// The value of an application variable, or @ and the file that holds it; may be given several times
    #[arg(long = "variable", value_name = "NAME=VALUE", value_parser = variable)]
    variables: Vec<(String, String)>,

    /// Drop what components print
    #[arg(short, long)]
    quiet: bool,

    /// Serve what was built before
    #[arg(long)]
    no_build: bool,

    /// Start a stand-in for Stripe, at which orders are paid on a hosted page; no money moves
    ///
    /// It sets the variables stripe_secret_key, stripe_webhook_secret, stripe_api and return_url. What was done there is
    /// kept in the state directory.
    #[arg(long)]
    with_provider: bool,

    /// Where the stand-in for Stripe listens
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "127.0.0.1:12111",
        value_parser = listen_address,
        requires = "with_provider"
    )]
    provider_listen: SocketAddr,

    /// Serve from a store that is not what it says, to see what the application makes of it; for tests
    #[arg(long, value_name = "FAULT")]
    fault: Option<StoreFault>,
}

fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let addresses: Vec<_> = text.to_socket_addrs().map_err(|error| error.to_string())?.collect();
    // The first address of `localhost` may be IPv6. Users expect 127.0.0.1.
    let first = addresses.iter().find(|address| address.is_ipv4()).or(addresses.first());
    first.copied().ok_or_else(|| "no such address".to_owned())
}

fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("must be NAME=VALUE or NAME=@FILE")?;
    let value = match value.strip_prefix('@') {
        Some(file) => std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?,
        None => value.to_owned(),
    };
    Ok((name.to_owned(), value))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let provider_listen = arguments.with_provider.then_some(arguments.provider_listen);
    let options = Options {
        manifest: host::manifest_of(&arguments.from, &arguments.target),
        listen: arguments.listen,
        state_dir: arguments.state_dir,
        journal: arguments.journal,
        variables: arguments.variables.into_iter().collect(),
        quiet: arguments.quiet,
        build: !arguments.no_build,
        hook: arguments.fault.map(|fault| Arc::new(FaultyStore::new(fault)) as Arc<dyn StoreHook>),
        ..Options::default()
    };
    match serve(options, provider_listen).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(mut options: Options, provider_listen: Option<SocketAddr>) -> Result<(), Box<dyn Error>> {
    let provider = provider_listen.map(|listen| with_provider(&mut options, listen)).transpose()?;
    let server = host::start(options).await?;
    let interrupted = interrupt()?;
    let banner = format!("{}{}", server.banner(), provider.as_ref().map(provider::banner).unwrap_or_default());
    // An error says that the reader has closed the output and does not need the text.
    _ = std::io::stdout().write_all(banner.as_bytes());
    interrupted.await;
    server.shutdown().await;
    // Only now: requests that still ran may have asked it.
    drop(provider);
    Ok(())
}

/// Starts the payment provider, and tells the application where it is.
fn with_provider(options: &mut Options, listen: SocketAddr) -> Result<StandIn, provider::Error> {
    // An application that is not there, or is paid nowhere, gets no state directory.
    provider::check_manifest(&options.manifest)?;
    provider::check(&options.variables, |name| std::env::var(name).ok())?;
    options.listen = provider::listen_address(options.listen)?;
    let beside_manifest = || options.manifest.parent().unwrap_or(Path::new("")).join(".spin");
    let state_dir = options.state_dir.clone().unwrap_or_else(beside_manifest);
    let stand_in = provider::start(listen, options.listen, &state_dir)?;
    options.variables.extend(provider::variables(&stand_in, options.listen));
    Ok(stand_in)
}

/// Takes over Ctrl-C and SIGTERM at once, and waits for one of them.
#[cfg(unix)]
fn interrupt() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Takes over Ctrl-C at once, and waits for it.
#[cfg(windows)]
fn interrupt() -> std::io::Result<impl Future<Output = ()>> {
    let mut interrupt = tokio::signal::windows::ctrl_c()?;
    Ok(async move { _ = interrupt.recv().await })
}
