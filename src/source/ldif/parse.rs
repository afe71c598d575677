//! LDIF content records (RFC 2849), strictly: a text that may have been cut is refused.

use std::io::{BufRead, Read as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::source::schema::Attributes;
use crate::words::{count, thousands};

/// Longer than any line that a directory writes; a file with such a line is no LDIF.
const MAX_LINE_BYTES: usize = 64 << 20;

/// One content record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    /// Where it begins, counted from 1.
    pub(super) line: usize,
    /// As written.
    pub(super) dn: String,
    /// Whether it certainly ends where it does, and not where the file was cut.
    pub(super) ended: bool,
    /// What it states.
    pub(super) attributes: Attributes,
}

/// What is wrong with the text, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) line: usize,
    pub(super) why: String,
    /// Whether the text looks cut, as against malformed.
    pub(super) cut: bool,
}

impl Record {
    /// A problem with this record.
    pub(super) fn problem(&self, why: String) -> Problem {
        Problem { line: self.line, why, cut: false }
    }
}

/// Reads records one by one.
pub(super) struct Reader<R> {
    lines: Lines<R>,
    /// The records so far.
    entries: usize,
    /// Search references so far, which `ldapsearch` writes as `ref:` without a DN.
    references: usize,
    /// What the file itself says that it holds (`# numEntries: 3`), and where.
    stated: Option<(usize, usize)>,
    /// Whether it is a report of `ldapsearch`, which ends with that number.
    report: bool,
}

impl<R: BufRead> Reader<R> {
    pub(super) fn new(input: R) -> Self {
        Self { lines: Lines::new(input), entries: 0, references: 0, stated: None, report: false }
    }

    /// How many search references stood in the text so far.
    pub(super) fn references(&self) -> usize {
        self.references
    }

    /// The next record; `None` at the true end.
    pub(super) fn next(&mut self) -> Result<Option<Record>, Problem> {
        loop {
            let Some((line, first)) = self.lines.next()? else {
                return self.end().map(|()| None);
            };
            if first.is_empty() {
                continue;
            }
            if first.starts_with(b"#") {
                self.comment(line, &first)?;
                continue;
            }
            let (name, value) = attribute(line, &first)?;
            match name.as_str() {
                "version" if value == b"1" => {}
                "version" => {
                    return Err(malformed(line, "only version 1 of LDIF is known".to_owned()));
                }
                "dn" => return self.record(line, value).map(Some),
                // The end of ldapsearch's own report, in a block without a DN.
                "search" => {}
                "result" => result(line, &value)?,
                "ref" => self.references += 1,
                _ => {
                    let why = format!(
                        "a record begins with `{name}:`, and it must begin with `dn:`; if a line is missing here, export \
                         the file again"
                    );
                    return Err(malformed(line, why));
                }
            }
        }
    }

    fn record(&mut self, line: usize, dn: Vec<u8>) -> Result<Record, Problem> {
        let dn =
            String::from_utf8(dn).map_err(|_| malformed(line, "the DN is not valid UTF-8".to_owned()))?;
        let mut record = Record { line, dn, ..Record::default() };
        while let Some((line, text)) = self.lines.next()? {
            if text.is_empty() {
                record.ended = true;
                break;
            }
            if text.starts_with(b"#") {
                self.comment(line, &text)?;
                continue;
            }
            let (name, value) = attribute(line, &text)?;
            match name.as_str() {
                "changetype" if value == b"add" => {}
                "changetype" => {
                    let why =
                        "this is a file of changes, not an export; give an export of the entries".to_owned();
                    return Err(malformed(line, why));
                }
                "control" => {}
                "dn" => {
                    let why = "a record begins within a record; an empty line is missing".to_owned();
                    return Err(malformed(line, why));
                }
                _ => record.attributes.add(&name, [value]),
            }
        }
        self.entries += 1;
        record.ended |= self.stated.is_some();
        Ok(record)
    }

    /// `# numEntries: 3`, as `ldapsearch` ends its report.
    fn comment(&mut self, line: usize, text: &[u8]) -> Result<(), Problem> {
        let text = String::from_utf8_lossy(text);
        self.report |= text.trim_end() == "# LDAPv3";
        if let Some(number) = text.strip_prefix("# numEntries: ") {
            let number = number
                .trim()
                .parse()
                .map_err(|_| malformed(line, format!("`{}` does not say a number", text.trim_end())))?;
            self.stated = Some((line, number));
        }
        Ok(())
    }

