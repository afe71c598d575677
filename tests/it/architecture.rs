//! The import table: which room may name which. Holds it by parsing every file.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::Visit;

/// A room, and what it may import: rooms (with everything in them), or single names (`source::Source`).
const TABLE: &[(&str, &[&str])] = &[
    ("directory", &[]),
    ("api", &[]),
    ("scim", &[]),
    ("net", &[]),
    ("clock", &[]),
    ("secret", &[]),
    ("telemetry", &[]),
    ("text", &[]),
    ("words", &[]),
    ("store", &["directory"]),
    ("serve", &["store", "scim", "directory"]),
    ("source", &["directory", "net"]),
    ("target", &["directory", "net", "scim", "store"]),
    ("controller", &["api", "spec", "sync", "source", "target", "store", "serve", "net", "directory"]),
    ("spec", &["api", "source", "target", "sync", "net", "directory"]),
    ("cli", &["*"]),
    // Traits only, never a source or target of its own.
    ("sync", &["directory", "store", "source::*", "target::*"]),
];

/// What any room may use.
const EVERYWHERE: &[&str] = &["clock", "secret", "telemetry", "text", "words"];
/// Rooms that are pure, or are told the time.
const TIMELESS: &[&str] = &["directory", "api", "scim", "net"];

/// Crates that only some rooms may know.
const CRATES: &[(&str, &[&str])] = &[
    ("kube", &["api", "spec", "controller", "cli"]),
    ("k8s_openapi", &["api", "controller", "cli"]),
    ("rusqlite", &["store"]),
    ("rustls", &["net", "source", "serve"]),
    ("tokio_rustls", &["source"]),
    ("axum", &["serve"]),
    ("axum_server", &["serve"]),
    ("prometheus_client", &["telemetry"]),
    ("tokio", &["clock", "source", "target", "sync", "controller", "serve", "cli"]),
    ("clap", &["cli", "main"]),
    ("anyhow", &["cli", "main"]),
];

/// The files in which no I/O and no waiting happens: the pure middle.
const PURE: &[&str] =
    &["sync/project", "sync/plan", "sync/guard", "sync/expression", "sync/policy", "sync/import/coverage"];

/// Every path that a file names, from its first segment on.
#[derive(Default)]
struct Paths(BTreeSet<String>);

impl Paths {
    fn tree(&mut self, prefix: &str, tree: &syn::UseTree) {
        let join = |name: &syn::Ident| {
            if prefix.is_empty() { name.to_string() } else { format!("{prefix}::{name}") }
        };
        match tree {
            syn::UseTree::Path(path) => self.tree(&join(&path.ident), &path.tree),
            syn::UseTree::Name(name) => drop(self.0.insert(join(&name.ident))),
            syn::UseTree::Rename(rename) => drop(self.0.insert(join(&rename.ident))),
            syn::UseTree::Glob(_) => drop(self.0.insert(format!("{prefix}::*"))),
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.tree(prefix, tree)),
        }
    }
}

impl<'a> Visit<'a> for Paths {
    fn visit_item_use(&mut self, item: &'a syn::ItemUse) {
        self.tree("", &item.tree);
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.0.insert(segments.join("::"));
        syn::visit::visit_path(self, path);
    }

    fn visit_item_mod(&mut self, item: &'a syn::ItemMod) {
        // Tests may know more than what they test.
        let is_test = item.attrs.iter().any(|attribute| attribute.path().is_ident("cfg"));
        if !is_test {
            syn::visit::visit_item_mod(self, item);
        }
    }
}

