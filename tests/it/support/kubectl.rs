//! `kubectl`, as the people of a company call it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::assets;
use super::cli::{Ran, with_input};

/// `kubectl` of one user, in one namespace.
#[derive(Clone)]
pub(crate) struct Kubectl {
    kubeconfig: PathBuf,
    namespace: String,
    user: Option<String>,
}

impl Kubectl {
    pub(crate) fn new(kubeconfig: &Path, namespace: &str) -> Self {
        Self { kubeconfig: kubeconfig.to_owned(), namespace: namespace.to_owned(), user: None }
    }

    /// The same, as another user.
    pub(crate) fn as_user(&self, user: &str) -> Self {
        Self { user: Some(user.to_owned()), ..self.clone() }
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(&self.command(arguments).output().unwrap())
    }

    pub(crate) fn with_input(&self, arguments: &[&str], input: &str) -> Ran {
        with_input(&mut self.command(arguments), input)
    }

    pub(crate) fn apply(&self, yaml: &str) -> Ran {
        self.with_input(&["apply", "-f", "-"], yaml)
    }

    /// Starts it with its output in a pipe.
    pub(super) fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(assets::program("kubectl"));
        let cache = self.kubeconfig.with_file_name("kubectl-cache");
        command.args(["--namespace", &self.namespace]).arg("--kubeconfig").arg(&self.kubeconfig);
        command.arg("--cache-dir").arg(cache);
        if let Some(user) = &self.user {
            command.args(["--as", user]);
        }
        command.args(arguments);
        command
    }
}
