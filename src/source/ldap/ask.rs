//! Asks for entries by their anchors, and settles who is there.
//!
//! Nobody is missing because a server said nothing: its answer must have come to its end, and hold nothing that could be
//! the one who was asked for. An entry that shows no id could be, and so could what cannot be understood, and what is
//! held elsewhere.

use std::collections::hash_map::Entry as Slot;
use std::collections::{BTreeSet, HashMap, HashSet};

use super::config::LdapConfig;
use super::connection::Connection;
use super::decode::Raw;
use super::fetch::{self, Named};
use super::search::{Query, Search, SearchItem};
use super::wire::filter::escape;
use super::wire::{Control, Scope};
use crate::directory::{Anchor, Dn, EntryKind, OfNoKind};
use crate::source::{SourceError, schema};

/// Anchors in one search: few enough for every server's limit on filters.
pub(super) const AT_ONCE: usize = 200;

/// So many entries that exist are asked for, to see whether one of them is found by its id.
const KNOWN: u32 = 20;

/// So many other entries with the same id are named.
const OTHERS: usize = 100;

/// Objects that refer to other servers are objects like others (RFC 3296): what this server holds is asked for, and who
/// was read was read here.
const MANAGE_DSA_IT: &str = "2.16.840.1.113730.3.4.2";

/// How entries are asked for by their ids.
#[derive(Clone)]
pub(super) struct Asking {
    /// The id attribute, as it is requested.
    pub(super) attribute: String,
    /// What finds some of them.
    pub(super) filter: fn(&str, &[Anchor]) -> String,
    /// The ids that an entry shows: one, if nothing is wrong.
    pub(super) ids: fn(&str, &Raw) -> Vec<Anchor>,
    /// The plain DN.
    pub(super) dn: fn(&str) -> &str,
    /// Subtrees that are left out of what is read.
    pub(super) excluded: Vec<Dn>,
    /// Of each search.
    pub(super) page_size: Option<u32>,
    /// Of each search.
    pub(super) controls: Vec<Control>,
}

/// An entry that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) dn: String,
    /// Other entries with the same id.
    pub(super) others: Vec<String>,
    pub(super) classes: Classes,
    /// Whether it has others in it, if it says.
    pub(super) holds_others: Option<bool>,
}

/// What the classes say that an entry shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Classes {
    /// There are none, so no filter can tell what it is.
    Hidden,
    /// It is a user, a contact or a group.
    Known,
    /// It is none of them.
    OfNoKind,
}

/// Why a search that asks for users and groups did not find an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// By its place, or by a filter that knows what it is.
    Outside,
    /// Its classes are those of no user, contact or group.
    OfNoKind,
    /// That is not to be seen.
    Unclear,
}

/// Kinds of which the configured filters leave it to the classes who is one.
pub(super) fn by_classes(config: &LdapConfig) -> &'static [EntryKind] {
    match (config.user_filter.is_none(), config.group_filter.is_none()) {
        (true, true) => &[EntryKind::User, EntryKind::Contact, EntryKind::Group],
        (true, false) => &[EntryKind::User, EntryKind::Contact],
        (false, true) => &[EntryKind::Group],
        (false, false) => &[],
    }
}

impl Classes {
    fn of(attributes: &schema::Attributes) -> Self {
        match schema::kind(attributes) {
            Some(_) => Self::Known,
            None if attributes.all("objectclass").next().is_some() => Self::OfNoKind,
            None => Self::Hidden,
        }
    }
}

impl Seen {
    /// Why a search below `bases` did not find it.
    pub(super) fn unread(&self, bases: &[String]) -> Unread {
        match self.classes {
            _ if self.lies_outside(bases) => Unread::Outside,
            Classes::Known => Unread::Outside,
            Classes::OfNoKind => Unread::OfNoKind,
            Classes::Hidden => Unread::Unclear,
        }
    }

    /// The change for an entry with this id that is neither a user, a contact nor a group.
    pub(super) fn of_no_kind(&self, anchor: &Anchor, kinds: &'static [EntryKind]) -> OfNoKind {
        let (what, why) = (self.dn.clone(), schema::OF_NO_KIND.to_owned());
        OfNoKind { anchor: anchor.clone(), what, why, kinds }
    }

    /// The DNs of all entries with this id.
    pub(super) fn called(&self) -> Vec<String> {
        std::iter::once(&self.dn).chain(&self.others).cloned().collect()
    }

    /// Another answer with the same id: the same entry again, or another one. What counts is which came last.
    fn add(&mut self, other: Self) {
        let Self { dn, mut others, .. } = std::mem::replace(self, other);
        // So many are named; however many there are, none of them is settled.
        if dn != self.dn && others.len() < OTHERS && !others.contains(&dn) {
            others.push(dn);
        }
        others.retain(|other| *other != self.dn);
        self.others = others;
    }

