//! The shop as one thread would run it: its state, and the steps that requests are made of.
//!
//! What is claimed to happen in one moment is one step: holding a line, paying, deciding to cancel, adjusting, and
//! every read. What is not claimed to is several: an order of two lines holds one item and then the other, and gives
//! the first one back if the second is short; a cancelled order is cancelled first and gives back its stock then.

use harness::observed::{ItemNo, Line, Status, Stock};
use todc_utils::specifications::Specification;

/// An order, by the number that its client gave it: unlike its id it is known before the answer.
/// Even; the odd number after it is for what another request for the same order may have left.
pub type OrderNo = usize;

/// What happens in one moment.
///
/// Steps that begin with `May` belong to requests of which it is not known what they did. They happen where they change
/// something, or never, which is after the [`Step::End`]. (That they could also happen without any effect in between
/// would be the same, and would only have the checker try twice as much for each of them.)
#[derive(Clone, Debug)]
pub enum Step {
    /// The operator makes an item.
    Create { item: ItemNo, on_hand: u64 },
    /// An order that is placed holds its next line, the one after `held` others. The last one makes it pending.
    Hold { order: OrderNo, line: Line, held: usize, last: bool },
    /// An order of which that is not known holds its next line.
    MayHold { order: OrderNo, line: Line, held: usize },
    /// An order is refused: `available` is too little for this line.
    Refuse { order: OrderNo, line: Line, available: u64 },
    /// An order of which that is not known, and which does not hold all of its `lines`, gives up and gives them back.
    MayGiveUp { order: OrderNo, lines: Vec<Line> },
    /// A line of an order that came to nothing is given back.
    Release { order: OrderNo, line: Line },
    /// The same where it is not known whether the order came to nothing.
    MayRelease { order: OrderNo, line: Line },
    /// An order is paid, or was already.
    Pay { order: OrderNo, lines: Vec<Line> },
    /// An order is paid, if it is pending.
    MayPay { order: OrderNo, lines: Vec<Line> },
    /// An order is cancelled, or was already.
    Cancel { order: OrderNo },
    /// An order is cancelled, if it is pending.
    MayCancel { order: OrderNo },
    /// The operator adds or takes stock, and sees this; None where it was seen later.
    Adjust { item: ItemNo, delta: i64, seen: Option<Stock> },
    /// The operator adds or takes stock, if there is enough.
    MayAdjust { item: ItemNo, delta: i64 },
    /// The operator cannot take so much: only `available` are free.
    RefuseAdjust { item: ItemNo, delta: i64, available: u64 },
    /// A client sees an item.
    ShowItem { item: ItemNo, seen: Stock },
    /// A client sees an order.
    ShowOrder { order: OrderNo, seen: Status },
    /// No client looks any more.
    End,
    /// An answer that no shop gives.
    Impossible,
}

