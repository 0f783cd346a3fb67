//! The key-value store, one call after another, through both interfaces that Spin has.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Value, json};
use spin_sdk::key_value as spin;

use crate::store::bindings::wasi::keyvalue::atomics::{self, Cas, CasError};
use crate::store::bindings::wasi::keyvalue::batch;
use crate::store::bindings::wasi::keyvalue::store::{self as wasi, Bucket};

mod bindings {
    wit_bindgen::generate!({ world: "keyvalue", path: "../../../components/keyvalue-store/wit", generate_all });
}

/// A call. Handles have names: a call that makes one says how it is to be called, the others which one they mean.
#[derive(Deserialize)]
#[serde(tag = "call", rename_all = "kebab-case")]
pub enum Step {
    // wasi:keyvalue
    Open {
        label: String,
        r#as: String,
    },
    Get {
        bucket: String,
        key: String,
    },
    Set {
        bucket: String,
        key: String,
        value: Vec<u8>,
    },
    Delete {
        bucket: String,
        key: String,
    },
    Exists {
        bucket: String,
        key: String,
    },
    ListKeys {
        bucket: String,
        cursor: Option<String>,
    },
    GetMany {
        bucket: String,
        keys: Vec<String>,
    },
    SetMany {
        bucket: String,
        pairs: Vec<(String, Vec<u8>)>,
    },
    DeleteMany {
        bucket: String,
        keys: Vec<String>,
    },
    Increment {
        bucket: String,
        key: String,
        delta: i64,
    },
    Cas {
        bucket: String,
        key: String,
        r#as: String,
    },
    Current {
        cas: String,
    },
    /// Uses up the handle; where the swap fails, the fresh one takes its name.
    Swap {
        cas: String,
        value: Vec<u8>,
    },
    /// Lets go of a handle, whatever it is of.
    Drop {
        handle: String,
    },
    // spin:key-value
    SpinOpen {
        label: String,
        r#as: String,
    },
    SpinGet {
        store: String,
        key: String,
    },
    SpinSet {
        store: String,
        key: String,
        value: Vec<u8>,
    },
    SpinDelete {
        store: String,
        key: String,
    },
    SpinExists {
        store: String,
        key: String,
    },
    SpinGetKeys {
        store: String,
    },
}

enum Handle {
    Bucket(Bucket),
    Cas(Cas),
    Store(spin::Store),
}

#[derive(Default)]
struct Handles(HashMap<String, Handle>);

impl Handles {
    fn bucket(&self, name: &str) -> &Bucket {
        let Some(Handle::Bucket(bucket)) = self.0.get(name) else { panic!("{name} is no bucket") };
        bucket
    }

    fn store(&self, name: &str) -> &spin::Store {
        let Some(Handle::Store(store)) = self.0.get(name) else { panic!("{name} is no store") };
        store
    }

    fn cas(&mut self, name: &str) -> Cas {
        let Some(Handle::Cas(cas)) = self.0.remove(name) else { panic!("{name} is no cas") };
        cas
    }
}

/// What each call returned: `{"ok": …}` or `{"error": …}`.
pub async fn run(steps: Vec<Step>) -> Value {
    let mut handles = Handles::default();
    let mut answers = Vec::new();
    for step in steps {
        let answer = call(step, &mut handles).await;
        answers.push(answer.map_or_else(|error| json!({ "error": error }), |value| json!({ "ok": value })));
    }
    answers.into()
}

