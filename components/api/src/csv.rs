//! Cells of CSV (RFC 4180) as a spreadsheet shows them: as they were meant, and nothing is executed.
//!
//! A spreadsheet does not ask what a cell is, it guesses. It executes what looks like a formula, and it turns what
//! looks like a number or a date into one: `00123` loses its zeros, `MAR-1` becomes the first of March. So a text that
//! others chose gets an apostrophe before it unless it is plainly a text.

/// The most digits that a spreadsheet keeps of a number.
const MOST_DIGITS: usize = 15;

/// The months by which Excel knows a date.
const MONTHS: &[u8] = b"janfebmaraprmayjunjulaugsepoctnovdec";

/// A cell with a text that others chose.
///
/// It is quoted, so that its commas, quotes and line ends are its own. Where a reader has another separator, quotes do
/// not help, and the text falls apart into cells: so each piece that could be a cell is guarded like the whole.
pub(crate) fn text(text: &str) -> String {
    let mut cell = String::from("\"");
    if !is_plain(text) {
        cell.push('\'');
    }
    // Where in `cell` a piece begins of which only blanks were seen so far.
    let mut piece = None;
    for character in text.chars() {
        if let Some(begin) = piece.filter(|_| !is_blank(character)) {
            if is_operator(character) {
                cell.insert(begin, '\'');
            }
            piece = None;
        }
        cell.push(character);
        if character == '"' {
            cell.push('"');
        }
        if is_separator(character) {
            piece = Some(cell.len());
        }
    }
    cell.push('"');
    cell
}

/// A cell with a number. One that is too long for a spreadsheet stays a text.
pub(crate) fn number(number: u64) -> String {
    let digits = number.to_string();
    if digits.len() > MOST_DIGITS { text(&digits) } else { digits }
}

/// Whether every spreadsheet takes this for a text: it begins with a letter, and is neither a date nor a truth value.
fn is_plain(text: &str) -> bool {
    let Some(first) = text.chars().next() else { return true };
    let is_month =
        |month: &[u8]| text.as_bytes().get(..month.len()).is_some_and(|word| word.eq_ignore_ascii_case(month));
    let is_date = MONTHS.chunks(3).any(is_month) && text.chars().any(is_digit);
    let is_value = text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false");
    is_letter(first) && !is_date && !is_value
}

/// Whether a character is a letter or stands for a word. The tables of Unicode would be larger than all else here, so
/// this goes by blocks: what is neither a sign nor a digit.
fn is_letter(character: char) -> bool {
    let is_sign = matches!(
        character,
        '\u{80}'..='\u{bf}' | '×' | '÷' | '\u{2000}'..='\u{2bff}' | '\u{3000}'..='\u{3020}' | '\u{fe10}'..='\u{fe6f}'
            | '\u{feff}'..='\u{ff20}' | '\u{ffe0}'..='\u{ffff}'
    );
    character.is_ascii_alphabetic() || !character.is_ascii() && !is_sign && !is_digit(character)
}

/// Whether a character is a digit, of whichever script has some of its own.
fn is_digit(character: char) -> bool {
    let is_indian = matches!(character, '\u{900}'..='\u{dff}') && matches!(u32::from(character) & 0x7f, 0x66..=0x6f);
    character.is_ascii_digit()
        || is_indian
        || matches!(
            character,
            '\u{660}'..='\u{669}' | '\u{6f0}'..='\u{6f9}' | '\u{7c0}'..='\u{7c9}' | '\u{e50}'..='\u{e59}'
                | '\u{ed0}'..='\u{ed9}' | '\u{f20}'..='\u{f29}' | '\u{1040}'..='\u{1049}' | '\u{17e0}'..='\u{17e9}'
                | '\u{1810}'..='\u{1819}' | '\u{ff10}'..='\u{ff19}'
        )
}

