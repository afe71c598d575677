//! The wipe-outs that users of other tools reported, each lived through here: the real import and run,
//! against a directory in memory and the registry.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use rollcall::directory::{
    Anchor, Batch, Change, Completion, ConnectorName, Content, Cursor, EntryKind, Members, Mode, Owner,
    Reference, SubjectKind, fields,
};
use rollcall::source::{LookUp, Reason, Sink, Source, SourceError};
use rollcall::spec;
use rollcall::store::Store;
use rollcall::sync::import::{ImportError, Imported, import};
use rollcall::sync::run::{Options, RunReport, RunResult, Work, run};
use rollcall::target::registry::Registry;

use crate::support::completion::completion;
use crate::support::hand::Hand;
use crate::support::memory::{entry, name, policy};
use crate::support::reading;

/// A directory, and how it answers.
#[derive(Clone, Default)]
struct Directory {
    changes: Vec<Change>,
    /// How the read ends, if not well, after how many changes.
    fails: Option<(usize, Reason)>,
    look_up: Answer,
}

/// What a look-up says of those who are missing.
#[derive(Clone, Copy, Default, PartialEq)]
enum Answer {
    #[default]
    Missing,
    Nothing,
}

impl Source for Directory {
    async fn read(&self, _: Option<&Cursor>, sink: Sink) -> Result<Completion, SourceError> {
        let come = self.fails.map_or(self.changes.len(), |(after, _)| after);
        for changes in self.changes[..come].chunks(500) {
            sink.send(Batch(changes.to_vec())).await.unwrap();
        }
        if let Some((_, reason)) = self.fails {
            return Err(SourceError::new(reason, "the read ended before its time"));
        }
        Ok(completion(Mode::Full, "dc=corp"))
    }

    async fn look_up(
        &self,
        anchors: &[Anchor],
        _: &HashMap<Anchor, String>,
    ) -> Result<Option<LookUp>, SourceError> {
        let missing = if self.look_up == Answer::Missing { anchors.to_vec() } else { Vec::new() };
        Ok(Some(LookUp { missing, ..LookUp::default() }))
    }
}

fn person(number: usize) -> Change {
    let (anchor, mail) = (format!("u{number}"), format!("p{number}@corp.example"));
    entry(&anchor, EntryKind::User, &[(fields::USER_NAME, &anchor), (fields::MAIL, &mail)], Members::None)
}

fn group(anchor: &str, called: &str, members: Members) -> Change {
    entry(anchor, EntryKind::Group, &[(fields::NAME, called)], members)
}

fn everybody(count: usize) -> Vec<Reference> {
    (0..count).map(|number| name(&format!("u{number}"))).collect()
}

/// So many people, and two groups of all of them.
fn company(people: usize) -> Directory {
    let mut changes: Vec<Change> = (0..people).map(person).collect();
    changes.push(group("staff", "staff", Members::Complete(everybody(people))));
    changes.push(group("all", "all", Members::Complete(everybody(people))));
    Directory { changes, ..Directory::default() }
}

struct Desk {
    store: Store,
    _folder: tempfile::TempDir,
}

/// What the registry holds.
#[derive(Debug, PartialEq)]
struct Held {
    active: usize,
    /// By name, how many members.
    groups: BTreeMap<String, u64>,
}

fn connector() -> ConnectorName {
    ConnectorName::new("test", "corp")
}

impl Desk {
    /// A desk at which this directory is in step.
    async fn in_step(directory: &Directory) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let desk = Self { store: Store::open(folder.path()).unwrap(), _folder: folder };
        desk.import(directory).await.unwrap();
        assert_eq!(desk.run(false).await.result(), RunResult::InStep);
        desk
    }

    async fn import(&self, directory: &Directory) -> Result<Imported, ImportError> {
        let options = reading::options();
        import(directory, &self.store, &connector(), options, &Hand::seconds(0), |_| {}).await
    }

    async fn run(&self, failed: bool) -> RunReport {
        let policy = policy();
        let target = Registry::new(self.store.clone(), Owner::new("test", "all"));
        let work = Work {
            store: &self.store,
            target: &target,
            policy: Arc::clone(&policy),
            rebuild: spec::rebuild,
            clock: &Hand::seconds(0),
        };
        let failed_connectors = if failed { BTreeSet::from([connector()]) } else { BTreeSet::new() };
        run(work, Options { failed_connectors, ..Options::default() }, |_, _| {}).await.unwrap()
    }

    /// The read fails for this reason, and the run that follows takes nothing away.
    async fn a_failed_read_takes_nothing(&self, directory: &Directory, reason: Reason) {
        let before = self.held();
        match self.import(directory).await {
            Err(ImportError::Source(error)) => assert_eq!(error.reason, reason),
            other => panic!("{other:?}"),
        }
        assert_eq!(self.run(true).await.result(), RunResult::SourceFailed);
        assert_eq!(self.held(), before);
    }

    /// The read completes, and what it does not show is held.
    async fn what_is_missing_is_held(&self, directory: &Directory, lines: usize) {
        let before = self.held();
        self.import(directory).await.unwrap();
        let report = self.run(false).await;
        assert_eq!(report.result(), RunResult::Held);
        assert!(report.held.unwrap().lines.len() >= lines);
        assert_eq!(self.held(), before);
    }

    fn held(&self) -> Held {
        let mut held = Held { active: 0, groups: BTreeMap::new() };
        let read = self.store.read_registry(&Owner::new("test", "all"), |part| {
            part.for_each(SubjectKind::User, |object| {
                held.active += usize::from(object.active);
                Ok(())
            })?;
            part.for_each(SubjectKind::Group, |object| {
                let Content::Group(group) = object.content else { panic!() };
                held.groups.insert(group.display_name, object.members.len());
                Ok(())
            })
        });
        read.unwrap();
        held
    }
}

