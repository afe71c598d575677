//! LDIF content records (RFC 2849). A text that was cut or contradicts itself is refused; a record that cannot be
//! understood is given as it is, with what is wrong with it.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::BufRead;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::line::{Fold, Line, Lines};
use super::lists;
use super::problem::Problem;
use super::report::Reports;
use crate::source::ldap::wire::limit;
use crate::source::schema::{self, Attributes, active_directory};

/// What stands for a value that is not known: no text, so nothing that is understood.
pub(super) const UNKNOWN: &[u8] = &[0xff];

/// So many lines of a record that others may have swallowed are noted.
const MOST_SWALLOWED: usize = 10_000;

/// One content record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    /// Where it begins, counted from 1.
    pub(super) line: usize,
    /// As written: one, unless records ran together or the line is missing.
    pub(super) dns: Vec<String>,
    /// Whether something stands before its DN, which may be of the record before.
    headless: bool,
    /// What it states.
    pub(super) attributes: Attributes,
    /// The same before the last line, if that line may go on.
    certain: Attributes,
    /// The names of those of which a value is not known.
    pub(super) unknown: BTreeSet<String>,
    /// The names of lines that stand behind a break within another line (VT, FF), with the name and number of that line: a text
    /// may have such breaks, and damage makes them of the end of a line.
    pub(super) joined: BTreeMap<String, (String, usize)>,
    /// Lines that look as if others went on in them.
    pub(super) swallowed: Vec<Swallowed>,
    /// A hash of the lines that are no attributes.
    pub(super) broken: u64,
    /// Why it cannot be understood.
    pub(super) damage: Option<String>,
    /// Whether what is wrong with it shows that text is missing: other records may have stood there.
    pub(super) hides_others: bool,
    /// How many values begin right after their colon.
    pub(super) tight: usize,
    /// How many begin after a space.
    pub(super) spaced: usize,
    /// How much it states, beside lists of others.
    bytes: usize,
    values: usize,
    /// Whether it states more than a record may, so that no more is taken in.
    beyond: bool,
    /// Whether it certainly ends where it does, and not where the file was cut.
    pub(super) end: End,
}

/// What looks like a line of its own, and goes on in the line before it, as a blank stands before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Swallowed {
    /// Its number.
    pub(super) line: usize,
    /// The name that it has.
    pub(super) name: String,
    /// The same as it is written there.
    pub(super) spelled: String,
    /// How long the line before it is: an exporter folds each line at the same place.
    pub(super) width: usize,
}

/// How a record ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum End {
    /// By an empty line, or by the count of a report.
    #[default]
    Proven,
    /// By the end of the file, so that it may state more. Its last line's name, if that line may go on.
    Open(Option<String>),
    /// By an empty line, and lines of which it is not known whose they are follow: they may be its own.
    Torn,
}

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

/// A line of a record.
enum Stated {
    Value(Vec<u8>),
    /// It stands in another file.
    Elsewhere,
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
        let mut record = Record { line: first.number, end: End::Open(None), ..Record::default() };
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
                        Ok((name, _)) if record.swallowed.len() < MOST_SWALLOWED => {
                            let spelled = part.split(|byte| *byte == b':').next().unwrap_or_default();
                            let spelled = String::from_utf8_lossy(spelled).into_owned();
                            let name = schema::name(&name).into_owned();
                            record.swallowed.push(Swallowed { line, name, spelled, width });
                        }
                        Ok(_) => {}
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
        if record.dns.iter().any(|dn| active_directory::name::is_of_deleted(dn))
            && !record.attributes.has("isdeleted")
        {
            record.attributes.add("isDeleted", [b"TRUE".to_vec()]);
        }
        record.headless |= record.dns.is_empty();
        if record.headless {
            let why = "it does not begin with `dn:`, so lines may be missing there";
            record.damage.get_or_insert_with(|| why.to_owned());
        }
        Ok(record)
    }
}

