//! From what the Directory API says of a user or group to an entry. Pure.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::value::RawValue;

use crate::directory::{Anchor, Change, Entry, EntryKind, Members, Reference, Stated, fields};
use crate::source::json::{self, Object};

/// An object of a page.
pub(super) type Item<'t> = Object<'t>;

/// What is asked of users.
const USER: &[&str] = &[
    "id",
    "primaryEmail",
    "customerId",
    "name",
    "suspended",
    "archived",
    "aliases",
    "nonEditableAliases",
    "organizations",
    "phones",
    "externalIds",
    "locations",
    "languages",
    "isGuestUser",
];
/// What is asked of groups.
const GROUP: &[&str] =
    &["id", "email", "name", "description", "directMembersCount", "aliases", "nonEditableAliases", "etag"];
/// What a group has and a user has not: whoever names one of them means groups.
const OF_GROUPS_ALONE: &[&str] = &["adminCreated", "description", "directMembersCount", "email"];
/// What both have.
const OF_BOTH: &[&str] = &["aliases", "etag", "externalIds", "id", "kind", "name", "nonEditableAliases"];
/// Where the attributes are that a customer made for itself, by schema.
pub(super) const CUSTOM: &str = "customSchemas";

/// The first part of the name of a literal attribute: what is asked for.
fn head(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

/// What is asked of users, in one order.
pub(super) fn select_users(literal: &BTreeSet<String>) -> String {
    let literal = literal.iter().map(|name| head(name)).filter(|name| !OF_GROUPS_ALONE.contains(name));
    select(USER, literal)
}

/// The same of groups.
pub(super) fn select_groups(literal: &BTreeSet<String>) -> String {
    let literal = literal.iter().map(|name| head(name));
    select(GROUP, literal.filter(|name| OF_GROUPS_ALONE.contains(name) || OF_BOTH.contains(name)))
}

fn select<'n>(fixed: &[&'n str], literal: impl Iterator<Item = &'n str>) -> String {
    let names: BTreeSet<&str> = fixed.iter().copied().chain(literal).collect();
    names.into_iter().collect::<Vec<_>>().join(",")
}

/// The schemas of attributes of the customer's own that are asked for.
pub(super) fn schemas(literal: &BTreeSet<String>) -> String {
    let of = literal.iter().filter_map(|name| name.strip_prefix(CUSTOM)?.strip_prefix('.'));
    let schemas: BTreeSet<&str> = of.filter_map(|rest| rest.split('.').next()).collect();
    schemas.into_iter().collect::<Vec<_>>().join(",")
}

/// The neutral fields that are asked for.
pub(super) fn asked() -> BTreeSet<String> {
    let asked = [
        fields::USER_NAME,
        fields::MAIL,
        fields::ALIASES,
        fields::DISPLAY_NAME,
        fields::GIVEN_NAME,
        fields::FAMILY_NAME,
        fields::TITLE,
        fields::DEPARTMENT,
        fields::ORGANIZATION,
        fields::EMPLOYEE_NUMBER,
        fields::EMPLOYEE_TYPE,
        fields::TELEPHONE_NUMBER,
        fields::MOBILE,
        fields::OFFICE,
        fields::PREFERRED_LANGUAGE,
        fields::USER_TYPE,
        fields::NAME,
        fields::DESCRIPTION,
    ];
    asked.map(str::to_owned).into()
}

/// A text, if it is one and not empty.
pub(super) fn text<'t>(item: &Item<'t>, name: &str) -> Option<Cow<'t, str>> {
    let text = match item.get(name).and_then(json::text)? {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    };
    Some(text).filter(|text| !text.is_empty())
}

/// The id of an object, which it keeps for ever.
pub(super) fn id(item: &Item<'_>) -> Option<Anchor> {
    text(item, "id").map(Anchor::new)
}

