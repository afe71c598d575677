//! What it means when a service says no, whatever it speaks. Pure.

use crate::directory::{Outcome, TargetError, TargetReason};
use crate::net::http::{HttpError, Stage};

/// What kind of no an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum No {
    /// There is no such object.
    NotThere,
    /// Something that must be unique is not.
    Taken,
    /// Somebody else changed it since it was read.
    Changed,
    /// The request is too long, or has too many values.
    TooLarge,
    /// The service cannot do this.
    Unsupported,
    /// The service will not have it so.
    Refused,
    /// Nothing happened, and it may go otherwise later.
    Busy,
    /// It may have happened.
    Unknown,
    /// The token is not taken.
    Token,
    /// The service, or what answers in its place, refuses everything.
    Everything,
}

/// An answer that says no, or no answer.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    /// What kind.
    pub(super) no: No,
    /// For people.
    pub(super) error: TargetError,
}

impl Refusal {
    pub(super) fn new(no: No, reason: TargetReason, message: impl Into<String>) -> Self {
        Self { no, error: TargetError::new(reason, message) }
    }

    /// What it means that there is no whole answer.
    pub(super) fn no_answer(error: &HttpError) -> Self {
        let (no, reason) = match error.stage {
            Stage::Connecting => (No::Everything, TargetReason::Unreachable),
            Stage::Secure => (No::Everything, TargetReason::TlsFailed),
            Stage::Unsent => (No::Refused, TargetReason::Refused),
            Stage::Answering => (No::Unknown, TargetReason::NoAnswer),
            Stage::TooLong => (No::Unknown, TargetReason::InvalidAnswer),
        };
        Self::new(no, reason, error.message.clone())
    }
}

/// What a no means for an operation.
pub(super) fn outcome(refusal: Refusal) -> Outcome {
    match refusal.no {
        No::NotThere => Outcome::Gone,
        No::Taken | No::TooLarge | No::Unsupported | No::Refused => Outcome::Rejected(refusal.error),
        No::Changed | No::Busy => Outcome::Retry(refusal.error),
        No::Unknown => Outcome::Ambiguous(refusal.error),
        No::Token | No::Everything => Outcome::Failed(refusal.error),
    }
}

/// What a no means before anything was changed.
pub(super) fn not_begun(refusal: Refusal) -> Outcome {
    match outcome(refusal) {
        Outcome::Ambiguous(error) => Outcome::Retry(error),
        other => other,
    }
}

/// What a no means to whoever wants to see what a change did.
pub(super) fn doubt(refusal: Refusal) -> Outcome {
    Outcome::Ambiguous(refusal.error)
}
