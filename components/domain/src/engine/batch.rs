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
//! This file decides who does the work. What the work is, and that a request which cannot be done in a batch fails or
//! goes on by itself, is up to its caller.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use crate::environment::Environment;
use crate::model::limits::Limits;

/// How long the first leader of an instance lingers, before any batch size is known.
const INITIAL_LINGER: Duration = Duration::from_micros(300);

/// How long a leader lingers after a batch of several requests.
const LINGER: Duration = Duration::from_micros(1500);

/// A batch that takes longer than this has queued for the store behind other instances.
const BUSY_AFTER: Duration = Duration::from_millis(4);

/// A batch of at most this many requests is small.
const SMALL_BATCH: usize = 2;

/// Work that can be done in a batch.
pub(crate) trait Batchable {
    /// The records that it reads, in the order of magnitude. A batch must not ask so much of the store that it is
    /// refused what each of its requests by itself is granted.
    fn cost(&self) -> usize;
}

/// The requests of one kind in one instance.
#[derive(Debug)]
pub(crate) struct Batcher<W, A> {
    queue: RefCell<VecDeque<(W, Rc<Ticket<A>>)>>,
    /// Whether a leader lingers or works.
    busy: Cell<bool>,
    /// How long the next leader lingers.
    linger: Cell<Duration>,
    /// Whether the last batch was small although it queued for the store.
    underfilled: Cell<bool>,
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
        }
    }
}

impl<W: Batchable, A> Batcher<W, A> {
    /// Has `own` done, in a batch or alone, and answers with its result; none where that is unknown, since the request
    /// that led the batch was stopped.
    ///
    /// `work` does what it is given and answers each, in that sequence.
    pub(crate) async fn submit<E: Environment>(
        &self,
        environment: &E,
        limits: Limits,
        own: W,
        work: impl AsyncFn(Vec<W>) -> Vec<A>,
    ) -> Option<A> {
        let ticket = Rc::new(Ticket(RefCell::new(State::Waiting)));
        self.queue.borrow_mut().push_back((own, ticket.clone()));
        loop {
            if self.busy.get() {
                environment.wait_until(|| !ticket.is_waiting() || !self.busy.get()).await;
            }
            match ticket.take() {
                Some(State::Done(answer)) => return Some(answer),
                Some(_) => return None,
                None => self.run_batch(environment, limits, &work).await,
            }
        }
    }

    /// Whether requests that come here would find larger batches in another instance.
    pub(crate) fn should_shed_load(&self) -> bool {
        self.underfilled.get()
    }

    /// Lingers where others are to be expected, and does what is in the queue, as much as goes together.
    async fn run_batch<E: Environment>(&self, environment: &E, limits: Limits, work: &impl AsyncFn(Vec<W>) -> Vec<A>) {
        let mut guard = BatchGuard::take(self);
        environment.linger(self.linger.get()).await;
        let jobs = guard.begin(limits);
        let (count, begun) = (jobs.len(), environment.monotonic());
        let answers = work(jobs).await;
        let took = environment.monotonic().saturating_sub(begun);
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

    /// Takes from the queue what is done together.
    fn begin(&mut self, limits: Limits) -> Vec<W> {
        let mut queue = self.batcher.queue.borrow_mut();
        let (mut jobs, mut cost) = (Vec::new(), 0_usize);
        while let Some((job, _)) = queue.front() {
            cost = cost.saturating_add(job.cost());
            if !jobs.is_empty() && (jobs.len() >= limits.requests_per_batch || cost > limits.records_per_read) {
                break;
            }
            if let Some((job, ticket)) = queue.pop_front() {
                ticket.set(State::Running);
                jobs.push(job);
                self.running.push(ticket);
            }
        }
        jobs
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
