//! The dialect of LDAP servers in general (RFC 4511, RFC 4519): OpenLDAP, 389 Directory Server, FreeIPA and others.
//!
//! Lists name members by DN. Changes come by syncrepl (RFC 4533), whose deletions are looked up. A miss counts only where the server
//! finds others by their ids, and says that nobody is under the DN any more.

use std::collections::HashMap;

use super::ask::{AT_ONCE, Asking};
use super::base;
use super::computed::{SEARCHES, Untold};
use super::config::{GROUP_FILTER, GenericConfig, LdapConfig, USER_FILTER};
use super::connection::{Connection, Server};
use super::decode::Raw;
use super::dialect::{Dialect, MembersBy};
use super::feed::{self, Changes, Choice, FeedKind, Resume};
use super::feeds::Feeds;
use super::fetch;
use super::look_up::{self, LookUps};
use super::output::{MANY, Output};
use super::root_dse::{self, RootDse};
use super::session::Session;
use super::sync_repl;
use super::wire::{Control, Scope};
use crate::directory::{Anchor, Change, DirectoryId, EntryKind, Members};
use crate::source::schema::posix::Primaries;
use crate::source::schema::{self, EntrySchema};
use crate::source::{Reason, SourceError};

/// Any LDAP server.
pub(super) struct Generic {
    schema: EntrySchema,
    /// Whether groups show the searches by which they are dynamic.
    shows_searches: bool,
}

impl Dialect for Generic {
    type Config = GenericConfig;
    type Primaries = Primaries;

    const FILTERS: [&str; 2] = [USER_FILTER, GROUP_FILTER];
    const DN: &str = "entryDN";
    const LISTS: &[&str] = &["member", "uniqueMember"];
    const HAS_ALIASES: bool = true;
    const READS_ROOT: bool = false;
    const PLACES_ARE_ENTRIES: bool = true;
    const DIVIDES_BY: Option<&str> = None;
    const COMPLETES_LISTS: bool = false;
    const MEMBERS: MembersBy = MembersBy::Dn;
    const MOST_CHANGES: usize = MANY;
    const BELIEVES_DELETIONS: bool = false;

    fn shared(config: &GenericConfig) -> &LdapConfig {
        &config.ldap
    }

    async fn servers(config: &GenericConfig) -> Result<(Vec<Server>, Vec<String>), SourceError> {
        Ok((Server::of(&config.ldap.urls), Vec::new()))
    }

    fn refuses(facts: &RootDse, url: &str) -> Option<String> {
        facts.is_active_directory().then(|| {
            format!(
                "{url} is an Active Directory domain controller; read it with the kind activeDirectory, which reads disabled \
                 and expired accounts, leaves computers out and reads large groups completely. Entries that are identified by \
                 objectGUID keep their identity"
            )
        })
    }

    async fn meet(
        config: &GenericConfig,
        connection: &mut Connection,
        facts: &RootDse,
        bases: &[String],
        pinned: Option<&str>,
    ) -> Result<Self, SourceError> {
        let users = config.ldap.user_filter.as_deref().unwrap_or(USER_FILTER);
        let anchor = match &config.anchor {
            Some(anchor) => anchor.clone(),
            None => root_dse::anchor(connection, bases, users, pinned).await?,
        };
        // OpenLDAP keeps to that; 389 Directory Server and OpenDJ have such groups without members.
        let demands_members = facts.vendor.as_deref().is_some_and(root_dse::is_openldap);
        let schema = EntrySchema { anchor, literal: config.ldap.literal.clone(), demands_members };
        Ok(Self { schema, shows_searches: config.sync_repl })
    }

    fn server(_: &RootDse, url: &str) -> String {
        url.to_owned()
    }

    fn directory(&self, bases: &[String], facts: &RootDse) -> DirectoryId {
        base::directory(bases, facts)
    }

    fn remarks(&self) -> Vec<String> {
        schema::cost(&self.schema.anchor).into_iter().collect()
    }

    fn scope(&self, [bases, excluded, users, groups, who]: [&str; 5]) -> String {
        let excluded = if excluded.is_empty() { String::new() } else { format!("\n\n{excluded}") };
        [&format!("{bases}{excluded}"), users, groups, who, &self.schema.anchor.to_lowercase()].join("\n\n")
    }

    fn asking(&self) -> Asking {
        Asking::by(&self.schema.anchor)
    }

    fn controls() -> Vec<Control> {
        Vec::new()
    }

    fn attributes(&self, kind: EntryKind) -> Vec<String> {
        let mut names = self.schema.attributes();
        if kind == EntryKind::Group && self.shows_searches {
            let is_new = |name: &&&str| !names.iter().any(|other| other.eq_ignore_ascii_case(name));
            let searches: Vec<_> = SEARCHES.iter().filter(is_new).collect();
            names.extend(searches.into_iter().map(|name| (*name).to_owned()));
        }
        names.into_iter().collect()
    }

    fn begin(&self) -> Option<String> {
        None
    }

    fn note_left_out(&self, _: &Raw) {}

    fn told(&self, raw: &Raw, wanted: EntryKind) -> Option<Change> {
        self.schema.told(&raw.dn, &raw.attributes, Some(wanted))
    }

    fn keep(&self, change: Change) -> Option<Change> {
        Some(change)
    }

