//! What a connector's status says of its Sync Engines. Pure.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::api::connector::{EngineStatus, OneEngine};
use crate::api::reason::{Reason, connector};
use crate::controller::condition::{Conditions, Status};
use crate::controller::connector::enrolment::{Enrolment, Enrolments};
use crate::controller::context::connector_name;
use crate::gateway::Gateway;
use crate::source::engine::{State, Trouble};
use crate::spec::Name;
use crate::wire::code;

/// The condition.
const TYPE: &str = "EngineConnected";

/// What is said of engines.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::controller::connector) struct Engine {
    pub(super) status: EngineStatus,
    condition: (Status, Reason, String),
}

impl Engine {
    pub(super) fn say(&self, conditions: &mut Conditions<'_>) {
        let (status, reason, message) = &self.condition;
        conditions.set(TYPE, *status, reason.name, message);
    }
}

/// What is said of the engines that are enrolled so; `None` of none.
pub(in crate::controller::connector) fn told(
    gateway: &Gateway,
    name: &Name,
    enrolments: &Enrolments,
) -> Option<Engine> {
    let states = gateway.engines.states(&connector_name(name));
    of(gateway.address(), name, enrolments, &states)
}

/// One engine, and what is to be said of it.
type One = (OneEngine, (Status, Reason, String));

fn of(gateway: &str, name: &Name, enrolments: &Enrolments, states: &[State]) -> Option<Engine> {
    let mut all: Vec<(bool, One)> = enrolments
        .iter()
        .map(|(secret, known)| {
            let key = if let Enrolment::Joined(key) = &known.enrolment { Some(key.id()) } else { None };
            let state = states.iter().find(|state| Some(&state.key) == key.as_ref());
            (state.is_some_and(|state| state.is_active), one(name, secret, &known.enrolment, state))
        })
        .collect();
    // The one that reads; else one that has joined; else the first.
    let has_joined = |(_, (one, _)): &(bool, One)| one.key.is_some();
    let at = all.iter().position(|(is_active, _)| *is_active);
    let at = at.or_else(|| all.iter().position(has_joined)).unwrap_or(0);
    let (_, (first, (health, reason, mut message))) = (at < all.len()).then(|| all.remove(at))?;
    let standbys = all.into_iter().map(|(_, (standby, (_, _, said)))| {
        message.extend(["; standby ", &standby.secret, ": ", &said]);
        OneEngine { message: Some(said), ..standby }
    });
    let standbys = standbys.collect();
    let told = EngineStatus { gateway: gateway.to_owned(), reader: first, standbys };
    Some(Engine { status: told, condition: (health, reason, message) })
}

fn one(name: &Name, secret: &str, enrolment: &Enrolment, state: Option<&State>) -> One {
    let mut one = OneEngine { secret: secret.to_owned(), ..OneEngine::default() };
    let seen = state.and_then(|state| state.seen.as_ref());
    if let Some(seen) = seen {
        let said = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        one.host = said(&seen.host);
        one.version = said(&seen.software);
        one.last_seen_at = Some(Time(seen.at));
        one.clock_skew_seconds = Some(seen.skew.as_secs());
    }
    let trouble = seen.and_then(|seen| seen.trouble.as_ref());
    let condition = match (enrolment, trouble) {
        (Enrolment::Waiting { until, .. }, _) => {
            let command = format!(
                "kubectl -n {} get secret {secret} -o go-template='{{{{.data.token | base64decode}}}}' | rollcall engine join",
                name.namespace
            );
            one.join_command = Some(command);
            one.token_expires_at = Some(Time(*until));
            let message = format!(
                "no Sync Engine has joined: inside the directory's network, give the token in the Secret {secret} to `rollcall engine join`"
            );
            (Status::False, connector::ENGINE_JOIN, message)
        }
        (Enrolment::Unusable(why), _) => (Status::False, connector::ENGINE_NOT_CONNECTED, why.clone()),
        (Enrolment::Joined(key), trouble) => {
            one.key = Some(key.id().to_string());
            match (trouble, seen) {
                (Some(Trouble { code, why }), _) => (Status::False, reason(code), why.clone()),
                (None, Some(seen)) if state.is_some_and(|state| state.is_connected) => {
                    let message = format!("version {} on {}", seen.software, seen.host);
                    (Status::True, connector::ENGINE_CONNECTED, message)
                }
                _ => {
                    let message =
                        "the Sync Engine is not connected: on its machine, run `rollcall engine check`";
                    (Status::False, connector::ENGINE_NOT_CONNECTED, message.to_owned())
                }
            }
        }
    };
    (one, condition)
}

