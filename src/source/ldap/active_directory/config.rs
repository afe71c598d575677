//! What to read from a domain, and how.

use super::discovery::Discovery;
use crate::source::ldap::config::LdapConfig;

/// What to read, and how. Validated as [`LdapConfig`] is.
#[derive(Clone, Debug)]
pub struct ActiveDirectoryConfig {
    /// The domain controllers, and what is read there.
    pub ldap: LdapConfig,
    /// How the domain controllers are found, instead of by urls.
    pub discovery: Option<Discovery>,
    /// How changes come.
    pub change_feed: ChangeFeed,
}

/// How changes come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeFeed {
    /// The best that the account may use.
    Auto,
    /// The domain controller tells.
    DirSync,
    /// It is asked for later update sequence numbers.
    UsnChanged,
    /// Everything is read each time.
    FullRead,
}

impl ActiveDirectoryConfig {
    /// What a domain controller gives in one page unless somebody changed that (`MaxPageSize`).
    pub const PAGE_SIZE: u32 = 1000;
}
