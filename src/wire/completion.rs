//! The end of a read that reached it, as it is sent. What it proves, only a source makes of it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Whether a read brought everything or what changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// Everything.
    Full,
    /// What changed.
    Delta,
}

/// What a read says that reached its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Completion {
    /// What it brought.
    pub mode: Mode,
    /// Whose entries these are.
    pub directory: String,
    /// The attribute with the anchors.
    pub id: Option<String>,
    /// Which server told it.
    pub server: Option<String>,
    /// Where the next one resumes, as hexadecimal digits.
    pub cursor: Option<String>,
    /// The neutral fields that were asked for.
    pub fields: BTreeSet<String>,
    /// The literal attributes that were asked for.
    pub attributes: BTreeSet<String>,
    /// What decides which entries come.
    pub scope: String,
    /// What people should know.
    pub notices: Vec<String>,
    /// What the directory says it is.
    pub vendor: Option<String>,
    /// How changes come.
    pub feed: Option<Feed>,
    /// What the server showed of itself.
    pub shown: Shown,
}

/// How changes come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Feed {
    /// Its name.
    pub active: String,
    /// Why it is no better one.
    pub reason: String,
}

/// What a server showed of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Shown {
    /// When its certificate ends.
    pub certificate_ends_at: Option<Timestamp>,
    /// What its clock said.
    pub clock: Option<Timestamp>,
    /// Whether nothing shows that what came is all.
    pub no_end: bool,
    /// How far its copy of the directory is.
    pub progress: Option<String>,
}
