//! Limits on what a server may send. docs/operations.md lists all of them.

use std::time::Duration;

/// The maximum size in bytes of a message before the login: such messages have a result and a sentence.
pub(in crate::source::ldap) const BEFORE_BIND: usize = 64 << 10;
/// Bytes of one message: a group of about half a million members.
pub(in crate::source::ldap) const MESSAGE: usize = 32 << 20;
/// The size in bytes from which a message needs memory that all connections share.
pub(in crate::source::ldap) const LARGE: usize = 1 << 20;
/// Bytes of all large messages together, of all connections of the process.
pub(in crate::source::ldap) const ROOM: usize = 128 << 20;
/// The time in which a large message must arrive once it has memory, so that it does not block others.
pub(in crate::source::ldap) const LARGE_WITHIN: Duration = Duration::from_mins(5);
/// So long it waits for room: those before it have come by then, or are refused.
pub(in crate::source::ldap) const WAIT_FOR_ROOM: Duration = Duration::from_mins(10);
/// Controls that come with one message.
pub(in crate::source::ldap) const CONTROLS: usize = 100;
/// Values of one entry, members and empty ones too.
pub(in crate::source) const VALUES: usize = 1_000_000;
/// Entries of which content synchronization may tell that they changed, or were deleted: of more, everything is read.
pub(in crate::source::ldap) const CHANGES: usize = 100_000;
/// Bytes of one value.
pub(in crate::source) const VALUE: usize = 1 << 20;
/// Attributes of one entry.
pub(in crate::source) const ATTRIBUTES: usize = 10_000;
/// Bytes of everything that an entry says beside lists of others.
pub(in crate::source) const ENTRY: usize = 4 << 20;
/// The maximum number of unsolicited messages on a connection.
pub(in crate::source::ldap) const UNASKED: u64 = 1000;
/// Pages in a row that bring nothing.
pub(in crate::source::ldap) const EMPTY_PAGES: u32 = 100;
