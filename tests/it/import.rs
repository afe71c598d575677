//! Imports into a real store, from reads that go well or badly.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use roaring::RoaringBitmap;
use rollcall::directory::{
    Anchor, Batch, Change, Completion, ConnectorName, Cursor, Dn, Entry, EntryKind, Evidence, Grade, Members,
    Mode, OfNoKind, Owner, Reference, Shown, Stated, fields,
};
use rollcall::source::{LookUp, Reason, Sink, Source, SourceError};
use rollcall::store::Store;
use rollcall::store::snapshot::{Presence, Row, RowId, Snapshot};
use rollcall::sync::import::{self, ImportError, Imported, import};
use rstest::rstest;

use crate::support::completion::completion;
use crate::support::hand::Hand;
use crate::support::reading;

mod doubles;
mod exchanges;
mod places;
mod support;
mod waiting;

/// One read: what comes, how it ends, and what a look-up finds.
#[derive(Clone)]
struct Read {
    changes: Vec<Change>,
    ends_early: bool,
    looks_up: bool,
    /// There, though the read does not bring them.
    elsewhere: Vec<&'static str>,
    /// There, and of no kind: it says nothing of those who were of these kinds.
    of_no_kind: (Vec<&'static str>, &'static [EntryKind]),
    directory: &'static str,
    scope: &'static str,
    /// Who is read, and who answers a look-up.
    servers: [&'static str; 2],
    /// Whether nothing shows that all came, as with a file.
    no_end: bool,
}

impl Source for Read {
    async fn read(&self, _: Option<&Cursor>, sink: Sink) -> Result<Completion, SourceError> {
        for changes in self.changes.chunks(3) {
            sink.send(Batch(changes.to_vec())).await.unwrap();
        }
        if self.ends_early {
            return Err(SourceError::new(Reason::Interrupted, "the connection was cut"));
        }
        Ok(Completion {
            server: Some(self.servers[0].to_owned()),
            scope: self.scope.to_owned(),
            shown: Shown { no_end: self.no_end, ..Shown::default() },
            ..completion(Mode::Full, self.directory)
        })
    }

    async fn look_up(
        &self,
        anchors: &[Anchor],
        _: &HashMap<Anchor, String>,
    ) -> Result<Option<LookUp>, SourceError> {
        if !self.looks_up {
            return Ok(None);
        }
        let (strange, kinds) = &self.of_no_kind;
        let (strange, others): (Vec<Anchor>, Vec<Anchor>) =
            anchors.iter().cloned().partition(|anchor| strange.contains(&anchor.as_str()));
        let there = |anchor: &Anchor| self.elsewhere.contains(&anchor.as_str());
        let (found, missing) = others.into_iter().partition(there);
        let of_no_kind = strange.iter().map(|anchor| of_no_kind(anchor.as_str(), kinds)).collect();
        let server = Some(self.servers[1].to_owned());
        Ok(Some(LookUp { server, found, of_no_kind, missing, ..LookUp::default() }))
    }
}

fn of_no_kind(name: &str, kinds: &'static [EntryKind]) -> OfNoKind {
    let (what, why) = (format!("cn={name},dc=x"), "it is a printer".to_owned());
    OfNoKind { anchor: Anchor::new(name), what, why, kinds }
}

fn dn(name: &str) -> Reference {
    Reference::Dn(Dn::parse(&format!("cn={name},dc=x")).unwrap())
}

fn person(name: &str) -> Change {
    titled(name, None)
}

fn titled(name: &str, title: Option<&str>) -> Change {
    let title = title.map(|title| (fields::TITLE.to_owned(), Stated::Values(vec![title.to_owned()])));
    Change::Replace(Box::new(Entry {
        anchor: Anchor::new(name),
        dn: format!("cn={name},dc=x"),
        names: vec![dn(name)],
        fields: title.into_iter().collect(),
        ..Entry::nobody()
    }))
}

fn team(name: &str, members: Members) -> Change {
    Change::Replace(Box::new(Entry {
        anchor: Anchor::new(name),
        kind: EntryKind::Group,
        dn: format!("cn={name},dc=x"),
        names: vec![dn(name)],
        members,
        ..Entry::nobody()
    }))
}

fn read(changes: Vec<Change>) -> Read {
    Read {
        changes,
        ends_early: false,
        looks_up: true,
        elsewhere: Vec::new(),
        of_no_kind: (Vec::new(), &[]),
        directory: "d",
        scope: "all",
        servers: ["one"; 2],
        no_end: false,
    }
}

fn people(names: std::ops::Range<u32>) -> Vec<Change> {
    names.map(|number| titled(&format!("p{number}"), Some("Chief"))).collect()
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

    async fn import(&self, read: &Read) -> Result<Imported, ImportError> {
        self.import_looking_up(read, 1000).await
    }

    async fn import_after(&self, hours: i64, read: &Read) -> Result<Imported, ImportError> {
        self.import_at(&Hand::hours(hours), read, 1000).await
    }

    async fn import_looking_up(&self, read: &Read, look_ups: usize) -> Result<Imported, ImportError> {
        self.import_at(&Hand::hours(0), read, look_ups).await
    }

    async fn import_at(&self, at: &Hand, read: &Read, look_ups: usize) -> Result<Imported, ImportError> {
        let options = import::Options { look_ups, ..reading::options() };
        import(read, &self.store, &ConnectorName::new("test", "corp"), options, at, |_| {}).await
    }

    fn snapshot(&self) -> Snapshot {
        self.store.snapshot(&ConnectorName::new("test", "corp")).unwrap().unwrap()
    }

    fn rows(&self) -> BTreeMap<String, Row> {
        let mut rows = BTreeMap::new();
        let mut each = |row: Row| drop(rows.insert(row.entry.anchor.as_str().to_owned(), row));
        self.snapshot().for_each_row(&mut each).unwrap();
        rows
    }

    fn presence(&self, anchor: &str) -> Presence {
        self.rows()[anchor].presence.clone()
    }

    /// How a group's list stands: how many names it states, and whether it was read completely.
    fn edges(&self, anchor: &str) -> (u64, bool) {
        let row: RowId = self.rows()[anchor].id;
        let edges = self.snapshot().edges(row).unwrap();
        (edges.names.len(), edges.complete)
    }
}

#[track_caller]
fn is_gone(presence: &Presence, grade: Grade, configuration: bool) {
    let Presence::Gone { evidence, .. } = presence else { panic!("{presence:?}") };
    assert_eq!(*evidence, Evidence { grade, configuration });
}

#[tokio::test]
async fn a_read_that_ends_early_changes_nothing() {
    let desk = Desk::new();
    let cut = Read { ends_early: true, ..read(people(0..10)) };
    assert!(desk.import(&cut).await.is_err());
    assert!(desk.store.snapshot(&ConnectorName::new("test", "corp")).unwrap().is_none());
    desk.import(&read(people(0..5))).await.unwrap();
    let (info, rows) = (desk.snapshot().info().clone(), desk.rows());
    assert!(desk.import(&cut).await.is_err());
    assert_eq!((desk.snapshot().info(), desk.rows()), (&info, rows));
    // Nothing of it was left behind for the next one either.
    let next = desk.import(&read(people(0..10))).await.unwrap();
    assert_eq!((next.changed, desk.rows().len()), (5, 10));
}

/// A read that hangs on a thread of its own, as one of a mount that hangs.
struct Hangs(std::sync::Mutex<Option<std::sync::mpsc::Receiver<()>>>);

impl Source for Hangs {
    async fn read(&self, _: Option<&Cursor>, sink: Sink) -> Result<Completion, SourceError> {
        let until = self.0.lock().unwrap().take().unwrap();
        let reading = tokio::task::spawn_blocking(move || {
            let ended = until.recv();
            drop(sink);
            ended
        });
        reading.await.unwrap().unwrap_err();
        Err(SourceError::new(Reason::Interrupted, "it ended"))
    }

