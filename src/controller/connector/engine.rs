//! The enrolments of a connector's Sync Engines. A Secret for each, beside the connector, is all that is known of it: it has the token by
//! which an engine joins, and then the public half of its key. What the store loses, it does not lose; whoever deletes it revokes the key.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret as KubeSecret;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Resource as _, ResourceExt};

use super::enrolment::{Enrolment, Enrolments, Known};
use super::state::ConnectorState;
use crate::api::DirectoryConnector;
use crate::api::reason::connector as reasons;
use crate::controller::context::{Context, connector_name};
use crate::controller::delay;
use crate::controller::error::Error;
use crate::controller::gate::WRITE;
use crate::controller::read::read;
use crate::controller::watched::WatchedKind;
use crate::directory::ConnectorName;
use crate::gateway::{Gateway, Heard, Joined, Joining};
use crate::hex;
use crate::secret::Secret;
use crate::spec::Name;
use crate::spec::reference::{PUBLIC_KEY, Reference, engine_secrets};
use crate::wire::PublicKey;

/// A token counts for so long.
const TOKEN: Duration = Duration::from_hours(1);
/// How often it is looked who went silent.
const LOOK: Duration = Duration::from_secs(5);
/// The type of the Secret.
const TYPE: &str = "rollcall.dev/sync-engine";
const OF_TOKEN: &str = "token";
const OF_TOKEN_EXPIRES_AT: &str = "tokenExpiresAt";
const OF_HOST: &str = "host";
const OF_JOINED_AT: &str = "joinedAt";

/// Has a connector's engines enrolled, or lets some join. None of a connector without one.
pub(super) async fn attend(
    context: &Context,
    name: &Name,
    object: &DirectoryConnector,
    now: Timestamp,
) -> Result<Enrolments, Error> {
    let Some(gateway) = context.gateway.as_ref() else { return Ok(Enrolments::new()) };
    let secrets = engine_secrets(&name.name, &object.spec);
    let mut fresh = Enrolments::new();
    for secret in &secrets {
        let references = [Reference::Secret(secret.clone())].into();
        let version = context.parts.versions(name, &references).into_iter().find_map(|(_, version)| version);
        let is_known = |known: &Known| {
            let is_over = matches!(known.enrolment, Enrolment::Waiting { until, .. } if until <= now);
            version.is_some() && known.version == version && known.uid == object.uid() && !is_over
        };
        if !context.connectors.with(name, |state| state.engines.get(secret).is_some_and(is_known)) {
            fresh.insert(secret.clone(), enrol(context, gateway, (name, object, secret), now).await?);
        }
    }
    let reader = object.status.as_ref().and_then(|status| status.engine.as_ref()?.reader.key.as_deref());
    Ok(context.connectors.with(name, |state| {
        state.engines.extend(fresh);
        state.engines.retain(|secret, _| secrets.contains(secret));
        lets_in(gateway, &connector_name(name), &state.engines, reader);
        state.engines.clone()
    }))
}

/// Lets in those who are enrolled so, and nobody else. `reader` is the key of the one that read last: it reads on.
fn lets_in(gateway: &Gateway, connector: &ConnectorName, enrolments: &Enrolments, reader: Option<&str>) {
    let (mut tokens, mut keys) = (Vec::new(), Vec::new());
    for (secret, known) in enrolments {
        match &known.enrolment {
            Enrolment::Waiting { token, until } => tokens.push((secret.as_str(), token, *until)),
            Enrolment::Joined(key) => keys.push(key.clone()),
            Enrolment::Unusable(_) => {}
        }
    }
    keys.sort_by_key(|key| Some(key.id().as_str()) != reader);
    gateway.expect(connector, &tokens);
    gateway.engines.enrol(connector, keys);
}

/// What a Secret says that was just read, if it counts.
fn standing(found: Option<&KubeSecret>, uid: Option<&str>, now: Timestamp) -> Option<Enrolment> {
    let enrolment = found.map(|secret| enrolment(secret, uid));
    enrolment.filter(|it| !matches!(it, Enrolment::Waiting { until, .. } if *until <= now))
}

/// A key whose Secret is gone, or says something else now, counts no more, whatever becomes of what is written then.
fn revoke(
    gateway: &Gateway,
    connector: &ConnectorName,
    enrolments: &mut Enrolments,
    (secret, standing): (&str, Option<&Enrolment>),
) {
    let stays = |known: &Known| matches!((&known.enrolment, standing), (Enrolment::Joined(key), Some(Enrolment::Joined(same))) if key == same);
    if !enrolments.get(secret).is_some_and(stays) {
        enrolments.remove(secret);
        lets_in(gateway, connector, enrolments, None);
    }
}