    fn lies_outside(&self, bases: &[String]) -> bool {
        let Ok(dn) = Dn::parse(&self.dn) else { return false };
        bases.iter().all(|base| Dn::parse(base).is_ok_and(|base| !dn.is_within(&base)))
    }
}

/// What the answers to searches say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) there: HashMap<Anchor, Seen>,
    /// Whether something came that could be any of them.
    pub(super) doubtful: bool,
}

/// Who of those who were asked for is there, and who is missing. Who is in neither is not settled.
#[derive(Debug, Default)]
pub(super) struct Confirmed {
    pub(super) there: HashMap<Anchor, Seen>,
    pub(super) missing: HashSet<Anchor>,
}

impl Answer {
    /// Takes in what was found when these were asked for.
    fn take(
        &mut self,
        found: SearchItem,
        asked: &HashSet<&Anchor>,
        (id, plain): (impl Fn(&Raw) -> Option<Anchor>, fn(&str) -> &str),
    ) {
        let SearchItem::Entry(raw) = found else {
            self.doubtful = true;
            return;
        };
        match id(&raw).filter(|id| asked.contains(id)) {
            Some(id) => {
                let classes = Classes::of(&raw.attributes);
                let stated = raw.attributes.values("hassubordinates").next();
                let holds_others = stated.map(|value| !value.eq_ignore_ascii_case(b"FALSE"));
                let seen = Seen { dn: plain(&raw.dn).to_owned(), others: Vec::new(), classes, holds_others };
                match self.there.entry(id) {
                    Slot::Occupied(mut first) => first.get_mut().add(seen),
                    Slot::Vacant(slot) => drop(slot.insert(seen)),
                }
            }
            None => self.doubtful = true,
        }
    }
}

impl Asking {
    /// By the attribute of this name.
    pub(super) fn by(attribute: &str) -> Self {
        let controls = vec![Control { oid: MANAGE_DSA_IT.to_owned(), critical: false, value: None }];
        Self {
            attribute: attribute.to_owned(),
            filter,
            ids: shown,
            dn: |dn| dn,
            excluded: Vec::new(),
            page_size: None,
            controls,
        }
    }

    /// What finds these.
    pub(super) fn filter(&self, anchors: &[Anchor]) -> String {
        (self.filter)(&self.attribute, anchors)
    }

    /// The ids that an entry shows.
    pub(super) fn ids(&self, raw: &Raw) -> Vec<Anchor> {
        (self.ids)(&self.attribute, raw)
    }

    /// The plain DN of an entry.
    pub(super) fn dn<'r>(&self, raw: &'r Raw) -> &'r str {
        (self.dn)(&raw.dn)
    }

    /// Whether the entry with this plain DN is left out, though a search finds it.
    pub(super) fn leaves_out(&self, dn: &str) -> bool {
        !self.excluded.is_empty()
            && Dn::parse(dn).is_ok_and(|dn| self.excluded.iter().any(|excluded| dn.is_within(excluded)))
    }

    /// Whether the DN itself is the id.
    pub(super) fn is_by_dn(&self) -> bool {
        self.attribute.eq_ignore_ascii_case("dn")
    }

    /// Who of those who are `asked` for is below `places` and, if it is given, matches `only`.
    pub(super) async fn answer(
        &self,
        connection: &mut Connection,
        (places, only): (&[String], Option<&str>),
        asked: &[Anchor],
    ) -> Result<Answer, SourceError> {
        let filter = self.filter(asked);
        let filter = only.map_or_else(|| filter.clone(), |only| format!("(&{only}{filter})"));
        let wanted: HashSet<&Anchor> = asked.iter().collect();
        let mut answer = Answer::default();
        for place in places {
            let attributes = [&self.attribute, "objectClass", "hasSubordinates"].map(str::to_owned).to_vec();
            let query = Query {
                base: place.clone(),
                filter: filter.clone(),
                attributes,
                page_size: self.page_size,
                controls: self.controls.clone(),
                ..Query::default()
            };
            let mut search = Search::new(connection, query);
            while let Some(found) = search.next(0).await? {
                answer.take(found, &wanted, (|raw: &Raw| single(self.ids(raw)), self.dn));
            }
        }
        Ok(answer)
    }

    /// The same, settled: where an answer could hold any of them, each is asked for alone.
    pub(super) async fn settle(
        &self,
        connection: &mut Connection,
        places: (&[String], Option<&str>),
        asked: &[Anchor],
    ) -> Result<Confirmed, SourceError> {
        if self.is_by_dn() {
            return by_dn(connection, places, asked).await;
        }
        let Answer { mut there, doubtful } = self.answer(connection, places, asked).await?;
        let open: Vec<Anchor> = asked.iter().filter(|one| !there.contains_key(one)).cloned().collect();
        let mut missing = HashSet::new();
        for one in open {
            if !doubtful {
                missing.insert(one);
                continue;
            }
            let answer = self.answer(connection, places, std::slice::from_ref(&one)).await?;
            if answer.there.is_empty() && !answer.doubtful {
                missing.insert(one);
            }
            there.extend(answer.there);
        }
        Ok(Confirmed { there, missing })
    }

    /// Whether entries that match `filter` are found by their ids below `base`, as one of them shows; `None` if there are
    /// no such entries. A server takes a filter that the account may not use for one that nobody matches.
    pub(super) async fn works(
        &self,
        connection: &mut Connection,
        base: &str,
        filter: &str,
    ) -> Result<Option<bool>, SourceError> {
        let mut known = self.some(connection, base, filter).await?;
        if known.is_empty() {
            return Ok(None);
        }
        if known.iter().all(|known| single(self.ids(known)).is_none()) {
            // Not everybody need have one.
            let bears = format!("(&{filter}({}=*))", self.attribute);
            known = self.some(connection, base, &bears).await?;
        }
        let mut ids = known.iter().filter_map(|known| single(self.ids(known)));
        let Some(id) = ids.next() else { return Ok(Some(false)) };
        let places = [base.to_owned()];
        let answer = self.answer(connection, (&places, None), std::slice::from_ref(&id)).await?;
        Ok(Some(answer.there.contains_key(&id)))
    }

    /// Some entries, whichever, that match.
    async fn some(
        &self,
        connection: &mut Connection,
        base: &str,
        filter: &str,
    ) -> Result<Vec<Raw>, SourceError> {
        let place = (base, Scope::Subtree);
        fetch::some(connection, &self.controls, place, filter, &[&self.attribute], KNOWN).await
    }
}

