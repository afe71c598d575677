//! The kind `domino` on a real OpenLDAP with Domino's schema and habits. No real Domino was at hand.

use std::collections::{BTreeMap, BTreeSet};

use rollcall::directory::{Anchor, Batch, Change, Completion, Entry, EntryKind, Members, Stated, fields};
use rollcall::secret::Secret;
use rollcall::source::ldap::{Bind, DominoConfig, DominoSource, LdapConfig, Purpose};
use rollcall::source::{Reason, Source as _, SourceConfig, SourceError};
use rstest::rstest;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::source_contract;
use crate::support::cli::Desk;
use crate::support::domino::{Domino, Habits, PASSWORD, READER, added, group, mail_in, person, unid};

/// Everybody but those whose groups are for something else.
fn company() -> String {
    [
        person(1, "Hal Test", ""),
        person(2, "Eva Roth", "ou=Sales,"),
        person(3, "Ivo Marek", "ou=North,"),
        mail_in(10, "Support"),
        group(20, "Staff", 0, &["CN=Hal Test,O=Corp", "CN=Eva Roth/OU=Sales/O=Corp", "Ivo Marek/North/Corp"]),
        group(21, "News", 1, &["Staff", "CN=Support", "guest@elsewhere.example"]),
        group(22, "Readers", 2, &["Eva Roth", "imarek"]),
    ]
    .concat()
}

fn purposes(all: &[Purpose]) -> BTreeSet<Purpose> {
    all.iter().copied().collect()
}

fn config(domino: &Domino) -> DominoConfig {
    let ldap = LdapConfig {
        bind: Some(Bind { dn: READER.to_owned(), password: Secret::new(PASSWORD) }),
        literal: BTreeSet::from(["mailServer".to_owned()]),
        ..crate::ldap::config(&[&domino.url()])
    };
    let purposes = purposes(&[Purpose::MultiPurpose, Purpose::MailOnly, Purpose::AccessControlOnly]);
    DominoConfig { ldap, anchor: None, purposes, split: None }
}

async fn read(config: DominoConfig) -> (Vec<Change>, Result<Completion, SourceError>) {
    let (sink, mut batches) = mpsc::channel::<Batch>(2);
    let reading = tokio::spawn(async move { DominoSource::new(config).read(None, sink.into()).await });
    let mut came = Vec::new();
    while let Some(batch) = batches.recv().await {
        came.extend(batch.0);
    }
    (came, reading.await.unwrap())
}

fn entries(changes: &[Change]) -> BTreeMap<&str, &Entry> {
    let mut entries = BTreeMap::new();
    for change in changes {
        if let Change::Replace(entry) = change {
            entries.insert(entry.anchor.as_str(), &**entry);
        }
    }
    entries
}

/// The numbers of those whom a group lists, in order.
fn members(of: &BTreeMap<&str, &Entry>, group: usize) -> Vec<usize> {
    let Members::Complete(listed) = &of[anchor(group).as_str()].members else {
        panic!("not all members came")
    };
    let by = |number: &usize| {
        let entry = of.get(anchor(*number).as_str());
        entry.is_some_and(|entry| entry.names.iter().any(|name| listed.contains(name)))
    };
    (0..100).filter(by).collect()
}

fn anchor(number: usize) -> String {
    unid(number).to_lowercase()
}

