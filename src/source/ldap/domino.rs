//! The dialect of HCL Domino.
//!
//! - Everything is read from the root: people are below their organization, groups are flat.
//! - An entry is its `dominoUNID`, which comes only to those who name it. Members are listed by names, of which everybody has several.
//! - There are no pages: a search brings all, or ends at the server's limit and is divided by names.
//! - What an entry is below of is no entry itself.
//! - There is no feed of changes.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use super::ask::{self, Asking};
use super::computed::Untold;
use super::config::LdapConfig;
use super::connection::{Connection, Server};
use super::decode::Raw;
use super::dialect::{Dialect, MembersBy};
use super::feed::{Changes, Choice, Resume};
use super::feeds::Feeds;
use super::fetch::{self, Named};
use super::look_up::{self, LookUps};
use super::output::Output;
use super::root_dse::RootDse;
use super::session::Session;
use super::wire::{Control, Scope};
use crate::directory::{Anchor, Change, DirectoryId, Dn, EntryKind, Members};
use crate::source::schema::domino::split::Joining;
use crate::source::schema::domino::{ANCHOR, DominoSchema, bears, members};
use crate::source::schema::posix::Primaries;
use crate::source::{Reason, SourceError};

mod config;
mod left_out;
mod remarks;

pub use self::config::DominoConfig;
use self::left_out::LeftOut;
use self::remarks::Remarks;

/// Who is read unless the configuration says otherwise.
const USER_FILTER: &str = "(|(objectClass=dominoPerson)(objectClass=dominoServerMailInDatabase))";

/// What is a group unless the configuration says otherwise.
const GROUP_FILTER: &str = "(objectClass=dominoGroup)";

/// Among `ibm-enabledCapabilities`: the server shows `dominoUNID`.
const SHOWS_UNID: &str = "2.16.840.1.113678.2.2.2.2.1354";

/// Domino.
pub(super) struct Domino {
    config: DominoConfig,
    schema: DominoSchema,
    remarks: Remarks,
    left_out: Mutex<LeftOut>,
    /// The groups that wait for their parts, if parts are to be joined.
    joining: Option<Mutex<Joining>>,
    /// Whether it says nothing at all of a name that nobody has, and not that there is no such object.
    says_nothing_of_nobody: OnceLock<bool>,
}

impl Domino {
    fn of(config: &DominoConfig) -> Self {
        let anchor = config.anchor.clone().unwrap_or_else(|| ANCHOR.to_owned());
        let (literal, purposes) = (config.ldap.literal.clone(), config.purposes.clone());
        Self {
            config: config.clone(),
            schema: DominoSchema { anchor, literal, purposes },
            remarks: Remarks::default(),
            left_out: Mutex::default(),
            joining: config.split.clone().map(|rule| Mutex::new(Joining::by(rule))),
            says_nothing_of_nobody: OnceLock::new(),
        }
    }
}

impl Dialect for Domino {
    type Config = DominoConfig;
    type Primaries = Primaries;

    const FILTERS: [&str; 2] = [USER_FILTER, GROUP_FILTER];
    const DN: &str = "entryDN";
    const LISTS: &[&str] = &["member"];
    const HAS_ALIASES: bool = false;
    const READS_ROOT: bool = true;
    const PLACES_ARE_ENTRIES: bool = false;
    const DIVIDES_BY: Option<&str> = Some("cn");
    const COMPLETES_LISTS: bool = false;
    const MEMBERS: MembersBy = MembersBy::Dn;
    const MOST_CHANGES: usize = 0;
    const BELIEVES_DELETIONS: bool = false;

    fn shared(config: &DominoConfig) -> &LdapConfig {
        &config.ldap
    }

    async fn servers(config: &DominoConfig) -> Result<(Vec<Server>, Vec<String>), SourceError> {
        Ok((Server::of(&config.ldap.urls), Vec::new()))
    }

    fn refuses(facts: &RootDse, url: &str) -> Option<String> {
        facts.is_active_directory().then(|| {
            format!("{url} is an Active Directory domain controller; read it with the kind activeDirectory")
        })
    }

