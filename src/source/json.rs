//! What a value of JSON states.

use serde_json::Value;

use crate::directory::Stated;

/// The texts in a value: one, or those of a list. A structure among them cannot be decoded; null and empty texts state nothing.
pub(super) fn stated(value: &Value) -> Option<Stated> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    let values: Option<Vec<String>> = match value {
        Value::Null => return None,
        Value::Array(values) => values.iter().map(text).collect(),
        value => text(value).map(|text| vec![text]),
    };
    let Some(values) = values else { return Some(Stated::Undecodable) };
    let values: Vec<String> = values.into_iter().filter(|value| !value.is_empty()).collect();
    (!values.is_empty()).then_some(Stated::Values(values))
}
