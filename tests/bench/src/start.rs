//! How long it takes until a server, and an instance, answers; and how large the components are.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use harness::process::Program;
use harness::{Client, Connection, Request};
use serde::Serialize;

use crate::client::item_id;
use crate::measure::{Bench, median};
use crate::server::{Application, Server, Settings};
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
        ("inventory", Request::show_item(&item_id(0))),
        ("orders", Request::show_order(&template.stock.paid)),
        ("payments", Request::pay(&template.stock.paid)),
    ];
    let mut connection = client.connect()?;
    let mut times: Vec<(Vec<f64>, Vec<f64>)> = requests.iter().map(|_| Default::default()).collect();
    for _ in 0..COLD {
        sleep(IDLE);
        for ((_, request), (cold, warm)) in requests.iter().zip(&mut times) {
            cold.push(time(client, &mut connection, request)?);
            for _ in 0..WARM {
                warm.push(time(client, &mut connection, request)?);
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

/// Milliseconds from a request to the whole of its answer, with as little as possible between them and the clock.
fn time(client: &Client, connection: &mut Connection, request: &Request) -> Result<f64> {
    let bytes = client.bytes_of(request);
    let start = Instant::now();
    connection.send(&bytes)?;
    let answer = connection.receive(false)?;
    let time = start.elapsed();
    let status = answer.map(|answer| answer.status);
    ensure!(status == Some(200), "{request:?} is not answered with 200, but {status:?}");
    Ok(millis(time))
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
