//! The bookkeeping: pure functions from what clients were told to what is wrong with it. They know the design's
//! invariants and nothing of how the facts were collected, and each is shown to catch a broken history.

use std::collections::{BTreeMap, BTreeSet};

use harness::observed::Stock;

use crate::envelope::Answer;
use crate::shapes::{Item, Order, Status};

/// That a request with an Idempotency-Key was answered with an order.
#[derive(Clone, Debug)]
pub struct Told {
    pub key: String,
    pub order_id: String,
    pub replayed: bool,
}

impl Told {
    #[track_caller]
    pub fn of(key: &str, answer: &Answer) -> Told {
        Told {
            key: key.to_owned(),
            order_id: answer.order(201).order_id,
            replayed: answer.header("idempotent-replayed") == Some("true"),
        }
    }
}

/// A key stands for one order, which one answer brought into the world and all others repeat; an order has one key.
pub fn key_violations(told: &[Told]) -> Vec<String> {
    let mut violations = Vec::new();
    let mut keys = BTreeMap::<_, Vec<_>>::new();
    for told in told {
        keys.entry(&told.key).or_default().push(told);
    }
    let mut owners = BTreeMap::new();
    for (key, told) in keys {
        let orders: BTreeSet<_> = told.iter().map(|told| &told.order_id).collect();
        if orders.len() > 1 {
            violations.push(format!("{key} stands for several orders: {orders:?}"));
        }
        let firsts = told.iter().filter(|told| !told.replayed).count();
        if firsts != 1 {
            violations.push(format!("{key}: {firsts} of {} answers say that they placed the order", told.len()));
        }
        for order in orders {
            if let Some(other) = owners.insert(order, key) {
                violations.push(format!("{order} was given for {other} and for {key}"));
            }
        }
    }
    violations
}

/// One client's part in a sale of one item: what it wanted, and every answer it got to that one wish.
#[derive(Clone, Debug)]
pub struct Wish {
    pub quantity: u64,
    pub replies: Vec<Reply>,
}

#[derive(Clone, Debug)]
pub enum Reply {
    Placed(Box<Order>),
    Refused { available: u64, requested: u64 },
}

/// A sale of one item in which nothing comes back: no cancelling, no expiry, no restock.
#[derive(Clone, Debug)]
pub struct Sale {
    pub item_id: String,
    pub stock: u64,
    pub wishes: Vec<Wish>,
    /// Every acknowledged order, as it was read afterwards.
    pub read: BTreeMap<String, Order>,
    /// What is left when all is over.
    pub left: u64,
}

pub fn sale_violations(sale: &Sale) -> Vec<String> {
    let mut violations = Vec::new();
    let mut owners = BTreeMap::new();
    let mut sold = 0;
    for (client, wish) in sale.wishes.iter().enumerate() {
        let mut orders = BTreeMap::new();
        let mut refused = 0;
        for reply in &wish.replies {
            match reply {
                Reply::Placed(order) => drop(orders.insert(&order.order_id, order)),
                Reply::Refused { available, requested } => {
                    refused += 1;
                    if requested != &wish.quantity || available >= requested {
                        violations.push(format!(
                            "client {client} wanted {} and was refused with {available} there and {requested} wanted",
                            wish.quantity,
                        ));
                    }
                }
            }
        }
        if wish.replies.is_empty() {
            violations.push(format!("client {client} got no answer"));
        }
        if orders.len() > 1 {
            violations.push(format!("client {client} got {} orders for one wish", orders.len()));
        }
        if refused > 0 && !orders.is_empty() {
            violations.push(format!("client {client} was both served and refused"));
        }
        // Stock only ever goes down here: what is there at the end was there when this client was refused.
        if refused > 0 && wish.quantity <= sale.left {
            violations.push(format!("client {client} was refused {} of {} that are left", wish.quantity, sale.left));
        }
        for (id, order) in orders {
            if order.quantity(&sale.item_id) != wish.quantity || order.items.len() != 1 {
                violations.push(format!("client {client} wanted {} and got {:?}", wish.quantity, order.items));
            }
            if let Some(other) = owners.insert(id, client) {
                violations.push(format!("clients {other} and {client} got the same order {id}"));
            }
            match sale.read.get(id) {
                None => violations.push(format!("order {id} was acknowledged and is not there")),
                Some(read) if read != order.as_ref() => {
                    violations.push(format!("order {id} changed by itself: {read:?}"))
                }
                Some(_) => {}
            }
            sold += wish.quantity;
        }
    }
    if sold + sale.left != sale.stock {
        violations.push(format!("{sold} sold and {} left of {}", sale.left, sale.stock));
    }
    violations
}

