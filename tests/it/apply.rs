//! Applying at a target that somebody else writes too: adoption, claims, ambiguity, patience.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rollcall::clock::Clock;
use rollcall::directory::{
    Anchor, Batch, Change, Completion, ConnectorName, Content, Cursor, Entry, EntryKind, GroupContent,
    Members, Mode, Operation, Owner, Reference, Stated, TargetId, UserContent, fields,
};
use rollcall::source::{LookUp, Sink, Source, SourceError};
use rollcall::spec;
use rollcall::store::Store;
use rollcall::store::hold::Line;
use rollcall::store::journal::{Intent, Spent};
use rollcall::store::link::Place;
use rollcall::sync::apply::Counts;
use rollcall::sync::import::import;
use rollcall::sync::policy::{Adopt, MatchBy, Policy};
use rollcall::sync::run::{Approval, Options, RunReport, RunResult, Stop, Work, run, unreached};
use rollcall::target::{NameLimits, TargetError, TargetReason};

use crate::support::completion::completion;
use crate::support::fake_target::{Fake, Object, Trouble};
use crate::support::hand::Hand;
use crate::support::reading;

/// A directory of these people, and of a group of all of them but hedy if it is among them.
struct People(Vec<&'static str>);

const TEAM: &str = "team";

impl Source for People {
    async fn read(&self, _: Option<&Cursor>, sink: Sink) -> Result<Completion, SourceError> {
        let entry = |name: &&str| {
            let stated = |text: String| Stated::Values(vec![text]);
            let mut entry = Entry { anchor: Anchor::new(*name), dn: format!("cn={name}"), ..Entry::nobody() };
            if *name == TEAM {
                let members = self
                    .0
                    .iter()
                    .filter(|name| ![TEAM, "hedy"].contains(*name))
                    .map(|name| Anchor::new(*name));
                entry.kind = EntryKind::Group;
                entry.members = Members::Complete(members.map(Reference::Anchor).collect());
                entry.fields = BTreeMap::from([(fields::NAME.to_owned(), stated(TEAM.to_owned()))]);
                return Change::Replace(Box::new(entry));
            }
            entry.names = vec![Reference::Anchor(entry.anchor.clone())];
            entry.fields = BTreeMap::from([
                (fields::USER_NAME.to_owned(), stated((*name).to_owned())),
                (fields::MAIL.to_owned(), stated(format!("{name}@corp.example"))),
                (fields::DISPLAY_NAME.to_owned(), stated((*name).to_uppercase())),
            ]);
            Change::Replace(Box::new(entry))
        };
        sink.send(Batch(self.0.iter().map(entry).collect())).await.unwrap();
        Ok(completion(Mode::Full, "dc=corp"))
    }

    async fn look_up(
        &self,
        anchors: &[Anchor],
        _: &HashMap<Anchor, String>,
    ) -> Result<Option<LookUp>, SourceError> {
        let there = |anchor: &Anchor| self.0.contains(&anchor.as_str());
        let (found, missing) = anchors.iter().cloned().partition(there);
        Ok(Some(LookUp { found, missing, ..LookUp::default() }))
    }
}

struct Bench {
    store: Store,
    _folder: tempfile::TempDir,
    target: Fake,
    adopt: Adopt,
    /// More of what policies say.
    spec: &'static str,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        Self { store, _folder: folder, target: Fake::new(), adopt: Adopt::By(vec![MatchBy::Email]), spec: "" }
    }

    fn policy(&self, name: &str) -> Policy {
        let Self { spec, .. } = self;
        let manifest = format!(
            "apiVersion: rollcall.dev/v1alpha1\nkind: DirectoryConnector\nmetadata: {{ name: {name}, namespace: test }}\n\
             spec: {{ ldif: {{ path: none }} }}\n---\napiVersion: rollcall.dev/v1alpha1\nkind: SyncPolicy\n\
             metadata: {{ name: {name}, namespace: test }}\n\
             spec: {{ connectors: [{{ name: {name} }}], target: {{ registry: {{}} }}{spec} }}\n"
        );
        let mut manifests = spec::manifest::Manifests::default();
        manifests.text("test", &manifest, None);
        let resolved = spec::resolve(&manifests.objects);
        let mut policy = Policy::clone(&resolved.policies[0].policy);
        policy.users.adopt = self.adopt.clone();
        policy
    }

    /// Reads these people and runs the policy of this name, so many seconds from the beginning.
    async fn run(&self, policy: &str, people: &[&'static str], at: i64) -> RunReport {
        self.run_with(policy, people, at, Options::default()).await
    }

    async fn run_with(&self, policy: &str, people: &[&'static str], at: i64, options: Options) -> RunReport {
        let clock = Hand::seconds(at);
        let connector = ConnectorName::new("test", policy);
        let reading = reading::options();
        import(&People(people.to_vec()), &self.store, &connector, reading, &clock, |_| {}).await.unwrap();
        let work = Work {
            store: &self.store,
            target: &self.target,
            policy: Arc::new(self.policy(policy)),
            rebuild: spec::rebuild,
            clock: &clock,
        };
        run(work, options, |_, _| {}).await.unwrap()
    }

    /// Somebody else's user.
    fn foreign(&self, name: &str, address: &str) -> TargetId {
        let emails = vec![address.to_owned()];
        self.target.add_by_hand(Content::User(UserContent {
            user_name: name.to_owned(),
            emails,
            ..UserContent::default()
        }))
    }

    fn place(&self) -> Place {
        self.store.place(&Owner::new("test", "one"), &self.target.identity).unwrap()
    }

    /// What the policy `one` began and does not know the end of.
    fn open_intents(&self) -> Vec<Intent> {
        self.store.open_intents(self.place()).unwrap()
    }

    fn spent(&self) -> Vec<Spent> {
        self.store.spent(self.place(), Hand::seconds(0).now()).unwrap()
    }

    fn id_of(&self, name: &str) -> TargetId {
        let objects = self.target.objects();
        let of = |(_, object): &(&TargetId, &Object)| object.content.name().starts_with(name);
        objects.iter().find(of).unwrap().0.clone()
    }

    fn count(&self) -> usize {
        self.target.objects().len()
    }
}

fn why(report: &RunReport) -> String {
    let all: Vec<String> =
        report.quarantined.iter().map(|one| format!("{}: {}", one.entry, one.message)).collect();
    all.join("\n")
}

#[tokio::test]
async fn an_object_that_matches_is_adopted_and_counted() {
    let bench = Bench::new();
    let theirs = bench.foreign("a.lovelace", "ADA@corp.example");
    let report = bench.run("one", &["ada", "grace"], 0).await;
    assert_eq!((report.applied.users.adopted, report.applied.users.created), (1, 1));
    assert_eq!(report.result(), RunResult::InStep);
    let object = bench.target.objects()[&theirs].clone();
    assert_eq!(object.content.name(), "ada@corp.example");
    assert!(object.key.is_some());
    assert_eq!(bench.count(), 2, "no second one was made");
}

#[tokio::test]
async fn an_adopted_object_that_was_disabled_is_enabled_by_the_next_run_and_not_green_before() {
    let bench = Bench::new();
    let theirs = bench.foreign("a.lovelace", "ada@corp.example");
    bench.target.objects().get_mut(&theirs).unwrap().active = false;
    let report = bench.run("one", &["ada"], 0).await;
    assert_eq!((report.result(), report.applied.users.adopted), (RunResult::InStepWithExceptions, 1));
    assert_eq!(report.due, Some(report.started_at), "it is not forgotten, though no read brings anything");
    assert_eq!(bench.run("one", &["ada"], 60).await.result(), RunResult::InStep);
    assert!(bench.target.objects()[&theirs].active);
}

#[tokio::test]
async fn without_a_match_rule_nothing_is_adopted() {
    let bench = Bench { adopt: Adopt::Never, ..Bench::new() };
    let theirs = bench.foreign("ada@corp.example", "ada@corp.example");
    let report = bench.run("one", &["ada", "grace"], 0).await;
    assert_eq!((report.applied.users.adopted, report.applied.users.created), (0, 1));
    assert!(
        why(&report).contains("the target has another object with the name ada@corp.example"),
        "{}",
        why(&report)
    );
    assert_eq!(bench.target.objects()[&theirs].key, None);
}

#[tokio::test]
async fn what_is_another_entrys_is_nobodys_to_adopt() {
    let bench = Bench::new();
    bench.run("one", &["ada"], 0).await;
    if let Content::User(user) = &mut bench.target.objects().values_mut().next().unwrap().content {
        user.emails = vec!["grace@corp.example".to_owned()];
    }
    let report = bench.run("one", &["ada", "grace"], 60).await;
    assert_eq!((report.result(), report.applied.users.created), (RunResult::InStep, 1));
}

#[tokio::test]
async fn a_name_that_another_entry_still_has_is_not_called_a_strangers() {
    let bench = Bench::new();
    bench.run("one", &["ada"], 0).await;
    // Somebody renamed hers at the target.
    if let Content::User(user) = &mut bench.target.objects().values_mut().next().unwrap().content {
        "grace@corp.example".clone_into(&mut user.user_name);
    }
    let report = bench.run("one", &["ada", "grace"], 60).await;
    assert!(why(&report).contains("grace@corp.example still belongs to another entry"), "{}", why(&report));
}

#[tokio::test]
async fn an_object_that_two_match_is_adopted_once() {
    let bench = Bench::new();
    let theirs = bench.foreign("office", "ada@corp.example");
    if let Content::User(user) = &mut bench.target.objects().get_mut(&theirs).unwrap().content {
        user.emails.push("grace@corp.example".to_owned());
    }
    let report = bench.run("one", &["ada", "grace"], 0).await;
    assert_eq!((report.applied.users.adopted, report.applied.users.created), (1, 1), "{}", why(&report));
}

#[tokio::test]
async fn of_two_matches_neither_is_taken() {
    let bench = Bench::new();
    bench.foreign("one", "ada@corp.example");
    bench.foreign("two", "ada@corp.example");
    let report = bench.run("one", &["ada"], 0).await;
    assert!(why(&report).contains("2 objects that match"), "{}", why(&report));
    assert!(bench.target.objects().values().all(|object| object.key.is_none()));
}

#[tokio::test]
async fn a_second_policy_never_takes_what_another_has() {
    let bench = Bench::new();
    bench.run("one", &["ada"], 0).await;
    let before = bench.target.objects().clone();
    let report = bench.run("other", &["ada"], 0).await;
    assert!(why(&report).contains("belongs to the policy test/one"), "{}", why(&report));
    assert_eq!(*bench.target.objects(), before);
}

#[tokio::test]
async fn what_is_ours_is_found_again_when_the_store_is_lost() {
    let mut bench = Bench::new();
    bench.run("one", &["ada", "grace"], 0).await;
    let before = bench.target.objects().clone();
    let folder = tempfile::tempdir().unwrap();
    bench.store = Store::open(folder.path()).unwrap();
    bench.adopt = Adopt::Never;
    let report = bench.run("one", &["ada", "grace"], 0).await;
    assert_eq!((report.applied.users.adopted, report.result()), (2, RunResult::InStep));
    assert_eq!(*bench.target.objects(), before);
}

#[tokio::test(start_paused = true)]
async fn an_ambiguous_create_makes_one_object() {
    for trouble in [Trouble::LostBefore, Trouble::LostAfter] {
        let bench = Bench::new();
        bench.target.trouble([trouble.clone()]);
        let report = bench.run("one", &["ada"], 0).await;
        assert_eq!((report.applied.users.created, report.result()), (1, RunResult::InStep), "{trouble:?}");
        assert_eq!(bench.count(), 1, "{trouble:?}");
        assert_eq!(bench.run("one", &["ada"], 60).await.applied.users.created, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn patience_is_as_long_as_the_target_asks() {
    let bench = Bench::new();
    bench.target.trouble([Trouble::Busy(Some(Duration::from_secs(30))), Trouble::Busy(None)]);
    let began = tokio::time::Instant::now();
    let report = bench.run("one", &["ada"], 0).await;
    assert_eq!(report.result(), RunResult::InStep);
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(32) && took < Duration::from_secs(40), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_target_that_is_never_ready_is_left_for_the_next_run() {
    let bench = Bench::new();
    bench.target.trouble(vec![Trouble::Busy(None); 20]);
    let report = bench.run("one", &["ada"], 0).await;
    assert_eq!(report.result(), RunResult::Failed);
    assert!(report.failed.unwrap().contains("postponed to the next run: too many requests"));
    bench.target.no_trouble();
    assert_eq!(bench.run("one", &["ada"], 60).await.result(), RunResult::InStep);
    let place = bench.store.place(&Owner::new("test", "one"), "fake:https://fake.example").unwrap();
    assert_eq!(bench.store.open_intents(place).unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_knows_the_end_of_is_settled_by_the_next_run() {
    let bench = Bench::new();
    bench.run("one", &["ada", "grace"], 0).await;
    // She leaves; it happens, the answer is lost, and then the target has no time for anything.
    bench.target.trouble([vec![Trouble::LostAfter], vec![Trouble::Busy(None); 20]].concat());
    assert_eq!(bench.run("one", &["grace"], 60).await.result(), RunResult::Failed);
    assert_eq!(bench.open_intents().len(), 1);
    bench.target.no_trouble();
    let report = bench.run("one", &["grace"], 120).await;
    assert_eq!(
        (report.result(), report.applied.users.disabled),
        (RunResult::InStep, 0),
        "it is not done twice"
    );
    assert_eq!((bench.open_intents(), bench.spent().len()), (vec![], 1), "and it counts");
}

#[tokio::test(start_paused = true)]
async fn a_group_has_not_whom_a_deletion_took_that_nobody_heard_of() {
    let mut bench = Bench::new();
    bench.spec = ", users: { leavers: [{ do: Delete }] }, groups: { vanished: { do: Delete } }";
    bench.run("one", &["ada", "grace", "hedy", TEAM], 0).await;
    let members = |bench: &Bench| {
        let team = bench.id_of(TEAM);
        bench.target.objects()[&team].members.len()
    };
    assert_eq!(members(&bench), 2);
    // They and the group go, and nobody hears that the people went.
    bench.target.trouble([vec![Trouble::LostAfter; 2], vec![Trouble::Busy(None); 20]].concat());
    bench.run("one", &["hedy"], 60).await;
    bench.target.no_trouble();
    assert_eq!(members(&bench), 0, "the group is still there");
    let report = bench.run("one", &["ada", "grace", "hedy", TEAM], 120).await;
    assert_eq!((report.result(), members(&bench)), (RunResult::InStep, 2));
}

#[tokio::test(start_paused = true)]
async fn what_is_found_again_and_not_made_as_it_should_be_is_not_in_step() {
    let mut bench = Bench::new();
    bench.run("one", &["ada"], 0).await;
    let folder = tempfile::tempdir().unwrap();
    bench.store = Store::open(folder.path()).unwrap();
    if let Content::User(user) = &mut bench.target.objects().values_mut().next().unwrap().content {
        "lovelace".clone_into(&mut user.user_name);
    }
    bench.target.trouble([Trouble::LostBefore, Trouble::Rejects]);
    let report = bench.run("one", &["ada"], 0).await;
    assert_eq!((report.applied.users.adopted, report.result()), (1, RunResult::InStepWithExceptions));
    let report = bench.run("one", &["ada"], 120).await;
    assert_eq!((report.applied.users.updated, report.result()), (1, RunResult::InStep));
}

/// She leaves; it happens, the answer is lost, and the second try is refused.
async fn disabled_unheard_then_rejected(deaf: u64) -> (Bench, RunReport) {
    let bench = Bench::new();
    bench.run("one", &["ada", "grace"], 0).await;
    bench.target.trouble([Trouble::LostAfter, Trouble::Rejects]);
    bench.target.deaf.store(deaf, Ordering::SeqCst);
    let report = bench.run("one", &["grace"], 60).await;
    (bench, report)
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_not_believed_when_an_earlier_try_may_have_been_heard() {
    let (bench, report) = disabled_unheard_then_rejected(0).await;
    assert_eq!((report.result(), report.applied.users.disabled), (RunResult::InStep, 1));
    let again = bench.run("one", &["grace"], 120).await;
    assert_eq!((again.result(), again.applied.users.disabled), (RunResult::InStep, 0));
    assert_eq!(bench.spent().len(), 1, "it counts once");
}

#[tokio::test(start_paused = true)]
async fn where_looking_tells_nothing_the_next_run_looks() {
    let (bench, report) = disabled_unheard_then_rejected(1).await;
    assert_eq!((report.result(), report.applied.users.disabled), (RunResult::InStepWithExceptions, 0));
    assert!(why(&report).contains("it is not known what became of a change"), "{}", why(&report));
    assert_eq!(report.due, Some(report.started_at), "it is not forgotten, though no read brings anything");
    assert_eq!(bench.open_intents().len(), 1);
    let again = bench.run("one", &["grace"], 120).await;
    assert_eq!((again.result(), again.applied.users.disabled), (RunResult::InStep, 0));
    assert_eq!((bench.open_intents(), bench.spent().len()), (vec![], 1));
}

#[tokio::test(start_paused = true)]
async fn an_object_of_which_nobody_knows_anything_holds_up_no_other() {
    let bench = Bench::new();
    bench.run("one", &["ada", "grace"], 0).await;
    // Of her object the target answers nothing any more, whatever it is asked.
    let ada = bench.id_of("ada");
    bench.target.silent.lock().unwrap().insert(ada.clone());
    let report = bench.run("one", &["hedy"], 60).await;
    let Counts { created, disabled, .. } = report.applied.users;
    assert_eq!(
        (created, disabled, report.result()),
        (1, 1, RunResult::InStepWithExceptions),
        "{}",
        why(&report)
    );
    assert_eq!(bench.open_intents().len(), 1);
    // So it is in the next run, and the others go on.
    let report = bench.run("one", &["ada", "hedy", "ida"], 120).await;
    assert_eq!((report.applied.users.created, report.result()), (1, RunResult::InStepWithExceptions));
    assert_eq!((report.quarantined_count, bench.open_intents().len()), (1, 1));
    bench.target.silent.lock().unwrap().clear();
    let report = bench.run("one", &["hedy", "ida"], 180).await;
    assert_eq!((report.result(), bench.open_intents().len()), (RunResult::InStep, 0));
    assert!(!bench.target.objects()[&ada].active);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_answers_nobody_is_left_alone() {
    let bench = Bench::new();
    bench.run("one", &["ada"], 0).await;
    let many: Vec<&'static str> = (0..30).map(|number| &*format!("p{number}").leak()).collect();
    bench.target.trouble(vec![Trouble::LostBefore; 1000]);
    let report = bench.run("one", &many, 60).await;
    assert_eq!(report.result(), RunResult::Failed);
    bench.target.no_trouble();
    assert_eq!(bench.run("one", &many, 120).await.result(), RunResult::InStep);
    assert_eq!((bench.count(), bench.open_intents().len()), (31, 0));
}

#[tokio::test(start_paused = true)]
async fn what_is_created_is_found_again_where_no_key_is_held() {
    for trouble in [Trouble::LostBefore, Trouble::LostAfter] {
        let mut bench = Bench { adopt: Adopt::Never, ..Bench::new() };
        bench.target.holds_no_key();
        bench.target.trouble([trouble.clone()]);
        let report = bench.run("one", &["ada"], 0).await;
        assert_eq!((report.applied.users.created, report.result()), (1, RunResult::InStep), "{trouble:?}");
        // A process that dies.
        bench.target.die_at(2);
        tokio::select! {
            _ = bench.run("one", &["ada", "grace"], 60) => panic!("it lives"),
            () = bench.target.died() => {}
        }
        bench.target.no_trouble();
        let report = bench.run("one", &["ada", "grace"], 120).await;
        assert_eq!((bench.count(), report.result()), (2, RunResult::InStep), "{trouble:?}");
        // What bears the name before is somebody else's, also when nobody can tell by a key.
        bench.foreign("hedy@corp.example", "hedy@corp.example");
        bench.target.trouble([Trouble::LostBefore]);
        let report = bench.run("one", &["ada", "grace", "hedy"], 180).await;
        assert!(why(&report).contains("another object with the name hedy@corp.example"), "{}", why(&report));
    }
}

#[tokio::test]
async fn a_policy_that_moves_to_another_target_removes_nothing_there() {
    let mut bench = Bench::new();
    bench.run("one", &["ada", "grace"], 0).await;
    let (old, before) = (std::mem::replace(&mut bench.target, Fake::new()), bench.place());
    bench.target.identity = "fake:https://elsewhere.example".to_owned();
    // She has an account there, and has left meanwhile.
    let theirs = bench.foreign("grace", "grace@corp.example");
    let report = bench.run("one", &["ada"], 60).await;
    let Counts { created, disabled, adopted, .. } = report.applied.users;
    assert_eq!((created, disabled, adopted, report.result()), (1, 0, 0, RunResult::InStep));
    assert!(bench.target.objects()[&theirs].active);
    assert!(old.objects().values().all(|object| object.active), "nothing is done at the old one");
    // It comes back: what it linked there is still its own, and a first run removes nothing.
    bench.target = old;
    let report = bench.run("one", &["ada"], 120).await;
    assert_eq!((report.applied.users.adopted, report.applied.users.disabled), (0, 0));
    assert_eq!(bench.place(), before);
    let report = bench.run("one", &["ada"], 180).await;
    assert_eq!((report.applied.users.disabled, report.result()), (1, RunResult::InStep));
}

const NOBODY_GOES: &str = ", limits: { userRemovals: { count: 0 } }";

/// A run in which somebody approves this.
fn approving(digest: &str) -> Options {
    Options { approve: Some(digest.to_owned()), approved_by: Some("april".to_owned()), ..Options::default() }
}

impl Bench {
    /// A run of the policy `one` that finds nobody at the target.
    async fn unreached(&self, at: i64, options: Options) -> RunReport {
        let why = TargetError::new(TargetReason::Unreachable, "nobody answers");
        let (policy, identity) = (self.policy("one"), &self.target.identity);
        unreached(&self.store, &policy, identity, options, &Hand::seconds(at), why).await.unwrap()
    }
}

#[tokio::test]
async fn while_something_is_held_a_policy_moves_only_when_a_person_approves_that() {
    let mut bench = Bench { spec: NOBODY_GOES, ..Bench::new() };
    bench.run("one", &["ada", "grace"], 0).await;
    let held = bench.run("one", &["ada"], 60).await.held.unwrap();
    let mut elsewhere = Fake::new();
    elsewhere.identity = "fake:https://elsewhere.example".to_owned();
    std::mem::swap(&mut bench.target, &mut elsewhere);
    // Whatever is done there, and whether it is reached or not, the hold is shown and kept.
    let shown = |report: &RunReport| {
        let kept = report.held.clone().unwrap();
        assert_eq!((report.result(), &kept.lines), (RunResult::Failed, &held.lines));
        assert_eq!(bench.store.holds().unwrap(), std::slice::from_ref(&kept));
        assert!(kept.digest != held.digest && kept.limits == held.limits && kept.spec == held.spec);
        kept.digest
    };
    let digest = shown(&bench.unreached(120, Options::default()).await);
    assert_eq!(shown(&bench.run("one", &["ada"], 130).await), digest);
    let stale = bench.run_with("one", &["ada"], 140, approving(&held.digest)).await;
    assert_eq!((shown(&stale), stale.approval), (digest.clone(), Some(Approval::Outdated)));
    let preview = Options { preview: true, ..approving(&digest) };
    let preview = bench.run_with("one", &["ada"], 150, preview).await;
    assert_eq!((shown(&preview), preview.approval), (digest.clone(), Some(Approval::Accepted)));
    assert_eq!(bench.count(), 0, "nothing was done there");
    // The policy comes back with higher limits: those that it was held by are in force.
    std::mem::swap(&mut bench.target, &mut elsewhere);
    bench.spec = "";
    let back = bench.run("one", &["ada"], 180).await;
    let named = |lines: &[Line]| lines.iter().map(Line::identity).collect::<Vec<_>>();
    assert_eq!(named(&back.held.unwrap().lines), named(&held.lines));
    assert_eq!(back.applied.users.disabled, 0);
    // Who may approve lets it move, also while nobody answers there.
    std::mem::swap(&mut bench.target, &mut elsewhere);
    let digest = bench.run("one", &["ada"], 240).await.held.unwrap().digest;
    let approved = bench.unreached(300, approving(&digest)).await;
    assert_eq!((approved.approval, approved.held.unwrap().digest), (Some(Approval::Moves), digest));
    let moved = bench.run("one", &["ada"], 360).await;
    assert_eq!((moved.approval, moved.held.as_ref()), (Some(Approval::Moves), None));
    assert_eq!((moved.approved.by.len(), moved.applied.users.created, bench.count()), (1, 1, 1));
    assert_eq!(bench.run("one", &["ada"], 370).await.approval, None, "it is told once");
    // That executed nothing, and does not when the policy is back: its first run removes nothing.
    std::mem::swap(&mut bench.target, &mut elsewhere);
    let back = bench.run("one", &["ada"], 420).await;
    assert_eq!((back.applied.users.disabled, back.approved.steps), (0, 0));
    assert!(bench.target.objects().values().all(|object| object.active));
}

/// A run that ends before it comes to judge what is approved.
#[tokio::test]
async fn an_approval_is_taken_note_of_whatever_becomes_of_the_run() {
    for unreached in [true, false] {
        let bench = Bench { spec: NOBODY_GOES, ..Bench::new() };
        bench.run("one", &["ada", "grace"], 0).await;
        let held = bench.run("one", &["ada"], 60).await.held.unwrap();
        let report = if unreached {
            bench.unreached(120, approving(&held.digest)).await
        } else {
            let stop = Stop::when(|| Some("it took too long".to_owned()));
            bench.run_with("one", &["ada"], 120, Options { stop, ..approving(&held.digest) }).await
        };
        assert_eq!((report.approval, report.result()), (Some(Approval::Accepted), RunResult::Failed));
        let report = bench.run("one", &["ada"], 180).await;
        assert_eq!((report.held, report.applied.users.disabled), (None, 1), "{unreached}");
        assert_eq!(report.approved.by, BTreeSet::from(["april".to_owned()]));
    }
}

#[tokio::test]
async fn two_policies_that_run_at_once_never_both_adopt() {
    let bench = Bench::new();
    let theirs = bench.foreign("a.lovelace", "ada@corp.example");
    let (one, other) = tokio::join!(bench.run("one", &["ada"], 0), bench.run("other", &["ada"], 0));
    assert_eq!(one.applied.users.adopted + other.applied.users.adopted, 1);
    let (loser, winner) =
        if one.applied.users.adopted == 1 { (other, "test/one") } else { (one, "test/other") };
    assert!(why(&loser).contains(&format!("belongs to the policy {winner}")), "{}", why(&loser));
    assert_eq!(loser.applied.rivals, BTreeSet::from([Owner::new("test", &winner[5..])]));
    assert_eq!((bench.count(), bench.target.objects()[&theirs].key.is_some()), (1, true));
}

#[tokio::test]
async fn what_is_rejected_is_tried_again_with_decay() {
    let bench = Bench::new();
    bench.target.trouble([Trouble::Rejects]);
    let report = bench.run("one", &["ada", "grace"], 0).await;
    assert_eq!(report.applied.users.created, 1, "the other one goes on");
    assert!(why(&report).contains("the target does not like this"));
    let creates = |bench: &Bench| {
        let log = bench.target.log.lock().unwrap();
        log.iter().filter(|operation| matches!(operation, Operation::Create { .. })).count()
    };
    // Within a minute it is not tried again, and is not forgotten.
    let report = bench.run("one", &["ada", "grace"], 30).await;
    assert_eq!((creates(&bench), report.quarantined_count), (2, 1));
    bench.target.trouble([Trouble::Rejects]);
    bench.run("one", &["ada", "grace"], 70).await;
    assert_eq!(creates(&bench), 3);
    // Twice rejected: now it takes two minutes.
    bench.run("one", &["ada", "grace"], 150).await;
    assert_eq!(creates(&bench), 3);
    let report = bench.run("one", &["ada", "grace"], 200).await;
    assert_eq!((creates(&bench), report.result()), (4, RunResult::InStep));
}

#[tokio::test]
async fn an_object_that_may_not_be_touched_stops_no_other() {
    let bench = Bench::new();
    bench.run("one", &["ada", "grace", "hedy"], 0).await;
    // Both leave, and the target protects one of them.
    bench.target.trouble([Trouble::Denies]);
    let report = bench.run("one", &["hedy", "mary"], 60).await;
    assert_eq!((report.applied.users.disabled, report.applied.users.created), (1, 1));
    assert!(why(&report).contains("the target does not allow this"), "{}", why(&report));
    assert_eq!((report.quarantined_count, report.failed), (1, None));
    // It is tried again by each run. While nobody else is disabled the right may be missing, and the rest is done all the same.
    bench.target.trouble([Trouble::Denies]);
    let report = bench.run("one", &["hedy", "mary", "joan"], 120).await;
    assert_eq!((report.result(), report.applied.users.created), (RunResult::Failed, 1));
    assert_eq!(report.failed.as_deref(), Some("the target does not allow this"));
    let report = bench.run("one", &["hedy", "mary", "joan"], 180).await;
    assert_eq!((report.result(), report.applied.users.disabled), (RunResult::InStep, 1));
}

#[tokio::test]
async fn a_right_that_is_missing_ends_the_run() {
    const PEOPLE: [&str; 9] = ["ada", "grace", "hedy", "mary", "joan", "jean", "betty", "ruth", "kay"];
    let bench = Bench::new();
    bench.target.trouble(vec![Trouble::Denies; 100]);
    let report = bench.run("one", &PEOPLE, 0).await;
    assert_eq!((report.result(), report.applied.users.created), (RunResult::Failed, 0));
    assert_eq!(report.failed.as_deref(), Some("the target does not allow this"));
    let asked = bench.target.log.lock().unwrap().len();
    assert!(asked < PEOPLE.len(), "{asked} were asked for");
    assert_eq!(bench.open_intents(), []);
    bench.target.no_trouble();
    // Those who were refused wait for a minute.
    let report = bench.run("one", &PEOPLE, 120).await;
    assert_eq!((report.result(), report.applied.users.created), (RunResult::InStep, 9));
}

#[tokio::test]
async fn a_name_that_the_vendor_rules_out_costs_no_request_and_nobody_else() {
    const LONGER: &str = ", groups: { name: \"'everybody of ' + group.name\" }";
    let mut bench = Bench::new();
    bench.target.capabilities.groups.as_mut().unwrap().limits =
        NameLimits { longest: Some(10), reserved: &[] };
    bench.spec = LONGER;
    let report = bench.run("one", &["ada", TEAM], 0).await;
    let said = why(&report);
    assert!(
        said.contains("17 characters, and the target takes 10 at most; change it with groups.name"),
        "{said}"
    );
    assert_eq!((report.applied.users.created, report.quarantined_count), (1, 1));
    assert_eq!(bench.target.log.lock().unwrap().len(), 1, "only the user was asked for");
    // What corrects it helps at once.
    bench.spec = "";
    let report = bench.run("one", &["ada", TEAM], 1).await;
    assert_eq!((report.applied.groups.created, report.applied.members_added), (1, 1));
    assert_eq!(report.result(), RunResult::InStep);
    // A rename leaves the name that is there, and each run says so.
    bench.spec = LONGER;
    for at in [60, 120] {
        let report = bench.run("one", &["ada", TEAM], at).await;
        assert_eq!(report.quarantined_count, 1);
        let objects = bench.target.objects();
        assert!(objects.values().any(|object| object.content.name() == TEAM && object.members.len() == 1));
    }
}

#[tokio::test]
async fn what_somebody_deleted_is_made_again_when_next_touched() {
    let bench = Bench::new();
    bench.run("one", &["ada", "grace", "hedy"], 0).await;
    let ada = {
        let objects = bench.target.objects();
        objects.iter().find(|(_, object)| object.content.name().starts_with("ada")).unwrap().0.clone()
    };
    bench.target.objects().remove(&ada);
    // She leaves: her object is found to be gone, and that is all.
    let report = bench.run("one", &["grace", "hedy"], 60).await;
    assert_eq!((report.applied.users.lost, report.applied.users.disabled), (1, 0));
    let report = bench.run("one", &["ada", "grace", "hedy"], 120).await;
    assert_eq!((report.applied.users.created, report.result()), (1, RunResult::InStep));
}

#[tokio::test]
async fn members_that_others_put_stay() {
    let bench = Bench::new();
    let outsider = bench.foreign("outsider", "outsider@corp.example");
    let group = Content::Group(GroupContent { display_name: "team".to_owned(), ..GroupContent::default() });
    let team = bench.target.add_by_hand(group);
    bench.target.objects().get_mut(&team).unwrap().members.insert(outsider.clone());
    bench.run("one", &["ada"], 0).await;
    assert_eq!(bench.target.objects()[&team].members, BTreeSet::from([outsider]));
}
