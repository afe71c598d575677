//! Claims: which policy has which object at a target. Taken in the transaction of the intent, before the target hears of
//! it, and unique for each object: two policies never both take one.

use rusqlite::{OptionalExtension as _, Transaction, params};

use super::place::{self, Place};
use super::{Store, StoreError};
use crate::directory::{Content, Owner, SubjectKind, TargetId};

/// Which policy an object at the target belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// The one that asks.
    Ours,
    /// Another.
    Of(Owner),
}

impl Store {
    /// Which policy has this object, or is about to make one of this content its own.
    ///
    /// # Errors
    /// When the store cannot be read or is damaged.
    pub fn owner_of(
        &self,
        of: Place,
        object: &TargetId,
        content: &Content,
    ) -> Result<Option<Ownership>, StoreError> {
        self.read(|reader| {
            let claimed = claimed(reader, of, &object_of(content.kind(), object))?;
            let reserved = [id(content.kind(), object), named(content)];
            let mut rivals = reserved.iter().map(|what| reserved_by_another(reader, of, what));
            let whose = match claimed {
                None => rivals.find_map(Result::transpose).transpose()?,
                claimed => claimed,
            };
            Ok(whose.and_then(|(policy, name)| {
                if policy == of.policy {
                    Some(Ownership::Ours)
                } else {
                    place::owner(&name).map(Ownership::Of)
                }
            }))
        })
    }
}

/// A policy's number, and its name in the store.
type Whose = (i64, String);

/// An object's id as it is written: at some targets a user and a group may have the same one.
fn object_of(kind: SubjectKind, id: &TargetId) -> String {
    match kind {
        SubjectKind::User => id.to_string(),
        SubjectKind::Group => format!("group\u{1f}{id}"),
    }
}

fn claimed(reader: &Transaction<'_>, at: Place, object: &str) -> Result<Option<Whose>, StoreError> {
    let found = reader
        .prepare_cached(
            "SELECT policy.id, policy.owner FROM claim JOIN policy ON policy.id = claim.policy
             WHERE claim.target = ?1 AND claim.object = ?2",
        )?
        .query_row(params![at.target, object], |row| Ok((row.get(0)?, row.get(1)?)));
    Ok(found.optional()?)
}

fn reserved_by_another(reader: &Transaction<'_>, at: Place, what: &str) -> Result<Option<Whose>, StoreError> {
    let found = reader
        .prepare_cached(
            "SELECT policy.id, policy.owner FROM reservation JOIN policy ON policy.id = reservation.policy
             WHERE reservation.target = ?1 AND reservation.what = ?2 AND reservation.policy <> ?3",
        )?
        .query_row(params![at.target, what, at.policy], |row| Ok((row.get(0)?, row.get(1)?)));
    Ok(found.optional()?)
}

/// What an intent makes the policy's own.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wanted<'a> {
    /// An object that is to be made.
    New(&'a Content),
    /// One that is there.
    Object(SubjectKind, &'a TargetId),
}

impl Wanted<'_> {
    fn text(self) -> String {
        match self {
            Self::New(content) => named(content),
            Self::Object(kind, object) => id(kind, object),
        }
    }
}

fn id(kind: SubjectKind, object: &TargetId) -> String {
    format!("id {}", object_of(kind, object))
}

fn named(content: &Content) -> String {
    let kind = match content.kind() {
        SubjectKind::User => "user",
        SubjectKind::Group => "group",
    };
    format!("{kind} {}", content.name_key())
}

/// The other policy that has this, if one has.
pub(super) fn rival(
    reader: &Transaction<'_>,
    at: Place,
    wanted: Wanted<'_>,
) -> Result<Option<Owner>, StoreError> {
    let mut whose = reserved_by_another(reader, at, &wanted.text())?;
    if let (None, Wanted::Object(kind, object)) = (&whose, wanted) {
        whose = claimed(reader, at, &object_of(kind, object))?.filter(|(policy, _)| *policy != at.policy);
    }
    Ok(whose.and_then(|(_, name)| place::owner(&name)))
}

