//! Creates a guarded plan from snapshots: the part of a run that only reads, and what must be stored before anything is
//! done.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use roaring::RoaringBitmap;

use super::approval::{self, Approval, Approved};
use super::options::Options;
use super::over::over;
use super::state::RunState;
use super::still_held::{HoldReview, StillHeld};
use super::stop::Until;
use crate::directory::{ConnectorName, Key, Owner, SubjectId};
use crate::store::hold::{Hold, Line};
use crate::store::link::{Place, Subject, Subjects};
use crate::store::policy::{Baseline, PolicyState};
use crate::store::snapshot::{Snapshot, SnapshotInfo};
use crate::store::{Store, StoreError};
use crate::sync::guard::{self, Guarded};
use crate::sync::import::coverage;
use crate::sync::plan::{self, Action, Freshness, Plan, Planned, Previous};
use crate::sync::policy::{ConnectorBinding, Policy};
use crate::sync::project::{
    IncrementalState, Look, Newcomer, Projecting, Projection, Quarantined, Skipped, SubjectState, View,
    counts, project,
};

/// What a draft is made of.
pub(super) struct Drafting {
    pub(super) store: Store,
    pub(super) place: Place,
    /// Those of whom something has to be known.
    pub(super) subjects: Subjects,
    /// What is linked beside them.
    pub(super) elsewhere: Baseline,
    pub(super) policy: Arc<Policy>,
    pub(super) rebuild: fn(&str) -> Option<Policy>,
    pub(super) options: Options,
    pub(super) now: Timestamp,
}

/// A judged plan, with what it was made from.
pub(super) struct Draft {
    /// Those of whom something had to be known, newcomers included.
    pub(super) subjects: Subjects,
    /// What is linked beside them.
    pub(super) elsewhere: Baseline,
    /// For the next projection.
    pub(super) incremental: IncrementalState,
    /// What was looked at.
    pub(super) look: Look,
    /// What is known of what was read.
    pub(super) infos: Vec<SnapshotInfo>,
    pub(super) quarantined: Vec<Quarantined>,
    pub(super) skipped: Skipped,
    /// Without its steps, of which those that may go are in `guarded`.
    pub(super) plan: Plan,
    /// How much of the plan depends on fields that were lost by many at once.
    pub(super) doubtful: u64,
    /// Who lost such a field, and of whom nothing can be said, or nothing was done about that they seem to be gone.
    pub(super) open: BTreeSet<SubjectId>,
    pub(super) guarded: Guarded,
    pub(super) vouched: Freshness,
    /// Connectors that failed, or were last read longer ago than the policy allows.
    pub(super) stale: Vec<ConnectorName>,
    /// What became of the approval that was given with this run.
    pub(super) approval: Option<Approval>,
    /// What approvals that hold do in it.
    pub(super) approved: Approved,
}

/// What the target should hold by the specs that were applied last.
enum Before {
    /// They are those of now, or there are none.
    Same,
    Other(Box<Projection>),
    Unknown,
}

/// What plans are made of, beside a projection and what is known.
struct Planner {
    policy: Arc<Policy>,
    previous: Before,
    vouched: Freshness,
    first_run: bool,
    now: Timestamp,
}

impl Planner {
    fn plan(&self, projection: &Projection, subjects: &Subjects) -> Plan {
        plan::plan(plan::Input {
            policy: &self.policy,
            projection,
            previous: match &self.previous {
                Before::Same => Previous::Same,
                Before::Other(projection) => Previous::Other(projection),
                Before::Unknown => Previous::Unknown,
            },
            subjects,
            freshness: self.vouched,
            first_run: self.first_run,
            now: self.now,
        })
    }
}

/// What was held until now, and what it is judged by.
struct Held<'a> {
    before: Option<Hold>,
    /// By the spec that it was held under, if that is another one and can be made again.
    then: Option<&'a Projection>,
    now: &'a Projection,
    fresh: bool,
}

/// What is said of a hold that was approved once.
const OVER: &str = "; the approval that this digest was given is over (it was executed, or is older than 24 hours): approve it anew";

fn connectors(policy: &Policy) -> Vec<ConnectorName> {
    policy.connectors.iter().map(|binding| binding.connector.clone()).collect()
}

