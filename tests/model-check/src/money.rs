//! What must hold of money: read off the provider's sessions, the records and the answers alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use domain::{Error, Status};
use uuid::Uuid;

use crate::invariants::{Checked, Rule, broken, check as check_all, holds, supplies};
use crate::provider::{Happens, Is, Refund, Session};
use crate::record::{Late, Order, Payment};
use crate::request::{Answer, Request};
use crate::world::{Case, World};

/// What the provider has of one order.
#[derive(Debug, Default)]
struct Money {
    /// The sessions, by their names.
    sessions: BTreeMap<String, Session>,
}

impl Money {
    /// Those in which the buyer was charged and has the money not back.
    fn charged(&self) -> impl Iterator<Item = &str> {
        self.sessions.iter().filter(|(_, session)| session.pays()).map(|(id, _)| id.as_str())
    }
}

fn by_order(world: &World) -> BTreeMap<Uuid, Money> {
    let mut all = BTreeMap::<Uuid, Money>::new();
    for (id, session) in world.sessions() {
        let order = session.order.parse().expect("it is an order");
        all.entry(order).or_default().sessions.insert(id.to_owned(), session);
    }
    all
}

/// Whether the provider has charged a buyer although it had said that the session is closed.
fn has_lied(case: &Case, world: &World) -> bool {
    world.faults().charges_all_the_same < case.faults.charges_all_the_same
}

/// Whether a buyer was charged something else than the order costs.
fn is_wrong(session: &Session) -> bool {
    session.charged > 0 && session.charged != session.amount
}

/// Checks what must hold at every moment.
pub fn check(case: &Case, world: &World) -> Checked {
    if !case.rules.provider {
        return Ok(());
    }
    let all = by_order(world);
    let sent_to: Vec<_> = world.sent_to().collect();
    for (order, money) in &all {
        for (id, session) in &money.sessions {
            refunds_add_up(world, order, id, session)?;
        }
        no_more_than_was_paid(world, order)?;
        let on_record = world.payment(order, |payment| {
            let pays = payment.is("paid") || payment.is_at_provider();
            payment.session.clone().filter(|_| pays)
        });
        let on_record = on_record.flatten();
        if has_lied(case, world) {
            continue;
        }
        // What was charged wrongly goes back, as its record says from the moment at which its session is over.
        let is_wrong = |id: &&str| money.sessions.get(*id).is_some_and(is_wrong);
        for id in money.sessions.keys().map(String::as_str).filter(is_wrong) {
            let is_known = world.payment(order, |payment| {
                payment.session.as_deref() == Some(id) && payment.is_at_provider()
                    || payment.late.iter().any(|late| late.session == id)
            });
            if is_known == Some(false) {
                return broken(Rule::ChargedMeansSold, format!("the wrong charge in {id} is on no record"));
            }
        }
        if money.charged().filter(|id| !is_wrong(id)).count() > 1 {
            return broken(Rule::ChargedOnce, format!("{order} was charged twice"));
        }
        let is_over = |session: &Session| matches!(session.is, Is::Closed | Is::Lost);
        let is_live = |id: &&str| money.sessions.get(*id).is_some_and(|session| !is_over(session)) && !is_wrong(id);
        let others = |id: &&&str| on_record.as_deref() != Some(**id);
        if let Some(id) = sent_to.iter().filter(|id| is_live(id)).find(others) {
            let what =
                format!("the buyer can be charged in {id}, or was, and the record of the order has {on_record:?}");
            return broken(Rule::ChargedOnce, what);
        }
    }
    let mut found = Ok(());
    world.each_order(|order| {
        if found.is_ok() {
            found = paid_is_charged(world, order, all.get(&order.order_id));
        }
    });
    found
}

