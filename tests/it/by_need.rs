//! An import by what is noted and looked up as needed does what one does that looks through everything.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use rollcall::clock::Clock;
use rollcall::directory::{
    Anchor, Batch, Change, Completion, ConnectorName, Cursor, Dn, Entry, EntryKind, Members, Mode, Patch,
    Reference, Stated, fields,
};
use rollcall::source::{LookUp, Reason, Sink, Source, SourceError};
use rollcall::store::{self, Store};
use rollcall::sync::import::{self, ImportError, Imported, import};
use rusqlite::Connection;
use rusqlite::types::Value;

use crate::support::completion::completion;

/// Enough that few of them are not nearly all.
const PEOPLE: u8 = 60;

/// One read.
#[derive(Clone, Debug)]
pub(crate) struct Read {
    pub(crate) changes: Vec<Change>,
    pub(crate) mode: Mode,
    pub(crate) ends_early: bool,
    /// Whether who is absent is looked up.
    pub(crate) looks_up: bool,
    pub(crate) cursor: bool,
    pub(crate) seconds: i64,
}

impl Source for Read {
    async fn read(&self, _: Option<&Cursor>, sink: Sink) -> Result<Completion, SourceError> {
        for changes in self.changes.chunks(7) {
            sink.send(Batch(changes.to_vec())).await.unwrap();
        }
        if self.ends_early {
            return Err(SourceError::new(Reason::Interrupted, "the connection was cut"));
        }
        Ok(Completion { cursor: self.cursor.then(|| Cursor(vec![1])), ..completion(self.mode, "d") })
    }

    async fn look_up(
        &self,
        anchors: &[Anchor],
        _: &HashMap<Anchor, String>,
    ) -> Result<Option<LookUp>, SourceError> {
        if self.looks_up {
            return Ok(Some(LookUp { missing: anchors.to_vec(), ..LookUp::default() }));
        }
        Err(SourceError::new(Reason::Unreachable, "nobody answers"))
    }
}

impl Clock for Read {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.seconds).unwrap()
    }
}

pub(crate) fn anchor(number: u8) -> Anchor {
    Anchor::new(format!("a{number}"))
}

fn dn(number: u8) -> Dn {
    Dn::parse(&format!("cn=n{number},dc=x")).unwrap()
}

pub(crate) fn entry(number: u8, name: u8, title: u8, members: Option<(Vec<u8>, bool)>) -> Change {
    let stated = |field: &str, value: String| (field.to_owned(), Stated::Values(vec![value]));
    let called = if members.is_some() { fields::NAME } else { fields::USER_NAME };
    let title = (title > 0).then(|| stated(fields::TITLE, format!("Title {title}")));
    let names = |names: Vec<u8>| names.into_iter().map(|name| Reference::Dn(dn(name))).collect();
    Change::Replace(Box::new(Entry {
        anchor: anchor(number),
        dn: format!("cn=n{name},dc=x"),
        kind: if members.is_some() { EntryKind::Group } else { EntryKind::User },
        names: names(vec![name]),
        fields: title.into_iter().chain([stated(called, format!("n{name}"))]).collect(),
        members: match members {
            None => Members::None,
            Some((members, true)) => Members::Complete(names(members)),
            Some((members, false)) => Members::Partial(names(members), "it was cut off".to_owned()),
        },
        ..Entry::nobody()
    }))
}