/// Who lost a field with many others, and what follows is not planned: nobody has approved anything of theirs.
fn open(projection: &Projection, plan: &Plan) -> BTreeSet<SubjectId> {
    let planned: BTreeSet<SubjectId> = plan.steps.iter().map(|step| step.subject).collect();
    let is_kept = |subject: &SubjectId| {
        matches!(projection.users.get(subject), Some(SubjectState::Keep(_)))
            || matches!(projection.groups.get(subject), Some(SubjectState::Keep(_)))
    };
    let lost = projection.doubtful.keys().copied();
    lost.filter(|subject| {
        !is_kept(subject) && !planned.contains(subject) && !plan.leaving.contains_key(subject)
    })
    .collect()
}

/// The keys of newcomers. An entry of another name of its directory, of before or of another connector, may have the key already: then it
/// is not the newcomer's.
fn keys_of(
    owner: &Owner,
    newcomers: &[Newcomer],
    in_use: impl Fn(&BTreeSet<Key>) -> Result<BTreeSet<Key>, StoreError>,
) -> Result<Vec<Key>, StoreError> {
    let own = |newcomer: &Newcomer| Key::new(owner, &newcomer.anchor.0, &newcomer.anchor.1);
    let mut taken = in_use(&newcomers.iter().flat_map(|one| [one.key, own(one)]).collect())?;
    let mut keys: Vec<Key> = newcomers.iter().map(|one| one.key).collect();
    // First those who have one only.
    let all = newcomers.iter().zip(&mut keys);
    let (only, others): (Vec<_>, Vec<_>) = all.partition(|(newcomer, key)| own(newcomer) == **key);
    for (newcomer, key) in only.into_iter().chain(others) {
        if taken.insert(*key) {
            continue;
        }
        *key = own(newcomer);
        while !taken.insert(*key) {
            *key = key.beside();
            taken.extend(in_use(&BTreeSet::from([*key]))?);
        }
    }
    Ok(keys)
}

impl Drafting {
    /// The error says why there is none.
    pub(super) fn draft(mut self, before: Option<RunState>) -> Result<Result<Draft, String>, StoreError> {
        let mut snapshots = Vec::with_capacity(self.policy.connectors.len());
        for binding in &self.policy.connectors {
            let Some(mut snapshot) = self.store.snapshot(&binding.connector)? else {
                let why = format!(
                    "{} was never read to its end, so there is nothing to work with",
                    binding.connector
                );
                return Ok(Err(why));
            };
            let accepted = self.store.accepted_losses(self.place, &binding.connector)?;
            let mut tripped = coverage::without(&snapshot.info().tripped, &accepted);
            // What the policy does not read is no reason to look at everybody.
            counts(&self.policy, binding, &mut tripped);
            snapshot.set_tripped(tripped);
            snapshots.push(snapshot);
        }
        let stop = &self.options.stop;
        let until = snapshots.iter().map(|view| Until { view, stop: stop.clone() }).collect::<Vec<_>>();
        let views: Vec<&dyn View> = until.iter().map(|view| view as &dyn View).collect();
        let state = self.store.policy_state(self.place)?;
        let held = self.store.current_hold(self.place)?;
        // What is held is judged of everybody whom it names, whether anything of theirs changed or not.
        let before = before.filter(|_| held.is_none());
        let (projection, incremental, look) = self.project(before, &views, &state)?;
        let previous = self.previous(&state, &views)?;
        let outdated = self.stale(&snapshots);
        let completion =
            snapshots.iter().map(|snapshot| snapshot.info().completion).min().unwrap_or_default();
        let vouched = Freshness { completion, fresh: outdated.is_empty() };
        let planner = Planner {
            policy: self.policy.clone(),
            previous,
            vouched,
            first_run: state.first_complete_at.is_none(),
            now: self.now,
        };
        #[cfg(debug_assertions)]
        if look != Look::AtEverything {
            self.compare(&planner, &views, &projection)?;
        }
        self.admit(&projection)?;
        let mut plan = planner.plan(&projection, &self.subjects);
        let then = held.as_ref().map(|held| self.then(held, &views)).transpose()?.flatten();
        let held = Held { before: held, then: then.as_ref(), now: &projection, fresh: vouched.fresh };
        let (guarded, approval, approved) = self.guard(&plan, &state, &held)?;
        // A hundred thousand contents need not be kept three times while they are applied.
        let doubtful = Draft::doubtful(&plan.steps) + plan.doubtful.len() as u64;
        let open = open(&projection, &plan);
        plan.steps = Vec::new();
        let Projection { quarantined, skipped, .. } = projection;
        Ok(Ok(Draft {
            subjects: self.subjects,
            elsewhere: self.elsewhere,
            incremental,
            look,
            // The snapshots themselves are let go: the next import may clear away behind them.
            infos: snapshots.iter().map(|snapshot| snapshot.info().clone()).collect(),
            quarantined,
            skipped,
            plan,
            doubtful,
            open,
            guarded,
            vouched,
            stale: outdated,
            approval,
            approved,
        }))
    }

