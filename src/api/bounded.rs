//! Serializes texts and lists of a status, escaped and cut to the bounds of the schema. The apiserver refuses a whole
//! status if one text is too long or has an invalid character, and texts from a directory have any length.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use crate::text::clean;

/// At most `MOST` characters of a text.
pub(super) fn text<const MOST: usize, S: Serializer>(
    text: &impl AsRef<str>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&cut::<MOST>(text.as_ref()))
}

/// At most `MOST` characters of a text that need not be there.
#[expect(clippy::ref_option, reason = "serde calls it so")]
pub(super) fn optional<const MOST: usize, S: Serializer>(
    text: &Option<String>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    text.as_deref().map(cut::<MOST>).serialize(serializer)
}

/// At most `MOST` texts, of at most `LENGTH` characters each.
pub(super) fn texts<const MOST: usize, const LENGTH: usize, S: Serializer>(
    texts: &[String],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(texts.iter().take(MOST).map(|text| cut::<LENGTH>(text)))
}

/// At most `MOST` items.
pub(super) fn list<const MOST: usize, T: Serialize, S: Serializer>(
    items: &[T],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(items.iter().take(MOST))
}

fn cut<const MOST: usize>(text: &str) -> Cow<'_, str> {
    let clean = clean(text);
    let end = clean.char_indices().nth(MOST).map(|(end, _)| end);
    match end {
        Some(end) => Cow::Owned(clean[..end].to_owned()),
        None => clean,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_between_characters() {
        assert_eq!(cut::<3>("äöüß"), "äöü");
        assert_eq!(cut::<4>("äöüß"), "äöüß");
        assert_eq!(cut::<9>(""), "");
    }

    #[test]
    fn cuts_what_became_longer_by_being_cleaned() {
        assert_eq!(cut::<8>("a\u{1b}\u{1b}b"), "a\\x1b\\x1");
        assert_eq!(cut::<3>("a\u{85}"), "a\\x");
    }
}
