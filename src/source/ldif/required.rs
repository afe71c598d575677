//! What a server demands of every entry, so that nearly every record of its exports has it: a record without it has lost lines, and
//! other records may have been lost with them. Pure.

use super::record::{End, Record};
use crate::directory::Dn;
use crate::source::schema::{Attributes, active_directory};

/// Attributes whose values are compared as those of DNs are: an entry has the values that its DN starts with.
pub(super) const NAMING: &[&str] = &["uid", "cn", "mail", "ou"];

/// How much of a record of this DN a check applies to, and how much of that passes it.
type Check = fn(&Record, Option<&Dn>) -> Share;

/// How many there are, and how many of those pass.
#[derive(Clone, Copy, Debug, Default)]
struct Share {
    all: usize,
    passed: usize,
}

impl Share {
    fn is_whole(self) -> bool {
        self.passed == self.all
    }
}

impl From<Option<bool>> for Share {
    fn from(passes: Option<bool>) -> Self {
        Self { all: passes.iter().count(), passed: passes.iter().filter(|passes| **passes).count() }
    }
}

/// Who must have passed a check for it to be demanded of all.
#[derive(Clone, Copy)]
enum DemandedBy {
    /// Three of four: servers need not insist on it.
    Most,
    /// One: the server gives it to all whom the check applies to, and the export was asked for it.
    One,
}

/// Each with what is wrong with a record that fails it.
const CHECKS: [(Check, DemandedBy, &str); 9] = [
    (|of, dn| named(of, dn).into(), DemandedBy::Most, "it lacks the attribute that its DN begins with"),
    (
        |of, _| structural(of).into(),
        DemandedBy::Most,
        "its structuralObjectClass is none of its object classes",
    ),
    (
        |of, _| Share { all: of.tight + of.spaced, passed: of.spaced },
        DemandedBy::Most,
        "a value begins right after the colon",
    ),
    (|of, _| account(of, "uid").into(), DemandedBy::Most, "it is a posixAccount without a uid"),
    (|of, _| account(of, "uidnumber").into(), DemandedBy::Most, "it is a posixAccount without a uidNumber"),
    (|of, _| account(of, "gidnumber").into(), DemandedBy::Most, "it is a posixAccount without a gidNumber"),
    (
        |of, _| account(of, "homedirectory").into(),
        DemandedBy::Most,
        "it is a posixAccount without a homeDirectory",
    ),
    (
        |of, _| principal(of).into(),
        DemandedBy::One,
        "it is a user or group of Active Directory without a sAMAccountName",
    ),
    (
        |of, _| principal_person(of).into(),
        DemandedBy::Most,
        "it is a person without the class user or contact",
    ),
];

/// What each check came to so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Required([Share; CHECKS.len()]);

impl Required {
    pub(super) fn note(&mut self, record: &Record, dn: Option<&Dn>) {
        for ((check, ..), counted) in CHECKS.iter().zip(&mut self.0) {
            let Share { all, passed } = check(record, dn);
            counted.all += all;
            counted.passed += passed;
        }
    }

    /// Whether a record fails what nearly all pass.
    pub(super) fn any_missing(&self) -> bool {
        self.demanded().any(|(_, counted)| !counted.is_whole())
    }

    /// What is wrong with a record that fails what nearly all pass.
    pub(super) fn missing(&self, record: &Record, dn: Option<&Dn>) -> Option<&'static str> {
        if matches!(record.end, End::Open(_)) {
            return None;
        }
        let failed = self.demanded().find(|((check, ..), _)| !check(record, dn).is_whole());
        failed.map(|((.., wrong), _)| *wrong)
    }

    /// The checks that enough passed, with what they came to.
    fn demanded(&self) -> impl Iterator<Item = (&'static (Check, DemandedBy, &'static str), Share)> {
        CHECKS.iter().zip(self.0).filter(|((_, by, _), Share { all, passed })| match by {
            DemandedBy::Most => passed * 4 >= all * 3 && *passed > 0,
            DemandedBy::One => *passed > 0,
        })
    }
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

/// Source: the schema of Active Directory, whose class `securityPrincipal` (users, computers and groups have it) must have one.
fn principal(record: &Record) -> Option<bool> {
    let attributes: &Attributes = &record.attributes;
    let is_one = ["user", "group"].iter().any(|class| active_directory::is_a(attributes, class));
    (is_one && active_directory::is_of(attributes)).then(|| attributes.has("samaccountname"))
}

/// In a domain hardly any person is not a user or a contact. Other servers have neither class.
fn principal_person(record: &Record) -> Option<bool> {
    let is_a = |class: &str| active_directory::is_a(&record.attributes, class);
    is_a("person").then(|| ["user", "contact"].into_iter().any(is_a))
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

    /// A domain gives one to each; an export that was not asked for it shows none.
    #[rstest]
    #[case::lost_by_one_of_two("user", 1, true)]
    #[case::of_groups_too("group", 1, true)]
    #[case::not_asked_for("user", 0, false)]
    #[case::no_account("contact", 1, false)]
    fn the_login_name_that_a_domain_gives_was_lost(
        #[case] class: &str,
        #[case] others: usize,
        #[case] said: bool,
    ) {
        let ann =
            "dn: CN=Ann,DC=x\nobjectClass: user\nuserAccountControl: 512\nsAMAccountName: ann\ncn: Ann\n\n";
        let bob = format!("dn: CN=Bob,DC=x\nobjectClass: {class}\nuserAccountControl: 512\ncn: Bob\n\n");
        let records = records(&(ann.repeat(others) + &bob));
        let mut required = Required::default();
        for record in &records {
            required.note(record, dn(record).as_ref());
        }
        let last = required.missing(&records[others], dn(&records[others]).as_ref());
        assert_eq!(last.is_some_and(|last| last.contains("sAMAccountName")), said, "{last:?}");
    }

    /// Of a domain; other directories know neither class.
    #[rstest]
    #[case::lost("user", "person", true)]
    #[case::a_contact("user", "contact", false)]
    #[case::of_another_server("inetOrgPerson", "person", false)]
    fn a_person_of_a_domain_is_a_user_or_a_contact(
        #[case] others: &str,
        #[case] class: &str,
        #[case] said: bool,
    ) {
        let of =
            |class: &str| format!("dn: CN=Ann,DC=x\nobjectClass: person\nobjectClass: {class}\ncn: Ann\n\n");
        let records = records(&(of(others).repeat(4) + &of(class)));
        let mut required = Required::default();
        for record in &records {
            required.note(record, dn(record).as_ref());
        }
        let last = required.missing(&records[4], dn(&records[4]).as_ref());
        assert_eq!(last.is_some_and(|last| last.contains("user or contact")), said, "{last:?}");
    }

    /// One writer writes all lines alike.
    #[test]
    fn a_value_right_after_its_colon_is_damage_unless_most_are_written_so() {
        let damaged = ANN.replace("homeDirectory: /h", "home:irectory: /h");
        let tight = ANN.replace(": ", ":");
        for (text, said) in [(damaged, true), (tight.repeat(4) + ANN, false)] {
            let mut required = Required::default();
            let records = records(&(text + ANN));
            for record in &records {
                required.note(record, dn(record).as_ref());
            }
            let first = required.missing(&records[0], dn(&records[0]).as_ref());
            assert_eq!(first.is_some_and(|first| first.contains("colon")), said, "{first:?}");
        }
    }
}
