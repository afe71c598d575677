//! The promises, as properties over random lives: a company to which things happen, a directory that is
//! read well or badly, specs that are edited, a target that makes trouble and that others write too, a
//! process that dies at any moment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use rollcall::clock::Clock;
use rollcall::directory::{Anchor, DirectoryId};
use rollcall::directory::{
    ConnectorName, Content, GroupContent, Key, Owner, SubjectId, SubjectKind, TargetId, UserContent,
};
use rollcall::spec;
use rollcall::store::Store;
use rollcall::sync::import::{self, import};
use rollcall::sync::policy::Policy;
use rollcall::sync::project::QuarantineReason;
use rollcall::sync::run::{self, RunReport, Verdict, Work, run};

use crate::support::fake_target::{Fake, Object, Trouble, kind};
use oracle::Rules;
use reader::Reader;
use world::{Dice, World};

mod oracle;
mod reader;
mod world;

const DIRECTORY: &str = "dc=corp,dc=example";

/// Time that passes when the test says so.
struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

/// One life: a company, its directory, our store, and a target.
struct Life {
    dice: Dice,
    world: World,
    rules: Rules,
    /// What the spec says of leavers, disabled accounts, re-created people and vanished groups.
    users: String,
    groups: &'static str,
    store: Store,
    folder: tempfile::TempDir,
    clock: TestClock,
    target: Fake,
    /// What the last completed read stated.
    read: Option<World>,
    /// Somebody else's objects, as they were put there.
    foreign: BTreeMap<TargetId, Content>,
    /// When which person was removed or disabled, without an approval.
    removals: Vec<(i64, String)>,
    runs: u64,
    story: Vec<String>,
}

/// What is there of ours, by anchor.
#[derive(Clone, Debug, Default, PartialEq)]
struct Seen {
    active: BTreeSet<String>,
    inactive: BTreeSet<String>,
    /// Group → members, by anchor.
    teams: BTreeMap<String, BTreeSet<String>>,
}

impl Life {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let people = 4 + dice.roll(40);
        let world = World::new(&mut dice, people, 2 + people / 8);
        let folder = tempfile::tempdir().unwrap();
        let rules = Rules { departments: None, flatten: dice.one_in(2) };
        let mut one_of = |all: &[&'static str]| dice.pick(all.iter().copied()).unwrap();
        let users = format!(
            "recreated: {}, disabled: {}, leavers: {}",
            one_of(&["Relink", "Replace"]),
            one_of(&["Disable", "Leave"]),
            one_of(&[
                "[{ do: Disable }]",
                "[{ do: Delete }]",
                "[{ do: Disable }, { after: 30h, do: Delete }]",
                "[{ after: 5h, do: Disable }]",
            ])
        );
        let groups = one_of(&["Delete", "Empty"]);
        Self {
            store: Store::open(&folder.path().join("data")).unwrap(),
            dice,
            world,
            rules,
            users,
            groups,
            folder,
            clock: TestClock(AtomicI64::new(1_700_000_000)),
            target: Fake::new(),
            read: None,
            foreign: BTreeMap::new(),
            removals: Vec::new(),
            runs: 0,
            story: Vec::new(),
        }
    }

    fn owner() -> Owner {
        Owner::new("test", "all")
    }