    /// What the target should hold, of all or of what changed since a run left `before`.
    fn project(
        &mut self,
        before: Option<RunState>,
        views: &[&dyn View],
        state: &PolicyState,
    ) -> Result<(Projection, IncrementalState, Look), StoreError> {
        let before = before.filter(|before| before.serves(&self.policy, self.place, state));
        let linked = before.as_ref().map(|before| before.linked);
        let mut incremental = before.map_or_else(IncrementalState::default, |before| before.projection);
        let look = incremental.look(&self.policy, views, self.now)?;
        self.subjects = match &look {
            Look::AtEverything => self.store.subjects(self.place)?,
            Look::At(_) => self.store.subjects_of(self.place, &incremental.whom(&look))?,
        };
        let projecting = Projecting { policy: &self.policy, views, known: &self.subjects, now: self.now };
        let projection = projecting.on(&mut incremental, &look)?;
        if let (Look::At(_), Some(linked)) = (&look, linked) {
            let lacking = self.subjects.lacks(&projection.members_to_know(&self.subjects));
            self.subjects.add(self.store.subjects_of(self.place, &lacking)?);
            self.elsewhere = linked.without(Baseline::of(&self.subjects, self.now));
        }
        Ok((projection, incremental, look))
    }

    /// Where debug assertions are on, what came of looking at what changed is compared with what comes of looking at
    /// everything.
    #[cfg(debug_assertions)]
    fn compare(
        &self,
        planner: &Planner,
        views: &[&dyn View],
        projection: &Projection,
    ) -> Result<(), StoreError> {
        let known = self.store.subjects(self.place)?;
        let mut all = project(&self.policy, views, &known, self.now)?;
        debug_assert_eq!(planner.plan(projection, &self.subjects), planner.plan(&all, &known));
        all.users.retain(|subject, _| projection.users.contains_key(subject));
        all.groups.retain(|subject, _| projection.groups.contains_key(subject));
        debug_assert_eq!(*projection, all);
        Ok(())
    }

    fn previous(&self, state: &PolicyState, views: &[&dyn View]) -> Result<Before, StoreError> {
        let before = state.applied_spec.as_deref().filter(|applied| **applied != *self.policy.spec_json);
        let Some(before) = before else { return Ok(Before::Same) };
        let Some(before) = (self.rebuild)(before) else { return Ok(Before::Unknown) };
        // Another connector is another directory: there the two cannot be compared.
        if connectors(&before) != connectors(&self.policy) {
            return Ok(Before::Unknown);
        }
        project(&before, views, &self.subjects, self.now)
            .map(|projection| Before::Other(Box::new(projection)))
    }

    /// Whether something was held under the spec of now.
    fn is_of_now(&self, held: &Hold) -> bool {
        match &held.spec {
            Some(spec) => **spec == *self.policy.spec_json,
            None => held.spec_hash == self.policy.spec_hash,
        }
    }

    /// What the target should hold by the spec that something was held under, if it is another one.
    fn then(&self, held: &Hold, views: &[&dyn View]) -> Result<Option<Projection>, StoreError> {
        let then = held.spec.as_deref().filter(|_| !self.is_of_now(held)).and_then(self.rebuild);
        let Some(then) = then.filter(|then| connectors(then) == connectors(&self.policy)) else {
            return Ok(None);
        };
        project(&then, views, &self.subjects, self.now).map(Some)
    }

    /// Newcomers get keys before they are planned for, so that each line of a hold can name its own.
    fn admit(&mut self, projection: &Projection) -> Result<(), StoreError> {
        let in_use = |keys: &BTreeSet<Key>| self.store.keys_in_use(self.place, keys);
        let keys = keys_of(&self.policy.owner, &projection.newcomers, in_use)?;
        let newcomers = projection.newcomers.iter().zip(keys);
        let new: Vec<Subject> = newcomers
            .map(|(newcomer, key)| Subject {
                id: newcomer.id,
                kind: newcomer.kind,
                key,
                anchors: vec![newcomer.anchor.clone()],
                link: None,
            })
            .collect();
        if !self.options.preview {
            self.store.admit(self.place, &new, &projection.joins, &self.subjects)?;
        }
        for (subject, directory, anchor) in &projection.joins {
            if let Some(subject) = self.subjects.by_id.get_mut(subject) {
                subject.anchors.push((directory.clone(), anchor.clone()));
            }
        }
        for subject in new {
            self.subjects.next = self.subjects.next.max(subject.id.0.saturating_add(1));
            self.subjects.by_id.insert(subject.id, subject);
        }
        Ok(())
    }

