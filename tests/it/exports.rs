//! What exports do not show, or say in odd ways, decides about nobody: one export after the other, imported into a store.

use std::collections::BTreeMap;

use rollcall::directory::ConnectorName;
use rollcall::source::ldif::{Input, LdifConfig, LdifSource};
use rollcall::store::Store;
use rollcall::store::snapshot::{Presence, Row};
use rollcall::sync::import::{ImportError, Imported, import};
use rstest::rstest;

use crate::support::hand::Hand;
use crate::support::reading;

struct Desk {
    store: Store,
    user_filter: Option<&'static str>,
    _folder: tempfile::TempDir,
}

impl Desk {
    fn new(user_filter: Option<&'static str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { store: Store::open(folder.path()).unwrap(), user_filter, _folder: folder }
    }

    async fn read(&self, text: &str) -> Result<Imported, ImportError> {
        let source = LdifSource::new(LdifConfig {
            user_filter: self.user_filter.map(str::to_owned),
            ..reading::export(text)
        });
        let options = reading::options();
        let connector = ConnectorName::new("test", "corp");
        import(&source, &self.store, &connector, options, &Hand::hours(0), |_| {}).await
    }

    /// Who is known, by the first part of the DN: what became of them.
    fn known(&self) -> BTreeMap<String, Presence> {
        let snapshot = self.store.snapshot(&ConnectorName::new("test", "corp")).unwrap().unwrap();
        let mut known = BTreeMap::new();
        let mut each = |row: Row| {
            let name = row.entry.dn.split(',').next().unwrap_or_default().to_lowercase();
            known.insert(name, row.presence);
        };
        snapshot.for_each_row(&mut each).unwrap();
        known
    }

    /// How many exceptions there are: of those who are known, and of others.
    fn exceptions(&self, imported: &Imported) -> u64 {
        let known = self.known();
        let of = known.values().filter(|presence| matches!(presence, Presence::Unreadable(_))).count();
        of as u64 + imported.info.unreadable_count
    }
}

fn id(number: usize) -> String {
    format!("5b0e7e9c-1f2d-4c3b-9a8b-0000000{number:05}")
}

fn person(name: &str, number: usize) -> String {
    format!(
        "dn: uid={name},ou=people,dc=corp,dc=example\nobjectClass: inetOrgPerson\nuid: {name}\nmail: {name}@corp.example\n\
         employeeType: staff\nentryUUID: {}\n\n",
        id(number)
    )
}

const NAMES: [&str; 7] = ["ada", "bob", "cyd", "dan", "eve", "fay", "gus"];

fn company() -> String {
    let top = "dn: dc=corp,dc=example\nobjectClass: domain\n\n";
    let people: Vec<String> = NAMES.iter().enumerate().map(|(number, name)| person(name, number)).collect();
    format!("{top}{}", people.concat())
}

fn account(name: &str, number: u8, lines: &str) -> String {
    let guid = char::from(b'A' + number);
    format!(
        "dn: CN={name},DC=corp,DC=example\nobjectClass: person\nobjectClass: user\ncn: {name}\nsAMAccountName: {name}\n\
         mail: {name}@corp.example\nobjectSid: S-1-5-21-1-2-3-110{number}\n{lines}objectGUID:: nJ1vG0pZ00mU7m1gk1{guid}AAQ==\n\n"
    )
}

const STATE: &str = "userAccountControl: 512\naccountExpires: 0\n";

