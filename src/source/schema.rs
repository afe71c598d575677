//! The LDAP schema: converts raw attributes to an entry in neutral form. Pure; shared by all sources with LDAP's
//! schema, on the wire or from a file.

use std::collections::{BTreeMap, BTreeSet};

use crate::directory::{Anchor, Change, Dn, Entry, EntryKind, Members, Reference, Stated, fields};
use crate::source::KnownBy;

pub(in crate::source) mod active_directory;
pub(in crate::source) mod anchor;
mod attributes;
mod field;
pub(in crate::source) mod posix;

pub(in crate::source) use anchor::is_formed;
pub use anchor::{ANCHORS, anchor};
use attributes::is_said;
pub use attributes::{Attributes, name};
use field::{Table, all, first_of, hidden, named, stated_by};

/// Object classes that make an entry a user, a contact or a group (lower case).
const USER_CLASSES: &[&str] = &["inetorgperson", "organizationalperson", "person", "posixaccount", "account"];
const CONTACT_CLASSES: &[&str] = &["contact"];
const GROUP_CLASSES: &[&str] =
    &["groupofnames", "groupofuniquenames", "groupofmembers", "groupofentries", "posixgroup", "group"];

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

/// What is wrong with an entry of which a name cannot be read by which groups list people.
const UNDECODABLE: &str = "a value of its uid is not valid UTF-8, so it is unknown which groups list it; correct it \
                           in the directory";

/// What is wrong with an entry that is neither user, contact nor group.
pub(in crate::source) const OF_NO_KIND: &str = "its classes are those of no user, contact or group; correct them, or name it with userFilter or groupFilter";

/// What is wrong with a list that cannot be empty and is.
const NO_MEMBER: &str = "it shows no member, and the server has no such group without one, so they are hidden; allow \
                         the account that reads to see that attribute";

/// What to do where a list comes in parts.
const WHOLE: &str = "export all of them, or read the directory with a kind of connector that reads all parts (activeDirectory)";

/// The attribute by which the entries of the last read are known.
pub(in crate::source) fn pinned(known_by: Option<&KnownBy>) -> Option<String> {
    let KnownBy { id, scope, .. } = known_by?;
    let spelled = |id: &str| ANCHORS.iter().find(|name| name.eq_ignore_ascii_case(id)).copied();
    if let Some(id) = id {
        return Some(spelled(id).unwrap_or(id).to_owned());
    }
    // As it stood at the end of the scope before it was kept.
    let last = scope.rsplit("\n\n").next().unwrap_or_default();
    spelled(last.strip_prefix("ldif anchor=").unwrap_or(last)).map(str::to_owned)
}

/// How an entry is made of attributes.
#[derive(Clone, Debug)]
pub struct EntrySchema {
    /// The attribute that holds the anchor, as whoever chose it spells it; `dn` means the normalised DN itself.
    pub anchor: String,
    /// The literal attributes that policies and connectors name, as they spell them.
    pub literal: BTreeSet<String>,
    /// Whether a group of names must have a member (RFC 4519 sections 3.5 and 3.6): one that shows none hides them.
    pub demands_members: bool,
}

/// An entry that cannot be processed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Unreadable {
    /// Its anchor, where at least that could be read.
    pub anchor: Option<Anchor>,
    /// What is wrong with it and what to do.
    pub why: String,
}

impl EntrySchema {
    /// Every attribute that has to be asked for.
    pub fn attributes(&self) -> BTreeSet<String> {
        let tables = USER_FIELDS.iter().chain(GROUP_FIELDS).flat_map(|(_, names)| *names);
        let fixed = ["objectclass", "mail", "member", "uniquemember", "memberuid", "gidnumber", "isdeleted"];
        let mut names: BTreeMap<String, String> = BTreeMap::new();
        let literal = self.literal.iter().map(String::as_str);
        for name in tables
            .copied()
            .chain(fixed)
            .chain(ALIASES.iter().copied())
            .chain(active_directory::asked())
            .chain(literal)
        {
            // A server gives an attribute with every option that it has.
            let name = name.split(';').next().unwrap_or(name);
            names.entry(name.to_lowercase()).or_insert_with(|| name.to_owned());
        }
        if !self.is_dn() {
            names.entry(self.anchor.to_lowercase()).or_insert_with(|| self.anchor.clone());
        }
        names.into_values().collect()
    }

