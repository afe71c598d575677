use serde_json::json;

use super::*;

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
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

/// What comes of these pages about group 1, that had these members before.
fn after(items: &[Value], before: Option<&[u128]>) -> Change {
    let mut groups = Groups::default();
    for item in items {
        let mut item = item.as_object().unwrap().clone();
        item.insert("id".to_owned(), json!(id(1)));
        groups.note(&item, &BTreeSet::new());
    }
    let anchor = |number: &u128| Reference::Anchor(decode::anchor(id(*number)));
    let before = |_: &Anchor| match before {
        Some(before) => Before::These(before.iter().map(anchor).collect()),
        None => Before::Nobody,
    };
    let mut changes: Vec<Change> = groups.changes(before).collect();
    assert_eq!(changes.len(), 1);
    changes.remove(0)
}

fn list(change: &Change) -> (Vec<u128>, bool) {
    let Change::Replace(entry) = change else { panic!("{change:?}") };
    let number = |reference: &Reference| match reference {
        Reference::Anchor(anchor) => Uuid::try_parse(anchor.as_str()).unwrap().as_u128(),
        other => panic!("{other:?}"),
    };
    let numbers = entry.members.references().iter().map(number).collect();
    (numbers, matches!(entry.members, Members::Complete(_)))
}

#[test]
fn parts_of_a_list_are_one_list_in_whatever_order_they_come() {
    let named = json!({ "displayName": "Sales", "members@delta": members(&[(5, true), (3, true)]) });
    let more = json!({ "members@delta": members(&[(4, true), (3, true)]) });
    for items in [[named.clone(), more.clone()], [more, named]] {
        assert_eq!(list(&after(&items, None)), (vec![3, 4, 5], true));
    }
}

#[test]
fn what_is_told_of_members_is_added_to_what_was_known() {
    let told = |members: &Value| {
        after(&[json!({ "displayName": "Sales", "members@delta": members })], Some(&[3, 4]))
    };
    assert_eq!(list(&told(&members(&[(5, true), (3, false)]))), (vec![4, 5], true));
    assert_eq!(list(&told(&members(&[(5, true), (5, false), (4, false), (4, true)]))), (vec![3, 4], true));
    assert_eq!(list(&told(&json!([]))), (vec![3, 4], true));
    let renamed = after(&[json!({ "displayName": "Sales EMEA" })], Some(&[3, 4]));
    assert_eq!(list(&renamed), (vec![3, 4], true), "nothing said of members is no change of them");
}

#[test]
fn a_member_that_cannot_be_told_apart_makes_a_list_partial() {
    let item = json!({ "displayName": "Sales", "members@delta": [{ "id": id(3) }, { "id": "ann" }, 7] });
    assert_eq!(list(&after(&[item], None)), (vec![3], false));
}

#[test]
fn hidden_members_are_not_known_unless_somebody_is_shown() {
    let hidden = |members: &[(u128, bool)]| json!({ "displayName": "Board", "visibility": "HiddenMembership", "members@delta": self::members(members) });
    assert_eq!(list(&after(&[hidden(&[])], Some(&[3]))), (vec![3], false));
    assert_eq!(list(&after(&[hidden(&[(4, true)])], Some(&[3]))), (vec![3, 4], true));
}

#[test]
fn a_group_that_shows_its_id_alone_is_an_exception() {
    let Change::Unreadable { anchor, why, .. } =
        after(&[json!({ "members@delta": members(&[(3, true)]) })], None)
    else {
        panic!()
    };
    assert!(anchor.is_some() && why.contains("GroupMember.Read.All"), "{why}");
}

#[test]
fn the_last_word_says_whether_it_is_there() {
    let (there, gone) = (json!({ "displayName": "Sales" }), json!({ "@removed": { "reason": "deleted" } }));
    assert!(matches!(after(&[there.clone(), gone.clone()], None), Change::Tombstone(_)));
    assert!(matches!(after(&[gone, there], None), Change::Replace(_)));
    let strange = json!({ "@removed": { "reason": "archived" } });
    assert!(matches!(after(&[strange], None), Change::Unreadable { .. }));
}
