//! The life of a person in a domain, step by step, and what is to arrive of it.

use crate::support::happening::Happening;
use crate::support::samba::DOMAIN;

/// The groups that the life is about; every domain has others.
pub(super) const GROUPS: [&str; 3] = ["all", "extra", "team"];

/// Who is nobody but one of many.
pub(super) const OTHERS: &str = "other";

/// Every feed.
const ALL: &[&str] = &["DirSync", "UsnChanged"];

/// What happens, and what is to arrive of it.
pub(super) struct Step {
    pub(super) name: &'static str,
    pub(super) happens: Happening,
    /// Each person in the registry, but for the [`OTHERS`]: who it is, by the first name that they had there; their
    /// name now; their state; the [`GROUPS`] that they are in.
    pub(super) arrives: &'static [&'static str],
    /// The feeds that do not tell of all that follows from it, so that everything is read.
    pub(super) untold: &'static [&'static str],
}

/// The places and groups in which people are.
pub(super) fn company() -> String {
    let ou = |name: &str| add(&format!("OU={name}"), "organizationalUnit", "description: a place");
    let group = |name: &str| {
        add(
            &format!("CN={name},OU=Groups"),
            "group",
            &format!("sAMAccountName: {name}\nmail: {name}@example.test"),
        )
    };
    [ou("Staff"), ou("Other"), ou("Out"), ou("Groups"), group("team"), group("all"), group("extra")].concat()
}

/// Everything that may happen to somebody. What is in `OU=Out` is not read.
pub(super) fn life() -> Vec<Step> {
    let step =
        |name, changes, arrives| Step { name, happens: Happening::Changes(changes), arrives, untold: &[] };
    let ann = "CN=Ann Smith,OU=Staff";
    // Whose account is off is no leaver, so the groups stay.
    let off: &[&str] = &["ann@example.test: smith@example.test, disabled, in all extra team"];
    let gone: &[&str] = &["ann@example.test: smith@example.test, disabled, in"];
    let alone: &[&str] = &["ann@example.test: smith@example.test, active, in"];
    let nested: &[&str] = &["ann@example.test: smith@example.test, active, in all extra team"];
    let another: &[&str] = &["smith@example.test: smith@example.test, active, in team"];
    vec![
        step(
            "others",
            (0..8).map(|n| user(&format!("{OTHERS}{n}"), &mail(&format!("{OTHERS}{n}")))).collect(),
            &[],
        ),
        step("without mail", user("ann", "sn: Lee"), &[]),
        step(
            "with mail",
            change("CN=ann,OU=Staff", &format!("add: mail\n{}", mail("ann"))),
            &["ann@example.test: ann@example.test, active, in"],
        ),
        step(
            "into a group",
            member("add", "team", "CN=ann,OU=Staff"),
            &["ann@example.test: ann@example.test, active, in team"],
        ),
        step(
            "renamed",
            moved("CN=ann,OU=Staff", "CN=Ann Smith", "OU=Staff"),
            &["ann@example.test: ann@example.test, active, in team"],
        ),
        step(
            "married",
            change(ann, &format!("replace: sn\nsn: Smith\n-\nreplace: mail\n{}", mail("smith"))),
            &["ann@example.test: smith@example.test, active, in team"],
        ),
        step(
            "nested",
            [member("add", "all", "CN=team,OU=Groups"), member("add", "extra", "CN=all,OU=Groups")].concat(),
            nested,
        ),
        step("moved", moved(ann, "CN=Ann Smith", "OU=Other"), nested),
        // Who is in it is called otherwise now.
        Step {
            untold: ALL,
            ..step("a place renamed", moved("OU=Other", "OU=Elsewhere", "OU=Staff"), nested)
        },
        step("back", moved("CN=Ann Smith,OU=Elsewhere,OU=Staff", "CN=Ann Smith", "OU=Staff"), nested),
        step("out of the group", member("delete", "team", ann), alone),
        step("in again", member("add", "team", ann), nested),
        step("disabled", change(ann, "replace: userAccountControl\nuserAccountControl: 546"), off),
        step("enabled", change(ann, "replace: userAccountControl\nuserAccountControl: 544"), nested),
        step("expired", change(ann, "replace: accountExpires\naccountExpires: 133801632000000000"), off),
        step("not expired", change(ann, "replace: accountExpires\naccountExpires: 0"), nested),
        step("no address", change(ann, "delete: mail"), gone),
        step("an address", change(ann, &format!("add: mail\n{}", mail("smith"))), nested),
        step("outside", moved(ann, "CN=Ann Smith", "OU=Out"), gone),
        step("inside", moved("CN=Ann Smith,OU=Out", "CN=Ann Smith", "OU=Staff"), nested),
        step("deleted", delete(ann), gone),
        // No group is said to have changed.
        Step {
            name: "restored",
            happens: Happening::Restored {
                account: "ann".to_owned(),
                dn: at(ann),
                mail: "smith@example.test".to_owned(),
            },
            arrives: alone,
            untold: ALL,
        },
        step("changed since", change(ann, "replace: title\ntitle: Dr"), alone),
        step("restored to the group", member("add", "team", ann), nested),
        step("deleted again", delete(ann), gone),
        // Not ann: the policy replaces her.
        step(
            "another of that name",
            user("ann", &mail("smith")),
            &["smith@example.test: smith@example.test, active, in"],
        ),
        step(
            "another in the group",
            member("add", "team", "CN=ann,OU=Staff"),
            &["smith@example.test: smith@example.test, active, in all extra team"],
        ),
        step("a group deleted", delete("CN=all,OU=Groups"), another),
        // It might have been renamed.
        Step {
            untold: &["UsnChanged"],
            ..step("a place", change("OU=Groups", "replace: description\ndescription: groups"), another)
        },
        step(
            "a last one",
            user("zoe", &mail("zoe")),
            &[
                "smith@example.test: smith@example.test, active, in team",
                "zoe@example.test: zoe@example.test, active, in",
            ],
        ),
    ]
}

fn at(rdn: &str) -> String {
    format!("{rdn},{DOMAIN}")
}

fn mail(name: &str) -> String {
    format!("mail: {name}@example.test")
}

fn add(rdn: &str, class: &str, what: &str) -> String {
    format!("dn: {}\nchangetype: add\nobjectClass: {class}\n{what}\n\n", at(rdn))
}

fn user(name: &str, more: &str) -> String {
    let what = format!("sAMAccountName: {name}\nuserAccountControl: 544\n{more}");
    add(&format!("CN={name},OU=Staff"), "user", &what)
}

fn change(rdn: &str, what: &str) -> String {
    format!("dn: {}\nchangetype: modify\n{what}\n\n", at(rdn))
}

fn member(verb: &str, group: &str, who: &str) -> String {
    change(&format!("CN={group},OU=Groups"), &format!("{verb}: member\nmember: {}", at(who)))
}

fn moved(rdn: &str, new: &str, to: &str) -> String {
    format!("dn: {}\nchangetype: moddn\nnewrdn: {new}\ndeleteoldrdn: 1\nnewsuperior: {}\n\n", at(rdn), at(to))
}

fn delete(rdn: &str) -> String {
    format!("dn: {}\nchangetype: delete\n\n", at(rdn))
}
