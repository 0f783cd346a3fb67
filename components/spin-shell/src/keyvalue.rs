//! The shop's records in Spin's key-value store.

use std::cell::OnceCell;
use std::rc::Rc;

use api::Problem;
use domain::Error;
use keyvalue_store::{InstanceCache, KeyValueStore, WasiKeyValue};

use crate::SpinEnvironment;

/// The key-value store that all components share.
const LABEL: &str = "default";

/// The store of a component.
pub type Store = KeyValueStore<'static, Rc<WasiKeyValue>, SpinEnvironment>;

/// Opens the store, once for each instance.
pub(crate) async fn open() -> Result<Store, Problem> {
    static CACHE: InstanceCache = InstanceCache::new();
    thread_local! {
        static BUCKET: OnceCell<Rc<WasiKeyValue>> = const { OnceCell::new() };
    }
    let bucket = BUCKET.with(|bucket| match bucket.get() {
        Some(bucket) => Ok(bucket.clone()),
        None => WasiKeyValue::open(LABEL).map(|opened| bucket.get_or_init(|| Rc::new(opened)).clone()),
    });
    let bucket = bucket.map_err(|error| Problem::from(Error::from(error)))?;
    Ok(KeyValueStore::new(bucket, SpinEnvironment, &CACHE))
}
