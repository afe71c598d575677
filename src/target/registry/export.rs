//! The registry as SCIM resources.

use std::collections::HashMap;

use serde_json::Value;

use crate::directory::{Content, Owner, SubjectKind};
use crate::scim::{Group, Member, MemberType, User};
use crate::store::registry::Object;
use crate::store::{Store, StoreError};

/// Calls `each` for every user and then every group of `owner`, in order of their names. Says whether
/// the policy has a registry at all.
pub fn export(
    store: &Store,
    owner: &Owner,
    mut each: impl FnMut(Value) -> Result<(), StoreError>,
) -> Result<bool, StoreError> {
    let there = store.read_registry(owner, |part| {
        // Of everybody only what a member list shows is kept: an id, a name and a kind.
        let mut names: HashMap<u32, Member> = HashMap::new();
        part.for_each(SubjectKind::User, |object| {
            names.insert(object.number, member(&object, MemberType::User));
            each(user(owner, object)?)
        })?;
        part.for_each(SubjectKind::Group, |object| {
            names.insert(object.number, member(&object, MemberType::Group));
            Ok(())
        })?;
        part.for_each(SubjectKind::Group, |object| {
            let mut members: Vec<Member> =
                object.members.iter().filter_map(|number| names.get(&number).cloned()).collect();
            members.sort_unstable();
            each(group(owner, object, members)?)
        })
    })?;
    Ok(there.is_some())
}

fn member(object: &Object, r#type: MemberType) -> Member {
    Member { display: object.content.name().to_owned(), value: object.id.to_string(), r#type }
}

fn user(owner: &Owner, object: Object) -> Result<Value, StoreError> {
    let id = object.id.to_string();
    let location = format!("/{owner}/Users/{id}");
    let Content::User(user) = object.content else { return Err(mixed(&id)) };
    let user = User::new(id, user.user_name, &user.emails, &user.attributes, object.active, location);
    Ok(serde_json::to_value(user)?)
}

fn group(owner: &Owner, object: Object, members: Vec<Member>) -> Result<Value, StoreError> {
    let id = object.id.to_string();
    let location = format!("/{owner}/Groups/{id}");
    let Content::Group(group) = object.content else { return Err(mixed(&id)) };
    Ok(serde_json::to_value(Group::new(id, group.display_name, members, &group.attributes, location))?)
}

fn mixed(id: &str) -> StoreError {
    StoreError::Corrupt(format!("the registry's object {id} is of two kinds"))
}
