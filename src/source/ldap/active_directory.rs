//! Active Directory, on the same connections and pages as every other LDAP server.
//!
//! # Guarantees
//! - An entry is its `objectGUID`, and so is a member of a group: a rename or a move parts nobody from
//!   anything. Members from other forests are known by their security ids.
//! - A group whose members come in parts (`member;range=0-1499`) is read until its last part; if that cannot
//!   be done, its list is partial, and never evidence that somebody left.
//! - Nobody leaves their primary group because something of their entry is not shown.
//! - A read stays with the domain controller that it began with.

use std::collections::{HashMap, HashSet};

use self::control::controls;
use self::session::{Session, is_within};
use super::back_link::BackLinks;
use super::base::{contexts, only_context};
use super::contained::contained;
use super::decode::Raw;
use super::feed::{Changes, Resume};
use super::filter::{among, either};
use super::look_up::{self, Asking, Seen, Unread};
use super::read::LdapRead;
use super::search::{Query, Search, SearchItem};
use crate::directory::{
    Anchor, Change, Completion, Cursor, Dn, EntryKind, Feed, Members, Mode, OfNoKind, Reference,
};
use crate::source::schema::active_directory::name::Extended;
use crate::source::schema::active_directory::primary::{self, Primaries};
use crate::source::schema::active_directory::{self as schema, ActiveDirectorySchema};
use crate::source::schema::anchor::hexadecimal;
use crate::source::{LookUp, Reason, Sink, Source, SourceError};

mod again;
mod config;
mod control;
mod dir_sync;
mod discovery;
mod feed;
mod range;
mod restored;
mod session;

pub use self::config::{ActiveDirectoryConfig, ChangeFeed};
pub use self::discovery::Discovery;

/// Among `supportedCapabilities`: a domain controller that holds a part of what the others do.
const READ_ONLY: &str = "1.2.840.113556.1.4.1920";

/// A source that reads Active Directory.
#[derive(Clone, Debug)]
pub struct ActiveDirectorySource {
    config: ActiveDirectoryConfig,
}

impl ActiveDirectorySource {
    /// A source for this domain.
    pub fn new(config: ActiveDirectoryConfig) -> Self {
        Self { config }
    }
}

impl Source for ActiveDirectorySource {
    async fn read(&self, cursor: Option<&Cursor>, sink: Sink) -> Result<Completion, SourceError> {
        let (config, resume) = (self.config.clone(), cursor.and_then(Resume::read));
        contained(Box::pin(async move { Session::open(config).await?.read(resume, sink).await })).await
    }

    async fn look_up(
        &self,
        anchors: &[Anchor],
        _: &HashMap<Anchor, String>,
    ) -> Result<Option<LookUp>, SourceError> {
        let (config, anchors) = (self.config.clone(), anchors.to_vec());
        contained(Box::pin(async move { Session::open(config).await?.look_up(&anchors).await }))
            .await
            .map(Some)
    }
}

/// Those who are there and do not come.
#[derive(Default)]
struct Left {
    /// By their place, or by the filters.
    outside: Vec<Anchor>,
    /// By their classes.
    of_no_kind: Vec<OfNoKind>,
    /// Whether there are some of whom that cannot be told.
    unclear: bool,
}

impl Session {
    /// What changed since, if a feed still tells that; else everything.
    async fn read(mut self, resume: Option<Resume>, sink: Sink) -> Result<Completion, SourceError> {
        let fingerprint = self.fingerprint().await?;
        let (next, feed) = match &resume {
            // Going on with the best costs no second look at the rights.
            Some(resume)
                if self.is_told(resume.feed)
                    && feed::is_best(resume, self.config.change_feed, fingerprint.as_deref()) =>
            {
                (Some(resume.clone()), None)
            }
            _ => {
                let (next, feed) = self.choose(fingerprint).await?;
                (next, Some(feed))
            }
        };
        if let (Some(resume), Some(next)) = (&resume, &next)
            && resume.goes_on_as(next)
            && let Some(changes) = self.changes(resume).await?
        {
            let reading = LdapRead::new(sink.clone());
            if let Some(read) = self.read_changes(&changes, resume.after_all, reading).await? {
                return self.complete_changes(read, resume.at(changes.place), feed).await;
            }
        }
        let (next, feed) = if let Some(feed) = feed {
            (next, feed)
        } else {
            // The feed did not go on, so it is chosen anew.
            let fingerprint = self.fingerprint().await?;
            self.choose(fingerprint).await?
        };
        self.read_all(sink, next, feed).await
    }

