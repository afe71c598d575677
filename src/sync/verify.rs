//! Verifies what is ours at a target that others can change: reads it, and tells what somebody else changed (drift) from
//! what the target may not have caught up with (lag).
//!
//! # Guarantees
//! - A list only says whom to look at. That an object differs, or is gone, is believed when it was asked for by its id.
//! - What cannot be read is no drift.
//! - It changes nothing at the target. To repair means to correct what we believe of the target: a plan leads back, and
//!   passes the guard like any other.
//! - When more objects are gone than the policy may remove, that is not believed: nothing is made anew.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use jiff::Timestamp;
use roaring::RoaringBitmap;

use crate::directory::{Content, Match, Operation, Outcome, SubjectId, SubjectKind, TargetId, TargetObject};
use crate::store::journal::{Done, Effect, IntentOutcome, Verb};
use crate::store::link::{Link, Place, Subjects};
use crate::store::{Store, StoreError};
use crate::sync::apply::bring_up_to_date;
use crate::sync::blocking;
use crate::sync::policy::Policy;
use crate::target::{Target, TargetError};
use crate::words::count;

mod drift;

use drift::Comparison;
pub use drift::{Difference, Drift};

/// So long after it was written an object may still be shown as it was before.
pub const LAG: Duration = Duration::from_mins(5);
/// So many objects are asked for together.
const TOGETHER: usize = 500;
/// Mapped of every user, beside what the policy says.
const MAPPED: [&str; 3] = ["displayName", "givenName", "familyName"];

/// What happens with drift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDrift {
    /// A plan leads back.
    Repair,
    /// It is told.
    Report,
}

/// What is verified.
pub struct Context<'a, T> {
    /// Where.
    pub target: &'a T,
    /// What remembers.
    pub store: &'a Store,
    /// Whose links.
    pub place: Place,
    /// The rules: what is mapped, and how many may be gone.
    pub policy: &'a Policy,
    /// Of whom nobody knows what became of a change: they are not compared.
    pub in_doubt: BTreeSet<SubjectId>,
    /// What time it is.
    pub now: Timestamp,
}

/// What came of a verification.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verified {
    /// How many objects were compared.
    pub checked: u64,
    /// What somebody else changed, in order of the subjects.
    pub drifts: Vec<Drift>,
    /// How many differ, and were written so recently that the target may not have caught up.
    pub lagging: u64,
    /// Of how many it cannot be told.
    pub unknown: u64,
    /// How many of the drifts are left as they are.
    pub left: u64,
    /// Why, if that was not asked for.
    pub why: Option<String>,
}

/// Compares what is ours at the target with what was confirmed there. Changes nothing.
///
/// # Errors
/// When the store fails; inside, when the target cannot be read.
pub async fn verify<T: Target>(
    context: &Context<'_, T>,
) -> Result<Result<(Verified, Subjects), TargetError>, StoreError> {
    let (store, place) = (context.store.clone(), context.place);
    let since = context.now.checked_sub(LAG).unwrap_or(Timestamp::MIN);
    let known =
        blocking(move || Ok::<_, StoreError>((store.subjects(place)?, store.written_since(place, since)?)));
    let (subjects, recent) = known.await?;
    let mapped: BTreeSet<String> = MAPPED
        .iter()
        .map(|name| (*name).to_owned())
        .chain(context.policy.users.attributes.keys().cloned())
        .collect();
    let owners = context.policy.groups.authoritative.then(|| {
        let linked = subjects.by_id.values();
        linked.filter_map(|subject| Some((&subject.link.as_ref()?.target, subject.id))).collect()
    });
    let disables = context.target.capabilities().disable;
    let comparison = Comparison { subjects: &subjects, mapped: &mapped, disables, owners };
    let mut verified = Verified::default();
    for kind in [SubjectKind::User, SubjectKind::Group] {
        if let Err(error) = verify_kind(context, kind, &comparison, &recent, &mut verified).await {
            return Ok(Err(error));
        }
    }
    verified.drifts.sort_by_key(|drift| drift.subject);
    Ok(Ok((verified, subjects)))
}

