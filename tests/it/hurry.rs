//! What must not wait at a slow service: who has left, and questions that have nothing to do with each other.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rollcall::clock::SystemClock;
use rollcall::directory::{ConnectorName, Match, Operation, Outcome, SubjectKind, TargetId, TargetObject};
use rollcall::source::ldif::LdifSource;
use rollcall::spec::{self, Runnable};
use rollcall::store::Store;
use rollcall::sync::import::import;
use rollcall::sync::run::{Options, Replan, RunResult, Work, run};
use rollcall::target::scim::ScimConfig;
use rollcall::target::scim::dialect::Overrides;
use rollcall::target::turn::{Executors, May};
use rollcall::target::{Capabilities, OpenTarget, Target, TargetConfig, TargetError};
use serde_json::json;
use tokio::sync::Semaphore;

use crate::support::fake_target::Fake;
use crate::support::reading;
use crate::support::scim::{TOKEN, config};
use crate::support::scim_stand_in::{Habits, StandIn};

/// So many people, from this number on, all with this title.
fn export(people: std::ops::Range<usize>, title: &str) -> String {
    let mut ldif = String::new();
    for number in people.clone() {
        write!(
            ldif,
            "dn: uid=p{number},dc=corp\nobjectClass: inetOrgPerson\nuid: p{number}\ncn: P {number}\nsn: P\ntitle: {title}\n\
             mail: p{number}@corp.example\nentryUUID: p{number}\n\n"
        )
        .unwrap();
    }
    format!("{ldif}# numEntries: {}\n", people.len())
}

fn runnable(url: &str) -> Runnable {
    let manifest = format!(
        "apiVersion: rollcall.dev/v1alpha1\nkind: DirectoryConnector\nmetadata: {{ name: corp, namespace: test }}\n\
         spec: {{ ldif: {{ path: none }} }}\n---\napiVersion: v1\nkind: Secret\nmetadata: {{ name: app, namespace: test }}\n\
         stringData: {{ token: {TOKEN} }}\n---\napiVersion: rollcall.dev/v1alpha1\nkind: SyncPolicy\n\
         metadata: {{ name: all, namespace: test }}\nspec:\n  connectors: [{{ name: corp }}]\n  \
         target: {{ scim: {{ url: \"{url}\", insecure: true, credentials: {{ tokenSecretRef: {{ name: app, key: token }} }} }} }}\n  \
         users: {{ attributes: {{ title: user.title }} }}\n"
    );
    let mut manifests = spec::manifest::Manifests::default();
    manifests.text("test", &manifest, None);
    let resolved = spec::resolve(&manifests.objects);
    resolved.policies[0].clone()
}

struct Bench {
    store: Store,
    _folder: tempfile::TempDir,
    runnable: Runnable,
}

impl Bench {
    async fn read(&self, export: &str) {
        let source = LdifSource::new(reading::export(export));
        let connector = ConnectorName::new("test", "corp");
        import(&source, &self.store, &connector, reading::options(), &SystemClock, |_| {}).await.unwrap();
    }

    async fn open(&self, replan: &Replan) -> OpenTarget {
        let replan = replan.clone();
        let may = move || if replan.is_asked() { May::Never("newer".to_owned()) } else { May::Yes };
        let target = &self.runnable.target;
        target.open_service(None, &Executors::default(), may, Arc::new(SystemClock)).await.unwrap().unwrap()
    }

    fn work<'a, T>(&'a self, target: &'a T) -> Work<'a, T> {
        Work {
            store: &self.store,
            target,
            policy: self.runnable.policy.clone(),
            rebuild: spec::rebuild,
            clock: &SystemClock,
        }
    }
}

/// Waits until a run has come so far, and not for ever.
async fn reached(is_there: impl Fn() -> bool) {
    let comes = async {
        while !is_there() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), comes).await.expect("the run does not come so far");
}

/// A target that takes as much as it may, four at once, and remembers what.
struct Ready {
    may_take: Semaphore,
    asked: Mutex<Vec<Operation>>,
    can: Capabilities,
}

