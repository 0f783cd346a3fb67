//! Whether a shop and its payment provider say the same of every order: each charge that stays belongs to a paid order,
//! each paid order was charged once, just what it costs, and what came too late has gone back.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
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
    /// Refunds of what was paid.
    pub refunds: Vec<Refund>,
    /// Disputes about its charges.
    pub disputes: Vec<Dispute>,
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
        /// What was paid, by what is on record.
        amount: u64,
        /// What the payment is called at the provider; none where it was recorded without one.
        charge: Option<String>,
    },
    /// It has come to nothing.
    Void,
}

/// A charge that came too late, as it is on the order's record, or in the operator's list.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Late {
    /// Which charge.
    #[serde(alias = "charge_id")]
    pub charge: String,
    /// How far its refund has come, as far as the shop knows: `succeeded`, where it has heard of the end.
    #[serde(default)]
    pub refund: Option<String>,
}

/// A refund of a payment, as it is on the order's record, or in the operator's list.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Refund {
    /// The shop's name of it. The provider has it in its metadata.
    #[serde(alias = "refund_id")]
    pub id: String,
    /// In minor units.
    pub amount: u64,
    /// How far it has come, as far as the shop knows.
    #[serde(default, alias = "status")]
    pub state: Option<String>,
}

/// A dispute about a charge: on the order's record, in the operator's list, or by the provider's own books.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Dispute {
    /// The provider's name of it.
    #[serde(alias = "dispute_id")]
    pub id: String,
    /// About which charge.
    #[serde(alias = "charge_id")]
    pub charge: String,
    /// In minor units.
    pub amount: u64,
    /// `open`, `won` or `lost`.
    pub status: String,
}

impl fmt::Display for Dispute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, ", {} about {} is {}", self.id, self.amount, self.status)
    }
}

impl Account {
    /// The provider's names of the charges that are on record.
    pub fn charges(&self) -> impl Iterator<Item = &str> {
        let paid = match &self.payment {
            Payment::Paid { charge, .. } => charge.as_deref(),
            Payment::Undecided { .. } | Payment::Void => None,
        };
        paid.into_iter().chain(self.late.iter().map(|late| late.charge.as_str()))
    }

    /// The session in which its buyer may be paying.
    pub fn session(&self) -> Option<&str> {
        match &self.payment {
            Payment::Undecided { session } => session.as_deref(),
            Payment::Paid { .. } | Payment::Void => None,
        }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { total, currency, payment, late, refunds, disputes } = self;
        match payment {
            Payment::Undecided { session: Some(session) } => write!(f, "it waits for {total} {currency} in {session}"),
            Payment::Undecided { session: None } => {
                write!(f, "it waits for {total} {currency}, and not at the provider")
            }
            Payment::Paid { amount, charge: Some(charge) } => {
                write!(f, "it is paid with {amount} {currency} by {charge}")
            }
            Payment::Paid { amount, charge: None } => {
                write!(f, "it is paid with {amount} {currency}, without a provider")
            }
            Payment::Void => f.write_str("it has come to nothing"),
        }?;
        if matches!(payment, Payment::Paid { amount, .. } if amount != total) {
            write!(f, ", and costs {total}")?;
        }
        late.iter()
            .try_for_each(|late| write!(f, ", the refund of {} {}", late.charge, said(late.refund.as_deref())))?;
        let of_payment = |one: &Refund| write!(f, ", {} of {} {}", one.id, one.amount, said(one.state.as_deref()));
        refunds.iter().try_for_each(of_payment)?;
        disputes.iter().try_for_each(|dispute| dispute.fmt(f))
    }
}

/// What the shop says of a refund.
fn said(state: Option<&str>) -> &'static str {
    match state {
        Some("succeeded") => "has succeeded",
        Some("failed") => "has failed",
        _ => "is under way",
    }
}

impl Late {
    fn has_succeeded(&self) -> bool {
        self.refund.as_deref() == Some("succeeded")
    }
}

/// What a buyer was charged, by the provider's own books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// The provider's name of it, as the shop has it on record.
    pub id: String,
    /// For which order, where it says so.
    pub order: Option<Uuid>,
    /// In minor units.
    pub amount: u64,
    /// In which currency, in capitals.
    pub currency: String,
    /// How much of it has gone back.
    pub refunded: u64,
    /// How much of it is on its way back.
    pub refunding: u64,
    /// The refunds that make up both.
    pub refunds: Vec<Made>,
    /// Disputes about it.
    pub disputes: Vec<Dispute>,
}

