//! Imports of what changed, into a real store.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use rollcall::directory::{
    Anchor, Batch, Change, Completion, ConnectorName, Cursor, Dn, Entry, EntryKind, Grade, Members, Mode,
    Patch, Reference, Stated, fields,
};
use rollcall::source::{LookUp, Reason, Sink, Source, SourceError};
use rollcall::store::Store;
use rollcall::store::snapshot::{Presence, RowId};
use rollcall::sync::import::{self, Imported, import};

use crate::support::completion::completion;
use crate::support::hand::Hand;

/// What a read of everything brings, and one of what changed.
struct Directory {
    all: Vec<Change>,
    changed: Vec<Change>,
    mode: Mode,
}

impl Source for Directory {
    async fn read(&self, cursor: Option<&Cursor>, sink: Sink) -> Result<Completion, SourceError> {
        let (changes, mode) = match cursor {
            Some(_) => (&self.changed, self.mode),
            None => (&self.all, Mode::Full),
        };
        sink.send(Batch(changes.clone())).await.unwrap();
        Ok(Completion { cursor: Some(Cursor(vec![1])), ..completion(mode, "d") })
    }

    async fn look_up(
        &self,
        anchors: &[Anchor],
        _: &HashMap<Anchor, String>,
    ) -> Result<Option<LookUp>, SourceError> {
        Ok(Some(LookUp { missing: anchors.to_vec(), ..LookUp::default() }))
    }
}

/// A directory that tells everything, and not what changed.
struct Throttled(Directory);

impl Source for Throttled {
    async fn read(&self, cursor: Option<&Cursor>, sink: Sink) -> Result<Completion, SourceError> {
        if cursor.is_some() {
            return Err(SourceError::new(Reason::Throttled, "it may not be read so often"));
        }
        self.0.read(cursor, sink).await
    }

    async fn look_up(
        &self,
        anchors: &[Anchor],
        called: &HashMap<Anchor, String>,
    ) -> Result<Option<LookUp>, SourceError> {
        self.0.look_up(anchors, called).await
    }
}

struct Desk {
    store: Store,
    _folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { store: Store::open(folder.path()).unwrap(), _folder: folder }
    }

    async fn import(&self, source: &impl Source, at: i64) -> Imported {
        let options = import::Options {
            look_ups: 1000,
            timeout: Duration::from_mins(1),
            full_read_every: Duration::from_secs(100),
        };
        import(source, &self.store, &ConnectorName::new("test", "corp"), options, &Hand::seconds(at), |_| {})
            .await
            .unwrap()
    }

    /// By anchor: whether each is there, and how many names its member list states.
    fn rows(&self) -> BTreeMap<String, (RowId, Presence, u64)> {
        let snapshot = self.store.snapshot(&ConnectorName::new("test", "corp")).unwrap().unwrap();
        let mut found = Vec::new();
        snapshot.for_each_row(&mut |row| found.push(row)).unwrap();
        let row = |row: rollcall::store::snapshot::Row| {
            let members = snapshot.edges(row.id).unwrap().names.len();
            (row.entry.anchor.as_str().to_owned(), (row.id, row.presence, members))
        };
        found.into_iter().map(row).collect()
    }
}

fn person(name: &str, title: &str) -> Change {
    Change::Replace(Box::new(Entry {
        anchor: Anchor::new(name),
        names: vec![by(name)],
        fields: BTreeMap::from([(fields::TITLE.to_owned(), Stated::Values(vec![title.to_owned()]))]),
        ..Entry::nobody()
    }))
}

fn team(members: &[&str]) -> Change {
    let members = Members::Complete(members.iter().map(|name| by(name)).collect());
    Change::Replace(Box::new(Entry {
        anchor: Anchor::new("team"),
        kind: EntryKind::Group,
        members,
        ..Entry::nobody()
    }))
}

fn by(name: &str) -> Reference {
    Reference::Anchor(Anchor::new(name))
}

fn company() -> Vec<Change> {
    vec![person("ann", "Boss"), person("bob", "Clerk"), person("cid", "Clerk"), team(&["ann", "bob"])]
}

fn delta(changed: Vec<Change>) -> Directory {
    Directory { all: company(), changed, mode: Mode::Delta }
}