impl Ready {
    fn new(may_take: usize) -> Self {
        let can = Capabilities { batch: 1, at_once: 4, ..Fake::new().capabilities };
        Self { may_take: Semaphore::new(may_take), asked: Mutex::default(), can }
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

impl Target for Ready {
    fn identity(&self) -> &'static str {
        "ready:https://app.example"
    }

    fn capabilities(&self) -> Capabilities {
        self.can
    }

    async fn apply(&self, batch: &[Operation]) -> Vec<Outcome> {
        self.may_take.acquire().await.unwrap().forget();
        let of = |operation: &Operation| {
            Outcome::Done(match operation {
                Operation::Create { content, .. } => TargetId(content.name().into()),
                Operation::Update { id, .. }
                | Operation::SetActive { id, .. }
                | Operation::Delete { id, .. }
                | Operation::AddMembers { group: id, .. }
                | Operation::RemoveMembers { group: id, .. } => id.clone(),
            })
        };
        self.asked.lock().unwrap().extend_from_slice(batch);
        batch.iter().map(of).collect()
    }

    async fn find(&self, _: SubjectKind, by: &[Match]) -> Vec<Result<Vec<TargetObject>, TargetError>> {
        vec![Ok(Vec::new()); by.len()]
    }

    async fn list(&self, _: SubjectKind, _: impl FnMut(TargetObject) + Send) -> Result<(), TargetError> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leaver_waits_for_none_of_ten_thousand_who_are_only_changed() {
    const PEOPLE: usize = 10_000;
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench {
        store: Store::open(folder.path()).unwrap(),
        _folder: folder,
        runnable: runnable("https://app.example"),
    };
    let (target, replan) = (Ready::new(PEOPLE + 50), Replan::default());
    bench.read(&export(0..PEOPLE, "before")).await;
    run(bench.work(&target), Options::default(), |_, _| {}).await.unwrap();
    assert_eq!(target.asked(), PEOPLE);
    bench.read(&export(0..PEOPLE, "after")).await;
    let options = Options { replan: replan.clone(), ..Options::default() };
    let running = run(bench.work(&target), options, |_, _| {});
    let leaves = async {
        reached(|| target.asked() >= PEOPLE + 50).await;
        // Who has left is in the next read, which is imported beside the run.
        bench.read(&export(1..PEOPLE, "after")).await;
        replan.ask();
        target.may_take.add_permits(10 * PEOPLE);
    };
    let (report, ()) = tokio::join!(running, leaves);
    let asked = target.asked.lock().unwrap();
    let is_the_disabling =
        |operation: &Operation| matches!(operation, Operation::SetActive { active: false, .. });
    let disabled = asked.iter().position(is_the_disabling).unwrap() + 1;
    assert!(disabled <= PEOPLE + 60, "known after {} requests, disabled by {disabled}", PEOPLE + 50);
    assert_eq!((report.unwrap().result(), asked.len() > 2 * PEOPLE - 10), (RunResult::InStep, true));
}

/// With `USERS=10000`, as many wait.
#[tokio::test(flavor = "multi_thread")]
async fn a_leaver_waits_for_none_of_those_who_are_only_changed() {
    let people = std::env::var("USERS").map_or(1000, |people| people.parse().unwrap());
    let service = StandIn::start(Habits::default());
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench {
        store: Store::open(folder.path()).unwrap(),
        _folder: folder,
        runnable: runnable(&service.url()),
    };
    bench.read(&export(0..people, "before")).await;
    let replan = Replan::default();
    let target = bench.open(&replan).await;
    let report = run(bench.work(&target), Options::default(), |_, _| {}).await.unwrap();
    assert_eq!((report.result(), report.in_step.users), (RunResult::InStep, people as u64));
    let who =
        service.inner().objects.iter().find(|(_, it)| it["userName"] == "p0@corp.example").unwrap().0.clone();

    bench.read(&export(0..people, "after")).await;
    service.inner().asked.clear();
    let options = Options { replan: replan.clone(), ..Options::default() };
    let running = run(bench.work(&target), options, |_, _| {});
    let leaves = async {
        reached(|| service.count("PATCH", "Users") >= 50).await;
        bench.read(&export(1..people, "after")).await;
        replan.ask();
        service.inner().asked.len()
    };
    let (report, known) = tokio::join!(running, leaves);
    let report = report.unwrap();

    let is_the_disabling = |(method, to, body): &(String, String, String)| {
        method == "PATCH" && to.ends_with(&who) && body.contains("\"active\"")
    };
    let disabled = service.inner().asked.iter().position(is_the_disabling).unwrap() + 1;
    println!(
        "{} updates waited; who left was disabled {} requests after it was known",
        people - 50,
        disabled.saturating_sub(known)
    );
    // Each change is two requests.
    assert!(known < 2 * people, "nobody waited any more");
    assert!(disabled <= known + 10, "known after {known} requests, disabled by the request {disabled}");
    // And the others were not forgotten.
    assert_eq!(report.result(), RunResult::InStep, "{:?}", report.failed);
    assert_eq!((report.applied.users.disabled, report.in_step.users), (1, people as u64));
    assert!(report.applied.users.updated >= people as u64 - 1);
    for (path, object) in &service.inner().objects {
        let (active, title) = if *path == who { (false, &object["title"]) } else { (true, &json!("after")) };
        assert_eq!((&object["active"], &object["title"]), (&json!(active), title), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_are_asked_at_once_as_far_as_the_service_takes_them() {
    let habits = Habits { takes: Duration::from_millis(10), ..Habits::default() };
    let mut took = Vec::new();
    for at_once in [1, 4] {
        let service = StandIn::start(habits.clone());
        let overrides = Overrides { at_once: Some(at_once), ..Overrides::default() };
        let config = TargetConfig::Scim(Box::new(ScimConfig { overrides, ..config(&service.url()) }));
        let clock = Arc::new(SystemClock);
        let target =
            config.open_service(None, &Executors::default(), || May::Yes, clock).await.unwrap().unwrap();
        let by: Vec<Match> = (0..100).map(|number| Match::Name(format!("p{number}"))).collect();
        service.inner().most_at_once = 0;
        let began = Instant::now();
        let found = target.find(SubjectKind::User, &by).await;
        took.push(began.elapsed());
        assert!(found.len() == 100 && found.iter().all(|found| *found == Ok(vec![])));
        assert_eq!(service.inner().most_at_once, at_once);
    }
    let ratio = took[0].as_secs_f64() / took[1].as_secs_f64();
    println!("100 questions: {:?} one by one, {:?} four at once: {ratio:.1} times as fast", took[0], took[1]);
}
