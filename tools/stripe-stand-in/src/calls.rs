//! The calls of the API: what each takes, what it refuses, and what it does.

use std::collections::BTreeMap;

use http::Method;
use serde_json::{Value, json};
use url::Url;

use crate::currency;
use crate::error::ApiError;
use crate::faults::{Fault, Operation};
use crate::form::Params;
use crate::objects::{Line, RefundStatus, Session, SessionStatus};
use crate::state::{Cause, NewRefund, NewSession, State, another_id, new_id};

/// The means of payment that the stand-in has.
pub(crate) const METHODS: [&str; 3] = ["card", "alipay", "wechat_pay"];

/// How long a session is open: at least, and at most, in seconds.
const OPEN_FOR: (i64, i64) = (30 * 60, 24 * 60 * 60);

const MOST_LINES: usize = 100;

const LOCALES: [&str; 41] = [
    "auto", "bg", "cs", "da", "de", "el", "en", "en-GB", "es", "es-419", "et", "fi", "fil", "fr", "fr-CA", "hr", "hu",
    "id", "it", "ja", "ko", "lt", "lv", "ms", "mt", "nb", "nl", "pl", "pt", "pt-BR", "ro", "ru", "sk", "sl", "sv",
    "th", "tr", "vi", "zh", "zh-HK", "zh-TW",
];

/// A call whose parameters make sense.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) operation: Operation,
    action: Action,
}

#[derive(Clone, Debug)]
enum Action {
    Create(Box<NewSession>),
    Expire { id: String, expand: Vec<String> },
    Refund { new: NewRefund, expand: Vec<String> },
    Look { id: String, expand: Vec<String> },
    List { query: Query, expand: Vec<String> },
}

/// What a list is to have.
#[derive(Clone, Debug, Default)]
struct Query {
    limit: usize,
    starting_after: Option<String>,
    ending_before: Option<String>,
    created: Vec<(&'static str, i64)>,
    payment_intent: Option<String>,
    charge: Option<String>,
    status: Option<String>,
    types: Vec<String>,
}

/// The operation that a method and a path name, and the id in the path.
pub(crate) fn route(method: &Method, path: &str) -> Option<(Operation, Option<String>)> {
    use Operation as O;
    let parts: Vec<_> = path.strip_prefix("/v1/")?.trim_end_matches('/').split('/').collect();
    let get = method == Method::GET;
    let (operation, id) = match (method, parts.as_slice()) {
        (&Method::POST, ["checkout", "sessions"]) => (O::Create, None),
        (&Method::POST, ["checkout", "sessions", id, "expire"]) => (O::Expire, Some(id)),
        (&Method::POST, ["refunds"]) => (O::Refund, None),
        (_, ["checkout", "sessions"]) if get => (O::ListSessions, None),
        (_, ["checkout", "sessions", id]) if get => (O::Look, Some(id)),
        (_, ["refunds"]) if get => (O::ListRefunds, None),
        (_, ["refunds", id]) if get => (O::LookRefund, Some(id)),
        (_, ["disputes"]) if get => (O::ListDisputes, None),
        (_, ["disputes", id]) if get => (O::LookDispute, Some(id)),
        (_, ["payment_intents"]) if get => (O::ListIntents, None),
        (_, ["payment_intents", id]) if get => (O::LookIntent, Some(id)),
        (_, ["charges"]) if get => (O::ListCharges, None),
        (_, ["charges", id]) if get => (O::LookCharge, Some(id)),
        (_, ["events"]) if get => (O::ListEvents, None),
        (_, ["events", id]) if get => (O::LookEvent, Some(id)),
        _ => return None,
    };
    Some((operation, id.map(|id| (*id).to_owned())))
}

/// Reads the parameters of an operation.
///
/// # Errors
/// They make no sense. Stripe saves no such answer under an idempotency key.
pub(crate) fn read(operation: Operation, id: Option<String>, mut params: Params, now: i64) -> Result<Call, ApiError> {
    use Operation as O;
    let expand = params.texts("expand")?.unwrap_or_default();
    for path in &expand {
        if !expandable(operation).contains(&path.as_str()) {
            let message = format!("This property cannot be expanded ({path}).");
            return Err(ApiError::invalid(message).param("expand"));
        }
    }
    let id = id.unwrap_or_default();
    let action = match operation {
        O::Create => Action::Create(Box::new(NewSession { session: new_session(&mut params, now)?, expand })),
        O::Expire => Action::Expire { id, expand },
        O::Refund => Action::Refund { new: new_refund(&mut params)?, expand },
        O::Look | O::LookRefund | O::LookDispute | O::LookIntent | O::LookCharge | O::LookEvent => {
            Action::Look { id, expand }
        }
        O::ListSessions | O::ListRefunds | O::ListDisputes | O::ListIntents | O::ListCharges | O::ListEvents => {
            Action::List { query: query(operation, &mut params)?, expand }
        }
    };
    params.finish()?;
    Ok(Call { operation, action })
}

/// What an answer of this operation can show in place of an id.
fn expandable(operation: Operation) -> &'static [&'static str] {
    use Operation as O;
    match operation {
        O::Create | O::Look | O::Expire => &["line_items", "payment_intent", "payment_intent.latest_charge"],
        O::ListSessions => &["data.line_items", "data.payment_intent", "data.payment_intent.latest_charge"],
        O::Refund | O::LookRefund | O::LookDispute => &["charge", "payment_intent", "payment_intent.latest_charge"],
        O::ListRefunds | O::ListDisputes => {
            &["data.charge", "data.payment_intent", "data.payment_intent.latest_charge"]
        }
        O::LookIntent => &["latest_charge"],
        O::ListIntents => &["data.latest_charge"],
        O::LookCharge => &["payment_intent"],
        O::ListCharges => &["data.payment_intent"],
        O::LookEvent | O::ListEvents => &[],
    }
}

