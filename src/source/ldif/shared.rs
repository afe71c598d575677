//! Names that several entries of a file have: where that is a conflict, the lines are named. Pure.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::record::Record;
use crate::directory::{Entry, EntryKind, Stated, fields};
use crate::source::schema;

/// So many names are noted, in 32 MB. Of a larger file no conflict names a line.
const MOST: usize = 4_000_000;
/// What may name a user or a contact at a target, and what a group.
const OF_PEOPLE: &[&str] = &["mail", "uid", "userprincipalname", "samaccountname"];
const OF_GROUPS: &[&str] = &["cn", "samaccountname"];

/// By hashes, as two names with one hash do no harm.
#[derive(Clone, Debug, Default)]
pub(super) struct Shared {
    noted: Vec<u64>,
    several: HashSet<u64>,
}

impl Shared {
    /// Notes what a record is called.
    pub(super) fn note(&mut self, record: &Record) {
        let attributes = &record.attributes;
        let Some(kind) = schema::kind(attributes) else { return };
        let names = if kind == EntryKind::Group { OF_GROUPS } else { OF_PEOPLE };
        let values = names.iter().flat_map(|name| attributes.values(name));
        let values = values.filter_map(|value| std::str::from_utf8(value).ok());
        // One entry may have one name in several attributes.
        let hashes: HashSet<u64> = values.map(|value| hash(kind, value)).collect();
        self.noted.extend(hashes.into_iter().take(MOST.saturating_sub(self.noted.len())));
    }

    /// All names were noted.
    pub(super) fn compare(mut self) -> Self {
        if self.noted.len() < MOST {
            self.noted.sort_unstable();
            self.several = self.noted.windows(2).filter(|two| two[0] == two[1]).map(|two| two[0]).collect();
        }
        Self { noted: Vec::new(), several: self.several }
    }

    /// Whether another entry has a name of this one.
    pub(super) fn has(&self, entry: &Entry) -> bool {
        let of = [fields::MAIL, fields::USER_NAME, fields::NAME].into_iter();
        let values = of.filter_map(|field| match entry.fields.get(field) {
            Some(Stated::Values(values)) => Some(values),
            Some(Stated::Undecodable) | None => None,
        });
        !self.several.is_empty()
            && values.flatten().any(|value| self.several.contains(&hash(entry.kind, value)))
    }
}

fn hash(kind: EntryKind, name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (kind == EntryKind::Group, crate::directory::folded(name)).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::parse::Reader;
    use super::*;

    #[rstest]
    #[case::alone("mail: ann@x\nuid: ann\n", "objectClass: person\nmail: bob@x\n", false)]
    #[case::one_name_twice("mail: ann\nuid: ann\n", "objectClass: person\nmail: bob@x\n", false)]
    #[case::both("mail: ann@x\n", "objectClass: person\nmail:  ANN@x\n", true)]
    #[case::another_attribute("uid: ann@x\n", "objectClass: account\nmail: ann@x\n", true)]
    #[case::a_group("uid: ann\n", "objectClass: groupOfNames\ncn: ann\n", false)]
    fn a_name_of_several_is_known(#[case] one: &str, #[case] other: &str, #[case] shared: bool) {
        let text = format!("dn: cn=a\nobjectClass: person\n{one}\ndn: cn=b\n{other}\n");
        let mut reader = Reader::new(text.as_bytes());
        let mut names = Shared::default();
        while let Some(record) = reader.next().unwrap() {
            names.note(&record);
        }
        let names = names.compare();
        let value = Stated::Values(vec!["ann@x".to_owned()]);
        let entry =
            Entry { fields: [(fields::MAIL.to_owned(), value)].into_iter().collect(), ..Entry::nobody() };
        assert_eq!(names.has(&entry), shared);
    }
}