impl Record {
    /// Takes in a line; its name.
    fn take(&mut self, line: usize, text: &[u8]) -> Result<String, Problem> {
        let (name, stated) = match attribute(text) {
            Ok(parts) => {
                match after_colon(text) {
                    Some(b' ') => self.spaced += 1,
                    Some(first) if !b":<".contains(&first) => self.tight += 1,
                    _ => {}
                }
                let within = |other| (other, (schema::name(&parts.0).into_owned(), line));
                self.joined.extend(behind_breaks(text).map(within));
                parts
            }
            Err((name, why)) => {
                let mut hasher = DefaultHasher::new();
                (self.broken, text).hash(&mut hasher);
                self.broken = hasher.finish();
                self.damage.get_or_insert_with(|| format!("line {line}: {why}"));
                return Ok(name);
            }
        };
        match (name.as_str(), stated) {
            ("changetype", Stated::Value(kind)) if kind.eq_ignore_ascii_case(b"add") => {}
            ("changetype" | "-", _) => {
                let why =
                    "this is a file of changes, not an export; give an export of the entries".to_owned();
                return Err(Problem { line, why, cut: false });
            }
            ("control", _) => {}
            ("dn", Stated::Value(dn)) => {
                if !self.dns.is_empty() {
                    let why =
                        format!("line {line}: another record starts within it; an empty line is missing");
                    self.damage.get_or_insert(why);
                    self.hides_others = true;
                }
                let dn = String::from_utf8(dn).unwrap_or_else(|error| {
                    self.damage.get_or_insert_with(|| format!("line {line}: the DN is not valid UTF-8"));
                    String::from_utf8_lossy(error.as_bytes()).into_owned()
                });
                if dn.contains(char::REPLACEMENT_CHARACTER) {
                    self.damage.get_or_insert_with(|| format!("line {line}: {LOSSY}"));
                }
                if self.dns.len() < limit::ATTRIBUTES {
                    self.dns.push(dn);
                } else {
                    self.ends_here(line, "more than 10000 records were merged");
                }
            }
            (_, Stated::Value(value)) => self.add(&name, Some(value), line),
            (_, Stated::Elsewhere) => self.add(&name, None, line),
        }
        Ok(name)
    }

    /// Takes in a value, within what an entry that a server sends may state. One beyond that is not known, as one that stands in
    /// another file.
    fn add(&mut self, description: &str, value: Option<Vec<u8>>, line: usize) {
        if self.beyond {
            return;
        }
        let name = schema::name(description);
        self.values += 1;
        if self.values > limit::VALUES {
            return self.ends_here(line, "it has more than 1000000 values");
        }
        if !self.attributes.has(&name) && self.attributes.names().len() >= limit::ATTRIBUTES {
            return self.ends_here(line, "it has more than 10000 attributes");
        }
        let value = value.filter(|value| value.len() <= limit::VALUE);
        if let Some(value) = value.as_ref().filter(|_| !lists::MEMBERS.contains(&name.as_ref())) {
            self.bytes += value.len();
        }
        let value = value.filter(|_| self.bytes <= limit::ENTRY);
        if value.is_none() {
            self.unknown.insert(name.clone().into_owned());
        }
        let value = value.map_or_else(|| UNKNOWN.to_vec(), schema::lossy);
        self.attributes.add(description, [value]);
    }

    /// It states more than any entry does: nothing further is taken in.
    fn ends_here(&mut self, line: usize, why: &str) {
        self.damage.get_or_insert_with(|| format!("line {line}: {why}"));
        (self.beyond, self.hides_others) = (true, true);
    }

    /// What it states without its last line, whose name is this.
    pub(super) fn without(&self, last: &str) -> Attributes {
        let mut without = self.certain.clone();
        without.add(last, [UNKNOWN.to_vec()]);
        without
    }
}

/// What is wrong with a line that holds what no text does.
const CONTROL: &str = "it has control characters, so the text was damaged there";

/// What is wrong with a DN that holds what stands for signs that were lost.
const LOSSY: &str = "the DN has the sign U+FFFD, so a program that converted it lost a part of it";