    fn stale(&self, snapshots: &[Snapshot]) -> Vec<ConnectorName> {
        let failed = &self.options.failed_connectors;
        let is_stale = |(binding, snapshot): &(&ConnectorBinding, &Snapshot)| {
            let age = self.now.duration_since(snapshot.info().completed_at).unsigned_abs();
            age > binding.max_age || failed.contains(&binding.connector)
        };
        let all = self.policy.connectors.iter().zip(snapshots);
        all.filter(is_stale).map(|(binding, _)| binding.connector.clone()).collect()
    }

    fn guard(
        &mut self,
        plan: &Plan,
        state: &PolicyState,
        until_now: &Held<'_>,
    ) -> Result<(Guarded, Option<Approval>, Approved), StoreError> {
        let now = self.now;
        let kept = until_now.before.as_ref().and_then(|before| before.limits.as_deref());
        // While something is held, no edit raises the limits that hold it.
        let limits =
            kept.map_or_else(|| self.policy.limits.clone(), |kept| self.policy.limits.and_kept(kept));
        let since = now.checked_sub(limits.window).unwrap_or(Timestamp::MIN);
        let spent = self.store.spent(self.place, since)?;
        let base = state
            .base(now, limits.window)
            .unwrap_or_else(|| self.elsewhere.and(Baseline::of(&self.subjects, now)));
        let judge = |approved: &[Hold]| {
            let stands = until_now.before.as_ref().map_or_else(StillHeld::default, |before| {
                let same_spec = self.is_of_now(before);
                let lines = approved.iter().flat_map(|hold| &hold.lines);
                let standing = HoldReview {
                    before,
                    same_spec,
                    then: if same_spec { Some(until_now.now) } else { until_now.then },
                    now: until_now.now,
                    plan,
                    subjects: &self.subjects,
                    fresh: until_now.fresh,
                };
                standing.judge(&lines.map(Line::identity).collect())
            });
            let mut guarded = guard::guard(guard::Input {
                owner: &self.policy.owner,
                spec_hash: &self.policy.spec_hash,
                limits: &limits,
                plan,
                subjects: &self.subjects,
                spent: &spent,
                base,
                approved,
                locked: &stands.locked,
                standing: &stands.unplanned,
                standing_counts: stands.counts,
                now,
            });
            if let Some(hold) = &mut guarded.hold {
                let before = until_now.before.as_ref();
                let oldest = before.filter(|_| stands.from_before);
                let oldest = oldest.map(|before| before.spec.clone().unwrap_or_default());
                hold.spec = oldest.or_else(|| Some(self.policy.spec_json.to_string()));
                hold.limits = serde_json::to_string(&limits).ok();
                if hold.reason.is_empty()
                    && let Some(before) = before
                {
                    hold.reason.clone_from(&before.reason);
                }
            }
            guarded
        };
        let mut approved = self.store.approved(self.place, &self.policy.spec_hash, now)?;
        let mut guarded = judge(&approved);
        let mut approval = None;
        if let Some(digest) = &self.options.approve {
            let of = (self.place, &*self.policy.spec_hash);
            let (hold, is) =
                approval::give(&self.store, of, digest, guarded.hold.as_ref(), &self.options, now)?;
            approval = Some(is);
            if let Some(hold) = hold {
                approved.push(hold);
                guarded = judge(&approved);
            }
        }
        let let_go = Approved::of(&approved, &guarded);
        if let Some(hold) = &mut guarded.hold
            && approved.iter().all(|approved| approved.digest != hold.digest)
            && self.store.was_approved(&self.policy.owner, &hold.digest)?
        {
            hold.reason.push_str(OVER);
        }
        guarded.hold = if self.options.preview && guarded.hold.is_none() {
            None
        } else {
            self.store.save_hold(self.place, guarded.hold, now)?
        };
        if !self.options.preview {
            self.store.end_approvals(self.place, &over(&approved, until_now.now, plan, &self.subjects))?;
            self.store.save_leaving(self.place, &guarded.leaving)?;
            for (subject, leaving) in &guarded.leaving {
                let link = self.subjects.by_id.get_mut(subject).and_then(|subject| subject.link.as_mut());
                if let Some(link) = link {
                    link.leaving = *leaving;
                }
            }
        }
        Ok((guarded, approval, let_go))
    }
}

