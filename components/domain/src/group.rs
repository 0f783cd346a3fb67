//! Requests that are done together.
//!
//! A store takes as long for one commit of many orders as for one of a single order. So requests that arrive within a
//! moment in one instance of a component form a group: the first of them leads, waits a moment for company where company
//! is to be expected, does the work of all in a few calls, and hands each its answer. Whoever comes while a group is at work
//! is in the next one. Who is alone does not wait.
//!
//! A host that has many requests at once starts an instance for each that finds no other ready, and then gives each
//! instance its turn: left alone, they would never meet. So an instance in which there is no company, although the store is
//! busy with others, says that it is [apart](Group::should_shed_load), and is to take no more requests: they go where the
//! others are.
//!
//! This is only about who does the work. What the work is, and that a request which cannot be done in company fails or goes
//! on by itself, is up to the one who brings it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use crate::environment::Environment;

/// The most requests that are done together: as many as an instance serves at once in Spin 4.1.
const MAX: usize = 16;

/// The most weight that is done together. A group must not ask so much of the store that it is refused what each of its
/// requests by itself is granted: Spin reads up to 128 MiB in one call, and a record has up to 1 MB.
const MAX_WEIGHT: usize = 100;

/// How long the first leader of an instance waits, which does not know yet whether there is company.
const AT_FIRST: Duration = Duration::from_micros(300);

/// How long a leader waits where there was company before.
const A_MOMENT: Duration = Duration::from_micros(1500);

/// Whoever is at work for longer than this has stood in line for the store: others are there, in other instances.
const CROWDED: Duration = Duration::from_millis(4);

/// So many in a group are few where it is crowded.
const FEW: usize = 2;

/// Work that can be done in company.
pub(crate) trait Work {
    /// The records that it asks for, in the order of magnitude.
    fn weight(&self) -> usize;
}

/// The requests of one kind in one instance.
#[derive(Debug)]
pub(crate) struct Group<W, A> {
    queue: RefCell<VecDeque<(W, Rc<Seat<A>>)>>,
    /// Whether somebody is waiting for company or at work.
    led: Cell<bool>,
    /// How long the next leader waits for company.
    patience: Cell<Duration>,
    /// Whether there were few in the last group although others stood in line for the store.
    apart: Cell<bool>,
}

/// Where a request waits for its answer.
#[derive(Debug)]
struct Seat<A>(RefCell<State<A>>);

#[derive(Debug)]
enum State<A> {
    /// In the queue.
    Waiting,
    /// Somebody is at work on it.
    InHand,
    /// It is done.
    Done(A),
    /// Whoever was at work on it has stopped. What was done is unknown.
    Lost,
}

impl<W, A> Default for Group<W, A> {
    fn default() -> Self {
        Self {
            queue: RefCell::default(),
            led: Cell::new(false),
            patience: Cell::new(AT_FIRST),
            apart: Cell::new(false),
        }
    }
}

impl<W: Work, A> Group<W, A> {
    /// Has `own` done, in company or alone, and answers with what became of it; nothing where that is unknown, since
    /// the request that led the group has been stopped.
    ///
    /// `work` does what it is given and answers each, in that order.
    pub(crate) async fn join<E: Environment>(
        &self,
        environment: &E,
        own: W,
        work: impl AsyncFn(Vec<W>) -> Vec<A>,
    ) -> Option<A> {
        let seat = Rc::new(Seat(RefCell::new(State::Waiting)));
        self.queue.borrow_mut().push_back((own, seat.clone()));
        loop {
            if self.led.get() {
                environment.wait_until(|| !seat.is_waiting() || !self.led.get()).await;
            }
            match seat.take() {
                Some(State::Done(answer)) => return Some(answer),
                Some(_) => return None,
                None => self.lead(environment, &work).await,
            }
        }
    }

    /// Whether requests that come here would have more company elsewhere.
    pub(crate) fn should_shed_load(&self) -> bool {
        self.apart.get()
    }

    /// Waits for company where that is to be expected, and does what is in the queue, as much as goes together.
    async fn lead<E: Environment>(&self, environment: &E, work: &impl AsyncFn(Vec<W>) -> Vec<A>) {
        let mut lead = Lead::take(self);
        environment.linger(self.patience.get()).await;
        let jobs = lead.begin();
        let (count, begun) = (jobs.len(), environment.monotonic());
        let answers = work(jobs).await;
        let took = environment.monotonic().saturating_sub(begun);
        self.patience.set(if count > 1 { A_MOMENT } else { Duration::ZERO });
        self.apart.set(count <= FEW && took > CROWDED);
        lead.end(answers);
    }
}

impl<A> Seat<A> {
    fn is_waiting(&self) -> bool {
        matches!(*self.0.borrow(), State::Waiting | State::InHand)
    }

    fn set(&self, state: State<A>) {
        self.0.replace(state);
    }

    /// How it ended, if it has.
    fn take(&self) -> Option<State<A>> {
        (!self.is_waiting()).then(|| self.0.replace(State::Lost))
    }
}

/// The lead of a group. Whoever drops it, by being stopped in the middle, leaves it to another.
struct Lead<'a, W, A> {
    group: &'a Group<W, A>,
    in_hand: Vec<Rc<Seat<A>>>,
}

impl<'a, W: Work, A> Lead<'a, W, A> {
    fn take(group: &'a Group<W, A>) -> Self {
        group.led.set(true);
        Self { group, in_hand: Vec::new() }
    }

    /// Takes from the queue what is done together.
    fn begin(&mut self) -> Vec<W> {
        let mut queue = self.group.queue.borrow_mut();
        let (mut jobs, mut weight) = (Vec::new(), 0_usize);
        while let Some((job, _)) = queue.front() {
            weight = weight.saturating_add(job.weight());
            if !jobs.is_empty() && (jobs.len() >= MAX || weight > MAX_WEIGHT) {
                break;
            }
            if let Some((job, seat)) = queue.pop_front() {
                seat.set(State::InHand);
                jobs.push(job);
                self.in_hand.push(seat);
            }
        }
        jobs
    }

    fn end(mut self, answers: Vec<A>) {
        for (seat, answer) in std::mem::take(&mut self.in_hand).into_iter().zip(answers) {
            seat.set(State::Done(answer));
        }
    }
}

impl<W, A> Drop for Lead<'_, W, A> {
    fn drop(&mut self) {
        self.in_hand.iter().for_each(|seat| seat.set(State::Lost));
        self.group.led.set(false);
    }
}
