//! Primary groups of POSIX accounts (RFC 2307): each account states the number of its own, and need not be among those whom
//! the group lists. Pure.

use std::collections::HashMap;

use super::{Attributes, active_directory, is_deleted, is_nobody, is_said};
use crate::directory::{Dn, Members, Reference};

/// What is wrong with a list while somebody does not show their primary group.
const HIDDEN: &str = "an account shows no gidNumber, so it cannot be told whether this is its primary group; let the account that \
     reads see that attribute, or export it";

/// Whose primary group is which, by the group's number.
#[derive(Clone, Debug, Default)]
pub(in crate::source) struct Primaries {
    whose: HashMap<String, Vec<Dn>>,
    /// Whether somebody does not show theirs: it may be any.
    hidden: bool,
}

impl Primaries {
    /// Notes what an account states. Those of Active Directory have primary groups of another kind.
    pub(in crate::source) fn note(&mut self, dn: &str, attributes: &Attributes) {
        let is_account = active_directory::is_a(attributes, "posixAccount");
        if !is_account
            || is_deleted(attributes)
            || is_nobody(attributes)
            || active_directory::is_of(attributes)
        {
            return;
        }
        match (number(attributes), Dn::parse(dn)) {
            (Some(group), Ok(dn)) => self.whose.entry(group).or_default().push(dn),
            _ => self.hidden = true,
        }
    }

    /// Notes that somebody's is not known.
    pub(in crate::source) fn hide(&mut self) {
        self.hidden = true;
    }

    /// Adds those whose primary group it is to the members that a group states.
    pub(in crate::source) fn join(&self, attributes: &Attributes, members: &mut Members) {
        let Some(group) = number(attributes) else { return };
        let (Members::Complete(listed) | Members::Partial(listed, _)) = members else { return };
        let whose = self.whose.get(&group).into_iter().flatten();
        listed.extend(whose.cloned().map(Reference::Dn));
        if let (Members::Complete(listed), true) = (&mut *members, self.hidden) {
            *members = Members::Partial(std::mem::take(listed), HIDDEN.to_owned());
        }
    }

    /// The numbers of groups that are somebody's primary one.
    pub(in crate::source) fn numbers(&self) -> impl Iterator<Item = (&str, &[Dn])> {
        self.whose.iter().map(|(number, whose)| (number.as_str(), whose.as_slice()))
    }
}

/// The number of a group, or of somebody's primary one.
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
}
