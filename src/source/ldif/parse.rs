//! LDIF content records (RFC 2849). A text that was cut or contradicts itself is refused; a record that cannot be
//! understood is given as it is, with what is wrong with it.

use std::collections::BTreeMap;
use std::io::BufRead;

use super::attribute::{CONTROL, Stated, attribute, has_control};
use super::line::{Fold, Line, Lines};
use super::problem::Problem;
use super::record::{End, Record};
use super::report::Reports;

/// Reads records one by one.
pub(super) struct Reader<R> {
    lines: Lines<R>,
    reports: Reports,
    /// The record after the last one that was given.
    ahead: Option<Record>,
    /// How often lines of which length were folded.
    widths: BTreeMap<usize, usize>,
    /// The first line that is not UTF-8.
    foreign: Option<usize>,
}

/// What became clear at the end of the text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ending {
    /// How many search references stood in it, which `ldapsearch` writes as `ref:` without a DN.
    pub(super) references: usize,
    /// Why it is not proven that all entries stand in it.
    pub(super) doubt: Option<String>,
    /// Whether a count at the end shows that no record is missing there.
    pub(super) shown: bool,
    /// How long lines are that were folded, if some were.
    pub(super) width: Option<usize>,
    /// The first line that is not UTF-8, as all text of LDIF is.
    pub(super) foreign: Option<usize>,
}

impl<R: BufRead> Reader<R> {
    pub(super) fn new(input: R) -> Self {
        let (lines, reports) = (Lines::new(input), Reports::default());
        Self { lines, reports, ahead: None, widths: BTreeMap::new(), foreign: None }
    }

    /// The next record; `None` at the true end.
    pub(super) fn next(&mut self) -> Result<Option<Record>, Problem> {
        let this = match self.ahead.take() {
            None => self.read()?,
            ahead => ahead,
        };
        let Some(mut this) = this else { return Ok(None) };
        self.ahead = self.read()?;
        if self.ahead.as_ref().is_some_and(|next| next.headless) {
            this.end = End::Torn;
        }
        Ok(Some(this))
    }

    fn read(&mut self) -> Result<Option<Record>, Problem> {
        while let Some(line) = self.lines.next()? {
            if line.text.is_empty() {
                continue;
            }
            if line.text.starts_with(b"#") {
                if has_control(&line.text) {
                    self.reports.doubt.get_or_insert_with(|| format!("line {}: {CONTROL}", line.number));
                }
                self.reports.comment(line.number, &line.text)?;
                continue;
            }
            if let Ok((name, Stated::Value(value))) = attribute(&line.text) {
                match name.as_str() {
                    "version" if value.trim_ascii() == b"1" => continue,
                    "version" => {
                        let why = "only version 1 of LDIF is supported".to_owned();
                        return Err(Problem { line: line.number, why, cut: false });
                    }
                    _ if self.reports.line(line.number, &name, &value)? => continue,
                    _ => {}
                }
            }
            return self.record(line).map(Some);
        }
        self.reports.end(self.lines.number)?;
        Ok(None)
    }

    /// What became clear at the end.
    pub(super) fn ending(self) -> Ending {
        let cut = "it ends within a line, so it may have been cut; end it with a line break and an empty line when it \
                   is complete";
        let cut = (self.lines.cut && !self.reports.counted).then(|| cut.to_owned());
        Ending {
            references: self.reports.references,
            doubt: self.reports.doubt.or(cut),
            shown: self.reports.counted,
            foreign: self.foreign,
            width: self.widths.into_iter().max_by_key(|(_, count)| *count).map(|(width, _)| width),
        }
    }

    fn record(&mut self, first: Line) -> Result<Record, Problem> {
        let mut record = Record::at(first.number);
        let mut next = Some(first);
        while let Some(Line { number, text, ended, folds }) = next {
            if text.is_empty() {
                record.end = End::Proven;
                break;
            }
            if self.foreign.is_none() && std::str::from_utf8(&text).is_err() {
                self.foreign = Some(number);
            }
            if has_control(&text) {
                record.damage.get_or_insert_with(|| format!("line {number}: {CONTROL}"));
                record.hides_others = true;
            }
            if text.starts_with(b"#") {
                self.reports.comment(number, &text)?;
            } else {
                if !ended {
                    record.certain = record.attributes.clone();
                }
                for Fold { line, width, part } in folds {
                    let part = &text[part];
                    match attribute(part) {
                        Ok((name, _)) => record.fold(line, width, &name, part),
                        Err(_) => *self.widths.entry(width).or_default() += 1,
                    }
                }
                let last = record.take(number, &text)?;
                record.headless |= number == record.line && last != "dn";
                if last == "dn" {
                    self.reports.record();
                }
                record.end = End::Open((!ended).then_some(last));
            }
            next = self.lines.next()?;
        }
        if self.reports.counted {
            record.end = End::Proven;
        }
        record.finish();
        Ok(record)
    }
}

#[cfg(test)]
mod tests;