async fn verify_kind<T: Target>(
    context: &Context<'_, T>,
    kind: SubjectKind,
    comparison: &Comparison<'_>,
    recent: &RoaringBitmap,
    verified: &mut Verified,
) -> Result<(), TargetError> {
    let target = context.target;
    let of_kind = comparison.subjects.by_id.values().filter(|subject| subject.kind == kind);
    let ours: HashMap<&TargetId, (SubjectId, &Link)> = of_kind
        .filter(|subject| !context.in_doubt.contains(&subject.id))
        .filter_map(|subject| subject.link.as_ref().map(|link| (&link.target, (subject.id, link))))
        .collect();
    if ours.is_empty() || target.capabilities().of(kind).is_none() {
        return Ok(());
    }
    let compare = |subject, link: &Link, shown: &TargetObject| {
        let contents: (Content, Content) = (target.held(&link.confirmed), target.held(&shown.content));
        comparison.compare(subject, link, shown, (&contents.0, contents.1))
    };
    let mut as_left = RoaringBitmap::new();
    let see = |shown: TargetObject| {
        let Some((subject, link)) = ours.get(&shown.id) else { return };
        let is_asked =
            !link.members.is_empty() || (comparison.owners.is_some() && kind == SubjectKind::Group);
        let says_members = !is_asked || shown.members.is_some() || !target.capabilities().members_readable;
        if says_members && compare(*subject, link, &shown).is_none() {
            as_left.insert(subject.0);
        }
    };
    target.list(kind, see).await?;
    verified.checked += ours.len() as u64;
    let mut suspects: Vec<(SubjectId, &Link)> =
        ours.into_values().filter(|(subject, _)| !as_left.contains(subject.0)).collect();
    suspects.sort_by_key(|(subject, _)| *subject);
    for some in suspects.chunks(TOGETHER) {
        let by: Vec<Match> = some.iter().map(|(_, link)| Match::Id(link.target.clone())).collect();
        let answers = target.find(kind, &by).await;
        // An answer that is missing says nothing.
        verified.unknown += some.len().saturating_sub(answers.len()) as u64;
        for ((subject, link), answer) in some.iter().zip(answers) {
            let drift = match answer {
                Ok(found) => match found.iter().find(|found| found.id == link.target) {
                    Some(found) => compare(*subject, link, found),
                    None => Some(Drift::gone(*subject, link)),
                },
                Err(error) if error.reason.is_of_all() => return Err(error),
                Err(_) => {
                    verified.unknown += 1;
                    None
                }
            };
            match drift {
                Some(_) if recent.contains(subject.0) => verified.lagging += 1,
                drift => verified.drifts.extend(drift),
            }
        }
    }
    Ok(())
}

impl Verified {
    /// How many users, or groups, drifted in this way: whether they are gone.
    pub fn count(&self, kind: SubjectKind, gone: bool) -> u64 {
        let is = |drift: &&Drift| drift.kind == kind && drift.is_gone() == gone;
        self.drifts.iter().filter(is).count() as u64
    }

    /// How many memberships are gone.
    pub fn members(&self) -> u64 {
        self.drifts.iter().map(Drift::members).sum()
    }

    /// How many memberships somebody else added, where those are ended.
    pub fn others(&self) -> u64 {
        self.drifts.iter().map(Drift::others).sum()
    }

    /// What is repaired: nothing, or everything but what is gone of a kind of which more is gone than the policy may remove, and but for
    /// strangers of whom there are more than memberships may be ended.
    fn judge(
        &mut self,
        on_drift: OnDrift,
        policy: &Policy,
        subjects: &Subjects,
        is_first: bool,
    ) -> Vec<Drift> {
        if on_drift == OnDrift::Report {
            self.left = self.drifts.len() as u64;
            return Vec::new();
        }
        let mut unbelieved = Vec::new();
        let mut why = Vec::new();
        for (kind, budget, limit) in [
            (SubjectKind::User, policy.limits.user_removals, "limits.userRemovals"),
            (SubjectKind::Group, policy.limits.group_removals, "limits.groupRemovals"),
        ] {
            let of_kind = subjects.by_id.values().filter(|one| one.kind == kind && one.link.is_some());
            let (linked, gone) = (of_kind.count() as u64, self.count(kind, true));
            if gone > budget.allowance(linked) {
                unbelieved.push(kind);
                let gone = match kind {
                    SubjectKind::User => count(gone, "user is", "users are"),
                    SubjectKind::Group => count(gone, "group is", "groups are"),
                };
                why.push(format!(
                    "{gone} not there any more, and {limit} allows {}",
                    budget.allowance(linked)
                ));
            }
        }
        if !why.is_empty() {
            let why = why.join("; ");
            self.why = Some(format!(
                "{why}: so many are not made anew. Check whether this is the right target; if it is, raise the limit"
            ));
        }
        let strangers = self.drifts.iter().map(|drift| drift.strangers.len() as u64).sum();
        let memberships =
            subjects.by_id.values().filter_map(|one| Some(one.link.as_ref()?.members.len())).sum();
        let allowed = if is_first { 0 } else { policy.limits.member_removals.allowance(memberships) };
        let stay = strangers > allowed;
        if stay {
            let why = if is_first {
                "the first run ends no membership".to_owned()
            } else {
                format!(
                    "somebody else put {} into groups, and limits.memberRemovals allows {allowed} to be taken out: they stay. If they are \
                     to go, raise the limit",
                    count(strangers, "member", "members")
                )
            };
            self.why = Some(self.why.take().map_or(why.clone(), |before| format!("{before}; {why}")));
        }
        let is_unbelieved = |drift: &Drift| drift.is_gone() && unbelieved.contains(&drift.kind);
        let is_left = |drift: &Drift| is_unbelieved(drift) || (stay && !drift.strangers.is_empty());
        self.left = self.drifts.iter().filter(|drift| is_left(drift)).count() as u64;
        let mut repaired: Vec<Drift> =
            self.drifts.iter().filter(|drift| !is_unbelieved(drift)).cloned().collect();
        if stay {
            for drift in &mut repaired {
                drift.strangers.clear();
            }
        }
        repaired
    }
}