fn url_of(params: &mut Params, name: &str) -> Result<Option<String>, ApiError> {
    let Some(text) = params.short(name, 5000)? else { return Ok(None) };
    // The template is no part of a URL before it is filled in.
    let filled = text.replace(SESSION_TEMPLATE, "x");
    let valid = Url::parse(&filled).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if valid { Ok(Some(text)) } else { Err(ApiError::invalid("Not a valid URL").code("url_invalid").param(name)) }
}

/// What a success URL may contain.
pub(crate) const SESSION_TEMPLATE: &str = "{CHECKOUT_SESSION_ID}";

fn new_session(params: &mut Params, now: i64) -> Result<Session, ApiError> {
    let modes = ["payment", "setup", "subscription"];
    let mode = params.word("mode", &modes)?.ok_or_else(|| ApiError::missing("mode"))?;
    if mode != "payment" {
        return Err(ApiError::invalid(format!("The stand-in has no mode {mode}.")).param("mode"));
    }
    params.word("ui_mode", &["hosted_page", "hosted"])?;
    let (lines, currency) = lines(params)?;
    let success_url = url_of(params, "success_url")?.ok_or_else(|| ApiError::missing("success_url"))?;
    let cancel_url = url_of(params, "cancel_url")?;
    let expires_at = expires_at(params, now)?;
    let methods = methods(params)?;
    let order = params.short("client_reference_id", 200)?;
    let metadata = params.metadata()?;
    let locale = params.word("locale", &LOCALES)?;
    let customer_email = params.short("customer_email", 512)?;
    let submit_type = params.word("submit_type", &["auto", "book", "donate", "pay", "subscribe"])?;
    // It converts no prices, as Stripe does not where that is switched off.
    if let Some(mut pricing) = params.nested("adaptive_pricing")? {
        pricing.word("enabled", &["false", "true"])?;
        pricing.finish()?;
    }
    let (mut intent_metadata, mut intent_description) = (BTreeMap::new(), None);
    if let Some(mut intent) = params.nested("payment_intent_data")? {
        intent_metadata = intent.metadata()?;
        intent_description = intent.short("description", 1000)?;
        intent.finish()?;
    }
    let amount = total(&lines, &currency)?;
    Ok(Session {
        id: new_id("cs_test_", 58),
        number: 0,
        created: now,
        expires_at,
        status: SessionStatus::Open,
        paid: false,
        intent: None,
        lines,
        currency,
        amount,
        order,
        metadata,
        intent_metadata,
        intent_description,
        success_url,
        cancel_url,
        methods,
        locale,
        customer_email,
        submit_type,
        says_closed: false,
        settles: None,
    })
}