/// awslabs/ssosync#194: a run saw zero users and groups, and removed all.
#[tokio::test]
async fn zero_users_read() {
    let desk = Desk::in_step(&company(40)).await;
    desk.a_failed_read_takes_nothing(&Directory::default(), Reason::InvalidData).await;
    // The groups came, and not one user did.
    let groups = company(40).changes.split_off(40);
    desk.what_is_missing_is_held(&Directory { changes: groups, ..Directory::default() }, 40).await;
}

/// redhat-cop/group-sync-operator#248: an error while reading, then the prune.
#[tokio::test]
async fn an_error_while_reading_then_prune() {
    let desk = Desk::in_step(&company(40)).await;
    for after in [0, 1, 39, 41, 42] {
        let directory = Directory { fails: Some((after, Reason::Interrupted)), ..company(40) };
        desk.a_failed_read_takes_nothing(&directory, Reason::Interrupted).await;
    }
}

/// larskanis/pg-ldap-sync#32: a group grew from 1,498 to 1,501 members, the server answered with a part of
/// the list, and all were taken out.
#[tokio::test]
async fn one_thousand_five_hundred_and_one_members() {
    let of = |people: usize, members: Members| {
        let mut changes: Vec<Change> = (0..people).map(person).collect();
        changes.push(group("staff", "staff", members));
        Directory { changes, ..Directory::default() }
    };
    let desk = Desk::in_step(&of(1498, Members::Complete(everybody(1498)))).await;
    for come in [0, 1500] {
        let part = Members::Partial(everybody(come), "the server gave a part of the list".to_owned());
        desk.import(&of(1501, part)).await.unwrap();
        assert_eq!(desk.run(false).await.applied.members_removed, 0);
        assert_eq!(desk.held().groups["staff"], 1498.max(come as u64));
    }
    desk.import(&of(1501, Members::Complete(everybody(1501)))).await.unwrap();
    assert_eq!(desk.run(false).await.result(), RunResult::InStep);
    assert_eq!(desk.held(), Held { active: 1501, groups: BTreeMap::from([("staff".to_owned(), 1501)]) });
}

/// goauthentik/authentik#12722, keycloak/keycloak#25129: the server cannot be reached.
#[tokio::test]
async fn an_unreachable_server() {
    let desk = Desk::in_step(&company(40)).await;
    let directory = Directory { fails: Some((0, Reason::Unreachable)), ..Directory::default() };
    desk.a_failed_read_takes_nothing(&directory, Reason::Unreachable).await;
}

/// keycloak/keycloak#24669: a query that comes back empty is taken for a deletion.
#[tokio::test]
async fn an_empty_look_up() {
    let desk = Desk::in_step(&company(40)).await;
    let mut directory = Directory { look_up: Answer::Nothing, ..company(40) };
    directory.changes.remove(0);
    desk.what_is_missing_is_held(&directory, 1).await;
}

/// redhat-cop/group-sync-operator#319: one group renamed, and all groups stopped.
#[tokio::test]
async fn one_renamed_group() {
    let desk = Desk::in_step(&company(40)).await;
    let mut directory = company(41);
    directory.changes[41] = group("staff", "personnel", Members::Complete(everybody(41)));
    desk.import(&directory).await.unwrap();
    assert_eq!(desk.run(false).await.result(), RunResult::InStep);
    let groups = BTreeMap::from([("personnel".to_owned(), 41), ("all".to_owned(), 41)]);
    assert_eq!(desk.held(), Held { active: 41, groups });
}

/// kanidm/kanidm#3936, redhat-cop/group-sync-operator#345: one malformed entry, and everything stopped.
#[tokio::test]
async fn one_malformed_entry() {
    let desk = Desk::in_step(&company(40)).await;
    let mut directory = company(41);
    directory.changes[7] = Change::Unreadable {
        anchor: Some(Anchor::new("u7")),
        what: "cn=u7,dc=corp".to_owned(),
        why: "its mail is no text".to_owned(),
    };
    desk.import(&directory).await.unwrap();
    let report = desk.run(false).await;
    assert_eq!((report.result(), report.quarantined_count), (RunResult::InStepWithExceptions, 1));
    assert_eq!(report.applied.users.created, 1);
    let groups = BTreeMap::from([("staff".to_owned(), 41), ("all".to_owned(), 41)]);
    assert_eq!(desk.held(), Held { active: 41, groups });
}
