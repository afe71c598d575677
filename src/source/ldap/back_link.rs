//! Back links: attributes that the server computes from the lists of groups (`memberOf`). A change feed reports the
//! group only; entries that entered or left its list are read again. Pure.
//!
//! This holds only if every group that is named so is read: of other groups the earlier list is not known.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::directory::{Anchor, Change, Dn, Members, Reference};
use crate::source::Lists;
use crate::source::schema::Attributes;

/// The back link that is followed: OpenLDAP's and Active Directory's.
pub(in crate::source) const FOLLOWED: &str = "memberof";
/// Above so many entries that are to be read again, everything is read.
pub(super) const AT_MOST: usize = 1000;
/// So many groups are named in a message.
const NAMED: usize = 3;

/// The back links that policies use, and what must be known to follow them.
#[derive(Clone, Debug, Default)]
pub(super) struct BackLinks {
    are_used: bool,
    /// Every group that is named, as it was spelt.
    named: HashSet<Vec<u8>>,
    /// Groups that came and have members.
    read: HashSet<Dn>,
    /// Groups that are named and are not read.
    unread: BTreeSet<String>,
    /// The lists that came, where only changes are read.
    lists: Option<Vec<List>>,
}

/// A group as it came.
#[derive(Clone, Debug)]
pub(super) struct List {
    /// `None` if it does not say whose it is.
    pub(super) group: Option<Anchor>,
    /// `None` if it could not be read.
    pub(super) dn: Option<Dn>,
    /// `None` if these are not all.
    pub(super) members: Option<BTreeSet<Reference>>,
    /// Those of them whose primary group it is: they may be members beside that.
    pub(super) primary: Vec<Reference>,
}

/// The back links of an entry that is read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shows {
    /// What the lists say.
    TheSame,
    /// Less: the server is not done yet, or takes no back links from a list.
    Less,
    /// More: it is from something else than these lists.
    More,
}

impl BackLinks {
    /// Whether the attribute of this name is one, and followed from here on.
    pub(super) fn follow(&mut self, name: &str) -> bool {
        self.are_used |= name == FOLLOWED;
        name == FOLLOWED
    }

    pub(super) fn are_used(&self) -> bool {
        self.are_used
    }

    /// From here on changes are read: lists are kept.
    pub(super) fn keep_lists(&mut self) {
        self.lists = self.are_used.then(Vec::new);
    }

    /// The lists that came since they were asked for last, each as it came last.
    pub(super) fn lists(&mut self) -> Vec<List> {
        let lists = self.lists.as_mut().map(std::mem::take).unwrap_or_default();
        let mut last: HashMap<Option<Anchor>, List> = HashMap::new();
        last.extend(lists.into_iter().map(|list| (list.group.clone(), list)));
        last.into_values().collect()
    }

    /// Records the back links of an entry.
    pub(super) fn note(&mut self, attributes: &Attributes) {
        if self.are_used {
            let new = attributes.all(FOLLOWED).filter(|value| !self.named.contains(*value));
            let new: Vec<Vec<u8>> = new.map(<[u8]>::to_vec).collect();
            self.named.extend(new);
        }
    }

    /// Records a group with its members.
    pub(super) fn list(&mut self, change: &Change, primary: Vec<Reference>) {
        if !self.are_used {
            return;
        }
        let (group, dn, members) = match change {
            Change::Replace(entry) => {
                let dn = Dn::parse(&entry.dn).ok();
                if !entry.members.references().is_empty() {
                    self.read.extend(dn.clone());
                }
                (Some(entry.anchor.clone()), dn, &entry.members)
            }
            other => (other.anchor().cloned(), None, &Members::None),
        };
        let Some(lists) = &mut self.lists else { return };
        let members = match members {
            Members::Complete(members) => Some(members.iter().cloned().collect()),
            Members::None | Members::NotStated | Members::Partial(..) => None,
        };
        lists.push(List { group, dn, members, primary });
    }

