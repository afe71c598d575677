//! Microsoft Entra ID, through Microsoft Graph: users, mail contacts and groups by delta query.
//!
//! A read of everything is a delta query from its beginning; what changed is the same query from where it ended. A page is the
//! last one when it has a delta link; nothing else is an end.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use uuid::Uuid;

use self::client::{Graph, NAME, Refused};
use self::config::{CONTACTS, GROUPS, USERS};
use self::cursor::Resume;
use self::decode::Item;
use self::groups::{Groups, Part};
use self::people::{Person, Told};
use crate::clock::SystemClock;
use crate::directory::{Anchor, Change, Completion, Cursor, DirectoryId, Feed, Mode, Shown};
use crate::source::fingerprint::fingerprint;
use crate::source::outlet::Outlet;
use crate::source::service::open::Open;
use crate::source::service::pages::Pages;
use crate::source::{LookUp, Reason, Sink, Source, SourceError};

mod client;
mod cloud;
mod config;
mod cursor;
mod decode;
mod groups;
mod look_up;
mod membership;
mod people;
mod refusal;

pub use cloud::Cloud;
pub use config::{EntraConfig, elsewhere};

/// Above so many users and groups of which a feed did not tell enough, everything is read.
const MANY: usize = 100;

/// A source that reads a tenant.
#[derive(Clone, Debug)]
pub struct EntraSource {
    config: EntraConfig,
    open: Open<Graph>,
}

impl EntraSource {
    /// A source for this tenant.
    pub fn new(config: EntraConfig) -> Self {
        Self { config, open: Open::default() }
    }

    /// Graph, with a token that is yet to be issued.
    fn begin(&self) -> Result<Arc<Graph>, SourceError> {
        self.open.begin(self.config.ca_pem.as_deref(), |http| {
            Graph::new(self.config.clone(), http, Arc::new(SystemClock))
        })
    }

    /// Graph, as the last read asked it.
    fn graph(&self) -> Result<Arc<Graph>, SourceError> {
        self.open.last().map_or_else(|| self.begin(), Ok)
    }

    /// Whether the app has the permissions that reading takes. Graph is asked, with a new token.
    ///
    /// # Errors
    /// One is missing, which the error names, with where an administrator consents; or Graph could not be asked.
    pub async fn may_read(&self) -> Result<(), SourceError> {
        let graph = self.begin()?;
        let missing = graph.missing().await?;
        graph.lacks(&missing).map_or(Ok(()), Err)
    }
}

impl Source for EntraSource {
    async fn read(&self, cursor: Option<&Cursor>, sink: Sink) -> Result<Completion, SourceError> {
        let graph = self.begin()?;
        let tenant = graph.tenant().await?;
        let reading = Reading::new(&graph, tenant, &sink);
        match Box::pin(reading.read(cursor)).await {
            Err(denied) if denied.reason == Reason::AccessDenied => {
                Err(Box::pin(graph.missing_permissions(denied)).await)
            }
            read => read,
        }
    }

    async fn look_up(
        &self,
        anchors: &[Anchor],
        called: &HashMap<Anchor, String>,
    ) -> Result<Option<LookUp>, SourceError> {
        let graph = self.graph()?;
        Box::pin(look_up::look_up(&graph, anchors, called)).await.map(Some)
    }
}

/// A feed of people: what it is called, and how it is read.
struct People {
    name: &'static str,
    select: fn(&BTreeSet<String>) -> String,
    decode: fn(&Item<'_>, &BTreeSet<String>, Mode) -> Change,
}

const USER: People = People { name: USERS, select: decode::select_users, decode: decode::user };
const CONTACT: People = People { name: CONTACTS, select: decode::select_contacts, decode: decode::contact };

/// One read.
struct Reading<'a> {
    graph: &'a Arc<Graph>,
    tenant: Uuid,
    sink: &'a Sink,
    select_users: String,
    select_groups: String,
}

