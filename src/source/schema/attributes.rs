//! The raw attributes of an entry, with attribute options distinguished (RFC 4512 section 2.5). Pure.
//!
//! `cn` and `cn;lang-ja` are two things: the values under the name alone count first, those under a name with options
//! only where there is no other. `;binary` is how a value came (RFC 4522), `;range=0-1499` says that it is a part, and
//! 389 Directory Server writes its replication state so, deleted values too.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::directory::attribute_type;

/// An attribute's values as they came.
type Values = Vec<Vec<u8>>;

/// What an entry states. Letter case and the order of options do not matter, however a name is written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Attributes(BTreeMap<String, Attribute>);

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Attribute {
    /// Under the name alone.
    plain: Values,
    /// Under the name with options, by these.
    tagged: BTreeMap<String, Values>,
    /// What came as a part (`member;range=0-1499`), by which part it is, if that can be understood. A file states a part in
    /// several lines.
    parts: BTreeMap<Option<Range>, Values>,
}

/// The range of values in a part, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Range {
    /// The first of them.
    pub first: usize,
    /// The last of them; `None` if it is the last of all (`*`).
    pub last: Option<usize>,
}

/// What a description says beside the attribute's name.
#[derive(Default)]
struct Options {
    /// What tells it apart from other values: languages and the like, in order.
    tags: String,
    /// That it is a part.
    is_part: bool,
    /// Which, if that can be understood.
    range: Option<Range>,
    /// That the value is there no more.
    deleted: bool,
}

impl Attributes {
    /// Nothing stated.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds values under a name, with its options if it has any.
    pub fn add(&mut self, description: &str, values: impl IntoIterator<Item = Vec<u8>>) {
        let (name, options) = split(description);
        if options.deleted {
            return;
        }
        let attribute = self.0.entry(name.into_owned()).or_default();
        if options.is_part {
            attribute.parts.entry(options.range).or_default().extend(values);
        } else if options.tags.is_empty() {
            attribute.plain.extend(values);
        } else {
            attribute.tagged.entry(options.tags).or_default().extend(values);
        }
    }

    /// The values that count. Under a name alone: those without options, or if they say nothing, those with; and the parts that
    /// came. Under a name with options: those with just these.
    pub fn values(&self, description: &str) -> impl Iterator<Item = &[u8]> + use<'_> {
        let (name, options) = split(description);
        let attribute = self.0.get(name.as_ref());
        let plain = options.tags.is_empty();
        let parts = attribute.filter(|_| plain).map(|attribute| &attribute.parts);
        let untagged = attribute.filter(|_| plain).map(|attribute| attribute.plain.as_slice());
        let whole = untagged.unwrap_or_default();
        let says_something =
            parts.is_some_and(|parts| !parts.is_empty()) || whole.iter().any(|value| is_said(value));
        let tagged =
            attribute.filter(|_| !says_something).map(|attribute| &attribute.tagged).into_iter().flatten();
        let tagged = tagged.filter(move |(tags, _)| plain || **tags == options.tags);
        let parts = parts.into_iter().flat_map(BTreeMap::values).flatten();
        whole.iter().chain(parts).chain(tagged.flat_map(|(_, values)| values)).map(Vec::as_slice)
    }

    /// Every value, whatever its options: of what is a list by its nature, such as members.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &[u8]> + use<'_> {
        let attribute = self.0.get(name).into_iter();
        let values = attribute.flat_map(|of| {
            let parts = of.parts.values().flatten();
            of.plain.iter().chain(parts).chain(of.tagged.values().flatten())
        });
        values.map(Vec::as_slice)
    }

    /// Whether an attribute of this name came, with values or without.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Whether all values of an attribute came: not those alone of a range that does not reach its end. Of no part is it known
    /// that it is the last one but of that which says so with an asterisk.
    pub fn is_whole(&self, name: &str) -> bool {
        let Some(Attribute { parts, .. }) = self.0.get(name) else { return true };
        let mut next = Some(0);
        for (range, values) in parts {
            let Some(Range { first, last }) = range else { return false };
            let fits =
                last.is_none_or(|last| last.checked_sub(*first).is_some_and(|more| more + 1 == values.len()));
            if next != Some(*first) || !fits {
                return false;
            }
            next = last.map(|last| last + 1);
        }
        parts.is_empty() || next.is_none()
    }

    /// The values that came in the part that begins with number `first`, and which that is.
    pub fn part(&self, name: &str, first: usize) -> Option<(Range, &[Vec<u8>])> {
        let mut parts = self.0.get(name)?.parts.iter();
        parts.find_map(|(range, values)| {
            let range = range.filter(|range| range.first == first)?;
            Some((range, values.as_slice()))
        })
    }

    /// The names of those of which one value stands twice under one description. An attribute's values are a set (RFC 4511
    /// section 4.1.7), so no server says that of one entry.
    pub fn doubled(&self) -> impl Iterator<Item = &str> {
        let is_doubled = |attribute: &&Attribute| {
            let parts = attribute.parts.values();
            let mut all = std::iter::once(&attribute.plain).chain(attribute.tagged.values()).chain(parts);
            all.any(|values| {
                let mut seen = HashSet::with_capacity(if values.len() > 1 { values.len() } else { 0 });
                values.len() > 1 && !values.iter().all(|value| seen.insert(value))
            })
        };
        self.0.iter().filter(move |(_, attribute)| is_doubled(attribute)).map(|(name, _)| name.as_str())
    }

    /// All that came, in one order, however it came: each name, its options, and the values as a set.
    pub fn stated(&self) -> impl Iterator<Item = (&str, String, BTreeSet<&[u8]>)> {
        self.0.iter().flat_map(|(name, Attribute { plain, tagged, parts })| {
            let plain = std::iter::once((String::new(), plain));
            let tagged = tagged.iter().map(|(tags, values)| (tags.clone(), values));
            let parts = parts.iter().map(|(range, values)| (format!("{range:?}"), values));
            let all = plain.chain(tagged).chain(parts);
            all.map(|(options, values)| (name.as_str(), options, values.iter().map(Vec::as_slice).collect()))
        })
    }

    /// Forgets an attribute.
    pub fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// The names of what came, without options, in lower case.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// The name of an attribute alone, in lower case: the usual one, whichever of its names or numbers is given.
