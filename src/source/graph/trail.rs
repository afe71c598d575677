//! The links by which one collection is read: none leads back to a page that was read.

use std::collections::HashSet;

use crate::net::http::Url;
use crate::source::{Reason, SourceError};

/// The pages of one collection that were read.
#[derive(Default)]
pub(super) struct Trail(HashSet<String>);

impl Trail {
    /// Goes on to this page.
    ///
    /// # Errors
    /// It was read already: whoever went on would never come to an end, and whoever stopped would take a part for the whole.
    pub(super) fn step(&mut self, url: &Url) -> Result<(), SourceError> {
        if self.0.insert(url.as_str().to_owned()) {
            return Ok(());
        }
        let message = "Graph sent a page whose next link leads to a page that was read before. Nothing of this read was used";
        Err(SourceError::new(Reason::Interrupted, message))
    }
}
