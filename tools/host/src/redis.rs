//! Spin's outbound Redis. A component opens its own connections, to the hosts that the manifest allows. Error texts are
//! those of the client that Spin uses too.

use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, Client, ErrorKind, FromRedisValue, Value};
use wasmtime::component::{Accessor, Resource};

use crate::bindings::spin::redis::redis::{
    Error, Host, HostConnection, HostConnectionWithStore, Payload, RedisParameter, RedisResult,
};
use crate::guest::{Guest, Other};
use crate::keyvalue::{Budget, Failure};
use crate::stats::{Effect, Operation};

/// The connection behind a component's handle. Concurrent commands share it.
pub type Connection = MultiplexedConnection;

impl Other for Error {
    fn other(reason: String) -> Self {
        Self::Other(reason)
    }
}

impl Host for Guest {}

impl HostConnection for Guest {
    fn drop(&mut self, connection: Resource<Connection>) -> wasmtime::Result<()> {
        self.table.delete(connection)?;
        Ok(())
    }
}

/// Executes a command on a connection, unless a test interferes.
async fn on<S: Send, T>(
    accessor: &Accessor<S, Guest>,
    connection: &Resource<Connection>,
    operation: Operation,
    keys: &[String],
    effect: impl FnOnce(&T) -> Effect,
    make: impl AsyncFnOnce(Connection) -> redis::RedisResult<T>,
) -> wasmtime::Result<Result<T, Error>> {
    let connection = accessor.with(|mut access| access.get().table.get(connection).cloned())?;
    let make = async || make(connection).await.map_err(|error| Failure::Refused(error.to_string()));
    done(accessor, operation, keys, effect, make).await
}

/// [`Guest::done`] for a call that takes time, and does not block the instance meanwhile.
async fn done<S: Send, T>(
    accessor: &Accessor<S, Guest>,
    operation: Operation,
    keys: &[String],
    effect: impl FnOnce(&T) -> Effect,
    make: impl AsyncFnOnce() -> Result<T, Failure>,
) -> wasmtime::Result<Result<T, Error>> {
    let chosen = accessor.with(|mut access| access.get().chosen_outcome(operation, keys));
    let result = match chosen.not_done() {
        Some(failure) => Err(failure),
        None => make().await,
    };
    accessor.with(|mut access| access.get().outcome(operation, chosen, result, effect))
}

/// The effect of a command that writes and answers with a number or with nothing.
fn changed(results: &[RedisResult]) -> Effect {
    match results {
        [RedisResult::Nil | RedisResult::Int64(0)] => Effect::Nothing,
        _ => Effect::Commit,
    }
}

impl<T: Send> HostConnectionWithStore<T> for Guest {
    async fn open(
        accessor: &Accessor<T, Self>,
        address: String,
    ) -> wasmtime::Result<Result<Resource<Connection>, Error>> {
        if !accessor.with(|mut access| access.get().may_connect(&address, "redis")) {
            return Ok(Err(Error::InvalidAddress));
        }
        let Ok(client) = Client::open(address.as_str()) else { return Ok(Err(Error::InvalidAddress)) };
        let connect = async || {
            let connected = client.get_multiplexed_async_connection().await;
            connected.map_err(|error| Failure::Refused(error.to_string()))
        };
        let label = std::slice::from_ref(&address);
        match done(accessor, Operation::Open, label, |_| Effect::Nothing, connect).await? {
            Ok(connection) => accessor.with(|mut access| Ok(Ok(access.get().table.push(connection)?))),
            Err(error) => Ok(Err(error)),
        }
    }

    async fn publish(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        channel: String,
        payload: Payload,
    ) -> wasmtime::Result<Result<(), Error>> {
        let publish = async |mut connection: Connection| connection.publish(&channel, payload).await;
        on(accessor, &connection, Operation::Change, &[], |()| Effect::Nothing, publish).await
    }

    async fn get(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        key: String,
    ) -> wasmtime::Result<Result<Option<Payload>, Error>> {
        let get = async |mut connection: Connection| connection.get::<_, Option<Vec<u8>>>(&key).await;
        let keys = std::slice::from_ref(&key);
        let value = on(accessor, &connection, Operation::Select, keys, |_| Effect::Read, get).await?;
        Ok(value.and_then(|value| {
            let size = value.as_ref().map_or(0, Vec::len);
            Budget::new().spend(size_of::<Option<Vec<u8>>>() + size).map(|()| value).map_err(Error::of)
        }))
    }

    async fn set(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        key: String,
        value: Payload,
    ) -> wasmtime::Result<Result<(), Error>> {
        let set = async |mut connection: Connection| connection.set(&key, value).await;
        on(accessor, &connection, Operation::Change, std::slice::from_ref(&key), |()| Effect::Commit, set).await
    }

    async fn incr(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        key: String,
    ) -> wasmtime::Result<Result<i64, Error>> {
        let increment = async |mut connection: Connection| connection.incr(&key, 1).await;
        on(accessor, &connection, Operation::Change, std::slice::from_ref(&key), |_| Effect::Commit, increment).await
    }

    async fn del(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        keys: Vec<String>,
    ) -> wasmtime::Result<Result<u32, Error>> {
        let delete = async |mut connection: Connection| connection.del(&keys).await;
        on(accessor, &connection, Operation::Change, &keys, counted, delete).await
    }

