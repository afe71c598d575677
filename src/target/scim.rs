//! Any SCIM 2.0 service (RFC 7643, RFC 7644). What a service does otherwise is data: see [`profile`].
//!
//! # Guarantees beyond those of every target
//! - The token goes to the host of the address and to no other.
//! - What a service says of itself is believed until it refuses, or shows otherwise; that is remembered, and said.
//! - The first write of each kind is read back.
//! - A list that changes while it is read, or is not whole, proves no absence.

use std::sync::Arc;

use futures::StreamExt as _;
use serde_json::Value;

use crate::clock::Clock;
use crate::directory::{
    Content, Match, Operation, Outcome, SubjectKind, TargetError, TargetObject, TargetReason,
};
use crate::net::http::Url;

use super::in_order::in_order;
use super::refusal::{No, Refusal};
use super::turn::Turns;
use super::{Capabilities, Lane, OfKind, Rates, Target};

mod answer;
mod client;
mod config;
pub mod dialect;
mod filter;
mod learned;
mod look;
mod memberships;
mod patch;
pub mod profile;
mod rate;
mod resource;
mod service;
mod walk;
mod write;

use client::Client;
use dialect::{By, Deletion, Dialect, LookUp, Members};
use learned::Learned;
use look::{Found, Looker, has};
use patch::Way;
use profile::{Evidence, Profile};
use walk::Walk;
use write::{Aim, Writer};

pub use config::{Credential, ScimConfig};
pub use service::Service;

/// How many members one operation brings: several requests, where the service takes fewer.
const MEMBERS: usize = 1000;

/// A SCIM service.
pub struct Scim {
    client: Client,
    identity: String,
    config: ScimConfig,
    profile: &'static Profile,
    service: Service,
    learned: Learned,
    capabilities: Capabilities,
}

impl Scim {
    /// Finds out what the service can, and whether it answers us.
    ///
    /// # Errors
    /// It does not: see [`TargetReason`].
    pub async fn open(config: ScimConfig, turns: Turns, clock: Arc<dyn Clock>) -> Result<Self, TargetError> {
        if config.url.scheme() != "https" && !config.insecure {
            let message = "the address of a SCIM service must begin with https://; insecure: true allows http:// on a test ground";
            return Err(TargetError::new(TargetReason::Refused, message));
        }
        Self::discover(config, turns, clock).await.map_err(|refusal| refusal.error)
    }

    async fn discover(config: ScimConfig, turns: Turns, clock: Arc<dyn Clock>) -> Result<Self, Refusal> {
        let client = Client::new(&config, turns.in_lane(Lane::Joiners), clock)?;
        let about = optional(&client, "ServiceProviderConfig").await?;
        let types = optional(&client, "ResourceTypes").await?;
        let schemas = optional(&client, "Schemas").await?;
        let service = Service::read(about.as_ref(), types.as_ref(), schemas.as_ref());
        let known = || profile::by_address(config.url.host_str().unwrap_or_default(), config.url.path());
        let found = || known().or_else(|| Service::profile(about.as_ref()));
        let profile = config.profile.or_else(found).unwrap_or_else(profile::standard);
        let dialect = service.dialect(profile, &config.overrides);
        let scim = Self {
            identity: identity(&config.url),
            learned: Learned::new(dialect, config.overrides),
            capabilities: capabilities(&dialect),
            client,
            config,
            profile,
            service,
        };
        // What describes a service is often open to everybody; this is not.
        let walk = Walk::new(dialect.paging, 1);
        let page =
            scim.client.get(&[scim.looker().users], &walk.query()).await.map_err(
                |refusal| match refusal.no {
                    No::NotThere => {
                        Refusal::not_scim(&format!("{} has no users at this address", scim.client.host()))
                    }
                    _ => refusal,
                },
            )?;
        let is_list = walk::of_page(&page).is_ok();
        if !is_list {
            return Err(Refusal::not_scim(&format!(
                "{} did not answer with a list of users",
                scim.client.host()
            )));
        }
        Ok(scim)
    }

    /// What the service says of itself.
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// How it is met by now.
    pub fn dialect(&self) -> Dialect {
        self.learned.dialect()
    }

