//! `wasi:keyvalue/store`.

use wasmtime::component::Resource;

use crate::bindings::wasi::keyvalue::store;
use crate::guest::{Guest, Other};
use crate::keyvalue::{Failure, OpenBucket};
use crate::stats::Operation;

impl Other for store::Error {
    fn other(reason: String) -> Self {
        Self::Other(reason)
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
