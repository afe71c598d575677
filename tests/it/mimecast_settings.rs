//! The settings of Mimecast's Directory Integration: `rollcall import-settings mimecast` reads them from a tenant, and each of them,
//! as the table of `docs/targets/mimecast.md` has it, shows its effect at the stand-in.

use std::collections::BTreeSet;

use rstest::rstest;
use serde_json::{Value, json};

use crate::entra;
use crate::support::cli::{Desk, Ran, rollcall};
use crate::support::company::tree;
use crate::support::entra::Entra;
use crate::support::mimecast::office::{Directory, EXPORT, Office, company, connector};
use crate::support::mimecast::{CLIENT, Habits, StandIn};
use crate::support::slapd::{ADMIN, PASSWORD, SUFFIX, Setup, Slapd};

fn import(service: &StandIn) -> (Desk, Ran) {
    let desk = Desk::new();
    let secret = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{ name: mimecast, namespace: mail }}\n\
         stringData: {{ client-id: {}, client-secret: {} }}\n",
        CLIENT.0, CLIENT.1
    );
    let (secret, ca) = (desk.write("secret.yaml", secret), desk.write("ca.pem", &service.https.ca));
    let url = service.https.url();
    let (secret, ca) = (secret.display().to_string(), ca.display().to_string());
    let ran = rollcall(&["import-settings", "mimecast", "-f", &secret, "--url", &url, "--ca-file", &ca]);
    (desk, ran)
}

/// Among it `description` and `info`, and the Synchronization Engine, which is not needed.
#[test]
fn what_is_set_there_is_written_for_us() {
    let service = StandIn::start(Habits::default());
    {
        let tenant = &mut service.inner().tenant;
        tenant.connections = vec![
            json!({
                "id": "1", "description": "HQ domain", "info": "All of Leeds", "serverType": "active_directory", "enabled": true,
                "domains": ["corp.example"], "acknowledgeDisabledAccounts": true, "maxUnlink": "unlink_100", "syncContacts": true,
                "ldapSettings": { "hostname": "dc1.corp.example", "port": 636, "rootDn": "DC=corp,DC=example", "userDn": "CN=svc,DC=corp,DC=example", "encryptionMode": "strict" },
            }),
            json!({
                "id": "2", "description": "HQ domain", "serverType": "ad_push", "enabled": false, "maxUnlink": "unlimited", "deleteUsers": true,
                "adPushSettings": { "hostname": "dc9.old.example", "port": 389, "rootDn": "DC=old", "userDn": "svc" },
                "acknowledgeDisabledAccounts": false,
            }),
            json!({
                "id": "3", "description": "Cloud", "serverType": "office_365", "enabled": true, "syncGuestUsers": true, "maxUnlink": 1000,
                "office365Settings": { "tenantDomain": "corp.onmicrosoft.com", "clientId": "x" },
            }),
            json!({ "id": "6", "description": "No guests", "serverType": "office_365", "syncGuestUsers": false }),
            json!({
                "id": "4", "description": "Notes", "serverType": "domino", "enabled": true,
                "ldapSettings": { "hostname": "notes.corp.example", "port": 389, "rootDn": "", "userDn": "admin", "encryptionMode": "none" },
            }),
        ];
        tenant.integrations = vec![json!({ "id": "1" }), json!({ "id": "5" })];
        tenant.details.insert(
            "active-directory/1".to_owned(),
            json!({
                "description": "HQ domain", "info": "All of Leeds", "enabled": true, "hostname": "dc1.corp.example",
                "alternateHostname": "dc2.corp.example", "port": 636, "userDn": "CN=svc,DC=corp,DC=example", "rootDn": "DC=corp,DC=example",
                "encryptionMode": "relaxed", "maxUnlink": 100, "domains": ["corp.example"], "syncContacts": true,
                "acknowledgeDisabledAccounts": true, "deleteUsers": false,
            }),
        );
        tenant.details.insert(
            "google/5".to_owned(),
            json!({ "description": "Workspace", "enabled": true, "user": "admin@corp.example" }),
        );
    }
    let (desk, ran) = import(&service);
    let ran = ran.exits(0);
    for says in [
        "- ldaps://dc1.corp.example:636",
        "- ldaps://dc2.corp.example:636",
        "name: hq-domain-reader",
        "contacts: Include",
        "count: 100\n",
        "name: hq-domain-2",
        "# The integration was disabled, so the policy is suspended.",
        "suspend: true",
        "count: 1000000000",
        "disabled: Ignore",
        "- ldap://dc9.old.example:389",
        "startTLS: true",
        "tenantID: corp.onmicrosoft.com",
        "count: 1000\n",
        "insecure: true",
        "# Guests were synced.",
        "adminEmail: admin@corp.example",
        "name: workspace-key",
        "domino:",
        "# From the integration \"HQ domain\".",
        "# All of Leeds",
        "where: user.attributes['userType'] != 'Guest'",
        "tls.caRef",
        "mode: Preview",
        "- 0 23 * * *",
        "name: mimecast",
    ] {
        assert!(ran.out.contains(says), "{says:?} is not in\n{}", ran.out);
    }
    assert!(!ran.out.contains(CLIENT.1) && !ran.out.contains(CLIENT.0));
    let written = desk.write("written.yaml", &ran.out);
    rollcall(&["validate", "-f", written.to_str().unwrap()]).exits(0);
    // It read, and changed nothing.
    let writes = ["update-", "create-", "delete-", "add-", "remove-"];
    assert!(writes.iter().all(|write| service.count(write) == 0));
}

