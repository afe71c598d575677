//! The change feeds of a domain: which of them the account may use, and what they report.

use std::collections::HashMap;

use super::config::{ActiveDirectoryConfig, ChangeFeed};
use super::control::show_deleted;
use super::dialect::ActiveDirectory;
use super::{dir_sync, restored};
use crate::directory::Anchor;
use crate::source::ldap::ask::AT_ONCE;
use crate::source::ldap::computed::Untold;
use crate::source::ldap::feed::{self, Changes, Choice, FeedKind, Resume};
use crate::source::ldap::feeds::Feeds;
use crate::source::ldap::fetch;
use crate::source::ldap::output::Output;
use crate::source::ldap::root_dse::RootDse;
use crate::source::ldap::search::{Query, Search, SearchItem};
use crate::source::ldap::session::Session;
use crate::source::ldap::wire::Scope;
use crate::source::schema::active_directory as schema;
use crate::source::schema::anchor::hexadecimal;
use crate::source::{Reason, SourceError};

/// Containers: what is in them is told of under new names when they are renamed or moved, by nobody. Policies
/// are containers too, and change often; nobody is in them.
const CONTAINERS: &str =
    "(&(|(objectClass=organizationalUnit)(objectClass=container))(!(objectClass=groupPolicyContainer)))";

/// A session with a domain controller.
type Controller = Session<ActiveDirectory>;

impl Feeds for ActiveDirectory {
    fn wants_feed(config: &ActiveDirectoryConfig) -> bool {
        config.change_feed != ChangeFeed::FullRead
    }

    async fn choose(
        session: &mut Controller,
        context: &str,
        untold: &Untold,
        resume: Option<&Resume>,
    ) -> Result<Choice, SourceError> {
        let fingerprint = fingerprint(session).await?;
        let wanted = session.config.change_feed;
        // Going on with the best costs no second look at the rights.
        if let Some(resume) = resume
            && is_told(untold, resume.feed)
            && is_best(resume, wanted, fingerprint.as_deref())
        {
            let remarks = remarks(session, untold, context).await?;
            return Ok(Choice::of(resume.clone(), remarks));
        }
        if untold.links.are_used()
            && let Some(reason) = no_back_links(session, context).await?
        {
            return Ok(Choice::none(reason));
        }
        let Some(fingerprint) = fingerprint else {
            let why = "the account may not read the invocationId of the domain controller (NTDS Settings, below \
                       CN=Sites,CN=Configuration); every account may, unless that permission was removed";
            return Ok(Choice::none(why));
        };
        let next = |feed, place| Resume { feed, fingerprint: fingerprint.clone(), place, after_all: true };
        let dir_sync: &[FeedKind] = match wanted {
            ChangeFeed::DirSync => &[FeedKind::DirSync, FeedKind::DirSyncAsSeen],
            ChangeFeed::Auto => &[FeedKind::DirSync],
            ChangeFeed::UsnChanged | ChangeFeed::FullRead => &[],
        };
        for kind in dir_sync {
            if let Some(place) = dir_sync::place(session, context, *kind).await? {
                let remarks = remarks(session, untold, context).await?;
                return Ok(Choice::of(next(*kind, place), remarks));
            }
        }
        if !is_told(untold, FeedKind::UsnChanged) {
            return Ok(Choice::none(format!(
                "{}; without permission to use DirSync, which reports the entries concerned, everything is read each time",
                untold.refers().unwrap_or_default()
            )));
        }
        let Some(place) = session.facts.text("highestcommittedusn").map(|usn| usn.as_bytes().to_vec()) else {
            return Ok(Choice::none("the domain controller does not show its highestCommittedUSN"));
        };
        let mut reasons = Vec::new();
        if !dir_sync.is_empty() {
            reasons.push(format!(
                "the account may not use DirSync; grant it the permission \"Replicating Directory Changes\": dsacls \
                 \"{context}\" /G \
                 \"{}:CA;Replicating Directory Changes\"",
                account(session)
            ));
        }
        reasons.extend(remarks(session, untold, context).await?);
        Ok(Choice::of(next(FeedKind::UsnChanged, place), reasons))
    }

