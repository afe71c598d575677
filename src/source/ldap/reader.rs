//! A read of one server: of everything, or of what changed.
//!
//! A cursor comes in; changes go out in batches, and then the completion. Only the true end of every search makes one. A read of
//! changes that cannot be sure that it was told everything becomes a read of everything.

use std::collections::HashMap;

use self::hidden::Listed;
use super::computed::Untold;
use super::dialect::Dialect;
use super::feed::{Choice, Resume};
use super::feeds::Feeds;
use super::output::Output;
use super::search::{Search, SearchItem};
use super::session::Session;
use crate::directory::{Anchor, Completion, EntryKind, Mode};
use crate::source::schema::{self, EntrySchema};
use crate::source::{Sink, SourceError};
use crate::words::count;

mod again;
mod changes;
mod entries;
mod hidden;
mod primary;
mod renamed;

/// A read under way.
pub(super) struct Reader<'s, D: Dialect> {
    session: &'s mut Session<D>,
    output: Output,
    untold: Untold,
    /// Some whom groups list.
    listed: Listed,
    /// Who came in a read of changes, and under what DN.
    there: HashMap<Anchor, String>,
    /// Whose primary group is which, of those who came.
    primaries: D::Primaries,
    /// Whether somebody hides theirs, if that was asked.
    hides_primary_group: Option<bool>,
    /// What people should know about this read.
    notices: Vec<String>,
}

impl<'s, D: Feeds> Reader<'s, D> {
    pub(super) fn new(session: &'s mut Session<D>, sink: Sink) -> Self {
        let untold = Untold::of(session.filters(), &session.shared().literal, &session.contexts());
        Self {
            session,
            output: Output::new(sink),
            untold,
            listed: Listed::default(),
            there: HashMap::new(),
            primaries: D::Primaries::default(),
            hides_primary_group: None,
            notices: Vec::new(),
        }
    }

    /// Reads what changed, if a feed still tells that; otherwise everything.
    pub(super) async fn read(mut self, resume: Option<Resume>) -> Result<Completion, SourceError> {
        let mut choice = self.choose(resume.as_ref()).await?;
        if let (Some(resume), Some(next)) = (&resume, &choice.next)
            && resume.goes_on_as(next)
            && let Some(context) = self.session.only_context()
        {
            let mut not_told = None;
            if let Some(changes) = D::changes(self.session, &context, &self.untold, resume).await? {
                if let Some(mode) = self.read_changes(&changes, resume.after_all).await? {
                    self.output.flush().await?;
                    choice.next = Some(resume.at(changes.place));
                    return Ok(self.completion(mode, choice));
                }
            } else {
                not_told = D::not_told(&self.session.facts);
            }
            // Nothing that was learnt of these changes counts for a read of everything.
            let (sink, notices) = (self.output.sink.clone(), self.notices);
            self = Self { notices, ..Self::new(self.session, sink) };
            choice = self.choose(None).await?;
            if let (Some(reason), Some(_)) = (not_told, &choice.next) {
                choice.feed.reason = reason;
            }
        }
        self.read_all(choice).await
    }

    /// Chooses a feed, which resumes where the directory is now.
    async fn choose(&mut self, resume: Option<&Resume>) -> Result<Choice, SourceError> {
        if !D::wants_feed(&self.session.config) {
            return Ok(Choice::none(""));
        }
        if let Some(reason) = self.untold.needs_all() {
            return Ok(Choice::none(reason));
        }
        let Some(context) = self.session.only_context() else {
            let why =
                "baseDNs are in several naming contexts, and a feed covers one: use a connector for each";
            return Ok(Choice::none(why));
        };
        D::choose(self.session, &context, &self.untold, resume).await
    }

    async fn read_all(mut self, choice: Choice) -> Result<Completion, SourceError> {
        self.note_left_out().await?;
        self.entries(EntryKind::User, None).await?;
        self.entries(EntryKind::Group, None).await?;
        self.output.flush().await?;
        let not_read = self.untold.links.not_seen();
        self.untold.links.miss(not_read);
        if D::HAS_ALIASES {
            self.note_aliases().await;
        }
        let listed = std::mem::take(&mut self.listed);
        self.notices.extend(listed.notice(self.session).await);
        if self.output.referrals > 0 {
            let these = self.output.references.join(", ");
            self.notices.push(format!(
                "{} not followed ({these}); each of these servers needs its own connector",
                count(
                    self.output.referrals,
                    "reference to another server was",
                    "references to other servers were"
                )
            ));
        }
        Ok(self.completion(Mode::Full, choice))
    }

    /// Says how many aliases there are. They are not followed, so the entries that they stand for may not be read.
    async fn note_aliases(&mut self) {
        let mut count = 0_u64;
        for base in self.session.bases.clone() {
            let query = self.session.query(base, "(objectClass=alias)".to_owned(), vec!["1.1".to_owned()]);
            let mut search = Search::new(&mut self.session.connection, query);
            // What cannot be counted does not fail the read.
            while let Ok(Some(found)) = search.next(0).await {
                count += u64::from(matches!(found, SearchItem::Entry(_)));
            }
        }
        if count > 0 {
            self.notices.push(schema::aliases(count));
        }
    }

    fn completion(self, mode: Mode, choice: Choice) -> Completion {
        let Self { session, untold, notices, .. } = self;
        let Choice { mut next, mut feed } = choice;
        if let Some(reason) = untold.needs_all().filter(|_| D::wants_feed(&session.config)) {
            // What came says so.
            Choice { next, feed } = Choice::none(reason);
        }
        let (notice, remarks) = (session.facts.notice(&session.connection.url), session.dialect.remarks());
        Completion {
            mode,
            directory: session.dialect.directory(&session.bases, &session.facts),
            id: Some(session.asking.attribute.clone()),
            server: Some(session.server()),
            cursor: next.and_then(|next| next.cursor()),
            fields: EntrySchema::fields(),
            attributes: session.shared().literal.clone(),
            scope: session.scope(),
            notices: session
                .connection
                .skipped
                .iter()
                .cloned()
                .chain(notices)
                .chain(remarks)
                .chain(notice)
                .collect(),
            vendor: session.facts.vendor(),
            feed: Some(feed),
            shown: session.facts.shown(&session.connection),
        }
    }
}
