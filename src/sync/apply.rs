//! Applies the guarded plan at the target.
//!
//! # Guarantees
//! - Intent before effect: what an operation would do to what we know is committed before the target
//!   hears of it, and made true in one transaction after; a process that dies between the two loses
//!   nothing, and the next run settles what it left open by looking at the target.
//! - Each phase is finished before the next begins.
//! - What the target will not have is put aside with its reason; everything else goes on.

use std::collections::{BTreeSet, HashMap};
use std::sync::OnceLock;
use std::time::Duration;

use jiff::Timestamp;
use roaring::RoaringBitmap;

use crate::directory::{Operation, Outcome, Owner, SubjectId, SubjectKind};
use crate::store::StoreError;
use crate::store::journal::{Done, Effect, IntentOutcome, Rejection};
use crate::store::link::Subjects;
use crate::sync::blocking;
use crate::sync::plan::{Action, Planned};
use crate::target::{Target, TargetError};
use crate::words::count;

mod able;
mod adopt;
mod ask;
mod denied;
mod effect;
mod partly;
mod recover;
mod report;
mod send;
mod state;
mod wave;

use denied::Denied;
pub(in crate::sync) use effect::bring_up_to_date;
pub use recover::{Recovered, recover};
pub use report::{Counts, Report};
use state::{Apply, Open};
pub use state::{Context, Doubt, InDoubt};
use wave::{Task, Waves};

/// A batch never holds more operations than this: few are open when a process dies, and others wait for the
/// store only briefly …
const BATCH: usize = 4000;
/// At a target that others write too, fewer: what a process that dies leaves open is looked up one by one.
const SHARED_BATCH: usize = 200;
/// … nor names more members.
const MEMBERS: usize = 50_000;
/// How often one operation is tried in a run.
const ATTEMPTS: u32 = 5;
/// Before it is tried again, where the target does not say; doubled each time.
const PAUSE: Duration = Duration::from_secs(1);
/// A target that wants more patience than this is left for the next run.
const PATIENCE: Duration = Duration::from_mins(5);
/// Of so many objects a run may leave open what became of them; if there are more, the target does not work.
const IN_DOUBT: usize = 10;
/// When something that was rejected is tried again, doubled each time …
const RETRY: Duration = Duration::from_mins(1);
/// … up to this.
const RETRY_AT_MOST: Duration = Duration::from_hours(24);

/// Applies `steps`, which are in order of their phases; `subjects` are brought up to date. `progress`
/// hears how many of how many are done.
///
/// # Errors
/// When the store cannot be written (for example, the disk is full) or is damaged.
pub async fn apply<T: Target>(
    context: Context<'_, T>,
    subjects: &mut Subjects,
    steps: &[Planned],
    progress: impl Fn(u64, u64),
) -> Result<Report, StoreError> {
    let (store, place, can) = (context.store.clone(), context.place, context.target.capabilities());
    let rejections = blocking(move || store.rejections(place)).await?;
    let rejections = rejections.into_iter().map(|rejection| (rejection.subject, rejection)).collect();
    let mut apply = Apply {
        context,
        subjects,
        keys: OnceLock::new(),
        claims: HashMap::new(),
        rejections,
        report: Report::default(),
        rejected: Vec::new(),
        accepted: Vec::new(),
        denied: Denied::default(),
        done: Vec::new(),
    };
    apply.forget_other_contents(steps);
    let left = apply.context.in_doubt.iter();
    apply.report.rejected.extend(left.clone().map(|(subject, doubt)| (*subject, doubt.why.clone())));
    apply.report.names.extend(left.map(|(subject, doubt)| (*subject, doubt.name.clone())));
    let total = steps.len() as u64;
    let mut done = 0;
    let together = if can.shared { can.batch.max(SHARED_BATCH) } else { can.batch };
    for phase in steps.chunk_by(|a, b| a.phase == b.phase) {
        let mut waves = Waves::new(phase, can.members_per_operation);
        while let Some(wave) = waves.next_wave() {
            for batch in batches(wave, together) {
                let ends = batch.iter().filter(|task| task.last).count() as u64;
                apply.batch(batch).await?;
                done += ends;
                progress(done, total);
                if apply.report.failed.is_some() {
                    return apply.finish().await;
                }
            }
        }
    }
    apply.finish().await
}

