//! LDAP on the wire (RFC 4511): encodes requests, and decodes what a server sends, which may be anything.
//!
//! Nothing here recurses by what a server sends, and nothing is kept of it beyond [`limit`]s: see docs/adr/0014.

pub(in crate::source) mod ber;
pub(in crate::source) mod filter;
pub(in crate::source) mod limit;
pub(super) mod message;
mod room;
mod talk;

pub(super) use message::{Control, LdapResult, Request, Response, Scope};
pub(super) use talk::{Failed, Talk};
