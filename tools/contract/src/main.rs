//! Writes the files that are made from others: `cargo run -p contract`. With `--check` it writes nothing, and fails if
//! one of them is not what would be written.

mod manifests;

use std::path::Path;
use std::{env, fs};

use anyhow::{Context, Result, bail, ensure};

/// The OpenAPI document, which the component `console` serves.
const OPENAPI: &str = "components/console/assets/openapi.json";

fn main() -> Result<()> {
    let check = match env::args().skip(1).collect::<Vec<_>>().as_slice() {
        [] => false,
        [option] if option == "--check" => true,
        other => bail!("unknown arguments {other:?}: there is --check, and nothing else"),
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let read = |file: &str| fs::read_to_string(root.join(file)).with_context(|| file.to_owned());
    let mut files = manifests::made_from(&read("spin.toml")?)?;
    let document = api::openapi::document().context("an example of the OpenAPI document")?;
    files.push((OPENAPI, format!("{}\n", serde_json::to_string_pretty(&document)?)));
    for (file, content) in files {
        if check {
            ensure!(read(file)? == content, "{file} is out of date: run `cargo run -p contract`");
        } else {
            fs::write(root.join(file), content).with_context(|| file.to_owned())?;
        }
    }
    Ok(())
}
