//! LDAP directories (RFC 4511): OpenLDAP, 389 Directory Server, FreeIPA and any other LDAPv3 server.
//!
//! Users are what the user filter finds, groups what the group filter finds, below each base. A result
//! code of zero from every search is what makes a completion; referrals are told of and never followed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

use self::contained::contained;
use self::feed::Resume;
use self::progress::Progress;
use self::session::Session;
use crate::directory::{Anchor, Completion, Cursor};
use crate::source::schema;
use crate::source::{LookUp, Sink, Source, SourceError};

mod active_directory;
mod back_link;
mod base;
mod computed;
mod config;
mod connect;
mod connection;
mod contained;
mod decode;
mod error;
mod feed;
mod fetch;
mod filter;
mod look_up;
mod progress;
mod read;
mod refusal;
mod root_dse;
mod search;
mod session;
mod sync_repl;
mod time;
mod unseen;
pub(super) mod wire;

pub use active_directory::{ActiveDirectoryConfig, ActiveDirectorySource, ChangeFeed, Discovery};
pub use config::{Bind, GROUP_FILTER, LdapConfig, USER_FILTER};
pub use filter::is_filter;

/// A source that reads an LDAP server.
#[derive(Clone, Debug)]
pub struct LdapSource {
    config: LdapConfig,
    /// The attribute by which the last read knew entries: a look-up after it asks for the same.
    id: Arc<OnceLock<String>>,
    /// How far the server was that was read last: one that is behind it says nothing of who is missing.
    heard: Arc<Mutex<Progress>>,
}

impl LdapSource {
    /// A source for this server.
    pub fn new(config: LdapConfig) -> Self {
        Self { config, id: Arc::default(), heard: Arc::default() }
    }

    fn heard(&self) -> Progress {
        self.heard.lock().map(|heard| heard.clone()).unwrap_or_default()
    }
}

impl Source for LdapSource {
    async fn read(&self, cursor: Option<&Cursor>, sink: Sink) -> Result<Completion, SourceError> {
        let (config, resume) = (self.config.clone(), cursor.and_then(Resume::read));
        let known_by = sink.known_by();
        let pinned = schema::pinned(known_by.as_ref()).or_else(|| self.id.get().cloned());
        let before = known_by.and_then(|known_by| known_by.progress);
        let before = self.heard().and(&before.as_deref().map(Progress::parse).unwrap_or_default());
        let (id, heard) = (self.id.clone(), self.heard.clone());
        contained(Box::pin(async move {
            let session = Session::open(config, pinned.as_deref(), &before).await?;
            id.get_or_init(|| session.id());
            if let Ok(mut heard) = heard.lock() {
                *heard = session.progress().clone();
            }
            session.read(resume, sink).await
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
        let open = async move {
            Session::open(config, pinned.as_deref(), &heard).await?.look_up(&anchors, &called).await
        };
        contained(Box::pin(open)).await.map(Some)
    }
}
