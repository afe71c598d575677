//! Bytes of the database that change by themselves: whatever that changes of what is served or planned is noticed, and
//! nobody is removed for it. A few in `make test`; `make damage` changes a thousand.

use std::collections::HashMap;
use std::fs;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rollcall::clock::Clock as _;
use rollcall::directory::{
    Anchor, Batch, Change, Completion, ConnectorName, Cursor, EntryKind, Members, Mode, Owner, SubjectKind,
    fields,
};
use rollcall::source::{LookUp, Sink, Source, SourceError};
use rollcall::spec;
use rollcall::store::registry::Object;
use rollcall::store::{self, Store};
use rollcall::sync::import::import;
use rollcall::sync::run::{Options, RunReport, Work, run};
use rollcall::target::registry::Registry;

use crate::support::completion::completion;
use crate::support::hand::Hand;
use crate::support::memory::{entry, name, policy};
use crate::support::reading;

const PEOPLE: usize = 100;

/// A directory in memory.
struct Directory(Vec<Change>);

impl Source for Directory {
    async fn read(&self, _: Option<&Cursor>, sink: Sink) -> Result<Completion, SourceError> {
        for changes in self.0.chunks(50) {
            sink.send(Batch(changes.to_vec())).await?;
        }
        Ok(completion(Mode::Full, "dc=corp"))
    }

    async fn look_up(
        &self,
        anchors: &[Anchor],
        _: &HashMap<Anchor, String>,
    ) -> Result<Option<LookUp>, SourceError> {
        Ok(Some(LookUp { missing: anchors.to_vec(), ..LookUp::default() }))
    }
}

fn person(number: usize) -> Change {
    let (anchor, mail) = (format!("u{number}"), format!("p{number}@corp.example"));
    let stated = [(fields::USER_NAME, anchor.as_str()), (fields::MAIL, &mail), (fields::DISPLAY_NAME, &mail)];
    entry(&anchor, EntryKind::User, &stated, Members::None)
}

/// Ten groups, each of every tenth.
fn company(people: usize) -> Directory {
    let mut changes: Vec<Change> = (0..people).map(person).collect();
    for group in 0..10 {
        let members = (group..people).step_by(10).map(|number| name(&format!("u{number}"))).collect();
        let anchor = format!("g{group}");
        changes.push(entry(
            &anchor,
            EntryKind::Group,
            &[(fields::NAME, &anchor)],
            Members::Complete(members),
        ));
    }
    Directory(changes)
}

fn connector() -> ConnectorName {
    ConnectorName::new("test", "corp")
}

fn owner() -> Owner {
    Owner::new("test", "all")
}

type Error = Box<dyn std::error::Error + Send + Sync>;

async fn read(store: &Store, directory: &Directory, clock: &Hand) -> Result<(), Error> {
    let options = reading::options();
    import(directory, store, &connector(), options, clock, |_| {}).await?;
    Ok(())
}

async fn bring_in_step(store: &Store, clock: &Hand) -> Result<RunReport, Error> {
    let policy = policy();
    let target = Registry::new(store.clone(), owner());
    let work = Work { store, target: &target, policy: Arc::clone(&policy), rebuild: spec::rebuild, clock };
    Ok(run(work, Options { id: Some("run".to_owned()), ..Options::default() }, |_, _| {}).await?)
}

/// Everything that readers can ask for, in each way in which they can ask for it.
fn served(store: &Store) -> Result<Vec<Option<Object>>, Error> {
    let read = store.read_registry(&owner(), |part| {
        let mut served = Vec::new();
        for kind in [SubjectKind::User, SubjectKind::Group] {
            let mut all = Vec::new();
            part.for_each(kind, |object| {
                all.push(object);
                Ok(())
            })?;
            served.extend(part.page(kind, 3, 50)?.into_iter().map(Some));
            for object in &all {
                served.push(part.by_id(object.id)?);
                served.push(part.by_number(object.number)?);
                served.push(part.by_name(kind, object.content.name_key().as_str())?);
            }
            served.extend(all.into_iter().map(Some));
        }
        Ok(served)
    })?;
    Ok(read.unwrap_or_default())
}

/// What became of a store.
#[derive(Debug, PartialEq)]
struct Outcome {
    served: Vec<Option<Object>>,
    /// Of a run after a read that brought what the one before it did.
    planned: String,
    after: Vec<Option<Object>>,
}

/// Opens the store as a new process does, serves it, reads the directory again and runs. Returns the open store, too.
async fn live(folder: &Path, directory: &Directory) -> Result<(Outcome, Store), Error> {
    let clock = Hand::hours(1);
    let store = Store::open(folder)?;
    let before = served(&store)?;
    read(&store, directory, &clock).await?;
    let report = bring_in_step(&store, &clock).await?;
    let planned = format!("{:?} {:?} {:?}", report.result(), report.applied, report.held);
    Ok((Outcome { served: before, planned, after: served(&store)? }, store))
}

