//! An LDIF export (RFC 2849): a file as a directory.
//!
//! A file cannot be asked twice, so the reader is strict: what looks cut is refused whole, and an
//! absence from it is never more than `AbsentUnconfirmed`.

use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use sha2::{Digest as _, Sha256};

use crate::directory::{
    Anchor, Batch, Change, Completion, Cursor, DirectoryId, Dn, Entry, EntryKind, Filler, Mode, Shown,
};
use crate::source::schema::active_directory::state;
use crate::source::schema::posix::Primaries;
use crate::source::schema::primary::PrimaryGroups as _;
use crate::source::schema::{self, ANCHORS, Attributes, EntrySchema, active_directory};
use crate::source::{KnownBy, LookUp, Reason, Sink, Source, SourceError};
use crate::words::count;

mod classes;
mod config;
mod filter;
mod line;
mod lists;
mod meaning;
mod near;
mod owners;
mod parse;
mod problem;
mod report;
mod required;
mod shared;
mod text;
mod tops;
mod under_way;
mod used;

pub use self::config::LdifConfig;
pub use self::text::Input;

use self::classes::Classes;
use self::filter::Filter;
use self::meaning::Meaning;
use self::owners::Owners;
use self::parse::{Ending, Reader, Record};
use self::problem::Problem;
use self::required::Required;
use self::shared::Shared;
use self::text::{Sum, Text};
use self::tops::{Top, Tops};
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

/// Enough of a DN's or anchor's hash to know it again.
type Fingerprint = [u8; 16];

/// What a file shows as a whole.
#[derive(Default)]
struct Overview {
    entries: usize,
    tops: Tops,
    used: Used,
    owners: Owners,
    shared: Shared,
    /// Whether an entry has an attribute that OpenLDAP alone gives: there no group of names is without a member.
    is_openldap: bool,
    /// How many entries have each of [`ANCHORS`].
    anchors: [usize; ANCHORS.len()],
    with_classes: usize,
    /// How many state a value, and not the names of attributes alone.
    with_values: usize,
    /// How many have the attribute by which entries are known since the first read.
    with_pinned: usize,
    /// Of the attributes that every account of Active Directory has: whether an account hides it, and whether one shows it.
    states: [(bool, bool); state::ATTRIBUTES.len()],
    /// How many accounts of Active Directory do not show their number in the domain …
    unnumbered: u64,
    /// … and whether an entry is there that says that every domain has it.
    shows_built_in: bool,
    /// How many have an id in the form in which servers write it, for each of [`ANCHORS`].
    formed: [usize; ANCHORS.len()],
    /// The attributes that the filters ask for and that some entry has.
    asked_for: BTreeSet<String>,
    /// The groups of Active Directory that are the primary one of somebody, by their relative ids.
    primary_ids: BTreeSet<u32>,
    primaries: Primaries,
    required: Required,
    /// The ids of those who have a primary group, each by the attribute that may hold it.
    accounts: HashMap<Dn, Vec<(String, Anchor)>>,
    /// The first record that cannot be understood.
    damage: Option<String>,
}

