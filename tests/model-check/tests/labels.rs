//! Labels in the source: where a mutant changes it.
//!
//! A label is a comment on a line of its own, `// Rule: payment-after-item.`, before the statement, expression, match
//! arm or field that it names. So a mutant survives a change of the text around it, and a reader sees which lines a
//! search depends on.

/// What a mutant does to the element after a label.
#[derive(Clone, Copy, Debug)]
pub enum Change {
    /// Something comes before it.
    Before(&'static str),
    /// Something takes its place. Where that is nothing, a comma behind the element goes with it.
    Replace(&'static str),
}

/// The labels of a source text, in order.
pub fn labels(source: &str) -> impl Iterator<Item = &str> {
    source.lines().filter_map(label)
}

fn label(line: &str) -> Option<&str> {
    line.trim().strip_prefix("// Rule: ")?.strip_suffix('.')
}

/// The source with the element after a label changed. None where it has no such label.
pub fn changed(source: &str, name: &str, change: Change) -> Option<String> {
    let mut end_of_line = 0;
    let mut lines = source.split_inclusive('\n');
    lines.find(|line| {
        end_of_line += line.len();
        label(line) == Some(name)
    })?;
    let (start, end) = element(source, end_of_line);
    Some(match change {
        Change::Before(text) => format!("{}{text}\n{}", &source[..start], &source[start..]),
        Change::Replace("") if source[end..].starts_with(',') => format!("{}{}", &source[..start], &source[end + 1..]),
        Change::Replace(text) => format!("{}{text}{}", &source[..start], &source[end..]),
    })
}

/// How an element ends.
#[derive(PartialEq, Eq)]
enum Kind {
    /// With its semicolon, as `let` does.
    Semicolon,
    /// With its block, as `if` does.
    Block,
    /// Before the comma behind it, or with its semicolon: an expression, a field or a match arm.
    Other,
}

/// Where the element begins and ends that is the next from here.
fn element(source: &str, from: usize) -> (usize, usize) {
    let tokens = tokens(source, from);
    let start = tokens.first().map_or(source.len(), |token| token.0);
    let text = |number: usize| tokens.get(number).map_or("", |(from, to)| &source[*from..*to]);
    let kind = kind(&tokens.iter().map(|(from, to)| &source[*from..*to]).take(12).collect::<Vec<_>>());
    let (mut depth, mut angles) = (0_usize, 0_usize);
    let mut is_body_of_arm = false;
    let mut number = if kind == Kind::Other { after_parameters(&text) } else { 0 };
    let mut end = start;
    while let Some((from, to)) = tokens.get(number) {
        match &source[*from..*to] {
            "(" | "[" | "{" => {
                is_body_of_arm |= depth == 0 && text(number) == "{" && number > 0 && text(number - 1) == "=>";
                depth += 1;
            }
            ")" | "]" | "}" if depth == 0 => break,
            closing @ (")" | "]" | "}") => {
                depth -= 1;
                let ends_here = closing == "}" && depth == 0 && (kind == Kind::Block || is_body_of_arm);
                if ends_here && !["else", ".", "?", ";"].contains(&text(number + 1)) {
                    return (start, *to);
                }
            }
            // With no space before it: no comparison.
            "<" if depth == 0 && *from > 0 && !source[..*from].ends_with(char::is_whitespace) => angles += 1,
            ">" if depth == 0 => angles = angles.saturating_sub(1),
            ";" if depth == 0 => return (start, *to),
            "," if depth == 0 && angles == 0 && kind == Kind::Other => break,
            _ => {}
        }
        end = *to;
        number += 1;
    }
    (start, end)
}

fn kind(first: &[&str]) -> Kind {
    let mut first = first.iter().copied().peekable();
    while let Some(word) = first.next() {
        match word {
            "pub" if first.peek() == Some(&"(") => drop(first.by_ref().find(|token| *token == ")")),
            // What follows an attribute decides.
            "#" => drop(first.by_ref().find(|token| *token == "]")),
            "pub" | "async" | "move" => {}
            "const" if first.peek() == Some(&"fn") => {}
            "let" | "return" | "break" | "const" | "static" | "use" | "type" => return Kind::Semicolon,
            "{" | "if" | "match" | "for" | "while" | "loop" | "unsafe" | "fn" | "impl" | "struct" | "enum"
            | "trait" | "mod" => return Kind::Block,
            _ => return Kind::Other,
        }
    }
    Kind::Other
}

/// The first token after the parameters of a closure, where the element is one.
fn after_parameters<'a>(text: &impl Fn(usize) -> &'a str) -> usize {
    let bar = (0..3).find(|number| !["async", "move"].contains(&text(*number))).unwrap_or_default();
    if text(bar) != "|" {
        return 0;
    }
    (bar + 1..).find(|number| ["|", ""].contains(&text(*number))).map_or(0, |closing| closing + 1)
}

/// Where the tokens begin and end that decide where an element ends: words, delimiters, arrows, single signs. Comments
/// are none; a literal is one.
fn tokens(source: &str, from: usize) -> Vec<(usize, usize)> {
    let mut tokens = Vec::new();
    let mut at = from;
    while let Some(first) = source[at..].chars().next() {
        let rest = &source[at..];
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let length = if let Some(raw) = raw_text(rest) {
            raw
        } else if first == '"' || rest.starts_with("b\"") {
            text_literal(rest)
        } else if first == '\'' {
            character_or_lifetime(rest)
        } else if rest.starts_with("//") {
            at += rest.find('\n').unwrap_or(rest.len());
            continue;
        } else if rest.starts_with("/*") {
            at += rest.find("*/").map_or(rest.len(), |end| end + 2);
            continue;
        } else if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        } else if is_word(first) {
            rest.find(|c| !is_word(c)).unwrap_or(rest.len())
        } else if ["=>", "->", "<=", ">=", "||", "&&"].iter().any(|sign| rest.starts_with(sign)) {
            2
        } else {
            first.len_utf8()
        };
        tokens.push((at, at + length));
        at += length;
    }
    tokens
}

