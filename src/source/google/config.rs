//! What a source of Google Workspace is given.

use std::collections::BTreeSet;
use std::fmt;

use crate::net::oauth::{Account, Signing};
use crate::source::service;

/// What may be read, and all that is asked for: a scope that nobody delegated refuses all others too.
pub(super) const SCOPES: [&str; 2] = [
    "https://www.googleapis.com/auth/admin.directory.user.readonly",
    "https://www.googleapis.com/auth/admin.directory.group.readonly",
];

/// What to read, and how. Validated: addresses and urls have their form.
#[derive(Clone, Debug)]
pub struct GoogleConfig {
    /// Whose users and groups.
    pub whose: Whose,
    /// In whose name it is asked: an administrator.
    pub admin: String,
    /// The service account that asks.
    pub account: String,
    /// How it proves who it is, and in whose name it acts.
    pub credential: Account,
    /// So many requests a minute may be sent at most by all who share the account's project.
    pub per_minute: u32,
    /// Hosts in place of Google's own.
    pub endpoints: Endpoints,
    /// Certificate authorities to trust, and no other; the system's if absent.
    pub ca_pem: Option<Vec<u8>>,
    /// The literal attributes that policies name.
    pub literal: BTreeSet<String>,
}

/// Whose users and groups are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Of a customer, in all of its domains: its id, or `my_customer` of the administrator's own.
    Customer(String),
    /// Of one domain.
    Domain(String),
}

/// Hosts in place of Google's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// Where the Directory API is.
    pub directory: Option<String>,
    /// Where tokens are issued.
    pub token: Option<String>,
}

impl Whose {
    /// The administrator's own customer.
    pub const MINE: &'static str = "my_customer";

    /// The parameter of a list, and its value.
    pub(super) fn parameter(&self) -> (&'static str, &str) {
        match self {
            Self::Customer(id) => ("customer", id),
            Self::Domain(name) => ("domain", name),
        }
    }
}

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, value) = self.parameter();
        write!(f, "{name} {value}")
    }
}

impl GoogleConfig {
    /// The number by which an administrator names the service account, if its key says it.
    pub(super) fn client_id(&self) -> Option<&str> {
        match &self.credential.signing {
            Signing::Key(key) => Some(key.client_id.as_str()).filter(|id| !id.is_empty()),
            Signing::Keyless(_) => None,
        }
    }

    /// The project whose budget of requests is used.
    pub(super) fn project(&self) -> &str {
        let host = self.account.rsplit('@').next().unwrap_or_default();
        host.strip_suffix(".iam.gserviceaccount.com").unwrap_or(&self.account)
    }
}

impl Endpoints {
    pub(super) fn directory(&self) -> &str {
        self.directory.as_deref().unwrap_or("https://admin.googleapis.com")
    }

    pub(super) fn token(&self) -> &str {
        self.token.as_deref().unwrap_or("https://oauth2.googleapis.com")
    }

    /// What is to be said of places that are not Google's own.
    pub fn elsewhere(&self) -> Option<String> {
        let Self { directory, token } = self;
        let places =
            [("tokens come from", token.as_deref()), ("the directory is read at", directory.as_deref())];
        service::elsewhere("Google's", &places)
    }
}
