//! A session with one server for one read: full, or of changes.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;

use super::base::{bases, contexts, directory, only_context};
use super::computed::{SEARCHES, Untold};
use super::config::{GROUP_FILTER, LdapConfig, USER_FILTER};
use super::connect::connect;
use super::connection::{Connection, Server};
use super::feed::{self, Changes, FeedKind, Resume};
use super::filter::{among, either, in_brackets};
use super::look_up::{self, Asking, Unread};
use super::progress::Progress;
use super::read::{LdapRead, MANY};
use super::root_dse::{self, RootDse};
use super::search::{Query, Search, SearchItem};
use super::wire::Scope;
use super::wire::filter::escape;
use super::{fetch, sync_repl};
use crate::directory::{Anchor, Change, Completion, Dn, EntryKind, Feed, Mode};
use crate::source::schema::posix::{self, Primaries};
use crate::source::schema::{self, EntrySchema};
use crate::source::{LookUp, Reason, Sink, SourceError};
use crate::words::count;

/// How long a server is given to rename somebody in lists too (OpenLDAP's refint does it beside the change).
const MOMENT: Duration = Duration::from_secs(2);

mod again;
mod primary;

/// One server, for one read.
pub(super) struct Session {
    config: LdapConfig,
    connection: Connection,
    facts: RootDse,
    bases: Vec<String>,
    schema: EntrySchema,
    /// Who came in a read of changes, and under what name.
    there: HashMap<Anchor, String>,
    /// Whose primary group is which, of those who came.
    primaries: Primaries,
    /// Whether somebody does not show theirs, if that was asked.
    hides_primary_group: Option<bool>,
    untold: Untold,
}

impl Session {
    /// `pinned` is the attribute by which entries are known, if there were any, and `heard` how far the server was that told
    /// of them.
    pub(super) async fn open(
        config: LdapConfig,
        pinned: Option<&str>,
        heard: &Progress,
    ) -> Result<Self, SourceError> {
        let behind = |facts: &RootDse| facts.progress.is_behind(heard).then_some(BEHIND);
        let (mut connection, facts) = connect(&config, &Server::of(&config.urls), behind).await?;
        if facts.is_active_directory() {
            return Err(SourceError::new(Reason::InvalidData, of_active_directory(&connection.url)));
        }
        let bases = bases(&config.base_dns, &facts)?;
        let anchor = match &config.anchor {
            Some(anchor) => anchor.clone(),
            None => root_dse::anchor(&mut connection, &bases, user_filter(&config), pinned).await?,
        };
        // OpenLDAP keeps to that; 389 Directory Server and OpenDJ have such groups without members.
        let demands_members = facts.vendor.as_deref().is_some_and(root_dse::is_openldap);
        let schema = EntrySchema { anchor, literal: config.literal.clone(), demands_members };
        let filters = [user_filter(&config), group_filter(&config)];
        let untold = Untold::of(filters, &config.literal, &contexts(&bases, &facts));
        Ok(Self {
            config,
            connection,
            facts,
            bases,
            schema,
            there: HashMap::new(),
            primaries: Primaries::default(),
            hides_primary_group: None,
            untold,
        })
    }

    /// How far the server is.
    pub(super) fn progress(&self) -> &Progress {
        &self.facts.progress
    }

    /// The attribute with the anchors, as it is pinned.
    pub(super) fn id(&self) -> String {
        self.schema.anchor.clone()
    }

    /// A search for entries below a base.
    fn query(&self, base: String, filter: String) -> Query {
        let attributes = self.schema.attributes().into_iter().collect();
        Query { base, filter, attributes, page_size: self.page_size(), ..Query::default() }
    }

