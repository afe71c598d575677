//! What to read from a server, and how.

use std::collections::BTreeSet;

use crate::secret::Secret;

/// What is a user unless the configuration says otherwise.
pub const USER_FILTER: &str = "(|(objectClass=person)(objectClass=posixAccount)(objectClass=account))";

/// What is a group unless the configuration says otherwise.
pub const GROUP_FILTER: &str = "(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)(objectClass=posixGroup)(objectClass=group))";

/// What to read, and how, from a directory of any kind. Validated: urls and filters parse, `ldap://` is secured or wanted insecure.
#[derive(Clone, Debug)]
pub struct LdapConfig {
    /// Tried in order.
    pub urls: Vec<String>,
    /// Whether `ldap://` connections are made secure before anything else is said.
    pub start_tls: bool,
    /// Whether `ldap://` without StartTLS is acceptable.
    pub insecure: bool,
    /// Certificate authorities to trust, and no other; the system's if absent.
    pub ca_pem: Option<Vec<u8>>,
    /// The name that the server's certificate must bear; the url's host if absent.
    pub server_name: Option<String>,
    /// Who reads; anonymous if absent.
    pub bind: Option<Bind>,
    /// Where to read; empty means the naming contexts that the server names.
    pub base_dns: Vec<String>,
    /// Subtrees that are left out.
    pub exclude_dns: Vec<String>,
    /// Which entries are users; [`USER_FILTER`] if absent.
    pub user_filter: Option<String>,
    /// Which entries are groups; [`GROUP_FILTER`] if absent.
    pub group_filter: Option<String>,
    /// The literal attributes that policies and connectors name.
    pub literal: BTreeSet<String>,
    /// Entries asked for at once (RFC 2696).
    pub page_size: u32,
}

/// What to read from any LDAP server but Active Directory.
#[derive(Clone, Debug)]
pub struct GenericConfig {
    /// The servers, and what is read there.
    pub ldap: LdapConfig,
    /// The attribute that holds the anchor; chosen by what the server is if absent.
    pub anchor: Option<String>,
    /// Whether the server is asked what changed (RFC 4533), if it tells that.
    pub sync_repl: bool,
}

/// Who reads.
#[derive(Clone, Debug)]
pub struct Bind {
    /// The DN to bind with; Active Directory takes `name@domain` and `DOMAIN\name` too.
    pub dn: String,
    /// Its password.
    pub password: Secret,
}