/// A refund of a charge, by the provider's own books, that has not failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// The shop's name of it, where the shop has asked for it.
    pub name: Option<String>,
    /// In minor units.
    pub amount: u64,
    /// Whether it has succeeded. If not, it is on its way.
    pub has_succeeded: bool,
}

impl Charge {
    /// Whether the buyer is without some of it, and none is on its way back.
    fn stays(&self) -> bool {
        self.refunded.saturating_add(self.refunding) < self.amount
    }

    /// Whether all of it has gone back.
    fn is_back(&self) -> bool {
        self.refunded >= self.amount
    }
}

impl fmt::Display for Charge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, amount, currency, refunded, refunding, disputes, .. } = self;
        write!(f, "{id} took {amount} {currency}")?;
        disputes.iter().try_for_each(|dispute| dispute.fmt(f))?;
        match (refunded, refunding) {
            (0, 0) => Ok(()),
            (0, under_way) => write!(f, ", {under_way} are on their way back"),
            (back, 0) => write!(f, ", {back} went back"),
            (back, under_way) => write!(f, ", {back} went back, {under_way} are on their way"),
        }
    }
}

/// How a shop and its provider differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The buyer was charged, and the order is undecided.
    ChargedNotPaid,
    /// The order is paid, and the buyer was not charged by what is on record.
    PaidNotCharged,
    /// The buyer was charged another amount than the order costs.
    OtherAmount,
    /// The buyer was charged in another currency.
    OtherCurrency,
    /// The charge on the order's record names another order.
    OtherOrder,
    /// The buyer was charged more than once.
    ChargedTwice,
    /// The order has come to nothing, and the buyer was charged.
    VoidAndCharged,
    /// The order is paid, and money has gone back.
    PaidAndGivenBack,
    /// A refund has not come to its end, or has failed.
    RefundUnfinished,
    /// A refund has succeeded by what the shop has on record, and the provider has not made it.
    RefundMissing,
    /// A charge has gone back, and the shop has not heard of it.
    RefundNotRecorded,
    /// The provider says otherwise of a dispute than the shop.
    DisputeDiffers,
    /// The order waits in a session that the provider does not have.
    NoSuchSession,
    /// A buyer was charged for an order that the shop does not have.
    NoSuchOrder,
    /// The shop cannot read its records of the order.
    Unreadable,
}

impl Kind {
    /// What a person does about it.
    pub fn advice(self) -> &'static str {
        match self {
            Self::ChargedNotPaid => {
                "Let the shop look: POST /orders/ORDER/pay, or POST /sweep. If it stays, send the event again from \
                 Stripe's dashboard."
            }
            Self::PaidNotCharged => {
                "Look for the payment in Stripe's dashboard, in other accounts too. If there is none, no money has come \
                 for these goods."
            }
            Self::OtherAmount | Self::OtherCurrency => {
                "Compare the order with the payment in Stripe's dashboard, and give the money back there or settle it \
                 with the buyer."
            }
            Self::OtherOrder => "Look at both orders: the charge pays one of them. Refund or settle the other.",
            Self::ChargedTwice => "Refund all charges in Stripe's dashboard but the one on the order's record.",
            Self::VoidAndCharged => {
                "Send POST /sweep where the order's history has a late charge, or else the event again from Stripe's \
                 dashboard. If it stays, refund the charge in the dashboard."
            }
            Self::PaidAndGivenBack => {
                "The money was given back in Stripe's dashboard: the goods are still sold. Do not send them, or ask for \
                 them back."
            }
            Self::RefundUnfinished => {
                "Send POST /sweep. If it has failed or stays, give the money back in Stripe's dashboard."
            }
            Self::RefundMissing => "The refund has failed after all: give the money back in Stripe's dashboard.",
            Self::RefundNotRecorded => "The buyer has the money: nothing is owed. POST /sweep lets the shop ask again.",
            Self::DisputeDiffers => {
                "Send the dispute's last event again from Stripe's dashboard, and see that its events go to the shop."
            }
            Self::NoSuchSession => {
                "The account, or the key, is another one than that in which the session was opened: set the old key again."
            }
            Self::NoSuchOrder => {
                "If the account is of several shops, compare them together: name each. Otherwise the order's records are \
                 lost: restore them, or refund the charge in Stripe's dashboard."
            }
            Self::Unreadable => "Restore the order's records from a backup: `records` shows them.",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ChargedNotPaid => "charged and not paid",
            Self::PaidNotCharged => "paid and not charged",
            Self::OtherAmount => "charged another amount",
            Self::OtherCurrency => "charged in another currency",
            Self::OtherOrder => "paid by the charge of another order",
            Self::ChargedTwice => "charged twice",
            Self::VoidAndCharged => "void, charged and not refunded",
            Self::PaidAndGivenBack => "paid, and the money has gone back",
            Self::RefundUnfinished => "the refund is unfinished",
            Self::RefundMissing => "refunded on record, and not at the provider",
            Self::RefundNotRecorded => "refunded at the provider, and not on record",
            Self::DisputeDiffers => "disputed otherwise than on record",
            Self::NoSuchSession => "in a session that the provider does not have",
            Self::NoSuchOrder => "charged, and the shop has no such order",
            Self::Unreadable => "its records cannot be read",
        })
    }
}

