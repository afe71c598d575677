use rstest::rstest;

use std::collections::BTreeSet;

use super::*;
use crate::source::ldap::wire::limit;
use crate::source::schema::Attributes;

fn read(text: &str) -> Result<(Vec<Record>, Ending), Problem> {
    let mut reader = Reader::new(text.as_bytes());
    let mut records = Vec::new();
    while let Some(record) = reader.next()? {
        records.push(record);
    }
    Ok((records, reader.ending()))
}

fn records(text: &str) -> Vec<Record> {
    read(text).unwrap().0
}

#[test]
fn every_way_to_write_a_record_gives_the_same() {
    let expected = records("dn: cn=Ann Smith,dc=x\ncn: Ann Smith\ndescription: a b\n\n");
    for other in [
        "version: 1\n\n# note\n#  folded\n  note\ndn: cn=Ann Smith,dc=x\nCN: Ann Smith\nDescription;binary: a b\n",
        "dn: cn=Ann\n  Smith,dc=x\ncn: Ann Smi\n th\n# in between\ndescription: a\n  b\n\n\n",
        "dn:: Y249QW5uIFNtaXRoLGRjPXg=\r\ncn:: QW5uIFNt\r\n aXRo\r\ndescription:a b\r\n\r\n",
        "\u{feff}dn: cn=Ann Smith,dc=x\nchangetype: add\ncn: Ann Smith\ndescription:   a b\n\n# search result\nsearch: 2\nresult: 0 Success\n\n# numResponses: 2\n# numEntries: 1\n",
    ] {
        let mut records = records(other);
        for record in &mut records {
            record.line = expected[0].line;
            record.certain = Attributes::new();
            (record.tight, record.spaced) = (expected[0].tight, expected[0].spaced);
            (record.bytes, record.values) = (expected[0].bytes, expected[0].values);
            record.end = End::Proven;
        }
        assert_eq!(records, expected, "{other}");
    }
}

const HEAD: &str = "# extended LDIF\n#\n# LDAPv3\n# base <dc=x> with scope subtree\n#\n\n";
const DONE: &str = "# search result\nsearch: 2\nresult: 0 Success\n";

#[rstest]
#[case("dn: cn=a\ncn: a\n\n# numEntries: 2\n", 4, "has 2 entries, and it has 1")]
#[case("dn: cn=a\ncn: a\n\n# total number of entries: 0", 4, "has 0 entries, and it has 1")]
#[case::count_by_hand("dn: cn=a\ncn: a\n\n#numentries: 2\n", 4, "has 2 entries, and it has 1")]
#[case::count_of_ldbsearch(
    "dn: cn=a\ncn: a\n\n# returned 3 records\n# 2 entries\n# 1 referrals\n",
    5,
    "has 2 entries, and it has 1"
)]
#[case("# LDAPv3\n\ndn: cn=a\n\n", 4, "has no end")]
#[case::followed_by_an_empty_one(
    "# LDAPv3\n\ndn: cn=a\n\n# LDAPv3\n\nresult: 0 Success\n\n# numResponses: 1\n",
    5,
    "has no end"
)]
#[case::followed_by_a_whole_one(
    "# LDAPv3\n\ndn: cn=a\n\n# LDAPv3\n\ndn: cn=b\n\nresult: 0 Success\n\n# numResponses: 2\n# numEntries: 1\n",
    5,
    "has no end"
)]
#[case("# LDAPv3\n\nresult: 0 Success\n\n", 4, "has no end")]
#[case("# LDAPv3\n\n# numResponses: 1\n", 3, "has no end")]
#[case("# LDAPv3\n\ndn: cn=a\n\nresult: 0 Success\n\n# numResponses: 1\n", 7, "has no end")]
#[case("dn: cn=a\n\nresult: 4 Size limit exceeded\n", 3, "did not reach its end")]
#[case("dn: cn=a\nchangetype: modify\n", 2, "file of changes")]
#[case("dn: cn=a\nadd: mail\nmail: a@x\n-\n\n", 4, "file of changes")]
#[case("version: 2\n", 1, "version 1")]
#[case("dn: cn=a\n\npagedresults: estimate=4 cookie=PAA=\n", 3, "there are more")]
#[case("dn: cn=a\n\npagedresults: cookie=PAA=\n# numEntries: 1\n", 4, "there are more")]
#[case::control_with_a_cookie(
    "dn: cn=a\n\ncontrol: 1.2.840.113556.1.4.319 false MAYCAQAEAXg=\n# numEntries: 1\n",
    4,
    "there are more"
)]
#[case::critical_control(
    "dn: cn=a\n\ncontrol: 1.2.840.113556.1.4.319 true MAYCAQAEAXg=\n\n",
    4,
    "there are more"
)]
#[case::control_of_no_meaning(
    "dn: cn=a\n\ncontrol: 1.2.840.113556.1.4.319 false MA==\n",
    3,
    "there are more"
)]
#[case::control_without_a_value("dn: cn=a\n\ncontrol: 1.2.840.113556.1.4.319\n", 3, "there are more")]
#[case::cookie_in_a_comment("dn: cn=a\n\n# pagedresults: estimate=4 cookie=PAA=\n", 3, "there are more")]
#[case::control_in_a_comment(
    "dn: cn=a\n\n# control: 1.2.840.113556.1.4.319 false MAYCAQAEAXg=\n",
    3,
    "there are more"
)]
#[case("dn: cn=a\n\n# numEntries: 1\ndn: cn=b\n\n# numEntries: 2\n", 6, "has 2 entries, and it has 1")]
fn says_what_is_wrong_with_the_whole_and_where(#[case] text: &str, #[case] line: usize, #[case] why: &str) {
    let problem = read(text).unwrap_err();
    assert_eq!(problem.line, line, "{problem:?}");
    assert!(problem.why.contains(why), "{problem:?}");
}

