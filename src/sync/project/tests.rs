//! Tests of the projection.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use roaring::RoaringBitmap;
use rstest::rstest;

use super::*;
use crate::directory::{
    Anchor, ConnectorName, Content, DirectoryId, Dn, Entry, EntryKind, Evidence, Grade, GroupContent, Key,
    Members, Mode, Owner, Place, Reference, Stated, SubjectId, TargetId, UserContent, fields,
};
use crate::source::schema::EntrySchema;
use crate::store::link::{Link, Subject};
use crate::store::snapshot::{Edges, NameId, Presence, Row, RowId, SnapshotInfo, Trip};
use crate::sync::expression::{Expression, Returns, Subject as About};
use crate::sync::policy::{
    Adopt, Budget, ConnectorBinding, GroupRules, LeaverAction, LeaverStep, Limits, Nesting, OnDisabled,
    OnExceed, OnRecreated, PerGroup, UserRules,
};

mod doubt;
mod group;
mod member;
mod name;
mod user;

/// A snapshot in memory. An entry's row, and the name that it bears, are its place in the list; `names`
/// are those of entries that bear another one.
struct Snapshot {
    info: SnapshotInfo,
    names: BTreeMap<u32, u32>,
    entries: Vec<(Entry, Presence, Edges)>,
}

impl View for Snapshot {
    fn info(&self) -> &SnapshotInfo {
        &self.info
    }

    fn for_each_row(&self, each: &mut dyn FnMut(Row)) -> Result<(), StoreError> {
        for (at, (entry, presence, _)) in (0..).zip(&self.entries) {
            let (entry, presence) = (entry.clone(), presence.clone());
            let name = NameId(self.names.get(&at).copied().unwrap_or(at));
            each(Row { id: RowId(at), sequence: 1, entry, names: vec![name], presence });
        }
        Ok(())
    }

    fn rows(&self, rows: &RoaringBitmap, each: &mut dyn FnMut(Row)) -> Result<(), StoreError> {
        self.for_each_row(&mut |row| {
            if rows.contains(row.id.0) {
                each(row);
            }
        })
    }

    fn changed_since(&self, _: u64) -> Option<RoaringBitmap> {
        None
    }

    fn edges(&self, group: RowId) -> Result<Edges, StoreError> {
        Ok(self.entries[group.0 as usize].2.clone())
    }
}

struct Case {
    policy: Policy,
    snapshot: Snapshot,
    known: Subjects,
}

impl Case {
    fn new() -> Self {
        let info = SnapshotInfo {
            connector: ConnectorName::new("test", "corp"),
            directory: DirectoryId::new("d"),
            id: None,
            server: None,
            progress: None,
            sequence: 1,
            completion: 1,
            completed_at: Timestamp::UNIX_EPOCH,
            mode: Mode::Full,
            fields: EntrySchema::fields(),
            attributes: BTreeSet::from(["status".to_owned()]),
            scope: String::new(),
            notices: Vec::new(),
            vendor: None,
            feed: None,
            full_at: None,
            shrunk: None,
            held: false,
            unprovable: false,
            tripped: BTreeMap::new(),
            unreadable: Vec::new(),
            unreadable_count: 0,
            remembered: crate::store::snapshot::Remembered::default(),
            copies: crate::store::snapshot::Remembered::default(),
            shared_names: Vec::new(),
            waiting: Some(BTreeMap::new()),
            new_names: 0,
            next_row: 0,
            next_name: 100,
            users: 0,
            groups: 0,
            contacts: 0,
        };
        let known = Subjects { next: 1, ..Subjects::default() };
        Self {
            policy: policy(),
            snapshot: Snapshot { info, names: BTreeMap::new(), entries: Vec::new() },
            known,
        }
    }

    fn with(mut self, entry: Entry) -> Self {
        self.snapshot.entries.push((entry, Presence::Present, Edges::default()));
        self
    }

    /// A group of those in these places.
    fn group(mut self, name: &str, members: &[u32]) -> Self {
        let entry = Entry {
            kind: EntryKind::Group,
            fields: BTreeMap::from([(fields::NAME.to_owned(), value(name))]),
            members: Members::Complete(Vec::new()),
            ..anybody(name)
        };
        let edges = Edges { names: members.iter().copied().collect(), complete: true };
        self.snapshot.entries.push((entry, Presence::Present, edges));
        self
    }

    fn presence(mut self, presence: Presence) -> Self {
        self.snapshot.entries.last_mut().unwrap().1 = presence;
        self
    }

    fn incomplete(mut self) -> Self {
        self.snapshot.entries.last_mut().unwrap().2.complete = false;
        self
    }

