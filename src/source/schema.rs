//! What LDAP attributes mean: from raw attributes to an entry in neutral form. Pure; shared by every
//! source that speaks LDAP's schema, whether over the wire or from a file.

use std::collections::{BTreeMap, BTreeSet};

use crate::directory::{Anchor, Dn, Entry, Kind, Members, Reference, Stated, fields};

mod attributes;

use attributes::is_said;
pub use attributes::{Attributes, name};

/// Immutable ids that servers offer, in the order in which they are tried.
pub const ANCHORS: &[&str] = &["entryUUID", "nsUniqueId", "ipaUniqueID", "objectGUID"];

/// Object classes that make an entry a user, a contact or a group (lower case).
const USER_CLASSES: &[&str] = &["inetorgperson", "organizationalperson", "person", "posixaccount", "account"];
const CONTACT_CLASSES: &[&str] = &["contact"];
const GROUP_CLASSES: &[&str] = &["groupofnames", "groupofuniquenames", "posixgroup", "group"];

/// Which attributes (in lower case) state which neutral field: the first that has a value does.
pub(super) type Table = &'static [(&'static str, &'static [&'static str])];

/// Of a user.
const USER_FIELDS: Table = &[
    (fields::USER_NAME, &["uid"]),
    (fields::DISPLAY_NAME, &["displayname", "cn"]),
    (fields::GIVEN_NAME, &["givenname"]),
    (fields::FAMILY_NAME, &["sn"]),
    (fields::TITLE, &["title"]),
    (fields::DEPARTMENT, &["departmentnumber", "ou"]),
    (fields::ORGANIZATION, &["o"]),
    (fields::EMPLOYEE_NUMBER, &["employeenumber"]),
    (fields::EMPLOYEE_TYPE, &["employeetype"]),
    (fields::TELEPHONE_NUMBER, &["telephonenumber"]),
    (fields::MOBILE, &["mobile"]),
    (fields::OFFICE, &["physicaldeliveryofficename", "l"]),
    (fields::PREFERRED_LANGUAGE, &["preferredlanguage"]),
    (fields::DESCRIPTION, &["description"]),
];

/// Of a group.
const GROUP_FIELDS: Table = &[
    (fields::NAME, &["cn"]),
    (fields::DISPLAY_NAME, &["displayname", "cn"]),
    (fields::DESCRIPTION, &["description"]),
];

/// Where further addresses stand.
const ALIASES: &[&str] = &["mailalternateaddress", "maillocaladdress"];

/// What to do where a list comes in parts.
const WHOLE: &str = "export all of them, or read the directory with a kind of connector that reads all parts (activeDirectory)";

/// How an entry is made of attributes.
#[derive(Clone, Debug)]
pub struct Schema {
    /// The attribute that holds the anchor, lower case; `dn` means the normalised DN itself.
    pub anchor: String,
    /// The literal attributes that policies and connectors name, as they spell them.
    pub literal: BTreeSet<String>,
}

/// An entry that cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Unreadable {
    /// Its anchor, where at least that could be read.
    pub anchor: Option<Anchor>,
    /// What is wrong with it and what to do.
    pub why: String,
}

impl Schema {
    /// Every attribute that has to be asked for.
    pub fn attributes(&self) -> BTreeSet<String> {
        let tables = USER_FIELDS.iter().chain(GROUP_FIELDS).flat_map(|(_, names)| *names);
        let fixed = ["objectclass", "mail", "member", "uniquemember", "memberuid"];
        let mut names: BTreeMap<String, String> = BTreeMap::new();
        let literal = self.literal.iter().map(String::as_str);
        for name in tables.copied().chain(fixed).chain(ALIASES.iter().copied()).chain(literal) {
            // A server gives an attribute with every option that it has.
            let name = name.split(';').next().unwrap_or(name);
            names.entry(name.to_lowercase()).or_insert_with(|| name.to_owned());
        }
        if self.anchor != "dn" {
            names.entry(self.anchor.clone()).or_insert_with(|| self.anchor.clone());
        }
        names.into_values().collect()
    }

    /// The neutral fields that a read with these attributes states.
    pub fn fields() -> BTreeSet<String> {
        fields::OF_USER.iter().chain(fields::OF_GROUP).map(|field| (*field).to_owned()).collect()
    }

