//! What an instance of a component sees of the world, and what it is refused.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::slice;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use tokio::sync::{mpsc, oneshot};
use wasmtime::component::{
    Accessor, Destination, FutureReader, HasData, Resource, ResourceTable, StreamProducer, StreamReader, StreamResult,
};
use wasmtime::{ResourceLimiter, StoreContextMut};
use wasmtime_wasi::{TrappableError, WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::WasiHttpCtx;
use wasmtime_wasi_http::p2 as wasi_2;
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;
use wasmtime_wasi_http::p2::types::{HostFutureIncomingResponse, OutgoingRequestConfig};
use wasmtime_wasi_http::p3::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::p3::{RequestOptions, WasiHttpCtxView, WasiHttpHooks, WasiHttpView};

use crate::bindings::fermyon::spin::{sqlite as database, variables as variables_of_wasi_2};
use crate::bindings::spin::key_value::key_value as spin_keyvalue;
use crate::bindings::spin::variables::variables;
use crate::bindings::wasi::keyvalue::{atomics, batch, store};
use crate::clock::Clock;
use crate::interference::{Call, Fate, Interference};
use crate::keyvalue::{self, Bucket, Cas, Failure, OpenBucket, Swap};
use crate::lies::Lie;
use crate::outbound::AllowedHost;
use crate::sqlite;
use crate::stats::{Counters, Effect, Operation};
use crate::variables::{Variables, invalid_name};

/// How often a wait that tests prolong looks whether it is over.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// What the manifest grants a component; its instances share it.
pub(crate) struct Grants {
    pub(crate) component: String,
    pub(crate) stores: Vec<String>,
    pub(crate) databases: Vec<String>,
    pub(crate) hosts: Vec<AllowedHost>,
    pub(crate) variables: Variables,
    pub(crate) environment: BTreeMap<String, String>,
    /// Whether to drop what the component prints.
    pub(crate) quiet: bool,
    pub(crate) store: Arc<keyvalue::Database>,
    pub(crate) database: sqlite::Database,
    pub(crate) clock: Clock,
    pub(crate) interference: Option<Arc<dyn Interference>>,
    pub(crate) counters: Counters,
}

/// The state of one instance.
pub(crate) struct Guest {
    grants: Arc<Grants>,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    network: NoNetwork,
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
            grants,
            wasi: wasi.build(),
            http: WasiHttpCtx::new(),
            network: NoNetwork,
            table: ResourceTable::new(),
            memory: 0,
            requests: 0,
        }
    }

    pub(crate) fn begin_request(&mut self) {
        self.requests += 1;
    }

    /// `wait-for` of the monotonic clock, where tests step in.
    pub(crate) async fn wait(accessor: &Accessor<Self>, nanoseconds: u64) {
        tokio::time::sleep(Duration::from_nanos(nanoseconds)).await;
        let prolonged = |guest: &Self| {
            guest.grants.interference.as_ref().is_some_and(|interference| interference.prolongs(guest.requests))
        };
        while accessor.with(|mut access| prolonged(access.data_mut())) {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Whether the manifest lets the component connect to this URL. Says so if not, as Spin does.
    pub(crate) fn may_connect(&self, url: &str) -> bool {
        let allowed = self.grants.hosts.iter().any(|host| host.allows(url));
        if !allowed && !self.grants.quiet {
            // Without the login that may be in it.
            let place =
                url.split_once("://").map_or(url, |(_, rest)| rest.rsplit_once('@').map_or(rest, |(_, host)| host));
            eprintln!("component {} may not connect to {place}: see its allowed_outbound_hosts", self.grants.component);
        }
        allowed
    }

    fn open<E: Other>(&mut self, label: String, denied: E) -> wasmtime::Result<Result<Resource<OpenBucket>, E>> {
        let opened = self.done(Operation::Open, slice::from_ref(&label), |_| Ok(()), |()| Effect::Nothing)?;
        if let Err(error) = opened {
            return Ok(Err(error));
        }
        if !self.grants.stores.contains(&label) {
            return Ok(Err(denied));
        }
        let bucket = Bucket::new(self.grants.store.clone(), label);
        Ok(Ok(self.table.push(Arc::new(bucket))?))
    }

    fn bucket(&self, handle: &Resource<OpenBucket>) -> wasmtime::Result<OpenBucket> {
        Ok(self.table.get(handle)?.clone())
    }

    fn close(&mut self, handle: Resource<OpenBucket>) -> wasmtime::Result<()> {
        self.table.delete(handle)?;
        Ok(())
    }

    /// Makes a call, unless something interferes, counts it and turns its result into what the component gets: a value,
    /// an error, or its end.
    fn done<T, E: Other>(
        &self,
        operation: Operation,
        keys: &[String],
        make: impl FnOnce(Option<Lie>) -> Result<T, Failure>,
        effect: impl FnOnce(&T) -> Effect,
    ) -> wasmtime::Result<Result<T, E>> {
        let fate = self.fate(operation, keys);
        let result = match (fate.not_done(), fate) {
            (Some(failure), _) => Err(failure),
            (None, Fate::Lied(lie)) => make(Some(lie)),
            (None, _) => make(None),
        };
        self.outcome(operation, fate, result, effect)
    }

    /// What becomes of a call that is about to be made.
    pub(crate) fn fate(&self, operation: Operation, keys: &[String]) -> Fate {
        self.grants.interference.as_ref().map_or(Fate::Done, |interference| {
            let call = Call { component: &self.grants.component, operation, keys };
            tokio::task::block_in_place(|| interference.fate(&call))
        })
    }

    /// Counts a call, and turns its result into what the component gets.
    pub(crate) fn outcome<T, E: Other>(
        &self,
        operation: Operation,
        fate: Fate,
        result: Result<T, Failure>,
        effect: impl FnOnce(&T) -> Effect,
    ) -> wasmtime::Result<Result<T, E>> {
        self.grants.counters.call(operation, result.as_ref().map_or(Effect::Nothing, effect));
        match (fate, result) {
            (Fate::Killed { .. }, _) => Err(wasmtime::Error::new(Failure::Killed)),
            (_, Err(failure @ (Failure::Dead | Failure::Killed))) => Err(wasmtime::Error::new(failure)),
            (Fate::Failed { done: true }, _) => Ok(Err(E::other("the answer was lost on purpose".to_owned()))),
            (_, Err(Failure::Refused(reason))) => Ok(Err(E::other(reason))),
            (_, Ok(value)) => Ok(Ok(value)),
        }
    }

    fn read<T, E: Other>(
        &self,
        operation: Operation,
        keys: &[String],
        make: impl FnOnce() -> Result<T, Failure>,
    ) -> wasmtime::Result<Result<T, E>> {
        self.done(operation, keys, |_| make(), |_| Effect::Read)
    }

    fn get<E: Other>(
        &self,
        bucket: &Resource<OpenBucket>,
        key: String,
    ) -> wasmtime::Result<Result<Option<Vec<u8>>, E>> {
        let bucket = self.bucket(bucket)?;
        self.read(Operation::Get, slice::from_ref(&key), || Ok(self.answered(&key, bucket.get(&key)?)))
    }

    /// What a read answers that has found `value`.
    fn answered(&self, key: &str, value: Option<Vec<u8>>) -> Option<Vec<u8>> {
        match &self.grants.interference {
            Some(interference) => interference.answer(key, value),
            None => value,
        }
    }

    fn set<E: Other>(
        &self,
        bucket: &Resource<OpenBucket>,
        key: String,
        value: &[u8],
    ) -> wasmtime::Result<Result<(), E>> {
        let bucket = self.bucket(bucket)?;
        let make = |lie: Option<Lie>| if lie.is_some() { Ok(()) } else { bucket.set(&key, value) };
        self.done(Operation::Set, slice::from_ref(&key), make, |()| Effect::Commit)
    }

    fn exists<E: Other>(&self, bucket: &Resource<OpenBucket>, key: String) -> wasmtime::Result<Result<bool, E>> {
        let bucket = self.bucket(bucket)?;
        self.read(Operation::Exists, slice::from_ref(&key), || bucket.exists(&key))
    }

    /// A deletion commits only if there was something to delete.
    fn deleted<E: Other>(
        &self,
        operation: Operation,
        keys: &[String],
        make: impl FnOnce() -> Result<bool, Failure>,
    ) -> wasmtime::Result<Result<(), E>> {
        let effect = |found: &bool| if *found { Effect::Commit } else { Effect::Nothing };
        Ok(self.done(operation, keys, |_| make(), effect)?.map(|_| ()))
    }

    fn delete<E: Other>(&self, bucket: &Resource<OpenBucket>, key: String) -> wasmtime::Result<Result<(), E>> {
        let bucket = self.bucket(bucket)?;
        self.deleted(Operation::Delete, slice::from_ref(&key), || bucket.delete(&key))
    }
}

impl Fate {
    /// Why a call is not made at all, if so.
    pub(crate) fn not_done(self) -> Option<Failure> {
        match self {
            Self::Done | Self::Failed { done: true } | Self::Killed { done: true } | Self::Lied(_) => None,
            Self::Failed { done: false } => Some(Failure::Refused("refused on purpose".to_owned())),
            Self::Killed { done: false } => Some(Failure::Killed),
        }
    }
}

/// An error type of the interfaces that has room for any text.
pub(crate) trait Other {
    fn other(reason: String) -> Self;
}

impl Other for store::Error {
    fn other(reason: String) -> Self {
        Self::Other(reason)
    }
}

impl Other for spin_keyvalue::Error {
    fn other(reason: String) -> Self {
        Self::Other(reason)
    }
}

impl Other for database::Error {
    fn other(reason: String) -> Self {
        Self::Io(reason)
    }
}

impl Other for atomics::CasError {
    fn other(reason: String) -> Self {
        Self::StoreError(store::Error::Other(reason))
    }
}

impl store::Host for Guest {
    fn open(&mut self, identifier: String) -> wasmtime::Result<Result<Resource<OpenBucket>, store::Error>> {
        Guest::open(self, identifier, store::Error::AccessDenied)
    }
}

impl store::HostBucket for Guest {
    fn get(
        &mut self,
        bucket: Resource<OpenBucket>,
        key: String,
    ) -> wasmtime::Result<Result<Option<Vec<u8>>, store::Error>> {
        Guest::get(self, &bucket, key)
    }

    fn set(
        &mut self,
        bucket: Resource<OpenBucket>,
        key: String,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), store::Error>> {
        Guest::set(self, &bucket, key, &value)
    }

    fn delete(&mut self, bucket: Resource<OpenBucket>, key: String) -> wasmtime::Result<Result<(), store::Error>> {
        Guest::delete(self, &bucket, key)
    }

    fn exists(&mut self, bucket: Resource<OpenBucket>, key: String) -> wasmtime::Result<Result<bool, store::Error>> {
        Guest::exists(self, &bucket, key)
    }

    fn list_keys(
        &mut self,
        bucket: Resource<OpenBucket>,
        cursor: Option<String>,
    ) -> wasmtime::Result<Result<store::KeyResponse, store::Error>> {
        let bucket = self.bucket(&bucket)?;
        let keys = self.read(Operation::ListKeys, &[], || match cursor {
            None => bucket.list_keys(),
            Some(_) => Err(Failure::Refused("list_keys: cursor not supported".to_owned())),
        })?;
        Ok(keys.map(|keys| store::KeyResponse { keys, cursor: None }))
    }

    fn drop(&mut self, bucket: Resource<OpenBucket>) -> wasmtime::Result<()> {
        self.close(bucket)
    }
}

impl batch::Host for Guest {
    fn get_many(
        &mut self,
        bucket: Resource<OpenBucket>,
        keys: Vec<String>,
    ) -> wasmtime::Result<Result<Vec<(String, Option<Vec<u8>>)>, store::Error>> {
        if keys.is_empty() {
            return self.done(Operation::GetMany, &[], |_| Ok(Vec::new()), |_| Effect::Nothing);
        }
        let bucket = self.bucket(&bucket)?;
        self.read(Operation::GetMany, &keys, || {
            let answered = |(key, value): (String, _)| {
                let value = self.answered(&key, value);
                (key, value)
            };
            Ok(bucket.get_many(keys.clone())?.into_iter().map(answered).collect())
        })
    }

    fn set_many(
        &mut self,
        bucket: Resource<OpenBucket>,
        pairs: Vec<(String, Vec<u8>)>,
    ) -> wasmtime::Result<Result<(), store::Error>> {
        if pairs.is_empty() {
            return self.done(Operation::SetMany, &[], |_| Ok(()), |()| Effect::Nothing);
        }
        let bucket = self.bucket(&bucket)?;
        let keys: Vec<_> = pairs.iter().map(|(key, _)| key.clone()).collect();
        let make = |lie: Option<Lie>| if lie.is_some() { Ok(()) } else { bucket.set_many(pairs) };
        self.done(Operation::SetMany, &keys, make, |()| Effect::Commit)
    }

    fn delete_many(
        &mut self,
        bucket: Resource<OpenBucket>,
        keys: Vec<String>,
    ) -> wasmtime::Result<Result<(), store::Error>> {
        let bucket = self.bucket(&bucket)?;
        self.deleted(Operation::DeleteMany, &keys, || bucket.delete_many(keys.clone()))
    }
}

impl atomics::Host for Guest {
    fn increment(
        &mut self,
        bucket: Resource<OpenBucket>,
        key: String,
        delta: i64,
    ) -> wasmtime::Result<Result<i64, store::Error>> {
        let bucket = self.bucket(&bucket)?;
        let make = |lie: Option<Lie>| match lie {
            Some(lie) => lie.increment(&bucket, &key, delta),
            None => bucket.increment(&key, delta),
        };
        self.done(Operation::Increment, slice::from_ref(&key), make, |_| Effect::Commit)
    }

    fn swap(&mut self, cas: Resource<Cas>, value: Vec<u8>) -> wasmtime::Result<Result<(), atomics::CasError>> {
        let cas = self.table.delete(cas)?;
        let key = cas.key().clone();
        let make = |lie: Option<Lie>| match lie {
            Some(lie) => lie.swap(cas, &value),
            None => cas.swap(&value),
        };
        let swap = self.done(Operation::Swap, slice::from_ref(&key), make, |swap| match swap {
            Swap::Done => Effect::Commit,
            Swap::Conflict(_) => Effect::Read,
            Swap::ConflictWithoutBucket => Effect::Nothing,
        })?;
        Ok(match swap {
            Ok(Swap::Done) => Ok(()),
            Ok(Swap::Conflict(fresh)) => Err(atomics::CasError::CasFailed(self.table.push(fresh)?)),
            Ok(Swap::ConflictWithoutBucket) => Err(atomics::CasError::StoreError(store::Error::NoSuchStore)),
            Err(error) => Err(error),
        })
    }
}

impl atomics::HostCas for Guest {
    fn new(
        &mut self,
        bucket: Resource<OpenBucket>,
        key: String,
    ) -> wasmtime::Result<Result<Resource<Cas>, store::Error>> {
        let bucket = self.bucket(&bucket)?;
        let make = |_| Ok(Cas::new(&bucket, key.clone()));
        Ok(match self.done(Operation::CasNew, slice::from_ref(&key), make, |_| Effect::Nothing)? {
            Ok(cas) => Ok(self.table.push(cas)?),
            Err(error) => Err(error),
        })
    }

    fn current(&mut self, cas: Resource<Cas>) -> wasmtime::Result<Result<Option<Vec<u8>>, store::Error>> {
        // Out of the table while it is used: the call is made by the whole guest.
        let mut taken = self.table.get(&cas)?.clone();
        let key = taken.key().clone();
        let value = self.read(Operation::CasCurrent, slice::from_ref(&key), || taken.current());
        *self.table.get_mut(&cas)? = taken;
        value
    }

    fn drop(&mut self, cas: Resource<Cas>) -> wasmtime::Result<()> {
        self.table.delete(cas)?;
        Ok(())
    }
}

impl database::Host for Guest {}

impl database::HostConnection for Guest {
    fn open(&mut self, label: String) -> wasmtime::Result<Result<Resource<sqlite::Connection>, database::Error>> {
        let granted = self.grants.databases.contains(&label);
        let connect = |_| if granted { self.grants.database.connect().map(Some) } else { Ok(None) };
        Ok(match self.done(Operation::Open, slice::from_ref(&label), connect, |_| Effect::Nothing)? {
            Ok(Some(connection)) => Ok(self.table.push(connection)?),
            Ok(None) => Err(database::Error::AccessDenied),
            Err(error) => Err(error),
        })
    }

    fn execute(
        &mut self,
        connection: Resource<sqlite::Connection>,
        statement: String,
        parameters: Vec<database::Value>,
    ) -> wasmtime::Result<Result<database::QueryResult, database::Error>> {
        let connection = self.table.get(&connection)?.clone();
        // What is text is a key, in every statement of ours.
        let text = |value: &database::Value| match value {
            database::Value::Text(text) => Some(text.clone()),
            _ => None,
        };
        let keys: Vec<_> = parameters.iter().filter_map(text).collect();
        let execute = |_| connection.execute(&statement, parameters);
        let done = self.done(sqlite::operation(&statement), &keys, execute, |(_, effect)| *effect)?;
        Ok(done.map(|(result, _)| result))
    }

    fn drop(&mut self, connection: Resource<sqlite::Connection>) -> wasmtime::Result<()> {
        self.table.delete(connection)?;
        Ok(())
    }
}

impl HasData for Guest {
    type Data<'a> = &'a mut Guest;
}

impl spin_keyvalue::Host for Guest {}

impl spin_keyvalue::HostStore for Guest {
    fn drop(&mut self, bucket: Resource<OpenBucket>) -> wasmtime::Result<()> {
        self.close(bucket)
    }
}

// Async for the component only: in Spin too the work is done before the first await returns.
impl<T: Send> spin_keyvalue::HostStoreWithStore<T> for Guest {
    async fn open(
        accessor: &Accessor<T, Self>,
        label: String,
    ) -> wasmtime::Result<Result<Resource<OpenBucket>, spin_keyvalue::Error>> {
        accessor.with(|mut access| Guest::open(access.get(), label, spin_keyvalue::Error::AccessDenied))
    }

    async fn get(
        accessor: &Accessor<T, Self>,
        bucket: Resource<OpenBucket>,
        key: String,
    ) -> wasmtime::Result<Result<Option<Vec<u8>>, spin_keyvalue::Error>> {
        accessor.with(|mut access| access.get().get(&bucket, key))
    }

    async fn set(
        accessor: &Accessor<T, Self>,
        bucket: Resource<OpenBucket>,
        key: String,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), spin_keyvalue::Error>> {
        accessor.with(|mut access| access.get().set(&bucket, key, &value))
    }

    async fn delete(
        accessor: &Accessor<T, Self>,
        bucket: Resource<OpenBucket>,
        key: String,
    ) -> wasmtime::Result<Result<(), spin_keyvalue::Error>> {
        accessor.with(|mut access| access.get().delete(&bucket, key))
    }

    async fn exists(
        accessor: &Accessor<T, Self>,
        bucket: Resource<OpenBucket>,
        key: String,
    ) -> wasmtime::Result<Result<bool, spin_keyvalue::Error>> {
        accessor.with(|mut access| access.get().exists(&bucket, key))
    }

    async fn get_keys(
        accessor: &Accessor<T, Self>,
        bucket: Resource<OpenBucket>,
    ) -> wasmtime::Result<(StreamReader<String>, FutureReader<Result<(), spin_keyvalue::Error>>)> {
        accessor.with(|mut access| {
            let guest = access.get();
            let begun: Result<(), spin_keyvalue::Error> = guest.read(Operation::ListKeys, &[], || Ok(()))?;
            let bucket = guest.bucket(&bucket)?;
            let (keys, key_stream) = mpsc::channel(4);
            let (end, end_future) = oneshot::channel();
            tokio::task::spawn_blocking(move || {
                let streamed = if begun.is_ok() { bucket.stream_keys(&keys) } else { Ok(()) };
                match streamed {
                    Ok(()) => _ = end.send(begun),
                    Err(Failure::Refused(reason)) => _ = end.send(Err(spin_keyvalue::Error::Other(reason))),
                    // An `end` that is dropped unsent ends the component's instance.
                    Err(Failure::Dead | Failure::Killed) => {}
                }
            });
            let keys = StreamReader::new(&mut access, Keys(key_stream))?;
            Ok((keys, FutureReader::new(&mut access, end_future)?))
        })
    }
}

/// The stream of `get-keys`, one key at a time.
struct Keys(mpsc::Receiver<String>);

impl<T> StreamProducer<T> for Keys {
    type Item = String;
    type Buffer = Option<String>;

    fn poll_produce<'a>(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        store: StoreContextMut<'a, T>,
        mut destination: Destination<'a, String, Option<String>>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        if destination.remaining(store) == Some(0) {
            return Poll::Ready(Ok(StreamResult::Completed));
        }
        match self.get_mut().0.poll_recv(context) {
            Poll::Ready(Some(key)) => {
                destination.set_buffer(Some(key));
                Poll::Ready(Ok(StreamResult::Completed))
            }
            Poll::Ready(None) => Poll::Ready(Ok(StreamResult::Dropped)),
            Poll::Pending if finish => Poll::Ready(Ok(StreamResult::Cancelled)),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl Guest {
    fn variable(&self, name: &str) -> Result<String, variables::Error> {
        if let Some(reason) = invalid_name(name) {
            return Err(variables::Error::InvalidName(reason));
        }
        let undefined = || variables::Error::Undefined(format!("no variable for {:?}.{name:?}", self.grants.component));
        self.grants.variables.get(name).cloned().ok_or_else(undefined)
    }
}

impl variables::Host for Guest {}

impl<T: Send> variables::HostWithStore<T> for Guest {
    async fn get(accessor: &Accessor<T, Self>, name: String) -> wasmtime::Result<Result<String, variables::Error>> {
        Ok(accessor.with(|mut access| access.get().variable(&name)))
    }
}

impl variables_of_wasi_2::Host for Guest {
    fn get(&mut self, name: String) -> wasmtime::Result<Result<String, variables_of_wasi_2::Error>> {
        Ok(self.variable(&name).map_err(|error| match error {
            variables::Error::InvalidName(reason) => variables_of_wasi_2::Error::InvalidName(reason),
            variables::Error::Undefined(reason) => variables_of_wasi_2::Error::Undefined(reason),
            variables::Error::Provider(reason) => variables_of_wasi_2::Error::Provider(reason),
            variables::Error::Other(reason) => variables_of_wasi_2::Error::Other(reason),
        }))
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.network, table: &mut self.table, ctx: &mut self.http }
    }
}

impl wasi_2::WasiHttpView for Guest {
    fn http(&mut self) -> wasi_2::WasiHttpCtxView<'_> {
        wasi_2::WasiHttpCtxView { hooks: &mut self.network, table: &mut self.table, ctx: &mut self.http }
    }
}

/// Refuses every outgoing request, as Spin does where the manifest allows no hosts.
struct NoNetwork;

type Io = Box<dyn Future<Output = Result<(), ErrorCode>> + Send>;
type Sent = (http::Response<UnsyncBoxBody<Bytes, ErrorCode>>, Io);

impl WasiHttpHooks for NoNetwork {
    fn send_request(
        &mut self,
        _: http::Request<UnsyncBoxBody<Bytes, ErrorCode>>,
        _: Option<RequestOptions>,
        _: Io,
    ) -> Box<dyn Future<Output = Result<Sent, TrappableError<ErrorCode>>> + Send> {
        Box::new(async { Err(ErrorCode::HttpRequestDenied.into()) })
    }
}

impl wasi_2::WasiHttpHooks for NoNetwork {
    fn send_request(
        &mut self,
        _: http::Request<HyperOutgoingBody>,
        _: OutgoingRequestConfig,
    ) -> wasi_2::HttpResult<HostFutureIncomingResponse> {
        Err(wasi_2::bindings::http::types::ErrorCode::HttpRequestDenied.into())
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
