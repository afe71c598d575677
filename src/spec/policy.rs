//! Converts a `SyncPolicy` to the rules of a run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::configuration::Runnable;
use super::connector::{LONGEST_TIMEOUT, SHORTEST_RETRY, SHORTEST_TIMEOUT, disabled_when, not_a_duration};
use super::object::{Name, Objects};
use super::problem::Problem;
use super::schedule::Schedule;
use super::service::Wrong;
use super::{applied, mimecast, schema, scim};
use crate::api::contacts::Contacts;
use crate::api::policy::{
    Adoption, Disabled, GroupAction, GroupStep, Groups, InUse, Limits as ApiLimits, Mailbox, Mailboxes,
    MatchBy as ApiMatchBy, Membership, Mode, Nesting as ApiNesting, OnDrift as ApiOnDrift,
    OnExceed as ApiOnExceed, Recreated, Schedule as ApiSchedule, UserAction, Users,
};
use crate::api::{Duration, SyncPolicySpec};
use crate::directory::{ConnectorName, Owner, folded};
use crate::scim::{USER_ATTRIBUTES, user_attribute};
use crate::secret::Secret;
use crate::sync::expression::{Expression, Returns, Subject};
use crate::sync::policy::{
    Adopt, Budget, ConnectorBinding, GroupRules, LeaverAction, LeaverStep, Limits, MatchBy, Nesting,
    OnDisabled, OnExceed, OnRecreated, PerGroup, Policy, UserRules,
};
use crate::sync::verify::OnDrift;
use crate::target::TargetConfig;

/// A read that may not be older would be too old again by the time a policy could run on it.
pub(super) const SHORTEST_AGE: std::time::Duration = std::time::Duration::from_mins(1);
/// Whoever verifies more often does nothing else.
const SHORTEST_VERIFY: std::time::Duration = std::time::Duration::from_mins(1);
/// What is mapped of every user, beside what the policy says.
const MAPPED: [&str; 4] = ["displayName", "givenName", "familyName", "emails"];
/// A token that is shorter could be guessed.
const SHORTEST_TOKEN: usize = 16;

/// The policy, if nothing is wrong with it.
pub(super) fn resolve(
    name: &Name,
    spec: &SyncPolicySpec,
    objects: &Objects,
    problems: &mut Vec<Problem>,
) -> Option<Runnable> {
    let mut of = Resolving { name, problems: Vec::new() };
    let policy = of.policy(spec, objects);
    let target = of.target(spec, objects);
    let schedule = spec.schedule.as_ref().map(|schedule| of.schedule(schedule));
    let retry_interval = of.duration("spec.retryInterval", &spec.retry_interval);
    if retry_interval.is_some_and(|interval| interval < SHORTEST_RETRY) {
        of.problem("spec.retryInterval", "is too short; use 1s or more");
    }
    let timeout = of.duration("spec.timeout", &spec.timeout);
    if timeout.is_some_and(|timeout| timeout < SHORTEST_TIMEOUT) {
        of.problem("spec.timeout", "is too short; use 1s or more");
    }
    let every = of.duration("spec.verify.every", &spec.verify.every);
    if every.is_some_and(|every| every < SHORTEST_VERIFY) {
        of.problem("spec.verify", "every is too short: use 1m or more");
    }
    let token = of.token(spec, objects);
    let sound = of.problems.is_empty();
    problems.append(&mut of.problems);
    if !sound {
        return None;
    }
    let target = target?;
    let on_drift = match spec.verify.on_drift {
        ApiOnDrift::Repair => OnDrift::Repair,
        ApiOnDrift::Report => OnDrift::Report,
    };
    Some(Runnable {
        policy: Arc::new(policy?),
        verify: every.filter(|_| target.is_shared()).map(|every| (every, on_drift)),
        target,
        schedule: schedule.flatten(),
        retry_interval: retry_interval?,
        // Those of before may have more.
        timeout: timeout?.min(LONGEST_TIMEOUT),
        token,
        preview: spec.mode == Mode::Preview,
        suspend: spec.suspend,
    })
}

/// The rules alone: what a run goes by, however its target is reached.
pub(super) fn rules(name: &Name, spec: &SyncPolicySpec, objects: &Objects) -> Option<Policy> {
    let mut of = Resolving { name, problems: Vec::new() };
    let policy = of.policy(spec, objects);
    policy.filter(|_| of.problems.is_empty())
}

