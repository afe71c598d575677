//! The bodies of changes (RFC 7644 sections 3.5.1 and 3.5.2), in a service's dialect. Pure.

use serde_json::{Map, Value, json};

use super::dialect::{Booleans, Dialect, Operators, Removal};
use crate::directory::TargetId;
use crate::scim::schema::ENTERPRISE;

/// Attributes that a service sets itself.
const READ_ONLY: [&str; 2] = ["meta", "groups"];

/// What happens to members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Way {
    /// They come.
    In,
    /// They go.
    Out,
}

/// The PATCH that makes `now` what `wanted` is; `None` if it is so already.
pub(super) fn difference(now: &Value, wanted: &Value, dialect: &Dialect) -> Option<Value> {
    let mut operations = Vec::new();
    let none = Map::new();
    let (now, wanted) = (now.as_object().unwrap_or(&none), wanted.as_object().unwrap_or(&none));
    for name in names(now, wanted) {
        if READ_ONLY.contains(&name.as_str()) || matches!(name.as_str(), "id" | "schemas") {
            continue;
        }
        let separator = if name == ENTERPRISE.id { ':' } else { '.' };
        let (before, after) = (now.get(name), wanted.get(name));
        match (before.and_then(Value::as_object), after.and_then(Value::as_object)) {
            (None, None) => operations.extend(one(name, before, after, dialect)),
            // Part by part: some services drop the parts that a whole value lacks.
            (before, after) => {
                let (before, after) = (before.unwrap_or(&none), after.unwrap_or(&none));
                for part in names(before, after) {
                    let path = format!("{name}{separator}{part}");
                    operations.extend(one(&path, before.get(part), after.get(part), dialect));
                }
            }
        }
    }
    (!operations.is_empty()).then(|| message(&operations))
}

/// The PUT that makes a resource what `wanted` is.
pub(super) fn whole(wanted: &Value) -> Value {
    let mut whole = wanted.clone();
    if let Some(whole) = whole.as_object_mut() {
        whole.retain(|name, value| !READ_ONLY.contains(&name.as_str()) && !value.is_null());
    }
    whole
}

/// Enables or disables a user.
pub(super) fn state(active: bool, dialect: &Dialect) -> Value {
    message(&[operation("replace", "active", Some(boolean(active, dialect)), dialect)])
}

/// The requests that take members in or out, and whom each is about.
pub(super) fn memberships<'m>(
    way: Way,
    members: &'m [TargetId],
    dialect: &Dialect,
) -> Vec<(&'m [TargetId], Value)> {
    let most = match (way, dialect.removal) {
        (Way::Out, Removal::OneAtATime) => 1,
        _ => dialect.members_per_request.max(1),
    };
    members.chunks(most).map(|some| (some, message(&of_members(way, some, dialect)))).collect()
}

fn of_members(way: Way, members: &[TargetId], dialect: &Dialect) -> Vec<Value> {
    let values = || members.iter().map(|member| json!({ "value": &*member.0 })).collect::<Value>();
    match (way, dialect.removal) {
        (Way::In, _) => vec![operation("add", "members", Some(values()), dialect)],
        (Way::Out, Removal::ByValue) => vec![operation("remove", "members", Some(values()), dialect)],
        (Way::Out, Removal::ByPath | Removal::OneAtATime) => {
            let path = |member: &TargetId| format!("members[value eq {}]", super::filter::quoted(&member.0));
            members.iter().map(|member| operation("remove", &path(member), None, dialect)).collect()
        }
    }
}

