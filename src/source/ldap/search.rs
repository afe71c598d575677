//! One search, page by page, entry by entry.

use ldap3::controls::{PagedResults, RawControl};
use ldap3::{LdapResult, Scope, SearchStream};

use super::connection::{ANSWER, Connection};
use super::decode::{self, Raw};
use super::error;
use crate::source::SourceError;

const PAGED_RESULTS: &str = "1.2.840.113556.1.4.319";
/// A server that refuses pages of this size refuses pages.
const SMALLEST_PAGE: u32 = 16;

/// What to search for.
#[derive(Clone, Default)]
pub(super) struct Query {
    pub(super) base: String,
    /// The base itself, and nothing below it.
    pub(super) base_only: bool,
    pub(super) filter: String,
    pub(super) attributes: Vec<String>,
    /// Entries asked for at once; `None` for a server that has no pages.
    pub(super) page_size: Option<u32>,
    /// Sent with each request, beside that for the page.
    pub(super) controls: Vec<RawControl>,
}

/// What a search yields.
pub(super) enum Found {
    /// An entry.
    Entry(Raw),
    /// Something that should be an entry.
    Unintelligible(String),
    /// A place where more might be, on other servers.
    Reference(Vec<String>),
}

type Stream = SearchStream<'static, String, Vec<String>>;

/// A search under way.
pub(super) struct Search<'c> {
    connection: &'c mut Connection,
    query: Query,
    stream: Option<Stream>,
    cookie: Vec<u8>,
    /// Whether anything came: after that, the search cannot begin anew in another way.
    begun: bool,
    done: bool,
    /// What came with the end of the last page.
    pub(super) ended: Vec<RawControl>,
    /// How the last page ended, if the server said so.
    pub(super) code: Option<u32>,
}

impl<'c> Search<'c> {
    pub(super) fn new(connection: &'c mut Connection, query: Query) -> Self {
        Self {
            connection,
            query,
            stream: None,
            cookie: Vec::new(),
            begun: false,
            done: false,
            ended: Vec::new(),
            code: None,
        }
    }

    /// The next thing found; `None` only at the true end. `came` is how many entries the whole read has
    /// brought so far, for messages.
    pub(super) async fn next(&mut self, came: u64) -> Result<Option<Found>, SourceError> {
        while !self.done {
            let stream = match self.stream.take() {
                Some(stream) => stream,
                None => self.page(came).await?,
            };
            let stream = self.stream.insert(stream);
            match self.connection.driver.run(stream.next()).await {
                Ok(Some(entry)) => {
                    self.begun = true;
                    if entry.is_ref() {
                        return Ok(Some(Found::Reference(decode::reference(entry.0))));
                    }
                    if entry.is_intermediate() {
                        continue;
                    }
                    let found = decode::entry(entry.0).map(Found::Entry);
                    return Ok(Some(found.unwrap_or_else(|| {
                        Found::Unintelligible(format!("an entry below {}", self.query.base))
                    })));
                }
                Ok(None) => {
                    let result = stream.finish().await;
                    self.stream = None;
                    self.end_of_page(&result, came)?;
                }
                Err(error) => return Err(error::lost(&self.connection.url, &error, came)),
            }
        }
        Ok(None)
    }

    async fn page(&mut self, came: u64) -> Result<Stream, SourceError> {
        let Query { base, base_only, filter, attributes, page_size, controls } = &self.query;
        let Connection { ldap, driver, .. } = &mut *self.connection;
        ldap.with_timeout(ANSWER);
        let mut controls = controls.clone();
        if let Some(size) = page_size {
            let size = i32::try_from(*size).unwrap_or(i32::MAX);
            controls.push(RawControl::from(PagedResults { size, cookie: self.cookie.clone() }));
        }
        if !controls.is_empty() {
            ldap.with_controls(controls);
        }
        let scope = if *base_only { Scope::Base } else { Scope::Subtree };
        let search = ldap.streaming_search(base, scope, filter, attributes.clone());
        driver.run(search).await.map_err(|error| error::lost(&self.connection.url, &error, came))
    }

    fn end_of_page(&mut self, result: &LdapResult, came: u64) -> Result<(), SourceError> {
        self.code = Some(result.rc);
        match result.rc {
            0 => {
                self.ended = result.ctrls.iter().map(|control| control.1.clone()).collect();
                let control = result.ctrls.iter().find(|control| control.1.ctype == PAGED_RESULTS);
                let value = control.and_then(|control| control.1.val.as_deref());
                let value = value.filter(|_| self.query.page_size.is_some());
                self.cookie = next(&self.cookie, value).ok_or_else(|| unintelligible(&self.query.base))?;
                self.done = self.cookie.is_empty();
                self.begun = true;
                Ok(())
            }
            // The size or the pages themselves are refused: smaller ones, then none.
            2 | 11 | 12 | 53 if !self.begun && self.query.page_size.is_some() => {
                let smaller = self.query.page_size.map(|size| size / 2).filter(|size| *size >= SMALLEST_PAGE);
                let never = result.text.contains("not allowed") || result.rc != 11;
                self.query.page_size = if never { None } else { smaller };
                Ok(())
            }
            _ => Err(error::searching(&self.query.base, result, came)),
        }
    }
}

/// The cookie of the next page, empty at the end; `None` if it cannot be told. A server that knows no
/// pages sends none and has given everything, but one that has said that there is more must say when
/// there is none.
fn next(before: &[u8], value: Option<&[u8]>) -> Option<Vec<u8>> {
    match value {
        Some(value) => decode::cookie(value),
        None => before.is_empty().then(Vec::new),
    }
}

fn unintelligible(base: &str) -> SourceError {
    let message = format!(
        "the server ended a page below {base} in a way that does not say how to go on (RFC 2696); nothing of this read was \
         taken"
    );
    SourceError::new(crate::source::Reason::Interrupted, message)
}

#[cfg(test)]
mod tests {
    use super::next;

    #[test]
    fn a_page_that_does_not_say_whether_more_comes_is_no_end() {
        let (more, end) = (b"\x30\x06\x02\x01\x00\x04\x01x", b"\x30\x05\x02\x01\x00\x04\x00");
        assert_eq!(next(b"", Some(more)), Some(b"x".to_vec()));
        assert_eq!(next(b"x", Some(end)), Some(Vec::new()));
        assert_eq!(next(b"", None), Some(Vec::new()), "it knows no pages");
        assert_eq!(next(b"x", None), None);
        assert_eq!(next(b"x", Some(b"\x30")), None);
    }
}
