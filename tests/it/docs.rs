//! Every `rollcall` command in the documents runs as it stands.

use std::fs;
use std::path::Path;

use rollcall::directory::fields;

use crate::support::cli::{Desk, Ran, command};

/// Commands on a company that only the reader has.
const YOURS: &str = "my-company.yaml";

fn commands(page: &str) -> Vec<String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).unwrap();
    let mut inside = false;
    let mut commands = Vec::new();
    for line in text.lines() {
        if line.starts_with("```") {
            inside = line == "```sh";
        } else if inside && line.starts_with("rollcall ") {
            commands.push(line.split('#').next().unwrap().trim().to_owned());
        }
    }
    commands
}

#[test]
fn commands_in_the_documents_run_as_they_stand() {
    for page in ["README.md", "docs/cli.md"] {
        let desk = Desk::new();
        let here = desk.path("").display().to_string();
        desk.write(
            YOURS,
            fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/company/policy.yaml"))
                .unwrap(),
        );
        desk.write(
            "monday.ldif",
            fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/company/monday.ldif"))
                .unwrap(),
        );
        let all = commands(page);
        assert!(all.len() > 3, "{page} has no commands");
        for line in all {
            let placed = line
                .replace("~/rollcall-demo", &format!("{here}data"))
                .replace("~/rollcall", &format!("{here}yours"))
                .replace(YOURS, &format!("{here}{YOURS}"));
            let arguments: Vec<&str> = placed.split_whitespace().skip(1).collect();
            let ran = command(&arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
            Ran::of(&ran).exits(0);
        }
    }
}

#[test]
fn links_in_the_documents_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs =
        ["docs", "docs/directories", "docs/targets"].map(|folder| root.join(folder).read_dir().unwrap());
    let docs = docs.into_iter().flatten().map(|entry| entry.unwrap().path());
    let mut pages: Vec<_> = docs.filter(|path| path.extension().is_some_and(|it| it == "md")).collect();
    pages.extend(["README.md", "CONTRIBUTING.md", "SECURITY.md"].map(|page| root.join(page)));
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.starts_with("http") {
                continue;
            }
            let (file, section) = link.split_once('#').unwrap_or((link, ""));
            let to = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            assert!(to.exists(), "{} links to {link}, which is not there", page.display());
            if !section.is_empty() {
                let text = fs::read_to_string(&to).unwrap();
                let found = text.lines().any(|line| line.starts_with('#') && anchor(line) == section);
                assert!(found, "{} links to {link}, and there is no such section", page.display());
            }
        }
    }
}

/// What links call the section of this heading.
fn anchor(heading: &str) -> String {
    let heading = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
    heading.chars().filter(|c| c.is_alphanumeric() || *c == '-').collect()
}

#[test]
fn the_words_that_expressions_may_use_are_all_documented() {
    let concepts =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/concepts.md")).unwrap();
    for field in fields::OF_USER.iter().chain(fields::OF_GROUP) {
        assert!(
            concepts.contains(&format!("`{field}`")),
            "docs/concepts.md does not say that there is {field}"
        );
    }
}
