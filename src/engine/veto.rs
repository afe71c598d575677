//! What may leave the network, as whoever runs the engine says. Pure.
//!
//! What may not leave is not sent, and counts as unknown at the other end: a field that is not among those that were asked for, a list
//! that is not whole, somebody who is not settled. None of that is evidence for a removal. Each end says by name what is withheld.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use self::attribute::{canonical, is_name, is_needed, is_secret, names_entries};
use crate::directory::{Anchor, Cursor, Dn, Entry, Reference, Stated, fields};
use crate::source::LookUp;
use crate::source::ldap::{ActiveDirectoryConfig, GenericConfig, named_in};
use crate::wire::{self, KeyId, Server};

mod attribute;
mod sieve;
#[cfg(test)]
mod tests;

pub(super) use sieve::Sieve;

/// The class of an entry, as it is asked for.
const CLASS: &str = "objectClass";

/// Bases, attributes and classes, as they are written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct VetoSettings {
    /// Subtrees.
    #[serde(default)]
    pub bases: Vec<String>,
    /// Attributes, by their names in the directory.
    #[serde(default)]
    pub attributes: Vec<String>,
    /// Object classes.
    #[serde(default)]
    pub classes: Vec<String>,
}

/// What may leave.
#[derive(Clone, Debug)]
pub(super) struct Veto {
    may: Rules,
    not: Rules,
}

#[derive(Clone, Debug, Default)]
struct Rules {
    bases: Vec<Dn>,
    attributes: BTreeSet<String>,
    classes: BTreeSet<String>,
}

impl Rules {
    fn new(at: &str, settings: &VetoSettings) -> Result<Self, String> {
        let base = |text: &String| {
            Dn::parse(text).map_err(|error| format!("{at}.bases: {text} is not a DN: {error}"))
        };
        Ok(Self {
            bases: settings.bases.iter().map(base).collect::<Result<_, _>>()?,
            attributes: settings.attributes.iter().map(|name| canonical(name)).collect(),
            classes: settings.classes.iter().map(|name| name.trim().to_lowercase()).collect(),
        })
    }
}

impl Veto {
    pub(super) fn new(may: &VetoSettings, not: &VetoSettings) -> Result<Self, String> {
        let veto = Self { may: Rules::new("mayLeave", may)?, not: Rules::new("withhold", not)? };
        if let Some(name) = veto.not.attributes.iter().find(|name| is_needed(name)) {
            return Err(format!(
                "withhold.attributes: {name} says who an entry is and how it is; without it nothing can be read. Withhold the entries by \
                 bases or classes instead"
            ));
        }
        Ok(veto)
    }

    /// Whether everything is read each time: of what changed alone it cannot always be told whether it may leave.
    pub(super) fn reads_all(&self) -> bool {
        self.chooses_bases() || self.chooses_classes()
    }

    /// A cursor that resumes only at this engine and under these rules: they come before it, as a digest.
    pub(super) fn bound(&self, engine: &KeyId, cursor: &Cursor) -> Cursor {
        Cursor([self.digest(engine).as_slice(), &cursor.0].concat())
    }

    /// The cursor of a read of this very engine under these very rules. After any other read everything is read: what it withheld, or was
    /// not shown, is unknown, and no change says what it is.
    pub(super) fn resumes(&self, engine: &KeyId, bound: &Cursor) -> Option<Cursor> {
        let cursor = bound.0.strip_prefix(self.digest(engine).as_slice())?;
        (!self.reads_all()).then(|| Cursor(cursor.to_vec()))
    }

    /// The engine and its rules, those of secrets among them, which another version of it may have otherwise.
    fn digest(&self, engine: &KeyId) -> [u8; 32] {
        let mut digest = Sha256::new();
        let mut add = |list: &mut dyn Iterator<Item = String>| {
            for text in list {
                digest.update((text.len() as u64).to_be_bytes());
                digest.update(text);
            }
            digest.update(u64::MAX.to_be_bytes());
        };
        for Rules { bases, attributes, classes } in [&self.may, &self.not] {
            let bases: BTreeSet<String> = bases.iter().map(ToString::to_string).collect();
            add(&mut bases.into_iter());
            add(&mut attributes.iter().cloned());
            add(&mut classes.iter().cloned());
        }
        add(&mut attribute::rules().map(str::to_owned));
        if self.leaves("uid") && !self.leaves("samaccountname") {
            // Under these rules an engine before this one withheld login names everywhere.
            add(&mut std::iter::once("uid".to_owned()));
        }
        add(&mut std::iter::once(engine.to_string()));
        digest.finalize().into()
    }

    fn chooses_bases(&self) -> bool {
        !self.may.bases.is_empty() || !self.not.bases.is_empty()
    }

    fn chooses_classes(&self) -> bool {
        !self.may.classes.is_empty() || !self.not.classes.is_empty()
    }

    /// Whether an attribute may leave.
    fn leaves(&self, attribute: &str) -> bool {
        let name = canonical(attribute);
        // It comes into requests of ours, an anchor into filters.
        if !is_name(attribute) {
            return false;
        }
        if is_needed(&name) {
            return true;
        }
        let may = |name: &str| {
            let chosen = self.may.attributes.is_empty() || self.may.attributes.contains(name);
            chosen && !self.not.attributes.contains(name)
        };
        !is_secret(&name) && may(&name) && attribute::below(&name).iter().all(|name| may(name))
    }

    /// Whether an attribute may leave as it is. What names other entries may not, where some of them are withheld.
    fn leaves_literal(&self, attribute: &str) -> bool {
        self.leaves(attribute) && !(self.reads_all() && names_entries(&canonical(attribute)))
    }