fn grade(presence: &Presence) -> Option<Grade> {
    match presence {
        Presence::Gone { evidence, .. } => Some(evidence.grade),
        _ => None,
    }
}

#[tokio::test]
async fn what_a_delta_does_not_bring_is_as_it_was() {
    let desk = Desk::new();
    desk.import(&delta(Vec::new()), 0).await;
    let quiet = desk.import(&delta(Vec::new()), 10).await;
    assert_eq!((quiet.changed, quiet.removed, quiet.info.mode), (0, 0, Mode::Delta));
    let changes = vec![
        person("ann", "Chief"),
        person("dan", "Clerk"),
        Change::Tombstone(Anchor::new("bob")),
        Change::Outside(Anchor::new("cid")),
        Change::Outside(Anchor::new("a stranger")),
        Change::MembersDelta {
            group: Anchor::new("team"),
            added: vec![by("dan"), by("ann")],
            removed: Vec::new(),
        },
        Change::MembersDelta {
            group: Anchor::new("another"),
            added: vec![by("dan")],
            removed: vec![by("ann")],
        },
    ];
    let done = desk.import(&delta(changes.clone()), 20).await;
    assert_eq!((done.changed, done.removed, done.unsettled), (3, 2, 0));
    assert_eq!((done.info.users, done.info.groups), (2, 1));
    let rows = desk.rows();
    assert_eq!(grade(&rows["bob"].1), Some(Grade::Tombstone));
    assert_eq!(grade(&rows["cid"].1), Some(Grade::OutOfScope));
    assert_eq!(rows["ann"].1, Presence::Present);
    // The deleted member's edge is kept: it wakes if the member comes back.
    assert_eq!(rows["team"].2, 3);
    let again = desk.import(&delta(changes), 30).await;
    assert_eq!((again.changed, again.removed, again.info.users), (0, 0, 2));
    let back = desk.import(&delta(vec![person("bob", "Clerk")]), 40).await;
    assert_eq!((back.changed, back.info.users, desk.rows()["team"].2), (1, 3, 3));
}

/// Somebody who is known by a DN, as are members of a group.
fn named(anchor: &str, dn: &str) -> Change {
    let names = vec![Reference::Dn(Dn::parse(dn).unwrap())];
    Change::Replace(Box::new(Entry { anchor: Anchor::new(anchor), names, ..Entry::nobody() }))
}

const DN: &str = "cn=ann,dc=x";

/// A group of whoever has that name.
fn group_of_ann() -> Change {
    Change::Replace(Box::new(Entry {
        anchor: Anchor::new("team"),
        kind: EntryKind::Group,
        members: Members::Complete(vec![Reference::Dn(Dn::parse(DN).unwrap())]),
        ..Entry::nobody()
    }))
}

fn changes_around_ann(changed: Vec<Change>) -> Directory {
    Directory { all: vec![named("ann", DN), group_of_ann()], changed, mode: Mode::Delta }
}

/// Whether somebody is in the group.
fn is_member(desk: &Desk, anchor: &str) -> bool {
    let snapshot = desk.store.snapshot(&ConnectorName::new("test", "corp")).unwrap().unwrap();
    let (mut names, mut team) = (Vec::new(), None);
    let mut each = |row: rollcall::store::snapshot::Row| match row.entry.anchor.as_str() {
        "team" => team = Some(row.id),
        other if other == anchor => names = row.names,
        _ => {}
    };
    snapshot.for_each_row(&mut each).unwrap();
    let edges = snapshot.edges(team.unwrap()).unwrap().names;
    names.iter().any(|name| edges.contains(name.0))
}

#[tokio::test]
async fn who_has_the_dn_of_somebody_deleted_inherits_no_membership() {
    let desk = Desk::new();
    desk.import(&changes_around_ann(Vec::new()), 0).await;
    assert!(is_member(&desk, "ann"));
    // In one read, the leaver first.
    let changed = vec![Change::Tombstone(Anchor::new("ann")), named("another", DN)];
    desk.import(&changes_around_ann(changed), 10).await;
    assert!(!is_member(&desk, "another"));
    // The list as it is read now says who is meant.
    desk.import(&changes_around_ann(vec![group_of_ann()]), 20).await;
    assert!(is_member(&desk, "another"));
}

