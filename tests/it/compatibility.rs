//! What people have written stays valid: a schema may only grow against the one that was released last, which
//! `make release-crds` puts into `crds/released/`.

use std::collections::BTreeSet;
use std::fs;

use rstest::rstest;
use serde_json::{Map, Value, json};

use crate::support::cluster::repository;

#[test]
fn the_schemas_take_whatever_the_released_ones_took() {
    for kind in ["directoryconnectors", "syncpolicies"] {
        let read = |folder: &str| {
            let text = fs::read_to_string(repository(&format!("{folder}/{kind}.yaml"))).unwrap();
            serde_yaml::from_str::<Value>(&text).unwrap()
        };
        let (released, current) = (read("crds/released/v1alpha1"), read("crds"));
        assert_eq!(narrowed(schema(&released), schema(&current)), [""; 0], "{kind}");
        for name in ["kind", "plural", "singular", "shortNames", "categories"] {
            assert_eq!(released["spec"]["names"][name], current["spec"]["names"][name], "{kind}");
        }
        assert_eq!(released["spec"]["scope"], current["spec"]["scope"], "{kind}");
    }
}

fn schema(definition: &Value) -> &Value {
    let version = definition["spec"]["versions"].as_array().into_iter().flatten();
    let mut version = version.filter(|version| version["name"] == "v1alpha1");
    &version.next().expect("v1alpha1 is served")["schema"]["openAPIV3Schema"]
}

/// Whatever the second schema refuses or understands otherwise, that the first one took.
fn narrowed(before: &Value, after: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare(before, after, "", &mut found);
    found
}

fn compare(before: &Value, after: &Value, path: &str, found: &mut Vec<String>) {
    let mut wrong = |what: String| found.push(format!("{path}: {what}"));
    // Nobody writes a status into a manifest.
    if path != "status" && !same_default(before, after) {
        wrong(format!("default was {} and is {}", before["default"], after["default"]));
    }
    for same in ["type", "pattern", "x-kubernetes-list-type", "x-kubernetes-list-map-keys"] {
        // A pattern that was not there before is a change as well.
        if before[same] != after[same] {
            wrong(format!("{same} was {} and is {}", before[same], after[same]));
        }
    }
    if before["nullable"] == true && after["nullable"] != true {
        wrong("may not be null any more".to_owned());
    }
    for most in ["maximum", "maxLength", "maxItems", "maxProperties"] {
        let is_smaller = match (before[most].as_f64(), after[most].as_f64()) {
            (_, None) => false,
            (before, Some(after)) => before.is_none_or(|before| after < before),
        };
        if is_smaller {
            wrong(format!("{most} was {} and is {}", before[most], after[most]));
        }
    }
    for least in ["minimum", "minLength", "minItems"] {
        let is_larger = match (before[least].as_f64(), after[least].as_f64()) {
            (_, None) => false,
            (before, Some(after)) => before.is_none_or(|before| after > before),
        };
        if is_larger {
            wrong(format!("{least} was {} and is {}", before[least], after[least]));
        }
    }
    if !after["enum"].is_null() {
        let allowed = texts(&after["enum"]);
        if before["enum"].is_null() {
            wrong(format!("may only be one of {allowed:?}"));
        }
        for gone in texts(&before["enum"]).difference(&allowed) {
            wrong(format!("may not be {gone} any more"));
        }
    }
    for new in texts(&after["required"]).difference(&texts(&before["required"])) {
        wrong(format!("{new} is required"));
    }
    for new in rules(after).difference(&rules(before)) {
        let is_wider = rules(before).iter().any(|old| is_wider_choice(old, new, before));
        if !is_wider && !is_of_what_is_new(new, before) && !is_for_who_has_not_what_is_new(new, before) {
            wrong(format!("there is a new rule: {new}"));
        }
    }
    let none = Map::new();
    let fields = |schema: &'_ Value| schema["properties"].as_object().cloned().unwrap_or(none.clone());
    let now = fields(after);
    let required = texts(&before["required"]);
    for (name, before) in fields(before) {
        let last = name.clone();
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match now.get(&name) {
            Some(after) => {
                let mut after = after.clone();
                if required.contains(&Value::String(last).to_string()) && before["default"].is_null() {
                    // Whoever had to state it gets no default.
                    after["default"] = Value::Null;
                }
                compare(&before, &after, &path, found);
            }
            None => found.push(format!("{path}: is gone")),
        }
    }
    for inner in ["items", "additionalProperties"] {
        if before[inner].is_object() || after[inner].is_object() {
            compare(&before[inner], &after[inner], &format!("{path}[]"), found);
        }
    }
}

