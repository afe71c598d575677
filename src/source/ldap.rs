//! LDAP directories (RFC 4511): OpenLDAP, 389 Directory Server, FreeIPA and any other LDAPv3 server.
//!
//! Users are what the user filter finds, groups what the group filter finds, below each base. A result
//! code of zero from every search is what makes a completion; referrals are told of and never followed.

use std::collections::BTreeSet;

use tokio::task::JoinSet;

use self::connection::Connection;
use self::facts::Facts;
use self::search::{Found, Query, Search};
use crate::directory::{Anchor, Batch, Change, Completion, Cursor, DirectoryId, Dn, Kind, Mode};
use crate::secret::Secret;
use crate::source::schema::{self, Schema, Unreadable};
use crate::source::{LookUp, Reason, Sink, Source, SourceError};

mod active_directory;
mod connection;
mod decode;
mod error;
mod facts;
mod look_up;
mod refusal;
mod search;

pub use active_directory::{ActiveDirectoryConfig, ActiveDirectorySource, ChangeFeed};

/// What is a user unless the configuration says otherwise.
pub const USER_FILTER: &str = "(|(objectClass=person)(objectClass=posixAccount)(objectClass=account))";
/// What is a group unless the configuration says otherwise.
pub const GROUP_FILTER: &str = "(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)(objectClass=posixGroup)(objectClass=group))";

/// So many references to other servers are named; all are counted.
const REFERENCES: usize = 3;

/// What to read, and how. Validated: urls and filters parse, `ldap://` is secured or wanted insecure.
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
    /// Which entries are users; [`USER_FILTER`] if absent.
    pub user_filter: Option<String>,
    /// Which entries are groups; [`GROUP_FILTER`] if absent.
    pub group_filter: Option<String>,
    /// The attribute that holds the anchor; chosen by what the server is if absent.
    pub anchor: Option<String>,
    /// The literal attributes that policies and connectors name.
    pub literal: BTreeSet<String>,
    /// Entries asked for at once (RFC 2696).
    pub page_size: u32,
}

/// Who reads.
#[derive(Clone, Debug)]
pub struct Bind {
    /// The DN to bind with; Active Directory takes `name@domain` and `DOMAIN\name` too.
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

    async fn open(&self) -> Result<(Connection, Facts, Vec<String>), SourceError> {
        let mut connection = Connection::open(&self.config).await?;
        let facts = Facts::read(&mut connection).await?;
        let bases = bases(&self.config.base_dns, &facts)?;
        Ok((connection, facts, bases))
    }
}

impl Source for LdapSource {
    async fn read(&self, _: Option<&Cursor>, sink: Sink) -> Result<Completion, SourceError> {
        let source = self.clone();
        contained(async move { source.read_all(sink).await }).await
    }

    async fn look_up(&self, anchors: &[Anchor]) -> Result<Option<LookUp>, SourceError> {
        let (source, anchors) = (self.clone(), anchors.to_vec());
        contained(async move { source.look_up_all(&anchors).await }).await.map(Some)
    }
}

/// Runs `work` where a panic ends it and nothing else: the LDAP library panics on messages that are no
/// LDAP. Dropping the returned future ends the work.
async fn contained<T: Send + 'static>(
    work: impl Future<Output = Result<T, SourceError>> + Send + 'static,
) -> Result<T, SourceError> {
    let mut tasks = JoinSet::new();
    tasks.spawn(work);
    match tasks.join_next().await {
        Some(Ok(done)) => done,
        _ => Err(SourceError::new(
            Reason::Interrupted,
            "the server sent a message that is no LDAP; check that the url names an LDAP server",
        )),
    }
}

