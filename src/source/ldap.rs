//! LDAP directories (RFC 4511): OpenLDAP, 389 Directory Server, FreeIPA and any other LDAPv3 server.
//!
//! Users are what the user filter finds, groups what the group filter finds, below each base. A result
//! code of zero from every search is what makes a completion; referrals are told of and never followed.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, OnceLock};

use tokio::task::JoinSet;

use self::back_link::{BackLinks, List};
use self::feed::Resume;
use self::progress::Progress;
use self::root_dse::RootDse;
use self::session::Session;
use self::wire::filter::escape;
use crate::directory::{Anchor, Change, Completion, Cursor, DirectoryId, Dn, EntryKind, Filler};
use crate::secret::Secret;
use crate::source::schema::posix::Primaries;
use crate::source::schema::{self, EntrySchema};
use crate::source::{LookUp, Reason, Sink, Source, SourceError};

mod active_directory;
mod back_link;
mod computed;
mod connection;
mod decode;
mod error;
mod feed;
mod look_up;
mod progress;
mod refusal;
mod root_dse;
mod search;
mod session;
mod sync_repl;
mod unseen;
pub(super) mod wire;

pub use active_directory::{ActiveDirectoryConfig, ActiveDirectorySource, ChangeFeed, Discovery};

/// What is a user unless the configuration says otherwise.
pub const USER_FILTER: &str = "(|(objectClass=person)(objectClass=posixAccount)(objectClass=account))";
/// What is a group unless the configuration says otherwise.
pub const GROUP_FILTER: &str = "(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)(objectClass=posixGroup)(objectClass=group))";

/// Above so many changes everything is read: that is one search, and not hundreds.
const MANY: usize = 5000;

/// So many references to other servers are named; all are counted.
const REFERENCES: usize = 3;

/// Whether this is a filter as servers take them (RFC 4515).
pub fn is_filter(text: &str) -> bool {
    wire::filter::parse(text).is_some()
}

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

    async fn look_up(&self, anchors: &[Anchor]) -> Result<Option<LookUp>, SourceError> {
        self.look_up_called(anchors, &HashMap::new()).await
    }

    async fn look_up_called(
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

/// Runs `work` where a panic, which would be a fault of ours, ends it and nothing else. Dropping the returned future ends the work.
async fn contained<T: Send + 'static>(
    work: impl Future<Output = Result<T, SourceError>> + Send + 'static,
) -> Result<T, SourceError> {
    let mut tasks = JoinSet::new();
    tasks.spawn(work);
    match tasks.join_next().await {
        Some(Ok(done)) => done,
        _ => Err(SourceError::new(
            Reason::Interrupted,
            "reading ended by a fault of Rollcall's own, which the log tells of; nothing of this read was taken",
        )),
    }
}

/// A read under way.
struct LdapRead {
    sink: Sink,
    filler: Filler,
    came: u64,
    /// References to other servers: the first of them, and how many.
    references: Vec<String>,
    referrals: u64,
}

impl LdapRead {
    fn new(sink: Sink) -> Self {
        Self { sink, filler: Filler::default(), came: 0, references: Vec::new(), referrals: 0 }
    }

    /// An entry came. `primaries` are those whose primary group it may be; `links` are worked out from groups.
    async fn entry(
        &mut self,
        schema: &EntrySchema,
        kind: EntryKind,
        raw: decode::Raw,
        primaries: &Primaries,
        links: &mut BackLinks,
    ) -> Result<(), SourceError> {
        let not_text = || "its DN is not valid UTF-8; correct it in the directory".to_owned();
        let why = raw.beyond.clone().or_else(|| (!raw.dn_is_text).then(not_text));
        let mut primary = Vec::new();
        let change = if let Some(why) = why {
            let id = raw.attributes.values(&schema.anchor).next();
            let anchor = id.and_then(|id| schema::anchor(&schema.anchor, id));
            Change::Unreadable { anchor, what: raw.dn, why }
        } else {
            let Some(mut change) = schema.told(&raw.dn, &raw.attributes, Some(kind)) else { return Ok(()) };
            if let Change::Replace(entry) = &mut change {
                let stated = entry.members.references().len();
                primaries.join(&raw.attributes, &mut entry.members);
                if links.are_used() {
                    primary = entry.members.references().iter().skip(stated).cloned().collect();
                }
            }
            change
        };
        if kind == EntryKind::Group {
            links.list(&change, primary);
        }
        self.change(change).await
    }

