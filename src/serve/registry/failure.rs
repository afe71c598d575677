//! What a reader is told while nothing can be read.

use crate::scim::Failure;
use crate::telemetry::chain;

pub(super) fn busy(why: &str) -> Failure {
    Failure::new(503, format!("{why}; try again later"))
}

/// What went wrong is told to operators, not to readers.
pub(super) fn unreadable(error: &(dyn std::error::Error + 'static)) -> Failure {
    tracing::error!(error = chain(error), "the registry could not be read");
    busy("the registry cannot be read at the moment")
}
