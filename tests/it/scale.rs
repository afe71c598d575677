//! The size that is promised, on a real server: 100,000 users, 5,000 groups (one of 50,000) and 1,000,000
//! memberships, compared with an independent reading.

use std::time::Instant;

use crate::support::cli::Desk;
use crate::support::company::large;
use crate::support::slapd::{SUFFIX, Setup, Slapd};

#[test]
fn a_hundred_thousand_people_come_out_as_they_are() {
    let slapd = Slapd::start(&Setup {
        ldif: &large(100_000, 5_000, 190, 50_190),
        database: "sizelimit size.soft=500 size.hard=unlimited size.prtotal=unlimited",
        ..Setup::default()
    });
    let desk = Desk::new();
    desk.write("manifests.yaml", slapd.manifests("", "  groups: { nesting: Flatten }"));
    let timed = |what: &str| {
        let began = Instant::now();
        let ran = desk.sync(&[]).exits(0).says("InStep");
        // What is promised is proven here; the speed is `make bench`'s.
        println!("{what}: {:.1} s", began.elapsed().as_secs_f64());
        ran
    };
    timed("first sync").says("100,000  5,000");
    timed("a sync that changes nothing");
    desk.differences(&["--base", SUFFIX, "--ldapsearch", &slapd.ldapsearch()])
        .exits(0)
        .says("100000 users, 5000 groups, 1000000 memberships in the registry, 0 differences");
}
