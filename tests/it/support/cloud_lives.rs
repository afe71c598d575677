//! What lives of directories in the cloud share: a place where one is read, what is known there, and what must be true of that.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Display;
use std::time::Duration;

use futures::StreamExt as _;
use rollcall::directory::{Anchor, ConnectorName, Entry};
use rollcall::source::Source;
use rollcall::store::Store;
use rollcall::store::snapshot::{NameId, Presence, Row};
use rollcall::sync::import::{ImportError, Imported, Options, import};
use serde_json::{Value, json};

use super::faults::{count, tell};
use super::hand::Hand;

/// So many lives are lived side by side.
const AT_ONCE: usize = 16;

/// What is known of one entry: itself, and who is in it.
pub(crate) type Known = BTreeMap<String, (Entry, BTreeSet<String>)>;

/// A place where a directory is read.
pub(crate) struct Place<S> {
    pub(crate) store: Store,
    pub(crate) source: S,
    pub(crate) clock: Hand,
    _folder: tempfile::TempDir,
}

pub(crate) fn corp() -> ConnectorName {
    ConnectorName::new("test", "corp")
}

impl<S: Source> Place<S> {
    pub(crate) fn of(source: S) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { store: Store::open(folder.path()).unwrap(), source, clock: Hand::seconds(0), _folder: folder }
    }

    /// Reads, five minutes later.
    pub(crate) async fn try_read(&self) -> Result<Imported, ImportError> {
        let (timeout, full_read_every) = (Duration::from_mins(2), Duration::from_hours(1));
        let options = Options { look_ups: 1000, timeout, full_read_every };
        self.clock.advance(Duration::from_mins(5));
        import(&self.source, &self.store, &corp(), options, &self.clock, |_| {}).await
    }

    pub(crate) async fn read(&self) -> Imported {
        self.try_read().await.unwrap()
    }

    /// How many a group's list states, if all of it is known.
    pub(crate) fn members(&self, group: &str) -> Option<usize> {
        let lists = self.store.members(&corp(), &[Anchor::new(group)]).unwrap();
        lists.get(&Anchor::new(group))?.as_ref().map(Vec::len)
    }

    /// Everybody who did not go.
    pub(crate) fn known(&self) -> Known {
        let Some(snapshot) = self.store.snapshot(&corp()).unwrap() else { return Known::new() };
        let mut rows: Vec<Row> = Vec::new();
        snapshot.for_each_row(&mut |row| rows.push(row)).unwrap();
        rows.retain(|row| !matches!(row.presence, Presence::Gone { .. }));
        let called: HashMap<NameId, String> = rows
            .iter()
            .flat_map(|row| row.names.iter().map(|name| (*name, row.entry.anchor.as_str().to_owned())))
            .collect();
        let known = |row: Row| {
            let names = snapshot.edges(row.id).unwrap().names;
            let members = names.iter().filter_map(|name| called.get(&NameId(name)).cloned()).collect();
            (row.entry.anchor.as_str().to_owned(), (row.entry, members))
        };
        rows.into_iter().map(known).collect()
    }
}

/// Whether an account is known to be disabled.
fn is_disabled((entry, _): &(Entry, BTreeSet<String>)) -> bool {
    entry.disabled == Some(true)
}

/// Nobody of `there`, and nobody's membership, went, and nobody is disabled who is enabled.
pub(crate) fn nobody_went(
    there: &BTreeSet<String>,
    is_enabled: impl Fn(&str) -> bool,
    members: impl Fn(&str) -> BTreeSet<String>,
    before: &Known,
    after: &Known,
    story: &[String],
) {
    let story = || story.join("\n");
    for (who, (_, listed)) in before.iter().filter(|(who, _)| there.contains(*who)) {
        let Some(now) = after.get(who) else { panic!("{who} went, and is there:\n{}", story()) };
        assert!(
            !is_disabled(now) || is_disabled(&before[who]) || !is_enabled(who),
            "{who} is enabled:\n{}",
            story()
        );
        let in_it = members(who);
        let gone: Vec<&String> =
            listed.iter().filter(|member| in_it.contains(*member) && !now.1.contains(*member)).collect();
        assert!(gone.is_empty(), "{gone:?} went from {who}, and are in it:\n{}", story());
    }
}

/// Both know the same.
pub(crate) fn same(read: &Known, fresh: &Known, story: &[impl Display]) {
    let shown = |known: &Known| -> BTreeMap<String, Value> {
        let entry = |(who, (entry, members)): (&String, &(Entry, BTreeSet<String>))| {
            let said = format!("{:?} {:?} {:?}", entry.fields, entry.attributes, entry.disabled);
            (who.clone(), json!([said, members]))
        };
        known.iter().map(entry).collect()
    };
    let story = || story.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert_eq!(shown(read), shown(fresh), "{}", story());
}

/// Lives `few` lives, or as many as are asked for, each from a seed; a life says how many reads there were, how many failed, and
/// how many faults.
pub(crate) fn all<F: Future<Output = [usize; 3]>>(few: u64, life: impl Fn(u64) -> F) {
    let (lives, first) = (count("LIVES", few), count("SEED", 1));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let all = futures::stream::iter(first..first + lives).map(life).buffer_unordered(AT_ONCE);
    let counts = runtime.block_on(all.fold([0; 3], async |sum, life| [0, 1, 2].map(|at| sum[at] + life[at])));
    let [read, failed, faults] = counts;
    tell(format_args!("{lives} lives from {first}: {read} reads, {failed} that failed, {faults} faults"));
    assert!(read > 0 && failed > 0);
}