/// Whether two rules say "exactly one of these fields", the second with more of them, which are all new.
fn is_wider_choice(old: &str, new: &str, before: &Value) -> bool {
    let field = |it: &str| it.trim().strip_prefix("has(self.")?.strip_suffix(')').map(str::to_owned);
    let choice = |rule: &str| -> Option<(BTreeSet<String>, Option<String>)> {
        let rule = rule.trim_matches('"');
        // Of one field alone there is nothing to count.
        if let Some(only) = field(rule) {
            return Some((BTreeSet::from([only]), None));
        }
        let (fields, rest) = rule.strip_prefix('[')?.split_once(']')?;
        Some((fields.split(',').map(field).collect::<Option<_>>()?, Some(rest.to_owned())))
    };
    let (Some((old, rest)), Some((new, same_rest))) = (choice(old), choice(new)) else { return false };
    let is_one = |rest: &Option<String>| rest.as_ref().is_some_and(|rest| rest.ends_with(".size() == 1"));
    (rest == same_rest || rest.is_none() && is_one(&same_rest))
        && old.is_subset(&new)
        && new.difference(&old).all(|it| before["properties"][it].is_null())
}

#[rstest]
#[case::more(["a", "b"], ["a", "b", "c"], true)]
#[case::fewer(["a", "b"], ["a", "c"], false)]
#[case::one_that_was_there(["a", "b"], ["a", "b", "old"], false)]
fn a_choice_may_gain_fields_that_are_new<const N: usize, const M: usize>(
    #[case] old: [&str; N],
    #[case] new: [&str; M],
    #[case] wider: bool,
) {
    let rule = |fields: &[&str]| {
        let fields: Vec<String> = fields.iter().map(|field| format!("has(self.{field})")).collect();
        format!("[{}].filter(it, it).size() == 1", fields.join(", "))
    };
    let before = json!({ "properties": { "a": {}, "b": {}, "old": {} } });
    assert_eq!(is_wider_choice(&rule(&old), &rule(&new), &before), wider);
    // Of one field alone the rule counts nothing.
    assert!(is_wider_choice("has(self.a)", &rule(&["a", "c"]), &before));
    assert!(!is_wider_choice("has(self.a)", &rule(&["c"]), &before));
}

/// Whether a rule refuses only who uses a field or a value that there was not: one of its alternatives holds for all others.
fn is_of_what_is_new(rule: &str, before: &Value) -> bool {
    let field =
        |path: &str| path.split('.').try_fold(before, |schema, name| schema["properties"].get(name)).cloned();
    rule.trim_matches('"').split(" || ").any(|clause| {
        if let Some(path) = clause.strip_prefix("!has(self.").and_then(|rest| rest.strip_suffix(')')) {
            return field(path).is_none();
        }
        let value = clause.strip_prefix("self.").and_then(|rest| rest.split_once(" != '"));
        let Some((path, value)) = value else { return false };
        let values = field(path).and_then(|field| field["enum"].as_array().cloned());
        values.is_some_and(|values| {
            value.strip_suffix('\'').is_some_and(|value| values.iter().all(|it| it != value))
        })
    })
}

/// Whether a rule lets whoever uses a field that there was not do without something that was asked of all.
fn is_for_who_has_not_what_is_new(rule: &str, before: &Value) -> bool {
    let parts = rule.trim_matches('"').strip_prefix("has(self.").and_then(|rest| rest.split_once(") || "));
    let Some((new, rest)) = parts else { return false };
    let field = |name: &str| &before["properties"][name];
    let is_required =
        |name: &str| texts(&before["required"]).contains(&Value::String(name.to_owned()).to_string());
    let stated = rest.strip_prefix("has(self.").and_then(|rest| rest.strip_suffix(')'));
    let filled = rest.strip_prefix("size(self.").and_then(|rest| rest.strip_suffix(") > 0"));
    let was_asked = rules(before).contains(&Value::String(rest.to_owned()).to_string())
        || stated.is_some_and(is_required)
        || filled.is_some_and(|name| is_required(name) && field(name)["minItems"].as_u64() > Some(0));
    field(new).is_null() && was_asked
}

