//! A source whose read can be given up. The import that reads it then ends as any read that ended early
//! does, and nothing of it is taken.

use std::collections::HashMap;

use tokio_util::sync::CancellationToken;

use crate::directory::{Anchor, Completion, Cursor};
use crate::source::{LookUp, Reason, Sink, Source, SourceError};

pub(super) struct Cancellable<S> {
    pub(super) source: S,
    pub(super) cancel: CancellationToken,
}

impl<S: Source> Source for Cancellable<S> {
    async fn read(&self, cursor: Option<&Cursor>, sink: Sink) -> Result<Completion, SourceError> {
        tokio::select! {
            read = self.source.read(cursor, sink) => read,
            () = self.cancel.cancelled() => Err(cancelled()),
        }
    }

    async fn look_up(
        &self,
        anchors: &[Anchor],
        called: &HashMap<Anchor, String>,
    ) -> Result<Option<LookUp>, SourceError> {
        tokio::select! {
            found = self.source.look_up(anchors, called) => found,
            () = self.cancel.cancelled() => Err(cancelled()),
        }
    }
}

pub(super) fn cancelled() -> SourceError {
    SourceError::new(Reason::Cancelled, "the read was stopped before its end; nothing of it was used")
}
