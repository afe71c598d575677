//! The image, the chart and what befalls a pod, on a real node.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Stderr, Write as _};
use std::time::Instant;

use self::prometheus::Prometheus;
use self::release::Release;
use crate::support::cluster::PATIENCE;
use crate::support::node::Node;
use crate::support::process::eventually;
use crate::support::story::make_older;

mod domain;
mod prometheus;
mod release;
mod rights;

/// How often the program is killed.
const KILLS: usize = 20;
/// Who comes before each of them.
const BATCH: usize = 20;

/// What the test tells of itself: how long each part took, and what the documents tell as measured.
struct Log {
    began: Instant,
    /// What a test prints is shown only if it fails, and this always.
    to: Stderr,
}

impl Log {
    fn say(&mut self, what: &str) {
        writeln!(self.to, "node: {:>5.1} s {what}", self.began.elapsed().as_secs_f32()).unwrap();
    }
}

#[test]
fn a_release_is_installed_survives_and_leaves() {
    let mut log = Log { began: Instant::now(), to: std::io::stderr() };
    if let Some(why) = Node::impossible() {
        log.say(&format!("LEFT OUT, because {why}: no pod is run; see CONTRIBUTING.md"));
        return;
    }
    let release = Release::new();
    log.say(&format!("the node is ready; {}", release.image));

    let began = Instant::now();
    release.helm(&["install", "--wait"]).exits(0).says("Next:");
    log.say(&format!("installed; `helm install --wait` took {:.1} s", began.elapsed().as_secs_f32()));
    release.policy_is_ready();
    let known = release.people();
    assert_eq!(known.len(), 4, "{known:?}");
    assert_eq!(release.ask("not-the-token", &[]), None);
    log.say("an OpenLDAP is in step with the registry, which is read through its Service");
    domain::is_in_step(&release);
    log.say("a Samba domain is in step, as the example says");
    rights::are_those_of_the_docs(&release.node);
    log.say("people may do what the docs say, and no more");
    let prometheus = Prometheus::start(&release);
    log.say(&format!("Prometheus measures it; it has {} MB of memory", prometheus.memory() / 1_000_000));

    is_killed(&release, &mut log);
    release.kept(&known);
    loses_its_pod(&release);
    log.say("its pod was deleted, in peace and by force");
    the_kubelet_starts_again(&release);
    log.say("the kubelet was killed, and the pod ran on");
    loses_its_volume(&release, &prometheus);
    log.say("its volume was lost, and a backup restored; RollcallStoreReset fires");
    drop(prometheus);
    is_upgraded_and_rolled_back(&release);
    log.say("it was upgraded to what cannot start, and rolled back");
    is_upgraded_from_an_older_version(&release);
    log.say("it was upgraded from an older chart and a store of the first schema");

    let known = release.people();
    release.helm_of(&["uninstall"], &["--wait"]).exits(0);
    release.only_the_data_are_left();
    release.helm(&["install", "--wait"]).exits(0);
    release.policy_is_ready();
    release.kept(&known);
    log.say("it was uninstalled, and what it left was taken up again");
    loses_everything(&release);
    log.say("all was lost, and came back from a backup and Git");
}

/// Killed whatever it is doing, it converges each time.
fn is_killed(release: &Release, log: &mut Log) {
    let (mut midway, mut slowest) = (0, 0.0_f32);
    let (all, active) = (release.people().len(), release.active());
    for kill in 0..KILLS {
        let names: Vec<String> = (0..BATCH).map(|number| format!("p{kill}-{number}")).collect();
        release.hire(&names);
        // Some leave again: the five whom the limits let go, whatever the share.
        if kill % 4 == 3 {
            release.dismiss(&format!("p{}-0", kill - 1));
        }
        release.request();
        // Before anything, in the middle of a read, in the middle of a run.
        release.writes(kill % 5);
        let killed = release.kill();
        let come = (kill + 1) * BATCH;
        midway += usize::from(release.in_step() != all + come);
        let started = release.comes_back(&killed);
        slowest = slowest.max(started);
        release.comes_to_have(active + come - (kill + 1) / 4);
        if kill == 0 {
            log.say(&format!("killed once; from the start of the process to ready: {started:.2} s"));
        }
    }
    // How many depends on how fast the machine is just then.
    assert!(midway > 0, "every kill came too late to interrupt anything");
    log.say(&format!(
        "killed {KILLS} times, {midway} of them midway; from start to ready at most {slowest:.2} s"
    ));
}

fn loses_its_pod(release: &Release) {
    let count = release.active();
    for (at, force) in [(1, &["--force", "--grace-period=0"][..]), (2, &[])] {
        release.hire(&[format!("q{at}")]);
        release.kubectl(&[&["delete", "pod", "rollcall-0"], force].concat()).exits(0);
        release.comes_to_have(count + at);
    }
}

fn the_kubelet_starts_again(release: &Release) {
    let (count, container) = (release.active(), release.container());
    let pid = || release.node.run(&["pidof", "kubelet"]).out;
    let before = pid();
    release.node.run(&["kill", "-9", before.trim()]).exits(0);
    eventually(PATIENCE, "the kubelet runs again", || {
        let now = pid();
        (!now.is_empty() && now != before).then_some(())
    });
    release.hire(&["k1".to_owned()]);
    release.request();
    release.comes_to_have(count + 1);
    assert_eq!(release.container(), container);
    // It looks after the pod as before.
    release.comes_back(&release.kill());
    release.hire(&["k2".to_owned()]);
    release.request();
    release.comes_to_have(count + 2);
}