/// Takes out members whom nobody of ours is. They were judged, and no plan knows of them: whoever was not reached is found by the
/// next verification.
async fn take_out<T: Target>(target: &T, group: &TargetId, strangers: &[TargetId]) -> Result<(), String> {
    for some in strangers.chunks(target.capabilities().members_per_operation.max(1)) {
        let operation = Operation::RemoveMembers { group: group.clone(), members: some.to_vec() };
        match target.apply(&[operation]).await.pop() {
            Some(Outcome::Done(_) | Outcome::Gone) => {}
            Some(Outcome::Partly(_, refused)) => {
                let why = refused.first().map(|one| one.why.message.clone());
                return Err(why.unwrap_or_default());
            }
            Some(
                Outcome::Short(_, _, why)
                | Outcome::Rejected(why)
                | Outcome::Retry(why)
                | Outcome::Ambiguous(why)
                | Outcome::Failed(why),
            ) => return Err(why.message),
            Some(Outcome::NameTaken(_)) | None => {
                return Err("the target did not say whether members were taken out".to_owned());
            }
        }
    }
    Ok(())
}

/// Corrects what we believe of the target, so that the next plan leads back; or only tells.
///
/// # Errors
/// When the store cannot be written (for example, the disk is full) or is damaged.
pub(super) async fn settle<T: Target>(
    context: &Context<'_, T>,
    run: &str,
    on_drift: OnDrift,
    (mut verified, mut subjects): (Verified, Subjects),
) -> Result<Verified, StoreError> {
    let (store, place) = (context.store.clone(), context.place);
    let state = blocking(move || store.policy_state(place)).await?;
    let repaired = verified.judge(on_drift, context.policy, &subjects, state.first_complete_at.is_none());
    for Drift { kind, name, differs, .. } in &verified.drifts {
        tracing::debug!(?kind, name, ?differs, "somebody else changed it at the target");
    }
    if repaired.is_empty() {
        return Ok(verified);
    }
    let mut along = BTreeSet::new();
    let mut settled = Vec::new();
    for drift in repaired {
        if let Some(link) = &drift.link
            && let Err(why) = take_out(context.target, &link.target, &drift.strangers).await
        {
            verified.left += 1;
            verified.why.get_or_insert(why);
        }
        if let Some(link) = drift.link {
            along.insert(drift.subject);
            if let Some(subject) = subjects.by_id.get_mut(&drift.subject) {
                subject.link = Some(link);
            }
            continue;
        }
        let effect = Effect {
            subject: drift.subject,
            verb: Verb::Lost,
            link: None,
            spends: Vec::new(),
            approved: false,
        };
        settled.push(IntentOutcome { intent: None, effect: Some(effect) });
    }
    along.extend(bring_up_to_date(&mut subjects, &settled).into_iter().map(|(group, _)| group));
    let along = along.into_iter().filter_map(|one| Some((one, subjects.link(one)?.clone()))).collect();
    let (store, place, run) = (context.store.clone(), context.place, run.to_owned());
    let done = Done { at: context.now, settled, along };
    blocking(move || store.settle(place, &run, &done)).await?;
    Ok(verified)
}
