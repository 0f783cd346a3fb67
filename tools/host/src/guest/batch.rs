//! `wasi:keyvalue/batch`.

use wasmtime::component::Resource;

use crate::bindings::wasi::keyvalue::{batch, store};
use crate::faults::StoreFault;
use crate::guest::Guest;
use crate::keyvalue::OpenBucket;
use crate::stats::{Effect, Operation};

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
        let make = |fault: Option<StoreFault>| if fault.is_some() { Ok(()) } else { bucket.set_many(pairs) };
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
