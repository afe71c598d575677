//! Looking up on a real OpenLDAP server what the account may see in part only: what is not understood proves nothing.

use std::collections::HashMap;
use std::fmt::Write as _;

use rollcall::directory::{Anchor, Change};
use rollcall::secret::Secret;
use rollcall::source::Source as _;
use rollcall::source::ldap::{Bind, GenericConfig, LdapConfig, LdapSource};
use rstest::rstest;

use crate::ldap;
use crate::support::cli::Desk;
use crate::support::company::large;
use crate::support::slapd::{ADMIN, PASSWORD, SUFFIX, Setup, Slapd};

const READER: &str = "cn=reader,dc=example,dc=test";
const HIDDEN: &str = "uid=u000001,ou=people,dc=example,dc=test";

/// A company of which [`READER`] reads all but what `access` says.
fn company(access: &str) -> Slapd {
    let mut ldif = large(30, 2, 5, 5);
    write!(ldif, "dn: {READER}\nobjectClass: person\ncn: reader\nsn: reader\nuserPassword: {PASSWORD}\n\n")
        .unwrap();
    let access = access.replace("READER", &format!("dn.exact=\"{READER}\""));
    let database = format!("{access}\naccess to attrs=userPassword by * auth\naccess to * by * read");
    Slapd::start(&Setup { ldif: &ldif, database: &database, ..Setup::default() })
}

fn config(slapd: &Slapd, bases: &[&str]) -> GenericConfig {
    let ldap = LdapConfig {
        bind: Some(Bind { dn: READER.to_owned(), password: Secret::new(PASSWORD) }),
        base_dns: bases.iter().map(|base| format!("{base},{SUFFIX}")).collect(),
        ..ldap::config(&[&slapd.url()])
    };
    GenericConfig { anchor: Some("entryUUID".to_owned()), ..ldap::generic(ldap) }
}

/// The ids of two, of whom the second is deleted.
async fn one_there_and_one_gone(slapd: &Slapd) -> [Anchor; 2] {
    let everything = GenericConfig {
        anchor: Some("entryUUID".to_owned()),
        ..ldap::generic(ldap::config(&[&slapd.url()]))
    };
    let (changes, _) = ldap::go_on(everything, None, std::sync::Arc::default()).await;
    let ids = ["u000001", "u000002"].map(|uid| {
        let entries = ldap::entries(&changes);
        let one = entries.into_iter().find(|entry| entry.dn.starts_with(&format!("uid={uid},")));
        one.unwrap().anchor.clone()
    });
    slapd.modify(&format!("dn: uid=u000002,ou=people,{SUFFIX}\nchangetype: delete\n"));
    ids
}

#[rstest]
#[case::one_shows_no_id("access to dn.base=\"HIDDEN\" attrs=entryUUID by READER search by * read", 1)]
#[case::nobody_shows_an_id("access to attrs=entryUUID by READER search by * read", 0)]
#[case::nobody_is_found_by_the_id("access to attrs=entryUUID by READER none by * read", 0)]
#[case::people_are_not_found_by_the_id(
    "access to dn.subtree=\"ou=people,dc=example,dc=test\" attrs=entryUUID by READER none by * read",
    0
)]
#[case::one_is_not_found_by_the_id(
    "access to dn.base=\"HIDDEN\" attrs=entryUUID by READER none by * read",
    1
)]
#[case::one_shows_no_class("access to dn.base=\"HIDDEN\" attrs=objectClass by READER none by * read", 1)]
#[tokio::test]
async fn what_is_shown_in_part_is_neither_missing_nor_outside(#[case] access: &str, #[case] missing: usize) {
    let slapd = company(&access.replace("HIDDEN", HIDDEN));
    let [there, gone] = one_there_and_one_gone(&slapd).await;
    let source = LdapSource::new(config(&slapd, &["ou=people", "ou=groups"]));
    let called = [(&there, "u000001"), (&gone, "u000002")]
        .map(|(one, uid)| (one.clone(), format!("uid={uid},ou=people,{SUFFIX}")));
    let answer = source.look_up(&[there, gone.clone()], &called.into()).await.unwrap().unwrap();
    assert_eq!((answer.found.len(), answer.missing.len()), (0, missing), "{answer:?}");
    assert!(answer.missing.iter().all(|one| *one == gone));
}

#[tokio::test]
async fn who_lies_elsewhere_is_outside_whatever_is_shown() {
    let slapd =
        company(&format!("access to dn.base=\"{HIDDEN}\" attrs=objectClass by READER none by * read"));
    let [there, gone] = one_there_and_one_gone(&slapd).await;
    let source = LdapSource::new(config(&slapd, &["ou=groups"]));
    let answer = source.look_up(&[there.clone(), gone.clone()], &HashMap::new()).await.unwrap().unwrap();
    assert_eq!((answer.found, answer.missing), (vec![there], vec![gone]));
}

