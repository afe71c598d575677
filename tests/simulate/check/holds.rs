//! Does what is held stay so until the directory changes or a person approves it?

use std::collections::BTreeSet;

use rollcall::sync::run::RunReport;

use super::Looked;
use crate::life::Life;
use crate::oracle::{Broken, demand};
use crate::rules::Rules;

/// Users of whom a run held a removal for what the directory says.
#[derive(Clone, Debug)]
pub(crate) struct Holding {
    users: BTreeSet<String>,
    /// Those of them whose step is due later, and would exceed a limit then.
    later: BTreeSet<String>,
    rules: Rules,
    /// When, by the clock.
    at: i64,
}

impl Life {
    /// Until the next read, nobody who is held comes loose: not by an edit, and not because nothing vouches for it any more.
    pub(super) fn check_hold(&mut self, report: &RunReport, looked: &Looked<'_>) -> Result<(), Broken> {
        if report.failed.is_some() {
            return Ok(());
        }
        let lines = report.held.iter().flat_map(|hold| &hold.lines).filter(|line| line.member.is_none());
        let held: BTreeSet<&str> = lines.clone().map(|line| line.subject.as_str()).collect();
        if let Some(before) = self.holding.take() {
            self.stay_held(&before, &held, looked)?;
        }
        let is_removal = |class: &str| matches!(class, "userRemoval" | "disable");
        let users = lines.filter(|line| is_removal(&line.class) && !line.is_configuration());
        let later = users.clone().filter(|line| line.why.contains("when it is due"));
        let later: BTreeSet<String> = later.map(|line| line.subject.clone()).collect();
        let users: BTreeSet<String> = users.map(|line| line.subject.clone()).collect();
        // Which of several specs counts for a line, only the hold knows.
        self.holding = (!users.is_empty() && !self.edited).then(|| Holding {
            users,
            later,
            rules: self.rules.clone(),
            at: self.clock.seconds(),
        });
        Ok(())
    }

    fn stay_held(&self, before: &Holding, held: &BTreeSet<&str>, looked: &Looked<'_>) -> Result<(), Broken> {
        let now = self.clock.seconds();
        // Steps that were due may not be any more.
        if now < before.at || self.lost {
            return Ok(());
        }
        let fewer = self.drift.iter().any(|key| before.users.contains(&key.to_string()));
        for (id, object) in looked.before {
            let Some(key) = object.key.filter(|key| before.users.contains(&key.to_string())) else {
                continue;
            };
            let subject = key.to_string();
            let done = looked.after.get(id).is_none_or(|after| after.active != object.active);
            let is_approved = self.approved.keys().any(|(_, (_, approved, _))| *approved == subject);
            // What is approved does not count any more, nor does what somebody deleted by hand, so that there may be room for what is
            // due later.
            let has_room = (looked.approved || fewer) && before.later.contains(&subject);
            let excused = held.contains(subject.as_str()) || done || is_approved || has_room;
            let excused = excused || self.drift.contains(&key);
            let calls = |anchor: &String| self.knowledge.may_go(&before.rules, anchor, now).is_ok();
            demand(excused || !looked.of(object).iter().all(calls), 2, || {
                format!(
                    "{} was held, nothing was read since, and it is neither held nor done",
                    object.content.name()
                )
            })?;
        }
        Ok(())
    }
}
