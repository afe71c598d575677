//! Checks what an apiserver would refuse by a kind's schema: unknown fields, and values out of bounds.

use kube::CustomResourceExt;
use serde_json::Value;

use crate::words::count;

/// Fields of a map that has no bound of its own.
const FIELDS: u64 = 1000;

/// The schema of a kind, as its definition has it.
pub(super) fn of<K: CustomResourceExt>() -> Value {
    let definition = serde_json::to_value(K::crd()).unwrap_or_default();
    definition.pointer("/spec/versions/0/schema/openAPIV3Schema").cloned().unwrap_or_default()
}

/// Calls `problem` with the field and what is wrong with it, for everything that is.
pub(super) fn check(value: &Value, schema: &Value, path: &str, problem: &mut impl FnMut(String, String)) {
    match value {
        Value::Object(fields) => {
            // What is beyond a bound is not looked at any further.
            let most = bound(schema, "maxProperties").unwrap_or(FIELDS);
            if fields.len() as u64 > most {
                let entries = count(fields.len() as u64, "entry", "entries");
                return problem(path.to_owned(), format!("has {entries}, and at most {} allowed", are(most)));
            }
            let properties = schema.get("properties").and_then(Value::as_object);
            let additional = schema.get("additionalProperties");
            for (name, value) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                match (properties.and_then(|properties| properties.get(name)), properties, additional) {
                    (Some(schema), _, _) | (None, _, Some(schema)) => check(value, schema, &path, problem),
                    (None, Some(properties), None) => {
                        problem(path, unknown(name, properties.keys()));
                    }
                    (None, None, None) => {}
                }
            }
        }
        Value::Array(items) => {
            let number = items.len() as u64;
            let has = count(number, "item", "items");
            if let Some(most) = bound(schema, "maxItems").filter(|most| number > *most) {
                return problem(path.to_owned(), format!("has {has}, and at most {} allowed", are(most)));
            }
            if let Some(least) = bound(schema, "minItems").filter(|least| number < *least) {
                problem(path.to_owned(), format!("has {has}, and at least {} needed", are(least)));
            }
            if schema.get("x-kubernetes-list-type").is_some_and(|kind| kind == "set") {
                for (at, _) in items
                    .iter()
                    .enumerate()
                    .filter(|(at, item)| items.iter().take(*at).any(|before| before == *item))
                {
                    problem(format!("{path}[{at}]"), "is given twice; keep one of them".to_owned());
                }
            }
            let Some(schema) = schema.get("items") else { return };
            for (at, item) in items.iter().enumerate() {
                check(item, schema, &format!("{path}[{at}]"), problem);
            }
        }
        Value::String(text) => {
            let number = text.chars().count() as u64;
            if let Some(most) = bound(schema, "maxLength").filter(|most| number > *most) {
                let long = count(number, "character", "characters");
                problem(path.to_owned(), format!("is {long} long, and at most {} allowed", are(most)));
            }
            if bound(schema, "minLength").is_some_and(|least| number < least) {
                problem(path.to_owned(), "is empty, and must not be".to_owned());
            }
        }
        Value::Number(number) => {
            let bound = |name| schema.get(name).and_then(Value::as_f64);
            let value = number.as_f64().unwrap_or_default();
            if let Some(most) = bound("maximum").filter(|most| value > *most) {
                problem(path.to_owned(), format!("is {number}, and at most {most} is allowed"));
            }
            if let Some(least) = bound("minimum").filter(|least| value < *least) {
                problem(path.to_owned(), format!("is {number}, and at least {least} is needed"));
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

/// `1 is`, `2 are`.
fn are(number: u64) -> String {
    count(number, "is", "are")
}

fn bound(schema: &Value, name: &str) -> Option<u64> {
    schema.get(name).and_then(Value::as_u64)
}

/// Says that there is no such thing, and what may have been meant.
pub(super) fn unknown<'n>(name: &str, known: impl Iterator<Item = &'n String> + Clone) -> String {
    // What is compared takes memory of both lengths, multiplied.
    let name: String = name.chars().take(64).flat_map(char::to_lowercase).collect();
    let near = known
        .clone()
        .map(|known| (strsim::damerau_levenshtein(&known.to_lowercase(), &name), known))
        .filter(|(distance, known)| *distance <= 2.max(known.len() / 3))
        .min();
    if let Some((_, near)) = near {
        return format!("there is no such field; did you mean {near}?");
    }
    let mut all: Vec<&str> = known.map(String::as_str).collect();
    all.sort_unstable();
    format!("there is no such field; the fields are {}", all.join(", "))
}