/// Where the DN itself is the anchor, each is looked at. Only a server that says that it has no such entry has none.
async fn by_dn(
    connection: &mut Connection,
    (places, only): (&[String], Option<&str>),
    asked: &[Anchor],
) -> Result<Confirmed, SourceError> {
    let mut settled = Confirmed::default();
    for anchor in asked {
        let dn = anchor.as_str().to_owned();
        let seen = Seen { dn, others: Vec::new(), classes: Classes::Hidden, holds_others: None };
        if only.is_some() && seen.lies_outside(places) {
            settled.missing.insert(anchor.clone());
            continue;
        }
        let query = Query {
            base: anchor.as_str().to_owned(),
            filter: only.unwrap_or("(objectClass=*)").to_owned(),
            attributes: vec!["objectClass".to_owned()],
            ..Query::default()
        };
        match fetch::named(connection, query, 0).await? {
            Named::Entry(raw) => {
                let classes = Classes::of(&raw.attributes);
                settled.there.insert(anchor.clone(), Seen { classes, ..seen });
            }
            // It is there, or else the server would say that it is not; and does not match.
            Named::Nothing if only.is_some() => drop(settled.missing.insert(anchor.clone())),
            Named::NoSuchObject => drop(settled.missing.insert(anchor.clone())),
            Named::Nothing | Named::Doubtful | Named::Refused(_) => {}
        }
    }
    Ok(settled)
}

/// Whether the server says that an entry is not under the DN that it had: nothing is there, or another one, which shows its
/// id. One that shows none may be it. That it is held elsewhere is asked for, so that no server is taken for its chain.
pub(super) async fn has_left(
    connection: &mut Connection,
    attribute: &str,
    anchor: &Anchor,
    dn: &str,
) -> Result<bool, SourceError> {
    Ok(match at(connection, dn, attribute).await? {
        Named::Entry(raw) => {
            let id = single(shown(attribute, &raw));
            id.is_some_and(|id| id != *anchor && !id.spellings().contains(anchor))
        }
        Named::NoSuchObject => true,
        Named::Nothing | Named::Doubtful | Named::Refused(_) => false,
    })
}

/// Asks for no attribute (RFC 4511 section 4.5.1.8).
pub(super) const NOTHING_OF_IT: &str = "1.1";

/// Whether the server says that there is no entry of this DN.
pub(super) async fn is_nothing_at(connection: &mut Connection, dn: &str) -> Result<bool, SourceError> {
    Ok(matches!(at(connection, dn, NOTHING_OF_IT).await?, Named::NoSuchObject))
}

/// What the server says is at this DN, with this attribute.
pub(super) async fn at(connection: &mut Connection, dn: &str, attribute: &str) -> Result<Named, SourceError> {
    let query = Query {
        base: dn.to_owned(),
        filter: "(objectClass=*)".to_owned(),
        attributes: vec![attribute.to_owned()],
        ..Query::default()
    };
    fetch::named(connection, query, 0).await
}

