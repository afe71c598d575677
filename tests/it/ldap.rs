//! The LDAP source on a real OpenLDAP server.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use rollcall::directory::{
    Anchor, Batch, Change, Completion, ConnectorName, Cursor, Entry, Members, Stated, fields,
};
use rollcall::secret::Secret;
use rollcall::source::ldap::{Bind, GenericConfig, LdapConfig, LdapSource};
use rollcall::source::{LastRead, LookUp, Reason, Sink, Source as _, SourceError, schema};
use rollcall::store::Store;
use rollcall::sync::import::import;
use rstest::rstest;
use tokio::sync::mpsc;

use crate::support::cli::Desk;
use crate::support::company::{hurtful, large, tree};
use crate::support::cut::Cut;
use crate::support::hand::Hand;
use crate::support::reading;
use crate::support::slapd::{self, ADMIN, PASSWORD, SUFFIX, Setup, Slapd};

pub(crate) fn config(urls: &[&str]) -> LdapConfig {
    LdapConfig {
        urls: urls.iter().map(|url| (*url).to_owned()).collect(),
        start_tls: false,
        insecure: true,
        ca_pem: None,
        server_name: None,
        bind: Some(Bind { dn: ADMIN.to_owned(), password: Secret::new(PASSWORD) }),
        base_dns: Vec::new(),
        exclude_dns: Vec::new(),
        user_filter: None,
        group_filter: None,
        literal: BTreeSet::new(),
        page_size: 500,
    }
}

/// The same, with nothing else configured.
pub(crate) fn generic(ldap: LdapConfig) -> GenericConfig {
    GenericConfig { ldap, anchor: None, sync_repl: false }
}

pub(crate) fn source(ldap: LdapConfig) -> LdapSource {
    LdapSource::new(generic(ldap))
}

/// Reads to the end; what came, and how it ended.
async fn read(config: LdapConfig) -> (Vec<Change>, Result<Completion, SourceError>) {
    go_on(generic(config), None, Arc::default()).await
}

/// What entries are called.
pub(crate) type Called = HashMap<Anchor, String>;

struct Last(Arc<Called>);

impl LastRead for Last {
    fn called(&self, _: &[Anchor]) -> Called {
        Called::clone(&self.0)
    }
}

/// Reads on from `cursor`, where entries were called so.
pub(crate) async fn go_on(
    config: GenericConfig,
    cursor: Option<Cursor>,
    called: Arc<Called>,
) -> (Vec<Change>, Result<Completion, SourceError>) {
    let (sink, mut batches) = mpsc::channel::<Batch>(2);
    let sink = Sink::after(Arc::new(Last(called)), sink);
    let reading = tokio::spawn(async move { LdapSource::new(config).read(cursor.as_ref(), sink).await });
    let mut came = Vec::new();
    while let Some(batch) = batches.recv().await {
        assert!(batch.0.len() <= Batch::MAX);
        came.extend(batch.0);
    }
    (came, reading.await.unwrap())
}

pub(crate) fn entries(changes: &[Change]) -> Vec<&Entry> {
    let mut entries = Vec::new();
    for change in changes {
        if let Change::Replace(entry) = change {
            entries.push(&**entry);
        }
    }
    entries
}

fn anchor_of(changes: &[Change], uid: &str) -> Anchor {
    let wanted = format!("uid={uid},");
    entries(changes).iter().find(|entry| entry.dn.starts_with(&wanted)).unwrap().anchor.clone()
}

#[track_caller]
fn fails(ended: Result<Completion, SourceError>, reason: Reason, parts: &[&str]) {
    let error = ended.expect_err("the read must not complete");
    let message = error.to_string();
    assert_eq!(error.reason, reason, "{message}");
    for part in parts {
        assert!(message.contains(part), "{part:?} is not in {message:?}");
    }
    assert!(!message.contains(PASSWORD), "{message}");
}

#[tokio::test]
async fn reads_everything_and_says_whose_it_is() {
    let slapd = Slapd::start(&Setup { ldif: &hurtful(), ..Setup::default() });
    let (changes, ended) = read(config(&[&slapd.url()])).await;
    let completion = ended.unwrap();
    assert_eq!(completion.directory.as_str(), SUFFIX);
    assert_eq!(completion.vendor.as_deref(), Some("OpenLDAP"));
    assert_eq!(completion.notices.len(), 1, "{:?}", completion.notices);
    assert!(
        completion.notices[0]
            .contains("2 references to other servers were not followed (ldap://far.example.test")
    );
    assert!(completion.fields.contains(fields::MAIL));
    assert_eq!(entries(&changes).len(), changes.len());
    assert_eq!(changes.len(), 22 + 10);
}