/// Of two accounts, one of which had expired: what the next export shows of it, and of the other one.
#[rstest]
#[case::no_expiry_of_anybody(
    "userAccountControl: 512\n",
    "userAccountControl: 512\n",
    2,
    Some("accountExpires")
)]
#[case::no_expiry_of_one("userAccountControl: 512\n", STATE, 1, None)]
#[case::no_state_of_anybody("", "", 1, Some("userAccountControl"))]
#[case::no_state_of_one("accountExpires: 0\n", STATE, 1, None)]
#[case::shown(STATE, STATE, 0, None)]
#[tokio::test]
async fn an_account_of_active_directory_that_hides_its_state_keeps_it(
    #[case] next: &str,
    #[case] other: &str,
    #[case] exceptions: u64,
    #[case] notice: Option<&str>,
) {
    let desk = Desk::new(None);
    let expired = "userAccountControl: 512\naccountExpires: 132000000000000000\n";
    desk.read(&(account("zoe", 1, expired) + &account("yan", 2, STATE))).await.unwrap();
    let read = desk.read(&(account("zoe", 1, next) + &account("yan", 2, other))).await.unwrap();
    assert_eq!(desk.exceptions(&read), exceptions, "{:?}", desk.known());
    let said = read.info.notices.join(" ");
    assert_eq!(said.contains("is an export of Active Directory"), notice.is_some(), "{said}");
    assert!(said.contains(notice.unwrap_or_default()), "{said}");
    // And nobody is added who hides what others show.
    let more = account("zoe", 1, expired) + &account("yan", 2, STATE) + &account("xia", 3, next);
    desk.read(&more).await.unwrap();
    assert_eq!(desk.known().contains_key("cn=xia"), next == STATE);
}

/// Every domain has some accounts: they are known by their numbers, and without those by nothing that is certain.
#[rstest]
#[case::by_number("objectSid: S-1-5-21-1-2-3-500\n", "objectSid: S-1-5-21-1-2-3-1107\n", 0, false)]
#[case::by_their_attribute("isCriticalSystemObject: TRUE\n", "", 0, false)]
#[case::by_name("", "", 1, true)]
#[case::others_show_numbers("", "objectSid: S-1-5-21-1-2-3-1107\n", 1, true)]
#[tokio::test]
async fn accounts_that_every_domain_has_are_nobody(
    #[case] shown: &str,
    #[case] other: &str,
    #[case] exceptions: u64,
    #[case] notice: bool,
) {
    let desk = Desk::new(None);
    let of = |name: &str, number: u8, lines: &str| {
        let text = account(name, number, STATE);
        let sid = format!("objectSid: S-1-5-21-1-2-3-110{number}\n");
        assert!(text.contains(&sid));
        text.replace(&sid, lines)
    };
    let read = desk.read(&(of("zoe", 1, other) + &of("Administrator", 2, shown))).await.unwrap();
    assert_eq!(desk.known().into_keys().collect::<Vec<_>>(), ["cn=zoe"]);
    assert_eq!(desk.exceptions(&read), exceptions, "{:?}", read.info.unreadable);
    let said = read.info.notices.join(" ");
    assert_eq!(said.contains("export objectSid too"), notice, "{said}");
}

/// What is not within the directory that was read before.
#[rstest]
#[case::root("dn:\nobjectClass: top\nvendorName: x\n\n", 0, None)]
#[case::configuration(
    "dn: cn=config\nobjectClass: olcGlobal\ncn: config\n\n",
    0,
    Some("1 entry is not within dc=corp,dc=example")
)]
#[case::flat_group(
    "dn: cn=Everyone\nobjectClass: groupOfNames\ncn: Everyone\nmember: uid=ada,ou=people,dc=corp,dc=example\nentryUUID: 5b0e7e9c-1f2d-4c3b-9a8b-000000000777\n\n",
    1,
    Some("directoryID")
)]
#[case::somebody_beside(
    "dn: uid=ida,ou=people,dc=other,dc=example\nobjectClass: person\nuid: ida\nentryUUID: 5b0e7e9c-1f2d-4c3b-9a8b-000000000778\n\n",
    1,
    Some("1 entry is not within dc=corp,dc=example (the first one at line 53 of the export)")
)]
#[tokio::test]
async fn an_entry_elsewhere_stops_no_other(
    #[case] odd: &str,
    #[case] exceptions: u64,
    #[case] notice: Option<&str>,
) {
    let desk = Desk::new(None);
    desk.read(&company()).await.unwrap();
    let read = desk.read(&(company() + odd + &person("hal", 8))).await.unwrap();
    assert_eq!((read.info.users, desk.exceptions(&read)), (8, exceptions));
    let said = read.info.notices.join(" ");
    assert!(said.contains(notice.unwrap_or_default()), "{said}");
    assert_eq!(said.contains("not within"), notice.is_some(), "{said}");
}

