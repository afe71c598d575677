//! What a feed tells of an entry that changed, where it does not tell all of it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Entry, Stated};

/// What was told of an entry. What was not is as it was: a property that was not sent is not empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patch {
    /// What it states: what it is, its names and where it is as they are now; of everything else as much as was told.
    pub set: Entry,
    /// Neutral fields that it has no more.
    pub cleared: BTreeSet<String>,
    /// Literal attributes that it has no more.
    pub cleared_attributes: BTreeSet<String>,
    /// Whether this is enough to take for the whole of an entry that is not known; if not, why, and what to do.
    pub alone: Result<(), String>,
}

impl Patch {
    /// The entry as it is now, after what it was.
    #[must_use]
    pub fn onto(self, was: Entry) -> Entry {
        let Self { mut set, cleared, cleared_attributes, alone: _ } = self;
        if was.kind != set.kind {
            return set;
        }
        let (mut fields, mut attributes) = (was.fields, was.attributes);
        fields.retain(|field, _| !cleared.contains(field));
        attributes.retain(|name, _| !cleared_attributes.contains(name));
        fields.append(&mut set.fields);
        attributes.append(&mut set.attributes);
        Entry {
            fields,
            attributes,
            disabled: set.disabled.or(was.disabled),
            expires: set.expires.or(was.expires),
            ..set
        }
    }

    /// Whether both cannot be true of one moment.
    pub fn contradicts(&self, other: &Self) -> bool {
        let differ = |one: &BTreeMap<String, Stated>, other: &BTreeMap<String, Stated>| {
            one.iter().any(|(name, stated)| other.get(name).is_some_and(|too| too != stated))
        };
        let both = |cleared: &BTreeSet<String>, stated: &BTreeMap<String, Stated>| {
            cleared.iter().any(|name| stated.contains_key(name))
        };
        let (one, two) = (&self.set, &other.set);
        differ(&one.fields, &two.fields)
            || differ(&one.attributes, &two.attributes)
            || both(&self.cleared, &two.fields)
            || both(&other.cleared, &one.fields)
            || both(&self.cleared_attributes, &two.attributes)
            || both(&other.cleared_attributes, &one.attributes)
    }

    /// Both, the later one after this one.
    #[must_use]
    pub fn then(mut self, later: Self) -> Self {
        for (cleared, again, set) in [
            (&mut self.cleared, &later.cleared, &later.set.fields),
            (&mut self.cleared_attributes, &later.cleared_attributes, &later.set.attributes),
        ] {
            cleared.retain(|name| !set.contains_key(name));
            cleared.extend(again.iter().cloned());
        }
        let (cleared, cleared_attributes) = (self.cleared.clone(), self.cleared_attributes.clone());
        let alone = self.alone.clone().or_else(|_| later.alone.clone());
        Self { set: later.onto(self.set), cleared, cleared_attributes, alone }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::Stated;

    fn with(fields: &[(&str, &str)]) -> Entry {
        let stated = |value: &str| Stated::Values(vec![value.to_owned()]);
        let fields = fields.iter().map(|(field, value)| ((*field).to_owned(), stated(value)));
        Entry { fields: fields.collect(), ..Entry::nobody() }
    }

    fn patch(set: &[(&str, &str)], cleared: &[&str]) -> Patch {
        Patch {
            set: with(set),
            cleared: cleared.iter().map(|field| (*field).to_owned()).collect(),
            cleared_attributes: BTreeSet::new(),
            alone: Err("it is a part".to_owned()),
        }
    }

    #[test]
    fn what_was_not_told_is_as_it_was() {
        let was =
            Entry { disabled: Some(true), ..with(&[("title", "Clerk"), ("office", "7"), ("mail", "a@x")]) };
        let now = patch(&[("title", "Boss")], &["office"]).onto(was.clone());
        assert_eq!(now, Entry { disabled: Some(true), ..with(&[("title", "Boss"), ("mail", "a@x")]) });
        let mut enabled = patch(&[], &[]);
        enabled.set.disabled = Some(false);
        assert_eq!(enabled.onto(was).disabled, Some(false));
    }

    #[test]
    fn two_are_as_one_after_the_other() {
        let was = with(&[("title", "Clerk"), ("office", "7"), ("mail", "a@x")]);
        let first = patch(&[("title", "Boss"), ("mail", "b@x")], &["office"]);
        for later in [
            patch(&[("office", "8")], &["title"]),
            patch(&[("title", "Chief")], &[]),
            patch(&[], &["mail", "office"]),
        ] {
            let one_by_one = later.clone().onto(first.clone().onto(was.clone()));
            assert_eq!(first.clone().then(later).onto(was.clone()), one_by_one);
        }
        let mut whole = patch(&[], &[]);
        whole.alone = Ok(());
        assert!(
            whole.clone().then(patch(&[], &[])).alone.is_ok() && patch(&[], &[]).then(whole).alone.is_ok()
        );
    }
}
