//! Requests that run on one store, a step at a time.

use std::fmt::Display;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use domain::OrderId;
use records::Item;
use uuid::Uuid;

use crate::record::{Order, Payment, Record};
use crate::request::{Answer, Level, Name, Request, Rules, WINDOW, first_order, perform};
use crate::store::{Caller, Instance, Next, Progress, START, Shared, Turn, private};

/// How a search begins, and how far it may go.
#[derive(Clone, Debug)]
pub struct Case {
    pub rules: Rules,
    /// Items that are there, and what is on hand of them.
    pub stock: Vec<(Name, u64)>,
    /// What is asked for at once.
    pub requests: Vec<Request>,
    /// Those of them that one instance serves; each of the others has an instance of its own.
    pub together: Vec<usize>,
    /// Whether instances have to take numbers for their orders, as at their beginning.
    pub cold: bool,
    /// Those whose servers' clocks are behind: for them nothing expires.
    pub behind: Vec<usize>,
    /// What comes before the search: up to this number of calls of this request, then of that one.
    pub before: Vec<(usize, usize)>,
    /// Whether requests that come before have the shipped limits: those of a version that knew no others.
    pub before_limits: bool,
    pub faults: Faults,
}

/// How many steps of the rare kinds a run may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Faults {
    /// Requests that stop for ever.
    pub crashes: usize,
    /// Calls that fail, made or not.
    pub errors: usize,
    /// Times that the clock passes the expiry of all orders.
    pub expiries: usize,
    /// Times that a replica takes the place of the store. It has only what was confirmed.
    pub failovers: usize,
}

impl Case {
    /// Whether a request reads the list of orders.
    fn lists(&self) -> bool {
        self.requests.contains(&Request::List)
    }
}

impl Level {
    /// Where a record is kept that was there before all requests.
    fn place(self, shared: &Shared, name: &str) -> String {
        if self == Level::Domain {
            return name.to_owned();
        }
        shared.write(format!("{name}~"), 1_u64.to_le_bytes().to_vec());
        format!("{name}~{:016x}", 1)
    }
}

/// What can happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The next call of this request.
    Call(usize, Turn),
    /// This request stops for ever.
    Crash(usize),
    /// The clock passes the expiry of all orders.
    Expire,
    /// A replica takes the place of the store.
    FailOver,
}

enum Running {
    Yes(Pin<Box<dyn Future<Output = Answer>>>),
    Done(Answer),
    Crashed,
}

struct Job {
    request: Request,
    instance: Rc<Instance>,
    progress: Rc<Progress>,
    running: Running,
    /// Whether it has had its first turn.
    begun: bool,
}

impl Job {
    /// Whether another request does its work, and is not done.
    fn waits(&self) -> bool {
        matches!(self.running, Running::Yes(_)) && self.progress.next.get() == Next::Others
    }
}

/// One state of a search.
pub struct World {
    shared: Rc<Shared>,
    rules: Rules,
    jobs: Vec<Job>,
    faults: Faults,
    cold: bool,
    behind: Vec<usize>,
    /// How many numbers an instance has for its orders.
    stride: u64,
}

impl World {
    /// Where a case begins.
    pub fn new(case: &Case) -> Self {
        Self::with_log(case, None)
    }

    /// As [`Self::new`], and writes down what happens.
    pub fn logged(case: &Case) -> Self {
        Self::with_log(case, Some(Vec::new()))
    }

    fn with_log(case: &Case, log: Option<Vec<String>>) -> Self {
        let shared = Rc::new(Shared::default());
        shared.now.set(START);
        shared.log.replace(log);
        for (item, on_hand) in &case.stock {
            // To the byte as the rules write it: states that come back are to be seen as such.
            let record = Item { on_hand: *on_hand, unit_price: 1, ..Item::default() };
            shared.write(case.rules.level.place(&shared, &format!("inventory:{item}")), record.encode());
        }
        if !case.stock.is_empty() {
            let catalog = serde_json::json!({ "items": case.stock.iter().map(|(item, _)| item).collect::<Vec<_>>() });
            shared.write(case.rules.level.place(&shared, "catalog"), catalog.to_string().into_bytes());
        }
        // Few where they are listed: then they are read in one call.
        let stride = if case.lists() { 8 } else { 1000 };
        if case.lists() {
            let ledger = serde_json::json!({ "id": "here", "next": 10 * stride, "by": "" });
            shared.write(case.rules.level.place(&shared, "ledger"), ledger.to_string().into_bytes());
        }
        if case.faults.failovers > 0 {
            shared.replicate();
        }
        let (rules, behind) = (case.rules, case.behind.clone());
        let mut world = Self { shared, rules, cold: case.cold, jobs: Vec::new(), faults: case.faults, behind, stride };
        let shared = Rc::new(Instance::new(true, (!case.cold).then_some(0..world.stride)));
        for (number, request) in case.requests.iter().enumerate() {
            let instance = if case.together.contains(&number) { shared.clone() } else { world.instance() };
            let earlier = case.before_limits && case.before.iter().any(|(before, _)| *before == number);
            let rules = if earlier { Rules::of(case.rules.level) } else { case.rules };
            world.start(request.clone(), instance, rules);
        }
        for (request, calls) in &case.before {
            for _ in 0..*calls {
                if world.running().any(|running| running == *request) {
                    world.take(Step::Call(*request, Turn::Made));
                }
            }
        }
        world
    }

