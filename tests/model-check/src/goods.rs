//! What must hold of goods that go out and come back: read off the records and the answers alone.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::invariants::{Checked, Rule, broken, supplies};
use crate::record::Payment;
use crate::request::{Answer, Request};
use crate::world::{Case, World};

/// How many of an item came back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Back {
    pub returned: u64,
    pub written_off: u64,
}

/// How many of an item are back by the records of orders: of returns that are done, or that the item remembers.
pub fn of_orders(world: &World, item: &str) -> Back {
    let remembered = |record: &records::Item| record.returns.iter().map(|one| one.id.to_string()).collect();
    let remembered: BTreeSet<String> = world.item(item, remembered).unwrap_or_default();
    let mut back = Back::default();
    world.each_order(|order| {
        let add = |payment: &Payment| {
            for one in payment.returns.iter().filter(|one| one.done || remembered.contains(&one.id)) {
                let quantity = one.of(item);
                back.returned += quantity;
                back.written_off += if one.to == "written_off" { quantity } else { 0 };
            }
        };
        let _ = world.payment(order.order_id, add);
    });
    back
}

/// An item has what the records of orders say, once.
pub fn came_back_once(world: &World, item: &str) -> Checked {
    let says = |record: &records::Item| Back {
        returned: record.returned.unwrap_or_default(),
        written_off: record.written_off.unwrap_or_default(),
    };
    let (says, recorded) = (world.item(item, says).unwrap_or_default(), of_orders(world, item));
    if says == recorded {
        return Ok(());
    }
    broken(Rule::ReturnsAddUp, format!("{item} says that {says:?} came back, and orders say {recorded:?}"))
}

/// No more comes back of an order than it had, and nothing of one that is not paid.
pub fn no_more_than_was_sold(world: &World) -> Checked {
    let mut found = Ok(());
    world.each_order(|order| {
        let too_much = |payment: &Payment| {
            let sum = |item: &str| payment.returns.iter().map(|one| one.of(item)).sum::<u64>();
            let line = order.lines.iter().find(|line| sum(&line.item_id) > line.quantity);
            let is_sold = payment.is("paid") || payment.returns.is_empty() && payment.fulfilment.is_none();
            (line.is_some() || !is_sold).then(|| format!("{}: {payment:?}", order.order_id))
        };
        if let Some(what) = world.payment(order.order_id, too_much).flatten() {
            found = broken(Rule::ReturnsAddUp, what);
        }
    });
    found
}

/// What a client was told of goods is so, and stays so.
pub fn told(world: &World, order: Uuid, answer: &Answer) -> bool {
    let is = |payment: &Payment| match answer {
        Answer::TakenBack(id) => payment.returns.iter().any(|one| one.id == *id && one.done),
        Answer::Sent(carrier, delivered) => payment.fulfilment.as_ref().is_some_and(|out| {
            let is_delivered = out.delivered_at.is_some() && out.shipment.carrier.as_deref() == Some(*carrier);
            !delivered || is_delivered
        }),
        _ => true,
    };
    world.payment(order, is).unwrap_or(false)
}

/// Ordinary requests finish the returns that were cut off, and then no item remembers any.
pub fn finish(case: &Case, world: &mut World) -> Checked {
    let of = |request: &Request| if let Request::TakeBack(of, ..) = request { Some(*of) } else { None };
    let orders: BTreeSet<_> = world.requests().filter_map(|(_, request, _)| of(request)).collect();
    if orders.is_empty() {
        return Ok(());
    }
    for of in orders {
        match world.run(Request::Returns(of)) {
            Answer::ReturnsDone(false) => {
                return broken(Rule::NothingStuck, format!("a return of the order of request {of} is not done"));
            }
            Answer::ReturnsDone(true) | Answer::Refused(_) => {}
            answer => {
                return broken(Rule::NothingStuck, format!("returns are asked for, and the answer is {answer:?}"));
            }
        }
    }
    let _ = world.run(Request::Sweep);
    for (item, _) in supplies(case, world)? {
        let remembered = world.item(item, |record| record.returns.len()).unwrap_or_default();
        if remembered > 0 {
            return broken(Rule::NothingStuck, format!("{item} still remembers {remembered} returns"));
        }
    }
    Ok(())
}