    /// The neutral fields that a read with these attributes states.
    pub fn fields() -> BTreeSet<String> {
        fields::OF_USER.iter().chain(fields::OF_GROUP).map(|field| (*field).to_owned()).collect()
    }

    /// What an entry that came says. `wanted` is what was searched for, if it was. `None` if that is nothing.
    pub fn told(&self, dn: &str, attributes: &Attributes, wanted: Option<EntryKind>) -> Option<Change> {
        match self.entry(dn, attributes, wanted) {
            Ok(Some(entry)) => Some(Change::Replace(Box::new(entry))),
            Err(Unreadable { anchor, why }) => Some(Change::Unreadable { anchor, what: dn.to_owned(), why }),
            Ok(None) => {
                let anchor = self.anchor(dn, attributes).ok()?;
                if is_deleted(attributes) {
                    // An id that people give may be somebody else's by now.
                    return self.is_given_by_the_server().then_some(Change::Tombstone(anchor));
                }
                let is_person = kind(attributes).or(wanted).is_some_and(|kind| kind != EntryKind::Group);
                (is_person && is_nobody(attributes)).then_some(Change::Outside(anchor))
            }
        }
    }

    /// Makes an entry of attributes. `wanted` is what was searched for, if it was: an entry of unknown
    /// classes is taken for that, and one of another kind is none. `None` for an entry that is neither
    /// user, contact nor group, that is deleted, or that is nobody's: a machine's, an alias.
    ///
    /// # Errors
    /// When an attribute that counts cannot be understood; the entry is then an exception.
    pub fn entry(
        &self,
        dn: &str,
        attributes: &Attributes,
        wanted: Option<EntryKind>,
    ) -> Result<Option<Entry>, Unreadable> {
        let Some(kind) = kind(attributes).or(wanted) else { return Ok(None) };
        let is_other =
            wanted.is_some_and(|wanted| (wanted == EntryKind::Group) != (kind == EntryKind::Group));
        if is_other || is_deleted(attributes) || is_alias(attributes) {
            return Ok(None);
        }
        if kind != EntryKind::Group && is_nobody(attributes) {
            return Ok(None);
        }
        let anchor = self.anchor(dn, attributes)?;
        let unreadable = |why: String| Unreadable { anchor: Some(anchor.clone()), why };
        let normal = Dn::parse(dn).map_err(|error| unreadable(error.to_string()))?;
        let mut names = vec![Reference::Dn(normal.clone())];
        match all(attributes, "uid") {
            // Who is listed by a name that cannot be read cannot be told from who is not listed.
            Some(Stated::Undecodable) => return Err(unreadable(UNDECODABLE.to_owned())),
            Some(Stated::Values(uids)) => names.extend(uids.iter().map(|uid| Reference::uid(uid))),
            None => names.extend(normal.first_values("uid").map(|uid| Reference::uid(&uid))),
        }
        let (mut disabled, mut expires) = (None, None);
        let fields = if active_directory::is_of(attributes) {
            if attributes.has("useraccountcontrol") {
                (disabled, expires) = active_directory::state(kind, attributes).map_err(unreadable)?;
            }
            active_directory::stated(kind, &normal, attributes)
        } else {
            stated(kind, &normal, attributes)
        };
        let literal = self.literal.iter().filter_map(|name| Some((name.clone(), all(attributes, name)?)));
        Ok(Some(Entry {
            anchor,
            kind,
            dn: dn.to_owned(),
            names,
            disabled,
            expires,
            fields,
            attributes: literal.collect(),
            members: if kind == EntryKind::Group { self.members(attributes) } else { Members::None },
            place: None,
        }))
    }

