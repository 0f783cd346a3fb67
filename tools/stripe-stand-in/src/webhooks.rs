//! Events on their way to the shop: signed, at least once, in no order, and repeated until they are taken or too old.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hmac::{Hmac, Mac};
use http::header::{CONTENT_TYPE, HOST, USER_AGENT};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use sha2::Sha256;
use tokio::net::TcpStream;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use url::Url;

use crate::objects::{Delivery, Event, Signature};
use crate::shared::Shared;

/// How long the shop may take for its answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// A day, in seconds.
const DAY: i64 = 24 * 60 * 60;
/// More of an answer is not read.
const MOST_ANSWER: usize = 1 << 20;

/// When a webhook that was not taken is sent again. Each pause is twice the one before.
#[derive(Clone, Copy, Debug)]
pub struct Retries {
    /// The first pause.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
    /// After this time it is given up.
    pub stop: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Self { first: Duration::from_millis(250), longest: Duration::from_secs(30), stop: Duration::from_secs(60 * 60) }
    }
}

/// The value of `Stripe-Signature` for a body that is sent at a time, under one secret or, while it is rolled, two.
pub fn signature(secrets: &[impl AsRef<str>], time: i64, body: &[u8]) -> String {
    let mut value = format!("t={time}");
    for secret in secrets {
        // HMAC takes a key of any length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_ref().as_bytes()) else { continue };
        mac.update(time.to_string().as_bytes());
        mac.update(b".");
        mac.update(body);
        value.push_str(",v1=");
        value.push_str(&hex::encode(mac.finalize().into_bytes()));
    }
    value
}

/// Sends a body with this signature, and answers with the status.
pub(crate) async fn send(url: &Url, body: Bytes, signature: Option<String>) -> io::Result<u16> {
    tokio::time::timeout(TIMEOUT, post(url, body, signature)).await?
}

async fn post(url: &Url, body: Bytes, signature: Option<String>) -> io::Result<u16> {
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or(80);
    let stream = TcpStream::connect((host.trim_matches(['[', ']']), port)).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    let connection = tokio::spawn(connection);
    let path = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    let mut request = http::Request::post(path)
        .header(HOST, format!("{host}:{port}"))
        .header(CONTENT_TYPE, "application/json; charset=utf-8")
        .header(USER_AGENT, "Stripe/1.0 (+https://stripe.com/docs/webhooks)");
    if let Some(signature) = signature {
        request = request.header("stripe-signature", signature);
    }
    let request = request.body(Full::new(body)).map_err(io::Error::other)?;
    let answer = sender.send_request(request).await.map_err(io::Error::other)?;
    let status = answer.status().as_u16();
    let rest = http_body_util::Limited::new(answer.into_body(), MOST_ANSWER).collect().await;
    connection.abort();
    rest.map_err(io::Error::other)?;
    Ok(status)
}

/// Sends events that come before an answer. Those that are not taken at once are tried again later.
pub(crate) async fn send_early(shared: &Arc<Shared>, events: Vec<Event>) {
    for event in events {
        tokio::time::sleep(Duration::from_millis(event.delay)).await;
        if attempt(shared, &event).await {
            _ = shared.change(|state, _| state.delivered(&event.id, Delivery::Done));
        } else {
            shared.post(event);
        }
    }
}

/// Sends every event that is posted, each on its own.
pub(crate) async fn courier(shared: Arc<Shared>, mut posted: UnboundedReceiver<Event>) {
    while let Some(event) = posted.recv().await {
        tokio::spawn(deliver(shared.clone(), event));
    }
}

/// Sends an event until it is taken, or given up. Without an address it waits for one.
async fn deliver(shared: Arc<Shared>, event: Event) {
    let Retries { first, longest, stop } = shared.retries;
    let mut url = shared.webhook_url();
    tokio::time::sleep(Duration::from_millis(event.delay)).await;
    let (mut pause, mut began) = (first, None);
    loop {
        if url.wait_for(Option::is_some).await.is_err() {
            return;
        }
        let began = *began.get_or_insert_with(tokio::time::Instant::now);
        let delivery = match attempt(&shared, &event).await {
            true => Delivery::Done,
            false if began.elapsed() + pause > stop => Delivery::Ended,
            false => Delivery::Pending,
        };
        if delivery != Delivery::Pending {
            _ = shared.change(|state, _| state.delivered(&event.id, delivery));
            return;
        }
        // At another address it is tried at once.
        if tokio::time::timeout(pause, url.changed()).await.is_err() {
            pause = longest.min(pause * 2);
        }
    }
}

/// Sends an event once, or as many copies of it as a fault wants. Whether one of them was taken.
async fn attempt(shared: &Arc<Shared>, event: &Event) -> bool {
    let Some(url) = shared.webhook_url().borrow().clone() else { return false };
    let body = event.body.clone().unwrap_or_else(|| event.object.to_string());
    let now = shared.now();
    let signature = match event.signature {
        Signature::Good => Some(signature(&shared.webhook_secrets(), now, body.as_bytes())),
        Signature::OldTimestamp => Some(signature(&shared.webhook_secrets(), now - DAY, body.as_bytes())),
        Signature::WrongSecret => Some(signature(&["whsec_of_another_endpoint"], now, body.as_bytes())),
        Signature::Missing => None,
    };
    let body = Bytes::from(body);
    let mut copies = JoinSet::new();
    for _ in 0..event.copies {
        let (shared, url, body, signature) = (shared.clone(), url.clone(), body.clone(), signature.clone());
        let id = event.id.clone();
        copies.spawn(async move {
            let status = send(&url, body, signature).await;
            shared.log_delivery(&id, &status);
            status.is_ok_and(|status| (200..300).contains(&status))
        });
    }
    copies.join_all().await.into_iter().any(|taken| taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with `printf '1492774577.{}' | openssl dgst -sha256 -hmac whsec_test`.
    #[test]
    fn a_signature_is_the_hmac_of_time_and_body_under_the_whole_secret() {
        let value = signature(&["whsec_test"], 1_492_774_577, b"{}");
        assert_eq!(value, "t=1492774577,v1=0d0602f6611bd2252dd4b74b58a4528355a7380639a15e6cc21e3059d56d5b8b");
        assert_eq!(signature(&["a", "b"], 1, b"").matches(",v1=").count(), 2);
    }
}
