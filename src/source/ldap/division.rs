//! A search in parts, where a server ends the whole at its limit and has no pages: by how names begin. Pure.
//!
//! What begins with the signs that were seen is searched for by each of them, and all else by that it does not. So every entry is in
//! one part at least, whatever it is called. An entry that came before a search was ended must come again in a part that reached its
//! end: else the server does not search by that attribute, and nothing of the parts is believed.

use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::decode::Raw;
use super::filter::in_brackets;
use super::search::LIMITS;
use super::wire::filter::escape;
use crate::directory::folded;
use crate::source::{Reason, SourceError};

/// The longest beginning of a name by which it is divided.
const LONGEST: usize = 32;

/// A search and its parts.
pub(super) struct Division {
    /// The attribute that is a name; without one nothing is divided.
    by: Option<&'static str>,
    /// The attribute that tells two entries of one DN apart.
    anchor: String,
    todo: Vec<Part>,
    /// Who came in the searches before, and whether in one that reached its end.
    came: HashMap<u64, bool>,
    /// Who came in the search under way.
    coming: Vec<u64>,
    /// What follows in names that begin as the part does: a sign, or a blank and a sign.
    next: BTreeSet<String>,
    /// How many parts there were so far, none if the whole came.
    pub(super) parts: u64,
}

/// Those whose names begin so, and do not go on with one of these.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Part {
    begins: String,
    without: BTreeSet<String>,
}

impl Division {
    /// The whole, which is searched for first.
    pub(super) fn by(by: Option<&'static str>, anchor: &str) -> Self {
        Self {
            by,
            anchor: anchor.to_owned(),
            todo: Vec::new(),
            came: HashMap::new(),
            coming: Vec::new(),
            next: BTreeSet::new(),
            parts: 0,
        }
    }

    /// The next part to search for.
    pub(super) fn next(&mut self) -> Option<Part> {
        let part = self.todo.pop()?;
        self.parts += 1;
        self.next.clear();
        Some(part)
    }

    /// The filter for a part of those who match `filter`.
    pub(super) fn filter(&self, part: &Part, filter: &str) -> String {
        let Some(by) = self.by else { return filter.to_owned() };
        let begins = |text: &str| format!("({by}={}*)", escape(text));
        let mut all = String::new();
        if !part.begins.is_empty() {
            all += &begins(&part.begins);
        }
        if !part.without.is_empty() {
            let without = part.without.iter().map(|next| begins(&format!("{}{next}", part.begins)));
            all.push_str("(!(|");
            all.extend(without);
            all.push_str("))");
        }
        if all.is_empty() { filter.to_owned() } else { format!("(&{}{all})", in_brackets(filter)) }
    }

    /// Notes an entry that came in this part; whether it came before in another one. Two that come in one part are two, even of one
    /// DN and one id: that is for the import to judge.
    pub(super) fn came_before(&mut self, part: &Part, raw: &Raw) -> bool {
        let Some(by) = self.by else { return false };
        for value in raw.attributes.values(by) {
            let Ok(name) = std::str::from_utf8(value) else { continue };
            self.next.extend(next_of(&part.begins, &folded(name)));
        }
        let mut hasher = DefaultHasher::new();
        raw.dn.hash(&mut hasher);
        raw.attributes.values(&self.anchor).for_each(|value| value.hash(&mut hasher));
        let entry = hasher.finish();
        self.coming.push(entry);
        self.came.contains_key(&entry)
    }

    /// The search for a part reached its end.
    pub(super) fn reached_its_end(&mut self) {
        for entry in self.coming.drain(..) {
            self.came.insert(entry, true);
        }
    }

    /// The search for a part ended with this error, and by this code if the server gave one: it is searched for in parts.
    ///
    /// # Errors
    /// That error, if it was no limit, or nothing of the names is known that would divide it.
    pub(super) fn ended(
        &mut self,
        part: &Part,
        code: Option<u32>,
        error: SourceError,
    ) -> Result<(), SourceError> {
        let is_limit = self.by.is_some() && code.is_some_and(|code| LIMITS.contains(&code));
        let new: Vec<String> = self.next.difference(&part.without).cloned().collect();
        if !is_limit || new.is_empty() || part.begins.chars().count() >= LONGEST {
            return Err(error);
        }
        for entry in self.coming.drain(..) {
            self.came.entry(entry).or_insert(false);
        }
        let begins =
            |next: &String| Part { begins: format!("{}{next}", part.begins), without: BTreeSet::new() };
        // The rest comes last.
        let children: Vec<Part> = new.iter().rev().map(begins).collect();
        let without = part.without.iter().cloned().chain(new).collect();
        self.todo.push(Part { begins: part.begins.clone(), without });
        self.todo.extend(children);
        Ok(())
    }

    /// Whether everybody who came is in a part that reached its end.
    ///
    /// # Errors
    /// If somebody is not: then the parts are not the whole.
    pub(super) fn is_whole(&self, base: &str) -> Result<(), SourceError> {
        let Some(by) = self.by.filter(|_| self.came.values().any(|sure| !sure)) else { return Ok(()) };
        let message = format!(
            "the server ended the read below {base} at one of its limits, and finds not everybody by how {by} begins, so it cannot \
             be read in parts; raise the limit for this account (in Domino the maximum number of entries returned), or allow it \
             to search by {by}; nothing of this read was used"
        );
        Err(SourceError::new(Reason::LimitExceeded, message))
    }
}

