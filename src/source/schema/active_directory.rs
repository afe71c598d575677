//! The schema of Active Directory: converts raw attributes to an entry in neutral form. Pure; for a domain that is read
//! on the wire or from a file.

use std::collections::{BTreeMap, BTreeSet, HashSet};

pub(in crate::source) use self::attribute::{anchor, is_a, is_deleted, kind, number, relative_id};
use self::attribute::{is_of_a_domain, values};
use self::name::Extended;
use super::anchor::octets;
use super::attributes::{self, Attributes};
use super::field::{self, Table, all, decisive, stated_by, trimmed};
use crate::directory::{Anchor, Change, Dn, Entry, EntryKind, Members, Reference, Stated, fields};

mod attribute;
mod mailbox;
pub(in crate::source) mod name;
pub(in crate::source) mod primary;
pub(in crate::source) mod state;

/// What a user is made of.
const USER_FIELDS: Table = &[
    (fields::USER_NAME, &["userprincipalname", "samaccountname"]),
    (fields::DISPLAY_NAME, &["displayname", "cn"]),
    (fields::GIVEN_NAME, &["givenname"]),
    (fields::FAMILY_NAME, &["sn"]),
    (fields::TITLE, &["title"]),
    (fields::DEPARTMENT, &["department"]),
    (fields::ORGANIZATION, &["company"]),
    (fields::EMPLOYEE_NUMBER, &["employeeid", "employeenumber"]),
    (fields::EMPLOYEE_TYPE, &["employeetype"]),
    (fields::TELEPHONE_NUMBER, &["telephonenumber"]),
    (fields::MOBILE, &["mobile"]),
    (fields::OFFICE, &["physicaldeliveryofficename", "l"]),
    (fields::PREFERRED_LANGUAGE, &["preferredlanguage"]),
    (fields::DESCRIPTION, &["description"]),
];

/// What a group is made of. Its `cn` is unique in its container only.
const GROUP_FIELDS: Table = &[
    (fields::NAME, &["samaccountname", "cn"]),
    (fields::DISPLAY_NAME, &["displayname", "cn"]),
    (fields::DESCRIPTION, &["description"]),
];

/// What else is asked for.
const OTHERS: &[&str] = &[
    "objectclass",
    "objectguid",
    "objectsid",
    "isdeleted",
    "useraccountcontrol",
    "accountexpires",
    "primarygroupid",
    "mail",
    "proxyaddresses",
    "targetaddress",
    "msexchrecipienttypedetails",
    "msexchrecipientdisplaytype",
    "member",
];

/// What entries of a domain have, and others do not.
const OF_A_DOMAIN: &[&str] =
    &["objectguid", "objectsid", "samaccountname", "samaccounttype", "objectcategory", "instancetype"];

const MACHINE: i64 = 0x800 | 0x1000 | 0x2000;
/// The numbers of the accounts that every domain has: Administrator, Guest, krbtgt, `DefaultAccount`. Source: MS-DTYP 2.4.2.4.
const BUILT_IN: std::ops::RangeInclusive<u32> = 500..=503;
/// How they are called, unless somebody renamed them or the domain was made in another language.
const BUILT_IN_NAMES: &[&str] = &["administrator", "guest", "krbtgt", "defaultaccount"];

/// What is wrong with an entry that does not show its id.
pub(in crate::source) const NO_ID: &str = "it shows no objectGUID; allow the account to read that attribute";

/// How an entry is made of attributes.
#[derive(Clone, Debug)]
pub(in crate::source) struct ActiveDirectorySchema {
    /// The literal attributes that policies and connectors name, as they spell them.
    pub(in crate::source) literal: BTreeSet<String>,
}

impl ActiveDirectorySchema {
    /// Every attribute that has to be asked for.
    pub(in crate::source) fn attributes(&self) -> Vec<String> {
        let tables = USER_FIELDS.iter().chain(GROUP_FIELDS).flat_map(|(_, names)| *names);
        let mut names: BTreeSet<String> = tables.chain(OTHERS).map(|name| (*name).to_owned()).collect();
        names.extend(self.literal.iter().map(|name| attributes::name(name).into_owned()));
        names.into_iter().collect()
    }

