//! An LDIF export (RFC 2849): a file as a directory.
//!
//! A file cannot be asked twice, so the reader is strict: what looks cut is refused whole, and an
//! absence from it is never more than `AbsentUnconfirmed`.

use std::collections::{BTreeSet, HashMap};

use sha2::{Digest as _, Sha256};

use crate::directory::{
    Anchor, Batch, Change, Completion, Cursor, DirectoryId, Dn, END_OF, Entry, Filler, Mode, Shown,
};
use crate::source::schema::primary::PrimaryGroups as _;
use crate::source::schema::{self, EntrySchema};
use crate::source::{KnownBy, LookUp, Reason, Sink, Source, SourceError};
use crate::words::count;

mod attribute;
mod classes;
mod config;
mod filter;
mod line;
mod lists;
mod meaning;
mod merged;
mod near;
mod overview;
mod owners;
mod parse;
mod problem;
mod reason;
mod record;
mod report;
mod required;
mod shared;
mod stated;
mod text;
mod tops;
mod under_way;
mod used;

pub use self::config::LdifConfig;
pub use self::text::Input;

use self::classes::Classes;
use self::filter::Filter;
use self::meaning::Meaning;
use self::overview::Overview;
use self::parse::{Ending, Reader};
use self::problem::{Problem, invalid};
use self::record::{End, Record};
use self::stated::{Fingerprint, Statement, fingerprint, words};
use self::text::{Sum, Text};
use self::tops::Tops;
use self::under_way::UnderWay;
use self::used::{Hidden, Used};

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
        let known_by = sink.known_by();
        let reading = tokio::task::spawn_blocking(move || {
            let _under_way = UnderWay::begin(&config)?;
            LdifRead::new(&config, known_by.as_ref(), &sink)?.run(&sink)
        });
        reading.await.map_err(|error| {
            SourceError::new(Reason::Interrupted, "reading the file ended").caused_by(error)
        })?
    }

    async fn look_up(
        &self,
        _: &[Anchor],
        _: &HashMap<Anchor, String>,
    ) -> Result<Option<LookUp>, SourceError> {
        Ok(None)
    }
}

/// One pass over the file that finds out what a read needs to know beforehand, then one that reads.
struct LdifRead<'a> {
    config: &'a LdifConfig,
    text: Text,
    /// Of what the first pass read.
    sum: Sum,
    meaning: Meaning,
    directory: DirectoryId,
    classes: Classes,
    notices: Vec<String>,
}

/// So many records are named in notices of one kind.
const NAMED: usize = 3;

impl<'a> LdifRead<'a> {
    fn new(config: &'a LdifConfig, known_by: Option<&KnownBy>, sink: &Sink) -> Result<Self, SourceError> {
        let pinned = schema::pinned(known_by);
        let pinned = pinned.as_deref();
        let filter = |text: &Option<String>| text.as_deref().map(Filter::parse).transpose().map_err(invalid);
        let (users, groups) = (filter(&config.user_filter)?, filter(&config.group_filter)?);
        let asked: BTreeSet<String> =
            [&users, &groups].into_iter().flatten().flat_map(Filter::names).collect();
        let schema = |anchor, demands_members| EntrySchema {
            anchor,
            literal: config.literal.clone(),
            demands_members,
        };
        let used = schema(String::new(), false).attributes().into_iter().chain(asked.iter().cloned());
        let tops = Tops::of(known_by.map(|known_by| &known_by.directory));
        let mut overview = Overview { used: Used::new(used), tops, ..Overview::default() };
        let text = Text::open(&config.input, &config.name)?;
        let mut sum = Sum::default();
        let ending = each_record(&config.name, &text, &mut sum, |record| {
            if sink.is_closed() {
                return Err(Stop::Cancelled);
            }
            overview.note(&record, config.anchor.as_deref().or(pinned), &asked);
            Ok(())
        })?;
        if ending.doubt.is_some() {
            // Somebody may be in what did not come.
            overview.primaries.hide();
        }
        let name = &config.name;
        if overview.entries == 0 {
            let damage = overview.damage.map(|damage| format!(" ({damage})")).unwrap_or_default();
            return Err(invalid(format!(
                "{name} has no entry{damage}; an export always has at least its base entry, so this one failed: \
                 export it again"
            )));
        }
        if overview.with_values == 0 {
            return Err(invalid(format!(
                "no entry of {name} has a value; export the values too: do not use -A of ldapsearch"
            )));
        }
        if overview.with_classes == 0 {
            return Err(invalid(format!(
                "no entry of {name} has an objectClass, so users and groups cannot be distinguished; export that \
                 attribute too (ldapsearch … '*' '+')"
            )));
        }
        let anchor = overview.anchor(config, pinned)?;
        let formed = overview.is_formed(&anchor);
        if formed && overview.required.any_missing() {
            overview.primaries.hide();
        }
        let (directory, top) = overview.directory(config, known_by.map(|known_by| &known_by.directory))?;
        let base = top.map(|top| top.suffix.clone());
        let elsewhere = top.and_then(|top| overview.elsewhere(top, name));
        let mut notices: Vec<String> = overview
            .hidden_states(name)
            .into_iter()
            .chain(overview.hidden_numbers(name))
            .chain(elsewhere)
            .collect();
        let nowhere: BTreeSet<String> = asked.difference(&overview.asked_for).cloned().collect();
        if let Some(first) = nowhere.first() {
            notices.push(format!(
                "no entry of {name} has {first}, which a filter of this connector uses, so it may not have been exported: no \
                 known entry is left out because of it, and a new one is added only if the filter matches without \
                 it; export that attribute too"
            ));
        }
        let meaning = Meaning {
            states: overview.shows_states(),
            shows_built_in: overview.shows_built_in,
            base,
            formed,
            no_id: reason::no_id(&anchor, formed && overview.is_usual(&anchor)),
            width: ending.width,
            required: overview.required.clone(),
            nowhere,
            accounts: overview.accounts(&anchor),
            primary_ids: overview.primary_ids,
            primaries: overview.primaries,
            hides_primary: overview.hides_primary,
            users,
            groups,
            name: name.clone(),
            schema: schema(anchor, overview.is_openldap),
            used: overview.used,
            owners: overview.owners,
            shared: overview.shared.compare(),
        };
        Ok(Self { config, text, sum, meaning, directory, classes: Classes::default(), notices })
    }