#[tokio::test]
async fn who_was_out_of_sight_is_a_member_again() {
    let leaves = || Change::Outside(Anchor::new("ann"));
    for changed in [vec![leaves()], vec![leaves(), named("ann", DN)], vec![named("ann", DN), leaves()]] {
        let desk = Desk::new();
        desk.import(&changes_around_ann(Vec::new()), 0).await;
        desk.import(&changes_around_ann(changed), 10).await;
        desk.import(&changes_around_ann(vec![named("ann", DN)]), 20).await;
        assert!(is_member(&desk, "ann"));
        // Whatever else changes of her, and of the group.
        let Change::Replace(mut entry) = named("ann", DN) else { unreachable!() };
        entry.fields.insert("title".to_owned(), Stated::Values(vec!["Chief".to_owned()]));
        desk.import(&changes_around_ann(vec![Change::Replace(entry)]), 30).await;
        assert!(is_member(&desk, "ann"));
        // Another list that was read since she left has her by another number.
        desk.import(&changes_around_ann(vec![group_of_ann()]), 40).await;
        assert!(is_member(&desk, "ann"));
        desk.import(&changes_around_ann(vec![leaves(), named("another", DN)]), 50).await;
        assert!(!is_member(&desk, "another"));
    }
}

#[tokio::test]
async fn a_list_that_still_has_who_left_was_not_missed() {
    let desk = Desk::new();
    desk.import(&changes_around_ann(Vec::new()), 0).await;
    let changed = vec![Change::Tombstone(Anchor::new("ann"))];
    desk.import(&changes_around_ann(changed), 50).await;
    let without = Directory { all: vec![group_of_ann()], changed: Vec::new(), mode: Mode::Delta };
    let done = desk.import(&without, 100).await;
    assert_eq!((done.info.mode, done.changed, done.missed), (Mode::Full, 1, 0));
}

#[tokio::test]
async fn who_is_not_listed_is_looked_up() {
    let desk = Desk::new();
    desk.import(&delta(Vec::new()), 0).await;
    let listed = |names: &[&str]| Directory {
        changed: names.iter().map(|name| Change::Unchanged(Anchor::new(*name))).collect(),
        mode: Mode::Full,
        ..delta(Vec::new())
    };
    let same = desk.import(&listed(&["ann", "bob", "cid", "team"]), 10).await;
    assert_eq!((same.changed, same.removed, same.info.users, same.info.groups), (0, 0, 3, 1));
    let gone = desk.import(&listed(&["ann", "cid", "team"]), 20).await;
    assert_eq!((gone.removed, gone.info.users), (1, 2));
    assert_eq!(grade(&desk.rows()["bob"].1), Some(Grade::Absent));
    // Somebody is listed whom nobody told of: then everything is read next.
    desk.import(&listed(&["ann", "bob", "cid", "team"]), 30).await;
    let all = desk.import(&delta(Vec::new()), 40).await;
    assert_eq!((all.info.mode, all.changed, all.info.users), (Mode::Full, 1, 3));
}

#[tokio::test]
async fn after_many_were_missing_everything_is_read_until_they_are_back() {
    let desk = Desk::new();
    let people = |count: usize| (0..count).map(|n| person(&format!("p{n}"), "Clerk")).collect::<Vec<_>>();
    let quiet = |count| Directory { all: people(count), ..delta(Vec::new()) };
    desk.import(&quiet(10), 0).await;
    // They may be hidden, and no feed tells when they are shown again.
    let listed = (0..4).map(|n| Change::Unchanged(Anchor::new(format!("p{n}")))).collect();
    let few = desk.import(&Directory { changed: listed, mode: Mode::Full, ..quiet(10) }, 10).await;
    assert_eq!(few.removed, 6);
    assert!(few.info.notices.iter().any(|notice| notice.contains("far fewer entries came")));
    for (there, at) in [(4, 20), (4, 30), (10, 40)] {
        let read = desk.import(&quiet(there), at).await;
        assert_eq!((read.info.mode, read.info.users), (Mode::Full, there as u64), "{at}");
    }
    assert_eq!(desk.import(&quiet(10), 50).await.info.mode, Mode::Delta);
}

