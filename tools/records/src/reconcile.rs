//! Whether a shop and its payment provider say the same of every order: each charge that stays belongs to a paid order,
//! each paid order was charged once, just what it costs, and what came too late has gone back.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;
use uuid::Uuid;

use crate::Unreadable;

/// An order, as far as money is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// What it costs, in minor units.
    pub total: u64,
    /// In which currency, in capitals.
    pub currency: String,
    /// What it is.
    pub payment: Payment,
    /// Charges that came too late.
    pub late: Vec<Late>,
}

/// What an order has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payment {
    /// It is undecided.
    Undecided {
        /// The session in which its buyer may be paying.
        session: Option<String>,
    },
    /// It is paid.
    Paid {
        /// What the payment is called at the provider; none where it was recorded without one.
        charge: Option<String>,
    },
    /// It has come to nothing.
    Void,
}

/// A charge that came too late, as it is on the order's record.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Late {
    /// Which charge.
    pub charge: String,
    /// How far its refund has come, as far as the shop knows: `succeeded`, where it has heard of the end.
    #[serde(default)]
    pub refund: Option<String>,
}

/// What a buyer was charged, by the provider's own books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// The provider's name of it, as the shop has it on record.
    pub id: String,
    /// For which order.
    pub order: Uuid,
    /// In minor units.
    pub amount: u64,
    /// In which currency, in capitals.
    pub currency: String,
    /// How much of it has gone back.
    pub refunded: u64,
    /// How much of it is on its way back.
    pub refunding: u64,
}

impl Charge {
    /// Whether the buyer is without some of it, and none is on its way back.
    fn stays(&self) -> bool {
        self.refunded.saturating_add(self.refunding) < self.amount
    }
}

/// How a shop and its provider differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The buyer was charged, and the order is undecided.
    ChargedNotPaid,
    /// The order is paid, and the buyer was not charged by what is on record.
    PaidNotCharged,
    /// The buyer was charged another amount than the order costs.
    OtherAmount,
    /// The buyer was charged in another currency.
    OtherCurrency,
    /// The buyer was charged more than once.
    ChargedTwice,
    /// The order has come to nothing, and the buyer was charged.
    VoidAndCharged,
    /// The order is paid, and money has gone back.
    PaidAndGivenBack,
    /// A refund has not come to its end, or the shop has not heard of it.
    RefundUnfinished,
    /// A buyer was charged for an order that the shop does not have.
    NoSuchOrder,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ChargedNotPaid => "charged and not paid",
            Self::PaidNotCharged => "paid and not charged",
            Self::OtherAmount => "charged another amount",
            Self::OtherCurrency => "charged in another currency",
            Self::ChargedTwice => "charged twice",
            Self::VoidAndCharged => "void, charged and not refunded",
            Self::PaidAndGivenBack => "paid, and the money has gone back",
            Self::RefundUnfinished => "the refund is unfinished",
            Self::NoSuchOrder => "charged, and the shop has no such order",
        })
    }
}

/// A difference between a shop and its provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Of which order.
    pub order: Uuid,
    /// What differs.
    pub kind: Kind,
    /// The provider's name of the charge, where there is one.
    pub charge: Option<String>,
    /// The numbers.
    detail: String,
}

impl Difference {
    /// Whether this is the same difference, whatever its numbers.
    fn is(&self, other: &Self) -> bool {
        (self.order, self.kind, &self.charge) == (other.order, other.kind, &other.charge)
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { order, kind, charge, detail } = self;
        write!(f, "order {order}: {kind}: {detail}")?;
        charge.iter().try_for_each(|charge| write!(f, " ({charge})"))
    }
}

/// The differences that are in both comparisons: a shop that sells meanwhile is compared before and after its provider
/// was asked, and what was under way is in one of them alone.
pub fn lasting(before: Vec<Difference>, after: &[Difference]) -> Vec<Difference> {
    before.into_iter().filter(|difference| after.iter().any(|other| difference.is(other))).collect()
}

