//! A record of an LDIF text: what it states, and what is wrong with it.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::attribute::{Stated, after_colon, attribute, behind_breaks};
use super::lists;
use super::problem::Problem;
use crate::source::ldap::wire::limit;
use crate::source::schema::{self, Attributes, active_directory};

/// What stands for a value that is not known: no text, so nothing that is understood.
pub(super) const UNKNOWN: &[u8] = &[0xff];

/// So many lines of a record that others may have swallowed are noted.
const MOST_SWALLOWED: usize = 10_000;

/// What is wrong with a DN that holds what stands for signs that were lost.
const LOSSY: &str = "the DN has the sign U+FFFD, so a program that converted it lost a part of it";

/// One content record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    /// Where it begins, counted from 1.
    pub(super) line: usize,
    /// As written: one, unless records ran together or the line is missing.
    pub(super) dns: Vec<String>,
    /// Whether something stands before its DN, which may be of the record before.
    pub(super) headless: bool,
    /// What it states.
    pub(super) attributes: Attributes,
    /// The same before the last line, if that line may go on.
    pub(super) certain: Attributes,
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
    pub(super) bytes: usize,
    pub(super) values: usize,
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

impl Record {
    /// One that begins at this line, and has no end yet.
    pub(super) fn at(line: usize) -> Self {
        Self { line, end: End::Open(None), ..Self::default() }
    }

    /// Notes a fold behind which something stands that looks like a line of its own.
    pub(super) fn fold(&mut self, line: usize, width: usize, name: &str, part: &[u8]) {
        if self.swallowed.len() >= MOST_SWALLOWED {
            return;
        }
        let spelled = part.split(|byte| *byte == b':').next().unwrap_or_default();
        let spelled = String::from_utf8_lossy(spelled).into_owned();
        let name = schema::name(name).into_owned();
        self.swallowed.push(Swallowed { line, name, spelled, width });
    }

    /// Takes in a line; its name.
    pub(super) fn take(&mut self, line: usize, text: &[u8]) -> Result<String, Problem> {
        let (name, stated) = match attribute(text) {
            Ok(parts) => {
                match after_colon(text) {
                    Some(b' ') => self.spaced += 1,
                    Some(first) if !b":<".contains(&first) => self.tight += 1,
                    _ => {}
                }
                let within = |other| (other, (schema::name(&parts.0).into_owned(), line));
                let mut names = behind_breaks(text).map(within);
                self.joined.extend(names.by_ref().take(MOST_SWALLOWED.saturating_sub(self.joined.len())));
                if names.next().is_some() {
                    self.ends_here(
                        line,
                        "it has more than 10000 lines behind breaks within a line (VT or FF)",
                    );
                }
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

    /// All its lines are taken in.
    pub(super) fn finish(&mut self) {
        let deleted = self.dns.iter().any(|dn| active_directory::name::is_of_deleted(dn));
        if deleted && !self.attributes.has("isdeleted") {
            self.attributes.add("isDeleted", [b"TRUE".to_vec()]);
        }
        self.headless |= self.dns.is_empty();
        if self.headless {
            let why = "it does not begin with `dn:`, so lines may be missing there";
            self.damage.get_or_insert_with(|| why.to_owned());
        }
    }

    /// What it states without its last line, whose name is this.
    pub(super) fn without(&self, last: &str) -> Attributes {
        let mut without = self.certain.clone();
        without.add(last, [UNKNOWN.to_vec()]);
        without
    }
}
