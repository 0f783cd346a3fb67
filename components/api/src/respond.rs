//! What is the same for every request and every response.

use std::rc::Rc;
use std::time::Duration;

use domain::{Environment, Provider, Shop, Store, StoreStats};
use http::{Method, StatusCode};

use crate::code::Code;
use crate::conditional::{Current, Preconditions};
use crate::config::{Config, Variables};
use crate::files::{self, File};
use crate::header;
use crate::log::{Log, Outcome};
use crate::negotiation::{self, JSON};
use crate::problem::Problem;
use crate::reply::{Parts, Reply};
use crate::request::{Headers, Request, RequestContext};
use crate::route::{Route, Verb};

const REQUEST_ID: &str = "x-request-id";

/// What an answer may do that is no page: nothing, and no page may frame it. So a browser that is led to show one runs
/// nothing of it.
pub(crate) const NO_PAGE: &str = "default-src 'none'; frame-ancestors 'none'";

/// The longest request id that is taken from a client.
pub(crate) const MAX_REQUEST_ID_LEN: usize = 128;

/// A response, and what the owner should know about it.
#[derive(Debug)]
pub struct Response {
    /// What the client is sent, or the beginning of it. For `HEAD` it has the body of a `GET`: the server leaves that
    /// out, and its length is what `content-length` has to say.
    pub reply: Reply,
    /// A line for the log.
    pub line: Option<String>,
    /// What follows the body of `reply`; its end has the line for the log.
    pub rest: Option<Rest>,
}

/// The parts of a body that follow the first, and what is written down when they are sent.
#[derive(Debug)]
pub struct Rest {
    /// None after the last.
    parts: Option<Box<dyn Parts>>,
    request: Request,
    status: StatusCode,
    location: Option<String>,
    request_id: String,
    log: Log,
    begun: Duration,
    tally: StoreStats,
    code: Option<Code>,
    cause: Option<String>,
}

/// How a body in parts ended.
#[derive(Debug)]
pub struct End {
    /// Whether the client has all of it. If not, the transfer has to be broken off, so that the client learns of it.
    pub complete: bool,
    /// A line for the log.
    pub line: Option<String>,
}

impl Rest {
    /// Makes the next part; none after the last.
    pub async fn next(&mut self) -> Option<Vec<u8>> {
        let parts = self.parts.as_mut()?;
        let part = parts.next().await;
        self.tally = parts.stats();
        match part {
            Ok(Some(part)) => Some(part),
            Ok(None) => {
                self.parts = None;
                None
            }
            Err(mut problem) => {
                (self.code, self.cause) = (Some(problem.code()), problem.take_cause());
                None
            }
        }
    }

    /// Ends it, after the last part or because the client has gone.
    pub fn end(self, environment: &impl Environment) -> End {
        let took = clock(self.log, environment).saturating_sub(self.begun).as_micros();
        let took = u64::try_from(took).unwrap_or(u64::MAX);
        let outcome = Outcome { took, tally: self.tally, code: self.code, cause: self.cause };
        let head = (self.status, self.location.as_deref());
        let line = self.log.line(&self.request, head, &self.request_id, &outcome, environment);
        End { complete: self.parts.is_none(), line }
    }
}

/// The time, where it is to be written down: to look at the clock costs a call.
fn clock(log: Log, environment: &impl Environment) -> Duration {
    if log == Log::Requests { environment.monotonic() } else { Duration::ZERO }
}

/// The media type of the metrics, and the ranges that it is in.
const TEXT: [&str; 3] = ["text/plain", "text/*", "*/*"];