    fn kept(&self) -> Result<Vec<Change>, SourceError> {
        Ok(Vec::new())
    }

    async fn whole_list(_: &mut Connection, _: &Raw, _: u64) -> Result<Option<Members>, SourceError> {
        Ok(None)
    }
}

impl Feeds for Generic {
    fn wants_feed(config: &GenericConfig) -> bool {
        config.sync_repl
    }

    async fn choose(
        session: &mut Session<Self>,
        context: &str,
        untold: &Untold,
        _: Option<&Resume>,
    ) -> Result<Choice, SourceError> {
        if untold.links.are_used() && session.facts.contexts.len() > 1 {
            return Ok(Choice::none(
                "policies use memberof, which may name groups of each of the server's naming contexts, and a feed \
                 covers one: so everything is read each time",
            ));
        }
        if session.facts.is_389() {
            return Ok(Choice::none(
                "the content synchronization of 389 Directory Server tells of changes only where its Retro Changelog keeps \
                 nsuniqueid:targetUniqueId, and answers success and nothing where it does not: so everything is read each time",
            ));
        }
        let may_be_openldap = root_dse::may_be_openldap(&session.facts);
        if !sync_repl::is_offered(&session.facts) {
            let remedy = if may_be_openldap {
                "; OpenLDAP does with `overlay syncprov` on the database"
            } else {
                ", so everything is read each time"
            };
            return Ok(Choice::none(format!("the server does not offer syncrepl (RFC 4533){remedy}")));
        }
        if session.facts.is_apacheds() {
            return Ok(Choice::none(
                "the contextCSN of ApacheDS goes back after a deletion, and its answers then leave people out with success: so \
                 everything is read each time",
            ));
        }
        let anchor = &session.dialect.schema.anchor;
        if !anchor.eq_ignore_ascii_case(sync_repl::ANCHOR) {
            return Ok(Choice::none(format!(
                "the anchor is {anchor}, and syncrepl (RFC 4533) identifies entries by their entryUUID"
            )));
        }
        let Some(place) = sync_repl::place(&mut session.connection, context).await? else {
            let who = session.account().unwrap_or("anonymous");
            let overlay = if may_be_openldap { "put `overlay syncprov` on that database, and " } else { "" };
            return Ok(Choice::none(format!(
                "the server does not show the contextCSN of {context} to {who}: {overlay}allow the account to read \
                 the attributes entry and contextCSN of that entry"
            )));
        };
        let attributes = session.dialect.schema.attributes().into_iter().collect::<Vec<_>>().join(" ");
        let fingerprint = feed::fingerprint(&[&session.connection.url, &session.scope(), &attributes]);
        let next = Resume { feed: FeedKind::SyncRepl, fingerprint, place, after_all: true };
        Ok(Choice::of(next, vec![untold.remarks()]))
    }

    async fn changes(
        session: &mut Session<Self>,
        context: &str,
        _: &Untold,
        resume: &Resume,
    ) -> Result<Option<Changes>, SourceError> {
        sync_repl::changes(&mut session.connection, context, &resume.place).await
    }

    fn not_told(facts: &RootDse) -> Option<String> {
        let remedy = if root_dse::may_be_openldap(facts) {
            "; OpenLDAP can, deletions too, with `syncprov-sessionlog 100000`"
        } else {
            ""
        };
        Some(format!(
            "the server could not report everything that changed since the last read, so everything was read{remedy}"
        ))
    }

    async fn may_move_others(
        session: &mut Session<Self>,
        changes: &Changes,
        _: &HashMap<Anchor, String>,
        output: &Output,
    ) -> Result<bool, SourceError> {
        let (asking, contexts) = (session.asking.clone(), session.contexts());
        let named: Vec<Anchor> = changes.touched.union(&changes.deleted).cloned().collect();
        for some in named.chunks(AT_ONCE) {
            let there = asking.answer(&mut session.connection, (&contexts, None), some).await?.there;
            let called = output.sink.called(there.keys().cloned().collect()).await;
            for (one, seen) in there {
                // Whoever is called as before, and does not say, is not worth a search each.
                let holds_others = match seen.holds_others {
                    Some(holds_others) => holds_others,
                    None if called.get(&one) == Some(&seen.dn) => false,
                    None => holds_others(&mut session.connection, &seen.dn).await?,
                };
                if holds_others {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    async fn hides_deletions(_: &mut Session<Self>) -> Result<bool, SourceError> {
        Ok(false)
    }
}

/// Whether an entry that does not say so has others in it, or may have.
async fn holds_others(connection: &mut Connection, dn: &str) -> Result<bool, SourceError> {
    let place = (dn, Scope::OneLevel);
    match fetch::some(connection, &[], place, "(objectClass=*)", &["1.1"], 1).await {
        Ok(within) => Ok(!within.is_empty()),
        Err(error) if matches!(error.reason, Reason::AccessDenied | Reason::NotFound) => Ok(true),
        Err(error) => Err(error),
    }
}

impl LookUps for Generic {
    async fn finds_by_anchor(session: &mut Session<Self>) -> Result<bool, SourceError> {
        look_up::finds_by_anchor(session).await
    }

    async fn is_gone(
        session: &mut Session<Self>,
        anchor: &Anchor,
        dn: Option<&str>,
    ) -> Result<bool, SourceError> {
        look_up::is_gone(session, anchor, dn).await
    }
}
