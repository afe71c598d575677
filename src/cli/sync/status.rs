//! What the status of the two kinds would be.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::api::connector::DirectoryConnectorStatus;
use crate::api::reason::{Reason, connector};
use crate::controller::condition::{Conditions, Status};
use crate::controller::connector::status;
pub(super) use crate::controller::policy::status::of_run;
use crate::sync::import::{ImportError, Imported};

/// `Ready`, of an object that cannot be used or rests.
pub(super) fn not_ready(reason: Reason, message: String, at: Timestamp) -> Condition {
    ready(Status::False, reason, message, at)
}

fn ready(holds: Status, reason: Reason, message: String, at: Timestamp) -> Condition {
    Conditions::new(&[], None, at).one("Ready", holds, reason.name, message)
}

pub(super) fn of_import(
    imported: &Result<Imported, ImportError>,
    now: Timestamp,
) -> DirectoryConnectorStatus {
    match imported {
        Ok(imported) => DirectoryConnectorStatus {
            conditions: vec![ready(
                Status::True,
                connector::READ,
                status::message(imported),
                imported.finished_at,
            )],
            directory: Some(status::directory(&imported.info)),
            last_import: Some(status::last_import(imported)),
            change_feed: status::feed(&imported.info),
            ..DirectoryConnectorStatus::default()
        },
        Err(error) => DirectoryConnectorStatus {
            conditions: vec![ready(Status::False, status::reason(error), error.to_string(), now)],
            ..DirectoryConnectorStatus::default()
        },
    }
}
