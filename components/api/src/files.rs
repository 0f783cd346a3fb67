//! Files that are part of the program.

use domain::StoreStats;
use http::{Method, StatusCode};

use crate::header;
use crate::negotiation::{accept, accept_plain, allows, expectations};
use crate::problem::Problem;
use crate::reply::{NextPart, Parts, Reply};
use crate::request::Request;
use crate::route::segments;

/// A file.
#[derive(Debug)]
pub struct File {
    /// Where it is served, also with a slash at the end.
    pub path: &'static str,
    /// What it is.
    pub media_type: &'static str,
    /// What the page may do, as `content-security-policy` says it.
    pub policy: &'static str,
    /// Its content, compressed: the only form in which it is kept.
    pub gzip: &'static [u8],
    /// Changes whenever these bytes do.
    pub gzip_tag: &'static str,
    /// How many bytes it has when it is not compressed.
    pub plain_length: usize,
    /// Changes whenever these do.
    pub plain_tag: &'static str,
    /// Makes them of the compressed ones, piece by piece.
    pub inflate: fn(&'static [u8]) -> FilePieces,
}

/// The pieces of a file, each of at most [`PIECE_BYTES`].
pub type FilePieces = Box<dyn Iterator<Item = Vec<u8>>>;

/// How many bytes of a file are in memory at once, for each client that is sent one. A client may ask for many at once
/// and take none.
pub const PIECE_BYTES: usize = 16 * 1024;

/// The pieces of a file that follow the first.
struct Pieces(FilePieces);

impl Parts for Pieces {
    fn next(&mut self) -> NextPart<'_> {
        Box::pin(async { Ok(self.0.next()) })
    }

    fn stats(&self) -> StoreStats {
        StoreStats::default()
    }
}

/// The file that a request asks for.
pub(crate) fn reply(request: &Request, files: &[File]) -> Result<Reply, Problem> {
    request.headers.require_text()?;
    let path = segments(request.path()).ok_or_else(Problem::not_found)?;
    let file = files.iter().find(|file| segments(file.path) == Some(path)).ok_or_else(Problem::not_found)?;
    let allow = "GET, HEAD, OPTIONS";
    match request.method {
        Method::GET | Method::HEAD => {}
        Method::OPTIONS => return Ok(Reply::empty(StatusCode::NO_CONTENT).with(header::ALLOW, allow)),
        _ => return Err(Problem::method_not_allowed(allow)),
    }
    let compressed = allows(&request.headers, header::ACCEPT_ENCODING, &["gzip"]) == Some(true);
    let group = file.media_type.split('/').next().unwrap_or_default();
    let bare = file.media_type.split(';').next().unwrap_or_default();
    let ranges = [bare, &format!("{group}/*"), "*/*"];
    expectations(&request.headers)?;
    accept(&request.headers, ranges)?;
    if !compressed {
        accept_plain(&request.headers, ranges)?;
    }

    let (mut pieces, length, tag): (FilePieces, _, _) = if compressed {
        let pieces = file.gzip.chunks(PIECE_BYTES).map(<[u8]>::to_vec);
        (Box::new(pieces), file.gzip.len(), format!("\"{}-gzip\"", file.gzip_tag))
    } else {
        ((file.inflate)(file.gzip), file.plain_length, format!("\"{}\"", file.plain_tag))
    };
    let first = pieces.next().unwrap_or_default();
    let rest = (first.len() < length).then(|| Box::new(Pieces(pieces)) as Box<dyn Parts>);
    let reply = Reply { rest, ..Reply::of(file.media_type, first) }
        .with(header::CONTENT_LENGTH, &length.to_string())
        .with(header::ETAG, &tag)
        // Asked for again each time, and sent again only when another version is served.
        .with(header::CACHE_CONTROL, "no-cache")
        .with(header::VARY, "accept-encoding")
        .with(header::CONTENT_SECURITY_POLICY, file.policy)
        .with(header::REFERRER_POLICY, "no-referrer");
    Ok(if compressed { reply.with(header::CONTENT_ENCODING, "gzip") } else { reply })
}

