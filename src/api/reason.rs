//! Reasons of conditions: bounded, documented, and as much a part of the API as the fields.

/// A reason of a condition, with what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason {
    /// As it stands in the condition.
    pub name: &'static str,
    /// The conditions (or Events) that have it.
    pub of: &'static str,
    /// What it means and what to do.
    pub meaning: &'static str,
}

macro_rules! reasons {
    ($(#[$list_doc:meta])* $list:ident: $($constant:ident = $name:literal, $of:literal, $meaning:literal;)*) => {
        $(
            #[doc = $meaning]
            pub const $constant: Reason = Reason { name: $name, of: $of, meaning: $meaning };
        )*
        $(#[$list_doc])*
        pub const $list: &[Reason] = &[$($constant),*];
    };
}

/// Reasons of a `DirectoryConnector`'s conditions.
pub mod connector {
    use super::Reason;

    reasons! {
        /// All of them.
        ALL:
        READ = "Read", "Ready, Reachable, Authenticated, Readable", "The last read reached its end.";
        READ_WITH_REMARKS = "ReadWithRemarks", "Readable", "The last read reached its end without something that would make it better, such as a right: the message says what, and how to give it.";
        UNREACHABLE = "Unreachable", "Ready, Reachable", "No server answered: check the urls, the network and the name service.";
        CERTIFICATE_EXPIRING = "CertificateExpiring", "Reachable", "The server's certificate ends within 30 days, and from then on nothing is read: renew it.";
        CLOCK_SKEWED = "ClockSkewed", "Reachable", "The server's clock and this machine's are five minutes or more apart: set both by a time service.";
        TLS_FAILED = "TlsFailed", "Ready, Reachable", "The secure connection could not be made: check tls.caRef, tls.serverName and the certificate's dates.";
        AUTHENTICATION_FAILED = "AuthenticationFailed", "Ready, Authenticated", "The server refused the credentials: check the Secret.";
        ACCESS_DENIED = "AccessDenied", "Ready, Readable", "The server refused to show what was asked for: give the account the right to read it.";
        NOT_FOUND = "NotFound", "Ready, Readable", "A base DN or the file is not there: check baseDNs or the path.";
        LIMIT_EXCEEDED = "LimitExceeded", "Ready, Readable", "The server ended the read at one of its limits: raise its limit for this account.";
        INTERRUPTED = "Interrupted", "Ready, Readable", "The read ended before its end; nothing of it was taken, and it is tried again.";
        INVALID_DATA = "InvalidData", "Ready, Readable", "The data are not what their format says: export them again, or correct them.";
        DIRECTORY_CHANGED = "DirectoryChanged", "Ready, Readable", "This is not the directory that the connector read before: point it back, or use a new connector.";
        INVALID_SPEC = "InvalidSpec", "Ready, Stalled", "The spec cannot work as it is; the message says what to change.";
        DEPENDENCY_NOT_READY = "DependencyNotReady", "Ready, Reconciling", "A Secret or ConfigMap that the spec names is not there, or does not hold what it must: the connector goes on by itself once it does.";
        STORE_FAILED = "StoreFailed", "Ready", "The data folder could not be used; the message says why.";
        API_SERVER_FAILED = "ApiServerFailed", "Ready", "The apiserver did not answer, or refused the operator something that it needs, such as to read a Secret: the message says what; nothing is done until it can be seen again.";
        STORE_DAMAGED = "StoreDamaged", "Ready", "Bytes of the database changed by themselves: nothing is read into it, and nothing is planned or removed on its word. Check the disk, and restore a backup.";
        SUSPENDED = "Suspended", "Ready", "The connector rests because spec.suspend is true.";
        PROGRESSING = "Progressing", "Ready, Reconciling", "The first read of this spec is under way, or about to be; the message says how far it is.";
        PROGRESSING_WITH_RETRY = "ProgressingWithRetry", "Reconciling", "The last read failed, and it is tried again.";
    }
}

/// Reasons of a `SyncPolicy`'s conditions and Events.
pub mod policy {
    use super::Reason;

    reasons! {
        /// All of them.
        ALL:
        IN_STEP = "InStep", "Ready", "The target holds what the policy says.";
        IN_STEP_WITH_EXCEPTIONS = "InStepWithExceptions", "Ready", "In step, but for entries that cannot be taken as they are or that wait for a name, within limits.quarantined: see them with `rollcall plan exceptions`.";
        PREVIEWED = "Previewed", "Ready", "What would be done was worked out; nothing was done.";
        HELD = "Held", "Ready, Stalled, PlanHeld", "Something waits for a person: see it with `rollcall plan show`, and approve it or correct the directory.";
        TOO_MANY_QUARANTINED = "TooManyQuarantined", "Ready, Stalled", "More entries cannot be taken as they are than limits.quarantined allows: see them with `rollcall plan exceptions`, and correct them in the directory.";
        SOURCE_FAILED = "SourceFailed", "Ready, SourcesHealthy", "The connector could not be read, or was not for longer than maxAge; nothing was removed on its word.";
        CONNECTOR_NOT_FOUND = "ConnectorNotFound", "Ready, Reconciling", "The connector that the policy names is not there; that is never taken as evidence, and the policy goes on by itself once it is.";
        DEPENDENCY_NOT_READY = "DependencyNotReady", "Ready, Reconciling", "A Secret that the spec names is not there, or does not hold what it must: the policy goes on by itself once it does.";
        FAILED = "Failed", "Ready", "The run could not do its work; the message says why, and it is tried again.";
        INVALID_SPEC = "InvalidSpec", "Ready, Stalled", "The spec cannot work as it is; the message says what to change.";
        STORE_FAILED = "StoreFailed", "Ready", "The data folder could not be used; the message says why.";
        API_SERVER_FAILED = "ApiServerFailed", "Ready", "The apiserver did not answer, or refused the operator something that it needs, such as to read a Secret: the message says what; nothing is done until it can be seen again.";
        SUSPENDED = "Suspended", "Ready", "The policy rests because spec.suspend is true.";
        STORE_RESET = "StoreReset", "Ready, StoreReset", "What was remembered of the target is gone or older than it was (was the volume replaced?): nothing is served until a complete run has rebuilt it; from an empty store that run removes nobody, from an older one it goes on within the limits.";
        STORE_DAMAGED = "StoreDamaged", "Ready", "Bytes of the database changed by themselves: nothing is planned or removed on its word, and what does not match is not served. Check the disk, and restore a backup.";
        PROGRESSING = "Progressing", "Ready, Reconciling", "The first run of this spec is under way, or about to be; the message says how far it is.";
        PROGRESSING_WITH_RETRY = "ProgressingWithRetry", "Reconciling", "Something failed, and it is tried again.";
        HEALTHY = "Healthy", "SourcesHealthy", "All directories of the policy are read, and recently enough.";
        QUARANTINED = "Quarantined", "EntriesQuarantined", "Some entries cannot be taken as they are; what they have stays as it is. See them with `rollcall plan exceptions`.";
        APPROVED = "Approved", "Event", "An approval was seen; the message says whether what it names was let happen, or what it waits for.";
        APPROVAL_UNKNOWN = "ApprovalUnknown", "Event", "An approval names nothing that is held.";
        APPROVAL_OUTDATED = "ApprovalOutdated", "Event", "An approval names what was held under another spec.";
    }
}
