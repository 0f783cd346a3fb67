//! Requests that are done together: group commit.
//!
//! A store takes as long for one commit of many orders as for one of a single order. So requests that arrive within a
//! moment in one instance of a component form a batch. The first of them leads: it lingers where others are to be
//! expected, does the work of all in a few calls, and hands each its answer. A request that comes while a batch runs is
//! in the next one. A lone request is not delayed.
//!
//! A host that has many requests at once starts an instance for each that finds no other ready, and then gives each
//! instance its turn. Spread like that, requests would never form a batch. So an instance whose batches are small
//! although the store is busy asks to be [spared](Batcher::should_shed_load): the host then routes requests to fuller
//! instances.
//!
//! Where more is asked for than the store can do, a request that cannot be begun in time is refused, before anything is
//! written for it. So the others are answered in time, and what comes to nothing costs one read.
//!
//! This file decides who does the work. What the work is, and that a request which cannot be done in a batch fails or
//! goes on by itself, is up to its caller.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use crate::environment::Environment;
use crate::error::Error;
use crate::model::limits::Limits;

/// How long the first leader of an instance lingers, before any batch size is known.
const INITIAL_LINGER: Duration = Duration::from_micros(300);

/// How long a leader lingers after a batch of several requests.
const LINGER: Duration = Duration::from_micros(1500);

/// A batch that takes longer than this has queued for the store behind other instances.
const BUSY_AFTER: Duration = Duration::from_millis(4);

/// A batch of at most this many requests is small.
const SMALL_BATCH: usize = 2;

/// For how long an instance takes no requests that can be refused, once a batch has waited too long for the store.
const RELIEF: Duration = Duration::from_millis(250);

/// When the requests of a batch came.
pub(crate) struct Batch {
    arrived: Vec<Duration>,
    patience: Duration,
}

impl Batch {
    /// For each request whether it has waited too long to be done. To be asked once the first records are read, which is
    /// where a request waits for the store, and before anything is written.
    pub(crate) fn too_late(&self, now: Duration) -> Vec<bool> {
        self.arrived.iter().map(|arrived| self.is_late(*arrived, now)).collect()
    }

    fn is_late(&self, arrived: Duration, now: Duration) -> bool {
        now.saturating_sub(arrived) > self.patience
    }
}

/// Work that can be done in a batch.
pub(crate) trait Batchable {
    /// How long a request may wait before it is begun.
    fn patience(limits: Limits) -> Duration;

    /// The records that it reads, in the order of magnitude. A batch must not ask so much of the store that it is
    /// refused what each of its requests by itself is granted.
    fn cost(&self) -> usize;
}

/// The requests of one kind in one instance.
#[derive(Debug)]
pub(crate) struct Batcher<W, A> {
    queue: RefCell<VecDeque<Job<W, A>>>,
    /// Whether a leader lingers or works.
    busy: Cell<bool>,
    /// How long the next leader lingers.
    linger: Cell<Duration>,
    /// Whether the last batch was small although it queued for the store.
    underfilled: Cell<bool>,
    /// Until when new requests are refused, by the monotonic clock.
    refuses_until: Cell<Duration>,
}

/// A request in the queue.
#[derive(Debug)]
struct Job<W, A> {
    work: W,
    arrived: Duration,
    ticket: Rc<Ticket<A>>,
}

/// Where a request waits for its answer.
#[derive(Debug)]
struct Ticket<A>(RefCell<State<A>>);

#[derive(Debug)]
enum State<A> {
    /// In the queue.
    Waiting,
    /// Part of the batch that runs.
    Running,
    /// Answered.
    Done(A),
    /// It was not begun in time, and nothing was done for it.
    Refused,
    /// The leader was stopped. What it had done is unknown.
    Abandoned,
}

impl<W, A> Default for Batcher<W, A> {
    fn default() -> Self {
        Self {
            queue: RefCell::default(),
            busy: Cell::new(false),
            linger: Cell::new(INITIAL_LINGER),
            underfilled: Cell::new(false),
            refuses_until: Cell::new(Duration::ZERO),
        }
    }
}

