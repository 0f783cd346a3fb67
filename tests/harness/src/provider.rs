//! A payment provider beside a shop: a stand-in for Stripe, in this process or in one of its own, which can be killed.

use std::ffi::OsString;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use stripe_stand_in::{
    Charged, EventInfo, Options, Refunded, Retries, SECRET_KEY, SessionInfo, StandIn, WEBHOOK_SECRET,
};

use crate::process::{Listening, lasting_address};
use crate::server::Settings;
use crate::{Answer, Client, Error, Request, Server, Store};

/// Where a shop takes webhooks.
pub const EVENTS: &str = "/payments/stripe/events";

/// The first argument of a program that is to be a provider.
pub(crate) const VERB: &str = "stand-in";

/// The file in which a provider that can be killed keeps what it has done, in its folder.
const STATE: &str = "state";

/// Webhooks that are not taken come again while a test waits.
const SOON: Retries =
    Retries { first: Duration::from_millis(20), longest: Duration::from_millis(200), stop: Duration::from_secs(60) };

/// After how long a payment comes to an end that a buyer has made "later" on the page of a provider in its own process.
const SETTLE_AFTER: Duration = Duration::from_secs(1);

/// The variables of a shop that is paid at the stand-in at this address.
pub fn variables(api: &str) -> [(&'static str, String); 4] {
    [
        ("stripe_secret_key", SECRET_KEY),
        ("stripe_webhook_secret", WEBHOOK_SECRET),
        ("stripe_api", api),
        ("return_url", "http://127.0.0.1:3000/"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
}

/// Starts a stand-in whose webhooks wait until a shop is there.
///
/// # Errors
/// If it does not start.
pub fn start() -> Result<StandIn, Error> {
    let options = Options { retries: SOON, ..Options::default() };
    StandIn::start(options).map_err(not_started)
}

fn not_started(error: stripe_stand_in::Error) -> Error {
    Error::NotStarted(error.to_string())
}

impl Server {
    /// As [`Server::start`], for a shop that is paid at this provider. Webhooks go to the server that was started last.
    ///
    /// # Errors
    /// If the server does not start.
    pub fn start_paid_at(provider: &StandIn, store: &Store, settings: Settings) -> Result<Self, Error> {
        let variables = variables(&provider.url()).map(|(name, value)| (name.to_owned(), value));
        let variables = variables.into_iter().chain(settings.variables).collect();
        let server = Self::start(store, Settings { variables, ..settings })?;
        let url = format!("{}{EVENTS}", server.client.url());
        provider.set_webhook_url(Some(&url)).map_err(not_started)?;
        Ok(server)
    }
}

/// A stand-in in a process of its own. What it has done is in a file, and is there when it is started again.
pub struct Process {
    program: PathBuf,
    folder: PathBuf,
    address: SocketAddr,
    /// None while it is dead.
    listening: Option<Listening>,
    /// What is asked of it.
    pub remote: Remote,
}

impl Process {
    /// Starts one with this program, which calls [`crate::process::serve_if_told`], and keeps what it does in this
    /// folder.
    ///
    /// # Errors
    /// If it does not start.
    pub fn start(program: &Path, folder: &Path) -> Result<Self, Error> {
        let address = lasting_address()?;
        let remote = Remote { client: Client::new(&format!("http://{address}"), Some(SECRET_KEY))? };
        let (program, folder) = (program.to_owned(), folder.to_owned());
        let mut process = Self { program, folder, address, listening: None, remote };
        process.restart()?;
        Ok(process)
    }

    /// Starts it again after it was killed, at the same address.
    ///
    /// # Errors
    /// If it does not start.
    pub fn restart(&mut self) -> Result<(), Error> {
        let log = self.folder.join("log");
        let mut command = Command::new(&self.program);
        command.arg(VERB).arg(self.address.to_string()).arg(self.folder.join(STATE));
        // It ends with the process that has its standard input.
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(File::create(&log)?);
        let answers = || self.remote.ask(&Request::get("/stand-in/requests")).is_ok();
        self.listening = Some(Listening::start(command, self.address, &log, answers)?);
        Ok(())
    }

    /// Kills it as `kill -9` does, and waits until nothing of it is left.
    ///
    /// # Errors
    /// It had ended by itself.
    pub fn kill(&mut self) -> Result<(), Error> {
        self.listening.take().map_or(Ok(()), |mut listening| listening.end())
    }

    /// Where it keeps what it has done.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// A stand-in in another process, as its buyers, its merchant and an auditor see it.
#[derive(Clone, Debug)]
pub struct Remote {
    client: Client,
}

impl Remote {
    /// A client of it: of its hosted pages, or of all it has.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Sends webhooks to this server of a shop, from now on and all that were not taken.
    ///
    /// # Errors
    /// There is no answer.
    pub fn send_webhooks_to(&self, server: &Client) -> Result<(), Error> {
        self.set(json!({ "webhook_url": format!("{}{EVENTS}", server.url()) }))
    }

    /// Sets the faults, in place of those that are in force.
    ///
    /// # Errors
    /// There is no answer.
    pub fn set_faults(&self, faults: &[&str]) -> Result<(), Error> {
        self.set(json!({ "faults": faults }))
    }

    fn set(&self, settings: Value) -> Result<(), Error> {
        self.ask(&Request::post("/stand-in/settings").json(settings)).map(drop)
    }

    /// Forgets all idempotency keys, as Stripe does after 24 hours.
    ///
    /// # Errors
    /// There is no answer.
    pub fn forget_keys(&self) -> Result<(), Error> {
        self.ask(&Request::post("/stand-in/forget-keys")).map(drop)
    }

    /// Delivers the webhooks that were kept back.
    ///
    /// # Errors
    /// There is no answer.
    pub fn release_webhooks(&self) -> Result<(), Error> {
        self.ask(&Request::post("/stand-in/release")).map(drop)
    }

    /// A refund comes to its end: it is made, or fails, also where it was made already.
    ///
    /// # Errors
    /// There is no answer, or it is at its end.
    pub fn settle_refund(&self, id: &str, succeeds: bool) -> Result<(), Error> {
        let act = if succeeds { "settle" } else { "fail" };
        self.ask(&Request::post(format!("/stand-in/refunds/{id}/{act}"))).map(drop)
    }

    /// What buyers were charged, the oldest first.
    ///
    /// # Errors
    /// There is no answer.
    pub fn charges(&self) -> Result<Vec<Charged>, Error> {
        self.list("charges")
    }

    /// All refunds, the oldest first.
    ///
    /// # Errors
    /// There is no answer.
    pub fn refunds(&self) -> Result<Vec<Refunded>, Error> {
        self.list("refunds")
    }

    /// All sessions, the oldest first.
    ///
    /// # Errors
    /// There is no answer.
    pub fn sessions(&self) -> Result<Vec<SessionInfo>, Error> {
        self.list("sessions")
    }

    /// All events, the oldest first.
    ///
    /// # Errors
    /// There is no answer.
    pub fn events(&self) -> Result<Vec<EventInfo>, Error> {
        self.list("events")
    }

    fn list<T: DeserializeOwned>(&self, of: &str) -> Result<Vec<T>, Error> {
        let answer = self.ask(&Request::get(format!("/stand-in/{of}")))?;
        Ok(serde_json::from_slice(&answer.body).map_err(std::io::Error::other)?)
    }

    /// An event, as a webhook has it.
    ///
    /// # Errors
    /// There is no answer.
    pub fn event(&self, id: &str) -> Result<Vec<u8>, Error> {
        Ok(self.ask(&Request::get(format!("/v1/events/{id}")))?.body)
    }

    /// Sends a request with the secret key, which has to be answered with 200.
    fn ask(&self, request: &Request) -> Result<Answer, Error> {
        let answer = self.client.send(&request.clone().operator())?;
        if answer.status == 200 {
            return Ok(answer);
        }
        Err(std::io::Error::other(format!("{request:?} of the provider was answered with {answer:?}")).into())
    }
}

/// Stands in for a provider until nothing is left that could use it.
pub(crate) fn serve(listen: &str, state: &OsString) -> Result<(), Error> {
    let options = Options {
        listen: listen.parse().map_err(std::io::Error::other)?,
        state: Some(state.into()),
        retries: SOON,
        settle_after: SETTLE_AFTER,
        ..Options::default()
    };
    let _provider = StandIn::start(options).map_err(not_started)?;
    std::io::stdin().lines().try_for_each(|line| line.map(drop))?;
    Ok(())
}