/// A connector is gone, or cannot be read: so are its engines.
pub(super) fn forget(context: &Context, name: &Name) {
    if let Some(gateway) = &context.gateway {
        lets_in(gateway, &connector_name(name), &Enrolments::new(), None);
    }
}

/// Reads a Secret, and writes one with a token if there is none that counts.
async fn enrol(
    context: &Context,
    gateway: &Gateway,
    (name, object, secret): (&Name, &DirectoryConnector, &str),
    now: Timestamp,
) -> Result<Known, Error> {
    let (api, uid) = (secrets(context, name), object.uid());
    let found = read(api.get_opt(secret)).await?;
    let standing = standing(found.as_ref(), uid.as_deref(), now);
    context.connectors.with(name, |state| {
        let of_it = (secret, standing.as_ref());
        revoke(gateway, &connector_name(name), &mut state.engines, of_it);
    });
    if let Some(enrolment) = standing {
        return Ok(Known { version: found.and_then(|secret| secret.resource_version()), uid, enrolment });
    }
    context.gate.check()?;
    let (token, until) = (new_token()?, delay::later(now, TOKEN));
    let text = |text: String| ByteString(text.into_bytes());
    let data = BTreeMap::from([
        (OF_TOKEN.to_owned(), ByteString(token.expose().to_vec())),
        (OF_TOKEN_EXPIRES_AT.to_owned(), text(until.to_string())),
    ]);
    let ours = KubeSecret { data: Some(data), ..found.clone().unwrap_or_else(|| ours(name, object, secret)) };
    let parameters =
        PostParams { field_manager: Some("rollcall-engine".to_owned()), ..PostParams::default() };
    let writing = async {
        match found {
            Some(_) => api.replace(secret, &parameters, &ours).await,
            None => api.create(&parameters, &ours).await,
        }
    };
    let written = tokio::time::timeout(WRITE, writing).await.map_err(|_| Error::Slow)??;
    tracing::info!(connector = %name, secret, "a Sync Engine may join");
    let enrolment = Enrolment::Waiting { token, until };
    Ok(Known { version: written.resource_version(), uid, enrolment })
}

fn secrets(context: &Context, name: &Name) -> Api<KubeSecret> {
    Api::namespaced(context.client.clone(), &name.namespace)
}

/// A Secret of a connector, which goes with it.
fn ours(name: &Name, object: &DirectoryConnector, secret: &str) -> KubeSecret {
    KubeSecret {
        metadata: ObjectMeta {
            name: Some(secret.to_owned()),
            namespace: Some(name.namespace.clone()),
            owner_references: object.controller_owner_ref(&()).map(|owner| vec![owner]),
            ..ObjectMeta::default()
        },
        type_: Some(TYPE.to_owned()),
        ..KubeSecret::default()
    }
}

fn new_token() -> Result<Secret, Error> {
    let mut bytes = [0; 32];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Error::Died("there are no random numbers".to_owned()))?;
    Ok(Secret::new(format!("rollcall-join-{}", hex::encode(&bytes))))
}

/// What a Secret says, that belongs to the connector with this uid.
fn enrolment(secret: &KubeSecret, uid: Option<&str>) -> Enrolment {
    let is_ours = secret.type_.as_deref() == Some(TYPE)
        && secret.owner_references().iter().any(|owner| Some(owner.uid.as_str()) == uid);
    if !is_ours {
        let why = format!(
            "the Secret {} is not this connector's; delete it, and it is made anew",
            secret.metadata.name.as_deref().unwrap_or_default()
        );
        return Enrolment::Unusable(why);
    }
    let data =
        |key: &str| secret.data.as_ref().and_then(|data| data.get(key)).map(|value| value.0.as_slice());
    let text = |key: &str| data(key).and_then(|value| std::str::from_utf8(value).ok());
    if data(PUBLIC_KEY).is_some() {
        return text(PUBLIC_KEY).and_then(|key| PublicKey::parse(key).ok()).map_or_else(
            || {
                let why =
                    "the key publicKey of the engine's Secret is no key; delete the Secret, and join again";
                Enrolment::Unusable(why.to_owned())
            },
            Enrolment::Joined,
        );
    }
    let until = text(OF_TOKEN_EXPIRES_AT).and_then(|until| until.parse().ok()).unwrap_or(Timestamp::MIN);
    let token = data(OF_TOKEN).filter(|token| token.len() >= 64);
    // One that somebody wrote who is not us counts for nothing, and is renewed.
    let until = if token.is_some() { until } else { Timestamp::MIN };
    Enrolment::Waiting { token: Secret::new(token.unwrap_or_default()), until }
}

