//! Asks Mimecast, in both of its styles: REST, and the older POST with `meta` and `data`. One token serves both.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use super::answer::{self, Role};
use super::config::MimecastConfig;
use super::pages::{Walk, Within};
use super::record;
use crate::clock::Clock;
use crate::directory::TargetReason;
use crate::net::http::{Ask, Http, Url};
use crate::net::oauth::{self, Tokens};
use crate::net::retry::Policy;
use crate::target::Lane;
use crate::target::caller::{Caller, TokenSource};
use crate::target::refusal::{No, Refusal};
use crate::target::turn::{Call, Turns};

/// A read waits for as long as the limit of requests asks, within reason.
const PATIENCE: Policy =
    Policy { tries: 4, first: Duration::from_millis(500), longest: Duration::from_mins(2) };

/// A tenant, as its clients see it. Cheap to clone.
#[derive(Clone)]
pub(super) struct Client {
    caller: Caller,
    base: Arc<Url>,
    /// The lists that are read in the older style, because the tenant does not have the newer one.
    older: Arc<Mutex<BTreeSet<&'static str>>>,
}

/// A list in both styles.
pub(super) struct List<'a> {
    /// Where it is.
    pub(super) path: Vec<&'a str>,
    /// The field of its objects.
    pub(super) field: &'static str,
    /// Where it is in the older style.
    pub(super) older: &'static str,
    /// The field of its objects there.
    pub(super) within: &'static str,
    /// What is asked there, once for each.
    pub(super) asks: Vec<Value>,
    pub(super) role: Role,
}

impl Client {
    pub(super) fn new(config: &MimecastConfig, turns: Turns, clock: Arc<dyn Clock>) -> Result<Self, Refusal> {
        let ca_pem = config.ca_pem.as_deref();
        let http = if config.insecure { Http::insecure(ca_pem) } else { Http::new(ca_pem) };
        let http = http.map_err(|error| Refusal::no_answer(&error))?;
        let host = config.url.host_str().unwrap_or_default().to_owned();
        let client = oauth::Client {
            endpoint: below(&config.url, &["oauth", "token"])?,
            id: config.client_id.clone(),
            scope: String::new(),
            credential: oauth::Credential::Secret(config.client_secret.clone()),
        };
        let tokens = Box::new(Tokens::new(http.clone(), client, clock.clone()));
        let tokens = TokenSource::Issued(tokens, "client-id and client-secret in the Secret, and url");
        let caller = Caller::new(http, tokens, host, answer::rate, PATIENCE, turns, clock);
        Ok(Self { caller, base: Arc::new(config.url.clone()), older: Arc::default() })
    }

    /// The same, with requests that go in this lane.
    pub(super) fn in_lane(&self, lane: Lane) -> Self {
        Self { caller: self.caller.in_lane(lane), ..self.clone() }
    }

    /// Whom it asks.
    pub(super) fn host(&self) -> &str {
        self.caller.host()
    }

    /// What is at `path`.
    pub(super) async fn get(
        &self,
        path: &[&str],
        query: &[(&str, String)],
        role: Role,
    ) -> Result<Value, Refusal> {
        let mut url = below(&self.base, path)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.ask(Ask::get(url), Call::Read, role).await
    }

    /// Asks for a change, once.
    pub(super) async fn post(&self, path: &[&str], body: &Value, role: Role) -> Result<Value, Refusal> {
        self.ask(Ask::json(below(&self.base, path)?, body), Call::Write, role).await
    }

    /// Asks for a change in the older style, once; gives what came of it.
    pub(super) async fn change(
        &self,
        path: &'static str,
        about: &Value,
        role: Role,
    ) -> Result<Value, Refusal> {
        let body = json!({ "data": [about] });
        let answer = self.ask(Ask::json(self.older_url(path)?, &body), Call::Write, role).await?;
        Ok(answer.pointer("/data/0").cloned().unwrap_or_default())
    }

    /// Tells of everything in a list, to its end.
    pub(super) async fn each(&self, list: &List<'_>, mut tell: impl FnMut(&Value)) -> Result<(), Refusal> {
        if self.is_older(list.older) {
            return self.each_older(list, &mut tell).await;
        }
        let mut walk = Walk::default();
        let mut is_first = true;
        loop {
            let page = match self.get(&list.path, &walk.query(), list.role).await {
                Ok(page) => page,
                // It has no such list; or the object is not there, which the older style says too.
                Err(refusal) if is_first && matches!(refusal.no, No::NotThere | No::Unsupported) => {
                    let older = self.each_older(list, &mut tell).await;
                    let is_there = older.is_ok();
                    if is_there {
                        self.older.lock().unwrap_or_else(PoisonError::into_inner).insert(list.older);
                    }
                    return if is_there { Ok(()) } else { Err(refusal) };
                }
                Err(refusal) => return Err(refusal),
            };
            is_first = false;
            let (objects, more) =
                walk.take(&page, Within::Field(list.field)).map_err(|why| self.no_list(why))?;
            objects.into_iter().for_each(&mut tell);
            if !more {
                return Ok(());
            }
        }
    }

    async fn each_older(&self, list: &List<'_>, tell: &mut impl FnMut(&Value)) -> Result<(), Refusal> {
        for about in &list.asks {
            let mut walk = Walk::default();
            loop {
                let ask = Ask::json(self.older_url(list.older)?, &walk.body(about));
                let page = self.ask(ask, Call::Read, list.role).await?;
                let (objects, more) =
                    walk.take(&page, Within::Data(list.within)).map_err(|why| self.no_list(why))?;
                objects.into_iter().for_each(&mut *tell);
                if !more {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Everything in a list that only the older style has.
    pub(super) async fn all_older(
        &self,
        path: &'static str,
        within: &'static str,
        about: Value,
        role: Role,
    ) -> Result<Vec<Value>, Refusal> {
        let list = List { path: Vec::new(), field: "", older: path, within, asks: vec![about], role };
        let mut all = Vec::new();
        self.each_older(&list, &mut |one: &Value| all.push(one.clone())).await?;
        Ok(all)
    }

    /// The lists that are read in the older style.
    pub(super) fn older(&self) -> Vec<&'static str> {
        self.older.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }

    fn is_older(&self, path: &str) -> bool {
        self.older.lock().unwrap_or_else(PoisonError::into_inner).contains(path)
    }

    fn older_url(&self, path: &str) -> Result<Url, Refusal> {
        below(&self.base, &path.split('/').collect::<Vec<_>>())
    }

    async fn ask(&self, ask: Ask, call: Call, role: Role) -> Result<Value, Refusal> {
        let ask = ask.with("accept", "application/json");
        let answered = self.caller.call(&ask, call).await?;
        answer::understand(&answered.answer, self.host(), answered.token.expose(), answered.at, role)
    }

    fn no_list(&self, why: &str) -> Refusal {
        answer::not_mimecast(&format!("{} did not answer with a list: {why}", self.host()))
    }
}

fn below(base: &Url, path: &[&str]) -> Result<Url, Refusal> {
    let refused =
        || Refusal::new(No::Refused, TargetReason::Refused, "an id of the target cannot be asked for");
    // A part that is a dot would lead to another place.
    if !path.iter().all(|part| record::is_id(part)) {
        return Err(refused());
    }
    let mut url = base.clone();
    url.path_segments_mut().map_err(|()| refused())?.pop_if_empty().extend(path);
    Ok(url)
}
