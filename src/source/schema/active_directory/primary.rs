//! Primary groups: every account states its own (`primaryGroupID`), and is not in the member list of that group. Pure.

use std::collections::{HashMap, HashSet};

use super::attribute::{anchor, domain, is_a, is_deleted, number, relative_id};
use crate::directory::{Anchor, Members, Reference};
use crate::source::schema::anchor::{hexadecimal, octets};
use crate::source::schema::attributes::Attributes;
use crate::source::schema::primary::PrimaryGroups;

/// What is wrong with an account of which it is not shown which group is its primary one.
pub(in crate::source) const HIDDEN: &str = "it shows no primaryGroupID, so its primary group is unknown; allow the \
                                            account that reads to see that attribute";
/// Stands in each list while an account's primary group is hidden: nobody has this name, so whoever could not be read may
/// be meant. The store keeps it, so it never changes.
const SOMEBODY: &str = "somebody of whom it is not shown which group is their primary one";

/// Whose primary group is which, by the group's relative id.
#[derive(Debug, Default)]
pub(in crate::source) struct Primaries {
    whose: HashMap<u32, Vec<Anchor>>,
    /// Those of somebody of whom it is not shown who it is.
    nameless: HashSet<u32>,
    /// Whether an account's primary group is not shown: it may be any group.
    hidden: bool,
    /// The groups of which it was asked whose primary one they are, where not everybody came.
    asked_of: Option<HashSet<u32>>,
    /// The domain's security id, which its users and groups have before their own numbers.
    domain: Option<Vec<u8>>,
}

impl Primaries {
    /// Adds those whose primary group it is to the members that a group states. Where somebody does not show theirs, it may be
    /// this one; where it is not known whose it is, the list is partial: who is not in it may be one of them.
    fn join_as(&self, group: Option<u32>, members: &mut Members) {
        let is_asked = |group: u32| self.asked_of.as_ref().is_none_or(|asked| asked.contains(&group));
        let see = "; allow the account that reads to see that attribute";
        let why = match group {
            None => Some(format!("it shows no objectSid, so it is unknown whose primary group it is{see}")),
            Some(group) if self.nameless.contains(&group) => {
                Some(format!("it is the primary group of an account that shows no objectGUID{see}"))
            }
            Some(group) if !is_asked(group) => {
                Some("it appeared after the primary groups were read; the next read resolves this".to_owned())
            }
            Some(_) => None,
        };
        if let Members::Complete(listed) | Members::Partial(listed, _) = members {
            let whose = group.and_then(|group| self.whose.get(&group)).into_iter().flatten();
            listed.extend(whose.cloned().map(Reference::Anchor));
            listed.extend(self.hidden.then(|| Reference::Anchor(Anchor::new(SOMEBODY))));
        }
        if let (Members::Complete(listed), Some(why)) = (&mut *members, why) {
            *members = Members::Partial(std::mem::take(listed), why);
        }
    }
}

impl PrimaryGroups for Primaries {
    const NUMBER: &str = "objectSid";
    const OF_ACCOUNT: &[&str] = &["objectGUID", "objectClass", "primaryGroupID"];
    const HIDDEN: Option<&str> = Some(HIDDEN);
    const ARE_LISTED: bool = false;

    fn number(group: &Attributes) -> Option<String> {
        relative_id(group).map(|number| number.to_string())
    }

    fn accounts_of(number: &str) -> String {
        format!("(primaryGroupID={number})")
    }

    /// Whoever does not show theirs is found by no group, and most likely in one that others are in, too. No index serves this.
    fn who_hides(found: bool, users: &str) -> Option<String> {
        // What is hidden does not exist for a filter either (MS-ADTS 3.1.1.4.3); contacts have none.
        let hidden = "(!(|(primaryGroupID=*)(objectClass=contact)))";
        found.then(|| format!("(&{hidden}{users})"))
    }

    fn is_hidden(attributes: &Attributes) -> bool {
        is_hidden(attributes)
    }

    fn asked(numbers: HashSet<String>) -> Self {
        let asked_of = Some(numbers.iter().filter_map(|number| number.parse().ok()).collect());
        Self { asked_of, ..Self::default() }
    }

    fn hide(&mut self) {
        self.hidden = true;
    }

    fn note(&mut self, _: &str, attributes: &Attributes) {
        if is_deleted(attributes) || is_a(attributes, "computer") {
            return;
        }
        if self.domain.is_none() && attributes.has("primarygroupid") {
            self.domain = domain(attributes);
        }
        match (number(attributes, "primarygroupid"), anchor(attributes)) {
            (Some(group), Some(anchor)) => self.whose.entry(group).or_default().push(anchor),
            (Some(group), None) => drop(self.nameless.insert(group)),
            (None, _) => self.hidden |= is_hidden(attributes),
        }
    }

