//! Records and their bytes. Items are CBOR (see [`crate::model::item_codec`]); all others are JSON, so that a person
//! can read them. A record that the rules cannot have written is refused as damaged and left as it is.

use plain_json::Json;
use serde::Serialize;

use crate::error::Error;
use crate::model::fields::FromJson;
use crate::model::ids::OrderId;
use crate::model::item::Item;
use crate::model::order::Order;
use crate::model::order_state::OrderState;
use crate::store::Entry;

/// A record together with the bytes that it was read from.
#[derive(Debug, Clone)]
pub(crate) struct Read<T> {
    pub(crate) entry: Entry,
    pub(crate) record: T,
}

/// The bytes of a record other than an item.
pub(crate) fn encode(record: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(record)
        .map_err(|error| Error::Unreadable { key: "(to be written)".to_owned(), reason: error.to_string() })
}

/// A record out of its bytes.
pub(crate) fn decode<T: FromJson>(entry: Entry) -> Result<Read<T>, Error> {
    read(entry, |json| T::from_json(json).ok_or("no such record was written like this"))
}

/// What `from_json` makes of a record.
fn read<T>(entry: Entry, from_json: impl Fn(&mut Json) -> Result<T, &'static str>) -> Result<Read<T>, Error> {
    let json = Json::read(&entry.value).map_err(|error| error.to_string());
    match json.and_then(|mut json| from_json(&mut json).map_err(ToOwned::to_owned)) {
        Ok(record) => Ok(Read { entry, record }),
        Err(reason) => Err(Error::Unreadable { key: entry.physical_key, reason }),
    }
}

/// An order out of its bytes. Its holds are found by what it says.
pub(crate) fn decode_order(entry: Entry, id: OrderId) -> Result<Order, Error> {
    let Read { entry, record: order } = decode::<Order>(entry)?;
    if order.is_valid(id) {
        Ok(order)
    } else {
        Err(Error::Unreadable { key: entry.physical_key, reason: "no order was placed like this".to_owned() })
    }
}

/// The state of an order out of its bytes.
pub(crate) fn decode_state(entry: Entry) -> Result<Read<OrderState>, Error> {
    read(entry, OrderState::from_json)
}

/// An item out of its bytes.
pub(crate) fn decode_item(entry: Entry) -> Result<Read<Item>, Error> {
    match Item::from_bytes(&entry.value) {
        Ok(record) => Ok(Read { entry, record }),
        Err(error) => Err(Error::Unreadable { key: entry.physical_key, reason: error.to_string() }),
    }
}
