use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::source::json::object;

fn read(item: &Value, literal: &[&str]) -> Change {
    user(&object(item), &literal.iter().map(|name| (*name).to_owned()).collect())
}

fn entry_of(change: Change) -> Entry {
    match change {
        Change::Replace(entry) => *entry,
        other => panic!("{other:?}"),
    }
}

fn with(more: &Value) -> Value {
    let mut item =
        json!({ "id": "1", "primaryEmail": "ann@corp.example", "suspended": false, "archived": false });
    item.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    item
}

fn values(stated: Option<&Stated>) -> Option<Vec<&str>> {
    match stated? {
        Stated::Values(values) => Some(values.iter().map(String::as_str).collect()),
        Stated::Undecodable => Some(vec!["?"]),
    }
}

#[test]
fn a_user_is_what_the_page_says() {
    let entry = entry_of(read(
        &with(&json!({
            "name": { "givenName": "Ann", "familyName": "Lee", "fullName": "Ann Lee" },
            "aliases": ["a.lee@corp.example"], "nonEditableAliases": ["ann@corp.example.test-google-a.com"],
            "organizations": [
                { "title": "Clerk", "department": "Old" },
                { "title": "Boss", "department": "Sales", "name": "Corp", "description": "staff", "primary": true },
            ],
            "phones": [{ "type": "mobile", "value": "2" }, { "type": "work", "value": "1" }],
            "externalIds": [{ "type": "account", "value": "x" }, { "type": "organization", "value": "77" }],
            "locations": [{ "type": "desk", "buildingId": "B7", "area": "desk" }],
            "isGuestUser": false, "languages": [{ "languageCode": "fr", "preference": "not_preferred" }, { "languageCode": "en-GB" }],
        })),
        &[],
    ));
    assert_eq!((entry.dn.as_str(), entry.disabled), ("users/1", Some(false)));
    let expected = [
        (fields::USER_NAME, vec!["ann@corp.example"]),
        (fields::MAIL, vec!["ann@corp.example"]),
        (fields::ALIASES, vec!["a.lee@corp.example", "ann@corp.example.test-google-a.com"]),
        (fields::DISPLAY_NAME, vec!["Ann Lee"]),
        (fields::GIVEN_NAME, vec!["Ann"]),
        (fields::FAMILY_NAME, vec!["Lee"]),
        (fields::TITLE, vec!["Boss"]),
        (fields::DEPARTMENT, vec!["Sales"]),
        (fields::ORGANIZATION, vec!["Corp"]),
        (fields::EMPLOYEE_TYPE, vec!["staff"]),
        (fields::EMPLOYEE_NUMBER, vec!["77"]),
        (fields::TELEPHONE_NUMBER, vec!["1"]),
        (fields::MOBILE, vec!["2"]),
        (fields::OFFICE, vec!["B7"]),
        (fields::PREFERRED_LANGUAGE, vec!["en-GB"]),
        (fields::USER_TYPE, vec!["member"]),
    ];
    for (field, value) in &expected {
        assert_eq!(values(entry.fields.get(*field)).as_ref(), Some(value), "{field}");
    }
    assert_eq!(entry.fields.len(), expected.len());
    assert!(entry.fields.keys().all(|field| asked().contains(field)));
}

#[rstest]
#[case::suspended(json!({ "suspended": true }), Some(true))]
#[case::archived(json!({ "archived": true }), Some(true))]
#[case::not_archived(json!({ "archived": null }), Some(false))]
#[case::unsaid(json!({ "suspended": null }), None)]
#[case::no_boolean(json!({ "suspended": "false" }), None)]
#[case::archived_how(json!({ "archived": 1 }), None)]
#[case::nobody(json!({ "primaryEmail": "" }), None)]
#[case::nameless(json!({ "id": null }), None)]
fn who_does_not_say_whether_they_are_suspended_stays(#[case] more: Value, #[case] disabled: Option<bool>) {
    match read(&with(&more), &[]) {
        Change::Replace(entry) => assert_eq!(entry.disabled, disabled),
        Change::Unreadable { .. } => assert_eq!(disabled, None),
        other => panic!("{other:?}"),
    }
}

