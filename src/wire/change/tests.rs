//! Each change survives the way in full.

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::directory::{self, Dn, Entry as Told, Members, Patch as ToldPatch, Stated};
use crate::wire::{pack, unpack};

fn texts() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("\\PC{0,12}|(.|\\p{Cc}){0,4}", 0..4)
}

fn references() -> impl Strategy<Value = Vec<directory::Reference>> {
    let dns = prop::sample::select(vec![
        "cn=ann,dc=x",
        "CN=Lee\\, Ann+uid=7,DC=x",
        "ou=\\C3\\A4,dc=x",
        "cn=#04024869,dc=x",
    ]);
    let one = prop_oneof![
        "\\PC{0,12}".prop_map(|id| directory::Reference::Anchor(Anchor::new(id))),
        dns.prop_map(|dn| directory::Reference::Dn(Dn::parse(dn).unwrap())),
        "S-1-5-21-[0-9]{1,5}".prop_map(directory::Reference::Sid),
        "\\PC{0,12}".prop_map(|uid| directory::Reference::uid(&uid)),
        "\\PC{0,12}".prop_map(|address| directory::Reference::address(&address)),
    ];
    prop::collection::vec(one, 0..5)
}

fn members() -> impl Strategy<Value = Members> {
    prop_oneof![
        Just(Members::None),
        Just(Members::NotStated),
        references().prop_map(Members::Complete),
        (references(), "\\PC{0,20}").prop_map(|(known, why)| Members::Partial(known, why)),
    ]
}

fn stated() -> impl Strategy<Value = std::collections::BTreeMap<String, Stated>> {
    let one = prop_oneof![Just(Stated::Undecodable), texts().prop_map(Stated::Values)];
    prop::collection::btree_map("[a-zA-Z;-]{1,8}", one, 0..4)
}

fn kind() -> impl Strategy<Value = EntryKind> {
    prop::sample::select(vec![EntryKind::User, EntryKind::Group, EntryKind::Contact])
}

fn entry() -> impl Strategy<Value = Told> {
    let moment = (-5_000_000_000_i64..5_000_000_000, 0..1_000_000_000_i32)
        .prop_map(|(second, nano)| Timestamp::new(second, if second < 0 { -nano } else { nano }).unwrap());
    let about = ("\\PC{0,12}", kind(), "\\PC{0,30}", any::<Option<bool>>(), prop::option::of(moment));
    let rest = (references(), stated(), stated(), members(), any::<Option<String>>());
    (about, rest).prop_map(
        |((anchor, kind, dn, disabled, expires), (names, fields, attributes, members, place))| Told {
            anchor: Anchor::new(anchor),
            kind,
            dn,
            names,
            disabled,
            expires,
            fields,
            attributes,
            members,
            place,
        },
    )
}

fn change() -> impl Strategy<Value = directory::Change> {
    use directory::Change as It;
    let anchor = || "\\PC{0,12}".prop_map(Anchor::new);
    let text = || "\\PC{0,12}";
    let cleared = || prop::collection::btree_set("[a-z]{1,6}", 0..4);
    let kinds: Vec<&'static [EntryKind]> = vec![
        &[],
        &[EntryKind::User],
        &[EntryKind::Group],
        &[EntryKind::Contact],
        &[EntryKind::User, EntryKind::Group],
        &[EntryKind::User, EntryKind::Contact],
        &[EntryKind::Group, EntryKind::Contact],
        &[EntryKind::User, EntryKind::Group, EntryKind::Contact],
    ];
    let patch =
        (entry(), cleared(), cleared(), any::<Option<String>>()).prop_map(|(set, one, two, alone)| {
            It::Patch(Box::new(ToldPatch {
                set,
                cleared: one,
                cleared_attributes: two,
                alone: alone.map_or(Ok(()), Err),
            }))
        });
    prop_oneof![
        4 => entry().prop_map(|entry| It::Replace(Box::new(entry))),
        2 => patch,
        1 => anchor().prop_map(It::Tombstone),
        1 => anchor().prop_map(It::Unchanged),
        1 => anchor().prop_map(It::Outside),
        1 => (anchor(), text(), text(), prop::sample::select(kinds)).prop_map(|(anchor, what, why, kinds)| {
            It::OfNoKind(OfNoKind { anchor, what, why, kinds })
        }),
        1 => (entry(), any::<bool>(), text())
            .prop_map(|(entry, sure, why)| It::Unproven { entry: Box::new(entry), sure, why }),
        1 => (anchor(), references(), references())
            .prop_map(|(group, added, removed)| It::MembersDelta { group, added, removed }),
        1 => (prop::option::of(anchor()), text(), text())
            .prop_map(|(anchor, what, why)| It::Unreadable { anchor, what, why }),
        1 => text().prop_map(|record| It::Gap { record }),
        1 => (text(), text(), text()).prop_map(|(record, what, why)| It::Stray { record, what, why }),
        1 => text().prop_map(|dn| It::Anonymous { dn }),
    ]
}

/// The way of one change.
fn way(change: directory::Change) -> directory::Change {
    let packed = pack(&Change::from(change)).unwrap();
    unpack::<Change>(&packed, 1 << 20).unwrap().try_into().unwrap()
}

/// Every place in a value that something stands at.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| places(value, &format!("{at}/{name}"), found));
        }
        Value::Array(items) => {
            (0..).zip(items).for_each(|(number, value)| places(value, &format!("{at}/{number}"), found));
        }
        _ => {}
    }
    if !at.is_empty() {
        found.push(at.to_owned());
    }
}

proptest! {
    #[test]
    fn a_change_survives_the_way_in_full(change in change()) {
        prop_assert_eq!(way(change.clone()), change);
    }

    /// Whatever is taken away from what is sent, or added to it, is seen: it is refused, or it is another change.
    #[test]
    fn nothing_of_a_change_can_be_lost_or_added_unseen(change in change(), which in any::<prop::sample::Index>(), adds: bool) {
        let sent = serde_json::to_value(Change::from(change.clone())).unwrap();
        let mut all = Vec::new();
        places(&sent, "", &mut all);
        prop_assume!(!all.is_empty());
        let place = &all[which.index(all.len())];
        let mut altered = sent.clone();
        if adds {
            match altered.pointer_mut(place) {
                Some(Value::Object(fields)) => drop(fields.insert("unheardOf".to_owned(), Value::Bool(true))),
                Some(value) => *value = Value::Bool(true),
                None => {}
            }
        } else {
            let (parent, name) = place.rsplit_once('/').unwrap();
            match altered.pointer_mut(parent) {
                Some(Value::Object(fields)) => drop(fields.remove(name)),
                Some(Value::Array(items)) => drop(items.remove(name.parse::<usize>().unwrap())),
                _ => {}
            }
        }
        prop_assume!(altered != sent);
        let came = serde_json::from_value::<Change>(altered).ok().and_then(|it| directory::Change::try_from(it).ok());
        // What may be missing is what is `null` anyway.
        let was_nothing = sent.pointer(place) == Some(&Value::Null);
        prop_assert!(was_nothing || came != Some(change), "{}", place);
    }
}

#[test]
fn a_dn_that_is_none_is_refused() {
    let change = Change::MembersDelta {
        group: "g".to_owned(),
        added: vec![Reference::Dn("no dn".to_owned())],
        removed: Vec::new(),
    };
    assert_eq!(directory::Change::try_from(change), Err(Misfit::Dn));
    assert_eq!(super::kinds(&[Kind::Group, Kind::User, Kind::User]), [EntryKind::User, EntryKind::Group]);
}
