//! Webhooks: messages of Stripe, of which the signature is believed, and besides that only which session, charge or
//! dispute to look at.

use domain::{ChargeId, DisputeId, InvalidNotice, Notice, OrderId, SessionId, Timestamp};
use hmac::{Hmac, Mac};
use plain_json::Json;
use sha2::Sha256;

use crate::answer::Members;
use crate::session::{MADE_BY, ORDER_ID, THIS_SHOP, is_object_id};
use crate::settings::{Secret, Settings};

/// How far the moment of a signature may be away from now, in either direction, in milliseconds.
const TOLERANCE: u64 = 300_000;

/// The events that say that something has happened to a session, a refund or a dispute: each of these, and what it is
/// about.
const UNDERSTOOD: [(&str, About); 13] = [
    ("charge.dispute.closed", About::Dispute),
    ("charge.dispute.created", About::Dispute),
    ("charge.dispute.funds_reinstated", About::Dispute),
    ("charge.dispute.funds_withdrawn", About::Dispute),
    ("charge.dispute.updated", About::Dispute),
    ("charge.refund.updated", About::Refund),
    ("charge.refunded", About::Charge),
    ("checkout.session.async_payment_failed", About::Session),
    ("checkout.session.async_payment_succeeded", About::Session),
    ("checkout.session.completed", About::Session),
    ("checkout.session.expired", About::Session),
    ("refund.failed", About::Refund),
    ("refund.updated", About::Refund),
];

/// The object of an event.
#[derive(Debug, Clone, Copy)]
enum About {
    Session,
    Refund,
    Charge,
    Dispute,
}

/// The events that have an effect.
pub fn events() -> impl Iterator<Item = &'static str> {
    UNDERSTOOD.iter().map(|(kind, _)| *kind)
}

struct Event<'a> {
    object: String,
    kind: String,
    livemode: Option<bool>,
    /// Whether it is of an account that is connected to the shop's: it has orders of its own.
    is_of_another_account: bool,
    /// What the event is about.
    about: Option<Members<'a>>,
}

impl<'a> Event<'a> {
    fn read(json: &'a Json) -> Option<Self> {
        let members = Members::of(json)?;
        Some(Self {
            object: members.required("object")?,
            kind: members.required("type")?,
            livemode: members.optional("livemode")?,
            is_of_another_account: members.get("account").is_some(),
            about: members.get("data").and_then(Members::of).and_then(|data| Members::of(data.get("object")?)),
        })
    }
}

/// Reads a message.
pub(crate) fn read(settings: &Settings, signature: &str, body: &[u8], now: Timestamp) -> Result<Notice, InvalidNotice> {
    verify(&settings.webhook_secrets, signature, body, now)?;
    let json = Json::parse(body).map_err(|_| InvalidNotice::Unreadable)?;
    let event = Event::read(&json).ok_or(InvalidNotice::Unreadable)?;
    let of_mode = event.livemode == Some(!settings.is_test_mode());
    let about = UNDERSTOOD.iter().find(|(kind, _)| *kind == event.kind).map(|(_, about)| *about);
    let about = about.filter(|_| event.object == "event" && of_mode && !event.is_of_another_account);
    let notice = about.zip(event.about).and_then(|(about, object)| match about {
        About::Session => about_session(object),
        About::Refund => about_charge(object, "refund"),
        About::Charge => about_charge(object, "charge"),
        About::Dispute => about_dispute(object),
    });
    Ok(notice.unwrap_or(Notice::NotOurs))
}

fn text(members: Members<'_>, name: &str) -> Option<String> {
    members.required(name)
}

/// The order of an object of this kind, if it is one of this program's.
fn order_of(object: Members<'_>, kind: &str) -> Option<OrderId> {
    let metadata = Members::of(object.get("metadata")?)?;
    let ours = text(object, "object")? == kind && text(metadata, MADE_BY)? == THIS_SHOP;
    text(metadata, ORDER_ID)?.parse().ok().filter(|_| ours)
}

/// What a message says about a session, if it is one of this program's.
fn about_session(session: Members<'_>) -> Option<Notice> {
    let order = order_of(session, "checkout.session")?;
    let same = text(session, "client_reference_id")? == order.to_string();
    let session = SessionId::try_from(text(session, "id")?).ok().filter(|id| is_object_id(id.as_str()))?;
    same.then_some(Notice::Session { order, session })
}

/// What a message says about a charge or a refund of one, if it is one of this program's. The shop's charges are what
/// Stripe calls payment intents.
fn about_charge(object: Members<'_>, kind: &str) -> Option<Notice> {
    let order = order_of(object, kind)?;
    let charge = ChargeId::try_from(text(object, "payment_intent")?).ok();
    let charge = charge.filter(|id| is_object_id(id.as_str()))?;
    Some(Notice::Refund { order, charge })
}

/// What a message says about a dispute. Whether it is about a charge of this program's it does not say.
fn about_dispute(dispute: Members<'_>) -> Option<Notice> {
    let id = DisputeId::try_from(text(dispute, "id")?).ok().filter(|id| is_object_id(id.as_str()))?;
    (text(dispute, "object")? == "dispute").then_some(Notice::Dispute(id))
}

/// Whether a message was signed with one of the secrets, and not long ago.
fn verify(secrets: &[Secret], header: &str, body: &[u8], now: Timestamp) -> Result<(), InvalidNotice> {
    let mut moment = None;
    let mut signatures = Vec::new();
    for part in header.split(',') {
        match part.split_once('=').ok_or(InvalidNotice::Signature)? {
            ("t", _) if moment.is_some() => return Err(InvalidNotice::Signature),
            ("t", text) => moment = Some(text),
            ("v1", text) => signatures.extend(read_hex(text)),
            // Other schemes are for others.
            _ => {}
        }
    }
    let moment = moment.ok_or(InvalidNotice::Signature)?;
    let signed = |secret: &Secret| {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).ok()?;
        mac.update(moment.as_bytes());
        mac.update(b".");
        mac.update(body);
        // Compared in a time that does not depend on how much is right.
        signatures.iter().any(|signature| mac.clone().verify_slice(signature).is_ok()).then_some(())
    };
    secrets.iter().find_map(signed).ok_or(InvalidNotice::Signature)?;
    let digits = moment.bytes().all(|byte| byte.is_ascii_digit());
    let millis = moment.parse::<u64>().ok().filter(|_| digits).and_then(|seconds| seconds.checked_mul(1000));
    let near = millis.is_some_and(|millis| u64::from(now).abs_diff(millis) <= TOLERANCE);
    if near { Ok(()) } else { Err(InvalidNotice::Signature) }
}

/// The bytes that 64 hexadecimal digits in lower case stand for.
fn read_hex(text: &str) -> Option<[u8; 32]> {
    let digit = |byte: u8| char::from(byte).to_digit(16).filter(|_| !byte.is_ascii_uppercase());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let mut bytes = [0; 32];
    if pairs.len() != bytes.len() || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = u8::try_from((digit(*high)? << 4) | digit(*low)?).ok()?;
    }
    Some(bytes)
}
