//! The bytes of an item: CBOR (RFC 8949), self-described, holds column by column.
//!
//! An item is read and written whole at every change, with up to tens of thousands of holds. A column is quick to read
//! and to write, and a hold takes some 22 bytes where JSON takes 80 to 120: that much more fits into the largest value
//! that a platform's store takes. `cargo run -p records` shows items as JSON.
//!
//! ```text
//! 55799({ "format": 1, "version": 7, "on_hand": 100, "unit_price": 1000,
//!         "max_per_order": 5,                    left out where the item has no limit of its own
//!         "name": "Teapot", "image": "https://…", each left out where the item has none
//!         "received": 130, "sold": 30,           left out while nothing was sold
//!         "returned": 3, "written_off": 1,       left out while nothing came back
//!         "holds": { "order":      h'…',        16 bytes an order, ascending
//!                    "quantity":   [2, …],
//!                    "expires_at": [ms, …],     the first since 1970, each other since the one before it
//!                    "key":        [h'…', …] }, 16 bytes or null; left out where all are null
//!         "settled_keys": [[key, order], …],    ascending
//!         "adjustments":  [[key, request], …],    oldest first
//!         "returns":      [[return, order], …] }) oldest first
//! ```
//!
//! What would be empty is left out. Anything else is not an item that this version wrote, and is left alone.

use std::convert::Infallible;

use minicbor::data::{Tag, Type};
use minicbor::{Decoder, Encoder};

use crate::model::amounts::{Quantity, Stock};
use crate::model::holds::{Hold, Holds};
use crate::model::ids::{KeyDigest, OrderId, ReturnId};
use crate::model::item::{Adjustment, Item};

/// What CBOR that is not told by other means begins with (RFC 8949, 3.4.6).
const SELF_DESCRIBED: Tag = Tag::new(55799);

/// For how many new holds there is room in the list of a read item, so that adding them does not move it. Not a limit.
const SPARE_HOLDS: usize = 16;

/// The form described above.
const FORMAT: u64 = 1;

/// What comes after the price, in this sequence, as far as there is any.
const PARTS: [&str; 11] = [
    "max_per_order",
    "name",
    "image",
    "received",
    "sold",
    "returned",
    "written_off",
    "holds",
    "settled_keys",
    "adjustments",
    "returns",
];

/// Why bytes are no item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// They have not the form described above.
    #[error("it is no item in the form that this version writes")]
    Malformed,
    /// They have it, but no item can be so.
    #[error("more is reserved than on hand")]
    Oversold,
}

impl From<minicbor::decode::Error> for DecodeError {
    fn from(_: minicbor::decode::Error) -> Self {
        Self::Malformed
    }
}

type Written = Result<(), minicbor::encode::Error<Infallible>>;

/// The bytes that are being written. Nearly all that comes at once is of a number: a few bytes, which are stored sooner
/// than the call is made that would copy them, and sooner together than one by one.
struct Bytes(Vec<u8>);

impl minicbor::encode::Write for Bytes {
    type Error = Infallible;

    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        match bytes {
            [one] => self.0.push(*one),
            [one, two] => self.0.extend([*one, *two]),
            [one, two, three, four] => self.0.extend([*one, *two, *three, *four]),
            _ => self.0.extend_from_slice(bytes),
        }
        Ok(())
    }
}

impl Item {
    /// The bytes that are stored of an item.
    pub fn to_bytes(&self) -> Vec<u8> {
        let labels = self.name.as_ref().map_or(0, |name| name.as_str().len());
        let labels = labels.saturating_add(self.image.as_ref().map_or(0, |image| image.as_str().len()));
        let capacity = self.holds.len().saturating_mul(24).saturating_add(labels).saturating_add(128);
        let mut encoder = Encoder::new(Bytes(Vec::with_capacity(capacity)));
        match write(self, &mut encoder) {
            Ok(()) => encoder.into_writer().0,
            // Not reached: a vector takes whatever it is given. Nothing reads these bytes as an item.
            Err(_) => Vec::new(),
        }
    }

    /// The item that is stored as these bytes.
    ///
    /// # Errors
    /// If they are not what [`Self::to_bytes`] makes, but that a number may be longer than it needs to be.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        read(bytes)
    }
}