impl Draft {
    /// How much of these steps depends on fields that were lost by many at once.
    fn doubtful(steps: &[Planned]) -> u64 {
        steps.iter().filter(|step| !step.doubtful.is_empty()).map(weight).sum()
    }

    /// What a person approved although many had lost these fields is how things are from now on for this policy, once
    /// all of it is done: for the entries that it saw, and of whom something else is not still open. By connector.
    pub(super) fn accepted_losses(&self) -> Vec<BTreeMap<String, RoaringBitmap>> {
        let Guarded { execute, leaving, .. } = &self.guarded;
        let leavers = self.plan.doubtful.iter().filter(|(subject, _)| leaving.contains_key(*subject));
        let leavers: Vec<&Vec<String>> = leavers.map(|(_, fields)| fields).collect();
        if Self::doubtful(execute) + leavers.len() as u64 != self.doubtful {
            return Vec::new();
        }
        let steps = execute.iter().map(|step| &step.doubtful);
        let fields: BTreeSet<&String> = steps.chain(leavers).flatten().collect();
        if fields.is_empty() {
            return Vec::new();
        }
        let open = self.incremental.rows_of(&self.open);
        let each = self.infos.iter().zip(open);
        each.map(|(info, open)| {
            let lost = info.tripped.iter().filter(|(field, _)| fields.contains(field));
            lost.map(|(field, trip)| (field.clone(), &trip.lost - &open)).collect()
        })
        .collect()
    }

    /// The spec, if nothing that an edit of it removes is held.
    pub(super) fn applied_spec(&self, policy: &Policy) -> Option<Arc<str>> {
        let held = self.guarded.hold.iter().flat_map(|hold| &hold.lines);
        let by_edit = held.into_iter().any(Line::is_configuration);
        (!by_edit).then(|| policy.spec_json.clone())
    }
}

fn weight(step: &Planned) -> u64 {
    match &step.action {
        Action::RemoveMembers(removal) => removal.ended.len(),
        _ => 1,
    }
}

impl Draft {
    /// What this run leaves.
    pub(super) fn state(&mut self, policy: &Policy, place: Place, at: Timestamp) -> RunState {
        let projection = std::mem::take(&mut self.incremental);
        RunState { spec: policy.spec_json.clone(), place, linked: self.linked(at), projection }
    }

    /// How much is linked now.
    pub(super) fn linked(&self, at: Timestamp) -> Baseline {
        self.elsewhere.and(Baseline::of(&self.subjects, at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::{Anchor, DirectoryId, SubjectKind};

    const UUID: &str = "7d4d1a52-0e0b-4c5d-9f0c-2f3d7c1e9a11";

    #[test]
    fn no_newcomer_gets_the_key_of_another() {
        let owner = Owner::new("test", "all");
        // One person in directories of three names: of a part, of all of it, and of it and another.
        let newcomer = |(id, directory): (u32, &str)| {
            let (directory, anchor) = (DirectoryId::new(directory), Anchor::new(UUID));
            let key = Key::of_entry(&owner, &directory, &anchor, "uid=ada,ou=people,dc=corp");
            Newcomer { id: SubjectId(id), kind: SubjectKind::User, key, anchor: (directory, anchor) }
        };
        let names = ["ou=people,dc=corp", "dc=corp", "dc=corp o=other"];
        let newcomers: Vec<_> = (0..).zip(names).map(newcomer).collect();
        let own = |at: usize| Key::new(&owner, &newcomers[at].anchor.0, &newcomers[at].anchor.1);
        let keys = |held: &[Key]| {
            keys_of(&owner, &newcomers, |keys| {
                Ok(held.iter().copied().filter(|key| keys.contains(key)).collect())
            })
            .unwrap()
        };
        assert_eq!(newcomers[0].key, newcomers[1].key);
        assert_eq!(keys(&[]), [own(0), own(1), own(2)], "whoever has one only gets it");
        // Where others have them already, whatever theirs are made of.
        let held = [own(1), own(1).beside(), own(2)];
        let keys = keys(&held);
        assert_eq!(keys, [own(0), own(1).beside().beside(), own(2).beside()]);
    }
}