    /// Reads what changed, if the server can still report it; otherwise everything.
    pub(super) async fn read(
        mut self,
        resume: Option<Resume>,
        sink: Sink,
    ) -> Result<Completion, SourceError> {
        let (next, mut feed) = self.choose().await?;
        if let (Some(resume), Some(next)) = (&resume, &next)
            && resume.goes_on_as(next)
            && let Some(context) = only_context(&self.bases, &self.facts)
        {
            if let Some(changes) = sync_repl::changes(&mut self.connection, &context, &resume.place).await? {
                let mut reading = LdapRead::new(sink.clone());
                if let Some(mode) = self.read_changes(&changes, resume.after_all, &mut reading).await? {
                    reading.flush().await?;
                    return Ok(self.completion(mode, Some(next.at(changes.place)), feed));
                }
            } else {
                let remedy = if root_dse::may_be_openldap(&self.facts) {
                    "; OpenLDAP can, deletions too, with `syncprov-sessionlog 100000`"
                } else {
                    ""
                };
                feed.reason = format!(
                    "the server could not report everything that changed since the last read, so everything was read{remedy}"
                );
            }
        }
        self.read_all(sink, next, feed).await
    }

    /// Where a feed will resume, noted before anything is read, and what to say of it.
    async fn choose(&mut self) -> Result<(Option<Resume>, Feed), SourceError> {
        let none = |reason: &str| {
            let reason = reason.to_owned();
            Ok((None, Feed { active: "FullRead".to_owned(), reason }))
        };
        if !self.config.sync_repl {
            return none("");
        }
        if let Some(reason) = self.untold.needs_all() {
            return none(&reason);
        }
        if self.untold.links.are_used() && self.facts.contexts.len() > 1 {
            return none(
                "policies use memberof, which may name groups of each of the server's naming contexts, and a feed \
                 covers one: so everything is read each time",
            );
        }
        let Some(context) = only_context(&self.bases, &self.facts) else {
            return none(
                "baseDNs are in several naming contexts, and a feed covers one: use a connector for each",
            );
        };
        if !sync_repl::is_offered(&self.facts) {
            let remedy = if root_dse::may_be_openldap(&self.facts) {
                "; OpenLDAP does with `overlay syncprov` on the database"
            } else {
                ", so everything is read each time"
            };
            return none(&format!("the server does not offer syncrepl (RFC 4533){remedy}"));
        }
        if !self.schema.anchor.eq_ignore_ascii_case(sync_repl::ANCHOR) {
            let reason = format!(
                "the anchor is {}, and syncrepl (RFC 4533) identifies entries by their entryUUID",
                self.schema.anchor
            );
            return none(&reason);
        }
        let Some(place) = sync_repl::place(&mut self.connection, &context).await? else {
            let who = self.config.bind.as_ref().map_or("anonymous", |bind| bind.dn.as_str());
            let overlay = if root_dse::may_be_openldap(&self.facts) {
                "put `overlay syncprov` on that database, and "
            } else {
                ""
            };
            let reason = format!(
                "the server does not show the contextCSN of {context} to {who}: {overlay}allow the account to read \
                 the attributes entry and contextCSN of that entry"
            );
            return none(&reason);
        };
        let attributes = self.schema.attributes().into_iter().collect::<Vec<_>>().join(" ");
        let fingerprint = feed::fingerprint(&[&self.connection.url, &self.scope(), &attributes]);
        let resume = Resume { feed: FeedKind::SyncRepl, fingerprint, place, after_all: true };
        let reason = self.untold.remarks();
        Ok((Some(resume), Feed { active: FeedKind::SyncRepl.name().to_owned(), reason }))
    }

    async fn read_all(
        mut self,
        sink: Sink,
        next: Option<Resume>,
        feed: Feed,
    ) -> Result<Completion, SourceError> {
        let mut reading = LdapRead::new(sink);
        self.entries(EntryKind::User, None, &mut reading).await?;
        self.entries(EntryKind::Group, None, &mut reading).await?;
        reading.flush().await?;
        let not_read = self.untold.links.not_seen();
        self.untold.links.miss(not_read);
        self.note_aliases().await;
        if reading.referrals > 0 {
            let these = reading.references.join(", ");
            self.connection.skipped.push(format!(
                "{} not followed ({these}); each of these servers needs its own connector",
                count(
                    reading.referrals,
                    "reference to another server was",
                    "references to other servers were"
                )
            ));
        }
        Ok(self.completion(Mode::Full, next, feed))
    }

