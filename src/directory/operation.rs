//! Operations at a target, and their outcomes.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Content, Key, SubjectKind, TargetError};

/// An object's id at the target, as the target gave it. A million memberships name theirs several times,
/// so copies share the text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct TargetId(pub Arc<str>);

impl From<String> for TargetId {
    fn from(id: String) -> Self {
        Self(id.into())
    }
}

impl From<TargetId> for String {
    fn from(id: TargetId) -> Self {
        id.0.as_ref().to_owned()
    }
}

impl fmt::Display for TargetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One thing to do at a target. Each is idempotent: doing it twice leaves what doing it once leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Make an object that bears our key; a user comes active.
    Create {
        /// Ours.
        key: Key,
        /// What it should be.
        content: Arc<Content>,
    },
    /// Make the object's content this, leaving what we do not own of it as it is.
    Update {
        /// Which object.
        id: TargetId,
        /// Ours.
        key: Key,
        /// What it should be.
        content: Arc<Content>,
        /// What was confirmed before, if it was ours. An earlier try may have done a part of the change.
        before: Option<Arc<Content>>,
    },
    /// Enable or disable a user's account.
    SetActive {
        /// Which user.
        id: TargetId,
        /// Whether it may sign in.
        active: bool,
    },
    /// Put members into a group. One that is there already is no error.
    AddMembers {
        /// Which group.
        group: TargetId,
        /// Users, or groups where nesting is preserved.
        members: Vec<TargetId>,
    },
    /// Take members out of a group. One that is not there is no error.
    RemoveMembers {
        /// Which group.
        group: TargetId,
        /// Users or groups.
        members: Vec<TargetId>,
    },
    /// Delete the object. One that is not there is no error.
    Delete {
        /// What it is.
        kind: SubjectKind,
        /// Which object.
        id: TargetId,
    },
}

/// The outcome of an [`Operation`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is so now; the object's id (a group's, for members), which an update may have changed.
    Done(TargetId),
    /// It was made or changed, and lacks something that is not to be had for this reason: the object's id, and what it is
    /// now. What it lacks is still to be done.
    Short(TargetId, Arc<Content>, TargetError),
    /// Of members that were to be added or removed, these were not, each for its own reason; the others were. The group's id.
    Partly(TargetId, Vec<RefusedMember>),
    /// The object to be changed is not there any more.
    Gone,
    /// Another object has the name that this one needs.
    NameTaken(String),
    /// The target will not have this object as it is. Trying again without a change is pointless.
    Rejected(TargetError),
    /// Nothing happened and it should be tried again, not before the time that the error asks for (429 and 503 say).
    Retry(TargetError),
    /// It may or may not have happened (a time-out after sending): look before doing anything else.
    Ambiguous(TargetError),
    /// The target as a whole refuses (credentials, reachability), and nothing happened: stop here.
    Failed(TargetError),
}

/// A member that was not added or removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedMember {
    /// Which.
    pub member: TargetId,
    /// Why not.
    pub why: TargetError,
}

/// How to look for an object at a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match {
    /// By id.
    Id(TargetId),
    /// By our key.
    Key(Key),
    /// By unique name (`userName`, `displayName`).
    Name(String),
    /// By e-mail address.
    Email(String),
}

/// An object at a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetObject {
    /// Its id there.
    pub id: TargetId,
    /// The object's key, if it has one (ours or another policy's).
    pub key: Option<Key>,
    /// Its content, as far as we write such content.
    pub content: Content,
    /// Whether it is active; `None` where the target does not say. `Some(true)` for groups.
    pub active: Option<bool>,
    /// Its members, for a group, where the target can say (some cannot).
    pub members: Option<Vec<TargetId>>,
}