/// What goes back was charged, goes back once, and is on record.
fn refunds_add_up(world: &World, order: &Uuid, id: &str, session: &Session) -> Checked {
    if session.refunds.is_empty() {
        return Ok(());
    }
    let made: u64 = session.made().map(|refund| refund.amount).sum();
    let names: BTreeSet<_> = session.made().map(|refund| &refund.name).collect();
    if made > session.charged || names.len() < session.made().count() {
        return broken(
            Rule::RefundsAddUp,
            format!("{} went back of the {} of {id}: {session:?}", made, session.charged),
        );
    }
    let is_on_record = world.payment(order, |payment| {
        let (of_payment, late): (Vec<_>, Vec<_>) = session.refunds.iter().partition(|refund| refund.is_of_payment());
        let is_known = |refund: &&Refund| payment.refunds.iter().any(|one| one.id == refund.name);
        of_payment.iter().all(is_known) && payment.late.iter().filter(|late| late.session == *id).count() >= late.len()
    });
    // A provider that charges a buyer in the moment in which a sweep removes the order has the refund made, and its
    // record removed.
    if is_on_record == Some(true) || world.is_removed(order) {
        return Ok(());
    }
    broken(Rule::RefundsAddUp, format!("the refund of {id} is on no record"))
}

/// By the record of an order no more goes back than was paid.
fn no_more_than_was_paid(world: &World, order: &Uuid) -> Checked {
    let sum = world.payment(order, |payment| {
        let sum: u64 = payment.refunds.iter().filter(|one| !one.is("failed")).map(|one| one.amount).sum();
        (sum, payment.amount.unwrap_or_default())
    });
    match sum {
        Some((sum, paid)) if sum > paid => broken(Rule::RefundsAddUp, format!("{sum} of {paid} go back of {order}")),
        _ => Ok(()),
    }
}

/// A paid order was charged what it costs, in its session. One that is at the provider has its goods.
fn paid_is_charged(world: &World, order: &Order, money: Option<&Money>) -> Checked {
    let total: u64 = order.lines.iter().map(|line| line.quantity * line.unit_price).sum();
    let state = world.payment(order.order_id, |payment| {
        (payment.is("paid"), payment.is_at_provider(), payment.session.clone(), payment.amount)
    });
    let Some((is_paid, is_at_provider, session, amount)) = state else { return Ok(()) };
    let order_id = order.order_id;
    if is_at_provider && !order.lines.iter().all(|line| holds(world, &line.item_id, order_id)) {
        return broken(Rule::ChargedMeansSold, format!("{order_id} is at the provider, and its goods are not held"));
    }
    if !is_paid {
        return Ok(());
    }
    let session = session.and_then(|id| money?.sessions.get(&id));
    match session {
        Some(session) if session.pays() && session.charged == total && amount == Some(total) => Ok(()),
        session => broken(Rule::ChargedMeansSold, format!("{order_id} is paid {amount:?}, and charged is {session:?}")),
    }
}

/// Once nothing runs any more, the buyer of every order that is not decided can pay it, or has paid it.
pub fn buyers_can_pay(case: &Case, world: &World) -> Checked {
    if !case.rules.provider {
        return Ok(());
    }
    for number in 0..case.requests.len() {
        let order = crate::request::first_order(number);
        if world.payment(order, |payment| payment.is("unpaid")) != Some(true) || is_lost(world, order) {
            continue;
        }
        let mut world = world.clone();
        // The provider may remember a session that was closed before it was on record, or that it has refused one.
        for _ in 0..2 {
            world.run(Request::Pay(number));
        }
        let answer = world.run(Request::Pay(number));
        let is = |id: &str| world.sessions().find(|(other, _)| *other == id).map(|(_, session)| session.is);
        let can_pay = match &answer {
            Answer::SentTo(id) => is(id) == Some(Is::Open),
            // Its own request, or its time, has come to nothing.
            Answer::Paid | Answer::Processing | Answer::Refused(Error::OrderNotPayable(_)) => true,
            // The provider remembers a session that it has lost: the operator sees to it.
            Answer::Refused(Error::SessionLost(_)) => is_lost(&world, order),
            _ => false,
        };
        if !can_pay {
            return broken(Rule::NothingStuck, format!("the buyer of {order} cannot pay: {answer:?}"));
        }
        check_all(case, &world)?;
    }
    Ok(())
}