fn expires_at(params: &mut Params, now: i64) -> Result<i64, ApiError> {
    let Some(expires_at) = params.integer("expires_at")? else { return Ok(now + OPEN_FOR.1) };
    let ahead = expires_at.saturating_sub(now);
    let refuse = |reason: &str| {
        let message = format!("The `expires_at` timestamp must be {reason} Checkout Session creation.");
        Err(ApiError::invalid(message).param("expires_at"))
    };
    if ahead < OPEN_FOR.0 {
        return refuse("at least 30 minutes from");
    }
    if ahead > OPEN_FOR.1 {
        return refuse("less than 24 hours from");
    }
    Ok(expires_at)
}

fn methods(params: &mut Params) -> Result<Vec<String>, ApiError> {
    let named = params.texts("payment_method_types")?;
    let mut web = false;
    if let Some(mut options) = params.nested("payment_method_options")? {
        if let Some(mut wechat) = options.nested("wechat_pay")? {
            web = wechat.word("client", &["android", "ios", "web"])?.is_some();
            wechat.finish()?;
        }
        options.finish()?;
    }
    let Some(named) = named else { return Ok(METHODS.map(str::to_owned).into()) };
    for (index, method) in named.iter().enumerate() {
        if !METHODS.contains(&method.as_str()) {
            let message = format!("Invalid payment_method_types[{index}]: the stand-in has {}", METHODS.join(", "));
            return Err(ApiError::invalid(message).param(format!("payment_method_types[{index}]")));
        }
    }
    if named.iter().any(|method| method == "wechat_pay") && !web {
        return Err(ApiError::missing("payment_method_options[wechat_pay][client]"));
    }
    Ok(named)
}

fn lines(params: &mut Params) -> Result<(Vec<Line>, String), ApiError> {
    let list = params.list("line_items")?.filter(|list| !list.is_empty());
    let list = list.ok_or_else(|| ApiError::missing("line_items"))?;
    if list.len() > MOST_LINES {
        let message = format!("You can only have up to {MOST_LINES} line items in payment mode.");
        return Err(ApiError::invalid(message).param("line_items"));
    }
    let mut of_all: Option<String> = None;
    let mut lines = Vec::with_capacity(list.len());
    for mut params in list {
        let (line, currency, at) = line(&mut params)?;
        if of_all.as_ref().is_some_and(|of_all| *of_all != currency) {
            let message = "All line items must have the same currency.";
            return Err(ApiError::invalid(message).param(at));
        }
        params.finish()?;
        of_all = Some(currency);
        lines.push(line);
    }
    Ok((lines, of_all.unwrap_or_default()))
}

/// A line, its currency, and where that was given.
fn line(params: &mut Params) -> Result<(Line, String, String), ApiError> {
    let missing = |params: &Params, name: &str| ApiError::missing(&params.path(name));
    let mut price = params.nested("price_data")?.ok_or_else(|| missing(params, "price_data"))?;
    let at = price.path("currency");
    let currency = price.text("currency")?.ok_or_else(|| ApiError::missing(&at))?;
    let lower = currency.to_ascii_lowercase();
    let known = currency::find(&lower).ok_or_else(|| {
        ApiError::invalid(format!("Invalid currency: {}.", currency.chars().take(20).collect::<String>())).param(&at)
    })?;
    let unit_amount = price.integer("unit_amount")?.ok_or_else(|| missing(&price, "unit_amount"))?;
    let at_amount = price.path("unit_amount");
    if unit_amount < 0 {
        let error = ApiError::invalid("This value must be greater than or equal to 0.");
        return Err(error.code("parameter_invalid_integer").param(at_amount));
    }
    if unit_amount % known.step != 0 {
        let message = format!("Amounts in {lower} must be divisible by {}.", known.step);
        return Err(ApiError::invalid(message).code("parameter_invalid_integer").param(at_amount));
    }
    if unit_amount > known.most {
        let message = format!("The amount must be no more than {}.", currency::format(known.most, &lower));
        return Err(ApiError::invalid(message).code("amount_too_large").param(at_amount));
    }
    let mut product = price.nested("product_data")?.ok_or_else(|| missing(&price, "product_data"))?;
    let name = product.short("name", 5000)?.ok_or_else(|| missing(&product, "name"))?;
    product.short("description", 40_000)?;
    product.texts("images")?;
    product.metadata()?;
    product.finish()?;
    price.finish()?;
    params.metadata()?;
    let quantity = params.integer("quantity")?.ok_or_else(|| missing(params, "quantity"))?;
    if quantity < 1 {
        let error = ApiError::invalid("This value must be greater than or equal to 1.");
        return Err(error.code("parameter_invalid_integer").param(params.path("quantity")));
    }
    Ok((Line { id: new_id("li_1", 23), name, unit_amount, quantity }, lower, at))
}

