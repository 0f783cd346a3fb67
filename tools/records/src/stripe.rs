//! What a Stripe account says that it has charged for orders, read from its API.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use records::reconcile::Charge;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use ureq::Agent;
use ureq::http::StatusCode;

/// How many entries are asked for at once: the most that Stripe gives.
const PER_PAGE: usize = 100;

/// The most pages of one list, so that a provider which never comes to an end is an error.
const MAX_PAGES: usize = 100_000;

/// How long one answer may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How often a page is asked for that Stripe is too busy for.
const ATTEMPTS: u32 = 5;

/// The piece of metadata that has the order.
const ORDER_ID: &str = "order_id";

/// An account.
pub struct Account {
    agent: Agent,
    api: String,
    authorization: String,
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
}

impl Entry for StripeRefund {
    const PATH: &str = "/v1/refunds";

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

impl Account {
    /// The account with this secret key, at this address.
    pub fn new(api: &str, key: &str) -> Result<Self> {
        let here = ["http://127.0.0.1:", "http://localhost:", "http://[::1]:"];
        let private = api.starts_with("https://") || here.iter().any(|prefix| api.starts_with(prefix));
        ensure!(private, "the address of Stripe must be https://, or http:// on this machine: a key is sent there");
        let sound = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        ensure!(sound && (key.starts_with("sk_") || key.starts_with("rk_")), "the key must begin with sk_ or rk_");
        let agent = Agent::config_builder().timeout_global(Some(TIMEOUT)).max_redirects(0).http_status_as_error(false);
        let (api, authorization) = (api.trim_end_matches('/').to_owned(), format!("Bearer {key}"));
        Ok(Self { agent: agent.build().into(), api, authorization })
    }

    /// What it has charged for orders. Charges of the same account that name no order are passed over.
    pub fn charges(&self) -> Result<Vec<Charge>> {
        // The refunds last: one that is made meanwhile is seen.
        let charges: Vec<StripeCharge> = self.list()?;
        let mut back: HashMap<String, (u64, u64)> = HashMap::new();
        for refund in self.list::<StripeRefund>()? {
            let Some(charge) = refund.charge else { continue };
            let (refunded, refunding) = back.entry(charge).or_default();
            match refund.status.as_deref() {
                Some("succeeded") => *refunded = refunded.saturating_add(refund.amount),
                Some("failed" | "canceled") => {}
                _ => *refunding = refunding.saturating_add(refund.amount),
            }
        }
        let mut made = Vec::new();
        for charge in charges.into_iter().filter(|charge| charge.status == "succeeded") {
            let Some(order) = charge.metadata.get(ORDER_ID).and_then(|order| order.parse().ok()) else { continue };
            let currency = charge.currency.to_ascii_uppercase();
            let in_minor = |amount| {
                let uneven = || format!("charge {} is of no whole number of minor units of {currency}", charge.id);
                minor(&currency, amount).with_context(uneven)
            };
            let (refunded, refunding) = back.get(&charge.id).copied().unwrap_or_default();
            made.push(Charge {
                amount: in_minor(charge.amount)?,
                refunded: in_minor(refunded)?,
                refunding: in_minor(refunding)?,
                order,
                id: charge.payment_intent.unwrap_or(charge.id),
                currency,
            });
        }
        Ok(made)
    }

    /// All of a list.
    fn list<T: Entry>(&self) -> Result<Vec<T>> {
        let (mut all, mut after) = (Vec::<T>::new(), String::new());
        for _ in 0..MAX_PAGES {
            let url = format!("{}{}?limit={PER_PAGE}{after}", self.api, T::PATH);
            let page: Page<T> = self.get(&url)?;
            all.extend(page.data);
            match all.last() {
                Some(last) if page.has_more => after = format!("&starting_after={}", last.id()),
                _ => return Ok(all),
            }
        }
        bail!("{} has more than {MAX_PAGES} pages", T::PATH)
    }

    fn get<T: DeserializeOwned>(&self, url: &str) -> Result<T> {
        let mut pause = Duration::from_millis(500);
        for attempt in 1.. {
            let request = self.agent.get(url).header("authorization", &self.authorization);
            let mut answer = request.call().with_context(|| format!("{} does not answer", self.api))?;
            let status = answer.status();
            match status {
                StatusCode::OK => {
                    return answer.body_mut().read_json().with_context(|| format!("{url} has no list of Stripe's"));
                }
                StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE if attempt < ATTEMPTS => {
                    std::thread::sleep(pause);
                    pause *= 2;
                }
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => bail!("{} does not accept the key", self.api),
                status => bail!("{url} was answered with {status}"),
            }
        }
        unreachable!("the last attempt returns")
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
    fn a_key_is_sent_to_no_server_that_others_can_listen_to() {
        for (api, key) in [
            ("http://stripe.example", "sk_test_a"),
            ("https://stripe.example", "pk_test_a"),
            ("https://stripe.example", "sk_test_a\r\nx: y"),
        ] {
            let error = Account::new(api, key).err().expect("it is refused").to_string();
            assert!(!error.contains(key), "{error}");
        }
        assert!(Account::new("https://api.stripe.com", "rk_live_a").is_ok());
    }
}
