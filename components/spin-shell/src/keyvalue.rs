//! The shop's records in Spin's key-value store.

use std::cell::OnceCell;
use std::rc::Rc;

use api::Problem;
use domain::Error;
use keyvalue_store::{KeyValue, Memory};

use crate::Wasi;

/// The key-value store that all components share.
const LABEL: &str = "default";

/// The store as a component has it.
pub type Store = KeyValue<'static, Rc<keyvalue_store::Wasi>, Wasi>;

/// Opens the store, once an instance.
pub(crate) async fn open() -> Result<Store, Problem> {
    static MEMORY: Memory = Memory::new();
    thread_local! {
        static BUCKET: OnceCell<Rc<keyvalue_store::Wasi>> = const { OnceCell::new() };
    }
    let calls = BUCKET.with(|bucket| match bucket.get() {
        Some(bucket) => Ok(bucket.clone()),
        None => keyvalue_store::Wasi::open(LABEL).map(|opened| bucket.get_or_init(|| Rc::new(opened)).clone()),
    });
    let calls = calls.map_err(|error| Problem::from(Error::from(error)))?;
    Ok(KeyValue::new(calls, Wasi, &MEMORY))
}