#[rstest]
#[case::base64("dn: cn=a\ncn:: QW5\n\n", "line 2: the value of cn is not valid base64")]
#[case::colon("dn: cn=a\ncn\n\n", "line 2: it has no colon")]
#[case::name("dn: cn=a\nfirst name: A\n\n", "line 2: \"first name\" is before the colon")]
#[case::start("cn: a\n\n", "does not begin with `dn:`")]
#[case::together("dn: cn=a\nsn: a\ndn: cn=b\nsn: b\n\n", "line 3: another record starts within it")]
#[case::dn("dn:: /w==\n\n", "line 1: the DN is not valid UTF-8")]
#[case::late("entryUUID: a\ndn: cn=a\nsn: a\n\n", "does not begin with `dn:`")]
#[case::blank("dn: cn=a\nmember : cn=b\n\n", "line 2: \"member \" is before the colon")]
#[case::blank_in_an_option("dn: cn=a\nmember;range=0- 1: cn=b\n\n", "is before the colon")]
#[case::elsewhere("dn:< file:///tmp/dn\n\n", "does not begin with `dn:`")]
fn says_what_is_wrong_with_a_record_and_goes_on(#[case] text: &str, #[case] why: &str) {
    let records = records(&format!("{text}dn: cn=z\ncn: z\n\n"));
    let damage = records[0].damage.as_deref().unwrap_or_default();
    assert!(damage.contains(why), "{damage}");
    assert_eq!((records.len(), records[1].dns.concat().as_str(), &records[1].damage), (2, "cn=z", &None));
}

/// In whatever line of a record control characters stand, something may be missing there.
#[rstest]
#[case::in_a_value("dn: cn=a\nsn: b\0\0\nuid: a\n\n")]
#[case::in_a_name("dn: cn=a\n\x01sn: b\n\n")]
#[case::over_lines("dn: cn=a\nsn: b\0\0\0\0\0l: Rome\n\n")]
#[case::in_a_comment("dn: cn=a\n# \0\0\n\n")]
#[case::in_the_dn("dn: cn=a\x1f\n\n")]
#[case::before_the_dn("\0\0dn: cn=a\n\n")]
#[case::delete("dn: cn=a\nsn: b\x7f\n\n")]
#[case::carriage_return("dn: cn=a\nsn: b\rc\n\n")]
fn control_characters_are_damage(#[case] text: &str) {
    let records = records(&format!("{text}dn: cn=z\ncn: z\n\n"));
    assert!(records[0].damage.is_some() && records[0].hides_others, "{records:?}");
    assert!(records[1].damage.is_none() && !records[1].hides_others);
}