    /// Reads everything.
    async fn read_all(
        mut self,
        sink: Sink,
        next: Option<Resume>,
        feed: Feed,
    ) -> Result<Completion, SourceError> {
        let mut reading = LdapRead::new(sink);
        let mut primaries = Primaries::default();
        for base in self.bases.clone() {
            self.users(base, None, &mut reading, &mut primaries).await?;
        }
        for base in self.bases.clone() {
            self.groups(base, None, &mut reading, &mut primaries).await?;
        }
        reading.flush().await?;
        let not_read = self.untold.links.not_seen();
        self.untold.links.miss(not_read);
        Ok(self.completion(Mode::Full, next, feed))
    }

    /// Reads what changed. `None` if something was renamed that has others in it, or is unclear: then that was not all.
    async fn read_changes(
        &mut self,
        changes: &Changes,
        after_all: bool,
        mut reading: LdapRead,
    ) -> Result<Option<LdapRead>, SourceError> {
        self.untold.links.keep_lists();
        // Entries that are there, and are not read.
        let mut others = Vec::new();
        let (mut first, mut own) = (Primaries::default(), Primaries::to_be_asked());
        let asking = self.asking();
        // Whether somebody came in no way that says whether they are read: they are looked for among all.
        let mut unclear = false;
        let touched: Vec<Anchor> = changes.touched.iter().cloned().collect();
        for some in touched.chunks(look_up::AT_ONCE) {
            self.read_these(some, &mut reading, &mut first, &mut own).await?;
            // Who does not come is outside if found there; else the next read tells.
            let missing = some.iter().filter(|one| !self.there.contains(*one));
            let missing: Vec<Anchor> = missing.cloned().collect();
            let contexts = contexts(&self.bases, &self.facts);
            let found = asking.settle(&mut self.connection, (&contexts, None), &missing).await?;
            others.extend(found.there.values().map(|seen| Extended::of(&seen.dn).dn.to_owned()));
            // One that is not to be seen may be a group.
            unclear |= self.untold.links.are_used() && found.there.len() < missing.len();
            let left = self.left(&asking, &found.there).await?;
            unclear |= left.unclear;
            let outside = left.outside.into_iter().map(Change::Outside);
            for change in outside.chain(left.of_no_kind.into_iter().map(Change::OfNoKind)) {
                reading.change(change).await?;
            }
        }
        if self.untold.is_in_filters() && !self.list_ids(true, &mut reading, &mut first, &mut own).await? {
            return Ok(None);
        }
        for (group, added) in first.whose {
            if let Some(group) = self.group_of(group).await?.filter(|group| !self.there.contains(group)) {
                let added = added.into_iter().map(Reference::Anchor).collect();
                reading.change(Change::MembersAdded { group, added }).await?;
            }
        }
        for deleted in &changes.deleted {
            reading.change(Change::Tombstone(deleted.clone())).await?;
        }
        let renamed: Vec<&Anchor> = changes.renamed.iter().filter(|one| !self.there.contains(*one)).collect();
        let mut holds_others = false;
        for some in renamed.chunks(look_up::AT_ONCE) {
            let ids: String = some.iter().map(|one| schema::guid_filter(one)).collect();
            let contexts = contexts(&self.bases, &self.facts);
            let filter = format!("(&(|{ids}){})", feed::CONTAINERS);
            holds_others |= !self.anchors(contexts, filter, &[]).await?.is_empty();
        }
        if holds_others || unclear {
            return Ok(None);
        }
        let are_told = !self.untold.links.are_used()
            || self.read_again(changes, &others, after_all, &mut reading, &mut own).await?;
        Ok(are_told.then_some(reading))
    }

    /// Lists who is there, without those who came; reads those who were not there before, if that is wanted. False if they
    /// are too many.
    async fn list_ids(
        &mut self,
        reads_new: bool,
        reading: &mut LdapRead,
        first: &mut Primaries,
        own: &mut Primaries,
    ) -> Result<bool, SourceError> {
        let either = either(self.user_filter(), self.group_filter());
        let listed = self.anchors(self.bases.clone(), either, &self.excluded.clone()).await?;
        let listed: Vec<Anchor> = listed.into_iter().filter(|one| !self.there.contains(one)).collect();
        if !reads_new {
            for anchor in listed {
                reading.change(Change::Unchanged(anchor)).await?;
            }
            return Ok(true);
        }
        let Some(new) = reading.listed(listed).await? else { return Ok(false) };
        for some in new.chunks(look_up::AT_ONCE) {
            self.read_these(some, reading, first, own).await?;
        }
        Ok(true)
    }

