//! Whole lives of people and groups, from an export of a directory by `rollcall sync` to Mimecast, compared with what the
//! tenant holds, which is read without our client.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::process::Stdio;
use std::time::Duration;

use rstest::rstest;

use crate::support::cli::{Desk, Ran, command};
use crate::support::faults;
use crate::support::mimecast::{CLIENT, Fault, Habits, StandIn, Truth};

/// Somebody in the directory.
#[derive(Clone, Debug)]
struct Person {
    name: String,
    address: String,
    aliases: Vec<String>,
    gone: bool,
}

/// A directory, as its export shows it.
#[derive(Clone, Debug, Default)]
struct Directory {
    people: BTreeMap<String, Person>,
    groups: BTreeMap<String, (String, BTreeSet<String>)>,
}

impl Directory {
    fn person(&mut self, uid: &str, address: &str) -> &mut Person {
        let person = Person {
            name: format!("Name of {uid}"),
            address: address.to_owned(),
            aliases: Vec::new(),
            gone: false,
        };
        self.people.entry(uid.to_owned()).insert_entry(person).into_mut()
    }

    fn group(&mut self, id: &str, name: &str, members: &[&str]) {
        let members = members.iter().map(|member| (*member).to_owned()).collect();
        self.groups.insert(id.to_owned(), (name.to_owned(), members));
    }

    fn of(&mut self, uid: &str) -> &mut Person {
        self.people.get_mut(uid).unwrap()
    }

    fn export(&self) -> String {
        let mut ldif = "dn: dc=corp\nobjectClass: domain\ndc: corp\nentryUUID: base\n\n".to_owned();
        for (uid, Person { name, address, aliases, gone }) in &self.people {
            let state = if *gone { "gone" } else { "there" };
            write!(
                ldif,
                "dn: uid={uid},dc=corp\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {name}\nsn: {name}\ndisplayName: {name}\n\
                 mail: {address}\nemployeeType: {state}\nentryUUID: id-{uid}\n"
            )
            .unwrap();
            for alias in aliases {
                writeln!(ldif, "mailAlternateAddress: {alias}").unwrap();
            }
            ldif.push('\n');
        }
        for (id, (name, members)) in &self.groups {
            write!(
                ldif,
                "dn: cn={name},ou=groups,dc=corp\nobjectClass: groupOfNames\ncn: {name}\nentryUUID: id-{id}\n"
            )
            .unwrap();
            for member in members {
                writeln!(ldif, "member: uid={member},dc=corp").unwrap();
            }
            ldif.push('\n');
        }
        let entries = 1 + self.people.len() + self.groups.len();
        format!("{ldif}# numEntries: {entries}\n")
    }
}

/// A directory, and a tenant that is kept in step with it.
struct Office {
    desk: Desk,
    service: StandIn,
}

/// No limit stands in the way.
const WIDE: &str = "limits: { userRemovals: { count: 900, percent: 100 }, groupRemovals: { count: 900, percent: 100 }, \
                    memberRemovals: { count: 900, percent: 100 }, disables: { count: 900, percent: 100 }, \
                    memberRemovalsPerGroup: { percent: 100 }, identifierChanges: { count: 900, percent: 100 } }";

impl Office {
    fn new(habits: Habits, more: &str) -> Self {
        let office = Self { desk: Desk::new(), service: StandIn::start(habits) };
        office.policy(more);
        office
    }

    fn policy(&self, more: &str) {
        let ca: String =
            self.service.https.ca.lines().fold(String::new(), |text, line| text + "    " + line + "\n");
        let manifests = format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{ name: mimecast, namespace: test }}\n\
             stringData: {{ client-id: {}, client-secret: {} }}\n---\n\
             apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: ca, namespace: test }}\ndata:\n  ca.crt: |\n{ca}---\n\
             apiVersion: rollcall.dev/v1alpha1\nkind: DirectoryConnector\nmetadata: {{ name: corp, namespace: test }}\n\
             spec: {{ ldif: {{ path: corp.ldif, directoryID: dc=corp, disabledWhen: \"user.employeeType == 'gone'\" }} }}\n---\n\
             apiVersion: rollcall.dev/v1alpha1\nkind: SyncPolicy\nmetadata: {{ name: staff, namespace: test }}\n\
             spec:\n  connectors: [{{ name: corp }}]\n  target:\n    mimecast:\n      url: {}\n      \
             credentialsSecretRef: {{ name: mimecast }}\n      tls: {{ caRef: {{ kind: ConfigMap, name: ca, key: ca.crt }} }}\n{more}",
            CLIENT.0,
            CLIENT.1,
            self.service.https.url(),
        );
        self.desk.write("manifests.yaml", manifests);
    }

    fn sync(&self, directory: &Directory) -> Ran {
        self.desk.write("corp.ldif", directory.export());
        self.desk.sync_aloud(&[])
    }

    fn truth(&self) -> Truth {
        self.service.truth()
    }
}

/// Accounts by address: whether they work, and their other addresses.
fn accounts(truth: &Truth) -> BTreeMap<&str, (bool, Vec<&str>)> {
    let all = truth.users.iter();
    all.map(|(address, user)| (address.as_str(), (user.1, user.2.iter().map(String::as_str).collect())))
        .collect()
}

fn members<'t>(truth: &'t Truth, group: &str) -> Vec<&'t str> {
    truth.groups[&format!("Rollcall/{group}")].iter().map(String::as_str).collect()
}

