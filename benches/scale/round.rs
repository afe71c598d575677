//! What is measured, round by round.

use std::env;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use rollcall::source::ldap::{GROUP_FILTER, USER_FILTER};
use rollcall::source::schema::EntrySchema;
use tempfile::TempDir;

use crate::measure::{Taken, measure};
use crate::slapd::{ADMIN, PASSWORD, SUFFIX, Setup, Slapd};
use crate::{Held, Size, company};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    LdapSearch,
    ColdImport,
    FirstRun,
    ColdSync,
    SecondRead,
    SyncOfNothing,
    SyncOfOne,
    ProjectAndPlan,
    /// What this change feed tells of so many people.
    Feed(&'static str, usize),
    RunOfMany,
    /// A run that goes on from an earlier one of the same process, after so many people changed.
    RunAgain(usize),
}

/// So many people change from one run to the next.
pub(crate) const CHANGES: [usize; 3] = [1, 100, 10_000];

/// Of how many changed people a feed is heard …
const DELTAS: [usize; 4] = [0, 1, 100, MANY];
/// … and of how many a run is.
const MANY: usize = 10_000;

/// All that was measured of one thing, one for each round.
pub(crate) type Row = (What, Vec<Taken>);

pub(crate) fn measure_size(size: Size, runs: usize) -> Result<Vec<Row>> {
    let folder = tempfile::tempdir()?;
    let server = if size.held == Held::Slapd { Some(start(size)?) } else { None };
    let [manifests, feed] = [("manifests.yaml", "FullRead"), ("feed.yaml", "Auto")].map(|(name, feed)| {
        let file = folder.path().join(name);
        fs::write(&file, manifest(server.as_ref(), feed)).map(|()| file)
    });
    let (manifests, feed) = (manifests?, feed?);
    let mut rows: Vec<Row> = Vec::new();
    // The first round warms up, where a second one does not take too long.
    let rounds = if server.is_some() { 0..=runs } else { 1..=1 };
    for round in rounds {
        let scene = Scene {
            size,
            server: server.as_ref(),
            folder: folder.path(),
            manifests: &manifests,
            feed: &feed,
            round,
        };
        for (what, taken) in scene.play()? {
            note(&mut rows, size, (round, runs), what, taken);
        }
    }
    Ok(rows)
}

/// Notes what was taken, if the round counts.
pub(crate) fn note(rows: &mut Vec<Row>, size: Size, (round, runs): (usize, usize), what: What, taken: Taken) {
    eprintln!("{} {round}/{runs} {what:?}: {taken:.2?}", size.name);
    match rows.iter_mut().find(|(of, _)| *of == what) {
        _ if round == 0 => {}
        Some((_, all)) => all.push(taken),
        None => rows.push((what, vec![taken])),
    }
}

/// One step in a process of its own.
pub(crate) fn step(
    verb: &str,
    size: Size,
    folder: &Path,
    manifests: &Path,
    data: &Path,
) -> Result<(Taken, String)> {
    let program = env::current_exe()?;
    let arguments = ["step", verb].map(AsRef::as_ref);
    let rest = [manifests.as_os_str(), size.name.as_ref(), data.as_os_str()];
    let all: Vec<_> = [program.as_os_str()].into_iter().chain(arguments).chain(rest).collect();
    measure(folder, &all).with_context(|| format!("the step {verb}"))
}

fn start(size: Size) -> Result<Slapd> {
    eprintln!("{}: loading the server", size.name);
    let ldif = company::ldif(size)?;
    let database = "sizelimit size.soft=500 size.hard=unlimited size.prtotal=unlimited\n\
                    overlay syncprov\nsyncprov-sessionlog 100000";
    let global = "moduleload syncprov";
    Ok(Slapd::start(&Setup { ldif: &ldif, global, database, ..Setup::default() }))
}

fn manifest(server: Option<&Slapd>, feed: &str) -> String {
    match server {
        Some(server) => server.manifests(&format!("    changeFeed: {feed}"), "  groups: { nesting: Flatten }"),
        // The policy is what is needed of it; the connector is never opened.
        None => "apiVersion: rollcall.dev/v1alpha1\nkind: DirectoryConnector\n\
                 metadata: { name: made, namespace: test }\nspec: { ldif: { path: /dev/null } }\n---\n\
                 apiVersion: rollcall.dev/v1alpha1\nkind: SyncPolicy\nmetadata: { name: all, namespace: test }\n\
                 spec:\n  connectors: [{ name: made }]\n  target: { registry: {} }\n  groups: { nesting: Flatten }\n"
            .to_owned(),
    }
}

