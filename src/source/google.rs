//! Google Workspace, through the Directory API of the Admin SDK: users, groups, and who is in each group.
//!
//! The API has no feed: each read lists all users and all groups, and who was not listed is missing. Only who is in a group that
//! shows no change is not asked for each time (see `seen`).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures::StreamExt as _;

use self::client::{AT_ONCE, Api, Listed, NAME, Refused};
use self::decode::Item;
use self::seen::Seen;
use crate::clock::SystemClock;
use crate::directory::{
    Anchor, Change, Completion, Cursor, DirectoryId, Entry, Feed, Members, Mode, Reference, Shown,
};
use crate::source::fingerprint::fingerprint;
use crate::source::outlet::Outlet;
use crate::source::service::open::Open;
use crate::source::service::pages::Pages;
use crate::source::{LookUp, Reason, Sink, Source, SourceError};
use crate::words::count;

mod client;
mod config;
mod decode;
mod look_up;
mod refusal;
mod seen;

pub use config::{Endpoints, GoogleConfig, Whose};

/// A source that reads a customer of Google Workspace.
#[derive(Clone, Debug)]
pub struct GoogleSource {
    config: GoogleConfig,
    open: Open<Api>,
}

impl GoogleSource {
    /// A source for this customer.
    pub fn new(config: GoogleConfig) -> Self {
        Self { config, open: Open::default() }
    }

    /// The API, with a token that is yet to be issued.
    fn begin(&self) -> Result<Arc<Api>, SourceError> {
        self.open.begin(self.config.ca_pem.as_deref(), |http| {
            Api::new(self.config.clone(), http, Arc::new(SystemClock))
        })
    }
}

impl Source for GoogleSource {
    async fn read(&self, cursor: Option<&Cursor>, sink: Sink) -> Result<Completion, SourceError> {
        let api = self.begin()?;
        Box::pin(read(&api, cursor, &sink)).await
    }

    async fn look_up(
        &self,
        anchors: &[Anchor],
        called: &HashMap<Anchor, String>,
    ) -> Result<Option<LookUp>, SourceError> {
        let api = self.open.last().map_or_else(|| self.begin(), Ok)?;
        Box::pin(look_up::look_up(&api, anchors, called)).await.map(Some)
    }
}

async fn read(api: &Arc<Api>, cursor: Option<&Cursor>, sink: &Sink) -> Result<Completion, SourceError> {
    let customer = api.customer().await?;
    let fingerprint = fingerprint(api.asked(&customer));
    let before = cursor.and_then(|cursor| Seen::read(cursor, &fingerprint));
    let mut reading = Reading { api, customer, outlet: Outlet::new(sink), users: HashSet::new() };
    reading.users().await?;
    let mut now = Seen::after(before.as_ref(), fingerprint);
    let strangers = reading.groups(before.as_ref(), &mut now).await?;
    reading.outlet.end().await?;
    Ok(reading.completion(&now, strangers))
}

/// One read.
struct Reading<'a> {
    api: &'a Arc<Api>,
    /// Whose users and groups are read.
    customer: DirectoryId,
    outlet: Outlet<'a>,
    /// The ids of the users who came.
    users: HashSet<Anchor>,
}

/// A user as a page tells of them.
struct User {
    anchor: Option<Anchor>,
    /// Whose they are, if they are somebody else's.
    stranger: Option<DirectoryId>,
    change: Change,
}

/// A group of which it is asked who is in it, and by what it is known when it comes again as it is.
struct Asked {
    entry: Entry,
    mark: seen::Mark,
}