pub fn name(description: &str) -> Cow<'_, str> {
    split(description).0
}

/// Whether a value says anything: exports write attributes without one.
pub(super) fn is_said(value: &[u8]) -> bool {
    !value.trim_ascii().is_empty()
}

/// The usual name in lower case, and what its options say.
fn split(description: &str) -> (Cow<'_, str>, Options) {
    let mut all = description.split(';');
    let name = all.next().unwrap_or_default().trim();
    let upper = name.bytes().any(|byte| byte.is_ascii_uppercase());
    let name = if upper {
        Cow::Owned(attribute_type(&name.to_ascii_lowercase()).to_owned())
    } else {
        Cow::Borrowed(attribute_type(name))
    };
    let mut options = Options::default();
    let mut tags = Vec::new();
    for option in all {
        let option = option.trim().to_ascii_lowercase();
        match option.as_str() {
            "" | "binary" => {}
            "deleted" | "deletedattribute" => options.deleted = true,
            // Such as `vucsn-5f0e…`: when the value came, for replication.
            _ if is_state(&option) => {}
            // Of a list of members, whatever else is said of it: one in another language has all of them, too.
            _ if says_part(&option) || lists_members(&name) && !option.starts_with("lang-") => {
                let range = option.strip_prefix("range=").and_then(range);
                // What is a part of a part is none that can be understood.
                options.range = range.filter(|_| !options.is_part);
                options.is_part = true;
            }
            _ => tags.push(option),
        }
    }
    tags.sort_unstable();
    tags.dedup();
    options.tags = tags.join(";");
    (name, options)
}

/// Whether it is the change number of a value or an attribute, as 389 Directory Server writes them.
fn is_state(option: &str) -> bool {
    ["vucsn-", "vdcsn-", "mdcsn-", "adcsn-", "xxcsn-"].iter().any(|state| option.starts_with(state))
}

/// `0-1499`, `1500-*`.
fn range(text: &str) -> Option<Range> {
    let (first, last) = text.split_once('-')?;
    // No list has so many that the number after the last one is none.
    let number = |text: &str| {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u32>().ok().filter(|_| digits).map(|number| number as usize)
    };
    let last = if last == "*" { None } else { Some(number(last)?) };
    Some(Range { first: number(first)?, last })
}

