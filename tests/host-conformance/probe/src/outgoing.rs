//! A request to another server, with the calls of `wasi:http` 0.3 and nothing between.

use std::pin::pin;

use futures::future::{Either, select};
use serde_json::{Value, json};
use spin_sdk::wasip3::http::client;
use spin_sdk::wasip3::http::types::{Fields, Method, Request, RequestOptions, Response, Scheme};
use spin_sdk::wasip3::wit_bindgen::StreamResult;
use spin_sdk::wasip3::{wit_future, wit_stream};

use crate::wanted::{Wanted, told};

pub async fn send(wanted: Wanted) -> Value {
    match exchange(wanted).await {
        Ok(answer) => answer,
        Err(error) => json!({ "error": error }),
    }
}

async fn exchange(wanted: Wanted) -> Result<Value, String> {
    let fields = Fields::from_list(&wanted.fields()).map_err(|error| format!("{error:?}"))?;
    let (mut content, content_reader) = wit_stream::new();
    let (end, end_reader) = wit_future::new(|| Ok(None));
    let body = wanted.body.repeat(wanted.times).into_bytes();
    let contents = (!body.is_empty()).then_some(content_reader);
    let (request, _) = Request::new(fields, contents, end_reader, Some(options(&wanted)));
    let (scheme, authority, path) = wanted.place();
    let scheme = match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.to_owned()),
    };
    let method = match wanted.method.as_str() {
        "GET" => Method::Get,
        "POST" => Method::Post,
        other => Method::Other(other.to_owned()),
    };
    request.set_method(&method).map_err(|()| "method")?;
    request.set_scheme(Some(&scheme)).map_err(|()| "scheme")?;
    request.set_authority(Some(authority)).map_err(|()| "authority")?;
    request.set_path_with_query(Some(path)).map_err(|()| "path")?;
    let sending = pin!(client::send(request));
    let writing = pin!(async move {
        content.write_all(body).await;
        drop(content);
        _ = end.write(Ok(None)).await;
    });
    let answer = match select(sending, writing).await {
        Either::Left((answer, _)) => answer,
        Either::Right(((), sending)) => sending.await,
    };
    Ok(read(answer.map_err(|error| format!("{error:?}"))?).await)
}

fn options(wanted: &Wanted) -> RequestOptions {
    let options = RequestOptions::new();
    let nanoseconds = |time: Option<u64>| time.map(|time| time * 1_000_000);
    options.set_connect_timeout(nanoseconds(wanted.connect_timeout)).expect("it can be set");
    options.set_first_byte_timeout(nanoseconds(wanted.first_byte_timeout)).expect("it can be set");
    options.set_between_bytes_timeout(nanoseconds(wanted.between_bytes_timeout)).expect("it can be set");
    options
}

async fn read(answer: Response) -> Value {
    let (status, fields) = (answer.get_status_code(), answer.get_headers().copy_all());
    let (_read, outcome) = wit_future::new(|| Ok(()));
    let (mut content, end) = Response::consume_body(answer, outcome);
    let mut body = Vec::new();
    loop {
        body.reserve(64 * 1024);
        let (result, read) = content.read(body).await;
        body = read;
        if result == StreamResult::Dropped {
            break;
        }
    }
    told(status, fields, &body, end.await.err().map(|error| format!("{error:?}")))
}
