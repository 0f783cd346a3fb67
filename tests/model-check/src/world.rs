//! Requests that run on one store, a step at a time.

use std::fmt::Display;
use std::ops::Range;
use std::rc::Rc;

use domain::OrderId;
use records::Item;
use uuid::Uuid;

use crate::database::{Database, Stored, hash};
use crate::instance::{Job, Plan, State, States, Task};
use crate::provider::{self, Happens, Session};
use crate::record::{Order, Payment, Record};
use crate::request::{Answer, Level, Name, Request, Rules, WINDOW, first_order};
use crate::store::{Next, START, Turn};

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
    /// Whether a buyer who is sent to a session before the search pays there at once.
    pub before_pays: bool,
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
    /// Sessions of the payment provider that the merchant closes there, or that end by themselves.
    pub closes: usize,
    /// Payments that take a while.
    pub slow: usize,
    /// Times that the provider forgets under which names it was asked for what.
    pub forgets: usize,
    /// Sessions that the provider refuses to open, for good.
    pub refusals: usize,
    /// Charges in sessions of which the provider has said that they are closed.
    pub charges_all_the_same: usize,
    /// Charges of something else than the order costs.
    pub wrong_charges: usize,
    /// Sessions that the provider loses.
    pub losses: usize,
    /// Refunds that fail after they were made.
    pub refund_failures: usize,
}

impl Case {
    /// Whether a request reads the list of orders.
    fn lists(&self) -> bool {
        self.requests.iter().any(|request| matches!(request, Request::List | Request::Sweep))
    }
}

impl Level {
    /// Writes a record that is there before all requests.
    fn write(self, database: &mut Database, name: &str, bytes: Vec<u8>) {
        let mut write = |name: String, bytes| {
            let stored = Rc::new(Stored::new(&name, bytes));
            database.set(name.into(), stored);
        };
        if self == Level::KeyValue {
            write(format!("{name}~"), 1_u64.to_le_bytes().to_vec());
            return write(format!("{name}~{:016x}", 1), bytes);
        }
        write(name.to_owned(), bytes);
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
    /// Something happens to the session in this place.
    Session(usize, Happens),
    /// The payment provider forgets under which names it was asked for what.
    Forget,
}

/// One state of a search.
#[derive(Clone)]
pub struct World {
    states: Rc<States>,
    database: Database,
    rules: Rules,
    instances: Vec<Rc<State>>,
    /// The instances that have stopped for ever.
    crashed: Vec<bool>,
    /// Where each request is: its instance, and its place there.
    places: Vec<(usize, usize)>,
    faults: Faults,
    cold: bool,
    behind: Rc<[usize]>,
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
        let states = Rc::new(States::default());
        states.shared.log.replace(log);
        let mut database = Database::at(START);
        let level = case.rules.level;
        for (item, on_hand) in &case.stock {
            // To the byte as the rules write it: states that come back are to be seen as such.
            let record = Item { on_hand: *on_hand, unit_price: 1, ..Item::default() };
            level.write(&mut database, &format!("inventory:{item}"), record.encode());
        }
        if !case.stock.is_empty() {
            let catalog = serde_json::json!({ "items": case.stock.iter().map(|(item, _)| item).collect::<Vec<_>>() });
            level.write(&mut database, "catalog", catalog.to_string().into_bytes());
        }
        // Few where they are listed: then they are read in one call.
        let stride = if case.lists() { 8 } else { 1000 };
        if case.lists() {
            let ledger = serde_json::json!({ "id": "here", "next": 10 * stride, "by": "" });
            level.write(&mut database, "ledger", ledger.to_string().into_bytes());
        }
        if case.faults.failovers > 0 {
            database.replicate();
        }
        let mut world = Self {
            states,
            database,
            rules: case.rules,
            instances: Vec::new(),
            crashed: Vec::new(),
            places: vec![(0, 0); case.requests.len()],
            faults: case.faults,
            cold: case.cold,
            behind: case.behind.clone().into(),
            stride,
        };
        let tasks = case.requests.iter().enumerate().map(|(number, request)| {
            let earlier = case.before_limits && case.before.iter().any(|(before, _)| *before == number);
            let rules = if earlier { Rules::of(case.rules.level) } else { case.rules };
            world.task(number, request.clone(), rules)
        });
        let (together, alone): (Vec<_>, Vec<_>) = tasks.partition(|task| case.together.contains(&task.number));
        if !together.is_empty() {
            world.start(Plan { tasks: together, shared: true, numbers: (!case.cold).then_some(0..stride) });
        }
        for task in alone {
            let numbers = world.numbers(task.number);
            world.start(Plan { tasks: vec![task], shared: false, numbers });
        }
        for (request, calls) in &case.before {
            for _ in 0..*calls {
                if !world.running().any(|running| running == *request) {
                    break;
                }
                world.take(Step::Call(*request, Turn::Made));
            }
            let pays = Step::Session(0, Happens::Pays);
            if case.before_pays && world.outside_steps().contains(&pays) {
                world.take(pays);
            }
        }
        world
    }

