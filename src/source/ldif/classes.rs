//! Which classes those entries have that are neither user, contact nor group. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::schema::Attributes;
use crate::words::count;

/// Classes of what holds other entries, which nobody misses (lower case).
const HOLDERS: &[&str] = &[
    "top",
    "domain",
    "dcobject",
    "domaindns",
    "organization",
    "organizationalunit",
    "country",
    "locality",
    "container",
    "nscontainer",
    "builtindomain",
    "lostandfound",
    "applicationprocess",
    "subentry",
    "ldapsubentry",
    "extensibleobject",
    "uidobject",
    "simplesecurityobject",
];
/// So many classes are named.
const NAMED: usize = 5;

/// How many entries have which class.
#[derive(Debug, Default)]
pub(super) struct Classes {
    entries: u64,
    counts: BTreeMap<String, u64>,
}

impl Classes {
    /// Notes an entry.
    pub(super) fn note(&mut self, attributes: &Attributes) {
        let classes =
            attributes.all("objectclass").map(|class| String::from_utf8_lossy(class).trim().to_owned());
        let strange = |class: &String| !HOLDERS.contains(&class.to_lowercase().as_str());
        let classes: BTreeSet<String> = classes.filter(strange).collect();
        if classes.is_empty() && attributes.has("objectclass") {
            return;
        }
        self.entries += 1;
        if classes.is_empty() {
            *self.counts.entry("without an objectClass".to_owned()).or_default() += 1;
        }
        for class in classes {
            *self.counts.entry(class).or_default() += 1;
        }
    }

    /// What to say of them.
    pub(super) fn notice(&self) -> Option<String> {
        let mut counts: Vec<(&String, &u64)> = self.counts.iter().collect();
        counts.sort_by_key(|(class, count)| (std::cmp::Reverse(**count), *class));
        let named: Vec<String> =
            counts.iter().take(NAMED).map(|(class, entries)| format!("{class:.60} {entries}")).collect();
        let more = counts.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(", and {more} more") } else { String::new() };
        let entries = count(self.entries, "entry is", "entries are");
        let named = named.join(", ");
        (self.entries > 0).then(|| format!("{entries} neither user, contact nor group: {named}{more}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(entries: &[&[&str]]) -> Option<String> {
        let mut classes = Classes::default();
        for entry in entries {
            let mut attributes = Attributes::new();
            entry.iter().for_each(|class| attributes.add("objectClass", [class.as_bytes().to_vec()]));
            classes.note(&attributes);
        }
        classes.notice()
    }

    #[test]
    fn entries_that_are_passed_over_are_counted_by_class() {
        assert_eq!(noted(&[&["top", "organizationalUnit"], &["domain"]]), None);
        let one = noted(&[&["top", "device"]]).unwrap();
        assert_eq!(one, "1 entry is neither user, contact nor group: device 1");
        let three = noted(&[&["top", "device"], &["groupOfURLs"], &["device", "top"], &[]]).unwrap();
        assert_eq!(
            three,
            "4 entries are neither user, contact nor group: device 2, groupOfURLs 1, without an objectClass 1"
        );
        let many: Vec<String> = (0..9).map(|number| format!("class{number}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(noted(&[&many]).unwrap().ends_with("class4 1, and 4 more"));
    }
}
