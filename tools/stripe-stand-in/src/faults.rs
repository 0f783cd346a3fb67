//! How the stand-in can be hostile: each way is a fault, by name.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A way of being hostile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A call closes the connection, and nothing was done.
    DropBefore,
    /// A call does what it was asked, and closes the connection without an answer.
    DropAfter,
    /// A call answers 500, and nothing was done. The answer is saved under the call's idempotency key.
    ErrorBefore,
    /// A call does what it was asked, and answers 500. The answer is saved under the call's idempotency key.
    ErrorAfter,
    /// A call answers 503, and nothing was done or saved.
    Unavailable,
    /// A call answers 429 `rate_limit`.
    RateLimit,
    /// A call answers 429 `lock_timeout`, and that it should be repeated.
    LockTimeout,
    /// A call does what it was asked, and answers after this time.
    Slow(Duration),
    /// A call does what it was asked after this time, even if the client has given up, and then answers.
    Late(Duration),
    /// The answer breaks off in the middle of its body.
    CutOff,
    /// The answer is a page of HTML with the status 200.
    Nonsense,
    /// The object that is looked at is not known: 404.
    Unknown,
    /// The answer has another object of the same kind.
    OtherObject,
    /// Expiring a session, or looking at an open one, answers that it is expired, and the buyer can pay all the same.
    ClosedYetPayable,
    /// A refund stays pending until it is settled.
    RefundPending,
    /// A refund fails at once.
    RefundFails,
    /// The buyer is charged one minor unit more than the session says.
    OtherAmount,
    /// The buyer is charged in another currency.
    OtherCurrency,
    /// The webhook is delivered before what caused it is answered.
    Early,
    /// The webhook is delivered three times at once.
    Thrice,
    /// The webhook is delivered after this time, so that others come before it.
    Delayed(Duration),
    /// The webhook is never delivered.
    Never,
    /// The webhook is kept back until it is released.
    Held,
    /// The webhook is signed with a timestamp of a day ago.
    OldTimestamp,
    /// The webhook is signed with another secret.
    WrongSecret,
    /// The webhook has no signature.
    Unsigned,
    /// The webhook is signed, and its body is no JSON.
    NoJson,
    /// The webhook is about a session, refund or dispute that does not exist.
    UnknownSession,
    /// The webhook is about a session, refund or dispute of another account.
    OtherAccount,
    /// The webhook is about a session, refund or dispute that has nothing to do with an order.
    NotOurs,
    /// The webhook is about this session, refund or dispute, and names another order; a dispute by its charge.
    OtherOrder,
}

/// What a fault is a fault of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A call of the API.
    Call,
    /// A charge, made by a buyer.
    Charge,
    /// A webhook.
    Webhook,
}