/// The length of a raw text, where one begins here.
fn raw_text(rest: &str) -> Option<usize> {
    let hashes = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r'))?;
    let count = hashes.bytes().take_while(|byte| *byte == b'#').count();
    let text = hashes[count..].strip_prefix('"')?;
    let end = text.find(&format!("\"{}", "#".repeat(count)))?;
    Some(rest.len() - text.len() + end + 1 + count)
}

fn text_literal(rest: &str) -> usize {
    let mut escaped = false;
    let open = rest.find('"').unwrap_or_default();
    let closing = rest[open + 1..].bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    });
    closing.map_or(rest.len(), |at| open + at + 2)
}

/// A character is closed by a quote; a lifetime is a quote and a word.
fn character_or_lifetime(rest: &str) -> usize {
    let mut characters = rest.char_indices().skip(1);
    match characters.next() {
        Some((_, '\\')) => characters.skip(1).find(|(_, c)| *c == '\'').map_or(1, |(at, _)| at + 1),
        Some(_) => characters.next().filter(|(_, c)| *c == '\'').map_or(1, |(at, _)| at + 1),
        None => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::Change::{Before, Replace};
    use super::{changed, element, labels};

    /// The element at the mark, which is no part of it.
    #[track_caller]
    fn is_element(source: &str, element_after_label: &str) {
        let at = source.find("// Rule: here.\n").expect("there is a label") + "// Rule: here.\n".len();
        let (start, end) = element(source, at);
        assert_eq!(&source[start..end], element_after_label);
    }

    #[test]
    fn a_statement_ends_with_its_semicolon() {
        is_element("// Rule: here.\nlet a = f(1; [2], |x| { y; }); let b;", "let a = f(1; [2], |x| { y; });");
        is_element(
            "// Rule: here.\nlet a: Map<A, B> = match b { C => d, };\nlet b;",
            "let a: Map<A, B> = match b { C => d, };",
        );
        is_element("// Rule: here.\nitem.version = item.version + 1;\nx;", "item.version = item.version + 1;");
        is_element("// Rule: here.\nlet Some(a) = b else { return };\nx", "let Some(a) = b else { return };");
        is_element("// Rule: here.\nreturn Err((a, b));\nx", "return Err((a, b));");
        is_element(
            "// Rule: here.\npub const LOOK: Look = Look { a: 1, b: 2 };\nx",
            "pub const LOOK: Look = Look { a: 1, b: 2 };",
        );
    }

    #[test]
    fn a_block_ends_with_its_last_brace() {
        is_element("// Rule: here.\nif a { b(); }\nc();", "if a { b(); }");
        is_element(
            "// Rule: here.\nif a { b } else if c { d } else { e }\nif f {}",
            "if a { b } else if c { d } else { e }",
        );
        is_element("// Rule: here.\nmatch a { B { c } => {} D => e, }\nf();", "match a { B { c } => {} D => e, }");
        is_element("// Rule: here.\nmatch a { B => c }.await?;\nf();", "match a { B => c }.await?;");
        is_element(
            "// Rule: here.\npub(crate) async fn f<A, B>(a: A) -> B { c; d }\nfn g() {}",
            "pub(crate) async fn f<A, B>(a: A) -> B { c; d }",
        );
    }

    #[test]
    fn an_expression_ends_before_what_closes_what_it_is_in() {
        is_element("f(\n// Rule: here.\na.b(c, d) || e,\ng)", "a.b(c, d) || e");
        is_element("f(\n// Rule: here.\na::<B, C>(d)\n)", "a::<B, C>(d)");
        is_element("f(\n// Rule: here.\nmove |a, b| a < b,\nc)", "move |a, b| a < b");
        is_element("{\n// Rule: here.\nOk(a)\n}\nb", "Ok(a)");
        is_element("{\n// Rule: here.\nA { b, c }\n}\nb", "A { b, c }");
        is_element("{ a\n// Rule: here.\n&& b != c\n}", "&& b != c");
        is_element("f(\n// Rule: here.\n|| !a, b)", "|| !a");
    }

    #[test]
    fn a_match_arm_ends_with_its_block_or_before_its_comma() {
        is_element("match a {\n// Rule: here.\nB { c, .. } if d => { e; }\nF => g }", "B { c, .. } if d => { e; }");
        is_element("match a {\n// Rule: here.\nOk(b) => c(d, e),\nF => g }", "Ok(b) => c(d, e)");
        is_element("match a {\n// Rule: here.\nB => match c { D => e, },\nF => g }", "B => match c { D => e, }");
        is_element("match a {\n// Rule: here.\nB | C => d\n}", "B | C => d");
    }

    #[test]
    fn a_field_ends_before_its_comma() {
        is_element("A {\n// Rule: here.\nb: c(d, e),\nf }", "b: c(d, e)");
        is_element("struct A {\n// Rule: here.\npub b: Map<C, D>,\nf: G }", "pub b: Map<C, D>");
    }

    #[test]
    fn texts_and_comments_do_not_end_an_element() {
        is_element("// Rule: here.\na(\"}; \\\" )\", '}', '\\'', 'b');\nc", "a(\"}; \\\" )\", '}', '\\'', 'b');");
        is_element("// Rule: here.\na(r#\"\"; }\"#, b\";\" /* ; */);\nc", "a(r#\"\"; }\"#, b\";\" /* ; */);");
        is_element("// Rule: here.\nlet a: &'static str = // ; }\nb;\nc", "let a: &'static str = // ; }\nb;");
        is_element("// Rule: here.\n// Why: since; so.\n\na;\nb", "a;");
    }

    #[test]
    fn what_a_label_names_is_replaced_or_has_something_before_it() {
        let source = "{\n    // Rule: one.\n    a();\n    // Rule: two.\n    b(c, d)\n}\n";
        assert_eq!(labels(source).collect::<Vec<_>>(), ["one", "two"]);
        let replaced = changed(source, "one", Replace("x();")).expect("it has the label");
        assert_eq!(replaced, source.replace("a();", "x();"));
        let before = changed(source, "two", Before("x();")).expect("it has the label");
        assert_eq!(before, source.replace("b(c", "x();\nb(c"));
        let twice = changed(&replaced, "two", Replace("y")).expect("it still has the other");
        assert_eq!(twice, "{\n    // Rule: one.\n    x();\n    // Rule: two.\n    y\n}\n");
        assert_eq!(changed(source, "three", Replace("")), None);
    }

    #[test]
    fn an_element_that_is_removed_takes_its_comma_with_it() {
        let source = "A {\n// Rule: b.\nb: 1,\nc: 2 }";
        assert_eq!(changed(source, "b", Replace("")), Some("A {\n// Rule: b.\n\nc: 2 }".to_owned()));
    }

    #[test]
    fn a_label_is_a_whole_line() {
        let source =
            "// Rule: one.\n/// Rule: two.\na; // Rule: three.\n// Rules: four.\n// Rule: five\n  // Rule: six.\n";
        assert_eq!(labels(source).collect::<Vec<_>>(), ["one", "six"]);
    }
}
