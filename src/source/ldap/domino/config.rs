//! What to read from a Domino Directory, and how.

use std::collections::BTreeSet;

use crate::source::ldap::config::LdapConfig;
use crate::source::schema::domino::purpose::Purpose;
use crate::source::schema::domino::split::PartNames;

/// What to read, and how. Validated as [`LdapConfig`] is.
#[derive(Clone, Debug)]
pub struct DominoConfig {
    /// The servers, and what is read there.
    pub ldap: LdapConfig,
    /// The attribute that holds the anchor; that of the universal id if absent.
    pub anchor: Option<String>,
    /// What groups are read by what they are for.
    pub purposes: BTreeSet<Purpose>,
    /// How the parts of groups are called that were split; they are groups like any other if absent.
    pub split: Option<PartNames>,
}

impl DominoConfig {
    /// Where a server has pages at all; none of Domino is known to.
    pub const PAGE_SIZE: u32 = 500;
}