/// A character with which formulas begin, in whichever width: OWASP's list, and those that older versions know.
fn is_operator(character: char) -> bool {
    matches!(
        character,
        '=' | '+' | '-' | '@' | '%' | '|' | '＝' | '＋' | '－' | '＠' | '％' | '｜'
            // Small and raised forms, and the minus of mathematics.
            | '﹦' | '﹢' | '﹣' | '﹫' | '⁺'..='⁼' | '₊'..='₌' | '−'
    )
}

/// A character at which some reader begins another cell.
fn is_separator(character: char) -> bool {
    matches!(character, ',' | ';' | '|' | '"' | '，' | '；' | '｜' | '＂' | '\u{2028}' | '\u{2029}')
        || character.is_control()
}

/// A character that is not seen, so that some reader may leave it out.
fn is_blank(character: char) -> bool {
    matches!(
        character,
        '\0'..=' ' | '\u{7f}'..='\u{a0}' | '\u{ad}' | '\u{1680}' | '\u{180e}' | '\u{2000}'..='\u{200f}'
            | '\u{2028}'..='\u{202f}' | '\u{205f}'..='\u{206f}' | '\u{3000}' | '\u{feff}'
    )
}

#[cfg(test)]
mod tests {
    use super::{number, text};

    #[test]
    fn a_text_stays_one_cell_whatever_is_in_it() {
        assert_eq!(text("anna, \"the first\"\r\nof her name"), "\"anna, \"\"the first\"\"\r\nof her name\"");
        for plain in ["anna", "item1", "c-1234", "安娜", "Ünal; Ö.", "", "anna@shop.example", "truest", "e5"] {
            assert_eq!(text(plain), format!("\"{plain}\""), "{plain}");
        }
    }

    #[test]
    fn nothing_that_a_spreadsheet_executes_begins_a_cell() {
        for formula in [
            "=1+1",
            "+1",
            "-2-3",
            "@SUM(1)",
            "|cmd",
            "%0A",
            "\t=1+1",
            "\r=1+1",
            "\n=1+1",
            " =1+1",
            "\u{a0}=1",
            "\u{3000}＝1",
            "\u{feff}=1",
            "\u{200b}=1",
            "＝1+1",
            "＋1",
            "－1",
            "＠SUM(1)",
            "﹦1",
            "⁼1",
            "−1",
            "\tanna",
            "\ranna",
            "\nanna",
            "\"=1+1\"",
            "'=1+1",
        ] {
            assert!(text(formula).starts_with("\"'"), "{formula:?}: {}", text(formula));
        }
    }

    #[test]
    fn nothing_that_a_spreadsheet_executes_begins_a_piece_of_a_cell() {
        for (given, cell) in [
            ("x;=1+1", "\"x;'=1+1\""),
            ("x,=1+1", "\"x,'=1+1\""),
            ("x; \u{200b}＝1", "\"x;' \u{200b}＝1\""),
            ("x\t=1", "\"x\t'=1\""),
            ("x\r\n=1", "\"x\r\n'=1\""),
            ("x\u{85}-1", "\"x\u{85}'-1\""),
            ("x;\"=1", "\"x;\"\"'=1\""),
            ("x|@a", "\"x|'@a\""),
            ("x；＝1", "\"x；'＝1\""),
            // Neither is at the beginning of anything.
            ("a=b; c-d", "\"a=b; c-d\""),
        ] {
            assert_eq!(text(given), cell, "{given:?}");
        }
    }

    #[test]
    fn nothing_loses_its_digits() {
        for given in [
            "00123",
            "12345678901234567890",
            "1e5",
            "1-2",
            "2026-01-01",
            "1/2",
            ".5",
            "5",
            "１２",
            "٣",
            "$5",
            "¥5",
            "(5)",
            "12:30",
            "mar-1",
            "SEPT2",
            "1 may",
            "true",
            "FALSE",
            " 00123",
            "#1",
        ] {
            assert_eq!(text(given), format!("\"'{given}\""));
        }
        assert_eq!(number(999_999_999_999_999), "999999999999999");
        assert_eq!(number(1_000_000_000_000_000), "\"'1000000000000000\"");
    }
}
