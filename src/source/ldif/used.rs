//! The attributes that decide who is read and as whom, and what damage may have made of them: one record lacks an attribute that
//! others have, and has one whose name is one letter away; or its address is blank, as hardly any other is. Then the
//! value is unknown. Pure.

use std::collections::{BTreeSet, HashMap};

use super::lists::MEMBERS;
use super::near::is_one_edit;
use crate::source::schema::{Attributes, name};

/// Of a shorter name many others are one edit away.
const SHORTEST: usize = 4;
/// So many names of attributes are kept apart.
const MOST: usize = 10_000;

/// How often which attributes came.
#[derive(Clone, Debug, Default)]
pub(super) struct Used {
    /// In lower case.
    names: BTreeSet<String>,
    /// Those of short names too, and the ones that are more than a value.
    decisive: BTreeSet<String>,
    seen: HashMap<String, Seen>,
}

/// An attribute that came.
#[derive(Clone, Debug, Default)]
struct Seen {
    /// Of those that are used, the ones that it may be by one edit.
    near: Vec<String>,
    /// How many records have it, and how many of these say nothing under it.
    all: usize,
    blank: usize,
}

/// What hides the value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hidden {
    /// The attribute, in lower case.
    pub(super) name: String,
    /// Under which name it may stand; `None` if it is blank.
    pub(super) under: Option<String>,
}

impl Used {
    /// Of these attributes.
    pub(super) fn new(names: impl IntoIterator<Item = String>) -> Self {
        let decisive: BTreeSet<String> = names.into_iter().map(|used| name(&used).into_owned()).collect();
        let names = decisive.iter().cloned();
        let is_one = |name: &String| {
            name.len() >= SHORTEST && name != "objectclass" && !MEMBERS.contains(&name.as_str())
        };
        Self { names: names.filter(is_one).collect(), decisive, seen: HashMap::new() }
    }

    /// Whether two lines may have been made one: that of an attribute, and behind a break within it that of another one which
    /// records of this file have. One of them decides who is read and as whom. Names are in lower case.
    pub(super) fn may_be_joined(&self, one: &str, other: &str) -> bool {
        self.seen.contains_key(other) && [one, other].into_iter().any(|name| self.decisive.contains(name))
    }

    /// Whether anything rests on this attribute; its name is in lower case.
    pub(super) fn decides(&self, name: &str) -> bool {
        self.decisive.contains(name)
    }

    /// Whether records of this file have this attribute; its name is in lower case.
    pub(super) fn has(&self, name: &str) -> bool {
        self.seen.contains_key(name)
    }

    /// Notes what a record has.
    pub(super) fn note(&mut self, attributes: &Attributes) {
        for name in attributes.names() {
            if !self.seen.contains_key(name) && self.seen.len() < MOST {
                let near = |used: &&String| is_one_edit(used.as_bytes(), name.as_bytes());
                let is_used = self.names.contains(name);
                let near = self.names.iter().filter(near).filter(|_| !is_used).cloned().collect();
                self.seen.insert(name.to_owned(), Seen { near, ..Seen::default() });
            }
            if let Some(seen) = self.seen.get_mut(name) {
                seen.all += 1;
                seen.blank += usize::from(name == "mail" && is_blank(attributes, name));
            }
        }
    }

    /// The attributes whose values a record may have and does not show.
    pub(super) fn hidden(&self, attributes: &Attributes) -> Vec<Hidden> {
        let mut hidden = Vec::new();
        for name in attributes.names() {
            let Some(seen) = self.seen.get(name) else { continue };
            let is_damage = |used: &&String| {
                let of = self.seen.get(*used).map_or(0, |used| used.all);
                // One alone, and others as they should be: that is damage even if few have the attribute.
                !attributes.has(used) && (seen.all * 3 < of || seen.all == 1 && of > 0)
            };
            hidden.extend(
                seen.near
                    .iter()
                    .filter(is_damage)
                    .map(|used| Hidden { name: used.clone(), under: Some(name.to_owned()) }),
            );
            // Some exporters write an attribute that an entry does not have, without a value.
            let is_rare = seen.blank * seen.blank <= seen.all - seen.blank;
            if name == "mail" && is_rare && is_blank(attributes, name) {
                hidden.push(Hidden { name: name.to_owned(), under: None });
            }
        }
        hidden
    }
}

