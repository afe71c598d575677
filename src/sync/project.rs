//! From snapshots to what a target should hold. Pure, but for reading the pinned snapshots.
//!
//! A projection looks at every entry, or goes on from what the one before it left ([`Basis`]) and looks only at what may be
//! another thing now. Of what both look at they say the same.

use jiff::Timestamp;
use roaring::RoaringBitmap;

use crate::directory::SubjectKind;
use crate::store::StoreError;
use crate::store::link::Subjects;
use crate::store::snapshot::{Edges, Row, RowId, SnapshotInfo};
use crate::sync::policy::Policy;

mod basis;
mod bearer;
mod candidate;
mod collision;
mod connector;
mod doubt;
mod group;
mod member;
mod projection;
#[cfg(test)]
mod tests;
mod user;

pub use basis::Basis;
use basis::Ground;
use connector::One;
pub use projection::{Group, Newcomer, Projection, QuarantineReason, Quarantined, Skipped, User, Verdict};

/// A sealed snapshot, pinned: what a projection reads.
pub trait View {
    /// What is known about it as a whole.
    fn info(&self) -> &SnapshotInfo;
    /// Every row, gone ones included, by ascending number.
    fn for_each_row(&self, each: &mut dyn FnMut(Row)) -> Result<(), StoreError>;
    /// Those of these rows that it has, gone ones included, by ascending number.
    fn rows(&self, rows: &RoaringBitmap, each: &mut dyn FnMut(Row)) -> Result<(), StoreError>;
    /// The rows that are not what they were in the snapshot of that sequence; `None` if that is not known.
    fn changed_since(&self, sequence: u64) -> Option<RoaringBitmap>;
    /// A group's direct members, as stated.
    fn edges(&self, group: RowId) -> Result<Edges, StoreError>;
}

/// What the target should hold under `policy` at this moment, given what it knows already. `views` are those of the
/// policy's connectors, in order.
///
/// Subjects that are new get numbers from `known.next` on, in the order of their rows.
pub fn project(
    policy: &Policy,
    views: &[&dyn View],
    known: &Subjects,
    now: Timestamp,
) -> Result<Projection, StoreError> {
    let (mut basis, scope) = (Basis::default(), Scope::Everything);
    Projecting { policy, views, known, now }.on(&mut basis, &scope)
}

/// What a projection looks at.
#[derive(Clone, Debug, PartialEq)]
pub enum Scope {
    /// Every entry.
    Everything,
    /// These rows of each view, as [`Basis::scope`] says; then only those have to be known whom [`Basis::whom`] names.
    At(Vec<RoaringBitmap>),
}

/// What a projection is made of.
#[derive(Clone, Copy)]
pub struct Projecting<'a> {
    /// The rules.
    pub policy: &'a Policy,
    /// The policy's connectors, in order.
    pub views: &'a [&'a dyn View],
    /// What the target holds.
    pub known: &'a Subjects,
    /// What time it is.
    pub now: Timestamp,
}

impl Projecting<'_> {
    /// Projects what is in the scope, going on from `basis`, and leaves there what the next one needs.
    pub fn on(self, basis: &mut Basis, scope: &Scope) -> Result<Projection, StoreError> {
        let Self { policy, views, known, now } = self;
        if *scope == Scope::Everything {
            *basis = Basis { grounds: views.iter().map(|_| Ground::default()).collect(), ..Basis::default() };
        }
        let mut projection = Projection::default();
        let grounds = basis.grounds.iter_mut();
        for (at, ((view, vouching), ground)) in views.iter().zip(&policy.connectors).zip(grounds).enumerate()
        {
            let rows = match scope {
                Scope::Everything => None,
                Scope::At(rows) => rows.get(at),
            };
            let projection = &mut projection;
            One { policy, vouching, view: *view, known, now, ground, projection }.project(rows)?;
        }
        // A subject of which no connector has a row: nothing was read that could say anything about it.
        basis.rowless.clear();
        for subject in known.by_id.values() {
            let has_row = match subject.kind {
                SubjectKind::User => projection.users.contains_key(&subject.id),
                SubjectKind::Group => projection.groups.contains_key(&subject.id),
            };
            if has_row {
                continue;
            }
            basis.rowless.insert(subject.id.0);
            match subject.kind {
                SubjectKind::User => drop(projection.users.insert(subject.id, Verdict::Frozen)),
                SubjectKind::Group => drop(projection.groups.insert(subject.id, Verdict::Frozen)),
            }
        }
        basis.now = now;
        for ground in &basis.grounds {
            projection.at_rest |= &ground.rest;
        }
        Ok(projection)
    }
}
