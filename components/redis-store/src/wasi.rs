//! The connection of the host.

use domain::StoreError;
use spin_sdk::redis::{Connection, Error, RedisParameter, RedisResult};

use crate::{Answer, Redis, failure};

/// A Redis, through Spin's outbound Redis.
///
/// Spin 4.1 keeps one TCP connection for each connection of a component, a `MultiplexedConnection` of the crate `redis`
/// (`establish_connection` and `open` in `crates/factor-outbound-redis/src/host.rs`). It never reconnects: after an
/// error every command fails until the component opens another. So a write and the `WAIT` that follows reach the same
/// Redis over the same connection, or fail.
pub struct SpinRedis {
    url: String,
}

impl SpinRedis {
    /// The Redis with this URL.
    pub fn new(url: String) -> Self {
        Self { url }
    }
}

impl Redis for SpinRedis {
    type Connection = Connection;

    async fn open(&self) -> Result<Connection, StoreError> {
        Connection::open(&self.url).await.map_err(unavailable)
    }

    async fn execute(
        &self,
        connection: &Connection,
        command: &str,
        arguments: Vec<Vec<u8>>,
    ) -> Result<Vec<Answer>, StoreError> {
        let arguments = arguments.into_iter().map(RedisParameter::Binary);
        let results = connection.execute(command, arguments).await.map_err(unavailable)?;
        Ok(results.into_iter().map(Into::into).collect())
    }
}

impl From<RedisResult> for Answer {
    fn from(result: RedisResult) -> Self {
        match result {
            RedisResult::Nil => Self::Nil,
            RedisResult::Status(_) => Self::Status,
            RedisResult::Int64(number) => Self::Number(number),
            RedisResult::Binary(value) => Self::Value(value),
        }
    }
}

fn unavailable(error: Error) -> StoreError {
    StoreError::Unavailable(match error {
        Error::InvalidAddress => "the address of the Redis is invalid or not in allowed_outbound_hosts".to_owned(),
        Error::TooManyConnections => "there are too many connections to the Redis".to_owned(),
        Error::TypeError => "Redis has answered with a value of another type".to_owned(),
        Error::Other(message) => return failure(message),
    })
}