    fn members(&self, attributes: &Attributes) -> Members {
        let is_said = |name| attributes.all(name).next().is_some();
        let is_of_names = ["groupOfNames", "groupOfUniqueNames"]
            .iter()
            .any(|class| active_directory::is_a(attributes, class));
        if self.demands_members && is_of_names && !is_said("member") && !is_said("uniquemember") {
            return Members::Partial(Vec::new(), NO_MEMBER.to_owned());
        }
        members(attributes)
    }

    /// Whether the server itself gave the ids, so that none is ever given again.
    fn is_given_by_the_server(&self) -> bool {
        ANCHORS.iter().any(|name| name.eq_ignore_ascii_case(&self.anchor))
    }

    /// Whether the DN itself is the anchor.
    pub(in crate::source) fn is_dn(&self) -> bool {
        self.anchor.eq_ignore_ascii_case("dn")
    }

    fn anchor(&self, dn: &str, attributes: &Attributes) -> Result<Anchor, Unreadable> {
        let refuse = |why: String| Unreadable { anchor: None, why };
        if self.is_dn() {
            return Dn::parse(dn)
                .map(|dn| Anchor::new(dn.as_str()))
                .map_err(|error| refuse(error.to_string()));
        }
        let values: Vec<&[u8]> = attributes.values(&self.anchor).collect();
        match values.as_slice() {
            [value] => anchor(&self.anchor, value).ok_or_else(|| refuse(no_id(&self.anchor))),
            [] => Err(refuse(without_id(&self.anchor))),
            several => Err(refuse(format!(
                "it has {} values of {}, and an anchor has exactly one; set anchorAttribute to another attribute",
                several.len(),
                self.anchor
            ))),
        }
    }
}

/// What is wrong with an entry whose id is none.
pub(in crate::source) fn no_id(attribute: &str) -> String {
    format!(
        "its {attribute} does not identify it: it is blank, or has the wrong form; correct it in the directory, or \
         set anchorAttribute to one that every entry has"
    )
}

/// The message for an entry that does not show the id attribute.
pub(in crate::source) fn without_id(attribute: &str) -> String {
    format!(
        "it has no {attribute}, which identifies it; allow the account to read that attribute, or set anchorAttribute \
         to one that every entry has"
    )
}

/// What to say of so many aliases.
pub(in crate::source) fn aliases(count: u64) -> String {
    let (are, stand, they) = if count == 1 {
        ("1 alias was", "It stands", "it names")
    } else {
        ("{} aliases were", "They stand", "they name")
    };
    let are = are.replace("{}", &count.to_string());
    format!(
        "{are} not followed (objectClass alias). {stand} for entries elsewhere: the entries that {they} are read \
         where they are, so that subtree must be read too"
    )
}