    /// Whether anything is withheld beside secrets.
    fn is_any(&self) -> bool {
        self.reads_all() || !self.may.attributes.is_empty() || !self.not.attributes.is_empty()
    }

    /// Whether what is below this DN may leave.
    fn leaves_at(&self, dn: &Dn) -> bool {
        let within = |bases: &[Dn]| bases.iter().any(|base| dn.is_within(base));
        (self.may.bases.is_empty() || within(&self.may.bases)) && !within(&self.not.bases)
    }

    /// The same of a DN as the directory spells it.
    fn leaves_called(&self, dn: &str) -> bool {
        !self.chooses_bases() || Dn::parse(dn).is_ok_and(|dn| self.leaves_at(&dn))
    }

    /// Whether an entry of these classes may leave.
    fn leaves_as(&self, classes: Option<&Stated>) -> bool {
        if !self.chooses_classes() {
            return true;
        }
        let Some(Stated::Values(classes)) = classes else { return false };
        let is_in = |these: &BTreeSet<String>| {
            classes.iter().any(|class| these.contains(&class.trim().to_lowercase()))
        };
        (self.may.classes.is_empty() || is_in(&self.may.classes)) && !is_in(&self.not.classes)
    }

    /// Whether an entry may leave.
    fn leaves_entry(&self, entry: &Entry) -> bool {
        let classes = entry.attributes.iter().find(|(name, _)| name.eq_ignore_ascii_case(CLASS));
        self.leaves_called(&entry.dn) && self.leaves_as(classes.map(|(_, stated)| stated))
    }

    /// Whether a name may leave, of a directory of this kind.
    fn leaves_name(&self, server: Server, name: &Reference) -> bool {
        match name {
            Reference::Anchor(_) | Reference::Sid(_) => true,
            Reference::Dn(dn) => self.leaves_at(dn),
            // Elsewhere there is no sAMAccountName.
            Reference::Uid(_) => {
                self.leaves("uid") && (server == Server::Ldap || self.leaves("samaccountname"))
            }
            Reference::Address(_) => ["mail", "proxyaddresses"].iter().all(|name| self.leaves(name)),
        }
    }

    /// Whether this may be asked: who matches a filter says something of the attributes in it.
    pub(super) fn check(&self, asked: &wire::Directory) -> Result<(), String> {
        let filters = [("userFilter", &asked.user_filter), ("groupFilter", &asked.group_filter)];
        for (field, filter) in filters {
            for name in filter.iter().flat_map(|filter| named_in(filter)) {
                if name.is_empty() {
                    return Err(format!(
                        "the connector's {field} asks for whatever attribute, which no engine lets through"
                    ));
                }
                // It stands for attributes that whoever runs the directory chose.
                let is_any = canonical(&name) == "anr" && self.is_any();
                if is_any || !self.leaves(&name) {
                    return Err(format!(
                        "the connector's {field} asks for {name}, which the engine withholds: leave it out of the filter, or ask whoever \
                         runs the engine to let it leave"
                    ));
                }
            }
        }
        match &asked.anchor {
            Some(anchor) if !self.leaves(anchor) => {
                Err(format!("the connector's anchorAttribute is {anchor}, which the engine withholds"))
            }
            _ => Ok(()),
        }
    }

    /// The literal attributes to ask the directory for: those that may leave, and the class if that decides.
    pub(super) fn literal(&self, asked: &BTreeSet<String>) -> BTreeSet<String> {
        let mut literal: BTreeSet<String> =
            asked.iter().filter(|name| self.leaves_literal(name)).cloned().collect();
        if self.chooses_classes() && !literal.iter().any(|name| name.eq_ignore_ascii_case(CLASS)) {
            literal.insert(CLASS.to_owned());
        }
        literal
    }

    /// The neutral fields that are withheld: those that any attribute states that may not leave.
    pub(super) fn withheld_fields(&self, server: Server) -> Vec<&'static str> {
        let sources = |field: &str| match server {
            Server::ActiveDirectory => ActiveDirectoryConfig::attributes_of(field),
            Server::Ldap => GenericConfig::attributes_of(field),
        };
        let all = fields::OF_USER.iter().chain(fields::OF_GROUP).copied();
        let withheld: BTreeSet<&str> =
            all.filter(|field| sources(field).iter().any(|name| !self.leaves(name))).collect();
        withheld.into_iter().collect()
    }

    /// What those who are looked up were called, as far as anything may leave from there; and those who were elsewhere.
    pub(super) fn called(
        &self,
        called: HashMap<Anchor, String>,
    ) -> (HashMap<Anchor, String>, HashSet<Anchor>) {
        let (seen, withheld): (HashMap<_, _>, HashMap<_, _>) =
            called.into_iter().partition(|(_, dn)| self.leaves_called(dn));
        (seen, withheld.into_keys().collect())
    }

    /// Whom a look-up found, without those of whom it may not be told whether they are there: they are not settled. `withheld` are those
    /// who were where nothing may leave.
    pub(super) fn looked_up(&self, found: LookUp, withheld: &HashSet<Anchor>) -> LookUp {
        let LookUp { server, mut found, mut of_no_kind, mut missing, mut orphans, mut called } = found;
        for list in [&mut missing, &mut orphans] {
            list.retain(|anchor| !withheld.contains(anchor));
        }
        if self.chooses_classes() {
            // Of what class they are, a look-up does not tell.
            (found, of_no_kind, called) = Default::default();
        }
        if self.chooses_bases() {
            called.retain(|_, dns| dns.iter().all(|dn| self.leaves_called(dn)));
            found.retain(|anchor| called.contains_key(anchor));
            of_no_kind.retain(|entry| self.leaves_called(&entry.what));
        }
        LookUp { server, found, of_no_kind, missing, orphans, called }
    }
}
