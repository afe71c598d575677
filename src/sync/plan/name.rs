//! Unique names: which entry waits for which name, and which names must be released first.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::step::{Action, Blocked, Phase, Plan, Planned};
use crate::directory::{Content, SubjectId, SubjectKind};
use crate::store::link::Subjects;

/// Orders creates and renames after those who give up the name that they need, releases one name of
/// each cycle, and takes out those whose name is not given up.
pub(super) fn order(subjects: &Subjects, plan: &mut Plan) {
    if !plan.steps.iter().any(|step| step.action.wants_name()) {
        return;
    }
    let holders: HashMap<(SubjectKind, String), SubjectId> = subjects
        .by_id
        .values()
        .filter_map(|subject| Some(((subject.kind, subject.link.as_ref()?.confirmed.name_key()), subject.id)))
        .collect();
    let mut names = Names { holders: &holders, waits: HashMap::new(), gives: HashMap::new() };
    for step in &plan.steps {
        names.note(step);
    }
    let waiting: BTreeSet<SubjectId> = names.waits.keys().copied().collect();
    let mut fates = HashMap::new();
    for subject in waiting {
        names.fate(subject, &mut fates);
    }
    let releases = take_blocked_out(plan, &names, &fates, subjects);
    plan.steps.extend(releases);
}

struct Names<'a> {
    holders: &'a HashMap<(SubjectKind, String), SubjectId>,
    /// Who needs a name that another bears, and who bears it.
    waits: HashMap<SubjectId, SubjectId>,
    /// Who gives up a name in this plan.
    gives: HashMap<SubjectId, Gives>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Gives {
    ByRename,
    ByDelete,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Being worked out: meeting it again closes a cycle.
    Open,
    /// It gets its name once the holder has given it up.
    Goes,
    /// It gets its name, and must give its own up first: it closes a cycle.
    Releases,
    /// The holder keeps the name.
    Blocked,
}

impl Names<'_> {
    fn note(&mut self, step: &Planned) {
        let wanted = match &step.action {
            Action::Create(content) => content,
            Action::Update { content, renames: true, .. } => {
                // A rename that is in doubt may be held: nobody may count on it.
                if step.doubtful.is_empty() {
                    self.gives.insert(step.subject, Gives::ByRename);
                }
                content
            }
            Action::Delete => {
                self.gives.insert(step.subject, Gives::ByDelete);
                return;
            }
            _ => return,
        };
        if let Some(holder) = self.holders.get(&(step.kind, wanted.name_key()))
            && *holder != step.subject
        {
            self.waits.insert(step.subject, *holder);
        }
    }

    /// Each waits for at most one other, so each chain is followed to its end.
    fn fate(&self, of: SubjectId, fates: &mut HashMap<SubjectId, Fate>) -> Fate {
        let mut chain = vec![of];
        let mut end = loop {
            let Some(&last) = chain.last() else { return Fate::Goes };
            match fates.get(&last) {
                Some(Fate::Open) => {
                    // The cycle is closed by the one that was met twice: it releases its name.
                    chain.pop();
                    fates.insert(last, Fate::Releases);
                    break Fate::Goes;
                }
                Some(fate) => {
                    chain.pop();
                    break if *fate == Fate::Blocked { Fate::Blocked } else { Fate::Goes };
                }
                None => {}
            }
            fates.insert(last, Fate::Open);
            let Some(&holder) = self.waits.get(&last) else {
                // It needs no name of anybody's.
                fates.remove(&last);
                chain.pop();
                break Fate::Goes;
            };
            match self.gives.get(&holder) {
                None => break Fate::Blocked,
                Some(Gives::ByDelete) => break Fate::Goes,
                Some(Gives::ByRename) => chain.push(holder),
            }
        };
        while let Some(subject) = chain.pop() {
            if fates.get(&subject) == Some(&Fate::Releases) {
                end = Fate::Goes;
                continue;
            }
            fates.insert(subject, end);
        }
        end
    }
}

/// Blocked steps leave the plan, apart from what of them needs no name; releases come into it.
fn take_blocked_out(
    plan: &mut Plan,
    names: &Names<'_>,
    fates: &HashMap<SubjectId, Fate>,
    subjects: &Subjects,
) -> Vec<Planned> {
    let mut releases = Vec::new();
    let mut needed_deletes = HashSet::new();
    let steps = std::mem::take(&mut plan.steps);
    for mut step in steps {
        let Some(holder) = names.waits.get(&step.subject).copied().filter(|_| step.action.wants_name())
        else {
            plan.steps.push(step);
            continue;
        };
        match fates.get(&step.subject) {
            Some(Fate::Blocked) => {
                let (name, kept) =
                    step.action.without_name(subjects.link(step.subject).map(|link| &link.confirmed));
                plan.blocked.push(Blocked { subject: step.subject, kind: step.kind, name, holder });
                if let Some(action) = kept {
                    step.action = action;
                    plan.steps.push(step);
                }
            }
            fate => {
                if fate == Some(&Fate::Releases)
                    && let Some(subject) = subjects.by_id.get(&step.subject)
                    && let Some(link) = &subject.link
                {
                    let temporary = temporary(&link.confirmed, &subject.key.to_string());
                    releases.push(Planned::new(
                        step.subject,
                        step.kind,
                        Phase::Release,
                        Action::Release(Arc::new(temporary)),
                    ));
                }
                if names.gives.get(&holder) == Some(&Gives::ByDelete) {
                    needed_deletes.insert(holder);
                }
                step.after = Some(holder);
                plan.steps.push(step);
            }
        }
    }
    for step in &mut plan.steps {
        if step.action == Action::Delete && needed_deletes.contains(&step.subject) {
            step.phase = Phase::Release;
        }
    }
    releases
}

/// A name that nobody else has, for as long as one run.
fn temporary(confirmed: &Content, key: &str) -> Content {
    confirmed.clone().with_name(&format!("renaming-{key}"))
}
