//! Whole lives of people and groups, from an export of a directory by `rollcall sync` to Mimecast, compared with what the
//! tenant holds, which is read without our client.

use std::collections::{BTreeMap, BTreeSet};

use rstest::rstest;

use crate::support::cli::{Ran, command};
use crate::support::mimecast::office::{Office, WIDE, accounts, company, members};
use crate::support::mimecast::{CLIENT, Fault, Habits};

#[test]
fn a_whole_life() {
    let office =
        Office::new(Habits::default(), &format!("  groups: {{ vanished: {{ do: Delete }} }}\n  {WIDE}\n"));
    let mut company = company();
    // Somebody is there already, another only by mail; and a group by hand has a name of ours.
    office.service.inner().tenant.add("bob@corp.example", "Bobby", "created_by_ldap_sync");
    office.service.inner().tenant.add("eve@corp.example", "", "created_by_email");
    office.service.inner().tenant.add_group("Team", None, "ldap");
    office.sync(&company).exits(0).says("InStep ");
    let truth = office.truth();
    let all: Vec<&str> = vec![
        "ada@corp.example",
        "bob@corp.example",
        "cho@corp.example",
        "dan@corp.example",
        "eve@corp.example",
    ];
    assert_eq!(truth.users.keys().map(String::as_str).collect::<Vec<_>>(), all);
    assert_eq!(truth.users["bob@corp.example"].0, "Name of bob", "who was there already is adopted");
    assert_eq!(accounts(&truth)["ada@corp.example"], (true, vec!["a.byron@corp.test"]));
    assert_eq!((members(&truth, "Team"), members(&truth, "All staff")), (all[..3].to_vec(), all.clone()));

    // Nothing to do is nothing written.
    let written = || {
        office
            .service
            .inner()
            .asked
            .iter()
            .filter(|asked| asked.target.contains("update-") || asked.target.contains("create-"))
            .count()
    };
    let before = written();
    office.sync(&company).exits(0);
    assert_eq!(written(), before);

    // Another name, another address, a group renamed, somebody in another team, somebody disabled, somebody gone.
    let ada = company.of("ada");
    ada.name = "Ada Lovelace".to_owned();
    ada.address = "lovelace@corp.example".to_owned();
    ada.aliases = vec!["ada@corp.example".to_owned()];
    company.of("dan").gone = true;
    company.people.remove("eve");
    company.group("team", "The team", &["ada", "dan"]);
    company.group("staff", "All staff", &["ada", "bob", "cho", "dan"]);
    office.sync(&company).exits(0);
    let truth = office.truth();
    let expected = BTreeMap::from([
        ("lovelace@corp.example", (true, vec!["ada@corp.example"])),
        ("a.byron@corp.test", (false, vec![])),
        ("bob@corp.example", (true, vec![])),
        ("cho@corp.example", (true, vec![])),
        ("dan@corp.example", (false, vec![])),
        ("eve@corp.example", (false, vec![])),
    ]);
    assert_eq!(accounts(&truth), expected);
    assert_eq!(truth.users["lovelace@corp.example"].0, "Ada Lovelace");
    assert_eq!(members(&truth, "The team"), ["dan@corp.example", "lovelace@corp.example"]);
    assert!(!members(&truth, "All staff").contains(&"eve@corp.example"));
    assert!(truth.groups.contains_key("Team") && !truth.groups.contains_key("Rollcall/Team"));

    // Who left comes back, a group goes, and one that a policy of Mimecast uses stays and is said to.
    company.person("eve", "eve@corp.example");
    company.of("dan").gone = false;
    company.groups.remove("team");
    company.groups.remove("staff");
    {
        let tenant = &mut office.service.inner().tenant;
        let used = tenant.group("All staff").unwrap().0.clone();
        tenant.groups.get_mut(&used).unwrap().used = true;
    }
    office.sync(&company).says("a policy or a definition uses");
    let truth = office.truth();
    assert!(truth.users["eve@corp.example"].1 && truth.users["dan@corp.example"].1);
    assert!(
        !truth.groups.contains_key("Rollcall/The team") && truth.groups.contains_key("Rollcall/All staff")
    );
    assert!(office.service.inner().tenant.touched.is_empty());
}

