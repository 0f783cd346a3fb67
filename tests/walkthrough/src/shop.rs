//! The shop as a client sees it: the one place that sends requests and says so.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anstream::println;
use anstyle::{AnsiColor, Style};
use anyhow::{Context, Result, anyhow, bail};
use harness::{Client, HeaderMap, StatusCode};
use serde_json::Value;

use crate::answer::Answer;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
pub const RED: Style = AnsiColor::Red.on_default();

/// How often a shop may say that it is too busy, which is no contradiction: others use it too.
const TOO_BUSY: usize = 5;

/// How long a message of the payment provider may take, and how often it is looked for.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(200);

/// So much of a body is shown.
const SHOWN: usize = 200;

/// The headers of an answer that have something to say here.
const TELLING: [&str; 5] = ["etag", "idempotent-replayed", "link", "location", "retry-after"];

pub struct Shop {
    client: Client,
    quiet: bool,
    requests: Cell<usize>,
}

impl Shop {
    pub fn new(base_url: &str, token: Option<String>, quiet: bool) -> Result<Self> {
        if !base_url.starts_with("http://") {
            bail!("{base_url}: a base URL begins with http://; what is behind TLS needs a proxy that takes it off");
        }
        let client = Client::new(base_url, token.as_deref())?;
        Ok(Self { client, quiet, requests: Cell::new(0) })
    }

    pub fn has_operator(&self) -> bool {
        self.client.token.is_some()
    }

    pub fn requests(&self) -> usize {
        self.requests.get()
    }

    pub fn chapter(&self, title: &str) {
        self.say(&format!("{BOLD}{}{BOLD:#}\n", title.to_uppercase()));
    }

    pub fn note(&self, text: &str) {
        self.say(&format!("{DIM}({text}){DIM:#}\n"));
    }

    pub fn get(&self, title: impl Into<String>, path: impl Into<String>) -> Request<'_> {
        self.request("GET", title.into(), path.into())
    }

    pub fn post(&self, title: impl Into<String>, path: impl Into<String>) -> Request<'_> {
        self.request("POST", title.into(), path.into())
    }

    pub fn put(&self, title: impl Into<String>, path: impl Into<String>) -> Request<'_> {
        self.request("PUT", title.into(), path.into())
    }

    fn request(&self, method: &'static str, title: String, path: String) -> Request<'_> {
        let client = self.client.clone();
        Request { shop: self, client, method, title, path, headers: Vec::new(), body: String::new() }
    }

    /// The buyer's browser comes to a page of the payment provider.
    pub fn visit(&self, title: impl Into<String>, page: &str) -> Result<Request<'_>> {
        self.browse("GET", title.into(), page)
    }

    /// The buyer presses a button on a page of the payment provider.
    pub fn press(&self, title: impl Into<String>, page: &str, button: &str) -> Result<Request<'_>> {
        let form = "application/x-www-form-urlencoded";
        Ok(self.browse("POST", title.into(), &format!("{page}/{button}"))?.raw(form, "method=card"))
    }

    fn browse(&self, method: &'static str, title: String, url: &str) -> Result<Request<'_>> {
        let rest = url.strip_prefix("http://").with_context(|| format!("{url} does not begin with http://"))?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let client = Client::new(&format!("http://{authority}"), None)?;
        Ok(Request { client, ..self.request(method, title, path.to_owned()) })
    }

    /// Shows what is at this path, again and again, until it is as it should be.
    pub fn wait_for(&self, title: &str, path: &str, pointer: &str, expected: &str) -> Result<Answer> {
        let begun = Instant::now();
        loop {
            let shown = self.get(title, path).expect(200)?;
            if shown.text_at(pointer)? == expected || begun.elapsed() > PATIENCE {
                shown.is(pointer, expected)?;
                return Ok(shown);
            }
            sleep(PAUSE);
        }
    }

    /// A link of the shop's, from its base URL on.
    pub fn path_of<'a>(&self, link: &'a str) -> &'a str {
        link.strip_prefix(&*self.client.base).unwrap_or(link)
    }

    fn say(&self, text: &str) {
        if !self.quiet {
            println!("{text}");
        }
    }
}

