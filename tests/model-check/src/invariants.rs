//! What must hold after every step, and what must be possible in the end. Read off the records and the answers alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use domain::{Error, OrderId, Status};
use uuid::Uuid;

use crate::goods;
use crate::money;
use crate::request::{Answer, Name, Request, adjustment_key, first_order};
use crate::world::{Case, World};

/// What a new shop has.
const PRESET: [(Name, u64); 3] = [("item1", 100), ("item2", 50), ("item3", 75)];

/// What the system promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// What is promised never exceeds what is on hand.
    NoOversell,
    /// On hand is what there was, plus adjustments, less what was sold and settled, plus what came back into stock. So a
    /// paid order whose goods were never held breaks it.
    Conservation,
    /// An order is paid, cancelled, expired or rejected, once and for ever, and has its goods while it waits.
    OneFate,
    /// What a client was told is true.
    ToldIsTrue,
    /// A request that is sent again is not done twice.
    RetryIsSafe,
    /// Ordinary requests clear away all that was left.
    NothingStuck,
    /// Every order is in the list of orders, once.
    Listed,
    /// An order that is expected to cost something costs that, and it is held while that is the price.
    AtItsPrice,
    /// Where nothing is damaged, no client is told that something is.
    NoFalseAlarm,
    /// At most one charge of an order stays, and a session in which its buyer can be charged is the one on record.
    ChargedOnce,
    /// An order is paid if its buyer was charged what it costs, in the session on record. One that came to nothing was
    /// not charged, or the money has gone back.
    ChargedMeansSold,
    /// A refund is made once, of what was charged, and is on record.
    RefundsAddUp,
    /// Goods come back at most as often as they were sold, and are put back once.
    ReturnsAddUp,
}

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub rule: Rule,
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is broken: {}", self.rule, self.what)
    }
}

pub type Checked = Result<(), Violation>;

pub fn broken(rule: Rule, what: String) -> Checked {
    Err(Violation { rule, what })
}

/// All items of a case, and what there was of them. Of those who make an item one at most is told that it did.
pub fn supplies(case: &Case, world: &World) -> Result<Vec<(Name, u64)>, Violation> {
    let mut supplies = if case.stock.is_empty() { PRESET.to_vec() } else { case.stock.clone() };
    for (_, request, answer) in world.requests() {
        let (Request::Put(item, on_hand), Some(Answer::Put)) = (request, answer) else { continue };
        if supplies.iter().any(|(made, _)| made == item) {
            broken(Rule::ToldIsTrue, format!("{item} was made twice"))?;
        }
        supplies.push((item, *on_hand));
    }
    Ok(supplies)
}