struct Scene<'a> {
    size: Size,
    server: Option<&'a Slapd>,
    folder: &'a Path,
    manifests: &'a Path,
    /// Those by which changes are asked for.
    feed: &'a Path,
    round: usize,
}

impl Scene<'_> {
    fn play(&self) -> Result<Vec<(What, Taken)>> {
        let mut taken = Vec::new();
        if let Some(server) = self.server {
            taken.push((What::LdapSearch, self.ldapsearch(server)?));
        }
        let data = TempDir::new_in(self.folder)?;
        let everybody = format!("{} {}", self.size.people, self.size.groups);
        let (cold, said) = self.step("import", self.manifests, data.path())?;
        ensure!(said.starts_with(&everybody), "the import brought {said}");
        taken.push((What::ColdImport, cold));
        let (first, said) = self.step("run", self.manifests, data.path())?;
        let whole = format!("{everybody} {}", self.size.memberships());
        ensure!(said.trim() == whole, "in step are {said}");
        taken.push((What::FirstRun, first));
        let (second, said) = self.step("import", self.manifests, data.path())?;
        ensure!(said.trim() == format!("{everybody} 0"), "the second read brought {said}");
        taken.push((What::SecondRead, second));
        let (plan, said) = self.step("plan", self.manifests, data.path())?;
        taken.push((What::ProjectAndPlan, Taken { wall: said.trim().parse()?, ..plan }));
        if let Some(server) = self.server {
            let data = TempDir::new_in(self.folder)?;
            taken.push((What::ColdSync, self.sync(data.path())?));
            taken.push((What::SyncOfNothing, self.sync(data.path())?));
            self.change(server, 1, "Sync");
            taken.push((What::SyncOfOne, self.sync(data.path())?));
            for people in DELTAS {
                self.change(server, people, "Import");
                let (delta, said) = self.step("import", self.feed, data.path())?;
                ensure!(said.trim() == format!("{everybody} {people}"), "the feed brought {said}");
                taken.push((What::Feed("syncrepl", people), delta));
            }
            taken.push((What::RunOfMany, self.step("run", self.feed, data.path())?.0));
        }
        let (again, said) = self.step("again", self.manifests, data.path())?;
        for (people, wall) in CHANGES.into_iter().zip(said.lines()) {
            taken.push((What::RunAgain(people), Taken { wall: wall.parse()?, ..again }));
        }
        Ok(taken)
    }

    /// Gives people another family name.
    fn change(&self, server: &Slapd, people: usize, why: &str) {
        let name = format!("{why}{}of{people}", self.round);
        let change = |at: usize| {
            format!("dn: uid=u{at:07},ou=people,{SUFFIX}\nchangetype: modify\nreplace: sn\nsn: {name}\n")
        };
        let changes: Vec<String> = (0..people).map(change).collect();
        if !changes.is_empty() {
            server.modify(&changes.join("\n"));
        }
    }

    /// Users, then groups, with the filters and attributes that Rollcall asks with.
    fn ldapsearch(&self, server: &Slapd) -> Result<Taken> {
        let schema = EntrySchema {
            anchor: "entryUUID".to_owned(),
            literal: std::collections::BTreeSet::new(),
            demands_members: false,
        };
        let attributes: Vec<String> = schema.attributes().into_iter().collect();
        let searches: Vec<String> = [USER_FILTER, GROUP_FILTER]
            .map(|filter| {
                format!(
                    "ldapsearch -x -LLL -H {} -D {ADMIN} -w {PASSWORD} -b {SUFFIX} -E pr=1000/noprompt '{filter}' {}",
                    server.url(),
                    attributes.join(" ")
                )
            })
            .into();
        // Into a file: what a reader must do at least.
        let script = format!("{} > /dev/null && {} > /dev/null", searches[0], searches[1]);
        Ok(measure(self.folder, &["sh", "-c", &script])?.0)
    }

    fn step(&self, verb: &str, manifests: &Path, data: &Path) -> Result<(Taken, String)> {
        step(verb, self.size, self.folder, manifests, data)
    }

    fn sync(&self, data: &Path) -> Result<Taken> {
        let program = [env!("CARGO_BIN_EXE_rollcall").as_ref(), "sync".as_ref(), "-f".as_ref()];
        let rest = [self.feed.as_os_str(), "--data".as_ref(), data.as_os_str()];
        let all: Vec<_> = program.into_iter().chain(rest).collect();
        Ok(measure(self.folder, &all).context("rollcall sync")?.0)
    }
}
