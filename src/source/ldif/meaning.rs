//! What records mean: from what a file states to what is told of an entry. Pure.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::filter::Filter;
use super::lists::{self, MEMBERS};
use super::owners::Owners;
use super::parse::{End, Record, Swallowed, UNKNOWN};
use super::required::{NAMING, Required};
use super::shared::Shared;
use super::used::{Hidden, Used};
use crate::directory::{Anchor, Change, Dn, Entry, EntryKind, Members, OfNoKind, Reference, Stated};
use crate::source::schema::active_directory::state;
use crate::source::schema::posix::{self, Primaries};
use crate::source::schema::primary::PrimaryGroups as _;
use crate::source::schema::{self, Attributes, EntrySchema, active_directory};

/// Attributes of which an entry has one value; more are those of two records that ran together.
const SINGLE: &[&str] = &[
    "entryuuid",
    "nsuniqueid",
    "ipauniqueid",
    "objectguid",
    "entrycsn",
    "createtimestamp",
    "modifytimestamp",
    "creatorsname",
    "modifiersname",
    "structuralobjectclass",
    "entrydn",
    "parentid",
    "gidnumber",
    "uidnumber",
    "homedirectory",
    "loginshell",
    "distinguishedname",
    "useraccountcontrol",
    "samaccountname",
    "samaccounttype",
    "objectsid",
    "objectcategory",
    "instancetype",
    "primarygroupid",
    "accountexpires",
    "whencreated",
    "whenchanged",
    "usncreated",
    "usnchanged",
    "pwdlastset",
];
/// Attributes that hold the entry's own DN.
const OWN_DN: &[&str] = &["entrydn", "distinguishedname"];

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
                return self.unreadable(record, &ids, UNCLEAR);
            }
            Is::Unclear => {
                let no_kind = |anchor| {
                    let why = self.at(record, UNCLEAR);
                    Change::OfNoKind(OfNoKind { anchor, what: dn.clone(), why, kinds: KINDS })
                };
                return ids.into_iter().map(no_kind).collect();
            }
            Is::Of(_) | Is::Neither if record.unknown.contains("objectclass") => {
                return self.unreadable(record, &ids, &elsewhere("objectClass"));
            }
            Is::Of(_) | Is::Neither => {
                let is_alias = schema::is_alias(&record.attributes);
                let why = self.at(record, if is_alias { ALIAS } else { schema::OF_NO_KIND });
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
            return self.unreadable(record, &ids, &outside_of(base));
        }
        let mut entry = match self.entry(kind, dn, &record.attributes, &ids) {
            Ok(entry) => entry,
            Err(_) if self.is_cut_in_id(record) => return self.unreadable(record, &ids, UNENDED),
            Err(why) => {
                let elsewhere = self.elsewhere(kind, record, &ids).map(elsewhere);
                return self.unreadable(record, &ids, &elsewhere.unwrap_or(why));
            }
        };
        if let Members::Partial(_, why) = &mut entry.members
            && let Some(name) = MEMBERS.iter().find(|name| record.unknown.contains(**name))
        {
            *why = elsewhere(name);
        }
        if let Members::Complete(members) = &mut entry.members
            && let Some(name) = lists::misspelled(&record.attributes)
        {
            entry.members = Members::Partial(std::mem::take(members), may_be_members(name));
        }
        if let (EntryKind::Group, Members::Complete(members)) = (kind, &mut entry.members)
            && let Some(line) = self.owners.strayed()
        {
            entry.members = Members::Partial(std::mem::take(members), strayed(line));
        }
        let is_unclear = matches!(entry.members, Members::Partial(..)) || is_undecodable(&entry);
        // An exception names the place.
        if record.end != End::Proven || is_unclear || self.shared.has(&entry) {
            entry.place = Some(self.place(record));
        }
        match &record.end {
            End::Proven => tell(Change::Replace(Box::new(entry))),
            End::Torn => tell(Change::Unproven { entry: Box::new(entry), sure: true, why: TORN.to_owned() }),
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
                            entry.members = Members::Partial(some.clone(), UNENDED.to_owned());
                        } else {
                            entry.members = certain.members.clone();
                        }
                        let members = Members::None;
                        Entry { members: Members::None, ..certain }
                            == Entry { members, place: None, ..entry.clone() }
                    }
                };
                tell(Change::Unproven { entry: Box::new(entry), sure, why: UNENDED.to_owned() })
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
            return Some(format!("{why}; correct it, or export it again"));
        }
        if matches!(&record.end, End::Open(Some(last)) if last == "dn") {
            return Some(UNENDED.to_owned());
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
        if let Some(Swallowed { line, name, .. }) = record.swallowed.iter().find(is_line) {
            return Some(format!(
                "line {line}: a blank before `{name}:` makes it a part of the line before; remove the blank if it is a \
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
            return Some(format!("{wrong}, unlike nearly all other records of the file: {LOST}"));
        };
        Some(format!("{together}: two records may have been merged; export it again"))
    }

    fn unreadable(&self, record: &Record, ids: &[Anchor], why: &str) -> Vec<Change> {
        let is_cut = matches!(&record.end, End::Open(Some(last)) if last == "dn");
        // A DN that may go on is none.
        let dns = if is_cut { &[][..] } else { record.dns.as_slice() };
        let place = format!("the record at line {} of {}", record.line, self.name);
        // Of one that shows neither an id nor a DN it is known already that it may be anybody.
        let is_anybody = ids.is_empty() && dns.is_empty();
        let hides_others = !is_anybody
            && (ids.len() > 1 || hides_others(record, !ids.is_empty()) || self.lost_lines(record));
        let why = if hides_others { format!("{why}; {MISSING}") } else { why.to_owned() };
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
        let mut names = reads(&attributes).then_some(&record.unknown).into_iter().flatten();
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
            return Err(format!(
                "it has no {}, which identifies it; export that attribute too, or set anchorAttribute to one that \
                 every entry has",
                self.schema.anchor
            ));
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
            return Err(MAY_BE_BUILT_IN.to_owned());
        }
        let entry = self.schema.entry(dn, attributes, Some(kind)).map_err(|error| error.why)?;
        let mut entry = entry.ok_or_else(|| "it is neither user, contact nor group".to_owned())?;
        let listed = entry.members.references().len();
        self.primaries.join(attributes, &mut entry.members);
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
            entry.members = Members::Partial(std::mem::take(members), NO_NUMBER.to_owned());
        }
        if kind != EntryKind::Group && active_directory::is_a(attributes, "posixAccount") {
            entry.names.push(Reference::Anchor(entry.anchor.clone()));
        }
        let is_primary =
            || active_directory::relative_id(attributes).is_some_and(|id| self.primary_ids.contains(&id));
        if let (Members::Complete(members), true) = (&mut entry.members, is_primary()) {
            entry.members = Members::Partial(std::mem::take(members), PRIMARY.to_owned());
        }
        Ok(entry)
    }
}

