//! The real binary.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use super::secrets;

/// How a run of the binary ended.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Everything that it said.
    pub(crate) fn said(&self) -> String {
        format!("{}{}", self.out, self.err)
    }

    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "it said:\n{}", self.said());
        self
    }

    #[track_caller]
    pub(crate) fn says(self, part: &str) -> Self {
        assert!(self.said().contains(part), "{part:?} is not in what it said:\n{}", self.said());
        self
    }
}

pub(crate) fn command(arguments: &[&str]) -> Command {
    // Another build, such as the release.
    let binary =
        std::env::var("ROLLCALL_BINARY").unwrap_or_else(|_| env!("CARGO_BIN_EXE_rollcall").to_owned());
    let mut command = Command::new(binary);
    command.args(arguments).env_remove("ROLLCALL_DATA").env_remove("ROLLCALL_LOG");
    command
}

/// Runs a command that is given `input`.
pub(crate) fn with_input(command: &mut Command, input: &str) -> Ran {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    // A program that ends before it has read everything says itself why.
    child.stdin.take().unwrap().write_all(input.as_bytes()).ok();
    Ran::of(&child.wait_with_output().unwrap())
}

/// Runs the binary: nothing that it says may be secret.
#[track_caller]
pub(crate) fn run(mut command: Command) -> Ran {
    let ran = Ran::of(&command.output().unwrap());
    secrets::none_in(&ran.out);
    secrets::none_in(&ran.err);
    ran
}

#[track_caller]
pub(crate) fn rollcall(arguments: &[&str]) -> Ran {
    run(command(arguments))
}

/// A folder with manifests and data.
pub(crate) struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// `rollcall sync` of `manifests.yaml`, with further arguments.
    pub(crate) fn sync(&self, more: &[&str]) -> Ran {
        let (manifests, data) = (self.path("manifests.yaml"), self.path("data"));
        let arguments = ["sync", "-f", manifests.to_str().unwrap(), "--data", data.to_str().unwrap()];
        rollcall(&[&arguments[..], more].concat())
    }

    /// The same, which says all that it can.
    #[track_caller]
    pub(crate) fn sync_aloud(&self, environment: &[(&str, &str)]) -> Ran {
        let (manifests, data) = (self.path("manifests.yaml"), self.path("data"));
        let arguments = ["sync", "-f", manifests.to_str().unwrap(), "--data", data.to_str().unwrap()];
        let mut command = command(&arguments);
        command.env("ROLLCALL_LOG", "trace").envs(environment.iter().copied());
        run(command)
    }

    /// The registry, one resource each.
    pub(crate) fn registry(&self) -> Vec<Value> {
        let ran = rollcall(&["registry", "export", "--data", self.path("data").to_str().unwrap()]).exits(0);
        ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What an independent reading finds different between a directory and the registry.
    pub(crate) fn differences(&self, reading: &[&str]) -> Ran {
        let export =
            rollcall(&["registry", "export", "--data", self.path("data").to_str().unwrap()]).exits(0);
        let file = self.write("registry.jsonl", export.out);
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/independent/reading.py");
        let output = Command::new("python3").arg(script).args(reading).arg("--export").arg(file).output();
        Ran::of(&output.unwrap())
    }
}
