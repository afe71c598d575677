//! Primary groups: an account names its own, and need not be in the list of that group.

use std::collections::HashSet;

use super::attributes::Attributes;
use crate::directory::{Members, Reference};

/// Whose primary group is which, in one kind of directory.
pub(in crate::source) trait PrimaryGroups: Default + Send + Sync {
    /// The attribute with the number of a group.
    const NUMBER: &str;
    /// What is asked for of accounts whose primary group is to be known.
    const OF_ACCOUNT: &[&str];
    /// What to report of each account that hides its primary group; `None` if it is read all the same.
    const HIDDEN: Option<&str>;

    /// Whether the list of a group may name those too whose primary group it is.
    const ARE_LISTED: bool;

    /// The number that a group shows.
    fn number(group: &Attributes) -> Option<String>;

    /// The filter for the accounts of which the group with this number is the primary one.
    fn accounts_of(number: &str) -> String;

    /// The filter for those of the `users` who may hide theirs; `None` if nobody need be looked for. `found` says whether any account
    /// was found by the number of a group.
    fn who_hides(found: bool, users: &str) -> Option<String>;

    /// Whether this may be an account that hides its primary group.
    fn is_hidden(attributes: &Attributes) -> bool;

    /// Of groups with these numbers only, of which the accounts are asked for.
    fn asked(numbers: HashSet<String>) -> Self;

    /// Somebody hides theirs: it may be any.
    fn hide(&mut self);

    /// Records what an account that does not hide it states.
    fn note(&mut self, dn: &str, attributes: &Attributes);

    /// Adds those whose primary group it is to the members of a group.
    fn join(&self, group: &Attributes, members: &mut Members);

    /// The filter for each primary group, and the accounts that named it.
    fn groups(self) -> Vec<(String, Vec<Reference>)>;
}
