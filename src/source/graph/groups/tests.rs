use serde_json::{Value, json};

use super::*;
use crate::source::json::object;

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn part(item: &Value) -> Option<Part> {
    Part::of(&object(item), &BTreeSet::new())
}

fn members(of: &[(u128, bool)]) -> Value {
    let member = |(number, is_in): &(u128, bool)| {
        let mut member = json!({ "id": id(*number) });
        if !is_in {
            member["@removed"] = json!({ "reason": "deleted" });
        }
        member
    };
    of.iter().map(member).collect()
}

/// What comes of these pages about group 1: in a read of everything, or in one of what changed since its list was known, or was
/// not.
fn after(items: &[Value], known: Option<bool>) -> Vec<Change> {
    let mut groups = Groups::default();
    for item in items {
        let mut item = item.clone();
        item["id"] = json!(id(1));
        groups.note(part(&item));
    }
    let mode = if known.is_some() { Mode::Delta } else { Mode::Full };
    let known = known.filter(|known| *known).map(|_| decode::anchor(id(1))).into_iter().collect();
    groups.changes(mode, &known).collect()
}

fn only(mut changes: Vec<Change>) -> Change {
    assert_eq!(changes.len(), 1, "{changes:?}");
    changes.remove(0)
}

fn numbers(references: &[Reference]) -> Vec<u128> {
    let number = |reference: &Reference| match reference {
        Reference::Anchor(anchor) => Uuid::try_parse(anchor.as_str()).unwrap().as_u128(),
        other => panic!("{other:?}"),
    };
    references.iter().map(number).collect()
}

fn list(changes: Vec<Change>) -> (Vec<u128>, bool) {
    let change = only(changes);
    let members = match &change {
        Change::Replace(entry) => &entry.members,
        Change::Patch(patch) => &patch.set.members,
        other => panic!("{other:?}"),
    };
    (numbers(members.references()), matches!(members, Members::Complete(_)))
}

/// Who came and who went.
fn told(changes: &[Change]) -> (Vec<u128>, Vec<u128>) {
    let Some((Change::Patch(patch), told)) = changes.split_first() else { panic!("{changes:?}") };
    assert_eq!(patch.set.members, Members::NotStated);
    let (mut came, mut went) = (Vec::new(), Vec::new());
    for change in told {
        let Change::MembersDelta { added, removed, .. } = change else { panic!("{change:?}") };
        came.extend(numbers(added));
        went.extend(numbers(removed));
    }
    (came, went)
}

#[test]
fn parts_of_a_list_are_one_list_in_whatever_order_they_come() {
    let named = json!({ "displayName": "Sales", "members@delta": members(&[(5, true), (3, true)]) });
    let more = json!({ "members@delta": members(&[(4, true), (3, true)]) });
    for items in [[named.clone(), more.clone()], [more, named]] {
        assert_eq!(list(after(&items, None)), (vec![3, 4, 5], true));
    }
}

#[test]
fn of_a_list_that_is_known_who_came_and_who_went_is_told_alone() {
    let after = |members: &Value| {
        told(&after(&[json!({ "displayName": "Sales", "members@delta": members })], Some(true)))
    };
    assert_eq!(after(&members(&[(5, true), (3, false)])), (vec![5], vec![3]));
    assert_eq!(after(&members(&[(5, true), (5, false), (4, false), (4, true)])), (vec![4], vec![5]));
    assert_eq!(after(&json!([])), (Vec::new(), Vec::new()));
}

#[test]
fn nothing_said_of_members_is_no_change_of_them() {
    for known in [true, false] {
        let renamed = after(&[json!({ "displayName": "Sales EMEA" })], Some(known));
        assert_eq!(told(&renamed), (Vec::new(), Vec::new()));
    }
    // Of a list that is not known, who came is not who is in it.
    let members = json!({ "displayName": "Sales", "members@delta": members(&[(5, true)]) });
    assert_eq!(told(&after(&[members], Some(false))), (Vec::new(), Vec::new()));
}

#[test]
fn a_list_that_was_asked_for_is_all_of_it() {
    let mut groups = Groups::default();
    let item =
        json!({ "id": id(1), "displayName": "Sales", "members@delta": members(&[(5, true), (3, false)]) });
    groups.note(part(&item));
    groups.list(id(1), &[Some(id(7))]);
    assert_eq!(list(groups.changes(Mode::Delta, &HashSet::new()).collect()), (vec![7], true));
}

#[test]
fn many_members_come_in_parts() {
    let many = u128::try_from(Batch::MEMBERS).unwrap() + 1;
    let coming: Vec<(u128, bool)> = (10..10 + many).map(|number| (number, true)).collect();
    let item = json!({ "members@delta": members(&coming) });
    let changes = after(&[item], Some(true));
    assert_eq!((changes.len(), told(&changes).0.len()), (3, coming.len()));
}

#[test]
fn pages_that_tell_of_one_group_are_one() {
    let pages = [
        json!({ "displayName": "Sales", "description": "EMEA" }),
        json!({ "description": null, "members@delta": members(&[(5, true)]) }),
    ];
    let changes = after(&pages, Some(true));
    let Change::Patch(patch) = &changes[0] else { panic!() };
    assert!(patch.alone.is_ok() && patch.cleared.contains("description"));
    assert!(patch.set.fields.contains_key("name") && !patch.set.fields.contains_key("description"));
}

#[test]
fn a_member_that_cannot_be_told_apart_makes_a_list_partial() {
    for (members, shown) in [
        (json!([{ "id": id(3) }, { "id": "ann" }, 7]), vec![3]),
        (json!([{ "id": id(3), "@odata.type": "#microsoft.graph.user" }, { "id": null }]), vec![3]),
        // No list, so it may be of anybody.
        (json!({ "id": id(3) }), vec![]),
        (json!(null), vec![]),
    ] {
        let item = json!({ "displayName": "Sales", "members@delta": members });
        for known in [None, Some(true)] {
            assert_eq!(list(after(std::slice::from_ref(&item), known)), (shown.clone(), false), "{item}");
        }
    }
}

