//! What others wrote reaches people without what cannot be seen, and never costs a status.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::thread;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::support::cli::{Desk, rollcall};
use crate::support::cluster::{Cluster, PATIENCE};
use crate::support::office::{PASSWORD, is, policy, reader};
use crate::support::operator::Operator;
use crate::support::process::eventually;

/// Colours, hides, reorders, ends a line, and is no text.
const HOSTILE: &str = "\u{1b}[31m\u{7f}\u{85}\u{9b}2J\u{202e}\u{200b}\u{feff}\u{fffe}\r\n";

fn unseen(text: &str) -> String {
    text.chars().filter(|sign| *sign != '\n' && rollcall::text::is_unseen(*sign)).collect()
}

/// Two people of one address, whose DNs say more than they show.
fn two_of_one_address() -> String {
    let person = |number: u32| {
        let dn = BASE64_STANDARD.encode(format!("cn==1{HOSTILE}{number},dc=example,dc=test"));
        format!(
            "dn:: {dn}\nobjectClass: inetOrgPerson\nuid: e{number}\ncn: =1{number}\nsn: x\nmail: same@example.test\n\
             entryUUID: 00000000-0000-4000-8000-00000000000{number}\n\n"
        )
    };
    let base = "dn: dc=example,dc=test\nobjectClass: domain\ndc: example\n\
                entryUUID: 00000000-0000-4000-8000-000000000009\n\n";
    [base.to_owned(), person(1), person(2)].concat()
}

const MANIFESTS: &str = "apiVersion: rollcall.dev/v1alpha1\nkind: DirectoryConnector\n\
    metadata: { name: c, namespace: t }\nspec: { ldif: { path: a.ldif } }\n---\n\
    apiVersion: rollcall.dev/v1alpha1\nkind: SyncPolicy\nmetadata: { name: p, namespace: t }\n\
    spec: { connectors: [{ name: c }], target: { registry: {} } }\n";

#[test]
fn whatever_names_an_entry_is_shown_escaped() {
    let desk = Desk::new();
    desk.write("a.ldif", two_of_one_address());
    desk.write("m.yaml", MANIFESTS);
    let (manifests, data) = (desk.path("m.yaml").display().to_string(), desk.path("data"));
    let data = data.display().to_string();
    let mut shown = Vec::new();
    for arguments in [
        &["sync", "-f", &manifests, "--data", &data] as &[&str],
        &["sync", "-f", &manifests, "--data", &data, "-o", "json"],
        &["plan", "exceptions", "--data", &data],
        &["plan", "exceptions", "--data", &data, "-o", "csv"],
        &["plan", "exceptions", "--data", &data, "-o", "json"],
        &["registry", "export", "--data", &data],
    ] {
        let ran = rollcall(arguments);
        for text in [&ran.out, &ran.err] {
            assert_eq!(unseen(text), "", "{arguments:?}: {text:?}");
        }
        shown.push(ran.out);
    }
    let [synced, _, table, csv, json, _] = shown.try_into().unwrap();
    for text in [&synced, &table, &csv] {
        assert!(text.contains("\\x1b[31m\\x7f\\x85\\x9b2J\\u{202e}\\u{200b}\\u{feff}"), "{text}");
    }
    let exact: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(exact[0]["named"][0]["entry"].as_str().unwrap().contains(HOSTILE), "{exact}");
}

/// As one byte, which is how BER writes a short one.
fn length(of: &[u8]) -> u8 {
    u8::try_from(of.len()).unwrap()
}

/// A server that refuses every login, and repeats in its own words what was said, and more.
fn refuses_every_login() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let mut request = [0; 512];
            let Ok(came) = stream.read(&mut request) else { continue };
            // A sequence of one byte's length, an integer of one byte: the message's number.
            let [0x30, _, 0x02, 0x01, id, ..] = request[..came] else { continue };
            let said = if number % 2 == 0 { HOSTILE.repeat(3) } else { format!("you said {PASSWORD}") };
            let said = said.into_bytes();
            let result = [&[0x0a, 0x01, 49, 0x04, 0x00, 0x04, length(&said)], &said[..]].concat();
            let bound = [&[0x02, 0x01, id, 0x61, length(&result)], &result[..]].concat();
            // What does not arrive is asked for again.
            drop(stream.write_all(&[&[0x30, length(&bound)], &bound[..]].concat()));
        }
    });
    address
}

fn connector(url: &str, filter: &str) -> String {
    format!(
        "apiVersion: rollcall.dev/v1alpha1\nkind: DirectoryConnector\nmetadata: {{ name: corp }}\nspec:\n  ldap:\n    \
         urls: [\"{url}\"]\n    insecure: true\n    credentialsSecretRef: {{ name: reader }}\n    userFilter: \"{filter}\"\n  \
         interval: 10s\n  retryInterval: 1s\n"
    )
}

#[test]
fn no_text_of_others_costs_a_status_or_shows_the_password() {
    let namespace = Cluster::shared().namespace();
    let mut operator = Operator::start(&namespace);
    operator.secret(PASSWORD);
    namespace.apply(&reader(PASSWORD));
    let url = format!("ldap://{}", refuses_every_login());
    namespace.apply(&connector(&url, ""));
    namespace.apply(&policy(""));
    let message = |object: &serde_json::Value| {
        let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let ready = conditions.iter().find(|condition| condition["type"] == "Ready").cloned();
        ready.map(|ready| ready["message"].as_str().unwrap().to_owned()).unwrap_or_default()
    };
    for part in ["\\x1b[31m\\x7f\\x85\\x9b2J\\u{202e}", "repeats the password, and is not shown"] {
        let corp = namespace.until("dirconn", "corp", |object| {
            is("Ready", "False", "AuthenticationFailed")(object) && message(object).contains(part)
        });
        assert_eq!(unseen(&corp.to_string()), "", "{corp}");
        assert!(!corp.to_string().contains(PASSWORD));
    }
    // Events and lines say the same.
    let events = eventually(PATIENCE, "an Event", || {
        let events = namespace.kubectl(&["get", "events.events.k8s.io", "-o", "json"]).out;
        events.contains("AuthenticationFailed").then_some(events)
    });
    assert_eq!(unseen(&events), "", "{events}");
    let said = operator.output();
    assert_eq!(unseen(&said), "", "{said}");
    // A spec is quoted where it is wrong.
    namespace.apply(&connector(&url, "(cn=\\x85\\u202e\\x7f"));
    let corp = namespace.until("dirconn", "corp", is("Ready", "False", "InvalidSpec"));
    assert!(message(&corp).contains("(cn=\\x85\\u{202e}\\x7f"), "{corp}");
    namespace.apply(&policy("  users: { where: \"user.\\x85\\u202e == ''\" }\n"));
    namespace.until("syncpol", "staff", is("Ready", "False", "InvalidSpec"));
}