#[tokio::test]
async fn everything_is_read_from_the_root_by_the_universal_id() {
    let domino = Domino::start(&Habits { entries: &company(), ..Habits::default() });
    let (changes, end) = read(config(&domino)).await;
    let end = end.unwrap();
    assert_eq!((end.directory.as_str(), end.id.as_deref()), ("domino", Some("dominoUNID")));
    assert!(end.cursor.is_none() && end.notices.is_empty(), "{:?}", end.notices);
    let of = entries(&changes);
    assert_eq!((of.len(), changes.len()), (7, 7));
    assert_eq!(members(&of, 20), [1, 2, 3], "by a DN, a canonical name, an abbreviated one");
    assert_eq!(members(&of, 21), [10, 20], "a group, and a mail-in database");
    assert_eq!(members(&of, 22), [2, 3], "by a flat name, and a short one");
    let eva = of[anchor(2).as_str()];
    let said = |field: &str| eva.fields.get(field).cloned();
    let one = |value: &str| Some(Stated::Values(vec![value.to_owned()]));
    assert_eq!(said(fields::DISPLAY_NAME), one("Eva Roth"));
    assert_eq!((said(fields::MAIL), said(fields::USER_NAME)), (one("eroth@corp.example"), one("eroth")));
    assert_eq!(eva.attributes.get("mailServer").cloned(), one("CN=Mail1/O=Corp"));
    let support = of[anchor(10).as_str()];
    assert_eq!(
        (support.kind, support.fields.get(fields::MAILBOX).cloned()),
        (EntryKind::User, one("shared"))
    );
}

#[tokio::test]
async fn it_holds_to_the_contract_of_sources() {
    let people: String =
        (30..60).map(|number| person(number, &format!("Per Son{number}"), "ou=North,")).collect();
    let domino = Domino::start(&Habits { entries: &(company() + &people), ..Habits::default() });
    source_contract::holds(&SourceConfig::Domino(config(&domino)), "mailServer").await;
}

#[rstest]
#[case::by_default(&[Purpose::MultiPurpose, Purpose::MailOnly, Purpose::AccessControlOnly], &[20, 21, 22])]
#[case::deny_lists(&[Purpose::DenyListOnly], &[23])]
#[case::servers_and_mail(&[Purpose::ServersOnly, Purpose::MailOnly], &[21, 24])]
#[tokio::test]
async fn groups_come_by_what_they_are_for(#[case] wanted: &[Purpose], #[case] expected: &[usize]) {
    let more = [
        group(23, "Terminations", 3, &["Ivo Marek/North/Corp"]),
        group(24, "Servers", 4, &["CN=Mail1,O=Corp"]),
    ];
    let domino = Domino::start(&Habits { entries: &(company() + &more.concat()), ..Habits::default() });
    let (changes, end) = read(DominoConfig { purposes: purposes(wanted), ..config(&domino) }).await;
    end.unwrap();
    let groups = entries(&changes);
    let groups: Vec<usize> =
        (20..25).filter(|number| groups.contains_key(anchor(*number).as_str())).collect();
    assert_eq!(groups, expected);
    let outside = changes.iter().filter(|change| matches!(change, Change::Outside(_))).count();
    assert_eq!(outside, 5 - expected.len());
}

const HIDES_UNID: &str = "access to attrs=dominoUNID by * none";

#[rstest]
#[case::from_this_account(false, "hides it from this account")]
#[case::from_all(true, "tell ldap reloadschema")]
#[tokio::test]
async fn a_universal_id_that_is_hidden_ends_the_read_and_says_why(
    #[case] knows_no_unid: bool,
    #[case] why: &str,
) {
    let domino = Domino::start(&Habits {
        entries: &company(),
        access: HIDES_UNID,
        knows_no_unid,
        ..Habits::default()
    });
    let (changes, end) = read(config(&domino)).await;
    let error = end.unwrap_err();
    assert_eq!((error.reason, changes.len()), (Reason::AccessDenied, 0));
    assert!(
        error.message.contains("no entry shows dominoUNID") && error.message.contains(why),
        "{}",
        error.message
    );

    // What is named in its place costs something, which is said.
    let instead = DominoConfig { anchor: Some("uid".to_owned()), ..config(&domino) };
    let (changes, end) = read(instead).await;
    let end = end.unwrap();
    assert_eq!((end.directory.as_str(), end.id.as_deref()), ("domino uid", Some("uid")));
    assert!(end.notices.iter().any(|notice| notice.contains("identified by uid")), "{:?}", end.notices);
    assert!(entries(&changes).contains_key("htest"));
    let unreadable = changes.iter().filter(|change| matches!(change, Change::Unreadable { .. })).count();
    assert_eq!(unreadable, 4, "groups and mailboxes have no short name");
}

