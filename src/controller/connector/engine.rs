//! The enrolment of a connector's Sync Engine. The Secret beside the connector is all that is known of it: it has the token by which an
//! engine joins, and then the public half of its key. What the store loses, it does not lose; whoever deletes it revokes the key.

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

use super::enrolment::{Enrolment, Known};
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
use crate::spec::reference::{PUBLIC_KEY, Reference, engine_secret, has_engine};
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

/// Has a connector's engine enrolled, or lets one join. `None` of a connector without one.
pub(super) async fn attend(
    context: &Context,
    name: &Name,
    object: &DirectoryConnector,
    now: Timestamp,
) -> Result<Option<Enrolment>, Error> {
    let Some(gateway) = context.gateway.as_ref() else { return Ok(None) };
    let connector = connector_name(name);
    if !has_engine(&object.spec) {
        lets_in(gateway, &connector, None);
        return Ok(None);
    }
    let secret = engine_secret(&name.name);
    let references = [Reference::Secret(secret)].into();
    let version = context.parts.versions(name, &references).into_iter().find_map(|(_, version)| version);
    let known = context.connectors.with(name, |state| state.engine.clone());
    let is_known = |known: &Known| {
        let is_over = matches!(known.enrolment, Enrolment::Waiting { until, .. } if until <= now);
        version.is_some() && known.version == version && known.uid == object.uid() && !is_over
    };
    let enrolment = if let Some(known) = known.filter(is_known) {
        known.enrolment
    } else {
        let (enrolment, version) = enrol(context, gateway, (name, object), now).await?;
        let known = Known { version, uid: object.uid(), enrolment: enrolment.clone() };
        context.connectors.with(name, |state| state.engine = Some(known));
        enrolment
    };
    lets_in(gateway, &connector, Some(&enrolment));
    Ok(Some(enrolment))
}

/// Lets in whoever is enrolled so, and nobody else.
fn lets_in(gateway: &Gateway, connector: &ConnectorName, enrolment: Option<&Enrolment>) {
    let (token, key) = match enrolment {
        Some(Enrolment::Waiting { token, until }) => (Some((token, *until)), None),
        Some(Enrolment::Joined(key)) => (None, Some(key.clone())),
        Some(Enrolment::Unusable(_)) | None => (None, None),
    };
    gateway.expect(connector, token);
    gateway.engines.enrol(connector, key);
}

/// What a Secret says that was just read, if it counts. It counts from now on, whatever becomes of what is written then: a key whose Secret
/// is gone is revoked.
fn read_again(
    gateway: &Gateway,
    connector: &ConnectorName,
    found: Option<&KubeSecret>,
    uid: Option<&str>,
    now: Timestamp,
) -> Option<Enrolment> {
    let enrolment = found.map(|secret| enrolment(secret, uid));
    let enrolment = enrolment.filter(|it| !matches!(it, Enrolment::Waiting { until, .. } if *until <= now));
    lets_in(gateway, connector, enrolment.as_ref());
    enrolment
}

/// A connector is gone, or cannot be read: so is its engine.
pub(super) fn forget(context: &Context, name: &Name) {
    if let Some(gateway) = &context.gateway {
        lets_in(gateway, &connector_name(name), None);
    }
}

