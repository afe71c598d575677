//! One life: a company, its directory, our store and a target, and what happens to them.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::mem::replace;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use rollcall::clock::Clock;
use rollcall::directory::{
    Anchor, ConnectorName, Content, DirectoryId, Entry, GroupContent, Key, Owner, SubjectKind, TargetId,
    UserContent,
};
use rollcall::store::Store;
use rollcall::store::link::{Place as StorePlace, Subjects};
use rollcall::sync::import::{self, ImportError, import};
use rollcall::sync::run::{self, Basis, RunReport, Work, run, run_on};

use crate::check::Removal;
use crate::dice::Dice;
use crate::disk::Disk;
use crate::event::{Edit, Event, Hand, ReadFault, RunFault, Step};
use crate::fake_target::{Fake, Trouble, kind};
use crate::oracle::{Broken, Knowledge, demand};
use crate::place::{Mortal, Objects, Place};
use crate::reader::{DIRECTORY, LooksUp, Reader};
use crate::rules::{OfDisabled, Rules, rebuild};
use crate::world::World;

/// Time that passes when a life says so.
pub(crate) struct TestClock {
    says: AtomicI64,
    passed: AtomicI64,
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.seconds()).unwrap()
    }
}

impl TestClock {
    pub(crate) fn seconds(&self) -> i64 {
        self.says.load(Ordering::SeqCst)
    }

    /// How much time passed, however often it was set back.
    pub(crate) fn passed(&self) -> i64 {
        self.passed.load(Ordering::SeqCst)
    }

    /// So much time passes, or it is set back by that.
    pub(crate) fn pass(&self, seconds: i64) {
        self.says.fetch_add(seconds, Ordering::SeqCst);
        self.passed.fetch_add(seconds.max(0), Ordering::SeqCst);
    }
}

pub(crate) struct Life {
    pub(crate) world: World,
    pub(crate) rules: Rules,
    pub(crate) knowledge: Knowledge,
    /// Whether the source can look up what a read did not bring.
    pub(crate) looks_up: bool,
    feed: Option<Vec<Vec<Entry>>>,
    pub(crate) store: Store,
    store_place: OnceCell<StorePlace>,
    disk: Disk,
    pub(crate) clock: TestClock,
    pub(crate) place: Place,
    /// When the last read completed; none since the store was made, or since a read failed.
    pub(crate) read_at: Option<i64>,
    pub(crate) last_read_failed: bool,
    read_faults: Vec<(ReadFault, u64)>,
    run_faults: Vec<(RunFault, u64)>,
    pub(crate) removals: Vec<Removal>,
    /// Since when leavers are seen to have left; it may have been seen later.
    pub(crate) left: BTreeMap<Key, i64>,
    /// What a person approved, under which spec, until when.
    pub(crate) approved: BTreeMap<(String, Approved), i64>,
    /// The last holds' digests, newest last.
    held: Vec<String>,
    /// Objects of ours that somebody changed by hand.
    pub(crate) drift: BTreeSet<Key>,
    /// What somebody put into groups of ours: it may become ours later.
    pub(crate) put_in: BTreeSet<TargetId>,
    /// Whether the store was ever lost.
    pub(crate) lost: bool,
    /// Whether the spec was ever edited.
    pub(crate) edited: bool,
    /// Whether the target ever would not have somebody, for no reason of theirs.
    pub(crate) rejected: bool,
    /// Names that the last run could not give, or not give yet.
    pub(crate) put_aside: BTreeSet<String>,
    /// Whether the last run left something to the next one.
    pub(crate) waits: bool,
    /// What the last run of this process left to the next.
    basis: Option<Basis>,
    keys: HashMap<Key, String>,
    pub(crate) story: Vec<String>,
    pub(crate) counts: BTreeMap<String, u64>,
    number: u64,
}

/// What was approved, as (class and whether it was doubtful, subject, member).
type Approved = (String, String, Option<String>);

/// What became of a run.
pub(crate) enum Ran {
    Reported(Box<RunReport>),
    Died,
}

