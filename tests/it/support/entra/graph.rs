//! Graph: what it answers, and what it refuses.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::directory::Round;
use super::token::now;
use super::{Answer, Inner, error};

/// What can be chosen of a user.
const USER: &[&str] = &[
    "id",
    "accountEnabled",
    "businessPhones",
    "companyName",
    "createdDateTime",
    "department",
    "displayName",
    "employeeId",
    "employeeType",
    "givenName",
    "jobTitle",
    "mail",
    "mailNickname",
    "mobilePhone",
    "officeLocation",
    "onPremisesExtensionAttributes",
    "onPremisesImmutableId",
    "onPremisesSyncEnabled",
    "preferredLanguage",
    "proxyAddresses",
    "surname",
    "userPrincipalName",
    "userType",
];
/// The same of a mail contact.
const CONTACT: &[&str] = &[
    "id",
    "companyName",
    "department",
    "displayName",
    "givenName",
    "jobTitle",
    "mail",
    "mailNickname",
    "onPremisesSyncEnabled",
    "proxyAddresses",
    "surname",
];
/// The same of a group.
const GROUP: &[&str] = &[
    "id",
    "createdDateTime",
    "description",
    "displayName",
    "groupTypes",
    "mail",
    "mailEnabled",
    "mailNickname",
    "members",
    "membershipRule",
    "proxyAddresses",
    "securityEnabled",
    "visibility",
];
/// Of a collection without `$top`, and at most.
const TOP: [usize; 2] = [100, 999];
/// So many questions a batch has at most.
const BATCH: usize = 20;

type Query = BTreeMap<String, String>;

impl Inner {
    pub(super) fn graph(
        &mut self,
        method: &str,
        path: &[&str],
        query: &Query,
        token: Option<&str>,
        body: &str,
    ) -> Answer {
        let invalid = |why: &str| error(401, "InvalidAuthenticationToken", why);
        let Some(token) = token else { return invalid("Access token is empty.") };
        let Some(issued) = self.tokens.get(token) else { return invalid("CompactToken parsing failed.") };
        if issued.ends_at <= now() {
            return invalid("Lifetime validation failed, the token is expired.");
        }
        if issued.audience != self.graph {
            return invalid("Access token validation failure. Invalid audience.");
        }
        let permissions = issued.permissions.clone();
        if (method, path) == ("POST", &["$batch"]) {
            return self.batch(token, body);
        }
        let needed = match path.first() {
            Some(&"users") => "User.Read.All",
            Some(&"groups") => "GroupMember.Read.All",
            Some(&"contacts") => "OrgContact.Read.All",
            _ => return error(400, "BadRequest", "Resource not found for the segment."),
        };
        if !permissions.contains(needed) && !permissions.contains("Directory.Read.All") {
            return error(
                403,
                "Authorization_RequestDenied",
                "Insufficient privileges to complete the operation.",
            );
        }
        let hidden_too = permissions.contains("Member.Read.Hidden");
        match (method, path) {
            ("GET", [of @ ("users" | "groups" | "contacts"), "delta"]) => self.delta(of, query, hidden_too),
            ("GET", [of @ ("users" | "groups" | "contacts")]) => {
                let all = self.tenant.all(kind(of));
                self.list(&all, query, of)
            }
            ("GET", ["groups", group, "members"]) => match self.find("groups", group) {
                Some(id) => {
                    let hides = !hidden_too && self.tenant.hides_members(id);
                    let members = if hides { Vec::new() } else { self.tenant.members(id) };
                    self.list(&members, query, &format!("groups/{id}/members"))
                }
                None => not_found(group),
            },
            ("GET", [of @ ("users" | "groups" | "contacts"), id]) => match self.find(of, id) {
                Some(found) => match select(of, query) {
                    Ok(select) => Answer::json(200, &Value::Object(self.tenant.shown(found, &select))),
                    Err(refused) => refused,
                },
                None => not_found(id),
            },
            _ => error(400, "BadRequest", "Resource not found for the segment."),
        }
    }

    fn find(&self, of: &str, id: &str) -> Option<Uuid> {
        let id = Uuid::try_parse(id).ok()?;
        (self.tenant.kind(id) == Some(kind(of))).then_some(id)
    }

    fn delta(&mut self, of: &str, query: &Query, hidden_too: bool) -> Answer {
        if ["$top", "$orderby", "$expand", "$search", "$filter"].iter().any(|it| query.contains_key(*it)) {
            return error(400, "Request_UnsupportedQuery", "The query option is not supported here.");
        }
        let of = match of {
            "users" => "users",
            "contacts" => "contacts",
            _ => "groups",
        };
        let token = query.get("$skiptoken").or_else(|| query.get("$deltatoken"));
        let mut round = match token {
            Some(token) if token == "latest" => match select(of, query) {
                Ok(select) => self.round(of, select, self.tenant.now()),
                Err(refused) => return refused,
            },
            Some(token) => match self.rounds.get(token).filter(|round| round.of == of).cloned() {
                // A link is only ever what was given, as it was given.
                Some(_) if query.len() > 1 => {
                    return error(400, "BadRequest", "Query options cannot be used with a token.");
                }
                // Where it ended, the next round begins.
                Some(round) if query.contains_key("$deltatoken") => self.round(of, round.select, round.until),
                Some(round) => round,
                None => return error(400, "BadRequest", "Badly formed token."),
            },
            None => match select(of, query) {
                Ok(select) => self.round(of, select, 0),
                Err(refused) => return refused,
            },
        };
        let mut page = Vec::new();
        round.paused = self.tenant.untidy && !round.paused;
        if !round.paused {
            let items = round.items.iter().skip(round.at).take(self.tenant.page);
            page.extend(items.map(|item| self.tenant.item(&round, *item, hidden_too)));
            round.at += page.len();
        }
        let is_last = round.at >= round.items.len();
        let token = Uuid::new_v4().simple().to_string();
        let (link, name) = if is_last { ("deltaLink", "$deltatoken") } else { ("nextLink", "$skiptoken") };
        let url = format!("{}/v1.0/{of}/delta?{name}={token}", self.graph);
        self.rounds.insert(token, round);
        let mut body = Map::new();
        body.insert("@odata.context".to_owned(), json!(format!("{}/v1.0/$metadata#{of}", self.graph)));
        body.insert(format!("@odata.{link}"), json!(url));
        body.insert("value".to_owned(), Value::Array(page));
        Answer::json(200, &Value::Object(body))
    }

