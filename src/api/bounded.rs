//! Texts and lists of a status, cut where their schema ends: an apiserver refuses a whole status for one of them
//! that is too long, and what a directory says of itself has any length.

use serde::{Serialize, Serializer};

/// At most `MOST` characters of a text.
pub(super) fn text<const MOST: usize, S: Serializer>(
    text: &impl AsRef<str>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(cut::<MOST>(text.as_ref()))
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

fn cut<const MOST: usize>(text: &str) -> &str {
    let end = text.char_indices().nth(MOST).map_or(text.len(), |(end, _)| end);
    text.get(..end).unwrap_or(text)
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
}