/// All items and orders.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct State {
    items: Vec<Item>,
    orders: Vec<Order>,
    ended: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Item {
    available: u64,
    /// What is held and not paid.
    held: u64,
    /// What was paid. It may still be on the shelf, and counts as reserved then: paid goods leave when the item is next
    /// changed. `available` is the same before and after.
    paid: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Order {
    status: Status,
    /// The items of which it holds a line, one bit each.
    held: u8,
}

impl Item {
    fn looks_like(&self, seen: Stock) -> bool {
        let supplied = (self.available + self.held + self.paid).cast_signed();
        seen.missing(supplied, self.held, self.paid) == Some(0)
    }
}

impl Order {
    /// Decides a pending order; false where it is not pending.
    fn decide(&mut self, status: Status) -> bool {
        let possible = self.status == Status::Pending;
        if possible {
            self.status = status;
        }
        possible
    }

    fn lines_held(&self) -> usize {
        self.held.count_ones() as usize
    }

    fn came_to_nothing(&self) -> bool {
        matches!(self.status, Status::Rejected | Status::Cancelled)
    }
}

impl State {
    fn item(&mut self, item: ItemNo) -> &mut Item {
        at(&mut self.items, item)
    }

    fn order(&mut self, order: OrderNo) -> &mut Order {
        at(&mut self.orders, order)
    }

    /// Holds a line of an order that is being placed and has `held` lines so far.
    fn hold(&mut self, order: OrderNo, line: Line, held: usize) -> bool {
        let now = self.order(order);
        let possible = now.status == Status::Placing && now.lines_held() == held;
        let item = self.item(line.item);
        let possible = possible && item.available >= line.quantity;
        if possible {
            item.available -= line.quantity;
            item.held += line.quantity;
            self.order(order).held |= 1 << line.item;
        }
        possible
    }

    /// Gives a line back that an order holds which came to nothing; false where there is none.
    fn release(&mut self, order: OrderNo, line: Line) -> bool {
        let order = self.order(order);
        let possible = order.came_to_nothing() && order.held & (1 << line.item) != 0;
        if possible {
            order.held ^= 1 << line.item;
            let item = self.item(line.item);
            item.held -= line.quantity;
            item.available += line.quantity;
        }
        possible
    }

    fn pay(&mut self, order: OrderNo, lines: &[Line]) -> bool {
        let possible = self.order(order).decide(Status::Paid);
        if possible {
            for line in lines {
                let item = self.item(line.item);
                item.held -= line.quantity;
                item.paid += line.quantity;
            }
        }
        possible
    }

    fn adjust(&mut self, item: ItemNo, delta: i64) -> bool {
        let item = self.item(item);
        let adjusted = item.available.checked_add_signed(delta);
        item.available = adjusted.unwrap_or(item.available);
        adjusted.is_some()
    }

    /// Takes a step; false if it is not possible.
    fn take(&mut self, step: &Step) -> bool {
        match *step {
            Step::Create { item, on_hand } => {
                *self.item(item) = Item { available: on_hand, ..Item::default() };
                true
            }
            Step::Hold { order, line, held, last } => {
                let possible = self.hold(order, line, held);
                if possible && last {
                    self.order(order).status = Status::Pending;
                }
                possible
            }
            // One that was refused meanwhile need not have held anything.
            Step::MayHold { order, line, held } => {
                self.ended || self.hold(order, line, held) || self.order(order).came_to_nothing()
            }
            Step::Refuse { order, line, available } => {
                self.order(order).status = Status::Rejected;
                available == self.item(line.item).available && available < line.quantity
            }
            Step::MayGiveUp { order, ref lines } => {
                let now = self.order(order);
                let possible = now.status == Status::Placing && now.lines_held() < lines.len();
                if possible {
                    now.status = Status::Rejected;
                    for line in lines {
                        self.release(order, *line);
                    }
                }
                possible || self.ended
            }
            Step::Release { order, line } => self.release(order, line) || self.order(order).came_to_nothing(),
            Step::MayRelease { order, line } => self.ended || self.release(order, line),
            Step::Pay { order, ref lines } => self.pay(order, lines) || self.order(order).status == Status::Paid,
            Step::MayPay { order, ref lines } => self.ended || self.pay(order, lines),
            Step::Cancel { order } => {
                self.order(order).decide(Status::Cancelled) || self.order(order).status == Status::Cancelled
            }
            Step::MayCancel { order } => self.ended || self.order(order).decide(Status::Cancelled),
            Step::Adjust { item, delta, seen } => {
                self.adjust(item, delta) && seen.is_none_or(|seen| self.item(item).looks_like(seen))
            }
            Step::MayAdjust { item, delta } => self.ended || self.adjust(item, delta),
            Step::RefuseAdjust { item, delta, available } => {
                available == self.item(item).available && available.checked_add_signed(delta).is_none()
            }
            Step::ShowItem { item, seen } => self.item(item).looks_like(seen),
            Step::ShowOrder { order, seen } => self.order(order).status == seen,
            Step::End => {
                self.ended = true;
                true
            }
            Step::Impossible => false,
        }
    }
}

/// The sequential model, in the checker's terms.
pub struct Shop;

impl Specification for Shop {
    type State = State;
    type Operation = Step;

    fn init() -> State {
        State::default()
    }

    fn apply(step: &Step, state: &State) -> (bool, State) {
        let mut after = state.clone();
        let possible = after.take(step);
        // Where it is not possible, the state is not looked at.
        (possible, after)
    }
}

/// The element with this number, made where it was not there yet.
fn at<T: Clone + Default>(all: &mut Vec<T>, number: usize) -> &mut T {
    if all.len() <= number {
        all.resize(number + 1, T::default());
    }
    &mut all[number]
}
