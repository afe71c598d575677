//! The command line: what it says and how it exits.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use rollcall::store::Store;
use rstest::rstest;
use serde_json::Value;

use crate::support::cli::{Desk, Ran, command, rollcall};

const MANIFESTS: &str = "apiVersion: rollcall.dev/v1alpha1
kind: DirectoryConnector
metadata: { name: corp, namespace: test }
spec: { ldif: { path: corp.ldif, directoryID: corp } }
---
apiVersion: rollcall.dev/v1alpha1
kind: SyncPolicy
metadata: { name: staff, namespace: test }
spec:
  connectors: [{ name: corp }]
  target: { registry: {} }
";

/// An export of these people, and a team of them all.
fn export(people: &[&str]) -> String {
    let mut ldif = "dn: dc=corp\nobjectClass: domain\ndc: corp\nentryUUID: base\n\n".to_owned();
    for name in people {
        write!(
            ldif,
            "dn: uid={name},dc=corp\nobjectClass: inetOrgPerson\nuid: {name}\ncn: {name}\nsn: {name}\n\
             mail: {name}@corp.example\nentryUUID: id-{name}\n\n"
        )
        .unwrap();
    }
    ldif += "dn: cn=team,dc=corp\nobjectClass: groupOfNames\ncn: team\nentryUUID: id-team\n";
    for name in people {
        writeln!(ldif, "member: uid={name},dc=corp").unwrap();
    }
    ldif + "\n"
}

/// The same, with the count that shows its end.
fn counted(people: &[&str]) -> String {
    format!("{}# numEntries: {}\n", export(people), people.len() + 2)
}

/// One of two with one address.
const TWIN: &str = "dn: uid=kim,dc=corp\nobjectClass: inetOrgPerson\nuid: kim\ncn: kim\nsn: kim\n\
                    mail: both@corp.example\nentryUUID: id-kim\n\n";
/// Nobody can tell who that is.
const NAMELESS: &str = "dn: uid=max,dc=corp\nobjectClass: inetOrgPerson\nuid: max\ncn: max\nsn: max\n\n";

fn desk(people: &[&str]) -> Desk {
    let desk = Desk::new();
    desk.write("manifests.yaml", MANIFESTS);
    desk.write("corp.ldif", export(people));
    desk
}

const TEN: [&str; 10] = ["ada", "bob", "cid", "dee", "eve", "fay", "gus", "hal", "ida", "jim"];

fn people(desk: &Desk, active: bool) -> usize {
    desk.registry().iter().filter(|resource| resource["active"] == active).count()
}

#[test]
fn says_what_it_is_and_what_it_can_do() {
    rollcall(&["--version"]).exits(0).says(concat!("rollcall ", env!("CARGO_PKG_VERSION")));
    rollcall(&["--help"]).exits(0).says("Start with `rollcall demo`");
    rollcall(&["sync", "--help"]).exits(0).says("The exit code is the first that applies");
    for shell in ["bash", "zsh", "fish"] {
        rollcall(&["completion", shell]).exits(0).says("rollcall");
    }
    rollcall(&["crds"]).exits(0).says("kind: CustomResourceDefinition").says("syncpolicies.rollcall.dev");
}

#[test]
fn a_sync_that_changes_nothing_says_so_twice() {
    let desk = desk(&TEN);
    desk.sync(&[]).exits(0).says("InStep").says("memberships: 10 added, 0 removed");
    let before = desk.registry();
    let again = desk.sync(&[]).exits(0);
    assert!(!again.out.contains("memberships:"), "{}", again.out);
    assert!(desk.registry() == before, "the registry changed");
}

#[test]
fn json_is_what_the_status_would_be() {
    let desk = desk(&TEN);
    let ran = desk.sync(&["-o", "json"]).exits(0);
    let objects: Vec<Value> = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(objects.len(), 2);
    let [connector, policy] = &objects[..] else { panic!("{objects:?}") };
    assert_eq!(connector["status"]["directory"]["users"], 10);
    assert_eq!(connector["status"]["conditions"][0]["reason"], "Read");
    assert_eq!(policy["metadata"]["name"], "staff");
    assert_eq!(policy["status"]["inStep"]["memberships"], 10);
    assert_eq!(policy["status"]["conditions"][0]["status"], "True");
    assert_eq!(policy["status"]["lastRun"]["result"], "Applied");
}