    fn end(&self) -> Result<(), Problem> {
        if let Some((line, stated)) = self.stated
            && stated != self.entries
        {
            let why = format!(
                "the file says that it holds {}, and it holds {}; it was damaged: export it again",
                count(stated as u64, "entry", "entries"),
                thousands(self.entries as u64)
            );
            return Err(Problem { line, why, cut: true });
        }
        if self.report && self.stated.is_none() {
            let why = "the report of ldapsearch has no end (# numEntries), so it was cut; export it again"
                .to_owned();
            return Err(Problem { line: self.lines.number, why, cut: true });
        }
        Ok(())
    }
}

/// `result: 0 Success`: anything else is the report of a search that did not reach its end.
fn result(line: usize, value: &[u8]) -> Result<(), Problem> {
    let text = String::from_utf8_lossy(value);
    if text.split_whitespace().next() == Some("0") {
        return Ok(());
    }
    let why =
        format!("the search that wrote this file did not reach its end (result: {text}); export it again");
    Err(Problem { line, why, cut: true })
}

/// `name[;options]: value`, `name:: base64`. The name in lower case, with its options.
fn attribute(line: usize, text: &[u8]) -> Result<(String, Vec<u8>), Problem> {
    let colon = text.iter().position(|byte| *byte == b':').ok_or_else(|| {
        malformed(
            line,
            "the line has no colon; if it belongs to the line before, a space is missing at its start"
                .to_owned(),
        )
    })?;
    let (description, rest) = text.split_at(colon);
    let name = description.split(|byte| *byte == b';').next().unwrap_or_default();
    let valid = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    if name.is_empty() || !name.iter().all(valid) {
        return Err(malformed(line, "what stands before the colon is no attribute name".to_owned()));
    }
    let name = String::from_utf8_lossy(description).to_lowercase();
    let rest = &rest[1..];
    if let Some(encoded) = rest.strip_prefix(b":") {
        let value = STANDARD.decode(trim(encoded)).map_err(|_| {
            let why =
                format!("the value of {name} is not valid base64; if the file was cut here, export it again");
            malformed(line, why)
        })?;
        return Ok((name, value));
    }
    if rest.starts_with(b"<") {
        let why = format!(
            "the value of {name} stands in another file, which is not read; export the values themselves"
        );
        return Err(malformed(line, why));
    }
    let start = rest.iter().position(|byte| *byte != b' ').unwrap_or(rest.len());
    Ok((name, rest[start..].to_vec()))
}

fn trim(text: &[u8]) -> &[u8] {
    text.trim_ascii()
}

fn malformed(line: usize, why: String) -> Problem {
    Problem { line, why, cut: false }
}

fn too_long(line: usize) -> Problem {
    malformed(line, "the line is longer than 64 MiB; this is no LDIF file".to_owned())
}

/// Logical lines: unfolded, without their end, each with the number of its first physical line.
struct Lines<R> {
    input: R,
    number: usize,
    /// The physical line that was read to see that it does not continue the one before.
    ahead: Option<Vec<u8>>,
}

impl<R: BufRead> Lines<R> {
    fn new(input: R) -> Self {
        Self { input, number: 0, ahead: None }
    }

    fn next(&mut self) -> Result<Option<(usize, Vec<u8>)>, Problem> {
        let Some(mut line) = self.ahead.take().map_or_else(|| self.physical(), |line| Ok(Some(line)))? else {
            return Ok(None);
        };
        let start = self.number;
        while !line.is_empty() {
            match self.physical()? {
                Some(next) if next.first() == Some(&b' ') => line.extend_from_slice(&next[1..]),
                next => {
                    self.ahead = next;
                    break;
                }
            }
            if line.len() > MAX_LINE_BYTES {
                return Err(too_long(start));
            }
        }
        Ok(Some((start, line)))
    }

