//! Running the policy, with what goes wrong while it runs.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rollcall::clock::Clock;
use rollcall::store::Store;
use rollcall::sync::run::{self, Work, run, run_on};
use rollcall::sync::verify::OnDrift;

use super::{Life, Ran, connector, other, owner};
use crate::dice::Dice;
use crate::event::RunFault;
use crate::fake_target::{Fake, Trouble};
use crate::oracle::{Broken, demand};
use crate::place::{Mortal, Objects, Place};
use crate::rules::{Rules, rebuild};

impl Life {
    /// One run, which may die, and what the promises say to it.
    pub(super) async fn run(&mut self, approve: Option<String>) -> Result<Ran, Broken> {
        let (first, was_first_here) = (self.is_first(), self.is_first_here());
        let mut before = self.objects();
        if let Some(digest) = &approve {
            self.note_approval(digest);
        }
        let faults = !self.run_faults.is_empty() || self.is_left_alone();
        let (ran, meanwhile) = self.run_policy(approve).await?;
        let after = self.objects();
        for (was, is) in meanwhile {
            self.check_foreign(&was, &is, &other())?;
            overlay(&mut before, &was, &is);
        }
        match &ran {
            Ran::Reported(report) => self.tell(format!(
                "the policy runs: {:?}{}",
                report.result(),
                crate::story::of_report(report)
            )),
            Ran::Died => self.tell("the policy runs, and the process dies"),
        }
        if let Ran::Reported(report) = &ran
            && let Some(hold) = &report.held
            && self.held.last() != Some(&hold.digest)
        {
            self.held.push(hold.digest.clone());
        }
        if let Ran::Reported(report) = &ran
            && let Some(hold) = &report.held
        {
            self.void.remove(&hold.digest);
        }
        let report = match &ran {
            Ran::Reported(report) => Some(&**report),
            Ran::Died => None,
        };
        self.note_first(report, was_first_here);
        self.check(&before, &after, first, &ran, faults)?;
        Ok(ran)
    }

    /// Runs; what the other policy did meanwhile comes with it, as it was before and after.
    async fn run_policy(
        &mut self,
        approve: Option<String>,
    ) -> Result<(Ran, Vec<(Objects, Objects)>), Broken> {
        let mut options = run::Options { approve, ..run::Options::default() };
        if matches!(self.place, Place::Shared(_)) && (self.verifies || self.story.len().is_multiple_of(4)) {
            options.verify = Some(OnDrift::Repair);
        }
        if self.last_read_failed {
            options.failed_connectors.insert(connector());
        }
        let dies = self.spoil_run();
        let policy = Arc::new(self.rules.policy("all"));
        let clock: &dyn Clock = &self.clock;
        let (store, basis) = (&self.store, &mut self.basis);
        let (mut meanwhile, mut others) = (Vec::new(), Vec::new());
        let ran = match &self.place {
            Place::Shared(fake) => {
                let work = Work { store, target: &**fake, policy, rebuild, clock };
                let mut running = Box::pin(run_on(basis, work, options, |_, _| {}));
                loop {
                    tokio::select! {
                        biased;
                        ran = &mut running => break Some(ran),
                        () = fake.died() => break None,
                        dies_in = fake.paused() => {
                            let before = fake.objects().clone();
                            others.push(Box::pin(run_as_other(store, fake, &self.rules, clock)).await);
                            meanwhile.push((before, fake.objects().clone()));
                            fake.go_on(dies_in);
                        }
                    }
                }
            }
            Place::Registry => {
                let mortal = Mortal::new(store, &owner(), dies);
                let work = Work { store, target: &mortal, policy, rebuild, clock };
                tokio::select! {
                    ran = run_on(basis, work, options, |_, _| {}) => Some(ran),
                    () = mortal.died() => None,
                }
            }
        };
        if let Place::Shared(fake) = &self.place {
            fake.no_trouble();
        }
        for other in others {
            self.other_is_midway = other.is_midway;
            self.tell(format!("the other policy runs meanwhile: {}", other.told));
            self.count("runs while another policy ran");
        }
        self.disk.lives();
        let ran = match ran {
            Some(Ok(report)) => {
                let drifts = report.verified.iter().flatten().map(|found| found.drifts.len()).sum::<usize>();
                if drifts > 0 {
                    self.count("runs that found drift");
                }
                if report.looked_at.is_some() {
                    self.count("runs that looked at what changed");
                }
                self.count(format!("runs that ended {:?}", report.result()));
                Ran::Reported(Box::new(report))
            }
            Some(Err(error)) if error.to_string().contains("its time has come") => {
                self.count("runs that died");
                Ran::Died
            }
            Some(Err(error)) => {
                return Err(Broken { promise: 5, what: format!("the store fails: {error}") });
            }
            None => {
                self.basis = None;
                self.count("runs that died");
                Ran::Died
            }
        };
        Ok((ran, meanwhile))
    }

