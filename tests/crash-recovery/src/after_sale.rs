//! What operators do with orders that are paid, what they were told about that, and whether what is there is the same.

use std::collections::BTreeMap;
use std::fmt;

use harness::{Answer, Request};
use serde_json::{Value, json};
use stripe_stand_in::{RefundStatus, Refunded};

/// What a unit of each item costs.
const PRICE: u64 = harness::observed::PRICE;

/// The most requests of a kind about one order. Its record takes 64.
pub const MAX_ASKED: usize = 20;

/// What an operator can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Money goes back.
    Refund,
    /// Goods come back.
    Return,
    /// Goods go out.
    Fulfilment,
}

/// A request of an operator, which can be sent again as it was.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Of which order: its number in the books.
    pub order: usize,
    /// What was asked for.
    pub kind: Kind,
    /// Under which idempotency key. Fulfilments have none: sending one again is the same.
    pub key: String,
    /// The body.
    pub body: Value,
}

impl Asked {
    /// The request, for the order with this id.
    pub fn request(&self, id: &str) -> Request {
        match self.kind {
            Kind::Refund => Request::post(format!("/orders/{id}/refunds")).key(&self.key),
            Kind::Return => Request::post(format!("/orders/{id}/returns")).key(&self.key),
            Kind::Fulfilment => Request::put(format!("/orders/{id}/fulfilment")),
        }
        .operator()
        .json(self.body.clone())
    }
}

/// How far a refund has come, as it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The provider has yet to say.
    Pending,
    /// The money is on its way.
    Succeeded,
    /// It is not.
    Failed,
}

impl Progress {
    fn named(name: &Value) -> Option<Self> {
        match name.as_str()? {
            "pending" => Some(Self::Pending),
            "succeeded" => Some(Self::Succeeded),
            "failed" => Some(Self::Failed),
            _ => None,
        }
    }
}

/// A refund that an operator was told is on record.
#[derive(Clone, Debug)]
pub struct Refund {
    id: String,
    amount: u64,
    /// The latest that is known.
    progress: Progress,
    /// Whether it was ever told that it has succeeded.
    has_succeeded: bool,
}

/// Goods that an operator was told are back.
#[derive(Clone, Debug)]
struct Return {
    /// Each item with how many of it; none where all that was left came back with a refund, until that is seen.
    lines: Option<Vec<(String, u64)>>,
    is_in_stock: bool,
}

/// How goods went out.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Shipment {
    number: String,
    is_delivered: bool,
}

/// Everything that operators were told about one order since it was paid.
#[derive(Clone, Debug, Default)]
pub struct AfterSale {
    /// By their keys.
    refunds: BTreeMap<String, Refund>,
    /// By their ids.
    returns: BTreeMap<String, Return>,
    /// The ids of returns that were asked for alone, by their keys.
    return_keys: BTreeMap<String, String>,
    shipment: Option<Shipment>,
    /// Whether a fulfilment was asked for and not answered. Only one is asked for at a time: so the last one is known.
    pub is_shipping: bool,
    /// How often each kind was asked for.
    asked: [usize; 3],
}

/// How much operators have done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Refunds that are on record and have not failed.
    pub refunds: usize,
    /// Refunds that have failed.
    pub failed: usize,
    /// Returns, those with a refund among them.
    pub returns: usize,
    /// Orders whose goods went out.
    pub fulfilled: usize,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { refunds, failed, returns, fulfilled } = self;
        write!(
            f,
            "operators made {refunds} refunds ({failed} more failed), {returns} returns and {fulfilled} fulfilments"
        )
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.refunds += other.refunds;
        self.failed += other.failed;
        self.returns += other.returns;
        self.fulfilled += other.fulfilled;
    }
}

/// What an answer says, where that is no contradiction.
pub enum Outcome {
    /// It was done, and is on record.
    Done,
    /// It was refused, and nothing was done.
    Refused,
}