    fn physical(&mut self) -> Result<Option<Vec<u8>>, Problem> {
        self.number += 1;
        let mut line = Vec::new();
        let failed = |error: std::io::Error| Problem {
            line: self.number,
            why: format!("reading failed: {error}"),
            cut: true,
        };
        // With its end, one that is just not too long is longer by that.
        let longest = MAX_LINE_BYTES as u64 + 2;
        self.input.by_ref().take(longest).read_until(b'\n', &mut line).map_err(failed)?;
        if line.is_empty() {
            return Ok(None);
        }
        if line.len() > MAX_LINE_BYTES && line.last() != Some(&b'\n') {
            return Err(too_long(self.number));
        }
        if line.pop() != Some(b'\n') {
            let why = "the file ends within a line, so it was cut; export it again".to_owned();
            return Err(Problem { line: self.number, why, cut: true });
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(Some(line))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn read(text: &str) -> Result<Vec<Record>, Problem> {
        let mut reader = Reader::new(text.as_bytes());
        let mut records = Vec::new();
        while let Some(record) = reader.next()? {
            records.push(record);
        }
        Ok(records)
    }

    #[test]
    fn every_way_to_write_a_record_gives_the_same() {
        let plain = "dn: cn=Ann Smith,dc=x\ncn: Ann Smith\ndescription: a b\n\n";
        let expected = read(plain).unwrap();
        for other in [
            "version: 1\n\n# note\n#  folded\n  note\ndn: cn=Ann Smith,dc=x\nCN: Ann Smith\nDescription;binary: a b\n",
            "dn: cn=Ann\n  Smith,dc=x\ncn: Ann Smi\n th\n# in between\ndescription: a\n  b\n\n\n",
            "dn:: Y249QW5uIFNtaXRoLGRjPXg=\r\ncn:: QW5uIFNt\r\n aXRo\r\ndescription:a b\r\n\r\n",
            "dn: cn=Ann Smith,dc=x\nchangetype: add\ncn: Ann Smith\ndescription:   a b\n\n# search result\nsearch: 2\nresult: 0 Success\n\n# numResponses: 2\n# numEntries: 1\n",
        ] {
            let mut records = read(other).unwrap();
            for record in &mut records {
                record.line = expected[0].line;
                record.ended = true;
            }
            assert_eq!(records, expected, "{other}");
        }
    }

    #[rstest]
    #[case("dn: cn=a\ncn: a", 2, "cut")]
    #[case("dn: cn=a\ncn: a\n\n# numEntries: 2\n", 4, "holds 2 entries, and it holds 1")]
    #[case("# extended LDIF\n#\n# LDAPv3\n\ndn: cn=a\n\n", 7, "has no end")]
    #[case("dn: cn=a\n\nresult: 4 Size limit exceeded\n", 3, "did not reach its end")]
    #[case("dn: cn=a\ncn:: QW5\n", 2, "not valid base64")]
    #[case("dn: cn=a\ncn\n", 2, "no colon")]
    #[case("dn: cn=a\nchangetype: modify\n", 2, "file of changes")]
    #[case("dn: cn=a\njpegPhoto:< file:///etc/passwd\n", 2, "another file")]
    #[case("cn: a\n", 1, "must begin with `dn:`")]
    #[case("dn: cn=a\ndn: cn=b\n", 2, "within a record")]
    #[case("version: 2\n", 1, "version 1")]
    #[case("dn:: /w==\n", 1, "not valid UTF-8")]
    fn says_what_is_wrong_and_where(#[case] text: &str, #[case] line: usize, #[case] why: &str) {
        let problem = read(text).unwrap_err();
        assert_eq!(problem.line, line, "{problem:?}");
        assert!(problem.why.contains(why), "{problem:?}");
    }

    #[rstest]
    #[case("dn: cn=a\ncn: a\n", false)]
    #[case("dn: cn=a\ncn: a\n\n", true)]
    #[case("dn: cn=a\ncn: a\n# numEntries: 1\n", true)]
    fn knows_whether_a_record_may_have_been_cut(#[case] text: &str, #[case] ended: bool) {
        assert_eq!(read(text).unwrap()[0].ended, ended);
    }

    #[test]
    fn a_line_without_an_end_is_not_read_to_its_end() {
        let mut rest = std::io::repeat(b'a').take(3 * MAX_LINE_BYTES as u64);
        let start = &b"dn: cn=a\ncn: "[..];
        let mut reader = Reader::new(std::io::BufReader::new(start.chain(&mut rest)));
        let problem = reader.next().unwrap_err();
        assert_eq!((problem.line, problem.cut), (2, false), "{problem:?}");
        assert!(problem.why.contains("longer than 64 MiB"), "{problem:?}");
        assert!(rest.limit() > MAX_LINE_BYTES as u64, "{} bytes are left", rest.limit());
    }

    #[test]
    fn counts_references_apart() {
        let text = "dn: cn=a\ncn: a\n\n# search reference\nref: ldap://b/dc=b??sub\n\n# numEntries: 1\n";
        let mut reader = Reader::new(text.as_bytes());
        assert!(reader.next().unwrap().is_some());
        assert_eq!(reader.next().unwrap(), None);
        assert_eq!(reader.references(), 1);
    }
}
