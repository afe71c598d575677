//! How a connector's Sync Engine is enrolled.

use jiff::Timestamp;

use crate::secret::Secret;
use crate::wire::PublicKey;

/// How a connector's engine is enrolled.
#[derive(Clone, Debug)]
pub(super) enum Enrolment {
    /// One may join.
    Waiting {
        /// With this token.
        token: Secret,
        /// Until then.
        until: Timestamp,
    },
    /// One has.
    Joined(PublicKey),
    /// The Secret is somebody else's, or what is in it is none of ours.
    Unusable(String),
}

/// What is remembered of an enrolment: the version of the Secret that it was read of.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) version: Option<String>,
    pub(super) uid: Option<String>,
    pub(super) enrolment: Enrolment,
}