    /// Reads what changed. `None` if everything is to be read instead: something has others in it, so they may
    /// be called otherwise now, of which nobody tells; or it is too much.
    async fn read_changes(
        &mut self,
        changes: &Changes,
        after_all: bool,
        reading: &mut LdapRead,
    ) -> Result<Option<Mode>, SourceError> {
        let mut mode = Mode::Delta;
        self.untold.links.keep_lists();
        // Entries that are there, and are not read.
        let mut others = Vec::new();
        // Those who are told to be deleted, and are not to be seen.
        let mut unseen = Vec::new();
        let contexts = contexts(&self.bases, &self.facts);
        let named: Vec<Anchor> = changes.touched.union(&changes.deleted).cloned().collect();
        if named.len() > MANY {
            return Ok(None);
        }
        let (asking, either) = (self.asking(), self.either());
        let by_classes = look_up::by_classes(&self.config);
        for some in named.chunks(look_up::AT_ONCE) {
            let anywhere = asking.settle(&mut self.connection, (&contexts, None), some).await?;
            let read = (self.bases.as_slice(), Some(either.as_str()));
            let within = asking.settle(&mut self.connection, read, some).await?;
            let called = reading.sink.called(within.there.keys().cloned().collect()).await;
            for (one, seen) in &anywhere.there {
                // Users and groups that are called as before, and do not say, are not worth a search each.
                let holds_others = match seen.holds_others {
                    Some(holds_others) => holds_others,
                    None if called.get(one) == Some(&seen.dn) => false,
                    None => self.holds_others(&seen.dn).await?,
                };
                if holds_others {
                    return Ok(None);
                }
            }
            let unread = |one: &Anchor| anywhere.there.get(one).map(|seen| seen.unread(&self.bases));
            let is_open = |one: &Anchor| !anywhere.missing.contains(one) && !anywhere.there.contains_key(one);
            // Who came in no way that says who it is, or cannot be told to be outside, is looked for among all.
            let is_unclear = |one| within.missing.contains(one) && unread(one) == Some(Unread::Unclear);
            if some.iter().any(|one| is_open(one) || is_unclear(one)) {
                return Ok(None);
            }
            // One that is not deleted and not to be seen may be a group.
            let is_unseen =
                |one: &&Anchor| !changes.deleted.contains(*one) && !anywhere.there.contains_key(*one);
            if self.untold.links.are_used() && some.iter().any(|one| is_unseen(&one)) {
                return Ok(None);
            }
            for one in some.iter().filter(|one| !within.there.contains_key(*one)) {
                others.extend(anywhere.there.get(one).map(|seen| seen.dn.clone()));
                if let Some(seen) = anywhere.there.get(one)
                    && within.missing.contains(one)
                {
                    let change = match seen.unread(&self.bases) {
                        Unread::OfNoKind => Change::OfNoKind(seen.of_no_kind(one, by_classes)),
                        Unread::Outside | Unread::Unclear => Change::Outside(one.clone()),
                    };
                    reading.change(change).await?;
                } else if changes.deleted.contains(one) && anywhere.missing.contains(one) {
                    // A server calls deleted also who was changed where the account may not look any more, so that is no word
                    // of who is gone: all who are there are listed, and who is missing is looked for as after any read.
                    mode = Mode::Full;
                    unseen.push(one.clone());
                }
                // What is neither there nor told to be deleted is hidden, or went just now: the next read tells.
            }
        }
        for some in named.chunks(look_up::AT_ONCE) {
            let ids = look_up::filter(&self.schema.anchor, some);
            self.entries(EntryKind::User, Some(&ids), reading).await?;
            self.entries(EntryKind::Group, Some(&ids), reading).await?;
        }
        let lists_all = self.untold.is_in_filters();
        if lists_all {
            mode = Mode::Full;
            if !self.list_ids(true, reading).await? {
                return Ok(None);
            }
        }
        // Who has a name by which lists may still have somebody who is gone would be in them.
        let called = reading.sink.called(unseen.clone()).await;
        let left: HashSet<Dn> = unseen.iter().filter_map(|one| Dn::parse(called.get(one)?).ok()).collect();
        if self.there.values().any(|dn| Dn::parse(dn).is_ok_and(|dn| left.contains(&dn))) {
            return Ok(None);
        }
        self.tell_primaries(reading).await?;
        // Who was renamed is so in their groups too, of which a server that sees to that itself (OpenLDAP's
        // refint) does not tell; and a newcomer may have the name of somebody whom a group still lists.
        let called = reading.sink.called(self.there.keys().cloned().collect()).await;
        let renamed = self.there.iter().filter(|(anchor, dn)| called.get(*anchor) != Some(*dn));
        let renamed: Vec<(&String, Option<&String>)> =
            renamed.map(|(anchor, dn)| (dn, called.get(anchor))).collect();
        let is: Vec<String> = listing(renamed.iter().map(|(dn, _)| *dn));
        let was: Vec<String> = listing(renamed.iter().filter_map(|(_, was)| *was));
        // Others may name who was renamed or deleted, or was changed without being read, and that changed untold.
        let not_read = named.iter().any(|one| !self.there.contains_key(one));
        if self.untold.refers().is_some() && (!was.is_empty() || not_read) {
            return Ok(None);
        }
        self.wait_until_nobody_is_listed(&was).await?;
        for lists in is {
            self.entries(EntryKind::Group, Some(&lists), reading).await?;
        }
        if self.untold.links.are_used() && !self.read_again(changes, &others, after_all, reading).await? {
            return Ok(None);
        }
        if mode == Mode::Full && !lists_all {
            self.list_ids(false, reading).await?;
        }
        Ok(Some(mode))
    }

