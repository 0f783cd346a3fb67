//! How an operation of the OpenAPI document is declared, next to its handler.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde_json::Value;

use super::schema::Event;
use crate::code::Code;
use crate::problem::Problem;
use crate::route::{Route, Verb};

/// An operation: a method of a path.
pub(crate) struct Operation {
    pub(crate) path: &'static str,
    pub(crate) method: &'static str,
    pub(crate) id: &'static str,
    pub(crate) tag: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) description: String,
    pub(crate) operator: bool,
    /// Whether its answer has a tag, which changes with the content.
    pub(crate) tagged: bool,
    /// Names of components.
    pub(crate) parameters: Vec<&'static str>,
    pub(crate) body: Option<Body>,
    pub(crate) responses: Vec<Response>,
}

/// The body of a request.
pub(crate) struct Body {
    pub(crate) required: bool,
    pub(crate) content: Content,
}

/// A response.
pub(crate) enum Response {
    /// One that several operations have, by the name of the component.
    Shared(u16, &'static str),
    /// One of this operation.
    Own(Answer),
}

/// What a response has.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) description: String,
    /// Whether its body may come in parts, so that its length is not known before.
    pub(crate) in_parts: bool,
    /// Names of components, beyond those that every response has.
    pub(crate) headers: Vec<&'static str>,
    pub(crate) contents: Vec<Content>,
    /// Names of components.
    pub(crate) links: Vec<&'static str>,
}

/// A body in one media type.
pub(crate) struct Content {
    pub(crate) media_type: &'static str,
    pub(crate) schema: ContentSchema,
    pub(crate) examples: Vec<Example>,
}

/// What the schema of a content comes from.
pub(crate) enum ContentSchema {
    Type(fn(&mut SchemaGenerator) -> Schema),
    Problems(Vec<Code>),
}

/// An example, by the name of its component.
pub(crate) struct Example {
    pub(crate) name: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) value: Value,
}

impl Example {
    pub(crate) fn new(name: &'static str, summary: &'static str, value: impl Serialize) -> serde_json::Result<Self> {
        Ok(Self { name, summary, value: serde_json::to_value(value)? })
    }

    /// A problem, as it is served.
    pub(crate) fn problem(
        name: &'static str,
        summary: &'static str,
        problem: impl Into<Problem>,
    ) -> serde_json::Result<Self> {
        Ok(Self { name, summary, value: serde_json::from_slice(&problem.into().into_reply().body)? })
    }
}

impl Content {
    pub(crate) fn new<T: JsonSchema>(media_type: &'static str, examples: impl IntoIterator<Item = Example>) -> Self {
        let examples = examples.into_iter().collect();
        Self { media_type, schema: ContentSchema::Type(SchemaGenerator::subschema_for::<T>), examples }
    }

    pub(crate) fn json<T: JsonSchema>(examples: impl IntoIterator<Item = Example>) -> Self {
        Self::new::<T>("application/json", examples)
    }
}

impl Answer {
    pub(crate) fn new(status: u16, description: impl Into<String>) -> Self {
        let (headers, contents, links) = (Vec::new(), Vec::new(), Vec::new());
        Self { status, description: description.into(), in_parts: false, headers, contents, links }
    }

    pub(crate) fn in_parts(mut self) -> Self {
        self.in_parts = true;
        self
    }

    pub(crate) fn content(mut self, content: Content) -> Self {
        self.contents.push(content);
        self
    }

    pub(crate) fn json<T: JsonSchema>(self, examples: impl IntoIterator<Item = Example>) -> Self {
        self.content(Content::json::<T>(examples))
    }

    pub(crate) fn headers(mut self, names: impl IntoIterator<Item = &'static str>) -> Self {
        self.headers.extend(names);
        self
    }

    pub(crate) fn links(mut self, names: impl IntoIterator<Item = &'static str>) -> Self {
        self.links.extend(names);
        self
    }

    /// The answer with one of these codes, all of the same status.
    pub(crate) fn problem(
        description: impl Into<String>,
        codes: &[Code],
        examples: impl IntoIterator<Item = Example>,
    ) -> Self {
        let status = codes.first().map_or(500, |code| code.status().as_u16());
        let schema = ContentSchema::Problems(codes.to_vec());
        let examples = examples.into_iter().collect();
        Self::new(status, description).content(Content { media_type: "application/problem+json", schema, examples })
    }
}

