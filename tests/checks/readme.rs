//! The tours print what the pages say: the short one of both READMEs and the longer one of the API's page.

use std::fs;
use std::process::Command;

use harness::{TOKEN, root};

use crate::shop::Shop;

/// A command of a tour, and what its page says that it prints.
#[derive(Debug, PartialEq, Eq)]
struct Step {
    command: String,
    output: String,
}

#[test]
fn the_short_tour_prints_what_the_readme_says_in_both_languages() {
    for page in ["README.md", "README.zh-CN.md"] {
        take_tour(page, 3);
    }
}

#[test]
fn the_longer_tour_prints_what_the_page_of_the_api_says() {
    let page = "docs/api.md";
    assert!(read(page).contains(&format!("operator_token={TOKEN}")), "the tour's token is the one of this test");
    take_tour(page, 11);
}

fn read(page: &str) -> String {
    fs::read_to_string(root().join(page)).unwrap_or_else(|error| panic!("{page}: {error}"))
}

/// Runs the commands of a page, at least as many as are expected, on a new shop.
fn take_tour(page: &str, expected: usize) {
    let steps = steps(&read(page));
    assert!(steps.len() >= expected, "the tour of {page} has {} steps", steps.len());

    let shop = Shop::open(&[]);
    let here = |command: &str| command.replace("localhost:3000", &shop.server.client.authority);
    // One shell for all, since a step uses what an earlier one has set; a line that no step prints stands in between.
    let script: Vec<_> = steps.iter().map(|step| format!("{}\necho; echo --next--", here(&step.command))).collect();
    let run = Command::new("bash").args(["-c", &format!("exec 2>&1\n{}", script.join("\n"))]).output();
    let run = run.expect("bash and curl are there");
    let output = String::from_utf8(run.stdout).expect("answers are UTF-8");
    let mut outputs = output.split("--next--\n");
    for step in &steps {
        let printed = outputs.next().unwrap_or_default();
        assert_eq!(masked(printed.trim()), masked(step.output.trim()), "{page}: $ {}", step.command);
    }
}

/// The commands in a page's `console` blocks.
fn steps(page: &str) -> Vec<Step> {
    let mut steps = Vec::<Step>::new();
    let mut in_console = false;
    for line in page.lines() {
        match (in_console, line.strip_prefix("$ ")) {
            (_, _) if line.starts_with("```") => in_console = line == "```console",
            (true, Some(command)) => steps.push(Step { command: command.to_owned(), output: String::new() }),
            (true, None) => {
                let step = steps.last_mut().expect("a console block begins with a command");
                step.output.push_str(line);
                step.output.push('\n');
            }
            (false, _) => {}
        }
    }
    steps
}

/// The text without what differs from run to run: ids of orders, and times.
fn masked(text: &str) -> String {
    let shapes = ["xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", "dddd-dd-ddTdd:dd:dd.dddZ"];
    let mut masked = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let shape = shapes.iter().find(|shape| has_shape(rest, shape));
        masked.push_str(&shape.map_or(first.to_string(), |shape| shape.to_string()));
        rest = &rest[shape.map_or(first.len_utf8(), |shape| shape.len())..];
    }
    masked.replace('\r', "")
}

/// Whether a text begins with this shape, in which `x` is a hexadecimal digit and `d` a decimal one.
fn has_shape(text: &str, shape: &str) -> bool {
    text.len() >= shape.len()
        && text.bytes().zip(shape.bytes()).all(|(byte, shape)| match shape {
            b'x' => byte.is_ascii_hexdigit(),
            b'd' => byte.is_ascii_digit(),
            other => byte == other,
        })
}

#[test]
fn only_ids_and_times_are_masked() {
    let text = r#"{"order_id":"4be0643f-1d98-473b-97cd-ca98a65347dd","total":2000,"at":"2026-11-22T11:08:47.572Z"}"#;
    let expected =
        r#"{"order_id":"xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx","total":2000,"at":"dddd-dd-ddTdd:dd:dd.dddZ"}"#;
    assert_eq!(masked(text), expected);
    assert_ne!(masked(text), masked(&text.replace("2000", "2001")));
}

#[test]
fn steps_are_read_out_of_console_blocks_only() {
    let page = "```sh\n$ no\n```\n```console\n$ a\n1\n$ b\n```\n$ no\n";
    let step = |command: &str, output: &str| Step { command: command.to_owned(), output: output.to_owned() };
    assert_eq!(steps(page), [step("a", "1\n"), step("b", "")]);
}
