//! Ids of things: items, orders, customers, means of payment, and the digest of an idempotency key.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::model::text;

/// A text that is not the id it was taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be {expected}")]
pub struct InvalidId {
    expected: &'static str,
}

impl InvalidId {
    /// Says what the text should have been.
    pub(super) const fn expecting(expected: &'static str) -> Self {
        Self { expected }
    }
}

/// Makes a newtype over `String` readable from and writable to a record, through its own check.
macro_rules! text_id {
    ($name:ident) => {
        impl $name {
            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::check(&text)?;
                Ok(Self(text))
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                text.to_owned().try_into()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    };
}
pub(super) use text_id;

/// The id of an item: 1 to 64 of `A-Z a-z 0-9 . _ -`, but not `.` or `..`, so that it is the same in a URL, a key and
/// JSON.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ItemId(String);
text_id!(ItemId);

impl ItemId {
    fn check(text: &str) -> Result<(), InvalidId> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        // In a URL these two are no names.
        if (1..=64).contains(&text.len()) && text.bytes().all(plain) && !matches!(text, "." | "..") {
            Ok(())
        } else {
            Err(InvalidId { expected: "1 to 64 of the characters A-Z a-z 0-9 . _ -, and not . or .." })
        }
    }
}

/// Who orders, in the caller's own terms: 1 to 128 characters of [plain text](text::is_plain). So it has at most 512
/// bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RecordedCustomer", into = "String")]
pub struct CustomerId(String);
text_id!(CustomerId);

impl CustomerId {
    fn check(text: &str) -> Result<(), InvalidId> {
        if text::is_plain(text) { Self::check_length(text) } else { Err(Self::INVALID) }
    }

    /// A customer whom orders may name. Those of earlier versions took all characters.
    pub fn recorded(text: String) -> Result<Self, InvalidId> {
        Self::check_length(&text)?;
        Ok(Self(text))
    }

    fn check_length(text: &str) -> Result<(), InvalidId> {
        if (1..=128).contains(&text.chars().count()) { Ok(()) } else { Err(Self::INVALID) }
    }

    const INVALID: InvalidId = InvalidId {
        expected: "1 to 128 characters, none of them a control character or one that turns the direction of text",
    };
}

/// A customer as records have it: earlier versions took all characters.
#[derive(Deserialize)]
struct RecordedCustomer(String);

impl TryFrom<RecordedCustomer> for CustomerId {
    type Error = InvalidId;

    fn try_from(RecordedCustomer(text): RecordedCustomer) -> Result<Self, InvalidId> {
        Self::recorded(text)
    }
}

/// By which means an order is paid: 1 to 32 of `a-z 0-9 _ -`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PaymentMethod(String);
text_id!(PaymentMethod);

impl PaymentMethod {
    /// What a payment says whose request named no method.
    pub fn unspecified() -> Self {
        Self("unspecified".to_owned())
    }

    fn check(text: &str) -> Result<(), InvalidId> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-');
        if (1..=32).contains(&text.len()) && text.bytes().all(plain) {
            Ok(())
        } else {
            Err(InvalidId { expected: "1 to 32 of the characters a-z 0-9 _ -" })
        }
    }
}

/// Makes a newtype over a name that a payment provider gave, or is given: 1 to 255 printable ASCII characters without
/// spaces, quotation marks, `<`, `>` and `\`.
macro_rules! provider_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);
        text_id!($name);

        impl $name {
            fn check(text: &str) -> Result<(), InvalidId> {
                check_provider_id(text)
            }
        }
    };
}

fn check_provider_id(text: &str) -> Result<(), InvalidId> {
    let plain = |b: u8| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\' | b'<' | b'>');
    if (1..=255).contains(&text.len()) && text.bytes().all(plain) {
        Ok(())
    } else {
        Err(InvalidId { expected: "1 to 255 printable ASCII characters" })
    }
}

provider_id! {
    /// The provider's name of a session: of one place where a buyer can pay one order.
    SessionId
}

provider_id! {
    /// The provider's name of a charge: what a refund is made of.
    ChargeId
}

provider_id! {
    /// The provider's name of a dispute about a charge.
    DisputeId
}

provider_id! {
    /// The shop's own name of a refund. The provider makes one refund a name.
    RefundId
}

