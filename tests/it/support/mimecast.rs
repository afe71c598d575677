//! A stand-in for API 2.0 of Mimecast, on https, written from its documentation: strict where that is sure, and with habits
//! where it is not.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use rollcall::clock::SystemClock;
use rollcall::secret::Secret;
use rollcall::target::mimecast::{Mimecast, MimecastConfig};
use rollcall::target::turn::{Executors, May};
use serde_json::{Value, json};

use super::https::Https;

pub(crate) mod office;
mod tenant;

pub(crate) use tenant::{Tenant, Truth};

pub(crate) const CLIENT: (&str, &str) = ("client-of-the-test", "secret-of-the-test");

/// What is not sure.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each habit is independent of the others")]
pub(crate) struct Habits {
    /// There are no lists in the newer style.
    pub(crate) older_only: bool,
    /// The next page is told within `pagination`.
    pub(crate) pagination: bool,
    /// How members are taken.
    pub(crate) members: Members,
    /// Lists of users have neither names nor states.
    pub(crate) bare_users: bool,
    /// A member that is there already is no success.
    pub(crate) known_member_fails: bool,
    /// So many members a request may have.
    pub(crate) most_members: Option<usize>,
    /// So many characters a group's name may have.
    pub(crate) longest_name: Option<usize>,
    /// Writes to such a place are answered with yes, and nothing happens.
    pub(crate) idle: Option<&'static str>,
    /// So many calls in such a time.
    pub(crate) rate: Option<(u64, Duration)>,
    /// What the role of the application does not allow.
    pub(crate) denied: Option<&'static str>,
}

/// How members of a group are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Members {
    #[default]
    ByName,
    ByData,
    OlderOnly,
}

/// What is answered in place of the truth to the next call of such a place.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) to: &'static str,
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
    /// It happens all the same.
    pub(crate) happens: bool,
}

impl Fault {
    pub(crate) fn new(to: &'static str, status: u16, body: &str) -> Self {
        Self { to, status, headers: Vec::new(), body: body.to_owned(), happens: false }
    }

    /// As the older style fails: with 200.
    pub(crate) fn older(to: &'static str, code: &str) -> Self {
        Self::new(to, 200, &failed(code).to_string())
    }
}

/// A call.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) target: String,
    pub(crate) body: String,
}

/// The window of the limit of calls.
#[derive(Clone, Copy, Debug)]
struct Window {
    began: Instant,
    used: u64,
}

#[derive(Default)]
pub(crate) struct Inner {
    pub(crate) habits: Habits,
    pub(crate) tenant: Tenant,
    pub(crate) faults: VecDeque<Fault>,
    pub(crate) asked: Vec<Asked>,
    pub(crate) tokens: BTreeSet<String>,
    pub(crate) token_life: u64,
    pub(crate) tokens_issued: u64,
    window: Option<Window>,
    /// Calls in each window that is over, and how long it lasted.
    pub(crate) windows: Vec<u64>,
    /// Calls beyond the limit.
    pub(crate) exceeded: u64,
}

pub(crate) struct StandIn {
    pub(crate) https: Https,
    state: Arc<Mutex<Inner>>,
}

impl StandIn {
    pub(crate) fn start(habits: Habits) -> Self {
        let tenant = Tenant::new(&["corp.example", "corp.test"]);
        let inner = Inner { habits, tenant, token_life: 1800, ..Inner::default() };
        let state = Arc::new(Mutex::new(inner));
        let router = Router::new().fallback(answer).with_state(state.clone());
        Self { https: Https::start(&["127.0.0.1"], |_| router), state }
    }

    pub(crate) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.state.lock().unwrap()
    }

    pub(crate) fn fault(&self, fault: Fault) {
        self.inner().faults.push_back(fault);
    }

    /// How often something was asked.
    pub(crate) fn count(&self, part: &str) -> usize {
        self.inner().asked.iter().filter(|asked| asked.target.contains(part)).count()
    }

    pub(crate) fn truth(&self) -> Truth {
        self.inner().tenant.truth()
    }

    pub(crate) fn config(&self) -> MimecastConfig {
        MimecastConfig {
            url: self.https.url().parse().unwrap(),
            client_id: CLIENT.0.to_owned(),
            client_secret: Secret::new(CLIENT.1),
            ca_pem: Some(self.https.ca.clone().into_bytes()),
            insecure: false,
            parent_folder: "Rollcall".to_owned(),
            adopts: true,
        }
    }

    /// As a target, where these accounts are somebody's.
    pub(crate) async fn target(&self, claimed: &[&str]) -> Mimecast {
        self.opened(self.config(), claimed).await.unwrap()
    }

    pub(crate) async fn opened(
        &self,
        config: MimecastConfig,
        claimed: &[&str],
    ) -> Result<Mimecast, rollcall::directory::TargetError> {
        let claimed: BTreeSet<String> = claimed.iter().map(|one| (*one).to_owned()).collect();
        let is_claimed = move |id: &rollcall::directory::TargetId| claimed.contains(&*id.0);
        let turns = Executors::default().turns("mimecast", || May::Yes);
        turns.limit(4, rollcall::target::Rates::default());
        Mimecast::open(&config, turns, Arc::new(is_claimed), Arc::new(SystemClock)).await
    }
}

