//! The registry as a stream of SCIM resources.

use serde_json::Value;

use super::resource::{Names, resource};
use crate::directory::{Owner, SubjectKind};
use crate::store::{Store, StoreError};

/// Calls `each` for every user and then every group of `owner`, in order of their names. Says whether
/// the policy has a registry at all.
///
/// # Errors
/// When the store cannot be read or is damaged.
pub fn export(
    store: &Store,
    owner: &Owner,
    mut each: impl FnMut(Value) -> Result<(), StoreError>,
) -> Result<bool, StoreError> {
    let base = format!("/{owner}");
    let there = store.read_registry(owner, |part| {
        let mut names = Names::new(part);
        part.for_each(SubjectKind::User, |object| {
            names.know(&object);
            each(resource(object, &mut names, &base)?)
        })?;
        part.for_each(SubjectKind::Group, |object| {
            names.know(&object);
            Ok(())
        })?;
        part.for_each(SubjectKind::Group, |object| each(resource(object, &mut names, &base)?))
    })?;
    Ok(there.is_some())
}