    /// Whether the target asked to be left alone, and that is not over.
    fn is_left_alone(&self) -> bool {
        let Place::Shared(fake) = &self.place else { return false };
        fake.quiet_until.lock().unwrap().is_some_and(|until| tokio::time::Instant::now() < until)
    }

    /// Prepares what was announced; says after how many half-steps a process that uses the registry dies.
    fn spoil_run(&mut self) -> Option<u64> {
        let mut dies = None;
        for (fault, seed) in std::mem::take(&mut self.run_faults) {
            let mut dice = Dice(seed);
            // Most runs have few operations.
            let at = if dice.one_in(2) { dice.roll(6) } else { dice.roll(30) };
            let trouble = match fault {
                RunFault::LostBefore => Some(Trouble::LostBefore),
                RunFault::LostAfter => Some(Trouble::LostAfter),
                RunFault::Busy => Some(Trouble::Busy(None)),
                RunFault::BusyShortly => Some(Trouble::Busy(Some(Duration::from_secs(7)))),
                RunFault::BusyTooLong => Some(Trouble::Busy(Some(Duration::from_hours(1)))),
                RunFault::Rejects => Some(Trouble::Rejects),
                RunFault::Conflict => Some(Trouble::Conflict),
                RunFault::CutShort => Some(Trouble::CutShort),
                RunFault::Down => Some(Trouble::Down),
                RunFault::CannotBeAsked
                | RunFault::Silent
                | RunFault::Meanwhile
                | RunFault::Dies
                | RunFault::StoreDies => None,
            };
            match (&self.place, trouble, fault) {
                (Place::Shared(fake), Some(trouble), _) => {
                    let before = usize::try_from(at).unwrap();
                    fake.trouble(std::iter::repeat_n(Trouble::None, before).chain([trouble]));
                    self.rejected |= matches!(fault, RunFault::Rejects | RunFault::Conflict);
                    self.tell(format!(
                        "the target makes trouble at operation {at} of the next run: {fault:?}"
                    ));
                }
                (Place::Shared(fake), None, RunFault::CannotBeAsked) => {
                    fake.deaf.store(1 + at, Ordering::SeqCst);
                    self.rejected = true;
                    self.tell("the target does not answer questions in the next run");
                }
                (Place::Shared(fake), None, RunFault::Silent) => {
                    let Some(id) = dice.pick(fake.objects().keys().cloned()) else { continue };
                    let hears = dice.one_in(2);
                    fake.silent.lock().unwrap().insert(id.clone());
                    fake.hears.store(hears, Ordering::SeqCst);
                    self.rejected = true;
                    let told = if hears { ", and does it" } else { "" };
                    self.tell(format!("of {id:?} the target answers nothing in the next run{told}"));
                }
                (Place::Shared(fake), None, RunFault::Meanwhile) => {
                    fake.pause_at(at);
                    self.tell(format!("another policy runs at half-step {at} of the next run"));
                }
                (Place::Shared(fake), None, RunFault::Dies) => {
                    fake.die_at(1 + at);
                    self.tell(format!("the process dies in the next run, at half-step {at}"));
                }
                (Place::Registry, _, RunFault::Dies) => {
                    dies = Some(at);
                    self.tell(format!("the process dies in the next run, at half-step {at}"));
                }
                (_, _, RunFault::StoreDies) => {
                    self.disk.dies_after(at * 2);
                    self.tell(format!("the process dies in the next run, after {} rows", at * 2));
                }
                (Place::Registry, _, _) | (Place::Shared(_), None, _) => {}
            }
        }
        dies
    }