#[tokio::test]
async fn a_value_that_is_no_text_costs_only_its_field() {
    let mut ldif = tree();
    ldif.push_str("dn: uid=photo,ou=people,dc=example,dc=test\nobjectClass: inetOrgPerson\nuid: photo\ncn: Photo\nsn: P\nmail: p@example.test\njpegPhoto:: /9j/4AAQ\n\n");
    let slapd = Slapd::start(&Setup { ldif: &ldif, ..Setup::default() });
    let literal = BTreeSet::from(["jpegPhoto".to_owned()]);
    let (changes, ended) = read(LdapConfig { literal: literal.clone(), ..config(&[&slapd.url()]) }).await;
    assert_eq!(ended.unwrap().attributes, literal);
    let entry = entries(&changes)[0];
    assert_eq!(entry.attributes["jpegPhoto"], rollcall::directory::Stated::Undecodable);
    assert!(entry.fields.contains_key(fields::MAIL));
}

/// Options of attributes, primary groups, machines and aliases, as OpenLDAP gives them.
#[tokio::test]
async fn reads_what_attributes_mean() {
    let mut ldif = tree();
    ldif.push_str(
        "dn: uid=rei,ou=people,dc=example,dc=test\nobjectClass: inetOrgPerson\nobjectClass: posixAccount\nuid: rei\n\
         cn;lang-ja: R\ncn: Rei\nsn: O\nmail;x-old: old@example.test\nmail: rei@example.test \ngidNumber: 700\nuidNumber: 1\n\
         homeDirectory: /\n\n\
         dn: uid=pc1$,ou=people,dc=example,dc=test\nobjectClass: account\nobjectClass: posixAccount\nuid: pc1$\ncn: pc1\n\
         gidNumber: 700\nuidNumber: 2\nhomeDirectory: /\n\n\
         dn: cn=staff,ou=people,dc=example,dc=test\nobjectClass: posixGroup\ncn;lang-de: Belegschaft\ncn: crew\ncn: staff\n\
         gidNumber: 700\n\n\
         dn: cn=other,ou=people,dc=example,dc=test\nobjectClass: alias\nobjectClass: extensibleObject\ncn: other\n\
         aliasedObjectName: uid=rei,ou=people,dc=example,dc=test\n\n",
    );
    let global = "attributeoptions lang- x-";
    let slapd = Slapd::start(&Setup { ldif: &ldif, global, ..Setup::default() });
    let literal = BTreeSet::from(["CN;Lang-JA".to_owned(), "cn".to_owned()]);
    let (changes, ended) = read(LdapConfig { literal, ..config(&[&slapd.url()]) }).await;
    let completion = ended.unwrap();
    assert_eq!(completion.id.as_deref(), Some("entryUUID"));
    assert!(
        completion.notices.iter().any(|notice| notice.starts_with("1 alias ")),
        "{:?}",
        completion.notices
    );
    let values = |of: &str| Stated::Values(vec![of.to_owned()]);
    let all = entries(&changes);
    let rei = all.iter().find(|entry| entry.dn.starts_with("uid=rei")).unwrap();
    assert_eq!(rei.fields[fields::MAIL], values("rei@example.test"));
    assert_eq!((&rei.attributes["CN;Lang-JA"], &rei.attributes["cn"]), (&values("R"), &values("Rei")));
    let staff = all.iter().find(|entry| entry.dn.starts_with("cn=staff")).unwrap();
    assert_eq!(staff.fields[fields::NAME], values("staff"));
    assert_eq!(staff.members, Members::Complete(vec![rei.names[0].clone()]));
    assert!(!all.iter().any(|entry| entry.dn.contains("pc1")));
}

#[tokio::test]
async fn trusts_the_given_authority_and_no_other() {
    let slapd = Slapd::start(&Setup { ldif: &tree(), ..Setup::default() });
    let secure = || LdapConfig { insecure: false, ..config(&[&slapd.secure_url()]) };
    let (_, ended) = read(LdapConfig { ca_pem: Some(slapd.ca()), ..secure() }).await;
    ended.unwrap();
    let (_, ended) = read(secure()).await;
    fails(ended, Reason::TlsFailed, &[&slapd.secure_url(), "not issued by a trusted authority", "tls.caRef"]);
    let stranger = Slapd::start(&Setup { ldif: &tree(), ..Setup::default() });
    let (_, ended) = read(LdapConfig { ca_pem: Some(stranger.ca()), ..secure() }).await;
    fails(ended, Reason::TlsFailed, &["not issued by a trusted authority"]);
}