    async fn look_up(
        &self,
        _: &[Anchor],
        _: &HashMap<Anchor, String>,
    ) -> Result<Option<LookUp>, SourceError> {
        Ok(None)
    }
}

#[tokio::test]
async fn a_read_that_hangs_on_a_thread_of_its_own_is_given_up() {
    let desk = Desk::new();
    desk.import(&read(people(0..5))).await.unwrap();
    let (let_go, until) = std::sync::mpsc::channel();
    let (source, minute) = (Hangs(std::sync::Mutex::new(Some(until))), Duration::from_mins(1));
    let options =
        import::Options { look_ups: 0, timeout: Duration::from_millis(50), full_read_every: minute };
    let name = ConnectorName::new("test", "corp");
    let ended = import(&source, &desk.store, &name, options, &Hand::hours(1), |_| {}).await;
    assert!(ended.unwrap_err().to_string().contains("spec.timeout"));
    // The store is free for the next one, while that thread still hangs.
    desk.import(&read(people(0..6))).await.unwrap();
    assert_eq!(desk.rows().len(), 6);
    drop(let_go);
}

/// A damaged entry that bears the id of one and the name of this one.
#[rstest]
#[case::of_another("cn=ann,dc=x", true)]
#[case::its_own("cn=bob,dc=x", false)]
#[case::new("cn=bobby,dc=x", false)]
#[tokio::test]
async fn who_is_missing_may_have_stood_between_two_who_ran_together(#[case] what: &str, #[case] stays: bool) {
    let desk = Desk::new();
    let all = ["ann", "bob", "cid"];
    desk.import(&Read { looks_up: false, ..read(all.map(person).into()) }).await.unwrap();
    let (what, why) = (what.to_owned(), "it is damaged".to_owned());
    let damaged = Change::Unreadable { anchor: Some(Anchor::new("bob")), what, why };
    let came = if stays { vec![damaged] } else { vec![person("ann"), damaged] };
    desk.import(&Read { looks_up: false, ..read(came) }).await.unwrap();
    assert_eq!(
        matches!(desk.presence("cid"), Presence::Unsettled { .. }),
        stays,
        "{:?}",
        desk.presence("cid")
    );
    for one in ["ann", "bob"] {
        assert!(!matches!(desk.presence(one), Presence::Gone { .. }));
    }
}

/// An account that was in a state, and how it comes next.
#[rstest]
#[case::was_disabled(Some(true), None, None, false)]
#[case::enabled_again(Some(true), Some(false), None, true)]
#[case::a_mailbox_without_a_login(Some(true), None, Some("room"), true)]
#[case::was_enabled(Some(false), None, None, true)]
#[case::never_had_one(None, None, None, true)]
#[tokio::test]
async fn who_was_disabled_and_shows_no_state_any_more_stays_so(
    #[case] was: Option<bool>,
    #[case] is: Option<bool>,
    #[case] mailbox: Option<&str>,
    #[case] taken: bool,
) {
    let account = |disabled, title: &str, mailbox: Option<&str>| {
        let Change::Replace(entry) = titled("zoe", Some(title)) else { panic!() };
        let mailbox = mailbox.map(|of| (fields::MAILBOX.to_owned(), Stated::Values(vec![of.to_owned()])));
        let fields = entry.fields.clone().into_iter().chain(mailbox).collect();
        Change::Replace(Box::new(Entry { disabled, fields, ..*entry }))
    };
    let desk = Desk::new();
    desk.import(&read(vec![account(was, "Clerk", None)])).await.unwrap();
    for _ in 0..2 {
        desk.import(&read(vec![account(is, "Boss", mailbox)])).await.unwrap();
        assert_eq!(desk.presence("zoe") == Presence::Present, taken);
        assert_eq!(desk.rows()["zoe"].entry.disabled, if taken { is } else { was });
    }
    let imported = desk.import(&read(vec![account(was, "Clerk", None)])).await.unwrap();
    assert_eq!((imported.unreadable, desk.presence("zoe")), (0, Presence::Present));
}

#[tokio::test]
async fn a_read_that_brings_nothing_new_writes_no_entry() {
    let desk = Desk::new();
    let first = desk.import(&read(people(0..5))).await.unwrap();
    let second = desk.import(&read(people(0..5))).await.unwrap();
    assert_eq!((first.changed, second.changed, second.removed), (5, 0, 0));
    assert_eq!(first.info.sequence, second.info.sequence, "no change takes no number");
    assert_eq!((first.info.completion, second.info.completion), (1, 2));
}

#[tokio::test]
async fn what_is_missing_is_looked_up_and_graded_by_what_is_found() {
    let desk = Desk::new();
    desk.import(&read(vec![person("ann"), person("bob"), person("cid")])).await.unwrap();
    let fewer = Read { elsewhere: vec!["bob"], ..read(vec![person("cid")]) };
    let imported = desk.import(&fewer).await.unwrap();
    assert_eq!((imported.removed, imported.unsettled), (2, 0));
    is_gone(&desk.presence("ann"), Grade::Absent, false);
    is_gone(&desk.presence("bob"), Grade::OutOfScope, false);
    // They come back as they were.
    desk.import(&read(vec![person("ann"), person("bob"), person("cid")])).await.unwrap();
    assert_eq!((desk.presence("ann"), desk.presence("bob")), (Presence::Present, Presence::Present));
}

#[rstest]
#[case::people_by_their_classes(&[EntryKind::User], &["ann"])]
#[case::groups_by_their_classes(&[EntryKind::Group], &["team"])]
#[case::both(&[EntryKind::User, EntryKind::Group], &["ann", "team"])]
#[case::by_filters_of_somebodys_own(&[], &[])]
#[tokio::test]
async fn what_is_of_no_kind_stays_unless_a_filter_of_somebodys_own_leaves_it_out(
    #[case] kinds: &'static [EntryKind],
    #[case] stay: &[&str],
    #[values(false, true)] told: bool,
) {
    let desk = Desk::new();
    let all = vec![person("ann"), team("team", Members::Complete(Vec::new())), person("bob")];
    desk.import(&read(all.clone())).await.unwrap();
    // By the read itself, or by the look-up after it; and again.
    let next = if told {
        let strange = ["ann", "team", "new"].map(|name| Change::OfNoKind(of_no_kind(name, kinds)));
        read([&strange[..], &[person("bob")]].concat())
    } else {
        Read { of_no_kind: (vec!["ann", "team"], kinds), ..read(vec![person("bob")]) }
    };
    for again in [false, true] {
        let imported = desk.import(&next).await.unwrap();
        assert_eq!(imported.unreadable, stay.len() as u64);
        assert_eq!(
            (imported.removed, imported.unsettled),
            (if again { 0 } else { 2 - imported.unreadable }, 0)
        );
        for name in ["ann", "team"] {
            match desk.presence(name) {
                Presence::Unreadable(why) => assert!(stay.contains(&name) && why.contains("printer")),
                gone => {
                    assert!(!stay.contains(&name), "{name}");
                    is_gone(&gone, Grade::OutOfScope, false);
                }
            }
        }
    }
    desk.import(&read(all)).await.unwrap();
    assert_eq!((desk.presence("ann"), desk.presence("team")), (Presence::Present, Presence::Present));
}

#[tokio::test]
async fn what_cannot_be_or_was_not_looked_up_is_less_than_absent() {
    let desk = Desk::new();
    desk.import(&read(vec![person("ann"), person("bob")])).await.unwrap();
    let fewer = read(vec![person("bob")]);
    let imported = desk.import_looking_up(&fewer, 0).await.unwrap();
    assert_eq!((imported.removed, imported.unsettled), (0, 1));
    assert!(matches!(desk.presence("ann"), Presence::Unsettled { .. }));
    // The next read settles it.
    let imported = desk.import(&Read { looks_up: false, ..fewer }).await.unwrap();
    assert_eq!((imported.removed, imported.unsettled), (1, 0));
    is_gone(&desk.presence("ann"), Grade::AbsentUnconfirmed, false);
}

#[tokio::test]
async fn another_server_may_be_behind_and_says_nobody_is_gone_for_a_day() {
    let desk = Desk::new();
    let (all, fewer) = (vec![person("ann"), person("bob")], vec![person("bob")]);
    let by = |servers, changes: &Vec<Change>| Read { servers, ..read(changes.clone()) };
    desk.import(&by(["one"; 2], &all)).await.unwrap();
    let imported = desk.import_after(1, &by(["two"; 2], &fewer)).await.unwrap();
    assert_eq!((imported.removed, imported.unsettled), (0, 1));
    assert!(
        imported.info.notices[0].starts_with("1 entry that another server"),
        "{:?}",
        imported.info.notices
    );
    // Nor by being asked twice, nor where the look-up alone went to another one.
    for servers in [["two"; 2], ["one", "two"]] {
        assert_eq!(desk.import_after(24, &by(servers, &fewer)).await.unwrap().unsettled, 1, "{servers:?}");
    }
    // The one that told of her settles it.
    assert_eq!(desk.import_after(24, &by(["one"; 2], &fewer)).await.unwrap().removed, 1);
    is_gone(&desk.presence("ann"), Grade::Absent, false);
    // If it never comes back, a day does.
    desk.import_after(30, &by(["one"; 2], &all)).await.unwrap();
    for (hours, removed) in [(31, 0), (54, 0), (55, 1)] {
        let imported = desk.import_after(hours, &by(["two"; 2], &fewer)).await.unwrap();
        assert_eq!(imported.removed, removed, "{hours} h");
    }
    // Whoever it shows itself is its own affair from then on.
    let imported = desk.import_after(56, &by(["two"; 2], &vec![person("cid")])).await.unwrap();
    assert_eq!((imported.removed, imported.unsettled), (1, 0));
}

#[tokio::test]
async fn a_name_is_new_in_the_read_that_stated_it_first() {
    let desk = Desk::new();
    let listing = |names: &[&str]| {
        let members = names.iter().map(|name| dn(name)).collect();
        read(vec![person("ann"), team("team", Members::Complete(members))])
    };
    let new = |imported: &Imported| imported.info.waiting.as_ref().is_some_and(|waiting| !waiting.is_empty());
    desk.import(&listing(&["ann"])).await.unwrap();
    // Of a read that was cut nobody heard.
    assert!(desk.import(&Read { ends_early: true, ..listing(&["ann", "anna"]) }).await.is_err());
    assert!(new(&desk.import(&listing(&["anna"])).await.unwrap()));
    assert!(!new(&desk.import(&listing(&["anna"])).await.unwrap()));
}

#[tokio::test]
async fn who_is_listed_again_counts_once() {
    let desk = Desk::new();
    desk.import(&read(people(0..3))).await.unwrap();
    let listed = |numbers: std::ops::Range<u32>| {
        read(numbers.map(|number| Change::Unchanged(Anchor::new(format!("p{number}")))).collect())
    };
    let counted = [
        desk.import_looking_up(&listed(0..2), 0).await.unwrap().info.users,
        desk.import(&listed(0..3)).await.unwrap().info.users,
    ];
    assert_eq!(counted, [2, 3]);
}

#[tokio::test]
async fn what_another_scope_leaves_out_is_graded_configuration() {
    let desk = Desk::new();
    desk.import(&read(vec![person("ann"), person("bob")])).await.unwrap();
    let narrower = Read { scope: "less", elsewhere: vec!["ann"], ..read(vec![person("bob")]) };
    desk.import(&narrower).await.unwrap();
    is_gone(&desk.presence("ann"), Grade::OutOfScope, true);
}

#[tokio::test]
async fn a_tombstone_says_it_itself() {
    let desk = Desk::new();
    desk.import(&read(vec![person("ann"), person("bob")])).await.unwrap();
    let deleted = read(vec![Change::Tombstone(Anchor::new("ann")), person("bob")]);
    desk.import(&deleted).await.unwrap();
    is_gone(&desk.presence("ann"), Grade::Tombstone, false);
}

#[tokio::test]
async fn an_entry_that_cannot_be_understood_is_there() {
    let desk = Desk::new();
    desk.import(&read(vec![person("ann"), person("bob"), person("cid")])).await.unwrap();
    let unreadable = |anchor: Option<&str>, what: &str| Change::Unreadable {
        anchor: anchor.map(Anchor::new),
        what: what.to_owned(),
        why: "it is damaged".to_owned(),
    };
    let damaged = read(vec![
        unreadable(Some("ann"), "cn=ann,dc=x"),
        // Without its id it is known by the name that it had, however that is spelled.
        unreadable(None, "CN=Bob, DC=x"),
        unreadable(None, "cn=somebody,dc=x"),
        person("cid"),
    ]);
    let imported = desk.import(&damaged).await.unwrap();
    assert!(matches!(desk.presence("ann"), Presence::Unreadable(_)));
    assert!(matches!(desk.presence("bob"), Presence::Unreadable(_)));
    assert_eq!((imported.removed, imported.unreadable), (0, 3));
    desk.import(&read(vec![person("ann"), person("bob"), person("cid")])).await.unwrap();
    assert_eq!(desk.presence("ann"), Presence::Present);
}

#[tokio::test]
async fn one_that_was_gone_and_cannot_be_understood_is_there_again() {
    let desk = Desk::new();
    desk.import(&read(vec![person("ann"), person("bob")])).await.unwrap();
    desk.import(&read(vec![person("bob")])).await.unwrap();
    let why = "it is damaged".to_owned();
    let back = Change::Unreadable { anchor: Some(Anchor::new("ann")), what: "cn=ann,dc=x".to_owned(), why };
    desk.import(&read(vec![back, person("bob")])).await.unwrap();
    assert!(matches!(desk.presence("ann"), Presence::Unreadable(_)));
}

#[tokio::test]
async fn of_an_entry_that_comes_twice_in_a_read_the_last_counts() {
    let why = "it is damaged".to_owned();
    let damaged =
        Change::Unreadable { anchor: Some(Anchor::new("ann")), what: "cn=ann,dc=x".to_owned(), why };
    let changed = || titled("ann", Some("Boss"));
    let after = async |first: Change, then: Change| {
        let desk = Desk::new();
        desk.import(&read(vec![person("ann"), person("bob")])).await.unwrap();
        desk.import(&read(vec![first, then, person("bob")])).await.unwrap();
        assert_eq!(desk.rows()["ann"].entry.fields.len(), 1, "what was changed first is what it is made of");
        desk.presence("ann")
    };
    assert!(matches!(after(changed(), damaged.clone()).await, Presence::Unreadable(_)));
    assert_eq!(after(damaged, changed()).await, Presence::Present);
}

fn unproven(change: Change, sure: bool) -> Change {
    let Change::Replace(entry) = change else { panic!("{change:?}") };
    Change::Unproven { entry, sure, why: "the file ends within it".to_owned() }
}

#[tokio::test]
async fn what_an_unproven_entry_does_not_say_takes_nothing_away() {
    let desk = Desk::new();
    let team_of =
        |members: &[&str]| team("t", Members::Complete(members.iter().map(|name| dn(name)).collect()));
    let all = || vec![titled("ann", Some("Engineer")), titled("bob", None), team_of(&["ann", "bob"])];
    desk.import(&read(all())).await.unwrap();
    for (last, is_there) in [
        (unproven(titled("ann", Some("Engineer")), true), true),
        (unproven(titled("ann", None), true), false),
        (unproven(titled("ann", Some("Head")), false), false),
    ] {
        desk.import(&read(vec![titled("bob", None), team_of(&["ann", "bob"]), last.clone()])).await.unwrap();
        assert_eq!(desk.presence("ann") == Presence::Present, is_there, "{last:?}");
        assert_eq!(
            desk.rows()["ann"].entry.fields[fields::TITLE],
            Stated::Values(vec!["Engineer".to_owned()])
        );
    }
    let added = unproven(team_of(&["cid"]), true);
    desk.import(&read(vec![titled("ann", Some("Engineer")), titled("bob", None), added])).await.unwrap();
    assert_eq!((desk.edges("t"), desk.presence("t")), ((3, false), Presence::Present));
    let new = [unproven(person("dee"), true), unproven(person("eve"), false)];
    desk.import(&read([all(), new.to_vec()].concat())).await.unwrap();
    assert_eq!((desk.presence("dee"), desk.rows().contains_key("eve")), (Presence::Present, false));
}

#[tokio::test]
async fn who_may_be_the_one_that_could_not_be_understood_is_not_missing() {
    let unreadable = |anchor: Option<&str>, what: &str| Change::Unreadable {
        anchor: anchor.map(Anchor::new),
        what: what.to_owned(),
        why: "it is damaged".to_owned(),
    };
    let no_kind = |anchor: &str| Change::OfNoKind(of_no_kind(anchor, &[EntryKind::User]));
    for (odd, stays) in [
        (unreadable(Some("bob"), "cn=somebody,dc=x"), "Unreadable"),
        (unreadable(None, "cn=bob,dc=x"), "Unreadable"),
        (unreadable(Some("zoe"), "cn=bob,dc=x"), "Unsettled"),
        (unreadable(None, "the end of a.ldif"), "Unsettled"),
        (unreadable(None, "cn=zoe,dc=x"), "Unsettled"),
        (unreadable(Some("zoe"), "cn=zoe,dc=x"), "Gone"),
        (no_kind("bob"), "Unreadable"),
        (no_kind("zoe"), "Gone"),
        (Change::Outside(Anchor::new("bob")), "Gone"),
    ] {
        let desk = Desk::new();
        let read = |changes| Read { looks_up: false, ..read(changes) };
        desk.import(&read(vec![person("ann"), person("bob")])).await.unwrap();
        desk.import(&read(vec![person("ann"), odd.clone()])).await.unwrap();
        let is = format!("{:?}", desk.presence("bob"));
        assert!(is.starts_with(stays), "{is} after {odd:?}");
    }
}

/// Who has the name of somebody who left, and cannot be understood: they are somebody else by their id. In a file the two may have
/// run together, but not twice in the same way.
#[rstest]
#[tokio::test]
async fn an_id_of_its_own_keeps_nobody_who_had_its_name(
    #[values("cid", "zoe")] id: &str,
    #[values(false, true)] looks_up: bool,
) {
    let desk = Desk::new();
    let read = |changes| Read { looks_up, ..read(changes) };
    let odd = |what: &str| Change::Unreadable {
        anchor: Some(Anchor::new(id)),
        what: what.to_owned(),
        why: "it is damaged".to_owned(),
    };
    let come = |names: &[&str], what: &str| {
        let others = names.iter().filter(|name| **name != id).map(|name| person(name));
        read(others.chain([odd(what)]).collect())
    };
    desk.import(&read(["ann", "bob", "cid"].map(person).into())).await.unwrap();
    let first = desk.import(&come(&["ann", "cid"], "cn=bob,dc=x")).await.unwrap();
    let is_kept = matches!(desk.presence("bob"), Presence::Unsettled { .. });
    assert_eq!((is_kept, first.removed), (!looks_up, u64::from(looks_up)), "{:?}", desk.presence("bob"));
    assert_eq!(first.info.notices.iter().any(|notice| notice.contains("stay as they are")), !looks_up);
    desk.import(&come(&["ann", "cid"], "cn=bob,dc=x")).await.unwrap();
    is_gone(&desk.presence("bob"), if looks_up { Grade::Absent } else { Grade::AbsentUnconfirmed }, false);
    // Under another name it may be made of other two.
    desk.import(&come(&["cid"], "cn=ann,dc=x")).await.unwrap();
    assert_eq!(matches!(desk.presence("ann"), Presence::Unsettled { .. }), !looks_up);
}

#[tokio::test]
async fn very_many_entries_without_an_id_keep_those_alone_who_left_when_they_came() {
    let desk = Desk::new();
    let read = |changes| Read { looks_up: false, ..read(changes) };
    let odd = |number: u32| Change::Unreadable {
        anchor: None,
        what: format!("cn=n{number},dc=x"),
        why: "it has no id".to_owned(),
    };
    let some = |names: &[&str], odds: u32| {
        read(names.iter().map(|name| person(name)).chain((0..odds).map(odd)).collect())
    };
    desk.import(&some(&["ann", "bob", "cid"], 150)).await.unwrap();
    desk.import(&some(&["ann", "bob"], 151)).await.unwrap();
    assert!(matches!(desk.presence("cid"), Presence::Unsettled { .. }), "the last one came when they left");
    let imported = desk.import(&some(&["ann"], 151)).await.unwrap();
    is_gone(&desk.presence("bob"), Grade::AbsentUnconfirmed, false);
    assert!(matches!(desk.presence("cid"), Presence::Unsettled { .. }));
    assert_eq!((imported.info.unreadable_count, imported.info.unreadable.len()), (151, 100));
}

#[tokio::test]
async fn where_a_list_stands_that_is_partial_is_no_change_of_it() {
    let desk = Desk::new();
    let at = |line: u32, members: Members| {
        let Change::Replace(mut entry) = team("team", members) else { panic!() };
        entry.place = Some(format!("line {line}"));
        read(vec![person("ann"), Change::Replace(entry)])
    };
    let partial = || Members::Partial(vec![dn("ann")], "a member is no DN".to_owned());
    desk.import(&at(7, partial())).await.unwrap();
    for line in [7, 9] {
        assert_eq!(desk.import(&at(line, partial())).await.unwrap().changed, 0);
        let entry = &desk.rows()["team"].entry;
        assert_eq!(entry.place, Some(format!("line {line}")), "it is said where it stands now");
        assert_eq!((desk.edges("team"), desk.presence("team")), ((1, false), Presence::Present));
    }
    // Without another member it was the same, and with one it is another.
    let more = Members::Partial(vec![dn("ann"), dn("bob")], "a member is no DN".to_owned());
    assert_eq!(desk.import(&at(9, more)).await.unwrap().changed, 1);
}

#[tokio::test]
async fn an_entry_that_never_had_an_id_keeps_nobody() {
    let desk = Desk::new();
    let read = |changes| Read { looks_up: false, ..read(changes) };
    let odd = || Change::Unreadable {
        anchor: None,
        what: "cn=zoe,dc=x".to_owned(),
        why: "it has no id".to_owned(),
    };
    desk.import(&read(vec![person("ann"), person("bob"), odd()])).await.unwrap();
    desk.import(&read(vec![person("ann"), odd()])).await.unwrap();
    is_gone(&desk.presence("bob"), Grade::AbsentUnconfirmed, false);
}

#[tokio::test]
async fn an_entry_without_an_id_keeps_who_is_missing_since_it_came() {
    let odd = || Change::Unreadable {
        anchor: None,
        what: "cn=robert,dc=x".to_owned(),
        why: "it has no id".to_owned(),
    };
    let read = |changes| Read { looks_up: false, ..read(changes) };
    // The list that follows a rename names her before her entry comes.
    for lists in [vec![], vec![team("team", Members::Complete(vec![dn("robert")]))]] {
        let desk = Desk::new();
        desk.import(&read([vec![person("ann"), person("bob"), person("cid")], lists.clone()].concat()))
            .await
            .unwrap();
        for _ in 0..3 {
            let again = [lists.clone(), vec![person("ann"), person("cid"), odd()]].concat();
            desk.import(&read(again)).await.unwrap();
            assert!(matches!(desk.presence("bob"), Presence::Unsettled { .. }));
        }
        // Who leaves after it came is not who it is.
        desk.import(&read([lists.clone(), vec![person("ann"), odd()]].concat())).await.unwrap();
        assert!(matches!(desk.presence("bob"), Presence::Unsettled { .. }));
        is_gone(&desk.presence("cid"), Grade::AbsentUnconfirmed, false);
        desk.import(&read([lists, vec![person("ann")]].concat())).await.unwrap();
        is_gone(&desk.presence("bob"), Grade::AbsentUnconfirmed, false);
    }
}

#[tokio::test]
async fn who_is_read_stays_though_an_entry_that_is_left_out_has_the_same_id() {
    let outside = || Change::Outside(Anchor::new("bob"));
    for changes in
        [vec![person("ann"), person("bob"), outside()], vec![outside(), person("bob"), person("ann")]]
    {
        let desk = Desk::new();
        for _ in 0..2 {
            desk.import(&Read { looks_up: false, ..read(changes.clone()) }).await.unwrap();
            assert_eq!(desk.presence("bob"), Presence::Present);
        }
    }
}

#[tokio::test]
async fn an_id_that_is_there_and_deleted_in_one_read_says_of_neither_who_it_is() {
    let deleted = || Change::Tombstone(Anchor::new("bob"));
    for changes in
        [vec![person("ann"), person("bob"), deleted()], vec![deleted(), person("bob"), person("ann")]]
    {
        let desk = Desk::new();
        desk.import(&read(vec![person("ann"), person("bob")])).await.unwrap();
        for _ in 0..2 {
            let imported = desk.import(&Read { looks_up: false, ..read(changes.clone()) }).await.unwrap();
            assert_eq!((imported.removed, imported.unreadable), (0, 2));
            let Presence::Unreadable(why) = desk.presence("bob") else { panic!() };
            assert!(why.starts_with("cn=bob,dc=x and an entry that was deleted have the same id"), "{why}");
        }
    }
}

#[tokio::test]
async fn a_name_of_any_length_is_shown_in_part() {
    let desk = Desk::new();
    let odd = |name: &str| Change::Unreadable {
        anchor: None,
        what: format!("cn={name},dc=x"),
        why: "it has no id".to_owned(),
    };
    let imported = desk.import(&read(vec![odd(&"n".repeat(100_000)), odd(&"n".repeat(1000))])).await.unwrap();
    let lengths: Vec<usize> = imported.info.unreadable.iter().map(|stranger| stranger.what.len()).collect();
    assert!(lengths[0] < 1100 && lengths[1] == 1008, "{lengths:?}");
    assert!(imported.info.unreadable[0].what.ends_with("(100008 bytes)"));
}

#[tokio::test]
async fn far_fewer_in_a_file_that_shows_no_end_take_nobody_away_until_one_has_them_or_shows_its_end() {
    let desk = Desk::new();
    let file = |people: std::ops::Range<u32>, no_end| {
        let changes: Vec<Change> = people.map(|number| person(&format!("p{number}"))).collect();
        Read { looks_up: false, no_end, ..read(changes) }
    };
    desk.import(&file(0..8, true)).await.unwrap();
    for left in [3, 3, 6] {
        let done = desk.import(&file(0..left, true)).await.unwrap();
        assert_eq!((done.removed, done.unsettled), (0, u64::from(8 - left)), "{left} came");
        assert!(done.info.unreadable.iter().any(|one| one.what == "the end of the file"), "{:?}", done.info);
    }
    assert!(matches!(desk.presence("p7"), Presence::Unsettled { .. }));
    assert_eq!(desk.presence("p5"), Presence::Present, "it is there again");
    let whole = desk.import(&file(0..6, false)).await.unwrap();
    assert_eq!((whole.removed, whole.unsettled, whole.info.unreadable_count), (2, 0, 0));
    is_gone(&desk.presence("p7"), Grade::AbsentUnconfirmed, false);
}

#[tokio::test]
async fn a_few_leavers_in_a_file_that_shows_no_end_are_gone() {
    let desk = Desk::new();
    let file = |changes| Read { looks_up: false, no_end: true, ..read(changes) };
    desk.import(&file(vec![person("ann"), person("bob"), person("cid")])).await.unwrap();
    let done = desk.import(&file(vec![person("ann"), person("bob")])).await.unwrap();
    assert_eq!((done.removed, done.info.unreadable_count), (1, 0));
    is_gone(&desk.presence("cid"), Grade::AbsentUnconfirmed, false);
}

#[tokio::test]
async fn who_is_outside_of_what_a_new_filter_finds_is_so_by_configuration() {
    let desk = Desk::new();
    let read = |changes, scope| Read { looks_up: false, scope, ..read(changes) };
    desk.import(&read(vec![person("ann"), person("bob")], "all")).await.unwrap();
    desk.import(&read(vec![person("ann"), Change::Outside(Anchor::new("bob"))], "some")).await.unwrap();
    is_gone(&desk.presence("bob"), Grade::OutOfScope, true);
}

#[tokio::test]
async fn a_list_that_comes_whole_and_then_in_part_keeps_what_came_first() {
    let desk = Desk::new();
    let whole = team("t", Members::Complete(vec![dn("ann"), dn("bob")]));
    let part = team("t", Members::Partial(vec![dn("cid")], "a value is damaged".to_owned()));
    desk.import(&read(vec![whole, part])).await.unwrap();
    assert_eq!(desk.edges("t"), (3, false));
}

#[tokio::test]
async fn who_was_in_a_list_that_could_not_be_read_to_its_end_is_still() {
    let desk = Desk::new();
    let all = || vec![dn("ann"), dn("bob"), dn("cid")];
    desk.import(&read(vec![team("t", Members::Complete(all()))])).await.unwrap();
    assert_eq!(desk.edges("t"), (3, true));
    let part = Members::Partial(vec![dn("dee")], "a value is damaged".to_owned());
    desk.import(&read(vec![team("t", part)])).await.unwrap();
    assert_eq!(desk.edges("t"), (4, false));
    desk.import(&read(vec![team("t", Members::Complete(vec![dn("dee")]))])).await.unwrap();
    assert_eq!(desk.edges("t"), (1, true));
}

#[tokio::test]
async fn a_field_that_many_lose_at_once_is_noticed_until_it_is_back() {
    let desk = Desk::new();
    desk.import(&read(people(0..20))).await.unwrap();
    let without = || (0..6).map(|number| person(&format!("p{number}"))).chain(people(6..20)).collect();
    let imported = desk.import(&read(without())).await.unwrap();
    let trip = &imported.info.tripped[fields::TITLE];
    assert_eq!((trip.carried, trip.lost.len()), (20, 6));
    // It stays so, and shows in the snapshot, until it is back or a person approves.
    desk.import(&read(without())).await.unwrap();
    assert_eq!(desk.snapshot().info().tripped[fields::TITLE].lost.len(), 6);
    desk.import(&read(people(0..20))).await.unwrap();
    assert_eq!(desk.snapshot().info().tripped.len(), 0);
}

#[tokio::test]
async fn an_approval_accepts_losses_for_its_own_policy_and_only_those_that_it_covered() {
    let desk = Desk::new();
    let corp = ConnectorName::new("test", "corp");
    let place = |name: &str| desk.store.place(&Owner::new("test", name), "registry").unwrap();
    let (ours, theirs) = (place("ours"), place("theirs"));
    let accepted = |place| {
        let accepted = desk.store.accepted_losses(place, &corp).unwrap();
        accepted.get(fields::TITLE).map_or(0, RoaringBitmap::len)
    };
    // The first so many have no title any more.
    let read_without = |lost: u32| {
        let untitled = (0..lost).map(|number| person(&format!("p{number}")));
        let read = read(untitled.chain(people(lost..20)).collect());
        let desk = &desk;
        async move { desk.import(&read).await.unwrap() }
    };
    read_without(0).await;
    let seen = read_without(6).await.info.tripped;
    let losses: BTreeMap<String, RoaringBitmap> =
        seen.into_iter().map(|(field, trip)| (field, trip.lost)).collect();
    // Another read is sealed while the run applies: two more lost it.
    read_without(8).await;
    desk.store.accept_losses(ours, &corp, &losses).unwrap();
    assert_eq!((accepted(ours), accepted(theirs)), (6, 0));
    assert_eq!(desk.snapshot().info().tripped[fields::TITLE].lost.len(), 8, "others have not approved it");
    read_without(5).await;
    assert_eq!(accepted(ours), 5, "who has a title again may lose it again");
    desk.store.accept_losses(ours, &corp, &losses).unwrap();
    assert_eq!(accepted(ours), 5, "nobody has approved a loss that is over");
    read_without(0).await;
    read_without(9).await;
    assert_eq!(accepted(ours), 0, "that is another loss");
}

#[tokio::test]
async fn an_emptied_or_another_directory_is_refused() {
    let desk = Desk::new();
    desk.import(&read(people(0..3))).await.unwrap();
    let rows = desk.rows();
    let nothing = desk.import(&read(Vec::new())).await.unwrap_err().to_string();
    assert!(nothing.contains("was complete and empty, where 3 entries were before"), "{nothing}");
    let other =
        desk.import(&Read { directory: "other", ..read(people(0..3)) }).await.unwrap_err().to_string();
    assert!(other.contains("read the directory d before, and this is other"), "{other}");
    assert_eq!(desk.rows(), rows);
    // A directory that was never anything else may be empty.
    let fresh = Desk::new();
    assert!(fresh.import(&read(Vec::new())).await.is_ok());
}

#[tokio::test]
async fn a_read_that_takes_too_long_is_given_up() {
    struct Endless;
    impl Source for Endless {
        async fn read(&self, _: Option<&Cursor>, sink: Sink) -> Result<Completion, SourceError> {
            sink.send(Batch(vec![person("ann")])).await.unwrap();
            std::future::pending().await
        }

        async fn look_up(
            &self,
            _: &[Anchor],
            _: &HashMap<Anchor, String>,
        ) -> Result<Option<LookUp>, SourceError> {
            Ok(None)
        }
    }
    let desk = Desk::new();
    let options = import::Options {
        look_ups: 0,
        timeout: Duration::from_millis(50),
        full_read_every: Duration::from_hours(24),
    };
    let name = ConnectorName::new("test", "corp");
    let ended = import(&Endless, &desk.store, &name, options, &Hand::hours(0), |_| {}).await;
    assert!(ended.unwrap_err().to_string().contains("spec.timeout"));
    assert!(desk.store.snapshot(&name).unwrap().is_none());
}

#[tokio::test]
async fn a_look_up_that_takes_too_long_settles_nobody() {
    struct Silent(Read);
    impl Source for Silent {
        async fn read(&self, cursor: Option<&Cursor>, sink: Sink) -> Result<Completion, SourceError> {
            self.0.read(cursor, sink).await
        }

        async fn look_up(
            &self,
            _: &[Anchor],
            _: &HashMap<Anchor, String>,
        ) -> Result<Option<LookUp>, SourceError> {
            std::future::pending().await
        }
    }
    let desk = Desk::new();
    desk.import(&read(people(0..3))).await.unwrap();
    let options = import::Options {
        look_ups: 10,
        timeout: Duration::from_millis(200),
        full_read_every: Duration::from_hours(24),
    };
    let name = ConnectorName::new("test", "corp");
    let silent = Silent(read(people(0..2)));
    let imported = import(&silent, &desk.store, &name, options, &Hand::hours(0), |_| {}).await.unwrap();
    assert_eq!((imported.removed, imported.unsettled), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_being_read_is_not_cleared_away() {
    let desk = Desk::new();
    desk.import(&read(vec![titled("p", Some("first"))])).await.unwrap();
    let pinned = desk.snapshot();
    desk.import(&read(vec![titled("p", Some("second"))])).await.unwrap();
    let third = read(vec![titled("p", Some("third"))]);
    let mut importing = Box::pin(desk.import(&third));
    // It waits for whoever still reads what the second one superseded …
    let waited = tokio::time::timeout(Duration::from_millis(200), &mut importing).await;
    assert!(waited.is_err());
    let mut titles = Vec::new();
    let mut each = |row: Row| titles.push(row.entry.fields[fields::TITLE].clone());
    pinned.for_each_row(&mut each).unwrap();
    assert_eq!(titles, [Stated::Values(vec!["first".to_owned()])]);
    drop(pinned);
    // … and then goes on.
    importing.await.unwrap();
}
