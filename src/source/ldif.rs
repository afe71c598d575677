//! An LDIF export (RFC 2849): a file as a directory.
//!
//! A file cannot be asked twice, so the reader is strict: what looks cut is refused whole, and an
//! absence from it is never more than `AbsentUnconfirmed`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Cursor as Bytes};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

use crate::directory::{
    Anchor, Batch, Change, Completion, Cursor, DirectoryId, Dn, Filler, Members, Mode, Shown,
};
use crate::source::schema::posix::Primaries;
use crate::source::schema::{self, ANCHORS, Schema};
use crate::source::{LookUp, Reason, Sink, Source, SourceError};
use crate::words::count;

mod parse;

use parse::{Problem, Reader, Record};

/// What to read, and how.
#[derive(Clone, Debug)]
pub struct LdifConfig {
    /// Where the text is.
    pub input: Input,
    /// What to call it in messages.
    pub name: String,
    /// The directory's identity; default: the longest DN suffix that all entries share.
    pub directory_id: Option<DirectoryId>,
    /// The attribute that holds the anchor, or `dn`; default: the first of [`ANCHORS`] that the file
    /// has.
    pub anchor: Option<String>,
    /// The literal attributes that policies and connectors name.
    pub literal: BTreeSet<String>,
}

/// Where the text is.
#[derive(Clone)]
pub enum Input {
    /// A file on disk.
    Path(PathBuf),
    /// In memory, from a Secret or `ConfigMap`.
    Text(Arc<[u8]>),
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => f.debug_tuple("Path").field(path).finish(),
            // It may come from a Secret, and is about people in any case.
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
        }
    }
}

/// A source that reads an LDIF export.
#[derive(Clone, Debug)]
pub struct LdifSource {
    config: LdifConfig,
}

impl LdifSource {
    /// A source for this export.
    pub fn new(config: LdifConfig) -> Self {
        Self { config }
    }
}

impl Source for LdifSource {
    async fn read(&self, _: Option<&Cursor>, sink: Sink) -> Result<Completion, SourceError> {
        let config = self.config.clone();
        let pinned = schema::pinned(sink.known_by().as_ref());
        let reading = tokio::task::spawn_blocking(move || {
            let _under_way = UnderWay::begin(&config)?;
            Reading::new(&config, pinned.as_deref(), &sink)?.run(&sink)
        });
        reading.await.map_err(|error| {
            SourceError::new(Reason::Interrupted, "reading the file ended").caused_by(error)
        })?
    }

    async fn look_up(&self, _: &[Anchor]) -> Result<Option<LookUp>, SourceError> {
        Ok(None)
    }
}

/// Reads of files that are under way: a read of a mount that hangs can be given up, but not ended.
static UNDER_WAY: Mutex<BTreeMap<PathBuf, usize>> = Mutex::new(BTreeMap::new());
/// So many of one file at most.
const AT_ONCE: usize = 4;

/// One of them.
struct UnderWay(PathBuf);

impl UnderWay {
    fn begin(config: &LdifConfig) -> Result<Option<Self>, SourceError> {
        let Input::Path(path) = &config.input else { return Ok(None) };
        let mut all = UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner);
        let count = all.entry(path.clone()).or_default();
        if *count == AT_ONCE {
            let message = format!(
                "{AT_ONCE} reads of {} began and have not ended, so no other is begun; does its mount hang?",
                config.name
            );
            return Err(SourceError::new(Reason::Interrupted, message));
        }
        *count += 1;
        Ok(Some(Self(path.clone())))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut all = UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = all.get_mut(&self.0) {
            *count -= 1;
            if *count == 0 {
                all.remove(&self.0);
            }
        }
    }
}

/// One pass over the file that finds out what a read needs to know beforehand, then one that reads.
struct Reading<'a> {
    config: &'a LdifConfig,
    schema: Schema,
    directory: DirectoryId,
    /// Whose primary group is which: a group may come before those who are in it.
    primaries: Primaries,
}