/// The first of them are groups.
fn change() -> impl Strategy<Value = Change> {
    let number = || 0..PEOPLE;
    let members = || proptest::collection::vec(0..PEOPLE + 9, 0..6);
    prop_oneof![
        6 => (10..PEOPLE + 9, 0..3u8).prop_map(|(number, title)| entry(number, number, title, None)),
        // Under the name of another.
        2 => (10..PEOPLE, 10..PEOPLE).prop_map(|(number, name)| entry(number, name, 1, None)),
        3 => (0..10u8, members(), any::<bool>())
            .prop_map(|(number, members, whole)| entry(number, number, 0, Some((members, whole)))),
        2 => number().prop_map(|number| Change::Tombstone(anchor(number))),
        1 => number().prop_map(|number| Change::Outside(anchor(number))),
        1 => number().prop_map(|number| Change::Unchanged(anchor(number))),
        1 => (number(), any::<bool>()).prop_map(|(number, known)| Change::Unreadable {
            anchor: known.then(|| anchor(number)),
            what: dn(number).as_str().to_owned(),
            why: "it cannot be understood".to_owned(),
        }),
        3 => (0..10u8, members(), members()).prop_map(|(group, added, removed)| {
            let names = |of: Vec<u8>| of.into_iter().map(|name| Reference::Dn(dn(name))).collect();
            Change::MembersDelta { group: anchor(group), added: names(added), removed: names(removed) }
        }),
        2 => (0..PEOPLE + 9, 0..3u8, any::<bool>()).prop_map(|(number, title, cleared)| {
            let members = (number < 10).then(|| (Vec::new(), true));
            let Change::Replace(mut set) = entry(number, number, title, members) else { unreachable!() };
            if number < 10 {
                set.members = Members::NotStated;
            }
            let cleared = cleared.then(|| fields::TITLE.to_owned()).into_iter().collect();
            let cleared_attributes = BTreeSet::new();
            let alone = if title == 0 { Err("it is a part".to_owned()) } else { Ok(()) };
            Change::Patch(Box::new(Patch { set: *set, cleared, cleared_attributes, alone }))
        }),
    ]
}

fn everybody() -> Vec<Change> {
    let group = |number: u8| entry(number, number, 0, Some((vec![number + 10, number + 20], true)));
    (0..10).map(group).chain((10..PEOPLE).map(|number| entry(number, number, 1, None))).collect()
}

pub(crate) fn read() -> impl Strategy<Value = Read> {
    let changes = proptest::collection::vec(change(), 0..9);
    (changes, 0..4u8, 0..4u8, any::<bool>(), 0..9u8).prop_map(|(changes, full, ends, looks_up, cursor)| {
        let full = full == 0;
        let before =
            if full { everybody().into_iter().skip(usize::from(cursor)).collect() } else { Vec::new() };
        Read {
            changes: before.into_iter().chain(changes).collect(),
            mode: if full { Mode::Full } else { Mode::Delta },
            ends_early: ends == 0,
            looks_up,
            cursor: cursor > 0,
            seconds: 0,
        }
    })
}

pub(crate) struct Desk {
    pub(crate) store: Store,
    folder: tempfile::TempDir,
}

impl Desk {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { store: Store::open(folder.path()).unwrap(), folder }
    }

    pub(crate) async fn import(&self, read: &Read) -> Result<Imported, ImportError> {
        let options = import::Options {
            look_ups: 1000,
            timeout: Duration::from_mins(1),
            full_read_every: Duration::from_hours(1),
        };
        import(read, &self.store, &ConnectorName::new("test", "corp"), options, read, |_| ()).await
    }

    fn reopen(self) -> Self {
        let Self { store, folder } = self;
        drop(store);
        Self { store: Store::open(folder.path()).unwrap(), folder }
    }

    pub(crate) fn raw(&self) -> Connection {
        open(self.folder.path())
    }

    /// Everything that is known of connectors, in words.
    fn content(&self) -> Vec<String> {
        let raw = self.raw();
        let tables = [
            "name, sealed, completion, next_row, next_name, info, cursor FROM connector",
            "* FROM entry ORDER BY id",
            "* FROM name ORDER BY id",
            "* FROM version ORDER BY entry, sequence",
            "* FROM coverage ORDER BY field",
        ];
        tables.iter().flat_map(|table| rows(&raw, &format!("SELECT {table}"))).collect()
    }

    /// What is noted, in words.
    fn index(&self) -> Vec<String> {
        let raw = self.raw();
        let mut parts = raw.prepare("SELECT kind, numbers FROM part").unwrap();
        let parts = parts.query_map([], |row| Ok((row.get::<_, u8>(0)?, row.get::<_, Vec<u8>>(1)?))).unwrap();
        let numbers = parts.flat_map(|part| {
            let (kind, numbers) = part.unwrap();
            numbers.chunks(20).map(|number| format!("{kind} {number:?}")).collect::<Vec<_>>()
        });
        let numbers: BTreeSet<String> = numbers.collect();
        numbers.into_iter().chain(rows(&raw, "SELECT there FROM indexed")).collect()
    }
}

