//! How much a server may say. docs/operations.md has them all.

/// Bytes of one message before the server has taken the name and password: such messages hold a result and a sentence.
pub(in crate::source::ldap) const BEFORE_BIND: usize = 64 << 10;
/// Bytes of one message: a group of about half a million members.
pub(in crate::source::ldap) const MESSAGE: usize = 32 << 20;
/// Values of one attribute of one entry, members too.
pub(in crate::source::ldap) const VALUES: usize = 1_000_000;
/// Bytes of one value.
pub(in crate::source::ldap) const VALUE: usize = 1 << 20;
/// Attributes of one entry.
pub(in crate::source::ldap) const ATTRIBUTES: usize = 10_000;
/// Bytes of everything that an entry says beside lists of others.
pub(in crate::source::ldap) const ENTRY: usize = 4 << 20;
/// Messages on one connection that nobody asked for.
pub(in crate::source::ldap) const UNASKED: u64 = 1000;
/// Pages in a row that bring nothing.
pub(in crate::source::ldap) const EMPTY_PAGES: u32 = 100;