/// Who is known and stands elsewhere now is an exception, and keeps what they have.
#[rstest]
#[case::beside("dc=other,dc=example")]
#[case::above("dc=example")]
#[case::far("dc=corp,dc=org")]
#[tokio::test]
async fn who_moved_out_of_the_directory_stops_no_other(#[case] to: &str) {
    let desk = Desk::new(None);
    desk.read(&company()).await.unwrap();
    let (dan, gus) = (person("dan", 3), person("gus", 6));
    let moved = dan.replace("dc=corp,dc=example", to);
    let read = desk.read(&company().replace(&dan, &moved).replace(&gus, "")).await.unwrap();
    let known = desk.known();
    let Presence::Unreadable(why) = &known["uid=dan"] else { panic!("{known:?}") };
    assert!(why.contains("not within dc=corp,dc=example") && why.contains("line 25 of the export"), "{why}");
    assert!(matches!(known["uid=gus"], Presence::Gone { .. }), "{known:?}");
    assert_eq!((read.info.users, desk.exceptions(&read)), (5, 1));
}

#[tokio::test]
async fn a_first_export_of_two_places_is_refused_with_the_remedy() {
    let group = "dn: cn=Everyone\nobjectClass: groupOfNames\ncn: Everyone\nentryUUID: 5b0e7e9c-1f2d-4c3b-9a8b-000000000777\n\n";
    let refused = Desk::new(None).read(&(company() + group)).await.unwrap_err().to_string();
    for said in ["line 53", "directoryID: \"dc=corp,dc=example\""] {
        assert!(refused.contains(said), "{refused}");
    }
}

#[tokio::test]
async fn an_export_of_another_base_is_refused_with_the_remedy() {
    let desk = Desk::new(None);
    desk.read(&company()).await.unwrap();
    let narrower = company().split_once("\n\n").unwrap().1.to_owned();
    let refused = desk.read(&narrower).await.unwrap_err().to_string();
    assert!(refused.contains("set directoryID: \"dc=corp,dc=example\""), "{refused}");
}

/// Exports that overlap and are joined have some records twice.
#[tokio::test]
async fn a_record_that_is_there_twice_in_the_same_words_is_read_once() {
    let desk = Desk::new(None);
    desk.read(&company()).await.unwrap();
    let read = desk.read(&(company() + &person("bob", 1) + &person("cyd", 2))).await.unwrap();
    assert_eq!((read.info.users, read.changed, desk.exceptions(&read)), (7, 0, 0));
    assert!(read.info.notices.iter().any(|notice| notice.starts_with("2 records are in the export twice")));
    // Values are a set.
    let bob = person("bob", 1).replace("objectClass", "objectClass: top\nl: Rome\nl: Bern\nobjectClass");
    let text = company().replace(&person("bob", 1), &bob);
    let turned = lines_in_another_order(&bob);
    assert_ne!(turned, bob);
    let read = desk.read(&(text + &turned)).await.unwrap();
    assert_eq!((read.info.users, desk.exceptions(&read)), (7, 0));
    let other = person("bob", 1).replace("staff", "guest");
    let refused = desk.read(&(company() + &other)).await.unwrap_err().to_string();
    assert!(refused.contains("says something else"), "{refused}");
}

