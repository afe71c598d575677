//! Conditions: a time of transition moves only when the status does.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::text::clean_within;

/// Messages are cut here: an apiserver takes no longer ones.
const LONGEST: usize = 32 * 1024;

/// A condition's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It holds.
    True,
    /// It does not.
    False,
    /// Nobody knows yet.
    Unknown,
}

/// The conditions of one object, as they are to be.
pub struct Conditions<'a> {
    before: &'a [Condition],
    generation: Option<i64>,
    now: Timestamp,
    set: Vec<Condition>,
}

impl From<bool> for Status {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

impl Status {
    fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

impl<'a> Conditions<'a> {
    /// None yet; `before` are those that stood until now.
    pub fn new(before: &'a [Condition], generation: Option<i64>, now: Timestamp) -> Self {
        Self { before, generation, now, set: Vec::new() }
    }

    /// Sets one.
    pub fn set(&mut self, type_: &str, status: Status, reason: &str, message: impl Into<String>) {
        let condition = self.one(type_, status, reason, message);
        self.set.push(condition);
    }

    /// One, as it would be set.
    pub fn one(&self, type_: &str, status: Status, reason: &str, message: impl Into<String>) -> Condition {
        let status = status.as_str();
        let before = find(self.before, type_).filter(|before| before.status == status);
        let since = before.map_or(Time(self.now), |before| before.last_transition_time.clone());
        Condition {
            type_: type_.to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            message: clean_within(&message.into(), LONGEST).into_owned(),
            last_transition_time: since,
            observed_generation: self.generation,
        }
    }

    /// Leaves one as it was, if it was, but for the generation that it is about.
    pub fn keep(&mut self, type_: &str) {
        if let Some(before) = find(self.before, type_) {
            self.set.push(Condition { observed_generation: self.generation, ..before.clone() });
        }
    }

    /// As if this one had been neither set nor kept.
    pub fn leave_out(&mut self, type_: &str) {
        self.set.retain(|condition| condition.type_ != type_);
    }

    /// Whether one stood with this status until now.
    pub fn was(&self, type_: &str, status: Status) -> bool {
        find(self.before, type_).is_some_and(|before| before.status == status.as_str())
    }

    /// Leaves all as they were.
    pub fn keep_all(&mut self) {
        for before in self.before {
            self.keep(&before.type_);
        }
    }

    /// Those that were set or kept.
    pub fn finish(self) -> Vec<Condition> {
        self.set
    }
}

/// What was shown meanwhile, while nobody could look, decides since when each stands as it does.
pub(super) fn since(conditions: &mut [Condition], shown: &[Condition], now: Timestamp) {
    for one in conditions {
        let meanwhile = find(shown, &one.type_).filter(|shown| shown.status == one.status);
        one.last_transition_time = meanwhile.map_or(Time(now), |shown| shown.last_transition_time.clone());
    }
}

/// The condition of this type.
pub fn find<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == type_)
}

/// The status of `Ready`: Unknown while nobody has said anything.
pub(super) fn ready(conditions: &[Condition]) -> String {
    find(conditions, "Ready").map_or("Unknown", |ready| &ready.status).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn conditions(before: &[Condition], status: Status, second: i64) -> Vec<Condition> {
        let mut conditions = Conditions::new(before, Some(second), at(second));
        conditions.set("Ready", status, "Because", format!("at {second}"));
        conditions.finish()
    }

    #[test]
    fn the_time_moves_with_the_status_only() {
        let first = conditions(&[], Status::True, 1);
        let second = conditions(&first, Status::True, 2);
        let third = conditions(&second, Status::False, 3);
        let times = [first, second, third].map(|conditions| conditions[0].last_transition_time.0.as_second());
        assert_eq!(times, [1, 1, 3]);
    }

    #[test]
    fn what_is_not_set_is_gone() {
        let first = conditions(&[], Status::True, 1);
        assert!(Conditions::new(&first, None, at(2)).finish().is_empty());
        let mut kept = Conditions::new(&first, Some(2), at(2));
        kept.keep("Ready");
        assert_eq!(kept.finish()[0].observed_generation, Some(2));
    }

    #[test]
    fn what_was_shown_meanwhile_counts() {
        let (before, meanwhile) = (conditions(&[], Status::True, 1), conditions(&[], Status::False, 5));
        let (mut good, mut bad) = (before, conditions(&meanwhile, Status::False, 6));
        since(&mut good, &meanwhile, at(9));
        since(&mut bad, &meanwhile, at(9));
        let time = |conditions: &[Condition]| conditions[0].last_transition_time.0.as_second();
        assert_eq!((time(&good), time(&bad)), (9, 5));
    }

    #[test]
    fn a_message_is_cut_between_characters() {
        let mut conditions = Conditions::new(&[], None, at(1));
        conditions.set("Ready", Status::False, "Because", "€".repeat(LONGEST));
        assert!(conditions.finish()[0].message.len() <= LONGEST);
    }
}
