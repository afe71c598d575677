//! How a connector's Sync Engines are enrolled.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::secret::Secret;
use crate::wire::PublicKey;

/// How an engine is enrolled.
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

/// How a connector's engines are enrolled, by the names of their Secrets.
pub(super) type Enrolments = BTreeMap<String, Known>;

/// What is remembered of an enrolment: the version of the Secret that it was read of.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) version: Option<String>,
    pub(super) uid: Option<String>,
    pub(super) enrolment: Enrolment,
}