    /// Somebody must show the anchor: nothing is read of which it is not known who it is.
    async fn meet(
        config: &DominoConfig,
        connection: &mut Connection,
        facts: &RootDse,
        bases: &[String],
        _: Option<&str>,
    ) -> Result<Self, SourceError> {
        let domino = Self::of(config);
        let anchor = &domino.schema.anchor;
        let filters = [config.ldap.user_filter.as_deref(), config.ldap.group_filter.as_deref()];
        let mut is_anybody = false;
        for (given, usual) in filters.into_iter().zip(Self::FILTERS) {
            for base in bases {
                let (place, filter) = ((base.as_str(), Scope::Subtree), given.unwrap_or(usual));
                let found = fetch::some(connection, &[], place, filter, &[anchor], LOOKED_AT).await?;
                if found.iter().any(|one| one.attributes.has(&anchor.to_lowercase())) {
                    return Ok(domino);
                }
                is_anybody |= !found.is_empty();
            }
        }
        // An empty directory is for the import to judge.
        if is_anybody { Err(hidden(anchor, facts)) } else { Ok(domino) }
    }

    fn server(_: &RootDse, url: &str) -> String {
        url.to_owned()
    }

    /// A universal id is one in every directory, so all of them are one. What people give is not.
    fn directory(&self, bases: &[String], _: &RootDse) -> DirectoryId {
        match &self.config.anchor {
            Some(anchor) if !anchor.eq_ignore_ascii_case(ANCHOR) => {
                DirectoryId::new(format!("domino {} {}", anchor.to_lowercase(), bases.join(" ")).trim_end())
            }
            _ => DirectoryId::new("domino"),
        }
    }

    fn scope(&self, [bases, excluded, users, groups, who]: [&str; 5]) -> String {
        let purposes: Vec<String> = self.config.purposes.iter().map(|one| format!("{one:?}")).collect();
        let split = self.config.split.as_ref().map(|rule| format!("{rule:?}")).unwrap_or_default();
        [bases, excluded, users, groups, who, &purposes.join(" "), &split, &self.schema.anchor.to_lowercase()]
            .join("\n\n")
    }

    fn remarks(&self) -> Vec<String> {
        self.remarks.told(&self.config)
    }

    fn asking(&self) -> Asking {
        Asking::by(&self.schema.anchor)
    }

    fn controls() -> Vec<Control> {
        Vec::new()
    }

    fn attributes(&self, _: EntryKind) -> Vec<String> {
        self.schema.attributes()
    }

    fn begin(&self) -> Option<String> {
        *self.left_out.lock().unwrap_or_else(PoisonError::into_inner) = LeftOut::default();
        self.schema.leaves_out()
    }

    /// It keeps its names.
    fn note_left_out(&self, raw: &Raw) {
        let names = bears(&raw.dn, &raw.attributes);
        self.left_out.lock().unwrap_or_else(PoisonError::into_inner).names.extend(names);
    }

    fn told(&self, raw: &Raw, wanted: EntryKind) -> Option<Change> {
        let mut change = self.schema.told(&raw.dn, &raw.attributes, wanted)?;
        if let Change::Replace(entry) = &mut change {
            self.left_out.lock().unwrap_or_else(PoisonError::into_inner).note(entry);
        }
        self.remarks.note(wanted, &raw.attributes);
        if let (Some(joining), EntryKind::Group, Change::Unreadable { .. }) = (&self.joining, wanted, &change)
            && let Ok(dn) = Dn::parse(&raw.dn)
        {
            // Whom it lists may be known, though it is not.
            let mut joining = joining.lock().unwrap_or_else(PoisonError::into_inner);
            joining.note_listed(&dn, &members(&raw.attributes));
        }
        Some(change)
    }

    fn keep(&self, change: Change) -> Option<Change> {
        match &self.joining {
            Some(joining) => joining.lock().unwrap_or_else(PoisonError::into_inner).keep(change),
            None => Some(change),
        }
    }

