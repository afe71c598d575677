//! What an entry is by its object classes. Pure.

use super::active_directory;
use super::attributes::{Attributes, is_said};
use crate::directory::EntryKind;

/// Object classes that make an entry a user, a contact or a group (lower case).
const USER_CLASSES: &[&str] = &[
    "inetorgperson",
    "organizationalperson",
    "person",
    "posixaccount",
    "account",
    // Domino's people, and its mailboxes that are nobody's own.
    "dominoperson",
    "dominoservermailindatabase",
];
const CONTACT_CLASSES: &[&str] = &["contact"];
const GROUP_CLASSES: &[&str] = &[
    "groupofnames",
    "groupofuniquenames",
    "groupofmembers",
    "groupofentries",
    "posixgroup",
    "group",
    "dominogroup",
];

/// What is wrong with an entry that is neither user, contact nor group.
pub(in crate::source) const OF_NO_KIND: &str = "its classes are those of no user, contact or group; correct them, or name it with userFilter or groupFilter";

/// What an entry is by its classes; `None` if it is neither user, contact nor group.
pub(in crate::source) fn kind(attributes: &Attributes) -> Option<EntryKind> {
    let classes: Vec<String> = attributes
        .all("objectclass")
        .map(|class| String::from_utf8_lossy(class).trim().to_lowercase())
        .collect();
    let has = |of: &[&str]| classes.iter().any(|class| of.contains(&class.as_str()));
    // A contact is an organizationalPerson too, and a group class wins over none: a posixAccount that
    // is also a groupOfNames stays a person.
    if has(CONTACT_CLASSES) {
        Some(EntryKind::Contact)
    } else if has(USER_CLASSES) {
        Some(EntryKind::User)
    } else if has(GROUP_CLASSES) {
        Some(EntryKind::Group)
    } else {
        None
    }
}

/// Whether it was deleted, and is shown all the same: by Active Directory, or by 389 Directory Server.
pub(super) fn is_deleted(attributes: &Attributes) -> bool {
    active_directory::is_deleted(attributes) || active_directory::is_a(attributes, "nsTombstone")
}

/// Whether it is an alias of an entry elsewhere.
pub(in crate::source) fn is_alias(attributes: &Attributes) -> bool {
    active_directory::is_a(attributes, "alias")
}

/// Whether nobody means this when they speak of users: a machine's account.
pub(super) fn is_nobody(attributes: &Attributes) -> bool {
    let mut uids = attributes.values("uid").filter(|uid| is_said(uid)).peekable();
    let is_machine = uids.peek().is_some() && uids.all(|uid| uid.trim_ascii_end().ends_with(b"$"));
    is_machine || (active_directory::is_of(attributes) && active_directory::is_nobody(attributes))
}

/// What to say of so many aliases.
pub(in crate::source) fn aliases(count: u64) -> String {
    let (are, stand, they) = if count == 1 {
        ("1 alias was", "It stands", "it names")
    } else {
        ("{} aliases were", "They stand", "they name")
    };
    let are = are.replace("{}", &count.to_string());
    format!(
        "{are} not followed (objectClass alias). {stand} for entries elsewhere: the entries that {they} are read \
         where they are, so that subtree must be read too"
    )
}