/// A store in which everything is in step, as a process leaves it that ends.
async fn in_step(folder: &Path) {
    let clock = Hand::hours(0);
    let store = Store::open(folder).unwrap();
    // Twice, so that there is something to clear away.
    read(&store, &company(PEOPLE - 3), &clock).await.unwrap();
    bring_in_step(&store, &clock).await.unwrap();
    clock.advance(Duration::from_mins(1));
    read(&store, &company(PEOPLE), &clock).await.unwrap();
    bring_in_step(&store, &clock).await.unwrap();
    assert!(clock.now() < Hand::hours(1).now());
}

fn copy(from: &Path, to: &Path) {
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

/// Whose bytes are damaged, and how often, from which seed on.
fn damages(few: u64) -> std::ops::Range<u64> {
    let given = |name: &str| std::env::var(name).ok().map(|count| count.parse::<u64>().expect("a number"));
    let seed = given("SEED").unwrap_or(1);
    seed..seed + given("DAMAGES").unwrap_or(few)
}

/// splitmix64.
fn chance(seed: u64) -> u64 {
    let mut mixed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[tokio::test]
async fn a_byte_that_changed_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    in_step(folder.path()).await;
    let directory = Arc::new(company(PEOPLE));
    let whole = fs::read(folder.path().join(store::FILE)).unwrap();
    assert!(!folder.path().join("rollcall.db-wal").exists());
    let lived = |damage: Option<(usize, u8)>| {
        let (from, directory) = (folder.path().to_owned(), directory.clone());
        async move {
            let folder = tempfile::tempdir().unwrap();
            copy(&from, folder.path());
            if let Some((at, byte)) = damage {
                let mut bytes = fs::read(folder.path().join(store::FILE)).unwrap();
                bytes[at] = byte;
                fs::write(folder.path().join(store::FILE), bytes).unwrap();
            }
            // A thing of its own, as a process is.
            let path = folder.path().to_owned();
            let (outcome, store) = tokio::spawn(async move { live(&path, &directory).await }).await??;
            // What debug assertions alone notice when a store is closed is not noticed.
            drop(std::panic::catch_unwind(AssertUnwindSafe(|| drop(store))));
            Ok::<_, Error>(outcome)
        }
    };
    let undamaged = lived(None).await.unwrap();
    assert_eq!(undamaged.served.len(), undamaged.after.len());
    assert_eq!(undamaged.served.iter().flatten().count(), undamaged.served.len());
    let (mut noticed, mut harmless, mut unnoticed) = (0, 0, Vec::new());
    let mut said = std::collections::BTreeMap::<String, u32>::new();
    for seed in damages(30) {
        let at = usize::try_from(chance(seed) % whole.len() as u64).unwrap();
        let flip = u8::try_from(1 + chance(seed ^ 0xffff_0000) % 255).unwrap();
        match lived(Some((at, whole[at] ^ flip))).await {
            Err(why) => {
                *said.entry(why.to_string().chars().take(90).collect()).or_default() += 1;
                noticed += 1;
            }
            Ok(outcome) if outcome == undamaged => harmless += 1,
            Ok(outcome) => {
                let gone = undamaged.served.len().saturating_sub(outcome.after.len());
                unnoticed.push((seed, at, gone, outcome.planned));
            }
        }
    }
    println!(
        "of {} bytes: {noticed} noticed, {harmless} harmless, {} unnoticed",
        whole.len(),
        unnoticed.len()
    );
    for (why, count) in said {
        println!("{count} x {why}");
    }
    for one in &unnoticed {
        println!("{one:?}");
    }
    assert!(unnoticed.is_empty(), "{} of them", unnoticed.len());
}

/// A process that died leaves a journal. A byte that changes there ends it: what comes after that was never written.
#[tokio::test]
async fn a_byte_of_the_journal_that_changed_takes_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let died = tempfile::tempdir().unwrap();
    {
        let clock = Hand::hours(0);
        let store = Store::open(folder.path()).unwrap();
        read(&store, &company(PEOPLE), &clock).await.unwrap();
        bring_in_step(&store, &clock).await.unwrap();
        copy(folder.path(), died.path());
    }
    let journal = format!("{}-wal", store::FILE);
    let whole = fs::read(died.path().join(&journal)).unwrap();
    let directory = Arc::new(company(PEOPLE));
    let (undamaged, _) = live(folder.path(), &directory).await.unwrap();
    let seen = |served: &[Option<Object>]| {
        let seen = served.iter().flatten().map(|object| {
            let members = object.members.len();
            (object.id, format!("{} {:?} {members}", object.active, object.content))
        });
        seen.collect::<std::collections::BTreeMap<_, _>>()
    };
    for seed in damages(10) {
        let folder = tempfile::tempdir().unwrap();
        copy(died.path(), folder.path());
        let at = usize::try_from(chance(seed) % whole.len() as u64).unwrap();
        let mut bytes = whole.clone();
        bytes[at] ^= u8::try_from(1 + chance(!seed) % 255).unwrap();
        fs::write(folder.path().join(&journal), bytes).unwrap();
        let (path, directory) = (folder.path().to_owned(), directory.clone());
        let lived = tokio::spawn(async move { live(&path, &directory).await }).await.unwrap();
        let Ok((outcome, _)) = lived else { continue };
        assert_eq!(seen(&outcome.after), seen(&undamaged.after), "SEED={seed}, at {at}");
    }
}
