//! The calls of `wasi:keyvalue` as the host answers them.

use std::rc::Rc;

use domain::StoreError;

use crate::bindings::wasi::keyvalue::atomics::{self, Cas, CasError};
use crate::bindings::wasi::keyvalue::batch;
use crate::bindings::wasi::keyvalue::store::{self, Error};
use crate::bucket::Bucket;

/// A bucket of the host.
#[derive(Debug)]
pub struct WasiKeyValue(store::Bucket);

impl WasiKeyValue {
    /// Opens the bucket with this label.
    pub fn open(label: &str) -> Result<Self, StoreError> {
        store::open(label).map(Self).map_err(unavailable)
    }
}

impl Bucket for Rc<WasiKeyValue> {
    type Cas = Cas;

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.get(key).map_err(unavailable)
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<(String, Option<Vec<u8>>)>, StoreError> {
        batch::get_many(&self.0, keys).map_err(unavailable)
    }

    async fn set_many(&self, records: &[(String, Vec<u8>)]) -> Result<(), StoreError> {
        batch::set_many(&self.0, records).map_err(unavailable)
    }

    async fn delete_many(&self, keys: &[String]) -> Result<(), StoreError> {
        batch::delete_many(&self.0, keys).map_err(unavailable)
    }

    async fn increment(&self, key: &str, delta: i64) -> Result<i64, StoreError> {
        atomics::increment(&self.0, key, delta).map_err(unavailable)
    }

    async fn cas(&self, key: &str) -> Result<Cas, StoreError> {
        Cas::new(&self.0, key).map_err(unavailable)
    }

    async fn current(&self, cas: &Cas) -> Result<Option<Vec<u8>>, StoreError> {
        cas.current().map_err(unavailable)
    }

    async fn swap(&self, cas: Cas, value: &[u8]) -> Result<Result<(), Cas>, StoreError> {
        match atomics::swap(cas, value) {
            Ok(()) => Ok(Ok(())),
            Err(CasError::CasFailed(fresh)) => Ok(Err(fresh)),
            Err(CasError::StoreError(error)) => Err(unavailable(error)),
        }
    }
}

fn unavailable(error: Error) -> StoreError {
    StoreError::Unavailable(match error {
        Error::NoSuchStore => "there is no such store".to_owned(),
        Error::AccessDenied => "the component was not granted this store".to_owned(),
        // Spin passes on the message of SQLite and no code.
        Error::Other(message) if message.contains("database or disk is full") => return StoreError::Full(message),
        Error::Other(message) => message,
    })
}
