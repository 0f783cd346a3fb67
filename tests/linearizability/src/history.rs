//! What was asked and answered, in which order, and whether the model explains it.

use std::fmt;

use harness::observed::{ItemNo, Line, Observed, Status};
use todc_utils::linearizability::WGLChecker;
use todc_utils::linearizability::history::Action;
use todc_utils::linearizability::history::History as Actions;

use crate::model::{OrderNo, Shop, Step};

/// What a client wants of the shop.
#[derive(Clone, Debug)]
pub enum Request {
    /// The operator makes an item.
    Create { item: ItemNo, on_hand: u64 },
    /// Order these lines, sorted by item; at most two.
    Place { order: OrderNo, lines: Vec<Line> },
    /// Pay an order.
    Pay { order: OrderNo, lines: Vec<Line> },
    /// Cancel an order.
    Cancel { order: OrderNo, lines: Vec<Line> },
    /// The operator adds or takes stock.
    Adjust { item: ItemNo, delta: i64 },
    /// Look at an item.
    ShowItem { item: ItemNo },
    /// Look at an order.
    ShowOrder { order: OrderNo },
}

/// A request from when it was first sent until it was last answered.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Who asked.
    pub client: usize,
    /// What for.
    pub request: Request,
    /// Whether it was sent before, with the same idempotency key where there is one, and the answer was not waited for.
    pub repeated: bool,
    /// What was told. None: that is unknown, and so is what was done; it may even be done later.
    pub answer: Option<Observed>,
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Call(usize),
    Return(usize),
}

/// What several clients asked and were told, in the order in which it happened.
#[derive(Clone, Debug, Default)]
pub struct History {
    operations: Vec<Operation>,
    events: Vec<Event>,
}

/// When a step is over at the latest.
enum By {
    /// When the request is answered.
    Answer,
    /// That is unknown.
    Whenever,
}

impl History {
    /// Notes that a request is about to be sent; answers its number.
    pub fn call(&mut self, client: usize, request: Request) -> usize {
        let number = self.operations.len();
        self.operations.push(Operation { client, request, repeated: false, answer: None });
        self.events.push(Event::Call(number));
        number
    }

    /// Notes that a request was given up on and is about to be sent again.
    pub fn repeat(&mut self, number: usize) {
        self.operations[number].repeated = true;
    }

    /// Notes what a request was answered. One without an answer stays unknown.
    pub fn answer(&mut self, number: usize, answer: Observed) {
        self.operations[number].answer = Some(answer);
        self.events.push(Event::Return(number));
    }

    /// A request that is answered before anything else happens.
    pub fn at_once(&mut self, client: usize, request: Request, answer: Observed) {
        let number = self.call(client, request);
        self.answer(number, answer);
    }

    /// The requests and what was answered to them.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// Whether there is an order of steps that gives every client the answer it got, each step between the question and
    /// the answer that it belongs to.
    pub fn is_linearizable(&self) -> bool {
        let mut actions = Vec::new();
        let mut steps = 0;
        let mut running: Vec<Vec<(usize, Step)>> = vec![Vec::new(); self.operations.len()];
        let mut unending = Vec::new();
        for event in &self.events {
            match *event {
                Event::Call(number) => {
                    // The checker knows processes that do one thing after another; here each step is a process.
                    for (step, by) in self.operations[number].steps() {
                        actions.push((steps, Action::Call(step.clone())));
                        match by {
                            By::Answer => running[number].push((steps, step)),
                            By::Whenever => unending.push((steps, step)),
                        }
                        steps += 1;
                    }
                }
                Event::Return(number) => {
                    let ended = running[number].drain(..);
                    actions.extend(ended.map(|(process, step)| (process, Action::Response(step))));
                }
            }
        }
        actions.extend([(steps, Action::Call(Step::End)), (steps, Action::Response(Step::End))]);
        actions.extend(unending.into_iter().map(|(process, step)| (process, Action::Response(step))));
        WGLChecker::<Shop>::is_linearizable(Actions::from_actions(actions))
    }

    /// The beginning of this history, up to the first answer that nothing explains; none if all are explained.
    pub fn unexplained(&self) -> Option<History> {
        if self.is_linearizable() {
            return None;
        }
        // What explains all answers explains all but the last.
        let lengths: Vec<_> = (0..=self.events.len()).collect();
        let explained = lengths.partition_point(|length| self.beginning(*length).is_linearizable());
        Some(self.beginning(explained))
    }

    /// This many of the first questions and answers.
    fn beginning(&self, length: usize) -> History {
        let (events, later) = self.events.split_at(length);
        let mut operations = self.operations.clone();
        for event in later.iter().rev() {
            match *event {
                Event::Call(number) => operations.truncate(number),
                Event::Return(number) => operations[number].answer = None,
            }
        }
        History { operations, events: events.to_vec() }
    }
}