    /// Reads these, as far as they are among those who are read.
    async fn read_these(
        &mut self,
        these: &[Anchor],
        reading: &mut LdapRead,
        first: &mut Primaries,
        own: &mut Primaries,
    ) -> Result<(), SourceError> {
        let ids: String = these.iter().map(schema::guid_filter).collect();
        let ids = format!("(|{ids})");
        for base in self.bases.clone() {
            self.users(base.clone(), Some(&ids), reading, first).await?;
            self.groups(base, Some(&ids), reading, own).await?;
        }
        Ok(())
    }

    /// Ends a read of changes. Who may not see what was deleted lists everybody who is there.
    async fn complete_changes(
        mut self,
        mut reading: LdapRead,
        next: Resume,
        feed: Option<Feed>,
    ) -> Result<Completion, SourceError> {
        let context = only_context(&self.bases, &self.facts).unwrap_or_default();
        let is_listed = self.untold.is_in_filters();
        let mut mode = if is_listed { Mode::Full } else { Mode::Delta };
        if !is_listed && !self.sees_deleted(&context).await? {
            mode = Mode::Full;
            let (mut first, mut own) = (Primaries::default(), Primaries::default());
            self.list_ids(false, &mut reading, &mut first, &mut own).await?;
        }
        reading.flush().await?;
        let feed = match feed {
            Some(feed) => feed,
            None => Feed { active: next.feed.name().to_owned(), reason: self.remarks(&context).await? },
        };
        Ok(self.completion(mode, Some(next), feed))
    }

    /// The group of this number in the domain.
    async fn group_of(&mut self, relative: u32) -> Result<Option<Anchor>, SourceError> {
        let Some(mut sid) = self.domain.clone() else { return Ok(None) };
        sid.extend(relative.to_le_bytes());
        let octets = schema::octets(&hexadecimal(&sid));
        let filter = format!("(&(objectSid={octets}){})", self.group_filter());
        Ok(self.anchors(self.bases.clone(), filter, &self.excluded.clone()).await?.into_iter().next())
    }

    async fn users(
        &mut self,
        base: String,
        only: Option<&str>,
        reading: &mut LdapRead,
        primaries: &mut Primaries,
    ) -> Result<(), SourceError> {
        let query = self.query(base, among(only, self.user_filter()));
        let mut search = Search::new(&mut self.connection, query);
        while let Some(found) = search.next(reading.came).await? {
            // What is no entry may be anybody.
            primaries.hidden |= matches!(found, SearchItem::Unintelligible(_));
            let Some(raw) = entry(found, &self.excluded, reading).await? else { continue };
            self.untold.note(EntryKind::User, &raw.attributes);
            if self.domain.is_none() && raw.attributes.has("primarygroupid") {
                self.domain = schema::domain(&raw.attributes);
            }
            let Some(change) = self.schema.change(&raw, EntryKind::User) else { continue };
            primaries.note(&raw.attributes);
            if only.is_some() {
                self.there.extend(change.anchor().cloned());
            }
            reading.change(change).await?;
        }
        Ok(())
    }

    async fn groups(
        &mut self,
        base: String,
        only: Option<&str>,
        reading: &mut LdapRead,
        primaries: &mut Primaries,
    ) -> Result<(), SourceError> {
        // Where not everybody came, those of whom one is the primary group are asked for.
        if let Some(only) = only {
            for group in self.relative_ids(base.clone(), only).await? {
                primaries.ask_of(group);
                self.ask_primaries(group, reading, primaries).await?;
            }
        }
        let query = self.query(base, among(only, self.group_filter()));
        let mut later = Vec::new();
        let mut search = Search::new(&mut self.connection, query);
        while let Some(found) = search.next(reading.came).await? {
            let Some(mut raw) = entry(found, &self.excluded, reading).await? else { continue };
            self.untold.note(EntryKind::Group, &raw.attributes);
            if only.is_some() {
                self.there.extend(schema::anchor(&raw.attributes));
            }
            if raw.attributes.is_whole("member") {
                self.schema.group(&raw, None, primaries, reading, &mut self.untold.links).await?;
            } else {
                // Its parts are read when this search is over: until then only its name is kept.
                raw.attributes.remove("member");
                later.push(raw);
            }
        }
        for raw in later {
            let members = range::members(&mut self.connection, &raw, reading.came).await?;
            self.schema.group(&raw, Some(members), primaries, reading, &mut self.untold.links).await?;
        }
        Ok(())
    }