/// What is wrong with an entry of another directory.
fn outside_of(base: &Dn) -> String {
    format!(
        "it is not within {base}, as all entries were so far; set directoryID: \"{base}\" to read it too, or export \
         without it"
    )
}

/// Why a member list beside which such an attribute stands is not the whole.
fn may_be_members(name: &str) -> String {
    format!(
        "its attribute {name} may contain members under a damaged name: its members stay; export it again"
    )
}

/// Why no list is the whole.
fn strayed(line: usize) -> String {
    format!(
        "the record at line {line} is a person's and lists members, as no other does, so lines of a group may stand \
         there: the members of all groups stay; correct it, or export it again"
    )
}

/// What is wrong with an entry of which a value that counts stands in another file.
fn elsewhere(name: &str) -> String {
    format!(
        "a value of its {name} is in another file (`{name}:< …`), or is too large, so it is unknown; export the \
         values themselves: do not use -t of ldapsearch"
    )
}

/// What is wrong with the list of a POSIX group that does not show its number.
const NO_NUMBER: &str = "it shows no gidNumber, so it is unknown whose primary group it is: its members stay; export \
                         that attribute too";

/// What is wrong with the list of a group of Active Directory that is somebody's primary one.
const PRIMARY: &str = "it is the primary group of some accounts (primaryGroupID), which its member list does not \
                       show: its members stay; read the directory with a connector of the kind activeDirectory";

/// What is wrong with an account that is called as one that every domain has.
const MAY_BE_BUILT_IN: &str = "it is called as an account that every domain has, and shows neither objectSid nor \
                               isCriticalSystemObject, so it is unknown whether it is that or a person's; export objectSid too";

/// What is wrong with a record at the end of a file.
const UNENDED: &str = "the file ends within the record, or without the empty line that ends it, so attributes that it \
                       lacks are unknown; end the file with an empty line when it is complete";

/// What is wrong with a record that may go on after its end.
const TORN: &str = "lines without a DN follow it, which may belong to it; export it again";

/// What is wrong with a record of which the filters cannot tell whether it is read.
const UNCLEAR: &str = "an attribute that userFilter or groupFilter uses is unknown, so it is unknown whether the \
                       entry is in scope; export the attributes that the filters use, with all their values";