impl Overview {
    fn note(&mut self, record: &Record, pinned: Option<&str>, asked: &BTreeSet<String>) {
        let attributes = &record.attributes;
        let dn = record.dns.first().map(|dn| Dn::parse(dn));
        self.required.note(record, dn.as_ref().and_then(|dn| dn.as_ref().ok()));
        match dn {
            // A DN that may go on is none.
            Some(Ok(_)) if record.end == parse::End::Open(Some("dn".to_owned())) => self.entries += 1,
            Some(Ok(dn)) if record.damage.is_none() => {
                self.entries += 1;
                self.tops.note(&dn, record.line, schema::kind(attributes).is_some());
            }
            Some(Ok(_)) | None => {
                // It says where.
                self.damage = self.damage.take().or_else(|| record.damage.clone());
            }
            // The line says which record it is; a status is no place for a person's name.
            Some(Err(error)) => {
                self.damage.get_or_insert_with(|| format!("line {}: {}", record.line, error.why));
            }
        }
        for (name, (count, formed)) in ANCHORS.iter().zip(self.anchors.iter_mut().zip(&mut self.formed)) {
            let lower = name.to_lowercase();
            *count += usize::from(attributes.has(&lower));
            *formed += usize::from(attributes.values(&lower).any(|value| schema::is_formed(name, value)));
        }
        self.asked_for.extend(asked.iter().filter(|name| attributes.has(name)).cloned());
        self.primary_ids.extend(active_directory::number::<u32>(attributes, "primarygroupid"));
        self.used.note(attributes);
        self.owners.note(record);
        self.shared.note(record);
        self.is_openldap |= attributes.has("entrycsn");
        self.with_classes += usize::from(attributes.has("objectclass"));
        self.with_values +=
            usize::from(attributes.names().any(|name| attributes.all(name).any(|value| !value.is_empty())));
        self.with_pinned += usize::from(pinned.is_some_and(|name| attributes.has(&schema::name(name))));
        self.note_state(attributes);
        // What a record does not say may be whose primary group is which, and it may not say it of whom it seems to.
        if may_hide_an_account(record) {
            self.primaries.hide();
        }
        let is_last =
            matches!(&record.end, parse::End::Open(Some(last)) if schema::name(last) == "gidnumber");
        if let (None, Some(dn), false) = (&record.damage, record.dns.first(), is_last) {
            self.primaries.note(dn, attributes);
            self.note_account(dn, attributes, pinned);
        }
    }

    /// Notes what an account of Active Directory shows of its state, and of whether it is one that every domain has.
    fn note_state(&mut self, attributes: &Attributes) {
        self.shows_built_in |= attributes.has("iscriticalsystemobject");
        let is_account = schema::kind(attributes) == Some(EntryKind::User)
            && active_directory::is_of(attributes)
            && !active_directory::is_nobody(attributes);
        if !is_account {
            return;
        }
        let is_numbered = state::is_lightweight(attributes) || active_directory::shows_number(attributes);
        self.unnumbered += u64::from(!is_numbered);
        let is_hidden = state::hidden(EntryKind::User, attributes).is_some();
        for (name, (hidden, shown)) in state::ATTRIBUTES.iter().zip(&mut self.states) {
            let shows = attributes.has(&name.to_lowercase());
            *hidden |= is_hidden && !shows;
            *shown |= shows;
        }
    }

    /// Whether an account of Active Directory shows whether it is disabled.
    fn shows_states(&self) -> bool {
        self.states.first().is_some_and(|(_, shown)| *shown)
    }

    /// What to say of an attribute that decides who is disabled or expired and that no account shows.
    fn hidden_states(&self, name: &str) -> Option<String> {
        let mut names = state::ATTRIBUTES.iter().zip(self.states);
        let (hidden, _) = names.find(|(_, (hidden, shown))| *hidden && !shown)?;
        let follows = if self.shows_states() {
            "accounts keep what they have, and no new ones are added"
        } else {
            "accounts that were known to be disabled or to expire keep what they have, and of the others nothing is known"
        };
        Some(format!(
            "{name} is an export of Active Directory, and no account shows its {hidden}, so who is disabled or expired is \
             unknown: {follows}; export {} too, or read the directory with a connector of the kind activeDirectory",
            state::ATTRIBUTES.join(" and ")
        ))
    }

    /// What to say if accounts that every domain has cannot be told from those of people.
    fn hidden_numbers(&self, name: &str) -> Option<String> {
        let hide = self.unnumbered > 0 && !self.shows_built_in;
        let accounts = count(self.unnumbered, "account shows", "accounts show");
        hide.then(|| {
            format!(
                "{name} is an export of Active Directory, and {accounts} neither objectSid nor isCriticalSystemObject, so \
                 accounts that every domain has cannot be distinguished from those of people: such as are called \
                 Administrator, Guest, krbtgt or DefaultAccount are neither added nor changed, and under any other name \
                 they are read as people; export objectSid too, or read the directory with a connector of the kind \
                 activeDirectory"
            )
        })
    }

