//! The lines of an LDIF text: unfolded, without their ends (RFC 2849).

use std::collections::VecDeque;
use std::io::{BufRead, Read as _};
use std::ops::Range;

use super::problem::Problem;

/// Longer than any line that a directory writes; a file with such a line is no LDIF.
pub(super) const MAX_BYTES: usize = 64 << 20;
/// Where nothing else is seen, lines from this length on may be folded: what folds does it at 76 or later.
const FOLD: usize = 70;
/// So many folds of one line are noted.
const MOST_FOLDS: usize = 10_000;
/// How UTF-8 text may begin that Windows wrote; where files were joined, in the middle.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Where it begins, counted from 1.
    pub(super) number: usize,
    pub(super) text: Vec<u8>,
    /// Whether it certainly ends where it does: at the end of a text, one without a line break does not, nor one after
    /// which a fold may have followed.
    pub(super) ended: bool,
    /// Where it was folded first.
    pub(super) folds: Vec<Fold>,
}

/// A fold: what a line holds goes on in the one behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fold {
    /// The number of the line that goes on.
    pub(super) line: usize,
    /// How long the one before it is.
    pub(super) width: usize,
    /// What of the whole text stands there.
    pub(super) part: Range<usize>,
}

/// Reads lines.
pub(super) struct Lines<R> {
    input: R,
    /// Of the line that was read last, counted from 1.
    pub(super) number: usize,
    /// Lines that were read to see whether they continue the one before, and whether they have a line break.
    ahead: VecDeque<(Vec<u8>, bool)>,
    /// Whether the text ends without a line break.
    pub(super) cut: bool,
    /// How long the shortest line is that was folded.
    fold: usize,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, number: 0, ahead: VecDeque::new(), cut: false, fold: FOLD }
    }

    pub(super) fn next(&mut self) -> Result<Option<Line>, Problem> {
        let Some((mut text, mut broken)) = self.take()? else { return Ok(None) };
        let number = self.number - self.ahead.len();
        if is_blank(&text) {
            text.clear();
        }
        let mut last = text.len();
        let mut ended = true;
        let mut folds = Vec::new();
        while !text.is_empty() {
            let next = self.take()?;
            match next {
                Some(next) if is_blank(&next.0) && (next.0.contains(&b'\t') || self.begins_record()?) => {
                    self.ahead.push_front((Vec::new(), next.1));
                    break;
                }
                Some((next, broke)) if next.first() == Some(&b' ') => {
                    self.fold = self.fold.min(last);
                    let part = text.len()..text.len() + next.len() - 1;
                    if folds.len() < MOST_FOLDS {
                        folds.push(Fold { line: self.number - self.ahead.len(), width: last, part });
                    }
                    (last, broken) = (next.len(), broke);
                    text.extend_from_slice(&next[1..]);
                }
                None => {
                    ended = broken && last < self.fold;
                    break;
                }
                Some(next) => {
                    self.ahead.push_front(next);
                    break;
                }
            }
            if text.len() > MAX_BYTES {
                return Err(too_long(number));
            }
        }
        Ok(Some(Line { number, text, ended, folds }))
    }

    fn take(&mut self) -> Result<Option<(Vec<u8>, bool)>, Problem> {
        match self.ahead.pop_front() {
            None => self.physical(),
            ahead => Ok(ahead),
        }
    }

    /// Whether a record begins with the next line, or its comment: an editor leaves blanks in the line that separates records.
    /// Before any other line, and at the end of the text, they are the end of a value that was folded there.
    fn begins_record(&mut self) -> Result<bool, Problem> {
        if self.ahead.is_empty() {
            let next = self.physical()?;
            self.ahead.extend(next);
        }
        let starts = |line: &[u8]| line.get(..3).is_some_and(|start| start.eq_ignore_ascii_case(b"dn:"));
        Ok(self.ahead.front().is_some_and(|(next, _)| next.starts_with(b"#") || starts(next)))
    }

    fn physical(&mut self) -> Result<Option<(Vec<u8>, bool)>, Problem> {
        let mut line = Vec::new();
        let number = self.number + 1;
        let failed = |error: std::io::Error| Problem {
            line: number,
            why: format!("reading failed: {error}"),
            cut: true,
        };
        // With its end, one that is just not too long is longer by that.
        let longest = MAX_BYTES as u64 + 2;
        self.input.by_ref().take(longest).read_until(b'\n', &mut line).map_err(failed)?;
        if line.is_empty() {
            return Ok(None);
        }
        self.number = number;
        if line.len() > MAX_BYTES && line.last() != Some(&b'\n') {
            return Err(too_long(self.number));
        }
        let broken = line.pop_if(|last| *last == b'\n').is_some();
        self.cut |= !broken;
        // Two of them, where a line end was converted twice.
        while line.pop_if(|last| *last == b'\r').is_some() {}
        while line.starts_with(BYTE_ORDER_MARK) {
            line.drain(..BYTE_ORDER_MARK.len());
        }
        Ok(Some((line, broken)))
    }
}

