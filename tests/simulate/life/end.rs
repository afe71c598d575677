//! The end of a life, when everything comes to rest.

use std::collections::{BTreeMap, BTreeSet};

use rollcall::sync::run::{RunReport, RunResult};

use super::{Life, Ran};
use crate::oracle::{Broken, demand};
use crate::place::Place;
use crate::rules::OfRecreated;

impl Life {
    /// The end of a life: first nothing goes wrong any more, then what is wrong is put right. Whatever
    /// happened before, the target comes to what the directory says.
    pub(crate) async fn end(&mut self) -> Result<(), Broken> {
        self.tell("from now on nothing goes wrong any more");
        self.read_faults.clear();
        self.run_faults.clear();
        // A directory that has nobody left is refused, for ever.
        let joined = self.world.join(&mut crate::dice::Dice(1));
        self.tell(joined);
        (self.world.hidden, self.world.blind_to) = (None, None);
        // What the target asked for is over, and the other policy settles what it began.
        self.pass(2 * 3600).await;
        self.run_other().await?;
        self.settle(8, true).await?;
        self.converged(false)?;
        self.tell("what was wrong with entries is put right");
        self.put_right();
        // What somebody else changed is set right too.
        self.verifies = true;
        let report = self.settle(40, false).await?;
        if report.as_ref().is_some_and(|report| is_verified(report)) {
            self.drift.clear();
        }
        let verdict = report.as_ref().map(|report| report.result());
        let excused = !self.drift.is_empty() || self.lost;
        demand(verdict == Some(RunResult::InStep) || excused, 5, || {
            format!(
                "it never comes to rest: {}",
                report.map_or(String::new(), |it| crate::story::of_report(&it))
            )
        })?;
        self.converged(!excused)
    }

    /// Runs of which nothing is announced; until nothing is left to be done.
    async fn settle(&mut self, most: u32, with_exceptions: bool) -> Result<Option<Box<RunReport>>, Broken> {
        let mut last = None;
        for round in 0..most {
            // A full read: what a feed never told again comes back with it.
            self.feed = self.feed.as_ref().map(|_| Vec::new());
            self.proves_its_end = round > 1;
            self.read().await?;
            demand(!self.last_read_failed, 6, || "a read in which nothing was wrong failed".to_owned())?;
            let Ran::Reported(report) = self.run(None).await? else { unreachable!("nothing dies here") };
            // Who waits for a name that is never given up waits for ever.
            let waits = round > 4 && !report.blocked.is_empty() && report.due <= Some(report.started_at);
            let quiet = (report.due.is_none() || waits)
                && report.failed.is_none()
                && (!self.verifies || report.verified.is_none() || is_verified(&report))
                && report.applied.users.is_nothing()
                && report.applied.groups.is_nothing()
                && report.applied.members_added + report.applied.members_removed == 0;
            let quiet = quiet && (with_exceptions || report.quarantined_count == 0);
            let held = report.held.as_ref().map(|hold| hold.digest.clone());
            last = Some(report);
            if let Some(digest) = held {
                self.run(Some(digest)).await?;
            } else if quiet {
                break;
            }
            self.pass(26 * 3600).await;
        }
        Ok(last)
    }

    /// Every entry can be understood, and has a name of its own.
    fn put_right(&mut self) {
        let now = self.clock.seconds();
        let mut names = BTreeSet::new();
        for (anchor, person) in &mut self.world.people {
            person.garbled = false;
            if person.number == "none" {
                "1".clone_into(&mut person.number);
            }
            if !names.insert(person.user_name().to_lowercase()) {
                person.mail = Some(format!("{anchor}@corp.example"));
            }
        }
        // Whoever came back after another entry had taken their place: a person removes one of the two.
        let subjects = self.subjects();
        for subject in subjects.by_id.values() {
            let there: Vec<_> = subject
                .anchors
                .iter()
                .map(|(_, anchor)| anchor.as_str().to_owned())
                .filter(|anchor| self.world.people.contains_key(anchor))
                .collect();
            for anchor in there.iter().skip(1) {
                self.world.people.remove(anchor);
            }
        }
        // A leaver's object keeps its name: whoever has an object already, and wants that name, waits. So
        // does everybody if the leaver is still in the directory, and only out of scope, or is protected.
        let mut left: BTreeMap<String, bool> = BTreeMap::new();
        for subject in subjects.by_id.values() {
            let anchors = subject.anchors.iter().map(|(_, anchor)| anchor.as_str());
            let people: Vec<_> = anchors.filter_map(|anchor| self.world.people.get(anchor)).collect();
            if let Some(link) = &subject.link
                && !people.iter().any(|person| self.rules.keeps(person, now))
            {
                let is_kept = !people.is_empty() || self.rules.protects(&link.confirmed);
                left.insert(link.confirmed.name_key(), is_kept);
            }
        }
        let linked: BTreeSet<&str> = subjects
            .by_id
            .values()
            .filter(|subject| subject.link.is_some())
            .flat_map(|subject| subject.anchors.iter().map(|(_, anchor)| anchor.as_str()))
            .collect();
        for (anchor, person) in &mut self.world.people {
            let name = person.user_name().to_lowercase();
            let Some(is_kept) = left.get(&name) else { continue };
            let waits = *is_kept
                || self.rules.recreated == OfRecreated::Quarantine
                || linked.contains(anchor.as_str());
            // Not those who left themselves: their objects have these names.
            if waits && self.rules.keeps(person, now) {
                person.mail = Some(format!("{anchor}@corp.example"));
            }
        }
        // So does a vanished group that was emptied.
        let mut renamed = Vec::new();
        for (anchor, team) in &self.world.groups {
            let name = team.name.to_lowercase();
            let borne = subjects.by_id.values().any(|subject| {
                let is_this = subject.anchors.iter().any(|(_, known)| known.as_str() == anchor);
                !is_this && subject.link.as_ref().is_some_and(|link| link.confirmed.name_key() == name)
            });
            if borne || !names.insert(name) {
                renamed.push(anchor.clone());
            }
        }
        for anchor in renamed {
            self.world.name_team(&anchor, &format!("team-{anchor}"));
        }
        self.clear_the_way();
    }

    /// Where others are in the way, they go.
    fn clear_the_way(&mut self) {
        // Who was in the way is remembered until it is tried again.
        self.rejected = true;
        let anchors = self.anchors().clone();
        if let Place::Shared(fake) = &self.place {
            fake.dislikes.lock().unwrap().clear();
            fake.objects().retain(|_, object| object.key.is_some_and(|key| anchors.contains_key(&key)));
        }
    }
}

/// Whether the target was compared, and nothing differs that somebody else changed.
fn is_verified(report: &RunReport) -> bool {
    let verified = report.verified.as_ref().and_then(|verified| verified.as_ref().ok());
    verified.is_some_and(|found| found.drifts.is_empty() && found.lagging + found.unknown == 0)
}
