//! Takes members in and out of a group: in requests that the service takes, and member by member where it refuses some.

use std::collections::{BTreeSet, VecDeque};

use super::dialect::{Members, Removal};
use super::learned::Act;
use super::patch::{self, Way};
use super::resource;
use super::write::{FIRST_LOOK, LOOKS, Writer};
use crate::directory::{Outcome, RefusedMember, SubjectKind, TargetError, TargetId, TargetReason};
use crate::net::http::Method;
use crate::target::refusal::{No, Refusal, doubt, not_begun, outcome};

/// After so many members were refused one by one and none was taken, the rest is not tried.
const FRUITLESS: usize = 5;

/// How far a change came.
#[derive(Default)]
struct Came {
    done: usize,
    /// Whether the service did not say of all of it that it is done.
    is_unsure: bool,
    refused: Vec<RefusedMember>,
}

/// Why it goes no further.
enum Stop {
    /// There is no such group.
    Gone,
    /// This stands in the way of all the rest.
    Refusal(Refusal),
    /// The members must be taken out in another form, from the start.
    OtherForm,
}

impl Writer<'_> {
    pub(super) async fn members(&self, way: Way, group: &TargetId, members: &[TargetId]) -> Outcome {
        // Each form of removal is tried once at most.
        for _ in 0..3 {
            if let Some(outcome) = self.members_in_form(way, group, members).await {
                return outcome;
            }
        }
        let message = format!("{} takes members out of groups in no form that is known", self.client.host());
        Outcome::Rejected(TargetError::new(TargetReason::Unsupported, message))
    }

    async fn members_in_form(&self, way: Way, group: &TargetId, members: &[TargetId]) -> Option<Outcome> {
        let dialect = self.learned.dialect();
        let act = Act::Members(way);
        let is_shown = dialect.members != Members::Never;
        let is_proven = self.learned.is_proven(act) || !is_shown;
        let look = is_shown && (way == Way::Out || dialect.adds_twice || !is_proven);
        let mut members: Vec<_> = members.to_vec();
        members.sort_unstable();
        members.dedup();
        if look {
            let inside = match self.inside(group).await {
                Ok(Some(inside)) => inside,
                Ok(None) => return Some(Outcome::Gone),
                Err(refusal) => return Some(not_begun(refusal)),
            };
            members.retain(|member| inside.contains(member) == (way == Way::Out));
        }
        let mut came = Came::default();
        let stopped = self.send_all(way, group, &members, &mut came).await.err();
        match stopped {
            Some(Stop::Gone) => return Some(Outcome::Gone),
            Some(Stop::OtherForm) => return None,
            // Those before it are not known to be done.
            Some(Stop::Refusal(refusal)) if came.is_unsure && is_shown => return Some(doubt(refusal)),
            Some(Stop::Refusal(refusal)) => return Some(Self::stopped(group, &members, came, refusal)),
            None => {}
        }
        if (!is_proven || came.is_unsure && is_shown) && came.done > 0 {
            match self.not_done_of(way, group, &members, &came).await {
                Ok(Some(not_done)) if came.is_unsure && !not_done.is_empty() => {
                    return Some(Outcome::Ambiguous(self.not_yet()));
                }
                Ok(Some(not_done)) => {
                    if not_done.len() == came.done && way == Way::Out && self.other_form("does nothing") {
                        return None;
                    }
                    if not_done.is_empty() {
                        self.learned.prove(act);
                    }
                    came.refused.extend(not_done.into_iter().map(|member| self.not_done(member)));
                }
                Ok(None) => return Some(Outcome::Gone),
                Err(refusal) => return Some(doubt(refusal)),
            }
        }
        Some(finished(group, came.refused))
    }

    /// Of whom it does not show that it is done, though they were not refused: looked for again, and not for long, where the service did
    /// not say that it is done. `None` if the group is not there.
    async fn not_done_of(
        &self,
        way: Way,
        group: &TargetId,
        members: &[TargetId],
        came: &Came,
    ) -> Result<Option<Vec<TargetId>>, Refusal> {
        let refused: BTreeSet<_> = came.refused.iter().map(|refused| &refused.member).collect();
        let (mut wait, mut looks) = (FIRST_LOOK, 1);
        loop {
            let Some(inside) = self.inside(group).await? else { return Ok(None) };
            let is_not_done = |member: &&TargetId| {
                !refused.contains(member) && inside.contains(*member) == (way == Way::Out)
            };
            let not_done: Vec<_> = members.iter().filter(is_not_done).cloned().collect();
            if not_done.is_empty() || !came.is_unsure || looks >= LOOKS {
                return Ok(Some(not_done));
            }
            tokio::time::sleep(wait).await;
            (wait, looks) = (wait * 2, looks + 1);
        }
    }

    /// Who is in the group.
    async fn inside(&self, group: &TargetId) -> Result<Option<BTreeSet<TargetId>>, Refusal> {
        let found = self.looker.by_id(SubjectKind::Group, group).await?;
        Ok(found.map(|group| resource::members(&group).into_iter().collect()))
    }

    async fn send_all(
        &self,
        way: Way,
        group: &TargetId,
        members: &[TargetId],
        came: &mut Came,
    ) -> Result<(), Stop> {
        if !resource::is_id(&group.0) {
            return Err(Stop::Gone);
        }
        let path = [self.looker.groups, &*group.0];
        let mut waiting: VecDeque<&[TargetId]> = VecDeque::from([members]);
        while let Some(some) = waiting.pop_front() {
            let dialect = self.learned.dialect();
            let mut requests = patch::memberships(way, some, &dialect).into_iter();
            let Some((some, body)) = requests.next() else { continue };
            // In their order: the first ones now, the others as they are.
            for (rest, _) in requests.rev() {
                waiting.push_front(rest);
            }
            let refusal = match self.client.send(Method::PATCH, &path, Some(&body), None).await {
                Ok(said) => {
                    came.done += some.len();
                    came.is_unsure |= !said.is_done;
                    continue;
                }
                Err(refusal) => refusal,
            };
            match refusal.no {
                // The group, or a member?
                No::NotThere => {
                    if !self.is_there(group).await? {
                        return Err(Stop::Gone);
                    }
                }
                No::Unsupported | No::Refused | No::Unknown
                    if way == Way::Out && came.done == 0 && !self.learned.is_proven(Act::Members(way)) =>
                {
                    if self.other_form("is refused") {
                        return Err(Stop::OtherForm);
                    }
                    if refusal.no == No::Unknown {
                        return Err(Stop::Refusal(refusal));
                    }
                }
                No::TooLarge if some.len() > 1 => {
                    let most = some.len() / 2;
                    let note = format!("at most {most} members are sent in one request");
                    self.learned.learn(|dialect| dialect.members_per_request = most, &note);
                }
                No::TooLarge | No::Unsupported | No::Refused | No::Taken => {}
                No::Changed | No::Busy | No::Unknown | No::Token | No::Everything => {
                    return Err(Stop::Refusal(refusal));
                }
            }
            if some.len() > 1 {
                let (one, other) = some.split_at(some.len() / 2);
                waiting.push_front(other);
                waiting.push_front(one);
                continue;
            }
            came.refused.extend(
                some.iter()
                    .map(|member| RefusedMember { member: member.clone(), why: refusal.error.clone() }),
            );
            if came.done == 0 && came.refused.len() >= FRUITLESS {
                let rest = waiting.iter().flat_map(|rest| rest.iter());
                let rest =
                    rest.map(|member| RefusedMember { member: member.clone(), why: refusal.error.clone() });
                came.refused.extend(rest);
                return Ok(());
            }
        }
        Ok(())
    }

    async fn is_there(&self, group: &TargetId) -> Result<bool, Stop> {
        self.looker.by_id(SubjectKind::Group, group).await.map(|found| found.is_some()).map_err(Stop::Refusal)
    }

    /// Takes the next form of removal, if there is one.
    fn other_form(&self, why: &str) -> bool {
        let now = self.learned.dialect().removal;
        let (next, name) = match now {
            Removal::ByPath => (Removal::ByValue, "a filter in the path"),
            Removal::ByValue => (Removal::OneAtATime, "a list of values"),
            Removal::OneAtATime => return false,
        };
        let note = format!("the removal of members by {name} {why}, so it is done in another form");
        self.learned.learn(|dialect| dialect.removal = next, &note)
    }

    /// What came of a change that did not come to its end.
    fn stopped(group: &TargetId, members: &[TargetId], came: Came, refusal: Refusal) -> Outcome {
        if came.done == 0 && came.refused.is_empty() || matches!(refusal.no, No::Unknown) {
            return outcome(refusal);
        }
        // Requests go in the order of the members, so the first ones are those that were answered.
        let named: BTreeSet<_> = came.refused.iter().map(|refused| refused.member.clone()).collect();
        let rest = members.iter().filter(|member| !named.contains(*member)).skip(came.done);
        let rest = rest.map(|member| RefusedMember { member: member.clone(), why: refusal.error.clone() });
        Outcome::Partly(group.clone(), came.refused.into_iter().chain(rest).collect())
    }

    fn not_done(&self, member: TargetId) -> RefusedMember {
        let message =
            format!("{} says that it changed the group, and this member is as before", self.client.host());
        RefusedMember { member, why: TargetError::new(TargetReason::NotDone, message) }
    }
}

fn finished(group: &TargetId, refused: Vec<RefusedMember>) -> Outcome {
    if refused.is_empty() { Outcome::Done(group.clone()) } else { Outcome::Partly(group.clone(), refused) }
}
