//! Mailboxes that are nobody's own: their accounts are disabled by design, and they are no leavers.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::support::cli::Desk;
use crate::support::look::Look;
use crate::support::samba::{ADMIN, DOMAIN, PASSWORD, Samba};

/// Name, `userAccountControl`, and what Exchange says.
const PEOPLE: &[(&str, u32, &str)] = &[
    ("ann", 544, "msExchRecipientTypeDetails: 1"),
    ("bob", 544, ""),
    ("left", 546, "msExchRecipientTypeDetails: 1"),
    ("shared", 546, "msExchRecipientTypeDetails: 4"),
    ("room", 546, "msExchRecipientTypeDetails: 16"),
    ("beamer", 546, "msExchRecipientDisplayType: 8"),
    ("linked", 546, "msExchRecipientTypeDetails: 2"),
    ("cloud", 546, "msExchRecipientTypeDetails: 34359738368"),
    ("system", 546, "msExchRecipientTypeDetails: 8388608"),
];

/// Who is active in the registry.
fn active(desk: &Desk) -> Vec<String> {
    let all = desk.registry().into_iter().filter(|one| one["active"] == true);
    let mut names: Vec<String> = all.map(|one| one["userName"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names.iter().map(|name| name.trim_end_matches("@example.test").to_owned()).collect()
}

#[test]
fn mailboxes_without_a_person_come_as_the_policy_says_and_are_no_leavers() {
    let samba = Samba::start();
    samba.know_exchange();
    let mut ldif = String::new();
    for (name, control, exchange) in PEOPLE {
        let exchange = if exchange.is_empty() { String::new() } else { format!("{exchange}\n") };
        write!(
            ldif,
            "dn: CN={name},CN=Users,{DOMAIN}\nchangetype: add\nobjectClass: user\nsAMAccountName: {name}\n\
             userAccountControl: {control}\nmail: {name}@example.test\n{exchange}\n"
        )
        .unwrap();
    }
    samba.modify(&ldif);
    let sync = |desk: &Desk, mailboxes: Value| {
        let look = Look::at("activeDirectory", &samba.secure_url(), ADMIN, PASSWORD, samba.ca());
        let users = json!({ "emailDomains": ["example.test"], "mailboxes": mailboxes });
        desk.write("manifests.yaml", look.used_for(&users).manifests());
        desk.sync(&[]).exits(0);
        active(desk)
    };
    let desk = Desk::new();
    // Neither who left nor what is Exchange's own comes.
    assert_eq!(sync(&desk, json!({})), ["ann", "beamer", "bob", "cloud", "linked", "room", "shared"]);
    // Ann leaves, and others read on in what was hers; Bob just leaves.
    samba.modify(&format!(
        "dn: CN=ann,CN=Users,{DOMAIN}\nchangetype: modify\nreplace: userAccountControl\nuserAccountControl: 546\n-\n\
         replace: msExchRecipientTypeDetails\nmsExchRecipientTypeDetails: 4\n\n\
         dn: CN=bob,CN=Users,{DOMAIN}\nchangetype: modify\nreplace: userAccountControl\nuserAccountControl: 546\n"
    ));
    assert_eq!(sync(&desk, json!({})), ["ann", "beamer", "cloud", "linked", "room", "shared"]);
    // An edit of the policy takes those out whom it leaves out, and somebody new never sees them.
    assert_eq!(sync(&desk, json!({ "resource": "Exclude" })), ["ann", "cloud", "linked", "shared"]);
    assert_eq!(sync(&Desk::new(), json!({ "shared": "Exclude" })), ["beamer", "linked", "room"]);
    assert_eq!(
        sync(&Desk::new(), json!({ "linked": "Exclude" })),
        ["ann", "beamer", "cloud", "room", "shared"]
    );
}