/// What an item started with, and what acknowledged adjustments added to it and took from it.
#[derive(Clone, Copy, Debug)]
pub struct Supply {
    pub initial: u64,
    pub adjusted: i64,
}

/// No oversell and conservation, as far as they show from outside: for every item, what is available is what was
/// supplied less what live orders hold, and only paid stock has left the shelf.
pub fn imbalances(supplies: &BTreeMap<String, Supply>, items: &[Item], orders: &[Order]) -> Vec<String> {
    let mut violations = Vec::new();
    let held = |item: &str, status: Status| -> u64 {
        orders.iter().filter(|order| order.status == status).map(|order| order.quantity(item)).sum()
    };
    let ids: BTreeSet<_> = orders.iter().map(|order| &order.order_id).collect();
    assert_eq!(ids.len(), orders.len(), "each order counts once");
    for (id, supply) in supplies {
        let Some(item) = items.iter().find(|item| item.item_id == *id) else {
            violations.push(format!("{id} is gone"));
            continue;
        };
        let (pending, paid) = (held(id, Status::Pending), held(id, Status::Paid));
        let supplied = supply.initial.cast_signed() + supply.adjusted;
        let stock = Stock { on_hand: item.on_hand, reserved: item.reserved, available: item.available };
        if stock.missing(supplied, pending, paid) != Some(0) {
            violations.push(format!("{id}: {stock:?}, with {pending} pending and {paid} paid of {supplied}"));
        }
    }
    violations
}

/// One look at an order that had been acknowledged before. `from` and `to` are readings of one clock, taken before the
/// request was sent and after its answer came.
#[derive(Clone, Debug)]
pub struct Sighting {
    pub order_id: String,
    pub from: u64,
    pub to: u64,
    pub seen: Seen,
}

#[derive(Clone, Debug)]
pub enum Seen {
    Order(Box<Order>),
    /// Refused to be paid: void.
    NotPayable,
    /// Refused to be cancelled: paid, or void for another reason.
    NotCancellable,
}

