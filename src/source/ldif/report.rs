//! What a file says of itself beside its records: the reports of `ldapsearch`, several in one file too, and the counts
//! that it and others write. Pure.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::problem::Problem;
use crate::source::ldap::wire::ber::Elements;
use crate::words::{self, thousands};

/// What else `ldapsearch` writes outside of records.
const OTHERS: &[&str] = &[
    "search",
    "matcheddn",
    "text",
    "control",
    "sortresult",
    "vlvresult",
    "ppolicy",
    "extended",
    "intermediate",
    "data",
];

/// How comments begin that state a count.
const COUNTS: [&str; 3] = ["numEntries:", "numResponses:", "total number of entries:"];

/// The control that says whether there are more pages (RFC 2696).
const PAGES: &str = "1.2.840.113556.1.4.319";

/// What was said so far.
#[derive(Debug, Default)]
pub(super) struct Reports {
    /// Records since a count was stated last.
    pub(super) entries: usize,
    /// Search references (`ref:` without a DN).
    pub(super) references: usize,
    /// The report of `ldapsearch` that has begun and not ended.
    open: Option<Report>,
    /// How many records ldbsearch says it returned, references too, until it says how many entries.
    returned: Option<usize>,
    /// Whether its pages go on, by the cookie that it showed last.
    more: bool,
    /// Whether it showed whether its pages go on.
    paged: bool,
    /// Whether the records that came last were counted.
    pub(super) counted: bool,
    /// Why it cannot be told whether the file holds all that was searched for.
    pub(super) doubt: Option<String>,
}

/// A report of `ldapsearch`.
#[derive(Debug, Default)]
struct Report {
    /// Whether it showed how its search ended.
    result: bool,
    /// Whether it showed how many answers came. It shows how many entries did (`# numEntries`) only where there were some.
    responses: bool,
    /// Whether a record came.
    records: bool,
}

impl Report {
    /// Whether it reached its end and found nobody.
    fn found_nobody(&self) -> bool {
        self.result && self.responses && !self.records
    }
}

/// Whether a control (`OID [true|false] [base64]`) says that there are more pages: it holds a size and a cookie, which is empty at
/// the last page. `None` of another control. Of one that cannot be understood it is not known that the page was the last one.
fn page(control: &[u8]) -> Option<bool> {
    let text = String::from_utf8_lossy(control);
    let mut parts = text.split_whitespace();
    parts.next().filter(|oid| *oid == PAGES)?;
    let value = parts.find(|part| !part.eq_ignore_ascii_case("true") && !part.eq_ignore_ascii_case("false"));
    let cookie = || {
        let value = STANDARD.decode(value?.trim_start_matches(':')).ok()?;
        let (_, page) = Elements::of(&value).next().ok()??;
        let mut page = Elements::of(page);
        page.next().ok()??;
        let (_, cookie) = page.next().ok()??;
        Some(!cookie.is_empty())
    };
    Some(cookie().unwrap_or(true))
}

