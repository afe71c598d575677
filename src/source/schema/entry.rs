//! From an entry's attributes to the entry in neutral form. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::active_directory;
use super::anchor::{ANCHORS, anchor, no_id, without_id};
use super::attributes::Attributes;
use super::class::{is_alias, is_deleted, is_nobody, kind};
use super::field::{all, decisive, unclear};
use super::members::members;
use super::standard::{ALIASES, GROUP_FIELDS, USER_FIELDS, stated};
use crate::directory::{Anchor, Change, Dn, Entry, EntryKind, Members, Reference, Stated, fields};

#[cfg(test)]
mod tests;

/// How an entry is made of attributes.
#[derive(Clone, Debug)]
pub struct EntrySchema {
    /// The attribute that holds the anchor, as whoever chose it spells it; `dn` means the normalised DN itself.
    pub anchor: String,
    /// The literal attributes that policies and connectors name, as they spell them.
    pub literal: BTreeSet<String>,
    /// Whether a group of names must have a member (RFC 4519 sections 3.5 and 3.6): one that shows none hides them.
    pub demands_members: bool,
}

/// An entry that cannot be processed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Unreadable {
    /// Its anchor, where at least that could be read.
    pub anchor: Option<Anchor>,
    /// What is wrong with it and what to do.
    pub why: String,
}

impl EntrySchema {
    /// Every attribute that has to be asked for.
    pub fn attributes(&self) -> BTreeSet<String> {
        let tables = USER_FIELDS.iter().chain(GROUP_FIELDS).flat_map(|(_, names)| *names);
        let fixed = ["objectclass", "mail", "member", "uniquemember", "memberuid", "gidnumber", "isdeleted"];
        let mut names: BTreeMap<String, String> = BTreeMap::new();
        let literal = self.literal.iter().map(String::as_str);
        for name in tables
            .copied()
            .chain(fixed)
            .chain(ALIASES.iter().copied())
            .chain(active_directory::asked())
            .chain(literal)
        {
            // A server gives an attribute with every option that it has.
            let name = name.split(';').next().unwrap_or(name);
            names.entry(name.to_lowercase()).or_insert_with(|| name.to_owned());
        }
        if !self.is_dn() {
            names.entry(self.anchor.to_lowercase()).or_insert_with(|| self.anchor.clone());
        }
        names.into_values().collect()
    }

    /// The neutral fields that a read with these attributes states.
    pub fn fields() -> BTreeSet<String> {
        fields::OF_USER.iter().chain(fields::OF_GROUP).map(|field| (*field).to_owned()).collect()
    }

    /// What an entry that came says. `wanted` is what was searched for, if it was. `None` if that is nothing.
    pub fn told(&self, dn: &str, attributes: &Attributes, wanted: Option<EntryKind>) -> Option<Change> {
        match self.entry(dn, attributes, wanted) {
            Ok(Some(entry)) => Some(Change::Replace(Box::new(entry))),
            Err(Unreadable { anchor, why }) => Some(Change::Unreadable { anchor, what: dn.to_owned(), why }),
            Ok(None) => {
                let anchor = self.anchor(dn, attributes).ok()?;
                if is_deleted(attributes) {
                    // An id that people give may be somebody else's by now.
                    return self.is_given_by_the_server().then_some(Change::Tombstone(anchor));
                }
                let is_person = kind(attributes).or(wanted).is_some_and(|kind| kind != EntryKind::Group);
                (is_person && is_nobody(attributes)).then_some(Change::Outside(anchor))
            }
        }
    }

    /// Makes an entry of attributes. `wanted` is what was searched for, if it was: an entry of unknown
    /// classes is taken for that, and one of another kind is none. `None` for an entry that is neither
    /// user, contact nor group, that is deleted, or that is nobody's: a machine's, an alias.
    ///
    /// # Errors
    /// When an attribute that counts cannot be understood; the entry is then an exception.
    pub fn entry(
        &self,
        dn: &str,
        attributes: &Attributes,
        wanted: Option<EntryKind>,
    ) -> Result<Option<Entry>, Unreadable> {
        let Some(kind) = kind(attributes).or(wanted) else { return Ok(None) };
        let is_other =
            wanted.is_some_and(|wanted| (wanted == EntryKind::Group) != (kind == EntryKind::Group));
        if is_other || is_deleted(attributes) || is_alias(attributes) {
            return Ok(None);
        }
        if kind != EntryKind::Group && is_nobody(attributes) {
            return Ok(None);
        }
        let anchor = self.anchor(dn, attributes)?;
        let unreadable = |why: String| Unreadable { anchor: Some(anchor.clone()), why };
        let normal = Dn::parse(dn).map_err(|error| unreadable(error.to_string()))?;
        let mut names = vec![Reference::Dn(normal.clone())];
        match all(attributes, "uid") {
            // Who is listed by a name that cannot be read cannot be told from who is not listed.
            Some(Stated::Undecodable) => {
                let wrong = unclear(attributes, "uid");
                return Err(unreadable(format!(
                    "a value of its uid {wrong}, so it is unknown which groups list it; correct it in the directory"
                )));
            }
            Some(Stated::Values(uids)) => names.extend(uids.iter().map(|uid| Reference::uid(uid))),
            None => names.extend(normal.first_values("uid").map(|uid| Reference::uid(&uid))),
        }
        let (mut disabled, mut expires) = (None, None);
        let fields = if active_directory::is_of(attributes) {
            if active_directory::state::is_shown(attributes) {
                (disabled, expires) = active_directory::state::of(kind, attributes).map_err(unreadable)?;
            }
            active_directory::stated(kind, &normal, attributes)
        } else {
            stated(kind, &normal, attributes)
        };
        let literal =
            self.literal.iter().filter_map(|name| Some((name.clone(), decisive(attributes, name)?)));
        Ok(Some(Entry {
            anchor,
            kind,
            dn: dn.to_owned(),
            names,
            disabled,
            expires,
            fields,
            attributes: literal.collect(),
            members: if kind == EntryKind::Group {
                members(attributes, self.demands_members)
            } else {
                Members::None
            },
            place: None,
        }))
    }

    /// Whether the server itself gave the ids, so that none is ever given again.
    fn is_given_by_the_server(&self) -> bool {
        ANCHORS.iter().any(|name| name.eq_ignore_ascii_case(&self.anchor))
    }

    /// Whether the DN itself is the anchor.
    pub(in crate::source) fn is_dn(&self) -> bool {
        self.anchor.eq_ignore_ascii_case("dn")
    }

    pub(super) fn anchor(&self, dn: &str, attributes: &Attributes) -> Result<Anchor, Unreadable> {
        let refuse = |why: String| Unreadable { anchor: None, why };
        if self.is_dn() {
            return Dn::parse(dn)
                .map(|dn| Anchor::new(dn.as_str()))
                .map_err(|error| refuse(error.to_string()));
        }
        let values: Vec<&[u8]> = attributes.values(&self.anchor).collect();
        match values.as_slice() {
            [value] => anchor(&self.anchor, value).ok_or_else(|| refuse(no_id(&self.anchor))),
            [] => Err(refuse(without_id(&self.anchor))),
            several => Err(refuse(format!(
                "it has {} values of {}, and an anchor has exactly one; set anchorAttribute to another attribute",
                several.len(),
                self.anchor
            ))),
        }
    }
}
