//! Mimecast, by its API 2.0.
//!
//! # Guarantees beyond those of every target
//! - Only the tenant's own domains have users; addresses elsewhere are left out.
//! - A user is an address. Whoever gets another one moves to it, and no second account of theirs works.
//! - Groups are made below one parent folder. Groups that a directory integration of Mimecast's own keeps are never changed.
//! - Where two forms of a call are documented, what the tenant answers decides, and it is said.
//! - The first write of each kind is read back.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::clock::Clock;
use crate::directory::{
    Content, Match, Operation, Outcome, SubjectKind, TargetError, TargetObject, TargetReason,
};
use crate::hex;
use crate::words::count;

use super::in_order::in_order;
use super::lane::Lane;
use super::refusal::Refusal;
use super::turn::Turns;
use super::{Capabilities, NameLimits, Names, OfKind, Rates, Target};

mod answer;
mod client;
mod config;
mod groups;
mod pages;
mod record;
mod settings;
mod tenant;
mod users;

use client::Client;
use groups::{Groups, Way};
use tenant::Tenant;
use users::Users;

pub use config::{Claimed, MimecastConfig};
pub use settings::{Integration, Kind as IntegrationKind, Most, integrations};

/// How many members one operation brings: several requests.
const MEMBERS: usize = 1000;

/// A tenant of Mimecast.
pub struct Mimecast {
    client: Client,
    identity: String,
    tenant: Tenant,
    adopts: bool,
    claimed: Claimed,
}

impl Mimecast {
    /// Finds out whether the tenant answers us, and which domains are its own.
    ///
    /// # Errors
    /// It does not: see [`TargetReason`].
    pub async fn open(
        config: &MimecastConfig,
        turns: Turns,
        claimed: Claimed,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, TargetError> {
        if config.url.scheme() != "https" && !config.insecure {
            let message = "the address of Mimecast must begin with https://; insecure: true allows http:// on a test ground";
            return Err(TargetError::new(TargetReason::Refused, message));
        }
        let opened = async {
            let client = Client::new(config, turns.in_lane(Lane::Joiners), clock)?;
            let tenant = Tenant::open(&client, &config.parent_folder).await?;
            Ok::<_, Refusal>((client, tenant))
        };
        let (client, tenant) = opened.await.map_err(|refusal| refusal.error)?;
        Ok(Self { client, identity: identity(config), tenant, adopts: config.adopts, claimed })
    }

    fn users<'a>(&'a self, client: &'a Client) -> Users<'a> {
        Users { client, tenant: &self.tenant, adopts: self.adopts, claimed: &self.claimed }
    }

    async fn one(&self, operation: &Operation) -> Outcome {
        let client = self.client.in_lane(Lane::of(operation));
        let users = self.users(&client);
        let groups = Groups { client: &client, tenant: &self.tenant };
        match operation {
            Operation::Create { content, .. } => match &**content {
                Content::User(user) => users.create(user).await,
                Content::Group(group) => groups.create(group).await,
            },
            Operation::Update { id, content, before, .. } => match &**content {
                Content::User(user) => users.update(id, user, before.as_deref()).await,
                Content::Group(group) => groups.update(id, group).await,
            },
            Operation::SetActive { id, active } => users.set_active(id, *active).await,
            Operation::AddMembers { group, members } => groups.members(Way::In, group, members).await,
            Operation::RemoveMembers { group, members } => groups.members(Way::Out, group, members).await,
            Operation::Delete { kind: SubjectKind::Group, id } => groups.delete(id).await,
            Operation::Delete { kind: SubjectKind::User, .. } => {
                let message = "the API of Mimecast deletes no users; disable the user, and delete the address in the console under \
                               Directories | Internal Directories";
                Outcome::Rejected(TargetError::new(TargetReason::Unsupported, message))
            }
        }
    }

    async fn question(&self, kind: SubjectKind, by: &Match) -> Result<Vec<TargetObject>, Refusal> {
        match kind {
            SubjectKind::User => self.user(by).await,
            SubjectKind::Group => self.group(by).await,
        }
    }

    async fn user(&self, by: &Match) -> Result<Vec<TargetObject>, Refusal> {
        let asked = match by {
            Match::Id(id) => record::address(&id.0),
            Match::Name(text) | Match::Email(text) => record::address(text),
            Match::Key(_) => None,
        };
        let Some(address) = asked else { return Ok(Vec::new()) };
        let found = match by {
            // Whoever asks by id wants to know whether it is there.
            Match::Id(_) => self.tenant.surely(&self.client, &address).await?,
            _ => self.tenant.person(&self.client, &address).await?,
        };
        let Some(person) = found.filter(record::Person::is_user) else { return Ok(Vec::new()) };
        let aliases = self.users(&self.client).aliases_of(&person.address).await?;
        Ok(vec![person.object(aliases)])
    }

    async fn group(&self, by: &Match) -> Result<Vec<TargetObject>, Refusal> {
        let found = match by {
            Match::Id(id) => self.tenant.folder_now(&self.client, &id.0).await?.into_iter().collect(),
            Match::Name(name) => {
                let ours = self.tenant.ours(&self.client).await?;
                groups::called(&ours, name).into_iter().cloned().collect()
            }
            Match::Key(_) | Match::Email(_) => Vec::new(),
        };
        let mut objects = Vec::with_capacity(found.len());
        for folder in found {
            let members = self.tenant.members_now(&self.client, &folder.id).await?;
            objects.push(folder.object(Some(&members)));
        }
        Ok(objects)
    }
}

impl Target for Mimecast {
    fn identity(&self) -> &str {
        &self.identity
    }

