//! Who has lists of members, and whether damage put lines of a group elsewhere. Pure.

use super::lists::MEMBERS;
use super::record::Record;
use crate::directory::EntryKind;
use crate::source::schema;

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