fn is_blank(attributes: &Attributes, name: &str) -> bool {
    attributes.all(name).all(|value| value.trim_ascii().is_empty())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn of(names: &[(&str, &str)]) -> Attributes {
        let mut attributes = Attributes::new();
        for (name, value) in names {
            attributes.add(name, [value.as_bytes().to_vec()]);
        }
        attributes
    }

    /// What is hidden in a record, among so many with a `mail` and an `employeeType`.
    #[rstest]
    #[case::a_letter_replaced(&[("mail", "a@x"), ("employeeTyqe", "a")], 6, "employeetype under employeetyqe")]
    #[case::left_out(&[("mai", "a@x"), ("employeeType", "a")], 6, "mail under mai")]
    #[case::put_in(&[("maill", "a@x"), ("employeeType", "a")], 6, "mail under maill")]
    #[case::exchanged(&[("mail", "a@x"), ("emlpoyeeType", "a")], 6, "employeetype under emlpoyeetype")]
    #[case::both(&[("mbil", "a@x"), ("employeeTypo", "a")], 6, "employeetype under employeetypo, mail under mbil")]
    #[case::blank(&[("mail", " "), ("employeeType", "a")], 6, "mail blank")]
    #[case::blank_elsewhere(&[("mail", "a@x"), ("employeeType", "")], 6, "")]
    #[case::whole(&[("mail", "a@x"), ("employeeType", "a")], 6, "")]
    #[case::beside_it(&[("mail", "a@x"), ("employeeType", "a"), ("email", "b@x")], 6, "")]
    #[case::lacks_it(&[("mail", "a@x")], 6, "")]
    #[case::two_letters(&[("mail", "a@x"), ("emploieeTyqe", "a")], 6, "")]
    #[case::few_others(&[("email", "a@x"), ("employeeType", "a")], 1, "mail under email")]
    #[case::of_no_use(&[("mail", "a@x"), ("employeeType", "a"), ("titel", "b")], 6, "")]
    fn a_value_may_stand_under_a_damaged_name(
        #[case] lines: &[(&str, &str)],
        #[case] others: usize,
        #[case] expected: &str,
    ) {
        let mut used = Used::new(["mail", "employeeType", "objectClass"].map(str::to_owned));
        let odd = of(lines);
        for _ in 0..others {
            used.note(&of(&[("mail", "b@x"), ("employeeType", "b"), ("title", "c")]));
        }
        used.note(&odd);
        let told = |Hidden { name, under }: Hidden| {
            under.map_or_else(|| format!("{name} blank"), |under| format!("{name} under {under}"))
        };
        let mut told: Vec<String> = used.hidden(&odd).into_iter().map(told).collect();
        told.sort();
        assert_eq!(told.join(", "), expected);
    }

    #[test]
    fn exporters_that_write_what_is_not_there_damage_nothing() {
        let some = of(&[("mail", "b@x")]);
        let mut used = Used::new(["mail".to_owned()]);
        let blank = of(&[("mail", "")]);
        for odd in [false, false, false, false, false, false, true, true, true] {
            used.note(if odd { &blank } else { &some });
        }
        assert_eq!(used.hidden(&blank), []);
        let mut used = Used::new(["mail".to_owned()]);
        let other = of(&[("email", "b@x")]);
        for odd in [false, false, false, false, false, false, true, true, true] {
            used.note(if odd { &other } else { &some });
        }
        assert_eq!(used.hidden(&other), []);
    }
}