#[test]
fn hidden_members_are_not_known_unless_somebody_is_shown() {
    let hidden = |members: &[(u128, bool)]| json!({ "displayName": "Board", "visibility": "HiddenMembership", "members@delta": self::members(members) });
    for known in [None, Some(true)] {
        assert_eq!(list(after(&[hidden(&[])], known)), (Vec::new(), false));
    }
    assert_eq!(list(after(&[hidden(&[(4, true)])], None)), (vec![4], true));
    assert_eq!(told(&after(&[hidden(&[(4, true), (3, false)])], Some(true))), (vec![4], vec![3]));
    assert_eq!(told(&after(&[hidden(&[(3, false)])], Some(true))), (Vec::new(), vec![3]));
}

#[test]
fn a_group_that_shows_its_id_alone_is_an_exception() {
    let bare = json!({ "members@delta": members(&[(3, true)]) });
    let Change::Unreadable { anchor, why, .. } = only(after(std::slice::from_ref(&bare), None)) else {
        panic!()
    };
    // Unless it is known: then that is all that changed.
    let Some(Change::Patch(patch)) = after(&[bare], Some(true)).into_iter().next() else { panic!() };
    assert!(patch.alone.is_err() && patch.set.fields.is_empty() && patch.cleared.is_empty());
    assert!(anchor.is_some() && why.contains("GroupMember.Read.All"), "{why}");
}

#[test]
fn the_last_word_says_whether_it_is_there() {
    let (there, gone) = (json!({ "displayName": "Sales" }), json!({ "@removed": { "reason": "deleted" } }));
    assert!(matches!(only(after(&[there.clone(), gone.clone()], None)), Change::Tombstone(_)));
    assert!(matches!(only(after(&[gone, there], None)), Change::Replace(_)));
    let strange = json!({ "@removed": { "reason": "archived" } });
    assert!(matches!(only(after(&[strange], None)), Change::Unreadable { .. }));
}

#[test]
fn what_cannot_all_be_true_is_asked() {
    let named = |name: &str| json!({ "displayName": name });
    let of = |list: &[(u128, bool)]| json!({ "members@delta": members(list) });
    let gone = || json!({ "@removed": { "reason": "deleted" } });
    for (items, doubtful) in [
        (vec![named("Sales"), of(&[(3, true)]), named("Sales"), of(&[(4, false), (3, true)])], false),
        (vec![gone(), gone()], false),
        (vec![named("Sales"), named("Sales EMEA")], true),
        (vec![named("Sales"), json!({ "description": null }), json!({ "description": "EMEA" })], true),
        (vec![of(&[(3, true)]), of(&[(3, false)])], true),
        (vec![of(&[(3, false), (4, true), (3, true)])], true),
        (vec![named("Sales"), gone()], true),
        (vec![gone(), named("Sales")], true),
    ] {
        let mut groups = Groups::default();
        for mut item in items.clone() {
            item["id"] = json!(id(1));
            groups.note(part(&item));
        }
        for (mode, known) in [(Mode::Full, HashSet::new()), (Mode::Delta, [decode::anchor(id(1))].into())] {
            let asked = [groups.in_part(mode, &known), groups.unlisted(mode, &known)];
            assert_eq!(asked.map(|ids| ids.len() == 1), [doubtful; 2], "{mode:?}: {items:?}");
        }
        assert_eq!(groups.is_doubtful(id(1)), doubtful);
        // What Graph answers counts alone.
        let now = json!({ "id": id(1), "displayName": "Crew", "description": null, "visibility": null });
        groups.see(id(1), part(&now));
        groups.list(id(1), &[]);
        assert!(!groups.is_doubtful(id(1)));
        assert!(matches!(only(groups.changes(Mode::Full, &HashSet::new()).collect()), Change::Replace(_)));
    }
}

#[test]
fn a_group_that_graph_does_not_know_went_if_that_was_told() {
    for (told, is_gone) in [(true, true), (false, false)] {
        let mut groups = Groups::default();
        for mut item in [json!({ "@removed": { "reason": "deleted" } }), json!({ "displayName": "Sales" })] {
            item["id"] = json!(id(1));
            if told || item.get("@removed").is_none() {
                groups.note(part(&item));
            }
        }
        groups.miss(id(1));
        let changes: Vec<Change> = groups.changes(Mode::Full, &HashSet::new()).collect();
        assert_eq!(matches!(only(changes), Change::Tombstone(_)), is_gone);
    }
}

#[test]
fn whoever_may_not_see_a_list_knows_nothing_of_it() {
    let mut groups = Groups::default();
    let [board, club] = [1, 2].map(|number| {
        json!({ "id": id(number), "displayName": "x", "visibility": "HiddenMembership", "members@delta": members(&[(5, true)]) })
    });
    for group in [board, club] {
        groups.note(part(&group));
    }
    groups.deny(id(1));
    let lists: Vec<_> =
        groups.changes(Mode::Full, &HashSet::new()).map(|change| list(vec![change])).collect();
    assert_eq!(lists, [(Vec::new(), false), (vec![5], true)]);
}

#[test]
fn a_group_that_shows_no_name_shows_nothing() {
    let veiled = json!({ "displayName": null, "mail": null, "members@delta": members(&[(2, true)]) });
    for known in [Some(true), None] {
        let change = only(after(std::slice::from_ref(&veiled), known));
        assert!(matches!(change, Change::Unreadable { .. }), "{change:?}");
    }
}