async fn call(step: Step, handles: &mut Handles) -> Result<Value, String> {
    match step {
        Step::Open { label, r#as } => {
            let bucket = wasi::open(&label).map_err(wasi_error)?;
            handles.0.insert(r#as, Handle::Bucket(bucket));
            Ok(Value::Null)
        }
        Step::Get { bucket, key } => handles.bucket(&bucket).get(&key).map(|value| json!(value)).map_err(wasi_error),
        Step::Set { bucket, key, value } => done(handles.bucket(&bucket).set(&key, &value)),
        Step::Delete { bucket, key } => done(handles.bucket(&bucket).delete(&key)),
        Step::Exists { bucket, key } => handles.bucket(&bucket).exists(&key).map(Value::from).map_err(wasi_error),
        Step::ListKeys { bucket, cursor } => {
            let response = handles.bucket(&bucket).list_keys(cursor.as_deref()).map_err(wasi_error)?;
            Ok(json!({ "keys": response.keys, "cursor": response.cursor }))
        }
        Step::GetMany { bucket, keys } => {
            batch::get_many(handles.bucket(&bucket), &keys).map(|pairs| json!(pairs)).map_err(wasi_error)
        }
        Step::SetMany { bucket, pairs } => done(batch::set_many(handles.bucket(&bucket), &pairs)),
        Step::DeleteMany { bucket, keys } => done(batch::delete_many(handles.bucket(&bucket), &keys)),
        Step::Increment { bucket, key, delta } => {
            atomics::increment(handles.bucket(&bucket), &key, delta).map(Value::from).map_err(wasi_error)
        }
        Step::Cas { bucket, key, r#as } => {
            let cas = Cas::new(handles.bucket(&bucket), &key).map_err(wasi_error)?;
            handles.0.insert(r#as, Handle::Cas(cas));
            Ok(Value::Null)
        }
        Step::Current { cas: name } => {
            let cas = handles.cas(&name);
            let value = cas.current();
            handles.0.insert(name, Handle::Cas(cas));
            value.map(|value| json!(value)).map_err(wasi_error)
        }
        Step::Swap { cas, value } => match atomics::swap(handles.cas(&cas), &value) {
            Ok(()) => Ok(Value::Null),
            Err(CasError::StoreError(error)) => Err(wasi_error(error)),
            Err(CasError::CasFailed(fresh)) => {
                handles.0.insert(cas, Handle::Cas(fresh));
                Err("cas-failed".to_owned())
            }
        },
        Step::Drop { handle } => {
            handles.0.remove(&handle).expect("the handle is there");
            Ok(Value::Null)
        }
        Step::SpinOpen { label, r#as } => {
            let store = spin::Store::open(label).await.map_err(spin_error)?;
            handles.0.insert(r#as, Handle::Store(store));
            Ok(Value::Null)
        }
        Step::SpinGet { store, key } => {
            handles.store(&store).get(key).await.map(|value| json!(value)).map_err(spin_error)
        }
        Step::SpinSet { store, key, value } => spin_done(handles.store(&store).set(key, value).await),
        Step::SpinDelete { store, key } => spin_done(handles.store(&store).delete(key).await),
        Step::SpinExists { store, key } => handles.store(&store).exists(key).await.map(Value::from).map_err(spin_error),
        Step::SpinGetKeys { store } => {
            handles.store(&store).get_keys().await.collect().await.map(|keys| json!(keys)).map_err(spin_error)
        }
    }
}

fn done(result: Result<(), wasi::Error>) -> Result<Value, String> {
    result.map(|()| Value::Null).map_err(wasi_error)
}

fn spin_done(result: Result<(), spin::Error>) -> Result<Value, String> {
    result.map(|()| Value::Null).map_err(spin_error)
}

fn wasi_error(error: wasi::Error) -> String {
    match error {
        wasi::Error::NoSuchStore => "no-such-store".to_owned(),
        wasi::Error::AccessDenied => "access-denied".to_owned(),
        wasi::Error::Other(message) => message,
    }
}

fn spin_error(error: spin::Error) -> String {
    match error {
        spin::Error::StoreTableFull => "store-table-full".to_owned(),
        spin::Error::NoSuchStore => "no-such-store".to_owned(),
        spin::Error::AccessDenied => "access-denied".to_owned(),
        spin::Error::Other(message) => message,
    }
}