#[test]
fn what_cannot_be_read_is_said() {
    let service = StandIn::start(Habits { denied: Some("Directories | Groups | Read"), ..Habits::default() });
    let (_desk, ran) = import(&service);
    ran.exits(1).says("Services | Directory Sync | Read");
    let service = StandIn::start(Habits::default());
    let (_desk, ran) = import(&service);
    ran.exits(0).says("The tenant has no directory integration");
    let desk = Desk::new();
    let none = desk.write(
        "none.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata: { name: x, namespace: y }\nstringData: { a: b }\n",
    );
    rollcall(&["import-settings", "mimecast", "-f", none.to_str().unwrap()]).exits(2).says("no such Secret");
}

/// `acknowledgeDisabledAccounts`, `maxUnlink` and `deleteUsers`: whoever is gone is disabled, and nobody is deleted.
#[rstest]
#[case::acknowledges("users: { disabled: Disable }", 0, &["dan"])]
#[case::acknowledges_not("users: { disabled: Ignore }", 0, &[])]
#[case::unlinks_none("limits: { userRemovals: { count: 0, percent: 100 } }", 3, &["dan"])]
#[case::unlinks_one("limits: { userRemovals: { count: 1, percent: 100 } }", 3, &["dan"])]
#[case::unlinks_two("limits: { userRemovals: { count: 2, percent: 100 } }", 0, &["dan", "ada", "bob"])]
#[case::unlinks_any("limits: { userRemovals: { count: 1000000000, percent: 100 } }", 0, &["dan", "ada", "bob"])]
#[case::disabled_is_gone("users: { disabled: Leave }", 0, &["dan"])]
fn a_setting_does_what_it_says(#[case] more: &str, #[case] exit: i32, #[case] disabled: &[&str]) {
    let office = Office::new(Habits::default(), &format!("  {more}\n"));
    let mut company = company();
    office.sync(&company).exits(0);
    company.of("dan").gone = true;
    if more.starts_with("limits") {
        for uid in ["ada", "bob"] {
            company.people.remove(uid);
        }
        company.group("team", "Team", &["cho"]);
        company.group("staff", "All staff", &["cho", "dan", "eve"]);
        company.group("rest", "Rest", &["cho"]);
    }
    office.sync(&company).exits(exit);
    let truth = office.truth();
    let expected: BTreeSet<String> = disabled.iter().map(|uid| format!("{uid}@corp.example")).collect();
    assert_eq!(truth.users.keys().filter(|address| address.ends_with("@corp.example")).count(), 5);
    let are =
        truth.users.iter().filter(|(address, (_, active, _))| !active && address.ends_with("@corp.example"));
    assert_eq!(are.map(|(address, _)| address.clone()).collect::<BTreeSet<_>>(), expected);
}