#[tokio::test]
async fn a_certificate_must_be_valid_and_for_the_server() {
    let ldif = large(1, 0, 0, 0);
    let expired =
        Slapd::start(&Setup { ldif: &ldif, certificate_ends: Some(slapd::LONG_AGO), ..Setup::default() });
    let (_, ended) =
        read(LdapConfig { ca_pem: Some(expired.ca()), ..config(&[&expired.secure_url()]) }).await;
    fails(ended, Reason::TlsFailed, &["has expired", "renew it"]);
    let own = Slapd::start(&Setup { ldif: &ldif, self_signed: true, ..Setup::default() });
    let (_, ended) = read(LdapConfig { ca_pem: Some(own.ca()), ..config(&[&own.secure_url()]) }).await;
    fails(ended, Reason::TlsFailed, &["certificate authority's own", "CA:FALSE"]);
    let named = Slapd::start(&Setup { ldif: &ldif, names: &["ldap.corp.example"], ..Setup::default() });
    let to = || LdapConfig { ca_pem: Some(named.ca()), ..config(&[&named.secure_url()]) };
    let (_, ended) = read(to()).await;
    fails(ended, Reason::TlsFailed, &["not for 127.0.0.1", "ldap.corp.example", "tls.serverName"]);
    let (changes, ended) =
        read(LdapConfig { server_name: Some("ldap.corp.example".to_owned()), ..to() }).await;
    ended.unwrap();
    assert_eq!(changes.len(), 1);
}

#[tokio::test]
async fn start_tls_comes_before_the_password() {
    let ldif = large(1, 0, 0, 0);
    let slapd = Slapd::start(&Setup { ldif: &ldif, global: "security simple_bind=128", ..Setup::default() });
    let secured = LdapConfig { start_tls: true, ca_pem: Some(slapd.ca()), ..config(&[&slapd.url()]) };
    let (changes, ended) = read(secured).await;
    ended.unwrap();
    assert_eq!(changes.len(), 1);
    let (_, ended) = read(config(&[&slapd.url()])).await;
    fails(ended, Reason::AuthenticationFailed, &["confidentialityRequired", "ldaps:// or startTLS"]);
    let (_, ended) = read(LdapConfig { insecure: false, ..config(&[&slapd.url()]) }).await;
    fails(ended, Reason::TlsFailed, &["insecure: true"]);
    let (_, ended) =
        read(LdapConfig { ca_pem: Some(slapd.ca()), ..config(&[&slapd.url().replace("ldap:", "ldaps:")]) })
            .await;
    fails(ended, Reason::TlsFailed, &["no secure connection"]);
}

#[tokio::test]
async fn tries_one_url_after_another() {
    let slapd = Slapd::start(&Setup { ldif: &large(1, 0, 0, 0), ..Setup::default() });
    let (changes, ended) = read(config(&["ldap://127.0.0.1:1", &slapd.url()])).await;
    let notices = ended.unwrap().notices;
    assert!(notices.len() == 1 && notices[0].contains("ldap://127.0.0.1:1 cannot be reached"), "{notices:?}");
    assert_eq!(changes.len(), 1);
    let (_, ended) = read(config(&["ldap://127.0.0.1:1", "ldap://127.0.0.1:2"])).await;
    fails(ended, Reason::Unreachable, &["ldap://127.0.0.1:1", "ldap://127.0.0.1:2", "refused"]);
}

#[tokio::test]
async fn tries_the_next_url_when_one_takes_connections_and_drops_them() {
    let slapd = Slapd::start(&Setup { ldif: &large(1, 0, 0, 0), ..Setup::default() });
    let balancer = Cut::start(slapd.port(), 0).await;
    let dead = format!("ldap://127.0.0.1:{}", balancer.port);
    let (changes, ended) = read(config(&[&dead, &slapd.url()])).await;
    let notices = ended.unwrap().notices;
    assert!(notices.len() == 1 && notices[0].contains(&dead), "{notices:?}");
    assert_eq!(changes.len(), 1);
}

#[tokio::test]
async fn names_the_secret_when_the_password_is_wrong() {
    let slapd = Slapd::start(&Setup { ldif: &tree(), ..Setup::default() });
    let bind = Some(Bind { dn: ADMIN.to_owned(), password: Secret::new("not it") });
    let (_, ended) = read(LdapConfig { bind, ..config(&[&slapd.url()]) }).await;
    fails(ended, Reason::AuthenticationFailed, &[ADMIN, "credentialsSecretRef", "invalidCredentials"]);
}

#[tokio::test]
async fn a_line_break_after_the_password_is_left_out_and_said() {
    let slapd = Slapd::start(&Setup { ldif: &tree(), ..Setup::default() });
    let with = |password: &str| {
        let bind = Some(Bind { dn: ADMIN.to_owned(), password: Secret::new(password) });
        read(LdapConfig { bind, ..config(&[&slapd.url()]) })
    };
    for end in ["\n", "\r\n", "\n\n"] {
        let (_, ended) = with(&format!("{PASSWORD}{end}")).await;
        let notices = ended.unwrap().notices;
        assert!(notices.len() == 1 && notices[0].contains("ends in a line break"), "{notices:?}");
        assert!(notices[0].contains("--from-literal"), "{notices:?}");
    }
    let (_, ended) = with("not it\n").await;
    fails(ended, Reason::AuthenticationFailed, &["wrong name or password", "ends in a line break"]);
    let (_, ended) = with(PASSWORD).await;
    assert_eq!(ended.unwrap().notices, [""; 0]);
}

