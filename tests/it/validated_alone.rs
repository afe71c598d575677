//! Manifests as they are in Git, without their Secrets and ConfigMaps: what is not there is taken to be right, for every kind of
//! directory and target.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use rollcall::spec::{self, manifest};
use rstest::rstest;

use crate::support::cluster::repository;

/// What validation takes to be there of these manifests, and their problems.
fn validated(text: &str) -> (BTreeSet<String>, Vec<String>) {
    let mut manifests = manifest::Manifests::default();
    manifests.text("test.yaml", text, Some(Path::new("")));
    let stood_in = manifests.objects.stand_in().into_iter().map(|(_, what)| what.to_string()).collect();
    let problems = spec::resolve(&manifests.objects).with(manifests.problems).problems;
    (stood_in, problems.iter().map(ToString::to_string).collect())
}

/// The documents that are neither Secrets nor ConfigMaps, and the others.
fn parted(text: &str) -> (String, Vec<&str>) {
    let is_secret = |document: &&str| {
        document.lines().any(|line| ["kind: Secret", "kind: ConfigMap"].contains(&line.trim_end()))
    };
    let (secrets, others): (Vec<&str>, Vec<&str>) = text.split("\n---\n").partition(is_secret);
    (others.join("\n---\n"), secrets)
}

/// Every manifest in a folder, and in those within.
fn manifests_in(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            manifests_in(&path, found);
        } else if path.extension().is_some_and(|it| it == "yaml") {
            found.push(path);
        }
    }
}

#[test]
fn each_example_is_valid_without_its_secrets() {
    let mut found = Vec::new();
    manifests_in(&repository("examples"), &mut found);
    assert!(found.len() >= 11, "{found:?}");
    // The one is of two files.
    let (cluster, mut alone): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|path| path.parent().is_some_and(|it| it.ends_with("cluster")));
    let read = |path: &PathBuf| fs::read_to_string(path).unwrap();
    let together = cluster.iter().map(read).collect::<Vec<_>>().join("\n---\n");
    alone.sort();
    let texts = alone.iter().map(|path| (path.display().to_string(), read(path)));
    for (name, text) in texts.chain([("examples/cluster".to_owned(), together)]) {
        let (without, secrets) = parted(&text);
        assert_eq!(problems_of(&text), [""; 0], "{name}, with them");
        let (stood_in, problems) = validated(&without);
        assert_eq!(problems, [""; 0], "{name}, without them");
        assert_eq!(stood_in.len(), secrets.len(), "{name}: {stood_in:?}");
    }
}

fn problems_of(text: &str) -> Vec<String> {
    validated(text).1
}

/// A connector with this kind of directory, and a policy with this target.
fn manifests(directory: &str, target: &str) -> String {
    format!(
        "apiVersion: rollcall.dev/v1alpha1\nkind: DirectoryConnector\nmetadata: {{ name: corp, namespace: id }}\n\
         spec: {{ {directory} }}\n---\napiVersion: rollcall.dev/v1alpha1\nkind: SyncPolicy\n\
         metadata: {{ name: staff, namespace: id }}\nspec: {{ connectors: [{{ name: corp }}], target: {{ {target} }} }}\n"
    )
}

const TLS: &str = "tls: { caRef: { kind: Secret, name: ca, key: ca.crt } }";
const LDIF: &str = "ldif: { path: corp.ldif }";
const ENTRA: &str = "tenantID: corp.onmicrosoft.com, clientID: 00000000-0000-0000-0000-000000000001";