impl<W: Batchable, A> Batcher<W, A> {
    /// Has `own` done, in a batch or alone, and answers with its result.
    ///
    /// `work` does what it is given and answers each, in that sequence.
    ///
    /// # Errors
    /// [`Error::Overloaded`] where too many requests wait, or this one has waited for too long: nothing was done.
    /// [`Error::Abandoned`] where the result is unknown, since the request that led the batch was stopped.
    pub(crate) async fn submit<E: Environment>(
        &self,
        environment: &E,
        limits: Limits,
        (own, arrived): (W, Duration),
        work: impl AsyncFn(Vec<W>, Batch) -> Vec<A>,
    ) -> Result<A, Error> {
        let relieved = self.refuses_until.get().is_zero() || environment.monotonic() >= self.refuses_until.get();
        if !relieved || self.queue.borrow().len() >= limits.queued_requests {
            return Err(Error::Overloaded);
        }
        let ticket = Rc::new(Ticket(RefCell::new(State::Waiting)));
        self.queue.borrow_mut().push_back(Job { work: own, arrived, ticket: ticket.clone() });
        loop {
            if self.busy.get() {
                environment.wait_until(|| !ticket.is_waiting() || !self.busy.get()).await;
            }
            match ticket.take() {
                Some(State::Done(answer)) => return Ok(answer),
                Some(State::Refused) => return Err(Error::Overloaded),
                Some(_) => return Err(Error::Abandoned),
                None => self.run_batch(environment, limits, &work).await,
            }
        }
    }

    /// Whether requests that come here would find larger batches in another instance.
    pub(crate) fn should_shed_load(&self) -> bool {
        self.underfilled.get()
    }

    /// Lingers where others are to be expected, and does what is in the queue, as much as goes together.
    async fn run_batch<E: Environment>(
        &self,
        environment: &E,
        limits: Limits,
        work: &impl AsyncFn(Vec<W>, Batch) -> Vec<A>,
    ) {
        let mut guard = BatchGuard::take(self);
        environment.linger(self.linger.get()).await;
        let begun = environment.monotonic();
        let (jobs, batch) = guard.begin(limits, begun);
        let count = jobs.len();
        if count == 0 {
            return;
        }
        let answers = work(jobs, batch).await;
        let ended = environment.monotonic();
        let took = ended.saturating_sub(begun);
        let relief = if took > W::patience(limits) { ended.saturating_add(RELIEF) } else { Duration::ZERO };
        self.refuses_until.set(relief);
        self.linger.set(if count > 1 { LINGER } else { Duration::ZERO });
        self.underfilled.set(count <= SMALL_BATCH && took > BUSY_AFTER);
        guard.end(answers);
    }
}

impl<A> Ticket<A> {
    fn is_waiting(&self) -> bool {
        matches!(*self.0.borrow(), State::Waiting | State::Running)
    }

    fn set(&self, state: State<A>) {
        self.0.replace(state);
    }

    /// How it ended, if it has.
    fn take(&self) -> Option<State<A>> {
        (!self.is_waiting()).then(|| self.0.replace(State::Abandoned))
    }
}

/// The right to lead. A leader that is stopped in the middle drops it, and another request leads.
struct BatchGuard<'a, W, A> {
    batcher: &'a Batcher<W, A>,
    running: Vec<Rc<Ticket<A>>>,
}

impl<'a, W: Batchable, A> BatchGuard<'a, W, A> {
    fn take(batcher: &'a Batcher<W, A>) -> Self {
        batcher.busy.set(true);
        Self { batcher, running: Vec::new() }
    }

    /// Takes from the queue what is done together, and refuses what has waited for too long.
    fn begin(&mut self, limits: Limits, now: Duration) -> (Vec<W>, Batch) {
        let mut queue = self.batcher.queue.borrow_mut();
        let mut batch = Batch { arrived: Vec::new(), patience: W::patience(limits) };
        let (mut jobs, mut cost) = (Vec::new(), 0_usize);
        while let Some(job) = queue.front() {
            let next = cost.saturating_add(job.work.cost());
            if !jobs.is_empty() && (jobs.len() >= limits.requests_per_batch || next > limits.records_per_read) {
                break;
            }
            let Some(Job { work, arrived, ticket }) = queue.pop_front() else { break };
            // What no request waits for any more is not done.
            if batch.is_late(arrived, now) || Rc::strong_count(&ticket) == 1 {
                ticket.set(State::Refused);
                continue;
            }
            cost = next;
            ticket.set(State::Running);
            jobs.push(work);
            batch.arrived.push(arrived);
            self.running.push(ticket);
        }
        (jobs, batch)
    }

    fn end(mut self, answers: Vec<A>) {
        for (ticket, answer) in std::mem::take(&mut self.running).into_iter().zip(answers) {
            ticket.set(State::Done(answer));
        }
    }
}

impl<W, A> Drop for BatchGuard<'_, W, A> {
    fn drop(&mut self) {
        self.running.iter().for_each(|ticket| ticket.set(State::Abandoned));
        self.batcher.busy.set(false);
    }
}
