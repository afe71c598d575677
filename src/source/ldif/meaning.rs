//! What records mean: from what a file states to what is told of an entry. Pure.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::filter::Filter;
use super::lists::{self, MEMBERS};
use super::merged::{hides_others, known_again, together};
use super::owners::Owners;
use super::reason;
use super::record::{End, Record, Swallowed, UNKNOWN};
use super::required::Required;
use super::shared::Shared;
use super::used::{Hidden, Used};
use crate::directory::{Anchor, Change, Dn, Entry, EntryKind, Members, OfNoKind, Reference, Stated};
use crate::source::schema::active_directory::state;
use crate::source::schema::posix::{self, Primaries};
use crate::source::schema::primary::PrimaryGroups as _;
use crate::source::schema::{self, Attributes, EntrySchema, active_directory};

/// A file may have been made by people, so a filter says nothing of one whose class is no longer known.
const KINDS: &[EntryKind] = &[EntryKind::User, EntryKind::Contact, EntryKind::Group];

/// How records are understood.
#[derive(Clone, Debug)]
pub(super) struct Meaning {
    pub(super) schema: EntrySchema,
    /// Whether accounts of Active Directory show in this file whether they are disabled.
    pub(super) states: bool,
    /// Whether an entry of this file says that every domain has it.
    pub(super) shows_built_in: bool,
    /// What the entries that are read are within, if others are there.
    pub(super) base: Option<Dn>,
    /// Whether ids are of the form in which servers write them: then one that is not was damaged.
    pub(super) formed: bool,
    /// What is wrong with an entry without an id.
    pub(super) no_id: String,
    /// How long lines are that were folded.
    pub(super) width: Option<usize>,
    /// What nearly all records have.
    pub(super) required: Required,
    /// The attributes that the filters ask for and no entry of this file has, in lower case.
    pub(super) nowhere: BTreeSet<String>,
    /// The groups of Active Directory that are the primary one of somebody, by their relative ids.
    pub(super) primary_ids: BTreeSet<u32>,
    /// The ids of those who have a primary group.
    pub(super) accounts: HashMap<Dn, Anchor>,
    /// Whose primary group is which: a group may come before those who are in it.
    pub(super) primaries: Primaries,
    /// The first record for which it is not known whose primary group is which.
    pub(super) hides_primary: Option<usize>,
    pub(super) users: Option<Filter>,
    pub(super) groups: Option<Filter>,
    /// How often which attributes came.
    pub(super) used: Used,
    /// Who has lists of members.
    pub(super) owners: Owners,
    /// Which names several entries have.
    pub(super) shared: Shared,
    /// What to call the file in messages.
    pub(super) name: String,
}

/// What an entry is.
enum Is {
    /// Of this kind, and read.
    Of(EntryKind),
    /// None of those that are read, though it may have been one.
    Outside,
    /// It cannot be told whether it is one of those that are read.
    Unclear,
    Neither,
}

impl Meaning {
    /// What a record tells that hides these values ([`Used::hidden`]).
    pub(super) fn changes(&self, record: &Record, hidden: &[Hidden]) -> Vec<Change> {
        let ids = self.ids(record);
        if let Some(why) = self.damage(record, &ids) {
            return self.unreadable(record, &ids, &why);
        }
        if hidden.is_empty() {
            return self.understood(record, ids);
        }
        let mut record = record.clone();
        for one in hidden {
            record.attributes.add(&one.name, [UNKNOWN.to_vec()]);
        }
        self.understood(&record, ids)
    }

