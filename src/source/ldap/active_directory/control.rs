//! The controls that searches carry.

use crate::source::ldap::wire::Control;

/// Names are told with GUID and SID.
const EXTENDED_DN: &str = "1.2.840.113556.1.4.529";

/// No references to other servers.
pub(super) const DOMAIN_SCOPE: &str = "1.2.840.113556.1.4.1339";

/// Sent with every search.
pub(super) fn controls() -> Vec<Control> {
    let control = |oid: &str| Control { oid: oid.to_owned(), critical: false, value: None };
    vec![control(DOMAIN_SCOPE), Control { critical: true, ..control(EXTENDED_DN) }]
}

/// Deleted entries are shown too, to those who may see them.
const SHOW_DELETED: &str = "1.2.840.113556.1.4.417";

pub(super) fn show_deleted() -> Vec<Control> {
    let control = |oid: &str, critical| Control { oid: oid.to_owned(), critical, value: None };
    vec![control(SHOW_DELETED, true), control(DOMAIN_SCOPE, false)]
}