#[rstest]
#[case::a_rule("has(self.new) || self.a == 1", true)]
#[case::a_field("has(self.new) || has(self.a)", true)]
#[case::a_list("has(self.new) || size(self.a) > 0", true)]
#[case::a_rule_that_was_not("has(self.new) || self.a == 2", false)]
#[case::a_field_that_was_not_required("has(self.new) || has(self.b)", false)]
#[case::a_list_that_could_be_empty("has(self.new) || size(self.b) > 0", false)]
#[case::what_was_there("has(self.b) || self.a == 1", false)]
fn a_new_field_may_be_in_place_of_others(#[case] rule: &str, #[case] may: bool) {
    let before = json!({
        "properties": { "a": { "minItems": 1 }, "b": {} }, "required": ["a"],
        "x-kubernetes-validations": [{ "rule": "self.a == 1" }],
    });
    assert_eq!(is_for_who_has_not_what_is_new(&format!("\"{rule}\""), &before), may);
}

#[rstest]
#[case::new_field("!has(self.a.new) || self.b == 1", true)]
#[case::new_value("!has(self.a) || self.a.old != 'three'", true)]
#[case::field_that_was_there("!has(self.a.old) || self.b == 1", false)]
#[case::value_that_was_there("!has(self.a) || self.a.old != 'two'", false)]
#[case::both("!has(self.a.new) && self.b == 1", false)]
fn a_rule_may_come_with_what_it_is_about(#[case] rule: &str, #[case] may: bool) {
    let before = json!({ "properties": {
        "a": { "properties": { "old": { "enum": ["one", "two"] } } }, "b": {},
    } });
    assert_eq!(is_of_what_is_new(&format!("\"{rule}\""), &before), may);
}

/// A default is the same with a field that is new in it.
fn same_default(before: &Value, after: &Value) -> bool {
    let (Some(was), Some(is)) = (before["default"].as_object(), after["default"].as_object()) else {
        return before["default"] == after["default"];
    };
    let same = |(name, value): (&String, &Value)| {
        let property = |schema: &Value, default: &Value| {
            let mut property = schema["properties"][name.as_str()].clone();
            property["default"] = default.clone();
            property
        };
        is.get(name).is_some_and(|now| same_default(&property(before, value), &property(after, now)))
    };
    was.iter().all(same)
        && is.keys().all(|name| was.contains_key(name) || before["properties"][name.as_str()].is_null())
}

fn texts(list: &Value) -> BTreeSet<String> {
    list.as_array().into_iter().flatten().map(ToString::to_string).collect()
}

fn rules(schema: &Value) -> BTreeSet<String> {
    let rules = schema["x-kubernetes-validations"].as_array().into_iter().flatten();
    rules.map(|rule| rule["rule"].to_string()).collect()
}

/// A schema with one field.
fn of(field: &Value) -> Value {
    json!({ "type": "object", "properties": { "a": field } })
}

