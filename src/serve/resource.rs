//! Converts the registry's objects to SCIM resources.

use std::collections::HashMap;

use roaring::RoaringBitmap;
use serde_json::Value;

use crate::directory::{Content, SubjectKind};
use crate::scim::{Group, Member, MemberType, User};
use crate::store::StoreError;
use crate::store::registry::{Object, PolicyRegistry};

/// What a member list shows of each object: an id, a name and a kind; read when first asked for.
pub(super) struct Names<'p, 't> {
    part: &'p PolicyRegistry<'t>,
    known: HashMap<u32, Option<Member>>,
}

impl<'p, 't> Names<'p, 't> {
    pub(super) fn new(part: &'p PolicyRegistry<'t>) -> Self {
        Self { part, known: HashMap::new() }
    }

    /// Keeps the name of an object that was read anyway.
    pub(super) fn know(&mut self, object: &Object) {
        self.known.insert(object.number, Some(member(object)));
    }

    fn members(&mut self, numbers: &RoaringBitmap) -> Result<Vec<Member>, StoreError> {
        let mut members = Vec::new();
        for number in numbers {
            if !self.known.contains_key(&number) {
                let found = self.part.by_number(number)?.as_ref().map(member);
                self.known.insert(number, found);
            }
            members.extend(self.known.get(&number).cloned().flatten());
        }
        members.sort_unstable();
        Ok(members)
    }
}

/// The object as a resource that is served at `base`.
pub(super) fn resource(object: Object, names: &mut Names<'_, '_>, base: &str) -> Result<Value, StoreError> {
    let id = object.id.to_string();
    match (object.kind, object.content) {
        (SubjectKind::User, Content::User(user)) => {
            let location = format!("{base}/Users/{id}");
            let user = User::new(id, user.user_name, &user.emails, &user.attributes, object.active, location);
            Ok(serde_json::to_value(user)?)
        }
        (SubjectKind::Group, Content::Group(group)) => {
            let location = format!("{base}/Groups/{id}");
            let members = names.members(&object.members)?;
            Ok(serde_json::to_value(Group::new(
                id,
                group.display_name,
                members,
                &group.attributes,
                location,
            ))?)
        }
        _ => Err(StoreError::Damaged(format!("the registry's object {id} is of two kinds"))),
    }
}

fn member(object: &Object) -> Member {
    let r#type = match object.kind {
        SubjectKind::User => MemberType::User,
        SubjectKind::Group => MemberType::Group,
    };
    Member { display: object.content.name().to_owned(), value: object.id.to_string(), r#type }
}