/// Enough of a DN's or anchor's hash to know it again.
type Fingerprint = [u8; 16];

impl<'a> Reading<'a> {
    fn new(config: &'a LdifConfig, pinned: Option<&str>, sink: &Sink) -> Result<Self, SourceError> {
        let is_gone = |name: &str| {
            SourceError::new(
                Reason::InvalidData,
                format!(
                    "entries are known by {name} since the first read, and no entry of {} has it; nothing was taken. Export that \
                     attribute too (ldapsearch … '*' '+'). If it is gone for ever, set anchorAttribute to another one: then \
                     everybody counts as new",
                    config.name
                ),
            )
        };
        let (mut primaries, mut bear_pinned) = (Primaries::default(), 0_usize);
        let mut suffix: Option<Dn> = None;
        let mut offered = [0_usize; ANCHORS.len()];
        each_record(config, |record| {
            if sink.is_closed() {
                return Err(Stop::Cancelled);
            }
            // The line says which record it is; a status is no place for a person's name.
            let dn = Dn::parse(&record.dn)
                .map_err(|error| record.problem(format!("the DN cannot be understood: {}", error.why)))?;
            suffix = Some(suffix.take().map_or_else(|| dn.clone(), |so_far| so_far.common_suffix(&dn)));
            for (name, count) in ANCHORS.iter().zip(&mut offered) {
                *count += usize::from(record.attributes.has(&name.to_lowercase()));
            }
            bear_pinned += usize::from(pinned.is_some_and(|name| record.attributes.has(name)));
            primaries.note(&record.dn, &record.attributes);
            Ok(())
        })?;
        let Some(suffix) = suffix else {
            return Err(SourceError::new(
                Reason::InvalidData,
                format!(
                    "{} holds no entry; an export always holds at least its base, so this one failed: export it again",
                    config.name
                ),
            ));
        };
        let anchor = match (&config.anchor, pinned) {
            (Some(anchor), _) => anchor.to_lowercase(),
            (None, Some(name)) if bear_pinned == 0 && name != "dn" => return Err(is_gone(name)),
            (None, Some(name)) => name.to_owned(),
            // That which most have: of equals the first.
            (None, None) => ANCHORS
                .iter()
                .zip(offered)
                .rev()
                .filter(|(_, count)| *count > 0)
                .max_by_key(|(_, count)| *count)
                .map(|(name, _)| name.to_lowercase())
                .ok_or_else(|| {
                    SourceError::new(
                        Reason::InvalidData,
                        format!(
                            "no entry of {} has an immutable id ({}); export the operational attributes too \
                             (ldapsearch … '*' '+'), or set anchorAttribute to an attribute that never changes (`dn` \
                             for the DN itself: then a rename is a leaver and a joiner)",
                            config.name,
                            ANCHORS.join(", ")
                        ),
                    )
                })?,
        };
        let directory = match &config.directory_id {
            Some(id) => id.clone(),
            None if suffix.as_str().is_empty() => {
                return Err(SourceError::new(
                    Reason::InvalidData,
                    format!(
                        "the entries of {} have no common suffix, so it cannot be told which directory they are of; \
                         set directoryID",
                        config.name
                    ),
                ));
            }
            None => DirectoryId::new(suffix.as_str()),
        };
        Ok(Self { config, schema: Schema { anchor, literal: config.literal.clone() }, directory, primaries })
    }