    /// What an entry that came says; `None` if it is not what was searched for.
    pub(in crate::source) fn told(
        &self,
        dn: &str,
        attributes: &Attributes,
        wanted: EntryKind,
    ) -> Option<Change> {
        let kind = kind(attributes).unwrap_or(wanted);
        if (kind == EntryKind::Group) != (wanted == EntryKind::Group) || is_a(attributes, "computer") {
            return None;
        }
        let what = Extended::of(dn).dn;
        let Some(anchor) = anchor(attributes) else {
            let why = NO_ID.to_owned();
            // Its name says all the same who it is.
            return Some(Change::Unreadable {
                anchor: Extended::of(dn).anchor(),
                what: what.to_owned(),
                why,
            });
        };
        if is_deleted(attributes) {
            return Some(Change::Tombstone(anchor));
        }
        Some(match self.entry(kind, &anchor, what, attributes) {
            Ok(entry) => Change::Replace(Box::new(entry)),
            Err(why) => Change::Unreadable { anchor: Some(anchor), what: what.to_owned(), why },
        })
    }

    fn entry(
        &self,
        kind: EntryKind,
        anchor: &Anchor,
        dn: &str,
        attributes: &Attributes,
    ) -> Result<Entry, String> {
        let normal = Dn::parse(dn).map_err(|error| error.to_string())?;
        if kind == EntryKind::User && primary::is_hidden(attributes) {
            return Err(primary::HIDDEN.to_owned());
        }
        let fields = stated(kind, &normal, attributes);
        let (disabled, expires) = state::of(kind, attributes)?;
        let mut names = vec![Reference::Anchor(anchor.clone()), Reference::Dn(normal)];
        names.extend(values(attributes, "objectsid").find_map(name::sid).map(Reference::Sid));
        Ok(Entry {
            anchor: anchor.clone(),
            kind,
            dn: dn.to_owned(),
            names,
            disabled,
            expires,
            fields,
            attributes: self.literal(attributes),
            members: if kind == EntryKind::Group { members(attributes) } else { Members::None },
            place: None,
        })
    }

    /// Literal attributes as they are without the ids that names come with.
    fn literal(&self, attributes: &Attributes) -> BTreeMap<String, Stated> {
        let plain = |text: String| {
            if text.starts_with("<GUID=") { Extended::of(&text).dn.to_owned() } else { text }
        };
        let stated = |name: &String| {
            Some(match decisive(attributes, name)? {
                Stated::Values(values) => Stated::Values(values.into_iter().map(plain).collect()),
                Stated::Undecodable => Stated::Undecodable,
            })
        };
        self.literal.iter().filter_map(|name| Some((name.clone(), stated(name)?))).collect()
    }
}

/// The attributes by which an entry of a domain is recognised in another kind of directory.
pub(super) fn asked() -> Vec<&'static str> {
    let further = [
        "sAMAccountName",
        "msDS-UserAccountDisabled",
        "userPrincipalName",
        "department",
        "company",
        "employeeID",
        "isCriticalSystemObject",
    ];
    [OTHERS, &further].concat()
}

/// Whether an entry is of a domain: it shows a state as accounts there have it, or a class of a domain and something else that
/// only entries of a domain have. Its id need not be among that: an export may leave it away.
pub(in crate::source) fn is_of(attributes: &Attributes) -> bool {
    let is_class = || ["user", "computer", "contact", "group"].iter().any(|class| is_a(attributes, class));
    state::is_shown(attributes) || (OF_A_DOMAIN.iter().any(|name| attributes.has(name)) && is_class())
}

