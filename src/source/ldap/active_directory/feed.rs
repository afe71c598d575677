//! The change feeds of a domain: which of them the account may use, and what they report.

use super::config::ChangeFeed;
use super::control::show_deleted;
use super::session::Session;
use super::{dir_sync, restored};
use crate::directory::Feed;
use crate::source::ldap::base::only_context;
use crate::source::ldap::feed::{self, Changes, FeedKind, Resume};
use crate::source::ldap::fetch;
use crate::source::ldap::search::{Query, Search, SearchItem};
use crate::source::ldap::wire::Scope;
use crate::source::schema::active_directory as schema;
use crate::source::schema::anchor::hexadecimal;
use crate::source::{Reason, SourceError};

/// Containers: what is in them is told of under new names when they are renamed or moved, by nobody. Policies
/// are containers too, and change often; nobody is in them.
pub(super) const CONTAINERS: &str =
    "(&(|(objectClass=organizationalUnit)(objectClass=container))(!(objectClass=groupPolicyContainer)))";

/// Whether it is the best feed that is wanted, and still the same place.
pub(super) fn is_best(resume: &Resume, wanted: ChangeFeed, fingerprint: Option<&str>) -> bool {
    let best = match wanted {
        ChangeFeed::Auto | ChangeFeed::DirSync => resume.feed == FeedKind::DirSync,
        ChangeFeed::UsnChanged => resume.feed == FeedKind::UsnChanged,
        ChangeFeed::FullRead => false,
    };
    best && fingerprint == Some(&resume.fingerprint)
}

impl Session {
    /// Server, replica, account, filters, attributes: with any of them another, everything is read again.
    pub(super) async fn fingerprint(&mut self) -> Result<Option<String>, SourceError> {
        let Some(service) = self.facts.text("dsservicename").map(str::to_owned) else { return Ok(None) };
        let replica =
            fetch::one(&mut self.connection, &service, "(objectClass=*)", Scope::Base, &["invocationId"]);
        let replica = match replica.await {
            Ok(replica) => {
                replica.and_then(|replica| replica.values("invocationid").next().map(<[u8]>::to_vec))
            }
            Err(error) if matches!(error.reason, Reason::AccessDenied | Reason::NotFound) => None,
            Err(error) => return Err(error),
        };
        let Some(replica) = replica else { return Ok(None) };
        let attributes = self.schema.attributes().join(" ");
        let (service, replica) = (service.to_lowercase(), hexadecimal(&replica));
        Ok(Some(feed::fingerprint(&[&service, &replica, &self.scope(), &attributes])))
    }

    /// Whether the feed reports everything in use. Update sequence numbers do not show renames.
    pub(super) fn is_told(&self, feed: FeedKind) -> bool {
        let by_renames = self.untold.refers().is_some();
        self.untold.needs_all().is_none() && !(by_renames && feed == FeedKind::UsnChanged)
    }

    /// What changed since; `None` if the feed does not say all of it any more, so that everything must be read.
    pub(super) async fn changes(&mut self, resume: &Resume) -> Result<Option<Changes>, SourceError> {
        let Some(context) = only_context(&self.bases, &self.facts) else { return Ok(None) };
        let changes = match resume.feed {
            FeedKind::UsnChanged => self.usn_changed(context, resume).await?,
            FeedKind::DirSync | FeedKind::DirSyncAsSeen => {
                dir_sync::changes(self, context, resume.feed, resume.place.clone()).await?
            }
            FeedKind::SyncRepl => None,
        };
        // Others may name who was renamed or deleted, and that changed untold.
        let by_renames = self.untold.refers().is_some();
        let is_told = |changes: &Changes| changes.renamed.is_empty() && changes.deleted.is_empty();
        Ok(changes.filter(|changes| !by_renames || is_told(changes)))
    }

    /// Where the best feed that is allowed will resume, noted before anything is read, and what to say of it.
    pub(super) async fn choose(
        &mut self,
        fingerprint: Option<String>,
    ) -> Result<(Option<Resume>, Feed), SourceError> {
        let none = |reason: &str| {
            let reason = reason.to_owned();
            Ok((None, Feed { active: "FullRead".to_owned(), reason }))
        };
        let wanted = self.config.change_feed;
        if wanted == ChangeFeed::FullRead {
            return none("");
        }
        if let Some(reason) = self.untold.needs_all() {
            return none(&reason);
        }
        let Some(context) = only_context(&self.bases, &self.facts) else {
            return none("baseDNs are in several domains, and a feed covers one: use a connector for each");
        };
        if self.untold.links.are_used()
            && let Some(reason) = self.no_back_links(&context).await?
        {
            return none(&reason);
        }
        let Some(fingerprint) = fingerprint else {
            let why = "the account may not read the invocationId of the domain controller (NTDS Settings, below \
                       CN=Sites,CN=Configuration); every account may, unless that permission was removed";
            return none(why);
        };
        let resume =
            |feed, place| Some(Resume { feed, fingerprint: fingerprint.clone(), place, after_all: true });
        let named = |active: &str, reason: String| Feed { active: active.to_owned(), reason };
        if wanted != ChangeFeed::UsnChanged {
            if let Some(place) = dir_sync::place(self, context.clone(), FeedKind::DirSync).await? {
                return Ok((
                    resume(FeedKind::DirSync, place),
                    named("DirSync", self.remarks(&context).await?),
                ));
            }
            if wanted == ChangeFeed::DirSync
                && let Some(place) = dir_sync::place(self, context.clone(), FeedKind::DirSyncAsSeen).await?
            {
                let reason = self.remarks(&context).await?;
                return Ok((resume(FeedKind::DirSyncAsSeen, place), named("DirSync", reason)));
            }
        }
        if !self.is_told(FeedKind::UsnChanged) {
            return none(&format!(
                "{}; without permission to use DirSync, which reports the entries concerned, everything is read each time",
                self.untold.refers().unwrap_or_default()
            ));
        }
        let Some(place) = self.facts.text("highestcommittedusn").map(|usn| usn.as_bytes().to_vec()) else {
            return none("the domain controller does not show its highestCommittedUSN");
        };
        let mut reasons = Vec::new();
        if wanted != ChangeFeed::UsnChanged {
            reasons.push(format!(
                "the account may not use DirSync; grant it the permission \"Replicating Directory Changes\": dsacls \
                 \"{context}\" /G \
                 \"{}:CA;Replicating Directory Changes\"",
                self.account()
            ));
        }
        reasons.push(self.remarks(&context).await?);
        reasons.retain(|reason| !reason.is_empty());
        Ok((resume(FeedKind::UsnChanged, place), named("UsnChanged", reasons.join(". "))))
    }