pub(crate) fn owner() -> Owner {
    Owner::new("test", "all")
}

pub(crate) fn other() -> Owner {
    Owner::new("test", "other")
}

fn connector() -> ConnectorName {
    ConnectorName::new("test", "corp")
}

impl Life {
    pub(crate) fn new(dice: &mut Dice, events: &[Step]) -> Self {
        let rules = Rules::new(dice);
        let place = if dice.one_in(4) { Place::Registry } else { Place::Shared(Box::new(Fake::new())) };
        let looks_up = !dice.one_in(3);
        let feed = dice.one_in(3).then(Vec::new);
        let may_die = |step: &Step| {
            matches!(
                step.event,
                Event::SpoilsRead(ReadFault::StoreDies) | Event::SpoilsRun(RunFault::StoreDies)
            )
        };
        let (disk, store) = Disk::new(events.iter().any(may_die));
        let beginning = format!(
            "a policy with {rules:?}, {} target, a source that {} look up{}",
            if matches!(place, Place::Registry) { "the registry as its" } else { "a shared" },
            if looks_up { "can" } else { "cannot" },
            if feed.is_some() { " and has a change feed" } else { "" }
        );
        Self {
            world: World::default(),
            rules,
            knowledge: Knowledge::default(),
            looks_up,
            feed,
            store,
            store_place: OnceCell::new(),
            disk,
            clock: TestClock { says: AtomicI64::new(1_700_000_000), passed: AtomicI64::default() },
            place,
            read_at: None,
            last_read_failed: false,
            read_faults: Vec::new(),
            run_faults: Vec::new(),
            removals: Vec::new(),
            left: BTreeMap::new(),
            approved: BTreeMap::new(),
            held: Vec::new(),
            drift: BTreeSet::new(),
            put_in: BTreeSet::new(),
            lost: false,
            edited: false,
            rejected: false,
            put_aside: BTreeSet::new(),
            waits: false,
            basis: None,
            keys: HashMap::new(),
            story: vec![beginning],
            counts: BTreeMap::new(),
            number: 0,
        }
    }

    /// What is left of it; the next lives need the rest.
    pub(crate) fn over(self) -> (Vec<String>, BTreeMap<String, u64>) {
        self.disk.give_back(self.store);
        (self.story, self.counts)
    }

    pub(crate) fn tell(&mut self, line: impl Into<String>) {
        self.story.push(line.into());
    }

    fn count(&mut self, what: impl Into<String>) {
        *self.counts.entry(what.into()).or_insert(0) += 1;
    }

    /// One event happens; the promises are checked where it could break one.
    pub(crate) async fn live(&mut self, step: Step) -> Result<(), Broken> {
        let mut dice = Dice(step.dice);
        self.count(match step.event {
            Event::Pass(minutes) if minutes < 0 => "Pass back".to_owned(),
            Event::Pass(_) => "Pass".to_owned(),
            event => format!("{event:?}"),
        });
        match step.event {
            Event::Happens(what) => {
                let told = self.world.happen(what, self.clock.seconds(), &mut dice);
                self.tell(told);
            }
            Event::SpoilsRead(fault) => self.read_faults.push((fault, step.dice)),
            Event::Read => self.read().await?,
            Event::SpoilsRun(fault) => self.run_faults.push((fault, step.dice)),
            Event::Run => drop(self.run(None).await?),
            Event::Approve { last } => {
                let at = self.held.len().checked_sub(if last { 1 } else { 2 });
                if let Some(digest) = at.and_then(|at| self.held.get(at)).cloned() {
                    self.run(Some(digest)).await?;
                }
            }
            Event::Preview => self.preview().await?,
            Event::RunOther => self.run_other().await?,
            Event::Edit(edit) => self.edit(edit, &mut dice),
            Event::Hand(hand) => self.hand(hand, &mut dice),
            Event::LoseStore => self.lose_store(),
            Event::Restart => self.restart(),
            Event::Pass(minutes) => {
                self.clock.pass(minutes * 60);
                self.tell(format!("{minutes} minutes pass"));
            }
        }
        Ok(())
    }

