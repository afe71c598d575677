//! From attributes to the values of fields.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::attributes::{self, Attributes, is_said};
use crate::directory::{Dn, EntryKind, Stated, fields};
use crate::text;

/// Which attributes (in lower case) state which neutral field: the first that has a value does.
pub(super) type Table = &'static [(&'static str, &'static [&'static str])];

/// Attributes that hold addresses and login names: blanks at their ends and letter case mean nothing in them, nor do characters
/// that are not seen, as some programs put them there.
pub(super) const NAMES: &[&str] = &[
    "uid",
    "mail",
    "mailalternateaddress",
    "maillocaladdress",
    "userprincipalname",
    "samaccountname",
    "memberuid",
    "proxyaddresses",
    "targetaddress",
];

/// The fields of an entry that these tables state: that of a group, or that of a user.
pub(super) fn stated(
    [of_group, of_user]: [Table; 2],
    kind: EntryKind,
    dn: &Dn,
    attributes: &Attributes,
) -> BTreeMap<String, Stated> {
    let table = if kind == EntryKind::Group { of_group } else { of_user };
    let value = |(field, sources): &(&str, &[&str])| {
        Some(((*field).to_owned(), first_of(attributes, sources, field, dn)?))
    };
    table.iter().filter_map(value).collect()
}

/// The attributes that state a field in these tables.
pub(super) fn stated_by(tables: &[Table], field: &str) -> Vec<&'static str> {
    let mine = tables.iter().copied().flatten().filter(|(of, _)| *of == field);
    let mut names: Vec<&str> = Vec::new();
    for name in mine.flat_map(|(_, sources)| *sources) {
        if !names.contains(name) {
            names.push(name);
        }
    }
    names
}

/// All values of an attribute as text, in an order that does not depend on that in which they came: they are a set (RFC 4511
/// section 4.1.7). `None` if there are none, `Undecodable` if one is not UTF-8 or not all came.
pub(super) fn all(attributes: &Attributes, description: &str) -> Option<Stated> {
    let name = attributes::name(description);
    if !attributes.is_whole(&name) {
        return Some(Stated::Undecodable);
    }
    let is_name = NAMES.contains(&name.as_ref());
    let mut all = Vec::new();
    for value in attributes.values(description).filter(|value| is_said(value)) {
        let Ok(text) = std::str::from_utf8(value) else { return Some(Stated::Undecodable) };
        let text = if is_name { text::composed(trimmed(text)) } else { Cow::Borrowed(text) };
        if text.contains(|sign| if is_name { char::is_control(sign) } else { sign == '\0' }) {
            return Some(Stated::Undecodable);
        }
        all.push(text.into_owned());
    }
    if all.len() > 1 {
        let folded = |text: &String| if is_name { text.to_lowercase() } else { String::new() };
        all.sort_by_cached_key(|text| (folded(text), text.clone()));
        all.dedup_by(|one, other| one == other || (is_name && one.to_lowercase() == other.to_lowercase()));
    }
    (!all.is_empty()).then_some(Stated::Values(all))
}

/// The same of an attribute that a policy or a connector names: who is in scope is not decided by what text does not have.
pub(super) fn decisive(attributes: &Attributes, description: &str) -> Option<Stated> {
    let is_damaged = |text: &String| !is_text(text.as_bytes());
    match all(attributes, description)? {
        Stated::Values(values) if values.iter().any(is_damaged) => Some(Stated::Undecodable),
        stated => Some(stated),
    }
}

/// What stands before a text that is known to have lost signs, so that it is read as none.
const LOSSY: u8 = 0xff;

/// A value as it came, or if it has the sign that stands for what a conversion lost, marked as one that is no text.
pub(in crate::source) fn lossy(mut value: Vec<u8>) -> Vec<u8> {
    let has_sign = |value: &[u8]| std::str::from_utf8(value).is_ok_and(|text| text.contains('\u{fffd}'));
    if value.contains(&0xef) && has_sign(&value) {
        value.insert(0, LOSSY);
    }
    value
}

/// Whether a value is marked as one that lost signs.
pub(super) fn is_lossy(value: &[u8]) -> bool {
    value.strip_prefix(&[LOSSY]).is_some_and(|text| lossy(text.to_vec()).len() == value.len())
}

/// Whether a value is text: without control characters but tabs and line breaks.
pub(in crate::source) fn is_text(value: &[u8]) -> bool {
    let is_odd = |byte: &u8| byte.is_ascii_control() && !matches!(byte, b'\t' | b'\n' | b'\r');
    std::str::from_utf8(value).is_ok() && !value.iter().any(is_odd)
}

/// Why not all values of an attribute are known, if [`all`] says that they are not.
pub(super) fn unclear(attributes: &Attributes, name: &str) -> &'static str {
    if !attributes.is_whole(name) {
        "came in part only"
    } else if attributes.values(name).any(is_lossy) {
        "has the sign U+FFFD, so a program that converted it lost a part of it"
    } else if attributes.values(name).any(|value| std::str::from_utf8(value).is_err()) {
        "is not valid UTF-8"
    } else {
        "has control characters"
    }
}

/// The one value that counts of an attribute of which there may be several: that in the DN, else the first of [`all`].
pub(super) fn chosen(attributes: &Attributes, name: &str, dn: &Dn) -> Option<Stated> {
    if let Some(named) = attributes.is_whole(name).then(|| named(attributes, name, dn)).flatten() {
        return Some(Stated::Values(vec![named]));
    }
    Some(match all(attributes, name)? {
        Stated::Values(values) => Stated::Values(values.into_iter().take(1).collect()),
        Stated::Undecodable => Stated::Undecodable,
    })
}

/// The first of these attributes that an entry shows. What somebody or a group is called by is hidden where the DN begins with it
/// and none is shown; a display name may be missing.
fn first_of(attributes: &Attributes, sources: &[&str], field: &str, dn: &Dn) -> Option<Stated> {
    let names = [fields::NAME, fields::USER_NAME].contains(&field);
    let hides = || names && sources.iter().any(|name| hidden(attributes, dn, name));
    let shown = sources.iter().find_map(|name| chosen(attributes, name, dn));
    match shown {
        Some(Stated::Values(values)) if field == fields::NAME => {
            Some(Stated::Values(values.iter().map(|name| called(name)).collect()))
        }
        None if hides() => Some(Stated::Undecodable),
        shown => shown,
    }
}

/// Whether an entry must have this attribute, as its DN begins with it (X.501 section 9.3), and does not show it.
pub(super) fn hidden(attributes: &Attributes, dn: &Dn, name: &str) -> bool {
    dn.first_types().contains(&name) && !attributes.values(name).any(is_said)
}

/// The value that the DN has of an attribute.
pub(super) fn named(attributes: &Attributes, name: &str, dn: &Dn) -> Option<String> {
    let texts = attributes.values(name).filter_map(|value| std::str::from_utf8(value).ok());
    // Of two spellings always the same.
    let named = texts.filter(|value| dn.is_named_by(name, value)).min()?;
    Some(if NAMES.contains(&name) { text::composed(trimmed(named)).into_owned() } else { named.to_owned() })
}

/// Without blanks and unseen characters at the ends. Control characters that are no blanks stay: no name has them, so where they
/// stand something else may have stood.
pub(super) fn trimmed(name: &str) -> &str {
    name.trim_matches(|sign: char| sign.is_whitespace() || (text::is_unseen(sign) && !sign.is_control()))
}

/// What a group is called, with runs of blanks as one.
pub(super) fn called(name: &str) -> String {
    text::composed(&name.split_whitespace().collect::<Vec<_>>().join(" ")).into_owned()
}
