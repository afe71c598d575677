//! A session with one server: secured, bound, and known for what it is.
//!
//! A configuration and a dialect come in. A session answers searches: for a read (`reader`), for
//! look-ups (`look_up`), and small questions. It stays with its server until it ends, and may serve several reads and look-ups.

use std::collections::BTreeSet;

use super::ask::Asking;
use super::base::{bases, contexts, only_context};
use super::config::{Bind, LdapConfig};
use super::connect::connect;
use super::connection::Connection;
use super::dialect::Dialect;
use super::filter::either;
use super::progress::Progress;
use super::root_dse::RootDse;
use super::search::{Query, Search, SearchItem};
use crate::directory::{Anchor, Dn};
use crate::source::{Reason, SourceError};

/// What everything is below of.
const ROOT: &str = "";

/// One server.
pub(super) struct Session<D: Dialect> {
    pub(super) config: D::Config,
    pub(super) dialect: D,
    pub(super) connection: Connection,
    pub(super) facts: RootDse,
    pub(super) bases: Vec<String>,
    /// How entries are asked for.
    pub(super) asking: Asking,
}

/// An entry that a search found: its anchors, and its plain DN.
pub(super) struct Found {
    pub(super) anchors: Vec<Anchor>,
    pub(super) dn: String,
}

impl<D: Dialect> Session<D> {
    /// Opens a session with the first server that answers and is not behind the others. `pinned` is the attribute by which
    /// entries are known, if any were read, and `heard` how far the server was that told of them.
    pub(super) async fn open(
        config: D::Config,
        pinned: Option<&str>,
        heard: &Progress,
    ) -> Result<Self, SourceError> {
        let (servers, mut notices) = D::servers(&config).await?;
        let shared = D::shared(&config);
        let (mut connection, facts) = connect(shared, &servers, heard).await?;
        notices.append(&mut connection.skipped);
        connection.skipped = notices;
        if let Some(why) = D::refuses(&facts, &connection.url) {
            return Err(SourceError::new(Reason::InvalidData, why));
        }
        let bases = if D::READS_ROOT && shared.base_dns.is_empty() {
            vec![ROOT.to_owned()]
        } else {
            bases(&shared.base_dns, &facts)?
        };
        let dialect = D::meet(&config, &mut connection, &facts, &bases, pinned).await?;
        let page_size = facts.pages.then_some(shared.page_size);
        let excluded = shared.exclude_dns.iter().filter_map(|dn| Dn::parse(dn).ok());
        let excluded = excluded.chain(facts.own_accounts()).collect();
        let asking = Asking { excluded, page_size, ..dialect.asking() };
        Ok(Self { config, dialect, connection, facts, bases, asking })
    }

    pub(super) fn shared(&self) -> &LdapConfig {
        D::shared(&self.config)
    }

    /// The filters for users and for groups.
    pub(super) fn filters(&self) -> [&str; 2] {
        let LdapConfig { user_filter, group_filter, .. } = self.shared();
        let [users, groups] = D::FILTERS;
        [user_filter.as_deref().unwrap_or(users), group_filter.as_deref().unwrap_or(groups)]
    }

    pub(super) fn users(&self) -> &str {
        self.filters()[0]
    }

    pub(super) fn groups(&self) -> &str {
        self.filters()[1]
    }

    /// The filter for users and groups alike.
    pub(super) fn either(&self) -> String {
        either(self.users(), self.groups())
    }

    /// The server, however it was found.
    pub(super) fn server(&self) -> String {
        D::server(&self.facts, &self.connection.url)
    }

    /// The naming contexts that the bases lie in.
    pub(super) fn contexts(&self) -> Vec<String> {
        if D::READS_ROOT { vec![ROOT.to_owned()] } else { contexts(&self.bases, &self.facts) }
    }

    /// The one naming context that is read.
    pub(super) fn only_context(&self) -> Option<String> {
        only_context(&self.bases, &self.facts)
    }

    /// Who reads, for people.
    pub(super) fn account(&self) -> Option<&str> {
        self.shared().bind.as_ref().map(|Bind { dn, .. }| dn.as_str())
    }

    /// A search for entries below a base.
    pub(super) fn query(&self, base: String, filter: String, attributes: Vec<String>) -> Query {
        let (page_size, controls) = (self.asking.page_size, D::controls());
        Query { base, filter, attributes, page_size, controls, ..Query::default() }
    }

    /// Who matches `filter` below these places.
    pub(super) async fn find(&mut self, places: &[String], filter: &str) -> Result<Vec<Found>, SourceError> {
        let mut all = Vec::new();
        for base in places {
            let query = self.query(base.clone(), filter.to_owned(), vec![self.asking.attribute.clone()]);
            let mut search = Search::new(&mut self.connection, query);
            while let Some(item) = search.next(0).await? {
                if let SearchItem::Entry(raw) = item {
                    all.push(Found { anchors: self.asking.ids(&raw), dn: self.asking.dn(&raw).to_owned() });
                }
            }
        }
        Ok(all)
    }

    /// The same of those who are read.
    pub(super) async fn find_read(&mut self, filter: &str) -> Result<Vec<Found>, SourceError> {
        let mut found = self.find(&self.bases.clone(), filter).await?;
        found.retain(|one| !self.asking.leaves_out(&one.dn));
        Ok(found)
    }

    /// Whether anybody who is read matches. The search ends at the first.
    pub(super) async fn is_anybody(&mut self, filter: &str) -> Result<bool, SourceError> {
        for base in self.bases.clone() {
            let query = self.query(base, filter.to_owned(), vec![self.asking.attribute.clone()]);
            let mut search = Search::new(&mut self.connection, query);
            while let Some(item) = search.next(0).await? {
                if matches!(&item, SearchItem::Entry(raw) if !self.asking.leaves_out(self.asking.dn(raw))) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// What decides which entries come, the same for every spelling of it. Not the url: another server of the same directory
    /// shows the same.
    pub(super) fn scope(&self) -> String {
        let [users, groups] = self.filters();
        let (bases, excluded) = (sorted(&self.bases), sorted(&self.shared().exclude_dns));
        self.dialect.scope([&bases, &excluded, users, groups, self.account().unwrap_or_default()])
    }
}

/// DNs in one order and one spelling.
fn sorted(dns: &[String]) -> String {
    let normal = |dn: &String| Dn::parse(dn).map_or_else(|_| dn.clone(), |dn| dn.to_string());
    dns.iter().map(normal).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join("\n")
}