#[tokio::test]
async fn what_people_should_know_is_said() {
    let no_address = person(40, "Uma Lind", "").replace("mail: ulind@corp.example\n", "");
    let access = "access to attrs=groupType by * none";
    let domino = Domino::start(&Habits { entries: &(company() + &no_address), access, ..Habits::default() });
    let denied = read(config(&domino)).await.1.unwrap_err();
    assert_eq!(denied.reason, Reason::AccessDenied);
    assert!(denied.message.contains("no group shows its groupType"), "{}", denied.message);
    let all = [
        Purpose::MultiPurpose,
        Purpose::MailOnly,
        Purpose::AccessControlOnly,
        Purpose::DenyListOnly,
        Purpose::ServersOnly,
    ];
    let of = DominoConfig { purposes: purposes(&all), ..config(&domino) };
    let ldap = LdapConfig { bind: None, ..of.ldap.clone() };
    let notices = async |config: DominoConfig| read(config).await.1.unwrap().notices.join("\n");
    let said = notices(DominoConfig { ldap, ..of.clone() }).await;
    for part in ["read anonymously", "1 entry has a mail file (mailFile) and no Internet"] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    let ldap = LdapConfig { base_dns: vec!["o=Corp".to_owned()], ..of.ldap.clone() };
    let said = notices(DominoConfig { ldap, ..of }).await;
    assert!(said.contains("no group came") && !said.contains("anonymously"), "{said}");
}

fn crowd() -> String {
    // Of many first letters, some of which are none of Latin's, and many who begin alike.
    let given = ["Ada", "Adam", "Adele", "Åsa", "Éva", "Zoë", "Иван", "王", "7of9", "(Ext)", "bob", "Bobby"];
    let name = |number: usize| format!("{} N{number:03}", given[number % given.len()]);
    (0..240).map(|number| person(100 + number, &name(number), "ou=North,")).collect()
}

#[tokio::test]
async fn a_server_that_stops_at_a_limit_is_read_in_parts() {
    let entries_of = company() + &crowd();
    let domino = Domino::start(&Habits { entries: &entries_of, limit: Some(50), ..Habits::default() });
    let (changes, end) = read(config(&domino)).await;
    let end = end.unwrap();
    let said = end.notices.join("\n");
    assert!(said.contains("a search for people at a limit") && !said.contains("groups at a limit"), "{said}");
    let came: Vec<&Anchor> = changes.iter().filter_map(Change::anchor).collect();
    let once: BTreeSet<&Anchor> = came.iter().copied().collect();
    assert_eq!((came.len(), once.len()), (247, 247));

    // Whoever may not search by names would see a part, and take it for the whole.
    let access = "access to attrs=cn by * =rcd";
    let domino =
        Domino::start(&Habits { entries: &entries_of, limit: Some(50), access, ..Habits::default() });
    let error = read(config(&domino)).await.1.unwrap_err();
    assert_eq!(error.reason, Reason::LimitExceeded);
    assert!(error.message.contains("cannot be read in parts"), "{}", error.message);
}

/// The user or group that is called so.
fn named<'r>(registry: &'r [Value], name: &str) -> &'r Value {
    let is = |it: &&Value| it["userName"] == name || it["displayName"] == name;
    registry.iter().find(is).unwrap_or_else(|| panic!("no {name}: {registry:#?}"))
}

