//! What a connector says about itself: whatever is wrong on the way to a directory is seen as its condition, with the
//! remedy, on the real servers.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Unit};
use rollcall::clock::Clock;
use rollcall::controller::connector::status;
use rollcall::directory::ConnectorName;
use rollcall::source::SourceConfig;
use rollcall::source::ldap::ActiveDirectorySource;
use rollcall::store::Store;
use rollcall::sync::import::{Imported, Options, import};
use serde_json::{Value, json};

use crate::active_directory;
use crate::support::company::large;
use crate::support::look::{Look, seen};
use crate::support::samba::{self, DOMAIN, Samba};
use crate::support::slapd::{self, SUFFIX, Setup, Slapd};

/// No password of anybody.
const WRONG: &str = "Passw0rd.Wrong!";

#[test]
fn whatever_is_wrong_at_a_domain_controller_is_seen_as_its_condition() {
    let samba = Samba::start();
    samba.reader("reader");
    let url = samba.secure_url();
    let look = |password: &str| Look::at("activeDirectory", &url, "ADTEST\\reader", password, samba.ca());
    let password = samba::PASSWORD;
    let change = |what: &str| {
        samba.modify(&format!("dn: CN=reader,CN=Users,{DOMAIN}\nchangetype: modify\n{what}\n"));
    };
    let refused = |what: &str, parts: &[&str]| {
        look(password).ends(what, &seen("Authenticated", "AuthenticationFailed", parts));
    };

    let blind = ["CN=Deleted Objects,DC=ad", "dsacls", "\"ADTEST\\reader:LCRP\""];
    look(password).passes("no right to see what was deleted", &seen("Readable", "ReadWithRemarks", &blind));
    let admin = Look::at("activeDirectory", &url, samba::ADMIN, password, samba.ca());
    samba.reader("leaver");
    samba.tool(&["user", "delete", "leaver"]);
    admin.passes("every right", &seen("Readable", "Read", &["as of the last read"]));

    let nowhere = ["ou=nowhere", "or the account may not see it", "correct baseDNs"];
    let base = json!([format!("ou=nowhere,{DOMAIN}")]);
    look(password).with("baseDNs", base).ends("wrong base", &seen("Readable", "NotFound", &nowhere));
    let stranger = Slapd::start(&Setup { ldif: &large(1, 0, 0, 0), ..Setup::default() });
    let other = Look { ca: stranger.ca(), ..look(password) };
    other.ends(
        "wrong CA",
        &seen("Reachable", "TlsFailed", &["not issued by a trusted authority", "tls.caRef"]),
    );

    let wrong = ["wrong name or password", "correct the Secret that credentialsSecretRef names"];
    look(WRONG).ends("wrong password", &seen("Authenticated", "AuthenticationFailed", &wrong));
    let nobody = Look { username: "ADTEST\\nobody".to_owned(), ..look(password) };
    let unknown = ["the Secret that credentialsSecretRef names"];
    nobody.ends("no such account", &seen("Authenticated", "AuthenticationFailed", &unknown));

    samba.tool(&["domain", "passwordsettings", "set", "--account-lockout-threshold=2"]);
    for _ in 0..2 {
        look(WRONG).status();
    }
    refused("locked", &["is locked after too many wrong passwords", "correct the Secret first, then unlock"]);
    change("replace: lockoutTime\nlockoutTime: 0");

    change("replace: accountExpires\naccountExpires: 133801632000000000");
    refused("account expired", &["the account has expired", "set a later accountExpires"]);
    change("replace: accountExpires\naccountExpires: 0");

    change("replace: userAccountControl\nuserAccountControl: 514");
    refused("disabled", &["the account is disabled", "enable it"]);
    change("replace: userAccountControl\nuserAccountControl: 512");

    change("replace: pwdLastSet\npwdLastSet: 0");
    refused(
        "must change",
        &["must change its password", "clear \"User must change password at next logon\""],
    );
    change("replace: pwdLastSet\npwdLastSet: -1");

    samba.tool(&["domain", "passwordsettings", "set", "--max-pwd-age=2", "--min-pwd-age=0"]);
    samba.age_password("reader");
    refused(
        "password expired",
        &["the account's password has expired", "set the account's password to never expire"],
    );
}

