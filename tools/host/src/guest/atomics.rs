//! `wasi:keyvalue/atomics`.

use std::slice;

use wasmtime::component::Resource;

use crate::bindings::wasi::keyvalue::{atomics, store};
use crate::faults::StoreFault;
use crate::guest::{Guest, Other};
use crate::keyvalue::{Cas, OpenBucket, Swap};
use crate::stats::{Effect, Operation};

impl Other for atomics::CasError {
    fn other(reason: String) -> Self {
        Self::StoreError(store::Error::Other(reason))
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
        let make = |fault: Option<StoreFault>| match fault {
            Some(fault) => fault.increment(&bucket, &key, delta),
            None => bucket.increment(&key, delta),
        };
        self.done(Operation::Increment, slice::from_ref(&key), make, |_| Effect::Commit)
    }

    fn swap(&mut self, cas: Resource<Cas>, value: Vec<u8>) -> wasmtime::Result<Result<(), atomics::CasError>> {
        let cas = self.table.delete(cas)?;
        let key = cas.key().clone();
        let make = |fault: Option<StoreFault>| match fault {
            Some(fault) => fault.swap(cas, &value),
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
        // A copy, since the call borrows the whole guest and with it the table.
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