/// Every difference between the orders of a shop and what its provider has charged, order by order.
pub fn differences(shop: &BTreeMap<Uuid, Account>, charges: &[Charge]) -> Vec<Difference> {
    let mut by_order: BTreeMap<Uuid, Vec<&Charge>> = BTreeMap::new();
    for charge in charges {
        by_order.entry(charge.order).or_default().push(charge);
    }
    let orders: BTreeSet<_> = shop.keys().chain(by_order.keys()).copied().collect();
    let mut found = Vec::new();
    for order in orders {
        let charges = by_order.remove(&order).unwrap_or_default();
        let mut compared = Compared { order, found: &mut found };
        match shop.get(&order) {
            Some(account) => compared.account(account, &charges),
            None => {
                for charge in charges.into_iter().filter(|charge| charge.stays()) {
                    compared.add(Kind::NoSuchOrder, Some(charge), amount(charge));
                }
            }
        }
    }
    found
}

/// What a charge took, for a reader.
fn amount(charge: &Charge) -> String {
    format!("{} {}", charge.amount, charge.currency)
}

/// One order, which is being compared.
struct Compared<'a> {
    order: Uuid,
    found: &'a mut Vec<Difference>,
}

impl Compared<'_> {
    fn add(&mut self, kind: Kind, charge: Option<&Charge>, detail: String) {
        let charge = charge.map(|charge| charge.id.clone());
        self.found.push(Difference { order: self.order, kind, charge, detail });
    }

    fn account(&mut self, account: &Account, charges: &[&Charge]) {
        let stay: Vec<_> = charges.iter().copied().filter(|charge| charge.stays()).collect();
        if stay.len() > 1 {
            let names: Vec<_> = stay.iter().map(|charge| charge.id.as_str()).collect();
            self.add(Kind::ChargedTwice, None, format!("{} times, {}", stay.len(), names.join(", ")));
        }
        match &account.payment {
            Payment::Paid { charge: Some(id) } => match charges.iter().find(|charge| charge.id == *id) {
                Some(charge) => {
                    self.worth(account, charge);
                    let back = charge.refunded.saturating_add(charge.refunding);
                    if back > 0 {
                        self.add(Kind::PaidAndGivenBack, Some(charge), format!("{back} of {}", amount(charge)));
                    }
                }
                None => self.add(Kind::PaidNotCharged, None, format!("there is no charge {id} of it")),
            },
            Payment::Paid { charge: None } if charges.is_empty() && account.total == 0 => {}
            Payment::Paid { charge: None } => {
                let detail = format!("{} {} were recorded without a provider", account.total, account.currency);
                self.add(Kind::PaidNotCharged, None, detail);
            }
            Payment::Undecided { session } => {
                for charge in stay {
                    let right = self.worth(account, charge);
                    let at = session.as_deref().map_or("not at the provider".to_owned(), |id| format!("in {id}"));
                    // What was charged wrongly pays nothing, until a person has seen to it.
                    if right {
                        self.add(
                            Kind::ChargedNotPaid,
                            Some(charge),
                            format!("{}, and the order is {at}", amount(charge)),
                        );
                    }
                }
            }
            Payment::Void => {
                for charge in stay {
                    self.add(Kind::VoidAndCharged, Some(charge), amount(charge));
                }
            }
        }
        self.refunds(account, charges);
    }

    /// Compares what was charged with what the order costs.
    fn worth(&mut self, account: &Account, charge: &Charge) -> bool {
        let detail = format!("{}, and it costs {} {}", amount(charge), account.total, account.currency);
        let (amount, currency) = (charge.amount == account.total, charge.currency == account.currency);
        if !amount {
            self.add(Kind::OtherAmount, Some(charge), detail.clone());
        }
        if !currency {
            self.add(Kind::OtherCurrency, Some(charge), detail);
        }
        amount && currency
    }

    /// Compares the refunds of charges that came too late, and any that are under way.
    fn refunds(&mut self, account: &Account, charges: &[&Charge]) {
        for (number, late) in account.late.iter().enumerate() {
            // One that has failed and was made again: the last one counts.
            if account.late.iter().skip(number + 1).any(|later| later.charge == late.charge) {
                continue;
            }
            let charge = charges.iter().copied().find(|charge| charge.id == late.charge);
            let told = late.refund.as_deref().unwrap_or("not answered");
            let back = charge.map_or(0, |charge| charge.refunded);
            if told != "succeeded" || charge.is_none_or(|charge| charge.refunded < charge.amount) {
                let detail = format!("it is {told} on record, and {back} of {} went back", late.charge);
                self.add(Kind::RefundUnfinished, charge, detail);
            }
        }
        let is_on_record = |charge: &Charge| account.late.iter().any(|late| late.charge == charge.id);
        for charge in charges.iter().filter(|charge| charge.refunding > 0 && !is_on_record(charge)) {
            let detail = format!("{} of {} are on their way", charge.refunding, amount(charge));
            self.add(Kind::RefundUnfinished, Some(charge), detail);
        }
    }
}