    /// The groups that were named and did not come.
    pub(super) fn not_seen(&self) -> BTreeSet<Dn> {
        // A name may have ids in front (`<GUID=…>;CN=…`).
        let plain = |value: &Vec<u8>| {
            let text = std::str::from_utf8(value).ok()?;
            Dn::parse(text.rsplit(">;").next().unwrap_or(text)).ok()
        };
        self.named.iter().filter_map(plain).filter(|dn| !self.read.contains(dn)).collect()
    }

    /// These are not read.
    pub(super) fn miss(&mut self, groups: impl IntoIterator<Item = Dn>) {
        self.unread.extend(groups.into_iter().map(|dn| dn.as_str().to_owned()));
    }

    /// Why they cannot be followed, if so.
    pub(super) fn cannot_be_followed(&self) -> Option<String> {
        let mut named: Vec<&str> = self.unread.iter().take(NAMED).map(String::as_str).collect();
        let more = format!("{} more", self.unread.len().saturating_sub(NAMED));
        if self.unread.len() > NAMED {
            named.push(&more);
        }
        (!named.is_empty()).then(|| {
            format!(
                "policies use {FOLLOWED}, and it names groups whose members are not read ({}): no feed reports such changes",
                named.join("; ")
            )
        })
    }

    /// What to say of it where it is followed.
    pub(super) fn remark(&self) -> Option<String> {
        self.are_used.then(|| {
            format!(
                "policies use {FOLLOWED}, which the server computes from groups: users who entered or left one are read again"
            )
        })
    }
}

/// Who is to be read again, after these lists came and these entries were deleted; `None` if that cannot be known. `called`
/// says what entries were called before. After a read of `all`, its lists may be newer than what it read of people.
pub(super) fn read_again(
    (before, called): (&Lists, &HashMap<Anchor, String>),
    lists: &[List],
    deleted: &BTreeSet<Anchor>,
    all: bool,
) -> Option<BTreeSet<Reference>> {
    let mut again = BTreeSet::new();
    for list in lists {
        let now = list.members.as_ref()?;
        let group = list.group.as_ref()?;
        let was: BTreeSet<Reference> = match before.get(group) {
            Some(members) => members.as_ref()?.iter().cloned().collect(),
            None => BTreeSet::new(),
        };
        let renamed = called.get(group).is_some_and(|dn| Dn::parse(dn).ok() != list.dn);
        if renamed || all {
            again.extend(was.union(now).cloned());
        } else {
            again.extend(was.symmetric_difference(now).cloned());
        }
        again.extend(list.primary.iter().cloned());
    }
    for group in deleted {
        if let Some(members) = before.get(group) {
            again.extend(members.as_ref()?.iter().cloned());
        }
    }
    Some(again)
}

/// What to say of a read that so many entered or left lists.
pub(super) fn too_many(count: usize) -> String {
    format!(
        "{count} entries are to be read again because they entered or left groups, or those were renamed; above {AT_MOST}, and \
         this time, everything is read instead"
    )
}

/// What the groups that came or were deleted are called, and were.
pub(super) fn names_of(called: &HashMap<Anchor, String>, lists: &[List]) -> BTreeSet<Dn> {
    let were = called.values().filter_map(|dn| Dn::parse(dn).ok());
    lists.iter().filter_map(|list| list.dn.clone()).chain(were).collect()
}

/// Whether these values, as they were read before, name the group.
pub(super) fn names(values: &[String], group: &Dn) -> bool {
    values.iter().any(|value| Dn::parse(value).is_ok_and(|named| named == *group))
}