    fn run(mut self, sink: &Sink) -> Result<Completion, SourceError> {
        let mut filler = Filler::default();
        let mut seen: HashMap<Fingerprint, (usize, Fingerprint)> = HashMap::new();
        let (mut last, mut again, mut unclear, mut aliases) = (None, 0, 0, 0);
        let mut unknown = Vec::new();
        let (meaning, classes) = (&self.meaning, &mut self.classes);
        let (mut sum, mut statement) = (Sum::default(), Statement::default());
        let ending = each_record(&self.config.name, &self.text, &mut sum, |record| {
            let words = words(&record);
            statement.add(&record, words);
            if let End::Open(_) = record.end {
                last = Some(record.line);
            }
            let hidden = meaning.used.hidden(&record.attributes);
            if unknown.len() < NAMED {
                unknown.extend(hidden.iter().map(|one| told(one, &record)));
            }
            for change in meaning.changes(&record, &hidden) {
                match &change {
                    Change::Replace(entry) if !is_first(&mut seen, entry, (record.line, words))? => {
                        again += 1;
                        continue;
                    }
                    Change::OfNoKind(_) if schema::kind(&record.attributes).is_none() => {
                        classes.note(&record.attributes);
                    }
                    Change::OfNoKind(_) if schema::is_alias(&record.attributes) => aliases += 1,
                    Change::OfNoKind(_) => unclear += 1,
                    _ => {}
                }
                filler.add(change).map_or(Ok(()), |batch| send(sink, batch))?;
            }
            Ok(())
        })?;
        if sum.digest() != self.sum.digest() {
            let message = format!(
                "{} changed while it was read, and nothing was used; write an export to a different file and move it \
                 into place (mv) when it is complete",
                self.config.name
            );
            return Err(SourceError::new(Reason::Interrupted, message));
        }
        // Which export it is: one that is read again, or a copy of it, says no more than it did.
        let export = statement.digest();
        let Ending { references, doubt, shown, foreign, .. } = ending;
        if let Some(why) = doubt {
            // Who did not come may stand in what is not there.
            let what = format!("{END_OF}{}", self.config.name);
            let change = Change::Unreadable { anchor: None, what, why };
            filler.add(change).map_or(Ok(()), |batch| send(sink, batch))?;
        }
        filler.rest().map_or(Ok(()), |batch| send(sink, batch))?;
        let mut notices = self.notices;
        if references > 0 {
            let were = count(references as u64, "search reference was", "search references were");
            notices.push(format!("{were} not followed in {}", self.config.name));
        }
        if let Some(line) = last {
            notices.push(format!(
                "{} ends without an empty line after its last record (line {line}), so attributes that this record \
                 lacks remove nothing; end the file with an empty line",
                self.config.name
            ));
        }
        if let Some(line) = foreign {
            notices.push(format!(
                "line {line} of {} is not UTF-8, so it was written in another character set, or damaged: such values are \
                 unknown; convert the file (iconv -f ISO-8859-1 -t UTF-8, if that is the character set), or export it again",
                self.config.name
            ));
        }
        notices.extend(unknown);
        notices.extend(self.classes.notice());
        notices.extend((aliases > 0).then(|| schema::aliases(aliases)));
        if unclear > 0 {
            let are = count(unclear, "entry was", "entries were");
            notices.push(format!(
                "{are} neither added nor left out, because an attribute that a filter of this connector uses is unknown"
            ));
        }
        if again > 0 {
            let are = count(again, "record is", "records are");
            notices.push(format!("{are} in {} twice, in the same words, and read once", self.config.name));
        }
        let filters = match (&self.config.user_filter, &self.config.group_filter) {
            (None, None) => String::new(),
            (users, groups) => format!(" users={users:?} groups={groups:?}"),
        };
        Ok(Completion {
            mode: Mode::Full,
            directory: self.directory,
            id: Some(self.meaning.schema.anchor.clone()),
            server: None,
            cursor: None,
            fields: EntrySchema::fields(),
            attributes: self.config.literal.clone(),
            scope: format!("ldif anchor={}{filters}", self.meaning.schema.anchor.to_lowercase()),
            notices,
            vendor: None,
            feed: None,
            shown: Shown { no_end: !shown, progress: Some(export), ..Shown::default() },
        })
    }
}