    /// The last entry has an object under this name already.
    fn linked(mut self, name: &str) -> Self {
        let (entry, ..) = self.snapshot.entries.last().unwrap();
        let (id, kind) = (SubjectId(self.known.next), SubjectKind::of(entry.kind));
        let confirmed = match kind {
            SubjectKind::User => {
                Content::User(UserContent { user_name: name.to_owned(), ..UserContent::default() })
            }
            SubjectKind::Group => {
                Content::Group(GroupContent { display_name: name.to_owned(), ..GroupContent::default() })
            }
        };
        let link = Link {
            target: TargetId(name.into()),
            confirmed: confirmed.into(),
            active: true,
            members: RoaringBitmap::new(),
            leaving: None,
        };
        let directory = self.snapshot.info.directory.clone();
        let key = Key::new(&self.policy.owner, &directory, &entry.anchor);
        let anchors = vec![(directory, entry.anchor.clone())];
        self.known.by_id.insert(id, Subject { id, kind, key, anchors, link: Some(link) });
        self.known.next += 1;
        self
    }

    fn project(&self) -> Projection {
        project(&self.policy, &[&self.snapshot], &self.known, now()).unwrap()
    }

    /// Names of the users that are kept.
    fn kept(&self) -> Vec<String> {
        let kept = |verdict: &SubjectState<User>| match verdict {
            SubjectState::Keep(user) => Some(user.content.name().to_owned()),
            _ => None,
        };
        self.project().users.values().filter_map(kept).collect()
    }

    /// Why each quarantined entry is.
    fn quarantined(&self) -> Vec<QuarantineReason> {
        self.project().quarantined.iter().map(|one| one.reason).collect()
    }

    fn members(&self, subject: u32) -> Vec<u32> {
        match &self.project().groups[&SubjectId(subject)] {
            SubjectState::Keep(group) => group.members.iter().collect(),
            other => panic!("{other:?}"),
        }
    }
}

fn now() -> Timestamp {
    Timestamp::from_second(1_000_000).unwrap()
}

fn policy() -> Policy {
    let any = Budget { count: 100, percent: 100 };
    Policy {
        owner: Owner::new("test", "all"),
        connectors: vec![ConnectorBinding {
            connector: ConnectorName::new("test", "corp"),
            max_age: Duration::from_hours(24),
            disabled_when: None,
        }],
        users: UserRules {
            email_domains: BTreeSet::new(),
            r#where: None,
            contacts: false,
            without_mailboxes: BTreeSet::new(),
            disabled: OnDisabled::Disable,
            leavers: vec![LeaverStep { after: Duration::ZERO, action: LeaverAction::Disable }],
            recreated: OnRecreated::Quarantine,
            adopt: Adopt::Never,
            protected: BTreeSet::new(),
            attributes: BTreeMap::new(),
        },
        groups: GroupRules {
            include: Vec::new(),
            exclude: Vec::new(),
            r#where: None,
            name: None,
            nesting: Nesting::Flatten,
            authoritative: false,
            vanished: vec![LeaverStep { after: Duration::ZERO, action: LeaverAction::Delete }],
            adopt: Adopt::Never,
        },
        limits: Limits {
            window: Duration::from_hours(24),
            user_removals: any,
            group_removals: any,
            member_removals: any,
            member_removals_per_group: PerGroup { percent: 100, minimum_size: 0 },
            identifier_changes: any,
            disables: any,
            quarantined: any,
            on_exceed: OnExceed::HoldRemovals,
        },
        spec_hash: String::new(),
        spec_json: "".into(),
    }
}

fn value(text: &str) -> Stated {
    Stated::Values(vec![text.to_owned()])
}

fn anybody(name: &str) -> Entry {
    let dn = format!("cn={name}");
    let names = vec![Reference::Dn(Dn::parse(&dn).unwrap())];
    Entry { anchor: Anchor::new(name), dn, names, ..Entry::nobody() }
}

/// A user with an address.
fn user(name: &str) -> Entry {
    user_with(name, &[(fields::MAIL, &format!("{name}@corp.example"))])
}

fn user_with(name: &str, stated: &[(&str, &str)]) -> Entry {
    let mut entry = anybody(name);
    entry.fields = stated.iter().map(|(field, text)| ((*field).to_owned(), value(text))).collect();
    entry.fields.insert(fields::USER_NAME.to_owned(), value(name));
    entry
}

fn wanted(text: &str) -> Expression {
    Expression::compile(text, About::User, Returns::Bool).unwrap()
}

fn gone(grade: Grade) -> Presence {
    Presence::Gone { evidence: Evidence::data(grade), since: Timestamp::UNIX_EPOCH }
}