    async fn changes(
        session: &mut Controller,
        context: &str,
        untold: &Untold,
        resume: &Resume,
    ) -> Result<Option<Changes>, SourceError> {
        let changes = match resume.feed {
            FeedKind::UsnChanged => usn_changed(session, context, resume).await?,
            FeedKind::DirSync | FeedKind::DirSyncAsSeen => {
                dir_sync::changes(session, context, resume.feed, resume.place.clone()).await?
            }
            FeedKind::SyncRepl => None,
        };
        // Others may name who was renamed or deleted, and that changed untold.
        let by_renames = untold.refers().is_some();
        let is_told = |changes: &Changes| changes.renamed.is_empty() && changes.deleted.is_empty();
        Ok(changes.filter(|changes| !by_renames || is_told(changes)))
    }

    fn not_told(_: &RootDse) -> Option<String> {
        None
    }

    async fn may_move_others(
        session: &mut Controller,
        changes: &Changes,
        there: &HashMap<Anchor, String>,
        _: &Output,
    ) -> Result<bool, SourceError> {
        let renamed: Vec<&Anchor> = changes.renamed.iter().filter(|one| !there.contains_key(*one)).collect();
        for some in renamed.chunks(AT_ONCE) {
            let ids: String = some.iter().map(|one| schema::guid_filter(one)).collect();
            let filter = format!("(&(|{ids}){CONTAINERS})");
            if !session.find(&session.contexts(), &filter).await?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn hides_deletions(session: &mut Controller) -> Result<bool, SourceError> {
        let context = session.only_context().unwrap_or_default();
        Ok(!sees_deleted(session, &context).await?)
    }
}

/// Whether it is the best feed that is wanted, and still the same place.
fn is_best(resume: &Resume, wanted: ChangeFeed, fingerprint: Option<&str>) -> bool {
    let best = match wanted {
        ChangeFeed::Auto | ChangeFeed::DirSync => resume.feed == FeedKind::DirSync,
        ChangeFeed::UsnChanged => resume.feed == FeedKind::UsnChanged,
        ChangeFeed::FullRead => false,
    };
    best && fingerprint == Some(&resume.fingerprint)
}

/// Server, replica, account, filters, attributes: with any of them another, everything is read again.
async fn fingerprint(session: &mut Controller) -> Result<Option<String>, SourceError> {
    let Some(service) = session.facts.text("dsservicename").map(str::to_owned) else { return Ok(None) };
    let replica =
        fetch::one(&mut session.connection, &service, "(objectClass=*)", Scope::Base, &["invocationId"]);
    let replica = match replica.await {
        Ok(replica) => replica.and_then(|replica| replica.values("invocationid").next().map(<[u8]>::to_vec)),
        Err(error) if matches!(error.reason, Reason::AccessDenied | Reason::NotFound) => None,
        Err(error) => return Err(error),
    };
    let Some(replica) = replica else { return Ok(None) };
    let attributes = session.dialect.schema.attributes().join(" ");
    let (service, replica) = (service.to_lowercase(), hexadecimal(&replica));
    Ok(Some(feed::fingerprint(&[&service, &replica, &session.scope(), &attributes])))
}

/// Whether the feed reports everything in use. Update sequence numbers do not show renames.
fn is_told(untold: &Untold, feed: FeedKind) -> bool {
    let by_renames = untold.refers().is_some();
    untold.needs_all().is_none() && !(by_renames && feed == FeedKind::UsnChanged)
}

fn account(session: &Controller) -> &str {
    session.account().unwrap_or("ACCOUNT")
}

/// How to let the account see deleted entries.
fn allow_deleted(session: &Controller, context: &str) -> String {
    format!(
        "allow it to list and read them: dsacls \"CN=Deleted Objects,{context}\" /takeOwnership, then dsacls \
         \"CN=Deleted \
         Objects,{context}\" /G \"{}:LCRP\"",
        account(session)
    )
}

/// What to say of a feed that is used.
async fn remarks(
    session: &mut Controller,
    untold: &Untold,
    context: &str,
) -> Result<Vec<String>, SourceError> {
    let mut remarks = vec![untold.remarks()];
    // There may be no deleted entries yet.
    if !sees_deleted(session, context).await? && !may_see_deleted(session, context).await? {
        remarks.push(format!(
            "the account may not see deleted entries, so all ids are listed at each read to find missing entries; {}",
            allow_deleted(session, context)
        ));
    }
    Ok(remarks)
}

/// Why back links cannot be followed, if so: no feed tells of groups of other domains, nor of deleted ones without that
/// right.
async fn no_back_links(session: &mut Controller, context: &str) -> Result<Option<String>, SourceError> {
    let begin = "policies use memberof, and";
    if !sees_deleted(session, context).await? {
        return Ok(Some(format!(
            "{begin} the account sees no deleted groups (or none was ever deleted), so everything is read each \
             time; {}",
            allow_deleted(session, context)
        )));
    }
    let is_catalog = session.facts.has("isglobalcatalogready", "TRUE");
    let Some(configuration) = session.facts.text("configurationnamingcontext").filter(|_| is_catalog) else {
        return Ok(None);
    };
    let (place, domains) = (format!("CN=Partitions,{configuration}"), "(nETBIOSName=*)");
    let found =
        fetch::some(&mut session.connection, &[], (&place, Scope::Subtree), domains, &["1.1"], 2).await;
    let is_only = match found {
        Ok(found) => found.len() < 2,
        Err(error) if matches!(error.reason, Reason::AccessDenied | Reason::NotFound) => false,
        Err(error) => return Err(error),
    };
    Ok((!is_only).then(|| {
        format!(
            "{begin} the domain controller is a global catalog of several domains, so memberOf may name groups of \
             each, and a feed covers one: so everything is read each time"
        )
    }))
}

/// Whether one deleted entry, whichever, is to be seen.
async fn sees_deleted(session: &mut Controller, context: &str) -> Result<bool, SourceError> {
    shows_deleted(session, context, "(isDeleted=TRUE)", Scope::OneLevel).await
}

/// Whether the account may read the place where deleted entries are, though there may be none yet.
async fn may_see_deleted(session: &mut Controller, context: &str) -> Result<bool, SourceError> {
    shows_deleted(session, context, "(objectClass=*)", Scope::Base).await
}

async fn shows_deleted(
    session: &mut Controller,
    context: &str,
    filter: &str,
    scope: Scope,
) -> Result<bool, SourceError> {
    let place = format!("CN=Deleted Objects,{context}");
    let (connection, place) = (&mut session.connection, (place.as_str(), scope));
    match fetch::some(connection, &show_deleted(), place, filter, &["objectGUID"], 1).await {
        Ok(found) => Ok(found.iter().any(|found| found.attributes.has("objectguid"))),
        Err(error) if matches!(error.reason, Reason::AccessDenied | Reason::NotFound) => Ok(false),
        Err(error) => Err(error),
    }
}

/// What changed since an update sequence number.
async fn usn_changed(
    session: &mut Controller,
    context: &str,
    resume: &Resume,
) -> Result<Option<Changes>, SourceError> {
    let Some(last) = std::str::from_utf8(&resume.place).ok().and_then(|usn| usn.parse::<u64>().ok()) else {
        return Ok(None);
    };
    // Read when the connection was opened, so before the search.
    let Some(place) = session.facts.text("highestcommittedusn").map(|usn| usn.as_bytes().to_vec()) else {
        return Ok(None);
    };
    let from = last.saturating_add(1);
    let attributes = ["objectGUID", "isDeleted", "lastKnownParent", "uSNCreated"].map(str::to_owned).to_vec();
    let query = session.query(context.to_owned(), format!("(uSNChanged>={from})"), attributes);
    let query = Query { controls: show_deleted(), ..query };
    let mut changes = Changes { place, ..Changes::default() };
    let mut remembered = Vec::new();
    let mut search = Search::new(&mut session.connection, query);
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
    let back = restored::since(session, context, &remembered, from).await?;
    Ok((!back).then_some(changes))
}
