//! Events: what happened now. What is said again within some minutes is one Event that counts; whatever else is said is a
//! new one, since what an Event says can never be changed.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::stream::{self, StreamExt as _};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::{Event, EventSeries};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::{Patch, PatchParams, PostParams};
use kube::runtime::events::EventType;
use kube::{Api, Client};
use serde_json::json;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::delay;
use super::gate::{Gate, WRITE};
use crate::telemetry::{Asked, Metrics, Write, chain};
use crate::text::clean_within;

/// So many Events are told at once.
const AT_ONCE: usize = 4;
/// So many Events wait for their turn at most. More are lost, and the log says so.
pub(super) const WAITING: usize = 10_000;

/// Within this time the same is one Event.
const AGAIN: Duration = Duration::from_mins(6);
/// No Event may say more, in bytes.
const NOTE: usize = 1024;
/// No name is longer.
const NAME: usize = 253;
/// No reporting instance is longer.
const INSTANCE: usize = 128;

/// What is to be told of an object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Told {
    uid: Option<String>,
    is_warning: bool,
    reason: String,
    note: String,
}

impl Told {
    pub(super) fn new(about: &ObjectReference, type_: EventType, reason: &str, message: &str) -> Self {
        Self {
            uid: about.uid.clone(),
            is_warning: matches!(type_, EventType::Warning),
            reason: reason.to_owned(),
            note: clean_within(message, NOTE).into_owned(),
        }
    }
}

/// What is to be told, of which object, and since when.
pub(super) struct Telling {
    pub(super) about: ObjectReference,
    pub(super) told: Told,
    pub(super) at: Timestamp,
}

/// An Event of a moment ago.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Recent {
    name: String,
    count: i32,
    at: Timestamp,
}

/// Tells, as this instance.
pub(super) struct Recorder {
    client: Client,
    instance: String,
    recent: Mutex<Recently>,
}

/// What was told a moment ago.
#[derive(Default)]
struct Recently {
    told: HashMap<Told, Recent>,
    /// When what is longer ago was last taken out.
    pruned: Option<Timestamp>,
}

/// Tells a few at once until `stop`: what the status says comes first, and many Events must not keep the apiserver from it. One that
/// is lost costs nothing but itself.
pub(super) async fn tell_all(
    recorder: Recorder,
    waiting: mpsc::Receiver<Telling>,
    gate: Gate,
    metrics: Metrics,
    stop: CancellationToken,
) {
    let next = |mut waiting: mpsc::Receiver<Telling>| async move {
        let next = waiting.recv().await?;
        Some((next, waiting))
    };
    let (recorder, gate, metrics) = (&recorder, &gate, &metrics);
    let tell = |Telling { about, told, at }| async move {
        if gate.check().is_err() {
            return;
        }
        metrics.api_write(Write::Event);
        let why = match tokio::time::timeout(WRITE, recorder.publish(&about, told, at)).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => chain(&error),
            Err(_) => "the apiserver did not answer in time".to_owned(),
        };
        metrics.api_failed(Asked::Event);
        tracing::warn!(error = why, "an Event was lost");
    };
    stream::unfold(waiting, next).take_until(stop.cancelled()).for_each_concurrent(AT_ONCE, tell).await;
}

impl Recorder {
    pub(super) fn new(client: Client, instance: &str) -> Self {
        let instance = clean_within(instance, INSTANCE).into_owned();
        Self { client, instance, recent: Mutex::default() }
    }

    /// Tells it: by an Event that was made a moment ago if that says the same, else by a new one.
    pub(super) async fn publish(
        &self,
        about: &ObjectReference,
        told: Told,
        now: Timestamp,
    ) -> Result<(), kube::Error> {
        let api =
            Api::<Event>::namespaced(self.client.clone(), about.namespace.as_deref().unwrap_or("default"));
        if let Some(recent) = self.again(&told, now) {
            let series = EventSeries { count: recent.count, last_observed_time: MicroTime(now) };
            let patch = Patch::Merge(json!({ "series": series }));
            match api.patch(&recent.name, &PatchParams::default(), &patch).await {
                // Somebody has deleted it, or its time was over.
                Err(kube::Error::Api(answer)) if answer.code == 404 => {}
                answer => return answer.map(drop),
            }
        }
        let event = event(about, &told, &self.instance, now);
        let made = Recent { name: event.metadata.name.clone().unwrap_or_default(), count: 1, at: now };
        api.create(&PostParams::default(), &event).await?;
        self.recent.lock().unwrap_or_else(PoisonError::into_inner).told.insert(told, made);
        Ok(())
    }