/// An answer: its status, and its body.
pub(super) type Said = (u16, Value);

/// A failure, in the words of both styles.
pub(super) fn failed(code: &str) -> Value {
    let error = json!({ "code": code, "message": format!("{code}: ada@corp.example cannot be so"), "retryable": false });
    json!({ "fail": [{ "errors": [error] }], "meta": { "status": 200 }, "data": [] })
}

pub(super) fn done(data: &Value) -> Said {
    (200, json!({ "fail": [], "meta": { "status": 200 }, "data": [data] }))
}

async fn answer(State(state): State<Arc<Mutex<Inner>>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 24).await.unwrap();
    let body = String::from_utf8(body.to_vec()).unwrap();
    let header = |name: &str| {
        parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    let target = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let method = parts.method.as_str();
    let mut state = state.lock().unwrap();
    state.asked.push(Asked { target: target.clone(), body: body.clone() });
    if target == "/oauth/token" {
        let (status, said) = state.token(&header("content-type"), &body);
        return response(status, &[], said.to_string());
    }
    let token = header("authorization");
    if !token.strip_prefix("Bearer ").is_some_and(|token| state.tokens.contains(token)) {
        return response(401, &[], failed("err_xdk_token_invalid").to_string());
    }
    let mut headers = Vec::new();
    if let Some((most, span)) = state.habits.rate {
        let (left, reset) = state.take(most, span);
        headers.push(("x-ratelimit-limit", most.to_string()));
        headers.push(("x-ratelimit-remaining", left.unwrap_or_default().to_string()));
        headers.push(("x-ratelimit-reset", reset.as_millis().to_string()));
        if left.is_none() {
            return response(429, &headers, failed("err_rate_limit").to_string());
        }
    }
    let at = state.faults.iter().position(|fault| target.contains(fault.to));
    let fault = at.and_then(|at| state.faults.remove(at));
    if let Some(fault) = fault.as_ref().filter(|fault| !fault.happens) {
        headers.extend(fault.headers.clone());
        return response(fault.status, &headers, fault.body.clone());
    }
    let (status, said) = state.act(method, &target, &body);
    if let Some(fault) = fault {
        headers.extend(fault.headers);
        return response(fault.status, &headers, fault.body);
    }
    response(status, &headers, if said.is_null() { String::new() } else { said.to_string() })
}

