//! The connection as the host has it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use domain::{Environment, StoreError};
use spin_sdk::redis::{Connection, Error, RedisParameter, RedisResult};

use crate::{Answer, Redis};

/// An instance's connection to a Redis, opened by the first command. The commands of all its requests go through it, one
/// behind the other, none waiting for the answer to the one before.
pub struct Wasi<E> {
    url: String,
    environment: E,
    connection: RefCell<Option<Rc<Connection>>>,
    opening: Cell<bool>,
}

impl<E: Environment> Wasi<E> {
    /// A connection to the Redis with this URL.
    pub fn new(url: String, environment: E) -> Self {
        Self { url, environment, connection: RefCell::default(), opening: Cell::default() }
    }

    async fn connection(&self) -> Result<Rc<Connection>, StoreError> {
        // One for all who come while it is opened, and not one for each.
        self.environment.until(|| !self.opening.get()).await;
        if let Some(connection) = self.connection.borrow().clone() {
            return Ok(connection);
        }
        let _opening = Opening::start(&self.opening);
        let opened = Connection::open(&self.url).await.map_err(unavailable)?;
        Ok(self.connection.borrow_mut().insert(Rc::new(opened)).clone())
    }
}

/// That a connection is being opened. Ends with whoever opens it, also if that one has waited for too long.
struct Opening<'a>(&'a Cell<bool>);

impl<'a> Opening<'a> {
    fn start(opening: &'a Cell<bool>) -> Self {
        opening.set(true);
        Self(opening)
    }
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

impl<E: Environment> Redis for Rc<Wasi<E>> {
    async fn execute(&self, command: &str, arguments: Vec<Vec<u8>>) -> Result<Vec<Answer>, StoreError> {
        let connection = self.connection().await?;
        let arguments = arguments.into_iter().map(RedisParameter::Binary);
        let results = connection.execute(command, arguments).await.map_err(unavailable)?;
        Ok(results.into_iter().map(Into::into).collect())
    }

    fn give_up(&self) {
        self.connection.borrow_mut().take();
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
        Error::InvalidAddress => "the address of the Redis is none, or not one of allowed_outbound_hosts".to_owned(),
        Error::TooManyConnections => "there are too many connections to the Redis".to_owned(),
        Error::TypeError => "Redis has answered with a value of another type".to_owned(),
        Error::Other(message) => message,
    })
}
