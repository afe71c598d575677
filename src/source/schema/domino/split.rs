//! Groups that were split because a group document holds 32 KB of names: `All Staff` lists `All Staff 1`, `All Staff 2` and so on, and
//! these list the people. With a rule for their names they are one group again. Pure.
//!
//! A part is joined only to the group that lists it, and if no other one does. Until all groups came, that is not known: groups whose
//! names follow the rule, and those that list them, are kept until then.

use std::collections::btree_map::Entry as Slot;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::directory::{Change, Dn, Entry, Members, Reference};

/// How the parts of a group are called: a text with `{name}` and `{number}` in it, such as `{name} {number}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartNames {
    before: String,
    between: String,
    after: String,
}

impl PartNames {
    /// The rule, if it is one: both words once, in this order, and beside them letters, digits, blanks and `._()-` alone.
    pub fn parse(text: &str) -> Option<Self> {
        let (before, rest) = text.split_once("{name}")?;
        let (between, after) = rest.split_once("{number}")?;
        let is_plain =
            |text: &str| text.chars().all(|sign| sign.is_ascii_alphanumeric() || " ._()-".contains(sign));
        let plain = |text: &str| is_plain(text).then(|| text.to_lowercase());
        Some(Self { before: plain(before)?, between: plain(between)?, after: plain(after)? })
    }

    /// What the group is called of which this is a part by its name.
    fn whole_of(&self, dn: &Dn) -> Option<Dn> {
        let first = dn.as_str().split(',').next()?;
        let (kind, value) = first.split_once('=')?;
        let value = value.strip_prefix(&self.before)?.strip_suffix(&self.after)?;
        let name = value.trim_end_matches(|sign: char| sign.is_ascii_digit());
        if name.len() == value.len() || first.contains('+') {
            return None;
        }
        let name = name.strip_suffix(&self.between).filter(|name| !name.trim().is_empty())?;
        Dn::parse(&format!("{kind}={name}{}", &dn.as_str()[first.len()..])).ok()
    }
}

/// The groups that are kept until all came.
#[derive(Debug)]
pub(in crate::source) struct Joining {
    rule: PartNames,
    /// By their names.
    kept: BTreeMap<Dn, Entry>,
    /// Further ones with the name of one that is kept.
    doubles: Vec<(Dn, Entry)>,
    /// Parts that are listed by a group of which they are none.
    listed_elsewhere: HashSet<Dn>,
    /// Groups that came, and of which it is not known whom they list.
    unclear: HashSet<Dn>,
    /// Whether a group came of which it is not known what it is called.
    is_one_nameless: bool,
}

/// What is known of a group that lists parts.
#[derive(Default)]
struct Parts {
    /// Those that came, those that its parts list among them.
    came: BTreeSet<Dn>,
    /// One that is listed, and did not come in a form that can be read.
    lacks: Option<Dn>,
    /// Whether it may have others.
    is_open: bool,
}

impl Joining {
    pub(in crate::source) fn by(rule: PartNames) -> Self {
        Self {
            rule,
            kept: BTreeMap::new(),
            doubles: Vec::new(),
            listed_elsewhere: HashSet::new(),
            unclear: HashSet::new(),
            is_one_nameless: false,
        }
    }

    /// Takes a group that may be a part, or have parts. Everything else is given back.
    pub(in crate::source) fn keep(&mut self, change: Change) -> Option<Change> {
        let entry = match change {
            Change::Replace(entry) => entry,
            Change::Unreadable { ref what, .. } => {
                match Dn::parse(what) {
                    Ok(dn) => _ = self.unclear.insert(dn),
                    Err(_) => self.is_one_nameless = true,
                }
                return Some(change);
            }
            _ => return Some(change),
        };
        let Ok(dn) = Dn::parse(&entry.dn) else { return Some(Change::Replace(entry)) };
        if matches!(entry.members, Members::Partial(..)) {
            self.unclear.insert(dn.clone());
        }
        let has_parts = self.note_listed(&dn, &entry.members);
        if !has_parts && self.rule.whole_of(&dn).is_none() {
            return Some(Change::Replace(entry));
        }
        match self.kept.entry(dn) {
            Slot::Vacant(slot) => drop(slot.insert(*entry)),
            Slot::Occupied(slot) => {
                // Two of one name are not told apart: whom the one lists is not known of the name.
                self.unclear.insert(slot.key().clone());
                self.doubles.push((slot.key().clone(), *entry));
            }
        }
        None
    }