    /// Lists who is there, without those who came; reads those who were not there before, if that is wanted. False if they
    /// are too many.
    async fn list_ids(&mut self, reads_new: bool, reading: &mut LdapRead) -> Result<bool, SourceError> {
        let mut listed = Vec::new();
        for base in self.bases.clone() {
            let query = Query {
                base,
                filter: self.either(),
                attributes: vec![self.schema.anchor.clone()],
                page_size: self.page_size(),
                ..Query::default()
            };
            let mut search = Search::new(&mut self.connection, query);
            while let Some(found) = search.next(reading.came).await? {
                let entry = match found {
                    SearchItem::Entry(entry) => entry,
                    SearchItem::Unintelligible(what) => {
                        reading.unintelligible(what).await?;
                        continue;
                    }
                    SearchItem::Reference(_) => continue,
                };
                let id = &self.schema.anchor;
                // Who shows no id may be anybody who is missing.
                if !entry.attributes.values(id).any(|value| schema::anchor(id, value).is_some()) {
                    let why = schema::without_id(id);
                    reading.change(Change::Unreadable { anchor: None, what: entry.dn, why }).await?;
                    continue;
                }
                for anchor in entry.attributes.values(id).filter_map(|value| schema::anchor(id, value)) {
                    if self.there.contains_key(&anchor) {
                        continue;
                    }
                    if reads_new {
                        listed.push(anchor);
                    } else {
                        reading.change(Change::Unchanged(anchor)).await?;
                    }
                }
            }
        }
        let Some(new) = reading.listed(listed).await? else { return Ok(false) };
        for some in new.chunks(look_up::AT_ONCE) {
            let ids = look_up::filter(&self.schema.anchor, some);
            self.entries(EntryKind::User, Some(&ids), reading).await?;
            self.entries(EntryKind::Group, Some(&ids), reading).await?;
        }
        Ok(true)
    }