    /// The numbers of these groups in the domain.
    async fn relative_ids(&mut self, base: String, groups: &str) -> Result<HashSet<u32>, SourceError> {
        let attributes = vec!["objectSid".to_owned()];
        let query = Query { attributes, ..self.query(base, among(Some(groups), self.group_filter())) };
        let mut ids = HashSet::new();
        let mut search = Search::new(&mut self.connection, query);
        while let Some(found) = search.next(0).await? {
            if let SearchItem::Entry(raw) = found {
                ids.extend(schema::relative_id(&raw.attributes));
            }
        }
        Ok(ids)
    }

    /// Asks whose primary group this is.
    async fn ask_primaries(
        &mut self,
        group: u32,
        reading: &mut LdapRead,
        primaries: &mut Primaries,
    ) -> Result<(), SourceError> {
        let found = self.note_primaries(&format!("(primaryGroupID={group})"), reading, primaries).await?;
        // Whoever does not show theirs is found by no group, and most likely in one that others are in, too. No index serves this.
        if found && !std::mem::replace(&mut primaries.asked, true) {
            // What is hidden does not exist for a filter either (MS-ADTS 3.1.1.4.3); contacts have none.
            let hidden = "(!(|(primaryGroupID=*)(objectClass=contact)))";
            self.note_primaries(hidden, reading, primaries).await?;
        }
        Ok(())
    }

    /// Notes those whom the filter finds; whether there are any.
    async fn note_primaries(
        &mut self,
        filter: &str,
        reading: &mut LdapRead,
        primaries: &mut Primaries,
    ) -> Result<bool, SourceError> {
        let mut any = false;
        for base in self.bases.clone() {
            let attributes = ["objectGUID", "objectClass", "primaryGroupID"].map(str::to_owned).to_vec();
            let query = Query { attributes, ..self.query(base, among(Some(filter), self.user_filter())) };
            let mut search = Search::new(&mut self.connection, query);
            while let Some(found) = search.next(reading.came).await? {
                let Some(raw) = entry(found, &self.excluded, reading).await? else { continue };
                any = true;
                primaries.note(&raw.attributes);
                if primary::is_hidden(&raw.attributes)
                    && let Some(anchor) = schema::anchor(&raw.attributes)
                {
                    let (what, why) = (Extended::of(&raw.dn).dn.to_owned(), primary::HIDDEN.to_owned());
                    reading.change(Change::Unreadable { anchor: Some(anchor), what, why }).await?;
                }
            }
        }
        Ok(any)
    }

    /// Who is there though the read did not bring them. Whoever the read should have brought is not
    /// settled: they came back, or were missed.
    async fn look_up(mut self, anchors: &[Anchor]) -> Result<LookUp, SourceError> {
        let asking = self.asking();
        let contexts = contexts(&self.bases, &self.facts);
        let mut answer = LookUp { server: Some(self.server()), ..LookUp::default() };
        for some in anchors.chunks(look_up::AT_ONCE) {
            let settled = asking.settle(&mut self.connection, (&contexts, None), some).await?;
            for one in some {
                if settled.missing.contains(one) && self.is_nowhere(one).await? {
                    answer.missing.push(one.clone());
                }
            }
            let plain = |dn: String| Extended::of(&dn).dn.to_owned();
            answer.called.extend(
                settled
                    .there
                    .iter()
                    .map(|(one, seen)| (one.clone(), seen.called().into_iter().map(plain).collect())),
            );
            let left = self.left(&asking, &settled.there).await?;
            answer.found.extend(left.outside);
            answer.of_no_kind.extend(left.of_no_kind);
        }
        Ok(answer)
    }

