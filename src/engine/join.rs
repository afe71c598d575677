//! Joining: a key is made here, and its public half is enrolled with a token.

use std::sync::Arc;

use super::identity::{Identity, IdentityError};
use super::line::{Line, LineError};
use super::settings::{Settings, SettingsError};
use crate::clock::Clock;
use crate::secret::Secret;
use crate::wire::{self, Join, KeyId};

/// Why an engine did not join. The key of before, if there is one, is the one that it has.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// The settings cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The key cannot be kept.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The gateway cannot be asked, or refuses.
    #[error(transparent)]
    Line(#[from] LineError),
}

/// Joins; returns how the key is called.
///
/// # Errors
/// When the gateway refuses, or the key cannot be kept.
pub async fn join(
    settings: &Settings,
    token: &Secret,
    host: &str,
    clock: Arc<dyn Clock>,
) -> Result<KeyId, JoinError> {
    let identity = Identity::create(&settings.state_dir)?;
    let public = identity.key.public().map_err(LineError::from)?;
    let line = Line::new(settings.http()?, &settings.gateway.url, identity.key, clock)?;
    let join = Join { key: public.digits(), host: host.to_owned() };
    let body = wire::pack(&join).map_err(|why| LineError::Odd(why.to_string()))?;
    line.join(token, body).await?;
    Identity::keep(&settings.state_dir)?;
    Ok(public.id())
}
