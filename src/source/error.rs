//! Why a source could not do its work.

use std::time::Duration;

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
    /// The app has some of the permissions that it needs, and not all.
    PermissionMissing,
    /// The tenant does not know the app that reads.
    AppNotFound,
    /// The service limits the requests.
    Throttled,
    /// The directory no longer knows where this read was.
    CursorExpired,
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
    /// No Sync Engine is connected that could read.
    EngineNotConnected,
    /// The Sync Engine does not let out what was asked for.
    Withheld,
    /// The reader went away.
    Cancelled,
}

/// Why a source could not do its work, for people: what happened to what, and the remedy.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct SourceError {
    /// Bounded kind.
    pub reason: Reason,
    /// What happened to what, and what to do. It is shown in the status: it holds no secret, and nothing that the directory
    /// wrote about people.
    pub message: String,
    /// How long the directory asks to be left alone.
    pub retry_after: Option<Duration>,
    /// What else the directory said, for a debug log alone.
    pub detail: Option<String>,
    /// What lies beneath, if it says more.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl SourceError {
    /// An error that says everything itself.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), retry_after: None, detail: None, source: None }
    }

    /// The same, with what lies beneath.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The same, with how long the directory asks to be left alone, if it does.
    #[must_use]
    pub fn after(mut self, wait: Option<Duration>) -> Self {
        self.retry_after = wait;
        self
    }

    /// The same, with what else the directory said, for a debug log alone.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into()).filter(|detail: &String| !detail.is_empty());
        self
    }

    /// Writes to the debug log what else the directory said.
    pub fn log(&self) {
        if let Some(detail) = &self.detail {
            tracing::debug!(%detail, "what the directory said");
        }
    }
}
