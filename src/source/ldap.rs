//! LDAP directories (RFC 4511): any LDAPv3 server, Active Directory, and Domino.
//!
//! A configuration and a cursor come in; entries and a completion go out. Users are what the user filter finds, groups what
//! the group filter finds, below each base. A result code of zero from every search is what makes a completion; referrals are told
//! of and never followed; a read stays with the server that it began with.
//!
//! All kinds share one session (connect, bind, page, look up, limits) and one reader (full reads and changes). What a kind does in
//! its own way is its dialect.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

use self::active_directory::ActiveDirectory;
use self::contained::contained;
use self::dialect::Dialect;
use self::domino::Domino;
use self::feed::Resume;
use self::feeds::Feeds;
use self::generic::Generic;
use self::look_up::LookUps;
use self::progress::Progress;
use self::reader::Reader;
use self::session::Session;
use crate::directory::{Anchor, Completion, Cursor};
use crate::source::schema;
use crate::source::{LookUp, Sink, Source, SourceError};

mod active_directory;
mod ask;
mod back_link;
mod base;
mod computed;
mod config;
mod connect;
mod connection;
mod contained;
mod decode;
mod dialect;
mod division;
mod domino;
mod error;
mod feed;
mod feeds;
mod fetch;
mod filter;
mod generic;
mod look_up;
mod output;
mod progress;
mod reader;
mod refusal;
mod root_dse;
mod search;
mod session;
mod sweep;
mod sync_repl;
mod time;
mod unseen;
mod url;
pub(super) mod wire;

pub use active_directory::{ActiveDirectoryConfig, ChangeFeed, Discovery};
pub(super) use back_link::FOLLOWED;
pub use config::{Bind, GROUP_FILTER, GenericConfig, LdapConfig, USER_FILTER};
pub use domino::DominoConfig;
pub use filter::{is_filter, named_in};
pub use url::check_url;

pub use super::schema::domino::purpose::Purpose;
pub use super::schema::domino::split::PartNames;

/// A source that reads any LDAP server but Active Directory and Domino.
pub type LdapSource = DialectSource<GenericConfig>;

/// A source that reads Active Directory.
pub type ActiveDirectorySource = DialectSource<ActiveDirectoryConfig>;

/// A source that reads a Domino Directory.
pub type DominoSource = DialectSource<DominoConfig>;

/// Which dialect a configuration is for.
trait Configuration: Clone + Send + Sync + 'static {
    type Dialect: Feeds + LookUps + Dialect<Config = Self>;
}

impl Configuration for GenericConfig {
    type Dialect = Generic;
}

impl Configuration for DominoConfig {
    type Dialect = Domino;
}

impl Configuration for ActiveDirectoryConfig {
    type Dialect = ActiveDirectory;
}

/// A source that reads a server of one kind.
#[derive(Clone, Debug)]
pub struct DialectSource<C> {
    config: C,
    /// The attribute by which the last read knew entries: a look-up after it asks for the same.
    id: Arc<OnceLock<String>>,
    /// How far the server was that was read last: one that is behind it says nothing of who is missing.
    heard: Arc<Mutex<Progress>>,
}

impl<C> DialectSource<C> {
    /// A source for this server.
    pub fn new(config: C) -> Self {
        Self { config, id: Arc::default(), heard: Arc::default() }
    }

    fn heard(&self) -> Progress {
        self.heard.lock().map(|heard| heard.clone()).unwrap_or_default()
    }
}

impl<C: Configuration> Source for DialectSource<C> {
    async fn read(&self, cursor: Option<&Cursor>, sink: Sink) -> Result<Completion, SourceError> {
        let (config, resume) = (self.config.clone(), cursor.and_then(Resume::read));
        let known_by = sink.known_by();
        let pinned = schema::pinned(known_by.as_ref()).or_else(|| self.id.get().cloned());
        let before = known_by.and_then(|known_by| known_by.progress);
        let before = self.heard().and(&before.as_deref().map(Progress::parse).unwrap_or_default());
        let (id, heard) = (self.id.clone(), self.heard.clone());
        contained(Box::pin(async move {
            let mut session = Session::<C::Dialect>::open(config, pinned.as_deref(), &before).await?;
            id.get_or_init(|| session.asking.attribute.clone());
            if let Ok(mut heard) = heard.lock() {
                heard.clone_from(&session.facts.progress);
            }
            Reader::new(&mut session, sink).read(resume).await
        }))
        .await
    }

    async fn look_up(
        &self,
        anchors: &[Anchor],
        called: &HashMap<Anchor, String>,
    ) -> Result<Option<LookUp>, SourceError> {
        let (config, pinned) = (self.config.clone(), self.id.get().cloned());
        let (anchors, called, heard) = (anchors.to_vec(), called.clone(), self.heard());
        contained(Box::pin(async move {
            let mut session = Session::<C::Dialect>::open(config, pinned.as_deref(), &heard).await?;
            session.look_up(&anchors, &called).await
        }))
        .await
        .map(Some)
    }
}
