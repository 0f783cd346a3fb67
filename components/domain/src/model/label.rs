//! What people are shown of an item besides its id: its name, and where there is a picture of it. Both are optional, and
//! no rule looks at them.
//!
//! They are in the record of the item, which every order reads and writes. So they are short: both together take at
//! most the room of some 30 holds.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::model::ids::{InvalidId, text_id};
use crate::model::text;
use crate::model::url::Url;

/// What people call an item: 1 to 100 characters of [plain text](text::is_plain), of which at least one is
/// [seen](text::is_blank). So it has at most 400 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ItemName(String);
text_id!(ItemName);

impl ItemName {
    /// The most characters of a name.
    pub const MAX_LEN: usize = 100;

    fn check(text: &str) -> Result<(), InvalidId> {
        let seen = text.chars().any(|character| !text::is_blank(character));
        if seen && text::is_plain(text) && text.chars().count() <= Self::MAX_LEN {
            Ok(())
        } else {
            Err(InvalidId::expecting(
                "1 to 100 characters, not all of them blank, and none of them a control character or one that turns the \
                 direction of text",
            ))
        }
    }
}

/// Where there is a picture of an item: a [URL](Url) of at most 255 bytes that is `https`, or `http` on the same machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImageUrl(String);
text_id!(ImageUrl);

impl ImageUrl {
    /// The most bytes of such a URL.
    pub const MAX_LEN: usize = 255;

    fn check(text: &str) -> Result<(), InvalidId> {
        // Other programs are shown it as it is, and some of them know a scheme in lower case only.
        let lower = text.starts_with("https://") || text.starts_with("http://");
        let sound = lower && text.len() <= Self::MAX_LEN && Url::parse(text).is_some_and(|url| url.is_private());
        if sound {
            Ok(())
        } else {
            Err(InvalidId::expecting(
                "an https:// URL of at most 255 ASCII characters without a login and a fragment, or an http:// one on the \
                 same machine",
            ))
        }
    }
}