    fn edit(&mut self, edit: Edit, dice: &mut Dice) {
        match edit {
            Edit::Departments => {
                self.rules.departments = match self.rules.departments {
                    None => Some(BTreeSet::from(["Sales".to_owned(), "Support".to_owned()])),
                    Some(_) => None,
                };
            }
            Edit::Nesting => self.rules.flatten = !self.rules.flatten,
            Edit::Numbered => self.rules.numbered = !self.rules.numbered,
            Edit::Disabled => {
                self.rules.disabled =
                    dice.one_of(&[OfDisabled::Disable, OfDisabled::Leave, OfDisabled::Ignore]);
            }
        }
        self.edited = true;
        self.tell(format!(
            "the spec is edited: departments {:?}, flatten {}, numbered {}, disabled {:?}",
            self.rules.departments, self.rules.flatten, self.rules.numbered, self.rules.disabled
        ));
    }

    fn lose_store(&mut self) {
        let (disk, store) = Disk::new(self.disk.can_die);
        replace(&mut self.disk, disk).give_back(replace(&mut self.store, store));
        self.store_place = OnceCell::new();
        self.basis = None;
        self.knowledge = Knowledge::default();
        self.feed = self.feed.as_ref().map(|_| Vec::new());
        self.read_at = None;
        self.removals.clear();
        self.left.clear();
        self.approved.clear();
        self.held.clear();
        self.lost = true;
        self.tell("the store is lost");
    }

    fn restart(&mut self) {
        // The lock is held until the last handle is gone.
        let (elsewhere, store) = Disk::new(false);
        self.store = store;
        let anew = self.disk.open();
        elsewhere.give_back(replace(&mut self.store, anew));
        self.basis = None;
        self.tell("the process is started anew");
    }

    /// Somebody else is at the target.
    fn hand(&mut self, hand: Hand, dice: &mut Dice) {
        let anchors = self.anchors().clone();
        let Place::Shared(fake) = &self.place else { return };
        let objects = fake.objects().clone();
        let ours =
            objects.iter().filter(|(_, object)| object.key.is_some_and(|key| anchors.contains_key(&key)));
        let ours: Vec<_> = ours.map(|(id, object)| (id.clone(), object.clone())).collect();
        let told = match hand {
            Hand::Creates => {
                self.number += 1;
                let content = self.foreign(dice);
                let taken = objects.values().any(|object| {
                    kind(&object.content) == kind(&content) && object.content.name_key() == content.name_key()
                });
                if taken {
                    return;
                }
                fake.add_by_hand(content.clone());
                format!("somebody makes {content:?} at the target")
            }
            Hand::Deletes => {
                let Some((id, object)) = dice.pick(ours) else { return };
                fake.objects().remove(&id);
                fake.objects().values_mut().for_each(|object| {
                    object.members.remove(&id);
                });
                self.drift.extend(object.key);
                format!("somebody deletes {}", object.content.name())
            }
            Hand::Changes => {
                let Some((id, object)) = dice.pick(ours) else { return };
                self.number += 1;
                let name = format!("by-hand-{}", self.number);
                fake.objects().get_mut(&id).unwrap().content = object.content.clone().with_name(&name);
                self.drift.extend(object.key);
                format!("somebody renames {} to {name}", object.content.name())
            }
            Hand::Disables => {
                let users = ours.into_iter().filter(|(_, object)| kind(&object.content) == SubjectKind::User);
                let Some((id, object)) = dice.pick(users) else { return };
                fake.objects().get_mut(&id).unwrap().active = false;
                self.drift.extend(object.key);
                format!("somebody disables {}", object.content.name())
            }
            Hand::AddsMember => {
                let groups =
                    ours.into_iter().filter(|(_, object)| kind(&object.content) == SubjectKind::Group);
                let Some((group, object)) = dice.pick(groups) else { return };
                let foreign = objects.iter().filter(|(_, object)| object.key.is_none());
                let Some(member) = dice.pick(foreign.map(|(id, _)| id.clone())) else { return };
                fake.objects().get_mut(&group).unwrap().members.insert(member.clone());
                self.put_in.insert(member.clone());
                format!("somebody puts {} into {}", objects[&member].content.name(), object.content.name())
            }
            Hand::Dislikes => {
                let Some(person) = dice.pick(self.world.people.values()) else { return };
                let name = person.user_name().to_lowercase();
                fake.dislikes.lock().unwrap().insert(name.clone());
                format!("the target will not have {name}")
            }
        };
        self.tell(told);
    }

