//! What all requests share: the state, the clock, the faults, and the record of what was asked.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::fs::File;
use std::io::{self, Write};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;
use url::Url;

use crate::faults::Operation;
use crate::objects::{Delivery, Event};
use crate::state::State;
use crate::webhooks::Retries;

/// As many requests are kept in memory. All are in the record, if there is one.
const KEPT: usize = 1_000;

/// A request of the API, and what it was answered.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Recorded {
    /// The call, if it is one.
    pub operation: Option<Operation>,
    /// The method.
    pub method: String,
    /// The path.
    pub path: String,
    /// The query, as it came.
    pub query: String,
    /// The body, as it came.
    pub body: String,
    /// The headers that say how it is to be done, by name in lower case. None is secret.
    pub headers: BTreeMap<String, String>,
    /// The status of the answer, as it was made. The faults say whether it arrived so.
    pub status: Option<u16>,
    /// The answer, likewise.
    pub answer: Value,
    /// The faults that struck it, by name.
    pub faults: Vec<String>,
}

struct Record {
    file: Option<File>,
    requests: VecDeque<Recorded>,
}

/// What all requests share.
pub(crate) struct Shared {
    state: Mutex<State>,
    /// The idempotency keys of requests that are not answered yet.
    in_flight: Mutex<HashSet<String>>,
    /// Where webhooks go.
    webhook_url: watch::Sender<Option<Url>>,
    /// What webhooks are signed with.
    webhook_secrets: Mutex<Vec<String>>,
    record: Mutex<Record>,
    /// How far the clock is ahead of the machine's, in seconds.
    ahead: AtomicI64,
    outbox: UnboundedSender<Event>,
    pub(crate) secret_key: String,
    pub(crate) base: String,
    pub(crate) retries: Retries,
    pub(crate) settle_after: i64,
    verbose: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A key is in use as long as this lives.
#[derive(Debug)]
pub(crate) struct InFlight<'a>(&'a Mutex<HashSet<String>>, String);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        lock(self.0).remove(&self.1);
    }
}

/// What [`Shared`] is made of.
pub(crate) struct Parts {
    pub(crate) state: State,
    pub(crate) webhook_url: Option<Url>,
    pub(crate) webhook_secrets: Vec<String>,
    pub(crate) outbox: UnboundedSender<Event>,
    pub(crate) record: Option<File>,
    pub(crate) secret_key: String,
    pub(crate) base: String,
    pub(crate) retries: Retries,
    pub(crate) settle_after: Duration,
    pub(crate) verbose: bool,
}

impl Shared {
    pub(crate) fn new(parts: Parts) -> Self {
        Self {
            state: Mutex::new(parts.state),
            in_flight: Mutex::default(),
            webhook_url: watch::Sender::new(parts.webhook_url),
            webhook_secrets: Mutex::new(parts.webhook_secrets),
            record: Mutex::new(Record { file: parts.record, requests: VecDeque::new() }),
            ahead: AtomicI64::new(0),
            outbox: parts.outbox,
            secret_key: parts.secret_key,
            base: parts.base,
            retries: parts.retries,
            settle_after: i64::try_from(parts.settle_after.as_secs()).unwrap_or(i64::MAX / 2),
            verbose: parts.verbose,
        }
    }

    /// The time of day, in seconds.
    pub(crate) fn now(&self) -> i64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        i64::try_from(now).unwrap_or(i64::MAX).saturating_add(self.ahead.load(Ordering::Relaxed))
    }

    pub(crate) fn set_ahead(&self, ahead: Duration) {
        self.ahead.store(i64::try_from(ahead.as_secs()).unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    /// Reads the state, as it is now.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&lock(&self.state))
    }

    /// Changes the state. What is changed is on file when this ends. Of the events that it causes, those that have to
    /// be delivered before anything is answered are handed back; the others are on their way.
    pub(crate) fn transact<T>(&self, change: impl FnOnce(&mut State, i64) -> T) -> io::Result<(T, Vec<Event>)> {
        let now = self.now();
        let mut state = lock(&self.state);
        state.pass(now);
        let done = change(&mut state, now);
        let caused = state.commit()?;
        let events = caused.iter().filter_map(|id| state.events.get(id));
        let pending = events.filter(|event| event.delivery == Delivery::Pending).cloned();
        let (early, others): (Vec<_>, Vec<_>) = pending.partition(|event| event.early);
        others.into_iter().for_each(|event| self.post(event));
        Ok((done, early))
    }

    /// Changes the state where no answer waits for it.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut State, i64) -> T) -> io::Result<T> {
        let (done, early) = self.transact(change)?;
        early.into_iter().for_each(|event| self.post(event));
        Ok(done)
    }

    /// Sends an event on its way.
    pub(crate) fn post(&self, event: Event) {
        // The receiver is gone when the threads are.
        _ = self.outbox.send(event);
    }

    /// Takes a key for a request, unless another request has it.
    pub(crate) fn take_key(&self, key: &str) -> Option<InFlight<'_>> {
        let free = lock(&self.in_flight).insert(key.to_owned());
        free.then(|| InFlight(&self.in_flight, key.to_owned()))
    }

    /// Where webhooks go, and whether that changes.
    pub(crate) fn webhook_url(&self) -> watch::Receiver<Option<Url>> {
        self.webhook_url.subscribe()
    }

    pub(crate) fn set_webhook_url(&self, url: Option<Url>) {
        self.webhook_url.send_replace(url);
    }

    pub(crate) fn webhook_secrets(&self) -> Vec<String> {
        lock(&self.webhook_secrets).clone()
    }

    pub(crate) fn set_webhook_secrets(&self, secrets: Vec<String>) {
        *lock(&self.webhook_secrets) = secrets;
    }

    /// Sends what is still to be delivered.
    pub(crate) fn post_undelivered(&self) {
        let undelivered = self.read(State::undelivered);
        undelivered.into_iter().for_each(|event| self.post(event));
    }

    pub(crate) fn record(&self, request: Recorded) {
        if self.verbose {
            let Recorded { method, path, status, faults, .. } = &request;
            let status = status.map_or("no answer".to_owned(), |status| status.to_string());
            say(&format!("{method} {path} {status} {}", faults.join(" ")));
        }
        let mut record = lock(&self.record);
        if let (Some(file), Ok(mut line)) = (&mut record.file, serde_json::to_vec(&request)) {
            line.push(b'\n');
            if let Err(error) = file.write_all(&line) {
                eprintln!("warning: the record cannot be written: {error}");
            }
        }
        if record.requests.len() == KEPT {
            record.requests.pop_front();
        }
        record.requests.push_back(request);
    }

    pub(crate) fn requests(&self) -> Vec<Recorded> {
        lock(&self.record).requests.iter().cloned().collect()
    }

    pub(crate) fn log_delivery(&self, id: &str, status: &io::Result<u16>) {
        if self.verbose {
            match status {
                Ok(status) => say(&format!("webhook {id} {status}")),
                Err(error) => say(&format!("webhook {id} {error}")),
            }
        }
    }
}

fn say(line: &str) {
    // An error says that the reader has closed the output and does not need the text.
    _ = writeln!(io::stdout(), "{}", line.trim_end());
}