impl Operation {
    /// What this request did, as far as its answer tells.
    fn steps(&self) -> Vec<(Step, By)> {
        use Step::*;
        let by_answer = |steps: Vec<Step>| steps.into_iter().map(|step| (step, By::Answer)).collect();
        let whenever = |steps: Vec<Step>| steps.into_iter().map(|step| (step, By::Whenever)).collect();
        let told = self.answer.as_ref();
        match self.request {
            Request::Create { item, on_hand } => match told {
                Some(Observed::Item(_)) => by_answer(vec![Create { item, on_hand }]),
                _ => by_answer(vec![Impossible]),
            },
            Request::Place { order, ref lines } => self.steps_of_placing(order, lines),
            Request::Pay { order, ref lines } => match told {
                Some(Observed::Order(Status::Paid)) => by_answer(vec![Pay { order, lines: lines.clone() }]),
                Some(&Observed::NotPayable(seen @ Status::Cancelled)) => by_answer(vec![ShowOrder { order, seen }]),
                Some(_) => by_answer(vec![Impossible]),
                None => whenever(vec![MayPay { order, lines: lines.clone() }]),
            },
            Request::Cancel { order, ref lines } => match told {
                Some(Observed::Order(Status::Cancelled)) => {
                    let releases = lines.iter().map(|&line| Release { order, line });
                    by_answer([Cancel { order }].into_iter().chain(releases).collect())
                }
                Some(&Observed::NotCancellable(seen @ Status::Paid)) => by_answer(vec![ShowOrder { order, seen }]),
                Some(_) => by_answer(vec![Impossible]),
                None => {
                    let releases = lines.iter().map(|&line| MayRelease { order, line });
                    whenever([MayCancel { order }].into_iter().chain(releases).collect())
                }
            },
            Request::Adjust { item, delta } => match told {
                // A repeat is answered with the item as it is by then.
                Some(&Observed::Item(seen)) if self.repeated => {
                    by_answer(vec![Adjust { item, delta, seen: None }, ShowItem { item, seen }])
                }
                Some(&Observed::Item(seen)) => by_answer(vec![Adjust { item, delta, seen: Some(seen) }]),
                Some(&Observed::Short { item: short, available }) if short == item => {
                    let mut steps: Vec<_> = by_answer(vec![RefuseAdjust { item, delta, available }]);
                    if self.repeated {
                        // What was sent first may come through after its repeat was refused.
                        steps.push((MayAdjust { item, delta }, By::Whenever));
                    }
                    steps
                }
                Some(_) => by_answer(vec![Impossible]),
                None => whenever(vec![MayAdjust { item, delta }]),
            },
            Request::ShowItem { item } => match told {
                Some(&Observed::Item(seen)) => by_answer(vec![ShowItem { item, seen }]),
                Some(_) => by_answer(vec![Impossible]),
                None => Vec::new(),
            },
            Request::ShowOrder { order } => match told {
                Some(&Observed::Order(seen)) => by_answer(vec![ShowOrder { order, seen }]),
                Some(_) => by_answer(vec![Impossible]),
                None => Vec::new(),
            },
        }
    }

    fn steps_of_placing(&self, order: OrderNo, lines: &[Line]) -> Vec<(Step, By)> {
        // The order that was left by the request that was sent before.
        let earlier = order + 1;
        let may_hold = |order, n: usize| Step::MayHold { order, line: lines[n], held: n };
        let may_give_up = |order| Step::MayGiveUp { order, lines: lines.to_vec() };
        // Placed, given up half way, or anything in between.
        let unknown = |order| {
            let holds = (0..lines.len()).map(move |n| may_hold(order, n));
            // One line is held or not; there is no half way.
            let gives_up = (lines.len() > 1).then(|| may_give_up(order));
            holds.chain(gives_up).map(|step| (step, By::Whenever))
        };
        match self.answer {
            Some(Observed::Order(Status::Pending)) => {
                let last = lines.len() - 1;
                let hold = |(n, &line)| Step::Hold { order, line, held: n, last: n == last };
                let mut steps: Vec<_> = lines.iter().enumerate().map(hold).collect();
                if self.repeated && lines.len() > 1 {
                    // Not a second order, but one that held its first line and was refused the other. A repeat
                    // has to give that line back before it can place the order anew.
                    steps.extend([may_hold(earlier, 0), may_give_up(earlier)]);
                }
                steps.into_iter().map(|step| (step, By::Answer)).collect()
            }
            Some(Observed::Short { item, available })
                if let Some(n) = lines.iter().position(|line| line.item == item) =>
            {
                let mut steps: Vec<_> = (0..n).map(|n| may_hold(order, n)).collect();
                steps.push(Step::Refuse { order, line: lines[n], available });
                steps.extend(lines[..n].iter().map(|&line| Step::Release { order, line }));
                let mut steps: Vec<_> = steps.into_iter().map(|step| (step, By::Answer)).collect();
                if self.repeated {
                    steps.extend(unknown(earlier));
                }
                steps
            }
            Some(_) => vec![(Step::Impossible, By::Answer)],
            None if self.repeated => unknown(order).chain(unknown(earlier)).collect(),
            None => unknown(order).collect(),
        }
    }
}

impl fmt::Display for History {
    /// One line for each question and each answer.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for event in &self.events {
            let (number, arrow) = match *event {
                Event::Call(number) => (number, "asks"),
                Event::Return(number) => (number, "told"),
            };
            let Operation { client, request, repeated, answer } = &self.operations[number];
            write!(f, "{number:3} client {client} {arrow} {request:?}")?;
            match (event, answer) {
                (Event::Call(_), None) => writeln!(f, " (and is never told)")?,
                (Event::Call(_), Some(_)) if *repeated => writeln!(f, " (and again)")?,
                (Event::Return(_), Some(answer)) => writeln!(f, ": {answer:?}")?,
                _ => writeln!(f)?,
            }
        }
        Ok(())
    }
}