#[tokio::test]
async fn names_the_base_that_is_not_there() {
    let slapd = Slapd::start(&Setup { ldif: &tree(), ..Setup::default() });
    let base_dns = vec![format!("ou=persons,{SUFFIX}")];
    let (_, ended) = read(LdapConfig { base_dns, ..config(&[&slapd.url()]) }).await;
    fails(
        ended,
        Reason::NotFound,
        &["ou=persons", "the nearest existing entry is dc=example,dc=test", "baseDNs"],
    );
}

#[rstest]
#[case::larger_pages_refused(
    "limits users size.soft=100 size.hard=100 size.pr=100 size.prtotal=unlimited",
    Some(600)
)]
#[case::pages_refused("limits users size.soft=100 size.hard=100 size.prtotal=disabled", None)]
#[case::no_limit_without_pages("limits users size=unlimited size.prtotal=disabled", Some(600))]
#[case::total_limit("limits users size.soft=100 size.hard=100 size.pr=100 size.prtotal=300", None)]
#[tokio::test]
async fn lives_with_limits(#[case] limits: &str, #[case] came: Option<usize>) {
    let mut ldif = large(599, 0, 0, 0);
    ldif.push_str("dn: uid=reader,ou=people,dc=example,dc=test\nobjectClass: inetOrgPerson\nuid: reader\ncn: R\nsn: R\nuserPassword: read\n\n");
    let slapd = Slapd::start(&Setup { ldif: &ldif, database: limits, ..Setup::default() });
    let bind = Some(Bind { dn: format!("uid=reader,ou=people,{SUFFIX}"), password: Secret::new("read") });
    let (changes, ended) = read(LdapConfig { bind, ..config(&[&slapd.url()]) }).await;
    match came {
        Some(came) => {
            ended.unwrap();
            assert_eq!(changes.len(), came);
        }
        None => fails(ended, Reason::LimitExceeded, &["one of its limits", "nothing of this read was used"]),
    }
}

#[tokio::test]
async fn a_server_that_dies_leaves_no_completion() {
    let mut slapd = Slapd::start(&Setup { ldif: &large(6000, 0, 0, 0), ..Setup::default() });
    let source = source(LdapConfig { page_size: 100, ..config(&[&slapd.url()]) });
    let (sink, mut batches) = mpsc::channel::<Batch>(1);
    let reading = tokio::spawn(async move { source.read(None, sink.into()).await });
    let mut came = batches.recv().await.unwrap().0.len();
    slapd.stop();
    while let Some(batch) = batches.recv().await {
        came += batch.0.len();
    }
    assert!(came < 6000, "the server died too late to prove anything");
    fails(reading.await.unwrap(), Reason::Interrupted, &[&slapd.url(), "was lost", "entries had come"]);
}

#[tokio::test]
async fn looks_up_beyond_base_and_filter() {
    let slapd = Slapd::start(&Setup { ldif: &large(5, 1, 2, 2), ..Setup::default() });
    let (changes, _) = read(config(&[&slapd.url()])).await;
    let (there, gone) = (anchor_of(&changes, "u000001"), anchor_of(&changes, "u000002"));
    slapd.modify(&format!("dn: uid=u000002,ou=people,{SUFFIX}\nchangetype: delete\n"));
    let narrow = LdapConfig {
        base_dns: vec![format!("ou=groups,{SUFFIX}")],
        user_filter: Some("(uid=nobody)".to_owned()),
        ..config(&[&slapd.url()])
    };
    let called = HashMap::from([(there.clone(), vec![format!("uid=u000001,ou=people,{SUFFIX}")])]);
    let answer = source(narrow).look_up(&[there.clone(), gone.clone()], &HashMap::new()).await.unwrap();
    assert_eq!(
        answer,
        Some(LookUp {
            server: Some(slapd.url()),
            found: vec![there.clone()],
            missing: vec![gone.clone()],
            called: called.clone(),
            ..LookUp::default()
        })
    );
    // One that the read should have brought is not elsewhere: it came, moved or changed meanwhile.
    let answer =
        source(config(&[&slapd.url()])).look_up(&[there, gone.clone()], &HashMap::new()).await.unwrap();
    let server = Some(slapd.url());
    assert_eq!(answer, Some(LookUp { server, missing: vec![gone.clone()], called, ..LookUp::default() }));
    // Whether the entry right above is there too is asked of the place that they had.
    for (place, is_orphan) in [("ou=people", false), ("ou=lost", true), ("ou=lost,ou=people", true)] {
        let called = HashMap::from([(gone.clone(), format!("uid=u000002,{place},{SUFFIX}"))]);
        let source = source(config(&[&slapd.url()]));
        let answer = source.look_up(std::slice::from_ref(&gone), &called).await.unwrap().unwrap();
        assert_eq!((answer.missing.len(), answer.orphans.len()), (1, usize::from(is_orphan)), "{place}");
    }
}

