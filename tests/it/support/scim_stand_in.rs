//! A small SCIM service that does what no real one of those that we can start does, when it is told to.

use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::{Value, json};

use super::scim::TOKEN;

/// What it does otherwise.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each fault is independent of the others")]
pub(crate) struct Habits {
    /// What `ServiceProviderConfig` says; `null` for 404.
    pub(crate) about: Value,
    /// PATCH is answered with 200, and nothing happens.
    pub(crate) idle_patch: bool,
    /// PUT too.
    pub(crate) idle_put: bool,
    /// POST is answered with 202, and the object is there a few requests later.
    pub(crate) accepts: bool,
    /// PATCH and DELETE are answered with this status and body, and are done a few requests later.
    pub(crate) does_later: Option<(u16, &'static str)>,
    /// PATCH is answered with 202, and the first of its operations is done.
    pub(crate) does_the_first: bool,
    /// A filter gives the first of what it finds, and says of how many.
    pub(crate) pages_filters: bool,
    /// POST is answered with 200 in place of 201.
    pub(crate) creates_with_200: bool,
    /// POST of a name that is taken is answered with 200 and the object that has it.
    pub(crate) gives_what_is_there: bool,
    /// A filter is ignored.
    pub(crate) ignores_filters: bool,
    /// Members of groups are not shown.
    pub(crate) hides_members: bool,
    /// So many members a request may have.
    pub(crate) most_members: Option<usize>,
    /// A removal by path is refused, or does nothing.
    pub(crate) by_path: Option<u16>,
    /// `externalId` is dropped.
    pub(crate) drops_keys: bool,
    /// What `totalResults` is more than there are.
    pub(crate) lies_by: u64,
    /// So many walks give an object twice.
    pub(crate) repeats: usize,
    /// Lists go on by cursor, and by nothing else.
    pub(crate) cursors: bool,
    /// A member that is no user is refused.
    pub(crate) knows_members: bool,
    /// Somebody changes the object between read and write, so often.
    pub(crate) meddles: usize,
    /// So long each answer takes.
    pub(crate) takes: Duration,
}

/// What is answered in place of the truth to the next request of this method to such a place.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) method: &'static str,
    pub(crate) to: &'static str,
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
    /// It happens all the same.
    pub(crate) happens: bool,
}

#[derive(Default)]
pub(crate) struct Inner {
    pub(crate) habits: Habits,
    pub(crate) faults: VecDeque<Fault>,
    /// `Users/1` and the like.
    pub(crate) objects: BTreeMap<String, Value>,
    /// Method, target and body of each request.
    pub(crate) asked: Vec<(String, String, String)>,
    /// How many requests are under way, and how many were at most.
    under_way: usize,
    pub(crate) most_at_once: usize,
    next: u64,
    version: u64,
    /// What becomes of an object (`null`: it goes), and in how many requests.
    waiting: Vec<(String, Value, usize)>,
    pub(crate) token: String,
    pub(crate) tokens_issued: usize,
}

