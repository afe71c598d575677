//! The chart, and what helm makes of it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use super::assets;
use super::cli::Ran;
use super::cluster::repository;

/// `helm`, with this chart in its place among the arguments.
pub(crate) fn helm(arguments: &[&str]) -> Ran {
    // It looks for plugins and repositories of whoever runs it; none of them count here.
    let nowhere = repository("target/helm");
    let mut command = Command::new(assets::program("helm"));
    command.args(arguments).env("HELM_CONFIG_HOME", &nowhere).env("HELM_DATA_HOME", &nowhere);
    Ran::of(&command.env("HELM_CACHE_HOME", &nowhere).env_remove("KUBECONFIG").output().unwrap())
}

/// Where the chart is.
pub(crate) fn chart() -> PathBuf {
    repository("charts/rollcall")
}

/// The manifests that the chart makes of these arguments for the release `rollcall`, by the template that they are of.
#[track_caller]
pub(crate) fn render(arguments: &[&str]) -> BTreeMap<String, String> {
    let chart = chart();
    let mut all = vec!["template", "rollcall", chart.to_str().unwrap(), "--namespace", "rollcall"];
    all.extend(arguments);
    let rendered = helm(&all).exits(0).out;
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for document in rendered.split("---\n# Source: rollcall/templates/").skip(1) {
        let (file, text) = document.split_once('\n').unwrap();
        let so_far = files.entry(file.to_owned()).or_default();
        if !so_far.is_empty() {
            so_far.push_str("---\n");
        }
        so_far.push_str(text.trim_end());
        so_far.push('\n');
    }
    files
}

/// The example values.
pub(crate) fn examples() -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> =
        chart().join("ci").read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    all.sort();
    assert!(all.len() > 3);
    all
}