    async fn sadd(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        key: String,
        values: Vec<String>,
    ) -> wasmtime::Result<Result<u32, Error>> {
        // The one command for which Spin distinguishes this error.
        let add = async |mut connection: Connection| match connection.sadd(&key, &values).await {
            Err(error) if error.kind() == ErrorKind::TypeError => Ok(Err(Error::TypeError)),
            added => added.map(Ok),
        };
        let effect = |added: &Result<u32, Error>| added.as_ref().map_or(Effect::Nothing, counted);
        Ok(on(accessor, &connection, Operation::Change, std::slice::from_ref(&key), effect, add).await?.flatten())
    }

    async fn smembers(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        key: String,
    ) -> wasmtime::Result<Result<Vec<String>, Error>> {
        let members = async |mut connection: Connection| connection.smembers(&key).await;
        on(accessor, &connection, Operation::Select, std::slice::from_ref(&key), |_| Effect::Read, members).await
    }

    async fn srem(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        key: String,
        values: Vec<String>,
    ) -> wasmtime::Result<Result<u32, Error>> {
        let remove = async |mut connection: Connection| connection.srem(&key, &values).await;
        on(accessor, &connection, Operation::Change, std::slice::from_ref(&key), counted, remove).await
    }

    async fn execute(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        command: String,
        arguments: Vec<RedisParameter>,
    ) -> wasmtime::Result<Result<Vec<RedisResult>, Error>> {
        let operation = operation(&command);
        let keys = keys(&command, &arguments);
        let execute = async |mut connection: Connection| {
            let mut query = redis::cmd(&command);
            for argument in arguments {
                match argument {
                    RedisParameter::Int64(number) => query.arg(number),
                    RedisParameter::Binary(bytes) => query.arg(bytes),
                };
            }
            query.query_async::<Results>(&mut connection).await.map(|Results(results)| results)
        };
        let effect = |results: &Vec<RedisResult>| {
            if operation == Operation::Select { Effect::Read } else { changed(results) }
        };
        let results = on(accessor, &connection, operation, &keys, effect, execute).await?;
        Ok(results.and_then(|results| {
            let size = size_of::<Vec<RedisResult>>() + results.iter().map(size).sum::<usize>();
            Budget::new().spend(size).map(|()| results).map_err(Error::of)
        }))
    }
}

fn counted(count: &u32) -> Effect {
    if *count == 0 { Effect::Nothing } else { Effect::Commit }
}

impl Error {
    fn of(failure: Failure) -> Self {
        Self::Other(failure.to_string())
    }
}

/// The operation that a command is counted as.
fn operation(command: &str) -> Operation {
    let reads = ["GET", "MGET", "EVAL_RO", "EVALSHA_RO", "EXISTS", "STRLEN", "PING", "SMEMBERS", "WAIT"];
    if reads.iter().any(|read| command.eq_ignore_ascii_case(read)) { Operation::Select } else { Operation::Change }
}

/// The keys among the arguments of a command, of those that a store of records uses.
fn keys(command: &str, arguments: &[RedisParameter]) -> Vec<String> {
    let texts = arguments.iter().map(|argument| match argument {
        RedisParameter::Int64(number) => number.to_string(),
        RedisParameter::Binary(bytes) => String::from_utf8_lossy(bytes).into_owned(),
    });
    let mut texts = texts.fuse();
    match command.to_ascii_uppercase().as_str() {
        "GET" | "SET" => texts.take(1).collect(),
        "MGET" | "DEL" => texts.collect(),
        "MSET" => texts.step_by(2).collect(),
        "EVAL" | "EVAL_RO" => {
            let count = texts.nth(1).and_then(|count| count.parse().ok()).unwrap_or(0);
            texts.take(count).collect()
        }
        _ => Vec::new(),
    }
}

/// The answer to any command as a component gets it: the elements of lists one after another.
struct Results(Vec<RedisResult>);

impl FromRedisValue for Results {
    fn from_redis_value(value: &Value) -> redis::RedisResult<Self> {
        let mut results = Vec::new();
        append(&mut results, value)?;
        Ok(Self(results))
    }
}

fn append(results: &mut Vec<RedisResult>, value: &Value) -> redis::RedisResult<()> {
    let unsupported = |what: &'static str| {
        Err((ErrorKind::TypeError, "Could not convert Redis response", format!("Redis {what} not supported")).into())
    };
    results.push(match value {
        Value::Nil => RedisResult::Nil,
        Value::Int(number) => RedisResult::Int64(*number),
        Value::Boolean(truth) => RedisResult::Int64(i64::from(*truth)),
        Value::BulkString(bytes) => RedisResult::Binary(bytes.clone()),
        Value::SimpleString(text) => RedisResult::Status(text.clone()),
        Value::Okay => RedisResult::Status("OK".to_owned()),
        Value::Double(number) => RedisResult::Binary(number.to_string().into_bytes()),
        Value::BigNumber(number) => RedisResult::Binary(number.to_string().into_bytes()),
        Value::Array(values) | Value::Set(values) => return values.iter().try_for_each(|value| append(results, value)),
        Value::Map(_) => return unsupported("Map type is"),
        Value::Attribute { .. } => return unsupported("Attribute type is"),
        Value::VerbatimString { .. } => return unsupported("string with format attribute is"),
        Value::Push { .. } => return unsupported("Pub/Sub types are"),
        Value::ServerError(error) => {
            return Err((ErrorKind::ResponseError, "Server error", format!("{error:?}")).into());
        }
    });
    Ok(())
}

fn size(result: &RedisResult) -> usize {
    size_of::<RedisResult>()
        + match result {
            RedisResult::Nil | RedisResult::Int64(_) => 0,
            RedisResult::Binary(bytes) => bytes.len(),
            RedisResult::Status(text) => text.len(),
        }
}