/// The id is the last line, and no line break follows.
#[rstest]
#[case::known("", true)]
#[case::a_newcomer("zoe", true)]
#[case::cut("zoe", false)]
#[tokio::test]
async fn an_id_that_is_whole_is_one_at_the_end_of_a_file(#[case] last: &str, #[case] whole: bool) {
    let desk = Desk::new(None);
    desk.read(&company()).await.unwrap();
    let more = if last.is_empty() { String::new() } else { person(last, 9) };
    let text = company() + &more;
    let cut = text.trim_end().len() - if whole { 0 } else { 20 };
    let read = desk.read(&text[..cut]).await.unwrap();
    assert_eq!(read.info.users, if last.is_empty() || !whole { 7 } else { 8 });
    let why = read.info.unreadable.iter().map(|one| one.why.as_str()).collect::<Vec<_>>().join(" ");
    assert!(!why.contains("correct it in the directory"), "{why}");
    // The end of the file, and whoever was cut.
    assert_eq!(desk.exceptions(&read), if whole { 1 } else { 2 });
}

/// Who shows no id is one exception, and not two.
#[tokio::test]
async fn who_is_known_by_name_alone_is_one_exception() {
    let desk = Desk::new(None);
    desk.read(&company()).await.unwrap();
    let without = |text: &str, number| text.replace(&format!("entryUUID: {}\n", id(number)), "");
    let read = desk.read(&without(&without(&company(), 2), 5)).await.unwrap();
    let known = desk.known();
    for name in ["uid=cyd", "uid=fay"] {
        let Presence::Unreadable(why) = &known[name] else { panic!("{known:?}") };
        assert!(why.contains("it has no entryUUID") && why.contains("line "), "{why}");
    }
    assert_eq!(desk.exceptions(&read), 2, "{:?}", read.info.unreadable);
}

/// An entry that is odd in each export is one exception, and who leaves later leaves. Text may be missing there where it is odd for
/// the first time.
#[rstest]
#[case::dn_that_is_none(|odd: &str| odd.replace("dn: uid=gus", "dn: uid=R&D \"core\""))]
#[case::dn_with_an_option(|odd: &str| odd.replace("dn: uid=", "dn: uid;lang-en="))]
#[case::two_ids(|odd: &str| odd.replace("entryUUID", &format!("entryUUID: {}\nentryUUID", id(77))))]
#[case::a_value_twice(|odd: &str| odd.replace("entryUUID", "l: Rome\nl: Rome\nentryUUID"))]
#[case::without_an_id(|odd: &str| odd.split("entryUUID").next().unwrap().to_owned() + "\n")]
#[tokio::test]
async fn an_odd_entry_stops_no_leaver(#[case] odd: fn(&str) -> String) {
    let gus = person("gus", 6);
    let odd = company().replace(&gus, &odd(&gus));
    assert_ne!(odd, company());
    let without = |names: &[(&str, usize)]| {
        names.iter().fold(odd.clone(), |text, (name, number)| text.replace(&person(name, *number), ""))
    };
    let is_gone = |desk: &Desk, name: &str| matches!(desk.known()[name], Presence::Gone { .. });
    let of_old = Desk::new(None);
    of_old.read(&odd).await.unwrap();
    let read = of_old.read(&without(&[("dan", 3)])).await.unwrap();
    assert!(is_gone(&of_old, "uid=dan"), "{:?}", of_old.known());
    assert_eq!(of_old.exceptions(&read), 1, "{:?}", read.info.unreadable);
    let desk = Desk::new(None);
    desk.read(&company()).await.unwrap();
    // Whoever is missing now may have been in text that is missing there; who is missing later was not.
    for now in [without(&[("dan", 3)]), without(&[("dan", 3)]) + "\n", without(&[("dan", 3), ("bob", 1)])] {
        desk.read(&now).await.unwrap();
        assert!(!is_gone(&desk, "uid=dan"), "{:?}", desk.known());
    }
    assert!(is_gone(&desk, "uid=bob"), "{:?}", desk.known());
    desk.read(&company().replace(&person("dan", 3), "")).await.unwrap();
    assert!(is_gone(&desk, "uid=dan"), "{:?}", desk.known());
}