/// All faults: the name, the kind, and what it means to a reader of `--help`.
const FAULTS: [(&str, Fault, Kind, &str); 31] = [
    ("drop-before", Fault::DropBefore, Kind::Call, "closes the connection; nothing was done"),
    ("drop-after", Fault::DropAfter, Kind::Call, "does it, and closes the connection without an answer"),
    ("error-before", Fault::ErrorBefore, Kind::Call, "answers 500; nothing was done; saved under the idempotency key"),
    ("error-after", Fault::ErrorAfter, Kind::Call, "does it, and answers 500; saved under the idempotency key"),
    ("unavailable", Fault::Unavailable, Kind::Call, "answers 503; nothing was done or saved"),
    ("rate-limit", Fault::RateLimit, Kind::Call, "answers 429 rate_limit"),
    ("lock-timeout", Fault::LockTimeout, Kind::Call, "answers 429 lock_timeout with stripe-should-retry"),
    ("slow", Fault::Slow(Duration::ZERO), Kind::Call, "does it, and answers after =MS milliseconds"),
    ("late", Fault::Late(Duration::ZERO), Kind::Call, "does it after =MS milliseconds, even if the client is gone"),
    ("cut-off", Fault::CutOff, Kind::Call, "breaks off in the middle of the answer's body"),
    ("nonsense", Fault::Nonsense, Kind::Call, "answers 200 with a page of HTML"),
    ("unknown", Fault::Unknown, Kind::Call, "answers 404 about an object that exists"),
    ("other-object", Fault::OtherObject, Kind::Call, "answers with another session, refund or dispute"),
    (
        "closed-yet-payable",
        Fault::ClosedYetPayable,
        Kind::Call,
        "says that a session is expired, and lets the buyer pay",
    ),
    ("refund-pending", Fault::RefundPending, Kind::Call, "leaves a refund pending until it is settled"),
    ("refund-fails", Fault::RefundFails, Kind::Call, "makes a refund that has failed"),
    ("other-amount", Fault::OtherAmount, Kind::Charge, "charges one minor unit more than was asked"),
    ("other-currency", Fault::OtherCurrency, Kind::Charge, "charges in another currency"),
    ("early", Fault::Early, Kind::Webhook, "is delivered before what caused it is answered"),
    ("thrice", Fault::Thrice, Kind::Webhook, "is delivered three times at once"),
    ("delayed", Fault::Delayed(Duration::ZERO), Kind::Webhook, "is delivered after =MS milliseconds, out of order"),
    ("never", Fault::Never, Kind::Webhook, "is never delivered"),
    ("held", Fault::Held, Kind::Webhook, "is kept back until /stand-in/release is called"),
    ("old-timestamp", Fault::OldTimestamp, Kind::Webhook, "is signed with a timestamp of a day ago"),
    ("wrong-secret", Fault::WrongSecret, Kind::Webhook, "is signed with another secret"),
    ("unsigned", Fault::Unsigned, Kind::Webhook, "has no signature"),
    ("no-json", Fault::NoJson, Kind::Webhook, "is signed, and no JSON"),
    ("unknown-session", Fault::UnknownSession, Kind::Webhook, "is about something that does not exist"),
    ("other-account", Fault::OtherAccount, Kind::Webhook, "is about something of another account"),
    ("not-ours", Fault::NotOurs, Kind::Webhook, "is about something that names no order"),
    ("other-order", Fault::OtherOrder, Kind::Webhook, "is about what it is about, and names another order"),
];

impl Fault {
    fn entry(self) -> &'static (&'static str, Fault, Kind, &'static str) {
        let same = |other: &Fault| std::mem::discriminant(other) == std::mem::discriminant(&self);
        FAULTS.iter().find(|(_, fault, _, _)| same(fault)).unwrap_or(&FAULTS[0])
    }

    /// The name, as `--fault` takes it.
    pub fn name(self) -> &'static str {
        self.entry().0
    }

    fn kind(self) -> Kind {
        self.entry().2
    }

    /// The operations that this fault of a call can befall, or `None` if all.
    fn only(self) -> Option<&'static [Operation]> {
        use Operation::{Create, Expire, Look, LookCharge, LookDispute, LookEvent, LookIntent, LookRefund, Refund};
        match self {
            Self::Unknown => Some(&[Look, Expire, LookRefund, LookDispute, LookIntent, LookCharge, LookEvent]),
            Self::OtherObject => Some(&[Create, Look, Expire, Refund, LookRefund, LookDispute]),
            Self::ClosedYetPayable => Some(&[Expire, Look]),
            Self::RefundPending | Self::RefundFails => Some(&[Refund]),
            _ => None,
        }
    }
}

/// What the faults are, for `--help`.
pub fn help() -> String {
    let list = |title: &str, kind: Kind| {
        let of_kind = FAULTS.iter().filter(move |(_, _, other, _)| *other == kind);
        let lines: String = of_kind.map(|(name, _, _, meaning)| format!("  {name:<20}{meaning}\n")).collect();
        format!("{title}\n{lines}")
    };
    let operations: Vec<_> = OPERATIONS.iter().map(|(name, _)| *name).collect();
    format!(
        "Faults are given as NAME[=MS][@WHERE][*TIMES]: `drop-after@create*2` is the next two sessions that are opened, \
         `slow=3000` is every call, `thrice@checkout.session.completed` is every such webhook.\n\n{}\n{}\n{}\n\
         WHERE is, for a call, one of\n  {}\nand for a webhook its type.",
        list("Faults of a call:", Kind::Call),
        list("Faults of a charge:", Kind::Charge),
        list("Faults of a webhook, which", Kind::Webhook),
        operations.join(", ")
    )
}

