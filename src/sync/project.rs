//! Projects snapshots to what a target should hold. Pure, except for reading the pinned snapshots.
//!
//! A projection looks at every entry, or goes on from what the one before it left ([`IncrementalState`]) and looks only at what may be
//! another thing now. Of what both look at they say the same.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::directory::SubjectKind;
use crate::store::StoreError;
use crate::store::link::Subjects;
use crate::sync::policy::Policy;

mod candidate;
mod collision;
mod connector;
mod doubt;
mod group;
mod incremental;
mod member;
mod name_index;
mod number_set;
mod projection;
#[cfg(test)]
mod tests;
mod user;
mod view;

use connector::ConnectorProjection;
pub(crate) use doubt::counts;
pub use incremental::{IncrementalState, Look};
pub use projection::{
    Group, Newcomer, Projection, QuarantineReason, Quarantined, Skipped, SubjectState, User,
};
pub use view::View;

/// What the target should hold under `policy` at this moment, given what it knows already. `views` are those of the
/// policy's connectors, in order.
///
/// Subjects that are new get numbers from `known.next` on, in the order of their rows.
///
/// # Errors
/// When the store cannot be read or is damaged.
pub fn project(
    policy: &Policy,
    views: &[&dyn View],
    known: &Subjects,
    now: Timestamp,
) -> Result<Projection, StoreError> {
    Projecting { policy, views, known, now }.on(&mut IncrementalState::default(), &Look::AtEverything)
}

/// What a projection is made of.
#[derive(Clone, Copy)]
pub struct Projecting<'a> {
    /// The rules.
    pub policy: &'a Policy,
    /// The policy's connectors, in order.
    pub views: &'a [&'a dyn View],
    /// Our objects at the target.
    pub known: &'a Subjects,
    /// What time it is.
    pub now: Timestamp,
}

impl Projecting<'_> {
    /// Looks, going on from `incremental`, and leaves there what the next one needs.
    ///
    /// # Errors
    /// When the store cannot be read or is damaged.
    pub fn on(self, incremental: &mut IncrementalState, look: &Look) -> Result<Projection, StoreError> {
        let Self { policy, views, known, now } = self;
        if *look == Look::AtEverything {
            *incremental = IncrementalState::new(views.len(), now);
        }
        let mut projection = Projection::default();
        let each = views.iter().zip(&policy.connectors).zip(&mut incremental.each);
        for (at, ((view, binding), state)) in each.enumerate() {
            let rows = match look {
                Look::AtEverything => None,
                Look::At(rows) => rows.get(at),
            };
            let projection = &mut projection;
            ConnectorProjection { policy, binding, view: *view, known, now, state, projection }
                .project(rows)?;
        }
        // A subject of which no connector has a row: nothing was read that could say anything about it.
        incremental.rowless.clear();
        let mut unread = BTreeMap::new();
        for subject in known.by_id.values() {
            let has_row = match subject.kind {
                SubjectKind::User => projection.users.contains_key(&subject.id),
                SubjectKind::Group => projection.groups.contains_key(&subject.id),
            };
            if has_row {
                continue;
            }
            incremental.rowless.insert(subject.id.0);
            // Of leavers it is known that they left.
            if let Some(link) = subject.link.as_ref().filter(|link| link.active && link.leaving.is_none()) {
                unread.insert(subject.id, Quarantined::unread(subject.kind, link.confirmed.name()));
            }
            match subject.kind {
                SubjectKind::User => drop(projection.users.insert(subject.id, SubjectState::Frozen)),
                SubjectKind::Group => drop(projection.groups.insert(subject.id, SubjectState::Frozen)),
            }
        }
        if !unread.is_empty() {
            // Those of another kind than before have a row, and are named already.
            for subject in incremental.each.iter().flat_map(|state| state.subjects.values()) {
                unread.remove(subject);
            }
            projection.quarantined.extend(unread.into_values());
        }
        incremental.now = now;
        for state in &incremental.each {
            projection.at_rest |= &state.rest;
        }
        Ok(projection)
    }
}
