//! One life: a company, its directory, our store and a target, and what happens to them.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::mem::replace;
use std::time::Duration;

use rollcall::directory::{Anchor, ConnectorName, DirectoryId, Entry, Key, Owner, SubjectId, TargetId};
use rollcall::store::Store;
use rollcall::store::link::{Place as StorePlace, Subjects};
use rollcall::sync::run::{RunReport, RunState};
use rollcall::target::turn::Turns;

use crate::check::{Holding, Removal};
use crate::clock::TestClock;
use crate::dice::Dice;
use crate::disk::Disk;
use crate::event::{Edit, Event, ReadFault, RunFault, Step};
use crate::fake_target::Fake;
use crate::oracle::{Broken, Knowledge};
use crate::place::{Objects, Place};
use crate::reader::DIRECTORY;
use crate::rules::{OfDisabled, Rules};
use crate::world::World;

mod end;
mod hand;
mod moving;
mod read;
mod run;

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
    /// The target where the policy is not, if it ever moved.
    elsewhere: Option<moving::Elsewhere>,
    /// Whether it moved, and had no whole run since.
    moved: bool,
    /// Whether a run reported from this target since the policy is there.
    ran_here: bool,
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
    /// The last holds' digests, newest last …
    held: Vec<String>,
    /// … and those of a target that was left since.
    void: BTreeSet<String>,
    /// Whom the last run held, if nothing was read since.
    pub(crate) holding: Option<Holding>,
    /// Whether each run compares the target with what was left there; else some do.
    pub(crate) verifies: bool,
    /// Objects of ours that somebody changed by hand.
    pub(crate) drift: BTreeSet<Key>,
    /// What somebody put into groups of ours: it may become ours later.
    pub(crate) put_in: BTreeSet<TargetId>,
    /// Whether the store was ever lost.
    pub(crate) lost: bool,
    /// Whether the spec was ever edited.
    pub(crate) edited: bool,
    /// Whether every export from now on proves that it is whole: at the end of a life only luck would let the last one.
    pub(crate) proves_its_end: bool,
    /// Whether the target ever would not have somebody, for no reason of theirs.
    pub(crate) rejected: bool,
    /// The other policy stopped before its end, and keeps what it had begun to make its own.
    pub(crate) other_is_midway: bool,
    /// Names that the last run could not give, or not give yet.
    pub(crate) put_aside: BTreeSet<String>,
    /// Whether the last run left something to the next one.
    pub(crate) waits: bool,
    /// What the last run of this process left to the next.
    basis: Option<RunState>,
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

/// A target that others write too: some keep no key, and some take several operations at once.
fn shared(dice: &mut Dice, events: &[Step]) -> Place {
    let mut fake = Fake::new();
    if dice.one_in(4) {
        fake.holds_no_key();
        if dice.one_in(2) {
            fake.be_like_mimecast();
        }
    }
    // While others use it, whoever waits does nothing else.
    let meets = |step: &Step| matches!(step.event, Event::SpoilsRun(RunFault::Meanwhile));
    if dice.one_in(2) && !events.iter().any(meets) {
        (fake.capabilities.batch, fake.capabilities.at_once) = (1, 4);
    }
    Place::Shared(Box::new(fake))
}