/// A call of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// `POST /v1/checkout/sessions`
    Create,
    /// `GET /v1/checkout/sessions/{id}`
    Look,
    /// `GET /v1/checkout/sessions`
    ListSessions,
    /// `POST /v1/checkout/sessions/{id}/expire`
    Expire,
    /// `POST /v1/refunds`
    Refund,
    /// `GET /v1/refunds/{id}`
    LookRefund,
    /// `GET /v1/refunds`
    ListRefunds,
    /// `GET /v1/disputes/{id}`
    LookDispute,
    /// `GET /v1/disputes`
    ListDisputes,
    /// `GET /v1/payment_intents/{id}`
    LookIntent,
    /// `GET /v1/payment_intents`
    ListIntents,
    /// `GET /v1/charges/{id}`
    LookCharge,
    /// `GET /v1/charges`
    ListCharges,
    /// `GET /v1/events/{id}`
    LookEvent,
    /// `GET /v1/events`
    ListEvents,
}

const OPERATIONS: [(&str, Operation); 15] = [
    ("create", Operation::Create),
    ("look", Operation::Look),
    ("list-sessions", Operation::ListSessions),
    ("expire", Operation::Expire),
    ("refund", Operation::Refund),
    ("look-refund", Operation::LookRefund),
    ("list-refunds", Operation::ListRefunds),
    ("look-dispute", Operation::LookDispute),
    ("list-disputes", Operation::ListDisputes),
    ("look-intent", Operation::LookIntent),
    ("list-intents", Operation::ListIntents),
    ("look-charge", Operation::LookCharge),
    ("list-charges", Operation::ListCharges),
    ("look-event", Operation::LookEvent),
    ("list-events", Operation::ListEvents),
];

impl Operation {
    fn name(self) -> &'static str {
        OPERATIONS.iter().find(|(_, operation)| *operation == self).map_or("", |(name, _)| name)
    }
}

/// A fault, where it strikes, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    fault: Fault,
    /// The operation's name or the event's type; none: wherever the fault can strike.
    at: Option<String>,
    /// How often it strikes yet; none: always.
    left: Option<u32>,
}

impl Rule {
    /// The fault wherever it can strike, always.
    pub fn always(fault: Fault) -> Self {
        Self { fault, at: None, left: None }
    }

    /// The fault where it can strike next, this number of times.
    pub fn times(self, times: u32) -> Self {
        Self { left: Some(times), ..self }
    }

    /// Only at this call.
    pub fn at(self, operation: Operation) -> Self {
        Self { at: Some(operation.name().to_owned()), ..self }
    }

    /// Only at webhooks of this type.
    pub fn of(self, event: &str) -> Self {
        Self { at: Some(event.to_owned()), ..self }
    }

    /// Takes one strike, if this is the kind and the place.
    fn take(&mut self, kind: Kind, place: &str, can: impl Fn(Fault) -> bool) -> Option<Fault> {
        let here = self.fault.kind() == kind && self.at.as_deref().is_none_or(|at| at == place) && can(self.fault);
        if !here || self.left == Some(0) {
            return None;
        }
        self.left = self.left.map(|left| left - 1);
        Some(self.fault)
    }
}

impl From<Fault> for Rule {
    fn from(fault: Fault) -> Self {
        Self::always(fault)
    }
}

/// Why a text is no fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidRule(String);

impl FromStr for Rule {
    type Err = InvalidRule;