/// A record that is damaged anew in each export hides others anew.
#[tokio::test]
async fn a_record_that_is_damaged_again_may_hide_others_again() {
    let desk = Desk::new(None);
    desk.read(&company()).await.unwrap();
    let gus = person("gus", 6);
    let damaged =
        |line: &str| company().replace(&gus, &gus.replace("entryUUID", &format!("{line}entryUUID")));
    desk.read(&damaged("l: Rome\nl: Rome\n")).await.unwrap();
    desk.read(&damaged("l: Bern\nl: Bern\n").replace(&person("dan", 3), "")).await.unwrap();
    assert!(matches!(desk.known()["uid=dan"], Presence::Unsettled { .. }), "{:?}", desk.known());
}

/// One letter of the name of an attribute that a filter uses.
#[rstest]
#[case::another("employeeTyqe: staff", true)]
#[case::left_out("employeType: staff", true)]
#[case::doubled("employeeTypee: staff", true)]
#[case::another_value("employeeType: guest", false)]
#[case::without("title: staff", false)]
#[tokio::test]
async fn a_damaged_name_leaves_nobody_out(#[case] line: &str, #[case] kept: bool) {
    let desk = Desk::new(Some("(employeeType=staff)"));
    desk.read(&company()).await.unwrap();
    let dan = person("dan", 3);
    let odd = company().replace(&dan, &dan.replace("employeeType: staff", line));
    let read = desk.read(&odd).await.unwrap();
    let dan = &desk.known()["uid=dan"];
    assert_eq!(matches!(dan, Presence::Gone { .. }), !kept, "{dan:?}");
    assert_eq!(read.info.notices.iter().any(|notice| notice.contains("may have been damaged")), kept);
}

/// What editors and file transfers do to the lines.
#[rstest]
#[case::blanks_between_records(|text: &str| text.replace("\n\n", "\n  \n"))]
#[case::a_tab_between_records(|text: &str| text.replace("\n\n", "\n\t\n"))]
#[case::line_ends_converted_twice(|text: &str| text.replace('\n', "\r\r\n"))]
#[case::a_blank_after_the_version(|text: &str| format!("version: 1 \n{text}"))]
#[tokio::test]
async fn lines_are_read_as_they_were_meant(#[case] edited: fn(&str) -> String) {
    let desk = Desk::new(None);
    desk.read(&company()).await.unwrap();
    let text = edited(&company()) + "\n";
    let read = desk.read(&text).await.unwrap();
    assert_eq!((read.info.users, read.changed, read.removed, desk.exceptions(&read)), (7, 0, 0, 0));
}

/// Of free text they are a part.
#[rstest]
#[case::a_tab("\t\n")]
#[case::blanks("  \n")]
#[tokio::test]
async fn what_stands_at_the_ends_of_lines_makes_nobody_another(#[case] end: &str) {
    let desk = Desk::new(None);
    desk.read(&company()).await.unwrap();
    let read = desk.read(&(company().replace('\n', end) + "\n")).await.unwrap();
    assert_eq!((read.info.users, read.removed, desk.exceptions(&read)), (7, 0, 0));
    assert_eq!(desk.known().len(), 7);
}

/// What a conversion lost is not known, wherever it stood.
#[rstest]
#[case::login(|cyd: &str| cyd.replace("uid: cyd", "uid: c\u{fffd}d"), "U+FFFD")]
#[case::login_in_the_dn(|cyd: &str| cyd.replace("uid: cyd", "uid: c\u{fffd}d").replace("uid=cyd", "uid=c\u{fffd}d"), "U+FFFD")]
#[case::dn(|cyd: &str| cyd.replace("uid=cyd", "uid=\u{fffd}yd"), "U+FFFD")]
#[case::id(|cyd: &str| cyd.replace("entryUUID: 5", "entryUUID: \u{fffd}"), "entryUUID")]
#[tokio::test]
async fn what_a_conversion_lost_is_not_known(#[case] lossy: fn(&str) -> String, #[case] said: &str) {
    let desk = Desk::new(None);
    desk.read(&company()).await.unwrap();
    let cyd = person("cyd", 2);
    assert_ne!(lossy(&cyd), cyd);
    let read = desk.read(&company().replace(&cyd, &lossy(&cyd))).await.unwrap();
    let known = desk.known();
    let Presence::Unreadable(why) = &known["uid=cyd"] else { panic!("{known:?}") };
    assert!(why.contains(said), "{why}");
    assert_eq!((read.changed, read.removed), (0, 0));
}

