//! The import table: which room may name which, and no circle of files. Holds both by parsing every file.

use std::collections::{BTreeMap, BTreeSet};
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
    ("hex", &[]),
    ("store", &["directory"]),
    ("serve", &["store", "scim", "directory"]),
    ("wire", &["directory"]),
    ("source", &["directory", "net", "wire"]),
    ("gateway", &["wire", "source", "serve", "directory"]),
    ("engine", &["wire", "source", "net", "api", "directory"]),
    ("target", &["directory", "net", "scim", "store"]),
    (
        "controller",
        &["api", "spec", "sync", "source", "target", "store", "serve", "gateway", "wire", "net", "directory"],
    ),
    ("spec", &["api", "source", "target", "sync", "net", "scim", "wire", "directory"]),
    ("cli", &["*"]),
    // Traits only, never a source or target of its own.
    ("sync", &["directory", "store", "source::*", "target::*"]),
];

/// What any room may use.
const EVERYWHERE: &[&str] = &["clock", "secret", "telemetry", "text", "words", "hex"];
/// Rooms that are pure, or are told the time.
const TIMELESS: &[&str] = &["directory", "api", "scim", "wire"];

/// Crates that only some rooms may know.
const CRATES: &[(&str, &[&str])] = &[
    ("kube", &["api", "spec", "controller", "cli"]),
    ("k8s_openapi", &["api", "controller", "cli"]),
    ("rusqlite", &["store"]),
    ("jsonwebtoken", &["net"]),
    ("reqwest", &["net"]),
    ("rustls", &["net", "source", "serve"]),
    ("tokio_rustls", &["source"]),
    ("axum", &["serve", "gateway"]),
    ("axum_server", &["serve"]),
    ("prometheus_client", &["telemetry"]),
    (
        "tokio",
        &["clock", "net", "source", "target", "sync", "controller", "serve", "gateway", "engine", "cli"],
    ),
    ("clap", &["cli", "main"]),
    ("anyhow", &["cli", "main"]),
];

/// The files in which no I/O and no waiting happens: the pure middle.
const PURE: &[&str] = &[
    "sync/project",
    "sync/plan",
    "sync/guard",
    "sync/expression",
    "sync/policy",
    "sync/import/coverage",
    "wire",
    "engine/veto",
];

/// Every path that a file names, from its first segment on.
#[derive(Default)]
struct Paths {
    named: BTreeSet<String>,
    /// What each name that it imports stands for.
    imports: BTreeMap<String, String>,
    /// The imports that it only passes on (`pub use`).
    passed_on: BTreeSet<String>,
}

impl Paths {
    fn tree(&mut self, prefix: &str, tree: &syn::UseTree) {
        let join = |name: &syn::Ident| {
            if prefix.is_empty() { name.to_string() } else { format!("{prefix}::{name}") }
        };
        let mut import = |name: &syn::Ident, known_as: &syn::Ident| {
            let path = if name == "self" { prefix.to_owned() } else { join(name) };
            let known_as = if known_as == "self" { prefix.to_owned() } else { known_as.to_string() };
            let last = known_as.rsplit("::").next().unwrap_or_default();
            self.imports.insert(last.to_owned(), path.clone());
            self.named.insert(path);
        };
        match tree {
            syn::UseTree::Path(path) => self.tree(&join(&path.ident), &path.tree),
            syn::UseTree::Name(name) => import(&name.ident, &name.ident),
            syn::UseTree::Rename(rename) => import(&rename.ident, &rename.rename),
            syn::UseTree::Glob(_) => drop(self.named.insert(format!("{prefix}::*"))),
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.tree(prefix, tree)),
        }
    }

    /// What a macro or an attribute is given is no syntax yet: takes what looks like a path.
    fn tokens(&mut self, text: &str) {
        let text = text.replace(" :: ", "::");
        let words = text.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
        self.named
            .extend(words.filter(|word| word.contains("::") && !word.starts_with(':')).map(str::to_owned));
    }
}

