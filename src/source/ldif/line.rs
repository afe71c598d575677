//! The lines of an LDIF text: unfolded, without their ends (RFC 2849).

use std::io::{BufRead, Read as _};

use super::problem::Problem;

/// Longer than any line that a directory writes; a file with such a line is no LDIF.
pub(super) const MAX_BYTES: usize = 64 << 20;
/// Where nothing else is seen, lines from this length on may be folded: what folds does it at 76 or later.
const FOLD: usize = 70;
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
}

/// Reads lines.
pub(super) struct Lines<R> {
    input: R,
    /// Of the line that was read last, counted from 1.
    pub(super) number: usize,
    /// The line that was read to see that it does not continue the one before, and whether it has a line break.
    ahead: Option<(Vec<u8>, bool)>,
    /// Whether the text ends without a line break.
    pub(super) cut: bool,
    /// How long the shortest line is that was folded.
    fold: usize,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, number: 0, ahead: None, cut: false, fold: FOLD }
    }

    pub(super) fn next(&mut self) -> Result<Option<Line>, Problem> {
        let first = match self.ahead.take() {
            None => self.physical()?,
            ahead => ahead,
        };
        let Some((mut text, mut broken)) = first else { return Ok(None) };
        let number = self.number;
        let mut last = text.len();
        let mut ended = true;
        while !text.is_empty() {
            match self.physical()? {
                Some((next, broke)) if next.first() == Some(&b' ') => {
                    self.fold = self.fold.min(last);
                    (last, broken) = (next.len(), broke);
                    text.extend_from_slice(&next[1..]);
                }
                None => {
                    ended = broken && last < self.fold;
                    break;
                }
                next => {
                    self.ahead = next;
                    break;
                }
            }
            if text.len() > MAX_BYTES {
                return Err(too_long(number));
            }
        }
        Ok(Some(Line { number, text, ended }))
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
        line.pop_if(|last| *last == b'\r');
        if line.starts_with(BYTE_ORDER_MARK) {
            line.drain(..BYTE_ORDER_MARK.len());
        }
        Ok(Some((line, broken)))
    }
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
        while let Some(Line { number, text, ended }) = lines.next().unwrap() {
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