    fn policy(&self) -> Arc<Policy> {
        let wanted = self.rules.departments.as_ref().map_or(String::new(), |departments| {
            let any: Vec<String> =
                departments.iter().map(|department| format!("user.department == '{department}'")).collect();
            format!(", where: \"{}\"", any.join(" || "))
        });
        let nesting = if self.rules.flatten { "Flatten" } else { "Preserve" };
        let manifest = format!(
            "apiVersion: rollcall.dev/v1alpha1\nkind: DirectoryConnector\nmetadata: {{ name: corp, namespace: test }}\n\
             spec: {{ ldif: {{ path: none.ldif }} }}\n---\n\
             apiVersion: rollcall.dev/v1alpha1\nkind: SyncPolicy\nmetadata: {{ name: all, namespace: test }}\nspec:\n  \
             connectors: [{{ name: corp }}]\n  target: {{ registry: {{}} }}\n  users: {{ {}{wanted} }}\n  \
             groups: {{ nesting: {nesting}, vanished: {{ do: {} }} }}\n",
            self.users, self.groups
        );
        let mut manifests = spec::manifest::Manifests::default();
        manifests.text("test", &manifest, Some(std::path::Path::new("")));
        let resolved = spec::resolve(&manifests.objects);
        assert!(manifests.problems.is_empty() && resolved.problems.is_empty(), "{:?}", resolved.problems);
        resolved.policies[0].policy.clone()
    }

    /// Keys of everybody who ever was in the directory.
    fn anchors(&self) -> BTreeMap<Key, String> {
        let directory = DirectoryId::new(DIRECTORY);
        let names = (1..=self.world.born).flat_map(|number| [format!("u{number}"), format!("g{number}")]);
        names.map(|name| (Key::new(&Self::owner(), &directory, &Anchor::new(name.as_str())), name)).collect()
    }

    /// What is there of ours.
    fn seen(&self) -> Seen {
        let anchors = self.anchors();
        let objects = self.target.objects();
        let anchor = |id: &TargetId| objects.get(id).and_then(|object| anchors.get(&object.key?)).cloned();
        let mut seen = Seen::default();
        for object in objects.values() {
            let Some(name) = object.key.and_then(|key| anchors.get(&key)).cloned() else { continue };
            match (kind(&object.content), object.active) {
                (SubjectKind::User, true) => drop(seen.active.insert(name)),
                (SubjectKind::User, false) => drop(seen.inactive.insert(name)),
                (SubjectKind::Group, _) => {
                    drop(seen.teams.insert(name, object.members.iter().filter_map(anchor).collect()));
                }
            }
        }
        seen
    }

    fn reader(&mut self, faults: bool) -> Reader {
        let entries = self.world.entries();
        let mut reader =
            Reader { shuffle: self.dice.roll(u64::MAX), looks_up: true, entries, ..Reader::default() };
        if !faults {
            return reader;
        }
        reader.looks_up = !self.dice.one_in(3);
        if self.dice.one_in(5) {
            reader.ends_early =
                Some(usize::try_from(self.dice.roll(reader.entries.len() as u64 + 1)).unwrap());
        }
        for entry in reader.entries.clone() {
            if self.dice.one_in(20) {
                reader.unreadable.insert(entry.anchor.as_str().to_owned());
            } else if reader.looks_up && self.dice.one_in(20) {
                reader.hidden.insert(entry.anchor.as_str().to_owned());
            }
        }
        if self.dice.one_in(8) {
            reader.blind_to =
                Some(["mail", "department", "displayName"][usize::try_from(self.dice.roll(3)).unwrap()]);
        }
        reader
    }

    /// Reads the directory; says whether the read reached its end.
    async fn import(&mut self, reader: &Reader) -> bool {
        let name = ConnectorName::new("test", "corp");
        let before = self.store.snapshot(&name).unwrap().map(|snapshot| snapshot.info().clone());
        let options = import::Options { look_ups: 1000, timeout: Duration::from_mins(1) };
        let imported = import(reader, &self.store, &name, options, &self.clock, |_| {}).await;
        if imported.is_err() {
            let after = self.store.snapshot(&name).unwrap().map(|snapshot| snapshot.info().clone());
            assert_eq!(before, after, "a read that did not complete changed what is known");
        }
        self.story.push(format!(
            "read: {:?}",
            imported.as_ref().map(|it| (it.changed, it.removed)).map_err(ToString::to_string)
        ));
        imported.is_ok()
    }