    fn looker(&self) -> Looker<'_> {
        self.looker_with(&self.client)
    }

    fn looker_with<'a>(&'a self, client: &'a Client) -> Looker<'a> {
        Looker {
            client,
            learned: &self.learned,
            users: self.service.users.as_deref().unwrap_or("Users"),
            groups: self.service.groups.as_deref().unwrap_or("Groups"),
        }
    }

    fn writer<'a>(&'a self, client: &'a Client) -> Writer<'a> {
        Writer {
            client,
            learned: &self.learned,
            looker: self.looker_with(client),
            owned: &self.config.owned,
            etag: self.service.etag == Some(true),
        }
    }

    async fn one(&self, operation: &Operation) -> Outcome {
        let client = self.client.in_lane(Lane::of(operation));
        let writer = self.writer(&client);
        match operation {
            Operation::Create { key, content } => writer.create(*key, content).await,
            Operation::Update { id, key, content, .. } => {
                writer.change(id, Aim::Content { key: *key, content, enable: false }).await
            }
            Operation::SetActive { id, active } => writer.change(id, Aim::State(*active)).await,
            Operation::AddMembers { group, members } => writer.members(Way::In, group, members).await,
            Operation::RemoveMembers { group, members } => writer.members(Way::Out, group, members).await,
            Operation::Delete { kind, .. } if !self.capabilities.of(*kind).is_some_and(|of| of.delete) => {
                let message =
                    format!("{} keeps whom it deletes; disable the user instead", self.client.host());
                Outcome::Rejected(TargetError::new(TargetReason::Unsupported, message))
            }
            Operation::Delete { kind, id } => writer.delete(*kind, id).await,
        }
    }

    /// One question; `None` if only the list tells.
    async fn question(&self, kind: SubjectKind, by: &Match) -> Result<Option<Vec<Value>>, Refusal> {
        let looker = self.looker();
        if let Match::Id(id) = by {
            return Ok(Some(looker.by_id(kind, id).await?.into_iter().collect()));
        }
        let (by, value) = asked(by);
        if kind == SubjectKind::Group && by == By::Address {
            // RFC 7643 gives groups no address.
            return Ok(Some(Vec::new()));
        }
        match looker.by_filter(kind, by, &value).await? {
            Found::These(these) => {
                let mut objects = Vec::new();
                for mut object in these {
                    looker.complete(kind, &mut object).await?;
                    objects.push(object);
                }
                Ok(Some(objects))
            }
            Found::OnlyInList => Ok(None),
        }
    }

    /// The answers to questions, in order: as many are asked at once as the service takes.
    async fn questions(&self, kind: SubjectKind, by: &[Match]) -> Vec<Result<Option<Vec<Value>>, Refusal>> {
        let Some((first, rest)) = by.split_first() else { return Vec::new() };
        // The first one finds out whether filters are to be trusted.
        let mut answered = vec![self.question(kind, first).await];
        let rest: Vec<_> = rest.iter().map(|one| Box::pin(self.question(kind, one))).collect();
        let rest = futures::stream::iter(rest).buffered(self.capabilities.at_once.max(1));
        answered.extend(rest.collect::<Vec<_>>().await);
        answered
    }

    /// Answers questions that only the list answers, by reading it once.
    async fn in_list_of(
        &self,
        kind: SubjectKind,
        questions: &[(By, String)],
    ) -> Result<Vec<Vec<Value>>, Refusal> {
        let dialect = self.learned.dialect();
        let mut found: Vec<Vec<Value>> = vec![Vec::new(); questions.len()];
        let looker = self.looker();
        let tell = |object: Value| {
            for ((by, value), found) in questions.iter().zip(&mut found) {
                let is_new = !found.iter().any(|other| resource::id(other) == resource::id(&object));
                if is_new && has(kind, &object, *by, value, &dialect) {
                    found.push(object.clone());
                }
            }
        };
        looker.each(kind, tell).await?;
        for object in found.iter_mut().flatten() {
            looker.complete(kind, object).await?;
        }
        Ok(found)
    }

    fn objects(&self, kind: SubjectKind, found: &[Value]) -> Result<Vec<TargetObject>, TargetError> {
        let dialect = self.learned.dialect();
        let read = |object: &Value| {
            resource::read(kind, object, &dialect).ok_or_else(|| {
                let message =
                    format!("{} has an object without a name, which is left alone", self.client.host());
                TargetError::new(TargetReason::InvalidAnswer, message)
            })
        };
        found.iter().map(read).collect()
    }
}

