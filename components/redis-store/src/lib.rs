//! The domain's store on a Redis: each record a string under its key, and for each call one command.
//!
//! Redis does one command after another, a script too. Nothing here spans two, not even as a transaction: all requests of
//! an instance share a connection, and a `MULTI` of one would take in what the others send. What the protocol needs
//! Redis has in one command: `SET … NX`, which leaves alone what is there; `MSET`, which sets all or none; and a script
//! that replaces a value if it still is what was read.
//!
//! A command whose answer does not come may have been done. That is what [`StoreError::Unavailable`] says, and the
//! protocol reckons with it.

mod connection;
mod replicas;
#[cfg(feature = "wasi")]
mod wasi;

use std::rc::Rc;
use std::time::Duration;

use domain::{Creation, Damaged, Entry, Environment, Found, Key, Store, StoreError, Swap};

use crate::connection::Moment;
pub use crate::connection::{Redis, Shared};
#[cfg(feature = "wasi")]
pub use wasi::SpinRedis;

/// Reads several keys. `MGET` would answer "absent" for a key of another type; here that is the number 0.
const GET_ALL: &str = "local found = {} \
    for place, key in ipairs(KEYS) do \
        local value = redis.pcall('GET', key) \
        if type(value) == 'table' then value = 0 end \
        found[place] = value \
    end \
    return found";

/// Writes those of several records that are not there.
const PUT_ALL: &str = "local written = 0 \
    for place, key in ipairs(KEYS) do \
        if redis.call('SET', key, ARGV[place], 'NX') then written = written + 1 end \
    end \
    return written";

/// Replaces a value if it still is what was read.
const COMPARE_AND_SWAP: &str = "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end \
    redis.call('SET', KEYS[1], ARGV[2]) \
    return 1";

/// How long a command may take. A Redis that is well answers in a millisecond.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How long replicas are waited for.
const REPLICATION_TIMEOUT: Duration = Duration::from_secs(1);

/// What Redis answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Nothing is there, or nothing was done.
    Nil,
    /// It was done.
    Status,
    /// A number.
    Number(i64),
    /// A value.
    Value(Vec<u8>),
}

/// The store in a Redis.
#[derive(Debug)]
pub struct RedisStore<R: Redis, E> {
    shared: Rc<Shared<R>>,
    environment: E,
    replicas: u32,
    /// When it was made: each request has one of its own.
    began: Moment,
}

impl<R: Redis, E: Environment> RedisStore<R, E> {
    /// A request's store, over the connection that it shares with the others of its instance. A write counts once
    /// `replicas` replicas have it too.
    pub fn new(shared: Rc<Shared<R>>, environment: E, replicas: u32) -> Self {
        let began = shared.now();
        Self { shared, environment, replicas, began }
    }

    async fn read(&self, keys: Vec<Vec<u8>>) -> Result<Vec<Answer>, StoreError> {
        match keys.as_slice() {
            [] => Ok(Vec::new()),
            [_] => match self.read_with_retry("GET", keys).await {
                Err(StoreError::Unavailable(message)) if message.contains("WRONGTYPE") => Ok(vec![Answer::Number(0)]),
                read => read,
            },
            _ => {
                let count = text(keys.len());
                self.read_with_retry("EVAL_RO", [vec![GET_ALL.into(), count], keys].concat()).await
            }
        }
    }

    async fn set(&self, pairs: Vec<Vec<u8>>) -> Result<(), StoreError> {
        match self.write("MSET", pairs).await?.as_slice() {
            [Answer::Status] => Ok(()),
            other => Err(unexpected("MSET", other)),
        }
    }

    /// Whether the record was not there, and is now.
    async fn create(&self, key: Vec<u8>, value: Vec<u8>) -> Result<bool, StoreError> {
        match self.write("SET", vec![key, value, b"NX".to_vec()]).await?.as_slice() {
            [Answer::Status] => Ok(true),
            [Answer::Nil] => Ok(false),
            other => Err(unexpected("SET", other)),
        }
    }

    /// Whether the record was `old`, and is `new` now.
    async fn swap(&self, key: &str, old: &[u8], new: Vec<u8>) -> Result<bool, StoreError> {
        let arguments = vec![COMPARE_AND_SWAP.into(), text(1), key.into(), old.into(), new];
        match self.write("EVAL", arguments).await?.as_slice() {
            [Answer::Number(1)] => Ok(true),
            [Answer::Number(0)] => Ok(false),
            other => Err(unexpected("EVAL", other)),
        }
    }