    fn from_str(text: &str) -> Result<Self, InvalidRule> {
        let (rest, left) = match text.split_once('*') {
            Some((rest, times)) => {
                let times = times.parse().map_err(|_| InvalidRule(format!("`{times}` is no number of times")))?;
                (rest, Some(times))
            }
            None => (text, None),
        };
        let (rest, at) = rest.split_once('@').map_or((rest, None), |(rest, at)| (rest, Some(at.to_owned())));
        let (name, value) = rest.split_once('=').map_or((rest, None), |(name, value)| (name, Some(value)));
        let found = FAULTS.iter().find(|(other, ..)| *other == name);
        let (_, fault, kind, _) = found.ok_or_else(|| InvalidRule(format!("there is no fault `{name}`")))?;
        let milliseconds = || {
            let number = value.and_then(|value| value.parse().ok()).map(Duration::from_millis);
            number.ok_or_else(|| InvalidRule(format!("`{name}` needs milliseconds: {name}=3000")))
        };
        let fault = match fault {
            Fault::Slow(_) => Fault::Slow(milliseconds()?),
            Fault::Late(_) => Fault::Late(milliseconds()?),
            Fault::Delayed(_) => Fault::Delayed(milliseconds()?),
            fault if value.is_some() => return Err(InvalidRule(format!("`{}` takes no value", fault.name()))),
            fault => *fault,
        };
        if let Some(at) = &at {
            let operation = OPERATIONS.iter().find(|(other, _)| other == at).map(|(_, operation)| operation);
            let fits = match kind {
                Kind::Call => {
                    operation.is_some_and(|operation| fault.only().is_none_or(|only| only.contains(operation)))
                }
                Kind::Webhook => at.contains('.'),
                Kind::Charge => false,
            };
            if !fits {
                return Err(InvalidRule(format!("`{name}` cannot strike at `{at}`")));
            }
        }
        Ok(Self { fault, at, left })
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.fault.name())?;
        if let Fault::Slow(time) | Fault::Late(time) | Fault::Delayed(time) = self.fault {
            write!(f, "={}", time.as_millis())?;
        }
        self.at.iter().try_for_each(|at| write!(f, "@{at}"))?;
        self.left.iter().try_for_each(|left| write!(f, "*{left}"))
    }
}

/// The faults that are in force.
#[derive(Debug, Default)]
pub(crate) struct Faults(pub(crate) Vec<Rule>);

impl Faults {
    /// What strikes a call.
    pub(crate) fn of_call(&mut self, operation: Operation) -> Vec<Fault> {
        let can = |fault: Fault| fault.only().is_none_or(|only| only.contains(&operation));
        self.take(Kind::Call, operation.name(), can)
    }

    /// What strikes a charge.
    pub(crate) fn of_charge(&mut self) -> Vec<Fault> {
        self.take(Kind::Charge, "", |_| true)
    }

    /// What strikes a webhook.
    pub(crate) fn of_webhook(&mut self, event: &str) -> Vec<Fault> {
        self.take(Kind::Webhook, event, |_| true)
    }

    fn take(&mut self, kind: Kind, place: &str, can: impl Fn(Fault) -> bool) -> Vec<Fault> {
        let struck = self.0.iter_mut().filter_map(|rule| rule.take(kind, place, &can)).collect();
        self.0.retain(|rule| rule.left != Some(0));
        struck
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_written_as_it_is_read() {
        for text in ["drop-after", "slow=3000@create", "thrice@checkout.session.completed*2", "other-amount*1"] {
            assert_eq!(text.parse::<Rule>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn every_fault_has_its_own_name_and_can_be_given() {
        for (name, fault, ..) in FAULTS {
            assert_eq!(fault.name(), name);
            let timed = matches!(fault, Fault::Slow(_) | Fault::Late(_) | Fault::Delayed(_));
            let value = if timed { "=1" } else { "" };
            assert!(format!("{name}{value}").parse::<Rule>().is_ok(), "{name}");
        }
        assert!(OPERATIONS.iter().all(|(name, operation)| operation.name() == *name));
    }

    #[test]
    fn what_is_no_fault_is_refused() {
        for wrong in [
            "",
            "no-such",
            "slow",
            "slow=x",
            "early=3",
            "drop-after*x",
            "unknown@create",
            "early@look",
            "other-amount@look",
        ] {
            assert!(wrong.parse::<Rule>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_fault_strikes_where_and_as_often_as_it_was_told() {
        let rules = ["drop-after@create*2", "rate-limit", "early*1"].map(|rule| rule.parse().unwrap());
        let mut faults = Faults(rules.into());
        assert_eq!(faults.of_call(Operation::Look), [Fault::RateLimit]);
        assert_eq!(faults.of_call(Operation::Create), [Fault::DropAfter, Fault::RateLimit]);
        assert_eq!(faults.of_call(Operation::Create), [Fault::DropAfter, Fault::RateLimit]);
        assert_eq!(faults.of_call(Operation::Create), [Fault::RateLimit]);
        assert_eq!(faults.of_webhook("checkout.session.expired"), [Fault::Early]);
        assert_eq!(faults.of_webhook("checkout.session.expired"), []);
    }
}