/// What is wrong with a record that lacks what others have.
const LOST: &str = "lines may be missing there, or two records may have run together; export it again";

/// What is said of a record that was damaged so that others may be gone with what is missing.
const MISSING: &str = "other records may have been in the text that is missing there, so entries that are missing \
                       since then are not removed";

/// What is wrong with an alias that has the id of somebody.
const ALIAS: &str = "it is an alias (objectClass alias) for an entry elsewhere; that entry is read where it is, so \
                     export that subtree too";

/// Why a record is that of several entries, if it is.
fn together(record: &Record, dn: &Dn) -> Option<String> {
    let attributes = &record.attributes;
    let is_several = |name: &&&str| {
        let mut values = attributes.values(name);
        let first = values.next();
        values.any(|other| Some(other) != first)
    };
    if let Some(name) = SINGLE.iter().find(is_several) {
        return Some(format!("it has several values of {name}"));
    }
    // Of several that stand elsewhere nothing is known.
    if let Some(name) = attributes.doubled().find(|name| !record.unknown.contains(*name)) {
        return Some(format!("a value of its {name} is there twice"));
    }
    (record.end == End::Proven && !is_own(dn, record))
        .then(|| "its DN differs from the one that it states".to_owned())
}

/// Whether what is wrong with a record shows that text is missing, so that others may have stood there.
pub(super) fn hides_others(record: &Record, has_id: bool) -> bool {
    record.hides_others
        || match record.dns.first() {
            None => has_id,
            Some(dn) => Dn::parse(dn).is_ok_and(|dn| together(record, &dn).is_some()),
        }
}

/// What a record is known by when it comes again as it was: then it is odd, and no text was lost from one export to the next. Damage
/// that put two ids together, or made a DN of none, does not do so twice; any other may, so all that it states must be the same.
fn known_again(record: &Record, ids: &[Anchor]) -> String {
    let is_odd = ids.len() > 1 || record.dns.first().is_some_and(|dn| Dn::parse(dn).is_err());
    let mut hasher = DefaultHasher::new();
    (ids, &record.dns).hash(&mut hasher);
    if ids.is_empty() || !is_odd {
        record.attributes.hash(&mut hasher);
    }
    format!("a record like {:016x}", hasher.finish())
}

/// Whether a DN fits what the record states.
fn is_own(dn: &Dn, record: &Record) -> bool {
    let attributes = &record.attributes;
    let stated = |name: &str| attributes.has(name) && !record.unknown.contains(name);
    let names_it = |name: &&str| {
        let mut own = attributes.all(name).filter_map(|own| Dn::parse(std::str::from_utf8(own).ok()?).ok());
        own.all(|own| own == *dn)
    };
    let has = |kind: &str| {
        !NAMING.contains(&kind)
            || !stated(kind)
            || attributes
                .all(kind)
                .any(|one| std::str::from_utf8(one).is_ok_and(|one| dn.is_named_by(kind, one)))
    };
    OWN_DN.iter().filter(|name| stated(name)).all(names_it) && dn.first_types().into_iter().all(has)
}