    pub(super) fn account(&self) -> &str {
        self.config.ldap.bind.as_ref().map_or("ACCOUNT", |bind| bind.dn.as_str())
    }

    /// What to say of a feed that goes on.
    pub(super) async fn remarks(&mut self, context: &str) -> Result<String, SourceError> {
        let blindness = self.blindness(context).await?;
        let mut remarks = vec![self.untold.remarks(), blindness];
        remarks.retain(|remark| !remark.is_empty());
        Ok(remarks.join(". "))
    }

    /// What keeps deletions from being told of; empty if nothing does, or if there are none to be told of.
    async fn blindness(&mut self, context: &str) -> Result<String, SourceError> {
        Ok(if self.sees_deleted(context).await? || self.may_see_deleted(context).await? {
            String::new()
        } else {
            format!(
                "the account may not see deleted entries, so all ids are listed at each read to find missing entries; \
                 allow it to list and read them: dsacls \"CN=Deleted Objects,{context}\" /takeOwnership, then dsacls \
                 \"CN=Deleted \
                 Objects,{context}\" /G \"{}:LCRP\"",
                self.account()
            )
        })
    }

    /// Whether one deleted entry, whichever, is to be seen.
    pub(super) async fn sees_deleted(&mut self, context: &str) -> Result<bool, SourceError> {
        self.shows_deleted(context, "(isDeleted=TRUE)", Scope::OneLevel).await
    }

    /// Whether the account may read the place where deleted entries are, though there may be none yet.
    async fn may_see_deleted(&mut self, context: &str) -> Result<bool, SourceError> {
        self.shows_deleted(context, "(objectClass=*)", Scope::Base).await
    }

    async fn shows_deleted(
        &mut self,
        context: &str,
        filter: &str,
        scope: Scope,
    ) -> Result<bool, SourceError> {
        let place = format!("CN=Deleted Objects,{context}");
        let (connection, controls) = (&mut self.connection, show_deleted());
        let found = fetch::one_with(connection, &controls, &place, filter, scope, &["objectGUID"]);
        match found.await {
            Ok(found) => Ok(found.is_some_and(|found| found.has("objectguid"))),
            Err(error) if matches!(error.reason, Reason::AccessDenied | Reason::NotFound) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn usn_changed(
        &mut self,
        context: String,
        resume: &Resume,
    ) -> Result<Option<Changes>, SourceError> {
        let Some(last) = std::str::from_utf8(&resume.place).ok().and_then(|usn| usn.parse::<u64>().ok())
        else {
            return Ok(None);
        };
        // Read when the connection was opened, so before the search.
        let Some(place) = self.facts.text("highestcommittedusn").map(|usn| usn.as_bytes().to_vec()) else {
            return Ok(None);
        };
        let from = last.saturating_add(1);
        let query = Query {
            base: context.clone(),
            filter: format!("(uSNChanged>={from})"),
            attributes: ["objectGUID", "isDeleted", "lastKnownParent", "uSNCreated"]
                .map(str::to_owned)
                .to_vec(),
            page_size: Some(self.config.ldap.page_size),
            controls: show_deleted(),
            ..Query::default()
        };
        let mut changes = Changes { place, ..Changes::default() };
        let mut remembered = Vec::new();
        let mut search = Search::new(&mut self.connection, query);
        while let Some(found) = search.next(changes.touched.len() as u64).await? {
            let SearchItem::Entry(raw) = found else {
                if matches!(found, SearchItem::Unintelligible(_)) {
                    return Ok(None);
                }
                continue;
            };
            let attributes = &raw.attributes;
            // One that does not say whose it is may be anybody's.
            let Some(anchor) = schema::anchor(attributes) else { return Ok(None) };
            if schema::is_deleted(attributes) {
                changes.deleted.insert(anchor);
                continue;
            }
            if attributes.has("lastknownparent") {
                remembered.push(anchor.clone());
            }
            let created = schema::number::<u64>(attributes, "usncreated").unwrap_or_default();
            if created < from {
                changes.renamed.insert(anchor.clone());
            }
            changes.touched.insert(anchor);
        }
        let back = restored::since(self, &context, &remembered, from).await?;
        Ok((!back).then_some(changes))
    }
}
