//! What somebody else does at the target.

use std::collections::BTreeSet;

use rollcall::directory::{Content, GroupContent, SubjectKind, TargetId, UserContent};

use super::Life;
use crate::dice::Dice;
use crate::event::Hand;
use crate::place::Place;

impl Life {
    /// Somebody else is at the target.
    pub(super) fn hand(&mut self, hand: Hand, dice: &mut Dice) {
        let anchors = self.anchors().clone();
        let Place::Shared(fake) = &self.place else { return };
        let objects = fake.objects().clone();
        let ours =
            objects.iter().filter(|(_, object)| object.key.is_some_and(|key| anchors.contains_key(&key)));
        // At a target without keys only the name tells what an interrupted create made: nobody else changes it before that is known.
        let linked = self.is_keyless().then(|| self.linked());
        let is_known = |id: &TargetId| linked.as_ref().is_none_or(|linked| linked.contains(id));
        let ours: Vec<_> =
            ours.filter(|(id, _)| is_known(id)).map(|(id, object)| (id.clone(), object.clone())).collect();
        let told = match hand {
            Hand::Creates => {
                self.number += 1;
                let content = self.foreign(dice);
                let taken = objects.values().any(|object| {
                    object.content.kind() == content.kind() && object.content.name_key() == content.name_key()
                });
                if taken {
                    return;
                }
                fake.add_by_hand(content.clone());
                format!("somebody makes {content:?} at the target")
            }
            Hand::Deletes => {
                let Some((id, object)) = dice.pick(ours) else { return };
                fake.objects().remove(&id);
                fake.objects().values_mut().for_each(|object| {
                    object.members.remove(&id);
                });
                self.drift.extend(object.key);
                format!("somebody deletes {}", object.content.name())
            }
            Hand::Changes => {
                let Some((id, object)) = dice.pick(ours) else { return };
                self.number += 1;
                let name = format!("by-hand-{}", self.number);
                fake.objects().get_mut(&id).unwrap().content = object.content.clone().with_name(&name);
                self.drift.extend(object.key);
                format!("somebody renames {} to {name}", object.content.name())
            }
            Hand::Disables => {
                let users = ours.into_iter().filter(|(_, object)| object.content.kind() == SubjectKind::User);
                let Some((id, object)) = dice.pick(users) else { return };
                fake.objects().get_mut(&id).unwrap().active = false;
                self.drift.extend(object.key);
                format!("somebody disables {}", object.content.name())
            }
            Hand::AddsMember => {
                let groups =
                    ours.into_iter().filter(|(_, object)| object.content.kind() == SubjectKind::Group);
                let Some((group, object)) = dice.pick(groups) else { return };
                let foreign = objects.iter().filter(|(_, object)| object.key.is_none());
                let Some(member) = dice.pick(foreign.map(|(id, _)| id.clone())) else { return };
                fake.objects().get_mut(&group).unwrap().members.insert(member.clone());
                self.put_in.insert(member.clone());
                format!("somebody puts {} into {}", objects[&member].content.name(), object.content.name())
            }
            Hand::Hides => {
                let Some((id, object)) = dice.pick(ours) else { return };
                fake.unlisted.lock().unwrap().insert(id);
                format!("no list shows {} any more", object.content.name())
            }
            Hand::Dislikes => {
                let Some(person) = dice.pick(self.world.people.values()) else { return };
                let name = person.user_name().to_lowercase();
                fake.dislikes.lock().unwrap().insert(name.clone());
                format!("the target will not have {name}")
            }
        };
        self.tell(told);
    }

    /// The objects that the store knows as ours.
    fn linked(&self) -> BTreeSet<TargetId> {
        let subjects = self.subjects().by_id.into_values();
        subjects.filter_map(|subject| Some(subject.link?.target)).collect()
    }

    /// An object that somebody else makes: of a name of its own, or of somebody's name or address.
    fn foreign(&self, dice: &mut Dice) -> Content {
        let person = dice.pick(self.world.people.values());
        let team = dice.pick(self.world.groups.values());
        let user = |user_name: String, emails: Vec<String>| {
            Content::User(UserContent { user_name, emails, ..UserContent::default() })
        };
        let own = format!("foreign-{}", self.number);
        match (dice.roll(5), person, team) {
            (0, Some(person), _) => user(person.user_name(), Vec::new()),
            (1, Some(person), _) => user(own, vec![person.user_name().to_uppercase()]),
            (2, _, Some(team)) => {
                let display_name = team.name.clone();
                Content::Group(GroupContent { display_name, ..GroupContent::default() })
            }
            (3, _, _) => Content::Group(GroupContent { display_name: own, ..GroupContent::default() }),
            _ => user(own, Vec::new()),
        }
    }
}
