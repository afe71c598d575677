//! How much a server may say. docs/operations.md has them all.

use std::time::Duration;

/// Bytes of one message before the server has taken the name and password: such messages hold a result and a sentence.
pub(in crate::source::ldap) const BEFORE_BIND: usize = 64 << 10;
/// Bytes of one message: a group of about half a million members.
pub(in crate::source::ldap) const MESSAGE: usize = 32 << 20;
/// From so many bytes on a message takes room that all connections share.
pub(in crate::source::ldap) const LARGE: usize = 1 << 20;
/// Bytes of all large messages together, of all connections of the process.
pub(in crate::source::ldap) const ROOM: usize = 128 << 20;
/// So long a large message may take to come once it has room, so that nobody keeps it from others.
pub(in crate::source::ldap) const LARGE_WITHIN: Duration = Duration::from_mins(5);
/// So long it waits for room: those before it have come by then, or are refused.
pub(in crate::source::ldap) const WAIT_FOR_ROOM: Duration = Duration::from_mins(10);
/// Values of one attribute of one entry, members too.
pub(in crate::source) const VALUES: usize = 1_000_000;
/// Bytes of one value.
pub(in crate::source) const VALUE: usize = 1 << 20;
/// Attributes of one entry.
pub(in crate::source) const ATTRIBUTES: usize = 10_000;
/// Bytes of everything that an entry says beside lists of others.
pub(in crate::source) const ENTRY: usize = 4 << 20;
/// Messages on one connection that nobody asked for.
pub(in crate::source::ldap) const UNASKED: u64 = 1000;
/// Pages in a row that bring nothing.
pub(in crate::source::ldap) const EMPTY_PAGES: u32 = 100;