fn company() -> Directory {
    let mut company = Directory::default();
    for uid in ["ada", "bob", "cho", "dan", "eve"] {
        company.person(uid, &format!("{uid}@corp.example"));
    }
    company.of("ada").aliases.push("a.byron@corp.test".to_owned());
    company.group("team", "Team", &["ada", "bob", "cho"]);
    company.group("staff", "All staff", &["ada", "bob", "cho", "dan", "eve"]);
    // While one is there, it is believed that others are gone.
    company.group("rest", "Rest", &["ada"]);
    company
}

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

/// What the settings of a directory integration do, by the fields that they become.
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
    let are =
        truth.users.iter().filter(|(address, (_, active, _))| !active && address.ends_with("@corp.example"));
    assert_eq!(are.map(|(address, _)| address.clone()).collect::<BTreeSet<_>>(), expected);
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
fn only_the_domains_that_are_named_are_synced() {
    let office = Office::new(Habits::default(), "  users: { emailDomains: [corp.test] }\n");
    let mut company = company();
    company.of("bob").address = "bob@corp.test".to_owned();
    office.sync(&company).exits(0);
    assert_eq!(office.truth().users.keys().collect::<Vec<_>>(), ["bob@corp.test"]);
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

/// With many people and a limit of calls: the limit is used and not exceeded, and nothing is missing.
#[test]
fn a_company_arrives_within_the_limit_of_calls() {
    let people = faults::count("MIMECAST_PEOPLE", 200);
    let (most, span) = (faults::count("MIMECAST_CALLS", 30), Duration::from_millis(500));
    let office =
        Office::new(Habits { rate: Some((most, span)), ..Habits::default() }, "  retryInterval: 1s\n");
    let mut company = Directory::default();
    for at in 0..people {
        company.person(&format!("p{at:05}"), &format!("p{at:05}@corp.example"));
    }
    for at in 0..people / 20 {
        let members: Vec<String> = (0..20).map(|member| format!("p{:05}", at * 20 + member)).collect();
        let members: Vec<&str> = members.iter().map(String::as_str).collect();
        company.group(&format!("g{at}"), &format!("Group {at}"), &members);
    }
    office.sync(&company).exits(0).says("InStep ");
    let truth = office.truth();
    assert_eq!(truth.users.len() as u64, people);
    let groups =
        truth.groups.iter().filter(|(path, members)| path.starts_with("Rollcall/") && members.len() == 20);
    assert_eq!(groups.count() as u64, people / 20);
    let inner = office.service.inner();
    assert_eq!(inner.exceeded, 0);
    let full = &inner.windows[1..];
    let used: u64 = full.iter().sum();
    faults::tell(format_args!(
        "{people} people in {} windows of {most} calls, of which {used} were used",
        full.len()
    ));
    assert!(used * 10 >= most * full.len() as u64 * 9, "{:?}", inner.windows);
}

/// `make faults` does it often; `make test` a few times.
#[test]
fn killed_at_any_moment_it_comes_to_the_same() {
    let mut dice = faults::Dice::new();
    let mut company = company();
    let office = || Office::new(Habits::default(), &format!("  {WIDE}\n"));
    let mut changed = company.clone();
    changed.of("ada").address = "lovelace@corp.example".to_owned();
    changed.of("ada").aliases = vec!["ada@corp.example".to_owned()];
    changed.of("cho").name = "Cho Chang".to_owned();
    changed.people.remove("eve");
    changed.group("team", "The team", &["ada", "dan"]);
    changed.group("staff", "All staff", &["ada", "bob", "cho", "dan"]);
    for at in 0..6 {
        let uid = format!("p{at}");
        for company in [&mut company, &mut changed] {
            company.person(&uid, &format!("{uid}@corp.example"));
        }
    }
    let undisturbed = office();
    let began = std::time::Instant::now();
    undisturbed.sync(&company).exits(0);
    let took = began.elapsed();
    undisturbed.sync(&changed).exits(0);
    let expected = undisturbed.truth();
    for round in 0..faults::count("KILLS", 4) {
        let office = office();
        for company in [&company, &changed] {
            office.desk.write("corp.ldif", company.export());
            for _ in 0..=dice.below(2) {
                kill(&office, took.mul_f64(dice.unit()));
            }
            let ran = office.sync(company);
            assert!(ran.code == 0, "round {round}: {}", ran.said());
        }
        assert_eq!(office.truth(), expected, "round {round}");
    }
}

fn kill(office: &Office, after: Duration) {
    let (manifests, data) = (office.desk.path("manifests.yaml"), office.desk.path("data"));
    let mut child = command(&["sync", "-f", manifests.to_str().unwrap(), "--data", data.to_str().unwrap()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    faults::pass(after);
    child.kill().unwrap();
    child.wait().unwrap();
}
