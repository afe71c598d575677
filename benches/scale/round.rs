//! What is measured, round by round.

use std::env;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use rollcall::source::ldap::{GROUP_FILTER, USER_FILTER};
use rollcall::source::schema::Schema;
use tempfile::TempDir;

use crate::measure::{Taken, measure};
use crate::slapd::{ADMIN, PASSWORD, SUFFIX, Setup, Slapd};
use crate::{Size, company};

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
}

/// All that was measured of one thing, one for each round.
pub(crate) type Row = (What, Vec<Taken>);

pub(crate) fn measure_size(size: Size, runs: usize) -> Result<Vec<Row>> {
    let folder = tempfile::tempdir()?;
    let server = if size.server { Some(start(size)?) } else { None };
    let manifests = folder.path().join("manifests.yaml");
    fs::write(&manifests, manifest(server.as_ref()))?;
    let mut rows: Vec<Row> = Vec::new();
    // The first round warms up.
    for round in 0..=runs {
        let scene =
            Scene { size, server: server.as_ref(), folder: folder.path(), manifests: &manifests, round };
        for (what, taken) in scene.play()? {
            eprintln!("{} {round}/{runs} {what:?}: {taken:.2?}", size.name);
            if round == 0 {
                rows.push((what, Vec::new()));
            } else if let Some((_, all)) = rows.iter_mut().find(|(of, _)| *of == what) {
                all.push(taken);
            }
        }
    }
    Ok(rows)
}

fn start(size: Size) -> Result<Slapd> {
    eprintln!("{}: loading the server", size.name);
    let ldif = company::ldif(size)?;
    let database = "sizelimit size.soft=500 size.hard=unlimited size.prtotal=unlimited";
    Ok(Slapd::start(&Setup { ldif: &ldif, database, ..Setup::default() }))
}

fn manifest(server: Option<&Slapd>) -> String {
    match server {
        Some(server) => server.manifests("", "  groups: { nesting: Flatten }"),
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
        let (cold, said) = self.step("import", data.path())?;
        ensure!(said.starts_with(&everybody), "the import brought {said}");
        taken.push((What::ColdImport, cold));
        let (first, said) = self.step("run", data.path())?;
        let whole = format!("{everybody} {}", self.size.memberships());
        ensure!(said.trim() == whole, "in step are {said}");
        taken.push((What::FirstRun, first));
        let (second, said) = self.step("import", data.path())?;
        ensure!(said.trim() == format!("{everybody} 0"), "the second read brought {said}");
        taken.push((What::SecondRead, second));
        let (plan, said) = self.step("plan", data.path())?;
        taken.push((What::ProjectAndPlan, Taken { wall: said.trim().parse()?, ..plan }));
        if let Some(server) = self.server {
            let data = TempDir::new_in(self.folder)?;
            taken.push((What::ColdSync, self.sync(data.path())?));
            taken.push((What::SyncOfNothing, self.sync(data.path())?));
            let at = self.round;
            server.modify(&format!(
                "dn: uid=u{at:07},ou=people,{SUFFIX}\nchangetype: modify\nreplace: sn\nsn: Married{at}\n"
            ));
            taken.push((What::SyncOfOne, self.sync(data.path())?));
        }
        Ok(taken)
    }

    /// Users, then groups, with the filters and attributes that Rollcall asks with.
    fn ldapsearch(&self, server: &Slapd) -> Result<Taken> {
        let schema = Schema { anchor: "entryUUID".to_owned(), literal: std::collections::BTreeSet::new() };
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

    fn step(&self, verb: &str, data: &Path) -> Result<(Taken, String)> {
        let program = env::current_exe()?;
        let size = if self.size.server { "server" } else { self.size.name };
        let arguments = ["step", verb].map(AsRef::as_ref);
        let rest = [self.manifests.as_os_str(), size.as_ref(), data.as_os_str()];
        let all: Vec<_> = [program.as_os_str()].into_iter().chain(arguments).chain(rest).collect();
        measure(self.folder, &all).with_context(|| format!("the step {verb}"))
    }

    fn sync(&self, data: &Path) -> Result<Taken> {
        let program = [env!("CARGO_BIN_EXE_rollcall").as_ref(), "sync".as_ref(), "-f".as_ref()];
        let rest = [self.manifests.as_os_str(), "--data".as_ref(), data.as_os_str()];
        let all: Vec<_> = program.into_iter().chain(rest).collect();
        Ok(measure(self.folder, &all).context("rollcall sync")?.0)
    }
}