    /// An instance for the next request.
    fn instance(&self) -> Rc<Instance> {
        Rc::new(Instance::new(false, self.numbers()))
    }

    /// Numbers that nobody has before the next request comes.
    fn numbers(&self) -> Option<Range<u64>> {
        let first = self.stride * (1 + self.jobs.len() as u64);
        (!self.cold).then_some(first..first + self.stride)
    }

    fn start(&mut self, request: Request, instance: Rc<Instance>, rules: Rules) {
        let number = self.jobs.len();
        let progress = Rc::new(Progress::of(number, self.behind.contains(&number)));
        let caller = Caller { shared: self.shared.clone(), instance: instance.clone(), progress: progress.clone() };
        let running = Running::Yes(Box::pin(perform(request.clone(), rules, caller)));
        self.jobs.push(Job { request, instance, progress, running, begun: false });
        self.poll(number);
    }

    /// Lets the requests go on that waited for this one.
    fn wake(&mut self, number: usize) {
        let instance = self.jobs[number].instance.clone();
        let waits = |job: &Job| job.waits() && Rc::ptr_eq(&job.instance, &instance);
        for number in (0..self.jobs.len()).filter(|_| instance.shared) {
            if waits(&self.jobs[number]) {
                self.poll(number);
            }
        }
    }