    fn round(&self, of: &'static str, select: Vec<String>, since: u64) -> Round {
        let items = Arc::new(self.tenant.items(of, since));
        Round { of, select, since, until: self.tenant.now(), items, at: 0, paused: false }
    }

    fn list(&self, all: &[Uuid], query: &Query, path: &str) -> Answer {
        let of = path.split('/').next().unwrap_or(path);
        let Ok(select) = select(of, query) else {
            return error(400, "BadRequest", "Could not find a property.");
        };
        let [top, most] = TOP;
        let top = query
            .get("$top")
            .map_or(Some(top), |top| top.parse().ok())
            .filter(|top| (1..=most).contains(top));
        let Some(top) = top else {
            return error(400, "Request_UnsupportedQuery", "Invalid page size specified.");
        };
        let skip: usize = query.get("$skiptoken").and_then(|skip| skip.parse().ok()).unwrap_or(0);
        let shown = all.iter().skip(skip).take(top).map(|id| Value::Object(self.tenant.shown(*id, &select)));
        let mut body = json!({ "value": shown.collect::<Vec<_>>() });
        if skip + top < all.len() {
            let select = select.join(",");
            let next =
                format!("{}/v1.0/{path}?$select={select}&$top={top}&$skiptoken={}", self.graph, skip + top);
            body["@odata.nextLink"] = json!(next);
        }
        Answer::json(200, &body)
    }

    fn batch(&mut self, token: &str, body: &str) -> Answer {
        let bad = |why: &str| error(400, "BadRequest", why);
        let Ok(body) = serde_json::from_str::<Value>(body) else {
            return bad("Invalid batch payload format.");
        };
        let Some(requests) = body.get("requests").and_then(Value::as_array) else {
            return bad("Invalid batch payload format.");
        };
        let ids: BTreeSet<&str> = requests.iter().filter_map(|it| it.get("id")?.as_str()).collect();
        if requests.len() > BATCH || ids.len() != requests.len() {
            return bad(
                "Number of batch request steps exceeds the maximum value of 20, or an id is given twice.",
            );
        }
        let mut responses = Vec::new();
        for request in requests {
            let text = |name: &str| request.get(name).and_then(Value::as_str).unwrap_or_default();
            let target = format!("/v1.0{}", text("url"));
            let fault = self
                .talk
                .faults
                .iter()
                .position(|it| it.to == text("url"))
                .and_then(|at| self.talk.faults.remove(at));
            let answer = match fault {
                Some(fault) => Answer { status: fault.status, headers: fault.headers, body: fault.body },
                None => self.tell(text("method"), &target, Some(token), ""),
            };
            let body: Value = serde_json::from_str(&answer.body).unwrap_or(Value::Null);
            // Graph writes the names so, and its client for JavaScript knows them so only.
            let written = |name: &str| if name == "content-type" { "Content-Type" } else { name }.to_owned();
            let headers: Map<String, Value> =
                answer.headers.iter().map(|(name, value)| (written(name), json!(value))).collect();
            responses
                .push(json!({ "id": text("id"), "status": answer.status, "headers": headers, "body": body }));
        }
        responses.reverse();
        Answer::json(200, &json!({ "responses": responses }))
    }
}

pub(super) fn kind(of: &str) -> &'static str {
    match of {
        "users" => "user",
        "contacts" => "orgContact",
        _ => "group",
    }
}

fn not_found(id: &str) -> Answer {
    let why = format!(
        "Resource '{id}' does not exist or one of its queried reference-property objects are not present."
    );
    error(404, "Request_ResourceNotFound", &why)
}

/// What is to be shown.
fn select(of: &str, query: &Query) -> Result<Vec<String>, Answer> {
    let known = match of {
        "users" => USER,
        "contacts" => CONTACT,
        _ => GROUP,
    };
    let names: Vec<String> = match query.get("$select") {
        Some(select) => select.split(',').map(|name| name.trim().to_owned()).collect(),
        None => ["id", "displayName", "mail"].map(str::to_owned).into(),
    };
    match names.iter().find(|name| !known.iter().any(|known| known.eq_ignore_ascii_case(name))) {
        None => Ok(names),
        Some(name) => {
            let kind = kind(of);
            let why = format!("Could not find a property named '{name}' on type 'microsoft.graph.{kind}'.");
            Err(error(400, "BadRequest", &why))
        }
    }
}
