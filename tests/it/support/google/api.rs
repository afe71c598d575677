//! The Directory API: what it answers, and what it refuses.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::token::now;
use super::{Answer, Inner, Kind, error};

type Query = BTreeMap<String, String>;

/// What can be chosen of each.
const USER: &[&str] = &[
    "addresses",
    "aliases",
    "archivalTime",
    "archived",
    "creationTime",
    "customSchemas",
    "customerId",
    "deletionTime",
    "emails",
    "etag",
    "externalIds",
    "guestAccountInfo",
    "id",
    "isAdmin",
    "isDelegatedAdmin",
    "isGuestUser",
    "isMailboxSetup",
    "keywords",
    "kind",
    "languages",
    "lastLoginTime",
    "locations",
    "name",
    "nonEditableAliases",
    "notes",
    "orgUnitPath",
    "organizations",
    "phones",
    "primaryEmail",
    "recoveryEmail",
    "relations",
    "suspended",
    "suspensionReason",
];
const GROUP: &[&str] = &[
    "adminCreated",
    "aliases",
    "description",
    "directMembersCount",
    "email",
    "etag",
    "externalIds",
    "id",
    "kind",
    "name",
    "nonEditableAliases",
];
const MEMBER: &[&str] = &["email", "etag", "id", "kind", "role", "status", "type"];
/// Parameters that every method has.
const COMMON: &[&str] = &["alt", "fields", "key", "prettyPrint", "quotaUser"];

/// Where a page begins.
#[derive(Clone)]
pub(super) struct Place {
    /// The query that it is of, and the path.
    asked: (String, Query),
    /// The last one of the page before.
    after: String,
}

/// What is listed, and how.
struct List {
    name: &'static str,
    known: &'static [&'static str],
    most: usize,
    default: usize,
}

impl Inner {
    pub(super) fn directory(&mut self, path: &[&str], query: &Query, token: Option<&str>) -> Answer {
        if let Some(refused) = self.refused(path, token) {
            return refused;
        }
        match path {
            ["users"] => {
                let known = [
                    "customer",
                    "customFieldMask",
                    "domain",
                    "maxResults",
                    "orderBy",
                    "pageToken",
                    "projection",
                    "query",
                    "showDeleted",
                    "sortOrder",
                    "viewType",
                ];
                let list = List { name: "users", known: USER, most: 500, default: 100 };
                let deleted = query.get("showDeleted").is_some_and(|it| it.eq_ignore_ascii_case("true"));
                let all = if deleted { self.customer.deleted() } else { self.customer.users() };
                match self.whose(query).and_then(|domain| allowed(query, &known).map_or(Ok(domain), Err)) {
                    Ok(domain) => self.list("users", &all, query, &list, domain.as_deref()),
                    Err(refused) => refused,
                }
            }
            ["groups"] => {
                let known = [
                    "customer",
                    "domain",
                    "maxResults",
                    "orderBy",
                    "pageToken",
                    "query",
                    "sortOrder",
                    "userKey",
                ];
                let list = List { name: "groups", known: GROUP, most: 200, default: 200 };
                let all = self.customer.groups();
                match self.whose(query).and_then(|domain| allowed(query, &known).map_or(Ok(domain), Err)) {
                    Ok(domain) => self.list("groups", &all, query, &list, domain.as_deref()),
                    Err(refused) => refused,
                }
            }
            ["groups", key, "members"] => {
                let known = ["includeDerivedMembership", "maxResults", "pageToken", "roles"];
                if let Some(refused) = allowed(query, &known) {
                    return refused;
                }
                let Some(id) = self.customer.find("groups", key) else { return not_found("groupKey") };
                if self.customer.hidden.contains(&id) {
                    return error(403, "forbidden", "Not Authorized to access this resource/api");
                }
                let list = List { name: "members", known: MEMBER, most: 200, default: 200 };
                let all: Vec<String> = self.customer.members(&id).into_iter().map(|(id, _)| id).collect();
                self.list(&format!("groups/{id}/members"), &all, query, &list, None)
            }
            [of @ ("users" | "groups"), key] => {
                if let Some(refused) = allowed(query, &["projection", "viewType", "customFieldMask"]) {
                    return refused;
                }
                let Some(id) = self.customer.find(of, key) else {
                    return not_found(if *of == "users" { "userKey" } else { "groupKey" });
                };
                if self.customer.is_deleted(&id) {
                    return error(412, "conditionNotMet", "User is deleted.");
                }
                let (shown, known) = match *of {
                    "users" => (self.customer.shown_user(&id), USER),
                    _ => (self.customer.shown_group(&id), GROUP),
                };
                match chosen(query.get("fields").map(String::as_str), known) {
                    Ok(fields) => Answer::json(200, &Value::Object(only(shown, fields.as_deref()))),
                    Err(refused) => refused,
                }
            }
            _ => error(404, "notFound", "Not Found"),
        }
    }