/// What to say of an attribute whose value a record may have and does not show.
fn told(Hidden { name, under }: &Hidden, record: &Record) -> String {
    let line = record.line;
    match under {
        Some(under) => format!(
            "the record at line {line} has {under} and no {name}, which others have; the name may have been damaged, so \
             its {name} is unknown: export it again"
        ),
        None => format!(
            "the {name} of the record at line {line} is blank, as hardly any other is, so it is unknown; leave the line \
             away if there is none"
        ),
    }
}

/// Whether a record did not stand there before; refuses one that did in other words. One id on two DNs, and two ids on one DN, are
/// for the import to judge.
fn is_first(
    seen: &mut HashMap<Fingerprint, (usize, Fingerprint)>,
    entry: &Entry,
    (line, words): (usize, Fingerprint),
) -> Result<bool, Stop> {
    let dn = Dn::parse(&entry.dn).map_or_else(|_| entry.dn.clone(), |dn| dn.to_string());
    match seen.insert(fingerprint_of(&dn, entry.anchor.as_str()), (line, words)) {
        None => Ok(true),
        Some((_, before)) if before == words => Ok(false),
        Some((first, _)) => Err(Stop::Problem(Problem {
            line,
            why: format!(
                "this record has the DN and the id of the record at line {first}, and says something else; the entry \
                 changed between two exports, or the file was damaged: export it again"
            ),
            cut: false,
        })),
    }
}

/// What stops a pass over the file.
enum Stop {
    Problem(Problem),
    Cancelled,
}

fn send(sink: &Sink, batch: Batch) -> Result<(), Stop> {
    sink.blocking_send(batch).map_err(|_| Stop::Cancelled)
}

impl From<Stop> for SourceError {
    fn from(_: Stop) -> Self {
        Self::new(Reason::Cancelled, "the reader ended")
    }
}

/// Calls `each` for every record; returns what became clear at the end.
fn each_record(
    name: &str,
    text: &Text,
    sum: &mut Sum,
    mut each: impl FnMut(Record) -> Result<(), Stop>,
) -> Result<Ending, SourceError> {
    let mut reader = Reader::new(text.pass(sum)?);
    loop {
        let next = match reader.next() {
            Ok(None) => return Ok(reader.ending()),
            Ok(Some(record)) => each(record),
            Err(problem) => Err(Stop::Problem(problem)),
        };
        match next {
            Ok(()) => {}
            Err(Stop::Cancelled) => return Err(Stop::Cancelled.into()),
            Err(Stop::Problem(Problem { line, why, cut })) => {
                let reason = if cut { Reason::Interrupted } else { Reason::InvalidData };
                return Err(SourceError::new(reason, format!("{name}, line {line}: {why}")));
            }
        }
    }
}

fn fingerprint_of(dn: &str, id: &str) -> Fingerprint {
    fingerprint(Sha256::new().chain_update(dn).chain_update([0]).chain_update(id))
}