/// Checks what must hold at every moment.
pub fn check(case: &Case, world: &World) -> Checked {
    let mut keys = BTreeMap::<(Name, Name), BTreeSet<Uuid>>::new();
    for (number, request, answer) in world.requests() {
        let Some(answer) = answer else { continue };
        let is_lasting = matches!(
            request,
            Request::Place(..)
                | Request::Pay(_)
                | Request::Cancel(_)
                | Request::TakeBack(..)
                | Request::Send(..)
                | Request::Refund(..)
        );
        if world.has_failed_over() && !is_lasting {
            continue;
        }
        told(world, number, request, answer)?;
        // A key stands for one order: of those that were placed under it, one at most was told of as placed. An order
        // with another first item is another one, until the first is settled.
        if let (
            Request::Place(lines, Some(key)),
            Answer::Placed(order, Status::Placing | Status::Pending | Status::Paid),
        ) = (request, answer)
        {
            let order = uuid(*order);
            if !may_be_swept(case, world, order) {
                keys.entry((key, first_item(lines))).or_default().insert(order);
            }
        }
        match answer {
            Answer::Refused(Error::Unreadable { .. } | Error::ProviderNonsense(_) | Error::TooManyLateCharges(_)) => {
                return broken(Rule::NoFalseAlarm, format!("request {number} was told {answer:?}"));
            }
            Answer::Refused(Error::ItemNotFound(item)) if case.stock.iter().any(|(name, _)| *name == item.as_str()) => {
                return broken(Rule::NoFalseAlarm, format!("request {number} was told {answer:?}, which is there"));
            }
            _ => {}
        }
    }
    if let Some(order) = world
        .removed()
        .find(|order| world.payment(order, |payment| payment.is("paid") || payment.is("unpaid")) == Some(true))
    {
        return broken(Rule::OneFate, format!("{order} was removed, and was not closed"));
    }
    if world.mapping_changed() {
        return broken(Rule::RetryIsSafe, "a key that stood for one order stands for another".to_owned());
    }
    let makers: BTreeMap<_, _> = world
        .requests()
        .filter_map(|(number, request, _)| match request {
            Request::Place(lines, Some(key)) => Some((maker(uuid(first_order(number))), (*key, first_item(lines)))),
            _ => None,
        })
        .collect();
    let supplies = supplies(case, world)?;
    world.each_order(|order| {
        let held = || supplies.iter().any(|(item, _)| holds(world, item, order.order_id));
        let placed = world.payment(order.order_id, |payment| payment.is("paid") || payment.is("unpaid") && held());
        if let (Some(key), Some(true)) = (makers.get(&maker(order.order_id)), placed) {
            keys.entry(*key).or_default().insert(order.order_id);
        }
    });
    if let Some((key, orders)) = keys.iter().find(|(_, orders)| orders.len() > 1) {
        return broken(Rule::RetryIsSafe, format!("{} orders under the key {key:?}: {orders:?}", orders.len()));
    }
    money::check(case, world)?;
    none_served_and_refused(case, world)?;
    each_listed_once(world)?;
    each_at_its_price(world)?;
    goods::no_more_than_was_sold(world)?;
    supplies.iter().try_for_each(|(item, initial)| books(world, item, *initial))
}

/// The item that carries an order's key.
fn first_item(lines: &[(Name, u64)]) -> Name {
    lines.iter().map(|(item, _)| *item).min().unwrap_or_default()
}

/// Where stock is never given back, what was too little for a request is too little for its repeats. So requests under
/// one key are not both served and refused. With several lines, stock is given back by orders that are rejected.
fn none_served_and_refused(case: &Case, world: &World) -> Checked {
    let keeps = |request: &Request| matches!(request, Request::Place(lines, _) if lines.len() == 1);
    if case.faults.expiries > 0 || case.faults.failovers > 0 || !case.requests.iter().all(keeps) {
        return Ok(());
    }
    let mut outcomes = BTreeMap::<_, (bool, bool)>::new();
    for (_, request, answer) in world.requests() {
        let (Request::Place(lines, Some(key)), Some(answer)) = (request, answer) else { continue };
        let (served, refused) = outcomes.entry((*key, first_item(lines))).or_default();
        *served |= matches!(answer, Answer::Placed(..));
        *refused |= matches!(answer, Answer::Refused(Error::InsufficientStock { .. }));
    }
    match outcomes.iter().find(|(_, outcome)| **outcome == (true, true)) {
        Some((key, _)) => broken(Rule::RetryIsSafe, format!("requests under {key:?} were both served and refused")),
        None => Ok(()),
    }
}

/// Every order is in the list of orders, once.
fn each_listed_once(world: &World) -> Checked {
    let listed = world.listed();
    let once = listed.iter().collect::<BTreeSet<_>>();
    let mut missing = None;
    world.each_order(|order| {
        if !once.contains(&order.order_id) {
            missing = Some(order.order_id);
        }
    });
    match missing {
        Some(order) => broken(Rule::Listed, format!("{order} is not in the list of orders")),
        None if once.len() < listed.len() => broken(Rule::Listed, format!("an order is listed twice: {listed:?}")),
        None => Ok(()),
    }
}

