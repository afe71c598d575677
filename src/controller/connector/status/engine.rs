//! What a connector's status says of its Sync Engine. Pure.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::api::connector::EngineStatus;
use crate::api::reason::{Reason, connector};
use crate::controller::condition::{Conditions, Status};
use crate::controller::connector::enrolment::Enrolment;
use crate::controller::context::connector_name;
use crate::gateway::Gateway;
use crate::source::engine::{State, Trouble};
use crate::spec::Name;
use crate::spec::reference::engine_secret;
use crate::wire::code;

/// The condition.
const TYPE: &str = "EngineConnected";

/// What is said of an engine.
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

/// What is said of the engine that is enrolled so.
pub(in crate::controller::connector) fn told(
    gateway: &Gateway,
    name: &Name,
    enrolment: &Enrolment,
) -> Engine {
    let state = gateway.engines.state(&connector_name(name));
    of(gateway.address(), name, enrolment, state.as_ref())
}

fn of(gateway: &str, name: &Name, enrolment: &Enrolment, state: Option<&State>) -> Engine {
    let secret = engine_secret(&name.name);
    let mut status =
        EngineStatus { gateway: gateway.to_owned(), secret: secret.clone(), ..EngineStatus::default() };
    let seen = state.and_then(|state| state.seen.as_ref());
    if let Some(seen) = seen {
        let said = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        status.host = said(&seen.host);
        status.version = said(&seen.software);
        status.last_seen_at = Some(Time(seen.at));
        status.clock_skew_seconds = Some(seen.skew.as_secs());
    }
    let trouble = seen.and_then(|seen| seen.trouble.as_ref());
    let condition = match (enrolment, trouble) {
        (Enrolment::Waiting { until, .. }, _) => {
            let command = format!(
                "kubectl -n {} get secret {secret} -o go-template='{{{{.data.token | base64decode}}}}' | rollcall engine join",
                name.namespace
            );
            status.join_command = Some(command);
            status.token_expires_at = Some(Time(*until));
            let message = format!(
                "no Sync Engine has joined: inside the directory's network, give the token in the Secret {secret} to `rollcall engine join`"
            );
            (Status::False, connector::ENGINE_JOIN, message)
        }
        (Enrolment::Unusable(why), _) => (Status::False, connector::ENGINE_NOT_CONNECTED, why.clone()),
        (Enrolment::Joined(key), trouble) => {
            status.key = Some(key.id().to_string());
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
    Engine { status, condition }
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

    fn seen(trouble: Option<&'static str>) -> State {
        let trouble = trouble.map(|code| Trouble { code, why: "why".to_owned() });
        let is_connected = trouble.is_none();
        let skew = SignedDuration::from_secs(-3);
        let seen = Seen { at: until(), software: "9.9".to_owned(), host: "dmz".to_owned(), skew, trouble };
        State { is_connected, seen: Some(seen) }
    }

    fn said(enrolment: &Enrolment, state: Option<&State>) -> Engine {
        of("https://gw.example", &Name::new("id", "corp"), enrolment, state)
    }

    /// How an engine can be, once each.
    fn states() -> [(Option<State>, &'static str); 5] {
        [
            (None, "EngineNotConnected"),
            (Some(seen(None)), "Connected"),
            (Some(seen(Some(code::CLOCK))), "EngineClockSkewed"),
            (Some(seen(Some(code::VERSION))), "EngineVersion"),
            (Some(seen(Some(Trouble::STOPPED))), "StoppedByEngine"),
        ]
    }

    /// What can be said of engines.
    pub(in crate::controller::connector::status) fn every() -> Vec<Engine> {
        let joined = Enrolment::Joined(key());
        let all = states().into_iter().map(|(state, _)| said(&joined, state.as_ref()));
        all.chain([said(&waiting(), None)]).collect()
    }

    #[test]
    fn each_state_has_its_reason_and_no_token_is_shown() {
        let Engine { status, condition: (_, reason, _) } = said(&waiting(), None);
        assert_eq!(reason.name, "WaitingToJoin");
        assert!(
            status.join_command.unwrap().contains("-n id get secret corp-engine") && status.key.is_none()
        );
        let key = key();
        let joined = Enrolment::Joined(key.clone());
        for (state, expected) in states() {
            let Engine { status, condition: (is, reason, _) } = said(&joined, state.as_ref());
            assert_eq!((reason.name, is == Status::True), (expected, expected == "Connected"));
            assert!(status.key == Some(key.id().to_string()) && status.join_command.is_none());
        }
        let status = said(&joined, Some(&seen(None))).status;
        assert_eq!((status.clock_skew_seconds, status.host.as_deref()), (Some(-3), Some("dmz")));
        let unusable = said(&Enrolment::Unusable("no".to_owned()), None);
        assert_eq!(unusable.condition.1.name, "EngineNotConnected");
        assert!(every().iter().all(|engine| !format!("{engine:?}").contains("sesame")));
    }
}