#[rstest]
#[case::gone(json!({ "type": "string" }), Value::Null, "a: is gone")]
#[case::another_type(json!({ "type": "string" }), json!({ "type": "integer" }), "a: type was \"string\"")]
#[case::not_null(json!({ "nullable": true }), json!({}), "a: may not be null any more")]
#[case::required(json!({ "properties": { "b": {} } }), json!({ "properties": { "b": {} }, "required": ["b"] }), "a: \"b\" is required")]
#[case::new_and_required(json!({}), json!({ "properties": { "b": {} }, "required": ["b"] }), "a: \"b\" is required")]
#[case::smaller_maximum(json!({ "maximum": 100.0 }), json!({ "maximum": 99 }), "a: maximum was 100.0 and is 99")]
#[case::new_maximum(json!({}), json!({ "maximum": 99 }), "a: maximum was null")]
#[case::shorter(json!({ "maxLength": 10 }), json!({ "maxLength": 9 }), "a: maxLength")]
#[case::fewer(json!({ "maxItems": 10 }), json!({ "maxItems": 9 }), "a: maxItems")]
#[case::fewer_keys(json!({ "maxProperties": 10 }), json!({ "maxProperties": 9 }), "a: maxProperties")]
#[case::larger_minimum(json!({ "minimum": 0 }), json!({ "minimum": 1 }), "a: minimum")]
#[case::new_minimum(json!({}), json!({ "minimum": 0 }), "a: minimum")]
#[case::longer(json!({ "minLength": 1 }), json!({ "minLength": 2 }), "a: minLength")]
#[case::more(json!({}), json!({ "minItems": 1 }), "a: minItems")]
#[case::fewer_values(json!({ "enum": ["x", "y"] }), json!({ "enum": ["x"] }), "a: may not be \"y\" any more")]
#[case::values_now(json!({}), json!({ "enum": ["x"] }), "a: may only be one of")]
#[case::another_pattern(json!({ "pattern": "x" }), json!({ "pattern": "y" }), "a: pattern")]
#[case::new_pattern(json!({}), json!({ "pattern": "y" }), "a: pattern")]
#[case::another_default(json!({ "default": 1 }), json!({ "default": 2 }), "a: default")]
#[case::new_default(json!({}), json!({ "default": 2 }), "a: default")]
#[case::no_default(json!({ "default": 2 }), json!({}), "a: default")]
#[case::default_of_a_field(json!({ "properties": { "b": {} }, "default": { "b": 1 } }), json!({ "properties": { "b": {} }, "default": { "b": 2 } }), "a: default")]
#[case::default_for_a_field(json!({ "properties": { "b": {} }, "default": {} }), json!({ "properties": { "b": {} }, "default": { "b": 2 } }), "a: default")]
#[case::default_lost(json!({ "properties": { "b": {} }, "default": { "b": 1 } }), json!({ "properties": { "b": {} }, "default": {} }), "a: default")]
#[case::list_type(json!({}), json!({ "x-kubernetes-list-type": "set" }), "a: x-kubernetes-list-type")]
#[case::new_rule(json!({}), json!({ "x-kubernetes-validations": [{ "rule": "self" }] }), "a: there is a new rule")]
#[case::within_items(json!({ "items": { "maxLength": 2 } }), json!({ "items": { "maxLength": 1 } }), "a[]: maxLength")]
#[case::within_values(json!({ "additionalProperties": { "maxLength": 2 } }), json!({ "additionalProperties": { "maxLength": 1 } }), "a[]: maxLength")]
#[case::within_fields(json!({ "properties": { "b": {} } }), json!({ "properties": { "b": { "maximum": 1 } } }), "a.b: maximum")]
fn what_narrows_is_found(#[case] before: Value, #[case] after: Value, #[case] what: &str) {
    let after = if after.is_null() { json!({ "type": "object" }) } else { of(&after) };
    let found = narrowed(&of(&before), &after);
    assert!(found.len() == 1 && found[0].starts_with(what), "{found:?}");
}

#[rstest]
#[case::new_field(json!({ "properties": {} }), json!({ "properties": { "b": { "maximum": 1, "default": 1 } } }))]
#[case::new_field_with_a_default(json!({ "properties": {}, "default": {} }), json!({ "properties": { "b": { "default": 1 } }, "default": { "b": 1 } }))]
#[case::new_field_deeper(
    json!({ "properties": { "b": { "default": {} } }, "default": { "b": {} } }),
    json!({ "properties": { "b": { "properties": { "c": { "default": 1 } }, "default": { "c": 1 } } }, "default": { "b": { "c": 1 } } })
)]
#[case::larger(json!({ "maximum": 1, "maxLength": 1, "maxItems": 1 }), json!({ "maximum": 2, "maxLength": 2 }))]
#[case::smaller(json!({ "minimum": 1, "minLength": 1, "minItems": 1 }), json!({ "minimum": 0, "minLength": 0 }))]
#[case::new_value(json!({ "enum": ["x"] }), json!({ "enum": ["x", "y"] }))]
#[case::any_value(json!({ "enum": ["x"] }), json!({}))]
#[case::not_required(json!({ "required": ["b"] }), json!({}))]
#[case::a_default_for_who_had_to_say(json!({ "required": ["b"], "properties": { "b": {} } }), json!({ "properties": { "b": { "default": 1 } } }))]
#[case::rule_gone(json!({ "x-kubernetes-validations": [{ "rule": "self" }] }), json!({}))]
#[case::other_words(json!({ "x-kubernetes-validations": [{ "rule": "self", "message": "a" }] }), json!({ "x-kubernetes-validations": [{ "rule": "self", "message": "b" }] }))]
#[case::described(json!({}), json!({ "description": "x", "nullable": true }))]
fn what_widens_is_not(#[case] before: Value, #[case] after: Value) {
    assert_eq!(narrowed(&of(&before), &of(&after)), [""; 0]);
}