/// How what somebody shows stands to these lists; `gone` are names of groups that nobody has any more.
pub(super) fn shows(who: &Dn, attributes: &Attributes, lists: &[List], gone: &BTreeSet<Dn>) -> Shows {
    let values = attributes.all(FOLLOWED).filter_map(|value| std::str::from_utf8(value).ok());
    let shown: BTreeSet<Dn> = values.filter_map(|value| Dn::parse(value).ok()).collect();
    let who = Reference::Dn(who.clone());
    let mut how = Shows::TheSame;
    for list in lists {
        let (Some(dn), Some(members)) = (&list.dn, &list.members) else { continue };
        match (members.contains(&who), shown.contains(dn)) {
            // By a list that names them, and not as those whose primary group it is.
            (true, false) if !list.primary.contains(&who) => how = Shows::Less,
            (false, true) => return Shows::More,
            _ => {}
        }
    }
    if shown.is_disjoint(gone) { how } else { Shows::More }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;
    use crate::directory::{Entry, EntryKind};

    fn dn(text: &str) -> Dn {
        Dn::parse(&format!("{text},dc=x")).unwrap()
    }

    fn person(number: u8) -> Reference {
        Reference::Dn(dn(&format!("uid=p{number}")))
    }

    fn attributes(groups: &[&str]) -> Attributes {
        let mut attributes = Attributes::new();
        attributes.add("memberOf", groups.iter().map(|group| format!("{group},dc=x").into_bytes()));
        attributes
    }

    fn group(name: &str, members: Members) -> Change {
        let (anchor, dn) = (Anchor::new(name), format!("cn={name},dc=x"));
        Change::Replace(Box::new(Entry { anchor, dn, kind: EntryKind::Group, members, ..Entry::nobody() }))
    }

    fn followed() -> BackLinks {
        let mut links = BackLinks::default();
        assert!(links.follow("memberof") && !links.follow("ismemberof"));
        links.keep_lists();
        links
    }

    #[rstest]
    #[case::read(Members::Complete(vec![person(1)]), true)]
    #[case::read_in_part(Members::Partial(vec![person(1)], "damaged".to_owned()), true)]
    #[case::by_something_else_than_its_members(Members::Complete(Vec::new()), false)]
    fn a_group_that_is_named_must_be_read(#[case] members: Members, #[case] is_read: bool) {
        let mut links = followed();
        links.note(&attributes(&["CN=App", "cn=app"]));
        links.list(&group("app", members), Vec::new());
        let not_seen = links.not_seen();
        assert_eq!(not_seen.is_empty(), is_read);
        links.miss(not_seen);
        assert_eq!(links.cannot_be_followed().is_none(), is_read);
        links.miss((0..5).map(|number| dn(&format!("cn=z{number}"))));
        let why = links.cannot_be_followed().unwrap();
        assert!(why.contains("more)") && !why.contains("cn=z4"), "{why}");
    }

    #[test]
    fn a_list_counts_as_it_came_last() {
        let mut links = followed();
        for member in [1, 2] {
            links.list(&group("app", Members::Complete(vec![person(member)])), Vec::new());
        }
        let lists = links.lists();
        assert_eq!(lists.len(), 1);
        assert_eq!(lists[0].members, Some(BTreeSet::from([person(2)])));
        assert!(links.lists().is_empty());
    }

    #[test]
    fn a_name_with_ids_in_front_is_the_same() {
        let mut links = followed();
        let mut attributes = Attributes::new();
        attributes.add("memberOf", [b"<GUID=00>;<SID=01>;CN=App,DC=x".to_vec()]);
        links.note(&attributes);
        assert_eq!(links.not_seen(), BTreeSet::from([dn("cn=app")]));
    }

    #[rstest]
    #[case::not_before(&[], Members::Complete(vec![person(1)]), Some(vec![person(1)]))]
    #[case::entered_and_left(
        &[Some(vec![person(1), person(2)])],
        Members::Complete(vec![person(2), person(3)]),
        Some(vec![person(1), person(3)])
    )]
    #[case::not_all_before(&[None], Members::Complete(vec![person(1)]), None)]
    #[case::not_all_now(&[Some(Vec::new())], Members::Partial(vec![person(1)], "damaged".to_owned()), None)]
    fn who_entered_or_left_is_read_again(
        #[case] before: &[Option<Vec<Reference>>],
        #[case] now: Members,
        #[case] expected: Option<Vec<Reference>>,
    ) {
        let mut links = followed();
        links.list(&group("app", now), Vec::new());
        let before: Lists = before.iter().map(|members| (Anchor::new("app"), members.clone())).collect();
        let called = HashMap::from([(Anchor::new("app"), "CN=app, DC=x".to_owned())]);
        let again = read_again((&before, &called), &links.lists(), &BTreeSet::new(), false);
        assert_eq!(again, expected.map(BTreeSet::from_iter));
    }

    #[test]
    fn a_group_that_could_not_be_read_may_have_any_members() {
        let mut links = followed();
        for anchor in [Some(Anchor::new("app")), None] {
            let (what, why) = ("cn=app,dc=x".to_owned(), "damaged".to_owned());
            links.list(&Change::Unreadable { anchor, what, why }, Vec::new());
            assert_eq!(
                read_again((&Lists::new(), &HashMap::new()), &links.lists(), &BTreeSet::new(), false),
                None
            );
        }
    }

    #[test]
    fn who_is_in_a_list_by_their_primary_group_may_be_stated_too() {
        let mut links = followed();
        links.list(&group("app", Members::Complete(vec![person(1), person(2)])), vec![person(2)]);
        let before = Lists::from([(Anchor::new("app"), Some(vec![person(1), person(2)]))]);
        let again = read_again((&before, &HashMap::new()), &links.lists(), &BTreeSet::new(), false);
        assert_eq!(again, Some(BTreeSet::from([person(2)])));
    }

    #[rstest]
    #[case::as_stated(1, &["cn=app"], Shows::TheSame)]
    #[case::not_done_yet(1, &[], Shows::Less)]
    #[case::not_stated(9, &[], Shows::TheSame)]
    #[case::by_something_else(9, &["CN=app"], Shows::More)]
    #[case::primary(2, &[], Shows::TheSame)]
    #[case::of_another_list(9, &["cn=other"], Shows::TheSame)]
    #[case::of_one_that_is_gone(1, &["cn=app", "cn=gone"], Shows::More)]
    fn what_is_shown_stands_to_the_lists(#[case] who: u8, #[case] groups: &[&str], #[case] expected: Shows) {
        let mut links = followed();
        links.list(&group("app", Members::Complete(vec![person(1), person(2)])), vec![person(2)]);
        let Reference::Dn(who) = person(who) else { panic!() };
        let gone = BTreeSet::from([dn("cn=gone")]);
        assert_eq!(shows(&who, &attributes(groups), &links.lists(), &gone), expected);
    }

    /// What happens to a group.
    #[derive(Clone, Debug)]
    enum Edit {
        Toggle(u8, u8),
        Rename(u8, u8),
        Delete(u8),
    }

    /// A directory of groups, by their ids: what each is called, and who is in it.
    type Groups = BTreeMap<u8, (u8, BTreeSet<u8>)>;

    impl Edit {
        /// Whose entry it changed; none is made of one that is deleted, whose id never comes again.
        fn happens(&self, groups: &mut Groups, ids: &mut u8) -> u8 {
            let nth =
                |groups: &Groups, nth: u8| groups.keys().nth(usize::from(nth) % groups.len().max(1)).copied();
            match self {
                Self::Toggle(group, who) => {
                    let id = nth(groups, *group).filter(|_| group % 5 > 0).unwrap_or_else(|| {
                        *ids += 1;
                        *ids
                    });
                    let (_, members) = groups.entry(id).or_insert_with(|| (id, BTreeSet::new()));
                    if !members.remove(who) {
                        members.insert(*who);
                    }
                    id
                }
                Self::Rename(group, to) => {
                    let Some(id) = nth(groups, *group) else { return 0 };
                    // A name that another had, and has no more.
                    if groups.values().all(|(name, _)| name != to) {
                        groups.entry(id).and_modify(|(name, _)| *name = *to);
                    }
                    id
                }
                Self::Delete(group) => {
                    let Some(id) = nth(groups, *group) else { return 0 };
                    groups.remove(&id);
                    id
                }
            }
        }
    }

    /// What is said of everybody.
    fn member_of(groups: &Groups) -> Vec<BTreeSet<u8>> {
        let of = |who: u8| {
            let of = groups.values().filter(|(_, members)| members.contains(&who));
            of.map(|(name, _)| *name).collect()
        };
        (0..PEOPLE).map(of).collect()
    }

    const PEOPLE: u8 = 6;

    fn edits() -> impl Strategy<Value = Vec<Edit>> {
        let edit = prop_oneof![
            6 => (any::<u8>(), 0..PEOPLE).prop_map(|(group, who)| Edit::Toggle(group, who)),
            1 => (any::<u8>(), 100..104_u8).prop_map(|(group, to)| Edit::Rename(group, to)),
            1 => any::<u8>().prop_map(Edit::Delete),
        ];
        prop::collection::vec(edit, 0..6)
    }

    fn anchor(id: u8) -> Anchor {
        Anchor::new(id.to_string())
    }

    fn name(name: u8) -> String {
        format!("cn=g{name},dc=x")
    }

    proptest! {
        /// By what changed it comes to the same as by reading everything; and while everything is read, groups change.
        #[test]
        fn whatever_happens_to_groups_everybody_comes_to_the_same(
            first in edits(),
            meanwhile in edits(),
            rounds in prop::collection::vec(edits(), 1..6),
        ) {
            let (mut groups, mut ids) = (Groups::new(), 0);
            for edit in &first {
                edit.happens(&mut groups, &mut ids);
            }
            // People are read first, then groups; the feed tells of what happens from before both.
            let mut known = member_of(&groups);
            let mut touched: BTreeSet<u8> =
                meanwhile.iter().map(|edit| edit.happens(&mut groups, &mut ids)).collect();
            let mut last = groups.clone();
            // What names a group that is not read, or has no members, makes the next read one of everything.
            let read: BTreeSet<u8> =
                last.values().filter(|(_, members)| !members.is_empty()).map(|(name, _)| *name).collect();
            if !known.iter().all(|named| named.is_subset(&read)) {
                known = member_of(&groups);
                touched.clear();
            }
            for (round, edits) in rounds.iter().enumerate() {
                touched.extend(edits.iter().map(|edit| edit.happens(&mut groups, &mut ids)));
                let mut links = followed();
                for (id, (called, members)) in groups.iter().filter(|(id, _)| touched.contains(id)) {
                    let members = Members::Complete(members.iter().map(|who| person(*who)).collect());
                    let (anchor, dn) = (anchor(*id), name(*called));
                    let group = Entry { anchor, dn, kind: EntryKind::Group, members, ..Entry::nobody() };
                    links.list(&Change::Replace(Box::new(group)), Vec::new());
                }
                let stated = |members: &BTreeSet<u8>| Some(members.iter().map(|who| person(*who)).collect());
                let before: Lists =
                    last.iter().map(|(id, (_, members))| (anchor(*id), stated(members))).collect();
                let called = last.iter().filter(|(id, _)| touched.contains(id));
                let called = called.map(|(id, (called, _))| (anchor(*id), name(*called))).collect();
                let deleted = touched.iter().filter(|id| !groups.contains_key(id)).map(|id| anchor(*id)).collect();
                let lists = links.lists();
                let again = read_again((&before, &called), &lists, &deleted, round == 0).unwrap();
                let names = names_of(&called, &lists);
                let truth = member_of(&groups);
                for (who, (known, truth)) in (0..PEOPLE).zip(known.iter_mut().zip(&truth)) {
                    let values: Vec<String> = known.iter().map(|group| name(*group)).collect();
                    let named = round == 0 && names.iter().any(|group| super::names(&values, group));
                    if named || again.contains(&person(who)) {
                        known.clone_from(truth);
                    }
                }
                prop_assert_eq!(&known, &truth, "round {}", round);
                last.clone_from(&groups);
                touched.clear();
            }
        }
    }
}