/// Enrols those who join, and has each connector looked at whose engine came or went.
pub(in crate::controller) async fn follow(context: Arc<Context>, heard: Heard) {
    let Heard { mut joins, mut news } = heard;
    let Some(gateway) = context.gateway.clone() else { return std::future::pending().await };
    // It goes on beside whatever else comes: whoever went silent is noticed, however much others say.
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            Some(joining) = joins.recv() => {
                let joined = match named(&joining.connector) {
                    Some(name) => join(&context, &gateway, &name, &joining).await,
                    None => Joined::Used,
                };
                // Whoever asked may be gone.
                joining.answer.send(joined).ok();
                wake(&context, &joining.connector);
            }
            Some(connector) = news.recv() => {
                let is_connected = gateway.engines.states(&connector).iter().any(|state| state.is_connected);
                if let Some(name) = named(&connector).filter(|_| is_connected) {
                    context.connectors.with(&name, ConnectorState::engine_came);
                }
                wake(&context, &connector);
            }
            _ = look.tick() => {
                gateway.engines.lapse();
                context.metrics.engines(gateway.engines.count());
            }
        }
    }
}

fn named(connector: &ConnectorName) -> Option<Name> {
    let (namespace, name) = connector.as_str().split_once('/')?;
    Some(Name::new(namespace, name))
}

fn wake(context: &Context, connector: &ConnectorName) {
    if let Some(name) = named(connector) {
        context.parts.wake(WatchedKind::Connector, &name);
    }
}

/// Uses a token up: its Secret has the key in its place, if nobody was quicker.
async fn join(context: &Context, gateway: &Gateway, name: &Name, joining: &Joining) -> Joined {
    let Joining { connector, secret: of, token, key, host, .. } = joining;
    let now = context.clock.now();
    let Some(uid) = context.parts.connector(name, ResourceExt::uid) else { return Joined::Used };
    let api = secrets(context, name);
    let Ok(found) = read(api.get_opt(of)).await else { return Joined::Unavailable };
    let Some(mut secret) = found else { return Joined::Used };
    match enrolment(&secret, uid.as_deref()) {
        Enrolment::Waiting { token: kept, until } if now < until => {
            if verify_slices_are_equal(kept.without_line_end(), token.without_line_end()).is_err() {
                return Joined::Used;
            }
        }
        _ => return Joined::Used,
    }
    if context.gate.check().is_err() {
        return Joined::Unavailable;
    }
    let text = |text: String| ByteString(text.into_bytes());
    // The version that was read goes with it: if somebody wrote meanwhile, this does not count.
    secret.data = Some(BTreeMap::from([
        (PUBLIC_KEY.to_owned(), text(key.digits())),
        (OF_HOST.to_owned(), text(host.clone())),
        (OF_JOINED_AT.to_owned(), text(now.to_string())),
    ]));
    let parameters =
        PostParams { field_manager: Some("rollcall-engine".to_owned()), ..PostParams::default() };
    match tokio::time::timeout(WRITE, api.replace(of, &parameters, &secret)).await {
        Ok(Ok(written)) => {
            let enrolment = Enrolment::Joined(key.clone());
            let known = Known { version: written.resource_version(), uid, enrolment };
            // The watch may still show the one before: what was written counts.
            context.connectors.with(name, |state| {
                state.engines.insert(of.clone(), known);
                lets_in(gateway, connector, &state.engines, None);
            });
            tracing::info!(connector = %name, key = %key.id(), "a Sync Engine has joined");
            Joined::Yes
        }
        Ok(Err(kube::Error::Api(answer))) if [404, 409].contains(&answer.code) => Joined::Used,
        Ok(Err(_)) | Err(_) => Joined::Unavailable,
    }
}

