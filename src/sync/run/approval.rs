//! What approvals do in a run.

use std::collections::{BTreeSet, HashSet};

use jiff::Timestamp;

use super::options::Options;
use crate::store::hold::{Hold, Identity, Line};
use crate::store::link::Place;
use crate::store::{Store, StoreError};
use crate::sync::guard::Guarded;

/// What became of an approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Approval {
    /// It names a hold of this policy; what of it is still planned may go.
    Accepted,
    /// It names no hold of this policy.
    Unknown,
    /// It names one that was made under another spec.
    Outdated,
    /// It names what no approval settles.
    Unprovable,
    /// It names what is held at the target of before: the policy moves to another one nevertheless.
    Moves,
}

/// Takes note of an approval of the hold that `digest` names, of this place and under this spec: one that was shown before, or
/// the one of just now. Returns what of it may go, if anything.
pub(super) fn give(
    store: &Store,
    (place, spec_hash): (Place, &str),
    digest: &str,
    current: Option<&Hold>,
    options: &Options,
    now: Timestamp,
) -> Result<(Option<Hold>, Approval), StoreError> {
    let shown = store.hold(place, digest)?;
    let is_new = shown.is_none();
    let Some(hold) = shown.or_else(|| current.filter(|hold| hold.digest == digest).cloned()) else {
        return Ok((None, Approval::Unknown));
    };
    if hold.spec_hash != spec_hash || !hold.is_named() {
        return Ok((None, Approval::Outdated));
    }
    if !hold.lines.iter().any(Line::can_be_approved) {
        return Ok((None, Approval::Unprovable));
    }
    if !options.preview {
        if is_new {
            store.save_hold(place, Some(hold.clone()), now)?;
        }
        store.approve(place, &hold, options.approved_by.as_deref(), now)?;
    }
    Ok((Some(Hold { approved_by: options.approved_by.clone(), ..hold }), Approval::Accepted))
}

/// What approvals that hold do in a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Approved {
    /// Who approved, as far as is known.
    pub by: BTreeSet<String>,
    /// How many operations they name.
    pub named: u64,
    /// How many of those are held all the same, since what they rest on is still to be looked up.
    pub held: u64,
    /// How many steps are let go by them, and by nothing else.
    pub steps: u64,
}

impl Approved {
    pub(super) fn of(holds: &[Hold], guarded: &Guarded) -> Self {
        let named: HashSet<Identity> =
            holds.iter().flat_map(|hold| &hold.lines).map(Line::identity).collect();
        let held = guarded.hold.iter().flat_map(|hold| &hold.lines);
        Self {
            by: holds.iter().filter_map(|hold| hold.approved_by.clone()).collect(),
            named: named.len() as u64,
            held: held.filter(|line| named.contains(&line.identity())).count() as u64,
            steps: guarded.execute.iter().filter(|step| step.approved).count() as u64,
        }
    }
}