impl<'a> Reading<'a> {
    fn new(graph: &'a Arc<Graph>, tenant: Uuid, sink: &'a Sink) -> Self {
        let literal = &graph.config().literal;
        let (select_users, select_groups) = (decode::select_users(literal), decode::select_groups(literal));
        Self { graph, tenant, sink, select_users, select_groups }
    }

    /// What changed since, if Graph still tells that; else everything.
    async fn read(self, cursor: Option<&Cursor>) -> Result<Completion, SourceError> {
        let fingerprint = self.fingerprint();
        if let Some(resume) = cursor.and_then(|cursor| Resume::read(cursor, &fingerprint)) {
            match self.from(Mode::Delta, &resume).await {
                Ok(next) => return Ok(self.completion(Mode::Delta, &next)),
                // A full read is no evidence against anybody before its end.
                Err(Refused::Resync) => {}
                Err(refused) => return Err(refused.error()),
            }
        }
        let begin = |of: &str, select: &str| {
            self.graph.url(&format!("{of}/delta"), &format!("$select={select}")).map(String::from)
        };
        let literal = &self.graph.config().literal;
        let begin = Resume {
            users: begin(USERS, &self.select_users)?,
            groups: begin(GROUPS, &self.select_groups)?,
            contacts: self
                .graph
                .config()
                .contacts
                .then(|| begin(CONTACTS, &decode::select_contacts(literal)))
                .transpose()?,
            fingerprint,
        };
        let next = self.from(Mode::Full, &begin).await.map_err(Refused::error)?;
        Ok(self.completion(Mode::Full, &next))
    }

    /// Of everything that decides what is asked, and what is understood: a feed tells nothing again of what did not change.
    fn fingerprint(&self) -> String {
        let config = self.graph.config();
        let tenant = self.tenant.to_string();
        let fields = decode::asked().into_iter().collect::<Vec<_>>().join(",");
        let parts =
            [&tenant, &config.client, config.graph(), &self.select_users, &self.select_groups, &fields];
        let contacts = config.contacts.then(|| decode::select_contacts(&config.literal));
        fingerprint(parts.into_iter().chain(contacts.as_deref()))
    }

    /// Reads the feeds to their ends, all at the same time; where they go on from there.
    async fn from(&self, mode: Mode, begin: &Resume) -> Result<Resume, Refused> {
        let contacts = async {
            match &begin.contacts {
                Some(link) => self.people(mode, link, &CONTACT).await.map(Some),
                None => Ok(None),
            }
        };
        let (users, groups) = (self.people(mode, &begin.users, &USER), self.groups(mode, &begin.groups));
        let (users, contacts, groups) = futures::try_join!(users, contacts, groups)?;
        Ok(Resume { fingerprint: begin.fingerprint.clone(), users, groups, contacts })
    }

