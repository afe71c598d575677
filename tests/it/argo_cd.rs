//! The health check that the documents give to Argo CD says of an object what its conditions say.

use std::fs;
use std::path::Path;
use std::slice::from_ref;

use mlua::{Lua, LuaSerdeExt as _, Table};
use serde_json::{Value, json};

use crate::support::office::{Office, in_step_with, is, policy};

/// What Argo CD would show of an object: its health and the message.
fn health(object: &Value) -> (String, String) {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operator.md")).unwrap();
    let after = page.split("resource.customizations.health.rollcall.dev_SyncPolicy: |\n").nth(1).unwrap();
    let check = after.split("```").next().unwrap();
    let lua = Lua::new();
    lua.globals().set("obj", lua.to_value(object).unwrap()).unwrap();
    let health: Table = lua.load(check).eval().unwrap();
    (health.get("status").unwrap(), health.get("message").unwrap())
}

fn condition(kind: &str, status: &str) -> Value {
    json!({ "type": kind, "status": status, "reason": "Because", "message": "it is so" })
}

#[test]
fn health_is_what_the_conditions_say() {
    let object = |observed: i64, conditions: &[Value]| {
        json!({
            "metadata": { "generation": 3 }, "spec": { "suspend": false },
            "status": { "observedGeneration": observed, "conditions": conditions },
        })
    };
    let (ready, unready) = (condition("Ready", "True"), condition("Ready", "False"));
    let stalled = condition("Stalled", "True");
    let cases = [
        (json!({ "metadata": { "generation": 1 }, "spec": {} }), "Progressing"),
        (json!({ "metadata": { "generation": 1 }, "spec": {}, "status": {} }), "Progressing"),
        (object(-1, from_ref(&unready)), "Progressing"),
        (object(2, from_ref(&ready)), "Progressing"),
        (object(3, &[]), "Progressing"),
        (object(3, &[condition("Reachable", "True")]), "Progressing"),
        (object(3, from_ref(&ready)), "Healthy"),
        (object(3, &[condition("Stalled", "False"), unready.clone()]), "Progressing"),
        (object(3, &[stalled.clone(), unready.clone()]), "Degraded"),
        (object(3, &[unready, stalled]), "Degraded"),
        (json!({ "metadata": {}, "spec": { "suspend": true } }), "Suspended"),
    ];
    for (object, expected) in cases {
        assert_eq!(health(&object).0, expected, "{object}");
    }
    assert_eq!(health(&object(3, &[ready])).1, "Because: it is so");
}

#[test]
fn health_follows_a_policy_on_the_apiserver() {
    let office = Office::open();
    let staff = office.namespace.until("syncpol", "staff", in_step_with(12));
    assert_eq!(health(&staff).0, "Healthy", "{staff}");
    office.namespace.apply(&policy("  users: { where: \"nobody knows\" }\n"));
    let staff = office.namespace.until("syncpol", "staff", is("Stalled", "True", "InvalidSpec"));
    assert_eq!(health(&staff).0, "Degraded", "{staff}");
    office.namespace.apply(&policy("  users: { where: \"true\" }\n"));
    office.namespace.until("syncpol", "staff", in_step_with(12));
    let staff = office.namespace.suspend("syncpol", "staff");
    assert_eq!(health(&staff).0, "Suspended", "{staff}");
}