/// The one id among these.
fn single(mut ids: Vec<Anchor>) -> Option<Anchor> {
    ids.pop().filter(|_| ids.is_empty())
}

/// The ids that an entry shows in this attribute.
fn shown(attribute: &str, raw: &Raw) -> Vec<Anchor> {
    raw.attributes.values(attribute).filter_map(|value| schema::anchor(attribute, value)).collect()
}

/// Any of the anchors, in every spelling that [`schema::anchor`] may have had before it: letter case is
/// folded there, and binary ids are written in hexadecimal digits.
pub(super) fn filter(attribute: &str, anchors: &[Anchor]) -> String {
    let mut terms = BTreeSet::new();
    for anchor in anchors {
        let text = anchor.as_str();
        terms.insert(format!("({attribute}={})", escape(text)));
        terms.insert(format!("({attribute}={})", escape(&text.to_uppercase())));
        let is_digits = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_digits && !text.is_empty() && text.len().is_multiple_of(2) {
            terms.insert(format!("({attribute}={})", schema::anchor::octets(text)));
        }
    }
    format!("(|{})", terms.into_iter().collect::<String>())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn entry(ids: &[&str], classes: &[&str]) -> SearchItem {
        let mut attributes = schema::Attributes::new();
        attributes.add("entryUUID", ids.iter().map(|id| id.as_bytes().to_vec()));
        attributes.add("objectClass", classes.iter().map(|class| class.as_bytes().to_vec()));
        let dn = "uid=one,ou=people,dc=x".to_owned();
        SearchItem::Entry(Raw { dn, dn_is_text: true, attributes, ..Raw::default() })
    }

    #[rstest]
    #[case::the_one(entry(&["E-1"], &["person"]), true, false)]
    #[case::another(entry(&["e-9"], &["person"]), false, true)]
    #[case::without_an_id(entry(&[], &["person"]), false, true)]
    #[case::with_two(entry(&["e-1", "e-2"], &["person"]), false, true)]
    #[case::no_entry(SearchItem::Unintelligible("it".to_owned()), false, true)]
    #[case::a_reference(SearchItem::Reference(Vec::new()), false, true)]
    fn what_could_be_the_one_is_no_proof(
        #[case] found: SearchItem,
        #[case] there: bool,
        #[case] doubtful: bool,
    ) {
        let (one, mut answer) = (Anchor::new("e-1"), Answer::default());
        answer.take(found, &HashSet::from([&one]), (|raw: &Raw| single(shown("entryUUID", raw)), |dn| dn));
        assert_eq!((answer.there.contains_key(&one), answer.doubtful), (there, doubtful));
    }

    #[rstest]
    #[case(&["person"], "ou=people,dc=x", Unread::Outside)]
    #[case(&["top", "GroupOfNames "], "dc=x", Unread::Outside)]
    #[case(&[], "ou=people,dc=x", Unread::Unclear)]
    #[case(&[], "dc=x", Unread::Unclear)]
    #[case(&[], "ou=other,dc=x", Unread::Outside)]
    #[case(&["top", "device"], "ou=people,dc=x", Unread::OfNoKind)]
    #[case(&["referral", "extensibleObject"], "dc=x", Unread::OfNoKind)]
    #[case(&["device"], "ou=other,dc=x", Unread::Outside)]
    fn a_filter_judges_only_whose_class_is_known(
        #[case] classes: &[&str],
        #[case] base: &str,
        #[case] unread: Unread,
    ) {
        let (one, mut answer) = (Anchor::new("e-1"), Answer::default());
        answer.take(
            entry(&["e-1"], classes),
            &HashSet::from([&one]),
            (|raw: &Raw| single(shown("entryUUID", raw)), |dn| dn),
        );
        assert_eq!(answer.there[&one].unread(&[base.to_owned()]), unread);
    }

    #[test]
    fn asks_in_every_spelling() {
        let anchors = [Anchor::new("e-1*"), Anchor::new("00ff")];
        assert_eq!(
            filter("employeenumber", &anchors),
            r"(|(employeenumber=00FF)(employeenumber=00ff)(employeenumber=E-1\2a)(employeenumber=\00\ff)(employeenumber=e-1\2a))"
        );
    }

    #[test]
    fn every_filter_parses() {
        for hostile in ["", ")(uid=*", "\\", "a\0b", "ünï"] {
            let filter = filter("uid", &[Anchor::new(hostile)]);
            assert!(crate::source::ldap::wire::filter::parse(&filter).is_some(), "{filter}");
        }
    }
}