/// Whether something that an entry states cannot be understood.
fn is_undecodable(entry: &Entry) -> bool {
    entry.fields.values().chain(entry.attributes.values()).any(|stated| *stated == Stated::Undecodable)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::directory::fields;
    use crate::source::ldif::parse::Reader;

    fn meaning(domain: bool) -> Meaning {
        let anchor = if domain { "objectGUID" } else { "entryUUID" }.to_owned();
        Meaning {
            schema: EntrySchema { anchor, literal: BTreeSet::new(), demands_members: false },
            states: domain,
            shows_built_in: false,
            base: None,
            formed: false,
            width: None,
            required: Required::default(),
            nowhere: BTreeSet::new(),
            primary_ids: BTreeSet::new(),
            accounts: HashMap::new(),
            primaries: Primaries::default(),
            users: None,
            groups: None,
            used: Used::new(["mail", "objectClass"].map(str::to_owned)),
            owners: Owners::default(),
            shared: Shared::default(),
            name: "a.ldif".to_owned(),
        }
    }

    fn told(meaning: &Meaning, text: &str) -> Vec<Change> {
        let mut meaning = meaning.clone();
        let mut reader = Reader::new(text.as_bytes());
        while let Some(record) = reader.next().unwrap() {
            meaning.used.note(&record.attributes);
        }
        meaning.width = reader.ending().width;
        let mut reader = Reader::new(text.as_bytes());
        let mut changes = Vec::new();
        while let Some(record) = reader.next().unwrap() {
            changes.extend(meaning.changes(&record, &meaning.used.hidden(&record.attributes)));
        }
        changes
    }

    /// What a change is, in short, and of whom.
    fn short(change: &Change) -> String {
        let id = change.anchor().map_or("?", Anchor::as_str);
        match change {
            Change::Replace(_) => format!("is {id}"),
            Change::Unproven { sure, .. } => format!("{} {id}", if *sure { "at least" } else { "perhaps" }),
            Change::Unreadable { what, .. } => format!("unreadable {id} {what}"),
            Change::OfNoKind(_) => format!("no kind {id}"),
            Change::Tombstone(_) => format!("deleted {id}"),
            Change::Outside(_) => format!("outside {id}"),
            Change::Gap { .. } => ANYBODY.to_owned(),
            other => format!("{other:?}"),
        }
    }

    /// Whoever is missing may have stood there.
    const ANYBODY: &str = "gap";
    /// The same, of one that shows neither an id nor a DN.
    const NOBODY: &str = "unreadable ? the record at line 1 of a.ldif";
    const ANN: &str = "dn: uid=ann,dc=x\nobjectClass: person\nuid: ann\nentryUUID: a\n";

    #[rstest]
    #[case::whole(&format!("{ANN}\n"), &["is a"])]
    #[case::unended(ANN, &["at least a"])]
    #[case::cut_in_the_name(&format!("{ANN}cn: An"), &["perhaps a"])]
    #[case::cut_in_a_further_value(&format!("{ANN}cn: Ann\ncn: An"), &["perhaps a"])]
    #[case::cut_in_what_nobody_uses(&format!("{ANN}photo: x"), &["at least a"])]
    #[case::before_others(&format!("{ANN}\nmail: ann@x\n\n"), &["at least a", "unreadable ? the record at line 6 of a.ldif"])]
    #[case::nothing_but_a_dn("dn: uid=ann,dc=x\n\n", &["unreadable ? uid=ann,dc=x"])]
    #[case::before_its_class("dn: uid=ann,dc=x\nentryUUID: a\nuid: ann\n", &["no kind a"])]
    #[case::before_its_id("dn: uid=ann,dc=x\nuid: ann\n", &["unreadable ? uid=ann,dc=x"])]
    #[case::in_its_id("dn: uid=ann,dc=x\nobjectClass: person\nentryUUID: a", &["unreadable ? uid=ann,dc=x"])]
    #[case::in_its_dn("dn: uid=an", &[NOBODY])]
    #[case::another_dn_within(&format!("{ANN}dn: uid=bob,dc=x\nentryUUID: b\n\n"), &["unreadable a uid=ann,dc=x", "unreadable b uid=bob,dc=x", ANYBODY])]
    #[case::another_id_within(&format!("{ANN}uid: bob\nentryUUID: b\n\n"), &["unreadable a uid=ann,dc=x", "unreadable b uid=ann,dc=x", ANYBODY])]
    #[case::another_entry_within("dn: uid=ann,dc=x\nobjectClass: person\nuid: bob\nentryUUID: b\n\n", &["unreadable b uid=ann,dc=x", ANYBODY])]
    #[case::another_name_within(&format!("{ANN}entryDN: uid=bob,dc=x\n\n"), &["unreadable a uid=ann,dc=x", ANYBODY])]
    #[case::another_name_beside(&format!("{ANN}distinguishedName: uid=ann,dc=x\nentryDN: uid=ann,dc=x\nentryDN: uid=bob,dc=x\n\n"), &["unreadable a uid=ann,dc=x", ANYBODY])]
    #[case::another_time_within(&format!("{ANN}createTimestamp: 1\ncreateTimestamp: 2\n\n"), &["unreadable a uid=ann,dc=x", ANYBODY])]
    #[case::another_number_within(&format!("{ANN}uidNumber: 7\nmail: a@x\nuidNumber: 8\n\n"), &["unreadable a uid=ann,dc=x", ANYBODY])]
    #[case::lines_of_two("dn: uid=ann,dc=x\nobjectClass: person\nuid: ann\nobjectClass: person\nuid: bob\nentryUUID: b\n\n", &["unreadable b uid=ann,dc=x", ANYBODY])]
    #[case::a_value_twice(&format!("{ANN}l: Rome\nl: Rome\n\n"), &["unreadable a uid=ann,dc=x", ANYBODY])]
    #[case::a_value_elsewhere_twice(&format!("{ANN}photo:< file:///a\nphoto:< file:///b\n\n"), &["is a"])]
    #[case::control(&format!("{ANN}l: \0\0\n\n"), &["unreadable a uid=ann,dc=x", ANYBODY])]
    #[case::control_over_the_dn("\0\0\0: x\nobjectClass: person\nentryUUID: a\n\n", &["unreadable a the record at line 1 of a.ldif", ANYBODY])]
    #[case::without_a_dn("uid: ann\nentryUUID: a\n\n", &["unreadable a the record at line 1 of a.ldif", ANYBODY])]
    #[case::blank_id("dn: uid=ann,dc=x\nobjectClass: person\nuid: ann\nentryUUID: \n\n", &["unreadable ? uid=ann,dc=x"])]
    #[case::odd_dn("dn: ann\nobjectClass: person\nentryUUID: a\n\n", &["unreadable a ann"])]
    #[case::a_line_behind_a_blank(&format!("{ANN}cn: Ann\n mail: a@x\nmail: b@x\n\n"), &["unreadable a uid=ann,dc=x"])]
    #[case::a_class_behind_a_blank("dn: uid=ann,dc=x\nobjectClass: top\n objectClass: person\nobjectClass: person\nentryUUID: a\n\n", &["unreadable a uid=ann,dc=x"])]
    #[case::an_id_behind_a_blank(&format!("{ANN}\n").replace("\nentryUUID", "\n entryUUID").repeat(2).replacen("\n entryUUID", "\nentryUUID", 1), &["is a", "unreadable ? uid=ann,dc=x", ANYBODY])]
    #[case::a_folded_text(&format!("{ANN}cn: Ann\n Lee: boss\nmail: b@x\n\n"), &["is a"])]
    #[case::folded_where_all_lines_are(&format!("{ANN}l: Rome 12\n34567890\nl: see 123\n mail: x\nmail: b@x\n\n").replace("\n345", "\n 345"), &["is a"])]
    #[case::lines_joined(&format!("{ANN}cn: Ann\u{b}mail: a@x\nmail: b@x\n\n"), &["unreadable a uid=ann,dc=x"])]
    #[case::class_joined(&format!("{ANN}cn: Ann\u{c}objectClass: top\n\n"), &["unreadable a uid=ann,dc=x"])]
    #[case::text_with_breaks(&format!("{ANN}cn: Ann\u{b}Room: 7\u{b}\u{c}\n\n"), &["is a"])]
    #[case::odd_line(&format!("{ANN}what\n\n"), &["unreadable a uid=ann,dc=x"])]
    #[case::unknown_class("dn: uid=ann,dc=x\nobjectClass: persn\nentryUUID: a\n\n", &["no kind a"])]
    #[case::class_with_blanks("dn: uid=ann,dc=x\nobjectClass: person \nentryUUID: a\n\n", &["is a"])]
    #[case::tombstone("dn: nsuniqueid=a,uid=ann,dc=x\nobjectClass: nsTombstone\nentryUUID: a\n\n", &["deleted a"])]
    #[case::id_elsewhere("dn: uid=ann,dc=x\nobjectClass: person\nentryUUID:< file:///a\n\n", &["unreadable ? uid=ann,dc=x"])]
    #[case::name_in_another_spelling("dn: UID=Ann\\20B,dc=x\nobjectClass: person\nuid: ann  b\nentryUUID: a\n\n", &["is a"])]
    fn a_record_tells_no_more_than_it_proves(#[case] text: &str, #[case] expected: &[&str]) {
        let told: Vec<String> = told(&meaning(false), text).iter().map(short).collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn a_value_that_stands_elsewhere_is_not_known() {
        let told = told(&meaning(false), &format!("{ANN}title:< file:///t\njpegPhoto:< file:///p\n\n"));
        let [Change::Replace(entry)] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!(entry.fields[fields::TITLE], Stated::Undecodable);
        assert!(!entry.fields.contains_key(fields::MAIL));
    }

    #[test]
    fn a_list_beside_which_a_damaged_name_stands_is_not_the_whole() {
        let text =
            "dn: cn=g,dc=x\nobjectClass: posixGroup\ncn: g\nentryUUID: g\nmemberUid: ada\nmemberUud: bob\n\n";
        let told = told(&meaning(false), text);
        let [Change::Replace(entry)] = told.as_slice() else { panic!("{told:?}") };
        let Members::Partial(some, why) = &entry.members else { panic!("{entry:?}") };
        assert!(*some == [Reference::uid("ada")] && why.contains("memberuud"), "{why}");
    }

    #[test]
    fn a_member_whose_name_may_go_on_is_not_taken() {
        let text =
            "dn: cn=g,dc=x\nobjectClass: posixGroup\ncn: g\nentryUUID: g\nmemberUid: bob\nmemberUid: ada";
        let told = told(&meaning(false), text);
        let [Change::Unproven { entry, sure: true, .. }] = told.as_slice() else { panic!("{told:?}") };
        assert!(
            matches!(&entry.members, Members::Partial(some, _) if *some == [crate::directory::Reference::uid("bob")])
        );
    }

    #[rstest]
    #[case::person("user", "userAccountControl: 512\naccountExpires: 0", "is")]
    #[case::hides_its_expiry("user", "userAccountControl: 512", "unreadable")]
    #[case::room_shows_no_state("user", "msExchRecipientTypeDetails: 16", "is")]
    #[case::lightweight("user", "msDS-UserAccountDisabled: FALSE", "is")]
    #[case::computer("computer", "userAccountControl: 4096", "outside")]
    #[case::trust("user", "userAccountControl: 2080", "outside")]
    #[case::of_every_domain("user", "userAccountControl: 512\nisCriticalSystemObject: TRUE", "outside")]
    #[case::every_domain_has_its_number(
        "user",
        "userAccountControl: 512\naccountExpires: 0\nobjectSid:: AQUAAAAAAAUVAAAAAQAAAAEAAAABAAAA9AEAAA==",
        "outside"
    )]
    #[case::its_number_in_words(
        "user",
        "userAccountControl: 512\naccountExpires: 0\nobjectSid: S-1-5-21-1-2-3-503",
        "outside"
    )]
    #[case::next_number(
        "user",
        "userAccountControl: 512\naccountExpires: 0\nobjectSid: S-1-5-21-1-2-3-504",
        "is"
    )]
    #[case::called_so(
        "user",
        "userAccountControl: 512\naccountExpires: 0\nsAMAccountName: GUEST",
        "unreadable"
    )]
    #[case::called_so_by_chance(
        "user",
        "userAccountControl: 512\naccountExpires: 0\nsAMAccountName: guest\nobjectSid: S-1-5-21-1-2-3-1105",
        "is"
    )]
    #[case::hidden("user", "sn: a", "unreadable")]
    #[case::contact("contact", "sn: a", "is")]
    #[case::deleted("user", "isDeleted: TRUE", "deleted")]
    #[case::builtin_group("group", "isCriticalSystemObject: TRUE", "is")]
    fn accounts_of_active_directory_are_those_of_people(
        #[case] class: &str,
        #[case] line: &str,
        #[case] is: &str,
    ) {
        let text = format!(
            "dn: CN=Ann,DC=x\nobjectClass: top\nobjectClass: {}\nobjectClass: {class}\ncn: Ann\n\
             objectGUID: 0b31ee10-94ad-44e9-a3a2-1a3f1b8d0d11\n{line}\n\n",
            if class == "group" { "extensibleObject" } else { "person" },
        );
        let told = told(&meaning(true), &text);
        assert_eq!(short(&told[0]).split(' ').next(), Some(is), "{told:?}");
    }

    #[test]
    fn members_in_active_directory_are_found_by_their_names() {
        let group = |lines: &str| {
            let text = format!("dn: CN=G,DC=x\nobjectClass: group\ncn: G\nobjectGUID: g\n{lines}\n\n");
            match told(&meaning(true), &text).pop() {
                Some(Change::Replace(entry)) => entry.members,
                other => panic!("{other:?}"),
            }
        };
        assert!(
            matches!(group("member: CN=Ann,DC=x\nmember: CN=Bob,DC=x"), Members::Complete(all) if all.len() == 2)
        );
        let part = group("member;range=0-1: CN=Ann,DC=x\nmember;range=0-1: CN=Bob,DC=x");
        assert!(matches!(part, Members::Partial(some, why) if some.len() == 2 && why.contains("export all")));
        assert!(
            matches!(group("member: CN=Ann,DC=x\nmember: what"), Members::Partial(some, _) if some.len() == 1)
        );
    }

    #[rstest]
    #[case("(title=*)", "(cn=none)", &["outside a", "no kind g"])]
    #[case("(uid=*)", "(objectClass=groupOfURLs)", &["is a", "is g"])]
    fn filters_say_who_is_read(#[case] users: &str, #[case] groups: &str, #[case] expected: &[&str]) {
        let filter = |text| Some(Filter::parse(text).unwrap());
        let meaning = Meaning { users: filter(users), groups: filter(groups), ..meaning(false) };
        let text = format!("{ANN}\ndn: cn=g,dc=x\nobjectClass: groupOfURLs\ncn: g\nentryUUID: g\n\n");
        assert_eq!(told(&meaning, &text).iter().map(short).collect::<Vec<_>>(), expected);
    }

    /// A filter leaves nobody out by what did not come.
    #[rstest]
    #[case::out("(title=boss)", "title: clerk\n\n", "outside a")]
    #[case::in_scope("(title=boss)", "title: boss\n\n", "is a")]
    #[case::unended("(title=boss)", "l: Rome\n", "unreadable a uid=ann,dc=x")]
    #[case::unended_in("(title=boss)", "title: boss\n", "at least a")]
    #[case::cut_within("(title=boss)", "title: bo", "unreadable a uid=ann,dc=x")]
    #[case::a_further_value_may_follow("(title=boss)", "title: clerk\n", "unreadable a uid=ann,dc=x")]
    #[case::torn("(title=boss)", "l: Rome\n\ntitle: boss\n\n", "unreadable a uid=ann,dc=x")]
    #[case::elsewhere("(title=boss)", "title:< file:///t\n\n", "unreadable a uid=ann,dc=x")]
    #[case::not_elsewhere("(!(title=boss))", "title:< file:///t\n\n", "unreadable a uid=ann,dc=x")]
    #[case::not_text("(title=boss)", "title:: 6Q==\n\n", "no kind a")]
    #[case::in_part("(title=boss)", "title;range=0-0: clerk\n\n", "no kind a")]
    #[case::not_exported("(roomNumber=7)", "title: boss\n\n", "no kind a")]
    #[case::not_exported_among_others("(&(title=boss)(roomNumber=7))", "title: clerk\n\n", "outside a")]
    #[case::nobody_has_what_leaves_out("(!(roomNumber=7))", "title: boss\n\n", "is a")]
    fn a_filter_leaves_nobody_out_by_what_did_not_come(
        #[case] filter: &str,
        #[case] lines: &str,
        #[case] expected: &str,
    ) {
        let users = Some(Filter::parse(filter).unwrap());
        let nowhere = BTreeSet::from(["roomnumber".to_owned()]);
        let meaning = Meaning { nowhere, users, ..meaning(false) };
        assert_eq!(short(&told(&meaning, &format!("{ANN}{lines}"))[0]), expected);
    }

    #[rstest]
    #[case("9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d", "is 9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d")]
    #[case("9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6", "unreadable ? uid=ann,dc=x")]
    #[case("9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6dl: Rome", "unreadable ? uid=ann,dc=x")]
    #[case("9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcbZZ", "unreadable ? uid=ann,dc=x")]
    fn an_id_that_is_none_in_form_is_of_nobody_else(#[case] id: &str, #[case] expected: &str) {
        let meaning = Meaning { formed: true, ..meaning(false) };
        let text = ANN.replace("entryUUID: a", &format!("entryUUID: {id}"));
        let told = told(&meaning, &format!("{text}\n"));
        assert_eq!(told.iter().map(short).collect::<Vec<_>>(), [expected]);
    }

    /// Where servers give ids and DNs, a record without one lost lines, and others may have been lost with them.
    #[rstest]
    #[case::lost("uid=ann,dc=x", "objectClass: person\nuid: ann\n\n", true)]
    #[case::of_another_server("uid=ann,dc=x", "objectClass: person\nuid: ann\nnsUniqueId: 7\n\n", false)]
    #[case::of_no_kind("uid=ann,dc=x", "objectClass: device\n\n", false)]
    #[case::dn_cut_short(
        "uid=ann,d",
        "objectClass: person\nuid: ann\nentryUUID: 9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d\n\n",
        true
    )]
    #[case::dn_of_two(
        "uid=ann,ddc=x,,dc=x",
        "objectClass: person\nuid: ann\nentryUUID: 9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d\n\n",
        true
    )]
    #[case::whole(
        "uid=ann,dc=x",
        "objectClass: person\nuid: ann\nentryUUID: 9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d\n\n",
        false
    )]
    fn a_record_that_lost_its_id_or_dn_may_have_been_followed_by_others(
        #[case] dn: &str,
        #[case] lines: &str,
        #[case] anybody: bool,
    ) {
        let meaning = Meaning { formed: true, ..meaning(false) };
        let told = told(&meaning, &format!("dn: {dn}\n{lines}"));
        assert_eq!(told.iter().any(|change| short(change) == ANYBODY), anybody, "{told:?}");
    }

    /// Of a group of a domain whose number is 1105, and somebody's primary group.
    #[rstest]
    #[case("AQUAAAAAAAUVAAAAAQAAAAEAAAABAAAAUQQAAA==", false)]
    #[case("AQUAAAAAAAUVAAAAAQAAAAEAAAABAAAAUgQAAA==", true)]
    fn a_primary_group_of_a_domain_lists_some_only(#[case] sid: &str, #[case] complete: bool) {
        let meaning = Meaning { primary_ids: BTreeSet::from([1105]), ..meaning(true) };
        let text = format!(
            "dn: CN=G,DC=x\nobjectClass: group\ncn: G\nsAMAccountName: G\nobjectGUID: g\nobjectSid:: {sid}\nmember: CN=Ann,DC=x\n\n"
        );
        let told = told(&meaning, &text);
        let [Change::Replace(entry)] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!(matches!(entry.members, Members::Complete(_)), complete, "{entry:?}");
    }

    #[test]
    fn whose_primary_group_it_is_is_told_by_their_ids() {
        let mut meaning = meaning(false);
        let account = "objectClass: posixAccount\nuid: zoe\ngidNumber: 7\nentryUUID: z\n\n";
        let mut of = Attributes::new();
        of.add("objectClass", [b"posixAccount".to_vec()]);
        of.add("gidNumber", [b"7".to_vec()]);
        meaning.primaries.note("uid=zoe,dc=x", &of);
        meaning.accounts.insert(Dn::parse("uid=zoe,dc=x").unwrap(), Anchor::new("z"));
        let group = "objectClass: posixGroup\ncn: g\ngidNumber: 7\nmemberUid: abe\nentryUUID: g\n\n";
        let told = told(&meaning, &format!("dn: cn=g,dc=x\n{group}dn: uid=zoe,dc=x\n{account}"));
        let [Change::Replace(group), Change::Replace(zoe)] = told.as_slice() else { panic!("{told:?}") };
        let id = Reference::Anchor(Anchor::new("z"));
        assert_eq!(group.members, Members::Complete(vec![Reference::uid("abe"), id.clone()]));
        assert!(zoe.names.contains(&id));
        // Of a group that does not show its number, it may be anybody's.
        for line in ["", "gidNumber: 7x\n", "gidNumber:< file:///tmp/g\n"] {
            let group = format!("dn: cn=g,dc=x\nobjectClass: posixGroup\ncn: g\n{line}entryUUID: g\n\n");
            let told = self::told(&meaning, &group);
            let [Change::Replace(group)] = told.as_slice() else { panic!("{told:?}") };
            assert!(matches!(&group.members, Members::Partial(_, why) if why.contains("gidNumber")));
        }
    }

    #[test]
    fn many_ids_in_one_record_take_no_time() {
        let ids = (0..50_000).map(|at| format!("entryUUID: {at}\n")).collect::<Vec<_>>().concat();
        let began = std::time::Instant::now();
        assert_eq!(told(&meaning(false), &format!("dn: cn=a\nobjectClass: person\n{ids}\n")).len(), 50_001);
        assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
    }

    #[rstest]
    #[case::uid(&ANN.replace("uid: ann", "uid:< file:///tmp/uid\nphoto:< file:///tmp/photo"), "its uid is in another file")]
    #[case::id(&ANN.replace("entryUUID: a", "entryUUID:< file:///tmp/id"), "its entryUUID is in another file")]
    #[case::uid_of_another_charset(&ANN.replace("uid: ann", "uid:: /w==\nphoto:< file:///tmp/photo"), "not valid UTF-8")]
    fn says_that_a_value_stands_in_another_file(#[case] text: &str, #[case] said: &str) {
        let told = told(&meaning(false), &format!("{}\n", text.replace("dn: uid=ann", "dn: cn=ann")));
        let [Change::Unreadable { why, .. }] = told.as_slice() else { panic!("{told:?}") };
        assert!(why.contains(said), "{why}");
    }

    #[test]
    fn says_that_a_member_stands_in_another_file() {
        let text = "dn: cn=t,dc=x\nobjectClass: groupOfNames\nentryUUID: t\nmember:< file:///tmp/m\nmember: uid=b,dc=x\n\n";
        let told = told(&meaning(false), text);
        let [Change::Replace(entry)] = told.as_slice() else { panic!("{told:?}") };
        let Members::Partial(members, why) = &entry.members else { panic!("{entry:?}") };
        assert!(members.len() == 1 && why.contains("its member is in another file"), "{why}");
        assert_eq!(entry.place.as_deref(), Some("line 1 of a.ldif"));
    }
}