/// Whether this is not an account of a person: a computer, a trust, an account that every domain has.
pub(in crate::source) fn is_nobody(attributes: &Attributes) -> bool {
    let bits: i64 = number(attributes, "useraccountcontrol").unwrap_or_default();
    let critical =
        || values(attributes, "iscriticalsystemobject").any(|value| value.eq_ignore_ascii_case(b"TRUE"));
    let is_numbered_so = || relative_id(attributes).is_some_and(|number| BUILT_IN.contains(&number));
    let built_in = || (is_of_a_domain(attributes) && is_numbered_so()) || critical();
    is_a(attributes, "computer") || bits & MACHINE != 0 || (!is_a(attributes, "group") && built_in())
}

/// Whether an account shows its number in its domain, which says whether every domain has it.
pub(in crate::source) fn shows_number(attributes: &Attributes) -> bool {
    is_of_a_domain(attributes) && relative_id(attributes).is_some()
}

/// Whether it is called as an account that every domain has.
pub(in crate::source) fn is_called_built_in(attributes: &Attributes) -> bool {
    let named = |name: &[u8]| BUILT_IN_NAMES.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(name));
    values(attributes, "samaccountname").any(|name| named(name.trim_ascii()))
}

/// The neutral fields of an entry.
pub(super) fn stated(kind: EntryKind, dn: &Dn, attributes: &Attributes) -> BTreeMap<String, Stated> {
    let mut stated = field::stated([GROUP_FIELDS, USER_FIELDS], kind, dn, attributes);
    addresses(attributes, &mut stated);
    match mailbox::of(attributes) {
        Ok(None) => {}
        Ok(Some(mailbox)) => {
            stated.insert(fields::MAILBOX.to_owned(), Stated::Values(vec![mailbox.to_owned()]));
        }
        Err(_) => drop(stated.insert(fields::MAILBOX.to_owned(), Stated::Undecodable)),
    }
    stated
}

/// The attributes that state a neutral field, or whom a group has in it.
pub(in crate::source) fn attributes_of(field: &str) -> Vec<&'static str> {
    match field {
        fields::MAIL => vec!["mail", "proxyAddresses", "targetAddress"],
        fields::ALIASES => vec!["proxyAddresses"],
        fields::MAILBOX => vec!["msExchRecipientTypeDetails", "msExchRecipientDisplayType"],
        fields::MEMBERS => vec!["member"],
        _ => stated_by(&[USER_FIELDS, GROUP_FIELDS], field),
    }
}

/// What finds an anchor.
pub(in crate::source) fn guid_filter(anchor: &Anchor) -> String {
    format!("(objectGUID={})", octets(anchor.as_str()))
}

/// `proxyAddresses` holds the primary address as `SMTP:` and the others as `smtp:`; `mail` is the primary one
/// where Exchange does not say another.
pub(in crate::source) fn addresses(attributes: &Attributes, stated: &mut BTreeMap<String, Stated>) {
    let texts = |name| match all(attributes, name) {
        Some(Stated::Values(values)) => Ok(values),
        Some(Stated::Undecodable) => Err(()),
        None => Ok(Vec::new()),
    };
    let (Ok(mut mail), Ok(proxies), Ok(target)) =
        (texts("mail"), texts("proxyaddresses"), texts("targetaddress"))
    else {
        for field in [fields::MAIL, fields::ALIASES] {
            stated.insert(field.to_owned(), Stated::Undecodable);
        }
        return;
    };
    // In capital letters it says which one is the primary; in any other spelling it is an address all the same.
    let with = |primary: bool, values: &[String]| -> BTreeSet<String> {
        let address = |value: &String| {
            let (kind, address) = value.trim_start().split_once(':')?;
            let kind = kind.trim_end();
            (kind.eq_ignore_ascii_case("smtp") && (kind == "SMTP") == primary).then(|| address.to_owned())
        };
        values.iter().filter_map(address).collect()
    };
    let primaries = with(true, &proxies);
    // Of several primaries that which `mail` agrees with.
    let folded: HashSet<String> = primaries.iter().map(|primary| primary.to_ascii_lowercase()).collect();
    let is_primary = |mail: &String| folded.contains(&mail.to_ascii_lowercase());
    mail.sort_by_cached_key(|mail| !is_primary(mail));
    let agreed = mail.first().filter(|mail| is_primary(mail)).cloned();
    let external: BTreeSet<String> = with(true, &target).into_iter().chain(with(false, &target)).collect();
    let others = with(false, &proxies);
    // The first that are there: of several that nothing tells apart, each may be the one by which somebody is known already.
    let ranks: [Vec<String>; 5] = [
        agreed.into_iter().collect(),
        primaries.into_iter().collect(),
        mail,
        external.into_iter().collect(),
        others.into_iter().collect(),
    ];
    let (mut first, mut aliases, mut known) = (Vec::new(), Vec::new(), HashSet::new());
    for rank in ranks {
        let into: &mut Vec<String> = if first.is_empty() { &mut first } else { &mut aliases };
        let addresses = rank.iter().map(|address| trimmed(address)).filter(|address| !address.is_empty());
        into.extend(
            addresses.filter(|address| known.insert(address.to_ascii_lowercase())).map(str::to_owned),
        );
    }
    for (field, values) in [(fields::MAIL, first), (fields::ALIASES, aliases)] {
        if !values.is_empty() {
            stated.insert(field.to_owned(), Stated::Values(values));
        }
    }
}

