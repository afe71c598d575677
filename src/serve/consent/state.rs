//! The state that goes to the directory's page with a question and comes back with the answer: signed, for one connector, for
//! an hour.

use std::fmt;

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use aws_lc_rs::rand::SystemRandom;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::directory::ConnectorName;

/// So long a question may be answered.
pub(super) const LIFE: SignedDuration = SignedDuration::from_hours(1);

/// The key of one process. It is made at the start and never leaves it.
pub(super) struct Key(hmac::Key);

/// What a state says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) connector: ConnectorName,
    /// The connector's own uid: one that is made anew under the same name is another one.
    pub(super) uid: String,
    /// No other state has it.
    pub(super) jti: Uuid,
    exp: i64,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Key {
    pub(super) fn new() -> Result<Self, Unspecified> {
        hmac::Key::generate(HMAC_SHA256, &SystemRandom::new()).map(Self)
    }

    /// A state of this connector, good from now on.
    pub(super) fn sign(&self, connector: &ConnectorName, uid: &str, now: Timestamp) -> Option<String> {
        let state = State {
            connector: connector.clone(),
            uid: uid.to_owned(),
            jti: Uuid::new_v4(),
            exp: now.checked_add(LIFE).ok()?.as_second(),
        };
        let said = BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(&state).ok()?);
        let proof = hmac::sign(&self.0, said.as_bytes());
        Some(format!("{said}.{}", BASE64_URL_SAFE_NO_PAD.encode(proof)))
    }

    /// What a state says that this process signed, however old it is.
    pub(super) fn read(&self, state: &str) -> Option<State> {
        let (said, proof) = state.split_once('.')?;
        let proof = BASE64_URL_SAFE_NO_PAD.decode(proof).ok()?;
        hmac::verify(&self.0, said.as_bytes(), &proof).ok()?;
        serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(said).ok()?).ok()
    }
}

impl State {
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        self.ends_at().is_none_or(|end| end <= now)
    }

    pub(super) fn ends_at(&self) -> Option<Timestamp> {
        Timestamp::from_second(self.exp).ok()
    }
}