fn response(status: u16, headers: &[(&'static str, String)], body: String) -> Response {
    let mut response = Response::builder().status(status).header("content-type", "application/json");
    for (name, value) in headers {
        response = response.header(*name, value);
    }
    response.body(Body::from(body)).unwrap()
}

impl Inner {
    fn token(&mut self, kind: &str, body: &str) -> Said {
        let fields: BTreeMap<String, String> =
            url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        let has = |name: &str, value: &str| fields.get(name).is_some_and(|has| has == value);
        if kind != "application/x-www-form-urlencoded" || !has("grant_type", "client_credentials") {
            return (400, json!({ "error": "unsupported_grant_type" }));
        }
        if !has("client_id", CLIENT.0) || !has("client_secret", CLIENT.1) {
            return (
                401,
                json!({ "error": "invalid_client", "error_description": "client authentication failed" }),
            );
        }
        self.tokens_issued += 1;
        let token = format!("{}-{}-token-of-the-stand-in", self.tokens_issued, uuid::Uuid::new_v4());
        self.tokens.insert(token.clone());
        (200, json!({ "access_token": token, "token_type": "Bearer", "expires_in": self.token_life }))
    }

    /// One call of the limit: what is left of it, unless it is exceeded, and until when.
    fn take(&mut self, most: u64, span: Duration) -> (Option<u64>, Duration) {
        let now = Instant::now();
        let over = self.window.filter(|window| now >= window.began + span);
        if let Some(over) = over {
            self.windows.push(over.used);
        }
        if over.is_some() || self.window.is_none() {
            self.window = Some(Window { began: now, used: 0 });
        }
        let window = self.window.as_mut().unwrap();
        let reset = (window.began + span).saturating_duration_since(now) + Duration::from_millis(1);
        if window.used >= most {
            self.exceeded += 1;
            return (None, reset);
        }
        window.used += 1;
        (Some(most - window.used), reset)
    }

    fn act(&mut self, method: &str, target: &str, body: &str) -> Said {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let query: BTreeMap<String, String> =
            url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let decoded: Vec<String> = path
            .trim_start_matches('/')
            .split('/')
            .map(|part| {
                url::form_urlencoded::parse(format!("x={}", part.replace('+', "%2B")).as_bytes())
                    .next()
                    .unwrap()
                    .1
                    .into_owned()
            })
            .collect();
        let parts: Vec<&str> = decoded.iter().map(String::as_str).collect();
        let body: Value = if body.is_empty() { Value::Null } else { serde_json::from_str(body).unwrap() };
        let edits = method == "POST" && !["get-", "find-"].iter().any(|read| path.contains(read));
        let permission = match parts.as_slice() {
            ["api", "user", "update-alias" | "remove-alias"] => "Directories | Groups | Edit",
            ["api" | "user", "user" | "cloud-gateway", ..] if edits => "Directories | Internal | Edit",
            ["api" | "user", "user" | "cloud-gateway", ..] => "Directories | Internal | Read",
            ["api" | "directory", "directory" | "cloud-gateway", ..] if edits => {
                "Directories | Groups | Edit"
            }
            ["api" | "directory", "directory" | "cloud-gateway", ..] => "Directories | Groups | Read",
            _ => "Directories | Internal | Read",
        };
        if self.habits.denied == Some(permission) {
            return (403, failed("err_access_denied"));
        }
        let name = body.get("description").or_else(|| body.pointer("/data/0/description"));
        let length = name.and_then(Value::as_str).map_or(0, |name| name.chars().count());
        if edits && self.habits.longest_name.is_some_and(|longest| length > longest) {
            return (400, failed("err_validation_description"));
        }
        if edits && self.habits.idle.is_some_and(|idle| path.contains(idle)) {
            return match parts.as_slice() {
                ["api", ..] => done(&json!({})),
                _ => (200, json!({})),
            };
        }
        match (method, parts.as_slice()) {
            ("POST", ["api", rest @ ..]) => self.older(rest, &body),
            (
                "GET",
                ["domain", "cloud-gateway", "v1", "internal-domains"]
                | ["user", "cloud-gateway", "v1", "users"]
                | ["directory", "cloud-gateway", "v1", "groups" | "integrations"]
                | ["directory", "cloud-gateway", "v1", "groups", _, "members"],
            ) if self.habits.older_only => (404, Value::Null),
            ("GET", ["domain", "cloud-gateway", "v1", "internal-domains"]) => {
                self.page(&query, "domains", self.tenant.shown_domains())
            }
            ("GET", ["user", "cloud-gateway", "v1", "users"]) => {
                self.page(&query, "users", self.tenant.shown_users(self.habits.bare_users))
            }
            ("GET", ["directory", "cloud-gateway", "v1", rest @ ..]) => self.groups(rest, &query),
            ("POST", ["directory", "cloud-gateway", "v1", "groups"]) => {
                self.tenant.make_group(&body, &["description", "parentId"])
            }
            (
                "POST",
                ["directory", "cloud-gateway", "v1", "groups", id, way @ ("members" | "remove-members")],
            ) => self.change_members(id, *way == "members", &body),
            _ => (405, Value::Null),
        }
    }

    fn groups(&self, rest: &[&str], query: &BTreeMap<String, String>) -> Said {
        match rest {
            ["integrations"] => self.page(query, "integrations", self.tenant.integrations.clone()),
            ["groups"] => {
                let mut shown = self.tenant.shown_groups(true);
                if let Some(part) = query.get("query") {
                    shown.retain(|group| group["description"].as_str().unwrap().contains(part));
                }
                self.page(query, "groups", shown)
            }
            ["integrations", kind, id] => match self.tenant.details.get(&format!("{kind}/{id}")) {
                Some(shown) => (200, shown.clone()),
                None => (404, failed("err_integration_not_found")),
            },
            ["groups", id] => match self.tenant.groups.get(*id) {
                Some(group) => {
                    let mut shown = self.tenant.shown_group(id, group, true);
                    // The answer does not repeat what was asked for.
                    shown.as_object_mut().unwrap().remove("id");
                    (200, shown)
                }
                None => (404, failed("err_folder_not_found")),
            },
            ["groups", id, "members"] => match self.tenant.groups.get(*id) {
                Some(group) => self.page(query, "groupMembers", self.tenant.shown_members(group)),
                None => (404, failed("err_folder_not_found")),
            },
            _ => (405, Value::Null),
        }
    }

    /// A page, in the newer style.
    fn page(&self, query: &BTreeMap<String, String>, field: &str, all: Vec<Value>) -> Said {
        let size = query.get("pageSize").map_or(Some(25), |size| size.parse().ok());
        let Some(size) = size.filter(|size| (1..=100).contains(size)) else {
            return (400, failed("err_validation_page_size"));
        };
        let start: usize =
            query.get("pageToken").map_or(0, |token| token.trim_start_matches("page ").parse().unwrap());
        let total = all.len();
        let some: Vec<Value> = all.into_iter().skip(start).take(size).collect();
        let end = start + some.len();
        let token = if end < total { json!(format!("page {end}")) } else { Value::Null };
        let meta = if self.habits.pagination {
            json!({ "pagination": { "pageSize": size, "next": token } })
        } else {
            json!({ "nextPage": token })
        };
        (200, json!({ field: some, "meta": meta }))
    }

    fn change_members(&mut self, id: &str, come: bool, body: &Value) -> Said {
        let field = match self.habits.members {
            Members::ByName => "groupMembers",
            Members::ByData => "data",
            Members::OlderOnly => return (404, Value::Null),
        };
        let Some(members) = body.get(field).and_then(Value::as_array) else {
            return (400, failed("err_validation"));
        };
        if self.habits.most_members.is_some_and(|most| members.len() > most) {
            return (400, failed("err_validation_too_many"));
        }
        if !self.tenant.groups.contains_key(id) {
            return (404, failed("err_folder_not_found"));
        }
        let fails = self.habits.known_member_fails;
        let results: Vec<Value> = members
            .iter()
            .map(|member| json!({ "success": self.tenant.change_member(id, come, member, fails).is_ok() }))
            .collect();
        (200, json!({ "results": results }))
    }

    fn older(&mut self, rest: &[&str], body: &Value) -> Said {
        let data = body["data"].as_array().cloned().unwrap_or_default();
        let one = data.first().cloned().unwrap_or_default();
        let older_page = |within: &str, all: Vec<Value>| {
            let size = body.pointer("/meta/pagination/pageSize").and_then(Value::as_u64).unwrap_or(25);
            let token = body.pointer("/meta/pagination/pageToken").and_then(Value::as_str).unwrap_or("0");
            let (start, size): (usize, usize) = (token.parse().unwrap(), size.try_into().unwrap());
            let total = all.len();
            let some: Vec<Value> = all.into_iter().skip(start).take(size).collect();
            let end = start + some.len();
            let mut meta = json!({ "status": 200, "pagination": { "pageSize": size } });
            if end < total {
                meta["pagination"]["next"] = end.to_string().into();
            }
            let data = if within.is_empty() { json!(some) } else { json!([{ within: some }]) };
            (200, json!({ "fail": [], "meta": meta, "data": data }))
        };
        let tenant = &mut self.tenant;
        match rest {
            ["domain", "get-internal-domain"] => older_page("", tenant.shown_domains()),
            ["user", "get-internal-users"] => {
                let domain = one["domain"].as_str().unwrap_or_default().to_owned();
                older_page("users", tenant.shown_users_of(&domain))
            }
            ["directory", "find-groups"] => older_page("folders", tenant.shown_groups(false)),
            ["directory", "get-connection"] => older_page("", tenant.connections.clone()),
            ["directory", "get-group-members"] => {
                match tenant.groups.get(one["id"].as_str().unwrap_or_default()) {
                    Some(group) => older_page("groupMembers", tenant.shown_members(group)),
                    None => (200, failed("err_folder_not_found")),
                }
            }
            _ if data.len() != 1 => (200, failed("err_validation_one_item")),
            ["directory", "create-group"] => tenant.make_group(&one, &["description", "parentId"]),
            ["directory", "update-group"] => tenant.update_group(&one),
            ["directory", "delete-group"] => tenant.delete_group(&one),
            ["directory", way @ ("add-group-member" | "remove-group-member")] => {
                let id = one["id"].as_str().unwrap_or_default();
                match tenant.change_member(
                    id,
                    *way == "add-group-member",
                    &one,
                    self.habits.known_member_fails,
                ) {
                    Ok(()) => done(&json!({ "folderId": id, "emailAddress": one["emailAddress"] })),
                    Err(code) => (200, failed(code)),
                }
            }
            ["user", "create-user"] => tenant.create_user(&one),
            ["user", "update-user"] => tenant.update_user(&one),
            ["user", "get-aliases"] => tenant.aliases(&one),
            ["user", "update-alias"] => tenant.link(&one),
            ["user", "remove-alias"] => tenant.unlink(&one),
            _ => (404, failed("err_no_such_call")),
        }
    }
}