#[test]
fn a_comment_between_records_that_is_damaged_may_have_held_others() {
    let doubt = |text| read(text).unwrap().1.doubt;
    assert!(doubt("dn: cn=a\n\n# b\0\0\0\n\n").is_some_and(|why| why.contains("line 3")));
    assert_eq!(doubt("dn: cn=a\n\n# b\n\n"), None);
    let text = "dn: cn=a\nsn: a\tb\nl: c\x0bd\n\n";
    assert_eq!(records(text)[0].damage, None, "text may have tabs");
}

#[rstest]
#[case::value(&format!("photo: {}\n", "a".repeat(limit::VALUE + 1)), "photo")]
#[case::entry(&format!("photo: {}\n", "a".repeat(limit::VALUE / 2)).repeat(9), "cn photo")]
#[case::as_much_as_may_be(&format!("photo: {}\n", "a".repeat(limit::VALUE)), "")]
fn what_is_beyond_the_bounds_of_an_entry_is_not_known(#[case] lines: &str, #[case] unknown: &str) {
    let records = records(&format!("dn: cn=a\n{lines}cn: a\n\n"));
    assert_eq!(records[0].unknown.iter().cloned().collect::<Vec<_>>().join(" "), unknown);
    assert_eq!(records[0].damage, None);
}

#[rstest]
#[case::attributes(&(0..=limit::ATTRIBUTES).map(|at| format!("a{at}: x\n")).collect::<Vec<_>>().concat(), "more than 10000 attributes")]
#[case::attributes_elsewhere(&(0..=limit::ATTRIBUTES).map(|at| format!("a{at}:< x\n")).collect::<Vec<_>>().concat(), "more than 10000 attributes")]
#[case::records(&"dn: cn=b\n".repeat(limit::ATTRIBUTES), "another record starts within it")]
fn a_record_states_no_more_than_an_entry_may(#[case] lines: &str, #[case] why: &str) {
    let records = records(&format!("dn: cn=a\n{lines}cn: a\n\ndn: cn=z\ncn: z\n\n"));
    let damage = records[0].damage.as_deref().unwrap_or_default();
    assert!(damage.contains(why) && records[0].hides_others, "{damage}");
    assert!(!records[0].attributes.has("cn") && records[1].damage.is_none());
}

#[test]
fn lines_behind_breaks_have_a_bound() {
    let line = |count: usize| (0..count).map(|at| format!("\x0ba{at}: x")).collect::<Vec<_>>().concat();
    let read = |count| records(&format!("dn: cn=a\ndescription: b{}\n\n", line(count)));
    assert_eq!((read(10_000)[0].joined.len(), &read(10_000)[0].damage), (10_000, &None));
    let beyond = read(10_001);
    assert!(
        beyond[0].damage.as_ref().is_some_and(|why| why.contains("more than 10000")),
        "{:?}",
        beyond[0].damage
    );
}

#[test]
fn a_list_may_be_long() {
    let member = format!("member: cn={}\n", "a".repeat(1 << 10));
    let records = records(&format!("dn: cn=a\n{}\n", member.repeat(5000)));
    assert_eq!(records[0].damage, None);
}

#[test]
fn odd_names_and_values_that_stand_elsewhere_are_taken() {
    let records = records("dn: cn=a\nfirst_name: A\njpegPhoto:< file:///tmp/photo\nsn: a\n\n");
    let [record] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((&record.damage, record.attributes.values("first_name").count()), (&None, 1));
    assert_eq!(record.unknown, BTreeSet::from(["jpegphoto".to_owned()]));
}

#[rstest]
#[case::torn("dn: cn=a\ncn: a\n\nsn: a\n\n", End::Torn)]
#[case::torn_before_another("dn: cn=a\ncn: a\n\nsn: a\ndn: cn=b\n\n", End::Torn)]
#[case("dn: cn=a\ncn: a\n", End::Open(None))]
#[case("dn: cn=a\ncn: a", End::Open(Some("cn".to_owned())))]
#[case("dn: cn=a", End::Open(Some("dn".to_owned())))]
#[case("dn: cn=a\ncn: a\n\n", End::Proven)]
#[case("dn: cn=a\ncn: a\n# numEntries: 1\n", End::Proven)]
#[case("dn: cn=a\ncn: a\n# a comment\n", End::Open(None))]
fn knows_whether_a_record_may_have_been_cut(#[case] text: &str, #[case] end: End) {
    assert_eq!(records(text)[0].end, end);
}

