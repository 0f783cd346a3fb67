//! Servers of the shop in this process.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use host::{Options, StoreHook};
use tokio::runtime::Builder;

use crate::{Client, Error, Store, TOKEN, Target};

/// A server. It is cut off when it is dropped, as by a crash.
pub struct Server {
    /// What serves.
    pub host: host::Server,
    /// A client of it that has the operator's token.
    pub client: Client,
}

/// The variable by which a server waits for its store as long as a test takes: what is refused as busy must not depend
/// on how fast the machine is.
const PATIENT: (&str, &str) = ("busy_after_milliseconds", "60000");

/// The variable by which a server removes nothing in passing, which it does at random: some tests count the calls of the
/// store.
const NEVER_SWEPT: (&str, &str) = ("closed_orders_kept_seconds", "forever");

/// The patient variable, for a server that is a process.
pub fn patient() -> (&'static str, String) {
    (PATIENT.0, PATIENT.1.to_owned())
}

/// What a server is started with, apart from its store.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Variables of the application on top of the operator's token and of those that say where the store is.
    pub variables: BTreeMap<String, String>,
    /// At which port of this machine to listen. None: at one that is free.
    pub port: Option<u16>,
    /// How long an instance without a request is kept. None: as long as in Spin.
    pub idle_timeout: Option<Duration>,
    /// What comes between the components and their store.
    pub hook: Option<Arc<dyn StoreHook>>,
}

impl Settings {
    /// These variables.
    pub fn with_variables(variables: &[(&str, &str)]) -> Self {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { variables, ..Self::default() }
    }
}

impl Server {
    /// Serves what is built for the target of a store. The first server of a target builds it.
    pub fn start(store: &Store, settings: Settings) -> Result<Self, Error> {
        let usual = [("operator_token", TOKEN), PATIENT, NEVER_SWEPT];
        let mut variables: BTreeMap<_, _> = usual.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        variables.extend(store.variables());
        variables.extend(settings.variables);
        Self::start_at(&store.target().manifest(), store.folder(), Settings { variables, ..settings })
    }

    /// Serves any application, with its state in this folder. The first server of a manifest builds it.
    pub fn start_at(manifest: &Path, folder: &Path, settings: Settings) -> Result<Self, Error> {
        static BUILT: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
        let built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
        // Held while one is built, so that the others take what was built.
        let building = Some(built).filter(|built| !built.contains(manifest));
        let token = settings.variables.get("operator_token").cloned();
        let options = Options {
            manifest: manifest.to_owned(),
            listen: (Ipv4Addr::LOCALHOST, settings.port.unwrap_or(0)).into(),
            state_dir: Some(folder.to_owned()),
            variables: settings.variables,
            hook: settings.hook,
            quiet: true,
            build: building.is_some(),
            ..Options::default()
        };
        let idle_timeout = settings.idle_timeout.unwrap_or(options.idle_timeout);
        let options = Options { idle_timeout, ..options };
        let host = wait(host::start(options))?;
        if let Some(mut built) = building {
            built.insert(manifest.to_owned());
        }
        let client = Client::new(&format!("http://{}", host.address()), token.as_deref())?;
        Ok(Self { host, client })
    }

    /// Ends it in order: requests that run are given a few seconds.
    pub fn stop(self) {
        wait(self.host.shutdown());
    }
}

/// Builds a target, and sees to it that it can be served.
pub fn build(target: Target) -> Result<(), Error> {
    Server::start(&Store::new(target)?, Settings::default()).map(drop)
}

/// Runs a future to its end on a thread of its own, wherever it is asked for. A server has its own threads, too.
fn wait<T: Send>(future: impl Future<Output = T> + Send) -> T {
    let run = || Builder::new_current_thread().build().expect("a runtime without drivers can be had").block_on(future);
    thread::scope(|scope| scope.spawn(run).join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
}