impl<'a> Visit<'a> for Paths {
    fn visit_item_use(&mut self, item: &'a syn::ItemUse) {
        let passes_on = !matches!(item.vis, syn::Visibility::Inherited);
        let mut used = Self::default();
        used.tree("", &item.tree);
        if passes_on {
            self.passed_on.extend(used.named.iter().cloned());
        }
        self.named.append(&mut used.named);
        self.imports.append(&mut used.imports);
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.named.insert(segments.join("::"));
        syn::visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &'a syn::Macro) {
        self.tokens(&called.tokens.to_string());
        syn::visit::visit_macro(self, called);
    }

    fn visit_meta_list(&mut self, list: &'a syn::MetaList) {
        self.tokens(&list.tokens.to_string());
    }

    /// `pub(in crate::source)` imports nothing.
    fn visit_visibility(&mut self, _: &'a syn::Visibility) {}

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
    for path in &paths.named {
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

/// Where each name of a file comes from: its modules are files, its imports lead to other files, the rest it defines.
struct Files(BTreeMap<String, Paths>);

impl Files {
    /// From places (`sync/plan.rs`) and texts.
    fn of<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let parsed = files.into_iter().map(|(place, text)| {
            let mut file = syn::parse_file(text).unwrap_or_else(|error| panic!("{place}: {error}"));
            file.items.retain(|item| !only_for_tests(item));
            let mut paths = Paths::default();
            paths.visit_file(&file);
            (place.trim_end_matches(".rs").replace('/', "::"), paths)
        });
        Self(parsed.collect())
    }

    /// The module in which the file at `module` finds what it calls `path`; none for a module itself, another crate,
    /// and what the file defines without a path. A re-export leads on to the file that defines the name.
    fn defines(&self, module: &str, path: &str, depth: usize) -> Option<String> {
        let (first, _) = path.split_once("::").unwrap_or((path, ""));
        let known = matches!(first, "crate" | "self" | "super")
            || self.0.contains_key(&within(module, first))
            || self.0.get(module)?.imports.contains_key(first);
        if !known || depth == 0 {
            return None;
        }
        let mut at = module.to_owned();
        let mut rest = path;
        while !rest.is_empty() {
            let (segment, after) = rest.split_once("::").unwrap_or((rest, ""));
            match segment {
                "crate" => at.clear(),
                "self" => {}
                "super" => at = at.rsplit_once("::").map_or(String::new(), |(parent, _)| parent.to_owned()),
                _ if self.0.contains_key(&within(&at, segment)) => at = within(&at, segment),
                _ => {
                    let Some(import) = self.0.get(&at).and_then(|paths| paths.imports.get(segment)) else {
                        return Some(at);
                    };
                    let import = if after.is_empty() { import.clone() } else { format!("{import}::{after}") };
                    return self.defines(&at, &import, depth - 1);
                }
            }
            rest = after;
        }
        None
    }

    /// For each file the files that it names something of.
    fn edges(&self) -> BTreeMap<&str, BTreeSet<String>> {
        let mut edges = BTreeMap::new();
        for (module, paths) in &self.0 {
            let named =
                paths.named.difference(&paths.passed_on).filter_map(|path| self.defines(module, path, 8));
            edges.insert(&**module, named.filter(|other| other != module && !other.is_empty()).collect());
        }
        edges
    }

    /// The circles: files of which each leads to each other, as `a -> b` for each step within.
    fn circles(&self) -> Vec<String> {
        let edges = self.edges();
        let reach: BTreeMap<&str, BTreeSet<&str>> = edges
            .keys()
            .map(|from| {
                let mut seen = BTreeSet::new();
                let mut next = vec![*from];
                while let Some(others) = next.pop().and_then(|module| edges.get(module)) {
                    next.extend(others.iter().map(|other| &**other).filter(|other| seen.insert(*other)));
                }
                (*from, seen)
            })
            .collect();
        let steps = edges.iter().flat_map(|(from, others)| others.iter().map(move |other| (*from, &**other)));
        let back = steps.filter(|(from, other)| reach.get(other).is_some_and(|seen| seen.contains(from)));
        back.map(|(from, other)| format!("{from} -> {other}")).collect()
    }
}

fn within(module: &str, name: &str) -> String {
    if module.is_empty() { name.to_owned() } else { format!("{module}::{name}") }
}

fn only_for_tests(item: &syn::Item) -> bool {
    let attributes = match item {
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        _ => return false,
    };
    attributes.iter().any(|attribute| attribute.path().is_ident("cfg"))
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

/// The place (`sync/plan.rs`) and text of every file. A test beside the code (`plan/tests.rs`) may know more than what it
/// tests and is left out.
fn sources() -> BTreeMap<String, String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    files(&source, &mut found);
    assert!(found.len() > 50, "where are the sources?");
    let places = found.into_iter().map(|file| {
        let place = file.strip_prefix(&source).unwrap().display().to_string();
        (place, fs::read_to_string(&file).unwrap())
    });
    places.filter(|(place, _)| !place.ends_with("/tests.rs")).collect()
}

#[test]
fn rooms_import_what_the_table_allows() {
    let sources = sources();
    let mut all: Vec<String> = sources.iter().flat_map(|(place, text)| wrongs(place, text)).collect();
    all.sort();
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn no_file_depends_on_itself_through_others() {
    let sources = sources();
    let circles = Files::of(sources.iter().map(|(place, text)| (place.as_str(), text.as_str()))).circles();
    assert!(circles.is_empty(), "these files depend on each other:\n{}", circles.join("\n"));
}

#[test]
fn circles_of_files_are_found() {
    for (others, circles) in [
        // A child that names what its parent defines, which calls the child.
        ([("a.rs", "mod b; struct X; fn f() { b::g() }"), ("a/b.rs", "use super::X; fn g() {}")], 2),
        ([("a.rs", "mod b; pub use b::X;"), ("a/b.rs", "pub struct X;")], 0),
        ([("a.rs", "mod b; struct X;"), ("a/b.rs", "fn f(x: super::X) {}")], 0),
        // Through a module's own name, in a macro, by an import of the parent.
        ([("a.rs", "use crate::c; fn f() { c::g() }"), ("c.rs", "fn g() { crate::a::f() }")], 2),
        (
            [
                ("a.rs", "fn f() { log!(x, crate::c::Y) }"),
                ("c.rs", "use crate::a::{self as other}; fn g() { other::f() }"),
            ],
            2,
        ),
        ([("a.rs", "mod b; use crate::c::X; fn f() { b::g() }"), ("a/b.rs", "use super::X;")], 0),
        // What only a test names, and what a visibility names, is no dependency.
        (
            [
                ("a.rs", "mod b; struct X; use b::g;"),
                ("a/b.rs", "#[cfg(test)] mod tests { use super::super::X; }"),
            ],
            0,
        ),
        ([("a.rs", "mod b; struct X; use b::g;"), ("a/b.rs", "pub(in crate::a) fn g() {}")], 0),
    ] {
        let files = Files::of(others.into_iter().chain([("c/d.rs", "pub struct Z;")]));
        assert_eq!(files.circles().len(), circles, "{others:?}: {:?}", files.circles());
    }
    // A re-export counts for the file that defines the name, and a longer way round is found.
    let files = Files::of([
        ("a.rs", "mod b; mod c; pub use b::X;"),
        ("a/b.rs", "use crate::d::Y; pub struct X;"),
        ("a/c.rs", "use super::X;"),
        ("d.rs", "use crate::a::X; pub struct Y;"),
    ]);
    assert_eq!(files.circles(), ["a::b -> d", "d -> a::b"]);
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
