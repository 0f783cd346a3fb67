//! What the requests of an instance share: one connection, and how much of what came over it the replicas have.
//!
//! With replicas, an answer of the primary is not enough: data that no replica has is lost when the primary dies. Redis
//! replicates its writes as one ordered stream. So a write that the replicas have confirms all writes before it, and
//! with that all reads before it. This module keeps the moments of reads and writes, to tell what a write has
//! confirmed.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

use domain::{Environment, StoreError};

use crate::Answer;

/// Where connections come from. A component uses [`crate::SpinRedis`]. A test that wants to see what happens between
/// two commands uses another.
#[allow(async_fn_in_trait, reason = "a component has one thread, so the futures need not be Send")]
pub trait Redis {
    /// A connection. A broken one stays broken: one that reconnects by itself would let a `WAIT` pass over another
    /// connection than that of its write.
    type Connection;

    /// Connects.
    async fn open(&self) -> Result<Self::Connection, StoreError>;

    /// Executes a command. Answers with what Redis answers, a list as its elements.
    async fn execute(
        &self,
        connection: &Self::Connection,
        command: &str,
        arguments: Vec<Vec<u8>>,
    ) -> Result<Vec<Answer>, StoreError>;
}

/// A point in the life of an instance. Each is later than those before; none is 0.
pub(crate) type Moment = u64;

/// A connection that a request uses for one command or several.
pub(crate) struct Held<C> {
    pub(crate) connection: C,
    /// When it was last read from.
    read: Cell<Moment>,
    /// The replicas have all that was read over it before this moment.
    confirmed: Cell<Moment>,
}

/// What the requests of an instance share: a connection, which the first command opens. It carries the commands of all
/// requests one after another, and none waits for the answer to the one before.
pub struct Shared<R: Redis> {
    pub(crate) redis: R,
    current: RefCell<Option<Rc<Held<R::Connection>>>>,
    opening: Cell<bool>,
    latest: Cell<Moment>,
    /// When the last write ended of which it is unknown whether the replicas have it.
    doubted: Cell<Moment>,
    /// The replicas have all that was written before this moment.
    cleared: Cell<Moment>,
    /// When the last read happened that can no longer be confirmed, since its connection is gone.
    lost: Cell<Moment>,
    pub(crate) fences: Fences,
}

impl<R: Redis> fmt::Debug for Shared<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared")
    }
}

impl<R: Redis> Shared<R> {
    /// The shared state of an instance that has not connected yet.
    pub fn new(redis: R) -> Self {
        Self {
            redis,
            current: RefCell::default(),
            opening: Cell::default(),
            latest: Cell::default(),
            doubted: Cell::default(),
            cleared: Cell::default(),
            lost: Cell::default(),
            fences: Fences::default(),
        }
    }

    /// The shared connection. Opens it if there is none.
    pub(crate) async fn take(&self, environment: &impl Environment) -> Result<Rc<Held<R::Connection>>, StoreError> {
        // Requests that come while it is opened wait for it instead of opening more.
        environment.wait_until(|| !self.opening.get()).await;
        if let Some(current) = self.current.borrow().clone() {
            return Ok(current);
        }
        let _opening = Flag::raise(&self.opening);
        let connection = self.redis.open().await?;
        let held = Held { connection, read: Cell::default(), confirmed: Cell::default() };
        Ok(self.current.borrow_mut().insert(Rc::new(held)).clone())
    }

    /// Lets the next command open another connection, if this one, which may be broken, is the shared one. A request
    /// that uses it keeps it.
    pub(crate) fn reconnect(&self, held: &Rc<Held<R::Connection>>) {
        if self.is_current(held) {
            self.current.borrow_mut().take();
            if held.read.get() > held.confirmed.get() {
                self.lost.set(self.lost.get().max(held.read.get()));
            }
        }
    }

    fn is_current(&self, held: &Rc<Held<R::Connection>>) -> bool {
        self.current.borrow().as_ref().is_some_and(|current| Rc::ptr_eq(current, held))
    }

    /// A new moment.
    pub(crate) fn now(&self) -> Moment {
        self.latest.set(self.latest.get().saturating_add(1));
        self.latest.get()
    }

    /// Records a read over this connection.
    pub(crate) fn has_read(&self, held: &Rc<Held<R::Connection>>) {
        held.read.set(self.now());
        if !self.is_current(held) {
            self.lost.set(held.read.get());
        }
    }

    /// Records that the replicas have what was written over this connection by a command that began then.
    pub(crate) fn has_written(&self, held: &Held<R::Connection>, began: Moment) {
        held.confirmed.set(held.confirmed.get().max(began));
        self.cleared.set(self.cleared.get().max(began));
    }

    /// Records that the replicas may not have what was written.
    pub(crate) fn doubt(&self) {
        self.doubted.set(self.now());
    }

    /// Whether something was written that the replicas may not have.
    pub(crate) fn is_in_doubt(&self) -> bool {
        self.doubted.get() > self.cleared.get()
    }

    /// Whether any request has read or written something that the replicas may not have. It covers all requests, since
    /// those that are served together answer from each other's reads.
    pub(crate) fn is_unconfirmed(&self) -> bool {
        let read = self.current.borrow().as_ref().is_some_and(|held| held.read.get() > held.confirmed.get());
        read || self.is_in_doubt()
    }

    /// Whether something that was read since then can no longer be confirmed. The Redis at the address may now be a
    /// promoted replica that has never had it.
    pub(crate) fn has_lost_since(&self, moment: Moment) -> bool {
        self.lost.get() > moment
    }
}

/// Marks an operation as under way. Dropping it clears the mark, also when the operation is cancelled.
pub(crate) struct Flag<'a>(&'a Cell<bool>);

impl<'a> Flag<'a> {
    pub(crate) fn raise(flag: &'a Cell<bool>) -> Self {
        flag.set(true);
        Self(flag)
    }
}

impl Drop for Flag<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

/// The small writes that confirm the reads and writes before them. One runs at a time, and all requests that wait share
/// the next one.
#[derive(Default)]
pub(crate) struct Fences {
    begun: Cell<u64>,
    under_way: Cell<bool>,
    /// The number of the last one that ended, and its outcome.
    ended: RefCell<(u64, Option<StoreError>)>,
}

impl Fences {
    /// The number of the next one.
    pub(crate) fn next(&self) -> u64 {
        self.begun.get().saturating_add(1)
    }

    pub(crate) fn is_under_way(&self) -> bool {
        self.under_way.get()
    }

    /// The outcome of the last one, if it has this number or a later one.
    pub(crate) fn outcome(&self, number: u64) -> Option<Result<(), StoreError>> {
        let ended = self.ended.borrow();
        (ended.0 >= number).then(|| ended.1.clone().map_or(Ok(()), Err))
    }

    /// Begins the next one. It is under way until the flag is dropped.
    pub(crate) fn begin(&self) -> (u64, Flag<'_>) {
        self.begun.set(self.next());
        (self.begun.get(), Flag::raise(&self.under_way))
    }

    /// Records the outcome of the one with this number.
    pub(crate) fn end(&self, number: u64, outcome: &Result<(), StoreError>) {
        self.ended.replace((number, outcome.clone().err()));
    }
}
