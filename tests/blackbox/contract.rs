//! The OpenAPI document says what the server does: every answer that any test gets is held against it.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use harness::Method;
use jsonschema::Validator;
use serde_json::Value;

use crate::envelope::Answer;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../components/console/assets/openapi.json")).expect("the document is JSON")
});

/// Header fields that HTTP has of itself.
const OF_HTTP: [&str; 5] = ["connection", "content-type", "date", "keep-alive", "transfer-encoding"];

/// Every path of the document, with the methods that it takes beside OPTIONS, sorted.
pub fn routes(order_id: &str, item_id: &str) -> Vec<(String, Vec<&'static str>)> {
    let methods = |path: &Value| {
        let has = |method: &str| path.get(method).is_some();
        let methods = [("GET", "get"), ("HEAD", "get"), ("POST", "post"), ("PUT", "put")];
        methods.into_iter().filter(|(_, member)| has(member)).map(|(method, _)| method).collect()
    };
    let path = |path: &String| path.replace("{order_id}", order_id).replace("{item_id}", item_id);
    let paths = DOCUMENT["paths"].as_object().expect("there are paths");
    // The root has no form with a slash at the end.
    let paths = paths.iter().filter(|(template, _)| *template != "/");
    paths.map(|(template, operations)| (path(template), methods(operations))).collect()
}

/// What an answer has that the document does not say, or lacks that it says.
pub fn defects(answer: &Answer) -> Vec<String> {
    defects_by(&DOCUMENT, answer)
}

fn defects_by(document: &Value, answer: &Answer) -> Vec<String> {
    let asked = answer.asked.split(' ').nth(1).unwrap_or_default();
    // Longer paths are cut off there.
    if asked.len() >= 200 {
        return Vec::new();
    }
    let Some((template, methods)) = template(document, asked) else {
        return undocumented(answer, 404, "not_found");
    };
    let method = match answer.method {
        Method::GET | Method::HEAD => "get",
        Method::POST => "post",
        Method::PUT => "put",
        Method::OPTIONS => return Vec::new(),
        _ => "another",
    };
    if methods.get(method).is_none() {
        return undocumented(answer, 405, "method_not_allowed");
    }
    let status = answer.status.to_string();
    let pointer = format!("/paths/{}/{method}/responses/{status}", template.replace('~', "~0").replace('/', "~1"));
    let Some((pointer, response)) = resolved(document, pointer) else {
        return vec![format!("{method} {template} answers {status}, and the document does not say so")];
    };
    let mut defects = Vec::new();
    headers(document, response, answer, &mut defects);
    if answer.method != Method::HEAD {
        body(document, &pointer, response, answer, &mut defects);
    }
    defects
}

/// A path or a method that the document does not have is refused as such.
fn undocumented(answer: &Answer, status: u16, code: &str) -> Vec<String> {
    // What is no request is not the shop's to answer.
    let refused = answer.status == status || answer.status < 500 && answer.header("x-request-id").is_none();
    let file = answer.asked.contains(" /console/") || answer.asked.contains(" /docs/");
    if refused || file || answer.method == Method::OPTIONS {
        Vec::new()
    } else {
        vec![format!("the document does not have it, and it is not refused as {code}")]
    }
}

/// The path of the document that a request is about, and what can be done there.
fn template<'a>(document: &'a Value, asked: &str) -> Option<(&'a String, &'a Value)> {
    let path = asked.split('?').next().unwrap_or_default();
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').filter(|path| !path.is_empty()).unwrap_or(path);
    let matches = |template: &str| {
        let (template, path) = (template.trim_matches('/').split('/'), path.split('/'));
        template.clone().count() == path.clone().count()
            && template.zip(path).all(|(segment, part)| segment == part || segment.starts_with('{') && !part.is_empty())
    };
    document["paths"].as_object().expect("there are paths").iter().find(|(template, _)| matches(template))
}

/// What a pointer names, past a reference.
fn resolved(document: &Value, pointer: String) -> Option<(String, &Value)> {
    let value = document.pointer(&pointer)?;
    match value["$ref"].as_str() {
        Some(reference) => resolved(document, reference.trim_start_matches('#').to_owned()),
        None => Some((pointer, value)),
    }
}

fn headers(document: &Value, response: &Value, answer: &Answer, defects: &mut Vec<String>) {
    let said = response["headers"].as_object();
    for name in answer.headers.keys().map(|name| name.as_str()).filter(|name| !OF_HTTP.contains(name)) {
        if !said.is_some_and(|said| said.contains_key(name)) {
            defects.push(format!("the document does not say that {} has {name}", answer.status));
        }
    }
    for (name, header) in said.into_iter().flatten() {
        let pointer = header["$ref"].as_str().map(|reference| reference.trim_start_matches('#').to_owned());
        let header = pointer.and_then(|pointer| resolved(document, pointer)).map_or(header, |(_, header)| header);
        if header["required"] == true && answer.header(name).is_none() {
            defects.push(format!("the document says that {} has {name}", answer.status));
        }
    }
}