/// Reads the Secret, and writes one with a token if there is none that counts.
async fn enrol(
    context: &Context,
    gateway: &Gateway,
    (name, object): (&Name, &DirectoryConnector),
    now: Timestamp,
) -> Result<(Enrolment, Option<String>), Error> {
    let api = secrets(context, name);
    let found = read(api.get_opt(&engine_secret(&name.name))).await?;
    let connector = connector_name(name);
    let standing = read_again(gateway, &connector, found.as_ref(), object.uid().as_deref(), now);
    if let Some(enrolment) = standing {
        return Ok((enrolment, found.and_then(|secret| secret.resource_version())));
    }
    context.gate.check()?;
    let (token, until) = (new_token()?, delay::later(now, TOKEN));
    let text = |text: String| ByteString(text.into_bytes());
    let data = BTreeMap::from([
        (OF_TOKEN.to_owned(), ByteString(token.expose().to_vec())),
        (OF_TOKEN_EXPIRES_AT.to_owned(), text(until.to_string())),
    ]);
    let secret = KubeSecret { data: Some(data), ..found.clone().unwrap_or_else(|| ours(name, object)) };
    let parameters =
        PostParams { field_manager: Some("rollcall-engine".to_owned()), ..PostParams::default() };
    let writing = async {
        match found {
            Some(_) => api.replace(&engine_secret(&name.name), &parameters, &secret).await,
            None => api.create(&parameters, &secret).await,
        }
    };
    let written = tokio::time::timeout(WRITE, writing).await.map_err(|_| Error::Slow)??;
    tracing::info!(connector = %name, "a Sync Engine may join");
    Ok((Enrolment::Waiting { token, until }, written.resource_version()))
}

fn secrets(context: &Context, name: &Name) -> Api<KubeSecret> {
    Api::namespaced(context.client.clone(), &name.namespace)
}

/// The Secret of a connector, which goes with it.
fn ours(name: &Name, object: &DirectoryConnector) -> KubeSecret {
    KubeSecret {
        metadata: ObjectMeta {
            name: Some(engine_secret(&name.name)),
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
                let Joining { connector, token, key, host, answer } = joining;
                let joined = match named(&connector) {
                    Some(name) => join(&context, &name, &token, &key, &host).await,
                    None => Joined::Used,
                };
                if joined == Joined::Yes {
                    gateway.expect(&connector, None);
                    gateway.engines.enrol(&connector, Some(key));
                }
                // Whoever asked may be gone.
                answer.send(joined).ok();
                wake(&context, &connector);
            }
            Some(connector) = news.recv() => {
                let is_connected = gateway.engines.state(&connector).is_some_and(|state| state.is_connected);
                if let Some(name) = named(&connector).filter(|_| is_connected) {
                    context.connectors.with(&name, ConnectorState::engine_came);
                }
                wake(&context, &connector);
            }
            _ = look.tick() => {
                gateway.engines.lapse();
                context.metrics.engines_connected(gateway.engines.connected());
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

/// Uses a token up: the Secret has the key in its place, if nobody was quicker.
async fn join(context: &Context, name: &Name, token: &Secret, key: &PublicKey, host: &str) -> Joined {
    let now = context.clock.now();
    let Some(uid) = context.parts.connector(name, ResourceExt::uid) else { return Joined::Used };
    let api = secrets(context, name);
    let Ok(found) = read(api.get_opt(&engine_secret(&name.name))).await else { return Joined::Unavailable };
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
        (OF_HOST.to_owned(), text(host.to_owned())),
        (OF_JOINED_AT.to_owned(), text(now.to_string())),
    ]));
    let parameters =
        PostParams { field_manager: Some("rollcall-engine".to_owned()), ..PostParams::default() };
    let secret_name = engine_secret(&name.name);
    let writing = api.replace(&secret_name, &parameters, &secret);
    match tokio::time::timeout(WRITE, writing).await {
        Ok(Ok(written)) => {
            let enrolment = Enrolment::Joined(key.clone());
            let known = Known { version: written.resource_version(), uid, enrolment };
            // The watch may still show the one before: what was written counts.
            context.connectors.with(name, |state| state.engine = Some(known));
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
        for (found, counts) in [(None, false), (Some(&over), false), (Some(&of_another), true)] {
            let (gateway, _) = Gateway::new("https://gw.example");
            assert!(read_again(&gateway, &connector, Some(&joined), Some("one"), now).is_some());
            assert!(gateway.engines.of_key(&key.id()).is_some());
            assert_eq!(read_again(&gateway, &connector, found, Some("one"), now).is_some(), counts);
            assert!(gateway.engines.of_key(&key.id()).is_none(), "{found:?}");
        }
    }
}
