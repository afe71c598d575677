//! The `CustomResourceDefinition`s of both kinds, as they are sent to an apiserver.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray,
};
use kube::CustomResourceExt;
use serde_json::Value;

/// The definition of a kind. Each field's description ends with its default: `kubectl explain` shows no other.
pub fn definition<K: CustomResourceExt>() -> CustomResourceDefinition {
    let mut definition = K::crd();
    for version in &mut definition.spec.versions {
        if let Some(schema) = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut()) {
            say_defaults(schema);
        }
    }
    definition
}

fn say_defaults(schema: &mut JSONSchemaProps) {
    for field in schema.properties.iter_mut().flatten().map(|(_, field)| field) {
        let default = field.default.as_ref().and_then(|default| shown(&default.0));
        if let (Some(default), Some(description)) = (default, &mut field.description) {
            *description = format!("{} Default: {default}.", description.trim_end());
        }
        say_defaults(field);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        say_defaults(items);
    }
}

/// A default as a person writes it; what stands within an object or list has a field, and so a default, of its own.
fn shown(default: &Value) -> Option<String> {
    match default {
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(default.to_string()),
        Value::Array(list) if !list.is_empty() => Some(default.to_string()),
        Value::Array(_) | Value::Object(_) | Value::Null => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{DirectoryConnector, SyncPolicy};

    /// What is said of a field of the spec.
    fn said<K: CustomResourceExt>(path: &str) -> String {
        let definition = serde_json::to_value(definition::<K>()).unwrap();
        let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        let mut field = &schema["properties"]["spec"];
        for name in path.split('.') {
            field = &field["properties"][name];
        }
        field["description"].as_str().unwrap().to_owned()
    }

    #[test]
    fn each_field_says_its_default() {
        assert!(said::<DirectoryConnector>("interval").ends_with(" Default: 15m."));
        assert!(said::<SyncPolicy>("suspend").ends_with(" Default: false."));
        assert!(said::<SyncPolicy>("limits.userRemovals.count").ends_with(" Default: 100."));
        assert!(!said::<SyncPolicy>("limits").contains("Default:"), "what is within it has its own");
        assert!(!said::<SyncPolicy>("connectors").contains("Default:"), "it has none");
    }
}
