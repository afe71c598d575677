//! Which entry bears which name.

use std::collections::HashMap;

use roaring::RoaringBitmap;

use crate::directory::Kind;
use crate::store::dense::Dense;
use crate::store::snapshot::{Presence, Row, RowId};

/// Which row bears which name.
#[derive(Debug, Default)]
pub(super) struct Bearers {
    /// The bearer of each name; if there are several, one of them.
    by_name: Dense<Bearer>,
    /// Of names that several entries bear, all of those.
    contested: HashMap<u32, Vec<Bearer>>,
}

/// An entry that bears a name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bearer {
    pub(super) row: RowId,
    claim: Claim,
    pub(super) is_group: bool,
}

/// Of two entries that bear one name, the one with the greater claim is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Claim {
    Gone,
    /// It could not be read, or was missed and not looked up: it is frozen under the names that it had.
    Frozen,
    There,
}

impl Bearers {
    pub(super) fn note(&mut self, row: &Row) {
        let claim = match row.presence {
            Presence::Present => Claim::There,
            Presence::Unreadable(_) | Presence::Unsettled { .. } => Claim::Frozen,
            Presence::Gone { .. } => Claim::Gone,
        };
        let bearer = Bearer { row: row.id, claim, is_group: row.entry.kind == Kind::Group };
        for name in &row.names {
            match self.by_name.at(name.0) {
                Some(first) => self.contested.entry(name.0).or_insert_with(|| vec![*first]).push(bearer),
                none => *none = Some(bearer),
            }
        }
    }

    /// Forgets what these rows are called.
    pub(super) fn forget(&mut self, rows: &RoaringBitmap) {
        for name in self.names_of(rows) {
            let others = self.contested.remove(&name).unwrap_or_default();
            let others: Vec<Bearer> =
                others.into_iter().filter(|bearer| !rows.contains(bearer.row.0)).collect();
            *self.by_name.at(name) = others.first().copied();
            if others.len() > 1 {
                self.contested.insert(name, others);
            }
        }
    }

    /// What these rows are called.
    pub(super) fn names_of(&self, rows: &RoaringBitmap) -> RoaringBitmap {
        let borne = self.by_name.iter().filter(|(_, bearer)| rows.contains(bearer.row.0));
        let mut names: RoaringBitmap = borne.map(|(name, _)| name).collect();
        let contested = self.contested.iter();
        names.extend(
            contested
                .filter(|(_, all)| all.iter().any(|bearer| rows.contains(bearer.row.0)))
                .map(|(name, _)| *name),
        );
        names
    }

    /// Who is meant by a name: nobody if several bear it who are there.
    pub(super) fn of(&self, name: u32) -> Option<&Bearer> {
        let Some(all) = self.contested.get(&name) else { return self.by_name.get(name) };
        let greatest = all.iter().map(|bearer| bearer.claim).max()?;
        let meant = all.iter().filter(|bearer| bearer.claim == greatest);
        if greatest == Claim::There && meant.clone().count() > 1 {
            return None;
        }
        meant.min_by_key(|bearer| bearer.row)
    }

    /// Those who are there and bear a name that makes nobody a member, and ends nobody's membership.
    pub(super) fn sharing(&self, name: u32) -> Vec<RowId> {
        let all = self.contested.get(&name).map_or(&[][..], Vec::as_slice);
        let there: Vec<RowId> =
            all.iter().filter(|bearer| bearer.claim == Claim::There).map(|bearer| bearer.row).collect();
        if there.len() > 1 { there } else { Vec::new() }
    }
}
