//! Serves a Spin application over HTTP on one machine: a small stand-in for `spin up --build`, for a developer and for
//! tests, not for production.
//!
//! It embeds the WebAssembly runtime that Spin 4.1 embeds, in a later patch release and with the same settings, and
//! behaves as Spin does for what it covers: HTTP triggers, components of WASI 0.3 and 0.2, the default key-value store
//! in SQLite, the default SQLite database, outbound Redis and HTTP, and variables. Spin's faults are kept on purpose, so that an
//! application which holds here holds there. One is not: a header that is not UTF-8 reaches the component, which Spin
//! answers with an empty 500. What a manifest asks for beyond that is refused with one clear line. TLS for
//! clients, other outgoing connections, other triggers and other stores are left to Spin.
#![deny(missing_docs)]

mod bindings;
mod build;
mod clock;
mod error;
mod faults;
mod guest;
mod hook;
mod keyvalue;
mod manifest;
mod outbound;
mod outgoing;
mod private;
mod redis;
mod routes;
mod runtime;
mod server;
mod sqlite;
mod stats;
pub mod toolchain;
mod variables;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use wasmtime_wasi_http::handler::ProxyHandler;

use crate::clock::Clock;
use crate::guest::Grants;
use crate::manifest::Manifest;
use crate::outgoing::HttpClient;
use crate::routes::Router;
use crate::runtime::Workers;
use crate::server::Application;
use crate::stats::Counters;

pub use crate::error::Error;
pub use crate::faults::{FaultyStore, StoreFault};
pub use crate::hook::{Call, CallOutcome, StoreHook};
pub use crate::keyvalue::Journal;
pub use crate::stats::{Calls, ComponentStats, Operation, Stats};

/// How long tasks may take to end once the server has stopped and the requests' time is over.
const LAST_TASKS: Duration = Duration::from_secs(1);

/// What to serve, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// The manifest, or the directory that holds it as `spin.toml`.
    pub manifest: PathBuf,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where the key-value store lies. None: `.spin` next to the manifest, as in Spin.
    pub state_dir: Option<PathBuf>,
    /// The journal mode that the store's file is put in.
    pub journal: Journal,
    /// Values of application variables. They come before `SPIN_VARIABLE_NAME` in the environment and the manifest's
    /// defaults. Names that the manifest does not have are ignored, as in Spin.
    pub variables: BTreeMap<String, String>,
    /// Drop what components print.
    pub quiet: bool,
    /// Run the components' build commands first.
    pub build: bool,
    /// How long an instance without a request is kept: one second, as in Spin. Tests that need an instance to stay say
    /// more, so that they do not depend on how fast the machine is.
    pub idle_timeout: Duration,
    /// What tests do to the components' key-value calls. None: the store is Spin's.
    pub hook: Option<Arc<dyn StoreHook>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            manifest: "spin.toml".into(),
            listen: (Ipv4Addr::LOCALHOST, 3000).into(),
            state_dir: None,
            journal: Journal::default(),
            variables: BTreeMap::new(),
            quiet: false,
            build: true,
            idle_timeout: runtime::IDLE_TIMEOUT,
            hook: None,
        }
    }
}

/// The manifest of an application for a target: that of `local`, or the file next to it with the target's name before
/// `.toml`.
pub fn manifest_of(local: &Path, target: &str) -> PathBuf {
    let local = if local.is_dir() { local.join("spin.toml") } else { local.to_owned() };
    if target == "local" { local } else { local.with_extension(format!("{target}.toml")) }
}

/// The application variables that the components of a manifest are given. Others reach none of them.
///
/// # Errors
/// If the manifest cannot be read, or a template in it is broken.
pub fn given_variables(manifest: &Path) -> Result<BTreeSet<String>, Error> {
    variables::given(&Manifest::read(manifest)?)
}

