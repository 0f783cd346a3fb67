//! All records of a shop as lines of JSON. The first line names the format. A line for each record follows, sorted by
//! key. The last line shows that the file is complete. Values are in base64, since records have to be restored byte for
//! byte and not all of them are text.

use std::io::{BufRead, Write};

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::moving::Digest;

/// The first line.
const FORMAT: &str = "records of a shop";
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct First {
    format: String,
    version: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Record { key: String, base64: String },
    Last { records: u64, sha256: String },
}

/// Writes records as lines.
pub struct Writer<W> {
    to: W,
}

impl<W: Write> Writer<W> {
    /// Begins.
    pub fn begin(mut to: W) -> Result<Self> {
        say(&mut to, &First { format: FORMAT.to_owned(), version: VERSION })?;
        Ok(Self { to })
    }

    /// Writes a record.
    pub fn record(&mut self, key: &str, value: &[u8]) -> Result<()> {
        say(&mut self.to, &Line::Record { key: key.to_owned(), base64: STANDARD.encode(value) })
    }

    /// Ends.
    pub fn end(mut self, digest: &Digest) -> Result<()> {
        say(&mut self.to, &Line::Last { records: digest.records(), sha256: digest.sha256() })?;
        Ok(self.to.flush()?)
    }
}

fn say(to: &mut impl Write, line: &impl Serialize) -> Result<()> {
    let mut line = serde_json::to_vec(line)?;
    line.push(b'\n');
    Ok(to.write_all(&line)?)
}

/// Reads lines, passes on each record, and checks that none is missing.
pub fn read(from: impl BufRead, mut hand: impl FnMut(&str, Vec<u8>) -> Result<()>) -> Result<()> {
    let mut digest = Digest::default();
    let mut before: Option<String> = None;
    let mut ended = false;
    let mut number = 0;
    for line in from.split(b'\n') {
        number += 1;
        let line = line?;
        let here = || format!("line {number}");
        if number == 1 {
            let first: First = serde_json::from_slice(&line)
                .ok()
                .filter(|first: &First| first.format == FORMAT)
                .with_context(|| format!("line 1 does not say \"{FORMAT}\""))?;
            ensure!(first.version == VERSION, "this is version {}, and only version {VERSION} is known", first.version);
            continue;
        }
        ensure!(!ended, "line {number} comes after the last one");
        match serde_json::from_slice(&line).with_context(here)? {
            Line::Record { key, base64 } => {
                let value = STANDARD.decode(base64).with_context(here)?;
                ensure!(before.as_ref().is_none_or(|before| *before < key), "line {number}: {key} is not in its place");
                digest.enter(&key, &value);
                hand(&key, value).with_context(here)?;
                before = Some(key);
            }
            Line::Last { records, sha256 } => {
                let here = (digest.records(), digest.sha256());
                ensure!(here == (records, sha256), "line {number}: these are not the records that were written");
                ended = true;
            }
        }
    }
    if !ended {
        bail!("after line {number} something is missing: the last line says how many records there are");
    }
    Ok(())
}
