//! The Active Directory source on a real domain controller (Samba).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;

use jiff::Timestamp;
use rollcall::directory::{
    Batch, Change, Completion, Cursor, Entry, EntryKind, Members, Mode, Reference, Stated, fields,
};
use rollcall::secret::Secret;
use rollcall::source::ldap::{ActiveDirectoryConfig, ActiveDirectorySource, Bind, ChangeFeed, LdapConfig};
use rollcall::source::{Reason, Source as _, SourceError};
use rstest::rstest;
use tokio::sync::mpsc;

use crate::ldap;
use crate::support::limits::{Deviations, Limits};
use crate::support::samba::{ADMIN, DOMAIN, PASSWORD, Samba};

/// Everything that an entry can have that is a trap.
fn company() -> String {
    let mut ldif = String::new();
    for ou in ["Staff", "Old", "Groups"] {
        write!(ldif, "dn: OU={ou},{DOMAIN}\nchangetype: add\nobjectClass: organizationalUnit\n\n").unwrap();
    }
    let mut add = |rdn: &str, class: &str, rest: &str| {
        write!(ldif, "dn: {rdn},{DOMAIN}\nchangetype: add\nobjectClass: {class}\n{rest}\n\n").unwrap();
    };
    add(
        "CN=Ann Lee,OU=Staff",
        "user",
        "sAMAccountName: ann\nuserPrincipalName: ann@ad.example.test\nuserAccountControl: 544\ngivenName: Ann\nsn: Lee\n\
         mail: Ann.Lee@example.test\nproxyAddresses: smtp:ann@example.test\nproxyAddresses: SMTP:ann.lee@example.test\n\
         proxyAddresses: X500:/o=Example\ndepartment: Sales",
    );
    add(
        "CN=Bob\\, the second,OU=Staff",
        "user",
        "sAMAccountName: bob\nuserAccountControl: 546\nmail: bob@example.test",
    );
    add(
        "CN=Cid,OU=Staff",
        "user",
        "sAMAccountName: cid\nuserAccountControl: 544\naccountExpires: 133801632000000000\nmanager: CN=Ann Lee,OU=Staff,DC=ad,DC=example,DC=test",
    );
    add("CN=Dora,OU=Staff", "contact", "mail: dora@partner.test");
    add("CN=Eve,OU=Old", "user", "sAMAccountName: eve\nuserAccountControl: 544");
    add("CN=PC1,OU=Staff", "computer", "sAMAccountName: PC1$\nuserAccountControl: 4096");
    add(
        "CN=Sales,OU=Groups",
        "group",
        "sAMAccountName: sales\nmember: CN=Ann Lee,OU=Staff,DC=ad,DC=example,DC=test\n\
         member: CN=Dora,OU=Staff,DC=ad,DC=example,DC=test\nmember: <SID=S-1-5-21-1-2-3-1104>",
    );
    add(
        "CN=All,OU=Groups",
        "group",
        "sAMAccountName: all\nmember: CN=Sales,OU=Groups,DC=ad,DC=example,DC=test",
    );
    add("CN=Nobody,OU=Groups", "group", "sAMAccountName: nobody");
    ldif
}

pub(crate) fn config(url: &str) -> ActiveDirectoryConfig {
    let bind = Some(Bind { dn: ADMIN.to_owned(), password: Secret::new(PASSWORD) });
    ActiveDirectoryConfig {
        ldap: LdapConfig { bind, page_size: ActiveDirectoryConfig::PAGE_SIZE, ..ldap::config(&[url]) },
        discovery: None,
        change_feed: ChangeFeed::FullRead,
    }
}

async fn read(config: ActiveDirectoryConfig) -> (Vec<Change>, Result<Completion, SourceError>) {
    read_on(config, None).await
}