    /// One run, which may die; `None` if it did.
    async fn run(&mut self, failed: bool, approve: Option<String>) -> Option<RunReport> {
        let mut options = run::Options { approve, ..run::Options::default() };
        if failed {
            options.failed_connectors.insert(ConnectorName::new("test", "corp"));
        }
        let work = Work {
            store: &self.store,
            target: &self.target,
            policy: self.policy(),
            rebuild: spec::rebuild,
            clock: &self.clock,
        };
        self.runs += 1;
        let report = tokio::select! {
            report = run(work, options, |_, _| {}) => Some(report.unwrap()),
            () = self.target.died() => None,
        };
        self.target.no_trouble();
        self.story.push(match &report {
            Some(report) => format!(
                "run: {:?} {:?} {:?} +{} -{} held {}",
                report.verdict(),
                report.applied.users,
                report.applied.groups,
                report.applied.members_added,
                report.applied.members_removed,
                report.held.as_ref().map_or(0, |hold| hold.lines.len())
            ),
            None => "run: the process died".to_owned(),
        });
        report
    }

    /// Makes trouble for the next run.
    fn make_trouble(&mut self) {
        if self.dice.one_in(3) {
            let troubles = (0..self.dice.roll(30)).map(|_| match self.dice.roll(12) {
                0 => Trouble::LostBefore,
                1 => Trouble::LostAfter,
                2 => Trouble::Busy(None),
                _ => Trouble::None,
            });
            let troubles: Vec<Trouble> = troubles.collect();
            self.target.trouble(troubles);
        }
        if self.dice.one_in(30) {
            self.target.trouble([Trouble::None, Trouble::Down]);
        }
        if self.dice.one_in(3) {
            self.target.die_at(1 + self.dice.roll(40));
        }
        if self.dice.one_in(6) {
            let number = self.runs;
            let content = if self.dice.one_in(2) {
                Content::User(UserContent { user_name: format!("foreign{number}"), ..UserContent::default() })
            } else {
                Content::Group(GroupContent {
                    display_name: format!("foreign{number}"),
                    ..GroupContent::default()
                })
            };
            let id = self.target.add_by_hand(content.clone());
            self.foreign.insert(id, content);
        }
    }

    /// One day: things happen, the directory is read, the policy runs, and the promises hold.
    async fn day(&mut self) {
        for _ in 0..self.dice.roll(5) {
            let happened = self.world.happen(&mut self.dice);
            self.story.push(happened);
        }
        if self.dice.one_in(15) {
            self.world.lose_most(&mut self.dice);
            self.story.push("most of the directory is gone".to_owned());
        }
        if self.dice.one_in(8) {
            self.rules.departments = match self.rules.departments {
                None => Some(BTreeSet::from(["Sales".to_owned(), "Support".to_owned()])),
                Some(_) => None,
            };
            self.story.push(format!("the spec is edited: {:?}", self.rules.departments));
        }
        let reader = self.reader(true);
        let completed = self.import(&reader).await;
        if completed {
            self.read = Some(self.world.clone());
        }
        self.make_trouble();
        let before = self.seen();
        let first =
            self.store.policy_state(self.store.place(&Self::owner(), "fake:https://fake.example").unwrap());
        let first = first.unwrap().first_complete_at.is_none();
        let report = self.run(!completed, None).await;
        let after = self.seen();
        self.check(&before, &after, first, completed, &reader, report.as_ref());
        if report.is_some_and(|report| report.failed.is_none()) {
            self.check_knowledge();
        }
        self.clock.0.fetch_add(i64::try_from(3600 * (1 + self.dice.roll(8))).unwrap(), Ordering::SeqCst);
    }

