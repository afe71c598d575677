//! What a large Domino Directory costs: `make domino-large` has 100,000 people, every test run a small part of that.

use rollcall::directory::ConnectorName;
use rollcall::store::Store;
use rstest::rstest;

use crate::support::cli::Desk;
use crate::support::domino::{Domino, Habits, group, person};
use crate::support::faults::{count, tell};
use crate::support::large::{Timed, timed_sync};

/// From so many people on the bounds hold; below, what begins and ends a read weighs too much.
const LARGE: u64 = 100_000;
/// The import may take so much memory, in KiB.
const PEAK: u64 = 60 << 10;

/// People in two units, and a group for each hundred of them.
fn company(people: usize) -> String {
    const GIVEN: [&str; 16] = [
        "Ada", "Ben", "Cleo", "Dag", "Eva", "Finn", "Gro", "Hal", "Ivo", "Jan", "Kai", "Liv", "Mia", "Nils",
        "Ole", "Pia",
    ];
    let name = |number: usize| format!("{} Person{number:06}", GIVEN[number % GIVEN.len()]);
    let unit = |number: usize| if number.is_multiple_of(2) { "ou=Sales," } else { "ou=North," };
    let mut all = String::new();
    for number in 0..people {
        all += &person(number, &name(number), unit(number));
    }
    for number in 0..people / 100 {
        let member = |at: usize| format!("CN={},{}O=Corp", name(at), unit(at));
        let members: Vec<String> = (0..100).map(|at| member((number * 100 + at) % people)).collect();
        let members: Vec<&str> = members.iter().map(String::as_str).collect();
        all += &group(people + number, &format!("Team{number:05}"), 0, &members);
    }
    all
}

#[rstest]
#[case::in_one_search(false)]
#[case::in_parts(true)]
fn a_large_directory_is_read_without_pages_in_bounded_memory(#[case] in_parts: bool) {
    let people = count("PEOPLE", 2_000);
    // As Domino's administrators like to set it.
    let limit = in_parts.then(|| u32::try_from(people / 10).unwrap());
    let entries = company(usize::try_from(people).unwrap());
    let domino = Domino::start(&Habits { entries: &entries, limit, ..Habits::default() });
    drop(entries);
    // A policy that rests: what is measured is the import.
    let desk = Desk::new();
    desk.write("manifests.yaml", domino.manifests("", "  suspend: true\n"));
    let (manifests, data) = (desk.path("manifests.yaml"), desk.path("data"));
    let Timed { took, peak, ran } = timed_sync(&manifests, &data);
    let Timed { took: again, peak: peak_again, .. } = timed_sync(&manifests, &data);
    let info =
        Store::open(&data).unwrap().snapshot_info(&ConnectorName::new("test", "corp")).unwrap().unwrap();
    assert_eq!((info.users, info.groups), (people, people / 100));
    assert_eq!(ran.out.contains("for people at a limit"), in_parts, "{}", ran.out);
    tell(format_args!(
        "{people} people, {}: {took:.1?}, peak {} MB; again {again:.1?}, peak {} MB",
        limit.map_or("in one search".to_owned(), |limit| format!("{limit} in a search at most")),
        peak >> 10,
        peak_again >> 10,
    ));
    if people >= LARGE {
        assert!(peak <= PEAK && peak_again <= PEAK, "the import took {peak} KiB, then {peak_again} KiB");
    }
}
