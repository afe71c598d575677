//! Search filters made of others.

use super::wire::filter::{escape, parse};
use crate::source::schema;

/// Whether this is a filter as servers take them (RFC 4515).
pub fn is_filter(text: &str) -> bool {
    parse(text).is_some()
}

/// The attributes that a filter names, in lower case and without options. One without a name, which matches whatever attribute, is
/// the empty text.
pub fn named_in(filter: &str) -> Vec<String> {
    let items = if filter.starts_with('(') { filter } else { &format!("({filter})") };
    // A bracket within a value is written with its number.
    let items = items.split('(').filter(|item| !item.is_empty() && !item.starts_with(['&', '|', '!']));
    let name = |item: &str| {
        let description = item.split(['=', '~', '<', '>', ':']).next().unwrap_or_default();
        schema::name(description.trim()).into_owned()
    };
    items.map(name).collect()
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

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("cn=Ann", &["cn"])]
    #[case("(&(objectClass=user)(!(Mail;lang-de~=x))(|(uSNChanged>=5)(a<=b)))", &["objectclass", "mail", "usnchanged", "a"])]
    #[case("(cn:dn:2.5.13.5:=x)", &["cn"])]
    #[case("(:2.5.13.5:=x)", &[""])]
    #[case("(2.5.4.35=x\\28y=z\\29)", &["2.5.4.35"])]
    #[case("( cn =x)", &["cn"])]
    fn the_attributes_of_a_filter_are_those_that_it_asks_for(#[case] filter: &str, #[case] named: &[&str]) {
        assert_eq!(named_in(filter), named);
    }
}
