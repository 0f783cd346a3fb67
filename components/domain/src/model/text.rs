//! Text that others write: which characters it may have.

use serde::{Deserialize, Serialize};

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

/// Whether a character leaves nothing to be seen: white space, joiners, fillers and selectors of variants. Those beyond
/// the first 65,536 characters are left out, which no keyboard has.
pub fn is_blank(character: char) -> bool {
    character.is_whitespace()
        || matches!(
            character,
            '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
                | '\u{ffa0}'
        )
}

/// Whether a text has no [control characters](is_control).
pub fn is_plain(text: &str) -> bool {
    !text.chars().any(is_control)
}

/// Why something was done, in the operator's words: at most 256 [plain](is_plain) characters, which have at most 1,024
/// bytes. It may be empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reason(String);

impl Reason {
    /// The most characters.
    pub const MAX_LEN: usize = 256;

    /// The words.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether none was given.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A text that is no [`Reason`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be a string of at most {} characters, none of them a control character or one that turns the direction of text",
    Reason::MAX_LEN
)]
pub struct InvalidReason;

impl TryFrom<String> for Reason {
    type Error = InvalidReason;

    fn try_from(text: String) -> Result<Self, InvalidReason> {
        if text.chars().count() <= Self::MAX_LEN && is_plain(&text) { Ok(Self(text)) } else { Err(InvalidReason) }
    }
}

impl From<Reason> for String {
    fn from(reason: Reason) -> String {
        reason.0
    }
}