pub struct Request<'a> {
    shop: &'a Shop,
    client: Client,
    method: &'static str,
    title: String,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Request<'_> {
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub fn key(self, key: &str) -> Self {
        self.header("idempotency-key", format!("\"{key}\""))
    }

    pub fn if_changed_since(self, answer: &Answer) -> Self {
        self.header("if-none-match", answer.header("etag").unwrap_or_default())
    }

    pub fn by_operator(self) -> Self {
        let token = self.shop.client.token.clone().unwrap_or_default();
        self.header("authorization", format!("Bearer {token}"))
    }

    pub fn json(self, body: Value) -> Self {
        self.raw("application/json", body.to_string())
    }

    pub fn raw(mut self, content_type: &str, body: impl Into<String>) -> Self {
        self.body = body.into();
        self.header("content-type", content_type)
    }

    /// Has to be answered with this status, in JSON.
    pub fn expect(self, status: u16) -> Result<Answer> {
        self.expect_as(status, "application/json")
    }

    pub fn expect_as(self, status: u16, content_type: &str) -> Result<Answer> {
        let answer = self.send()?;
        answer.has_status(status)?;
        answer.has_type(content_type)?;
        Ok(answer)
    }

    /// Has to be answered with 304, and nothing more.
    pub fn unchanged(self) -> Result<()> {
        let answer = self.send()?;
        answer.has_status(304)?;
        if answer.text.is_empty() { Ok(()) } else { Err(answer.contradicts("no body", &answer.text)) }
    }

    /// Has to be refused with this problem (RFC 9457).
    pub fn refused(self, status: u16, code: &str) -> Result<Answer> {
        let answer = self.expect_as(status, "application/problem+json")?;
        answer.is("/code", code)?.is("/status", status)?;
        Ok(answer)
    }

    /// Has to be refused for what is in these places of the request, and for nothing else.
    pub fn invalid(self, kind: &str, places: &[&str]) -> Result<Answer> {
        let answer = self.refused(422, "invalid_request")?;
        let errors = answer.list_at("/errors")?.iter();
        let named: BTreeSet<_> = errors.map(|error| error[kind].as_str().unwrap_or("nothing")).collect();
        let expected: BTreeSet<_> = places.iter().copied().collect();
        if named == expected {
            return Ok(answer);
        }
        Err(answer.contradicts(format!("errors of {kind} {expected:?}"), format!("{named:?}")))
    }

    /// Sends it; again, as the shop asks for, while that is too busy.
    pub fn send(self) -> Result<Answer> {
        for _ in 1..TOO_BUSY {
            let answer = self.send_once()?;
            if answer.status != 503 || answer.body["code"] != "busy" {
                return Ok(answer);
            }
            let seconds = answer.header("retry-after").and_then(|it| it.parse().ok()).unwrap_or(1);
            self.shop.note(&format!("The shop is busy; again in {seconds} s."));
            sleep(Duration::from_secs(seconds));
        }
        self.send_once()
    }

    fn send_once(&self) -> Result<Answer> {
        let Self { shop, title, .. } = self;
        shop.requests.set(shop.requests.get() + 1);
        shop.say(&format!("{BOLD}{title}{BOLD:#}\n{}", self.shown(SHOWN)));

        let request = harness::Request::new(self.method, &self.path).bare_body(self.body.as_str());
        let request = self.headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        let began = Instant::now();
        let failed = |error| anyhow!("{title}: no answer: {error}\n{}", self.shown(usize::MAX));
        let answer = self.client.send(&request).map_err(failed)?;
        let time = began.elapsed();

        let (text, body) = (String::from_utf8_lossy(&answer.body).into_owned(), answer.value());
        let (status, headers) = (StatusCode::from_u16(answer.status)?, answer.headers);
        let telling = |name: &str| TELLING.contains(&name);
        shop.say(&format!("  < {status}, {time:.1?}{}\n", fields_and_body(&headers, telling, &text, SHOWN)));
        let answered = format!("  < {status}{}", fields_and_body(&headers, |_| true, &text, usize::MAX));
        let exchange = format!("{}\n{answered}", self.shown(usize::MAX));
        Ok(Answer { title: title.clone(), exchange, status: status.as_u16(), headers, text, body })
    }

    /// The request with at most so much of its body.
    fn shown(&self, most: usize) -> String {
        let elsewhere = self.client.authority != self.shop.client.authority;
        let place = if elsewhere { format!("http://{}", self.client.authority) } else { String::new() };
        let mut shown = format!("  > {} {place}{}", self.method, self.path);
        for (name, value) in &self.headers {
            // No screen and no log needs the token.
            let value = if *name == "authorization" { "Bearer …" } else { value };
            shown.push_str(&format!("\n  > {name}: {value}"));
        }
        if self.body.is_empty() { shown } else { format!("{shown}\n  > {}", shortened(&self.body, most)) }
    }
}

fn fields_and_body(headers: &HeaderMap, shows: impl Fn(&str) -> bool, body: &str, most: usize) -> String {
    let fields = headers.iter().filter(|(name, _)| shows(name.as_str()));
    let mut shown: String =
        fields.map(|(name, value)| format!("\n  < {name}: {}", String::from_utf8_lossy(value.as_bytes()))).collect();
    if !body.is_empty() {
        shown.push_str("\n  < ");
        shown.push_str(&shortened(body, most));
    }
    shown
}

/// At most this number of characters, with what is left out counted; a further line begins under the first.
fn shortened(text: &str, most: usize) -> String {
    let text = text.trim_end();
    let shown = match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}… and {} more", &text[..end], text[end..].chars().count()),
        None => text.to_owned(),
    };
    shown.replace('\n', "\n    ")
}
