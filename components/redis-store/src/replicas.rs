//! Commands, and how their answers are confirmed where a Redis has replicas.
//!
//! `WAIT` counts the replicas that have what was written over *its own connection*; over another it passes at once. So
//! a write and its `WAIT` use one connection, whatever other requests do meanwhile.

use std::pin::pin;
use std::rc::Rc;

use domain::{Environment, StoreError};
use futures::future::{Either, select};

use crate::connection::{Held, Redis, Shared};
use crate::{Answer, REPLICATION_TIMEOUT, RedisStore, TIMEOUT, text};

/// Writes the record of a fence: one without content. Replicas that have it have all writes before it.
const FENCE: [&[u8]; 3] = [b"#!lua flags=allow-oom\nreturn redis.call('SET', KEYS[1], '0')", b"1", b"fence"];

/// Why a command has no answer. Whether it was executed is unknown.
pub(crate) enum CommandError {
    /// It was refused, or the connection is broken.
    Failed(StoreError),
    /// No answer to this command came in time.
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

/// Records a doubt when it is dropped, unless it was settled. So a request that is cancelled in a write leaves one too.
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
    /// Executes a command that only reads, a second time after a failure. Every request begins with a read, so the read
    /// is what finds a connection that broke earlier, for example when Redis was restarted.
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

    /// Executes a command that writes, and waits for the replicas.
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

    /// Confirms a read while it is unknown whether the replicas have an earlier write: the read may have returned it.
    async fn is_believed(&self) -> Result<(), StoreError> {
        if self.replicas == 0 {
            return Ok(());
        }
        self.goes_on()?;
        if self.shared.is_in_doubt() { self.fence().await } else { Ok(()) }
    }

    /// Refuses to go on if the connection is gone over which the request has read. The Redis at the address may be
    /// another one by now, so the next write would not confirm the earlier reads.
    fn goes_on(&self) -> Result<(), StoreError> {
        if self.replicas > 0 && self.shared.has_lost_since(self.began) {
            let message = "the connection to Redis was lost, and with it what this request had read";
            return Err(StoreError::Unavailable(message.to_owned()));
        }
        Ok(())
    }

    /// Writes a fence and waits until the replicas have it, and with it all writes before it. Requests that need one at
    /// the same time share it.
    async fn fence(&self) -> Result<(), StoreError> {
        let fences = &self.shared.fences;
        // A fence that is under way may have begun before the write that this one has to confirm.
        let wanted = fences.next();
        loop {
            self.environment.wait_until(|| !fences.is_under_way()).await;
            if let Some(outcome) = fences.outcome(wanted) {
                outcome?;
                return self.goes_on();
            }
            if !fences.is_under_way() {
                let (number, _under_way) = fences.begin();
                let done = self.write_and_wait("EVAL", FENCE.map(<[u8]>::to_vec).to_vec()).await.map(drop);
                fences.end(number, &done);
            }
        }
    }

    /// Executes a command that writes. If it has written, waits for the replicas over the same connection.
    async fn write_and_wait(&self, command: &str, arguments: Vec<Vec<u8>>) -> Result<(Vec<Answer>, bool), StoreError> {
        let held = self.take().await?;
        if self.replicas == 0 {
            return Ok((self.execute(&held, command, arguments).await?, true));
        }
        let began = self.shared.now();
        let doubt = Doubt(Some(&*self.shared));
        let answers = self.execute(&held, command, arguments).await?;
        if matches!(answers.as_slice(), [Answer::Nil | Answer::Number(0), ..]) {
            // Nothing was written, so there is nothing to wait for. But the answer tells what is there: it is a read.
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

    /// Executes a command on this connection, within [`TIMEOUT`].
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
