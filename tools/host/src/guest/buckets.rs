//! The calls that the two interfaces of the key-value store share.

use std::slice;
use std::sync::Arc;

use wasmtime::component::Resource;

use crate::faults::StoreFault;
use crate::guest::{Guest, Other};
use crate::keyvalue::{Bucket, Failure, OpenBucket};
use crate::stats::{Effect, Operation};

impl Guest {
    pub(super) fn open<E: Other>(
        &mut self,
        label: String,
        denied: E,
    ) -> wasmtime::Result<Result<Resource<OpenBucket>, E>> {
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

    pub(super) fn bucket(&self, handle: &Resource<OpenBucket>) -> wasmtime::Result<OpenBucket> {
        Ok(self.table.get(handle)?.clone())
    }

    pub(super) fn close(&mut self, handle: Resource<OpenBucket>) -> wasmtime::Result<()> {
        self.table.delete(handle)?;
        Ok(())
    }

    pub(super) fn get<E: Other>(
        &self,
        bucket: &Resource<OpenBucket>,
        key: String,
    ) -> wasmtime::Result<Result<Option<Vec<u8>>, E>> {
        let bucket = self.bucket(bucket)?;
        self.read(Operation::Get, slice::from_ref(&key), || Ok(self.answered(&key, bucket.get(&key)?)))
    }

    pub(super) fn set<E: Other>(
        &self,
        bucket: &Resource<OpenBucket>,
        key: String,
        value: &[u8],
    ) -> wasmtime::Result<Result<(), E>> {
        let bucket = self.bucket(bucket)?;
        let make = |fault: Option<StoreFault>| if fault.is_some() { Ok(()) } else { bucket.set(&key, value) };
        self.done(Operation::Set, slice::from_ref(&key), make, |()| Effect::Commit)
    }

    pub(super) fn exists<E: Other>(
        &self,
        bucket: &Resource<OpenBucket>,
        key: String,
    ) -> wasmtime::Result<Result<bool, E>> {
        let bucket = self.bucket(bucket)?;
        self.read(Operation::Exists, slice::from_ref(&key), || bucket.exists(&key))
    }

    /// A deletion commits only if there was something to delete.
    pub(super) fn deleted<E: Other>(
        &self,
        operation: Operation,
        keys: &[String],
        make: impl FnOnce() -> Result<bool, Failure>,
    ) -> wasmtime::Result<Result<(), E>> {
        let effect = |found: &bool| if *found { Effect::Commit } else { Effect::Nothing };
        Ok(self.done(operation, keys, |_| make(), effect)?.map(|_| ()))
    }

    pub(super) fn delete<E: Other>(
        &self,
        bucket: &Resource<OpenBucket>,
        key: String,
    ) -> wasmtime::Result<Result<(), E>> {
        let bucket = self.bucket(bucket)?;
        self.deleted(Operation::Delete, slice::from_ref(&key), || bucket.delete(&key))
    }
}
