//! Compiles components and keeps instances of them, with the settings and limits of Spin 4.1.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use wasmtime::component::{Component, GuestTaskId, Linker};
use wasmtime::{Cache, CacheConfig, Config, Engine, PoolingAllocationConfig, Store, StoreContextMut, UpdateDeadline};
use wasmtime_wasi_http::handler::{
    HandlerState, Instance, ProxyPre, ShouldAccept, ViewFn, WorkerExpiration, WorkerState, WorkerStatus,
};
use wasmtime_wasi_http::p3::bindings::ServicePre;
use wasmtime_wasi_http::{p2, p3};

use crate::bindings::Imports;
use crate::error::Error;
use crate::guest::{Grants, Guest};
use crate::keyvalue::Failure;

/// Requests that one instance serves at the same time.
const MAX_CONCURRENT_REQUESTS: usize = 16;
/// Requests that one instance serves before it is replaced. One of WASI 0.2 serves a single one.
const MAX_REQUESTS: usize = 128;
/// How long an instance without a request is kept.
pub(crate) const IDLE_TIMEOUT: Duration = Duration::from_secs(1);
/// How often running code checks whether it has to stop.
const EPOCH: Duration = Duration::from_millis(10);

/// One engine for the process: each reserves address space for 1,000 instances, and several would exhaust it.
static ENGINE: LazyLock<Result<Engine, String>> = LazyLock::new(|| {
    // Machines with a small address space (39 bits on some) cannot have the pool. Spin runs without it there too.
    let pool = pool().map_err(|error| format!("{error:#}"))?;
    // Machines with a small address space (39 bits on some) cannot have the pool. Spin runs without it there too.
    let engine = engine(Some(pool)).or_else(|_| engine(None)).map_err(|error| format!("{error:#}"))?;
    let ticked = engine.clone();
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(EPOCH);
            ticked.increment_epoch();
        }
    });
    Ok(engine)
});

fn engine(pool: Option<PoolingAllocationConfig>) -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    config.wasm_component_model_async(true);
    config.epoch_interruption(true);
    // Without a folder for the cache, for example without a home directory, every start compiles again.
    config.cache(Cache::new(CacheConfig::new()).ok());
    if let Some(pool) = pool {
        config.allocation_strategy(pool);
    }
    Engine::new(&config)
}

/// How many instances there may be at once, and how much memory of one that has ended is kept for the next one.
fn pool() -> wasmtime::Result<PoolingAllocationConfig> {
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(setting("INSTANCE_COUNT", 1_000)?)
        .total_memories(setting("TOTAL_MEMORIES", 1_000)?)
        .total_tables(setting("TOTAL_TABLES", 2_000)?)
        .total_stacks(setting("TOTAL_STACKS", 1_000)?)
        .total_core_instances(setting("TOTAL_CORE_INSTANCES", 4_000)?)
        .table_elements(100_000)
        .max_component_instance_size(10 << 20)
        .max_core_instance_size(10 << 20)
        .max_core_instances_per_component(200)
        .max_tables_per_component(64)
        .max_memories_per_component(32)
        .max_tables_per_module(2)
        .max_memories_per_module(2)
        .max_memory_size(4 << 30)
        .linear_memory_keep_resident(setting("LINEAR_MEMORY_KEEP_RESIDENT", 2 << 20)?)
        .table_keep_resident(setting("TABLE_KEEP_RESIDENT", 1 << 19)?);
    Ok(pool)
}

/// A setting of the pool: what a variable of the environment says, which Spin reads too.
fn setting<T: FromStr<Err: fmt::Display>>(name: &str, default: T) -> wasmtime::Result<T> {
    let name = format!("SPIN_WASMTIME_{name}");
    parse(&name, std::env::var(&name).ok(), default)
}

fn parse<T: FromStr<Err: fmt::Display>>(name: &str, value: Option<String>, default: T) -> wasmtime::Result<T> {
    let Some(value) = value else { return Ok(default) };
    value.parse().map_err(|error| wasmtime::format_err!("{name} is {value:?}: {error}"))
}

/// The latest component of each file, with the bytes that it was compiled from. The first server of a process compiles
/// it and the others take it from here, since even a load from wasmtime's own cache takes a while.
static COMPILED: Mutex<BTreeMap<PathBuf, (Vec<u8>, Component)>> = Mutex::new(BTreeMap::new());

fn compile(engine: &Engine, source: &Path, bytes: Vec<u8>) -> wasmtime::Result<Component> {
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((same, component)) = compiled.get(source)
        && *same == bytes
    {
        return Ok(component.clone());
    }
    let component = Component::new(engine, &bytes)?;
    compiled.insert(source.to_owned(), (bytes, component.clone()));
    Ok(component)
}

/// Makes instances of one component for `ProxyHandler`, which decides when.
pub(crate) struct Workers {
    proxy: ProxyPre<Guest>,
    grants: Arc<Grants>,
    stopping: Arc<AtomicBool>,
    idle_timeout: Duration,
}

