//! The programs of a control plane.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use super::cli::Ran;
use super::cluster::repository;

/// Where `name` is: in `KUBEBUILDER_ASSETS`, or built by `scripts/test-cluster`.
pub(crate) fn program(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let output = Command::new(repository("scripts/test-cluster")).output().unwrap();
        let ran = Ran::of(&output).exits(0);
        PathBuf::from(ran.out.trim())
    });
    let path = folder.join(name);
    assert!(
        path.exists(),
        "there is no {name} in {}: unset KUBEBUILDER_ASSETS, and `make test` builds it",
        folder.display()
    );
    path
}