    fn task(&self, number: usize, request: Request, rules: Rules) -> Rc<Task> {
        Rc::new(Task { number, request, rules, behind: self.behind.contains(&number) })
    }

    /// Numbers that no other instance has, for the instance of this request alone.
    fn numbers(&self, request: usize) -> Option<Range<u64>> {
        let first = self.stride * (1 + request as u64);
        (!self.cold).then_some(first..first + self.stride)
    }

    fn start(&mut self, plan: Plan) {
        for (place, task) in plan.tasks.iter().enumerate() {
            self.places[task.number] = (self.instances.len(), place);
        }
        self.instances.push(self.states.start(plan, &mut self.database));
        self.crashed.push(false);
    }

    fn job(&self, number: usize) -> &Job {
        let (instance, place) = self.places[number];
        &self.instances[instance].jobs()[place]
    }

    fn has_crashed(&self, number: usize) -> bool {
        self.crashed[self.places[number].0]
    }

    fn note(&self, line: impl FnOnce() -> String) {
        self.states.shared.note(line);
    }

    /// The requests that can go on.
    pub fn running(&self) -> impl Iterator<Item = usize> {
        (0..self.places.len()).filter(|number| {
            let job = self.job(*number);
            let can_go_on = job.answer.is_none() && !self.has_crashed(*number) && !job.waits();
            can_go_on && (job.begun || self.can_know(&job.task.request))
        })
    }

    /// Whether this can be asked for already: an order is not known before it is there. From then on it is in the list
    /// of orders, also one that is withdrawn later because another request has placed one under its key before.
    fn can_know(&self, request: &Request) -> bool {
        if let Request::RefundNotice(of, number) = request {
            let id = provider::session_id(first_order(*of), *number);
            return self.sessions().any(|(other, session)| other == id && !session.refunds.is_empty());
        }
        if let Request::Notice(of, number) = request {
            return provider::is_there(&self.database, &provider::session_id(first_order(*of), *number));
        }
        let (Request::Pay(of)
        | Request::Cancel(of)
        | Request::Abandon(of)
        | Request::Retry(of)
        | Request::Refund(of, ..)
        | Request::Show(of)
        | Request::TakeBack(of, ..)
        | Request::Returns(of)
        | Request::Send(of, ..)) = request
        else {
            return true;
        };
        let order = first_order(*of);
        self.payment(order, |_| ()).is_some()
    }

    /// The ways in which the next call of a request can go wrong.
    pub fn errors(&self, number: usize) -> Vec<Turn> {
        let next = self.job(number).next;
        let mut errors = match (self.faults.errors, next) {
            (0, _) | (_, Next::Step | Next::Others) => Vec::new(),
            (_, Next::Read) => vec![Turn::Failed],
            (_, Next::Write | Next::Open) => vec![Turn::Failed, Turn::Unheard],
        };
        if next == Next::Open && self.faults.refusals > 0 {
            errors.push(Turn::Refused);
        }
        errors
    }

