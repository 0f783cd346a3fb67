//! The README in Chinese has the same commands, links, names and figures as the one in English.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::fs;

use crate::root;

/// What a translation leaves as it is.
#[derive(Default)]
struct Section {
    heading: String,
    line: usize,
    blocks: Vec<Block>,
    rows: Vec<Row>,
    /// All that is in no code block.
    text: String,
}

struct Block {
    line: usize,
    language: String,
    code: Vec<String>,
}

struct Row {
    line: usize,
    cells: usize,
    numbers: Vec<String>,
}

#[test]
fn the_chinese_readme_says_the_same_as_the_english_one() {
    let [english, chinese] =
        ["README.md", "README.zh-CN.md"].map(|name| fs::read_to_string(root().join(name)).unwrap());
    let differences = differences(&english, &chinese);
    assert!(differences.is_empty(), "README.md | README.zh-CN.md\n{}", differences.join("\n"));
}

/// Whatever differs, a line each, the English side first.
fn differences(english: &str, chinese: &str) -> Vec<String> {
    let (english, chinese) = (sections(english), sections(chinese));
    let level = |section: &Section| section.heading.find(|letter| letter != '#');
    let headings = |page: &[Section]| page.iter().map(|section| section.heading.clone()).collect::<Vec<_>>();
    if english.iter().map(level).ne(chinese.iter().map(level)) {
        let (english, chinese) = (headings(&english), headings(&chinese));
        let first = english.iter().zip(&chinese).find(|(one, other)| one.find(' ') != other.find(' '));
        let counts = format!("{} | {} sections", english.len(), chinese.len());
        return vec![format!("{counts}; the first of another level: {first:?}; {english:?} | {chinese:?}")];
    }

    let mut found = Vec::new();
    for (one, other) in english.iter().zip(&chinese) {
        let place = format!("{} | {} (line {} | {})", one.heading, other.heading, one.line, other.line);
        let mut say = |what: String| found.push(format!("{place}: {what}"));
        compare_counts(&mut say, "code blocks", one.blocks.len(), other.blocks.len());
        compare_counts(&mut say, "table rows", one.rows.len(), other.rows.len());
        for (one, other) in one.blocks.iter().zip(&other.blocks) {
            compare_blocks(&mut say, one, other);
        }
        for (one, other) in one.rows.iter().zip(&other.rows) {
            let place = format!("the row of line {} | {}", one.line, other.line);
            compare_counts(&mut say, &format!("cells in {place}"), one.cells, other.cells);
            if one.numbers != other.numbers {
                say(format!("numbers in {place}: {}", apart(&one.numbers, &other.numbers)));
            }
        }
        let (links, links_there) = (links(one, &english, "README.zh-CN.md"), links(other, &chinese, "README.md"));
        if links != links_there {
            say(format!("links: {}", apart(&links, &links_there)));
        }
        let (names, names_there) = (names(&one.text), names(&other.text));
        if names != names_there {
            say(format!("names in `code`: {}", apart(&names, &names_there)));
        }
    }
    found
}

fn compare_counts(say: &mut impl FnMut(String), what: &str, one: usize, other: usize) {
    if one != other {
        say(format!("{one} | {other} {what}"));
    }
}

fn compare_blocks(say: &mut impl FnMut(String), one: &Block, other: &Block) {
    let place = format!("the code block of line {} | {}", one.line, other.line);
    if one.language != other.language {
        say(format!("{place} is said to be {:?} | {:?}", one.language, other.language));
    }
    compare_counts(say, &format!("lines in {place}"), one.code.len(), other.code.len());
    let differs = |(one, other): &(&String, &String)| one != other;
    if let Some((one, other)) = one.code.iter().zip(&other.code).find(differs) {
        say(format!("{place}: `{one}` | `{other}`"));
    }
}

/// What only one of them has.
fn apart<'a, T: Debug + PartialEq + 'a>(
    one: impl IntoIterator<Item = &'a T> + Copy,
    other: impl IntoIterator<Item = &'a T> + Copy,
) -> String {
    let mut theirs: Vec<_> = other.into_iter().collect();
    let mut ours: Vec<_> = one.into_iter().collect();
    for item in one {
        if let Some(at) = theirs.iter().position(|there| *there == item) {
            theirs.remove(at);
            ours.remove(ours.iter().position(|here| *here == item).expect("it was found here"));
        }
    }
    format!("{ours:?} | {theirs:?}")
}

fn sections(page: &str) -> Vec<Section> {
    let mut sections = vec![Section { heading: "(before the first heading)".to_owned(), ..Section::default() }];
    let mut block: Option<Block> = None;
    for (line, text) in (1..).zip(page.lines()) {
        if text.starts_with('#') && block.is_none() {
            sections.push(Section { heading: text.to_owned(), line, ..Section::default() });
            continue;
        }
        let section = sections.last_mut().expect("there is always one");
        match (text.strip_prefix("```"), &mut block) {
            (Some(_), Some(_)) => section.blocks.extend(block.take()),
            (Some(language), None) => block = Some(Block { line, language: language.to_owned(), code: Vec::new() }),
            (None, Some(block)) => block.code.push(without_comment(&block.language, text).trim().to_owned()),
            (None, None) => {
                if text.starts_with('|') {
                    section.rows.push(Row { line, cells: text.matches('|').count() - 1, numbers: numbers(text) });
                }
                section.text.push_str(text);
                section.text.push(' ');
            }
        }
    }
    sections
}

