//! What a Stripe account says that it has charged for orders, read from its API.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::reconcile::{Charge, Dispute, Made};
use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::http::Api;

/// How many entries are asked for at once: the most that Stripe gives.
const PER_PAGE: usize = 100;

/// The most pages of one list, so that a provider which never comes to an end is an error.
const MAX_PAGES: usize = 100_000;

/// The piece of metadata that has the order.
const ORDER_ID: &str = "order_id";

/// The piece of metadata that has the shop's name of a refund.
const REFUND_ID: &str = "refund_id";

/// The piece of metadata that has the program which has made the object, and what it is there.
const MADE_BY: (&str, &str) = ("made_by", "order-system-for-spin");

/// An account.
pub struct Account {
    api: Api,
    /// Whether the key is of test mode, where it says so.
    test_mode: bool,
}

#[derive(Deserialize)]
struct Page<T> {
    data: Vec<T>,
    has_more: bool,
}

/// What has a name by which the next page is asked for.
trait Entry: DeserializeOwned {
    const PATH: &str;
    fn id(&self) -> &str;
}

#[derive(Deserialize)]
struct StripeCharge {
    id: String,
    amount: u64,
    currency: String,
    status: String,
    payment_intent: Option<String>,
    #[serde(default)]
    metadata: HashMap<String, String>,
}

impl Entry for StripeCharge {
    const PATH: &str = "/v1/charges";

    fn id(&self) -> &str {
        &self.id
    }
}

#[derive(Deserialize)]
struct StripeRefund {
    id: String,
    amount: u64,
    charge: Option<String>,
    status: Option<String>,
    #[serde(default)]
    metadata: HashMap<String, String>,
}

impl Entry for StripeRefund {
    const PATH: &str = "/v1/refunds";

    fn id(&self) -> &str {
        &self.id
    }
}

#[derive(Deserialize)]
struct StripeDispute {
    id: String,
    amount: u64,
    currency: String,
    charge: String,
    status: String,
}

impl Entry for StripeDispute {
    const PATH: &str = "/v1/disputes";

    fn id(&self) -> &str {
        &self.id
    }
}

/// An amount of Stripe's in minor units of ISO 4217: it counts these currencies otherwise.
fn minor(currency: &str, amount: u64) -> Option<u64> {
    match currency {
        "ISK" | "UGX" => amount.is_multiple_of(100).then_some(amount / 100),
        "MGA" => amount.checked_mul(100),
        _ => Some(amount),
    }
}

/// Whether this can stand in a path.
fn is_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// What is read of an account, page by page.
#[derive(Default)]
struct Reader {
    /// By Stripe's id of the charge.
    charges: BTreeMap<String, Charge>,
}

impl Reader {
    /// Enters a charge, if it is one of an order, or of a PaymentIntent that a shop has on record.
    fn charge(&mut self, charge: StripeCharge, on_record: &BTreeSet<String>) -> Result<()> {
        let StripeCharge { id, amount, currency, status, payment_intent, metadata } = charge;
        let Some(intent) = payment_intent.filter(|_| status == "succeeded") else { return Ok(()) };
        let of_another = metadata.get(MADE_BY.0).is_some_and(|made_by| made_by != MADE_BY.1);
        let order = metadata.get(ORDER_ID).filter(|_| !of_another).and_then(|order| order.parse().ok());
        if order.is_none() && !on_record.contains(&intent) {
            return Ok(());
        }
        let currency = currency.to_ascii_uppercase();
        let amount = in_minor(&id, &currency, amount)?;
        let (refunds, disputes) = (Vec::new(), Vec::new());
        self.charges
            .insert(id, Charge { id: intent, order, amount, currency, refunded: 0, refunding: 0, refunds, disputes });
        Ok(())
    }

    /// Enters a refund of a charge that was entered.
    fn refund(&mut self, refund: StripeRefund) -> Result<()> {
        let Some(id) = refund.charge else { return Ok(()) };
        let Some(charge) = self.charges.get_mut(&id) else { return Ok(()) };
        let amount = in_minor(&id, &charge.currency, refund.amount)?;
        let has_succeeded = match refund.status.as_deref() {
            Some("succeeded") => true,
            Some("failed" | "canceled") => return Ok(()),
            _ => false,
        };
        let back = if has_succeeded { &mut charge.refunded } else { &mut charge.refunding };
        *back = back.saturating_add(amount);
        charge.refunds.push(Made { name: refund.metadata.get(REFUND_ID).cloned(), amount, has_succeeded });
        Ok(())
    }