impl Reports {
    /// A comment as `ldapsearch` spells it: people write counts by hand, and ldbsearch (Samba) ends with `# returned 4 records`,
    /// `# 3 entries`.
    fn spelled<'t>(&mut self, text: &'t str) -> Cow<'t, str> {
        let said = text.trim_start_matches('#').trim();
        for known in COUNTS {
            let (begin, rest) = said.split_at_checked(known.len()).unwrap_or_default();
            if begin.eq_ignore_ascii_case(known) {
                return Cow::Owned(format!("# {known}{rest}"));
            }
        }
        let number = |end: &str| said.strip_suffix(end)?.split_whitespace().last()?.parse::<usize>().ok();
        if said.starts_with("returned ") {
            self.returned = number(" records");
        } else if let Some(entries) = number(" entries").filter(|_| self.returned.take().is_some()) {
            return Cow::Owned(format!("# numEntries: {entries}"));
        }
        Cow::Borrowed(text)
    }

    /// A record has begun.
    pub(super) fn record(&mut self) {
        self.entries += 1;
        self.counted = false;
        if let Some(report) = &mut self.open {
            report.records = true;
        }
    }

    /// A comment. `# numEntries: 3` ends a report of `ldapsearch`, `# total number of entries: 3` what ldap3 writes.
    pub(super) fn comment(&mut self, line: usize, text: &[u8]) -> Result<(), Problem> {
        let text = String::from_utf8_lossy(text);
        let text = self.spelled(text.trim_end());
        let text = text.as_ref();
        // With -L, ldapsearch writes these as comments.
        let said = text.trim_start_matches(['#', ' ']).split_once(':');
        if let Some((name @ ("pagedresults" | "control"), value)) = said {
            self.line(line, name, value.trim().as_bytes())?;
        } else if text == "# LDAPv3" {
            // Of several pages only the last one shows how many entries came.
            if !self.paged && !self.open.as_ref().is_some_and(|report| report.result) {
                self.is_whole(line)?;
            }
            self.paged = false;
            self.open = Some(Report::default());
        } else if text.starts_with("# numResponses:") {
            if let Some(report) = &mut self.open {
                report.responses = true;
            }
        } else if let Some(number) = text.strip_prefix("# numEntries:") {
            self.count(line, number)?;
            if self.more {
                let why = "the last page says that there are more (its cookie is not empty), so the search did not reach its \
                           end; export it again";
                return Err(Problem { line, why: why.to_owned(), cut: true });
            }
            if self.open.take().is_some_and(|report| !report.result) {
                self.doubt.get_or_insert_with(|| {
                    format!(
                        "the report that ends at line {line} does not show whether the server cut the search: do not \
                         use -L of ldapsearch"
                    )
                });
            }
        } else if let Some(number) = text.strip_prefix("# total number of entries:") {
            match self.count(line, number) {
                // It counts references too.
                Err(_) if number.trim().parse().is_ok_and(|stated: usize| stated > self.entries) => {
                    self.doubt.get_or_insert_with(|| {
                        format!("it says at line {line} that it has{number} entries and references, and it has fewer entries")
                    });
                    self.entries = 0;
                }
                counted => counted?,
            }
        }
        Ok(())
    }

    fn count(&mut self, line: usize, number: &str) -> Result<(), Problem> {
        let entries = self.entries;
        match number.trim().parse::<usize>() {
            Ok(stated) if stated == entries => {
                self.entries = 0;
                self.counted = true;
                Ok(())
            }
            Ok(stated) => {
                let why = format!(
                    "the file says that it has {}, and it has {}; it was damaged: export it again",
                    words::count(stated as u64, "entry", "entries"),
                    thousands(entries as u64)
                );
                Err(Problem { line, why, cut: true })
            }
            Err(_) => Err(Problem {
                line,
                why: format!(
                    "`{}` is not a number of entries; were files joined without a line break between them?",
                    number.trim()
                ),
                cut: false,
            }),
        }
    }

    /// A line outside of records: whether it is one that a report has there.
    pub(super) fn line(&mut self, number: usize, name: &str, value: &[u8]) -> Result<bool, Problem> {
        match name {
            "result" => self.ended(number, value)?,
            "ref" => self.references += 1,
            "pagedresults" => {
                self.paged = true;
                let text = String::from_utf8_lossy(value);
                let cookie = text.split_once("cookie=").map(|(_, cookie)| cookie.trim());
                self.more = cookie.is_none_or(|cookie| !cookie.is_empty());
            }
            "control" => {
                if let Some(more) = page(value) {
                    (self.paged, self.more) = (true, more);
                }
            }
            _ => return Ok(OTHERS.contains(&name)),
        }
        Ok(true)
    }

    /// `result: 0 Success`: anything else is the report of a search that did not reach its end.
    fn ended(&mut self, line: usize, value: &[u8]) -> Result<(), Problem> {
        let text = String::from_utf8_lossy(value);
        if text.split_whitespace().next() == Some("0") {
            if let Some(report) = &mut self.open {
                report.result = true;
            }
            return Ok(());
        }
        let remedy = match text.split_whitespace().next().unwrap_or_default() {
            "3" | "4" | "11" => {
                "the server limits searches: export it again in pages (-E pr=500/noprompt), or have the limit raised"
            }
            "32" => "its base (-b) does not exist there: correct it, and export it again",
            "49" | "50" | "8" | "13" => {
                "the server refused the account: correct it, or its rights, and export it again"
            }
            _ => "export it again",
        };
        let why = format!("a search that wrote this file did not reach its end (result: {text}); {remedy}");
        Err(Problem { line, why, cut: true })
    }

    /// At the end of the file, at this line.
    pub(super) fn end(&self, line: usize) -> Result<(), Problem> {
        if self.more {
            let why = "the last page says that there are more (its cookie is not empty), so the search did not reach its end; \
                       export it again";
            return Err(Problem { line, why: why.to_owned(), cut: true });
        }
        self.is_whole(line)
    }

    /// Whether the report before this line has its end.
    fn is_whole(&self, line: usize) -> Result<(), Problem> {
        if self.open.as_ref().is_none_or(Report::found_nobody) {
            return Ok(());
        }
        let why =
            "the report of ldapsearch has no end (# numEntries), so it was cut; export it again".to_owned();
        Err(Problem { line, why, cut: true })
    }
}