fn members(attributes: &Attributes) -> Members {
    match references(attributes.all("member")) {
        Ok(references) if !attributes.is_whole("member") => {
            Members::Partial(references, "only a part of its members was read".to_owned())
        }
        Ok(references) => Members::Complete(references),
        Err(why) => Members::Partial(Vec::new(), why),
    }
}

/// The references in values of `member`.
pub(in crate::source) fn references<'a>(
    values: impl Iterator<Item = &'a [u8]>,
) -> Result<Vec<Reference>, String> {
    let reference = |value: &[u8]| {
        let text = std::str::from_utf8(value).map_err(|_| "a member is not valid UTF-8".to_owned())?;
        let none = || "a member came without its objectGUID; this server does not follow MS-ADTS".to_owned();
        Extended::of(text).reference().ok_or_else(none)
    };
    values.map(reference).collect()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use rstest::rstest;

    use super::*;

    const GUID: &[u8] = b"0123456789abcdef";

    const DN: &str = "<GUID=30313233343536373839616263646566>;CN=Ann,DC=x";

    /// Of lines such as `mail: ann@x`.
    fn attributes(lines: &[&str]) -> Attributes {
        let mut attributes = Attributes::new();
        attributes.add("objectGUID", [GUID.to_vec()]);
        attributes.add("primaryGroupID", [b"513".to_vec()]);
        if !lines.iter().any(|line| line.starts_with("accountexpires")) {
            attributes.add("accountExpires", [b"0".to_vec()]);
        }
        for (name, value) in lines.iter().map(|line| line.split_once(": ").unwrap()) {
            attributes.add(name, [value.as_bytes().to_vec()]);
        }
        attributes
    }

    fn change(lines: &[&str]) -> Change {
        ActiveDirectorySchema { literal: BTreeSet::new() }
            .told(DN, &attributes(lines), EntryKind::User)
            .unwrap()
    }

    fn user(more: &[&str]) -> Entry {
        match change(&[&["objectclass: person", "objectclass: user"], more].concat()) {
            Change::Replace(entry) => *entry,
            other => panic!("{other:?}"),
        }
    }

    fn stated(entry: &Entry, field: &str) -> Vec<String> {
        match entry.fields.get(field) {
            Some(Stated::Values(values)) => values.clone(),
            None => Vec::new(),
            Some(Stated::Undecodable) => vec!["?".to_owned()],
        }
    }

    #[rstest]
    #[case(&["mail: a@x"], &["a@x"])]
    #[case(&["proxyaddresses: smtp:b@x", "proxyaddresses: SMTP:a@x", "proxyaddresses: SIP:c@x"], &["a@x", "b@x"])]
    #[case(&["mail: old@x", "proxyaddresses: SMTP:a@x", "proxyaddresses: smtp:A@x"], &["a@x", "old@x"])]
    #[case(&["mail: b@x", "proxyaddresses: SMTP:a@x", "proxyaddresses: SMTP:B@x"], &["b@x", "a@x"])]
    #[case(&["targetaddress: smtp:a@far"], &["a@far"])]
    #[case(&["targetaddress: X400:…", "proxyaddresses: SMTP:"], &[])]
    #[case(&["proxyaddresses: Smtp:b@x", "proxyaddresses: SMTP:a@x", "proxyaddresses: sMtP:c@x"], &["a@x", "b@x", "c@x"])]
    #[case(&["proxyaddresses: SMTP: a@x ", "mail:  a@x"], &["a@x"])]
    #[case(&["targetaddress: Smtp:a@far", "proxyaddresses: x500:/o=a"], &["a@far"])]
    #[case(&["proxyaddresses: SMTP:a@x\u{200b}", "proxyaddresses: smtp:b@x\u{feff} "], &["a@x", "b@x"])]
    #[case(&["mail: a@x", "proxyaddresses: smtp:b@x\0"], &["?", "?"])]
    fn the_primary_address_comes_first(#[case] given: &[&str], #[case] expected: &[&str]) {
        let entry = user(&[&["useraccountcontrol: 512"], given].concat());
        assert_eq!([stated(&entry, fields::MAIL), stated(&entry, fields::ALIASES)].concat(), expected);
    }

    /// Nothing tells which one counts, so each may be that by which somebody is known already.
    #[rstest]
    #[case::none_is_primary(&["proxyaddresses: Smtp:b@x", "proxyaddresses: smtp:a@x"], &["a@x", "b@x"], &[])]
    #[case::two_are(&["proxyaddresses: SMTP:b@x", "proxyaddresses: SMTP:a@x", "proxyaddresses: smtp:c@x"], &["a@x", "b@x"], &["c@x"])]
    #[case::mail_says_which(&["mail: b@x", "proxyaddresses: SMTP:b@x", "proxyaddresses: SMTP:a@x"], &["b@x"], &["a@x"])]
    #[case::mail_alone(&["mail: z@x", "proxyaddresses: smtp:b@x", "proxyaddresses: smtp:a@x"], &["z@x"], &["a@x", "b@x"])]
    fn several_addresses_of_one_rank_are_several(
        #[case] given: &[&str],
        #[case] mail: &[&str],
        #[case] aliases: &[&str],
    ) {
        let entry = user(&[&["useraccountcontrol: 512"], given].concat());
        assert_eq!(
            (stated(&entry, fields::MAIL), stated(&entry, fields::ALIASES)),
            (
                mail.iter().map(|one| (*one).to_owned()).collect(),
                aliases.iter().map(|one| (*one).to_owned()).collect()
            )
        );
    }

    #[rstest]
    #[case("1", "", Some(true))]
    #[case("2", "linked", None)]
    #[case("4", "shared", None)]
    #[case("16", "room", None)]
    #[case("32", "equipment", None)]
    #[case("2147483648", "remote", Some(true))]
    #[case("34359738368", "shared", None)]
    #[case("2199023255552", "room", None)]
    #[case("8388608", "other", Some(true))]
    fn a_mailbox_without_a_login_has_no_state(
        #[case] details: &str,
        #[case] kind: &str,
        #[case] disabled: Option<bool>,
    ) {
        let details = format!("msexchrecipienttypedetails: {details}");
        let entry = user(&["useraccountcontrol: 514", &details]);
        assert_eq!((stated(&entry, fields::MAILBOX).concat().as_str(), entry.disabled), (kind, disabled));
    }

    #[rstest]
    #[case("msexchrecipienttypedetails: ?")]
    #[case("msexchrecipienttypedetails: 99999999999999999999")]
    #[case("msexchrecipientdisplaytype: room")]
    fn a_mailbox_of_a_kind_that_cannot_be_read_is_not_taken(#[case] line: &str) {
        let change = change(&["objectclass: person", "useraccountcontrol: 514", line]);
        assert!(
            matches!(&change, Change::Unreadable { why, .. } if why.contains("is not a number")),
            "{change:?}"
        );
    }

    #[rstest]
    #[case(&["msexchrecipientdisplaytype: 7"], "room")]
    #[case(&["msexchrecipientdisplaytype: -2147481594"], "equipment")]
    #[case(&["msexchrecipientdisplaytype: 0"], "")]
    #[case(&["msexchrecipientdisplaytype: 7", "msexchrecipienttypedetails: 1"], "")]
    fn what_a_mailbox_is_shown_as_counts_where_its_details_are_not_there(
        #[case] of: &[&str],
        #[case] kind: &str,
    ) {
        let entry = user(&[&["useraccountcontrol: 514"], of].concat());
        assert_eq!(stated(&entry, fields::MAILBOX).concat(), kind);
        assert_eq!(entry.disabled.is_none(), !kind.is_empty());
    }

    #[rstest]
    #[case("0", None)]
    #[case("9223372036854775807", None)]
    #[case("133801632000000000", Some("2025-01-01T00:00:00Z"))]
    #[case("9223372036854775806", None)]
    fn an_account_expires_when_it_says_so(#[case] ticks: &str, #[case] at: Option<&str>) {
        let at = at.map(|at| at.parse::<Timestamp>().unwrap());
        assert_eq!(user(&["useraccountcontrol: 512", &format!("accountexpires: {ticks}")]).expires, at);
    }

    #[rstest]
    #[case::user(&["objectclass: user"], false)]
    #[case::contact(&["objectclass: contact"], true)]
    #[case::mailbox_without_a_login(&["objectclass: user", "msexchrecipienttypedetails: 4"], true)]
    fn an_account_that_does_not_show_when_it_expires_is_not_understood(
        #[case] lines: &[&str],
        #[case] is_understood: bool,
    ) {
        let lines = [&["objectclass: person", "useraccountcontrol: 512"], lines].concat();
        let mut attributes = attributes(&lines);
        attributes.remove("accountexpires");
        let told = ActiveDirectorySchema { literal: BTreeSet::new() }
            .told(DN, &attributes, EntryKind::User)
            .unwrap();
        assert_eq!(matches!(told, Change::Replace(_)), is_understood, "{told:?}");
    }

    #[test]
    fn what_hides_whether_it_is_disabled_is_not_taken() {
        let hidden = change(&["objectclass: person"]);
        assert!(
            matches!(hidden, Change::Unreadable { anchor: Some(_), why, .. } if why.contains("userAccountControl"))
        );
        let gone = change(&["isdeleted: TRUE"]);
        assert_eq!(gone, Change::Tombstone(Anchor::new("30313233343536373839616263646566")));
        let mut nameless = attributes(&["objectclass: person"]);
        nameless.remove("objectguid");
        let told =
            ActiveDirectorySchema { literal: BTreeSet::new() }.told(DN, &nameless, EntryKind::User).unwrap();
        assert!(
            matches!(told, Change::Unreadable { anchor: Some(_), .. }),
            "its name says who it is: {told:?}"
        );
        let computer = attributes(&["objectclass: person", "objectclass: computer"]);
        assert_eq!(
            ActiveDirectorySchema { literal: BTreeSet::new() }.told(DN, &computer, EntryKind::User),
            None
        );
    }

    #[test]
    fn asks_for_an_anchor_by_its_octets() {
        let anchor = anchor(&attributes(&[])).unwrap();
        let filter = guid_filter(&anchor);
        assert!(
            filter.starts_with("(objectGUID=\\30\\31") && crate::source::ldap::is_filter(&filter),
            "{filter}"
        );
    }
}