    /// Enters a dispute about a charge that was entered.
    fn dispute(&mut self, dispute: StripeDispute) -> Result<()> {
        let StripeDispute { id, amount, currency, charge, status } = dispute;
        let Some(disputed) = self.charges.get_mut(&charge) else { return Ok(()) };
        let amount = in_minor(&charge, &currency.to_ascii_uppercase(), amount)?;
        let status = match status.as_str() {
            "won" | "warning_closed" => "won",
            "lost" | "prevented" => "lost",
            _ => "open",
        };
        disputed.disputes.push(Dispute { id, charge: disputed.id.clone(), amount, status: status.to_owned() });
        Ok(())
    }

    fn finish(self) -> Vec<Charge> {
        self.charges.into_values().collect()
    }
}

fn in_minor(charge: &str, currency: &str, amount: u64) -> Result<u64> {
    minor(currency, amount)
        .with_context(|| format!("charge {charge} is of no whole number of minor units of {currency}"))
}

impl Account {
    /// The account with this secret key, at this address.
    ///
    /// # Errors
    /// If it is no secret key, or the address is one where others can listen.
    pub fn new(api: &str, key: &str) -> Result<Self> {
        let sound = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        ensure!(
            sound && (key.starts_with("sk_") || key.starts_with("rk_")),
            "the key of Stripe must begin with sk_ or rk_"
        );
        let test_mode = key.starts_with("sk_test_") || key.starts_with("rk_test_");
        Ok(Self { api: Api::new(api, key).context("Stripe cannot be asked")?, test_mode })
    }

    /// Whether its key is of test mode.
    pub fn is_test_mode(&self) -> bool {
        self.test_mode
    }

    /// What it has charged for orders, and under these names, which shops have on record. Other charges of the same
    /// account are passed over.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn all(&self, on_record: &BTreeSet<String>) -> Result<Vec<Charge>> {
        let mut reader = Reader::default();
        self.each("", |charge: StripeCharge| reader.charge(charge, on_record))?;
        // The refunds last: one that is made meanwhile is seen.
        self.each("", |refund| reader.refund(refund))?;
        self.each("", |dispute| reader.dispute(dispute))?;
        Ok(reader.finish())
    }

    /// What it has charged under these names.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn some(&self, intents: &BTreeSet<String>) -> Result<Vec<Charge>> {
        let mut reader = Reader::default();
        for intent in intents.iter().filter(|intent| is_id(intent)) {
            let of_it = format!("&payment_intent={intent}");
            self.each(&of_it, |charge: StripeCharge| reader.charge(charge, intents))?;
            self.each(&of_it, |refund| reader.refund(refund))?;
            self.each(&of_it, |dispute| reader.dispute(dispute))?;
        }
        Ok(reader.finish())
    }

    /// Whether it has this session.
    ///
    /// # Errors
    /// If it does not answer.
    pub fn has_session(&self, session: &str) -> Result<bool> {
        let path = format!("/v1/checkout/sessions/{session}");
        Ok(is_id(session) && self.api.get::<IgnoredAny>(&path)?.is_some())
    }

    /// Passes on what is in a list. One that is about what there is not is empty.
    fn each<T: Entry>(&self, about: &str, mut hand: impl FnMut(T) -> Result<()>) -> Result<()> {
        let mut after = String::new();
        for number in 0..MAX_PAGES {
            let path = format!("{}?limit={PER_PAGE}{about}{after}", T::PATH);
            let page: Option<Page<T>> = self.api.get(&path)?;
            let Some(page) = page else {
                ensure!(!about.is_empty() && number == 0, "{} has no {}", self.api.base(), T::PATH);
                return Ok(());
            };
            match page.data.last() {
                Some(last) if page.has_more => after = format!("&starting_after={}", last.id()),
                _ => after.clear(),
            }
            page.data.into_iter().try_for_each(&mut hand)?;
            if after.is_empty() {
                return Ok(());
            }
        }
        bail!("{} has more than {MAX_PAGES} pages", T::PATH)
    }
}

#[cfg(test)]
mod tests {
    use super::{Account, minor};

    #[test]
    fn amounts_are_in_minor_units_of_iso_4217() {
        assert_eq!(minor("CNY", 2000), Some(2000));
        assert_eq!(minor("ISK", 2000), Some(20));
        assert_eq!(minor("ISK", 2001), None);
        assert_eq!(minor("MGA", 20), Some(2000));
    }

    #[test]
    fn a_key_that_is_none_is_refused_and_not_told() {
        for (api, key) in [
            ("http://stripe.example", "sk_test_a"),
            ("https://stripe.example", "pk_test_a"),
            ("https://stripe.example", "sk_test_a\r\nx: y"),
        ] {
            let error = Account::new(api, key).err().expect("it is refused").to_string();
            assert!(!error.contains(key), "{error}");
        }
        assert!(!Account::new("https://api.stripe.com", "rk_live_a").unwrap().is_test_mode());
        assert!(Account::new("https://api.stripe.com", "rk_test_a").unwrap().is_test_mode());
    }
}
