//! A domain whose people and groups change at random.

use std::collections::BTreeMap;

use super::happening::Happening;
use crate::support::samba::DOMAIN;

/// Its people and groups.
pub(super) struct World {
    dice: u64,
    newcomers: usize,
    /// Where each person is, by name.
    people: BTreeMap<String, &'static str>,
    /// Who was deleted, and is among the deleted still.
    deleted: Vec<String>,
    /// Who is in each group.
    members: BTreeMap<&'static str, Vec<String>>,
}

const PLACES: &[&str] = &["Staff", "Other", "Out"];

impl World {
    pub(super) fn of(seed: u64) -> Self {
        let (people, members) = (BTreeMap::new(), BTreeMap::new());
        Self { dice: seed, newcomers: 0, people, deleted: Vec::new(), members }
    }

    pub(super) fn roll(&mut self, sides: usize) -> usize {
        // Knuth's numbers for a linear congruential generator; its high bits are the random ones.
        self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.dice >> 33).unwrap() % sides
    }

    pub(super) fn next(&mut self) -> Happening {
        let what = self.roll(11);
        if what == 10
            && let Some(account) = self.deleted.pop()
        {
            let place = PLACES[self.roll(3)];
            self.people.insert(account.clone(), place);
            let (dn, mail) = (at(&account, place), format!("{account}@example.test"));
            return Happening::Restored { account, dn, mail };
        }
        Happening::Changes(self.change(what))
    }

    fn change(&mut self, what: usize) -> String {
        let names: Vec<String> = self.people.keys().cloned().collect();
        if names.len() < 4 || what == 0 {
            let (name, place) = (format!("p{}", self.newcomers), PLACES[self.roll(3)]);
            self.newcomers += 1;
            self.people.insert(name.clone(), place);
            return format!(
                "dn: {}\nchangetype: add\nobjectClass: user\nsAMAccountName: {name}\nuserAccountControl: 544\n\
                 mail: {name}@example.test\n\n",
                at(&name, place)
            );
        }
        let name = names[self.roll(names.len())].clone();
        let place = self.people[&name];
        let dn = at(&name, place);
        let modify = |what: &str| format!("dn: {dn}\nchangetype: modify\n{what}\n\n");
        let modified_group = |group: &str, verb: &str| {
            format!("dn: CN={group},OU=Groups,{DOMAIN}\nchangetype: modify\n{verb}: member\nmember: {dn}\n\n")
        };
        let group = ["team", "extra"][self.roll(2)];
        match what {
            1 => {
                self.people.remove(&name);
                self.members.values_mut().for_each(|members| members.retain(|member| *member != name));
                self.deleted.push(name);
                format!("dn: {dn}\nchangetype: delete\n\n")
            }
            2 => {
                let to = PLACES[self.roll(3)];
                if to == place {
                    return modify("replace: title\ntitle: stays");
                }
                self.people.insert(name.clone(), to);
                format!(
                    "dn: {dn}\nchangetype: moddn\nnewrdn: CN={name}\ndeleteoldrdn: 1\nnewsuperior: OU={to},{DOMAIN}\n\n"
                )
            }
            3 => modify(&format!("replace: sn\nsn: Name{}", self.roll(100))),
            4 => modify(&format!(
                "replace: userAccountControl\nuserAccountControl: {}",
                544 + 2 * self.roll(2)
            )),
            5 => modify(&format!("replace: mail\nmail: {name}.{}@example.test", self.roll(3))),
            6 => modify("replace: accountExpires\naccountExpires: 133801632000000000"),
            7 => modify("replace: accountExpires\naccountExpires: 0"),
            _ => {
                let members = self.members.entry(group).or_default();
                if let Some(there) = members.iter().position(|member| *member == name) {
                    members.remove(there);
                    return modified_group(group, "delete");
                }
                members.push(name.clone());
                modified_group(group, "add")
            }
        }
    }
}

fn at(name: &str, place: &str) -> String {
    format!("CN={name},OU={place},{DOMAIN}")
}
