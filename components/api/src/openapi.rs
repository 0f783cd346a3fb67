//! The OpenAPI document: from the routes, the codes, the types that are served, and the operations that are declared
//! next to their handlers.

pub(crate) mod operation;
mod parts;
mod problems;
pub(crate) mod schema;

use std::collections::BTreeMap;

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::route::Route;
use crate::{after_sale, files, inventory, listing, orders, payments, reports, sweep};
pub(crate) use parts::FILE_HEADERS;

use operation::{Answer, Content, ContentSchema, Operation, Response};

/// The document. An error is one in the document's own examples.
pub fn document() -> serde_json::Result<Value> {
    let operations: Vec<_> = [
        listing::operations()?,
        orders::operations()?,
        payments::operations()?,
        after_sale::operations()?,
        reports::operations()?,
        sweep::operations()?,
        inventory::operations()?,
        files::operations()?,
    ]
    .into_iter()
    .flatten()
    .collect();
    let settings = SchemaSettings::draft2020_12().for_serialize().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut components = Components { generator: settings.into_generator(), examples: Map::new() };
    // In the order of the table of routes, then the pages.
    let mut paths: Vec<&str> = Route::ALL.iter().map(|route| route.path()).collect();
    let pages = operations.iter().map(|operation| operation.path).filter(|path| !paths.contains(path));
    let pages: Vec<_> = pages.collect();
    paths.extend(pages);
    let paths: Map<_, _> = paths.iter().map(|path| ((*path).to_owned(), components.path(path, &operations))).collect();
    let responses: Map<_, _> = problems::responses()?
        .into_iter()
        .chain(parts::responses()?)
        .map(|(name, answer)| (name.to_owned(), components.answer(&answer, parts::headers_of(name))))
        .collect();
    let problems = problems::schemas(&mut components.generator);
    let parameters = parts::parameters(&mut components.generator);
    let mut schemas = components.generator.take_definitions(true);
    schemas.values_mut().for_each(finish);
    schemas.extend(problems);
    Ok(json!({
        "openapi": "3.1.1",
        "info": parts::info(),
        "servers": [{ "url": "/", "description": "This shop" }],
        "security": [],
        "tags": parts::tags(),
        "paths": paths,
        "components": {
            "securitySchemes": parts::security_schemes(),
            "parameters": parameters,
            "headers": parts::headers(),
            "responses": responses,
            "links": parts::links(),
            "schemas": schemas,
            "examples": components.examples
        }
    }))
}

/// What is collected while the document is made.
struct Components {
    generator: SchemaGenerator,
    examples: Map<String, Value>,
}

impl Components {
    fn path(&mut self, path: &str, operations: &[Operation]) -> Value {
        let of_path = path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
        let of_path = of_path.map(|name| if name == "order_id" { "OrderId" } else { "ItemId" });
        let parameters = of_path.chain(["RequestId", "TraceParent"]).map(|name| reference("parameters", name));
        let mut item = Map::new();
        item.insert("parameters".to_owned(), parameters.collect());
        for operation in operations.iter().filter(|operation| operation.path == path) {
            item.insert(operation.method.to_owned(), self.operation(operation));
        }
        item.into()
    }

    fn operation(&mut self, operation: &Operation) -> Value {
        let mut object = Map::new();
        let mut insert = |name: &str, value: Value| object.insert(name.to_owned(), value);
        insert("operationId", operation.id.into());
        insert("tags", json!([operation.tag]));
        insert("summary", operation.summary.into());
        insert("description", operation.description.as_str().into());
        insert("security", if operation.operator { json!([{ "operator": [] }]) } else { json!([]) });
        if !operation.parameters.is_empty() {
            insert("parameters", operation.parameters.iter().map(|name| reference("parameters", name)).collect());
        }
        if let Some(body) = &operation.body {
            let content = self.contents(std::slice::from_ref(&body.content));
            let described = json!({ "description": "May be left out.", "required": false, "content": content });
            insert(
                "requestBody",
                if body.required { json!({ "required": true, "content": content }) } else { described },
            );
        }
        let mut responses = BTreeMap::new();
        for response in &operation.responses {
            match response {
                Response::Shared(status, name) => responses.insert(*status, reference("responses", name)),
                Response::Own(answer) => {
                    let usual = parts::usual_headers(operation, answer);
                    responses.insert(answer.status, self.answer(answer, &usual))
                }
            };
        }
        let responses = responses.into_iter().map(|(status, response)| (status.to_string(), response));
        insert("responses", responses.collect::<Map<_, _>>().into());
        object.into()
    }

    fn answer(&mut self, answer: &Answer, usual: &[&'static str]) -> Value {
        let mut object = Map::new();
        let mut insert = |name: &str, value: Value| object.insert(name.to_owned(), value);
        insert("description", answer.description.as_str().into());
        let headers = usual.iter().chain(&answer.headers);
        let headers = headers.map(|name| (parts::header_name(name), reference("headers", name)));
        insert("headers", headers.collect::<Map<_, _>>().into());
        if !answer.contents.is_empty() {
            insert("content", self.contents(&answer.contents));
        }
        if !answer.links.is_empty() {
            let links = answer.links.iter().map(|name| ((*name).to_owned(), reference("links", name)));
            insert("links", links.collect::<Map<_, _>>().into());
        }
        object.into()
    }

    fn contents(&mut self, contents: &[Content]) -> Value {
        let content = |content: &Content| {
            let schema = match &content.schema {
                ContentSchema::Type(schema) => schema(&mut self.generator).to_value(),
                ContentSchema::Problems(codes) => {
                    one_of(codes.iter().map(|code| (code.as_str(), problems::name(*code))))
                }
            };
            let mut examples = Map::new();
            for example in &content.examples {
                let value = json!({ "summary": example.summary, "value": example.value });
                self.examples.insert(example.name.to_owned(), value);
                let mut characters = example.name.chars();
                let first = characters.next().map(|first| first.to_ascii_lowercase());
                let name = first.into_iter().chain(characters).collect();
                examples.insert(name, reference("examples", example.name));
            }
            (content.media_type.to_owned(), json!({ "schema": schema, "examples": examples }))
        };
        contents.iter().map(content).collect::<Map<_, _>>().into()
    }
}

fn reference(kind: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/components/{kind}/{name}") })
}

/// The schema of a problem with one of these codes.
fn one_of<'a>(problems: impl Iterator<Item = (&'a str, String)>) -> Value {
    let references: Vec<_> =
        problems.map(|(code, name)| (code.to_owned(), Value::from(format!("#/components/schemas/{name}")))).collect();
    match references.as_slice() {
        [(_, one)] => json!({ "$ref": one }),
        several => json!({
            "oneOf": several.iter().map(|(_, reference)| json!({ "$ref": reference })).collect::<Vec<_>>(),
            "discriminator": {
                "propertyName": "code",
                "mapping": several.iter().cloned().collect::<Map<_, _>>()
            }
        }),
    }
}

/// Completes a schema that was made of a type: its objects have no other members, and its comment is one line.
fn finish(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if let Some(Value::String(description)) = object.get_mut("description") {
                *description = description.replace('\n', " ");
            }
            if object.get("type").is_some_and(|kind| kind == "object") && object.contains_key("properties") {
                object.insert("additionalProperties".to_owned(), false.into());
            }
            object.values_mut().for_each(finish);
        }
        Value::Array(list) => list.iter_mut().for_each(finish),
        _ => {}
    }
}