/// What is wrong with a file at `place` (`sync/plan.rs`).
fn wrongs(place: &str, text: &str) -> Vec<String> {
    let file = syn::parse_file(text).unwrap_or_else(|error| panic!("{place}: {error}"));
    let mut paths = Paths::default();
    paths.visit_file(&file);
    let room = place.split(['/', '.']).next().unwrap_or_default();
    let mut wrongs = Vec::new();
    for path in &paths.0 {
        let mut segments = path.split("::");
        let first = segments.next().unwrap_or_default();
        if first == "crate" && path != "crate" {
            let other = segments.next().unwrap_or_default();
            let rest: Vec<&str> = segments.collect();
            // Of all targets only the embedded one is kept in our own store.
            let others_store = room == "target" && other == "store" && !place.starts_with("target/registry");
            if others_store || !allowed(room, other, &rest) {
                wrongs.push(format!("{place} names {path}, which {room}/ may not"));
            }
        }
        if let Some((_, rooms)) = CRATES.iter().find(|(name, _)| *name == first)
            && !rooms.contains(&room)
        {
            wrongs.push(format!("{place} names {path}, and only {} may know that crate", rooms.join(", ")));
        }
        if path.ends_with("Timestamp::now") || path.ends_with("SystemTime::now") {
            let reader = place == "clock.rs";
            if !reader {
                wrongs.push(format!("{place} asks what time it is; only clock.rs may"));
            }
        }
        if path == "Completion" || path.ends_with("::Completion") {
            let may = matches!(room, "directory" | "source") || text_only_names(&file);
            if !may {
                wrongs.push(format!("{place} makes a Completion; only a source may"));
            }
        }
        let pure =
            PURE.iter().any(|pure| place.strip_prefix(pure).is_some_and(|rest| rest.starts_with(['/', '.'])));
        if pure && ["std::fs", "std::net", "std::env", "tokio"].iter().any(|io| path.starts_with(io)) {
            wrongs.push(format!("{place} names {path}, and it is to be pure"));
        }
    }
    wrongs
}

/// Whether no struct expression in the file builds a `Completion`.
fn text_only_names(file: &syn::File) -> bool {
    struct Builds(bool);
    impl<'a> Visit<'a> for Builds {
        fn visit_expr_struct(&mut self, built: &'a syn::ExprStruct) {
            self.0 |= built.path.segments.last().is_some_and(|last| last.ident == "Completion");
            syn::visit::visit_expr_struct(self, built);
        }
    }
    let mut builds = Builds(false);
    builds.visit_file(file);
    !builds.0
}

fn allowed(room: &str, other: &str, rest: &[&str]) -> bool {
    let Some((_, may)) = TABLE.iter().find(|(name, _)| *name == room) else {
        // main.rs and lib.rs.
        return matches!(room, "main" | "lib");
    };
    let everywhere = EVERYWHERE.contains(&other) && (!TIMELESS.contains(&room) || other != "clock");
    other == room
        || everywhere
        || may.iter().any(|may| match may.split_once("::") {
            None => *may == "*" || *may == other,
            // `crate::source::X`, but not `crate::source::ldap::X`.
            Some((may, _)) => may == other && rest.len() == 1 && rest[0].starts_with(char::is_uppercase),
        })
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn rooms_import_what_the_table_allows() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    files(&source, &mut found);
    assert!(found.len() > 50, "where are the sources?");
    let mut all = Vec::new();
    for file in found {
        let place = file.strip_prefix(&source).unwrap().display().to_string();
        // A test beside the code (`plan/tests.rs`) may know more than what it tests.
        if !place.ends_with("/tests.rs") {
            all.extend(wrongs(&place, &fs::read_to_string(&file).unwrap()));
        }
    }
    all.sort();
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn the_table_bites() {
    for (place, text) in [
        ("sync/plan.rs", "use crate::source::ldap::LdapSource;"),
        ("sync/plan.rs", "fn f() { crate::cli::x(); }"),
        ("sync/plan.rs", "use crate::{directory::Dn, spec::Problem};"),
        ("sync/plan.rs", "use std::fs;"),
        ("sync/run.rs", "use kube::Client;"),
        ("store/link.rs", "use crate::sync::policy::Policy;"),
        ("target/scim.rs", "use crate::store::Store;"),
        ("source/ldif.rs", "use crate::target::Target;"),
        ("directory/dn.rs", "use crate::store::Store;"),
        ("sync/run.rs", "fn f() { let now = jiff::Timestamp::now(); }"),
        ("sync/import.rs", "fn f() { let c = crate::directory::Completion { x }; }"),
        ("scim/resource.rs", "use crate::directory::Content;"),
    ] {
        assert!(!wrongs(place, text).is_empty(), "{place} may not say {text}");
    }
    assert_eq!(wrongs("sync/import.rs", "use crate::source::{Reason, Source};"), [""; 0]);
}