    /// What a record tells that is that of one entry.
    fn understood(&self, record: &Record, ids: Vec<Anchor>) -> Vec<Change> {
        let Some(dn) = record.dns.first() else { return Vec::new() };
        let tell = |change: Change| vec![change];
        let is = self.is(record);
        let kind = if let Is::Of(kind) = is { Some(kind) } else { None };
        let told = match self.schema.told(dn, &record.attributes, kind) {
            Some(gone @ (Change::Tombstone(_) | Change::Outside(_))) => return tell(gone),
            told => told.is_some(),
        };
        let kind = match is {
            Is::Of(kind) if told || ids.is_empty() => kind,
            Is::Outside => return ids.into_iter().map(Change::Outside).collect(),
            Is::Unclear if record.end != End::Proven || !record.unknown.is_empty() => {
                return self.unreadable(record, &ids, reason::UNCLEAR);
            }
            Is::Unclear => {
                let no_kind = |anchor| {
                    let why = self.at(record, reason::UNCLEAR);
                    Change::OfNoKind(OfNoKind { anchor, what: dn.clone(), why, kinds: KINDS })
                };
                return ids.into_iter().map(no_kind).collect();
            }
            Is::Of(_) | Is::Neither if record.unknown.contains("objectclass") => {
                return self.unreadable(record, &ids, &reason::elsewhere("objectClass"));
            }
            Is::Of(_) | Is::Neither => {
                let is_alias = schema::is_alias(&record.attributes);
                let why = self.at(record, if is_alias { reason::ALIAS } else { schema::OF_NO_KIND });
                let hides = record.end != End::Proven || !record.attributes.has("objectclass");
                return match ids.into_iter().next() {
                    Some(anchor) => {
                        tell(Change::OfNoKind(OfNoKind { anchor, what: dn.clone(), why, kinds: KINDS }))
                    }
                    None if hides => tell(Change::Unreadable { anchor: None, what: dn.clone(), why }),
                    None => tell(Change::Anonymous { dn: dn.clone() }),
                };
            }
        };
        if let Some(base) =
            self.base.as_ref().filter(|base| !Dn::parse(dn).is_ok_and(|dn| dn.is_within(base)))
        {
            return self.unreadable(record, &ids, &reason::outside_of(base));
        }
        let mut entry = match self.entry(kind, dn, &record.attributes, &ids) {
            Ok(entry) => entry,
            Err(_) if self.is_cut_in_id(record) => return self.unreadable(record, &ids, reason::UNENDED),
            Err(why) => {
                let elsewhere = self.elsewhere(kind, record, &ids).map(reason::elsewhere);
                return self.unreadable(record, &ids, &elsewhere.unwrap_or(why));
            }
        };
        if let Members::Partial(_, why) = &mut entry.members
            && let Some(name) = MEMBERS.iter().find(|name| record.unknown.contains(**name))
        {
            *why = reason::elsewhere(name);
        }
        if let Members::Complete(members) = &mut entry.members
            && let Some(why) = self.doubt(&record.attributes)
        {
            entry.members = Members::Partial(std::mem::take(members), why);
        }
        if let (EntryKind::Group, Members::Complete(members)) = (kind, &mut entry.members)
            && let Some(line) = self.owners.strayed()
        {
            entry.members = Members::Partial(std::mem::take(members), reason::strayed(line));
        }
        let is_unclear = matches!(entry.members, Members::Partial(..)) || is_undecodable(&entry);
        // An exception names the place.
        if record.end != End::Proven || is_unclear || self.shared.has(&entry) {
            entry.place = Some(self.place(record));
        }
        match &record.end {
            End::Proven => tell(Change::Replace(Box::new(entry))),
            End::Torn => {
                tell(Change::Unproven { entry: Box::new(entry), sure: true, why: reason::TORN.to_owned() })
            }
            End::Open(_) => {
                let certain = self.open(record).map(|last| self.entry(kind, dn, &record.without(last), &ids));
                let sure = match certain {
                    None => true,
                    Some(Err(_)) => false,
                    Some(Ok(certain)) => {
                        // A member whose name may go on is somebody else.
                        if let (Members::Complete(_), Members::Partial(some, _)) =
                            (&entry.members, &certain.members)
                        {
                            entry.members = Members::Partial(some.clone(), reason::UNENDED.to_owned());
                        } else {
                            entry.members = certain.members.clone();
                        }
                        let members = Members::None;
                        Entry { members: Members::None, ..certain }
                            == Entry { members, place: None, ..entry.clone() }
                    }
                };
                tell(Change::Unproven { entry: Box::new(entry), sure, why: reason::UNENDED.to_owned() })
            }
        }
    }

