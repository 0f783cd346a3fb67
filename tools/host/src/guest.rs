//! The host functions that an instance of a component can call, and the limits of what it is granted.

mod atomics;
mod batch;
mod buckets;
mod http;
mod spin_key_value;
mod sqlite;
mod store;
mod variables;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use wasmtime::ResourceLimiter;
use wasmtime::component::{Accessor, HasData, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::WasiHttpCtx;

use crate::clock::Clock;
use crate::faults::StoreFault;
use crate::guest::http::Network;
use crate::hook::{Call, CallOutcome, StoreHook};
use crate::keyvalue::{self, Failure};
use crate::outbound::{AllowedHost, Destination};
use crate::outgoing::HttpClient;
use crate::stats::{Counters, Effect, Operation};
use crate::variables::Variables;

/// How often a wait that a test prolongs checks whether it is over.
const POLL_INTERVAL: Duration = Duration::from_millis(1);

/// What the manifest grants a component; its instances share it.
pub(crate) struct Grants {
    pub(crate) component: String,
    pub(crate) stores: Vec<String>,
    pub(crate) databases: Vec<String>,
    pub(crate) hosts: Vec<AllowedHost>,
    pub(crate) http: HttpClient,
    pub(crate) variables: Variables,
    pub(crate) environment: BTreeMap<String, String>,
    /// Whether to drop what the component prints.
    pub(crate) quiet: bool,
    pub(crate) store: Arc<keyvalue::Database>,
    pub(crate) database: crate::sqlite::Database,
    pub(crate) clock: Clock,
    pub(crate) hook: Option<Arc<dyn StoreHook>>,
    pub(crate) counters: Counters,
}

impl Grants {
    /// Whether the manifest allows the component to connect to this URL, which has `scheme` if it says none. Warns if
    /// not, as Spin does.
    pub(crate) fn may_connect(&self, url: &str, scheme: &str) -> bool {
        let to = Destination::parse(url, scheme);
        let allowed = to.as_ref().is_some_and(|to| self.hosts.iter().any(|host| host.allows(to)));
        if !allowed {
            self.warn_of(to.map_or_else(|| "what is no URL".to_owned(), |to| to.to_string()));
        }
        allowed
    }

    /// Whether the manifest allows the component to send HTTP requests to its own application. Warns if not.
    pub(crate) fn may_call_self(&self) -> bool {
        let allowed = self.hosts.iter().any(AllowedHost::allows_self);
        if !allowed {
            self.warn_of("http://self".to_owned());
        }
        allowed
    }

    fn warn_of(&self, place: String) {
        if !self.quiet {
            eprintln!("component {} may not connect to {place}: see its allowed_outbound_hosts", self.component);
        }
    }

    /// The outcome that a test chooses for a call.
    pub(crate) fn chosen_outcome(&self, operation: Operation, keys: &[String]) -> CallOutcome {
        self.hook.as_ref().map_or(CallOutcome::Done, |hook| {
            let call = Call { component: &self.component, operation, keys };
            tokio::task::block_in_place(|| hook.outcome(&call))
        })
    }
}

/// The state of one instance.
pub(crate) struct Guest {
    grants: Arc<Grants>,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    network: Network,
    pub(crate) table: ResourceTable,
    /// All linear memory, in bytes.
    memory: usize,
    /// The requests that this instance was given so far.
    requests: usize,
}

impl Guest {
    pub(crate) fn new(grants: Arc<Grants>) -> Self {
        let mut wasi = WasiCtx::builder();
        wasi.wall_clock(grants.clock.clone());
        for (name, value) in &grants.environment {
            wasi.env(name, value);
        }
        if !grants.quiet {
            wasi.inherit_stdout().inherit_stderr();
        }
        Self {
            network: Network(grants.clone()),
            grants,
            wasi: wasi.build(),
            http: WasiHttpCtx::new(),
            table: ResourceTable::new(),
            memory: 0,
            requests: 0,
        }
    }

    pub(crate) fn begin_request(&mut self) {
        self.requests += 1;
    }

    /// `wait-for` of the monotonic clock, which a test may prolong.
    pub(crate) async fn wait(accessor: &Accessor<Self>, nanoseconds: u64) {
        tokio::time::sleep(Duration::from_nanos(nanoseconds)).await;
        let prolonged = |guest: &Self| guest.grants.hook.as_ref().is_some_and(|hook| hook.prolongs(guest.requests));
        while accessor.with(|mut access| prolonged(access.data_mut())) {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Makes a call, unless a test interferes, counts it, and turns its result into what the component gets: a value,
    /// an error, or a trap that ends the instance.
    fn done<T, E: Other>(
        &self,
        operation: Operation,
        keys: &[String],
        make: impl FnOnce(Option<StoreFault>) -> Result<T, Failure>,
        effect: impl FnOnce(&T) -> Effect,
    ) -> wasmtime::Result<Result<T, E>> {
        let chosen = self.chosen_outcome(operation, keys);
        let result = match (chosen.not_done(), chosen) {
            (Some(failure), _) => Err(failure),
            (None, CallOutcome::Faulty(fault)) => make(Some(fault)),
            (None, _) => make(None),
        };
        self.outcome(operation, chosen, result, effect)
    }

    /// The outcome that a test chooses for a call.
    pub(crate) fn chosen_outcome(&self, operation: Operation, keys: &[String]) -> CallOutcome {
        self.grants.chosen_outcome(operation, keys)
    }

    /// See [`Grants::may_connect`].
    pub(crate) fn may_connect(&self, url: &str, scheme: &str) -> bool {
        self.grants.may_connect(url, scheme)
    }

    /// Counts a call, and turns its result into what the component gets.
    pub(crate) fn outcome<T, E: Other>(
        &self,
        operation: Operation,
        chosen: CallOutcome,
        result: Result<T, Failure>,
        effect: impl FnOnce(&T) -> Effect,
    ) -> wasmtime::Result<Result<T, E>> {
        self.grants.counters.call(operation, result.as_ref().map_or(Effect::Nothing, effect));
        match (chosen, result) {
            (CallOutcome::Killed { .. }, _) => Err(wasmtime::Error::new(Failure::Killed)),
            (_, Err(failure @ (Failure::Dead | Failure::Killed))) => Err(wasmtime::Error::new(failure)),
            (CallOutcome::Failed { done: true }, _) => Ok(Err(E::other("the answer was lost on purpose".to_owned()))),
            (_, Err(Failure::Refused(reason))) => Ok(Err(E::other(reason))),
            (_, Ok(value)) => Ok(Ok(value)),
        }
    }

    /// Makes a call that only reads.
    fn read<T, E: Other>(
        &self,
        operation: Operation,
        keys: &[String],
        make: impl FnOnce() -> Result<T, Failure>,
    ) -> wasmtime::Result<Result<T, E>> {
        self.done(operation, keys, |_| make(), |_| Effect::Read)
    }

    /// The answer to a read that has found `value`.
    fn answered(&self, key: &str, value: Option<Vec<u8>>) -> Option<Vec<u8>> {
        match &self.grants.hook {
            Some(hook) => hook.answer(key, value),
            None => value,
        }
    }
}

impl CallOutcome {
    /// Why the call is not made, if it is not.
    pub(crate) fn not_done(self) -> Option<Failure> {
        match self {
            Self::Done | Self::Failed { done: true } | Self::Killed { done: true } | Self::Faulty(_) => None,
            Self::Failed { done: false } => Some(Failure::Refused("refused on purpose".to_owned())),
            Self::Killed { done: false } => Some(Failure::Killed),
        }
    }
}

/// An error type of an interface that can carry any text.
pub(crate) trait Other {
    fn other(reason: String) -> Self;
}

impl HasData for Guest {
    type Data<'a> = &'a mut Guest;
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl ResourceLimiter for Guest {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        self.memory += desired - current;
        self.grants.counters.memory(self.memory as u64);
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, _: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(true)
    }
}
