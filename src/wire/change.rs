//! A change as it is sent.

use serde::{Deserialize, Serialize};

use super::entry::{self, Entry, Kind, Patch, Reference};
use super::misfit::Misfit;
use crate::directory::{self, Anchor, EntryKind, OfNoKind};

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub enum Change {
    /// The entry is like this now.
    Replace(Box<Entry>),
    /// This much was told of it.
    Patch(Box<Patch>),
    /// It was deleted.
    Tombstone(String),
    /// It is as it was.
    Unchanged(String),
    /// It is not among those that are read any more.
    Outside(String),
    /// It is of no kind.
    OfNoKind {
        /// Its immutable id.
        anchor: String,
        /// Its DN.
        what: String,
        /// What it is.
        why: String,
        /// Who is told by their classes alone.
        kinds: Vec<Kind>,
    },
    /// It may state more.
    Unproven {
        /// As far as it came.
        entry: Box<Entry>,
        /// Whether what came is certain.
        sure: bool,
        /// Why it may state more.
        why: String,
    },
    /// Who came to a group, and who went.
    MembersDelta {
        /// Which group.
        group: String,
        /// Who came.
        added: Vec<Reference>,
        /// Who went.
        removed: Vec<Reference>,
    },
    /// It could not be understood.
    Unreadable {
        /// Its immutable id, if at least that could be read.
        anchor: Option<String>,
        /// Which entry.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// Text is missing.
    Gap {
        /// What stands there.
        record: String,
    },
    /// Something shows neither an id nor a DN.
    Stray {
        /// What stands there.
        record: String,
        /// What it is called.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// It shows no id, and is of no kind.
    Anonymous {
        /// Its DN.
        dn: String,
    },
}

fn text(anchor: &Anchor) -> String {
    anchor.as_str().to_owned()
}

/// These kinds, in the one list of them that there is.
pub fn kinds(these: &[Kind]) -> &'static [EntryKind] {
    use EntryKind::{Contact, Group, User};
    let has = |kind| these.contains(&kind);
    match (has(Kind::User), has(Kind::Group), has(Kind::Contact)) {
        (false, false, false) => &[],
        (true, false, false) => &[User],
        (false, true, false) => &[Group],
        (false, false, true) => &[Contact],
        (true, true, false) => &[User, Group],
        (true, false, true) => &[User, Contact],
        (false, true, true) => &[Group, Contact],
        (true, true, true) => &[User, Group, Contact],
    }
}

impl From<directory::Change> for Change {
    fn from(change: directory::Change) -> Self {
        use directory::Change as From;
        match change {
            From::Replace(entry) => Self::Replace(Box::new((*entry).into())),
            From::Patch(patch) => Self::Patch(Box::new((*patch).into())),
            From::Tombstone(anchor) => Self::Tombstone(text(&anchor)),
            From::Unchanged(anchor) => Self::Unchanged(text(&anchor)),
            From::Outside(anchor) => Self::Outside(text(&anchor)),
            From::OfNoKind(OfNoKind { anchor, what, why, kinds }) => {
                let kinds = kinds.iter().copied().map(Kind::from).collect();
                Self::OfNoKind { anchor: text(&anchor), what, why, kinds }
            }
            From::Unproven { entry, sure, why } => {
                Self::Unproven { entry: Box::new((*entry).into()), sure, why }
            }
            From::MembersDelta { group, added, removed } => Self::MembersDelta {
                group: text(&group),
                added: entry::sent(added),
                removed: entry::sent(removed),
            },
            From::Unreadable { anchor, what, why } => {
                Self::Unreadable { anchor: anchor.as_ref().map(text), what, why }
            }
            From::Gap { record } => Self::Gap { record },
            From::Stray { record, what, why } => Self::Stray { record, what, why },
            From::Anonymous { dn } => Self::Anonymous { dn },
        }
    }
}

impl TryFrom<Change> for directory::Change {
    type Error = Misfit;

    fn try_from(change: Change) -> Result<Self, Misfit> {
        Ok(match change {
            Change::Replace(entry) => Self::Replace(Box::new((*entry).try_into()?)),
            Change::Patch(patch) => Self::Patch(Box::new((*patch).try_into()?)),
            Change::Tombstone(anchor) => Self::Tombstone(Anchor::new(anchor)),
            Change::Unchanged(anchor) => Self::Unchanged(Anchor::new(anchor)),
            Change::Outside(anchor) => Self::Outside(Anchor::new(anchor)),
            Change::OfNoKind { anchor, what, why, kinds } => Self::OfNoKind(OfNoKind {
                anchor: Anchor::new(anchor),
                what,
                why,
                kinds: self::kinds(&kinds),
            }),
            Change::Unproven { entry, sure, why } => {
                Self::Unproven { entry: Box::new((*entry).try_into()?), sure, why }
            }
            Change::MembersDelta { group, added, removed } => Self::MembersDelta {
                group: Anchor::new(group),
                added: entry::came(added)?,
                removed: entry::came(removed)?,
            },
            Change::Unreadable { anchor, what, why } => {
                Self::Unreadable { anchor: anchor.map(Anchor::new), what, why }
            }
            Change::Gap { record } => Self::Gap { record },
            Change::Stray { record, what, why } => Self::Stray { record, what, why },
            Change::Anonymous { dn } => Self::Anonymous { dn },
        })
    }
}

#[cfg(test)]
mod tests;
