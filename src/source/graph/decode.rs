//! From what Graph says of a user or group to an entry. Pure.
//!
//! In a read of everything a property that was asked for and is missing never had a value. In what changed it may be missing
//! because it did not change: only null says that it is empty.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::directory::{Anchor, Change, Entry, EntryKind, Members, Mode, Patch, Reference, Stated, fields};
use crate::source::json::{self, Object};
use crate::source::schema::{Attributes, active_directory};

/// An object of a page.
pub(super) type Item<'t> = Object<'t>;

/// The neutral fields of a user, and the property that states each.
const USER: &[(&str, &str)] = &[
    (fields::USER_NAME, "userPrincipalName"),
    (fields::DISPLAY_NAME, "displayName"),
    (fields::GIVEN_NAME, "givenName"),
    (fields::FAMILY_NAME, "surname"),
    (fields::TITLE, "jobTitle"),
    (fields::DEPARTMENT, "department"),
    (fields::ORGANIZATION, "companyName"),
    (fields::EMPLOYEE_NUMBER, "employeeId"),
    (fields::EMPLOYEE_TYPE, "employeeType"),
    (fields::TELEPHONE_NUMBER, "businessPhones"),
    (fields::MOBILE, "mobilePhone"),
    (fields::OFFICE, "officeLocation"),
    (fields::PREFERRED_LANGUAGE, "preferredLanguage"),
    (fields::USER_TYPE, "userType"),
];
/// The same of a mail contact.
const CONTACT: &[(&str, &str)] = &[
    (fields::DISPLAY_NAME, "displayName"),
    (fields::GIVEN_NAME, "givenName"),
    (fields::FAMILY_NAME, "surname"),
    (fields::TITLE, "jobTitle"),
    (fields::DEPARTMENT, "department"),
    (fields::ORGANIZATION, "companyName"),
];
/// The same of a group.
const GROUP: &[(&str, &str)] = &[
    (fields::NAME, "displayName"),
    (fields::DISPLAY_NAME, "displayName"),
    (fields::DESCRIPTION, "description"),
];
/// What else is asked of all.
const ALL: &[&str] = &["id", "mail", "proxyAddresses"];
/// Properties that a group has and a user has not: whoever names one of them means groups.
const OF_GROUPS_ALONE: &[&str] = &[
    "classification",
    "description",
    "expirationDateTime",
    "groupTypes",
    "isAssignableToRole",
    "mailEnabled",
    "membershipRule",
    "membershipRuleProcessingState",
    "renewedDateTime",
    "resourceBehaviorOptions",
    "resourceProvisioningOptions",
    "securityEnabled",
    "theme",
    "uniqueName",
    "visibility",
];
/// Properties that both have.
const OF_BOTH: &[&str] = &[
    "createdDateTime",
    "displayName",
    "mail",
    "mailNickname",
    "onPremisesDomainName",
    "onPremisesLastSyncDateTime",
    "onPremisesSamAccountName",
    "onPremisesSecurityIdentifier",
    "onPremisesSyncEnabled",
    "preferredDataLocation",
    "preferredLanguage",
    "proxyAddresses",
    "securityIdentifier",
];
/// Properties that a mail contact has, too.
const OF_CONTACTS: &[&str] = &[
    "displayName",
    "mail",
    "mailNickname",
    "onPremisesLastSyncDateTime",
    "onPremisesSyncEnabled",
    "proxyAddresses",
];
/// Where `extensionAttribute1` to `extensionAttribute15` are.
const EXTENSIONS: &str = "onPremisesExtensionAttributes";

/// What is asked of users.
pub(super) fn select_users(literal: &BTreeSet<String>) -> String {
    let fixed = ["accountEnabled"];
    let literal = literal.iter().map(String::as_str).filter(|name| !is(OF_GROUPS_ALONE, name));
    let literal = literal.map(|name| if is_extension(name) { EXTENSIONS } else { name });
    select(USER.iter().map(|(_, name)| *name).chain(ALL.iter().copied()).chain(fixed).chain(literal))
}

/// What is asked of mail contacts.
pub(super) fn select_contacts(literal: &BTreeSet<String>) -> String {
    let literal = literal.iter().map(String::as_str).filter(|name| is(OF_CONTACTS, name));
    select(CONTACT.iter().map(|(_, name)| *name).chain(ALL.iter().copied()).chain(literal))
}

/// What is asked of groups.
pub(super) fn select_groups(literal: &BTreeSet<String>) -> String {
    let literal = literal.iter().map(String::as_str);
    let literal = literal.filter(|name| is(OF_GROUPS_ALONE, name) || is(OF_BOTH, name) || is_of_an_app(name));
    let fixed = ["visibility", "members"];
    select(GROUP.iter().map(|(_, name)| *name).chain(ALL.iter().copied()).chain(fixed).chain(literal))
}

fn is(these: &[&str], name: &str) -> bool {
    these.iter().any(|one| one.eq_ignore_ascii_case(name))
}

/// Whether it is a property that some app adds (a directory extension). Users and groups may have it: both are open types of
/// Graph, so who has none is asked for it all the same.
fn is_of_an_app(name: &str) -> bool {
    name.get(..10).is_some_and(|begin| begin.eq_ignore_ascii_case("extension_"))
}