impl Life {
    pub(crate) fn new(dice: &mut Dice, events: &[Step]) -> Self {
        let mut rules = Rules::new(dice);
        let place = if dice.one_in(4) { Place::Registry } else { shared(dice, events) };
        if matches!(&place, Place::Shared(fake) if !fake.capabilities.nested_groups) {
            rules.be_modest();
        }
        let exported = dice.one_in(3);
        let looks_up = !exported && !dice.one_in(3);
        let feed = (!exported && dice.one_in(3)).then(Vec::new);
        let may_die = |step: &Step| {
            matches!(
                step.event,
                Event::SpoilsRead(ReadFault::StoreDies) | Event::SpoilsRun(RunFault::StoreDies)
            )
        };
        let (disk, store) = Disk::new(events.iter().any(may_die));
        let beginning = format!(
            "a policy with {rules:?}, {} target, {} that {} look up{}",
            match &place {
                Place::Registry => "the registry as its",
                Place::Shared(_) if rules.modest => "a shared one like Mimecast as its",
                Place::Shared(fake) if fake.capabilities.users.is_some_and(|of| !of.holds_key) => {
                    "a shared and keyless"
                }
                Place::Shared(_) => "a shared",
            },
            if exported { "exports" } else { "a source" },
            if looks_up { "can" } else { "cannot" },
            if feed.is_some() { " and has a change feed" } else { "" }
        );
        Self {
            world: World { exported, ..World::default() },
            rules,
            knowledge: Knowledge::default(),
            looks_up,
            feed,
            store,
            store_place: OnceCell::new(),
            disk,
            clock: TestClock::new(),
            place,
            elsewhere: None,
            moved: false,
            ran_here: false,
            read_at: None,
            last_read_failed: false,
            read_faults: Vec::new(),
            run_faults: Vec::new(),
            removals: Vec::new(),
            left: BTreeMap::new(),
            approved: BTreeMap::new(),
            held: Vec::new(),
            void: BTreeSet::new(),
            holding: None,
            verifies: false,
            drift: BTreeSet::new(),
            put_in: BTreeSet::new(),
            lost: false,
            edited: false,
            proves_its_end: false,
            rejected: false,
            other_is_midway: false,
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
            Event::Move => self.r#move()?,
            // Without a key nobody finds their objects again.
            Event::LoseStore if self.is_keyless() => {}
            Event::LoseStore => self.lose_store(),
            Event::Restart => self.restart(),
            Event::Pass(minutes) => {
                self.pass(minutes * 60).await;
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
            Edit::Nesting => self.rules.flatten = self.rules.modest || !self.rules.flatten,
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
        self.holding = None;
        self.lost = true;
        (self.moved, self.ran_here) = (false, false);
        self.lose_elsewhere();
        self.tell("the store is lost");
    }

    fn restart(&mut self) {
        // The lock is held until the last handle is gone.
        let (elsewhere, store) = Disk::new(false);
        self.store = store;
        let anew = self.disk.open();
        elsewhere.give_back(replace(&mut self.store, anew));
        self.basis = None;
        if let Place::Shared(fake) = &mut self.place {
            fake.turns = Turns::free();
        }
        self.tell("the process is started anew");
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

    /// Of whom nobody knows what became of an operation: an intent of theirs is open.
    pub(crate) fn in_doubt(&self) -> BTreeSet<SubjectId> {
        let open = self.store.open_intents(self.store_place()).unwrap();
        open.into_iter().map(|intent| intent.effect.subject).collect()
    }

    pub(crate) fn subjects(&self) -> Subjects {
        self.store.subjects(self.store_place()).unwrap()
    }

    /// So much time passes, or the clock is set back by that, which takes an hour.
    async fn pass(&mut self, seconds: i64) {
        self.clock.pass(seconds);
        let real = if seconds < 0 { 3600 } else { seconds };
        tokio::time::advance(Duration::from_secs(real.unsigned_abs())).await;
        if !self.is_keyless() {
            self.sweep();
        }
    }

    fn is_keyless(&self) -> bool {
        let places = [Some(&self.place), self.elsewhere.as_ref().map(|elsewhere| &elsewhere.place)];
        places.into_iter().flatten().any(|place| {
            matches!(place, Place::Shared(fake) if fake.capabilities.users.is_some_and(|of| !of.holds_key))
        })
    }

    /// Whether nothing may be removed yet: nothing was finished here, as far as is known, or since the policy moved here.
    fn is_first(&self) -> bool {
        self.moved || self.is_first_here()
    }

    fn is_first_here(&self) -> bool {
        self.store.policy_state(self.store_place()).unwrap().first_complete_at.is_none()
    }
}