    /// The Event that says this already, counted once more.
    fn again(&self, told: &Told, now: Timestamp) -> Option<Recent> {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let is_recent = |one: &Recent| delay::later(one.at, AGAIN) > now;
        // Not each time: when everything is told of at once, there are thousands.
        if recent.pruned.is_none_or(|pruned| delay::later(pruned, AGAIN) <= now) {
            recent.told.retain(|_, one| is_recent(one));
            recent.pruned = Some(now);
        }
        let one = recent.told.get_mut(told).filter(|one| is_recent(one))?;
        one.count = one.count.saturating_add(1);
        one.at = now;
        Some(one.clone())
    }
}

fn event(about: &ObjectReference, told: &Told, instance: &str, now: Timestamp) -> Event {
    Event {
        metadata: ObjectMeta {
            name: Some(name(about.name.as_deref().unwrap_or_default(), Uuid::new_v4())),
            namespace: about.namespace.clone(),
            ..ObjectMeta::default()
        },
        action: Some("Reconcile".to_owned()),
        event_time: Some(MicroTime(now)),
        note: Some(told.note.clone()),
        reason: Some(told.reason.clone()),
        regarding: Some(about.clone()),
        reporting_controller: Some("rollcall".to_owned()),
        reporting_instance: Some(instance.to_owned()),
        type_: Some(if told.is_warning { "Warning" } else { "Normal" }.to_owned()),
        ..Event::default()
    }
}

/// A name of its own, which begins with as much of the object's as fits.
fn name(object: &str, id: Uuid) -> String {
    let suffix = format!(".{:016x}", id.as_u64_pair().0);
    let room = NAME - suffix.len();
    let start = object.get(..object.len().min(room)).unwrap_or_default();
    // What is before a dot ends with a letter or a digit.
    format!("{}{suffix}", start.trim_end_matches(|sign: char| !sign.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::short("staff", "staff.0")]
    #[case::the_longest(&"a".repeat(253), &format!("{}.0", "a".repeat(236)))]
    #[case::cut_at_a_dot(&format!("{}.{}", "a".repeat(235), "b".repeat(17)), &format!("{}.0", "a".repeat(235)))]
    #[case::cut_at_hyphens(&format!("{}--{}", "a".repeat(234), "b".repeat(17)), &format!("{}.0", "a".repeat(234)))]
    fn an_event_of_any_object_has_a_legal_name(#[case] object: &str, #[case] begins: &str) {
        let name = name(object, Uuid::from_u64_pair(15, 0));
        assert!(name.len() <= NAME && name.starts_with(begins.strip_suffix('0').unwrap()), "{name}");
        assert!(name.ends_with(".000000000000000f"));
    }

    #[tokio::test]
    async fn only_the_same_of_a_moment_ago_is_told_by_the_same_event() {
        let nobody: axum::http::Uri = "http://127.0.0.1:1".parse().unwrap();
        let client = Client::try_from(kube::Config::new(nobody)).unwrap();
        let recorder = Recorder::new(client, &"x".repeat(300));
        assert!(recorder.instance.len() <= INSTANCE);
        let about = ObjectReference { uid: Some("one".to_owned()), ..ObjectReference::default() };
        let held = |digest: &str| Told::new(&about, EventType::Warning, "Held", digest);
        let at = |minute: i64| Timestamp::from_second(60 * minute).unwrap();
        let made = Recent { name: "staff.1".to_owned(), count: 1, at: at(0) };
        recorder.recent.lock().unwrap().told.insert(held("sha256:1"), made);
        assert_eq!(recorder.again(&held("sha256:2"), at(1)), None);
        assert_eq!(recorder.again(&held("sha256:1"), at(5)).unwrap().count, 2);
        assert_eq!(recorder.again(&held("sha256:1"), at(10)).unwrap().count, 3);
        assert_eq!(recorder.again(&held("sha256:1"), at(16)), None, "that is long ago");
        recorder.again(&held("sha256:2"), at(17));
        assert!(recorder.recent.lock().unwrap().told.is_empty(), "nobody needs it any more");
    }
}