    /// Notes whom a group lists, also one that could not be read otherwise; whether it lists parts of its own.
    pub(in crate::source) fn note_listed(&mut self, dn: &Dn, members: &Members) -> bool {
        let (mut has_parts, whole) = (false, self.rule.whole_of(dn));
        for (part, of) in parts(&self.rule, members) {
            if of == *dn || Some(&of) == whole.as_ref() {
                has_parts = true;
            } else {
                self.listed_elsewhere.insert(part.clone());
            }
        }
        has_parts
    }

    /// What was kept: groups with the members of their parts, and parts as no groups of their own.
    ///
    /// What did not come in a form that can be read takes nothing away: a group that lists such a part may have more members, and what
    /// may be a part of such a group is unreadable itself.
    pub(in crate::source) fn joined(&mut self) -> Vec<Change> {
        let (mut kept, doubles) = (std::mem::take(&mut self.kept), std::mem::take(&mut self.doubles));
        let twice: HashSet<Dn> = doubles.iter().map(|(dn, _)| dn.clone()).collect();
        let parts_of: HashMap<Dn, Parts> =
            kept.iter().map(|(dn, entry)| (dn.clone(), self.parts_of(&kept, &twice, dn, entry))).collect();
        let joined: HashSet<&Dn> = parts_of.values().flat_map(|parts| &parts.came).collect();
        let mut changes = Vec::new();
        for (whole, parts) in parts_of.iter().filter(|(dn, _)| !joined.contains(dn) && !twice.contains(dn)) {
            if parts.came.is_empty() {
                continue;
            }
            let came: Vec<Entry> = parts.came.iter().filter_map(|part| kept.remove(part)).collect();
            let Some(mut entry) = kept.remove(whole) else { continue };
            let names: HashSet<&Dn> = parts.came.iter().collect();
            entry.members = together(std::iter::once(&entry).chain(&came), &names);
            changes.push(self.left(&parts_of, whole, entry));
            changes.extend(came.into_iter().map(|part| Change::Outside(part.anchor)));
        }
        let left = kept.into_iter().chain(doubles);
        changes.extend(left.map(|(dn, entry)| self.left(&parts_of, &dn, entry)));
        changes
    }

    /// What is no part of a group that came: a group, as far as that can be told.
    fn left(&self, parts_of: &HashMap<Dn, Parts>, dn: &Dn, mut entry: Entry) -> Change {
        let whole = self.rule.whole_of(dn).filter(|whole| self.may_be_part(parts_of, dn, whole));
        if let Some(whole) = whole {
            let why = format!(
                "it may be a part of the group {whole}, which did not come with everything that it lists in a form that can be \
                 read, or came twice; correct that group"
            );
            return Change::Unreadable { anchor: Some(entry.anchor), what: entry.dn, why };
        }
        if let Some(part) = parts_of.get(dn).and_then(|parts| parts.lacks.as_ref()) {
            let why = format!("it lists {part}, a part of it, which did not come in a form that can be read");
            entry.members = match entry.members {
                Members::Complete(members) => Members::Partial(members, why),
                others => others,
            };
        }
        Change::Replace(Box::new(entry))
    }

    /// Whether it cannot be told that it is no part of the group of this name.
    fn may_be_part(&self, parts_of: &HashMap<Dn, Parts>, dn: &Dn, whole: &Dn) -> bool {
        let is_open = match parts_of.get(whole) {
            Some(parts) => parts.is_open,
            None => self.is_one_nameless || self.unclear.contains(whole),
        };
        is_open && !self.listed_elsewhere.contains(dn)
    }

