//! What somebody else changes at a target that others write too: found, told apart from what the target has not caught up
//! with, set right within the limits or only told.

use std::fmt::Write as _;
use std::sync::Arc;

use rollcall::directory::{ConnectorName, Content, GroupContent, Operation, TargetId};
use rollcall::source::ldif::LdifSource;
use rollcall::spec;
use rollcall::store::Store;
use rollcall::sync::import::import;
use rollcall::sync::policy::Policy;
use rollcall::sync::run::{Options, RunReport, RunResult, Work, run};
use rollcall::sync::verify::{OnDrift, Verified};
use rollcall::target::{TargetError, TargetReason};

use crate::support::fake_target::{Fake, Object, Trouble};
use crate::support::hand::Hand;
use crate::support::reading;

/// Everybody is on the team.
fn export(people: &[&str]) -> String {
    let mut ldif = String::new();
    for name in people {
        write!(
            ldif,
            "dn: uid={name},dc=corp\nobjectClass: inetOrgPerson\nuid: {name}\ncn: {name}\nsn: {name}\ntitle: Dr\n\
             mail: {name}@corp.example\nentryUUID: {name}\n\n"
        )
        .unwrap();
    }
    ldif += "dn: cn=team,dc=corp\nobjectClass: groupOfNames\ncn: team\nentryUUID: team\n";
    for name in people {
        writeln!(ldif, "member: uid={name},dc=corp").unwrap();
    }
    format!("{ldif}\n# numEntries: {}\n", people.len() + 1)
}

const ALL: [&str; 6] = ["ada", "bea", "cleo", "dora", "eve", "fay"];
const HOUR: i64 = 3600;

struct Bench {
    store: Store,
    _folder: tempfile::TempDir,
    target: Fake,
    /// What the policy says of groups.
    groups: &'static str,
}

impl Bench {
    /// Whose first run was at the beginning.
    async fn new() -> Self {
        Self::with("").await
    }

    async fn with(groups: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let bench = Self { store, _folder: folder, target: Fake::new(), groups };
        assert_eq!(bench.run(&ALL, 0, None).await.result(), RunResult::InStep);
        bench.target.log.lock().unwrap().clear();
        bench
    }

    fn policy(&self) -> Arc<Policy> {
        let manifest = "apiVersion: rollcall.dev/v1alpha1\nkind: DirectoryConnector\nmetadata: { name: corp, namespace: test }\n\
             spec: { ldif: { path: none } }\n---\napiVersion: rollcall.dev/v1alpha1\nkind: SyncPolicy\n\
             metadata: { name: all, namespace: test }\nspec:\n  connectors: [{ name: corp, maxAge: 9000h }]\n  \
             target: { registry: {} }\n  users: { attributes: { title: user.title } }\n  \
             limits: { userRemovals: { count: 1, percent: 1 }, memberRemovals: { count: 100, percent: 100 } }\n  groups: { GROUPS }\n"
            .replace("GROUPS", self.groups);
        let mut manifests = spec::manifest::Manifests::default();
        manifests.text("test", &manifest, None);
        spec::resolve(&manifests.objects).policies[0].policy.clone()
    }

    async fn run(&self, people: &[&str], at: i64, verify: Option<OnDrift>) -> RunReport {
        let clock = Hand::seconds(at);
        let source = LdifSource::new(reading::export(&export(people)));
        let connector = ConnectorName::new("test", "corp");
        import(&source, &self.store, &connector, reading::options(), &clock, |_| {}).await.unwrap();
        let work = Work {
            store: &self.store,
            target: &self.target,
            policy: self.policy(),
            rebuild: spec::rebuild,
            clock: &clock,
        };
        run(work, Options { verify, ..Options::default() }, |_, _| {}).await.unwrap()
    }

    async fn repair(&self, at: i64) -> (RunReport, Verified) {
        let report = self.run(&ALL, at, Some(OnDrift::Repair)).await;
        let verified = report.verified.clone().unwrap().unwrap();
        (report, verified)
    }

    fn id(&self, name: &str) -> TargetId {
        let objects = self.target.objects();
        let of = |(_, object): &(&TargetId, &Object)| object.content.name().starts_with(name);
        objects.iter().find(of).unwrap().0.clone()
    }

    /// Somebody else changes an object.
    fn by_hand(&self, name: &str, change: impl FnOnce(&mut Object)) {
        let id = self.id(name);
        change(self.target.objects().get_mut(&id).unwrap());
    }

    /// Somebody else deletes an object.
    fn lose(&self, name: &str) {
        let id = self.id(name);
        self.target.objects().remove(&id).unwrap();
    }

    fn title(&self, name: &str, title: &str) {
        self.by_hand(name, |object| {
            let Content::User(user) = &mut object.content else { panic!() };
            user.attributes.insert("title".to_owned(), title.to_owned());
        });
    }
}