    /// Makes an entry of attributes. `wanted` is what was searched for, if it was: an entry of unknown
    /// classes is taken for that, and one of another kind is none. `None` for an entry that is neither
    /// user, contact nor group.
    pub fn entry(
        &self,
        dn: &str,
        attributes: &Attributes,
        wanted: Option<Kind>,
    ) -> Result<Option<Entry>, Unreadable> {
        let Some(kind) = kind(attributes).or(wanted) else { return Ok(None) };
        if wanted.is_some_and(|wanted| (wanted == Kind::Group) != (kind == Kind::Group)) {
            return Ok(None);
        }
        let anchor = self.anchor(dn, attributes)?;
        let unreadable = |why: String| Unreadable { anchor: Some(anchor.clone()), why };
        let normal = Dn::parse(dn).map_err(|error| unreadable(error.to_string()))?;
        let mut names = vec![Reference::Dn(normal)];
        names.extend(text(attributes, "uid").unwrap_or_default().iter().map(|uid| Reference::uid(uid)));
        let table = if kind == Kind::Group { GROUP_FIELDS } else { USER_FIELDS };
        let mut stated = BTreeMap::new();
        for (field, sources) in table {
            if let Some(value) = sources.iter().find_map(|name| first(attributes, name)) {
                stated.insert((*field).to_owned(), value);
            }
        }
        addresses(attributes, &mut stated);
        let literal = self.literal.iter().filter_map(|name| Some((name.clone(), all(attributes, name)?)));
        let literal = literal.collect();
        let members = if kind == Kind::Group { members(attributes) } else { Members::None };
        Ok(Some(Entry {
            anchor,
            kind,
            dn: dn.to_owned(),
            names,
            disabled: None,
            expires: None,
            fields: stated,
            attributes: literal,
            members,
        }))
    }

    fn anchor(&self, dn: &str, attributes: &Attributes) -> Result<Anchor, Unreadable> {
        let refuse = |why: String| Unreadable { anchor: None, why };
        if self.anchor == "dn" {
            return Dn::parse(dn)
                .map(|dn| Anchor::new(dn.as_str()))
                .map_err(|error| refuse(error.to_string()));
        }
        let values: Vec<&[u8]> = attributes.values(&self.anchor).collect();
        match values.as_slice() {
            [value] => Ok(anchor(value)),
            [] => Err(refuse(format!(
                "it has no {}, which would tell it apart for ever; let the account read that attribute, or set \
                 anchorAttribute to one that every entry has",
                self.anchor
            ))),
            several => Err(refuse(format!(
                "it has {} values of {}, and an anchor has exactly one; set anchorAttribute to another attribute",
                several.len(),
                self.anchor
            ))),
        }
    }
}

/// The attributes that state a neutral field, or whom a group has in it.
pub fn attributes_of(field: &str) -> Vec<&'static str> {
    match field {
        fields::MAIL => vec!["mail"],
        fields::ALIASES => ALIASES.to_vec(),
        fields::MEMBERS => vec!["member", "uniqueMember", "memberUid"],
        _ => stated_by(&[USER_FIELDS, GROUP_FIELDS], field),
    }
}

/// The attributes that state a field in these tables.
pub(super) fn stated_by(tables: &[Table], field: &str) -> Vec<&'static str> {
    let mine = tables.iter().copied().flatten().filter(|(of, _)| *of == field);
    let mut names: Vec<&str> = Vec::new();
    for name in mine.flat_map(|(_, sources)| *sources) {
        if !names.contains(name) {
            names.push(name);
        }
    }
    names
}

/// An anchor's spelling: a UUID's letter case means nothing, and what is no text is written in
/// hexadecimal digits. (A binary id can happen to be valid UTF-8, so length decides for 16 octets.)
pub fn anchor(value: &[u8]) -> Anchor {
    match std::str::from_utf8(value) {
        Ok(text) if value.len() != 16 && !text.contains(char::is_control) => {
            Anchor::new(text.trim().to_lowercase())
        }
        _ => Anchor::new(hexadecimal(value)),
    }
}

/// Octets as two digits each.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

fn kind(attributes: &Attributes) -> Option<Kind> {
    let classes: Vec<String> =
        attributes.all("objectclass").map(|class| String::from_utf8_lossy(class).to_lowercase()).collect();
    let has = |of: &[&str]| classes.iter().any(|class| of.contains(&class.as_str()));
    // A contact is an organizationalPerson too, and a group class wins over none: a posixAccount that
    // is also a groupOfNames stays a person.
    if has(CONTACT_CLASSES) {
        Some(Kind::Contact)
    } else if has(USER_CLASSES) {
        Some(Kind::User)
    } else if has(GROUP_CLASSES) {
        Some(Kind::Group)
    } else {
        None
    }
}