    /// The parts of a group, those that its parts list among them.
    fn parts_of(&self, kept: &BTreeMap<Dn, Entry>, twice: &HashSet<Dn>, whole: &Dn, entry: &Entry) -> Parts {
        let (mut all, mut open) = (Parts::default(), vec![entry]);
        all.is_open = self.unclear.contains(whole);
        while let Some(entry) = open.pop() {
            for (part, of) in parts(&self.rule, &entry.members) {
                if of != *whole || part == whole {
                    continue;
                }
                let came = kept.get(part).filter(|_| !twice.contains(part));
                if came.is_none() {
                    all.lacks.get_or_insert_with(|| part.clone());
                }
                if let Some(came) = came.filter(|_| !self.listed_elsewhere.contains(part))
                    && all.came.insert(part.clone())
                {
                    all.is_open |= self.unclear.contains(part);
                    open.push(came);
                }
            }
        }
        all.is_open |= all.lacks.is_some();
        if twice.contains(whole) {
            // Which of them has them is not known.
            all.lacks = all.lacks.or_else(|| all.came.pop_first());
            all.came.clear();
        }
        all
    }
}

/// The parts that a list names, each with what the group is called that it is one of.
fn parts<'m>(rule: &'m PartNames, members: &'m Members) -> impl Iterator<Item = (&'m Dn, Dn)> {
    members.references().iter().filter_map(|reference| match reference {
        Reference::Dn(dn) => Some((dn, rule.whole_of(dn)?)),
        _ => None,
    })
}