    /// Notes who has a primary group: a DN may be somebody else's by now, an id is not.
    fn note_account(&mut self, dn: &str, attributes: &Attributes, pinned: Option<&str>) {
        let Some(dn) = Dn::parse(dn).ok().filter(|_| active_directory::is_a(attributes, "posixAccount"))
        else {
            return;
        };
        let id = |name: &str| {
            let id = attributes.values(name).next().and_then(|value| schema::anchor(name, value))?;
            Some((schema::name(name).into_owned(), id))
        };
        let ids = pinned.map_or_else(
            || ANCHORS.iter().filter_map(|name| id(name)).collect(),
            |pinned| id(pinned).into_iter().collect(),
        );
        self.accounts.insert(dn, ids);
    }

    /// The ids of those who have a primary group, by the attribute that holds the ids.
    fn accounts(&mut self, anchor: &str) -> HashMap<Dn, Anchor> {
        let anchor = schema::name(anchor);
        let accounts = std::mem::take(&mut self.accounts).into_iter();
        let id = |ids: Vec<(String, Anchor)>| ids.into_iter().find(|(name, _)| *name == anchor);
        accounts.filter_map(|(dn, ids)| Some((dn, id(ids)?.1))).collect()
    }

    /// Whether the ids of this attribute are of the form in which servers write them, but for such as were damaged.
    fn is_formed(&self, anchor: &str) -> bool {
        let counts = ANCHORS.iter().zip(self.anchors.iter().zip(&self.formed));
        counts
            .filter(|(name, _)| name.eq_ignore_ascii_case(anchor))
            .any(|(_, (all, formed))| formed * 2 > *all)
    }

    /// The attribute that holds the anchor.
    fn anchor(&self, config: &LdifConfig, pinned: Option<&str>) -> Result<String, SourceError> {
        match (&config.anchor, pinned) {
            (Some(anchor), _) => return Ok(anchor.clone()),
            (None, Some(name)) if self.with_pinned == 0 && !name.eq_ignore_ascii_case("dn") => {
                return Err(invalid(format!(
                    "entries are identified by {name} since the first read, and no entry of {} has it; nothing was \
                     used. Export that attribute too (ldapsearch … '*' '+'). If it is gone for good, set \
                     anchorAttribute to a different one: then every entry counts as new",
                    config.name
                )));
            }
            (None, Some(name)) => return Ok(name.to_owned()),
            (None, None) => {}
        }
        // That which most have: of equals the first.
        let offered = ANCHORS.iter().zip(self.anchors).rev().filter(|(_, count)| *count > 0);
        let most = offered.max_by_key(|(_, count)| *count);
        most.map(|(name, _)| (*name).to_owned()).ok_or_else(|| {
            invalid(format!(
                "no entry of {} has an immutable id ({}); export the operational attributes too (ldapsearch … '*' '+'), or \
                 set anchorAttribute to an attribute that never changes (`dn` for the DN itself: then a rename is a leaver \
                 and a joiner)",
                config.name,
                ANCHORS.join(", ")
            ))
        })
    }

    /// The directory that the entries are in, and where its entries are if not all of the file are there.
    fn directory(
        &self,
        config: &LdifConfig,
        pinned: Option<&DirectoryId>,
    ) -> Result<(DirectoryId, Option<&Top>), SourceError> {
        if let Some(id) = &config.directory_id {
            return Ok((id.clone(), None));
        }
        if let Some(top) = self.tops.directory(pinned) {
            let elsewhere = Some(top).filter(|top| self.tops.elsewhere(top).is_some());
            return Ok((DirectoryId::new(top.suffix.as_str()), elsewhere));
        }
        let name = &config.name;
        let remedy = self.tops.main().and_then(|top| {
            let (_, line) = self.tops.elsewhere(top)?;
            let id = pinned.map_or(top.suffix.as_str(), DirectoryId::as_str);
            Some(format!(
                ": most are within {}, and the one at line {line} is not. If they are of one directory, set directoryID: \
                 \"{id}\"; else export without it",
                top.suffix
            ))
        });
        Err(invalid(format!(
            "the entries of {name} have no common suffix, so their directory is unknown{}",
            remedy.as_deref().unwrap_or("; set directoryID")
        )))
    }

    /// What to say of the entries that are not there.
    fn elsewhere(&self, top: &Top, name: &str) -> Option<String> {
        let (number, line) = self.tops.elsewhere(top)?;
        let are = count(number as u64, "entry is", "entries are");
        let suffix = &top.suffix;
        Some(format!(
            "{are} not within {suffix} (the first one at line {line} of {name}), so no user and no group among them is \
             added or changed; export without them, or set directoryID: \"{suffix}\" to read them too"
        ))
    }
}

