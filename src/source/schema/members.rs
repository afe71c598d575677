//! The members of a group in LDAP's schemas. Pure.

use super::active_directory::is_a;
use super::attributes::Attributes;
use super::field::{is_lossy, trimmed};
use crate::directory::{Dn, Members, Reference};

/// What is wrong with a list that cannot be empty and is.
const NO_MEMBER: &str = "it shows no member, and the server has no such group without one, so they are hidden; allow \
                         the account that reads or exports to see that attribute";

/// What to do where a list comes in parts.
const WHOLE: &str = "export all of them, or read the directory with a kind of connector that reads all parts (activeDirectory)";

/// What is wrong with a list of login names of which one is blank. Exporters write a blank one alone for an empty list.
const BLANK: &str = "one of its members (memberUid) is blank; correct it, or export it again";

/// `member` and `uniqueMember` hold DNs, `memberUid` login names. Where a group of names must have a member (RFC 4519 sections
/// 3.5 and 3.6), one that shows none hides them.
pub(super) fn members(attributes: &Attributes, demands_members: bool) -> Members {
    let shows = |name| attributes.all(name).next().is_some();
    let is_of_names = ["groupOfNames", "groupOfUniqueNames"].iter().any(|class| is_a(attributes, class));
    if demands_members && is_of_names && !shows("member") && !shows("uniquemember") {
        return Members::Partial(Vec::new(), NO_MEMBER.to_owned());
    }
    let mut references = Vec::new();
    let mut bad = None;
    for (name, by_uid) in [("member", false), ("uniquemember", false), ("memberuid", true)] {
        if !attributes.is_whole(name) {
            bad.get_or_insert_with(|| {
                format!("only a part of its members was read ({name};range=…): {WHOLE}")
            });
        }
        let is_alone = attributes.all(name).nth(1).is_none();
        for value in attributes.all(name) {
            match reference(value, by_uid) {
                Ok(Some(reference)) => references.push(reference),
                Ok(None) if is_alone || !by_uid => {}
                Ok(None) => drop(bad.get_or_insert_with(|| BLANK.to_owned())),
                Err(why) => {
                    bad.get_or_insert(why);
                }
            }
        }
    }
    match bad {
        None => Members::Complete(references),
        Some(why) => Members::Partial(references, why),
    }
}

/// `None` for the empty DN, which some servers need as a placeholder in a group without members.
fn reference(value: &[u8], by_uid: bool) -> Result<Option<Reference>, String> {
    let text = std::str::from_utf8(value).map_err(|_| {
        let wrong = if is_lossy(value) {
            "has the sign U+FFFD, so a conversion lost a part of it"
        } else {
            "is not valid UTF-8"
        };
        format!("a member {wrong}")
    })?;
    if text.trim().is_empty() {
        return Ok(None);
    }
    if by_uid {
        let uid = trimmed(text);
        return without_control(uid).map(|()| Some(Reference::uid(uid)));
    }
    without_control(text)?;
    Dn::parse(without_unique_id(text))
        .map(|dn| Some(Reference::Dn(dn)))
        .map_err(|error| format!("a member: {error}"))
}

/// A name in a list is damaged if a control character stands in it as it is: servers write `\0A` for a line break in a DN, and a
/// form feed in place of a comma makes the name of somebody outside of the directory.
pub(super) fn without_control(name: &str) -> Result<(), String> {
    if name.contains(char::is_control) { Err("a member has control characters".to_owned()) } else { Ok(()) }
}

/// `uniqueMember` may carry a bit string that tells re-used names apart (RFC 4517 section 3.3.21):
/// `cn=x#'0101'B`.
fn without_unique_id(text: &str) -> &str {
    let Some(bits) = text.strip_suffix("'B") else { return text };
    match bits.rsplit_once("#'") {
        Some((dn, bits)) if bits.bytes().all(|bit| matches!(bit, b'0' | b'1')) => dn,
        _ => text,
    }
}
