//! Refusals for want of a right. A service that protects some objects (its owner, the account of the token) says the same as one whose
//! token lacks a right: the first is said of a few, the second of all. Pure.

use crate::directory::SubjectKind;
use crate::store::journal::Verb;
use crate::target::{TargetError, TargetReason};

/// So many refusals are of single objects while nothing else tells.
pub(super) const FEW: usize = 5;

/// Who was refused, of what was done and to what.
#[derive(Debug, Default)]
pub(super) struct Denied(Vec<Class>);

/// What is done to objects of one kind, for which there may be a right.
#[derive(Debug)]
struct Class {
    of: (SubjectKind, Verb),
    is_done: bool,
    refused: Vec<TargetError>,
}

/// Whether it may be said of one object alone.
pub(super) fn may_be_of_one(why: &TargetError) -> bool {
    why.reason == TargetReason::AccessDenied
}

impl Denied {
    /// Notes that this was done: the right is there.
    pub(super) fn did(&mut self, of: (SubjectKind, Verb)) {
        self.class(of).is_done = true;
    }

    /// Notes a refusal, and says whether it is one of a single object, as far as is known.
    pub(super) fn is_of_one(&mut self, of: (SubjectKind, Verb), why: &TargetError) -> bool {
        let class = self.class(of);
        if !may_be_of_one(why) || (!class.is_done && class.refused.len() >= FEW) {
            return false;
        }
        if !class.is_done {
            class.refused.push(why.clone());
        }
        true
    }

    /// Why everything of one class was refused.
    pub(super) fn of_all(self) -> Option<TargetError> {
        self.0.into_iter().filter(|class| !class.is_done).find_map(|class| class.refused.into_iter().next())
    }

    fn class(&mut self, of: (SubjectKind, Verb)) -> &mut Class {
        let at = self.0.iter().position(|class| class.of == of).unwrap_or_else(|| {
            self.0.push(Class { of, is_done: false, refused: Vec::new() });
            self.0.len() - 1
        });
        &mut self.0[at]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DISABLE: (SubjectKind, Verb) = (SubjectKind::User, Verb::Disable);

    fn denied() -> TargetError {
        TargetError::new(TargetReason::AccessDenied, "this is not allowed")
    }

    #[test]
    fn a_few_are_single_objects_and_many_are_all() {
        let mut all = Denied::default();
        assert!((0..FEW).all(|_| all.is_of_one(DISABLE, &denied())));
        assert!(!all.is_of_one(DISABLE, &denied()));
        assert!(all.is_of_one((SubjectKind::User, Verb::Update), &denied()), "it is another right");
        assert_eq!(all.of_all(), Some(denied()));
    }

    #[test]
    fn while_others_are_done_each_is_one_of_its_own() {
        let mut some = Denied::default();
        assert!(some.is_of_one(DISABLE, &denied()));
        some.did(DISABLE);
        assert!((0..2 * FEW).all(|_| some.is_of_one(DISABLE, &denied())));
        assert_eq!(some.of_all(), None);
    }

    #[test]
    fn what_else_is_said_is_of_all() {
        let mut some = Denied::default();
        some.did(DISABLE);
        assert!(!some.is_of_one(DISABLE, &TargetError::new(TargetReason::Unreachable, "no answer")));
    }
}