fn is_extension(name: &str) -> bool {
    let number = name.get(..18).filter(|begin| begin.eq_ignore_ascii_case("extensionAttribute"));
    number.is_some_and(|begin| name[begin.len()..].parse().is_ok_and(|number: u8| (1..=15).contains(&number)))
}

/// Each name once, in one order: it decides where a feed goes on.
fn select<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let mut chosen: BTreeMap<String, &str> = BTreeMap::new();
    for name in names {
        chosen.entry(name.to_lowercase()).or_insert(name);
    }
    chosen.into_values().collect::<Vec<_>>().join(",")
}

/// The neutral fields that are asked for.
pub(super) fn asked() -> BTreeSet<String> {
    let of = USER.iter().chain(GROUP).map(|(field, _)| *field);
    of.chain([fields::MAIL, fields::ALIASES]).map(str::to_owned).collect()
}

/// The id of an object, if it is one.
pub(super) fn id(item: &Item<'_>) -> Option<Uuid> {
    item.get("id").and_then(json::text).and_then(|id| Uuid::try_parse(&id).ok())
}

/// An id as an anchor.
pub(super) fn anchor(id: Uuid) -> Anchor {
    Anchor::new(id.hyphenated().to_string())
}

/// What was done to an object that is told to be removed; `None` of one that is there.
pub(super) fn removed(item: &Item<'_>) -> Option<Result<(), String>> {
    let removed = Object::of(item.get("@removed")?).unwrap_or_default();
    let reason = removed.get("reason").and_then(json::text).unwrap_or_default();
    // `changed` is a deletion that can be undone for 30 days, `deleted` one that cannot.
    Some(if ["changed", "deleted"].contains(&&*reason) {
        Ok(())
    } else {
        Err(format!(
            "it is told to be removed for a reason that is not known ({reason:?}), so it stays as it is"
        ))
    })
}

/// Why an account is as it was that does not say whether it is enabled.
const NO_STATE: &str =
    "it does not say whether the account is enabled (accountEnabled), so it stays as it is";

/// What a page says of a user: of one who changed perhaps only that.
pub(super) fn user(item: &Item<'_>, literal: &BTreeSet<String>, mode: Mode) -> Change {
    let nameless = "Graph shows nothing of it but its id; let the app read users (the application permission User.Read.All)";
    // Every user has both.
    let (named, enabled) = (said(item, "userPrincipalName"), value(item, "accountEnabled"));
    let disabled = match enabled.map(json::boolean) {
        Some(Some(enabled)) => Ok(Some(!enabled)),
        Some(None) => Err(NO_STATE.to_owned()),
        None => Ok(None),
    };
    let alone = match (&named, &disabled) {
        (None, _) => Err(nameless.to_owned()),
        (_, Ok(None)) => Err(NO_STATE.to_owned()),
        _ => Ok(()),
    };
    let is_nameless = named.is_none() && value(item, "userPrincipalName").is_some();
    let disabled = if is_nameless { Err(nameless.to_owned()) } else { disabled };
    entry(item, "users", mode, |id, what| {
        let mut patch = patch(item, id, EntryKind::User, what, USER, literal, alone);
        patch.set.disabled = disabled?;
        // `Member` or `Guest`.
        if let Some(Stated::Values(types)) = patch.set.fields.get_mut(fields::USER_TYPE) {
            for one in types {
                *one = one.to_lowercase();
            }
        }
        Ok(patch)
    })
}

/// What a page says of a mail contact. It has no account, so it is never disabled.
pub(super) fn contact(item: &Item<'_>, literal: &BTreeSet<String>, mode: Mode) -> Change {
    let nameless = "Graph shows nothing of it but its id; let the app read contacts (the application permission OrgContact.Read.All)";
    // Every contact has one.
    let named = said(item, "displayName");
    let is_nameless = named.is_none() && value(item, "displayName").is_some();
    let alone = named.map(|_| ()).ok_or_else(|| nameless.to_owned());
    entry(item, "contacts", mode, |id, what| {
        let patch = patch(item, id, EntryKind::Contact, what, CONTACT, literal, alone);
        if is_nameless { Err(nameless.to_owned()) } else { Ok(patch) }
    })
}

/// What a page says of somebody: of one who changed perhaps only that.
fn entry(
    item: &Item<'_>,
    of: &str,
    mode: Mode,
    patch: impl FnOnce(Uuid, String) -> Result<Patch, String>,
) -> Change {
    let Some(id) = id(item) else {
        let why = "it has no id that is a UUID; Graph gives every object one".to_owned();
        return Change::Unreadable { anchor: None, what: format!("an object of {of} without an id"), why };
    };
    let what = format!("{of}/{id}");
    let unreadable = |why: String| Change::Unreadable { anchor: Some(anchor(id)), what: what.clone(), why };
    match removed(item) {
        Some(Ok(())) => return Change::Tombstone(anchor(id)),
        Some(Err(why)) => return unreadable(why),
        None => {}
    }
    let patch = match patch(id, what.clone()) {
        Ok(patch) => patch,
        Err(why) => return unreadable(why),
    };
    match (mode, &patch.alone) {
        (Mode::Delta, _) => Change::Patch(Box::new(patch)),
        (Mode::Full, Ok(())) => Change::Replace(Box::new(patch.set)),
        (Mode::Full, Err(why)) => unreadable(why.clone()),
    }
}