/// Whether a line has blanks and nothing else.
fn is_blank(line: &[u8]) -> bool {
    !line.is_empty() && line.iter().all(|byte| matches!(byte, b' ' | b'\t'))
}

fn too_long(line: usize) -> Problem {
    let why = "the line is longer than 64 MiB; this is not an LDIF file".to_owned();
    Problem { line, why, cut: false }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn read(text: &[u8]) -> Vec<(usize, String, bool)> {
        let mut lines = Lines::new(text);
        let mut read = Vec::new();
        while let Some(Line { number, text, ended, .. }) = lines.next().unwrap() {
            read.push((number, String::from_utf8(text).unwrap(), ended));
        }
        read
    }

    #[test]
    fn lines_are_unfolded_and_lose_ends_and_marks() {
        let read = read(b"\xef\xbb\xbfa: b\r\n c\r\n\xef\xbb\xbfd: e\n\nf:\n");
        let expected = [(1, "a: bc"), (3, "d: e"), (4, ""), (5, "f:")];
        assert_eq!(read, expected.map(|(number, text)| (number, text.to_owned(), true)));
    }

    #[rstest]
    #[case::blanks("a: b\n   \ndn: c\n", &["a: b", "", "dn: c"])]
    #[case::tab("a: b\n\t\nc: d\n", &["a: b", "", "c: d"])]
    #[case::blanks_and_tabs("a: b\n \t \nDN: d\n", &["a: b", "", "DN: d"])]
    #[case::before_a_comment("a: b\n  \n# c, d\ndn: c\n", &["a: b", "", "# c, d", "dn: c"])]
    #[case::at_the_end("a: b\n  \n", &["a: b "])]
    #[case::several("a: b\n \n\n \ndn: c\n", &["a: b", "", "", "dn: c"])]
    #[case::at_the_beginning(" \ndn: c\n", &["", "dn: c"])]
    #[case::of_a_value("a: b\n  \nc: d\n", &["a: b ", "c: d"])]
    #[case::of_a_value_that_goes_on("a: b\n  \n c\n", &["a: b c"])]
    fn a_line_of_blanks_separates_records(#[case] text: &str, #[case] expected: &[&str]) {
        let read = read(text.as_bytes());
        assert_eq!(read.iter().map(|(_, text, _)| text.as_str()).collect::<Vec<_>>(), expected);
        let ends = text.lines().collect::<Vec<_>>();
        for (number, line, _) in read.iter().filter(|(_, line, _)| !line.is_empty()) {
            assert!(line.starts_with(ends[number - 1]), "{number}: {line}");
        }
    }

    #[test]
    fn knows_where_a_line_was_folded() {
        let mut lines = Lines::new(&b"dn: a\ncn: bcd\n efg\n h\n"[..]);
        lines.next().unwrap();
        let line = lines.next().unwrap().unwrap();
        let folds = line.folds.iter().map(|fold| (fold.line, fold.width, &line.text[fold.part.clone()]));
        assert_eq!(folds.collect::<Vec<_>>(), [(3, 7, &b"efg"[..]), (4, 4, b"h")]);
    }

    #[test]
    fn line_ends_that_were_converted_twice_are_line_ends() {
        let read = read(b"dn: a\r\r\ncn: a\r\r\n\r\r\ndn: b\r\r\n");
        let texts: Vec<_> = read.iter().map(|(_, text, _)| text.as_str()).collect();
        assert_eq!(texts, ["dn: a", "cn: a", "", "dn: b"]);
    }

    /// Of the last line.
    #[rstest]
    #[case::with_a_break("mail: ada@x\n", true)]
    #[case::without("mail: ada@x", false)]
    #[case::where_lines_are_folded(
        "description: 0123456789012345678901234567890123456789012345678901234567\n",
        false
    )]
    #[case::where_this_file_folds("cn: 12345\n 67\nmail: 789\n", false)]
    #[case::shorter_than_it_folds("cn: 12345\n 67\nmail: 7\n", true)]
    #[case::in_a_fold("cn: 12345\n 67\nmail: 789\n 1234567890", false)]
    #[case::after_a_fold("cn: 12345\n 67\nmail: 789\n 12\n", true)]
    #[case::carriage_return("mail: ada@x\r", false)]
    fn a_last_line_is_certain_if_nothing_can_have_followed(#[case] text: &str, #[case] ended: bool) {
        assert_eq!(read(text.as_bytes()).last().unwrap().2, ended);
    }

    #[test]
    fn a_line_without_an_end_is_not_read_to_its_end() {
        let mut rest = std::io::repeat(b'a').take(3 * MAX_BYTES as u64);
        let start = &b"dn: cn=a\ncn: "[..];
        let mut lines = Lines::new(std::io::BufReader::new(start.chain(&mut rest)));
        let problem = lines.next().unwrap_err();
        assert_eq!((problem.line, problem.cut), (2, false), "{problem:?}");
        assert!(problem.why.contains("longer than 64 MiB"), "{problem:?}");
        assert!(rest.limit() > MAX_BYTES as u64, "{} bytes are left", rest.limit());
    }
}