impl RefundId {
    /// The name of the refund of this order's payment that was asked for under this key. It follows from the request, so
    /// that a repeat of the request is the same refund.
    pub fn new(order: OrderId, key: KeyDigest) -> Self {
        let digest = u128::from_be_bytes(digest(["refund", order.to_string().as_str(), key.to_string().as_str()]));
        Self(format!("refund-{digest:032x}"))
    }

    /// The name of the refund of a charge that came too late. It follows from the session, so that all requests that
    /// make it ask for the same one.
    pub(crate) fn of_late_charge(session: &SessionId) -> Self {
        let digest = u128::from_be_bytes(digest(["late charge", session.as_str()]));
        Self(format!("late-{digest:032x}"))
    }

    /// The name of a further refund of such a charge, where all that were tried before have failed.
    pub(crate) fn of_retry(session: &SessionId, tries: usize) -> Self {
        let digest = u128::from_be_bytes(digest(["late charge", session.as_str(), &tries.to_string()]));
        Self(format!("late-{digest:032x}"))
    }
}

/// The name of a return: the digest of its order and of what its client calls it. It follows from the request, so that
/// a repeat of the request is the same return.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ReturnId(KeyDigest);

impl TryFrom<String> for ReturnId {
    type Error = <KeyDigest as TryFrom<String>>::Error;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.try_into().map(Self)
    }
}

impl ReturnId {
    /// The return of goods of this order that was asked for under this key.
    pub fn new(order: OrderId, key: KeyDigest) -> Self {
        Self(KeyDigest(digest(["return", order.to_string().as_str(), key.to_string().as_str()])))
    }

    /// The return of the goods that come back with this refund.
    pub(crate) fn of_refund(refund: &RefundId) -> Self {
        Self(KeyDigest(digest(["return with", refund.as_str()])))
    }

    pub(crate) fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(KeyDigest(bytes))
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl fmt::Display for ReturnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name of an order: a version 4 UUID, lower case. Its 122 random bits are the only thing that guards the order:
/// who knows the id may read, pay and cancel it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OrderId(Uuid);

/// In the order of their bytes, compared as numbers: as slices they would be compared by a call, byte by byte in
/// WebAssembly, and an item compares each of its holds.
impl Ord for OrderId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.as_u128().cmp(&other.0.as_u128())
    }
}

impl PartialOrd for OrderId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl OrderId {
    /// The id made of these random bytes.
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }

    pub(crate) fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl FromStr for OrderId {
    type Err = InvalidId;

    /// Takes the form that `Display` writes, and no other: one order has one name.
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Uuid::try_parse_ascii(text.as_bytes())
            .ok()
            .map(Self)
            .filter(|id| id.0.as_hyphenated().encode_lower(&mut Uuid::encode_buffer()) == text)
            .ok_or(InvalidId { expected: "an order id" })
    }
}

impl TryFrom<String> for OrderId {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<OrderId> for String {
    fn from(id: OrderId) -> String {
        id.to_string()
    }
}

/// What is kept of an idempotency key: the first 128 bits of SHA-256 over its scope and the key. The client's own
/// text is never stored, and a key of any length costs a record the same. Shown in hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyDigest([u8; 16]);

impl KeyDigest {
    /// The digest of `key`, which a client sent for requests of the kind `scope`.
    pub fn new(scope: &str, key: &str) -> Self {
        Self(digest([scope, key]))
    }

    /// A digest that no client's key has: marks one request as itself when its client sent no key.
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    pub(crate) fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl From<KeyDigest> for String {
    fn from(digest: KeyDigest) -> Self {
        digest.to_string()
    }
}

impl TryFrom<String> for KeyDigest {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        // A UUID without its hyphens is just that.
        let digits = Some(&text).filter(|text| text.len() == 32);
        let digest = digits.and_then(|digits| Uuid::try_parse_ascii(digits.as_bytes()).ok());
        digest.map(|digest| Self(digest.into_bytes())).ok_or("the digest of a key has 32 hexadecimal digits")
    }
}

/// The first `N` bytes of SHA-256 over `parts`, at most 32. A zero byte stands between the parts, so that `("a", "bc")`
/// and `("ab", "c")` differ.
pub(crate) fn digest<'a, const N: usize>(parts: impl IntoIterator<Item = &'a str>) -> [u8; N] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let mut first = [0; N];
    first.iter_mut().zip(hash.finalize()).for_each(|(to, from)| *to = from);
    first
}