/// Every order that is expected to cost something costs that, and was held at no other price.
fn each_at_its_price(world: &World) -> Checked {
    let expects = |(number, request, _): (usize, &Request, _)| match request {
        Request::PlaceAt(_, _, price) => Some((maker(uuid(first_order(number))), *price)),
        _ => None,
    };
    let expected: BTreeMap<_, _> = world.requests().filter_map(expects).collect();
    let mut wrong = None;
    world.each_order(|order| {
        let Some(price) = expected.get(&maker(order.order_id)) else { return };
        let costs = order.lines.iter().all(|line| line.unit_price == *price);
        if !costs || world.held_at_another_price(&order.order_id) {
            wrong = Some(order.order_id);
        }
    });
    wrong.map_or(Ok(()), |order| broken(Rule::AtItsPrice, format!("{order} is at another price than was expected")))
}

/// Whether an order is closed, where closed orders are removed at once: then its key may be used for another order.
fn may_be_swept(case: &Case, world: &World, order: Uuid) -> bool {
    case.rules.closed_orders_kept.is_some() && world.payment(order, |payment| payment.is("void")) == Some(true)
}

/// The part of an order's id that says which request made it.
fn maker(order: Uuid) -> u8 {
    order.into_bytes()[0]
}

/// An id as it is in the records.
fn uuid(order: OrderId) -> Uuid {
    order.to_string().parse().expect("it is one")
}

pub fn holds(world: &World, item: &str, order: Uuid) -> bool {
    world.item(item, |item| item.holds.contains_key(&order)).unwrap_or(false)
}

/// An order that a client was told is placed, paid or cancelled is so.
fn told(world: &World, number: usize, request: &Request, answer: &Answer) -> Checked {
    if let Answer::Listed(orders) = answer {
        return orders
            .iter()
            .try_for_each(|(order, status)| told_of(world, number, uuid(*order), &Answer::Shown(*status)));
    }
    let order = match (request, answer) {
        (_, Answer::Placed(order, _)) => uuid(*order),
        (
            Request::Pay(of)
            | Request::Cancel(of)
            | Request::Abandon(of)
            | Request::Show(of)
            | Request::TakeBack(of, ..)
            | Request::Refund(of, ..)
            | Request::Send(of, ..),
            _,
        ) => uuid(first_order(*of)),
        _ => return Ok(()),
    };
    told_of(world, number, order, answer)
}

/// As [`told`], of one order.
fn told_of(world: &World, number: usize, order: Uuid, answer: &Answer) -> Checked {
    let fate = |fate: &str| world.payment(order, |payment| payment.is(fate)).unwrap_or(false);
    let (rule, as_told) = match answer {
        Answer::Paid
        | Answer::Placed(_, Status::Paid | Status::Fulfilled | Status::Refunded)
        | Answer::Shown(Status::Paid | Status::Fulfilled | Status::Refunded) => (Rule::OneFate, fate("paid")),
        Answer::TakenBack(_) | Answer::Sent(..) => (Rule::ToldIsTrue, goods::told(world, order, answer)),
        Answer::Refunded(id) => (Rule::ToldIsTrue, money::is_refund_told(world, order, id)),
        Answer::Cancelled | Answer::Placed(_, Status::Cancelled) | Answer::Shown(Status::Cancelled) => {
            (Rule::OneFate, fate("cancelled"))
        }
        Answer::Abandoned => (Rule::OneFate, fate("void")),
        // What is rejected may be gone: it came to nothing.
        Answer::Shown(Status::Rejected) | Answer::Refused(Error::OrderNotPayable(Status::Rejected)) => {
            (Rule::OneFate, world.payment(order, |payment| payment.is("rejected")).unwrap_or(true))
        }
        Answer::Shown(Status::Expired)
        | Answer::Placed(_, Status::Expired)
        | Answer::Refused(Error::OrderNotPayable(Status::Expired) | Error::OrderNotCancellable(Status::Expired)) => {
            (Rule::OneFate, fate("expired"))
        }
        Answer::Refused(Error::OrderNotPayable(Status::Cancelled)) => (Rule::OneFate, fate("cancelled")),
        Answer::Refused(Error::OrderNotCancellable(Status::Paid | Status::Fulfilled | Status::Refunded)) => {
            (Rule::OneFate, fate("paid"))
        }
        Answer::Placed(..) => {
            let mut all_held = true;
            world.each_order(|placed| {
                all_held &= placed.order_id != order
                    || placed.lines.iter().all(|line| holds(world, &line.item_id, placed.order_id));
            });
            let decided = fate("paid") || fate("cancelled") || fate("expired");
            (Rule::ToldIsTrue, decided || fate("unpaid") && all_held)
        }
        Answer::Shown(_)
        | Answer::Listed(_)
        | Answer::ReturnsDone(_)
        | Answer::Adjusted
        | Answer::Looked
        | Answer::Priced
        | Answer::Put
        | Answer::Swept
        | Answer::SentTo(_)
        | Answer::Processing
        | Answer::Noticed
        | Answer::Retried
        | Answer::Refused(_) => {
            return Ok(());
        }
    };
    if as_told {
        return Ok(());
    }
    let payment = world.payment(order, |payment| format!("{payment:?}"));
    broken(rule, format!("request {number} was told {answer:?}; the payment is {payment:?}"))
}