/// Whether a line holds control characters: text has none but tabs and the breaks that word processors put into it.
fn has_control(text: &[u8]) -> bool {
    text.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t' && !BREAKS.contains(byte))
}

/// Breaks that word processors put into a text.
const BREAKS: [u8; 2] = [0x0b, 0x0c];

/// The names of lines behind breaks within a line.
fn behind_breaks(text: &[u8]) -> impl Iterator<Item = String> {
    let parts = text.split(|byte| BREAKS.contains(byte)).skip(1);
    parts.filter_map(|part| Some(schema::name(&attribute(part).ok()?.0).into_owned()))
}

/// An attribute's name begins with a letter, or is an OID (RFC 4512, 1.4). Exporters write `_` too.
fn is_name(name: &[u8]) -> bool {
    let valid = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    let of_oid = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    match name.first() {
        Some(first) if first.is_ascii_alphabetic() || *first == b'_' => name.iter().all(valid),
        Some(first) => first.is_ascii_digit() && name.iter().all(of_oid),
        None => false,
    }
}

/// What stands right after the colon: hardly any exporter begins a value there.
fn after_colon(text: &[u8]) -> Option<u8> {
    text.iter().skip_while(|byte| **byte != b':').nth(1).copied()
}

/// `name[;options]: value`, `name:: base64`. The name in lower case, with its options; or with what is wrong.
fn attribute(text: &[u8]) -> Result<(String, Stated), (String, String)> {
    let colon = text.iter().position(|byte| *byte == b':');
    let (description, rest) = text.split_at(colon.unwrap_or(text.len()));
    let name = String::from_utf8_lossy(description).to_lowercase();
    let Some(rest) = rest.get(1..) else {
        if name == "-" {
            return Ok((name, Stated::Elsewhere));
        }
        let why = "it has no colon; if it belongs to the line before, a space is missing at its start";
        return Err((name, why.to_owned()));
    };
    let bare = name.split(';').next().unwrap_or_default();
    // A blank is in no name, and in no option: so the line came to this otherwise than by an exporter.
    if !is_name(bare.as_bytes()) || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
        let shown: String = String::from_utf8_lossy(description).chars().take(40).collect();
        return Err((name, format!("{shown:?} is before the colon, and is not an attribute name")));
    }
    if let Some(encoded) = rest.strip_prefix(b":") {
        let value = STANDARD.decode(encoded.trim_ascii());
        return value.map_or_else(
            |_| Err((name.clone(), format!("the value of {name} is not valid base64"))),
            |value| Ok((name.clone(), Stated::Value(value))),
        );
    }
    if rest.starts_with(b"<") {
        return Ok((name, Stated::Elsewhere));
    }
    let start = rest.iter().position(|byte| *byte != b' ').unwrap_or(rest.len());
    Ok((name, Stated::Value(rest[start..].to_vec())))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn read(text: &str) -> Result<(Vec<Record>, Ending), Problem> {
        let mut reader = Reader::new(text.as_bytes());
        let mut records = Vec::new();
        while let Some(record) = reader.next()? {
            records.push(record);
        }
        Ok((records, reader.ending()))
    }

    fn records(text: &str) -> Vec<Record> {
        read(text).unwrap().0
    }

    #[test]
    fn every_way_to_write_a_record_gives_the_same() {
        let expected = records("dn: cn=Ann Smith,dc=x\ncn: Ann Smith\ndescription: a b\n\n");
        for other in [
            "version: 1\n\n# note\n#  folded\n  note\ndn: cn=Ann Smith,dc=x\nCN: Ann Smith\nDescription;binary: a b\n",
            "dn: cn=Ann\n  Smith,dc=x\ncn: Ann Smi\n th\n# in between\ndescription: a\n  b\n\n\n",
            "dn:: Y249QW5uIFNtaXRoLGRjPXg=\r\ncn:: QW5uIFNt\r\n aXRo\r\ndescription:a b\r\n\r\n",
            "\u{feff}dn: cn=Ann Smith,dc=x\nchangetype: add\ncn: Ann Smith\ndescription:   a b\n\n# search result\nsearch: 2\nresult: 0 Success\n\n# numResponses: 2\n# numEntries: 1\n",
        ] {
            let mut records = records(other);
            for record in &mut records {
                record.line = expected[0].line;
                record.certain = Attributes::new();
                (record.tight, record.spaced) = (expected[0].tight, expected[0].spaced);
                (record.bytes, record.values) = (expected[0].bytes, expected[0].values);
                record.end = End::Proven;
            }
            assert_eq!(records, expected, "{other}");
        }
    }

    const HEAD: &str = "# extended LDIF\n#\n# LDAPv3\n# base <dc=x> with scope subtree\n#\n\n";
    const DONE: &str = "# search result\nsearch: 2\nresult: 0 Success\n";

    #[rstest]
    #[case("dn: cn=a\ncn: a\n\n# numEntries: 2\n", 4, "has 2 entries, and it has 1")]
    #[case("dn: cn=a\ncn: a\n\n# total number of entries: 0", 4, "has 0 entries, and it has 1")]
    #[case::count_by_hand("dn: cn=a\ncn: a\n\n#numentries: 2\n", 4, "has 2 entries, and it has 1")]
    #[case::count_of_ldbsearch(
        "dn: cn=a\ncn: a\n\n# returned 3 records\n# 2 entries\n# 1 referrals\n",
        5,
        "has 2 entries, and it has 1"
    )]
    #[case("# LDAPv3\n\ndn: cn=a\n\n", 4, "has no end")]
    #[case::followed_by_an_empty_one(
        "# LDAPv3\n\ndn: cn=a\n\n# LDAPv3\n\nresult: 0 Success\n\n# numResponses: 1\n",
        5,
        "has no end"
    )]
    #[case::followed_by_a_whole_one(
        "# LDAPv3\n\ndn: cn=a\n\n# LDAPv3\n\ndn: cn=b\n\nresult: 0 Success\n\n# numResponses: 2\n# numEntries: 1\n",
        5,
        "has no end"
    )]
    #[case("# LDAPv3\n\nresult: 0 Success\n\n", 4, "has no end")]
    #[case("# LDAPv3\n\n# numResponses: 1\n", 3, "has no end")]
    #[case("# LDAPv3\n\ndn: cn=a\n\nresult: 0 Success\n\n# numResponses: 1\n", 7, "has no end")]
    #[case("dn: cn=a\n\nresult: 4 Size limit exceeded\n", 3, "did not reach its end")]
    #[case("dn: cn=a\nchangetype: modify\n", 2, "file of changes")]
    #[case("dn: cn=a\nadd: mail\nmail: a@x\n-\n\n", 4, "file of changes")]
    #[case("version: 2\n", 1, "version 1")]
    #[case("dn: cn=a\n\npagedresults: estimate=4 cookie=PAA=\n", 3, "there are more")]
    #[case("dn: cn=a\n\npagedresults: cookie=PAA=\n# numEntries: 1\n", 4, "there are more")]
    #[case::control_with_a_cookie(
        "dn: cn=a\n\ncontrol: 1.2.840.113556.1.4.319 false MAYCAQAEAXg=\n# numEntries: 1\n",
        4,
        "there are more"
    )]
    #[case::critical_control(
        "dn: cn=a\n\ncontrol: 1.2.840.113556.1.4.319 true MAYCAQAEAXg=\n\n",
        4,
        "there are more"
    )]
    #[case::control_of_no_meaning(
        "dn: cn=a\n\ncontrol: 1.2.840.113556.1.4.319 false MA==\n",
        3,
        "there are more"
    )]
    #[case::control_without_a_value("dn: cn=a\n\ncontrol: 1.2.840.113556.1.4.319\n", 3, "there are more")]
    #[case::cookie_in_a_comment("dn: cn=a\n\n# pagedresults: estimate=4 cookie=PAA=\n", 3, "there are more")]
    #[case::control_in_a_comment(
        "dn: cn=a\n\n# control: 1.2.840.113556.1.4.319 false MAYCAQAEAXg=\n",
        3,
        "there are more"
    )]
    #[case("dn: cn=a\n\n# numEntries: 1\ndn: cn=b\n\n# numEntries: 2\n", 6, "has 2 entries, and it has 1")]
    fn says_what_is_wrong_with_the_whole_and_where(
        #[case] text: &str,
        #[case] line: usize,
        #[case] why: &str,
    ) {
        let problem = read(text).unwrap_err();
        assert_eq!(problem.line, line, "{problem:?}");
        assert!(problem.why.contains(why), "{problem:?}");
    }

    #[rstest]
    #[case::base64("dn: cn=a\ncn:: QW5\n\n", "line 2: the value of cn is not valid base64")]
    #[case::colon("dn: cn=a\ncn\n\n", "line 2: it has no colon")]
    #[case::name("dn: cn=a\nfirst name: A\n\n", "line 2: \"first name\" is before the colon")]
    #[case::start("cn: a\n\n", "does not begin with `dn:`")]
    #[case::together("dn: cn=a\nsn: a\ndn: cn=b\nsn: b\n\n", "line 3: another record starts within it")]
    #[case::dn("dn:: /w==\n\n", "line 1: the DN is not valid UTF-8")]
    #[case::late("entryUUID: a\ndn: cn=a\nsn: a\n\n", "does not begin with `dn:`")]
    #[case::blank("dn: cn=a\nmember : cn=b\n\n", "line 2: \"member \" is before the colon")]
    #[case::blank_in_an_option("dn: cn=a\nmember;range=0- 1: cn=b\n\n", "is before the colon")]
    #[case::elsewhere("dn:< file:///tmp/dn\n\n", "does not begin with `dn:`")]
    fn says_what_is_wrong_with_a_record_and_goes_on(#[case] text: &str, #[case] why: &str) {
        let records = records(&format!("{text}dn: cn=z\ncn: z\n\n"));
        let damage = records[0].damage.as_deref().unwrap_or_default();
        assert!(damage.contains(why), "{damage}");
        assert_eq!((records.len(), records[1].dns.concat().as_str(), &records[1].damage), (2, "cn=z", &None));
    }

    /// In whatever line of a record control characters stand, something may be missing there.
    #[rstest]
    #[case::in_a_value("dn: cn=a\nsn: b\0\0\nuid: a\n\n")]
    #[case::in_a_name("dn: cn=a\n\x01sn: b\n\n")]
    #[case::over_lines("dn: cn=a\nsn: b\0\0\0\0\0l: Rome\n\n")]
    #[case::in_a_comment("dn: cn=a\n# \0\0\n\n")]
    #[case::in_the_dn("dn: cn=a\x1f\n\n")]
    #[case::before_the_dn("\0\0dn: cn=a\n\n")]
    #[case::delete("dn: cn=a\nsn: b\x7f\n\n")]
    #[case::carriage_return("dn: cn=a\nsn: b\rc\n\n")]
    fn control_characters_are_damage(#[case] text: &str) {
        let records = records(&format!("{text}dn: cn=z\ncn: z\n\n"));
        assert!(records[0].damage.is_some() && records[0].hides_others, "{records:?}");
        assert!(records[1].damage.is_none() && !records[1].hides_others);
    }

    #[test]
    fn a_comment_between_records_that_is_damaged_may_have_held_others() {
        let doubt = |text| read(text).unwrap().1.doubt;
        assert!(doubt("dn: cn=a\n\n# b\0\0\0\n\n").is_some_and(|why| why.contains("line 3")));
        assert_eq!(doubt("dn: cn=a\n\n# b\n\n"), None);
        let text = "dn: cn=a\nsn: a\tb\nl: c\x0bd\n\n";
        assert_eq!(records(text)[0].damage, None, "text may have tabs");
    }

    #[rstest]
    #[case::value(&format!("photo: {}\n", "a".repeat(limit::VALUE + 1)), "photo")]
    #[case::entry(&format!("photo: {}\n", "a".repeat(limit::VALUE / 2)).repeat(9), "cn photo")]
    #[case::as_much_as_may_be(&format!("photo: {}\n", "a".repeat(limit::VALUE)), "")]
    fn what_is_beyond_the_bounds_of_an_entry_is_not_known(#[case] lines: &str, #[case] unknown: &str) {
        let records = records(&format!("dn: cn=a\n{lines}cn: a\n\n"));
        assert_eq!(records[0].unknown.iter().cloned().collect::<Vec<_>>().join(" "), unknown);
        assert_eq!(records[0].damage, None);
    }

    #[rstest]
    #[case::attributes(&(0..=limit::ATTRIBUTES).map(|at| format!("a{at}: x\n")).collect::<Vec<_>>().concat(), "more than 10000 attributes")]
    #[case::attributes_elsewhere(&(0..=limit::ATTRIBUTES).map(|at| format!("a{at}:< x\n")).collect::<Vec<_>>().concat(), "more than 10000 attributes")]
    #[case::records(&"dn: cn=b\n".repeat(limit::ATTRIBUTES), "another record starts within it")]
    fn a_record_states_no_more_than_an_entry_may(#[case] lines: &str, #[case] why: &str) {
        let records = records(&format!("dn: cn=a\n{lines}cn: a\n\ndn: cn=z\ncn: z\n\n"));
        let damage = records[0].damage.as_deref().unwrap_or_default();
        assert!(damage.contains(why) && records[0].hides_others, "{damage}");
        assert!(!records[0].attributes.has("cn") && records[1].damage.is_none());
    }

    #[test]
    fn a_list_may_be_long() {
        let member = format!("member: cn={}\n", "a".repeat(1 << 10));
        let records = records(&format!("dn: cn=a\n{}\n", member.repeat(5000)));
        assert_eq!(records[0].damage, None);
    }

    #[rstest]
    #[case("member", true)]
    #[case("first_name", true)]
    #[case("_type", true)]
    #[case("2.5.4.31", true)]
    #[case("x-500", true)]
    #[case("64mber", false)]
    #[case("-ember", false)]
    #[case(".5.4.31", false)]
    #[case("mem$er", false)]
    #[case("", false)]
    fn a_name_begins_with_a_letter_or_is_an_oid(#[case] name: &str, #[case] expected: bool) {
        assert_eq!(is_name(name.as_bytes()), expected);
    }

    #[test]
    fn odd_names_and_values_that_stand_elsewhere_are_taken() {
        let records = records("dn: cn=a\nfirst_name: A\njpegPhoto:< file:///tmp/photo\nsn: a\n\n");
        let [record] = records.as_slice() else { panic!("{records:?}") };
        assert_eq!((&record.damage, record.attributes.values("first_name").count()), (&None, 1));
        assert_eq!(record.unknown, BTreeSet::from(["jpegphoto".to_owned()]));
    }

    #[rstest]
    #[case::torn("dn: cn=a\ncn: a\n\nsn: a\n\n", End::Torn)]
    #[case::torn_before_another("dn: cn=a\ncn: a\n\nsn: a\ndn: cn=b\n\n", End::Torn)]
    #[case("dn: cn=a\ncn: a\n", End::Open(None))]
    #[case("dn: cn=a\ncn: a", End::Open(Some("cn".to_owned())))]
    #[case("dn: cn=a", End::Open(Some("dn".to_owned())))]
    #[case("dn: cn=a\ncn: a\n\n", End::Proven)]
    #[case("dn: cn=a\ncn: a\n# numEntries: 1\n", End::Proven)]
    #[case("dn: cn=a\ncn: a\n# a comment\n", End::Open(None))]
    fn knows_whether_a_record_may_have_been_cut(#[case] text: &str, #[case] end: End) {
        assert_eq!(records(text)[0].end, end);
    }

    #[rstest]
    #[case::whole("dn: cn=a\ncn: a\n\n", "")]
    #[case::blank_after_the_version("version: 1 \n\ndn: cn=a\ncn: a\n\n", "")]
    #[case::no_empty_line("dn: cn=a\ncn: a\n", "")]
    #[case::no_line_break("dn: cn=a\ncn: a", "within a line")]
    #[case::in_a_comment("dn: cn=a\ncn: a\n\n# next", "within a line")]
    #[case::last_page_by_its_control(&format!("{HEAD}dn: cn=a\n\n{DONE}control: 1.2.840.113556.1.4.319 false MAYCAQAEAXg=\n{HEAD}dn: cn=b\n\n{DONE}control: 1.2.840.113556.1.4.319 false MAUCAQAEAA==\n\n# numEntries: 2\n"), "")]
    #[case::another_control(&format!("{HEAD}dn: cn=a\n\n{DONE}control: 1.2.840.113556.1.4.474 false MAMKAQA=\n\n# numEntries: 1\n"), "")]
    #[case::ldap3("version: 1\ndn: cn=a\ncn: a\n\n# total number of entries: 1", "")]
    #[case::ldap3_counts_references(
        "dn: cn=a\ncn: a\n\n# total number of entries: 4",
        "entries and references"
    )]
    #[case::ldbsearch("dn: cn=a\ncn: a\n\n# returned 2 records\n# 1 entries\n# 1 referrals\n", "")]
    #[case::a_remark("# 5 entries\ndn: cn=a\ncn: a\n\n", "")]
    #[case::report(&format!("{HEAD}dn: cn=a\n\n{DONE}\n# numResponses: 2\n# numEntries: 1\n"), "")]
    #[case::report_without_result(&format!("{HEAD}dn: cn=a\n\n# search result\n\n# numEntries: 1\n"), "do not use -L")]
    #[case::two_reports(&format!("{HEAD}dn: cn=a\n\n{DONE}\n# numEntries: 1\n{HEAD}dn: cn=b\n\n{DONE}\n# numEntries: 1\n"), "")]
    #[case::a_second_one_that_found_nobody(&format!("{HEAD}dn: cn=a\n\n{DONE}\n# numResponses: 2\n# numEntries: 1\n{HEAD}{DONE}\n# numResponses: 1\n"), "")]
    #[case::a_first_one_that_found_nobody(&format!("{HEAD}{DONE}\n# numResponses: 1\n{HEAD}dn: cn=a\n\n{DONE}\n# numResponses: 2\n# numEntries: 1\n"), "")]
    #[case::pages(&format!("{HEAD}dn: cn=a\n\n{DONE}control: 1.2 false MA==\npagedresults: cookie=PA==\n{HEAD}dn: cn=b\n\n{DONE}pagedresults: cookie=\n\n# numEntries: 2\n"), "")]
    fn knows_whether_all_entries_stand_in_it(#[case] text: &str, #[case] doubt: &str) {
        let ending = read(text).unwrap().1.doubt.unwrap_or_default();
        assert!(ending.contains(doubt) && ending.is_empty() == doubt.is_empty(), "{ending}");
    }

    #[rstest]
    #[case::plain("dn: cn=a\ncn: a\n\n", false)]
    #[case::result("dn: cn=a\ncn: a\n\nresult: 0 Success\n", false)]
    #[case::counted("dn: cn=a\ncn: a\n\n# numEntries: 1\n", true)]
    #[case::ldap3("dn: cn=a\ncn: a\n\n# total number of entries: 1", true)]
    #[case::more_after_the_count("dn: cn=a\ncn: a\n\n# numEntries: 1\n\ndn: cn=b\ncn: b\n\n", false)]
    fn knows_whether_a_file_shows_its_end(#[case] text: &str, #[case] shown: bool) {
        assert_eq!(read(text).unwrap().1.shown, shown);
    }

    #[test]
    fn counts_references_apart() {
        let text = "dn: cn=a\ncn: a\n\n# search reference\nref: ldap://b/dc=b??sub\n\n# numEntries: 1\n";
        assert_eq!(read(text).unwrap().1.references, 1);
    }
}
