//! An answer of the shop, held against the contract.

use anyhow::Result;
use harness::HeaderMap;
use serde_json::Value;

/// An answer that is not as the contract says.
#[derive(Debug, thiserror::Error)]
#[error("{title}: not as the contract says\n  expected  {expected}\n  came      {came}\n{exchange}")]
pub struct Contradiction {
    title: String,
    expected: String,
    came: String,
    exchange: String,
}

/// What came back, with what was asked.
pub struct Answer {
    pub title: String,
    /// Request and answer, in full.
    pub exchange: String,
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
    /// The text as JSON; null where it is none.
    pub body: Value,
}

impl Answer {
    pub fn contradicts(&self, expected: impl Into<String>, came: impl Into<String>) -> anyhow::Error {
        let (title, exchange) = (self.title.clone(), self.exchange.clone());
        Contradiction { title, expected: expected.into(), came: came.into(), exchange }.into()
    }

    pub fn has_status(&self, expected: u16) -> Result<()> {
        let code = self.body["code"].as_str().unwrap_or_default();
        let came = format!("status {} {code}", self.status);
        if self.status == expected { Ok(()) } else { Err(self.contradicts(format!("status {expected}"), came.trim())) }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub fn has_header(&self, name: &str, expected: &str) -> Result<&Self> {
        match self.header(name) {
            Some(value) if value == expected => Ok(self),
            came => Err(self.contradicts(format!("{name}: {expected}"), came.unwrap_or("no such header"))),
        }
    }

    /// The media type has to be this one, whatever its parameters, and what is said to be JSON has to be JSON.
    pub fn has_type(&self, expected: &str) -> Result<()> {
        let came = self.header("content-type").unwrap_or("no content-type");
        if came.split(';').next().map(str::trim) != Some(expected) {
            return Err(self.contradicts(format!("content-type: {expected}"), came));
        }
        let documents: Vec<_> = match expected {
            "application/x-ndjson" => self.text.lines().collect(),
            json if json.ends_with("json") => vec![self.text.as_str()],
            _ => Vec::new(),
        };
        let broken = documents.into_iter().find_map(|document| serde_json::from_str::<Value>(document).err());
        broken.map_or(Ok(()), |error| Err(self.contradicts("JSON", error.to_string())))
    }

    /// What is at this JSON pointer.
    pub fn at(&self, pointer: &str) -> Result<&Value> {
        self.body.pointer(pointer).ok_or_else(|| self.contradicts(format!("something at {pointer}"), "nothing there"))
    }

    pub fn text_at(&self, pointer: &str) -> Result<&str> {
        let value = self.at(pointer)?;
        value.as_str().ok_or_else(|| self.contradicts(format!("a text at {pointer}"), value.to_string()))
    }

    pub fn number_at(&self, pointer: &str) -> Result<u64> {
        let value = self.at(pointer)?;
        value.as_u64().ok_or_else(|| self.contradicts(format!("a number at {pointer}"), value.to_string()))
    }

    pub fn list_at(&self, pointer: &str) -> Result<&Vec<Value>> {
        let value = self.at(pointer)?;
        value.as_array().ok_or_else(|| self.contradicts(format!("a list at {pointer}"), value.to_string()))
    }

    pub fn is(&self, pointer: &str, expected: impl Into<Value>) -> Result<&Self> {
        let (expected, came) = (expected.into(), self.at(pointer)?);
        if *came == expected {
            return Ok(self);
        }
        let place = if pointer.is_empty() { "the root" } else { pointer };
        Err(self.contradicts(format!("{expected} at {place}"), came.to_string()))
    }
}
