//! How the goods of an order go out to the buyer, in the operator's words.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::model::ids::{InvalidId, text_id};
use crate::model::text;
use crate::model::time::Timestamp;
use crate::model::url::is_label;

/// The longest name of a carrier and the longest tracking number, in characters.
pub const MAX_SHIPMENT_TEXT: usize = 64;

/// The longest address of a tracking page.
pub const MAX_TRACKING_URL: usize = 1024;

/// The goods of an order went out to the buyer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fulfilment {
    /// How they are sent.
    #[serde(skip_serializing_if = "Shipment::is_empty")]
    pub shipment: Shipment,
    /// When they went out.
    pub fulfilled_at: Timestamp,
    /// When the buyer had them, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivered_at: Option<Timestamp>,
}

impl Fulfilment {
    /// Whether the buyer has the goods.
    pub fn is_delivered(&self) -> bool {
        self.delivered_at.is_some()
    }

    /// Whether it is what a request asks for.
    pub(crate) fn is_of(&self, shipment: &Shipment, delivered: bool) -> bool {
        self.shipment == *shipment && self.is_delivered() == delivered
    }
}

/// How goods are sent. What is left out is not known, or there is none: a buyer may fetch them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Shipment {
    /// Who brings them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub carrier: Option<Carrier>,
    /// What the carrier calls them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracking_number: Option<TrackingNumber>,
    /// Where the buyer sees how far they have come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracking_url: Option<TrackingUrl>,
}

impl Shipment {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Who brings goods: 1 to [`MAX_SHIPMENT_TEXT`] characters of [plain text](text::is_plain).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub struct Carrier(String);
text_id!(Carrier);

impl Carrier {
    fn check(text: &str) -> Result<(), InvalidId> {
        check_text(text)
    }
}

/// What a carrier calls what it brings: as [`Carrier`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub struct TrackingNumber(String);
text_id!(TrackingNumber);

impl TrackingNumber {
    fn check(text: &str) -> Result<(), InvalidId> {
        check_text(text)
    }
}

fn check_text(text: &str) -> Result<(), InvalidId> {
    if (1..=MAX_SHIPMENT_TEXT).contains(&text.chars().count()) && text::is_plain(text) {
        Ok(())
    } else {
        Err(InvalidId::expecting(
            "1 to 64 characters, none of them a control character or one that turns the direction of text",
        ))
    }
}

/// The address of a page: `https://`, a host with or without a port, and what follows, at most [`MAX_TRACKING_URL`]
/// characters. Pages make a link of it, so it is nothing that a browser would run, and its host is what it seems to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub struct TrackingUrl(String);
text_id!(TrackingUrl);

impl TrackingUrl {
    fn check(text: &str) -> Result<(), InvalidId> {
        let is_one = text.len() <= MAX_TRACKING_URL
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:/?#@!$&'()*+,;=%".contains(&byte))
            && text.strip_prefix("https://").is_some_and(|rest| has_host(rest.split(['/', '?', '#']).next()));
        if is_one {
            Ok(())
        } else {
            Err(InvalidId::expecting("an address that begins with https:// and a host, in at most 1024 characters"))
        }
    }
}

/// Whether this is the name of a host, with or without a port.
fn has_host(authority: Option<&str>) -> bool {
    let authority = authority.unwrap_or_default();
    let (host, port) = authority.split_once(':').unwrap_or((authority, "443"));
    host.split('.').all(is_label) && port.parse::<u16>().is_ok_and(|port| port > 0)
}
