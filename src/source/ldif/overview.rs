//! What a file shows as a whole, before a record of it is understood: which attribute holds the ids, which directory it is of, and what
//! was not exported. Pure.

use std::collections::{BTreeSet, HashMap};

use super::config::LdifConfig;
use super::merged::hides_others;
use super::owners::Owners;
use super::problem::invalid;
use super::record::{End, Record};
use super::required::Required;
use super::shared::Shared;
use super::tops::{Top, Tops};
use super::used::Used;
use crate::directory::{Anchor, DirectoryId, Dn, EntryKind};
use crate::source::SourceError;
use crate::source::schema::active_directory::state;
use crate::source::schema::posix::{self, Primaries};
use crate::source::schema::primary::PrimaryGroups as _;
use crate::source::schema::{self, ANCHORS, Attributes, active_directory};
use crate::words::count;

/// What a file shows as a whole.
#[derive(Default)]
pub(super) struct Overview {
    pub(super) entries: usize,
    pub(super) tops: Tops,
    pub(super) used: Used,
    pub(super) owners: Owners,
    pub(super) shared: Shared,
    /// Whether an entry has an attribute that OpenLDAP alone gives: there no group of names is without a member.
    pub(super) is_openldap: bool,
    /// How many entries have each of [`ANCHORS`].
    pub(super) anchors: [usize; ANCHORS.len()],
    pub(super) with_classes: usize,
    /// How many state a value, and not the names of attributes alone.
    pub(super) with_values: usize,
    /// How many have the attribute by which entries are known since the first read.
    pub(super) with_pinned: usize,
    /// Of the attributes that every account of Active Directory has: whether an account hides it, and whether one shows it.
    pub(super) states: [(bool, bool); state::ATTRIBUTES.len()],
    /// How many accounts of Active Directory do not show their number in the domain …
    pub(super) unnumbered: u64,
    /// … and whether an entry is there that says that every domain has it.
    pub(super) shows_built_in: bool,
    /// How many have an id in the form in which servers write it, for each of [`ANCHORS`].
    pub(super) formed: [usize; ANCHORS.len()],
    /// The attributes that the filters ask for and that some entry has.
    pub(super) asked_for: BTreeSet<String>,
    /// The groups of Active Directory that are the primary one of somebody, by their relative ids.
    pub(super) primary_ids: BTreeSet<u32>,
    pub(super) primaries: Primaries,
    /// The first record for which it is not known whose primary group is which.
    pub(super) hides_primary: Option<usize>,
    pub(super) required: Required,
    /// The ids of those who have a primary group, each by the attribute that may hold it.
    pub(super) accounts: HashMap<Dn, Vec<(String, Anchor)>>,
    /// The first record that cannot be understood.
    pub(super) damage: Option<String>,
}

impl Overview {
    pub(super) fn note(&mut self, record: &Record, pinned: Option<&str>, asked: &BTreeSet<String>) {
        let attributes = &record.attributes;
        let dn = record.dns.first().map(|dn| Dn::parse(dn));
        self.required.note(record, dn.as_ref().and_then(|dn| dn.as_ref().ok()));
        match dn {
            // A DN that may go on is none.
            Some(Ok(_)) if record.end == End::Open(Some("dn".to_owned())) => self.entries += 1,
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
        if may_hide_an_account(record) || posix::is_hidden(attributes) {
            self.primaries.hide();
            self.hides_primary.get_or_insert(record.line);
        }
        let is_last = matches!(&record.end, End::Open(Some(last)) if schema::name(last) == "gidnumber");
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
    pub(super) fn shows_states(&self) -> bool {
        self.states.first().is_some_and(|(_, shown)| *shown)
    }

    /// What to say of an attribute that decides who is disabled or expired and that no account shows.
    pub(super) fn hidden_states(&self, name: &str) -> Option<String> {
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
    pub(super) fn hidden_numbers(&self, name: &str) -> Option<String> {
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
    pub(super) fn accounts(&mut self, anchor: &str) -> HashMap<Dn, Anchor> {
        let anchor = schema::name(anchor);
        let accounts = std::mem::take(&mut self.accounts).into_iter();
        let id = |ids: Vec<(String, Anchor)>| ids.into_iter().find(|(name, _)| *name == anchor);
        accounts.filter_map(|(dn, ids)| Some((dn, id(ids)?.1))).collect()
    }

    /// Whether the ids of this attribute are of the form in which servers write them, but for such as were damaged.
    pub(super) fn is_formed(&self, anchor: &str) -> bool {
        let counts = ANCHORS.iter().zip(self.anchors.iter().zip(&self.formed));
        counts
            .filter(|(name, _)| name.eq_ignore_ascii_case(anchor))
            .any(|(_, (all, formed))| formed * 2 > *all)
    }

    /// Whether three of four entries have one of this attribute.
    pub(super) fn is_usual(&self, anchor: &str) -> bool {
        let counts = ANCHORS.iter().zip(self.anchors);
        let with: usize =
            counts.filter(|(name, _)| name.eq_ignore_ascii_case(anchor)).map(|(_, count)| count).sum();
        with * 4 >= self.entries * 3
    }

    /// The attribute that holds the anchor.
    pub(super) fn anchor(&self, config: &LdifConfig, pinned: Option<&str>) -> Result<String, SourceError> {
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
    pub(super) fn directory(
        &self,
        config: &LdifConfig,
        pinned: Option<&DirectoryId>,
    ) -> Result<(DirectoryId, Option<&Top>), SourceError> {
        if let Some(id) = &config.directory_id {
            return Ok((id.clone(), None));
        }
        if let Some(top) = self.tops.directory() {
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
    pub(super) fn elsewhere(&self, top: &Top, name: &str) -> Option<String> {
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
    if !attributes.has("objectclass") || hides_others(record, has_id) {
        return true;
    }
    if active_directory::is_a(attributes, "posixAccount") {
        return record.damage.is_some() || record.end != End::Proven;
    }
    let is_group = active_directory::is_a(attributes, "posixGroup")
        || schema::kind(attributes) == Some(EntryKind::Group);
    let is_like_one =
        attributes.has("uidnumber") || attributes.has("gidnumber") || attributes.has("homedirectory");
    is_like_one && !is_group && !active_directory::is_of(attributes)
}
