//! Where the feeds resume: the links that Graph gave at their ends.

use serde::{Deserialize, Serialize};

use crate::directory::Cursor;

/// The links of the last read. They are good for what was asked then, and for no other question.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Resume {
    /// Of what was asked.
    pub(super) fingerprint: String,
    pub(super) users: String,
    pub(super) groups: String,
    /// If contacts are read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) contacts: Option<String>,
}

impl Resume {
    /// What a cursor holds, if it is one of ours for the same question.
    pub(super) fn read(cursor: &Cursor, fingerprint: &str) -> Option<Self> {
        let resume: Self = serde_json::from_slice(&cursor.0).ok()?;
        (resume.fingerprint == fingerprint).then_some(resume)
    }

    /// As it is kept. `None` is never: these are texts.
    pub(super) fn cursor(&self) -> Option<Cursor> {
        serde_json::to_vec(self).ok().map(Cursor)
    }
}
