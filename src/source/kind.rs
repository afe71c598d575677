//! The kinds of directories: what each can do, and how it is opened. This is the one place that tells them apart; whoever adds a
//! kind is asked by the compiler for all of it.

use std::collections::{BTreeSet, HashMap};

use super::engine::{EngineConfig, EngineSource};
use super::google::{GoogleConfig, GoogleSource};
use super::graph::{EntraConfig, EntraSource};
use super::ldap::{
    ActiveDirectoryConfig, ActiveDirectorySource, Bind, DominoConfig, DominoSource, GenericConfig, LdapSource,
};
use super::ldif::{LdifConfig, LdifSource};
use super::{LookUp, Sink, Source, SourceError};
use crate::directory::{Anchor, Completion, Cursor};

/// What a connector reads, and how.
#[derive(Clone, Debug)]
pub enum SourceConfig {
    /// A domain.
    ActiveDirectory(ActiveDirectoryConfig),
    /// A Domino Directory.
    Domino(DominoConfig),
    /// A tenant.
    EntraId(EntraConfig),
    /// A customer.
    GoogleWorkspace(GoogleConfig),
    /// A server.
    Ldap(GenericConfig),
    /// A file.
    Ldif(LdifConfig),
    /// A domain or a server that only a Sync Engine can reach.
    Engine(EngineConfig),
}

/// What a kind of directory can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// Its name in the spec.
    pub name: &'static str,
    /// Whether it is a server, which is reached and authenticates: each is a stage of a read.
    pub is_a_server: bool,
    /// Whether it may tell what changed since a read, and who was deleted.
    pub has_feed: bool,
    /// Whether an entry can be looked up by its anchor.
    pub looks_up: bool,
}

impl SourceConfig {
    /// What its kind can do.
    pub fn abilities(&self) -> Abilities {
        let server = |name| Abilities { name, is_a_server: true, has_feed: true, looks_up: true };
        match self {
            Self::ActiveDirectory(_) => server("activeDirectory"),
            Self::Domino(_) => Abilities { has_feed: false, ..server("domino") },
            Self::EntraId(_) => server("entraId"),
            Self::GoogleWorkspace(_) => server("googleWorkspace"),
            Self::Ldap(_) => server("ldap"),
            Self::Engine(config) => server(config.kind()),
            Self::Ldif(_) => Abilities { name: "ldif", is_a_server: false, has_feed: false, looks_up: false },
        }
    }

    /// Who asks, and what proves it, if anybody has to: whoever has both is the same account. Nothing of it is to be shown.
    pub fn account(&self) -> [Option<&[u8]>; 2] {
        match self {
            Self::ActiveDirectory(config) => of_bind(config.ldap.bind.as_ref()),
            Self::Domino(config) => of_bind(config.ldap.bind.as_ref()),
            Self::EntraId(config) => [Some(config.client.as_bytes()), config.credential.mark()],
            Self::GoogleWorkspace(config) => [Some(config.account.as_bytes()), config.credential.mark()],
            Self::Ldap(config) => of_bind(config.ldap.bind.as_ref()),
            // Whose password it is, only the engine knows: the same engine asks as the same.
            Self::Engine(config) => [Some(config.connector.as_str().as_bytes()), Some(config.key.as_bytes())],
            Self::Ldif(_) => [None, None],
        }
    }

    /// What is asked of an administrator of the directory before it can be read; `None` of a kind that nobody has to consent to.
    pub fn consenting(&self) -> Option<&EntraConfig> {
        match self {
            Self::EntraId(config) => Some(config),
            Self::ActiveDirectory(_)
            | Self::Domino(_)
            | Self::Engine(_)
            | Self::GoogleWorkspace(_)
            | Self::Ldap(_)
            | Self::Ldif(_) => None,
        }
    }

    /// What to say of hosts that are used in place of the usual ones.
    pub fn elsewhere(&self) -> Option<String> {
        match self {
            Self::EntraId(config) => config.elsewhere(),
            Self::GoogleWorkspace(config) => config.endpoints.elsewhere(),
            Self::ActiveDirectory(_) | Self::Domino(_) | Self::Engine(_) | Self::Ldap(_) | Self::Ldif(_) => {
                None
            }
        }
    }

    /// What to say of these fields of the directory of this vendor, of which nothing came; nothing of a file, which is
    /// as it was made.
    pub fn unseen(&self, fields: &BTreeSet<&str>, directory: &str, vendor: Option<&str>) -> Option<String> {
        match self {
            Self::ActiveDirectory(config) => config.unseen(fields, directory),
            Self::Domino(config) => config.unseen(fields),
            Self::Ldap(config) => config.unseen(fields, vendor),
            // A tenant shows all of an entry or nothing: see the exceptions.
            // What an engine withholds, it names itself.
            Self::EntraId(_) | Self::Engine(_) | Self::GoogleWorkspace(_) | Self::Ldif(_) => None,
        }
    }