/// `domains`.
#[test]
fn only_the_domains_that_are_named_are_synced() {
    let office = Office::new(Habits::default(), "  users: { emailDomains: [corp.test] }\n");
    let mut company = company();
    company.of("bob").address = "bob@corp.test".to_owned();
    office.sync(&company).exits(0);
    assert_eq!(office.truth().users.keys().collect::<Vec<_>>(), ["bob@corp.test"]);
}

/// `enabled`: a suspended policy does nothing, and stops nobody else.
#[test]
fn who_is_not_enabled_rests_and_stops_nobody_else() {
    let office = Office::new(Habits::default(), "");
    let mut company = company();
    company.of("bob").address = "bob@corp.test".to_owned();
    let policies = [
        office.policy_of("corp", "  suspend: true\n  users: { emailDomains: [corp.example] }\n"),
        office.policy_of("corp", "  users: { emailDomains: [corp.test] }\n").replacen(
            "name: corp",
            "name: other",
            1,
        ),
    ];
    let objects = [office.secrets(), connector("corp", EXPORT), policies.join("---\n")];
    office.desk.write("manifests.yaml", objects.join("---\n"));
    office.sync(&company).exits(0);
    assert_eq!(office.truth().users.keys().collect::<Vec<_>>(), ["bob@corp.test"]);
}

/// `syncContacts`: people without an account come if they are wanted.
#[rstest]
#[case::left_out("", 5)]
#[case::included("users: { contacts: Include }", 6)]
fn contacts_come_if_they_are_wanted(#[case] more: &str, #[case] users: usize) {
    let office = Office::new(Habits::default(), &format!("  {more}\n"));
    let export = company().export();
    let contact = "dn: cn=Zoe,dc=corp\nobjectClass: contact\ncn: Zoe\nsn: Zoe\nmail: zoe@corp.example\nentryUUID: id-zoe\n\n# num";
    office.desk.write("corp.ldif", export.replace("# num", contact).replace("Entries: 9", "Entries: 10"));
    office.desk.sync_aloud(&[]).exits(0);
    assert_eq!(office.truth().users.len(), users);
}

/// `syncGuestUsers`: guests of a tenant of Microsoft Entra ID with an internal address come, unless `users.where` leaves them out.
#[rstest]
#[case::included("", &["ann@corp.example", "guest@corp.example"])]
#[case::left_out("users: { where: \"user.attributes['userType'] != 'Guest'\" }", &["ann@corp.example"])]
fn guests_come_if_they_are_wanted(#[case] more: &str, #[case] users: &[&str]) {
    let (entra, office) = (Entra::start(), Office::new(Habits::default(), ""));
    entra.inner().tenant.user("ann", &json!({}));
    entra.inner().tenant.user("guest", &json!({ "userType": "Guest" }));
    let directory = entra::manifests(&entra, "");
    let connector = directory.rsplit_once("---\n").unwrap().0;
    let objects = [office.secrets(), connector.to_owned(), office.policy_of("entra", &format!("  {more}\n"))];
    office.desk.write("manifests.yaml", objects.join("---\n"));
    office.desk.sync_aloud(&[]).exits(0);
    assert_eq!(office.truth().users.keys().collect::<Vec<_>>(), users);
}

/// Who may read everything; the same with a wrong password; who may read nothing.
const READER: (&str, &str) = (ADMIN, PASSWORD);
const WRONG: (&str, &str) = (ADMIN, "wrong");
const NOBODY: (&str, &str) = ("uid=ann,ou=people,dc=example,dc=test", "of-ann");

