//! One search, page by page, entry by entry.

use std::collections::HashSet;

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
    brought: Brought,
    /// Whether anything came: after that, the search cannot begin anew in another way.
    begun: bool,
    done: bool,
    /// What came with the end of the last page.
    pub(super) ended: Vec<Control>,
    /// How the last page ended, if the server said so.
    pub(super) code: Option<u32>,
}

impl<'c> Search<'c> {
    pub(super) fn new(connection: &'c mut Connection, mut query: Query) -> Self {
        query.page_size = query.page_size.map(|size| size.min(connection.largest_page));
        Self {
            connection,
            query,
            asked: false,
            cookie: Vec::new(),
            page: Page::default(),
            brought: Brought::default(),
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
        (self.page, self.brought) = (Page::default(), Brought::default());
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
                    if !self.is_new(&raw.dn) {
                        continue;
                    }
                    return Ok(Some(SearchItem::Entry(raw)));
                }
                Response::Reference(urls) => {
                    self.begun = true;
                    self.page.came += 1;
                    if !self.is_new(&urls.join(" ")) {
                        continue;
                    }
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

    /// Notes what came in a first page, as long as that is one; whether it did not come before.
    fn is_new(&mut self, name: &str) -> bool {
        if self.brought.again && self.brought.these.contains(name) {
            return false;
        }
        if self.cookie.is_empty()
            && self.query.page_size.is_some_and(|size| self.page.came <= u64::from(size))
        {
            self.brought.these.insert(name.to_owned());
        }
        true
    }

    /// Asks for the first page again, of this size; what it brought is not told twice.
    fn begin_again(&mut self, size: u32) {
        self.query.page_size = Some(size);
        self.brought.again = true;
        self.page = Page::default();
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
        // A limit ends a page that is not smaller than it (389 Directory Server, OpenDJ): smaller ones come to their end.
        let ends_at_limit = LIMITS.contains(&result.code) && self.cookie.is_empty();
        if let Some(size) = self.page.below(self.query.page_size).filter(|_| ends_at_limit) {
            self.connection.largest_page = size;
            self.begin_again(size);
            return Ok(());
        }
        match result.code {
            0 => {
                let control = controls.iter().find(|control| control.oid == PAGED_RESULTS);
                let value = control.and_then(|control| control.value.as_deref());
                let value = value.filter(|_| self.query.page_size.is_some());
                let size = self.query.page_size.filter(|size| self.page.came == u64::from(*size));
                if let (None, true, Some(size)) = (value, self.cookie.is_empty(), size) {
                    // Either there are no more, or it does not say that there are: then a larger page is full too.
                    if self.brought.enlarged {
                        return Err(full(&self.query.base, came));
                    }
                    self.brought.enlarged = true;
                    self.begin_again(size.saturating_add(1));
                    return Ok(());
                }
                let next = next(&self.cookie, value).ok_or_else(|| unintelligible(&self.query.base))?;
                self.done = next.is_empty();
                if !self.page.end() && !self.done {
                    return Err(nothing_comes(&self.query.base, came));
                }
                self.ended = controls;
                self.cookie = next;
                self.begun = true;
                if !self.brought.again {
                    self.brought = Brought::default();
                }
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

/// What came of a first page that is asked for again: by name, an entry's or a reference's.
#[derive(Default)]
struct Brought {
    these: HashSet<String>,
    /// Whether it was asked for again.
    again: bool,
    /// Whether that was because it was full, and nothing said whether there is more.
    enlarged: bool,
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

    /// The size of a page that is smaller than what came of this one, if it is smaller than this one was to be.
    fn below(&self, size: Option<u32>) -> Option<u32> {
        let smaller = u32::try_from(self.came).ok()?.checked_sub(1)?;
        (0 < smaller && smaller < size?).then_some(smaller)
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

fn full(base: &str, came: u64) -> SourceError {
    let message = format!(
        "the server gives as many entries below {base} as a page may have, twice, and does not say whether there are more \
         (RFC 2696); {came} entries had come, and nothing of this read was used. Set another pageSize"
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
    fn a_smaller_page_is_smaller_than_what_came_and_than_what_was_asked_for() {
        let below = |came, size| Page { came, ..Page::default() }.below(size);
        assert_eq!(below(10, Some(500)), Some(9));
        assert_eq!(below(10, Some(10)), Some(9));
        assert_eq!((below(11, Some(10)), below(1, Some(10)), below(0, Some(10))), (None, None, None));
        assert_eq!(below(10, None), None, "it has no pages");
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
