//! Why a source could not do its work.

/// Why a source could not do its work; bounded, becomes a condition's reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// No server answered.
    Unreachable,
    /// The secure connection could not be made: unknown CA, expired certificate, wrong name.
    TlsFailed,
    /// The server refused the credentials.
    AuthenticationFailed,
    /// The server refused to show what was asked for.
    AccessDenied,
    /// No administrator has consented to the app that reads.
    ConsentMissing,
    /// The service limits the requests.
    Throttled,
    /// The base (or file) is not there.
    NotFound,
    /// The server ended the read at one of its limits.
    LimitExceeded,
    /// The connection or file ended before the read did.
    Interrupted,
    /// The data are not what the format says they must be.
    InvalidData,
    /// This is not the directory that this connector read before.
    DirectoryChanged,
    /// The reader went away.
    Cancelled,
}

/// Why a source could not do its work, for people: what happened to what, and the remedy.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct SourceError {
    /// Bounded kind.
    pub reason: Reason,
    /// What happened to what, and what to do. Never holds a secret.
    pub message: String,
    /// What lies beneath, if it says more.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl SourceError {
    /// An error that says everything itself.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), source: None }
    }

    /// The same, with what lies beneath.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}