    /// An object that somebody else makes: of a name of its own, or of somebody's name or address.
    fn foreign(&self, dice: &mut Dice) -> Content {
        let person = dice.pick(self.world.people.values());
        let team = dice.pick(self.world.teams.values());
        let user = |user_name: String, emails: Vec<String>| {
            Content::User(UserContent { user_name, emails, ..UserContent::default() })
        };
        let own = format!("foreign-{}", self.number);
        match (dice.roll(5), person, team) {
            (0, Some(person), _) => user(person.user_name(), Vec::new()),
            (1, Some(person), _) => user(own, vec![person.user_name().to_uppercase()]),
            (2, _, Some(team)) => {
                let display_name = team.name.clone();
                Content::Group(GroupContent { display_name, ..GroupContent::default() })
            }
            (3, _, _) => Content::Group(GroupContent { display_name: own, ..GroupContent::default() }),
            _ => user(own, Vec::new()),
        }
    }

    /// Whose object a key marks: everybody who ever was in the directory.
    pub(crate) fn anchors(&mut self) -> &HashMap<Key, String> {
        let directory = DirectoryId::new(DIRECTORY);
        let known = self.keys.len() as u64 / 2;
        for number in known + 1..=self.world.born {
            for name in [format!("u{number}"), format!("g{number}")] {
                self.keys.insert(Key::new(&owner(), &directory, &Anchor::new(name.as_str())), name);
            }
        }
        &self.keys
    }

    pub(crate) fn objects(&self) -> Objects {
        self.place.objects(&self.store, &owner())
    }

    /// Asked once of each store: it is a write.
    fn store_place(&self) -> StorePlace {
        let ask = || self.store.place(&owner(), &self.place.identity(&owner())).unwrap();
        *self.store_place.get_or_init(ask)
    }

    pub(crate) fn subjects(&self) -> Subjects {
        self.store.subjects(self.store_place()).unwrap()
    }

    fn is_first(&self) -> bool {
        self.store.policy_state(self.store_place()).unwrap().first_complete_at.is_none()
    }

    /// Reads the directory, as badly as it was announced.
    async fn read(&mut self) -> Result<(), Broken> {
        let (reader, options) = self.reader();
        let before = self.store.snapshot_info(&connector()).unwrap();
        let imported = import(&reader, &self.store, &connector(), options, &self.clock, |_| {}).await;
        self.disk.lives();
        let told = match &imported {
            Ok(imported) => {
                self.knowledge.learn(&self.world, &reader, options.look_ups > 0);
                self.read_at = Some(self.clock.seconds());
                if let Some(feed) = &mut self.feed {
                    feed.push(reader.entries.clone());
                }
                self.count("reads that completed");
                let mode = if reader.brought.lock().unwrap().full { "all of" } else { "what changed in" };
                format!(
                    "{mode} the directory is read: {} changed, {} gone, {} unreadable, {} not looked up",
                    imported.changed, imported.removed, imported.unreadable, imported.unsettled
                )
            }
            Err(ImportError::Source(error)) => {
                self.count("reads that failed");
                format!("the read fails: {error}")
            }
            Err(ImportError::Store(error)) => {
                self.count("reads that died");
                format!("the process dies while it reads: {error}")
            }
        };
        let excused = match &imported {
            Ok(_) => true,
            Err(ImportError::Source(_)) => reader.is_to_fail(),
            Err(ImportError::Store(error)) => error.to_string().contains("its time has come"),
        };
        demand(excused, 6, || format!("the read reached its end, and {told}"))?;
        self.last_read_failed = imported.is_err();
        self.tell(told);
        if imported.is_err() {
            let after = self.store.snapshot_info(&connector()).unwrap();
            demand(before == after, 1, || "a read that did not complete changed what is known".to_owned())?;
        }
        Ok(())
    }

