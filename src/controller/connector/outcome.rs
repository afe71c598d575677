//! How a read ended.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::api::connector::{ActiveFeed, Directory, DirectoryConnectorStatus, LastImport};
use crate::api::reason::{Reason, connector as reasons};
use crate::controller::{condition, delay};
use crate::source;
use crate::store::StoreError;
use crate::sync::import::ImportError;

/// So long a directory may ask to be left alone.
const LONGEST_ASKED: Duration = Duration::from_hours(24);

/// How far a read gets, in order.
pub(super) const STAGES: [&str; 3] = ["Reachable", "Authenticated", "Readable"];

/// What a read that reached its end says in the status.
#[derive(Clone, Debug)]
pub(super) struct Read {
    pub(super) directory: Directory,
    pub(super) import: LastImport,
    pub(super) feed: Option<ActiveFeed>,
    pub(super) certificate_ends_at: Option<Timestamp>,
    /// How far the server's clock is ahead of ours.
    pub(super) skew: Option<SignedDuration>,
    /// Fields that nobody carries.
    pub(super) bare: BTreeSet<String>,
    pub(super) message: String,
}

/// A read that did not.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) at: Timestamp,
    /// How many in a row.
    pub(super) count: u32,
    /// When it is tried again at the earliest, as the status of the process before this one told.
    pub(super) not_before: Option<Timestamp>,
    pub(super) reason: Reason,
    pub(super) message: String,
}

impl Failure {
    pub(super) fn new(error: &ImportError, at: Timestamp, before: u32) -> Self {
        Self {
            at,
            count: before.saturating_add(1),
            not_before: asked_to_wait(error, at),
            reason: reason(error),
            message: error.to_string(),
        }
    }

    /// The failure that a status tells of, if it does.
    pub(super) fn recall(status: &DirectoryConnectorStatus, now: Timestamp) -> Option<Self> {
        let failed = |type_: &&str| {
            condition::find(&status.conditions, type_).filter(|condition| condition.status == "False")
        };
        let mut ready = failed(&"Ready")?;
        // What is said while nobody can look says nothing of the directory: how far its last read came is said beside it.
        let blind = [reasons::API_SERVER_FAILED, reasons::STORE_FAILED, reasons::STORE_DAMAGED];
        if blind.iter().any(|it| it.name == ready.reason) {
            ready = STAGES.iter().find_map(failed)?;
        }
        let reason = *reasons::ALL.iter().find(|reason| reason.name == ready.reason)?;
        if [reasons::INVALID_SPEC, reasons::DEPENDENCY_NOT_READY, reasons::SUSPENDED].contains(&reason) {
            return None;
        }
        // A process that ends and begins again and again must not try a wrong password each time.
        // Nor may it ask again at once whom it was asked to leave alone.
        let is_put_off = [reasons::AUTHENTICATION_FAILED, reasons::THROTTLED].contains(&reason);
        let not_before = status.next_import_at.as_ref().filter(|_| is_put_off);
        Some(Self {
            at: ready.last_transition_time.0.min(now),
            count: 1,
            not_before: not_before.map(|at| at.0.min(delay::later(now, delay::LONGEST))),
            reason,
            message: ready.message.clone(),
        })
    }
}

/// Until when the directory asks to be left alone. Nobody is believed who asks for more than a day.
fn asked_to_wait(error: &ImportError, at: Timestamp) -> Option<Timestamp> {
    let ImportError::Source(error) = error else { return None };
    error.retry_after.map(|wait| delay::later(at, wait.min(LONGEST_ASKED)))
}

/// Why a read failed, in one word.
pub(super) fn reason(error: &ImportError) -> Reason {
    let error = match error {
        ImportError::Source(error) => error,
        ImportError::Store(StoreError::Damaged(_)) => return reasons::STORE_DAMAGED,
        ImportError::Store(_) => return reasons::STORE_FAILED,
    };
    match error.reason {
        source::Reason::Unreachable => reasons::UNREACHABLE,
        source::Reason::TlsFailed => reasons::TLS_FAILED,
        source::Reason::AuthenticationFailed => reasons::AUTHENTICATION_FAILED,
        source::Reason::AccessDenied => reasons::ACCESS_DENIED,
        source::Reason::ConsentMissing => reasons::CONSENT_MISSING,
        source::Reason::PermissionMissing => reasons::PERMISSION_MISSING,
        source::Reason::AppNotFound => reasons::APP_NOT_FOUND,
        source::Reason::Throttled => reasons::THROTTLED,
        source::Reason::NotFound => reasons::NOT_FOUND,
        source::Reason::LimitExceeded => reasons::LIMIT_EXCEEDED,
        source::Reason::CursorExpired => reasons::CURSOR_EXPIRED,
        source::Reason::Interrupted | source::Reason::Cancelled => reasons::INTERRUPTED,
        source::Reason::InvalidData => reasons::INVALID_DATA,
        source::Reason::DirectoryChanged => reasons::DIRECTORY_CHANGED,
        source::Reason::EngineNotConnected => reasons::ENGINE_NOT_CONNECTED,
        source::Reason::Withheld => reasons::WITHHELD,
    }
}