/// What a page says of a group, but for its members.
pub(super) fn group(item: &Item<'_>, id: Uuid, literal: &BTreeSet<String>) -> Patch {
    // Every group has one.
    let alone = said(item, "displayName").map(|_| ()).ok_or_else(|| {
        "Graph shows nothing of it but its id; let the app read groups (the application permission GroupMember.Read.All)"
            .to_owned()
    });
    patch(item, id, EntryKind::Group, format!("groups/{id}"), GROUP, literal, alone)
}

/// Somebody who came into a group, or went.
#[derive(Deserialize)]
pub(super) struct Member {
    pub(super) id: Uuid,
    #[serde(rename = "@removed", default, deserialize_with = "is_said")]
    pub(super) went: bool,
}

/// Whatever is said.
fn is_said<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    serde::de::IgnoredAny::deserialize(deserializer).map(|_| true)
}

/// What a page says of a group's members, and how many of those cannot be told apart. A list that is none may be of anybody.
pub(super) fn members(item: &Item<'_>) -> (Vec<Member>, u64) {
    let Some(list) = item.get("members@delta") else { return (Vec::new(), 0) };
    if let Ok(members) = serde_json::from_str(list.get()) {
        return (members, 0);
    }
    let Some(elements) = json::list(list) else { return (Vec::new(), 1) };
    let member = |element: &RawValue| {
        let member = Object::of(element)?;
        Some(Member { id: id(&member)?, went: member.get("@removed").is_some() })
    };
    let members: Vec<Member> = elements.iter().filter_map(|element| member(element)).collect();
    let unknown = elements.len() - members.len();
    (members, unknown as u64)
}

/// Whether a page says a part of what its addresses come from: the other part decides with it which one is the primary. Not of
/// whom it says that there are no more than `mail`.
pub(super) fn is_half(item: &Item<'_>) -> bool {
    match (value(item, "mail"), value(item, "proxyAddresses")) {
        (Some(_), None) => true,
        (None, Some(_)) => said(item, "proxyAddresses").is_some(),
        _ => false,
    }
}

fn patch(
    item: &Item<'_>,
    id: Uuid,
    kind: EntryKind,
    dn: String,
    table: &[(&str, &str)],
    literal: &BTreeSet<String>,
    alone: Result<(), String>,
) -> Patch {
    let (mut set, mut cleared): (BTreeMap<String, Stated>, _) = (BTreeMap::new(), BTreeSet::new());
    for (field, property) in table {
        let Some(value) = value(item, property) else { continue };
        match json::stated(value) {
            Some(stated) => _ = set.insert((*field).to_owned(), stated),
            None => _ = cleared.insert((*field).to_owned()),
        }
    }
    addresses(item, &mut set);
    for (field, property) in [(fields::MAIL, "mail"), (fields::ALIASES, "proxyAddresses")] {
        if value(item, property).is_some() && !set.contains_key(field) {
            cleared.insert(field.to_owned());
        }
    }
    let (mut attributes, mut cleared_attributes) = (BTreeMap::new(), BTreeSet::new());
    for name in literal {
        let told = if is_extension(name) {
            value(item, EXTENSIONS).map(|all| said(&Object::of(all)?, name))
        } else {
            value(item, name).map(json::stated)
        };
        match told {
            Some(Some(stated)) => _ = attributes.insert(name.clone(), stated),
            Some(None) => _ = cleared_attributes.insert(name.clone()),
            None => {}
        }
    }
    let set = Entry {
        anchor: anchor(id),
        kind,
        dn,
        names: vec![Reference::Anchor(anchor(id))],
        fields: set,
        attributes,
        members: Members::None,
        ..Entry::nobody()
    };
    Patch { set, cleared, cleared_attributes, alone }
}

/// The primary address and the others: as Exchange writes them, on premises as in the cloud.
fn addresses(item: &Item<'_>, stated: &mut BTreeMap<String, Stated>) {
    let mut attributes = Attributes::new();
    for (property, name) in [("mail", "mail"), ("proxyAddresses", "proxyaddresses")] {
        match said(item, property) {
            Some(Stated::Values(values)) => attributes.add(name, values.into_iter().map(String::into_bytes)),
            // No text in any encoding.
            Some(Stated::Undecodable) => attributes.add(name, [vec![0xff]]),
            None => {}
        }
    }
    active_directory::addresses(&attributes, stated);
}

/// The property as it was sent, whatever the letter case of its name.
fn value<'t>(item: &Item<'t>, property: &str) -> Option<&'t RawValue> {
    item.get_in_any_case(property)
}

/// What an object says of a property.
fn said(item: &Item<'_>, property: &str) -> Option<Stated> {
    json::stated(value(item, property)?)
}

#[cfg(test)]
mod tests;