/// A difference between a shop and its provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Of which order.
    #[serde(rename = "order_id")]
    pub order: Uuid,
    /// What differs.
    pub kind: Kind,
    /// The provider's name of the charge that it is about, where it is about one.
    #[serde(rename = "charge_id")]
    pub charge: Option<String>,
    /// What the shop says.
    pub shop: String,
    /// What the provider says.
    pub provider: String,
}

impl Difference {
    /// Whether this is the same difference, whatever its numbers.
    fn is(&self, other: &Self) -> bool {
        (self.order, self.kind, &self.charge) == (other.order, other.kind, &other.charge)
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { order, kind, charge: _, shop, provider } = self;
        write!(f, "order {order}: {kind}. Shop: {shop}. Provider: {provider}. {}", kind.advice())
    }
}

/// The differences that are in both comparisons: a shop that sells meanwhile is compared again, and what was under way is
/// in one of them alone.
pub fn lasting(before: Vec<Difference>, after: &[Difference]) -> Vec<Difference> {
    before.into_iter().filter(|difference| after.iter().any(|other| difference.is(other))).collect()
}

/// What was read of one shop or more.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// Their orders.
    pub orders: BTreeMap<Uuid, Account>,
    /// Orders whose records cannot be read.
    pub unreadable: BTreeSet<Uuid>,
}

/// Every difference between the orders of a shop and what its provider has charged, order by order. The provider does not
/// have the sessions that are `missing`.
pub fn differences(shop: &Reading, charges: &[Charge], missing: &BTreeSet<String>) -> Vec<Difference> {
    let mut by_order: BTreeMap<Uuid, Vec<&Charge>> = BTreeMap::new();
    for charge in charges {
        if let Some(order) = charge.order {
            by_order.entry(order).or_default().push(charge);
        }
    }
    let by_id = charges.iter().map(|charge| (charge.id.as_str(), charge)).collect();
    let orders: BTreeSet<_> = shop.orders.keys().chain(&shop.unreadable).chain(by_order.keys()).copied().collect();
    let mut found = Vec::new();
    for order in orders {
        let charges = by_order.remove(&order).unwrap_or_default();
        let account = shop.orders.get(&order);
        let said = account.map_or("it has no such order".to_owned(), ToString::to_string);
        let mut compared = Compared { order, said, by_id: &by_id, found: &mut found };
        match account {
            _ if shop.unreadable.contains(&order) => compared.unreadable(&charges),
            Some(account) => compared.account(account, charges, missing),
            None => {
                for charge in charges.into_iter().filter(|charge| charge.stays()) {
                    compared.charged(Kind::NoSuchOrder, charge);
                }
            }
        }
    }
    found
}

/// Several charges, for a reader.
fn listed(charges: &[&Charge]) -> String {
    match charges {
        [] => "it has charged nothing for the order".to_owned(),
        charges => charges.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
    }
}

/// One order, which is being compared.
struct Compared<'a> {
    order: Uuid,
    /// What the shop says.
    said: String,
    /// All charges.
    by_id: &'a BTreeMap<&'a str, &'a Charge>,
    found: &'a mut Vec<Difference>,
}

impl<'a> Compared<'a> {
    fn add(&mut self, kind: Kind, charge: Option<&str>, provider: String) {
        let (charge, shop) = (charge.map(str::to_owned), self.said.clone());
        self.found.push(Difference { order: self.order, kind, charge, shop, provider });
    }

    fn charged(&mut self, kind: Kind, charge: &Charge) {
        self.add(kind, Some(&charge.id), charge.to_string());
    }

    fn unreadable(&mut self, charges: &[&Charge]) {
        "its records cannot be read".clone_into(&mut self.said);
        self.add(Kind::Unreadable, None, listed(charges));
    }