impl<T: Target> Apply<'_, T> {
    /// Something rejected is tried at once when it would be something else.
    fn forget_other_contents(&mut self, steps: &[Planned]) {
        let wanted: BTreeSet<SubjectId> = steps
            .iter()
            .filter(|step| step.content() == self.rejections.get(&step.subject).map(|was| &was.content))
            .map(|step| step.subject)
            .collect();
        let stale = self.rejections.keys().filter(|subject| !wanted.contains(subject));
        self.accepted.extend(stale);
        self.rejections.retain(|subject, _| wanted.contains(subject));
    }

    async fn batch(&mut self, tasks: Vec<Task<'_>>) -> Result<(), StoreError> {
        let now = self.context.clock.now();
        let mut open: Vec<Open<'_>> = tasks.into_iter().filter_map(|task| self.open(task, now)).collect();
        if self.context.target.capabilities().shared {
            self.adopt_before(&mut open).await?;
        }
        let (mut local, open): (Vec<_>, Vec<_>) = open.into_iter().partition(|one| one.operation.is_none());
        self.settle(
            local.drain(..).map(|one| IntentOutcome { intent: None, effect: Some(one.effect) }).collect(),
        );
        let mut open = self.intend(open).await?;
        let mut attempt = 0;
        while !open.is_empty() {
            attempt += 1;
            open = self.attempt(open, attempt).await?;
        }
        Ok(())
    }

    /// What a task does, if anything can be done now.
    fn open<'s>(&mut self, task: Task<'s>, now: Timestamp) -> Option<Open<'s>> {
        let subject = task.step.subject;
        if let (Some(_), Some(rejection)) = (task.step.content(), self.rejections.get(&subject))
            && rejection.next_try > now
        {
            self.report.rejected.push((subject, rejection.why.clone()));
            return None;
        }
        if self.context.in_doubt.contains_key(&subject) {
            self.report.waiting += 1;
            return None;
        }
        let can = self.context.target.capabilities();
        if let Some(why) = able::lacks(&can, task.step) {
            self.report.rejected.push((subject, why.into_owned()));
            return None;
        }
        let task = if can.nested_groups { task } else { self.without_groups(task) };
        let opened = effect::of(&task, self.subjects, self.context.completion, now);
        if opened.is_none() {
            self.report.waiting += task.members().map_or(1, RoaringBitmap::len);
        }
        let (operation, effect) = opened?;
        Some(Open { task, operation, effect, intent: None, unclear: false, doubt: None })
    }

    /// The same, without groups that would become members.
    fn without_groups<'s>(&mut self, task: Task<'s>) -> Task<'s> {
        let (Action::AddMembers(_), Some(members)) = (&task.step.action, task.members()) else { return task };
        let is_group = |member: &u32| {
            self.subjects.by_id.get(&SubjectId(*member)).is_some_and(|one| one.kind == SubjectKind::Group)
        };
        let groups: RoaringBitmap = members.iter().filter(is_group).collect();
        let why = |group| (SubjectId(group), able::NESTED.to_owned());
        self.report.rejected.extend(groups.iter().map(why));
        let members = members - groups;
        task.of(members)
    }

    /// Writes down what is about to be done, and with it what was done before. What another policy has is not done.
    async fn intend<'s>(&mut self, open: Vec<Open<'s>>) -> Result<Vec<Open<'s>>, StoreError> {
        if open.is_empty() {
            return Ok(open);
        }
        let effects: Vec<Effect> = open.iter().map(|one| one.effect.clone()).collect();
        let intents = self.advance(effects).await?;
        let mut intended = Vec::with_capacity(open.len());
        for (mut one, intent) in open.into_iter().zip(intents) {
            match intent {
                Ok(intent) => {
                    one.intent = Some(intent);
                    intended.push(one);
                }
                Err(rival) => {
                    let why = self.belongs_to(rival, one.task.step.content());
                    one.effect
                        .link
                        .as_ref()
                        .map(|link| self.claims.remove(&(one.task.step.kind, link.target.clone())));
                    self.reject(&one, why);
                }
            }
        }
        Ok(intended)
    }

    /// Sends what is open once; returns what has to be tried again.
    async fn attempt<'s>(
        &mut self,
        mut open: Vec<Open<'s>>,
        attempt: u32,
    ) -> Result<Vec<Open<'s>>, StoreError> {
        let operations: Vec<Operation> = open.iter_mut().filter_map(|one| one.operation.take()).collect();
        let sent = send::send(self.context.target, &operations, self.context.replan).await;
        for (one, operation) in open.iter_mut().zip(operations) {
            one.operation = Some(operation);
        }
        let mut settled = Vec::with_capacity(open.len());
        let mut again = Vec::new();
        let mut adopted = Vec::new();
        let mut pause = PAUSE.saturating_mul(1 << (attempt - 1).min(16));
        let mut complaint: Option<TargetError> = None;
        for (mut one, outcome) in open.drain(..).zip(sent.outcomes) {
            let Some(outcome) = outcome else {
                again.push(one);
                continue;
            };
            let right = (one.task.step.kind, one.effect.verb);
            let outcome = self.look_if_ambiguous(&mut one, outcome).await;
            one.unclear |= matches!(outcome, Outcome::Ambiguous(_));
            one.doubt = None;
            match outcome {
                Outcome::Done(id) => {
                    self.denied.did(right);
                    if let Some(link) = &mut one.effect.link {
                        link.target = id;
                    }
                    self.accept(one.task.step);
                    settled.push(one.settled());
                }
                Outcome::Short(id, has, why) => {
                    if let Some(link) = &mut one.effect.link {
                        link.target = id;
                        link.confirmed = has;
                    }
                    self.report.rejected.push((one.task.step.subject, why.in_full()));
                    self.accept(one.task.step);
                    settled.push(one.settled());
                }
                Outcome::Partly(_, refused) => {
                    let before = self.subjects.link(one.task.step.subject);
                    let named = partly::without(&mut one.effect, &one.task, refused, before, self.subjects);
                    for (member, why) in named {
                        if why.reason.is_of_all() {
                            self.report.waiting += 1;
                        } else {
                            self.report.rejected.push((member, why.in_full()));
                        }
                    }
                    settled.push(one.settled());
                }
                Outcome::Gone => settled.push(one.lost()),
                Outcome::NameTaken(name) => match self.adopt(&mut one, &name).await {
                    // It is another intent: what it makes ours is an object that others may want.
                    adopt::Adoption::Adopt => {
                        settled.push(IntentOutcome { intent: one.intent.take(), effect: None });
                        adopted.push(one);
                    }
                    adopt::Adoption::Leave(why) => settled.extend(self.put_aside(one, why).await),
                },
                Outcome::Rejected(why) => settled.extend(self.put_aside(one, why.in_full()).await),
                Outcome::Retry(why) => {
                    pause = pause.max(why.retry_after.unwrap_or_default());
                    complaint = Some(why);
                    again.push(one);
                }
                Outcome::Ambiguous(why) => {
                    complaint = Some(why.clone());
                    one.doubt = Some(why);
                    again.push(one);
                }
                Outcome::Failed(why) if self.denied.is_of_one(right, &why) => {
                    settled.extend(self.put_aside(one, why.in_full()).await);
                }
                Outcome::Failed(why) => {
                    self.report.failed.get_or_insert(why);
                    again.push(one);
                }
            }
        }
        if let Some(why) = sent.ended {
            self.report.failed.get_or_insert(why);
        }
        let hopeless = attempt >= ATTEMPTS || pause > PATIENCE || self.report.failed.is_some();
        if hopeless && !again.is_empty() && !self.leave_in_doubt(&mut again) {
            self.report.failed.get_or_insert_with(|| postponed(again.len(), complaint.take()));
            // What is unclear stays open, for the next run to look at.
            settled.extend(again.drain(..).filter(|one| !one.unclear).map(Open::undone));
        }
        self.settle(settled);
        if self.report.failed.is_none() {
            again.extend(self.intend(adopted).await?);
        }
        if let Some(why) = complaint.filter(|_| !again.is_empty()) {
            // It may be long until the next intents.
            self.advance(Vec::new()).await?;
            tracing::warn!(operations = again.len(), attempt, ?pause, why = why.message, "trying again");
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.context.replan.asked() => {}
            }
        }
        Ok(again)
    }

    /// Leaves open what became of a few objects, if that is all that is the matter: the others go on. Returns whether it is.
    fn leave_in_doubt(&mut self, again: &mut Vec<Open<'_>>) -> bool {
        let is_of_one = |one: &Open<'_>| one.doubt.as_ref().is_some_and(|why| !why.reason.is_of_all());
        let few = self.context.in_doubt.len() + again.len() <= IN_DOUBT;
        let is_all = self.report.failed.is_none() && few && again.iter().all(is_of_one);
        if is_all {
            for one in again.drain(..) {
                let why = one.doubt.as_ref().map(TargetError::in_full).unwrap_or_default();
                self.doubt(one.task.step.subject, &why);
            }
        }
        is_all
    }

    /// Nothing else may be done to the object before it is known what became of it.
    fn doubt(&mut self, subject: SubjectId, why: &str) {
        let why = format!(
            "it is not known what became of a change of this object, so nothing else is done to it: {why}"
        );
        self.report.rejected.push((subject, why.clone()));
        self.report.waiting += 1;
        // Who was planned for has a name.
        self.context.in_doubt.insert(subject, Doubt { name: String::new(), why });
    }

    /// A create that may have happened is looked for; everything else is harmless to repeat.
    async fn look_if_ambiguous(&self, one: &mut Open<'_>, outcome: Outcome) -> Outcome {
        let (Outcome::Ambiguous(_), Some(Operation::Create { key, content })) = (&outcome, &one.operation)
        else {
            return outcome;
        };
        let (target, kind) = (self.context.target, one.task.step.kind);
        let found = ask::find(target, kind, ask::created(target, kind, *key, content)).await;
        let at = (target, self.context.store, self.context.place);
        let found = match found {
            Ok(found) => ask::the_created(at, kind, content, found).await,
            Err(why) => Err(why),
        };
        match found {
            Ok(Some(found)) if found.content == target.held(content) && found.active != Some(false) => {
                Outcome::Done(found.id)
            }
            // It is ours, and not quite what it should be: made so by the next attempt.
            Ok(Some(found)) => {
                one.operation = Some(Operation::Update {
                    id: found.id.clone(),
                    key: *key,
                    content: content.clone(),
                    before: None,
                });
                if let Some(link) = &mut one.effect.link {
                    link.target = found.id;
                }
                outcome
            }
            Ok(None) | Err(_) => outcome,
        }
    }

    /// What the target will not have did not happen, unless an earlier try had no answer: that one may have
    /// been heard, in part at least. Where nobody can look, the intent stays open, and the next run looks.
    async fn put_aside(&mut self, one: Open<'_>, why: String) -> Option<IntentOutcome> {
        let looked = if one.unclear { self.look(&one.effect).await } else { Ok(None) };
        match looked {
            Ok(effect) => {
                let done =
                    effect.as_ref().is_some_and(|did| did.link.is_none() || is_as_wanted(&one.effect, did));
                if done {
                    self.accept(one.task.step);
                } else {
                    self.reject(&one, why);
                }
                Some(IntentOutcome { intent: one.intent, effect })
            }
            Err(why) if why.reason.is_of_all() || self.context.in_doubt.len() >= IN_DOUBT => {
                self.report.failed.get_or_insert(why);
                None
            }
            Err(why) => {
                self.doubt(one.task.step.subject, &why.in_full());
                None
            }
        }
    }

    /// Looks what became of an operation. Whose members a group has cannot be told without knowing those; they are known
    /// here only: what is linked beside `subjects` was counted.
    async fn look(&self, effect: &Effect) -> Result<Option<Effect>, TargetError> {
        let links = self.subjects.link(effect.subject).into_iter().chain(&effect.link);
        let mut wanted = links.fold(RoaringBitmap::new(), |members, link| members | &link.members);
        wanted.insert(effect.subject.0);
        let (store, place, lacking) =
            (self.context.store.clone(), self.context.place, self.subjects.lacks(&wanted));
        let others = blocking(move || store.subjects_of(place, &lacking)).await;
        let mut known = others.map_err(|error| ask::store_failed(&error))?;
        let here = wanted.iter().filter_map(|id| self.subjects.by_id.get(&SubjectId(id)));
        here.for_each(|subject| drop(known.by_id.insert(subject.id, subject.clone())));
        recover::look((self.context.target, self.context.store, self.context.place), effect, &known).await
    }

    fn accept(&mut self, step: &Planned) {
        if step.content().is_some() && self.rejections.remove(&step.subject).is_some() {
            self.accepted.push(step.subject);
        }
    }

    fn reject(&mut self, one: &Open<'_>, why: String) {
        let (subject, now) = (one.task.step.subject, self.context.clock.now());
        self.report.rejected.push((subject, why.clone()));
        let Some(content) = one.task.step.content() else { return };
        let attempts = self.rejections.get(&subject).map_or(1, |before| before.attempts + 1);
        let pause = RETRY.saturating_mul(1 << (attempts - 1).min(16)).min(RETRY_AT_MOST);
        let next_try = now.checked_add(pause).unwrap_or(Timestamp::MAX);
        self.rejected.push(Rejection { subject, content: content.clone(), why, attempts, next_try });
    }

    /// Makes true here what was done there.
    fn settle(&mut self, settled: Vec<IntentOutcome>) {
        if settled.is_empty() {
            return;
        }
        for effect in settled.iter().filter_map(|one| one.effect.as_ref()) {
            let before = self.subjects.link(effect.subject);
            let kind = self.subjects.by_id.get(&effect.subject).map_or(SubjectKind::User, |one| one.kind);
            self.report.count(kind, effect, before);
            if self.context.target.capabilities().shared {
                before.map(|before| self.claims.insert((kind, before.target.clone()), false));
                let after = effect.link.as_ref();
                after.map(|after| self.claims.insert((kind, after.target.clone()), true));
            }
        }
        let along = bring_up_to_date(self.subjects, &settled);
        self.done.push(Done { at: self.context.clock.now(), settled, along });
    }

    /// Settles in the store what was done, and intends what comes next.
    async fn advance(&mut self, next: Vec<Effect>) -> Result<Vec<Result<i64, Owner>>, StoreError> {
        let done = std::mem::take(&mut self.done);
        if done.is_empty() && next.is_empty() {
            return Ok(Vec::new());
        }
        let (store, place, run) =
            (self.context.store.clone(), self.context.place, self.context.run.to_owned());
        let shared = self.context.target.capabilities().shared;
        blocking(move || store.advance(place, &run, shared, &done, &next)).await
    }

    async fn finish(mut self) -> Result<Report, StoreError> {
        self.advance(Vec::new()).await?;
        let Self { context, rejected, accepted, mut report, denied, .. } = self;
        if report.failed.is_none() {
            report.failed = denied.of_all();
        }
        let (store, place) = (context.store.clone(), context.place);
        blocking(move || store.save_rejections(place, &rejected, &accepted)).await?;
        Ok(report)
    }
}

