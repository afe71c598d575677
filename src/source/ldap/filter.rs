//! Search filters made of others.

use super::wire::filter::{escape, parse};

/// Whether this is a filter as servers take them (RFC 4515).
pub fn is_filter(text: &str) -> bool {
    parse(text).is_some()
}

/// Those who match `filter` and, if it is given, `only`.
pub(super) fn among(only: Option<&str>, filter: &str) -> String {
    only.map_or_else(|| filter.to_owned(), |only| format!("(&{only}{})", in_brackets(filter)))
}

/// Those of whom the attribute has one of these DNs.
pub(super) fn any_of<D: ToString>(attribute: &str, dns: &[D]) -> String {
    let terms: Vec<String> =
        dns.iter().map(|dn| format!("({attribute}={})", escape(&dn.to_string()))).collect();
    format!("(|{})", terms.concat())
}

/// Those who match either filter.
pub(super) fn either(users: &str, groups: &str) -> String {
    format!("(|{}{})", in_brackets(users), in_brackets(groups))
}

/// A filter as it may stand within another.
pub(super) fn in_brackets(filter: &str) -> String {
    if filter.starts_with('(') { filter.to_owned() } else { format!("({filter})") }
}