    pub(crate) fn reader(&mut self) -> (Reader, import::Options) {
        let mut options = import::Options {
            look_ups: 1000,
            timeout: Duration::from_mins(1),
            full_read_every: Duration::from_hours(24),
        };
        let mut reader = Reader {
            entries: self.world.entries(),
            feed: self.feed.clone(),
            looks_up: if self.looks_up { LooksUp::Well } else { LooksUp::Never },
            shuffle: self.clock.seconds().unsigned_abs(),
            ..Reader::default()
        };
        for (fault, seed) in std::mem::take(&mut self.read_faults) {
            let mut dice = Dice(seed);
            let mut some = |of: &[Entry], sides: u64| -> BTreeSet<String> {
                let some = of.iter().filter(|_| dice.one_in(sides));
                some.map(|entry| entry.anchor.as_str().to_owned()).collect()
            };
            let told = match fault {
                ReadFault::EndsEarly => {
                    let at = dice.below(reader.entries.len() + 1);
                    reader.ends_early = Some(at);
                    format!("the next read is cut after {at} entries")
                }
                ReadFault::EndsUnproven => {
                    reader.ends_unproven = true;
                    "the next read is cut at its very end".to_owned()
                }
                ReadFault::Unreadable => {
                    reader.unreadable = some(&reader.entries, 5);
                    format!("the next read cannot understand {:?}", reader.unreadable)
                }
                ReadFault::Missed => {
                    let sides = 2 + seed % 6;
                    reader.missed = some(&reader.entries, sides);
                    format!("the next read misses {:?}, who are there", reader.missed)
                }
                ReadFault::Partial => {
                    let groups: Vec<Entry> = reader.entries.clone();
                    reader.partial = some(&groups, 2);
                    reader.partial.retain(|anchor| anchor.starts_with('g'));
                    format!("the next read finds only half of the members of {:?}", reader.partial)
                }
                ReadFault::Repeats => {
                    reader.repeats = true;
                    "the next read brings some entries twice".to_owned()
                }
                ReadFault::Empty => {
                    reader.empty = true;
                    "the next read brings nothing and says that it was all".to_owned()
                }
                ReadFault::LookUpFails => {
                    if self.looks_up {
                        reader.looks_up = LooksUp::Fails;
                    }
                    "the next read cannot look up what is missing".to_owned()
                }
                ReadFault::NoLookUps => {
                    options.look_ups = 0;
                    "the next read may not look up what is missing".to_owned()
                }
                ReadFault::StoreDies => {
                    let rows = dice.roll(40);
                    self.disk.dies_after(rows);
                    format!("the process dies in the next read, after {rows} rows")
                }
            };
            self.tell(told);
        }
        (reader, options)
    }

