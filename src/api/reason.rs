//! The reasons of conditions and Events. They are documented, and part of the API like the fields.

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
        READ_WITH_REMARKS = "ReadWithRemarks", "Readable", "The last read reached its end, but something is missing that would improve it, such as a permission. The message says what, and how to grant it.";
        UNREACHABLE = "Unreachable", "Ready, Reachable", "No server answered. Check the URLs, the network and DNS.";
        CERTIFICATE_EXPIRING = "CertificateExpiring", "Reachable", "The server's certificate expires within 30 days. After that nothing is read. Renew it.";
        CLOCK_SKEWED = "ClockSkewed", "Reachable", "The clocks of the server and this machine differ by five minutes or more. Synchronize both with a time service.";
        TLS_FAILED = "TlsFailed", "Ready, Reachable", "The TLS connection failed. Check tls.caRef, tls.serverName and the certificate's dates.";
        AUTHENTICATION_FAILED = "AuthenticationFailed", "Ready, Authenticated", "The server refused the credentials. Check the Secret.";
        ACCESS_DENIED = "AccessDenied", "Ready, Readable", "The server denied access. Give the account permission to read.";
        CONSENTED = "Consented", "Consented", "An administrator of the tenant has consented, and the app has the permissions that it needs.";
        CONSENT_MISSING = "ConsentMissing", "Ready, Readable, Consented", "No administrator of the tenant has consented to the app. The message has the address to open.";
        CONSENT_DECLINED = "ConsentDeclined", "Ready, Readable, Consented", "An administrator was asked for consent, and declined. The message has the address to open again. Nobody is removed because of it.";
        CONSENT_WITHDRAWN = "ConsentWithdrawn", "Ready, Readable, Consented", "The app had its permissions, and has none of them any more. The message has the address to open. Nobody is removed because of it.";
        PERMISSION_MISSING = "PermissionMissing", "Ready, Readable, Consented", "The app has some of the permissions that it needs, and not all. The message names what is missing, and the address to open once the app asks for it.";
        APP_NOT_FOUND = "AppNotFound", "Ready, Authenticated, Consented", "The tenant does not know the app: tenantID or clientID is wrong, or no administrator of the tenant has consented. The message has the address to open.";
        ENDPOINTS_OVERRIDDEN = "EndpointsOverridden", "EndpointsOverridden", "Other hosts than the cloud's own are used, because the spec names them (endpoints). They see the credentials and the tokens of the app.";
        THROTTLED = "Throttled", "Ready, Readable", "The service limits our requests. The read is retried, not before the time that the service asks for. If this persists, read less often (interval).";
        CURSOR_EXPIRED = "CursorExpired", "Ready, Readable", "The directory no longer knows where the read was. Nothing of it was used, and everything is read again.";
        NOT_FOUND = "NotFound", "Ready, Readable", "A base DN or the file does not exist. Check baseDNs or the path.";
        LIMIT_EXCEEDED = "LimitExceeded", "Ready, Readable", "The server stopped the read at one of its limits. Raise the limit for this account.";
        INTERRUPTED = "Interrupted", "Ready, Readable", "The read was interrupted. Nothing of it was used, and it is retried.";
        INVALID_DATA = "InvalidData", "Ready, Readable", "The data do not follow their format. Export them again, or correct them.";
        DIRECTORY_CHANGED = "DirectoryChanged", "Ready, Readable", "This is not the directory that the connector read before. Point the connector back to it, or create a new connector.";
        ENGINE_JOIN = "WaitingToJoin", "EngineConnected", "No Sync Engine has joined. Run the command in status.engine.joinCommand inside the directory's network, within an hour; the token in it is renewed until one has joined.";
        ENGINE_CONNECTED = "Connected", "EngineConnected", "The Sync Engine is connected.";
        ENGINE_STOPPED = "StoppedByEngine", "EngineConnected", "Whoever runs the Sync Engine stopped it in its engine.yaml. Nothing is read until they let it go on, and nobody is removed because of it.";
        ENGINE_CLOCK = "EngineClockSkewed", "EngineConnected", "The Sync Engine's clock differs from the operator's by more than two minutes, so its requests are refused. Synchronize both with a time service.";
        ENGINE_VERSION = "EngineVersion", "EngineConnected", "The versions of the Sync Engine and of the operator do not fit. The message says which to update.";
        ENGINE_NOT_CONNECTED = "EngineNotConnected", "Ready, Reachable, EngineConnected", "The Sync Engine is not connected. On its machine, run `rollcall engine check`. Nobody is removed because of it.";
        WITHHELD = "Withheld", "Ready, Readable", "The Sync Engine does not let out what the connector asks for: its engine.yaml says so. The message names what. Change the connector, or ask whoever runs the engine.";
        INVALID_SPEC = "InvalidSpec", "Ready, Stalled", "The spec is invalid. The message says what to change.";
        DEPENDENCY_NOT_READY = "DependencyNotReady", "Ready, Reconciling", "A Secret or ConfigMap that the spec names does not exist, or lacks what is needed. The connector continues by itself once that is corrected.";
        STORE_FAILED = "StoreFailed", "Ready", "The data folder cannot be used. The message says why.";
        API_SERVER_FAILED = "ApiServerFailed", "Ready", "The apiserver did not answer, or denied the operator something that it needs, such as reading a Secret. The message says what. Nothing is done until this works again.";
        STORE_DAMAGED = "StoreDamaged", "Ready", "The database is damaged. Nothing is read into it, and nothing is planned or removed because of it. Check the disk, and restore a backup.";
        SUSPENDED = "Suspended", "Ready", "Reading is paused because spec.suspend is true.";
        PROGRESSING = "Progressing", "Ready, Reconciling", "The first read of this spec is in progress, or about to start. The message shows the progress.";
        PROGRESSING_WITH_RETRY = "ProgressingWithRetry", "Reconciling", "The last read failed and is retried.";
    }
}