/// The pages, for the OpenAPI document.
#[cfg(feature = "openapi")]
pub(crate) fn operations() -> serde_json::Result<Vec<crate::openapi::operation::Operation>> {
    use serde_json::json;

    use crate::openapi::operation::{Answer, Example, Operation};
    use crate::openapi::{FILE_HEADERS, schema};

    let page = |path, id, about| {
        let page = Operation::at(path, "get", id, "pages", about).parameters(["IfMatch", "IfNoneMatch"]);
        let refused = [(406, "NotAcceptable"), (412, "PreconditionFailed"), (417, "ExpectationFailed")];
        page.shared([(304, "FileNotModified")]).shared(refused)
    };
    let beginning = json!({
        "openapi": "3.1.1",
        "info": { "title": "Orders that hold", "version": env!("CARGO_PKG_VERSION") },
        "paths": {},
        "components": {}
    });
    Ok(vec![
        page(
            "/",
            "getConsole",
            ["The console", "A page to order, and to run the shop. Its files are below `/console/`."],
        )
        .shared([(200, "Page")]),
        page(
            "/docs",
            "getDocs",
            ["These pages", "This document in Swagger UI, to try everything out. The files are below `/docs/`."],
        )
        .shared([(200, "Page")]),
        page("/openapi.json", "getOpenApi", ["This document", "The contract of the shop, OpenAPI 3.1."]).answers(
            Answer::new(200, "This document.").headers(FILE_HEADERS).json::<schema::Document>([Example::new(
                "Document",
                "The beginning of this document",
                beginning,
            )?]),
        ),
    ])
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use http::{Method, StatusCode};

    use super::{File, PIECE_BYTES, reply};
    use crate::header;
    use crate::request::{Body, Request};

    static LARGE: [u8; PIECE_BYTES + 1] = [b'z'; PIECE_BYTES + 1];

    const PAGE: File = File {
        path: "/page",
        media_type: "text/html",
        policy: "",
        gzip: b"gzip",
        gzip_tag: "g",
        plain_length: 5,
        plain_tag: "p",
        inflate: |_| Box::new([b"pl".to_vec(), b"ain".to_vec()].into_iter()),
    };

    fn ask(method: Method, target: &str, accepted: &str) -> Result<Vec<u8>, StatusCode> {
        let headers = vec![("Accept-Encoding".to_owned(), accepted.as_bytes().to_vec())].into();
        let request = Request { method, target: target.to_owned(), headers, body: Body::Whole(Vec::new()) };
        match reply(&request, &[PAGE, File { path: "/large", gzip: &LARGE, ..PAGE }]) {
            Ok(mut reply) if reply.status == StatusCode::OK => {
                let compressed = reply.header(header::CONTENT_ENCODING).is_some();
                assert_eq!(reply.header(header::ETAG), Some(if compressed { "\"g-gzip\"" } else { "\"p\"" }));
                let length = reply.header(header::CONTENT_LENGTH).unwrap().to_owned();
                assert!(reply.body.len() <= PIECE_BYTES);
                let mut content = std::mem::take(&mut reply.body);
                while let Some(parts) = &mut reply.rest {
                    match pin!(parts.next()).poll(&mut Context::from_waker(Waker::noop())) {
                        Poll::Ready(Ok(Some(piece))) => content.extend(piece),
                        _ => break,
                    }
                }
                assert_eq!(length, content.len().to_string());
                Ok(content)
            }
            Ok(reply) => Err(reply.status),
            Err(problem) => Err(problem.into_reply().status),
        }
    }

    #[test]
    fn a_file_is_compressed_for_those_who_can_read_that() {
        for accepted in ["gzip", "br, GZIP;q=0.5", "deflate , gzip"] {
            assert_eq!(ask(Method::GET, "/page", accepted).as_deref(), Ok(b"gzip".as_slice()), "{accepted}");
        }
        for accepted in ["", "br", "gzip;q=0", "gzip; q=0.0", "*"] {
            assert_eq!(ask(Method::GET, "/page/?x", accepted).as_deref(), Ok(b"plain".as_slice()), "{accepted}");
        }
    }

    #[test]
    fn a_large_file_is_sent_in_pieces() {
        assert_eq!(ask(Method::GET, "/large", "gzip").as_deref(), Ok(LARGE.as_slice()));
    }

    #[test]
    fn other_paths_and_methods_are_refused() {
        for other in ["/pages", "//page", "/page//", "//", "page"] {
            assert_eq!(ask(Method::GET, other, ""), Err(StatusCode::NOT_FOUND), "{other}");
        }
        assert_eq!(ask(Method::POST, "/page", ""), Err(StatusCode::METHOD_NOT_ALLOWED));
        assert_eq!(ask(Method::OPTIONS, "/page", ""), Err(StatusCode::NO_CONTENT));
    }
}
