//! The attributes that never change, and what their values are as anchors.

use super::attributes::is_said;
use crate::directory::Anchor;
use crate::source::KnownBy;

/// Immutable ids that servers offer, in the order in which they are tried.
pub const ANCHORS: &[&str] = &["entryUUID", "nsUniqueId", "ipaUniqueID", "objectGUID"];

/// The anchor that a value of this attribute is, in one spelling: a UUID's letter case means nothing, and what is no text is
/// written in hexadecimal digits. (A binary id can happen to be valid UTF-8, so length decides for 16 octets.) `None` of one
/// that says nothing, and of one that servers give and that has the form of none.
pub fn anchor(attribute: &str, value: &[u8]) -> Option<Anchor> {
    let text = std::str::from_utf8(value).ok().filter(|text| !text.contains(char::is_control));
    match text.filter(|_| value.len() != 16) {
        _ if !is_said(value) => None,
        Some(text) => Some(Anchor::new(text.trim().to_lowercase())),
        None if value.len() == 16 || !ANCHORS.iter().any(|name| name.eq_ignore_ascii_case(attribute)) => {
            Some(Anchor::new(hexadecimal(value)))
        }
        None => None,
    }
}

/// Whether a value is an id of the form in which servers write that attribute.
pub(in crate::source) fn is_formed(attribute: &str, value: &[u8]) -> bool {
    if value.len() == 16 {
        // The text of an id that was cut is none. Active Directory alone gives octets, whatever they are.
        let is_text = value.iter().all(|byte| byte.is_ascii_hexdigit() || b"-{".contains(byte));
        let is_cut = value.contains(&b'-') || !attribute.eq_ignore_ascii_case("objectGUID");
        return !(is_text && is_cut);
    }
    let Ok(text) = std::str::from_utf8(value) else { return false };
    let text = text.trim();
    let text = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or(text);
    let parts: &[usize] =
        if attribute.eq_ignore_ascii_case("nsUniqueId") { &[8; 4] } else { &[8, 4, 4, 4, 12] };
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_hexdigit());
    // Some exporters leave the hyphens out.
    if text.len() == 32 && digits(text) {
        return true;
    }
    text.split('-').map(|part| if digits(part) { part.len() } else { 0 }).eq(parts.iter().copied())
}

/// The attribute by which the entries of the last read are known.
pub(in crate::source) fn pinned(known_by: Option<&KnownBy>) -> Option<String> {
    let KnownBy { id, scope, .. } = known_by?;
    let spelled = |id: &str| ANCHORS.iter().find(|name| name.eq_ignore_ascii_case(id)).copied();
    if let Some(id) = id {
        return Some(spelled(id).unwrap_or(id).to_owned());
    }
    // As it stood at the end of the scope before it was kept.
    let last = scope.rsplit("\n\n").next().unwrap_or_default();
    spelled(last.strip_prefix("ldif anchor=").unwrap_or(last)).map(str::to_owned)
}

/// What is wrong with an entry whose id is none.
pub(in crate::source) fn no_id(attribute: &str) -> String {
    format!(
        "its {attribute} does not identify it: it is blank, or has the wrong form; correct it in the directory, or \
         set anchorAttribute to one that every entry has"
    )
}

/// The message for an entry that does not show the id attribute.
pub(super) fn without_id(attribute: &str) -> String {
    format!(
        "it has no {attribute}, which identifies it; allow the account to read that attribute, or set anchorAttribute \
         to one that every entry has"
    )
}

/// Octets as two digits each.
pub(in crate::source) fn hexadecimal(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

/// Hexadecimal digits as a filter spells octets.
pub(in crate::source) fn octets(digits: &str) -> String {
    let pairs = digits.as_bytes().chunks(2);
    let octets: Vec<u8> = pairs.flat_map(|pair| b"\\".iter().chain(pair)).copied().collect();
    String::from_utf8_lossy(&octets).into_owned()
}
