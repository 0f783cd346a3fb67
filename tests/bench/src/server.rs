//! Servers in processes of their own.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use host::Stats;

use crate::client::{Client, Request, TOKEN};

/// Turns a server that does not start into an error.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(1);

/// What serves.
#[derive(Clone, Debug)]
pub enum Program {
    /// This program, with the host library.
    Host,
    /// Spin.
    Spin(PathBuf),
}

/// What is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Application {
    /// The shop.
    Ours,
    /// Components that do only the necessary calls.
    Bare,
}

impl Application {
    pub const ALL: [Self; 2] = [Self::Ours, Self::Bare];

    pub fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Bare => "bare",
        }
    }

    pub fn manifest(self) -> PathBuf {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        match self {
            Self::Ours => here.join("../../spin.toml"),
            Self::Bare => here.join("bare/spin.toml"),
        }
    }

    /// Builds the components as the manifest says, and compiles them, which the runtime's cache remembers.
    pub fn build(self) -> Result<()> {
        let state = tempfile::tempdir()?;
        let options = host::Options {
            manifest: self.manifest(),
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            state_dir: Some(state.path().to_owned()),
            ..host::Options::default()
        };
        let built = runtime()?.block_on(host::start(options)).map(drop);
        built.with_context(|| format!("the components of {} cannot be built and served", self.name()))
    }
}

/// What a server is started with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where its store is.
    pub state: PathBuf,
    /// How long an unpaid order holds its stock, in seconds.
    pub payment_window: u64,
    /// Where the runtime keeps compiled components, where that is not the usual place.
    pub cache: Option<PathBuf>,
}

impl Settings {
    /// A payment window that does not end here.
    pub const NEVER: u64 = 31_536_000;
}

/// A running server. It is killed when it is dropped.
pub struct Server {
    process: Child,
    /// Where a server of this program is asked for its counters, and tells them.
    counters: Option<(ChildStdin, BufReader<ChildStdout>)>,
    client: Client,
    /// From the start of the process to its first answer.
    pub first_answer: Duration,
}

impl Server {
    /// Starts a server, and waits until it answers.
    ///
    /// # Errors
    /// Says what the server said.
    pub fn start(program: &Program, application: Application, settings: &Settings) -> Result<Self> {
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let log = settings.state.join("server.log");
        let output = File::create(&log)?;
        let mut command = match program {
            Program::Host => {
                let mut command = Command::new(std::env::current_exe()?);
                command.arg("serve").stdin(Stdio::piped()).stdout(Stdio::piped());
                command
            }
            Program::Spin(path) => {
                let mut command = Command::new(path);
                command.arg("up").stdin(Stdio::null()).stdout(output.try_clone()?);
                command
            }
        };
        command
            .arg("--from")
            .arg(application.manifest())
            .args(["--listen", &address.to_string(), "--state-dir"])
            .arg(&settings.state)
            .env("SPIN_VARIABLE_OPERATOR_TOKEN", TOKEN)
            .env("SPIN_VARIABLE_PAYMENT_WINDOW_SECONDS", settings.payment_window.to_string())
            .stderr(output)
            // `spin up` starts a process that serves: they are one group, and die as one.
            .process_group(0);
        if let Some(cache) = &settings.cache {
            command.env("XDG_CACHE_HOME", cache);
        }
        let start = Instant::now();
        let mut process = command.spawn().with_context(|| format!("{command:?} cannot be run"))?;
        let counters = process.stdin.take().zip(process.stdout.take().map(BufReader::new));
        let client = Client::new(&format!("http://{address}"));
        let mut server = Self { process, counters, client, first_answer: Duration::ZERO };
        while !matches!(server.client.send(&Request::get("/health")), Ok((200, _))) {
            let ended = server.process.try_wait()?;
            if ended.is_some() || start.elapsed() > PATIENCE {
                bail!("the server does not start: {}", fs::read_to_string(log)?);
            }
            sleep(PAUSE);
        }
        server.first_answer = start.elapsed();
        Ok(server)
    }

    pub fn client(&self) -> &Client {
        &self.client
    }

    /// What the server has done so far; none of one that keeps no such counters.
    pub fn stats(&mut self) -> Result<Option<Stats>> {
        let Some((asked, told)) = &mut self.counters else { return Ok(None) };
        asked.write_all(b"\n")?;
        let mut line = String::new();
        told.read_line(&mut line)?;
        Ok(Some(serde_json::from_str(&line).context("the server tells no counters")?))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended by itself has nothing to kill.
        if let Ok(None) = self.process.try_wait() {
            let group = format!("-{}", self.process.id());
            let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
            let _ = self.process.wait();
        }
    }
}

/// Serves, and tells its counters in a line for each line that it is sent, until there are no more.
pub fn serve(manifest: PathBuf, listen: SocketAddr, state_dir: PathBuf) -> Result<()> {
    let options =
        host::Options { manifest, listen, state_dir: Some(state_dir), build: false, ..host::Options::default() };
    let runtime = runtime()?;
    let server = runtime.block_on(host::start(options))?;
    for line in std::io::stdin().lines() {
        line?;
        println!("{}", serde_json::to_string(&server.stats())?);
    }
    Ok(())
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}