impl Operation {
    /// An operation of a route. The first line of `about` is the summary.
    pub(crate) fn new(
        route: Route<'_>,
        verb: Verb,
        id: &'static str,
        tag: &'static str,
        [summary, description]: [&'static str; 2],
    ) -> Self {
        let method = match verb {
            Verb::Get => "get",
            Verb::Post => "post",
            Verb::Put => "put",
        };
        let operation = Self::at(route.path(), method, id, tag, [summary, description]);
        let operation = operation.shared([(406, "NotAcceptable"), (417, "ExpectationFailed")]);
        match verb {
            Verb::Get => Self { tagged: true, ..operation.preconditions().shared([(304, "NotModified")]) },
            Verb::Post | Verb::Put => operation.preconditions(),
        }
    }

    /// An operation of a path that no route has: a page.
    pub(crate) fn at(
        path: &'static str,
        method: &'static str,
        id: &'static str,
        tag: &'static str,
        [summary, description]: [&'static str; 2],
    ) -> Self {
        let description = description.to_owned();
        let (parameters, responses) = (Vec::new(), Vec::new());
        let (operator, tagged) = (false, false);
        Self { path, method, id, tag, summary, description, operator, tagged, parameters, body: None, responses }
            .shared([(400, "MalformedHeader")])
    }

    pub(crate) fn parameters(mut self, names: impl IntoIterator<Item = &'static str>) -> Self {
        self.parameters.extend(names);
        self
    }

    pub(crate) fn answers(mut self, answer: Answer) -> Self {
        self.responses.push(Response::Own(answer));
        self
    }

    /// Answers as several operations do.
    pub(crate) fn shared(mut self, responses: impl IntoIterator<Item = (u16, &'static str)>) -> Self {
        self.responses.extend(responses.into_iter().map(|(status, name)| Response::Shared(status, name)));
        self
    }

    /// For the operator only.
    pub(crate) fn operator(mut self) -> Self {
        self.operator = true;
        self.shared([(401, "Unauthorized"), (403, "OperatorDisabled")])
    }

    /// With a JSON body.
    pub(crate) fn body<T: JsonSchema>(mut self, required: bool, examples: impl IntoIterator<Item = Example>) -> Self {
        self.body = Some(Body { required, content: Content::json::<T>(examples) });
        let malformed = if self.method == "put" { "PutMalformed" } else { "MalformedJson" };
        self.shared([(400, malformed), (408, "RequestTimeout"), (413, "BodyTooLarge"), (415, "UnsupportedMediaType")])
    }

    /// With a body that is taken as it came, of whatever content type.
    pub(crate) fn raw_body(mut self, examples: impl IntoIterator<Item = Example>) -> Self {
        self.body = Some(Body { required: true, content: Content::json::<Event>(examples) });
        self.shared([(408, "RequestTimeout"), (413, "BodyTooLarge"), (415, "UnsupportedMediaType")])
    }

    /// With `if-match` and `if-none-match`.
    fn preconditions(self) -> Self {
        let parameter = if self.method == "get" { "IfNoneMatch" } else { "ChangeIfNoneMatch" };
        self.parameters(["IfMatch", parameter]).shared([(412, "PreconditionFailed")])
    }

    /// Reads records.
    pub(crate) fn reads(self) -> Self {
        self.shared([(500, "UnreadableRecord"), (503, "StoreUnavailable")])
    }

    /// Reads and writes records, and so may meet other requests that do.
    pub(crate) fn writes(self) -> Self {
        self.shared([(500, "UnreadableRecord"), (503, "Unavailable"), (507, "StoreFull")])
    }

    /// Asks the payment provider too.
    pub(crate) fn asks_provider(self) -> Self {
        let of_provider = [(502, "PaymentProviderError"), (503, "ProviderUnavailable")];
        self.shared([(500, "UnreadableRecord"), (507, "StoreFull")]).shared(of_provider)
    }

    /// Makes records longer, and so may find one full.
    pub(crate) fn adds(self) -> Self {
        self.shared([(500, "UnreadableRecord"), (503, "Unavailable"), (507, "Full")])
    }
}