    /// Of whom the server may say something else by now because these lists changed, though their entries came: those who
    /// came before the lists, and after a read of everything those too who were named by them. `None` if that cannot be told, or
    /// they are too many.
    async fn came_before_lists(
        &self,
        mut came: BTreeSet<Anchor>,
        called: &HashMap<Anchor, String>,
        lists: &[List],
        after_all: bool,
    ) -> Option<BTreeSet<Anchor>> {
        if lists.is_empty() && called.is_empty() {
            return Some(BTreeSet::new());
        }
        if after_all {
            came.extend(self.sink.naming(back_link::FOLLOWED, back_link::names_of(called, lists)).await?);
        }
        (came.len() <= MANY).then_some(came)
    }

    /// Something came that should be an entry.
    async fn unintelligible(&mut self, what: String) -> Result<(), SourceError> {
        let why = "the server sent it in a form that is no entry".to_owned();
        self.change(Change::Unreadable { anchor: None, what, why }).await
    }

    async fn change(&mut self, change: Change) -> Result<(), SourceError> {
        self.came += 1;
        match self.filler.add(change) {
            Some(batch) => self.sink.send(batch).await,
            None => Ok(()),
        }
    }

    /// These are there. Those of them who were not before, to be read; `None` if they are too many, or that cannot be told.
    async fn listed(&mut self, all: Vec<Anchor>) -> Result<Option<Vec<Anchor>>, SourceError> {
        if all.is_empty() {
            return Ok(Some(all));
        }
        let Some(new) = self.sink.strange(all.clone()).await.filter(|new| new.len() <= MANY) else {
            return Ok(None);
        };
        for anchor in all.into_iter().filter(|anchor| !new.contains(anchor)) {
            self.change(Change::Unchanged(anchor)).await?;
        }
        Ok(Some(new.into_iter().collect()))
    }

    async fn flush(&mut self) -> Result<(), SourceError> {
        match self.filler.rest() {
            Some(batch) => self.sink.send(batch).await,
            None => Ok(()),
        }
    }
}

/// Where to read: what is configured, without what lies within another, else the server's contexts.
fn bases(configured: &[String], facts: &RootDse) -> Result<Vec<String>, SourceError> {
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
fn contexts(bases: &[String], facts: &RootDse) -> Vec<String> {
    let of = |base: &String| {
        let dn = Dn::parse(base).ok()?;
        let holds = |context: &&String| Dn::parse(context).is_ok_and(|context| dn.is_within(&context));
        facts.contexts.iter().filter(holds).max_by_key(|context| context.len()).cloned()
    };
    let all: BTreeSet<String> = bases.iter().map(|base| of(base).unwrap_or_else(|| base.clone())).collect();
    all.into_iter().collect()
}

/// The one naming context that is read; a feed is of one.
fn only_context(bases: &[String], facts: &RootDse) -> Option<String> {
    let mut contexts = contexts(bases, facts);
    contexts.pop().filter(|_| contexts.is_empty())
}

/// Those who match `filter` and, if it is given, `only`.
fn among(only: Option<&str>, filter: &str) -> String {
    only.map_or_else(|| filter.to_owned(), |only| format!("(&{only}{})", in_brackets(filter)))
}

/// Those of whom the attribute has one of these DNs.
fn any_of<D: ToString>(attribute: &str, dns: &[D]) -> String {
    let terms: Vec<String> =
        dns.iter().map(|dn| format!("({attribute}={})", escape(&dn.to_string()))).collect();
    format!("(|{})", terms.concat())
}

/// Those who match either filter.
fn either(users: &str, groups: &str) -> String {
    format!("(|{}{})", in_brackets(users), in_brackets(groups))
}

/// A filter as it may stand within another.
fn in_brackets(filter: &str) -> String {
    if filter.starts_with('(') { filter.to_owned() } else { format!("({filter})") }
}

fn directory(bases: &[String], facts: &RootDse) -> DirectoryId {
    let normal = |context: &String| {
        Dn::parse(context).map_or_else(|_| context.clone(), |context| context.as_str().to_owned())
    };
    let contexts: BTreeSet<String> = contexts(bases, facts).iter().map(normal).collect();
    DirectoryId::new(contexts.into_iter().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(contexts: &[&str]) -> RootDse {
        RootDse {
            contexts: contexts.iter().map(|context| (*context).to_owned()).collect(),
            default: contexts.iter().map(|context| (*context).to_owned()).collect(),
            pages: true,
            ..RootDse::default()
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