/// What is held by orders that came to nothing is sold to the first order that needs it, long before anything expires.
fn nothing_is_kept_from_sale(case: &Case, world: &mut World) -> Checked {
    for (item, _) in supplies(case, world)? {
        let Some((holds, on_hand)) = world.item(item, |record| {
            (record.holds.iter().map(|(order, hold)| (*order, hold.quantity)).collect::<Vec<_>>(), record.on_hand)
        }) else {
            continue;
        };
        let needed = |order: &Uuid| world.payment(*order, |payment| payment.is("unpaid") || payment.is("paid"));
        let taken: u64 = holds.iter().filter(|(order, _)| needed(order) == Some(true)).map(|(_, held)| held).sum();
        let undecided =
            holds.iter().filter(|(order, _)| world.payment(*order, |payment| payment.is("unpaid")) == Some(true));
        // Where a case has a limit, two holds of pending orders reach it.
        let is_full = undecided.count() >= 2;
        let Some(free @ 1..) = on_hand.checked_sub(taken) else { continue };
        match world.run(Request::Place(vec![(item, free)], None)) {
            Answer::Placed(_, Status::Pending) => {}
            Answer::Refused(Error::ItemFull(_)) if is_full => {}
            answer => {
                let what =
                    format!("{free} of {item} are held by nothing that is needed, and an order is told {answer:?}");
                return broken(Rule::NothingStuck, what);
            }
        }
    }
    check(case, world)
}

/// What was promised of an item, and where its goods went.
fn books(world: &World, item: &str, initial: u64) -> Checked {
    let Some((reserved, on_hand, adjusted, received, sold)) = world.item(item, |record| {
        let reserved: u64 = record.holds.values().map(|hold| hold.quantity).sum();
        let adjusted: BTreeSet<_> = record.adjustments.iter().map(|adjustment| adjustment.key.to_string()).collect();
        (reserved, record.on_hand, adjusted, record.received.unwrap_or(record.on_hand), record.sold.unwrap_or_default())
    }) else {
        return Ok(());
    };
    if reserved > on_hand {
        return broken(Rule::NoOversell, format!("{reserved} of {item} are promised, {on_hand} are on hand"));
    }
    goods::came_back_once(world, item)?;
    let back = goods::of_orders(world, item);
    if received + back.returned != on_hand + sold + back.written_off {
        let what = format!(
            "{received} of {item} were received, {on_hand} are on hand, the item says that {sold} are sold; {back:?}"
        );
        return broken(Rule::Conservation, what);
    }
    let mut counted = BTreeSet::new();
    let mut expected = i128::from(initial) + i128::from(back.returned) - i128::from(back.written_off);
    for (number, request, answer) in world.requests() {
        let Request::Adjust(of, delta, key) = request else { continue };
        let key = adjustment_key(number, *key).to_string();
        let made = adjusted.contains(&key) || answer == Some(&Answer::Adjusted);
        if *of == item && made && counted.insert(key) {
            expected += i128::from(*delta);
        }
    }
    world.each_order(|order| {
        let paid = world.payment(order.order_id, |payment| payment.is("paid")) == Some(true);
        if paid && !holds(world, item, order.order_id) {
            let lines = order.lines.iter().filter(|line| line.item_id == item);
            expected -= lines.map(|line| i128::from(line.quantity)).sum::<i128>();
        }
    });
    if expected != i128::from(on_hand) {
        return broken(Rule::Conservation, format!("{on_hand} of {item} are on hand, the books say {expected}"));
    }
    Ok(())
}

