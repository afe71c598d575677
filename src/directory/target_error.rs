//! Why a target did not do something.

use std::time::Duration;

/// Why a target did not do something; bounded, becomes a condition's reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TargetReason {
    /// No server answered.
    Unreachable,
    /// The secure connection could not be made: unknown CA, expired certificate, wrong name.
    TlsFailed,
    /// The server refused the credentials.
    AuthenticationFailed,
    /// The account may not do this.
    AccessDenied,
    /// The service limits the requests.
    Throttled,
    /// The service says that it cannot work now.
    Unavailable,
    /// There was no answer in time, or not a whole one: what was asked for may have happened.
    NoAnswer,
    /// The answer is not what the protocol says it must be: a login page, another host, text that is no JSON.
    InvalidAnswer,
    /// The target will not have this object, or this request, as it is.
    Refused,
    /// The target cannot do this at all.
    Unsupported,
    /// The target says that it did it, and what it shows afterwards says otherwise.
    NotDone,
    /// We may not write any more: the lease was lost, the run was stopped, or its time is over.
    Stopped,
    /// Our own store failed.
    StoreFailed,
}

impl TargetReason {
    /// Whether it says something of the target as a whole and not of one object: then nothing else is tried.
    pub fn is_of_all(self) -> bool {
        match self {
            Self::Unreachable
            | Self::TlsFailed
            | Self::AuthenticationFailed
            | Self::Throttled
            | Self::Unavailable
            | Self::Stopped
            | Self::StoreFailed => true,
            Self::AccessDenied
            | Self::NoAnswer
            | Self::InvalidAnswer
            | Self::Refused
            | Self::Unsupported
            | Self::NotDone => false,
        }
    }
}

/// Why a target did not do something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TargetError {
    /// Bounded kind.
    pub reason: TargetReason,
    /// What happened and what to do, for status and Events: no secret, and no name or address of a person.
    pub message: String,
    /// The target's own words. They may name people, so they stay among the exceptions, which only administrators of
    /// Rollcall read; never a secret.
    pub detail: Option<String>,
    /// How long the target asks to be left alone.
    pub retry_after: Option<Duration>,
}

impl TargetError {
    /// An error that says everything itself.
    pub fn new(reason: TargetReason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), detail: None, retry_after: None }
    }

    /// The same, with the target's own words.
    #[must_use]
    pub fn in_its_words(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// The same, with the time for which the target asks to be left alone.
    #[must_use]
    pub fn again_after(mut self, wait: Option<Duration>) -> Self {
        self.retry_after = wait;
        self
    }

    /// All of it, for the exceptions.
    pub fn in_full(&self) -> String {
        match &self.detail {
            Some(detail) => format!("{}: {detail}", self.message),
            None => self.message.clone(),
        }
    }
}