    fn kept(&self) -> Result<Vec<Change>, SourceError> {
        self.remarks.are_purposes_known(&self.config.purposes)?;
        Ok(match &self.joining {
            Some(joining) => joining.lock().unwrap_or_else(PoisonError::into_inner).joined(),
            None => Vec::new(),
        })
    }

    async fn whole_list(_: &mut Connection, _: &Raw, _: u64) -> Result<Option<Members>, SourceError> {
        Ok(None)
    }
}

/// So many entries are looked at to see whether one shows its anchor.
const LOOKED_AT: u32 = 20;

/// What to say if nobody shows the anchor.
fn hidden(anchor: &str, facts: &RootDse) -> SourceError {
    let remedy = if !anchor.eq_ignore_ascii_case(ANCHOR) {
        "allow the account to read that attribute, or name another one in anchorAttribute".to_owned()
    } else if facts.has("ibm-enabledcapabilities", SHOWS_UNID) {
        format!(
            "the server can show it (ibm-enabledCapabilities), and hides it from this account: bind with an account that may read \
             the Domino Directory (credentialsSecretRef), or add {ANCHOR} for the object class * to the fields that anonymous users \
             can query via LDAP, in the domain's Configuration Settings document"
        )
    } else {
        format!(
            "the server does not say that it can show it (ibm-enabledCapabilities): `tell ldap reloadschema` on the server console \
             makes {ANCHOR} known in directories that are older than Domino 7; where it cannot be shown, name another attribute \
             in anchorAttribute, at the cost that its value must never change"
        )
    };
    let message =
        format!("no entry shows {anchor}, by which entries are identified; nothing was used. {remedy}");
    SourceError::new(Reason::AccessDenied, message)
}

impl Feeds for Domino {
    fn wants_feed(_: &DominoConfig) -> bool {
        false
    }

    async fn choose(
        _: &mut Session<Self>,
        _: &str,
        _: &Untold,
        _: Option<&Resume>,
    ) -> Result<Choice, SourceError> {
        Ok(Choice::none(""))
    }

    async fn changes(
        _: &mut Session<Self>,
        _: &str,
        _: &Untold,
        _: &Resume,
    ) -> Result<Option<Changes>, SourceError> {
        Ok(None)
    }

    fn not_told(_: &RootDse) -> Option<String> {
        None
    }

    async fn may_move_others(
        _: &mut Session<Self>,
        _: &Changes,
        _: &HashMap<Anchor, String>,
        _: &Output,
    ) -> Result<bool, SourceError> {
        Ok(true)
    }

    async fn hides_deletions(_: &mut Session<Self>) -> Result<bool, SourceError> {
        Ok(true)
    }
}

impl LookUps for Domino {
    async fn finds_by_anchor(session: &mut Session<Self>) -> Result<bool, SourceError> {
        look_up::finds_by_anchor(session).await
    }

    /// As with other servers; one that says nothing of any name that nobody has need not say that there is no such object.
    async fn is_gone(
        session: &mut Session<Self>,
        anchor: &Anchor,
        dn: Option<&str>,
    ) -> Result<bool, SourceError> {
        if look_up::is_gone(session, anchor, dn).await? {
            return Ok(true);
        }
        let (Some(dn), false) = (dn, session.asking.is_by_dn()) else { return Ok(false) };
        Ok(says_nothing_of_nobody(session).await? && says_nothing(&mut session.connection, dn).await?)
    }
}

/// Whether the server ends a look at a name that nobody has with success, and nothing.
async fn says_nothing_of_nobody(session: &mut Session<Domino>) -> Result<bool, SourceError> {
    if let Some(known) = session.dialect.says_nothing_of_nobody.get() {
        return Ok(*known);
    }
    let nobody = format!("cn={}", uuid::Uuid::new_v4());
    let says = says_nothing(&mut session.connection, &nobody).await?;
    Ok(*session.dialect.says_nothing_of_nobody.get_or_init(|| says))
}

async fn says_nothing(connection: &mut Connection, dn: &str) -> Result<bool, SourceError> {
    Ok(matches!(ask::at(connection, dn, ask::NOTHING_OF_IT).await?, Named::Nothing))
}
