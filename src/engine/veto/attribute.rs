//! The names of attributes: one attribute has several, and some may never leave. Pure.

use crate::source::schema;

/// Other names of the same attributes (RFC 4519, RFC 4524, OpenLDAP's schemas): each, and the one that is used here.
const ALIASES: &[(&str, &str)] = &[
    ("commonname", "cn"),
    ("countryname", "c"),
    ("domaincomponent", "dc"),
    ("emailaddress", "mail"),
    ("email", "mail"),
    ("pkcs9email", "mail"),
    ("rfc822mailbox", "mail"),
    ("facsimiletelephonenumber", "fax"),
    ("gn", "givenname"),
    ("homephone", "hometelephonenumber"),
    ("localityname", "l"),
    ("mobile", "mobiletelephonenumber"),
    ("organizationname", "o"),
    ("organizationalunitname", "ou"),
    ("pager", "pagertelephonenumber"),
    ("stateorprovincename", "st"),
    ("street", "streetaddress"),
    ("surname", "sn"),
    ("userid", "uid"),
    ("friendlycountryname", "co"),
];

/// Attributes of which others are subtypes: whoever asks for these asks for all of them (RFC 4512 section 2.5.1).
const ABOVE: &[(&str, &[&str])] = &[
    (
        "name",
        &[
            "cn",
            "sn",
            "givenname",
            "initials",
            "generationqualifier",
            "l",
            "st",
            "o",
            "ou",
            "title",
            "c",
            "dmdname",
        ],
    ),
    ("distinguishedname", &["manager", "secretary", "owner", "seealso", "roleoccupant"]),
];

/// What says who an entry is and how it is: nothing works without them.
const NEEDED: &[&str] = &[
    "objectclass",
    "objectcategory",
    "objectguid",
    "objectsid",
    "entryuuid",
    "nsuniqueid",
    "ipauniqueid",
    "entrydn",
    "isdeleted",
    "useraccountcontrol",
    "accountexpires",
    "primarygroupid",
    "samaccounttype",
    "grouptype",
    "gidnumber",
    "member",
    "uniquemember",
    "memberuid",
    "whenchanged",
    "whencreated",
    "modifytimestamp",
    "usnchanged",
    "usncreated",
];

/// What no engine sends, whatever its file says: passwords, their hashes, and keys.
const SECRETS: &[&str] = &[
    "userpassword",
    "authpassword",
    "unicodepwd",
    "dbcspwd",
    "ntpwdhistory",
    "lmpwdhistory",
    "supplementalcredentials",
    "trustauthincoming",
    "trustauthoutgoing",
    "initialauthincoming",
    "initialauthoutgoing",
    "currentvalue",
    "priorvalue",
    "ms-ds-managedpassword",
    "msds-managedpassword",
    "msds-keycredentiallink",
    "unixuserpassword",
    "mssfu30password",
    "sambantpassword",
    "sambalmpassword",
    "sambapasswordhistory",
    "ipanthash",
    "krbprincipalkey",
    "krbextradata",
    "krbmkey",
    "userpkcs12",
    "pwdhistory",
    "passwordhistory",
    "ntpassword",
    "lmpassword",
    "httppassword",
    "dspswuserpassword",
    "ipatokenotpkey",
    "olcrootpw",
    "nsds5replicacredentials",
];

/// How such names begin.
const SECRET_BEGIN: &[&str] = &["ms-mcs-admpwd", "mslaps-", "msfve-", "ipatoken"];

/// The one name of an attribute: in lower case, without options.
pub(super) fn canonical(name: &str) -> String {
    let name = schema::name(name.trim());
    let alias = ALIASES.iter().find(|(alias, _)| *alias == name);
    alias.map_or_else(|| name.into_owned(), |(_, name)| (*name).to_owned())
}

/// Whether it can be the name of an attribute, with its options: nothing else comes into a request.
pub(super) fn is_name(name: &str) -> bool {
    let is_sign = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.;".contains(&byte);
    (1..=256).contains(&name.len()) && name.bytes().all(is_sign)
}

/// Whether nothing works without it.
pub(super) fn is_needed(name: &str) -> bool {
    NEEDED.contains(&name)
}

/// Whether it never leaves. Neither does what is named by a number: it may be anything.
pub(super) fn is_secret(name: &str) -> bool {
    let is_number = name.starts_with(|first: char| first.is_ascii_digit()) || name.starts_with("oid.");
    is_number || SECRETS.contains(&name) || SECRET_BEGIN.iter().any(|begin| name.starts_with(begin))
}

/// Everything by which it is told here what may leave.
pub(super) fn rules() -> impl Iterator<Item = &'static str> {
    let aliases = ALIASES.iter().flat_map(|(alias, name)| [*alias, *name]);
    let above = ABOVE.iter().flat_map(|(above, below)| std::iter::once(*above).chain(below.iter().copied()));
    let lists = [NEEDED, SECRETS, SECRET_BEGIN].into_iter().flatten().copied();
    lists.chain(aliases).chain(above)
}

/// The attributes that are below this one.
pub(super) fn below(name: &str) -> &'static [&'static str] {
    ABOVE.iter().find(|(above, _)| *above == name).map_or(&[], |(_, below)| below)
}
