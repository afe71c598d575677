//! The links or page tokens by which one collection is read: none leads back to a page that was read.

use std::collections::HashSet;

use crate::source::{Reason, SourceError};

/// The pages of one collection that were read.
#[derive(Default)]
pub(in crate::source) struct Trail(HashSet<String>);

impl Trail {
    /// Goes on to this page of the service of this name.
    ///
    /// # Errors
    /// It was read already: whoever went on would never come to an end, and whoever stopped would take a part for the whole.
    pub(in crate::source) fn step(&mut self, page: &str, service: &str) -> Result<(), SourceError> {
        if self.0.insert(page.to_owned()) {
            return Ok(());
        }
        let message = format!(
            "{service} sent a page whose next link leads to a page that was read before. Nothing of this read was used"
        );
        Err(SourceError::new(Reason::Interrupted, message))
    }
}
