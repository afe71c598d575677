//! Whether entries that a read did not bring are somewhere in the directory.

use std::collections::{BTreeSet, HashSet};

use super::connection::Connection;
use super::facts;
use super::search::{Found, Query, Search};
use super::wire::Scope;
use super::wire::filter::escape;
use crate::directory::{Anchor, Dn};
use crate::source::{Reason, SourceError, schema};

/// Anchors in one search: few enough for every server's limit on filters.
pub(super) const AT_ONCE: usize = 200;

/// Those of `anchors` that are somewhere below `places` and, if it is given, match `only`.
pub(super) async fn search(
    connection: &mut Connection,
    attribute: &str,
    (places, only): (&[String], Option<&str>),
    anchors: &[Anchor],
    page_size: Option<u32>,
) -> Result<HashSet<Anchor>, SourceError> {
    if attribute.eq_ignore_ascii_case("dn") {
        return by_dn(connection, (places, only), anchors).await;
    }
    let filter = filter(attribute, anchors);
    let filter = only.map_or_else(|| filter.clone(), |only| format!("(&{only}{filter})"));
    let mut there = HashSet::new();
    for place in places {
        let (base, attributes) = (place.clone(), vec![attribute.to_owned()]);
        let query = Query { base, filter: filter.clone(), attributes, page_size, ..Query::default() };
        let mut search = Search::new(connection, query);
        while let Some(found) = search.next(0).await? {
            if let Found::Entry(entry) = found {
                there.extend(entry.attributes.values(attribute).map(schema::anchor));
            }
        }
    }
    Ok(there)
}

/// Where the DN itself is the anchor, each is looked at.
async fn by_dn(
    connection: &mut Connection,
    (places, only): (&[String], Option<&str>),
    anchors: &[Anchor],
) -> Result<HashSet<Anchor>, SourceError> {
    let places: Vec<Dn> = places.iter().filter_map(|place| Dn::parse(place).ok()).collect();
    let within = |anchor: &&Anchor| {
        let below = |dn: Dn| places.iter().any(|place| dn.is_within(place));
        only.is_none() || Dn::parse(anchor.as_str()).is_ok_and(below)
    };
    let mut there = HashSet::new();
    for anchor in anchors.iter().filter(within) {
        match facts::one(
            connection,
            anchor.as_str(),
            only.unwrap_or("(objectClass=*)"),
            Scope::Base,
            &["1.1"],
        )
        .await
        {
            Ok(Some(_)) => {
                there.insert(anchor.clone());
            }
            Ok(None) => {}
            Err(error) if error.reason == Reason::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(there)
}

/// Any of the anchors, in every spelling that [`schema::anchor`] may have had before it: letter case is
/// folded there, and binary ids are written in hexadecimal digits.
pub(super) fn filter(attribute: &str, anchors: &[Anchor]) -> String {
    let mut terms = BTreeSet::new();
    for anchor in anchors {
        let text = anchor.as_str();
        terms.insert(format!("({attribute}={})", escape(text)));
        terms.insert(format!("({attribute}={})", escape(&text.to_uppercase())));
        if let Some(octets) = octets(text) {
            terms.insert(format!("({attribute}={octets})"));
        }
    }
    format!("(|{})", terms.into_iter().collect::<String>())
}

/// Hexadecimal digits as a filter spells octets.
fn octets(text: &str) -> Option<String> {
    let pairs = !text.is_empty() && text.len().is_multiple_of(2);
    if !pairs || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let escaped = text.as_bytes().chunks(2).flat_map(|pair| std::iter::once(&b'\\').chain(pair));
    Some(escaped.map(|byte| char::from(*byte)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_in_every_spelling() {
        let anchors = [Anchor::new("e-1*"), Anchor::new("00ff")];
        assert_eq!(
            filter("employeenumber", &anchors),
            r"(|(employeenumber=00FF)(employeenumber=00ff)(employeenumber=E-1\2a)(employeenumber=\00\ff)(employeenumber=e-1\2a))"
        );
    }

    #[test]
    fn every_filter_parses() {
        for hostile in ["", ")(uid=*", "\\", "a\0b", "ünï"] {
            let filter = filter("uid", &[Anchor::new(hostile)]);
            assert!(crate::source::ldap::wire::filter::parse(&filter).is_some(), "{filter}");
        }
    }
}