    fn note_approval(&mut self, digest: &str) {
        if self.void.contains(digest) {
            return self.tell("a person approves what was held at the target that was left");
        }
        let Ok(Some(hold)) = self.store.hold(self.store_place(), digest) else { return };
        let spec = self.rules.policy("all").spec_hash;
        if hold.spec_hash != spec {
            return self.tell("a person approves what was held under another spec");
        }
        let until = self.clock.seconds() + 24 * 3600;
        for line in hold.lines {
            let doubtful = line.why.contains("many entries lost");
            let class = format!("{} {}", line.class, line.verb);
            let classes = [Some(class.clone()), doubtful.then(|| format!("{class}, doubtful"))];
            for class in classes.into_iter().flatten() {
                // Only the first approval of it counts, and the clock may have gone back since.
                let what = (class, line.subject.clone(), line.member.clone());
                let known = self.approved.entry((spec.clone(), what)).or_insert(until);
                *known = until.max(*known);
            }
        }
        self.knowledge.accept_losses();
        self.tell(format!("a person approves what is held: {}", &digest[..15]));
    }

    pub(super) async fn preview(&mut self) -> Result<(), Broken> {
        let (before, known) = (self.objects(), self.subjects());
        let options = run::Options { preview: true, ..run::Options::default() };
        let policy = Arc::new(self.rules.policy("all"));
        let (store, clock): (_, &dyn Clock) = (&self.store, &self.clock);
        let ran = match &self.place {
            Place::Shared(fake) => {
                run(Work { store, target: &**fake, policy, rebuild, clock }, options, |_, _| {}).await
            }
            Place::Registry => {
                let target = Mortal::new(store, &owner(), None);
                run(Work { store, target: &target, policy, rebuild, clock }, options, |_, _| {}).await
            }
        };
        self.tell("the policy shows what it would do");
        demand(ran.is_ok(), 5, || format!("a preview fails: {:?}", ran.err()))?;
        demand(before == self.objects() && known == self.subjects(), 2, || {
            "a preview changed something".to_owned()
        })
    }

    /// Another policy, which wants some of the same people at the same target.
    pub(super) async fn run_other(&mut self) -> Result<(), Broken> {
        let Place::Shared(fake) = &self.place else { return Ok(()) };
        let before = self.objects();
        let ran = Box::pin(run_as_other(&self.store, fake, &self.rules, &self.clock)).await;
        self.other_is_midway = ran.is_midway;
        self.tell(format!("the other policy runs: {}", ran.told));
        let after = self.objects();
        self.check_foreign(&before, &after, &other())
    }
}

/// What became of a run of the policy that wants some of the same people.
struct Other {
    told: String,
    /// It did not come to its end: what it has begun to make its own stays so until it runs again.
    is_midway: bool,
}

async fn run_as_other(store: &Store, fake: &Fake, rules: &Rules, clock: &dyn Clock) -> Other {
    let departments = Some(BTreeSet::from(["Support".to_owned()]));
    let policy = Arc::new(Rules { departments, ..rules.clone() }.policy("other"));
    let ran = run(Work { store, target: fake, policy, rebuild, clock }, run::Options::default(), |_, _| {});
    let ran = ran.await;
    let is_midway = ran.as_ref().map_or(true, |report| report.failed.is_some());
    let ran = ran.map(|report| format!("{:?}{}", report.result(), crate::story::of_report(&report)));
    Other { told: format!("{ran:?}"), is_midway }
}

/// What another policy made of its own objects meanwhile was not done by this one.
fn overlay(before: &mut Objects, was: &Objects, is: &Objects) {
    let ids: BTreeSet<_> = was.keys().chain(is.keys()).filter(|id| was.get(*id) != is.get(*id)).collect();
    for id in ids {
        match is.get(id) {
            Some(object) => drop(before.insert(id.clone(), object.clone())),
            None => drop(before.remove(id)),
        }
    }
}