    /// What is refused to whoever asks.
    fn refused(&mut self, path: &[&str], token: Option<&str>) -> Option<Answer> {
        let invalid = || error(401, "authError", "Invalid Credentials");
        let Some(issued) = token.and_then(|token| self.tokens.get_mut(token)) else { return Some(invalid()) };
        if issued.ends_at <= now() || issued.uses == 0 {
            return Some(invalid());
        }
        issued.uses -= 1;
        let scopes = issued.scopes.clone();
        if !self.is_enabled {
            let project = &self.account.project;
            return Some(error(
                403,
                "accessNotConfigured",
                &format!("Admin SDK API has not been used in project {project} before or it is disabled."),
            ));
        }
        if !self.lets_apis {
            return Some(error(403, "domainCannotUseApis", "Domain cannot use apis."));
        }
        let Some(of) = path.first().copied() else { return Some(error(404, "notFound", "Not Found")) };
        let needed = if of == "users" { "admin.directory.user" } else { "admin.directory.group" };
        if !scopes.iter().any(|scope| scope.contains(needed)) {
            return Some(error(
                403,
                "insufficientPermissions",
                "Request had insufficient authentication scopes.",
            ));
        }
        if !self.rights.contains(of) && !self.is_me(path) {
            return Some(error(403, "forbidden", "Not Authorized to access this resource/api"));
        }
        None
    }

    /// Everybody may see themselves.
    fn is_me(&self, path: &[&str]) -> bool {
        matches!(path, ["users", key] if key.eq_ignore_ascii_case(&self.customer.admin))
    }

    /// Whose are listed: of one domain, or of all.
    fn whose(&self, query: &Query) -> Result<Option<String>, Answer> {
        match (query.get("customer"), query.get("domain")) {
            (Some(customer), None) if customer == "my_customer" || *customer == self.customer.id => Ok(None),
            (None, Some(domain)) => {
                let addresses = self.customer.users().into_iter().map(|id| self.customer.shown_user(&id));
                let is_known = addresses.into_iter().any(|user| host_of(&user) == domain.to_lowercase());
                if is_known || *domain == self.customer.domain {
                    Ok(Some(domain.to_lowercase()))
                } else {
                    Err(error(404, "domainNotFound", "Domain not found."))
                }
            }
            (Some(_), None) => Err(error(400, "invalid", "Invalid Input: customer")),
            _ => Err(error(400, "badRequest", "Bad Request")),
        }
    }

