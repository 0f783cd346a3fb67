//! Parameters as Stripe takes them: form-encoded, with brackets for what is nested.

use std::collections::BTreeMap;

use crate::error::ApiError;

/// Deeper than any parameter of Stripe.
const DEEPEST: usize = 8;

/// A parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Param {
    Text(String),
    /// `a[b]=…`; a list is one whose names are numbers.
    Nested(BTreeMap<Name, Param>),
}

/// A name within brackets. Numbers are in the order of numbers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Name {
    Index(usize),
    Text(String),
}

impl Name {
    fn new(text: &str) -> Self {
        let digits = !text.is_empty() && text.len() < 6 && text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse() {
            Ok(index) if digits => Self::Index(index),
            _ => Self::Text(text.to_owned()),
        }
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Index(index) => write!(f, "{index}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// Reads a query or a body.
pub(crate) fn parse(encoded: &[u8]) -> Result<Params, ApiError> {
    let mut all = BTreeMap::new();
    for (name, value) in url::form_urlencoded::parse(encoded) {
        let path = path_of(&name).ok_or_else(|| ApiError::invalid(format!("Invalid parameter name: {name}")))?;
        insert(&mut all, &path, value.into_owned()).ok_or_else(|| {
            ApiError::invalid(format!("Invalid parameter: {name} is given in two shapes")).param(&*name)
        })?;
    }
    Ok(Params { path: String::new(), left: all })
}

/// `a[b][]` as `a`, `b` and an empty name.
fn path_of(name: &str) -> Option<Vec<&str>> {
    let (first, mut rest) = name.split_at(name.find('[').unwrap_or(name.len()));
    let mut path = vec![first];
    while !rest.is_empty() {
        let (inner, after) = rest.strip_prefix('[')?.split_once(']')?;
        path.push(inner);
        rest = after;
    }
    (!first.is_empty() && path.len() <= DEEPEST).then_some(path)
}

/// `None` if a text is in the way of something nested, or the other way round.
fn insert(into: &mut BTreeMap<Name, Param>, path: &[&str], value: String) -> Option<()> {
    let (first, rest) = path.split_first()?;
    let name = if first.is_empty() { Name::Index(into.len()) } else { Name::new(first) };
    if rest.is_empty() {
        let old = into.insert(name, Param::Text(value));
        return (!matches!(old, Some(Param::Nested(_)))).then_some(());
    }
    match into.entry(name).or_insert_with(|| Param::Nested(BTreeMap::new())) {
        Param::Nested(inner) => insert(inner, rest, value),
        Param::Text(_) => None,
    }
}

/// Parameters of which each is taken out once; what is left in the end is unknown.
#[derive(Clone, Debug)]
pub(crate) struct Params {
    /// Before the names in messages: empty, or `line_items[0]`.
    path: String,
    left: BTreeMap<Name, Param>,
}

impl Params {
    /// The name as Stripe's messages have it.
    pub(crate) fn path(&self, name: impl std::fmt::Display) -> String {
        if self.path.is_empty() { name.to_string() } else { format!("{}[{name}]", self.path) }
    }

    /// All of them, in one spelling: what makes a request the same request.
    pub(crate) fn canonical(&self) -> String {
        fn write(out: &mut Vec<String>, path: &str, params: &BTreeMap<Name, Param>) {
            for (name, param) in params {
                match param {
                    Param::Text(text) => out.push(format!("{path}[{name}]={text:?}")),
                    Param::Nested(inner) => write(out, &format!("{path}[{name}]"), inner),
                }
            }
        }
        let mut lines = Vec::new();
        write(&mut lines, "", &self.left);
        lines.join("\n")
    }

    /// A text that is not empty.
    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>, ApiError> {
        let path = self.path(name);
        match self.left.remove(&Name::new(name)) {
            None => Ok(None),
            Some(Param::Text(text)) if text.is_empty() => {
                let message = format!(
                    "You passed an empty string for '{path}'. We assume empty values are an attempt to unset a parameter; \
                     however '{path}' cannot be unset. You should remove '{path}' from your request or supply a non-empty \
                     value."
                );
                Err(ApiError::invalid(message).code("parameter_invalid_empty").param(path))
            }
            Some(Param::Text(text)) => Ok(Some(text)),
            Some(Param::Nested(_)) => Err(ApiError::invalid(format!("Invalid string: {path}")).param(path)),
        }
    }

    /// A text of this many characters at most.
    pub(crate) fn short(&mut self, name: &str, most: usize) -> Result<Option<String>, ApiError> {
        let text = self.text(name)?;
        match &text {
            Some(text) if text.chars().count() > most => {
                let path = self.path(name);
                let message = format!("Invalid string: {}…; must be at most {most} characters", first(text, 20));
                Err(ApiError::invalid(message).param(path))
            }
            _ => Ok(text),
        }
    }

    /// One of these words.
    pub(crate) fn word(&mut self, name: &str, words: &[&str]) -> Result<Option<String>, ApiError> {
        let text = self.text(name)?;
        match &text {
            Some(text) if !words.contains(&text.as_str()) => {
                let path = self.path(name);
                let message = format!("Invalid {path}: must be one of {}", words.join(", "));
                Err(ApiError::invalid(message).param(path))
            }
            _ => Ok(text),
        }
    }

    /// A whole number.
    pub(crate) fn integer(&mut self, name: &str) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let digits = text.strip_prefix('-').unwrap_or(&text);
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse() {
            Ok(number) if plain => Ok(Some(number)),
            _ => {
                let error = ApiError::invalid(format!("Invalid integer: {}", first(&text, 40)));
                Err(error.code("parameter_invalid_integer").param(self.path(name)))
            }
        }
    }

    /// What is nested under a name.
    pub(crate) fn nested(&mut self, name: &str) -> Result<Option<Params>, ApiError> {
        let path = self.path(name);
        match self.left.remove(&Name::new(name)) {
            None => Ok(None),
            Some(Param::Nested(left)) => Ok(Some(Params { path, left })),
            Some(Param::Text(_)) => Err(ApiError::invalid(format!("Invalid object: {path}")).param(path)),
        }
    }

    /// A list of nested parameters. The numbers in the brackets give the order and nothing else.
    pub(crate) fn list(&mut self, name: &str) -> Result<Option<Vec<Params>>, ApiError> {
        let path = self.path(name);
        let Some(params) = self.nested(name)? else { return Ok(None) };
        let each = params.left.into_iter().map(|entry| match entry {
            (name @ Name::Index(_), Param::Nested(left)) => Ok(Params { path: format!("{path}[{name}]"), left }),
            _ => Err(ApiError::invalid(format!("Invalid array: {path}")).param(&path)),
        });
        each.collect::<Result<_, _>>().map(Some)
    }

    /// A list of texts.
    pub(crate) fn texts(&mut self, name: &str) -> Result<Option<Vec<String>>, ApiError> {
        let path = self.path(name);
        let Some(params) = self.nested(name)? else { return Ok(None) };
        let each = params.left.into_iter().map(|entry| match entry {
            (Name::Index(_), Param::Text(text)) if !text.is_empty() => Ok(text),
            _ => Err(ApiError::invalid(format!("Invalid array: {path}")).param(&path)),
        });
        each.collect::<Result<_, _>>().map(Some)
    }

    /// Metadata: at most 50 names of at most 40 characters, with values of at most 500.
    pub(crate) fn metadata(&mut self) -> Result<BTreeMap<String, String>, ApiError> {
        let path = self.path("metadata");
        let Some(params) = self.nested("metadata")? else { return Ok(BTreeMap::new()) };
        let invalid = |message: String| Err(ApiError::invalid(message).param(&path));
        let mut metadata = BTreeMap::new();
        for (name, value) in params.left {
            let name = name.to_string();
            let Param::Text(value) = value else {
                return invalid(format!(
                    "Metadata values must be strings, but for key `{name}` you passed in an object."
                ));
            };
            let (long_name, long_value) = (name.chars().count() > 40, value.chars().count() > 500);
            if long_name {
                return invalid(format!(
                    "Metadata keys can have up to 40 characters. Invalid key: {}…",
                    first(&name, 40)
                ));
            }
            if long_value {
                return invalid(format!(
                    "Metadata values can have up to 500 characters. Invalid value: {}…",
                    first(&value, 40)
                ));
            }
            // An empty value unsets what was not there.
            if !value.is_empty() {
                metadata.insert(name, value);
            }
        }
        if metadata.len() > 50 {
            return invalid("You can have at most 50 keys in metadata.".into());
        }
        Ok(metadata)
    }

    /// Refuses what nothing has taken.
    pub(crate) fn finish(self) -> Result<(), ApiError> {
        let Some(first) = self.left.keys().next() else { return Ok(()) };
        let unknown: Vec<_> = self.left.keys().map(|name| self.path(name)).collect();
        let plural = if unknown.len() == 1 { "" } else { "s" };
        let message = format!("Received unknown parameter{plural}: {}", unknown.join(", "));
        Err(ApiError::invalid(message).code("parameter_unknown").param(self.path(first)))
    }
}

/// The beginning of a text that may be long.
fn first(text: &str, count: usize) -> String {
    text.chars().take(count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_nest_and_lists_keep_their_order() {
        let mut params = parse(b"a[b][10][c]=x&a[b][9][c]=y&expand[]=p&expand[]=q&t=%E4%BD%A0").unwrap();
        assert_eq!(params.texts("expand").unwrap().unwrap(), ["p", "q"]);
        assert_eq!(params.text("t").unwrap().unwrap(), "你");
        let mut list = params.nested("a").unwrap().unwrap().list("b").unwrap().unwrap();
        let values: Vec<_> = list.iter_mut().map(|one| one.text("c").unwrap().unwrap()).collect();
        assert_eq!(values, ["y", "x"]);
        params.finish().unwrap();
    }

    #[test]
    fn what_is_left_is_unknown_by_its_whole_name() {
        let mut params = parse(b"a[b]=1&a[c]=2").unwrap();
        let mut inner = params.nested("a").unwrap().unwrap();
        inner.text("b").unwrap();
        let error = inner.finish().unwrap_err().body();
        assert_eq!(
            (error["error"]["code"].as_str(), error["error"]["param"].as_str()),
            (Some("parameter_unknown"), Some("a[c]"))
        );
    }

    #[test]
    fn broken_names_and_two_shapes_are_refused() {
        for wrong in
            ["a[b=1", "[a]=1", "a]b[=1", "a=1&a[b]=2", "a[b]=1&a=2", "a[b]c=1", "a[1][2][3][4][5][6][7][8][9]=1"]
        {
            let parsed = parse(wrong.as_bytes());
            // A bracket that closes without being opened is part of a name, and unknown.
            assert!(parsed.is_err() || parsed.unwrap().finish().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_number_is_digits() {
        for wrong in ["+1", "1.0", "0x1", " 1", "99999999999999999999", "-", "1e3"] {
            let encoded: String = url::form_urlencoded::Serializer::new(String::new()).append_pair("n", wrong).finish();
            assert!(parse(encoded.as_bytes()).unwrap().integer("n").is_err(), "{wrong}");
        }
        assert_eq!(parse(b"n=-7").unwrap().integer("n").unwrap(), Some(-7));
    }

    #[test]
    fn the_same_parameters_in_another_order_are_the_same_request() {
        let canonical = |text: &str| parse(text.as_bytes()).unwrap().canonical();
        assert_eq!(canonical("a=1&b[c]=2"), canonical("b%5Bc%5D=2&a=1"));
        assert_ne!(canonical("a=1&b=2"), canonical("a=1&b=3"));
        assert_ne!(canonical("a=1"), canonical("a[0]=1"));
    }
}
