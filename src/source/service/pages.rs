//! The pages of a list: while one is taken in, the next one is on its way.

use std::future::Future;
use std::pin::Pin;

use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::trail::Trail;
use crate::source::{Reason, SourceError};

/// Where a list goes on after a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::source) enum Onward {
    /// There is another page.
    Page(String),
    /// It was the last one; with where the next read begins, if the service says that.
    End(String),
}

/// Tells where a list goes on, as soon as that is known: before the page is taken apart.
pub(in crate::source) type Ahead = oneshot::Sender<Onward>;

/// How a page is asked for.
type Asking<T, R> = dyn Fn(String, Ahead) -> Coming<T, R> + Send + Sync;
/// A page on its way: what is on it.
pub(in crate::source) type Coming<T, R> = Pin<Box<dyn Future<Output = Result<Vec<T>, R>> + Send>>;

/// A list that is read page by page.
pub(in crate::source) struct Pages<T, R> {
    /// What messages call the service.
    service: &'static str,
    ask: Box<Asking<T, R>>,
    trail: Trail,
    /// The next page, unless the last one has come. It is given up with the read.
    coming: JoinSet<Result<Vec<T>, R>>,
    ahead: Option<oneshot::Receiver<Onward>>,
    end: Option<String>,
}

impl<T: Send + 'static, R: From<SourceError> + Send + 'static> Pages<T, R> {
    /// Begins at this page. `ask` gets a page, and tells where the list goes on.
    pub(in crate::source) fn from(
        service: &'static str,
        first: &str,
        ask: impl Fn(String, Ahead) -> Coming<T, R> + Send + Sync + 'static,
    ) -> Result<Self, SourceError> {
        let mut pages = Self {
            service,
            ask: Box::new(ask),
            trail: Trail::default(),
            coming: JoinSet::new(),
            ahead: None,
            end: None,
        };
        pages.ask(first.to_owned())?;
        Ok(pages)
    }

    /// What is on the next page; `None` after the last one. An empty page that is not the last one is no end.
    pub(in crate::source) async fn next(&mut self) -> Result<Option<Vec<T>>, R> {
        let Some(ahead) = self.ahead.take() else { return Ok(None) };
        // Of a page that fails nothing is told ahead.
        let onward = ahead.await;
        let lost = || SourceError::new(Reason::Cancelled, "the read was given up");
        let mut came = std::mem::take(&mut self.coming);
        match onward {
            Ok(Onward::Page(page)) => self.ask(page)?,
            Ok(Onward::End(end)) => self.end = Some(end),
            Err(_) => {}
        }
        let page = came.join_next().await.ok_or_else(lost)?.map_err(|_| lost())??;
        Ok(Some(page))
    }

    /// Where the next read begins.
    ///
    /// # Errors
    /// The last page has not come.
    pub(in crate::source) fn end(self) -> Result<String, SourceError> {
        let lost = || SourceError::new(Reason::Interrupted, "the read of a list did not reach its end");
        self.end.filter(|_| self.ahead.is_none()).ok_or_else(lost)
    }

    fn ask(&mut self, page: String) -> Result<(), SourceError> {
        self.trail.step(&page, self.service)?;
        let (ahead, told) = oneshot::channel();
        self.coming.spawn((self.ask)(page, ahead));
        self.ahead = Some(told);
        Ok(())
    }
}
