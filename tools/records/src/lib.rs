//! The records in a store as JSON, for operators and tests, whatever form they are stored in.
//!
//! It shares no code with the stores and the domain, so that one mistake cannot be on both sides.

#![deny(missing_docs)]

mod books;
mod bytes;
#[cfg(feature = "program")]
pub mod comparing;
#[cfg(feature = "program")]
mod http;
mod item;
#[cfg(feature = "program")]
pub mod location;
pub mod reconcile;
#[cfg(feature = "program")]
pub mod shop;
mod stored;
#[cfg(feature = "program")]
pub mod stripe;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

pub use books::{Balance, Books, Coming, Faults, Imbalance, Line, Refund, Return, State};
pub use bytes::Bytes;
pub use item::{Adjustment, Hold, Item, Returned};

/// Bytes, or JSON, that are not the record they are taken for.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// It is not JSON, or of another shape.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// It is no item.
    #[error("it is no item: what leads up to byte {0} does not belong there")]
    Item(usize),
    /// It is an item of another version of the program.
    #[error("it is an item in format {0}, which is not known")]
    Format(u64),
    /// It is no claim cell.
    #[error("a claim cell has 8 bytes, not {0}")]
    Cell(usize),
}

/// How a record is kept.
enum Kind {
    /// Eight bytes: the token in the name of the record that is claimed, or nothing yet.
    Cell,
    /// [`Item`].
    Item,
    /// A record of a store's self-test.
    Scratch,
    Json,
}

impl Kind {
    fn of(key: &str) -> Self {
        match key.split_once(':') {
            _ if key.ends_with('~') => Self::Cell,
            Some(("inventory", _)) => Self::Item,
            Some(("probe", _)) => Self::Scratch,
            _ => Self::Json,
        }
    }
}

/// The record under `key`. A claim cell is the token in the name of the record that it claims, or null.
pub fn read(key: &str, bytes: &[u8]) -> Result<Value, Unreadable> {
    Ok(match Kind::of(key) {
        Kind::Cell => serde_json::to_value(token(bytes)?)?,
        Kind::Item => serde_json::to_value(Item::decode(bytes)?)?,
        Kind::Scratch => String::from_utf8_lossy(bytes).into(),
        Kind::Json => serde_json::from_slice(bytes)?,
    })
}

/// The bytes of the record that [`read`] makes `record` of.
pub fn write(key: &str, record: &Value) -> Result<Vec<u8>, Unreadable> {
    Ok(match Kind::of(key) {
        Kind::Cell => {
            let token = <Option<Bytes<8>>>::deserialize(record)?;
            token.map_or(0, |Bytes(token)| u64::from_be_bytes(token)).to_le_bytes().into()
        }
        Kind::Item => Item::deserialize(record)?.encode(),
        Kind::Scratch => <&str>::deserialize(record)?.into(),
        Kind::Json => serde_json::to_vec(record)?,
    })
}

/// The record under `key` as a line of JSON.
pub fn line(key: &str, bytes: &[u8]) -> Result<String, Unreadable> {
    Ok(match Kind::of(key) {
        Kind::Item => serde_json::to_string(&Item::decode(bytes)?)?,
        Kind::Json => {
            serde_json::from_slice::<IgnoredAny>(bytes)?;
            // JSON has line breaks only between its tokens.
            String::from_utf8_lossy(bytes).replace(['\n', '\r'], " ")
        }
        Kind::Cell | Kind::Scratch => read(key, bytes)?.to_string(),
    })
}

/// Whether this is what the key-value store has in place of the mapping of a key that was removed.
pub(crate) fn is_removed(key: &str, bytes: &[u8]) -> bool {
    key.starts_with("idempotency:") && bytes == b"null"
}

fn token(cell: &[u8]) -> Result<Option<Bytes<8>>, Unreadable> {
    let token = u64::from_le_bytes(cell.try_into().map_err(|_| Unreadable::Cell(cell.len()))?);
    Ok((token != 0).then_some(Bytes(token.to_be_bytes())))
}
