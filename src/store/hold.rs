//! Holds and approvals.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::directory::Owner;

/// Operations that wait for a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hold {
    /// Whose.
    pub owner: Owner,
    /// `sha256:…` over owner, spec hash and the sorted lines.
    pub digest: String,
    /// The policy's spec hash that it was made under.
    pub spec_hash: String,
    /// When it was first seen, in this form.
    pub since: Timestamp,
    /// Why, in one sentence a person.
    pub reason: String,
    /// What is held, sorted.
    pub lines: Vec<Line>,
}

/// One held operation. `class`, `subject`, `member` and `grade` make the digest; the rest is for people.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Line {
    /// What it is: `userRemoval`, `groupRemoval`, `memberRemoval`, `identifierChange`, `disable`,
    /// `clear`, `enable`, `other`.
    pub class: String,
    /// The key of the user or group.
    pub subject: String,
    /// The key of the member, for a membership.
    pub member: Option<String>,
    /// The evidence, if the class needs one.
    pub grade: Option<String>,
    /// What would be done, in words.
    pub action: String,
    /// The name of the user or group.
    pub name: String,
    /// The member's name.
    pub member_name: Option<String>,
    /// Why, in words: the evidence, and the rule that holds it.
    pub why: String,
}

/// An approval of a hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Approval {
    /// The hold.
    pub digest: String,
    /// When it was first seen; it holds for 24 h.
    pub first_seen: Timestamp,
}
