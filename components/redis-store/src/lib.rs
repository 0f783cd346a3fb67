//! The domain's store on a Redis. Each record is a string under its key, and each call is one command.
//!
//! Redis executes one command or script at a time. No operation of the store needs two, and none could be a
//! transaction: all requests of an instance share a connection, so the `MULTI` of one would include the commands of
//! others. Redis has what the protocol needs in one command: `SET … NX` does not change an existing record, `MSET` sets
//! all or none, and a script replaces a value if it is still what was read.
//!
//! A command without an answer may have been executed. [`StoreError::Unavailable`] says so, and the protocol allows for
//! it.

pub mod address;
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

/// Reads several keys. `MGET` would report a key of another type as absent; this script answers 0 for it.
const GET_ALL: &str = "local found = {} \
    for place, key in ipairs(KEYS) do \
        local value = redis.pcall('GET', key) \
        if type(value) == 'table' then value = 0 end \
        found[place] = value \
    end \
    return found";

/// Writes those of several records that do not exist. Answers how many, and then the places of the others.
///
/// With `allow-oom` a script may write although Redis has reached its `maxmemory`. So an order can be paid or cancelled
/// where there is no room for another one. What that takes is bounded by what is there.
const PUT_ALL: &str = "#!lua flags=allow-oom\n\
    local answer = {0} \
    for place, key in ipairs(KEYS) do \
        if redis.call('SET', key, ARGV[place], 'NX') then answer[1] = answer[1] + 1 \
        else answer[#answer + 1] = place end \
    end \
    return answer";

/// Replaces a value if it is still what was read.
const COMPARE_AND_SWAP: &str = "#!lua flags=allow-oom\n\
    if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end \
    redis.call('SET', KEYS[1], ARGV[2]) \
    return 1";

/// Removes a value if it is still what was read.
const COMPARE_AND_DELETE: &str = "#!lua flags=allow-oom\n\
    if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end \
    return redis.call('DEL', KEYS[1])";

/// How long a command may take. A healthy Redis answers in a millisecond.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How long a write waits for its replicas.
const REPLICATION_TIMEOUT: Duration = Duration::from_secs(1);

/// What Redis answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The key does not exist, or the command did nothing.
    Nil,
    /// The command was executed.
    Status,
    /// A number.
    Number(i64),
    /// A value.
    Value(Vec<u8>),
}

/// The error that a message of Redis stands for. Spin passes on the message and no code.
pub fn failure(message: String) -> StoreError {
    // Above `maxmemory` Redis refuses commands that need more, before it executes them. The client of the host writes the
    // error's code in a way of its own, so the text decides.
    let is_full = message.contains("used memory > 'maxmemory'");
    if is_full { StoreError::Full(message) } else { StoreError::Unavailable(message) }
}

/// The store in a Redis.
#[derive(Debug)]
pub struct RedisStore<R: Redis, E> {
    shared: Rc<Shared<R>>,
    environment: E,
    replicas: u32,
    /// When the request began. Each request has a store of its own.
    began: Moment,
}

impl<R: Redis, E: Environment> RedisStore<R, E> {
    /// A request's store, on the connection that it shares with the other requests of its instance. A write succeeds
    /// when `replicas` replicas have it too.
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

    /// Whether this call has created the record.
    async fn create(&self, key: Vec<u8>, value: Vec<u8>) -> Result<bool, StoreError> {
        match self.write("SET", vec![key, value, b"NX".to_vec()]).await?.as_slice() {
            [Answer::Status] => Ok(true),
            [Answer::Nil] => Ok(false),
            other => Err(unexpected("SET", other)),
        }
    }

    /// Whether this call has replaced `old` by `new`.
    async fn swap(&self, key: &str, old: &[u8], new: Vec<u8>) -> Result<bool, StoreError> {
        let arguments = vec![COMPARE_AND_SWAP.into(), text(1), key.into(), old.into(), new];
        match self.write("EVAL", arguments).await?.as_slice() {
            [Answer::Number(1)] => Ok(true),
            [Answer::Number(0)] => Ok(false),
            other => Err(unexpected("EVAL", other)),
        }
    }

    /// Whether this call has removed the record, which still was `old`.
    async fn compare_and_delete(&self, key: &str, old: &[u8]) -> Result<bool, StoreError> {
        match self.write("EVAL", vec![COMPARE_AND_DELETE.into(), text(1), key.into(), old.into()]).await?.as_slice() {
            [Answer::Number(1)] => Ok(true),
            [Answer::Number(0)] => Ok(false),
            other => Err(unexpected("EVAL", other)),
        }
    }

    async fn delete(&self, keys: Vec<Vec<u8>>) -> Result<(), StoreError> {
        if keys.is_empty() { Ok(()) } else { self.write("DEL", keys).await.map(drop) }
    }

    /// Tests the operations that the protocol relies on, on a record that no other request knows.
    async fn self_test(&self, key: &str) -> Result<(), StoreError> {
        let [first, second, third] = [b"first", b"secnd", b"third"].map(|value| value.to_vec());
        let created = (self.create(key.into(), first.clone()).await?, self.create(key.into(), third.clone()).await?);
        let swapped = (self.swap(key, &first, second.clone()).await?, self.swap(key, &first, third).await?);
        let read = self.read(vec![key.into(), format!("{key}:absent").into()]).await?;
        if (created, swapped, read) == ((true, false), (true, false), vec![Answer::Value(second), Answer::Nil]) {
            Ok(())
        } else {
            Err(StoreError::ContractViolation("its commands fail the self-test".to_owned()))
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
            Answer::Number(_) => Ok(Err(Damaged { physical_key, reason: "it is not a string".to_owned() })),
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

    async fn remove_unchanged(&self, read: &Entry) -> Result<Swap, StoreError> {
        let removed = self.compare_and_delete(&read.physical_key, &read.value).await?;
        Ok(if removed { Swap::Swapped } else { Swap::Conflict })
    }

    async fn put(&self, records: Vec<(Key, Vec<u8>)>) -> Result<Vec<Key>, StoreError> {
        let (keys, values): (Vec<_>, Vec<_>) = records.into_iter().unzip();
        let arguments = [vec![PUT_ALL.into(), text(keys.len())], keys.iter().map(text).collect(), values].concat();
        let answers = self.write("EVAL", arguments).await?;
        let place = |answer: &Answer| match answer {
            // Lua counts from 1.
            Answer::Number(place) => keys.get(usize::try_from(place.checked_sub(1)?).ok()?).cloned(),
            _ => None,
        };
        match answers.as_slice() {
            [Answer::Number(_), there @ ..] => {
                there.iter().map(|answer| place(answer).ok_or_else(|| unexpected("EVAL", &answers))).collect()
            }
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
    /// The kind of answer, without its content, which may be confidential.
    fn kind(&self) -> &'static str {
        match self {
            Self::Nil => "nil",
            Self::Status => "a status",
            Self::Number(_) => "a number",
            Self::Value(_) => "a value",
        }
    }
}
