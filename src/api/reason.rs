//! Reasons of conditions: bounded, documented, and as much a part of the API as the fields.

/// A reason of a condition, with what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason {
    /// As it stands in the condition.
    pub name: &'static str,
    /// What it means and what to do.
    pub meaning: &'static str,
}

macro_rules! reasons {
    ($(#[$list_doc:meta])* $list:ident: $($constant:ident = $name:literal, $meaning:literal;)*) => {
        $(
            #[doc = $meaning]
            pub const $constant: Reason = Reason { name: $name, meaning: $meaning };
        )*
        $(#[$list_doc])*
        pub const $list: &[Reason] = &[$($constant),*];
    };
}

/// Reasons of a `DirectoryConnector`'s `Ready`.
pub mod connector {
    use super::Reason;

    reasons! {
        /// All of them.
        ALL:
        READ = "Read", "The last read reached its end.";
        UNREACHABLE = "Unreachable", "No server answered: check the urls, the network and the name service.";
        TLS_FAILED = "TlsFailed", "The secure connection could not be made: check tls.caRef, tls.serverName and the certificate's dates.";
        AUTHENTICATION_FAILED = "AuthenticationFailed", "The server refused the credentials: check the Secret.";
        ACCESS_DENIED = "AccessDenied", "The server refused to show what was asked for: give the account the right to read it.";
        NOT_FOUND = "NotFound", "A base DN or the file is not there: check baseDNs or the path.";
        LIMIT_EXCEEDED = "LimitExceeded", "The server ended the read at one of its limits: raise its limit for this account.";
        INTERRUPTED = "Interrupted", "The read ended before its end; nothing of it was taken, and it is tried again.";
        INVALID_DATA = "InvalidData", "The data are not what their format says: export them again, or correct them.";
        DIRECTORY_CHANGED = "DirectoryChanged", "This is not the directory that the connector read before: point it back, or use a new connector.";
        INVALID_SPEC = "InvalidSpec", "The spec cannot work as it is; the message says what to change.";
        STORE_FAILED = "StoreFailed", "The data folder could not be used; the message says why.";
        SUSPENDED = "Suspended", "The connector rests because spec.suspend is true.";
    }
}

/// Reasons of a `SyncPolicy`'s `Ready`.
pub mod policy {
    use super::Reason;

    reasons! {
        /// All of them.
        ALL:
        IN_STEP = "InStep", "The target holds what the policy says.";
        IN_STEP_WITH_EXCEPTIONS = "InStepWithExceptions", "In step, but for entries that cannot be taken as they are or that wait for a name, within limits.quarantined.";
        PREVIEWED = "Previewed", "What would be done was worked out; nothing was done.";
        HELD = "Held", "Something waits for a person: see it with `rollcall plan show`, and approve it or correct the directory.";
        TOO_MANY_QUARANTINED = "TooManyQuarantined", "More entries cannot be taken as they are than limits.quarantined allows: correct them in the directory.";
        SOURCE_FAILED = "SourceFailed", "The connector could not be read, or was not for longer than maxAge; nothing was removed on its word.";
        CONNECTOR_NOT_FOUND = "ConnectorNotFound", "The connector that the policy names is not there; that is never taken as evidence.";
        FAILED = "Failed", "The run could not do its work; the message says why, and it is tried again.";
        INVALID_SPEC = "InvalidSpec", "The spec cannot work as it is; the message says what to change.";
        SUSPENDED = "Suspended", "The policy rests because spec.suspend is true.";
    }
}