/// A service that answers until it is dropped.
pub(crate) struct StandIn {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<Inner>>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Fault {
    pub(crate) fn new(method: &'static str, to: &'static str, status: u16) -> Self {
        Self { method, to, status, headers: Vec::new(), body: String::new(), happens: false }
    }
}

impl StandIn {
    pub(crate) fn start(habits: Habits) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(Inner { habits, token: TOKEN.to_owned(), ..Inner::default() }));
        let router = Router::new().fallback(answer).with_state(state.clone());
        runtime.spawn(async move {
            axum_server::from_tcp(listener).unwrap().serve(router.into_make_service()).await.unwrap();
        });
        Self { address, state, runtime: Some(runtime) }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/scim/v2", self.address)
    }

    pub(crate) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.state.lock().unwrap()
    }

    /// How often something was asked.
    pub(crate) fn count(&self, method: &str, part: &str) -> usize {
        self.inner().asked.iter().filter(|(by, to, _)| by == method && to.contains(part)).count()
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

type Said = (u16, Value);

async fn answer(State(state): State<Arc<Mutex<Inner>>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let body = String::from_utf8(body.to_vec()).unwrap();
    let header = |name: &str| {
        parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    let (method, target) = (parts.method.as_str().to_owned(), parts.uri.to_string());
    let takes = {
        let mut state = state.lock().unwrap();
        state.under_way += 1;
        state.most_at_once = state.most_at_once.max(state.under_way);
        state.habits.takes
    };
    tokio::time::sleep(takes).await;
    let mut state = state.lock().unwrap();
    state.under_way -= 1;
    state.asked.push((method.clone(), target.clone(), body.clone()));
    if target.ends_with("/token") {
        state.tokens_issued += 1;
        state.token = format!("{}-token-of-the-stand-in", state.tokens_issued);
        let token = json!({ "access_token": state.token, "token_type": "Bearer", "expires_in": 3600 });
        return response(200, &[("content-type", "application/json".to_owned())], token.to_string());
    }
    let at = state.faults.iter().position(|fault| fault.method == method && target.contains(fault.to));
    let fault = at.and_then(|at| state.faults.remove(at));
    if let Some(fault) = fault.as_ref().filter(|fault| !fault.happens) {
        return response(fault.status, &fault.headers, fault.body.clone());
    }
    let scim = ("content-type", "application/scim+json".to_owned());
    if header("authorization") != format!("Bearer {}", state.token) {
        return response(401, &[scim], error(401, "", "who are you?").1.to_string());
    }
    let (status, said) = state.act(&method, &target, &body, &header("if-match"));
    if let Some(fault) = fault {
        return response(fault.status, &fault.headers, fault.body);
    }
    let text = match said {
        Value::Null => String::new(),
        Value::String(text) => text,
        said => said.to_string(),
    };
    response(status, &[scim], text)
}

fn response(status: u16, headers: &[(&'static str, String)], body: String) -> Response {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, value);
    }
    response.body(Body::from(body)).unwrap()
}

fn error(status: u16, kind: &str, detail: &str) -> Said {
    let mut said = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": status.to_string(), "detail": detail });
    if !kind.is_empty() {
        said["scimType"] = kind.into();
    }
    (status, said)
}

fn name_of(object: &Value) -> String {
    let name = object.get("userName").or(object.get("displayName"));
    name.and_then(Value::as_str).unwrap_or_default().to_lowercase()
}

impl Inner {
    fn act(&mut self, method: &str, target: &str, body: &str, if_match: &str) -> Said {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let path = path.strip_prefix("/scim/v2/").unwrap_or_default().to_owned();
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        for (path, object, left) in std::mem::take(&mut self.waiting) {
            if left == 0 && object.is_null() {
                self.objects.remove(&path);
            } else if left == 0 {
                self.objects.insert(path, object);
            } else {
                self.waiting.push((path, object, left - 1));
            }
        }
        match (method, path.as_str()) {
            ("GET", "ServiceProviderConfig") if !self.habits.about.is_null() => {
                (200, self.habits.about.clone())
            }
            ("GET", "ServiceProviderConfig" | "Schemas" | "ResourceTypes") => error(404, "", "not here"),
            ("GET", "Users" | "Groups") => self.list(&path, query),
            ("POST", "Users" | "Groups") => self.create(&path, body),
            _ if !self.objects.contains_key(&path) => error(404, "", "not here"),
            ("GET", _) => (200, self.shown(&self.objects[&path])),
            ("DELETE", _) if self.habits.does_later.is_some() => self.later(path, Value::Null),
            ("DELETE", _) => {
                self.objects.remove(&path);
                (204, Value::Null)
            }
            ("PUT" | "PATCH", _) => self.change(method, &path, body, if_match),
            _ => error(405, "", "no"),
        }
    }

    fn later(&mut self, path: String, object: Value) -> Said {
        self.waiting.push((path, object, 2));
        let (status, body) = self.habits.does_later.unwrap();
        (status, body.into())
    }

    fn shown(&self, object: &Value) -> Value {
        let mut shown = object.clone();
        if self.habits.hides_members {
            shown.as_object_mut().unwrap().remove("members");
        }
        shown
    }

    fn list(&mut self, kind: &str, query: &str) -> Said {
        let query: BTreeMap<_, _> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let number = |name: &str| query.get(name).and_then(|value| value.parse::<usize>().ok());
        let within = format!("{kind}/");
        let mut all: Vec<&Value> =
            self.objects.iter().filter(|(path, _)| path.starts_with(&within)).map(|(_, it)| it).collect();
        if let Some(filter) = query.get("filter").filter(|_| !self.habits.ignores_filters) {
            let (name, value) = filter.split_once(" eq ").unwrap();
            let value: String = serde_json::from_str(value).unwrap();
            all.retain(|object| match name {
                "emails.value" => {
                    object["emails"].as_array().into_iter().flatten().any(|email| email["value"] == *value)
                }
                name => object[name].as_str().is_some_and(|has| has.eq_ignore_ascii_case(&value)),
            });
        }
        let total = all.len();
        let count = number("count").unwrap_or(100);
        if self.habits.cursors {
            let Some(cursor) = query.get("cursor") else {
                return error(400, "invalidValue", "by cursor only");
            };
            let start: usize = cursor.parse().unwrap_or(0);
            let some: Vec<_> = all.into_iter().skip(start).take(count).map(|it| self.shown(it)).collect();
            let end = start + some.len();
            let mut page = json!({ "Resources": some });
            if end < total {
                page["nextCursor"] = end.to_string().into();
            }
            return (200, page);
        }
        let count = if self.habits.pages_filters && query.contains_key("filter") { 1 } else { count };
        let start = number("startIndex").unwrap_or(1).max(1);
        let mut some: Vec<_> = all.into_iter().skip(start - 1).take(count).map(|it| self.shown(it)).collect();
        if self.habits.repeats > 0 && some.len() > 1 && count > 1 && !query.contains_key("filter") {
            self.habits.repeats -= 1;
            some[0] = some[1].clone();
        }
        (
            200,
            json!({ "totalResults": total as u64 + self.habits.lies_by, "startIndex": start, "Resources": some }),
        )
    }

    fn create(&mut self, kind: &str, mut body: Value) -> Said {
        let taken =
            |(path, object): (&String, &Value)| path.starts_with(kind) && name_of(object) == name_of(&body);
        let taken = self.objects.iter().find(|object| taken(*object));
        if let Some((_, object)) = taken.filter(|_| self.habits.gives_what_is_there) {
            return (200, object.clone());
        }
        if taken.is_some() {
            return error(409, "uniqueness", &format!("{} is taken", name_of(&body)));
        }
        self.next += 1;
        let id = format!("{}{:06}", &kind[..1].to_lowercase(), self.next);
        body["id"] = id.clone().into();
        if self.habits.drops_keys {
            body.as_object_mut().unwrap().remove("externalId");
        }
        self.stamp(&mut body);
        if self.habits.accepts {
            self.waiting.push((format!("{kind}/{id}"), body, 2));
            return (202, Value::Null);
        }
        self.objects.insert(format!("{kind}/{id}"), body.clone());
        (if self.habits.creates_with_200 { 200 } else { 201 }, body)
    }

    fn stamp(&mut self, object: &mut Value) {
        self.version += 1;
        object["meta"] = json!({ "version": format!("W/\"{}\"", self.version) });
    }

    fn change(&mut self, method: &str, path: &str, body: Value, if_match: &str) -> Said {
        let mut object = self.objects[path].clone();
        if self.habits.meddles > 0 && !if_match.is_empty() {
            self.habits.meddles -= 1;
            object["nickName"] = format!("changed {}", self.habits.meddles).into();
            self.stamp(&mut object);
            self.objects.insert(path.to_owned(), object.clone());
        }
        if !if_match.is_empty() && object["meta"]["version"] != *if_match {
            return error(412, "", "changed");
        }
        if method == "PUT" {
            if !self.habits.idle_put {
                let id = object["id"].clone();
                object = body;
                object["id"] = id;
            }
        } else if !self.habits.idle_patch {
            let most = if self.habits.does_the_first { 1 } else { usize::MAX };
            for operation in body["Operations"].as_array().unwrap().iter().take(most) {
                if let Err(said) = self.patch(&mut object, operation) {
                    return said;
                }
            }
        }
        let kind = path.split('/').next().unwrap();
        let taken = |(other, it): (&String, &Value)| {
            other != path && other.starts_with(kind) && name_of(it) == name_of(&object)
        };
        if self.objects.iter().any(taken) {
            return error(409, "uniqueness", "taken");
        }
        self.stamp(&mut object);
        if method == "PATCH" && self.habits.does_later.is_some() {
            return self.later(path.to_owned(), object);
        }
        self.objects.insert(path.to_owned(), object.clone());
        if method == "PATCH" && self.habits.does_the_first {
            return (202, Value::Null);
        }
        (200, self.shown(&object))
    }

    fn patch(&self, object: &mut Value, operation: &Value) -> Result<(), Said> {
        let (op, path) = (operation["op"].as_str().unwrap(), operation["path"].as_str().unwrap());
        let ids = |value: &Value| -> Vec<String> {
            value
                .as_array()
                .into_iter()
                .flatten()
                .map(|it| it["value"].as_str().unwrap().to_owned())
                .collect()
        };
        let inside = ids(&object["members"]);
        let members = |ids: Vec<String>| ids.into_iter().map(|id| json!({ "value": id })).collect::<Value>();
        if let Some(id) = path.strip_prefix("members[value eq \"").and_then(|rest| rest.strip_suffix("\"]")) {
            match self.habits.by_path {
                Some(200) => return Ok(()),
                Some(status) => return Err(error(status, "invalidPath", "no such path")),
                None => {}
            }
            object["members"] = members(inside.into_iter().filter(|member| member != id).collect());
            return Ok(());
        }
        if path == "members" {
            let these = ids(&operation["value"]);
            if self.habits.most_members.is_some_and(|most| these.len() > most) {
                return Err(error(413, "", "too many"));
            }
            if self.habits.knows_members
                && these.iter().any(|id| !self.objects.contains_key(&format!("Users/{id}")))
            {
                return Err(error(400, "invalidValue", "nobody knows secret.person@corp.example"));
            }
            object["members"] = match op {
                "add" => members(inside.into_iter().chain(these).collect()),
                _ => members(inside.into_iter().filter(|member| !these.contains(member)).collect()),
            };
            return Ok(());
        }
        let mut at = &mut *object;
        let mut parts: Vec<&str> = if path.starts_with("urn:") {
            let (urn, name) = path.rsplit_once(':').unwrap();
            vec![urn, name]
        } else {
            path.split('.').collect()
        };
        let last = parts.pop().unwrap();
        for part in parts {
            if at[part].is_null() {
                at[part] = json!({});
            }
            at = &mut at[part];
        }
        if op == "remove" {
            at.as_object_mut().unwrap().remove(last);
        } else {
            at[last] = operation["value"].clone();
        }
        Ok(())
    }
}
