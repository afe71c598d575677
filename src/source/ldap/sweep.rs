//! A search of a read: the whole, or part by part where the server ends the whole at a limit.

use super::connection::Connection;
use super::division::{Division, Part};
use super::search::{Query, Search, SearchItem};
use crate::source::SourceError;

/// A search in progress.
pub(super) struct Sweep<'c> {
    search: Search<'c>,
    /// For the whole.
    filter: String,
    base: String,
    division: Division,
    part: Part,
}

impl<'c> Sweep<'c> {
    /// It is divided by this attribute, if there is one. `anchor` tells two entries of one DN apart.
    pub(super) fn new(
        connection: &'c mut Connection,
        query: Query,
        by: Option<&'static str>,
        anchor: &str,
    ) -> Self {
        let (filter, base) = (query.filter.clone(), query.base.clone());
        let search = Search::new(connection, query);
        Self { search, filter, base, division: Division::by(by, anchor), part: Part::default() }
    }

    /// How many parts there were so far.
    pub(super) fn parts(&self) -> u64 {
        self.division.parts
    }

    /// The next thing found, each entry of one part once; `None` only at the true end of every part. `came` is how many entries the whole read
    /// has brought so far, for messages.
    pub(super) async fn next(&mut self, came: u64) -> Result<Option<SearchItem>, SourceError> {
        loop {
            match self.search.next(came).await {
                Ok(Some(SearchItem::Entry(raw))) if self.division.came_before(&self.part, &raw) => continue,
                Ok(Some(found)) => return Ok(Some(found)),
                Ok(None) => self.division.reached_its_end(),
                Err(error) => self.division.ended(&self.part, self.search.code, error)?,
            }
            let Some(part) = self.division.next() else {
                self.division.is_whole(&self.base)?;
                return Ok(None);
            };
            self.search.begin_anew(self.division.filter(&part, &self.filter));
            self.part = part;
        }
    }
}