    /// After a run that did all of its work, what we know is what is there.
    fn check_knowledge(&self) {
        let place = self.store.place(&Self::owner(), "fake:https://fake.example").unwrap();
        let subjects = self.store.subjects(place).unwrap();
        let objects = self.target.objects();
        let target = |member: u32| subjects.link(SubjectId(member)).map(|link| link.target.clone());
        for subject in subjects.by_id.values() {
            let Some(link) = &subject.link else { continue };
            let object = &objects[&link.target];
            assert_eq!(
                (&object.content, object.active),
                (&*link.confirmed, link.active),
                "{:?}",
                subject.anchors
            );
            let known: BTreeSet<TargetId> = link.members.iter().filter_map(target).collect();
            assert_eq!(object.members, known, "members of {:?}", subject.anchors);
        }
    }

    fn check(
        &mut self,
        before: &Seen,
        after: &Seen,
        first: bool,
        completed: bool,
        reader: &Reader,
        report: Option<&RunReport>,
    ) {
        let removed: BTreeSet<&String> = before.active.difference(&after.active).collect();
        if !completed {
            assert!(removed.is_empty(), "an interrupted read removed {removed:?}");
            for (team, members) in &before.teams {
                let active: BTreeSet<&String> = members.intersection(&before.active).collect();
                let now = after.teams.get(team).expect("an interrupted read removed a group");
                assert!(
                    active.iter().all(|member| now.contains(*member)),
                    "an interrupted read took from {team}"
                );
            }
        }
        let truth = self.read.clone().unwrap_or_default();
        // A field that everybody lost is seen to be lost from five on.
        let blind = reader.blind_to == Some("department") && truth.people.len() < 10;
        for anchor in &removed {
            assert!(!reader.unreadable.contains(*anchor), "{anchor} could not be read, and was removed");
            match truth.people.get(*anchor) {
                None => assert!(!first, "the first run removed {anchor}"),
                Some(person) if person.disabled => {}
                // A look-up found it elsewhere: that is what being out of scope looks like.
                Some(_) if reader.hidden.contains(*anchor) || blind => {}
                Some(person) => {
                    assert!(
                        !self.rules.want(&truth, anchor),
                        "{anchor} ({person:?}) was removed for nothing"
                    );
                    assert!(!first, "the first run removed {anchor}");
                    assert!(!person.garbled, "{anchor} was removed on the word of an unreadable field");
                }
            }
        }
        for team in before.teams.keys().filter(|team| !after.teams.contains_key(*team)) {
            let gone = !truth.teams.contains_key(team) || reader.hidden.contains(team);
            assert!(!first && gone, "{team} was removed for nothing");
        }
        // What is nobody's of ours is as it was.
        for (id, content) in &self.foreign {
            let objects = self.target.objects();
            let object = objects.get(id).expect("somebody else's object was deleted");
            assert!(
                object.content == *content && object.key.is_none() && object.active,
                "{object:?} was changed"
            );
        }
        self.check_budget(before, &removed, &truth);
        if let Some(report) = report
            && matches!(report.verdict(), Verdict::InStep | Verdict::InStepWithExceptions)
        {
            assert!(completed, "green although the read failed");
            assert!(report.held.is_none() && report.failed.is_none() && report.stale.is_empty());
        }
    }

    /// No more people than the limits allow were removed within any window.
    fn check_budget(&mut self, before: &Seen, removed: &BTreeSet<&String>, truth: &World) {
        let now = self.clock.0.load(Ordering::SeqCst);
        let leavers =
            removed.iter().filter(|anchor| !truth.people.get(**anchor).is_some_and(|it| it.disabled));
        self.removals.extend(leavers.map(|anchor| (now, (*anchor).clone())));
        let window: BTreeSet<&String> =
            self.removals.iter().filter(|(at, _)| *at > now - 24 * 3600).map(|(_, anchor)| anchor).collect();
        // Five by the directory's own change, five by an edit of the spec; the companies are too small for
        // five per cent to be more.
        assert!(window.len() <= 10, "{window:?} went within a day, of {}", before.active.len());
    }

