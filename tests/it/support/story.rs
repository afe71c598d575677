//! A company whose directory changes, and what a sync that nobody disturbs makes of it: what tests of
//! faults compare with.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rollcall::store;

use super::cli::{Desk, rollcall};
use super::company::large;
use super::registry::{Resources, resources, wrongly_gone};
use super::slapd::{SUFFIX, Setup, Slapd};

const POLICY: &str = "  users: { leavers: [{ after: 0s, do: Delete }] }";

/// What a run begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Start {
    /// Nothing: the first run.
    Nothing,
    /// What a run left, since when the directory has changed.
    Before,
    /// The same, as an older version of Rollcall left it.
    BeforeByOlder,
}

/// A directory that changed, and what a run that nobody disturbs makes of it.
pub(crate) struct Story {
    pub(crate) desk: Desk,
    pub(crate) before: Resources,
    pub(crate) after: Resources,
    pub(crate) took: BTreeMap<Start, Duration>,
    pub(crate) slapd: Slapd,
}

impl Story {
    /// The directory is read at the url that `url` makes of the server's port.
    pub(crate) fn tell(url: impl FnOnce(u16) -> String) -> Self {
        let slapd = Slapd::start(&Setup { ldif: &large(600, 30, 40, 500), ..Setup::default() });
        let desk = Desk::new();
        let manifests = slapd.manifests("", POLICY).replace(&slapd.url(), &url(slapd.port()));
        desk.write("manifests.yaml", manifests);
        desk.sync(&[]).exits(0);
        let before = resources(&desk);
        fs::rename(desk.path("data"), desk.path("before")).unwrap();
        copy(&desk.path("before"), &desk.path("older"));
        make_older(&desk.path("older"));
        slapd.modify(&changes());
        let mut story = Self { desk, before, after: BTreeMap::new(), took: BTreeMap::new(), slapd };
        for start in [Start::Before, Start::BeforeByOlder, Start::Nothing] {
            story.begin(start);
            let began = Instant::now();
            story.desk.sync(&[]).exits(0);
            story.took.insert(start, began.elapsed());
            let after = resources(&story.desk);
            assert!(story.after.is_empty() || story.after == after, "{start:?}");
            story.after = after;
        }
        assert!(story.before.len() != story.after.len() && story.after.len() > 600);
        story
    }

    pub(crate) fn begin(&self, start: Start) {
        let data = self.desk.path("data");
        if data.exists() {
            fs::remove_dir_all(&data).unwrap();
        }
        match start {
            Start::Nothing => {}
            Start::Before => copy(&self.desk.path("before"), &data),
            Start::BeforeByOlder => copy(&self.desk.path("older"), &data),
        }
    }

    /// Nobody who is in the directory has gone, nor out of a group that still has them.
    pub(crate) fn check(&self, start: Start, round: impl std::fmt::Display) {
        if start == Start::Nothing {
            // Somebody who looks at what is there by then may find nothing, and no damage.
            let data = self.desk.path("data");
            let ran = rollcall(&["registry", "export", "--data", data.to_str().unwrap()]);
            assert!(ran.code == 0 || ran.said().contains("there is no store"), "{}", ran.said());
            return;
        }
        let gone = wrongly_gone(&self.before, &self.after, &resources(&self.desk));
        assert!(gone.is_empty(), "round {round}: {}", gone.join("\n"));
    }
}

/// Joiners, movers, leavers; groups that gain and lose, one that is new.
fn changes() -> String {
    let mut changes = String::new();
    let mut record = |dn: String, rest: &str| {
        write!(changes, "dn: {dn},{SUFFIX}\nchangetype: {rest}\n").unwrap();
    };
    for at in 0..40 {
        let uid = format!("n{at:03}");
        let person = format!(
            "add\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: New {at}\nsn: New\nmail: {uid}@example.test\n"
        );
        record(format!("uid={uid},ou=people"), &person);
    }
    for at in 0..60 {
        record(format!("uid=u{at:06},ou=people"), "modify\nreplace: givenName\ngivenName: Renamed\n-\n");
    }
    for at in 100..120 {
        record(format!("uid=u{at:06},ou=people"), "delete\n");
    }
    for group in 1..20 {
        let member =
            |at: usize| format!("member: uid=u{:06},ou=people,{SUFFIX}", (group * 7919 + at * 31) % 600);
        let rest = format!(
            "modify\ndelete: member\n{}\n-\nadd: member\nmember: uid=n{group:03},ou=people,{SUFFIX}\n-\n",
            member(3)
        );
        record(format!("cn=g{group:05},ou=groups"), &rest);
    }
    let rest = format!("add\nobjectClass: groupOfNames\ncn: new\nmember: uid=n000,ou=people,{SUFFIX}\n");
    record("cn=new,ou=groups".to_owned(), &rest);
    changes
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

/// Makes the store in this folder as the first version of Rollcall wrote it.
pub(crate) fn make_older(data: &Path) {
    let connection = rusqlite::Connection::open(data.join(store::FILE)).unwrap();
    connection
        .execute_batch(
            "ALTER TABLE policy DROP COLUMN absent_since; ALTER TABLE connector DROP COLUMN absent_since;
             ALTER TABLE store DROP COLUMN indexed; DROP TABLE indexed; DROP TABLE part;
             DROP TABLE exception; DROP TABLE reader; DROP TABLE digest; DROP TABLE approver; DROP TABLE object; DROP TABLE used;
             DROP TABLE place; DROP TABLE reservation;
             DROP TRIGGER policy_number; DROP TRIGGER connector_number; DROP TABLE number; DROP TABLE accepted;
             PRAGMA user_version = 1;",
        )
        .unwrap();
}