/// `encryptionMode`, `hostname`, `port`, `userDn`, `password`, `rootDn`, `alternateHostname`: how a server is reached. And
/// `test-connectivity`, `test-certificates`, `test-authentication`, `test-authorisation`: which step failed is said with each read
/// (`conditions.rs` has the conditions), and nobody is changed.
#[rstest]
#[case::strict("urls: [SECURE], tls: { caRef: { name: ca } }", READER, None)]
#[case::strict_by_starttls("urls: [PLAIN], startTLS: true, tls: { caRef: { name: ca } }", READER, None)]
#[case::relaxed_needs_the_authority("urls: [PLAIN], startTLS: true", READER, Some("certificate"))]
#[case::none("urls: [PLAIN], insecure: true", READER, None)]
#[case::none_must_be_asked_for("urls: [PLAIN]", READER, Some("insecure"))]
#[case::alternate_host("urls: [DEAD, PLAIN], insecure: true", READER, None)]
#[case::another_root(
    "urls: [PLAIN], insecure: true, baseDNs: [\"ou=groups,ROOT\"]",
    READER,
    Some("Read    0")
)]
#[case::test_connectivity("urls: [DEAD], insecure: true", READER, Some("127.0.0.1:1"))]
#[case::test_certificates("urls: [SECURE]", READER, Some("certificate"))]
#[case::test_authentication("urls: [PLAIN], insecure: true", WRONG, Some("credentials"))]
#[case::test_authorisation("urls: [PLAIN], insecure: true", NOBODY, Some("the account may not see it"))]
fn a_server_is_reached_as_the_connector_says(
    #[case] how: &str,
    #[case] (user, password): (&str, &str),
    #[case] refused: Option<&str>,
) {
    let person = format!(
        "dn: uid=ann,ou=people,{SUFFIX}\nobjectClass: inetOrgPerson\nuid: ann\ncn: Ann\nsn: Lee\nmail: ann@corp.example\n\
         userPassword: of-ann\n\n"
    );
    let access = "access to attrs=userPassword by anonymous auth by * none\naccess to * by * none";
    let setup = Setup { ldif: &(tree() + &person), database: access, ..Setup::default() };
    let (slapd, office) = (Slapd::start(&setup), Office::new(Habits::default(), ""));
    let quoted = |url: String| format!("{url:?}");
    let how = how
        .replace("SECURE", &quoted(slapd.secure_url()))
        .replace("PLAIN", &quoted(slapd.url()))
        .replace("DEAD", "\"ldap://127.0.0.1:1\"")
        .replace("ROOT", SUFFIX);
    let reader = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "reader", "namespace": "test" },
        "type": "kubernetes.io/basic-auth", "stringData": { "username": user, "password": password },
    });
    let ca = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "ca", "namespace": "test" },
        "data": { "ca.crt": String::from_utf8(slapd.ca()).unwrap() },
    });
    let spec = format!("{{ ldap: {{ {how}, credentialsSecretRef: {{ name: reader }} }} }}");
    let objects = [
        office.secrets(),
        format!("{reader}\n"),
        format!("{ca}\n"),
        connector("corp", &spec),
        office.policy_of("corp", ""),
    ];
    office.desk.write("manifests.yaml", objects.join("---\n"));
    let ran = office.desk.sync(&[]);
    let users = usize::from(refused.is_none());
    assert_eq!(office.truth().users.len(), users, "{}", ran.said());
    if let Some(why) = refused {
        ran.says(why);
    }
}

/// Where one failed integration pauses removals everywhere, a directory that fails holds here whom it vouches for.
#[test]
fn a_directory_that_fails_holds_only_those_whom_it_vouches_for() {
    let office = Office::new(Habits::default(), "");
    let policy = |name: &str, domain: &str| {
        office.policy_of(
            name,
            &format!("  users: {{ emailDomains: [{domain}] }}\n  groups: {{ exclude: [\"*\"] }}\n"),
        )
    };
    let objects = [
        office.secrets(),
        connector("corp", EXPORT),
        connector("other", &EXPORT.replace("corp", "other")),
        policy("corp", "corp.example"),
        policy("other", "corp.test"),
    ];
    office.desk.write("manifests.yaml", objects.join("---\n"));
    let mut company = company();
    let mut other = Directory::default();
    for uid in ["kim", "lee", "mia"] {
        other.person(uid, &format!("{uid}@corp.test"));
    }
    office
        .desk
        .write("other.ldif", other.export().replace("dc=corp", "dc=other").replace("dc: corp", "dc: other"));
    office.sync(&company).exits(0);
    let works = |address: &str| office.truth().users[address].1;
    assert!(works("bob@corp.example") && works("kim@corp.test"));
    // One directory cannot be read any more, and somebody leaves the other one.
    std::fs::remove_file(office.desk.path("other.ldif")).unwrap();
    company.people.remove("bob");
    office.sync(&company).exits(1);
    assert!(!works("bob@corp.example"));
    assert!(["kim", "lee", "mia"].iter().all(|uid| works(&format!("{uid}@corp.test"))));
}