fn total(lines: &[Line], code: &str) -> Result<i64, ApiError> {
    let Some(known) = currency::find(code) else { return Ok(0) };
    let too_large = || {
        let most = currency::format(known.most, code);
        let message = format!("The Checkout Session's total amount due must be no more than {most}.");
        ApiError::invalid(message).code("amount_too_large")
    };
    let amounts = lines.iter().map(|line| line.unit_amount.checked_mul(line.quantity));
    let total =
        amounts.into_iter().try_fold(0_i64, |total, amount| total.checked_add(amount?)).ok_or_else(too_large)?;
    if total > known.most {
        return Err(too_large());
    }
    if total < known.least {
        let least = currency::format(known.least, code);
        let message = format!("The Checkout Session's total amount due must add up to at least {least}.");
        return Err(ApiError::invalid(message).code("amount_too_small"));
    }
    Ok(total)
}

fn new_refund(params: &mut Params) -> Result<NewRefund, ApiError> {
    let (intent, charge) = (params.text("payment_intent")?, params.text("charge")?);
    if intent.is_none() && charge.is_none() {
        let message = "One of the following params should be provided for this request: payment_intent or charge.";
        return Err(ApiError::invalid(message).code("parameter_missing"));
    }
    let amount = params.integer("amount")?;
    if amount.is_some_and(|amount| amount < 1) {
        let error = ApiError::invalid("This value must be greater than or equal to 1.");
        return Err(error.code("parameter_invalid_integer").param("amount"));
    }
    let reason = params.word("reason", &["duplicate", "fraudulent", "requested_by_customer"])?;
    Ok(NewRefund { intent, charge, amount, reason, metadata: params.metadata()? })
}

fn query(operation: Operation, params: &mut Params) -> Result<Query, ApiError> {
    let limit = params.integer("limit")?.unwrap_or(10);
    if !(1..=100).contains(&limit) {
        let message = "Invalid integer: the limit must be between 1 and 100";
        return Err(ApiError::invalid(message).code("parameter_invalid_integer").param("limit"));
    }
    let mut query = Query {
        limit: usize::try_from(limit).unwrap_or(10),
        starting_after: params.text("starting_after")?,
        ending_before: params.text("ending_before")?,
        ..Query::default()
    };
    if query.starting_after.is_some() && query.ending_before.is_some() {
        let message = "You can only use one of starting_after and ending_before.";
        return Err(ApiError::invalid(message).param("ending_before"));
    }
    if let Some(mut created) = params.nested("created")? {
        for bound in ["gt", "gte", "lt", "lte"] {
            query.created.extend(created.integer(bound)?.map(|time| (bound, time)));
        }
        created.finish()?;
    }
    match operation {
        Operation::ListSessions => {
            query.payment_intent = params.text("payment_intent")?;
            query.status = params.word("status", &["complete", "expired", "open"])?;
        }
        Operation::ListRefunds | Operation::ListDisputes => {
            query.payment_intent = params.text("payment_intent")?;
            query.charge = params.text("charge")?;
        }
        Operation::ListCharges => query.payment_intent = params.text("payment_intent")?,
        Operation::ListEvents => {
            query.types = params.texts("types")?.unwrap_or_default();
            query.types.extend(params.text("type")?);
        }
        _ => {}
    }
    Ok(query)
}