/// The names of both, each once, in order.
fn names<'a>(one: &'a Map<String, Value>, other: &'a Map<String, Value>) -> Vec<&'a String> {
    let mut names: Vec<_> = one.keys().chain(other.keys()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn one(path: &str, before: Option<&Value>, after: Option<&Value>, dialect: &Dialect) -> Option<Value> {
    let is = |value: Option<&Value>| value.filter(|value| !value.is_null()).cloned();
    match (is(before), is(after)) {
        (before, after) if before == after => None,
        (_, Some(Value::Bool(after))) => {
            Some(operation("replace", path, Some(boolean(after, dialect)), dialect))
        }
        (_, Some(after)) => Some(operation("replace", path, Some(after), dialect)),
        (_, None) => Some(operation("remove", path, None, dialect)),
    }
}

fn operation(op: &str, path: &str, value: Option<Value>, dialect: &Dialect) -> Value {
    let op = match dialect.operators {
        Operators::Lower => op.to_owned(),
        Operators::Capital => {
            op.get(..1).unwrap_or_default().to_ascii_uppercase() + op.get(1..).unwrap_or_default()
        }
    };
    match value {
        Some(value) => json!({ "op": op, "path": path, "value": value }),
        None => json!({ "op": op, "path": path }),
    }
}

fn boolean(value: bool, dialect: &Dialect) -> Value {
    match (dialect.booleans, value) {
        (Booleans::Json, value) => value.into(),
        (Booleans::Text, true) => "True".into(),
        (Booleans::Text, false) => "False".into(),
    }
}

fn message(operations: &[Value]) -> Value {
    json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::scim::profile;

    fn ids(count: usize) -> Vec<TargetId> {
        (0..count).map(|number| TargetId(format!("m{number}").into())).collect()
    }

    fn of(name: &str) -> Dialect {
        profile::named(name).unwrap().dialect
    }

    #[test]
    fn what_is_equal_needs_no_request() {
        let now = json!({ "id": "1", "userName": "ada", "meta": { "version": "1" }, "title": null });
        let mut wanted = now.clone();
        wanted["meta"]["version"] = "2".into();
        wanted.as_object_mut().unwrap().remove("title");
        assert_eq!(difference(&now, &wanted, &of("standard")), None);
    }

    #[test]
    fn each_difference_is_one_operation() {
        let now = json!({
            "id": "1", "schemas": ["a"], "userName": "ada", "title": "Dr", "name": { "givenName": "A", "familyName": "L" },
            "emails": [{ "value": "a" }],
        });
        let wanted = json!({
            "id": "1", "schemas": ["a", "b"], "userName": "eve", "name": { "givenName": "E", "familyName": "L" },
            "emails": [{ "value": "b" }], ENTERPRISE.id: { "department": "x" }, "active": false,
        });
        let operations =
            |dialect: &Dialect| difference(&now, &wanted, dialect).unwrap()["Operations"].clone();
        let expected = json!([
            { "op": "replace", "path": "active", "value": false },
            { "op": "replace", "path": "emails", "value": [{ "value": "b" }] },
            { "op": "replace", "path": "name.givenName", "value": "E" },
            { "op": "remove", "path": "title" },
            { "op": "replace", "path": format!("{}:department", ENTERPRISE.id), "value": "x" },
            { "op": "replace", "path": "userName", "value": "eve" },
        ]);
        assert_eq!(operations(&of("standard")), expected);
        let entra = operations(&of("entra-style"));
        assert_eq!(entra[0], json!({ "op": "Replace", "path": "active", "value": "False" }));
        assert_eq!(entra[3], json!({ "op": "Remove", "path": "title" }));
    }

    #[test]
    fn a_whole_resource_has_nothing_that_the_service_sets() {
        let wanted = json!({ "id": "1", "userName": "ada", "meta": {}, "groups": [], "title": null });
        assert_eq!(whole(&wanted), json!({ "id": "1", "userName": "ada" }));
    }

    #[test]
    fn no_request_has_more_members_than_the_service_takes() {
        for profile in profile::PROFILES {
            let members = ids(250);
            for way in [Way::In, Way::Out] {
                let requests = memberships(way, &members, &profile.dialect);
                let all: Vec<_> = requests.iter().flat_map(|(some, _)| some.iter()).collect();
                assert_eq!(all.len(), 250, "{}", profile.name);
                assert!(requests.iter().all(|(some, _)| some.len() <= profile.dialect.members_per_request));
            }
        }
        assert!(memberships(Way::In, &[], &of("standard")).is_empty());
    }

    #[test]
    fn members_go_in_the_form_of_the_service() {
        let members = ids(2);
        let body = |name: &str, way| memberships(way, &members, &of(name)).remove(0).1["Operations"].clone();
        let both = json!([{ "value": "m0" }, { "value": "m1" }]);
        assert_eq!(body("standard", Way::In), json!([{ "op": "add", "path": "members", "value": both }]));
        assert_eq!(
            body("standard", Way::Out),
            json!([
                { "op": "remove", "path": "members[value eq \"m0\"]" },
                { "op": "remove", "path": "members[value eq \"m1\"]" },
            ])
        );
        assert_eq!(
            body("entra-style", Way::Out),
            json!([{ "op": "Remove", "path": "members", "value": both }])
        );
        assert_eq!(memberships(Way::Out, &members, &of("google-cloud-identity")).len(), 2);
        let odd = [TargetId("a\"b\\c".into())];
        let odd = memberships(Way::Out, &odd, &of("standard")).remove(0).1;
        assert_eq!(odd["Operations"][0]["path"], r#"members[value eq "a\"b\\c"]"#);
    }
}
