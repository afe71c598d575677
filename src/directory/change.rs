//! The changes that a source reports while it reads.

use super::{Anchor, Entry, EntryKind, Patch, Reference, Stated};

/// What an unreadable entry is called that is no entry, but the end of a file that may have been cut there.
pub const END_OF: &str = "the end of ";

/// One thing a source found. Of an anchor that comes again in one read the later one counts; in a read of everything an
/// entry that is both there and deleted is an exception.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The entry is like this now, members included.
    Replace(Box<Entry>),
    /// The entry is there, and this much of it was told: what was not is as it was.
    Patch(Box<Patch>),
    /// The directory says that this entry was deleted.
    Tombstone(Anchor),
    /// The entry is there, and as it was: all that a listing says of it.
    Unchanged(Anchor),
    /// The entry is there, and is no longer among those that the connector reads.
    Outside(Anchor),
    /// An entry is there that is neither user, contact nor group.
    OfNoKind(OfNoKind),
    /// The entry is there and states this, and it may state more. What it does not say takes nothing away: one that is
    /// known and was otherwise keeps what it was.
    Unproven {
        /// As far as it came.
        entry: Box<Entry>,
        /// Whether what came of it is certain.
        sure: bool,
        /// Why it may state more, and what to do; where it stands, the entry says.
        why: String,
    },
    /// Of the members that the group had, these went, and then these came; all others stay. What a feed tells of one group may
    /// come in many parts, in order.
    MembersDelta {
        /// Which group. Nothing is told of one that is not known.
        group: Anchor,
        /// Who came.
        added: Vec<Reference>,
        /// Who went.
        removed: Vec<Reference>,
    },
    /// An entry is there and could not be understood. It is no evidence of anything: who had its anchor or its DN
    /// last counts as seen and keeps what they were. One that shows neither may be anybody who is missing.
    Unreadable {
        /// Its immutable id, where at least that could be read.
        anchor: Option<Anchor>,
        /// Which entry: its DN, or for people where it is found if even that could not be read.
        what: String,
        /// What is wrong with it and what to do.
        why: String,
    },
    /// Text is missing at a place of what was read, or was damaged there, and other entries may have been in it: whoever is missing
    /// since that came first may be one of them.
    Gap {
        /// What stands there: the same each time that the same comes.
        record: String,
    },
    /// Something is there that shows neither an id nor a DN that can be understood. It may be anybody who is missing since it came
    /// first.
    Stray {
        /// What stands there: the same each time that the same comes.
        record: String,
        /// What it is called, or where it is found.
        what: String,
        /// What is wrong with it and what to do.
        why: String,
    },
    /// An entry is there that shows no id, and is neither user, contact nor group by its classes. Who had its DN last may be it,
    /// with lines that were lost, and keeps what they were; otherwise it is of no concern.
    Anonymous {
        /// Its DN.
        dn: String,
    },
}

/// An entry that is neither user, contact nor group by its classes. Of one that was of these `kinds` it is no evidence: it
/// counts as seen and keeps what it last was. One that was of another kind is no longer among those that are read; any
/// other is of no concern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfNoKind {
    /// Its immutable id.
    pub anchor: Anchor,
    /// Its DN.
    pub what: String,
    /// What it is, and what to do.
    pub why: String,
    /// Those who are told by their classes alone, and by no filter that somebody wrote.
    pub kinds: &'static [EntryKind],
}

impl Change {
    /// The anchor of the entry, if it could be read.
    pub fn anchor(&self) -> Option<&Anchor> {
        match self {
            Self::Replace(entry) | Self::Unproven { entry, .. } => Some(&entry.anchor),
            Self::Patch(patch) => Some(&patch.set.anchor),
            Self::Tombstone(anchor)
            | Self::Unchanged(anchor)
            | Self::Outside(anchor)
            | Self::OfNoKind(OfNoKind { anchor, .. }) => Some(anchor),
            Self::MembersDelta { group, .. } => Some(group),
            Self::Unreadable { anchor, .. } => anchor.as_ref(),
            Self::Gap { .. } | Self::Stray { .. } | Self::Anonymous { .. } => None,
        }
    }

    /// The same change with another spelling of the entry's id.
    #[must_use]
    pub fn of(mut self, spelt: Anchor) -> Self {
        match &mut self {
            Self::Replace(entry) | Self::Unproven { entry, .. } => entry.anchor = spelt,
            Self::Patch(patch) => patch.set.anchor = spelt,
            Self::Tombstone(anchor)
            | Self::Unchanged(anchor)
            | Self::Outside(anchor)
            | Self::OfNoKind(OfNoKind { anchor, .. }) => *anchor = spelt,
            Self::MembersDelta { group, .. } => *group = spelt,
            Self::Unreadable { anchor, .. } => *anchor = Some(spelt),
            Self::Gap { .. } | Self::Stray { .. } | Self::Anonymous { .. } => {}
        }
        self
    }
}

