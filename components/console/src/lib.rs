//! The component `console`: serves the console, the API's documentation and its OpenAPI document, all of them part of
//! the program. It has no store and no variables.
//!
//! Each file is kept compressed. A client that does not take it so is sent what it was made of, piece by piece.

use std::io::Read;

use flate2::read::GzDecoder;
#[cfg(any(feature = "local", feature = "redis"))]
use spin_shell as shell;
#[cfg(feature = "fermyon-cloud")]
use wasi2_shell as shell;

// What is in `assets`, as build.rs writes it.
include!(concat!(env!("OUT_DIR"), "/files.rs"));

shell::files!(FILES);

/// The content of a file, in pieces.
struct Inflated(GzDecoder<&'static [u8]>);

impl Iterator for Inflated {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut piece = vec![0; api::PIECE_BYTES];
        let mut filled = 0;
        while let Some(rest) = piece.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            // What the build has compressed is sound.
            match self.0.read(rest).ok()? {
                0 => break,
                count => filled = filled.saturating_add(count),
            }
        }
        piece.truncate(filled);
        (filled > 0).then_some(piece)
    }
}

fn inflate(gzip: &'static [u8]) -> api::FilePieces {
    Box::new(Inflated(GzDecoder::new(gzip)))
}