#[rstest]
#[case::full_reads("FullRead", "search")]
#[case::syncrepl("Auto", "search")]
#[case::nor_is_found_by_it("FullRead", "none")]
#[test]
fn who_is_renamed_and_shows_no_id_any_more_stays(#[case] feed: &str, #[case] may: &str) {
    let renamed = format!("uid=hidden,ou=people,{SUFFIX}");
    let access = format!("access to dn.base=\"{renamed}\" attrs=entryUUID by READER {may} by * read");
    let slapd = company(&access);
    let desk = Desk::new();
    let manifests = slapd.manifests(&format!("    changeFeed: {feed}"), "");
    desk.write("manifests.yaml", manifests.replace(ADMIN, READER));
    desk.sync(&[]).exits(0);
    let active = |desk: &Desk| desk.registry().iter().filter(|one| one["active"] == true).count();
    let before = active(&desk);
    slapd.modify(&format!("dn: {HIDDEN}\nchangetype: modrdn\nnewrdn: uid=hidden\ndeleteoldrdn: 1\n"));
    for _ in 0..2 {
        desk.sync(&[]);
        assert_eq!(active(&desk), before);
    }
    // Who is gone goes all the same.
    slapd.modify(&format!("dn: uid=u000002,ou=people,{SUFFIX}\nchangetype: delete\n"));
    desk.sync(&[]);
    assert_eq!(active(&desk), before - 1);
}

/// What keeps its uid whatever it is.
const STRANGE: &str = "dn: cn=Cid,ou=people,dc=example,dc=test\nobjectClass: device\nobjectClass: extensibleObject\n\
                       objectClass: posixAccount\ncn: Cid\nuid: cid\nuidNumber: 7\ngidNumber: 7\nhomeDirectory: /\n\
                       mail: cid@example.test\n\n";

#[rstest]
#[case::by_its_classes("", true)]
#[case::though_groups_have_a_filter("groupFilter: (member=*)", true)]
#[case::by_a_filter_of_somebodys_own("userFilter: (objectClass=posixAccount)", false)]
#[test]
fn whose_class_is_not_known_any_more_stays(
    #[case] filter: &str,
    #[case] stays: bool,
    #[values("FullRead", "SyncRepl")] feed: &str,
) {
    let setup = Setup {
        ldif: &(large(30, 2, 5, 5) + STRANGE),
        global: "moduleload syncprov",
        database: "overlay syncprov\nsyncprov-sessionlog 1000",
        ..Setup::default()
    };
    let slapd = Slapd::start(&setup);
    let desk = Desk::new();
    let filter = if filter.is_empty() { String::new() } else { format!("\n    {filter}") };
    let manifests = slapd.manifests(&format!("    changeFeed: {feed}{filter}"), "");
    desk.write("manifests.yaml", manifests);
    desk.sync(&[]).exits(0);
    let dn = format!("cn=Cid,ou=people,{SUFFIX}");
    let modify = |verb: &str| {
        slapd.modify(&format!(
            "dn: {dn}\nchangetype: modify\n{verb}: objectClass\nobjectClass: posixAccount\n"
        ));
    };
    let of_cid = |desk: &Desk| {
        desk.registry().iter().any(|one| one["active"] == true && one["userName"] == "cid@example.test")
    };
    assert!(of_cid(&desk));
    modify("delete");
    for _ in 0..2 {
        let ran = desk.sync(&[]);
        assert_eq!(of_cid(&desk), stays, "{}", ran.said());
        assert_eq!(
            ran.said().contains(&dn) && ran.said().contains("no user, contact or group"),
            stays,
            "{}",
            ran.said()
        );
    }
    modify("add");
    let said = desk.sync(&[]).exits(0).said();
    assert!(of_cid(&desk) && !said.contains("WithExceptions"), "{said}");
}

#[rstest]
#[case(7)]
#[case(1)]
#[tokio::test]
async fn pages_may_be_as_small_as_a_server_wants(#[case] largest: u32) {
    let mut ldif = large(40, 0, 0, 0);
    write!(ldif, "dn: {READER}\nobjectClass: person\ncn: reader\nsn: reader\nuserPassword: {PASSWORD}\n\n")
        .unwrap();
    let database = format!("limits users size.soft=5 size.hard=5 size.pr={largest} size.prtotal=unlimited");
    let slapd = Slapd::start(&Setup { ldif: &ldif, database: &database, ..Setup::default() });
    let (changes, ended) = ldap::go_on(config(&slapd, &["ou=people"]), None, std::sync::Arc::default()).await;
    ended.unwrap();
    assert_eq!(changes.iter().filter(|change| matches!(change, Change::Replace(_))).count(), 40);
}

#[tokio::test]
async fn a_limit_that_no_page_size_keeps_names_the_page_size() {
    let ldif = large(40, 0, 0, 0);
    let database = "limits * size.soft=5 size.hard=5 size.prtotal=disabled";
    let slapd = Slapd::start(&Setup { ldif: &ldif, database, ..Setup::default() });
    let mut anonymous = config(&slapd, &["ou=people"]);
    anonymous.ldap.bind = None;
    let (_, ended) = ldap::go_on(anonymous, None, std::sync::Arc::default()).await;
    let error = ended.unwrap_err().to_string();
    assert!(error.contains("pageSize") && error.contains("sizeLimitExceeded"), "{error}");
}