    fn account(&mut self, account: &Account, mut charges: Vec<&'a Charge>, missing: &BTreeSet<String>) {
        // A charge that has lost its metadata belongs to the order on whose record it is.
        let unnamed = account.charges().filter_map(|id| self.by_id.get(id).copied());
        charges.extend(unnamed.filter(|charge| charge.order.is_none()));
        let stay: Vec<_> = charges.iter().copied().filter(|charge| charge.stays()).collect();
        if stay.len() > 1 {
            self.add(Kind::ChargedTwice, None, listed(&stay));
        }
        match &account.payment {
            Payment::Paid { charge: Some(id), .. } => self.paid(account, id, &charges),
            Payment::Paid { charge: None, .. } if charges.is_empty() && account.total == 0 => {}
            Payment::Paid { charge: None, .. } => self.add(Kind::PaidNotCharged, None, listed(&charges)),
            Payment::Undecided { session } => {
                for charge in stay {
                    // What was charged wrongly pays nothing, until a person has seen to it.
                    if self.worth(account, charge) {
                        self.charged(Kind::ChargedNotPaid, charge);
                    }
                }
                if let Some(session) = session.as_ref().filter(|session| missing.contains(*session)) {
                    self.add(Kind::NoSuchSession, None, format!("it has no {session}"));
                }
            }
            Payment::Void => stay.into_iter().for_each(|charge| self.charged(Kind::VoidAndCharged, charge)),
        }
        self.refunds(account, &charges);
        self.disputes(account, &charges);
    }

    /// Compares the disputes of both sides, one by one.
    fn disputes(&mut self, account: &Account, charges: &[&Charge]) {
        let recorded = &account.disputes;
        for charge in charges.iter().filter(|charge| charge.disputes.iter().any(|one| !recorded.contains(one))) {
            self.charged(Kind::DisputeDiffers, charge);
        }
        let there: Vec<_> = charges.iter().flat_map(|charge| &charge.disputes).map(|one| &one.id).collect();
        for dispute in recorded.iter().filter(|dispute| !there.contains(&&dispute.id)) {
            self.add(Kind::DisputeDiffers, Some(&dispute.charge), format!("it has no {}", dispute.id));
        }
    }

    /// Compares an order that is paid with the charge on its record.
    fn paid(&mut self, account: &Account, id: &str, charges: &[&Charge]) {
        match charges.iter().find(|charge| charge.id == id) {
            Some(charge) => {
                self.worth(account, charge);
                self.given_back(account, charge);
            }
            None => match self.by_id.get(id).and_then(|charge| Some((*charge, charge.order?))) {
                Some((charge, other)) => {
                    self.add(Kind::OtherOrder, Some(id), format!("{charge}, and is of order {other}"));
                }
                None => self.add(Kind::PaidNotCharged, Some(id), format!("it has no charge {id}; {}", listed(charges))),
            },
        }
    }

    /// Compares the refunds of a payment, one by one: those on record with the provider's, and the other way round.
    fn given_back(&mut self, account: &Account, charge: &Charge) {
        let mut made: Vec<_> = charge.refunds.iter().collect();
        for one in &account.refunds {
            let is_this = |made: &&Made| made.name.as_deref() == Some(&one.id) && made.amount == one.amount;
            let place = made.iter().position(is_this);
            let there = place.map(|place| made.remove(place).has_succeeded);
            let kind = match (one.state.as_deref(), there) {
                (Some("succeeded"), Some(true)) | (Some("failed"), None) => continue,
                (Some("succeeded"), None) => Kind::RefundMissing,
                (Some("failed"), Some(_)) | (_, Some(true)) => Kind::RefundNotRecorded,
                (_, Some(false) | None) => Kind::RefundUnfinished,
            };
            self.charged(kind, charge);
        }
        if !made.is_empty() {
            self.charged(Kind::PaidAndGivenBack, charge);
        }
    }

    /// Compares what was charged with what the order costs, and with what is on its record.
    fn worth(&mut self, account: &Account, charge: &Charge) -> bool {
        let recorded = match account.payment {
            Payment::Paid { amount, .. } => amount,
            Payment::Undecided { .. } | Payment::Void => account.total,
        };
        let amount = charge.amount == account.total && recorded == account.total;
        let currency = charge.currency == account.currency;
        if !amount {
            self.charged(Kind::OtherAmount, charge);
        }
        if !currency {
            self.charged(Kind::OtherCurrency, charge);
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
            let kind = match (late.has_succeeded(), charge.is_some_and(Charge::is_back)) {
                (true, true) => continue,
                (true, false) if charge.is_some_and(|charge| !charge.stays()) => Kind::RefundUnfinished,
                (true, false) => Kind::RefundMissing,
                (false, true) => Kind::RefundNotRecorded,
                (false, false) => Kind::RefundUnfinished,
            };
            let said = charge.map_or_else(|| format!("it has no charge {} of it", late.charge), ToString::to_string);
            self.add(kind, Some(&late.charge), said);
        }
        let is_on_record = |charge: &Charge| account.charges().any(|id| id == charge.id);
        for charge in charges.iter().filter(|charge| charge.refunding > 0 && !is_on_record(charge)) {
            self.charged(Kind::RefundUnfinished, charge);
        }
    }
}