    /// Everything is well again: whatever happened before, the target comes to what the directory says.
    async fn heal(&mut self) {
        // A directory that has nobody left is refused, for ever.
        self.world.join(&mut self.dice);
        let people: Vec<String> = self.world.people.keys().cloned().collect();
        for anchor in people {
            let person = self.world.people.get_mut(&anchor).unwrap();
            person.garbled = false;
            person.mail = Some(format!("{anchor}@corp.example"));
        }
        self.target.no_trouble();
        self.story.push("everything is well again".to_owned());
        for day in 0..40 {
            let reader = self.reader(false);
            assert!(self.import(&reader).await);
            self.read = Some(self.world.clone());
            let report = self.run(false, None).await.unwrap();
            // Somebody relinked whose old entry came back: a person removes one of the two.
            for one in report.quarantined.iter().filter(|one| one.reason == QuarantineReason::Recreated) {
                let anchor = one.entry.trim_start_matches("cn=").split(',').next().unwrap();
                self.world.people.remove(anchor);
            }
            if let Some(hold) = &report.held {
                self.run(false, Some(hold.digest.clone())).await.unwrap();
            } else if day > 0 && report.verdict() == Verdict::InStep && report.due.is_none() {
                // The first complete run of all removes nothing, so one that is in step is not enough.
                break;
            }
            self.clock.0.fetch_add(26 * 3600, Ordering::SeqCst);
        }
        let report = self.run(false, None).await.unwrap();
        assert_eq!(report.verdict(), Verdict::InStep, "{report:#?}");
        self.compare();
    }

    fn compare(&self) {
        let expected = self.rules.expected(&self.world);
        let objects = self.target.objects();
        let ours = |wanted| {
            objects.values().filter(move |object| object.key.is_some() && kind(&object.content) == wanted)
        };
        let active: BTreeSet<&str> = ours(SubjectKind::User)
            .filter(|object| object.active)
            .map(|object| object.content.name())
            .collect();
        assert_eq!(active, expected.active.keys().map(String::as_str).collect(), "active users");
        // One that is gone and was emptied is as good as none.
        let lives = |object: &&Object| {
            !object.members.is_empty() || expected.teams.contains_key(object.content.name())
        };
        let teams: BTreeSet<&str> =
            ours(SubjectKind::Group).filter(lives).map(|object| object.content.name()).collect();
        assert_eq!(teams, expected.teams.keys().map(String::as_str).collect(), "groups");
        for team in ours(SubjectKind::Group).filter(lives) {
            let members = team.members.iter().map(|id| &objects[id]);
            let (people, groups): (Vec<_>, Vec<_>) =
                members.partition(|member| kind(&member.content) == SubjectKind::User);
            let names = |of: Vec<&Object>| -> BTreeSet<String> {
                of.into_iter().map(|object| object.content.name().to_owned()).collect()
            };
            let (there, disabled): (Vec<_>, Vec<_>) = people.into_iter().partition(|person| person.active);
            let wanted = &expected.teams[team.content.name()];
            let there_wanted = wanted.people.iter().filter(|name| expected.active.contains_key(*name));
            assert_eq!(names(there), there_wanted.cloned().collect(), "people in {}", team.content.name());
            assert!(names(disabled).is_subset(&wanted.people), "disabled people in {}", team.content.name());
            assert_eq!(names(groups), wanted.teams, "groups in {}", team.content.name());
        }
    }
}

/// Lives one life; the story is told if it ends badly.
fn live(seed: u64) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let mut life = Life::new(seed);
    let days = 3 + life.dice.roll(12);
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        runtime.block_on(async {
            for _ in 0..days {
                life.day().await;
            }
            life.heal().await;
        });
    }));
    if let Err(panic) = ended {
        eprintln!("seed {seed} in {}:\n  {}", life.folder.path().display(), life.story.join("\n  "));
        std::panic::resume_unwind(panic);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 0, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn promises_hold_over_any_life(seed: u64) {
        live(seed);
    }
}