#[tokio::test]
async fn a_reader_that_goes_away_ends_the_read() {
    let slapd = Slapd::start(&Setup { ldif: &large(3000, 0, 0, 0), ..Setup::default() });
    let (sink, batches) = mpsc::channel::<Batch>(1);
    drop(batches);
    let ended = source(config(&[&slapd.url()])).read(None, sink.into()).await;
    fails(ended, Reason::Cancelled, &[]);
}

#[test]
fn a_sync_gives_what_an_independent_reading_gives() {
    let slapd = Slapd::start(&Setup { ldif: &hurtful(), ..Setup::default() });
    let desk = Desk::new();
    desk.write(
        "manifests.yaml",
        slapd.manifests("", "  limits: { quarantined: { count: 2, percent: 100 } }"),
    );
    let compare = |desk: &Desk| desk.differences(&["--base", SUFFIX, "--ldapsearch", &slapd.ldapsearch()]);
    desk.sync(&[]).exits(0).says("InStepWithExceptions").says("uid=twin1").says("have the same name");
    compare(&desk).exits(0).says("20 users, 10 groups, ");
    // Renamed, moved and with another name at once: still the same person.
    let before = desk.registry();
    slapd.modify(&format!(
        "dn: uid=plain1,ou=people,{SUFFIX}\nchangetype: modrdn\nnewrdn: uid=wed\ndeleteoldrdn: 1\n\
         newsuperior: ou=groups,{SUFFIX}\n\ndn: uid=wed,ou=groups,{SUFFIX}\nchangetype: modify\nreplace: mail\n\
         mail: wed@example.test\n-\nreplace: sn\nsn: Wed\n"
    ));
    desk.sync(&[]).exits(0);
    let after = desk.registry();
    let id = |all: &[serde_json::Value], name: &str| {
        let found = all.iter().find(|resource| resource["userName"] == name);
        found.map(|resource| resource["id"].clone())
    };
    assert_eq!(id(&before, "plain1@example.test"), id(&after, "wed@example.test"));
    assert_eq!(id(&after, "plain1@example.test"), None);
    // The directory's groups still name the old place, which says of nobody that they left.
    let mixed = |all: &[serde_json::Value]| {
        all.iter().find(|resource| resource["displayName"] == "mixed").unwrap()["members"].clone()
    };
    let ids = |members: serde_json::Value| -> BTreeSet<String> {
        members.as_array().unwrap().iter().map(|member| member["value"].to_string()).collect()
    };
    assert_eq!(ids(mixed(&before)), ids(mixed(&after)));
    slapd.modify(&format!(
        "dn: cn=mixed,ou=groups,{SUFFIX}\nchangetype: modify\ndelete: member\nmember: uid=plain1,ou=people,{SUFFIX}\n"
    ));
    desk.sync(&[]).exits(0);
    compare(&desk).exits(0).says("20 users, 10 groups, ");
}

#[test]
fn whatever_stops_a_read_removes_nobody() {
    let mut slapd = Slapd::start(&Setup { ldif: &large(30, 3, 8, 20), ..Setup::default() });
    let desk = Desk::new();
    desk.write("manifests.yaml", slapd.manifests("", ""));
    desk.sync(&[]).exits(0);
    let before = desk.registry();
    assert_eq!(before.len(), 33);
    // A base that is not there.
    desk.write("manifests.yaml", slapd.manifests("    baseDNs: [\"ou=nowhere,dc=example,dc=test\"]", ""));
    desk.sync(&[]).exits(1).says("NotFound").says("ou=nowhere");
    // A base that holds nobody.
    slapd.modify(&format!(
        "dn: ou=empty,{SUFFIX}\nchangetype: add\nobjectClass: organizationalUnit\nou: empty\n"
    ));
    desk.write(
        "manifests.yaml",
        slapd.manifests("    baseDNs: [\"ou=empty,dc=example,dc=test\"]\n    anchorAttribute: entryUUID", ""),
    );
    desk.sync(&[]).exits(1).says("was complete and empty, where 33 entries were before");
    // Everybody is deleted but one.
    desk.write("manifests.yaml", slapd.manifests("", ""));
    let delete = |at: u32| format!("dn: uid=u{at:06},ou=people,{SUFFIX}\nchangetype: delete\n");
    slapd.modify(&(1..30).map(delete).collect::<Vec<_>>().join("\n"));
    desk.sync(&[])
        .exits(3)
        .says("Held")
        .says("29 users would be removed")
        .says("limits.userRemovals allows 5");
    assert_eq!(active(&desk), 30);
    slapd.stop();
    desk.sync(&[]).exits(1).says("Unreachable").says("nothing was removed because of it");
    assert_eq!(active(&desk), 30);
    assert_eq!(desk.registry().len(), before.len());
}

