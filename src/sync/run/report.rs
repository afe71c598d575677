//! The report of one run, as data: the command line prints it, the controllers write it into the status.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use jiff::Timestamp;
use roaring::RoaringBitmap;

use super::approval::{Approval, Approved};
use super::draft::Draft;
use super::options::Options;
use crate::directory::{ConnectorName, Owner, SubjectId, SubjectKind};
use crate::store::exception::{Exception, Exceptions};
use crate::store::hold::Hold;
use crate::store::link::Subjects;
use crate::store::policy::Baseline;
use crate::store::snapshot::UnreadableEntry;
use crate::sync::apply;
use crate::sync::guard::Exceeded;
use crate::sync::plan::Action;
use crate::sync::policy::Policy;
use crate::sync::project::{Look, QuarantineReason, Quarantined, Skipped};
use crate::sync::verify::Verified;
use crate::target::{Target, TargetError, TargetReason};

/// Of so many exceptions each is named: what is wrong with more is one thing.
const NAMED: usize = 10_000;

/// What one run did.
#[derive(Clone, Debug)]
pub struct RunReport {
    /// The id of the run, which is in every journal row that it wrote.
    pub id: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// The number of the last change that it knew; 0 if it never got so far.
    pub sequence: u64,
    /// Whether it did anything, or only said what it would do.
    pub previewed: bool,
    /// What it did; in a preview, what it would do.
    pub applied: apply::Report,
    /// The number of entries that were checked; `None` if all were.
    pub looked_at: Option<u64>,
    /// What is linked at the target after it.
    pub in_step: Baseline,
    /// What waits for a person.
    pub held: Option<Hold>,
    /// Which limits were exceeded, and by how much.
    pub exceeded: Vec<Exceeded>,
    /// What became of the approval that was given with this run.
    pub approval: Option<Approval>,
    /// What approvals that hold did in it.
    pub approved: Approved,
    /// Creates and renames that wait for a name.
    pub blocked: Vec<BlockedName>,
    /// Entries that cannot be projected or that the target will not have.
    pub quarantined: Vec<Quarantined>,
    /// The first of the entries that could not be understood.
    pub unreadable: Vec<UnreadableEntry>,
    /// How many entries are quarantined or unreadable.
    pub quarantined_count: u64,
    /// How many of them the policy allows.
    pub quarantine_allowance: u64,
    /// Entries that are left out on purpose.
    pub skipped: Skipped,
    /// Protected people who would have been removed or disabled.
    pub protected: Vec<String>,
    /// When something falls due that no import will announce.
    pub due: Option<Timestamp>,
    /// Connectors that could not be read, or were not for too long: nothing was removed on their word.
    pub stale: Vec<ConnectorName>,
    /// What came of comparing the target with what was left there; the error says why it could not be compared.
    pub verified: Option<Result<Verified, String>>,
    /// The target, if it is one that others can reach too.
    pub target: Option<TargetFound>,
    /// Why the run could not do all of its work.
    pub failed: Option<String>,
}

/// A target, as a run found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetFound {
    /// Its identity.
    pub identity: String,
    /// What it was found to be, a line each.
    pub about: Vec<String>,
    /// Why it could not be worked with.
    pub failed: Option<TargetError>,
}

impl TargetFound {
    /// One that was open; `failed` is what ended the run.
    pub(super) fn of<T: Target>(target: &T, failed: Option<&TargetError>) -> Option<Self> {
        // What we stopped, or could not write down, says nothing of it.
        let is_its_own =
            |why: &&TargetError| !matches!(why.reason, TargetReason::Stopped | TargetReason::StoreFailed);
        target.capabilities().shared.then(|| Self {
            identity: target.identity().to_owned(),
            about: target.about(),
            failed: failed.filter(is_its_own).cloned(),
        })
    }
}

/// A create or rename that waits for a name which a linked object still has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockedName {
    /// What waits.
    pub kind: SubjectKind,
    /// For which name.
    pub name: String,
    /// The linked object that has the name, by its name at the target.
    pub holder: String,
}

impl fmt::Display for BlockedName {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.holder == self.name {
            write!(
                to,
                "another object still has that name at the target, until it is renamed or removed there"
            )
        } else {
            write!(to, "{} still has that name at the target", self.holder)
        }
    }
}

/// A run in one word; bounded, becomes the reason of `Ready`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RunResult {
    /// The run could not do its work.
    Failed,
    /// A connector could not be read, or was not for too long.
    SourceFailed,
    /// More entries are quarantined than `limits.quarantined` allows.
    TooManyQuarantined,
    /// Something waits for a person.
    Held,
    /// In step but for entries within `limits.quarantined`, or what waits for a name or an object.
    InStepWithExceptions,
    /// In step.
    InStep,
    /// Said what it would do, and did nothing.
    Previewed,
}

impl RunReport {
    /// The first that applies: what failed matters more than what is held.
    pub fn result(&self) -> RunResult {
        if self.failed.is_some() {
            RunResult::Failed
        } else if !self.stale.is_empty() {
            RunResult::SourceFailed
        } else if self.quarantined_count > self.quarantine_allowance {
            RunResult::TooManyQuarantined
        } else if self.held.is_some() {
            RunResult::Held
        } else if self.previewed {
            RunResult::Previewed
        } else if self.quarantined_count == 0 && self.blocked.is_empty() && self.applied.waiting == 0 {
            RunResult::InStep
        } else {
            RunResult::InStepWithExceptions
        }
    }

