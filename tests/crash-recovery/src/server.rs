//! A server in a process of its own, which can be killed.

use std::fs::{self, File};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::client::{Client, TOKEN};
use crate::redis::Redis;
use anyhow::{Context, Result, bail, ensure};

/// Turns a server that does not start into an error.
const TIMEOUT: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(5);

/// The longest payment window, in seconds: no order expires while a test runs.
const NEVER: u64 = 31_536_000;

/// Whose process is killed, and what it serves.
pub struct Program {
    /// The program.
    pub path: PathBuf,
    /// How it is told to serve: `up` for Spin, `serve` for this package's own, which serves with the host library.
    pub verb: &'static str,
    /// The target of the application, see [`host::manifest_of`].
    pub target: String,
}

impl Program {
    /// Whether the target's records are in a Redis.
    pub fn has_redis(&self) -> bool {
        matches!(self.target.as_str(), "akamai-functions" | "spinkube")
    }
}

/// A running server. It is killed when it is dropped.
pub struct Server {
    process: Child,
    address: SocketAddr,
}

/// The manifest of the application for a target.
fn manifest(target: &str) -> PathBuf {
    host::manifest_of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spin.toml"), target)
}

/// Builds the components of a target, once for all servers.
///
/// # Errors
/// Says why they cannot be built.
pub fn build(target: &str) -> Result<()> {
    let state = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let options = host::Options {
        manifest: manifest(target),
        listen: (Ipv4Addr::LOCALHOST, 0).into(),
        state_dir: Some(state.path().to_owned()),
        quiet: true,
        ..host::Options::default()
    };
    runtime.block_on(host::start(options)).map(drop).context("the components cannot be built and served")
}

impl Server {
    /// Starts a server on this data, on which no order expires, and waits until it answers.
    ///
    /// # Errors
    /// Says what the server said.
    pub fn start(program: &Program, state: &Path, redis: Option<&Redis>) -> Result<Self> {
        Self::start_with(program, state, redis, NEVER)
    }

    /// As [`Server::start`], where unpaid orders expire after so many seconds.
    ///
    /// # Errors
    /// Says what the server said.
    pub fn start_with(program: &Program, state: &Path, redis: Option<&Redis>, payment_window: u64) -> Result<Self> {
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let mut command = Command::new(&program.path);
        let log = state.join(format!("server-{}.log", address.port()));
        let output = File::create(&log)?;
        command
            .args([program.verb, "--from"])
            .arg(manifest(&program.target))
            .args(["--listen", &address.to_string(), "--state-dir"])
            .arg(state)
            .env("SPIN_VARIABLE_OPERATOR_TOKEN", TOKEN)
            .env("SPIN_VARIABLE_PAYMENT_WINDOW_SECONDS", payment_window.to_string())
            .envs(redis.into_iter().flat_map(Redis::variables))
            // Ends with this process, and so does a server that reads it.
            .stdin(Stdio::piped())
            .stdout(output.try_clone()?)
            .stderr(output)
            // `spin up` starts a process that serves: they are one group, and die as one.
            .process_group(0);
        let process = command.spawn().with_context(|| format!("{command:?} cannot be run"))?;
        let mut server = Self { process, address };
        let (client, start) = (server.client(), Instant::now());
        while client.get("/health").is_none_or(|(status, _)| status != 200) {
            let ended = server.process.try_wait()?;
            if ended.is_some() || start.elapsed() > TIMEOUT {
                bail!("the server does not start: {}", fs::read_to_string(log)?);
            }
            sleep(PAUSE);
        }
        Ok(server)
    }

    /// A client of this server.
    pub fn client(&self) -> Client {
        Client::new(vec![self.url()])
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Kills the server as `kill -9` does, and waits until nothing of it is left.
    ///
    /// # Errors
    /// Says why it cannot be killed.
    pub fn kill(mut self) -> Result<()> {
        self.end()
    }

    fn end(&mut self) -> Result<()> {
        let group = format!("-{}", self.process.id());
        let killed = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status()?;
        self.process.wait()?;
        ensure!(killed.success(), "process group {group} was gone before it was killed");
        while TcpStream::connect(self.address).is_ok() {
            sleep(PAUSE);
        }
        Ok(())
    }
}

/// Serves with the host library, on so many threads. What [`Program`] calls `serve`. It goes on until it is killed, or its
/// standard input ends: then the process that has started it is gone.
///
/// # Errors
/// Says why nothing can be served.
pub fn serve(manifest: PathBuf, listen: SocketAddr, state_dir: PathBuf, threads: usize) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
    let options =
        host::Options { manifest, listen, state_dir: Some(state_dir), build: false, ..host::Options::default() };
    let server = runtime.block_on(host::start(options))?;
    std::io::stdout().write_all(server.banner().as_bytes())?;
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    Ok(())
}

impl Drop for Server {
    fn drop(&mut self) {
        // Once it was killed there is nothing to kill.
        if let Ok(None) = self.process.try_wait() {
            let _ = self.end();
        }
    }
}
