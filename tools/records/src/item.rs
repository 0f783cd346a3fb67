use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Bytes;

/// An item. Only its form is checked, so it may have values that no shop writes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// How often it was changed.
    pub version: u64,
    /// The units in stock, held ones included.
    pub on_hand: u64,
    /// The price of one unit.
    pub unit_price: u64,
    /// The most of it in one order; left out where the item has no limit of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_per_order: Option<u64>,
    /// What people call it; left out where it has no name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where there is a picture of it; left out where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// What was ever put in, less what was taken out; left out while nothing was sold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received: Option<u64>,
    /// What has left with paid orders; left out while that is nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sold: Option<u64>,
    /// What of it came back; left out while that is nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returned: Option<u64>,
    /// What of that was written off, and is not in stock; left out while nothing came back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_off: Option<u64>,
    /// The holds, by their order.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub holds: BTreeMap<Uuid, Hold>,
    /// Orders that were settled, by the digest of their idempotency key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settled_keys: BTreeMap<Bytes<16>, Uuid>,
    /// The latest, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub adjustments: Vec<Adjustment>,
    /// Returns whose goods are back, of which their orders may not say so yet; oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub returns: Vec<Returned>,
}

impl Item {
    /// Whether what is in stock is what was received, less what was sold, and what of that came back and was not written
    /// off.
    pub fn is_balanced(&self) -> bool {
        let plus = |number: Option<u64>| u128::from(number.unwrap_or_default());
        let received = u128::from(self.received.unwrap_or(self.on_hand));
        received + plus(self.returned) == u128::from(self.on_hand) + plus(self.sold) + plus(self.written_off)
    }

    /// What goes into its balance, in words.
    pub fn account(&self) -> String {
        let Self { on_hand, received, sold, returned, written_off, .. } = self;
        let [sold, returned, written_off] = [*sold, *returned, *written_off].map(Option::unwrap_or_default);
        let received = received.unwrap_or(*on_hand);
        format!(
            "{received} received, {sold} sold, {returned} returned, {written_off} of them written off, {on_hand} on hand"
        )
    }
}

/// A return whose goods are back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Returned {
    /// Which return.
    pub id: Bytes<16>,
    /// Of which order.
    pub order: Uuid,
}

/// The hold of one order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// How much.
    pub quantity: u64,
    /// When the order expires, in milliseconds since 1970.
    pub expires_at: u64,
    /// The digest of the order's idempotency key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Bytes<16>>,
}

/// An adjustment that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adjustment {
    /// The digest of its idempotency key.
    pub key: Bytes<16>,
    /// The digest of the request.
    pub request: Bytes<8>,
}