fn open(folder: &Path) -> Connection {
    let connection = Connection::open(folder.join(store::FILE)).unwrap();
    connection.busy_timeout(Duration::from_secs(30)).unwrap();
    connection
}

pub(crate) fn rows(raw: &Connection, sql: &str) -> Vec<String> {
    let mut statement = raw.prepare(sql).unwrap();
    let columns = statement.column_count();
    let row = |row: &rusqlite::Row<'_>| {
        let values: Vec<Value> = (0..columns).map(|at| row.get(at)).collect::<Result<_, _>>()?;
        Ok(format!("{values:?}"))
    };
    statement.query_map([], row).unwrap().collect::<Result<_, _>>().unwrap()
}

pub(crate) fn first() -> Read {
    Read {
        changes: everybody(),
        mode: Mode::Full,
        ends_early: false,
        looks_up: true,
        cursor: true,
        seconds: 0,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]
    #[test]
    fn what_is_noted_is_what_would_be_found(reads in proptest::collection::vec(read(), 1..8)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let [noted, found] = [Desk::new(), Desk::new()];
        for (at, mut read) in std::iter::once(first()).chain(reads).enumerate() {
            read.seconds = i64::try_from(at).unwrap();
            found.raw().execute("DELETE FROM indexed", []).unwrap();
            found.store.take_for_written().unwrap();
            let [one, other] = [&noted, &found].map(|desk| runtime.block_on(desk.import(&read)));
            prop_assert_eq!(one.is_ok(), other.is_ok());
            prop_assert_eq!(noted.content(), found.content());
            if let (Ok(one), Ok(other)) = (one, other) {
                prop_assert_eq!(one.changed, other.changed);
                prop_assert_eq!(noted.index(), found.index());
            }
        }
    }
}

#[tokio::test]
async fn what_an_older_version_wrote_in_between_is_seen() {
    let desk = Desk::new();
    desk.import(&first()).await.unwrap();
    let before = rows(&desk.raw(), "SELECT * FROM version");
    let [people, names] = ["entry", "name"].map(|of| rows(&desk.raw(), &format!("SELECT * FROM {of}")).len());
    // It read a change and a newcomer, and ended before it had sealed them.
    desk.raw()
        .execute_batch(
            "UPDATE store SET sequence = sequence + 2;
             INSERT INTO version SELECT connector, entry, (SELECT sequence - 1 FROM store), 2,
                 '[{\"grade\":\"tombstone\",\"configuration\":false},\"2026-01-01T00:00:00Z\"]',
                 hash, content, names, complete, edges FROM version WHERE entry = 20;
             INSERT INTO entry SELECT id, next_row, 'a200' FROM connector;
             INSERT INTO version SELECT connector, (SELECT next_row FROM connector), (SELECT sequence FROM store),
                 0, NULL, hash, content, names, complete, edges FROM version WHERE entry = 21;
             UPDATE connector SET next_row = next_row + 1;",
        )
        .unwrap();
    desk.store.take_for_written().unwrap();
    let desk = desk.reopen();
    let quiet = Read { changes: Vec::new(), mode: Mode::Delta, seconds: 1, ..first() };
    let imported = desk.import(&quiet).await.unwrap();
    assert_eq!((imported.changed, imported.info.users), (0, u64::from(PEOPLE) - 10));
    assert_eq!(rows(&desk.raw(), "SELECT * FROM version"), before);
    // A newcomer is one still, and gets a number of their own.
    let newcomer = Read { changes: vec![entry(200, 200, 1, None)], seconds: 2, ..quiet };
    assert_eq!(desk.import(&newcomer).await.unwrap().changed, 1);
    assert_eq!(rows(&desk.raw(), "SELECT * FROM entry").len(), people + 1);
    assert_eq!(rows(&desk.raw(), "SELECT * FROM name").len(), names + 1);
    assert_eq!(rows(&desk.raw(), "SELECT max(id) FROM entry"), [format!("[Integer({})]", people + 2)]);
}
