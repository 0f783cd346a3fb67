//! The handler of the component `sweep`: what a shop has to be asked to do, since it has no background job.

use std::rc::Rc;

use domain::{Environment, Provider, Shop, Store, Swept};
use http::StatusCode;
#[cfg(feature = "openapi")]
use schemars::JsonSchema;
use serde::Serialize;

#[cfg(feature = "openapi")]
use crate::openapi::schema;
use crate::problem::Problem;
use crate::reply::Reply;
use crate::request::RequestContext;
use crate::route::{Route, Verb};

/// Answers the route of the component `sweep`.
pub async fn handle<S: Store, E: Environment, P: Provider>(
    context: &RequestContext<'_>,
    shop: &Rc<Shop<S, E, P>>,
) -> Result<Reply, Problem> {
    match (context.route, context.verb) {
        (Route::Sweep, Verb::Post) => {
            context.require_operator()?;
            let swept = shop.sweep().await?;
            Ok(Reply::json(StatusCode::OK, &SweptJson::from(swept)).log(undone(swept)))
        }
        _ => Err(Problem::not_found()),
    }
}

/// What of a sweep the owner has to see to.
fn undone(Swept { unanswered, failed_refunds, unfinished_returns, .. }: Swept) -> Option<String> {
    (unanswered > 0 || failed_refunds > 0 || unfinished_returns > 0).then(|| {
        format!(
            "the payment provider has no answer that helps about {unanswered} payments and refunds, and {failed_refunds} \
             charges could not be given back; {unfinished_returns} orders have returns that could not be finished"
        )
    })
}

/// What a sweep has done.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(JsonSchema), schemars(rename = "Swept"))]
struct SweptJson {
    /// Items whose expired orders were settled: what these held is available again.
    #[cfg_attr(feature = "openapi", schemars(with = "schema::Count"))]
    settled_items: usize,
    /// Overdue payments at the payment provider that were ended and are decided now: the order is paid or expired.
    #[cfg_attr(feature = "openapi", schemars(with = "schema::Count"))]
    decided_payments: usize,
    /// Payments and refunds about which the payment provider did not answer, or nothing that makes sense. The next sweep
    /// asks again.
    #[cfg_attr(feature = "openapi", schemars(with = "schema::Count"))]
    unanswered: usize,
    /// Refunds that have failed in this sweep. The histories of the orders say which.
    /// `POST /orders/{order_id}/refunds/retry` makes those again of charges that did not pay an order.
    #[cfg_attr(feature = "openapi", schemars(with = "schema::Count"))]
    failed_refunds: usize,
    /// Orders whose returns could not be finished. The next sweep tries again; the log says that there are some.
    #[cfg_attr(feature = "openapi", schemars(with = "schema::Count"))]
    unfinished_returns: usize,
    /// Closed orders that were removed.
    #[cfg_attr(feature = "openapi", schemars(with = "schema::Count"))]
    removed_orders: usize,
    /// Whether more is due: the work of one request is bounded.
    more: bool,
}

impl From<Swept> for SweptJson {
    fn from(swept: Swept) -> Self {
        let Swept { settled_items, decided_payments, unanswered, failed_refunds, .. } = swept;
        let Swept { unfinished_returns, removed_orders, more, .. } = swept;
        Self { settled_items, decided_payments, unanswered, failed_refunds, unfinished_returns, removed_orders, more }
    }
}

/// The operations that this module serves, for the OpenAPI document.
#[cfg(feature = "openapi")]
pub(crate) fn operations() -> serde_json::Result<Vec<crate::openapi::operation::Operation>> {
    use crate::openapi::operation::{Answer, Example, Operation};

    Ok(vec![
        Operation::new(
            Route::Sweep,
            Verb::Post,
            "sweep",
            "operations",
            [
                "Remove what came to nothing",
                "Asks the payment provider, if there is one, to end overdue payments, and carries on with refunds that are not \
                 finished. Finishes returns that were cut off half way. Settles what expired orders hold, and removes cancelled, expired and rejected orders that were closed longer \
                 ago than the variable `closed_orders_kept_seconds` says, with all that belongs to them. The work of one \
                 request is bounded: `more` says whether more is due. It can be sent again, also at the same time, and a \
                 body is not looked at. Some is swept without it, as orders are placed.",
            ],
        )
        .operator()
        .answers(Answer::new(200, "What was done.").json::<SweptJson>([Example::new(
            "Swept",
            "All is done",
            SweptJson::from(Swept { settled_items: 1, removed_orders: 40, ..Swept::default() }),
        )?]))
        .writes(),
    ])
}
