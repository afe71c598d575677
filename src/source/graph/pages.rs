//! The pages of a feed: while one is taken in, the next one is on its way.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::client::{Graph, NAME, Page, Refused};
use super::decode::Item;
use crate::net::http::Url;
use crate::source::service::trail::Trail;
use crate::source::{Reason, SourceError};

/// A feed that is read from a link on.
pub(super) struct Pages {
    graph: Arc<Graph>,
    trail: Trail,
    /// The next page, unless the last one has come. It is given up with the read.
    coming: JoinSet<Result<Page, Refused>>,
    /// Where the next read begins.
    end: Option<String>,
}

impl Pages {
    /// Begins at this link.
    pub(super) fn from(graph: &Arc<Graph>, link: &str) -> Result<Self, SourceError> {
        let mut pages =
            Self { graph: graph.clone(), trail: Trail::default(), coming: JoinSet::new(), end: None };
        pages.ask(graph.link(link)?)?;
        Ok(pages)
    }

    /// The objects of the next page; `None` after the last one. An empty page with a link is no end, and a page without any link is
    /// none either.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Item>>, Refused> {
        let Some(page) = self.coming.join_next().await else { return Ok(None) };
        let lost = |_| SourceError::new(Reason::Cancelled, "the read was given up");
        let page = page.map_err(lost)??;
        match (page.next, page.delta) {
            (Some(next), None) => self.ask(self.graph.link(&next)?)?,
            (None, Some(delta)) => {
                // What leads elsewhere is not kept either.
                self.graph.link(&delta)?;
                self.end = Some(delta);
            }
            (None, None) | (Some(_), Some(_)) => {
                let message =
                    "Graph sent a page without a single next or delta link. Nothing of this read was used";
                return Err(SourceError::new(Reason::Interrupted, message).into());
            }
        }
        Ok(Some(page.value))
    }

    /// Where the next read begins.
    ///
    /// # Errors
    /// The last page has not come.
    pub(super) fn end(self) -> Result<String, SourceError> {
        let lost = || SourceError::new(Reason::Interrupted, "the read of a feed did not reach its end");
        self.end.ok_or_else(lost)
    }

    fn ask(&mut self, at: Url) -> Result<(), SourceError> {
        self.trail.step(at.as_str(), NAME)?;
        let graph = self.graph.clone();
        self.coming.spawn(async move { graph.page(at).await });
        Ok(())
    }
}