/// The accounts of a shop, made of its records.
#[derive(Clone, Debug, Default)]
pub struct Accounts {
    orders: BTreeMap<Uuid, Order>,
    states: BTreeMap<Uuid, State>,
    unreadable: BTreeSet<Uuid>,
}

#[derive(Clone, Debug, Deserialize)]
struct Order {
    total: u64,
    currency: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
enum Fate {
    Unpaid {},
    AtProvider { session: String },
    Paid { amount: u64, charge: Option<String> },
    Void {},
}

#[derive(Clone, Debug, Deserialize)]
struct State {
    #[serde(flatten)]
    fate: Fate,
    #[serde(default)]
    late: Vec<Late>,
    #[serde(default)]
    refunds: Vec<Refund>,
    #[serde(default)]
    disputes: Vec<Dispute>,
}

impl Accounts {
    /// Enters a record under the key that the store has for it. Those that have nothing to do with money are passed over.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn enter(&mut self, key: &str, bytes: &[u8]) -> Result<(), Unreadable> {
        let Some((kind, order)) = key.split_once(':') else { return Ok(()) };
        let Ok(order) = order.parse() else { return Ok(()) };
        let entered = match kind {
            "order" => serde_json::from_slice(bytes).map(|record| _ = self.orders.insert(order, record)),
            "payment" => serde_json::from_slice(bytes).map(|record| _ = self.states.insert(order, record)),
            _ => Ok(()),
        };
        if entered.is_err() {
            self.unreadable.insert(order);
        }
        Ok(entered?)
    }

    /// What was read, once everything is entered. An order of which one record is missing or damaged cannot be read: an
    /// order that is being written or removed may seem to be one.
    pub fn finish(self) -> Reading {
        let Self { orders: records, mut states, mut unreadable } = self;
        let mut orders = BTreeMap::new();
        for (order, Order { total, currency }) in records {
            let Some(State { fate, late, refunds, disputes }) = states.remove(&order) else {
                unreadable.insert(order);
                continue;
            };
            let payment = match fate {
                Fate::Unpaid {} => Payment::Undecided { session: None },
                Fate::AtProvider { session } => Payment::Undecided { session: Some(session) },
                Fate::Paid { amount, charge } => Payment::Paid { amount, charge },
                Fate::Void {} => Payment::Void,
            };
            orders.insert(order, Account { total, currency, payment, late, refunds, disputes });
        }
        unreadable.extend(states.into_keys());
        Reading { orders, unreadable }
    }
}

/// An order as it is in the operator's list.
#[derive(Clone, Debug, Deserialize)]
pub struct Listed {
    order_id: Uuid,
    status: Status,
    total: u64,
    currency: String,
    payment: Option<ListedPayment>,
    #[serde(default)]
    late_charges: Vec<Late>,
    #[serde(default)]
    refunds: Vec<Refund>,
    #[serde(default)]
    disputes: Vec<Dispute>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Placing,
    Pending,
    Paid,
    Fulfilled,
    Refunded,
    Cancelled,
    Expired,
    Rejected,
}

#[derive(Clone, Debug, Deserialize)]
struct ListedPayment {
    amount: Option<u64>,
    session_id: Option<String>,
    charge_id: Option<String>,
}

