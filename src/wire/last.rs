//! What a read asks about the read before it, and what it is told.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::entry::Reference;

/// How the entries of the last read are known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct KnownBy {
    /// The directory that they are in.
    pub directory: String,
    /// The attribute with their anchors.
    pub id: Option<String>,
    /// What decided which of them came.
    pub scope: String,
    /// How far the server was that reported them.
    pub progress: Option<String>,
}

/// What is asked about the read before, of at most [`super::AT_ONCE`] entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub enum Question {
    /// What these were called.
    Called(Vec<String>),
    /// Which of these were not there.
    Strange(Vec<String>),
    /// The members of those of these that are groups.
    Members(Vec<String>),
    /// Which of these are groups of which all members were known.
    Listed(Vec<String>),
    /// The values of a literal attribute.
    Values {
        /// Which attribute.
        attribute: String,
        /// Of whom.
        entries: Vec<String>,
    },
    /// Those of whom a value of this attribute names one of these DNs.
    Naming {
        /// Which attribute.
        attribute: String,
        /// The DNs.
        dns: BTreeSet<String>,
    },
}

/// What is told of the read before; `None` if that cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub enum Told {
    /// What they were called.
    Called(BTreeMap<String, String>),
    /// Some of those that were asked about.
    Some(Option<BTreeSet<String>>),
    /// Members, `None` of those of whom not all were known.
    Members(Option<BTreeMap<String, Option<Vec<Reference>>>>),
    /// Values.
    Values(Option<BTreeMap<String, Vec<String>>>),
    /// Those who name somebody.
    Naming(Option<Vec<String>>),
}