/// Checks, once nothing runs any more, that repeating what was acknowledged changes nothing, that ordinary requests
/// clear away what is left, and that all there is can be sold.
pub fn close(case: &Case, world: &mut World) -> Checked {
    let told: Vec<_> = world.requests().map(|(_, request, answer)| (request.clone(), answer.cloned())).collect();
    for (request, answer) in told {
        let same = match (&request, answer) {
            (
                Request::Place(_, Some(_)),
                Some(Answer::Placed(order, Status::Placing | Status::Pending | Status::Paid)),
            ) => {
                match world.run(request.clone()) {
                    Answer::Placed(again, _) => again == order || may_be_swept(case, world, uuid(order)),
                    Answer::Refused(Error::InsufficientStock { .. }) => may_be_swept(case, world, uuid(order)),
                    // Another order with another first item had its key first.
                    Answer::Refused(Error::IdempotencyKeyReused) => {
                        world.mapped_to_another(order) || may_be_swept(case, world, uuid(order))
                    }
                    _ => false,
                }
            }
            (Request::Pay(_), Some(Answer::Paid)) => world.run(request.clone()) == Answer::Paid,
            (Request::Cancel(of), Some(Answer::Cancelled)) => match world.run(request.clone()) {
                Answer::Cancelled => true,
                Answer::Refused(Error::OrderNotFound) => world.is_removed(&uuid(first_order(*of))),
                _ => false,
            },
            (Request::Refund(..), Some(answer @ Answer::Refunded(_))) => world.run(request.clone()) == answer,
            (Request::TakeBack(..), Some(answer @ Answer::TakenBack(_))) => world.run(request.clone()) == answer,
            (Request::Adjust(_, _, Some(_)), Some(Answer::Adjusted)) => world.run(request.clone()) == Answer::Adjusted,
            _ => continue,
        };
        if !same {
            return broken(Rule::RetryIsSafe, format!("{request:?} is answered differently when it is repeated"));
        }
    }
    goods::finish(case, world)?;
    check(case, world)?;
    money::buyers_can_pay(case, world)?;
    nothing_is_kept_from_sale(case, world)?;

    world.expire();
    money::settle(case, world)?;
    for (item, _) in supplies(case, world)? {
        // Each settles up to eight expired holds.
        for _ in 0..2 {
            let answer = world.run(Request::Adjust(item, 1, None));
            if answer != Answer::Adjusted {
                return broken(Rule::NothingStuck, format!("{item} cannot be adjusted: {answer:?}"));
            }
        }
        let (held, on_hand) = world.item(item, |record| (record.holds.len(), record.on_hand)).unwrap_or_default();
        if held > 0 {
            return broken(Rule::NothingStuck, format!("{item} still has {held} holds"));
        }
        let all = world.run(Request::Place(vec![(item, on_hand)], None));
        let more = world.run(Request::Place(vec![(item, 1)], None));
        let sold_out = matches!(more, Answer::Refused(Error::InsufficientStock { .. }));
        if !matches!(all, Answer::Placed(_, Status::Pending)) || !sold_out {
            let what = format!("the {on_hand} of {item} on hand cannot be sold once: {all:?}, then {more:?}");
            return broken(Rule::NothingStuck, what);
        }
    }
    check(case, world)
}