impl From<Listed> for (Uuid, Account) {
    fn from(listed: Listed) -> Self {
        let Listed { order_id, status, total, currency, payment, late_charges: late, refunds, disputes } = listed;
        let payment = match (status, payment) {
            (Status::Placing | Status::Pending, payment) => {
                Payment::Undecided { session: payment.and_then(|payment| payment.session_id) }
            }
            (
                Status::Paid | Status::Fulfilled | Status::Refunded,
                Some(ListedPayment { amount, charge_id: charge, .. }),
            ) => Payment::Paid { amount: amount.unwrap_or(total), charge },
            (Status::Paid | Status::Fulfilled | Status::Refunded, None) => {
                Payment::Paid { amount: total, charge: None }
            }
            (Status::Cancelled | Status::Expired | Status::Rejected, _) => Payment::Void,
        };
        (order_id, Account { total, currency, payment, late, refunds, disputes })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ORDER: Uuid = Uuid::from_u128(7);

    fn account(payment: Payment) -> Account {
        let (late, refunds, disputes) = (Vec::new(), Vec::new(), Vec::new());
        Account { total: 2000, currency: "CNY".to_owned(), payment, late, refunds, disputes }
    }

    fn paid() -> Account {
        account(Payment::Paid { amount: 2000, charge: Some("pi_1".to_owned()) })
    }

    fn charge(id: &str) -> Charge {
        let (amount, currency) = (2000, "CNY".to_owned());
        Charge {
            id: id.to_owned(),
            order: Some(ORDER),
            amount,
            currency,
            refunded: 0,
            refunding: 0,
            refunds: Vec::new(),
            disputes: Vec::new(),
        }
    }

    fn compared(account: &Account, charges: &[Charge]) -> Vec<Difference> {
        let orders = BTreeMap::from([(ORDER, account.clone())]);
        differences(&Reading { orders, ..Reading::default() }, charges, &BTreeSet::from(["cs_gone".to_owned()]))
    }

    fn kinds(account: &Account, charges: &[Charge]) -> Vec<Kind> {
        compared(account, charges).into_iter().map(|difference| difference.kind).collect()
    }

    #[test]
    fn what_is_paid_and_charged_once_does_not_differ() {
        assert_eq!(kinds(&paid(), &[charge("pi_1")]), []);
        assert_eq!(kinds(&paid(), &[Charge { order: None, ..charge("pi_1") }]), [], "the record names it");
        assert_eq!(kinds(&account(Payment::Void), &[]), []);
        assert_eq!(kinds(&account(Payment::Undecided { session: Some("cs".to_owned()) }), &[]), []);
        let gift = Account { total: 0, ..account(Payment::Paid { amount: 0, charge: None }) };
        assert_eq!(kinds(&gift, &[]), []);
        let refunded = Charge { refunded: 2000, ..charge("pi_1") };
        assert_eq!(kinds(&account(Payment::Void), &[refunded]), []);
        assert_eq!(
            kinds(&account(Payment::Void), &[Charge { order: None, ..charge("pi_2") }]),
            [],
            "of another program"
        );
    }

    #[test]
    fn each_difference_is_found() {
        let undecided = account(Payment::Undecided { session: None });
        let void = account(Payment::Void);
        assert_eq!(kinds(&undecided, &[charge("pi_1")]), [Kind::ChargedNotPaid]);
        assert_eq!(
            kinds(&account(Payment::Undecided { session: Some("cs_gone".to_owned()) }), &[]),
            [Kind::NoSuchSession]
        );
        assert_eq!(kinds(&paid(), &[]), [Kind::PaidNotCharged]);
        assert_eq!(kinds(&paid(), &[charge("pi_2")]), [Kind::PaidNotCharged]);
        assert_eq!(kinds(&account(Payment::Paid { amount: 2000, charge: None }), &[]), [Kind::PaidNotCharged]);
        assert_eq!(kinds(&paid(), &[Charge { amount: 2001, ..charge("pi_1") }]), [Kind::OtherAmount]);
        let paid_less = account(Payment::Paid { amount: 1999, charge: Some("pi_1".to_owned()) });
        assert_eq!(kinds(&paid_less, &[charge("pi_1")]), [Kind::OtherAmount]);
        assert_eq!(kinds(&undecided, &[Charge { amount: 1999, ..charge("pi_1") }]), [Kind::OtherAmount]);
        let euros = Charge { currency: "EUR".to_owned(), ..charge("pi_1") };
        assert_eq!(kinds(&paid(), &[euros]), [Kind::OtherCurrency]);
        assert_eq!(kinds(&paid(), &[charge("pi_1"), charge("pi_2")]), [Kind::ChargedTwice]);
        assert_eq!(kinds(&void, &[charge("pi_1")]), [Kind::VoidAndCharged]);
        assert_eq!(kinds(&void, &[Charge { refunded: 1999, ..charge("pi_1") }]), [Kind::VoidAndCharged]);
        assert_eq!(kinds(&void, &[Charge { refunding: 2000, ..charge("pi_1") }]), [Kind::RefundUnfinished]);
        let refunds = vec![Made { name: None, amount: 1, has_succeeded: true }];
        assert_eq!(kinds(&paid(), &[Charge { refunded: 1, refunds, ..charge("pi_1") }]), [Kind::PaidAndGivenBack]);
        let other = Charge { order: Some(Uuid::from_u128(8)), ..charge("pi_1") };
        assert_eq!(kinds(&paid(), &[other]), [Kind::OtherOrder, Kind::NoSuchOrder]);
    }

    #[test]
    fn a_difference_names_the_order_both_sides_and_what_to_do() {
        let said = differences(&Reading::default(), &[charge("pi_1")], &BTreeSet::new());
        let expected = "charged, and the shop has no such order. Shop: it has no such order. Provider: pi_1 took 2000 CNY. \
            If the account is of several shops";
        assert!(said[0].to_string().starts_with(&format!("order {ORDER}: {expected}")), "{}", said[0]);
        let unreadable = Reading { unreadable: [ORDER].into(), ..Reading::default() };
        let said = differences(&unreadable, &[charge("pi_1")], &BTreeSet::new());
        assert_eq!((said.len(), said[0].kind, said[0].provider.as_str()), (1, Kind::Unreadable, "pi_1 took 2000 CNY"));
        let said = &compared(&paid(), &[])[0];
        assert_eq!(said.shop, "it is paid with 2000 CNY by pi_1");
        assert_eq!(said.provider, "it has no charge pi_1; it has charged nothing for the order");
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
            assert_eq!(kinds(&late(refund), std::slice::from_ref(&back)), [Kind::RefundNotRecorded], "{refund:?}");
            let unfinished = kinds(&late(refund), &[charge("pi_1")]);
            assert_eq!(unfinished, [Kind::VoidAndCharged, Kind::RefundUnfinished], "{refund:?}");
        }
        assert_eq!(kinds(&late(Some("succeeded")), &[]), [Kind::RefundMissing]);
        let again = |last: Account| {
            let failed = late(Some("failed")).late;
            Account { late: failed.into_iter().chain(last.late.clone()).collect(), ..last }
        };
        assert_eq!(kinds(&again(late(Some("succeeded"))), std::slice::from_ref(&back)), []);
        assert_eq!(kinds(&again(late(None)), std::slice::from_ref(&back)), [Kind::RefundNotRecorded]);
        let pending = Charge { refunding: 2000, ..charge("pi_1") };
        assert_eq!(kinds(&late(Some("succeeded")), &[pending]), [Kind::RefundUnfinished]);
        let failed = kinds(&late(Some("succeeded")), &[charge("pi_1")]);
        assert_eq!(failed, [Kind::VoidAndCharged, Kind::RefundMissing], "it has failed after all");
    }