fn lists_members(name: &str) -> bool {
    matches!(name, "member" | "uniquemember" | "memberuid")
}

/// Whether an option says that the values are not all. Private ones begin with `x-` (RFC 4520 section 3.5).
fn says_part(option: &str) -> bool {
    let option = option.strip_prefix("x-").unwrap_or(option);
    ["range", "part", "incomplete", "trunc"].iter().any(|word| option.starts_with(word))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    /// Of lines such as `cn;lang-ja: x`.
    fn of(lines: &[&str]) -> Attributes {
        let mut attributes = Attributes::new();
        for (description, value) in lines.iter().map(|line| line.split_once(": ").unwrap()) {
            attributes.add(description, [value.as_bytes().to_vec()]);
        }
        attributes
    }

    fn values(attributes: &Attributes, description: &str) -> String {
        let values = attributes.values(description).map(|value| std::str::from_utf8(value).unwrap());
        values.collect::<Vec<_>>().join(",")
    }

    #[rstest]
    #[case::plain_first(&["cn;lang-ja: x", "cn: a"], "cn", "a")]
    #[case::plain_first_whatever_comes_first(&["cn: a", "cn;lang-ja: x"], "CN", "a")]
    #[case::tagged_alone(&["cn;lang-ja: x", "cn;lang-de: y"], "cn", "y,x")]
    #[case::nothing_said(&["cn:  ", "cn;lang-ja: x"], "cn", " ,x")]
    #[case::by_its_name(&["cn: a", "cn;lang-ja: x"], "cn;lang-ja", "x")]
    #[case::in_any_case_and_order(&["CN;X-a;Lang-JA: x", "cn;lang-ja: y"], "cn;LANG-ja;x-A", "x")]
    #[case::no_other(&["cn: a"], "cn;lang-ja", "")]
    #[case::transfer(&["userCertificate;binary: a"], "usercertificate", "a")]
    #[case::asked_with_transfer(&["userCertificate: a"], "userCertificate;binary", "a")]
    #[case::transfer_of_a_tag(&["cn;lang-ja;binary: x", "cn: a"], "cn;lang-ja", "x")]
    #[case::replication(&["sn;vucsn-5f0e: new", "sn;vucsn-5f0e;vdcsn-5f0f;deleted: old"], "sn", "new")]
    #[case::said_again(&["sn;adcsn-5f0e;vucsn-5f0f: again"], "sn", "again")]
    #[case::deleted_attribute(&["sn;adcsn-5f0e;deletedattribute;deleted: old"], "sn", "")]
    #[case::deleted_tag(&["cn;lang-ja;deleted: old", "cn;lang-ja: x"], "cn;lang-ja", "x")]
    #[case::ranged(&["member;range=0-0: a", "member;range=1-*: b"], "member", "a,b")]
    #[case::by_its_number(&["2.5.4.31: a", "OID.2.5.4.31: b"], "member", "a,b")]
    #[case::by_another_name(&["rfc822Mailbox: a", "mail: b"], "mail", "a,b")]
    #[case::asked_by_another_name(&["uid: a"], "userid", "a")]
    #[case::another_attribute_of_a_like_name(&["streetAddress: a", "street: b"], "streetAddress", "a")]
    fn a_name_gives_what_counts_under_it(
        #[case] lines: &[&str],
        #[case] asked: &str,
        #[case] expected: &str,
    ) {
        assert_eq!(values(&of(lines), asked), expected);
    }

    #[rstest]
    #[case(&["member: a"], true)]
    #[case(&["member;lang-de: a"], true)]
    #[case(&["member;range=0-*: a"], true)]
    #[case(&["member;Range=0-*: a"], true)]
    #[case(&["member;range=0-0: a"], false)]
    #[case(&["member;range=0-0: a", "member;range=1-*: b"], true)]
    #[case(&["member;range=1-*: b", "member;range=0-0: a"], true)]
    #[case::in_several_lines(&["member;range=0-*: a", "member;range=0-*: b", "member;range=0-*: c"], true)]
    #[case::parts_in_several_lines(&["member;range=0-1: a", "member;range=0-1: b", "member;range=2-3: c", "member;range=2-3: d", "member;range=4-*: e"], true)]
    #[case::lines_of_parts_mixed(&["member;range=2-*: c", "member;range=0-1: a", "member;range=2-*: d", "member;range=0-1: b"], true)]
    #[case::too_few_lines(&["member;range=0-2: a", "member;range=0-2: b", "member;range=3-*: c"], false)]
    #[case::too_many_lines(&["member;range=0-0: a", "member;range=0-0: b", "member;range=1-*: c"], false)]
    #[case::no_last_part(&["member;range=0-1: a", "member;range=0-1: b"], false)]
    #[case::two_ends(&["member;range=0-*: a", "member;range=1-*: b"], false)]
    #[case::hole(&["member;range=0-0: a", "member;range=2-*: b"], false)]
    #[case::fewer_than_said(&["member;range=0-1: a", "member;range=2-*: b"], false)]
    #[case::backwards(&["member;range=0-0: a", "member;range=1-0: b"], false)]
    #[case::no_start(&["member;range=1-*: b"], false)]
    #[case::end_not_understood(&["member;range=0-: a"], false)]
    #[case::end_not_understood(&["member;range=0-x: a"], false)]
    #[case::end_not_understood(&["member;range=0-**: a"], false)]
    #[case::too_large(&["member;range=0-99999999999999999999999: a"], false)]
    #[case::too_large_by_one(&["member;range=0-18446744073709551615: a"], false)]
    #[case::no_range(&["member;range: a"], false)]
    #[case::says_part(&["member;partial: a"], false)]
    #[case::says_part_in_private(&["member;x-partial: a"], false)]
    #[case::says_range_in_private(&["member;x-range=0-1: a"], false)]
    #[case::says_cut(&["member;x-truncated: a"], false)]
    #[case::says_incomplete(&["member;incomplete: a"], false)]
    #[case::language(&["member;lang-ra: a"], true)]
    #[case::by_its_number(&["2.5.4.31;range=0-0: a"], false)]
    #[case::says_what_is_not_known(&["member;limit=3: a"], false)]
    #[case::transfer(&["member;binary: a"], true)]
    #[case::beside_the_plain(&["member: b", "member;range=0-0: a"], false)]
    fn only_an_asterisk_is_the_end(#[case] lines: &[&str], #[case] whole: bool) {
        let attributes = of(lines);
        assert_eq!((attributes.is_whole("member"), attributes.is_whole("memberof")), (whole, true));
    }

    #[rstest]
    #[case(&["cn: a", "cn: a"], "cn")]
    #[case(&["sn: x", "cn;lang-ja: a", "cn: a", "CN;Lang-JA: a"], "cn")]
    #[case(&["member;range=0-1: a", "member;range=0-1: b"], "")]
    #[case(&["member;range=0-1: a", "member;range=0-1: a"], "member")]
    #[case(&["cn: a", "cn: A", "cn;lang-ja: a", "sn: a"], "")]
    #[case(&["cn;vucsn-5f0e: a", "cn;vucsn-5f0e;deleted: a"], "")]
    fn an_attribute_is_a_set(#[case] lines: &[&str], #[case] doubled: &str) {
        assert_eq!(of(lines).doubled().collect::<Vec<_>>().join(","), doubled);
    }

    #[test]
    fn a_name_without_values_came_all_the_same() {
        let mut attributes = Attributes::new();
        attributes.add("isDeleted", []);
        assert_eq!((attributes.has("isdeleted"), attributes.values("isdeleted").count()), (true, 0));
        attributes.add("sn;deleted", [b"old".to_vec()]);
        assert!(!attributes.has("sn"));
    }

    proptest! {
        #[test]
        fn a_translation_changes_nothing_else(
            tags in prop::collection::vec("lang-[a-z]{2}|x-[a-z]{1,3}", 1..4),
            translation in "[a-z]{0,4}",
        ) {
            let before = of(&["cn: a", "mail: m"]);
            let mut after = before.clone();
            after.add(&format!("cn;{}", tags.join(";")), [translation.clone().into_bytes()]);
            prop_assert_eq!(values(&after, "cn"), "a");
            prop_assert_eq!(values(&after, "mail"), "m");
            let reversed: Vec<String> = tags.iter().rev().map(|tag| tag.to_uppercase()).collect();
            prop_assert_eq!(values(&after, &format!("CN;{}", reversed.join(";"))), translation);
        }
    }
}
