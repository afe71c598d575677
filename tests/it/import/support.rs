//! A directory in memory that is read and brought into step with the registry.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use rollcall::directory::{
    Anchor, Batch, Change, Completion, ConnectorName, Cursor, Dn, EntryKind, Members, Mode, Owner, Reference,
    SubjectKind, fields,
};
use rollcall::source::{LookUp, Sink, Source, SourceError};
use rollcall::spec;
use rollcall::store::Store;
use rollcall::sync::import::{Imported, import};
use rollcall::sync::run::{Options, RunReport, RunState, Work, run_on};
use rollcall::target::registry::Registry;

use crate::support::completion::completion;
use crate::support::hand::Hand;
use crate::support::memory::{entry_at, policy};
use crate::support::reading;

/// What is read, and what a look-up says.
#[derive(Clone, Default)]
pub(super) struct Directory {
    pub(super) changes: Vec<Change>,
    /// The DNs under which anchors are found; `None` if nothing can be looked up.
    pub(super) called: Option<HashMap<Anchor, Vec<String>>>,
    /// The digest of a file's text.
    pub(super) digest: Option<&'static str>,
}

impl Source for Directory {
    async fn read(&self, _: Option<&Cursor>, sink: Sink) -> Result<Completion, SourceError> {
        for changes in self.changes.chunks(2) {
            sink.send(Batch(changes.to_vec())).await.unwrap();
        }
        let mut done = completion(Mode::Full, "dc=corp");
        done.shown.progress = self.digest.map(str::to_owned);
        Ok(done)
    }

    async fn look_up(
        &self,
        anchors: &[Anchor],
        _: &HashMap<Anchor, String>,
    ) -> Result<Option<LookUp>, SourceError> {
        let Some(called) = self.called.clone() else { return Ok(None) };
        let missing = anchors.iter().filter(|anchor| !called.contains_key(anchor)).cloned().collect();
        Ok(Some(LookUp { missing, called, ..LookUp::default() }))
    }
}

/// Somebody with an address made of the DN's first value.
pub(super) fn person(anchor: &str, dn: &str) -> Change {
    let mail = format!("{}@corp.example", first(dn));
    entry_at(dn, anchor, EntryKind::User, &[(fields::MAIL, &mail)], Members::None)
}

/// Somebody with an address made of the anchor, whatever the DN.
pub(super) fn person_by_anchor(anchor: &str, dn: &str) -> Change {
    let mail = format!("{anchor}@corp.example");
    entry_at(dn, anchor, EntryKind::User, &[(fields::MAIL, &mail)], Members::None)
}

/// A group of those with these DNs.
pub(super) fn group(anchor: &str, dn: &str, members: &[&str]) -> Change {
    let members = members.iter().map(|dn| Reference::Dn(Dn::parse(dn).unwrap())).collect();
    entry_at(dn, anchor, EntryKind::Group, &[(fields::NAME, &first(dn))], Members::Complete(members))
}

fn first(dn: &str) -> String {
    dn.split(['=', ',']).nth(1).unwrap().to_owned()
}

pub(super) struct Company {
    store: Store,
    /// Each run goes on from the one before; where debug assertions are on, it is compared with one that looks at everything.
    basis: Mutex<Option<RunState>>,
    _folder: tempfile::TempDir,
}

impl Company {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { store: Store::open(folder.path()).unwrap(), basis: Mutex::default(), _folder: folder }
    }

    pub(super) async fn import(&self, directory: &Directory) -> Imported {
        let options = reading::options();
        let connector = ConnectorName::new("test", "corp");
        import(directory, &self.store, &connector, options, &Hand::seconds(0), |_| {}).await.unwrap()
    }

    pub(super) async fn run(&self, approve: Option<String>) -> RunReport {
        let policy = policy();
        let target = Registry::new(self.store.clone(), Owner::new("test", "all"));
        let work = Work {
            store: &self.store,
            target: &target,
            policy: Arc::clone(&policy),
            rebuild: spec::rebuild,
            clock: &Hand::seconds(0),
        };
        let mut basis = self.basis.lock().unwrap().take();
        let options = Options { approve, ..Options::default() };
        let report = run_on(&mut basis, work, options, |_, _| {}).await.unwrap();
        *self.basis.lock().unwrap() = basis;
        report
    }

    /// Reads, and brings into step.
    pub(super) async fn day(&self, directory: &Directory) -> RunReport {
        self.import(directory).await;
        self.run(None).await
    }

    /// Names at the registry: whether each user is active, and how many members each group has.
    pub(super) fn registry(&self) -> BTreeMap<String, u64> {
        let mut all = BTreeMap::new();
        self.store
            .read_registry(&Owner::new("test", "all"), |part| {
                part.for_each(SubjectKind::User, |object| {
                    all.insert(object.content.name().to_owned(), u64::from(object.active));
                    Ok(())
                })?;
                part.for_each(SubjectKind::Group, |object| {
                    all.insert(object.content.name().to_owned(), object.members.len());
                    Ok(())
                })
            })
            .unwrap();
        all
    }

    /// The names of each group's members at the registry.
    pub(super) fn members(&self) -> BTreeMap<String, BTreeSet<String>> {
        let (mut names, mut groups) = (BTreeMap::new(), BTreeMap::new());
        self.store
            .read_registry(&Owner::new("test", "all"), |part| {
                part.for_each(SubjectKind::User, |object| {
                    names.insert(object.number, object.content.name().to_owned());
                    Ok(())
                })?;
                part.for_each(SubjectKind::Group, |object| {
                    groups.insert(object.content.name().to_owned(), object.members.clone());
                    Ok(())
                })
            })
            .unwrap();
        let members =
            |numbers: roaring::RoaringBitmap| numbers.iter().map(|number| names[&number].clone()).collect();
        groups.into_iter().map(|(group, of)| (group, members(of))).collect()
    }
}

/// What is wrong, by entry.
pub(super) fn exceptions(report: &RunReport) -> BTreeMap<String, String> {
    let quarantined = report.quarantined.iter().map(|one| (one.entry.clone(), one.message.clone()));
    quarantined.chain(report.unreadable.iter().map(|one| (one.what.clone(), one.why.clone()))).collect()
}
