//! The records as the invariants read them: of their own shape, so that a mistake in the rules' types is not repeated.

use records::Item;
use serde::Deserialize;
use uuid::Uuid;

/// A record in the store.
pub enum Record {
    Item(Item),
    Order(Order),
    Payment(Payment),
    /// The cell that names an item's record, with the token in it.
    Cell(u64),
    Other,
}

#[derive(Deserialize)]
pub struct Order {
    pub order_id: Uuid,
    pub lines: Vec<Line>,
}

#[derive(Deserialize)]
pub struct Line {
    pub item_id: String,
    pub quantity: u64,
    pub unit_price: u64,
}

#[derive(Debug, Deserialize)]
pub struct Payment {
    pub state: String,
    #[serde(default)]
    pub reason: String,
    /// What was paid.
    pub amount: Option<u64>,
    /// The session of the provider.
    pub session: Option<String>,
    /// Charges that came too late.
    #[serde(default)]
    pub late: Vec<Late>,
    /// Refunds of the payment.
    #[serde(default)]
    pub refunds: Vec<Refund>,
    /// Goods that came back.
    #[serde(default)]
    pub returns: Vec<Return>,
    /// How its goods went out.
    pub fulfilment: Option<Fulfilment>,
}

/// A refund of a payment.
#[derive(Debug, Deserialize)]
pub struct Refund {
    pub id: String,
    pub amount: u64,
    /// How far it has come, as far as is known.
    pub state: Option<String>,
}

impl Refund {
    pub fn is(&self, state: &str) -> bool {
        self.state.as_deref() == Some(state)
    }
}

/// Goods of an order that come back.
#[derive(Debug, Deserialize)]
pub struct Return {
    pub id: String,
    pub lines: Vec<(String, u64)>,
    pub to: String,
    #[serde(default)]
    pub done: bool,
}

impl Return {
    /// How many of an item.
    pub fn of(&self, item: &str) -> u64 {
        self.lines.iter().filter(|(other, _)| other == item).map(|(_, quantity)| quantity).sum()
    }
}

/// How the goods of an order went out.
#[derive(Debug, Deserialize)]
pub struct Fulfilment {
    #[serde(default)]
    pub shipment: Shipment,
    pub delivered_at: Option<u64>,
}

/// Who brings them.
#[derive(Debug, Default, Deserialize)]
pub struct Shipment {
    pub carrier: Option<String>,
}

/// A charge that came too late, and its refund.
#[derive(Debug, Deserialize)]
pub struct Late {
    pub session: String,
    /// How far its refund has come, as far as is known.
    pub refund: Option<String>,
}

impl Payment {
    /// Whether it is in this state, or closed for this reason. An order that is at the provider is unpaid as yet.
    pub fn is(&self, fate: &str) -> bool {
        self.state == fate || self.reason == fate || fate == "unpaid" && self.is_at_provider()
    }

    pub fn is_at_provider(&self) -> bool {
        self.state == "at_provider"
    }
}

impl Record {
    /// The record with these bytes under this name.
    pub fn read(name: &str, bytes: &[u8]) -> Self {
        let kind = name.split_once(':').map_or(name, |(kind, _)| kind);
        let read = match kind {
            "inventory" | "refunding~" if name.ends_with('~') => {
                bytes.try_into().ok().map(|cell| Self::Cell(u64::from_le_bytes(cell)))
            }
            "inventory" => Item::decode(bytes).ok().map(Self::Item),
            "order" => serde_json::from_slice(bytes).ok().map(Self::Order),
            "payment" => serde_json::from_slice(bytes).ok().map(Self::Payment),
            _ => return Self::Other,
        };
        read.unwrap_or_else(|| panic!("{name} is no record: {}", String::from_utf8_lossy(bytes)))
    }
}
