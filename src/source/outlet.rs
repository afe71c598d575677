//! What a read of a service sends, in batches.

use super::{Reason, Sink, SourceError};
use crate::directory::{Change, Filler};

/// Where its changes go.
pub(super) struct Outlet<'a> {
    pub(super) sink: &'a Sink,
    filler: Filler,
}

impl<'a> Outlet<'a> {
    pub(super) fn new(sink: &'a Sink) -> Self {
        Self { sink, filler: Filler::default() }
    }

    pub(super) async fn change(&mut self, change: Change) -> Result<(), SourceError> {
        match self.filler.add(change) {
            Some(batch) => self.sink.send(batch).await,
            None if self.sink.is_closed() => {
                Err(SourceError::new(Reason::Cancelled, "the read was given up"))
            }
            None => Ok(()),
        }
    }

    /// What fills no batch.
    pub(super) async fn end(&mut self) -> Result<(), SourceError> {
        match self.filler.rest() {
            Some(batch) => self.sink.send(batch).await,
            None => Ok(()),
        }
    }
}
