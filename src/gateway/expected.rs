//! Who may join, and who did: what the gateway and the controller share.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use tokio::sync::{mpsc, oneshot};

use crate::directory::ConnectorName;
use crate::secret::Secret;
use crate::source::engine::Engines;
use crate::wire::PublicKey;

/// What the gateway and the controller share; clones share it.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// The engines.
    pub engines: Engines,
    /// Where the gateway is, as engines reach it.
    address: Arc<str>,
    expected: Arc<Mutex<HashMap<[u8; 32], Expected>>>,
    joins: mpsc::Sender<Joining>,
}

/// What the controller hears.
pub struct Heard {
    /// Those who want to join.
    pub joins: mpsc::Receiver<Joining>,
    /// The connectors whose engine came or went.
    pub news: mpsc::Receiver<ConnectorName>,
}

/// An engine that may join.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Whose.
    pub connector: ConnectorName,
    /// The name of the Secret with its token.
    pub secret: String,
    /// How long that counts.
    pub until: Timestamp,
}

/// An engine wants to join, with the token of a connector.
pub struct Joining {
    /// Which connector.
    pub connector: ConnectorName,
    /// The name of the Secret with the token.
    pub secret: String,
    /// The token, which must be checked again where it is used up.
    pub token: Secret,
    /// The public half of the engine's key.
    pub key: PublicKey,
    /// Its machine.
    pub host: String,
    /// What became of it.
    pub answer: oneshot::Sender<Joined>,
}

/// What became of a join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joined {
    /// The key is enrolled.
    Yes,
    /// The token was used, has expired, or is another one now.
    Used,
    /// It cannot be told now.
    Unavailable,
}

impl fmt::Debug for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Heard")
    }
}

impl Gateway {
    /// A gateway that engines reach at `address`.
    pub fn new(address: &str) -> (Self, Heard) {
        let (engines, news) = Engines::new();
        let (joins, joining) = mpsc::channel(16);
        let address = address.trim_end_matches('/').into();
        (Self { engines, address, expected: Arc::default(), joins }, Heard { joins: joining, news })
    }

    /// Where it is, as engines reach it.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// With which tokens engines of this connector may join from now on, and how long: each once, into the place of its Secret.
    pub fn expect(&self, connector: &ConnectorName, tokens: &[(&str, &Secret, Timestamp)]) {
        let mut expected = self.expected();
        expected.retain(|_, of| of.connector != *connector);
        for (secret, token, until) in tokens {
            let (connector, secret) = (connector.clone(), (*secret).to_owned());
            expected.insert(digest(token), Expected { connector, secret, until: *until });
        }
    }

    /// Whose token this is, if it counts now. That it is found by its digest tells nothing of others.
    pub(super) fn of_token(&self, token: &Secret, now: Timestamp) -> Option<Expected> {
        self.expected().get(&digest(token)).filter(|of| now < of.until).cloned()
    }

    /// Hands a join on; whether there was room.
    pub(super) fn hand_on(&self, joining: Joining) -> bool {
        self.joins.try_send(joining).is_ok()
    }

    fn expected(&self) -> MutexGuard<'_, HashMap<[u8; 32], Expected>> {
        self.expected.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn digest(token: &Secret) -> [u8; 32] {
    Sha256::digest(token.without_line_end()).into()
}
