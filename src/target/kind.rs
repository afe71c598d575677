//! The kinds of targets: what each is told, and how it is opened. This is the one place that tells them apart; whoever adds a
//! kind is asked by the compiler for all of it.

use std::sync::Arc;

use super::mimecast::{self, Claimed, Mimecast, MimecastConfig};
use super::registry::Registry;
use super::scim::{self, Scim, ScimConfig};
use super::turn::{Executors, May};
use super::{Capabilities, Target};
use crate::clock::Clock;
use crate::directory::{Content, Match, Operation, Outcome, Owner, SubjectKind, TargetError, TargetObject};
use crate::net::http::Url;

/// Where a policy puts users and groups, and how.
#[derive(Clone, Debug)]
pub enum TargetConfig {
    /// The embedded registry.
    Registry,
    /// A SCIM service.
    Scim(Box<ScimConfig>),
    /// A tenant of Mimecast.
    Mimecast(Box<MimecastConfig>),
}

impl TargetConfig {
    /// Kind, base address and tenant: what two policies must not fight over.
    pub fn identity(&self, owner: &Owner) -> String {
        match self {
            Self::Registry => Registry::identity_of(owner),
            Self::Scim(config) => scim::identity(&config.url),
            Self::Mimecast(config) => mimecast::identity(config),
        }
    }

    /// Whether somebody else can write there: what is a target of this kind for others, and for us to verify.
    pub fn is_shared(&self) -> bool {
        !matches!(self, Self::Registry)
    }

    /// The address of a service that is reached over the network; `None` for what is embedded.
    pub fn address(&self) -> Option<&Url> {
        match self {
            Self::Registry => None,
            Self::Scim(config) => Some(&config.url),
            Self::Mimecast(config) => Some(&config.url),
        }
    }

    /// Opens it for a run of the policy whose part of the registry this is; `may` says whether a write may begin.
    ///
    /// # Errors
    /// When it is a service that cannot be reached, or that is not what it should be.
    pub async fn open(
        &self,
        registry: Registry,
        executors: &Executors,
        may: impl Fn() -> May + Send + Sync + 'static,
        clock: Arc<dyn Clock>,
    ) -> Result<OpenTarget, TargetError> {
        let service = self.open_service(Some(&registry), executors, may, clock).await?;
        Ok(service.unwrap_or(OpenTarget::Registry(registry)))
    }

    /// Opens a service; `None` for what is embedded. Without a `registry`, whose store knows what policies have there, nobody is taken
    /// over.
    ///
    /// # Errors
    /// When it cannot be reached, or is not what it should be.
    pub async fn open_service(
        &self,
        registry: Option<&Registry>,
        executors: &Executors,
        may: impl Fn() -> May + Send + Sync + 'static,
        clock: Arc<dyn Clock>,
    ) -> Result<Option<OpenTarget>, TargetError> {
        match self {
            Self::Registry => Ok(None),
            Self::Scim(config) => {
                let turns = executors.turns(&scim::identity(&config.url), may);
                let scim = Box::pin(Scim::open(ScimConfig::clone(config), turns.clone(), clock)).await?;
                let can = scim.capabilities();
                turns.limit(can.at_once, can.rates);
                Ok(Some(OpenTarget::Scim(Box::new(scim))))
            }
            Self::Mimecast(config) => {
                let identity = mimecast::identity(config);
                let turns = executors.turns(&identity, may);
                let claimed: Claimed = match registry {
                    Some(registry) => Arc::new(registry.claims(identity)),
                    None => Arc::new(|_| true),
                };
                let tenant = Box::pin(Mimecast::open(config, turns.clone(), claimed, clock)).await?;
                let can = tenant.capabilities();
                turns.limit(can.at_once, can.rates);
                Ok(Some(OpenTarget::Mimecast(Box::new(tenant))))
            }
        }
    }
}

/// A target that is open: it keeps for a run what was found out about it.
pub enum OpenTarget {
    /// The embedded registry.
    Registry(Registry),
    /// A SCIM service.
    Scim(Box<Scim>),
    /// A tenant of Mimecast.
    Mimecast(Box<Mimecast>),
}

impl Target for OpenTarget {
    fn identity(&self) -> &str {
        match self {
            Self::Registry(target) => target.identity(),
            Self::Scim(target) => target.identity(),
            Self::Mimecast(target) => target.identity(),
        }
    }

    fn capabilities(&self) -> Capabilities {
        match self {
            Self::Registry(target) => target.capabilities(),
            Self::Scim(target) => target.capabilities(),
            Self::Mimecast(target) => target.capabilities(),
        }
    }

    fn about(&self) -> Vec<String> {
        match self {
            Self::Registry(target) => target.about(),
            Self::Scim(target) => target.about(),
            Self::Mimecast(target) => target.about(),
        }
    }

    fn held(&self, content: &Content) -> Content {
        match self {
            Self::Registry(target) => target.held(content),
            Self::Scim(target) => Target::held(&**target, content),
            Self::Mimecast(target) => Target::held(&**target, content),
        }
    }

    async fn apply(&self, batch: &[Operation]) -> Vec<Outcome> {
        match self {
            Self::Registry(target) => target.apply(batch).await,
            Self::Scim(target) => Box::pin(target.apply(batch)).await,
            Self::Mimecast(target) => Box::pin(target.apply(batch)).await,
        }
    }

    async fn find(&self, kind: SubjectKind, by: &[Match]) -> Vec<Result<Vec<TargetObject>, TargetError>> {
        match self {
            Self::Registry(target) => target.find(kind, by).await,
            Self::Scim(target) => Box::pin(target.find(kind, by)).await,
            Self::Mimecast(target) => Box::pin(target.find(kind, by)).await,
        }
    }

    async fn list(
        &self,
        kind: SubjectKind,
        each: impl FnMut(TargetObject) + Send,
    ) -> Result<(), TargetError> {
        match self {
            Self::Registry(target) => target.list(kind, each).await,
            Self::Scim(target) => Box::pin(target.list(kind, each)).await,
            Self::Mimecast(target) => Box::pin(target.list(kind, each)).await,
        }
    }
}