impl LdapSource {
    async fn read_all(&self, sink: Sink) -> Result<Completion, SourceError> {
        let (mut connection, facts, bases) = self.open().await?;
        let anchor = match &self.config.anchor {
            Some(anchor) => anchor.clone(),
            None => facts::anchor(&mut connection, &bases, self.users()).await?,
        };
        let schema = Schema { anchor: anchor.to_lowercase(), literal: self.config.literal.clone() };
        let mut reading = Reading::new(sink);
        let mut referrals = 0;
        for base in &bases {
            for (filter, kind) in [(self.users(), Kind::User), (self.groups(), Kind::Group)] {
                let query = Query {
                    base: base.clone(),
                    filter: filter.to_owned(),
                    attributes: schema.attributes().into_iter().collect(),
                    page_size: facts.pages.then_some(self.config.page_size),
                    ..Query::default()
                };
                let mut search = Search::new(&mut connection, query);
                while let Some(found) = search.next(reading.came).await? {
                    match found {
                        Found::Entry(entry) => reading.entry(&schema, kind, entry).await?,
                        Found::Unintelligible(what) => {
                            let why = "the server sent it in a form that is no entry".to_owned();
                            reading.change(Change::Unreadable { anchor: None, what, why }).await?;
                        }
                        Found::Reference(urls) => {
                            referrals += 1;
                            reading.references.extend(urls);
                            reading.references.truncate(REFERENCES);
                        }
                    }
                }
            }
        }
        reading.flush().await?;
        let mut notices = connection.skipped;
        if referrals > 0 {
            let these = reading.references.join(", ");
            notices.push(format!(
                "{referrals} references to other servers were not followed ({these}); what they hold needs a connector of \
                 its own"
            ));
        }
        Ok(Completion {
            mode: Mode::Full,
            directory: directory(&bases, &facts),
            server: Some(connection.url),
            cursor: None,
            fields: Schema::fields(),
            attributes: self.config.literal.clone(),
            scope: self.scope(&bases, &anchor),
            notices,
            vendor: facts.vendor,
            feed: None,
        })
    }

    async fn look_up_all(&self, anchors: &[Anchor]) -> Result<LookUp, SourceError> {
        let (mut connection, facts, bases) = self.open().await?;
        let attribute = match &self.config.anchor {
            Some(anchor) => anchor.clone(),
            None => facts::anchor(&mut connection, &bases, self.users()).await?,
        };
        let page_size = facts.pages.then_some(self.config.page_size);
        let contexts = contexts(&bases, &facts);
        let mut settled = LookUp { server: Some(connection.url.clone()), ..LookUp::default() };
        for some in anchors.chunks(look_up::AT_ONCE) {
            // An account that may not search the naming contexts searches what it reads.
            let anywhere = (contexts.as_slice(), None);
            let there = match look_up::search(&mut connection, &attribute, anywhere, some, page_size).await {
                Err(error) if matches!(error.reason, Reason::AccessDenied | Reason::NotFound) => {
                    let below = (bases.as_slice(), None);
                    look_up::search(&mut connection, &attribute, below, some, page_size).await?
                }
                there => there?,
            };
            let (mut found, missing): (Vec<_>, _) = some.iter().cloned().partition(|one| there.contains(one));
            if !found.is_empty() {
                // One that the read should have brought came, moved or changed while it went on: the next
                // read will bring it.
                let in_brackets = |filter: &str| {
                    if filter.starts_with('(') { filter.to_owned() } else { format!("({filter})") }
                };
                let read = format!("(|{}{})", in_brackets(self.users()), in_brackets(self.groups()));
                let read = (bases.as_slice(), Some(read.as_str()));
                let within = look_up::search(&mut connection, &attribute, read, &found, page_size).await?;
                found.retain(|one| !within.contains(one));
            }
            settled.found.extend(found);
            settled.missing.extend(missing);
        }
        Ok(settled)
    }

    fn users(&self) -> &str {
        self.config.user_filter.as_deref().unwrap_or(USER_FILTER)
    }

    fn groups(&self) -> &str {
        self.config.group_filter.as_deref().unwrap_or(GROUP_FILTER)
    }

    /// What decides which entries come, the same for every spelling of it. Not the url: another server of
    /// the same directory shows the same.
    fn scope(&self, bases: &[String], anchor: &str) -> String {
        let normal = |base: &String| Dn::parse(base).map_or_else(|_| base.clone(), |dn| dn.to_string());
        let bases: BTreeSet<String> = bases.iter().map(normal).collect();
        let bases: Vec<String> = bases.into_iter().collect();
        let anchor = anchor.to_lowercase();
        let who = self.config.bind.as_ref().map_or("", |bind| bind.dn.as_str());
        [&bases.join("\n"), self.users(), self.groups(), who, &anchor].join("\n\n")
    }
}

/// A read under way.
struct Reading {
    sink: Sink,
    batch: Vec<Change>,
    /// How many members the groups in the batch state.
    members: usize,
    came: u64,
    references: Vec<String>,
}

impl Reading {
    fn new(sink: Sink) -> Self {
        Self { sink, batch: Vec::with_capacity(Batch::MAX), members: 0, came: 0, references: Vec::new() }
    }