/// Whether the provider does not know the session on an order's record any more.
fn is_lost(world: &World, order: impl Display) -> bool {
    let on_record = world.payment(order, |payment| payment.session.clone().filter(|_| payment.is_at_provider()));
    let is_lost = |id: String| world.sessions().any(|(other, session)| *other == id && session.is == Is::Lost);
    on_record.flatten().is_some_and(is_lost)
}

/// What a sweep follows to its end is every refund that is on record, and it has nothing left to do.
fn refunds_are_finished(world: &World) -> Checked {
    for order in by_order(world).into_keys().filter(|order| !world.is_removed(order)) {
        let is_unfinished = |payment: &Payment| {
            payment.late.iter().any(|late| late.refund.is_none())
                || payment.refunds.iter().any(|one| one.state.is_none())
        };
        if world.payment(order, is_unfinished) == Some(true) {
            return broken(Rule::NothingStuck, format!("no sweep finds the refund of {order}"));
        }
    }
    match world.unfinished_refunds() {
        0 => Ok(()),
        count => broken(Rule::NothingStuck, format!("{count} refunds stay listed")),
    }
}

/// The operator sees to what is left: to sessions that are lost, and to refunds that have failed.
fn operate(case: &Case, world: &mut World) -> Checked {
    for number in 0..case.requests.len() {
        let order = crate::request::first_order(number);
        if is_lost(world, order) {
            let abandoned = world.run(Request::Abandon(number));
            if abandoned != Answer::Abandoned {
                return broken(Rule::NothingStuck, format!("an order whose session is lost is told {abandoned:?}"));
            }
        }
        let has_failed = world.payment(order, |payment| {
            let last = |late: &&Late| payment.late.iter().rfind(|other| other.session == late.session);
            let is_last = |late: &&Late| last(late).is_some_and(|last| std::ptr::eq(last, *late));
            payment.late.iter().filter(is_last).any(|late| late.refund.as_deref() == Some("failed"))
        });
        if has_failed == Some(true) {
            let retried = world.run(Request::Retry(number));
            if retried != Answer::Retried {
                return broken(Rule::NothingStuck, format!("the refunds of {order} cannot be made again: {retried:?}"));
            }
        }
    }
    check_all(case, world)
}

/// Lets all that is overdue be decided: by a customer who finds too little, by a sweep, by messages of the provider, by
/// the operator. Then checks that the money is where the goods are.
pub fn settle(case: &Case, world: &mut World) -> Checked {
    if !case.rules.provider {
        return Ok(());
    }
    // What takes a while ends.
    let processing = world.sessions().filter(|(_, session)| session.is == Is::Processing);
    let processing: Vec<_> = processing.map(|(id, _)| id.to_owned()).collect();
    for (number, id) in processing.iter().enumerate() {
        world.happen(id, if number % 2 == 0 { Happens::Pays } else { Happens::FailsForGood });
    }
    customers_get_what_is_overdue(case, &mut world.clone())?;
    // The second takes out of the list what the first has put there itself.
    for _ in 0..2 {
        let swept = world.run(Request::Sweep);
        if swept != Answer::Swept {
            return broken(Rule::NothingStuck, format!("a sweep is told {swept:?}"));
        }
        check_all(case, world)?;
    }
    refunds_are_finished(world)?;
    operate(case, world)?;
    let has_refund_failed = world.faults().refund_failures < case.faults.refund_failures;
    if !has_refund_failed && !has_lied(case, world) {
        money_is_where_the_goods_are(world)?;
    }
    for _ in 0..2 {
        for number in 0..case.requests.len() {
            let order = crate::request::first_order(number);
            let sessions = by_order(world).remove(&order.to_string().parse().expect("it is an id"));
            for session in 0..sessions.map_or(0, |money| money.sessions.len()) {
                for request in [Request::Notice(number, session), Request::RefundNotice(number, session)] {
                    let noticed = world.run(request);
                    if noticed != Answer::Noticed {
                        return broken(Rule::NothingStuck, format!("a message of the provider is told {noticed:?}"));
                    }
                }
            }
        }
    }
    operate(case, world)?;
    records_say_what_went_back(world)?;
    money_is_where_the_goods_are(world)
}

