//! What the process ends with.

use std::process::ExitCode;

/// How a command ended; the first that applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Something failed, or more is quarantined than allowed: 1.
    Failed,
    /// Something in the input is invalid; what is valid was done: 2.
    Invalid,
    /// Something waits for a person: 3.
    Held,
    /// All is well: 0.
    Fine,
}

/// The input names something that is not there.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Invalid(pub(super) String);

impl Exit {
    /// The process's exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Failed => 1,
            Self::Invalid => 2,
            Self::Held => 3,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}