/// The names of a group's members, in order.
fn in_it(registry: &[Value], group: &str) -> Vec<String> {
    let members = named(registry, group)["members"].as_array().cloned().unwrap_or_default();
    let mut names: Vec<String> =
        members.iter().map(|it| it["display"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

#[test]
fn people_and_groups_live_and_nobody_goes_who_stays() {
    let more = [
        person(4, "Ada Koch", "ou=Sales,"),
        person(5, "Ben Wolf", "ou=Sales,"),
        person(6, "Cy Noor", "ou=North,"),
        group(23, "Project", 0, &["Ada Koch/Sales/Corp", "CN=Ben Wolf,OU=Sales,O=Corp"]),
    ];
    let domino = Domino::start(&Habits { entries: &(company() + &more.concat()), ..Habits::default() });
    let desk = Desk::new();
    desk.write("manifests.yaml", domino.manifests("", "  groups: { nesting: Flatten }\n"));
    desk.sync(&[]).exits(0);
    let before = desk.registry();
    assert_eq!(in_it(&before, "Staff"), ["eroth@corp.example", "htest@corp.example", "imarek@corp.example"]);
    assert_eq!(
        in_it(&before, "News"),
        ["eroth@corp.example", "htest@corp.example", "imarek@corp.example", "support@corp.example"]
    );
    let eva = named(&before, "eroth@corp.example")["id"].clone();

    // Renamed and moved to another unit, with another address; the lists still have the former name.
    domino.modify(
        "dn: cn=Eva Roth,ou=Sales,o=Corp\nchangetype: modrdn\nnewrdn: cn=Eva Blum\ndeleteoldrdn: 1\nnewsuperior: ou=North,o=Corp\n\n\
         dn: cn=Eva Blum,ou=North,o=Corp\nchangetype: modify\nreplace: mail\nmail: eblum@corp.example\n-\nreplace: fullName\n\
         fullName: CN=Eva Blum/OU=North/O=Corp\nfullName: CN=Eva Roth/OU=Sales/O=Corp\nfullName: Eva Roth\n\n",
    );
    // Somebody leaves, somebody joins, one member is exchanged for another, a group becomes a deny list.
    domino.modify("dn: cn=Ben Wolf,ou=Sales,o=Corp\nchangetype: delete\n\n");
    domino.modify(&added(&person(7, "Dag Holm", "")));
    domino.modify(
        "dn: cn=Project\nchangetype: modify\nreplace: member\nmember: Dag Holm/Corp\nmember: CN=Ben Wolf,OU=Sales,O=Corp\n\n\
         dn: cn=Readers\nchangetype: modify\nreplace: groupType\ngroupType: 3\n\n",
    );
    desk.sync(&[]).exits(0);
    let after = desk.registry();
    assert_eq!(named(&after, "eblum@corp.example")["id"], eva);
    assert_eq!(in_it(&after, "Staff"), ["eblum@corp.example", "htest@corp.example", "imarek@corp.example"]);
    assert_eq!(in_it(&after, "Project"), ["dholm@corp.example"]);
    assert_eq!(named(&after, "bwolf@corp.example")["active"], false, "looked up, and gone");
    for stays in ["htest", "imarek", "akoch", "cnoor", "support", "dholm"] {
        assert_eq!(named(&after, &format!("{stays}@corp.example"))["active"], true, "{stays}");
    }

    // Disabled by an attribute of the company's own.
    desk.write(
        "manifests.yaml",
        domino.manifests(
            "disabledWhen: \"user.attributes['employeeType'] == 'left'\"",
            "  groups: { nesting: Flatten }\n",
        ),
    );
    domino.modify(
        "dn: cn=Cy Noor,ou=North,o=Corp\nchangetype: modify\nadd: employeeType\nemployeeType: left\n\n",
    );
    desk.sync(&[]).exits(0);
    assert_eq!(named(&desk.registry(), "cnoor@corp.example")["active"], false);
}

#[test]
fn a_name_of_two_people_adds_and_removes_nobody() {
    let two =
        [person(4, "Ann Lee", "ou=Sales,"), person(5, "Ann Lee", "ou=North,").replace("alee@", "alee2@")];
    let list = group(23, "Choir", 0, &["Ann Lee", "Hal Test/Corp"]);
    let domino =
        Domino::start(&Habits { entries: &(company() + &two.concat() + &list), ..Habits::default() });
    let desk = Desk::new();
    desk.write("manifests.yaml", domino.manifests("", ""));
    let ran = desk.sync(&[]);
    assert_eq!(in_it(&desk.registry(), "Choir"), ["htest@corp.example"], "{}", ran.said());
}

#[test]
fn a_name_of_a_person_and_of_a_group_that_is_left_out_adds_and_removes_nobody() {
    let leavers = person(4, "Max Leavers", "ou=Sales,").replace("fullName: Max Leavers", "fullName: Leavers");
    let lists = [
        group(23, "Choir", 0, &["Leavers", "Hal Test/Corp"]),
        group(24, "Band", 0, &["Max Leavers/Sales/Corp"]),
    ];
    let entries = company() + &leavers + &lists.concat();
    let domino = Domino::start(&Habits { entries: &entries, ..Habits::default() });
    let desk = Desk::new();
    desk.write("manifests.yaml", domino.manifests("", ""));
    desk.sync(&[]).exits(0);
    let both = ["htest@corp.example", "mleavers@corp.example"];
    assert_eq!(in_it(&desk.registry(), "Choir"), both, "the name is his alone");
    // A deny list takes the name, and a list names it that did not.
    domino.modify(&added(&group(25, "Leavers", 3, &["Eva Roth/Sales/Corp"])));
    domino.modify("dn: cn=Band\nchangetype: modify\nadd: member\nmember: Leavers\n-\ndelete: member\nmember: Max Leavers/Sales/Corp\n\n");
    let ran = desk.sync(&[]).says("groupType").says("leavers");
    let (choir, band) = (in_it(&desk.registry(), "Choir"), in_it(&desk.registry(), "Band"));
    assert_eq!(
        (choir.as_slice(), band.as_slice()),
        (&both.map(str::to_owned)[..], &both.map(str::to_owned)[1..]),
        "{}",
        ran.said()
    );
    // Somebody new in a list is not taken for it.
    domino.modify(&added(&group(26, "Guests", 0, &["Leavers"])));
    desk.sync(&[]);
    assert!(in_it(&desk.registry(), "Guests").is_empty());
}

#[rstest]
#[case::joined("splitGroups: \"{name} {number}\"", true)]
#[case::as_they_are("", false)]
fn the_parts_of_a_group_are_one_group_by_a_rule(#[case] more: &str, #[case] joined: bool) {
    let parts = [
        group(23, "All Staff", 1, &["All Staff 1", "All Staff 2"]),
        group(24, "All Staff 1", 1, &["Hal Test/Corp", "Eva Roth/Sales/Corp"]),
        group(25, "All Staff 2", 1, &["Ivo Marek/North/Corp"]),
        group(26, "Building 7", 1, &["Hal Test/Corp"]),
    ];
    let domino = Domino::start(&Habits { entries: &(company() + &parts.concat()), ..Habits::default() });
    let desk = Desk::new();
    desk.write("manifests.yaml", domino.manifests(more, "  groups: { nesting: Preserve }\n"));
    desk.sync(&[]).exits(0);
    let registry = desk.registry();
    let everybody = ["eroth@corp.example", "htest@corp.example", "imarek@corp.example"];
    let has = |name: &str| registry.iter().any(|it| it["displayName"] == name);
    assert_eq!(has("All Staff 1"), !joined);
    assert!(has("Building 7"), "no group lists it as a part of itself");
    if joined {
        assert_eq!(in_it(&registry, "All Staff"), everybody);
    } else {
        assert_eq!(in_it(&registry, "All Staff 1"), everybody[..2]);
    }

    // One part more, as it is split again; nobody leaves on the way.
    domino.modify(&added(&group(27, "All Staff 3", 1, &["Support"])));
    domino.modify("dn: cn=All Staff\nchangetype: modify\nadd: member\nmember: All Staff 3\n\n");
    desk.sync(&[]).exits(0);
    let registry = desk.registry();
    assert_eq!(in_it(&registry, "All Staff").len(), if joined { 4 } else { 3 });
}