    fn list(
        &mut self,
        path: &str,
        all: &[String],
        query: &Query,
        list: &List,
        domain: Option<&str>,
    ) -> Answer {
        let List { name, known, most, default } = *list;
        let top = query.get("maxResults").map_or(Some(default), |it| it.parse().ok());
        let Some(top) = top.filter(|top| (1..=most).contains(top)) else {
            return error(400, "invalid", "Invalid Input: maxResults");
        };
        let (wrapped, inner) = match query.get("fields") {
            Some(fields) => match split(fields, name) {
                Some(split) => split,
                None => return field_refused(fields),
            },
            None => (None, None),
        };
        let fields = match chosen(inner.as_deref(), known) {
            Ok(fields) => fields,
            Err(refused) => return refused,
        };
        let mut asked = query.clone();
        let after = match asked.remove("pageToken") {
            Some(token) => match self.pages.get(&token) {
                Some(place) if place.asked == (path.to_owned(), asked.clone()) => place.after.clone(),
                _ => return error(400, "invalid", "Invalid Input: pageToken"),
            },
            None => String::new(),
        };
        let projection = query.get("projection").map_or("basic", String::as_str);
        let masks =
            query.get("customFieldMask").map(|mask| mask.split(',').map(str::to_owned).collect::<Vec<_>>());
        if (projection == "custom") != masks.is_some() {
            return error(400, "invalid", "Invalid Input: customFieldMask");
        }
        let show = |customer: &super::Customer, id: &str| match name {
            "users" => {
                let mut shown = customer.shown_user(id);
                match (&masks, projection) {
                    (_, "full") => {}
                    (Some(masks), _) => {
                        if let Some(Value::Object(schemas)) = shown.get_mut("customSchemas") {
                            schemas.retain(|schema, _| masks.contains(schema));
                        }
                    }
                    (None, _) => drop(shown.remove("customSchemas")),
                }
                shown
            }
            "groups" => customer.shown_group(id),
            _ => {
                let group = path.split('/').nth(1).unwrap_or_default();
                let kind = customer.members(group).into_iter().find(|(member, _)| member == id);
                customer.shown_member(id, &kind.map_or(Kind::User, |(_, kind)| kind))
            }
        };
        let is_in = |customer: &super::Customer, id: &str| {
            domain.is_none_or(|domain| host_of(&show(customer, id)) == domain)
        };
        let top = top.min(self.customer.page);
        let made_members = name == "members" && domain.is_none() && path.starts_with("groups/02made");
        let mut rest = all.iter().filter(|id| **id > after && is_in(&self.customer, id));
        let page: Vec<&String> = rest.by_ref().take(top).collect();
        let is_last = rest.next().is_none();
        let shown = page.iter().map(|id| {
            let shown = if made_members {
                self.customer.shown_member(id, &Kind::User)
            } else {
                show(&self.customer, id)
            };
            Value::Object(only(shown, fields.as_deref()))
        });
        let mut body = Map::from_iter([
            ("kind".to_owned(), json!(format!("admin#directory#{name}"))),
            ("etag".to_owned(), json!("\"list\"")),
        ]);
        // A list without elements is left out.
        if !page.is_empty() {
            body.insert(name.to_owned(), shown.collect());
        }
        if !is_last {
            let token = Uuid::new_v4().simple().to_string();
            let place = Place { asked: (path.to_owned(), asked), after: (*page.last().unwrap()).clone() };
            self.pages.insert(token.clone(), place);
            body.insert("nextPageToken".to_owned(), json!(token));
        }
        if let Some(wrapped) = wrapped {
            body.retain(|key, _| key == name || wrapped.iter().any(|it| it == key));
        }
        Answer::json(200, &Value::Object(body))
    }
}

fn host_of(shown: &Map<String, Value>) -> String {
    let address = shown.get("primaryEmail").or_else(|| shown.get("email")).and_then(Value::as_str);
    address.and_then(|address| address.split_once('@')).map_or(String::new(), |(_, host)| host.to_lowercase())
}

/// What is refused of a query.
fn allowed(query: &Query, known: &[&str]) -> Option<Answer> {
    let strange =
        query.keys().find(|name| !known.contains(&name.as_str()) && !COMMON.contains(&name.as_str()));
    strange.map(|name| {
        error(
            400,
            "badRequest",
            &format!("Invalid JSON payload received. Unknown name \"{name}\": Cannot bind query parameter."),
        )
    })
}

fn not_found(what: &str) -> Answer {
    error(404, "notFound", &format!("Resource Not Found: {what}"))
}

fn field_refused(name: &str) -> Answer {
    error(400, "invalidParameter", &format!("Invalid field selection {name}"))
}

/// `a,b,LIST(c,d)`: what is chosen of the answer, and of each element of its list.
fn split(fields: &str, list: &str) -> Option<(Option<Vec<String>>, Option<String>)> {
    let (before, rest) = fields.split_once(&format!("{list}("))?;
    let (inner, after) = rest.split_once(')')?;
    let names = before.split(',').chain(after.split(','));
    let names = names.map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned);
    Some((Some(names.collect()), Some(inner.to_owned())))
}

/// The names that are chosen, if each is known.
fn chosen(fields: Option<&str>, known: &[&str]) -> Result<Option<Vec<String>>, Answer> {
    let Some(fields) = fields else { return Ok(None) };
    let names: Vec<String> = fields.split(',').map(|name| name.trim().to_owned()).collect();
    match names.iter().find(|name| !known.contains(&name.as_str())) {
        None => Ok(Some(names)),
        Some(name) => Err(field_refused(name)),
    }
}

fn only(mut shown: Map<String, Value>, fields: Option<&[String]>) -> Map<String, Value> {
    if let Some(fields) = fields {
        shown.retain(|name, _| fields.iter().any(|it| it == name));
    }
    shown
}