/// What is said of so many operations that are left to the next run.
fn postponed(operations: usize, complaint: Option<TargetError>) -> TargetError {
    let postponed = count(operations as u64, "operation was", "operations were");
    let why = complaint.unwrap_or_else(send::no_answer_at_all);
    TargetError { message: format!("{postponed} postponed to the next run: {}", why.message), ..why }
}

/// Whether all that an operation was to do is done, not only part of it.
fn is_as_wanted(wanted: &Effect, did: &Effect) -> bool {
    let (Some(wanted), Some(did)) = (&wanted.link, &did.link) else { return false };
    (&wanted.confirmed, wanted.active, &wanted.members) == (&did.confirmed, did.active, &did.members)
}

/// Cuts a wave into what goes together.
fn batches<'s>(wave: Vec<Task<'s>>, batch: usize) -> Vec<Vec<Task<'s>>> {
    let most = batch.clamp(1, BATCH);
    let mut batches: Vec<Vec<Task<'s>>> = Vec::new();
    let mut members = 0;
    for task in wave {
        let weight = task.members().map_or(0, |members| usize::try_from(members.len()).unwrap_or(MEMBERS));
        match batches.last_mut() {
            Some(last) if last.len() < most && members + weight <= MEMBERS => {
                members += weight;
                last.push(task);
            }
            _ => {
                members = weight;
                batches.push(vec![task]);
            }
        }
    }
    batches
}