#[tokio::test]
async fn what_the_feed_does_not_tell_is_found_and_counted() {
    let desk = Desk::new();
    desk.import(&delta(Vec::new()), 0).await;
    let all = vec![person("ann", "Chief"), person("bob", "Chief"), person("cid", "Clerk"), team(&["ann"])];
    let told = Directory { all, ..delta(vec![person("ann", "Chief")]) };
    let done = desk.import(&told, 50).await;
    assert_eq!((done.info.mode, done.changed, done.missed), (Mode::Delta, 1, 0));
    // A group that only lost a member is not counted: nobody tells of those who were deleted.
    let done = desk.import(&told, 100).await;
    assert_eq!((done.info.mode, done.changed, done.missed), (Mode::Full, 2, 1));
    assert!(done.info.notices.iter().any(|notice| notice.contains("had not reported 1 entry ")));
    let done = desk.import(&told, 150).await;
    assert_eq!((done.info.mode, done.missed), (Mode::Delta, 0));
}

#[tokio::test]
async fn a_feed_that_could_not_be_compared_is_not_said_to_be_whole() {
    let desk = Desk::new();
    desk.import(&delta(Vec::new()), 0).await;
    let said = |done: &Imported| {
        let notices = done.info.notices.iter();
        notices.filter(|notice| notice.contains("could not be compared")).cloned().collect::<Vec<_>>()
    };
    let mut all = company();
    all[0] = person("ann", "Chief");
    let done = desk.import(&Throttled(Directory { all, ..delta(Vec::new()) }), 100).await;
    assert_eq!((done.info.mode, done.changed, done.missed), (Mode::Full, 1, 0));
    let notices = said(&done);
    let [notice] = &notices[..] else { panic!("{:?}", done.info.notices) };
    assert!(notice.ends_with("with this full read: it may not be read so often"), "{notice}");
    let done = desk.import(&delta(Vec::new()), 200).await;
    assert_eq!((done.info.mode, done.missed, said(&done)), (Mode::Full, 1, Vec::new()));
}

#[tokio::test]
async fn what_cannot_be_understood_counts_until_the_directory_says_more_of_it() {
    let strange = |anchor: &str| Change::Unreadable {
        anchor: Some(Anchor::new(anchor)),
        what: format!("cn={anchor}"),
        why: "it has two family names".to_owned(),
    };
    let desk = Desk::new();
    let first = [company(), vec![strange("eve"), strange("fay")]].concat();
    let first = desk.import(&Directory { all: first, changed: Vec::new(), mode: Mode::Delta }, 0).await.info;
    assert_eq!(first.unreadable_count, 2);
    // Nothing is new, and no policy needs to look.
    let quiet = desk.import(&delta(Vec::new()), 10).await.info;
    assert_eq!((quiet.unreadable_count, quiet.sequence), (2, first.sequence));
    let again = desk.import(&delta(vec![strange("eve")]), 20).await.info;
    assert_eq!((again.unreadable_count, again.unreadable.len()), (2, 2));
    // No entry was written, and yet there is something to see.
    let gone = desk.import(&delta(vec![Change::Tombstone(Anchor::new("fay"))]), 30).await.info;
    assert_eq!((gone.unreadable_count, &*gone.unreadable[0].what), (1, "cn=eve"));
    assert!(gone.sequence > quiet.sequence);
    let understood = desk.import(&delta(vec![person("eve", "Clerk")]), 40).await.info;
    assert_eq!((understood.unreadable_count, understood.users), (0, 4));
}

fn told(added: &[&str], removed: &[&str]) -> Change {
    let references = |names: &[&str]| names.iter().map(|name| by(name)).collect();
    Change::MembersDelta {
        group: Anchor::new("team"),
        added: references(added),
        removed: references(removed),
    }
}

/// The group as a feed tells of it that says nothing of its members.
fn renamed(name: &str) -> Change {
    let Change::Replace(mut entry) = team(&[]) else { unreachable!() };
    entry.members = Members::NotStated;
    entry.fields.insert(fields::NAME.to_owned(), Stated::Values(vec![name.to_owned()]));
    Change::Replace(entry)
}

