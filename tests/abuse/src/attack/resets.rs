//! Clients that send orders and take them back at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use h2::Reason;
use harness::{Client, Request};
use serde_json::json;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::{Held, PATIENCE, connect, request, runtime};
use crate::Sizes;
use crate::shop::TAKEN_BACK;

/// The connections that share the work.
const CONNECTIONS: u32 = 8;

/// Before this, what is sent has not left yet: taking it back would be sending nothing.
const ON_ITS_WAY: Duration = Duration::from_millis(1);

pub(super) fn run(sizes: &Sizes, client: &Client) -> Result<Held> {
    let before = reserved(client)?;
    let sent = Arc::new(AtomicUsize::new(0));
    let runtime = runtime()?;
    runtime.block_on(async {
        let each = |_| tokio::spawn(takes_back(client.clone(), sizes.clone(), sent.clone()));
        for connection in (0..CONNECTIONS).map(each).collect::<Vec<_>>() {
            connection.await.context("a client panics")??;
        }
        anyhow::Ok(())
    })?;
    runtime.shutdown_background();
    let sent = sent.load(Ordering::Relaxed);
    let done = move |now: u64| format!("{sent} orders sent and taken back at once; {} of them were done", now - before);
    Ok(Held { done: Vec::new(), keeper: Some(Box::new(Counted { client: client.clone(), done: Box::new(done) })) })
}

/// Sends its share until the time is over, over one connection after the other.
async fn takes_back(client: Client, sizes: Sizes, sent: Arc<AtomicUsize>) -> Result<()> {
    let end = Instant::now() + sizes.burst;
    let pause = Duration::from_secs(1) * CONNECTIONS / sizes.resets.max(1);
    let body = Bytes::from(json!({ "item_id": TAKEN_BACK, "quantity": 1 }).to_string());
    while Instant::now() < end {
        // A server may refuse to talk to such a client any longer, which is the server's right.
        let Ok(Ok(mut sender)) = timeout(PATIENCE, connect(&client, u16::MAX.into())).await else {
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        let mut next = Instant::now();
        while Instant::now() < end {
            let Ok(Ok(ready)) = timeout(PATIENCE, sender.ready()).await else { break };
            sender = ready;
            let request = request(&client, "POST", "/orders")?.header("content-type", "application/json").body(())?;
            let Ok((response, mut stream)) = sender.send_request(request, false) else { break };
            let taken = stream.send_data(body.clone(), true).is_ok();
            sleep(ON_ITS_WAY).await;
            stream.send_reset(Reason::CANCEL);
            drop(response);
            sent.fetch_add(usize::from(taken), Ordering::Relaxed);
            next += pause;
            sleep_until(next).await;
        }
    }
    Ok(())
}

/// What is reserved of the item of these orders: one unit for each that was done.
fn reserved(client: &Client) -> Result<u64> {
    let answer = client.send(&Request::show_item(TAKEN_BACK))?;
    answer.value()["reserved"].as_u64().with_context(|| format!("{} {}", answer.status, answer.value()))
}

/// Counts in the end: what was sent may be done later.
struct Counted {
    client: Client,
    done: Box<dyn Fn(u64) -> String>,
}

impl super::Keeper for Counted {
    fn end(self: Box<Self>) -> Result<Vec<String>> {
        Ok(vec![(self.done)(reserved(&self.client)?)])
    }
}
