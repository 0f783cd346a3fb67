//! What an instance of a component sees of the world, and what it is refused.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use tokio::sync::{mpsc, oneshot};
use wasmtime::component::{
    Accessor, Destination, FutureReader, HasData, Resource, ResourceTable, StreamProducer, StreamReader, StreamResult,
};
use wasmtime::{ResourceLimiter, StoreContextMut};
use wasmtime_wasi::{TrappableError, WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::WasiHttpCtx;
use wasmtime_wasi_http::p3::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::p3::{RequestOptions, WasiHttpCtxView, WasiHttpHooks, WasiHttpView};

use crate::bindings::spin::key_value::key_value as spin_keyvalue;
use crate::bindings::spin::variables::variables;
use crate::bindings::wasi::keyvalue::{atomics, batch, store};
use crate::keyvalue::{Bucket, Cas, Database, Failure, OpenBucket, Swap};
use crate::stats::{Counters, Effect, Operation};
use crate::variables::{Variables, invalid_name};

/// What the manifest grants a component; its instances share it.
pub(crate) struct Grants {
    pub(crate) component: String,
    pub(crate) stores: Vec<String>,
    pub(crate) variables: Variables,
    pub(crate) environment: BTreeMap<String, String>,
    /// Whether to drop what the component prints.
    pub(crate) quiet: bool,
    pub(crate) database: Arc<Database>,
    pub(crate) counters: Counters,
}

/// The state of one instance.
pub(crate) struct Guest {
    grants: Arc<Grants>,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    network: NoNetwork,
    table: ResourceTable,
    /// All linear memory, in bytes.
    memory: usize,
}

impl Guest {
    pub(crate) fn new(grants: Arc<Grants>) -> Self {
        let mut wasi = WasiCtx::builder();
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
        }
    }

    /// `None` for a store that the manifest does not grant.
    fn open(&mut self, label: String) -> wasmtime::Result<Option<Resource<OpenBucket>>> {
        self.grants.counters.call(Operation::Open, Effect::Nothing);
        if !self.grants.stores.contains(&label) {
            return Ok(None);
        }
        let bucket = Bucket::new(self.grants.database.clone(), label);
        Ok(Some(self.table.push(Arc::new(bucket))?))
    }

    fn bucket(&self, handle: &Resource<OpenBucket>) -> wasmtime::Result<OpenBucket> {
        Ok(self.table.get(handle)?.clone())
    }

    fn close(&mut self, handle: Resource<OpenBucket>) -> wasmtime::Result<()> {
        self.table.delete(handle)?;
        Ok(())
    }

    /// Counts a call and turns its result into what the component gets: a value, an error, or its end.
    fn done<T, E: Other>(
        &self,
        operation: Operation,
        result: Result<T, Failure>,
        effect: impl FnOnce(&T) -> Effect,
    ) -> wasmtime::Result<Result<T, E>> {
        self.grants.counters.call(operation, result.as_ref().map_or(Effect::Nothing, effect));
        match result {
            Ok(value) => Ok(Ok(value)),
            Err(Failure::Refused(reason)) => Ok(Err(E::other(reason))),
            Err(Failure::Dead) => Err(wasmtime::Error::new(Failure::Dead)),
        }
    }

    fn read<T, E: Other>(&self, operation: Operation, result: Result<T, Failure>) -> wasmtime::Result<Result<T, E>> {
        self.done(operation, result, |_| Effect::Read)
    }

    fn committed<T, E: Other>(
        &self,
        operation: Operation,
        result: Result<T, Failure>,
    ) -> wasmtime::Result<Result<T, E>> {
        self.done(operation, result, |_| Effect::Commit)
    }

    /// A deletion commits only if there was something to delete.
    fn deleted<E: Other>(
        &self,
        operation: Operation,
        result: Result<bool, Failure>,
    ) -> wasmtime::Result<Result<(), E>> {
        let deleted = self.done(operation, result, |found| if *found { Effect::Commit } else { Effect::Nothing })?;
        Ok(deleted.map(|_| ()))
    }
}

/// An error type of the interfaces that has room for any text.
trait Other {
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

impl Other for atomics::CasError {
    fn other(reason: String) -> Self {
        Self::StoreError(store::Error::Other(reason))
    }
}

impl store::Host for Guest {
    fn open(&mut self, identifier: String) -> wasmtime::Result<Result<Resource<OpenBucket>, store::Error>> {
        Ok(Guest::open(self, identifier)?.ok_or(store::Error::AccessDenied))
    }
}

impl store::HostBucket for Guest {
    fn get(
        &mut self,
        bucket: Resource<OpenBucket>,
        key: String,
    ) -> wasmtime::Result<Result<Option<Vec<u8>>, store::Error>> {
        self.read(Operation::Get, self.bucket(&bucket)?.get(&key))
    }

    fn set(
        &mut self,
        bucket: Resource<OpenBucket>,
        key: String,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), store::Error>> {
        self.committed(Operation::Set, self.bucket(&bucket)?.set(&key, &value))
    }

    fn delete(&mut self, bucket: Resource<OpenBucket>, key: String) -> wasmtime::Result<Result<(), store::Error>> {
        self.deleted(Operation::Delete, self.bucket(&bucket)?.delete(&key))
    }

    fn exists(&mut self, bucket: Resource<OpenBucket>, key: String) -> wasmtime::Result<Result<bool, store::Error>> {
        self.read(Operation::Exists, self.bucket(&bucket)?.exists(&key))
    }

