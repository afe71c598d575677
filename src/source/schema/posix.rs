//! Primary groups of POSIX accounts (RFC 2307): each account states the number of its own, and need not be in the
//! member list of that group. Pure.

use std::collections::{HashMap, HashSet};

use super::active_directory;
use super::attributes::{Attributes, is_said};
use super::class::{is_deleted, is_nobody};
use super::primary::PrimaryGroups;
use crate::directory::{Dn, Members, Reference};

/// What is wrong with a list while somebody does not show their primary group. A file says where.
pub(in crate::source) const HIDDEN: &str = "an account shows no gidNumber that is a number, or could not be understood, so it is \
                                            unknown whether this is its primary group; allow the account that reads or exports to \
                                            see that attribute";

/// What is wrong with a list of a group that must have a number (RFC 2307) and shows none.
const NO_NUMBER: &str = "the group shows no gidNumber, so it is unknown whose primary group it is; allow the account \
                         that reads or exports to see that attribute";
/// What is wrong with a list of a group that had another number when it was asked whose primary group it is.
const NOT_ASKED: &str = "the number of the group changed while it was read";

/// Whose primary group is which, by the group's number.
#[derive(Clone, Debug, Default)]
pub(in crate::source) struct Primaries {
    whose: HashMap<String, Vec<Dn>>,
    /// Whether somebody does not show theirs: it may be any.
    hidden: bool,
    /// The numbers of which that was asked, where not everybody came.
    asked: Option<HashSet<String>>,
}

impl PrimaryGroups for Primaries {
    const NUMBER: &str = "gidNumber";
    const OF_ACCOUNT: &[&str] = &[
        "objectClass",
        "gidNumber",
        "uid",
        "isDeleted",
        "objectGUID",
        "objectSid",
        "sAMAccountName",
        "userAccountControl",
    ];
    const HIDDEN: Option<&str> = None;
    const ARE_LISTED: bool = true;

    fn number(group: &Attributes) -> Option<String> {
        number(group)
    }

    fn accounts_of(number: &str) -> String {
        format!("(gidNumber={number})")
    }

    fn who_hides(_: bool, users: &str) -> Option<String> {
        Some(users.to_owned())
    }

    fn is_hidden(attributes: &Attributes) -> bool {
        is_hidden(attributes)
    }

    fn asked(numbers: HashSet<String>) -> Self {
        Self { asked: Some(numbers), ..Self::default() }
    }

    fn hide(&mut self) {
        self.hidden = true;
    }

    fn note(&mut self, dn: &str, attributes: &Attributes) {
        if !is_account(attributes) {
            return;
        }
        match (number(attributes), Dn::parse(dn)) {
            (Some(group), Ok(dn)) => self.whose.entry(group).or_default().push(dn),
            _ => self.hidden = true,
        }
    }

    fn join(&self, attributes: &Attributes, members: &mut Members) {
        let (Members::Complete(listed) | Members::Partial(listed, _)) = &mut *members else { return };
        let group = number(attributes);
        let whose = group.as_ref().and_then(|group| self.whose.get(group));
        listed.extend(whose.into_iter().flatten().cloned().map(Reference::Dn));
        let is_asked = |group: &String| self.asked.as_ref().is_none_or(|asked| asked.contains(group));
        let why = match &group {
            // Where nobody has a primary group, it is nobody's.
            None if self.asked.is_none() && self.whose.is_empty() && !self.hidden => return,
            None if active_directory::is_a(attributes, "posixGroup") => NO_NUMBER,
            Some(_) if self.hidden => HIDDEN,
            Some(group) if !is_asked(group) => NOT_ASKED,
            _ => return,
        };
        if let Members::Complete(listed) = &mut *members {
            *members = Members::Partial(std::mem::take(listed), why.to_owned());
        }
    }

    fn groups(self) -> Vec<(String, Vec<Reference>)> {
        let of = |(number, whose): (String, Vec<Dn>)| {
            (Self::accounts_of(&number), whose.into_iter().map(Reference::Dn).collect())
        };
        self.whose.into_iter().map(of).collect()
    }
}

/// Whether it has a primary group of this kind. Accounts of Active Directory have some of another kind.
fn is_account(attributes: &Attributes) -> bool {
    active_directory::is_a(attributes, "posixAccount")
        && !is_deleted(attributes)
        && !is_nobody(attributes)
        && !active_directory::is_of(attributes)
}

/// Whether it has a primary group and does not show which, or does not show what it is.
pub(in crate::source) fn is_hidden(attributes: &Attributes) -> bool {
    !attributes.has("objectclass") || (is_account(attributes) && number(attributes).is_none())
}

