//! Work that is done side by side, for a limited time.

use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use crate::environment::Environment;

/// Does these side by side until all are done or `limit` has passed. One result a future, in their order: none where it
/// was not done in time, and stopped where it was.
///
/// Where futures block, as on WASI 0.2, they are done one after another, and none is begun after the limit.
pub(crate) async fn side_by_side<E: Environment, F: Future>(
    environment: &E,
    limit: Duration,
    futures: impl IntoIterator<Item = F>,
) -> Vec<Option<F::Output>> {
    let mut futures: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    let begun = environment.monotonic();
    let is_over = || environment.monotonic().saturating_sub(begun) >= limit;
    let mut timer = pin!(environment.sleep(limit));
    std::future::poll_fn(|context| {
        let mut waits = false;
        for (future, result) in futures.iter_mut().filter(|(_, result)| result.is_none()) {
            if is_over() {
                return Poll::Ready(());
            }
            match future.as_mut().poll(context) {
                Poll::Ready(ready) => *result = Some(ready),
                Poll::Pending => waits = true,
            }
        }
        if waits { timer.as_mut().poll(context) } else { Poll::Ready(()) }
    })
    .await;
    futures.into_iter().map(|(_, result)| result).collect()
}
