//! One search, page by page, entry by entry.

use super::connection::Connection;
use super::decode::{self, Raw};
use super::error;
use super::wire::ber::{self, INTEGER, OCTETS, SEQUENCE};
use super::wire::limit::EMPTY_PAGES;
use super::wire::{Control, LdapResult, Request, Response, Scope};
use crate::source::SourceError;

const PAGED_RESULTS: &str = "1.2.840.113556.1.4.319";
/// Result codes by which a server ends a search at a limit of time, of size or of the administrator's.
pub(super) const LIMITS: &[u32] = &[3, 4, 11];

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
    pub(super) controls: Vec<Control>,
}

/// What a search yields.
pub(super) enum SearchItem {
    /// An entry.
    Entry(Raw),
    /// Something that should be an entry.
    Unintelligible(String),
    /// A place where more might be, on other servers.
    Reference(Vec<String>),
}

/// A search in progress.
pub(super) struct Search<'c> {
    connection: &'c mut Connection,
    query: Query,
    /// Whether a page was asked for and has not ended.
    asked: bool,
    cookie: Vec<u8>,
    page: Page,
    /// Whether anything came: after that, the search cannot begin anew in another way.
    begun: bool,
    done: bool,
    /// What came with the end of the last page.
    pub(super) ended: Vec<Control>,
    /// How the last page ended, if the server said so.
    pub(super) code: Option<u32>,
}

impl<'c> Search<'c> {
    pub(super) fn new(connection: &'c mut Connection, query: Query) -> Self {
        Self {
            connection,
            query,
            asked: false,
            cookie: Vec::new(),
            page: Page::default(),
            begun: false,
            done: false,
            ended: Vec::new(),
            code: None,
        }
    }

    /// Has the next thing be the first of this filter.
    pub(super) fn begin_anew(&mut self, filter: String) {
        self.query.filter = filter;
        (self.asked, self.begun, self.done, self.code) = (false, false, false, None);
        self.cookie.clear();
        self.page = Page::default();
    }

    /// The next thing found; `None` only at the true end. `came` is how many entries the whole read has
    /// brought so far, for messages.
    pub(super) async fn next(&mut self, came: u64) -> Result<Option<SearchItem>, SourceError> {
        while !self.done {
            if !self.asked {
                self.ask(came).await?;
                self.asked = true;
            }
            let (response, controls) = self.connection.hear(came).await?;
            match response {
                Response::Entry(entry) => {
                    self.begun = true;
                    let Some(raw) = entry else {
                        self.page.came += 1;
                        let what = format!("an entry below {}", self.query.base);
                        return Ok(Some(SearchItem::Unintelligible(what)));
                    };
                    if !self.page.goes_on(&raw.dn) {
                        return Err(again(&self.query.base, came));
                    }
                    return Ok(Some(SearchItem::Entry(raw)));
                }
                Response::Reference(urls) => {
                    self.begun = true;
                    self.page.came += 1;
                    return Ok(Some(SearchItem::Reference(urls)));
                }
                Response::SearchDone(result) => {
                    self.asked = false;
                    self.end_of_page(&result, controls, came)?;
                }
                _ => {}
            }
        }
        Ok(None)
    }

    async fn ask(&mut self, came: u64) -> Result<(), SourceError> {
        let Query { base, base_only, filter, attributes, page_size, controls } = &self.query;
        let mut controls = controls.clone();
        if let Some(size) = page_size {
            let value = [ber::natural(INTEGER, *size), ber::element(OCTETS, &self.cookie)].concat();
            let value = Some(ber::element(SEQUENCE, &value));
            controls.push(Control { oid: PAGED_RESULTS.to_owned(), critical: false, value });
        }
        let scope = if *base_only { Scope::Base } else { Scope::Subtree };
        let search = Request::Search { base, scope, filter, attributes, at_most: 0 };
        self.connection.ask(search, &controls, came).await
    }

    fn end_of_page(
        &mut self,
        result: &LdapResult,
        controls: Vec<Control>,
        came: u64,
    ) -> Result<(), SourceError> {
        self.code = Some(result.code);
        match result.code {
            0 => {
                let control = controls.iter().find(|control| control.oid == PAGED_RESULTS);
                let value = control.and_then(|control| control.value.as_deref());
                let value = value.filter(|_| self.query.page_size.is_some());
                let next = next(&self.cookie, value).ok_or_else(|| unintelligible(&self.query.base))?;
                self.done = next.is_empty();
                if !self.page.end() && !self.done {
                    return Err(nothing_comes(&self.query.base, came));
                }
                self.ended = controls;
                self.cookie = next;
                self.begun = true;
                Ok(())
            }
            // The size or the pages themselves are refused: smaller ones, then none.
            2..=4 | 11 | 12 | 53 if !self.begun && self.query.page_size.is_some() => {
                let smaller = self.query.page_size.map(|size| size / 2).filter(|size| *size > 0);
                let never = result.text.contains("not allowed") || !LIMITS.contains(&result.code);
                self.query.page_size = if never { None } else { smaller };
                Ok(())
            }
            _ => Err(error::searching(&self.query.base, result, came)),
        }
    }
}

/// The page under way: whether it brings the search any further.
#[derive(Default)]
struct Page {
    came: u64,
    /// The name of its first entry, and of the first of the page before it.
    first: Option<String>,
    before: Option<String>,
    /// Pages in a row that brought nothing.
    empty: u32,
}

impl Page {
    /// Notes an entry; whether this page is another than the one before it.
    fn goes_on(&mut self, dn: &str) -> bool {
        self.came += 1;
        if self.came == 1 {
            self.first = Some(dn.to_owned());
        }
        self.came > 1 || self.before.as_deref() != Some(dn)
    }

    /// Begins the next; whether this one, and those before it, brought something.
    fn end(&mut self) -> bool {
        self.empty = if self.came == 0 { self.empty + 1 } else { 0 };
        if let Some(first) = self.first.take() {
            self.before = Some(first);
        }
        self.came = 0;
        self.empty < EMPTY_PAGES
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
        "the server ended a page below {base} without saying how to continue (RFC 2696); nothing of this read was used"
    );
    SourceError::new(crate::source::Reason::Interrupted, message)
}

fn again(base: &str, came: u64) -> SourceError {
    let message = format!(
        "the server gave the same page below {base} again instead of the next (RFC 2696); {came} entries had come, \
         and nothing of this read was used"
    );
    SourceError::new(crate::source::Reason::InvalidData, message)
}

fn nothing_comes(base: &str, came: u64) -> SourceError {
    let message = format!(
        "the server gave {EMPTY_PAGES} empty pages in a row below {base} and says that there is more; {came} entries \
         had come, and nothing of this read was used"
    );
    SourceError::new(crate::source::Reason::InvalidData, message)
}

#[cfg(test)]
mod tests {
    use super::{EMPTY_PAGES, Page, next};

    #[test]
    fn a_page_that_begins_as_the_one_before_is_no_progress() {
        let mut page = Page::default();
        assert!(page.goes_on("cn=a") && page.goes_on("cn=b") && page.goes_on("cn=a"));
        assert!(page.end() && page.goes_on("cn=c"));
        assert!(page.end() && page.end() && page.goes_on("cn=a"), "389 gives one cookie for all pages");
        assert!(page.end() && !page.goes_on("cn=a"));
    }

    #[test]
    fn pages_that_bring_nothing_come_to_an_end() {
        let mut page = Page::default();
        for _ in 1..EMPTY_PAGES {
            assert!(page.end());
        }
        assert!(!page.end());
        page.goes_on("cn=a");
        assert!(page.end());
    }

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