#[rstest]
#[case::whole("dn: cn=a\ncn: a\n\n", "")]
#[case::blank_after_the_version("version: 1 \n\ndn: cn=a\ncn: a\n\n", "")]
#[case::no_empty_line("dn: cn=a\ncn: a\n", "")]
#[case::no_line_break("dn: cn=a\ncn: a", "within a line")]
#[case::in_a_comment("dn: cn=a\ncn: a\n\n# next", "within a line")]
#[case::last_page_by_its_control(&format!("{HEAD}dn: cn=a\n\n{DONE}control: 1.2.840.113556.1.4.319 false MAYCAQAEAXg=\n{HEAD}dn: cn=b\n\n{DONE}control: 1.2.840.113556.1.4.319 false MAUCAQAEAA==\n\n# numEntries: 2\n"), "")]
#[case::another_control(&format!("{HEAD}dn: cn=a\n\n{DONE}control: 1.2.840.113556.1.4.474 false MAMKAQA=\n\n# numEntries: 1\n"), "")]
#[case::ldap3("version: 1\ndn: cn=a\ncn: a\n\n# total number of entries: 1", "")]
#[case::ldap3_counts_references("dn: cn=a\ncn: a\n\n# total number of entries: 4", "entries and references")]
#[case::ldbsearch("dn: cn=a\ncn: a\n\n# returned 2 records\n# 1 entries\n# 1 referrals\n", "")]
#[case::a_remark("# 5 entries\ndn: cn=a\ncn: a\n\n", "")]
#[case::report(&format!("{HEAD}dn: cn=a\n\n{DONE}\n# numResponses: 2\n# numEntries: 1\n"), "")]
#[case::report_without_result(&format!("{HEAD}dn: cn=a\n\n# search result\n\n# numEntries: 1\n"), "do not use -L")]
#[case::two_reports(&format!("{HEAD}dn: cn=a\n\n{DONE}\n# numEntries: 1\n{HEAD}dn: cn=b\n\n{DONE}\n# numEntries: 1\n"), "")]
#[case::a_second_one_that_found_nobody(&format!("{HEAD}dn: cn=a\n\n{DONE}\n# numResponses: 2\n# numEntries: 1\n{HEAD}{DONE}\n# numResponses: 1\n"), "")]
#[case::a_first_one_that_found_nobody(&format!("{HEAD}{DONE}\n# numResponses: 1\n{HEAD}dn: cn=a\n\n{DONE}\n# numResponses: 2\n# numEntries: 1\n"), "")]
#[case::pages(&format!("{HEAD}dn: cn=a\n\n{DONE}control: 1.2 false MA==\npagedresults: cookie=PA==\n{HEAD}dn: cn=b\n\n{DONE}pagedresults: cookie=\n\n# numEntries: 2\n"), "")]
fn knows_whether_all_entries_stand_in_it(#[case] text: &str, #[case] doubt: &str) {
    let ending = read(text).unwrap().1.doubt.unwrap_or_default();
    assert!(ending.contains(doubt) && ending.is_empty() == doubt.is_empty(), "{ending}");
}

#[rstest]
#[case::plain("dn: cn=a\ncn: a\n\n", false)]
#[case::result("dn: cn=a\ncn: a\n\nresult: 0 Success\n", false)]
#[case::counted("dn: cn=a\ncn: a\n\n# numEntries: 1\n", true)]
#[case::ldap3("dn: cn=a\ncn: a\n\n# total number of entries: 1", true)]
#[case::more_after_the_count("dn: cn=a\ncn: a\n\n# numEntries: 1\n\ndn: cn=b\ncn: b\n\n", false)]
fn knows_whether_a_file_shows_its_end(#[case] text: &str, #[case] shown: bool) {
    assert_eq!(read(text).unwrap().1.shown, shown);
}

#[test]
fn counts_references_apart() {
    let text = "dn: cn=a\ncn: a\n\n# search reference\nref: ldap://b/dc=b??sub\n\n# numEntries: 1\n";
    assert_eq!(read(text).unwrap().1.references, 1);
}