/// Takes what this intent is about to make the policy's own.
pub(super) fn reserve(
    writer: &Transaction<'_>,
    at: Place,
    wanted: Wanted<'_>,
    intent: i64,
) -> Result<(), StoreError> {
    writer
        .prepare_cached(
            "INSERT OR REPLACE INTO reservation (target, what, policy, intent) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![at.target, wanted.text(), at.policy, intent])?;
    Ok(())
}

/// Whether a policy is about to make anything its own.
pub(super) fn is_any_reserved(reader: &Transaction<'_>, at: Place) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM reservation WHERE target = ?1)";
    Ok(reader.prepare_cached(sql)?.query_row([at.target], |row| row.get(0))?)
}

/// The intent is settled.
pub(super) fn release(writer: &Transaction<'_>, at: Place, intent: i64) -> Result<(), StoreError> {
    let sql = "DELETE FROM reservation WHERE target = ?1 AND intent = ?2";
    writer.prepare_cached(sql)?.execute([at.target, intent])?;
    Ok(())
}

/// Makes the object the policy's own. Returns whether it is: what another one has stays its own.
pub(super) fn take(
    writer: &Transaction<'_>,
    at: Place,
    kind: SubjectKind,
    object: &TargetId,
) -> Result<bool, StoreError> {
    // What is told must be what is done: the order of the two conditions matters.
    let taken = writer
        .prepare_cached(
            "INSERT OR REPLACE INTO claim (target, object, policy) SELECT ?1, ?2, ?3 WHERE CASE
                 WHEN EXISTS (SELECT 1 FROM claim WHERE target = ?1 AND object = ?2 AND policy <> ?3) THEN 0
                 ELSE put_claim(?1, ?2, ?3) END",
        )?
        .execute(params![at.target, object_of(kind, object), at.policy])?;
    Ok(taken > 0)
}

/// The object is not the policy's own any more.
pub(super) fn give_back(
    writer: &Transaction<'_>,
    at: Place,
    kind: SubjectKind,
    object: &TargetId,
) -> Result<(), StoreError> {
    writer
        .prepare_cached("DELETE FROM claim WHERE target = ?1 AND object = ?2 AND policy = ?3")?
        .execute(params![at.target, object_of(kind, object), at.policy])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;
    use roaring::RoaringBitmap;

    use super::*;
    use crate::directory::{GroupContent, SubjectId, UserContent};
    use crate::store::journal::{Done, Effect, IntentOutcome, Verb};
    use crate::store::link::Link;

    fn person() -> Content {
        Content::User(UserContent { user_name: "somebody".to_owned(), ..UserContent::default() })
    }

    fn effect(verb: Verb, object: &str, name: &str) -> Effect {
        let content = Content::User(UserContent { user_name: name.to_owned(), ..UserContent::default() });
        let link = Link {
            target: TargetId(object.into()),
            confirmed: Arc::new(content),
            active: true,
            members: RoaringBitmap::new(),
            leaving: None,
        };
        Effect { subject: SubjectId(1), verb, link: Some(link), spends: Vec::new(), approved: false }
    }

    /// What became of an intent until now.
    enum Became {
        Open,
        Nothing,
        This(Effect),
    }

    /// What the second policy is told when it wants something after the first one does.
    fn second(first: Effect, became: Became, second: &Effect) -> Result<(), Owner> {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let [one, other] = ["one", "other"]
            .map(|name| store.place(&Owner::new("test", name), "scim:https://shared.example").unwrap());
        let intent = store.advance(one, "run", true, &[], &[first]).unwrap().remove(0).unwrap();
        let effect = match became {
            Became::Open => None,
            Became::Nothing => Some(None),
            Became::This(effect) => Some(Some(effect)),
        };
        if let Some(effect) = effect {
            let settled = vec![IntentOutcome { intent: Some(intent), effect }];
            let done = Done { at: Timestamp::UNIX_EPOCH, settled, along: Vec::new() };
            store.settle(one, "run", &done).unwrap();
        }
        let told = store.advance(other, "run", true, &[], [second]).unwrap().remove(0);
        // Whoever is refused leaves no trace.
        assert_eq!(store.open_intents(other).unwrap().len(), usize::from(told.is_ok()));
        told.map(|_| ())
    }

    #[test]
    fn what_one_policy_is_about_to_take_no_other_takes() {
        let rival = Err(Owner::new("test", "one"));
        let adopt = |object| effect(Verb::Adopt, object, "ada");
        let create = |name| effect(Verb::Create, "", name);
        assert_eq!(second(adopt("o1"), Became::Open, &adopt("o1")), rival);
        assert_eq!(second(adopt("o1"), Became::Open, &adopt("o2")), Ok(()));
        assert_eq!(second(create("ada"), Became::Open, &create("ADA")), rival);
        assert_eq!(second(create("ada"), Became::Open, &create("grace")), Ok(()));
        // What came of it decides.
        assert_eq!(second(adopt("o1"), Became::Nothing, &adopt("o1")), Ok(()));
        assert_eq!(second(adopt("o1"), Became::This(adopt("o1")), &adopt("o1")), rival);
        let made = effect(Verb::Create, "o1", "ada");
        assert_eq!(second(create("ada"), Became::This(made.clone()), &adopt("o1")), rival);
        assert_eq!(
            second(create("ada"), Became::This(made), &create("ada")),
            Ok(()),
            "the target says that it is taken"
        );
    }

    #[test]
    fn what_is_anothers_stays_anothers_whatever_a_target_says() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let [one, other] = ["one", "other"]
            .map(|name| store.place(&Owner::new("test", name), "scim:https://shared.example").unwrap());
        for place in [one, other] {
            // A server that answers a create with an object that is there.
            let effect = Some(effect(Verb::Create, "o1", "ada"));
            let settled = vec![IntentOutcome { intent: None, effect }];
            store
                .settle(place, "run", &Done { at: Timestamp::UNIX_EPOCH, settled, along: Vec::new() })
                .unwrap();
        }
        let object = TargetId("o1".into());
        assert_eq!(store.owner_of(one, &object, &person()).unwrap(), Some(Ownership::Ours));
        let whose = store.owner_of(other, &object, &person()).unwrap();
        assert_eq!(whose, Some(Ownership::Of(Owner::new("test", "one"))));
        let group = Content::Group(GroupContent::default());
        assert_eq!(store.owner_of(other, &object, &group).unwrap(), None, "a group may have the same id");
    }

    #[test]
    fn who_looks_is_told_of_what_is_about_to_be_made() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let [one, other] = ["one", "other"]
            .map(|name| store.place(&Owner::new("test", name), "scim:https://shared.example").unwrap());
        let create = effect(Verb::Create, "", "ada");
        store.advance(one, "run", true, &[], std::slice::from_ref(&create)).unwrap().remove(0).unwrap();
        let (object, link) = (TargetId("o9".into()), create.link.unwrap());
        let whose = |place| store.owner_of(place, &object, &link.confirmed).unwrap();
        assert_eq!(whose(other), Some(Ownership::Of(Owner::new("test", "one"))));
        assert_eq!(whose(one), None, "it may be what an earlier try made");
    }
}