/// The number of a group, or of an account's primary group.
pub(in crate::source) fn number(attributes: &Attributes) -> Option<String> {
    let value = attributes.values("gidnumber").find(|value| is_said(value))?;
    let digits = std::str::from_utf8(value).ok()?.trim();
    digits.parse::<i64>().ok().map(|number| number.to_string())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// Of lines such as `gidNumber: 100`.
    fn of(lines: &[&str]) -> Attributes {
        let mut attributes = Attributes::new();
        for (name, value) in lines.iter().map(|line| line.split_once(": ").unwrap()) {
            attributes.add(name, [value.as_bytes().to_vec()]);
        }
        attributes
    }

    #[rstest]
    #[case::primary(&["objectClass: posixAccount", "gidNumber: 100"], 2, true)]
    #[case::spelt_otherwise(&["objectClass: PosixAccount", "gidNumber:  0100 "], 2, true)]
    #[case::another(&["objectClass: posixAccount", "gidNumber: 101"], 1, true)]
    #[case::hidden(&["objectClass: posixAccount", "uid: ann"], 1, false)]
    #[case::no_number(&["objectClass: posixAccount", "gidNumber: staff"], 1, false)]
    #[case::no_account(&["objectClass: inetOrgPerson"], 1, true)]
    #[case::machine(&["objectClass: posixAccount", "uid: pc1$", "gidNumber: 100"], 1, true)]
    #[case::deleted(&["objectClass: posixAccount", "objectClass: nsTombstone", "gidNumber: 100"], 1, true)]
    fn a_primary_group_has_those_whose_it_is(
        #[case] account: &[&str],
        #[case] expected: usize,
        #[case] complete: bool,
    ) {
        let mut primaries = Primaries::default();
        primaries.note("uid=ann,dc=x", &of(account));
        let mut members = Members::Complete(vec![Reference::uid("bob")]);
        primaries.join(&of(&["objectClass: posixGroup", "gidNumber: 100"]), &mut members);
        assert_eq!(members.references().len(), expected);
        assert_eq!(matches!(members, Members::Complete(_)), complete);
        let mut others = Members::Complete(Vec::new());
        primaries.join(&of(&["objectClass: groupOfNames"]), &mut others);
        assert_eq!(others, Members::Complete(Vec::new()));
    }

    #[rstest]
    #[case::no_number(&["objectClass: posixGroup"], false)]
    #[case::a_word(&["objectClass: posixGroup", "gidNumber: staff"], false)]
    #[case::another_kind(&["objectClass: groupOfNames"], true)]
    #[case::another_number(&["objectClass: posixGroup", "gidNumber: 101"], true)]
    fn a_group_that_shows_no_number_may_be_the_primary_one_of_anybody(
        #[case] group: &[&str],
        #[case] complete: bool,
    ) {
        let mut somebody = Primaries::default();
        somebody.note("uid=ann,dc=x", &of(&["objectClass: posixAccount", "gidNumber: 100"]));
        let mut asked = Primaries::asked(HashSet::from(["101".to_owned()]));
        let is_complete = |primaries: &Primaries| {
            let mut members = Members::Complete(Vec::new());
            primaries.join(&of(group), &mut members);
            matches!(members, Members::Complete(_))
        };
        assert_eq!(is_complete(&somebody), complete);
        assert_eq!(is_complete(&asked), complete);
        assert!(is_complete(&Primaries::default()) || group.len() > 1, "nobody has a primary group");
        asked.hide();
        assert_eq!(is_complete(&asked), !active_directory::is_a(&of(group), "posixGroup"));
    }

    #[test]
    fn a_group_of_whose_number_nobody_was_asked_is_incomplete() {
        let mut members = Members::Complete(Vec::new());
        let group = of(&["objectClass: posixGroup", "gidNumber: 100"]);
        Primaries::asked(HashSet::from(["101".to_owned()])).join(&group, &mut members);
        assert!(matches!(members, Members::Partial(_, why) if why.contains("changed")));
    }

    #[rstest]
    #[case(&["objectClass: posixAccount", "gidNumber: 100"], false)]
    #[case(&["objectClass: posixAccount"], true)]
    #[case(&["gidNumber: 100"], true)]
    #[case(&["objectClass: person"], false)]
    #[case(&["objectClass: posixAccount", "uid: pc$"], false)]
    fn whoever_may_have_a_primary_group_that_is_not_shown_hides_it(
        #[case] of_it: &[&str],
        #[case] hidden: bool,
    ) {
        assert_eq!(is_hidden(&of(of_it)), hidden);
    }
}
