//! Finds the entries that have a name.

use std::collections::HashMap;

use roaring::RoaringBitmap;

use crate::directory::EntryKind;
use crate::store::dense::Dense;
use crate::store::snapshot::{Presence, Row, RowId};

/// An index from names to rows.
#[derive(Debug, Default)]
pub(super) struct NameIndex {
    /// The holder of each name; if there are several, one of them.
    by_name: Dense<NameHolder>,
    /// Of names that several entries bear, all of those.
    contested: HashMap<u32, Vec<NameHolder>>,
}

/// An entry that has a name.
#[derive(Clone, Copy, Debug)]
pub(super) struct NameHolder {
    pub(super) row: RowId,
    precedence: Precedence,
    pub(super) is_group: bool,
}

/// Of two entries that bear one name, the one with the greater precedence is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Precedence {
    Gone,
    /// It could not be read, or was missed and not looked up: it is frozen under the names that it had.
    Frozen,
    There,
}

impl NameIndex {
    pub(super) fn note(&mut self, row: &Row) {
        let precedence = match row.presence {
            Presence::Present => Precedence::There,
            Presence::Unreadable(_) | Presence::Unsettled { .. } => Precedence::Frozen,
            Presence::Gone { .. } => Precedence::Gone,
        };
        let holder = NameHolder { row: row.id, precedence, is_group: row.entry.kind == EntryKind::Group };
        for name in &row.names {
            match self.by_name.at(name.0) {
                Some(first) => self.contested.entry(name.0).or_insert_with(|| vec![*first]).push(holder),
                none => *none = Some(holder),
            }
        }
    }

    /// Forgets what these rows are called.
    pub(super) fn forget(&mut self, rows: &RoaringBitmap) {
        for name in self.names_of(rows) {
            let others = self.contested.remove(&name).unwrap_or_default();
            let others: Vec<NameHolder> =
                others.into_iter().filter(|holder| !rows.contains(holder.row.0)).collect();
            *self.by_name.at(name) = others.first().copied();
            if others.len() > 1 {
                self.contested.insert(name, others);
            }
        }
    }

    /// What these rows are called.
    pub(super) fn names_of(&self, rows: &RoaringBitmap) -> RoaringBitmap {
        let held = self.by_name.iter().filter(|(_, holder)| rows.contains(holder.row.0));
        let mut names: RoaringBitmap = held.map(|(name, _)| name).collect();
        let contested = self.contested.iter();
        names.extend(
            contested
                .filter(|(_, all)| all.iter().any(|holder| rows.contains(holder.row.0)))
                .map(|(name, _)| *name),
        );
        names
    }

    /// Who is meant by a name: nobody if several bear it who are there.
    pub(super) fn of(&self, name: u32) -> Option<&NameHolder> {
        let Some(all) = self.contested.get(&name) else { return self.by_name.get(name) };
        let greatest = all.iter().map(|holder| holder.precedence).max()?;
        let meant = all.iter().filter(|holder| holder.precedence == greatest);
        if greatest == Precedence::There && meant.clone().count() > 1 {
            return None;
        }
        meant.min_by_key(|holder| holder.row)
    }

    /// Those who are there and bear a name that makes nobody a member, and ends nobody's membership.
    pub(super) fn sharing(&self, name: u32) -> Vec<RowId> {
        let all = self.contested.get(&name).map_or(&[][..], Vec::as_slice);
        let there: Vec<RowId> = all
            .iter()
            .filter(|holder| holder.precedence == Precedence::There)
            .map(|holder| holder.row)
            .collect();
        if there.len() > 1 { there } else { Vec::new() }
    }
}
