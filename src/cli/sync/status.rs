//! Builds the status that the two kinds would have in a cluster.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::api::reason::Reason;
use crate::controller::condition::{Conditions, Status};
pub(super) use crate::controller::connector::status::of_import;
pub(super) use crate::controller::policy::status::of_run;

/// `Ready` of an object that cannot be used or is suspended.
pub(super) fn not_ready(reason: Reason, message: String, at: Timestamp) -> Condition {
    Conditions::new(&[], None, at).one("Ready", Status::False, reason.name, message)
}