/// Reasons of a `SyncPolicy`'s conditions and Events.
pub mod policy {
    use super::Reason;

    reasons! {
        /// All of them.
        ALL:
        IN_STEP = "InStep", "Ready", "The target is as the policy says.";
        IN_STEP_WITH_EXCEPTIONS = "InStepWithExceptions", "Ready", "In step, except for entries that cannot be processed or that wait for a name, within limits.quarantined. List them with `rollcall plan exceptions`.";
        PREVIEWED = "Previewed", "Ready", "The changes were planned; nothing was changed.";
        HELD = "Held", "Ready, Stalled, PlanHeld", "Operations wait for an approval. List them with `rollcall plan show`. Approve them or correct the cause: the directory, or a target that was changed.";
        TOO_MANY_QUARANTINED = "TooManyQuarantined", "Ready, Stalled", "More entries cannot be processed than limits.quarantined allows. List them with `rollcall plan exceptions`, and correct them in the directory.";
        SOURCE_FAILED = "SourceFailed", "Ready, SourcesHealthy", "The connector could not be read, or its last read is older than maxAge. Nothing was removed because of it.";
        CONNECTOR_NOT_FOUND = "ConnectorNotFound", "Ready, Reconciling", "The connector that the policy names does not exist. That is never evidence for a removal, and the policy continues by itself once it exists.";
        DEPENDENCY_NOT_READY = "DependencyNotReady", "Ready, Reconciling", "A Secret that the spec names does not exist, or lacks what is needed. The policy continues by itself once that is corrected.";
        FAILED = "Failed", "Ready", "The run failed and is retried. The message says why.";
        INVALID_SPEC = "InvalidSpec", "Ready, Stalled", "The spec is invalid. The message says what to change.";
        STORE_FAILED = "StoreFailed", "Ready", "The data folder cannot be used. The message says why.";
        API_SERVER_FAILED = "ApiServerFailed", "Ready", "The apiserver did not answer, or denied the operator something that it needs, such as reading a Secret. The message says what. Nothing is done until this works again.";
        SUSPENDED = "Suspended", "Ready", "The policy is paused because spec.suspend is true.";
        STORE_RESET = "StoreReset", "Ready, StoreReset", "The stored state was lost, or is older than before (was the volume replaced?). Nothing is served until a complete run has rebuilt it. With an empty store that run removes nobody; with an older one it continues within the limits.";
        STORE_DAMAGED = "StoreDamaged", "Ready", "The database is damaged. Nothing is planned or removed because of it, and damaged data are not served. Check the disk, and restore a backup.";
        PROGRESSING = "Progressing", "Ready, Reconciling", "The first run of this spec is in progress, or about to start. The message shows the progress.";
        PROGRESSING_WITH_RETRY = "ProgressingWithRetry", "Reconciling", "Something failed and is retried.";
        HEALTHY = "Healthy", "SourcesHealthy", "All directories of the policy were read recently enough.";
        REACHABLE = "Reachable", "TargetReachable", "The last run could work with the target.";
        UNREACHABLE = "Unreachable", "TargetReachable", "The target did not answer. Check the URL, the network, its policies and DNS. `rollcall target test` shows how far the way goes.";
        TLS_FAILED = "TlsFailed", "TargetReachable", "The secure connection to the target failed. Check tls.caRef and the certificate's dates and names.";
        AUTHENTICATION_FAILED = "AuthenticationFailed", "TargetReachable", "The target refused the credentials. Put a valid token or client into the Secret.";
        ACCESS_DENIED = "AccessDenied", "TargetReachable", "The target does not allow the account to read or to write. Give it the right to manage users and groups.";
        THROTTLED = "Throttled", "TargetReachable", "The target limits our requests. The run is retried, not before the time that the target asks for.";
        UNAVAILABLE = "Unavailable", "TargetReachable", "The target says that it cannot work now. The run is retried.";
        NO_ANSWER = "NoAnswer", "TargetReachable", "The target did not answer in time, or not to the end. The run is retried, and looks first what was done.";
        INVALID_ANSWER = "InvalidAnswer", "TargetReachable", "The target did not answer as its protocol says: a page to sign in, or a redirect. Check the URL, and whether a proxy answers in its place.";
        REFUSED = "Refused", "TargetReachable", "The target refused to work for the policy. The message says why.";
        DRIFTED = "Drifted", "DriftDetected", "Somebody else changed objects of this policy at the target, and they were left so: spec.verify.onDrift is Report, or more are gone than the limits allow. status.verification has the counts, `rollcall verify` lists the objects.";
        DRIFT_REPAIRED = "DriftRepaired", "Event", "Somebody else had changed objects of this policy at the target. The run sets them right, within the limits.";
        VERIFICATION_FAILED = "VerificationFailed", "DriftDetected", "The target could not be compared with what this policy left there. The message says why. It is tried again at the next verification.";
        QUARANTINED = "Quarantined", "EntriesQuarantined", "Some entries cannot be processed; what they have stays as it is. List them with `rollcall plan exceptions`.";
        APPROVED = "Approved", "Event", "An approval was seen. The message says whether its operations were executed, or what it waits for.";
        APPROVAL_REFUSED = "ApprovalRefused", "Event", "An approval approves nothing: it was already on the object when that was created, or no admission policy was in force that checks who sets it. Remove the annotation and set it anew.";
        ADMISSION_POLICY_MISSING = "AdmissionPolicyMissing", "ApprovalsUnguarded", "No admission policy is in force that checks who approves and who raises limits. The message says what is missing. Install it with the chart, or from deploy/approval.yaml.";
        APPROVAL_UNKNOWN = "ApprovalUnknown", "Event", "An approval names a digest that is not held.";
        APPROVAL_OUTDATED = "ApprovalOutdated", "Event", "An approval names a digest that was held under an earlier spec.";
    }
}