/// One fate, for ever, and told is true: no order has two fates, none loses the one it had, none that was acknowledged
/// is rejected, and what was ordered and paid stays what it was.
pub fn contradictions(sightings: &[Sighting]) -> Vec<String> {
    let mut violations = Vec::new();
    let mut orders = BTreeMap::<_, Vec<_>>::new();
    for sighting in sightings {
        orders.entry(&sighting.order_id).or_default().push(sighting);
    }
    for (id, sightings) in orders {
        let mut fates = BTreeSet::new();
        let mut decided = u64::MAX;
        let (mut void, mut not_cancelled) = (false, false);
        let mut first: Option<&Order> = None;
        let mut paid: Option<&Order> = None;
        for sighting in &sightings {
            match &sighting.seen {
                Seen::Order(order) => {
                    if order.order_id != *id {
                        violations.push(format!("asked for {id} and got {}", order.order_id));
                    }
                    let first = *first.get_or_insert(order);
                    if (&order.items, &order.customer_id, order.placed_at, order.expires_at)
                        != (&first.items, &first.customer_id, first.placed_at, first.expires_at)
                    {
                        violations.push(format!("{id} changed: {first:?} and {order:?}"));
                    }
                    match order.status {
                        Status::Placing | Status::Rejected => {
                            violations.push(format!("{id} was acknowledged, and then {:?}", order.status));
                        }
                        Status::Pending => continue,
                        Status::Paid | Status::Fulfilled | Status::Refunded => {
                            let paid = *paid.get_or_insert(order);
                            if paid.payment != order.payment {
                                violations.push(format!("{id} was paid twice: {paid:?} and {order:?}"));
                            }
                        }
                        Status::Cancelled | Status::Expired => {}
                    }
                    fates.insert(order.status);
                }
                Seen::NotPayable => void = true,
                Seen::NotCancellable => not_cancelled = true,
            }
            decided = decided.min(sighting.to);
        }
        if fates.len() > 1 {
            violations.push(format!("{id} has several fates: {fates:?}"));
        }
        if void && fates.contains(&Status::Paid) {
            violations.push(format!("{id} was paid, and said to be void"));
        }
        if not_cancelled && fates.contains(&Status::Cancelled) {
            violations.push(format!("{id} was cancelled, and said to have another fate"));
        }
        for sighting in sightings {
            if let Seen::Order(order) = &sighting.seen
                && order.status == Status::Pending
                && sighting.from > decided
            {
                violations.push(format!("{id} was {fates:?}, and pending again later"));
            }
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn order(id: &str, status: &str, quantity: u64) -> Order {
        let mut order = json!({
            "order_id": id, "status": status, "total": quantity, "currency": "CNY", "currency_digits": 2,
            "items": [{"item_id": "a", "quantity": quantity, "unit_price": 1}],
            "placed_at": "2026-01-01T00:00:00.000Z", "expires_at": "2026-01-01T00:15:00.000Z",
        });
        if status == "paid" {
            order["payment"] = json!({"status": "paid", "charged": false, "amount": quantity, "method": "card", "paid_at": "2026-01-01T00:01:00.000Z"});
        }
        Order::parse(order.to_string().as_bytes()).unwrap()
    }

    fn told(key: &str, order: &str, replayed: bool) -> Told {
        Told { key: key.to_owned(), order_id: order.to_owned(), replayed }
    }

    #[test]
    fn broken_promises_about_keys_are_caught() {
        let sound = [told("k", "1", false), told("k", "1", true), told("l", "2", false)];
        assert!(key_violations(&sound).is_empty());
        for (broken, why) in [
            (told("k", "3", true), "a second order for one key"),
            (told("k", "1", false), "placed twice"),
            (told("m", "1", false), "one order for two keys"),
            (told("m", "4", true), "a repeat of nothing"),
        ] {
            let mut history = sound.to_vec();
            history.push(broken);
            assert!(!key_violations(&history).is_empty(), "{why}");
        }
    }

    /// Five pieces: two to the first client, which asked twice, two to the second, and one left that the third, which
    /// wanted two, could not have.
    fn sale() -> Sale {
        let served = |id| Wish { quantity: 2, replies: vec![Reply::Placed(Box::new(order(id, "pending", 2))); 2] };
        let refused = Wish { quantity: 2, replies: vec![Reply::Refused { available: 1, requested: 2 }] };
        Sale {
            item_id: "a".to_owned(),
            stock: 5,
            wishes: vec![served("1"), served("2"), refused],
            read: ["1", "2"].into_iter().map(|id| (id.to_owned(), order(id, "pending", 2))).collect(),
            left: 1,
        }
    }

    #[test]
    fn a_sale_that_does_not_add_up_is_caught() {
        assert_eq!(sale_violations(&sale()), Vec::<String>::new());
        type Damage = fn(&mut Sale);
        let damages: [(&str, Damage); 10] = [
            ("oversold", |sale| sale.stock = 4),
            ("stock lost", |sale| sale.left = 0),
            ("stock lost before the sale was over", |sale| sale.stock = 6),
            ("an order to two clients", |sale| sale.wishes[1] = sale.wishes[0].clone()),
            ("two orders for one wish", |sale| {
                sale.wishes[0].replies.push(Reply::Placed(Box::new(order("3", "pending", 2))));
                sale.read.insert("3".to_owned(), order("3", "pending", 2));
                sale.stock += 2;
            }),
            ("an order that is gone", |sale| drop(sale.read.remove("1"))),
            ("an order that changed", |sale| drop(sale.read.insert("1".to_owned(), order("1", "expired", 2)))),
            ("refused with enough there", |sale| {
                sale.wishes[2].replies = vec![Reply::Refused { available: 2, requested: 2 }];
            }),
            ("refused what is left", |sale| {
                sale.wishes[2] = Wish { quantity: 1, replies: vec![Reply::Refused { available: 0, requested: 1 }] };
            }),
            ("served and refused", |sale| {
                sale.wishes[1].replies.push(Reply::Refused { available: 1, requested: 2 });
            }),
        ];
        for (name, damage) in damages {
            let mut sale = sale();
            damage(&mut sale);
            assert!(!sale_violations(&sale).is_empty(), "{name}");
        }
        let mut less = sale();
        less.wishes[0].replies = vec![Reply::Placed(Box::new(order("1", "pending", 1)))];
        less.read.insert("1".to_owned(), order("1", "pending", 1));
        assert!(!sale_violations(&less).is_empty(), "another quantity");
        let mut unanswered = sale();
        unanswered.wishes[2].replies.clear();
        assert!(!sale_violations(&unanswered).is_empty(), "no answer");
    }

    fn item(on_hand: u64, reserved: u64, available: u64) -> Item {
        Item {
            item_id: "a".to_owned(),
            on_hand,
            reserved,
            available,
            unit_price: 1,
            currency: "CNY".to_owned(),
            currency_digits: 2,
            max_per_order: None,
            name: None,
            image: None,
        }
    }

    #[test]
    fn books_that_do_not_balance_are_caught() {
        let supplies = BTreeMap::from([("a".to_owned(), Supply { initial: 10, adjusted: -1 })]);
        let orders =
            [order("1", "pending", 2), order("2", "paid", 3), order("3", "cancelled", 5), order("4", "expired", 5)];
        // Of nine supplied five are sold or promised; the paid three have left the shelf, or have not yet.
        for sound in [item(9, 5, 4), item(6, 2, 4), item(8, 4, 4)] {
            assert_eq!(imbalances(&supplies, &[sound], &orders), Vec::<String>::new());
        }
        for (broken, why) in [
            (item(9, 4, 5), "a live order holds nothing"),
            (item(9, 6, 3), "a dead order holds stock"),
            (item(10, 5, 5), "an adjustment was lost"),
            (item(10, 6, 4), "stock from nowhere"),
            (item(5, 1, 4), "more has left the shelf than was paid"),
        ] {
            assert!(!imbalances(&supplies, &[broken], &orders).is_empty(), "{why}");
        }
        assert!(!imbalances(&supplies, &[], &orders).is_empty(), "the item is gone");
        let many = [order("1", "paid", 6), order("2", "pending", 4)];
        assert!(!imbalances(&supplies, &[item(9, 9, 0)], &many).is_empty(), "oversold");
        let taken = BTreeMap::from([("a".to_owned(), Supply { initial: 1, adjusted: -2 })]);
        assert!(!imbalances(&taken, &[item(0, 0, 0)], &[]).is_empty(), "taken below nothing");
    }

    #[test]
    fn contradictory_fates_are_caught() {
        let see = |from: u64, seen: Seen| Sighting { order_id: "1".to_owned(), from, to: from + 1, seen };
        let is = |status: &str| Seen::Order(Box::new(order("1", status, 1)));
        let sound = [
            see(0, is("pending")),
            see(2, is("paid")),
            // Asked before the payment was known, answered after it: still sound.
            Sighting { order_id: "1".to_owned(), from: 1, to: 9, seen: is("pending") },
            see(4, is("paid")),
            see(6, Seen::NotCancellable),
        ];
        assert_eq!(contradictions(&sound), Vec::<String>::new());
        let mut another_payment = order("1", "paid", 1);
        another_payment.payment.as_mut().unwrap().method = "cash".to_owned();
        for (broken, why) in [
            (is("cancelled"), "two fates"),
            (is("expired"), "two fates"),
            (is("pending"), "a fate undone"),
            (is("rejected"), "rejected after it was acknowledged"),
            (is("placing"), "placing after it was acknowledged"),
            (Seen::NotPayable, "paid and void"),
            (Seen::Order(Box::new(another_payment)), "another payment"),
            (Seen::Order(Box::new(order("1", "paid", 2))), "another content"),
            (Seen::Order(Box::new(order("2", "paid", 1))), "another client's order"),
        ] {
            let mut history = sound.to_vec();
            history.push(see(10, broken));
            assert!(!contradictions(&history).is_empty(), "{why}");
        }
        assert!(!contradictions(&[see(0, is("cancelled")), see(2, Seen::NotCancellable)]).is_empty());
        assert!(!contradictions(&[see(0, Seen::NotPayable), see(2, is("pending"))]).is_empty());
    }
}
