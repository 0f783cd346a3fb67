//! The error codes: one table, from which problem details, the OpenAPI document and the tests read.

use http::StatusCode;

/// Makes the enum and what belongs to each of its codes. The comment of a code is its description in the OpenAPI
/// document.
macro_rules! codes {
    ($(
        $(#[doc = $description:literal])+
        $code:ident = $status:ident, $text:literal, $title:literal $(, retry after $seconds:literal)?;
    )+) => {
        /// What a program can tell errors apart by.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code {
            $($(#[doc = $description])+ $code,)+
        }

        impl Code {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$code),+];

            /// The HTTP status of every answer with this code.
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$code => StatusCode::$status,)+ }
            }

            /// The member `code` of the problem. It never changes.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$code => $text,)+ }
            }

            /// The member `title` of the problem.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$code => $title,)+ }
            }

            /// The usual value of the header `retry-after`, in seconds; none for errors that do not pass by themselves.
            pub const fn retry_after(self) -> Option<&'static str> {
                match self {
                    $($(Self::$code => Some($seconds),)?)+
                    _ => None,
                }
            }

            /// The description in the OpenAPI document, in lines.
            #[cfg(feature = "openapi")]
            pub(crate) const fn description(self) -> &'static str {
                match self { $(Self::$code => concat!($($description),+),)+ }
            }
        }
    };
}

