//! The calls of `wasi:keyvalue` that the store is made of.

use domain::StoreError;

/// One open bucket of `wasi:keyvalue`, call by call. A component uses [`crate::WasiKeyValue`]. A test that
/// wants to see what happens between two calls uses another.
#[allow(async_fn_in_trait, reason = "a component has one thread, so the futures need not be Send")]
pub trait Bucket {
    /// A handle for one swap. It keeps the value that it has read.
    type Cas: 'static;

    /// `store.get`.
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// `batch.get-many`.
    async fn get_many(&self, keys: &[String]) -> Result<Vec<(String, Option<Vec<u8>>)>, StoreError>;

    /// `batch.set-many`.
    async fn set_many(&self, records: &[(String, Vec<u8>)]) -> Result<(), StoreError>;

    /// `batch.delete-many`.
    async fn delete_many(&self, keys: &[String]) -> Result<(), StoreError>;

    /// `atomics.increment`.
    async fn increment(&self, key: &str, delta: i64) -> Result<i64, StoreError>;

    /// `cas.new`.
    async fn cas(&self, key: &str) -> Result<Self::Cas, StoreError>;

    /// `cas.current`.
    async fn current(&self, cas: &Self::Cas) -> Result<Option<Vec<u8>>, StoreError>;

    /// `atomics.swap`: a fresh handle where the value was another one.
    async fn swap(&self, cas: Self::Cas, value: &[u8]) -> Result<Result<(), Self::Cas>, StoreError>;
}