/// What overdue orders hold that are not paid is sold to the first order that needs it.
fn customers_get_what_is_overdue(case: &Case, world: &mut World) -> Checked {
    for (item, _) in supplies(case, world)? {
        let held = world.item(item, |record| {
            (record.holds.iter().map(|(order, hold)| (*order, hold.quantity)).collect::<Vec<_>>(), record.on_hand)
        });
        let Some((held, on_hand)) = held else { continue };
        let is_charged = |order: &Uuid| by_order(world).get(order).is_some_and(|money| money.charged().count() > 0);
        let is_needed = |order: &Uuid| {
            let is = world.payment(order, |payment| (payment.is("paid"), payment.is_at_provider()));
            let is_kept = |is_at_provider| is_at_provider && (is_charged(order) || is_lost(world, order));
            is.is_some_and(|(is_paid, is_at_provider)| is_paid || is_kept(is_at_provider))
        };
        let needed: u64 = held.iter().filter(|(order, _)| is_needed(order)).map(|(_, quantity)| quantity).sum();
        let Some(free @ 1..) = on_hand.checked_sub(needed) else { continue };
        let answer = world.run(Request::Place(vec![(item, free)], None));
        if !matches!(answer, Answer::Placed(_, Status::Pending)) {
            let what = format!("{free} of {item} are held by overdue orders, and an order is told {answer:?}");
            return broken(Rule::NothingStuck, what);
        }
    }
    check_all(case, world)
}

/// Once nothing runs any more, and the provider has said what has happened, a record says of each refund what the provider
/// says.
fn records_say_what_went_back(world: &World) -> Checked {
    for (order, money) in by_order(world) {
        let made = |id: &str| money.sessions.values().flat_map(Session::made).any(|refund| refund.name == id);
        let wrong = world.payment(order, |payment| {
            let differs = payment.refunds.iter().find(|one| one.is("succeeded") != made(&one.id));
            differs.map(|one| format!("{one:?}"))
        });
        if let Some(what) = wrong.flatten() {
            return broken(Rule::RefundsAddUp, format!("the provider says otherwise of {what} of {order}: {money:?}"));
        }
    }
    Ok(())
}

/// Whether a client was told of a refund that is on record.
pub fn is_refund_told(world: &World, order: Uuid, id: &str) -> bool {
    world.payment(order, |payment| payment.refunds.iter().any(|one| one.id == id)).unwrap_or(false)
}

/// Every order is decided. A buyer who was charged has the goods, and one who has not got the goods has the money.
fn money_is_where_the_goods_are(world: &World) -> Checked {
    // Of an order that was removed the provider may say what it will: it is not this shop's any more.
    for (order, money) in by_order(world).into_iter().filter(|(order, _)| !world.is_removed(order)) {
        let is = world.payment(order, |payment| (payment.is("paid"), payment.is("unpaid"))).unwrap_or_default();
        let charged = money.charged().count();
        match is {
            (_, true) => return broken(Rule::NothingStuck, format!("{order} is not decided")),
            (true, _) if charged == 1 => {}
            (false, _) if charged == 0 => {}
            (is_paid, _) => {
                let what =
                    format!("{order} is {}paid, and {charged} charges of it stay", if is_paid { "" } else { "not " });
                return broken(if charged > 1 { Rule::ChargedOnce } else { Rule::ChargedMeansSold }, what);
            }
        }
    }
    Ok(())
}
