//! Records, field by field, out of one type of JSON value: a reader for each of them and of their parts, as serde derives
//! them, would be many kB in every component.
//!
//! They are read as strictly as such a reader does: a field that is not known is refused, and one that is there twice.

use plain_json::{Json, Object};

use crate::model::after_sale::{Destination, Return};
use crate::model::dispute::{Dispute, DisputeStatus};
use crate::model::fulfilment::{Fulfilment, Shipment};
use crate::model::ids::{CustomerId, OrderId};
use crate::model::order::{Line, Lines, Order};
use crate::model::order_state::{CloseReason, LateRefund, OrderState, Record, Tag};
use crate::model::refund::Refund;
use crate::model::session::RefundState;

/// Why a value is not the state of an order.
const NO_STATE: &str = "no order has a state with just these fields";

impl OrderState {
    /// The state out of its record.
    ///
    /// # Errors
    /// If no order has it.
    pub(crate) fn from_json(json: &mut Json) -> Result<Self, &'static str> {
        record(json).ok_or(NO_STATE)?.try_into()
    }
}

/// What is stored as JSON.
pub(crate) trait FromJson: Sized {
    /// It out of a value; none where the value is something else.
    fn from_json(json: &mut Json) -> Option<Self>;
}

impl FromJson for OrderId {
    fn from_json(json: &mut Json) -> Option<Self> {
        text(json)
    }
}

impl<T: FromJson> FromJson for Vec<T> {
    fn from_json(json: &mut Json) -> Option<Self> {
        list(json, T::from_json)
    }
}

impl FromJson for Order {
    fn from_json(json: &mut Json) -> Option<Self> {
        let mut fields = Fields::of(json)?;
        let order = Self {
            order_id: fields.required("order_id", text)?,
            lines: fields.required("lines", |json| list(json, line))?,
            total: fields.required("total", number)?,
            currency: fields.required("currency", text)?,
            customer_id: fields.optional("customer_id", customer)?,
            placed_at: fields.required("placed_at", number)?,
            expires_at: fields.required("expires_at", number)?,
            key: fields.optional("key", text)?,
        };
        fields.end(order)
    }
}

fn line(json: &mut Json) -> Option<Line> {
    let mut fields = Fields::of(json)?;
    let line = Line {
        item_id: fields.required("item_id", text)?,
        quantity: fields.required("quantity", number)?,
        unit_price: fields.required("unit_price", number)?,
        name: fields.optional("name", text)?,
    };
    fields.end(line)
}

fn customer(json: &mut Json) -> Option<CustomerId> {
    CustomerId::recorded(json.take_text()?).ok()
}

