//! What single attributes of a domain's entries say.

use crate::directory::{Anchor, EntryKind};
use crate::source::schema::anchor::hexadecimal;
use crate::source::schema::attributes::Attributes;

/// Whether it was deleted, and is shown all the same.
pub(in crate::source) fn is_deleted(attributes: &Attributes) -> bool {
    values(attributes, "isdeleted").any(|value| value.eq_ignore_ascii_case(b"TRUE"))
}

/// The id that never changes, in hexadecimal digits.
pub(in crate::source) fn anchor(attributes: &Attributes) -> Option<Anchor> {
    let guid = values(attributes, "objectguid").next().filter(|guid| guid.len() == 16)?;
    Some(Anchor::new(hexadecimal(guid)))
}

/// The last part of the security id, which is the number of a group or an account in its domain. Some exporters write the id as text
/// (`S-1-5-21-…-1105`).
pub(in crate::source) fn relative_id(attributes: &Attributes) -> Option<u32> {
    let sid = values(attributes, "objectsid").next()?;
    if let Some(text) = sid.strip_prefix(b"S-") {
        return std::str::from_utf8(text).ok()?.trim_end().rsplit('-').next()?.parse().ok();
    }
    Some(u32::from_le_bytes(*sid.last_chunk::<4>()?))
}

/// Whether its security id is one that a domain gives (`S-1-5-21-…`).
pub(super) fn is_of_a_domain(attributes: &Attributes) -> bool {
    const BINARY: &[u8] = b"\x01\x05\0\0\0\0\0\x05\x15\0\0\0";
    let given = |sid: &[u8]| sid.len() == 28 && sid.starts_with(BINARY) || sid.starts_with(b"S-1-5-21-");
    values(attributes, "objectsid").next().is_some_and(given)
}

/// The security id without its last part: the domain's.
pub(in crate::source) fn domain(attributes: &Attributes) -> Option<Vec<u8>> {
    let sid = values(attributes, "objectsid").next()?;
    // The number of its parts stays that of the whole, as it is put together again with another last part.
    sid.split_last_chunk::<4>().map(|(domain, _)| domain.to_vec())
}

/// A number.
pub(in crate::source) fn number<T: std::str::FromStr>(attributes: &Attributes, name: &str) -> Option<T> {
    std::str::from_utf8(values(attributes, name).next()?).ok()?.trim().parse().ok()
}

pub(super) fn values<'a>(attributes: &'a Attributes, name: &str) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    attributes.values(name)
}

/// Whether this is among its classes.
pub(in crate::source) fn is_a(attributes: &Attributes, class: &str) -> bool {
    values(attributes, "objectclass").any(|one| one.trim_ascii().eq_ignore_ascii_case(class.as_bytes()))
}

/// What it is by its classes.
pub(in crate::source) fn kind(attributes: &Attributes) -> Option<EntryKind> {
    if is_a(attributes, "contact") {
        Some(EntryKind::Contact)
    } else if is_a(attributes, "group") {
        Some(EntryKind::Group)
    } else {
        is_a(attributes, "person").then_some(EntryKind::User)
    }
}