    /// Those who are there and not among those who are read.
    async fn left(&mut self, asking: &Asking, there: &HashMap<Anchor, Seen>) -> Result<Left, SourceError> {
        let mut left = Left::default();
        if there.is_empty() {
            return Ok(left);
        }
        let either = either(self.user_filter(), self.group_filter());
        let read = (self.bases.as_slice(), Some(either.as_str()));
        let all: Vec<Anchor> = there.keys().cloned().collect();
        let within = asking.settle(&mut self.connection, read, &all).await?;
        let by_classes = look_up::by_classes(&self.config.ldap);
        for (one, seen) in there {
            let dn = Extended::of(&seen.dn).dn;
            let seen = Seen { dn: dn.to_owned(), ..seen.clone() };
            match seen.unread(&self.bases) {
                _ if is_within(dn, &self.excluded) => left.outside.push(one.clone()),
                Unread::Outside if within.missing.contains(one) => left.outside.push(one.clone()),
                Unread::OfNoKind if within.missing.contains(one) => {
                    left.of_no_kind.push(seen.of_no_kind(one, by_classes));
                }
                _ => left.unclear |= !within.there.contains_key(one),
            }
        }
        Ok(left)
    }

    /// Whether the domain controller says that it has no such entry, whatever a filter finds.
    async fn is_nowhere(&mut self, anchor: &Anchor) -> Result<bool, SourceError> {
        let query = Query {
            base: format!("<GUID={}>", anchor.as_str()),
            base_only: true,
            filter: "(objectClass=*)".to_owned(),
            attributes: vec!["objectGUID".to_owned()],
            page_size: None,
            controls: controls(),
        };
        let mut search = Search::new(&mut self.connection, query);
        match search.next(0).await {
            Ok(_) => Ok(false),
            Err(_) if search.code == Some(look_up::NO_SUCH_OBJECT) => Ok(true),
            Err(error) if error.reason == Reason::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn completion(self, mode: Mode, mut next: Option<Resume>, mut feed: Feed) -> Completion {
        if self.config.change_feed != ChangeFeed::FullRead
            && let Some(reason) = self.untold.needs_all()
        {
            // What came says so.
            next = None;
            feed = Feed { active: "FullRead".to_owned(), reason };
        }
        let (directory, scope, server) = (self.directory(), self.scope(), self.server());
        let shown = self.facts.shown(&self.connection);
        let mut notices = self.connection.skipped;
        if self.facts.has("supportedcapabilities", READ_ONLY) {
            notices.push(format!(
                "{} is a read-only domain controller, which may not have all data; name a writable one first in urls",
                self.connection.url
            ));
        }
        Completion {
            mode,
            directory,
            id: Some("objectGUID".to_owned()),
            server: Some(server),
            cursor: next.and_then(|next| next.cursor()),
            fields: crate::source::schema::EntrySchema::fields(),
            attributes: self.config.ldap.literal,
            scope,
            notices,
            vendor: Some(self.facts.vendor.unwrap_or_else(|| "Microsoft Active Directory".to_owned())),
            feed: Some(feed),
            shown,
        }
    }
}

impl ActiveDirectorySchema {
    /// What the entry that came says; `None` if it is not what was searched for.
    fn change(&self, raw: &Raw, wanted: EntryKind) -> Option<Change> {
        Some(match self.told(&raw.dn, &raw.attributes, wanted)? {
            Change::Replace(entry) if raw.beyond.is_some() || !raw.dn_is_text => Change::Unreadable {
                anchor: Some(entry.anchor),
                what: entry.dn,
                why: raw.beyond.clone().unwrap_or_else(|| "its DN is not valid UTF-8".to_owned()),
            },
            told => told,
        })
    }

    /// Tells of a group; `members` are those that had to be read apart.
    async fn group(
        &self,
        raw: &Raw,
        members: Option<Members>,
        primaries: &Primaries,
        reading: &mut LdapRead,
        links: &mut BackLinks,
    ) -> Result<(), SourceError> {
        let relative = schema::relative_id(&raw.attributes);
        let Some(mut change) = self.change(raw, EntryKind::Group) else { return Ok(()) };
        if let Change::Replace(group) = &mut change {
            if let Some(members) = members {
                group.members = members;
            }
            primaries.join(relative, &mut group.members);
        }
        // Nobody is listed by their primary group too.
        links.list(&change, Vec::new());
        reading.change(change).await
    }
}

/// The entry that was found, if it is one and is not left out.
async fn entry(
    found: SearchItem,
    excluded: &[Dn],
    reading: &mut LdapRead,
) -> Result<Option<Raw>, SourceError> {
    match found {
        SearchItem::Entry(raw) => Ok((!is_within(Extended::of(&raw.dn).dn, excluded)).then_some(raw)),
        SearchItem::Unintelligible(what) => {
            reading.unintelligible(what).await?;
            Ok(None)
        }
        // Other domains are other connectors' affair, and the domain scope leaves them out.
        SearchItem::Reference(_) => Ok(None),
    }
}