impl Call {
    /// Does it. What strikes it may change what is done.
    pub(crate) fn run(self, state: &mut State, faults: &[Fault], now: i64, cause: &Cause) -> Result<Value, ApiError> {
        let (mut value, expand) = match self.action {
            Action::Create(new) => {
                let expand = new.expand.clone();
                let session = state.create(*new);
                (state.session_json(&session), expand)
            }
            Action::Expire { id, .. } if faults.contains(&Fault::Unknown) => return Err(unknown(self.operation, &id)),
            Action::Expire { id, expand } => {
                state.expire(&id, faults.contains(&Fault::ClosedYetPayable), now, cause)?;
                (look(state, Operation::Look, &id)?, expand)
            }
            Action::Refund { new, expand } => {
                let status = if faults.contains(&Fault::RefundFails) {
                    RefundStatus::Failed
                } else if faults.contains(&Fault::RefundPending) {
                    RefundStatus::Pending
                } else {
                    RefundStatus::Succeeded
                };
                (state.refund(new, status, now, cause)?.json(), expand)
            }
            Action::Look { id, .. } if faults.contains(&Fault::Unknown) => return Err(unknown(self.operation, &id)),
            Action::Look { id, expand } => {
                if faults.contains(&Fault::ClosedYetPayable) {
                    state.say_closed(&id, now, cause);
                }
                (look(state, self.operation, &id)?, expand)
            }
            Action::List { query, expand } => (list(state, self.operation, &query)?, expand),
        };
        if faults.contains(&Fault::OtherObject) {
            value = another(state, value);
        }
        expand.iter().for_each(|path| state.expand(&mut value, path));
        Ok(value)
    }
}

fn unknown(operation: Operation, id: &str) -> ApiError {
    use Operation as O;
    let (object, param) = match operation {
        O::Look | O::Expire => ("checkout.session", "session"),
        O::LookRefund | O::ListRefunds => ("refund", "refund"),
        O::LookDispute | O::ListDisputes => ("dispute", "dispute"),
        O::LookIntent | O::ListIntents => ("payment_intent", "intent"),
        O::LookCharge | O::ListCharges => ("charge", "charge"),
        O::LookEvent | O::ListEvents => ("event", "id"),
        O::Create | O::ListSessions | O::Refund => ("checkout session", "session"),
    };
    ApiError::unknown(object, id, param)
}

fn look(state: &State, operation: Operation, id: &str) -> Result<Value, ApiError> {
    let found = match operation {
        Operation::LookRefund => state.refunds.get(id).map(|refund| refund.json()),
        Operation::LookDispute => state.disputes.get(id).map(|dispute| state.dispute_json(dispute)),
        Operation::LookIntent => state.intents.get(id).map(|intent| intent.json()),
        Operation::LookCharge => state.charges.get(id).map(|charge| state.charge_json(charge)),
        Operation::LookEvent => state.events.get(id).map(|event| event.object.clone()),
        _ => state.sessions.get(id).map(|session| state.session_json(session)),
    };
    found.ok_or_else(|| unknown(operation, id))
}

/// Another object of the same kind: one that is there, if there is one, or one that is not.
fn another(state: &State, value: Value) -> Value {
    let id = value["id"].as_str().unwrap_or_default().to_owned();
    let found = if value["object"] == "refund" {
        state.refunds.values().rev().find(|refund| refund.id != id).map(|refund| refund.json())
    } else if value["object"] == "dispute" {
        let others = state.disputes.values().rev();
        others.into_iter().find(|dispute| dispute.id != id).map(|dispute| state.dispute_json(dispute))
    } else {
        let others = state.sessions.values().rev();
        others.into_iter().find(|session| session.id != id).map(|session| state.session_json(session))
    };
    found.unwrap_or_else(|| {
        let mut value = value;
        value["id"] = another_id(&value).into();
        if value["object"] == "checkout.session" {
            value["client_reference_id"] = "00000000-0000-4000-8000-000000000000".into();
        }
        value["metadata"] = json!({});
        value
    })
}

