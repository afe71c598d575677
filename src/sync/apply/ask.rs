//! Questions to a target.

use crate::directory::{Content, Key, Match, SubjectKind, TargetObject};
use crate::store::link::{Ownership, Place};
use crate::store::{Store, StoreError};
use crate::sync::blocking;
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

/// That object, among those that were found; where the target holds no key, the one with its address that is nobody's yet: what
/// the store says is somebody's was there before.
///
/// # Errors
/// When several may be it, or the store cannot be read.
pub(super) async fn the_created<T: Target>(
    (target, store, place): (&T, &Store, Place),
    kind: SubjectKind,
    content: &Content,
    mut found: Vec<TargetObject>,
) -> Result<Option<TargetObject>, TargetError> {
    if !holds_key(target, kind) {
        found.retain(|object| is_as_created(&object.content, &target.held(content)));
        if found.len() > 1 {
            let why = "the target has several objects of one name, and it cannot be told which of them is this one; remove all but one of them";
            return Err(TargetError::new(TargetReason::InvalidAnswer, why));
        }
        if let Some(object) = found.first()
            && owner_of(store, place, object).await?.is_some()
        {
            return Ok(None);
        }
    }
    Ok(found.into_iter().next())
}

/// Which policy has an object of the target, or is about to make it its own.
///
/// # Errors
/// When the store cannot be read.
pub(super) async fn owner_of(
    store: &Store,
    place: Place,
    object: &TargetObject,
) -> Result<Option<Ownership>, TargetError> {
    let (store, object) = (store.clone(), object.clone());
    blocking(move || store.owner_of(place, &object.id, &object.content))
        .await
        .map_err(|error| store_failed(&error))
}

pub(super) fn store_failed(error: &StoreError) -> TargetError {
    TargetError::new(TargetReason::StoreFailed, error.to_string())
}

pub(super) fn no_answer<A>() -> Result<A, TargetError> {
    Err(TargetError::new(TargetReason::NoAnswer, "the target did not answer"))
}

pub(super) fn holds_key<T: Target>(target: &T, kind: SubjectKind) -> bool {
    target.capabilities().of(kind).is_some_and(|of| of.holds_key)
}

/// Whether what was found may be what was to be created: they have an address in common, or without one all is as it was to be. The
/// name alone may be anybody's.
fn is_as_created(found: &Content, wanted: &Content) -> bool {
    match (found, wanted) {
        (Content::User(found), Content::User(wanted)) => {
            let same = |one: &String| found.emails.iter().any(|other| one.eq_ignore_ascii_case(other));
            if wanted.emails.is_empty() {
                return found.emails.is_empty() && found.attributes == wanted.attributes;
            }
            wanted.emails.iter().any(same)
        }
        (Content::Group(_), Content::Group(_)) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::UserContent;

    fn user(emails: &[&str], title: &str) -> Content {
        let emails = emails.iter().map(|email| (*email).to_owned()).collect();
        let attributes = [("title".to_owned(), title.to_owned())].into_iter().collect();
        Content::User(UserContent { user_name: "ada".to_owned(), emails, attributes })
    }

    #[test]
    fn a_user_is_known_again_by_an_address_and_without_one_by_everything() {
        let wanted = user(&["ada@corp.example", "a@corp.example"], "Dr");
        assert!(is_as_created(&user(&["A@corp.example"], ""), &wanted));
        assert!(!is_as_created(&user(&[], "Dr"), &wanted));
        let bare = user(&[], "Dr");
        assert!(is_as_created(&bare, &bare));
        assert!(!is_as_created(&user(&[], ""), &bare) && !is_as_created(&wanted, &bare));
    }
}
