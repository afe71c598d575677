//! Questions to a target.

use crate::directory::{Content, Key, Match, SubjectKind, TargetObject};
use crate::target::{Target, TargetError, TargetReason};

/// Asks one question; no answer at all is an error too.
pub(super) async fn find<T: Target>(
    target: &T,
    kind: SubjectKind,
    by: Match,
) -> Result<Vec<TargetObject>, TargetError> {
    target.find(kind, &[by]).await.pop().unwrap_or_else(no_answer)
}

/// By what an object is found again that was to be created: by our key, or by its name where the target holds none.
pub(super) fn created<T: Target>(target: &T, kind: SubjectKind, key: Key, content: &Content) -> Match {
    if holds_key(target, kind) { Match::Key(key) } else { Match::Name(content.name().to_owned()) }
}

/// That object, among those that were found; where the target holds no key, the one with its address.
///
/// # Errors
/// When several may be it.
pub(super) fn the_created<T: Target>(
    target: &T,
    kind: SubjectKind,
    content: &Content,
    mut found: Vec<TargetObject>,
) -> Result<Option<TargetObject>, TargetError> {
    if !holds_key(target, kind) {
        found.retain(|object| has_address_of(&object.content, &target.held(content)));
        if found.len() > 1 {
            let why = "the target has several objects of one name, and it cannot be told which of them is this one; remove all but one of them";
            return Err(TargetError::new(TargetReason::InvalidAnswer, why));
        }
    }
    Ok(found.into_iter().next())
}

pub(super) fn no_answer<A>() -> Result<A, TargetError> {
    Err(TargetError::new(TargetReason::NoAnswer, "the target did not answer"))
}

pub(super) fn holds_key<T: Target>(target: &T, kind: SubjectKind) -> bool {
    target.capabilities().of(kind).is_some_and(|of| of.holds_key)
}

/// Whether they have an address in common, or neither needs one.
fn has_address_of(found: &Content, wanted: &Content) -> bool {
    match (found, wanted) {
        (Content::User(found), Content::User(wanted)) => {
            let same = |one: &String| found.emails.iter().any(|other| one.eq_ignore_ascii_case(other));
            wanted.emails.is_empty() || wanted.emails.iter().any(same)
        }
        (Content::Group(_), Content::Group(_)) => true,
        _ => false,
    }
}