/// An entry of a list: its number, its id, when it was made, and the object.
type Entry<'a> = (u64, &'a str, i64, Box<dyn FnOnce() -> Value + 'a>);

fn list(state: &State, operation: Operation, query: &Query) -> Result<Value, ApiError> {
    let is = |wanted: &Option<String>, actual: Option<&str>| wanted.is_none() || wanted.as_deref() == actual;
    let (url, mut entries): (&str, Vec<Entry<'_>>) = match operation {
        Operation::ListRefunds => {
            let refunds = state.refunds.values().filter(|refund| {
                is(&query.payment_intent, Some(&refund.intent)) && is(&query.charge, Some(&refund.charge))
            });
            ("/v1/refunds", refunds.map(|one| entry(one.number, &one.id, one.created, || one.json())).collect())
        }
        Operation::ListDisputes => {
            let disputes = state.disputes.values().filter(|dispute| {
                is(&query.payment_intent, Some(&dispute.intent)) && is(&query.charge, Some(&dispute.charge))
            });
            let entries = disputes.map(|one| entry(one.number, &one.id, one.created, || state.dispute_json(one)));
            ("/v1/disputes", entries.collect())
        }
        Operation::ListIntents => {
            let intents = state.intents.values();
            ("/v1/payment_intents", intents.map(|one| entry(one.number, &one.id, one.created, || one.json())).collect())
        }
        Operation::ListCharges => {
            let charges = state.charges.values().filter(|one| is(&query.payment_intent, Some(&one.intent)));
            (
                "/v1/charges",
                charges.map(|one| entry(one.number, &one.id, one.created, || state.charge_json(one))).collect(),
            )
        }
        Operation::ListEvents => {
            let events = state.events.values().filter(|one| query.types.is_empty() || query.types.contains(&one.kind));
            ("/v1/events", events.map(|one| entry(one.number, &one.id, one.created, || one.object.clone())).collect())
        }
        _ => {
            let sessions = state.sessions.values().filter(|one| {
                is(&query.payment_intent, one.intent.as_deref()) && is(&query.status, Some(one.said_status().as_str()))
            });
            let entries = sessions.map(|one| entry(one.number, &one.id, one.created, || state.session_json(one)));
            ("/v1/checkout/sessions", entries.collect())
        }
    };
    entries.retain(|(_, _, created, _)| {
        query.created.iter().all(|(bound, time)| match *bound {
            "gt" => created > time,
            "gte" => created >= time,
            "lt" => created < time,
            _ => created <= time,
        })
    });
    // The newest first.
    entries.sort_by_key(|(number, ..)| std::cmp::Reverse(*number));
    let position = |id: &String, param: &str| {
        let found = entries.iter().position(|(_, other, ..)| other == id);
        found.ok_or_else(|| {
            let mut error = unknown(operation, id).param(param);
            error.status = http::StatusCode::BAD_REQUEST;
            error
        })
    };
    let after = query.starting_after.as_ref().map(|id| position(id, "starting_after")).transpose()?;
    let before = query.ending_before.as_ref().map(|id| position(id, "ending_before")).transpose()?;
    let (start, end) = match (after, before) {
        (Some(after), _) => (after + 1, entries.len().min(after + 1 + query.limit)),
        (None, Some(before)) => (before.saturating_sub(query.limit), before),
        (None, None) => (0, entries.len().min(query.limit)),
    };
    let has_more = if before.is_some() { start > 0 } else { end < entries.len() };
    let page = entries.into_iter().skip(start).take(end - start);
    let data: Vec<_> = page.map(|(_, _, _, object)| object()).collect();
    Ok(json!({ "object": "list", "data": data, "has_more": has_more, "url": url }))
}

fn entry<'a>(number: u64, id: &'a str, created: i64, object: impl FnOnce() -> Value + 'a) -> Entry<'a> {
    (number, id, created, Box::new(object))
}