/// A letter with an accent is one sign or two.
#[tokio::test]
async fn a_name_in_another_normal_form_is_the_same() {
    let desk = Desk::new(None);
    let named = |name: &str| {
        let text = company().replace("cyd", name);
        text + &format!(
            "dn: cn={name},dc=corp,dc=example\nobjectClass: posixGroup\ncn: {name}\ngidNumber: 7\nmemberUid: {name}\n\
             entryUUID: {}\n\n",
            id(70)
        )
    };
    desk.read(&named("c\u{e9}d")).await.unwrap();
    let read = desk.read(&named("ce\u{301}d")).await.unwrap();
    // The text of the DN is another one, and what it names the same.
    assert_eq!((read.info.users, read.removed, desk.exceptions(&read)), (7, 0, 0));
    let snapshot = desk.store.snapshot(&ConnectorName::new("test", "corp")).unwrap().unwrap();
    let mut texts = Vec::new();
    let mut each = |row: Row| texts.push(format!("{:?}", row.entry.fields));
    snapshot.for_each_row(&mut each).unwrap();
    let texts = texts.concat();
    assert!(texts.contains("c\u{e9}d") && !texts.contains("ce\u{301}d"), "{texts}");
}

/// In Active Directory the name of an entry that was deleted says so.
#[rstest]
#[case::with_its_attribute("isDeleted: TRUE\n")]
#[case::by_its_name("")]
#[tokio::test]
async fn an_entry_that_was_deleted_is_gone(#[case] shown: &str) {
    let desk = Desk::new(None);
    desk.read(&(account("zoe", 1, STATE) + &account("yan", 2, STATE))).await.unwrap();
    let name = "zoe\\0ADEL:6fbd9c9c-295a-4967-94ee-6d60935d4341,CN=Deleted Objects";
    let deleted = account("zoe", 1, &format!("{STATE}{shown}")).replace("CN=zoe,", &format!("CN={name},"));
    let deleted =
        deleted.replace("cn: zoe\n", "cn:: em9lCkRFTDo2ZmJkOWM5Yy0yOTVhLTQ5NjctOTRlZS02ZDYwOTM1ZDQzNDE=\n");
    desk.read(&(deleted + &account("yan", 2, STATE))).await.unwrap();
    assert!(matches!(desk.known()["cn=zoe"], Presence::Gone { .. }), "{:?}", desk.known());
}

/// Time must not grow with the square of those who share an id.
#[tokio::test]
async fn many_who_share_an_id_take_no_time() {
    let desk = Desk::new(None);
    let all = |shared: usize| {
        let top = "dn: dc=corp,dc=example\nobjectClass: domain\n\n".to_owned();
        let people =
            (0..6000).map(|number| person(&format!("n{number}"), if number < shared { 0 } else { number }));
        top + &people.collect::<String>()
    };
    desk.read(&all(1)).await.unwrap();
    let began = std::time::Instant::now();
    let read = desk.read(&all(2000)).await.unwrap();
    assert!(began.elapsed().as_secs() < 60, "{:?}", began.elapsed());
    assert_eq!(read.removed, 0);
}