    #[test]
    fn each_refund_of_a_payment_is_compared() {
        let recorded =
            |state: Option<&str>| Refund { id: "refund-1".to_owned(), amount: 500, state: state.map(str::to_owned) };
        let given_back = |refunds: Vec<Refund>| Account { refunds, ..paid() };
        let made = |name: &str, amount, has_succeeded| Made { name: Some(name.to_owned()), amount, has_succeeded };
        let with = |refunds: Vec<Made>| {
            let sum = |has: bool| refunds.iter().filter(|one| one.has_succeeded == has).map(|one| one.amount).sum();
            Charge { refunded: sum(true), refunding: sum(false), refunds: refunds.clone(), ..charge("pi_1") }
        };
        let (done, under_way) = (made("refund-1", 500, true), made("refund-1", 500, false));
        for (state, provider, expected) in [
            (Some("succeeded"), vec![done.clone()], vec![]),
            (Some("failed"), vec![], vec![]),
            (Some("succeeded"), vec![], vec![Kind::RefundMissing]),
            (Some("succeeded"), vec![under_way.clone()], vec![Kind::RefundUnfinished]),
            (Some("failed"), vec![done.clone()], vec![Kind::RefundNotRecorded]),
            (Some("failed"), vec![under_way.clone()], vec![Kind::RefundNotRecorded]),
            (None, vec![done.clone()], vec![Kind::RefundNotRecorded]),
            (Some("pending"), vec![under_way.clone()], vec![Kind::RefundUnfinished]),
            (None, vec![], vec![Kind::RefundUnfinished]),
            (Some("succeeded"), vec![done.clone(), done.clone()], vec![Kind::PaidAndGivenBack]),
            (Some("succeeded"), vec![made("refund-1", 501, true)], vec![Kind::RefundMissing, Kind::PaidAndGivenBack]),
            (Some("succeeded"), vec![done.clone(), made("refund-2", 1, false)], vec![Kind::PaidAndGivenBack]),
        ] {
            let found = kinds(&given_back(vec![recorded(state)]), &[with(provider.clone())]);
            assert_eq!(found, expected, "{state:?} {provider:?}");
        }
        let said = &compared(&given_back(vec![recorded(Some("succeeded"))]), &[charge("pi_1")])[0];
        assert_eq!(said.shop, "it is paid with 2000 CNY by pi_1, refund-1 of 500 has succeeded");
        let all = Refund { amount: 2000, ..recorded(Some("succeeded")) };
        assert_eq!(kinds(&given_back(vec![all]), &[with(vec![made("refund-1", 2000, true)])]), [], "all of it");
    }

