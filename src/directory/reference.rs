//! References from a group to a member, as the directory writes them.

use crate::text::{composed, is_unseen};
use serde::{Deserialize, Serialize};

use super::{Anchor, Dn};

/// A name by which a directory refers to an entry: kept as it was stated and resolved when
/// projecting, so that a reference to something not yet seen is never lost.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Reference {
    /// By immutable id.
    Anchor(Anchor),
    /// By distinguished name, normalised for comparison.
    Dn(Dn),
    /// By security id, as text (`S-1-5-21-…`): a member from another forest.
    Sid(String),
    /// By login name (`memberUid`), lower case.
    Uid(String),
    /// By e-mail address, lower case.
    Address(String),
}

impl Reference {
    /// A login name. Blanks at its ends and letter case mean nothing, nor how many stand within it (caseIgnoreMatch, RFC 4518).
    pub fn uid(uid: &str) -> Self {
        Self::Uid(folded(uid))
    }

    /// An e-mail address.
    pub fn address(address: &str) -> Self {
        Self::Address(folded(address))
    }

    /// One text for each reference, different for different references: what the store keys by.
    pub fn key(&self) -> String {
        self.key_parts().concat()
    }

    /// The reference of a key.
    pub fn of_key(key: &str) -> Option<Self> {
        let (tag, value) = key.split_once(':')?;
        let text = || value.to_owned();
        match tag {
            "a" => Some(Self::Anchor(Anchor::new(value))),
            "d" => Dn::parse(value).ok().map(Self::Dn),
            "s" => Some(Self::Sid(text())),
            "u" => Some(Self::Uid(text())),
            "m" => Some(Self::Address(text())),
            _ => None,
        }
    }

    /// Whether this is the key of a DN.
    pub fn is_dn(key: &str) -> bool {
        key.starts_with("d:")
    }

    /// [`Reference::key`] in two parts, for those who need not have it in one.
    pub fn key_parts(&self) -> [&str; 2] {
        match self {
            Self::Anchor(anchor) => ["a:", anchor.as_str()],
            Self::Dn(dn) => ["d:", dn.as_str()],
            Self::Sid(sid) => ["s:", sid.as_str()],
            Self::Uid(uid) => ["u:", uid.as_str()],
            Self::Address(address) => ["m:", address.as_str()],
        }
    }
}

/// A name as directories compare it: letter case means nothing, runs of blanks are one (RFC 4518 section 2.6.1), what is not
/// seen is not there (section 2.2), and letters with accents are the same however they are written (section 2.3).
pub fn folded(text: &str) -> String {
    let seen: String =
        composed(text).chars().filter(|sign| sign.is_whitespace() || !is_unseen(*sign)).collect();
    seen.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_that_of_its_reference() {
        let references = [
            Reference::Anchor(Anchor::new("00ff:1")),
            Reference::Dn(Dn::parse("CN=Lee\\, Ann,DC=x").unwrap()),
            Reference::Sid("S-1-5-21-1".to_owned()),
            Reference::uid("ann:1"),
            Reference::address("ann@x.example"),
        ];
        for reference in references {
            assert_eq!(Reference::of_key(&reference.key()), Some(reference));
        }
        assert_eq!(Reference::of_key("retired 7 u:ann"), None);
    }

    #[test]
    fn blanks_and_letter_case_make_no_other_name() {
        assert_eq!(Reference::uid(" Ann\t Smith "), Reference::uid("ann smith"));
        assert_eq!(Reference::address("Ann@X.example\n"), Reference::address("ann@x.example"));
        assert_ne!(Reference::uid("annsmith"), Reference::uid("ann smith"));
        assert_eq!(Reference::uid("jo\u{308}rg"), Reference::uid("J\u{f6}rg"));
    }
}