/// Makes a type readable by any reader of serde: examples and tests have these values in JSON of their own.
macro_rules! readable {
    ($name:ident, $read:expr) => {
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $read(&mut plain_json::Json::deserialize(deserializer)?).map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use readable;

readable!(OrderState, OrderState::from_json);
readable!(Order, |json| Order::from_json(json).ok_or("no order was placed like this"));
readable!(LateRefund, |json| late_refund(json).ok_or(NO_STATE));
readable!(Refund, |json| refund(json).ok_or(NO_STATE));
readable!(Return, |json| returned(json).ok_or(NO_STATE));
readable!(Dispute, |json| dispute(json).ok_or(NO_STATE));
readable!(Fulfilment, |json| fulfilment(json).ok_or(NO_STATE));

/// The fields of an object.
pub(crate) struct Fields<'a> {
    object: &'a mut Object,
    /// How many of them were read.
    read: usize,
}

/// How a value is read; none where it is something else.
pub(crate) type Reader<T> = fn(&mut Json) -> Option<T>;

impl<'a> Fields<'a> {
    pub(crate) fn of(json: &'a mut Json) -> Option<Self> {
        Some(Self { object: json.as_object_mut()?, read: 0 })
    }

    fn get(&mut self, name: &str) -> Option<&mut Json> {
        let json = self.object.get_mut(name)?;
        self.read = self.read.saturating_add(1);
        Some(json)
    }

    /// A field that is always there.
    pub(crate) fn required<T>(&mut self, name: &str, read: Reader<T>) -> Option<T> {
        read(self.get(name)?)
    }

    /// A field that is missing, or null, where there is nothing to say.
    pub(crate) fn optional<T>(&mut self, name: &str, read: Reader<T>) -> Option<Option<T>> {
        match self.get(name) {
            None | Some(Json::Null) => Some(None),
            Some(json) => read(json).map(Some),
        }
    }

    /// A field that is missing where it has its usual value.
    pub(crate) fn usual<T: Default>(&mut self, name: &str, read: Reader<T>) -> Option<T> {
        self.get(name).map_or_else(|| Some(T::default()), read)
    }

    /// What was read of the object, if it has no other fields.
    pub(crate) fn end<T>(self, read: T) -> Option<T> {
        (self.read == self.object.len()).then_some(read)
    }
}

pub(crate) fn text<T: TryFrom<String>>(json: &mut Json) -> Option<T> {
    json.take_text()?.try_into().ok()
}

pub(crate) fn number<T: TryFrom<u64>>(json: &mut Json) -> Option<T> {
    json.as_number()?.try_into().ok()
}

pub(crate) fn flag(json: &mut Json) -> Option<bool> {
    json.as_flag()
}

/// What one of these names stands for.
fn named<T: Copy>(json: &Json, names: &[(&str, T)]) -> Option<T> {
    let text = json.as_text()?;
    names.iter().find(|(name, _)| *name == text).map(|(_, named)| *named)
}

pub(crate) fn list<T>(json: &mut Json, read: Reader<T>) -> Option<Vec<T>> {
    if let Json::List(list) = json { list.iter_mut().map(read).collect() } else { None }
}

fn record(json: &mut Json) -> Option<Record> {
    let mut fields = Fields::of(json)?;
    let record = Record {
        state: fields.required("state", tag)?,
        confirmed: fields.usual("confirmed", flag)?,
        attempt: fields.usual("attempt", number)?,
        amount: fields.optional("amount", number)?,
        method: fields.optional("method", text)?,
        paid_at: fields.optional("paid_at", number)?,
        reason: fields.optional("reason", close_reason)?,
        at: fields.optional("at", number)?,
        session: fields.optional("session", text)?,
        charge: fields.optional("charge", text)?,
        late: fields.usual("late", |json| list(json, late_refund))?,
        refunds: fields.usual("refunds", |json| list(json, refund))?,
        returns: fields.usual("returns", |json| list(json, returned))?,
        fulfilment: fields.optional("fulfilment", fulfilment)?,
        given_up: fields.usual("given_up", number)?,
        disputes: fields.usual("disputes", |json| list(json, dispute))?,
    };
    fields.end(record)
}

fn tag(json: &mut Json) -> Option<Tag> {
    let names = [("unpaid", Tag::Unpaid), ("at_provider", Tag::AtProvider), ("paid", Tag::Paid), ("void", Tag::Void)];
    named(json, &names)
}

fn close_reason(json: &mut Json) -> Option<CloseReason> {
    let names =
        [("cancelled", CloseReason::Cancelled), ("expired", CloseReason::Expired), ("rejected", CloseReason::Rejected)];
    named(json, &names)
}

fn late_refund(json: &mut Json) -> Option<LateRefund> {
    let mut fields = Fields::of(json)?;
    let late = LateRefund {
        session: fields.required("session", text)?,
        charge: fields.required("charge", text)?,
        amount: fields.required("amount", number)?,
        currency: fields.optional("currency", text)?,
        id: fields.optional("id", text)?,
        at: fields.required("at", number)?,
        refund: fields.optional("refund", refund_state)?,
    };
    fields.end(late)
}

fn refund(json: &mut Json) -> Option<Refund> {
    let mut fields = Fields::of(json)?;
    let refund = Refund {
        id: fields.required("id", text)?,
        amount: fields.required("amount", number)?,
        lines: fields.optional("lines", lines)?,
        rest: fields.usual("rest", flag)?,
        restock: fields.usual("restock", flag)?,
        reason: fields.usual("reason", text)?,
        at: fields.required("at", number)?,
        state: fields.optional("state", refund_state)?,
        succeeded_at: fields.optional("succeeded_at", number)?,
        failed_at: fields.optional("failed_at", number)?,
    };
    fields.end(refund)
}

fn refund_state(json: &mut Json) -> Option<RefundState> {
    let names =
        [("pending", RefundState::Pending), ("succeeded", RefundState::Succeeded), ("failed", RefundState::Failed)];
    named(json, &names)
}

fn returned(json: &mut Json) -> Option<Return> {
    let mut fields = Fields::of(json)?;
    let returned = Return {
        id: fields.required("id", text)?,
        lines: fields.required("lines", lines)?,
        to: fields.required("to", destination)?,
        reason: fields.usual("reason", text)?,
        at: fields.required("at", number)?,
        done: fields.usual("done", flag)?,
    };
    fields.end(returned)
}

fn dispute(json: &mut Json) -> Option<Dispute> {
    let mut fields = Fields::of(json)?;
    let dispute = Dispute {
        id: fields.required("id", text)?,
        charge: fields.required("charge", text)?,
        amount: fields.required("amount", number)?,
        currency: fields.optional("currency", text)?,
        status: fields.required("status", dispute_status)?,
        opened_at: fields.required("opened_at", number)?,
        closed_at: fields.optional("closed_at", number)?,
    };
    fields.end(dispute)
}

fn dispute_status(json: &mut Json) -> Option<DisputeStatus> {
    named(json, &[("open", DisputeStatus::Open), ("won", DisputeStatus::Won), ("lost", DisputeStatus::Lost)])
}

/// Each with its item and how many of it.
fn lines(json: &mut Json) -> Option<Lines> {
    let line: Reader<_> = |json| match json {
        Json::List(line) => {
            let [item_id, quantity] = line.as_mut_slice() else { return None };
            Some((text(item_id)?, number(quantity)?))
        }
        _ => None,
    };
    list(json, line)?.try_into().ok()
}

fn destination(json: &mut Json) -> Option<Destination> {
    named(json, &[("stock", Destination::Stock), ("written_off", Destination::WrittenOff)])
}

fn fulfilment(json: &mut Json) -> Option<Fulfilment> {
    let mut fields = Fields::of(json)?;
    let fulfilment = Fulfilment {
        shipment: fields.usual("shipment", shipment)?,
        fulfilled_at: fields.required("fulfilled_at", number)?,
        delivered_at: fields.optional("delivered_at", number)?,
    };
    fields.end(fulfilment)
}

fn shipment(json: &mut Json) -> Option<Shipment> {
    let mut fields = Fields::of(json)?;
    let shipment = Shipment {
        carrier: fields.optional("carrier", text)?,
        tracking_number: fields.optional("tracking_number", text)?,
        tracking_url: fields.optional("tracking_url", text)?,
    };
    fields.end(shipment)
}