/// What is wrong is said once, with the place and what to do.
#[rstest]
#[case::charset(|_: &str| "dn:: dWlkPf8sZGM9Y29ycCxkYz1leGFtcGxl\nuid: x\n\n".to_owned(), "the DN is not valid UTF-8; correct it, or export it again")]
#[case::headless(|cyd: &str| cyd.split_once('\n').unwrap().1.to_owned(), "it does not begin with `dn:`, so lines may be missing there; correct it, or export it again")]
#[case::without_an_id(|cyd: &str| cyd.split("entryUUID").next().unwrap().to_owned() + "\n", "it has no entryUUID, which identifies it, and nearly all other records have one")]
#[case::login_that_is_no_text(|cyd: &str| cyd.replace("uid: cyd", "uid:: /w=="), "a value of its uid is not valid UTF-8")]
#[case::swallowed(|cyd: &str| cyd.replace("\nemployeeType", "\n employeeType"), "a blank before `employeeType:` makes it")]
#[tokio::test]
async fn an_exception_says_what_is_wrong_once(#[case] odd: fn(&str) -> String, #[case] said: &str) {
    let desk = Desk::new(None);
    desk.read(&company()).await.unwrap();
    let cyd = person("cyd", 2);
    let read = desk.read(&company().replace(&cyd, &odd(&cyd))).await.unwrap();
    let of_known = desk.known().into_values().filter_map(|presence| match presence {
        Presence::Unreadable(why) => Some(why),
        _ => None,
    });
    let whys: Vec<String> = of_known.chain(read.info.unreadable.into_iter().map(|one| one.why)).collect();
    let why = whys.iter().find(|why| why.contains(said)).unwrap_or_else(|| panic!("{whys:?}"));
    assert!(why.matches("line 18").count() <= 1 && why.matches("correct it").count() <= 1, "{why}");
}

#[tokio::test]
async fn a_file_in_another_character_set_is_named() {
    let desk = Desk::new(None);
    let (before, after) =
        company().split_once("mail: cyd@").map(|(one, other)| (one.to_owned(), other.to_owned())).unwrap();
    let text = [before.as_bytes(), b"l: Z\xfcrich\nmail: cyd@", after.as_bytes()].concat();
    let source = LdifSource::new(LdifConfig { input: Input::Text(text.into()), ..reading::export("") });
    let connector = ConnectorName::new("test", "corp");
    let options = reading::options();
    let read = import(&source, &desk.store, &connector, options, &Hand::hours(0), |_| {}).await.unwrap();
    let said = read.info.notices.join(" ");
    assert!(said.contains("line 21 of the export is not UTF-8") && said.contains("iconv"), "{said}");
}

fn sorted(text: &str) -> String {
    let mut records: Vec<&str> = text.split_terminator("\n\n").collect();
    records.sort_unstable_by(|one, other| other.cmp(one));
    records.join("\n\n") + "\n\n"
}

fn lines_in_another_order(text: &str) -> String {
    let turned = |record: &str| {
        let mut lines: Vec<&str> = record.lines().collect();
        lines[1..].reverse();
        lines.join("\n") + "\n\n"
    };
    text.split_terminator("\n\n").map(turned).collect()
}

/// A copy of a damaged export says what that says, whatever it looks like.
#[rstest]
#[case::an_end(|text: &str| text.to_owned() + "\n\n")]
#[case::a_comment(|text: &str| format!("# copied on Monday\n{text}"))]
#[case::a_mark(|text: &str| format!("\u{feff}{text}"))]
#[case::a_version(|text: &str| format!("version: 1\n\n{text}"))]
#[case::empty_lines(|text: &str| text.replace("\n\n", "\n\n\n"))]
#[case::line_ends(|text: &str| text.replace('\n', "\r\n"))]
#[case::folds(|text: &str| text.replace("@corp", "@co\n rp"))]
#[case::base64(|text: &str| text.replace("uid: bob", "uid:: Ym9i"))]
#[case::letter_case(|text: &str| text.replace("mail:", "MAIL:").replace("dn: uid=bob,", "dn: UID=bob, "))]
#[case::order(sorted)]
#[case::order_of_lines(lines_in_another_order)]
#[case::a_record_twice(|text: &str| text.to_owned() + &person("bob", 1))]
#[case::a_count(|text: &str| text.to_owned() + "# numEntries: 7\n")]
#[tokio::test]
async fn a_copy_of_an_export_settles_nothing(#[case] copy: fn(&str) -> String) {
    let desk = Desk::new(None);
    desk.read(&company()).await.unwrap();
    // The DN of one and the id of another.
    let merged = company().replace(&person("gus", 6), "").replace(&id(5), &id(6));
    assert_ne!(copy(&merged), merged);
    let is_known = |desk: &Desk| desk.known().into_values().collect::<Vec<_>>();
    desk.read(&merged).await.unwrap();
    let before = is_known(&desk);
    assert!(matches!(desk.known()["uid=fay"], Presence::Unsettled { .. }), "{:?}", desk.known());
    for _ in 0..2 {
        desk.read(&copy(&merged)).await.unwrap();
        assert_eq!(is_known(&desk), before);
    }
    desk.read(&copy(&merged).replace("cyd@", "cid@")).await.unwrap();
    assert_ne!(is_known(&desk), before, "another export");
}

