//! What a judgement is made of.

use std::collections::HashSet;

use jiff::Timestamp;

use crate::directory::Owner;
use crate::store::hold::{Hold, Line};
use crate::store::journal::Spent;
use crate::store::link::Subjects;
use crate::store::policy::Baseline;
use crate::sync::plan::Plan;
use crate::sync::policy::Limits;

/// What a judgement is made of.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// Whose plan it is.
    pub owner: &'a Owner,
    /// The spec that it was made under.
    pub spec_hash: &'a str,
    /// What may go without asking.
    pub limits: &'a Limits,
    /// What should be done.
    pub plan: &'a Plan,
    /// What the target holds of ours.
    pub subjects: &'a Subjects,
    /// What was executed within the window.
    pub spent: &'a [Spent],
    /// How much there was at the window's start.
    pub base: Baseline,
    /// Holds that a person approved, still valid, made under this spec.
    pub approved: &'a [Hold],
    /// From whom nothing is taken because it was held before: the key of a user or group, and of a member.
    pub locked: &'a HashSet<(String, Option<String>)>,
    /// What is not planned and was held before.
    pub standing: &'a [Line],
    /// Whether that counts in the limits beside what is planned: it would be done if it could be judged.
    pub standing_counts: bool,
    /// What time it is.
    pub now: Timestamp,
}