/// Each drift, by name and in words.
fn said(verified: &Verified) -> Vec<String> {
    let words = |all: &[rollcall::sync::verify::Difference]| {
        all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    verified.drifts.iter().map(|drift| format!("{} {}", drift.name, words(&drift.differs))).collect()
}

#[tokio::test]
async fn what_somebody_else_changed_is_found_and_set_right() {
    let bench = Bench::new().await;
    let before = bench.target.objects().clone();
    bench.title("ada", "Mrs");
    bench.by_hand("bea", |object| object.active = false);
    let (cleo, theirs) =
        (bench.id("cleo"), bench.target.add_by_hand(Content::Group(GroupContent::default())));
    bench.by_hand("team", |team| {
        team.members.remove(&cleo);
        team.members.insert(theirs.clone());
    });
    let (report, verified) = bench.repair(HOUR).await;
    assert_eq!(
        said(&verified),
        ["ada@corp.example title is another one", "bea@corp.example is disabled", "team lacks 1 member"]
    );
    assert_eq!((verified.checked, verified.lagging, verified.left), (7, 0, 0));
    assert_eq!(report.result(), RunResult::InStep);
    for (id, object) in &before {
        let mut now = bench.target.objects()[id].clone();
        // What somebody else put in is not ours to take out.
        now.members.remove(&theirs);
        assert_eq!(now, *object);
    }
    assert_eq!(bench.target.log.lock().unwrap().len(), 3, "nothing else was touched");
    let (_, verified) = bench.repair(2 * HOUR).await;
    assert_eq!(said(&verified), [""; 0]);
}

#[tokio::test]
async fn whom_somebody_else_put_in_is_taken_out_if_the_policy_says_so() {
    let bench = Bench::with("membership: Authoritative").await;
    let stranger = || bench.target.add_by_hand(Content::Group(GroupContent::default()));
    // Ada has left, and somebody puts her in again; nobody knows the other one.
    let ada = bench.id("ada");
    bench.run(&ALL[1..], HOUR, None).await;
    let theirs = stranger();
    bench.by_hand("team", |team| team.members.extend([ada.clone(), theirs.clone()]));
    let before = bench.id("team");
    let verify = async |hour: i64, people: &[&str]| {
        let report = bench.run(people, hour * HOUR, Some(OnDrift::Repair)).await;
        report.verified.clone().unwrap().unwrap()
    };
    let verified = verify(2, &ALL[1..]).await;
    assert_eq!(said(&verified), ["team has 2 members whom somebody else put in"]);
    let members = || bench.target.objects()[&before].members.clone();
    assert_eq!((verified.left, members().len()), (0, 5));
    assert!(bench.target.objects().contains_key(&theirs), "who is taken out of a group is not deleted");
    assert_eq!(said(&verify(3, &ALL[1..]).await), [""; 0]);
    // More than memberships may be ended are not taken out.
    let many: Vec<_> = (0..101).map(|_| stranger()).collect();
    bench.by_hand("team", |team| team.members.extend(many));
    let verified = verify(4, &ALL[1..]).await;
    assert!(verified.why.unwrap().contains("limits.memberRemovals allows 5"));
    assert_eq!((verified.left, members().len()), (1, 106));
}

#[tokio::test]
async fn without_a_verification_nobody_notices() {
    let bench = Bench::new().await;
    bench.title("ada", "Mrs");
    let report = bench.run(&ALL, HOUR, None).await;
    assert_eq!((report.verified, bench.target.log.lock().unwrap().len()), (None, 0));
}

#[tokio::test]
async fn who_only_reports_changes_nothing_and_tells_it_again() {
    let bench = Bench::new().await;
    bench.title("ada", "Mrs");
    bench.lose("fay");
    for at in [HOUR, 2 * HOUR] {
        let report = bench.run(&ALL, at, Some(OnDrift::Report)).await;
        let verified = report.verified.unwrap().unwrap();
        assert_eq!(verified.left, 2);
        assert_eq!(
            said(&verified),
            ["ada@corp.example title is another one", "fay@corp.example is not there any more"]
        );
    }
    assert!(bench.target.log.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_was_written_a_moment_ago_may_not_be_shown_yet() {
    let bench = Bench::new().await;
    bench.title("ada", "as it was before");
    let (_, verified) = bench.repair(60).await;
    assert_eq!((said(&verified).len(), verified.lagging), (0, 1));
    let (_, verified) = bench.repair(HOUR).await;
    assert_eq!((said(&verified).len(), verified.lagging), (1, 0), "it never came");
}

#[tokio::test]
async fn an_object_that_no_list_shows_is_asked_for_and_one_that_is_silent_is_not_gone() {
    let bench = Bench::new().await;
    let unlisted = ["ada", "bea", "team"].map(|name| bench.id(name));
    bench.target.unlisted.lock().unwrap().extend(unlisted);
    bench.target.silent.lock().unwrap().insert(bench.id("bea"));
    let (report, verified) = bench.repair(HOUR).await;
    assert_eq!((said(&verified).len(), verified.unknown), (0, 1));
    assert_eq!((report.result(), report.in_step.users), (RunResult::InStep, 6));
    assert!(bench.target.log.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_list_that_is_not_whole_proves_nothing() {
    let bench = Bench::new().await;
    let broken = |reason| Some(TargetError::new(reason, "it is not whole"));
    bench.lose("ada");
    *bench.target.broken.lock().unwrap() = broken(TargetReason::InvalidAnswer);
    let report = bench.run(&ALL, HOUR, Some(OnDrift::Repair)).await;
    assert_eq!(report.verified, Some(Err("it is not whole".to_owned())));
    assert_eq!((report.result(), bench.target.log.lock().unwrap().len()), (RunResult::InStep, 0));
    // One that cannot be asked at all ends the run, which says why.
    *bench.target.broken.lock().unwrap() = broken(TargetReason::Unreachable);
    let report = bench.run(&ALL, 2 * HOUR, Some(OnDrift::Repair)).await;
    assert_eq!(report.result(), RunResult::Failed);
    assert_eq!(report.target.unwrap().failed.unwrap().reason, TargetReason::Unreachable);
}

#[tokio::test]
async fn one_who_is_gone_is_made_anew_and_many_who_are_gone_are_not_believed() {
    let bench = Bench::new().await;
    bench.lose("ada");
    let (report, verified) = bench.repair(HOUR).await;
    assert_eq!((verified.left, report.applied.users.created, report.applied.members_added), (0, 1, 1));
    assert_eq!(bench.target.objects().len(), 7);
    let (_, verified) = bench.repair(2 * HOUR).await;
    assert_eq!(said(&verified), [""; 0]);
    // Another tenant answers under the same address: everything that is ours is gone there.
    let all = std::mem::take(&mut *bench.target.objects());
    let (report, verified) = bench.repair(3 * HOUR).await;
    assert_eq!((verified.left, report.applied.users.created), (6, 0));
    assert!(verified.why.unwrap().contains("limits.userRemovals allows 1"));
    assert!(bench.target.objects().values().all(|object| matches!(object.content, Content::Group(_))));
    // It is the right one again.
    *bench.target.objects() = all;
    let (report, verified) = bench.repair(4 * HOUR).await;
    assert_eq!((report.result(), verified.left, report.in_step.users), (RunResult::InStep, 0, 6));
}

#[tokio::test]
async fn a_leaver_whom_somebody_enables_is_disabled_again() {
    let bench = Bench::new().await;
    let left = &ALL[1..];
    let at = |hour: i64| hour * HOUR;
    let report = bench.run(left, at(1), None).await;
    assert_eq!(report.applied.users.disabled, 1, "{:?}", report.held);
    bench.by_hand("ada", |object| object.active = true);
    let report = bench.run(left, at(2), Some(OnDrift::Repair)).await;
    assert_eq!(said(&report.verified.unwrap().unwrap()), ["ada@corp.example is active"]);
    let ada = bench.id("ada");
    assert!(!bench.target.objects()[&ada].active);
    assert_eq!(report.applied.users.disabled, 1);
}

#[tokio::test]
async fn a_repair_passes_the_guard() {
    let bench = Bench::new().await;
    // Renames of ours are limited, whoever made them necessary: the default allows five of so few.
    for name in ALL {
        bench.by_hand(name, |object| {
            object.content = object.content.clone().with_name(&format!("{name}-other"));
        });
    }
    let manifest_limit = bench.policy().limits.identifier_changes.allowance(6);
    let (report, verified) = bench.repair(HOUR).await;
    assert_eq!(verified.drifts.len(), 6);
    assert!(manifest_limit >= 5);
    let renamed = bench.target.log.lock().unwrap().len() as u64;
    let held = report.held.map_or(0, |hold| hold.lines.len() as u64);
    assert_eq!(renamed + held, 6);
    assert!(renamed <= manifest_limit);
}

#[tokio::test(start_paused = true)]
async fn who_is_in_doubt_is_not_compared() {
    let bench = Bench::new().await;
    // Nobody knows whether it was done.
    bench.target.trouble(vec![Trouble::LostBefore; 5]);
    let gone = bench.run(&ALL[1..], HOUR, None).await;
    let ada = bench.id("ada");
    assert!(
        bench
            .target
            .log
            .lock()
            .unwrap()
            .iter()
            .any(|operation| matches!(operation, Operation::SetActive { id, active: false } if *id == ada))
    );
    assert!(gone.applied.waiting > 0);
    bench.target.silent.lock().unwrap().insert(ada.clone());
    bench.title("ada", "Mrs");
    let report = bench.run(&ALL[1..], 2 * HOUR, Some(OnDrift::Repair)).await;
    let verified = report.verified.unwrap().unwrap();
    assert_eq!((said(&verified).len(), verified.unknown, verified.checked), (0, 0, 6));
}