async fn read_on(
    config: ActiveDirectoryConfig,
    cursor: Option<Cursor>,
) -> (Vec<Change>, Result<Completion, SourceError>) {
    let (sink, mut batches) = mpsc::channel::<Batch>(2);
    let reading =
        tokio::spawn(
            async move { ActiveDirectorySource::new(config).read(cursor.as_ref(), sink.into()).await },
        );
    let mut came = Vec::new();
    while let Some(batch) = batches.recv().await {
        came.extend(batch.0);
    }
    (came, reading.await.unwrap())
}

/// By common name.
fn entries(changes: &[Change]) -> BTreeMap<String, &Entry> {
    let name = |dn: &str| dn.trim_start_matches("CN=").split(",OU=").next().unwrap().to_owned();
    let mut entries = BTreeMap::new();
    for change in changes {
        let Change::Replace(entry) = change else { panic!("{change:?}") };
        entries.insert(name(&entry.dn), &**entry);
    }
    entries
}

fn values(of: &[&str]) -> Stated {
    Stated::Values(of.iter().map(|value| (*value).to_owned()).collect())
}

#[tokio::test]
async fn reads_a_domain_as_it_is() {
    let samba = Samba::start();
    samba.modify(&company());
    let mut config = config(&samba.secure_url());
    config.ldap.insecure = false;
    config.ldap.ca_pem = Some(samba.ca());
    config.ldap.literal = BTreeSet::from(["Manager".to_owned()]);
    let (sink, _batches) = mpsc::channel::<Batch>(2);
    let by_another_kind = ldap::source(config.ldap.clone()).read(None, sink.into()).await.unwrap_err();
    assert!(by_another_kind.message.contains("kind activeDirectory"), "{by_another_kind}");
    let (changes, ended) = read(config.clone()).await;
    let completion = ended.unwrap();
    assert_eq!(completion.directory.as_str(), "dc=ad,dc=example,dc=test");
    assert!(completion.notices.is_empty(), "{:?}", completion.notices);
    let entries = entries(&changes);
    assert!(
        !entries.contains_key("PC1") && !entries.contains_key("krbtgt,CN=Users,DC=ad,DC=example,DC=test")
    );

    let ann = entries["Ann Lee"];
    assert_eq!((ann.kind, ann.disabled, ann.expires), (EntryKind::User, Some(false), None));
    assert_eq!(ann.dn, format!("CN=Ann Lee,OU=Staff,{DOMAIN}"));
    assert_eq!(ann.anchor.as_str().len(), 32);
    assert_eq!(ann.fields[fields::MAIL], values(&["Ann.Lee@example.test"]));
    assert_eq!(ann.fields[fields::ALIASES], values(&["ann@example.test"]));
    assert_eq!(ann.fields[fields::USER_NAME], values(&["ann@ad.example.test"]));
    assert_eq!(ann.fields[fields::DEPARTMENT], values(&["Sales"]));
    assert_eq!(entries["Bob\\, the second"].disabled, Some(true));
    let cid = entries["Cid"];
    assert_eq!(cid.expires, Some("2025-01-01T00:00:00Z".parse::<Timestamp>().unwrap()));
    assert_eq!(cid.attributes["Manager"], values(&[&ann.dn]));
    let dora = entries["Dora"];
    assert_eq!((dora.kind, dora.disabled), (EntryKind::Contact, None));
    assert_eq!(dora.fields[fields::MAIL], values(&["dora@partner.test"]));

    let by = |entry: &Entry| Reference::Anchor(entry.anchor.clone());
    let foreign = Reference::Sid("S-1-5-21-1-2-3-1104".to_owned());
    let members = |name: &str| match &entries[name].members {
        Members::Complete(members) => members.iter().cloned().collect::<BTreeSet<_>>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(members("Sales"), BTreeSet::from([by(ann), by(dora), foreign]));
    assert_eq!(members("All"), BTreeSet::from([by(entries["Sales"])]));
    assert_eq!(members("Nobody"), BTreeSet::new());
    let primary = members("Domain Users,CN=Users,DC=ad,DC=example,DC=test");
    assert!(primary.contains(&by(ann)) && primary.contains(&by(entries["Eve"])), "{primary:?}");

    // What is left out is somewhere else, and who is not there is not.
    let gone = rollcall::directory::Anchor::new("00".repeat(16));
    config.ldap.exclude_dns = vec![format!("ou=old,{DOMAIN}")];
    let eve = entries["Eve"].anchor.clone();
    let (changes, ended) = read(config.clone()).await;
    ended.unwrap();
    assert!(!self::entries(&changes).contains_key("Eve"));
    let asked = [eve.clone(), gone.clone(), ann.anchor.clone()];
    let answer = ActiveDirectorySource::new(config).look_up(&asked, &HashMap::new()).await.unwrap().unwrap();
    assert_eq!((answer.found, answer.missing), (vec![eve], vec![gone]));
}

#[tokio::test]
async fn reads_groups_of_any_size_within_the_limits_of_a_domain_controller() {
    let samba = Samba::start();
    samba.modify(&company());
    let sizes = [("Sales", 1501), ("All", 3001), ("Nobody", 20_000)];
    let members = sizes.iter().map(|(name, size)| ((*name).to_owned(), *size)).collect();
    let deviations = Deviations { members, ..Deviations::default() };
    let limits = Limits::start(samba.address, deviations.clone()).await;
    let (changes, ended) = read(config(&limits.url())).await;
    ended.unwrap();
    for (name, size) in sizes {
        let Members::Complete(members) = &entries(&changes)[name].members else { panic!("{name}") };
        assert_eq!(members.iter().collect::<BTreeSet<_>>().len(), size, "{name}");
    }

    // A part that does not come makes no group smaller.
    let limits = Limits::start(samba.address, Deviations { break_at: Some(3000), ..deviations }).await;
    let (changes, ended) = read(config(&limits.url())).await;
    ended.unwrap();
    let entries = entries(&changes);
    assert!(matches!(&entries["Sales"].members, Members::Complete(members) if members.len() == 1501));
    let Members::Partial(members, why) = &entries["Nobody"].members else { panic!() };
    assert_eq!((members.len(), why.contains("number 3000")), (3000, true), "{why}");
}

#[rstest]
#[case::account_control("bf967a68-0de6-11d0-a285-00aa003049e2", true)]
#[case::primary_group("bf967a00-0de6-11d0-a285-00aa003049e2", false)]
#[tokio::test]
async fn nobody_leaves_their_primary_group_for_what_is_hidden(#[case] attribute: &str, #[case] shown: bool) {
    let samba = Samba::start();
    samba.modify(&company());
    samba.reader("reader");
    let denied = format!("OD;;RP;{attribute};");
    samba.grant(&format!("CN=Ann Lee,OU=Staff,{DOMAIN}"), &denied, ["user", "reader"]);
    let mut config = ActiveDirectoryConfig { change_feed: ChangeFeed::UsnChanged, ..config(&samba.url()) };
    let bind = Bind { dn: "ADTEST\\reader".to_owned(), password: Secret::new(PASSWORD) };
    config.ldap.bind = Some(bind);
    config.ldap.user_filter = Some("(objectCategory=person)".to_owned());
    let (changes, ended) = read(config.clone()).await;
    let ended = ended.unwrap();
    let ann = changes.iter().find_map(|change| match change {
        Change::Unreadable { anchor, what, .. } if what.starts_with("CN=Ann Lee,") => anchor.clone(),
        _ => None,
    });
    let ann = ann.unwrap();
    assert_no_evidence(&changes, &Reference::Anchor(ann.clone()), shown);

    // The feed says the same when the group changes.
    samba.modify(&format!(
        "dn: CN=Domain Users,CN=Users,{DOMAIN}\nchangetype: modify\nreplace: description\ndescription: all\n"
    ));
    let (changes, next) = read_on(config, ended.cursor).await;
    next.unwrap();
    assert!(changes.contains(&Change::Unchanged(ann.clone())), "not everything was read");
    assert_no_evidence(&changes, &Reference::Anchor(ann.clone()), shown);
    let unreadable =
        |change: &&Change| matches!(change, Change::Unreadable { anchor: Some(one), .. } if *one == ann);
    assert_eq!(changes.iter().any(|change| unreadable(&change)), !shown, "{changes:?}");
}

/// The list of the group that is everybody's primary one has this member, or somebody whom nobody knows.
#[track_caller]
fn assert_no_evidence(changes: &[Change], member: &Reference, shown: bool) {
    let group = changes.iter().find_map(|change| match change {
        Change::Replace(entry) if entry.dn.starts_with("CN=Domain Users,") => Some(&entry.members),
        _ => None,
    });
    match group.unwrap() {
        Members::Complete(members) => {
            let unknown = |one: &Reference| matches!(one, Reference::Anchor(one) if one.as_str().starts_with("somebody"));
            assert_eq!(
                (members.contains(member), members.iter().any(unknown)),
                (shown, !shown),
                "{members:?}"
            );
        }
        other => panic!("{other:?}"),
    }
}

#[rstest]
#[case::by_domain("ADTEST\\reader")]
#[case::by_principal("reader@ad.example.test")]
#[case::by_dn("CN=reader,CN=Users,DC=ad,DC=example,DC=test")]
#[tokio::test]
async fn signs_in_under_every_form_of_name(#[case] name: &str) {
    let samba = Samba::start();
    samba.reader("reader");
    let bind = |name: &str, password: &str| {
        let mut config = config(&samba.url());
        config.ldap.bind = Some(Bind { dn: name.to_owned(), password: Secret::new(password) });
        config
    };
    read(bind(name, PASSWORD)).await.1.unwrap();
    let refused = async |password: &str, part: &str| {
        let error = read(bind(name, password)).await.1.unwrap_err();
        assert_eq!(error.reason, Reason::AuthenticationFailed, "{error}");
        assert!(error.to_string().contains(part), "{part:?} is not in {error}");
    };
    refused("wrong", "wrong name or password").await;
    let dn = "dn: CN=reader,CN=Users,DC=ad,DC=example,DC=test\nchangetype: modify\n";
    for (change, part) in [
        ("replace: accountExpires\naccountExpires: 133801632000000000", "the account has expired"),
        (
            "replace: accountExpires\naccountExpires: 0\n-\nreplace: userAccountControl\nuserAccountControl: 514",
            "is disabled",
        ),
        (
            "replace: userAccountControl\nuserAccountControl: 512\n-\nreplace: pwdLastSet\npwdLastSet: 0",
            "must change its password",
        ),
    ] {
        samba.modify(&format!("{dn}{change}\n"));
        refused(PASSWORD, part).await;
    }
}

#[rstest]
#[case::usn_changed(ChangeFeed::UsnChanged)]
#[case::dir_sync(ChangeFeed::DirSync)]
#[tokio::test]
async fn a_feed_goes_on_only_where_it_was_left(#[case] change_feed: ChangeFeed) {
    let samba = Samba::start();
    samba.modify(&company());
    samba.modify(&format!("dn: CN=Eve,OU=Old,{DOMAIN}\nchangetype: delete\n"));
    let config = ActiveDirectoryConfig { change_feed, ..config(&samba.url()) };
    let cursor = read(config.clone()).await.1.unwrap().cursor.unwrap();
    let (ended, count) = go_on(&config, &cursor).await;
    assert_eq!((ended.mode, count), (Mode::Delta, 0));
    samba.modify(&format!(
        "dn: CN=Ann Lee,OU=Staff,{DOMAIN}\nchangetype: modify\nreplace: title\ntitle: Boss\n"
    ));
    let (ended, count) = go_on(&config, &cursor).await;
    assert_eq!(ended.mode, Mode::Delta);
    assert!((1..=2).contains(&count), "{count}");

    // Another account, other filters, another place, another replica: everything is read.
    let text = String::from_utf8(cursor.0.clone()).unwrap();
    let bad_place = serde_json::from_str::<serde_json::Value>(&text).unwrap();
    let with = |field: &str, value: serde_json::Value| {
        let mut cursor = bad_place.clone();
        cursor[field] = value;
        Cursor(cursor.to_string().into_bytes())
    };
    let mut narrower = config.clone();
    narrower.ldap.user_filter = Some("(sAMAccountName=ann)".to_owned());
    for (config, cursor) in [
        (&config, with("place", serde_json::json!([1, 2, 3]))),
        (&config, with("fingerprint", serde_json::json!("another"))),
        (&config, Cursor(b"no cursor".to_vec())),
        (&narrower, cursor.clone()),
    ] {
        let (ended, count) = go_on(config, &cursor).await;
        assert_eq!(ended.mode, Mode::Full);
        assert!(count > 30 && ended.cursor.is_some(), "{count}");
    }
}

#[rstest]
#[case::usn_changed(ChangeFeed::UsnChanged)]
#[case::dir_sync(ChangeFeed::DirSync)]
#[tokio::test]
async fn all_is_read_once_when_somebody_is_restored(#[case] change_feed: ChangeFeed) {
    let samba = Samba::start();
    samba.modify(&company());
    samba.modify(&format!("dn: CN=Eve,OU=Old,{DOMAIN}\nchangetype: delete\n"));
    let config = ActiveDirectoryConfig { change_feed, ..config(&samba.url()) };
    let cursor = read(config.clone()).await.1.unwrap().cursor.unwrap();
    // Out of the group, of which nothing is told.
    let ann = format!("CN=Ann Lee,OU=Staff,{DOMAIN}");
    samba.modify(&format!("dn: {ann}\nchangetype: delete\n"));
    samba.restore("ann", &ann, "ann@example.test");
    let (ended, _) = go_on(&config, &cursor).await;
    assert_eq!(ended.mode, Mode::Full);
    // What the domain controller remembers of it does not count for ever.
    samba.modify(&format!("dn: {ann}\nchangetype: modify\nreplace: title\ntitle: Boss\n"));
    let (ended, _) = go_on(&config, &ended.cursor.unwrap()).await;
    assert_eq!(ended.mode, Mode::Delta);
}

/// What comes when a read goes on from `cursor`, and how it ends.
async fn go_on(config: &ActiveDirectoryConfig, cursor: &Cursor) -> (Completion, usize) {
    let (sink, mut batches) = mpsc::channel::<Batch>(2);
    let taking = async {
        let mut count = 0;
        while let Some(batch) = batches.recv().await {
            count += batch.0.len();
        }
        count
    };
    let source = ActiveDirectorySource::new(config.clone());
    let (ended, count) = tokio::join!(source.read(Some(cursor), sink.into()), taking);
    (ended.unwrap(), count)
}

#[tokio::test]
async fn changes_that_come_in_pages_all_come() {
    let samba = Samba::start();
    samba.modify(&company());
    samba.modify(&format!("dn: CN=Eve,OU=Old,{DOMAIN}\nchangetype: delete\n"));
    let limits = Limits::start(samba.address, Deviations { changes: Some(2), ..Deviations::default() }).await;
    let config = ActiveDirectoryConfig { change_feed: ChangeFeed::DirSync, ..config(&limits.url()) };
    let cursor = read(config.clone()).await.1.unwrap().cursor.unwrap();
    let added = |n| format!("dn: CN=c{n},OU=Staff,{DOMAIN}\nchangetype: add\nobjectClass: contact\n\n");
    samba.modify(&(0..7).map(added).collect::<String>());
    let (ended, count) = go_on(&config, &cursor).await;
    assert_eq!((ended.mode, count), (Mode::Delta, 7));
    let (ended, count) = go_on(&config, &ended.cursor.unwrap()).await;
    assert_eq!((ended.mode, count), (Mode::Delta, 0));
}

#[tokio::test]
async fn an_id_without_a_name_is_no_evidence() {
    let samba = Samba::start();
    samba.modify(&company());
    samba.modify(&format!("dn: CN=Eve,OU=Old,{DOMAIN}\nchangetype: delete\n"));
    let limits = Limits::start(samba.address, Deviations { nameless: true, ..Deviations::default() }).await;
    let config = ActiveDirectoryConfig { change_feed: ChangeFeed::DirSync, ..config(&limits.url()) };
    let cursor = read(config.clone()).await.1.unwrap().cursor.unwrap();
    samba.modify(&format!("dn: CN=Cid,OU=Staff,{DOMAIN}\nchangetype: delete\n"));
    let (ended, count) = go_on(&config, &cursor).await;
    assert_eq!((ended.mode, count), (Mode::Delta, 0));
}

#[tokio::test]
async fn another_server_is_no_domain_controller() {
    let slapd = crate::support::slapd::Slapd::start(&crate::support::slapd::Setup {
        ldif: &crate::support::company::tree(),
        ..Default::default()
    });
    let mut config = config(&slapd.url());
    config.ldap.bind = None;
    let error = read(config).await.1.unwrap_err();
    assert!(
        error.to_string().contains("not an Active Directory domain controller; read it with the kind ldap"),
        "{error}"
    );
}

#[rstest]
#[case::usn_changed(ChangeFeed::UsnChanged)]
#[case::dir_sync(ChangeFeed::DirSync)]
#[tokio::test]
async fn what_is_worked_out_from_others_is_told_or_read_each_time(#[case] change_feed: ChangeFeed) {
    let samba = Samba::start();
    samba.modify(&company());
    let config = ActiveDirectoryConfig { change_feed, ..config(&samba.url()) };
    let with = |filter: Option<&str>, literal: &[&str]| {
        let mut config = config.clone();
        config.ldap.user_filter =
            filter.map(|filter| format!("(&(objectCategory=person){})", filter.replace("DOMAIN", DOMAIN)));
        config.ldap.literal = literal.iter().map(|name| (*name).to_owned()).collect();
        config
    };
    for (config, is_told, named) in [
        (with(Some("(memberOf=CN=Sales,OU=Groups,DOMAIN)"), &[]), true, "filters use memberof"),
        (
            with(Some("(memberOf:1.2.840.113556.1.4.1941:=CN=All,OU=Groups,DOMAIN)"), &[]),
            true,
            "filters use memberof",
        ),
        (with(None, &["directReports"]), false, "directreports"),
        // Nobody was deleted yet, so it is not known whether that would be seen.
        (with(None, &["memberOf"]), false, "sees no deleted groups"),
    ] {
        let ended = read(config).await.1.unwrap();
        let feed = ended.feed.unwrap();
        assert_eq!((ended.cursor.is_some(), feed.active != "FullRead"), (is_told, is_told), "{named}");
        assert!(feed.reason.contains(named), "{}", feed.reason);
    }
    // Names of others are told of by nobody when those are renamed.
    let manager = with(None, &["manager"]);
    let ended = read(manager.clone()).await.1.unwrap();
    assert!(ended.feed.unwrap().reason.contains("manager"));
    assert_eq!(ended.cursor.is_some(), change_feed == ChangeFeed::DirSync);
    let Some(cursor) = ended.cursor else { return };
    let ann = format!("dn: CN=Ann Lee,OU=Staff,{DOMAIN}\n");
    samba.modify(&format!("{ann}changetype: modrdn\nnewrdn: CN=Ann Smith\ndeleteoldrdn: 1\n"));
    assert_eq!(go_on(&manager, &cursor).await.0.mode, Mode::Full);
}

#[tokio::test]
async fn an_account_is_told_that_it_sees_no_deleted_entries_only_if_it_may_not() {
    let samba = Samba::start();
    samba.reader("reader");
    let mut config = ActiveDirectoryConfig { change_feed: ChangeFeed::UsnChanged, ..config(&samba.url()) };
    let reason =
        async |config: &ActiveDirectoryConfig| read(config.clone()).await.1.unwrap().feed.unwrap().reason;
    // Nothing was deleted in this domain yet.
    assert_eq!(reason(&config).await, "");
    config.ldap.bind = Some(Bind { dn: "ADTEST\\reader".to_owned(), password: Secret::new(PASSWORD) });
    assert!(reason(&config).await.contains("may not see deleted entries"));
}