fn write(item: &Item, to: &mut Encoder<Bytes>) -> Written {
    // What was never sold is on hand.
    // Rule: accounts-are-written.
    let accounts = item.sold > 0 || item.returned > 0 || item.received != item.on_hand();
    let parts = [
        item.own_max_per_order.is_some(),
        item.name.is_some(),
        item.image.is_some(),
        accounts,
        accounts,
        item.returned > 0,
        item.returned > 0,
        !item.holds.is_empty(),
        !item.unmapped_keys.is_empty(),
        !item.adjustments.is_empty(),
        !item.returns.is_empty(),
    ];
    let parts = parts.into_iter().map(u64::from).fold(4, u64::saturating_add);
    to.tag(SELF_DESCRIBED)?.map(parts)?.str("format")?.u64(FORMAT)?;
    to.str("version")?.u64(item.version)?;
    to.str("on_hand")?.u64(item.on_hand())?;
    to.str("unit_price")?.u64(item.unit_price.get())?;
    if let Some(limit) = item.own_max_per_order {
        to.str("max_per_order")?.u64(limit.get())?;
    }
    if let Some(name) = &item.name {
        to.str("name")?.str(name.as_str())?;
    }
    if let Some(image) = &item.image {
        to.str("image")?.str(image.as_str())?;
    }
    if accounts {
        to.str("received")?.u64(item.received)?;
        to.str("sold")?.u64(item.sold)?;
    }
    if item.returned > 0 {
        to.str("returned")?.u64(item.returned)?;
        to.str("written_off")?.u64(item.written_off)?;
    }
    if !item.holds.is_empty() {
        write_holds(&item.holds, to.str("holds")?)?;
    }
    if !item.unmapped_keys.is_empty() {
        to.str("settled_keys")?.array(count(item.unmapped_keys.len()))?;
        for (key, order) in &item.unmapped_keys {
            to.array(2)?.bytes(key.as_bytes())?.bytes(order.as_bytes())?;
        }
    }
    if !item.adjustments.is_empty() {
        to.str("adjustments")?.array(count(item.adjustments.len()))?;
        for Adjustment { key, request } in &item.adjustments {
            to.array(2)?.bytes(key.as_bytes())?.bytes(request)?;
        }
    }
    if !item.returns.is_empty() {
        to.str("returns")?.array(count(item.returns.len()))?;
        for (id, order) in &item.returns {
            to.array(2)?.bytes(id.as_bytes())?.bytes(order.as_bytes())?;
        }
    }
    Ok(())
}

fn write_holds(holds: &Holds, to: &mut Encoder<Bytes>) -> Written {
    let keyed = holds.has_keys();
    let orders: Vec<_> = holds.iter().map(|(order, _)| *order.as_bytes()).collect();
    to.map(if keyed { 4 } else { 3 })?.str("order")?.bytes(orders.as_flattened())?;
    to.str("quantity")?.array(count(holds.len()))?;
    for (_, hold) in holds.iter() {
        to.u64(hold.quantity.get())?;
    }
    to.str("expires_at")?.array(count(holds.len()))?;
    let mut before = 0;
    for (_, hold) in holds.iter() {
        let moment = u64::from(hold.expires_at);
        // Neither comes near the end of 63 bits: no moment is later than the year 9999.
        to.i64(moment.cast_signed().wrapping_sub(before))?;
        before = moment.cast_signed();
    }
    if keyed {
        to.str("key")?.array(count(holds.len()))?;
        for (_, hold) in holds.iter() {
            match hold.key {
                Some(key) => to.bytes(key.as_bytes())?,
                None => to.null()?,
            };
        }
    }
    Ok(())
}

fn read(bytes: &[u8]) -> Result<Item, DecodeError> {
    let mut from = Decoder::new(bytes);
    if from.tag()? != SELF_DESCRIBED {
        return Err(DecodeError::Malformed);
    }
    let parts = from.map()?.and_then(|fields| fields.checked_sub(4)).ok_or(DecodeError::Malformed)?;
    if named(&mut from, "format")?.u64()? != FORMAT {
        return Err(DecodeError::Malformed);
    }
    let version = named(&mut from, "version")?.u64()?;
    let on_hand = named(&mut from, "on_hand")?.u64()?.try_into().map_err(|_| DecodeError::Malformed)?;
    let unit_price = named(&mut from, "unit_price")?.u64()?.try_into().map_err(|_| DecodeError::Malformed)?;
    let on_hand: Stock = on_hand;
    let mut item = Item { version, ..Item::new(on_hand, unit_price) };
    let mut names = PARTS.into_iter();
    let (mut accounts, mut back) = ((None, None), (None, None));
    for _ in 0..parts {
        // What stands there twice, or too late, is not found any more.
        let name = from.str()?;
        match names.find(|part| *part == name).ok_or(DecodeError::Malformed)? {
            "max_per_order" => {
                item.own_max_per_order = Some(from.u64()?.try_into().map_err(|_| DecodeError::Malformed)?);
            }
            "name" => item.name = Some(text(&mut from)?),
            "image" => item.image = Some(text(&mut from)?),
            "received" => accounts.0 = Some(from.u64()?),
            "sold" => accounts.1 = Some(from.u64()?),
            "returned" => back.0 = Some(from.u64()?),
            "written_off" => back.1 = Some(from.u64()?),
            "holds" => item.holds = read_holds(&mut from)?,
            "settled_keys" => {
                for _ in 0..some(from.array()?)? {
                    pair(&mut from)?;
                    let (key, order) =
                        (KeyDigest::from_bytes(fixed(&mut from)?), OrderId::from_bytes(fixed(&mut from)?));
                    if item.unmapped_keys.last().is_some_and(|(last, _)| *last >= key) {
                        return Err(DecodeError::Malformed);
                    }
                    item.unmapped_keys.push((key, order));
                }
            }
            "returns" => {
                for _ in 0..some(from.array()?)? {
                    pair(&mut from)?;
                    let (id, order) = (ReturnId::from_bytes(fixed(&mut from)?), OrderId::from_bytes(fixed(&mut from)?));
                    if item.remembers_return(id) {
                        return Err(DecodeError::Malformed);
                    }
                    item.returns.push((id, order));
                }
            }
            _ => {
                for _ in 0..some(from.array()?)? {
                    pair(&mut from)?;
                    let (key, request) = (KeyDigest::from_bytes(fixed(&mut from)?), fixed(&mut from)?);
                    item.adjustments.push(Adjustment { key, request });
                }
            }
        }
    }
    match back {
        (None, None) => {}
        (Some(returned @ 1..), Some(written_off)) if written_off <= returned => {
            (item.returned, item.written_off) = (returned, written_off);
        }
        _ => return Err(DecodeError::Malformed),
    }
    match accounts {
        (None, None) if item.returned == 0 => {}
        (Some(received), Some(sold)) if sold > 0 || item.returned > 0 || received != on_hand.get() => {
            (item.received, item.sold) = (received, sold);
        }
        _ => return Err(DecodeError::Malformed),
    }
    if from.position() != bytes.len() {
        return Err(DecodeError::Malformed);
    }
    item.available = on_hand.get().checked_sub(item.reserved()).ok_or(DecodeError::Oversold)?;
    Ok(item)
}