/// About how much memory the texts of a change take.
fn bytes(change: &Change) -> usize {
    match change {
        Change::Replace(entry) | Change::Unproven { entry, .. } => bytes_of(entry),
        Change::Patch(patch) => bytes_of(&patch.set),
        Change::Unreadable { what, why, .. } | Change::OfNoKind(OfNoKind { what, why, .. }) => {
            what.len() + why.len()
        }
        Change::MembersDelta { added, removed, .. } => bytes_of_all(added) + bytes_of_all(removed),
        Change::Stray { record, what, why } => record.len() + what.len() + why.len(),
        Change::Gap { record: text } | Change::Anonymous { dn: text } => text.len(),
        Change::Tombstone(_) | Change::Unchanged(_) | Change::Outside(_) => 0,
    }
}

fn bytes_of(entry: &Entry) -> usize {
    let stated = entry.fields.values().chain(entry.attributes.values());
    let values = stated.filter_map(|stated| match stated {
        Stated::Values(values) => Some(values),
        Stated::Undecodable => None,
    });
    entry.dn.len()
        + bytes_of_all(&entry.names)
        + bytes_of_all(entry.members.references())
        + values.flatten().map(|value| value.len() + size_of::<String>()).sum::<usize>()
}

fn bytes_of_all(references: &[Reference]) -> usize {
    references.iter().flat_map(Reference::key_parts).map(str::len).sum()
}

/// A bounded number of changes: at most [`Batch::MAX`], and few that are long or whose groups state many members, so that
/// memory stays bounded whatever the directory's size. A [`Filler`] makes them so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch(pub Vec<Change>);

impl Batch {
    /// Enough to keep a transaction busy, few enough to hold a handful of batches in memory.
    pub const MAX: usize = 1000;
    /// A batch whose groups state so many members is full, however few they are.
    pub const MEMBERS: usize = 20_000;
    /// A batch of so many bytes is full, however few its changes are.
    pub const BYTES: usize = 4 << 20;
}

/// Puts changes into batches.
#[derive(Debug, Default)]
pub struct Filler {
    changes: Vec<Change>,
    /// How many members the groups among them state.
    members: usize,
    /// How much memory the texts in them take.
    bytes: usize,
}

impl Filler {
    /// Adds a change; gives the batch that is full with it, if it is.
    pub fn add(&mut self, change: Change) -> Option<Batch> {
        self.members += match &change {
            Change::Replace(entry) | Change::Unproven { entry, .. } => entry.members.references().len(),
            Change::Patch(patch) => patch.set.members.references().len(),
            Change::MembersDelta { added, removed, .. } => added.len() + removed.len(),
            _ => 0,
        };
        self.bytes += bytes(&change);
        if self.changes.is_empty() {
            self.changes.reserve_exact(Batch::MAX);
        }
        self.changes.push(change);
        let is_full =
            self.changes.len() >= Batch::MAX || self.members >= Batch::MEMBERS || self.bytes >= Batch::BYTES;
        if is_full { self.rest() } else { None }
    }

    /// What fills no batch, unless that is nothing.
    pub fn rest(&mut self) -> Option<Batch> {
        (self.members, self.bytes) = (0, 0);
        let changes = std::mem::take(&mut self.changes);
        (!changes.is_empty()).then_some(Batch(changes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::Members;

    fn group(members: usize) -> Change {
        let member = |number: usize| Reference::Anchor(Anchor::new(number.to_string()));
        let members = Members::Complete((0..members).map(member).collect());
        Change::Replace(Box::new(Entry { members, ..Entry::nobody() }))
    }

    #[test]
    fn a_batch_is_full_by_its_changes_or_by_their_members() {
        let mut filler = Filler::default();
        let mut sizes = |changes: Vec<Change>| -> Vec<usize> {
            let mut batches: Vec<Batch> =
                changes.into_iter().filter_map(|change| filler.add(change)).collect();
            batches.extend(filler.rest());
            batches.into_iter().map(|batch| batch.0.len()).collect()
        };
        assert_eq!(sizes(vec![group(0); Batch::MAX + 1]), [Batch::MAX, 1]);
        assert_eq!(sizes(vec![group(Batch::MEMBERS / 2); 5]), [2, 2, 1]);
        let Change::Replace(entry) = group(Batch::MEMBERS) else { panic!() };
        let added = entry.members.references().to_vec();
        let delta = |added, removed| Change::MembersDelta { group: Anchor::new("g"), added, removed };
        assert_eq!(sizes(vec![delta(added.clone(), Vec::new()), group(1)]), [1, 1]);
        assert_eq!(sizes(vec![delta(Vec::new(), added), group(1)]), [1, 1]);
        assert!(sizes(Vec::new()).is_empty());
        let long = |bytes: usize| {
            let fields = [("mail".to_owned(), Stated::Values(vec!["a".repeat(bytes)]))].into();
            Change::Replace(Box::new(Entry { fields, ..Entry::nobody() }))
        };
        assert_eq!(sizes(vec![long(Batch::BYTES); 3]), [1, 1, 1]);
        assert_eq!(sizes(vec![long(Batch::BYTES / 2); 5]), [2, 2, 1]);
        let member = Reference::Anchor(Anchor::new("a".repeat(Batch::BYTES / 2)));
        let members = Members::Complete(vec![member.clone()]);
        let named = Change::Replace(Box::new(Entry { members, ..Entry::nobody() }));
        assert_eq!(sizes(vec![named; 5]), [2, 2, 1]);
        assert_eq!(sizes(vec![delta(vec![member], Vec::new()); 3]), [2, 1]);
    }
}
