//! Computed attributes: the server derives them from other entries. A change feed reports those other entries only.
//! Pure: names of such attributes, and how they are found in filters and entries.

use std::collections::BTreeSet;

use super::back_link::BackLinks;
use super::filter::either;
use crate::directory::{Dn, EntryKind};
use crate::source::schema::Attributes;

/// Computed from other entries when they are asked for, or written without a report: from the lists of groups (`memberOf`), links in
/// the other direction, rules for accounts, the place in the tree, logins.
const COMPUTED: &[&str] = &[
    // OpenLDAP and Active Directory, by its OID too.
    "memberof",
    "1.2.840.113556.1.2.102",
    // OpenDJ, Oracle.
    "ismemberof",
    "1.3.6.1.4.1.42.2.27.9.1.792",
    // 389 Directory Server: roles and classes of service.
    "nsrole",
    "nsaccountlock",
    "memberofgroup",
    // Active Directory: links in the other direction, …
    "directreports",
    "managedobjects",
    "secretarybl",
    // … what is made when it is asked for, …
    "canonicalname",
    "msds-principalname",
    "msds-parentdistname",
    "msds-resultantpso",
    "msds-userpasswordexpirytimecomputed",
    "msds-user-account-control-computed",
    "msds-memberoftransitive",
    "msds-membertransitive",
    // … and what each domain controller counts for itself.
    "lastlogon",
    "lastlogoff",
    "logoncount",
    "badpwdcount",
    "badpasswordtime",
    // Of the tree, and of logins.
    "entrydn",
    "hassubordinates",
    "numsubordinates",
    "subordinatecount",
    "numallsubordinates",
    "authtimestamp",
    "pwdlastsuccess",
    "lastlogintime",
];
/// Beginnings and endings of such names: groups of Active Directory's tokens, collective attributes (RFC 3671), back links.
const COMPUTED_BEGIN: &[&str] = &["tokengroups", "c-"];
const COMPUTED_END: &[&str] = &["bl", "-computed"];

/// They name other entries, and are changed by the server, untold, when those are renamed, moved or deleted.
const REFERENCES: &[&str] = &[
    "manager",
    "0.9.2342.19200300.100.1.10",
    "secretary",
    "owner",
    "seealso",
    "roleoccupant",
    "assistant",
    "managedby",
    "altrecipient",
    "publicdelegates",
    "member",
    "uniquemember",
];

/// They hold DNs, but of nothing that is renamed when people are.
const OF_ITSELF: &[&str] = &[
    "objectcategory",
    "objectclass",
    "structuralobjectclass",
    "distinguishedname",
    "creatorsname",
    "modifiersname",
];

/// Groups whose members are whoever a search finds.
const DYNAMIC_CLASSES: &[&str] = &["groupofurls", "dyngroup", "dynamicgroup"];
/// The attributes with the search.
pub(super) const SEARCHES: &[&str] = &["memberurl", "labeleduri"];

/// The attributes in use whose changes no feed reports.
#[derive(Clone, Debug, Default)]
pub(super) struct Untold {
    /// Policies use these, and no feed reports their changes.
    computed: BTreeSet<String>,
    /// Filters use these: whom they find is known only from a list of all ids.
    in_filters: BTreeSet<String>,
    /// Those that are computed from groups, and can be followed.
    pub(super) links: BackLinks,
    /// These change without a report when other entries are renamed or deleted.
    references: BTreeSet<String>,
    /// Attributes that may name other entries: their values will tell.
    watched: Vec<String>,
    contexts: Vec<Dn>,
    dynamic_groups: u64,
}

impl Untold {
    /// Of these filters and literal attributes, in a directory with these naming contexts.
    pub(super) fn of(filters: [&str; 2], literal: &BTreeSet<String>, contexts: &[String]) -> Self {
        let mut untold = Self {
            contexts: contexts.iter().filter_map(|context| Dn::parse(context).ok()).collect(),
            ..Self::default()
        };
        for (name, value) in assertions(&either(filters[0], filters[1])) {
            let names_others = is_several(value) && Dn::parse(value).is_ok();
            if is_computed(&name) || (names_others && !is_known(&name)) {
                untold.in_filters.insert(name);
            } else if REFERENCES.contains(&name.as_str()) {
                untold.references.insert(name);
            }
        }
        for name in literal.iter().map(|name| plain(name)) {
            if untold.links.follow(&name) {
                continue;
            }
            if is_computed(&name) {
                untold.computed.insert(name);
            } else if REFERENCES.contains(&name.as_str()) {
                untold.references.insert(name);
            } else if !OF_ITSELF.contains(&name.as_str()) {
                untold.watched.push(name);
            }
        }
        untold
    }