#[test]
fn addresses_are_exchanged_by_nobody_and_names_of_groups_by_all() {
    let office = Office::new(Habits::default(), &format!("  {WIDE}\n"));
    let mut company = company();
    office.sync(&company).exits(0);
    let before = office.truth();
    company.of("bob").address = "cho@corp.example".to_owned();
    company.of("cho").address = "bob@corp.example".to_owned();
    company.group("team", "All staff", &["ada", "bob", "cho"]);
    company.group("staff", "Team", &["ada", "bob", "cho", "dan", "eve"]);
    office.sync(&company).says("exchange their addresses");
    let truth = office.truth();
    assert_eq!(accounts(&truth), accounts(&before), "nobody has another's account");
    assert_eq!((members(&truth, "All staff").len(), members(&truth, "Team").len()), (3, 5));
}

#[test]
fn addresses_elsewhere_are_counted_and_named() {
    let office = Office::new(Habits::default(), "");
    let mut company = company();
    company.person("guest", "guest@elsewhere.example");
    office.sync(&company).says("no internal domain").says("guest@elsewhere.example");
    assert_eq!(office.truth().users.len(), 5);
}

#[test]
fn whoever_becomes_an_alias_of_a_colleague_is_let_go() {
    let office = Office::new(Habits::default(), &format!("  {WIDE}\n"));
    let mut company = company();
    office.sync(&company).exits(0);
    company.people.remove("eve");
    company.group("staff", "All staff", &["ada", "bob", "cho", "dan"]);
    office.sync(&company).exits(0);
    // A colleague gets the mail.
    company.of("dan").aliases.push("eve@corp.example".to_owned());
    office.sync(&company).exits(0);
    assert_eq!(accounts(&office.truth())["dan@corp.example"], (true, vec!["eve@corp.example"]));
    for _ in 0..2 {
        office.sync(&company);
        assert!(
            office.truth().users["dan@corp.example"].1,
            "what is done to who left is not done to the colleague"
        );
    }
}

/// What becomes of a group that is gone.
#[rstest]
#[case::left("Unlink", Some(3))]
#[case::emptied("Empty", Some(0))]
#[case::deleted("Delete", None)]
fn a_group_that_is_gone_is_treated_as_the_policy_says(#[case] action: &str, #[case] left: Option<usize>) {
    let office =
        Office::new(Habits::default(), &format!("  groups: {{ vanished: {{ do: {action} }} }}\n  {WIDE}\n"));
    let mut company = company();
    office.sync(&company).exits(0);
    company.groups.remove("team");
    for _ in 0..2 {
        office.sync(&company).exits(0);
        assert_eq!(office.truth().groups.get("Rollcall/Team").map(BTreeSet::len), left);
    }
}

/// What becomes of a group that is gone, and that something at Mimecast uses.
#[rstest]
#[case::kept("Keep", &["ada@corp.example", "bob@corp.example", "cho@corp.example"], &["ada@corp.example", "cho@corp.example"])]
#[case::emptied("Empty", &[], &[])]
fn a_group_in_use_is_treated_as_the_policy_says(
    #[case] in_use: &str,
    #[case] left: &[&str],
    #[case] without_bob: &[&str],
) {
    let more = format!("  groups: {{ vanished: {{ do: Delete, inUse: {in_use} }} }}\n  {WIDE}\n");
    let office = Office::new(Habits::default(), &more);
    let mut company = company();
    office.sync(&company).exits(0);
    let used = |is: bool| {
        let tenant = &mut office.service.inner().tenant;
        let id = tenant.group("Team").unwrap().0.clone();
        tenant.groups.get_mut(&id).unwrap().used = is;
    };
    used(true);
    company.groups.remove("team");
    office.sync(&company);
    office.sync(&company).says("a policy or a definition uses");
    assert_eq!(members(&office.truth(), "Team"), left);
    // Who leaves meanwhile does not stay in it.
    company.people.remove("bob");
    company.group("staff", "All staff", &["ada", "cho", "dan", "eve"]);
    office.sync(&company).says("a policy or a definition uses");
    assert_eq!(members(&office.truth(), "Team"), without_bob);
    used(false);
    office.sync(&company).exits(0);
    assert!(!office.truth().groups.contains_key("Rollcall/Team"));
}