fn read_holds(from: &mut Decoder<'_>) -> Result<Holds, DecodeError> {
    let columns = from.map()?.ok_or(DecodeError::Malformed)?;
    let (orders, []) = named(from, "order")?.bytes()?.as_chunks::<16>() else { return Err(DecodeError::Malformed) };
    let rows = some(Some(count(orders.len())))?;
    let no_key = Hold { quantity: Quantity::ONE, expires_at: 0.into(), key: None };
    // With room for what is held next, or else the list would move to make some.
    let mut list = Vec::with_capacity(orders.len().saturating_add(SPARE_HOLDS));
    list.extend(orders.iter().map(|order| (OrderId::from_bytes(*order), no_key)));

    column(from, "quantity", rows)?;
    for (_, hold) in &mut list {
        hold.quantity = from.u64()?.try_into().map_err(|_| DecodeError::Malformed)?;
    }
    column(from, "expires_at", rows)?;
    let mut moment = 0_i64;
    for (_, hold) in &mut list {
        moment = moment.checked_add(from.i64()?).ok_or(DecodeError::Malformed)?;
        hold.expires_at = u64::try_from(moment).map_err(|_| DecodeError::Malformed)?.into();
        // A moment after the last one that there is.
        if u64::from(hold.expires_at).cast_signed() != moment {
            return Err(DecodeError::Malformed);
        }
    }
    match columns {
        3 => {}
        4 => {
            column(from, "key", rows)?;
            for (_, hold) in &mut list {
                match from.datatype()? {
                    Type::Null => from.null()?,
                    _ => hold.key = Some(KeyDigest::from_bytes(fixed(from)?)),
                }
            }
            if list.iter().all(|(_, hold)| hold.key.is_none()) {
                return Err(DecodeError::Malformed);
            }
        }
        _ => return Err(DecodeError::Malformed),
    }
    Holds::from_sorted(list).ok_or(DecodeError::Malformed)
}

/// The beginning of a column with this name and number of rows.
fn column(from: &mut Decoder<'_>, name: &str, rows: u64) -> Result<(), DecodeError> {
    if named(from, name)?.array()? == Some(rows) { Ok(()) } else { Err(DecodeError::Malformed) }
}

/// The next member, which has to have this name.
fn named<'a, 'b>(from: &'a mut Decoder<'b>, name: &str) -> Result<&'a mut Decoder<'b>, DecodeError> {
    if from.str()? == name { Ok(from) } else { Err(DecodeError::Malformed) }
}

/// A length that is said, and is not zero: what is empty is left out.
fn some(length: Option<u64>) -> Result<u64, DecodeError> {
    length.filter(|length| *length > 0).ok_or(DecodeError::Malformed)
}

fn pair(from: &mut Decoder<'_>) -> Result<(), DecodeError> {
    if from.array()? == Some(2) { Ok(()) } else { Err(DecodeError::Malformed) }
}

fn text<T: TryFrom<String>>(from: &mut Decoder<'_>) -> Result<T, DecodeError> {
    from.str()?.to_owned().try_into().map_err(|_| DecodeError::Malformed)
}

fn fixed<const N: usize>(from: &mut Decoder<'_>) -> Result<[u8; N], DecodeError> {
    from.bytes()?.try_into().map_err(|_| DecodeError::Malformed)
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
