//! The load generator: wrk, <https://github.com/wg/wrk>.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use harness::Request;
use host::toolchain::say;
use serde::{Deserialize, Serialize};

/// Where it is installed from, on Debian and its kin.
const INSTALL: [&str; 4] = ["apt-get", "install", "-y", "wrk"];

/// Turns a hang into an error.
const TIMEOUT: &str = "10s";

/// What is sent over every connection, one request after the other.
#[derive(Clone, Debug)]
pub struct Script {
    pub requests: Vec<Request>,
    pub pick: Pick,
    /// Whether each has an idempotency key of its own.
    pub keyed: bool,
    /// What to ask next of each order that was placed.
    pub follow: Option<&'static str>,
}

/// Which of the requests comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// Any.
    Any,
    /// One after the other, each once.
    Once,
    /// One after the other, each this number of times, and then the first again.
    Each(usize),
}

/// What wrk has measured. Times are in microseconds; percentiles are as wrk reckons them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Measured {
    /// Requests that were answered.
    pub requests: u64,
    pub micros: u64,
    pub p50: u64,
    pub p99: u64,
    pub longest: u64,
    /// Requests that were answered with a status of 400 or more.
    pub refused: u64,
    /// Requests that were not answered, or not in time, and connections that were not made.
    pub unanswered: u64,
    /// Requests that were to be sent once and were sent again, since there were too few.
    pub repeated: u64,
}

/// The program, which is there.
#[derive(Clone, Debug)]
pub struct Wrk {
    scratch: PathBuf,
}

impl Wrk {
    /// Finds it, or installs it where that is possible. What it reads is written to `scratch`.
    pub fn find(scratch: &Path) -> Result<Self> {
        if !is_there()? {
            install()?;
        }
        Ok(Self { scratch: scratch.to_owned() })
    }

    /// Sends a script for this number of seconds, and measures.
    pub fn measure(&self, urls: &[String], script: &Script, connections: usize, seconds: u64) -> Result<Measured> {
        let output = self.run(urls, script, connections, seconds, None)?;
        let line = output.lines().find_map(|line| line.strip_prefix("figures "));
        let line = line.with_context(|| format!("wrk says no figures, but {output}"))?;
        Ok(serde_json::from_str(line)?)
    }

    /// Sends a script until there was this number of requests.
    pub fn send(&self, urls: &[String], script: &Script, connections: usize, requests: usize) -> Result<()> {
        self.run(urls, script, connections, 600, Some(requests)).map(drop)
    }

    /// Of several servers each has its part of the connections, and a thread of wrk's to itself.
    fn run(
        &self,
        urls: &[String],
        script: &Script,
        connections: usize,
        seconds: u64,
        stop: Option<usize>,
    ) -> Result<String> {
        let url = urls.first().context("there is a server")?;
        let file = self.scratch.join("requests");
        let line = |request: &Request| format!("{}\t{}\t{}\n", request.method, request.path, request.text());
        fs::write(&file, script.requests.iter().map(line).collect::<String>())?;
        let mut command = Command::new("wrk");
        command
            .args(["--threads", &urls.len().to_string(), "--connections", &connections.to_string()])
            .args(["--duration", &seconds.to_string(), "--timeout", TIMEOUT])
            .args(["--script", concat!(env!("CARGO_MANIFEST_DIR"), "/load.lua"), url.as_str(), "--"])
            .arg(format!("requests={}", file.display()))
            .args(urls.iter().map(|url| format!("server={}", url.trim_start_matches("http://"))));
        match script.pick {
            Pick::Any => command.arg("pick=any"),
            Pick::Once => command.arg("pick=each"),
            Pick::Each(times) => command.args(["pick=each", &format!("each={times}")]),
        };
        if script.keyed {
            command.arg("keyed=yes");
        }
        if let Some(follow) = script.follow {
            command.arg(format!("follow={follow}"));
        }
        if let Some(requests) = stop {
            command.arg(format!("stop={requests}"));
        }
        let output = command.stderr(Stdio::inherit()).output().context("wrk cannot be run")?;
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(output.status.success(), "wrk has failed: {told}");
        Ok(told)
    }
}

fn is_there() -> Result<bool> {
    // It knows no option that ends well.
    match Command::new("wrk").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn install() -> Result<()> {
    let [program, arguments @ ..] = INSTALL;
    let by_hand = format!("the load generator wrk is not there; install it: {}", INSTALL.join(" "));
    let root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
    if !root {
        bail!("{by_hand} (as root), or from https://github.com/wg/wrk");
    }
    say(format_args!("Installing wrk: {}", INSTALL.join(" ")));
    let installed = Command::new(program).args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).status();
    ensure!(installed.is_ok_and(|status| status.success()) && is_there()?, by_hand);
    Ok(())
}
