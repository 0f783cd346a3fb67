//! The figures under "How we know" in the README are those that the tests assert.

use std::fs;

use crate::root;

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The numbers that stand between these two in the text of a test.
fn numbers<'a>(text: &'a str, before: &'a str, after: &'a str) -> impl Iterator<Item = usize> + 'a {
    let candidates = text.split(before).skip(1).filter_map(move |rest| Some(rest.split_once(after)?.0));
    candidates.filter_map(|candidate| candidate.replace('_', "").parse().ok())
}

/// As the README writes it.
fn with_commas(number: usize) -> String {
    if number < 1000 { number.to_string() } else { format!("{},{:03}", with_commas(number / 1000), number % 1000) }
}

#[test]
fn the_figures_under_how_we_know_are_those_of_the_tests() {
    let states = read("tests/model-check/tests/exhaustive.rs");
    let states: Vec<_> = numbers(&states, "\", ", ")").collect();
    let mutants = read("tests/model-check/tests/mutants.rs").matches(" name: \"").count();
    let cases = read("tests/fault-injection/crashes.rs");
    let crashes: Vec<_> = numbers(&cases, " calls: ", ",").collect();
    let statements: usize = numbers(&cases, " statements: ", ",").sum();
    let pairs = read("tests/fault-injection/pairs.rs");
    let pairs: Vec<_> = numbers(&pairs, " calls: ", ",").collect();
    let companies = read("tests/fault-injection/together.rs");
    let companies: Vec<_> = numbers(&companies, " calls: ", ",").chain(numbers(&companies, " calls: ", " }")).collect();
    let inputs = ["bodies", "cells", "headers", "paths", "records"].map(|name| read(&format!("tests/fuzz/{name}.rs")));
    let inputs: usize = inputs.iter().flat_map(|test| numbers(test, " check(", ",")).sum();

    let readme = read("README.md");
    for (number, of) in [
        (states.iter().sum(), format!("states of {} small cases", states.len())),
        // One is not wrong.
        (mutants - 1, "wrong copies".to_owned()),
        // Each of a request's calls ends in four ways, also in company, and each that one of a pair waits at in two.
        (crashes.iter().sum::<usize>() * 4, format!("ends of {} kinds of request", crashes.len())),
        (statements * 4, "ends on SQLite".to_owned()),
        // A Redis has no table to miss and to make.
        ((statements - 2) * 4, "on Redis".to_owned()),
        (pairs.iter().sum::<usize>() * 2, format!("of {} pairs", pairs.len())),
        (companies.iter().sum::<usize>() * 4, format!("of {} companies", companies.len())),
        (inputs, "random inputs".to_owned()),
    ] {
        let figure = format!("{} {of}", with_commas(number));
        assert!(number > 0 && readme.contains(&figure), "the README does not say \"{figure}\"");
    }
}

#[test]
fn numbers_are_read_out_of_tests_and_written_for_readers() {
    assert_eq!(numbers("x: 1_000, x: y, x: 2,", "x: ", ",").collect::<Vec<_>>(), [1000, 2]);
    assert_eq!([7, 999, 1000, 1_020_003].map(with_commas), ["7", "999", "1,000", "1,020,003"]);
}