    fn list_keys(
        &mut self,
        bucket: Resource<OpenBucket>,
        cursor: Option<String>,
    ) -> wasmtime::Result<Result<store::KeyResponse, store::Error>> {
        let keys = match cursor {
            None => self.bucket(&bucket)?.list_keys(),
            Some(_) => Err(Failure::Refused("list_keys: cursor not supported".to_owned())),
        };
        let keys = self.read(Operation::ListKeys, keys)?;
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
            return self.done(Operation::GetMany, Ok(Vec::new()), |_| Effect::Nothing);
        }
        self.read(Operation::GetMany, self.bucket(&bucket)?.get_many(keys))
    }

    fn set_many(
        &mut self,
        bucket: Resource<OpenBucket>,
        pairs: Vec<(String, Vec<u8>)>,
    ) -> wasmtime::Result<Result<(), store::Error>> {
        if pairs.is_empty() {
            return self.done(Operation::SetMany, Ok(()), |_| Effect::Nothing);
        }
        self.committed(Operation::SetMany, self.bucket(&bucket)?.set_many(pairs))
    }

    fn delete_many(
        &mut self,
        bucket: Resource<OpenBucket>,
        keys: Vec<String>,
    ) -> wasmtime::Result<Result<(), store::Error>> {
        if keys.is_empty() {
            return self.deleted(Operation::DeleteMany, Ok(false));
        }
        self.deleted(Operation::DeleteMany, self.bucket(&bucket)?.delete_many(keys))
    }
}

impl atomics::Host for Guest {
    fn increment(
        &mut self,
        bucket: Resource<OpenBucket>,
        key: String,
        delta: i64,
    ) -> wasmtime::Result<Result<i64, store::Error>> {
        self.committed(Operation::Increment, self.bucket(&bucket)?.increment(&key, delta))
    }

    fn swap(&mut self, cas: Resource<Cas>, value: Vec<u8>) -> wasmtime::Result<Result<(), atomics::CasError>> {
        let result = self.table.delete(cas)?.swap(&value);
        let swap = self.done(Operation::Swap, result, |swap| match swap {
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
        self.grants.counters.call(Operation::CasNew, Effect::Nothing);
        let cas = Cas::new(&self.bucket(&bucket)?, key);
        Ok(Ok(self.table.push(cas)?))
    }

    fn current(&mut self, cas: Resource<Cas>) -> wasmtime::Result<Result<Option<Vec<u8>>, store::Error>> {
        let value = self.table.get_mut(&cas)?.current();
        self.read(Operation::CasCurrent, value)
    }

    fn drop(&mut self, cas: Resource<Cas>) -> wasmtime::Result<()> {
        self.table.delete(cas)?;
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
        let bucket = accessor.with(|mut access| Guest::open(access.get(), label))?;
        Ok(bucket.ok_or(spin_keyvalue::Error::AccessDenied))
    }

    async fn get(
        accessor: &Accessor<T, Self>,
        bucket: Resource<OpenBucket>,
        key: String,
    ) -> wasmtime::Result<Result<Option<Vec<u8>>, spin_keyvalue::Error>> {
        accessor.with(|mut access| {
            let guest = access.get();
            guest.read(Operation::Get, guest.bucket(&bucket)?.get(&key))
        })
    }

    async fn set(
        accessor: &Accessor<T, Self>,
        bucket: Resource<OpenBucket>,
        key: String,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), spin_keyvalue::Error>> {
        accessor.with(|mut access| {
            let guest = access.get();
            guest.committed(Operation::Set, guest.bucket(&bucket)?.set(&key, &value))
        })
    }

    async fn delete(
        accessor: &Accessor<T, Self>,
        bucket: Resource<OpenBucket>,
        key: String,
    ) -> wasmtime::Result<Result<(), spin_keyvalue::Error>> {
        accessor.with(|mut access| {
            let guest = access.get();
            guest.deleted(Operation::Delete, guest.bucket(&bucket)?.delete(&key))
        })
    }

    async fn exists(
        accessor: &Accessor<T, Self>,
        bucket: Resource<OpenBucket>,
        key: String,
    ) -> wasmtime::Result<Result<bool, spin_keyvalue::Error>> {
        accessor.with(|mut access| {
            let guest = access.get();
            guest.read(Operation::Exists, guest.bucket(&bucket)?.exists(&key))
        })
    }

    async fn get_keys(
        accessor: &Accessor<T, Self>,
        bucket: Resource<OpenBucket>,
    ) -> wasmtime::Result<(StreamReader<String>, FutureReader<Result<(), spin_keyvalue::Error>>)> {
        accessor.with(|mut access| {
            let guest = access.get();
            guest.grants.counters.call(Operation::ListKeys, Effect::Read);
            let bucket = guest.bucket(&bucket)?;
            let (keys, key_stream) = mpsc::channel(4);
            let (end, end_future) = oneshot::channel();
            tokio::task::spawn_blocking(move || match bucket.stream_keys(&keys) {
                Ok(()) => _ = end.send(Ok(())),
                Err(Failure::Refused(reason)) => _ = end.send(Err(spin_keyvalue::Error::Other(reason))),
                // An `end` that is dropped unsent ends the component's instance.
                Err(Failure::Dead) => {}
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

impl variables::Host for Guest {}

impl<T: Send> variables::HostWithStore<T> for Guest {
    async fn get(accessor: &Accessor<T, Self>, name: String) -> wasmtime::Result<Result<String, variables::Error>> {
        if let Some(reason) = invalid_name(&name) {
            return Ok(Err(variables::Error::InvalidName(reason)));
        }
        let grants = accessor.with(|mut access| access.get().grants.clone());
        let undefined = || variables::Error::Undefined(format!("no variable for {:?}.{name:?}", grants.component));
        Ok(grants.variables.get(&name).cloned().ok_or_else(undefined))
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