    /// The name of the last line, if that line may go on. An id of the form in which servers write it does not.
    fn open<'a>(&self, record: &'a Record) -> Option<&'a String> {
        let End::Open(Some(last)) = &record.end else { return None };
        let anchor = schema::name(&self.schema.anchor);
        let mut ids = record.attributes.values(&anchor).peekable();
        let is_whole = self.formed
            && schema::name(last) == anchor
            && ids.peek().is_some()
            && ids.all(|id| schema::is_formed(&anchor, id));
        (!is_whole).then_some(last)
    }

    /// Why the member list of these attributes may not be the whole: damage may have changed a line of it.
    fn doubt(&self, attributes: &Attributes) -> Option<String> {
        let name = lists::misspelled(attributes).or_else(|| self.owners.damaged(attributes));
        let blank = || self.owners.blank(attributes).map(reason::blank_member);
        name.map(reason::may_be_members).or_else(blank)
    }

    /// Whether the file may have been cut in the id.
    fn is_cut_in_id(&self, record: &Record) -> bool {
        self.open(record).is_some_and(|last| schema::name(last) == schema::name(&self.schema.anchor))
    }

    /// Every id that a record shows for certain.
    fn ids(&self, record: &Record) -> Vec<Anchor> {
        let anchor = schema::name(&self.schema.anchor);
        if self.schema.is_dn() {
            let dns = record.dns.iter().filter_map(|dn| Dn::parse(dn).ok());
            return dns.map(|dn| Anchor::new(dn.as_str())).collect();
        }
        if record.unknown.contains(anchor.as_ref()) || self.is_cut_in_id(record) {
            return Vec::new();
        }
        let values = record.attributes.values(&self.schema.anchor);
        let formed = values.filter(|value| !self.formed || schema::is_formed(&anchor, value));
        let mut seen = HashSet::new();
        let ids = formed.filter_map(|value| schema::anchor(&anchor, value));
        ids.filter(|id| seen.insert(id.clone())).collect()
    }

    /// Why a record cannot be understood, or is not that of one entry.
    fn damage(&self, record: &Record, ids: &[Anchor]) -> Option<String> {
        if let Some(why) = &record.damage {
            return Some(format!("{why}; {}", reason::CORRECT));
        }
        if matches!(&record.end, End::Open(Some(last)) if last == "dn") {
            return Some(reason::UNENDED.to_owned());
        }
        let mut joined = record.joined.iter();
        if let Some((name, (_, line))) = joined.find(|(other, (one, _))| self.used.may_be_joined(one, other))
        {
            return Some(format!(
                "line {line}: `{name}:` is behind a break within the line (VT or FF), so two lines may have been merged; \
                 export it again"
            ));
        }
        let is_line = |one: &&Swallowed| Some(one.width) != self.width && self.used.has(&one.name);
        if let Some(Swallowed { line, spelled, .. }) = record.swallowed.iter().find(is_line) {
            return Some(format!(
                "line {line}: a blank before `{spelled}:` makes it a part of the line before; remove the blank if it is a \
                 line of its own, or export it again"
            ));
        }
        let normal = match Dn::parse(record.dns.first()?) {
            Ok(normal) => normal,
            Err(error) => return Some(error.to_string()),
        };
        let together = if ids.len() > 1 {
            format!("it has {} values of {}", ids.len(), self.schema.anchor)
        } else if let Some(together) = together(record, &normal) {
            together
        } else {
            let wrong = self.lacks_something(record, Some(&normal))?;
            return Some(format!("{wrong}, unlike nearly all other records of the file: {}", reason::LOST));
        };
        Some(format!("{together}: two records may have been merged; export it again"))
    }

    fn unreadable(&self, record: &Record, ids: &[Anchor], why: &str) -> Vec<Change> {
        let is_cut = matches!(&record.end, End::Open(Some(last)) if last == "dn");
        // A DN that may go on is none.
        let dns = if is_cut { &[][..] } else { record.dns.as_slice() };
        let place = format!("the record at line {} of {}", record.line, self.name);
        if !is_cut && ids.is_empty() && dns.iter().all(|dn| Dn::parse(dn).is_err()) {
            return vec![Change::Stray {
                record: known_again(record, ids),
                what: dns.first().unwrap_or(&place).clone(),
                why: self.at(record, &format!("{why}; {}", reason::ANYBODY)),
            }];
        }
        let hides_others = !(ids.is_empty() && dns.is_empty())
            && (ids.len() > 1 || hides_others(record, !ids.is_empty()) || self.lost_lines(record));
        let why = if hides_others { format!("{why}; {}", reason::MISSING) } else { why.to_owned() };
        let shown = (0..ids.len().max(dns.len()).max(1)).map(|at| Change::Unreadable {
            anchor: ids.get(at).cloned(),
            what: dns.get(at).or(dns.last()).unwrap_or(&place).clone(),
            why: self.at(record, &why),
        });
        let gap = hides_others.then(|| Change::Gap { record: known_again(record, ids) });
        shown.chain(gap).collect()
    }

    /// What a record lacks that nearly all others have, if servers gave the ids.
    fn lacks_something(&self, record: &Record, dn: Option<&Dn>) -> Option<&'static str> {
        if self.formed { self.required.missing(record, dn) } else { None }
    }

    /// Whether lines of a record were lost, as it shows no id of any kind, or a DN that is none, where a server gave all others
    /// both.
    fn lost_lines(&self, record: &Record) -> bool {
        let has_id = schema::ANCHORS.iter().any(|name| record.attributes.has(&name.to_lowercase()));
        let is_whole = !matches!(record.end, End::Open(_));
        let dn = record.dns.first().map(|dn| Dn::parse(dn));
        let is_called = dn.as_ref().is_none_or(Result::is_ok);
        if self.lacks_something(record, dn.and_then(Result::ok).as_ref()).is_some() {
            return true;
        }
        self.formed && is_whole && !(has_id && is_called) && schema::kind(&record.attributes).is_some()
    }

    /// The attribute with a value in another file for which an entry cannot be read.
    fn elsewhere<'a>(&'a self, kind: EntryKind, record: &'a Record, ids: &[Anchor]) -> Option<&'a str> {
        let anchor = &self.schema.anchor;
        if ids.is_empty() && record.unknown.contains(schema::name(anchor).as_ref()) {
            return Some(anchor);
        }
        let dn = record.dns.first()?;
        let reads = |attributes: &Attributes| self.entry(kind, dn, attributes, ids).is_ok();
        let mut attributes = record.attributes.clone();
        for name in &record.unknown {
            attributes.remove(name);
        }
        let decides = |name: &&String| self.used.decides(name);
        let mut names = reads(&attributes).then_some(&record.unknown).into_iter().flatten().filter(decides);
        let hides = |name: &&String| {
            attributes.add(name, [UNKNOWN.to_vec()]);
            let reads = reads(&attributes);
            attributes.remove(name);
            !reads
        };
        names.find(hides).map(String::as_str)
    }

    /// A reason, with the place.
    fn at(&self, record: &Record, why: &str) -> String {
        // It may say the line by itself.
        let why = why.strip_prefix(&format!("line {}: ", record.line)).unwrap_or(why);
        format!("{why} ({})", self.place(record))
    }

    fn place(&self, record: &Record) -> String {
        format!("line {} of {}", record.line, self.name)
    }

    fn is(&self, record: &Record) -> Is {
        let Some(kind) = schema::kind(&record.attributes) else {
            let found = |filter: &Option<Filter>| {
                filter.as_ref().is_some_and(|filter| self.finds(filter, record) == Some(true))
            };
            return match (found(&self.users), found(&self.groups)) {
                (true, _) => Is::Of(EntryKind::User),
                (_, true) => Is::Of(EntryKind::Group),
                _ => Is::Neither,
            };
        };
        let filter = if kind == EntryKind::Group { &self.groups } else { &self.users };
        match filter.as_ref().map(|filter| self.finds(filter, record)) {
            None | Some(Some(true)) => Is::Of(kind),
            Some(Some(false)) => Is::Outside,
            Some(None) => Is::Unclear,
        }
    }

    /// Whether a filter finds an entry; `None` if that cannot be told. An attribute that no entry of the file has may be one that
    /// was not exported, and a record without an end may state more: that leaves nobody out.
    fn finds(&self, filter: &Filter, record: &Record) -> Option<bool> {
        let is_open = record.end != End::Proven;
        let found = filter.finds(&record.attributes, &|name| is_open || self.nowhere.contains(name));
        found.or_else(|| filter.finds(&record.attributes, &|_| false).filter(|found| *found))
    }

    fn entry(
        &self,
        kind: EntryKind,
        dn: &str,
        attributes: &Attributes,
        ids: &[Anchor],
    ) -> Result<Entry, String> {
        if ids.is_empty() && attributes.values(&self.schema.anchor).next().is_some() {
            return Err(schema::no_id(&self.schema.anchor));
        }
        if ids.is_empty() {
            return Err(self.no_id.clone());
        }
        let is_account = (self.states || state::is_shown(attributes)) && active_directory::is_of(attributes);
        let hidden = state::hidden(kind, attributes).filter(|_| is_account);
        if let Some(name) = hidden {
            return Err(format!("{}; export that attribute too", state::unknown(name)));
        }
        let may_be_built_in = !self.shows_built_in
            && kind == EntryKind::User
            && active_directory::is_of(attributes)
            && !active_directory::shows_number(attributes);
        if may_be_built_in && active_directory::is_called_built_in(attributes) {
            return Err(reason::MAY_BE_BUILT_IN.to_owned());
        }
        let entry = self.schema.entry(dn, attributes, Some(kind)).map_err(|error| error.why)?;
        let mut entry = entry.ok_or_else(|| "it is neither user, contact nor group".to_owned())?;
        let listed = entry.members.references().len();
        self.primaries.join(attributes, &mut entry.members);
        if let (Members::Partial(_, why), Some(line)) = (&mut entry.members, self.hides_primary)
            && why == posix::HIDDEN
        {
            *why = reason::hides_primary(line);
        }
        if let Members::Complete(all) | Members::Partial(all, _) = &mut entry.members {
            // These come of this file alone: none of them is meant by a name of before.
            for one in all.iter_mut().skip(listed) {
                if let Reference::Dn(dn) = one
                    && let Some(id) = self.accounts.get(dn)
                {
                    *one = Reference::Anchor(id.clone());
                }
            }
        }
        let hides_number =
            active_directory::is_a(attributes, "posixGroup") && posix::number(attributes).is_none();
        if let (Members::Complete(members), true) =
            (&mut entry.members, hides_number && !self.accounts.is_empty())
        {
            entry.members = Members::Partial(std::mem::take(members), reason::NO_NUMBER.to_owned());
        }
        if kind != EntryKind::Group && active_directory::is_a(attributes, "posixAccount") {
            entry.names.push(Reference::Anchor(entry.anchor.clone()));
        }
        let is_primary =
            || active_directory::relative_id(attributes).is_some_and(|id| self.primary_ids.contains(&id));
        if let (Members::Complete(members), true) = (&mut entry.members, is_primary()) {
            entry.members = Members::Partial(std::mem::take(members), reason::PRIMARY.to_owned());
        }
        Ok(entry)
    }
}

/// Whether something that an entry states cannot be understood.
fn is_undecodable(entry: &Entry) -> bool {
    entry.fields.values().chain(entry.attributes.values()).any(|stated| *stated == Stated::Undecodable)
}

#[cfg(test)]
mod tests;