    async fn entry(&mut self, schema: &Schema, kind: Kind, raw: decode::Raw) -> Result<(), SourceError> {
        let why = if raw.in_parts {
            Some(
                "the server gives its members in parts only (as Active Directory does), which this kind of connector does \
                 not read",
            )
        } else if raw.dn_is_text {
            None
        } else {
            Some("its DN is not valid UTF-8; correct it in the directory")
        };
        let change = if let Some(why) = why {
            let anchor = raw.attributes.get(&schema.anchor).and_then(|values| values.first());
            Change::Unreadable {
                anchor: anchor.map(|value| schema::anchor(value)),
                what: raw.dn,
                why: why.to_owned(),
            }
        } else {
            match schema.entry(&raw.dn, &raw.attributes, Some(kind)) {
                Ok(Some(entry)) => Change::Replace(Box::new(entry)),
                Ok(None) => return Ok(()),
                Err(Unreadable { anchor, why }) => Change::Unreadable { anchor, what: raw.dn, why },
            }
        };
        self.change(change).await
    }

    async fn change(&mut self, change: Change) -> Result<(), SourceError> {
        self.came += 1;
        if let Change::Replace(entry) = &change {
            self.members += entry.members.references().len();
        }
        self.batch.push(change);
        if self.batch.len() >= Batch::MAX || self.members >= Batch::MEMBERS {
            self.flush().await
        } else {
            Ok(())
        }
    }

    async fn flush(&mut self) -> Result<(), SourceError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        self.members = 0;
        let batch = Batch(std::mem::replace(&mut self.batch, Vec::with_capacity(Batch::MAX)));
        let gone = |_| SourceError::new(Reason::Cancelled, "the read was given up");
        self.sink.send(batch).await.map_err(gone)
    }
}

/// Where to read: what is configured, without what lies within another, else the server's contexts.
fn bases(configured: &[String], facts: &Facts) -> Result<Vec<String>, SourceError> {
    if configured.is_empty() {
        if facts.default.is_empty() {
            return Err(SourceError::new(
                Reason::NotFound,
                "the server does not say what it holds (namingContexts); name where to read with baseDNs",
            ));
        }
        return Ok(facts.default.clone());
    }
    let parsed: Vec<Option<Dn>> = configured.iter().map(|base| Dn::parse(base).ok()).collect();
    let lies_within_another = |at: usize| {
        parsed.iter().enumerate().any(|(other, within)| match (parsed.get(at), within) {
            (Some(Some(base)), Some(within)) => {
                base.is_within(within) && (base != within || other < at) && other != at
            }
            _ => false,
        })
    };
    let kept = configured.iter().enumerate().filter(|(at, _)| !lies_within_another(*at));
    Ok(kept.map(|(_, base)| base.clone()).collect())
}

/// The naming contexts that the bases lie in; a base that lies in none stands for itself.
fn contexts(bases: &[String], facts: &Facts) -> Vec<String> {
    let of = |base: &String| {
        let dn = Dn::parse(base).ok()?;
        let holds = |context: &&String| Dn::parse(context).is_ok_and(|context| dn.is_within(&context));
        facts.contexts.iter().filter(holds).max_by_key(|context| context.len()).cloned()
    };
    let all: BTreeSet<String> = bases.iter().map(|base| of(base).unwrap_or_else(|| base.clone())).collect();
    all.into_iter().collect()
}

fn directory(bases: &[String], facts: &Facts) -> DirectoryId {
    let normal = |context: &String| {
        Dn::parse(context).map_or_else(|_| context.clone(), |context| context.as_str().to_owned())
    };
    let contexts: BTreeSet<String> = contexts(bases, facts).iter().map(normal).collect();
    DirectoryId::new(contexts.into_iter().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(contexts: &[&str]) -> Facts {
        Facts {
            contexts: contexts.iter().map(|context| (*context).to_owned()).collect(),
            default: contexts.iter().map(|context| (*context).to_owned()).collect(),
            pages: true,
            ..Facts::default()
        }
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn a_base_within_another_is_read_once() {
        let facts = facts(&["dc=corp,dc=example"]);
        let configured =
            texts(&["ou=People, dc=corp,dc=example", "dc=Corp,dc=example", "DC=corp,dc=example"]);
        assert_eq!(bases(&configured, &facts).unwrap(), ["dc=Corp,dc=example"]);
        assert_eq!(bases(&[], &facts).unwrap(), ["dc=corp,dc=example"]);
        assert!(bases(&[], &self::facts(&[])).is_err());
    }

    #[test]
    fn the_directory_is_its_naming_contexts_whatever_is_read_of_it() {
        let facts = facts(&["dc=corp,dc=example", "o=other"]);
        let one = directory(&texts(&["ou=people,dc=corp,dc=example"]), &facts);
        let other = directory(&texts(&["ou=groups,DC=Corp,dc=example"]), &facts);
        assert_eq!(one, other);
        assert_eq!(one.as_str(), "dc=corp,dc=example");
    }
}