/// What a page says of a user.
pub(super) fn user(item: &Item<'_>, literal: &BTreeSet<String>) -> Change {
    let Some(anchor) = id(item) else { return nameless("user") };
    let what = format!("users/{anchor}");
    let unreadable = |why: &str| Change::Unreadable {
        anchor: Some(anchor.clone()),
        what: what.clone(),
        why: why.to_owned(),
    };
    // Every user has one.
    if text(item, "primaryEmail").is_none() {
        return unreadable(
            "Google shows no primaryEmail of it; give the administrator in whose name is asked the right to read users",
        );
    }
    let is = |name: &str| match item.get(name).filter(|value| !json::is_null(value)) {
        None => Ok(None),
        Some(value) => json::boolean(value).map(Some).ok_or(()),
    };
    // Who is archived is not always suspended.
    let (Ok(Some(suspended)), Ok(archived)) = (is("suspended"), is("archived")) else {
        return unreadable(
            "it does not say whether the account is suspended (suspended, archived), so it stays as it is",
        );
    };
    let mut stated = BTreeMap::new();
    let mut note = |field: &str, value: Option<Stated>| {
        stated.extend(value.map(|value| (field.to_owned(), value)));
    };
    let of = |name: &str| item.get(name).and_then(json::stated);
    note(fields::USER_NAME, of("primaryEmail"));
    note(fields::MAIL, of("primaryEmail"));
    note(fields::ALIASES, aliases(item));
    let named = item.get("name").filter(|name| !json::is_null(name)).map(Object::of);
    let name = |part: &str| match &named {
        Some(Some(name)) => name.get(part).and_then(json::stated),
        None => None,
        Some(None) => Some(Stated::Undecodable),
    };
    note(fields::DISPLAY_NAME, name("fullName"));
    note(fields::GIVEN_NAME, name("givenName"));
    note(fields::FAMILY_NAME, name("familyName"));
    let organization = |part| chosen(item, "organizations", part, |_| true);
    note(fields::TITLE, organization("title"));
    note(fields::DEPARTMENT, organization("department"));
    note(fields::ORGANIZATION, organization("name"));
    // The console calls it "Type of employee".
    note(fields::EMPLOYEE_TYPE, organization("description"));
    let of_type = |list, part, kind: &'static str| {
        chosen(item, list, part, move |one| text(one, "type").as_deref() == Some(kind))
    };
    note(fields::EMPLOYEE_NUMBER, of_type("externalIds", "value", "organization"));
    note(fields::TELEPHONE_NUMBER, of_type("phones", "value", "work"));
    note(fields::MOBILE, of_type("phones", "value", "mobile"));
    note(fields::OFFICE, of_type("locations", "buildingId", "desk"));
    let preferred = |one: &Item<'_>| text(one, "preference").as_deref() != Some("not_preferred");
    note(fields::PREFERRED_LANGUAGE, chosen(item, "languages", "languageCode", preferred));
    let user_type = match is("isGuestUser") {
        Ok(guest) => guest.map(|is| Stated::Values(vec![if is { "guest" } else { "member" }.to_owned()])),
        Err(()) => Some(Stated::Undecodable),
    };
    note(fields::USER_TYPE, user_type);
    let disabled = Some(suspended || archived == Some(true));
    let entry = entry(item, anchor.clone(), EntryKind::User, what, stated, literal);
    Change::Replace(Box::new(Entry { disabled, ..entry }))
}

/// What a page says of a group, but for its members; what to say of one that cannot be understood.
pub(super) fn group(item: &Item<'_>, literal: &BTreeSet<String>) -> Result<Entry, Box<Change>> {
    let Some(anchor) = id(item) else { return Err(Box::new(nameless("group"))) };
    let what = format!("groups/{anchor}");
    // Every group has one.
    let Some(email) = text(item, "email") else {
        let why = "Google shows no email of it; give the administrator in whose name is asked the right to read groups";
        return Err(Box::new(Change::Unreadable { anchor: Some(anchor), what, why: why.to_owned() }));
    };
    let mut stated = BTreeMap::new();
    let mut note = |field: &str, value: Option<Stated>| {
        stated.extend(value.map(|value| (field.to_owned(), value)));
    };
    let of = |name: &str| item.get(name).and_then(json::stated);
    let local = || Some(Stated::Values(vec![email.split('@').next().unwrap_or(&email).to_owned()]));
    note(fields::NAME, of("name").or_else(local));
    note(fields::DISPLAY_NAME, of("name").or_else(local));
    note(fields::MAIL, of("email"));
    note(fields::ALIASES, aliases(item));
    note(fields::DESCRIPTION, of("description"));
    let entry = entry(item, anchor, EntryKind::Group, what, stated, literal);
    Ok(Entry { members: Members::NotStated, ..entry })
}

