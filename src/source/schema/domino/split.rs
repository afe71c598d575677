//! Groups that were split because a group document holds 32 KB of names: `All Staff` lists `All Staff 1`, `All Staff 2` and so on, and
//! these list the people. With a rule for their names they are one group again. Pure.
//!
//! A part is joined only to the group that lists it, and if no other one does. Until all groups came, that is not known: groups whose
//! names follow the rule, and those that list them, are kept until then.

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
    /// Parts that are listed by a group of which they are none.
    listed_elsewhere: HashSet<Dn>,
}

impl Joining {
    pub(in crate::source) fn by(rule: PartNames) -> Self {
        Self { rule, kept: BTreeMap::new(), listed_elsewhere: HashSet::new() }
    }

    /// Takes a group that may be a part, or have parts. Everything else is given back.
    pub(in crate::source) fn keep(&mut self, change: Change) -> Option<Change> {
        let Change::Replace(entry) = change else { return Some(change) };
        let Ok(dn) = Dn::parse(&entry.dn) else { return Some(Change::Replace(entry)) };
        let (mut has_parts, whole) = (false, self.rule.whole_of(&dn));
        for (part, of) in parts(&self.rule, &entry.members) {
            if of == dn || Some(&of) == whole.as_ref() {
                has_parts = true;
            } else {
                self.listed_elsewhere.insert(part.clone());
            }
        }
        // Two of one name are not told apart: both stay as they are.
        if (whole.is_some() || has_parts) && !self.kept.contains_key(&dn) {
            self.kept.insert(dn, *entry);
            return None;
        }
        Some(Change::Replace(entry))
    }

    /// What was kept: groups with the members of their parts, and parts as no groups of their own.
    pub(in crate::source) fn joined(&mut self) -> Vec<Change> {
        let mut kept = std::mem::take(&mut self.kept);
        let mut parts_of: HashMap<Dn, Vec<Dn>> = HashMap::new();
        for (dn, entry) in kept.iter().filter(|(dn, _)| !self.is_part(&kept, dn)) {
            let all = self.all_parts(&kept, dn, entry);
            parts_of.extend((!all.is_empty()).then(|| (dn.clone(), all.into_iter().collect())));
        }
        let mut changes = Vec::new();
        for (whole, parts) in parts_of {
            let came: Vec<Entry> = parts.iter().filter_map(|part| kept.remove(part)).collect();
            let Some(mut entry) = kept.remove(&whole) else { continue };
            let names: HashSet<&Dn> = parts.iter().collect();
            entry.members = together(std::iter::once(&entry).chain(&came), &names);
            changes.push(Change::Replace(Box::new(entry)));
            changes.extend(came.into_iter().map(|part| Change::Outside(part.anchor)));
        }
        changes.extend(kept.into_values().map(|entry| Change::Replace(Box::new(entry))));
        changes
    }

    /// Whether it is a part of a group that was kept and lists it, and no other one lists it.
    fn is_part(&self, kept: &BTreeMap<Dn, Entry>, dn: &Dn) -> bool {
        let Some(whole) = self.rule.whole_of(dn) else { return false };
        let Some(entry) = kept.get(&whole) else { return false };
        self.all_parts(kept, &whole, entry).contains(dn)
    }

    /// The parts of a group that came, those that its parts list among them.
    fn all_parts(&self, kept: &BTreeMap<Dn, Entry>, whole: &Dn, entry: &Entry) -> BTreeSet<Dn> {
        let (mut all, mut open) = (BTreeSet::new(), vec![entry]);
        while let Some(entry) = open.pop() {
            for (part, of) in parts(&self.rule, &entry.members) {
                if of == *whole
                    && part != whole
                    && !self.listed_elsewhere.contains(part)
                    && let Some(came) = kept.get(part)
                    && all.insert(part.clone())
                {
                    open.push(came);
                }
            }
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

    /// Of `name: members`, with `?` before the members if they are not all.
    fn group(text: &str) -> Change {
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

    /// What comes of these, in order; `-name` of what is no group of its own.
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
    #[case::not_come("A: a 1, a 2; A 1: x", "-a 1; a: a 2, x")]
    #[case::not_all("A: a 1; A 1: ?x", "-a 1; a: ?x")]
    #[case::in_itself("A: a 1; A 1: a 1, a, x", "-a 1; a: a, x")]
    fn parts_are_one_group_again(#[case] groups: &str, #[case] expected: &str) {
        assert_eq!(joined(groups), expected);
    }
}