fn reason(code: &str) -> Reason {
    match code {
        code::CLOCK => connector::ENGINE_CLOCK,
        code::VERSION => connector::ENGINE_VERSION,
        Trouble::STOPPED => connector::ENGINE_STOPPED,
        _ => connector::ENGINE_NOT_CONNECTED,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::*;
    use crate::controller::connector::enrolment::Known;
    use crate::secret::Secret;
    use crate::source::engine::Seen;
    use crate::wire::{PublicKey, SigningKey};

    fn until() -> Timestamp {
        Timestamp::from_second(7).unwrap()
    }

    fn waiting() -> Enrolment {
        Enrolment::Waiting { token: Secret::new("sesame"), until: until() }
    }

    fn key() -> PublicKey {
        SigningKey::generate().unwrap().0.public().unwrap()
    }

    fn seen(key: &PublicKey, trouble: Option<&'static str>) -> State {
        let trouble = trouble.map(|code| Trouble { code, why: "why".to_owned() });
        let is_connected = trouble.is_none();
        let skew = SignedDuration::from_secs(-3);
        let seen = Seen { at: until(), software: "9.9".to_owned(), host: "dmz".to_owned(), skew, trouble };
        State { key: key.id(), is_active: true, is_connected, seen: Some(seen) }
    }

    fn by_secret(enrolments: impl IntoIterator<Item = Enrolment>) -> Enrolments {
        let known = |enrolment| Known { version: None, uid: None, enrolment };
        let names = ["corp-engine", "corp-engine-2"].map(str::to_owned);
        names.into_iter().zip(enrolments.into_iter().map(known)).collect()
    }

    fn said(enrolments: impl IntoIterator<Item = Enrolment>, states: &[State]) -> Engine {
        of("https://gw.example", &Name::new("id", "corp"), &by_secret(enrolments), states).unwrap()
    }

    /// How an engine can be, once each.
    fn states(key: &PublicKey) -> [(Option<State>, &'static str); 5] {
        [
            (None, "EngineNotConnected"),
            (Some(seen(key, None)), "Connected"),
            (Some(seen(key, Some(code::CLOCK))), "EngineClockSkewed"),
            (Some(seen(key, Some(code::VERSION))), "EngineVersion"),
            (Some(seen(key, Some(Trouble::STOPPED))), "StoppedByEngine"),
        ]
    }

    /// What can be said of engines.
    pub(in crate::controller::connector::status) fn every() -> Vec<Engine> {
        let key = key();
        let all = states(&key)
            .into_iter()
            .map(|(state, _)| said([Enrolment::Joined(key.clone())], &Vec::from_iter(state)));
        all.chain([said([waiting()], &[])]).collect()
    }

    #[test]
    fn each_state_has_its_reason_and_no_token_is_shown() {
        let Engine { status, condition: (_, reason, _) } = said([waiting()], &[]);
        let reader = status.reader;
        assert_eq!(reason.name, "WaitingToJoin");
        assert!(
            reader.join_command.unwrap().contains("-n id get secret corp-engine -o") && reader.key.is_none()
        );
        let key = key();
        let joined = || Enrolment::Joined(key.clone());
        for (state, expected) in states(&key) {
            let Engine { status, condition: (is, reason, _) } = said([joined()], &Vec::from_iter(state));
            assert_eq!((reason.name, is == Status::True), (expected, expected == "Connected"));
            let reader = status.reader;
            assert!(reader.key == Some(key.id().to_string()) && reader.join_command.is_none());
        }
        let reader = said([joined()], &[seen(&key, None)]).status.reader;
        assert_eq!((reader.clock_skew_seconds, reader.host.as_deref()), (Some(-3), Some("dmz")));
        let unusable = said([Enrolment::Unusable("no".to_owned())], &[]);
        assert_eq!(unusable.condition.1.name, "EngineNotConnected");
        assert!(every().iter().all(|engine| !format!("{engine:?}").contains("sesame")));
        assert!(of("https://gw.example", &Name::new("id", "corp"), &Enrolments::new(), &[]).is_none());
    }

    #[test]
    fn each_engine_is_told_of_and_the_one_that_reads_first() {
        let (one, other) = (key(), key());
        let joined = |key: &PublicKey| Enrolment::Joined(key.clone());
        let standby = State { is_active: false, ..seen(&one, Some(Trouble::STOPPED)) };
        let Engine { status, condition: (is, _, message) } =
            said([joined(&one), joined(&other)], &[standby, seen(&other, None)]);
        assert_eq!(status.reader.key, Some(other.id().to_string()));
        assert_eq!(status.standbys[0].key, Some(one.id().to_string()));
        assert_eq!(status.standbys[0].message.as_deref(), Some("why"));
        assert!(is == Status::True && message == "version 9.9 on dmz; standby corp-engine: why", "{message}");
        // A second one may join: that says how, and takes nothing from the first.
        let Engine { status, condition: (is, _, message) } =
            said([joined(&one), waiting()], &[seen(&one, None)]);
        let standby = &status.standbys[0];
        assert!(standby.join_command.as_ref().unwrap().contains("get secret corp-engine-2 -o"));
        assert!(is == Status::True && message.contains("standby corp-engine-2: no Sync Engine has joined"));
        // Nor does it if the first one was revoked.
        let Engine { status, condition } = said([waiting(), joined(&one)], &[seen(&one, None)]);
        assert!(condition.0 == Status::True && status.reader.secret == "corp-engine-2");
    }
}
