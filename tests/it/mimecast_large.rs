//! What it costs to fill a tenant of Mimecast, and what that withstands: `make mimecast-large` brings 10,000 users and 500 groups to
//! the stand-in with its limit of calls, every test run a small part of that.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::cli::command;
use crate::support::faults::{Dice, count, pass, tell};
use crate::support::mimecast::office::{Directory, Office, WIDE};
use crate::support::mimecast::{Asked, Habits, StandIn};

/// So many people, a group for every twenty of them, and one of everybody.
fn company(people: u64) -> Directory {
    let mut company = Directory::default();
    let uid = |at: u64| format!("p{at:05}");
    for at in 0..people {
        company.person(&uid(at), &format!("p{at:05}@corp.example"));
    }
    let mut group = |name: &str, members: Vec<u64>| {
        let members: Vec<String> = members.into_iter().map(uid).collect();
        let members: Vec<&str> = members.iter().map(String::as_str).collect();
        company.group(name, name, &members);
    };
    for at in 0..people / 20 {
        group(&format!("Group {at}"), (at * 20..at * 20 + 20).collect());
    }
    group("Everybody", (0..people).collect());
    company
}

/// Each twentieth leaves, each twentieth has another address and keeps the one before, and each group another name.
fn changed(people: u64) -> Directory {
    let mut company = company(people);
    for at in (0..people).step_by(20) {
        company.of(&format!("p{at:05}")).gone = true;
        let moved = company.of(&format!("p{:05}", at + 1));
        moved.aliases = vec![std::mem::replace(&mut moved.address, format!("q{at:05}@corp.example"))];
    }
    for (name, _) in company.groups.values_mut() {
        name.insert_str(0, "The ");
    }
    company
}

/// Everybody who stays has another name each time.
fn named(company: &Directory, number: u64) -> Directory {
    let mut company = company.clone();
    for (at, (uid, person)) in company.people.iter_mut().enumerate() {
        if at % 20 > 0 {
            person.name = format!("{uid} the {number}th");
        }
    }
    company
}

/// The calls from this one on that change something, in order.
fn writes(service: &StandIn, from: usize) -> Vec<Asked> {
    let reads = ["get-", "find-", "oauth"];
    let is_write =
        |asked: &&Asked| !asked.body.is_empty() && !reads.iter().any(|read| asked.target.contains(read));
    service.inner().asked[from..].iter().filter(is_write).cloned().collect()
}

/// How many of the limit's calls the windows used that were over when this was asked, from this one on.
fn used(service: &StandIn, from: usize, most: u64) -> f64 {
    let inner = service.inner();
    let windows = &inner.windows[from..];
    assert_eq!(inner.exceeded, 0, "the limit was exceeded");
    let used: u64 = windows.iter().sum();
    let all = most * windows.len() as u64;
    tell(format_args!("{} windows of {most} calls, of which {used} were used", windows.len()));
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    let share = used as f64 / all as f64;
    share
}

/// With many people and a limit of calls: it is used and not exceeded, who leaves goes first, and nothing is missing.
#[test]
fn a_company_arrives_within_the_limit_of_calls_and_who_leaves_goes_first() {
    let people = count("PEOPLE", 200);
    let (most, span) = (count("CALLS", 30), Duration::from_millis(500));
    let habits = Habits { rate: Some((most, span)), ..Habits::default() };
    let office =
        Office::new(habits, &format!("  retryInterval: 1s\n  users: {{ disabled: Leave }}\n  {WIDE}\n"));
    let began = Instant::now();
    let sync = |company: &Directory| {
        office.desk.write("corp.ldif", company.export());
        office.desk.sync(&[]).exits(0).says("InStep ");
    };
    sync(&company(people));
    tell(format_args!("{people} people in {:.1?}", began.elapsed()));
    let truth = office.truth();
    assert_eq!(truth.users.len() as u64, people);
    let of = |size: u64| truth.groups.values().filter(|members| members.len() as u64 == size).count() as u64;
    assert_eq!((of(20), of(people)), (people / 20, 1));
    // In the first window it is found out what the limit is.
    assert!(used(&office.service, 1, most) >= 0.9, "{:?}", office.service.inner().windows);

    let (asked, windows) = {
        let inner = office.service.inner();
        (inner.asked.len(), inner.windows.len())
    };
    sync(&named(&changed(people), 2));
    let writes = writes(&office.service, asked);
    let is_leaver =
        |asked: &Asked| asked.body.contains("\"accountDisabled\":true") && !asked.body.contains("\"name\"");
    let leavers = people / 20;
    let (first, rest) = writes.split_at(usize::try_from(leavers).unwrap());
    assert!(first.iter().all(is_leaver), "somebody came before a leaver");
    assert!(rest.len() as u64 > people * 9 / 10, "who stays has another name");
    assert!(used(&office.service, windows + 1, most) >= 0.9, "{:?}", office.service.inner().windows);
    let off = office.truth().users.values().filter(|user| !user.1).count() as u64;
    assert_eq!(off, leavers);
}

/// `make mimecast-large` kills it fifty times among 10,000 people.
#[test]
fn killed_at_any_moment_it_comes_to_the_same() {
    let (people, kills, mut dice) = (count("PEOPLE", 60), count("KILLS", 8), Dice::new());
    let (before, after) = (company(people), changed(people));
    let office = || Office::new(Habits::default(), &format!("  users: {{ disabled: Leave }}\n  {WIDE}\n"));
    let sync = |office: &Office, company: &Directory| {
        office.desk.write("corp.ldif", company.export());
        let began = Instant::now();
        office.desk.sync(&[]).exits(0);
        began.elapsed()
    };
    let undisturbed = office();
    let took = sync(&undisturbed, &named(&before, 0));
    let nothing = sync(&undisturbed, &named(&before, 0));
    let longest = nothing + took.mul_f64(4.0).div_f64(f64::from(u32::try_from(kills).unwrap()));
    let (disturbed, mut number, mut ended) = (office(), 0, 0);
    for company in [&before, &after] {
        let mut killed = 0;
        while killed < kills / 2 {
            disturbed.desk.write("corp.ldif", named(company, number).export());
            match kill(&disturbed, longest.mul_f64(dice.unit())) {
                None => killed += 1,
                // It was through: there is something to be done again.
                Some(status) => {
                    assert!(status.success(), "{status}");
                    (number, ended) = (number + 1, ended + 1);
                }
            }
        }
    }
    sync(&disturbed, &named(&after, number));
    tell(format_args!(
        "{kills} kills of `rollcall sync` with {people} people, {ended} ends by itself; undisturbed it took {took:.1?}"
    ));
    sync(&undisturbed, &named(&after, number));
    assert!(disturbed.truth() == undisturbed.truth(), "something else came of it");
}

fn kill(office: &Office, after: Duration) -> Option<std::process::ExitStatus> {
    let (manifests, data) = (office.desk.path("manifests.yaml"), office.desk.path("data"));
    let mut child = command(&["sync", "-f", manifests.to_str().unwrap(), "--data", data.to_str().unwrap()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    pass(after);
    let by_itself = child.try_wait().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    by_itself
}