/// The members of all of these but the parts themselves: complete if every list is.
fn together<'e>(entries: impl Iterator<Item = &'e Entry>, parts: &HashSet<&Dn>) -> Members {
    let (mut all, mut partial) = (BTreeSet::new(), None);
    for entry in entries {
        let is_part = |reference: &&Reference| matches!(reference, Reference::Dn(dn) if parts.contains(dn));
        all.extend(entry.members.references().iter().filter(|one| !is_part(one)).cloned());
        if let Members::Partial(_, why) = &entry.members {
            partial.get_or_insert_with(|| why.clone());
        }
    }
    let all = all.into_iter().collect();
    match partial {
        None => Members::Complete(all),
        Some(why) => Members::Partial(all, why),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::directory::{Anchor, EntryKind};

    #[rstest]
    #[case("{name} {number}", "CN=All Staff 12", Some("cn=all staff"))]
    #[case("{name} {number}", "CN=All Staff 1,O=Corp", Some("cn=all staff,o=corp"))]
    #[case("{name}-part{number}", "cn=Sales-Part3", Some("cn=sales"))]
    #[case("~{name}", "cn=~Sales", None)]
    #[case("{name}{number}", "cn=Sales7", Some("cn=sales"))]
    #[case("Z {name} ({number})", "cn=Z Sales (7)", Some("cn=sales"))]
    #[case("{name} {number}", "CN=All Staff", None)]
    #[case("{name} {number}", "CN=2024", None)]
    #[case("{name} {number}", "CN= 7", None)]
    #[case("{number} {name}", "cn=1 Sales", None)]
    #[case("{name}, {number}", "cn=Sales\\, 1", None)]
    fn a_rule_says_what_the_parts_are_called(
        #[case] rule: &str,
        #[case] dn: &str,
        #[case] whole: Option<&str>,
    ) {
        let dn = Dn::parse(dn).unwrap();
        let found = PartNames::parse(rule).and_then(|rule| rule.whole_of(&dn));
        assert_eq!(found, whole.map(|whole| Dn::parse(whole).unwrap()));
    }

    /// Of `name: members`, with `?` before the members if they are not all; of `name!`, one that cannot be read.
    fn group(text: &str) -> Change {
        if let Some(name) = text.strip_suffix('!') {
            let what = if name.is_empty() { "no name".to_owned() } else { format!("CN={name}") };
            let anchor = Some(Anchor::new(name.to_lowercase()));
            return Change::Unreadable { anchor, what, why: "it is damaged".to_owned() };
        }
        let (name, members) = text.split_once(": ").unwrap();
        let is_partial = members.starts_with('?');
        let members = members.trim_start_matches('?').split(", ");
        let members = members.map(|name| Reference::Dn(Dn::parse(&format!("cn={name}")).unwrap())).collect();
        Change::Replace(Box::new(Entry {
            anchor: Anchor::new(name.to_lowercase()),
            kind: EntryKind::Group,
            dn: format!("CN={name}"),
            members: if is_partial {
                Members::Partial(members, "hidden".to_owned())
            } else {
                Members::Complete(members)
            },
            ..Entry::nobody()
        }))
    }

    /// What comes of these, in order; `-name` of what is no group of its own, `!name` of what is not known to be one.
    fn joined(groups: &str) -> String {
        let mut joining = Joining::by(PartNames::parse("{name} {number}").unwrap());
        let given: Vec<Change> = groups.split("; ").filter_map(|text| joining.keep(group(text))).collect();
        let told = |change: Change| match change {
            Change::Replace(entry) => {
                let mut members: Vec<String> =
                    entry.members.references().iter().map(|one| one.key()[5..].to_owned()).collect();
                members.sort();
                let open = if matches!(entry.members, Members::Partial(..)) { "?" } else { "" };
                format!("{}: {open}{}", entry.anchor.as_str(), members.join(", "))
            }
            Change::Unreadable { anchor, .. } => format!("!{}", anchor.unwrap().as_str()),
            other => format!("-{}", other.anchor().unwrap().as_str()),
        };
        let mut all: Vec<String> = given.into_iter().chain(joining.joined()).map(told).collect();
        all.sort();
        all.join("; ")
    }

    #[rstest]
    #[case::two("A: a 1, a 2; A 1: x, y; A 2: y, z", "-a 1; -a 2; a: x, y, z")]
    #[case::parts_first("A 1: x; A: a 1, z", "-a 1; a: x, z")]
    #[case::part_of_a_part("A: a 1; A 1: x, a 2; A 2: y", "-a 1; -a 2; a: x, y")]
    #[case::not_listed("A: x; A 1: y", "a 1: y; a: x")]
    #[case::listed_elsewhere("A: a 1, a 2; B: a 1; A 1: x; A 2: y", "-a 2; a 1: x; a: a 1, y; b: a 1")]
    #[case::no_whole("B 1: x; C: b 1", "b 1: x; c: b 1")]
    #[case::not_come("A: a 1, a 2; A 1: x", "-a 1; a: ?a 2, x")]
    #[case::none_came("A: a 1, z", "a: ?a 1, z")]
    #[case::part_unreadable("A: a 1, a 2; A 1: x; A 2!", "!a 2; -a 1; a: ?a 2, x")]
    #[case::whole_unreadable("A!; A 1: x; B 1: y", "!a; !a 1; b 1: y")]
    #[case::whole_unreadable_and_listed_elsewhere("A!; A 1: x; B: a 1", "!a; a 1: x; b: a 1")]
    #[case::list_of_the_whole_hidden("A: ?z; A 1: x", "!a 1; a: ?z")]
    #[case::list_of_a_part_hidden("A: a 1; A 1: ?x; A 2: y", "!a 2; -a 1; a: ?x")]
    #[case::part_of_an_unreadable_part("A: a 1; A 1!; A 2: y", "!a 1; !a 2; a: ?a 1")]
    #[case::one_nameless("!; A: z; A 1: x; B: b 1; B 1: y", "!; !a 1; -b 1; a: z; b: y")]
    #[case::part_twice("A: a 1; A 1: x; A 1: y", "!a 1; !a 1; a: ?a 1")]
    #[case::whole_twice("A: a 1; A: a 1; A 1: x", "!a 1; a: ?a 1; a: ?a 1")]
    #[case::apart_and_twice("A 1: x; A 1: y", "a 1: x; a 1: y")]
    #[case::not_all("A: a 1; A 1: ?x", "-a 1; a: ?x")]
    #[case::in_itself("A: a 1; A 1: a 1, a, x", "-a 1; a: a, x")]
    fn parts_are_one_group_again(#[case] groups: &str, #[case] expected: &str) {
        assert_eq!(joined(groups), expected);
    }
}