/// What readers must show; `None` if nobody may read.
pub(super) fn token(name: &Name, spec: &SyncPolicySpec, objects: &Objects) -> Option<Result<Secret, String>> {
    let reference = spec.target.registry.as_ref()?.token_secret_ref.as_ref()?;
    let token = objects
        .secret(name, &reference.name, &reference.key)
        .map(|token| Secret::new(token.without_line_end()));
    Some(token.and_then(|token| {
        if token.expose().len() >= SHORTEST_TOKEN {
            return Ok(token);
        }
        Err(format!(
            "the key {} of Secret {} is shorter than {SHORTEST_TOKEN} bytes, so it could be guessed; generate one with \
             `openssl rand -base64 32`",
            reference.key,
            name.beside(&reference.name)
        ))
    }))
}

struct Resolving<'a> {
    name: &'a Name,
    problems: Vec<Problem>,
}

impl Resolving<'_> {
    fn policy(&mut self, spec: &SyncPolicySpec, objects: &Objects) -> Option<Policy> {
        let connectors = self.connectors(spec, objects);
        let shared = spec.target.registry.is_none();
        let users = self.users(&spec.users, shared);
        let groups = self.groups(&spec.groups, shared);
        let limits = self.limits(&spec.limits);
        let (spec_json, spec_hash) = applied::of(self.name, spec, objects);
        let owner = Owner::new(&self.name.namespace, &self.name.name);
        Some(Policy {
            owner,
            connectors: connectors?,
            users: users?,
            groups: groups?,
            limits: limits?,
            spec_hash,
            spec_json: spec_json.into(),
        })
    }

    fn target(&mut self, spec: &SyncPolicySpec, objects: &Objects) -> Option<TargetConfig> {
        match (&spec.target.registry, &spec.target.scim, &spec.target.mimecast) {
            (Some(_), None, None) => Some(TargetConfig::Registry),
            (None, Some(scim), None) => {
                let mapped = spec.users.attributes.keys().cloned();
                let owned = mapped.chain(MAPPED.map(str::to_owned)).collect();
                let config = scim::resolve(self.name, scim, owned, objects);
                config
                    .map_err(|wrong| self.tell(wrong))
                    .ok()
                    .map(|config| TargetConfig::Scim(Box::new(config)))
            }
            (None, None, Some(mimecast)) => {
                let config = mimecast::resolve(self.name, spec, mimecast, objects);
                config
                    .map_err(|wrong| self.tell(wrong))
                    .ok()
                    .map(|config| TargetConfig::Mimecast(Box::new(config)))
            }
            _ => {
                self.problem("spec.target", "name exactly one kind of target: registry, scim or mimecast");
                None
            }
        }
    }

    fn tell(&mut self, wrong: Vec<Wrong>) {
        for Wrong { field, why, elsewhere } in wrong {
            if elsewhere { self.elsewhere(&field, &why) } else { self.problem(&field, &why) }
        }
    }

    fn connectors(&mut self, spec: &SyncPolicySpec, objects: &Objects) -> Option<Vec<ConnectorBinding>> {
        let [only] = spec.connectors.as_slice() else {
            self.problem("spec.connectors", "name exactly one connector; several are not supported yet");
            return None;
        };
        let Some((connector, _)) = objects.connectors.get(&self.name.beside(&only.name)) else {
            let there: Vec<&str> = objects
                .connectors
                .keys()
                .filter(|other| other.namespace == self.name.namespace)
                .map(|other| other.name.as_str())
                .collect();
            let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
            let why = format!(
                "there is no usable DirectoryConnector {} in the namespace {} (there is: {there}); nothing is done until \
                 there is",
                only.name, self.name.namespace
            );
            self.elsewhere("spec.connectors[0].name", &why);
            return None;
        };
        let max_age = self.duration("spec.connectors[0].maxAge", &only.max_age)?;
        if max_age < SHORTEST_AGE {
            let why = "is too short: a read would be too old before anything could be done; use 1m or more";
            self.problem("spec.connectors[0].maxAge", why);
        }
        let connector_name = ConnectorName::new(&self.name.namespace, &only.name);
        Some(vec![ConnectorBinding {
            connector: connector_name,
            max_age,
            disabled_when: disabled_when(connector),
        }])
    }

    fn schedule(&mut self, schedule: &ApiSchedule) -> Option<Schedule> {
        Schedule::parse(schedule, |field, why| self.problem(field, &why))
    }

    fn token(&mut self, spec: &SyncPolicySpec, objects: &Objects) -> Option<Secret> {
        let token = token(self.name, spec, objects)?;
        token.map_err(|why| self.elsewhere("spec.target.registry.tokenSecretRef", &why)).ok()
    }

    fn users(&mut self, users: &Users, shared: bool) -> Option<UserRules> {
        for (at, domain) in users.email_domains.iter().enumerate() {
            if domain.contains(['@', '*', ' ']) {
                let why = format!("{domain:?} is not a domain; write it like corp.example");
                self.problem(&format!("spec.users.emailDomains[{at}]"), &why);
            }
        }
        let wanted = self.optional("spec.users.where", &users.r#where, Subject::User);
        let leavers = self.leaver_steps(users);
        let mut attributes = BTreeMap::new();
        for (attribute, text) in &users.attributes {
            let field = format!("spec.users.attributes.{attribute}");
            if user_attribute(attribute).is_none() {
                let known: Vec<String> = USER_ATTRIBUTES.iter().map(|known| known.name.to_owned()).collect();
                self.problem(&field, &schema::unknown(attribute, known.iter()));
            }
            if let Some(expression) = self.expression(&field, text, Subject::User, Returns::Text) {
                attributes.insert(attribute.clone(), expression);
            }
        }
        Some(UserRules {
            email_domains: lower(&users.email_domains),
            r#where: wanted?,
            contacts: users.contacts == Contacts::Include,
            without_mailboxes: without(&users.mailboxes),
            disabled: match users.disabled {
                Disabled::Disable => OnDisabled::Disable,
                Disabled::Leave => OnDisabled::Leave,
                Disabled::Ignore => OnDisabled::Ignore,
            },
            leavers: leavers?,
            recreated: match users.recreated {
                Recreated::Relink => OnRecreated::Relink,
                Recreated::Replace => OnRecreated::Replace,
                Recreated::Quarantine => OnRecreated::Quarantine,
            },
            // Nobody but Rollcall writes the registry: there is nothing to adopt.
            adopt: match users.adopt {
                Adoption::Match if shared => {
                    Adopt::By(users.match_by.iter().copied().map(match_by).collect())
                }
                Adoption::Match | Adoption::Never => Adopt::Never,
            },
            protected: lower(&users.protected),
            attributes,
        })
    }

    fn leaver_steps(&mut self, users: &Users) -> Option<Vec<LeaverStep>> {
        let mut schedule: Vec<LeaverStep> = Vec::new();
        let mut sound = true;
        if users.leavers.is_empty() {
            self.problem("spec.users.leavers", "name at least one step, such as {after: 0s, do: Disable}");
            sound = false;
        }
        for (at, step) in users.leavers.iter().enumerate() {
            let field = format!("spec.users.leavers[{at}]");
            let Some(after) = self.duration(&format!("{field}.after"), &step.after) else {
                sound = false;
                continue;
            };
            let action = match step.r#do {
                UserAction::Disable => LeaverAction::Disable,
                UserAction::Delete => LeaverAction::Delete,
            };
            if let Some(before) = schedule.last() {
                let why = if before.action == LeaverAction::Delete {
                    Some("comes after a step that deletes the user; nothing is left to do then".to_owned())
                } else if before.after >= after {
                    Some("must come later than the step before it: raise its after".to_owned())
                } else if before.action == action {
                    Some("does what the step before it does; remove one of them".to_owned())
                } else {
                    None
                };
                if let Some(why) = why {
                    self.problem(&field, &why);
                    sound = false;
                }
            }
            schedule.push(LeaverStep { after, action });
        }
        sound.then_some(schedule)
    }

    fn groups(&mut self, groups: &Groups, shared: bool) -> Option<GroupRules> {
        let wanted = self.optional("spec.groups.where", &groups.r#where, Subject::Group);
        let name = (!groups.name.is_empty())
            .then(|| self.expression("spec.groups.name", &groups.name, Subject::Group, Returns::Text));
        let after = self.duration("spec.groups.vanished.after", &groups.vanished.after);
        if !shared && groups.vanished.r#do == GroupAction::Unlink {
            let why = "nobody but Rollcall can remove a group from the registry; use Empty or Delete";
            self.problem("spec.groups.vanished.do", why);
        }
        let lower = |patterns: &[String]| patterns.iter().map(|pattern| folded(pattern)).collect();
        Some(GroupRules {
            include: lower(&groups.include),
            exclude: lower(&groups.exclude),
            r#where: wanted?,
            name: match name {
                Some(name) => Some(name?),
                None => None,
            },
            nesting: match groups.nesting {
                ApiNesting::Flatten => Nesting::Flatten,
                ApiNesting::Preserve => Nesting::Preserve,
            },
            authoritative: groups.membership == Membership::Authoritative,
            vanished: {
                let after = after?;
                vanished(&groups.vanished).into_iter().map(|action| LeaverStep { after, action }).collect()
            },
            adopt: match groups.adopt {
                Adoption::Match if shared => Adopt::By(vec![MatchBy::Name]),
                Adoption::Match | Adoption::Never => Adopt::Never,
            },
        })
    }

    fn limits(&mut self, limits: &ApiLimits) -> Option<Limits> {
        let window = self.duration("spec.limits.window", &limits.window)?;
        if window.is_zero() {
            self.problem("spec.limits.window", "is 0; limits are counted over the window: use 24h");
        }
        macro_rules! budget {
            ($budget:expr) => {
                Budget { count: $budget.count, percent: $budget.percent }
            };
        }
        Some(Limits {
            window,
            user_removals: budget!(limits.user_removals),
            group_removals: budget!(limits.group_removals),
            member_removals: budget!(limits.member_removals),
            member_removals_per_group: PerGroup {
                percent: limits.member_removals_per_group.percent,
                minimum_size: limits.member_removals_per_group.minimum_size,
            },
            identifier_changes: budget!(limits.identifier_changes),
            disables: budget!(limits.disables),
            quarantined: budget!(limits.quarantined),
            on_exceed: match limits.on_exceed {
                ApiOnExceed::HoldRemovals => OnExceed::HoldRemovals,
                ApiOnExceed::HoldAll => OnExceed::HoldAll,
            },
        })
    }

    /// A condition that need not be there: `None` if it is wrong.
    #[expect(clippy::option_option, reason = "wrong and not given are two things")]
    fn optional(&mut self, field: &str, text: &str, subject: Subject) -> Option<Option<Expression>> {
        if text.is_empty() {
            return Some(None);
        }
        self.expression(field, text, subject, Returns::Bool).map(Some)
    }

    fn expression(
        &mut self,
        field: &str,
        text: &str,
        subject: Subject,
        returns: Returns,
    ) -> Option<Expression> {
        match Expression::compile(text, subject, returns) {
            Ok(expression) => Some(expression),
            Err(error) => {
                self.problem(field, &error.to_string());
                None
            }
        }
    }

    fn duration(&mut self, field: &str, text: &Duration) -> Option<std::time::Duration> {
        let duration = text.get();
        if duration.is_none() {
            self.problem(field, &not_a_duration(text));
        }
        duration
    }

    fn problem(&mut self, field: &str, message: &str) {
        self.problems.push(Problem::new(&format!("SyncPolicy {}", self.name), field, message));
    }

    /// A problem of what a field refers to.
    fn elsewhere(&mut self, field: &str, message: &str) {
        self.problems.push(Problem::elsewhere(&format!("SyncPolicy {}", self.name), field, message));
    }
}