    /// Whether an entry that does not say so has others in it, or may have.
    async fn holds_others(&mut self, dn: &str) -> Result<bool, SourceError> {
        let place = (dn, Scope::OneLevel);
        match fetch::some(&mut self.connection, &[], place, "(objectClass=*)", &["1.1"], 1).await {
            Ok(within) => Ok(!within.is_empty()),
            Err(error) if matches!(error.reason, Reason::AccessDenied | Reason::NotFound) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// A server that sees to its lists itself does so a moment after. One that does not is not waited for any longer.
    async fn wait_until_nobody_is_listed(&mut self, under: &[String]) -> Result<(), SourceError> {
        let groups = self.groups().to_owned();
        let began = Instant::now();
        for lists in under {
            loop {
                if !self.is_anybody(&among(Some(lists), &groups)).await? || began.elapsed() > MOMENT {
                    break;
                }
                tokio::time::sleep(MOMENT / 20).await;
            }
        }
        Ok(())
    }

    /// What is asked for of users or groups: of groups the search too by which they are dynamic.
    fn attributes(&self, kind: EntryKind) -> Vec<String> {
        let mut names = self.schema.attributes();
        if kind == EntryKind::Group && self.config.sync_repl {
            let known = |name: &str| names.iter().any(|other| other.eq_ignore_ascii_case(name));
            let searches: Vec<_> = SEARCHES.iter().filter(|name| !known(name)).collect();
            names.extend(searches.into_iter().map(|name| (*name).to_owned()));
        }
        names.into_iter().collect()
    }

    /// Whether anybody matches below the bases.
    async fn is_anybody(&mut self, filter: &str) -> Result<bool, SourceError> {
        for base in self.bases.clone() {
            if fetch::one(&mut self.connection, &base, filter, Scope::Subtree, &["1.1"]).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reads users or groups, those alone that match `only` if it is given.
    async fn entries(
        &mut self,
        kind: EntryKind,
        only: Option<&str>,
        reading: &mut LdapRead,
    ) -> Result<(), SourceError> {
        let filter = if kind == EntryKind::Group { self.groups() } else { self.users() };
        let filter = among(only, filter);
        // Where not everybody came, those of whom one is the primary group are asked for.
        let asked = match only {
            Some(only) if kind == EntryKind::Group => Some(self.ask_primaries(only, reading.came).await?),
            _ => None,
        };
        for base in self.bases.clone() {
            let attributes = self.attributes(kind);
            let query = Query { attributes, ..self.query(base, filter.clone()) };
            let mut search = Search::new(&mut self.connection, query);
            while let Some(found) = search.next(reading.came).await? {
                match found {
                    SearchItem::Entry(entry) => {
                        self.untold.note(kind, &entry.attributes);
                        if kind != EntryKind::Group && posix::is_hidden(&entry.attributes) {
                            self.primaries.hide();
                        } else if kind != EntryKind::Group {
                            self.primaries.note(&entry.dn, &entry.attributes);
                        }
                        if only.is_some() {
                            let id = &self.schema.anchor;
                            let ids =
                                entry.attributes.values(id).filter_map(|value| schema::anchor(id, value));
                            self.there.extend(ids.map(|id| (id, entry.dn.clone())));
                        }
                        let primaries = asked.as_ref().unwrap_or(&self.primaries);
                        let links = &mut self.untold.links;
                        reading.entry(&self.schema, kind, entry, primaries, links).await?;
                    }
                    SearchItem::Unintelligible(what) => {
                        // It may be anybody.
                        self.primaries.hide();
                        reading.unintelligible(what).await?;
                    }
                    SearchItem::Reference(urls) => {
                        reading.referrals += 1;
                        reading.references.extend(urls);
                        reading.references.truncate(REFERENCES);
                    }
                }
            }
        }
        Ok(())
    }

    /// Says how many aliases there are: they are not followed, so whoever they stand for may be nobody here.
    async fn note_aliases(&mut self) {
        let mut count = 0_u64;
        for base in self.bases.clone() {
            let attributes = vec!["1.1".to_owned()];
            let query = Query { attributes, ..self.query(base, "(objectClass=alias)".to_owned()) };
            let mut search = Search::new(&mut self.connection, query);
            // What cannot be counted is not worth a read.
            while let Ok(Some(found)) = search.next(0).await {
                count += u64::from(matches!(found, SearchItem::Entry(_)));
            }
        }
        if count > 0 {
            self.connection.skipped.push(schema::aliases(count));
        }
    }

    /// `called` are the DNs that they had, as far as those are known.
    pub(super) async fn look_up(
        mut self,
        anchors: &[Anchor],
        called: &HashMap<Anchor, String>,
    ) -> Result<LookUp, SourceError> {
        let (asking, either) = (self.asking(), self.either());
        let by_classes = look_up::by_classes(&self.config);
        let contexts = contexts(&self.bases, &self.facts);
        let mut answer = LookUp { server: Some(self.connection.url.clone()), ..LookUp::default() };
        let mut works = None;
        for some in anchors.chunks(look_up::AT_ONCE) {
            // An account that may not search the naming contexts searches what it reads.
            let settled = match asking.settle(&mut self.connection, (&contexts, None), some).await {
                Err(error) if matches!(error.reason, Reason::AccessDenied | Reason::NotFound) => {
                    asking.settle(&mut self.connection, (&self.bases, None), some).await?
                }
                settled => settled?,
            };
            answer.called.extend(settled.there.iter().map(|(one, seen)| (one.clone(), seen.called())));
            let found: Vec<Anchor> = settled.there.keys().cloned().collect();
            if !found.is_empty() {
                // One that the read should have brought came, moved or changed while it went on: the next
                // read will bring it. One of whom no filter can tell is not settled.
                let read = (self.bases.as_slice(), Some(either.as_str()));
                let within = asking.settle(&mut self.connection, read, &found).await?;
                for (one, seen) in settled.there.iter().filter(|(one, _)| within.missing.contains(*one)) {
                    match seen.unread(&self.bases) {
                        Unread::Outside => answer.found.push(one.clone()),
                        Unread::OfNoKind => answer.of_no_kind.push(seen.of_no_kind(one, by_classes)),
                        Unread::Unclear => {}
                    }
                }
            }
            if settled.missing.is_empty() {
                continue;
            }
            if works.is_none() {
                works = Some(self.finds_by_id(&asking).await?);
            }
            if works != Some(true) {
                continue;
            }
            for one in some.iter().filter(|one| settled.missing.contains(*one)) {
                // Where ids are the DNs, that was asked already.
                let dn = called.get(one).filter(|_| !asking.attribute.eq_ignore_ascii_case("dn"));
                let has_left = match dn {
                    Some(dn) => look_up::has_left(&mut self.connection, &asking.attribute, one, dn).await?,
                    None => true,
                };
                answer.missing.extend(has_left.then(|| one.clone()));
            }
        }
        Ok(answer)
    }

    /// Whether who is there is found by the id: else that somebody is not found says nothing.
    async fn finds_by_id(&mut self, asking: &Asking) -> Result<bool, SourceError> {
        let mut finds = false;
        for base in self.bases.clone() {
            if asking.attribute.eq_ignore_ascii_case("dn") {
                let any = "(objectClass=*)";
                finds |= fetch::one(&mut self.connection, &base, any, Scope::Base, &["1.1"]).await?.is_some();
                continue;
            }
            let mut known = false;
            for filter in [self.users().to_owned(), self.groups().to_owned()] {
                match asking.works(&mut self.connection, &base, &in_brackets(&filter)).await? {
                    Some(true) => known = true,
                    Some(false) => return Ok(false),
                    None => {}
                }
            }
            // Where there is neither user nor group, anything will do. It is no search that every server does.
            known = known
                || match asking.works(&mut self.connection, &base, "(objectClass=*)").await {
                    Ok(works) => works == Some(true),
                    Err(error) if matches!(error.reason, Reason::AccessDenied | Reason::LimitExceeded) => {
                        false
                    }
                    Err(error) => return Err(error),
                };
            finds |= known;
        }
        Ok(finds)
    }

    /// How entries are asked for by the anchor.
    fn asking(&self) -> Asking {
        Asking::by(&self.schema.anchor, self.page_size())
    }

    fn completion(self, mode: Mode, mut next: Option<Resume>, mut feed: Feed) -> Completion {
        if self.config.sync_repl
            && let Some(reason) = self.untold.needs_all()
        {
            // What came says so.
            next = None;
            feed = Feed { active: "FullRead".to_owned(), reason };
        }
        let shown = self.facts.shown(&self.connection);
        Completion {
            mode,
            directory: directory(&self.bases, &self.facts),
            id: Some(self.schema.anchor.clone()),
            cursor: next.and_then(|next| next.cursor()),
            fields: EntrySchema::fields(),
            scope: self.scope(),
            server: Some(self.connection.url),
            attributes: self.config.literal,
            notices: self.connection.skipped,
            vendor: self.facts.vendor,
            feed: Some(feed),
            shown,
        }
    }

    fn page_size(&self) -> Option<u32> {
        self.facts.pages.then_some(self.config.page_size)
    }

    /// What finds users and groups alike.
    fn either(&self) -> String {
        either(self.users(), self.groups())
    }

    fn users(&self) -> &str {
        user_filter(&self.config)
    }

    fn groups(&self) -> &str {
        group_filter(&self.config)
    }

    /// What decides which entries come, the same for every spelling of it. Not the url: another server of
    /// the same directory shows the same.
    fn scope(&self) -> String {
        let normal = |base: &String| Dn::parse(base).map_or_else(|_| base.clone(), |dn| dn.to_string());
        let bases: BTreeSet<String> = self.bases.iter().map(normal).collect();
        let bases: Vec<String> = bases.into_iter().collect();
        let anchor = self.schema.anchor.to_lowercase();
        let who = self.config.bind.as_ref().map_or("", |bind| bind.dn.as_str());
        [&bases.join("\n"), self.users(), self.groups(), who, &anchor].join("\n\n")
    }
}

/// What finds the groups that list these, in several searches.
fn listing<'d>(dns: impl Iterator<Item = &'d String>) -> Vec<String> {
    let dns: Vec<_> = dns.map(|dn| escape(dn)).collect();
    let of = |dn: &String| format!("(member={dn})(uniqueMember={dn})");
    let some = |some: &[_]| format!("(|{})", some.iter().map(of).collect::<String>());
    dns.chunks(look_up::AT_ONCE / 2).map(some).collect()
}

/// Why a server is not believed whose copy of the directory is older than what was read before: whoever joined since is not
/// there, and whoever was disabled since is not.
const BEHIND: &str = "it lacks changes that were read before (contextCSN): its replication is behind, it was restored \
                      to an older state, or the account may no longer read contextCSN. Nothing was used. It is read \
                      again as soon as it has caught up; if it was restored on purpose, change something on it";

/// Of a server that only another kind understands.
fn of_active_directory(url: &str) -> String {
    format!(
        "{url} is an Active Directory domain controller; read it with the kind activeDirectory, which reads disabled \
         and expired accounts, leaves computers out and reads large groups completely. Entries that are identified by \
         objectGUID keep their identity"
    )
}

fn user_filter(config: &LdapConfig) -> &str {
    config.user_filter.as_deref().unwrap_or(USER_FILTER)
}

fn group_filter(config: &LdapConfig) -> &str {
    config.group_filter.as_deref().unwrap_or(GROUP_FILTER)
}

/// So many references to other servers are named; all are counted.
const REFERENCES: usize = 3;
