//! The states of one instance with its requests, each of which is made once in a search.
//!
//! A future cannot be copied. But what a step does follows from the state of its instance and from what the step sees
//! of the store and the clock. So each step is taken once for all that it can see, and is played from then on. Where a
//! state is left in another way than before, its futures are made anew and led there by what their steps saw.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::Hasher;
use std::ops::Range;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::database::{Database, hash};
use crate::request::{Answer, Request, Rules, perform};
use crate::store::{Caller, Instance, Next, Progress, Shared, Tape, Turn};

/// A request as an instance gets it.
#[derive(Clone, Debug)]
pub struct Task {
    pub number: usize,
    pub request: Request,
    pub rules: Rules,
    /// Whether its server's clock is behind.
    pub behind: bool,
}

/// An instance as it is started.
#[derive(Debug)]
pub struct Plan {
    pub tasks: Vec<Rc<Task>>,
    /// Whether it serves more than one request.
    pub shared: bool,
    /// The numbers that it has for its orders.
    pub numbers: Option<Range<u64>>,
}

/// A step of one instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Action {
    /// All its requests come to their first call.
    Start,
    /// The next call of the request that is in this place.
    Call(usize, Turn),
}

/// A request of an instance in one state, as seen from outside.
#[derive(Clone)]
pub struct Job {
    pub task: Rc<Task>,
    pub next: Next,
    /// Whether it has had its first turn.
    pub begun: bool,
    pub answer: Option<Answer>,
}

impl Job {
    /// Whether another request does its work, and is not done.
    pub fn waits(&self) -> bool {
        self.answer.is_none() && self.next == Next::Others
    }
}

/// The ways in which a step goes: each with what it saw and did, and where it led.
type Outcomes = Vec<(Tape, Rc<State>)>;

/// One state of an instance.
pub struct State {
    plan: Rc<Plan>,
    /// What tells the plan from every other.
    plan_fingerprint: u128,
    jobs: Vec<Job>,
    /// The first step that led here, with what it saw.
    origin: Option<(Rc<State>, Action, Tape)>,
    fingerprint: u128,
    /// What tells its answers from those of other states.
    answers: u128,
    /// The steps from here that were taken.
    taken: RefCell<HashMap<Action, Outcomes>>,
}

impl State {
    /// Before the start.
    fn unborn(plan: Plan, fingerprint: u128) -> Self {
        let job = |task: &Rc<Task>| Job { task: task.clone(), next: Next::Step, begun: false, answer: None };
        Self {
            jobs: plan.tasks.iter().map(job).collect(),
            plan: Rc::new(plan),
            plan_fingerprint: fingerprint,
            answers: 0,
            origin: None,
            fingerprint,
            taken: RefCell::default(),
        }
    }

    pub fn jobs(&self) -> &[Job] {
        &self.jobs
    }

    /// What tells its answers from those of other states.
    pub fn answers(&self) -> u128 {
        self.answers
    }

    /// What tells this state from every other of the search.
    pub fn fingerprint(&self) -> u128 {
        self.fingerprint
    }
}

/// All states of instances that a search has come to.
#[derive(Default)]
pub struct States {
    pub shared: Rc<Shared>,
    unborn: RefCell<HashMap<u128, Rc<State>>>,
    known: RefCell<HashMap<u128, Rc<State>>>,
    /// The futures of each plan, in the state to which the last step led them.
    live: RefCell<HashMap<u128, (u128, Live)>>,
}

impl States {
    /// Starts an instance.
    pub fn start(&self, plan: Plan, database: &mut Database) -> Rc<State> {
        let fingerprint = hash(format!("{plan:?}"));
        let mut unborn = self.unborn.borrow_mut();
        let unborn = unborn.entry(fingerprint).or_insert_with(|| Rc::new(State::unborn(plan, fingerprint))).clone();
        self.act(&unborn, Action::Start, database)
    }

    /// Makes the next call of the request in this place.
    pub fn call(&self, state: &Rc<State>, place: usize, turn: Turn, database: &mut Database) -> Rc<State> {
        self.act(state, Action::Call(place, turn), database)
    }

