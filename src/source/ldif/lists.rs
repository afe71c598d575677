//! The attributes that list members, and what damage may have made of their names.

use super::near::is_one_edit;
use super::parse::Record;
use crate::directory::EntryKind;
use crate::source::schema::{self, Attributes, name};

/// Attributes that list members.
pub(super) const MEMBERS: &[&str] = &["member", "uniquemember", "memberuid"];

/// The attribute whose name is one edit away from that of a member list, or is none that a server gives: what it holds may be
/// members.
pub(super) fn misspelled(attributes: &Attributes) -> Option<&str> {
    let is_near = |other: &&str| {
        let other = name(other);
        !MEMBERS.contains(&other.as_ref())
            && (MEMBERS.iter().any(|list| is_one_edit(list.as_bytes(), other.as_bytes()))
                || is_no_name(&other))
    };
    attributes.names().find(is_near)
}

/// Only OIDs have dots (RFC 4512, 1.4), though exporters may write others.
fn is_no_name(name: &str) -> bool {
    name.contains('.') && !name.starts_with(|first: char| first.is_ascii_digit())
}

/// Who has lists of members. If groups have them and hardly any person has, a person's are lines of some group, which damage put
/// there.
#[derive(Clone, Debug, Default)]
pub(super) struct Owners {
    groups: usize,
    people: usize,
    /// The record of the first person with a list.
    first: Option<usize>,
}

impl Owners {
    /// Notes what a record has.
    pub(super) fn note(&mut self, record: &Record) {
        if !MEMBERS.iter().any(|list| record.attributes.has(list)) {
            return;
        }
        match schema::kind(&record.attributes) {
            Some(EntryKind::Group) => self.groups += 1,
            Some(_) => {
                self.people += 1;
                self.first.get_or_insert(record.line);
            }
            None => {}
        }
    }

    /// The line of a person's record in which members of some group stand.
    pub(super) fn strayed(&self) -> Option<usize> {
        self.first.filter(|_| self.people * self.people <= self.groups)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::parse::Reader;
    use super::*;

    #[rstest]
    #[case::replaced("mimber", true)]
    #[case::left_out("membe", true)]
    #[case::left_out_first("ember", true)]
    #[case::put_in("memeber", true)]
    #[case::put_in_last("memberr", true)]
    #[case::exchanged("memebr", true)]
    #[case::of_uids("memberuud", true)]
    #[case::of_unique_names("uniquemembr", true)]
    #[case::with_options("mimber;x-a", true)]
    #[case::itself("member", false)]
    #[case::another_list("memberuid", false)]
    #[case::back_link("memberof", false)]
    #[case::of_urls("memberurl", false)]
    #[case::two_edits("mimbr", false)]
    #[case::other("owner", false)]
    #[case::no_name("mem.yber", true)]
    #[case::oid("2.5.4.31", false)]
    fn a_name_that_is_one_edit_away_may_be_a_list(#[case] name: &str, #[case] expected: bool) {
        let mut attributes = Attributes::new();
        attributes.add(name, [b"x".to_vec()]);
        assert_eq!(misspelled(&attributes).is_some(), expected);
    }

    #[rstest]
    #[case::none(4, 0, false)]
    #[case::one(1, 1, true)]
    #[case::two_of_few(3, 2, false)]
    #[case::two_of_many(4, 2, true)]
    #[case::as_many_as_groups(9, 9, false)]
    #[case::no_group(0, 1, false)]
    fn few_people_with_lists_have_them_of_groups(
        #[case] groups: usize,
        #[case] people: usize,
        #[case] strayed: bool,
    ) {
        let group = "dn: cn=g,dc=x\nobjectClass: groupOfNames\nmember: cn=a,dc=x\n\n";
        let text = group.repeat(groups) + &group.replace("groupOfNames", "person").repeat(people);
        let mut reader = Reader::new(text.as_bytes());
        let mut owners = Owners::default();
        while let Some(record) = reader.next().unwrap() {
            owners.note(&record);
        }
        assert_eq!(owners.strayed(), strayed.then_some(groups * 4 + 1));
    }
}