    /// Looks at what came of an entry. A value may have ids in front (`<GUID=…>;CN=…`).
    pub(super) fn note(&mut self, kind: EntryKind, attributes: &Attributes) {
        if kind == EntryKind::Group && is_dynamic(attributes) {
            self.dynamic_groups += 1;
        }
        self.links.note(attributes);
        let Self { watched, computed, contexts, .. } = self;
        watched.retain(|name| {
            let mut values = attributes.all(name);
            let names_others = values.any(|value| {
                std::str::from_utf8(value).is_ok_and(|value| {
                    let value = value.rsplit(">;").next().unwrap_or(value);
                    is_several(value)
                        && Dn::parse(value)
                            .is_ok_and(|dn| contexts.iter().any(|context| dn.is_within(context)))
                })
            });
            if names_others {
                computed.insert(name.clone());
            }
            !names_others
        });
    }

    /// Whether no feed will do, and why.
    pub(super) fn needs_all(&self) -> Option<String> {
        let mut reasons = Vec::new();
        if !self.computed.is_empty() {
            reasons.push(format!(
                "policies use {}, which the server computes from other entries: no feed reports its changes",
                listed(&self.computed)
            ));
        }
        reasons.extend(self.links.cannot_be_followed());
        match self.dynamic_groups {
            0 => {}
            1 => reasons.push("1 group is dynamic: no feed reports changes of its members".to_owned()),
            many => {
                reasons.push(format!("{many} groups are dynamic: no feed reports changes of their members"));
            }
        }
        (!reasons.is_empty()).then(|| format!("{}; so everything is read each time", reasons.join(". ")))
    }

    /// The attributes in use that change without a report when an entry is renamed, moved or deleted, if there are any.
    pub(super) fn refers(&self) -> Option<String> {
        (!self.references.is_empty()).then(|| {
            format!(
                "filters or policies use {}, which names other entries, and which the server changes without \
                 reporting it when those are renamed, moved or deleted",
                listed(&self.references)
            )
        })
    }

    /// Whether the entries that match the filters must be listed, because no feed reports those changes.
    pub(super) fn is_in_filters(&self) -> bool {
        !self.in_filters.is_empty()
    }

    /// What to say of a feed that is used all the same.
    pub(super) fn remarks(&self) -> String {
        let in_filters = self.is_in_filters().then(|| {
            format!(
                "filters use {}, whose changes no feed reports: the ids of all entries that match are listed at each read",
                listed(&self.in_filters)
            )
        });
        let refers = self.refers().map(|refers| format!("{refers}: then everything is read"));
        let remarks = [refers, in_filters, self.links.remark()];
        remarks.into_iter().flatten().collect::<Vec<_>>().join(". ")
    }
}

