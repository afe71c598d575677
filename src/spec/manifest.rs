//! Reads manifests: YAML or JSON from files, folders or standard input.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

mod yaml;

use super::object::{Name, Objects, is_dns_name};
use super::{Problem, schema};
use crate::api::{DirectoryConnector, DirectoryConnectorSpec, GROUP, SyncPolicy, SyncPolicySpec, VERSION};
use crate::secret::Secret;

/// Bytes of one file at most.
const FILE: u64 = 32 << 20;
/// Files of one folder at most.
const FILES: usize = 10_000;
/// Folders within folders at most.
const FOLDERS: usize = 16;
/// Problems of one object that are told of.
const PROBLEMS: usize = 100;

/// What manifests hold.
#[derive(Debug, Default)]
pub struct Manifests {
    /// What could be understood.
    pub objects: Objects,
    /// What could not.
    pub problems: Vec<Problem>,
    /// Objects of other kinds, which are left alone.
    pub ignored: Vec<String>,
}

/// Reads manifests from `paths`: files, folders (their `.yaml`, `.yml` and `.json` files, and those of
/// folders within), or `-` for standard input.
pub fn read(paths: &[PathBuf]) -> Manifests {
    let mut manifests = Manifests::default();
    for path in paths {
        if path.as_os_str() == "-" {
            match whole(io::stdin()) {
                Ok(text) => manifests.text("standard input", &text, Some(Path::new(""))),
                Err(error) => manifests.problem("standard input", "", cannot_read(&error)),
            }
        } else if path.is_dir() {
            manifests.folder(path);
        } else {
            // A pipe too: who names it knows who fills it.
            manifests.file(path);
        }
    }
    manifests
}