/// A running server. It has its own threads, so it does not depend on the runtime that started it. Dropping it ends it
/// at once, as a crash would: requests are cut off.
pub struct Server {
    // The first field, so that dropping a server ends its threads before `stop` could start an orderly stop.
    threads: Threads,
    application: Arc<Application>,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

/// Builds (if told to) and loads the application, and serves it. Several servers may run in one process.
///
/// # Errors
/// Explains in one line why the application cannot be served.
pub async fn start(options: Options) -> Result<Server, Error> {
    let threads = Threads::new()?;
    let (application, listener) =
        threads.handle.spawn(load(options, threads.stopping.clone())).await.map_err(Error::runtime)??;
    let application = Arc::new(application);
    let (stop, stopped) = oneshot::channel();
    let serving = threads.handle.spawn(server::serve(application.clone(), listener, stopped));
    Ok(Server { threads, application, stop, serving })
}

async fn load(options: Options, stopping: Arc<AtomicBool>) -> Result<(Application, TcpListener), Error> {
    let manifest = Manifest::read(&options.manifest)?;
    let warn = |warning: String| eprintln!("warning: {warning}");
    let router = Router::new(&manifest.triggers, warn).map_err(|reason| Error::manifest(&manifest.path, reason))?;
    let mut granted = variables::resolve(&manifest, &options.variables, |name| std::env::var(name).ok())?;
    let hosts: BTreeSet<_> =
        granted.values().flat_map(|granted| &granted.hosts).filter(|host| host.is_redis()).collect();
    for reason in hosts.into_iter().filter_map(|host| tokio::task::block_in_place(|| host.unreachable())) {
        warn(format!("no Redis can be reached at {reason}: start one there, or say where it is"));
    }
    // All quick checks come before the build, which may take minutes.
    let refused = |error: std::io::Error| Error::Listen { address: options.listen, reason: error.to_string() };
    let listener = TcpListener::bind(options.listen).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    let state_dir = options.state_dir.unwrap_or_else(|| manifest.root.join(".spin"));
    let store = Arc::new(keyvalue::Database::open(&state_dir.join(keyvalue::FILE_NAME), options.journal)?);
    let database = || sqlite::Database::new(&state_dir.join(sqlite::FILE_NAME), options.journal);
    if manifest.components.values().any(|component| !component.databases.is_empty()) {
        database().prepare()?;
    }
    if options.build {
        tokio::task::block_in_place(|| build::build(&manifest))?;
    }
    let clock = Clock::default();
    let http = HttpClient::new(address);
    let mut components = BTreeMap::new();
    for (id, component) in &manifest.components {
        let variables::Granted { variables, hosts } = granted.remove(id).unwrap_or_default();
        let grants = Arc::new(Grants {
            component: id.clone(),
            stores: component.stores.clone(),
            databases: component.databases.clone(),
            hosts,
            http: http.clone(),
            variables,
            environment: component.environment.clone(),
            quiet: options.quiet,
            store: store.clone(),
            database: database(),
            clock: clock.clone(),
            hook: options.hook.clone(),
            counters: Counters::default(),
        });
        let load = || Workers::load(&component.source, grants, stopping.clone(), options.idle_timeout);
        let workers = tokio::task::block_in_place(load)?;
        components.insert(id.clone(), ProxyHandler::new(workers));
    }
    let banner = server::banner(address, &router, &manifest, store.path());
    let info = server::info(&manifest);
    Ok((Application { address, router, components, clock, info, banner, stopping }, listener))
}

impl Server {
    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        self.application.address
    }

    /// What `spin up` prints when it is ready: where the data is, where it serves, and which routes.
    pub fn banner(&self) -> &str {
        &self.application.banner
    }

    /// What the server has done so far. A request's calls are in it before the client has the answer.
    pub fn stats(&self) -> Stats {
        let components = self.application.components.iter();
        Stats {
            components: components
                .map(|(id, handler)| (id.clone(), handler.state().grants().counters.snapshot()))
                .collect(),
        }
    }

    /// Sets how far the time of day that components see is ahead of the machine's, for tests of expiry.
    pub fn set_clock_ahead(&self, ahead: Duration) {
        self.application.clock.set_ahead(ahead);
    }

    /// Stops accepting connections, gives running requests a few seconds to finish, and ends.
    pub async fn shutdown(self) {
        _ = self.stop.send(());
        _ = self.serving.await;
        // This blocks until the last tasks end, which async code must not do.
        _ = tokio::task::spawn_blocking(|| self.threads.end()).await;
    }
}

/// The threads of a server. When they are dropped, tasks that wait are gone at once and components that loop are told
/// to end.
struct Threads {
    handle: Handle,
    runtime: Option<Runtime>,
    stopping: Arc<AtomicBool>,
}

impl Threads {
    fn new() -> Result<Self, Error> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Error::runtime)?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime), stopping: Arc::default() })
    }

    /// Ends as dropping does, and waits for it, for [`LAST_TASKS`] at most. Blocks.
    fn end(mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(LAST_TASKS);
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