/// Who is in the group by the list that is stored, and whether that is all.
fn listed(desk: &Desk) -> (Vec<&'static str>, bool) {
    let snapshot = desk.store.snapshot(&ConnectorName::new("test", "corp")).unwrap().unwrap();
    let (mut of, mut team) = (BTreeMap::new(), None);
    let mut each = |row: rollcall::store::snapshot::Row| match row.entry.anchor.as_str() {
        "team" => team = Some(row.id),
        other => _ = of.insert(other.to_owned(), row.names),
    };
    snapshot.for_each_row(&mut each).unwrap();
    let edges = snapshot.edges(team.unwrap()).unwrap();
    let is_in =
        |who: &&str| of.get(*who).is_some_and(|names| names.iter().any(|name| edges.names.contains(name.0)));
    (["ann", "bob", "cid", "dan"].into_iter().filter(is_in).collect(), edges.complete)
}

#[tokio::test]
async fn of_a_group_who_came_and_who_went_is_told_in_parts() {
    let parts = || [told(&["cid"], &["ann"]), told(&["ann"], &["bob"]), told(&[], &["ann", "nobody"])];
    let desk = Desk::new();
    desk.import(&delta(Vec::new()), 0).await;
    let done = desk.import(&delta(parts().to_vec()), 10).await;
    assert_eq!((listed(&desk), done.changed), ((vec!["cid"], true), 1));
    // A list that comes later in the same read is all of it; what comes after it is told of that.
    for (changes, members) in [
        (vec![told(&["dan"], &[]), team(&["bob"])], vec!["bob"]),
        (vec![team(&["bob"]), told(&["ann"], &[])], vec!["ann", "bob"]),
        (vec![told(&["cid"], &[]), renamed("Crew"), told(&[], &["bob"])], vec!["ann", "cid"]),
        (
            vec![renamed("Crew"), told(&["bob"], &[]), renamed("Crew"), told(&[], &["cid"])],
            vec!["ann", "bob"],
        ),
    ] {
        desk.import(&delta(changes), 20).await;
        assert_eq!(listed(&desk), (members, true));
    }
}

#[tokio::test]
async fn a_list_that_is_not_stated_is_as_it_was() {
    let desk = Desk::new();
    desk.import(&delta(Vec::new()), 0).await;
    let once = desk.import(&delta(vec![renamed("Crew")]), 10).await;
    let again = desk.import(&delta(vec![renamed("Crew")]), 20).await;
    assert_eq!((once.changed, again.changed, listed(&desk)), (1, 0, (vec!["ann", "bob"], true)));
    // What is known of a part is known of a part still.
    let Change::Replace(mut part) = team(&[]) else { unreachable!() };
    part.members = Members::Partial(vec![by("cid")], "it was cut off".to_owned());
    desk.import(&delta(vec![Change::Replace(part), renamed("Club")]), 30).await;
    assert_eq!(listed(&desk), (vec!["ann", "bob", "cid"], false));
    // Whoever is told of while it cannot be understood, or is gone, is not heard of: all must be told.
    let unreadable = || Change::Unreadable {
        anchor: Some(Anchor::new("team")),
        what: "the team".to_owned(),
        why: "it is damaged".to_owned(),
    };
    for away in [unreadable(), Change::Tombstone(Anchor::new("team"))] {
        desk.import(&delta(vec![team(&["ann"])]), 40).await;
        desk.import(&delta(vec![told(&["bob"], &[]), away, told(&["cid"], &[])]), 50).await;
        desk.import(&delta(vec![renamed("Crew")]), 60).await;
        assert_eq!(listed(&desk), (vec!["ann", "bob"], false));
    }
    // Of one that is new nobody knows who is in it.
    let desk = Desk::new();
    desk.import(&Directory { all: vec![person("ann", "Boss")], ..delta(Vec::new()) }, 0).await;
    desk.import(&delta(vec![renamed("Crew"), told(&["ann"], &[])]), 10).await;
    assert_eq!(listed(&desk), (vec!["ann"], false));
}

