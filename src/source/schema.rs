//! Schemas: from the attributes of a directory's entries to entries in neutral form. Shared by everything that reads LDAP's
//! attributes, on the wire or from a file.
//!
//! An entry's DN and attributes come in; a [`Change`](crate::directory::Change) goes out. Nothing is guessed: what cannot be
//! understood is `Undecodable`, a partial list, or an unreadable entry with the reason. All of it is pure.

pub(in crate::source) mod active_directory;
pub(in crate::source) mod anchor;
mod attributes;
mod class;
pub(in crate::source) mod domino;
mod entry;
mod field;
mod members;
pub(in crate::source) mod posix;
pub(in crate::source) mod primary;
mod standard;

pub use anchor::{ANCHORS, anchor};
pub(in crate::source) use anchor::{cost, is_formed, no_id, pinned};
pub use attributes::{Attributes, name};
pub(in crate::source) use class::{OF_NO_KIND, aliases, is_alias, kind};
pub use entry::{EntrySchema, Unreadable};
pub(in crate::source) use field::{is_text, lossy};
pub use standard::attributes_of;
