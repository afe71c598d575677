//! The dialect of Active Directory.
//!
//! - An entry is its `objectGUID`, and so is a member of a group: a rename or a move parts nobody from
//!   anything. Members from other forests are known by their security ids.
//! - A group whose members come in parts (`member;range=0-1499`) is read until its last part; if that cannot
//!   be done, its list is partial, and never evidence that somebody left.
//! - Nobody leaves their primary group because something of their entry is not shown.
//! - Changes come by `DirSync`, or by update sequence numbers. Deletions are believed, where the account sees them.

mod config;
mod control;
mod dialect;
mod dir_sync;
mod discovery;
mod feed;
mod range;
mod restored;

pub use self::config::{ActiveDirectoryConfig, ChangeFeed};
pub(super) use self::dialect::ActiveDirectory;
pub use self::discovery::Discovery;