/// What is no comment: in a shell's language all before a `#`, in a drawing or a list of files the first word, unless
/// it stands far off.
fn without_comment<'a>(language: &str, line: &'a str) -> &'a str {
    match language {
        "sh" if line.starts_with('#') => "",
        "sh" => line.split(" #").next().unwrap_or(line),
        "" => {
            let near = line.trim_start().split("  ").next().unwrap_or(line);
            near.split(' ').find(|word| word.contains(char::is_alphanumeric)).unwrap_or_default()
        }
        _ => line,
    }
}

/// Sorted, since languages differ in where they put them.
fn numbers(row: &str) -> Vec<String> {
    let words = row.split(|letter: char| !letter.is_ascii_digit() && letter != ',' && letter != '.');
    let numbers = words.map(|word| word.trim_matches([',', '.'])).filter(|word| !word.is_empty());
    let mut numbers: Vec<_> = numbers.map(str::to_owned).collect();
    numbers.sort_unstable();
    numbers
}

/// The targets of the links, sorted; a section of the page by its number, since its name is translated.
fn links(section: &Section, page: &[Section], other_language: &str) -> Vec<String> {
    let targets = section.text.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0));
    let by_number = |target: &str| match target.strip_prefix('#') {
        Some(name) => match page.iter().position(|section| anchor(&section.heading) == name) {
            Some(number) => format!("section {number}"),
            None => format!("{target}, which is no section"),
        },
        None if target == other_language => "the other language".to_owned(),
        None => target.to_owned(),
    };
    let mut targets: Vec<_> = targets.map(by_number).collect();
    targets.sort_unstable();
    targets
}

/// What GitHub calls a heading in a link.
fn anchor(heading: &str) -> String {
    let letters = heading.trim_start_matches('#').trim().chars();
    let letters = letters.filter(|letter| letter.is_alphanumeric() || [' ', '-', '_'].contains(letter));
    letters.collect::<String>().replace(' ', "-").to_lowercase()
}

/// What is quoted as code, with one space where the line may break.
fn names(text: &str) -> BTreeSet<String> {
    text.split('`').skip(1).step_by(2).map(|name| name.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

const ENGLISH: &str = "# Shop\n[中文](README.zh-CN.md), [two](#two)\n```sh\nrun --all    # all\n# Beside it:\nrun\n```\n\
    ## Two\nSay `please`.\n| a | 1,000 of 21 |\n```\nfiles/    what is there\n```\n```console\n$ run # 1\n```\n";
const CHINESE: &str = "# 店\n[English](README.md)，[二](#二)\n```sh\nrun --all  # 全部\n# 旁边：\nrun\n```\n\
    ## 二\n说 `please`。\n| 甲 | 21 的 1,000 |\n```\nfiles/  那里的东西\n```\n```console\n$ run # 1\n```\n";

#[test]
fn a_faithful_translation_differs_in_nothing() {
    assert_eq!(differences(ENGLISH, CHINESE), [""; 0]);
}

#[test]
fn what_a_translation_gets_wrong_is_named() {
    let wrong = [
        (
            "run --all",
            "run --some",
            "# Shop | # 店 (line 1 | 1): the code block of line 3 | 3: `run --all` | `run --some`",
        ),
        ("run\n```", "```", "# Shop | # 店 (line 1 | 1): 3 | 2 lines in the code block of line 3 | 3"),
        (
            "```sh",
            "```bash",
            "# Shop | # 店 (line 1 | 1): the code block of line 3 | 3 is said to be \"sh\" | \"bash\"",
        ),
        (
            "$ run # 1",
            "$ run # 2",
            "## Two | ## 二 (line 8 | 8): the code block of line 14 | 14: `$ run # 1` | `$ run # 2`",
        ),
        ("files/", "file/", "## Two | ## 二 (line 8 | 8): the code block of line 11 | 11: `files/` | `file/`"),
        ("21 的", "12 的", "## Two | ## 二 (line 8 | 8): numbers in the row of line 10 | 10: [\"21\"] | [\"12\"]"),
        ("| 甲 ", "", "## Two | ## 二 (line 8 | 8): 2 | 1 cells in the row of line 10 | 10"),
        ("| 甲 | 21 的 1,000 |\n", "", "## Two | ## 二 (line 8 | 8): 1 | 0 table rows"),
        ("(#二)", "(#三)", "# Shop | # 店 (line 1 | 1): links: [\"section 2\"] | [\"#三, which is no section\"]"),
        ("(README.md)", "(README)", "# Shop | # 店 (line 1 | 1): links: [\"the other language\"] | [\"README\"]"),
        ("`please`", "`qing`", "## Two | ## 二 (line 8 | 8): names in `code`: [\"please\"] | [\"qing\"]"),
    ];
    for (text, mistake, difference) in wrong {
        assert!(CHINESE.contains(text), "{text}");
        let found = differences(ENGLISH, &CHINESE.replace(text, mistake));
        assert!(found.iter().any(|found| found == difference), "{difference}\nis not in\n{}", found.join("\n"));
    }
    let found = differences(ENGLISH, &CHINESE.replace("## 二", "### 二"));
    assert!(
        found[0].starts_with("3 | 3 sections; the first of another level: Some((\"## Two\", \"### 二\"))"),
        "{found:?}"
    );
}
