//! Selects the operations of a phase that can run at the same time: on different objects, and names are released before
//! they are used. Pure.

use std::collections::{HashMap, HashSet, VecDeque};

use roaring::RoaringBitmap;

use crate::directory::SubjectId;
use crate::sync::plan::{Action, Planned};

/// A step, or as many of its members as one operation may name.
#[derive(Clone, Debug)]
pub(super) struct Task<'s> {
    pub(super) step: &'s Planned,
    /// The members that it is about, for a change of members.
    members: Option<RoaringBitmap>,
    /// Whether nothing of the step is left after it.
    pub(super) last: bool,
}

impl Task<'_> {
    pub(super) fn members(&self) -> Option<&RoaringBitmap> {
        self.members.as_ref()
    }

    /// The same, about these members.
    pub(super) fn of(self, members: RoaringBitmap) -> Self {
        Self { members: Some(members), ..self }
    }
}

/// A phase, cut into waves.
pub(super) struct Waves<'s> {
    pending: VecDeque<Task<'s>>,
    /// How many tasks each subject has left.
    open: HashMap<SubjectId, usize>,
}

impl<'s> Waves<'s> {
    pub(super) fn new(phase: &'s [Planned], members_per_operation: usize) -> Self {
        let pending: VecDeque<Task<'s>> =
            phase.iter().flat_map(|step| tasks(step, members_per_operation.max(1))).collect();
        let mut open = HashMap::new();
        for task in &pending {
            *open.entry(task.step.subject).or_insert(0) += 1;
        }
        Self { pending, open }
    }

    /// What can be done now that the waves before it are; `None` at the end.
    pub(super) fn next_wave(&mut self) -> Option<Vec<Task<'s>>> {
        if self.pending.is_empty() {
            return None;
        }
        let mut busy = HashSet::new();
        let (wave, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.pending).into_iter().partition(|task| {
                let waits = task.step.after.is_some_and(|holder| self.open.contains_key(&holder));
                busy.insert(task.step.subject) && !waits
            });
        self.pending = rest.into();
        if wave.is_empty() {
            // Each waits for another: the plan has released a name of every cycle, so this is not to
            // be. Going on and being told that a name is taken is better than never ending.
            return Some(std::mem::take(&mut self.pending).into());
        }
        for task in &wave {
            if let Some(left) = self.open.get_mut(&task.step.subject) {
                *left -= 1;
                if *left == 0 {
                    self.open.remove(&task.step.subject);
                }
            }
        }
        Some(wave)
    }
}

fn tasks(step: &Planned, at_most: usize) -> Vec<Task<'_>> {
    let members = match &step.action {
        Action::AddMembers(members) => members.clone(),
        Action::RemoveMembers(removal) => &removal.ended | &removal.following,
        _ => return vec![Task { step, members: None, last: true }],
    };
    if members.len() <= at_most as u64 {
        return vec![Task { step, members: Some(members), last: true }];
    }
    let all: Vec<u32> = members.iter().collect();
    let mut tasks: Vec<Task<'_>> = all
        .chunks(at_most)
        .map(|part| Task { step, members: Some(part.iter().copied().collect()), last: false })
        .collect();
    if let Some(task) = tasks.last_mut() {
        task.last = true;
    }
    tasks
}

#[cfg(test)]
impl<'s> Task<'s> {
    /// The whole step, in one.
    pub(super) fn whole(step: &'s Planned) -> Self {
        Waves::new(std::slice::from_ref(step), usize::MAX)
            .pending
            .remove(0)
            .unwrap_or_else(|| panic!("one task"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::{Content, SubjectKind, UserContent};
    use crate::sync::plan::Phase;

    fn rename(subject: u32, after: Option<u32>) -> Planned {
        let content =
            Content::User(UserContent { user_name: format!("name{subject}"), ..UserContent::default() });
        let action = Action::Update { content: content.into(), renames: true, clears: Vec::new() };
        Planned {
            after: after.map(SubjectId),
            ..Planned::new(SubjectId(subject), SubjectKind::User, Phase::Users, action)
        }
    }

    fn waves(phase: &[Planned], at_most: usize) -> Vec<Vec<u32>> {
        let mut waves = Waves::new(phase, at_most);
        std::iter::from_fn(|| waves.next_wave())
            .map(|wave| wave.iter().map(|task| task.step.subject.0).collect())
            .collect()
    }

    #[test]
    fn a_name_is_given_up_before_it_is_taken() {
        let phase = [rename(1, Some(2)), rename(2, Some(3)), rename(3, None), rename(4, None)];
        assert_eq!(waves(&phase, 10), [vec![3, 4], vec![2], vec![1]]);
    }

    #[test]
    fn one_object_is_touched_once_a_wave() {
        let add = Action::AddMembers((0..5).collect());
        let phase = [Planned::new(SubjectId(9), SubjectKind::Group, Phase::Members, add)];
        assert_eq!(waves(&phase, 2), [vec![9], vec![9], vec![9]]);
    }

    #[test]
    fn a_circle_ends() {
        assert_eq!(waves(&[rename(1, Some(2)), rename(2, Some(1))], 10), [vec![1, 2]]);
    }
}