#[test]
fn a_preview_exits_as_its_run_would_and_does_nothing() {
    let desk = desk(&TEN);
    desk.sync(&["--preview"])
        .exits(0)
        .says("Previewed")
        .says("memberships (not applied): 10 added, 0 removed");
    assert_eq!(desk.registry(), [] as [Value; 0]);
    desk.sync(&[]).exits(0);
    desk.write("corp.ldif", counted(&TEN[..2]));
    desk.sync(&["--preview"]).exits(3).says("8 users would be removed (of 10)");
    assert_eq!(people(&desk, true), 10);
}

#[test]
fn what_is_held_is_shown_and_approved_by_its_digest() {
    let desk = desk(&TEN);
    desk.sync(&[]).exits(0);
    desk.write("corp.ldif", counted(&TEN[..2]));
    let held = desk.sync(&[]).exits(3).says("8 operations are held").says("--approve sha256:");
    assert_eq!((people(&desk, true), people(&desk, false)), (10, 0));
    let data = desk.path("data");
    let data = data.to_str().unwrap();
    let digest = held.out.split("--approve ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    rollcall(&["plan", "show", "--data", data]).exits(0).says("jim@corp.example").says("AbsentUnconfirmed");
    rollcall(&["plan", "show", "--data", data, &digest[..20], "-o", "csv"])
        .exits(0)
        .says("memberSubject,doubtful")
        .says("userRemoval,jim@corp.example");
    rollcall(&["plan", "show", "--data", data, "sha256:0000"]).exits(2).says("no hold has the digest");
    // Somebody came back meanwhile: what is approved is done for those who are still gone.
    desk.write("corp.ldif", counted(&TEN[..3]));
    desk.sync(&["--approve", "sha256:0000"]).exits(2).says("nothing is held with the digest sha256:0000");
    assert_eq!(people(&desk, true), 10);
    desk.sync(&["--approve", &digest]).exits(0);
    assert_eq!((people(&desk, true), people(&desk, false)), (3, 7));
    rollcall(&["plan", "show", "--data", data]).exits(0).says("Nothing is held.");
}

#[test]
fn of_two_policies_the_one_that_holds_something_is_approved() {
    let desk = desk(&TEN);
    let nobody = MANIFESTS.split("---").nth(1).unwrap().replace("name: staff", "name: nobody");
    let manifests =
        format!("{MANIFESTS}---{nobody}  users: {{ where: 'false' }}\n  groups: {{ where: 'false' }}\n");
    desk.write("manifests.yaml", manifests);
    let ran = desk.sync(&[]).exits(0).says("test/nobody: users left out: 10 out of scope");
    ran.says("test/nobody: groups left out: 1 out of scope");
    desk.write("corp.ldif", counted(&TEN[..2]));
    let held = desk.sync(&[]).exits(3);
    let digest = held.out.split("--approve ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    let ran = desk.sync(&["--approve", &digest]).exits(0);
    assert!(!ran.said().contains("nothing was approved"), "{}", ran.said());
    desk.sync(&["--approve", "sha256:0000"]).exits(2).says("nothing was approved");
}

#[test]
fn what_cannot_be_taken_as_it_is_is_named_until_it_is_corrected() {
    let desk = desk(&TEN);
    desk.sync(&[]).exits(0);
    let data = desk.path("data");
    let exceptions = |output: &str| {
        rollcall(&["plan", "exceptions", "--data", data.to_str().unwrap(), "-o", output]).exits(0)
    };
    exceptions("table").says("There are no exceptions.");
    let twins = export(&TEN)
        .replace("dn: cn=team", &[TWIN, &TWIN.replace("kim", "lea"), NAMELESS, "dn: cn=team"].concat());
    desk.write("corp.ldif", &twins);
    desk.sync(&["--preview"]).exits(0).says("3 entries cannot be processed");
    exceptions("table").says("There are no exceptions.");
    desk.sync(&[]).exits(0);
    exceptions("table")
        .says("SyncPolicy test/staff: 3 exceptions")
        .says("uid=kim,dc=corp")
        .says("uid=lea,dc=corp")
        .says("NameConflict")
        .says("uid=max,dc=corp");
    let first = exceptions("json").out;
    let all: Value = serde_json::from_str(&first).unwrap();
    let reasons: Vec<&Value> = all[0]["named"].as_array().unwrap().iter().map(|one| &one["reason"]).collect();
    assert_eq!(reasons, ["Unreadable", "NameConflict", "NameConflict"]);
    for one in all[0]["named"].as_array().unwrap() {
        let message = one["message"].as_str().unwrap();
        assert!(message.contains("line ") && message.contains(" of "), "{message}");
    }
    exceptions("csv").says("test/staff,user,\"uid=kim,dc=corp\",NameConflict,");
    // Since when is since they are these.
    desk.sync(&[]).exits(0);
    assert_eq!(exceptions("json").out, first);
    desk.write("corp.ldif", export(&TEN));
    desk.sync(&[]).exits(0);
    exceptions("table").says("There are no exceptions.");
}

#[test]
fn an_approval_ends_with_an_edit_of_the_spec() {
    let desk = desk(&TEN);
    desk.sync(&[]).exits(0);
    desk.write("corp.ldif", counted(&TEN[..2]));
    let held = desk.sync(&[]).exits(3);
    let digest = held.out.split("--approve ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    desk.write("manifests.yaml", format!("{MANIFESTS}  users: {{ contacts: Include }}\n"));
    desk.sync(&["--approve", &digest]).exits(2).says("was for an earlier spec");
    assert_eq!(people(&desk, true), 10);
}

#[test]
fn an_edit_that_removes_is_held_as_one() {
    let desk = desk(&TEN);
    desk.sync(&[]).exits(0);
    desk.write("manifests.yaml", format!("{MANIFESTS}  users: {{ where: \"user.userName < 'c'\" }}\n"));
    desk.sync(&[])
        .exits(3)
        .says("8 users would be removed")
        .says("an edit of the spec is the cause, not the directory");
    assert_eq!(people(&desk, true), 10);
}

#[test]
fn an_expression_that_fails_for_one_entry_costs_the_others_nothing() {
    let desk = desk(&TEN);
    let manifests =
        format!("{MANIFESTS}  users: {{ attributes: {{ title: \"user.values['title'][0]\" }} }}\n");
    desk.write("manifests.yaml", manifests);
    let ldif = export(&TEN).replace("uid: bob\n", "uid: bob\ntitle: Builder\n");
    desk.write("corp.ldif", ldif);
    desk.sync(&[]).exits(1).says("TooManyQuarantined").says("uid=ada,dc=corp: `user.values['title'][0]`");
    assert_eq!(people(&desk, true), 1);
}

#[rstest]
#[case::in_a_line("mail: bob@corp.exam", "it ends within a line, so it may have been cut")]
#[case::in_a_dn("dn: uid=ida,dc=co", "it ends within a line, so it may have been cut")]
#[case::after_a_line("objectClass: groupOfNames\n", "cn=team,dc=corp")]
#[case::after_a_dn("dn: cn=team,dc=corp\n", "cn=team,dc=corp")]
fn an_export_that_was_cut_removes_nobody(#[case] last: &str, #[case] said: &str) {
    let desk = desk(&TEN);
    desk.sync(&[]).exits(0);
    let before = desk.registry();
    let whole = export(&TEN);
    let cut = whole.find(last).unwrap() + last.len();
    desk.write("corp.ldif", &whole[..cut]);
    desk.sync(&[]).says(said);
    assert!(desk.registry() == before, "the registry changed");
}

#[test]
fn an_export_that_ends_without_a_line_break_is_read_and_nobody_who_is_missing_from_it_goes() {
    let desk = desk(&TEN);
    desk.sync(&[]).exits(0);
    desk.write("corp.ldif", export(&TEN[..9]).trim_end());
    let held = desk
        .sync(&[])
        .exits(3)
        .says("the end of")
        .says("1 entry is missing, and the file does not prove that it is gone");
    // No approval says that somebody left.
    let held = held.says("no approval settles this");
    assert!(!held.out.contains("approve it:") && !held.out.contains("looked up"), "{}", held.out);
    let digest = held.out.split("sha256:").nth(1).unwrap().split_whitespace().next().unwrap();
    desk.sync(&["--approve", &format!("sha256:{digest}")])
        .exits(2)
        .says("these operations cannot be approved");
    let data = desk.path("data");
    let shown = rollcall(&["plan", "show", "--data", data.to_str().unwrap()]).exits(0);
    assert!(!shown.out.contains("Absent"), "{}", shown.out);
    assert_eq!(people(&desk, true), 10);
    desk.write("corp.ldif", format!("{}\n# total number of entries: 11", export(&TEN[..9])));
    desk.sync(&[]).exits(0).says("InStep");
    assert_eq!(people(&desk, true), 9);
}

#[test]
fn far_fewer_in_an_export_that_shows_no_end_are_held_until_one_shows_it() {
    let desk = desk(&TEN);
    desk.sync(&[]).exits(0);
    desk.write("corp.ldif", export(&TEN[..5]));
    desk.sync(&[]).exits(3).says("the end of the file").says("numEntries").says("no approval settles this");
    assert_eq!(people(&desk, true), 10);
    desk.write("corp.ldif", export(&TEN[..8]));
    desk.sync(&[]).exits(3);
    assert_eq!(people(&desk, true), 10);
    desk.write("corp.ldif", counted(&TEN[..8]));
    desk.sync(&[]).exits(0).says("InStep");
    assert_eq!(people(&desk, true), 8);
    desk.write("corp.ldif", export(&TEN[..7]));
    desk.sync(&[]).exits(0).says("InStep");
    assert_eq!(people(&desk, true), 7);
}

#[test]
fn an_export_of_names_without_values_is_refused() {
    let desk = desk(&TEN);
    let names: Vec<_> = export(&TEN)
        .lines()
        .map(|line| match line.split_once(": ") {
            Some((name, _)) if name != "dn" => format!("{name}:"),
            _ => line.to_owned(),
        })
        .collect();
    desk.write("corp.ldif", names.join("\n") + "\n\n");
    desk.sync(&[]).exits(1).says("no entry of").says("do not use -A");
}

#[test]
fn an_export_that_cannot_be_right_is_refused() {
    let desk = desk(&TEN);
    desk.sync(&[]).exits(0);
    let before = desk.registry();
    desk.write("corp.ldif", export(&TEN).replace("mail: bob@corp.example", "mail:: Ym9iQGNvcnAuZXh"));
    desk.sync(&[]).exits(0).says("corp.ldif").says("base64").says("uid=bob,dc=corp");
    desk.write("corp.ldif", "\x1f\u{8b}no text");
    desk.sync(&[]).exits(1).says("no entry");
    desk.write("corp.ldif", export(&TEN) + &export(&["ada"]).replace("mail: ada", "mail: ida"));
    desk.sync(&[]).exits(1).says("says something else");
    desk.write("corp.ldif", "");
    desk.sync(&[]).exits(1).says("has no entry");
    fs::remove_file(desk.path("corp.ldif")).unwrap();
    desk.sync(&[]).exits(1).says("NotFound").says("corp.ldif");
    assert!(desk.registry() == before, "the registry changed");
}

#[test]
fn another_directory_is_not_taken_for_this_one() {
    let desk = desk(&TEN);
    desk.sync(&[]).exits(0);
    desk.write("manifests.yaml", MANIFESTS.replace("directoryID: corp", "directoryID: other"));
    desk.sync(&[])
        .exits(1)
        .says("DirectoryChanged")
        .says("read the directory corp before, and this is other");
    assert_eq!(people(&desk, true), 10);
}

#[test]
fn invalid_input_never_stops_what_is_valid() {
    let desk = desk(&TEN);
    let bad = MANIFESTS.replace("name: staff", "name: bad").replace("registry: {}", "registri: {}");
    let bad = bad.split("---").nth(1).unwrap();
    desk.write("manifests.yaml", format!("{MANIFESTS}---{bad}"));
    desk.sync(&[])
        .exits(2)
        .says("SyncPolicy test/bad: spec.target.registri")
        .says("did you mean registry?")
        .says("InStep");
    assert_eq!(people(&desk, true), 10);
    desk.sync(&[]).exits(2).says("test/bad    False  InvalidSpec");
    // A policy whose connector cannot be used waits for it.
    desk.write("manifests.yaml", MANIFESTS.replace("path: corp.ldif", "pathh: corp.ldif"));
    desk.sync(&["-o", "json"]).exits(2).says("did you mean path?").says("\"reason\": \"InvalidSpec\"");
    rollcall(&["sync", "-f", "/nonexistent", "--data", desk.path("data").to_str().unwrap()])
        .exits(2)
        .says("/nonexistent: it cannot be read");
    rollcall(&["sync", "--data", "x"]).exits(2).says("--filename");
}

#[test]
fn manifests_come_from_folders_and_standard_input() {
    let desk = desk(&TEN);
    let data = desk.path("data");
    let folder = desk.path("");
    let ran = rollcall(&["sync", "-f", folder.to_str().unwrap(), "--data", data.to_str().unwrap()]);
    ran.exits(0).says("InStep");
    let mut child = command(&["sync", "-f", "-", "--data", data.to_str().unwrap()])
        .current_dir(&folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(MANIFESTS.as_bytes()).unwrap();
    Ran::of(&child.wait_with_output().unwrap()).exits(0).says("InStep");
}

#[test]
fn a_suspended_policy_rests() {
    let desk = desk(&TEN);
    desk.write("manifests.yaml", format!("{MANIFESTS}  suspend: true\n"));
    desk.sync(&[]).exits(0).says("Suspended");
    assert_eq!(desk.registry(), [] as [Value; 0]);
}

#[test]
fn what_was_last_read_too_long_ago_is_not_green() {
    let desk = desk(&TEN);
    desk.sync(&[]).exits(0);
    let store = rusqlite::Connection::open(desk.path("data").join(rollcall::store::FILE)).unwrap();
    let then = "UPDATE connector SET info = json_set(info, '$.completed_at', '2020-01-01T00:00:00Z')";
    assert_eq!(store.execute(then, []).unwrap(), 1);
    drop(store);
    Store::open(&desk.path("data")).unwrap().take_for_written().unwrap();
    let rests = MANIFESTS.replace("directoryID: corp }", "directoryID: corp }, suspend: true");
    desk.write("manifests.yaml", &rests);
    desk.sync(&[]).exits(1).says("SourceFailed").says("was not read, so nothing was removed because of it");
    desk.write("manifests.yaml", rests.replace("[{ name: corp }]", "[{ name: corp, maxAge: 999999h }]"));
    desk.sync(&[]).exits(0).says("InStep");
}

#[test]
fn an_entry_that_turns_from_a_user_into_a_group_is_left_alone() {
    let desk = desk(&TEN);
    desk.sync(&[]).exits(0);
    let turned = export(&TEN).replace("inetOrgPerson\nuid: bob\n", "groupOfNames\nuid: bob\n");
    desk.write("corp.ldif", turned);
    desk.sync(&[]).exits(0).says("it is a group now and was a user before").says("KindChanged");
    assert_eq!(people(&desk, true), 10);
}

#[test]
fn a_data_folder_belongs_to_one_process_at_a_time() {
    let desk = desk(&TEN);
    desk.sync(&[]).exits(0);
    let held = Store::open(&desk.path("data")).unwrap();
    desk.sync(&[]).exits(1).says("in use by another rollcall").says(&std::process::id().to_string());
    // Looking is free.
    assert_eq!(people(&desk, true), 10);
    drop(held);
    desk.sync(&[]).exits(0);
}

#[test]
fn a_data_folder_that_cannot_be_used_is_named() {
    let desk = desk(&TEN);
    desk.write("data", "this is a file");
    desk.sync(&[]).exits(1).says("the data folder").says("check the path and its permissions");
    fs::remove_file(desk.path("data")).unwrap();
    desk.write(
        "data/rollcall.db",
        "this is no database, though it is long enough to be mistaken for one. ".repeat(20),
    );
    desk.sync(&[]).exits(1).says("is not a rollcall store");
    rollcall(&["registry", "export", "--data", "/nonexistent"])
        .exits(1)
        .says("there is no store in /nonexistent");
}

#[test]
fn a_database_of_a_newer_version_is_left_alone() {
    let desk = desk(&TEN);
    desk.sync(&[]).exits(0);
    let database = desk.path("data/rollcall.db");
    let connection = rusqlite::Connection::open(&database).unwrap();
    connection.execute_batch("PRAGMA user_version = 999; UPDATE store SET min_reader = 999;").unwrap();
    drop(connection);
    let before = fs::read(&database).unwrap();
    desk.sync(&[]).exits(1).says("written by a newer rollcall").says("schema 999");
    assert_eq!(fs::read(&database).unwrap(), before);
}

#[test]
fn a_full_disk_costs_nothing() {
    let desk = desk(&TEN);
    desk.sync(&[]).exits(0);
    let before = desk.registry();
    desk.write("corp.ldif", export(&["ada", "bob", "cid", "dee", "eve", "fay", "gus", "hal", "ida", "kim"]));
    // No file may grow at all: what a full disk looks like to SQLite.
    let (manifests, data) = (desk.path("manifests.yaml"), desk.path("data"));
    let script = format!(
        "ulimit -f 0; trap '' XFSZ; exec {} sync -f {} --data {}",
        env!("CARGO_BIN_EXE_rollcall"),
        manifests.display(),
        data.display()
    );
    let ran = std::process::Command::new("bash").args(["-c", &script]).output().unwrap();
    Ran::of(&ran).exits(1).says("data folder");
    assert!(desk.registry() == before, "the registry changed");
    desk.sync(&[]).exits(0);
}

#[test]
fn a_backup_is_a_whole_store() {
    let desk = desk(&TEN);
    desk.sync(&[]).exits(0);
    let (data, to) = (desk.path("data"), desk.path("restored/rollcall.db"));
    fs::create_dir(desk.path("restored")).unwrap();
    let backup = ["backup", "--data", data.to_str().unwrap(), "--to", to.to_str().unwrap()];
    rollcall(&backup).exits(0);
    rollcall(&backup).exits(1).says("name a file that does not exist yet");
    assert_eq!(fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o600);
    let restored =
        rollcall(&["registry", "export", "--data", desk.path("restored").to_str().unwrap()]).exits(0);
    assert_eq!(restored.out.lines().count(), 11);

    // The same through a pipe, and nothing of it stays where it was put together.
    let temporary = desk.path("temporary");
    fs::create_dir(&temporary).unwrap();
    let piped = command(&["backup", "--data", data.to_str().unwrap(), "--to", "-"])
        .env("TMPDIR", &temporary)
        .output();
    fs::write(&to, piped.unwrap().stdout).unwrap();
    let again = rollcall(&["registry", "export", "--data", desk.path("restored").to_str().unwrap()]).exits(0);
    assert_eq!(again.out, restored.out);
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0);
}

#[test]
fn the_registry_names_the_policies_that_it_has() {
    let desk = desk(&TEN);
    desk.sync(&[]).exits(0);
    let data = desk.path("data");
    let export = |policy: &str| {
        rollcall(&["registry", "export", "--data", data.to_str().unwrap(), "--policy", policy])
    };
    assert_eq!(export("test/staff").exits(0).out.lines().count(), 11);
    export("test/stuff").exits(2).says("no policy test/stuff has ever run here (known: test/staff)");
}

#[test]
fn secrets_and_data_are_for_their_owner_only() {
    let desk = desk(&TEN);
    desk.sync(&[]).exits(0);
    let mode = |name: &str| fs::metadata(desk.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("data"), mode("data/rollcall.db")), (0o700, 0o600));
}

#[test]
fn the_demo_tells_its_story() {
    let desk = Desk::new();
    let folder = desk.path("tour");
    let tour = rollcall(&["demo", "--folder", folder.to_str().unwrap()])
        .exits(0)
        .says("Monday: the first sync")
        .says("36     7       96")
        .says("22 users would be removed")
        .says("Nobody was removed")
        .says("(exit code 3)")
        .says("The registry");
    // Each command can be typed as it stands.
    let commands = tour.out.lines().filter_map(|line| line.strip_prefix("$ rollcall "));
    for line in commands.filter(|line| !line.starts_with("sync")) {
        rollcall(&line.split_whitespace().collect::<Vec<_>>()).exits(0);
    }
    rollcall(&[
        "sync",
        "-f",
        &format!("{}/policy.yaml", folder.display()),
        "--data",
        &format!("{}/data", folder.display()),
    ])
    .exits(0)
    .says("InStep");
}

#[test]
fn a_pipe_in_place_of_a_file_is_said_and_waited_for_by_nobody() {
    let desk = desk(&TEN);
    let pipe = |name: &str| {
        let path = desk.path(name);
        drop(std::fs::remove_file(&path));
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    };
    pipe("corp.ldif");
    desk.sync(&[]).exits(1).says("not a file but a folder, a pipe or a device");
    pipe("data/rollcall.db");
    desk.sync(&[]).exits(1).says("is not a rollcall store");
}

/// Manifests as they are in Git: what is secret is not among them.
const IN_GIT: &str = "apiVersion: rollcall.dev/v1alpha1
kind: DirectoryConnector
metadata: { name: corp, namespace: test }
spec:
  ldap:
    urls: [\"ldaps://ldap.corp.example\"]
    credentialsSecretRef: { name: reader }
    tls: { caRef: { name: corp-ca } }
---
apiVersion: rollcall.dev/v1alpha1
kind: SyncPolicy
metadata: { name: staff, namespace: test }
spec:
  connectors: [{ name: corp }]
  target: { registry: { tokenSecretRef: { name: readers, key: token } } }
";

#[test]
fn manifests_are_validated_without_what_is_secret() {
    let desk = Desk::new();
    let validate = |manifests: &str| {
        let file = desk.write("in-git.yaml", manifests);
        rollcall(&["validate", "-f", file.to_str().unwrap()])
    };
    let fine = validate(IN_GIT).exits(0).says("valid: 1 DirectoryConnector, 1 SyncPolicy");
    for lacking in ["Secret reader", "ConfigMap corp-ca", "Secret readers"] {
        assert!(
            fine.err.contains(&format!("note: {lacking} in test is not among the files of -f")),
            "{}",
            fine.err
        );
    }
    let entries = fs::read_dir(desk.path("")).unwrap().count();
    assert_eq!(entries, 1, "nothing is written");
    // Of the operator's problems, each is told, with its field.
    validate(&IN_GIT.replace("ldaps://", "ldap://")).exits(2).says("spec.ldap.urls[0]");
    validate(&IN_GIT.replace("  target:", "  users: { where: \"user.nmae != ''\" }\n  target:"))
        .exits(2)
        .says("spec.users.where");
    validate(&IN_GIT.replace("[{ name: corp }]", "[{ name: crop }]")).exits(2).says("crop");
    validate(&IN_GIT.replace("name: readers", "name: ../configmaps/readers"))
        .exits(2)
        .says("there is no Secret");
    // What is there is looked at.
    let empty = "---\n{ apiVersion: v1, kind: Secret, metadata: { name: reader, namespace: test } }\n";
    validate(&format!("{IN_GIT}{empty}")).exits(2).says("has no key username");
    validate("{ apiVersion: v1, kind: Secret, metadata: { name: reader } }").exits(2).says("contain neither");
}

#[test]
fn a_file_on_disk_is_for_the_command_line_alone() {
    let desk = desk(&["ada"]);
    let file = desk.path("manifests.yaml");
    rollcall(&["validate", "-f", file.to_str().unwrap()]).exits(0).says("the operator refuses it");
}

#[test]
fn the_operators_last_line_is_json_too_and_says_the_cause() {
    let desk = Desk::new();
    // Nobody listens there.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let kubeconfig = desk.write(
        "kubeconfig",
        format!(
            "apiVersion: v1\nkind: Config\nclusters: [{{ name: a, cluster: {{ server: \"http://127.0.0.1:{nobody}\" }} }}]\n\
             contexts: [{{ name: a, context: {{ cluster: a, user: a }} }}]\nusers: [{{ name: a, user: {{}} }}]\n\
             current-context: a\n"
        ),
    );
    let data = desk.path("data").display().to_string();
    let any = "127.0.0.1:0";
    let mut command =
        command(&["operator", "--data", &data, "--log-format", "json", "--scim-tls-secret", "scim"]);
    for flag in ["--scim-address", "--health-address", "--metrics-address", "--admin-address"] {
        command.args([flag, any]);
    }
    let ran = Ran::of(&command.env("KUBECONFIG", kubeconfig).output().unwrap()).exits(1);
    let lines: Vec<Value> = ran.err.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let last = lines.last().unwrap();
    assert_eq!((&last["level"], &last["message"]), (&"ERROR".into(), &"the operator ended".into()));
    let why = last["why"].as_str().unwrap();
    assert!(why.contains("the Secret scim") && why.contains("Connection refused"), "{why}");
}

#[rstest]
#[case("--lease-name", "../leases/other", "lower-case letters")]
#[case("--scim-tls-secret", "a/b", "lower-case letters")]
#[case("--watch-namespaces", "identity,a/../b", "lower-case letters")]
#[case("--lease-duration", "soon", "such as 90s")]
fn a_flag_that_cannot_be_is_refused(#[case] flag: &str, #[case] value: &str, #[case] says: &str) {
    rollcall(&["operator", "--data", "nowhere", flag, value]).exits(2).says(says);
}
