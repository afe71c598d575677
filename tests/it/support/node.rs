//! A real Kubernetes of one node, with real pods, in namespaces of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::cli::{Ran, with_input};
use super::cluster::{PATIENCE, repository, tail};
use super::process::{Process, eventually};

/// The node's address, where its pods reach what listens there.
pub(crate) const ADDRESS: &str = "10.77.0.1";

/// A node that runs until it is dropped, or until the test process ends.
pub(crate) struct Node {
    folder: PathBuf,
    process: Process,
}

impl Node {
    /// Why there can be no node on this machine, if so.
    pub(crate) fn impossible() -> Option<String> {
        let ran = Ran::of(&Command::new(repository("scripts/node")).arg("--possible").output().unwrap());
        (ran.code != 0).then(|| ran.said().trim().to_owned())
    }

    /// Starts one that has these images.
    pub(crate) fn start(images: &[&Path]) -> Self {
        let folder = tempfile::Builder::new().prefix("rollcall-node-").tempdir().unwrap().keep();
        let arguments: Vec<String> =
            [folder.as_path()].iter().chain(images).map(|path| path.display().to_string()).collect();
        let log = folder.join("node.log");
        let process = Process::start(&repository("scripts/node"), &arguments, &log, Some(&folder));
        let mut node = Self { folder, process };
        eventually(PATIENCE, "the node is ready", || {
            if let Some(ended) = node.process.ended() {
                panic!("the node ended: {ended}\n{}", tail(&log));
            }
            node.path("ready").exists().then_some(())
        });
        node
    }

    /// A place in its folder, which is the same within and outside.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Runs a program within.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(&self.command(arguments).output().unwrap())
    }

    /// The same, with an input.
    pub(crate) fn with_input(&self, arguments: &[&str], input: &str) -> Ran {
        with_input(&mut self.command(arguments), input)
    }

    /// The id, as seen from here, of the process of this name in a pod.
    pub(crate) fn pod_process(&self, name: &str) -> Option<u32> {
        let pods = format!("/rollcall-node-{}/kubepods/", self.process.id());
        let mut ids =
            fs::read_dir("/proc").unwrap().filter_map(|it| it.ok()?.file_name().to_str()?.parse().ok());
        // A process may end while it is looked at.
        let read = |id: u32, file: &str| fs::read_to_string(format!("/proc/{id}/{file}")).unwrap_or_default();
        ids.find(|id| read(*id, "comm").trim() == name && read(*id, "cgroup").contains(&pods))
    }

    /// Starts a server within.
    pub(crate) fn serve(&self, name: &str, arguments: &[&str]) -> Process {
        let arguments: Vec<String> = arguments.iter().copied().map(str::to_owned).collect();
        Process::start(&self.path("in"), &arguments, &self.path(&format!("log/{name}.log")), None)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        // Longer than anything within is patient.
        let mut command = Command::new("timeout");
        command.args(["--kill-after=5", "180"]).arg(self.path("in")).args(arguments);
        command.current_dir(repository("."));
        command
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.process.stop(PATIENCE);
        fs::remove_dir_all(&self.folder).ok();
    }
}
