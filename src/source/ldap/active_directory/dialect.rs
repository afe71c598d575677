//! What Active Directory does in its own way.

use super::config::ActiveDirectoryConfig;
use super::control::controls;
use super::range;
use crate::directory::{Anchor, Change, DirectoryId, EntryKind, Members};
use crate::source::SourceError;
use crate::source::ldap::ask::Asking;
use crate::source::ldap::base;
use crate::source::ldap::config::LdapConfig;
use crate::source::ldap::connection::{Connection, Server};
use crate::source::ldap::decode::Raw;
use crate::source::ldap::dialect::{Dialect, MembersBy};
use crate::source::ldap::fetch::{self, Named};
use crate::source::ldap::look_up::LookUps;
use crate::source::ldap::root_dse::RootDse;
use crate::source::ldap::search::Query;
use crate::source::ldap::session::Session;
use crate::source::ldap::wire::Control;
use crate::source::schema::active_directory::name::Extended;
use crate::source::schema::active_directory::primary::Primaries;
use crate::source::schema::active_directory::{self as schema, ActiveDirectorySchema};

/// Who is a user or contact unless the configuration says otherwise: no computers, no trusts, none of the
/// accounts that every domain has.
const USER_FILTER: &str = "(&(|(&(objectCategory=person)(objectClass=user))(objectClass=contact))\
     (!(userAccountControl:1.2.840.113556.1.4.803:=2048))(!(isCriticalSystemObject=TRUE)))";

/// What is a group unless the configuration says otherwise.
const GROUP_FILTER: &str = "(objectClass=group)";

/// Active Directory.
pub(in crate::source::ldap) struct ActiveDirectory {
    pub(super) schema: ActiveDirectorySchema,
}

impl Dialect for ActiveDirectory {
    type Config = ActiveDirectoryConfig;
    type Primaries = Primaries;

    const FILTERS: [&str; 2] = [USER_FILTER, GROUP_FILTER];
    const DN: &str = "distinguishedName";
    const LISTS: &[&str] = &["member"];
    const HAS_ALIASES: bool = false;
    const READS_ROOT: bool = false;
    const PLACES_ARE_ENTRIES: bool = true;
    const DIVIDES_BY: Option<&str> = None;
    const COMPLETES_LISTS: bool = true;
    const MEMBERS: MembersBy = MembersBy::Id;
    const MOST_CHANGES: usize = usize::MAX;
    const BELIEVES_DELETIONS: bool = true;

    fn shared(config: &ActiveDirectoryConfig) -> &LdapConfig {
        &config.ldap
    }

    async fn servers(config: &ActiveDirectoryConfig) -> Result<(Vec<Server>, Vec<String>), SourceError> {
        match &config.discovery {
            Some(discovery) => discovery.servers(&config.ldap).await,
            None => Ok((Server::of(&config.ldap.urls), Vec::new())),
        }
    }

    fn refuses(facts: &RootDse, url: &str) -> Option<String> {
        (!facts.is_active_directory()).then(|| {
            format!("{url} is not an Active Directory domain controller; read it with the kind ldap")
        })
    }

    async fn meet(
        config: &ActiveDirectoryConfig,
        _: &mut Connection,
        _: &RootDse,
        _: &[String],
        _: Option<&str>,
    ) -> Result<Self, SourceError> {
        Ok(Self { schema: ActiveDirectorySchema { literal: config.ldap.literal.clone() } })
    }

    fn server(facts: &RootDse, url: &str) -> String {
        facts.text("dsservicename").unwrap_or(url).to_owned()
    }

    fn directory(&self, bases: &[String], facts: &RootDse) -> DirectoryId {
        base::directory(bases, facts)
    }

    fn remarks(&self) -> Vec<String> {
        Vec::new()
    }

    fn scope(&self, parts: [&str; 5]) -> String {
        parts.join("\n\n")
    }

    /// By their ids, which their names show too.
    fn asking(&self) -> Asking {
        Asking {
            attribute: "objectGUID".to_owned(),
            filter: |_, anchors| {
                format!("(|{})", anchors.iter().map(schema::guid_filter).collect::<String>())
            },
            ids: |_, raw| identity(raw).into_iter().collect(),
            dn: |dn| Extended::of(dn).dn,
            excluded: Vec::new(),
            page_size: None,
            controls: controls(),
        }
    }

    fn controls() -> Vec<Control> {
        controls()
    }

    fn attributes(&self, _: EntryKind) -> Vec<String> {
        self.schema.attributes()
    }

    fn begin(&self) -> Option<String> {
        None
    }

    fn note_left_out(&self, _: &Raw) {}

    fn told(&self, raw: &Raw, wanted: EntryKind) -> Option<Change> {
        self.schema.told(&raw.dn, &raw.attributes, wanted)
    }

    fn keep(&self, change: Change) -> Option<Change> {
        Some(change)
    }

    fn kept(&self) -> Result<Vec<Change>, SourceError> {
        Ok(Vec::new())
    }

    async fn whole_list(
        connection: &mut Connection,
        raw: &Raw,
        came: u64,
    ) -> Result<Option<Members>, SourceError> {
        range::members(connection, raw, came).await.map(Some)
    }
}

/// Whose entry it is, by the attribute or by what stands before its name.
fn identity(raw: &Raw) -> Option<Anchor> {
    schema::anchor(&raw.attributes).or_else(|| Extended::of(&raw.dn).anchor())
}

impl LookUps for ActiveDirectory {
    async fn finds_by_anchor(_: &mut Session<Self>) -> Result<bool, SourceError> {
        Ok(true)
    }

    /// Whether the domain controller says that it has no such entry, whatever a filter finds.
    async fn is_gone(
        session: &mut Session<Self>,
        anchor: &Anchor,
        _: Option<&str>,
    ) -> Result<bool, SourceError> {
        let query = Query {
            base: format!("<GUID={}>", anchor.as_str()),
            filter: "(objectClass=*)".to_owned(),
            attributes: vec!["objectGUID".to_owned()],
            controls: controls(),
            ..Query::default()
        };
        Ok(matches!(fetch::named(&mut session.connection, query, 0).await?, Named::NoSuchObject))
    }
}