    fn join(&self, group: &Attributes, members: &mut Members) {
        self.join_as(relative_id(group), members);
    }

    fn groups(self) -> Vec<(String, Vec<Reference>)> {
        let Self { whose, domain, .. } = self;
        let of = |(group, whose): (u32, Vec<Anchor>)| {
            let sid = hexadecimal(&[domain.as_deref()?, &group.to_le_bytes()].concat());
            let filter = format!("(objectSid={})", octets(&sid));
            Some((filter, whose.into_iter().map(Reference::Anchor).collect()))
        };
        whose.into_iter().filter_map(of).collect()
    }
}

/// Whether an account does not show its primary group. Contacts have none; who shows no class may be an account.
pub(in crate::source) fn is_hidden(attributes: &Attributes) -> bool {
    let is_nobody = is_deleted(attributes) || is_a(attributes, "computer");
    !is_nobody
        && number::<u32>(attributes, "primarygroupid").is_none()
        && (is_a(attributes, "user") || !attributes.has("objectclass"))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// Domain Users.
    const GROUP: u32 = 513;

    /// Of lines such as `primarygroupid: 513`; with an `objectGUID` unless one of them is empty.
    fn entry(lines: &[&str]) -> Attributes {
        let mut attributes = Attributes::new();
        for (name, value) in lines.iter().filter_map(|line| line.split_once(": ")) {
            attributes.add(name, [value.as_bytes().to_vec()]);
        }
        if !lines.contains(&"") {
            attributes.add("objectGUID", [b"0123456789abcdef".to_vec()]);
        }
        attributes
    }

    /// How many members the group and another one have, which state one each, and whether that is all of them.
    fn joined(primaries: &Primaries) -> [(usize, bool); 2] {
        [GROUP, GROUP + 1].map(|group| {
            let mut members = Members::Complete(vec![Reference::Anchor(Anchor::new("ann"))]);
            primaries.join_as(Some(group), &mut members);
            (members.references().len(), matches!(members, Members::Complete(_)))
        })
    }

    #[rstest]
    #[case::user(&["objectclass: user", "useraccountcontrol: 512", "primarygroupid: 513"], [(2, true), (1, true)])]
    #[case::unreadable(&["objectclass: user", "primarygroupid: 513"], [(2, true), (1, true)])]
    #[case::hidden(&["objectclass: user", "useraccountcontrol: 512"], [(2, true), (2, true)])]
    #[case::inet_org_person(&["objectclass: user", "objectclass: inetOrgPerson"], [(2, true), (2, true)])]
    #[case::no_number(&["objectclass: user", "primarygroupid: ?"], [(2, true), (2, true)])]
    #[case::no_class(&["useraccountcontrol: 512"], [(2, true), (2, true)])]
    #[case::no_id(&["objectclass: user", "primarygroupid: 513", ""], [(1, false), (1, true)])]
    #[case::contact(&["objectclass: person", "objectclass: contact"], [(1, true), (1, true)])]
    #[case::group(&["objectclass: group"], [(1, true), (1, true)])]
    #[case::computer(&["objectclass: user", "objectclass: computer"], [(1, true), (1, true)])]
    #[case::deleted(&["objectclass: user", "isdeleted: TRUE"], [(1, true), (1, true)])]
    fn nobody_is_left_out_of_a_list_that_counts_as_whole(
        #[case] lines: &[&str],
        #[case] expected: [(usize, bool); 2],
    ) {
        let mut primaries = Primaries::default();
        primaries.note("", &entry(lines));
        assert_eq!(joined(&primaries), expected);
    }

    #[test]
    fn a_group_of_which_nobody_was_asked_is_incomplete() {
        let mut primaries = Primaries::asked(HashSet::from([GROUP.to_string()]));
        primaries.note("", &entry(&["objectclass: user", "primarygroupid: 513"]));
        assert_eq!(joined(&primaries), [(2, true), (1, false)]);
    }

    #[test]
    fn a_group_without_a_number_may_be_the_primary_one_of_anybody() {
        let mut members = Members::Complete(Vec::new());
        Primaries::default().join_as(None, &mut members);
        assert!(matches!(members, Members::Partial(_, why) if why.contains("objectSid")));
        let mut members = Members::Partial(Vec::new(), "damaged".to_owned());
        Primaries::default().join_as(None, &mut members);
        assert!(matches!(members, Members::Partial(_, why) if why == "damaged"));
    }
}