#[tokio::test]
async fn who_is_removed_by_the_dn_of_now_goes_by_that_of_before_too() {
    let desk = Desk::new();
    desk.import(&changes_around_ann(Vec::new()), 0).await;
    let new = "cn=ann lee,dc=x";
    let one = |dn: &str| vec![Reference::Dn(Dn::parse(dn).unwrap())];
    let removed =
        || Change::MembersDelta { group: Anchor::new("team"), added: Vec::new(), removed: one(new) };
    // Renamed; the list has her by the DN of before, as does the directory's own.
    desk.import(&changes_around_ann(vec![named("ann", new)]), 10).await;
    assert!(is_member(&desk, "ann"));
    // Somebody else is removed who has her former name by now.
    let other = Change::MembersDelta { group: Anchor::new("team"), added: Vec::new(), removed: one(DN) };
    desk.import(&changes_around_ann(vec![named("another", DN), other]), 20).await;
    assert!(is_member(&desk, "ann"));
    desk.import(&changes_around_ann(vec![removed()]), 30).await;
    assert!(!is_member(&desk, "ann"));
}

#[tokio::test]
async fn a_property_that_was_not_sent_is_as_it_was() {
    let patch = |who: &str, set: &[(&str, &str)], cleared: &[&str], alone: Result<(), &str>| {
        let Change::Replace(mut entry) = person(who, "") else { unreachable!() };
        let stated = |value: &str| Stated::Values(vec![value.to_owned()]);
        entry.fields = set.iter().map(|(field, value)| ((*field).to_owned(), stated(value))).collect();
        let cleared = cleared.iter().map(|field| (*field).to_owned()).collect();
        let alone = alone.map_err(str::to_owned);
        let cleared_attributes = BTreeSet::default();
        Change::Patch(Box::new(Patch { set: *entry, cleared, cleared_attributes, alone }))
    };
    let desk = Desk::new();
    desk.import(&delta(Vec::new()), 0).await;
    let title = |who: &str| {
        let snapshot = desk.store.snapshot(&ConnectorName::new("test", "corp")).unwrap().unwrap();
        let mut found = Vec::new();
        snapshot.for_each_row(&mut |row| found.push(row.entry)).unwrap();
        let entry = found.into_iter().find(|entry| entry.anchor.as_str() == who)?;
        Some(
            entry
                .fields
                .into_values()
                .flat_map(|stated| match stated {
                    Stated::Values(values) => values,
                    Stated::Undecodable => panic!(),
                })
                .collect::<Vec<_>>()
                .join(" "),
        )
    };
    let none = Err("it is a part");
    let same = desk.import(&delta(vec![patch("ann", &[], &[], none)]), 10).await;
    assert_eq!((same.changed, title("ann").as_deref()), (0, Some("Boss")));
    desk.import(&delta(vec![patch("ann", &[("office", "7")], &[], none)]), 20).await;
    assert_eq!(title("ann").as_deref(), Some("7 Boss"));
    let twice = vec![patch("ann", &[], &["office"], none), patch("ann", &[("title", "Chief")], &[], none)];
    desk.import(&delta(twice), 30).await;
    assert_eq!(title("ann").as_deref(), Some("Chief"));
    // Of whom nothing is known a part is not enough.
    let new = vec![
        patch("eve", &[("title", "Clerk")], &[], none),
        patch("fay", &[("title", "Clerk")], &[], Ok(())),
    ];
    let done = desk.import(&delta(new), 40).await;
    assert_eq!((title("eve"), title("fay").as_deref(), done.unreadable), (None, Some("Clerk"), 1));
    // Of whom could not be understood nobody knows what else changed since: all is read, and that says it.
    let damaged = Change::Unreadable {
        anchor: Some(Anchor::new("ann")),
        what: "ann".to_owned(),
        why: "it is damaged".to_owned(),
    };
    desk.import(&delta(vec![damaged]), 50).await;
    let part = desk.import(&delta(vec![patch("ann", &[("office", "9")], &[], Ok(()))]), 60).await;
    assert_eq!((part.unreadable, title("ann").as_deref()), (1, Some("Chief")));
    let next = desk.import(&delta(Vec::new()), 70).await;
    assert_eq!((next.info.mode, title("ann").as_deref()), (Mode::Full, Some("Boss")));
}
