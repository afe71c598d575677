//! Who has lists of members, and whether damage put lines of a group elsewhere. Pure.

use std::collections::BTreeMap;

use super::lists::{MEMBERS, is_near};
use super::record::Record;
use crate::directory::EntryKind;
use crate::source::schema::{self, Attributes, name};

/// Of so many names that are like that of a list it is counted how often they occur.
const COUNTED: usize = 100;

/// Who has lists of members. If groups have them and hardly any person or record without a class has, those are lines of some
/// group, which damage put there.
#[derive(Clone, Debug, Default)]
pub(super) struct Owners {
    groups: usize,
    others: usize,
    /// The first of their records.
    first: Option<usize>,
    /// How many groups have an attribute whose name is like that of a list.
    near: BTreeMap<String, usize>,
    /// How many groups have a list with a blank value among others.
    blank: usize,
}

impl Owners {
    /// Notes what a record has.
    pub(super) fn note(&mut self, record: &Record) {
        let attributes = &record.attributes;
        let has_list = MEMBERS.iter().any(|list| attributes.has(list));
        match schema::kind(attributes) {
            Some(EntryKind::Group) => {
                self.groups += usize::from(has_list);
                self.blank += usize::from(blank_among(attributes).is_some());
                self.note_near(attributes);
            }
            kind if has_list && (kind.is_some() || !attributes.has("objectclass")) => {
                self.others += 1;
                self.first.get_or_insert(record.line);
            }
            _ => {}
        }
    }

    fn note_near(&mut self, attributes: &Attributes) {
        for near in attributes.names().map(name).filter(|other| is_near(other)) {
            if self.near.len() < COUNTED || self.near.contains_key(&*near) {
                *self.near.entry(near.into_owned()).or_default() += 1;
            }
        }
    }

    /// An attribute of a group that hardly any other has, and whose name damage may have made of that of a list.
    pub(super) fn damaged<'a>(&self, attributes: &'a Attributes) -> Option<&'a str> {
        let is_damaged = |other: &&str| {
            let other = name(other);
            is_near(&other) && self.is_rare(self.near.get(&*other).copied().unwrap_or_default())
        };
        attributes.names().find(is_damaged)
    }

    /// The list that has a blank value among others, as hardly any other has: damage may have put it on another line. Where a list
    /// must not be empty, a value that is blank and alone stands for nobody.
    pub(super) fn blank(&self, attributes: &Attributes) -> Option<&'static str> {
        blank_among(attributes).filter(|_| self.is_rare(self.blank))
    }

    fn is_rare(&self, count: usize) -> bool {
        count * count <= self.groups.max(1)
    }

    /// The line of the record of no group in which members of some group stand.
    pub(super) fn strayed(&self) -> Option<usize> {
        self.first.filter(|_| self.others * self.others <= self.groups)
    }
}

/// The first list that has a blank value among others.
fn blank_among(attributes: &Attributes) -> Option<&'static str> {
    let is_blank = |value: &[u8]| value.trim_ascii().is_empty();
    let is_mixed = |list: &&&str| attributes.all(list).any(is_blank) && !attributes.all(list).all(is_blank);
    MEMBERS.iter().find(is_mixed).copied()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::parse::Reader;
    use super::*;

    /// What is known after these records, and the last of them.
    fn noted(text: &str) -> (Owners, Record) {
        let mut reader = Reader::new(text.as_bytes());
        let (mut owners, mut last) = (Owners::default(), None);
        while let Some(record) = reader.next().unwrap() {
            owners.note(&record);
            last = Some(record);
        }
        (owners, last.unwrap())
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
        let (owners, _) =
            noted(&(group.repeat(groups) + &group.replace("groupOfNames", "person").repeat(people)));
        assert_eq!(owners.strayed(), strayed.then_some(groups * 4 + 1));
    }

    /// Of a class that is not known it may be a list of its own.
    #[rstest]
    #[case::no_entry("member: cn=b,dc=x\n\n", true)]
    #[case::no_class("dn: cn=b,dc=x\nmember: cn=b,dc=x\n\n", true)]
    #[case::of_another_class("dn: cn=b,dc=x\nobjectClass: team\nmember: cn=b,dc=x\n\n", false)]
    fn a_list_without_a_class_is_that_of_a_group(#[case] other: &str, #[case] strayed: bool) {
        let group = "dn: cn=g,dc=x\nobjectClass: groupOfNames\nmember: cn=a,dc=x\n\n";
        let (owners, _) = noted(&(group.to_owned() + other));
        assert_eq!(owners.strayed(), strayed.then_some(5));
    }

    #[rstest]
    #[case::one_of_many(3, 1, true)]
    #[case::one(1, 1, true)]
    #[case::two_of_few(3, 2, false)]
    #[case::as_many(4, 4, false)]
    fn an_attribute_that_hardly_any_group_has_may_be_a_list(
        #[case] groups: usize,
        #[case] others: usize,
        #[case] damaged: bool,
    ) {
        let group = "dn: cn=g,dc=x\nobjectClass: groupOfNames\nmember: cn=a,dc=x\n\n";
        let other = group.replace("\n\n", "\nmemberer00: cn=b,dc=x\n\n");
        let (owners, last) = noted(&(group.repeat(groups - others) + &other.repeat(others)));
        assert_eq!(owners.damaged(&last.attributes), damaged.then_some("memberer00"));
    }

    #[rstest]
    #[case::one_of_many(3, "member: cn=a,dc=x\nmember:", 1, true)]
    #[case::alone(3, "member:", 1, false)]
    #[case::usual(4, "member: cn=a,dc=x\nmember:", 4, false)]
    fn a_blank_member_that_hardly_any_list_has_may_be_somebody(
        #[case] groups: usize,
        #[case] members: &str,
        #[case] others: usize,
        #[case] blank: bool,
    ) {
        let group = "dn: cn=g,dc=x\nobjectClass: groupOfNames\nmember: cn=a,dc=x\n\n";
        let other = group.replace("member: cn=a,dc=x", members);
        let (owners, last) = noted(&(group.repeat(groups - others) + &other.repeat(others)));
        assert_eq!(owners.blank(&last.attributes), blank.then_some("member"));
    }
}