/// Answers a request. `handle` is a component's part of it; `open` gives it the shop, once the request is known to
/// need one.
pub async fn respond<S: Store, E: Environment, P: Provider>(
    request: Request,
    environment: &E,
    variables: &Variables,
    open: impl AsyncFnOnce(&Config) -> Result<Shop<S, E, P>, Problem>,
    handle: impl AsyncFnOnce(&RequestContext<'_>, &Rc<Shop<S, E, P>>) -> Result<Reply, Problem>,
) -> Response {
    let log = variables.log;
    let begun = clock(log, environment);
    let request_id = request_id(&request.headers).unwrap_or_else(|| environment.random_name());
    let mut tally = StoreStats::default();
    let (mut reply, code, cause) = match answer(&request, &mut tally, variables, open, handle).await {
        Ok(mut reply) => {
            let cause = reply.cause.take();
            (reply, None, cause)
        }
        Err(mut problem) => {
            let (code, cause) = (problem.code(), problem.take_cause());
            (problem.into_reply(), Some(code), cause)
        }
    };
    let parts = reply.rest.take();
    let whole = parts.is_none();
    // What is answered to a HEAD ends with the head.
    let parts = parts.filter(|_| request.method != Method::HEAD);
    let in_parts = parts.is_some();
    let location = reply.header(header::LOCATION).map(str::to_owned);
    let status = reply.status;
    let length = whole.then_some(reply.body.len());
    let reply = finish(variables.origins.told(&request, reply), &request_id, length);
    let rest = Rest { parts, request, status, location, request_id, log, begun, tally, code, cause };
    if in_parts {
        Response { reply, line: None, rest: Some(rest) }
    } else {
        Response { reply, line: rest.end(environment).line, rest: None }
    }
}

async fn answer<S: Store, E: Environment, P: Provider>(
    request: &Request,
    tally: &mut StoreStats,
    variables: &Variables,
    open: impl AsyncFnOnce(&Config) -> Result<Shop<S, E, P>, Problem>,
    handle: impl AsyncFnOnce(&RequestContext<'_>, &Rc<Shop<S, E, P>>) -> Result<Reply, Problem>,
) -> Result<Reply, Problem> {
    request.headers.require_text()?;
    let route = Route::parse(request.path()).ok_or_else(Problem::not_found)?;
    if request.method == Method::OPTIONS {
        return Ok(Reply::empty(StatusCode::NO_CONTENT).with(header::ALLOW, route.allow()));
    }
    let verb = route.verb(&request.method).ok_or_else(|| Problem::method_not_allowed(route.allow()))?;
    negotiation::expectations(&request.headers)?;
    let types = if route == Route::Metrics { TEXT } else { JSON };
    // A page of the list of orders has the type that its query says.
    if (route, verb) != (Route::Orders, Verb::Get) {
        negotiation::accept(&request.headers, types)?;
    }
    negotiation::accept_plain(&request.headers, types)?;
    if route == Route::Health {
        return conditional(&request.headers, Reply::state("ok"));
    }
    // The one path for the owner alone says which variable it is.
    let misconfigured = |error| match route {
        Route::Ready => Problem::misconfigured_by(error),
        _ => Problem::misconfigured(error),
    };
    let config = variables.config.as_ref().map_err(misconfigured)?;
    let shop = Rc::new(open(config).await?);
    let context =
        RequestContext { route, verb, query: request.query(), config, headers: &request.headers, body: &request.body };
    let reply = handle(&context, &shop).await;
    let told = reply.as_ref().map_or_else(Problem::is_lasting, |_| true);
    let confirmed = if told && route.is_lasting(verb) { shop.confirm().await } else { Ok(()) };
    *tally = shop.stats();
    confirmed?;
    let reply = reply?;
    if verb == Verb::Get { conditional(&request.headers, reply) } else { Ok(reply) }
}

/// Answers a request for one of these files.
pub fn respond_with_files(request: Request, environment: &impl Environment, files: &[File]) -> Response {
    let request_id = request_id(&request.headers).unwrap_or_else(|| environment.random_name());
    let reply = files::reply(&request, files).and_then(|reply| conditional(&request.headers, reply));
    let mut reply = reply.unwrap_or_else(Problem::into_reply);
    let parts = reply.rest.take();
    let length = parts.is_none().then_some(reply.body.len());
    let (status, reply) = (reply.status, finish(reply, &request_id, length));
    let rest = parts.map(|parts| Rest {
        parts: Some(parts),
        request,
        status,
        location: None,
        request_id,
        // A file has no line in it: there is nothing for the owner to mend.
        log: Log::Problems,
        begun: Duration::ZERO,
        tally: StoreStats::default(),
        code: None,
        cause: None,
    });
    Response { reply, line: None, rest }
}

/// Adds what every response carries. The `length` of the body is none where it is not known, or said already.
fn finish(reply: Reply, request_id: &str, length: Option<usize>) -> Reply {
    let reply = match reply.header(header::CACHE_CONTROL) {
        Some(_) => reply,
        None => reply.with(header::CACHE_CONTROL, "no-store"),
    };
    let reply = match reply.header(header::CONTENT_SECURITY_POLICY) {
        Some(_) => reply,
        None => reply.with(header::CONTENT_SECURITY_POLICY, NO_PAGE),
    };
    let reply = reply.with(header::X_CONTENT_TYPE_OPTIONS, "nosniff").with(REQUEST_ID, request_id);
    // These two have no body and, by RFC 9110, no length of one.
    let bodiless = matches!(reply.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    match length.filter(|_| !bodiless) {
        Some(length) => reply.with(header::CONTENT_LENGTH, &length.to_string()),
        None => reply,
    }
}

/// Gives the reply to a request that reads its tag, and looks whether the client wants it: 304 in place of what it has
/// already, 412 where it expects another one.
fn conditional(headers: &Headers, reply: Reply) -> Result<Reply, Problem> {
    if reply.status != StatusCode::OK {
        return Ok(reply);
    }
    // What comes in parts is not known before it is sent.
    let reply = if reply.rest.is_some() { reply } else { reply.tagged() };
    let current = reply.header(header::ETAG).map_or(Current::Untagged, |tag| Current::Tagged(tag.as_bytes()));
    let preconditions = Preconditions::of(headers);
    if !preconditions.matches(current) {
        return Err(Problem::precondition_failed());
    }
    if !preconditions.is_known(current) {
        return Ok(reply);
    }
    // With those fields of the answer that say how to keep it (RFC 9110, 15.4.5), and with what a page may do: a browser
    // puts the fields of this answer in the place of those that it has kept with the page.
    let kept = [header::ETAG, header::CACHE_CONTROL, header::VARY, header::CONTENT_SECURITY_POLICY];
    let kept = |(name, _): &(&str, _)| kept.contains(name);
    let empty = Reply::empty(StatusCode::NOT_MODIFIED);
    Ok(reply.headers.into_iter().filter(kept).fold(empty, |empty, (name, value)| empty.with(name, &value)))
}

/// The client's request id, if it sent one that is fit for a header and a log.
fn request_id(headers: &Headers) -> Option<String> {
    let id = headers.first(REQUEST_ID)?;
    let sane = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    let sane = (1..=MAX_REQUEST_ID_LEN).contains(&id.len()) && id.iter().all(sane);
    sane.then(|| String::from_utf8_lossy(id).into_owned())
}
