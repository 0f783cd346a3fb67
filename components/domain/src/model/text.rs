//! Text that others write: which characters it may have.

/// Whether a character ends a line, moves a cursor, or turns the direction of the text around it (Unicode's categories
/// Cc, Zl and Zp, its marks, embeddings, overrides and isolates of direction, and the byte order mark). In a log or on a
/// page it would make other text look like something that it is not.
pub fn is_control(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'
        )
}

/// Whether a text has no [control characters](is_control).
pub fn is_plain(text: &str) -> bool {
    !text.chars().any(is_control)
}
