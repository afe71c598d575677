//! What to read from a file, and how.

use std::collections::BTreeSet;

use super::text::Input;
use crate::directory::DirectoryId;

/// What to read, and how.
#[derive(Clone, Debug)]
pub struct LdifConfig {
    /// Where the text is.
    pub input: Input,
    /// What to call it in messages.
    pub name: String,
    /// The directory's identity; default: the longest DN suffix that all entries share.
    pub directory_id: Option<DirectoryId>,
    /// The attribute that holds the anchor, or `dn`; default: the first of [`ANCHORS`](crate::source::schema::ANCHORS) that the file
    /// has.
    pub anchor: Option<String>,
    /// Which entries are users or contacts (RFC 4515); default: by their classes.
    pub user_filter: Option<String>,
    /// Which entries are groups (RFC 4515); default: by their classes.
    pub group_filter: Option<String>,
    /// The literal attributes that policies and connectors name.
    pub literal: BTreeSet<String>,
}
