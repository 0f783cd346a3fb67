//! Requests to Stripe's API: how they are made, repeated and understood, whatever they are about.

use std::cell::OnceCell;
use std::time::Duration;

use domain::{Environment, ProviderError};
use form_urlencoded::Serializer;
use plain_json::Json;

use crate::answer::{Answer, Members};
use crate::settings::Settings;
use crate::transport::{Method, Request, Response, Transport, TransportError};

/// The version of Stripe's API that this crate is written for. Without the header an account's own version would count.
pub const API_VERSION: &str = "2026-08-26.dahlia";

/// What Stripe answers about an object that the account does not have.
const MISSING: &str = "resource_missing";

/// The most characters of a name that Stripe gives to what is wrong.
const MAX_NAME: usize = 64;

/// The most characters of what a transport says.
const MAX_REASON: usize = 200;

/// How long and how often Stripe is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How long one request may take.
    pub one: Duration,
    /// How long all requests of one call of the provider may take, with the pauses between them.
    pub all: Duration,
    /// How long all calls may take, from the first one on. None: nothing but the time of each bounds them.
    pub together: Option<Duration>,
    /// How often one request is sent at most.
    pub tries: u32,
    /// The longest pause before the second try. Each later one is twice as long. At least half of it is kept.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            one: Duration::from_secs(10),
            all: Duration::from_secs(15),
            together: None,
            tries: 3,
            pause: Duration::from_millis(500),
        }
    }
}

/// The parameters of a request, in the form that browsers send.
#[derive(Debug, Default)]
pub(crate) struct Form(String);

impl Form {
    /// With this parameter too.
    pub(crate) fn with(self, name: &str, value: &str) -> Self {
        let Self(mut text) = self;
        let pair = Serializer::new(String::new()).append_pair(name, value).finish();
        if !text.is_empty() {
            text.push('&');
        }
        text.push_str(&pair);
        Self(text)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// What is asked of Stripe.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask<'a> {
    pub(crate) method: Method,
    /// The path, of characters that a path may have.
    pub(crate) path: &'a str,
    pub(crate) form: &'a Form,
    /// Under which name it is done once, however often it is sent.
    pub(crate) idempotency_key: Option<&'a str>,
}

/// What Stripe has answered.
#[derive(Debug)]
pub(crate) struct Told<A> {
    pub(crate) answer: A,
    /// Whether this is what was answered to an earlier request under the same name. It may be true no more.
    pub(crate) is_replay: bool,
}

/// A request that did not do what it should have.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The key was not accepted.
    Key(String),
    /// It was answered, for good, that it will not be done.
    Refused(String),
    /// What it is about is not there.
    Missing(String),
    /// Whether it was done is unknown.
    Unavailable(String),
    /// The answer makes no sense.
    Nonsense(String),
}

impl From<Failure> for ProviderError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Key(text) | Failure::Refused(text) | Failure::Missing(text) => Self::Refused(text),
            Failure::Unavailable(text) => Self::Unavailable(text),
            Failure::Nonsense(text) => Self::Nonsense(text),
        }
    }
}

/// Until when the requests of one call of the provider may go on, by the monotonic clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Deadline(Duration);

/// Asks Stripe.
#[derive(Debug)]
pub(crate) struct Client<T, E> {
    pub(crate) settings: Settings,
    pub(crate) transport: T,
    pub(crate) environment: E,
    pub(crate) patience: Patience,
    /// Until when all calls may go on; known from the first one on.
    pub(crate) last: OnceCell<Deadline>,
}

/// An error as Stripe answers it. Its message is not read: it may have anything in it.
struct ErrorDetails {
    kind: Option<String>,
    code: Option<String>,
    param: Option<String>,
}

impl Answer for ErrorDetails {
    fn read(json: &Json) -> Option<Self> {
        let members = Members::of(json)?;
        Some(Self {
            kind: members.optional("type")?,
            code: members.optional("code")?,
            param: members.optional("param")?,
        })
    }
}

impl<T: Transport, E: Environment> Client<T, E> {
    /// The deadline of a call that begins now.
    pub(crate) fn deadline(&self) -> Deadline {
        let now = self.environment.monotonic();
        let after = |time| Deadline(now.saturating_add(time));
        let last = self.last.get_or_init(|| after(self.patience.together.unwrap_or(Duration::MAX)));
        after(self.patience.all).min(*last)
    }

    /// Asks, and asks again where that may help.
    pub(crate) async fn ask<A: Answer>(&self, ask: Ask<'_>, until: Deadline) -> Result<Told<A>, Failure> {
        let (response, json) = self.ask_until(ask, until).await?;
        match A::read(&json) {
            Some(answer) => Ok(Told { answer, is_replay: response.is_replay() }),
            None => Err(self.unreadable(&response)),
        }
    }