fn body(document: &Value, response: &str, said: &Value, answer: &Answer, defects: &mut Vec<String>) {
    let Some(content) = said["content"].as_object() else {
        if !answer.body.is_empty() {
            defects.push("the document says nothing of a body".to_owned());
        }
        return;
    };
    let media_type = answer.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if !content.contains_key(media_type) {
        defects.push(format!("the document does not say that it answers {media_type}"));
        return;
    }
    if !media_type.ends_with("json") || media_type.ends_with("ndjson") || answer.header("content-encoding").is_some() {
        return;
    }
    let schema = format!("{response}/content/{}/schema", media_type.replace('/', "~1"));
    match serde_json::from_slice(&answer.body) {
        Ok(value) => {
            let errors = validator(document, &schema);
            let errors = errors.iter_errors(&value).take(3);
            defects.extend(errors.map(|error| format!("by the document {}: {error}", error.instance_path())));
        }
        Err(error) => defects.push(error.to_string()),
    }
}

/// By where a document is, and by a pointer into it.
type Validators = HashMap<(usize, String), Arc<Validator>>;

/// What checks a schema of the document, made once.
fn validator(document: &Value, pointer: &str) -> Arc<Validator> {
    static MADE: LazyLock<Mutex<Validators>> = LazyLock::new(Mutex::default);
    let key = (std::ptr::from_ref(document).addr(), pointer.to_owned());
    let mut made = MADE.lock().expect("no test panics here");
    let make = || {
        let mut schema = document.clone();
        schema["$ref"] = format!("#{}", pointer.replace('{', "%7B").replace('}', "%7D")).into();
        let made = jsonschema::draft202012::options().should_validate_formats(true).build(&schema);
        Arc::new(made.unwrap_or_else(|error| panic!("{pointer}: {error}")))
    };
    made.entry(key).or_insert_with(make).clone()
}

#[cfg(test)]
mod tests {
    use harness::HeaderMap;
    use harness::header::{HeaderName, HeaderValue};

    use super::*;

    fn answer(asked: &str, status: u16, body: &str) -> Answer {
        let fields = [
            ("cache-control", "no-store"),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
            ("content-length", "1"),
            ("content-type", if status < 400 { "application/json" } else { "application/problem+json" }),
            ("etag", "\"00000000000000000000000000000000\""),
            ("x-content-type-options", "nosniff"),
            ("x-request-id", "a"),
        ];
        let fields = fields.into_iter().filter(|(name, _)| *name != "etag" || status == 200);
        let headers: HeaderMap =
            fields.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect();
        let body = body.as_bytes().to_vec();
        Answer { method: Method::GET, asked: format!("GET {asked}"), status, headers, body }
    }

    const ITEM: &str =
        r#"{"item_id":"a","on_hand":5,"reserved":2,"available":3,"unit_price":1,"currency":"CNY","currency_digits":2}"#;

    #[test]
    fn an_answer_as_the_document_says_passes() {
        assert_eq!(defects(&answer("/inventory/a", 200, ITEM)), Vec::<String>::new());
        assert_eq!(defects(&answer("/inventory/a/?x=1", 200, ITEM)), Vec::<String>::new());
    }

    #[test]
    fn an_answer_that_the_document_does_not_have_is_caught() {
        for (asked, status, body) in [
            ("/inventory/a", 201, ITEM),
            ("/inventory/a", 200, &ITEM.replace("\"on_hand\":5", "\"on_hand\":-5")),
            ("/inventory/a", 200, &ITEM.replace("\"on_hand\":5,", "")),
            ("/inventory/a", 200, &ITEM.replace("CNY", "yuan")),
            ("/inventory/a", 200, "{"),
            ("/orders/a/pay", 200, ITEM),
            ("/nowhere", 200, ITEM),
            ("/inventory/a", 404, r#"{"type":"t","title":"t","status":404,"detail":"d.","code":"lost"}"#),
        ] {
            assert!(!defects(&answer(asked, status, body)).is_empty(), "{asked} {status} {body}");
        }
        let mut more = answer("/inventory/a", 200, ITEM);
        more.headers.insert("x-secret", HeaderValue::from_static("1"));
        assert!(!defects(&more).is_empty(), "a header of its own");
        let mut less = answer("/inventory/a", 200, ITEM);
        less.headers.remove("etag");
        assert!(!defects(&less).is_empty(), "a header that is missing");
    }

    #[test]
    fn every_code_of_the_contract_is_in_the_document() {
        let text = DOCUMENT.to_string();
        for code in api::Code::ALL {
            assert!(text.contains(&format!("\"{}\"", code.as_str())), "{code:?}");
        }
    }
}
