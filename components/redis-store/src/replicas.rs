//! Commands, and what it takes to rely on their answers where a Redis has replicas.
//!
//! `WAIT` says how many replicas have what was written over *its own connection*; over another, it passes at once. So a
//! write and its `WAIT` go over one connection, whatever other requests do meanwhile.

use std::pin::pin;
use std::rc::Rc;

use domain::{Environment, StoreError};
use futures::future::{Either, select};

use crate::connection::{Held, Redis, Shared};
use crate::{Answer, REPLICATION_TIMEOUT, RedisStore, TIMEOUT, text};

/// The record of a fence: a write that says nothing, and that the replicas have only if they have all before it.
const FENCE: [&[u8]; 2] = [b"fence", b"0"];

/// Why a command has no answer. Whether it was done is unknown.
pub(crate) enum CommandError {
    /// It was refused, or the connection is broken.
    Failed(StoreError),
    /// None came to this command.
    Timeout(String),
}

impl From<CommandError> for StoreError {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::Failed(error) => error,
            CommandError::Timeout(command) => {
                Self::Unavailable(format!("Redis has not answered {command} for {} seconds", TIMEOUT.as_secs()))
            }
        }
    }
}

/// Leaves doubt behind, unless it is settled before: also where a request is stopped in the middle of a write.
struct Doubt<'a, R: Redis>(Option<&'a Shared<R>>);

impl<R: Redis> Doubt<'_, R> {
    fn settle(mut self) {
        self.0.take();
    }
}

impl<R: Redis> Drop for Doubt<'_, R> {
    fn drop(&mut self) {
        if let Some(shared) = self.0 {
            shared.doubt();
        }
    }
}

impl<R: Redis, E: Environment> RedisStore<R, E> {
    /// Does a command that only reads. Every request begins with one: it is the one to find out that a connection was
    /// broken a while ago, by a Redis that was started again, say.
    pub(crate) async fn read_with_retry(
        &self,
        command: &str,
        arguments: Vec<Vec<u8>>,
    ) -> Result<Vec<Answer>, StoreError> {
        let read = match self.read_once(command, arguments.clone()).await {
            Err(CommandError::Failed(_)) => self.read_once(command, arguments).await,
            read => read,
        };
        let answers = read?;
        self.is_believed().await?;
        Ok(answers)
    }

    async fn read_once(&self, command: &str, arguments: Vec<Vec<u8>>) -> Result<Vec<Answer>, CommandError> {
        self.goes_on().map_err(CommandError::Failed)?;
        let held = self.take().await?;
        let answers = self.execute(&held, command, arguments).await?;
        if self.replicas > 0 {
            self.shared.has_read(&held);
        }
        Ok(answers)
    }

    /// Does a command that writes, and waits for the replicas.
    pub(crate) async fn write(&self, command: &str, arguments: Vec<Vec<u8>>) -> Result<Vec<Answer>, StoreError> {
        self.goes_on()?;
        let (answers, has_written) = self.write_and_wait(command, arguments).await?;
        if !has_written {
            self.is_believed().await?;
        }
        Ok(answers)
    }

    /// Makes sure that the replicas have all that this instance has read so far.
    pub(crate) async fn confirm_reads(&self) -> Result<(), StoreError> {
        if self.replicas == 0 {
            return Ok(());
        }
        self.goes_on()?;
        if self.shared.is_unconfirmed() { self.fence().await } else { Ok(()) }
    }

    /// Nothing that is read is believed while it is in doubt whether the replicas have what was written: what is read may
    /// be just that.
    async fn is_believed(&self) -> Result<(), StoreError> {
        if self.replicas == 0 {
            return Ok(());
        }
        self.goes_on()?;
        if self.shared.is_in_doubt() { self.fence().await } else { Ok(()) }
    }

    /// A request goes by what it has read. It must not go on where that came over a connection that is gone: the Redis at
    /// the address may be another one by now, and the next write would confirm nothing of what was read before.
    fn goes_on(&self) -> Result<(), StoreError> {
        if self.replicas > 0 && self.shared.has_lost_since(self.began) {
            let message = "the connection to Redis was lost, and with it what this request had read";
            return Err(StoreError::Unavailable(message.to_owned()));
        }
        Ok(())
    }

    /// Writes a record of no meaning and waits until the replicas have it, and with it all that was there before. Requests
    /// that want that at once share one.
    async fn fence(&self) -> Result<(), StoreError> {
        let fences = &self.shared.fences;
        // One that is under way may have begun before what is to be confirmed was there.
        let wanted = fences.next();
        loop {
            self.environment.wait_until(|| !fences.is_under_way()).await;
            if let Some(outcome) = fences.outcome(wanted) {
                outcome?;
                return self.goes_on();
            }
            if !fences.is_under_way() {
                let (number, _under_way) = fences.begin();
                let done = self.write_and_wait("SET", FENCE.map(<[u8]>::to_vec).to_vec()).await.map(drop);
                fences.end(number, &done);
            }
        }
    }

    /// Does a command that writes; and where it has, waits for the replicas, over the same connection.
    async fn write_and_wait(&self, command: &str, arguments: Vec<Vec<u8>>) -> Result<(Vec<Answer>, bool), StoreError> {
        let held = self.take().await?;
        if self.replicas == 0 {
            return Ok((self.execute(&held, command, arguments).await?, true));
        }
        let began = self.shared.now();
        let doubt = Doubt(Some(&*self.shared));
        let answers = self.execute(&held, command, arguments).await?;
        if matches!(answers.as_slice(), [Answer::Nil | Answer::Number(0)]) {
            // Nothing was written, so there is nothing to wait for, but something was seen.
            doubt.settle();
            self.shared.has_read(&held);
            return Ok((answers, false));
        }
        let wait = vec![text(self.replicas), text(REPLICATION_TIMEOUT.as_millis())];
        let waited = self.execute(&held, "WAIT", wait).await?;
        if !matches!(waited.as_slice(), [Answer::Number(count)] if *count >= i64::from(self.replicas)) {
            let message = format!("{command} has not reached {} replicas: {waited:?}", self.replicas);
            return Err(StoreError::Unavailable(message));
        }
        doubt.settle();
        self.shared.has_written(&held, began);
        Ok((answers, true))
    }

    /// The connection, within [`TIMEOUT`].
    async fn take(&self) -> Result<Rc<Held<R::Connection>>, CommandError> {
        self.within(self.shared.take(&self.environment), "a new connection").await
    }

    /// Does a command on this connection, within [`TIMEOUT`].
    async fn execute(
        &self,
        held: &Rc<Held<R::Connection>>,
        command: &str,
        arguments: Vec<Vec<u8>>,
    ) -> Result<Vec<Answer>, CommandError> {
        let done = self.within(self.shared.redis.execute(&held.connection, command, arguments), command).await;
        if done.is_err() {
            self.shared.reconnect(held);
        }
        done
    }

    async fn within<T>(
        &self,
        done: impl Future<Output = Result<T, StoreError>>,
        what: &str,
    ) -> Result<T, CommandError> {
        match select(pin!(done), pin!(self.environment.sleep(TIMEOUT))).await {
            Either::Left((done, _)) => done.map_err(CommandError::Failed),
            Either::Right(_) => Err(CommandError::Timeout(what.to_owned())),
        }
    }
}
