//! How long it takes until a server, and an instance, answers; and how large the components are.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use crate::client::{Client, Request, item_id};
use crate::measure::{Bench, median};
use crate::server::{Application, Program, Server, Settings};
use crate::store::Template;

const STARTS: usize = 5;
const COLD: usize = 10;
const WARM: usize = 20;

/// An instance that had nothing to do for a second is gone.
const IDLE: Duration = Duration::from_millis(1200);

/// What comes before the first answer.
#[derive(Serialize)]
pub struct Start {
    pub application: &'static str,
    /// From the start of the process to its first answer, where the components were compiled before.
    pub first_answer_ms: f64,
    /// The same where they were not.
    pub first_answer_uncompiled_ms: f64,
    pub components: BTreeMap<String, Component>,
}

/// One component.
#[derive(Serialize)]
pub struct Component {
    pub bytes: u64,
    /// From a request to the answer, where an instance is made for it.
    pub cold_ms: f64,
    /// The same where one is there.
    pub warm_ms: f64,
}

impl Start {
    pub fn measure(bench: &Bench, program: &Program, application: Application, template: &Template) -> Result<Self> {
        let state = tempfile::tempdir_in(&bench.scratch)?;
        template.copy(state.path())?;
        let settings = Settings { state: state.path().to_owned(), ..bench.settings.clone() };
        let start = |settings: &Settings| Server::start(program, application, settings);
        let mut first_answers = Vec::new();
        for _ in 0..STARTS {
            first_answers.push(millis(start(&settings)?.first_answer));
        }
        let cache = Some(state.path().join("cache"));
        let uncompiled = start(&Settings { cache, ..settings.clone() })?.first_answer;
        let server = start(&settings)?;
        Ok(Self {
            application: application.name(),
            first_answer_ms: median(first_answers),
            first_answer_uncompiled_ms: millis(uncompiled),
            components: components(application, server.client(), template)?,
        })
    }

    pub fn lines(&self) -> Vec<String> {
        let Self { application, first_answer_ms, first_answer_uncompiled_ms, components } = self;
        let mut lines = vec![format!(
            "{application}: first answer {first_answer_ms:.0} ms after the start, {first_answer_uncompiled_ms:.0} ms where the components have to be compiled"
        )];
        for (id, Component { bytes, cold_ms, warm_ms }) in components {
            lines.push(format!(
                "  {id:10} {bytes:>7} bytes, answers in {cold_ms:.2} ms where an instance has to be made, else in {warm_ms:.2} ms"
            ));
        }
        lines
    }
}

fn components(application: Application, client: &Client, template: &Template) -> Result<BTreeMap<String, Component>> {
    let requests = [
        ("inventory", Request::get(format!("/inventory/{}", item_id(0)))),
        ("orders", Request::get(format!("/orders/{}", template.stock.paid))),
        ("payments", Request::pay(&template.stock.paid)),
    ];
    let mut connection = Connection::open(client)?;
    let mut times: Vec<(Vec<f64>, Vec<f64>)> = requests.iter().map(|_| Default::default()).collect();
    for _ in 0..COLD {
        sleep(IDLE);
        for ((_, request), (cold, warm)) in requests.iter().zip(&mut times) {
            cold.push(connection.time(request)?);
            for _ in 0..WARM {
                warm.push(connection.time(request)?);
            }
        }
    }
    let sizes = sizes(&application.manifest())?;
    let component = |id: &str, cold, warm| {
        let bytes = *sizes.get(id).context("the manifest has the component")?;
        Ok((id.to_owned(), Component { bytes, cold_ms: median(cold), warm_ms: median(warm) }))
    };
    requests.into_iter().zip(times).map(|((id, _), (cold, warm))| component(id, cold, warm)).collect()
}

/// A connection, with as little as possible between it and the clock.
struct Connection {
    stream: TcpStream,
    host: String,
}

impl Connection {
    fn open(client: &Client) -> Result<Self> {
        let host = client.url().trim_start_matches("http://").to_owned();
        let stream = TcpStream::connect(&host)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, host })
    }

    /// Milliseconds from a request to the whole of its answer.
    fn time(&mut self, request: &Request) -> Result<f64> {
        let Request { method, path, .. } = request;
        let request = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n\r\n", self.host);
        let (mut answer, mut piece) = (String::new(), [0; 16 << 10]);
        let start = Instant::now();
        self.stream.write_all(request.as_bytes())?;
        while !is_whole(&answer) {
            let length = self.stream.read(&mut piece)?;
            ensure!(length > 0, "{method} {path} is not answered");
            answer += str::from_utf8(&piece[..length])?;
        }
        let time = start.elapsed();
        ensure!(answer.starts_with("HTTP/1.1 200 "), "{method} {path} is not answered with 200, but {answer}");
        Ok(millis(time))
    }
}

/// Whether that is a head and as much of a body as it promises.
fn is_whole(answer: &str) -> bool {
    let Some((head, body)) = answer.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0)
}

/// Bytes of each component's file.
fn sizes(manifest: &Path) -> Result<BTreeMap<String, u64>> {
    let text: toml::Table = fs::read_to_string(manifest)?.parse()?;
    let components = text["component"].as_table().context("a manifest has components")?;
    let size = |(id, component): (&String, &toml::Value)| {
        let source = component["source"].as_str().context("a component has a source")?;
        Ok((id.clone(), fs::metadata(manifest.with_file_name(source))?.len()))
    };
    components.iter().map(size).collect()
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