fn nameless(kind: &str) -> Change {
    let why = "it has no id; Google gives every object one".to_owned();
    Change::Unreadable { anchor: None, what: format!("a {kind} without an id"), why }
}

fn entry(
    item: &Item<'_>,
    anchor: Anchor,
    kind: EntryKind,
    dn: String,
    fields: BTreeMap<String, Stated>,
    literal: &BTreeSet<String>,
) -> Entry {
    let attributes = literal.iter().filter_map(|name| Some((name.clone(), at(item, name)?))).collect();
    let names = vec![Reference::Anchor(anchor.clone())];
    Entry { anchor, kind, dn, names, fields, attributes, ..Entry::nobody() }
}

/// The other addresses: those that somebody gave, and those that Google did.
fn aliases(item: &Item<'_>) -> Option<Stated> {
    let mut all = Vec::new();
    for name in ["aliases", "nonEditableAliases"] {
        match item.get(name).and_then(json::stated) {
            Some(Stated::Values(values)) => all.extend(values),
            Some(Stated::Undecodable) => return Some(Stated::Undecodable),
            None => {}
        }
    }
    (!all.is_empty()).then_some(Stated::Values(all))
}

/// A part of the one element of a list that counts: of those that are meant, the primary one, else the first.
fn chosen(item: &Item<'_>, list: &str, part: &str, is_meant: impl Fn(&Item<'_>) -> bool) -> Option<Stated> {
    let value = item.get(list).filter(|value| !json::is_null(value))?;
    let elements: Option<Vec<Item<'_>>> =
        json::list(value).and_then(|all| all.into_iter().map(Object::of).collect());
    let Some(elements) = elements else { return Some(Stated::Undecodable) };
    let is_primary = |element: &&Item<'_>| element.get("primary").and_then(json::boolean) == Some(true);
    let mut meant = elements.iter().filter(|element| is_meant(element));
    let first = meant.next()?;
    let primary = std::iter::once(first).chain(meant).find(is_primary).unwrap_or(first);
    primary.get(part).and_then(json::stated)
}

/// What stands at a path of names: of a list, in each element. An element that has a `value` stands for that.
fn at(item: &Item<'_>, path: &str) -> Option<Stated> {
    let parts: Vec<&str> = path.split('.').collect();
    let (first, rest) = parts.split_first()?;
    let mut found = Vec::new();
    match collect(item.get(first)?, rest, &mut found) {
        Ok(()) => json::stated_by(found),
        Err(NoStructure) => Some(Stated::Undecodable),
    }
}

/// It is no structure, though it was taken for one.
struct NoStructure;

fn collect<'t>(value: &'t RawValue, path: &[&str], found: &mut Vec<&'t RawValue>) -> Result<(), NoStructure> {
    if json::is_null(value) {
        return Ok(());
    }
    if let Some(elements) = json::list(value) {
        return elements.into_iter().try_for_each(|one| collect(one, path, found));
    }
    match (Object::of(value), path) {
        (Some(object), [first, rest @ ..]) => {
            object.get(first).map_or(Ok(()), |value| collect(value, rest, found))
        }
        (Some(object), []) if object.get("value").is_some() => {
            object.get("value").map_or(Ok(()), |value| collect(value, &[], found))
        }
        (None, [_, ..]) => Err(NoStructure),
        (_, []) => {
            found.push(value);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests;