    async fn delete(&self, keys: Vec<Vec<u8>>) -> Result<(), StoreError> {
        if keys.is_empty() { Ok(()) } else { self.write("DEL", keys).await.map(drop) }
    }

    /// Whether this Redis does what the protocol rests on, tried on a record that nobody else knows.
    async fn self_test(&self, key: &str) -> Result<(), StoreError> {
        let [first, second, third] = [b"first", b"secnd", b"third"].map(|value| value.to_vec());
        let created = (self.create(key.into(), first.clone()).await?, self.create(key.into(), third.clone()).await?);
        let swapped = (self.swap(key, &first, second.clone()).await?, self.swap(key, &first, third).await?);
        let read = self.read(vec![key.into(), format!("{key}:absent").into()]).await?;
        if (created, swapped, read) == ((true, false), (true, false), vec![Answer::Value(second), Answer::Nil]) {
            Ok(())
        } else {
            Err(StoreError::ContractViolation("its commands do not do what they say".to_owned()))
        }
    }
}

impl<R: Redis, E: Environment> Store for RedisStore<R, E> {
    async fn get(&self, keys: &[Key]) -> Result<Vec<Found>, StoreError> {
        let physical_keys: Vec<_> = keys.iter().map(Key::to_string).collect();
        let answers =
            self.read(physical_keys.iter().map(|physical_key| physical_key.as_str().into()).collect()).await?;
        if answers.len() != physical_keys.len() {
            return Err(unexpected("GET", &answers));
        }
        let found = |(physical_key, answer)| match answer {
            Answer::Value(value) => Ok(Ok(Some(Entry::new(physical_key, value)))),
            Answer::Nil => Ok(Ok(None)),
            Answer::Number(_) => Ok(Err(Damaged { physical_key, reason: "it is no string".to_owned() })),
            other => Err(unexpected("GET", &[other])),
        };
        physical_keys.into_iter().zip(answers).map(found).collect()
    }

    async fn insert(&self, records: Vec<(Key, Vec<u8>)>) -> Result<Vec<Entry>, StoreError> {
        let entries = records.into_iter().map(|(key, value)| Entry::new(key.to_string(), value));
        let entries: Vec<_> = entries.collect();
        self.set(entries.iter().flat_map(|entry| [entry.physical_key.as_str().into(), entry.value.clone()]).collect())
            .await?;
        Ok(entries)
    }

    async fn remove(&self, keys: &[Key]) -> Result<(), StoreError> {
        self.delete(keys.iter().map(text).collect()).await
    }

    async fn put(&self, records: Vec<(Key, Vec<u8>)>) -> Result<(), StoreError> {
        let (keys, values): (Vec<_>, Vec<_>) = records.into_iter().map(|(key, value)| (text(key), value)).unzip();
        let count = text(keys.len());
        match self.write("EVAL", [vec![PUT_ALL.into(), count], keys, values].concat()).await?.as_slice() {
            [Answer::Number(_)] => Ok(()),
            other => Err(unexpected("EVAL", other)),
        }
    }

    async fn create(&self, key: &Key, value: Vec<u8>) -> Result<Creation, StoreError> {
        let created = Self::create(self, text(key), value).await?;
        Ok(if created { Creation::Created } else { Creation::Exists })
    }

    async fn swap(&self, read: &Entry, value: Vec<u8>) -> Result<Swap, StoreError> {
        let swapped = Self::swap(self, &read.physical_key, &read.value, value).await?;
        Ok(if swapped { Swap::Swapped } else { Swap::Conflict })
    }

    async fn confirm(&self) -> Result<(), StoreError> {
        self.confirm_reads().await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        let key = format!("probe:{:032x}", u128::from_be_bytes(self.environment.random_id()));
        let tried = self.self_test(&key).await;
        let removed = self.delete(vec![key.into()]).await;
        tried.and(removed)
    }
}

/// An argument as Redis reads it.
fn text(argument: impl ToString) -> Vec<u8> {
    argument.to_string().into_bytes()
}

fn unexpected(command: &str, answers: &[Answer]) -> StoreError {
    let kinds: Vec<_> = answers.iter().map(Answer::kind).collect();
    StoreError::ContractViolation(format!("it answers {command} with {}", kinds.join(", ")))
}

impl Answer {
    /// What it is, without what is in it.
    fn kind(&self) -> &'static str {
        match self {
            Self::Nil => "nil",
            Self::Status => "a status",
            Self::Number(_) => "a number",
            Self::Value(_) => "a value",
        }
    }
}
