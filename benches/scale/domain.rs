//! A domain controller: what its feeds cost.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Result, ensure};
use tempfile::TempDir;

use crate::Size;
use crate::company;
use crate::round::{Row, What, note, step};
use crate::samba::{ADMIN, DOMAIN, PASSWORD, Samba};

/// The feeds, by which each of these numbers of changed people is told.
const FEEDS: [&str; 2] = ["DirSync", "UsnChanged"];
const CHANGED: [usize; 3] = [0, 1, 100];

pub(crate) fn measure_domain(size: Size, runs: usize) -> Result<Vec<Row>> {
    eprintln!("{}: loading the domain controller", size.name);
    let samba = Samba::start();
    samba.modify(&ldif(size)?);
    // Who sees no deleted entry cannot be told from who may not see them.
    samba.modify(&format!(
        "dn: CN=gone,{DOMAIN}\nchangetype: add\nobjectClass: contact\n\ndn: CN=gone,{DOMAIN}\nchangetype: delete\n\n"
    ));
    let folder = tempfile::tempdir()?;
    let mut rows = Vec::new();
    // The first round warms up.
    for round in 0..=runs {
        for (at, feed) in FEEDS.into_iter().enumerate() {
            let manifests = folder.path().join(format!("{feed}.yaml"));
            fs::write(&manifests, manifest(&samba, feed))?;
            let data = TempDir::new_in(folder.path())?;
            let (cold, _) = step("import", size, folder.path(), &manifests, data.path())?;
            if at == 0 {
                note(&mut rows, size, (round, runs), What::ColdImport, cold);
            }
            for people in CHANGED {
                change(&samba, people, &format!("{feed}{round}of{people}"))?;
                let (taken, said) = step("import", size, folder.path(), &manifests, data.path())?;
                ensure!(said.trim().ends_with(&format!(" {people}")), "{feed} brought {said}");
                note(&mut rows, size, (round, runs), What::Feed(feed, people), taken);
            }
        }
    }
    Ok(rows)
}

fn dn(at: usize) -> String {
    format!("CN=u{at:07},OU=People,{DOMAIN}")
}

fn ldif(size: Size) -> Result<String, std::fmt::Error> {
    let mut ldif = format!("dn: OU=People,{DOMAIN}\nchangetype: add\nobjectClass: organizationalUnit\n\n");
    for at in 0..size.people {
        writeln!(ldif, "dn: {}\nchangetype: add\nobjectClass: user\nuserAccountControl: 544", dn(at))?;
        for (attribute, value) in company::person(at) {
            let attribute = match attribute {
                "uid" => "sAMAccountName",
                "cn" => "displayName",
                "ou" => "department",
                other => other,
            };
            writeln!(ldif, "{attribute}: {value}")?;
        }
        ldif.push('\n');
    }
    for group in 0..size.groups {
        writeln!(ldif, "dn: CN=g{group:06},OU=People,{DOMAIN}\nchangetype: add\nobjectClass: group")?;
        writeln!(ldif, "sAMAccountName: g{group:06}")?;
        for at in 0..company::members(size, group) {
            writeln!(ldif, "member: {}", dn(company::member(size, group, at)))?;
        }
        ldif.push('\n');
    }
    Ok(ldif)
}

/// Gives people another family name.
fn change(samba: &Samba, people: usize, name: &str) -> Result<(), std::fmt::Error> {
    let mut changes = String::new();
    for at in 0..people {
        writeln!(changes, "dn: {}\nchangetype: modify\nreplace: sn\nsn: {name}\n", dn(at))?;
    }
    if people > 0 {
        samba.modify(&changes);
    }
    Ok(())
}

fn manifest(samba: &Samba, feed: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{ name: reader, namespace: test }}\n\
         stringData: {{ username: '{ADMIN}', password: {PASSWORD} }}\n---\n\
         apiVersion: rollcall.dev/v1alpha1\nkind: DirectoryConnector\n\
         metadata: {{ name: corp, namespace: test }}\nspec:\n  activeDirectory:\n    urls: [\"{url}\"]\n    \
         insecure: true\n    credentialsSecretRef: {{ name: reader }}\n    changeFeed: {feed}\n---\n\
         apiVersion: rollcall.dev/v1alpha1\nkind: SyncPolicy\nmetadata: {{ name: all, namespace: test }}\n\
         spec:\n  connectors: [{{ name: corp }}]\n  target: {{ registry: {{}} }}\n",
        url = samba.url(),
    )
}