/// Whether this may be what came of an account that does not show its primary group: of one that was damaged, whose end did
/// not come, or whose classes are not those of one, though it has what only accounts have.
fn may_hide_an_account(record: &Record) -> bool {
    let attributes = &record.attributes;
    let has_id = ANCHORS.iter().any(|name| attributes.has(&name.to_lowercase()));
    if !attributes.has("objectclass") || meaning::hides_others(record, has_id) {
        return true;
    }
    if active_directory::is_a(attributes, "posixAccount") {
        return record.damage.is_some() || record.end != parse::End::Proven;
    }
    let is_group = active_directory::is_a(attributes, "posixGroup")
        || schema::kind(attributes) == Some(EntryKind::Group);
    let is_like_one =
        attributes.has("uidnumber") || attributes.has("gidnumber") || attributes.has("homedirectory");
    is_like_one && !is_group && !active_directory::is_of(attributes)
}

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
        let mut overview = Overview { used: Used::new(used), ..Overview::default() };
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
            width: ending.width,
            required: overview.required.clone(),
            nowhere,
            accounts: overview.accounts(&anchor),
            primary_ids: overview.primary_ids,
            primaries: overview.primaries,
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
        let mut seen: HashMap<Fingerprint, (usize, u64)> = HashMap::new();
        let (mut last, mut again, mut unclear) = (None, 0, 0);
        let mut unknown = Vec::new();
        let (meaning, classes) = (&self.meaning, &mut self.classes);
        let mut sum = Sum::default();
        let ending = each_record(&self.config.name, &self.text, &mut sum, |record| {
            if let parse::End::Open(_) = record.end {
                last = Some(record.line);
            }
            let hidden = meaning.used.hidden(&record.attributes);
            if unknown.len() < NAMED {
                unknown.extend(hidden.iter().map(|one| told(one, &record)));
            }
            for change in meaning.changes(&record, &hidden) {
                match &change {
                    Change::Replace(entry) if !is_first(&mut seen, entry, &record)? => {
                        again += 1;
                        continue;
                    }
                    Change::OfNoKind(_) if schema::kind(&record.attributes).is_none() => {
                        classes.note(&record.attributes);
                    }
                    Change::OfNoKind(_) => unclear += 1,
                    _ => {}
                }
                filler.add(change).map_or(Ok(()), |batch| send(sink, batch))?;
            }
            Ok(())
        })?;
        let digest = sum.digest();
        if digest != self.sum.digest() {
            let message = format!(
                "{} changed while it was read, and nothing was used; write an export to a different file and move it \
                 into place (mv) when it is complete",
                self.config.name
            );
            return Err(SourceError::new(Reason::Interrupted, message));
        }
        // Which export it is: one that is read again, or a copy of it, says no more than it did.
        let export = digest;
        let Ending { references, doubt, shown, .. } = ending;
        if let Some(why) = doubt {
            // Who did not come may stand in what is not there.
            let what = format!("the end of {}", self.config.name);
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
        notices.extend(unknown);
        notices.extend(self.classes.notice());
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
    seen: &mut HashMap<Fingerprint, (usize, u64)>,
    entry: &Entry,
    record: &Record,
) -> Result<bool, Stop> {
    let dn = Dn::parse(&entry.dn).map_or_else(|_| entry.dn.clone(), |dn| dn.to_string());
    let mut words = DefaultHasher::new();
    record.attributes.hash(&mut words);
    let words = words.finish();
    match seen.insert(fingerprint(&dn, entry.anchor.as_str()), (record.line, words)) {
        None => Ok(true),
        Some((_, before)) if before == words => Ok(false),
        Some((first, _)) => Err(Stop::Problem(Problem {
            line: record.line,
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

fn invalid(message: String) -> SourceError {
    SourceError::new(Reason::InvalidData, message)
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

fn fingerprint(dn: &str, id: &str) -> Fingerprint {
    let digest = Sha256::new().chain_update(dn).chain_update([0]).chain_update(id).finalize();
    let mut fingerprint = Fingerprint::default();
    fingerprint.copy_from_slice(&digest[..16]);
    fingerprint
}