/// `maxUnlink`, each of its fourteen steps: what a tenant has becomes the same bound here, which lets twelve leavers go or holds them.
#[test]
fn each_step_of_max_unlink_is_a_bound() {
    let steps = [
        "0",
        "10",
        "20",
        "50",
        "100",
        "300",
        "500",
        "1,000",
        "2,000",
        "5,000",
        "10,000",
        "50,000",
        "100,000",
        "unlimited",
    ];
    let service = StandIn::start(Habits::default());
    let connection = |(at, step): (usize, &&str)| json!({ "id": at.to_string(), "description": format!("s{at}"), "serverType": "active_directory", "maxUnlink": step });
    service.inner().tenant.connections = steps.iter().enumerate().map(connection).collect();
    let (_desk, ran) = import(&service);
    let bounds: Vec<String> = documents(&ran.exits(0).out)
        .into_iter()
        .filter(|object| object["kind"] == "SyncPolicy")
        .map(|policy| policy["spec"]["limits"].to_string())
        .collect();
    assert_eq!(bounds.len(), steps.len());

    // Whoever is out of scope is gone, as far as the bound allows.
    let policy = |limits: &str| format!("  users: {{ emailDomains: [corp.example] }}\n  {limits}\n");
    let office = Office::new(Habits::default(), &policy(""));
    let mut company = Directory::default();
    for at in 0..20 {
        company.person(&format!("p{at:02}"), &format!("p{at:02}@corp.example"));
    }
    office.sync(&company).exits(0);
    let (before, data) = (office.service.inner().tenant.clone(), office.desk.path("data"));
    let kept = office.desk.path("kept");
    std::fs::rename(&data, &kept).unwrap();
    for at in 0..12 {
        company.of(&format!("p{at:02}")).address = format!("p{at:02}@corp.test");
    }
    for (step, bound) in steps.iter().zip(&bounds) {
        office.service.inner().tenant = before.clone();
        std::fs::create_dir_all(&data).unwrap();
        for file in std::fs::read_dir(&kept).unwrap().map(Result::unwrap) {
            std::fs::copy(file.path(), data.join(file.file_name())).unwrap();
        }
        office.policy(&policy(&format!("limits: {bound}")));
        let is_held = ["0", "10"].contains(step);
        office.sync(&company).exits(if is_held { 3 } else { 0 });
        let gone = office.truth().users.values().filter(|user| !user.1).count();
        assert_eq!(gone, if is_held { 0 } else { 12 }, "{step}: {bound}");
        std::fs::remove_dir_all(&data).unwrap();
    }
}

fn documents(text: &str) -> Vec<Value> {
    use serde::Deserialize as _;
    serde_yaml::Deserializer::from_str(text)
        .map(|document| Value::deserialize(document).unwrap())
        .filter(|object| !object.is_null())
        .collect()
}

/// Each row of the table has a test here or in `mimecast_operator.rs` that names it.
#[test]
fn each_row_of_the_table_is_tested() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    let page = read("docs/targets/mimecast.md");
    let section =
        page.split("## Settings of Directory Integration").nth(1).unwrap().split("\n## ").next().unwrap();
    let tests = ["settings", "operator"].map(|name| read(&format!("tests/it/mimecast_{name}.rs"))).concat();
    let rows: Vec<&str> = section.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    assert!(rows.len() > 15);
    for row in rows {
        let cell = row.split('|').nth(1).unwrap();
        let quoted: Vec<String> = cell
            .split('`')
            .skip(1)
            .step_by(2)
            .map(|name| format!("`{}`", name.split(':').next().unwrap()))
            .collect();
        let plain = vec![cell.split('(').next().unwrap().trim().to_owned()];
        for name in if quoted.is_empty() { plain } else { quoted } {
            assert!(tests.contains(&name), "no test names {name}");
        }
    }
}