    /// One run, which may die, and what the promises say to it.
    pub(crate) async fn run(&mut self, approve: Option<String>) -> Result<Ran, Broken> {
        let first = self.is_first();
        let before = self.objects();
        if let Some(digest) = &approve {
            self.note_approval(digest);
        }
        let faults = !self.run_faults.is_empty();
        let ran = self.run_policy(approve).await?;
        let after = self.objects();
        match &ran {
            Ran::Reported(report) => self.tell(format!(
                "the policy runs: {:?}{}",
                report.verdict(),
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
        self.check(&before, &after, first, &ran, faults)?;
        Ok(ran)
    }

    async fn run_policy(&mut self, approve: Option<String>) -> Result<Ran, Broken> {
        let mut options = run::Options { approve, ..run::Options::default() };
        if self.last_read_failed {
            options.failed_connectors.insert(connector());
        }
        let dies = self.spoil_run();
        let policy = Arc::new(self.rules.policy("all"));
        let clock: &dyn Clock = &self.clock;
        let (store, basis) = (&self.store, &mut self.basis);
        let ran = match &self.place {
            Place::Shared(fake) => {
                let work = Work { store, target: &**fake, policy, rebuild, clock };
                tokio::select! {
                    ran = run_on(basis, work, options, |_, _| {}) => Some(ran),
                    () = fake.died() => None,
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
        self.disk.lives();
        match ran {
            Some(Ok(report)) => {
                if report.looked_at.is_some() {
                    self.count("runs that looked at what changed");
                }
                self.count(format!("runs that ended {:?}", report.verdict()));
                Ok(Ran::Reported(Box::new(report)))
            }
            Some(Err(error)) if error.to_string().contains("its time has come") => {
                self.count("runs that died");
                Ok(Ran::Died)
            }
            Some(Err(error)) => Err(Broken { promise: 5, what: format!("the store fails: {error}") }),
            None => {
                self.basis = None;
                self.count("runs that died");
                Ok(Ran::Died)
            }
        }
    }

    pub(crate) fn forget_faults(&mut self) {
        self.read_faults.clear();
        self.run_faults.clear();
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
                RunFault::CannotBeAsked | RunFault::Dies | RunFault::StoreDies => None,
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
        let Ok(Some(hold)) = self.store.hold(self.store_place(), digest) else { return };
        let spec = self.rules.policy("all").spec_hash;
        if hold.spec_hash != spec {
            return self.tell("a person approves what was held under another spec");
        }
        let until = self.clock.seconds() + 24 * 3600;
        for line in hold.lines {
            let doubtful = line.why.contains("lost by many at once");
            let classes = [Some(line.class.clone()), doubtful.then(|| format!("{}, doubtful", line.class))];
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

    async fn preview(&mut self) -> Result<(), Broken> {
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
    async fn run_other(&mut self) -> Result<(), Broken> {
        let Place::Shared(fake) = &self.place else { return Ok(()) };
        let before = self.objects();
        let departments = Some(BTreeSet::from(["Support".to_owned()]));
        let policy = Rules { departments, ..self.rules.clone() }.policy("other");
        let policy = Arc::new(policy);
        let work = Work { store: &self.store, target: &**fake, policy, rebuild, clock: &self.clock };
        let ran = run(work, run::Options::default(), |_, _| {}).await;
        let ran = ran.map(|report| format!("{:?}{}", report.verdict(), crate::story::of_report(&report)));
        self.tell(format!("the other policy runs: {ran:?}"));
        let after = self.objects();
        self.check_foreign(&before, &after, &other())
    }

    /// Runs of which nothing is announced; until nothing is left to be done.
    pub(crate) async fn settle(
        &mut self,
        most: u32,
        with_exceptions: bool,
    ) -> Result<Option<Box<RunReport>>, Broken> {
        let mut last = None;
        for round in 0..most {
            // A full read: what a feed never told again comes back with it.
            self.feed = self.feed.as_ref().map(|_| Vec::new());
            self.read().await?;
            demand(!self.last_read_failed, 6, || "a read in which nothing was wrong failed".to_owned())?;
            let Ran::Reported(report) = self.run(None).await? else { unreachable!("nothing dies here") };
            // Who waits for a name that is never given up waits for ever.
            let waits = round > 4 && !report.blocked.is_empty() && report.due <= Some(report.started_at);
            let quiet = (report.due.is_none() || waits)
                && report.failed.is_none()
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
            self.clock.pass(26 * 3600);
        }
        Ok(last)
    }

    /// Where others are in the way, they go.
    pub(crate) fn clear_the_way(&mut self) {
        // Who was in the way is remembered until it is tried again.
        self.rejected = true;
        let anchors = self.anchors().clone();
        if let Place::Shared(fake) = &self.place {
            fake.dislikes.lock().unwrap().clear();
            fake.objects().retain(|_, object| object.key.is_some_and(|key| anchors.contains_key(&key)));
        }
    }
}