/// The accounts of a shop, made of its records.
#[derive(Clone, Debug, Default)]
pub struct Accounts {
    orders: BTreeMap<Uuid, Order>,
    states: BTreeMap<Uuid, State>,
}

#[derive(Clone, Debug, Deserialize)]
struct Order {
    total: u64,
    currency: String,
}

#[derive(Clone, Debug, Deserialize)]
struct State {
    state: String,
    session: Option<String>,
    charge: Option<String>,
    #[serde(default)]
    late: Vec<Late>,
}

impl Accounts {
    /// Enters a record under the key that the store has for it. Those that have nothing to do with money are passed over.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn enter(&mut self, key: &str, bytes: &[u8]) -> Result<(), Unreadable> {
        let Some((kind, order)) = key.split_once(':') else { return Ok(()) };
        let Ok(order) = order.parse() else { return Ok(()) };
        match kind {
            "order" => _ = self.orders.insert(order, serde_json::from_slice(bytes)?),
            "payment" => _ = self.states.insert(order, serde_json::from_slice(bytes)?),
            _ => {}
        }
        Ok(())
    }

    /// The accounts, by order, once everything is entered. One half of an order, whose other half is being written or
    /// removed, is undecided and costs what it can.
    pub fn by_order(&self) -> BTreeMap<Uuid, Account> {
        let account = |(order, record): (&Uuid, &Order)| {
            let state = self.states.get(order);
            let payment = match state.map(|state| state.state.as_str()) {
                Some("paid") => Payment::Paid { charge: state.and_then(|state| state.charge.clone()) },
                Some("void") => Payment::Void,
                _ => Payment::Undecided { session: state.and_then(|state| state.session.clone()) },
            };
            let late = state.map(|state| state.late.clone()).unwrap_or_default();
            (*order, Account { total: record.total, currency: record.currency.clone(), payment, late })
        };
        self.orders.iter().map(account).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ORDER: Uuid = Uuid::from_u128(7);

    fn account(payment: Payment) -> Account {
        Account { total: 2000, currency: "CNY".to_owned(), payment, late: Vec::new() }
    }

    fn paid() -> Account {
        account(Payment::Paid { charge: Some("pi_1".to_owned()) })
    }

    fn charge(id: &str) -> Charge {
        let (amount, currency) = (2000, "CNY".to_owned());
        Charge { id: id.to_owned(), order: ORDER, amount, currency, refunded: 0, refunding: 0 }
    }

    fn kinds(account: &Account, charges: &[Charge]) -> Vec<Kind> {
        let shop = BTreeMap::from([(ORDER, account.clone())]);
        differences(&shop, charges).into_iter().map(|difference| difference.kind).collect()
    }

    #[test]
    fn what_is_paid_and_charged_once_does_not_differ() {
        assert_eq!(kinds(&paid(), &[charge("pi_1")]), []);
        assert_eq!(kinds(&account(Payment::Void), &[]), []);
        assert_eq!(kinds(&account(Payment::Undecided { session: Some("cs".to_owned()) }), &[]), []);
        let gift = Account { total: 0, ..account(Payment::Paid { charge: None }) };
        assert_eq!(kinds(&gift, &[]), []);
        let refunded = Charge { refunded: 2000, ..charge("pi_1") };
        assert_eq!(kinds(&account(Payment::Void), &[refunded]), []);
    }

    #[test]
    fn each_difference_is_found() {
        let undecided = account(Payment::Undecided { session: None });
        let void = account(Payment::Void);
        assert_eq!(kinds(&undecided, &[charge("pi_1")]), [Kind::ChargedNotPaid]);
        assert_eq!(kinds(&paid(), &[]), [Kind::PaidNotCharged]);
        assert_eq!(kinds(&paid(), &[charge("pi_2")]), [Kind::PaidNotCharged]);
        assert_eq!(kinds(&account(Payment::Paid { charge: None }), &[]), [Kind::PaidNotCharged]);
        assert_eq!(kinds(&paid(), &[Charge { amount: 2001, ..charge("pi_1") }]), [Kind::OtherAmount]);
        assert_eq!(kinds(&undecided, &[Charge { amount: 1999, ..charge("pi_1") }]), [Kind::OtherAmount]);
        let euros = Charge { currency: "EUR".to_owned(), ..charge("pi_1") };
        assert_eq!(kinds(&paid(), &[euros]), [Kind::OtherCurrency]);
        assert_eq!(kinds(&paid(), &[charge("pi_1"), charge("pi_2")]), [Kind::ChargedTwice]);
        assert_eq!(kinds(&void, &[charge("pi_1")]), [Kind::VoidAndCharged]);
        assert_eq!(kinds(&void, &[Charge { refunded: 1999, ..charge("pi_1") }]), [Kind::VoidAndCharged]);
        assert_eq!(kinds(&void, &[Charge { refunding: 2000, ..charge("pi_1") }]), [Kind::RefundUnfinished]);
        assert_eq!(kinds(&paid(), &[Charge { refunded: 1, ..charge("pi_1") }]), [Kind::PaidAndGivenBack]);
        let found = differences(&BTreeMap::new(), &[charge("pi_1")]);
        assert_eq!(
            found[0].to_string(),
            format!("order {ORDER}: charged, and the shop has no such order: 2000 CNY (pi_1)")
        );
    }

    #[test]
    fn a_refund_is_finished_where_both_sides_say_so() {
        let late = |refund: Option<&str>| {
            let late = Late { charge: "pi_1".to_owned(), refund: refund.map(str::to_owned) };
            Account { late: vec![late], ..account(Payment::Void) }
        };
        let back = Charge { refunded: 2000, ..charge("pi_1") };
        assert_eq!(kinds(&late(Some("succeeded")), std::slice::from_ref(&back)), []);
        for refund in [None, Some("pending"), Some("failed")] {
            assert_eq!(kinds(&late(refund), std::slice::from_ref(&back)), [Kind::RefundUnfinished], "{refund:?}");
        }
        assert_eq!(kinds(&late(Some("succeeded")), &[]), [Kind::RefundUnfinished]);
        let again = |last: Account| {
            let failed = late(Some("failed")).late;
            Account { late: failed.into_iter().chain(last.late.clone()).collect(), ..last }
        };
        assert_eq!(kinds(&again(late(Some("succeeded"))), std::slice::from_ref(&back)), []);
        assert_eq!(kinds(&again(late(None)), std::slice::from_ref(&back)), [Kind::RefundUnfinished]);
        let failed = kinds(&late(Some("succeeded")), &[charge("pi_1")]);
        assert_eq!(failed, [Kind::VoidAndCharged, Kind::RefundUnfinished], "it has failed after all");
    }

    #[test]
    fn what_was_under_way_is_no_difference() {
        let (before, after) = (account(Payment::Undecided { session: None }), paid());
        let found = |account, charges: &[Charge]| differences(&BTreeMap::from([(ORDER, account)]), charges);
        let charges = [charge("pi_1")];
        assert_eq!(lasting(found(before.clone(), &charges), &found(after.clone(), &charges)), []);
        assert_eq!(lasting(found(before.clone(), &[]), &found(after, &[])), []);
        assert_eq!(lasting(found(before.clone(), &charges), &found(before, &charges)).len(), 1);
    }

    #[test]
    fn accounts_are_read_from_records() {
        let mut accounts = Accounts::default();
        let mut enter = |key: String, record: serde_json::Value| {
            accounts.enter(&key, record.to_string().as_bytes()).unwrap();
        };
        enter(format!("order:{ORDER}"), json!({ "order_id": ORDER, "lines": [], "total": 2000, "currency": "CNY" }));
        let late = json!([{ "session": "cs", "charge": "pi_2", "amount": 2000, "at": 1, "refund": "pending" }]);
        enter(format!("payment:{ORDER}"), json!({ "state": "paid", "session": "cs", "charge": "pi_1", "late": late }));
        enter("inventory:order".to_owned(), json!("of no account"));
        let late = vec![Late { charge: "pi_2".to_owned(), refund: Some("pending".to_owned()) }];
        assert_eq!(accounts.by_order(), BTreeMap::from([(ORDER, Account { late, ..paid() })]));
        assert!(accounts.enter(&format!("payment:{ORDER}"), b"{").is_err());
    }
}