#[tokio::test]
async fn nobody_is_advised_to_know_entries_by_another_id_where_no_entry_can_be_seen() {
    let (ldif, folder) = (large(3, 1, 2, 2), tempfile::tempdir().unwrap());
    let store = Store::open(folder.path()).unwrap();
    let read = async |database: &str| {
        let slapd = Slapd::start(&Setup { ldif: &ldif, database, ..Setup::default() });
        let source = source(LdapConfig { bind: None, ..config(&[&slapd.url()]) });
        let connector = ConnectorName::new("test", "corp");
        import(&source, &store, &connector, reading::options(), &Hand::hours(0), |_| {}).await
    };
    read("access to * by * read").await.unwrap();
    let hidden = "access to attrs=objectClass by * none\naccess to * by * read";
    let error = read(hidden).await.unwrap_err().to_string();
    assert!(error.contains("finds no user who could show it"), "{error}");
    assert!(!error.contains("anchorAttribute"), "{error}");
}

#[test]
fn what_is_approved_is_looked_up_first_whatever_its_number() {
    let slapd = Slapd::start(&Setup { ldif: &large(1_300, 2, 5, 5), ..Setup::default() });
    let desk = Desk::new();
    desk.write("manifests.yaml", slapd.manifests("", ""));
    desk.sync(&[]).exits(0);
    let delete = |at: u32| format!("dn: uid=u{at:06},ou=people,{SUFFIX}\nchangetype: delete\n");
    slapd.modify(&(100..1_300).map(delete).collect::<Vec<_>>().join("\n"));
    let held = desk.sync(&[]).exits(3).says("200 entries are missing and were not looked up yet");
    let held =
        held.says("1200 users would be removed").says("missing from the directory, and not looked up yet");
    assert_eq!(active(&desk), 1_300);
    let digest = held.out.split("--approve ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    desk.sync(&["--approve", &digest]).exits(0);
    assert_eq!(active(&desk), 100);
    desk.sync(&[]).exits(0).says("InStep");
}

#[test]
fn a_password_is_never_seen() {
    let slapd = Slapd::start(&Setup { ldif: &large(3, 1, 2, 2), ..Setup::default() });
    let desk = Desk::new();
    let unlikely = "pässwörd-4711";
    for (password, code) in [(PASSWORD, 0), (unlikely, 1)] {
        let manifests = slapd
            .manifests("", "")
            .replace(&format!("password: {PASSWORD}"), &format!("password: {password}"));
        desk.write("manifests.yaml", manifests);
        let ran = desk.sync(&["--log", "trace", "-o", "json"]).exits(code).says("ran");
        assert!(!ran.said().contains(unlikely) && !ran.said().contains("secret"), "{}", ran.said());
    }
}

fn active(desk: &Desk) -> usize {
    desk.registry().iter().filter(|resource| resource["active"] == true).count()
}

#[rstest]
#[case("dn", "uid=u1,ou=people,dc=example,dc=test", "uid=gone,ou=people,dc=example,dc=test")]
#[case("uid", "u1", "gone")]
// Sixteen octets are taken for a binary id, though they may be text.
#[case("employeeNumber", "1234567890-ABCDE", "1234567890-GONE!")]
#[tokio::test]
async fn looks_up_in_every_spelling_of_an_anchor(
    #[case] anchor: &str,
    #[case] there: &str,
    #[case] gone: &str,
) {
    let user = "dn: uid=u1,ou=people,dc=example,dc=test\nobjectClass: inetOrgPerson\nuid: u1\ncn: One\nsn: One\n\
                employeeNumber: 1234567890-ABCDE\n\n";
    let slapd = Slapd::start(&Setup { ldif: &(tree() + user), ..Setup::default() });
    let nobody = LdapConfig { user_filter: Some("(uid=nobody)".to_owned()), ..config(&[&slapd.url()]) };
    let source = LdapSource::new(GenericConfig { anchor: Some(anchor.to_owned()), ..generic(nobody) });
    let (there, gone) = [there, gone].map(|id| schema::anchor("entryUUID", id.as_bytes()).unwrap()).into();
    let settled = source.look_up(&[there.clone(), gone.clone()], &HashMap::new()).await.unwrap().unwrap();
    let called = HashMap::from([(there.clone(), vec![format!("uid=u1,ou=people,{SUFFIX}")])]);
    let (server, found) = (Some(slapd.url()), vec![there]);
    assert_eq!(settled, LookUp { server, found, missing: vec![gone], called, ..LookUp::default() });
}

#[tokio::test]
async fn a_look_up_names_every_entry_with_the_id() {
    let person = |uid: &str, number: &str| {
        format!(
            "dn: uid={uid},ou=people,{SUFFIX}\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {uid}\nsn: {uid}\n\
             employeeNumber: {number}\n\n"
        )
    };
    let ldif = tree() + &[person("ida", "k7"), person("jon", "K7"), person("kai", "k8")].concat();
    let slapd = Slapd::start(&Setup { ldif: &ldif, ..Setup::default() });
    let anchor = Some("employeeNumber".to_owned());
    let source = LdapSource::new(GenericConfig { anchor, ..generic(config(&[&slapd.url()])) });
    let anchors = ["k7", "k8", "k9"].map(Anchor::new);
    let mut called = source.look_up(&anchors, &HashMap::new()).await.unwrap().unwrap().called;
    for dns in called.values_mut() {
        dns.sort();
    }
    let dn = |uid: &str| format!("uid={uid},ou=people,{SUFFIX}");
    let [two, one, _] = anchors;
    assert_eq!(called, HashMap::from([(two, vec![dn("ida"), dn("jon")]), (one, vec![dn("kai")])]));
}

#[test]
fn two_with_one_id_name_each_other_and_recover() {
    let person = |uid: &str, number: u32| {
        format!(
            "dn: uid={uid},ou=people,{SUFFIX}\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {uid}\nsn: {uid}\n\
             mail: {uid}@example.test\nemployeeNumber: {number}\n\n"
        )
    };
    let ldif = tree() + &[person("ida", 71), person("jon", 72)].concat();
    let slapd = Slapd::start(&Setup { ldif: &ldif, ..Setup::default() });
    let desk = Desk::new();
    desk.write("manifests.yaml", slapd.manifests("    anchorAttribute: employeeNumber", ""));
    desk.sync(&[]).exits(0);
    let before = desk.registry();
    slapd.modify(&person("kai", 72).replacen('\n', "\nchangetype: add\n", 1));
    for _ in 0..2 {
        let said =
            desk.sync(&[]).exits(0).says("InStepWithExceptions").says("have the same employeeNumber (72)");
        said.says(&format!("uid=jon,ou=people,{SUFFIX} and uid=kai,ou=people,{SUFFIX}"));
        assert_eq!(desk.registry(), before);
    }
    slapd.modify(&format!(
        "dn: uid=kai,ou=people,{SUFFIX}\nchangetype: modify\nreplace: employeeNumber\nemployeeNumber: 73\n"
    ));
    let said = desk.sync(&[]).exits(0);
    assert!(!said.said().contains("WithExceptions"), "{}", said.said());
    let after = desk.registry();
    let id = |all: &[serde_json::Value], uid: &str| {
        let name = format!("{uid}@example.test");
        all.iter().find(|resource| resource["userName"] == name.as_str()).map(|found| found["id"].clone())
    };
    assert_eq!(id(&before, "jon"), id(&after, "jon"));
    assert_eq!(id(&before, "ida"), id(&after, "ida"));
    assert_eq!(after.len(), before.len() + 1);
    assert!(id(&after, "kai").is_some());
}

#[tokio::test]
async fn looks_up_below_the_bases_where_the_context_is_out_of_bounds() {
    let database = "access to dn.base=\"dc=example,dc=test\" by * none\naccess to * by * read";
    let slapd = Slapd::start(&Setup { ldif: &hurtful(), database, ..Setup::default() });
    let base_dns = vec![format!("ou=people,{SUFFIX}")];
    let source = source(LdapConfig { bind: None, base_dns, ..config(&[&slapd.url()]) });
    let gone = Anchor::new("00000000-0000-4000-8000-000000000000");
    let settled = source.look_up(std::slice::from_ref(&gone), &HashMap::new()).await.unwrap().unwrap();
    assert_eq!(settled, LookUp { server: Some(slapd.url()), missing: vec![gone], ..LookUp::default() });
}

#[tokio::test]
async fn an_unpaged_read_does_not_run_ahead_of_its_sink() {
    let description = "x".repeat(4_000);
    let people = (0..10_000).map(|number| {
        format!(
            "dn: uid=u{number},ou=people,{SUFFIX}\nobjectClass: inetOrgPerson\nuid: u{number}\ncn: {number}\n\
             sn: {number}\ndescription: {description}\n\n"
        )
    });
    let ldif = [tree()].into_iter().chain(people).collect::<Vec<_>>().concat();
    let database = "limits * size=unlimited size.prtotal=disabled";
    let mut slapd = Slapd::start(&Setup { ldif: &ldif, database, ..Setup::default() });
    let source = source(LdapConfig { bind: None, ..config(&[&slapd.url()]) });
    let (sink, mut batches) = mpsc::channel::<Batch>(1);
    let taking = async {
        let mut came = batches.recv().await.unwrap().0.len();
        // Every chance to read ahead. What the kernel holds for the connection is all that may come.
        for _ in 0..100_000 {
            tokio::task::yield_now().await;
        }
        slapd.stop();
        while let Some(batch) = batches.recv().await {
            came += batch.0.len();
        }
        came
    };
    let (ended, came) = tokio::join!(source.read(None, sink.into()), taking);
    assert!((1000..9000).contains(&came), "{came}");
    fails(ended, Reason::Interrupted, &["was lost"]);
}

#[tokio::test]
async fn a_scope_is_the_same_in_every_spelling() {
    let slapd = Slapd::start(&Setup { ldif: &hurtful(), ..Setup::default() });
    let mut scopes = BTreeSet::new();
    for bases in [["ou=people", "ou=groups"], ["OU = Groups", "ou=People"]] {
        let base_dns = bases.iter().map(|base| format!("{base},{SUFFIX}")).collect();
        let (_, ended) = read(LdapConfig { base_dns, ..config(&[&slapd.url()]) }).await;
        scopes.insert(ended.unwrap().scope);
    }
    assert_eq!(scopes.len(), 1, "{scopes:?}");
}

#[tokio::test]
async fn an_empty_password_is_no_login() {
    let slapd = Slapd::start(&Setup {
        ldif: &hurtful(),
        global: "allow bind_anon_cred bind_anon_dn",
        ..Setup::default()
    });
    let bind = Some(Bind { dn: ADMIN.to_owned(), password: Secret::new("") });
    let (sink, _batches) = mpsc::channel(8);
    let source = source(LdapConfig { bind, ..config(&[&slapd.url()]) });
    let error = source.read(None, sink.into()).await.unwrap_err();
    assert_eq!(error.reason, Reason::AuthenticationFailed);
    assert!(error.message.contains("is empty"), "{error}");
}

#[tokio::test]
async fn a_connection_cut_anywhere_gives_no_completion() {
    let slapd = Slapd::start(&Setup { ldif: &large(60, 4, 20, 30), ..Setup::default() });
    let (mut cuts, mut whole) = (0, 0);
    // From the first bytes to well past the last.
    for after in (0..40_000).step_by(1_111) {
        let cut = Cut::start(slapd.port(), after).await;
        let url = format!("ldap://127.0.0.1:{}", cut.port);
        let (changes, ended) = read(LdapConfig { page_size: 10, ..config(&[&url]) }).await;
        match ended {
            Ok(_) => {
                assert_eq!(
                    changes.len(),
                    64,
                    "a completion after {after} bytes, with {} entries",
                    changes.len()
                );
                whole += 1;
            }
            Err(error) => {
                assert!(error.to_string().contains(&url), "{error}");
                cuts += 1;
            }
        }
    }
    assert!(cuts > 5 && whole > 2, "{cuts} cuts and {whole} whole reads prove little");
}

#[test]
fn a_server_that_is_behind_the_one_before_is_not_believed() {
    let ldif = large(12, 2, 5, 5);
    let setup = Setup {
        ldif: &ldif,
        global: "moduleload syncprov",
        database: "overlay syncprov",
        ..Setup::default()
    };
    let (mut ahead, behind) = (Slapd::start(&setup), Slapd::start(&setup));
    let desk = Desk::new();
    let urls = format!("\"{}\", \"{}\"", ahead.url(), behind.url());
    let manifests = ahead.manifests("    anchorAttribute: uid", "");
    desk.write("manifests.yaml", manifests.replace(&format!("\"{}\"", ahead.url()), &urls));
    desk.sync(&[]).exits(0);
    let before = active(&desk);
    let joins = |uid: &str| {
        format!(
            "dn: uid={uid},ou=people,{SUFFIX}\nchangetype: add\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {uid}\nsn: {uid}\n\
             mail: {uid}@example.test\n"
        )
    };
    ahead.modify(&joins("joiner"));
    desk.sync(&[]).exits(0);
    assert_eq!(active(&desk), before + 1);
    ahead.stop();
    for _ in 0..2 {
        let said = desk.sync(&[]).said();
        assert!(said.contains("contextCSN") && said.contains(&behind.url()), "{said}");
        assert_eq!(active(&desk), before + 1);
    }
    // It has caught up.
    behind.modify(&joins("joiner"));
    desk.sync(&[]).exits(0);
    assert_eq!(active(&desk), before + 1);
}
