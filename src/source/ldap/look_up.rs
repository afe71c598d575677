//! Looks up entries that a read did not return.
//!
//! Nobody is missing because a server said nothing: its answer must have come to its end, hold nothing that could be the one who was
//! asked for, and be confirmed in the way of the dialect.

use std::collections::HashMap;
use std::future::Future;

use super::ask::{self, AT_ONCE, Asking, Seen, Unread};
use super::dialect::Dialect;
use super::fetch;
use super::filter::in_brackets;
use super::session::Session;
use super::wire::Scope;
use crate::directory::{Anchor, Dn, OfNoKind};
use crate::source::{LookUp, Reason, SourceError};

/// So many places of those who are missing are asked for in one look-up.
const PLACES: usize = 100;

/// Those who are there and are not read.
#[derive(Default)]
pub(super) struct Left {
    /// By their place, or by the filters.
    pub(super) outside: Vec<Anchor>,
    /// By their classes.
    pub(super) of_no_kind: Vec<OfNoKind>,
    /// Whether there are some of whom that cannot be told.
    pub(super) unclear: bool,
}

/// How one kind of directory confirms that somebody is gone.
pub(super) trait LookUps: Dialect {
    /// Whether it means anything that a search for an anchor finds nobody.
    fn finds_by_anchor(session: &mut Session<Self>)
    -> impl Future<Output = Result<bool, SourceError>> + Send;

    /// Whether the server confirms that nobody with this anchor is there. `dn` is what the entry was called, if that is known.
    fn is_gone(
        session: &mut Session<Self>,
        anchor: &Anchor,
        dn: Option<&str>,
    ) -> impl Future<Output = Result<bool, SourceError>> + Send;
}

/// Whether who is there is found by the id: else that somebody is not found says nothing.
pub(super) async fn finds_by_anchor<D: Dialect>(session: &mut Session<D>) -> Result<bool, SourceError> {
    let asking = session.asking.clone();
    let filters = session.filters().map(in_brackets);
    let mut finds = false;
    for base in &session.bases {
        let connection = &mut session.connection;
        if asking.is_by_dn() {
            let any = "(objectClass=*)";
            finds |= fetch::one(connection, base, any, Scope::Base, &["1.1"]).await?.is_some();
            continue;
        }
        let mut known = false;
        for filter in &filters {
            match asking.works(connection, base, filter).await? {
                Some(true) => known = true,
                Some(false) => return Ok(false),
                None => {}
            }
        }
        // Where there is neither user nor group, anything will do. It is no search that every server does.
        known = known
            || match asking.works(connection, base, "(objectClass=*)").await {
                Ok(works) => works == Some(true),
                Err(error) if matches!(error.reason, Reason::AccessDenied | Reason::LimitExceeded) => false,
                Err(error) => return Err(error),
            };
        finds |= known;
    }
    Ok(finds)
}

/// Whether the server says that an entry with this anchor is not under the DN that it had. Where ids are the DNs, that was asked
/// already.
pub(super) async fn is_gone<D: Dialect>(
    session: &mut Session<D>,
    anchor: &Anchor,
    dn: Option<&str>,
) -> Result<bool, SourceError> {
    match dn {
        Some(dn) if !session.asking.is_by_dn() => {
            ask::has_left(&mut session.connection, &session.asking.attribute, anchor, dn).await
        }
        _ => Ok(true),
    }
}

impl<D: LookUps> Session<D> {
    /// Looks these up. `called` are the DNs that they had, as far as those are known.
    pub(super) async fn look_up(
        &mut self,
        anchors: &[Anchor],
        called: &HashMap<Anchor, String>,
    ) -> Result<LookUp, SourceError> {
        let (asking, contexts) = (self.asking.clone(), self.contexts());
        let mut answer = LookUp { server: Some(self.server()), ..LookUp::default() };
        let mut finds = None;
        for some in anchors.chunks(AT_ONCE) {
            // An account that may not search the naming contexts searches what it reads.
            let settled = match asking.settle(&mut self.connection, (&contexts, None), some).await {
                Err(error) if matches!(error.reason, Reason::AccessDenied | Reason::NotFound) => {
                    asking.settle(&mut self.connection, (&self.bases, None), some).await?
                }
                settled => settled?,
            };
            answer.called.extend(settled.there.iter().map(|(one, seen)| (one.clone(), seen.called())));
            // One that the read should have brought came, moved or changed while it went on: the next read brings it.
            let left = self.left(&asking, &settled.there).await?;
            answer.found.extend(left.outside);
            answer.of_no_kind.extend(left.of_no_kind);
            if settled.missing.is_empty() {
                continue;
            }
            if finds.is_none() {
                finds = Some(D::finds_by_anchor(self).await?);
            }
            if finds != Some(true) {
                continue;
            }
            for one in some.iter().filter(|one| settled.missing.contains(*one)) {
                if D::is_gone(self, one, called.get(one).map(String::as_str)).await? {
                    answer.missing.push(one.clone());
                }
            }
        }
        if D::PLACES_ARE_ENTRIES {
            self.orphans(&mut answer, called).await?;
        }
        Ok(answer)
    }

    /// Adds those of `missing` of whom the server says that the entry right above them is not there either. Who was in which
    /// place is known by the DN that they had.
    async fn orphans(
        &mut self,
        answer: &mut LookUp,
        called: &HashMap<Anchor, String>,
    ) -> Result<(), SourceError> {
        let mut gone: HashMap<String, bool> = HashMap::new();
        for one in &answer.missing {
            let dn = called.get(one).and_then(|dn| Dn::parse(dn).ok());
            let Some(place) = dn.as_ref().and_then(|dn| dn.ancestors().next()) else { continue };
            let is_gone = match gone.get(place) {
                Some(is_gone) => *is_gone,
                None if gone.len() == PLACES => continue,
                None => {
                    let is_gone = ask::is_nothing_at(&mut self.connection, place).await?;
                    gone.insert(place.to_owned(), is_gone);
                    is_gone
                }
            };
            answer.orphans.extend(is_gone.then(|| one.clone()));
        }
        Ok(())
    }
}

impl<D: Dialect> Session<D> {
    /// Those of them who are not read, though they are there.
    pub(super) async fn left(
        &mut self,
        asking: &Asking,
        there: &HashMap<Anchor, Seen>,
    ) -> Result<Left, SourceError> {
        let mut left = Left::default();
        if there.is_empty() {
            return Ok(left);
        }
        let (either, by_classes) = (self.either(), ask::by_classes(self.shared()));
        let all: Vec<Anchor> = there.keys().cloned().collect();
        let read = (self.bases.as_slice(), Some(either.as_str()));
        let within = asking.settle(&mut self.connection, read, &all).await?;
        for (one, seen) in there {
            match seen.unread(&self.bases) {
                _ if asking.leaves_out(&seen.dn) => left.outside.push(one.clone()),
                Unread::Outside if within.missing.contains(one) => left.outside.push(one.clone()),
                Unread::OfNoKind if within.missing.contains(one) => {
                    left.of_no_kind.push(seen.of_no_kind(one, by_classes));
                }
                _ => left.unclear |= !within.there.contains_key(one),
            }
        }
        Ok(left)
    }
}
