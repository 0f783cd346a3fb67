//! `GET` from a server that may be busy or cut off, with a secret that is sent there and nowhere else.

use std::io::Read;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use ureq::Agent;
use ureq::http::{Response, StatusCode};

/// How long one answer may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The most that an answer may have: a page of a list has less.
const MAX_ANSWER: u64 = 16 * 1024 * 1024;

/// How often is asked for what was not answered, or by a server that cannot now.
const ATTEMPTS: u32 = 5;

/// The pause after the first attempt. Each later one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// The longest pause that a server can ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The code of a shop that has no operator: there is no right secret.
const DISABLED: &str = "operator_disabled";

/// A server that takes a secret.
pub struct Api {
    agent: Agent,
    base: String,
    authorization: String,
}

/// What a shop says when it refuses (RFC 9457).
#[derive(Deserialize)]
struct Problem {
    code: String,
}

/// How one attempt ended without an answer that helps.
enum Failure {
    /// Another attempt may succeed, after this pause or the usual one.
    Passing(anyhow::Error, Option<Duration>),
    Lasting(anyhow::Error),
}

impl Api {
    /// The server at this address, which takes this secret.
    pub fn new(base: &str, secret: &str) -> Result<Self> {
        check(base)?;
        ensure!(!secret.is_empty(), "its secret is empty");
        ensure!(
            secret.bytes().all(|byte| byte.is_ascii_graphic()),
            "its secret has white space or other characters in it"
        );
        let agent = Agent::config_builder().timeout_global(Some(TIMEOUT)).max_redirects(0).http_status_as_error(false);
        // What is not encrypted goes to this machine, and past no proxy.
        let agent = if base.starts_with("https://") { agent } else { agent.proxy(None) };
        let (base, authorization) = (base.trim_end_matches('/').to_owned(), format!("Bearer {secret}"));
        Ok(Self { agent: agent.build().into(), base, authorization })
    }

    /// Where it is.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// What is under a path; none where that is not found.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>> {
        let mut pause = FIRST_PAUSE;
        for attempt in 1.. {
            match self.attempt(path) {
                Ok(found) => return Ok(found),
                Err(Failure::Passing(_, asked)) if attempt < ATTEMPTS => {
                    std::thread::sleep(asked.map_or(pause, |asked| asked.clamp(pause, LONGEST_PAUSE)));
                    pause *= 2;
                }
                Err(Failure::Passing(error, _) | Failure::Lasting(error)) => return Err(error),
            }
        }
        unreachable!("the last attempt returns")
    }

    fn attempt<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Failure> {
        let url = format!("{}{path}", self.base);
        let request = self.agent.get(&url).header("authorization", &self.authorization);
        let silent = || format!("{} does not answer", self.base);
        let mut answer = request.call().with_context(silent).map_err(|error| Failure::Passing(error, None))?;
        let mut body = Vec::new();
        let read = answer.body_mut().as_reader().take(MAX_ANSWER).read_to_end(&mut body);
        read.context("the answer was cut off").with_context(silent).map_err(|error| Failure::Passing(error, None))?;
        match answer.status() {
            StatusCode::OK => {
                let read =
                    serde_json::from_slice(&body).with_context(|| format!("{url} has not what is expected there"));
                read.map(Some).map_err(Failure::Lasting)
            }
            StatusCode::NOT_FOUND => Ok(None),
            status => Err(self.failure(&url, status, &answer, &body)),
        }
    }

    fn failure<B>(&self, url: &str, status: StatusCode, answer: &Response<B>, body: &[u8]) -> Failure {
        let base = &self.base;
        if status.is_redirection() {
            return Failure::Lasting(anyhow::anyhow!(
                "{base} redirects ({status}), and a secret is sent only where you say: give the address that it leads to"
            ));
        }
        let code = code(body);
        let refused = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
        if refused && code.as_deref() != Some(DISABLED) {
            return Failure::Lasting(anyhow::anyhow!(
                "{base} does not accept the secret, or it may not read this ({status})"
            ));
        }
        let code = code.map(|code| format!(", {code}")).unwrap_or_default();
        let error = anyhow::anyhow!("{url} was answered with {status}{code}");
        if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
            let asked = answer.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
            return Failure::Passing(error, asked.map(Duration::from_secs));
        }
        Failure::Lasting(error)
    }
}

/// The code of a problem, as far as it is one that can be printed.
fn code(body: &[u8]) -> Option<String> {
    let Problem { code } = serde_json::from_slice(body).ok()?;
    code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_').then_some(code)
}

/// Refuses an address where others can listen, or that has more than a path. It is not told: a login may be in it.
fn check(base: &str) -> Result<()> {
    let here = ["http://127.0.0.1", "http://localhost", "http://[::1]"];
    let is_here =
        |prefix: &&str| base.strip_prefix(*prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/']));
    let private = base.starts_with("https://") || here.iter().any(is_here);
    ensure!(
        private,
        "its address must begin with https://, or with http:// and be of this machine: a secret is sent there"
    );
    if base.contains(['@', '?', '#']) || base.bytes().any(|byte| !byte.is_ascii_graphic()) {
        bail!("its address must have no login, no parameters and no fragment");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Api, check};

    #[test]
    fn a_secret_is_sent_to_no_server_that_others_can_listen_to() {
        for base in ["https://shop.example", "https://shop.example/a/", "http://127.0.0.1:3000", "http://[::1]/"] {
            assert!(check(base).is_ok(), "{base}");
        }
        for base in [
            "http://shop.example",
            "http://127.0.0.1.example:80",
            "http://localhost.example",
            "http://localhost@shop.example",
            "http://127.0.0.1:80@shop.example",
            "https://login:secret@shop.example",
            "https://shop.example/?a",
            "https://shop.example/\r\nx",
            "shop.example",
            "",
        ] {
            let error = check(base).expect_err(base).to_string();
            assert!(!error.contains("secret@"), "{error}");
        }
    }

    #[test]
    fn what_cannot_be_a_secret_is_not_sent_and_not_told() {
        for secret in ["", "two words", "of two\r\nlines", "schlüssel"] {
            let error = Api::new("https://shop.example", secret).err().expect("it is refused").to_string();
            assert!(secret.is_empty() || !error.contains(secret), "{error}");
        }
    }
}
