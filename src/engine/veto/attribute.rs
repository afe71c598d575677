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
    "krb5key",
    "mspkiaccountcredentials",
    "mspkidpapimasterkeys",
    "ms-pki-accountcredentials",
    "ms-pki-dpapimasterkeys",
    "mstpm-ownerinformation",
    "mstpm-ownerinformationtemp",
];

/// How such names begin.
const SECRET_BEGIN: &[&str] = &["ms-mcs-admpwd", "mslaps-", "msfve-", "ipatoken"];

/// What is in such names.
const SECRET_PART: &[&str] = &["password", "passwd", "passphrase", "pwd", "secret"];

/// Names with such a part that are of no secret: moments, counts, rules, and people.
const NO_SECRET: &[&str] = &[
    "secretary",
    "secretarybl",
    "pwdlastset",
    "pwdlastsuccess",
    "pwdchangedtime",
    "pwdaccountlockedtime",
    "pwdfailuretime",
    "pwdgraceusetime",
    "pwdstarttime",
    "pwdendtime",
    "pwdreset",
    "pwdmustchange",
    "pwdpolicysubentry",
    "pwdproperties",
    "pwdhistorylength",
    "badpwdcount",
    "badpasswordtime",
    "maxpwdage",
    "minpwdage",
    "minpwdlength",
    "msds-userpasswordexpirytimecomputed",
    "krblastpwdchange",
    "krbpasswordexpiration",
    "krbpwdpolicyreference",
    "sambapwdlastset",
    "sambapwdcanchange",
    "sambapwdmustchange",
    "sambabadpasswordcount",
    "sambabadpasswordtime",
    "passwordexpirationtime",
    "passwordexpwarned",
    "passwordretrycount",
    "passwordallowchangetime",
    "passwordgraceusertime",
];

/// What names other entries, by DN or by name.
const NAMES_ENTRIES: &[&str] = &[
    "member",
    "uniquemember",
    "memberuid",
    "membernisnetgroup",
    "nisnetgrouptriple",
    "memberurl",
    "memberof",
    "ismemberof",
    "memberofgroup",
    "nsrole",
    "nsroledn",
    "tokengroups",
    "memberuser",
    "memberhost",
    "manager",
    "directreports",
    "managedobjects",
    "managedby",
    "secretary",
    "assistant",
    "owner",
    "seealso",
    "roleoccupant",
    "distinguishedname",
    "altrecipient",
    "publicdelegates",
    "authorig",
    "unauthorig",
    "dlmemsubmitperms",
    "dlmemrejectperms",
    "dlmemdefault",
    "creatorsname",
    "modifiersname",
    "groupmembership",
    "securityequals",
    "equivalenttome",
];

/// How such names begin and end: with groups of Active Directory's tokens and with moderators, as back links.
const NAMES_ENTRIES_BEGIN: &[&str] =
    &["tokengroups", "msds-member", "msds-token", "msexchdelegate", "msexchcomanaged"];
const NAMES_ENTRIES_END: &[&str] = &["bl", "link"];

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
    let is_known = SECRETS.contains(&name) || SECRET_BEGIN.iter().any(|begin| name.starts_with(begin));
    let has_part = || SECRET_PART.iter().any(|part| name.contains(part)) && !NO_SECRET.contains(&name);
    is_number || is_known || has_part()
}

/// Whether it names other entries.
pub(super) fn names_entries(name: &str) -> bool {
    NAMES_ENTRIES.contains(&name)
        || NAMES_ENTRIES_BEGIN.iter().any(|begin| name.starts_with(begin))
        || NAMES_ENTRIES_END.iter().any(|end| name.ends_with(end))
}

/// Everything by which it is told here what may leave.
pub(super) fn rules() -> impl Iterator<Item = &'static str> {
    let aliases = ALIASES.iter().flat_map(|(alias, name)| [*alias, *name]);
    let above = ABOVE.iter().flat_map(|(above, below)| std::iter::once(*above).chain(below.iter().copied()));
    let secrets = [SECRETS, SECRET_BEGIN, SECRET_PART, NO_SECRET];
    let names = [NAMES_ENTRIES, NAMES_ENTRIES_BEGIN, NAMES_ENTRIES_END];
    let lists = secrets.into_iter().chain(names).chain([NEEDED]).flatten().copied();
    lists.chain(aliases).chain(above)
}

/// The attributes that are below this one.
pub(super) fn below(name: &str) -> &'static [&'static str] {
    ABOVE.iter().find(|(above, _)| *above == name).map_or(&[], |(_, below)| below)
}