impl Reading<'_> {
    /// All users, and those of before who were deleted.
    async fn users(&mut self) -> Result<(), SourceError> {
        let (api, customer) = (self.api.clone(), self.customer.clone());
        let user = Arc::new(move |item: &Item<'_>| User {
            anchor: decode::id(item),
            stranger: decode::text(item, "customerId").map(DirectoryId::new).filter(|it| *it != customer),
            change: decode::user(item, &api.config().literal),
        });
        let api = self.api.clone();
        let mut pages = Pages::from(NAME, "", move |page, ahead| {
            let (api, user) = (api.clone(), user.clone());
            Box::pin(async move { api.users(false, &page, &*user, ahead).await })
        })?;
        while let Some(users) = pages.next().await.map_err(Refused::error)? {
            for User { anchor, stranger, change } in users {
                self.is_ours(stranger)?;
                self.users.extend(anchor);
                self.outlet.change(change).await?;
            }
        }
        pages.end()?;
        let api = self.api.clone();
        let mut pages = Pages::from(NAME, "", move |page, ahead| {
            let api = api.clone();
            Box::pin(async move { api.users(true, &page, &decode::id, ahead).await })
        })?;
        while let Some(deleted) = pages.next().await.map_err(Refused::error)? {
            for anchor in deleted.into_iter().flatten() {
                // Who was restored while the read went on is there.
                if !self.users.contains(&anchor) {
                    self.outlet.change(Change::Tombstone(anchor)).await?;
                }
            }
        }
        pages.end().map(|_| ())
    }

    /// A user who is somebody else's says that this is not the directory that it is taken for.
    fn is_ours(&self, stranger: Option<DirectoryId>) -> Result<(), SourceError> {
        let Some(customer) = stranger else { return Ok(()) };
        Err(SourceError::new(
            Reason::DirectoryChanged,
            format!(
                "the users that were read are of the customer {customer}, and not of {}, whose administrator asks; set \
                 customer: {customer}. Nothing of this read was used",
                self.customer
            ),
        ))
    }

    /// All groups, with who is in them; how many of those are neither users nor groups here.
    async fn groups(&mut self, before: Option<&Seen>, now: &mut Seen) -> Result<u64, SourceError> {
        let (mut groups, mut ids) = (Vec::new(), HashSet::new());
        let api = self.api.clone();
        let mut pages = Pages::from(NAME, "", move |page, ahead| {
            let api = api.clone();
            Box::pin(async move {
                let asked = |item: &Item<'_>| {
                    let entry = decode::group(item, &api.config().literal)?;
                    Ok::<_, Box<Change>>(Asked { entry, mark: seen::mark(item) })
                };
                api.groups(&page, &asked, ahead).await
            })
        })?;
        while let Some(listed) = pages.next().await.map_err(Refused::error)? {
            for one in listed {
                match one {
                    Ok(one) => {
                        ids.insert(one.entry.anchor.clone());
                        groups.push(one);
                    }
                    Err(unreadable) => self.outlet.change(*unreadable).await?,
                }
            }
        }
        pages.end()?;
        let mut strangers = 0;
        let (mut open, mut shown, mut denied) = (Vec::new(), false, None);
        let known = self.known(before, &groups).await;
        for one in groups {
            match before.and_then(|before| before.of(&one.mark)) {
                Some(there) if known.contains(&one.entry.anchor) => {
                    // Its list was shown before.
                    shown = true;
                    now.note(one.mark, there);
                    strangers += u64::from(there);
                    self.outlet.change(Change::Unchanged(one.entry.anchor)).await?;
                }
                _ => open.push(one),
            }
        }
        let api = self.api;
        let asked = open.into_iter().map(async |one| {
            let listed = api.members(one.entry.anchor.as_str()).await;
            (one, listed)
        });
        let mut asked = futures::stream::iter(asked).buffer_unordered(AT_ONCE);
        while let Some((Asked { mut entry, mark }, listed)) = asked.next().await {
            let listed = match listed {
                Ok(listed) => {
                    shown = true;
                    listed
                }
                // It went just now: nobody says anything of it, and it is looked up.
                Err(Refused::NotThere) => continue,
                Err(Refused::Denied(error)) => {
                    let why = format!("who is in it is not shown: {}", error.message);
                    denied = Some(error);
                    entry.members = Members::Partial(Vec::new(), why);
                    self.outlet.change(Change::Replace(Box::new(entry))).await?;
                    continue;
                }
                Err(refused) => return Err(refused.error()),
            };
            let strange = listed.ids.iter().filter(|id| !self.users.contains(*id) && !ids.contains(*id));
            let there = u32::try_from(strange.count()).unwrap_or(u32::MAX);
            strangers += u64::from(there);
            entry.members = self.members(listed, &mut || now.note(mark, there));
            self.outlet.change(Change::Replace(Box::new(entry))).await?;
        }
        match denied {
            // Not one group shows anybody: that is about no group.
            Some(error) if !shown => Err(error),
            _ => Ok(strangers),
        }
    }

    /// Those groups of which all members are known. Their lists are not asked for, where they show no change.
    async fn known(&self, before: Option<&Seen>, groups: &[Asked]) -> HashSet<Anchor> {
        let Some(before) = before else { return HashSet::new() };
        let same = groups.iter().filter(|one| before.of(&one.mark).is_some());
        let same: Vec<Anchor> = same.map(|one| one.entry.anchor.clone()).collect();
        self.outlet.sink.listed(same).await.unwrap_or_default()
    }

    /// Who is in a group. `is_known` is called if the same list is to be expected while the group itself does not change.
    fn members(&self, listed: Listed, is_known: &mut dyn FnMut()) -> Members {
        let Listed { ids, customers, nameless } = listed;
        let mut members: Vec<Reference> = ids.into_iter().map(Reference::Anchor).collect();
        let (ours, others): (Vec<_>, Vec<_>) = customers
            .iter()
            .partition(|id| id.as_ref().is_none_or(|id| DirectoryId::new(id) == self.customer));
        if !ours.is_empty() {
            members.extend(self.users.iter().cloned().map(Reference::Anchor));
            members.sort_unstable();
            members.dedup();
        }
        if nameless > 0 {
            let why = "a member has no id; Google gives every member one".to_owned();
            return Members::Partial(members, why);
        }
        if !others.is_empty() {
            let why = "everybody of another customer is in it (a member of type CUSTOMER), and who that is is not known here";
            return Members::Partial(members, why.to_owned());
        }
        // Everybody is in it: who comes and goes changes it, and it does not show.
        if ours.is_empty() {
            is_known();
        }
        Members::Complete(members)
    }

    fn completion(&self, now: &Seen, strangers: u64) -> Completion {
        let config = self.api.config();
        let strangers = (strangers > 0).then(|| {
            format!(
                "{} of people and groups that are not read here, such as those of other organizations; they stay in the lists",
                count(strangers, "membership is", "memberships are")
            )
        });
        Completion {
            mode: Mode::Full,
            directory: self.customer.clone(),
            id: Some("id".to_owned()),
            server: None,
            cursor: Some(now.cursor()),
            fields: decode::asked(),
            attributes: config.literal.clone(),
            scope: format!("google {} {} {}", config.whose, config.admin, config.account),
            notices: config.endpoints.elsewhere().into_iter().chain(strangers).collect(),
            vendor: Some("Google Workspace".to_owned()),
            feed: Some(Feed { active: "Listing".to_owned(), reason: String::new() }),
            shown: Shown { clock: self.api.date(), ..Shown::default() },
        }
    }
}
