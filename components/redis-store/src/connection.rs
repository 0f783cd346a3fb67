//! What the requests of an instance share: one connection, and how far what came over it can be relied on.
//!
//! With replicas, an answer of the primary is not enough: what no replica has is lost when the primary dies. Redis hands
//! its writes on as one ordered stream. So a write that the replicas have shows that they have all that was written
//! before it, and with that all that was read before it. What is kept here are the moments of reads and writes, to tell
//! what a write has confirmed.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

use domain::{Environment, StoreError};

use crate::Answer;

/// Where connections come from. A component's own is [`crate::SpinRedis`]; a test that wants to see what happens between two
/// commands brings another.
#[allow(async_fn_in_trait, reason = "a component has one thread, so the futures need not be Send")]
pub trait Redis {
    /// A connection. Once it is broken it stays so: one that connects again by itself would let a `WAIT` pass that comes
    /// after its write, but over another connection.
    type Connection;

    /// Connects.
    async fn open(&self) -> Result<Self::Connection, StoreError>;

    /// Does a command; answers with what Redis does, the elements of a list one by one.
    async fn execute(
        &self,
        connection: &Self::Connection,
        command: &str,
        arguments: Vec<Vec<u8>>,
    ) -> Result<Vec<Answer>, StoreError>;
}

/// A point in the life of an instance. Each is later than those before; none is 0.
pub(crate) type Moment = u64;

/// A connection that a request has in hand, for one command or several.
pub(crate) struct Held<C> {
    pub(crate) connection: C,
    /// When something was read over it last.
    read: Cell<Moment>,
    /// Whatever was read over it before this moment, the replicas have.
    confirmed: Cell<Moment>,
}

/// What the requests of an instance share: a connection, opened by the first command. The commands of all requests go
/// through it, one behind the other, none waiting for the answer to the one before.
pub struct Shared<R: Redis> {
    pub(crate) redis: R,
    current: RefCell<Option<Rc<Held<R::Connection>>>>,
    opening: Cell<bool>,
    latest: Cell<Moment>,
    /// When a write ended last of which it is not known whether the replicas have it.
    doubted: Cell<Moment>,
    /// Whatever was written before this moment, the replicas have.
    cleared: Cell<Moment>,
    /// When something was read last that can no longer be confirmed: the connection is gone.
    lost: Cell<Moment>,
    pub(crate) fences: Fences,
}

impl<R: Redis> fmt::Debug for Shared<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared")
    }
}

impl<R: Redis> Shared<R> {
    /// What the requests of an instance share that has not connected yet.
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

    /// The connection of all, opened if there is none.
    pub(crate) async fn take(&self, environment: &impl Environment) -> Result<Rc<Held<R::Connection>>, StoreError> {
        // One for all who come while it is opened, and not one for each.
        environment.wait_until(|| !self.opening.get()).await;
        if let Some(current) = self.current.borrow().clone() {
            return Ok(current);
        }
        let _opening = Flag::raise(&self.opening);
        let connection = self.redis.open().await?;
        let held = Held { connection, read: Cell::default(), confirmed: Cell::default() };
        Ok(self.current.borrow_mut().insert(Rc::new(held)).clone())
    }

    /// Takes another connection for the next command, if this one still is the one of all: it may be broken. A request that has
    /// it in hand keeps it.
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

    /// Notes that something was read over this connection.
    pub(crate) fn has_read(&self, held: &Rc<Held<R::Connection>>) {
        held.read.set(self.now());
        if !self.is_current(held) {
            self.lost.set(held.read.get());
        }
    }

    /// Notes that the replicas have what was written over this connection, by a command that began then.
    pub(crate) fn has_written(&self, held: &Held<R::Connection>, began: Moment) {
        held.confirmed.set(held.confirmed.get().max(began));
        self.cleared.set(self.cleared.get().max(began));
    }

    /// Notes that the replicas may not have what was written.
    pub(crate) fn doubt(&self) {
        self.doubted.set(self.now());
    }

    /// Whether something was written that the replicas may not have.
    pub(crate) fn is_in_doubt(&self) -> bool {
        self.doubted.get() > self.cleared.get()
    }

    /// Whether something was read or written, by any request, that the replicas may not have. Requests that are done
    /// together tell what one of them has read for all.
    pub(crate) fn is_unconfirmed(&self) -> bool {
        let read = self.current.borrow().as_ref().is_some_and(|held| held.read.get() > held.confirmed.get());
        read || self.is_in_doubt()
    }

    /// Whether something that was read since then can no longer be confirmed. What is at the address now may be another
    /// Redis, one that was promoted, which has never had it.
    pub(crate) fn has_lost_since(&self, moment: Moment) -> bool {
        self.lost.get() > moment
    }
}

/// Says that something is under way. Ends with it, also if it is stopped in the middle.
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

/// The small writes that confirm what was read and written before them. One at a time: all requests that wait for one
/// have the next in common.
#[derive(Default)]
pub(crate) struct Fences {
    begun: Cell<u64>,
    under_way: Cell<bool>,
    /// The number of the one that ended last, and how.
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

    /// How one ended that began as the one with this number or later, if one has.
    pub(crate) fn outcome(&self, number: u64) -> Option<Result<(), StoreError>> {
        let ended = self.ended.borrow();
        (ended.0 >= number).then(|| ended.1.clone().map_or(Ok(()), Err))
    }

    /// Begins the next one, which is under way as long as the flag is up.
    pub(crate) fn begin(&self) -> (u64, Flag<'_>) {
        self.begun.set(self.next());
        (self.begun.get(), Flag::raise(&self.under_way))
    }

    /// Notes how the one with this number ended.
    pub(crate) fn end(&self, number: u64, outcome: &Result<(), StoreError>) {
        self.ended.replace((number, outcome.clone().err()));
    }
}