#[test]
fn whatever_is_wrong_at_an_ldap_server_is_seen_as_its_condition() {
    const READ: &str = "Passw0rd.Reader!";
    let reader = format!("cn=reader,{SUFFIX}");
    let ldif = large(2, 1, 1, 1)
        + &format!(
            "dn: {reader}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: reader\nuserPassword: {READ}\n\n"
        );
    let database = format!(
        "access to attrs=userPassword by anonymous auth\naccess to dn.subtree=\"ou=groups,{SUFFIX}\" by dn.exact=\"{}\" read\n\
         access to * by dn.exact=\"{reader}\" read",
        slapd::ADMIN
    );
    let start = |setup: Setup<'_>| Slapd::start(&Setup { ldif: &ldif, database: &database, ..setup });
    let slapd = start(Setup::default());
    let look =
        |slapd: &Slapd, password: &str| Look::at("ldap", &slapd.secure_url(), &reader, password, slapd.ca());
    let no_feed = ["does not offer syncrepl", "overlay syncprov"];
    look(&slapd, READ).passes("no feed", &seen("Readable", "ReadWithRemarks", &no_feed));
    look(&slapd, READ)
        .with("changeFeed", json!("FullRead"))
        .passes("as wanted", &seen("Readable", "Read", &[]));

    let wrong = ["wrong name or password", "correct the Secret that credentialsSecretRef names"];
    look(&slapd, WRONG).ends("wrong password", &seen("Authenticated", "AuthenticationFailed", &wrong));
    let base = |base: &str| look(&slapd, READ).with("baseDNs", json!([format!("{base},{SUFFIX}")]));
    base("ou=persons").ends("wrong base", &seen("Readable", "NotFound", &["ou=persons", "correct baseDNs"]));
    base("ou=groups").ends(
        "no right",
        &seen("Readable", "NotFound", &["or the account may not see it", "correct baseDNs"]),
    );
    let plain = Look::at("ldap", &slapd.url(), &reader, READ, slapd.ca());
    plain.with("startTLS", json!(true)).passes("StartTLS", &seen("Reachable", "Read", &[]));

    let stranger = start(Setup::default());
    let other = Look { ca: stranger.ca(), ..look(&slapd, READ) };
    other.ends(
        "wrong CA",
        &seen("Reachable", "TlsFailed", &["not issued by a trusted authority", "tls.caRef"]),
    );
    let expired = start(Setup { certificate_ends: Some(slapd::LONG_AGO), ..Setup::default() });
    let renew = ["its certificate has expired", "renew it"];
    look(&expired, READ).ends("expired certificate", &seen("Reachable", "TlsFailed", &renew));
    let named = start(Setup { names: &["ldap.corp.example"], ..Setup::default() });
    let name = ["not for 127.0.0.1 but for", "ldap.corp.example", "set tls.serverName"];
    look(&named, READ).ends("another name", &seen("Reachable", "TlsFailed", &name));
    let closed = Look::at("ldap", "ldaps://127.0.0.1:1", &reader, READ, slapd.ca());
    closed.ends("nobody there", &seen("Reachable", "Unreachable", &["refused", "check the port"]));
}

#[test]
fn a_certificate_is_told_of_before_it_ends() {
    // Ten days and an hour: ten days whatever the time of day is, and still so when the test ends.
    let end = Timestamp::now().round(Unit::Second).unwrap() + SignedDuration::from_hours(10 * 24 + 1);
    let day = end.to_zoned(TimeZone::UTC).date();
    let slapd =
        Slapd::start(&Setup { ldif: &large(1, 0, 0, 0), certificate_ends: Some(end), ..Setup::default() });
    let look = |url: &str| Look::at("ldap", url, slapd::ADMIN, slapd::PASSWORD, slapd.ca());
    let soon = format!(
        "the server's certificate expires in 10 days, on {day}, and after that nothing is read: renew it"
    );
    let secure = look(&slapd.secure_url());
    secure.passes("ldaps", &seen("Reachable", "CertificateExpiring", &[&soon]));
    assert_eq!(secure.status()["certificateExpiresAt"], end.to_string());
    let upgraded = look(&slapd.url()).with("startTLS", json!(true));
    upgraded.passes("StartTLS", &seen("Reachable", "CertificateExpiring", &[&soon]));
    let plain = look(&slapd.url()).with("insecure", json!(true));
    plain.passes("plain", &seen("Reachable", "Read", &[]));
    assert_eq!(plain.status()["certificateExpiresAt"], Value::Null);
    let lasting = Slapd::start(&Setup { ldif: &large(1, 0, 0, 0), ..Setup::default() });
    let lasting = Look { ca: lasting.ca(), ..look(&lasting.secure_url()) };
    lasting.passes("a certificate that lasts", &seen("Reachable", "Read", &[]));
}

/// This machine's clock, set wrong.
struct Wrong(SignedDuration);

impl Clock for Wrong {
    fn now(&self) -> Timestamp {
        Timestamp::now() + self.0
    }
}