fn listed(names: &BTreeSet<String>) -> String {
    names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

fn is_computed(name: &str) -> bool {
    COMPUTED.contains(&name)
        || COMPUTED_BEGIN.iter().any(|begin| name.starts_with(begin))
        || COMPUTED_END.iter().any(|end| name.ends_with(end))
}

fn is_known(name: &str) -> bool {
    REFERENCES.contains(&name) || OF_ITSELF.contains(&name)
}

fn is_dynamic(attributes: &Attributes) -> bool {
    let values = |name: &str| {
        let values = attributes.all(name);
        values.map(|value| String::from_utf8_lossy(value).to_lowercase()).collect::<Vec<_>>()
    };
    values("objectclass").iter().any(|class| DYNAMIC_CLASSES.contains(&class.as_str()))
        || SEARCHES
            .iter()
            .flat_map(|name| values(name))
            .any(|url| url.starts_with("ldap:///") && url.contains('?'))
}

/// Whether it could be a name of several parts.
fn is_several(value: &str) -> bool {
    value.contains('=') && value.contains(',')
}

/// An attribute's name as it is compared: in lower case, without options.
fn plain(name: &str) -> String {
    name.split(';').next().unwrap_or(name).trim().to_lowercase()
}

/// The attributes that a filter (RFC 4515) speaks of, each with what it is compared with.
fn assertions(filter: &str) -> Vec<(String, &str)> {
    // Brackets in values are escaped.
    let parts = filter.split(['(', ')']).filter(|part| !part.starts_with(['&', '|', '!']));
    let assertion = |part| {
        let (description, value): (&str, &str) = str::split_once(part, '=')?;
        // `attribute:dn:rule:=value`, `attribute>=value`.
        let name = plain(description.split(':').next()?.trim_end_matches(['>', '<', '~']));
        (!name.is_empty()).then_some((name, value))
    };
    parts.filter_map(assertion).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::wire;
    use super::*;

    const CONTEXT: &str = "dc=x,dc=example";

    fn untold(filter: &str, literal: &[&str]) -> Untold {
        let literal = literal.iter().map(|name| (*name).to_owned()).collect();
        Untold::of([filter, "(objectClass=group)"], &literal, &[CONTEXT.to_owned()])
    }

    #[rstest]
    #[case("(objectClass=person)", None)]
    #[case("(&(objectCategory=CN=Person,CN=Schema,DC=x)(!(mail=*)))", None)]
    #[case("(memberOf=cn=app,dc=x)", Some("memberof"))]
    #[case("(&(objectClass=person)(!(MEMBEROF=*)))", Some("memberof"))]
    #[case("(memberOf:1.2.840.113556.1.4.1941:=CN=app,DC=x)", Some("memberof"))]
    #[case("(1.2.840.113556.1.2.102=CN=app,DC=x)", Some("1.2.840.113556.1.2.102"))]
    #[case("isMemberOf=cn=app,dc=x", Some("ismemberof"))]
    #[case("(|(uid=a)(msDS-User-Account-Control-Computed:1.2.840.113556.1.4.803:=16))", Some("msds-user"))]
    #[case("(lastLogon>=1)", Some("lastlogon"))]
    #[case("(msExchDelegateListBL=*)", Some("msexchdelegatelistbl"))]
    #[case("(worksFor=ou=sales,dc=x)", Some("worksfor"))]
    #[case("(cn=Lee\\2c Ann)", None)]
    fn a_filter_by_what_is_computed_is_listed(#[case] filter: &str, #[case] named: Option<&str>) {
        assert!(wire::filter::parse(filter).is_some());
        let untold = untold(filter, &[]);
        assert_eq!(untold.needs_all(), None);
        assert_eq!(untold.is_in_filters(), named.is_some());
        let remarks = untold.remarks();
        assert_eq!(remarks.is_empty(), named.is_none(), "{remarks}");
        assert!(remarks.contains(named.unwrap_or_default()), "{remarks}");
    }

    #[rstest]
    #[case("mail", None, None)]
    #[case("memberOf", None, None)]
    #[case("isMemberOf", Some("ismemberof"), None)]
    #[case("tokenGroupsGlobalAndUniversal", Some("tokengroups"), None)]
    #[case("directReports", Some("directreports"), None)]
    #[case("c-l", Some("c-l"), None)]
    #[case("Manager", None, Some("manager"))]
    #[case("manager;x-old", None, Some("manager"))]
    fn so_does_what_policies_name(
        #[case] name: &str,
        #[case] all: Option<&str>,
        #[case] renames: Option<&str>,
    ) {
        let untold = untold("(objectClass=person)", &[name]);
        for (reason, named) in [(untold.needs_all(), all), (untold.refers(), renames)] {
            assert_eq!(reason.is_some(), named.is_some(), "{reason:?}");
            assert!(reason.unwrap_or_default().contains(named.unwrap_or_default()));
        }
    }

    #[rstest]
    #[case("memberof", true)]
    #[case("MemberOf", true)]
    #[case("tokenGroups", false)]
    #[case("mail", false)]
    fn links_from_groups_are_followed(#[case] name: &str, #[case] followed: bool) {
        let untold = untold("(objectClass=person)", &[name]);
        assert_eq!(untold.links.are_used(), followed);
        assert_eq!(untold.remarks().contains("are read again"), followed);
    }

    fn attributes(name: &str, value: &str) -> Attributes {
        let mut attributes = Attributes::new();
        attributes.add(name, [value.as_bytes().to_vec()]);
        attributes
    }

    #[rstest]
    #[case("uid=boss,ou=people,dc=x,dc=example", true)]
    #[case("<GUID=00>;<SID=01>;CN=Boss,DC=x,DC=example", true)]
    #[case("cn=elsewhere,dc=y,dc=example", false)]
    #[case("Boss, the = 1", false)]
    #[case("plain", false)]
    fn values_tell_what_an_unknown_attribute_is(#[case] value: &str, #[case] names_others: bool) {
        let mut untold = untold("(objectClass=person)", &["worksFor"]);
        untold.note(EntryKind::User, &attributes("worksfor", value));
        assert_eq!(untold.needs_all().is_some(), names_others);
    }

    #[rstest]
    #[case(EntryKind::Group, "objectclass", "groupOfURLs", true)]
    #[case(EntryKind::Group, "memberurl", "ldap:///ou=people,dc=x??sub?(l=here)", true)]
    #[case(EntryKind::Group, "labeleduri", "LDAP:///dc=x?uid?sub?(l=here)", true)]
    #[case(EntryKind::Group, "labeleduri", "https://team.example/?page=1", false)]
    #[case(EntryKind::User, "labeleduri", "ldap:///dc=x?uid?sub?(l=here)", false)]
    #[case(EntryKind::Group, "objectclass", "groupOfNames", false)]
    fn a_group_may_be_a_search(
        #[case] kind: EntryKind,
        #[case] name: &str,
        #[case] value: &str,
        #[case] dynamic: bool,
    ) {
        let mut untold = untold("(objectClass=person)", &[]);
        untold.note(kind, &attributes(name, value));
        assert_eq!(untold.needs_all().is_some(), dynamic);
    }
}