/// That is said, nobody is removed, and everybody has the same id.
fn loses_its_volume(release: &Release, prometheus: &Prometheus) {
    let (known, count) = (release.people(), release.active());
    // What had left before it was lost is known to nobody any more.
    let known = known.into_iter().filter(|(_, person)| person.active).collect();
    let copy = release.backup();
    release.hire(&["v1".to_owned()]);
    release.request();
    release.comes_to_have(count + 1);
    assert!(!prometheus.fires("RollcallStoreReset"));
    for (copy, what) in [(None, "a lost volume"), (Some(&*copy), "an older copy")] {
        release.kubectl(&["delete", "events", "--all"]).exits(0);
        release.scale(0);
        release.replace_data(copy);
        release.scale(1);
        eventually(PATIENCE, what, || {
            release.kubectl(&["events", "--no-headers"]).out.contains("StoreReset").then_some(())
        });
        release.policy_is_ready();
        release.comes_to_have(count + 1);
        release.kept(&known);
    }
    eventually(PATIENCE, "the alert fires", || prometheus.fires("RollcallStoreReset").then_some(()));
}

fn is_upgraded_and_rolled_back(release: &Release) {
    let known = release.people();
    release.helm(&["upgrade", "--set=image.tag=not-there"]).exits(0);
    eventually(PATIENCE, "the pod cannot start", || {
        let waiting = "{.status.containerStatuses[0].state.waiting.reason}";
        let why = release.get("pod/rollcall-0", waiting);
        (why.contains("ImagePull") || why.contains("ErrImage")).then_some(())
    });
    release.helm_of(&["rollback"], &["--wait"]).exits(0);
    release.policy_is_ready();
    release.kept(&known);
}

/// The kinds are upgraded, the store is migrated from a copy that stays, nobody is removed, and the work goes on.
fn is_upgraded_from_an_older_version(release: &Release) {
    let (known, count) = (release.people(), release.active());
    release.kubectl(&["delete", "events", "--all"]).exits(0);
    assert!(release.has_newest_kinds());
    release.helm_of(&["upgrade"], &[&release.older_chart()]).exits(0);
    assert!(!release.has_newest_kinds());
    release.scale(0);
    make_older(&release.data());
    assert_eq!(release.stores().into_values().collect::<Vec<_>>(), [1]);
    release.helm(&["upgrade", "--wait", "--set=logFormat=text"]).exits(0);
    assert!(release.has_newest_kinds());
    release.hire(&["u1".to_owned()]);
    release.request();
    release.comes_to_have(count + 1);
    release.policy_is_ready();
    release.kept(&known);
    let mut stores = release.stores();
    let current = stores.remove("rollcall.db").unwrap();
    assert!(current > 1);
    assert_eq!(stores, BTreeMap::from([(format!("rollcall.before-{current}.db"), 1)]));
    assert!(!release.kubectl(&["events", "--no-headers"]).exits(0).out.contains("StoreReset"));
}

/// What the docs say for the day on which everything is lost, step by step.
fn loses_everything(release: &Release) {
    let count = release.active();
    let (known, copy) = (release.people(), release.backup());
    release.hire(&["late".to_owned()]);
    release.is_lost();

    // 1. Install, with no process.
    release.helm(&["install"]).exits(0);
    release.scale(0);
    // 2. The backup into the volume. The process may have begun one of its own.
    fs::remove_dir_all(release.data()).ok();
    release.put_data(&copy);
    // 3. The objects from Git.
    release.apply_objects("  suspend: true\n");
    // 4. Start it: the directories are read, and nothing else is done.
    release.scale(1);
    release.is_ready("dirconn/corp");
    let status = |path: &str| release.get("syncpol/staff", &format!("{{.status{path}}}"));
    let condition = |of: &str, what: &str| status(&format!(".conditions[?(@.type=='{of}')].{what}"));
    eventually(PATIENCE, "it rests", || (condition("Ready", "reason") == "Suspended").then_some(()));
    assert_eq!(status(".lastRun"), "");
    eventually(PATIENCE, "readers must wait", || (release.answer() == "503").then_some(()));
    // 5. Look: what would come and go, and that status was lost.
    release.apply_objects("  mode: Preview\n");
    eventually(PATIENCE, "it was looked at", || (status(".lastRun.result") == "Previewed").then_some(()));
    assert_eq!(status(".lastRun.created"), "1");
    assert_eq!(condition("StoreReset", "status"), "True");
    assert_eq!(release.answer(), "503");
    // 6. Do it: readers have everybody with the same id.
    release.apply_objects("");
    release.is_ready("syncpol/staff");
    assert_eq!(condition("StoreReset", "status"), "");
    release.comes_to_have(count + 1);
    let mut now = release.people();
    assert!(now.remove("late@corp.example").is_some_and(|person| person.active));
    assert_eq!(now, known);
}