    /// What it could not take as it is, and what waits for a name, for people.
    pub(super) fn exceptions(&self, owner: &Owner) -> Exceptions {
        let quarantined = self.quarantined.iter().map(|one| Exception {
            kind: Some(one.kind),
            entry: one.entry.clone(),
            reason: format!("{:?}", one.reason),
            message: one.message.clone(),
        });
        let unreadable = self.unreadable.iter().map(|one| Exception {
            kind: None,
            entry: one.what.clone(),
            reason: format!("{:?}", QuarantineReason::Unreadable),
            message: one.why.clone(),
        });
        let waiting = self.blocked.iter().map(|one| Exception {
            kind: Some(one.kind),
            entry: one.name.clone(),
            reason: "WaitsForName".to_owned(),
            message: one.to_string(),
        });
        let mut named: Vec<Exception> = quarantined.chain(unreadable).chain(waiting).collect();
        named.sort();
        named.truncate(NAMED);
        Exceptions {
            owner: owner.clone(),
            since: self.finished_at,
            count: self.quarantined_count + self.blocked.len() as u64,
            named,
        }
    }

    /// A run that did nothing.
    pub(crate) fn nothing(id: String, started_at: Timestamp, in_step: Baseline) -> Self {
        Self {
            id,
            started_at,
            finished_at: started_at,
            sequence: 0,
            previewed: false,
            applied: apply::Report::default(),
            looked_at: None,
            in_step,
            held: None,
            exceeded: Vec::new(),
            approval: None,
            approved: Approved::default(),
            blocked: Vec::new(),
            quarantined: Vec::new(),
            unreadable: Vec::new(),
            quarantined_count: 0,
            quarantine_allowance: 0,
            skipped: Skipped::default(),
            protected: Vec::new(),
            due: None,
            stale: Vec::new(),
            verified: None,
            target: None,
            failed: None,
        }
    }

    /// A run that planned.
    pub(super) fn of(
        id: String,
        (started_at, finished_at): (Timestamp, Timestamp),
        policy: &Policy,
        options: &Options,
        draft: Draft,
        applied: apply::Report,
    ) -> Self {
        let in_step = draft.linked(finished_at);
        let names = Names::new(&draft, &applied);
        let mut quarantined = draft.quarantined.clone();
        quarantined.extend(applied.rejected.iter().map(|(subject, why)| Quarantined {
            kind: names.kind(*subject),
            entry: names.of(*subject),
            reason: QuarantineReason::RejectedByTarget,
            message: why.clone(),
        }));
        let blocked = draft.guarded.blocked.iter().map(|blocked| BlockedName {
            kind: blocked.kind,
            name: blocked.name.clone(),
            holder: names.of(blocked.holder),
        });
        let waits = applied.waiting > 0 || !draft.guarded.blocked.is_empty();
        let unreadable: u64 = draft.infos.iter().map(|info| info.unreadable_count).sum();
        Self {
            finished_at,
            previewed: options.preview,
            looked_at: match &draft.look {
                Look::AtEverything => None,
                Look::At(rows) => Some(rows.iter().map(RoaringBitmap::len).sum()),
            },
            exceeded: draft.guarded.exceeded.clone(),
            approval: draft.approval,
            approved: draft.approved.clone(),
            blocked: blocked.collect(),
            quarantined_count: quarantined.len() as u64 + unreadable,
            unreadable: draft.infos.iter().flat_map(|info| info.unreadable.iter().cloned()).collect(),
            sequence: draft.infos.iter().map(|info| info.sequence).max().unwrap_or_default(),
            quarantine_allowance: policy.limits.quarantined.allowance(in_step.users + in_step.groups),
            protected: draft.plan.protected.iter().map(|subject| names.of(*subject)).collect(),
            stale: draft.stale,
            skipped: draft.skipped,
            // What had to wait is looked at after the next read, whatever that brings.
            due: draft.plan.due.into_iter().chain(waits.then_some(started_at)).min(),
            failed: applied.failed.as_ref().map(|why| why.message.clone()),
            quarantined,
            held: draft.guarded.hold,
            applied,
            ..Self::nothing(id, started_at, in_step)
        }
    }

    /// The same, of a run that planned anew after it had done this.
    pub(super) fn after(self, before: Self) -> Self {
        Self {
            applied: self.applied.after(before.applied),
            approval: self.approval.or(before.approval),
            verified: self.verified.or(before.verified),
            ..self
        }
    }

    /// A run that ended before it could plan.
    pub(super) fn cannot(id: String, in_step: Baseline, why: String) -> Self {
        Self { failed: Some(why), ..Self::nothing(id, in_step.at, in_step) }
    }
}

/// What subjects are called.
struct Names<'a> {
    subjects: &'a Subjects,
    created: HashMap<SubjectId, &'a str>,
    in_doubt: &'a BTreeMap<SubjectId, String>,
}

impl<'a> Names<'a> {
    fn new(draft: &'a Draft, applied: &'a apply::Report) -> Self {
        let created = draft.guarded.execute.iter().filter_map(|step| match &step.action {
            Action::Create(content) => Some((step.subject, content.name())),
            _ => None,
        });
        Self { subjects: &draft.subjects, created: created.collect(), in_doubt: &applied.names }
    }

    /// By the name at the target, else by the one that it should get or was to get.
    fn of(&self, subject: SubjectId) -> String {
        let linked = self.subjects.link(subject).map(|link| link.confirmed.name());
        let in_doubt = || self.in_doubt.get(&subject).map(String::as_str);
        linked.or(self.created.get(&subject).copied()).or_else(in_doubt).unwrap_or_default().to_owned()
    }

    fn kind(&self, subject: SubjectId) -> SubjectKind {
        self.subjects.by_id.get(&subject).map_or(SubjectKind::User, |subject| subject.kind)
    }
}