#[rstest]
#[case::active_directory(format!("activeDirectory: {{ urls: [\"ldaps://a\"], credentialsSecretRef: {{ name: it }}, {TLS} }}"), "Secret ca, Secret it")]
#[case::domain_of_an_engine("activeDirectory: { syncEngine: { engines: 2 } }".to_owned(), "")]
#[case::ldap(format!("ldap: {{ urls: [\"ldaps://a\"], credentialsSecretRef: {{ name: it }}, {TLS} }}"), "Secret ca, Secret it")]
#[case::server_of_an_engine("ldap: { syncEngine: {} }".to_owned(), "")]
#[case::domino(format!("domino: {{ urls: [\"ldaps://a\"], credentialsSecretRef: {{ name: it }}, {TLS} }}"), "Secret ca, Secret it")]
#[case::entra_by_secret(format!("entraId: {{ {ENTRA}, credentials: {{ clientSecretRef: {{ name: it, key: publicKey }} }}, {TLS} }}"), "Secret ca, Secret it")]
#[case::entra_by_certificate(format!("entraId: {{ {ENTRA}, credentials: {{ certificateSecretRef: {{ name: it }} }} }}"), "Secret it")]
#[case::entra_by_federation(format!("entraId: {{ {ENTRA}, credentials: {{ workloadIdentity: {{}} }} }}"), "")]
#[case::entra_by_an_account(format!("entraId: {{ {ENTRA}, credentials: {{ workloadIdentity: {{ serviceAccountName: it }} }} }}"), "")]
#[case::google_by_key(format!("googleWorkspace: {{ adminEmail: a@corp.example, credentials: {{ serviceAccountKeyRef: {{ name: it, key: key.json }} }}, {TLS} }}"), "Secret ca, Secret it")]
#[case::ldif_in_a_secret("ldif: { secretKeyRef: { name: it, key: export } }".to_owned(), "Secret it")]
#[case::ldif_in_a_config_map("ldif: { configMapKeyRef: { name: it, key: export } }".to_owned(), "ConfigMap it")]
fn a_connector_is_valid_without_its_secrets(#[case] directory: String, #[case] expected: &str) {
    alone(&manifests(&directory, "registry: {}"), expected);
}

#[rstest]
#[case::registry("registry: { tokenSecretRef: { name: it, key: token } }".to_owned(), "Secret it")]
#[case::scim_by_token(format!("scim: {{ url: \"https://a\", credentials: {{ tokenSecretRef: {{ name: it, key: token }} }}, {TLS} }}"), "Secret ca, Secret it")]
#[case::scim_by_oauth("scim: { url: \"https://a\", credentials: { oauth: { tokenURL: \"https://b\", clientSecretRef: { name: it } } } }".to_owned(), "Secret it")]
#[case::mimecast(format!("mimecast: {{ credentialsSecretRef: {{ name: it }}, {TLS} }}"), "Secret ca, Secret it")]
fn a_policy_is_valid_without_its_secrets(#[case] target: String, #[case] expected: &str) {
    alone(&manifests(LDIF, &target), expected);
}

#[track_caller]
fn alone(text: &str, expected: &str) {
    let (stood_in, problems) = validated(text);
    assert_eq!(problems, [""; 0]);
    assert_eq!(stood_in.into_iter().collect::<Vec<_>>().join(", "), expected);
}

/// What is there is looked at.
#[rstest]
#[case::no_key(
    "googleWorkspace: { adminEmail: a@corp.example, credentials: { serviceAccountKeyRef: { name: it, key: key } } }",
    "is not the JSON file"
)]
#[case::no_certificate(
    "entraId: { tenantID: corp.example, clientID: 00000000-0000-0000-0000-000000000001, credentials: { certificateSecretRef: { name: it } } }",
    "has no key tls.crt"
)]
fn a_secret_that_is_there_is_looked_at(#[case] directory: &str, #[case] says: &str) {
    let secret = "---\napiVersion: v1\nkind: Secret\nmetadata: { name: it, namespace: id }\nstringData: { key: none }\n";
    let (stood_in, problems) = validated(&format!("{}{secret}", manifests(directory, "registry: {}")));
    assert_eq!(stood_in, BTreeSet::new());
    assert!(problems.len() == 1 && problems[0].contains(says), "{problems:?}");
}