#[rstest]
#[case::plain("orgUnitPath", Some(vec!["/Staff"]))]
#[case::boolean("isGuestUser", Some(vec!["false"]))]
#[case::inner("name.givenName", Some(vec!["Ann"]))]
#[case::all_of_a_list("organizations.costCenter", Some(vec!["1", "2"]))]
#[case::values("phones", Some(vec!["5", "6"]))]
#[case::custom("customSchemas.Job.grade", Some(vec!["7"]))]
#[case::several_custom("customSchemas.Job.skills", Some(vec!["a", "b"]))]
#[case::no_such("customSchemas.Job.shoe", None)]
#[case::no_schema("customSchemas.Other.x", None)]
#[case::structure("name", Some(vec!["?"]))]
#[case::no_structure("orgUnitPath.x", Some(vec!["?"]))]
fn an_attribute_is_called_by_its_path(#[case] name: &str, #[case] expected: Option<Vec<&str>>) {
    let item = with(&json!({
        "orgUnitPath": "/Staff", "isGuestUser": false, "name": { "givenName": "Ann" },
        "organizations": [{ "costCenter": "1" }, { "title": "x" }, { "costCenter": "2" }],
        "phones": [{ "type": "work", "value": "5" }, { "type": "mobile", "value": "6" }],
        "customSchemas": { "Job": { "grade": 7, "skills": [{ "type": "work", "value": "a" }, { "value": "b" }] } },
    }));
    let entry = entry_of(read(&item, &[name]));
    assert_eq!(values(entry.attributes.get(name)), expected);
}

#[rstest]
#[case::lists("organizations", json!("Sales"), fields::TITLE)]
#[case::elements("phones", json!(["1"]), fields::MOBILE)]
#[case::values("externalIds", json!([{ "type": "organization", "value": {} }]), fields::EMPLOYEE_NUMBER)]
#[case::names("name", json!("Ann"), fields::GIVEN_NAME)]
#[case::addresses("aliases", json!([{}]), fields::ALIASES)]
#[case::types("isGuestUser", json!("yes"), fields::USER_TYPE)]
fn what_has_another_form_is_not_empty(#[case] property: &str, #[case] value: Value, #[case] field: &str) {
    let entry = entry_of(read(&with(&json!({ property: value })), &[]));
    assert_eq!(entry.fields.get(field), Some(&Stated::Undecodable));
}

#[test]
fn a_group_without_a_name_is_called_by_its_address() {
    let of = |item: Value| group(&object(&item), &BTreeSet::new());
    let named = of(json!({ "id": "g", "email": "team@corp.example", "name": "The team" })).unwrap();
    assert_eq!(values(named.fields.get(fields::NAME)), Some(vec!["The team"]));
    let bare = of(json!({ "id": "g", "email": "team@corp.example", "name": "" })).unwrap();
    assert_eq!(values(bare.fields.get(fields::NAME)), Some(vec!["team"]));
    assert!(of(json!({ "id": "g" })).is_err() && of(json!({ "email": "team@corp.example" })).is_err());
}

#[test]
fn only_what_is_named_is_asked_for() {
    let literal = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(
        schemas(&literal(&["orgUnitPath", "customSchemas.B.x", "customSchemas.A.y", "customSchemas.B.z"])),
        "A,B"
    );
    assert_eq!(schemas(&literal(&["customSchemasX.B"])), "");
    let names = literal(&["adminCreated", "customSchemas.A.y", "orgUnitPath", "externalIds"]);
    let (users, groups) = (select_users(&names), select_groups(&names));
    let has = |select: &str, name: &str| select.split(',').any(|one| one == name);
    assert!(has(&users, "customSchemas") && has(&users, "orgUnitPath") && !has(&users, "adminCreated"));
    assert!(has(&groups, "adminCreated") && has(&groups, "externalIds") && !has(&groups, "orgUnitPath"));
}