/// A name that the target refuses is an exception, and so are names that are the same to it; the others go on.
#[test]
fn names_of_groups_are_what_mimecast_takes() {
    let office = Office::new(Habits { longest_name: Some(20), ..Habits::default() }, &format!("  {WIDE}\n"));
    let mut company = company();
    company.group("long", "A name that is longer than Mimecast takes", &["ada"]);
    company.group("one", "Crew", &["ada"]);
    company.group("two", "crew", &["bob"]);
    let said =
        office.sync(&company).says("A name that is longer than Mimecast takes").says("have the same name");
    assert!(said.said().contains("Crew") && said.said().contains("crew"));
    let names = |office: &Office| office.truth().groups.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&office), ["Rollcall", "Rollcall/All staff", "Rollcall/Rest", "Rollcall/Team"]);
    // Another template makes names that it takes.
    office.policy(&format!("  groups: {{ name: \"group.id\" }}\n  {WIDE}\n"));
    office.sync(&company).exits(0);
    assert_eq!(names(&office).len(), 7);
}

#[test]
fn groups_are_called_as_the_policy_says() {
    let called = |template: &str| format!("  groups: {{ name: \"{template}\" }}\n  {WIDE}\n");
    let office = Office::new(Habits::default(), &called("'AD ' + group.name"));
    let mut company = company();
    office.sync(&company).exits(0);
    let names = |office: &Office| office.truth().groups.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&office), ["Rollcall", "Rollcall/AD All staff", "Rollcall/AD Rest", "Rollcall/AD Team"]);
    // Another name in the directory; then a name that another group has only in the directory.
    company.group("team", "Crew", &["ada", "bob", "cho"]);
    office.sync(&company).exits(0);
    company.group("rest", "Team", &["ada"]);
    office.sync(&company).exits(0);
    assert_eq!(names(&office), ["Rollcall", "Rollcall/AD All staff", "Rollcall/AD Crew", "Rollcall/AD Team"]);
    // Another template renames, and makes none anew.
    office.policy(&called("group.name + ' (AD)'"));
    office.sync(&company).exits(0);
    assert_eq!(
        names(&office),
        ["Rollcall", "Rollcall/All staff (AD)", "Rollcall/Crew (AD)", "Rollcall/Team (AD)"]
    );
    // One name for all is none for any, and nothing changes.
    office.policy(&called("'AD'"));
    office.sync(&company).says("have the same name, \"AD\"");
    assert_eq!(names(&office).len(), 4);
    assert_eq!(members(&office.truth(), "Crew (AD)").len(), 3);
}

#[test]
fn an_alias_that_is_a_colleagues_account_is_an_exception_until_it_is_none() {
    let office = Office::new(Habits::default(), &format!("  {WIDE}\n"));
    let mut company = company();
    office.sync(&company).exits(0);
    let before = office.truth();
    company.of("ada").aliases.push("bob@corp.example".to_owned());
    for _ in 0..2 {
        office.sync(&company).exits(0).says("an account of its own at Mimecast");
        assert_eq!(office.truth(), before, "nobody's account was taken");
    }
    company.of("ada").aliases.pop();
    office.sync(&company).exits(0).says("InStep ");
    assert_eq!(office.truth(), before);
}

#[test]
fn nothing_that_is_printed_names_a_person_but_the_exceptions() {
    let office = Office::new(Habits::default(), &format!("  {WIDE}\n"));
    let mut company = company();
    office.service.inner().faults.push_back(Fault::older("create-user", "err_some_policy"));
    let log = |office: &Office| {
        let (manifests, data) = (office.desk.path("manifests.yaml"), office.desk.path("data"));
        let arguments =
            ["sync", "-f", manifests.to_str().unwrap(), "--data", data.to_str().unwrap(), "-o", "json"];
        let output = command(&arguments).env("ROLLCALL_LOG", "info").output().unwrap();
        let ran = Ran::of(&output);
        (ran.err, ran.out)
    };
    office.desk.write("corp.ldif", company.export());
    let (first, json) = log(&office);
    company.of("ada").address = "lovelace@corp.example".to_owned();
    company.people.remove("bob");
    office.desk.write("corp.ldif", company.export());
    let (second, other) = log(&office);
    let inner = office.service.inner();
    for text in [first, second] {
        for address in inner.tenant.addresses.keys() {
            assert!(!text.contains(address), "{address} is in {text}");
        }
    }
    for text in [json, other] {
        let objects: serde_json::Value = serde_json::from_str(&text).unwrap();
        for object in objects["items"].as_array().into_iter().flatten() {
            let status = object["status"].to_string();
            assert!(!status.contains("@corp."), "{status}");
        }
        for secret in inner.tokens.iter().map(String::as_str).chain([CLIENT.1]) {
            assert!(!text.contains(secret));
        }
    }
}
