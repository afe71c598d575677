//! The change feeds of a kind of directory: which one may be used, and what it tells.

use std::collections::HashMap;
use std::future::Future;

use super::computed::Untold;
use super::dialect::Dialect;
use super::feed::{Changes, Choice, Resume};
use super::output::Output;
use super::root_dse::RootDse;
use super::session::Session;
use crate::directory::Anchor;
use crate::source::SourceError;

/// The feeds of one kind of directory.
pub(super) trait Feeds: Dialect {
    /// Whether a feed is wanted at all.
    fn wants_feed(config: &Self::Config) -> bool;

    /// The best feed of this naming context that may be used, where it will resume, and what to say of it. It is asked before anything is read. With
    /// `resume` it may go on without a second look at the rights of the account.
    fn choose(
        session: &mut Session<Self>,
        context: &str,
        untold: &Untold,
        resume: Option<&Resume>,
    ) -> impl Future<Output = Result<Choice, SourceError>> + Send;

    /// What changed since; `None` if the feed does not say all of it any more.
    fn changes(
        session: &mut Session<Self>,
        context: &str,
        untold: &Untold,
        resume: &Resume,
    ) -> impl Future<Output = Result<Option<Changes>, SourceError>> + Send;

    /// What to say if it does not.
    fn not_told(facts: &RootDse) -> Option<String>;

    /// Whether something changed that has others in it, so that they may be called otherwise now. Those who came in this read are
    /// `there`.
    fn may_move_others(
        session: &mut Session<Self>,
        changes: &Changes,
        there: &HashMap<Anchor, String>,
        output: &Output,
    ) -> impl Future<Output = Result<bool, SourceError>> + Send;

    /// Whether deletions may have been kept from the account: then everybody who is there is listed.
    fn hides_deletions(session: &mut Session<Self>)
    -> impl Future<Output = Result<bool, SourceError>> + Send;
}
