//! What a server says about itself (RFC 4512 section 5.1).

use jiff::Timestamp;
use tokio::time::Instant;

use super::connection::Connection;
use super::fetch;
use super::progress::Progress;
use super::time::time;
use super::wire::Scope;
use crate::directory::{Dn, Shown};
use crate::source::schema::Attributes;
use crate::source::{Reason, SourceError};

/// Among `supportedCapabilities`: this is Active Directory.
const ACTIVE_DIRECTORY: &str = "1.2.840.113556.1.4.800";
/// Among them: a domain controller that holds a part of what the others do.
const READ_ONLY: &str = "1.2.840.113556.1.4.1920";
const PAGED_RESULTS: &[u8] = b"1.2.840.113556.1.4.319";

/// What every server may say of itself.
const GENERAL: &[&str] = &[
    "objectClass",
    "namingContexts",
    "defaultNamingContext",
    "supportedControl",
    "vendorName",
    "vendorVersion",
];

/// What domain controllers say beside it.
const OF_ACTIVE_DIRECTORY: &[&str] = &[
    "supportedCapabilities",
    "rootDomainNamingContext",
    "dnsHostName",
    "dsServiceName",
    "highestCommittedUSN",
    "configurationNamingContext",
    "isGlobalCatalogReady",
    "currentTime",
    "isSynchronized",
];

/// What Domino says beside it: what it can do.
const OF_DOMINO: &[&str] = &["ibm-enabledCapabilities"];

/// Immutable ids, in the order in which they are chosen. 389 Directory Server gives every entry a
/// `nsUniqueId`, but an `entryUUID` only to those that were made since that was switched on.
const ANCHORS: &[&str] = &["nsUniqueId", "entryUUID", "ipaUniqueID"];

/// Naming contexts that hold a server's own affairs and nobody's people.
const OPERATIONAL: &[&str] =
    &["cn=changelog", "cn=config", "cn=monitor", "cn=schema", "cn=subschema", "o=netscaperoot", "o=ipaca"];

/// What a server says about itself.
#[derive(Clone, Debug, Default)]
pub(super) struct RootDse {
    /// What it holds.
    pub(super) contexts: Vec<String>,
    /// What of that is read unless somebody says otherwise.
    pub(super) default: Vec<String>,
    /// Whether it gives results in pages (RFC 2696), or does not say that it cannot.
    pub(super) pages: bool,
    /// What it says that it is.
    pub(super) vendor: Option<String>,
    /// All that was asked of the rootDSE.
    pub(super) root: Attributes,
    /// How far its copy is, if it says.
    pub(super) progress: Progress,
    /// What its clock said, and when that was heard.
    pub(super) clock: Option<(Timestamp, Instant)>,
}

impl RootDse {
    /// Reads the rootDSE. A server that does not show it is asked for pages all the same.
    pub(super) async fn read(connection: &mut Connection) -> Result<Self, SourceError> {
        let attributes = [GENERAL, OF_ACTIVE_DIRECTORY, OF_DOMINO].concat();
        let root = fetch::one(connection, "", "(objectClass=*)", Scope::Base, &attributes).await?;
        let Some(root) = root else { return Ok(Self { pages: true, ..Self::default() }) };
        let heard_at = Instant::now();
        let texts = |name: &str| -> Vec<String> {
            root.values(name).filter_map(|value| String::from_utf8(value.to_vec()).ok()).collect()
        };
        let said = [texts("vendorname"), texts("vendorversion")].concat().join(" ");
        let is_openldap =
            texts("objectclass").iter().any(|class| class.eq_ignore_ascii_case("OpenLDAProotDSE"));
        let contexts: Vec<String> =
            texts("namingcontexts").into_iter().filter(|context| !context.is_empty()).collect();
        let default = match texts("defaultnamingcontext") {
            none if none.is_empty() => {
                let of_people = |context: &&String| {
                    !OPERATIONAL.contains(&context.to_lowercase().replace(' ', "").as_str())
                };
                contexts.iter().filter(of_people).cloned().collect()
            }
            stated => stated,
        };
        let clock = texts("currenttime").first().and_then(|text| time(text));
        Ok(Self {
            progress: Progress::default(),
            clock: clock.map(|clock| (clock, heard_at)),
            contexts,
            default,
            pages: !root.has("supportedcontrol")
                || root.values("supportedcontrol").any(|oid| oid == PAGED_RESULTS),
            vendor: if is_openldap {
                Some("OpenLDAP".to_owned())
            } else {
                Some(said).filter(|said| !said.is_empty())
            },
            root,
        })
    }