impl Workers {
    /// Compiles the component in the file `source`. Its instances end after `idle_timeout` without a request, and soon
    /// after `stopping` is set.
    pub(crate) fn load(
        source: &Path,
        grants: Arc<Grants>,
        stopping: Arc<AtomicBool>,
        idle_timeout: Duration,
    ) -> Result<Self, Error> {
        let engine = ENGINE.as_ref().map_err(Error::runtime)?;
        let failed = |reason: String| Error::component(&grants.component, source, reason);
        let bytes = std::fs::read(source).map_err(|error| failed(format!("cannot be read, was it built? {error}")))?;
        let component = compile(engine, source, bytes)
            .map_err(|error| failed(format!("this file is no WebAssembly component: {error:#}")))?;
        let mut linker = Linker::new(engine);
        let proxy = link(&mut linker, &grants).and_then(|()| {
            let instance = linker.instantiate_pre(&component)?;
            // A component without a handler of WASI 0.2 has to have one of 0.3.
            p2::bindings::ProxyPre::new(instance.clone())
                .map(ProxyPre::P2)
                .or_else(|_| Ok(ProxyPre::P3(ServicePre::new(instance)?)))
        });
        let proxy = proxy.map_err(|error| {
            failed(format!("this host serves HTTP components of WASI 0.3 and 0.2, and not this one: {error:#}"))
        })?;
        Ok(Self { proxy, grants, stopping, idle_timeout })
    }

    pub(crate) fn grants(&self) -> &Grants {
        &self.grants
    }
}

fn link(linker: &mut Linker<Guest>, grants: &Grants) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    wasmtime_wasi::p3::add_to_linker(linker)?;
    p2::add_only_http_to_linker_async(linker)?;
    p3::add_to_linker(linker)?;
    if grants.hook.is_some() {
        // This replaces the whole interface. Components in tests with hook use only these functions of it.
        linker.allow_shadowing(true);
        let mut clock = linker.instance("wasi:clocks/monotonic-clock@0.3.0")?;
        let start = Instant::now();
        clock.func_wrap("now", move |_, ()| Ok((u64::try_from(start.elapsed().as_nanos())?,)))?;
        clock.func_wrap_concurrent("wait-for", |accessor, (nanoseconds,)| {
            Box::pin(async move {
                Guest::wait(accessor, nanoseconds).await;
                Ok(())
            })
        })?;
        linker.allow_shadowing(false);
    }
    Imports::add_to_linker::<_, Guest>(linker, |guest| guest)
}

impl HandlerState for Workers {
    type StoreData = Guest;
    type WorkerExpiration = Expiration;
    type WorkerState = Worker;

    async fn instantiate(&self) -> wasmtime::Result<Instance<Guest, Expiration, Worker>> {
        let (engine, view, most_requests) = match &self.proxy {
            ProxyPre::P2(proxy) => (proxy.engine(), ViewFn::P2(p2::WasiHttpView::http), 1),
            ProxyPre::P3(service) => (service.engine(), ViewFn::P3(p3::WasiHttpView::http), MAX_REQUESTS),
        };
        let mut store = Store::new(engine, Guest::new(self.grants.clone()));
        store.limiter(|guest| guest);
        let stopping = self.stopping.clone();
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(move |_| {
            if stopping.load(Ordering::Relaxed) {
                return Err(wasmtime::Error::msg("the host is stopping"));
            }
            Ok(UpdateDeadline::Continue(1))
        });
        let proxy = self.proxy.instantiate_async(&mut store).await?;
        self.grants.counters.instances.fetch_add(1, Ordering::Relaxed);
        Ok(Instance {
            store,
            proxy,
            view,
            expiration: Expiration {
                timer: Box::pin(tokio::time::sleep(self.idle_timeout)),
                timeout: self.idle_timeout,
            },
            state: Worker { most_requests, stopping: self.stopping.clone() },
        })
    }
}

/// Ends an instance that has been idle for this time. Requests may take as long as they like, as in Spin.
pub(crate) struct Expiration {
    timer: Pin<Box<tokio::time::Sleep>>,
    timeout: Duration,
}

impl WorkerExpiration for Expiration {
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>, status: WorkerStatus, start: Instant) -> Poll<()> {
        if status != WorkerStatus::Idle {
            return Poll::Pending;
        }
        let deadline = (start + self.timeout).into();
        if self.timer.deadline() != deadline {
            self.timer.as_mut().reset(deadline);
        }
        self.timer.as_mut().poll(context)
    }
}

/// One instance at work.
pub(crate) struct Worker {
    most_requests: usize,
    stopping: Arc<AtomicBool>,
}

impl WorkerState for Worker {
    type StoreData = Guest;
    type RequestId = ();

    fn should_accept_request(&self, concurrent: usize, total: usize) -> ShouldAccept {
        if total >= self.most_requests {
            ShouldAccept::Never
        } else if concurrent >= MAX_CONCURRENT_REQUESTS {
            ShouldAccept::No
        } else {
            ShouldAccept::Yes
        }
    }

    fn on_request_start(
        &self,
        mut store: StoreContextMut<'_, Guest>,
        (): (),
        _: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
        store.data_mut().begin_request();
        Box::pin(std::future::pending())
    }

    fn drop(&self, store: Store<Guest>, result: wasmtime::Result<()>) {
        if let Err(error) = result
            && !self.stopping.load(Ordering::Relaxed)
            && !matches!(error.downcast_ref(), Some(Failure::Killed))
        {
            eprintln!("worker failed: {error:?}");
        }
        drop(store);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_of_the_pool_is_what_the_environment_says_and_nonsense_is_refused() {
        assert_eq!(parse("A", None, 7_usize).unwrap(), 7);
        assert_eq!(parse("A", Some("0".to_owned()), 7_usize).unwrap(), 0);
        let refused = parse("A", Some("2 MB".to_owned()), 7_usize).unwrap_err();
        assert!(refused.to_string().contains(r#"A is "2 MB""#), "{refused}");
    }
}