codes! {
    /// The body is not JSON, ended early, or has a duplicate key in an object.
    MalformedJson = BAD_REQUEST, "malformed_json", "Malformed JSON";
    /// The value of a header is not UTF-8. `errors` names it.
    MalformedHeader = BAD_REQUEST, "malformed_header", "Malformed header";
    /// The signature of the payment provider's event is missing, wrong or too old. Nothing was done.
    InvalidSignature = BAD_REQUEST, "invalid_signature", "Invalid signature";
    /// The signature of the payment provider's event is right, and the event cannot be read. Nothing was done.
    MalformedEvent = BAD_REQUEST, "malformed_event", "Malformed event";
    /// A header asks for what the shop does not do. `errors` names it.
    UnsupportedHeader = BAD_REQUEST, "unsupported_header", "Unsupported header";
    /// The operator's bearer token is missing or wrong.
    Unauthorized = UNAUTHORIZED, "unauthorized", "Unauthorized";
    /// The shop has no operator token, so all operator requests are refused.
    OperatorDisabled = FORBIDDEN, "operator_disabled", "Operator disabled";
    /// There is nothing at this path.
    NotFound = NOT_FOUND, "not_found", "Not found";
    /// There is no such item. `item_id` says which, if the path or body has a valid id.
    ItemNotFound = NOT_FOUND, "item_not_found", "Item not found";
    /// There is no such order.
    OrderNotFound = NOT_FOUND, "order_not_found", "Order not found";
    /// The path does not support this method; `allow` lists those that it does.
    MethodNotAllowed = METHOD_NOT_ALLOWED, "method_not_allowed", "Method not allowed";
    /// The client does not accept what the shop answers: see `detail` for what that is. Nothing was done.
    NotAcceptable = NOT_ACCEPTABLE, "not_acceptable", "Not acceptable";
    /// The body took longer than 30 seconds to arrive.
    RequestTimeout = REQUEST_TIMEOUT, "request_timeout", "Request timeout";
    /// Less of an item is available than requested. Nothing was ordered or taken.
    InsufficientStock = CONFLICT, "insufficient_stock", "Insufficient stock";
    /// The order is expected to cost something else than it does. `items` and `total` say what it costs now. Nothing was
    /// ordered.
    PriceChanged = CONFLICT, "price_changed", "Price changed";
    /// The item exists already: its stock is changed by an adjustment.
    ItemExists = CONFLICT, "item_exists", "Item exists";
    /// Only a pending order can be paid.
    OrderNotPayable = CONFLICT, "order_not_payable", "Order not payable";
    /// Only a placing or pending order can be cancelled.
    OrderNotCancellable = CONFLICT, "order_not_cancellable", "Order not cancellable";
    /// Only money that was paid is given back, and not where all of it has been; `order_status` says what the order is.
    OrderNotRefundable = CONFLICT, "order_not_refundable", "Order not refundable";
    /// More is to be given back than was paid, less what was given back before and has not failed. `refundable` says how
    /// much that is. Nothing was changed.
    RefundExceedsPayment = CONFLICT, "refund_exceeds_payment", "Refund exceeds payment";
    /// Money is to be given back for more of an item than was sold in the order, less what it was given back for before.
    /// `refundable` says for how many of the `sold` it still can be. Nothing was changed.
    RefundExceedsSale = CONFLICT, "refund_exceeds_sale", "Refund exceeds sale";
    /// Only goods of a paid order come back.
    OrderNotReturnable = CONFLICT, "order_not_returnable", "Order not returnable";
    /// More of an item is to come back than was sold in the order, less what has come back before. `returnable` says how
    /// many of the `sold` can still come back. Nothing was changed.
    ReturnExceedsSale = CONFLICT, "return_exceeds_sale", "Return exceeds sale";
    /// Only goods of a paid order go out, and not where all of them have come back or all that was paid was given back.
    OrderNotFulfillable = CONFLICT, "order_not_fulfillable", "Order not fulfillable";
    /// The buyer has the goods of the order: how they went out stays as it is.
    OrderDelivered = CONFLICT, "order_delivered", "Order delivered";
    /// The buyer has paid by a means that takes a while, and it may still fail. Until the payment provider has said how
    /// it ended, the order cannot be cancelled. It is as it was.
    PaymentProcessing = CONFLICT, "payment_processing", "Payment processing";
    /// The item or the order is not what `if-match` or `if-none-match` says. It is as it was.
    PreconditionFailed = PRECONDITION_FAILED, "precondition_failed", "Precondition failed";
    /// The body has more than 65,536 bytes.
    BodyTooLarge = PAYLOAD_TOO_LARGE, "body_too_large", "Body too large";
    /// The content type of the body is not `application/json`, or there are several.
    UnsupportedMediaType = UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "Unsupported media type";
    /// The body is compressed, or coded in another way: `accept-encoding` says how it is taken.
    UnsupportedContentCoding = UNSUPPORTED_MEDIA_TYPE, "unsupported_content_coding", "Unsupported content coding";
    /// `expect` has something else than `100-continue`.
    ExpectationFailed = EXPECTATION_FAILED, "expectation_failed", "Expectation failed";
    /// The request is well-formed but invalid. `errors` lists up to 20 errors.
    InvalidRequest = UNPROCESSABLE_ENTITY, "invalid_request", "Invalid request";
    /// The idempotency key was used for another request.
    IdempotencyKeyReused = UNPROCESSABLE_ENTITY, "idempotency_key_reused", "Idempotency key reused";
    /// There is more of an item in the order than one order may have. `max_per_order` says how much that is. Nothing was
    /// ordered.
    QuantityAboveLimit = UNPROCESSABLE_ENTITY, "quantity_above_limit", "Quantity above limit";
    /// The amount is not the total of the order. The order is unchanged.
    AmountMismatch = UNPROCESSABLE_ENTITY, "amount_mismatch", "Amount mismatch";
    /// A record that this request needs cannot be read. It was left as it is; the log says which.
    UnreadableRecord = INTERNAL_SERVER_ERROR, "unreadable_record", "Unreadable record";
    /// The payment provider refuses, does not know the payment, has no answer that makes sense, or could not give back what
    /// it should not have charged; the log says what. Sending the request again is safe.
    PaymentProviderError = BAD_GATEWAY, "payment_provider_error", "Payment provider error";
    /// The payment provider did not answer in time, or cannot now. What it was asked may have been done. Sending the
    /// request again is safe.
    PaymentProviderUnavailable = SERVICE_UNAVAILABLE, "payment_provider_unavailable", "Payment provider unavailable", retry after "5";
    /// Too many concurrent requests, or too many for the same item or order. Sending the request again is safe.
    Busy = SERVICE_UNAVAILABLE, "busy", "Busy", retry after "1";
    /// The store did not answer. Sending the request again is safe: with an idempotency key, if it had one.
    StoreUnavailable = SERVICE_UNAVAILABLE, "store_unavailable", "Store unavailable", retry after "5";
    /// The store lacks a guarantee that the shop needs. Nothing is sold from it.
    StoreUnsuitable = SERVICE_UNAVAILABLE, "store_unsuitable", "Store unsuitable", retry after "60";
    /// A variable of the shop has an invalid value; the log says which.
    Misconfigured = SERVICE_UNAVAILABLE, "misconfigured", "Misconfigured", retry after "60";
    /// The item has as many unpaid orders as its record can hold. Nothing was ordered or changed. A repeat is refused too,
    /// until some of these orders are paid, cancelled or expired.
    ItemFull = INSUFFICIENT_STORAGE, "item_full", "Item full";
    /// The order has as many returns, or refunds, as its record can hold. Nothing was changed, and a repeat is refused too.
    OrderFull = INSUFFICIENT_STORAGE, "order_full", "Order full";
    /// The store has no room for another order or item. Nothing was ordered or changed. Paying, cancelling and reading go on.
    StoreFull = INSUFFICIENT_STORAGE, "store_full", "Store full";
    /// The shop has as many items as it can list. Nothing was created, and a repeat is refused too.
    CatalogFull = INSUFFICIENT_STORAGE, "catalog_full", "Catalog full";
}