    fn poll(&mut self, number: usize) {
        let running = &mut self.jobs[number].running;
        let Running::Yes(future) = running else { panic!("request {number} has ended") };
        if let Poll::Ready(answer) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            *running = Running::Done(answer);
        }
    }

    /// The requests that can go on.
    pub fn running(&self) -> impl Iterator<Item = usize> {
        let jobs = self.jobs.iter().enumerate();
        let jobs = jobs.filter(|(_, job)| matches!(job.running, Running::Yes(_)) && !job.waits());
        jobs.filter(|(_, job)| job.begun || self.can_know(&job.request)).map(|(number, _)| number)
    }

    /// Whether this can be asked for already: an order is not known before it is there. From then on it is in the list
    /// of orders, also one that is withdrawn later because another request has placed one under its key before.
    fn can_know(&self, request: &Request) -> bool {
        let (Request::Pay(of) | Request::Cancel(of) | Request::Show(of)) = request else { return true };
        let order = first_order(*of);
        self.payment(order, |_| ()).is_some()
    }

    /// The ways in which the next call of a request can go wrong.
    pub fn errors(&self, number: usize) -> &'static [Turn] {
        match (self.faults.errors, self.jobs[number].progress.next.get()) {
            (0, _) | (_, Next::Step | Next::Others) => &[],
            (_, Next::Read) => &[Turn::Failed],
            (_, Next::Write) => &[Turn::Failed, Turn::Unheard],
        }
    }

    /// All that can happen next.
    pub fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        for number in self.running() {
            steps.push(Step::Call(number, Turn::Made));
            steps.extend(self.errors(number).iter().map(|turn| Step::Call(number, *turn)));
            if self.faults.crashes > 0 {
                steps.push(Step::Crash(number));
            }
        }
        if self.faults.expiries > 0 && !steps.is_empty() {
            steps.push(Step::Expire);
        }
        // Also when all is done: what was told then has to be there.
        if self.faults.failovers > 0 {
            steps.push(Step::FailOver);
        }
        steps
    }

    /// Lets it happen.
    pub fn take(&mut self, step: Step) {
        match step {
            Step::Call(number, turn) => {
                if turn != Turn::Made {
                    self.faults.errors -= 1;
                }
                let job = &mut self.jobs[number];
                job.begun = true;
                if job.instance.shared {
                    number.hash(&mut *job.instance.history.borrow_mut());
                }
                job.progress.turn.set(Some(turn));
                self.poll(number);
                self.wake(number);
            }
            Step::Crash(number) => {
                self.faults.crashes -= 1;
                let instance = self.jobs[number].instance.clone();
                for (number, job) in self.jobs.iter_mut().enumerate() {
                    if Rc::ptr_eq(&job.instance, &instance) && matches!(job.running, Running::Yes(_)) {
                        self.shared.note(|| format!("#{number} stops for ever"));
                        job.running = Running::Crashed;
                    }
                }
            }
            Step::Expire => {
                self.faults.expiries -= 1;
                self.expire();
            }
            Step::FailOver => {
                self.faults.failovers -= 1;
                self.shared.note(|| "a replica takes the place of the store".to_owned());
                self.shared.fail_over();
            }
        }
    }

    pub fn faults(&self) -> Faults {
        self.faults
    }

    /// Lets the clock pass the expiry of all orders.
    pub fn expire(&self) {
        self.shared.note(|| "the clock passes the expiry of all orders".to_owned());
        let window = u64::try_from(WINDOW.as_millis()).expect("it is short");
        self.shared.now.set(self.shared.now.get() + window + 1);
    }

    /// Runs one more request to its end, with nothing in between.
    pub fn run(&mut self, request: Request) -> Answer {
        self.start(request, self.instance(), self.rules);
        let number = self.jobs.len() - 1;
        loop {
            match &self.jobs[number].running {
                Running::Yes(_) => self.take(Step::Call(number, Turn::Made)),
                Running::Done(answer) => return answer.clone(),
                Running::Crashed => unreachable!("nobody stopped it"),
            }
        }
    }

    /// What tells this state from every other: two states that are alike here go on alike.
    pub fn fingerprint(&self) -> u128 {
        let half = |salt: u64| {
            let mut hash = DefaultHasher::new();
            salt.hash(&mut hash);
            self.faults.hash(&mut hash);
            self.shared.now.get().hash(&mut hash);
            (self.shared.lag(), self.shared.failovers.get()).hash(&mut hash);
            // What nobody reads here makes no difference.
            let records = self.shared.records.borrow();
            for (name, stored) in records.iter().filter(|(name, _)| !private(name)) {
                (name, &stored.bytes).hash(&mut hash);
            }
            for job in &self.jobs {
                matches!(job.running, Running::Crashed).hash(&mut hash);
                job.progress.history.borrow().finish().hash(&mut hash);
                job.instance.history.borrow().finish().hash(&mut hash);
            }
            u128::from(hash.finish())
        };
        half(1) << 64 | half(2)
    }

    /// Grows whenever there may be something new to check.
    pub fn events(&self) -> (u64, usize) {
        (self.shared.writes.get(), self.running().count())
    }

    /// All requests, with the answers of those that have one.
    pub fn requests(&self) -> impl Iterator<Item = (usize, &Request, Option<&Answer>)> {
        self.jobs.iter().enumerate().map(|(number, job)| {
            let answer = match &job.running {
                Running::Done(answer) => Some(answer),
                Running::Yes(_) | Running::Crashed => None,
            };
            (number, &job.request, answer)
        })
    }

    /// Hands over the record of this item, if it is there.
    pub fn item<T>(&self, name: &str, look: impl FnOnce(&Item) -> T) -> Option<T> {
        let key = match self.rules.level {
            Level::Domain => format!("inventory:{name}"),
            Level::KeyValue => self.record(&format!("inventory:{name}~"), |record| match record {
                Record::Cell(token @ 1..) => Some(format!("inventory:{name}~{token:016x}")),
                _ => None,
            })??,
        };
        self.record(&key, |record| if let Record::Item(item) = record { Some(look(item)) } else { None })?
    }

    /// Hands over the payment of this order, if it is there.
    pub fn payment<T>(&self, order: impl Display, look: impl FnOnce(&Payment) -> T) -> Option<T> {
        let key = format!("payment:{order}");
        self.record(&key, |record| if let Record::Payment(payment) = record { Some(look(payment)) } else { None })?
    }

    fn record<T>(&self, key: &str, look: impl FnOnce(&Record) -> T) -> Option<T> {
        self.shared.records.borrow().get(key).map(|stored| look(stored.record(key)))
    }

    /// The orders that the list of orders has, as often as it has them.
    pub fn listed(&self) -> Vec<Uuid> {
        let records = self.shared.records.borrow();
        let listed = records.range("placed:".to_owned().."placed;".to_owned());
        listed
            .flat_map(|(_, stored)| serde_json::from_slice::<Vec<Uuid>>(&stored.bytes).expect("it is a list"))
            .collect()
    }

    /// Shows every order there is.
    pub fn each_order(&self, mut look: impl FnMut(&Order)) {
        for (key, stored) in self.shared.records.borrow().range("order:".to_owned().."order;".to_owned()) {
            if let Record::Order(order) = stored.record(key) {
                look(order);
            }
        }
    }

    /// Whether a replica has taken the place of the store.
    pub fn has_failed_over(&self) -> bool {
        self.shared.failovers.get() > 0
    }

    /// Whether a key stands for another order than this one, which was placed under it.
    pub fn mapped_to_another(&self, order: OrderId) -> bool {
        let order = format!("\"{order}\"").into_bytes();
        let records = self.shared.records.borrow();
        records.range("idempotency:".to_owned().."idempotency;".to_owned()).any(|(_, stored)| stored.bytes != order)
    }

    /// Whether a mapping, which never changes, was replaced by another.
    pub fn mapping_changed(&self) -> bool {
        self.shared.mapping_changed.get()
    }

    /// What was written down.
    pub fn log(&self) -> Vec<String> {
        self.shared.log.borrow().clone().unwrap_or_default()
    }
}
