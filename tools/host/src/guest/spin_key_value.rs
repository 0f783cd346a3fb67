//! `spin:key-value/key-value`.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::{mpsc, oneshot};
use wasmtime::StoreContextMut;
use wasmtime::component::{Accessor, Destination, FutureReader, Resource, StreamProducer, StreamReader, StreamResult};

use crate::bindings::spin::key_value::key_value as spin_keyvalue;
use crate::guest::{Guest, Other};
use crate::keyvalue::{Failure, OpenBucket};
use crate::stats::Operation;

impl Other for spin_keyvalue::Error {
    fn other(reason: String) -> Self {
        Self::Other(reason)
    }
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
