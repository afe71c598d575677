//! Who came into groups and who went, in few bytes: a tenant has many times more memberships than people.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use uuid::Uuid;

use super::decode::Member;

/// The ids of members, each once.
#[derive(Default)]
pub(super) struct Ids {
    numbers: HashMap<Uuid, u32>,
    ids: Vec<Uuid>,
}

/// Somebody who came into a group or went, by the number of their id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Membership(u32);

impl Ids {
    /// What was told of a member; `None` after more members than there are numbers, two billion.
    pub(super) fn note(&mut self, Member { id, went }: Member) -> Option<Membership> {
        let next = u32::try_from(self.ids.len()).ok().filter(|number| number >> 31 == 0);
        let number = match (self.numbers.entry(id), next) {
            (Entry::Occupied(known), _) => *known.get(),
            (Entry::Vacant(new), Some(next)) => {
                self.ids.push(id);
                *new.insert(next)
            }
            (Entry::Vacant(_), None) => return None,
        };
        Some(Membership(number << 1 | u32::from(went)))
    }

    /// Whose it is.
    pub(super) fn of(&self, membership: Membership) -> Uuid {
        self.ids[membership.number() as usize]
    }
}

impl Membership {
    /// The number of the id.
    pub(super) fn number(self) -> u32 {
        self.0 >> 1
    }

    /// Whether they went.
    pub(super) fn went(self) -> bool {
        self.0 & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_id_is_kept_once() {
        let mut ids = Ids::default();
        let said = [(7, false), (8, true), (7, true)].map(|(id, went)| (Uuid::from_u128(id), went));
        let told = said.map(|(id, went)| ids.note(Member { id, went }).unwrap());
        assert_eq!(told.map(|one| (ids.of(one), one.went())), said);
        assert_eq!((told[0].number(), told[2].number(), ids.ids.len()), (0, 0, 2));
    }
}
