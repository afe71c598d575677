//! A policy that moves from one target to another, and back.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::mem::swap;
use std::time::Duration;

use rollcall::clock::Clock as _;
use rollcall::directory::{Key, SubjectId, TargetId};
use rollcall::sync::run::RunReport;

use super::{Life, connector, other, owner};
use crate::fake_target::Fake;
use crate::oracle::{Broken, demand};
use crate::place::{Objects, Place};

/// What is known of a target that was left is kept for so long.
const KEEPS: Duration = Duration::from_hours(30 * 24);

/// The target where the policy is not, and what of a life belongs to it.
pub(crate) struct Elsewhere {
    pub(super) place: Place,
    drift: BTreeSet<Key>,
    put_in: BTreeSet<TargetId>,
    rejected: bool,
    lost: bool,
    /// What was there when it was left.
    objects: Objects,
    /// What was known there, and when it was left; nothing where that was lost, or never was.
    known: Option<(Known, i64)>,
}

/// What is linked, and of whom something is open: both are forgotten together.
#[derive(PartialEq)]
struct Known {
    linked: BTreeMap<Key, TargetId>,
    open: BTreeSet<SubjectId>,
}

impl Elsewhere {
    /// A target where the policy never was.
    fn new() -> Self {
        let mut fake = Fake::new();
        "fake:https://elsewhere.example".clone_into(&mut fake.identity);
        Self {
            place: Place::Shared(Box::new(fake)),
            drift: BTreeSet::new(),
            put_in: BTreeSet::new(),
            rejected: false,
            lost: false,
            objects: Objects::new(),
            known: None,
        }
    }
}

impl Life {
    /// The policy is edited: from now on it is about the other target. It has not left this one before a run went there. What is
    /// left of a registry nobody sees.
    pub(super) fn r#move(&mut self) -> Result<(), Broken> {
        if !self.ran_here || matches!(self.place, Place::Registry) {
            return Ok(());
        }
        // While something is held, a policy stays where it is (`tests/it/apply.rs`).
        if !self.store.holds().unwrap().is_empty() {
            return Ok(());
        }
        let (known, objects) = (self.known(), self.objects());
        let mut to = self.elsewhere.take().unwrap_or_else(Elsewhere::new);
        swap(&mut self.place, &mut to.place);
        swap(&mut self.drift, &mut to.drift);
        swap(&mut self.put_in, &mut to.put_in);
        swap(&mut self.rejected, &mut to.rejected);
        swap(&mut self.lost, &mut to.lost);
        let was_known = to.known.replace((known, self.clock.passed()));
        to.objects = objects;
        self.elsewhere = Some(to);
        self.store_place = OnceCell::new();
        (self.moved, self.ran_here) = (true, false);
        // No approval survives, and what goes from here on goes elsewhere.
        self.void.extend(self.held.iter().cloned());
        self.approved.clear();
        self.removals.clear();
        self.left.clear();
        self.holding = None;
        self.put_aside.clear();
        self.waits = false;
        self.tell("the policy moves to the other target");
        let Some((known, since)) = was_known else { return Ok(()) };
        let now = self.known();
        if self.clock.passed() - since >= KEEPS.as_secs().cast_signed() {
            self.lost |= now != known;
            return Ok(());
        }
        demand(now == known, 5, || {
            let (were, are) = (known.linked.len(), now.linked.len());
            format!("it comes back within 30 days, and of {were} links {are} are known, or not what was open")
        })
    }

    fn known(&self) -> Known {
        let subjects = self.subjects();
        let linked =
            subjects.by_id.values().filter_map(|one| Some((one.key, one.link.as_ref()?.target.clone())));
        Known { linked: linked.collect(), open: self.in_doubt() }
    }

    /// What is at the target where the policy is not is as it was when it was left.
    pub(crate) fn check_elsewhere(&self) -> Result<(), Broken> {
        let Some(elsewhere) = &self.elsewhere else { return Ok(()) };
        let now = elsewhere.place.objects(&self.store, &owner());
        demand(now == elsewhere.objects, 3, || "the target that was left was changed".to_owned())
    }

    /// A run has ended: whoever moved has had the first one there, if it was a whole one.
    pub(super) fn note_first(&mut self, report: Option<&RunReport>, was_first_here: bool) {
        self.ran_here |= report.is_some();
        let is_whole = report.is_some_and(|report| report.failed.is_none());
        let is_over = is_whole || was_first_here && !self.is_first_here();
        if self.moved && is_over {
            self.moved = false;
            // What may be lost is counted anew from here on.
            self.knowledge.accept_losses();
        }
    }

    /// The store is lost, and with it what was known of the other target.
    pub(super) fn lose_elsewhere(&mut self) {
        let Some(elsewhere) = &mut self.elsewhere else { return };
        elsewhere.lost = true;
        elsewhere.known = None;
        elsewhere.objects = elsewhere.place.objects(&self.store, &owner());
    }

    /// What the operator does from time to time.
    pub(super) fn sweep(&mut self) {
        let there = BTreeSet::from([owner(), other()]);
        let (known, now) = (self.known(), self.clock.now());
        let forgotten =
            self.store.forget_absent(&there, &BTreeSet::from([connector()]), |_| true, now, KEEPS);
        if forgotten.unwrap() > 0 {
            self.store_place = OnceCell::new();
            // It has come back, and no run has gone there for so long.
            self.lost |= self.known() != known;
            self.tell("what was known of the target that was left is forgotten");
        }
    }
}
