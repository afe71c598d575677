//! The contents of referenced keys, in a form that can be compared: an edit of an object that does not change the keys
//! in use is no change.

use std::collections::BTreeSet;
use std::fmt;

use sha2::{Digest as _, Sha256};

use super::object::{Name, Objects};
use super::reference::{Key, Reference};

/// A digest over what was there. It may be one of passwords: it is kept in memory alone, and never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Content([u8; 32]);

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Content(…)")
    }
}

impl Content {
    /// Of these values, each of which may be missing.
    pub fn of<'a>(values: impl IntoIterator<Item = Option<&'a [u8]>>) -> Self {
        let mut digest = Sha256::new();
        for value in values {
            // A length before each, so that no two lists run into the same bytes.
            digest.update(value.map_or(u64::MAX, |value| value.len() as u64).to_be_bytes());
            digest.update(value.unwrap_or_default());
        }
        Self(digest.finalize().into())
    }
}

impl Objects {
    /// What these keys of objects beside `of` hold.
    pub fn content(&self, of: &Name, keys: &BTreeSet<Key>) -> Content {
        Content::of(keys.iter().map(|Key { of: object, key }| match object {
            Reference::Secret(name) => Some(self.secrets.get(&of.beside(name))?.get(key)?.expose()),
            Reference::ConfigMap(name) => self.config_maps.get(&of.beside(name))?.get(key).map(Vec::as_slice),
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::secret::Secret;

    /// What the keys `password` and `username` of a Secret hold that has these keys.
    fn of(data: Option<&[(&str, &str)]>) -> Content {
        let name = Name::new("id", "corp");
        let mut objects = Objects::default();
        if let Some(data) = data {
            let data: BTreeMap<_, _> =
                data.iter().map(|(key, value)| ((*key).to_owned(), Secret::new(*value))).collect();
            objects.secrets.insert(name.beside("reader"), data);
        }
        let key = |key: &str| Key { of: Reference::Secret("reader".to_owned()), key: key.to_owned() };
        objects.content(&name, &BTreeSet::from([key("username"), key("password")]))
    }

    #[test]
    fn only_what_is_used_counts() {
        let known = of(Some(&[("username", "ada"), ("password", "one")]));
        assert_eq!(of(Some(&[("username", "ada"), ("password", "one"), ("note", "new")])), known);
        let others: [Option<&[(&str, &str)]>; 6] = [
            None,
            Some(&[]),
            Some(&[("username", "ada")]),
            Some(&[("username", "ada"), ("password", "")]),
            Some(&[("username", "adao"), ("password", "ne")]),
            Some(&[("username", "one"), ("password", "ada")]),
        ];
        for other in others {
            assert_ne!(of(other), known, "{other:?}");
        }
        assert_eq!(format!("{known:?}"), "Content(…)");
    }
}