    /// What the server shows of itself, as of now.
    pub(super) fn shown(&self, connection: &Connection) -> Shown {
        let now = |(clock, heard_at): (Timestamp, Instant)| clock.saturating_add(heard_at.elapsed()).ok();
        Shown {
            certificate_ends_at: connection.certificate_ends_at,
            clock: self.clock.and_then(now),
            no_end: false,
            progress: self.progress.text(),
        }
    }

    /// The first value of an attribute of the rootDSE, its name in lower case.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.root.values(name).next()?).ok()
    }

    /// What people should know about a server that says this of itself.
    pub(super) fn notice(&self, url: &str) -> Option<String> {
        self.has("supportedcapabilities", READ_ONLY).then(|| {
            format!(
                "{url} is a read-only domain controller, which may not have all data; name a writable one first in urls"
            )
        })
    }

    /// Whether it is `ApacheDS`.
    pub(super) fn is_apacheds(&self) -> bool {
        self.vendor.as_deref().is_some_and(|vendor| vendor.starts_with("Apache Software Foundation"))
    }

    /// Whether it is 389 Directory Server, `FreeIPA` too.
    pub(super) fn is_389(&self) -> bool {
        self.vendor.as_deref().is_some_and(is_389)
    }

    /// A subtree with the server's own accounts, if it has one among what is read.
    pub(super) fn own_accounts(&self) -> Option<Dn> {
        self.is_apacheds().then(|| Dn::parse("ou=system").ok()).flatten()
    }

    /// What it says that it is.
    pub(super) fn vendor(&self) -> Option<String> {
        let domain_controller =
            || self.is_active_directory().then(|| "Microsoft Active Directory".to_owned());
        self.vendor.clone().or_else(domain_controller)
    }

    /// Whether it is Active Directory's.
    pub(super) fn is_active_directory(&self) -> bool {
        self.has("supportedcapabilities", ACTIVE_DIRECTORY)
    }

    /// Whether an attribute of the rootDSE has this value.
    pub(super) fn has(&self, name: &str, value: &str) -> bool {
        self.root.values(name).any(|one| one == value.as_bytes())
    }
}

/// Whether advice for OpenLDAP may help: a server that says that it is another has no use for it.
pub(super) fn may_be_openldap(facts: &RootDse) -> bool {
    facts.vendor.as_deref().is_none_or(is_openldap)
}

/// Whether the vendor's name is OpenLDAP's.
pub(super) fn is_openldap(vendor: &str) -> bool {
    vendor.to_lowercase().contains("openldap")
}

/// Whether the vendor's name is that of 389 Directory Server.
pub(super) fn is_389(vendor: &str) -> bool {
    ["389", "freeipa"].iter().any(|name| vendor.to_lowercase().contains(name))
}

/// The attribute that holds the immutable id, by what the bases themselves bear, else a user below them. One that is `pinned` is
/// never exchanged for another one: everybody would be somebody else.
pub(super) async fn anchor(
    connection: &mut Connection,
    bases: &[String],
    users: &str,
    pinned: Option<&str>,
) -> Result<String, SourceError> {
    if pinned.is_some_and(|pinned| pinned.eq_ignore_ascii_case("dn")) {
        return Ok("dn".to_owned());
    }
    let wanted = pinned.map_or_else(|| ANCHORS.to_vec(), |pinned| vec![pinned]);
    let mut has_users = false;
    for (filter, scope) in [("(objectClass=*)", Scope::Base), (users, Scope::Subtree)] {
        for base in bases {
            let found = fetch::one(connection, base, filter, scope, &wanted).await?;
            has_users |= found.is_some() && matches!(scope, Scope::Subtree);
            let bears = found.unwrap_or_default();
            if let Some(anchor) = wanted.iter().find(|name| bears.has(&name.to_lowercase())) {
                return Ok((*anchor).to_owned());
            }
        }
    }
    if let Some(pinned) = pinned.filter(|_| !has_users) {
        let message = format!(
            "entries are identified by {pinned} since the first read, no base entry shows it, and {users} finds no user \
             who could show it; nothing was used. Allow the account to search and read objectClass, {pinned} and the \
             attributes that userFilter uses"
        );
        return Err(SourceError::new(Reason::AccessDenied, message));
    }
    if let Some(pinned) = pinned {
        let message = format!(
            "entries are identified by {pinned} since the first read, and none shows it any more; nothing was used. \
             Allow the account to read that attribute again. If it is gone for good, set anchorAttribute to a \
             different one: then every entry counts as new"
        );
        return Err(SourceError::new(Reason::AccessDenied, message));
    }
    let message = format!(
        "no entry shows an immutable id ({}); allow the account to read one of them, or set anchorAttribute to an attribute \
         that never changes",
        ANCHORS.join(", ")
    );
    Err(SourceError::new(Reason::AccessDenied, message))
}