    /// As [`Self::ask`]. Compiled once, whatever the answer is.
    async fn ask_until(&self, ask: Ask<'_>, until: Deadline) -> Result<(Response, Json), Failure> {
        let mut tried: u32 = 0;
        loop {
            let left = until.0.saturating_sub(self.environment.monotonic());
            if left.is_zero() {
                return Err(Failure::Unavailable("there was no time left to ask it".to_owned()));
            }
            tried = tried.saturating_add(1);
            let sent = self.transport.send(self.request(ask, left.min(self.patience.one))).await;
            let (failure, again) = match sent {
                Ok(response) => match self.understand(ask, &response) {
                    Ok(json) => return Ok((response, json)),
                    Err(failed) => failed,
                },
                Err(TransportError::NotSent(why)) => {
                    (Failure::Unavailable(format!("the request was not sent: {}", self.reason(&why))), true)
                }
                Err(TransportError::NoAnswer(why)) => {
                    (Failure::Unavailable(format!("no whole answer: {}", self.reason(&why))), true)
                }
            };
            let pause = self.pause(tried);
            let left = until.0.saturating_sub(self.environment.monotonic());
            if !again || tried >= self.patience.tries || pause >= left {
                return Err(failure);
            }
            self.environment.sleep(pause).await;
        }
    }

    /// The pause after this many tries. By chance, so that requests that failed together do not come again together.
    fn pause(&self, tried: u32) -> Duration {
        let longest = self.patience.pause.saturating_mul(2_u32.saturating_pow(tried.saturating_sub(1)));
        let mut random = [0; 2];
        self.environment.random(&mut random);
        let half = longest.checked_div(2).unwrap_or(longest);
        let share = half.saturating_mul(u32::from(u16::from_le_bytes(random))).checked_div(u32::from(u16::MAX));
        half.saturating_add(share.unwrap_or(half))
    }

    fn request(&self, ask: Ask<'_>, timeout: Duration) -> Request {
        let Settings { api, secret_key, .. } = &self.settings;
        let mut headers = vec![
            ("accept", "application/json".to_owned()),
            ("authorization", format!("Bearer {}", secret_key.expose())),
            ("stripe-version", API_VERSION.to_owned()),
        ];
        if let Some(key) = ask.idempotency_key {
            headers.push(("idempotency-key", key.to_owned()));
        }
        let (path, form) = (ask.path, ask.form.as_str());
        let (url, body) = match ask.method {
            Method::Get if form.is_empty() => (format!("{api}{path}"), Vec::new()),
            Method::Get => (format!("{api}{path}?{form}"), Vec::new()),
            Method::Post => {
                headers.push(("content-type", "application/x-www-form-urlencoded".to_owned()));
                (format!("{api}{path}"), form.as_bytes().to_vec())
            }
        };
        Request { method: ask.method, url, headers, body, timeout }
    }

    /// What an answer says; or what is wrong, and whether asking again may help.
    fn understand(&self, ask: Ask<'_>, response: &Response) -> Result<Json, (Failure, bool)> {
        let json = Json::parse(&response.body);
        if (200..300).contains(&response.status) {
            return match json {
                Ok(json) => Ok(json),
                // A body that ends too early was cut off on its way.
                Err(error) if error.is_eof() => Err((Failure::Unavailable("its answer was cut off".to_owned()), true)),
                Err(_) => Err((self.unreadable(response), false)),
            };
        }
        let error: Option<ErrorDetails> = json.ok().and_then(|json| Members::of(&json)?.required("error"));
        let told = match response.header("stripe-should-retry") {
            Some("true") => Some(true),
            Some("false") => Some(false),
            _ => None,
        };
        let describe = |what| self.describe(response, error.as_ref(), what);
        Err(match response.status {
            401 | 403 => (Failure::Key(describe("its secret key is not accepted, or may not do this")), false),
            // What is remembered under a name is answered for as long as the name is: another one is needed.
            500..600 if response.is_replay() && ask.idempotency_key.is_some() => {
                (Failure::Refused(describe("it failed under this name, and remembers that")), false)
            }
            409 | 429 | 500..600 => (Failure::Unavailable(describe("it cannot now")), told.unwrap_or(true)),
            404 if error.as_ref().is_some_and(|error| error.code.as_deref() == Some(MISSING)) => {
                (Failure::Missing(describe("this is not there")), false)
            }
            400..500 if error.is_none() => (Failure::Nonsense(describe("this is no error of Stripe's")), false),
            400..500 if told == Some(true) => (Failure::Unavailable(describe("it cannot now")), true),
            400..500 => (Failure::Refused(describe("it will not do this")), false),
            _ => (Failure::Nonsense(describe("this is no answer of Stripe's")), false),
        })
    }

    fn unreadable(&self, response: &Response) -> Failure {
        Failure::Nonsense(self.describe(response, None, "its answer cannot be read"))
    }

    /// What is wrong with an answer: its status, and the names that Stripe gives to the reason and to the request.
    fn describe(&self, response: &Response, error: Option<&ErrorDetails>, what: &str) -> String {
        let names = error.map(|error| [&error.kind, &error.code, &error.param]);
        let names = names.iter().flatten().filter_map(|name| name.as_deref());
        let names = names.chain(response.header("request-id")).filter(|name| self.is_name(name));
        names.fold(format!("{what} (status {}", response.status), |text, name| format!("{text}, {name}")) + ")"
    }

    /// Whether a text is a name, and not some other text that may have a secret in it.
    fn is_name(&self, text: &str) -> bool {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-[]".contains(&byte);
        (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(plain) && !self.settings.is_in(text)
    }

    /// What a transport says, in one bounded line.
    fn reason(&self, text: &str) -> String {
        if self.settings.is_in(text) {
            return "a reason that is not shown".to_owned();
        }
        text.chars().map(|char| if char.is_control() { ' ' } else { char }).take(MAX_REASON).collect()
    }
}