/// The neutral fields of an entry.
fn stated(kind: EntryKind, dn: &Dn, attributes: &Attributes) -> BTreeMap<String, Stated> {
    let table = if kind == EntryKind::Group { GROUP_FIELDS } else { USER_FIELDS };
    let mut stated = BTreeMap::new();
    for (field, sources) in table {
        if let Some(value) = first_of(attributes, sources, field, dn) {
            stated.insert((*field).to_owned(), value);
        }
    }
    // Of several names of which none is in the DN, all: no order among them says which one counts.
    let (field, name) =
        if kind == EntryKind::Group { (fields::NAME, "cn") } else { (fields::USER_NAME, "uid") };
    let all = match named(attributes, name, dn) {
        Some(named) => Some(Stated::Values(vec![named])),
        None => all(attributes, name),
    };
    if let Some(Stated::Values(all)) = all {
        let all = all.iter().map(|name| name.trim().to_owned()).collect();
        stated.insert(field.to_owned(), Stated::Values(all));
    }
    hidden(attributes, dn, name).then(|| stated.insert(field.to_owned(), Stated::Undecodable));
    addresses(attributes, &mut stated);
    stated
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

/// What an entry is by its classes; `None` if it is neither user, contact nor group.
pub(in crate::source) fn kind(attributes: &Attributes) -> Option<EntryKind> {
    let classes: Vec<String> = attributes
        .all("objectclass")
        .map(|class| String::from_utf8_lossy(class).trim().to_lowercase())
        .collect();
    let has = |of: &[&str]| classes.iter().any(|class| of.contains(&class.as_str()));
    // A contact is an organizationalPerson too, and a group class wins over none: a posixAccount that
    // is also a groupOfNames stays a person.
    if has(CONTACT_CLASSES) {
        Some(EntryKind::Contact)
    } else if has(USER_CLASSES) {
        Some(EntryKind::User)
    } else if has(GROUP_CLASSES) {
        Some(EntryKind::Group)
    } else {
        None
    }
}

/// Whether it was deleted, and is shown all the same: by Active Directory, or by 389 Directory Server.
fn is_deleted(attributes: &Attributes) -> bool {
    active_directory::is_deleted(attributes) || active_directory::is_a(attributes, "nsTombstone")
}

/// Whether it is an alias of an entry elsewhere.
pub(in crate::source) fn is_alias(attributes: &Attributes) -> bool {
    active_directory::is_a(attributes, "alias")
}

/// Whether nobody means this when they speak of users: a machine's account.
fn is_nobody(attributes: &Attributes) -> bool {
    let mut uids = attributes.values("uid").filter(|uid| is_said(uid)).peekable();
    let is_machine = uids.peek().is_some() && uids.all(|uid| uid.trim_ascii_end().ends_with(b"$"));
    is_machine || (active_directory::is_of(attributes) && active_directory::is_nobody(attributes))
}

/// The first `mail` is the primary address unless another one already is; every other one is an alias.
fn addresses(attributes: &Attributes, stated: &mut BTreeMap<String, Stated>) {
    let mut further = Some(Vec::new());
    match all(attributes, "mail") {
        Some(Stated::Values(values)) => {
            further = Some(values.iter().skip(1).cloned().collect());
            stated.insert(fields::MAIL.to_owned(), Stated::Values(values));
        }
        Some(Stated::Undecodable) => {
            stated.insert(fields::MAIL.to_owned(), Stated::Undecodable);
        }
        None => {}
    }
    for name in ALIASES {
        match (all(attributes, name), &mut further) {
            (Some(Stated::Values(more)), Some(further)) => further.extend(more),
            (Some(Stated::Undecodable), _) => further = None,
            _ => {}
        }
    }
    let aliases = further.map_or(Stated::Undecodable, Stated::Values);
    if aliases != Stated::Values(Vec::new()) {
        stated.insert(fields::ALIASES.to_owned(), aliases);
    }
}

/// `member` and `uniqueMember` hold DNs, `memberUid` login names.
fn members(attributes: &Attributes) -> Members {
    let mut references = Vec::new();
    let mut bad = None;
    for (name, by_uid) in [("member", false), ("uniquemember", false), ("memberuid", true)] {
        if !attributes.is_whole(name) {
            bad.get_or_insert_with(|| {
                format!("only a part of its members was read ({name};range=…): {WHOLE}")
            });
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

    fn schema() -> EntrySchema {
        EntrySchema {
            anchor: "entryuuid".to_owned(),
            literal: BTreeSet::from(["employeeStatus".to_owned()]),
            demands_members: false,
        }
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
        assert_eq!(entry.kind, EntryKind::User);
        assert_eq!(entry.fields[fields::MAIL], values(&["a.smith@x.example", "ann@x.example"]));
        assert_eq!(entry.fields[fields::ALIASES], values(&["ann@x.example", "smith@x.example"]));
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

    /// Of lines such as `cn;lang-ja: x`.
    fn of(lines: &[&str]) -> Attributes {
        let mut attributes = Attributes::new();
        attributes.add("entryUUID", [b"1".to_vec()]);
        for (name, value) in lines.iter().map(|line| line.split_once(": ").unwrap()) {
            attributes.add(name, [value.as_bytes().to_vec()]);
        }
        attributes
    }

    fn entry(dn: &str, lines: &[&str]) -> Entry {
        schema().entry(dn, &of(lines), None).unwrap().unwrap()
    }

    #[rstest]
    #[case::none(&["objectClass: groupOfNames"], false)]
    #[case::unique(&["objectClass: groupOfUniqueNames"], false)]
    #[case::one(&["objectClass: groupOfNames", "member: uid=ann,dc=x"], true)]
    #[case::nobody(&["objectClass: groupOfUniqueNames", "uniqueMember: "], true)]
    #[case::posix(&["objectClass: posixGroup"], true)]
    fn a_group_that_must_have_a_member_and_shows_none_hides_them(
        #[case] lines: &[&str],
        #[case] complete: bool,
    ) {
        let (anywhere, openldap) = (schema(), EntrySchema { demands_members: true, ..schema() });
        let members =
            |schema: &EntrySchema| schema.entry("cn=team,dc=x", &of(lines), None).unwrap().unwrap().members;
        assert_eq!(matches!(members(&openldap), Members::Complete(_)), complete);
        assert!(matches!(members(&anywhere), Members::Complete(_)));
    }

    #[test]
    fn the_order_of_values_changes_nothing() {
        let lines = [
            "objectClass: inetOrgPerson",
            "uid: ann",
            "uid: asmith",
            "mail: b@x",
            "mail: a@x",
            "cn: A. Smith",
            "cn: Ann Smith",
            "employeeStatus: y",
            "employeeStatus: x",
            "ou: Sales",
            "ou: Board",
        ];
        let reversed: Vec<&str> = lines.iter().rev().copied().collect();
        let dn = "cn=Ann Smith,dc=x";
        let there = entry(dn, &lines);
        assert_eq!(there, entry(dn, &reversed));
        assert_eq!(
            there.fields[fields::DISPLAY_NAME],
            values(&["Ann Smith"]),
            "the DN says which one counts"
        );
        assert_eq!(there.fields[fields::USER_NAME], values(&["ann", "asmith"]));
        assert_eq!(entry("uid=asmith,dc=x", &lines).fields[fields::USER_NAME], values(&["asmith"]));
        assert_eq!(there.fields[fields::MAIL], values(&["a@x", "b@x"]));
        assert_eq!(there.fields[fields::ALIASES], values(&["b@x"]));
        assert_eq!(there.fields[fields::DEPARTMENT], values(&["Board"]));
        assert_eq!(there.attributes["employeeStatus"], values(&["x", "y"]));
    }

    #[rstest]
    #[case("cn=admins,dc=x", &["cn: Root", "cn: Admins"], "Admins")]
    #[case("CN=Admins+ou=it,dc=x", &["cn: root", "cn: admins"], "admins")]
    #[case("cn=sales,dc=x", &["cn;lang-de: Vertrieb", "cn: sales "], "sales")]
    #[case("cn=sales,dc=x", &["cn;lang-de: Vertrieb"], "Vertrieb")]
    #[case("ou=it,dc=x", &["cn: b ", "cn: a"], "a,b")]
    fn a_group_is_called_what_its_dn_says(#[case] dn: &str, #[case] lines: &[&str], #[case] names: &str) {
        let group = entry(dn, &[&["objectClass: groupOfNames"], lines].concat());
        assert_eq!(group.fields[fields::NAME], values(&names.split(',').collect::<Vec<_>>()));
    }

    /// What an entry begins with in its DN, it has: if it does not show that, it is hidden.
    #[rstest]
    #[case::group("cn=sales,dc=x", &["objectClass: groupOfNames"], fields::NAME, true)]
    #[case::group_of_two("ou=it+cn=sales,dc=x", &["objectClass: posixGroup"], fields::NAME, true)]
    #[case::long_name("commonName=sales,dc=x", &["objectClass: group", "displayName: Sales"], fields::NAME, true)]
    #[case::blank("cn=sales,dc=x", &["objectClass: groupOfNames", "cn:  "], fields::NAME, true)]
    #[case::person("uid=zoe,dc=x", &["objectClass: person", "cn: Zoe"], fields::USER_NAME, true)]
    #[case::of_a_domain("CN=Sales,DC=x", &["objectClass: group", "objectGUID: g"], fields::NAME, true)]
    #[case::display_name("CN=Zoe,DC=x", &["objectClass: person", "objectClass: user", "objectGUID: g"], fields::DISPLAY_NAME, false)]
    #[case::display_name_elsewhere("cn=Zoe,dc=x", &["objectClass: person", "uid: zoe"], fields::DISPLAY_NAME, false)]
    #[case::shown("cn=sales,dc=x", &["objectClass: groupOfNames", "cn: s"], fields::NAME, false)]
    #[case::no_such_name("ou=sales,dc=x", &["objectClass: groupOfNames"], fields::NAME, false)]
    fn a_name_that_the_dn_shows_is_there(
        #[case] dn: &str,
        #[case] lines: &[&str],
        #[case] field: &str,
        #[case] hidden: bool,
    ) {
        let is = entry(dn, lines).fields.get(field) == Some(&Stated::Undecodable);
        assert_eq!(is, hidden);
    }

    #[test]
    fn somebody_is_listed_by_the_login_name_in_the_dn_too() {
        assert!(entry("uid=Zoe,dc=x", &["objectClass: person"]).names.contains(&Reference::uid("zoe")));
    }

    #[test]
    fn blanks_around_addresses_and_login_names_mean_nothing() {
        let lines =
            ["objectClass: person", "mail: Ann@x ", "mail: \tann@x", "uid: ann\n", "mailLocalAddress:  a@x"];
        let ann = entry("cn=a,dc=x", &lines);
        assert_eq!(ann.fields[fields::MAIL], values(&["Ann@x"]));
        assert_eq!(
            (&ann.fields[fields::USER_NAME], &ann.fields[fields::ALIASES]),
            (&values(&["ann"]), &values(&["a@x"]))
        );
        assert!(ann.names.contains(&Reference::uid("ann")));
    }

    #[test]
    fn who_is_listed_by_a_name_that_cannot_be_read_is_not_taken() {
        let mut lines = of(&["objectClass: posixAccount", "uid: bob"]);
        lines.add("uid", [vec![0xff]]);
        let error = schema().entry("cn=b,dc=x", &lines, None).unwrap_err();
        assert!(error.anchor.is_some() && error.why.contains("uid"), "{error}");
    }

    #[test]
    fn what_came_in_part_is_unknown_but_for_what_it_adds() {
        let lines =
            ["objectClass: groupOfNames", "cn: g", "member;range=0-0: cn=a", "employeeStatus;range=0-0: x"];
        let group = entry("cn=g", &lines);
        assert!(
            matches!(&group.members, Members::Partial(known, why) if known.len() == 1 && why.contains("range"))
        );
        assert_eq!(group.attributes["employeeStatus"], Stated::Undecodable);
        let whole = entry("cn=g", &["objectClass: groupOfNames", "member;range=0-*: cn=a"]);
        assert!(matches!(whole.members, Members::Complete(known) if known.len() == 1));
    }

    /// What becomes of somebody: taken, deleted, outside, or nothing.
    #[rstest]
    #[case::person(&["objectClass: person"], "taken")]
    #[case::tombstone(&["objectClass: person", "objectClass: nsTombstone"], "deleted")]
    #[case::deleted(&["objectClass: person", "isDeleted: TRUE"], "deleted")]
    #[case::deleted_group(&["objectClass: groupOfNames", "objectClass: NSTOMBSTONE"], "deleted")]
    #[case::machine(&["objectClass: posixAccount", "uid: pc1$"], "outside")]
    #[case::machine_among_people(&["objectClass: account", "uid: pc1$ ", "uid: pc2$"], "outside")]
    #[case::somebody(&["objectClass: posixAccount", "uid: cash$", "uid: ann"], "taken")]
    #[case::group(&["objectClass: posixGroup", "cn: cash$"], "taken")]
    #[case::alias(&["objectClass: alias", "objectClass: person"], "nothing")]
    #[case::computer(&["objectClass: person", "objectClass: computer", "objectGUID: g", "userAccountControl: 512"], "outside")]
    #[case::trust(&["objectClass: person", "objectGUID: g", "userAccountControl: 2080"], "outside")]
    #[case::built_in(&["objectClass: person", "objectGUID: g", "userAccountControl: 512", "isCriticalSystemObject: TRUE"], "outside")]
    #[case::place(&["objectClass: organizationalUnit"], "nothing")]
    fn knows_who_is_nobody(#[case] lines: &[&str], #[case] expected: &str) {
        let became = match schema().told("cn=a,dc=x", &of(lines), None) {
            Some(Change::Replace(_)) => "taken",
            Some(Change::Tombstone(_)) => "deleted",
            Some(Change::Outside(_)) => "outside",
            None => "nothing",
            Some(other) => panic!("{other:?}"),
        };
        assert_eq!(became, expected);
    }

    #[test]
    fn an_id_that_people_give_is_not_deleted_with_who_bore_it() {
        let schema = EntrySchema { anchor: "employeenumber".to_owned(), ..schema() };
        let deleted = of(&["objectClass: person", "objectClass: nsTombstone", "employeeNumber: 7"]);
        assert_eq!(schema.told("cn=a,dc=x", &deleted, None), None);
    }

    #[rstest]
    #[case(&["userAccountControl: 514"], Some(true))]
    #[case(&["userAccountControl: 512", "accountExpires: 0"], Some(false))]
    #[case(&[], None)]
    fn an_account_of_active_directory_has_its_state_wherever_it_is_read(
        #[case] lines: &[&str],
        #[case] disabled: Option<bool>,
    ) {
        let common = [
            "objectClass: person",
            "objectClass: user",
            "objectGUID: g",
            "userPrincipalName: ann@corp",
            "proxyAddresses: smtp:a@x",
        ];
        let ann = entry("cn=Ann,dc=x", &[&common, lines].concat());
        assert_eq!(ann.disabled, disabled);
        assert_eq!(
            (&ann.fields[fields::USER_NAME], &ann.fields[fields::MAIL]),
            (&values(&["ann@corp"]), &values(&["a@x"]))
        );
        let unclear =
            of(&[&common[..], &["userAccountControl: 512", "msExchRecipientTypeDetails: x"]].concat());
        assert!(
            schema()
                .entry("cn=Ann,dc=x", &unclear, None)
                .unwrap_err()
                .why
                .contains("msExchRecipientTypeDetails")
        );
        let unclear = of(&[&common[..], &["userAccountControl: ?"]].concat());
        assert!(
            schema().entry("cn=Ann,dc=x", &unclear, None).unwrap_err().why.contains("userAccountControl")
        );
    }

    /// An export of a domain may leave the ids away and be known by others.
    #[rstest]
    #[case::by_its_state(&["objectClass: person", "userAccountControl: 514"], true)]
    #[case::by_its_name(&["objectClass: person", "objectClass: user", "sAMAccountName: ann"], true)]
    #[case::group(&["objectClass: group", "objectSid: s"], true)]
    #[case::contact(&["objectClass: contact", "instanceType: 4"], true)]
    #[case::group_elsewhere(&["objectClass: group"], false)]
    #[case::user_elsewhere(&["objectClass: person", "objectClass: user"], false)]
    #[case::samba(&["objectClass: posixAccount", "sAMAccountName: ann"], false)]
    fn a_domain_is_known_without_its_ids(#[case] lines: &[&str], #[case] is: bool) {
        assert_eq!(active_directory::is_of(&of(lines)), is);
    }

    #[test]
    fn a_group_of_a_domain_is_called_by_its_account_name() {
        let lines = ["objectClass: group", "objectGUID: g", "cn: Admins", "sAMAccountName: it-admins"];
        assert_eq!(entry("CN=Admins,OU=it,DC=x", &lines).fields[fields::NAME], values(&["it-admins"]));
    }

    #[test]
    fn what_older_versions_sealed_says_by_what_entries_are_known() {
        let known_by = |id: Option<&str>, scope: &str| {
            pinned(Some(&KnownBy { id: id.map(str::to_owned), scope: scope.to_owned(), progress: None }))
        };
        assert_eq!(known_by(None, "ldif anchor=nsuniqueid").as_deref(), Some("nsUniqueId"));
        assert_eq!(
            known_by(None, "dc=x\n\n(a=b)\n\n(c=d)\n\ncn=r\n\nentryuuid").as_deref(),
            Some("entryUUID")
        );
        assert_eq!(known_by(None, "dc=x\n\n\n\n(a=b)\n\n(c=d)\n\nreader@corp"), None);
        assert_eq!(known_by(Some("objectguid"), "ldif anchor=dn").as_deref(), Some("objectGUID"));
        assert_eq!(known_by(Some("roomNumber"), "ldif anchor=dn").as_deref(), Some("roomNumber"));
        assert_eq!(pinned(None), None);
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
    #[case(&["posixGroup"], Some(EntryKind::Group))]
    #[case(&["person", "organizationalPerson", "contact"], Some(EntryKind::Contact))]
    #[case(&["posixAccount", "groupOfNames"], Some(EntryKind::User))]
    fn classes_make_the_kind(#[case] classes: &[&str], #[case] expected: Option<EntryKind>) {
        let classes: Vec<&[u8]> = classes.iter().map(|class| class.as_bytes()).collect();
        assert_eq!(kind(&attributes(&[("objectclass", &classes)])), expected);
    }

    #[test]
    fn binary_anchors_are_written_in_hexadecimal() {
        let spelt = |name: &str, value: &[u8]| anchor(name, value).unwrap().as_str().to_owned();
        assert_eq!(spelt("objectguid", b"0123456789abcdef"), "30313233343536373839616263646566");
        assert_eq!(spelt("objectsid", &[0, 255]), "00ff");
        assert_eq!(spelt("entryuuid", b"66446001-22A8-11ED"), "66446001-22a8-11ed");
    }

    #[rstest]
    #[case::empty("employeenumber", b"")]
    #[case::blank("employeenumber", b" \t ")]
    #[case::blank_of_16("entryuuid", b"                ")]
    #[case::not_text("entryuuid", b"\xff1234567")]
    #[case::control("nsuniqueid", b"66446001-\x01")]
    fn what_says_nothing_is_no_anchor(#[case] name: &str, #[case] value: &[u8]) {
        assert_eq!(anchor(name, value), None);
        let mut of = of(&["objectClass: person"]);
        of.remove("entryuuid");
        of.add(name, [value.to_vec()]);
        let schema =
            EntrySchema { anchor: name.to_owned(), literal: BTreeSet::new(), demands_members: false };
        let error = schema.entry("cn=a", &of, None).unwrap_err();
        assert!(error.anchor.is_none() && error.why.contains("does not identify it"), "{error}");
    }

    #[rstest]
    #[case("entryuuid", b"9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d", true)]
    #[case("objectguid", b"{9B1DEB4D-3B7D-4BAD-9BDD-2B0D7B3DCB6D}", true)]
    #[case("objectguid", b"0123456789abcdef", true)]
    #[case("nsuniqueid", b"66446001-22a811ed-8cd8b3c1-7b5e0f1a", true)]
    #[case("entryuuid", b"9b1deb4d-3b7d-4bad%9bdd-2b0d7b3dcb6d", false)]
    #[case("entryuuid", b"9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6dcn: a", false)]
    #[case("ipauniqueid", b"9b1deb4d-3b7d-4bad-9bdd", false)]
    #[case("nsuniqueid", b"66446001-22a8-11ed-8cd8-b3c17b5e0f1a", false)]
    fn an_id_of_a_server_has_a_form(#[case] name: &str, #[case] value: &[u8], #[case] formed: bool) {
        assert_eq!(is_formed(name, value), formed);
    }
}
