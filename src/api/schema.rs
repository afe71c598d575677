//! What schemars leaves out of the schemas.

/// Replaces unsigned formats, which Kubernetes does not know and warns of. The `minimum` keeps numbers from being negative.
pub(super) fn plain_numbers(schema: &mut schemars::Schema) {
    let unsigned =
        schema.get("format").and_then(|format| format.as_str()).is_some_and(|it| it.starts_with("uint"));
    if unsigned {
        schema.insert("format".to_owned(), "int64".into());
    }
}

/// Describes each value of an enum in the description of its field: `kubectl explain` shows nothing else.
pub(super) fn choices(schema: &mut schemars::Schema) {
    let meaning = |choice: &serde_json::Value| {
        let meaning = choice.get("description")?.as_str()?.replace('\n', " ");
        Some(format!("`{}`: {meaning}", choice.get("const")?.as_str()?))
    };
    let choices = schema.get("oneOf").and_then(|choices| choices.as_array());
    let Some(meanings) = choices.and_then(|all| all.iter().map(meaning).collect::<Option<Vec<_>>>()) else {
        return;
    };
    let about = schema.get("description").and_then(|about| about.as_str()).unwrap_or_default();
    let about = format!("{about} {}", meanings.join(" "));
    schema.insert("description".to_owned(), about.into());
}