    /// The pages of a feed, each object as `of` understands it.
    fn pages<T: Send + 'static>(
        &self,
        link: &str,
        of: impl Fn(&Item<'_>, &BTreeSet<String>) -> T + Send + Sync + 'static,
    ) -> Result<Pages<T, Refused>, SourceError> {
        let (graph, of) = (self.graph.clone(), Arc::new(of));
        Pages::from(NAME, link, move |link, ahead| {
            let (graph, of) = (graph.clone(), of.clone());
            Box::pin(async move {
                graph.page(&link, &|item: &Item<'_>| of(item, &graph.config().literal), ahead).await
            })
        })
    }

    /// Reads a feed of users or contacts.
    async fn people(&self, mode: Mode, link: &str, of: &People) -> Result<String, Refused> {
        let mut outlet = Outlet::new(self.sink);
        let (literal, decode, mut told) = (&self.graph.config().literal, of.decode, Told::default());
        let person =
            move |item: &Item<'_>, literal: &BTreeSet<String>| Person::of(item, decode(item, literal, mode));
        let mut pages = self.pages(link, person)?;
        while let Some(people) = pages.next().await? {
            for person in people {
                if told.note(&person, mode) {
                    outlet.change(person.change).await?;
                }
            }
        }
        let end = pages.end()?;
        if mode == Mode::Delta && told.doubtful().len() > MANY {
            return Err(Refused::Resync);
        }
        for id in told.doubtful() {
            let whole = |item: &Item<'_>| decode(item, literal, Mode::Full);
            match self.object(of.name, *id, &(of.select)(literal), whole).await? {
                Some(change) => outlet.change(change).await?,
                None if told.is_removed(*id) => {
                    outlet.change(Change::Tombstone(decode::anchor(*id))).await?;
                }
                None => {}
            }
        }
        for id in told.gone() {
            outlet.change(Change::Tombstone(decode::anchor(id))).await?;
        }
        outlet.end().await?;
        Ok(end)
    }

    /// Reads the feed of groups.
    async fn groups(&self, mode: Mode, link: &str) -> Result<String, Refused> {
        let (mut pages, mut told) = (self.pages(link, Part::of)?, Groups::default());
        while let Some(parts) = pages.next().await? {
            for part in parts {
                told.note(part);
            }
        }
        let end = pages.end()?;
        let mut known = HashSet::new();
        if mode == Mode::Delta {
            let there = told.there().into_iter().map(decode::anchor).collect();
            known = self.sink.listed(there).await.unwrap_or_default();
        }
        self.complete(&mut told, mode, &known).await?;
        let mut outlet = Outlet::new(self.sink);
        for change in told.changes(mode, &known) {
            outlet.change(change).await?;
        }
        outlet.end().await?;
        Ok(end)
    }

    /// Asks what else must be known of groups: of those of which pages contradict each other everything; in a read of what changed
    /// also all members of those of which not all are `known`. Instead of more than a few of them everything is read.
    async fn complete(&self, told: &mut Groups, mode: Mode, known: &HashSet<Anchor>) -> Result<(), Refused> {
        let (unlisted, in_part) = (told.unlisted(mode, known), told.in_part(mode, known));
        if mode == Mode::Delta && unlisted.len() + in_part.len() > MANY {
            return Err(Refused::Resync);
        }
        for id in in_part {
            let part = |item: &Item<'_>| Part::of(item, &self.graph.config().literal);
            match self.object(GROUPS, id, &self.select_group(), part).await? {
                Some(part) => told.see(id, part),
                None => told.miss(id),
            }
        }
        for id in unlisted {
            match self.graph.members(id).await {
                Ok(members) => told.list(id, &members),
                Err(Refused::NotThere) if !told.is_doubtful(id) => {}
                Err(Refused::Error(error)) if error.reason == Reason::AccessDenied && told.is_hidden(id) => {
                    told.deny(id);
                }
                Err(refused) => return Err(refused),
            }
        }
        Ok(())
    }

    /// All that is asked of one object, as `is` understands it; `None` of one that went just now: the next read tells.
    async fn object<T>(
        &self,
        of: &str,
        id: Uuid,
        select: &str,
        is: impl Fn(&Item<'_>) -> T,
    ) -> Result<Option<T>, Refused> {
        let url = self.graph.url(&format!("{of}/{id}"), &format!("$select={select}"))?;
        match self.graph.object(url, is).await {
            Ok(item) => Ok(Some(item)),
            Err(Refused::NotThere) => Ok(None),
            Err(refused) => Err(refused),
        }
    }

    /// What is asked of one group: its members are no property of it.
    fn select_group(&self) -> String {
        let names = self.select_groups.split(',').filter(|name| *name != "members");
        names.collect::<Vec<_>>().join(",")
    }

    fn completion(&self, mode: Mode, next: &Resume) -> Completion {
        let config = self.graph.config();
        Completion {
            mode,
            directory: DirectoryId::new(self.tenant.hyphenated().to_string()),
            id: Some("id".to_owned()),
            server: None,
            cursor: next.cursor(),
            fields: decode::asked(),
            attributes: config.literal.clone(),
            scope: format!("entra {}", config.client),
            notices: config.elsewhere().into_iter().collect(),
            vendor: Some("Microsoft Entra ID".to_owned()),
            feed: Some(Feed { active: "DeltaQuery".to_owned(), reason: String::new() }),
            shown: Shown { clock: self.graph.date(), ..Shown::default() },
        }
    }
}
