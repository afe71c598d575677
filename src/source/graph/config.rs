//! What a source of a tenant is given.

use std::collections::BTreeSet;

use super::cloud::Cloud;
use crate::net::oauth::Credential;
use crate::source::service;

/// Collections of Graph.
pub(super) const USERS: &str = "users";
pub(super) const GROUPS: &str = "groups";
pub(super) const CONTACTS: &str = "contacts";

/// What to read, and how. Validated: urls parse and are https.
#[derive(Clone, Debug)]
pub struct EntraConfig {
    /// The tenant: its id, or one of its domains.
    pub tenant: String,
    /// The app that reads.
    pub client: String,
    /// The cloud that the tenant is of.
    pub cloud: Cloud,
    /// How the app proves who it is.
    pub credential: Credential,
    /// Where tokens are issued, if not where the cloud issues them.
    pub authority: Option<String>,
    /// Where Graph is, if not where the cloud has it.
    pub graph: Option<String>,
    /// Certificate authorities to trust, and no other; the system's if absent.
    pub ca_pem: Option<Vec<u8>>,
    /// Whether mail contacts are read, too.
    pub contacts: bool,
    /// The literal attributes that policies name.
    pub literal: BTreeSet<String>,
}

impl EntraConfig {
    pub(super) fn authority(&self) -> &str {
        self.authority.as_deref().unwrap_or(self.cloud.authority())
    }

    pub(super) fn graph(&self) -> &str {
        self.graph.as_deref().unwrap_or(self.cloud.graph())
    }

    /// What is read, and the application permission that it takes.
    pub(super) fn reads(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let contacts = self.contacts.then_some((CONTACTS, "OrgContact.Read.All"));
        [(USERS, "User.Read.All"), (GROUPS, "GroupMember.Read.All")].into_iter().chain(contacts)
    }

    /// What is to be said of places that are not the cloud's own.
    pub fn elsewhere(&self) -> Option<String> {
        elsewhere(self.authority.as_deref(), self.graph.as_deref())
    }

    /// Where an administrator of the tenant gives the app what it asks for.
    pub fn consent(&self) -> String {
        let authority = self.authority().trim_end_matches('/');
        format!("{authority}/{}/adminconsent?client_id={}", self.tenant, self.client)
    }
}

/// What is to be said of these places, which are not a cloud's own.
pub fn elsewhere(authority: Option<&str>, graph: Option<&str>) -> Option<String> {
    service::elsewhere("the cloud's", &[("tokens come from", authority), ("Graph is read at", graph)])
}