/// What is odd in each export, in the same words or under the same DN, stops nobody from leaving, also where it stands there twice.
#[rstest]
#[case::a_prompt_before_all(|text: &str, _| format!("Enter LDAP Password: \n# extended LDIF\n\n{text}"))]
#[case::a_line_before_all(|text: &str, _| format!("foo: bar\n\n{text}"))]
#[case::a_line_after_all(|text: &str, _| format!("{text}\nthe export took 3 s\n"))]
#[case::a_line_between(|text: &str, _| text.replace(&person("cyd", 2), &format!("retrying\n\n{}", person("cyd", 2))))]
#[case::values_in_any_order(|text: &str, at: usize| format!("{text}foo: {}\nfoo: {}\n\n", at % 2, (at + 1) % 2))]
#[case::two_alike(|text: &str, _| format!("retrying\n\n{text}\nretrying\n\n"))]
#[case::a_dn_that_is_none(|text: &str, at: usize| format!(
    "{text}dn: uid=R&D \"core\",dc=corp,dc=example\nobjectClass: person\nuid: core\nauthTimestamp: 2026010{at}000000Z\n\n"
))]
#[tokio::test]
async fn what_is_odd_in_each_export_stops_no_leaver(
    #[case] odd: fn(&str, usize) -> String,
    #[values(false, true)] from_the_first_on: bool,
) {
    let desk = Desk::new(None);
    let mut text = company();
    desk.read(&if from_the_first_on { odd(&text, 0) } else { text.clone() }).await.unwrap();
    let read = desk.read(&odd(&text, 1)).await.unwrap();
    assert!(read.info.unreadable_count > 0);
    for (at, (name, number)) in [("bob", 1), ("fay", 5)].into_iter().enumerate() {
        text = text.replace(&person(name, number), "");
        desk.read(&odd(&text, at + 2)).await.unwrap();
        let became = desk.known()[&format!("uid={name}")].clone();
        assert!(matches!(became, Presence::Gone { .. }), "{name}: {:?}", desk.known());
    }
}

/// Whoever is missing when something odd comes first, or comes in other words, or once more, may be it.
#[rstest]
#[case::first("", "retrying\n\n")]
#[case::other_words("retrying\n\n", "trying again\n\n")]
#[case::other_values("foo: bar\n\n", "foo: baz\n\n")]
#[case::one_more("retrying\n\n", "retrying\n\nretrying\n\n")]
#[case::more_under_a_dn_that_is_none("dn: a&b\nuid: x\n\n", "dn: a&b\nuid: x\nmail: fay@corp.example\n\n")]
#[case::more_values("dn: a&b\nl: Rome\n\n", "dn: a&b\nl: Rome\nl: Bern\n\n")]
#[case::another_name("dn: a&b\nuid: x\n\n", "dn: a&b\nuid: fay\n\n")]
#[tokio::test]
async fn who_is_missing_when_something_odd_first_comes_stays(#[case] before: &str, #[case] now: &str) {
    let desk = Desk::new(None);
    desk.read(&(before.to_owned() + &company())).await.unwrap();
    let without = company().replace(&person("fay", 5), "");
    for rest in ["", "dn: l=Rome,dc=corp,dc=example\nobjectClass: locality\n\n"] {
        desk.read(&format!("{now}{without}{rest}")).await.unwrap();
        assert!(matches!(desk.known()["uid=fay"], Presence::Unsettled { .. }), "{:?}", desk.known());
    }
}
