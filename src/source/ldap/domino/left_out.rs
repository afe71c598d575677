//! Names of groups that are not read because of what they are for. A list that names one means that group, so nobody else may be taken
//! for it. Pure.

use std::collections::{HashMap, HashSet};

use crate::directory::{Entry, EntryKind, Members, Reference};

/// The names of groups that are left out, and who of those who are read bears one of them.
#[derive(Default)]
pub(super) struct LeftOut {
    pub(super) names: HashSet<Reference>,
    borne: HashMap<Reference, String>,
}

impl LeftOut {
    /// Notes a person who bears such a name; a list that has one is incomplete, so that it neither adds nor removes them by it.
    pub(super) fn note(&mut self, entry: &mut Entry) {
        if self.names.is_empty() {
            return;
        }
        if entry.kind != EntryKind::Group {
            let names = entry.names.iter().filter(|name| self.names.contains(name)).cloned();
            self.borne.extend(names.map(|name| (name, entry.dn.clone())));
            return;
        }
        let Some((name, who)) =
            entry.members.references().iter().find_map(|name| Some((name, self.borne.get(name)?)))
        else {
            return;
        };
        let why = format!(
            "it lists {}, which is the name of {who} and of a group that is left out because of its groupType; rename one of them, or \
             list the person by another name",
            name.key_parts()[1]
        );
        let (Members::Complete(all) | Members::Partial(all, _)) = std::mem::take(&mut entry.members) else {
            return;
        };
        let known = all.into_iter().filter(|name| !self.borne.contains_key(name)).collect();
        entry.members = Members::Partial(known, why);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::Dn;

    fn name(text: &str) -> Reference {
        Reference::Dn(Dn::parse(&format!("cn={text}")).unwrap())
    }

    fn entry(kind: EntryKind, names: &[&str], members: &[&str]) -> Entry {
        Entry {
            kind,
            names: names.iter().map(|text| name(text)).collect(),
            members: Members::Complete(members.iter().map(|text| name(text)).collect()),
            ..Entry::nobody()
        }
    }

    #[test]
    fn a_list_with_a_name_of_a_person_and_of_a_group_that_is_left_out_is_incomplete() {
        let mut left_out =
            LeftOut { names: HashSet::from([name("leavers"), name("servers")]), ..LeftOut::default() };
        left_out.note(&mut entry(EntryKind::User, &["hal", "leavers"], &[]));
        let mut list = entry(EntryKind::Group, &["all"], &["hal", "leavers", "servers"]);
        left_out.note(&mut list);
        let Members::Partial(known, why) = list.members else { panic!("it is complete") };
        assert_eq!(known, [name("hal"), name("servers")]);
        assert!(why.contains("leavers"), "{why}");
        let mut other = entry(EntryKind::Group, &["some"], &["hal", "servers"]);
        left_out.note(&mut other);
        assert!(matches!(other.members, Members::Complete(all) if all.len() == 2));
    }
}