    /// Opens it for a read and its look-ups. Nothing is asked before it is read. `before` is the session of the read before, of the
    /// same configuration: what may be kept of it is.
    pub fn open(&self, before: Option<&Session>) -> Session {
        match self {
            Self::ActiveDirectory(config) => {
                Session::ActiveDirectory(ActiveDirectorySource::new(config.clone()))
            }
            Self::Domino(config) => Session::Domino(DominoSource::new(config.clone())),
            Self::EntraId(config) => Session::EntraId(match before {
                Some(Session::EntraId(before)) => before.clone(),
                _ => EntraSource::new(config.clone()),
            }),
            Self::GoogleWorkspace(config) => Session::GoogleWorkspace(match before {
                Some(Session::GoogleWorkspace(before)) => before.clone(),
                _ => GoogleSource::new(config.clone()),
            }),
            // The bind is the server's word of that moment; a connection that was idle may have been cut unseen.
            Self::Ldap(config) => Session::Ldap(LdapSource::new(config.clone())),
            Self::Ldif(config) => Session::Ldif(LdifSource::new(config.clone())),
            Self::Engine(config) => Session::Engine(EngineSource::new(config.clone())),
        }
    }
}

fn of_bind(bind: Option<&Bind>) -> [Option<&[u8]>; 2] {
    [bind.map(|bind| bind.dn.as_bytes()), bind.map(|bind| bind.password.without_line_end())]
}

/// A directory that is open: it keeps what one read learned for its look-ups, and what may be kept for the next read.
#[derive(Clone, Debug)]
pub enum Session {
    /// A domain.
    ActiveDirectory(ActiveDirectorySource),
    /// A Domino Directory.
    Domino(DominoSource),
    /// A tenant.
    EntraId(EntraSource),
    /// A customer.
    GoogleWorkspace(GoogleSource),
    /// A server.
    Ldap(LdapSource),
    /// A file.
    Ldif(LdifSource),
    /// A domain or a server, through a Sync Engine.
    Engine(EngineSource),
}

impl Source for Session {
    async fn read(&self, cursor: Option<&Cursor>, sink: Sink) -> Result<Completion, SourceError> {
        match self {
            Self::ActiveDirectory(source) => Box::pin(source.read(cursor, sink)).await,
            Self::Domino(source) => Box::pin(source.read(cursor, sink)).await,
            Self::EntraId(source) => Box::pin(source.read(cursor, sink)).await,
            Self::GoogleWorkspace(source) => Box::pin(source.read(cursor, sink)).await,
            Self::Ldap(source) => Box::pin(source.read(cursor, sink)).await,
            Self::Ldif(source) => Box::pin(source.read(cursor, sink)).await,
            Self::Engine(source) => Box::pin(source.read(cursor, sink)).await,
        }
    }

    async fn look_up(
        &self,
        anchors: &[Anchor],
        called: &HashMap<Anchor, String>,
    ) -> Result<Option<LookUp>, SourceError> {
        match self {
            Self::ActiveDirectory(source) => Box::pin(source.look_up(anchors, called)).await,
            Self::Domino(source) => Box::pin(source.look_up(anchors, called)).await,
            Self::EntraId(source) => Box::pin(source.look_up(anchors, called)).await,
            Self::GoogleWorkspace(source) => Box::pin(source.look_up(anchors, called)).await,
            Self::Ldap(source) => Box::pin(source.look_up(anchors, called)).await,
            Self::Ldif(source) => Box::pin(source.look_up(anchors, called)).await,
            Self::Engine(source) => Box::pin(source.look_up(anchors, called)).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::net::oauth::Credential;
    use crate::secret::Secret;
    use crate::source::graph::Cloud;

    #[test]
    fn an_account_is_who_asks_and_what_proves_it() {
        let config = |client: &str, secret: &str| {
            SourceConfig::EntraId(EntraConfig {
                tenant: "t.example".to_owned(),
                client: client.to_owned(),
                cloud: Cloud::Public,
                credential: Credential::Secret(Secret::new(secret.to_owned())),
                authority: None,
                graph: None,
                ca_pem: None,
                contacts: false,
                literal: BTreeSet::new(),
            })
        };
        let one = config("app", "secret\n");
        assert_eq!(one.account(), config("app", "secret").account());
        assert_ne!(one.account(), config("app", "other").account());
        assert_ne!(one.account(), config("another", "secret").account());
        let again = one.open(Some(&one.open(None)));
        assert!(matches!(again, Session::EntraId(_)) && one.abilities().is_a_server);
    }
}