/// All of a text, if it is no longer than it may be.
fn whole(from: impl io::Read) -> io::Result<String> {
    let mut text = String::new();
    from.take(FILE + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE {
        return Err(io::Error::other(format!("it has more than {FILE} bytes; split it")));
    }
    Ok(text)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header {
    #[serde(default)]
    api_version: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Default, Deserialize)]
struct Metadata {
    #[serde(default)]
    name: String,
    namespace: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Contents {
    #[serde(default)]
    data: BTreeMap<String, String>,
    #[serde(default)]
    string_data: BTreeMap<String, String>,
    #[serde(default)]
    binary_data: BTreeMap<String, String>,
}

impl Manifests {
    fn folder(&mut self, folder: &Path) {
        let mut found = Vec::new();
        if let Err(error) = list(folder, 0, &mut found) {
            self.problem(&folder.display().to_string(), "", cannot_read(&error));
            return;
        }
        if found.is_empty() {
            let why = "the folder has no .yaml, .yml or .json file";
            self.problem(&folder.display().to_string(), "", why);
        }
        for path in found {
            if path.is_file() {
                self.file(&path);
            } else {
                self.problem(&path.display().to_string(), "", "it is not a readable file");
            }
        }
    }

    fn file(&mut self, path: &Path) {
        let name = path.display().to_string();
        match fs::File::open(path).and_then(whole) {
            Ok(text) => self.text(&name, &text, path.parent()),
            Err(error) => self.problem(&name, "", cannot_read(&error)),
        }
    }

    /// Takes every document of a text; `place` is what to call it.
    pub fn text(&mut self, place: &str, text: &str, folder: Option<&Path>) {
        let read = yaml::documents(text, |at, value| {
            if !value.is_null() {
                self.document(&format!("{place}, document {at}"), value, folder);
            }
        });
        if let Err(why) = read {
            self.problem(place, "", why);
        }
    }

    fn document(&mut self, place: &str, value: Value, folder: Option<&Path>) {
        let header = match Header::deserialize(&value) {
            Ok(header) if !header.kind.is_empty() => header,
            Ok(_) => return self.problem(place, "", "it has no kind, so it is not a Kubernetes object"),
            Err(error) => return self.problem(place, "", format!("it is not a Kubernetes object: {error}")),
        };
        if header.kind == "List" && header.api_version == "v1" {
            let Value::Object(mut list) = value else { return };
            let Some(Value::Array(items)) = list.remove("items") else { return };
            for (at, item) in items.into_iter().enumerate() {
                self.document(&format!("{place}, item {}", at + 1), item, folder);
            }
            return;
        }
        let ours = format!("{GROUP}/{VERSION}");
        let namespace = header.metadata.namespace.unwrap_or_else(|| "default".to_owned());
        let name = Name { namespace, name: header.metadata.name };
        let object = format!("{} {name}", header.kind);
        let relevant =
            matches!(header.kind.as_str(), "DirectoryConnector" | "SyncPolicy" | "Secret" | "ConfigMap");
        if relevant && !(is_dns_name(&name.name) && is_dns_name(&name.namespace)) {
            let why = "a name and namespace of lower-case letters, digits, - and . are needed";
            return self.problem(&format!("{place} ({object})"), "metadata.name", why);
        }
        let added = match (header.kind.as_str(), header.api_version.as_str()) {
            ("DirectoryConnector", version) if version == ours => {
                let spec = self.spec::<DirectoryConnector, DirectoryConnectorSpec>(&object, &value);
                spec.is_none_or(|spec| {
                    self.objects.connectors.insert(name, (spec, folder.map(Path::to_owned))).is_none()
                })
            }
            ("SyncPolicy", version) if version == ours => {
                let spec = self.spec::<SyncPolicy, SyncPolicySpec>(&object, &value);
                spec.is_none_or(|spec| self.objects.policies.insert(name, spec).is_none())
            }
            ("DirectoryConnector" | "SyncPolicy", version) => {
                return self.problem(
                    &object,
                    "apiVersion",
                    format!("is {version:?}, and this rollcall supports {ours}"),
                );
            }
            ("Secret", "v1") => {
                let data = self.data(&object, &value, true);
                let data = data.into_iter().map(|(key, value)| (key, Secret::new(value))).collect();
                self.objects.secrets.insert(name, data).is_none()
            }
            ("ConfigMap", "v1") => {
                let data = self.data(&object, &value, false);
                self.objects.config_maps.insert(name, data).is_none()
            }
            _ => {
                self.ignored.push(format!("{place} ({object})"));
                true
            }
        };
        if !added {
            self.problem(
                &object,
                "",
                format!("it is given twice, the second time in {place}; keep one of them"),
            );
        }
    }

    /// The spec, if the schema has nothing against it.
    fn spec<K: kube::CustomResourceExt, S: DeserializeOwned>(
        &mut self,
        object: &str,
        value: &Value,
    ) -> Option<S> {
        let before = self.problems.len();
        let whole = schema::of::<K>();
        let Some(spec) = value.get("spec") else {
            self.problem(object, "spec", "is missing");
            return None;
        };
        if let Some(schema) = whole.pointer("/properties/spec") {
            let problems = &mut self.problems;
            schema::check(spec, schema, "spec", &mut |field, why| {
                // Whoever corrects so many learns of the rest.
                if problems.len() - before < PROBLEMS {
                    problems.push(Problem::new(object, field, why));
                }
            });
        }
        for key in value.as_object().into_iter().flat_map(serde_json::Map::keys) {
            if !matches!(key.as_str(), "apiVersion" | "kind" | "metadata" | "spec" | "status") {
                self.problem(object, key, "there is no such field; settings belong under spec");
            }
        }
        match serde_path_to_error::deserialize::<_, S>(spec) {
            Ok(spec) if self.problems.len() == before => Some(spec),
            Ok(_) => None,
            Err(error) => {
                let path = error.path().to_string();
                let field = if path == "." { "spec".to_owned() } else { format!("spec.{path}") };
                self.problem(object, &field, error.inner().to_string());
                None
            }
        }
    }

    /// The contents of a Secret or ConfigMap. What is not base64 is named and left out, never shown.
    fn data(&mut self, object: &str, value: &Value, encoded: bool) -> BTreeMap<String, Vec<u8>> {
        let Ok(contents) = Contents::deserialize(value) else {
            self.problem(object, "data", "is not a map of texts");
            return BTreeMap::new();
        };
        let mut all = BTreeMap::new();
        let (base64, plain) = if encoded {
            (contents.data, contents.string_data)
        } else {
            (contents.binary_data, contents.data)
        };
        for (key, value) in base64 {
            let compact: String = value.split_whitespace().collect();
            if let Ok(bytes) = BASE64_STANDARD.decode(compact) {
                all.insert(key, bytes);
            } else {
                let why = "is not base64; put plain text under stringData";
                self.problem(object, &format!("data.{key}"), why);
            }
        }
        all.extend(plain.into_iter().map(|(key, value)| (key, value.into_bytes())));
        all
    }

    fn problem(&mut self, object: &str, field: &str, message: impl Into<String>) {
        self.problems.push(Problem::new(object, field, message));
    }
}

fn cannot_read(error: &io::Error) -> String {
    format!("it cannot be read: {error}")
}

/// Manifests in a folder and those within, in order of their names; hidden ones are left out.
fn list(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> io::Result<()> {
    if depth > FOLDERS || found.len() > FILES {
        let why = format!(
            "it has more than {FILES} files, or folders nested more than {FOLDERS} deep (does a link lead back?)"
        );
        return Err(io::Error::other(why));
    }
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    paths.sort();
    for path in paths {
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')) {
            continue;
        }
        if path.is_dir() {
            list(&path, depth + 1, found)?;
        } else if path
            .extension()
            .is_some_and(|end| ["yaml", "yml", "json"].iter().any(|known| end == *known))
        {
            found.push(path);
        }
    }
    Ok(())
}
