//! What a server demands of every entry, so that nearly every record of its exports has it: a record without it has lost lines, and
//! other records may have been lost with them. Pure.

use super::parse::{End, Record};
use crate::directory::Dn;
use crate::source::schema::{Attributes, active_directory};

/// Attributes whose values are compared as those of DNs are: an entry has the values that its DN starts with.
pub(super) const NAMING: &[&str] = &["uid", "cn", "mail", "ou"];

/// Whether a record of this DN has what is demanded; `None` if that is not demanded of it.
type Check = fn(&Record, Option<&Dn>) -> Option<bool>;

/// Each with what is wrong with a record that fails it.
const CHECKS: [(Check, &str); 7] = [
    (named, "it lacks the attribute that its DN begins with"),
    (|of, _| structural(of), "its structuralObjectClass is none of its object classes"),
    (|of, _| Some(of.tight == 0), "a value begins right after the colon"),
    (|of, _| account(of, "uid"), "it is a posixAccount without a uid"),
    (|of, _| account(of, "uidnumber"), "it is a posixAccount without a uidNumber"),
    (|of, _| account(of, "gidnumber"), "it is a posixAccount without a gidNumber"),
    (|of, _| account(of, "homedirectory"), "it is a posixAccount without a homeDirectory"),
];

/// How many records each check applies to so far, and how many pass it.
#[derive(Clone, Debug, Default)]
pub(super) struct Required([(usize, usize); CHECKS.len()]);

impl Required {
    pub(super) fn note(&mut self, record: &Record, dn: Option<&Dn>) {
        for ((check, _), (all, passed)) in CHECKS.iter().zip(&mut self.0) {
            if let Some(has_it) = check(record, dn) {
                *all += 1;
                *passed += usize::from(has_it);
            }
        }
    }

    /// Whether a record fails what nearly all pass.
    pub(super) fn any_missing(&self) -> bool {
        self.0.iter().any(|counted| is_usual(*counted) && counted.0 != counted.1)
    }

    /// What is wrong with a record that fails what nearly all pass.
    pub(super) fn missing(&self, record: &Record, dn: Option<&Dn>) -> Option<&'static str> {
        if matches!(record.end, End::Open(_)) {
            return None;
        }
        let mut checks = CHECKS.iter().zip(self.0).filter(|(_, counted)| is_usual(*counted));
        checks.find(|((check, _), _)| check(record, dn) == Some(false)).map(|((_, wrong), _)| *wrong)
    }
}

/// Whether nearly all pass.
fn is_usual((all, passed): (usize, usize)) -> bool {
    passed * 4 > all * 3
}

fn named(record: &Record, dn: Option<&Dn>) -> Option<bool> {
    let types = dn?.first_types();
    let mut known = types.iter().filter(|name| NAMING.contains(name)).peekable();
    known.peek()?;
    Some(known.all(|name| record.attributes.has(name)))
}

fn structural(record: &Record) -> Option<bool> {
    let class = record.attributes.values("structuralobjectclass").next()?;
    let mut classes = record.attributes.values("objectclass");
    Some(classes.any(|one| one.trim_ascii().eq_ignore_ascii_case(class.trim_ascii())))
}

fn account(record: &Record, name: &str) -> Option<bool> {
    let attributes: &Attributes = &record.attributes;
    // Of Active Directory no account has to show these.
    let is_one = active_directory::is_a(attributes, "posixAccount") && !active_directory::is_of(attributes);
    is_one.then(|| attributes.has(name))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::parse::Reader;
    use super::*;

    const ANN: &str = "dn: uid=ann,dc=x\nobjectClass: person\nobjectClass: posixAccount\nuid: ann\nuidNumber: 1\n\
         gidNumber: 1\nhomeDirectory: /h\nstructuralObjectClass: person\n\n";

    fn records(text: &str) -> Vec<Record> {
        let mut reader = Reader::new(text.as_bytes());
        std::iter::from_fn(|| reader.next().unwrap()).collect()
    }

    fn dn(of: &Record) -> Option<Dn> {
        Dn::parse(of.dns.first()?).ok()
    }

    /// Of one of five, of two of five, and of one that the file may have been cut in.
    #[rstest]
    #[case::name("uid: ann\n", "", "DN begins")]
    #[case::class("objectClass: person\n", "objectClass: top\n", "structuralObjectClass")]
    #[case::number("uidNumber: 1\n", "", "uidNumber")]
    #[case::group("gidNumber: 1\n", "", "gidNumber")]
    #[case::home("homeDirectory: /h\n", "", "homeDirectory")]
    #[case::line_within("homeDirectory: /h\n", "homeDirectory: /h\nl:x: 7\n", "colon")]
    fn what_one_record_alone_lacks_was_lost(#[case] from: &str, #[case] to: &str, #[case] why: &str) {
        let other = ANN.replace(from, to);
        let text = |others: usize| ANN.repeat(5 - others) + &other.repeat(others);
        for (others, said) in [(1, true), (2, false)] {
            let mut required = Required::default();
            let records = records(&text(others));
            for record in &records {
                required.note(record, dn(record).as_ref());
            }
            let last = required.missing(&records[4], dn(&records[4]).as_ref());
            assert_eq!(last.is_some_and(|last| last.contains(why)), said, "{last:?}");
            assert_eq!(
                (required.any_missing(), required.missing(&records[0], dn(&records[0]).as_ref())),
                (said, None)
            );
        }
        let mut required = Required::default();
        let cut = records(text(1).trim_end());
        for record in &cut {
            required.note(record, dn(record).as_ref());
        }
        assert_eq!(required.missing(&cut[4], dn(&cut[4]).as_ref()), None);
    }
}