impl ConnectorState {
    /// The engine is there: a read that failed because it was not is tried soon.
    fn engine_came(&mut self) {
        if let Some(Err(failure)) = &mut self.outcome
            && failure.reason == reasons::ENGINE_NOT_CONNECTED
        {
            self.is_answered = true;
            failure.count = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

    use super::*;
    use crate::wire::SigningKey;

    fn secret(data: &[(&str, &str)], type_: &str, owner: &str) -> KubeSecret {
        let data = data.iter().map(|(key, value)| ((*key).to_owned(), ByteString(value.as_bytes().to_vec())));
        let owner = OwnerReference { uid: owner.to_owned(), ..OwnerReference::default() };
        KubeSecret {
            metadata: ObjectMeta { owner_references: Some(vec![owner]), ..ObjectMeta::default() },
            type_: Some(type_.to_owned()),
            data: Some(data.collect()),
            ..KubeSecret::default()
        }
    }

    #[test]
    fn only_our_own_secret_lets_somebody_join() {
        let key = SigningKey::generate().unwrap().0.public().unwrap();
        let (token, digits) = ("x".repeat(78), key.digits());
        let until = "2026-01-01T00:00:00Z";
        let come_to = |enrolment: &Enrolment| match enrolment {
            Enrolment::Joined(it) if *it == key => "joined",
            Enrolment::Waiting { until: it, .. } if it.to_string() == until => "waits",
            Enrolment::Waiting { until, .. } if *until == Timestamp::MIN => "over",
            Enrolment::Unusable(_) => "unusable",
            Enrolment::Joined(_) | Enrolment::Waiting { .. } => "something else",
        };
        let whole = [(OF_TOKEN, token.as_str()), (OF_TOKEN_EXPIRES_AT, until)];
        let both = [(PUBLIC_KEY, digits.as_str()), whole[0], whole[1]];
        for (data, type_, owner, expected) in [
            (&whole[..], TYPE, "one", "waits"),
            (&whole, TYPE, "another", "unusable"),
            (&whole, "Opaque", "one", "unusable"),
            (&both[..1], TYPE, "one", "joined"),
            (&both, TYPE, "one", "joined"),
            (&[(PUBLIC_KEY, "no key")], TYPE, "one", "unusable"),
            (&[(OF_TOKEN, "short"), (OF_TOKEN_EXPIRES_AT, until)], TYPE, "one", "over"),
            (&whole[..1], TYPE, "one", "over"),
        ] {
            let came = enrolment(&secret(data, type_, owner), Some("one"));
            assert_eq!(come_to(&came), expected, "{data:?} {type_} {owner}");
        }
    }

    #[test]
    fn a_key_whose_secret_is_gone_counts_no_more_before_anything_is_written() {
        let connector = ConnectorName::new("id", "corp");
        let key = SigningKey::generate().unwrap().0.public().unwrap();
        let (digits, now) = (key.digits(), Timestamp::from_second(1_800_000_000).unwrap());
        let joined = secret(&[(PUBLIC_KEY, digits.as_str())], TYPE, "one");
        let token = "x".repeat(78);
        let over = [(OF_TOKEN, token.as_str()), (OF_TOKEN_EXPIRES_AT, "2026-01-01T00:00:00Z")];
        let over = secret(&over, TYPE, "one");
        let of_another = secret(&[(PUBLIC_KEY, digits.as_str())], TYPE, "another");
        let known = |secret: &KubeSecret| Known {
            version: None,
            uid: None,
            enrolment: enrolment(secret, Some("one")),
        };
        for found in [None, Some(&over), Some(&of_another)] {
            let (gateway, _) = Gateway::new("https://gw.example");
            let beside = SigningKey::generate().unwrap().0.public().unwrap();
            let standby = secret(&[(PUBLIC_KEY, beside.digits().as_str())], TYPE, "one");
            let mut enrolments =
                Enrolments::from([("a".to_owned(), known(&joined)), ("b".to_owned(), known(&standby))]);
            lets_in(&gateway, &connector, &enrolments, Some(beside.id().as_str()));
            assert!(gateway.engines.of_key(&key.id()).is_some());
            let reads = |key: &PublicKey| {
                let states = gateway.engines.states(&connector);
                states.iter().any(|state| state.is_active && state.key == key.id())
            };
            assert!(reads(&beside), "the one that read last");
            let standing = standing(found, Some("one"), now);
            revoke(&gateway, &connector, &mut enrolments, ("a", standing.as_ref()));
            assert!(gateway.engines.of_key(&key.id()).is_none(), "{found:?}");
            assert!(
                gateway.engines.of_key(&beside.id()).is_some() && reads(&beside),
                "the other one goes on"
            );
        }
    }
}