/// All values of an attribute as text; `None` if there are none, `Undecodable` if one is not UTF-8 or not all came.
pub(super) fn all(attributes: &Attributes, description: &str) -> Option<Stated> {
    if !attributes.is_whole(&attributes::name(description)) {
        return Some(Stated::Undecodable);
    }
    let values = attributes.values(description).filter(|value| is_said(value));
    let decoded: Result<Vec<String>, _> = values.map(|value| String::from_utf8(value.to_vec())).collect();
    if decoded.as_ref().is_ok_and(Vec::is_empty) {
        return None;
    }
    Some(decoded.map_or(Stated::Undecodable, Stated::Values))
}

/// The first value as text.
pub(super) fn first(attributes: &Attributes, name: &str) -> Option<Stated> {
    if !attributes.is_whole(name) {
        return Some(Stated::Undecodable);
    }
    let value = attributes.values(name).find(|value| is_said(value))?;
    Some(match String::from_utf8(value.to_vec()) {
        Ok(text) => Stated::Values(vec![text]),
        Err(_) => Stated::Undecodable,
    })
}

fn text(attributes: &Attributes, name: &str) -> Option<Vec<String>> {
    match all(attributes, name)? {
        Stated::Values(values) => Some(values),
        Stated::Undecodable => None,
    }
}

/// The first `mail` is the primary address; every other one is an alias.
fn addresses(attributes: &Attributes, stated: &mut BTreeMap<String, Stated>) {
    match all(attributes, "mail") {
        Some(Stated::Values(mut values)) => {
            let further = values.split_off(1);
            stated.insert(fields::MAIL.to_owned(), Stated::Values(values));
            if !further.is_empty() {
                stated.insert(fields::ALIASES.to_owned(), Stated::Values(further));
            }
        }
        Some(Stated::Undecodable) => {
            stated.insert(fields::MAIL.to_owned(), Stated::Undecodable);
        }
        None => {}
    }
    for name in ALIASES {
        match (all(attributes, name), stated.get_mut(fields::ALIASES)) {
            (None, _) | (_, Some(Stated::Undecodable)) => {}
            (Some(Stated::Values(more)), Some(Stated::Values(aliases))) => aliases.extend(more),
            (Some(more), _) => {
                stated.insert(fields::ALIASES.to_owned(), more);
            }
        }
    }
}

/// `member` and `uniqueMember` hold DNs, `memberUid` login names.
fn members(attributes: &Attributes) -> Members {
    let mut references = Vec::new();
    let mut bad = None;
    for (name, by_uid) in [("member", false), ("uniquemember", false), ("memberuid", true)] {
        if !attributes.is_whole(name) {
            bad.get_or_insert_with(|| format!("only a part of its members came ({name};range=…): {WHOLE}"));
        }
        for value in attributes.all(name) {
            match reference(value, by_uid) {
                Ok(Some(reference)) => references.push(reference),
                Ok(None) => {}
                Err(why) => {
                    bad.get_or_insert(why);
                }
            }
        }
    }
    match bad {
        None => Members::Complete(references),
        Some(why) => Members::Partial(references, why),
    }
}

/// `None` for the empty DN, which some servers need as a placeholder in a group without members.
fn reference(value: &[u8], by_uid: bool) -> Result<Option<Reference>, String> {
    let text = std::str::from_utf8(value).map_err(|_| "a member is not valid UTF-8".to_owned())?;
    if text.trim().is_empty() {
        return Ok(None);
    }
    if by_uid {
        return Ok(Some(Reference::uid(text)));
    }
    Dn::parse(without_unique_id(text))
        .map(|dn| Some(Reference::Dn(dn)))
        .map_err(|error| format!("a member: {error}"))
}