    fn capabilities(&self) -> Capabilities {
        let of = OfKind {
            rename: true,
            delete: true,
            holds_key: false,
            names: Names::UniqueIgnoringCase,
            limits: NameLimits::UNKNOWN,
        };
        Capabilities {
            users: Some(OfKind { delete: false, ..of }),
            groups: Some(of),
            disable: true,
            nested_groups: false,
            addresses_are_accounts: true,
            members_readable: true,
            members_per_operation: MEMBERS,
            batch: 1,
            at_once: 4,
            rates: Rates::default(),
            shared: true,
        }
    }

    fn about(&self) -> Vec<String> {
        let domains = self.tenant.domains.len() as u64;
        let mut about =
            vec![format!("the tenant has {}", count(domains, "internal domain", "internal domains"))];
        about.extend(
            self.client
                .older()
                .into_iter()
                .map(|path| format!("it has no newer form of {path}, so this one is used")),
        );
        if !self.tenant.shows_names() {
            about.push(
                "it does not show what users are called, so names are written and not compared".to_owned(),
            );
        }
        if !self.tenant.shows_state() {
            about.push("it does not show who is disabled, so what was sent counts".to_owned());
        }
        about
    }

    fn held(&self, content: &Content) -> Content {
        record::held(content, &self.tenant.domains, self.tenant.shows_names())
    }

    async fn apply(&self, batch: &[Operation]) -> Vec<Outcome> {
        in_order(batch, |operation| Box::pin(self.one(operation))).await
    }

    async fn find(&self, kind: SubjectKind, by: &[Match]) -> Vec<Result<Vec<TargetObject>, TargetError>> {
        let mut answers = Vec::with_capacity(by.len());
        for one in by {
            answers.push(self.question(kind, one).await.map_err(|refusal| refusal.error));
        }
        answers
    }

    async fn list(
        &self,
        kind: SubjectKind,
        mut each: impl FnMut(TargetObject) + Send,
    ) -> Result<(), TargetError> {
        let failed = |refusal: Refusal| refusal.error;
        match kind {
            SubjectKind::User => {
                for person in self.tenant.users(&self.client).await.map_err(failed)? {
                    let aliases =
                        self.users(&self.client).aliases_of(&person.address).await.map_err(failed)?;
                    each(person.object(aliases));
                }
            }
            SubjectKind::Group => {
                let ours = self.tenant.ours_now(&self.client).await.map_err(failed)?;
                for folder in &ours {
                    each(folder.object(None));
                }
            }
        }
        Ok(())
    }
}

/// What the tenant of this client is called. All tenants have the same address, and each API application belongs to one.
pub fn identity(config: &MimecastConfig) -> String {
    let place = config.url.as_str().trim_end_matches('/');
    let application = hex::encode(&Sha256::digest(config.client_id.as_bytes()));
    format!("mimecast:{place} of {}", application.get(..16).unwrap_or_default())
}
