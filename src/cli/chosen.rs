//! The policies of the files of `-f`, or the one among them that was named.

use std::path::PathBuf;

use anyhow::Result;

use super::Exit;
use super::exit::Invalid;
use super::out;
use crate::spec::{self, Runnable, manifest};

/// What a command works on.
pub(super) struct Chosen {
    pub(super) policies: Vec<Runnable>,
    /// Whether nothing in the files is invalid.
    is_sound: bool,
}

impl Chosen {
    /// Reads the files and tells what is invalid in them; `could` says of which policies there is none, if none was named.
    ///
    /// # Errors
    /// No policy was found, and nothing that is invalid.
    pub(super) fn read(filename: &[PathBuf], policy: Option<&str>, could: &str) -> Result<Self> {
        let manifests = manifest::read(filename);
        let mut resolved = spec::resolve(&manifests.objects).with(manifests.problems);
        for problem in &resolved.problems {
            out::error(problem);
        }
        let is_sound = resolved.problems.is_empty();
        resolved
            .policies
            .retain(|runnable| policy.is_none_or(|policy| runnable.policy.owner.as_str() == policy));
        if resolved.policies.is_empty() && is_sound {
            let what = policy.unwrap_or(could);
            return Err(Invalid(format!("the files of -f contain no SyncPolicy {what}")).into());
        }
        Ok(Self { policies: resolved.policies, is_sound })
    }

    /// How the command ends.
    pub(super) fn exit(&self, failed: bool) -> Exit {
        match (failed, self.is_sound) {
            (true, _) => Exit::Failed,
            (false, false) => Exit::Invalid,
            (false, true) => Exit::Fine,
        }
    }
}