    fn act(&self, state: &Rc<State>, action: Action, database: &mut Database) -> Rc<State> {
        let is_logged = self.shared.log.borrow().is_some();
        if let Some(taken) = state.taken.borrow().get(&action).filter(|_| !is_logged)
            && let Some((_, next)) = taken.iter().find(|(tape, _)| tape.play(database))
        {
            return next.clone();
        }
        let live = self.live.borrow_mut().remove(&state.plan_fingerprint);
        let live = live.filter(|(is_in, _)| *is_in == state.fingerprint).map(|(_, live)| live);
        let mut live = live.unwrap_or_else(|| self.lead_to(state));
        let tape = self.shared.during(database, || live.act(action));
        let fingerprint = hash((state.plan_fingerprint, live.fingerprint()));
        let mut known = self.known.borrow_mut();
        let next = known.entry(fingerprint).or_insert_with(|| {
            let jobs = live.jobs();
            Rc::new(State {
                plan: state.plan.clone(),
                plan_fingerprint: state.plan_fingerprint,
                answers: answers(&jobs),
                jobs,
                origin: Some((state.clone(), action, tape.clone())),
                fingerprint,
                taken: RefCell::default(),
            })
        });
        self.live.borrow_mut().insert(state.plan_fingerprint, (fingerprint, live));
        state.taken.borrow_mut().entry(action).or_default().push((tape, next.clone()));
        next.clone()
    }

    /// The futures of a state, made anew.
    fn lead_to(&self, state: &State) -> Live {
        let Some((before, action, tape)) = &state.origin else { return Live::new(&state.plan, &self.shared) };
        let mut live = self.lead_to(before);
        let log = self.shared.log.take();
        self.shared.during(&mut tape.database(), || live.act(*action));
        self.shared.log.replace(log);
        live
    }
}

// States lead to each other in both directions.
impl Drop for States {
    fn drop(&mut self) {
        let (unborn, known) = (self.unborn.get_mut(), self.known.get_mut());
        unborn.values().chain(known.values()).for_each(|state| state.taken.borrow_mut().clear());
    }
}

fn answers(jobs: &[Job]) -> u128 {
    let answers = jobs.iter().filter_map(|job| Some((job.task.number, format!("{:?}", job.answer.as_ref()?))));
    hash(answers.collect::<Vec<_>>())
}

/// An instance with the futures of its requests.
struct Live {
    instance: Rc<Instance>,
    requests: Vec<Running>,
}

struct Running {
    task: Rc<Task>,
    progress: Rc<Progress>,
    future: Pin<Box<dyn Future<Output = Answer>>>,
    begun: bool,
    answer: Option<Answer>,
}

impl Live {
    fn new(plan: &Plan, shared: &Rc<Shared>) -> Self {
        let instance = Rc::new(Instance::new(plan.shared, plan.numbers.clone()));
        let request = |task: &Rc<Task>| {
            let progress = Rc::new(Progress::of(task.number, task.behind));
            let caller = Caller { shared: shared.clone(), instance: instance.clone(), progress: progress.clone() };
            let future = Box::pin(perform(task.request.clone(), task.rules, caller));
            Running { task: task.clone(), progress, future, begun: false, answer: None }
        };
        Self { requests: plan.tasks.iter().map(request).collect(), instance }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Start => self.requests.iter_mut().for_each(Running::poll),
            Action::Call(place, turn) => {
                let request = &mut self.requests[place];
                request.begun = true;
                if self.instance.shared {
                    self.instance.history.borrow_mut().write_usize(request.task.number);
                }
                request.progress.turn.set(Some(turn));
                request.poll();
                // Those that waited for this one go on.
                let waits =
                    |request: &&mut Running| request.answer.is_none() && request.progress.next.get() == Next::Others;
                self.requests.iter_mut().filter(waits).for_each(Running::poll);
            }
        }
    }

    fn jobs(&self) -> Vec<Job> {
        let job = |request: &Running| Job {
            task: request.task.clone(),
            next: request.progress.next.get(),
            begun: request.begun,
            answer: request.answer.clone(),
        };
        self.requests.iter().map(job).collect()
    }

    fn fingerprint(&self) -> impl std::hash::Hash {
        let requests = self.requests.iter().map(|request| (request.progress.fingerprint(), request.begun));
        (requests.collect::<Vec<_>>(), self.instance.history.borrow().finish())
    }
}

impl Running {
    fn poll(&mut self) {
        if let Poll::Ready(answer) = self.future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            self.answer = Some(answer);
        }
    }
}
