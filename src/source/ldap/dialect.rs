//! What one kind of directory does in its own way.
//!
//! A new kind fills three traits in one file, and adds its schema in `source/schema`: this one, [`Feeds`](super::feeds::Feeds)
//! and [`LookUps`](super::look_up::LookUps). There are no defaults, so the compiler asks for every answer. Everything else is
//! the same for all kinds: the session, the reader, look-ups and limits.

use std::future::Future;

use super::ask::Asking;
use super::config::LdapConfig;
use super::connection::{Connection, Server};
use super::decode::Raw;
use super::root_dse::RootDse;
use super::wire::Control;
use crate::directory::{Change, DirectoryId, EntryKind, Members};
use crate::source::SourceError;
use crate::source::schema::primary::PrimaryGroups;

/// How the lists of groups name their members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MembersBy {
    /// By DN: whoever is renamed has another name in each list.
    Dn,
    /// By id.
    Id,
}

/// One kind of directory.
pub(super) trait Dialect: Sized + Send + Sync + 'static {
    /// What is configured of it.
    type Config: Clone + Send + Sync + 'static;
    /// Its primary groups.
    type Primaries: PrimaryGroups;

    // The server.

    /// The settings that all kinds share.
    fn shared(config: &Self::Config) -> &LdapConfig;

    /// The servers to try, in order, and what people should know about them.
    fn servers(
        config: &Self::Config,
    ) -> impl Future<Output = Result<(Vec<Server>, Vec<String>), SourceError>> + Send;

    /// What to say of a server that another kind reads.
    fn refuses(facts: &RootDse, url: &str) -> Option<String>;

    /// Learns what must be known to read this server. `pinned` is the attribute by which the entries of the last read are known.
    fn meet(
        config: &Self::Config,
        connection: &mut Connection,
        facts: &RootDse,
        bases: &[String],
        pinned: Option<&str>,
    ) -> impl Future<Output = Result<Self, SourceError>> + Send;

    /// The server, however it was found.
    fn server(facts: &RootDse, url: &str) -> String;

    /// The directory that is read, whatever is read of it.
    fn directory(&self, bases: &[String], facts: &RootDse) -> DirectoryId;

    /// What people should know about what came.
    fn remarks(&self) -> Vec<String>;

    /// What decides which entries come, of these parts: bases, left out, user filter, group filter, account. It is kept, so its form
    /// never changes.
    fn scope(&self, parts: [&str; 5]) -> String;

    // Searches.

    /// The filters for users and for groups unless the configuration has others.
    const FILTERS: [&str; 2];
    /// The attribute that finds an entry by its DN.
    const DN: &str;
    /// The attributes that list members.
    const LISTS: &[&str];
    /// Whether a directory of this kind has aliases (X.501 section 9.9).
    const HAS_ALIASES: bool;
    /// Whether the root is read, and not naming contexts, unless the configuration has bases.
    const READS_ROOT: bool;
    /// Whether what an entry is below of is an entry itself.
    const PLACES_ARE_ENTRIES: bool;
    /// The name by which a search is divided that the server ends at a limit, if it is one that has no pages.
    const DIVIDES_BY: Option<&str>;

    /// How entries are asked for: by which anchor, and with which controls.
    fn asking(&self) -> Asking;

    /// Sent with each search of a read.
    fn controls() -> Vec<Control>;

    /// What is asked for of users or groups.
    fn attributes(&self, kind: EntryKind) -> Vec<String>;

    // Entries.

    /// Begins a read of everything. What finds the groups that are left out though the filter finds them, if there may be any.
    fn begin(&self) -> Option<String>;

    /// Notes one of these, before anything else comes.
    fn note_left_out(&self, raw: &Raw);

    /// What an entry says; `None` if it is not what was searched for.
    fn told(&self, raw: &Raw, wanted: EntryKind) -> Option<Change>;

    /// Takes a group of which more is to come; gives back everything else. It is asked of groups, and of what came among them.
    fn keep(&self, change: Change) -> Option<Change>;

    /// The groups that were kept, when all came.
    ///
    /// # Errors
    /// When by what came of the groups none of them can be believed.
    fn kept(&self) -> Result<Vec<Change>, SourceError>;

    /// Whether a list that came in parts can be read to its end.
    const COMPLETES_LISTS: bool;

    /// The whole list of a group of which a part came; `None` if it stays as it came. `came` is how many entries the read has
    /// brought, for messages.
    fn whole_list(
        connection: &mut Connection,
        raw: &Raw,
        came: u64,
    ) -> impl Future<Output = Result<Option<Members>, SourceError>> + Send;

    // Changes.

    /// How lists name members.
    const MEMBERS: MembersBy;
    /// Above so many changes everything is read.
    const MOST_CHANGES: usize;
    /// Whether everybody who is told to be deleted is. If not, they are looked up.
    const BELIEVES_DELETIONS: bool;
}