    fn run(self, sink: &Sink) -> Result<Completion, SourceError> {
        let mut filler = Filler::default();
        let mut seen: HashMap<Fingerprint, usize> = HashMap::new();
        let mut once = |what: &str, value: &str, record: &Record| {
            match seen.insert(fingerprint(what, value), record.line)
        {
            None => Ok(()),
            Some(first) => Err(record.problem(format!(
                "this record has the {what} of the record at line {first}; a record that stands twice means that the \
                 export was damaged or joined from two: export it again"
            ))),
        }
        };
        let references = each_record(self.config, |record| {
            if let Ok(dn) = Dn::parse(&record.dn) {
                once("DN", dn.as_str(), &record)?;
            }
            let change = match self.schema.entry(&record.dn, &record.attributes, None) {
                Ok(None) => return Ok(()),
                Ok(Some(mut entry)) => {
                    self.primaries.join(&record.attributes, &mut entry.members);
                    if let (Members::Complete(members), false) = (&mut entry.members, record.ended) {
                        let why = "the file ends within the record, or without the empty line that ends it";
                        entry.members = Members::Partial(std::mem::take(members), why.to_owned());
                    }
                    Change::Replace(Box::new(entry))
                }
                Err(error) => Change::Unreadable {
                    anchor: error.anchor,
                    why: format!("{} (line {} of {})", error.why, record.line, self.config.name),
                    what: record.dn,
                },
            };
            filler.add(change).map_or(Ok(()), |batch| send(sink, batch))
        })?;
        filler.rest().map_or(Ok(()), |batch| send(sink, batch))?;
        Ok(Completion {
            mode: Mode::Full,
            directory: self.directory,
            id: Some(self.schema.anchor.clone()),
            server: None,
            cursor: None,
            fields: Schema::fields(),
            attributes: self.config.literal.clone(),
            scope: format!("ldif anchor={}", self.schema.anchor),
            notices: (references > 0)
                .then(|| {
                    let were = count(references as u64, "search reference was", "search references were");
                    format!("{were} not followed in {}", self.config.name)
                })
                .into_iter()
                .collect(),
            vendor: None,
            feed: None,
            shown: Shown::default(),
        })
    }
}

/// What stops a pass over the file.
enum Stop {
    Problem(Problem),
    Cancelled,
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

fn send(sink: &Sink, batch: Batch) -> Result<(), Stop> {
    sink.blocking_send(batch).map_err(|_| Stop::Cancelled)
}

impl From<Stop> for SourceError {
    fn from(_: Stop) -> Self {
        Self::new(Reason::Cancelled, "the reader went away")
    }
}

/// Calls `each` for every record; returns how many search references stood between them.
fn each_record(
    config: &LdifConfig,
    mut each: impl FnMut(Record) -> Result<(), Stop>,
) -> Result<usize, SourceError> {
    let input: Box<dyn BufRead> = match &config.input {
        Input::Text(text) => Box::new(Bytes::new(text.clone())),
        // Opening a pipe waits for somebody who writes, and it cannot be read twice.
        Input::Path(path) if fs::metadata(path).is_ok_and(|found| !found.is_file()) => {
            let message = format!("{} is no file but a folder, a pipe or a device; name a file", config.name);
            return Err(SourceError::new(Reason::NotFound, message));
        }
        Input::Path(path) => Box::new(BufReader::with_capacity(
            1 << 16,
            File::open(path).map_err(|error| {
                let message =
                    format!("{} cannot be read: {error}; check the path and its rights", config.name);
                SourceError::new(Reason::NotFound, message)
            })?,
        )),
    };
    let mut reader = Reader::new(input);
    loop {
        let next = match reader.next() {
            Ok(None) => return Ok(reader.references()),
            Ok(Some(record)) => each(record),
            Err(problem) => Err(problem.into()),
        };
        match next {
            Ok(()) => {}
            Err(Stop::Cancelled) => return Err(Stop::Cancelled.into()),
            Err(Stop::Problem(Problem { line, why, cut })) => {
                let reason = if cut { Reason::Interrupted } else { Reason::InvalidData };
                return Err(SourceError::new(reason, format!("{}, line {line}: {why}", config.name)));
            }
        }
    }
}

fn fingerprint(what: &str, value: &str) -> Fingerprint {
    let digest = Sha256::new().chain_update(what).chain_update([0]).chain_update(value).finalize();
    let mut fingerprint = Fingerprint::default();
    fingerprint.copy_from_slice(&digest[..16]);
    fingerprint
}