    /// What buyers, the merchant and the payment provider can do next.
    pub fn outside_steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        if !self.rules.provider {
            return steps;
        }
        let sent_to: Vec<_> = self.sent_to().collect();
        for (place, (id, session)) in provider::sessions(&self.database).enumerate() {
            let is_known = sent_to.contains(&id);
            for (happens, left) in [
                (Happens::Pays, usize::from(is_known)),
                (Happens::PaysWrongly, if is_known { self.faults.wrong_charges } else { 0 }),
                (Happens::BeginsToPay, if is_known { self.faults.slow } else { 0 }),
                (Happens::Fails, 1),
                (Happens::FailsForGood, 1),
                (Happens::Closes, self.faults.closes),
                (Happens::ChargesAllTheSame, self.faults.charges_all_the_same),
                (Happens::Loses, self.faults.losses),
                (Happens::RefundFails, self.faults.refund_failures),
            ] {
                if left > 0 && provider::can_happen(&session, happens) {
                    steps.push(Step::Session(place, happens));
                }
            }
        }
        if self.faults.forgets > 0 && provider::remembers(&self.database) {
            steps.push(Step::Forget);
        }
        steps
    }

    /// The sessions to which buyers were sent.
    pub fn sent_to(&self) -> impl Iterator<Item = &str> {
        self.requests().filter_map(|(_, _, answer)| match answer {
            Some(Answer::SentTo(session)) => Some(session.as_str()),
            _ => None,
        })
    }

    /// All sessions of the payment provider, with their names.
    pub fn sessions(&self) -> impl Iterator<Item = (&str, Session)> {
        provider::sessions(&self.database)
    }

    /// Whether no request runs, nor anything is left that makes a difference to what was told.
    pub fn is_quiet(&self) -> bool {
        self.running().next().is_none() && self.faults.failovers == 0
    }

    /// All that can happen next.
    pub fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        for number in self.running() {
            steps.push(Step::Call(number, Turn::Made));
            steps.extend(self.errors(number).into_iter().map(|turn| Step::Call(number, turn)));
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
        steps.extend(self.outside_steps());
        steps
    }

    /// Lets it happen.
    pub fn take(&mut self, step: Step) {
        match step {
            Step::Call(number, turn) => {
                match turn {
                    Turn::Made => {}
                    Turn::Unheard | Turn::Failed => self.faults.errors -= 1,
                    Turn::Refused => self.faults.refusals -= 1,
                }
                let (instance, place) = self.places[number];
                let state = &mut self.instances[instance];
                *state = self.states.call(state, place, turn, &mut self.database);
            }
            Step::Crash(number) => {
                self.faults.crashes -= 1;
                let instance = self.places[number].0;
                for job in self.instances[instance].jobs().iter().filter(|job| job.answer.is_none()) {
                    self.note(|| format!("#{} stops for ever", job.task.number));
                }
                self.crashed[instance] = true;
            }
            Step::Expire => {
                self.faults.expiries -= 1;
                self.expire();
            }
            Step::FailOver => {
                self.faults.failovers -= 1;
                self.note(|| "a replica takes the place of the store".to_owned());
                self.database.fail_over();
            }
            Step::Session(place, happens) => {
                match happens {
                    Happens::Pays | Happens::Fails | Happens::FailsForGood => {}
                    Happens::PaysWrongly => self.faults.wrong_charges -= 1,
                    Happens::BeginsToPay => self.faults.slow -= 1,
                    Happens::Closes => self.faults.closes -= 1,
                    Happens::ChargesAllTheSame => self.faults.charges_all_the_same -= 1,
                    Happens::Loses => self.faults.losses -= 1,
                    Happens::RefundFails => self.faults.refund_failures -= 1,
                }
                let id = self.sessions().nth(place).map(|(id, _)| id.to_owned()).expect("it is there");
                self.happen(&id, happens);
            }
            Step::Forget => {
                self.faults.forgets -= 1;
                self.note(|| "the provider forgets what it was asked".to_owned());
                // It remembers them for a day. A refund is made, or looked for, within moments: so those are remembered
                // that were made while a request runs that may be about to make one.
                let is_at_rest = self.running().all(|number| !self.job(number).begun);
                provider::forget(&mut self.database, is_at_rest);
            }
        }
    }

    /// Lets something happen to a session.
    pub fn happen(&mut self, id: &str, happens: Happens) {
        self.note(|| format!("{happens:?}: {id}"));
        provider::happen(&mut self.database, id, happens);
    }

    pub fn faults(&self) -> Faults {
        self.faults
    }

    /// Lets the clock pass the expiry of all orders.
    pub fn expire(&mut self) {
        self.note(|| "the clock passes the expiry of all orders".to_owned());
        self.database.now += u64::try_from(WINDOW.as_millis()).expect("it is short") + 1;
    }

    /// Runs one more request to its end, with nothing in between.
    pub fn run(&mut self, request: Request) -> Answer {
        let number = self.places.len();
        self.places.push((0, 0));
        let (task, numbers) = (self.task(number, request, self.rules), self.numbers(number));
        self.start(Plan { tasks: vec![task], shared: false, numbers });
        loop {
            match &self.job(number).answer {
                Some(answer) => return answer.clone(),
                None => self.take(Step::Call(number, Turn::Made)),
            }
        }
    }

    /// What tells this state from every other: two states that are alike here go on alike.
    pub fn fingerprint(&self) -> u128 {
        let instances = self.instances.iter().map(|state| state.fingerprint()).collect::<Vec<_>>();
        hash((self.faults, self.database.fingerprint(), instances, &self.crashed))
    }

    /// What tells this state from others as far as the promises go: what is stored and what was answered, not how far
    /// requests are.
    pub fn outcome(&self) -> u128 {
        let answers = self.instances.iter().map(|state| state.answers()).collect::<Vec<_>>();
        let Database { mapping_changed, held_at_another_price, .. } = &self.database;
        hash((self.database.fingerprint(), mapping_changed, held_at_another_price, answers))
    }

    /// Grows whenever there may be something new to check.
    pub fn events(&self) -> (u64, usize) {
        (self.database.writes, self.running().count())
    }

    /// All requests, with the answers of those that have one.
    pub fn requests(&self) -> impl Iterator<Item = (usize, &Request, Option<&Answer>)> {
        (0..self.places.len()).map(|number| {
            let job = self.job(number);
            (number, &job.task.request, job.answer.as_ref())
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

    /// Hands over the payment of this order, as it is or as it was removed.
    pub fn payment<T>(&self, order: impl Display, look: impl FnOnce(&Payment) -> T) -> Option<T> {
        let key = format!("payment:{order}");
        let removed = || key.strip_prefix("payment:")?.parse().ok().and_then(|order| self.database.removed.get(&order));
        let stored = self.database.get(&key).or_else(removed)?;
        if let Record::Payment(payment) = stored.record(&key) { Some(look(payment)) } else { None }
    }

    /// How many refunds are listed as not finished.
    pub fn unfinished_refunds(&self) -> usize {
        let key = match self.rules.level {
            Level::Domain => "refunding".to_owned(),
            Level::KeyValue => {
                let token =
                    self.record("refunding~", |record| if let Record::Cell(token) = record { *token } else { 0 });
                format!("refunding~{:016x}", token.unwrap_or_default())
            }
        };
        let Some(stored) = self.database.get(&key) else { return 0 };
        let list: serde_json::Value = serde_json::from_slice(&stored.bytes).expect("it is JSON");
        list["refunds"].as_array().expect("it is a list").len()
    }

    /// The orders that were removed.
    pub fn removed(&self) -> impl Iterator<Item = &Uuid> {
        self.database.removed.keys()
    }

    /// Whether this order was removed.
    pub fn is_removed(&self, order: &Uuid) -> bool {
        self.database.removed.contains_key(order)
    }

    fn record<T>(&self, key: &str, look: impl FnOnce(&Record) -> T) -> Option<T> {
        self.database.get(key).map(|stored| look(stored.record(key)))
    }

    /// The orders that the list of orders has, as often as it has them.
    pub fn listed(&self) -> Vec<Uuid> {
        let listed = self.database.of_kind("placed");
        listed
            .flat_map(|(_, stored)| serde_json::from_slice::<Vec<Uuid>>(&stored.bytes).expect("it is a list"))
            .collect()
    }

    /// Shows every order there is.
    pub fn each_order(&self, mut look: impl FnMut(&Order)) {
        for (key, stored) in self.database.of_kind("order") {
            if let Record::Order(order) = stored.record(key) {
                look(order);
            }
        }
    }

    /// Whether a replica has taken the place of the store.
    pub fn has_failed_over(&self) -> bool {
        self.database.failovers > 0
    }

    /// Whether a key stands for another order than this one, which was placed under it.
    pub fn mapped_to_another(&self, order: OrderId) -> bool {
        let order = format!("\"{order}\"").into_bytes();
        self.database.of_kind("idempotency").any(|(_, stored)| stored.bytes != order)
    }

    /// Whether a mapping, which never changes, was replaced by another.
    pub fn mapping_changed(&self) -> bool {
        self.database.mapping_changed
    }

    /// Whether a line of this order was held while its item had another price.
    pub fn held_at_another_price(&self, order: &Uuid) -> bool {
        self.database.held_at_another_price.contains(order)
    }

    /// What was written down.
    pub fn log(&self) -> Vec<String> {
        self.states.shared.log.borrow().clone().unwrap_or_default()
    }
}
