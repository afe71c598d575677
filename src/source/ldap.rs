//! LDAP directories.

use std::collections::BTreeSet;

use crate::secret::Secret;

/// What to read, and how.
#[derive(Clone, Debug)]
pub struct LdapConfig {
    /// Tried in order.
    pub urls: Vec<String>,
    /// Whether `ldap://` connections are made secure first.
    pub start_tls: bool,
    /// Whether `ldap://` without StartTLS is acceptable.
    pub insecure: bool,
    /// Certificate authorities to trust, and no other.
    pub ca_pem: Option<Vec<u8>>,
    /// The name that the server's certificate must bear.
    pub server_name: Option<String>,
    /// Who reads; anonymous without.
    pub bind: Option<Bind>,
    /// Where to read; empty means the server's naming contexts.
    pub base_dns: Vec<String>,
    /// Which entries are users.
    pub user_filter: Option<String>,
    /// Which entries are groups.
    pub group_filter: Option<String>,
    /// The attribute that holds the anchor.
    pub anchor: Option<String>,
    /// The literal attributes that policies and connectors name.
    pub literal: BTreeSet<String>,
    /// Entries asked for at once.
    pub page_size: u32,
}

/// Who reads.
#[derive(Clone, Debug)]
pub struct Bind {
    /// The DN to bind with.
    pub dn: String,
    /// Its password.
    pub password: Secret,
}

/// A source that reads an LDAP server.
#[derive(Clone, Debug)]
pub struct LdapSource {
    config: LdapConfig,
}

impl LdapSource {
    /// A source for this server.
    pub fn new(config: LdapConfig) -> Self {
        Self { config }
    }
}

impl super::Source for LdapSource {
    async fn read(
        &self,
        _: Option<&crate::directory::Cursor>,
        _: super::Sink,
    ) -> Result<crate::directory::Completion, super::SourceError> {
        Err(super::SourceError::new(super::Reason::Unreachable, self.config.urls.join(", ")))
    }

    async fn look_up(
        &self,
        _: &[crate::directory::Anchor],
    ) -> Result<Option<super::LookUp>, super::SourceError> {
        Ok(None)
    }
}