impl Target for Scim {
    fn identity(&self) -> &str {
        &self.identity
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn about(&self) -> Vec<String> {
        let from = match self.profile.evidence {
            Evidence::Standard => "from the RFCs".to_owned(),
            Evidence::Measured(version) => format!("measured on {version}"),
            Evidence::Documented(_) => "from its documentation".to_owned(),
        };
        let mut about = vec![format!("profile {}, {from}", self.profile.name)];
        about.extend(service::lines(&self.learned.dialect()));
        about.extend(self.learned.notes());
        about
    }

    fn held(&self, content: &Content) -> Content {
        resource::held(content, &self.learned.dialect())
    }

    async fn apply(&self, batch: &[Operation]) -> Vec<Outcome> {
        in_order(batch, |operation| Box::pin(self.one(operation))).await
    }

    async fn find(&self, kind: SubjectKind, by: &[Match]) -> Vec<Result<Vec<TargetObject>, TargetError>> {
        let mut answers = Vec::with_capacity(by.len());
        let (mut in_list, mut questions) = (Vec::new(), Vec::new());
        let answered = self.questions(kind, by).await;
        for (at, (one, answer)) in by.iter().zip(answered).enumerate() {
            answers.push(match answer {
                Ok(Some(found)) => self.objects(kind, &found),
                Ok(None) => {
                    in_list.push(at);
                    questions.push(asked(one));
                    Ok(Vec::new())
                }
                Err(refusal) => Err(refusal.error),
            });
        }
        if questions.is_empty() {
            return answers;
        }
        let found = self.in_list_of(kind, &questions).await.map_err(|refusal| refusal.error);
        for (place, at) in in_list.into_iter().enumerate() {
            let answer = match &found {
                Ok(found) => self.objects(kind, found.get(place).map_or(&[], Vec::as_slice)),
                Err(error) => Err(error.clone()),
            };
            if let Some(slot) = answers.get_mut(at) {
                *slot = answer;
            }
        }
        answers
    }

    async fn list(
        &self,
        kind: SubjectKind,
        mut each: impl FnMut(TargetObject) + Send,
    ) -> Result<(), TargetError> {
        let dialect = self.learned.dialect();
        let tell = |object: Value| {
            if let Some(mut object) = resource::read(kind, &object, &dialect) {
                if dialect.members != Members::Given {
                    object.members = None;
                }
                each(object);
            }
        };
        self.looker().each(kind, tell).await.map_err(|refusal| refusal.error)
    }
}

/// What a question asks for; an id is asked for otherwise.
fn asked(by: &Match) -> (By, String) {
    match by {
        Match::Key(key) => (By::Key, key.to_string()),
        Match::Name(name) => (By::Name, name.clone()),
        Match::Email(address) => (By::Address, address.clone()),
        Match::Id(id) => (By::Key, id.to_string()),
    }
}

/// What is at a place that a service may lack.
async fn optional(client: &Client, place: &str) -> Result<Option<Value>, Refusal> {
    match client.get(&[place], "").await {
        Ok(value) => Ok(Some(value)),
        Err(refusal) if matches!(refusal.no, No::NotThere | No::Unsupported | No::Refused) => Ok(None),
        // What it is in truth the list of users tells, which nobody lacks.
        Err(refusal)
            if matches!(refusal.error.reason, TargetReason::AccessDenied | TargetReason::InvalidAnswer) =>
        {
            Ok(None)
        }
        Err(refusal) => Err(refusal),
    }
}

/// What the service at this address is called.
pub fn identity(url: &Url) -> String {
    format!("scim:{}", url.as_str().trim_end_matches('/'))
}

fn capabilities(dialect: &Dialect) -> Capabilities {
    let of = |kind: SubjectKind, key: LookUp, names, limits| OfKind {
        rename: true,
        delete: kind == SubjectKind::Group || dialect.deletion == Deletion::Deletes,
        holds_key: dialect.holds_key(kind) && key != LookUp::None,
        names,
        limits,
    };
    Capabilities {
        users: Some(of(SubjectKind::User, dialect.user_key, dialect.user_names, dialect.user_limits)),
        groups: Some(of(SubjectKind::Group, dialect.group_key, dialect.group_names, dialect.group_limits)),
        disable: true,
        nested_groups: dialect.nested,
        addresses_are_accounts: false,
        members_readable: dialect.members != Members::Never,
        members_per_operation: MEMBERS,
        batch: 1,
        at_once: dialect.at_once,
        rates: Rates { reads_per_minute: dialect.rates.reads, writes_per_minute: dialect.rates.writes },
        shared: true,
    }
}
