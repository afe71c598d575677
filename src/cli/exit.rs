//! Exit codes of the process.

use std::process::ExitCode;

/// The result of a command; the first that applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Something failed, or more is quarantined than allowed: 1.
    Failed,
    /// A part of the input is invalid; the valid parts were processed: 2.
    Invalid,
    /// Operations are held: 3.
    Held,
    /// Success: 0.
    Fine,
}

/// The input names something that does not exist.
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