/// What is done with a group that is gone, in this order.
fn vanished(step: &GroupStep) -> Vec<LeaverAction> {
    match (step.r#do, step.in_use) {
        (GroupAction::Unlink, _) => vec![LeaverAction::Unlink],
        (GroupAction::Empty, _) => vec![LeaverAction::Empty],
        (GroupAction::Delete, InUse::Keep) => vec![LeaverAction::Delete],
        // Whether it is in use shows only when it is to be deleted, and then it is to be empty.
        (GroupAction::Delete, InUse::Empty) => vec![LeaverAction::Empty, LeaverAction::Delete],
    }
}

fn match_by(by: ApiMatchBy) -> MatchBy {
    match by {
        ApiMatchBy::ExternalId => MatchBy::ExternalId,
        ApiMatchBy::Email => MatchBy::Email,
        ApiMatchBy::Name => MatchBy::Name,
    }
}

/// The kinds of mailbox that stay out, as sources call them.
fn without(mailboxes: &Mailboxes) -> BTreeSet<String> {
    let kinds: [(Mailbox, &[&str]); 3] = [
        (mailboxes.shared, &["shared"]),
        (mailboxes.resource, &["room", "equipment"]),
        (mailboxes.linked, &["linked"]),
    ];
    let excluded = kinds.iter().filter(|(choice, _)| *choice == Mailbox::Exclude);
    excluded.flat_map(|(_, kinds)| *kinds).map(|kind| (*kind).to_owned()).collect()
}

fn lower(texts: &[String]) -> BTreeSet<String> {
    texts.iter().map(|text| text.trim().to_lowercase()).collect()
}