    #[test]
    fn each_dispute_is_compared() {
        let dispute = |id: &str, status: &str| Dispute {
            id: id.to_owned(),
            charge: "pi_1".to_owned(),
            amount: 500,
            status: status.to_owned(),
        };
        let found = |recorded: Vec<Dispute>, there: Vec<Dispute>| {
            kinds(&Account { disputes: recorded, ..paid() }, &[Charge { disputes: there, ..charge("pi_1") }])
        };
        let (open, lost) = (dispute("du_1", "open"), dispute("du_1", "lost"));
        assert_eq!(found(vec![open.clone()], vec![open.clone()]), []);
        assert_eq!(found(vec![], vec![open.clone()]), [Kind::DisputeDiffers]);
        assert_eq!(found(vec![open.clone()], vec![lost]), [Kind::DisputeDiffers]);
        assert_eq!(found(vec![open.clone()], vec![]), [Kind::DisputeDiffers]);
        let more = Dispute { amount: 501, ..open.clone() };
        assert_eq!(found(vec![open.clone()], vec![more]), [Kind::DisputeDiffers]);
        let second = dispute("du_2", "won");
        assert_eq!(found(vec![second.clone(), open.clone()], vec![open.clone(), second]), []);
        let disputed = Charge { disputes: vec![open], ..charge("pi_1") };
        let said = &compared(&paid(), &[disputed])[0];
        assert_eq!(said.provider, "pi_1 took 2000 CNY, du_1 about 500 is open");
    }

    #[test]
    fn what_was_under_way_is_no_difference() {
        let (before, after) = (account(Payment::Undecided { session: None }), paid());
        let charges = [charge("pi_1")];
        assert_eq!(lasting(compared(&before, &charges), &compared(&after, &charges)), []);
        assert_eq!(lasting(compared(&before, &[]), &compared(&after, &[])), []);
        assert_eq!(lasting(compared(&before, &charges), &compared(&before, &charges)).len(), 1);
    }

    #[test]
    fn accounts_are_read_from_records_and_from_the_list() {
        let late =
            |charge: &str| json!([{ "session": "cs", charge: "pi_2", "amount": 2000, "at": 1, "refund": "pending" }]);
        let mut accounts = Accounts::default();
        let mut enter = |key: String, record: serde_json::Value| {
            accounts.enter(&key, record.to_string().as_bytes()).unwrap();
        };
        enter(format!("order:{ORDER}"), json!({ "order_id": ORDER, "lines": [], "total": 2000, "currency": "CNY" }));
        let state = json!({
            "state": "paid", "amount": 2000, "session": "cs", "charge": "pi_1", "late": late("charge"),
            "refunds": [{ "id": "refund-1", "amount": 5, "at": 1, "state": "succeeded", "succeeded_at": 1 }],
            "disputes": [{ "id": "du_1", "charge": "pi_1", "amount": 7, "status": "open", "opened_at": 1 }]
        });
        enter(format!("payment:{ORDER}"), state);
        enter("inventory:order".to_owned(), json!("of no account"));
        let [half, damaged] = [8, 9].map(Uuid::from_u128);
        enter(format!("order:{half}"), json!({ "total": 2000, "currency": "CNY" }));
        assert!(accounts.enter(&format!("payment:{damaged}"), b"{").is_err());
        let read = accounts.finish();
        let refund = vec![Late { charge: "pi_2".to_owned(), refund: Some("pending".to_owned()) }];
        let refunds = vec![Refund { id: "refund-1".to_owned(), amount: 5, state: Some("succeeded".to_owned()) }];
        let (id, charge, status) = ("du_1".to_owned(), "pi_1".to_owned(), "open".to_owned());
        let disputes = vec![Dispute { id, charge, amount: 7, status }];
        let expected = (ORDER, Account { late: refund, refunds, disputes, ..paid() });
        assert_eq!((read.orders, read.unreadable), (BTreeMap::from([expected.clone()]), [half, damaged].into()));

        let listed: Listed = serde_json::from_value(json!({
            "order_id": ORDER, "status": "fulfilled", "total": 2000, "currency": "CNY", "late_charges": late("charge_id"),
            "refunded": 5, "refunds": [{ "refund_id": "refund-1", "of": "payment", "amount": 5, "status": "succeeded" }],
            "payment": { "status": "paid", "amount": 2000, "session_id": "cs", "charge_id": "pi_1" },
            "disputes": [{
                "dispute_id": "du_1", "charge_id": "pi_1", "amount": 7, "currency": "CNY", "status": "open", "opened_at": "-"
            }]
        }))
        .unwrap();
        assert_eq!(<(Uuid, Account)>::from(listed), expected);
    }
}