#[tokio::test]
async fn a_domain_controller_whose_clock_differs_is_told_of() {
    let samba = Samba::start();
    let read = async |wrong: SignedDuration| -> Imported {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let source = ActiveDirectorySource::new(active_directory::config(&samba.url()));
        let minute = std::time::Duration::from_mins(1);
        let options = Options { look_ups: 0, timeout: minute, full_read_every: minute };
        let name = ConnectorName::new("test", "corp");
        import(&source, &store, &name, options, &Wrong(wrong), |_| {}).await.unwrap()
    };
    for (wrong, reason, part) in [
        (SignedDuration::from_mins(-10), "ClockSkewed", "10 minutes ahead of this machine's"),
        (SignedDuration::from_secs(310), "ClockSkewed", "5 minutes behind this machine's"),
        (SignedDuration::from_mins(4), "Read", "as of the last read"),
        (SignedDuration::ZERO, "Read", "as of the last read"),
    ] {
        let imported = read(wrong).await;
        // It tells no fractions of a second.
        let off = (imported.skew.unwrap() + wrong).abs();
        assert!(off < SignedDuration::from_secs(5), "{wrong} {off}");
        let server = SourceConfig::ActiveDirectory(active_directory::config(&samba.url()));
        let status = status::of_import(&Ok(imported), &server, &BTreeSet::new(), Timestamp::now());
        let reachable = status.conditions.iter().find(|one| one.type_ == "Reachable").unwrap();
        assert_eq!((&*reachable.status, &*reachable.reason), ("True", reason));
        assert!(reachable.message.contains(part), "{}", reachable.message);
    }
}

#[test]
fn what_a_domain_controller_hides_is_told_of_if_policies_use_it() {
    let samba = Samba::start();
    samba.reader("reader");
    samba.modify(&format!(
        "dn: CN=ann,CN=Users,{DOMAIN}\nchangetype: add\nobjectClass: user\nsAMAccountName: ann\nuserAccountControl: 544\n\
         mail: ann@example.test\ndepartment: Sales\nextensionName: one\n"
    ));
    let url = samba.secure_url();
    let look = |users: &Value| {
        let look = Look::at("activeDirectory", &url, "ADTEST\\reader", samba::PASSWORD, samba.ca());
        look.used_for(users)
    };
    let users =
        || json!({ "where": "user.department == 'Sales' && user.attributes['extensionName'] != 'x'" });
    let unseen = |look: &Look| {
        let [_, reason, message] = look.conditions().remove("Readable").unwrap();
        assert_eq!(reason, "ReadWithRemarks");
        message.split("; ").find(|part| part.contains("no entry shows")).map(str::to_owned)
    };
    assert_eq!(unseen(&look(&users())), None);

    // Who may read everything but this is told nothing: it is just not there.
    // department and extensionName, by their schemaIDGUIDs.
    for attribute in ["bf96794f-0de6-11d0-a285-00aa003049e2", "bf967972-0de6-11d0-a285-00aa003049e2"] {
        samba.grant(
            &format!("CN=ann,CN=Users,{DOMAIN}"),
            &format!("OD;;RP;{attribute};"),
            ["user", "reader"],
        );
    }
    let told = unseen(&look(&users())).unwrap();
    let expected = "policies use extensionName, department, and no entry shows it: either no entry has it, or the account";
    assert!(told.contains(expected), "{told}");
    let grant = "dsacls \"dc=ad,dc=example,dc=test\" /I:S /G \"ADTEST\\reader:RP;extensionName\"";
    assert!(look(&users()).conditions()["Readable"][2].contains(grant));
    assert_eq!(unseen(&look(&json!({}))), None, "nobody needs it");
}

#[test]
fn what_an_ldap_server_hides_is_told_of_if_policies_use_it() {
    let ldif = large(3, 2, 2, 2);
    let database = "access to attrs=mail,member,title by * none\naccess to * by * read";
    let hidden = Slapd::start(&Setup { ldif: &ldif, database, ..Setup::default() });
    let shown = Slapd::start(&Setup { ldif: &ldif, ..Setup::default() });
    let reader = format!("uid=u000000,ou=people,{SUFFIX}");
    let message = |slapd: &Slapd, who: &str, password: &str, users: &Value| {
        let look = Look::at("ldap", &slapd.secure_url(), who, password, slapd.ca());
        let [_, _, message] = look.used_for(users).conditions().remove("Readable").unwrap();
        message
    };
    hidden.modify(&format!(
        "dn: {reader}\nchangetype: modify\nadd: userPassword\nuserPassword: Passw0rd.Reader!\n"
    ));
    let told = message(&hidden, &reader, "Passw0rd.Reader!", &json!({ "where": "user.title != ''" }));
    let names = "policies use mail, member, uniqueMember, memberUid, title, and no entry shows it";
    let grant =
        format!("access to attrs=mail,member,uniqueMember,memberUid,title by dn.exact=\"{reader}\" read");
    assert!(told.contains(names) && told.contains(&grant), "{told}");
    let told = message(&hidden, &reader, "Passw0rd.Reader!", &json!({}));
    assert!(told.contains("policies use mail, member, uniqueMember, memberUid, and"), "{told}");
    let told = message(&shown, slapd::ADMIN, slapd::PASSWORD, &json!({ "where": "user.title != ''" }));
    assert!(!told.contains("no entry shows"), "{told}");
}
