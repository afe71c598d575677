//! By which attribute entries are known, and in whatever spelling their ids come.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use rollcall::directory::ConnectorName;
use rollcall::source::ldif::{LdifConfig, LdifSource};
use rollcall::store::Store;
use rollcall::store::snapshot::Presence;
use rollcall::sync::import::{ImportError, Imported, import};
use rstest::rstest;

use crate::support::hand::Hand;
use crate::support::reading;

/// The store, and what was read into it.
struct Desk {
    store: Store,
    _folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { store: Store::open(folder.path()).unwrap(), _folder: folder }
    }

    /// Reads people of whom each line says the ids: `ann entryUUID: …|nsUniqueId: …`.
    async fn read(&self, anchor: Option<&str>, people: &[&str]) -> Result<Imported, ImportError> {
        let mut text = "dn: dc=x\nobjectClass: domain\n\n".to_owned();
        for (name, ids) in people.iter().map(|person| person.split_once(' ').unwrap()) {
            let ids = ids.replace('|', "\n");
            write!(text, "dn: uid={name},dc=x\nobjectClass: inetOrgPerson\nuid: {name}\n{ids}\n\n").unwrap();
        }
        let source =
            LdifSource::new(LdifConfig { anchor: anchor.map(str::to_owned), ..reading::export(&text) });
        let options = reading::options();
        let connector = ConnectorName::new("test", "corp");
        import(&source, &self.store, &connector, options, &Hand::hours(0), |_| {}).await
    }

    /// Who is known, by anchor, and how many of them the last read did not bring.
    fn known(&self) -> (BTreeSet<String>, usize) {
        let snapshot = self.store.snapshot(&ConnectorName::new("test", "corp")).unwrap().unwrap();
        let (mut known, mut gone) = (BTreeSet::new(), 0);
        let mut each = |row: rollcall::store::snapshot::Row| {
            gone += usize::from(row.presence != Presence::Present);
            known.insert(row.entry.anchor.as_str().to_owned());
        };
        snapshot.for_each_row(&mut each).unwrap();
        (known, gone)
    }
}

#[tokio::test]
async fn an_id_that_comes_later_takes_nobodys_place() {
    let desk = Desk::new();
    desk.read(None, &["ann nsUniqueId: a-1", "bob nsUniqueId: b-1"]).await.unwrap();
    let some = ["ann nsUniqueId: A-1|entryUUID: e-1", "bob nsUniqueId: b-1"];
    let all = [some[0], "bob nsUniqueId: b-1|entryUUID: e-2"];
    for people in [some, all] {
        desk.read(None, &people).await.unwrap();
        assert_eq!(desk.known(), (["a-1", "b-1"].map(str::to_owned).into(), 0));
    }
}

#[tokio::test]
async fn without_the_attribute_that_they_are_known_by_nothing_is_read() {
    let desk = Desk::new();
    desk.read(None, &["ann nsUniqueId: a-1|entryUUID: e-1"]).await.unwrap();
    let known = desk.known();
    assert_eq!(known.0, BTreeSet::from(["e-1".to_owned()]));
    let error = desk.read(None, &["ann nsUniqueId: a-1"]).await.unwrap_err().to_string();
    assert!(error.contains("identified by entryUUID") && error.contains("anchorAttribute"), "{error}");
    assert_eq!(desk.known(), known);
    // Whoever says so knows them by another one from then on.
    desk.read(Some("nsUniqueId"), &["ann nsUniqueId: a-1"]).await.unwrap();
    desk.read(None, &["ann nsUniqueId: a-1|entryUUID: e-1"]).await.unwrap();
    assert!(desk.known().0.contains("a-1"));
    assert_eq!(desk.known().1, 1, "by the id of before she is gone");
}

#[tokio::test]
async fn the_attribute_that_most_have_is_the_first_to_be_chosen() {
    let desk = Desk::new();
    let imported =
        desk.read(None, &["ann nsUniqueId: a-1", "bob nsUniqueId: b-1|entryUUID: e-2"]).await.unwrap();
    assert_eq!(imported.info.id.as_deref(), Some("nsUniqueId"));
}

const TEXT: &str = "objectGUID: 4E12AC45-6e38-4a11-bdbf-82af381af98e";
const BRACED: &str = "objectGUID: {4e12ac45-6e38-4a11-bdbf-82af381af98e}";
const BARE: &str = "objectGUID: 4e12ac456e384A11bdbf82af381af98e";
/// The octets of the same, in base64.
const OCTETS: &str = "objectGUID:: RawSTjhuEUq9v4KvOBr5jg==";

#[tokio::test]
async fn an_exporter_that_writes_ids_without_hyphens_makes_nobody_somebody_else() {
    let desk = Desk::new();
    let ids = [
        "ann entryUUID: 00000000-0000-4000-8000-0000000000a1",
        "bob entryUUID: {00000000-0000-4000-8000-0000000000B2}",
    ];
    desk.read(None, &ids).await.unwrap();
    let known = desk.known();
    let bare = ids.map(|id| id.replace(['-', '{', '}'], ""));
    let one_is_not = [bare[0].as_str(), ids[1]];
    for people in [bare.each_ref().map(String::as_str), one_is_not] {
        assert_eq!(desk.read(None, &people).await.unwrap().removed, 0);
        assert_eq!(desk.known(), known);
    }
}

#[rstest]
#[case(TEXT, OCTETS)]
#[case(OCTETS, TEXT)]
#[case(BRACED, TEXT)]
#[case(TEXT, BRACED)]
#[case(OCTETS, BRACED)]
#[case::without_hyphens(TEXT, BARE)]
#[case(BARE, TEXT)]
#[case(BRACED, BARE)]
#[case(OCTETS, BARE)]
#[tokio::test]
async fn the_spelling_of_an_id_makes_nobody_somebody_else(
    #[case] first: &str,
    #[case] then: &str,
    #[values(None, Some("objectGUID"))] anchor: Option<&str>,
) {
    let desk = Desk::new();
    desk.read(anchor, &[&format!("ann {first}")]).await.unwrap();
    let known = desk.known();
    let ann = format!("ann {then}");
    let people = [ann.as_str(), "bob objectGUID: 5f12ac45-6e38-4a11-bdbf-82af381af98e"];
    assert_eq!(desk.read(anchor, &people).await.unwrap().removed, 0);
    assert_eq!((desk.known().0.is_superset(&known.0), desk.known().0.len(), desk.known().1), (true, 2, 0));
}