/// `uniqueMember` may carry a bit string that tells re-used names apart (RFC 4517 section 3.3.21):
/// `cn=x#'0101'B`.
fn without_unique_id(text: &str) -> &str {
    let Some(bits) = text.strip_suffix("'B") else { return text };
    match bits.rsplit_once("#'") {
        Some((dn, bits)) if bits.bytes().all(|bit| matches!(bit, b'0' | b'1')) => dn,
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn schema() -> Schema {
        Schema { anchor: "entryuuid".to_owned(), literal: BTreeSet::from(["employeeStatus".to_owned()]) }
    }

    fn attributes(of: &[(&str, &[&[u8]])]) -> Attributes {
        let mut attributes = Attributes::new();
        for (description, values) in of {
            attributes.add(description, values.iter().map(|value| value.to_vec()));
        }
        attributes
    }

    fn values(of: &[&str]) -> Stated {
        Stated::Values(of.iter().map(|value| (*value).to_owned()).collect())
    }

    #[test]
    fn makes_a_user() {
        let entry = schema()
            .entry(
                "uid=Ann,ou=People,dc=x",
                &attributes(&[
                    ("objectclass", &[b"top", b"inetOrgPerson"]),
                    ("entryuuid", &[b"9B1DEB4D-3B7D-4BAD-9BDD-2B0D7B3DCB6D"]),
                    ("uid", &[b"Ann"]),
                    ("cn", &[b"Ann Smith"]),
                    ("mail", &[b"ann@x.example", b"a.smith@x.example"]),
                    ("mailalternateaddress", &[b"smith@x.example"]),
                    ("ou", &[b"Sales"]),
                    ("employeestatus", &[b"active"]),
                    ("title", &[b"\xff"]),
                ]),
                None,
            )
            .unwrap()
            .unwrap();
        assert_eq!(entry.anchor.as_str(), "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d");
        assert_eq!(entry.kind, Kind::User);
        assert_eq!(entry.fields[fields::MAIL], values(&["ann@x.example"]));
        assert_eq!(entry.fields[fields::ALIASES], values(&["a.smith@x.example", "smith@x.example"]));
        assert_eq!(entry.fields[fields::DISPLAY_NAME], values(&["Ann Smith"]));
        assert_eq!(entry.fields[fields::DEPARTMENT], values(&["Sales"]));
        assert_eq!(entry.fields[fields::TITLE], Stated::Undecodable);
        assert!(!entry.fields.contains_key(fields::GIVEN_NAME));
        assert_eq!(entry.attributes["employeeStatus"], values(&["active"]));
        assert_eq!(
            entry.names,
            [Reference::Dn(Dn::parse("uid=ann,ou=people,dc=x").unwrap()), Reference::uid("ann")]
        );
    }

    #[test]
    fn makes_a_group_of_every_kind_of_member() {
        let entry = schema()
            .entry(
                "cn=g,dc=x",
                &attributes(&[
                    ("objectclass", &[b"groupOfNames"]),
                    ("entryuuid", &[b"1"]),
                    ("cn", &[b"g"]),
                    ("member", &[b"UID=Ann, DC=x", b""]),
                    ("uniquemember", &[b"uid=bob,dc=x#'0101'B"]),
                    ("memberuid", &[b"Carl"]),
                ]),
                None,
            )
            .unwrap()
            .unwrap();
        let dn = |text| Reference::Dn(Dn::parse(text).unwrap());
        let expected = vec![dn("uid=ann,dc=x"), dn("uid=bob,dc=x"), Reference::uid("carl")];
        assert_eq!(entry.members, Members::Complete(expected));
    }

    #[test]
    fn a_member_that_is_no_dn_makes_the_list_partial() {
        let of = attributes(&[
            ("objectclass", &[b"group"]),
            ("entryuuid", &[b"1"]),
            ("member", &[b"ann", b"cn=b"]),
        ]);
        let entry = schema().entry("cn=g", &of, None).unwrap().unwrap();
        assert!(
            matches!(entry.members, Members::Partial(known, why) if known.len() == 1 && why.contains("ann"))
        );
    }

    #[rstest]
    #[case(&[], "no entryuuid")]
    #[case(&["1", "2"], "2 values of entryuuid")]
    fn an_entry_without_one_anchor_is_unreadable(#[case] anchors: &[&str], #[case] why: &str) {
        let anchors: Vec<&[u8]> = anchors.iter().map(|anchor| anchor.as_bytes()).collect();
        let mut of = attributes(&[("objectclass", &[b"inetOrgPerson"])]);
        of.add("entryUUID", anchors.iter().map(|anchor| anchor.to_vec()));
        let error = schema().entry("cn=a", &of, None).unwrap_err();
        assert!(error.why.contains(why), "{error}");
        assert_eq!(error.anchor, None);
    }

    #[rstest]
    #[case(&["organizationalUnit"], None)]
    #[case(&["posixGroup"], Some(Kind::Group))]
    #[case(&["person", "organizationalPerson", "contact"], Some(Kind::Contact))]
    #[case(&["posixAccount", "groupOfNames"], Some(Kind::User))]
    fn classes_make_the_kind(#[case] classes: &[&str], #[case] expected: Option<Kind>) {
        let classes: Vec<&[u8]> = classes.iter().map(|class| class.as_bytes()).collect();
        assert_eq!(kind(&attributes(&[("objectclass", &classes)])), expected);
    }

    #[test]
    fn binary_anchors_are_written_in_hexadecimal() {
        assert_eq!(anchor(b"0123456789abcdef").as_str(), "30313233343536373839616263646566");
        assert_eq!(anchor(&[0, 255]).as_str(), "00ff");
        assert_eq!(anchor(b"66446001-22A8-11ED").as_str(), "66446001-22a8-11ed");
    }
}
