//! Writes a table of the files in `assets`, each compressed.

use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

/// The page loads only what the shop serves, and has no inline script or style. Pictures of items alone may come from
/// elsewhere: from where an item may have one, which no policy can say of an address of IPv6.
const STRICT: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' https: http://localhost:* http://127.0.0.1:*; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// As [`STRICT`], for Swagger UI, which styles its elements itself and has images in its style sheet.
const DOCS: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=assets");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let assets = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("assets");
    let mut files = Vec::new();
    find(&assets, &mut files)?;
    files.sort();
    let mut table = "static FILES: &[api::File] = &[\n".to_owned();
    for (number, file) in files.iter().enumerate() {
        let Some(media_type) = media_type(file) else { continue };
        let content = fs::read(file)?;
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&content)?;
        let gzip = encoder.finish()?;
        let compressed = out.join(format!("{number}.gz"));
        fs::write(&compressed, &gzip)?;
        let path = path(file.strip_prefix(&assets)?);
        let policy = if path.starts_with("/docs") { DOCS } else { STRICT };
        // Each of its own bytes: another compressor may make others of the same file.
        let (plain_tag, gzip_tag, plain_length) = (tag(&content), tag(&gzip), content.len());
        writeln!(
            table,
            "    api::File {{ path: {path:?}, media_type: {media_type:?}, policy: {policy:?}, plain_tag: {plain_tag:?}, \
             gzip_tag: {gzip_tag:?}, plain_length: {plain_length}, gzip: include_bytes!({compressed:?}), inflate }},"
        )?;
    }
    table.push_str("];\n");
    fs::write(out.join("files.rs"), table)?;
    Ok(())
}

/// Changes whenever these bytes do.
fn tag(content: &[u8]) -> String {
    hex::encode(Sha256::digest(content)).chars().take(32).collect()
}

fn find(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            find(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// The media type of a file; `None` for files that are not served, like licences.
fn media_type(file: &Path) -> Option<&'static str> {
    Some(match file.extension()?.to_str()? {
        "css" => "text/css; charset=utf-8",
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "png" => "image/png",
        "svg" => "image/svg+xml",
        _ => return None,
    })
}

/// The path under which a file is served.
fn path(file: &Path) -> String {
    match file.to_string_lossy().replace('\\', "/").as_str() {
        "console/index.html" => "/".to_owned(),
        "docs/index.html" => "/docs".to_owned(),
        other => format!("/{other}"),
    }
}