/// The goods in a list of lines.
fn goods(lines: &Value) -> Option<Vec<(String, u64)>> {
    let of = |line: &Value| Some((line["item_id"].as_str()?.to_owned(), line["quantity"].as_u64()?));
    lines.as_array()?.iter().map(of).collect()
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

impl AfterSale {
    /// Whether one more request of this kind can be made.
    pub fn can_ask(&self, kind: Kind) -> bool {
        let is_open = kind != Kind::Fulfilment
            || !self.is_shipping && !self.shipment.as_ref().is_some_and(|shipment| shipment.is_delivered);
        is_open && self.asked[kind as usize] < MAX_ASKED
    }

    /// Notes that a request is about to be made for the first time.
    pub fn asks(&mut self, kind: Kind) {
        self.asked[kind as usize] += 1;
        self.is_shipping |= kind == Kind::Fulfilment;
    }

    /// How far the refund under this key was known to have come.
    pub fn progress(&self, key: &str) -> Option<Progress> {
        self.refunds.get(key).map(|refund| refund.progress)
    }

    /// The ids of all refunds.
    pub fn refund_ids(&self) -> impl Iterator<Item = &str> {
        self.refunds.values().map(|refund| refund.id.as_str())
    }

    /// Takes the answer to a request. `before` is how far its refund was known to have come when it was sent.
    ///
    /// # Errors
    /// Says what contradicts what was told before, or was asked for.
    pub fn answered(&mut self, asked: &Asked, before: Option<Progress>, answer: &Answer) -> Result<Outcome, String> {
        let value = answer.value();
        if answer.status == 409 {
            return self.refused(asked, &value);
        }
        let done = match (asked.kind, answer.status) {
            (Kind::Refund, 201) => self.refunded(asked, before, &value),
            (Kind::Return, 201) => self.returned(asked, &value),
            (Kind::Fulfilment, 200) => self.fulfilled(asked, &value),
            _ => None,
        };
        done.map(|()| Outcome::Done)
            .ok_or_else(|| "it is not what was asked for, or not what was told before".to_owned())
    }

    fn refused(&mut self, asked: &Asked, problem: &Value) -> Result<Outcome, String> {
        let code = problem["code"].as_str().unwrap_or_default();
        let (codes, is_made): (&[&str], _) = match asked.kind {
            Kind::Refund => (
                &["refund_exceeds_payment", "refund_exceeds_sale", "return_exceeds_sale"],
                self.refunds.contains_key(&asked.key),
            ),
            Kind::Return => (&["return_exceeds_sale"], self.return_keys.contains_key(&asked.key)),
            // All money or all goods came back before they were sent.
            Kind::Fulfilment => (&["order_not_fulfillable"], self.shipment.is_some()),
        };
        if asked.kind == Kind::Fulfilment {
            self.is_shipping = false;
        }
        if is_made {
            return Err("it was done, and is refused now".to_owned());
        }
        // All of it is back already.
        let is_refunded = code == "order_not_refundable" && problem["order_status"] == "refunded";
        let can_be = codes.contains(&code) || asked.kind == Kind::Refund && is_refunded;
        can_be.then_some(Outcome::Refused).ok_or_else(|| "it cannot be refused for that".to_owned())
    }

    fn refunded(&mut self, asked: &Asked, before: Option<Progress>, told: &Value) -> Option<()> {
        let (id, amount) = (text(&told["refund_id"])?, told["amount"].as_u64()?);
        let progress = Progress::named(&told["status"])?;
        let body = &asked.body;
        let lines = goods(&body["items"]);
        let is_as_asked = match (&lines, body["amount"].as_u64()) {
            (Some(lines), _) => amount == lines.iter().map(|(_, quantity)| quantity * PRICE).sum::<u64>(),
            (None, Some(asked)) => amount == asked,
            (None, None) => amount > 0,
        };
        let restocks = body["restock"] == true;
        let returned = text(&told["return_id"]);
        // Where all that is left comes back, that may be nothing.
        let comes_back = returned.is_some() == restocks || restocks && lines.is_none();
        // What has succeeded is not under way again.
        let is_later = before != Some(Progress::Succeeded) || progress != Progress::Pending;
        let is_anothers = self.refunds.iter().any(|(key, other)| *key != asked.key && other.id == id);
        if !is_as_asked || !comes_back || !is_later || is_anothers {
            return None;
        }
        if let Some(returned) = returned {
            self.returns.entry(returned).or_insert(Return { lines, is_in_stock: true });
        }
        let new = Refund { id: id.clone(), amount, progress, has_succeeded: false };
        let known = self.refunds.entry(asked.key.clone()).or_insert(new);
        if known.id != id || known.amount != amount {
            return None;
        }
        if progress != Progress::Pending {
            // An answer that was on its way longer may say less than is known.
            known.progress = progress;
        }
        known.has_succeeded |= progress == Progress::Succeeded;
        Some(())
    }

    fn returned(&mut self, asked: &Asked, told: &Value) -> Option<()> {
        let (id, lines) = (text(&told["return_id"])?, goods(&told["items"])?);
        let is_known = self.return_keys.get(&asked.key).map(|known| *known == id);
        let is_new = is_known.is_none() && !self.returns.contains_key(&id);
        let is_as_asked = Some(&lines) == goods(&asked.body["items"]).as_ref() && told["to"] == asked.body["to"];
        if !is_as_asked || told["done"] != true || !(is_new || is_known == Some(true)) {
            return None;
        }
        self.return_keys.insert(asked.key.clone(), id.clone());
        self.returns.insert(id, Return { lines: Some(lines), is_in_stock: told["to"] == "stock" });
        Some(())
    }

    fn fulfilled(&mut self, asked: &Asked, told: &Value) -> Option<()> {
        let shipment = Shipment::of(&told["fulfilment"])?;
        let is_as_asked = shipment.number == asked.body["tracking_number"]
            && shipment.is_delivered == (asked.body["delivered"] == true)
            && ["fulfilled", "refunded"].contains(&told["status"].as_str()?);
        (self.shipment, self.is_shipping) = (Some(shipment), false);
        is_as_asked.then_some(())
    }

    /// Compares the order as it is, once nothing is under way any more, with all that was told.
    ///
    /// # Errors
    /// Says what differs.
    pub fn compare(&mut self, order: &Value) -> Result<(), String> {
        let sold = goods(&order["items"]).ok_or("it has no lines")?;
        let paid = order["total"].as_u64().ok_or("it has no total")?;
        self.compare_refunds(order, paid)?;
        self.compare_returns(order, &sold)?;
        let shown = &order["fulfilment"];
        if Shipment::of(shown) != self.shipment {
            return Err(format!("it went out as {:?}, and as {shown}", self.shipment));
        }
        let is_refunded = self.given_back() > 0 && self.given_back() >= paid;
        let status = match &self.shipment {
            _ if is_refunded => "refunded",
            Some(_) => "fulfilled",
            None => "paid",
        };
        if order["status"] == status { Ok(()) } else { Err(format!("it is not {status}")) }
    }

    /// How much was given back, by what was told.
    fn given_back(&self) -> u64 {
        let stay = self.refunds.values().filter(|refund| refund.progress != Progress::Failed);
        stay.map(|refund| refund.amount).sum()
    }

    fn compare_refunds(&mut self, order: &Value, paid: u64) -> Result<(), String> {
        let shown = order["refunds"].as_array().map_or(&[][..], Vec::as_slice);
        if shown.len() != self.refunds.len() {
            return Err(format!("{} refunds were told, and {} are on record", self.refunds.len(), shown.len()));
        }
        for known in self.refunds.values_mut() {
            let one = shown.iter().find(|one| one["refund_id"] == known.id.as_str());
            let one = one.ok_or_else(|| format!("the refund {known:?} is not there any more"))?;
            known.progress = Progress::named(&one["status"]).ok_or_else(|| format!("a refund is {one}"))?;
            let is_as_told = one["amount"] == known.amount;
            let cannot_fail = one["provider"].is_null() && known.progress != Progress::Succeeded;
            if !is_as_told || cannot_fail || known.progress == Progress::Pending {
                return Err(format!("the refund {known:?} is {one}"));
            }
            known.has_succeeded |= known.progress == Progress::Succeeded;
        }
        let refunded = self.given_back();
        let is_told = order["refunded"].as_u64().unwrap_or(0) == refunded;
        if is_told && refunded <= paid { Ok(()) } else { Err(format!("{refunded} of {paid} went back")) }
    }

    fn compare_returns(&mut self, order: &Value, sold: &[(String, u64)]) -> Result<(), String> {
        let shown = order["returns"].as_array().map_or(&[][..], Vec::as_slice);
        if shown.len() != self.returns.len() {
            return Err(format!("{} returns were told, and {} are on record", self.returns.len(), shown.len()));
        }
        for (id, known) in &mut self.returns {
            let one = shown.iter().find(|one| one["return_id"] == id.as_str());
            let one = one.ok_or_else(|| format!("the return {id} is not there any more"))?;
            let lines = goods(&one["items"]);
            known.lines = known.lines.take().or_else(|| lines.clone());
            let is_as_told = known.lines == lines && (one["to"] == "stock") == known.is_in_stock;
            if !is_as_told || one["done"] != true {
                return Err(format!("the return {id}, {known:?}, is {one}"));
            }
        }
        for (item, quantity) in sold {
            let back: u64 = [true, false].iter().map(|to_stock| self.back(item, *to_stock)).sum();
            if back > *quantity {
                return Err(format!("{back} of {item} came back, and {quantity} were sold"));
            }
        }
        Ok(())
    }

    /// How many of an item came back, into stock or written off.
    pub fn back(&self, item: &str, to_stock: bool) -> u64 {
        let returns = self.returns.values().filter(|one| one.is_in_stock == to_stock);
        let lines = returns.flat_map(|one| one.lines.iter().flatten());
        lines.filter(|(other, _)| other == item).map(|(_, quantity)| quantity).sum()
    }

    /// Compares all refunds of the order with this id that were told with those that its provider has made.
    ///
    /// # Errors
    /// Says what differs.
    pub fn compare_with(&self, id: &str, made: &[Refunded]) -> Result<(), String> {
        for told in self.refunds.values() {
            let named = |one: &&Refunded| one.metadata.get("refund_id") == Some(&told.id);
            let of_name: Vec<_> = made.iter().filter(named).collect();
            let stay: Vec<_> = of_name.iter().filter(|one| one.status != RefundStatus::Failed).collect();
            let fits = match (told.progress, stay.as_slice()) {
                (Progress::Succeeded, [one]) => {
                    one.status == RefundStatus::Succeeded
                        && one.amount.unsigned_abs() == told.amount
                        && one.order.as_deref() == Some(id)
                }
                // What has succeeded fails only where the provider says so.
                (Progress::Failed, []) => !told.has_succeeded || !of_name.is_empty(),
                _ => false,
            };
            if !fits {
                return Err(format!("the refund {told:?} is at the provider {of_name:?}"));
            }
        }
        Ok(())
    }

    /// How much operators have done with it.
    pub fn tally(&self) -> Tally {
        let failed = self.refunds.values().filter(|refund| refund.progress == Progress::Failed).count();
        Tally {
            refunds: self.refunds.len() - failed,
            failed,
            returns: self.returns.len(),
            fulfilled: usize::from(self.shipment.is_some()),
        }
    }
}

impl Shipment {
    fn of(fulfilment: &Value) -> Option<Self> {
        let number = text(&fulfilment["tracking_number"])?;
        Some(Self { number, is_delivered: !fulfilment["delivered_at"].is_null() })
    }
}

/// What a refund of these lines can ask for.
pub mod body {
    use super::{Value, json};

    /// So much.
    pub fn amount(amount: u64) -> Value {
        json!({ "amount": amount, "reason": "so much" })
    }

    /// What these goods have cost.
    pub fn items(item: &str, quantity: u64, restock: bool) -> Value {
        json!({ "items": [{ "item_id": item, "quantity": quantity }], "restock": restock })
    }

    /// All that is left.
    pub fn rest(restock: bool) -> Value {
        json!({ "restock": restock })
    }

    /// These goods come back.
    pub fn goods(item: &str, quantity: u64, to: &str) -> Value {
        json!({ "items": [{ "item_id": item, "quantity": quantity }], "to": to, "reason": "too small" })
    }

    /// The goods go out under this number.
    pub fn shipment(number: &str, delivered: bool) -> Value {
        json!({ "carrier": "DHL", "tracking_number": number, "delivered": delivered })
    }
}
