use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::source::json::object;

const ID: &str = "4E12AC45-6E38-4A11-BDBF-82AF381AF98E";

fn item(more: &Value) -> Item<'static> {
    let mut item = json!({ "id": ID, "userPrincipalName": "ann@corp.example", "accountEnabled": true });
    item.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    object(&item)
}

fn literal(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn entry_of(more: &Value, names: &[&str]) -> Entry {
    match user(&item(more), &literal(names), Mode::Full) {
        Change::Replace(entry) => *entry,
        other => panic!("{other:?}"),
    }
}

fn values(of: &[&str]) -> Stated {
    Stated::Values(of.iter().map(|value| (*value).to_owned()).collect())
}

#[test]
fn a_user_is_known_by_an_id_in_small_letters() {
    let ann = entry_of(
        &json!({
            "displayName": " Ann ", "userType": "Guest", "surname": null, "jobTitle": "", "businessPhones": ["1", "2"], "mail": "ann@corp.example",
            "proxyAddresses": ["smtp:a@corp.example", "SMTP:ann@corp.example", "SIP:ann@corp.example"],
        }),
        &[],
    );
    assert_eq!(ann.anchor.as_str(), ID.to_lowercase());
    assert_eq!((ann.dn.as_str(), ann.disabled), (format!("users/{}", ann.anchor).as_str(), Some(false)));
    assert_eq!(ann.fields[fields::DISPLAY_NAME], values(&["Ann"]));
    assert_eq!(ann.fields[fields::USER_TYPE], values(&["guest"]));
    assert_eq!(ann.fields[fields::TELEPHONE_NUMBER], values(&["1", "2"]));
    assert_eq!(ann.fields[fields::MAIL], values(&["ann@corp.example"]));
    assert_eq!(ann.fields[fields::ALIASES], values(&["a@corp.example"]));
    assert!(!ann.fields.contains_key(fields::FAMILY_NAME) && !ann.fields.contains_key(fields::TITLE));
    assert_eq!(ann.names, [Reference::Anchor(ann.anchor.clone())]);
    assert_eq!(entry_of(&json!({ "accountEnabled": false }), &[]).disabled, Some(true));
}

#[rstest]
#[case::text(json!({ "employeeHireDate": "2026-01-01" }), "employeeHireDate", Some(values(&["2026-01-01"])))]
#[case::letter_case(json!({ "employeeLeaveCode": "x" }), "EMPLOYEELEAVECODE", Some(values(&["x"])))]
#[case::yes(json!({ "onPremisesSyncEnabled": true }), "onPremisesSyncEnabled", Some(values(&["true"])))]
#[case::number(json!({ "extension_0_level": 7 }), "extension_0_level", Some(values(&["7"])))]
#[case::list(json!({ "otherMails": ["a", "b"] }), "otherMails", Some(values(&["a", "b"])))]
#[case::nothing(json!({ "otherMails": [] }), "otherMails", None)]
#[case::null(json!({ "country": null }), "country", None)]
#[case::object(json!({ "employeeOrgData": { "division": "x" } }), "employeeOrgData", Some(Stated::Undecodable))]
#[case::objects(json!({ "identities": [{}] }), "identities", Some(Stated::Undecodable))]
#[case::extension(json!({ "onPremisesExtensionAttributes": { "extensionAttribute7": "x" } }), "extensionAttribute7", Some(values(&["x"])))]
#[case::no_extension(json!({ "onPremisesExtensionAttributes": null }), "extensionAttribute7", None)]
fn an_attribute_is_what_graph_says_of_it(
    #[case] said: Value,
    #[case] name: &str,
    #[case] stated: Option<Stated>,
) {
    assert_eq!(entry_of(&said, &[name]).attributes.get(name), stated.as_ref());
}

#[test]
fn an_address_that_is_no_text_is_not_known() {
    let ann = entry_of(&json!({ "mail": "ann@corp.example", "proxyAddresses": [{}] }), &[]);
    assert_eq!(ann.fields[fields::MAIL], Stated::Undecodable);
}

#[rstest]
#[case::no_id(json!({ "id": null }), None)]
#[case::other_id(json!({ "id": "ann" }), None)]
#[case::id_alone(json!({ "userPrincipalName": null }), Some("User.Read.All"))]
#[case::no_state(json!({ "accountEnabled": null }), Some("accountEnabled"))]
#[case::state_as_text(json!({ "accountEnabled": "true" }), Some("accountEnabled"))]
#[case::strange_removal(json!({ "@removed": { "reason": "moved" } }), Some("\"moved\""))]
#[case::bare_removal(json!({ "@removed": null }), Some("not known"))]
fn what_cannot_be_understood_is_evidence_of_nothing(#[case] said: Value, #[case] part: Option<&str>) {
    let Change::Unreadable { anchor, why, .. } = user(&item(&said), &BTreeSet::new(), Mode::Full) else {
        panic!()
    };
    assert_eq!(anchor.is_some(), part.is_some());
    assert!(why.contains(part.unwrap_or("UUID")), "{why}");
}

#[test]
fn a_contact_has_no_account() {
    let said = json!({ "id": ID, "displayName": "Cyd", "mail": "cyd@partner.example" });
    let Change::Replace(cyd) = contact(&object(&said), &BTreeSet::new(), Mode::Full) else { panic!() };
    assert_eq!((cyd.kind, cyd.disabled), (EntryKind::Contact, None));
    assert_eq!(cyd.dn, format!("contacts/{}", cyd.anchor));
    assert_eq!(cyd.fields[fields::MAIL], values(&["cyd@partner.example"]));
    let bare = json!({ "id": ID });
    let Change::Unreadable { why, .. } = contact(&object(&bare), &BTreeSet::new(), Mode::Full) else {
        panic!()
    };
    assert!(why.contains("OrgContact.Read.All"), "{why}");
    let literal = literal(&["mailNickname", "employeeHireDate"]);
    assert!(
        select_contacts(&literal).contains("mailNickname") && !select_contacts(&literal).contains("employee")
    );
}

#[rstest]
#[case("changed")]
#[case("deleted")]
fn who_is_removed_is_gone(#[case] reason: &str) {
    let item = item(&json!({ "@removed": { "reason": reason } }));
    assert!(matches!(user(&item, &BTreeSet::new(), Mode::Full), Change::Tombstone(_)));
}

#[test]
fn attributes_are_asked_of_those_who_have_them() {
    let literal = literal(&[
        "extensionAttribute1",
        "extensionAttribute15",
        "extensionAttribute16",
        "membershipRule",
        "mail",
        "extension_0123_team",
    ]);
    let (users, groups) = (select_users(&literal), select_groups(&literal));
    let has = |select: &str, name: &str| select.split(',').filter(|it| *it == name).count();
    assert_eq!((has(&users, EXTENSIONS), has(&users, "extensionAttribute1"), has(&users, "mail")), (1, 0, 1));
    assert_eq!(
        (has(&users, "extensionAttribute16"), has(&users, "membershipRule"), has(&users, "members")),
        (1, 0, 0)
    );
    assert_eq!(
        (has(&groups, "membershipRule"), has(&groups, "members"), has(&groups, EXTENSIONS)),
        (1, 1, 0)
    );
    assert_eq!([&users, &groups].map(|select| has(select, "extension_0123_team")), [1, 1]);
}

fn patch_of(said: &Value, names: &[&str]) -> Patch {
    let mut item = said.clone();
    item["id"] = json!(ID);
    match user(&object(&item), &literal(names), Mode::Delta) {
        Change::Patch(patch) => *patch,
        other => panic!("{other:?}"),
    }
}

#[test]
fn of_who_changed_what_was_not_sent_is_as_it_was() {
    let patch = patch_of(
        &json!({
            "jobTitle": "Boss", "department": null, "businessPhones": [], "country": "AT", "city": null,
            "onPremisesExtensionAttributes": { "extensionAttribute1": "x" },
        }),
        &["country", "city", "state", "extensionAttribute1", "extensionAttribute2"],
    );
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(patch.set.fields, BTreeMap::from([(fields::TITLE.to_owned(), values(&["Boss"]))]));
    assert_eq!(patch.cleared, names(&[fields::DEPARTMENT, fields::TELEPHONE_NUMBER]));
    assert_eq!(
        patch.set.attributes.keys().cloned().collect::<BTreeSet<_>>(),
        names(&["country", "extensionAttribute1"])
    );
    assert_eq!(patch.cleared_attributes, names(&["city", "extensionAttribute2"]));
    assert_eq!(patch.set.disabled, None);
    assert!(patch.alone.unwrap_err().contains("User.Read.All"));
    assert_eq!(patch_of(&json!({ "accountEnabled": false }), &[]).set.disabled, Some(true));
}

/// Whether the other part must be asked for; what is set and cleared otherwise.
#[rstest]
#[case::neither(json!({}), false, None, false)]
#[case::mail(json!({ "mail": "a@x.example" }), true, Some("a@x.example"), false)]
#[case::no_mail(json!({ "mail": null }), true, None, true)]
#[case::proxies(json!({ "proxyAddresses": ["smtp:a@x.example"] }), true, Some("a@x.example"), false)]
#[case::never_any(json!({ "proxyAddresses": [] }), false, None, false)]
#[case::both(json!({ "mail": "a@x.example", "proxyAddresses": ["SMTP:b@x.example"] }), false, Some("b@x.example"), false)]
#[case::none_left(json!({ "mail": null, "proxyAddresses": [] }), false, None, true)]
fn addresses_come_of_both_that_state_them(
    #[case] said: Value,
    #[case] half: bool,
    #[case] mail: Option<&str>,
    #[case] cleared: bool,
) {
    assert_eq!(is_half(&object(&said)), half);
    let patch = patch_of(&said, &[]);
    assert_eq!(patch.set.fields.get(fields::MAIL), mail.map(|mail| values(&[mail])).as_ref());
    assert_eq!(patch.cleared.contains(fields::MAIL), cleared);
}

#[rstest]
#[case(json!({ "accountEnabled": null }))]
#[case(json!({ "accountEnabled": "true" }))]
#[case(json!({ "userPrincipalName": null }))]
fn what_everybody_has_is_never_cleared(#[case] said: Value) {
    let mut item = said;
    item["id"] = json!(ID);
    assert!(matches!(user(&object(&item), &BTreeSet::new(), Mode::Delta), Change::Unreadable { .. }));
}

#[test]
fn a_contact_that_shows_no_name_shows_nothing() {
    for (said, hides) in
        [(json!({ "displayName": null, "mail": null }), true), (json!({ "mail": null }), false)]
    {
        let mut item = said;
        item["id"] = json!(ID);
        let change = contact(&object(&item), &BTreeSet::new(), Mode::Delta);
        assert_eq!(matches!(change, Change::Unreadable { .. }), hides, "{change:?}");
    }
}