/// What follows in a name that begins so, if anything does.
fn next_of(begins: &str, name: &str) -> Option<String> {
    let rest = name.strip_prefix(begins)?;
    let signs = if rest.starts_with(' ') && !begins.is_empty() { 2 } else { 1 };
    let next: String = rest.chars().take(signs).collect();
    let is_plain = next.chars().count() == signs && !next.contains(char::is_control);
    is_plain.then_some(next)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn raw(name: &str) -> Raw {
        let mut raw = Raw { dn: format!("cn={name},o=x"), ..Raw::default() };
        raw.attributes.add("cn", [name.as_bytes().to_vec()]);
        raw
    }

    fn limit() -> SourceError {
        SourceError::new(Reason::LimitExceeded, "at a limit")
    }

    /// Whether a name is in a part, as a server finds it.
    fn is_in(part: &Part, name: &str) -> bool {
        let name = folded(name);
        let goes_on = |next: &String| name.starts_with(&format!("{}{next}", part.begins));
        name.starts_with(&part.begins) && !part.without.iter().any(goes_on)
    }

    /// Reads these at a server that gives so many at most; who came, each once, and in how many searches.
    fn read(
        names: &[String],
        at_most: usize,
        finds: impl Fn(&str) -> bool,
    ) -> Result<(Vec<String>, u64), SourceError> {
        let (mut division, mut all, mut next) =
            (Division::by(Some("cn"), "id"), Vec::new(), Some(Part::default()));
        while let Some(part) = next {
            let is_whole = part == Part::default();
            let found: Vec<&String> =
                names.iter().filter(|name| is_whole || (finds(name) && is_in(&part, name))).collect();
            for name in found.iter().take(at_most) {
                if !division.came_before(&part, &raw(name)) {
                    all.push((*name).clone());
                }
            }
            if found.len() > at_most {
                division.ended(&part, Some(4), limit())?;
            } else {
                division.reached_its_end();
            }
            next = division.next();
        }
        division.is_whole("")?;
        all.sort();
        Ok((all, division.parts))
    }

    #[test]
    fn a_part_is_a_filter() {
        let division = Division::by(Some("cn"), "id");
        let part = |begins: &str, without: &str| Part {
            begins: begins.to_owned(),
            without: without.chars().map(String::from).collect(),
        };
        let filter = |part: Part| division.filter(&part, "objectClass=x");
        assert_eq!(filter(Part::default()), "objectClass=x");
        assert_eq!(filter(part("a(", "")), "(&(objectClass=x)(cn=a\\28*))");
        assert_eq!(filter(part("", "ab")), "(&(objectClass=x)(!(|(cn=a*)(cn=b*))))");
        assert_eq!(filter(part("a", "b")), "(&(objectClass=x)(cn=a*)(!(|(cn=ab*))))");
        for part in [part("a(", ""), part("", "*\\)")] {
            assert!(super::super::filter::is_filter(&filter(part)));
        }
    }

    #[test]
    fn what_is_no_limit_or_cannot_be_divided_ends_the_read() {
        let surnames: Vec<String> = (0..40).map(|number| format!("Same  {number:02}")).collect();
        assert!(read(&surnames, 6, |_| true).is_ok(), "a blank is no end");
        let same: Vec<String> = (0..7).map(|blanks| format!("Same{}", " ".repeat(blanks))).collect();
        assert_eq!(read(&same, 6, |_| true).unwrap_err().reason, Reason::LimitExceeded);
        let (mut division, part) = (Division::by(Some("cn"), "id"), Part::default());
        division.came_before(&part, &raw("a"));
        assert!(division.ended(&part, Some(50), limit()).is_err());
        assert!(Division::by(None, "id").ended(&part, Some(4), limit()).is_err());
    }

    #[test]
    fn two_of_one_name_come_both_and_each_once() {
        let (mut division, whole) = (Division::by(Some("cn"), "id"), Part::default());
        let of = |id: &str| {
            let mut raw = raw("ada");
            raw.attributes.add("id", [id.as_bytes().to_vec()]);
            raw
        };
        assert!(!division.came_before(&whole, &of("1")));
        assert!(!division.came_before(&whole, &of("1")), "they came in one search");
        assert!(division.ended(&whole, Some(4), limit()).is_ok());
        let part = division.next().unwrap();
        assert!(division.came_before(&part, &of("1")));
        assert!(!division.came_before(&part, &of("2")), "another document with this DN");
        division.reached_its_end();
        assert!(division.is_whole("").is_ok());
    }

    #[test]
    fn parts_that_lack_somebody_who_came_are_not_believed() {
        let names: Vec<String> = ["ada", "bob", "cy", "dan"].map(str::to_owned).to_vec();
        assert!(read(&names, 3, |_| true).is_ok());
        let error = read(&names, 3, |name| name != "bob").unwrap_err();
        assert!(error.message.contains("search by cn"), "{}", error.message);
    }

    proptest! {
        #[test]
        fn everybody_comes_once_however_they_are_called(
            names in prop::collection::btree_set("[a-eA-E0-2äßж]{1,6}", 1..120),
            at_most in 8_usize..40,
        ) {
            let names: Vec<String> = names.into_iter().collect();
            // Names that differ by nothing but letter case, and more of them than the limit, are no company's.
            if let Ok((all, parts)) = read(&names, at_most, |_| true) {
                prop_assert_eq!(all, names.clone());
                prop_assert_eq!(parts == 0, names.len() <= at_most);
            }
        }
    }
}
